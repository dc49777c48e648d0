/* bundle.c - several applications of an operator run as one call (see bundle.h).
 *
 * The call's addresses are those of the groups in a row, each as the operator's own call has them. Its geometry: the
 * number of groups, the words of a group's addresses, then for each group its first piece, its kernel and where its own
 * geometry stands, then these. */
#include "bundle.h"

#include <stdio.h>
#include <string.h>

#include "dispatch_private.h"

enum { G_GROUPS, G_STRIDE, G_TABLE, FIRST = 0, KERNEL, AT, ENTRY };
/* A call's addresses and words are numbered in 16 bits; more groups are further calls. */
enum { MOST = 256 };

struct tare_bundle {
    tare_op op; /* own = this */
    const tare_op *base;
    tare_runtime *runtime;
    char name[64];
    uint32_t absent; /* of the application under way */
    void *room;      /* the call's addresses and words, on the host: a device that queues copies them */
    size_t room_bytes;
};

static int run(const tare_call *c, int piece, int worker)
{
    const int64_t *table = c->g + G_TABLE;
    int64_t low = 0, high = c->g[G_GROUPS], stride = c->g[G_STRIDE];
    while (high - low > 1) {
        int64_t middle = (low + high) / 2;
        *(table[middle * ENTRY + FIRST] <= piece ? &low : &high) = middle;
    }
    const int64_t *entry = table + low * ENTRY;
    const bool last = low + 1 == c->g[G_GROUPS];
    const int64_t end = last ? c->n_pieces : entry[ENTRY + FIRST];
    const tare_call one = {.run = (tare_kernel *)(uintptr_t)entry[KERNEL],
                           .ptr = c->ptr + low * stride,
                           .g = c->g + entry[AT],
                           .n_pieces = (int32_t)(end - entry[FIRST]),
                           .n_ptr = (int16_t)stride,
                           .site = c->site};
    return one.run(&one, (int)(piece - entry[FIRST]), worker);
}

/* ---- inference: that of each group ------------------------------------------------------------------------------*/

static tare_args group_args(const tare_bundle *b, const void *attr, const tare_desc_ref *in, const char *path)
{
    return (tare_args){b->base, attr, in, b->base->n_in, b->absent, path, b->runtime};
}

static tare_status infer(const tare_args *a, const tare_desc_out *out)
{
    (void)out;
    const tare_bundle *b = a->op->own;
    tare_desc made[TARE_OPERANDS];
    tare_desc_out result[TARE_OPERANDS];
    tare_status status = TARE_OK;
    for (int o = 0; o < b->base->n_out; ++o)
        result[o] = b->absent >> o & 1 ? NULL : &made[o];
    for (int from = 0; from < a->n_in && status == TARE_OK; from += b->base->n_in) {
        tare_args one = group_args(b, a->attr, a->in + from, a->path);
        status = b->base->infer(&one, result);
    }
    return status;
}

/* ---- the call ---------------------------------------------------------------------------------------------------*/

typedef struct {
    void **ptr;
    int64_t *g;
    int64_t n_ptr, n_g, n_pieces;
} laying;

/* The input that output o is written over. */
static tare_value *tied(const tare_bundle *b, tare_value *const *in, int o)
{
    return b->absent >> o & 1 ? NULL : in[b->base->ties[o] - 1];
}

static tare_status lay_group(const tare_bundle *b, const tare_node *n, int group, laying *l,
                             const tare_variant **variant)
{
    const tare_op *op = b->base;
    tare_value *const *in = n->operand + group * op->n_in;
    tare_value *out[TARE_OPERANDS];
    tare_args a = group_args(b, n->attr, (const tare_desc_ref *)in, n->path);
    for (int o = 0; o < op->n_out; ++o)
        out[o] = tied(b, in, o);
    const tare_variant *v = tare__choose(tare_runtime_kernels(b->runtime, op), &a, TARE_BIT(in[0]->d.dtype));
    if (!v)
        return tare__dispatch_no_kernel(&a, tare_runtime_kernels(b->runtime, op)->op != NULL);
    tare_work w;
    if (tare_prepare(v, &a, (const tare_desc_ref *)out, &w) != TARE_OK)
        return TARE_NO_MEMORY;
    if (v->combine || w.piece_bytes || w.worker_bytes)
        return tare_op_error(&a, TARE_IMPOSSIBLE,
                             "its kernel cannot be run in a bundle: it needs more than its pieces");
    int64_t *entry = l->g + G_TABLE + group * ENTRY;
    entry[FIRST] = l->n_pieces;
    entry[KERNEL] = (int64_t)(uintptr_t)v->run;
    entry[AT] = l->n_g;
    memcpy(l->g + l->n_g, w.g, (size_t)w.n_g * sizeof *w.g);
    l->n_g += w.n_g;
    l->n_pieces += w.n_pieces;
    for (int i = 0; i < op->n_in; ++i)
        l->ptr[l->n_ptr++] = in[i] && !(op->shape_only >> i & 1) ? in[i]->address : NULL;
    for (int o = 0; o < op->n_out; ++o)
        l->ptr[l->n_ptr++] = out[o] ? out[o]->address : NULL;
    l->ptr[l->n_ptr++] = NULL; /* no scratch of pieces, none of workers */
    l->ptr[l->n_ptr++] = NULL;
    *variant = v;
    return TARE_OK;
}

