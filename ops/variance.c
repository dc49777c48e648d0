/* variance.c - variance over any axes: the mean first, then the squares of the deviations from it, both in float64.
 *
 * A part's two passes find it in the cache. Parts are merged by the exact formula for two samples (T. Chan, G. Golub,
 * R. LeVeque, Algorithms for computing the sample variance, The American Statistician 37 (1983), eq. 2.1). So the
 * result is right however large the mean is beside the deviations. */
#include <math.h>

#include "units.h"

enum { G_CORRECTION = TARE_U_OWN, G_WORDS };

/* a = the part's mean, b = the sum of (x - a)^2 over it */
TARE_BODY void fold(const float *x, const tare_unit *u, tare_pair *out, const bool columns)
{
    tare_wide sum[TARE_STRIPE_BLOCKS], mean[TARE_STRIPE_BLOCKS];
    TARE_SUM_UNIT(u, columns, sum, s, i, k, tare_wide_of(tare_block_load(x + s.offset + i, s.n - i, 0)));
    double center[TARE_STRIPE];
    for (int64_t j = 0; j < u->width; ++j)
        center[j] = out[j].a = tare_wide_at(sum, j, columns) / (double)(u->end - u->begin);
    tare_unit_spread_wide(u, center, mean, columns);
    memset(sum, 0, (size_t)tare_unit_states(u) * sizeof *sum);
    TARE_SEGMENTS(u, columns, t)
    {
        TARE_BLOCKS(t, columns, i, k)
        {
            tare_wide w = tare_wide_of(tare_block_load(x + t.offset + i, t.n - i, 0));
            if (!columns && t.n - i < TARE_BLOCK) /* what is not there is no deviation */
                for (int64_t l = t.n - i; l < TARE_BLOCK; ++l)
                    ((double *)&w)[l] = out->a;
            for (int v = 0; v < TARE_WIDE_VECTORS; ++v) {
                tare_vd d = w.v[v] - mean[k].v[v];
                sum[k].v[v] += d * d;
            }
        }
    }
    for (int64_t j = 0; j < u->width; ++j)
        out[j].b = tare_wide_at(sum, j, columns);
}

/* Of n elements; where n does not exceed the correction: x / 0. */
static inline double variance_of(double squares, int64_t n, double correction)
{
    return squares / fmax(0, (double)n - correction);
}

static inline void finish(const tare_call *c, const tare_unit *u, const tare_pair *from)
{
    float *y = c->ptr[1];
    double *mean = c->ptr[2];
    for (int64_t j = 0; j < u->width; ++j) {
        if (y)
            y[u->result + j] = (float)variance_of(from[j].b, u->end, tare_unbits(c->g[G_CORRECTION]));
        if (mean)
            mean[u->result + j] = from[j].a;
    }
}

TARE_KERNEL_DECLARE(variance);
int TARE_KERNEL(variance)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    TARE_REDUCE(c, piece, fold, finish)
    return 0;
}

/* dx = 2 / (n - correction) dy (x - mean); dx may be x */
TARE_BODY void back(const float *dy, const float *x, const double *mean, float *dx, const tare_unit *u,
                    const bool columns)
{
    const double share = 2 / fmax(0, (double)u->g[TARE_R_REDUCED] - tare_unbits(u->g[G_CORRECTION]));
    tare_wide center[TARE_STRIPE_BLOCKS], factor[TARE_STRIPE_BLOCKS];
    double each[TARE_STRIPE];
    for (int64_t j = 0; j < u->width; ++j)
        each[j] = share * (double)dy[u->result + j];
    tare_unit_spread_wide(u, mean + u->result, center, columns);
    tare_unit_spread_wide(u, each, factor, columns);
    TARE_SEGMENTS(u, columns, s)
    {
        TARE_BLOCKS(s, columns, i, k)
        {
            tare_wide w = tare_wide_of(tare_block_load(x + s.offset + i, s.n - i, 0));
            for (int v = 0; v < TARE_WIDE_VECTORS; ++v)
                w.v[v] = (w.v[v] - center[k].v[v]) * factor[k].v[v];
            tare_block_store(dx + s.offset + i, tare_block_of_wide(&w), s.n - i);
        }
    }
}

TARE_KERNEL_DECLARE(variance_grad);
int TARE_KERNEL(variance_grad)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    TARE_UNITS(c, piece, u)
    TARE_BY_KIND(c->g, back, c->ptr[0], c->ptr[1], c->ptr[2], c->ptr[3], &u);
    return 0;
}

#ifdef TARE_PASS_RECORDS

static void merge(tare_pair *into, int64_t n, const tare_pair *from, int64_t n_from)
{
    double d = from->a - into->a, share = (double)n_from / (double)(n + n_from);
    into->a += d * share;
    into->b += from->b + d * d * share * (double)n;
}

static int variance_combine(const tare_call *c, int piece, int worker)
{
    (void)piece, (void)worker;
    return tare__reduce_combine(c, merge, finish);
}

