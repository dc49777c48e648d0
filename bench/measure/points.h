/* points.h - which points a line of `tare micro` asks for. */
#ifndef TARE_BENCH_POINTS_H
#define TARE_BENCH_POINTS_H

#include "families.h"

/* What a line asks for, and the runtime that it runs on: that of an arm of the rung `step`, which has its threads,
 * kernels and plug-ins. The arm's net is --net, or a small one that nothing is asked of. */
typedef struct {
    tare__task task;
    tare__arm arm;
    tare__points points;
    tare_value *bound[4]; /* of the net's placeholders, ended by NULL */
} tare__micro_points;

/* Operators at the bench cases of their records or at --operands; of --net each node once, of operators that are named
 * where any are; of --family its sizes. All operators where nothing is said. An exit code: the refusal is printed. To
 * be freed in any case. */
int tare__micro_points_read(const tare__line *, tare__micro_points *);
void tare__micro_points_free(tare__micro_points *);

#endif
