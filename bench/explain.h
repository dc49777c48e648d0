/* explain.h - the decomposition of one or two arms: which arms a run needs for it, and what its rounds say.
 *
 * Beside an arm itself: the same with null kernels, the same traced, and the rungs on its way down to the floor. */
#ifndef TARE_BENCH_EXPLAIN_H
#define TARE_BENCH_EXPLAIN_H

#include "bench_run.h"
#include "decompose.h"
#include "ladder.h"
#include "peers.h"

enum { TARE__EXPLAINED = 2 };

typedef struct {
    int arm, null, traced; /* numbers of the run; null -1: the arm's kernels are null themselves */
    tare__ladder_step step[TARE__LADDER_MOST];
    int rung[TARE__LADDER_MOST]; /* the arm after each step */
    int n_steps;
    tare__decomposition parts;
} tare__explained;

typedef struct {
    tare__explained arm[TARE__EXPLAINED];
    int n;
    tare__peers_file peers;
} tare__explanation;

/* All arms that are needed, into the specs. An exit code. */
int tare__explanation_arms(tare__bench_run *, tare__explanation *);
/* The decompositions, of the rounds so far. */
void tare__explanation_take(const tare__bench_run *, tare__explanation *);

/* explain_print.c: the screen. */
void tare__explanation_print(const tare__bench_run *, const tare__explanation *);
/* The definitions as a table in Markdown. */
void tare__parts_print(void);

#endif
