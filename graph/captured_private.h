/* captured_private.h - a captured function: one entry a signature, one backward a set of gradients that arrive.
 *
 * The entry's program holds the forward part first; each backward appends a part of its own. Operands of the forward
 * operator: the function's inputs, the concrete externals (parameters), its results, the instance (auxiliary). Operands
 * of a backward operator: the heads that arrived, the partial sums that arrived, the instance, the forward inputs and
 * externals, its results. */
#ifndef TARE_GRAPH_CAPTURED_PRIVATE_H
#define TARE_GRAPH_CAPTURED_PRIVATE_H

#include "../core/capture.h"
#include "../core/gradient.h"
#include "graph_private.h"

typedef struct tare_entry tare_entry;

/* An instance of an entry's forward plan, with the storage record's way back to it. What a backward reads lies in the
 * arena where that is kept, else in a block of its own, so that the rest is let go when the forward ends. */
typedef struct tare_lease {
    tare_entry *entry;
    tare_instance *forward;
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
    uint8_t *arrived;        /* by output: a head; then by operand: a partial sum */
    int32_t *head, *partial; /* by operand of this operator: the placeholder's external */
    int32_t n_head, n_partial;
    int32_t *sum;      /* by forward input: value id of its gradient, -1: none */
    int32_t *from;     /* by forward operand: its gradient among what arrived, then the results; -1: none */
    tare_place *place; /* the outside places that calls read or write: from operands, then kept, then results */
    int32_t n_place_operands, n_place_kept, n_place_results;
    /* where kept values and results were placed last: placed again only when that has changed */
    const tare_instance *last_forward;
    const void *last_kept, *last_block;
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
    int32_t n_in, n_operands;  /* n_operands = n_in + the concrete externals that are no input */
    int32_t n_out;             /* results that the operator makes */
    int32_t *result_is;        /* by result of the function: one of the operator's, or -1 - operand */
    int32_t *external;         /* operand -> external; inputs that are one value share theirs: the first is used */
    int32_t *needed, n_needed; /* operands that a backward may read */
    int32_t *operand_of; /* outside place of the forward plan -> operand index, counting results after the inputs; -1 */
    int64_t *kept_at;    /* -1: offset in the lease's block */
    int64_t kept_bytes;
    int32_t n_forward; /* nodes of the forward part */
    int32_t n_leased, n_busy;
    tare_lease *idle;
    tare_backward *backward;
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
};

/* captured.c: the external that input i is too, as an earlier input or as a concrete value met inside; -1. */
int32_t tare__captured_same(const tare_entry *, tare_value *const *in, int i);

/* captured_trace.c: graph, plan, lists and operator of an entry whose signature is set. */
tare_status tare__captured_trace(tare_entry *, tare_mode *, tare_value *const *in);

/* captured_run.c */
tare_status tare__captured_execute(tare_mode *, const tare_node *);
/* captured: the node that is run, for the trace. */
tare_status tare__captured_replay(tare_instance *, const tare_node *captured, bool bound);
tare_status tare__captured_arena(tare_instance *, bool keep);
void tare__captured_leases_free(tare_entry *);

/* captured_gradient.c */
void tare__captured_gradient(tare_builder *);
void tare__captured_backwards_free(tare_entry *);

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
