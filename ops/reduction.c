/* reduction.c - sum and mean over any axes, and sum_like, which undoes a broadcast. How they add: summation.c. */
#include "reduction.h"

#ifdef TARE_PASS_RECORDS

/* ---- axes and inference -----------------------------------------------------------------------------------------*/
const tare_attr tare__axes_attrs[2] = {
    {"axes", TARE_ATTR_INTS, offsetof(tare_sum_attr, axes), -TARE_RANK, TARE_RANK - 1, "",
     "axes to go over, negative ones counted from the last; none given: all"},
    {"keep_dims", TARE_ATTR_BOOL, offsetof(tare_sum_attr, keep_dims), 0, 1, "false",
     "keep the axes that were gone over, with size 1"},
};

tare_status tare__axis_bit(const tare_args *a, const tare_desc *x, int64_t axis, uint32_t *bit)
{
    char text[TARE_DESC_TEXT];
    if (axis < -x->rank || axis >= x->rank)
        return tare_op_error(a, TARE_BAD_ARGUMENT, "axis %lld is not one of %s (need -%d to %d)", (long long)axis,
                             tare_desc_text(x, text), x->rank, x->rank - 1);
    *bit = 1u << (axis < 0 ? axis + x->rank : axis);
    return TARE_OK;
}

tare_status tare__axes_mask(const tare_args *a, const tare_desc *x, uint32_t *mask)
{
    const tare_ints *axes = &((const tare_axes_attr *)a->attr)->axes;
    char text[TARE_DESC_TEXT];
    *mask = axes->n > 0 ? 0 : (1u << x->rank) - 1;
    for (int i = 0; i < axes->n; ++i) {
        uint32_t bit = 0;
        tare_status status = tare__axis_bit(a, x, axes->at[i], &bit);
        if (status != TARE_OK)
            return status;
        if (*mask & bit)
            return tare_op_error(a, TARE_BAD_ARGUMENT, "axis %lld of %s is named twice", (long long)axes->at[i],
                                 tare_desc_text(x, text));
        *mask |= bit;
    }
    return TARE_OK;
}

void tare__axes_reduce(const tare_desc *x, uint32_t mask, bool keep_dims, tare_desc *out)
{
    int rank = 0;
    for (int i = 0; i < x->rank; ++i) {
        if (!(mask >> i & 1))
            out->dim[rank++] = x->dim[i];
        else if (keep_dims)
            out->dim[rank++] = 1;
    }
    out->rank = (int8_t)rank;
    out->dtype = x->dtype;
    tare_desc_pack(out);
}

static tare_status axes_check(const tare_args *a, const tare_desc *x, uint32_t *mask)
{
    if (x->dtype != TARE_F32 && x->dtype != TARE_F64)
        return tare_op_error(a, TARE_BAD_DTYPE, "input 0 is %s (need float32 or float64)", tare_dtype_name(x->dtype));
    return tare__axes_mask(a, x, mask);
}

tare_status tare__infer_axes(const tare_args *a, const tare_desc_out *out)
{
    uint32_t mask;
    tare_status status = axes_check(a, a->in[0], &mask);
    if (status == TARE_OK)
        tare__axes_reduce(a->in[0], mask, ((const tare_axes_attr *)a->attr)->keep_dims, out[0]);
    return status;
}

tare_status tare__infer_axes_kept(const tare_args *a, const tare_desc_out *out)
{
    uint32_t mask = 0;
    const tare_desc *x = a->in[0];
    tare_status status = axes_check(a, x, &mask);
    if (status == TARE_OK && out[0])
        tare__axes_reduce(x, mask, ((const tare_axes_attr *)a->attr)->keep_dims, out[0]);
    if (status == TARE_OK && out[1])
        tare__axes_reduce(x, mask, true, out[1]);
    return status;
}

tare_value *tare__axes_restore(const tare_builder *b, tare_value *dy, const tare_desc *kept)
{
    tare_reshape_attr attr = {.shape = {.n = kept->rank}};
    for (int i = 0; i < kept->rank; ++i)
        attr.shape.at[i] = kept->dim[i];
    return tare_desc_same_shape(&dy->d, kept) ? dy : tare_reshape(b->mode, dy, attr);
}

static tare_status infer_sum_like(const tare_args *a, const tare_desc_out *out)
{
    const tare_desc *dy = a->in[0], *like = a->in[1];
    tare_desc both;
    char t0[TARE_DESC_TEXT], t1[TARE_DESC_TEXT];
    if (dy->dtype != TARE_F32 && dy->dtype != TARE_F64)
        return tare_op_error(a, TARE_BAD_DTYPE, "input 0 is %s (need float32 or float64)", tare_dtype_name(dy->dtype));
    if (!tare_desc_broadcast(dy, like, &both) || !tare_desc_same_shape(&both, dy))
        return tare_op_error(a, TARE_BAD_SHAPE,
                             "%s does not broadcast to %s (need, from the last dimension on, equal "
                             "sizes or a 1)",
                             tare_desc_text(like, t1), tare_desc_text(dy, t0));
    *out[0] = *like;
    out[0]->dtype = dy->dtype;
    if (!like->contiguous)
        tare_desc_pack(out[0]);
    return TARE_OK;
}

