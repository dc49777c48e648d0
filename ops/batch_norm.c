/* batch_norm.c - batch normalization: with the batch's own statistics in training, with the running ones afterwards.
 *
 * y = (x - mean) / sqrt(var + epsilon) gamma + beta, a channel at a time (S. Ioffe, C. Szegedy, Batch normalization,
 * ICML 2015, algorithms 1 and 2). Squares are summed about a mean, so that one far from zero costs no digits. The
 * running statistics follow as in PyTorch: r' = (1 - momentum) r + momentum batch, with the unbiased variance; where
 * their outputs are absent nothing is tracked, which is how a recomputation leaves them alone. */
#include "batch_norm.h"

#include <math.h>

enum { X, GAMMA, BETA, RUN_MEAN, RUN_VAR, Y, RUN_MEAN_NEW, RUN_VAR_NEW, MEAN, INVSTD };
enum { INFER_MEAN = 3, INFER_VAR = 4, INFER_Y = 5 };

static inline void follow(float *to, const float *from, int64_t at, double momentum, double batch)
{
    if (to)
        to[at] = (float)((1 - momentum) * (double)from[at] + momentum * batch);
}

/* Mean and 1 / sqrt(var + epsilon) of each channel, saved and tracked on the way. */
static inline void measure(const tare_call *c, tare_channels ch, tare_bn_numbers *numbers)
{
    const float *x = c->ptr[X], *gamma = c->ptr[GAMMA], *beta = c->ptr[BETA];
    float *save_mean = c->ptr[MEAN], *save_invstd = c->ptr[INVSTD];
    const double momentum = tare_unbits(c->g[TARE_BN_MOMENTUM]), count = (double)(ch.n * ch.s);
    double mean[TARE_BLOCK], variance[TARE_BLOCK];
    tare_bn_moments(ch, x, mean, variance);
    for (int k = 0; k < ch.count; ++k) {
        int64_t at = ch.channel + k;
        double var = variance[k] < 0 ? 0 : variance[k];
        float invstd = (float)(1 / sqrt(var + tare_unbits(c->g[TARE_BN_EPSILON])));
        numbers->p[0][k] = (float)mean[k];
        numbers->p[1][k] = gamma[at] * invstd;
        numbers->p[2][k] = beta[at];
        follow(c->ptr[RUN_MEAN_NEW], c->ptr[RUN_MEAN], at, momentum, mean[k]);
        follow(c->ptr[RUN_VAR_NEW], c->ptr[RUN_VAR], at, momentum, var * count / (count - 1));
        if (save_mean)
            save_mean[at] = numbers->p[0][k];
        if (save_invstd)
            save_invstd[at] = invstd;
    }
}

TARE_KERNEL_DECLARE(batch_norm);
int TARE_KERNEL(batch_norm)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    int64_t from = piece * c->g[TARE_BN_PIECE];
    tare_bn_numbers numbers = {0};
    for (tare_channels ch; (ch = tare_channels_next(c->g, piece, &from)).count;) {
        measure(c, ch, &numbers);
        tare_bn_map(ch, TARE_BN_MAP_NORMAL, c->ptr[X], c->ptr[X], &numbers, c->ptr[Y]);
    }
    return 0;
}

TARE_KERNEL_DECLARE(batch_norm_inference);
int TARE_KERNEL(batch_norm_inference)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const float *gamma = c->ptr[GAMMA], *beta = c->ptr[BETA], *mean = c->ptr[INFER_MEAN], *var = c->ptr[INFER_VAR];
    int64_t from = piece * c->g[TARE_BN_PIECE];
    tare_bn_numbers numbers = {0};
    for (tare_channels ch; (ch = tare_channels_next(c->g, piece, &from)).count;) {
        for (int k = 0; k < ch.count; ++k) {
            int64_t at = ch.channel + k;
            double root = sqrt((double)var[at] + tare_unbits(c->g[TARE_BN_EPSILON]));
            numbers.p[0][k] = mean[at];
            numbers.p[1][k] = (float)((double)gamma[at] / root);
            numbers.p[2][k] = beta[at];
        }
        tare_bn_map(ch, TARE_BN_MAP_NORMAL, c->ptr[X], c->ptr[X], &numbers, c->ptr[INFER_Y]);
    }
    return 0;
}

