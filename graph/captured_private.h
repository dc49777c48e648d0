/* captured_private.h - a captured function: one entry a signature, one backward a set of gradients that arrive.
 *
 * The entry's program holds the forward part first; each backward appends a part of its own. What the function reaches
 * is numbered through: its inputs and the values of a tape met inside, which are operands of the forward operator, then
 * its leaves (parameters, state, constants met inside), which are none: the graph keeps them, they are placed once, and
 * a step costs nothing for each but the hand-over of its gradient.
 *
 * Operands of the forward operator: those of the numbers, its results, the instance (auxiliary). Operands of a backward
 * operator: the heads that arrived, the partial sums that arrived, the instance, the forward operands needed, the
 * gradients of operands. Gradients that only leaves get lie in a block of the backward's own, which is used again when
 * nobody else has it any more. */
#ifndef TARE_GRAPH_CAPTURED_PRIVATE_H
#define TARE_GRAPH_CAPTURED_PRIVATE_H

#include "../core/capture.h"
#include "../core/gradient.h"
#include "graph_private.h"

typedef struct tare_entry tare_entry;
typedef struct tare_segment tare_segment;

/* An instance of an entry's forward plan, with the storage record's way back to it. What a backward reads lies in the
 * arena where that is kept, else in a block of its own, so that the rest is let go when the forward ends. */
typedef struct tare_lease {
    tare_entry *entry;
    tare_instance *forward;
    uint32_t *version;       /* by needed leaf: its storage's when the forward part ran */
    uint64_t n_writes;       /* of the runtime when version was written */
    tare_storage *kept;      /* NULL: nothing, or in the arena */
    struct tare_lease *next; /* in the entry's free list */
} tare_lease;

/* An outside place of a plan, and what lies there: an operand's index, or a value's id. */
typedef struct {
    int32_t outside, what;
} tare_place;

typedef struct tare_backward {
    tare_op op; /* own = this */
    tare_entry *entry;
    tare_plan *plan;
    tare_instance *instance; /* its calls end before they return: one is enough */
    uint8_t *arrived;        /* by output: a head; then by number: a partial sum */
    int32_t *head, *partial; /* by operand of this operator: the placeholder's external */
    int32_t n_head, n_partial;
    int32_t *sum;          /* by number: value id of its gradient, -1: none */
    int32_t *from;         /* by number: its gradient among what arrived, then the results; -1: none */
    int32_t n_results;     /* that some operand gets: the operator's outputs */
    tare_value **gradient; /* the further results, which only leaves get: one ref and hold each is ours; NULL: none */
    tare_value **heir;     /* the first leaf that gets it */
    int32_t *further;      /* numbers of leaves that get something else, or the same as one before */
    int32_t n_gradients, n_further;
    tare_storage *block; /* where these lie */
    tare_place *place;   /* the outside places that calls read or write: from operands, then kept, then results */
    int32_t n_place_operands, n_place_kept, n_place_results;
    /* where kept values and results were placed last: placed again only when that has changed */
    const tare_instance *last_forward;
    const void *last_kept, *last_results, *last_block;
    int64_t last_moves;
    struct tare_backward *next;
} tare_backward;

struct tare_entry {
    tare_op op; /* own = this */
    tare_captured *captured;
    tare_graph *graph;
    tare_plan *plan;
    tare_desc *input; /* the signature: n_in descs, and the bits below */
    bool *wanted;
    int32_t *same;  /* by input: the external that it is too, as an earlier input or a concrete value met inside; -1 */
    bool *concrete; /* by input: it is met inside as a concrete value */
    uint32_t
        n_wants; /* of the runtime when the concrete externals were last seen to want what they wanted in capture */
    bool training, recording;
    int32_t n_in, n_operands, n_all; /* numbers: inputs, further operands, leaves */
    int32_t n_out;                   /* results that the operator makes */
    int32_t *output;                 /* value ids of these, those that are views copied */
    int32_t *result_is;              /* by result of the function: one of the operator's, or -1 - number */
    int32_t *external;               /* number -> external; inputs that are one value share theirs: the first is used */
    bool *first;                     /* by number: it is that first one */
    tare_value **leaf;               /* the leaves, n_all - n_operands of them */
    int32_t *needed, n_needed;       /* numbers that a backward may read: operands, */
    int32_t *needed_leaf, n_needed_leaf; /* and leaves */
    tare_place *place;                   /* the forward plan's places that move: operands, results counted after them */
    int32_t n_place;
    tare_place *leaf_place; /* and those that do not: leaves, by number */
    int32_t n_leaf_place;
    tare_place *kept_place; /* of a lease's block: what a backward reads; where, in units of TARE_ALIGNMENT */
    int32_t n_kept_place;
    int64_t kept_bytes;
    int32_t n_forward; /* nodes of the forward part */
    int32_t n_leased, n_busy;
    tare_lease *idle;
    tare_segment *segment; /* of a function that was cut: it is these, and has no plan of its own */
    int32_t n_segments;
    tare_value **value;      /* by id: what crosses, while they are called */
    tare_backward *backward; /* most recently used first */
    int32_t n_backwards, n_backwards_made;
    /* the backward whose gradients the leaves have, all of them, as long as no slot has changed since; its walk */
    const tare_backward *handed;
    uint64_t handed_slots;
    uint32_t handed_walk;
    tare_entry *next; /* most recently used first */
    tare_arena arena;
};

