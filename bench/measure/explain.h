/* explain.h - the decomposition of one or two arms: which arms a run needs for it, and what its rounds say.
 *
 * Beside an arm itself: the same with null kernels, the same traced, and the rungs on its way down to the floor. */
#ifndef TARE_BENCH_EXPLAIN_H
#define TARE_BENCH_EXPLAIN_H

#include "../arm/ladder.h"
#include "../arm/mechanisms.h"
#include "bench_run.h"
#include "decompose.h"
#include "peers.h"

enum { TARE__EXPLAINED = 2 };

typedef struct {
    int arm, null, traced; /* numbers of the run; null -1: the arm's kernels are null themselves */
    tare__ladder_step step[TARE__LADDER_MOST];
    int rung[TARE__LADDER_MOST]; /* the arm after each step */
    int n_steps;
    bool carried;                             /* its way goes through the carrier, whose arms there are: */
    int corner[1 << TARE__MECHANISMS_INSIDE]; /* with that set of mechanisms on */
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
/* One, of blocks whose arm `floor` is the floor. */
void tare__explained_take(const tare__blocks *, const tare__summary *, int floor, int threads, double kernel_calls,
                          tare__explained *);

/* explain_lines.c: what lines of kind part and closure say of the figures, new objects. */
json_t *tare__part_fields(const tare__decomposition *, tare__part);
json_t *tare__closure_fields(const tare__decomposition *);
/* The names of the arms that an explained one needs, as the closure's field "arms", a new object; and from it and the
 * arms' numbers (find; -1: none) back. False: an arm is missing. */
json_t *tare__explained_arms(const tare__explained *, const char *(*name)(const void *, int), const void *owner);
bool tare__explained_of(const json_t *arms, int (*find)(const void *, const char *), const void *owner,
                        tare__explained *);

/* explain_print.c: the screen. */
void tare__explanation_print(const tare__bench_run *, const tare__explanation *);
/* The definitions as a table in Markdown. */
void tare__parts_print(void);

#endif