#ifdef TARE_PASS_RECORDS

/* ---- references -------------------------------------------------------------------------------------------------*/
static void normalize(const tare_call *c, int64_t channel, double mean, double invstd, void *y)
{
    const int64_t *g = c->g;
    double gamma = tare_at(c->ptr[GAMMA], g[1], channel), beta = tare_at(c->ptr[BETA], g[1], channel);
    for (int64_t i = 0; i < g[TARE_BN_N] * g[TARE_BN_S]; ++i) {
        int64_t at = tare_bn_at(g, channel, i);
        tare_put(y, g[1], at, (tare_at(c->ptr[X], g[1], at) - mean) * invstd * gamma + beta);
    }
}

static void follow_reference(const tare_call *c, int to, int from, int64_t channel, double batch)
{
    const double momentum = tare_unbits(c->g[TARE_BN_MOMENTUM]);
    if (c->ptr[to])
        tare_put(c->ptr[to], c->g[1], channel,
                 (1 - momentum) * tare_at(c->ptr[from], c->g[1], channel) + momentum * batch);
}

static int batch_norm_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g, n = g[TARE_BN_N] * g[TARE_BN_S], first = piece * g[TARE_BN_PIECE];
    for (int64_t k = first; k < first + g[TARE_BN_PIECE] && k < g[TARE_BN_C]; ++k) {
        double mean = 0, var = 0;
        for (int64_t i = 0; i < n; ++i)
            mean += tare_at(c->ptr[X], g[1], tare_bn_at(g, k, i)) / (double)n;
        for (int64_t i = 0; i < n; ++i) {
            double d = tare_at(c->ptr[X], g[1], tare_bn_at(g, k, i)) - mean;
            var += d * d / (double)n;
        }
        double invstd = 1 / sqrt(var + tare_unbits(g[TARE_BN_EPSILON]));
        normalize(c, k, mean, invstd, c->ptr[Y]);
        follow_reference(c, RUN_MEAN_NEW, RUN_MEAN, k, mean);
        follow_reference(c, RUN_VAR_NEW, RUN_VAR, k, var * (double)n / (double)(n - 1));
        if (c->ptr[MEAN])
            tare_put(c->ptr[MEAN], g[1], k, mean);
        if (c->ptr[INVSTD])
            tare_put(c->ptr[INVSTD], g[1], k, invstd);
    }
    return 0;
}

static int batch_norm_inference_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g, first = piece * g[TARE_BN_PIECE];
    for (int64_t k = first; k < first + g[TARE_BN_PIECE] && k < g[TARE_BN_C]; ++k)
        normalize(c, k, tare_at(c->ptr[INFER_MEAN], g[1], k),
                  1 / sqrt(tare_at(c->ptr[INFER_VAR], g[1], k) + tare_unbits(g[TARE_BN_EPSILON])), c->ptr[INFER_Y]);
    return 0;
}

/* ---- inference and geometry -------------------------------------------------------------------------------------*/
tare_status tare__bn_check_input(const tare_args *a, const tare_desc *x, const char *what)
{
    char text[TARE_DESC_TEXT];
    if (x->dtype != TARE_F32 && x->dtype != TARE_F64)
        return tare_op_error(a, TARE_BAD_DTYPE, "%s is %s (need float32 or float64)", what,
                             tare_dtype_name((tare_dtype)x->dtype));
    if (x->rank < 2 || x->rank > 5)
        return tare_op_error(a, TARE_BAD_SHAPE, "%s is %s (need [N,C,...], 2 to 5 dimensions)", what,
                             tare_desc_text(x, text));
    return TARE_OK;
}

