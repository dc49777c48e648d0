/* creating.c - primitives by their specs: made once for a runtime, found again at each look-up.
 *
 * The state is a table of chains, by a hash of the spec's words; the entry found last is looked at first, since
 * `prepare` asks for what `fits` has just been given. Entries stay until the runtime ends, for plans point to them: a
 * runtime keeps one for each operator, shape and attributes that it has met. */
#include <string.h>

#include "onednn.h"

/* ---- a primitive ------------------------------------------------------------------------------------------------*/
static size_t aligned(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static size_t place(tare__onednn_entry *e, size_t bytes)
{
    size_t at = e->scratch_bytes;
    e->scratch_bytes += aligned(bytes);
    return at;
}

static dnnl_status_t make_plain(const tare__onednn_spec *s, dnnl_engine_t engine, tare__onednn_shape shape,
                                dnnl_memory_t *out)
{
    switch (shape) {
    case TARE__ONEDNN_SRC:
        return tare__onednn_plain(engine, (int)s->rank, s->src, out);
    case TARE__ONEDNN_WEIGHTS:
        return tare__onednn_plain(engine, (int)s->weight_rank, s->weights, out);
    case TARE__ONEDNN_DST:
        return tare__onednn_plain(engine, (int)s->rank, s->dst, out);
    case TARE__ONEDNN_BIAS:
    case TARE__ONEDNN_CHANNELS:
        break;
    }
    return tare__onednn_plain(engine, 1, &s->dst[1], out);
}

/* Grows what the scratchpad of the entry must have. */
static void need(size_t *most, dnnl_primitive_desc_t pd)
{
    tare__onednn_layout scratchpad = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    size_t bytes = scratchpad ? dnnl_memory_desc_get_size(scratchpad) : 0;
    *most = bytes > *most ? bytes : *most;
}

static dnnl_status_t make_reorder(const tare__onednn_state *s, tare__onednn_operand *o, size_t *scratchpad)
{
    tare__onednn_layout from, to;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_memory_t source = o->is->out ? o->own : o->plain, target = o->is->out ? o->plain : o->own;
    dnnl_status_t status = dnnl_memory_get_memory_desc(source, &from);
    if (status == dnnl_success)
        status = dnnl_memory_get_memory_desc(target, &to);
    if (status == dnnl_success)
        status = dnnl_reorder_primitive_desc_create(&pd, from, s->engine, to, s->engine, s->attr);
    if (status == dnnl_success) {
        need(scratchpad, pd);
        status = dnnl_primitive_create(&o->reorder, pd);
    }
    (void)dnnl_primitive_desc_destroy(pd);
    o->move[0] = (dnnl_exec_arg_t){DNNL_ARG_FROM, source};
    o->move[1] = (dnnl_exec_arg_t){DNNL_ARG_TO, target};
    return status;
}

/* Whether the spare input is one of those that oneDNN counts. */
static bool wants_spare(dnnl_primitive_desc_t pd, const tare__onednn_spec *s, const tare__onednn_arg *args)
{
    int wanted = 0, has = 0;
    for (; args->arg; ++args)
        has += !args->out && (args->shape != TARE__ONEDNN_BIAS || s->bias);
    return dnnl_primitive_desc_query(pd, dnnl_query_num_of_inputs_s32, 0, &wanted) == dnnl_success && wanted >= has;
}

static dnnl_status_t make_operand(const tare__onednn_state *s, tare__onednn_entry *e, dnnl_primitive_desc_t pd,
                                  tare__onednn_operand *o, size_t *scratchpad)
{
    tare__onednn_layout wanted = dnnl_primitive_desc_query_md(pd, dnnl_query_exec_arg_md, o->is->arg), is;
    dnnl_status_t status = make_plain(&e->spec, s->engine, o->is->shape, &o->plain);
    if (status == dnnl_success)
        status = dnnl_memory_get_memory_desc(o->plain, &is);
    if (status != dnnl_success)
        return status;
    if (o->is->shape == TARE__ONEDNN_CHANNELS)
        o->plain_at = place(e, dnnl_memory_desc_get_size(is));
    if (o->is->spare || dnnl_memory_desc_equal(wanted, is))
        return dnnl_success;
    status = dnnl_memory_create(&o->own, wanted, s->engine, DNNL_MEMORY_NONE);
    if (status == dnnl_success)
        status = make_reorder(s, o, scratchpad);
    o->own_at = place(e, dnnl_memory_desc_get_size(wanted));
    ++e->n_reorders;
    return status;
}

static dnnl_status_t make_operands(const tare__onednn_state *s, tare__onednn_entry *e, dnnl_primitive_desc_t pd,
                                   const tare__onednn_arg *args)
{
    size_t scratchpad = 0;
    dnnl_status_t status = dnnl_success;
    const bool spare = wants_spare(pd, &e->spec, args);
    need(&scratchpad, pd);
    for (; args->arg && status == dnnl_success; ++args) {
        if (args->shape == TARE__ONEDNN_BIAS && !e->spec.bias)
            continue;
        tare__onednn_operand *o = &e->operand[e->n++];
        o->is = args;
        status = make_operand(s, e, pd, o, &scratchpad);
        if (!args->spare || spare)
            e->given[e->n_given++] = (dnnl_exec_arg_t){args->arg, o->own ? o->own : o->plain};
    }
    if (status == dnnl_success && scratchpad > 0) {
        const int64_t words = (int64_t)(scratchpad + 3) / 4;
        status = tare__onednn_plain(s->engine, 1, &words, &e->scratchpad);
        e->scratchpad_at = place(e, scratchpad);
    }
    e->given[e->n_given] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, e->scratchpad};
    for (int i = 0; i < e->n; ++i)
        e->operand[i].move[2] = e->given[e->n_given];
    e->n_given += e->scratchpad != NULL;
    return status;
}

