/* update.c - the update of stochastic gradient descent, the step count, and what all updates share (update.h). */
#include "update.h"

/* ---- sgd -----------------------------------------------------------------------------------------------------------
 * m' = momentum m + (g + weight_decay w); w' = w - lr m': PyTorch's form (torch.optim.SGD), where lr stands outside the
 * velocity, without dampening. nesterov: w' = w - lr (g + weight_decay w + momentum m'). */
enum { SGD_W, SGD_G, SGD_M, SGD_LR, SGD_W_NEW, SGD_M_NEW };
typedef struct {
    const float *w, *g, *m; /* m NULL: no momentum */
    float *w_new, *m_new;
    float lr, momentum, weight_decay;
    bool nesterov;
} sgd;

static inline void sgd_at(const sgd *s, int64_t i, int64_t n)
{
    bool full = n >= TARE_LANES;
    tare_vf w = full ? tare_load(s->w + i) : tare_load_part(s->w + i, n);
    tare_vf step = full ? tare_load(s->g + i) : tare_load_part(s->g + i, n);
    step += s->weight_decay * w;
    if (s->m) {
        tare_vf m = step + s->momentum * (full ? tare_load(s->m + i) : tare_load_part(s->m + i, n));
        if (full)
            tare_store(s->m_new + i, m);
        else
            tare_store_part(s->m_new + i, m, n);
        step = s->nesterov ? step + s->momentum * m : m;
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
                   attribute(c, 0),   attribute(c, 1),   attribute(c, 2) != 0};
    int64_t i, end;
    tare_piece_range(c, piece, &i, &end);
    for (; i + TARE_LANES <= end; i += TARE_LANES)
        sgd_at(&s, i, TARE_LANES);
    if (i < end)
        sgd_at(&s, i, end - i);
    return 0;
}

#ifdef TARE_PASS_RECORDS

static void prepare_sgd(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    const tare_sgd_attr *attr = a->attr;
    tare__prepare_pointwise(a, out, w);
    w->g[G_FIRST] = tare_bits(attr->momentum);
    w->g[G_FIRST + 1] = tare_bits(attr->weight_decay);
    w->g[G_FIRST + 2] = tare_bits(attr->nesterov);
    w->n_g = G_FIRST + 3;
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
            double m = step + momentum * tare_at(p[SGD_M], dtype, i);
            tare_put(p[SGD_M_NEW], dtype, i, m);
            step = tare_unbits(c->g[G_FIRST + 2]) != 0 ? step + momentum * m : m;
        }
        tare_put(p[SGD_W_NEW], dtype, i, w - lr * step);
    }
    return 0;
}

static int increment_reference(const tare_call *c, int piece, int worker)
{
    (void)piece, (void)worker;
    *(uint64_t *)c->ptr[1] = *(const uint64_t *)c->ptr[0] + 1;
    return 0;
}

