/* graph_private.h - what the files of graph/ share: the graph being captured, the plan made of it.
 *
 * capture.c appends a program; buffers.c decides which values share a buffer and how long each lives; pack.c places
 * buffers; plan.c drives and lays the calls out; check.c proves the result from the calls alone; instance.c gives a
 * plan its memory and replays it. */
#ifndef TARE_GRAPH_GRAPH_PRIVATE_H
#define TARE_GRAPH_GRAPH_PRIVATE_H

#include "../core/dispatch_private.h"
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
    int32_t external;    /* >= 0: not ours to place */
    int32_t value;       /* the value that it was made for; -1: scratch of call `first` */
    int64_t offset;      /* out of packing */
} tare_buffer;

/* Where an entry of a call's address array points to. */
typedef struct {
    int32_t buffer; /* -1: NULL */
    int64_t offset; /* bytes into the buffer */
} tare_address;

struct tare_plan {
    tare_runtime *runtime;
    const tare_graph *graph;
    int32_t n_external, n_input, n_output, n_values; /* of the graph when the plan was made: it may go on */
    int32_t n_calls, n_address, n_buffer;
    const tare_node **node; /* by call: copies with this plan's works */
    tare_call *call;        /* run, combine, g, n_pieces; ptr counts entries from the start of the table */
    tare_address *address;  /* all calls' entries, in order */
    tare_buffer *buffer;
    int32_t *buffer_of;     /* value id -> buffer, -1: none */
    int64_t *offset_of;     /* value id -> bytes into it */
    tare_plan_block *block; /* the placed buffers, for tables and pictures */
    int32_t n_block;
    int32_t *written; /* externals that a call writes (ties) */
    const tare_op **writer;
    int32_t n_written;
    tare_plan_bytes bytes;
    tare_capture_times times;
    tare_arena arena; /* all of the above */
};

/* Whether the kernels of the node never see the data of operand k: such a read keeps nothing alive. */
static inline bool tare__plan_shape_only(const tare_node *n, int k)
{
    return k < n->n_in && n->op->shape_only >> (k & 31) & 1;
}

/* capture.c: room for one more entry of a list; false without memory. */
bool tare__graph_room(tare_graph *, void **list, int32_t *capacity, int32_t n, size_t item);
int64_t tare__graph_now_ns(void);

/* passes.c: live[i] says whether node i can reach a result or an effect. */
void tare__plan_dce(const tare_graph *, bool *live);

/* buffers.c: buffers, lifetimes and in-place results for the live nodes, whose works are known; NO_MEMORY. */
tare_status tare__plan_buffers(tare_plan *, const bool *live, bool in_place);

/* check.c: proves the finished plan from its calls, addresses and the operator records. */
tare_status tare__plan_check(const tare_plan *);

#endif
