/* max_pool2d.c - the largest of each window of a plane, where it stood, and the gradient that goes back there.
 *
 * Ties, NaN and infinities as in PyTorch: the first of equal maxima in row order, but any NaN wins, the last one; a
 * window of nothing but -infinity names its first element. A window is clipped to the plane, so padding never wins.
 * Where a row of windows lies inside the plane they are compared a vector at a time; a comparison rounds nothing, so
 * the windows at the borders go one by one and give the same. A piece is a group of planes, and so is the gradient's:
 * windows that overlap add in the order of the windows. */
#include "pool2d.h"

static inline void window(const int64_t *g, const float *x, span h, int64_t ow, float *y, int32_t *index)
{
    span w = span_of(ow, g[G_STRIDE_W], g[G_PAD_W], g[G_KERNEL_W], g[G_W]);
    float best = -__builtin_inff();
    int64_t at = h.from * g[G_W] + w.from;
    for (int64_t i = h.from; i < h.end; ++i)
        for (int64_t j = w.from; j < w.end; ++j) {
            float is = x[i * g[G_W] + j];
            bool wins = (is > best) | (is != is);
            best = wins ? is : best;
            at = wins ? i * g[G_W] + j : at;
        }
    *y = best;
    if (index)
        *index = (int32_t)at;
}

/* n <= TARE_LANES windows from ow on that lie inside the plane's width; stride is a constant where it is 1 or 2. */
static inline void windows(const int64_t *g, const float *x, span h, int64_t ow, int64_t n, int64_t stride, float *y,
                           int32_t *index)
{
    static const int32_t lane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const int64_t column = ow * stride - g[G_PAD_W];
    tare_vi at, is_at;
    memcpy(&at, lane, sizeof at);
    at = at * (int32_t)stride + (int32_t)(h.from * g[G_W] + column);
    is_at = at;
    tare_vf best = tare_broadcast(-__builtin_inff());
    for (int64_t i = h.from; i < h.end; ++i, is_at += (int32_t)(g[G_W] - g[G_KERNEL_W]))
        for (int64_t k = column; k < column + g[G_KERNEL_W]; ++k, is_at += 1) {
            tare_vf is = load_every(x + i * g[G_W] + k, stride, g[G_W] - k);
            tare_vi wins = (is > best) | (is != is);
            best = tare_select(wins, is, best);
            at = (is_at & wins) | (at & ~wins);
        }
    store_some(y, best, n);
    if (index)
        memcpy(index, &at, (size_t)n * sizeof *index);
}

/* One row of windows: those inside by vectors, the others one by one. */
static inline void window_row(const int64_t *g, const float *x, int64_t oh, float *y, int32_t *index)
{
    const int64_t stride = g[G_STRIDE_W];
    const span inside = {g[G_INSIDE_FROM], g[G_INSIDE_END]};
    span h = span_of(oh, g[G_STRIDE_H], g[G_PAD_H], g[G_KERNEL_H], g[G_H]);
    for (int64_t ow = 0, n; ow < g[G_OUT_W]; ow += n) {
        int32_t *to = index ? index + ow : NULL;
        n = inside.end - ow < TARE_LANES ? inside.end - ow : TARE_LANES;
        if (ow < inside.from || n < 1) {
            n = 1;
            window(g, x, h, ow, y + ow, to);
        } else if (stride == 1) {
            windows(g, x, h, ow, n, 1, y + ow, to);
        } else if (stride == 2) {
            windows(g, x, h, ow, n, 2, y + ow, to);
        } else {
            windows(g, x, h, ow, n, stride, y + ow, to);
        }
    }
}

/* x, which stands at is_at, in the place of a best that it beats */
static inline void meet(tare_vf is, tare_vi is_at, tare_vf *best, tare_vi *at)
{
    tare_vi wins = (is > *best) | (is != is);
    *best = tare_select(wins, is, *best);
    *at = (is_at & wins) | (*at & ~wins);
}

