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

enum {
    TARE_DISPATCH_RUN = 1,
    TARE_DISPATCH_TRACED = 2,
    TARE_DISPATCH_PLAIN = 4, /* tare_kernels.plain: the loops and tests for all else are not in the code */
    /* What a captured program has decided before, node by node (tare__decided): */
    TARE_DISPATCH_FROZEN = 8,   /* shapes and dtypes are the captured ones, nothing is inferred */
    TARE_DISPATCH_BOUND = 16,   /* so are variant, geometry and pieces, nothing is chosen or prepared */
    TARE_DISPATCH_PLANNED = 32, /* results and scratch lie where the plan has them, nothing is taken */
    TARE_DISPATCH_QUEUED = 64,  /* calls are handed to the device, whatever its kind */
    TARE_DISPATCH_SLOTS = 128   /* operands are kept in slots for captured gradient nodes, and no tape is written */
};

/* Operands of an operator with a kernel at the most; one made at run time may have more. */
enum { TARE_OPERANDS_MOST = 48 };

/* What one dispatch works on, all on the stack. ptr is what a kernel gets. */
typedef struct {
    tare_args args;
    const tare_variant *variant;
    int n_out, n_aux;
    bool wants;
    tare_value **operand;
    void **ptr;
} tare__apply;

/* The captured node that a dispatch repeats, where flags ask for it. */
typedef struct {
    const tare_node *node;
    const tare_call *call; /* of the plan's instance: ptr has its addresses; NULL: a view */
    tare_storage *arena;   /* that they lie in */
    tare_value **slot;     /* by value id, each a handle; NULL: not there */
    int32_t first_copy;    /* nodes of the program from here up to `node` are copies that its inputs need */
} tare__decided;

/* The rare paths (mode.c). failed: sets the mode's first error and fills out[] with poison. inputs: the sentence for an
 * input that cannot be used, or OK after all. copies: a further apply of `copy` for each input in the set. tied_views:
 * the sentence for a view that would be written in place, or OK. */
tare_status tare__dispatch_failed(tare_mode *, const tare_op *, const void *attr, tare_value **out, tare_status);
tare_status tare__dispatch_inputs(const tare_mode *, const tare_op *, tare_value *const *in, int n_in, bool run);
tare_status tare__dispatch_absent(const tare_mode *, const tare_op *);
tare_status tare__dispatch_no_kernel(const tare_args *, bool registered);
tare_status tare__dispatch_copies(tare_mode *, uint32_t copies, tare__apply *);
tare_status tare__dispatch_tied_views(const tare__apply *);
tare_status tare__dispatch_undo(tare_mode *, tare__apply *, int n_made, tare_value **out, tare_status);
/* Hands a call to the device, which may queue it, and gives its scratch back: what is queued later may have it. */
tare_status tare__dispatch_run(tare_mode *, const tare__apply *, tare_call *, tare_storage *scratch);
void tare__dispatch_ties(const tare__apply *);
tare_status tare__dispatch_block(tare_mode *, tare__apply *);
tare_status tare__dispatch_execute(tare_mode *, const tare__apply *);
/* The declared copies that the captured node read. */
tare_status tare__dispatch_given_copies(tare_mode *, const tare__decided *, tare__apply *);

/* With strided inputs, or outputs whose rows are apart (`apart`, by bit): of the set that contiguous ones would have
 * (ours, BLAS, reference), the first variant that takes them as they are; else the one that contiguous ones would have,
 * and in *copies the inputs that it does not take; NULL if those are outputs. */
const tare_variant *tare__choose_strided(const tare_kernels *, const tare_args *, uint32_t dtype, uint32_t strided,
                                         uint32_t apart, uint32_t *copies);

static inline const tare_variant *tare__choose(const tare_kernels *k, const tare_args *a, uint32_t dtype)
{
    for (const tare_variant *v = k->variant, *end = v + k->n; v < end; ++v)
        if ((v->dtypes & dtype) && (!v->fits || v->fits(a)))
            return v;
    return NULL;
}

