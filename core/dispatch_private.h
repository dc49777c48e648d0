/* dispatch_private.h - the body of apply, one for both modes: check, infer, choose, (take storage, run), record.
 *
 * Each mode instantiates tare__dispatch with constant flags; what a flag switches off is not in the machine code. The
 * imperative mode runs and, when recording, appends to its tape; the graph mode only appends. Since inference and
 * variant choice are these same lines, the two modes cannot differ in what they call.
 *
 * A failure undoes itself: outputs made so far are let go, the first error stays in the mode, out[] is poison. */
#ifndef TARE_CORE_DISPATCH_PRIVATE_H
#define TARE_CORE_DISPATCH_PRIVATE_H

#include "record_private.h"
#include "runtime_private.h"

enum { TARE_DISPATCH_RUN = 1, TARE_DISPATCH_TRACED = 2 };

/* Sets the mode's first error and fills out[] with poison. */
tare_status tare__dispatch_failed(tare_mode *, const tare_op *, tare_value **out, int n_out, tare_status);
/* The full message for an input that cannot be used. */
tare_status tare__dispatch_bad_input(const tare_mode *, const tare_op *, tare_value *const *in, int n_in, bool run);
tare_status tare__dispatch_no_kernel(const tare_args *, bool registered);
/* A further mode->apply of the operator `copy` for each input in `copies`. */
tare_status tare__dispatch_copies(tare_mode *, uint32_t copies, tare_value **in, int n_in);
tare_status tare__dispatch_data_error(const tare_op *, const char *path);

/* What tare__run needs beyond the operands, on an operator with a kernel: everything is on the stack. */
static inline int tare__run(tare_mode *m, const tare_args *a, const tare_variant *v, tare_value **operand, int total,
                            tare_status *status)
{
    tare_runtime *rt = m->runtime;
    tare_work w;
    w.n_g = 0;
    w.n_pieces = 1;
    w.piece_bytes = w.worker_bytes = 0;
    v->prepare(a, (const tare_desc_ref *)(operand + a->n_in), &w);
    void *ptr[total + 2];
    for (int i = 0; i < total; ++i)
        ptr[i] = operand[i] && !(i < a->n_in && a->op->shape_only >> (i & 31) & 1) ? operand[i]->address : NULL;
    ptr[total] = ptr[total + 1] = NULL;
    tare_storage *scratch = NULL;
    if (w.piece_bytes | w.worker_bytes) {
        size_t pieces = w.piece_bytes * (size_t)w.n_pieces;
        scratch = tare_storage_take(rt, TARE_MEMORY_WORK, pieces + w.worker_bytes);
        if (!scratch) {
            *status = TARE_NO_MEMORY;
            return 0;
        }
        ptr[total] = w.piece_bytes ? scratch->base : NULL;
        ptr[total + 1] = w.worker_bytes ? (char *)scratch->base + pieces : NULL;
    }
    tare_call call = {v->run, v->combine, ptr, w.g, w.n_pieces, (int16_t)(total + 2), (int16_t)w.n_g, -1};
    int failed = 0;
    int error = rt->device->run(rt->device, &call, 1, &failed);
    if (scratch)
        tare_storage_drop(scratch);
    return error;
}

/* The first variant that fits. A variant that takes the inputs' own strides comes before one that needs copies of them
 * (those inputs are set in *copies); the reference is never preferred for its strides. */
static inline const tare_variant *tare__choose(const tare_kernels *k, const tare_args *a, const tare_desc *first,
                                               uint32_t strided, uint32_t *copies)
{
    uint32_t dtype = TARE_BIT(first->dtype);
    for (int pass = strided ? 0 : 1; pass < 2; ++pass) {
        for (int i = 0; i < k->n; ++i) {
            const tare_variant *v = &k->variant[i];
            if (!(v->dtypes & dtype) || (v->fits && !v->fits(a)))
                continue;
            uint32_t refused = 0;
            for (uint32_t s = strided; s; s &= s - 1) {
                int at = __builtin_ctz(s);
                refused |= at < TARE_OPERANDS && v->in_strides[at] == TARE_STRIDES_ANY ? 0 : 1u << at;
            }
            if (pass == 0 && (refused || v->set == TARE_SET_REFERENCE))
                continue;
            *copies = refused;
            return v;
        }
    }
    return NULL;
}

