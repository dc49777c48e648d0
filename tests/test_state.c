/* test_state.c - randomness and running statistics: the draws of dropout, the values of batch normalization. */
#include "../core/random.h"
#include "fixture.h"
#include "golden/state.h"

static tare_value *count_of(int64_t n)
{
    return value_of(TARE_I64, 0, NULL, &n);
}

/* ---- dropout's draws ------------------------------------------------------------------------------------------*/
enum { DRAWS = 100003 };
static float ones[DRAWS], drawn[DRAWS], again[DRAWS];

static void draw(float *to, double rate, int64_t seed, int64_t n)
{
    const int64_t dim = DRAWS;
    for (int i = 0; i < DRAWS; ++i)
        ones[i] = 1;
    tare_value *x = value_of(TARE_F32, 1, &dim, ones), *count = count_of(n);
    tare_value *y = tare_dropout(now, x, count, (tare_dropout_attr){.rate = rate, .seed = seed});
    OK(now->error);
    OK(tare_value_read(y, to, sizeof drawn));
    ck_assert_int_eq(read_count(count), n); /* the operator leaves it to the layer */
    tare_value_drop(x);
    tare_value_drop(count);
}

/* Element i stays where word i % 4 of block i / 4, key = seed, stream = n, is at least rate 2^32. */
START_TEST(draws_are_philox_bits)
{
    const double rates[] = {0, 0.1, 0.5, 0.999};
    const int64_t seeds[] = {0, 7, -1}, counts[] = {0, 1, INT64_C(1) << 40};
    uint32_t word[4] = {0};
    for (int k = 0; k < 4; ++k) {
        int64_t seed = seeds[k % 3], n = counts[k % 3];
        draw(drawn, rates[k], seed, n);
        for (int i = 0; i < DRAWS; ++i) {
            if (i % 4 == 0)
                tare_philox((uint64_t)seed, (uint64_t)n, (uint64_t)i / 4, word);
            bool stays = (double)(word[i % 4] >> 8) * 0x1p-24 >= rates[k];
            ck_assert_msg(drawn[i] == (stays ? (float)(1 / (1 - rates[k])) : 0.0f), "element %d is %g", i,
                          (double)drawn[i]);
        }
    }
}
END_TEST

/* Over 100003 elements the share that stays has a deviation of sqrt(r (1 - r) / n) = 0.0015 at most. */
START_TEST(draws_have_the_rate_mean_and_variance)
{
    const double rates[] = {0.1, 0.5, 0.8};
    for (int k = 0; k < 3; ++k) {
        double stay = 0, sum = 0, squares = 0, keep = 1 - rates[k];
        draw(drawn, rates[k], 20240817, k);
        for (int i = 0; i < DRAWS; ++i) {
            stay += drawn[i] != 0;
            sum += (double)drawn[i];
            squares += (double)drawn[i] * (double)drawn[i];
        }
        double mean = sum / DRAWS, variance = squares / DRAWS - mean * mean;
        ck_assert_double_eq_tol(stay / DRAWS, keep, 5 * sqrt(keep * (1 - keep) / DRAWS));
        ck_assert_double_eq_tol(mean, 1, 5 * sqrt((1 - keep) / keep / DRAWS));
        ck_assert_double_eq_tol(variance / ((1 - keep) / keep), 1, 0.05);
    }
}
END_TEST

static int differing(void)
{
    int n = 0;
    for (int i = 0; i < DRAWS; ++i)
        n += drawn[i] != again[i];
    return n;
}

START_TEST(draws_repeat_with_their_key_and_differ_without)
{
    draw(drawn, 0.5, 3, 4);
    draw(again, 0.5, 3, 4);
    ck_assert_int_eq(differing(), 0);
    draw(again, 0.5, 3, 5);
    ck_assert_int_gt(differing(), DRAWS / 3);
    draw(again, 0.5, 4, 4);
    ck_assert_int_gt(differing(), DRAWS / 3);
}
END_TEST

/* y has the same bits whether a mask is made or not, and the gradient is the head under that mask. */
START_TEST(gradient_is_the_mask)
{
    enum { N = 1000 };
    const int64_t dim = N;
    float x[N], plain[N], recorded[N], gradient[N];
    tare_random_uniform(x, N, 1, 2, 1, 2);
    tare_value *v = value_of(TARE_F32, 1, &dim, x), *head = value_of(TARE_F32, 1, &dim, x), *n = count_of(9);
    tare_dropout_attr attr = {.rate = 0.25, .seed = 5};
    OK(tare_value_read(tare_dropout(now, v, n, attr), plain, sizeof plain));
    ck_assert_int_eq(now->program->n, 0);
    tare_value_want_gradient(v, true);
    now->recording = true;
    tare_value *y = tare_dropout(now, v, n, attr);
    OK(tare_value_read(y, recorded, sizeof recorded));
    ck_assert_int_eq(memcmp(plain, recorded, sizeof plain), 0);
    OK(now->backward(now, &y, &head, 1, false));
    OK(tare_value_read(tare_value_gradient(v), gradient, sizeof gradient));
    for (int i = 0; i < N; ++i)
        ck_assert_float_eq(gradient[i], recorded[i] != 0 ? x[i] * (float)(1 / 0.75) : 0);
    tare_value_drop(v);
    tare_value_drop(head);
    tare_value_drop(n);
}
END_TEST

