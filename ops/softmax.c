/* softmax.c - softmax and log_softmax along one axis, and their gradients.
 *
 * The row's maximum is taken out before exp, so that large scores neither overflow nor all vanish; sums run in float64.
 * A score of -inf has probability 0 (and logarithm -inf). A row with a NaN or with +inf, and one that is all -inf, has
 * no probabilities: all of it is NaN. */
#include <math.h>

#include "math.h"
#include "units.h"

/* most[k] = the largest of state k's scores: of runs the row's, in all lanes */
TARE_BODY void most_of(const float *x, const tare_unit *u, tare_block *most, const bool columns)
{
    for (int64_t k = 0; k < tare_unit_states(u); ++k)
        most[k] = tare_block_of(-INFINITY);
    TARE_SEGMENTS(u, columns, s)
    {
        TARE_BLOCKS(s, columns, i, k)
        {
            tare_block b = tare_block_load(x + s.offset + i, s.n - i, -INFINITY);
            for (int v = 0; v < TARE_BLOCK_VECTORS; ++v)
                most[k].v[v] = tare_select(b.v[v] > most[k].v[v], b.v[v], most[k].v[v]);
        }
    }
    if (!columns)
        most[0] = tare_block_of(tare_block_max(most[0]));
}

/* e^(x - most) of a block of scores; 0 where there are none (by a mask: e^-inf goes through denormals, which are slow).
 * To y too, unless that is NULL. */
TARE_BODY tare_block exp_of(const float *x, int64_t n, const tare_block *most, float *y)
{
    tare_block b = tare_block_load(x, n, 0);
    for (int v = 0; v < TARE_BLOCK_VECTORS; ++v) {
        tare_vf away = b.v[v] - most->v[v];
        if (n >= TARE_BLOCK) {
            b.v[v] = tare_exp_of(away);
        } else {
            tare_vi there = tare_lanes_below(n - v * TARE_LANES);
            b.v[v] = tare_select(there, tare_exp_of(tare_select(there, away, (tare_vf){0})), (tare_vf){0});
        }
    }
    if (y)
        tare_block_store(y, b, n);
    return b;
}

/* y = e^(x - most) / sum of e^(x - most); y may be x */
TARE_BODY void softmax(const float *x, float *y, const tare_unit *u, const bool columns)
{
    tare_block most[TARE_STRIPE_BLOCKS], share[TARE_STRIPE_BLOCKS];
    tare_wide sum[TARE_STRIPE_BLOCKS];
    double one_over[TARE_STRIPE];
    most_of(x, u, most, columns);
    TARE_SUM_UNIT(u, columns, sum, s, i, k,
                  tare_wide_of(exp_of(x + s.offset + i, s.n - i, &most[k], y + s.offset + i)));
    for (int64_t j = 0; j < u->width; ++j)
        one_over[j] = 1 / tare_wide_at(sum, j, columns);
    tare_unit_spread(u, one_over, share, columns);
    TARE_SEGMENTS(u, columns, t)
    {
        TARE_BLOCKS(t, columns, i, k)
        {
            tare_block b = tare_block_load(y + t.offset + i, t.n - i, 0);
            for (int v = 0; v < TARE_BLOCK_VECTORS; ++v)
                b.v[v] *= share[k].v[v];
            tare_block_store(y + t.offset + i, b, t.n - i);
        }
    }
}

/* y = (x - most) - log sum of e^(x - most); y may be x */
TARE_BODY void log_softmax(const float *x, float *y, const tare_unit *u, const bool columns)
{
    tare_block most[TARE_STRIPE_BLOCKS], less[TARE_STRIPE_BLOCKS];
    tare_wide sum[TARE_STRIPE_BLOCKS];
    double total[TARE_STRIPE];
    most_of(x, u, most, columns);
    TARE_SUM_UNIT(u, columns, sum, s, i, k, tare_wide_of(exp_of(x + s.offset + i, s.n - i, &most[k], NULL)));
    for (int64_t j = 0; j < u->width; ++j)
        total[j] = tare_wide_at(sum, j, columns);
    tare_unit_spread(u, total, less, columns);
    for (int64_t k = 0; k < tare_unit_states(u); ++k)
        for (int v = 0; v < TARE_BLOCK_VECTORS; ++v)
            less[k].v[v] = tare_log_of(less[k].v[v]);
    TARE_SEGMENTS(u, columns, t)
    {
        TARE_BLOCKS(t, columns, i, k)
        {
            tare_block b = tare_block_load(x + t.offset + i, t.n - i, 0);
            for (int v = 0; v < TARE_BLOCK_VECTORS; ++v)
                b.v[v] = (b.v[v] - most[k].v[v]) - less[k].v[v];
            tare_block_store(y + t.offset + i, b, t.n - i);
        }
    }
}

