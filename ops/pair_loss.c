/* pair_loss.c - losses that compare predictions with targets element by element, one number a sample: l2, l1, huber and
 * the sigmoid cross entropy of logits; and their gradients.
 *
 *     loss[n] = share / M sum_m e(x[n,m], t[n,m])      dx[n,m] = dloss[n] / M e'(x[n,m], t[n,m])
 *
 * with M elements a sample. Each loss is its e and its slope e', once as a vector function and once in float64. Sums
 * run in 16 lanes (rows.h). */
#include <math.h>

#include "loss.h"
#include "math.h"

enum { G_DELTA = TARE_G_COUNT, G_WORDS }; /* bits of a double: huber's attribute */

/* ---- e(x, t) and its slope along x; d = huber's delta -------------------------------------------------------------*/

/* l2: (x - t)^2, of which the loss takes half */
static inline tare_vf l2_of(tare_vf x, tare_vf t, tare_vf d)
{
    (void)d;
    return (x - t) * (x - t);
}
static inline tare_vf l2_slope(tare_vf x, tare_vf t, tare_vf d)
{
    (void)d;
    return x - t;
}

/* l1: |x - t|; the slope at 0 is 0 */
static inline tare_vf l1_of(tare_vf x, tare_vf t, tare_vf d)
{
    (void)d;
    return tare_magnitude_of(x - t);
}
static inline tare_vf l1_slope(tare_vf x, tare_vf t, tare_vf d)
{
    (void)d;
    tare_vf away = x - t;
    return tare_select((away > 0) | (away < 0), tare_with_sign_of(away, tare_broadcast(1)), away);
}

/* huber: (x - t)^2 / 2 up to |x - t| = d, the straight line that goes on beyond (P. Huber, Robust estimation of a
 * location parameter, Annals of Mathematical Statistics 35 (1964)) */
static inline tare_vf huber_of(tare_vf x, tare_vf t, tare_vf d)
{
    tare_vf far = tare_magnitude_of(x - t);
    return tare_select(far <= d, far * far * 0.5f, d * (far - d * 0.5f));
}
static inline tare_vf huber_slope(tare_vf x, tare_vf t, tare_vf d)
{
    tare_vf away = x - t;
    return tare_select(tare_magnitude_of(away) > d, tare_with_sign_of(away, d), away);
}

/* sigmoid cross entropy: -t log s - (1 - t) log(1 - s), s = 1 / (1 + e^-x), in a form that neither overflows nor
 * cancels: max(x, 0) - x t + log(1 + e^-|x|) */
static inline tare_vf sigmoid_of(tare_vf x, tare_vf t, tare_vf d)
{
    (void)d;
    tare_vf above = tare_select(x < 0, (tare_vf){0}, x);
    return (above - x * t) + tare_log1p_of(tare_exp_of(-tare_magnitude_of(x)));
}
static inline tare_vf sigmoid_slope(tare_vf x, tare_vf t, tare_vf d)
{
    (void)d;
    tare_vf z = tare_exp_of(-tare_magnitude_of(x));
    return tare_select(x < 0, z, tare_broadcast(1)) / (1.0f + z) - t;
}

/* ---- kernels ----------------------------------------------------------------------------------------------------*/
#define DELTA(c) (float)tare_unbits((c)->g[G_DELTA])