tare_status tare__bn_check_channels(const tare_args *a, const tare_desc *x, int first, int n, const char *const *name)
{
    char t0[TARE_DESC_TEXT], t1[TARE_DESC_TEXT];
    for (int i = 0; i < n; ++i) {
        const tare_desc *d = a->in[first + i];
        if (!d)
            continue;
        if (d->dtype != x->dtype)
            return tare_op_error(a, TARE_BAD_DTYPE, "the %s is %s, x %s (need one dtype)", name[i],
                                 tare_dtype_name((tare_dtype)d->dtype), tare_dtype_name((tare_dtype)x->dtype));
        if (d->rank != 1 || d->dim[0] != x->dim[1])
            return tare_op_error(a, TARE_BAD_SHAPE, "the %s is %s, x %s (need one number a channel)", name[i],
                                 tare_desc_text(d, t1), tare_desc_text(x, t0));
    }
    return TARE_OK;
}

tare_desc tare__bn_channels(const tare_desc *x)
{
    return tare_desc_of((tare_dtype)x->dtype, 1, &x->dim[1]);
}

void tare__bn_prepare(const tare_desc *x, tare_work *w)
{
    int64_t *g = w->g, s = 1, channels = x->dim[1];
    for (int i = 2; i < x->rank; ++i)
        s *= x->dim[i];
    int64_t count = x->dim[0] * s, piece = count < TARE_CHUNK ? TARE_CHUNK / (count ? count : 1) : 1;
    g[0] = count * channels;
    g[1] = x->dtype;
    g[TARE_BN_N] = x->dim[0];
    g[TARE_BN_C] = channels;
    g[TARE_BN_S] = s;
    g[TARE_BN_PIECE] = s == 1 ? (piece + TARE_BLOCK - 1) / TARE_BLOCK * TARE_BLOCK : piece;
    g[TARE_BN_EPSILON] = g[TARE_BN_MOMENTUM] = 0;
    w->n_g = TARE_BN_WORDS;
    if (channels > g[TARE_BN_PIECE])
        w->n_pieces = (int32_t)((channels + g[TARE_BN_PIECE] - 1) / g[TARE_BN_PIECE]);
}

static const char *const input_name[] = {"scale", "shift", "running mean", "running variance"};

static tare_status batch_norm_infer(const tare_args *a, const tare_desc_out *out)
{
    char text[TARE_DESC_TEXT];
    const tare_desc *x = a->in[X];
    tare_status status = tare__bn_check_input(a, x, "x");
    if (status == TARE_OK)
        status = tare__bn_check_channels(a, x, GAMMA, 4, input_name);
    if (status != TARE_OK)
        return status;
    int64_t values = x->dim[0];
    for (int i = 2; i < x->rank; ++i)
        values *= x->dim[i];
    if (values < 2)
        return tare_op_error(a, TARE_BAD_SHAPE, "x is %s: %lld value%s a channel (training needs more than one)",
                             tare_desc_text(x, text), (long long)values, values == 1 ? "" : "s");
    if (a->absent & 1)
        return tare_op_error(a, TARE_BAD_ARGUMENT, "y cannot be absent");
    for (int o = 1; o < 3; ++o)
        if (!(a->absent >> o & 1) && !a->in[RUN_MEAN + o - 1])
            return tare_op_error(a, TARE_BAD_ARGUMENT, "the new %s is wanted and there is no old one",
                                 input_name[o + 1]);
    tare_desc_like(out[0], x);
    for (int o = 1; o < 5; ++o)
        *out[o] = tare__bn_channels(x);
    return TARE_OK;
}

static tare_status batch_norm_inference_infer(const tare_args *a, const tare_desc_out *out)
{
    const tare_desc *x = a->in[X];
    tare_status status = tare__bn_check_input(a, x, "x");
    if (status == TARE_OK)
        status = tare__bn_check_channels(a, x, GAMMA, 4, input_name);
    if (status == TARE_OK)
        tare_desc_like(out[0], x);
    return status;
}

static void prepare_batch_norm(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)out;
    const tare_batch_norm_attr *attr = a->attr;
    tare__bn_prepare(a->in[X], w);
    w->g[TARE_BN_EPSILON] = tare_bits(attr->epsilon);
    w->g[TARE_BN_MOMENTUM] = tare_bits(attr->momentum);
}