/* At least so many bytes; NULL: no memory. */
static void *make_room(tare_bundle *b, size_t bytes)
{
    void *room = bytes <= b->room_bytes
                     ? b->room
                     : tare_memory_resize(&b->runtime->memory, TARE_MEMORY_RECORD, b->room, b->room_bytes, bytes);
    if (room && bytes > b->room_bytes) {
        b->room = room;
        b->room_bytes = bytes;
    }
    return room;
}

/* The numbers that the host will wait for (device.h). */
static void note_queued(const tare_bundle *b, const tare_node *n, uint64_t number)
{
    for (int i = 0; i < n->n_in; ++i)
        if (n->operand[i])
            tare__storage_read_by(n->operand[i]->storage, number);
    for (int i = 0; i < n->n_in; i += b->base->n_in)
        for (int o = 0; o < b->base->n_out; ++o)
            if (tied(b, n->operand + i, o))
                tare__storage_written_by(tied(b, n->operand + i, o)->storage, number);
}

/* What is written in place was written once more. */
static void raise_versions(const tare_bundle *b, tare_value *const *in, int n_groups)
{
    for (int group = 0; group < n_groups; ++group, in += b->base->n_in)
        for (int o = 0; o < b->base->n_out; ++o)
            if (tied(b, in, o))
                tare_storage_wrote(tied(b, in, o)->storage, b->base);
}

static tare_status call_groups(tare_bundle *b, const tare_node *n, int n_groups)
{
    tare_runtime *rt = b->runtime;
    const tare_op *op = b->base;
    const size_t stride = (size_t)(op->n_in + op->n_out + 2), ptr_bytes = (size_t)n_groups * stride * sizeof(void *);
    const size_t words = G_TABLE + (size_t)n_groups * (ENTRY + TARE_GEOMETRY);
    char *room = make_room(b, ptr_bytes + words * sizeof(int64_t));
    if (!room)
        return TARE_NO_MEMORY;
    laying l = {.ptr = (void **)(void *)room, .g = (int64_t *)(void *)(room + ptr_bytes)};
    l.n_g = G_TABLE + (int64_t)n_groups * ENTRY;
    l.g[G_GROUPS] = n_groups;
    l.g[G_STRIDE] = (int64_t)stride;
    tare_node told = *n;
    tare_status status = TARE_OK;
    for (int group = 0; group < n_groups && status == TARE_OK; ++group)
        status = lay_group(b, n, group, &l, &told.variant);
    tare_call call = {run, NULL, l.ptr, l.g, (int32_t)l.n_pieces, (int16_t)l.n_ptr, (int16_t)l.n_g, -1};
    int failed = 0;
    if (status == TARE_OK && !rt->device->synchronous)
        status = tare__site_of(rt, b->name, n->path, &call.site);
    if (status == TARE_OK)
        status = rt->device->run(rt->device, &call, 1, &failed);
    if (rt->device->queued)
        note_queued(b, n, *rt->device->queued);
    if (status == TARE_BAD_DATA)
        return tare__data_error(b->name, n->path);
    if (status == TARE_OK)
        raise_versions(b, n->operand, n_groups);
    if (status == TARE_OK && rt->trace.event)
        rt->trace.event(rt->trace.owner, TARE_EVENT_KERNEL, &told);
    return status;
}

static tare_status execute(tare_mode *m, const tare_node *n)
{
    (void)m;
    tare_bundle *b = (tare_bundle *)(uintptr_t)n->op->own;
    return call_groups(b, n, n->n_in / b->base->n_in);
}

