/* batch_norm_grad.c - the gradients of batch normalization, with the batch's statistics and with given ones.
 *
 * Both rest on two sums over a channel, A = sum dy and B = sum dy (x - mean): dbeta = A, dgamma = B invstd.
 * Training, where mean and variance depend on x (Ioffe and Szegedy, section 3), m values a channel:
 *     dx = gamma invstd (dy - A / m - (x - mean) invstd^2 B / m)
 * Given statistics: dx = gamma invstd dy, dmean = -gamma invstd A, dvar = -gamma invstd^3 B / 2.
 * What is not wanted is absent, and a sum that only absent outputs need is not taken. */
#include "batch_norm.h"

#include <math.h>

enum { DY, X, GAMMA, MEAN, INVSTD, DX, DGAMMA, DBETA, DMEAN, DVAR, VAR = INVSTD };

/* A and B of a group of channels, as far as they are wanted; numbers->p[0]: the means. */
static inline void take_sums(const tare_call *c, tare_channels ch, bool want_b, bool want_a, tare_bn_numbers *numbers,
                             double a[TARE_BLOCK], double b[TARE_BLOCK])
{
    const float *dy = c->ptr[DY], *x = c->ptr[X];
    memcpy(numbers->p[0], (const float *)c->ptr[MEAN] + ch.channel, (size_t)ch.count * sizeof(float));
    if (want_a || want_b)
        tare_bn_products(ch, x, dy, numbers->p[0], want_b, a, b);
}

static inline void put(void *to, int64_t at, double x)
{
    if (to)
        ((float *)to)[at] = (float)x;
}

TARE_KERNEL_DECLARE(batch_norm_grad);
int TARE_KERNEL(batch_norm_grad)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const float *gamma = c->ptr[GAMMA], *invstd = c->ptr[INVSTD];
    float *dx = c->ptr[DX];
    int64_t from = piece * c->g[TARE_BN_PIECE];
    tare_bn_numbers numbers = {0};
    double a[TARE_BLOCK] = {0}, b[TARE_BLOCK] = {0};
    for (tare_channels ch; (ch = tare_channels_next(c->g, piece, &from)).count;) {
        double m = (double)(ch.n * ch.s);
        take_sums(c, ch, dx || c->ptr[DGAMMA], dx || c->ptr[DBETA], &numbers, a, b);
        for (int k = 0; k < ch.count; ++k) {
            int64_t at = ch.channel + k;
            double is = (double)invstd[at];
            numbers.p[1][k] = (float)((double)gamma[at] * is);
            numbers.p[2][k] = (float)(a[k] / m);
            numbers.p[3][k] = (float)(b[k] / m * is * is);
            put(c->ptr[DGAMMA], at, b[k] * is);
            put(c->ptr[DBETA], at, a[k]);
        }
        if (dx)
            tare_bn_map(ch, TARE_BN_MAP_GRADIENT, c->ptr[X], c->ptr[DY], &numbers, dx);
    }
    return 0;
}

TARE_KERNEL_DECLARE(batch_norm_inference_grad);
int TARE_KERNEL(batch_norm_inference_grad)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const float *gamma = c->ptr[GAMMA], *var = c->ptr[VAR];
    float *dx = c->ptr[DX];
    int64_t from = piece * c->g[TARE_BN_PIECE];
    tare_bn_numbers numbers = {0};
    double a[TARE_BLOCK] = {0}, b[TARE_BLOCK] = {0};
    for (tare_channels ch; (ch = tare_channels_next(c->g, piece, &from)).count;) {
        take_sums(c, ch, c->ptr[DGAMMA] || c->ptr[DVAR], c->ptr[DBETA] || c->ptr[DMEAN], &numbers, a, b);
        for (int k = 0; k < ch.count; ++k) {
            int64_t at = ch.channel + k;
            double is = 1 / sqrt((double)var[at] + tare_unbits(c->g[TARE_BN_EPSILON])), scale = (double)gamma[at] * is;
            numbers.p[1][k] = (float)scale;
            put(c->ptr[DGAMMA], at, b[k] * is);
            put(c->ptr[DBETA], at, a[k]);
            put(c->ptr[DMEAN], at, -scale * a[k]);
            put(c->ptr[DVAR], at, -scale * is * is * b[k] / 2);
        }
        if (dx)
            tare_bn_map(ch, TARE_BN_MAP_SCALED, c->ptr[X], c->ptr[DY], &numbers, dx);
    }
    return 0;
}