static void prepare_batch_norm_inference(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)out;
    tare__bn_prepare(a->in[X], w);
    w->g[TARE_BN_EPSILON] = tare_bits(((const tare_batch_norm_inference_attr *)a->attr)->epsilon);
}

/* ---- gradients --------------------------------------------------------------------------------------------------*/

/* Applies a gradient operator to dy and four inputs, without the outputs that nobody wants; output o belongs to
 * input o. */
static void contribute_all(tare_builder *b, const tare_op *op, const void *attr, tare_value *const *in, int n_out)
{
    tare_value *out[TARE_OPERANDS];
    uint32_t absent = 0;
    for (int o = 0; o < n_out; ++o)
        absent |= tare_wanted(b, o) ? 0 : 1u << o;
    if (absent == (1u << n_out) - 1)
        return;
    (void)b->mode->apply(b->mode, op, attr, in, 5, out, absent);
    for (int o = 0; o < n_out; ++o)
        if (!(absent >> o & 1))
            tare_contribute(b, o, out[o]);
}

static void batch_norm_gradient(tare_builder *b)
{
    if (tare_head(b, 1) || tare_head(b, 2)) {
        tare_args a = tare_node_args(b->node);
        b->mode->error = tare_op_error(&a, TARE_NOT_DIFFERENTIABLE, "a gradient arrived at the running statistics");
        return;
    }
    contribute_all(b, &tare_op_batch_norm_grad, NULL,
                   (tare_value *const[]){tare_head(b, 0), tare_input(b, X), tare_input(b, GAMMA), tare_output(b, 3),
                                         tare_output(b, 4)},
                   3);
}

static void batch_norm_inference_gradient(tare_builder *b)
{
    const tare_batch_norm_inference_attr *attr = b->node->attr;
    contribute_all(b, &tare_op_batch_norm_inference_grad, &(tare_batch_norm_inference_grad_attr){attr->epsilon},
                   (tare_value *const[]){tare_head(b, 0), tare_input(b, X), tare_input(b, GAMMA),
                                         tare_input(b, INFER_MEAN), tare_input(b, INFER_VAR)},
                   5);
}

