/* point.c - a point opened, run and closed (see point.h). */
#include "point.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../imperative/imperative.h"
#include "../base/elements.h"

const char *const tare__way_names[TARE__WAY_COUNT] = {"kernel", "call", "replay"};

tare__point *tare__points_add(tare__points *points)
{
    points->point = tare__more(points->point, (size_t)points->n + 1, sizeof *points->point);
    tare__point *p = &points->point[points->n++];
    *p = (tare__point){.size = (double)NAN, .times = 1};
    return p;
}

void tare__points_free(tare__points *points)
{
    for (int i = 0; i < points->n; ++i) {
        free(points->point[i].name);
        free(points->point[i].operands);
        free(points->point[i].attributes);
    }
    free(points->point);
    *points = (tare__points){0};
}

/* ---- operands --------------------------------------------------------------------------------------------------*/

static tare_status value_from(tare_runtime *rt, const tare_desc *d, const void *data, tare_value **out)
{
    tare_status status = tare_value_new(rt, d, TARE_MEMORY_INPUT, out);
    return status == TARE_OK ? tare_value_write(*out, data, tare_desc_bytes(d)) : status;
}

static tare_status operands_of(tare_runtime *, const tare__point *, const tare_node *, tare__case *);

/* Numbers between low and high would be no indices: what a node reads of whole numbers is made by the node that makes
 * it in the net, from operands like its own. */
static tare_status made_by(tare_runtime *rt, const tare__point *p, const tare_value *v, void *data)
{
    const tare_node *maker = &tare_graph_program(p->graph)->node[v->node];
    tare__case s = {0};
    tare_mode *m = NULL;
    tare_value *in[TARE__CASE_INPUTS] = {0}, *out[TARE__CASE_OUTPUTS] = {0};
    tare_status status = operands_of(rt, p, maker, &s);
    for (int i = 0; i < s.n_in && status == TARE_OK; ++i)
        if (s.present[i])
            status = value_from(rt, &s.d[i], s.data[i], &in[i]);
    if (status == TARE_OK)
        status = tare_imperative_new(rt, &m);
    if (status == TARE_OK) {
        for (int i = 0; i < s.n_in; ++i)
            if (in[i])
                tare_value_want_gradient(in[i], tare__floats(in[i]->d.dtype));
        m->recording = true;
        m->training = true;
        m->scope_begin(m, NULL);
        status = m->apply(m, s.op, s.attr, in, s.n_in, out, s.absent);
        const tare_node *n = status == TARE_OK && m->program->n ? &m->program->node[m->program->n - 1] : NULL;
        for (int k = maker->n_in; status == TARE_OK && k < maker->n_in + maker->n_out + maker->n_aux; ++k) {
            const tare_value *made = k < maker->n_in + maker->n_out ? out[k - maker->n_in] : n ? n->operand[k] : NULL;
            if (maker->operand[k] == v && made)
                status = tare_value_read(made, data, tare_desc_bytes(&v->d));
        }
        m->scope_end(m, NULL, 0);
    }
    tare_imperative_free(m);
    for (int i = 0; i < s.n_in; ++i)
        tare_value_drop(in[i]);
    tare__case_fini(&s);
    return status;
}

/* Floating ones are uniform; of others the bytes that the net has. */
static tare_status fill(tare_runtime *rt, const tare__point *p, const tare_value *v, const tare_desc *d, int i,
                        void *data)
{
    const tare_value *concrete = tare_graph_concrete(p->graph, v);
    if (tare__floats(d->dtype)) {
        tare__case_fill(data, d, i < 2 ? -1 : 0.1, 1, (uint64_t)i + 1);
        return TARE_OK;
    }
    if (concrete)
        return tare_value_read(concrete, data, tare_desc_bytes(d));
    for (int k = 0; v->node < 0 && p->bound[k]; ++k)
        if (p->bound[k]->d.dtype == d->dtype && tare_desc_same_shape(&p->bound[k]->d, d))
            return tare_value_read(p->bound[k], data, tare_desc_bytes(d));
    return v->node >= 0 ? made_by(rt, p, v, data) : TARE_OK;
}

/* A node's operands, contiguous. */
static tare_status operands_of(tare_runtime *rt, const tare__point *p, const tare_node *n, tare__case *s)
{
    *s = (tare__case){.op = n->op, .attr = n->attr, .absent = n->absent};
    if (n->n_in > TARE__CASE_INPUTS)
        return tare_error(TARE_IMPOSSIBLE, "%s: %d inputs are more than a point has (%d)", n->op->name, n->n_in,
                          TARE__CASE_INPUTS);
    tare_status status = TARE_OK;
    for (s->n_in = 0; s->n_in < n->n_in && status == TARE_OK; ++s->n_in) {
        int i = s->n_in;
        if (!n->operand[i])
            continue;
        s->present[i] = true;
        s->d[i] = n->operand[i]->d;
        tare_desc_pack(&s->d[i]);
        s->data[i] = tare__take(tare_desc_bytes(&s->d[i]) + 1, 1);
        status = fill(rt, p, n->operand[i], &s->d[i], i, s->data[i]);
    }
    return status;
}

