/* fixture.h - a runtime and an imperative mode with an open scope for each test, values made and compared. */
#ifndef TARE_TESTS_FIXTURE_H
#define TARE_TESTS_FIXTURE_H

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../graph/graph.h"
#include "../imperative/imperative.h"
#include "../nets/net.h"

#define OK(call) ck_assert_msg((call) == TARE_OK, "%s", tare_error_text())

static tare_runtime *rt;
static tare_mode *now;

static inline void open_mode_with(const tare_options *options)
{
    OK(tare_start(options, &rt));
    OK(tare_graph_register(rt));
    OK(tare_nets_register(rt));
    OK(tare_imperative_new(rt, &now));
    now->scope_begin(now, NULL);
}

static inline void open_mode(void)
{
    open_mode_with(NULL);
}

static inline void close_mode(void)
{
    now->scope_end(now, NULL, 0);
    tare_imperative_free(now);
    ck_assert_int_eq(tare_runtime_free(rt), 0);
}

static inline tare_value *value_of(tare_dtype dtype, int rank, const int64_t *dim, const void *data)
{
    tare_desc d = tare_desc_of(dtype, rank, dim);
    tare_value *v;
    OK(tare_value_new(rt, &d, TARE_MEMORY_INPUT, &v));
    OK(tare_value_write(v, data, tare_desc_bytes(&d)));
    return v;
}

/* The count of random calls. */
static inline int64_t read_count(const tare_value *v)
{
    int64_t n;
    OK(tare_value_read(v, &n, sizeof n));
    return n;
}

static inline void near(const tare_value *v, const float *wanted, int n)
{
    float is[64];
    ck_assert_ptr_nonnull(v);
    OK(tare_value_read(v, is, (size_t)n * sizeof *is));
    for (int i = 0; i < n; ++i)
        ck_assert_msg(fabsf(is[i] - wanted[i]) <= 2e-6f * fmaxf(1, fabsf(wanted[i])), "%d: %.9g, not %.9g", i,
                      (double)is[i], (double)wanted[i]);
}

static inline int fixture_run(const char *name, const TTest *const *tests, size_t n_tests)
{
    Suite *suite = suite_create(name);
    TCase *all = tcase_create(name);
    tcase_add_checked_fixture(all, open_mode, close_mode);
    tcase_set_timeout(all, 60);
    for (size_t i = 0; i < n_tests; ++i)
        tcase_add_test(all, tests[i]);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define FIXTURE_MAIN(name, ...)                                                                                        \
    int main(void)                                                                                                     \
    {                                                                                                                  \
        const TTest *const tests[] = {__VA_ARGS__};                                                                    \
        return fixture_run(name, tests, sizeof tests / sizeof *tests);                                                 \
    }

#endif