/* In the tail nothing is added for what is not there. dx may be x or t. */
#define KERNELS(name, e, slope, share)                                                                                 \
    TARE_KERNEL_DECLARE(name);                                                                                         \
    int TARE_KERNEL(name)(const tare_call *c, int piece, int worker)                                                   \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        const float *x = c->ptr[0], *t = c->ptr[1]; /* [N,M] */                                                        \
        float *loss = c->ptr[2];                    /* [N] */                                                          \
        tare_vf delta = tare_broadcast(DELTA(c));                                                                      \
        for (tare_rows r = tare_rows_of(c, piece); r.row < r.end; ++r.row) {                                           \
            int64_t at = r.row * r.length;                                                                             \
            tare_block sums = tare_block_of(0);                                                                        \
            for (int64_t i = 0; i < r.length; i += TARE_BLOCK) {                                                       \
                int64_t n = r.length - i;                                                                              \
                tare_block a = tare_block_load(x + at + i, n, 0), b = tare_block_load(t + at + i, n, 0);               \
                for (int k = 0; k < TARE_BLOCK_VECTORS; ++k, n -= TARE_LANES) {                                        \
                    tare_vf v = e(a.v[k], b.v[k], delta);                                                              \
                    sums.v[k] += n >= TARE_LANES ? v : tare_select(tare_lanes_below(n), v, (tare_vf){0});              \
                }                                                                                                      \
            }                                                                                                          \
            loss[r.row] = (share)*tare_block_sum(sums) / (float)r.length;                                              \
        }                                                                                                              \
        return 0;                                                                                                      \
    }                                                                                                                  \
    TARE_KERNEL_DECLARE(name##_grad);                                                                                  \
    int TARE_KERNEL(name##_grad)(const tare_call *c, int piece, int worker)                                            \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        const float *dloss = c->ptr[0], *x = c->ptr[1], *t = c->ptr[2]; /* [N], [N,M] */                               \
        float *dx = c->ptr[3];                                          /* [N,M] */                                    \
        tare_vf delta = tare_broadcast(DELTA(c));                                                                      \
        for (tare_rows r = tare_rows_of(c, piece); r.row < r.end; ++r.row) {                                           \
            int64_t at = r.row * r.length;                                                                             \
            float each = dloss[r.row] / (float)r.length;                                                               \
            for (int64_t i = 0; i < r.length; i += TARE_BLOCK) {                                                       \
                int64_t n = r.length - i;                                                                              \
                tare_block a = tare_block_load(x + at + i, n, 0), b = tare_block_load(t + at + i, n, 0);               \
                for (int k = 0; k < TARE_BLOCK_VECTORS; ++k)                                                           \
                    a.v[k] = each * slope(a.v[k], b.v[k], delta);                                                      \
                tare_block_store(dx + at + i, a, n);                                                                   \
            }                                                                                                          \
        }                                                                                                              \
        return 0;                                                                                                      \
    }
KERNELS(l2_loss, l2_of, l2_slope, 0.5f)
KERNELS(l1_loss, l1_of, l1_slope, 1.0f)
KERNELS(huber_loss, huber_of, huber_slope, 1.0f)
KERNELS(sigmoid_cross_entropy, sigmoid_of, sigmoid_slope, 1.0f)

#ifdef TARE_PASS_RECORDS

/* ---- the same in float64 ------------------------------------------------------------------------------------------*/
static double sign_of(double x)
{
    return x > 0 ? 1 : x < 0 ? -1 : x;
}
static double l2_at(double x, double t, double d)
{
    (void)d;
    return (x - t) * (x - t) / 2;
}
static double l2_slope_at(double x, double t, double d)
{
    (void)d;
    return x - t;
}
static double l1_at(double x, double t, double d)
{
    (void)d;
    return fabs(x - t);
}
static double l1_slope_at(double x, double t, double d)
{
    (void)d;
    return sign_of(x - t);
}
static double huber_at(double x, double t, double d)
{
    double far = fabs(x - t);
    return far <= d ? far * far / 2 : d * (far - d / 2);
}
static double huber_slope_at(double x, double t, double d)
{
    return fabs(x - t) > d ? d * sign_of(x - t) : x - t;
}
static double sigmoid_at(double x, double t, double d)
{
    (void)d;
    return (x < 0 ? 0 : x) - x * t + log1p(exp(-fabs(x)));
}
static double sigmoid_slope_at(double x, double t, double d)
{
    (void)d;
    double z = exp(-fabs(x));
    return (x < 0 ? z : 1) / (1 + z) - t;
}

typedef double element(double x, double t, double delta);

static int reference(const tare_call *c, int piece, element *e)
{
    const int64_t dtype = c->g[TARE_G_DTYPE];
    for (tare_rows r = tare_rows_of(c, piece); r.row < r.end; ++r.row) {
        double sum = 0;
        for (int64_t i = r.row * r.length; i < (r.row + 1) * r.length; ++i)
            sum += e(tare_at(c->ptr[0], dtype, i), tare_at(c->ptr[1], dtype, i), tare_unbits(c->g[G_DELTA]));
        tare_put(c->ptr[2], dtype, r.row, sum / (double)r.length);
    }
    return 0;
}

static int reference_grad(const tare_call *c, int piece, element *slope)
{
    const int64_t dtype = c->g[TARE_G_DTYPE];
    for (tare_rows r = tare_rows_of(c, piece); r.row < r.end; ++r.row)
        for (int64_t i = r.row * r.length; i < (r.row + 1) * r.length; ++i)
            tare_put(c->ptr[3], dtype, i,
                     tare_at(c->ptr[0], dtype, r.row) / (double)r.length *
                         slope(tare_at(c->ptr[1], dtype, i), tare_at(c->ptr[2], dtype, i), tare_unbits(c->g[G_DELTA])));
    return 0;
}

#define REFERENCES(name, e)                                                                                            \
    static int name##_reference(const tare_call *c, int piece, int worker)                                             \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        return reference(c, piece, e##_at);                                                                            \
    }                                                                                                                  \
    static int name##_grad_reference(const tare_call *c, int piece, int worker)                                        \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        return reference_grad(c, piece, e##_slope_at);                                                                 \
    }
