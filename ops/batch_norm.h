/* batch_norm.h - what batch normalization and its gradient share: sums over a channel and maps along it.
 *
 * x is [N,C,S], S the product of the dimensions after the channels. A piece is a group of channels, done whole: its
 * statistics, then its elements. Up to TARE_BLOCK channels are worked on together. Where S is 1 they lie side by side
 * and are the lanes of a block, row after row; elsewhere each channel is N runs of S elements.
 *
 * Order of the additions: lane i mod 64 of a run collects a stretch of at most 1024 elements in float32 (a channel's
 * own lane at most 32 rows), which then go to a float64. So a channel's bits depend on its elements and the shape
 * alone. */
#ifndef TARE_OPS_BATCH_NORM_H
#define TARE_OPS_BATCH_NORM_H

#include "rows.h"

/* Geometry; g[0], g[1]: elements of x, dtype. */
enum { TARE_BN_N = 2, TARE_BN_C, TARE_BN_S, TARE_BN_PIECE, TARE_BN_EPSILON, TARE_BN_MOMENTUM, TARE_BN_WORDS };

/* `count` <= TARE_BLOCK channels from `channel` on. */
typedef struct {
    int64_t n, c, s, channel;
    int count;
} tare_channels;

/* The next group of a piece after *from, which begins at the piece's first channel; count 0: none is left. */
static inline tare_channels tare_channels_next(const int64_t *g, int piece, int64_t *from)
{
    int64_t end = (piece + 1) * g[TARE_BN_PIECE], left;
    left = (end < g[TARE_BN_C] ? end : g[TARE_BN_C]) - *from;
    tare_channels c = {g[TARE_BN_N], g[TARE_BN_C], g[TARE_BN_S], *from,
                       (int)(left < 0            ? 0
                             : left < TARE_BLOCK ? left
                                                 : TARE_BLOCK)};
    *from += c.count;
    return c;
}

static inline void tare_block_add(tare_block *to, tare_block b)
{
    for (int k = 0; k < TARE_BLOCK_VECTORS; ++k)
        to->v[k] += b.v[k];
}

/* ---- channels side by side (S = 1) ------------------------------------------------------------------------------*/
/* What is summed: x, (x - mean)^2, dy, dy (x - mean). */
typedef enum { TARE_BN_X, TARE_BN_SQUARE, TARE_BN_DY, TARE_BN_PRODUCT } tare_bn_sum_kind;

static inline tare_block tare_bn_term(tare_bn_sum_kind kind, tare_block x, tare_block dy, tare_block mean)
{
    for (int k = 0; k < TARE_BLOCK_VECTORS; ++k) {
        tare_vf d = x.v[k] - mean.v[k];
        x.v[k] = kind == TARE_BN_X        ? x.v[k]
                 : kind == TARE_BN_SQUARE ? d * d
                 : kind == TARE_BN_DY     ? dy.v[k]
                                          : dy.v[k] * d;
    }
    return x;
}

enum { TARE_BN_STEPS = 32 };

/* total[k], k < count: the sum over channel c.channel + k; mean NULL: zeros. An argument that the kind does not name
 * may be any array. */
static inline void tare_bn_sum_lanes(tare_channels c, tare_bn_sum_kind kind, const float *x, const float *dy,
                                     const float *mean, double total[TARE_BLOCK])
{
    tare_block m = mean ? tare_block_load(mean, TARE_BLOCK, 0) : tare_block_of(0);
    memset(total, 0, TARE_BLOCK * sizeof *total);
    for (int64_t n = 0; n < c.n;) {
        tare_block sum = tare_block_of(0);
        for (int step = 0; step < TARE_BN_STEPS && n < c.n; ++step, ++n) {
            int64_t at = n * c.c + c.channel;
            tare_block a = kind == TARE_BN_DY ? m : tare_block_load(x + at, c.count, 0);
            tare_block b = kind >= TARE_BN_DY ? tare_block_load(dy + at, c.count, 0) : m;
            tare_block_add(&sum, tare_bn_term(kind, a, b, m));
        }
        float lane[TARE_BLOCK];
        memcpy(lane, &sum, sizeof lane);
        for (int k = 0; k < c.count; ++k)
            total[k] += (double)lane[k];
    }
}

/* ---- a channel's runs, stretch by stretch -----------------------------------------------------------------------*/
/* At most STRETCH elements: some of the runs, or a part of one. */
enum { TARE_BN_SUMS = 4, TARE_BN_PART = TARE_BN_SUMS * TARE_BLOCK, TARE_BN_STRETCH = 16 * TARE_BN_PART };
typedef struct {
    int64_t at, step, runs, length; /* `runs` runs of `length` elements, `step` apart, the first at `at` */
} tare_bn_stretch;

