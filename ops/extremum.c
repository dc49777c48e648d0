/* extremum.c - the greater and the lesser of two, and clip. A NaN on either side is the result, as in NumPy.
 *
 * Gradients are PyTorch's: at a tie each side gets half, at a bound of clip all of dy passes. minimum's is maximum_grad
 * with the sides exchanged, and so is that of the other side. */
#include <math.h>

#include "broadcast.h"
#include "math.h"

/* a NaN in a stays, one in b is chosen */
static inline tare_vf maximum_of(tare_vf a, tare_vf b)
{
    return tare_select((b > a) | (b != b), b, a);
}
static inline tare_vf minimum_of(tare_vf a, tare_vf b)
{
    return tare_select((b < a) | (b != b), b, a);
}
TARE_BROADCAST_KERNELS(maximum)
TARE_BROADCAST_KERNELS(minimum)

static inline tare_vf maximum_grad_of(tare_vf dy, tare_vf a, tare_vf b)
{
    return tare_select(a < b, (tare_vf){0}, tare_select(a == b, 0.5f * dy, dy));
}
TARE_POINTWISE(maximum_grad, 3, 0, maximum_grad_of)
TARE_BROADCAST_3(float, maximum_grad_broadcast, maximum_grad_of)

static inline tare_vf clip_of(tare_vf x, tare_vf low, tare_vf high)
{
    return tare_select(x < low, low, tare_select(x > high, high, x));
}
static inline tare_vf clip_grad_of(tare_vf dy, tare_vf x, tare_vf low, tare_vf high)
{
    return tare_select((x >= low) & (x <= high), dy, (tare_vf){0});
}
TARE_POINTWISE_KERNELS(clip, 2)

#ifdef TARE_PASS_RECORDS

static double maximum_at(double a, double b)
{
    return b > a || isnan(b) ? b : a;
}
static double minimum_at(double a, double b)
{
    return b < a || isnan(b) ? b : a;
}
static double clip_at(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}
static double clip_grad_at(double dy, double x, double low, double high)
{
    return x >= low && x <= high ? dy : 0;
}

/* The part of the operand at `mine` of the one at `other`. */
static void contribute_part(tare_builder *b, int i, int mine, int other)
{
    if (tare_wanted(b, i))
        tare__contribute_like(b, i,
                              tare_maximum_grad(b->mode, tare_head(b, 0), tare_input(b, mine), tare_input(b, other)));
}
static void maximum_gradient(tare_builder *b)
{
    contribute_part(b, 0, 0, 1);
    contribute_part(b, 1, 1, 0);
}
static void minimum_gradient(tare_builder *b)
{
    contribute_part(b, 0, 1, 0);
    contribute_part(b, 1, 0, 1);
}

static const tare_sample extremum_samples[] = {
    TARE_BROADCAST_SAMPLES{TARE_SAMPLE_REJECT, "i32[3] i32[3]", NULL, "need float32 or float64"}};

TARE_BROADCAST_RECORD(
    maximum,
    "y = the greater of a and b, NaN if one is; a, b broadcast to y [...] as in NumPy. At a tie each gets half of "
    "the gradient",
    extremum_samples, .gradient = maximum_gradient, .needs_in = 3);
TARE_BROADCAST_RECORD(
    minimum,
    "y = the lesser of a and b, NaN if one is; a, b broadcast to y [...] as in NumPy. At a tie each gets half of "
    "the gradient",
    extremum_samples, .gradient = minimum_gradient, .needs_in = 3);

/* ---- maximum_grad -------------------------------------------------------------------------------------------------*/
static int maximum_grad_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g;
    int64_t i, end;
    tare_piece_range(c, piece, &i, &end);
    for (tare_walk w = tare_walk_to(g, i, 3); i < end; ++i) {
        double dy = tare_at(c->ptr[0], g[1], w.offset[0]), a = tare_at(c->ptr[1], g[1], w.offset[1]),
               b = tare_at(c->ptr[2], g[1], w.offset[2]);
        tare_put(c->ptr[3], g[1], i, a < b ? 0 : a == b ? dy / 2 : dy);
        tare_walk_on(&w, g, 1, 3);
    }
    return 0;
}

static bool fits_same_3(const tare_args *a)
{
    return tare__fits_same(a) && tare_desc_same_shape(a->in[0], a->in[2]);
}

static tare_status infer_maximum_grad(const tare_args *a, const tare_desc_out *out)
{
    tare_desc both;
    char t0[TARE_DESC_TEXT], t1[TARE_DESC_TEXT], t2[TARE_DESC_TEXT];
    for (int i = 1; i < 3; ++i) {
        const tare_args pair = {a->op, NULL, (const tare_desc_ref[]){a->in[0], a->in[i]}, 2, 0, a->path, a->runtime};
        tare_status status = tare__infer_broadcast_floats(&pair, (const tare_desc_out[]){&both});
        if (status != TARE_OK)
            return status;
        if (!tare_desc_same_shape(&both, a->in[0]))
            return tare_op_error(a, TARE_BAD_SHAPE, "a is %s, b %s, dy %s (need what a and b broadcast to)",
                                 tare_desc_text(a->in[1], t1), tare_desc_text(a->in[2], t2),
                                 tare_desc_text(a->in[0], t0));
    }
    tare_desc_like(out[0], a->in[0]);
    return TARE_OK;
}

