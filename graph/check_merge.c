/* check_merge.c - the checker's view of what is not run because it is known: values that another node's stand for, and
 * constants.
 *
 * A value may stand for another if both are the same output of one operator, variant and attributes, on operands for
 * which the same values stand, in the order of the program the stand-in first; if nothing that the two read was written
 * between them, all externals taken for one; if neither is ever written again, and the other is no result. A constant
 * is made by nodes without effects, of constants or shapes alone, and no call writes it. */
#include <string.h>

#include "check_private.h"

enum { WORDS = 64 };

static tare_status wrong_value(const tare_value *v, const char *what)
{
    return tare_error(TARE_IMPOSSIBLE, "the plan is wrong: value %d %s", v->id, what);
}

/* In the graph's own program, whatever the plan's says. */
static const tare_value *graph_root(const tare_value *v)
{
    while (v->base)
        v = v->base;
    return v;
}

static bool ties_output(const tare_node *n, int o)
{
    return o < n->n_out && o < TARE_OPERANDS && n->op->ties[o] != 0 && n->operand[n->n_in + o] != NULL;
}

static bool pure(const tare_node *n)
{
    bool ties = false;
    for (int o = 0; o < n->n_out; ++o)
        ties |= ties_output(n, o);
    return !ties && n->op->effects == TARE_EFFECT_NONE && (n->variant || n->op->view) && !n->op->execute;
}

/* ---- stand-ins
 * -------------------------------------------------------------------------------------------------------------------*/
static bool same_attributes(const tare_node *a, const tare_node *b)
{
    int64_t of_a[WORDS], of_b[WORDS];
    int n_attrs = a->op->n_attrs;
    if (a->op != b->op || n_attrs * (TARE_INTS + 1) > WORDS)
        return false;
    int n = tare_attr_words(a->op->attrs, n_attrs, a->attr, of_a);
    return n == tare_attr_words(b->op->attrs, n_attrs, b->attr, of_b) && !memcmp(of_a, of_b, (size_t)n * sizeof *of_a);
}

/* Whether node b, later, makes at its outputs what node a makes. writes: root's id -> the last node before b that wrote
 * it; outside: that wrote any external. */
static bool makes_the_same(const tare_check *k, int32_t a_index, int32_t b_index, const int32_t *writes,
                           int32_t outside)
{
    const tare_program *g = &k->plan->graph->program;
    const tare_node *a = &g->node[a_index], *b = &g->node[b_index];
    if (a_index >= b_index || a_index < k->plan->part.from || b_index >= k->plan->part.to ||
        b_index >= k->plan->n_nodes || !pure(a) || !same_attributes(a, b) || a->variant != b->variant ||
        a->n_in != b->n_in || a->n_out != b->n_out || a->n_aux != b->n_aux || a->absent != b->absent)
        return false;
    for (int i = 0; i < a->n_in; ++i) {
        const tare_value *x = a->operand[i], *y = b->operand[i];
        if (!x != !y || (x && tare__check_stands(k, x->id) != tare__check_stands(k, y->id)))
            return false;
        const tare_value *root = x && !shape_only(a, i) && !a->op->view ? graph_root(x) : NULL;
        const tare_value *other = root ? graph_root(y) : NULL;
        if (root && (writes[root->id] > a_index || writes[other->id] > a_index ||
                     ((root->node < 0 || other->node < 0) && outside > a_index)))
            return false;
    }
    return true;
}

/* That what stands for a value is the same output of such a node, and neither is written or, the value, a result. */
static tare_status check_stand_in(const tare_check *k, const tare_value *v, const int32_t *writes, int32_t outside,
                                  const bool *written)
{
    const tare_program *g = &k->plan->graph->program;
    int32_t is = k->plan->instead[v->id];
    const tare_value *w = is >= 0 && is < k->n_values_graph ? g->value[is] : NULL;
    if (!w || k->plan->instead[is] != is || w->node < 0 || !makes_the_same(k, w->node, v->node, writes, outside))
        return wrong_value(v, "is not what stands for it");
    const tare_node *a = &g->node[w->node], *b = &g->node[v->node];
    int o = a->n_in;
    while (a->operand[o] != w || b->operand[o] != v)
        if (++o == a->n_in + a->n_out + a->n_aux)
            return wrong_value(v, "is another output than what stands for it");
    if (!a->op->view && (written[v->id] || written[w->id]))
        return wrong_value(v, "is written again, and something stands for it");
    for (int32_t r = 0; r < k->plan->part.n_result; ++r) {
        const tare_value *result = g->value[k->plan->part.result[r]];
        if (result == v || (!v->base && graph_root(result) == v))
            return wrong_value(v, "is a result, and something stands for it");
    }
    return TARE_OK;
}

/* Notes what the node writes again. */
static void note_writes(const tare_node *n, int32_t i, int32_t *writes, int32_t *outside)
{
    for (int o = 0; o < n->n_out; ++o) {
        if (!ties_output(n, o))
            continue;
        const tare_value *root = graph_root(n->operand[n->n_in + o]);
        writes[root->id] = i;
        *outside = root->node < 0 ? i : *outside;
    }
}

