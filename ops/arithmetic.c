/* arithmetic.c - add, sub, mul, div with NumPy's broadcasting; scale by a constant; accumulate, the reverse walk's sum.
 *
 * Operands of one shape take the plain pointwise kernel. All else (a scalar, a row, a column, views of any
 * strides) goes through one kernel that walks rows, in which an operand's inner stride is 1, 0 or other. */
#include "broadcast.h"

static inline tare_vf add_of(tare_vf a, tare_vf b)
{
    return a + b;
}
static inline tare_vf sub_of(tare_vf a, tare_vf b)
{
    return a - b;
}
static inline tare_vf mul_of(tare_vf a, tare_vf b)
{
    return a * b;
}
static inline tare_vf div_of(tare_vf a, tare_vf b)
{
    return a / b;
}
TARE_BROADCAST_KERNELS(add)
TARE_BROADCAST_KERNELS(sub)
TARE_BROADCAST_KERNELS(mul)
TARE_BROADCAST_KERNELS(div)

static inline tare_vf scale_of(tare_vf x, tare_vf factor)
{
    return factor * x;
}
TARE_POINTWISE_BOTH(scale, 1, 1, scale_of)

#ifdef TARE_PASS_RECORDS

static double add_at(double a, double b)
{
    return a + b;
}
static double sub_at(double a, double b)
{
    return a - b;
}
static double mul_at(double a, double b)
{
    return a * b;
}
static double div_at(double a, double b)
{
    return a / b;
}
static double scale_at(double x, double factor)
{
    return factor * x;
}

static void add_gradient(tare_builder *b)
{
    for (int i = 0; i < 2; ++i)
        if (tare_wanted(b, i))
            tare__contribute_like(b, i, tare_head(b, 0));
}

static void sub_gradient(tare_builder *b)
{
    tare_value *dy = tare_head(b, 0), *y = tare_input(b, 1);
    if (tare_wanted(b, 0))
        tare__contribute_like(b, 0, dy);
    if (tare_wanted(b, 1)) {
        tare_value *sum = tare__sum_like(b->mode, dy, y);
        tare_contribute(b, 1, tare_scale(b->mode, sum, (tare_scale_attr){-1}));
    }
}

static void mul_gradient(tare_builder *b)
{
    tare_value *dy = tare_head(b, 0);
    for (int i = 0; i < 2; ++i)
        if (tare_wanted(b, i))
            tare__contribute_like(b, i, tare_mul(b->mode, dy, tare_input(b, 1 - i)));
}

/* da = dy / b, db = -y dy / b */
static void div_gradient(tare_builder *b)
{
    tare_value *da = tare_div(b->mode, tare_head(b, 0), tare_input(b, 1));
    if (tare_wanted(b, 0))
        tare__contribute_like(b, 0, da);
    if (tare_wanted(b, 1)) {
        tare_value *sum = tare__sum_like(b->mode, tare_mul(b->mode, da, tare_output(b, 0)), tare_input(b, 1));
        tare_contribute(b, 1, tare_scale(b->mode, sum, (tare_scale_attr){-1}));
    }
}

static void scale_gradient(tare_builder *b)
{
    tare_contribute(b, 0, tare_scale(b->mode, tare_head(b, 0), *(const tare_scale_attr *)b->node->attr));
}

static const tare_sample broadcast_samples[] = {
    TARE_BROADCAST_SAMPLES{TARE_SAMPLE_REJECT, "i32[3] i32[3]", NULL, "need float32 or float64"}};
static const tare_sample div_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5]<0.5,2>", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[0,4] f32[4]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[16385] f32[16385]<0.5,2>", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[7,33] f32[]<-2,-0.5>", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[] f32[31]<0.5,2>", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[130,1] f32[130,131]<0.5,2>", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[2,1,3,1,2,1] f32[1,2,1,3,1,17]<1,3>", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[256,300] f32[256,300]<0.5,2>", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[256,300] f32[256,1]<0.5,2>", NULL, NULL},
    {TARE_SAMPLE_REJECT, "f32[3,4] f32[5]", NULL, "shapes do not broadcast: [3,4] and [5]"},
    {TARE_SAMPLE_REJECT, "f32[3] f64[3]", NULL, "input 1 is float64, input 0 is float32"},
    {TARE_SAMPLE_REJECT, "i32[3] i32[3]", NULL, "need float32 or float64"},
};

