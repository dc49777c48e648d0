/* captured_trace.c - making an entry: the function traced over a graph, its forward part planned, the operator that
 * runs it.
 *
 * What is one value outside is one symbol inside, so that each sum is one; what is returned as it is stays what it is.
 * The results of the forward part are the function's own, then what a backward may read: what a tape would hold. */
#include <string.h>

#include "captured_private.h"

/* ---- tracing
 * -----------------------------------------------------------------------------------------------------------------*/
tare_value *tare__captured_own_result(tare_mode *m, tare_value *v, int32_t from)
{
    return v->node >= from && !v->base ? v : tare_apply1(m, m->runtime->copy, NULL, &v, 1);
}

/* Whether a tape of the forward part would hold the value. */
static bool kept_for_gradient(const tare_node *n, int k)
{
    bool wants = false;
    for (int i = 0; i < n->n_in; ++i)
        wants |= n->operand[i] && n->operand[i]->wants_gradient;
    return wants && n->operand[k] && tare_node_needs(n, k);
}

/* Results of the forward part: the outputs, then what backward may need and the part makes. */
static int list_results(const tare_entry *e, int32_t *result)
{
    const tare_program *p = &e->graph->program;
    int n = e->n_out;
    for (int32_t i = 0; e->recording && i < e->n_forward; ++i) {
        const tare_node *node = &p->node[i];
        for (int k = 0; k < node->n_in + node->n_out + node->n_aux; ++k) {
            if (!kept_for_gradient(node, k))
                continue;
            const tare_value *root = tare_value_root(node->operand[k]);
            if (root->node >= 0 && tare__captured_index(result, n, root->id) < 0)
                result[n++] = root->id;
        }
    }
    return n;
}

static tare_status plan_forward(tare_entry *e)
{
    int32_t *result = tare_arena_take(&e->arena, ((size_t)e->graph->program.n_values + 1) * sizeof *result);
    if (!result)
        return TARE_NO_MEMORY;
    memcpy(result, e->output, (size_t)e->n_out * sizeof *result);
    tare_part part = {.to = e->n_forward, .result = result, .n_patched = e->n_out};
    part.n_result = list_results(e, result);
    if (!e->captured->options.keep)
        part.n_patched = part.n_result;
    return tare__plan_part(e->graph, &part, &(tare_plan_options){.fuse = e->captured->options.fuse}, &e->plan);
}

/* Inputs first, then the concrete values met inside that are none: those of a tape, then leaves. */
static tare_status number(tare_entry *e)
{
    const tare_graph *g = e->graph;
    size_t most = (size_t)e->n_in + (size_t)g->n_external + 1;
    int32_t *all = tare_arena_take(&e->arena, most * sizeof *all);
    e->first = tare_arena_take(&e->arena, most);
    if (!all || !e->first)
        return TARE_NO_MEMORY;
    memcpy(all, e->external, (size_t)e->n_in * sizeof *all);
    e->external = all;
    e->n_all = e->n_in;
    for (int leaves = 0; leaves < 2; ++leaves) {
        for (int32_t k = 0; k < g->n_external; ++k) {
            const tare_value *v = g->external[k].concrete;
            if (v && (v->node == -1) == leaves && tare__captured_index(all, e->n_in, k) < 0)
                all[e->n_all++] = k;
        }
        if (!leaves)
            e->n_operands = e->n_all;
    }
    for (int32_t i = 0; i < e->n_all; ++i)
        e->first[i] = tare__captured_index(all, i, all[i]) < 0;
    e->leaf = tare_arena_take(&e->arena, most * sizeof *e->leaf);
    for (int32_t i = e->n_operands; e->leaf && i < e->n_all; ++i)
        e->leaf[i - e->n_operands] = g->external[all[i]].concrete;
    return e->leaf ? TARE_OK : TARE_NO_MEMORY;
}

