/* captured.c - a function captured as an operator: signatures, entries, applying.
 *
 * Guard: the descs of the inputs, which of them want a gradient, training, recording. A signature seen for the first
 * time is traced into a program of its own and planned; what a tape would hold of it is kept to the end of the forward
 * part. */
#include <string.h>

#include "captured_private.h"

enum { SIGNATURES = 16, INSTANCES = 64 };

/* ---- signature
 * ---------------------------------------------------------------------------------------------------------------*/
static bool same_signature(const tare_entry *e, const tare_mode *m, tare_value *const *in, int n_in)
{
    if (e->n_in != n_in || e->training != m->training || e->recording != m->recording)
        return false;
    for (int i = 0; i < n_in; ++i)
        if (in[i]->d.dtype != e->input[i].dtype || in[i]->wants_gradient != e->wanted[i] ||
            !tare_desc_same_shape(&in[i]->d, &e->input[i]))
            return false;
    return true;
}

/* The entry of this signature, moved to the front; NULL. */
static tare_entry *known(tare_captured *c, const tare_mode *m, tare_value *const *in, int n_in)
{
    ++c->runtime->counts.guards;
    for (tare_entry **at = &c->entry; *at; at = &(*at)->next) {
        tare_entry *e = *at;
        if (!same_signature(e, m, in, n_in))
            continue;
        *at = e->next;
        e->next = c->entry;
        c->entry = e;
        return e;
    }
    return NULL;
}

/* ---- tracing
 * -----------------------------------------------------------------------------------------------------------------*/
tare_value *tare__captured_own_result(tare_mode *m, tare_value *v, int32_t from, const int32_t *earlier, int n_earlier)
{
    bool fresh = v->node >= from && !v->base;
    for (int i = 0; i < n_earlier; ++i)
        fresh = fresh && earlier[i] != v->id;
    return fresh ? v : tare_apply1(m, m->runtime->copy, NULL, &v, 1);
}

/* Whether a tape of the forward part would hold the value. */
static bool kept_for_gradient(const tare_node *n, int k)
{
    bool wants = false;
    for (int i = 0; i < n->n_in; ++i)
        wants |= n->operand[i] && n->operand[i]->wants_gradient;
    return wants && n->operand[k] && tare_node_needs(n, k);
}

static bool listed(const int32_t *list, int n, int32_t id)
{
    for (int i = 0; i < n; ++i)
        if (list[i] == id)
            return true;
    return false;
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
            const tare_value *root = node->operand[k];
            while (root->base)
                root = root->base;
            if (root->node >= 0 && !listed(result, n, root->id))
                result[n++] = root->id;
        }
    }
    return n;
}

static tare_status plan_forward(tare_entry *e, const int32_t *output)
{
    int32_t *result = tare_arena_take(&e->arena, ((size_t)e->graph->program.n_values + 1) * sizeof *result);
    if (!result)
        return TARE_NO_MEMORY;
    memcpy(result, output, (size_t)e->n_out * sizeof *result);
    tare_part part = {.to = e->n_forward, .result = result, .n_patched = e->n_out};
    part.n_result = list_results(e, result);
    return tare__plan_part(e->graph, &part, NULL, &e->plan);
}

/* Which operand of the operator each outside place of the forward plan is. */
static tare_status map_operands(tare_entry *e)
{
    const tare_graph *g = e->graph;
    e->external = tare_arena_take(&e->arena, ((size_t)g->n_external + 1) * sizeof *e->external);
    e->operand_of = tare_arena_take(&e->arena, ((size_t)e->plan->n_outside + 1) * sizeof *e->operand_of);
    if (!e->external || !e->operand_of)
        return TARE_NO_MEMORY;
    for (int i = 0; i < e->n_in; ++i)
        e->external[i] = g->input[i];
    e->n_operands = e->n_in;
    for (int32_t k = 0; k < g->n_external; ++k)
        if (g->external[k].concrete)
            e->external[e->n_operands++] = k;
    for (int32_t o = 0; o < e->plan->n_outside; ++o) {
        const tare_outside *u = &e->plan->outside[o];
        int32_t at = 0;
        while (u->external >= 0 && e->external[at] != u->external)
            ++at;
        for (int32_t r = 0; u->result && r < e->n_out; ++r)
            if (e->plan->part.result[r] == u->value)
                at = e->n_operands + r;
        e->operand_of[o] = at;
    }
    return TARE_OK;
}

