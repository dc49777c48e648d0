/* calls.h - the calls of a bound plan, each timed in its place in the step.
 *
 * Rounds of whole steps, the clock read between the calls: a call finds in the caches what the one before it left, as
 * it does in a step. What reading the clock costs is measured and taken off. A round is a step beside it without
 * readings, sgemm and triad (rates.h). One process, no intervals: for those there is tare micro. */
#ifndef TARE_BENCH_CALLS_H
#define TARE_BENCH_CALLS_H

#include "../arm/arm.h"

typedef struct {
    int n;          /* calls, as tare_plan_calls has them */
    double *ns;     /* [n]: medians over rounds; owned */
    double step_ns; /* of the steps without readings */
    double gemm_gflops, bandwidth_gbs;
    int rounds;
} tare__call_times;

/* Of a prepared arm that replays its plan. At least three rounds. What the step writes is written. */
tare_status tare__call_times_take(const tare__arm *, double seconds, tare__call_times *);
void tare__call_times_free(tare__call_times *);

#endif
