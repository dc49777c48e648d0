/* activation.c - pointwise activations and their gradients, which read the output: y alone is kept for backward.
 *
 * That y says enough: each function here grows with x, so the sign of x and the slope at it follow from y. Where a
 * function saturates its slope is a difference of numbers that are nearly equal, right to a rounding of y. Slopes at
 * kinks are PyTorch's: 0 for relu, the lower one for the others. */
#include <math.h>

#include "math.h"
#include "pointwise.h"

/* ---- relu: y = max(x, 0); NaN stays NaN ------------------------------------------------------------------------*/
static inline tare_vf relu_of(tare_vf x)
{
    return tare_select(x < 0, (tare_vf){0}, x);
}
static inline tare_vf relu_grad_of(tare_vf dy, tare_vf y)
{
    return tare_select(y > 0, dy, (tare_vf){0});
}
TARE_POINTWISE_KERNELS(relu, 0)

/* ---- tanh and sigmoid: within 3 ulp over all of float32, the same bits on every instruction set ---------------------
 * No contraction and no table: the errors stand in tests/test_functions.c, which measures them. NaN stays NaN. */

/* tanh |x| = t / (t + 2), t = e^(2|x|) - 1. From |x| = 9.02 on t + 2 is t within half an ulp, and tanh is 1. */
static inline tare_vf tanh_of(tare_vf x)
{
    tare_vf t = tare_expm1_of(tare_magnitude_of(x) * 2.0f);
    return tare_with_sign_of(x, t / (t + 2.0f));
}
/* a product of differences that are exact near 1 */
static inline tare_vf tanh_grad_of(tare_vf dy, tare_vf y)
{
    return dy * ((1.0f - y) * (1.0f + y));
}
TARE_POINTWISE_KERNELS(tanh, 0)

/* 1 / (1 + z) for x >= 0, z / (1 + z) for x < 0, z = e^-|x|: neither overflows nor cancels */
static inline tare_vf sigmoid_of(tare_vf x)
{
    tare_vf z = tare_exp_of(-tare_magnitude_of(x));
    return tare_select(x < 0, z, tare_broadcast(1)) / (1.0f + z);
}
static inline tare_vf sigmoid_grad_of(tare_vf dy, tare_vf y)
{
    return dy * (y * (1.0f - y));
}
TARE_POINTWISE_KERNELS(sigmoid, 0)

/* ---- softsign: from |x| = 2^26 on it is 1 ------------------------------------------------------------------------*/
static inline tare_vf softsign_of(tare_vf x)
{
    tare_vf a = tare_magnitude_of(x);
    a = tare_select(a > 0x1p+26f, tare_broadcast(0x1p+26f), a);
    return tare_with_sign_of(x, a / (1.0f + a));
}
static inline tare_vf softsign_grad_of(tare_vf dy, tare_vf y)
{
    tare_vf rest = 1.0f - tare_magnitude_of(y);
    return dy * (rest * rest);
}
TARE_POINTWISE_KERNELS(softsign, 0)

/* ---- softplus: log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), which neither overflows nor cancels ----------------------
 * and whose slope 1 / (1 + e^-x) is 1 - e^-y. */
static inline tare_vf softplus_of(tare_vf x)
{
    return relu_of(x) + tare_log1p_of(tare_exp_of(-tare_magnitude_of(x)));
}
static inline tare_vf softplus_grad_of(tare_vf dy, tare_vf y)
{
    return dy * -tare_expm1_of(-y);
}
TARE_POINTWISE_KERNELS(softplus, 0)

/* ---- leaky_relu and elu: x above 0; slope x and alpha (e^x - 1) below ---------------------------------------------*/
static inline tare_vf leaky_relu_of(tare_vf x, tare_vf slope)
{
    return tare_select(x > 0, x, slope * x);
}
static inline tare_vf leaky_relu_grad_of(tare_vf dy, tare_vf y, tare_vf slope)
{
    return tare_select(y > 0, dy, slope * dy);
}
TARE_POINTWISE_KERNELS(leaky_relu, 1)

static inline tare_vf elu_of(tare_vf x, tare_vf alpha)
{
    return tare_select(x >= 0, x, alpha * tare_expm1_of(x)); /* -0 stays */
}
static inline tare_vf elu_grad_of(tare_vf dy, tare_vf y, tare_vf alpha)
{
    return tare_select(y > 0, dy, dy * (y + alpha));
}
TARE_POINTWISE_KERNELS(elu, 1)

#ifdef TARE_PASS_RECORDS

/* ---- the same in float64 ------------------------------------------------------------------------------------------*/
static double relu_at(double x)
{
    return x < 0 ? 0 : x;
}
static double relu_grad_at(double dy, double y)
{
    return y > 0 ? dy : 0;
}
static double tanh_at(double x)
{
    return tanh(x);
}
static double tanh_grad_at(double dy, double y)
{
    return dy * (1 - y * y);
}
static double sigmoid_at(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}
static double sigmoid_grad_at(double dy, double y)
{
    return dy * y * (1 - y);
}
static double softsign_at(double x)
{
    return isinf(x) ? copysign(1, x) : x / (1 + fabs(x));
}
static double softsign_grad_at(double dy, double y)
{
    return dy * (1 - fabs(y)) * (1 - fabs(y));
}
static double softplus_at(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}
static double softplus_grad_at(double dy, double y)
{
    return dy * -expm1(-y);
}
static double leaky_relu_at(double x, double slope)
{
    return x > 0 ? x : slope * x;
}
static double leaky_relu_grad_at(double dy, double y, double slope)
{
    return y > 0 ? dy : slope * dy;
}
static double elu_at(double x, double alpha)
{
    return x >= 0 ? x : alpha * expm1(x);
}
static double elu_grad_at(double dy, double y, double alpha)
{
    return y > 0 ? dy : dy * (y + alpha);
}

