/* fused_private.h - several nodes run as one call: what the pass fuse.c makes, fused.c runs and check_fused.c proves.
 *
 * A fused node is an operator made at run time, with a kernel. It stands for a row of nodes, its *steps*, each but the
 * first a reader of what the one before it makes, which nobody else reads. All steps but perhaps the first are
 * elementwise (tare_variant.elementwise); they are run tile by tile, so that what lies between two steps never leaves
 * the cache. The first may be a product whose kernel says which part of its output a piece writes (tare_variant.tile):
 * then the others follow each of its pieces. Where they may not write over what it made, a piece's part of the product
 * lies in scratch of its worker, and so never takes the room of a whole.
 *
 * A step runs the kernel that its node would have run, on the same geometry but for the number of elements; since an
 * element's bits depend neither on its place nor on its piece, a fused node gives the bits of its steps. */
#ifndef TARE_GRAPH_FUSED_PRIVATE_H
#define TARE_GRAPH_FUSED_PRIVATE_H

#include "graph_private.h"

enum {
    TARE_FUSED_STEPS = 8,    /* the most */
    TARE_FUSED_INPUTS = 16,  /* of a fused node, the most */
    TARE_FUSED_OPERANDS = 16 /* of a step, the most */
};

/* Where a step's operand is: an operand of the fused node, or one of these. */
enum {
    TARE_FUSED_NONE = -1,    /* absent, or only its shape is read */
    TARE_FUSED_BETWEEN = -2, /* what the step before made */
    TARE_FUSED_MADE = -3     /* what this step makes for the next */
};
typedef struct {
    int16_t at;
    int16_t item; /* bytes from one element to the next; 0: read whole */
} tare_fused_place;

typedef struct {
    int32_t node; /* in the graph's program */
    const tare_op *op;
    const tare_variant *variant;
    const tare_work *work;
    int32_t n_operands;
    tare_fused_place place[TARE_FUSED_OPERANDS];
} tare_fused_step;

typedef struct {
    tare_op op; /* own = this */
    tare_variant variant;
    char name[96]; /* dense+relu */
    int32_t n_steps;
    bool led;            /* the first step is a product */
    bool in_place;       /* led: it writes to the node's output, and the others write over it */
    int64_t n, run;      /* elements; those of a piece, or, led, of a row of the product */
    int64_t span;        /* led: elements from the first to behind the last of any piece, at most */
    int32_t n_pieces;    /* led: the product's */
    int64_t tile;        /* elements that lie between two elementwise steps at once */
    size_t tile_bytes;   /* their bytes, in whole lines */
    size_t led_bytes;    /* scratch of a worker for the product, in whole lines */
    size_t part_at;      /* in it: a piece's part of the product, where that does not write to the output */
    size_t worker_bytes; /* with that and the tiles between steps */
    double flops;
    tare_fused_step step[TARE_FUSED_STEPS];
} tare_fused;

/* fused.c: completes one whose steps and flops are set: operator, kernel, scratch. `last`: the last step's node, from
 * which the outputs are; n_in: of the fused node. `null`: kernels are not run. */
void tare__fused_complete(tare_fused *, const tare_node *last, int n_in, bool null);
/* The pass (fuse.c): p->program with rows of live nodes fused; their other steps are taken out of live. sums: only what
 * is added to a sum as it is made, with that sum. NO_MEMORY. */
tare_status tare__plan_fuse(tare_plan *, bool *live, bool sums);
/* Which a node is; NULL: none. */
const tare_fused *tare__fused_of(const tare_node *);

#endif
