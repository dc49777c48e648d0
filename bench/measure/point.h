/* point.h - one measured point of `tare micro`: operators applied to operands of given shapes, in three ways.
 *
 * What is applied is an operator of the catalogue, a node of a net's captured program, or a spelling: a function over
 * the mode seam that says the same in other operators (families.h). The ways are wrappings of the same kernel calls:
 * the bare calls, the imperative mode's apply in a scope of its own, the replay of a plan. */
#ifndef TARE_BENCH_POINT_H
#define TARE_BENCH_POINT_H

#include "../arm/facts.h"
#include "../derive/case.h"

/* One result, from inputs of the shapes that its family gives. */
typedef tare_value *tare__spell(tare_mode *, tare_value *const *in);

typedef struct {
    char *name;         /* of the operator or spelling; owned */
    const char *family; /* borrowed; NULL: none */
    double size;        /* along its family's axis; NaN */
    int64_t times;      /* nodes of the net that are alike; else 1 */
    char *operands;     /* "f32[64,20,12,12] f32[50,20,5,5] -", as a sample has them; owned */
    char *attributes;   /* "pad_h=1", ""; owned */
    /* what is applied; NULL but for one. A spelling comes with its operands alone. */
    const tare_op *op;
    tare__spell *spell;
    const tare_node *node;   /* of graph's program: its own operands */
    const tare_graph *graph; /* with what its placeholders hold, one after the other */
    tare_value *const *bound;
} tare__point;

typedef struct {
    tare__point *point;
    int n;
} tare__points;
/* A new point at the end, of times 1 and no size. */
tare__point *tare__points_add(tare__points *);
void tare__points_free(tare__points *);

typedef enum { TARE__WAY_KERNEL, TARE__WAY_CALL, TARE__WAY_REPLAY, TARE__WAY_COUNT } tare__way;
extern const char *const tare__way_names[TARE__WAY_COUNT]; /* kernel, call, replay */

/* A point with its operands in memory. */
typedef struct {
    const tare__point *of;
    tare_runtime *rt;
    tare__case operands; /* without data, once they are values */
    tare_value *in[TARE__CASE_INPUTS];
    tare_mode *mode; /* imperative */
    tare_graph *graph;
    tare_plan *plan;
    tare_instance *instance;
    const tare_call *call;
    int n_calls;
} tare__open_point;

/* forced: the operator with another choice of kernels, in the place of point->op; NULL. On failure a status with the
 * text set; closed in any case by the caller. */
tare_status tare__point_open(tare__open_point *, tare_runtime *, const tare__point *, const tare_op *forced);
void tare__point_close(tare__open_point *);
/* Once. KERNEL of a point without a kernel does nothing. */
tare_status tare__point_run(tare__open_point *, tare__way);
/* The nodes with a kernel: FLOPs and bytes of each; all of them in *flops and *bytes. A new array of *n. */
tare__node_work *tare__point_work(const tare__open_point *, int *n, double *flops, double *bytes);
/* Result i of the last replay, borrowed. */
tare_value *tare__point_result(const tare__open_point *, int i);

#endif
