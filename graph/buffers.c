/* buffers.c - which values share a buffer, how long each buffer lives, which results are written in place.
 *
 * A view or a tied result lies on its base's buffer; what lies outside the plan is not ours to place. A result may take
 * over an input's buffer where its operator allows it (`overwrites`), the input dies with this call, nobody else reads
 * the buffer in the call, and the two have the same bytes, all of the buffer's: a kernel may read an element of what is
 * smaller more than once. */
#include <string.h>

#include "graph_private.h"

static int32_t add_buffer(tare_plan *p, int64_t bytes, int32_t call, int32_t value)
{
    p->buffer[p->n_buffer] = (tare_buffer){.bytes = (int64_t)tare_memory_rounded((size_t)bytes),
                                           .first = call,
                                           .last = call,
                                           .outside = -1,
                                           .value = value};
    return p->n_buffer++;
}

static int32_t add_outside(tare_plan *p, const tare_value *root, int32_t external, bool result)
{
    int32_t b = add_buffer(p, 0, 0, root->id);
    p->buffer[b].outside = p->n_outside;
    bool constant = p->constant && root->id < p->n_values_graph && p->constant[root->id];
    p->outside[p->n_outside++] = (tare_outside){root->id, external, result, constant};
    return b;
}

static void lay(tare_plan *p, const tare_value *v, int32_t buffer, int64_t offset)
{
    p->buffer_of[v->id] = buffer;
    p->offset_of[v->id] = offset;
}

static void lay_on_base(tare_plan *p, const tare_value *v);

/* An operand that this part does not make: an external is laid already, all else is a constant or an import. */
static void lay_operand(tare_plan *p, const tare_value *v)
{
    if (p->buffer_of[v->id] >= 0)
        return;
    if (v->base) {
        lay_operand(p, v->base);
        lay_on_base(p, v);
    } else {
        lay(p, v, add_outside(p, v, -1, false), 0);
    }
}

/* A view or tie lies where its base lies; of a view of any strides this is where its element 0 is. */
static void lay_on_base(tare_plan *p, const tare_value *v)
{
    int64_t offset = v->view_offset * (int64_t)tare_dtype_bytes((tare_dtype)v->d.dtype);
    lay(p, v, p->buffer_of[v->base->id], p->offset_of[v->base->id] + offset);
}

static void lay_views(tare_plan *p, const tare_node *n)
{
    for (int k = n->n_in; k < n->n_in + n->n_out; ++k)
        if (n->operand[k])
            lay_on_base(p, n->operand[k]);
}

static void touch(tare_plan *p, const tare_value *v, int32_t call)
{
    int32_t b = p->buffer_of[v->id];
    if (p->buffer[b].last < call)
        p->buffer[b].last = call;
}

/* The last call that touches each buffer when every value has its own: what in-place decisions go by. */
static void measure_lifetimes(tare_plan *p)
{
    for (int32_t c = 0; c < p->n_calls; ++c) {
        const tare_node *n = p->node[c];
        for (int k = 0; k < n->n_in + n->n_out + n->n_aux; ++k)
            if (n->operand[k] && !tare__plan_shape_only(n, k))
                touch(p, n->operand[k], c);
    }
    for (int32_t k = 0; k < p->part.n_result; ++k)
        touch(p, p->program->value[p->part.result[k]], p->n_calls);
}

bool tare__plan_patched(const tare_plan *p, const tare_value *v)
{
    for (int32_t k = 0; k < p->part.n_patched; ++k)
        if (p->part.result[k] == v->id)
            return true;
    return false;
}

/* On its base, which is there from the first of its parts on. */
static void lay_joined(tare_plan *p, const tare_value *v, int32_t call)
{
    const tare_value *base = p->placed[v->base->id] ? p->placed[v->base->id] : v->base;
    if (p->buffer_of[base->id] < 0 && base->base)
        lay_joined(p, base, call);
    else if (p->buffer_of[base->id] < 0)
        lay(p, base, add_buffer(p, (int64_t)tare_desc_bytes(&base->d), call, base->id), 0);
    lay_on_base(p, v);
}

static void lay_call(tare_plan *p, const tare_node *n, int32_t call)
{
    for (int k = 0; k < n->n_in; ++k)
        if (n->operand[k] && !tare__plan_shape_only(n, k))
            lay_operand(p, n->operand[k]);
    for (int k = n->n_in; k < n->n_in + n->n_out + n->n_aux; ++k) {
        const tare_value *v = n->operand[k];
        if (!v)
            continue;
        if (v->base)
            lay_joined(p, v, call);
        else if (tare__plan_patched(p, v))
            lay(p, v, add_outside(p, v, -1, true), 0);
        else if (p->buffer_of[v->id] < 0) /* else some of its parts are there */
            lay(p, v, add_buffer(p, (int64_t)tare_desc_bytes(&v->d), call, v->id), 0);
    }
}

static void lay_scratch(tare_plan *p, const tare_node *n, int32_t call)
{
    const tare_work *w = n->work;
    size_t bytes = tare_work_piece_scratch(w) + tare_work_worker_scratch(w, p->runtime->options.threads);
    if (bytes)
        (void)add_buffer(p, (int64_t)bytes, call, -1);
}

/* Whether another operand of the call lies on the same buffer. */
static bool shared_in_call(const tare_plan *p, const tare_node *n, int except, int32_t buffer)
{
    for (int k = 0; k < n->n_in + n->n_out + n->n_aux; ++k)
        if (k != except && n->operand[k] && p->buffer_of[n->operand[k]->id] == buffer)
            return true;
    return false;
}