/* Fills a node from the call; it borrows the call's operands. */
static inline void tare__describe(const tare__apply *c, tare_node *n)
{
    n->op = c->args.op;
    n->variant = c->variant;
    n->path = c->args.path;
    n->n_in = (int16_t)c->args.n_in;
    n->n_out = (int16_t)c->n_out;
    n->n_aux = (int16_t)c->n_aux;
    n->absent = c->args.absent;
}

static inline __attribute__((always_inline)) void tare__trace(tare_mode *m, tare__apply *c, tare_event event,
                                                              const int flags)
{
    if (!(flags & TARE_DISPATCH_TRACED))
        return;
    const tare_trace *trace = &m->runtime->trace;
    if (event >= TARE_EVENT_CHECK && !trace->fine)
        return;
    for (int k = 0; k <= trace->again; ++k) { /* all of a probe is repeated */
        tare_node n = {.attr = c->args.attr, .operand = c->operand};
        tare__describe(c, &n);
        trace->event(trace->owner, event, &n);
    }
}

/* The variant for the operands, with declared copies put in for those whose strides it does not take. */
static inline __attribute__((always_inline)) tare_status
tare__variant_for(tare_mode *m, tare__apply *c, const tare_kernels *k, uint32_t strided, const int flags)
{
    const tare_desc *first =
        c->operand[0] || (flags & TARE_DISPATCH_PLAIN) ? &c->operand[0]->d : &c->operand[c->args.n_in]->d;
    uint32_t dtype = TARE_BIT(first->dtype), copies = 0;
    if (__builtin_expect(!strided, 1))
        c->variant = tare__choose(k, &c->args, dtype);
    else
        c->variant = tare__choose_strided(k, &c->args, dtype, strided & ~c->args.op->shape_only, 0, &copies);
    if (__builtin_expect(!c->variant, 0))
        return tare__dispatch_no_kernel(&c->args, k->op != NULL);
    if (!(flags & TARE_DISPATCH_PLAIN) && c->variant->opaque)
        c->variant->opaque(&c->args, (const tare_desc_out *)(c->operand + c->args.n_in + c->n_out));
    return __builtin_expect(copies, 0) ? tare__dispatch_copies(m, copies, c) : TARE_OK;
}

/* Gives output o its flags and, when running, its bytes: its own, or those of the input that it is tied to or a view
 * of. */
static inline __attribute__((always_inline)) bool tare__output_take(tare_mode *m, tare__apply *c,
                                                                    const tare__decided *g, int o, const int flags)
{
    const tare_op *op = c->args.op;
    int at = c->args.n_in + o;
    tare_value *v = c->operand[at], *base = NULL;
    int64_t offset = 0;
    if (!(flags & TARE_DISPATCH_PLAIN)) {
        int tie = o < TARE_OPERANDS ? op->ties[o] : 0;
        base = tie ? c->operand[tie - 1] : op->view ? c->operand[0] : NULL;
        offset = op->view ? op->view(&c->args, o) : 0;
        v->view = op->view != NULL;
    }
    v->wants_gradient = c->wants && o < c->n_out && v->d.dtype <= TARE_F64; /* integers have no gradient */
    v->depth = m->depth;
    if (!(flags & TARE_DISPATCH_RUN)) {
        v->base = base;
        v->view_offset = offset;
        return true;
    }
    if (__builtin_expect(base != NULL, 0)) {
        v->storage = base->storage;
        ++v->storage->refs;
        v->address = (char *)base->address + offset * (int64_t)tare_dtype_bytes((tare_dtype)v->d.dtype);
    } else if (flags & TARE_DISPATCH_PLANNED) {
        v->storage = g->arena;
        ++g->arena->refs;
        v->address = g->call->ptr[at];
    } else {
        tare_storage *s = tare__storage_take_work(m->runtime, tare_desc_bytes(&v->d));
        if (__builtin_expect(!s, 0))
            return false;
        v->storage = s;
        v->address = s->base;
    }
    c->ptr[at] = v->address;
    return true;
}

