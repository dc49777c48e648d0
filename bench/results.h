/* results.h - what the processes of a run reported, and the figures made of it. */
#ifndef TARE_BENCH_RESULTS_H
#define TARE_BENCH_RESULTS_H

#include "facts.h"
#include "request.h"
#include "statistics.h"

typedef struct {
    int process, round;
    int64_t steps, ns, cpu_ns;
} tare__block;

/* One arm; the last is sgemm, whose spec is NULL. */
typedef struct {
    const char *name;
    const tare__spec *spec;
    json_t *opened; /* what a process said when it opened the arm: of process 0, set-up times of where it came first */
    tare__block *block; /* entry k of all arms belongs to the same round */
    /* Figures over the rounds that were kept, ns a step. */
    double min, median, cpu;
    tare__interval step; /* over process means */
    tare__interval logs; /* of the logarithm of the ratio to `kernels` */
    double efficiency;   /* median over rounds of flops / step time / sgemm's rate; NaN of sgemm, and of an
 arm with other threads than it */
} tare__result;

typedef struct {
    tare__result *arm;
    int n_arms; /* sgemm included */
    int base;   /* the arm that ratios refer to: `kernels`, unflipped */
    int n_processes, n_rounds, n_dropped, capacity;
    bool *dropped; /* of each round */
    bool kept_all; /* too few rounds were left, so that none was dropped */
} tare__results;

void tare__results_init(tare__results *, const tare__specs *, int base);
void tare__results_free(tare__results *);
/* Takes one line of a process over; false: it is none of ours. A block's line adds to the rounds. */
bool tare__results_take(tare__results *, int process, json_t *line);
/* All figures. */
void tare__results_summarise(tare__results *, const tare__facts *);

/* Threads of the base and of sgemm. */
int tare__results_threads(const tare__results *);
/* GFLOP/s of sgemm: median of the kept rounds. */
double tare__results_gemm_gflops(const tare__results *);

/* Why the run is not to be trusted, or NULL. */
const char *tare__results_distrust(const tare__results *);

/* The arm, contrast and block lines. */
json_t *tare__arm_record(const tare__results *, int arm, const tare__facts *, const tare__task *, json_t *run);
json_t *tare__contrast_record(const tare__results *, int arm, json_t *run);
json_t *tare__block_record(const tare__results *, int arm, json_t *line, int process, json_t *run);

/* The tables on the terminal. */
void tare__results_print(const tare__results *, const tare__facts *, const tare__task *);

/* An integer out of opened: "counts", "kernel_calls". */
int64_t tare__opened_count(const tare__result *, const char *group, const char *field);

#endif
