/* extreme.c - max, min and where they stand (argmax, argmin) over any axes, and the gradient of max and min.
 *
 * The first of equal elements counts: its position is the answer, and it alone gets the gradient. A NaN is above
 * (below) everything, as in NumPy and PyTorch: the result is NaN, the position that of the first NaN. A position counts
 * the elements that were gone over in C order: over one axis it is the index along it. */
#include <math.h>

#include "units.h"

enum { G_VALUE = TARE_U_OWN, G_POSITION, G_WORDS }; /* among the addresses; 0: there is no such output */

/* Whether x at p comes before y at q. */
static inline bool before(double x, double p, double y, double q, const bool least)
{
    if (x != x || y != y)
        return x != x && (y == y || p < q);
    return least ? x < y || (x == y && p < q) : x > y || (x == y && p < q);
}

/* The first of the 16 lanes of a run. Where none is NaN that is the extreme and its least position, in few steps. */
TARE_BODY tare_pair of_lanes(const tare_block *best, const float *value, const int32_t *position, int64_t begin,
                             const bool least)
{
    tare_block turned = *best;
    int32_t nan = 0, first = INT32_MAX;
    for (int l = 0; l < TARE_BLOCK; ++l)
        nan |= value[l] != value[l];
    if (!nan) {
        for (int v = 0; v < TARE_BLOCK_VECTORS; ++v)
            turned.v[v] = least ? -best->v[v] : best->v[v];
        float most = tare_block_max(turned), is = least ? -most : most;
        for (int l = 0; l < TARE_BLOCK; ++l) {
            int32_t at = value[l] == is ? position[l] : INT32_MAX;
            first = at < first ? at : first;
        }
        /* of 0 and -0 the one that stands first */
        for (int l = 0; is == 0 && l < TARE_BLOCK; ++l)
            is = value[l] == 0 && position[l] == first ? value[l] : is;
        return (tare_pair){(double)is, (double)(first + begin)};
    }
    tare_pair out = {(double)value[0], (double)position[0]};
    for (int l = 1; l < TARE_BLOCK; ++l)
        if (before((double)value[l], (double)position[l], out.a, out.b, least))
            out = (tare_pair){(double)value[l], (double)position[l]};
    out.b += (double)begin;
    return out;
}

/* A lane that met nothing but the neutral number says position 0, which is right: then all are that number. */
TARE_BODY void fold(const float *x, const tare_unit *u, tare_pair *out, const bool least, const bool columns)
{
    const float worst = least ? INFINITY : -INFINITY;
    tare_block best[TARE_STRIPE_BLOCKS];
    tare_vi at[TARE_STRIPE_BLOCKS][TARE_BLOCK_VECTORS];
    int32_t place = 0; /* of the segment, from the part's begin */
    for (int64_t k = 0; k < tare_unit_states(u); ++k) {
        best[k] = tare_block_of(worst);
        memset(at[k], 0, sizeof at[k]);
    }
    TARE_SEGMENTS(u, columns, s)
    {
        TARE_BLOCKS(s, columns, i, k)
        {
            tare_block b = tare_block_load(x + s.offset + i, s.n - i, worst);
            for (int v = 0; v < TARE_BLOCK_VECTORS; ++v) {
                tare_vi here = columns ? (tare_vi){0} + place : tare_lanes() + (v * TARE_LANES + place + (int32_t)i);
                tare_vi better = least ? b.v[v] < best[k].v[v] : b.v[v] > best[k].v[v];
                better |= (b.v[v] != b.v[v]) & (best[k].v[v] == best[k].v[v]);
                best[k].v[v] = tare_select(better, b.v[v], best[k].v[v]);
                at[k][v] = (here & better) | (at[k][v] & ~better);
            }
        }
        place += columns ? 1 : (int32_t)s.n;
    }
    const float *value = (const float *)best;
    const int32_t *position = (const int32_t *)at;
    if (!columns)
        *out = of_lanes(best, value, position, u->begin, least);
    for (int64_t j = 0; columns && j < u->width; ++j)
        out[j] = (tare_pair){(double)value[j], (double)(position[j] + u->begin)};
}

TARE_BODY void fold_max(const float *x, const tare_unit *u, tare_pair *out, const bool columns)
{
    fold(x, u, out, false, columns);
}

TARE_BODY void fold_min(const float *x, const tare_unit *u, tare_pair *out, const bool columns)
{
    fold(x, u, out, true, columns);
}

static inline void finish(const tare_call *c, const tare_unit *u, const tare_pair *from)
{
    float *value = c->g[G_VALUE] ? c->ptr[c->g[G_VALUE]] : NULL;
    int32_t *position = c->g[G_POSITION] ? c->ptr[c->g[G_POSITION]] : NULL;
    for (int64_t j = 0; j < u->width; ++j) {
        if (value)
            value[u->result + j] = (float)from[j].a;
        if (position)
            position[u->result + j] = (int32_t)from[j].b;
    }
}

