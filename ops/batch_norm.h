/* batch_norm.h - what batch normalization and its gradient share: sums over a channel and maps along it.
 *
 * x is [N,C,S], S the product of the dimensions after the channels. A piece is a group of channels, done whole: its
 * statistics, then its elements. Up to TARE_BLOCK channels are worked on together. Where S is 1 they lie side by side
 * and are the lanes of a block, row after row; elsewhere each channel is N runs of S elements.
 *
 * Order of the additions: lane i mod 16 of a run (or the channel's own lane) collects at most 32 blocks (rows) in
 * float32, which then go to a float64. So a channel's bits depend on its elements and the shape alone. */
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

static inline void tare_block_add(tare_block *to, tare_block b)
{
    for (int k = 0; k < TARE_BLOCK_VECTORS; ++k)
        to->v[k] += b.v[k];
}

enum { TARE_BN_STEPS = 32 };

/* Lanes are channels: total[k] of channel c.channel + k. */
static inline void tare_bn_sum_lanes(tare_channels c, tare_bn_sum_kind kind, const float *x, const float *dy,
                                     const float *mean, double *total)
{
    tare_block m = mean ? tare_block_load(mean, TARE_BLOCK, 0) : tare_block_of(0);
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

/* One channel's runs. Beyond a run's end x is the mean and dy 0, so that every term there is 0. */
static inline double tare_bn_sum_runs(tare_channels c, int64_t channel, tare_bn_sum_kind kind, const float *x,
                                      const float *dy, float mean)
{
    tare_block m = tare_block_of(mean), sum = tare_block_of(0);
    double total = 0;
    int step = 0;
    for (int64_t n = 0; n < c.n; ++n) {
        int64_t at = (n * c.c + channel) * c.s;
        for (int64_t i = 0; i < c.s; i += TARE_BLOCK) {
            tare_block a = kind == TARE_BN_DY ? m : tare_block_load(x + at + i, c.s - i, mean);
            tare_block b = kind >= TARE_BN_DY ? tare_block_load(dy + at + i, c.s - i, 0) : m;
            tare_block_add(&sum, tare_bn_term(kind, a, b, m));
            if (++step == TARE_BN_STEPS) {
                total += (double)tare_block_sum(sum);
                sum = tare_block_of(0);
                step = 0;
            }
        }
    }
    return total + (double)tare_block_sum(sum);
}

/* total[k], k < count: the sum over channel c.channel + k; mean NULL: zeros. An argument that the kind does not name
 * may be any array. */
static inline void tare_bn_sum(tare_channels c, tare_bn_sum_kind kind, const float *x, const float *dy,
                               const float *mean, double total[TARE_BLOCK])
{
    memset(total, 0, TARE_BLOCK * sizeof *total);
    if (c.s == 1)
        tare_bn_sum_lanes(c, kind, x, dy, mean, total);
    else
        for (int k = 0; k < c.count; ++k)
            total[k] = tare_bn_sum_runs(c, c.channel + k, kind, x, dy, mean ? mean[k] : 0);
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
