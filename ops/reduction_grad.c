/* reduction_grad.c - sum_grad and mean_grad: a result's gradient goes to every element that it was made of.
 *
 * dx has x's shape; dy is walked beside it with stride 0 along the axes that were gone over. */
#include "broadcast.h"
#include "reduction.h"

enum { G_DIVISOR = TARE_WALK_WORDS(1) }; /* bits of a double: 1, or the count for a mean */

/* out[i] = dy[i * stride] / divisor, i < n: stride 0 (inside a sum), 1 or any */
static inline void spread_row(float *out, const float *dy, int64_t stride, int64_t n, tare_vf divisor, bool divides)
{
    int64_t i = 0;
    if (stride == 0) {
        tare_vf all = tare_broadcast(*dy) / divisor;
        for (; i + TARE_LANES <= n; i += TARE_LANES)
            tare_store(out + i, all);
        if (i < n)
            tare_store_part(out + i, all, n - i);
        return;
    }
    if (stride == 1 && !divides) {
        memcpy(out, dy, (size_t)n * sizeof *out);
        return;
    }
    for (; i < n; i += TARE_LANES) {
        int64_t m = n - i < TARE_LANES ? n - i : TARE_LANES;
        float lane[TARE_LANES] = {0};
        for (int64_t l = 0; l < m; ++l)
            lane[l] = dy[(i + l) * stride];
        tare_vf v = tare_load(lane) / divisor;
        if (m == TARE_LANES)
            tare_store(out + i, v);
        else
            tare_store_part(out + i, v, m);
    }
}

TARE_KERNEL_DECLARE(spread);
int TARE_KERNEL(spread)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g;
    const float *dy = c->ptr[0];
    float *out = c->ptr[2];
    double divisor = tare_unbits(g[G_DIVISOR]);
    int64_t i, end, n;
    tare_piece_range(c, piece, &i, &end);
    for (tare_walk w = tare_walk_to(g, i, 1); i < end; i += n) {
        n = tare_walk_row(&w, g, end - i);
        spread_row(out + i, dy + w.offset[0], g[TARE_WALK_STRIDE], n, tare_broadcast((float)divisor), divisor != 1);
        if (i + n < end)
            tare_walk_on(&w, g, n, 1);
    }
    return 0;
}

#ifdef TARE_PASS_RECORDS

static int spread_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g;
    int64_t i, end;
    tare_piece_range(c, piece, &i, &end);
    for (tare_walk w = tare_walk_to(g, i, 1); i < end; ++i) {
        tare_put(c->ptr[2], g[1], i, tare_at(c->ptr[0], g[1], w.offset[0]) / tare_unbits(g[G_DIVISOR]));
        tare_walk_on(&w, g, 1, 1);
    }
    return 0;
}

static tare_status infer(const tare_args *a, const tare_desc_out *out)
{
    const tare_desc *dy = a->in[0], *like = a->in[1];
    tare_desc result;
    uint32_t mask;
    if (dy->dtype != TARE_F32 && dy->dtype != TARE_F64)
        return tare_op_error(a, TARE_BAD_DTYPE, "input 0 is %s (need float32 or float64)", tare_dtype_name(dy->dtype));
    tare_status status = tare__axes_mask(a, like, &mask);
    if (status != TARE_OK)
        return status;
    tare__axes_reduce(like, mask, ((const tare_axes_attr *)a->attr)->keep_dims, &result);
    char t0[TARE_DESC_TEXT], t1[TARE_DESC_TEXT], t2[TARE_DESC_TEXT];
    if (!tare_desc_same_shape(&result, dy))
        return tare_op_error(a, TARE_BAD_SHAPE, "dy is %s, but going over these axes of %s leaves %s (need that shape)",
                             tare_desc_text(dy, t0), tare_desc_text(like, t1), tare_desc_text(&result, t2));
    *out[0] = *like;
    out[0]->dtype = dy->dtype;
    tare_desc_pack(out[0]);
    return TARE_OK;
}

