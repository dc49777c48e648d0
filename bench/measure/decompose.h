/* decompose.h - from rounds to the parts of a step, with intervals and a judgement: closed, or refused and why. Pure
 * functions of their arguments.
 *
 * By spans: a part is what its spans sum up to with each event told once, less its events times what a probe costs;
 * that is half of what three tellings take more than one, over all parts but the kernels, which are too long to see a
 * probe in. A probe is never priced by the untraced step, so that this step is left to check the sum by.
 *
 * Where a node is shorter than TARE__PROBES_A_NODE probes, spans would measure themselves. Then the kernels are those
 * of the arm kernels, and the other parts are what rungs next to each other differ in (ladder.h), or what the
 * mechanisms' shares are (shapley.h).
 *
 * Closed means, as shares of the untraced step: the named parts' sum and the step, and what stands in no part, differ
 * by the limit at most (2 % on one thread, 5 % on several); where spans are not used, that what is not kernels agrees
 * within 10 % with the step of the arm with null kernels. */
#ifndef TARE_BENCH_DECOMPOSE_H
#define TARE_BENCH_DECOMPOSE_H

#include <stdbool.h>

#include "../arm/parts.h"
#include "../base/statistics.h"

enum { TARE__PROBES_A_NODE = 20, TARE__PROBE_LIMIT_NS = 30 };
#define TARE__CLOSED_ALONE   0.02
#define TARE__CLOSED_THREADS 0.05
#define TARE__CLOSED_LADDER  0.10

/* Ways to switch mechanisms on one after the other, from none to all: a mechanism is what its switch adds. In the order
 * of their table (up the ladder), in the other (down), over all orders (shapley.h). */
typedef enum { TARE__UP, TARE__DOWN, TARE__SHAPLEY, TARE__ORDERS } tare__order;

/* One round, ns a step. */
typedef struct {
    int process;
    double block, floor, null;     /* blocks of the arm, of the arm kernels, of the arm with null kernels */
    double step;                   /* untraced between the traced ones */
    double rung[TARE__PART_COUNT]; /* what the ladder gives each part; NaN: nothing */
    double order[TARE__ORDERS][TARE__PART_COUNT]; /* what the carrier's mechanisms give each; NaN: nothing */
    tare__span_sums span[TARE__PROBINGS];         /* a step with each event told once, twice, three times */
} tare__observation;

typedef struct {
    tare__interval part[TARE__PART_COUNT];   /* ns a step; their means add up to step's */
    tare__interval ladder[TARE__PART_COUNT]; /* the same by the ladder; NaN: it has no rungs for it */
    tare__interval order[TARE__ORDERS][TARE__PART_COUNT];
    tare__interval step, floor, null;
    double probe_ns, probes; /* of one; how many a step */
    double bend;             /* two tellings less the middle of one and three, as a share: 0 if a probe is a probe */
    bool by_spans;
    double residual;     /* (sum of named parts - step) / step; without spans, (all but kernels - null) / step */
    double unattributed; /* of the traced step, what stands in no part; without spans 0: nothing is left over */
    double limit;
    bool closed;
    char cause[160]; /* why it is not */
} tare__decomposition;

/* What the methods that know a part say of it, least and most: spans, the ladder, each order of the carrier's; how many
 * they are. */
int tare__methods_of(const tare__decomposition *, tare__part, double *least, double *most);

/* kernel_calls: of a step. */
void tare__decompose(const tare__observation *, int n, int threads, double kernel_calls, tare__decomposition *);

#endif