#ifdef TARE_PASS_RECORDS

/* ---- references -------------------------------------------------------------------------------------------------*/
static void put_wide(const tare_call *c, int to, int64_t at, double x)
{
    if (c->ptr[to])
        tare_put(c->ptr[to], c->g[1], at, x);
}

static int reference(const tare_call *c, int piece, bool training)
{
    const int64_t *g = c->g, n = g[TARE_BN_N] * g[TARE_BN_S], first = piece * g[TARE_BN_PIECE];
    for (int64_t k = first; k < first + g[TARE_BN_PIECE] && k < g[TARE_BN_C]; ++k) {
        double a = 0, b = 0, mean = tare_at(c->ptr[MEAN], g[1], k), given = tare_at(c->ptr[INVSTD], g[1], k);
        double is = training ? given : 1 / sqrt(given + tare_unbits(g[TARE_BN_EPSILON]));
        double scale = tare_at(c->ptr[GAMMA], g[1], k) * is;
        for (int64_t i = 0; i < n; ++i) {
            double dy = tare_at(c->ptr[DY], g[1], tare_bn_at(g, k, i));
            a += dy;
            b += dy * (tare_at(c->ptr[X], g[1], tare_bn_at(g, k, i)) - mean);
        }
        for (int64_t i = 0; c->ptr[DX] && i < n; ++i) {
            int64_t at = tare_bn_at(g, k, i);
            double away = tare_at(c->ptr[X], g[1], at) - mean, dy = tare_at(c->ptr[DY], g[1], at);
            double through = training ? a / (double)n + away * is * is * b / (double)n : 0;
            tare_put(c->ptr[DX], g[1], at, scale * (dy - through));
        }
        put_wide(c, DGAMMA, k, b * is);
        put_wide(c, DBETA, k, a);
        if (training)
            continue;
        put_wide(c, DMEAN, k, -scale * a);
        put_wide(c, DVAR, k, -scale * is * is * b / 2);
    }
    return 0;
}

static int batch_norm_grad_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    return reference(c, piece, true);
}

static int batch_norm_inference_grad_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    return reference(c, piece, false);
}

/* ---- inference and geometry -------------------------------------------------------------------------------------*/
static tare_status infer(const tare_args *a, const tare_desc_out *out, int n_out, const char *const *name)
{
    char t0[TARE_DESC_TEXT], t1[TARE_DESC_TEXT];
    const tare_desc *x = a->in[X], *dy = a->in[DY];
    tare_status status = tare__bn_check_input(a, x, "x");
    if (status == TARE_OK)
        status = tare__bn_check_channels(a, x, GAMMA, 3, name);
    if (status != TARE_OK)
        return status;
    if (dy->dtype != x->dtype)
        return tare_op_error(a, TARE_BAD_DTYPE, "dy is %s, x %s (need one dtype)",
                             tare_dtype_name((tare_dtype)dy->dtype), tare_dtype_name((tare_dtype)x->dtype));
    if (!tare_desc_same_shape(dy, x))
        return tare_op_error(a, TARE_BAD_SHAPE, "dy is %s, x %s (need the same)", tare_desc_text(dy, t0),
                             tare_desc_text(x, t1));
    tare_desc_like(out[0], x);
    for (int o = 1; o < n_out; ++o)
        *out[o] = tare__bn_channels(x);
    return TARE_OK;
}

static tare_status batch_norm_grad_infer(const tare_args *a, const tare_desc_out *out)
{
    static const char *const name[] = {"scale", "mean", "inverse deviation"};
    return infer(a, out, 3, name);
}