/* A row of windows of 2x2 from two rows of the plane. */
static inline void quarters(const int64_t *g, const float *plane, int64_t oh, float *y, int32_t *index)
{
    static const int32_t even[16] = {0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30};
    const int32_t width = (int32_t)g[G_W];
    for (int64_t ow = 0; ow < g[G_OUT_W]; ow += TARE_LANES) {
        const int64_t n = g[G_OUT_W] - ow < TARE_LANES ? g[G_OUT_W] - ow : TARE_LANES, from = 2 * (oh * g[G_W] + ow);
        tare_vf best, b, c, d;
        tare_vi at;
        load_pairs(plane + from, 2 * n, &best, &b);
        load_pairs(plane + from + width, 2 * n, &c, &d);
        memcpy(&at, even, sizeof at);
        const tare_vi first = at + (int32_t)from;
        at = first;
        meet(b, first + 1, &best, &at);
        meet(c, first + width, &best, &at);
        meet(d, first + (width + 1), &best, &at);
        store_some(y + ow, best, n);
        if (index)
            store_some((float *)(void *)(index + ow), (tare_vf)at, n);
    }
}

TARE_KERNEL_DECLARE(max_pool2d);
int TARE_KERNEL(max_pool2d)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g, size = g[G_H] * g[G_W], out_size = g[G_OUT_H] * g[G_OUT_W];
    const float *x = c->ptr[0]; /* [N,C,H,W] */
    float *y = c->ptr[1];       /* [N,C,OH,OW] */
    int32_t *index = c->ptr[2]; /* the same, or NULL: not wanted */
    for (planes p = planes_of(c, piece); p.plane < p.end; ++p.plane)
        for (int64_t oh = 0; oh < g[G_OUT_H]; ++oh) {
            int64_t at = p.plane * out_size + oh * g[G_OUT_W];
            if (g[G_QUARTERS])
                quarters(g, x + p.plane * size, oh, y + at, index ? index + at : NULL);
            else
                window_row(g, x + p.plane * size, oh, y + at, index ? index + at : NULL);
        }
    return 0;
}

#ifdef TARE_PASS_RECORDS

static int max_pool2d_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g, size = g[G_H] * g[G_W], out_size = g[G_OUT_H] * g[G_OUT_W];
    int32_t *index = c->ptr[2];
    for (planes p = planes_of(c, piece); p.plane < p.end; ++p.plane)
        for (int64_t o = 0; o < out_size; ++o) {
            span h = span_of(o / g[G_OUT_W], g[G_STRIDE_H], g[G_PAD_H], g[G_KERNEL_H], g[G_H]);
            span w = span_of(o % g[G_OUT_W], g[G_STRIDE_W], g[G_PAD_W], g[G_KERNEL_W], g[G_W]);
            int64_t at = h.from * g[G_W] + w.from;
            double best = -__builtin_inf();
            for (int64_t i = h.from; i < h.end; ++i)
                for (int64_t j = w.from; j < w.end; ++j) {
                    double is = tare_at(c->ptr[0], g[1], p.plane * size + i * g[G_W] + j);
                    bool wins = is > best || is != is;
                    best = wins ? is : best;
                    at = wins ? i * g[G_W] + j : at;
                }
            tare_put(c->ptr[1], g[1], p.plane * out_size + o, best);
            if (index)
                index[p.plane * out_size + o] = (int32_t)at;
        }
    return 0;
}

/* dx is zeros, then every window adds its dy where its maximum stood. The scatter is one add a window: the native
 * variant and the reference differ in the type that they add in. */
#define SCATTER(name, type, get, put)                                                                                  \
    static int name(const tare_call *c, int piece, int worker)                                                         \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        const int64_t *g = c->g, size = g[G_H] * g[G_W], out_size = g[G_OUT_H] * g[G_OUT_W];                           \
        const int32_t *index = c->ptr[1];                                                                              \
        int bad = 0;                                                                                                   \
        for (planes p = planes_of(c, piece); p.plane < p.end; ++p.plane) {                                             \
            int64_t to = p.plane * size, from = p.plane * out_size;                                                    \
            for (int64_t i = 0; i < size; ++i)                                                                         \
                put(to + i, (type)0);                                                                                  \
            for (int64_t o = 0; o < out_size; ++o) {                                                                   \
                int64_t at = index[from + o];                                                                          \
                if (at >= 0 && at < size)                                                                              \
                    put(to + at, get(3, to + at) + get(0, from + o));                                                  \
                else                                                                                                   \
                    bad = 1;                                                                                           \
            }                                                                                                          \
        }                                                                                                              \
        return bad;                                                                                                    \
    }
