/* test_kernels_a.c - kernels of arithmetic, copies, reductions and activations, called straight from their records.
 *
 * What the tests derived from the records do not reach: the same bits on every instruction set, for any order of the
 * pieces and any address; views; the errors of long sums. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "../ops/ops.h"
#include "isa.h"

enum { MOST_INPUTS = 2, GUARD = 64 };

/* One application: descs and addresses of inputs and of output 0. */
typedef struct {
    const tare_op *op;
    const void *attr;
    int n_in;
    tare_desc in[MOST_INPUTS], out;
    void *ptr[MOST_INPUTS + 1];
} application;

static tare_args args_of(const application *a, tare_desc_ref *in)
{
    for (int i = 0; i < a->n_in; ++i)
        in[i] = &a->in[i];
    return (tare_args){a->op, a->attr, in, a->n_in, 0, NULL, NULL};
}

static tare_status infer(application *a)
{
    tare_desc_ref in[MOST_INPUTS];
    tare_args args = args_of(a, in);
    return a->op->infer(&args, (const tare_desc_out[]){&a->out});
}

static bool serves(const application *a, const tare_variant *v, tare_isa isa)
{
    tare_desc_ref in[MOST_INPUTS];
    tare_args args = args_of(a, in);
    bool strides = true;
    for (int i = 0; i < a->n_in; ++i)
        strides = strides && (a->in[i].contiguous || v->in_strides[i] == TARE_STRIDES_ANY);
    return v->isa <= isa && strides && (v->dtypes & TARE_BIT(a->in[0].dtype)) && (!v->fits || v->fits(&args));
}

/* Runs all pieces, in falling order if `backwards`, then combine. */
static void run(const application *a, const tare_variant *v, bool backwards)
{
    tare_desc_ref in[MOST_INPUTS];
    tare_args args = args_of(a, in);
    tare_work work;
    memset(&work, 0x55, sizeof work); /* a kernel must not read a word that prepare() has not written */
    work.n_pieces = 1;
    work.n_g = 0;
    work.piece_bytes = work.worker_bytes = 0;
    v->prepare(&args, (const tare_desc_ref[]){&a->out}, &work);
    ck_assert_int_ge(work.n_pieces, 1);
    ck_assert_int_le(work.n_g, TARE_GEOMETRY);
    ck_assert_uint_eq(work.piece_bytes % 64, 0);
    void *ptr[MOST_INPUTS + 3] = {0};
    for (int i = 0; i < a->n_in; ++i)
        ptr[i] = a->op->shape_only >> i & 1 ? NULL : a->ptr[i];
    ptr[a->n_in] = a->ptr[a->n_in];
    size_t bytes = (size_t)work.n_pieces * work.piece_bytes;
    ptr[a->n_in + 1] = bytes ? tare_memory_take(NULL, TARE_MEMORY_WORK, bytes) : NULL;
    tare_call c = {
        .run = v->run, .combine = v->combine, .ptr = ptr, .g = work.g, .n_pieces = work.n_pieces, .site = -1};
    for (int i = 0; i < work.n_pieces; ++i)
        ck_assert_int_eq(c.run(&c, backwards ? work.n_pieces - 1 - i : i, 0), 0);
    if (c.combine)
        ck_assert_int_eq(c.combine(&c, 0, 0), 0);
    if (bytes)
        tare_memory_give(NULL, TARE_MEMORY_WORK, ptr[a->n_in + 1], bytes);
}

/* A number in <-1,1> that any machine makes the same. */
static double number(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(int32_t)(*state >> 32) / 2147483648.0;
}

/* Elements that a view may reach beyond its first. */
static size_t span(const tare_desc *d)
{
    int64_t n = 1;
    for (int i = 0; i < d->rank; ++i)
        if (d->stride[i] > 0)
            n += d->dim[i] > 0 ? (d->dim[i] - 1) * d->stride[i] : 0;
    return (size_t)n;
}

static tare_desc desc(tare_dtype dtype, int rank, const int64_t *dim)
{
    return tare_desc_of(dtype, rank, dim);
}

