/* pool2d.h - what the poolings share: windows over planes [N C, H, W], their geometry, pieces of whole planes.
 *
 * Window (oh,ow) begins at row oh stride_h - pad_h, column ow stride_w - pad_w, and is clipped to the plane. */
#ifndef TARE_OPS_POOL2D_H
#define TARE_OPS_POOL2D_H

#include "record.h"
#include "stepped.h"

/* g[0], g[1]: elements of output 0, dtype */
enum { G_PLANES = 2, G_H, G_W, G_OUT_H, G_OUT_W, G_KERNEL_H, G_KERNEL_W, G_STRIDE_H, G_STRIDE_W, G_PAD_H, G_PAD_W };
enum { G_PIECE = G_PAD_W + 1, G_WAY, G_INCLUDE_PAD, G_WORDS };
/* g[G_WAY]: how the windows go, of those that have kernels of their own */
enum {
    OTHERWISE,
    QUARTERED, /* 2x2, side by side, all inside */
    SAME,      /* 3x3, one around each element */
    HALVED     /* 3x3, two apart */
};
enum { WIDEST = 16 }; /* lanes of a vector, at most */

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

/* Floats of a cache line; how far ahead what will be read is asked for. */
enum { LINE = 16, LATER = 2048 };

/* A row of a plane to scratch. What comes some pages later is asked for: rows are short, and the processor's own
 * prefetching ends with the page. */
static inline void copy_row(const float *row, int64_t n, float *to)
{
    for (int64_t j = 0; j < n; j += LINE)
        __builtin_prefetch(row + j + LATER);
    memcpy(to, row, (size_t)n * sizeof *to);
}

/* n to whole vectors */
static inline int64_t whole(int64_t n)
{
    return tare_round_up(n, WIDEST);
}

static inline tare_vi load_at(const int32_t *p)
{
    tare_vi v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* first, first + stride, ... */
static inline tare_vi places(int64_t first, int64_t stride)
{
    static const int32_t lane[WIDEST] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return load_at(lane) * (int32_t)stride + (int32_t)first;
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