/* The input whose buffer output o can take over, or -1. */
static int taken_over(const tare_plan *p, const tare_node *n, int32_t call, int o)
{
    const tare_value *out = n->operand[n->n_in + o];
    int k = o < TARE_OPERANDS ? n->op->overwrites[o] - 1 : -1;
    if (!out || out->base || k < 0 || k >= n->n_in || !n->operand[k] || !n->operand[k]->d.contiguous ||
        tare__plan_shape_only(n, k))
        return -1;
    int32_t from = p->buffer_of[n->operand[k]->id];
    const tare_buffer *b = &p->buffer[from];
    bool dies = b->outside < 0 && b->last == call && p->offset_of[n->operand[k]->id] == 0;
    bool placed = p->buffer[p->buffer_of[out->id]].outside < 0;
    size_t bytes = tare_desc_bytes(&out->d);
    bool same =
        placed && bytes == tare_desc_bytes(&n->operand[k]->d) && b->bytes == (int64_t)tare_memory_rounded(bytes);
    return dies && same && !shared_in_call(p, n, k, from) ? k : -1;
}

/* Merges results into the buffers that they may overwrite, in call order; lifetimes join. */
static void write_in_place(tare_plan *p, const bool *live)
{
    int32_t call = 0;
    for (int32_t i = 0; i < p->n_order; ++i) {
        const tare_node *n = &p->program->node[p->order[i]];
        if (!live[p->order[i] - p->part.from])
            continue;
        if (n->op->view) {
            lay_views(p, n);
            continue;
        }
        n = p->node[call];
        for (int o = 0; o < n->n_out + n->n_aux; ++o) {
            const tare_value *out = n->operand[n->n_in + o];
            int k = taken_over(p, n, call, o);
            if (k >= 0) {
                int32_t from = p->buffer_of[n->operand[k]->id], own = p->buffer_of[out->id];
                p->buffer[from].last = p->buffer[own].last;
                p->buffer[own].bytes = 0; /* empty: merged away */
                lay(p, out, from, 0);
            } else if (out && out->base) {
                lay_on_base(p, out);
            }
        }
        ++call;
    }
}

/* ---- peaks
 * -----------------------------------------------------------------------------------------------------------------*/
/* Greatest sum of live bytes over the calls; -1 without memory. */
static int64_t peak(const tare_plan *p)
{
    tare_memory *memory = &p->runtime->memory;
    size_t n = (size_t)p->n_calls + 2;
    int64_t *change = tare_memory_take_zeroed(memory, TARE_MEMORY_RECORD, n, sizeof *change), live = 0, most = 0;
    if (!change)
        return -1;
    for (int32_t b = 0; b < p->n_buffer; ++b) {
        if (p->buffer[b].outside >= 0)
            continue;
        change[p->buffer[b].first] += p->buffer[b].bytes;
        change[p->buffer[b].last + 1] -= p->buffer[b].bytes;
    }
    for (size_t c = 0; c < n; ++c) {
        live += change[c];
        most = live > most ? live : most;
    }
    tare_memory_give(memory, TARE_MEMORY_RECORD, change, n * sizeof *change);
    return most;
}

static int64_t sum(const tare_plan *p)
{
    int64_t bytes = 0;
    for (int32_t b = 0; b < p->n_buffer; ++b)
        bytes += p->buffer[b].outside < 0 ? p->buffer[b].bytes : 0;
    return bytes;
}

static tare_status reserve(tare_plan *p)
{
    const tare_graph *g = p->graph;
    size_t values = (size_t)p->program->n_values;
    size_t buffers = values + (size_t)g->n_external + (size_t)p->n_calls;
    p->buffer = tare_arena_take(&p->arena, buffers * sizeof *p->buffer);
    p->outside = tare_arena_take(&p->arena, buffers * sizeof *p->outside);
    p->buffer_of = tare_arena_take(&p->arena, values * sizeof *p->buffer_of);
    p->offset_of = tare_arena_take(&p->arena, values * sizeof *p->offset_of);
    if (!p->buffer || !p->outside || !p->buffer_of || !p->offset_of)
        return TARE_NO_MEMORY;
    memset(p->buffer_of, -1, values * sizeof *p->buffer_of);
    memset(p->offset_of, 0, values * sizeof *p->offset_of);
    return TARE_OK;
}

tare_status tare__plan_buffers(tare_plan *p, const bool *live, bool in_place)
{
    const tare_graph *g = p->graph;
    p->n_buffer = p->n_outside = 0;
    if (reserve(p) != TARE_OK)
        return TARE_NO_MEMORY;
    for (int32_t k = 0; k < g->n_external; ++k)
        lay(p, g->external[k].symbol, add_outside(p, g->external[k].symbol, k, false), 0);
    int32_t call = 0;
    for (int32_t i = 0; i < p->n_order; ++i) {
        const tare_node *n = &p->program->node[p->order[i]];
        if (!live[p->order[i] - p->part.from])
            continue;
        if (n->op->view) {
            lay_operand(p, n->operand[0]);
            lay_views(p, n);
            continue;
        }
        lay_call(p, p->node[call], call);
        lay_scratch(p, p->node[call], call);
        ++call;
    }
    for (int32_t k = 0; k < p->part.n_result; ++k)
        lay_operand(p, p->program->value[p->part.result[k]]);
    measure_lifetimes(p);
    p->bytes.naive = sum(p);
    p->bytes.refcount = p->bytes.lower_bound_no_inplace = peak(p);
    if (in_place)
        write_in_place(p, live);
    p->bytes.lower_bound = peak(p);
    return p->bytes.lower_bound < 0 || p->bytes.refcount < 0 ? TARE_NO_MEMORY : TARE_OK;
}
