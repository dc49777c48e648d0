/* captured_layer.h - a layer captured as an operator, for the tests of what a captured function keeps. */
#ifndef TARE_TESTS_CAPTURED_LAYER_H
#define TARE_TESTS_CAPTURED_LAYER_H

#include "spine.h"

enum { N = 4 };

static tare_runtime *rt;
static tare_mode *m;
static tare_value *w, *v;
static const tare_capture_service *service;
static tare_captured *captured;
static int n_called; /* times that a function was run, plainly or to be traced */
static bool broken;  /* the layer is cut in two, and its input read on both sides */

static inline void setup(void)
{
    rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    m = spine_mode(rt, true);
    w = spine_random(rt, 2, (const int64_t[]){N, N}, 1);
    v = spine_random(rt, 2, (const int64_t[]){N, N}, 2);
    w->name = "w";
    tare_value_want_gradient(w, true);
    tare_value_want_gradient(v, true);
    service = tare_find(rt, TARE_KIND_SERVICE, "capture");
    captured = NULL;
    n_called = 0;
    broken = false;
}

static inline void teardown(void)
{
    tare_imperative_free(m);
    if (captured)
        service->free(captured);
    tare_value_clear_gradient(w);
    tare_value_clear_gradient(v);
    tare_value_drop(w);
    tare_value_drop(v);
    spine_end(rt);
}

static inline tare_value *product(tare_mode *mode, tare_value *a, tare_value *b)
{
    return tare_matmul(mode, a, b, (tare_matmul_attr){.transpose_b = true});
}

/* y = tanh(x wᵀ), broken y = tanh(x wᵀ) * x; and where two are asked for relu(y) too */
static inline void layer(void *owner, tare_mode *mode, tare_value *const *in, int n_in, tare_value **out, int n_out)
{
    (void)owner;
    (void)n_in;
    ++n_called;
    mode->scope_begin(mode, "layer");
    mode->adopt(mode, in, n_in);
    out[0] = product(mode, in[0], w);
    out[0] = tare_tanh(mode, broken ? tare_graph_break(mode, out[0]) : out[0]);
    if (broken)
        out[0] = tare_mul(mode, out[0], in[0]);
    if (n_out > 1)
        out[1] = tare_relu(mode, out[0]);
    mode->scope_end(mode, out, n_out);
}

static inline void capture(tare_function *function, tare_capture_options options)
{
    must(service->make(rt, function, NULL, 1, &options, &captured));
}

static inline tare_value *call(tare_value *x)
{
    tare_value *y;
    (void)service->apply(captured, m, &x, 1, &y);
    return y;
}

/* A step over a batch of `rows`: forward, and backward where the mode records. */
static inline void step(int64_t rows)
{
    tare_value *x = spine_random(rt, 2, (const int64_t[]){rows, N}, (uint64_t)rows);
    m->scope_begin(m, NULL);
    tare_value *loss = spine_total(m, call(x));
    must(m->error);
    if (m->recording)
        must(m->backward(m, &loss, NULL, 1, false));
    m->scope_end(m, NULL, 0);
    tare_value_drop(x);
}

static inline void expect_counts(int64_t captures, int64_t plans)
{
    ck_assert_int_eq(rt->counts.captures, broken ? 3 * captures : captures); /* and each of the segments */
    ck_assert_int_eq(rt->counts.plans, broken ? 2 * plans : plans);
    ck_assert_int_eq(n_called, captures);
}

#endif