static int variance_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g, n = g[TARE_R_REDUCED];
    for (int64_t o = piece; o < g[TARE_R_COUNT]; o += c->n_pieces) {
        double sum = 0, squares = 0;
        for (int64_t r = 0; r < n; ++r)
            sum += tare_at(c->ptr[0], g[TARE_R_DTYPE], tare_reduced_offset(g, o, r));
        double mean = sum / (double)n;
        for (int64_t r = 0; r < n; ++r) {
            double d = tare_at(c->ptr[0], g[TARE_R_DTYPE], tare_reduced_offset(g, o, r)) - mean;
            squares += d * d;
        }
        if (c->ptr[1])
            tare_put(c->ptr[1], g[TARE_R_DTYPE], o, variance_of(squares, n, tare_unbits(g[G_CORRECTION])));
        if (c->ptr[2])
            ((double *)c->ptr[2])[o] = mean;
    }
    return 0;
}

static int variance_grad_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g, dtype = g[TARE_R_DTYPE];
    const double *mean = c->ptr[2], share = 2 / fmax(0, (double)g[TARE_R_REDUCED] - tare_unbits(g[G_CORRECTION]));
    for (int64_t o = piece; o < g[TARE_R_COUNT]; o += c->n_pieces)
        for (int64_t r = 0; r < g[TARE_R_REDUCED]; ++r) {
            int64_t at = tare_reduced_offset(g, o, r);
            tare_put(c->ptr[3], dtype, at,
                     (tare_at(c->ptr[1], dtype, at) - mean[o]) * (share * tare_at(c->ptr[0], dtype, o)));
        }
    return 0;
}

/* The mean is a float64, so that a gradient loses nothing where deviations are small beside it. */
static tare_status infer(const tare_args *a, const tare_desc_out *out)
{
    tare_status status = tare__infer_axes_kept(a, out);
    if (status == TARE_OK && out[1])
        out[1]->dtype = TARE_F64;
    return status;
}

static tare_status infer_grad(const tare_args *a, const tare_desc_out *out)
{
    static const char *const what[] = {"dy", "x", "the mean"};
    const tare_desc *x = a->in[1];
    char t0[TARE_DESC_TEXT], t1[TARE_DESC_TEXT];
    tare_desc y, mean;
    tare_args of_x = *a;
    of_x.in = &a->in[1];
    tare_status status = tare__infer_axes_kept(&of_x, (const tare_desc_out[]){&y, &mean});
    if (status != TARE_OK)
        return status;
    mean.dtype = TARE_F64;
    const tare_desc *const need[] = {&y, x, &mean};
    for (int i = 0; i < 3; ++i)
        if (a->in[i]->dtype != need[i]->dtype || !tare_desc_same_shape(a->in[i], need[i]))
            return tare_op_error(a, a->in[i]->dtype != need[i]->dtype ? TARE_BAD_DTYPE : TARE_BAD_SHAPE,
                                 "%s is %s %s (need %s %s)", what[i], tare_dtype_name((tare_dtype)a->in[i]->dtype),
                                 tare_desc_text(a->in[i], t0), tare_dtype_name((tare_dtype)need[i]->dtype),
                                 tare_desc_text(need[i], t1));
    tare_desc_like(out[0], x);
    return TARE_OK;
}

static void prepare_variance(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    uint32_t mask;
    (void)out;
    if (tare__axes_mask(a, a->in[0], &mask) != TARE_OK)
        return; /* infer has passed them */
    tare__prepare_units(a, a->in[0], mask, true, w);
    w->g[G_CORRECTION] = tare_bits((double)((const tare_variance_attr *)a->attr)->correction);
    w->n_g = G_WORDS;
}

static void prepare_variance_grad(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    tare_args of_x = *a;
    of_x.in = &a->in[1];
    prepare_variance(&of_x, out, w);
    w->piece_bytes = 0; /* parts leave nothing to merge */
}

static void variance_gradient(tare_builder *b)
{
    const tare_variance_attr *attr = b->node->attr;
    tare_contribute(b, 0,
                    tare_variance_grad(b->mode, tare_head(b, 0), tare_input(b, 0), tare_output(b, 1),
                                       (tare_variance_grad_attr){attr->axes, attr->keep_dims, attr->correction}));
}

static const tare_attr variance_attrs[] = {
    {"axes", TARE_ATTR_INTS, offsetof(tare_variance_attr, axes), -TARE_RANK, TARE_RANK - 1, "",
     "axes to go over, negative ones counted from the last; none given: all"},
    {"keep_dims", TARE_ATTR_BOOL, offsetof(tare_variance_attr, keep_dims), 0, 1, "false",
     "keep the axes that were gone over, with size 1"},
    {"correction", TARE_ATTR_INT, offsetof(tare_variance_attr, correction), 0, 0x1p31, "1",
     "taken off the count: 1 for the unbiased estimate, 0 for the mean of the squares"},
};

