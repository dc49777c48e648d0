/* gated.c - activations that are x times a gate between 0 and 1: gelu in both forms, silu, hard_swish.
 *
 * They are not monotonic, so the gradient needs x. At an infinity each has its limit: -0 and infinity, slopes 0 and 1,
 * where the formula itself gives 0 times infinity. For that the factor x is held within bounds beyond which the gate is
 * 0 or 1 in float32; NaN stays NaN. */
#include <math.h>

#include "math.h"
#include "pointwise.h"

static inline tare_vf within(tare_vf x, float most)
{
    tare_vf a = tare_magnitude_of(x);
    return tare_with_sign_of(x, tare_select(a > most, tare_broadcast(most), a));
}
/* the factor: x itself above 0 */
static inline tare_vf factor_of(tare_vf x, float least)
{
    return tare_select(x < least, tare_broadcast(least), x);
}

/* ---- gelu: P(X < x), X normal; its slope is the density (Hendrycks and Gimpel, Gaussian Error Linear Units, 2016)
 * ---*/
static inline tare_vf gelu_of(tare_vf x)
{
    return factor_of(x, -15) * tare_normal_of(x).below;
}
static inline tare_vf gelu_grad_of(tare_vf dy, tare_vf x)
{
    tare_normal p = tare_normal_of(x);
    return dy * (within(x, 15) * p.density + p.below);
}
TARE_POINTWISE_KERNELS(gelu, 0)

/* ---- silu: 1 / (1 + e^-x), and gelu's other form: 1 / (1 + e^-u), u = x (A + B x^2) ---------------------------------
 * with z = e^-|u|: neither overflows nor cancels. gate'(u) = z / (1 + z)^2. */
#define GELU_A 0x1.988454p+0f /* 2 sqrt(2 / pi) */
#define GELU_B 0x1.2444f2p-4f /* 0.044715 A */
#define LOW    (-104.0f)      /* e^LOW is 0 */
#define GELU_X 12.0f          /* from here on |u| > 104 */

typedef struct {
    tare_vf gate, slope;
} gate_slope;

static inline gate_slope gate_of(tare_vf u)
{
    tare_vf z = tare_exp_of(-tare_magnitude_of(u)), all = 1.0f + z;
    return (gate_slope){tare_select(u < 0, z, tare_broadcast(1)) / all, z / (all * all)};
}

static inline tare_vf silu_of(tare_vf x)
{
    return factor_of(x, LOW) * gate_of(x).gate;
}
static inline tare_vf silu_grad_of(tare_vf dy, tare_vf x)
{
    gate_slope g = gate_of(x);
    return dy * (within(x, -LOW) * g.slope + g.gate);
}
TARE_POINTWISE_KERNELS(silu, 0)

static inline tare_vf gelu_tanh_of(tare_vf x)
{
    tare_vf v = within(x, GELU_X);
    return factor_of(x, -GELU_X) * gate_of(v * (v * v * GELU_B + GELU_A)).gate;
}
static inline tare_vf gelu_tanh_grad_of(tare_vf dy, tare_vf x)
{
    tare_vf v = within(x, GELU_X), square = v * v;
    gate_slope g = gate_of(v * (square * GELU_B + GELU_A));
    return dy * (v * (square * (3 * GELU_B) + GELU_A) * g.slope + g.gate);
}
TARE_POINTWISE(gelu_tanh, 1, 0, gelu_tanh_of)
TARE_POINTWISE(gelu_tanh_grad, 2, 0, gelu_tanh_grad_of)

/* ---- hard_swish: (x + 3) / 6, held within 0 and 1 (Howard et al., Searching for MobileNetV3, ICCV 2019)
 * ------------*/
static inline tare_vf hard_swish_of(tare_vf x)
{
    tare_vf between = x * (x + 3.0f) * 0x1.555556p-3f;
    return tare_select(x >= 3.0f, x, tare_select(x <= -3.0f, (tare_vf){0}, between));
}
static inline tare_vf hard_swish_grad_of(tare_vf dy, tare_vf x)
{
    tare_vf between = dy * (x * 0x1.555556p-2f + 0.5f);
    return tare_select(x >= 3.0f, dy, tare_select(x <= -3.0f, (tare_vf){0}, between));
}
TARE_POINTWISE_KERNELS(hard_swish, 0)

