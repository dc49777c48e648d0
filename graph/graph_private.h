/* graph_private.h - what the files of graph/ share: the graph being captured, the plan made of it.
 *
 * capture.c appends a program; buffers.c decides which values share a buffer and how long each lives; plan.c has
 * them packed (pack/), drives and lays the calls out; check.c proves the result from the calls alone; instance.c gives
 * a plan its memory and replays it. */
#ifndef TARE_GRAPH_GRAPH_PRIVATE_H
#define TARE_GRAPH_GRAPH_PRIVATE_H

#include "../core/dispatch_private.h"
#include "../pack/pack.h"
#include "graph.h"

/* An operand that the program does not make: a placeholder, or a concrete value met in capture. */
typedef struct {
    tare_value *symbol;
    tare_value *concrete; /* ref and hold; NULL: a placeholder */
} tare_external;

struct tare_graph {
    tare_mode mode; /* first */
    tare_program program;
    tare_external *external;
    int32_t n_external, capacity_external;
    int32_t *map; /* concrete value -> external + 1, open addressing by address */
    uint32_t map_mask;
    int32_t *input; /* placeholder number -> external */
    int32_t n_input, capacity_input;
    int32_t *output; /* result number -> value id */
    int32_t n_output, capacity_output;
    int32_t n_forward; /* nodes before the first backward; -1: there was none */
    const char **path; /* of the scopes around, by depth */
    int32_t capacity_path;
    int64_t started_ns;
    tare_capture_times times;
};

/* What values are laid on: a run of bytes that lives from its definition to its last use. Views, ties and in-place
 * results lie on the buffer of the value that they are of. */
typedef struct {
    int64_t bytes;
    int32_t first, last; /* call numbers: defined by, last touched by; last = n_calls for results */
    int32_t outside;     /* >= 0: an entry of plan->outside, not ours to place */
    int32_t value;       /* the value that it was made for; -1: scratch of call `first` */
    int64_t offset;      /* out of packing */
} tare_buffer;

/* Whether it takes a place in the arena: it lies within, and was not merged into another. */
static inline bool tare__plan_places(const tare_buffer *b)
{
    return b->outside < 0 && b->bytes > 0;
}

/* Where an entry of a call's address array points to. */
typedef struct {
    int32_t buffer; /* -1: NULL */
    int64_t offset; /* bytes into the buffer */
} tare_address;

/* A place that a plan does not lay: a graph's external, a value that an earlier part of the program made (import), a
 * constant, or a result that the caller gives the bytes for. */
typedef struct {
    int32_t value;    /* root's id */
    int32_t external; /* index in graph->external; -1 */
    bool result;
    bool constant; /* the plan's own: a value that it has computed */
} tare_outside;

/* Which part of a program to plan, and what must be there at its end. */
typedef struct {
    int32_t from, to;      /* nodes */
    const int32_t *result; /* value ids */
    int32_t n_result;
    int32_t n_patched; /* the first n_patched results lie outside: fresh bytes a call */
} tare_part;

struct tare_plan {
    tare_runtime *runtime;
    const tare_graph *graph;
    tare_part part;                  /* result: a copy in the arena */
    int32_t n_nodes, n_values_graph; /* of the graph's program */
    int32_t n_input, n_values;       /* placeholders and values when the plan was made: the graph may go on */
    int32_t n_calls, n_address, n_buffer, n_outside;
    const tare_program *program; /* the graph's, or the plan's own: with nodes appended that repeat others */
    int32_t *repeats;            /* of the plan's own nodes, from the end of the graph's: which each repeats */
    int32_t *instead;            /* value id of the graph -> the one whose bytes its readers read; NULL: its own, all */
    tare_storage **constant;     /* value id of the graph -> what was computed when the plan was made; NULL: none */
    tare_plan_passes passes;
    double repeated_steps; /* of the nodes that are repeated */
    tare_plan_order order_taken;
    int64_t refcount_before; /* the peak of reference counting in the order of the program, where another is taken */
    int32_t n_order;
    int32_t *order;         /* the live nodes, views too, as they are run: indices in the program */
    const tare_node **made; /* node - part.from -> the plan's own, with its work; NULL: a view, or dead */
    const tare_node **node; /* by call */
    tare_call *call;        /* run, combine, g, n_pieces; ptr is the instance's */
    tare_address *address;  /* all calls' entries, in order */
    tare_buffer *buffer;
    tare_outside *outside;
    /* value id -> NULL, or a record of the plan's own that says where the value lies in what it is joined to: a view of
     * that (base, view_offset, strides); the nodes of the plan have it as operand. All NULL: nothing is joined */
    tare_value **placed;
    int32_t *buffer_of;     /* value id -> buffer, -1: none */
    int64_t *offset_of;     /* value id -> bytes into it */
    tare_plan_block *block; /* the placed buffers, for tables and pictures */
    int32_t n_block;
    int32_t *written; /* outside places that a call writes (ties) */
    const tare_op **writer;
    int32_t n_written;
    tare_plan_bytes bytes;
    tare_capture_times times;
    tare_arena arena; /* all of the above */
};

