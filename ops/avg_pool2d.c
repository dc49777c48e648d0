/* avg_pool2d.c - the mean of each window of a plane, and its gradient.
 *
 * A window's elements are added in row order, then divided once. What is divided by is PyTorch's: with
 * count_include_pad the window's size within the padded plane, else within the plane. The gradient adds dy / divisor
 * to every element of a window, window after window; where windows neither overlap nor leave the plane, each element is
 * written once. A piece is a group of planes.
 *
 * Rows are first copied between zeros, several ahead of their use, so that every window of a row is a lane of whole
 * vectors: a sum that begins at zero takes more zeros without a change of any bit. The gradient goes over dx in the
 * same way, where windows are one or two columns apart: rows of shares dy / divisor lie between zeros, and an element
 * adds those of the windows that hold it, in their order. Column j = stride m + e, e < stride, is held by the windows
 * m + (e + pad) / stride - t of a row, for the t that make (e + pad) mod stride + stride t < kernel: lanes are m. */
#include "pool2d.h"

enum { G_WIDE = G_WORDS, G_PADDED, G_RING, G_LEFT, G_AVG_WORDS };
/* g[G_WIDE]: windows of a row, to whole vectors of any instruction set; g[G_PADDED]: a row between its zeros, for whole
 * vectors of windows; g[G_RING]: rows that wait in a ring; 0: they would be too many, or there is a better way;
 * g[G_LEFT]: zeros before a row of shares */
enum { AHEAD = 8, RING_MOST = 1 << 18 };

TARE_KERNEL_DECLARE(avg_pool2d);
TARE_KERNEL_DECLARE(avg_pool2d_grad);

/* What the sum of the window (oh,ow), which has rows h and columns w of the plane, is divided by. */
static inline int64_t divisor_of(const int64_t *g, int64_t oh, int64_t ow, span h, span w)
{
    if (!g[G_INCLUDE_PAD])
        return (h.end - h.from) * (w.end - w.from);
    int64_t top = oh * g[G_STRIDE_H] - g[G_PAD_H], left = ow * g[G_STRIDE_W] - g[G_PAD_W];
    int64_t height = g[G_H] + g[G_PAD_H] - top, width = g[G_W] + g[G_PAD_W] - left;
    return (height < g[G_KERNEL_H] ? height : g[G_KERNEL_H]) * (width < g[G_KERNEL_W] ? width : g[G_KERNEL_W]);
}

static inline span rows_of(const int64_t *g, int64_t oh)
{
    return span_of(oh, g[G_STRIDE_H], g[G_PAD_H], g[G_KERNEL_H], g[G_H]);
}
static inline span columns_of(const int64_t *g, int64_t ow)
{
    return span_of(ow, g[G_STRIDE_W], g[G_PAD_W], g[G_KERNEL_W], g[G_W]);
}

static inline float window(const int64_t *g, const float *x, span h, int64_t oh, int64_t ow)
{
    span w = columns_of(g, ow);
    float sum = 0;
    for (int64_t i = h.from; i < h.end; ++i)
        for (int64_t j = w.from; j < w.end; ++j)
            sum += x[i * g[G_W] + j];
    return sum / (float)divisor_of(g, oh, ow, h, w);
}

/* A worker's scratch. */
typedef struct {
    float *columns; /* [G_WIDE]: by how many columns a window's sum is divided */
    float *padded;  /* [G_RING,G_PADDED]: row i's at i % G_RING */
} rows;

/* Floats of it. */
static inline int64_t rows_room(const int64_t *g)
{
    return g[G_WIDE] + g[G_RING] * g[G_PADDED] + TARE_WORKERS_APART / 4;
}

/* Zeros around the rows, and the columns of each window. */
static inline rows rows_begin(const int64_t *g, float *scratch, int worker)
{
    const int64_t ring = g[G_RING] * g[G_PADDED];
    float *at = scratch + worker * rows_room(g);
    rows r = {at, at + g[G_WIDE]};
    memset(r.padded, 0, (size_t)ring * sizeof *r.padded);
    for (int64_t ow = 0; ow < g[G_WIDE]; ++ow) {
        const span w = columns_of(g, ow);
        const int64_t left = ow * g[G_STRIDE_W] - g[G_PAD_W], width = g[G_W] + g[G_PAD_W] - left;
        const int64_t padded = width < g[G_KERNEL_W] ? width : g[G_KERNEL_W];
        r.columns[ow] = ow >= g[G_OUT_W] ? 1 : (float)(g[G_INCLUDE_PAD] ? padded : w.end - w.from);
    }
    return r;
}

