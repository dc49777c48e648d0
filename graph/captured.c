/* captured.c - a function captured as an operator: signatures, entries, applying.
 *
 * Guard: the descs of the inputs, which of them want a gradient, training, recording. A signature seen for the first
 * time is traced into a program of its own and planned; what a tape would hold of it is kept to the end of the forward
 * part. */
#include <string.h>

#include "captured_private.h"

enum { SIGNATURES = 16, BACKWARDS = 16, INSTANCES = 64 };

/* ---- signature
 * ---------------------------------------------------------------------------------------------------------------*/
int32_t tare__captured_same(const tare_entry *e, tare_value *const *in, int i)
{
    for (int j = 0; j < i; ++j)
        if (in[j] == in[i])
            return e->external[j];
    return tare__graph_external(e->graph, in[i]);
}

/* Whether the concrete values met inside still want what they wanted in capture. */
static bool same_wants(tare_entry *e)
{
    const tare_graph *g = e->graph;
    for (int32_t k = 0; k < g->n_external; ++k)
        if (g->external[k].concrete && g->external[k].concrete->wants_gradient != g->external[k].symbol->wants_gradient)
            return false;
    e->n_wants = e->captured->runtime->n_wants;
    return true;
}

static bool same_signature(tare_entry *e, const tare_mode *m, tare_value *const *in, int n_in)
{
    if (e->n_in != n_in || e->training != m->training || e->recording != m->recording || tare__captured_worn(e))
        return false;
    for (int i = 0; i < n_in; ++i)
        if (in[i]->d.dtype != e->input[i].dtype || in[i]->wants_gradient != e->wanted[i] ||
            !tare_desc_same_shape(&in[i]->d, &e->input[i]) || tare__captured_same(e, in, i) != e->same[i])
            return false;
    return e->n_wants == e->captured->runtime->n_wants || same_wants(e);
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

static void entry_free(tare_entry *e)
{
    tare_memory *memory = &e->captured->runtime->memory;
    tare__captured_segments_free(e);
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
    e->n_wants = rt->n_wants;
    e->training = m->training;
    e->recording = m->recording;
    e->input = tare_arena_take(&e->arena, ((size_t)n_in + 1) * sizeof *e->input);
    e->wanted = tare_arena_take(&e->arena, (size_t)n_in + 1);
    e->concrete = tare_arena_take(&e->arena, (size_t)n_in + 1);
    e->same = tare_arena_take(&e->arena, ((size_t)n_in + 1) * sizeof *e->same);
    e->external = tare_arena_take(&e->arena, ((size_t)n_in + 1) * sizeof *e->external);
    e->result_is = tare_arena_take(&e->arena, (size_t)c->n_out * sizeof *e->result_is);
    e->output = tare_arena_take(&e->arena, (size_t)c->n_out * sizeof *e->output);
    bool taken = e->input && e->wanted && e->concrete && e->same && e->external && e->result_is && e->output;
    tare_status status = taken ? TARE_OK : TARE_NO_MEMORY;
    for (int i = 0; i < n_in && status == TARE_OK; ++i) {
        e->wanted[i] = in[i]->wants_gradient;
        e->concrete[i] = false;
        tare_desc_like(&e->input[i], &in[i]->d);
    }
    if (status == TARE_OK)
        status = tare__captured_trace(e, m, in);
    if (status != TARE_OK) {
        entry_free(e);
        return status;
    }
    *out = e;
    return TARE_OK;
}

/* The least recently used idle one, one that is worn before all others; NULL. */
static tare_entry **dispensable(tare_captured *c)
{
    tare_entry **last = NULL;
    for (tare_entry **at = &c->entry; *at; at = &(*at)->next) {
        if ((*at)->n_busy > 0 || tare__captured_segments_busy(*at))
            continue;
        last = at;
        if (tare__captured_worn(*at))
            break;
    }
    return last;
}

/* Room for one more signature. */
static void evict(tare_captured *c)
{
    for (tare_entry **last; (last = dispensable(c));) {
        if (c->n_entries < c->options.most_signatures && !tare__captured_worn(*last))
            return;
        tare_entry *e = *last;
        *last = e->next;
        --c->n_entries;
        ++c->runtime->counts.evictions;
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
    int *const most[] = {&c->options.most_signatures, &c->options.most_backwards, &c->options.most_instances};
    for (int k = 0; k < 3; ++k)
        *most[k] = *most[k] ? *most[k] : (const int[]){SIGNATURES, BACKWARDS, INSTANCES}[k];
    *out = c;
    return TARE_OK;
}

/* in: the operator's inputs, given: the function's, which it may return. */
static tare_status apply_entry(tare_entry *e, tare_mode *m, tare_value *const *in, tare_value *const *given,
                               tare_value **out)
{
    int n_out = e->captured->n_out;
    tare_value *operand[e->n_operands + 1], *made[n_out];
    for (int i = 0; i < e->n_operands; ++i)
        operand[i] = i < e->n_in ? in[i] : tare__captured_outside(e, i);
    for (int o = 0; o < n_out; ++o)
        if (e->result_is[o] < 0) { /* returned: this is not its last use */
            int at = -1 - e->result_is[o];
            if (at < e->n_operands)
                operand[at]->moved = false;
            if (at < e->n_in)
                given[at]->moved = false;
        }
    tare_status status = e->n_segments > 0  ? tare__captured_apply_segments(e, m, in, made)
                         : e->n_forward > 0 ? m->apply(m, &e->op, NULL, operand, e->n_operands, made, 0)
                                            : TARE_OK;
    if (status != TARE_OK)
        return status;
    for (int32_t o = 0; e->n_segments == 0 && o < e->n_out; ++o)
        made[o]->wants_gradient &= e->graph->program.value[e->plan->part.result[o]]->wants_gradient;
    for (int o = 0; o < n_out; ++o) {
        int32_t is = e->result_is[o], at = -1 - is;
        out[o] = is >= 0 ? made[is] : at < e->n_in ? given[at] : tare__captured_outside(e, at);
    }
    return TARE_OK;
}

static tare_status refuse(tare_mode *m, tare_value **out, int n_out, tare_status status)
{
    if (m->error == TARE_OK)
        m->error = status;
    for (int o = 0; o < n_out; ++o)
        out[o] = &m->poison;
    return m->error;
}

/* A copy that the operator gives up; the value itself may be returned, and is as it was. */
static tare_value *packed(tare_mode *m, tare_value *v)
{
    bool moved = v->moved;
    v->moved = false;
    tare_value *copy = tare_apply1(m, m->runtime->copy, NULL, &v, 1);
    v->moved = moved;
    return copy->poison ? copy : tare_move(copy);
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
            in[i] = packed(m, in[i]);
    }
    tare_entry *e = m->error ? NULL : known(c, m, in, n_in);
    c->runtime->counts.hits += e != NULL;
    if (!e && m->error == TARE_OK) {
        ++c->runtime->counts.misses;
        evict(c);
        tare_status status = entry_new(c, m, in, n_in, &e);
        if (status != TARE_OK)
            return refuse(m, out, c->n_out, status);
        e->next = c->entry;
        c->entry = e;
        ++c->n_entries;
    }
    tare_status status = m->error ? m->error : apply_entry(e, m, in, given, out);
    for (int i = 0; i < n_in; ++i) {
        if (in[i] != given[i] && in[i]->moved) /* a copy that several segments have read */
            tare__give_up(m, in[i], TARE_DISPATCH_RUN);
        if (given[i]->moved) /* the operator has seen its copy, or there was no operator */
            tare__give_up(m, given[i], TARE_DISPATCH_RUN);
    }
    return status == TARE_OK ? TARE_OK : refuse(m, out, c->n_out, status);
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
    tare__captured_shrink(c);
    tare_memory_give(&c->runtime->memory, TARE_MEMORY_RECORD, c, sizeof *c);
}

const tare_capture_service tare__capture_service = {.name = "capture",
                                                    .make = make,
                                                    .apply = apply,
                                                    .reserve = tare__captured_reserve,
                                                    .shrink = tare__captured_shrink,
                                                    .free = captured_free};