TARE_KERNEL_DECLARE(max);
int TARE_KERNEL(max)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    TARE_REDUCE(c, piece, fold_max, finish)
    return 0;
}

TARE_KERNEL_DECLARE(min);
int TARE_KERNEL(min)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    TARE_REDUCE(c, piece, fold_min, finish)
    return 0;
}

/* dx = dy where an element's position is that of the result, else 0. A position outside is bad data. */
TARE_KERNEL_DECLARE(max_grad);
int TARE_KERNEL(max_grad)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g;
    const float *dy = c->ptr[0];
    const int32_t *position = c->ptr[1];
    float *dx = c->ptr[3];
    int bad = 0;
    TARE_UNITS(c, piece, u)
    {
        TARE_SEGMENTS(&u, g[TARE_R_KIND] == TARE_COLUMNS, s)
        memset(dx + s.offset, 0, (size_t)s.n * sizeof *dx);
        for (int64_t o = u.result; o < u.result + u.width; ++o) {
            bad |= position[o] < 0 || position[o] >= g[TARE_R_REDUCED];
            if (position[o] >= u.begin && position[o] < u.end)
                dx[tare_reduced_offset(g, o, position[o])] = dy[o];
        }
    }
    return bad;
}

#ifdef TARE_PASS_RECORDS

static void merge_max(tare_pair *into, int64_t n, const tare_pair *from, int64_t n_from)
{
    (void)n, (void)n_from;
    if (before(from->a, from->b, into->a, into->b, false))
        *into = *from;
}

static void merge_min(tare_pair *into, int64_t n, const tare_pair *from, int64_t n_from)
{
    (void)n, (void)n_from;
    if (before(from->a, from->b, into->a, into->b, true))
        *into = *from;
}

static int max_combine(const tare_call *c, int piece, int worker)
{
    (void)piece, (void)worker;
    return tare__reduce_combine(c, merge_max, finish);
}

static int min_combine(const tare_call *c, int piece, int worker)
{
    (void)piece, (void)worker;
    return tare__reduce_combine(c, merge_min, finish);
}

static int reference(const tare_call *c, int piece, bool least)
{
    const int64_t *g = c->g;
    for (int64_t o = piece; o < g[TARE_R_COUNT]; o += c->n_pieces) {
        double best = 0;
        int64_t at = 0;
        for (int64_t r = 0; r < g[TARE_R_REDUCED]; ++r) {
            double x = tare_at(c->ptr[0], g[TARE_R_DTYPE], tare_reduced_offset(g, o, r));
            if (r == 0 || (best == best && (x != x || (least ? x < best : x > best)))) {
                best = x;
                at = r;
            }
        }
        if (g[G_VALUE])
            tare_put(c->ptr[g[G_VALUE]], g[TARE_R_DTYPE], o, best);
        if (g[G_POSITION] && c->ptr[g[G_POSITION]])
            ((int32_t *)c->ptr[g[G_POSITION]])[o] = (int32_t)at;
    }
    return 0;
}

static int max_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    return reference(c, piece, false);
}

static int min_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    return reference(c, piece, true);
}

static int max_grad_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g;
    const int32_t *position = c->ptr[1];
    int bad = 0;
    for (int64_t o = piece; o < g[TARE_R_COUNT]; o += c->n_pieces) {
        bad |= position[o] < 0 || position[o] >= g[TARE_R_REDUCED];
        for (int64_t r = 0; r < g[TARE_R_REDUCED]; ++r)
            tare_put(c->ptr[3], g[TARE_R_DTYPE], tare_reduced_offset(g, o, r),
                     r == position[o] ? tare_at(c->ptr[0], g[TARE_R_DTYPE], o) : 0);
    }
    return bad;
}

/* ---- inference and geometry --------------------------------------------------------------------------------------*/
/* What remains of x in *out; there must be something to choose from, and its position must be an int32. */
static tare_status infer_remaining(const tare_args *a, const tare_desc *x, tare_desc *out)
{
    uint32_t mask = 0;
    char text[TARE_DESC_TEXT];
    tare_status status = tare__infer_axes(a, (const tare_desc_out[]){out});
    if (status == TARE_OK)
        status = tare__axes_mask(a, x, &mask);
    if (status != TARE_OK)
        return status;
    int64_t n = tare_axes_count(x, mask);
    if (n == 0)
        return tare_op_error(a, TARE_BAD_SHAPE, "the axes of %s that are gone over have no elements (need one)",
                             tare_desc_text(x, text));
    if (n > INT32_MAX)
        return tare_op_error(a, TARE_BAD_SHAPE, "the axes of %s that are gone over have 2^31 elements or more",
                             tare_desc_text(x, text));
    return TARE_OK;
}