REFERENCES(l2_loss, l2)
REFERENCES(l1_loss, l1)
REFERENCES(huber_loss, huber)
REFERENCES(sigmoid_cross_entropy, sigmoid)

/* ---- inference and geometry --------------------------------------------------------------------------------------*/
/* x and t [N,...], the same shape and dtype, at least one element a sample */
static tare_status check_pair(const tare_args *a, const tare_desc *x, const tare_desc *t)
{
    char t0[TARE_DESC_TEXT], t1[TARE_DESC_TEXT];
    tare_status status = tare__loss_floating(a, x, "predictions");
    if (status == TARE_OK)
        status = tare__loss_floating(a, t, "targets");
    if (status != TARE_OK)
        return status;
    if (!tare_desc_same_shape(x, t))
        return tare_op_error(a, TARE_BAD_SHAPE, "shapes differ: predictions %s, targets %s (need the same)",
                             tare_desc_text(x, t0), tare_desc_text(t, t1));
    if (x->rank < 1)
        return tare_op_error(a, TARE_BAD_SHAPE, "predictions are %s (need [N,...])", tare_desc_text(x, t0));
    for (int i = 1; i < x->rank; ++i)
        if (x->dim[i] == 0)
            return tare_op_error(a, TARE_BAD_SHAPE, "predictions are %s (the mean of no elements)",
                                 tare_desc_text(x, t0));
    return TARE_OK;
}

static tare_status infer(const tare_args *a, const tare_desc_out *out)
{
    tare_status status = check_pair(a, a->in[0], a->in[1]);
    if (status == TARE_OK)
        *out[0] = tare__loss_packed(a->in[0], 1);
    return status;
}

static tare_status infer_grad(const tare_args *a, const tare_desc_out *out)
{
    tare_status status = check_pair(a, a->in[1], a->in[2]);
    if (status == TARE_OK)
        status = tare__loss_heads(a, a->in[1]);
    if (status == TARE_OK)
        *out[0] = tare__loss_packed(a->in[1], a->in[1]->rank);
    return status;
}

/* The attribute of those that have one. */
typedef struct {
    double delta;
} __attribute__((may_alias)) delta_attr;

static void set_delta(const tare_args *a, tare_work *w)
{
    w->g[G_DELTA] = tare_bits(a->attr ? ((const delta_attr *)a->attr)->delta : 0);
    w->n_g = G_WORDS;
}

static void prepare(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    tare__prepare_loss(a, out, w);
    set_delta(a, w);
}

static void prepare_grad(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    tare__prepare_loss_grad(a, out, w);
    set_delta(a, w);
}

/* ---- records ----------------------------------------------------------------------------------------------------*/
/* A loss of x - t: the targets' gradient is the predictions', turned round. */
static void contribute(tare_builder *b, tare_value *dx)
{
    tare_contribute(b, 0, dx);
    if (tare_wanted(b, 1))
        tare_contribute(b, 1, tare_scale(b->mode, dx, (tare_scale_attr){-1}));
}

static void l2_loss_gradient(tare_builder *b)
{
    contribute(b, tare_l2_loss_grad(b->mode, tare_head(b, 0), tare_input(b, 0), tare_input(b, 1)));
}

static void l1_loss_gradient(tare_builder *b)
{
    contribute(b, tare_l1_loss_grad(b->mode, tare_head(b, 0), tare_input(b, 0), tare_input(b, 1)));
}

static void huber_loss_gradient(tare_builder *b)
{
    const tare_huber_loss_attr *attr = b->node->attr;
    contribute(b, tare_huber_loss_grad(b->mode, tare_head(b, 0), tare_input(b, 0), tare_input(b, 1),
                                       (tare_huber_loss_grad_attr){attr->delta}));
}

/* dt = -dloss / M x */
static void sigmoid_cross_entropy_gradient(tare_builder *b)
{
    tare_mode *m = b->mode;
    tare_value *x = tare_input(b, 0), *dloss = tare_head(b, 0);
    if (tare_wanted(b, 0))
        tare_contribute(b, 0, tare_sigmoid_cross_entropy_grad(m, dloss, x, tare_input(b, 1)));
    if (!tare_wanted(b, 1))
        return;
    double length = 1;
    tare_reshape_attr rows = {.shape = {.n = x->d.rank, .at = {x->d.dim[0]}}};
    for (int i = 1; i < x->d.rank; ++i) {
        rows.shape.at[i] = 1;
        length *= (double)x->d.dim[i];
    }
    tare_value *each = tare_scale(m, dloss, (tare_scale_attr){-1 / length});
    tare_contribute(b, 1, tare_mul(m, x, tare_reshape(m, each, rows)));
}

