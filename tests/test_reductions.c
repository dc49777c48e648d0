/* test_reductions.c - reductions, softmax and losses over what JSON cannot hold: ties, NaN, infinities, huge numbers.
 */
#include <math.h>

#include "spine.h"

static tare_runtime *rt;
static tare_mode *now;

static void open_all(void)
{
    rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    now = spine_mode(rt, false);
    now->scope_begin(now, NULL);
}

static void close_all(void)
{
    now->scope_end(now, NULL, 0);
    tare_imperative_free(now);
    spine_end(rt);
}

/* The rows of x as a matrix [rows,columns], twice: as they are, and turned round, so that both kinds of units run. */
static tare_value *matrix(const float *x, int64_t rows, int64_t columns, bool turned)
{
    float *at = malloc((size_t)(rows * columns) * sizeof *at);
    const int64_t dim[2] = {turned ? columns : rows, turned ? rows : columns};
    tare_desc d = tare_desc_of(TARE_F32, 2, dim);
    tare_value *v;
    for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j)
            at[turned ? j * rows + i : i * columns + j] = x[i * columns + j];
    must(tare_value_new(rt, &d, TARE_MEMORY_INPUT, &v));
    must(tare_value_write(v, at, tare_desc_bytes(&d)));
    free(at);
    return v;
}

static float *numbers(tare_value *v)
{
    must(now->error);
    return spine_bytes(v);
}

/* ---- extremes -----------------------------------------------------------------------------------------------------*/
START_TEST(the_first_of_equals_counts_and_a_nan_before_all)
{
    enum { ROWS = 6, COLUMNS = 40 };
    float x[ROWS][COLUMNS] = {{0}};
    x[0][7] = x[0][8] = x[0][39] = 5;
    x[0][20] = x[0][24] = -5;
    x[1][33] = NAN;
    x[1][35] = NAN;
    x[1][2] = INFINITY;
    for (int j = 0; j < COLUMNS; ++j)
        x[2][j] = -INFINITY;
    for (int j = 0; j < COLUMNS; ++j)
        x[3][j] = INFINITY;
    for (int j = 0; j < COLUMNS; ++j)
        x[4][j] = (float)-j;
    x[5][0] = NAN;
    const int32_t most[ROWS] = {7, 33, 0, 0, 0, 0}, least[ROWS] = {20, 33, 0, 0, 39, 0};
    for (int turned = 0; turned < 2; ++turned) {
        tare_value *v = matrix(&x[0][0], ROWS, COLUMNS, turned);
        tare_ints axis = {1, {!turned}};
        int32_t *at_most = spine_bytes(tare_argmax(now, v, (tare_argmax_attr){.axes = axis}));
        int32_t *at_least = spine_bytes(tare_argmin(now, v, (tare_argmin_attr){.axes = axis}));
        float *max = numbers(tare_max(now, v, (tare_max_attr){.axes = axis}));
        float *min = numbers(tare_min(now, v, (tare_min_attr){.axes = axis}));
        for (int i = 0; i < ROWS; ++i) {
            ck_assert_int_eq(at_most[i], most[i]);
            ck_assert_int_eq(at_least[i], least[i]);
            ck_assert(memcmp(&max[i], &x[i][most[i]], sizeof *max) == 0 || (isnan(max[i]) && isnan(x[i][most[i]])));
            ck_assert(memcmp(&min[i], &x[i][least[i]], sizeof *min) == 0 || (isnan(min[i]) && isnan(x[i][least[i]])));
        }
        free(at_most);
        free(at_least);
        free(max);
        free(min);
        tare_value_drop(v);
    }
}
END_TEST

/* A long vector is cut in parts; the first of equals is still the first. */
START_TEST(parts_do_not_change_which_is_first)
{
    enum { N_LONG = 70001 };
    float *x = calloc(N_LONG, sizeof *x);
    x[40000] = x[16384] = x[70000] = 2;
    x[50000] = x[20000] = -2;
    tare_value *v = spine_vector(rt, N_LONG, x);
    int32_t *most = spine_bytes(tare_argmax(now, v, (tare_argmax_attr){0}));
    int32_t *least = spine_bytes(tare_argmin(now, v, (tare_argmin_attr){0}));
    ck_assert_int_eq(most[0], 16384);
    ck_assert_int_eq(least[0], 20000);
    free(most);
    free(least);
    free(x);
    tare_value_drop(v);
}
END_TEST

/* ---- variance and norms
 * ---------------------------------------------------------------------------------------------*/
