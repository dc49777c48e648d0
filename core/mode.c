/* mode.c - errors of the seam, and the rare paths of dispatch. */
#include "mode.h"

#include "dispatch_private.h"
#include "gradient_private.h"

void tare_mode_init(tare_mode *m, tare_runtime *rt)
{
    *m = (tare_mode){.runtime = rt,
                     .poison = {.refs = 1,
                                .holds = 1,
                                .node = -1,
                                .id = -1, /* no runtime: it fails the one test that every input meets */
                                .poison = true}};
}

void tare_mode_fini(tare_mode *m)
{
    tare_memory_give(&m->runtime->memory, TARE_MEMORY_RECORD, m->reached,
                     (size_t)m->capacity_reached * sizeof *m->reached);
}

void tare_mode_clear(tare_mode *m)
{
    m->error = TARE_OK;
}

tare_status tare__dispatch_failed(tare_mode *m, const tare_op *op, const void *attr, tare_value **out,
                                  tare_status status)
{
    if (m->error == TARE_OK)
        m->error = status;
    for (int o = 0, n_out = tare_op_outputs(op, attr); o < n_out; ++o)
        out[o] = &m->poison;
    return status;
}

tare_status tare__dispatch_inputs(const tare_mode *m, const tare_op *op, tare_value *const *in, int n_in, bool run)
{
    tare_args a = {.op = op, .path = m->path};
    if (op->n_in >= 0 && n_in != op->n_in)
        return tare_op_error(&a, TARE_BAD_ARGUMENT, "%d inputs were given (need %d)", n_in, op->n_in);
    if (n_in < 1 || (n_in > TARE_VARIABLE && !op->execute))
        return tare_op_error(&a, TARE_BAD_ARGUMENT, "%d inputs were given (need 1 to %d)", n_in, TARE_VARIABLE);
    for (int i = 0; i < n_in; ++i) {
        const tare_value *v = in[i];
        if (!v && !(op->optional >> (i & 31) & 1))
            return tare_op_error(&a, TARE_BAD_ARGUMENT, "input %d is missing", i);
        if (v && v->poison)
            return tare_op_error(&a, TARE_BAD_ARGUMENT, "input %d is what an earlier error left", i);
        if (v && v->runtime != m->runtime)
            return tare_op_error(&a, TARE_BAD_ARGUMENT, "input %d belongs to another runtime", i);
        if (v && run && !v->address && !(op->shape_only >> (i & 31) & 1))
            return v->id >= 0 ? tare_op_error(&a, TARE_BAD_ARGUMENT, "input %d is a graph's value and has no data", i)
                              : tare_op_error(&a, TARE_BAD_ARGUMENT, "input %d was given up by tare_move before", i);
    }
    return TARE_OK;
}

tare_status tare__dispatch_absent(const tare_mode *m, const tare_op *op)
{
    tare_args a = {.op = op, .path = m->path};
    return tare_op_error(&a, TARE_BAD_ARGUMENT, "its only output cannot be absent");
}

static bool accepts(const tare_variant *v, int i, const tare_desc *d)
{
    tare_strides strides = (tare_strides)v->in_strides[i < TARE_OPERANDS ? i : TARE_OPERANDS - 1];
    if (strides == TARE_STRIDES_OUTER)
        return tare_desc_outer(d);
    bool forward = strides == TARE_STRIDES_FORWARD;
    for (int k = 0; k < d->rank && forward; ++k)
        forward = d->stride[k] >= 0;
    return strides == TARE_STRIDES_ANY || forward;
}

/* Whether the variant takes the inputs, of which those in `strided` are not contiguous, once those in `copies` are. */
static bool takes(const tare_variant *v, const tare_args *a, uint32_t strided, uint32_t copies)
{
    tare_desc packed[TARE_VARIABLE];
    const tare_desc *in[TARE_VARIABLE];
    for (int i = 0; i < a->n_in; ++i) {
        in[i] = a->in[i];
        if (copies >> i & 1) {
            tare_desc_like(&packed[i], in[i]);
            in[i] = &packed[i];
        } else if ((strided >> i & 1) && !accepts(v, i, in[i])) {
            return false;
        }
    }
    tare_args with = *a;
    with.in = (const tare_desc_ref *)in;
    bool fits = !v->fits || v->fits(&with);
    return fits && (!(strided & ~copies) || !v->fits_strides || v->fits_strides(&with));
}

static bool writes(const tare_variant *v, uint32_t apart)
{
    bool all = true;
    for (int o = 0; apart >> o; ++o)
        all = all && (!(apart >> o & 1) || (o < TARE_OPERANDS && v->out_strides[o] == TARE_STRIDES_OUTER));
    return all;
}

const tare_variant *tare__choose_strided(const tare_kernels *k, const tare_args *a, uint32_t dtype, uint32_t strided,
                                         uint32_t apart, uint32_t *copies)
{
    const tare_variant *best = k->variant, *end = k->variant + k->n;
    while (best < end && !((best->dtypes & dtype) && takes(best, a, strided, strided)))
        ++best;
    *copies = 0;
    for (const tare_variant *v = best; v < end; ++v)
        if ((v->dtypes & dtype) && v->set == best->set && takes(v, a, strided, 0) && writes(v, apart))
            return v;
    if (best == end || apart)
        return NULL;
    *copies = strided; /* less those that it takes as they are */
    for (uint32_t s = strided; s; s &= s - 1)
        if (takes(best, a, strided, *copies & ~(s & -s)))
            *copies &= ~(s & -s);
    return best;
}

