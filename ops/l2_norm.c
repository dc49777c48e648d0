/* l2_norm.c - the Euclidean norm over any axes.
 *
 * Squares are added in float64, so that no finite float32 overflows or vanishes on the way. Where the norm is 0 its
 * gradient is 0, the least of the subgradients. */
#include <math.h>

#include "units.h"

/* a = the part's sum of squares */
TARE_BODY void fold(const float *x, const tare_unit *u, tare_pair *out, const bool columns)
{
    tare_wide sum[TARE_STRIPE_BLOCKS];
    TARE_SUM_UNIT(u, columns, sum, s, i, k,
                  tare_wide_square(tare_wide_of(tare_block_load(x + s.offset + i, s.n - i, 0))));
    for (int64_t j = 0; j < u->width; ++j)
        out[j] = (tare_pair){tare_wide_at(sum, j, columns), 0};
}

static inline void finish(const tare_call *c, const tare_unit *u, const tare_pair *from)
{
    float *y = c->ptr[1], *r = c->ptr[2];
    for (int64_t j = 0; j < u->width; ++j) {
        double norm = sqrt(from[j].a);
        if (y)
            y[u->result + j] = (float)norm;
        if (r)
            r[u->result + j] = norm == 0 ? 0 : (float)(1 / norm);
    }
}

TARE_KERNEL_DECLARE(l2_norm);
int TARE_KERNEL(l2_norm)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    TARE_REDUCE(c, piece, fold, finish)
    return 0;
}

#ifdef TARE_PASS_RECORDS

static void merge(tare_pair *into, int64_t n, const tare_pair *from, int64_t n_from)
{
    (void)n, (void)n_from;
    into->a += from->a;
}

static int l2_norm_combine(const tare_call *c, int piece, int worker)
{
    (void)piece, (void)worker;
    return tare__reduce_combine(c, merge, finish);
}

static int l2_norm_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g, dtype = g[TARE_R_DTYPE];
    for (int64_t o = piece; o < g[TARE_R_COUNT]; o += c->n_pieces) {
        double sum = 0;
        for (int64_t r = 0; r < g[TARE_R_REDUCED]; ++r) {
            double x = tare_at(c->ptr[0], dtype, tare_reduced_offset(g, o, r));
            sum += x * x;
        }
        if (c->ptr[1])
            tare_put(c->ptr[1], dtype, o, sqrt(sum));
        if (c->ptr[2])
            tare_put(c->ptr[2], dtype, o, sum == 0 ? 0 : 1 / sqrt(sum));
    }
    return 0;
}

static void prepare_l2_norm(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    uint32_t mask;
    (void)out;
    if (tare__axes_mask(a, a->in[0], &mask) == TARE_OK)
        tare__prepare_units(a, a->in[0], mask, true, w);
}

/* dx = x (dy r), r = 1 / y or 0 */
static void l2_norm_gradient(tare_builder *b)
{
    tare_value *r = tare_output(b, 1), *dy = tare__axes_restore(b, tare_head(b, 0), &r->d);
    tare_contribute(b, 0, tare_mul(b->mode, tare_input(b, 0), tare_mul(b->mode, dy, r)));
}

const tare_op tare_op_l2_norm = {
    .name = "l2_norm",
    .doc = "y = square root of the sum of x^2 over the axes; x [...], y [...] without the axes (or with 1 in their "
           "place); auxiliary: 1 / y, 0 where y is 0, with 1 in their place",
    .n_in = 1,
    .n_out = 1,
    .n_aux = 1,
    .attrs = tare__axes_attrs,
    .n_attrs = 2,
    .attr_bytes = sizeof(tare_l2_norm_attr),
    .infer = tare__infer_axes_kept,
    .gradient = l2_norm_gradient,
    .needs_in = 1,
    .needs_out = 2,
    .variants = (const tare_variant[]){TARE_NATIVE(l2_norm, "", .dtypes = TARE_BIT(TARE_F32),
                                                   .prepare = prepare_l2_norm, .combine = l2_norm_combine),
                                       TARE_REFERENCE(l2_norm_reference, .prepare = prepare_l2_norm)},
    .n_variants = TARE_N_NATIVE + 1,
    TARE_SAMPLES(
        {TARE_SAMPLE_CHECK, "f32[3,5]", NULL, NULL}, {TARE_SAMPLE_CHECK, "f32[3,5]", "axes=0", NULL},
        {TARE_SAMPLE_CHECK, "f32[3,5]", "axes=-1,keep_dims=true", NULL},
        {TARE_SAMPLE_CHECK, "f32[33,1025]<-1e30,1e30>", "axes=1", NULL},
        {TARE_SAMPLE_CHECK, "f32[515,133]", "axes=0", NULL}, {TARE_SAMPLE_CHECK, "f32[5,7,31]", "axes=0-2", NULL},
        {TARE_SAMPLE_CHECK, "f32[5,7,31]", "axes=1", NULL}, {TARE_SAMPLE_CHECK, "f32[33001]", NULL, NULL},
        {TARE_SAMPLE_CHECK, "f32[3,0]", "axes=1", NULL}, {TARE_SAMPLE_BENCH, "f32[256,300]", NULL, NULL},
        {TARE_SAMPLE_BENCH, "f32[256,300]", "axes=0", NULL}, {TARE_SAMPLE_BENCH, "f32[256,300]", "axes=1", NULL},
        {TARE_SAMPLE_REJECT, "f32[3,4]", "axes=2", "axis 2 is not one of [3,4] (need -2 to 1)"},
        {TARE_SAMPLE_REJECT, "i32[3]", NULL, "need float32 or float64"}),
    .tolerance = 2e-7,
};

#endif
