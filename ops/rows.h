/* rows.h - what kernels over rows share: blocks of 16 lanes, and pieces of whole rows.
 *
 * A row is read in blocks of 16, however many vectors that is here; sums run in 16 partial sums that combine in one
 * fixed tree. So a result has the same bits on every instruction set. A piece is as many rows as cost about as much
 * as TARE_CHUNK elements, at least one: a row is never cut. */
#ifndef TARE_OPS_ROWS_H
#define TARE_OPS_ROWS_H

#include "record.h"

enum { TARE_BLOCK = 16, TARE_BLOCK_VECTORS = TARE_BLOCK / TARE_LANES };
typedef struct {
    tare_vf v[TARE_BLOCK_VECTORS];
} tare_block;

static inline tare_block tare_block_of(float x)
{
    tare_block b;
    for (int k = 0; k < TARE_BLOCK_VECTORS; ++k)
        b.v[k] = tare_broadcast(x);
    return b;
}

/* 0, 1, 2 ... */
static inline tare_vi tare_lanes(void)
{
    static const int32_t lane[TARE_BLOCK] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    tare_vi v;
    memcpy(&v, lane, sizeof v);
    return v;
}

/* All bits set in the lanes below n. */
static inline tare_vi tare_lanes_below(int64_t n)
{
    return tare_lanes() < (int32_t)n;
}

/* The first n of 16 elements, `rest` after them: reads nothing beyond p[n - 1]. */
static inline tare_block tare_block_load(const float *p, int64_t n, float rest)
{
    tare_block b;
    for (int k = 0; k < TARE_BLOCK_VECTORS; ++k, n -= TARE_LANES) {
        if (n >= TARE_LANES)
            b.v[k] = tare_load(p + k * TARE_LANES);
        else if (n > 0)
            b.v[k] = tare_select(tare_lanes_below(n), tare_load_part(p + k * TARE_LANES, n), tare_broadcast(rest));
        else
            b.v[k] = tare_broadcast(rest);
    }
    return b;
}

static inline void tare_block_store(float *p, tare_block b, int64_t n)
{
    for (int k = 0; k < TARE_BLOCK_VECTORS && n > 0; ++k, n -= TARE_LANES) {
        if (n >= TARE_LANES)
            tare_store(p + k * TARE_LANES, b.v[k]);
        else
            tare_store_part(p + k * TARE_LANES, b.v[k], n);
    }
}

/* Lanes k and k + 8, then k and k + 4, then the last four: the tree of all reductions over a block. */
typedef float tare_vf8 __attribute__((vector_size(32)));
typedef float tare_vf4 __attribute__((vector_size(16)));
typedef int32_t tare_vi8 __attribute__((vector_size(32)));
typedef int32_t tare_vi4 __attribute__((vector_size(16)));

static inline float tare_block_sum(tare_block b)
{
    tare_vf8 eight[2];
    memcpy(eight, &b, sizeof eight);
    eight[0] += eight[1];
    tare_vf4 four[2];
    memcpy(four, eight, sizeof four);
    four[0] += four[1];
    return (four[0][0] + four[0][2]) + (four[0][1] + four[0][3]);
}

static inline float tare_block_max(tare_block b)
{
    tare_vf8 eight[2];
    memcpy(eight, &b, sizeof eight);
    tare_vi8 above = eight[1] > eight[0];
    eight[0] = (tare_vf8)(((tare_vi8)eight[1] & above) | ((tare_vi8)eight[0] & ~above));
    tare_vf4 four[2];
    memcpy(four, eight, sizeof four);
    tare_vi4 higher = four[1] > four[0];
    four[0] = (tare_vf4)(((tare_vi4)four[1] & higher) | ((tare_vi4)four[0] & ~higher));
    float low = four[0][2] > four[0][0] ? four[0][2] : four[0][0];
    float high = four[0][3] > four[0][1] ? four[0][3] : four[0][1];
    return high > low ? high : low;
}

/* What tare_rows_prepare leaves: rows, elements a row, rows a piece, dtype. */
enum { TARE_G_ROWS, TARE_G_LENGTH, TARE_G_PIECE, TARE_G_DTYPE, TARE_G_COUNT };

typedef struct {
    int64_t row, end, length;
} tare_rows;

static inline tare_rows tare_rows_of(const tare_call *c, int piece)
{
    int64_t row = piece * c->g[TARE_G_PIECE], end = row + c->g[TARE_G_PIECE];
    return (tare_rows){row, end < c->g[TARE_G_ROWS] ? end : c->g[TARE_G_ROWS], c->g[TARE_G_LENGTH]};
}

/* Pieces of rows [N,...] of `wide`, whose rows are not empty, as even as can be. least: the elements that a row costs
 * at least, where what is done once a row outweighs its elements. */
static inline void tare_rows_prepare(const tare_desc *wide, int64_t least, tare_work *w)
{
    int64_t rows = wide->dim[0], length = 1;
    for (int i = 1; i < wide->rank; ++i)
        length *= wide->dim[i];
    int64_t cost = length > least ? length : least, per_piece = cost < TARE_CHUNK ? TARE_CHUNK / cost : 1;
    int64_t n_pieces = rows > per_piece ? (rows + per_piece - 1) / per_piece : 1;
    w->g[TARE_G_ROWS] = rows;
    w->g[TARE_G_LENGTH] = length;
    w->g[TARE_G_PIECE] = (rows + n_pieces - 1) / n_pieces;
    w->g[TARE_G_DTYPE] = wide->dtype;
    w->n_g = TARE_G_COUNT;
    w->n_pieces = (int32_t)n_pieces;
}

#endif
