/* update.c - optimizer updates: a step's new parameter and state, written over the old (ties).
 *
 * They are bound by memory, so each is one pass over all its arrays. What changes from step to step (learning rate,
 * step count) is a 0-d value, never an attribute. A scalar that all elements share is computed once, in float64, and
 * rounded once (adam_rate); square root and division are IEEE's. */
#include <math.h>

#include "record.h"

enum { G_N, G_DTYPE, G_FIRST }; /* the first two are the pointwise ones; attributes follow as float64 bits */

static inline float attribute(const tare_call *c, int k)
{
    return (float)tare_unbits(c->g[G_FIRST + k]);
}

/* ---- sgd -----------------------------------------------------------------------------------------------------------
 * m' = momentum m + (g + weight_decay w); w' = w - lr m': PyTorch's form (torch.optim.SGD), where lr stands outside the
 * velocity, without dampening. */
enum { SGD_W, SGD_G, SGD_M, SGD_LR, SGD_W_NEW, SGD_M_NEW };
typedef struct {
    const float *w, *g, *m; /* m NULL: no momentum */
    float *w_new, *m_new;
    float lr, momentum, weight_decay;
} sgd;

static inline void sgd_at(const sgd *s, int64_t i, int64_t n)
{
    bool full = n >= TARE_LANES;
    tare_vf w = full ? tare_load(s->w + i) : tare_load_part(s->w + i, n);
    tare_vf step = full ? tare_load(s->g + i) : tare_load_part(s->g + i, n);
    step += s->weight_decay * w;
    if (s->m) {
        step += s->momentum * (full ? tare_load(s->m + i) : tare_load_part(s->m + i, n));
        if (full)
            tare_store(s->m_new + i, step);
        else
            tare_store_part(s->m_new + i, step, n);
    }
    w -= s->lr * step;
    if (full)
        tare_store(s->w_new + i, w);
    else
        tare_store_part(s->w_new + i, w, n);
}

TARE_KERNEL_DECLARE(sgd);
int TARE_KERNEL(sgd)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const sgd s = {c->ptr[SGD_W],     c->ptr[SGD_G],     c->ptr[SGD_M],
                   c->ptr[SGD_W_NEW], c->ptr[SGD_M_NEW], *(const float *)c->ptr[SGD_LR],
                   attribute(c, 0),   attribute(c, 1)};
    int64_t i, end;
    tare_piece_range(c, piece, &i, &end);
    for (; i + TARE_LANES <= end; i += TARE_LANES)
        sgd_at(&s, i, TARE_LANES);
    if (i < end)
        sgd_at(&s, i, end - i);
    return 0;
}

/* ---- adam ----------------------------------------------------------------------------------------------------------
 * m' = beta1 m + (1 - beta1) g, v' = beta2 v + (1 - beta2) g g, w' = w - rate[0] m' / (sqrt(v') rate[1] + epsilon):
 * Kingma and Ba, Adam (ICLR 2015), Algorithm 1, with the corrections 1 / (1 - beta^t) taken into `rate` (adam_rate) and
 * epsilon outside the corrected root, as in torch.optim.Adam. g includes weight_decay w (L2 form). */
enum { ADAM_W, ADAM_G, ADAM_M, ADAM_V, ADAM_RATE, ADAM_W_NEW, ADAM_M_NEW, ADAM_V_NEW };
typedef struct {
    const float *w, *g, *m, *v;
    float *w_new, *m_new, *v_new;
    float rate, root_rate, beta1, one_minus_beta1, beta2, one_minus_beta2, epsilon, weight_decay;
} adam;

static inline tare_vf root(tare_vf x)
{
    tare_vf y;
    for (int k = 0; k < TARE_LANES; ++k)
        y[k] = __builtin_sqrtf(x[k]);
    return y;
}

