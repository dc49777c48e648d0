/* progress.c - one line on a terminal, written over again and again (see progress.h). */
#include "progress.h"

#include <math.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../base/clock.h"

enum { EVERY_NS = 100000000, WIDTH_MAX = 200 };

/* Letters that fit on a line, less one: the last would break it. */
static int width(void)
{
    struct winsize size;
    int n = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1 : 79;
    return n < WIDTH_MAX ? n : WIDTH_MAX;
}

void tare__progress_begin(tare__progress *p, const tare__line *line, const tare__protocol *protocol)
{
    *p = (tare__progress){.protocol = protocol, .begin_ns = tare__clock_ns(), .rounds_before = -1};
    p->on = isatty(STDERR_FILENO) && !tare__given(line, "quiet");
}

/* Seconds left: what the time allows, or the rounds to come at the pace so far. */
static double time_left(const tare__progress *p, const tare__results *r)
{
    double spent = (double)(tare__clock_ns() - p->begin_ns) * 1e-9;
    int done = r->blocks.n_rounds - p->rounds_before;
    if (p->protocol->seconds > 0)
        return fmax(0, p->protocol->seconds - spent);
    return done > 0 ? spent / done * (double)(p->protocol->rounds - r->blocks.n_rounds) : (double)NAN;
}

static int widest(const tare__results *r)
{
    int arm = -1;
    for (int i = 0; i < r->specs->n; ++i)
        if (i != r->reference.again && isfinite(r->summary.arm[i].logs.se) &&
            (arm < 0 || r->summary.arm[i].logs.se > r->summary.arm[arm].logs.se))
            arm = i;
    return arm;
}

/* The A/A interval and the widest of the others: what narrows as rounds come in. */
static int print_intervals(char *text, size_t bytes, tare__results *r)
{
    tare__results_summarise(r);
    int arm = widest(r);
    if (arm < 0 || r->summary.n_processes < 2)
        return 0;
    tare__interval again = tare__interval_exp(r->summary.arm[r->reference.again].logs);
    tare__interval ratio = tare__interval_exp(r->summary.arm[arm].logs);
    return snprintf(text, bytes, "; A/A %.3f-%.3f; %s %.3f-%.3f", again.low, again.high, tare__results_name(r, arm),
                    ratio.low, ratio.high);
}

void tare__progress_show(tare__progress *p, tare__results *r)
{
    int64_t now = tare__clock_ns();
    if (p->rounds_before < 0)
        p->rounds_before = r->blocks.n_rounds;
    bool whole = r->blocks.n_rounds == 0 || r->blocks.round[r->blocks.n_rounds - 1].n_blocks == r->blocks.n_arms;
    if (!p->on || !whole || now - p->shown_ns < EVERY_NS)
        return;
    p->shown_ns = now;
    char text[2 * WIDTH_MAX];
    int columns = width();
    double left = time_left(p, r);
    int n = snprintf(text, sizeof text, "process %d/%lld, %d rounds", r->n_done + 1, (long long)p->protocol->processes,
                     r->blocks.n_rounds);
    if (isfinite(left))
        n += snprintf(text + n, sizeof text - (size_t)n, ", %.0f s left", left);
    if (r->blocks.n_rounds && (size_t)n < sizeof text)
        (void)print_intervals(text + n, sizeof text - (size_t)n, r);
    fprintf(stderr, "\r%-*.*s", columns, columns, text);
}

void tare__progress_end(tare__progress *p)
{
    if (p->on && p->shown_ns)
        fprintf(stderr, "\r%*s\r", width(), "");
}
