/* rms.c - RMSProp and AdaGrad: steps divided by the root of a mean, or a sum, of the squares of the gradients so far.
 */
#include "math.h"
#include "update.h"

/* v' = keep v + share g g, w' = w - lr g / (sqrt(v') + epsilon), g with weight_decay w added.
 *   rmsprop: keep = alpha, share = 1 - alpha (T. Tieleman, G. Hinton, Lecture 6.5, Coursera, 2012; as
 * torch.optim.RMSprop, neither centred nor with momentum); adagrad: both 1 (J. Duchi, E. Hazan, Y. Singer, JMLR 12
 * (2011), 2121-2159; as torch.optim.Adagrad). */
enum { W, G, V, LR, W_NEW, V_NEW };
enum { KEEP, SHARE, EPSILON, WEIGHT_DECAY, ATTRIBUTES };
typedef struct {
    const float *w, *g, *v;
    float *w_new, *v_new;
    float lr, keep, share, epsilon, weight_decay;
} rms;

static inline void rms_at(const rms *r, int64_t i, int64_t n)
{
    bool full = n >= TARE_LANES;
    tare_vf w = full ? tare_load(r->w + i) : tare_load_part(r->w + i, n);
    tare_vf g = full ? tare_load(r->g + i) : tare_load_part(r->g + i, n);
    tare_vf v = full ? tare_load(r->v + i) : tare_load_part(r->v + i, n);
    g += r->weight_decay * w;
    v = r->keep * v + r->share * g * g;
    w -= r->lr * g / (tare_sqrt_of(v) + r->epsilon);
    if (full) {
        tare_store(r->w_new + i, w);
        tare_store(r->v_new + i, v);
    } else {
        tare_store_part(r->w_new + i, w, n);
        tare_store_part(r->v_new + i, v, n);
    }
}

TARE_KERNEL_DECLARE(rms);
int TARE_KERNEL(rms)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const rms r = {c->ptr[W],
                   c->ptr[G],
                   c->ptr[V],
                   c->ptr[W_NEW],
                   c->ptr[V_NEW],
                   *(const float *)c->ptr[LR],
                   attribute(c, KEEP),
                   attribute(c, SHARE),
                   attribute(c, EPSILON),
                   attribute(c, WEIGHT_DECAY)};
    int64_t i, end;
    tare_piece_range(c, piece, &i, &end);
    for (; i + TARE_LANES <= end; i += TARE_LANES)
        rms_at(&r, i, TARE_LANES);
    if (i < end)
        rms_at(&r, i, end - i);
    return 0;
}

#ifdef TARE_PASS_RECORDS

static int rms_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    void *const *p = c->ptr;
    const int64_t dtype = c->g[G_DTYPE];
    double lr = tare_at(p[LR], dtype, 0), number[ATTRIBUTES];
    for (int k = 0; k < ATTRIBUTES; ++k)
        number[k] = tare_unbits(c->g[G_FIRST + k]);
    int64_t i, end;
    for (tare_piece_range(c, piece, &i, &end); i < end; ++i) {
        double w = tare_at(p[W], dtype, i), g = tare_at(p[G], dtype, i) + number[WEIGHT_DECAY] * w;
        double v = number[KEEP] * tare_at(p[V], dtype, i) + number[SHARE] * g * g;
        tare_put(p[W_NEW], dtype, i, w - lr * g / (sqrt(v) + number[EPSILON]));
        tare_put(p[V_NEW], dtype, i, v);
    }
    return 0;
}

static void prepare(const tare_args *a, const tare_desc_ref *out, const double number[ATTRIBUTES], tare_work *w)
{
    tare__prepare_pointwise(a, out, w);
    for (int k = 0; k < ATTRIBUTES; ++k)
        w->g[G_FIRST + k] = tare_bits(number[k]);
    w->n_g = G_FIRST + ATTRIBUTES;
}