const tare_op tare_op_maximum_grad = {
    .name = "maximum_grad",
    .doc = "da = dy where a > b, dy / 2 where they are equal, 0 where a < b, dy where one is NaN; dy, da [...], a, b "
           "broadcast to them",
    .n_in = 3,
    .n_out = 1,
    .infer = infer_maximum_grad,
    .not_differentiable = true,
    .overwrites = {1},
    .variants = (const tare_variant[]){TARE_NATIVE(maximum_grad, "", .dtypes = TARE_BIT(TARE_F32), .fits = fits_same_3,
                                                   .prepare = tare__prepare_pointwise),
                                       TARE_NATIVE(maximum_grad_broadcast, "broadcast_", .dtypes = TARE_BIT(TARE_F32),
                                                   TARE_ANY_STRIDES, .prepare = tare__prepare_broadcast),
                                       TARE_REFERENCE(maximum_grad_reference, TARE_ANY_STRIDES,
                                                      .prepare = tare__prepare_broadcast)},
    .n_variants = 2 * TARE_N_NATIVE + 1,
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5] f32[3,5]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[] f32[] f32[]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[0,4] f32[4] f32[0,1]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[16385] f32[16385] f32[16385]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[130,131] f32[131] f32[130,1]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[7,33] f32[7,33] f32[]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[2,3,4,5] f32[3,1,5] f32[2,1,4,1]", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "f32[256,300] f32[256,300] f32[256,300]", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "f32[256,300] f32[256,300] f32[]", NULL, NULL},
                 {TARE_SAMPLE_REJECT, "f32[3] f32[4] f32[3]", NULL, "shapes do not broadcast"},
                 {TARE_SAMPLE_REJECT, "f32[3] f32[3] f32[2,3]", NULL, "need what a and b broadcast to"},
                 {TARE_SAMPLE_REJECT, "f32[3] f32[3] f64[3]", NULL, "float64"}),
};

/* ---- clip ---------------------------------------------------------------------------------------------------------*/
static const tare_attr clip_attrs[] = {{"low", TARE_ATTR_FLOAT, offsetof(tare_clip_attr, low), -__builtin_inf(),
                                        __builtin_inf(), "-inf", "what lies below becomes this"},
                                       {"high", TARE_ATTR_FLOAT, offsetof(tare_clip_attr, high), -__builtin_inf(),
                                        __builtin_inf(), "inf", "what lies above becomes this"}};
static const tare_sample clip_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,5]", "low=-0.5,high=0.25", NULL},
    {TARE_SAMPLE_CHECK, "f32[]", "low=0", NULL},
    {TARE_SAMPLE_CHECK, "f32[0,4]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[16385]<-9,9>", "high=6", NULL},
    {TARE_SAMPLE_CHECK, "f32[33]", "low=0.5,high=0.5", NULL},
    {TARE_SAMPLE_BENCH, "f32[256,300]", "low=-0.5,high=0.5", NULL},
    {TARE_SAMPLE_REJECT, "f32[3]", "low=1,high=0", "low is 1, high 0 (need low <= high)"},
    {TARE_SAMPLE_REJECT, "f32[3]", "low=nan", "low is 'nan' (need a number)"},
    {TARE_SAMPLE_REJECT, "i32[3]", NULL, "need float32 or float64"},
};
static const tare_sample clip_grad_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5]", "low=-0.5,high=0.25", NULL},
    {TARE_SAMPLE_CHECK, "f32[16385] f32[16385]<-9,9>", "high=6", NULL},
    {TARE_SAMPLE_BENCH, "f32[256,300] f32[256,300]", "low=-0.5,high=0.5", NULL},
    {TARE_SAMPLE_REJECT, "f32[3] f32[4]", NULL, "shapes differ: [3] and [4]"},
};
static tare_status infer_clip(const tare_args *a, const tare_desc_out *out)
{
    const tare_clip_attr *attr = a->attr;
    if (attr->low > attr->high)
        return tare_op_error(a, TARE_BAD_ARGUMENT, "low is %g, high %g (need low <= high)", attr->low, attr->high);
    return tare__infer_like(a, out);
}

#define CLIP_FIELDS                                                                                                    \
    TARE_TABLE(attrs, clip_attrs), .attr_bytes = sizeof(tare_clip_attr), .tolerance = 1e-7 /* the bounds are rounded   \
                                                                                            */
TARE_UNARY_GRAD(clip, x, 2, "dy where low <= x <= high, else 0", clip_grad_samples, CLIP_FIELDS);
TARE_UNARY(clip, 2, infer_clip,
           "y = x held within low and high; x, y [...]. NaN stays NaN; at a bound the gradient passes", clip_samples,
           .gradient = clip_gradient, .needs_in = 1, CLIP_FIELDS);

#endif
