/* imperative.c - the imperative mode: scopes over dispatch, a tape that is a program, backward over it.
 *
 * Every value made in a scope has its handle in one list; a scope is a mark in it. Ending a scope walks the list down
 * to the mark. A value given up early (tare_move) or handed to an inner scope stays listed for its record alone: whose
 * handle it is stands in value->depth. */
#include "imperative.h"

#include "../core/gradient.h"
#include "imperative_private.h"

typedef tare__imperative imperative;

static imperative *of(tare_mode *m)
{
    return (imperative *)m;
}

/* ---- the list of handles
 * --------------------------------------------------------------------------------------------*/
bool tare__imperative_grow(tare_mode *m, void **list, int32_t *capacity, size_t item)
{
    int32_t wanted = *capacity ? *capacity * 2 : 64;
    void *grown = tare_memory_resize(&m->runtime->memory, TARE_MEMORY_RECORD, *list, (size_t)*capacity * item,
                                     (size_t)wanted * item);
    if (!grown)
        return false;
    *list = grown;
    *capacity = wanted;
    return true;
}

/* ---- apply
 * ----------------------------------------------------------------------------------------------------------*/
static tare_status refuse_outside(tare_mode *m, const tare_op *op, const void *attr, tare_value **out)
{
    tare_args a = {.op = op};
    tare_status status = m->error ? m->error : tare_op_error(&a, TARE_BAD_ARGUMENT, "no scope is open (scope_begin)");
    return tare__dispatch_failed(m, op, attr, out, status);
}

static tare_status apply(tare_mode *m, const tare_op *op, const void *attr, tare_value *const *in, int n_in,
                         tare_value **out, uint32_t absent)
{
    if (__builtin_expect(m->depth == 0, 0))
        return refuse_outside(m, op, attr, out);
    const tare_kernels *k = tare_runtime_kernels(m->runtime, op);
    if (__builtin_expect(k->plain, 1))
        return tare__dispatch(m, k, op, attr, in, n_in, out, absent, TARE_DISPATCH_RUN | TARE_DISPATCH_PLAIN,
                              tare__imperative_own, NULL);
    return tare__dispatch(m, k, op, attr, in, n_in, out, absent, TARE_DISPATCH_RUN, tare__imperative_own, NULL);
}

static void tell(const tare_mode *m, tare_event event, const tare_op *op, const char *path)
{
    const tare_trace *trace = &m->runtime->trace;
    if (trace->event)
        tare_trace_tell(trace, event, &(tare_node){.op = op, .path = path});
}

static tare_status apply_told(tare_mode *m, const tare_op *op, const void *attr, tare_value *const *in, int n_in,
                              tare_value **out, uint32_t absent)
{
    if (__builtin_expect(m->depth == 0, 0))
        return refuse_outside(m, op, attr, out);
    const tare_kernels *k = tare_runtime_kernels(m->runtime, op);
    return tare__dispatch(m, k, op, attr, in, n_in, out, absent, TARE_DISPATCH_RUN | TARE_DISPATCH_TRACED,
                          tare__imperative_own, NULL);
}

static tare_status apply_traced(tare_mode *m, const tare_op *op, const void *attr, tare_value *const *in, int n_in,
                                tare_value **out, uint32_t absent)
{
    tell(m, TARE_EVENT_CALL, op, m->path);
    return apply_told(m, op, attr, in, n_in, out, absent);
}

const tare_op *tare__imperative_find(tare_mode *m, const tare_op *op, const void *attr, void *parsed)
{
    char text[TARE__ATTRIBUTE_TEXT];
    tare_runtime *rt = m->runtime;
    tell(m, TARE_EVENT_CALL, op, m->path);
    tare_attr_print(op->attrs, op->n_attrs, attr, text, sizeof text);
    const tare_op *found = tare_find(rt, TARE_KIND_OPERATOR, op->name);
    tell(m, TARE_EVENT_LOOKUP, op, m->path);
    if (!found) {
        m->error = TARE_NOT_FOUND;
        return NULL;
    }
    ++rt->counts.parses;
    m->error = tare_attr_parse(found->name, found->attrs, found->n_attrs, text, parsed);
    tell(m, TARE_EVENT_PARSE, op, m->path);
    return m->error ? NULL : found;
}

