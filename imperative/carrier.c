/* carrier.c - see carrier.h. */
#include "carrier.h"

#include <string.h>

#include "imperative.h"
#include "imperative_private.h"

/* What the captured program says of a node, and whose slots its end empties. */
typedef struct {
    const tare_node *node; /* the plan's, with its work; a view: the program's */
    const tare_call *call; /* NULL: a view */
    int32_t dies, n_dies;  /* of tare_carrier.dying */
} captured_node;

struct tare_carrier {
    tare_mode *mode;
    tare_carried carried;
    int combination;
    int32_t cursor, n, n_values; /* nodes and values of the program */
    captured_node *node;
    int32_t *dying; /* value ids, by the node that reads them last */
    tare_value *
        *slot;     /* by value id, each a handle: outside ones for good, others from their node to their last reader */
    bool *result;  /* by value id: there to the end of the step */
    int32_t *last; /* by value id: the node that reads it last */
    tare_arena arena; /* all of these */
};

static tare_carrier *of(tare_mode *m)
{
    return ((tare__imperative *)m)->carrier;
}

/* ---- the body ------------------------------------------------------------------------------------------------*/

static tare_status strayed(tare_carrier *c, const tare_op *op, const void *attr, tare_value **out)
{
    const char *captured = c->cursor < c->n ? c->carried.program->node[c->cursor].op->name : "nothing more";
    tare_args a = {.op = op, .path = c->mode->path};
    tare_status status =
        c->mode->error ? c->mode->error : tare_op_error(&a, TARE_IMPOSSIBLE, "%s was captured here", captured);
    return tare__dispatch_failed(c->mode, op, attr, out, status);
}

static inline void empty_slots(tare_carrier *c, const captured_node *n)
{
    for (int32_t k = n->dies; k < n->dies + n->n_dies; ++k) {
        tare_value **slot = &c->slot[c->dying[k]];
        if (*slot)
            tare_record_drop(*slot);
        *slot = NULL;
    }
}

/* The flags of dispatch for a combination. */
static inline int flags_of(int how)
{
    return TARE_DISPATCH_RUN | (how & TARE_CARRY_CHOSEN ? 0 : TARE_DISPATCH_BOUND) |
           (how & TARE_CARRY_INFERRED ? 0 : TARE_DISPATCH_FROZEN) |
           (how & TARE_CARRY_POOLED ? 0 : TARE_DISPATCH_PLANNED) | (how & TARE_CARRY_TAPED ? 0 : TARE_DISPATCH_SLOTS) |
           (how & TARE_CARRY_QUEUED ? TARE_DISPATCH_QUEUED : 0);
}

static inline __attribute__((always_inline)) tare_status carry(tare_mode *m, const tare_op *op, const void *attr,
                                                               tare_value *const *in, int n_in, tare_value **out,
                                                               uint32_t absent, const int how, const int traced)
{
    tare_carrier *c = of(m);
    _Alignas(16) char parsed[TARE__ATTRIBUTE_BYTES];
    if ((how & TARE_CARRY_NAMED) && tare__imperative_named(m, op)) {
        const tare_op *found = tare__imperative_find(m, op, attr, parsed);
        if (!found)
            return tare__dispatch_failed(m, op, attr, out, m->error);
        attr = attr ? parsed : NULL;
        op = found;
    }
    /* copies that dispatch will put before this node come first in the program */
    const tare_node *node = c->carried.program->node;
    int32_t at = c->cursor;
    while (at < c->n && node[at].op != op && node[at].op == m->runtime->copy)
        ++at;
    if (__builtin_expect(at >= c->n || node[at].op != op || m->error, 0))
        return strayed(c, op, attr, out);
    const captured_node *n = &c->node[at];
    const tare__decided given = {n->node, n->call, c->carried.storage, c->slot, at > c->cursor ? c->cursor : -1};
    tare_status status = tare__dispatch(m, tare_runtime_kernels(m->runtime, op), op, attr, in, n_in, out, absent,
                                        flags_of(how) | traced, tare__imperative_own, &given);
    c->cursor = at + 1;
    if (!(how & TARE_CARRY_TAPED))
        empty_slots(c, n);
    return status;
}

#define COMBINATION(n)                                                                                                 \
    static tare_status apply_##n(tare_mode *m, const tare_op *op, const void *attr, tare_value *const *in, int n_in,   \
                                 tare_value **out, uint32_t absent)                                                    \
    {                                                                                                                  \
        return carry(m, op, attr, in, n_in, out, absent, n, 0);                                                        \
    }