static tare_status infer_value(const tare_args *a, const tare_desc_out *out)
{
    tare_desc y;
    tare_status status = infer_remaining(a, a->in[0], &y);
    if (status != TARE_OK)
        return status;
    if (out[0])
        *out[0] = y;
    if (out[1])
        *out[1] = tare_desc_of(TARE_I32, y.rank, y.dim);
    return TARE_OK;
}

static tare_status infer_position(const tare_args *a, const tare_desc_out *out)
{
    tare_status status = infer_remaining(a, a->in[0], out[0]);
    out[0]->dtype = TARE_I32;
    return status;
}

static tare_status infer_grad(const tare_args *a, const tare_desc_out *out)
{
    const tare_desc *dy = a->in[0], *position = a->in[1], *x = a->in[2];
    char t0[TARE_DESC_TEXT], t1[TARE_DESC_TEXT];
    uint32_t mask;
    tare_desc y;
    tare_status status = tare__axes_mask(a, x, &mask);
    if (status != TARE_OK)
        return status;
    tare__axes_reduce(x, mask, ((const tare_axes_attr *)a->attr)->keep_dims, &y);
    if (dy->dtype != TARE_F32 && dy->dtype != TARE_F64)
        return tare_op_error(a, TARE_BAD_DTYPE, "dy is %s (need float32 or float64)",
                             tare_dtype_name((tare_dtype)dy->dtype));
    if (position->dtype != TARE_I32)
        return tare_op_error(a, TARE_BAD_DTYPE, "positions are %s (need int32)",
                             tare_dtype_name((tare_dtype)position->dtype));
    for (int i = 0; i < 2; ++i)
        if (!tare_desc_same_shape(a->in[i], &y))
            return tare_op_error(a, TARE_BAD_SHAPE, "input %d is %s, but going over these axes leaves %s", i,
                                 tare_desc_text(a->in[i], t0), tare_desc_text(&y, t1));
    tare_desc_like(out[0], x);
    out[0]->dtype = dy->dtype;
    return TARE_OK;
}

static void prepare(const tare_args *a, const tare_desc *x, int value, int position, tare_work *w)
{
    uint32_t mask;
    if (tare__axes_mask(a, x, &mask) != TARE_OK)
        return; /* infer has passed them */
    tare__prepare_units(a, x, mask, true, w);
    w->g[G_VALUE] = value;
    w->g[G_POSITION] = position;
    w->n_g = G_WORDS;
}

static void prepare_value(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)out;
    prepare(a, a->in[0], 1, 2, w);
}

static void prepare_position(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)out;
    prepare(a, a->in[0], 0, 1, w);
}

static void prepare_max_grad(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)a;
    prepare(a, out[0], 0, 0, w);
    w->piece_bytes = 0; /* parts leave nothing to merge */
}

/* ---- records ----------------------------------------------------------------------------------------------------*/
static void gradient(tare_builder *b)
{
    const tare_axes_attr *attr = b->node->attr;
    tare_contribute(b, 0,
                    tare_max_grad(b->mode, tare_head(b, 0), tare_output(b, 1), tare_input(b, 0),
                                  (tare_max_grad_attr){attr->axes, attr->keep_dims}));
}

