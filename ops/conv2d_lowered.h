/* conv2d_lowered.h - images lowered along the width alone: what convolutions multiply by instead of columns.
 *
 * For each channel c and each column s of the kernel, the lowered image holds what column s meets in every row of the
 * padded image, at all OW outputs of a row: element (c,s,h,ow) is x[c, h + first_h, ow stride_w + s dilation_w +
 * first_w], zero outside. Rows are OW long without gaps, so the outputs o = oh OW + ow of tap (c,r,s) meet one
 * contiguous run:
 *
 *     lowered[offset(c,r,s) + o],   offset(c,r,s) = (c S + s) plane + r OW     (stride_h = dilation_h = 1)
 *
 * which no stride, padding or dilation disturbs: with a stride the rows lie by h mod stride_h ("phases"). It is 1/R of
 * the columns of im2col. (M. Cho and D. Brand, MEC: Memory-efficient Convolution for Deep Neural Network, 2017.)
 *
 * Where a plane is short, several images are *joined*: row h holds theirs side by side, and what is above stays true
 * with OW of them all, o = (oh, image, ow). Where it is long, a *band* of output rows is lowered at a time. A kernel of
 * one tap that moves nothing meets the image itself. */
#ifndef TARE_OPS_CONV2D_LOWERED_H
#define TARE_OPS_CONV2D_LOWERED_H

#include "conv2d.h"
#include "gemm_shuffle.h"

/* A convolution of stride, first place and dilation: of x by w, or, for a gradient to data, of dy by w turned round. */
typedef struct {
    int64_t h, w;               /* of the source */
    int64_t r, s;               /* of the kernel */
    int64_t oh, ow;             /* of the result */
    int64_t stride_h, stride_w; /* from output to output */
    int64_t first_h, first_w;   /* where tap (0,0) of output (0,0) lies: minus the padding */
    int64_t dilation_h, dilation_w;
    bool in_place;             /* the source is its own lowered image */
    int64_t images, band;      /* joined; output rows at a time */
    int64_t phases, rows, row; /* a plane (c,s) is [phases, rows, row] */
    int64_t plane, channel;    /* elements of it, and of S planes */
} tare_lowered;

/* Sets what follows from how many images are joined and how many rows are lowered. */
static inline void tare_lowered_size(tare_lowered *l, int64_t images, int64_t band)
{
    const int64_t reach = (l->r - 1) * l->dilation_h; /* of the kernel's last row */
    l->images = images;
    l->band = band;
    l->phases = reach < l->stride_h ? reach + 1 : l->stride_h;
    l->rows = band + reach / l->stride_h;
    l->row = images * l->ow;
    l->plane = l->phases * l->rows * l->row;
    l->channel = l->s * l->plane;
}

/* x by w; one image, all of its rows. */
static inline tare_lowered tare_lowered_forward(const tare_conv *v)
{
    tare_lowered l = {.h = v->h, .w = v->w, .r = v->r, .s = v->s, .oh = v->oh, .ow = v->ow};
    l.stride_h = v->stride_h;
    l.stride_w = v->stride_w;
    l.first_h = -v->pad_h;
    l.first_w = -v->pad_w;
    l.dilation_h = v->dilation_h;
    l.dilation_w = v->dilation_w;
    tare_lowered_size(&l, 1, l.oh);
    return l;
}

/* Along one axis, the places i stride + a of dx: the taps that reach them are first_tap + j step (j < n), and i meets
 * dy at first + i + (n - 1 - j) dilation. */
typedef struct {
    int64_t n, first_tap, step, outputs, first, dilation;
} tare_lowered_axis;

static inline tare_lowered_axis tare_lowered_axis_of(int64_t a, int64_t size, int64_t kernel, int64_t stride,
                                                     int64_t pad, int64_t dilation)
{
    tare_lowered_axis x = {.step = 1, .outputs = a < size ? (size - a + stride - 1) / stride : 0, .dilation = 1};
    while (x.first_tap < kernel && (a + pad - x.first_tap * dilation) % stride)
        x.first_tap++;
    while (x.step * dilation % stride)
        x.step++;
    x.n = x.first_tap < kernel ? (kernel - 1 - x.first_tap) / x.step + 1 : 0;
    x.dilation = x.step * dilation / stride;
    x.first = x.n ? (a + pad - (x.first_tap + (x.n - 1) * x.step) * dilation) / stride : 0;
    return x;
}