/* dx = y (dy - sum of dy y), or with logarithms dx = dy - e^y sum of dy; dx may be dy or y */
TARE_BODY void back(const float *dy, const float *y, float *dx, const tare_unit *u, const bool logarithms,
                    const bool columns)
{
    tare_block all[TARE_STRIPE_BLOCKS];
    tare_wide sum[TARE_STRIPE_BLOCKS];
    double total[TARE_STRIPE];
    TARE_SUM_UNIT(u, columns, sum, s, i, k,
                  tare_wide_of(logarithms ? tare_block_load(dy + s.offset + i, s.n - i, 0)
                                          : tare_block_product(dy + s.offset + i, y + s.offset + i, s.n - i)));
    for (int64_t j = 0; j < u->width; ++j)
        total[j] = tare_wide_at(sum, j, columns);
    tare_unit_spread(u, total, all, columns);
    TARE_SEGMENTS(u, columns, t)
    {
        TARE_BLOCKS(t, columns, i, k)
        {
            tare_block d = tare_block_load(dy + t.offset + i, t.n - i, 0),
                       b = tare_block_load(y + t.offset + i, t.n - i, 0);
            for (int v = 0; v < TARE_BLOCK_VECTORS; ++v)
                d.v[v] = logarithms ? d.v[v] - tare_exp_of(b.v[v]) * all[k].v[v] : b.v[v] * (d.v[v] - all[k].v[v]);
            tare_block_store(dx + t.offset + i, d, t.n - i);
        }
    }
}

#define KERNEL(name, ...)                                                                                              \
    TARE_KERNEL_DECLARE(name);                                                                                         \
    int TARE_KERNEL(name)(const tare_call *c, int piece, int worker)                                                   \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        TARE_UNITS(c, piece, u)                                                                                        \
        TARE_BY_KIND(c->g, __VA_ARGS__);                                                                               \
        return 0;                                                                                                      \
    }
KERNEL(softmax, softmax, c->ptr[0], c->ptr[1], &u)
KERNEL(log_softmax, log_softmax, c->ptr[0], c->ptr[1], &u)
KERNEL(softmax_grad, back, c->ptr[0], c->ptr[1], c->ptr[2], &u, false)
KERNEL(log_softmax_grad, back, c->ptr[0], c->ptr[1], c->ptr[2], &u, true)

#ifdef TARE_PASS_RECORDS

static int reference(const tare_call *c, int piece, bool logarithms)
{
    const int64_t *g = c->g, dtype = g[TARE_R_DTYPE];
    for (int64_t o = piece; o < g[TARE_R_COUNT]; o += c->n_pieces) {
        double most = -INFINITY, sum = 0;
        for (int64_t r = 0; r < g[TARE_R_REDUCED]; ++r)
            most = fmax(most, tare_at(c->ptr[0], dtype, tare_reduced_offset(g, o, r)));
        for (int64_t r = 0; r < g[TARE_R_REDUCED]; ++r)
            sum += exp(tare_at(c->ptr[0], dtype, tare_reduced_offset(g, o, r)) - most);
        for (int64_t r = 0; r < g[TARE_R_REDUCED]; ++r) {
            int64_t at = tare_reduced_offset(g, o, r);
            double x = tare_at(c->ptr[0], dtype, at) - most;
            tare_put(c->ptr[1], dtype, at, logarithms ? x - log(sum) : exp(x) / sum);
        }
    }
    return 0;
}

static int reference_grad(const tare_call *c, int piece, bool logarithms)
{
    const int64_t *g = c->g, dtype = g[TARE_R_DTYPE];
    for (int64_t o = piece; o < g[TARE_R_COUNT]; o += c->n_pieces) {
        double sum = 0;
        for (int64_t r = 0; r < g[TARE_R_REDUCED]; ++r) {
            int64_t at = tare_reduced_offset(g, o, r);
            sum += tare_at(c->ptr[0], dtype, at) * (logarithms ? 1 : tare_at(c->ptr[1], dtype, at));
        }
        for (int64_t r = 0; r < g[TARE_R_REDUCED]; ++r) {
            int64_t at = tare_reduced_offset(g, o, r);
            double dy = tare_at(c->ptr[0], dtype, at), y = tare_at(c->ptr[1], dtype, at);
            tare_put(c->ptr[2], dtype, at, logarithms ? dy - exp(y) * sum : y * (dy - sum));
        }
    }
    return 0;
}

static int softmax_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    return reference(c, piece, false);
}

static int log_softmax_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    return reference(c, piece, true);
}

static int softmax_grad_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    return reference_grad(c, piece, false);
}

static int log_softmax_grad_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    return reference_grad(c, piece, true);
}

/* ---- inference and geometry --------------------------------------------------------------------------------------*/
/* The attribute of all four. */
typedef struct {
    int64_t axis;
} __attribute__((may_alias)) axis_attr;

static tare_status infer(const tare_args *a, const tare_desc_out *out)
{
    uint32_t bit;
    tare_status status = tare__infer_same(a, out);
    return status == TARE_OK ? tare__axis_bit(a, a->in[0], ((const axis_attr *)a->attr)->axis, &bit) : status;
}

