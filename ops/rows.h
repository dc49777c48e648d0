/* rows.h - what kernels over rows share: blocks of 16 lanes, and pieces of whole rows.
 *
 * A row is read in blocks of 16, however many vectors that is here; sums run in 16 partial sums that combine in one
 * fixed tree. So a result has the same bits on every instruction set. A piece is as many rows as make about TARE_CHUNK
 * elements, at least one: a row is never cut. */
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

/* n < 16 floats by powers of two: a library call would cost more than the row */
static inline void tare_copy_part(float *to, const float *from, int64_t n)
{
    for (int64_t step = TARE_BLOCK / 2, at = 0; step > 0; step /= 2)
        if (n & step) {
            memcpy(to + at, from + at, (size_t)step * sizeof *to);
            at += step;
        }
}

/* The first n of 16 elements, `rest` after them: reads nothing beyond p[n - 1]. */
static inline tare_block tare_block_load(const float *p, int64_t n, float rest)
{
    tare_block b = tare_block_of(rest);
    if (n >= TARE_BLOCK)
        memcpy(&b, p, sizeof b);
    else
        tare_copy_part((float *)&b, p, n);
    return b;
}

static inline void tare_block_store(float *p, tare_block b, int64_t n)
{
    if (n >= TARE_BLOCK)
        memcpy(p, &b, sizeof b);
    else
        tare_copy_part(p, (const float *)&b, n);
}

static inline float tare_block_sum(tare_block b)
{
    float x[TARE_BLOCK];
    memcpy(x, &b, sizeof x);
    for (int half = TARE_BLOCK / 2; half > 0; half /= 2)
        for (int k = 0; k < half; ++k)
            x[k] += x[k + half];
    return x[0];
}

static inline float tare_block_max(tare_block b)
{
    float x[TARE_BLOCK];
    memcpy(x, &b, sizeof x);
    for (int half = TARE_BLOCK / 2; half > 0; half /= 2)
        for (int k = 0; k < half; ++k)
            x[k] = x[k + half] > x[k] ? x[k + half] : x[k];
    return x[0];
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

/* Pieces of rows [N,...] of `wide`, whose rows are not empty. */
static inline void tare_rows_prepare(const tare_desc *wide, tare_work *w)
{
    int64_t length = 1;
    for (int i = 1; i < wide->rank; ++i)
        length *= wide->dim[i];
    int64_t per_piece = length < TARE_CHUNK ? TARE_CHUNK / length : 1;
    w->g[TARE_G_ROWS] = wide->dim[0];
    w->g[TARE_G_LENGTH] = length;
    w->g[TARE_G_PIECE] = per_piece;
    w->g[TARE_G_DTYPE] = wide->dtype;
    w->n_g = TARE_G_COUNT;
    if (wide->dim[0] > per_piece)
        w->n_pieces = (int32_t)((wide->dim[0] + per_piece - 1) / per_piece);
}

#endif
