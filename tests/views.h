/* views.h - a chain of views, run in both modes: what it shows of x, and the gradient of every x.
 *
 * x = 0, 1, 2, ... shows as the chain's values which elements it takes; the gradient of sum(y * heads) is then the
 * heads, added up where they came from. */
#ifndef TARE_TESTS_VIEWS_H
#define TARE_TESTS_VIEWS_H

#include "spine.h"

enum { MOST = 64 };

typedef tare_value *chain(tare_mode *m, tare_value *const *x);

static inline tare_value *counted(tare_runtime *rt, tare_dtype dtype, int rank, const int64_t *dim)
{
    tare_desc d = tare_desc_of(dtype, rank, dim);
    int64_t n = tare_desc_count(&d);
    char host[MOST * sizeof(double)];
    ck_assert_int_le(n, MOST);
    for (int64_t i = 0; i < n; ++i)
        tare__element_put(host, dtype, i, (double)i);
    tare_value *v;
    must(tare_value_new(rt, &d, TARE_MEMORY_INPUT, &v));
    must(tare_value_write(v, host, tare_desc_bytes(&d)));
    return v;
}

static inline double head_at(int64_t i)
{
    return (double)(i * 7 % 11 - 5);
}

static inline tare_value *head_for(tare_runtime *rt, const tare_value *y)
{
    tare_value *head;
    tare_desc d;
    float host[MOST];
    tare_desc_like(&d, &y->d);
    for (int64_t i = 0; i < tare_desc_count(&d); ++i)
        host[i] = (float)head_at(i);
    must(tare_value_new(rt, &d, TARE_MEMORY_INPUT, &head));
    must(tare_value_write(head, host, tare_desc_bytes(&d)));
    return head;
}

/* What a mode makes of chains: y, and the gradient of every x. */
typedef struct {
    int64_t n_y;
    float y[MOST], dx[2][MOST];
    tare_desc d;
} seen;

static inline void look(seen *s, const tare_value *y, tare_value *const *dx, int n_in)
{
    memset(s, 0, sizeof *s);
    s->d = y->d;
    s->n_y = tare_desc_count(&y->d);
    ck_assert_int_le(s->n_y, MOST);
    must(tare_value_read(y, s->y, (size_t)s->n_y * sizeof *s->y));
    for (int i = 0; i < n_in; ++i)
        if (dx[i])
            must(tare_value_read(dx[i], s->dx[i], tare_desc_bytes(&dx[i]->d)));
}

static inline void now(tare_runtime *rt, chain *f, tare_value *const *x, int n_in, seen *s)
{
    tare_mode *m = spine_mode(rt, true);
    tare_value *dx[2];
    m->scope_begin(m, NULL);
    tare_value *y = f(m, x);
    must(m->error);
    tare_value *head = head_for(rt, y);
    must(m->backward(m, &y, &head, 1, false));
    for (int i = 0; i < n_in; ++i)
        dx[i] = tare_value_gradient(x[i]);
    look(s, y, dx, n_in);
    m->scope_end(m, NULL, 0);
    tare_value_drop(head);
    for (int i = 0; i < n_in; ++i)
        tare_value_clear_gradient(x[i]);
    tare_imperative_free(m);
}

static inline void later(tare_runtime *rt, chain *f, tare_value *const *x, int n_in, seen *s)
{
    tare_graph *g;
    tare_plan *plan;
    tare_instance *run;
    tare_value *dx[2] = {NULL};
    must(tare_graph_new(rt, &g));
    tare_mode *m = tare_graph_mode(g);
    m->recording = true;
    tare_value *y = f(m, x);
    must(m->error);
    tare_value *head = head_for(rt, y);
    must(m->backward(m, &y, &head, 1, false));
    must(tare_graph_output(g, y));
    for (int i = 0; i < n_in; ++i)
        must(tare_graph_output(g, m->gradient(m, x[i])));
    must(tare_plan_new(g, NULL, &plan));
    must(tare_instance_new(plan, &run));
    must(tare_instance_run(run));
    for (int i = 0; i < n_in; ++i)
        dx[i] = tare_instance_output(run, 1 + i);
    look(s, tare_instance_output(run, 0), dx, n_in);
    tare_instance_free(run);
    tare_plan_free(plan);
    tare_graph_free(g);
    tare_value_drop(head);
}

/* Both modes, the same bits. */
static inline void both(tare_runtime *rt, chain *f, tare_value *const *x, int n_in, seen *s)
{
    seen graph;
    now(rt, f, x, n_in, s);
    later(rt, f, x, n_in, &graph);
    ck_assert(tare_desc_same_shape(&s->d, &graph.d));
    ck_assert_mem_eq(s->y, graph.y, sizeof s->y);
    ck_assert_mem_eq(s->dx, graph.dx, sizeof s->dx);
}

#endif
