/* kernel_run.c - a kernel called with addresses of ours, and what it wrote (see kernel_run.h). */
#include "kernel_run.h"

#include <stdlib.h>
#include <string.h>

#include "../base/command.h"

void tare__kernel_out_fini(tare__kernel_out *r)
{
    for (int o = 0; o < r->n; ++o)
        free(r->data[o]);
    r->n = 0;
}

/* ---- rows apart: elements between them, that nobody may write */
enum { GAP = 5 };

void tare__rows_apart(tare_desc *d)
{
    d->stride[0] += GAP;
    d->contiguous = false;
}

static size_t apart_bytes(const tare_desc *d)
{
    return (size_t)(d->dim[0] * d->stride[0]) * tare_dtype_bytes((tare_dtype)d->dtype);
}

static void rows_spread(const tare_desc *d, unsigned char *to, const unsigned char *from)
{
    size_t step = apart_bytes(d) / (size_t)d->dim[0], row = tare_desc_bytes(d) / (size_t)d->dim[0];
    for (int64_t i = 0; i < d->dim[0]; ++i, to += step, from += row)
        memcpy(to, from, row);
}

/* Whether what lies between them is as it was. */
static bool rows_gather(const tare_desc *d, unsigned char *to, const unsigned char *from)
{
    size_t step = apart_bytes(d) / (size_t)d->dim[0], row = tare_desc_bytes(d) / (size_t)d->dim[0];
    bool whole = true;
    for (int64_t i = 0; i < d->dim[0]; ++i, to += row, from += step) {
        memcpy(to, from, row);
        for (size_t k = row; k < step; ++k)
            whole = whole && from[k] == 0xff;
    }
    return whole;
}

/* ---- arrays between guards */
enum { GUARD = 128, GUARD_BYTE = 0x5a };
typedef struct {
    unsigned char *block; /* guard, bytes, guard */
    size_t bytes, before;
} guarded;

/* Bytes of 0xff: NaN, -1, an index out of range. */
static guarded guarded_take(size_t bytes, size_t offset, const void *content)
{
    guarded g = {.bytes = bytes, .before = GUARD + offset};
    size_t total = (g.before + bytes + GUARD + TARE_ALIGNMENT - 1) & ~(size_t)(TARE_ALIGNMENT - 1);
    if (posix_memalign((void **)&g.block, TARE_ALIGNMENT, total) != 0)
        g.block = tare__more(NULL, SIZE_MAX, 2); /* says that there is no memory, and ends */
    memset(g.block, GUARD_BYTE, total);
    memset(g.block + g.before, 0xff, bytes);
    if (content && bytes)
        memcpy(g.block + g.before, content, bytes);
    return g;
}

static bool guarded_give(guarded *g)
{
    bool whole = true;
    for (size_t i = 0; g->block && i < GUARD; ++i)
        whole = whole && g->block[g->before - 1 - i] == GUARD_BYTE && g->block[g->before + g->bytes + i] == GUARD_BYTE;
    free(g->block);
    return whole;
}

/* A call under way: its operands, between guards, and the scratch. */
typedef struct {
    const tare__case *of;
    tare__manner how;
    tare_desc laid[TARE__CASE_INPUTS]; /* the inputs as they lie */
    tare_args args;
    tare_desc *made[TARE__CASE_OUTPUTS];
    tare_work work;
    guarded operand[TARE__CASE_INPUTS + TARE__CASE_OUTPUTS], scratch;
    void *ptr[TARE__CASE_INPUTS + TARE__CASE_OUTPUTS + 2];
} running;

static void bind_operands(running *c, int n_out)
{
    const tare__case *s = c->of;
    const tare__manner *how = &c->how;
    for (int i = 0; i < s->n_in; ++i) {
        if (!s->present[i] || (s->op->shape_only >> i & 1))
            continue;
        size_t item = tare_dtype_bytes((tare_dtype)s->d[i].dtype);
        bool apart = how->apart >> i & 1;
        c->operand[i] = guarded_take(apart ? apart_bytes(&c->laid[i]) : tare_desc_bytes(&s->d[i]), how->offset * item,
                                     apart ? NULL : s->data[i]);
        c->ptr[i] = c->operand[i].block + c->operand[i].before;
        if (apart)
            rows_spread(&c->laid[i], c->ptr[i], s->data[i]);
    }
    for (int o = 0; o < n_out; ++o) {
        if (c->args.absent >> o & 1)
            continue;
        int k = s->n_in + o;
        size_t item = tare_dtype_bytes((tare_dtype)c->made[o]->dtype);
        if (how->shared >> o & 1) {
            c->ptr[k] = c->ptr[tare__input_under(s->op, o) - 1];
            continue;
        }
        size_t bytes = how->apart >> k & 1 ? apart_bytes(c->made[o]) : tare_desc_bytes(c->made[o]);
        c->operand[k] = guarded_take(bytes, how->offset * item, NULL);
        c->ptr[k] = c->operand[k].block + c->operand[k].before;
    }
}

/* Backwards the pieces run as three workers in turn, so that each has its own scratch or is found out. */
static int run_pieces(running *c, const tare_variant *v, bool reversed, int n_out)
{
    const tare_work *w = &c->work;
    int workers = tare_work_workers(w, reversed ? 3 : 1), n = c->of->n_in + n_out, error = 0;
    size_t pieces = tare_work_piece_scratch(w), all = pieces + tare_work_worker_scratch(w, workers);
    if (all > 0)
        c->scratch = guarded_take(all, 0, NULL);
    c->ptr[n] = w->piece_bytes ? c->scratch.block + c->scratch.before : NULL;
    c->ptr[n + 1] = w->worker_bytes ? c->scratch.block + c->scratch.before + pieces : NULL;
    tare_call call = {v->run, v->combine, c->ptr, w->g, w->n_pieces, (int16_t)(n + 2), (int16_t)w->n_g, -1};
    for (int k = 0; k < w->n_pieces; ++k)
        error |= call.run(&call, reversed ? w->n_pieces - 1 - k : k, k % workers);
    return call.combine ? error | call.combine(&call, 0, 0) : error;
}