static void prepare_rmsprop(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    const tare_rmsprop_attr *attr = a->attr;
    prepare(a, out, (const double[]){attr->alpha, 1 - attr->alpha, attr->epsilon, attr->weight_decay}, w);
}

static void prepare_adagrad(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    const tare_adagrad_attr *attr = a->attr;
    prepare(a, out, (const double[]){1, 1, attr->epsilon, attr->weight_decay}, w);
}

static tare_status infer(const tare_args *a, const tare_desc_out *out)
{
    static const char *const name[] = {"parameter", "gradient", "squares", "learning rate"};
    if (a->absent)
        return tare_op_error(a, TARE_BAD_ARGUMENT, "an output is not wanted, and an update writes all of its state");
    return tare__infer_update(a, out, LR, 0, 2, name);
}

static const tare_sample samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5] f32[3,5]<0,1> f32[]<0,1>", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[16411] f32[16411] f32[16411]<0,1> f32[]<0,1>", "epsilon=0.001,weight_decay=0.01", NULL},
    {TARE_SAMPLE_CHECK, "f32[0] f32[0] f32[0] f32[]", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[784,512] f32[784,512] f32[784,512]<0,1> f32[]<0,1>", NULL, NULL},
    {TARE_SAMPLE_REJECT, "f32[3] f32[4] f32[3] f32[]", NULL, "the gradient is [4], the parameter [3]"},
    {TARE_SAMPLE_REJECT, "f32[3] f32[3] f32[2] f32[]", NULL, "the squares is [2], the parameter [3]"},
    {TARE_SAMPLE_REJECT, "f32[3] f32[3] f32[3] f32[1]", NULL, "the learning rate is [1] (need [])"},
    {TARE_SAMPLE_REJECT, "i32[3] i32[3] i32[3] f32[]", NULL, "the parameter is int32"},
    {TARE_SAMPLE_REJECT, "f32[3] f32[3] f32[3] f32[]", "epsilon=-1", "epsilon"},
};

#define RMS(op, prepare_)                                                                                              \
    .n_in = 4, .n_out = 2, .attr_bytes = sizeof(tare_##op##_attr), .infer = infer, .not_differentiable = true,         \
    .ties = {W + 1, V + 1}, .effects = TARE_EFFECT_STATE,                                                              \
    .variants = (const tare_variant[]){TARE_NATIVE(rms, "", .dtypes = TARE_BIT(TARE_F32), .elementwise = 7,            \
                                                   .prepare = prepare_),                                               \
                                       TARE_REFERENCE(rms_reference, .elementwise = 7, .prepare = prepare_)},          \
    .n_variants = TARE_N_NATIVE + 1, .samples = samples, .n_samples = TARE_COUNT_OF(samples), .tolerance = 1e-6

const tare_op tare_op_rmsprop = {
    .name = "rmsprop",
    .doc = "v' = alpha v + (1 - alpha) g g, w' = w - lr g / (sqrt(v') + epsilon), g with weight_decay w added; w, g, v "
           "[...], lr []. Written in place",
    .attrs = (const tare_attr[]){FIELD(rmsprop, alpha, 0, BELOW_ONE, "0.99", "share of the old squares that stays"),
                                 FIELD(rmsprop, epsilon, 0, 1e6, "1e-8", "added to the root"),
                                 FIELD(rmsprop, weight_decay, 0, 1e6, "0", "times w, added to the gradient")},
    .n_attrs = 3,
    RMS(rmsprop, prepare_rmsprop),
};

const tare_op tare_op_adagrad = {
    .name = "adagrad",
    .doc = "v' = v + g g, w' = w - lr g / (sqrt(v') + epsilon), g with weight_decay w added; w, g, v [...], lr []. "
           "Written in place",
    .attrs = (const tare_attr[]){FIELD(adagrad, epsilon, 0, 1e6, "1e-10", "added to the root"),
                                 FIELD(adagrad, weight_decay, 0, 1e6, "0", "times w, added to the gradient")},
    .n_attrs = 2,
    RMS(adagrad, prepare_adagrad),
};

#endif
