/* conv2d_lowered.h - images lowered along the width alone: what the direct convolutions multiply by.
 *
 * For each channel c and each column s of the kernel, the lowered image holds what column s meets in every row of the
 * padded image, at all OW outputs of a row: element (c,s,h,ow) is x[c, h - pad_h, ow stride_w + s dilation_w - pad_w],
 * zero outside. Rows are OW long without gaps, so the outputs o = oh OW + ow of tap (c,r,s) meet one contiguous run:
 *
 *     lowered[offset(c,r,s) + o],   offset(c,r,s) = (c S + s) plane + r OW     (stride_h = dilation_h = 1)
 *
 * which no stride, padding or dilation disturbs: with a stride the rows lie by h mod stride_h ("phases"). It is 1/R of
 * the columns of im2col. (M. Cho and D. Brand, MEC: Memory-efficient Convolution for Deep Neural Network, 2017.) */
#ifndef TARE_OPS_CONV2D_LOWERED_H
#define TARE_OPS_CONV2D_LOWERED_H

#include "conv2d.h"
#include "gemm_isa.h"

/* Follows tare_conv in the geometry. */
typedef struct {
    int64_t phases, rows; /* a plane (c,s) is [phases, rows, OW] */
    int64_t plane;        /* its elements */
    int64_t channel;      /* S planes */
    int64_t taps;         /* C/G R S */
    int64_t images;       /* weights: images that are lowered together */
    int64_t channels;     /* weights: channels that are lowered together */
    int64_t floats;       /* of a worker's lowered image or images, before the rest of its scratch */
} tare_lowered;
enum {
    TARE_LOWERED_WORDS = sizeof(tare_lowered) / sizeof(int64_t),
    TARE_LOWERED_GUARD = 16 /* floats behind a lowered image that a vector may read */
};

static inline const tare_lowered *tare_lowered_of(const tare_call *c)
{
    return (const tare_lowered *)(const void *)(c->g + TARE_CONV_WORDS);
}

static inline int64_t tare_lowered_offset(const tare_conv *v, const tare_lowered *l, int64_t c, int64_t r, int64_t s)
{
    int64_t row = r * v->dilation_h;
    return c * l->channel + s * l->plane + (row % v->stride_h * l->rows + row / v->stride_h) * v->ow;
}

static inline void tare_lowered_copy(float *to, const float *from, int64_t n)
{
    for (; n >= TARE_LANES; n -= TARE_LANES, to += TARE_LANES, from += TARE_LANES)
        tare_store(to, tare_load(from));
    if (n > 0)
        gemm_store_part(to, gemm_load_part(from, n), n);
}

static inline void tare_lowered_add(float *to, const float *from, int64_t n)
{
    for (; n >= TARE_LANES; n -= TARE_LANES, to += TARE_LANES, from += TARE_LANES)
        tare_store(to, tare_load(to) + tare_load(from));
    if (n > 0)
        gemm_store_part(to, gemm_load_part(to, n) + gemm_load_part(from, n), n);
}

static inline void tare_lowered_zero(float *to, int64_t n)
{
    tare_vf zero = {0};
    for (; n >= TARE_LANES; n -= TARE_LANES, to += TARE_LANES)
        tare_store(to, zero);
    if (n > 0)
        gemm_store_part(to, zero, n);
}

/* Channels of x [channels,H,W] into `lowered`. */
static inline void tare_lower(const tare_conv *v, const tare_lowered *l, const float *x, int64_t channels,
                              float *lowered)
{
    const int64_t h = v->h, w = v->w, ow = v->ow, stride = v->stride_w;
    for (int64_t c = 0; c < channels; ++c, x += h * w)
        for (int64_t s = 0; s < v->s; ++s) {
            const int64_t first = s * v->dilation_w - v->pad_w;
            const tare_conv_span in = tare_conv_inside(first, stride, ow, w);
            for (int64_t phase = 0; phase < l->phases; ++phase)
                for (int64_t i = 0; i < l->rows; ++i, lowered += ow) {
                    const int64_t ih = i * v->stride_h + phase - v->pad_h;
                    if (ih < 0 || ih >= h) {
                        tare_lowered_zero(lowered, ow);
                        continue;
                    }
                    const float *line = x + ih * w + first;
                    tare_lowered_zero(lowered, in.from);
                    if (stride == 1)
                        tare_lowered_copy(lowered + in.from, line + in.from, in.end - in.from);
                    else
                        for (int64_t o = in.from; o < in.end; ++o)
                            lowered[o] = line[o * stride];
                    tare_lowered_zero(lowered + in.end, ow - in.end);
                }
        }
}

/* The reverse: dx is the sum, over s in ascending order, of what `lowered` holds for it. */
static inline void tare_raise(const tare_conv *v, const tare_lowered *l, float *dx, int64_t channels,
                              const float *lowered)
{
    const int64_t h = v->h, w = v->w, ow = v->ow, stride = v->stride_w;
    for (int64_t c = 0; c < channels; ++c, dx += h * w) {
        tare_lowered_zero(dx, h * w);
        for (int64_t s = 0; s < v->s; ++s) {
            const int64_t first = s * v->dilation_w - v->pad_w;
            const tare_conv_span in = tare_conv_inside(first, stride, ow, w);
            for (int64_t phase = 0; phase < l->phases; ++phase)
                for (int64_t i = 0; i < l->rows; ++i, lowered += ow) {
                    const int64_t ih = i * v->stride_h + phase - v->pad_h;
                    if (ih < 0 || ih >= h)
                        continue;
                    float *line = dx + ih * w + first;
                    if (stride == 1)
                        tare_lowered_add(line + in.from, lowered + in.from, in.end - in.from);
                    else
                        for (int64_t o = in.from; o < in.end; ++o)
                            line[o * stride] += lowered[o];
                }
        }
    }
}

/* How a dimension is cut into tiles: n tiles of at most `most`, as even as can be. */
static inline int64_t tare_tiles(int64_t size, int64_t most)
{
    return (size + most - 1) / most;
}
static inline int64_t tare_tile_from(int64_t size, int64_t tiles, int64_t i)
{
    return size * i / tiles;
}

/* Sets the geometry: one image of a group is lowered at a time. */
tare_lowered *tare__lowered_prepare(tare_conv *, tare_work *);

#endif