static void check_inputs(tare__findings *f, const running *c, const char *variant, int n_out)
{
    const tare__case *s = c->of;
    const uint32_t shared = c->how.shared;
    for (int i = 0; i < s->n_in; ++i) {
        bool written = false;
        for (int o = 0; o < n_out; ++o)
            written |= (shared >> o & 1) && tare__input_under(s->op, o) - 1 == i;
        if (!c->ptr[i] || written)
            continue;
        unsigned char *is = tare__take(tare_desc_bytes(&s->d[i]) + 1, 1);
        bool whole = true;
        if (c->how.apart >> i & 1)
            whole = rows_gather(&c->laid[i], is, c->ptr[i]);
        else
            memcpy(is, c->ptr[i], tare_desc_bytes(&s->d[i]));
        if (!whole || memcmp(is, s->data[i], tare_desc_bytes(&s->d[i])) != 0)
            tare__fault(f, "%s writes to input %d", variant, i);
        free(is);
    }
}

static void take_outputs(tare__findings *f, const running *c, const char *variant, tare__kernel_out *out)
{
    for (int o = 0; o < out->n; ++o) {
        if (c->args.absent >> o & 1)
            continue;
        int k = c->of->n_in + o;
        size_t bytes = tare_desc_bytes(c->made[o]);
        out->data[o] = tare__take(bytes + 1, 1);
        if (!(c->how.apart >> k & 1))
            memcpy(out->data[o], c->ptr[k], bytes);
        else if (!rows_gather(c->made[o], out->data[o], c->ptr[k]))
            tare__fault(f, "%s writes between the rows of output %d", variant, o);
    }
}

/* Inference, opaque sizes, geometry. */
static tare_status prepare(tare__findings *f, running *c, const tare_variant *v, tare__kernel_out *out)
{
    const tare_op *op = c->of->op;
    out->n = tare_op_outputs(op, c->of->attr) + op->n_aux;
    if (out->n > TARE__CASE_OUTPUTS) {
        tare__fault(f, "%d results are more than can be checked (%d)", out->n, TARE__CASE_OUTPUTS);
        out->n = 0;
        return TARE_IMPOSSIBLE;
    }
    for (int o = 0; o < out->n; ++o)
        c->made[o] = &out->d[o];
    tare_status status = op->infer(&c->args, (const tare_desc_out *)c->made);
    if (status != TARE_OK)
        return status;
    if (v->opaque)
        v->opaque(&c->args, (const tare_desc_out *)(c->made + out->n - op->n_aux));
    for (int o = 0; o < out->n; ++o)
        if (c->how.apart >> (c->of->n_in + o) & 1)
            tare__rows_apart(c->made[o]);
    c->work.n_pieces = 1;
    memset(c->work.g, 0xff, sizeof c->work.g);
    v->prepare(&c->args, (const tare_desc_ref *)c->made, &c->work);
    if (c->work.n_pieces >= 1 && c->work.n_g >= 0 && c->work.n_g <= TARE_GEOMETRY)
        return TARE_OK;
    tare__fault(f, "%s: prepare leaves %d pieces and %d words", v->name, (int)c->work.n_pieces, (int)c->work.n_g);
    return TARE_IMPOSSIBLE;
}

void tare__kernel_run(tare__findings *f, const tare__case *s, const tare_variant *v, tare__manner how,
                      tare__kernel_out *out)
{
    running c = {.of = s, .how = how};
    const tare_desc *in[TARE__CASE_INPUTS];
    for (int i = 0; i < s->n_in; ++i) {
        in[i] = s->present[i] ? &c.laid[i] : NULL;
        c.laid[i] = s->d[i];
        if (how.apart >> i & 1)
            tare__rows_apart(&c.laid[i]);
    }
    c.args = (tare_args){s->op, s->attr, (const tare_desc_ref *)in, s->n_in, s->absent | how.absent, NULL, s->runtime};
    *out = (tare__kernel_out){0};
    out->status = prepare(f, &c, v, out);
    if (out->status != TARE_OK)
        return;
    bind_operands(&c, out->n);
    out->error = run_pieces(&c, v, how.reversed, out->n);
    take_outputs(f, &c, v->name, out);
    check_inputs(f, &c, v->name, out->n);
    bool whole = guarded_give(&c.scratch);
    for (int k = 0; k < s->n_in + out->n; ++k)
        whole &= guarded_give(&c.operand[k]);
    if (!whole)
        tare__fault(f, "%s writes outside its arrays", v->name);
}

void tare__same_bits(tare__findings *f, const tare__kernel_out *is, const tare__kernel_out *wanted, const char *variant,
                     const char *how)
{
    if (is->status != TARE_OK || is->error != wanted->error) {
        tare__fault(f, "%s %s: status %d, error %d (was %d)", variant, how, is->status, is->error, wanted->error);
        return;
    }
    for (int o = 0; o < is->n; ++o)
        if (is->data[o] && memcmp(is->data[o], wanted->data[o], tare_desc_bytes(&wanted->d[o])) != 0)
            tare__fault(f, "%s %s: output %d has other bits", variant, how, o);
}