static inline tare_status tare__outputs_take(tare_mode *m, const tare_args *a, tare_value **operand, int n_out,
                                             int n_aux, bool wants, const int flags)
{
    tare_runtime *rt = m->runtime;
    for (int o = 0; o < n_out + n_aux; ++o) {
        tare_value *v = operand[a->n_in + o];
        if (!v)
            continue;
        v->wants_gradient = wants && o < n_out;
        v->depth = m->depth;
        int tie = o < TARE_OPERANDS ? a->op->ties[o] : 0;
        tare_value *base = tie ? operand[tie - 1] : a->op->view ? operand[0] : NULL;
        if (!(flags & TARE_DISPATCH_RUN)) {
            v->base = base;
            v->view_offset = a->op->view ? a->op->view(a) : 0;
            continue;
        }
        if (base) {
            int64_t offset = a->op->view ? a->op->view(a) : 0;
            v->storage = base->storage;
            ++v->storage->refs;
            v->address = (char *)base->address + offset * (int64_t)tare_dtype_bytes((tare_dtype)v->d.dtype);
        } else {
            v->storage = tare__storage_take_work(rt, tare_desc_bytes(&v->d));
            if (!v->storage)
                return TARE_NO_MEMORY;
            v->address = v->storage->base;
        }
    }
    return TARE_OK;
}

/* Appends the node; each operand gets a ref, and on a tape those that the gradient needs a hold. */
static inline tare_node *tare__record(tare_mode *m, const tare_args *a, const tare_node *like, bool tape)
{
    tare_program *p = m->program;
    int total = like->n_in + like->n_out + like->n_aux;
    tare_node *n = tare_program_reserve(p, total, a->attr ? a->op->attr_bytes : 0, a->attr, tape);
    if (!n)
        return NULL;
    tare_value **operand = n->operand;
    uint32_t *version = n->version;
    const void *attr = n->attr;
    *n = *like;
    n->operand = operand;
    n->version = version;
    n->attr = attr;
    for (int i = 0; i < total; ++i) {
        tare_value *v = operand[i] = like->operand[i];
        if (!v)
            continue;
        ++v->refs;
        if (tape && tare_node_needs(n, i)) {
            ++v->holds;
            version[i] = v->storage->version;
        }
        if (i >= like->n_in) {
            v->program = p;
            v->node = p->n;
        }
    }
    ++p->n;
    return n;
}