/* The kernels of one operator on one case: each variant against the reference, and, bit for bit, against the first. */
static void compare(application *a, double tolerance)
{
    ck_assert_msg(infer(a) == TARE_OK, "%s", tare_error_text());
    tare_isa isa = best_isa();
    uint64_t state = 7;
    void *block[MOST_INPUTS] = {0};
    double magnitude = 1e-30;
    for (int i = 0; i < a->n_in; ++i) {
        size_t n = span(&a->in[i]);
        float *p = malloc((n + GUARD) * sizeof *p);
        ck_assert_ptr_nonnull(p);
        for (size_t k = 0; k < n + GUARD; ++k)
            p[k] = (float)number(&state);
        block[i] = p;
    }
    size_t n_out = (size_t)tare_desc_count(&a->out);
    float *expected = malloc((n_out + GUARD) * sizeof *expected), *first = malloc((n_out + GUARD) * sizeof *first),
          *got = malloc((n_out + GUARD) * sizeof *got);
    ck_assert(expected && first && got);
    const tare_variant *reference = &a->op->variants[a->op->n_variants - 1];
    for (int i = 0; i < a->n_in; ++i)
        a->ptr[i] = block[i];
    a->ptr[a->n_in] = expected;
    run(a, reference, false);
    for (size_t k = 0; k < n_out; ++k)
        magnitude = fmax(magnitude, fabs((double)expected[k]));
    int served = 0;
    for (int k = 0; k < a->op->n_variants - 1; ++k) {
        const tare_variant *v = &a->op->variants[k];
        if (!serves(a, v, isa))
            continue;
        for (int shift = 0; shift < 3; ++shift) {
            /* the same numbers at other addresses */
            for (int i = 0; i < a->n_in; ++i) {
                if (shift)
                    memmove((float *)block[i] + shift, (float *)block[i] + shift - 1, span(&a->in[i]) * sizeof(float));
                a->ptr[i] = (float *)block[i] + shift;
            }
            memset(got, 0x7f, (n_out + GUARD) * sizeof *got);
            a->ptr[a->n_in] = got + shift;
            run(a, v, shift == 1);
            size_t wrong = 0, beyond = 0;
            while (wrong < n_out &&
                   fabs((double)got[(size_t)shift + wrong] - (double)expected[wrong]) <= tolerance * magnitude)
                ++wrong;
            ck_assert_msg(wrong == n_out, "%s %s [%zu]: %.9g, reference %.9g", a->op->name, v->name, wrong,
                          (double)got[(size_t)shift + wrong], (double)expected[wrong]);
            while (beyond < GUARD - 4 && ((uint8_t *)(got + shift + n_out))[beyond] == 0x7f)
                ++beyond;
            ck_assert_msg(beyond == GUARD - 4, "%s %s wrote beyond its output", a->op->name, v->name);
            if (served++ == 0)
                memcpy(first, got, n_out * sizeof *first);
            ck_assert_msg(memcmp(first, got + shift, n_out * sizeof *first) == 0,
                          "%s %s at address + %d: other bits than the first", a->op->name, v->name, shift);
        }
        for (int i = 0; i < a->n_in; ++i)
            memmove(block[i], (float *)block[i] + 2, span(&a->in[i]) * sizeof(float));
    }
    ck_assert_msg(served > 0, "%s: no variant serves", a->op->name);
    for (int i = 0; i < a->n_in; ++i)
        free(block[i]);
    free(expected);
    free(first);
    free(got);
}

#define DIMS(...)                                                                                                      \
    (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[])                                       \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

static tare_desc transposed(int64_t rows, int64_t columns)
{
    tare_desc d = desc(TARE_F32, DIMS(rows, columns));
    d.stride[0] = 1;
    d.stride[1] = rows;
    tare_desc_measure(&d);
    return d;
}

START_TEST(broadcasting_reads_any_view)
{
    static const tare_op *const op[] = {&tare_op_add, &tare_op_sub, &tare_op_mul};
    for (int k = 0; k < 3; ++k) {
        application a = {.op = op[k], .n_in = 2};
        a.in[0] = transposed(37, 19);
        a.in[1] = desc(TARE_F32, DIMS(37, 19));
        compare(&a, 0);
        a.in[1] = transposed(37, 19);
        compare(&a, 0);
        a.in[1] = desc(TARE_F32, DIMS(19));
        compare(&a, 0);
        a.in[0] = desc(TARE_F32, DIMS(700, 33));
        a.in[1] = desc(TARE_F32, DIMS(33));
        compare(&a, 0);
        a.in[1] = desc(TARE_F32, DIMS(700, 1));
        compare(&a, 0);
        a.in[0] = desc(TARE_F32, DIMS(2, 1, 3, 1, 2, 1));
        a.in[1] = desc(TARE_F32, DIMS(1, 3, 1, 3, 1, 17));
        compare(&a, 0);
        a.in[0] = a.in[1] = desc(TARE_F32, DIMS(16391));
        compare(&a, 0);
    }
}
END_TEST

START_TEST(copies_make_views_contiguous)
{
    application a = {.op = &tare_op_copy, .n_in = 1};
    a.in[0] = transposed(100, 333);
    compare(&a, 0);
    a.in[0] = transposed(3, 7);
    compare(&a, 0);
    a.in[0] = desc(TARE_F32, DIMS(5, 6, 7, 8));
    a.in[0].stride[0] = 8 * 7;
    a.in[0].stride[1] = 5 * 8 * 7;
    a.in[0].stride[2] = 1;
    a.in[0].stride[3] = 7;
    tare_desc_measure(&a.in[0]);
    compare(&a, 0);
    a.in[0] = desc(TARE_F32, DIMS(40, 50));
    a.in[0].stride[1] = 0;
    tare_desc_measure(&a.in[0]);
    compare(&a, 0);
}
END_TEST

#define AXES(...)                                                                                                      \
    {                                                                                                                  \
        .n = (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), .at = { __VA_ARGS__ }                          \
    }