/* Every stride-th element from p on, of which all are there. */
static inline __attribute__((always_inline)) tare_vf load_apart(const float *p, const int64_t stride)
{
    return load_every(p, stride, TARE_LANES * stride);
}

/* A row of windows from its rows of the plane, the first of which stands at `slot` of the ring; stride and kernel are
 * constants where they are common. */
static inline __attribute__((always_inline)) void window_row(const int64_t *g, const rows *r, int64_t slot,
                                                             int64_t height, float divisor, const int64_t stride,
                                                             const int64_t kernel, float *y)
{
    const float *end = r->padded + g[G_RING] * g[G_PADDED];
    for (int64_t ow = 0; ow < g[G_OUT_W]; ow += TARE_LANES) {
        const float *row = r->padded + slot * g[G_PADDED];
        tare_vf sum = {0};
        for (int64_t i = 0; i < height; ++i) {
            for (int64_t k = 0; k < kernel; ++k)
                sum += load_apart(row + ow * stride + k, stride);
            row = row + g[G_PADDED] < end ? row + g[G_PADDED] : r->padded;
        }
        store_some(y + ow, sum / (tare_load(r->columns + ow) * divisor), g[G_OUT_W] - ow);
    }
}

/* By how many rows the sums of a row of windows are divided. */
static inline float rows_divisor(const int64_t *g, int64_t oh, span h)
{
    const int64_t below = g[G_H] + 2 * g[G_PAD_H] - oh * g[G_STRIDE_H];
    return (float)(!g[G_INCLUDE_PAD] ? h.end - h.from : below < g[G_KERNEL_H] ? below : g[G_KERNEL_H]);
}

static inline void plane_means(const int64_t *g, const rows *r, const float *x, float *y)
{
    int64_t copied = 0;
    for (int64_t oh = 0; oh < g[G_OUT_H]; ++oh, y += g[G_OUT_W]) {
        const span h = rows_of(g, oh);
        copied = copied > h.from ? copied : h.from;
        for (; copied < g[G_H] && copied < h.end + AHEAD; ++copied)
            copy_row(x + copied * g[G_W], g[G_W], r->padded + copied % g[G_RING] * g[G_PADDED] + g[G_PAD_W]);
        const int64_t stride = g[G_STRIDE_W], height = h.end - h.from;
        const float divisor = rows_divisor(g, oh, h);
        if (g[G_KERNEL_W] == 3 && stride == 1)
            window_row(g, r, h.from % g[G_RING], height, divisor, 1, 3, y);
        else if (g[G_KERNEL_W] == 3 && stride == 2)
            window_row(g, r, h.from % g[G_RING], height, divisor, 2, 3, y);
        else
            window_row(g, r, h.from % g[G_RING], height, divisor, stride, g[G_KERNEL_W], y);
    }
}

/* Two rows of the plane to one of windows of 2x2. */
static inline void quarters(const int64_t *g, const float *x, float *y)
{
    for (int64_t ow = 0; ow < g[G_OUT_W]; ow += TARE_LANES) {
        const int64_t n = g[G_OUT_W] - ow;
        tare_vf a, b, c, d;
        load_pairs(x + 2 * ow, 2 * n, &a, &b);
        load_pairs(x + g[G_W] + 2 * ow, 2 * n, &c, &d);
        store_some(y + ow, (((a + b) + c) + d) * 0.25f, n);
    }
}

enum { AT_ONCE = 8 };

