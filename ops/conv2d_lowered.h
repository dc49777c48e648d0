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
    int64_t kept;         /* weights: floats of a worker's vectors of sums; 0: none are kept */
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

static inline void tare_lowered_zero(float *to, int64_t n)
{
    tare_vf zero = {0};
    for (; n >= TARE_LANES; n -= TARE_LANES, to += TARE_LANES)
        tare_store(to, zero);
    if (n > 0)
        gemm_store_part(to, zero, n);
}

/* The lanes, of TARE_LANES from column j on, in which lo <= column < hi. */
TARE_ALWAYS_INLINE gemm_lanes tare_lowered_lanes(int64_t j, int64_t lo, int64_t hi)
{
    const int64_t first = lo - j, end = hi - j;
    return first >= TARE_LANES || end <= 0 ? gemm_lanes_of(0, 0)
                                           : gemm_lanes_of(first > 0 ? first : 0, end < TARE_LANES ? end : TARE_LANES);
}

/* Rows of `width` elements: to[i] = from[i] for lo <= i < hi, else zero. A column of vectors at a time, so that what is
 * read of a row is settled outside the loop. */
TARE_ALWAYS_INLINE void tare_lowered_rows(float *to, const float *from, int64_t from_row, int64_t rows, int64_t width,
                                          int64_t lo, int64_t hi)
{
    for (int64_t j = 0; j < width; j += TARE_LANES) {
        const int64_t n = width - j < TARE_LANES ? width - j : TARE_LANES;
        const gemm_lanes lanes = tare_lowered_lanes(j, lo, hi);
        float *at = to + j;
        const float *source = from + j;
        if (n == TARE_LANES && lo <= j && j + TARE_LANES <= hi)
            for (int64_t i = 0; i < rows; i++, at += width, source += from_row)
                tare_store(at, tare_load(source));
        else
            for (int64_t i = 0; i < rows; i++, at += width, source += from_row)
                gemm_store_part(at, gemm_load_lanes(source, lanes), n);
    }
}

/* The rows i of a phase that lie in the image. */
static inline tare_conv_span tare_lowered_inside(const tare_conv *v, const tare_lowered *l, int64_t phase)
{
    return tare_conv_inside(phase - v->pad_h, v->stride_h, l->rows, v->h);
}

/* Channels of x [channels,H,W] into `lowered`. */
static inline void tare_lower(const tare_conv *v, const tare_lowered *l, const float *x, int64_t channels,
                              float *lowered)
{
    const int64_t h = v->h, w = v->w, ow = v->ow, stride = v->stride_w, step = v->stride_h * w;
    for (int64_t c = 0; c < channels; ++c, x += h * w)
        for (int64_t s = 0; s < v->s; ++s) {
            const int64_t first = s * v->dilation_w - v->pad_w;
            const tare_conv_span in = tare_conv_inside(first, stride, ow, w);
            for (int64_t phase = 0; phase < l->phases; ++phase, lowered += l->rows * ow) {
                const tare_conv_span rows = tare_lowered_inside(v, l, phase);
                const float *from = x + (rows.from * v->stride_h + phase - v->pad_h) * w + first;
                float *to = lowered + rows.from * ow;
                tare_lowered_zero(lowered, rows.from * ow);
                tare_lowered_zero(lowered + rows.end * ow, (l->rows - rows.end) * ow);
                if (stride == 1) {
                    tare_lowered_rows(to, from, step, rows.end - rows.from, ow, in.from, in.end);
                    continue;
                }
                for (int64_t i = rows.from; i < rows.end; ++i, to += ow, from += step)
                    for (int64_t o = 0; o < ow; ++o)
                        to[o] = o >= in.from && o < in.end ? from[o * stride] : 0;
            }
        }
}

enum { TARE_LOWERED_COLUMNS = 8 };

/* A channel's rows of one phase, dx[i] += the sum over s (`first` <= s < `end`, at most TARE_LOWERED_COLUMNS) of the
 * lowered rows; stride_w is 1. */
