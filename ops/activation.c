/* activation.c - pointwise activations and their gradients, which read the output: y alone is kept for backward. */
#include <math.h>

#include "math.h"
#include "pointwise.h"

/* ---- relu: y = max(x, 0); NaN stays NaN ------------------------------------------------------------------------*/
static inline tare_vf relu_of(tare_vf x)
{
    return tare_select(x < 0, (tare_vf){0}, x);
}
TARE_KERNEL_DECLARE(relu);
TARE_POINTWISE(relu, 1, relu_of)

/* dx = dy where y > 0, else 0 */
static inline tare_vf relu_grad_of(tare_vf dy, tare_vf y)
{
    return tare_select(y > 0, dy, (tare_vf){0});
}
TARE_KERNEL_DECLARE(relu_grad);
TARE_POINTWISE(relu_grad, 2, relu_grad_of)

/* ---- tanh and sigmoid: within 3 ulp over all of float32, the same bits on every instruction set ---------------------
 * No contraction and no table: the errors stand in tests/test_kernels_a.c, which measures them. NaN stays NaN. */

/* |x| as a vector, and the sign's bit of x over a magnitude */
static inline tare_vf magnitude_of(tare_vf x)
{
    return (tare_vf)((tare_vi)x & 0x7fffffff);
}
static inline tare_vf with_sign_of(tare_vf x, tare_vf y)
{
    return (tare_vf)((tare_vi)y | ((tare_vi)x & INT32_MIN));
}

/* tanh |x| = t / (t + 2), t = e^(2|x|) - 1, which loses nothing near 0. t = 2^n p + (2^n - 1) with p = e^r - 1 =
 * r + r^2 q(r), 2|x| = n ln 2 + r (Cody and Waite, as in math.h); q is a minimax fit of scripts/fit_expm1.py with
 * a relative error of p of 1.7e-8. From |x| = 9.02 on t + 2 is t within half an ulp, and tanh is 1. */
static inline tare_vf tanh_of(tare_vf x)
{
    tare_vf y = magnitude_of(x) * 2.0f;
    y = tare_select(y > 20.0f, tare_broadcast(20.0f), y);
    tare_vf shifted = y * TARE_LOG2_E + TARE_ROUND;
    tare_vi n = (tare_vi)((tare_vu)shifted - 0x4b400000u);
    tare_vf whole = shifted - TARE_ROUND;
    tare_vf r = (y - whole * TARE_LN2_HIGH) - whole * TARE_LN2_LOW;
    tare_vf square = r * r;
    tare_vf q = (r * 0.0416672006f + 0.166665435f) * r + 0.49999997f;
    q += (r * 0.00138825213f + 0.00836652052f) * (square * r);
    tare_vf p = q * square + r, scale = tare_two_to(n);
    tare_vf t = scale * p + (scale - 1.0f);
    return with_sign_of(x, t / (t + 2.0f));
}
TARE_KERNEL_DECLARE(tanh);
TARE_POINTWISE(tanh, 1, tanh_of)

/* dx = dy (1 - y^2), as a product of differences that are exact near 1 */
static inline tare_vf tanh_grad_of(tare_vf dy, tare_vf y)
{
    return dy * ((1.0f - y) * (1.0f + y));
}
TARE_KERNEL_DECLARE(tanh_grad);
TARE_POINTWISE(tanh_grad, 2, tanh_grad_of)

/* 1 / (1 + z) for x >= 0, z / (1 + z) for x < 0, z = e^-|x|: neither overflows nor cancels */
static inline tare_vf sigmoid_of(tare_vf x)
{
    tare_vf z = tare_exp_of(with_sign_of(tare_broadcast(-1), magnitude_of(x)));
    return tare_select(x < 0, z, tare_broadcast(1)) / (1.0f + z);
}
TARE_KERNEL_DECLARE(sigmoid);
TARE_POINTWISE(sigmoid, 1, sigmoid_of)

/* dx = dy y (1 - y) */
static inline tare_vf sigmoid_grad_of(tare_vf dy, tare_vf y)
{
    return dy * (y * (1.0f - y));
}
TARE_KERNEL_DECLARE(sigmoid_grad);
TARE_POINTWISE(sigmoid_grad, 2, sigmoid_grad_of)

#ifdef TARE_PASS_RECORDS

static double relu_at(double x)
{
    return x < 0 ? 0 : x;
}
TARE_POINTWISE_REFERENCE(relu_reference, 1, relu_at)

static double relu_grad_at(double dy, double y)
{
    return y > 0 ? dy : 0;
}
TARE_POINTWISE_REFERENCE(relu_grad_reference, 2, relu_grad_at)

static void relu_gradient(tare_builder *b)
{
    tare_contribute(b, 0, tare_relu_grad(b->mode, tare_head(b, 0), tare_output(b, 0)));
}

