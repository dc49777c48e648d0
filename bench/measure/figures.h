/* figures.h - from blocks to the figures of a run: the same for the command that measured them and for one that reads
 * them from a file. Pure functions of their arguments.
 *
 * Ratios to the base are interquartile means of the logarithms over a process's kept rounds, then an interval over the
 * processes. A run is trusted when the same arm, measured twice (A/A), keeps its 95 % interval within 1 +- limit. */
#ifndef TARE_BENCH_FIGURES_H
#define TARE_BENCH_FIGURES_H

#include "../arm/facts.h"
#include "../base/statistics.h"
#include "blocks.h"

#define TARE__TRUST_LIMIT 0.01

/* What the figures refer to. */
typedef struct {
    int n_arms;
    int base, again, sgemm, triad; /* arms: the floor, the floor once more, the machine's rates */
    bool *computes; /* of each arm: its kernels run, on as many threads as sgemm's, so that it has an efficiency */
    int *null;      /* of each arm: the arm that is the same but with null kernels; -1: none */
    double flops;   /* a step */
    int nodes;
    tare__node_work *work;
    int n_work;
    double limit;
} tare__reference;

typedef struct {
    double min, median, cpu; /* ns a step; cpu the mean processor time */
    tare__interval step;     /* ns a step, over process means */
    tare__interval logs;     /* of the ratio to the base, on the logarithm's scale */
    double least, greatest;  /* ratios of single processes */
    double within;           /* standard error of logs that the noise within processes alone would give */
    double p_holm;     /* against the base, adjusted for all arms but the A/A arm; NaN of base and machine rates */
    double efficiency; /* median over rounds of flops / step / sgemm's rate; NaN where it means nothing */
    double roofline;   /* median over rounds of sum over nodes max(flops / rate, bytes / bandwidth) / step */
    double null_min;   /* min of the arm with null kernels; NaN: none */
} tare__figures;

typedef struct {
    tare__figures *arm;
    int n_arms, n_processes, n_rounds, n_dropped;
    bool kept_all;                 /* too few rounds were left, so that none was dropped */
    double gemm_gflops, bandwidth; /* GFLOP/s, GB/s: medians of the kept rounds */
    bool trusted;
    char cause[240], help[240]; /* why it is not, and what would help */
} tare__summary;

/* Arrays for n_arms, computes false, null -1, base and the others -1, the limit TARE__TRUST_LIMIT. */
void tare__reference_init(tare__reference *, int n_arms);
void tare__reference_fini(tare__reference *);

/* All figures of whole rounds (tare__blocks_trim). */
void tare__summary_take(tare__summary *, const tare__blocks *, const tare__reference *);
void tare__summary_fini(tare__summary *);
/* The interquartile mean, over each process's kept rounds, of the logarithm of an arm's ns a step: an array of *n that
 * the caller frees. For contrasts between runs. */
double *tare__process_logs(const tare__summary *, const tare__blocks *, int arm, int *n);

/* What an arm takes more than another, ns a step: round by round, interquartile means over processes, an interval. */
tare__interval tare__paired(const tare__summary *, const tare__blocks *, int arm, int other);

/* "slower", "faster", "no difference" against the base at a family-wise 5 %; NULL in a run that is not trusted, of the
 * base and of the machine's rates. */
const char *tare__verdict(const tare__summary *, const tare__reference *, int arm);

#endif
