/* program.h - nodes in SSA form. A tape is a program that has already happened; a graph is one that only appends.
 *
 * A node is an operator applied: its record, the variant chosen at inference, its attributes, its operands
 * (inputs, outputs, auxiliaries in one array). Operand arrays, attributes and works live in the program's arena,
 * which is let go at once. A write makes a new value tied to the old one, so a node's operands never change. */
#ifndef TARE_CORE_PROGRAM_H
#define TARE_CORE_PROGRAM_H

#include "value.h"

#ifdef __cplusplus
extern "C" {
#endif

struct tare_node {
    const tare_op *op;           /* NULL: spent (a backward has walked and freed it) */
    const tare_variant *variant; /* NULL for views and composites */
    const void *attr;
    const tare_work *work; /* a plan's node only: what prepare() left */
    tare_value **operand;  /* [n_in + n_out + n_aux]; NULL: absent */
    uint32_t *version;     /* tape only: storage version of each needed operand when it was saved */
    const char *path;      /* layer, borrowed from it; NULL */
    int16_t n_in, n_out, n_aux;
    uint32_t absent; /* bit o: output or auxiliary o was not wanted */
};

/* tare_value.node of a value whose producer has been walked and freed: no gradient can pass it any more. */
enum { TARE_SPENT = -2 };

/* A bump allocator: blocks are let go together. */
typedef struct tare_arena_block tare_arena_block;
typedef struct {
    tare_memory *memory;
    tare_arena_block *first, *current;
} tare_arena;

/* `bytes` aligned to 8, or NULL (error text set). */
TARE_API void *tare_arena_take(tare_arena *, size_t bytes);
/* Forgets all content, keeps the blocks for reuse. */
TARE_API void tare_arena_reset(tare_arena *);
TARE_API void tare_arena_fini(tare_arena *);

struct tare_program {
    tare_runtime *runtime;
    tare_node *node;
    int32_t n, capacity;
    int32_t n_before_ties; /* graph only: nodes before the first that writes an input (ties); 0: there is none */
    tare_value **value;    /* graph only: by id, each a ref */
    int32_t n_values, capacity_values;
    tare_arena arena;
};

TARE_API void tare_program_init(tare_program *, tare_runtime *);
/* Releases operands of nodes that are not spent, values, memory. */
TARE_API void tare_program_fini(tare_program *);
/* Releases what the node keeps and marks it spent, and its outputs too (node = TARE_SPENT). */
TARE_API void tare_node_release(tare_node *);
/* Lets go of spent nodes at the end of a tape; of all nodes. The memory stays for reuse. Not for graphs. */
TARE_API void tare_program_trim(tare_program *);
TARE_API void tare_program_clear(tare_program *);
/* Room for one more node with its operand array (and version array when `saved`) and a copy of its attributes, the rest
 * to be set by the caller; NULL on failure. Not yet counted in n, so that a failure after it undoes itself. */
TARE_API tare_node *tare_program_reserve(tare_program *, int n_operands, size_t attr_bytes, const void *attr,
                                         bool saved);

/* Whether the gradient of the node reads the data of operand i (an index into operand[]). */
static inline bool tare_node_needs(const tare_node *n, int i)
{
    return i < n->n_in ? n->op->needs_in >> (i < 31 ? i : 31) & 1
                       : n->op->needs_out >> (i - n->n_in < 31 ? i - n->n_in : 31) & 1;
}

/* Whose operands they are; an operator has at least one that is there. */
static inline tare_runtime *tare_node_runtime(const tare_node *n)
{
    tare_value *const *v = n->operand;
    while (!*v)
        ++v;
    return (*v)->runtime;
}

static inline tare_args tare_node_args(const tare_node *n)
{
    tare_args a = {
        n->op, n->attr, (const tare_desc_ref *)n->operand, n->n_in, n->absent, n->path, tare_node_runtime(n)};
    return a;
}

/* What a variant's kernels need for a call. NO_MEMORY. */
static inline tare_status tare_prepare(const tare_variant *v, const tare_args *a, const tare_desc_ref *out,
                                       tare_work *w)
{
    w->n_g = 0;
    w->n_pieces = 1;
    w->piece_bytes = w->worker_bytes = 0;
    v->prepare(a, out, w);
    return __builtin_expect(w->n_pieces > 0, 1) ? TARE_OK : TARE_NO_MEMORY;
}
static inline tare_status tare_node_prepare(const tare_node *n, tare_work *w)
{
    tare_args a = tare_node_args(n);
    return tare_prepare(n->variant, &a, (const tare_desc_ref *)(n->operand + n->n_in), w);
}

#ifdef __cplusplus
}
#endif
#endif