static tare_status trace(tare_entry *e, const tare_captured *c, tare_mode *m)
{
    tare_mode *gm = tare_graph_mode(e->graph);
    gm->training = m->training;
    gm->recording = m->recording;
    gm->path = m->path;
    tare_value *in[e->n_in > 0 ? e->n_in : 1], *out[c->n_out];
    int32_t output[c->n_out];
    for (int i = 0; i < e->n_in; ++i) {
        in[i] = tare_graph_input(e->graph, &e->input[i], "input");
        in[i]->wants_gradient = e->wanted[i];
    }
    if (gm->error == TARE_OK)
        c->function(c->owner, gm, in, e->n_in, out, c->n_out);
    for (int o = 0; o < c->n_out && gm->error == TARE_OK; ++o) {
        out[o] = tare__captured_own_result(gm, out[o], 0, output, o);
        output[o] = out[o]->id;
    }
    if (gm->error)
        return gm->error;
    e->n_forward = e->graph->program.n;
    tare_status status = plan_forward(e, output);
    return status == TARE_OK ? map_operands(e) : status;
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
                      .needs_in = ~0u,
                      .needs_out = 1u << e->n_out,
                      .execute = tare__captured_execute,
                      .own = e};
    /* a result that backward reads lies in the caller's bytes: the tape must hold it */
    for (int32_t i = 0; e->recording && i < e->n_forward; ++i) {
        const tare_node *n = &e->graph->program.node[i];
        for (int k = 0; k < n->n_in + n->n_out + n->n_aux; ++k)
            for (int o = 0; o < e->n_out; ++o)
                if (kept_for_gradient(n, k) && n->operand[k]->id == e->plan->part.result[o])
                    e->op.needs_out |= 1u << o;
    }
}

static void entry_free(tare_entry *e)
{
    tare_memory *memory = &e->captured->runtime->memory;
    tare__captured_backwards_free(e);
    tare__captured_leases_free(e);
    tare_plan_free(e->plan);
    tare_graph_free(e->graph);
    tare_arena_fini(&e->arena);
    tare_memory_give(memory, TARE_MEMORY_RECORD, e, sizeof *e);
}

static tare_status entry_new(tare_captured *c, tare_mode *m, tare_value *const *in, int n_in, tare_entry **out)
{
    tare_runtime *rt = c->runtime;
    tare_entry *e = tare_memory_take_zeroed(&rt->memory, TARE_MEMORY_RECORD, 1, sizeof *e);
    if (!e)
        return TARE_NO_MEMORY;
    e->captured = c;
    e->arena.memory = &rt->memory;
    e->n_in = n_in;
    e->n_out = c->n_out;
    e->training = m->training;
    e->recording = m->recording;
    e->input = tare_arena_take(&e->arena, ((size_t)n_in + 1) * sizeof *e->input);
    e->wanted = tare_arena_take(&e->arena, (size_t)n_in + 1);
    tare_status status = e->input && e->wanted ? tare_graph_new(rt, &e->graph) : TARE_NO_MEMORY;
    for (int i = 0; i < n_in && status == TARE_OK; ++i) {
        e->wanted[i] = in[i]->wants_gradient;
        tare_desc_like(&e->input[i], &in[i]->d);
    }
    if (status == TARE_OK)
        status = trace(e, c, m);
    if (status != TARE_OK) {
        entry_free(e);
        return status;
    }
    make_operator(e);
    *out = e;
    return TARE_OK;
}