static const tare_sample samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[7] f32[7]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[300,3,37]<-9,9> f32[300,3,37]<0,1>", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[2,20000] f32[2,20000]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[0,4] f32[0,4]", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[128,300] f32[128,300]", NULL, NULL},
    {TARE_SAMPLE_REJECT, "f32[3,5] f32[3,4]", NULL, "shapes differ: predictions [3,5], targets [3,4]"},
    {TARE_SAMPLE_REJECT, "f32[3,5] f64[3,5]", NULL, "targets are float64, input 0 is float32 (need one dtype)"},
    {TARE_SAMPLE_REJECT, "u8[3] u8[3]", NULL, "predictions are uint8 (need float32 or float64)"},
    {TARE_SAMPLE_REJECT, "f32[] f32[]", NULL, "predictions are [] (need [N,...])"},
    {TARE_SAMPLE_REJECT, "f32[3,0] f32[3,0]", NULL, "the mean of no elements"},
};

static const tare_sample grad_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3] f32[3,5] f32[3,5]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[300] f32[300,3,37]<-9,9> f32[300,3,37]", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[128] f32[128,300] f32[128,300]", NULL, NULL},
    {TARE_SAMPLE_REJECT, "f32[] f32[3,5] f32[3,5]", NULL, "heads are [], input 1 is [3,5]"},
    {TARE_SAMPLE_REJECT, "f32[3] f32[3,5] f32[5,3]", NULL, "shapes differ: predictions [3,5], targets [5,3]"},
};

static const tare_attr delta_attrs[] = {
    {"delta", TARE_ATTR_FLOAT, 0, 1e-30, 1e30, "1", "the distance from which on the loss is a straight line"},
};

/* A loss and its gradient; `...`: the attributes, if any. */
#define PAIR_LOSS(name_, doc_, grad_doc, ...)                                                                          \
    const tare_op tare_op_##name_ = {                                                                                  \
        .name = #name_,                                                                                                \
        .doc = "loss[n] = mean over all but the batch of " doc_ "; x, t [N,...], loss [N]",                            \
        .n_in = 2,                                                                                                     \
        .n_out = 1,                                                                                                    \
        .infer = infer,                                                                                                \
        .gradient = name_##_gradient,                                                                                  \
        .needs_in = 3,                                                                                                 \
        .variants = (const tare_variant[]){TARE_NATIVE(name_, "", .dtypes = TARE_BIT(TARE_F32), .prepare = prepare),   \
                                           TARE_REFERENCE(name_##_reference, .prepare = prepare)},                     \
        .n_variants = TARE_N_NATIVE + 1,                                                                               \
        .samples = samples,                                                                                            \
        .n_samples = TARE_COUNT_OF(samples),                                                                           \
        .tolerance = 2e-6,                                                                                             \
        __VA_ARGS__};                                                                                                  \
    const tare_op tare_op_##name_##_grad = {                                                                           \
        .name = #name_ "_grad",                                                                                        \
        .doc = "dx = dloss[n] / M (" grad_doc "), M elements a sample; dloss [N], x, t, dx [N,...]",                   \
        .n_in = 3,                                                                                                     \
        .n_out = 1,                                                                                                    \
        .infer = infer_grad,                                                                                           \
        .not_differentiable = true,                                                                                    \
        .overwrites = {2},                                                                                             \
        .variants = (const tare_variant[]){TARE_NATIVE(name_##_grad, "", .dtypes = TARE_BIT(TARE_F32),                 \
                                                       .prepare = prepare_grad),                                       \
                                           TARE_REFERENCE(name_##_grad_reference, .prepare = prepare_grad)},           \
        .n_variants = TARE_N_NATIVE + 1,                                                                               \
        .samples = grad_samples,                                                                                       \
        .n_samples = TARE_COUNT_OF(grad_samples),                                                                      \
        .tolerance = 1e-6,                                                                                             \
        __VA_ARGS__}
#define DELTA_ATTRIBUTE .attrs = delta_attrs, .n_attrs = 1, .attr_bytes = sizeof(delta_attr)

PAIR_LOSS(l2_loss, "(x - t)^2 / 2", "x - t", );
PAIR_LOSS(l1_loss, "|x - t|", "sign of x - t", );
PAIR_LOSS(huber_loss, "(x - t)^2 / 2 where |x - t| <= delta, else delta (|x - t| - delta / 2)",
          "x - t cut at -delta and delta", DELTA_ATTRIBUTE);
PAIR_LOSS(sigmoid_cross_entropy, "-t log s - (1 - t) log(1 - s), s = 1 / (1 + e^-x)", "s - t, s = 1 / (1 + e^-x)", );

#endif
