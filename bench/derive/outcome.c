/* outcome.c - a case run now, by name, captured, and as a graph (see outcome.h). */
#include "outcome.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../graph/graph.h"
#include "../../imperative/imperative.h"
#include "../base/command.h"

void tare__outcome_fini(tare__outcome *o)
{
    for (int k = 0; k < TARE__CASE_OUTPUTS; ++k)
        free(o->out[k]);
    for (int i = 0; i < TARE__CASE_INPUTS; ++i)
        free(o->gradient[i]);
}

static tare_status failed(tare__outcome *o, tare_status status)
{
    if (status != TARE_OK && o->status == TARE_OK) {
        o->status = status;
        (void)snprintf(o->text, sizeof o->text, "%s", tare_error_text());
    }
    return o->status;
}

void tare__head_fill(void *at, const tare_desc *d, int o)
{
    tare__case_fill(at, d, -1, 1, 1000 + (uint64_t)o);
}

static void *copy_out(const tare_value *v, tare__outcome *o)
{
    size_t bytes = tare_desc_bytes(&v->d);
    void *at = tare__take(bytes + 1, 1);
    (void)failed(o, tare_value_read(v, at, bytes));
    return at;
}

/* Contiguous, whatever the strides of `like`. */
static tare_value *value_from(tare_runtime *rt, const tare_desc *like, const void *data, tare__outcome *o)
{
    tare_value *v = NULL;
    tare_desc d = *like;
    tare_desc_pack(&d);
    if (failed(o, tare_value_new(rt, &d, TARE_MEMORY_INPUT, &v)) == TARE_OK)
        (void)failed(o, tare_value_write(v, data, tare_desc_bytes(&d)));
    return v;
}

/* ---- run now -------------------------------------------------------------------------------------------------*/

static void spoil(tare_value *v)
{
    tare_device *d = v->runtime->device;
    size_t bytes = v->storage->bytes;
    void *rubbish = tare__take(bytes + 1, 1);
    /* opaque bytes are their kernel's own, which may trust them: 0 is a valid index */
    memset(rubbish, v->d.dtype == TARE_BYTES ? 0 : 0xff, bytes);
    (void)d->copy(d, v->storage->base, rubbish, bytes, TARE_COPY_TO_DEVICE);
    free(rubbish);
}

static void spoil_operands(const tare_mode *m, const tare_op *op, uint64_t operands)
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

static void now_backward(tare_mode *m, const tare__case *s, tare_value *const *in, tare_value *const *out,
                         tare__outcome *o)
{
    tare_value *root[TARE__CASE_OUTPUTS], *head[TARE__CASE_OUTPUTS] = {0};
    int n = 0;
    for (int k = 0; k < o->n_out; ++k)
        if (out[k] && out[k]->wants_gradient && tare__headed(s->op, k, out[k]->d.dtype)) {
            void *data = tare__take(tare_desc_bytes(&out[k]->d) + 1, 1);
            tare__head_fill(data, &out[k]->d, k);
            root[n] = out[k];
            head[n++] = value_from(m->runtime, &out[k]->d, data, o);
            free(data);
        }
    if (n && o->status == TARE_OK)
        (void)failed(o, m->backward(m, root, head, n, false));
    for (int k = 0; k < n; ++k)
        tare_value_drop(head[k]);
    for (int i = 0; i < s->n_in && o->status == TARE_OK; ++i)
        if (in[i] && tare_value_gradient(in[i]))
            o->gradient[i] = copy_out(tare_value_gradient(in[i]), o);
}

/* The operator inside a captured function: what a result is tied to stays outside of it, as a net's parameters do; the
 * other inputs are the function's. */
typedef struct {
    const tare__case *of;
    tare_value *const *in;
    const tare_capture_service *service;
    tare_captured *captured;
} inside;

static bool stays_outside(const tare_op *op, int i)
{
    for (int o = 0; o < TARE_OPERANDS; ++o)
        if (op->ties[o] == i + 1)
            return true;
    return false;
}

