/* max_pool2d.c - the largest of each window of a plane, where it stood, and the gradient that goes back there.
 *
 * Ties, NaN and infinities as in PyTorch: the first of equal maxima in row order, but any NaN wins, the last one; a
 * window of nothing but -infinity names its first element. A window is clipped to the plane, so padding never wins.
 *
 * The maximum over a window is that over its rows' maxima, ties and NaN included, and a row of the plane belongs to
 * several windows: its maxima over the windows' width are made once and wait in a ring of as many rows as a window is
 * high. Rows are first copied between -infinities, so that no vector ends at the plane's edge, several ahead of their
 * use: a load waits long for bytes that have just been stored in other portions. A piece is a group of planes, and so
 * is the gradient's: windows that overlap add in the order of the windows. */
#include "pool2d.h"

enum { G_WIDE = G_WORDS, G_PADDED, G_RING, G_MAX_WORDS };
/* g[G_WIDE]: windows of a row, to whole vectors of any instruction set; g[G_PADDED]: a row between its infinities, for
 * whole vectors of windows; g[G_RING]: rows in the ring */
enum { WIDEST = 16, AHEAD = 8 };

/* A worker's scratch. */
typedef struct {
    float *padded;  /* [AHEAD,G_PADDED]: row i's at i % AHEAD */
    float *best;    /* [G_RING,G_WIDE]: a row's maxima over the width of each window */
    int32_t *where; /* [G_RING,G_WIDE]: the columns where they stood */
} rows;

static inline rows rows_of(const tare_call *c, int worker)
{
    const int64_t *g = c->g, padded = AHEAD * g[G_PADDED], ring = g[G_RING] * g[G_WIDE];
    float *at = (float *)c->ptr[4] + worker * (padded + 2 * ring);
    return (rows){at, at + padded, (int32_t *)(void *)(at + padded + ring)};
}

/* x, which stands at is_at, in the place of a best that it beats */
static inline void meet(tare_vf is, tare_vi is_at, tare_vf *best, tare_vi *at)
{
    tare_vi wins = (is > *best) | (is != is);
    *best = tare_select(wins, is, *best);
    *at = (is_at & wins) | (*at & ~wins);
}

