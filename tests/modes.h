/* modes.h - a sample run in both modes: now and on a tape, later and from a plan; outputs and gradients as bytes. */
#ifndef TARE_TESTS_MODES_H
#define TARE_TESTS_MODES_H

#include "../graph/graph.h"
#include "../imperative/imperative.h"
#include "sample.h"

/* What a mode made of a sample: outputs and the gradients of sum(outputs * heads). */
typedef struct {
    tare_status status;
    char text[512];
    int n_out;
    tare_desc d[TARE_OPERANDS];
    void *out[TARE_OPERANDS];
    void *gradient[SAMPLE_INPUTS]; /* NULL: none arrived */
} outcome;

static inline void outcome_fini(outcome *o)
{
    for (int k = 0; k < TARE_OPERANDS; ++k)
        free(o->out[k]);
    for (int i = 0; i < SAMPLE_INPUTS; ++i)
        free(o->gradient[i]);
}

static inline tare_status outcome_failed(outcome *o, tare_status status)
{
    if (status != TARE_OK && o->status == TARE_OK) {
        o->status = status;
        (void)snprintf(o->text, sizeof o->text, "%s", tare_error_text());
    }
    return o->status;
}

static inline bool differentiable(const tare_op *op)
{
    return op->gradient && !op->stops_gradient;
}

/* An output that a head goes to. */
static inline bool headed(const tare_op *op, int o, int dtype)
{
    return differentiable(op) && dtype_floats(dtype) && (o >= TARE_OPERANDS || !op->ties[o]);
}

static inline void head_fill(void *at, const tare_desc *d, int o)
{
    sample_fill(at, d, -1, 1, 1000 + (uint64_t)o);
}

static inline void *copy_out(const tare_value *v, outcome *o)
{
    size_t bytes = tare_desc_bytes(&v->d);
    void *at = malloc(bytes + 1);
    (void)outcome_failed(o, tare_value_read(v, at, bytes));
    return at;
}

/* Contiguous, whatever the strides of `like`. */
static inline tare_value *value_from(tare_runtime *rt, const tare_desc *like, const void *data, outcome *o)
{
    tare_value *v = NULL;
    tare_desc d = *like;
    tare_desc_pack(&d);
    if (outcome_failed(o, tare_value_new(rt, &d, TARE_MEMORY_INPUT, &v)) == TARE_OK)
        (void)outcome_failed(o, tare_value_write(v, data, tare_desc_bytes(&d)));
    return v;
}

/* ---- run now -------------------------------------------------------------------------------------------------------
 * spoil: bit k set: operand k (inputs, outputs, auxiliaries) of the recorded node gets bytes of 0xff between forward
 * and backward, unless a spared operand shares its storage. */
typedef struct {
    bool forward_only;
    uint64_t spoil;
} now_how;

static inline void spoil(tare_value *v)
{
    tare_device *d = v->runtime->device;
    size_t bytes = v->storage->bytes;
    void *rubbish = malloc(bytes + 1);
    /* opaque bytes are their kernel's own, which may trust them: 0 is a valid index */
    memset(rubbish, v->d.dtype == TARE_BYTES ? 0 : 0xff, bytes);
    (void)d->copy(d, v->storage->base, rubbish, bytes, TARE_COPY_TO_DEVICE);
    free(rubbish);
}

static inline void spoil_operands(const tare_mode *m, const tare_op *op, uint64_t operands)
{
    const tare_node *n = NULL;
    for (int32_t i = 0; i < m->program->n; ++i)
        if (m->program->node[i].op == op)
            n = &m->program->node[i];
    int total = n ? n->n_in + n->n_out + n->n_aux : 0;
    for (int k = 0; k < total; ++k) {
        tare_value *v = n->operand[k];
        bool spared = !v || !v->storage || !(operands >> k & 1);
        for (int j = 0; j < total && !spared; ++j)
            spared = !(operands >> j & 1) && n->operand[j] && n->operand[j]->storage == v->storage;
        if (!spared)
            spoil(v);
    }
}