static void prepare_softmax(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    uint32_t bit;
    if (tare__axis_bit(a, out[0], ((const axis_attr *)a->attr)->axis, &bit) == TARE_OK)
        tare__prepare_units(a, out[0], bit, false, w);
}

/* ---- records ----------------------------------------------------------------------------------------------------*/
static const tare_attr axis_attrs[] = {
    {"axis", TARE_ATTR_INT, 0, -TARE_RANK, TARE_RANK - 1, "-1",
     "axis to go along, a negative one counted from the last"},
};

static const tare_sample samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,5]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[3,5]", "axis=0", NULL},
    {TARE_SAMPLE_CHECK, "f32[7]<-80,80>", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[4,1000]<-80,80>", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[2,19,5,31]<-9,9>", "axis=1", NULL},
    {TARE_SAMPLE_CHECK, "f32[2,19,5,31]<-9,9>", "axis=2", NULL},
    {TARE_SAMPLE_CHECK, "f32[1700,16]", "axis=1", NULL},
    {TARE_SAMPLE_CHECK, "f32[150,131]", "axis=0", NULL},
    {TARE_SAMPLE_CHECK, "f32[3,1]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[0,4]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[4,0]", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[128,10]", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[128,1000]", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[8,64,28,28]", "axis=1", NULL},
    {TARE_SAMPLE_REJECT, "f32[3,4]", "axis=2", "axis 2 is not one of [3,4] (need -2 to 1)"},
    {TARE_SAMPLE_REJECT, "f32[]", NULL, "axis -1 is not one of []"},
    {TARE_SAMPLE_REJECT, "i32[3]", NULL, "input 0 is int32 (need float32 or float64)"},
};

static const tare_sample grad_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5]<0,1>", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[2,19,5,31] f32[2,19,5,31]<-2,0>", "axis=1", NULL},
    {TARE_SAMPLE_CHECK, "f32[150,131] f32[150,131]<-2,0>", "axis=0", NULL},
    {TARE_SAMPLE_CHECK, "f32[1700,16] f32[1700,16]<-2,0>", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[4,0] f32[4,0]", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[128,10] f32[128,10]", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[128,1000] f32[128,1000]", NULL, NULL},
    {TARE_SAMPLE_REJECT, "f32[3,5] f32[5,3]", NULL, "shapes differ: [3,5] and [5,3]"},
    {TARE_SAMPLE_REJECT, "f32[3,5] f32[3,5]", "axis=-3", "axis -3 is not one of [3,5]"},
};

#define AXIS(op) .attrs = axis_attrs, .n_attrs = 1, .attr_bytes = sizeof(tare_##op##_attr), .infer = infer
#define VARIANTS(kernel, samples_)                                                                                     \
    .variants =                                                                                                        \
        (const tare_variant[]){TARE_NATIVE(kernel, "", .dtypes = TARE_BIT(TARE_F32), .prepare = prepare_softmax),      \
                               TARE_REFERENCE(kernel##_reference, .prepare = prepare_softmax)},                        \
    .n_variants = TARE_N_NATIVE + 1, .samples = samples_, .n_samples = TARE_COUNT_OF(samples_), .tolerance = 1e-6

/* One of the two and its gradient. */
#define SOFTMAX(op, doc_, grad_doc)                                                                                    \
    static void op##_gradient(tare_builder *b)                                                                         \
    {                                                                                                                  \
        tare_##op##_grad_attr attr = {((const axis_attr *)b->node->attr)->axis};                                       \
        tare_contribute(b, 0, tare_##op##_grad(b->mode, tare_head(b, 0), tare_output(b, 0), attr));                    \
    }                                                                                                                  \
    const tare_op tare_op_##op = {                                                                                     \
        .name = #op,                                                                                                   \
        .doc = doc_ "; x, y [...]. All NaN along an axis with a NaN or +inf, or only -inf",                            \
        .n_in = 1,                                                                                                     \
        .n_out = 1,                                                                                                    \
        AXIS(op),                                                                                                      \
        .gradient = op##_gradient,                                                                                     \
        .needs_out = 1,                                                                                                \
        .overwrites = {1},                                                                                             \
        VARIANTS(op, samples),                                                                                         \
    };                                                                                                                 \
    const tare_op tare_op_##op##_grad = {                                                                              \
        .name = #op "_grad",                                                                                           \
        .doc = grad_doc "; dy, y, dx [...]",                                                                           \
        .n_in = 2,                                                                                                     \
        .n_out = 1,                                                                                                    \
        AXIS(op##_grad),                                                                                               \
        .not_differentiable = true,                                                                                    \
        .overwrites = {1},                                                                                             \
        VARIANTS(op##_grad, grad_samples),                                                                             \
    }

SOFTMAX(softmax, "y = e^x / sum of e^x along the axis", "dx = y (dy - sum of dy y along the axis)");
SOFTMAX(log_softmax, "y = x - log sum of e^x along the axis", "dx = dy - e^y (sum of dy along the axis)");

#endif
