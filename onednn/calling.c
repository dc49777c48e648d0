/* calling.c - a call of a primitive, and what dispatch asks before it.
 *
 * The memory objects of an entry belong to one call at a time, as a runtime's calls do; a call puts its addresses in
 * them. Nothing is allocated: what oneDNN works in is the call's scratch. */
#include <math.h>
#include <omp.h>

#include "onednn.h"

int tare__onednn_threads(int threads)
{
    int before = omp_get_max_threads();
    if (before != threads)
        omp_set_num_threads(threads);
    return before;
}

static char *scratch_of(const tare_call *c)
{
    return c->ptr[c->n_ptr - 2];
}

float *tare__onednn_address(const tare_call *c, const tare__onednn_entry *e, int i)
{
    const tare__onednn_operand *o = &e->operand[i];
    void *given = o->is->at < 0 ? NULL : c->ptr[o->is->at];
    return given ? given : (float *)(void *)(scratch_of(c) + o->plain_at);
}

/* Addresses of all memory objects. */
static dnnl_status_t bind(const tare_call *c, tare__onednn_entry *e)
{
    char *scratch = scratch_of(c);
    dnnl_status_t status =
        e->scratchpad ? dnnl_memory_set_data_handle(e->scratchpad, scratch + e->scratchpad_at) : dnnl_success;
    for (int i = 0; i < e->n && status == dnnl_success; ++i) {
        tare__onednn_operand *o = &e->operand[i];
        status = dnnl_memory_set_data_handle(o->plain, tare__onednn_address(c, e, i));
        if (o->own && status == dnnl_success)
            status = dnnl_memory_set_data_handle(o->own, scratch + o->own_at);
    }
    return status;
}

static dnnl_status_t reorder(tare__onednn_entry *e, bool out)
{
    dnnl_status_t status = dnnl_success;
    for (int i = 0; i < e->n && status == dnnl_success; ++i) {
        const tare__onednn_operand *o = &e->operand[i];
        if (o->reorder && o->is->out == out)
            status = dnnl_primitive_execute(o->reorder, e->state->stream, e->scratchpad ? 3 : 2, o->move);
    }
    return status;
}

static void spoil(const tare_call *c, const tare__onednn_entry *e)
{
    for (int i = 0; i < e->n; ++i) {
        tare__onednn_layout is;
        if (!e->operand[i].is->out || dnnl_memory_get_memory_desc(e->operand[i].plain, &is) != dnnl_success)
            continue;
        float *at = tare__onednn_address(c, e, i);
        for (size_t k = 0; k < dnnl_memory_desc_get_size(is) / sizeof *at; ++k)
            at[k] = NAN;
    }
}

bool tare__onednn_execute(const tare_call *c, tare__onednn_entry *e)
{
    int before = tare__onednn_threads(e->state->runtime->options.threads);
    dnnl_status_t status = bind(c, e);
    if (e->n_reorders && status == dnnl_success)
        status = reorder(e, false);
    if (status == dnnl_success)
        status = dnnl_primitive_execute(e->primitive, e->state->stream, e->n_given, e->given);
    if (e->n_reorders && status == dnnl_success)
        status = reorder(e, true);
    if (status == dnnl_success)
        status = dnnl_stream_wait(e->state->stream);
    if (before != e->state->runtime->options.threads)
        (void)tare__onednn_threads(before);
    if (status != dnnl_success)
        spoil(c, e);
    /* the engine's queue has a thread of its own */
    (void)__atomic_fetch_add(&e->state->runtime->counts.reorders, e->n_reorders, __ATOMIC_RELAXED);
    return status == dnnl_success;
}

int tare__onednn_run(const tare_call *c, int piece, int worker)
{
    (void)piece;
    (void)worker;
    return !tare__onednn_execute(c, tare__onednn_of(c));
}

/* ---- fits and prepare -------------------------------------------------------------------------------------------*/
bool tare__onednn_dims(const tare_desc *d, int64_t *dims)
{
    int64_t count = tare_desc_count(d);
    for (int i = 0; i < d->rank; ++i)
        dims[i] = d->dim[i];
    return count > 0 && count <= INT32_MAX;
}

static bool described(const tare_args *a, tare__onednn_describe *describe, tare__onednn_for layout,
                      tare__onednn_spec *s)
{
    *s = (tare__onednn_spec){0};
    if (!a->runtime || (layout != TARE__ONEDNN_EITHER && (int)layout != (int)a->runtime->options.layout) ||
        !describe(a, s))
        return false;
    s->any = layout == TARE__ONEDNN_BLOCKED;
    return true;
}

/* Without memory for the entry it fits: prepare says so then, and no other kernel runs in its place. */
bool tare__onednn_fits(const tare_args *a, tare__onednn_describe *describe, const tare__onednn_arg *args,
                       tare__onednn_for layout)
{
    tare__onednn_spec s;
    if (!described(a, describe, layout, &s))
        return false;
    const tare__onednn_entry *e = tare__onednn_find(a->runtime, &s, args);
    return !e || e->primitive;
}

void tare__onednn_prepare(const tare_args *a, tare__onednn_describe *describe, const tare__onednn_arg *args,
                          tare__onednn_for layout, tare_work *w)
{
    tare__onednn_spec s;
    tare__onednn_entry *e = described(a, describe, layout, &s) ? tare__onednn_find(a->runtime, &s, args) : NULL;
    if (!e || !e->primitive) {
        w->n_pieces = 0;
        return;
    }
    w->g[0] = (int64_t)(uintptr_t)e;
    w->n_g = 1;
    w->piece_bytes = e->scratch_bytes;
}