static inline void adam_at(const adam *a, int64_t i, int64_t n)
{
    bool full = n >= TARE_LANES;
    tare_vf w = full ? tare_load(a->w + i) : tare_load_part(a->w + i, n);
    tare_vf g = full ? tare_load(a->g + i) : tare_load_part(a->g + i, n);
    tare_vf m = full ? tare_load(a->m + i) : tare_load_part(a->m + i, n);
    tare_vf v = full ? tare_load(a->v + i) : tare_load_part(a->v + i, n);
    g += a->weight_decay * w;
    m = a->beta1 * m + a->one_minus_beta1 * g;
    v = a->beta2 * v + a->one_minus_beta2 * g * g;
    w -= a->rate * m / (root(v) * a->root_rate + a->epsilon);
    if (full) {
        tare_store(a->w_new + i, w);
        tare_store(a->m_new + i, m);
        tare_store(a->v_new + i, v);
    } else {
        tare_store_part(a->w_new + i, w, n);
        tare_store_part(a->m_new + i, m, n);
        tare_store_part(a->v_new + i, v, n);
    }
}

TARE_KERNEL_DECLARE(adam);
int TARE_KERNEL(adam)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const float *rate = c->ptr[ADAM_RATE]; /* [2] */
    const adam a = {.w = c->ptr[ADAM_W],
                    .g = c->ptr[ADAM_G],
                    .m = c->ptr[ADAM_M],
                    .v = c->ptr[ADAM_V],
                    .w_new = c->ptr[ADAM_W_NEW],
                    .m_new = c->ptr[ADAM_M_NEW],
                    .v_new = c->ptr[ADAM_V_NEW],
                    .rate = rate[0],
                    .root_rate = rate[1],
                    .beta1 = attribute(c, 0),
                    .one_minus_beta1 = (float)(1 - tare_unbits(c->g[G_FIRST])),
                    .beta2 = attribute(c, 1),
                    .one_minus_beta2 = (float)(1 - tare_unbits(c->g[G_FIRST + 1])),
                    .epsilon = attribute(c, 2),
                    .weight_decay = attribute(c, 3)};
    int64_t i, end;
    tare_piece_range(c, piece, &i, &end);
    for (; i + TARE_LANES <= end; i += TARE_LANES)
        adam_at(&a, i, TARE_LANES);
    if (i < end)
        adam_at(&a, i, end - i);
    return 0;
}

#ifdef TARE_PASS_RECORDS

static void prepare_sgd(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    const tare_sgd_attr *attr = a->attr;
    tare__prepare_pointwise(a, out, w);
    w->g[G_FIRST] = tare_bits(attr->momentum);
    w->g[G_FIRST + 1] = tare_bits(attr->weight_decay);
    w->n_g = G_FIRST + 2;
}

static void prepare_adam(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    const tare_adam_attr *attr = a->attr;
    tare__prepare_pointwise(a, out, w);
    w->g[G_FIRST] = tare_bits(attr->beta1);
    w->g[G_FIRST + 1] = tare_bits(attr->beta2);
    w->g[G_FIRST + 2] = tare_bits(attr->epsilon);
    w->g[G_FIRST + 3] = tare_bits(attr->weight_decay);
    w->n_g = G_FIRST + 4;
}

static void prepare_adam_rate(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    const tare_adam_rate_attr *attr = a->attr;
    w->g[G_N] = 2;
    w->g[G_DTYPE] = out[0]->dtype;
    w->g[G_FIRST] = tare_bits(attr->beta1);
    w->g[G_FIRST + 1] = tare_bits(attr->beta2);
    w->n_g = G_FIRST + 2;
}

static int sgd_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    void *const *p = c->ptr;
    const int64_t dtype = c->g[G_DTYPE];
    double lr = tare_at(p[SGD_LR], dtype, 0), momentum = tare_unbits(c->g[G_FIRST]),
           weight_decay = tare_unbits(c->g[G_FIRST + 1]);
    int64_t i, end;
    for (tare_piece_range(c, piece, &i, &end); i < end; ++i) {
        double w = tare_at(p[SGD_W], dtype, i);
        double step = tare_at(p[SGD_G], dtype, i) + weight_decay * w;
        if (p[SGD_M]) {
            step += momentum * tare_at(p[SGD_M], dtype, i);
            tare_put(p[SGD_M_NEW], dtype, i, step);
        }
        tare_put(p[SGD_W_NEW], dtype, i, w - lr * step);
    }
    return 0;
}

