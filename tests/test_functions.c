/* test_functions.c - every pointwise function of one input over floats of every exponent: its error against its own
 * float64 reference, in ulp; the same bits on every instruction set; what it is at zeros, infinities and NaN. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../ops/ops.h"
#include "isa.h"
#include "ulps.h"

/* Bounds of errors: of y in ulp, where it is more than `least`; of the slope in units of 2^-24. */
typedef struct {
    const tare_op *op, *grad;
    bool of_y; /* the gradient reads y, not x */
    double ulp, slope, least;
    const char *attr;
} function;
static const function functions[] = {
    {&tare_op_relu, &tare_op_relu_grad, true, 0, 0, 0, NULL},
    {&tare_op_tanh, &tare_op_tanh_grad, true, 3, 2, 0, NULL},
    {&tare_op_sigmoid, &tare_op_sigmoid_grad, true, 3, 2, 0, NULL},
    {&tare_op_softsign, &tare_op_softsign_grad, true, 2, 2, 0, NULL},
    {&tare_op_softplus, &tare_op_softplus_grad, true, 3, 2, 0, NULL},
    {&tare_op_leaky_relu, &tare_op_leaky_relu_grad, true, 1, 1, 0, "slope=0.25"},
    {&tare_op_elu, &tare_op_elu_grad, true, 2, 2, 0, NULL},
    {&tare_op_gelu, &tare_op_gelu_grad, false, 6, 4, 0x1p-141, NULL},
    {&tare_op_gelu, &tare_op_gelu_grad, false, 150, 4, 0x1p-141, "tanh=true"},
    {&tare_op_silu, &tare_op_silu_grad, false, 3, 4, 0x1p-141, NULL},
    {&tare_op_hard_swish, &tare_op_hard_swish_grad, false, 3, 2, 0, NULL},
    {&tare_op_neg, NULL, false, 0, 0, 0, NULL},
    {&tare_op_exp, NULL, false, 1, 0, 0, NULL},
    {&tare_op_log, NULL, false, 1, 0, 0, NULL},
    {&tare_op_sqrt, NULL, false, 0.5, 0, 0, NULL},
    {&tare_op_square, NULL, false, 0.5, 0, 0, NULL},
    {&tare_op_abs, &tare_op_abs_grad, false, 0, 0, 0, NULL},
    {&tare_op_clip, &tare_op_clip_grad, false, 0, 0, 0, "low=-1,high=0.5"},
};
enum { N_FUNCTIONS = sizeof functions / sizeof *functions, BLOCK = 4096 };

/* One piece of n elements through variant v, which fits; false: it does not. */
static bool apply(const function *f, const tare_op *op, const tare_variant *v, tare_dtype dtype, const void *a,
                  const void *b, void *out, int64_t n)
{
    char attr[64] __attribute__((aligned(8))) = {0};
    ck_assert_int_eq(tare_attr_parse(op->name, op->attrs, op->n_attrs, f->attr, attr), TARE_OK);
    tare_desc d = tare_desc_of(dtype, 1, &n), made;
    tare_args args = {op, attr, (const tare_desc_ref[]){&d, &d}, op->n_in, 0, NULL, NULL};
    ck_assert_int_eq(op->infer(&args, (const tare_desc_out[]){&made}), TARE_OK);
    if (!(v->dtypes & TARE_BIT(dtype)) || (v->fits && !v->fits(&args)))
        return false;
    tare_work w = {.n_pieces = 1};
    v->prepare(&args, (const tare_desc_ref[]){&made}, &w);
    ck_assert_int_eq(w.n_pieces, 1);
    void *ptr[] = {(void *)(uintptr_t)a, op->n_in == 2 ? (void *)(uintptr_t)b : out, out};
    tare_call c = {.run = v->run, .ptr = ptr, .g = w.g, .n_pieces = 1, .site = -1};
    ck_assert_int_eq(c.run(&c, 0, 0), 0);
    return true;
}

