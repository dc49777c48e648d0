/* spine.h - a runtime and its values for the tests of core, the two modes and the nets.
 *
 * must() fails a test with the library's sentence; expect_error() asks for a status and a part of it. */
#ifndef TARE_TESTS_SPINE_H
#define TARE_TESTS_SPINE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../bench/base/elements.h"
#include "../graph/graph.h"
#include "../imperative/imperative.h"
#include "../nets/net.h"
#include "../ops/ops.h"

#define must(call)                                                                                                     \
    do {                                                                                                               \
        tare_status must_ = (call);                                                                                    \
        ck_assert_msg(must_ == TARE_OK, "%s: %s (%s)", #call, tare_status_name(must_), tare_error_text());             \
    } while (0)

#define expect_error(call, status, part)                                                                               \
    do {                                                                                                               \
        tare_status is_ = (call);                                                                                      \
        ck_assert_msg(is_ == (status) && strstr(tare_error_text(), part), "%s: %s (%s)", #call, tare_status_name(is_), \
                      tare_error_text());                                                                              \
    } while (0)

/* Everything registered, as a program would start. */
static inline tare_runtime *spine_start(tare_kernel_choice kernels, tare_storage_choice storage)
{
    tare_options options = {.kernels = kernels, .storage = storage, .isa_limit = TARE_ISA_COUNT};
    tare_runtime *rt;
    must(tare_start(&options, &rt));
    must(tare_graph_register(rt));
    must(tare_nets_register(rt));
    return rt;
}

static inline void spine_end(tare_runtime *rt)
{
    ck_assert_int_eq(rt->work_bytes_live, 0);
    ck_assert_int_eq(tare_runtime_free(rt), 0);
}

static inline tare_mode *spine_mode(tare_runtime *rt, bool recording)
{
    tare_mode *m;
    must(tare_imperative_new(rt, &m));
    m->recording = recording;
    return m;
}

/* float32 of the shape [dims...], rank 0 for no dims; uniform in [-1, 1) from the seed. */
static inline tare_value *spine_random(tare_runtime *rt, int rank, const int64_t *dim, uint64_t seed)
{
    tare_desc d = tare_desc_of(TARE_F32, rank, dim);
    int64_t n = tare_desc_count(&d);
    float *host = malloc((size_t)n * sizeof *host + 1);
    for (int64_t i = 0; i < n; ++i) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        host[i] = (float)((double)(seed >> 40) / (double)(1 << 23) - 1);
    }
    tare_value *v;
    must(tare_value_new(rt, &d, TARE_MEMORY_INPUT, &v));
    must(tare_value_write(v, host, (size_t)n * sizeof *host));
    free(host);
    return v;
}

/* A float32 vector that wants a gradient. */
static inline tare_value *spine_leaf(tare_runtime *rt, int64_t n, uint64_t seed)
{
    tare_value *v = spine_random(rt, 1, &n, seed);
    tare_value_want_gradient(v, true);
    return v;
}

static inline tare_value *spine_vector(tare_runtime *rt, int64_t n, const float *from)
{
    tare_desc d = tare_desc_of(TARE_F32, 1, &n);
    tare_value *v;
    must(tare_value_new(rt, &d, TARE_MEMORY_INPUT, &v));
    must(tare_value_write(v, from, (size_t)n * sizeof *from));
    return v;
}

/* A copy of the value's bytes, the caller's to free. */
static inline void *spine_bytes(const tare_value *v)
{
    ck_assert_ptr_nonnull(v);
    size_t bytes = tare_desc_bytes(&v->d);
    void *at = malloc(bytes + 1);
    must(tare_value_read(v, at, bytes));
    return at;
}

static inline float spine_first(const tare_value *v)
{
    float *at = spine_bytes(v), x = at[0];
    free(at);
    return x;
}

static inline bool spine_same(const tare_value *a, const tare_value *b)
{
    bool same = tare_desc_same_shape(&a->d, &b->d) && a->d.dtype == b->d.dtype;
    void *x = spine_bytes(a), *y = spine_bytes(b);
    same = same && memcmp(x, y, tare_desc_bytes(&a->d)) == 0;
    free(x);
    free(y);
    return same;
}

static inline tare_value *spine_total(tare_mode *m, tare_value *x)
{
    return tare_sum(m, x, (tare_sum_attr){.axes = {0}});
}

/* The whole of a test program. */
static inline int spine_run(const char *name, TCase *const *cases, int n)
{
    Suite *suite = suite_create(name);
    for (int i = 0; i < n; ++i)
        suite_add_tcase(suite, cases[i]);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
