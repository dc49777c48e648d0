/* warm.c - warm-up until steady (see warm.h). */
#include "warm.h"

#include <math.h>
#include <stdlib.h>

void tare__steadiness_take(tare__steadiness *s, double step_ns, int64_t held)
{
    if (s->rounds == 0)
        s->before = (double)INFINITY;
    if (s->rounds >= TARE__WARM_WINDOW)
        s->before = fmin(s->before, s->window[0]);
    for (int i = 0; i + 1 < TARE__WARM_WINDOW; ++i)
        s->window[i] = s->window[i + 1];
    s->window[TARE__WARM_WINDOW - 1] = step_ns;
    s->unchanged = s->rounds > 0 && held == s->held ? s->unchanged + 1 : 0;
    s->held = held;
    ++s->rounds;
}

bool tare__steady(const tare__steadiness *s)
{
    if (s->rounds <= TARE__WARM_WINDOW || s->unchanged < TARE__WARM_WINDOW)
        return false;
    double least = s->window[0];
    for (int i = 1; i < TARE__WARM_WINDOW; ++i)
        least = fmin(least, s->window[i]);
    return least >= (1 - TARE__WARM_GAIN) * s->before;
}

/* Grows and never shrinks while an arm is not settled. */
static int64_t held_by(const tare__session *s, int i)
{
    if (i >= s->wire.specs.n)
        return 0;
    tare_counts counts = tare_runtime_counts(s->arm[i].rt);
    return (int64_t)s->arm[i].rt->reserved_bytes + (int64_t)counts.captures + (int64_t)counts.plans;
}

/* warm-up=off: nothing is to be steady. */
static bool cold(const tare__session *s, int i)
{
    return i < s->wire.specs.n && s->wire.specs.spec[i].setting.level[TARE__WARM_UP] == TARE__OFF;
}

static tare_status warm_round(tare__session *s, tare__steadiness *state)
{
    for (int i = 0; i < s->n; ++i) {
        tare__block b;
        if (cold(s, i))
            continue;
        tare_status status = tare__block_run(s, i, TARE__BLOCK_NS / 4, &b);
        if (status != TARE_OK)
            return status;
        double step_ns = (double)b.ns / (double)b.steps;
        tare__steadiness_take(&state[i], step_ns, held_by(s, i));
        s->steps[i] = (int64_t)(TARE__BLOCK_NS / 4 / step_ns) + 1;
    }
    return TARE_OK;
}

static const char *first_unsteady(const tare__session *s, const tare__steadiness *state)
{
    for (int i = 0; i < s->n; ++i)
        if (!cold(s, i) && !tare__steady(&state[i]))
            return tare__session_name(s, i);
    return NULL;
}

tare_status tare__warm_up(tare__session *s, tare__warmth *w)
{
    tare__steadiness *state = tare__take((size_t)s->n, sizeof *state);
    tare_status status = TARE_OK;
    double limit = s->wire.schedule.seconds / 3;
    *w = (tare__warmth){.unsteady = s->wire.specs.spec[0].name};
    for (int i = 0; i < s->n; ++i)
        s->steps[i] = 1;
    while (status == TARE_OK && w->unsteady && w->rounds < TARE__WARM_ROUNDS &&
           (w->rounds == 0 || limit <= 0 || tare__session_spent(s, 0) < limit)) {
        status = warm_round(s, state);
        ++w->rounds;
        w->unsteady = first_unsteady(s, state);
    }
    for (int i = 0; i < s->n && status == TARE_OK; ++i)
        s->steps[i] = cold(s, i) ? TARE__COLD_STEPS
                                 : (int64_t)(TARE__BLOCK_NS * 1.02 / state[i].window[TARE__WARM_WINDOW - 1]) + 1;
    free(state);
    return status;
}