/* ---- geometry ---------------------------------------------------------------------------------------------------*/
static void add_dimension(int64_t *outer, int *n, int64_t dim, int64_t stride)
{
    outer[*n] = dim;
    outer[TARE_OUTER + (*n)++] = stride;
}

void tare__prepare_merged(const tare_desc *x, uint32_t mask, int64_t *g)
{
    for (int d = 0; d < TARE_OUTER; ++d) {
        g[TARE_R_KEPT + d] = g[TARE_R_SUMMED + d] = 1;
        g[TARE_R_KEPT + TARE_OUTER + d] = g[TARE_R_SUMMED + TARE_OUTER + d] = 0;
    }
    int n_kept = 0, n_summed = 0;
    int64_t stride = 1, dim = 1, reduced = -1; /* of the merged dimension being grown; -1: there is none yet */
    bool inner = true;
    g[TARE_R_DTYPE] = x->dtype;
    g[TARE_R_INNER] = 1;
    g[TARE_R_KIND] = TARE_COLUMNS;
    g[TARE_R_REDUCED] = tare_axes_count(x, mask);
    g[TARE_R_COUNT] = tare_axes_count(x, ~mask);
    for (int i = x->rank - 1; i >= -1; --i) {
        int64_t own = i >= 0 ? (int64_t)(mask >> i & 1) : -1;
        if (i >= 0 && (x->dim[i] == 1 || own == reduced)) {
            dim *= x->dim[i];
            continue;
        }
        if (reduced >= 0 && inner) {
            g[TARE_R_INNER] = dim;
            g[TARE_R_KIND] = reduced ? TARE_RUNS : TARE_COLUMNS;
            inner = false;
        } else if (reduced >= 0) {
            add_dimension(g + (reduced ? TARE_R_SUMMED : TARE_R_KEPT), reduced ? &n_summed : &n_kept, dim, stride);
        }
        stride *= dim;
        dim = i >= 0 ? x->dim[i] : 1;
        reduced = own;
    }
}

static void prepare_sum(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    uint32_t mask;
    if (tare__axes_mask(a, a->in[0], &mask) == TARE_OK)
        tare__prepare_sum(a, mask, 1, out, w);
}

static void prepare_mean(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    uint32_t mask;
    if (tare__axes_mask(a, a->in[0], &mask) == TARE_OK)
        tare__prepare_sum(a, mask, (double)tare_axes_count(a->in[0], mask), out, w);
}

/* The axes over which in[1] was broadcast to in[0]. */
static void prepare_like(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    const tare_desc *x = a->in[0], *like = a->in[1];
    uint32_t mask = 0;
    for (int i = 0; i < x->rank; ++i) {
        int own = i - (x->rank - like->rank);
        if (own < 0 || like->dim[own] != x->dim[i])
            mask |= 1u << i;
    }
    tare__prepare_sum(a, mask, 1, out, w);
}

/* ---- records ----------------------------------------------------------------------------------------------------*/
static void sum_gradient(tare_builder *b)
{
    const tare_sum_attr *attr = b->node->attr;
    tare_contribute(
        b, 0,
        tare_sum_grad(b->mode, tare_head(b, 0), tare_input(b, 0), (tare_sum_grad_attr){attr->axes, attr->keep_dims}));
}

static void mean_gradient(tare_builder *b)
{
    const tare_mean_attr *attr = b->node->attr;
    tare_contribute(
        b, 0,
        tare_mean_grad(b->mode, tare_head(b, 0), tare_input(b, 0), (tare_mean_grad_attr){attr->axes, attr->keep_dims}));
}

#define SUM_VARIANTS(prepare_)                                                                                         \
    .variants =                                                                                                        \
        (const tare_variant[]){                                                                                        \
            TARE_NATIVE(sum, "", .dtypes = TARE_BIT(TARE_F32), .in_strides = {0, TARE_STRIDES_ANY},                    \
                        .prepare = prepare_, .combine = tare__sum_combine),                                            \
            TARE_REFERENCE(tare__sum_reference, .in_strides = {0, TARE_STRIDES_ANY}, .prepare = prepare_)},            \
    .n_variants = TARE_N_NATIVE + 1, .tolerance = 2e-6