/* ---- inference --------------------------------------------------------------------------------------------------*/
/* What is shared, see update.h. */
tare_status tare__infer_update(const tare_args *a, const tare_desc_out *out, int n_like, int rate, int n_out,
                               const char *const *name)
{
    const tare_desc *w = a->in[0], *scalar = a->in[n_like];
    char tw[TARE_DESC_TEXT], ti[TARE_DESC_TEXT];
    if (scalar->rank != (rate ? 1 : 0) || (rate && scalar->dim[0] != rate))
        return rate ? tare_op_error(a, TARE_BAD_SHAPE, "the %s is %s (need [%d])", name[n_like],
                                    tare_desc_text(scalar, ti), rate)
                    : tare_op_error(a, TARE_BAD_SHAPE, "the %s is %s (need [])", name[n_like],
                                    tare_desc_text(scalar, ti));
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

tare_status tare__check_count(const tare_args *a)
{
    char text[TARE_DESC_TEXT];
    if (a->in[0]->dtype != TARE_I64)
        return tare_op_error(a, TARE_BAD_DTYPE, "the count is %s (need int64)",
                             tare_dtype_name((tare_dtype)a->in[0]->dtype));
    if (a->in[0]->rank != 0)
        return tare_op_error(a, TARE_BAD_SHAPE, "the count is %s (need [])", tare_desc_text(a->in[0], text));
    return TARE_OK;
}

static tare_status sgd_infer(const tare_args *a, const tare_desc_out *out)
{
    static const char *const name[] = {"parameter", "gradient", "velocity", "learning rate"};
    const tare_sgd_attr *attr = a->attr;
    if (!a->in[SGD_M] && attr->nesterov)
        return tare_op_error(a, TARE_BAD_ARGUMENT, "nesterov needs a velocity");
    if (!a->in[SGD_M] && attr->momentum != 0)
        return tare_op_error(a, TARE_BAD_ARGUMENT, "momentum is %g and there is no velocity", attr->momentum);
    if (a->absent != (a->in[SGD_M] ? 0u : 2u))
        return tare_op_error(a, TARE_BAD_ARGUMENT,
                             "an output is not wanted, and an update writes all of its state "
                             "(only the velocity is absent, where there is no momentum)");
    return tare__infer_update(a, out, SGD_LR, 0, 2, name);
}

static tare_status increment_infer(const tare_args *a, const tare_desc_out *out)
{
    tare_status status = tare__check_count(a);
    if (status == TARE_OK)
        *out[0] = tare_desc_of(TARE_I64, 0, NULL);
    return status;
}

/* ---- records ----------------------------------------------------------------------------------------------------*/
const tare_op tare_op_sgd = {
    .name = "sgd",
    .doc = "m' = momentum m + (g + weight_decay w), w' = w - lr m'; w, g, m [...], lr []. Written in place. Without m "
           "(then momentum = 0, and m' is absent): w' = w - lr (g + weight_decay w). nesterov: w' = w - lr (g + "
           "weight_decay "
           "w + momentum m')",
    .n_in = 4,
    .n_out = 2,
    .optional = 1u << SGD_M,
    .attrs = (const tare_attr[]){FIELD(sgd, momentum, 0, BELOW_ONE, "0", "share of the old velocity that stays"),
                                 FIELD(sgd, weight_decay, 0, 1e6, "0", "times w, added to the gradient"),
                                 {"nesterov", TARE_ATTR_BOOL, offsetof(tare_sgd_attr, nesterov), 0, 1, "false",
                                  "step along the velocity that the next step will have"}},
    .n_attrs = 3,
    .attr_bytes = sizeof(tare_sgd_attr),
    .infer = sgd_infer,
    .not_differentiable = true,
    .ties = {SGD_W + 1, SGD_M + 1},
    .effects = TARE_EFFECT_STATE,
    TARE_UPDATE_VARIANTS(sgd, 7),
    TARE_SAMPLES(
        {TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5] f32[3,5] f32[]<0,1>", "momentum=0.9,weight_decay=0.01", NULL},
        {TARE_SAMPLE_CHECK, "f32[16411] f32[16411] f32[16411] f32[]<0,1>", "momentum=0.9", NULL},
        {TARE_SAMPLE_CHECK, "f32[16411] f32[16411] f32[16411] f32[]<0,1>", "momentum=0.9,nesterov=true", NULL},
        {TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5] - f32[]<0,1>", "weight_decay=0.01", NULL},
        {TARE_SAMPLE_CHECK, "f32[0] f32[0] f32[0] f32[]<0,1>", NULL, NULL},
        {TARE_SAMPLE_BENCH, "f32[784,512] f32[784,512] f32[784,512] f32[]<0,1>", "momentum=0.9", NULL},
        {TARE_SAMPLE_REJECT, "f32[3] f32[4] f32[3] f32[]", NULL, "the gradient is [4], the parameter [3]"},
        {TARE_SAMPLE_REJECT, "f32[3] f32[3] f64[3] f32[]", NULL, "the velocity is float64, the parameter float32"},
        {TARE_SAMPLE_REJECT, "f32[3] f32[3] f32[3] f32[1]", NULL, "the learning rate is [1] (need [])"},
        {TARE_SAMPLE_REJECT, "f32[3] f32[3] - f32[]", "momentum=0.9", "momentum is 0.9 and there is no velocity"},
        {TARE_SAMPLE_REJECT, "f32[3] f32[3] - f32[]", "nesterov=true", "nesterov needs a velocity"},
        {TARE_SAMPLE_REJECT, "f32[3] f32[3] f32[3] f32[]", "momentum=1", "momentum"}),
    .tolerance = 1e-6,
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