#define ENTRY(n)    [n] = apply_##n,
#define EIGHT(X, n) X(n##0) X(n##1) X(n##2) X(n##3) X(n##4) X(n##5) X(n##6) X(n##7)
#define ALL(X)      EIGHT(X, 00) EIGHT(X, 01) EIGHT(X, 02) EIGHT(X, 03) EIGHT(X, 04) EIGHT(X, 05) EIGHT(X, 06) EIGHT(X, 07)
ALL(COMBINATION)
static tare__apply_function *const apply_of[TARE_CARRY_COMBINATIONS] = {ALL(ENTRY)};

/* Traced, what is switched off is a test: these are not timed. */
static tare_status apply_traced(tare_mode *m, const tare_op *op, const void *attr, tare_value *const *in, int n_in,
                                tare_value **out, uint32_t absent)
{
    return carry(m, op, attr, in, n_in, out, absent, of(m)->combination, TARE_DISPATCH_TRACED);
}

static tare_status gradient_traced(tare_mode *m, const tare_op *op, const void *attr, tare_value *const *in, int n_in,
                                   tare_value **out, uint32_t absent)
{
    return carry(m, op, attr, in, n_in, out, absent, of(m)->combination & ~TARE_CARRY_NAMED, TARE_DISPATCH_TRACED);
}

/* ---- a step --------------------------------------------------------------------------------------------------*/

static void install(tare_mode *m)
{
    tare_carrier *c = of(m);
    bool traced = m->runtime->trace.event;
    if (!m->capturing)
        return;
    m->apply = traced ? apply_traced : apply_of[c->combination];
    ((tare__imperative *)m)->direct = traced ? gradient_traced : apply_of[c->combination & ~TARE_CARRY_NAMED];
}

/* A function captured apart is run node by node too, as it was traced into the program. */
void tare_carrier_begin(tare_carrier *c)
{
    c->cursor = 0;
    c->mode->capturing = true;
    install(c->mode);
}

static void run_node(tare_carrier *c, const tare_node *n)
{
    tare_mode *m = c->mode;
    tare_value *in[TARE_OPERANDS_MOST], *out[TARE_OPERANDS_MOST];
    for (int i = 0; i < n->n_in; ++i)
        in[i] = n->operand[i] ? c->slot[n->operand[i]->id] : NULL;
    m->scope_begin(m, n->path);
    (void)m->apply(m, n->op, n->attr, in, n->n_in, out, n->absent & (uint32_t)((UINT64_C(1) << n->n_out) - 1));
    m->scope_end(m, NULL, 0);
}

static void leave_gradients(tare_carrier *c)
{
    for (int k = 0; k < c->carried.n_leaves; ++k) {
        tare_value *leaf = c->carried.leaf[k];
        tare_value_clear_gradient(leaf);
        leaf->gradient = tare_value_share(c->slot[c->carried.gradient[k]]);
    }
}

tare_status tare_carrier_rest(tare_carrier *c)
{
    tare_mode *m = c->mode;
    bool recording = m->recording;
    m->recording = false;
    m->apply = ((tare__imperative *)m)->direct;
    while (c->cursor < c->n && m->error == TARE_OK)
        run_node(c, &c->carried.program->node[c->cursor]);
    m->recording = recording;
    if (m->error == TARE_OK)
        leave_gradients(c);
    return m->error;
}

static void empty(tare_carrier *c, int32_t id)
{
    if (c->slot[id])
        tare_record_drop(c->slot[id]);
    c->slot[id] = NULL;
}

void tare_carrier_end(tare_carrier *c)
{
    tare_mode *m = c->mode;
    for (int32_t k = 0; k < c->carried.n_results; ++k)
        if (!c->carried.outside[c->carried.result[k]])
            empty(c, c->carried.result[k]);
    for (int32_t id = 0; m->error && id < c->n_values; ++id)
        if (!c->carried.outside[id])
            empty(c, id);
    m->capturing = false;
    tare_imperative_retrace(m);
}

/* ---- beginning and end ---------------------------------------------------------------------------------------*/

static void *take(tare_carrier *c, int32_t n, size_t size, tare_status *status)
{
    void *block = tare_arena_take(&c->arena, ((size_t)n + 1) * size);
    if (block)
        memset(block, 0, ((size_t)n + 1) * size);
    else
        *status = TARE_NO_MEMORY;
    return block;
}

