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
    const int64_t states = tare_unit_states(u);
    tare_wide sum[TARE_STRIPE_BLOCKS], mean[TARE_STRIPE_BLOCKS];
    TARE_SUM_UNIT(u, columns, sum, s, i, k, tare_wide_of(tare_block_load(x + s.offset + i, s.n - i, 0)));
    const double n = (double)(u->end - u->begin);
    for (int64_t j = 0; j < u->width; ++j)
        out[j].a = tare_wide_at(sum, j, columns) / n;
    for (int64_t k = 0; k < states; ++k)
        for (int64_t l = 0; l < TARE_BLOCK; ++l)
            ((double *)&mean[k])[l] = !columns ? out->a : k * TARE_BLOCK + l < u->width ? out[k * TARE_BLOCK + l].a : 0;
    memset(sum, 0, (size_t)states * sizeof *sum);
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
    float *y = c->ptr[1], *mean = c->ptr[2];
    for (int64_t j = 0; j < u->width; ++j) {
        if (y)
            y[u->result + j] = (float)variance_of(from[j].b, u->end, tare_unbits(c->g[G_CORRECTION]));
        if (mean)
            mean[u->result + j] = (float)from[j].a;
    }
}

TARE_KERNEL_DECLARE(variance);
int TARE_KERNEL(variance)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    TARE_REDUCE(c, piece, fold, finish)
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
            tare_put(c->ptr[2], g[TARE_R_DTYPE], o, mean);
    }
    return 0;
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

/* dx = 2 / (n - correction) dy (x - mean), dy spread over the axes that were gone over */
static void variance_gradient(tare_builder *b)
{
    const tare_variance_attr *attr = b->node->attr;
    tare_value *x = tare_input(b, 0), *mean = tare_output(b, 1);
    int64_t n = 1;
    for (int i = 0; i < x->d.rank; ++i)
        n *= mean->d.dim[i] == x->d.dim[i] ? 1 : x->d.dim[i];
    double factor = 2 / fmax(0, (double)n - (double)attr->correction);
    tare_value *dy = tare_scale(b->mode, tare_head(b, 0), (tare_scale_attr){factor});
    tare_value *away = tare_sub(b->mode, x, mean);
    tare_contribute(b, 0, tare_mul(b->mode, away, tare__axes_restore(b, dy, &mean->d)));
}

static const tare_attr variance_attrs[] = {
    {"axes", TARE_ATTR_INTS, offsetof(tare_variance_attr, axes), -TARE_RANK, TARE_RANK - 1, "",
     "axes to go over, negative ones counted from the last; none given: all"},
    {"keep_dims", TARE_ATTR_BOOL, offsetof(tare_variance_attr, keep_dims), 0, 1, "false",
     "keep the axes that were gone over, with size 1"},
    {"correction", TARE_ATTR_INT, offsetof(tare_variance_attr, correction), 0, 0x1p31, "1",
     "taken off the count: 1 for the unbiased estimate, 0 for the mean of the squares"},
};

const tare_op tare_op_variance = {
    .name = "variance",
    .doc =
        "y = sum of (x - mean)^2 / (n - correction) over the axes, n elements each; x [...], y [...] without the axes "
        "(or with 1 in their place); auxiliary: the mean, with 1 in their place. With n <= correction infinite or NaN",
    .n_in = 1,
    .n_out = 1,
    .n_aux = 1,
    .attrs = variance_attrs,
    .n_attrs = 3,
    .attr_bytes = sizeof(tare_variance_attr),
    .infer = tare__infer_axes_kept,
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

#endif
