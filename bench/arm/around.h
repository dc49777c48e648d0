/* around.h - what an arm does around its step: the next batch, the learning rate's schedule, a wait for what is queued,
 * what is read of the step, and the loop's own work (metric, callbacks). Where the setting asks for none of it, nothing
 * is around the step. A traced arm is told of each as an event of its runtime (feed, wait, read). */
#ifndef TARE_BENCH_AROUND_H
#define TARE_BENCH_AROUND_H

#include "../../data/metrics.h"
#include "arm.h"

/* Once the arm has its step: puts what is wanted around it. */
tare_status tare__around_open(tare__arm *);
void tare__around_close(tare__arm *);
/* The two halves, for who runs the step's parts himself. */
tare_status tare__around_begin(tare__arm *);
tare_status tare__around_end(tare__arm *);

/* What a loop's metric has of the steps so far, and the line that fit wrote last; for loop=metric, fit. */
const tare_metrics *tare__around_metrics(const tare__arm *);
const char *tare__around_line(const tare__arm *);

#endif
