/* training_progress.c - how far a training is (see training_progress.h). */
#include "training_progress.h"

#include <math.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/table.h"

static const int64_t second_ns = 1000000000;

void tare__training_progress_begin(tare__training_progress *p, const tare__line *line, const tare__training *t)
{
    int64_t of, now = tare__clock_ns();
    *p = (tare__training_progress){.on = !tare__given(line, "quiet"),
                                   .terminal = isatty(STDERR_FILENO) != 0,
                                   .begin_ns = now,
                                   .shown_ns = now,
                                   .steps_before = tare__training_steps(t, &of)};
}

/* 1 h 05 min, 3 min 20 s, 12 s */
static const char *duration(double seconds, char *text)
{
    long long s = (long long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(text, TARE__FIGURE, "%lld h %02lld min", s / 3600, s % 3600 / 60);
    else if (s >= 60)
        snprintf(text, TARE__FIGURE, "%lld min %02lld s", s / 60, s % 60);
    else
        snprintf(text, TARE__FIGURE, "%lld s", s);
    return text;
}

void tare__training_progress_step(tare__training_progress *p, const tare__training *t)
{
    int64_t now = p->on ? tare__clock_ns() : p->shown_ns;
    if (now - p->shown_ns < (p->terminal ? second_ns / 5 : 30 * second_ns))
        return;
    p->shown_ns = now;
    int64_t of, done = tare__training_steps(t, &of);
    double steps_ns = (double)(now - p->begin_ns) / (double)(done - p->steps_before);
    char rate[TARE__FIGURE], left[TARE__FIGURE];
    char loss[32] = "-";
    if (isfinite(tare__training_loss(t)))
        (void)snprintf(loss, sizeof loss, "%.5g", tare__training_loss(t));
    fprintf(stderr, "%sepoch %lld/%lld  step %lld/%lld  loss %s  %s samples/s  %s left%s",
            p->terminal ? "\r\033[K" : "", (long long)t->batches.epoch + 1, (long long)t->epochs,
            (long long)t->batches.position, (long long)t->steps_an_epoch, loss,
            tare__figure_count((double)t->batches.batch_rows * 1e9 / steps_ns, rate),
            duration((double)(of - done) * steps_ns / 1e9, left), p->terminal ? "" : "\n");
}

void tare__training_progress_clear(const tare__training_progress *p)
{
    if (p->on && p->terminal)
        fputs("\r\033[K", stderr);
}