tare_status tare__dispatch_given_copies(tare_mode *m, const tare__decided *g, tare__apply *c)
{
    uint32_t copies = 0;
    for (int i = 0; i < c->args.n_in; ++i)
        if (g->node->operand[i] && g->node->operand[i]->node >= g->first_copy)
            copies |= 1u << (i & 31);
    return tare__dispatch_copies(m, copies, c);
}

tare_status tare__dispatch_no_kernel(const tare_args *a, bool registered)
{
    if (!registered)
        return tare_op_error(a, TARE_NOT_FOUND, "the operator is not registered in this runtime");
    const tare_desc *first = a->n_in && a->in[0] ? a->in[0] : NULL;
    return tare_op_error(a, TARE_BAD_DTYPE, "no kernel takes %s here",
                         first ? tare_dtype_name(first->dtype) : "this dtype");
}

tare_status tare__dispatch_copies(tare_mode *m, uint32_t copies, tare__apply *c)
{
    for (int i = 0; i < c->args.n_in; ++i) {
        if (!(copies >> i & 1))
            continue;
        tare_value *copy, *given = c->operand[i];
        bool moved = given->moved; /* for this operator: the copy must not give it up, it may be an input twice */
        given->moved = false;
        tare_status status = m->apply(m, m->runtime->copy, NULL, &given, 1, &copy, 0);
        given->moved = moved;
        if (status != TARE_OK)
            return status;
        c->operand[i] = copy;
        c->ptr[i] = copy->address;
    }
    return TARE_OK;
}

tare_status tare__dispatch_tied_views(const tare__apply *c)
{
    for (int o = 0; o < TARE_OPERANDS; ++o) {
        int i = c->args.op->ties[o] - 1;
        const tare_value *v = i >= 0 ? c->operand[i] : NULL;
        if (v && (v->view || !v->d.contiguous))
            return tare_op_error(&c->args, TARE_BAD_ARGUMENT,
                                 "input %d%s%s%s is a view, and it would be written in place (need a whole value)", i,
                                 v->name ? " (" : "", v->name ? v->name : "", v->name ? ")" : "");
    }
    return TARE_OK;
}

/* The numbers that the host will wait for. */
static void note_queued(const tare__apply *c, tare_storage *scratch, uint64_t number)
{
    for (int i = 0; i < c->args.n_in; ++i)
        if (c->ptr[i])
            tare__storage_read_by(c->operand[i]->storage, number);
    for (int i = c->args.n_in, end = i + c->n_out + c->n_aux; i < end; ++i)
        if (c->ptr[i])
            tare__storage_written_by(c->operand[i]->storage, number);
    if (scratch)
        tare__storage_written_by(scratch, number);
}

tare_status tare__dispatch_run(tare_mode *m, const tare__apply *c, tare_call *call, tare_storage *scratch)
{
    tare_device *d = m->runtime->device;
    tare_status status = TARE_OK;
    int failed = 0;
    if (!d->synchronous) /* its error comes when this call is long over */
        status = tare__site_of(m->runtime, c->args.op->name, m->path, &call->site);
    if (call->n_pieces < 1) /* prepare had no memory */
        status = TARE_NO_MEMORY;
    if (status == TARE_OK)
        status = d->run(d, call, 1, &failed);
    if (d->queued)
        note_queued(c, scratch, *d->queued);
    if (scratch)
        tare_storage_drop(scratch);
    return status == TARE_BAD_DATA ? tare__data_error(c->args.op->name, m->path) : status;
}

tare_status tare__dispatch_undo(tare_mode *m, tare__apply *c, int n_made, tare_value **out, tare_status status)
{
    for (int o = 0; o < n_made; ++o)
        if (c->operand[c->args.n_in + o])
            tare_record_drop(c->operand[c->args.n_in + o]);
    return tare__dispatch_failed(m, c->args.op, c->args.attr, out, status);
}

void tare__dispatch_ties(const tare__apply *c)
{
    for (int o = 0; o < c->n_out && o < TARE_OPERANDS; ++o) {
        const tare_value *v = c->operand[c->args.n_in + o];
        if (!c->args.op->ties[o] || !v)
            continue;
        tare_storage_wrote(v->storage, c->args.op);
    }
}

/* The results of an operator made at run time share one fresh block; its auxiliaries get their storage from it. */
tare_status tare__dispatch_block(tare_mode *m, tare__apply *c)
{
    int n_in = c->args.n_in;
    size_t bytes = 0;
    if (c->n_out + c->n_aux == 0)
        return TARE_OK;
    for (int o = 0; o < c->n_out; ++o)
        bytes += tare_memory_rounded(tare_desc_bytes(&c->operand[n_in + o]->d));
    tare_storage *s = tare__storage_take_work(m->runtime, bytes);
    if (!s)
        return TARE_NO_MEMORY;
    char *at = s->base;
    for (int o = 0; o < c->n_out + c->n_aux; ++o) {
        tare_value *v = c->operand[n_in + o];
        v->depth = m->depth;
        if (o >= c->n_out) {
            if (!c->wants) {
                tare_record_drop(v);
                c->operand[n_in + o] = NULL;
            }
            continue;
        }
        v->wants_gradient = c->wants;
        v->storage = s;
        v->address = at;
        ++s->refs;
        at += tare_memory_rounded(tare_desc_bytes(&v->d));
    }
    tare_storage_drop(s);
    return TARE_OK;
}

tare_status tare__dispatch_execute(tare_mode *m, const tare__apply *c)
{
    tare_node n = {.attr = c->args.attr, .operand = c->operand};
    tare__describe(c, &n);
    return c->args.op->execute(m, &n);
}