#define ATTRIBUTES(op) .attrs = variance_attrs, .n_attrs = 3, .attr_bytes = sizeof(tare_##op##_attr)

const tare_op tare_op_variance = {
    .name = "variance",
    .doc =
        "y = sum of (x - mean)^2 / (n - correction) over the axes, n elements each; x [...], y [...] without the axes "
        "(or with 1 in their place); auxiliary: the mean, float64, with 1 in their "
        "place. With n <= correction infinite or NaN",
    .n_in = 1,
    .n_out = 1,
    .n_aux = 1,
    ATTRIBUTES(variance),
    .infer = infer,
    .gradient = variance_gradient,
    .needs_in = 1,
    .needs_out = 2,
    .variants = (const tare_variant[]){TARE_NATIVE(variance, "", .dtypes = TARE_BIT(TARE_F32),
                                                   .prepare = prepare_variance, .combine = variance_combine),
                                       TARE_REFERENCE(variance_reference, .prepare = prepare_variance)},
    .n_variants = TARE_N_NATIVE + 1,
    TARE_SAMPLES(
        {TARE_SAMPLE_CHECK, "f32[3,5]", NULL, NULL}, {TARE_SAMPLE_CHECK, "f32[3,5]", "axes=0", NULL},
        {TARE_SAMPLE_CHECK, "f32[3,5]", "axes=-1,keep_dims=true,correction=0", NULL},
        {TARE_SAMPLE_CHECK, "f32[]", "correction=0", NULL},
        {TARE_SAMPLE_CHECK, "f32[33,1025]<1000,1001>", "axes=1", NULL},
        {TARE_SAMPLE_CHECK, "f32[515,133]<1000,1001>", "axes=0,correction=2", NULL},
        {TARE_SAMPLE_CHECK, "f32[5,7,31]", "axes=0-2", NULL}, {TARE_SAMPLE_CHECK, "f32[5,7,31]", "axes=1", NULL},
        {TARE_SAMPLE_CHECK, "f32[2,3,2,3,2,3]", "axes=0-2-4", NULL}, {TARE_SAMPLE_CHECK, "f32[33001]", NULL, NULL},
        {TARE_SAMPLE_CHECK, "f32[3,0]", "axes=0", NULL}, {TARE_SAMPLE_BENCH, "f32[256,300]", NULL, NULL},
        {TARE_SAMPLE_BENCH, "f32[256,300]", "axes=0", NULL}, {TARE_SAMPLE_BENCH, "f32[256,300]", "axes=1", NULL},
        {TARE_SAMPLE_BENCH, "f32[64,20,24,24]", "axes=0-2-3", NULL},
        {TARE_SAMPLE_REJECT, "f32[3,4]", "axes=1--1", "axis -1 of [3,4] is named twice"},
        {TARE_SAMPLE_REJECT, "i32[3]", NULL, "need float32 or float64"},
        {TARE_SAMPLE_REJECT, "f32[3]", "correction=-1", "correction is -1 (need 0 to"}),
    .tolerance = 2e-7,
};

const tare_op tare_op_variance_grad = {
    .name = "variance_grad",
    .doc =
        "dx = 2 / (n - correction) dy (x - mean), n elements a result; dy [...] as the axes leave x, x, dx [...], mean "
        "float64 with 1 in place of the axes",
    .n_in = 3,
    .n_out = 1,
    ATTRIBUTES(variance_grad),
    .infer = infer_grad,
    .not_differentiable = true,
    .overwrites = {2},
    .variants = (const tare_variant[]){TARE_NATIVE(variance_grad, "", .dtypes = TARE_BIT(TARE_F32),
                                                   .prepare = prepare_variance_grad),
                                       TARE_REFERENCE(variance_grad_reference, .prepare = prepare_variance_grad)},
    .n_variants = TARE_N_NATIVE + 1,
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "f32[] f32[3,5] f64[1,1]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[5] f32[3,5] f64[1,5]", "axes=0", NULL},
                 {TARE_SAMPLE_CHECK, "f32[133] f32[515,133]<1000,1001> f64[1,133]<1000,1001>", "axes=0", NULL},
                 {TARE_SAMPLE_CHECK, "f32[7] f32[5,7,31] f64[1,7,1]", "axes=0-2,correction=0", NULL},
                 {TARE_SAMPLE_CHECK, "f32[1] f32[33001] f64[1]", "keep_dims=true", NULL},
                 {TARE_SAMPLE_BENCH, "f32[256] f32[256,300] f64[256,1]", "axes=1", NULL},
                 {TARE_SAMPLE_REJECT, "f32[3] f32[3,5] f64[1,5]", "axes=0", "dy is float32 [3] (need float32 [5])"},
                 {TARE_SAMPLE_REJECT, "f32[5] f32[3,5] f32[1,5]", "axes=0", "the mean is float32 [1,5] (need float64"}),
    .tolerance = 2e-7,
};

#endif