static inline void now_backward(tare_mode *m, const sample *s, tare_value *const *in, tare_value *const *out,
                                outcome *o)
{
    tare_value *root[TARE_OPERANDS], *head[TARE_OPERANDS] = {0};
    int n = 0;
    for (int k = 0; k < o->n_out; ++k)
        if (out[k] && out[k]->wants_gradient && headed(s->op, k, out[k]->d.dtype)) {
            void *data = malloc(tare_desc_bytes(&out[k]->d) + 1);
            head_fill(data, &out[k]->d, k);
            root[n] = out[k];
            head[n++] = value_from(m->runtime, &out[k]->d, data, o);
            free(data);
        }
    if (n && o->status == TARE_OK)
        (void)outcome_failed(o, m->backward(m, root, head, n, false));
    for (int k = 0; k < n; ++k)
        tare_value_drop(head[k]);
    for (int i = 0; i < s->n_in && o->status == TARE_OK; ++i)
        if (in[i] && tare_value_gradient(in[i]))
            o->gradient[i] = copy_out(tare_value_gradient(in[i]), o);
}

static inline void run_now(tare_runtime *rt, const sample *s, now_how how, outcome *o)
{
    tare_mode *m = NULL;
    tare_value *in[SAMPLE_INPUTS] = {0}, *out[TARE_OPERANDS] = {0};
    *o = (outcome){.status = TARE_OK};
    if (outcome_failed(o, tare_imperative_new(rt, &m)) != TARE_OK)
        return;
    bool gradient = differentiable(s->op) && !how.forward_only;
    for (int i = 0; i < s->n_in && o->status == TARE_OK; ++i) {
        in[i] = s->present[i] ? value_from(rt, &s->d[i], s->data[i], o) : NULL;
        if (in[i] && gradient)
            tare_value_want_gradient(in[i], dtype_floats(s->d[i].dtype));
    }
    m->recording = gradient;
    m->scope_begin(m, "layer");
    if (o->status == TARE_OK)
        (void)outcome_failed(o, m->apply(m, s->op, s->attr, in, s->n_in, out, s->absent));
    if (o->status == TARE_OK) {
        tare_args a = {s->op, s->attr, (const tare_desc_ref *)in, s->n_in, s->absent, NULL};
        o->n_out = s->op->n_out >= 0 ? s->op->n_out : s->op->outputs(&a);
        for (int k = 0; k < o->n_out; ++k)
            if (out[k]) {
                o->d[k] = out[k]->d;
                o->out[k] = copy_out(out[k], o);
            }
        if (how.spoil)
            spoil_operands(m, s->op, how.spoil);
        if (gradient)
            now_backward(m, s, in, out, o);
    }
    m->scope_end(m, NULL, 0);
    for (int i = 0; i < s->n_in; ++i)
        tare_value_drop(in[i]);
    tare_imperative_free(m);
}

/* ---- run later --------------------------------------------------------------------------------------------------*/
typedef struct {
    tare_graph *graph;
    tare_plan *plan;
    tare_instance *run;
    tare_value *in[SAMPLE_INPUTS], *head[TARE_OPERANDS]; /* symbolic */
    tare_value *data[SAMPLE_INPUTS + TARE_OPERANDS];     /* bound, by placeholder */
    int n_data;
    int out_at[TARE_OPERANDS], gradient_at[SAMPLE_INPUTS]; /* numbers among the results; -1 */
} later;

static inline tare_value *placeholder(tare_runtime *rt, later *g, const tare_desc *like, const void *data,
                                      const char *name, outcome *o)
{
    tare_desc d = *like;
    tare_desc_pack(&d);
    tare_value *v = tare_graph_input(g->graph, &d, name);
    tare_value *bound = value_from(rt, &d, data, o);
    g->data[g->n_data++] = bound;
    (void)outcome_failed(o, tare_graph_mode(g->graph)->error);
    return v;
}

static inline int result(later *g, tare_value *v, int *n, outcome *o)
{
    return outcome_failed(o, tare_graph_output(g->graph, v)) == TARE_OK ? (*n)++ : -1;
}