const tare_op tare_op_relu = {
    .name = "relu",
    .doc = "y = max(x, 0); x, y [...]. NaN stays NaN; the gradient at 0 is 0",
    .n_in = 1,
    .n_out = 1,
    .infer = tare__infer_like,
    .gradient = relu_gradient,
    .needs_out = 1,
    .overwrites = {1},
    .variants = (const tare_variant[]){TARE_POINTWISE_VARIANTS(relu, relu_reference)},
    .n_variants = TARE_N_NATIVE + 1,
    .samples = (const tare_sample[]){{TARE_SAMPLE_CHECK, "f32[3,5]", NULL, NULL},
                                     {TARE_SAMPLE_CHECK, "f32[16385]", NULL, NULL},
                                     {TARE_SAMPLE_CHECK, "f32[0,4]", NULL, NULL},
                                     {TARE_SAMPLE_BENCH, "f32[256,300]", NULL, NULL},
                                     {TARE_SAMPLE_REJECT, "i32[3]", NULL, "need float32 or float64"}},
    .n_samples = 5,
};

const tare_op tare_op_relu_grad = {
    .name = "relu_grad",
    .doc = "dx = dy where y > 0, else 0; dy, y, dx [...]",
    .n_in = 2,
    .n_out = 1,
    .infer = tare__infer_same,
    .not_differentiable = true,
    .overwrites = {1},
    .variants = (const tare_variant[]){TARE_POINTWISE_VARIANTS(relu_grad, relu_grad_reference)},
    .n_variants = TARE_N_NATIVE + 1,
    .samples = (const tare_sample[]){{TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5]", NULL, NULL},
                                     {TARE_SAMPLE_BENCH, "f32[256,300] f32[256,300]", NULL, NULL},
                                     {TARE_SAMPLE_REJECT, "f32[3] f32[4]", NULL, "shapes differ: [3] and [4]"}},
    .n_samples = 3,
};

static double tanh_grad_at(double dy, double y)
{
    return dy * (1 - y * y);
}
TARE_POINTWISE_REFERENCE(tanh_reference, 1, tanh)
TARE_POINTWISE_REFERENCE(tanh_grad_reference, 2, tanh_grad_at)

static double sigmoid_at(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}
static double sigmoid_grad_at(double dy, double y)
{
    return dy * y * (1 - y);
}
TARE_POINTWISE_REFERENCE(sigmoid_reference, 1, sigmoid_at)
TARE_POINTWISE_REFERENCE(sigmoid_grad_reference, 2, sigmoid_grad_at)

static void tanh_gradient(tare_builder *b)
{
    tare_contribute(b, 0, tare_tanh_grad(b->mode, tare_head(b, 0), tare_output(b, 0)));
}

static void sigmoid_gradient(tare_builder *b)
{
    tare_contribute(b, 0, tare_sigmoid_grad(b->mode, tare_head(b, 0), tare_output(b, 0)));
}

static const tare_sample smooth_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,5]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[0,4]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[16385]<-12,12>", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[16]", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[256,300]", NULL, NULL},
    {TARE_SAMPLE_REJECT, "i32[3]", NULL, "need float32 or float64"},
};
static const tare_sample smooth_grad_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5]<0,1>", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[] f32[]<0,1>", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[16385] f32[16385]<0,1>", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[256,300] f32[256,300]<0,1>", NULL, NULL},
    {TARE_SAMPLE_REJECT, "f32[3] f32[4]", NULL, "shapes differ: [3] and [4]"},
};

/* name(x) = y and name_grad(dy, y) = dx. Tolerances: 3 ulp of y; four roundings of dx. */
#define SMOOTH_RECORDS(name_, formula, grad_formula)                                                                   \
    const tare_op tare_op_##name_ = {                                                                                  \
        .name = #name_,                                                                                                \
        .doc = "y = " formula "; x, y [...]. Within 3 ulp; NaN stays NaN",                                             \
        .n_in = 1,                                                                                                     \
        .n_out = 1,                                                                                                    \
        .infer = tare__infer_like,                                                                                     \
        .gradient = name_##_gradient,                                                                                  \
        .needs_out = 1,                                                                                                \
        .overwrites = {1},                                                                                             \
        .variants = (const tare_variant[]){TARE_POINTWISE_VARIANTS(name_, name_##_reference)},                         \
        .n_variants = TARE_N_NATIVE + 1,                                                                               \
        .samples = smooth_samples,                                                                                     \
        .n_samples = TARE_COUNT_OF(smooth_samples),                                                                    \
        .tolerance = 4e-7,                                                                                             \
    };                                                                                                                 \
    const tare_op tare_op_##name_##_grad = {                                                                           \
        .name = #name_ "_grad",                                                                                        \
        .doc = "dx = " grad_formula "; dy, y, dx [...]",                                                               \
        .n_in = 2,                                                                                                     \
        .n_out = 1,                                                                                                    \
        .infer = tare__infer_same,                                                                                     \
        .not_differentiable = true,                                                                                    \
        .overwrites = {1},                                                                                             \
        .variants = (const tare_variant[]){TARE_POINTWISE_VARIANTS(name_##_grad, name_##_grad_reference)},             \
        .n_variants = TARE_N_NATIVE + 1,                                                                               \
        .samples = smooth_grad_samples,                                                                                \
        .n_samples = TARE_COUNT_OF(smooth_grad_samples),                                                               \
        .tolerance = 4e-7,                                                                                             \
    }
SMOOTH_RECORDS(tanh, "tanh x", "dy (1 - y^2)");
SMOOTH_RECORDS(sigmoid, "1 / (1 + e^-x)", "dy y (1 - y)");

#endif