/* Runs the kernel, prepared on this thread's stack or by the captured program; scratch comes from the pool for the time
 * of the call, or is the plan's. */
static inline __attribute__((always_inline)) tare_status tare__run(tare_mode *m, tare__apply *c, const tare__decided *g,
                                                                   const int flags)
{
    tare_runtime *rt = m->runtime;
    const tare_variant *v = c->variant;
    int total = c->args.n_in + c->n_out + c->n_aux;
    tare_work prepared;
    const tare_work *w = &prepared;
    if (flags & TARE_DISPATCH_BOUND) {
        w = g->node->work;
    } else {
        prepared.n_g = 0;
        prepared.n_pieces = 1;
        prepared.piece_bytes = prepared.worker_bytes = 0;
        v->prepare(&c->args, (const tare_desc_ref *)(c->operand + c->args.n_in), &prepared);
    }
    c->ptr[total] = c->ptr[total + 1] = NULL;
    tare_storage *scratch = NULL;
    if (flags & TARE_DISPATCH_PLANNED) {
        c->ptr[total] = g->call->ptr[total];
        c->ptr[total + 1] = g->call->ptr[total + 1];
    } else if (__builtin_expect((w->piece_bytes | w->worker_bytes) != 0, 0)) {
        size_t pieces = tare_work_piece_scratch(w);
        scratch = tare__storage_take_work(rt, pieces + tare_work_worker_scratch(w, rt->options.threads));
        if (!scratch)
            return TARE_NO_MEMORY;
        c->ptr[total] = w->piece_bytes ? scratch->base : NULL;
        c->ptr[total + 1] = w->worker_bytes ? (char *)scratch->base + pieces : NULL;
    }
    tare_call call = {v->run, v->combine, c->ptr, w->g, w->n_pieces, (int16_t)(total + 2), (int16_t)w->n_g, -1};
    tare__trace(m, c, TARE_EVENT_PREPARE, flags);
    if ((flags & TARE_DISPATCH_QUEUED) || !rt->device->direct || w->n_pieces != 1)
        return tare__dispatch_run(m, c, &call, scratch);
    ++rt->counts.kernel_calls;
    int error = v->run(&call, 0, 0);
    if (scratch)
        tare_storage_drop(scratch);
    return __builtin_expect(error, 0) ? tare__data_error(c->args.op->name, m->path) : TARE_OK;
}

/* Appends the node; each operand gets a ref, and on a tape those that the gradient needs a hold. */
static inline bool tare__append(tare_mode *m, const tare__apply *c, bool tape)
{
    tare_program *p = m->program;
    const tare_op *op = c->args.op;
    int n_in = c->args.n_in, total = n_in + c->n_out + c->n_aux;
    tare_node *n = tare_program_reserve(p, total, c->args.attr ? op->attr_bytes : 0, c->args.attr, tape);
    if (__builtin_expect(!n, 0))
        return false;
    tare__describe(c, n);
    for (int i = 0; i < total; ++i) {
        tare_value *v = n->operand[i] = c->operand[i];
        if (!v)
            continue;
        ++v->refs;
        if (tape && tare_node_needs(n, i)) {
            ++v->holds;
            n->version[i] = v->storage->version;
        }
        if (i >= n_in) {
            v->program = p;
            v->node = p->n;
        }
    }
    ++p->n;
    return true;
}