/* Room for one more signature: the least recently used idle one goes. */
static void evict(tare_captured *c)
{
    int most = c->options.most_signatures ? c->options.most_signatures : SIGNATURES;
    while (c->n_entries >= most) {
        tare_entry **last = NULL;
        for (tare_entry **at = &c->entry; *at; at = &(*at)->next)
            if ((*at)->n_busy == 0)
                last = at;
        if (!last)
            return;
        tare_entry *e = *last;
        *last = e->next;
        --c->n_entries;
        entry_free(e);
    }
}

/* ---- the service
 * -------------------------------------------------------------------------------------------------------------*/
static tare_status make(tare_runtime *rt, tare_function *function, void *owner, int n_out,
                        const tare_capture_options *options, tare_captured **out)
{
    if (n_out < 1 || n_out >= TARE_OPERANDS || (options && options->bound && !options->keep))
        return tare_error(TARE_BAD_ARGUMENT, "capture: 1 to %d results, and `bound` only with `keep`",
                          TARE_OPERANDS - 1);
    tare_captured *c = tare_memory_take_zeroed(&rt->memory, TARE_MEMORY_RECORD, 1, sizeof *c);
    if (!c)
        return TARE_NO_MEMORY;
    *c = (tare_captured){.runtime = rt, .function = function, .owner = owner, .n_out = n_out};
    if (options)
        c->options = *options;
    if (c->options.most_instances == 0)
        c->options.most_instances = INSTANCES;
    *out = c;
    return TARE_OK;
}

static tare_status apply_entry(tare_entry *e, tare_mode *m, tare_value *const *in, tare_value **out)
{
    tare_value *operand[e->n_operands];
    for (int i = 0; i < e->n_operands; ++i)
        operand[i] = i < e->n_in ? in[i] : e->graph->external[e->external[i]].concrete;
    return m->apply(m, &e->op, NULL, operand, e->n_operands, out, 0);
}

static tare_status refuse(tare_mode *m, tare_value **out, int n_out, tare_status status)
{
    if (m->error == TARE_OK)
        m->error = status;
    for (int o = 0; o < n_out; ++o)
        out[o] = &m->poison;
    return m->error;
}

static tare_status apply(tare_captured *c, tare_mode *m, tare_value *const *given, int n_in, tare_value **out)
{
    if (m->capturing || m->error) {
        c->function(c->owner, m, given, n_in, out, c->n_out);
        return m->error;
    }
    tare_value *in[n_in > 0 ? n_in : 1];
    for (int i = 0; i < n_in; ++i) {
        in[i] = given[i];
        if (!in[i] || in[i]->poison || in[i]->runtime != m->runtime)
            return refuse(m, out, c->n_out,
                          tare_error(TARE_BAD_ARGUMENT, "captured: input %d is not a value of this runtime", i));
        if (!in[i]->d.contiguous)
            in[i] = tare_apply1(m, m->runtime->copy, NULL, &in[i], 1);
    }
    tare_entry *e = m->error ? NULL : known(c, m, in, n_in);
    if (!e && m->error == TARE_OK) {
        evict(c);
        tare_status status = entry_new(c, m, in, n_in, &e);
        if (status != TARE_OK)
            return refuse(m, out, c->n_out, status);
        e->next = c->entry;
        c->entry = e;
        ++c->n_entries;
    }
    return m->error ? refuse(m, out, c->n_out, m->error) : apply_entry(e, m, in, out);
}

static void captured_free(tare_captured *c)
{
    if (!c)
        return;
    while (c->entry) {
        tare_entry *next = c->entry->next;
        entry_free(c->entry);
        c->entry = next;
    }
    tare_memory_give(&c->runtime->memory, TARE_MEMORY_RECORD, c, sizeof *c);
}

const tare_capture_service tare__capture_service = {
    .name = "capture", .make = make, .apply = apply, .free = captured_free};