/* A NaN that is dropped is gone. */
START_TEST(what_is_dropped_is_zero)
{
    enum { N = 64 };
    const int64_t dim = N;
    float x[N], y[N];
    int zeros = 0, nans = 0;
    for (int i = 0; i < N; ++i)
        x[i] = NAN;
    tare_value *v = value_of(TARE_F32, 1, &dim, x), *n = count_of(0);
    OK(tare_value_read(tare_dropout(now, v, n, (tare_dropout_attr){.rate = 0.5}), y, sizeof y));
    for (int i = 0; i < N; ++i) {
        zeros += y[i] == 0;
        nans += isnan(y[i]) != 0;
    }
    ck_assert_int_eq(zeros + nans, N);
    ck_assert_int_gt(zeros, 10);
    ck_assert_int_gt(nans, 10);
    tare_value_drop(v);
    tare_value_drop(n);
}
END_TEST

/* ---- batch norm -----------------------------------------------------------------------------------------------*/
typedef struct {
    tare_value *x, *scale, *shift, *mean, *var;
} norm_values;

static norm_values norm_of(const float *x)
{
    const int64_t wide[] = {5, 3}, channels = 3;
    const float zeros[3] = {0}, ones3[3] = {1, 1, 1};
    return (norm_values){value_of(TARE_F32, 2, wide, x), value_of(TARE_F32, 1, &channels, ones3),
                         value_of(TARE_F32, 1, &channels, zeros), value_of(TARE_F32, 1, &channels, zeros),
                         value_of(TARE_F32, 1, &channels, ones3)};
}

static void norm_drop(const norm_values *v)
{
    tare_value_drop(v->x);
    tare_value_drop(v->scale);
    tare_value_drop(v->shift);
    tare_value_drop(v->mean);
    tare_value_drop(v->var);
}

START_TEST(running_statistics_are_pytorchs)
{
    norm_values v = norm_of(golden_norm_x);
    for (int step = 0; step < 4; ++step) {
        OK(tare_value_write(v.x, golden_norm_x + 15 * step, 15 * sizeof(float)));
        (void)tare_batch_norm(now, v.x, v.scale, v.shift, v.mean, v.var, (tare_batch_norm_attr){1e-5, 0.2});
        OK(now->error);
        near(v.mean, golden_norm_mean + 3 * step, 3);
        near(v.var, golden_norm_var + 3 * step, 3);
    }
    OK(tare_value_write(v.x, golden_norm_x, 15 * sizeof(float)));
    near(tare_batch_norm_inference(now, v.x, v.scale, v.shift, v.mean, v.var, (tare_batch_norm_inference_attr){1e-5}),
         golden_norm_y, 15);
    norm_drop(&v);
}
END_TEST

/* Without the outputs that track, y is the same and the statistics stay: what a recomputation does. */
START_TEST(a_recomputation_leaves_the_statistics)
{
    norm_values v = norm_of(golden_norm_x);
    float before[15], after[15], mean[3];
    tare_value *out[3];
    tare_batch_norm_attr attr = {1e-5, 0.2};
    tare_value *const in[] = {v.x, v.scale, v.shift, v.mean, v.var};
    OK(tare_value_read(tare_batch_norm(now, v.x, v.scale, v.shift, v.mean, v.var, attr), before, sizeof before));
    uint32_t version = v.mean->storage->version;
    OK(now->apply(now, &tare_op_batch_norm, &attr, in, 5, out, 6));
    OK(tare_value_read(out[0], after, sizeof after));
    ck_assert_ptr_null(out[1]);
    ck_assert_int_eq(memcmp(before, after, sizeof before), 0);
    near(v.mean, golden_norm_mean, 3);
    near(v.var, golden_norm_var, 3);
    OK(tare_value_read(v.mean, mean, sizeof mean));
    ck_assert_uint_eq(v.mean->storage->version, version);
    norm_drop(&v);
}
END_TEST

START_TEST(no_gradient_passes_the_running_statistics)
{
    norm_values v = norm_of(golden_norm_x);
    tare_value *out[3];
    tare_batch_norm_attr attr = {1e-5, 0.2};
    tare_value *const in[] = {v.x, v.scale, v.shift, v.mean, v.var};
    tare_value_want_gradient(v.x, true);
    now->recording = true;
    OK(now->apply(now, &tare_op_batch_norm, &attr, in, 5, out, 0));
    ck_assert_int_eq(now->backward(now, &out[1], NULL, 1, false), TARE_NOT_DIFFERENTIABLE);
    ck_assert_ptr_nonnull(strstr(tare_error_text(), "running statistics"));
    tare_mode_clear(now);
    now->recording = false;
    norm_drop(&v);
}
END_TEST

/* A mean far from zero costs the variance nothing. */
START_TEST(variance_far_from_zero)
{
    enum { N = 500 };
    const int64_t wide[] = {N, 1, 4}, one = 1;
    float x[4 * N], y[4 * N], scale = 1, shift = 0;
    for (int i = 0; i < 4 * N; ++i)
        x[i] = 4096 + (float)(i % 2);
    tare_value *v = value_of(TARE_F32, 3, wide, x), *s = value_of(TARE_F32, 1, &one, &scale),
               *t = value_of(TARE_F32, 1, &one, &shift);
    tare_value *in[] = {v, s, t, NULL, NULL}, *out[3];
    OK(now->apply(now, &tare_op_batch_norm, &(tare_batch_norm_attr){0, 0.1}, in, 5, out, 6));
    OK(tare_value_read(out[0], y, sizeof y));
    for (int i = 0; i < 4 * N; ++i)
        ck_assert_float_eq(y[i], i % 2 ? 1 : -1);
    tare_value_drop(v);
    tare_value_drop(s);
    tare_value_drop(t);
}
END_TEST

FIXTURE_MAIN("state", draws_are_philox_bits, draws_have_the_rate_mean_and_variance,
             draws_repeat_with_their_key_and_differ_without, gradient_is_the_mask, what_is_dropped_is_zero,
             running_statistics_are_pytorchs, a_recomputation_leaves_the_statistics,
             no_gradient_passes_the_running_statistics, variance_far_from_zero)
