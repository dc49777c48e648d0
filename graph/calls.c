/* calls.c - the plan's own nodes: which there are, what prepare() leaves for each, and the calls in their order. */
#include <string.h>

#include "graph_private.h"

/* ---- works: what prepare() leaves, once for all instances
 * ------------------------------------------------------------------*/
static tare_status prepare_node(tare_plan *p, tare_node *n)
{
    tare_work w, *kept;
    if (tare_node_prepare(n, &w) != TARE_OK)
        return TARE_NO_MEMORY;
    size_t bytes = offsetof(tare_work, g) + (size_t)w.n_g * sizeof *w.g; /* the words in use alone: calls lie close */
    kept = tare_arena_take(&p->arena, bytes);
    if (!kept)
        return TARE_NO_MEMORY;
    n->work = memcpy(kept, &w, bytes);
    return TARE_OK;
}

/* The plan's own copy of a node, its work prepared; NULL without memory. */
static tare_node *own_node(tare_plan *p, const tare_node *from)
{
    tare_node *n = tare_arena_take(&p->arena, sizeof *n); /* the program may grow and move */
    if (!n)
        return NULL;
    *n = *from;
    return prepare_node(p, n) == TARE_OK ? n : NULL;
}

/* The live nodes in the order of the program. */
static tare_status list_order(tare_plan *p, const bool *live)
{
    p->order = tare_arena_take(&p->arena, (size_t)(p->part.to - p->part.from) * sizeof *p->order);
    if (!p->order)
        return TARE_NO_MEMORY;
    for (int32_t i = p->part.from; i < p->part.to; ++i)
        if (live[i - p->part.from])
            p->order[p->n_order++] = i;
    return TARE_OK;
}

tare_status tare__plan_nodes(tare_plan *p, const bool *live)
{
    size_t nodes = (size_t)(p->part.to - p->part.from);
    p->made = tare_arena_take(&p->arena, nodes * sizeof *p->made);
    if (!p->made || (!p->order && list_order(p, live) != TARE_OK))
        return TARE_NO_MEMORY;
    memset(p->made, 0, nodes * sizeof *p->made);
    for (int32_t i = 0; i < p->n_order; ++i) {
        const tare_node *n = &p->program->node[p->order[i]];
        if (n->op->view)
            continue;
        if (!n->variant) {
            tare_args a = tare_node_args(n);
            return tare_op_error(&a, TARE_IMPOSSIBLE, "an operator without a kernel cannot be planned");
        }
        p->made[p->order[i] - p->part.from] = own_node(p, n);
        if (!p->made[p->order[i] - p->part.from])
            return TARE_NO_MEMORY;
    }
    return TARE_OK;
}

/* Operands that lie in what they are joined to look as they do there; NULL without memory. */
static const tare_node *place_operands(tare_plan *p, const tare_node *n)
{
    int total = n->n_in + n->n_out + n->n_aux;
    bool any = false;
    for (int k = 0; k < total; ++k)
        any |= n->operand[k] && p->placed[n->operand[k]->id];
    if (!any)
        return n;
    tare_node placed = *n;
    tare_value **operand = tare_arena_take(&p->arena, (size_t)total * sizeof(tare_value *));
    for (int k = 0; operand && k < total; ++k) {
        tare_value *v = n->operand[k];
        operand[k] = v && p->placed[v->id] ? p->placed[v->id] : v;
    }
    placed.operand = operand;
    placed.variant = operand ? tare__plan_variant(p->runtime, &placed) : NULL;
    return placed.variant ? own_node(p, &placed) : NULL;
}

/* The live nodes with a kernel become the calls, in the plan's order. */
tare_status tare__plan_list(tare_plan *p, const bool *live)
{
    p->n_calls = p->n_address = 0;
    p->node = tare_arena_take(&p->arena, (size_t)p->n_order * sizeof *p->node);
    if (!p->node)
        return TARE_NO_MEMORY;
    for (int32_t i = 0; i < p->n_order; ++i) {
        int32_t at = p->order[i] - p->part.from;
        if (!live[at] || !p->made[at])
            continue;
        const tare_node *n = place_operands(p, p->made[at]);
        if (!n)
            return TARE_NO_MEMORY;
        p->n_address += n->n_in + n->n_out + n->n_aux + 2;
        p->node[p->n_calls++] = n;
    }
    return TARE_OK;
}