START_TEST(sums_agree_on_every_instruction_set)
{
    static const struct {
        int rank;
        int64_t dim[TARE_RANK];
        tare_ints axes;
    } sums[] = {
        {2, {1, 16}, AXES(0)},
        {2, {16, 16}, AXES(0)},
        {2, {7, 300}, AXES(0)},
        {2, {256, 300}, AXES(0)},
        {2, {3000, 10}, AXES(0)},
        {2, {300, 5000}, AXES(0)},
        {2, {256, 300}, AXES(1)},
        {2, {999, 3}, AXES(1)},
        {2, {3, 40000}, AXES(1)},
        {2, {256, 300}, AXES(0, 1)},
        {1, {100003}, AXES(0)},
        {1, {31}, AXES(0)},
        {4, {8, 5, 9, 13}, AXES(0, 2, 3)},
        {4, {64, 3, 24, 24}, AXES(-1, 0, 2)},
        {3, {500, 4, 8}, AXES(1)},
        {3, {5, 1, 7}, AXES(1)},
        {6, {3, 2, 3, 2, 3, 5}, AXES(0, 2, 4)},
        {6, {3, 2, 3, 2, 3, 5}, AXES(1, 3, 5)},
        {3, {4, 0, 5}, AXES(1)},
        {3, {0, 3, 5}, AXES(1)},
        {3, {4, 5, 0}, AXES(2)},
    };
    for (size_t i = 0; i < sizeof sums / sizeof *sums; ++i) {
        tare_sum_attr attr = {sums[i].axes, false};
        application a = {.op = &tare_op_sum, .attr = &attr, .n_in = 1};
        a.in[0] = desc(TARE_F32, sums[i].rank, sums[i].dim);
        compare(&a, 2e-6);
        application grad = {.op = &tare_op_sum_grad, .attr = &attr, .n_in = 2, .in = {a.out, a.in[0]}};
        compare(&grad, 0);
        if (tare_desc_count(&a.in[0]) == 0)
            continue; /* the mean of nothing is NaN */
        a.op = &tare_op_mean;
        compare(&a, 2e-6);
        grad.op = &tare_op_mean_grad;
        compare(&grad, 2e-7);
    }
}
END_TEST

/* Sums of many numbers: the error in units of 2^-24 times the sum of the magnitudes, where the bound is 37 and 131. */
START_TEST(long_sums_stay_accurate)
{
    static const struct {
        int64_t dim[2], axis;
    } sums[] = {{{3, 300001}, 1}, {{5000, 37}, 0}, {{100003, 2}, 0}};
    for (size_t i = 0; i < sizeof sums / sizeof *sums; ++i) {
        const int64_t *dim = sums[i].dim;
        tare_sum_attr attr = {{.n = 1, .at = {sums[i].axis}}, false};
        application a = {.op = &tare_op_sum, .attr = &attr, .n_in = 1};
        a.in[0] = desc(TARE_F32, 2, dim);
        ck_assert_int_eq(infer(&a), TARE_OK);
        float *x = malloc(tare_desc_bytes(&a.in[0])), out[40];
        ck_assert_ptr_nonnull(x);
        uint64_t state = 11;
        for (int64_t k = 0; k < dim[0] * dim[1]; ++k)
            x[k] = (float)number(&state) + 0.3f;
        a.ptr[0] = x;
        a.ptr[1] = out;
        run(&a, &a.op->variants[a.op->n_variants - 2], false); /* the portable kernel, before the reference */
        int64_t kept = dim[1 - sums[i].axis], n = dim[sums[i].axis], step = sums[i].axis ? 1 : kept;
        for (int64_t o = 0; o < kept; ++o) {
            double exact = 0, magnitude = 0;
            for (int64_t k = 0; k < n; ++k) {
                double each = (double)x[(sums[i].axis ? o * n : o) + k * step];
                exact += each;
                magnitude += fabs(each);
            }
            ck_assert_double_le(fabs((double)out[o] - exact), 2 * 0x1p-24 * magnitude);
        }
        free(x);
    }
}
END_TEST

START_TEST(activations_agree_on_every_instruction_set)
{
    static const tare_op *const op[] = {&tare_op_tanh, &tare_op_sigmoid, &tare_op_tanh_grad, &tare_op_sigmoid_grad};
    static const int64_t sizes[] = {0, 1, 15, 16, 17, 100, 16384, 16385, 40000};
    for (int k = 0; k < 4; ++k)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
            application a = {.op = op[k], .n_in = op[k]->n_in};
            a.in[0] = a.in[1] = desc(TARE_F32, 1, &sizes[i]);
            compare(&a, 4e-7);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernels a");
    TCase *tcase = tcase_create("kernels");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, broadcasting_reads_any_view);
    tcase_add_test(tcase, copies_make_views_contiguous);
    tcase_add_test(tcase, sums_agree_on_every_instruction_set);
    tcase_add_test(tcase, long_sums_stay_accurate);
    tcase_add_test(tcase, activations_agree_on_every_instruction_set);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