static tare_status apply_by_name(tare_mode *m, const tare_op *op, const void *attr, tare_value *const *in, int n_in,
                                 tare_value **out, uint32_t absent)
{
    _Alignas(16) char parsed[TARE__ATTRIBUTE_BYTES];
    if (!tare__imperative_named(m, op))
        return of(m)->direct(m, op, attr, in, n_in, out, absent);
    const tare_op *found = tare__imperative_find(m, op, attr, parsed);
    if (!found)
        return tare__dispatch_failed(m, op, attr, out, m->error);
    return of(m)->found(m, found, attr ? parsed : NULL, in, n_in, out, absent);
}

static void scope_end(tare_mode *, tare_value **keep, int n);

static void scope_end_traced(tare_mode *m, tare_value **keep, int n)
{
    const char *path = m->path;
    scope_end(m, keep, n);
    tell(m, TARE_EVENT_FREE, NULL, path);
}

void tare_imperative_retrace(tare_mode *m)
{
    imperative *im = of(m);
    bool traced = m->runtime->trace.event;
    im->direct = traced ? apply_traced : apply;
    im->found = traced ? apply_told : apply;
    m->scope_end = traced ? scope_end_traced : scope_end;
    m->apply = im->by_name ? apply_by_name : im->direct;
    if (im->carry)
        im->carry(m);
}

void tare_imperative_by_name(tare_mode *m, bool by_name)
{
    of(m)->by_name = by_name;
    tare_imperative_retrace(m);
}

/* ---- scopes
 * ---------------------------------------------------------------------------------------------------------*/
static void enter_outermost(tare_mode *m)
{
    if (!pthread_equal(pthread_self(), m->runtime->owner) && m->error == TARE_OK)
        m->error = tare_error(TARE_WRONG_THREAD, "the runtime belongs to another thread (tare_runtime_adopt)");
    of(m)->float_before = tare_float_enter();
}

static void scope_begin(tare_mode *m, const char *path)
{
    imperative *im = of(m);
    if (m->depth >= im->capacity_scopes &&
        !tare__imperative_grow(m, (void **)&im->scopes, &im->capacity_scopes, sizeof *im->scopes)) {
        if (m->error == TARE_OK)
            m->error = TARE_NO_MEMORY;
        ++im->refused;
        return;
    }
    if (m->depth == 0)
        enter_outermost(m);
    im->scopes[m->depth++] = (tare__scope){im->n_owned, m->path};
    if (path)
        m->path = path;
}

enum { LET_GO = 0, GIVEN_UP = -1, PROMOTED = -2 };

/* A result goes to the scope around; outermost each entry is a handle of the caller's. */
static void promote(tare_mode *m, tare_value **keep)
{
    tare_value *v = *keep;
    if (!v || v->poison)
        return;
    if (v->depth == m->depth) {
        ++v->refs; /* for the list of the scope around, or the caller */
        v->depth = PROMOTED;
    } else if (v->depth == GIVEN_UP || !v->storage) {
        if (m->error == TARE_OK)
            m->error = tare_error(TARE_BAD_ARGUMENT, "scope_end keeps a value that was given up by tare_move");
        *keep = &m->poison;
    } else if (m->depth == 1) {
        tare_record_share(v);
    }
}

static void settle_promoted(tare_mode *m, tare_value *v)
{
    imperative *im = of(m);
    if (v->poison)
        return;
    if (v->depth == PROMOTED) {
        v->depth = m->depth;
        if (m->depth > 0)
            im->owned[im->n_owned++] = v; /* there is room: it stood in the inner list */
    }
    if (m->depth == 0 && v->node == TARE_SPENT) { /* the tape is gone: from now on a leaf */
        v->node = -1;
        v->program = NULL;
        v->wants_gradient = false;
    }
}

/* The end of a scope that had no memory to begin: nothing is let go, and kept outermost there are only the caller's. */
static void end_refused(tare_mode *m, tare_value **keep, int n)
{
    imperative *im = of(m);
    if (im->refused == 0)
        return; /* an end without a begin */
    --im->refused;
    for (int i = 0; m->depth == 0 && i < n; ++i)
        if (keep[i])
            (void)tare_value_share(keep[i]);
}