#ifdef TARE_PASS_RECORDS

/* ---- the same in float64 ------------------------------------------------------------------------------------------*/
static double times_gate(double x, double gate)
{
    return gate == 0 ? copysign(0, x) : x * gate;
}
static double normal_at(double x)
{
    return erfc(-x * M_SQRT1_2) / 2;
}
static double gelu_at(double x)
{
    return times_gate(x, normal_at(x));
}
static double gelu_grad_at(double dy, double x)
{
    double density = exp(-x * x / 2) * (M_2_SQRTPI * M_SQRT1_2 / 2);
    return dy * (times_gate(x, density) + normal_at(x));
}

static double logistic_at(double u)
{
    return u < 0 ? exp(u) / (1 + exp(u)) : 1 / (1 + exp(-u));
}
static double silu_at(double x)
{
    return times_gate(x, logistic_at(x));
}
static double silu_grad_at(double dy, double x)
{
    double gate = logistic_at(x);
    return dy * (times_gate(x, gate * logistic_at(-x)) + gate);
}

static double gelu_u(double x)
{
    return M_2_SQRTPI * M_SQRT2 * x * (1 + 0.044715 * x * x);
}
static double gelu_tanh_at(double x)
{
    return times_gate(x, logistic_at(gelu_u(x)));
}
static double gelu_tanh_grad_at(double dy, double x)
{
    double gate = logistic_at(gelu_u(x)), slope = gate * logistic_at(-gelu_u(x));
    return dy * (times_gate(M_2_SQRTPI * M_SQRT2 * x * (1 + 3 * 0.044715 * x * x), slope) + gate);
}

static double hard_swish_at(double x)
{
    return x >= 3 ? x : x <= -3 ? 0 : x * (x + 3) / 6;
}
static double hard_swish_grad_at(double dy, double x)
{
    return x >= 3 ? dy : x <= -3 ? 0 : dy * (x / 3 + 0.5);
}

/* ---- records ------------------------------------------------------------------------------------------------------*/
#define SAMPLES(attr)                                                                                                  \
    {TARE_SAMPLE_CHECK, "f32[3,5]<-4,4>", attr, NULL}, {TARE_SAMPLE_CHECK, "f32[]", attr, NULL},                       \
        {TARE_SAMPLE_CHECK, "f32[0,4]", attr, NULL}, {TARE_SAMPLE_CHECK, "f32[16385]<-21,19>", attr, NULL},            \
        {TARE_SAMPLE_BENCH, "f32[16]", attr, NULL}, {TARE_SAMPLE_BENCH, "f32[256,300]<-4,4>", attr, NULL},             \
        {TARE_SAMPLE_REJECT, "i32[3]", attr, "need float32 or float64"},
#define GRAD_SAMPLES(attr)                                                                                             \
    {TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5]<-4,4>", attr, NULL},                                                        \
        {TARE_SAMPLE_CHECK, "f32[16385] f32[16385]<-21,19>", attr, NULL},                                              \
        {TARE_SAMPLE_BENCH, "f32[256,300] f32[256,300]<-4,4>", attr, NULL},                                            \
        {TARE_SAMPLE_REJECT, "f32[3] f32[4]", attr, "shapes differ: [3] and [4]"},
static const tare_sample gated_samples[] = {SAMPLES(NULL)};
static const tare_sample gated_grad_samples[] = {GRAD_SAMPLES(NULL)};
static const tare_sample gelu_samples[] = {SAMPLES(NULL) SAMPLES("tanh=true")};
static const tare_sample gelu_grad_samples[] = {GRAD_SAMPLES(NULL) GRAD_SAMPLES("tanh=true")};

TARE_POINTWISE_PAIR(silu, x, 0, "x / (1 + e^-x)", "Within 3 ulp; NaN stays NaN", "dy times the slope of silu at x",
                    gated_samples, gated_grad_samples, .tolerance = 4e-7);
