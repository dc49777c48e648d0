/* pool2d.h - what the poolings share: windows over planes [N C, H, W], their geometry, pieces of whole planes.
 *
 * Window (oh,ow) begins at row oh stride_h - pad_h, column ow stride_w - pad_w, and is clipped to the plane. Where a
 * row of windows lies inside the plane's width they are worked on a vector at a time, the others one by one; both add
 * or compare in row order, so that no bit depends on which it was. */
#ifndef TARE_OPS_POOL2D_H
#define TARE_OPS_POOL2D_H

#include "record.h"

/* g[0], g[1]: elements of output 0, dtype */
enum { G_PLANES = 2, G_H, G_W, G_OUT_H, G_OUT_W, G_KERNEL_H, G_KERNEL_W, G_STRIDE_H, G_STRIDE_W, G_PAD_H, G_PAD_W };
enum { G_PIECE = G_PAD_W + 1, G_INSIDE_FROM, G_INSIDE_END, G_QUARTERS, G_INCLUDE_PAD, G_WORDS };
/* g[G_INSIDE_FROM] to g[G_INSIDE_END]: the windows of a row that lie inside the plane's width; g[G_QUARTERS]: windows
 * are 2x2, side by side, all inside */

/* The attributes of all poolings begin like this. */
typedef struct {
    TARE_POOL2D_FIELDS
} __attribute__((may_alias)) tare_pool_attr;

typedef struct {
    int64_t plane, end;
} planes;

static inline planes planes_of(const tare_call *c, int piece)
{
    int64_t from = piece * c->g[G_PIECE], end = from + c->g[G_PIECE];
    return (planes){from, end < c->g[G_PLANES] ? end : c->g[G_PLANES]};
}

/* The part of a window that lies in the plane, along one axis. */
typedef struct {
    int64_t from, end;
} span;
static inline span span_of(int64_t o, int64_t stride, int64_t pad, int64_t kernel, int64_t size)
{
    int64_t from = o * stride - pad, end = from + kernel;
    return (span){from > 0 ? from : 0, end < size ? end : size};
}

/* The first `left` elements, all lanes where there are more */
static inline tare_vf load_some(const float *p, int64_t left)
{
    return left >= TARE_LANES ? tare_load(p) : left > 0 ? tare_load_part(p, left) : (tare_vf){0};
}

static inline void store_some(float *p, tare_vf v, int64_t left)
{
    if (left >= TARE_LANES)
        tare_store(p, v);
    else if (left > 0)
        tare_store_part(p, v, left);
}

/* Of the `left` elements from p on, those at even places and those at odd ones. */
static inline void load_pairs(const float *p, int64_t left, tare_vf *even, tare_vf *odd)
{
    tare_vf low = load_some(p, left), high = load_some(p + TARE_LANES, left - TARE_LANES);
#if TARE_LANES == 16
    *even = __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    *odd = __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
#elif TARE_LANES == 8
    *even = __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14);
    *odd = __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15);
#else
    *even = __builtin_shufflevector(low, high, 0, 2, 4, 6);
    *odd = __builtin_shufflevector(low, high, 1, 3, 5, 7);
#endif
}

/* Every stride-th of the `left` elements from p on */
static inline tare_vf load_every(const float *p, int64_t stride, int64_t left)
{
    if (stride == 1)
        return load_some(p, left);
    if (stride == 2) {
        tare_vf even, odd;
        load_pairs(p, left, &even, &odd);
        return even;
    }
    float lane[TARE_LANES] = {0};
    for (int64_t l = 0; l < TARE_LANES && l * stride < left; ++l)
        lane[l] = p[l * stride];
    return tare_load(lane);
}

/* Lanes 0 0 1 1 2 2 ..., from the lower or the upper half of v */
static inline tare_vf twice(tare_vf v, bool upper)
{
#if TARE_LANES == 16
    return upper ? __builtin_shufflevector(v, v, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15)
                 : __builtin_shufflevector(v, v, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
#elif TARE_LANES == 8
    return upper ? __builtin_shufflevector(v, v, 4, 4, 5, 5, 6, 6, 7, 7)
                 : __builtin_shufflevector(v, v, 0, 0, 1, 1, 2, 2, 3, 3);
#else
    return upper ? __builtin_shufflevector(v, v, 2, 2, 3, 3) : __builtin_shufflevector(v, v, 0, 0, 1, 1);
#endif
}

/* The attributes, a stride of 0 replaced by the kernel's size. */
tare_pool_attr tare__pool_attributes(const tare_args *);
/* A floating [N,C,H,W], or BAD_DTYPE, BAD_SHAPE. */
tare_status tare__pool_check(const tare_args *, const tare_desc *x, const char *what);
/* The result's desc, or why the windows do not fit x. */
tare_status tare__pool_infer(const tare_args *, const tare_desc *x, tare_desc *y);
/* Pieces of whole planes of x, about TARE_CHUNK elements each. */
void tare__pool_planes(const tare_desc *x, const tare_desc *y, const tare_desc *out, tare_work *);
/* The same, and the windows. */
void tare__pool_windows(const tare_args *, const tare_desc *x, const tare_desc *y, const tare_desc *out, tare_work *);

enum { TARE_POOL_ATTRS = 7 };
extern const tare_attr tare__pool_attrs[TARE_POOL_ATTRS + 1]; /* the last is avg_pool2d's own */

#endif
