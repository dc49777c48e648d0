/* loss.c - softmax cross entropy, one number a sample, and its gradient.
 *
 * A label outside [0,C) is a data error: that row's loss, probabilities and gradient are 0, and the kernel answers 1.
 */
#include <math.h>

#include "loss.h"
#include "math.h"

/* ---- softmax cross entropy -----------------------------------------------------------------------------------------
 * loss[n] = log sum_c exp(x[n,c]) - x[n,label[n]], with the row's maximum taken out before exp. */

/* One row; p NULL: probabilities are not wanted. p may be x: each block is read before it is written. */
static inline float row_loss(const float *x, int64_t length, int64_t label, float *p)
{
    float at_label = x[label];
    tare_block most = tare_block_load(x, length, -INFINITY);
    for (int64_t i = TARE_BLOCK; i < length; i += TARE_BLOCK) {
        tare_block b = tare_block_load(x + i, length - i, -INFINITY);
        for (int k = 0; k < TARE_BLOCK_VECTORS; ++k)
            most.v[k] = tare_select(b.v[k] > most.v[k], b.v[k], most.v[k]);
    }
    float max = tare_block_max(most);
    tare_block sums = tare_block_of(0);
    for (int64_t i = 0; i < length; i += TARE_BLOCK) {
        tare_block b = tare_block_load(x + i, length - i, -INFINITY);
        for (int k = 0; k < TARE_BLOCK_VECTORS; ++k) {
            b.v[k] = tare_exp_of(b.v[k] - max);
            sums.v[k] += b.v[k];
        }
        if (p)
            tare_block_store(p + i, b, length - i);
    }
    float sum = tare_block_sum(sums), share = 1.0f / sum;
    for (int64_t i = 0; p && i < length; i += TARE_BLOCK) {
        tare_block b = tare_block_load(p + i, length - i, 0);
        for (int k = 0; k < TARE_BLOCK_VECTORS; ++k)
            b.v[k] *= share;
        tare_block_store(p + i, b, length - i);
    }
    return tare_log_of(tare_broadcast(sum))[0] - (at_label - max);
}

TARE_KERNEL_DECLARE(softmax_cross_entropy);
int TARE_KERNEL(softmax_cross_entropy)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const float *x = c->ptr[0];              /* [N,C] */
    const int32_t *label = c->ptr[1];        /* [N] */
    float *loss = c->ptr[2], *p = c->ptr[3]; /* [N]; [N,C] or NULL */
    int bad = 0;
    for (tare_rows r = tare_rows_of(c, piece); r.row < r.end; ++r.row) {
        int64_t at = r.row * r.length;
        if (label[r.row] >= 0 && label[r.row] < r.length) {
            float is = row_loss(x + at, r.length, label[r.row], p ? p + at : NULL);
            if (loss)
                loss[r.row] = is;
            continue;
        }
        bad = 1;
        if (loss)
            loss[r.row] = 0;
        if (p)
            memset(p + at, 0, (size_t)r.length * sizeof *p);
    }
    return bad;
}

/* dx[n,c] = dloss[n] (p[n,c] - [c == label[n]]); dx may be p */
TARE_KERNEL_DECLARE(softmax_cross_entropy_grad);
int TARE_KERNEL(softmax_cross_entropy_grad)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const float *dloss = c->ptr[0], *p = c->ptr[1]; /* [N], [N,C] */
    const int32_t *label = c->ptr[2];               /* [N] */
    float *dx = c->ptr[3];                          /* [N,C] */
    int bad = 0;
    for (tare_rows r = tare_rows_of(c, piece); r.row < r.end; ++r.row) {
        int64_t at = r.row * r.length;
        if (label[r.row] < 0 || label[r.row] >= r.length) {
            bad = 1;
            memset(dx + at, 0, (size_t)r.length * sizeof *dx);
            continue;
        }
        float at_label = dloss[r.row] * (p[at + label[r.row]] - 1.0f);
        for (int64_t i = 0; i < r.length; i += TARE_BLOCK) {
            tare_block b = tare_block_load(p + at + i, r.length - i, 0);
            for (int k = 0; k < TARE_BLOCK_VECTORS; ++k)
                b.v[k] *= dloss[r.row];
            tare_block_store(dx + at + i, b, r.length - i);
        }
        dx[at + label[r.row]] = at_label;
    }
    return bad;
}

#ifdef TARE_PASS_RECORDS

/* Softmax's maximum, sum and logarithm wait for each other: about 100 ns a row, however short (of mlp_mnist's step on
 * two threads the uncut loss was the largest part that one thread did alone). */
enum { SOFTMAX_ROW = 256 };

static void prepare_softmax(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)out;
    tare_rows_prepare(a->in[0], SOFTMAX_ROW, w);
}