/* ---- a bundle ---------------------------------------------------------------------------------------------------*/

tare_status tare_bundle_new(tare_runtime *rt, const tare_op *op, const char *name, tare_bundle **out)
{
    bool fits = op->n_in > 0 && op->n_in <= TARE_OPERANDS && op->n_out > 0 && op->n_aux == 0 && op->variants;
    for (int o = 0; o < op->n_out && fits; ++o)
        fits = op->ties[o] != 0;
    if (!fits) {
        tare_args a = {.op = op};
        return tare_op_error(&a, TARE_IMPOSSIBLE,
                             "it cannot be bundled: it does more than write its outputs over its inputs");
    }
    tare_bundle *b = tare_memory_take_zeroed(&rt->memory, TARE_MEMORY_RECORD, 1, sizeof *b);
    if (!b)
        return TARE_NO_MEMORY;
    b->base = op;
    b->runtime = rt;
    (void)snprintf(b->name, sizeof b->name, "%s", name);
    b->op = (tare_op){.name = b->name,
                      .doc = op->doc,
                      .n_in = -1,
                      .optional = UINT32_MAX, /* each group's are checked with its shapes */
                      .attrs = op->attrs,
                      .n_attrs = op->n_attrs,
                      .attr_bytes = op->attr_bytes,
                      .infer = infer,
                      .not_differentiable = true,
                      .effects = TARE_EFFECT_STATE,
                      .execute = execute,
                      .own = b};
    *out = b;
    return TARE_OK;
}

void tare_bundle_free(tare_bundle *b)
{
    if (!b)
        return;
    tare_memory *memory = &b->runtime->memory;
    tare_memory_give(memory, TARE_MEMORY_RECORD, b->room, b->room_bytes);
    tare_memory_give(memory, TARE_MEMORY_RECORD, b, sizeof *b);
}

/* Inputs as kernels take them: what is strided is copied, visibly; what would be written must be whole. */
static tare_status straighten(const tare_bundle *b, tare_mode *m, tare_value **in, int n)
{
    const tare_op *op = b->base;
    tare_args a = {.op = &b->op, .path = m->path};
    for (int i = 0; i < n * op->n_in; ++i) {
        bool written = false, poison = in[i] && in[i]->poison;
        if (!in[i] && !(op->optional >> i % op->n_in & 1))
            return tare_op_error(&a, TARE_BAD_ARGUMENT, "input %d of group %d is missing", i % op->n_in, i / op->n_in);
        for (int o = 0; o < op->n_out; ++o)
            written |= op->ties[o] == i % op->n_in + 1;
        if (!in[i] || poison)
            continue;
        if (written && (in[i]->view || !in[i]->d.contiguous))
            return tare_op_error(
                &a, TARE_BAD_ARGUMENT,
                "input %d of group %d is a view, and it would be written in place (need a whole value)", i % op->n_in,
                i / op->n_in);
        if (!in[i]->d.contiguous) {
            tare_status status = m->apply(m, m->runtime->copy, NULL, &in[i], 1, &in[i], 0);
            if (status != TARE_OK)
                return status;
        }
    }
    return TARE_OK;
}

static tare_status apply_one_by_one(const tare_bundle *b, tare_mode *m, const void *attr, tare_value *const *in, int n,
                                    uint32_t absent)
{
    tare_value *out[TARE_OPERANDS];
    for (int group = 0; group < n && m->error == TARE_OK; ++group)
        (void)m->apply(m, b->base, attr, in + group * b->base->n_in, b->base->n_in, out, absent);
    return m->error;
}

tare_status tare_bundle_apply(tare_bundle *b, tare_mode *m, const void *attr, tare_value *const *in, int n,
                              uint32_t absent)
{
    const int n_in = b->base->n_in;
    if (m->capturing)
        return apply_one_by_one(b, m, attr, in, n, absent);
    for (int from = 0; from < n && m->error == TARE_OK; from += MOST) {
        tare_value *some[MOST * TARE_OPERANDS], *none;
        int groups = n - from < MOST ? n - from : MOST;
        memcpy(some, in + from * n_in, (size_t)(groups * n_in) * sizeof *some);
        tare_status status = straighten(b, m, some, groups);
        if (status != TARE_OK)
            return tare__dispatch_failed(m, &b->op, attr, &none, status);
        b->absent = absent;
        (void)m->apply(m, &b->op, attr, some, groups * n_in, &none, 0);
    }
    return m->error;
}