static int adam_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    void *const *p = c->ptr;
    const int64_t dtype = c->g[G_DTYPE];
    double beta1 = tare_unbits(c->g[G_FIRST]), beta2 = tare_unbits(c->g[G_FIRST + 1]),
           epsilon = tare_unbits(c->g[G_FIRST + 2]), weight_decay = tare_unbits(c->g[G_FIRST + 3]);
    double rate = tare_at(p[ADAM_RATE], dtype, 0), root_rate = tare_at(p[ADAM_RATE], dtype, 1);
    int64_t i, end;
    for (tare_piece_range(c, piece, &i, &end); i < end; ++i) {
        double w = tare_at(p[ADAM_W], dtype, i), g = tare_at(p[ADAM_G], dtype, i) + weight_decay * w;
        double m = beta1 * tare_at(p[ADAM_M], dtype, i) + (1 - beta1) * g;
        double v = beta2 * tare_at(p[ADAM_V], dtype, i) + (1 - beta2) * g * g;
        tare_put(p[ADAM_W_NEW], dtype, i, w - rate * m / (sqrt(v) * root_rate + epsilon));
        tare_put(p[ADAM_M_NEW], dtype, i, m);
        tare_put(p[ADAM_V_NEW], dtype, i, v);
    }
    return 0;
}

/* rate = {lr / (1 - beta1^t), 1 / sqrt(1 - beta2^t)} */
static int adam_rate_reference(const tare_call *c, int piece, int worker)
{
    (void)piece, (void)worker;
    const int64_t t = *(const int64_t *)c->ptr[0], dtype = c->g[G_DTYPE];
    double lr = tare_at(c->ptr[1], dtype, 0), beta1 = tare_unbits(c->g[G_FIRST]),
           beta2 = tare_unbits(c->g[G_FIRST + 1]);
    bool good = t >= 1;
    tare_put(c->ptr[2], dtype, 0, good ? lr / (1 - pow(beta1, (double)t)) : 0);
    tare_put(c->ptr[2], dtype, 1, good ? 1 / sqrt(1 - pow(beta2, (double)t)) : 0);
    return !good;
}

static int increment_reference(const tare_call *c, int piece, int worker)
{
    (void)piece, (void)worker;
    *(uint64_t *)c->ptr[1] = *(const uint64_t *)c->ptr[0] + 1;
    return 0;
}

/* ---- inference --------------------------------------------------------------------------------------------------*/
/* Inputs 1 .. n_like - 1 that are present look like input 0, a parameter; so do the n_out outputs that are wanted. */
static tare_status infer_update(const tare_args *a, const tare_desc_out *out, int n_like, int n_out,
                                const char *const *name)
{
    const tare_desc *w = a->in[0];
    char tw[TARE_DESC_TEXT], ti[TARE_DESC_TEXT];
    if (w->dtype != TARE_F32 && w->dtype != TARE_F64)
        return tare_op_error(a, TARE_BAD_DTYPE, "the parameter is %s (need float32 or float64)",
                             tare_dtype_name((tare_dtype)w->dtype));
    for (int i = 1; i < a->n_in; ++i) {
        if (!a->in[i])
            continue;
        if (a->in[i]->dtype != w->dtype)
            return tare_op_error(a, TARE_BAD_DTYPE, "the %s is %s, the parameter %s (need one dtype)", name[i],
                                 tare_dtype_name((tare_dtype)a->in[i]->dtype), tare_dtype_name((tare_dtype)w->dtype));
        if (i < n_like && !tare_desc_same_shape(a->in[i], w))
            return tare_op_error(a, TARE_BAD_SHAPE, "the %s is %s, the parameter %s (need the same)", name[i],
                                 tare_desc_text(a->in[i], ti), tare_desc_text(w, tw));
    }
    for (int o = 0; o < n_out; ++o)
        if (out[o])
            *out[o] = tare_desc_of((tare_dtype)w->dtype, w->rank, w->dim);
    return TARE_OK;
}