static inline void tare_raise_rows(const tare_conv *v, const tare_lowered *l, float *dx, int64_t step, int64_t rows,
                                   const float *lowered, int64_t s, int64_t s_end)
{
    for (int64_t j = 0; j < v->w; j += TARE_LANES) {
        const int64_t n = v->w - j < TARE_LANES ? v->w - j : TARE_LANES;
        gemm_lanes lanes[TARE_LOWERED_COLUMNS];
        for (int64_t k = s; k < s_end; k++) {
            const int64_t first = k * v->dilation_w - v->pad_w;
            const tare_conv_span in = tare_conv_inside(first, 1, v->ow, v->w);
            lanes[k - s] = tare_lowered_lanes(j, first + in.from, first + in.end);
        }
        const float *from = lowered + j - (s * v->dilation_w - v->pad_w);
        float *to = dx + j;
        for (int64_t i = 0; i < rows; i++, to += step, from += v->ow) {
            tare_vf sum = s > 0 ? gemm_load_part(to, n) : (tare_vf){0};
            const float *column = from;
            for (int64_t k = 0; k < s_end - s; k++, column += l->plane - v->dilation_w)
                sum += gemm_load_lanes(column, lanes[k]);
            gemm_store_part(to, sum, n);
        }
    }
}

/* The reverse: dx is the sum, over s in ascending order, of what `lowered` holds for it. */
static inline void tare_raise(const tare_conv *v, const tare_lowered *l, float *dx, int64_t channels,
                              const float *lowered)
{
    const int64_t h = v->h, w = v->w, ow = v->ow, stride = v->stride_w, step = v->stride_h * w;
    const bool every_row = v->stride_w == 1 && l->phases == v->stride_h && l->rows * l->phases >= h + v->pad_h;
    for (int64_t c = 0; c < channels; ++c, dx += h * w, lowered += l->channel) {
        if (!every_row)
            tare_lowered_zero(dx, h * w);
        for (int64_t phase = 0; phase < l->phases; ++phase) {
            const tare_conv_span rows = tare_lowered_inside(v, l, phase);
            float *to = dx + (rows.from * v->stride_h + phase - v->pad_h) * w;
            const float *from = lowered + (phase * l->rows + rows.from) * ow;
            for (int64_t s = 0; stride == 1 && s < v->s; s += TARE_LOWERED_COLUMNS)
                tare_raise_rows(v, l, to, step, rows.end - rows.from, from + s * l->plane, s,
                                s + TARE_LOWERED_COLUMNS < v->s ? s + TARE_LOWERED_COLUMNS : v->s);
            for (int64_t s = 0; stride > 1 && s < v->s; ++s, from += l->plane) {
                const int64_t first = s * v->dilation_w - v->pad_w;
                const tare_conv_span in = tare_conv_inside(first, stride, ow, w);
                for (int64_t i = 0; i < rows.end - rows.from; ++i)
                    for (int64_t o = in.from; o < in.end; ++o)
                        to[i * step + first + o * stride] += from[i * ow + o];
            }
        }
    }
}

/* A dimension cut into `tiles` of at most `most`, as even as can be: the first `longer` have one more than `least`.
 * (No division is left in the loops over tiles, which are short.) */
typedef struct {
    int64_t tiles, least, longer;
} tare_cut;
static inline tare_cut tare_cut_of(int64_t size, int64_t most)
{
    const int64_t tiles = (size + most - 1) / most;
    return (tare_cut){tiles, tiles ? size / tiles : 0, tiles ? size % tiles : 0};
}
static inline int64_t tare_cut_size(tare_cut cut, int64_t i)
{
    return cut.least + (i < cut.longer);
}

/* Sets the geometry: one image of a group is lowered at a time. */
tare_lowered *tare__lowered_prepare(tare_conv *, tare_work *);

#endif