/* What a device that queues has met by now; the rest comes with a later scope, a read or a wait. */
static void raise_fault(tare_mode *m)
{
    tare_device *d = m->runtime->device;
    tare_device_flush(d);
    if (__builtin_expect(tare_device_faulted(d), 0) && m->error == TARE_OK)
        m->error = d->wait(d);
}

static void scope_end(tare_mode *m, tare_value **keep, int n)
{
    imperative *im = of(m);
    if (__builtin_expect(m->depth == 0 || im->refused > 0, 0)) {
        end_refused(m, keep, n);
        return;
    }
    for (int i = 0; i < n; ++i)
        promote(m, &keep[i]);
    tare__scope s = im->scopes[m->depth - 1];
    for (int32_t i = im->n_owned - 1; i >= s.mark; --i) {
        tare_value *v = im->owned[i];
        if (v->depth == m->depth) {
            v->depth = LET_GO; /* who else holds it may keep it again: a gradient, a handle shared */
            tare_record_unhold(v);
        }
        tare_record_unref(v);
    }
    im->n_owned = s.mark;
    m->path = s.path;
    if (--m->depth == 0) {
        tare_program_clear(&im->tape);
        raise_fault(m);
    }
    for (int i = 0; i < n; ++i)
        if (keep[i])
            settle_promoted(m, keep[i]);
    if (m->depth == 0)
        tare_float_leave(im->float_before);
}

static void adopt(tare_mode *m, tare_value *const *in, int n)
{
    for (int i = 0; i < n; ++i) {
        tare_value *v = in[i];
        if (!v || !v->moved)
            continue;
        v->moved = false;
        if (v->depth == m->depth - 1 && m->depth > 1 && tare__imperative_own(m, v)) {
            ++v->refs;
            v->depth = m->depth;
        }
    }
}

/* ---- backward
 * -------------------------------------------------------------------------------------------------------*/
static tare_status backward(tare_mode *m, tare_value *const *root, tare_value *const *head, int n, bool keep)
{
    if (m->depth == 0 && m->error == TARE_OK)
        m->error = tare_error(TARE_BAD_ARGUMENT, "backward: no scope is open (scope_begin)");
    if (m->error)
        return m->error;
    m->apply = of(m)->direct;
    tare_status status = tare_reverse(m, root, head, n, keep);
    tare_imperative_retrace(m);
    if (!keep)
        tare_program_trim(&of(m)->tape);
    return status;
}

static tare_value *gradient(tare_mode *m, tare_value *leaf)
{
    (void)m;
    return leaf->gradient;
}

/* ---- beginning and end
 * ----------------------------------------------------------------------------------------------*/
tare_status tare_imperative_new(tare_runtime *rt, tare_mode **out)
{
    imperative *im = tare_memory_take_zeroed(&rt->memory, TARE_MEMORY_RECORD, 1, sizeof *im);
    if (!im)
        return TARE_NO_MEMORY;
    tare_mode *m = &im->mode;
    tare_mode_init(m, rt);
    tare_program_init(&im->tape, rt);
    m->scope_begin = scope_begin;
    m->adopt = adopt;
    m->backward = backward;
    m->gradient = gradient;
    m->program = &im->tape;
    tare_imperative_retrace(m);
    *out = m;
    return TARE_OK;
}

void tare_imperative_free(tare_mode *m)
{
    if (!m)
        return;
    imperative *im = of(m);
    tare_memory *memory = &m->runtime->memory;
    while (m->depth > 0)
        scope_end(m, NULL, 0);
    tare_program_fini(&im->tape);
    tare_mode_fini(m);
    tare_memory_give(memory, TARE_MEMORY_RECORD, im->owned, (size_t)im->capacity_owned * sizeof *im->owned);
    tare_memory_give(memory, TARE_MEMORY_RECORD, im->scopes, (size_t)im->capacity_scopes * sizeof *im->scopes);
    tare_memory_give(memory, TARE_MEMORY_RECORD, im, sizeof *im);
}