static inline void capture(tare_runtime *rt, later *g, const sample *s, outcome *o)
{
    tare_mode *m = tare_graph_mode(g->graph);
    tare_value *out[TARE_OPERANDS] = {0}, *root[TARE_OPERANDS], *head[TARE_OPERANDS];
    int n_roots = 0, n_results = 0;
    for (int i = 0; i < s->n_in && o->status == TARE_OK; ++i) {
        g->in[i] = s->present[i] ? placeholder(rt, g, &s->d[i], s->data[i], "input", o) : NULL;
        if (g->in[i] && o->status == TARE_OK)
            tare_value_want_gradient(g->in[i], differentiable(s->op) && dtype_floats(s->d[i].dtype));
    }
    m->recording = differentiable(s->op);
    if (o->status != TARE_OK ||
        outcome_failed(o, m->apply(m, s->op, s->attr, g->in, s->n_in, out, s->absent)) != TARE_OK)
        return;
    tare_args a = {s->op, s->attr, (const tare_desc_ref *)g->in, s->n_in, s->absent, NULL};
    o->n_out = s->op->n_out >= 0 ? s->op->n_out : s->op->outputs(&a);
    for (int k = 0; k < o->n_out && o->status == TARE_OK; ++k) {
        if (!out[k])
            continue;
        o->d[k] = out[k]->d;
        g->out_at[k] = result(g, out[k], &n_results, o);
        if (out[k]->wants_gradient && headed(s->op, k, out[k]->d.dtype)) {
            void *data = malloc(tare_desc_bytes(&out[k]->d) + 1);
            head_fill(data, &out[k]->d, k);
            root[n_roots] = out[k];
            head[n_roots++] = placeholder(rt, g, &out[k]->d, data, "head", o);
            free(data);
        }
    }
    if (n_roots && o->status == TARE_OK)
        (void)outcome_failed(o, m->backward(m, root, head, n_roots, false));
    for (int i = 0; n_roots && i < s->n_in && o->status == TARE_OK; ++i)
        if (g->in[i] && m->gradient(m, g->in[i]))
            g->gradient_at[i] = result(g, m->gradient(m, g->in[i]), &n_results, o);
}

static inline void replay(later *g, const sample *s, outcome *o)
{
    if (outcome_failed(o, tare_plan_new(g->graph, NULL, &g->plan)) != TARE_OK ||
        outcome_failed(o, tare_instance_new(g->plan, &g->run)) != TARE_OK)
        return;
    for (int i = 0; i < g->n_data && o->status == TARE_OK; ++i)
        (void)outcome_failed(o, tare_instance_bind(g->run, i, g->data[i]));
    if (o->status != TARE_OK || outcome_failed(o, tare_instance_run(g->run)) != TARE_OK)
        return;
    for (int k = 0; k < o->n_out; ++k)
        if (g->out_at[k] >= 0)
            o->out[k] = copy_out(tare_instance_output(g->run, g->out_at[k]), o);
    for (int i = 0; i < s->n_in; ++i)
        if (g->gradient_at[i] >= 0)
            o->gradient[i] = copy_out(tare_instance_output(g->run, g->gradient_at[i]), o);
}

static inline void run_later(tare_runtime *rt, const sample *s, outcome *o)
{
    later g = {0};
    memset(g.out_at, 0xff, sizeof g.out_at);
    memset(g.gradient_at, 0xff, sizeof g.gradient_at);
    *o = (outcome){.status = TARE_OK};
    if (outcome_failed(o, tare_graph_new(rt, &g.graph)) == TARE_OK) {
        tare_mode *m = tare_graph_mode(g.graph);
        m->scope_begin(m, "layer");
        capture(rt, &g, s, o);
        m->scope_end(m, NULL, 0);
    }
    if (o->status == TARE_OK)
        replay(&g, s, o);
    tare_instance_free(g.run);
    tare_plan_free(g.plan);
    tare_graph_free(g.graph);
    for (int i = 0; i < g.n_data; ++i)
        tare_value_drop(g.data[i]);
}

#endif