/* One window a plane: a sum waits for each of its additions, so those of several planes go side by side. */
static inline void single_windows(const int64_t *g, const float *x, planes p, float *y)
{
    const span h = rows_of(g, 0), w = columns_of(g, 0);
    const int64_t size = g[G_H] * g[G_W];
    const float divisor = (float)divisor_of(g, 0, 0, h, w);
    for (int64_t n; p.plane < p.end; p.plane += n) {
        n = p.end - p.plane < AT_ONCE ? 1 : AT_ONCE;
        const float *from = x + p.plane * size;
        float sum[AT_ONCE] = {0};
        for (int64_t i = h.from; i < h.end; ++i)
            for (int64_t j = i * g[G_W] + w.from; j < i * g[G_W] + w.end; ++j) {
                if (n == 1)
                    sum[0] += from[j];
                else
                    for (int k = 0; k < AT_ONCE; ++k)
                        sum[k] += from[k * size + j];
            }
        for (int k = 0; k < n; ++k)
            y[p.plane + k] = sum[k] / divisor;
    }
}

int TARE_KERNEL(avg_pool2d)(const tare_call *c, int piece, int worker)
{
    const int64_t *g = c->g, size = g[G_H] * g[G_W], out_size = g[G_OUT_H] * g[G_OUT_W];
    const float *x = c->ptr[0]; /* [N,C,H,W] */
    float *y = c->ptr[1];       /* [N,C,OH,OW] */
    if (out_size == 1) {
        single_windows(g, x, planes_of(c, piece), y);
        return 0;
    }
    const rows r = g[G_RING] ? rows_begin(g, c->ptr[3], worker) : (rows){0};
    for (planes p = planes_of(c, piece); p.plane < p.end; ++p.plane) {
        const float *from = x + p.plane * size;
        float *to = y + p.plane * out_size;
        if (g[G_RING])
            plane_means(g, &r, from, to);
        for (int64_t oh = 0; oh < g[G_OUT_H] && g[G_WAY] == QUARTERED; ++oh)
            quarters(g, from + 2 * oh * g[G_W], to + oh * g[G_OUT_W]);
        for (int64_t o = 0; o < out_size && !g[G_RING] && g[G_WAY] != QUARTERED; ++o)
            to[o] = window(g, from, rows_of(g, o / g[G_OUT_W]), o / g[G_OUT_W], o % g[G_OUT_W]);
    }
    return 0;
}

/* Windows of 2x2 side by side, all inside: rows 2 oh and 2 oh + 1 of dx. */
static inline void quarter_rows(const int64_t *g, const float *dy, float *dx)
{
    const int64_t width = g[G_W];
    for (int64_t ow = 0; ow < g[G_OUT_W]; ow += TARE_LANES) {
        int64_t left = 2 * (g[G_OUT_W] - ow);
        tare_vf each = load_some(dy + ow, g[G_OUT_W] - ow) * 0.25f, low = twice(each, false), high = twice(each, true);
        for (float *row = dx + 2 * ow, *end = row + 2 * width; row != end; row += width) {
            store_some(row, low, left);
            store_some(row + TARE_LANES, high, left - TARE_LANES);
        }
    }
    if (width % 2)
        dx[width - 1] = dx[2 * width - 1] = 0;
}

static inline void spread(const int64_t *g, const float *dy, float *dx)
{
    memset(dx, 0, (size_t)(g[G_H] * g[G_W]) * sizeof *dx);
    for (int64_t oh = 0; oh < g[G_OUT_H]; ++oh)
        for (int64_t ow = 0; ow < g[G_OUT_W]; ++ow) {
            span h = rows_of(g, oh), w = columns_of(g, ow);
            float each = dy[oh * g[G_OUT_W] + ow] / (float)divisor_of(g, oh, ow, h, w);
            for (int64_t i = h.from; i < h.end; ++i)
                for (int64_t j = w.from; j < w.end; ++j)
                    dx[i * g[G_W] + j] += each;
        }
}

/* A row of windows' shares to its place in the ring. */
static inline void share_row(const int64_t *g, const rows *r, const float *dy, int64_t oh)
{
    const tare_vf divisor = tare_broadcast(rows_divisor(g, oh, rows_of(g, oh)));
    float *to = r->padded + oh % g[G_RING] * g[G_PADDED] + g[G_LEFT];
    dy += oh * g[G_OUT_W];
    for (int64_t ow = 0; ow < g[G_OUT_W]; ow += TARE_LANES) {
        const int64_t left = g[G_OUT_W] - ow;
        store_some(to + ow, load_some(dy + ow, left) / (tare_load(r->columns + ow) * divisor), left);
    }
}