#define BROADCAST "; a, b broadcast to y [...] as in NumPy"
TARE_BROADCAST_RECORD(add, "y = a + b" BROADCAST, broadcast_samples, .gradient = add_gradient);
TARE_BROADCAST_RECORD(sub, "y = a - b" BROADCAST, broadcast_samples, .gradient = sub_gradient);
TARE_BROADCAST_RECORD(mul, "y = a * b" BROADCAST, broadcast_samples, .gradient = mul_gradient, .needs_in = 3);
TARE_BROADCAST_RECORD(div, "y = a / b" BROADCAST, div_samples, .gradient = div_gradient, .needs_in = 2, .needs_out = 1);

static const tare_sample scale_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,5]", "factor=-0.7", NULL},
    {TARE_SAMPLE_CHECK, "f32[]", "factor=3", NULL},
    {TARE_SAMPLE_CHECK, "f32[16385]", "factor=1e-3", NULL},
    {TARE_SAMPLE_CHECK, "f32[0]", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[256,300]", "factor=0.5", NULL},
    {TARE_SAMPLE_REJECT, "u8[3]", NULL, "need float32 or float64"},
    {TARE_SAMPLE_REJECT, "f32[3]", "factor=x", "factor is 'x'"},
};
static const tare_attr scale_attrs[] = {{"factor", TARE_ATTR_FLOAT, offsetof(tare_scale_attr, factor), -3.4e38, 3.4e38,
                                         "1", "what every element is multiplied by"}};
TARE_UNARY(scale, 1, tare__infer_like, "y = factor * x; x, y [...]", scale_samples, .gradient = scale_gradient,
           TARE_TABLE(attrs, scale_attrs), .attr_bytes = sizeof(tare_scale_attr),
           .tolerance = 2e-7 /* the factor and the product are rounded */);

const tare_op tare_op_accumulate = {
    .name = "accumulate",
    .doc = "sum = a + b, in the storage of a where it may; a, b, sum [...]",
    .n_in = 2,
    .n_out = 1,
    .infer = tare__infer_same,
    .gradient = add_gradient,
    .overwrites = {1},
    .variants =
        (const tare_variant[]){TARE_NATIVE(add, "", .dtypes = TARE_BIT(TARE_F32), .elementwise = UINT32_MAX,
                                           .prepare = tare__prepare_pointwise),
                               TARE_NATIVE(add_broadcast, "strided_", .dtypes = TARE_BIT(TARE_F32), TARE_ANY_STRIDES,
                                           .elementwise = UINT32_MAX, .prepare = tare__prepare_broadcast),
                               TARE_REFERENCE(add_reference, TARE_ANY_STRIDES, .elementwise = UINT32_MAX,
                                              .prepare = tare__prepare_broadcast)},
    .n_variants = 2 * TARE_N_NATIVE + 1,
    .samples = (const tare_sample[]){{TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5]", NULL, NULL},
                                     {TARE_SAMPLE_CHECK, "f32[] f32[]", NULL, NULL},
                                     {TARE_SAMPLE_CHECK, "f32[0,4] f32[0,4]", NULL, NULL},
                                     {TARE_SAMPLE_CHECK, "f32[16385] f32[16385]", NULL, NULL},
                                     {TARE_SAMPLE_BENCH, "f32[256,300] f32[256,300]", NULL, NULL},
                                     {TARE_SAMPLE_REJECT, "f32[3] f32[4]", NULL, "shapes differ: [3] and [4]"}},
    .n_samples = 6,
};

#endif
