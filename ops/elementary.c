/* elementary.c - neg, exp, log, sqrt, square and abs of each element.
 *
 * Outside its domain a function is NaN, at an infinity its limit, as in C. The gradient of exp is a product, that of
 * log a quotient; the others have gradient operators of their own. */
#include <math.h>

#include "math.h"
#include "pointwise.h"

static inline tare_vf neg_of(tare_vf x)
{
    return -x;
}
TARE_POINTWISE_BOTH(neg, 1, 0, neg_of)
TARE_POINTWISE_BOTH(exp, 1, 0, tare_exp_of)
TARE_POINTWISE_BOTH(log, 1, 0, tare_log_of)

static inline tare_vf sqrt_of(tare_vf x)
{
    return tare_sqrt_of(x);
}
static inline tare_vf sqrt_grad_of(tare_vf dy, tare_vf y)
{
    return dy / (y + y);
}
TARE_POINTWISE_KERNELS(sqrt, 0)

static inline tare_vf square_of(tare_vf x)
{
    return x * x;
}
static inline tare_vf square_grad_of(tare_vf dy, tare_vf x)
{
    return dy * (x + x);
}
TARE_POINTWISE_KERNELS(square, 0)

static inline tare_vf abs_of(tare_vf x)
{
    return tare_magnitude_of(x);
}
static inline tare_vf abs_grad_of(tare_vf dy, tare_vf x)
{
    return tare_select(x > 0, dy, tare_select(x < 0, -dy, (tare_vf){0}));
}
TARE_POINTWISE_KERNELS(abs, 0)

#ifdef TARE_PASS_RECORDS

static double neg_at(double x)
{
    return -x;
}
static double exp_at(double x)
{
    return exp(x);
}
static double log_at(double x)
{
    return log(x);
}
static double sqrt_at(double x)
{
    return sqrt(x);
}
static double sqrt_grad_at(double dy, double y)
{
    return dy / (2 * y);
}
static double square_at(double x)
{
    return x * x;
}
static double square_grad_at(double dy, double x)
{
    return dy * 2 * x;
}
static double abs_at(double x)
{
    return fabs(x);
}
static double abs_grad_at(double dy, double x)
{
    return x > 0 ? dy : x < 0 ? -dy : 0;
}

static void neg_gradient(tare_builder *b)
{
    tare_contribute(b, 0, tare_neg(b->mode, tare_head(b, 0)));
}

/* dx = dy y */
static void exp_gradient(tare_builder *b)
{
    tare_contribute(b, 0, tare_mul(b->mode, tare_head(b, 0), tare_output(b, 0)));
}

/* dx = dy / x */
static void log_gradient(tare_builder *b)
{
    tare_contribute(b, 0, tare_div(b->mode, tare_head(b, 0), tare_input(b, 0)));
}

/* x in `range`; each of dy and x or y in the gradient's */
#define SAMPLES(range)                                                                                                 \
    {TARE_SAMPLE_CHECK, "f32[3,5]" range, NULL, NULL}, {TARE_SAMPLE_CHECK, "f32[]" range, NULL, NULL},                 \
        {TARE_SAMPLE_CHECK, "f32[0,4]", NULL, NULL}, {TARE_SAMPLE_CHECK, "f32[16385]" range, NULL, NULL},              \
        {TARE_SAMPLE_BENCH, "f32[16]" range, NULL, NULL}, {TARE_SAMPLE_BENCH, "f32[256,300]" range, NULL, NULL},       \
        {TARE_SAMPLE_REJECT, "i32[3]", NULL, "need float32 or float64"},
#define GRAD_SAMPLES(range)                                                                                            \
    {TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5]" range, NULL, NULL},                                                        \
        {TARE_SAMPLE_CHECK, "f32[16385] f32[16385]" range, NULL, NULL},                                                \
        {TARE_SAMPLE_BENCH, "f32[256,300] f32[256,300]" range, NULL, NULL},                                            \
        {TARE_SAMPLE_REJECT, "f32[3] f32[4]", NULL, "shapes differ: [3] and [4]"},
static const tare_sample signed_samples[] = {SAMPLES("<-5,5>")};
static const tare_sample signed_grad_samples[] = {GRAD_SAMPLES("<-5,5>")};
static const tare_sample positive_samples[] = {SAMPLES("<0.1,9>")};
static const tare_sample positive_grad_samples[] = {GRAD_SAMPLES("<0.1,9>")};

TARE_UNARY(neg, 0, tare__infer_like, "y = -x; x, y [...]", signed_samples, .gradient = neg_gradient);
TARE_UNARY(exp, 0, tare__infer_like, "y = e^x; x, y [...]. Within 1 ulp", signed_samples, .gradient = exp_gradient,
           .needs_out = 1, .tolerance = 2e-7);
TARE_UNARY(log, 0, tare__infer_like, "y = log x; x, y [...]. Within 1 ulp; NaN below 0", positive_samples,
           .gradient = log_gradient, .needs_in = 1, .tolerance = 2e-7);
TARE_POINTWISE_PAIR(sqrt, y, 0, "sqrt x", "Rounded correctly; NaN below 0", "dy / (2 y)", positive_samples,
                    positive_grad_samples, .tolerance = 2e-7);
TARE_POINTWISE_PAIR(square, x, 0, "x^2", "Rounded correctly", "2 x dy", signed_samples, signed_grad_samples,
                    .tolerance = 2e-7);
TARE_POINTWISE_PAIR(abs, x, 0, "|x|", "The gradient at 0 is 0", "dy where x > 0, -dy where x < 0, else 0",
                    signed_samples, signed_grad_samples, .tolerance = 0);

#endif