#define GET_FLOAT(k, i)  ((const float *)c->ptr[k])[i]
#define PUT_FLOAT(i, x)  ((float *)c->ptr[3])[i] = (x)
#define GET_DOUBLE(k, i) tare_at(c->ptr[k], g[1], i)
#define PUT_DOUBLE(i, x) tare_put(c->ptr[3], g[1], i, x)
SCATTER(scatter, float, GET_FLOAT, PUT_FLOAT)
SCATTER(scatter_reference, double, GET_DOUBLE, PUT_DOUBLE)

/* ---- inference and geometry -------------------------------------------------------------------------------------*/
static tare_status max_pool2d_infer(const tare_args *a, const tare_desc_out *out)
{
    tare_status status = tare__pool_check(a, a->in[0], "input 0");
    if (status == TARE_OK)
        status = tare__pool_infer(a, a->in[0], out[0]);
    if (status == TARE_OK) {
        *out[1] = *out[0];
        out[1]->dtype = TARE_I32;
    }
    return status;
}

static tare_status max_pool2d_grad_infer(const tare_args *a, const tare_desc_out *out)
{
    char t0[TARE_DESC_TEXT], t1[TARE_DESC_TEXT];
    const tare_desc *dy = a->in[0], *index = a->in[1], *x = a->in[2];
    tare_status status = tare__pool_check(a, x, "input 2");
    if (status == TARE_OK)
        status = tare__pool_check(a, dy, "dy");
    if (status != TARE_OK)
        return status;
    if (index->dtype != TARE_I32)
        return tare_op_error(a, TARE_BAD_DTYPE, "the indices are %s (need int32)",
                             tare_dtype_name((tare_dtype)index->dtype));
    if (dy->dtype != x->dtype)
        return tare_op_error(a, TARE_BAD_DTYPE, "dy is %s, input 2 is %s (need one dtype)",
                             tare_dtype_name((tare_dtype)dy->dtype), tare_dtype_name((tare_dtype)x->dtype));
    if (!tare_desc_same_shape(dy, index))
        return tare_op_error(a, TARE_BAD_SHAPE, "the indices are %s, dy %s (need the same)", tare_desc_text(index, t1),
                             tare_desc_text(dy, t0));
    if (dy->dim[0] != x->dim[0] || dy->dim[1] != x->dim[1])
        return tare_op_error(a, TARE_BAD_SHAPE, "dy is %s, input 2 is %s (need as many planes)", tare_desc_text(dy, t0),
                             tare_desc_text(x, t1));
    tare_desc_like(out[0], x);
    return TARE_OK;
}

static void prepare_max_pool2d(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    tare__pool_windows(a, a->in[0], out[0], out[0], w);
}

static void prepare_max_pool2d_grad(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    tare__pool_planes(a->in[2], a->in[0], out[0], w);
}

/* ---- records ----------------------------------------------------------------------------------------------------*/
static void max_pool2d_gradient(tare_builder *b)
{
    tare_contribute(b, 0, tare_max_pool2d_grad(b->mode, tare_head(b, 0), tare_output(b, 1), tare_input(b, 0)));
}