/* The graph may have grown since the plan was made: what it had then counts. */
static tare_status check_stand_ins(const tare_check *k, int32_t *writes, bool *written)
{
    const tare_plan *p = k->plan;
    const tare_program *g = &p->graph->program;
    int32_t outside = -1;
    for (int32_t id = 0; id < k->n_values_graph; ++id)
        writes[id] = -1;
    for (int32_t i = 0; i < p->n_nodes; ++i)
        note_writes(&g->node[i], i, writes, &outside);
    for (int32_t id = 0; id < k->n_values_graph; ++id) {
        written[id] = writes[id] >= 0;
        writes[id] = outside = -1;
        if (p->instead[id] != id && g->value[id]->node < 0)
            return wrong_value(g->value[id], "is given, and something stands for it");
    }
    tare_status status = TARE_OK;
    for (int32_t i = 0; i < p->n_nodes; ++i) {
        const tare_node *n = &g->node[i];
        note_writes(n, i, writes, &outside);
        for (int o = n->n_in; o < n->n_in + n->n_out + n->n_aux && status == TARE_OK; ++o)
            if (n->operand[o] && p->instead[n->operand[o]->id] != n->operand[o]->id)
                status = check_stand_in(k, n->operand[o], writes, outside, written);
    }
    return status;
}

tare_status tare__check_stand_ins(tare_check *k)
{
    if (!k->plan->instead)
        return TARE_OK;
    tare_arena arena = {.memory = &k->plan->runtime->memory};
    size_t values = (size_t)k->n_values_graph + 1;
    int32_t *writes = tare_arena_take(&arena, values * sizeof *writes);
    bool *written = tare_arena_take(&arena, values);
    tare_status status = writes && written ? check_stand_ins(k, writes, written) : TARE_NO_MEMORY;
    tare_arena_fini(&arena);
    return status;
}

/* ---- constants
 * -------------------------------------------------------------------------------------------------------------------*/
/* Whether all that the node's kernels read, and so what it makes, is the same at every run. */
static bool always_the_same(const tare_node *n, const bool *constant)
{
    bool same = pure(n);
    for (int i = 0; i < n->n_in && same; ++i)
        same = !n->operand[i] || shape_only(n, i) || constant[n->operand[i]->id];
    return same;
}

/* Nobody writes it, neither a call nor a tie, and no other place is said to be it. */
static tare_status check_constant(const tare_check *k, const tare_value *v)
{
    const tare_plan *p = k->plan;
    if (v->base || p->constant[v->id]->bytes < tare_desc_bytes(&v->d))
        return wrong_value(v, "is a constant without room of its own");
    for (int32_t c = 0; c < p->n_calls; ++c)
        for (int o = p->node[c]->n_in; o < p->node[c]->n_in + p->node[c]->n_out + p->node[c]->n_aux; ++o)
            if (p->node[c]->operand[o] && root_of(k, p->node[c]->operand[o])->id == v->id)
                return tare__check_wrong(k, c, "it writes a constant");
    for (int32_t r = 0; r < p->part.n_result; ++r)
        if (root_of(k, value_of(k, p->part.result[r]))->id == v->id)
            return wrong_value(v, "is a constant and a result");
    return TARE_OK;
}

tare_status tare__check_constants(tare_check *k)
{
    const tare_plan *p = k->plan;
    const tare_program *g = &p->graph->program;
    if (!p->constant)
        return TARE_OK;
    bool *constant = tare_memory_take_zeroed(&p->runtime->memory, TARE_MEMORY_RECORD, (size_t)k->n_values_graph, 1);
    if (!constant)
        return TARE_NO_MEMORY;
    for (int32_t i = p->part.from; i < p->part.to && i < p->n_nodes; ++i)
        for (int o = 0; always_the_same(&g->node[i], constant) && o < g->node[i].n_out + g->node[i].n_aux; ++o)
            if (g->node[i].operand[g->node[i].n_in + o])
                constant[g->node[i].operand[g->node[i].n_in + o]->id] = true;
    tare_status status = TARE_OK;
    for (int32_t id = 0; id < k->n_values_graph && status == TARE_OK; ++id) {
        if (!p->constant[id])
            continue;
        status = constant[id] ? check_constant(k, g->value[id]) : wrong_value(g->value[id], "is no constant");
        k->where[id] = NOT_IN_ARENA;
    }
    for (int32_t e = 0; e < p->n_outside && status == TARE_OK; ++e)
        if (p->outside[e].constant &&
            (p->outside[e].value >= k->n_values_graph || !p->constant[p->outside[e].value] || p->outside[e].result))
            status = tare_error(TARE_IMPOSSIBLE, "the plan is wrong: outside place %d is no constant", e);
    tare_memory_give(&p->runtime->memory, TARE_MEMORY_RECORD, constant, (size_t)k->n_values_graph);
    return status;
}
