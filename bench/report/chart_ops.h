/* chart_ops.h - pictures of `tare micro`: of each family time against size; of the rest time against the roofline. */
#ifndef TARE_BENCH_CHART_OPS_H
#define TARE_BENCH_CHART_OPS_H

#include "chart.h"

/* FAMILY.svg for each family among records of kind `op`, operators.svg for those of none, into a folder that is made
 * where it is missing. An exit code. */
int tare__chart_ops_write(const tare__line *, const json_t *records, const char *folder);

#endif
