/* check_private.h - what the files of the checker share: who owns which cell of the arena, and where values lie. */
#ifndef TARE_GRAPH_CHECK_PRIVATE_H
#define TARE_GRAPH_CHECK_PRIVATE_H

#include "graph_private.h"

enum { NOBODY = -1, SCRATCH = -2 };           /* owners */
enum { NOT_DEFINED = -1, NOT_IN_ARENA = -2 }; /* places of a root */

typedef struct {
    int64_t address, bytes; /* of a row; address -1: not in the arena */
    int64_t rows, step;     /* bytes from row to row */
} tare_region;

typedef struct {
    const tare_plan *plan;
    int64_t *cut;             /* sorted distinct addresses; cell i = [cut[i], cut[i + 1]) */
    int32_t *owner;           /* of each cell: a root's id */
    int64_t *where;           /* root's id -> arena address, or one of the above */
    int32_t *first, *last;    /* root's id -> calls */
    int32_t *reader, *writer; /* root's id -> the latest node of the program that has read it, written it again */
    int32_t *home;            /* root's id -> that of the external that its bytes are told by: one for one storage */
    int32_t last_end, last_write; /* the latest node that can end a run, that wrote something again */
    int32_t *part_of;             /* root's id -> that of the root that it is a part of, or NOBODY */
    bool *joined, *filled;        /* root's id: it is made by its parts; by some of them, and by its node */
    bool *born;                   /* root's id: it is counted as live */
    tare_region *region; /* of the call that is looked at: its entries as they lie, once what it reads is there */
    int32_t n_cut, n_values;
    int32_t n_values_graph; /* the others are the plan's own */
} tare_check;

/* As the program has it, wherever the plan has put it. */
static inline const tare_value *root_of(const tare_check *k, const tare_value *v)
{
    for (v = k->plan->program->value[v->id]; v->base; v = v->base)
        ;
    return v;
}

/* The whole that a root is in the end a part of; itself, if none. */
static inline int32_t whole_of(const tare_check *k, int32_t id)
{
    while (k->part_of[id] >= 0)
        id = k->part_of[id];
    return id;
}

static inline const tare_value *value_of(const tare_check *k, int32_t id)
{
    return k->plan->program->value[id];
}

/* Bytes from its root's first. */
static inline int64_t offset_of(const tare_check *k, const tare_value *v)
{
    int64_t offset = 0;
    for (v = k->plan->program->value[v->id]; v->base; v = v->base)
        offset += v->view_offset * (int64_t)tare_dtype_bytes((tare_dtype)v->d.dtype);
    return offset;
}

static inline int64_t value_bytes(const tare_value *v)
{
    return (int64_t)tare_desc_bytes(&v->d);
}

/* The address that an entry of the table says; -1: none in the arena. */
static inline int64_t address_of(const tare_plan *p, int32_t entry)
{
    const tare_address *a = &p->address[entry];
    return a->buffer < 0 || p->buffer[a->buffer].outside >= 0 ? -1 : p->buffer[a->buffer].offset + a->offset;
}

static inline tare_region one_row(int64_t address, int64_t bytes)
{
    return (tare_region){address, bytes, 1, 0};
}

/* What lies without gaps, or in rows that are apart. */
static inline tare_region region_of(const tare_desc *d, int64_t address)
{
    int64_t bytes = (int64_t)tare_desc_bytes(d), item = (int64_t)tare_dtype_bytes((tare_dtype)d->dtype);
    if (d->contiguous)
        return one_row(address, bytes);
    return (tare_region){address, bytes / d->dim[0], d->dim[0], d->stride[0] * item};
}

/* What a root takes at an address: rows, where it lies so in what it is joined to. */
static inline tare_region region_at(const tare_check *k, int64_t address, const tare_value *root)
{
    const tare_value *placed = k->plan->placed[root->id];
    return placed ? region_of(&placed->d, address) : one_row(address, value_bytes(root));
}

static inline tare_region region_of_root(const tare_check *k, const tare_value *root)
{
    return region_at(k, k->where[root->id], root);
}

/* The index in the program of the node that a call runs. */
static inline int32_t tare__check_index(const tare_node *n)
{
    int o = n->n_in;
    while (!n->operand[o])
        ++o;
    return n->operand[o]->node;
}

static inline bool shape_only(const tare_node *n, int i)
{
    return i < n->n_in && n->op->shape_only >> (i & 31) & 1;
}

/* ---- check.c: the error of a call; check_order.c: that the call comes where it may. */
tare_status tare__check_wrong(const tare_check *, int32_t call, const char *what);
tare_status tare__check_order(tare_check *, int32_t call);

/* ---- check_repeat.c: that the plan's own nodes repeat the graph's, and the graph's read what they should. */
tare_status tare__check_repeats(tare_check *);

/* ---- check_merge.c: that what stands for a value is the same, and that constants are. */
tare_status tare__check_stand_ins(tare_check *);
tare_status tare__check_constants(tare_check *);
/* The id of what stands for a value of the graph: its own, unless the plan says otherwise. */
static inline int32_t tare__check_stands(const tare_check *k, int32_t id)
{
    return k->plan->instead ? k->plan->instead[id] : id;
}
/* ---- check_fused.c: that fused nodes do what the graph's do; home is known. */
tare_status tare__check_fused(const tare_check *);

/* ---- check_cells.c */
/* Fills home; NO_MEMORY. */
tare_status tare__check_homes(tare_check *);
/* Cuts the arena at every address that occurs; room for so many more cuts where rows are apart. NO_MEMORY. */
tare_status tare__check_cut(tare_check *);
size_t tare__check_row_cuts(const tare_plan *);
void tare__check_take(tare_check *, tare_region, int32_t owner);
/* Whether all cells are the root's, or that of a whole that it has become part of. */
bool tare__check_owns(const tare_check *, tare_region, int32_t root);
bool tare__check_meet(tare_region, tare_region);
/* Entry i of a call: operands, then scratch of pieces and of workers. An alias: its root's, as far as that is defined.
 * from: the call's first entry of the table. */
tare_region tare__check_region(const tare_check *, int32_t call, int32_t from, int i);
size_t tare__check_workers_bytes(const tare_plan *, const tare_work *);

/* ---- check_join.c: wholes made of parts. That every part lies where its whole's record says; that they are there when
 * the whole at `address`, or one that the call reads, is read first. Whether a node writes just some parts of what it
 * joins; and that a call that does finds the others there, and copies over nothing that it reads. */
tare_status tare__check_joins(tare_check *);
bool tare__check_fills(const tare_check *, const tare_node *);
tare_status tare__check_fill(const tare_check *, int32_t call, int32_t from);
/* Whether the operands of the call are its node's, and its variant takes them as they lie. */
bool tare__check_operands(const tare_check *, int32_t call);
tare_status tare__check_assemble(tare_check *, const tare_value *whole, int64_t address);
tare_status tare__check_assemble_inputs(tare_check *, int32_t call, int32_t from);

#endif