TARE_POINTWISE_PAIR(hard_swish, x, 0, "x times (x + 3) / 6 held within 0 and 1",
                    "Within 3 ulp; NaN stays NaN; the gradient at -3 is 0, at 3 dy",
                    "dy where x >= 3, 0 where x <= -3, else dy (x / 3 + 1 / 2)", gated_samples, gated_grad_samples,
                    .tolerance = 4e-7);

/* Which form is the variant's business: the native ones fit one each, the reference reads a word. */
enum { G_TANH = TARE_G_SCALAR, G_WORDS };
static bool fits_tanh(const tare_args *a)
{
    return *(const bool *)a->attr; /* the one field of both attributes */
}
static bool fits_normal(const tare_args *a)
{
    return !fits_tanh(a);
}
static void prepare_gelu(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    tare__prepare_pointwise(a, out, w);
    w->g[G_TANH] = fits_tanh(a);
    w->n_g = G_WORDS;
}

TARE_POINTWISE_REFERENCE(gelu_normal_form, 1, 0, gelu_at)
TARE_POINTWISE_REFERENCE(gelu_tanh_form, 1, 0, gelu_tanh_at)
TARE_POINTWISE_REFERENCE(gelu_normal_form_grad, 2, 0, gelu_grad_at)
TARE_POINTWISE_REFERENCE(gelu_tanh_form_grad, 2, 0, gelu_tanh_grad_at)

static int gelu_reference(const tare_call *c, int piece, int worker)
{
    return (c->g[G_TANH] ? gelu_tanh_form : gelu_normal_form)(c, piece, worker);
}
static int gelu_grad_reference(const tare_call *c, int piece, int worker)
{
    return (c->g[G_TANH] ? gelu_tanh_form_grad : gelu_normal_form_grad)(c, piece, worker);
}

static void gelu_gradient(tare_builder *b)
{
    const tare_gelu_attr *attr = b->node->attr;
    tare_contribute(
        b, 0, tare_gelu_grad(b->mode, tare_head(b, 0), tare_input(b, 0), (tare_gelu_grad_attr){.tanh = attr->tanh}));
}

#define GELU_FIELDS(name_, tanh_form)                                                                                  \
    .n_out = 1, .attrs = gelu_attrs, .n_attrs = 1, .attr_bytes = sizeof(tare_##name_##_attr), .overwrites = {1},       \
    .variants =                                                                                                        \
        (const tare_variant[]){                                                                                        \
            TARE_NATIVE(name_, "", .dtypes = TARE_BIT(TARE_F32), .fits = fits_normal, .prepare = prepare_gelu),        \
            TARE_NATIVE(tanh_form, "tanh_", .dtypes = TARE_BIT(TARE_F32), .fits = fits_tanh, .prepare = prepare_gelu), \
            TARE_REFERENCE(name_##_reference, .prepare = prepare_gelu)},                                               \
    .n_variants = 2 * TARE_N_NATIVE + 1, TARE_TABLE(samples, name_##_samples)

static const tare_attr gelu_attrs[] = {
    {"tanh", TARE_ATTR_BOOL, offsetof(tare_gelu_attr, tanh), 0, 1, "false", "the form with tanh, a little apart"}};

const tare_op tare_op_gelu = {
    .name = "gelu",
    .doc = "y = x P(X < x) = x (1 + erf(x / sqrt 2)) / 2; with tanh x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2; "
           "x, y [...]. Within 6 ulp; with tanh too near 0, within 150 far below; NaN stays NaN",
    .n_in = 1,
    .infer = tare__infer_like,
    .gradient = gelu_gradient,
    .needs_in = 1,
    GELU_FIELDS(gelu, gelu_tanh),
    .tolerance = 1e-6,
};

const tare_op tare_op_gelu_grad = {
    .name = "gelu_grad",
    .doc = "dx = dy times the slope of gelu at x; dy, x, dx [...]",
    .n_in = 2,
    .infer = tare__infer_same,
    .not_differentiable = true,
    GELU_FIELDS(gelu_grad, gelu_tanh_grad),
    .tolerance = 1e-6,
};

#endif