/* The lanes from m on of column class e: the shares of the rows of windows h. */
static inline __attribute__((always_inline)) tare_vf gather_class(const int64_t *g, const rows *r, span h, int64_t m,
                                                                  const int64_t e, const int64_t stride,
                                                                  const int64_t kernel)
{
    const int64_t inner = (e + g[G_PAD_W]) % stride, last = (kernel - 1 - inner) / stride;
    const int64_t first = g[G_LEFT] + m + (e + g[G_PAD_W]) / stride - last;
    const float *row = r->padded + h.from % g[G_RING] * g[G_PADDED], *end = r->padded + g[G_RING] * g[G_PADDED];
    tare_vf sum = {0};
    for (int64_t oh = h.from; oh < h.end; ++oh) {
        for (int64_t t = 0; t <= last; ++t)
            sum += tare_load(row + first + t);
        row = row + g[G_PADDED] < end ? row + g[G_PADDED] : r->padded;
    }
    return sum;
}

static inline __attribute__((always_inline)) void gather_row(const int64_t *g, const rows *r, span h,
                                                             const int64_t stride, const int64_t kernel, float *dx)
{
    for (int64_t m = 0, left = g[G_W]; left > 0; m += TARE_LANES, left -= stride * TARE_LANES) {
        float *to = dx + m * stride;
        const tare_vf even = gather_class(g, r, h, m, 0, stride, kernel);
        if (stride == 1) {
            store_some(to, even, left);
            continue;
        }
        const tare_vf odd = gather_class(g, r, h, m, 1, stride, kernel);
        store_some(to, merged(even, odd, false), left);
        store_some(to + TARE_LANES, merged(even, odd, true), left - TARE_LANES);
    }
}

static inline void gather_plane(const int64_t *g, const rows *r, const float *dy, float *dx)
{
    const int64_t stride = g[G_STRIDE_H], pad = g[G_PAD_H];
    int64_t shared = 0;
    for (int64_t i = 0; i < g[G_H]; ++i, dx += g[G_W]) {
        const int64_t below = i + pad - g[G_KERNEL_H] + stride, end = (i + pad) / stride + 1;
        const span h = {below > 0 ? below / stride : 0, end < g[G_OUT_H] ? end : g[G_OUT_H]};
        for (; shared < g[G_OUT_H] && shared < h.end + AHEAD; ++shared)
            share_row(g, r, dy, shared);
        if (g[G_KERNEL_W] == 3 && g[G_STRIDE_W] == 1)
            gather_row(g, r, h, 1, 3, dx);
        else if (g[G_KERNEL_W] == 3)
            gather_row(g, r, h, 2, 3, dx);
        else
            gather_row(g, r, h, g[G_STRIDE_W], g[G_KERNEL_W], dx);
    }
}

static inline void quarter_plane(const int64_t *g, const float *dy, float *dx)
{
    for (int64_t oh = 0; oh < g[G_OUT_H]; ++oh)
        quarter_rows(g, dy + oh * g[G_OUT_W], dx + 2 * oh * g[G_W]);
    if (g[G_H] % 2)
        memset(dx + (g[G_H] - 1) * g[G_W], 0, (size_t)g[G_W] * sizeof *dx);
}

int TARE_KERNEL(avg_pool2d_grad)(const tare_call *c, int piece, int worker)
{
    const int64_t *g = c->g, size = g[G_H] * g[G_W], out_size = g[G_OUT_H] * g[G_OUT_W];
    const rows r = g[G_RING] ? rows_begin(g, c->ptr[4], worker) : (rows){0};
    for (planes p = planes_of(c, piece); p.plane < p.end; ++p.plane) {
        const float *dy = (const float *)c->ptr[0] + p.plane * out_size; /* [N,C,OH,OW] */
        float *dx = (float *)c->ptr[2] + p.plane * size;                 /* [N,C,H,W] */
        if (g[G_RING])
            gather_plane(g, &r, dy, dx);
        else if (g[G_WAY] == QUARTERED)
            quarter_plane(g, dy, dx);
        else
            spread(g, dy, dx);
    }
    return 0;
}

#ifdef TARE_PASS_RECORDS