/* ---- records ------------------------------------------------------------------------------------------------------*/
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
/* with an attribute between 0 and 1 */
#define KINKED_SAMPLES(attr)                                                                                           \
    {TARE_SAMPLE_CHECK, "f32[3,5]", NULL, NULL}, {TARE_SAMPLE_CHECK, "f32[]", attr "=0.7", NULL},                      \
        {TARE_SAMPLE_CHECK, "f32[0,4]", attr "=0", NULL}, {TARE_SAMPLE_CHECK, "f32[16385]<-12,12>", attr "=0", NULL},  \
        {TARE_SAMPLE_CHECK, "f32[333]<-4,4>", attr "=0.3", NULL}, {TARE_SAMPLE_BENCH, "f32[256,300]", NULL, NULL},     \
        {TARE_SAMPLE_REJECT, "i32[3]", NULL, "need float32 or float64"},                                               \
        {TARE_SAMPLE_REJECT, "f32[3]", attr "=-0.1", attr " is -0.1 (need 0 to 3.4e+38)"},

#define KINKED_GRAD_SAMPLES(attr)                                                                                      \
    {TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5]", NULL, NULL},                                                              \
        {TARE_SAMPLE_CHECK, "f32[16385] f32[16385]<-0.3,1>", attr "=0.3", NULL},                                       \
        {TARE_SAMPLE_BENCH, "f32[256,300] f32[256,300]", NULL, NULL},                                                  \
        {TARE_SAMPLE_REJECT, "f32[3] f32[4]", NULL, "shapes differ: [3] and [4]"},

static const tare_sample leaky_relu_samples[] = {KINKED_SAMPLES("slope")};
static const tare_sample leaky_relu_grad_samples[] = {KINKED_GRAD_SAMPLES("slope")};
static const tare_sample elu_samples[] = {KINKED_SAMPLES("alpha")};
static const tare_sample elu_grad_samples[] = {KINKED_GRAD_SAMPLES("alpha")};

static const tare_attr slope_attr[] = {{"slope", TARE_ATTR_FLOAT, offsetof(tare_leaky_relu_attr, slope), 0, 3.4e38,
                                        "0.01", "what x below 0 is multiplied by"}};
static const tare_attr alpha_attr[] = {
    {"alpha", TARE_ATTR_FLOAT, offsetof(tare_elu_attr, alpha), 0, 3.4e38, "1", "minus the limit far below 0"}};

/* Tolerances: 3 ulp of y; four roundings of dx. */
TARE_POINTWISE_PAIR(relu, y, 0, "max(x, 0)", "NaN stays NaN; the gradient at 0 is 0", "dy where y > 0, else 0",
                    smooth_samples, smooth_grad_samples, .tolerance = 0);
TARE_POINTWISE_PAIR(tanh, y, 0, "tanh x", "Within 3 ulp; NaN stays NaN", "dy (1 - y^2)", smooth_samples,
                    smooth_grad_samples, .tolerance = 4e-7);
TARE_POINTWISE_PAIR(sigmoid, y, 0, "1 / (1 + e^-x)", "Within 3 ulp; NaN stays NaN", "dy y (1 - y)", smooth_samples,
                    smooth_grad_samples, .tolerance = 4e-7);
TARE_POINTWISE_PAIR(softsign, y, 0, "x / (1 + |x|)", "Within 2 ulp; NaN stays NaN", "dy (1 - |y|)^2", smooth_samples,
                    smooth_grad_samples, .tolerance = 4e-7);
TARE_POINTWISE_PAIR(softplus, y, 0, "log(1 + e^x)", "Within 3 ulp; NaN stays NaN", "dy (1 - e^-y)", smooth_samples,
                    smooth_grad_samples, .tolerance = 4e-7);
TARE_POINTWISE_PAIR(leaky_relu, y, 1, "x where x > 0, else slope x", "NaN stays NaN; the gradient at 0 is slope dy",
                    "dy where y > 0, else slope dy", leaky_relu_samples, leaky_relu_grad_samples,
                    TARE_TABLE(attrs, slope_attr), .attr_bytes = sizeof(tare_leaky_relu_attr), .tolerance = 2e-7);
TARE_POINTWISE_PAIR(elu, y, 1, "x where x > 0, else alpha (e^x - 1)", "Within 2 ulp; NaN stays NaN",
                    "dy where y > 0, else dy (y + alpha)", elu_samples, elu_grad_samples, TARE_TABLE(attrs, alpha_attr),
                    .attr_bytes = sizeof(tare_elu_attr), .tolerance = 4e-7);

#endif