/* The convolution of dy that gives one phase of dx. */
static inline tare_lowered tare_lowered_data(const tare_conv *v, const tare_lowered_axis *h, const tare_lowered_axis *w)
{
    tare_lowered l = {.h = v->oh, .w = v->ow, .r = h->n, .s = w->n, .oh = h->outputs, .ow = w->outputs};
    l.stride_h = l.stride_w = 1;
    l.first_h = h->first;
    l.first_w = w->first;
    l.dilation_h = h->dilation;
    l.dilation_w = w->dilation;
    if (!l.r || !l.s)
        l.r = l.s = 1; /* no tap: no channel either */
    tare_lowered_size(&l, 1, l.oh);
    return l;
}

/* A kernel of one tap that moves nothing: planes are rows, and nothing is lowered. */
static inline void tare_lowered_plain(tare_lowered *l)
{
    if (l->r != 1 || l->s != 1 || l->stride_h != 1 || l->stride_w != 1 || l->first_h || l->first_w || l->h != l->oh ||
        l->w != l->ow)
        return;
    l->w = l->ow = l->h * l->w;
    l->h = l->oh = 1;
    l->in_place = true;
    tare_lowered_size(l, 1, 1);
}

static inline int64_t tare_lowered_offset(const tare_lowered *l, int64_t c, int64_t r, int64_t s)
{
    int64_t row = r * l->dilation_h;
    return c * l->channel + s * l->plane + (row % l->stride_h * l->rows + row / l->stride_h) * l->row;
}

static inline void tare_lowered_zero(float *to, int64_t n)
{
    tare_vf zero = {0};
    for (; n >= TARE_LANES; n -= TARE_LANES, to += TARE_LANES)
        tare_store(to, zero);
    if (n > 0)
        gemm_store_part(to, zero, n);
}

static inline void tare_lowered_copy(const float *from, float *to, int64_t n)
{
    for (; n >= TARE_LANES; n -= TARE_LANES, from += TARE_LANES, to += TARE_LANES)
        tare_store(to, tare_load(from));
    if (n > 0)
        gemm_store_part(to, gemm_load_part(from, n), n);
}

/* The lanes, of TARE_LANES from column j on, in which lo <= column < hi. */
TARE_ALWAYS_INLINE gemm_lanes tare_lowered_lanes(int64_t j, int64_t lo, int64_t hi)
{
    const int64_t first = lo - j, end = hi - j;
    return first >= TARE_LANES || end <= 0 ? gemm_lanes_of(0, 0)
                                           : gemm_lanes_of(first > 0 ? first : 0, end < TARE_LANES ? end : TARE_LANES);
}

/* Rows of `width` elements, `to_row` and `from_row` apart: to[i] = from[i] for lo <= i < hi, else zero. A column of
 * vectors at a time, so that what is read of a row is settled outside the loop. */
TARE_ALWAYS_INLINE void tare_lowered_rows(float *to, int64_t to_row, const float *from, int64_t from_row, int64_t rows,
                                          int64_t width, int64_t lo, int64_t hi)
{
    for (int64_t j = 0; j < width; j += TARE_LANES) {
        const int64_t n = width - j < TARE_LANES ? width - j : TARE_LANES;
        const gemm_lanes lanes = tare_lowered_lanes(j, lo, hi);
        float *at = to + j;
        const float *source = from + j;
        if (n == TARE_LANES && lo <= j && j + TARE_LANES <= hi)
            for (int64_t i = 0; i < rows; i++, at += to_row, source += from_row)
                tare_store(at, tare_load(source));
        else
            for (int64_t i = 0; i < rows; i++, at += to_row, source += from_row)
                gemm_store_part(at, gemm_load_lanes(source, lanes), n);
    }
}

/* The lanes of even number of (a, b). */
#define TARE_LANE_EVEN(i, d) (2 * (i))