/* Which operand or leaf each outside place of the forward plan is, or where in the lease's block it lies. */
static tare_status map_places(tare_entry *e)
{
    size_t bytes = ((size_t)e->plan->n_outside + 1) * sizeof *e->place;
    e->place = tare_arena_take(&e->arena, bytes);
    e->leaf_place = tare_arena_take(&e->arena, bytes);
    e->kept_place = tare_arena_take(&e->arena, bytes);
    if (!e->place || !e->leaf_place || !e->kept_place)
        return TARE_NO_MEMORY;
    for (int32_t o = 0; o < e->plan->n_outside; ++o) {
        const tare_outside *u = &e->plan->outside[o];
        int32_t is = u->result ? tare__captured_index(e->plan->part.result, e->n_out, u->value)
                               : tare__captured_index(e->external, e->n_all, u->external);
        if (u->result && is < 0) {
            e->kept_place[e->n_kept_place++] = (tare_place){o, (int32_t)(e->kept_bytes / TARE_ALIGNMENT)};
            e->kept_bytes += (int64_t)tare_memory_rounded(tare_desc_bytes(&e->graph->program.value[u->value]->d));
        } else if (u->result || is < e->n_operands) {
            e->place[e->n_place++] = (tare_place){o, u->result ? e->n_operands + is : is};
        } else {
            e->leaf_place[e->n_leaf_place++] = (tare_place){o, is};
        }
    }
    return TARE_OK;
}

/* Whose data a backward may read: those that a tape of the forward part would hold. */
static tare_status list_needed(tare_entry *e)
{
    e->needed = tare_arena_take(&e->arena, ((size_t)e->n_all + 1) * sizeof *e->needed);
    e->needed_leaf = tare_arena_take(&e->arena, ((size_t)e->n_all + 1) * sizeof *e->needed_leaf);
    if (!e->needed || !e->needed_leaf)
        return TARE_NO_MEMORY;
    for (int32_t i = 0; e->recording && i < e->n_forward; ++i) {
        const tare_node *node = &e->graph->program.node[i];
        for (int k = 0; k < node->n_in + node->n_out + node->n_aux; ++k) {
            if (!kept_for_gradient(node, k))
                continue;
            const tare_value *root = tare_value_root(node->operand[k]);
            int32_t x = 0;
            while (root->node < 0 && e->graph->external[e->external[x]].symbol != root)
                ++x;
            if (root->node >= 0)
                continue;
            bool leaf = x >= e->n_operands;
            int32_t *list = leaf ? e->needed_leaf : e->needed, *n = leaf ? &e->n_needed_leaf : &e->n_needed;
            if (tare__captured_index(list, *n, x) < 0)
                list[(*n)++] = x;
        }
    }
    return TARE_OK;
}

/* What the function sees as its inputs: a placeholder each, one for those that are one value; what is met inside as a
 * concrete value is that. */
static void make_inputs(tare_entry *e, tare_mode *gm, tare_value *const *in, tare_value **symbol)
{
    tare_graph *g = e->graph;
    for (int i = 0; i < e->n_in && gm->error == TARE_OK; ++i) {
        int j = 0;
        while (in[j] != in[i])
            ++j;
        if (j < i) {
            symbol[i] = symbol[j];
            e->external[i] = e->external[j];
            continue;
        }
        symbol[i] = e->concrete[i] ? tare__graph_symbol(g, in[i]) : tare_graph_input(g, &e->input[i], "input");
        if (!symbol[i])
            gm->error = TARE_NO_MEMORY;
        else if (gm->error == TARE_OK)
            symbol[i]->wants_gradient = e->wanted[i];
        e->external[i] = g->n_external - 1;
    }
}

/* Each result is an operand, an earlier result, or one of the operator's own. */
static void sort_results(tare_entry *e, tare_mode *gm, tare_value **out, int n_out)
{
    for (int o = 0; o < n_out && gm->error == TARE_OK; ++o) {
        tare_value *v = out[o];
        if (v->id < 0)
            v = tare__graph_symbol(e->graph, v); /* a concrete value as it is */
        if (!v) {
            gm->error = TARE_NO_MEMORY;
            return;
        }
        int32_t k = 0;
        while (k < e->graph->n_external && e->graph->external[k].symbol != v)
            ++k;
        e->result_is[o] = -1 - k; /* the operand, once operands are listed */
        if (k < e->graph->n_external)
            continue;
        v = tare__captured_own_result(gm, v, 0);
        e->result_is[o] = tare__captured_index(e->output, e->n_out, v->id);
        if (e->result_is[o] < 0) {
            e->output[e->n_out] = v->id;
            e->result_is[o] = e->n_out++;
        }
    }
}

