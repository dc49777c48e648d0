/* batch_norm.c - batch normalization as oneDNN's, and around it what the two define differently.
 *
 * oneDNN's statistics are mean and biased variance; ours keep 1 / sqrt(var + epsilon) for the gradient and follow with
 * the unbiased variance. Both are one number a channel: made from each other here, in float64, after or before the
 * primitive. What is absent of them lies in scratch. */
#include <math.h>

#include "../ops/ops.h"
#include "onednn.h"

/* x [N,C,...] as [N,C,S,1]. */
static bool describe(const tare_args *a, const tare_desc *x, tare__onednn_direction direction, unsigned flags,
                     double epsilon, tare__onednn_spec *s)
{
    int64_t dims[TARE_RANK];
    (void)a;
    if (!tare__onednn_dims(x, dims))
        return false;
    s->kind = TARE__ONEDNN_BATCH_NORM;
    s->direction = direction;
    s->flags = flags | dnnl_use_scale | dnnl_use_shift;
    s->epsilon = tare_bits(epsilon);
    s->rank = 4;
    s->src[0] = dims[0];
    s->src[1] = dims[1];
    s->src[2] = s->src[3] = 1;
    for (int i = 2; i < x->rank; ++i)
        s->src[2] *= dims[i];
    for (int i = 0; i < 4; ++i)
        s->dst[i] = s->src[i];
    return true;
}

static int64_t values(const tare__onednn_spec *s) /* a channel */
{
    return s->src[0] * s->src[2];
}

/* ---- training ---------------------------------------------------------------------------------------------------*/
enum { X, GAMMA, BETA, RUN_MEAN, RUN_VAR, Y, RUN_MEAN_NEW, RUN_VAR_NEW, MEAN, INVSTD };
enum { AT_MEAN = 4, AT_VARIANCE };

static bool describe_training(const tare_args *a, tare__onednn_spec *s)
{
    return describe(a, a->in[X], TARE__ONEDNN_FORWARD, 0, ((const tare_batch_norm_attr *)a->attr)->epsilon, s);
}

static const tare__onednn_arg training_args[] = {{DNNL_ARG_SRC, X, TARE__ONEDNN_SRC, false, false},
                                                 {DNNL_ARG_SCALE, GAMMA, TARE__ONEDNN_CHANNELS, false, false},
                                                 {DNNL_ARG_SHIFT, BETA, TARE__ONEDNN_CHANNELS, false, false},
                                                 {DNNL_ARG_DST, Y, TARE__ONEDNN_DST, true, false},
                                                 {DNNL_ARG_MEAN, MEAN, TARE__ONEDNN_CHANNELS, true, false},
                                                 {DNNL_ARG_VARIANCE, -1, TARE__ONEDNN_CHANNELS, true, false},
                                                 {0}};

static void follow(float *to, const float *from, int64_t at, double momentum, double batch)
{
    if (to)
        to[at] = (float)((1 - momentum) * (double)from[at] + momentum * batch);
}

static int run_training(const tare_call *c, int piece, int worker)
{
    (void)piece;
    (void)worker;
    tare__onednn_entry *e = tare__onednn_of(c);
    bool done = tare__onednn_execute(c, e);
    const float *mean = tare__onednn_address(c, e, AT_MEAN), *variance = tare__onednn_address(c, e, AT_VARIANCE);
    const double n = (double)values(&e->spec), epsilon = tare_unbits(e->spec.epsilon), momentum = tare_unbits(c->g[1]);
    float *invstd = c->ptr[INVSTD];
    for (int64_t k = 0; k < e->spec.src[1]; ++k) {
        double var = (double)variance[k];
        follow(c->ptr[RUN_MEAN_NEW], c->ptr[RUN_MEAN], k, momentum, (double)mean[k]);
        follow(c->ptr[RUN_VAR_NEW], c->ptr[RUN_VAR], k, momentum, var * n / (n - 1));
        if (invstd)
            invstd[k] = (float)(1 / sqrt(var + epsilon));
    }
    return !done;
}

/* ---- given statistics -------------------------------------------------------------------------------------------*/
static bool describe_inference(const tare_args *a, tare__onednn_spec *s)
{
    return describe(a, a->in[X], TARE__ONEDNN_INFERENCE, dnnl_use_global_stats,
                    ((const tare_batch_norm_inference_attr *)a->attr)->epsilon, s);
}

