/* l2_normalise.c - a tensor divided by its Euclidean norm over any axes, and the gradient.
 *
 * Squares are added in float64, so that no finite float32 overflows or vanishes on the way. A norm below epsilon counts
 * as epsilon, a constant: the gradient there is dy / epsilon (torch.nn.functional.normalize). */
#include <math.h>

#include "units.h"

enum { G_EPSILON = TARE_U_OWN, G_WORDS };

/* out = x f, less y h where there is a y; out may be x or y */
TARE_BODY void blend(const float *x, const tare_block *f, const float *y, const tare_block *h, float *out,
                     const tare_unit *u, const bool columns)
{
    TARE_SEGMENTS(u, columns, s)
    {
        TARE_BLOCKS(s, columns, i, k)
        {
            tare_block a = tare_block_load(x + s.offset + i, s.n - i, 0);
            tare_block b = y ? tare_block_load(y + s.offset + i, s.n - i, 0) : a;
            for (int v = 0; v < TARE_BLOCK_VECTORS; ++v) {
                a.v[v] *= f[k].v[v];
                if (y)
                    a.v[v] -= b.v[v] * h[k].v[v];
            }
            tare_block_store(out + s.offset + i, a, s.n - i);
        }
    }
}

/* y = x / max(norm, epsilon), r = 1 / max(norm, epsilon); y may be x, each may be NULL */
TARE_BODY void normalise(const float *x, float *y, float *r, double epsilon, const tare_unit *u, const bool columns)
{
    tare_wide sum[TARE_STRIPE_BLOCKS];
    tare_block f[TARE_STRIPE_BLOCKS];
    double share[TARE_STRIPE];
    TARE_SUM_UNIT(u, columns, sum, s, i, k,
                  tare_wide_square(tare_wide_of(tare_block_load(x + s.offset + i, s.n - i, 0))));
    for (int64_t j = 0; j < u->width; ++j) {
        double norm = sqrt(tare_wide_at(sum, j, columns));
        share[j] = 1 / (norm < epsilon ? epsilon : norm);
        if (r)
            r[u->result + j] = (float)share[j];
    }
    tare_unit_spread(u, share, f, columns);
    if (y)
        blend(x, f, NULL, NULL, y, u, columns);
}

/* dx = r (dy - y sum of dy y), and r dy where the norm counted as epsilon; dx may be dy or y */
TARE_BODY void back(const float *dy, const float *y, const float *r, float *dx, double epsilon, const tare_unit *u,
                    const bool columns)
{
    tare_wide sum[TARE_STRIPE_BLOCKS];
    tare_block f[TARE_STRIPE_BLOCKS], h[TARE_STRIPE_BLOCKS];
    double factor[TARE_STRIPE], share[TARE_STRIPE];
    TARE_SUM_UNIT(u, columns, sum, s, i, k,
                  tare_wide_of(tare_block_product(dy + s.offset + i, y + s.offset + i, s.n - i)));
    for (int64_t j = 0; j < u->width; ++j) {
        factor[j] = (double)r[u->result + j];
        share[j] = r[u->result + j] == (float)(1 / epsilon) ? 0 : factor[j] * tare_wide_at(sum, j, columns);
    }
    tare_unit_spread(u, factor, f, columns);
    tare_unit_spread(u, share, h, columns);
    blend(dy, f, y, h, dx, u, columns);
}

TARE_KERNEL_DECLARE(l2_normalise);
int TARE_KERNEL(l2_normalise)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const double epsilon = tare_unbits(c->g[G_EPSILON]);
    TARE_UNITS(c, piece, u)
    TARE_BY_KIND(c->g, normalise, c->ptr[0], c->ptr[1], c->ptr[2], epsilon, &u);
    return 0;
}

TARE_KERNEL_DECLARE(l2_normalise_grad);
int TARE_KERNEL(l2_normalise_grad)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const double epsilon = tare_unbits(c->g[G_EPSILON]);
    TARE_UNITS(c, piece, u)
    TARE_BY_KIND(c->g, back, c->ptr[0], c->ptr[1], c->ptr[2], c->ptr[3], epsilon, &u);
    return 0;
}

#ifdef TARE_PASS_RECORDS

