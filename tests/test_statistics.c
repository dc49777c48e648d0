/* test_statistics.c - means, medians, Student's t, Welch's contrast, Holm's families and whole runs against SciPy's
 * (tests/golden/make_statistics.py). */
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../bench/measure/figures.h"
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

START_TEST(trimmed)
{
    for (int i = 0; i < COUNT(golden_trimmed); ++i) {
        double x[8];
        memcpy(x, golden_trimmed[i].x, sizeof x);
        close_to(tare__interquartile_mean(x, golden_trimmed[i].n), golden_trimmed[i].mean, 1e-12);
    }
    ck_assert(isnan(tare__interquartile_mean(NULL, 0)));
}
END_TEST

START_TEST(welch)
{
    for (int i = 0; i < COUNT(golden_welch); ++i) {
        double freedom;
        tare__interval x = tare__interval_of(golden_welch[i].x, golden_welch[i].n);
        tare__interval y = tare__interval_of(golden_welch[i].y, golden_welch[i].m);
        tare__interval between = tare__interval_between(x, y, &freedom);
        close_to(freedom, golden_welch[i].freedom, 1e-9);
        close_to(between.low, golden_welch[i].low, 1e-6);
        close_to(between.high, golden_welch[i].high, 1e-6);
        close_to(tare__p_value_of(between.mean, between.se, freedom), golden_welch[i].p, 1e-6);
    }
    double one = 1, freedom;
    tare__interval x = tare__interval_of(&one, 1);
    ck_assert(isnan(tare__interval_between(x, x, &freedom).low) && isnan(freedom));
}
END_TEST

START_TEST(families)
{
    for (int i = 0; i < COUNT(golden_holm); ++i) {
        double adjusted[8];
        tare__holm(golden_holm[i].p, adjusted, golden_holm[i].n);
        for (int k = 0; k < golden_holm[i].n; ++k)
            close_to(adjusted[k], golden_holm[i].adjusted[k], 1e-12);
    }
    double p[3] = {0.03, (double)NAN, 0.02}, adjusted[3]; /* what is no test counts for nothing */
    tare__holm(p, adjusted, 3);
    close_to(adjusted[0], 0.04, 1e-12);
    close_to(adjusted[2], 0.04, 1e-12);
    ck_assert(isnan(adjusted[1]));
}
END_TEST

/* Whole runs, from ns of blocks to every figure, as NumPy and SciPy have them. */
START_TEST(whole_runs)
{
    tare__blocks b;
    tare__reference r;
    tare__summary s;
    tare__blocks_init(&b, RUN_ARMS);
    tare__reference_init(&r, RUN_ARMS);
    r.base = 0;
    r.again = 1;
    for (int k = 0; k < RUN_PROCESSES * RUN_ROUNDS; ++k)
        for (int i = 0; i < RUN_ARMS; ++i) {
            json_t *line = json_pack("{s:i,s:i,s:i,s:I}", "process", k / RUN_ROUNDS, "round", k % RUN_ROUNDS, "steps",
                                     1, "ns", (json_int_t)golden_run[_i].ns[i * RUN_PROCESSES * RUN_ROUNDS + k]);
            ck_assert(tare__blocks_take(&b, i, line));
            json_decref(line);
        }
    tare__summary_take(&s, &b, &r);
    for (int i = 0; i < RUN_ARMS; ++i) {
        const tare__figures *arm = &s.arm[i];
        tare__interval ratio = tare__interval_exp(arm->logs);
        const double is[] = {arm->min,
                             arm->median,
                             arm->step.mean,
                             arm->step.low,
                             arm->step.high,
                             ratio.mean,
                             ratio.low,
                             ratio.high,
                             0,
                             0,
                             0};
        const double *should = golden_run[_i].figure[i];
        for (int f = 0; f < (i == 0 ? 5 : 8); ++f)
            close_to(is[f], should[f], 1e-6);
        if (i == 0)
            continue;
        close_to(tare__p_value(arm->logs), should[8], 1e-6);
        close_to(tare__smallest_effect(arm->logs), should[9], 1e-6);
        if (i > 1)
            close_to(arm->p_holm, should[10], 1e-6);
        else
            ck_assert(isnan(arm->p_holm));
    }
    tare__summary_fini(&s);
    tare__reference_fini(&r);
    tare__blocks_fini(&b);
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
    tcase_add_test(all, trimmed);
    tcase_add_test(all, welch);
    tcase_add_test(all, families);
    tcase_add_loop_test(all, whole_runs, 0, COUNT(golden_run));
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