static void prepare(const tare_args *a, const tare_desc_ref *out, bool mean, tare_work *w)
{
    const tare_desc *dy = a->in[0];
    uint32_t mask = 0;
    if (tare__axes_mask(a, a->in[1], &mask) != TARE_OK)
        return; /* infer has passed them */
    bool keep_dims = ((const tare_axes_attr *)a->attr)->keep_dims;
    /* dy as if its axes had been kept */
    tare_desc kept = *out[0];
    for (int i = 0, own = 0; i < kept.rank; ++i) {
        bool gone = mask >> i & 1;
        kept.dim[i] = gone ? 1 : out[0]->dim[i];
        kept.stride[i] = gone ? 0 : dy->stride[own];
        own += !gone || keep_dims;
    }
    tare__prepare_walk(out[0], (const tare_desc_ref[]){&kept}, 1, w);
    w->g[G_DIVISOR] = tare_bits(mean ? (double)tare_axes_count(out[0], mask) : 1);
    w->n_g = G_DIVISOR + 1;
}

static void prepare_sum_grad(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    prepare(a, out, false, w);
}

static void prepare_mean_grad(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    prepare(a, out, true, w);
}

static const tare_sample samples[] = {
    {TARE_SAMPLE_CHECK, "f32[] f32[3,5]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[] f32[]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[5] f32[3,5]", "axes=0", NULL},
    {TARE_SAMPLE_CHECK, "f32[3,1] f32[3,5]", "axes=-1,keep_dims=true", NULL},
    {TARE_SAMPLE_CHECK, "f32[7] f32[5,7,31]", "axes=0-2", NULL},
    {TARE_SAMPLE_CHECK, "f32[5,31] f32[5,7,31]", "axes=1", NULL},
    {TARE_SAMPLE_CHECK, "f32[3,3,3] f32[2,3,2,3,2,3]", "axes=0-2-4", NULL},
    {TARE_SAMPLE_CHECK, "f32[] f32[16385]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[0] f32[4,0]", "axes=0", NULL},
    {TARE_SAMPLE_BENCH, "f32[] f32[256,300]", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[300] f32[256,300]", "axes=0", NULL},
    {TARE_SAMPLE_BENCH, "f32[256] f32[256,300]", "axes=1", NULL},
    {TARE_SAMPLE_REJECT, "f32[3] f32[3,4]", "axes=0", "dy is [3], but going over these axes of [3,4] leaves [4]"},
    {TARE_SAMPLE_REJECT, "f32[3] f32[3,4]", "axes=5", "axis 5 is not one of [3,4]"},
};

#define SPREAD_RECORD(name_, doc_, attr_, prepare_, tolerance_)                                                        \
    const tare_op tare_op_##name_ = {                                                                                  \
        .name = #name_,                                                                                                \
        .doc = doc_ "; like (only its shape counts) and dx [...], dy as the axes of dx leave it",                      \
        .n_in = 2,                                                                                                     \
        .n_out = 1,                                                                                                    \
        .shape_only = 2,                                                                                               \
        .attrs = tare__axes_attrs,                                                                                     \
        .n_attrs = 2,                                                                                                  \
        .attr_bytes = sizeof(attr_),                                                                                   \
        .infer = infer,                                                                                                \
        .not_differentiable = true,                                                                                    \
        .variants =                                                                                                    \
            (const tare_variant[]){                                                                                    \
                TARE_NATIVE(spread, "", .dtypes = TARE_BIT(TARE_F32),                                                  \
                            .in_strides = {TARE_STRIDES_ANY, TARE_STRIDES_ANY}, .prepare = prepare_),                  \
                TARE_REFERENCE(spread_reference, .in_strides = {TARE_STRIDES_ANY, TARE_STRIDES_ANY},                   \
                               .prepare = prepare_)},                                                                  \
        .n_variants = TARE_N_NATIVE + 1,                                                                               \
        .samples = samples,                                                                                            \
        .n_samples = TARE_COUNT_OF(samples),                                                                           \
        .tolerance = tolerance_,                                                                                       \
    }

SPREAD_RECORD(sum_grad, "dx = dy along every axis that was summed", tare_sum_grad_attr, prepare_sum_grad, 0);
SPREAD_RECORD(mean_grad, "dx = dy / n along the axes that were gone over, n elements each", tare_mean_grad_attr,
              prepare_mean_grad, 2e-7); /* count and quotient are rounded */

#endif