/* ---- references -------------------------------------------------------------------------------------------------*/
static double sum_of_products(const tare_call *c, const void *x, const void *y, int64_t o)
{
    const int64_t *g = c->g;
    double sum = 0;
    for (int64_t r = 0; r < g[TARE_R_REDUCED]; ++r) {
        int64_t at = tare_reduced_offset(g, o, r);
        sum += tare_at(x, g[TARE_R_DTYPE], at) * tare_at(y, g[TARE_R_DTYPE], at);
    }
    return sum;
}

static int l2_normalise_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const double epsilon = tare_unbits(c->g[G_EPSILON]);
    const int64_t *g = c->g, dtype = g[TARE_R_DTYPE];
    for (int64_t o = piece; o < g[TARE_R_COUNT]; o += c->n_pieces) {
        double norm = sqrt(sum_of_products(c, c->ptr[0], c->ptr[0], o)), most = norm < epsilon ? epsilon : norm;
        for (int64_t r = 0; c->ptr[1] && r < g[TARE_R_REDUCED]; ++r) {
            int64_t at = tare_reduced_offset(g, o, r);
            tare_put(c->ptr[1], dtype, at, tare_at(c->ptr[0], dtype, at) / most);
        }
        if (c->ptr[2])
            tare_put(c->ptr[2], dtype, o, 1 / most);
    }
    return 0;
}

static int l2_normalise_grad_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g, dtype = g[TARE_R_DTYPE];
    double least = 1 / tare_unbits(g[G_EPSILON]);
    least = dtype == TARE_F64 ? least : (double)(float)least;
    for (int64_t o = piece; o < g[TARE_R_COUNT]; o += c->n_pieces) {
        double r = tare_at(c->ptr[2], dtype, o), share = r == least ? 0 : sum_of_products(c, c->ptr[0], c->ptr[1], o);
        for (int64_t k = 0; k < g[TARE_R_REDUCED]; ++k) {
            int64_t at = tare_reduced_offset(g, o, k);
            double dy = tare_at(c->ptr[0], dtype, at);
            tare_put(c->ptr[3], dtype, at, r * (dy - tare_at(c->ptr[1], dtype, at) * share));
        }
    }
    return 0;
}

/* ---- inference and geometry --------------------------------------------------------------------------------------*/
/* y like x; r with 1 in place of the axes, so that it broadcasts to y */
static tare_status infer(const tare_args *a, const tare_desc_out *out)
{
    tare_desc r;
    tare_status status = tare__infer_axes_kept(a, (const tare_desc_out[]){NULL, &r});
    if (status == TARE_OK && out[0])
        tare_desc_like(out[0], a->in[0]);
    if (status == TARE_OK && out[1])
        *out[1] = r;
    return status;
}

static tare_status infer_grad(const tare_args *a, const tare_desc_out *out)
{
    static const char *const what[] = {NULL, "y", "r"};
    char t0[TARE_DESC_TEXT], t1[TARE_DESC_TEXT];
    tare_desc r;
    tare_status status = tare__infer_axes_kept(a, (const tare_desc_out[]){NULL, &r});
    const tare_desc *const need[] = {NULL, a->in[0], &r};
    for (int i = 1; i < 3 && status == TARE_OK; ++i) {
        if (a->in[i]->dtype != a->in[0]->dtype)
            status = tare_op_error(a, TARE_BAD_DTYPE, "%s is %s, dy is %s (need one dtype)", what[i],
                                   tare_dtype_name((tare_dtype)a->in[i]->dtype),
                                   tare_dtype_name((tare_dtype)a->in[0]->dtype));
        else if (!tare_desc_same_shape(a->in[i], need[i]))
            status = tare_op_error(a, TARE_BAD_SHAPE, "%s is %s (need %s)", what[i], tare_desc_text(a->in[i], t0),
                                   tare_desc_text(need[i], t1));
    }
    if (status == TARE_OK)
        tare_desc_like(out[0], a->in[0]);
    return status;
}

/* The attributes of both. */
typedef struct {
    tare_ints axes;
    double epsilon;
} __attribute__((may_alias)) normalise_attr;

static void prepare_l2_normalise(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    uint32_t mask;
    (void)out;
    if (tare__axes_mask(a, a->in[0], &mask) != TARE_OK)
        return; /* infer has passed them */
    tare__prepare_units(a, a->in[0], mask, false, w);
    w->g[G_EPSILON] = tare_bits(((const normalise_attr *)a->attr)->epsilon);
    w->n_g = G_WORDS;
}