/* Which node of the program makes the operands of a plan's. */
static int32_t index_of(const tare_node *n)
{
    int o = n->n_in;
    while (!n->operand[o])
        ++o;
    return n->operand[o]->node;
}

/* The plan's calls beside the program's nodes; views have none. */
static tare_status take_calls(tare_carrier *c)
{
    const tare_carried *carried = &c->carried;
    int before = -1, n_views = 0;
    for (int32_t i = 0; i < c->n; ++i) {
        c->node[i].node = &carried->program->node[i];
        n_views += carried->program->node[i].op->view != NULL;
    }
    for (int k = 0; k < carried->n_calls; ++k) {
        int at = index_of(carried->node[k]);
        if (at <= before || at >= c->n)
            return tare_error(TARE_IMPOSSIBLE, "a carrier needs a plan in the order of its program");
        c->node[at].node = carried->node[k];
        c->node[at].call = &carried->call[k];
        before = at;
    }
    if (carried->n_calls + n_views != c->n)
        return tare_error(TARE_IMPOSSIBLE, "a carrier needs a plan of all nodes of its program");
    return TARE_OK;
}

/* A counting sort of the values that the program makes by their last reader, or their maker where nobody reads them. */
static void list_dying(tare_carrier *c)
{
    int32_t n = 0;
    for (int32_t i = 0; i < c->n; ++i) {
        const tare_node *node = &c->carried.program->node[i];
        for (int k = 0; k < node->n_in + node->n_out + node->n_aux; ++k)
            if (node->operand[k])
                c->last[node->operand[k]->id] = i;
    }
    for (int32_t k = 0; k < c->carried.n_results; ++k)
        c->result[c->carried.result[k]] = true;
    for (int32_t id = 0; id < c->n_values; ++id)
        if (!c->carried.outside[id] && !c->result[id])
            ++c->node[c->last[id]].n_dies;
    for (int32_t i = 0; i < c->n; ++i) {
        c->node[i].dies = n;
        n += c->node[i].n_dies;
        c->node[i].n_dies = 0;
    }
    for (int32_t id = 0; id < c->n_values; ++id)
        if (!c->carried.outside[id] && !c->result[id]) {
            captured_node *at = &c->node[c->last[id]];
            c->dying[at->dies + at->n_dies++] = id;
        }
}

tare_status tare_carrier_new(tare_mode *m, const tare_carried *carried, int combination, tare_carrier **out)
{
    tare_memory *memory = &m->runtime->memory;
    tare_carrier *c = tare_memory_take_zeroed(memory, TARE_MEMORY_RECORD, 1, sizeof *c);
    tare_status status = c ? TARE_OK : TARE_NO_MEMORY;
    if (!c)
        return status;
    *c = (tare_carrier){.mode = m,
                        .carried = *carried,
                        .combination = combination,
                        .n = carried->program->n,
                        .n_values = carried->program->n_values,
                        .arena = {.memory = memory}};
    c->node = take(c, c->n, sizeof *c->node, &status);
    c->dying = take(c, c->n_values, sizeof *c->dying, &status);
    c->slot = take(c, c->n_values, sizeof *c->slot, &status);
    c->result = take(c, c->n_values, sizeof *c->result, &status);
    c->last = take(c, c->n_values, sizeof *c->last, &status);
    if (status == TARE_OK)
        status = take_calls(c);
    if (status != TARE_OK) {
        tare_carrier_free(c);
        return status;
    }
    for (int32_t id = 0; id < c->n_values; ++id)
        if (carried->outside[id])
            c->slot[id] = tare_value_share(carried->outside[id]);
    list_dying(c);
    ((tare__imperative *)m)->carry = install;
    ((tare__imperative *)m)->carrier = c;
    *out = c;
    return TARE_OK;
}

void tare_carrier_free(tare_carrier *c)
{
    if (!c)
        return;
    tare__imperative *im = (tare__imperative *)c->mode;
    im->carry = NULL;
    im->carrier = NULL;
    for (int32_t id = 0; c->slot && id < c->n_values; ++id)
        empty(c, id);
    tare_arena_fini(&c->arena);
    tare_memory_give(&c->mode->runtime->memory, TARE_MEMORY_RECORD, c, sizeof *c);
}