static int avg_pool2d_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g, size = g[G_H] * g[G_W], out_size = g[G_OUT_H] * g[G_OUT_W];
    for (planes p = planes_of(c, piece); p.plane < p.end; ++p.plane)
        for (int64_t o = 0; o < out_size; ++o) {
            int64_t oh = o / g[G_OUT_W], ow = o % g[G_OUT_W];
            span h = rows_of(g, oh), w = columns_of(g, ow);
            double sum = 0;
            for (int64_t i = h.from; i < h.end; ++i)
                for (int64_t j = w.from; j < w.end; ++j)
                    sum += tare_at(c->ptr[0], g[1], p.plane * size + i * g[G_W] + j);
            tare_put(c->ptr[1], g[1], p.plane * out_size + o, sum / (double)divisor_of(g, oh, ow, h, w));
        }
    return 0;
}

/* An element of dx at a time: all windows that hold it. */
static double gradient_at(const tare_call *c, int64_t plane, int64_t i, int64_t j)
{
    const int64_t *g = c->g;
    double sum = 0;
    for (int64_t o = 0; o < g[G_OUT_H] * g[G_OUT_W]; ++o) {
        int64_t oh = o / g[G_OUT_W], ow = o % g[G_OUT_W];
        span h = rows_of(g, oh), w = columns_of(g, ow);
        if (i >= h.from && i < h.end && j >= w.from && j < w.end)
            sum += tare_at(c->ptr[0], g[1], plane * g[G_OUT_H] * g[G_OUT_W] + o) / (double)divisor_of(g, oh, ow, h, w);
    }
    return sum;
}

static int avg_pool2d_grad_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g, size = g[G_H] * g[G_W];
    for (planes p = planes_of(c, piece); p.plane < p.end; ++p.plane)
        for (int64_t i = 0; i < size; ++i)
            tare_put(c->ptr[2], g[1], p.plane * size + i, gradient_at(c, p.plane, i / g[G_W], i % g[G_W]));
    return 0;
}

static tare_status avg_pool2d_infer(const tare_args *a, const tare_desc_out *out)
{
    tare_status status = tare__pool_check(a, a->in[0], "input 0");
    return status == TARE_OK ? tare__pool_infer(a, a->in[0], out[0]) : status;
}

static tare_status avg_pool2d_grad_infer(const tare_args *a, const tare_desc_out *out)
{
    char t0[TARE_DESC_TEXT], t1[TARE_DESC_TEXT];
    const tare_desc *dy = a->in[0], *x = a->in[1];
    tare_desc y;
    tare_status status = tare__pool_check(a, x, "input 1");
    if (status == TARE_OK)
        status = tare__pool_check(a, dy, "dy");
    if (status == TARE_OK)
        status = tare__pool_infer(a, x, &y);
    if (status != TARE_OK)
        return status;
    if (dy->dtype != x->dtype)
        return tare_op_error(a, TARE_BAD_DTYPE, "dy is %s, input 1 is %s (need one dtype)",
                             tare_dtype_name((tare_dtype)dy->dtype), tare_dtype_name((tare_dtype)x->dtype));
    if (!tare_desc_same_shape(dy, &y))
        return tare_op_error(a, TARE_BAD_SHAPE, "dy is %s, the pooling's result %s (need the same)",
                             tare_desc_text(dy, t0), tare_desc_text(&y, t1));
    tare_desc_like(out[0], x);
    return TARE_OK;
}

static void prepare_avg_pool2d(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    tare__pool_windows(a, a->in[0], out[0], out[0], w);
    int64_t *g = w->g;
    g[G_INCLUDE_PAD] = ((const tare_avg_pool2d_attr *)a->attr)->count_include_pad;
    g[G_WIDE] = whole(g[G_OUT_W]);
    /* the last vector of windows ends here, or the row does */
    const int64_t read = g[G_WIDE] * g[G_STRIDE_W] + g[G_KERNEL_W], row = g[G_PAD_W] + g[G_W];
    g[G_PADDED] = whole(read > row ? read : row);
    g[G_RING] = (g[G_KERNEL_H] < g[G_H] ? g[G_KERNEL_H] : g[G_H]) + AHEAD;
    w->n_g = G_AVG_WORDS;
    if (g[G_WAY] == QUARTERED || g[G_OUT_H] * g[G_OUT_W] == 1 || g[G_RING] * g[G_PADDED] > RING_MOST)
        g[G_RING] = 0;
    else
        w->worker_bytes = (size_t)rows_room(g) * sizeof(float);
}

