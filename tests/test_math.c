/* test_math.c - exp and log of vectors against libm's float64, over floats of every exponent. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "../ops/math.h"

static float of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Distance from the true value in units of the last place of the float32 result; 0 where both are the same special. */
static double ulps(float is, double wanted)
{
    if (isnan(wanted) || isnan(is))
        return isnan(wanted) && isnan(is) ? 0 : INFINITY;
    float nearest = (float)wanted;
    if (isinf(nearest) || isinf(is))
        return is == nearest ? 0 : INFINITY;
    double unit = ldexp(1, ilogb(fabs(wanted) < 0x1p-126 ? 0x1p-126 : wanted) - 23);
    return fabs(is - wanted) / unit;
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

static tare_vf exp_of(tare_vf x)
{
    return tare_exp_of(x);
}

static tare_vf log_of(tare_vf x)
{
    return tare_log_of(x);
}

START_TEST(exp_is_within_1_ulp)
{
    ck_assert_double_lt(worst(exp_of, exp), 1);
    ck_assert_double_gt(worst(log_of, exp), 1); /* the measure can fail */
}
END_TEST

START_TEST(log_is_within_1_ulp)
{
    ck_assert_double_lt(worst(log_of, log), 1);
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
    tcase_add_test(tests, exp_is_within_1_ulp);
    tcase_add_test(tests, log_is_within_1_ulp);
    tcase_add_test(tests, specials_are_exact);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