/* ---- records ----------------------------------------------------------------------------------------------------*/
static void l2_normalise_gradient(tare_builder *b)
{
    const tare_l2_normalise_attr *attr = b->node->attr;
    tare_contribute(b, 0,
                    tare_l2_normalise_grad(b->mode, tare_head(b, 0), tare_output(b, 0), tare_output(b, 1),
                                           (tare_l2_normalise_grad_attr){attr->axes, attr->epsilon}));
}

static const tare_attr attrs[] = {
    {"axes", TARE_ATTR_INTS, offsetof(normalise_attr, axes), -TARE_RANK, TARE_RANK - 1, "1",
     "axes of the norm, negative ones counted from the last; none given: all"},
    {"epsilon", TARE_ATTR_FLOAT, offsetof(normalise_attr, epsilon), 0x1p-1022, 1e300, "1e-12",
     "a norm below counts as this"},
};

#define COMMON(op)                                                                                                     \
    .attrs = attrs, .n_attrs = 2, .attr_bytes = sizeof(tare_##op##_attr),                                              \
    .variants =                                                                                                        \
        (const tare_variant[]){TARE_NATIVE(op, "", .dtypes = TARE_BIT(TARE_F32), .prepare = prepare_l2_normalise),     \
                               TARE_REFERENCE(op##_reference, .prepare = prepare_l2_normalise)},                       \
    .n_variants = TARE_N_NATIVE + 1, .tolerance = 1e-6

const tare_op tare_op_l2_normalise = {
    .name = "l2_normalise",
    .doc = "y = x / max(epsilon, square root of the sum of x^2 over the axes); x, y [...]; auxiliary: 1 / max(...), "
           "with 1 in place of the axes",
    .n_in = 1,
    .n_out = 1,
    .n_aux = 1,
    .infer = infer,
    .gradient = l2_normalise_gradient,
    .needs_out = 3,
    .overwrites = {1},
    COMMON(l2_normalise),
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "f32[3,5]", NULL, NULL}, {TARE_SAMPLE_CHECK, "f32[3,5]", "axes=0", NULL},
                 {TARE_SAMPLE_CHECK, "f32[3,5]", "axes=-1,epsilon=10", NULL},
                 {TARE_SAMPLE_CHECK, "f32[33,1025]<-1e30,1e30>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[515,133]", "axes=0", NULL},
                 {TARE_SAMPLE_CHECK, "f32[5,7,31]", "axes=0-2", NULL},
                 {TARE_SAMPLE_CHECK, "f32[5,7,31]", "axes=1", NULL}, {TARE_SAMPLE_CHECK, "f32[3,0]", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "f32[256,300]", NULL, NULL}, {TARE_SAMPLE_BENCH, "f32[256,300]", "axes=0", NULL},
                 {TARE_SAMPLE_REJECT, "f32[4]", NULL, "axis 1 is not one of [4] (need -1 to 0)"},
                 {TARE_SAMPLE_REJECT, "f32[3,4]", "epsilon=0", "epsilon is 0 (need"},
                 {TARE_SAMPLE_REJECT, "i32[3]", "axes=0", "need float32 or float64"}),
};

const tare_op tare_op_l2_normalise_grad = {
    .name = "l2_normalise_grad",
    .doc =
        "dx = r (dy - y sum of dy y over the axes), r dy where r = 1 / epsilon; dy, y, dx [...], r with 1 in place of "
        "the axes",
    .n_in = 3,
    .n_out = 1,
    .infer = infer_grad,
    .not_differentiable = true,
    .overwrites = {1},
    COMMON(l2_normalise_grad),
    TARE_SAMPLES(
        {TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5] f32[3,1]<0.1,2>", NULL, NULL},
        {TARE_SAMPLE_CHECK, "f32[515,133] f32[515,133] f32[1,133]<0.1,2>", "axes=0", NULL},
        {TARE_SAMPLE_CHECK, "f32[5,7,31] f32[5,7,31] f32[1,7,1]<0.1,2>", "axes=0-2", NULL},
        {TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5] f32[3,1]<0.5,0.5>", "epsilon=2", NULL},
        {TARE_SAMPLE_BENCH, "f32[256,300] f32[256,300] f32[256,1]<0.1,2>", NULL, NULL},
        {TARE_SAMPLE_REJECT, "f32[3,5] f32[3,5] f32[3]", NULL, "r is [3] (need [3,1])"},
        {TARE_SAMPLE_REJECT, "f32[3,5] f64[3,5] f32[3,1]", NULL, "y is float64, dy is float32 (need one dtype)"}),
};

#endif