static void function(void *owner, tare_mode *m, tare_value *const *in, int n_in, tare_value **out, int n_out)
{
    const inside *f = owner;
    const tare__case *s = f->of;
    tare_value *operand[TARE__CASE_INPUTS] = {0}, *result[TARE__CASE_OUTPUTS];
    int i_in = 0, i_out = 0;
    for (int i = 0; i < s->n_in; ++i)
        operand[i] = f->in[i] && !stays_outside(s->op, i) && i_in < n_in ? in[i_in++] : f->in[i];
    if (m->apply(m, s->op, s->attr, operand, s->n_in, result, s->absent) != TARE_OK)
        return;
    for (int o = 0; i_out < n_out; ++o)
        if (result[o])
            out[i_out++] = result[o];
}

static tare_status apply_captured(inside *f, tare_mode *m, const tare_capture_options *options, tare_value **out)
{
    const tare__case *s = f->of;
    tare_value *in[TARE__CASE_INPUTS], *result[TARE__CASE_OUTPUTS];
    int n_in = 0, n_out = 0, n = tare_op_outputs(s->op, s->attr);
    for (int i = 0; i < s->n_in; ++i)
        if (f->in[i] && !stays_outside(s->op, i))
            in[n_in++] = f->in[i];
    for (int o = 0; o < n; ++o)
        n_out += !(s->absent >> o & 1);
    f->service = tare_find(m->runtime, TARE_KIND_SERVICE, "capture");
    tare_status status =
        f->service ? f->service->make(m->runtime, function, f, n_out, options, &f->captured) : TARE_NOT_FOUND;
    if (status == TARE_OK)
        status = f->service->apply(f->captured, m, in, n_in, result);
    for (int o = 0, at = 0; o < n && status == TARE_OK; ++o)
        out[o] = s->absent >> o & 1 ? NULL : result[at++];
    return status;
}

