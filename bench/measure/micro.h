/* micro.h - points measured: processes, rounds, figures.
 *
 * A process goes through all points in rounds, in an order of its own each round. A point is opened in its turn, its
 * ways run as blocks one after the other in an order of their own, and it is closed: so its operands lie elsewhere in
 * each round, ways are compared within moments, and memory holds one point at a time. A round begins with the machine's
 * rates (rates.h). Figures are those of figures.h; the roofline is sum over nodes of max(flops / sgemm's rate, bytes /
 * triad's), at the medians of the run.
 *
 * With variants a point's ways are its operator's kernel variants, each called bare. */
#ifndef TARE_BENCH_MICRO_H
#define TARE_BENCH_MICRO_H

#include "../base/record.h"
#include "figures.h"
#include "points.h"

/* What the processes said. A line is {"rates": round, ...}, {"point": i, ...} (micro_process.c). */
typedef struct {
    const tare__line *line;
    tare__micro_points points;
    bool variants;
    int64_t processes, order_seed;
    int64_t rounds; /* in all processes together; 0: the time says when to stop */
    double seconds; /* 0: the rounds do */
    json_t *rates;  /* array */
    json_t **said;  /* [points.n], array each: what was said of it */
    bool stopped;   /* by an interrupt: not all was measured */
} tare__micro;

/* An exit code; to be freed in any case. */
int tare__micro_read(const tare__line *, tare__micro *);
void tare__micro_free(tare__micro *);
/* Runs the processes. An exit code; after an interrupt TARE__RAN with `stopped`. */
int tare__micro_measure(tare__micro *);

/* The lines of kind `op`: of each point that was measured one a way, with its blocks. A new array. */
json_t *tare__micro_records(const tare__micro *, json_t *run);
/* What of such a line follows from its own blocks, work and rates, a new object: for the command that verifies, too. */
json_t *tare__micro_derived(const json_t *record);
/* Why nothing could be measured of a point, borrowed; NULL: something was, or nobody came to it. */
const char *tare__micro_failure(const tare__micro *, int point);

/* The subcommand that one process is. An exit code. */
int tare__micro_process_run(const tare__line *);

#endif
