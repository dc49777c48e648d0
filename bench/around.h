/* around.h - what an arm does around its step: the learning rate's schedule, the next batch, what is read of the step,
 * and the loop's own work (metric, callbacks). Where the setting asks for none of it, nothing is around the step. */
#ifndef TARE_BENCH_AROUND_H
#define TARE_BENCH_AROUND_H

#include "arm.h"

/* Once the arm has its step: puts what is wanted around it. */
tare_status tare__around_open(tare__arm *);
void tare__around_close(tare__arm *);
/* The two halves, for who runs the step's parts himself. */
tare_status tare__around_begin(tare__arm *);
tare_status tare__around_end(tare__arm *);

#endif
