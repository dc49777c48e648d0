/* test_image.c - operators and layers for images: that an element's bits depend neither on its place in the image nor
 * on its place in the batch, maxima of ties and NaN, global pooling, what a NaN does, and attributes that no text ever
 * passed. */
#include "../core/random.h"
#include "../nets/layer_image.h"
#include "fixture.h"

static tare_value *random_value(const int64_t dim[4], uint64_t seed)
{
    tare_desc d = tare_desc_of(TARE_F32, 4, dim);
    float *data = malloc(tare_desc_bytes(&d) + 1);
    tare_random_uniform(data, tare_desc_count(&d), 7, seed, -1, 1);
    tare_value *v = value_of(TARE_F32, 4, dim, data);
    free(data);
    return v;
}

static float *read_of(const tare_value *v)
{
    float *data = malloc(tare_desc_bytes(&v->d) + 1);
    OK(tare_value_read(v, data, tare_desc_bytes(&v->d)));
    return data;
}

/* ---- place --------------------------------------------------------------------------------------------------------
 * Shapes that reach every variant on every instruction set, without padding. */
static const struct {
    int64_t x[4], w[4];
    tare_conv2d_attr attr;
} shapes[] = {
    {{5, 1, 28, 28}, {6, 1, 5, 5}, {1, 1, 0, 0, 1, 1, 1}},  {{5, 6, 12, 12}, {16, 6, 3, 3}, {1, 1, 0, 0, 1, 1, 1}},
    {{3, 1, 28, 28}, {20, 1, 5, 5}, {1, 1, 0, 0, 1, 1, 1}}, {{3, 20, 12, 12}, {50, 20, 5, 5}, {1, 1, 0, 0, 1, 1, 1}},
    {{2, 3, 35, 39}, {9, 3, 7, 7}, {2, 2, 0, 0, 1, 1, 1}},  {{2, 33, 9, 11}, {17, 33, 1, 1}, {1, 1, 0, 0, 1, 1, 1}},
    {{2, 8, 17, 19}, {8, 1, 3, 3}, {1, 1, 0, 0, 1, 1, 8}},  {{2, 4, 20, 50}, {6, 2, 3, 2}, {1, 1, 0, 0, 2, 3, 2}},
    {{9, 3, 10, 10}, {32, 3, 3, 3}, {1, 1, 0, 0, 1, 1, 1}},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

static void open_isa(int isa)
{
    open_mode_with(&(tare_options){.isa_limit = (tare_isa)isa});
}

/* Copies planes of a [*,H,W] so that what stood at (1,2) stands at (0,0); zeros come in. */
static void shift(const float *from, float *to, int64_t planes, int64_t h, int64_t w, int64_t down, int64_t right)
{
    for (int64_t i = 0; i < planes * h * w; ++i) {
        int64_t row = i / w % h, column = i % w;
        to[i] = row + down < h && column + right < w ? from[i + down * w + right] : 0;
    }
}

static void check_shift(const float *is, const float *moved, const tare_desc *d, int64_t down, int64_t right,
                        int64_t rim, const char *what, int number)
{
    int64_t h = d->dim[2], w = d->dim[3];
    for (int64_t i = 0; i < tare_desc_count(d); ++i) {
        int64_t row = i / w % h, column = i % w;
        if (row < rim || column < rim || row + down >= h - rim || column + right >= w - rim)
            continue;
        ck_assert_msg(memcmp(&moved[i], &is[i + down * w + right], sizeof *is) == 0,
                      "shape %d, %s: element %lld is %.9g, elsewhere %.9g", number, what, (long long)i,
                      (double)moved[i], (double)is[i + down * w + right]);
    }
}

START_TEST(bits_do_not_depend_on_the_place_in_the_image)
{
    open_isa(_i);
    for (int k = 0; k < N_SHAPES; ++k) {
        int64_t down = shapes[k].attr.stride_h, right = 2 * shapes[k].attr.stride_w;
        tare_value *x = random_value(shapes[k].x, 1), *w = random_value(shapes[k].w, 2);
        tare_value *y = tare_conv2d(now, x, w, NULL, shapes[k].attr), *dy = random_value(y->d.dim, 3);
        tare_conv2d_grad_data_attr attr;
        memcpy(&attr, &shapes[k].attr, sizeof attr);
        tare_value *dx = tare_conv2d_grad_data(now, dy, w, x, attr);
        float *data = read_of(x), *head = read_of(dy), *is = read_of(y), *gradient = read_of(dx);
        float *moved = malloc(tare_desc_bytes(&x->d)), *moved_head = malloc(tare_desc_bytes(&dy->d));
        shift(data, moved, x->d.dim[0] * x->d.dim[1], x->d.dim[2], x->d.dim[3], down, right);
        shift(head, moved_head, dy->d.dim[0] * dy->d.dim[1], dy->d.dim[2], dy->d.dim[3], 1, 2);
        OK(tare_value_write(x, moved, tare_desc_bytes(&x->d)));
        OK(tare_value_write(dy, moved_head, tare_desc_bytes(&dy->d)));
        float *there = read_of(tare_conv2d(now, x, w, NULL, shapes[k].attr));
        float *gradient_there = read_of(tare_conv2d_grad_data(now, dy, w, x, attr));
        check_shift(is, there, &y->d, 1, 2, 0, "forward", k);
        /* near the rim the sums have fewer terms, but not in the middle */
        int64_t rim_h = (shapes[k].w[2] - 1) * shapes[k].attr.dilation_h;
        int64_t rim_w = (shapes[k].w[3] - 1) * shapes[k].attr.dilation_w, rim = rim_h > rim_w ? rim_h : rim_w;
        check_shift(gradient, gradient_there, &x->d, down, right, rim, "gradient to data", k);
        float *all[] = {data, head, is, gradient, moved, moved_head, there, gradient_there};
        for (int i = 0; i < 8; ++i)
            free(all[i]);
        tare_value_drop(x);
        tare_value_drop(w);
        tare_value_drop(dy);
    }
    close_mode();
}
END_TEST

/* The gradient to data of each image alone, and its result, are those that it has in the batch. */
START_TEST(bits_do_not_depend_on_the_place_in_the_batch)
{
    open_isa(_i);
    for (int k = 0; k < N_SHAPES; ++k) {
        tare_value *x = random_value(shapes[k].x, 1), *w = random_value(shapes[k].w, 2);
        tare_value *y = tare_conv2d(now, x, w, NULL, shapes[k].attr), *dy = random_value(y->d.dim, 3);
        tare_conv2d_grad_data_attr attr;
        memcpy(&attr, &shapes[k].attr, sizeof attr);
        float *is = read_of(y), *gradient = read_of(tare_conv2d_grad_data(now, dy, w, x, attr));
        for (int64_t n = 0; n < shapes[k].x[0]; ++n) {
            /* the batch with this image in front */
            tare_slice_attr from = {.axis = 0, .begin = n, .end = shapes[k].x[0], .step = 1};
            tare_slice_attr before = {.axis = 0, .begin = 0, .end = n, .step = 1};
            tare_value *const turned[] = {tare_slice(now, x, from), tare_slice(now, x, before)};
            tare_value *const turned_dy[] = {tare_slice(now, dy, from), tare_slice(now, dy, before)};
            tare_value *x_n = tare_concat(now, turned, 2, (tare_concat_attr){0});
            tare_value *dy_n = tare_concat(now, turned_dy, 2, (tare_concat_attr){0});
            float *alone = read_of(tare_conv2d(now, x_n, w, NULL, shapes[k].attr));
            float *gradient_alone = read_of(tare_conv2d_grad_data(now, dy_n, w, x, attr));
            size_t y_image = (size_t)(tare_desc_count(&y->d) / y->d.dim[0]),
                   x_image = (size_t)(tare_desc_count(&x->d) / x->d.dim[0]);
            ck_assert_msg(memcmp(alone, is + (size_t)n * y_image, y_image * sizeof *is) == 0, "shape %d, image %lld", k,
                          (long long)n);
            ck_assert_msg(memcmp(gradient_alone, gradient + (size_t)n * x_image, x_image * sizeof *is) == 0,
                          "shape %d, gradient of image %lld", k, (long long)n);
            free(alone);
            free(gradient_alone);
        }
        free(is);
        free(gradient);
        tare_value_drop(x);
        tare_value_drop(w);
        tare_value_drop(dy);
    }
    close_mode();
}
END_TEST

/* ---- pooling ------------------------------------------------------------------------------------------------------*/
START_TEST(global_pooling_is_one_window)
{
    const int64_t dim[] = {2, 2, 1, 3};
    const float data[] = {1, 5, 3, -1, -2, -6, 0, 0, 9, 2, NAN, 2};
    tare_value *x = value_of(TARE_F32, 4, dim, data);
    tare_pool_layer most = {.path = "pool", .kind = TARE_POOL_MAX, .global = true};
    tare_pool_layer mean = {.path = "pool", .kind = TARE_POOL_AVERAGE, .global = true};
    const float wanted[2][4] = {{5, -1, 9, NAN}, {3, -3, 3, NAN}};
    for (int k = 0; k < 2; ++k) {
        tare_block b;
        tare_pool_layer_block(k ? &mean : &most, &b);
        for (int api = TARE_API_DIRECT; api < TARE_API_COUNT; ++api) {
            tare_value *y = tare_block_call(now, &b, tare_pool_layer_direct, x, (tare_api)api);
            float is[4];
            OK(tare_value_read(y, is, sizeof is));
            for (int i = 0; i < 4; ++i)
                ck_assert_msg(is[i] == wanted[k][i] || (isnan(is[i]) && isnan(wanted[k][i])), "%d: %g", i,
                              (double)is[i]);
        }
    }
    tare_value_drop(x);
}
END_TEST

/* A NaN reaches the windows that hold it and no others. */
START_TEST(a_nan_stays_in_its_windows)
{
    const int64_t dim[] = {1, 1, 4, 40};
    float data[160] = {0};
    data[1 * 40 + 33] = NAN;
    tare_value *x = value_of(TARE_F32, 4, dim, data);
    tare_pool_layer pool = tare_pool_layer_square("pool", TARE_POOL_AVERAGE, 2, 2);
    float is[40];
    OK(tare_value_read(tare_pool_layer_forward(now, &pool, x), is, sizeof is));
    for (int i = 0; i < 40; ++i)
        ck_assert_msg(i == 16 ? isnan(is[i]) : is[i] == 0, "%d: %g", i, (double)is[i]);
    tare_value_drop(x);
}
END_TEST

/* ---- attributes that come as a struct -----------------------------------------------------------------------------*/
START_TEST(attributes_out_of_bounds_are_refused)
{
    const int64_t dim[] = {1, 2, 4, 4}, kernel[] = {2, 2, 2, 2};
    static const tare_conv2d_attr conv[] = {{0, 1, 0, 0, 1, 1, 1}, {1, -1, 0, 0, 1, 1, 1}, {1, 1, -1, 0, 1, 1, 1},
                                            {1, 1, 0, 0, 0, 1, 1}, {1, 1, 0, 0, 1, 1, 0},  {1, 1, 0, 0, 1, 1, -2}};
    static const tare_avg_pool2d_attr pool[] = {
        {0, 2, 1, 1, 0, 0, false, true}, {2, 2, 1, -1, 0, 0, false, true}, {2, 2, 1, 1, 0, -1, false, true}};
    tare_value *x = random_value(dim, 1), *w = random_value(kernel, 2);
    for (size_t i = 0; i < sizeof conv / sizeof *conv; ++i) {
        ck_assert(tare_conv2d(now, x, w, NULL, conv[i])->poison);
        ck_assert_int_eq(now->error, TARE_BAD_ARGUMENT);
        now->error = TARE_OK;
    }
    for (size_t i = 0; i < sizeof pool / sizeof *pool; ++i) {
        ck_assert(tare_avg_pool2d(now, x, pool[i])->poison);
        ck_assert_int_eq(now->error, TARE_BAD_ARGUMENT);
        now->error = TARE_OK;
    }
    tare_value_drop(x);
    tare_value_drop(w);
}
END_TEST

/* ---- maxima --------------------------------------------------------------------------------------------------------
 * Ties, NaN, infinities and zeros of both signs, in windows that reach each way of the kernel, against the plain rule.
 */
static const struct {
    int64_t x[4];
    tare_max_pool2d_attr attr;
} pools[] = {
    {{2, 5, 13, 13}, {3, 3, 1, 1, 1, 1, false}},   {{3, 4, 6, 6}, {3, 3, 1, 1, 1, 1, false}},
    {{2, 3, 5, 40}, {3, 3, 1, 1, 1, 1, false}},    {{1, 4, 1, 3}, {3, 3, 1, 1, 1, 1, false}},
    {{1, 2, 130, 131}, {3, 3, 1, 1, 1, 1, false}}, {{2, 5, 27, 27}, {3, 3, 2, 2, 0, 0, false}},
    {{2, 3, 8, 41}, {3, 3, 2, 2, 1, 1, true}},     {{2, 3, 4, 6}, {3, 3, 2, 2, 1, 0, true}},
    {{2, 4, 9, 70}, {2, 2, 2, 2, 0, 0, false}},    {{1, 3, 11, 12}, {2, 3, 1, 3, 1, 0, true}},
};
enum { N_POOLS = sizeof pools / sizeof *pools };

static float *hard_data(int64_t n, int64_t plane)
{
    static const float choice[] = {0, 1, 2, -0.0F, -1, -INFINITY, -INFINITY, INFINITY};
    float *data = malloc((size_t)n * sizeof *data);
    tare_random_uniform(data, n, 3, 1, 0, 64);
    for (int64_t i = 0; i < n; ++i) {
        int64_t k = (int64_t)data[i];
        data[i] = i < plane ? -INFINITY : k == 63 ? NAN : choice[k == 62 ? 7 : k % 7];
    }
    return data;
}

/* Window o of a plane by the rule: its maximum, and where that is. */
static float plain_maximum(const float *x, int64_t h, int64_t w, const tare_max_pool2d_attr *a, int64_t row,
                           int64_t column, int64_t *at)
{
    float best = -INFINITY;
    *at = -1;
    for (int64_t i = row < 0 ? 0 : row; i < row + a->kernel_h && i < h; ++i)
        for (int64_t j = column < 0 ? 0 : column; j < column + a->kernel_w && j < w; ++j)
            if (*at < 0 || x[i * w + j] > best || isnan(x[i * w + j])) {
                best = x[i * w + j];
                *at = i * w + j;
            }
    return best;
}

static void check_maxima(const float *x, const tare_desc *xd, const tare_max_pool2d_attr *a, const float *y,
                         const tare_desc *yd, const float *dx, int number)
{
    const int64_t h = xd->dim[2], w = xd->dim[3], rows = yd->dim[2], columns = yd->dim[3];
    float *sum = calloc((size_t)(h * w), sizeof *sum);
    for (int64_t plane = 0; plane < xd->dim[0] * xd->dim[1]; ++plane, x += h * w, dx += h * w) {
        memset(sum, 0, (size_t)(h * w) * sizeof *sum);
        for (int64_t o = 0; o < rows * columns; ++o, ++y) {
            int64_t at;
            const float best = plain_maximum(x, h, w, a, o / columns * a->stride_h - a->pad_h,
                                             o % columns * a->stride_w - a->pad_w, &at);
            ck_assert_msg(isnan(best) ? isnan(*y) : memcmp(y, &best, sizeof best) == 0, "pool %d, plane %d, window %d",
                          number, (int)plane, (int)o);
            sum[at] += 1;
        }
        for (int64_t i = 0; i < h * w; ++i)
            ck_assert_msg(dx[i] == sum[i], "pool %d, plane %d, element %d: %g, not %g", number, (int)plane, (int)i,
                          (double)dx[i], (double)sum[i]);
    }
    free(sum);
}

START_TEST(maxima_follow_the_rule)
{
    open_isa(_i);
    for (int k = 0; k < N_POOLS; ++k) {
        const int64_t *dim = pools[k].x;
        float *data = hard_data(dim[0] * dim[1] * dim[2] * dim[3], dim[2] * dim[3]);
        tare_value *x = value_of(TARE_F32, 4, dim, data);
        tare_value_want_gradient(x, true);
        now->recording = true;
        now->scope_begin(now, NULL);
        tare_value *y = tare_max_pool2d(now, x, pools[k].attr), *total = tare_sum(now, y, (tare_sum_attr){.axes = {0}});
        OK(now->backward(now, &total, NULL, 1, false));
        now->recording = false;
        tare_value *alone = tare_max_pool2d(now, x, pools[k].attr); /* its indices are not wanted */
        float *is = read_of(y), *is_alone = read_of(alone), *dx = read_of(tare_value_gradient(x));
        check_maxima(data, &x->d, &pools[k].attr, is, &y->d, dx, k);
        check_maxima(data, &x->d, &pools[k].attr, is_alone, &y->d, dx, k);
        now->scope_end(now, NULL, 0);
        free(is);
        free(is_alone);
        free(dx);
        tare_value_drop(x);
        free(data);
    }
    close_mode();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("image");
    TCase *place = tcase_create("place"), *layers = tcase_create("layers");
    tcase_add_loop_test(place, bits_do_not_depend_on_the_place_in_the_image, 0, TARE_ISA_COUNT);
    tcase_add_loop_test(place, bits_do_not_depend_on_the_place_in_the_batch, 0, TARE_ISA_COUNT);
    tcase_add_loop_test(place, maxima_follow_the_rule, 0, TARE_ISA_COUNT);
    tcase_set_timeout(place, 60);
    suite_add_tcase(suite, place);
    tcase_add_checked_fixture(layers, open_mode, close_mode);
    tcase_add_test(layers, global_pooling_is_one_window);
    tcase_add_test(layers, a_nan_stays_in_its_windows);
    tcase_add_test(layers, attributes_out_of_bounds_are_refused);
    suite_add_tcase(suite, layers);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