static tare_status batch_norm_inference_grad_infer(const tare_args *a, const tare_desc_out *out)
{
    static const char *const name[] = {"scale", "mean", "variance"};
    return infer(a, out, 5, name);
}

static void prepare_batch_norm_grad(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)out;
    tare__bn_prepare(a->in[X], w);
}

static void prepare_batch_norm_inference_grad(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)out;
    tare__bn_prepare(a->in[X], w);
    w->g[TARE_BN_EPSILON] = tare_bits(((const tare_batch_norm_inference_grad_attr *)a->attr)->epsilon);
}

/* ---- records ----------------------------------------------------------------------------------------------------*/
const tare_op tare_op_batch_norm_grad = {
    .name = "batch_norm_grad",
    .doc = "dx, dgamma, dbeta of batch_norm, each only where wanted; dy, x, dx [N,C,...], gamma, mean, 1 / sqrt(var + "
           "epsilon), dgamma, dbeta [C]",
    .n_in = 5,
    .n_out = 3,
    .infer = batch_norm_grad_infer,
    .not_differentiable = true,
    .overwrites = {DY + 1},
    TARE_USUAL_VARIANTS(batch_norm_grad),
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "f32[4,3] f32[4,3] f32[3] f32[3] f32[3]<0.5,2>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[77,37] f32[77,37] f32[37] f32[37] f32[37]<0.5,2>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[9,5,19,29] f32[9,5,19,29] f32[5] f32[5] f32[5]<0.5,2>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[300,130] f32[300,130] f32[130] f32[130] f32[130]<0.5,2>", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "f32[128,256] f32[128,256] f32[256] f32[256] f32[256]<0.5,2>", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "f32[16,64,28,28] f32[16,64,28,28] f32[64] f32[64] f32[64]<0.5,2>", NULL, NULL},
                 {TARE_SAMPLE_REJECT, "f32[4,2] f32[4,3] f32[3] f32[3] f32[3]", NULL, "dy is [4,2], x [4,3]"},
                 {TARE_SAMPLE_REJECT, "f32[4,3] f32[4,3] f32[3] f32[3] f32[2]", NULL, "the inverse deviation is [2]"}),
    .tolerance = 2e-6,
};

const tare_op tare_op_batch_norm_inference_grad = {
    .name = "batch_norm_inference_grad",
    .doc = "dx, dgamma, dbeta, dmean, dvar of batch_norm_inference, each only where wanted; dy, x, dx [N,C,...], all "
           "else [C]",
    .n_in = 5,
    .n_out = 5,
    .attrs = (const tare_attr[]){{"epsilon", TARE_ATTR_FLOAT, offsetof(tare_batch_norm_inference_grad_attr, epsilon), 0,
                                  1e6, "1e-5", "added to the variance"}},
    .n_attrs = 1,
    .attr_bytes = sizeof(tare_batch_norm_inference_grad_attr),
    .infer = batch_norm_inference_grad_infer,
    .not_differentiable = true,
    .overwrites = {DY + 1},
    TARE_USUAL_VARIANTS(batch_norm_inference_grad),
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "f32[4,3] f32[4,3] f32[3] f32[3] f32[3]<0.5,2>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[77,37] f32[77,37] f32[37] f32[37] f32[37]<0.5,2>", "epsilon=0.1", NULL},
                 {TARE_SAMPLE_CHECK, "f32[9,5,19,29] f32[9,5,19,29] f32[5] f32[5] f32[5]<0.5,2>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[0,3] f32[0,3] f32[3] f32[3] f32[3]<0.5,2>", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "f32[16,64,28,28] f32[16,64,28,28] f32[64] f32[64] f32[64]<0.5,2>", NULL, NULL},
                 {TARE_SAMPLE_REJECT, "f32[4,3] f32[4,3] f32[3] f32[3] f32[2]", NULL, "the variance is [2]"},
                 {TARE_SAMPLE_REJECT, "f64[4,3] f32[4,3] f32[3] f32[3] f32[3]", NULL, "dy is float64, x float32"}),
    .tolerance = 2e-6,
};

#endif