static tare_status sgd_infer(const tare_args *a, const tare_desc_out *out)
{
    static const char *const name[] = {"parameter", "gradient", "velocity", "learning rate"};
    const tare_sgd_attr *attr = a->attr;
    char text[TARE_DESC_TEXT];
    if (a->in[SGD_LR]->rank != 0)
        return tare_op_error(a, TARE_BAD_SHAPE, "the learning rate is %s (need [])",
                             tare_desc_text(a->in[SGD_LR], text));
    if (!a->in[SGD_M] && attr->momentum != 0)
        return tare_op_error(a, TARE_BAD_ARGUMENT, "momentum is %g and there is no velocity", attr->momentum);
    if (a->absent != (a->in[SGD_M] ? 0u : 2u))
        return tare_op_error(a, TARE_BAD_ARGUMENT,
                             "an output is not wanted, and an update writes all of its state "
                             "(only the velocity is absent, where there is no momentum)");
    return infer_update(a, out, SGD_LR, 2, name);
}

static tare_status adam_infer(const tare_args *a, const tare_desc_out *out)
{
    static const char *const name[] = {"parameter", "gradient", "first moment", "second moment", "rate"};
    char text[TARE_DESC_TEXT];
    const tare_desc *rate = a->in[ADAM_RATE];
    if (rate->rank != 1 || rate->dim[0] != 2)
        return tare_op_error(a, TARE_BAD_SHAPE, "the rate is %s (need [2])", tare_desc_text(rate, text));
    if (a->absent)
        return tare_op_error(a, TARE_BAD_ARGUMENT, "an output is not wanted, and an update writes all of its state");
    return infer_update(a, out, ADAM_RATE, 3, name);
}

static tare_status check_count(const tare_args *a)
{
    char text[TARE_DESC_TEXT];
    if (a->in[0]->dtype != TARE_I64)
        return tare_op_error(a, TARE_BAD_DTYPE, "the count is %s (need int64)",
                             tare_dtype_name((tare_dtype)a->in[0]->dtype));
    if (a->in[0]->rank != 0)
        return tare_op_error(a, TARE_BAD_SHAPE, "the count is %s (need [])", tare_desc_text(a->in[0], text));
    return TARE_OK;
}

static tare_status adam_rate_infer(const tare_args *a, const tare_desc_out *out)
{
    tare_status status = check_count(a);
    const tare_desc *lr = a->in[1];
    char text[TARE_DESC_TEXT];
    if (status != TARE_OK)
        return status;
    if (lr->dtype != TARE_F32 && lr->dtype != TARE_F64)
        return tare_op_error(a, TARE_BAD_DTYPE, "the learning rate is %s (need float32 or float64)",
                             tare_dtype_name((tare_dtype)lr->dtype));
    if (lr->rank != 0)
        return tare_op_error(a, TARE_BAD_SHAPE, "the learning rate is %s (need [])", tare_desc_text(lr, text));
    *out[0] = tare_desc_of((tare_dtype)lr->dtype, 1, (const int64_t[]){2});
    return TARE_OK;
}

static tare_status increment_infer(const tare_args *a, const tare_desc_out *out)
{
    tare_status status = check_count(a);
    if (status == TARE_OK)
        *out[0] = tare_desc_of(TARE_I64, 0, NULL);
    return status;
}

/* ---- records ----------------------------------------------------------------------------------------------------*/
#define FIELD(op, name_, low_, high_, normal_, doc_)                                                                   \
    {                                                                                                                  \
#name_, TARE_ATTR_FLOAT, offsetof(tare_##op##_attr, name_), low_, high_, normal_, doc_                         \
    }