static tare_status read_operands(tare__open_point *o, const tare_op *forced)
{
    const tare__point *p = o->of;
    tare__case *s = &o->operands;
    const tare_sample sample = {TARE_SAMPLE_BENCH, p->operands, p->attributes, NULL};
    tare_status status = TARE_OK;
    if (p->node)
        status = operands_of(o->rt, p, p->node, s);
    else if (!tare__case_init(s, p->op, &sample, false))
        status =
            tare_error(TARE_BAD_ARGUMENT, "%s: '%s' are no operands (f32[3,5] i32[3]<0,5> -)", p->name, p->operands);
    else
        status = s->status;
    if (status == TARE_OK && forced)
        s->op = forced;
    for (int i = 0; i < s->n_in; ++i) {
        if (status == TARE_OK && s->present[i])
            status = value_from(o->rt, &s->d[i], s->data[i], &o->in[i]);
        free(s->data[i]);
        s->data[i] = NULL;
    }
    return status;
}

/* ---- applying --------------------------------------------------------------------------------------------------*/

static tare_status apply(const tare__open_point *o, tare_mode *m, tare_value *const *in, tare_value **out, int *n)
{
    const tare__case *s = &o->operands;
    if (o->of->spell) {
        *n = 1;
        out[0] = o->of->spell(m, in);
        return m->error;
    }
    *n = tare_op_outputs(s->op, s->attr);
    return m->apply(m, s->op, s->attr, in, s->n_in, out, s->absent);
}

/* Auxiliaries that the net's node made are made here too: for a gradient that nobody asks for in the end. */
static bool wants_auxiliaries(const tare__point *p)
{
    const tare_node *n = p->node;
    for (int k = 0; n && k < n->n_aux; ++k)
        if (n->operand[n->n_in + n->n_out + k])
            return true;
    return false;
}

static void want_gradients(const tare__open_point *o, tare_mode *m, tare_value *const *in)
{
    m->training = true;
    m->recording = wants_auxiliaries(o->of);
    for (int i = 0; m->recording && i < o->operands.n_in; ++i)
        if (in[i])
            tare_value_want_gradient(in[i], tare__floats(in[i]->d.dtype));
}

static tare_status capture(tare__open_point *o)
{
    tare_value *in[TARE__CASE_INPUTS] = {0}, *out[TARE__CASE_OUTPUTS] = {0};
    tare_mode *m = tare_graph_mode(o->graph);
    int n = 0;
    for (int i = 0; i < o->operands.n_in; ++i)
        if (o->in[i])
            in[i] = tare_graph_input(o->graph, &o->operands.d[i], "operand");
    want_gradients(o, m, in);
    tare_status status = m->error == TARE_OK ? apply(o, m, in, out, &n) : m->error;
    for (int k = 0; k < n && status == TARE_OK; ++k)
        if (out[k])
            status = tare_graph_output(o->graph, out[k]);
    return status;
}

/* The passes are off: what is spelled is what runs. */
static tare_status bind(tare__open_point *o)
{
    const tare_plan_options options = {.no_dce = true, .no_cse = true, .no_folding = true, .no_add_to = true};
    tare_status status = tare_plan_new(o->graph, &options, &o->plan);
    if (status == TARE_OK)
        status = tare_instance_new(o->plan, &o->instance);
    for (int i = 0, at = 0; i < o->operands.n_in && status == TARE_OK; ++i)
        if (o->in[i])
            status = tare_instance_bind(o->instance, at++, o->in[i]);
    if (status == TARE_OK)
        o->n_calls = tare_instance_calls(o->instance, &o->call);
    return status;
}

tare_status tare__point_open(tare__open_point *o, tare_runtime *rt, const tare__point *p, const tare_op *forced)
{
    *o = (tare__open_point){.of = p, .rt = rt};
    tare_status status = read_operands(o, forced);
    if (status == TARE_OK)
        status = tare_imperative_new(rt, &o->mode);
    if (status == TARE_OK)
        status = tare_graph_new(rt, &o->graph);
    if (status == TARE_OK)
        status = capture(o);
    if (status == TARE_OK)
        status = bind(o);
    if (status == TARE_OK)
        want_gradients(o, o->mode, o->in);
    return status;
}

void tare__point_close(tare__open_point *o)
{
    tare_instance_free(o->instance);
    tare_plan_free(o->plan);
    tare_graph_free(o->graph);
    tare_imperative_free(o->mode);
    for (int i = 0; i < o->operands.n_in; ++i)
        tare_value_drop(o->in[i]);
    tare__case_fini(&o->operands);
}

static tare_status run_call(tare__open_point *o)
{
    tare_mode *m = o->mode;
    tare_value *out[TARE__CASE_OUTPUTS];
    int n;
    m->scope_begin(m, NULL);
    tare_status status = apply(o, m, o->in, out, &n);
    m->scope_end(m, NULL, 0);
    return status;
}

tare_status tare__point_run(tare__open_point *o, tare__way way)
{
    if (way == TARE__WAY_KERNEL && o->rt->device->direct) /* elsewhere handing all calls over is the replay */
        return tare__calls_run(o->rt, o->call, o->n_calls);
    return way == TARE__WAY_CALL ? run_call(o) : tare_instance_run(o->instance);
}

tare__node_work *tare__point_work(const tare__open_point *o, int *n, double *flops, double *bytes)
{
    const tare_program *p = tare_graph_program(o->graph);
    tare__node_work *work = tare__take((size_t)p->n + 1, sizeof *work);
    *n = 0;
    *flops = *bytes = 0;
    for (int i = 0; i < p->n; ++i)
        if (p->node[i].variant) {
            work[*n] = (tare__node_work){tare__node_flops(&p->node[i]), tare__node_bytes(&p->node[i]), 1};
            *flops += work[*n].flops;
            *bytes += work[(*n)++].bytes;
        }
    return work;
}

tare_value *tare__point_result(const tare__open_point *o, int i)
{
    return tare_instance_output(o->instance, i);
}