/* Stretch number i of a channel; runs 0: there is none. Run by run where one is longer than a stretch. */
static inline tare_bn_stretch tare_bn_stretch_of(tare_channels c, int64_t channel, int64_t i)
{
    const int64_t step = c.c * c.s, parts = (c.s + TARE_BN_STRETCH - 1) / TARE_BN_STRETCH;
    tare_bn_stretch s = {channel * c.s, step, 0, c.s};
    if (parts <= 1) {
        const int64_t runs = TARE_BN_STRETCH / (c.s > 0 ? c.s : 1), left = c.n - i * runs;
        s.at += i * runs * step;
        s.runs = left < 0 ? 0 : left < runs ? left : runs;
        return s;
    }
    const int64_t most = ((c.s + parts - 1) / parts + TARE_BN_PART - 1) / TARE_BN_PART * TARE_BN_PART;
    const int64_t from = i % parts * most;
    s.at += i / parts * step + from;
    s.runs = i / parts < c.n;
    s.length = c.s - from < most ? c.s - from : most;
    return s;
}

/* Two sums over a stretch: of x - m and of (x - m)^2; or, of a gradient, of dy and of dy (x - m). */
typedef struct {
    float first, second;
} tare_bn_pair;

static inline void tare_bn_add(bool gradient, const float *x, const float *dy, int64_t n, float mean, tare_block *first,
                               tare_block *second)
{
    const tare_block a = tare_block_load(x, n, mean), m = tare_block_of(mean);
    const tare_block b = gradient ? tare_block_load(dy, n, 0) : m;
    for (int k = 0; k < TARE_BLOCK_VECTORS; ++k) {
        const tare_vf d = a.v[k] - m.v[k], w = gradient ? b.v[k] : d;
        first->v[k] += w;
        second->v[k] += w * d;
    }
}

/* Beyond a run's end x is m and dy 0, so that every term there is 0. */
static inline tare_bn_pair tare_bn_sums(bool gradient, const tare_bn_stretch *s, const float *x, const float *dy,
                                        float m)
{
    tare_block first[TARE_BN_SUMS], second[TARE_BN_SUMS];
    for (int k = 0; k < TARE_BN_SUMS; ++k)
        first[k] = second[k] = tare_block_of(0);
    for (int64_t run = 0; run < s->runs; ++run) {
        const int64_t at = s->at + run * s->step;
        int64_t i = 0;
        for (; i + TARE_BN_PART <= s->length; i += TARE_BN_PART)
            for (int k = 0; k < TARE_BN_SUMS; ++k)
                tare_bn_add(gradient, x + at + i + k * TARE_BLOCK, dy + at + i + k * TARE_BLOCK, TARE_BLOCK, m,
                            &first[k], &second[k]);
        for (int k = 0; k < TARE_BN_SUMS; ++k)
            if (i + k * TARE_BLOCK < s->length)
                tare_bn_add(gradient, x + at + i + k * TARE_BLOCK, dy + at + i + k * TARE_BLOCK,
                            s->length - i - k * TARE_BLOCK, m, &first[k], &second[k]);
    }
    for (int k = TARE_BN_SUMS / 2; k > 0; k /= 2)
        for (int j = 0; j < k; ++j) {
            tare_block_add(&first[j], first[j + k]);
            tare_block_add(&second[j], second[j + k]);
        }
    return (tare_bn_pair){tare_block_sum(first[0]), tare_block_sum(second[0])};
}

/* ---- what the kernels ask for -----------------------------------------------------------------------------------*/
/* Mean and variance of a channel's runs, each element read once. Sums of a stretch are taken about the mean of all
 * before it, which the stretch then moves (T. Chan, G. Golub, R. LeVeque, Algorithms for computing the sample variance,
 * 1983): the square of what it is moved by is part of the variance, so that nothing is lost to cancellation. */
static inline void tare_bn_moments_of(tare_channels c, int64_t channel, const float *x, double *mean, double *var)
{
    double n = 0, squares = 0;
    tare_bn_stretch s = tare_bn_stretch_of(c, channel, 0);
    *mean = (double)tare_bn_sums(false, &s, x, x, 0).first / (double)(s.runs * s.length);
    for (int64_t i = 0; (s = tare_bn_stretch_of(c, channel, i)).runs; ++i) {
        const double m = (double)(s.runs * s.length), guess = (double)(float)*mean;
        const tare_bn_pair sum = tare_bn_sums(false, &s, x, x, (float)guess);
        const double away = (double)sum.first / m, moved = guess + away - *mean;
        squares += (double)sum.second - away * (double)sum.first + moved * moved * m * n / (m + n);
        *mean += moved * m / (m + n);
        n += m;
    }
    *var = squares / n;
}

/* mean[k], var[k], k < count: of channel c.channel + k. */
static inline void tare_bn_moments(tare_channels c, const float *x, double mean[TARE_BLOCK], double var[TARE_BLOCK])
{
    if (c.s != 1) {
        for (int k = 0; k < c.count; ++k)
            tare_bn_moments_of(c, c.channel + k, x, &mean[k], &var[k]);
        return;
    }
    float rounded[TARE_BLOCK] = {0};
    const double n = (double)c.n;
    tare_bn_sum_lanes(c, TARE_BN_X, x, x, NULL, mean);
    for (int k = 0; k < c.count; ++k)
        rounded[k] = (float)(mean[k] /= n);
    tare_bn_sum_lanes(c, TARE_BN_SQUARE, x, x, rounded, var);
    for (int k = 0; k < c.count; ++k) {
        const double rounding = mean[k] - (double)rounded[k];
        var[k] = var[k] / n - rounding * rounding;
    }
}