/* The function over the graph. */
static tare_status call_function(tare_entry *e, tare_mode *m, tare_value *const *in)
{
    const tare_captured *c = e->captured;
    tare_mode *gm = tare_graph_mode(e->graph);
    gm->training = m->training;
    gm->recording = m->recording;
    gm->path = m->path;
    tare_value *symbol[e->n_in > 0 ? e->n_in : 1], *out[c->n_out];
    e->n_out = 0;
    make_inputs(e, gm, in, symbol);
    if (gm->error == TARE_OK)
        c->function(c->owner, gm, symbol, e->n_in, out, c->n_out);
    sort_results(e, gm, out, c->n_out);
    return gm->error;
}

/* ---- the operator
 * ------------------------------------------------------------------------------------------------------------*/
static tare_status infer(const tare_args *a, const tare_desc_out *out)
{
    const tare_entry *e = a->op->own;
    for (int o = 0; o < e->n_out; ++o)
        *out[o] = e->graph->program.value[e->plan->part.result[o]]->d;
    *out[e->n_out] = tare_desc_of(TARE_BYTES, 1, (const int64_t[]){0});
    return TARE_OK;
}

static void make_operator(tare_entry *e)
{
    e->op = (tare_op){.name = "captured",
                      .doc = "a function captured as a graph",
                      .n_in = -1,
                      .n_out = (int16_t)e->n_out,
                      .n_aux = 1,
                      .infer = infer,
                      .gradient = tare__captured_gradient,
                      .needs_out = 1u << e->n_out,
                      .execute = tare__captured_execute,
                      .own = e};
    for (int32_t i = 0; i < e->n_needed; ++i)
        e->op.needs_in |= 1u << (e->needed[i] < 31 ? e->needed[i] : 31);
    for (int32_t i = e->n_operands; i < e->n_all; ++i)
        e->op.wants |= tare__captured_outside(e, i)->wants_gradient;
    /* a result that backward reads lies in the caller's bytes: the tape must hold it */
    for (int32_t i = 0; e->recording && i < e->n_forward; ++i) {
        const tare_node *n = &e->graph->program.node[i];
        for (int k = 0; k < n->n_in + n->n_out + n->n_aux; ++k)
            for (int o = 0; o < e->n_out; ++o)
                if (kept_for_gradient(n, k) && n->operand[k]->id == e->plan->part.result[o])
                    e->op.needs_out |= 1u << o;
    }
}

/* ---- all of it
 * -------*/
/* Traces, and again where an input turns out to be met inside as a concrete value. */
static tare_status trace(tare_entry *e, tare_mode *m, tare_value *const *in)
{
    tare_status status = TARE_OK;
    for (bool again = true; again && status == TARE_OK;) {
        tare_graph_free(e->graph);
        e->graph = NULL;
        status = tare_graph_new(e->captured->runtime, &e->graph);
        if (status == TARE_OK)
            status = call_function(e, m, in);
        again = false;
        for (int i = 0; i < e->n_in && status == TARE_OK; ++i) {
            again |= !e->concrete[i] && tare__graph_external(e->graph, in[i]) >= 0;
            e->concrete[i] = tare__graph_external(e->graph, in[i]) >= 0;
        }
    }
    return status;
}

static tare_status plan(tare_entry *e)
{
    e->n_forward = e->graph->program.n;
    tare_status status = plan_forward(e);
    if (status == TARE_OK)
        status = map_places(e);
    if (status == TARE_OK)
        status = list_needed(e);
    if (status == TARE_OK)
        make_operator(e);
    return status;
}

tare_status tare__captured_trace(tare_entry *e, tare_mode *m, tare_value *const *in)
{
    tare_status status = trace(e, m, in);
    if (status == TARE_OK)
        status = number(e);
    for (int o = 0; o < e->captured->n_out && status == TARE_OK; ++o)
        if (e->result_is[o] < 0)
            e->result_is[o] = -1 - tare__captured_index(e->external, e->n_all, -1 - e->result_is[o]);
    for (int i = 0; i < e->n_in; ++i)
        e->same[i] = status == TARE_OK ? tare__captured_same(e, in, i) : -1;
    if (status == TARE_OK)
        status = tare__captured_break(e);
    return status == TARE_OK && e->n_segments == 0 ? plan(e) : status;
}