static inline tare_vi load_at(const int32_t *p)
{
    tare_vi v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Every stride-th element from p on, of which all are there. */
static inline tare_vf load_apart(const float *p, const int64_t stride)
{
    return load_every(p, stride, TARE_LANES * stride);
}

/* How the windows of a plane go, constants where they are common, so that a window's elements are met without a loop
 * and columns that nobody asks for are not kept. */
typedef struct {
    int64_t stride, kernel;
    bool indexed;
} manner;

/* The maxima of a row over the width of each window, and their columns. */
static inline __attribute__((always_inline)) void row_maxima(const int64_t *g, const float *padded, const manner m,
                                                             float *best, int32_t *where)
{
    const int64_t stride = m.stride;
    static const int32_t lane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const tare_vi lanes = load_at(lane) * (int32_t)stride;
    for (int64_t ow = 0; ow < g[G_OUT_W]; ow += TARE_LANES) {
        const float *from = padded + ow * stride;
        tare_vi column = lanes + (int32_t)(ow * stride - g[G_PAD_W]), at = column & (column > 0);
        tare_vf most = tare_broadcast(-__builtin_inff());
        for (int64_t k = 0; k < m.kernel; ++k, column += 1)
            meet(load_apart(from + k, stride), column, &most, &at);
        tare_store(best + ow, most);
        if (m.indexed)
            memcpy(where + ow, &at, sizeof at);
    }
}

/* A row of windows from the maxima of the rows that it has, `height` of them, a constant where it is common. */
static inline __attribute__((always_inline)) void
window_row(const int64_t *g, const rows *r, span h, const int64_t height, const manner m, float *y, int32_t *index)
{
    const int64_t first = h.from % g[G_RING] * g[G_WIDE], end = g[G_RING] * g[G_WIDE];
    for (int64_t ow = 0; ow < g[G_OUT_W]; ow += TARE_LANES) {
        int64_t slot = first + ow, below = h.from * g[G_W];
        tare_vf best = tare_load(r->best + slot);
        tare_vi at = {0}, is_at = {0};
        if (m.indexed)
            at = load_at(r->where + slot) + (int32_t)below;
        for (int64_t i = 1; i < height; ++i) {
            slot += slot + g[G_WIDE] < end ? g[G_WIDE] : g[G_WIDE] - end;
            below += g[G_W];
            if (m.indexed)
                is_at = load_at(r->where + slot) + (int32_t)below;
            meet(tare_load(r->best + slot), is_at, &best, &at);
        }
        store_some(y + ow, best, g[G_OUT_W] - ow);
        if (m.indexed)
            store_some((float *)(void *)(index + ow), (tare_vf)at, g[G_OUT_W] - ow);
    }
}

static inline __attribute__((always_inline)) void plane_maxima(const int64_t *g, const rows *r, const float *x,
                                                               const manner m, float *y, int32_t *index)
{
    int64_t next = 0, copied = 0; /* rows whose maxima are made; that are between their infinities */
    for (int64_t oh = 0; oh < g[G_OUT_H]; ++oh) {
        const span h = span_of(oh, g[G_STRIDE_H], g[G_PAD_H], g[G_KERNEL_H], g[G_H]);
        next = next > h.from ? next : h.from;
        copied = copied > next ? copied : next;
        for (; next < h.end; ++next) {
            const int64_t slot = next % g[G_RING] * g[G_WIDE];
            for (; copied < g[G_H] && copied < next + AHEAD; ++copied)
                copy_row(x + copied * g[G_W], g[G_W], r->padded + copied % AHEAD * g[G_PADDED] + g[G_PAD_W]);
            row_maxima(g, r->padded + next % AHEAD * g[G_PADDED], m, r->best + slot, r->where + slot);
        }
        float *to = y + oh * g[G_OUT_W];
        int32_t *at = m.indexed ? index + oh * g[G_OUT_W] : NULL;
        if (h.end - h.from == 3)
            window_row(g, r, h, 3, m, to, at);
        else
            window_row(g, r, h, h.end - h.from, m, to, at);
    }
}

/* The manners that are common have code of their own. */
static inline void plane_rows(const int64_t *g, const rows *r, const float *x, float *y, int32_t *index)
{
    const int64_t stride = g[G_STRIDE_W], kernel = g[G_KERNEL_W];
    if (kernel == 3 && stride == 1 && index)
        plane_maxima(g, r, x, (manner){1, 3, true}, y, index);
    else if (kernel == 3 && stride == 2 && index)
        plane_maxima(g, r, x, (manner){2, 3, true}, y, index);
    else if (kernel == 3 && stride == 1)
        plane_maxima(g, r, x, (manner){1, 3, false}, y, NULL);
    else if (kernel == 3 && stride == 2)
        plane_maxima(g, r, x, (manner){2, 3, false}, y, NULL);
    else
        plane_maxima(g, r, x, (manner){stride, kernel, index != NULL}, y, index);
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
    const int64_t *g = c->g, size = g[G_H] * g[G_W], out_size = g[G_OUT_H] * g[G_OUT_W];
    rows r = {0};
    if (!g[G_QUARTERS])
        r = rows_of(c, worker);
    for (int64_t i = 0; r.padded && i < AHEAD * g[G_PADDED]; ++i)
        r.padded[i] = -__builtin_inff();
    for (planes p = planes_of(c, piece); p.plane < p.end; ++p.plane) {
        const float *x = (const float *)c->ptr[0] + p.plane * size; /* [N,C,H,W] */
        float *y = (float *)c->ptr[1] + p.plane * out_size;         /* [N,C,OH,OW] */
        int32_t *index = c->ptr[2];                                 /* the same, or NULL: not wanted */
        index = index ? index + p.plane * out_size : NULL;
        if (g[G_QUARTERS])
            for (int64_t oh = 0; oh < g[G_OUT_H]; ++oh)
                quarters(g, x, oh, y + oh * g[G_OUT_W], index ? index + oh * g[G_OUT_W] : NULL);
        else
            plane_rows(g, &r, x, y, index);
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
    int64_t *g = w->g;
    g[G_WIDE] = (g[G_OUT_W] + WIDEST - 1) / WIDEST * WIDEST;
    g[G_RING] = g[G_KERNEL_H] < g[G_H] ? g[G_KERNEL_H] : g[G_H];
    /* the last vector of windows ends here, or the row does */
    const int64_t read = g[G_WIDE] * g[G_STRIDE_W] + g[G_KERNEL_W], row = g[G_PAD_W] + g[G_W];
    g[G_PADDED] = ((read > row ? read : row) + WIDEST - 1) / WIDEST * WIDEST;
    w->n_g = G_MAX_WORDS;
    if (!g[G_QUARTERS])
        w->worker_bytes = (size_t)(AHEAD * g[G_PADDED] + 2 * g[G_RING] * g[G_WIDE]) * sizeof(float);
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