/* a[k] = sum dy, b[k] = sum dy (x - mean[k]) over channel c.channel + k, k < count; b only where it is wanted: else x
 * is not read. */
static inline void tare_bn_products(tare_channels c, const float *x, const float *dy, const float mean[TARE_BLOCK],
                                    bool want_b, double a[TARE_BLOCK], double b[TARE_BLOCK])
{
    if (c.s == 1) {
        tare_bn_sum_lanes(c, TARE_BN_DY, x, dy, mean, a);
        if (want_b)
            tare_bn_sum_lanes(c, TARE_BN_PRODUCT, x, dy, mean, b);
        return;
    }
    for (int k = 0; k < c.count; ++k) {
        tare_bn_stretch s;
        a[k] = b[k] = 0;
        for (int64_t i = 0; (s = tare_bn_stretch_of(c, c.channel + k, i)).runs; ++i) {
            const tare_bn_pair sum = tare_bn_sums(true, &s, want_b ? x : dy, dy, mean[k]);
            a[k] += (double)sum.first;
            b[k] += (double)sum.second;
        }
    }
}

/* What becomes of an element, with four numbers a channel: (x - p0) p1 + p2; (dy - p2 - (x - p0) p3) p1; dy p1. */
typedef enum { TARE_BN_MAP_NORMAL, TARE_BN_MAP_GRADIENT, TARE_BN_MAP_SCALED } tare_bn_map_kind;
typedef struct {
    float p[4][TARE_BLOCK];
} tare_bn_numbers;

static inline tare_block tare_bn_map_block(tare_bn_map_kind kind, tare_block x, tare_block dy, const tare_block p[4])
{
    for (int k = 0; k < TARE_BLOCK_VECTORS; ++k) {
        if (kind == TARE_BN_MAP_NORMAL)
            x.v[k] = (x.v[k] - p[0].v[k]) * p[1].v[k] + p[2].v[k];
        else if (kind == TARE_BN_MAP_GRADIENT)
            x.v[k] = (dy.v[k] - p[2].v[k] - (x.v[k] - p[0].v[k]) * p[3].v[k]) * p[1].v[k];
        else
            x.v[k] = dy.v[k] * p[1].v[k];
    }
    return x;
}

static inline void tare_bn_map_run(tare_bn_map_kind kind, const float *x, const float *dy, const tare_block p[4],
                                   int64_t n, float *out)
{
    for (int64_t i = 0; i < n; i += TARE_BLOCK) {
        tare_block a = kind == TARE_BN_MAP_SCALED ? p[0] : tare_block_load(x + i, n - i, 0);
        tare_block b = kind == TARE_BN_MAP_NORMAL ? p[0] : tare_block_load(dy + i, n - i, 0);
        tare_block_store(out + i, tare_bn_map_block(kind, a, b, p), n - i);
    }
}

/* out may be x or dy. */
static inline void tare_bn_map(tare_channels c, tare_bn_map_kind kind, const float *x, const float *dy,
                               const tare_bn_numbers *numbers, float *out)
{
    tare_block p[4];
    memcpy(p, numbers, sizeof p);
    for (int64_t n = 0; c.s == 1 && n < c.n; ++n) {
        int64_t at = n * c.c + c.channel;
        tare_bn_map_run(kind, x + at, dy + at, p, c.count, out + at);
    }
    for (int k = 0; c.s != 1 && k < c.count; ++k) {
        for (int i = 0; i < 4; ++i)
            p[i] = tare_block_of(numbers->p[i][k]);
        for (int64_t n = 0; n < c.n; ++n) {
            int64_t at = (n * c.c + c.channel + k) * c.s;
            tare_bn_map_run(kind, x + at, dy + at, p, c.s, out + at);
        }
    }
}

/* ---- the records' part (batch_norm.c)
 * ------------------------------------------------------------------------------*/
/* x [N,C,...] of rank 2 to 5 and floating. */
tare_status tare__bn_check_input(const tare_args *, const tare_desc *x, const char *what);
/* The n inputs from `first` on that are there are [C] of x's dtype. */
tare_status tare__bn_check_channels(const tare_args *, const tare_desc *x, int first, int n, const char *const *name);
/* A desc [C] like x. */
tare_desc tare__bn_channels(const tare_desc *x);
/* Geometry and pieces; epsilon and momentum are 0. */
void tare__bn_prepare(const tare_desc *x, tare_work *);

/* The reference's element number i of channel `channel`, i < N S. */
static inline int64_t tare_bn_at(const int64_t *g, int64_t channel, int64_t i)
{
    return (i / g[TARE_BN_S] * g[TARE_BN_C] + channel) * g[TARE_BN_S] + i % g[TARE_BN_S];
}

#endif
