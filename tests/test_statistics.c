/* test_statistics.c - means, medians and Student's t against SciPy's (tests/golden/make_statistics.py). */
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../bench/statistics.h"
#include "golden/statistics.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

static void close_to(double is, double should, double relative)
{
    double slack = relative * (fabs(should) > 1e-300 ? fabs(should) : 1);
    ck_assert_msg(fabs(is - should) <= slack, "%.17g, not %.17g", is, should);
}

START_TEST(quantiles)
{
    for (int i = 0; i < COUNT(golden_quantile); ++i) {
        double t = tare__t_quantile(golden_quantile[i].p, golden_quantile[i].freedom);
        ck_assert_msg(fabs(t - golden_quantile[i].t) <= 1e-9 * (1 + fabs(t)), "p %g, freedom %g: %.17g, not %.17g",
                      golden_quantile[i].p, golden_quantile[i].freedom, t, golden_quantile[i].t);
    }
}
END_TEST

START_TEST(distribution)
{
    for (int i = 0; i < COUNT(golden_cdf); ++i)
        close_to(tare__t_cdf(golden_cdf[i].t, golden_cdf[i].freedom), golden_cdf[i].p, 1e-9);
}
END_TEST

START_TEST(intervals)
{
    for (int i = 0; i < COUNT(golden_interval); ++i) {
        int n = golden_interval[i].n;
        double x[8];
        memcpy(x, golden_interval[i].x, sizeof x);
        tare__interval interval = tare__interval_of(x, n);
        ck_assert_int_eq(interval.n, n);
        close_to(interval.mean, golden_interval[i].mean, 1e-12);
        close_to(interval.se, golden_interval[i].se, 1e-9);
        close_to(interval.low, golden_interval[i].low, 1e-9);
        close_to(interval.high, golden_interval[i].high, 1e-9);
        close_to(tare__p_value(interval), golden_interval[i].p, 1e-6);
        close_to(tare__median(x, n), golden_interval[i].median, 1e-15);
    }
}
END_TEST

START_TEST(too_few)
{
    double one = 4;
    ck_assert(isnan(tare__mean(&one, 0)));
    ck_assert(isnan(tare__median(&one, 0)));
    ck_assert(isnan(tare__minimum(&one, 0)));
    tare__interval interval = tare__interval_of(&one, 1);
    ck_assert_double_eq(interval.mean, 4);
    ck_assert(isnan(interval.low) && isnan(interval.high) && isnan(interval.se));
    ck_assert(isnan(tare__p_value(interval)));
    ck_assert(isnan(tare__smallest_effect(interval)));
}
END_TEST

START_TEST(ratios)
{
    double logs[3] = {log(2.0), log(2.0), log(2.0)};
    tare__interval ratio = tare__interval_exp(tare__interval_of(logs, 3));
    close_to(ratio.mean, 2, 1e-12);
    close_to(ratio.low, 2, 1e-12);
    close_to(ratio.high, 2, 1e-12);
    double x[4] = {3, -1, 7, 2};
    ck_assert_double_eq(tare__minimum(x, 4), -1);
    /* one percent of spread over five samples: t.975 + t.8 with four degrees, times the standard error */
    tare__interval spread = {0, 0, 0, 0.01, 5};
    close_to(tare__smallest_effect(spread), exp((2.7764451051977987 + 0.9409646) * 0.01) - 1, 1e-6);
}
END_TEST

/* What the interval promises: on simulated normal samples it holds the mean in 95 % of the cases. */
START_TEST(coverage)
{
    enum { TRIALS = 4000, N = 5 };
    uint64_t state = 88172645463325252u;
    int inside = 0;
    for (int trial = 0; trial < TRIALS; ++trial) {
        double x[N];
        for (int i = 0; i < N; ++i) {
            x[i] = -6;
            for (int k = 0; k < 12; ++k) { /* a sum of 12 uniforms is nearly normal */
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                x[i] += (double)(state >> 11) * 0x1p-53;
            }
        }
        tare__interval interval = tare__interval_of(x, N);
        inside += interval.low <= 0 && 0 <= interval.high;
    }
    ck_assert_int_ge(inside, (int)(0.94 * TRIALS));
    ck_assert_int_le(inside, (int)(0.96 * TRIALS));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("statistics");
    TCase *all = tcase_create("statistics");
    tcase_add_test(all, quantiles);
    tcase_add_test(all, distribution);
    tcase_add_test(all, intervals);
    tcase_add_test(all, too_few);
    tcase_add_test(all, ratios);
    tcase_add_test(all, coverage);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