static void unmake(tare__onednn_entry *e)
{
    for (int i = 0; i < e->n; ++i) {
        (void)dnnl_primitive_destroy(e->operand[i].reorder);
        (void)dnnl_memory_destroy(e->operand[i].own);
        (void)dnnl_memory_destroy(e->operand[i].plain);
    }
    (void)dnnl_memory_destroy(e->scratchpad);
    (void)dnnl_primitive_destroy(e->primitive);
}

/* What oneDNN does not have leaves an entry without a primitive, so that it is asked once. */
static dnnl_status_t make(const tare__onednn_state *s, tare__onednn_entry *e, const tare__onednn_arg *args)
{
    dnnl_primitive_desc_t pd = NULL;
    int before = tare__onednn_threads(s->runtime->options.threads);
    dnnl_status_t status = tare__onednn_best(&e->spec, s->engine, s->attr, &pd);
    if (status == dnnl_success)
        status = make_operands(s, e, pd, args);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&e->primitive, pd);
    (void)dnnl_primitive_desc_destroy(pd);
    (void)tare__onednn_threads(before);
    return status == dnnl_out_of_memory || status == dnnl_success ? status : dnnl_unimplemented;
}

/* ---- the table --------------------------------------------------------------------------------------------------*/
static size_t hash(const tare__onednn_spec *s)
{
    const int64_t *word = (const int64_t *)(const void *)s;
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a, a word at a time */
    for (size_t i = 0; i < sizeof *s / sizeof *word; ++i)
        h = (h ^ (uint64_t)word[i]) * 0x100000001b3u;
    return (size_t)(h ^ h >> 32) % TARE__ONEDNN_CHAINS;
}

tare__onednn_entry *tare__onednn_find(tare_runtime *rt, const tare__onednn_spec *spec, const tare__onednn_arg *args)
{
    tare__onednn_state *s = rt->added_own;
    ++rt->counts.primitives;
    if (s->last && memcmp(&s->last->spec, spec, sizeof *spec) == 0)
        return s->last;
    tare__onednn_entry **chain = &s->chain[hash(spec)], *e = *chain;
    while (e && memcmp(&e->spec, spec, sizeof *spec) != 0)
        e = e->next;
    if (e)
        return s->last = e;
    e = tare_memory_take_zeroed(&rt->memory, TARE_MEMORY_RECORD, 1, sizeof *e);
    if (!e)
        return NULL;
    e->spec = *spec;
    e->state = s;
    dnnl_status_t status = make(s, e, args);
    if (status != dnnl_success) {
        unmake(e);
        *e = (tare__onednn_entry){.spec = *spec, .state = s};
    }
    if (status == dnnl_out_of_memory) {
        tare_memory_give(&rt->memory, TARE_MEMORY_RECORD, e, sizeof *e);
        (void)tare_error(TARE_NO_MEMORY, "oneDNN has no memory for a primitive");
        return NULL;
    }
    e->next = *chain;
    return s->last = *chain = e;
}

tare_status tare__onednn_open(tare_runtime *rt, void **own)
{
    tare__onednn_state *s = tare_memory_take_zeroed(&rt->memory, TARE_MEMORY_RECORD, 1, sizeof *s);
    if (!s)
        return TARE_NO_MEMORY;
    s->runtime = rt;
    dnnl_status_t status = rt->device->host_visible ? dnnl_engine_create(&s->engine, dnnl_cpu, 0) : dnnl_unimplemented;
    if (status == dnnl_success)
        status = dnnl_stream_create(&s->stream, s->engine, dnnl_stream_default_flags);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_create(&s->attr);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(s->attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success) {
        *own = s;
        return TARE_OK;
    }
    tare__onednn_close(rt, s);
    return status == dnnl_out_of_memory
               ? tare_error(TARE_NO_MEMORY, "oneDNN has no memory to start")
               : tare_error(TARE_IMPOSSIBLE, "oneDNN does not start: it gives status %d", (int)status);
}

void tare__onednn_close(tare_runtime *rt, void *own)
{
    tare__onednn_state *s = own;
    for (int i = 0; i < TARE__ONEDNN_CHAINS; ++i)
        for (tare__onednn_entry *e = s->chain[i], *next; e; e = next) {
            next = e->next;
            unmake(e);
            tare_memory_give(&rt->memory, TARE_MEMORY_RECORD, e, sizeof *e);
        }
    (void)dnnl_primitive_attr_destroy(s->attr);
    (void)dnnl_stream_destroy(s->stream);
    (void)dnnl_engine_destroy(s->engine);
    tare_memory_give(&rt->memory, TARE_MEMORY_RECORD, s, sizeof *s);
}