START_TEST(variance_survives_a_large_mean_and_norms_survive_huge_and_tiny_numbers)
{
    enum { N_LONG = 40000 };
    float *x = malloc(N_LONG * sizeof *x);
    for (int i = 0; i < N_LONG; ++i)
        x[i] = 1e6f + (float)(i % 2);
    tare_value *v = spine_vector(rt, N_LONG, x);
    float *variance = numbers(tare_variance(now, v, (tare_variance_attr){.correction = 0}));
    ck_assert_float_eq(variance[0], 0.25f);
    free(variance);
    tare_value_drop(v);
    for (int i = 0; i < 4; ++i)
        x[i] = i < 2 ? 3e30f : 4e-38f;
    for (int pair = 0; pair < 2; ++pair) {
        v = spine_vector(rt, 2, x + 2 * pair);
        float *norm = numbers(tare_l2_norm(now, v, (tare_l2_norm_attr){0}));
        ck_assert_float_eq_tol(norm[0] / x[2 * pair], sqrtf(2), 1e-6f);
        free(norm);
        tare_value_drop(v);
    }
    x[0] = 5;
    v = spine_vector(rt, 1, x);
    variance = numbers(tare_variance(now, v, (tare_variance_attr){.correction = 1}));
    ck_assert_float_nan(variance[0]); /* 0 / 0, as PyTorch's */
    free(variance);
    tare_value_drop(v);
    free(x);
}
END_TEST

/* ---- softmax
 * --------------------------------------------------------------------------------------------------------*/
START_TEST(softmax_of_infinities_nan_and_huge_scores)
{
    enum { ROWS = 7, COLUMNS = 5 };
    const float inf = INFINITY;
    const float x[ROWS][COLUMNS] = {
        {-inf, 0, 0, -inf, -inf},
        {-inf, -inf, -inf, -inf, -inf},
        {inf, 0, 0, 0, 0},
        {0, NAN, 0, 0, 0},
        {1e30f, 1e30f, 0, 0, -1e30f},
        {3e38f, -3e38f, 0, 0, 0},
        {-3e38f, -3e38f, -inf, -inf, -3e38f},
    };
    const float third = 1.0f / 3;
    const float y[ROWS][COLUMNS] = {
        {0, 0.5f, 0.5f, 0, 0}, {NAN, NAN, NAN, NAN, NAN}, {NAN, NAN, NAN, NAN, NAN},   {NAN, NAN, NAN, NAN, NAN},
        {0.5f, 0.5f, 0, 0, 0}, {1, 0, 0, 0, 0},           {third, third, 0, 0, third},
    };
    for (int turned = 0; turned < 2; ++turned) {
        tare_value *v = matrix(&x[0][0], ROWS, COLUMNS, turned);
        float *p = numbers(tare_softmax(now, v, (tare_softmax_attr){!turned}));
        float *l = numbers(tare_log_softmax(now, v, (tare_log_softmax_attr){!turned}));
        for (int i = 0; i < ROWS; ++i)
            for (int j = 0; j < COLUMNS; ++j) {
                float is = p[turned ? j * ROWS + i : i * COLUMNS + j],
                      log_is = l[turned ? j * ROWS + i : i * COLUMNS + j];
                ck_assert_msg(isnan(y[i][j]) ? isnan(is) : fabsf(is - y[i][j]) < 1e-7f, "%d, %d: %g, not %g", i, j,
                              (double)is, (double)y[i][j]);
                ck_assert_msg(isnan(y[i][j]) ? isnan(log_is)
                              : y[i][j] == 0 ? log_is < -1e20f
                                             : fabsf(log_is - logf(y[i][j])) < 1e-6f,
                              "log, %d, %d: %g for %g", i, j, (double)log_is, (double)y[i][j]);
            }
        free(p);
        free(l);
        tare_value_drop(v);
    }
}
END_TEST

/* ---- losses
 * -----------------------------------------------------------------------------------------------------------*/
START_TEST(sigmoid_cross_entropy_of_large_logits)
{
    enum { ROWS = 6 };
    const float x[ROWS] = {80, 80, -80, -80, 3e38f, -3e38f}, t[ROWS] = {1, 0, 0, 1, 1, 0};
    const float wanted[ROWS] = {1.8048513e-35f, 80, 1.8048513e-35f, 80, 0, 0};
    tare_value *scores = matrix(x, ROWS, 1, false), *targets = matrix(t, ROWS, 1, false);
    float *is = numbers(tare_sigmoid_cross_entropy(now, scores, targets));
    for (int i = 0; i < ROWS; ++i)
        ck_assert_msg(fabsf(is[i] - wanted[i]) <= 1e-6f * wanted[i], "%d: %g", i, (double)is[i]);
    free(is);
    tare_value_drop(scores);
    tare_value_drop(targets);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("reductions");
    tcase_add_checked_fixture(tests, open_all, close_all);
    tcase_add_test(tests, the_first_of_equals_counts_and_a_nan_before_all);
    tcase_add_test(tests, parts_do_not_change_which_is_first);
    tcase_add_test(tests, variance_survives_a_large_mean_and_norms_survive_huge_and_tiny_numbers);
    tcase_add_test(tests, softmax_of_infinities_nan_and_huge_scores);
    tcase_add_test(tests, sigmoid_cross_entropy_of_large_logits);
    return spine_run("reductions", &tests, 1);
}