#define BELOW_ONE 0x1.fffffffffffffp-1

const tare_op tare_op_sgd = {
    .name = "sgd",
    .doc = "m' = momentum m + (g + weight_decay w), w' = w - lr m'; w, g, m [...], lr []. Written in place. Without m "
           "(then momentum = 0, and m' is absent): w' = w - lr (g + weight_decay w)",
    .n_in = 4,
    .n_out = 2,
    .optional = 1u << SGD_M,
    .attrs = (const tare_attr[]){FIELD(sgd, momentum, 0, BELOW_ONE, "0", "share of the old velocity that stays"),
                                 FIELD(sgd, weight_decay, 0, 1e6, "0", "times w, added to the gradient")},
    .n_attrs = 2,
    .attr_bytes = sizeof(tare_sgd_attr),
    .infer = sgd_infer,
    .not_differentiable = true,
    .ties = {SGD_W + 1, SGD_M + 1},
    .effects = TARE_EFFECT_STATE,
    TARE_USUAL_VARIANTS(sgd),
    TARE_SAMPLES(
        {TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5] f32[3,5] f32[]<0,1>", "momentum=0.9,weight_decay=0.01", NULL},
        {TARE_SAMPLE_CHECK, "f32[16411] f32[16411] f32[16411] f32[]<0,1>", "momentum=0.9", NULL},
        {TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5] - f32[]<0,1>", "weight_decay=0.01", NULL},
        {TARE_SAMPLE_CHECK, "f32[0] f32[0] f32[0] f32[]<0,1>", NULL, NULL},
        {TARE_SAMPLE_BENCH, "f32[784,512] f32[784,512] f32[784,512] f32[]<0,1>", "momentum=0.9", NULL},
        {TARE_SAMPLE_REJECT, "f32[3] f32[4] f32[3] f32[]", NULL, "the gradient is [4], the parameter [3]"},
        {TARE_SAMPLE_REJECT, "f32[3] f32[3] f64[3] f32[]", NULL, "the velocity is float64, the parameter float32"},
        {TARE_SAMPLE_REJECT, "f32[3] f32[3] f32[3] f32[1]", NULL, "the learning rate is [1] (need [])"},
        {TARE_SAMPLE_REJECT, "f32[3] f32[3] - f32[]", "momentum=0.9", "momentum is 0.9 and there is no velocity"},
        {TARE_SAMPLE_REJECT, "f32[3] f32[3] f32[3] f32[]", "momentum=1", "momentum"}),
    .tolerance = 1e-6,
};

const tare_op tare_op_adam = {
    .name = "adam",
    .doc = "m' = beta1 m + (1 - beta1) g, v' = beta2 v + (1 - beta2) g g, w' = w - rate[0] m' / (sqrt(v') rate[1] + "
           "epsilon), g with weight_decay w added; w, g, m, v [...], rate [2] of adam_rate. Written in place",
    .n_in = 5,
    .n_out = 3,
    .attrs = (const tare_attr[]){FIELD(adam, beta1, 0, BELOW_ONE, "0.9", "share of the old first moment that stays"),
                                 FIELD(adam, beta2, 0, BELOW_ONE, "0.999", "share of the old second moment that stays"),
                                 FIELD(adam, epsilon, 0, 1e6, "1e-8", "added to the corrected root"),
                                 FIELD(adam, weight_decay, 0, 1e6, "0", "times w, added to the gradient")},
    .n_attrs = 4,
    .attr_bytes = sizeof(tare_adam_attr),
    .infer = adam_infer,
    .not_differentiable = true,
    .ties = {ADAM_W + 1, ADAM_M + 1, ADAM_V + 1},
    .effects = TARE_EFFECT_STATE,
    TARE_USUAL_VARIANTS(adam),
    TARE_SAMPLES(
        {TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5] f32[3,5] f32[3,5]<0,1> f32[2]<0.1,1>", NULL, NULL},
        {TARE_SAMPLE_CHECK, "f32[16411] f32[16411] f32[16411] f32[16411]<0,1> f32[2]<0.1,1>",
         "beta1=0.5,beta2=0.9,epsilon=0.001,weight_decay=0.01", NULL},
        {TARE_SAMPLE_CHECK, "f32[0] f32[0] f32[0] f32[0] f32[2]", NULL, NULL},
        {TARE_SAMPLE_BENCH, "f32[784,512] f32[784,512] f32[784,512] f32[784,512]<0,1> f32[2]<0.1,1>", NULL, NULL},
        {TARE_SAMPLE_REJECT, "f32[3] f32[3] f32[2] f32[3] f32[2]", NULL, "the first moment is [2], the parameter [3]"},
        {TARE_SAMPLE_REJECT, "f32[3] f32[3] f32[3] f32[3] f32[]", NULL, "the rate is [] (need [2])"},
        {TARE_SAMPLE_REJECT, "i32[3] i32[3] i32[3] i32[3] f32[2]", NULL, "the parameter is int32"},
        {TARE_SAMPLE_REJECT, "f32[3] f32[3] f32[3] f32[3] f32[2]", "beta2=1", "beta2"}),
    .tolerance = 1e-6,
};