/* What came out, and with `gradient` what a backward leaves. */
static void observe(tare_mode *m, const tare__case *s, tare__now how, bool gradient, tare_value *const *in,
                    tare_value *const *out, tare__outcome *o)
{
    o->n_out = tare_op_outputs(s->op, s->attr);
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

void tare__run_now(tare_runtime *rt, const tare__case *s, tare__now how, tare__outcome *o)
{
    tare_mode *m = NULL;
    tare_value *in[TARE__CASE_INPUTS] = {0}, *out[TARE__CASE_OUTPUTS] = {0};
    inside f = {.of = s, .in = in};
    *o = (tare__outcome){.status = TARE_OK};
    if (failed(o, tare_imperative_new(rt, &m)) != TARE_OK)
        return;
    bool gradient = tare__differentiable(s->op) && !how.forward_only;
    for (int i = 0; i < s->n_in && o->status == TARE_OK; ++i) {
        in[i] = s->present[i] ? value_from(rt, &s->d[i], s->data[i], o) : NULL;
        if (in[i] && gradient)
            tare_value_want_gradient(in[i], tare__floats(s->d[i].dtype));
    }
    m->recording = gradient;
    tare_imperative_by_name(m, how.by_name);
    m->scope_begin(m, "layer");
    if (o->status == TARE_OK)
        (void)failed(o, how.capture ? apply_captured(&f, m, how.capture, out)
                                    : m->apply(m, s->op, s->attr, in, s->n_in, out, s->absent));
    if (o->status == TARE_OK)
        observe(m, s, how, gradient, in, out, o);
    m->scope_end(m, NULL, 0);
    if (f.captured)
        f.service->free(f.captured);
    for (int i = 0; i < s->n_in; ++i)
        tare_value_drop(in[i]);
    tare_imperative_free(m);
}

/* ---- run later --------------------------------------------------------------------------------------------------*/
typedef struct {
    tare_graph *graph;
    tare_plan *plan;
    tare_instance *run;
    tare_value *in[TARE__CASE_INPUTS], *head[TARE__CASE_OUTPUTS]; /* symbolic */
    tare_value *data[TARE__CASE_INPUTS + TARE__CASE_OUTPUTS];     /* bound, by placeholder */
    int n_data;
    int out_at[TARE__CASE_OUTPUTS], gradient_at[TARE__CASE_INPUTS]; /* numbers among the results; -1 */
} later;

static tare_value *placeholder(tare_runtime *rt, later *g, const tare_desc *like, const void *data, const char *name,
                               tare__outcome *o)
{
    tare_desc d = *like;
    tare_desc_pack(&d);
    tare_value *v = tare_graph_input(g->graph, &d, name);
    tare_value *bound = value_from(rt, &d, data, o);
    g->data[g->n_data++] = bound;
    (void)failed(o, tare_graph_mode(g->graph)->error);
    return v;
}

static int result(later *g, tare_value *v, int *n, tare__outcome *o)
{
    return failed(o, tare_graph_output(g->graph, v)) == TARE_OK ? (*n)++ : -1;
}

static void capture(tare_runtime *rt, later *g, const tare__case *s, tare__outcome *o)
{
    tare_mode *m = tare_graph_mode(g->graph);
    tare_value *out[TARE__CASE_OUTPUTS] = {0}, *root[TARE__CASE_OUTPUTS], *head[TARE__CASE_OUTPUTS];
    int n_roots = 0, n_results = 0;
    for (int i = 0; i < s->n_in && o->status == TARE_OK; ++i) {
        g->in[i] = s->present[i] ? placeholder(rt, g, &s->d[i], s->data[i], "input", o) : NULL;
        if (g->in[i] && o->status == TARE_OK)
            tare_value_want_gradient(g->in[i], tare__differentiable(s->op) && tare__floats(s->d[i].dtype));
    }
    m->recording = tare__differentiable(s->op);
    if (o->status != TARE_OK || failed(o, m->apply(m, s->op, s->attr, g->in, s->n_in, out, s->absent)) != TARE_OK)
        return;
    o->n_out = tare_op_outputs(s->op, s->attr);
    for (int k = 0; k < o->n_out && o->status == TARE_OK; ++k) {
        if (!out[k])
            continue;
        o->d[k] = out[k]->d;
        g->out_at[k] = result(g, out[k], &n_results, o);
        if (out[k]->wants_gradient && tare__headed(s->op, k, out[k]->d.dtype)) {
            void *data = tare__take(tare_desc_bytes(&out[k]->d) + 1, 1);
            tare__head_fill(data, &out[k]->d, k);
            root[n_roots] = out[k];
            head[n_roots++] = placeholder(rt, g, &out[k]->d, data, "head", o);
            free(data);
        }
    }
    if (n_roots && o->status == TARE_OK)
        (void)failed(o, m->backward(m, root, head, n_roots, false));
    for (int i = 0; n_roots && i < s->n_in && o->status == TARE_OK; ++i)
        if (g->in[i] && m->gradient(m, g->in[i]))
            g->gradient_at[i] = result(g, m->gradient(m, g->in[i]), &n_results, o);
}

static void replay(later *g, const tare__case *s, tare__outcome *o)
{
    if (failed(o, tare_plan_new(g->graph, NULL, &g->plan)) != TARE_OK ||
        failed(o, tare_instance_new(g->plan, &g->run)) != TARE_OK)
        return;
    for (int i = 0; i < g->n_data && o->status == TARE_OK; ++i)
        (void)failed(o, tare_instance_bind(g->run, i, g->data[i]));
    if (o->status != TARE_OK || failed(o, tare_instance_run(g->run)) != TARE_OK)
        return;
    for (int k = 0; k < o->n_out; ++k)
        if (g->out_at[k] >= 0)
            o->out[k] = copy_out(tare_instance_output(g->run, g->out_at[k]), o);
    for (int i = 0; i < s->n_in; ++i)
        if (g->gradient_at[i] >= 0)
            o->gradient[i] = copy_out(tare_instance_output(g->run, g->gradient_at[i]), o);
}

void tare__run_later(tare_runtime *rt, const tare__case *s, tare__outcome *o)
{
    later g = {0};
    memset(g.out_at, 0xff, sizeof g.out_at);
    memset(g.gradient_at, 0xff, sizeof g.gradient_at);
    *o = (tare__outcome){.status = TARE_OK};
    if (failed(o, tare_graph_new(rt, &g.graph)) == TARE_OK) {
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