static const tare__onednn_arg inference_args[] = {{DNNL_ARG_SRC, X, TARE__ONEDNN_SRC, false, false},
                                                  {DNNL_ARG_SCALE, GAMMA, TARE__ONEDNN_CHANNELS, false, false},
                                                  {DNNL_ARG_SHIFT, BETA, TARE__ONEDNN_CHANNELS, false, false},
                                                  {DNNL_ARG_MEAN, RUN_MEAN, TARE__ONEDNN_CHANNELS, false, false},
                                                  {DNNL_ARG_VARIANCE, RUN_VAR, TARE__ONEDNN_CHANNELS, false, false},
                                                  {DNNL_ARG_DST, Y, TARE__ONEDNN_DST, true, false},
                                                  {0}};

/* ---- the gradient -----------------------------------------------------------------------------------------------*/
enum { G_DY, G_X, G_GAMMA, G_MEAN, G_INVSTD, G_DX, G_DGAMMA, G_DBETA };
enum { AT_G_VARIANCE = 5 };

/* The gradient does not depend on epsilon and variance apart, so epsilon is 0 and the variance what is under the root;
 * oneDNN makes all three results. Version 2 wants a shift and reads nothing of it: any array will do. */
static bool describe_gradient(const tare_args *a, tare__onednn_spec *s)
{
    return !(a->absent & 1) && describe(a, a->in[G_X], TARE__ONEDNN_TO_DATA, 0, 0, s);
}

static const tare__onednn_arg gradient_args[] = {{DNNL_ARG_DIFF_DST, G_DY, TARE__ONEDNN_DST, false, false},
                                                 {DNNL_ARG_SRC, G_X, TARE__ONEDNN_SRC, false, false},
                                                 {DNNL_ARG_SCALE, G_GAMMA, TARE__ONEDNN_CHANNELS, false, false},
                                                 {DNNL_ARG_SHIFT, G_GAMMA, TARE__ONEDNN_CHANNELS, false, true},
                                                 {DNNL_ARG_MEAN, G_MEAN, TARE__ONEDNN_CHANNELS, false, false},
                                                 {DNNL_ARG_VARIANCE, -1, TARE__ONEDNN_CHANNELS, false, false},
                                                 {DNNL_ARG_DIFF_SRC, G_DX, TARE__ONEDNN_SRC, true, false},
                                                 {DNNL_ARG_DIFF_SCALE, G_DGAMMA, TARE__ONEDNN_CHANNELS, true, false},
                                                 {DNNL_ARG_DIFF_SHIFT, G_DBETA, TARE__ONEDNN_CHANNELS, true, false},
                                                 {0}};

static int run_gradient(const tare_call *c, int piece, int worker)
{
    (void)piece;
    (void)worker;
    tare__onednn_entry *e = tare__onednn_of(c);
    const float *invstd = c->ptr[G_INVSTD];
    float *variance = tare__onednn_address(c, e, AT_G_VARIANCE);
    for (int64_t k = 0; k < e->spec.src[1]; ++k)
        variance[k] = (float)(1 / ((double)invstd[k] * (double)invstd[k]));
    return !tare__onednn_execute(c, e);
}

TARE__ONEDNN_ASKED(training, describe_training, training_args, TARE__ONEDNN_EITHER)
TARE__ONEDNN_ASKED(inference, describe_inference, inference_args, TARE__ONEDNN_EITHER)
TARE__ONEDNN_ASKED(gradient, describe_gradient, gradient_args, TARE__ONEDNN_EITHER)

static void prepare_training(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    training_prepare(a, out, w);
    w->g[1] = tare_bits(((const tare_batch_norm_attr *)a->attr)->momentum);
    w->n_g = 2;
}

const tare_variant tare__onednn_batch_norm[] = {{.name = "onednn",
                                                 .set = TARE_SET_ADDED,
                                                 .dtypes = TARE_BIT(TARE_F32),
                                                 .fits = training_fits,
                                                 .prepare = prepare_training,
                                                 .run = run_training}};
const tare_variant tare__onednn_batch_norm_inference[] = {TARE__ONEDNN_ROW(inference, "onednn", tare__onednn_run)};
const tare_variant tare__onednn_batch_norm_grad[] = {TARE__ONEDNN_ROW(gradient, "onednn", run_gradient)};
