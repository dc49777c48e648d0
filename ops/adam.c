/* adam.c - Adam and AdamW, and the rates that their steps share. */
#include "math.h"
#include "update.h"

/* ---- adam ----------------------------------------------------------------------------------------------------------
 * m' = beta1 m + (1 - beta1) g, v' = beta2 v + (1 - beta2) g g, w' = w - rate[0] m' / (sqrt(v') rate[1] + epsilon):
 * Kingma and Ba, Adam (ICLR 2015), Algorithm 1, with the corrections 1 / (1 - beta^t) taken into `rate` (adam_rate) and
 * epsilon outside the corrected root, as in torch.optim.Adam. g includes weight_decay w (L2 form); decoupled: it does
 * not, and w is first scaled by 1 - lr weight_decay, lr = rate[2] (I. Loshchilov, F. Hutter, Decoupled weight decay
 * regularization (ICLR 2019), Algorithm 2, as in torch.optim.AdamW). */
enum { ADAM_W, ADAM_G, ADAM_M, ADAM_V, ADAM_RATE, ADAM_W_NEW, ADAM_M_NEW, ADAM_V_NEW };
typedef struct {
    const float *w, *g, *m, *v;
    float *w_new, *m_new, *v_new;
    float rate, root_rate, beta1, one_minus_beta1, beta2, one_minus_beta2, epsilon, weight_decay, keep;
} adam;

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
    w = a->keep * w - a->rate * m / (tare_sqrt_of(v) * a->root_rate + a->epsilon);
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
    const float *rate = c->ptr[ADAM_RATE]; /* [3] */
    const double decay = tare_unbits(c->g[G_FIRST + 3]);
    const bool decoupled = attribute(c, 4) != 0;
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
                    .weight_decay = decoupled ? 0 : (float)decay,
                    .keep = decoupled ? (float)(1 - (double)rate[2] * decay) : 1};
    int64_t i, end;
    tare_piece_range(c, piece, &i, &end);
    for (; i + TARE_LANES <= end; i += TARE_LANES)
        adam_at(&a, i, TARE_LANES);
    if (i < end)
        adam_at(&a, i, end - i);
    return 0;
}

#ifdef TARE_PASS_RECORDS

static void prepare_adam(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    const tare_adam_attr *attr = a->attr;
    tare__prepare_pointwise(a, out, w);
    w->g[G_FIRST] = tare_bits(attr->beta1);
    w->g[G_FIRST + 1] = tare_bits(attr->beta2);
    w->g[G_FIRST + 2] = tare_bits(attr->epsilon);
    w->g[G_FIRST + 3] = tare_bits(attr->weight_decay);
    w->g[G_FIRST + 4] = tare_bits(attr->decoupled);
    w->n_g = G_FIRST + 5;
}

static void prepare_adam_rate(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    const tare_adam_rate_attr *attr = a->attr;
    w->g[G_N] = 3;
    w->g[G_DTYPE] = out[0]->dtype;
    w->g[G_FIRST] = tare_bits(attr->beta1);
    w->g[G_FIRST + 1] = tare_bits(attr->beta2);
    w->n_g = G_FIRST + 2;
}

static int adam_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    void *const *p = c->ptr;
    const int64_t dtype = c->g[G_DTYPE];
    double beta1 = tare_unbits(c->g[G_FIRST]), beta2 = tare_unbits(c->g[G_FIRST + 1]),
           epsilon = tare_unbits(c->g[G_FIRST + 2]), weight_decay = tare_unbits(c->g[G_FIRST + 3]);
    double rate = tare_at(p[ADAM_RATE], dtype, 0), root_rate = tare_at(p[ADAM_RATE], dtype, 1), keep = 1;
    if (tare_unbits(c->g[G_FIRST + 4]) != 0) {
        keep -= tare_at(p[ADAM_RATE], dtype, 2) * weight_decay;
        weight_decay = 0;
    }
    int64_t i, end;
    for (tare_piece_range(c, piece, &i, &end); i < end; ++i) {
        double w = tare_at(p[ADAM_W], dtype, i), g = tare_at(p[ADAM_G], dtype, i) + weight_decay * w;
        double m = beta1 * tare_at(p[ADAM_M], dtype, i) + (1 - beta1) * g;
        double v = beta2 * tare_at(p[ADAM_V], dtype, i) + (1 - beta2) * g * g;
        tare_put(p[ADAM_W_NEW], dtype, i, keep * w - rate * m / (sqrt(v) * root_rate + epsilon));
        tare_put(p[ADAM_M_NEW], dtype, i, m);
        tare_put(p[ADAM_V_NEW], dtype, i, v);
    }
    return 0;
}

/* rate = {lr / (1 - beta1^t), 1 / sqrt(1 - beta2^t), lr} */
static int adam_rate_reference(const tare_call *c, int piece, int worker)
{
    (void)piece, (void)worker;
    const int64_t t = *(const int64_t *)c->ptr[0], dtype = c->g[G_DTYPE];
    double lr = tare_at(c->ptr[1], dtype, 0), beta1 = tare_unbits(c->g[G_FIRST]),
           beta2 = tare_unbits(c->g[G_FIRST + 1]);
    bool good = t >= 1;
    tare_put(c->ptr[2], dtype, 0, good ? lr / (1 - pow(beta1, (double)t)) : 0);
    tare_put(c->ptr[2], dtype, 1, good ? 1 / sqrt(1 - pow(beta2, (double)t)) : 0);
    tare_put(c->ptr[2], dtype, 2, good ? lr : 0);
    return !good;
}