struct tare_captured {
    tare_runtime *runtime;
    tare_function *function;
    void *owner;
    int n_out;
    tare_capture_options options;
    tare_entry *entry;
    int n_entries;
    tare_storage *idle_arena; /* kept between calls: none of these is anybody's */
};

/* The value outside that a number beyond the inputs stands for: a leaf, or a value of a tape. */
static inline tare_value *tare__captured_outside(const tare_entry *e, int number)
{
    return number >= e->n_operands ? e->leaf[number - e->n_operands] : e->graph->external[e->external[number]].concrete;
}

/* captured.c: the external that input i is too, as an earlier input or as a concrete value met inside; -1. */
int32_t tare__captured_same(const tare_entry *, tare_value *const *in, int i);

/* Whether so many backwards were let go that their parts of the program outweigh what is used: it is met no more, and
 * goes when it is idle. */
static inline bool tare__captured_worn(const tare_entry *e)
{
    return e->n_backwards_made >= 4 * e->captured->options.most_backwards;
}

/* captured_trace.c: graph, plan, lists and operator of an entry whose signature is set. */
tare_status tare__captured_trace(tare_entry *, tare_mode *, tare_value *const *in);

/* captured_break.c: makes the segments of a traced entry, none if there is no break; calls them, in: the function's
 * inputs, result: by the entry's output; whether one waits for its backward. */
tare_status tare__captured_break(tare_entry *);
tare_status tare__captured_apply_segments(tare_entry *, tare_mode *, tare_value *const *in, tare_value **result);
bool tare__captured_segments_busy(const tare_entry *);
void tare__captured_segments_free(tare_entry *);

/* captured_arena.c: an arena for an instance that is about to run, its addresses in the table; and after it. */
tare_status tare__captured_arena_take(tare_captured *, tare_instance *);
void tare__captured_arena_give(tare_captured *, tare_instance *);
tare_status tare__captured_reserve(tare_captured *, size_t bytes);
void tare__captured_shrink(tare_captured *);

/* captured_run.c */
tare_status tare__captured_execute(tare_mode *, const tare_node *);
/* captured: the node that is run. writes: a block of its own that it writes besides its arena; NULL. */
tare_status tare__captured_replay(const tare_entry *, tare_instance *, const tare_node *captured, tare_storage *writes);
void tare__captured_leases_free(tare_entry *);

/* captured_gradient.c */
void tare__captured_gradient(tare_builder *);
void tare__captured_backwards_free(tare_entry *);

/* captured_leaves.c */
typedef enum {
    TARE_LEAVES_TOUCHED,   /* some have a gradient, of this walk or an earlier one */
    TARE_LEAVES_UNTOUCHED, /* none has */
    TARE_LEAVES_HANDED     /* all have what e->handed gave them, and nothing of this walk; it may be overwritten */
} tare_leaves;
tare_leaves tare__captured_leaves(const tare_builder *, const tare_entry *);
/* That no leaf that backward reads was written since the forward part ran. */
tare_status tare__captured_check(const tare_builder *, const tare_entry *);
/* Gives the backward a block and values for its leaves' gradients; lets go of them. */
tare_status tare__captured_fresh(tare_backward *);
void tare__captured_forget(tare_backward *);
/* Before the backward runs, where the leaves have its gradients already; and after it. source: what arrived, then the
 * operator's outputs. */
void tare__captured_rewrite(const tare_builder *, const tare_backward *);
void tare__captured_hand_over(const tare_builder *, tare_entry *, tare_backward *, tare_value *const *source,
                              tare_leaves);

/* A value that can lie outside as a result: itself, or a declared copy of a view or of what the part did not make. */
tare_value *tare__captured_own_result(tare_mode *, tare_value *, int32_t from);

static inline int32_t tare__captured_index(const int32_t *list, int32_t n, int32_t wanted)
{
    for (int32_t i = 0; i < n; ++i)
        if (list[i] == wanted)
            return i;
    return -1;
}

#endif