static void prepare_avg_pool2d_grad(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    tare__pool_windows(a, a->in[1], a->in[0], out[0], w);
    int64_t *g = w->g;
    g[G_INCLUDE_PAD] = ((const tare_avg_pool2d_grad_attr *)a->attr)->count_include_pad;
    const int64_t stride = g[G_STRIDE_W], columns = (g[G_W] + stride - 1) / stride;
    g[G_WIDE] = whole(g[G_OUT_W]);
    g[G_LEFT] = (g[G_KERNEL_W] - 1) / stride;
    /* the last vector of columns ends here, or the row does */
    const int64_t read = whole(columns) + (stride - 1 + g[G_PAD_W]) / stride;
    g[G_PADDED] = whole(g[G_LEFT] + (read > g[G_WIDE] ? read : g[G_WIDE]));
    const int64_t high = (g[G_KERNEL_H] - 1) / g[G_STRIDE_H] + 1;
    g[G_RING] = (high < g[G_OUT_H] ? high : g[G_OUT_H]) + AHEAD;
    w->n_g = G_AVG_WORDS;
    if (g[G_WAY] == QUARTERED || g[G_OUT_H] * g[G_OUT_W] == 1 || stride > 2 || g[G_KERNEL_W] < stride ||
        g[G_RING] * g[G_PADDED] > RING_MOST)
        g[G_RING] = 0;
    else
        w->worker_bytes = (size_t)rows_room(g) * sizeof(float);
}

/* The gradient is linear in dy: its own gradient is the pooling of the head. */
static void avg_pool2d_gradient(tare_builder *b)
{
    tare_value *const in[] = {tare_head(b, 0), tare_input(b, 0)};
    tare_contribute(b, 0, tare_apply1(b->mode, &tare_op_avg_pool2d_grad, b->node->attr, in, 2));
}

static void avg_pool2d_grad_gradient(tare_builder *b)
{
    tare_value *const in[] = {tare_head(b, 0)};
    tare_contribute(b, 0, tare_apply1(b->mode, &tare_op_avg_pool2d, b->node->attr, in, 1));
}

#define AVG_ATTRS .attrs = tare__pool_attrs, .n_attrs = TARE_POOL_ATTRS + 1, .attr_bytes = sizeof(tare_avg_pool2d_attr)

const tare_op tare_op_avg_pool2d = {
    .name = "avg_pool2d",
    .doc = "y = the mean of each window of a plane; x [N,C,H,W], y [N,C,OH,OW]; the divisor counts padding where "
           "count_include_pad says so, never what ceil_mode adds beyond it",
    .n_in = 1,
    .n_out = 1,
    AVG_ATTRS,
    .infer = avg_pool2d_infer,
    .gradient = avg_pool2d_gradient,
    TARE_USUAL_VARIANTS(avg_pool2d),
    TARE_SAMPLES(
        {TARE_SAMPLE_CHECK, "f32[2,3,6,8]", NULL, NULL},
        {TARE_SAMPLE_CHECK, "f32[1,2,7,9]", "kernel_h=3,kernel_w=3,stride_h=2,stride_w=2,pad_h=1,pad_w=1", NULL},
        {TARE_SAMPLE_CHECK, "f32[1,2,5,40]",
         "kernel_h=3,kernel_w=3,stride_h=1,stride_w=1,pad_h=1,pad_w=1,count_include_pad=false", NULL},
        {TARE_SAMPLE_CHECK, "f32[1,1,5,75]", NULL, NULL},
        {TARE_SAMPLE_CHECK, "f32[1,1,5,110]", "kernel_h=2,kernel_w=4,stride_h=3,stride_w=3,ceil_mode=true", NULL},
        {TARE_SAMPLE_CHECK, "f32[1,1,6,7]", "kernel_h=3,kernel_w=2,pad_w=1,ceil_mode=true", NULL},
        {TARE_SAMPLE_CHECK, "f32[3,4,41,41]", "kernel_h=3,kernel_w=3,stride_h=2,stride_w=2", NULL},
        {TARE_SAMPLE_CHECK, "f32[0,4,4,4]", NULL, NULL}, {TARE_SAMPLE_BENCH, "f32[200,6,24,24]", NULL, NULL},
        {TARE_SAMPLE_BENCH, "f32[8,64,28,28]", "kernel_h=3,kernel_w=3,stride_h=1,stride_w=1,pad_h=1,pad_w=1", NULL},
        {TARE_SAMPLE_REJECT, "f32[3,4,4]", NULL, "input 0 is [3,4,4] (need [N,C,H,W])"},
        {TARE_SAMPLE_REJECT, "i32[1,1,4,4]", NULL, "input 0 is int32 (need float32 or float64)"},
        {TARE_SAMPLE_REJECT, "f32[1,1,4,4]", "kernel_h=5", "no window 5,2 with padding 0,0 fits into [1,1,4,4]"},
        {TARE_SAMPLE_REJECT, "f32[1,1,4,4]", "kernel_h=3,pad_h=2", "padding 2,0 is more than half"},
        {TARE_SAMPLE_REJECT, "f32[1,1,4,4]", "stride_w=-1", "stride_w is -1"}),
    .tolerance = 1e-6,
};