static int softmax_cross_entropy_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    void *const x = c->ptr[0], *const loss = c->ptr[2], *const p = c->ptr[3];
    const int32_t *label = c->ptr[1];
    const int64_t dtype = c->g[TARE_G_DTYPE];
    int bad = 0;
    for (tare_rows r = tare_rows_of(c, piece); r.row < r.end; ++r.row) {
        int64_t at = r.row * r.length;
        bool good = label[r.row] >= 0 && label[r.row] < r.length;
        double max = -INFINITY, sum = 0, at_label = good ? tare_at(x, dtype, at + label[r.row]) : 0;
        for (int64_t i = 0; i < r.length; ++i)
            max = fmax(max, tare_at(x, dtype, at + i));
        for (int64_t i = 0; i < r.length; ++i)
            sum += exp(tare_at(x, dtype, at + i) - max);
        for (int64_t i = 0; p && i < r.length; ++i)
            tare_put(p, dtype, at + i, good ? exp(tare_at(x, dtype, at + i) - max) / sum : 0);
        if (loss)
            tare_put(loss, dtype, r.row, good ? log(sum) - (at_label - max) : 0);
        bad |= !good;
    }
    return bad;
}

static int softmax_cross_entropy_grad_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int32_t *label = c->ptr[2];
    const int64_t dtype = c->g[TARE_G_DTYPE];
    int bad = 0;
    for (tare_rows r = tare_rows_of(c, piece); r.row < r.end; ++r.row) {
        bool good = label[r.row] >= 0 && label[r.row] < r.length;
        double dloss = tare_at(c->ptr[0], dtype, r.row);
        for (int64_t i = 0; i < r.length; ++i) {
            double p = tare_at(c->ptr[1], dtype, r.row * r.length + i);
            tare_put(c->ptr[3], dtype, r.row * r.length + i, good ? dloss * (p - (i == label[r.row])) : 0);
        }
        bad |= !good;
    }
    return bad;
}

/* ---- inference --------------------------------------------------------------------------------------------------*/
/* What is shared, see loss.h. */
tare_status tare__loss_floating(const tare_args *a, const tare_desc *d, const char *what)
{
    if (d->dtype != TARE_F32 && d->dtype != TARE_F64)
        return tare_op_error(a, TARE_BAD_DTYPE, "%s are %s (need float32 or float64)", what,
                             tare_dtype_name((tare_dtype)d->dtype));
    if (d->dtype != a->in[0]->dtype)
        return tare_op_error(a, TARE_BAD_DTYPE, "%s are %s, input 0 is %s (need one dtype)", what,
                             tare_dtype_name((tare_dtype)d->dtype), tare_dtype_name((tare_dtype)a->in[0]->dtype));
    return TARE_OK;
}

tare_status tare__loss_heads(const tare_args *a, const tare_desc *like)
{
    char t0[TARE_DESC_TEXT], t1[TARE_DESC_TEXT];
    tare_status status = tare__loss_floating(a, a->in[0], "heads");
    if (status == TARE_OK && (a->in[0]->rank != 1 || a->in[0]->dim[0] != like->dim[0]))
        status = tare_op_error(a, TARE_BAD_SHAPE, "heads are %s, input 1 is %s (need one head a row)",
                               tare_desc_text(a->in[0], t0), tare_desc_text(like, t1));
    return status;
}

tare_desc tare__loss_packed(const tare_desc *like, int rank)
{
    return tare_desc_of((tare_dtype)like->dtype, rank, like->dim);
}

void tare__prepare_loss(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)out;
    tare_rows_prepare(a->in[0], 1, w);
}

void tare__prepare_loss_grad(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)a;
    tare_rows_prepare(out[0], 1, w);
}

/* scores [N,C], C > 0; labels int32 [N] */
static tare_status check_labels(const tare_args *a, const tare_desc *scores, const char *what, const tare_desc *labels)
{
    char t0[TARE_DESC_TEXT], t1[TARE_DESC_TEXT];
    tare_status status = tare__loss_floating(a, scores, what);
    if (status != TARE_OK)
        return status;
    if (labels->dtype != TARE_I32)
        return tare_op_error(a, TARE_BAD_DTYPE, "labels are %s (need int32)",
                             tare_dtype_name((tare_dtype)labels->dtype));
    if (scores->rank != 2 || scores->dim[1] == 0)
        return tare_op_error(a, TARE_BAD_SHAPE, "%s are %s (need [N,C], C > 0)", what, tare_desc_text(scores, t0));
    if (labels->rank != 1 || labels->dim[0] != scores->dim[0])
        return tare_op_error(a, TARE_BAD_SHAPE, "labels are %s, %s %s (need one label a row)",
                             tare_desc_text(labels, t1), what, tare_desc_text(scores, t0));
    return TARE_OK;
}

static tare_status softmax_cross_entropy_infer(const tare_args *a, const tare_desc_out *out)
{
    tare_status status = check_labels(a, a->in[0], "logits", a->in[1]);
    if (status != TARE_OK)
        return status;
    if (out[0])
        *out[0] = tare__loss_packed(a->in[0], 1);
    if (out[1])
        *out[1] = tare__loss_packed(a->in[0], 2);
    return TARE_OK;
}

