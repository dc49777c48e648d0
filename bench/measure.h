/* measure.h - one process of a run: opens all arms, warms them up, times blocks in shuffled rounds.
 *
 * It is the command itself, started again by `tare bench` with the same words and the hidden option --child K. What it
 * finds goes to standard output, a JSON object a line: {"opened": arm, ...} for each arm, {"round": r, ...} for each
 * block. Nothing is written while a block is timed.
 *
 * A block is the mean of as many steps as fill BLOCK_NS. A round is one block of every arm and of sgemm, in an order of
 * its own. A round is dropped, by a rule that stands before the first one, when the hypervisor stole more than
 * TARE__STEAL_SHARE of its time from the machine, or when the process was put aside (involuntary switches) for more
 * than TARE__ASIDE_SHARE of it. */
#ifndef TARE_BENCH_MEASURE_H
#define TARE_BENCH_MEASURE_H

#include "request.h"

enum { TARE__BLOCK_NS = 20000000 };
#define TARE__STEAL_SHARE 0.02
#define TARE__ASIDE_SHARE 0.01

typedef struct {
    int process;    /* 0.. */
    int rounds;     /* to run */
    double seconds; /* stop beginning rounds after this time; 0: never */
    int64_t order_seed;
    int gemm_threads; /* of sgemm */
} tare__schedule;

/* Runs it; an exit code. The arms are numbered as in specs, sgemm comes last. */
int tare__measure(const tare__line *, const tare__task *, const tare__specs *, const tare__schedule *);

#endif