/* The float64 reference's results of the same numbers. */
static void apply_exactly(const function *f, const tare_op *op, const float *a, const float *b, double *out, int64_t n)
{
    static double wide[2][BLOCK];
    for (int64_t i = 0; i < n; ++i) {
        wide[0][i] = (double)a[i];
        wide[1][i] = b ? (double)b[i] : 0;
    }
    ck_assert(apply(f, op, &op->variants[op->n_variants - 1], TARE_F64, wide[0], wide[1], out, n));
}

/* Every native variant's results, which are the same bits. */
static void apply_natively(const function *f, const tare_op *op, const float *a, const float *b, float *out, int64_t n)
{
    static float y[BLOCK];
    static tare_isa isa = TARE_ISA_COUNT; /* not known yet */
    int found = 0;
    isa = isa == TARE_ISA_COUNT ? best_isa() : isa;
    for (int k = 0; k < op->n_variants - 1; ++k) {
        if (op->variants[k].isa > isa || !apply(f, op, &op->variants[k], TARE_F32, a, b, found ? y : out, n))
            continue;
        int64_t same = 0; /* an assertion each would take longer than the functions */
        while (found && same < n &&
               (memcmp(&y[same], &out[same], sizeof *y) == 0 || (isnan(y[same]) && isnan(out[same]))))
            ++same;
        ck_assert_msg(!found || same == n, "%s: %s has other bits at %a", op->name, op->variants[k].name,
                      (double)a[same]);
        ++found;
    }
    ck_assert_int_gt(found, 0);
}

static const float *block_of(uint64_t bits, uint32_t step)
{
    static float x[BLOCK];
    for (uint32_t i = 0; i < BLOCK; ++i) {
        uint32_t each = (uint32_t)(bits + i * step);
        memcpy(&x[i], &each, sizeof each);
    }
    return x;
}

START_TEST(values_are_within_their_ulps)
{
    const function *f = &functions[_i];
    double worst = 0, exact[BLOCK];
    float y[BLOCK], at = 0;
    for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += BLOCK * UINT64_C(4099)) {
        const float *x = block_of(bits, 4099);
        apply_exactly(f, f->op, x, NULL, exact, BLOCK);
        apply_natively(f, f->op, x, NULL, y, BLOCK);
        for (int i = 0; i < BLOCK; ++i) {
            double error = fabs((double)y[i] - exact[i]) <= f->least ? 0 : ulps(y[i], exact[i]);
            at = error > worst ? x[i] : at;
            worst = fmax(worst, error);
        }
    }
    ck_assert_msg(worst <= f->ulp, "%s: %g ulp at %a", f->op->name, worst, (double)at);
}
END_TEST

START_TEST(slopes_are_within_their_bounds)
{
    const function *f = &functions[_i];
    double worst = 0, exact[BLOCK];
    float y[BLOCK], dy[BLOCK], dx[BLOCK], at = 0;
    for (int i = 0; i < BLOCK; ++i)
        dy[i] = 1;
    for (uint64_t bits = 0; f->grad && bits < UINT64_C(1) << 32; bits += BLOCK * UINT64_C(4099)) {
        const float *x = block_of(bits, 4099), *saved = f->of_y ? y : x;
        apply_natively(f, f->op, x, NULL, y, BLOCK);
        apply_exactly(f, f->grad, dy, saved, exact, BLOCK);
        apply_natively(f, f->grad, dy, saved, dx, BLOCK);
        for (int i = 0; i < BLOCK; ++i) {
            double error = isnan(dx[i]) != isnan(exact[i]) ? INFINITY : fabs((double)dx[i] - exact[i]) * 0x1p24;
            at = error > worst ? x[i] : at;
            worst = fmax(worst, isnan(exact[i]) ? 0 : error);
        }
    }
    ck_assert_msg(worst <= f->slope, "%s: %g at %a", f->op->name, worst, (double)at);
}
END_TEST