/* Puts what was made into the captured values' slots. */
static inline void tare__keep_in_slots(const tare__apply *c, const tare__decided *g)
{
    for (int i = c->args.n_in; i < c->args.n_in + c->n_out + c->n_aux; ++i)
        if (c->operand[i] && g->node->operand[i])
            g->slot[g->node->operand[i]->id] = tare_record_share(c->operand[i]);
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

/* g: the captured node, for the flags that ask for it. own(m, v) takes the handle of a new value over (imperative: the
 * scope's list; graph: the program's table); false: no memory. */
static inline __attribute__((always_inline)) tare_status
tare__dispatch(tare_mode *m, const tare_kernels *k, const tare_op *op, const void *attr, tare_value *const *given,
               int n_in, tare_value **out, uint32_t absent, const int flags, bool (*own)(tare_mode *, tare_value *),
               const tare__decided *g)
{
    const bool plain = flags & TARE_DISPATCH_PLAIN, run = flags & TARE_DISPATCH_RUN;
    tare_runtime *rt = m->runtime;
    tare_value *few_operands[TARE_OPERANDS_MOST];
    void *few_ptr[TARE_OPERANDS_MOST + 2];
    tare__apply c;
    c.operand = few_operands;
    c.ptr = few_ptr;
    tare_status status = TARE_OK;
    if (__builtin_expect(m->error || (plain && absent), 0))
        return tare__dispatch_failed(m, op, attr, out, m->error ? m->error : tare__dispatch_absent(m, op));
    if (__builtin_expect(rt->has_dropped, 0))
        tare__records_drain(rt);

    /* inputs: one look at each; anything odd goes to the slow check */
    bool wants = false, odd = n_in != op->n_in && (plain || !op->execute), moved = false, views = false;
    uint32_t strided = 0;
    int most = TARE_VARIABLE;
    if (!plain && op->execute) {
        most = n_in;
        c.operand = __builtin_alloca((size_t)(n_in + op->n_out + op->n_aux) * sizeof *c.operand);
        c.ptr = __builtin_alloca((size_t)(n_in + op->n_out + op->n_aux + 2) * sizeof *c.ptr);
    }
    for (int i = 0; i < n_in && i < most; ++i) {
        tare_value *v = given[i];
        c.operand[i] = v;
        c.ptr[i] = NULL;
        if (!v) {
            odd = true;
            continue;
        }
        odd |= v->runtime != rt;
        odd |= run && !v->address;
        wants |= v->wants_gradient;
        moved |= v->moved;
        strided |= (uint32_t)!v->d.contiguous << (i & 31);
        views |= !plain && v->view;
        c.ptr[i] = v->address;
    }
    if (__builtin_expect(odd, 0)) {
        status = tare__dispatch_inputs(m, op, given, n_in, run);
        if (status != TARE_OK)
            return tare__dispatch_failed(m, op, attr, out, status);
    }
    for (uint32_t s = plain ? 0 : op->shape_only; s; s &= s - 1)
        c.ptr[__builtin_ctz(s)] = NULL;
    c.wants = (wants || (!plain && op->wants)) && m->recording && (plain || !op->stops_gradient);
    c.args = (tare_args){op, attr, (const tare_desc_ref *)c.operand, n_in, absent, m->path, rt};
    c.variant = NULL;
    c.n_out = plain ? 1 : op->n_out >= 0 ? op->n_out : op->outputs(&c.args);
    c.n_aux = plain ? 0 : op->n_aux;
    const int made = plain ? 1 : c.n_out + c.n_aux;
    if (!plain && !op->execute && n_in + made > TARE_OPERANDS_MOST)
        return tare__dispatch_failed(m, op, attr, out,
                                     tare_op_error(&c.args, TARE_BAD_ARGUMENT, "%d operands (need at most %d)",
                                                   n_in + made, TARE_OPERANDS_MOST));
    if (c.n_aux && !c.wants)
        c.args.absent |= ((1u << c.n_aux) - 1) << c.n_out;
    if (!plain && __builtin_expect(views || strided, 0)) {
        status = tare__dispatch_tied_views(&c);
        if (status == TARE_OK && (strided & op->contiguous_only))
            status = tare__dispatch_copies(m, strided & op->contiguous_only, &c);
        if (status != TARE_OK)
            return tare__dispatch_failed(m, op, attr, out, status);
    }

    /* records, inference, variant */
    for (int o = 0; o < made; ++o) {
        tare_value *v = tare_record_take(rt);
        if (__builtin_expect(!v, 0))
            return tare__dispatch_undo(m, &c, o, out, TARE_NO_MEMORY);
        c.operand[n_in + o] = v;
    }
    tare__trace(m, &c, TARE_EVENT_CHECK, flags);
    if (flags & TARE_DISPATCH_FROZEN) {
        for (int o = 0; o < made; ++o)
            if (g->node->operand[n_in + o])
                c.operand[n_in + o]->d = g->node->operand[n_in + o]->d;
    } else {
        ++rt->counts.infers;
        status = op->infer(&c.args, (const tare_desc_out *)(c.operand + n_in));
    }
    tare__trace(m, &c, TARE_EVENT_INFER, flags);
    if (__builtin_expect(status == TARE_OK, 1) && (plain || (!op->view && !op->execute))) {
        if (flags & TARE_DISPATCH_BOUND) {
            c.variant = g->node->variant;
            if (!plain && !(flags & TARE_DISPATCH_FROZEN) && c.variant->opaque)
                c.variant->opaque(&c.args, (const tare_desc_out *)(c.operand + n_in + c.n_out));
            if (__builtin_expect(g->first_copy >= 0, 0))
                status = tare__dispatch_given_copies(m, g, &c);
        } else {
            status = tare__variant_for(m, &c, k, strided, flags);
        }
    }
    if (__builtin_expect(status != TARE_OK, 0))
        return tare__dispatch_undo(m, &c, made, out, status);

    tare__trace(m, &c, TARE_EVENT_CHOOSE, flags);

    /* bytes, run */
    if (!plain && op->execute && run && tare__dispatch_block(m, &c) != TARE_OK)
        return tare__dispatch_undo(m, &c, made, out, TARE_NO_MEMORY);
    for (int o = 0; o < made && (plain || !run || !op->execute); ++o) {
        if (!plain && o < 32 && c.args.absent >> o & 1) {
            tare_record_drop(c.operand[n_in + o]);
            c.operand[n_in + o] = NULL;
            c.ptr[n_in + o] = NULL;
        } else if (__builtin_expect(!tare__output_take(m, &c, g, o, flags), 0)) {
            return tare__dispatch_undo(m, &c, made, out, TARE_NO_MEMORY);
        }
    }
    tare__trace(m, &c, TARE_EVENT_ALLOCATE, flags);
    if (run) {
        if (plain || c.variant)
            status = tare__run(m, &c, g, flags);
        else if (op->execute)
            status = tare__dispatch_execute(m, &c);
        if (__builtin_expect(status != TARE_OK, 0))
            return tare__dispatch_undo(m, &c, made, out, status);
        if (!plain && !op->execute)
            tare__dispatch_ties(&c);
        if (plain || !op->execute) /* which tells of its own kernels */
            tare__trace(m, &c, TARE_EVENT_KERNEL, flags);
    }

    /* record, hand over */
    if (flags & TARE_DISPATCH_SLOTS) {
        tare__keep_in_slots(&c, g);
    } else if (c.wants || !run) {
        if (__builtin_expect(!tare__append(m, &c, run), 0))
            return tare__dispatch_undo(m, &c, made, out, TARE_NO_MEMORY);
        rt->counts.tape_nodes += run;
        tare__trace(m, &c, TARE_EVENT_APPEND, flags);
    }
    for (int o = 0; o < made; ++o) {
        tare_value *v = c.operand[n_in + o];
        if (!plain && v && o >= c.n_out && run)
            tare_record_drop(v); /* an auxiliary: the node alone keeps it */
        else if ((plain || v) && __builtin_expect(!own(m, v), 0)) {
            tare_record_drop(v);
            status = TARE_NO_MEMORY;
        }
        if (plain || o < c.n_out)
            out[o] = v;
    }
    for (int i = 0; (moved || strided) && i < n_in; ++i) {
        if (c.operand[i] != given[i]) /* a declared copy, which nobody else has: only what needs it keeps it */
            tare__give_up(m, c.operand[i], flags);
        if (given[i] && given[i]->moved)
            tare__give_up(m, given[i], flags);
    }
    tare__trace(m, &c, TARE_EVENT_HAND, flags);
    return __builtin_expect(status == TARE_OK, 1) ? TARE_OK : tare__dispatch_failed(m, op, attr, out, status);
}

#endif
