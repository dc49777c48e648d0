/* warm.h - warm-up: whole rounds of short blocks until everything is steady.
 *
 * Steady, by a rule that stands beforehand: through the last TARE__WARM_WINDOW rounds no arm took memory from the
 * system, captured or planned anything (allocation), and no arm's least step of that window is more than
 * TARE__WARM_GAIN below its least step of all rounds before it (caches, predictors, clock rates: it is no longer
 * getting faster). At most TARE__WARM_ROUNDS rounds, and a third of the process's time. */
#ifndef TARE_BENCH_WARM_H
#define TARE_BENCH_WARM_H

#include "measure.h"

enum { TARE__WARM_WINDOW = 2, TARE__WARM_ROUNDS = 12 };
#define TARE__WARM_GAIN 0.02

typedef struct {
    int rounds;
    const char *unsteady; /* the first arm that was not, borrowed; NULL: all were */
} tare__warmth;

/* One arm's rounds so far, and what its runtime holds. */
typedef struct {
    double before, window[TARE__WARM_WINDOW]; /* least step before the window, steps in it, oldest first */
    int64_t held;                             /* bytes from the system, captures and plans: any change counts */
    int unchanged;                            /* rounds since held changed */
    int rounds;
} tare__steadiness;

/* A round more: its step and what is held after it. The first call begins. */
void tare__steadiness_take(tare__steadiness *, double step_ns, int64_t held);
bool tare__steady(const tare__steadiness *);

/* Warms all arms up and sets s->steps to fill blocks of TARE__BLOCK_NS. */
tare_status tare__warm_up(tare__session *, tare__warmth *);

#endif