static const tare_sample samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,5]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[3,5]", "axes=0", NULL},
    {TARE_SAMPLE_CHECK, "f32[3,5]", "axes=-1,keep_dims=true", NULL},
    {TARE_SAMPLE_CHECK, "f32[33,1025]<-1000,1000>", "axes=1", NULL},
    {TARE_SAMPLE_CHECK, "f32[515,133]<-1000,1000>", "axes=0", NULL},
    {TARE_SAMPLE_CHECK, "f32[5,7,31]<-1000,1000>", "axes=0-2", NULL},
    {TARE_SAMPLE_CHECK, "f32[5,7,31]<-1000,1000>", "axes=1", NULL},
    {TARE_SAMPLE_CHECK, "f32[2,3,2,3,2,3]", "axes=0-2-4", NULL},
    {TARE_SAMPLE_CHECK, "f32[33001]<-1000,1000>", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[70,1,500]<-1e30,1e30>", "axes=0-2", NULL},
    {TARE_SAMPLE_CHECK, "f32[0,4]", "axes=1", NULL},
    {TARE_SAMPLE_BENCH, "f32[128,10]", "axes=1", NULL},
    {TARE_SAMPLE_BENCH, "f32[256,300]", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[256,300]", "axes=0", NULL},
    {TARE_SAMPLE_BENCH, "f32[256,300]", "axes=1", NULL},
    {TARE_SAMPLE_REJECT, "f32[3,4]", "axes=2", "axis 2 is not one of [3,4] (need -2 to 1)"},
    {TARE_SAMPLE_REJECT, "f32[0,4]", "axes=0", "the axes of [0,4] that are gone over have no elements"},
    {TARE_SAMPLE_REJECT, "i32[3]", NULL, "need float32 or float64"},
};

#define VARIANTS(kernel, prepare_)                                                                                     \
    .variants = (const tare_variant[]){TARE_NATIVE(kernel, "", .dtypes = TARE_BIT(TARE_F32), .prepare = prepare_,      \
                                                   .combine = kernel##_combine),                                       \
                                       TARE_REFERENCE(kernel##_reference, .prepare = prepare_)},                       \
    .n_variants = TARE_N_NATIVE + 1, .samples = samples, .n_samples = TARE_COUNT_OF(samples)
#define AXES(op) .attrs = tare__axes_attrs, .n_attrs = 2, .attr_bytes = sizeof(tare_##op##_attr)

#define EXTREME(name_, word, arg)                                                                                      \
    const tare_op tare_op_##name_ = {                                                                                  \
        .name = #name_,                                                                                                \
        .doc = "y = the " word " of x over the axes; x [...], y [...] without the axes (or with 1 in their place); "   \
               "auxiliary: its position, int32. The first of equals counts; a NaN comes before all",                   \
        .n_in = 1,                                                                                                     \
        .n_out = 1,                                                                                                    \
        .n_aux = 1,                                                                                                    \
        AXES(name_),                                                                                                   \
        .infer = infer_value,                                                                                          \
        .gradient = gradient,                                                                                          \
        .needs_out = 2,                                                                                                \
        VARIANTS(name_, prepare_value),                                                                                \
    };                                                                                                                 \
    const tare_op tare_op_##arg = {                                                                                    \
        .name = #arg,                                                                                                  \
        .doc = "i = the position of the " word " of x over the axes: its index along one axis, its place in C order "  \
               "among several; x [...], i int32 [...] without the axes (or with 1 in their place). The first of "      \
               "equals counts; a NaN comes before all",                                                                \
        .n_in = 1,                                                                                                     \
        .n_out = 1,                                                                                                    \
        AXES(arg),                                                                                                     \
        .infer = infer_position,                                                                                       \
        .not_differentiable = true,                                                                                    \
        VARIANTS(name_, prepare_position),                                                                             \
    }

EXTREME(max, "largest", argmax);
EXTREME(min, "smallest", argmin);

const tare_op tare_op_max_grad = {
    .name = "max_grad",
    .doc = "dx = dy for the element at the position, else 0; dy [...], position int32 [...], like (only its shape "
           "counts) and dx [...], dy as the axes of dx leave it. A position outside is bad data",
    .n_in = 3,
    .n_out = 1,
    .shape_only = 4,
    AXES(max_grad),
    .infer = infer_grad,
    .not_differentiable = true,
    .variants = (const tare_variant[]){TARE_NATIVE(max_grad, "", .dtypes = TARE_BIT(TARE_F32),
                                                   .in_strides = {0, 0, TARE_STRIDES_ANY}, .prepare = prepare_max_grad),
                                       TARE_REFERENCE(max_grad_reference, .in_strides = {0, 0, TARE_STRIDES_ANY},
                                                      .prepare = prepare_max_grad)},
    .n_variants = TARE_N_NATIVE + 1,
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "f32[] i32[]<0,15> f32[3,5]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[5] i32[5]<0,3> f32[3,5]", "axes=0", NULL},
                 {TARE_SAMPLE_CHECK, "f32[7] i32[7]<0,155> f32[5,7,31]", "axes=0-2", NULL},
                 {TARE_SAMPLE_CHECK, "f32[5,31] i32[5,31]<0,7> f32[5,7,31]", "axes=1", NULL},
                 {TARE_SAMPLE_CHECK, "f32[1] i32[1]<0,33001> f32[33001]", "keep_dims=true", NULL},
                 {TARE_SAMPLE_CHECK, "f32[133] i32[133]<0,515> f32[515,133]", "axes=0", NULL},
                 {TARE_SAMPLE_BENCH, "f32[256] i32[256]<0,300> f32[256,300]", "axes=1", NULL},
                 {TARE_SAMPLE_REJECT, "f32[3] i32[3] f32[3,5]", "axes=0", "input 0 is [3], but going over these axes "},
                 {TARE_SAMPLE_REJECT, "f32[5] f32[5] f32[3,5]", "axes=0", "positions are float32 (need int32)"},
                 {TARE_SAMPLE_REJECT, "f32[5] i32[5]<3,4> f32[3,5]", "axes=0", "index out of range"}),
};

#endif
