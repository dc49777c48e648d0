/* activation.c - pointwise activations and their gradients, which read the output: y alone is kept for backward. */
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

#endif