/* ---- records ----------------------------------------------------------------------------------------------------*/
#define EPSILON(op)                                                                                                    \
    {                                                                                                                  \
        "epsilon", TARE_ATTR_FLOAT, offsetof(tare_##op##_attr, epsilon), 0, 1e6, "1e-5", "added to the variance"       \
    }

const tare_op tare_op_batch_norm = {
    .name = "batch_norm",
    .doc =
        "y = (x - mean) / sqrt(var + epsilon) gamma + beta, mean and var of the batch's channel; x, y [N,C,...], all "
        "else [C]. Written in place: running mean and unbiased variance, r' = (1 - momentum) r + momentum batch, "
        "each only where wanted. Auxiliaries: mean, 1 / sqrt(var + epsilon)",
    .n_in = 5,
    .n_out = 3,
    .n_aux = 2,
    .optional = 1u << RUN_MEAN | 1u << RUN_VAR,
    .attrs = (const tare_attr[]){EPSILON(batch_norm),
                                 {"momentum", TARE_ATTR_FLOAT, offsetof(tare_batch_norm_attr, momentum), 0, 1, "0.1",
                                  "share of the batch in the running statistics"}},
    .n_attrs = 2,
    .attr_bytes = sizeof(tare_batch_norm_attr),
    .infer = batch_norm_infer,
    .gradient = batch_norm_gradient,
    .needs_in = 1u << X | 1u << GAMMA,
    .needs_out = 1u << 3 | 1u << 4,
    .overwrites = {X + 1},
    .ties = {0, RUN_MEAN + 1, RUN_VAR + 1},
    .effects = TARE_EFFECT_STATE,
    TARE_USUAL_VARIANTS(batch_norm),
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "f32[4,3] f32[3] f32[3] f32[3] f32[3]<0,1>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[2,3,5] f32[3] f32[3] f32[3] f32[3]<0,1>", "epsilon=0.1,momentum=0.3", NULL},
                 {TARE_SAMPLE_CHECK, "f32[3,2,3,3] f32[2] f32[2] - -", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[77,37]<4,9> f32[37] f32[37] f32[37] f32[37]<0,1>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[9,5,19,29]<-3,9> f32[5] f32[5] f32[5] f32[5]<0,1>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[300,130] f32[130] f32[130] f32[130] f32[130]<0,1>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[2,0,3] f32[0] f32[0] f32[0] f32[0]", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "f32[128,256] f32[256] f32[256] f32[256] f32[256]<0,1>", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "f32[16,64,28,28] f32[64] f32[64] f32[64] f32[64]<0,1>", NULL, NULL},
                 {TARE_SAMPLE_REJECT, "f32[1,3] f32[3] f32[3] f32[3] f32[3]", NULL,
                  "x is [1,3]: 1 value a channel (training needs more than one)"},
                 {TARE_SAMPLE_REJECT, "f32[0,3] f32[3] f32[3] f32[3] f32[3]", NULL, "0 values a channel"},
                 {TARE_SAMPLE_REJECT, "f32[3] f32[3] f32[3] f32[3] f32[3]", NULL, "x is [3] (need [N,C,...]"},
                 {TARE_SAMPLE_REJECT, "i32[4,3] f32[3] f32[3] f32[3] f32[3]", NULL, "x is int32"},
                 {TARE_SAMPLE_REJECT, "f32[4,3] f32[4] f32[3] f32[3] f32[3]", NULL, "the scale is [4], x [4,3]"},
                 {TARE_SAMPLE_REJECT, "f32[4,3] f32[3] f32[3] f32[3] f64[3]", NULL,
                  "the running variance is float64, x float32"},
                 {TARE_SAMPLE_REJECT, "f32[4,3] f32[3] f32[3] f32[3] f32[3]", "momentum=2", "momentum"}),
    .tolerance = 2e-6,
};

const tare_op tare_op_batch_norm_inference = {
    .name = "batch_norm_inference",
    .doc = "y = (x - mean) / sqrt(var + epsilon) gamma + beta with given mean and var; x, y [N,C,...], all else [C]",
    .n_in = 5,
    .n_out = 1,
    .attrs = (const tare_attr[]){EPSILON(batch_norm_inference)},
    .n_attrs = 1,
    .attr_bytes = sizeof(tare_batch_norm_inference_attr),
    .infer = batch_norm_inference_infer,
    .gradient = batch_norm_inference_gradient,
    .needs_in = 1u << X | 1u << GAMMA | 1u << INFER_MEAN | 1u << INFER_VAR,
    .overwrites = {X + 1},
    TARE_USUAL_VARIANTS(batch_norm_inference),
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "f32[4,3] f32[3] f32[3] f32[3] f32[3]<0,1>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[2,3,5] f32[3] f32[3] f32[3] f32[3]<0,1>", "epsilon=0.1", NULL},
                 {TARE_SAMPLE_CHECK, "f32[77,37] f32[37] f32[37] f32[37] f32[37]<0.1,1>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[9,5,19,29] f32[5] f32[5] f32[5] f32[5]<0.1,1>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[1,3] f32[3] f32[3] f32[3] f32[3]<0.1,1>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[0,3] f32[3] f32[3] f32[3] f32[3]<0.1,1>", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "f32[16,64,28,28] f32[64] f32[64] f32[64] f32[64]<0.1,1>", NULL, NULL},
                 {TARE_SAMPLE_REJECT, "f32[4,3] f32[3] f32[3] f32[2] f32[3]", NULL, "the running mean is [2], x [4,3]"},
                 {TARE_SAMPLE_REJECT, "f32[1,1,1,1,1,1] f32[1] f32[1] f32[1] f32[1]", NULL, "2 to 5 dimensions"}),
    .tolerance = 1e-6,
};

#endif