/* The same with to[i] = from[i stride], stride 2 or 4: neighbouring vectors are read, and every other lane is kept. */
TARE_ALWAYS_INLINE void tare_lowered_strided(int stride, float *to, int64_t to_row, const float *from, int64_t from_row,
                                             int64_t rows, int64_t width, int64_t lo, int64_t hi)
{
    for (int64_t j = 0; j < width; j += TARE_LANES) {
        const int64_t n = width - j < TARE_LANES ? width - j : TARE_LANES;
        gemm_lanes lanes[4];
        TARE_UNROLL
        for (int k = 0; k < stride; k++) /* up to the last that is used: nothing behind it is read */
            lanes[k] =
                tare_lowered_lanes(j * stride + k * TARE_LANES, lo * stride, hi > lo ? hi * stride - stride + 1 : 0);
        float *at = to + j;
        const float *source = from + j * stride;
        for (int64_t i = 0; i < rows; i++, at += to_row, source += from_row) {
            tare_vf x[4];
            TARE_UNROLL
            for (int k = 0; k < stride; k++)
                x[k] = gemm_load_lanes(source + k * TARE_LANES, lanes[k]);
            x[0] = SHUFFLE(x[0], x[1], TARE_LANE_EVEN, 0);
            if (stride == 4)
                x[0] = SHUFFLE(x[0], SHUFFLE(x[2], x[3], TARE_LANE_EVEN, 0), TARE_LANE_EVEN, 0);
            gemm_store_part(at, x[0], n);
        }
    }
}

/* The rows i of a phase, of the band from output row `oh` on, that lie in the image. */
static inline tare_conv_span tare_lowered_inside(const tare_lowered *l, int64_t phase, int64_t oh)
{
    return tare_conv_inside(l->first_h + phase + oh * l->stride_h, l->stride_h, l->rows, l->h);
}

/* One phase of column s of one channel: `x` is the channel in the first image, the next ones `image` apart. */
static inline void tare_lower_phase(const tare_lowered *l, const float *x, int64_t image, int64_t oh, int64_t s,
                                    int64_t phase, float *lowered)
{
    const int64_t w = l->w, ow = l->ow, stride = l->stride_w, step = l->stride_h * w;
    const int64_t first = s * l->dilation_w + l->first_w;
    const tare_conv_span in = tare_conv_inside(first, stride, ow, w), rows = tare_lowered_inside(l, phase, oh);
    const int64_t n = rows.end - rows.from;
    tare_lowered_zero(lowered, rows.from * l->row);
    tare_lowered_zero(lowered + rows.end * l->row, (l->rows - rows.end) * l->row);
    x += ((rows.from + oh) * l->stride_h + phase + l->first_h) * w + first;
    float *to = lowered + rows.from * l->row;
    for (int64_t k = 0; k < l->images; ++k, x += image, to += ow)
        if (stride == 1)
            tare_lowered_rows(to, l->row, x, step, n, ow, in.from, in.end);
        else if (stride == 2)
            tare_lowered_strided(2, to, l->row, x, step, n, ow, in.from, in.end);
        else if (stride == 4)
            tare_lowered_strided(4, to, l->row, x, step, n, ow, in.from, in.end);
        else
            for (int64_t i = 0; i < n; ++i)
                for (int64_t o = 0; o < ow; ++o)
                    to[i * l->row + o] = o >= in.from && o < in.end ? x[i * step + o * stride] : 0;
}

/* Channels of x [images][channels,H,W], the images `image` apart, for the band from output row `oh` on. */
static inline void tare_lower(const tare_lowered *l, const float *x, int64_t image, int64_t channels, int64_t oh,
                              float *lowered)
{
    for (int64_t c = 0; c < channels; ++c, x += l->h * l->w)
        for (int64_t s = 0; s < l->s; ++s)
            for (int64_t phase = 0; phase < l->phases; ++phase, lowered += l->rows * l->row)
                tare_lower_phase(l, x, image, oh, s, phase, lowered);
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
static inline int64_t tare_cut_start(tare_cut cut, int64_t i)
{
    return i * cut.least + (i < cut.longer ? i : cut.longer);
}

/* Columns of tiles, [first, end): outputs [from, to) of [oh,image,ow]. */
typedef struct {
    tare_cut cut;
    int64_t first, end, from, to;
} tare_columns;

static inline int64_t tare_column_at(tare_cut cut, int64_t t) /* its first output */
{
    return tare_cut_start(cut, t) * TARE_LANES;
}

/* Part i of the columns of all n outputs. */
static inline tare_columns tare_columns_of(tare_cut cut, tare_cut parts, int64_t i, int64_t n)
{
    tare_columns k = {cut, tare_cut_start(parts, i), tare_cut_start(parts, i + 1), 0, 0};
    k.from = tare_column_at(cut, k.first);
    k.to = tare_column_at(cut, k.end);
    k.to = k.to < n ? k.to : n;
    return k;
}

#endif