struct tare_instance {
    const tare_plan *plan;
    tare_storage *arena;  /* NULL between the calls of one that belongs to a captured function */
    const void *resolved; /* the arena's base that the table was written for */
    tare_call *call;      /* the head of one block with all tables */
    void **ptr;           /* all calls' addresses, in order */
    tare_value **bound;   /* by outside place: ref and hold, or NULL */
    void **placed;        /* by outside place: the address that ptr has now */
    tare_value **output;  /* by result: views of the arena or of an outside value */
    int32_t *patch;       /* entries of ptr that point to an outside place, grouped */
    int32_t *patch_from;  /* outside place -> its first in patch; one more at the end */
    int32_t n_unbound;
    int64_t n_moves; /* times that an outside place got another address */
    int64_t bind_ns;
    size_t table_bytes;
};

/* instance.c: tables alone, the arena too if it is kept; an outside place's address; arena addresses into the table;
 * where a value of the plan lies now. */
tare_status tare__instance_make(const tare_plan *, bool keep_arena, tare_instance **out);
void tare__instance_place(tare_instance *, int32_t outside, void *address);
bool tare__instance_reads(const tare_instance *, int32_t outside); /* whether a call has an address in it */
void tare__instance_resolve(tare_instance *);
void *tare__instance_address(const tare_instance *, const tare_value *symbol);

/* Whether the kernels of the node never see the data of operand k: such a read keeps nothing alive. */
static inline bool tare__plan_shape_only(const tare_node *n, int k)
{
    return k < n->n_in && n->op->shape_only >> (k & 31) & 1;
}

/* capture.c: room for one more entry of a list; false without memory. */
bool tare__graph_room(tare_graph *, void **list, int32_t *capacity, int32_t n, size_t item);
int64_t tare__graph_now_ns(void);
/* capture.c: the symbol of a value, made where there is none (NULL: no memory); a concrete value's external, -1: none.
 */
tare_value *tare__graph_symbol(tare_graph *, tare_value *concrete);
int32_t tare__graph_external(const tare_graph *, const tare_value *concrete);

/* packing.c: offsets for the buffers and the arena's size, by the packer of that name; guard: bytes behind each. */
tare_status tare__plan_pack(tare_plan *, const char *packer, int64_t guard);

/* plan.c: the plan of a part of the program. */
tare_status tare__plan_part(tare_graph *, const tare_part *, const tare_plan_options *, tare_plan **out);

/* passes.c: live[i] says whether node part.from + i, which earlier passes have left, can reach a result or an effect.
 * NO_MEMORY. */
tare_status tare__plan_dce(tare_plan *, bool *live);
/* passes.c: makes p->program a copy of what it is, the plan's own, with room for so many more; NULL without memory. And
 * a record of the plan's own that looks like a value. And result[id] for every result and the root of one, written[id]
 * for every root that a node writes again. */
tare_program *tare__plan_own_program(tare_plan *, size_t more_nodes, size_t more_values);
tare_value *tare__plan_own_value(tare_plan *, const tare_value *);
void tare__plan_find_results(const tare_plan *, bool *result);
void tare__plan_find_written(const tare_plan *, bool *written);
/* passes.c: whether the node is a view or a kernel whose results depend on its operands alone and that writes nothing
 * again; whether the flag of one of its results, by id, is set. */
bool tare__plan_pure(const tare_node *);
bool tare__plan_makes(const tare_node *, const bool *flag);

/* merge.c: p->instead, and p->program and live without the nodes whose results another's stand for. NO_MEMORY. */
tare_status tare__plan_merge(tare_plan *, bool *live);
/* add_to.c: p->program, and live without the nodes whose results others add up by themselves. NO_MEMORY. */
tare_status tare__plan_add_to(tare_plan *, bool *live);
/* fold.c: p->constant, and live without the nodes that made them. NO_MEMORY. */
tare_status tare__plan_fold(tare_plan *, bool *live);

/* placement.c: makes the inputs of joining nodes lie in their outputs where they can, sets p->placed and takes nodes
 * with all inputs there out of live. whole: all inputs of a node, or none. NO_MEMORY. */
tare_status tare__plan_placement(tare_plan *, bool *live, bool whole);
/* placement.c: the variant that runs a node on its operands as they lie, without copies; NULL: none. */
const tare_variant *tare__plan_variant(tare_runtime *, const tare_node *);
/* plan.c: whether the value is a result that lies outside. */
bool tare__plan_patched(const tare_plan *, const tare_value *);

/* calls.c: p->order as the program has it and p->made, of the live nodes; p->node, the calls of those in p->order that
 * are live, operands where p->placed has them. */
tare_status tare__plan_nodes(tare_plan *, const bool *live);
tare_status tare__plan_list(tare_plan *, const bool *live);

/* recompute.c: p->program, p->order, p->repeats, p->part, for a plan of a whole graph that has a backward part. A node
 * is repeated where it takes at most so many steps (of arithmetic, and bytes moved) for each byte that it makes; what
 * crosses the borders of the forward part's segments is kept. NO_MEMORY. */
typedef struct {
    double most_steps;
    int n_segments; /* 0: nothing is repeated */
} tare_recompute;
tare_status tare__plan_recompute(tare_plan *, const bool *live, tare_recompute);

/* order.c: p->order anew, from that of the program. NO_MEMORY. */
tare_status tare__plan_order(tare_plan *, tare_plan_order, bool in_place);

/* buffers.c: buffers, lifetimes and in-place results for the live nodes, whose works are known; NO_MEMORY. */
tare_status tare__plan_buffers(tare_plan *, const bool *live, bool in_place);

/* What register.c lists. */
extern const struct tare_capture_service tare__capture_service;

/* check.c: proves the finished plan from its calls, addresses and the operator records. */
tare_status tare__plan_check(const tare_plan *);

#endif