const tare_op tare_op_avg_pool2d_grad = {
    .name = "avg_pool2d_grad",
    .doc =
        "dx = zeros, and each dy divided by its window's divisor added to all of the window; dy [N,C,OH,OW], x (only "
        "its shape counts) and dx [N,C,H,W]",
    .n_in = 2,
    .n_out = 1,
    .shape_only = 1u << 1,
    AVG_ATTRS,
    .infer = avg_pool2d_grad_infer,
    .gradient = avg_pool2d_grad_gradient,
    TARE_USUAL_VARIANTS(avg_pool2d_grad),
    TARE_SAMPLES(
        {TARE_SAMPLE_CHECK, "f32[2,3,3,4] f32[2,3,6,8]", NULL, NULL},
        {TARE_SAMPLE_CHECK, "f32[1,2,3,20] f32[1,2,7,41]", NULL, NULL},
        {TARE_SAMPLE_CHECK, "f32[1,2,4,5] f32[1,2,7,9]", "kernel_h=3,kernel_w=3,stride_h=2,stride_w=2,pad_h=1,pad_w=1",
         NULL},
        {TARE_SAMPLE_CHECK, "f32[1,1,2,4] f32[1,1,6,7]",
         "kernel_h=3,kernel_w=2,pad_w=1,ceil_mode=true,count_include_pad=false", NULL},
        {TARE_SAMPLE_CHECK, "f32[2,3,19,37] f32[2,3,19,37]",
         "kernel_h=3,kernel_w=3,stride_h=1,stride_w=1,pad_h=1,pad_w=1,count_include_pad=false", NULL},
        {TARE_SAMPLE_CHECK, "f32[1,2,21,42] f32[1,2,41,83]",
         "kernel_h=3,kernel_w=3,stride_h=2,stride_w=2,pad_h=1,pad_w=1", NULL},
        {TARE_SAMPLE_CHECK, "f32[1,2,5,19] f32[1,2,11,40]", "kernel_h=2,kernel_w=4,stride_h=2,stride_w=2", NULL},
        {TARE_SAMPLE_CHECK, "f32[2,1,4,34] f32[2,1,10,38]",
         "kernel_h=2,kernel_w=5,stride_h=3,stride_w=1,ceil_mode=true", NULL},
        {TARE_SAMPLE_CHECK, "f32[0,4,2,2] f32[0,4,4,4]", NULL, NULL},
        {TARE_SAMPLE_BENCH, "f32[8,64,28,28] f32[8,64,28,28]",
         "kernel_h=3,kernel_w=3,stride_h=1,stride_w=1,pad_h=1,pad_w=1", NULL},
        {TARE_SAMPLE_BENCH, "f32[200,6,12,12] f32[200,6,24,24]", NULL, NULL},
        {TARE_SAMPLE_REJECT, "f32[1,1,2,3] f32[1,1,4,4]", NULL,
         "dy is [1,1,2,3], the pooling's result [1,1,2,2] (need the same)"},
        {TARE_SAMPLE_REJECT, "f32[1,1,2,2] f64[1,1,4,4]", NULL, "need one dtype"}),
    .tolerance = 1e-6,
};

#endif