#define TARE__TRACE(which)                                                                                             \
    do {                                                                                                               \
        if (flags & TARE_DISPATCH_TRACED)                                                                              \
            rt->trace.event(rt->trace.owner, TARE_EVENT_##which, &node);                                               \
    } while (0)

/* The variant for the operands, with declared copies put in for those whose strides it does not take. */
static inline tare_status tare__variant_for(tare_mode *m, const tare_args *a, tare_value **operand, int n_out,
                                            uint32_t strided, const tare_variant **out)
{
    const tare_kernels *kernels = tare_runtime_kernels(m->runtime, a->op);
    const tare_desc *first = a->n_in && operand[0] ? &operand[0]->d : &operand[a->n_in]->d;
    uint32_t copies = 0;
    const tare_variant *v = tare__choose(kernels, a, first, strided & ~a->op->shape_only, &copies);
    if (__builtin_expect(!v, 0))
        return tare__dispatch_no_kernel(a, kernels->op != NULL);
    *out = v;
    if (v->opaque)
        v->opaque(a, (const tare_desc_out *)(operand + a->n_in + n_out));
    return __builtin_expect(copies, 0) ? tare__dispatch_copies(m, copies, operand, a->n_in) : TARE_OK;
}

static inline tare_status tare__execute(tare_mode *m, const tare_args *a, const tare_node *node, int total)
{
    tare_status status = TARE_OK;
    if (node->variant) {
        if (__builtin_expect(tare__run(m, a, node->variant, node->operand, total, &status), 0))
            return tare__dispatch_data_error(a->op, m->path);
    } else if (a->op->execute) {
        status = a->op->execute(m, node);
    }
    for (int o = 0; o < node->n_out && o < TARE_OPERANDS; ++o) {
        if (a->op->ties[o] && node->operand[a->n_in + o]) {
            tare_storage *s = node->operand[a->n_in + o]->storage;
            ++s->version;
            s->writer = a->op;
        }
    }
    return status;
}

/* A value whose last use this was gives its bytes up; the scope's list keeps the record. */
static inline void tare__give_up(tare_mode *m, tare_value *v, const int flags)
{
    v->moved = false;
    if ((flags & TARE_DISPATCH_RUN) && v->depth == m->depth) {
        v->depth = -1;
        tare_record_unhold(v);
    }
}

/* own(m, v) takes the handle of a new value over (imperative: the scope's list; graph: the program's table); false: no
 * memory. */
static inline __attribute__((always_inline)) tare_status
tare__dispatch(tare_mode *m, const tare_op *op, const void *attr, tare_value *const *given, int n_in, tare_value **out,
               uint32_t absent, const int flags, bool (*own)(tare_mode *, tare_value *))
{
    tare_runtime *rt = m->runtime;
    if (__builtin_expect(m->error, 0))
        return tare__dispatch_failed(m, op, out, op->n_out, m->error);
    if (__builtin_expect(rt->has_dropped, 0))
        tare__records_drain(rt);

    bool wants = false, bad = n_in != op->n_in && (op->n_in >= 0 || n_in < 1 || (n_in > 32 && !op->execute));
    uint32_t strided = 0;
    for (int i = 0; i < n_in && !bad; ++i) {
        tare_value *v = given[i];
        if (!v) {
            bad |= !(op->optional >> (i & 31) & 1);
            continue;
        }
        bad |= v->poison || v->runtime != rt;
        if (flags & TARE_DISPATCH_RUN)
            bad |= !v->address && !(op->shape_only >> (i & 31) & 1);
        wants |= v->wants_gradient;
        strided |= v->d.contiguous ? 0u : 1u << (i & 31);
    }
    if (__builtin_expect(bad, 0))
        return tare__dispatch_failed(m, op, out, op->n_out,
                                     tare__dispatch_bad_input(m, op, given, n_in, flags & TARE_DISPATCH_RUN));
    wants = wants && m->recording && !op->stops_gradient;

    tare_args a = {op, attr, (const tare_desc_ref *)given, n_in, absent, m->path};
    const int n_out = op->n_out >= 0 ? op->n_out : op->outputs(&a), n_aux = op->n_aux, made = n_out + n_aux;
    if (!wants && n_aux)
        a.absent |= ((1u << n_aux) - 1) << n_out;
    tare_value *operand[n_in + made];
    tare_node node = {.op = op,
                      .attr = attr,
                      .operand = operand,
                      .path = m->path,
                      .n_in = (int16_t)n_in,
                      .n_out = (int16_t)n_out,
                      .n_aux = (int16_t)n_aux,
                      .absent = a.absent};
    for (int i = 0; i < n_in; ++i)
        operand[i] = given[i];
    a.in = (const tare_desc_ref *)operand;

    tare_status status = TARE_OK;
    int n_made = 0;
    for (; n_made < made; ++n_made)
        if (!(operand[n_in + n_made] = tare_record_take(rt))) {
            status = TARE_NO_MEMORY;
            goto failed;
        }
    ++rt->counts.infers;
    status = op->infer(&a, (const tare_desc_out *)(operand + n_in));
    TARE__TRACE(INFER);
    if (__builtin_expect(status == TARE_OK, 1) && !op->view && !op->execute)
        status = tare__variant_for(m, &a, operand, n_out, strided, &node.variant);
    if (__builtin_expect(status != TARE_OK, 0))
        goto failed;
    for (int o = 0; a.absent >> o; ++o) {
        if (a.absent >> o & 1 && o < made) {
            tare_record_drop(operand[n_in + o]);
            operand[n_in + o] = NULL;
        }
    }
    status = tare__outputs_take(m, &a, operand, n_out, n_aux, wants, flags);
    TARE__TRACE(ALLOCATE);
    if ((flags & TARE_DISPATCH_RUN) && __builtin_expect(status == TARE_OK, 1)) {
        status = tare__execute(m, &a, &node, n_in + made);
        TARE__TRACE(KERNEL);
    }
    if (__builtin_expect(status != TARE_OK, 0))
        goto failed;
    if (wants || !(flags & TARE_DISPATCH_RUN)) {
        if (__builtin_expect(!tare__record(m, &a, &node, flags & TARE_DISPATCH_RUN), 0)) {
            status = TARE_NO_MEMORY;
            goto failed;
        }
        rt->counts.tape_nodes += flags & TARE_DISPATCH_RUN ? 1 : 0;
        TARE__TRACE(APPEND);
    }

    for (int o = 0; o < made; ++o) {
        tare_value *v = operand[n_in + o];
        bool aux_on_tape = o >= n_out && flags & TARE_DISPATCH_RUN; /* the node alone keeps it */
        if (v && (aux_on_tape || !own(m, v))) {
            tare_record_drop(v);
            status = aux_on_tape ? status : TARE_NO_MEMORY;
        }
        if (o < n_out)
            out[o] = v;
    }
    for (int i = 0; i < n_in; ++i)
        if (given[i] && given[i]->moved)
            tare__give_up(m, given[i], flags);
    return __builtin_expect(status == TARE_OK, 1) ? TARE_OK : tare__dispatch_failed(m, op, out, n_out, status);

failed:
    for (int o = 0; o < n_made; ++o)
        if (operand[n_in + o])
            tare_record_drop(operand[n_in + o]);
    return tare__dispatch_failed(m, op, out, n_out, status);
}

#endif