static tare_status softmax_cross_entropy_grad_infer(const tare_args *a, const tare_desc_out *out)
{
    tare_status status = check_labels(a, a->in[1], "probabilities", a->in[2]);
    if (status == TARE_OK)
        status = tare__loss_heads(a, a->in[1]);
    if (status == TARE_OK)
        *out[0] = tare__loss_packed(a->in[1], 2);
    return status;
}

/* ---- records ----------------------------------------------------------------------------------------------------*/
static void softmax_cross_entropy_gradient(tare_builder *b)
{
    tare_contribute(b, 0,
                    tare_softmax_cross_entropy_grad(b->mode, tare_head(b, 0), tare_output(b, 1), tare_input(b, 1)));
}

#define VARIANTS(kernel, prepare_)                                                                                     \
    (const tare_variant[])                                                                                             \
    {                                                                                                                  \
        TARE_NATIVE(kernel, "", .dtypes = TARE_BIT(TARE_F32), .prepare = prepare_),                                    \
            TARE_REFERENCE(kernel##_reference, .prepare = prepare_)                                                    \
    }

const tare_op tare_op_softmax_cross_entropy = {
    .name = "softmax_cross_entropy",
    .doc = "loss[n] = log sum_c exp(x[n,c]) - x[n,label[n]]; x [N,C], label int32 [N], loss [N]; auxiliary: p = "
           "softmax(x) [N,C]. A label outside [0,C) is bad data",
    .n_in = 2,
    .n_out = 1,
    .n_aux = 1,
    .infer = softmax_cross_entropy_infer,
    .gradient = softmax_cross_entropy_gradient,
    .needs_in = 2,
    .needs_out = 2,
    .overwrites = {0, 1},
    .variants = VARIANTS(softmax_cross_entropy, prepare_softmax),
    .n_variants = TARE_N_NATIVE + 1,
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "f32[3,5] i32[3]<0,5>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[33,10]<-20,20> i32[33]<0,10>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[4,1000]<-80,80> i32[4]<0,1000>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[1700,16] i32[1700]<0,16>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[2,1] i32[2]<0,1>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[0,4] i32[0]", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "f32[128,10] i32[128]<0,10>", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "f32[128,1000] i32[128]<0,1000>", NULL, NULL},
                 {TARE_SAMPLE_REJECT, "f32[3,5] f32[3]", NULL, "labels are float32 (need int32)"},
                 {TARE_SAMPLE_REJECT, "i32[3,5] i32[3]", NULL, "logits are int32 (need float32 or float64)"},
                 {TARE_SAMPLE_REJECT, "f32[3] i32[3]", NULL, "logits are [3] (need [N,C], C > 0)"},
                 {TARE_SAMPLE_REJECT, "f32[3,0] i32[3]", NULL, "logits are [3,0] (need [N,C], C > 0)"},
                 {TARE_SAMPLE_REJECT, "f32[3,5] i32[4]", NULL, "labels are [4], logits [3,5] (need one label a row)"},
                 {TARE_SAMPLE_REJECT, "f32[3,5] i32[3]<5,6>", NULL, "index out of range"}),
    .tolerance = 1e-6,
};

const tare_op tare_op_softmax_cross_entropy_grad = {
    .name = "softmax_cross_entropy_grad",
    .doc = "dx[n,c] = dloss[n] (p[n,c] - [c == label[n]]); dloss [N], p [N,C], label int32 [N], dx [N,C]. A label "
           "outside [0,C) is bad data",
    .n_in = 3,
    .n_out = 1,
    .infer = softmax_cross_entropy_grad_infer,
    .not_differentiable = true,
    .overwrites = {2},
    .variants = VARIANTS(softmax_cross_entropy_grad, tare__prepare_loss_grad),
    .n_variants = TARE_N_NATIVE + 1,
    TARE_SAMPLES(
        {TARE_SAMPLE_CHECK, "f32[3] f32[3,5]<0,1> i32[3]<0,5>", NULL, NULL},
        {TARE_SAMPLE_CHECK, "f32[1700] f32[1700,33]<0,1> i32[1700]<0,33>", NULL, NULL},
        {TARE_SAMPLE_CHECK, "f32[0] f32[0,4] i32[0]", NULL, NULL},
        {TARE_SAMPLE_BENCH, "f32[128] f32[128,10]<0,1> i32[128]<0,10>", NULL, NULL},
        {TARE_SAMPLE_REJECT, "f32[4] f32[3,5] i32[3]", NULL, "heads are [4], input 1 is [3,5] (need one head a row)"},
        {TARE_SAMPLE_REJECT, "f32[3] f64[3,5] i32[3]", NULL,
         "probabilities are float64, input 0 is float32 (need one dtype)"},
        {TARE_SAMPLE_REJECT, "f32[3] f32[3,5] i64[3]", NULL, "labels are int64 (need int32)"},
        {TARE_SAMPLE_REJECT, "f32[3] f32[3,5] i32[3]<-2,0>", NULL, "index out of range"}),
    .tolerance = 1e-6,
};

#endif
