/* depend.c - which node of a plan must come before which, whatever the order: what every order of a plan keeps.
 *
 * Needs: p->order, the live nodes (views too) in the order of the program. Provides: for each place of it the places
 * that must come later, as lists. A node comes after the makers of what it reads. A write by a tie comes after the
 * reads of the old content and before those of the new; externals that share bytes count as one. What may end a run
 * early (bad data can be met only by what reads whole numbers that the caller gave, or were made of them) stays in
 * order with such writes, so that a failed run has written what it would have written in the order of the program.
 * Random draws are functions of a number that they read: they need no order of their own. */
#include <string.h>

#include "depend_private.h"

/* A reader of what may be written again; next: one before it, -1. */
typedef struct {
    int32_t place, next;
} reader;

typedef struct {
    int32_t before, after;
} edge;

typedef struct {
    const tare_plan *p;
    int32_t *place_of; /* node - part.from -> place, -1 */
    int32_t *home;     /* value id -> what its bytes are told by: the root, the first external with the same storage */
    int32_t *writer;   /* home -> place of its last write so far, -1; the last entry: what may end a run */
    int32_t *readers;  /* home -> its reads since, in `reader` */
    reader *reader;
    edge *edge;
    int32_t n_readers, n_edges;
} builder;

/* ---- what is told by which bytes
 * -----------------------------------------------------------------------------------------------*/
/* Externals with one storage, by a table of their addresses: open addressing, at most half full. */
static tare_status find_homes(builder *b, tare_arena *arena)
{
    const tare_graph *g = b->p->graph;
    const tare_program *program = b->p->program;
    uint32_t slots = 64;
    while (slots < (uint32_t)g->n_external * 2)
        slots *= 2;
    int32_t *slot = tare_arena_take(arena, slots * sizeof *slot);
    if (!slot)
        return TARE_NO_MEMORY;
    memset(slot, -1, slots * sizeof *slot);
    for (int32_t i = 0; i < program->n_values; ++i) {
        const tare_value *v = program->value[i];
        b->home[i] = v->base ? b->home[v->base->id] : i; /* a base is numbered before what lies on it */
    }
    for (int32_t k = 0; k < g->n_external; ++k) {
        const tare_value *concrete = g->external[k].concrete;
        const tare_value *symbol = g->external[k].symbol; /* the graph may have grown */
        if (!concrete || !concrete->storage || symbol->id >= program->n_values || program->value[symbol->id] != symbol)
            continue;
        uint32_t at = (uint32_t)((uintptr_t)concrete->storage >> 6) & (slots - 1);
        while (slot[at] >= 0 && g->external[slot[at]].concrete->storage != concrete->storage)
            at = (at + 1) & (slots - 1);
        if (slot[at] < 0)
            slot[at] = k;
        b->home[symbol->id] = g->external[slot[at]].symbol->id;
    }
    return TARE_OK;
}

static int32_t home_of(const builder *b, const tare_value *v)
{
    return b->home[tare_value_root(v)->id];
}

/* ---- edges
 * ---------------------------------------------------------------------------------------------------------------------*/
static void put(builder *b, int32_t before, int32_t after)
{
    if (before >= 0 && before != after)
        b->edge[b->n_edges++] = (edge){before, after};
}

static void reads(builder *b, int32_t home, int32_t place)
{
    put(b, b->writer[home], place);
    b->reader[b->n_readers] = (reader){place, b->readers[home]};
    b->readers[home] = b->n_readers++;
}

static void writes(builder *b, int32_t home, int32_t place)
{
    put(b, b->writer[home], place);
    for (int32_t r = b->readers[home]; r >= 0; r = b->reader[r].next)
        put(b, b->reader[r].place, place);
    b->readers[home] = -1;
    b->writer[home] = place;
}

bool tare__plan_ties(const tare_node *n)
{
    for (int o = 0; o < n->n_out && o < TARE_OPERANDS; ++o)
        if (n->op->ties[o] && n->operand[n->n_in + o])
            return true;
    return false;
}