/* Bits: -0 is not 0. NaN at an x stands for NaN there; a slope is that at x with dy = 1. */
enum { N_SPECIAL = 6 };
static const float special[N_SPECIAL] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-42f};
START_TEST(specials_are_exact)
{
    static const struct {
        const tare_op *op;
        float y[N_SPECIAL], slope[N_SPECIAL];
    } wanted[] = {
        {&tare_op_relu, {0, -0.0f, INFINITY, 0, NAN, 1e-42f}, {0, 0, 1, 0, 0, 1}},
        {&tare_op_tanh, {0, -0.0f, 1, -1, NAN, 1e-42f}, {1, 1, 0, 0, NAN, 1}},
        {&tare_op_sigmoid, {0.5f, 0.5f, 1, 0, NAN, 0.5f}, {0.25f, 0.25f, 0, 0, NAN, 0.25f}},
        {&tare_op_softsign, {0, -0.0f, 1, -1, NAN, 1e-42f}, {1, 1, 0, 0, NAN, 1}},
        {&tare_op_softplus,
         {0x1.62e43p-1f, 0x1.62e43p-1f, INFINITY, 0, NAN, 0x1.62e43p-1f},
         {0.5f, 0.5f, 1, 0, NAN, 0.5f}},
        {&tare_op_leaky_relu, {0, -0.0f, INFINITY, -INFINITY, NAN, 1e-42f}, {0.25f, 0.25f, 1, 0.25f, 0.25f, 1}},
        {&tare_op_elu, {0, -0.0f, INFINITY, -1, NAN, 1e-42f}, {1, 1, 1, 0, NAN, 1}},
        {&tare_op_gelu, {0, -0.0f, INFINITY, -0.0f, NAN, 5e-43f}, {0.5f, 0.5f, 1, 0, NAN, 0.5f}},
        {&tare_op_silu, {0, -0.0f, INFINITY, -0.0f, NAN, 5e-43f}, {0.5f, 0.5f, 1, 0, NAN, 0.5f}},
        {&tare_op_hard_swish, {0, -0.0f, INFINITY, 0, NAN, 5e-43f}, {0.5f, 0.5f, 1, 0, NAN, 0.5f}},
        {&tare_op_neg, {-0.0f, 0, -INFINITY, INFINITY, NAN, -1e-42f}, {0}},
        {&tare_op_exp, {1, 1, INFINITY, 0, NAN, 1}, {0}},
        {&tare_op_log, {-INFINITY, -INFINITY, INFINITY, NAN, NAN, -0x1.82d50ap+6f}, {0}},
        {&tare_op_sqrt, {0, -0.0f, INFINITY, NAN, NAN, 0x1.2e4fa4p-70f}, {0}},
        {&tare_op_square, {0, 0, INFINITY, INFINITY, NAN, 0}, {0}},
        {&tare_op_abs, {0, 0, INFINITY, INFINITY, NAN, 1e-42f}, {0, 0, 1, -1, 0, 1}},
        {&tare_op_clip, {0, -0.0f, 0.5f, -1, NAN, 1e-42f}, {1, 1, 0, 0, 0, 1}},
    };
    const function *f = &functions[_i];
    float y[N_SPECIAL], dx[N_SPECIAL], dy[N_SPECIAL] = {1, 1, 1, 1, 1, 1};
    size_t k = 0;
    while (wanted[k].op != f->op)
        ck_assert_uint_lt(++k, sizeof wanted / sizeof *wanted);
    apply_natively(f, f->op, special, NULL, y, N_SPECIAL);
    if (f->grad)
        apply_natively(f, f->grad, dy, f->of_y ? y : special, dx, N_SPECIAL);
    for (int i = 0; i < N_SPECIAL; ++i) {
        bool nan = isnan(y[i]) && isnan(wanted[k].y[i]);
        ck_assert_msg(nan || memcmp(&y[i], &wanted[k].y[i], sizeof *y) == 0, "%s of %a is %a", f->op->name,
                      (double)special[i], (double)y[i]);
        ck_assert_msg(!f->grad || dx[i] == wanted[k].slope[i] || (isnan(dx[i]) && isnan(wanted[k].slope[i])),
                      "the slope of %s at %a is %a", f->op->name, (double)special[i], (double)dx[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("functions");
    TCase *tests = tcase_create("functions");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, values_are_within_their_ulps, 0, N_FUNCTIONS);
    tcase_add_loop_test(tests, slopes_are_within_their_bounds, 0, N_FUNCTIONS);
    tcase_add_loop_test(tests, specials_are_exact, 0, N_FUNCTIONS);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