static const tare_sample sum_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,5]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[3,5]", "axes=0", NULL},
    {TARE_SAMPLE_CHECK, "f32[3,5]", "axes=-1,keep_dims=true", NULL},
    {TARE_SAMPLE_CHECK, "f32[16,17]", "axes=0", NULL},
    {TARE_SAMPLE_CHECK, "f32[33,1025]", "axes=1", NULL},
    {TARE_SAMPLE_CHECK, "f32[2051,33]", "axes=0", NULL},
    {TARE_SAMPLE_CHECK, "f32[129,2063]", "axes=0", NULL},
    {TARE_SAMPLE_CHECK, "f32[5,7,31]", "axes=0-2", NULL},
    {TARE_SAMPLE_CHECK, "f32[5,7,31]", "axes=1", NULL},
    {TARE_SAMPLE_CHECK, "f32[2,3,2,3,2,3]", "axes=0-2-4", NULL},
    {TARE_SAMPLE_CHECK, "f32[33001]<0,1>", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[4,0]", "axes=0", NULL},
    {TARE_SAMPLE_BENCH, "f32[16]", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[256,300]", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[256,300]", "axes=0", NULL},
    {TARE_SAMPLE_BENCH, "f32[256,300]", "axes=1", NULL},
    {TARE_SAMPLE_BENCH, "f32[64,20,24,24]", "axes=0-2-3", NULL},
    {TARE_SAMPLE_REJECT, "f32[3,4]", "axes=2", "axis 2 is not one of [3,4] (need -2 to 1)"},
    {TARE_SAMPLE_REJECT, "f32[3,4]", "axes=1--1", "axis -1 of [3,4] is named twice"},
    {TARE_SAMPLE_REJECT, "i32[3]", NULL, "need float32 or float64"},
};

const tare_op tare_op_sum = {
    .name = "sum",
    .doc = "y = sum of x over the axes; x [...], y [...] without the axes (or with 1 in their place). Of nothing: 0",
    .n_in = 1,
    .n_out = 1,
    .attrs = tare__axes_attrs,
    .n_attrs = 2,
    .attr_bytes = sizeof(tare_sum_attr),
    .infer = tare__infer_axes,
    .gradient = sum_gradient,
    SUM_VARIANTS(prepare_sum),
    .samples = sum_samples,
    .n_samples = TARE_COUNT_OF(sum_samples),
};

const tare_op tare_op_mean = {
    .name = "mean",
    .doc = "y = mean of x over the axes; x [...], y [...] without the axes (or with 1 in their place). Of nothing: NaN",
    .n_in = 1,
    .n_out = 1,
    .attrs = tare__axes_attrs,
    .n_attrs = 2,
    .attr_bytes = sizeof(tare_mean_attr),
    .infer = tare__infer_axes,
    .gradient = mean_gradient,
    SUM_VARIANTS(prepare_mean),
    .samples = sum_samples,
    .n_samples = TARE_COUNT_OF(sum_samples),
};

const tare_op tare_op_sum_like = {
    .name = "sum_like",
    .doc = "x = dy summed over the axes along which x was broadcast to dy; dy [...], like (only its shape counts) "
           "and x [...]",
    .n_in = 2,
    .n_out = 1,
    .shape_only = 2,
    .infer = infer_sum_like,
    .not_differentiable = true,
    SUM_VARIANTS(prepare_like),
    .samples = (const tare_sample[]){{TARE_SAMPLE_CHECK, "f32[3,5] f32[5]", NULL, NULL},
                                     {TARE_SAMPLE_CHECK, "f32[3,5] f32[3,1]", NULL, NULL},
                                     {TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5]", NULL, NULL},
                                     {TARE_SAMPLE_CHECK, "f32[3,5] f32[]", NULL, NULL},
                                     {TARE_SAMPLE_CHECK, "f32[] f32[]", NULL, NULL},
                                     {TARE_SAMPLE_CHECK, "f32[0,5] f32[5]", NULL, NULL},
                                     {TARE_SAMPLE_CHECK, "f32[130,131] f32[131]", NULL, NULL},
                                     {TARE_SAMPLE_CHECK, "f32[2,3,4,5] f32[3,1,5]", NULL, NULL},
                                     {TARE_SAMPLE_BENCH, "f32[256,300] f32[300]", NULL, NULL},
                                     {TARE_SAMPLE_BENCH, "f32[256,300] f32[256,1]", NULL, NULL},
                                     {TARE_SAMPLE_REJECT, "f32[3,4] f32[3]", NULL, "[3] does not broadcast to [3,4]"},
                                     {TARE_SAMPLE_REJECT, "f32[4] f32[3,4]", NULL, "[3,4] does not broadcast to [4]"}},
    .n_samples = 12,
};

#endif