const tare_op tare_op_max_pool2d = {
    .name = "max_pool2d",
    .doc = "y = the largest of each window of a plane; x [N,C,H,W], y [N,C,OH,OW]; auxiliary: where it stood in the "
           "plane, int32 [N,C,OH,OW]. A NaN is larger than all",
    .n_in = 1,
    .n_out = 1,
    .n_aux = 1,
    .attrs = tare__pool_attrs,
    .n_attrs = TARE_POOL_ATTRS,
    .attr_bytes = sizeof(tare_max_pool2d_attr),
    .infer = max_pool2d_infer,
    .gradient = max_pool2d_gradient,
    .needs_out = 2,
    .variants =
        (const tare_variant[]){TARE_NATIVE(max_pool2d, "", .dtypes = TARE_BIT(TARE_F32), .prepare = prepare_max_pool2d),
                               TARE_REFERENCE(max_pool2d_reference, .prepare = prepare_max_pool2d)},
    .n_variants = TARE_N_NATIVE + 1,
    TARE_SAMPLES(
        {TARE_SAMPLE_CHECK, "f32[2,3,6,8]", NULL, NULL},
        {TARE_SAMPLE_CHECK, "f32[1,2,7,9]", "kernel_h=3,kernel_w=3,stride_h=2,stride_w=2,pad_h=1,pad_w=1", NULL},
        {TARE_SAMPLE_CHECK, "f32[1,2,5,40]", "kernel_h=3,kernel_w=3,stride_h=1,stride_w=1,pad_h=1,pad_w=1", NULL},
        {TARE_SAMPLE_CHECK, "f32[1,1,4,75]", NULL, NULL},
        {TARE_SAMPLE_CHECK, "f32[1,1,5,110]", "kernel_h=2,kernel_w=4,stride_h=3,stride_w=3,ceil_mode=true", NULL},
        {TARE_SAMPLE_CHECK, "f32[1,1,6,7]", "kernel_h=3,kernel_w=2,ceil_mode=true", NULL},
        {TARE_SAMPLE_CHECK, "f32[3,4,41,41]", "kernel_h=3,kernel_w=3,stride_h=2,stride_w=2", NULL},
        {TARE_SAMPLE_CHECK, "f32[0,4,4,4]", NULL, NULL}, {TARE_SAMPLE_BENCH, "f32[64,20,24,24]", NULL, NULL},
        {TARE_SAMPLE_BENCH, "f32[8,64,56,56]", "kernel_h=3,kernel_w=3,stride_h=2,stride_w=2,pad_h=1,pad_w=1", NULL},
        {TARE_SAMPLE_BENCH, "f32[8,64,28,28]", "kernel_h=3,kernel_w=3,stride_h=1,stride_w=1,pad_h=1,pad_w=1", NULL},
        {TARE_SAMPLE_REJECT, "f32[3,4,4]", NULL, "input 0 is [3,4,4] (need [N,C,H,W])"},
        {TARE_SAMPLE_REJECT, "i32[1,1,4,4]", NULL, "input 0 is int32 (need float32 or float64)"},
        {TARE_SAMPLE_REJECT, "f32[1,1,4,4]", "kernel_h=5", "no window 5,2 with padding 0,0 fits into [1,1,4,4]"},
        {TARE_SAMPLE_REJECT, "f32[1,1,4,4]", "kernel_h=3,pad_h=2", "padding 2,0 is more than half"},
        {TARE_SAMPLE_REJECT, "f32[1,1,4,4]", "stride_h=-1", "stride_h is -1"},
        {TARE_SAMPLE_REJECT, "f32[1,1,4,4]", "kernel_w=0", "kernel_w"}),
};

const tare_op tare_op_max_pool2d_grad = {
    .name = "max_pool2d_grad",
    .doc = "dx = zeros, and each dy added where its maximum stood, in the order of dy; dy [N,C,OH,OW], indices int32 "
           "of max_pool2d, x (only its shape counts) and dx [N,C,H,W]. An index outside the plane is bad data",
    .n_in = 3,
    .n_out = 1,
    .shape_only = 4,
    .infer = max_pool2d_grad_infer,
    .not_differentiable = true,
    .variants =
        (const tare_variant[]){
            {.name = "scatter", .dtypes = TARE_BIT(TARE_F32), .prepare = prepare_max_pool2d_grad, .run = scatter},
            TARE_REFERENCE(scatter_reference, .prepare = prepare_max_pool2d_grad)},
    .n_variants = 2,
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "f32[2,3,3,4] i32[2,3,3,4]<0,48> f32[2,3,6,8]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[3,4,41,41] i32[3,4,41,41]<0,1681> f32[3,4,41,41]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[0,4,2,2] i32[0,4,2,2] f32[0,4,4,4]", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "f32[64,20,12,12] i32[64,20,12,12]<0,576> f32[64,20,24,24]", NULL, NULL},
                 {TARE_SAMPLE_REJECT, "f32[1,1,2,2] f32[1,1,2,2] f32[1,1,4,4]", NULL, "the indices are float32"},
                 {TARE_SAMPLE_REJECT, "f32[1,1,2,2] i32[1,1,2,3] f32[1,1,4,4]", NULL, "the indices are [1,1,2,3], dy"},
                 {TARE_SAMPLE_REJECT, "f32[2,1,2,2] i32[2,1,2,2] f32[1,1,4,4]", NULL, "need as many planes"},
                 {TARE_SAMPLE_REJECT, "f32[1,1,2,2] i32[1,1,2,2]<16,17> f32[1,1,4,4]", NULL, "index out of range"}),
    .tolerance = 1e-6,
};

#endif