static tare_status adam_infer(const tare_args *a, const tare_desc_out *out)
{
    static const char *const name[] = {"parameter", "gradient", "first moment", "second moment", "rate"};
    if (a->absent)
        return tare_op_error(a, TARE_BAD_ARGUMENT, "an output is not wanted, and an update writes all of its state");
    return tare__infer_update(a, out, ADAM_RATE, 3, 3, name);
}

static tare_status adam_rate_infer(const tare_args *a, const tare_desc_out *out)
{
    tare_status status = tare__check_count(a);
    const tare_desc *lr = a->in[1];
    char text[TARE_DESC_TEXT];
    if (status != TARE_OK)
        return status;
    if (lr->dtype != TARE_F32 && lr->dtype != TARE_F64)
        return tare_op_error(a, TARE_BAD_DTYPE, "the learning rate is %s (need float32 or float64)",
                             tare_dtype_name((tare_dtype)lr->dtype));
    if (lr->rank != 0)
        return tare_op_error(a, TARE_BAD_SHAPE, "the learning rate is %s (need [])", tare_desc_text(lr, text));
    *out[0] = tare_desc_of((tare_dtype)lr->dtype, 1, (const int64_t[]){3});
    return TARE_OK;
}

/* ---- records ----------------------------------------------------------------------------------------------------*/
const tare_op tare_op_adam = {
    .name = "adam",
    .doc = "m' = beta1 m + (1 - beta1) g, v' = beta2 v + (1 - beta2) g g, w' = w - rate[0] m' / (sqrt(v') rate[1] + "
           "epsilon), g with weight_decay w added; w, g, m, v [...], rate [3] of adam_rate. Written in place. "
           "decoupled: nothing is added to g, and w counts as (1 - rate[2] weight_decay) w",
    .n_in = 5,
    .n_out = 3,
    .attrs = (const tare_attr[]){FIELD(adam, beta1, 0, BELOW_ONE, "0.9", "share of the old first moment that stays"),
                                 FIELD(adam, beta2, 0, BELOW_ONE, "0.999", "share of the old second moment that stays"),
                                 FIELD(adam, epsilon, 0, 1e6, "1e-8", "added to the corrected root"),
                                 FIELD(adam, weight_decay, 0, 1e6, "0", "times w, added to the gradient"),
                                 {"decoupled", TARE_ATTR_BOOL, offsetof(tare_adam_attr, decoupled), 0, 1, "false",
                                  "weight_decay scales w instead (AdamW)"}},
    .n_attrs = 5,
    .attr_bytes = sizeof(tare_adam_attr),
    .infer = adam_infer,
    .not_differentiable = true,
    .ties = {ADAM_W + 1, ADAM_M + 1, ADAM_V + 1},
    .effects = TARE_EFFECT_STATE,
    TARE_UPDATE_VARIANTS(adam, 15),
    TARE_SAMPLES(
        {TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5] f32[3,5] f32[3,5]<0,1> f32[3]<0.1,1>", NULL, NULL},
        {TARE_SAMPLE_CHECK, "f32[16411] f32[16411] f32[16411] f32[16411]<0,1> f32[3]<0.1,1>",
         "beta1=0.5,beta2=0.9,epsilon=0.001,weight_decay=0.01", NULL},
        {TARE_SAMPLE_CHECK, "f32[16411] f32[16411] f32[16411] f32[16411]<0,1> f32[3]<0.1,1>",
         "weight_decay=0.1,decoupled=true", NULL},
        {TARE_SAMPLE_CHECK, "f32[0] f32[0] f32[0] f32[0] f32[3]", NULL, NULL},
        {TARE_SAMPLE_BENCH, "f32[784,512] f32[784,512] f32[784,512] f32[784,512]<0,1> f32[3]<0.1,1>", NULL, NULL},
        {TARE_SAMPLE_REJECT, "f32[3] f32[3] f32[2] f32[3] f32[3]", NULL, "the first moment is [2], the parameter [3]"},
        {TARE_SAMPLE_REJECT, "f32[3] f32[3] f32[3] f32[3] f32[]", NULL, "the rate is [] (need [3])"},
        {TARE_SAMPLE_REJECT, "i32[3] i32[3] i32[3] i32[3] f32[3]", NULL, "the parameter is int32"},
        {TARE_SAMPLE_REJECT, "f32[3] f32[3] f32[3] f32[3] f32[3]", "beta2=1", "beta2"}),
    .tolerance = 1e-6,
};

const tare_op tare_op_adam_rate = {
    .name = "adam_rate",
    .doc = "rate = {lr / (1 - beta1^t), 1 / sqrt(1 - beta2^t), lr}; t int64 [], lr [], rate [3]. t < 1 is bad data",
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

#endif