const tare_op tare_op_adam_rate = {
    .name = "adam_rate",
    .doc = "rate = {lr / (1 - beta1^t), 1 / sqrt(1 - beta2^t)}; t int64 [], lr [], rate [2]. t < 1 is bad data",
    .n_in = 2,
    .n_out = 1,
    .attrs = (const tare_attr[]){FIELD(adam_rate, beta1, 0, BELOW_ONE, "0.9", "as adam's"),
                                 FIELD(adam_rate, beta2, 0, BELOW_ONE, "0.999", "as adam's")},
    .n_attrs = 2,
    .attr_bytes = sizeof(tare_adam_rate_attr),
    .infer = adam_rate_infer,
    .not_differentiable = true,
    .variants = (const tare_variant[]){{.name = "reference",
                                        .set = TARE_SET_REFERENCE,
                                        .dtypes = TARE_BIT(TARE_I64),
                                        .prepare = prepare_adam_rate,
                                        .run = adam_rate_reference}},
    .n_variants = 1,
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "i64[]<1,1000> f32[]<0,1>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "i64[]<1,2> f32[]<0,1>", "beta1=0,beta2=0.5", NULL},
                 {TARE_SAMPLE_BENCH, "i64[]<1,1000> f32[]<0,1>", NULL, NULL},
                 {TARE_SAMPLE_REJECT, "i32[] f32[]", NULL, "the count is int32 (need int64)"},
                 {TARE_SAMPLE_REJECT, "i64[1] f32[]", NULL, "the count is [1] (need [])"},
                 {TARE_SAMPLE_REJECT, "i64[] f32[2]", NULL, "the learning rate is [2] (need [])"},
                 {TARE_SAMPLE_REJECT, "i64[]<0,1> f32[]", NULL, "index out of range"}),
};

const tare_op tare_op_increment = {
    .name = "increment",
    .doc = "t' = t + 1; t int64 []. Written in place",
    .n_in = 1,
    .n_out = 1,
    .infer = increment_infer,
    .not_differentiable = true,
    .ties = {1},
    .effects = TARE_EFFECT_STATE,
    .variants = (const tare_variant[]){{.name = "reference",
                                        .set = TARE_SET_REFERENCE,
                                        .dtypes = TARE_BIT(TARE_I64),
                                        .prepare = tare__prepare_pointwise,
                                        .run = increment_reference}},
    .n_variants = 1,
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "i64[]<0,1000>", NULL, NULL}, {TARE_SAMPLE_BENCH, "i64[]<0,1000>", NULL, NULL},
                 {TARE_SAMPLE_REJECT, "f32[]", NULL, "the count is float32 (need int64)"},
                 {TARE_SAMPLE_REJECT, "i64[3]", NULL, "the count is [3] (need [])"}),
};

#endif
