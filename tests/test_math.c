/* test_math.c - elementary functions of vectors against libm's float64, over floats of every exponent. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "../ops/math.h"
#include "ulps.h"

static float of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static double worst(tare_vf (*is)(tare_vf), double (*wanted)(double))
{
    double most = 0;
    /* a prime step: all exponents, both signs, NaNs and denormals, mantissas that differ from one exponent to the next
     */
    for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += TARE_LANES * 1009) {
        tare_vf x;
        for (int k = 0; k < TARE_LANES; ++k)
            x[k] = of_bits((uint32_t)(bits + 1009u * (unsigned)k));
        tare_vf y = is(x);
        for (int k = 0; k < TARE_LANES; ++k)
            most = fmax(most, ulps(y[k], wanted((double)x[k])));
    }
    return most;
}

/* held within the arguments that the function is made for */
static tare_vf expm1_of(tare_vf x)
{
    return tare_expm1_of(tare_select(x > 20, tare_broadcast(20), x));
}
static double expm1_wanted(double x)
{
    return expm1(x > 20 ? 20 : x);
}
static tare_vf log1p_of(tare_vf x)
{
    return tare_log1p_of(tare_select((x >= 0) & (x <= 1), x, tare_broadcast(0)));
}
static double log1p_wanted(double x)
{
    return log1p(x >= 0 && x <= 1 ? x : 0);
}
static tare_vf density_of(tare_vf x)
{
    return tare_normal_of(x).density;
}
static double density_wanted(double x)
{
    return exp(-x * x / 2) * (M_2_SQRTPI * M_SQRT1_2 / 2);
}
static tare_vf below_of(tare_vf x)
{
    return tare_normal_of(x).below;
}
static double below_wanted(double x)
{
    return erfc(-x * M_SQRT1_2) / 2;
}

START_TEST(errors_are_within_their_bounds)
{
    static const struct {
        tare_vf (*is)(tare_vf);
        double (*wanted)(double);
        double bound;
    } functions[] = {{tare_exp_of, exp, 1},       {tare_log_of, log, 1},           {expm1_of, expm1_wanted, 2},
                     {log1p_of, log1p_wanted, 2}, {tare_sqrt_of, sqrt, 0.5000001}, {density_of, density_wanted, 2},
                     {below_of, below_wanted, 5}};
    for (size_t i = 0; i < sizeof functions / sizeof *functions; ++i) {
        double most = worst(functions[i].is, functions[i].wanted);
        ck_assert_msg(most < functions[i].bound, "function %zu: %g ulp", i, most);
    }
    ck_assert_double_gt(worst(tare_log_of, exp), 1); /* the measure can fail */
}
END_TEST

START_TEST(specials_are_exact)
{
    static const float at[][3] = {/* x, exp x, log x */
                                  {0, 1, -INFINITY},
                                  {-0.0f, 1, -INFINITY},
                                  {1, 0x1.5bf0a8p+1f, 0},
                                  {INFINITY, INFINITY, INFINITY},
                                  {-INFINITY, 0, NAN},
                                  {NAN, NAN, NAN},
                                  {88.8f, INFINITY, 0x1.1f20f6p+2f},
                                  {-104, 0, NAN}};
    for (size_t i = 0; i < sizeof at / sizeof *at; ++i) {
        ck_assert_double_le(ulps(tare_exp_of(tare_broadcast(0) + at[i][0])[0], (double)at[i][1]), 1);
        ck_assert_double_le(ulps(tare_log_of(tare_broadcast(0) + at[i][0])[0], (double)at[i][2]), 1);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("math");
    TCase *tests = tcase_create("math");
    tcase_set_timeout(tests, 60); /* every float costs more than the usual 4 s where others compute too */
    tcase_add_test(tests, errors_are_within_their_bounds);
    tcase_add_test(tests, specials_are_exact);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