/* Whether the node may meet bad data: it reads whole numbers that are not an operator's own note (an auxiliary). */
static bool may_fail(const tare_program *program, const tare_node *n)
{
    for (int k = 0; k < n->n_in; ++k) {
        const tare_value *v = n->operand[k];
        if (!v || tare__plan_shape_only(n, k) || (v->d.dtype != TARE_I32 && v->d.dtype != TARE_I64))
            continue;
        if (v->node < 0)
            return true;
        const tare_node *maker = &program->node[v->node];
        for (int o = 0; o < maker->n_out; ++o)
            if (maker->operand[maker->n_in + o] == v)
                return true;
    }
    return false;
}

static void put_node(builder *b, int32_t place)
{
    const tare_plan *p = b->p;
    const tare_node *n = &p->program->node[p->order[place]];
    const int32_t failing = p->program->n_values; /* stands for the end of a run */
    for (int k = 0; k < n->n_in; ++k) {
        const tare_value *v = n->operand[k];
        if (!v || tare__plan_shape_only(n, k))
            continue;
        if (v->node >= p->part.from)
            put(b, b->place_of[v->node - p->part.from], place);
        if (!n->op->view)
            reads(b, home_of(b, v), place);
    }
    bool ties = tare__plan_ties(n);
    for (int o = 0; ties && o < n->n_out && o < TARE_OPERANDS; ++o)
        if (n->op->ties[o] && n->operand[n->n_in + o])
            writes(b, home_of(b, n->operand[n->n_in + o]), place);
    if (ties)
        reads(b, failing, place);
    else if (!n->op->view && p->order[place] < p->n_nodes && /* a repetition meets no data that the first did not */
             (may_fail(p->program, n) || n->op->effects & TARE_EFFECT_STATE))
        writes(b, failing, place);
}

/* ---- lists
 * ---------------------------------------------------------------------------------------------------------------------*/
/* Groups the edges by the place that they begin at: a counting sort. */
static tare_status list_edges(const builder *b, tare_arena *arena, tare_dependences *d)
{
    d->from = tare_arena_take(arena, ((size_t)d->n + 1) * sizeof *d->from);
    d->to = tare_arena_take(arena, ((size_t)b->n_edges + 1) * sizeof *d->to);
    if (!d->from || !d->to)
        return TARE_NO_MEMORY;
    memset(d->from, 0, ((size_t)d->n + 1) * sizeof *d->from);
    for (int32_t e = 0; e < b->n_edges; ++e)
        ++d->from[b->edge[e].before];
    for (int32_t i = 0, sum = 0; i <= d->n; ++i) {
        sum += d->from[i];
        d->from[i] = sum;
    }
    for (int32_t e = b->n_edges - 1; e >= 0; --e)
        d->to[--d->from[b->edge[e].before]] = b->edge[e].after;
    return TARE_OK;
}

tare_status tare__plan_depend(const tare_plan *p, tare_arena *arena, tare_dependences *d)
{
    builder b = {.p = p};
    size_t homes = (size_t)p->program->n_values + 1, nodes = (size_t)(p->part.to - p->part.from), operands = 0;
    for (int32_t i = 0; i < p->n_order; ++i) {
        const tare_node *n = &p->program->node[p->order[i]];
        operands += (size_t)(n->n_in + n->n_out + 1);
    }
    b.place_of = tare_arena_take(arena, (nodes + 1) * sizeof *b.place_of);
    b.home = tare_arena_take(arena, homes * sizeof *b.home);
    b.writer = tare_arena_take(arena, homes * sizeof *b.writer);
    b.readers = tare_arena_take(arena, homes * sizeof *b.readers);
    b.reader = tare_arena_take(arena, (operands + 1) * sizeof *b.reader);
    /* an operand read: its maker, the last write, the write that follows it; written: the last write */
    b.edge = tare_arena_take(arena, (3 * operands + 1) * sizeof *b.edge);
    if (!b.place_of || !b.home || !b.writer || !b.readers || !b.reader || !b.edge || find_homes(&b, arena) != TARE_OK)
        return TARE_NO_MEMORY;
    memset(b.place_of, -1, nodes * sizeof *b.place_of);
    memset(b.writer, -1, homes * sizeof *b.writer);
    memset(b.readers, -1, homes * sizeof *b.readers);
    for (int32_t i = 0; i < p->n_order; ++i)
        b.place_of[p->order[i] - p->part.from] = i;
    for (int32_t i = 0; i < p->n_order; ++i)
        put_node(&b, i);
    d->n = p->n_order;
    return list_edges(&b, arena, d);
}
