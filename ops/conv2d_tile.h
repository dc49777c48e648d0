/* conv2d_tile.h - the register tile of the convolutions: rows of broadcast numbers times vectors, both where they lie.
 *
 *     acc[r][v] = sum over i < n of  row[r][i a_step] b_i[v]        b_i at b + i b_step
 *
 * or, where taps are given, row[r][tap[i].a] times what is at b + tap[i].b.
 *
 * An element is one chain of fused multiply-adds over i, whatever the tile's size and place. Everything is inlined with
 * constant sizes: a tile is a function of its own, made by TARE_CONV_TILES for each size. */
#ifndef TARE_OPS_CONV2D_TILE_H
#define TARE_OPS_CONV2D_TILE_H

#include "gemm_isa.h"

enum { TILE_VECTORS = 3, TILE_ROWS = TARE_LANES == 16 ? 8 : 4 };

/* Where a tap lies: its number in each row, its vectors. */
typedef struct {
    int64_t a, b;
} tile_tap;

/* How far the rows lie from the first one, a register each: known multiples would be added up anew at every tap. */
TARE_ALWAYS_INLINE void tile_away(int rows, const float *const *row, int64_t away[TILE_ROWS])
{
    TARE_UNROLL
    for (int r = 1; r < rows; r++) {
        away[r] = row[r] - row[0];
        __asm__("" : "+r"(away[r]));
    }
}

/* Adds to acc, of rows `away` from `row`. part != 0: the last vector has so many elements, and nothing behind them is
 * read. From vector to vector are `apart` elements. What is at ahead + i ahead_step is fetched meanwhile, where `ahead`
 * is given. */
TARE_ALWAYS_INLINE void tile_add_ahead(int rows, int n_vectors, int64_t part, int64_t n, const float *row,
                                       const int64_t away[TILE_ROWS], int64_t a_step, const float *b, int64_t apart,
                                       const tile_tap *tap, int64_t b_step, const float *ahead, int64_t ahead_step,
                                       tare_vf acc[TILE_ROWS][TILE_VECTORS])
{
    for (int64_t i = 0; i < n; i++) {
        const float *first = row + (tap ? tap[i].a : i * a_step), *from = tap ? b + tap[i].b : b;
        tare_vf column[TILE_VECTORS];
        TARE_UNROLL
        for (int v = 0; v < n_vectors; v++)
            column[v] =
                part && v == n_vectors - 1 ? gemm_load_part(from + v * apart, part) : tare_load(from + v * apart);
        TARE_UNROLL
        for (int r = 0; r < rows; r++) {
            tare_vf x = tare_broadcast(r ? first[away[r]] : *first);
            TARE_UNROLL
            for (int v = 0; v < n_vectors; v++)
                acc[r][v] = gemm_fma(x, column[v], acc[r][v]);
        }
        b += b_step;
        if (ahead) {
            __builtin_prefetch(ahead);
            ahead += ahead_step;
        }
    }
}

TARE_ALWAYS_INLINE void tile_add_away(int rows, int n_vectors, int64_t part, int64_t n, const float *row,
                                      const int64_t away[TILE_ROWS], int64_t a_step, const float *b, int64_t apart,
                                      const tile_tap *tap, int64_t b_step, tare_vf acc[TILE_ROWS][TILE_VECTORS])
{
    tile_add_ahead(rows, n_vectors, part, n, row, away, a_step, b, apart, tap, b_step, NULL, 0, acc);
}

TARE_ALWAYS_INLINE void tile_zero(int rows, int n_vectors, tare_vf acc[TILE_ROWS][TILE_VECTORS])
{
    TARE_UNROLL
    for (int r = 0; r < rows; r++) {
        TARE_UNROLL
        for (int v = 0; v < n_vectors; v++)
            acc[r][v] = (tare_vf){0};
    }
}

TARE_ALWAYS_INLINE void tile_add(int rows, int n_vectors, int64_t part, int64_t n, const float *const *row,
                                 int64_t a_step, const float *b, const tile_tap *tap, int64_t b_step,
                                 tare_vf acc[TILE_ROWS][TILE_VECTORS])
{
    int64_t away[TILE_ROWS];
    tile_away(rows, row, away);
    tile_add_away(rows, n_vectors, part, n, row[0], away, a_step, b, TARE_LANES, tap, b_step, acc);
}

TARE_ALWAYS_INLINE void tile_multiply(int rows, int n_vectors, int64_t part, int64_t n, const float *const *row,
                                      int64_t a_step, const float *b, const tile_tap *tap, int64_t b_step,
                                      tare_vf acc[TILE_ROWS][TILE_VECTORS])
{
    tile_zero(rows, n_vectors, acc);
    tile_add(rows, n_vectors, part, n, row, a_step, b, tap, b_step, acc);
}

/* A row of the tile to `to`, added to what is there or not. */
TARE_ALWAYS_INLINE void tile_store_row(int n_vectors, int64_t part, const tare_vf *acc, bool add, float *to)
{
    TARE_UNROLL
    for (int v = 0; v < n_vectors; v++, to += TARE_LANES)
        if (part && v == n_vectors - 1)
            gemm_store_part(to, add ? gemm_load_part(to, part) + acc[v] : acc[v], part);
        else
            tare_store(to, add ? tare_load(to) + acc[v] : acc[v]);
}

/* What is written comes while it is computed. */
TARE_ALWAYS_INLINE void tile_fetch(int rows, int n_vectors, const float *to, int64_t to_row)
{
    TARE_UNROLL
    for (int r = 0; r < rows; r++) {
        TARE_UNROLL
        for (int v = 0; v < n_vectors; v++)
            __builtin_prefetch(to + r * to_row + v * TARE_LANES, 1);
    }
}

/* The tile to rows of `to`, with a bias a row where one is given. */
TARE_ALWAYS_INLINE void tile_store(int rows, int n_vectors, int64_t part, tare_vf acc[TILE_ROWS][TILE_VECTORS],
                                   const float *bias, bool add, float *to, int64_t to_row)
{
    TARE_UNROLL
    for (int r = 0; r < rows; r++) {
        TARE_UNROLL
        for (int v = 0; v < n_vectors; v++)
            acc[r][v] = bias ? acc[r][v] + tare_broadcast(bias[r]) : acc[r][v];
        tile_store_row(n_vectors, part, acc[r], add, to + r * to_row);
    }
}

/* kind_tile(rows, n_vectors, part, job *) as functions, and a table [rows - 1][vectors - 1][part] of them. `job` has a
 * field `part`. */
#define TILE_ONE(kind, rows, n_vectors)                                                                                \
    static __attribute__((noinline)) void kind##_##rows##_##n_vectors(const job *j)                                    \
    {                                                                                                                  \
        kind##_tile(rows, n_vectors, 0, j);                                                                            \
    }                                                                                                                  \
    static __attribute__((noinline)) void kind##_##rows##_##n_vectors##_part(const job *j)                             \
    {                                                                                                                  \
        kind##_tile(rows, n_vectors, j->part, j);                                                                      \
    }
#define TILE_ROW(kind, rows) TILE_ONE(kind, rows, 1) TILE_ONE(kind, rows, 2) TILE_ONE(kind, rows, 3)
#define TILE_BOTH(kind, rows, n_vectors)                                                                               \
    {                                                                                                                  \
        kind##_##rows##_##n_vectors, kind##_##rows##_##n_vectors##_part                                                \
    }
#define TILE_NAMES(kind, rows)                                                                                         \
    {                                                                                                                  \
        TILE_BOTH(kind, rows, 1), TILE_BOTH(kind, rows, 2), TILE_BOTH(kind, rows, 3)                                   \
    }
#define TILES_4(kind) TILE_ROW(kind, 1) TILE_ROW(kind, 2) TILE_ROW(kind, 3) TILE_ROW(kind, 4)
#define NAMES_4(kind) TILE_NAMES(kind, 1), TILE_NAMES(kind, 2), TILE_NAMES(kind, 3), TILE_NAMES(kind, 4)
#if TARE_LANES == 16
#define TILES_8(kind) TILES_4(kind) TILE_ROW(kind, 5) TILE_ROW(kind, 6) TILE_ROW(kind, 7) TILE_ROW(kind, 8)
#define NAMES_8(kind) NAMES_4(kind), TILE_NAMES(kind, 5), TILE_NAMES(kind, 6), TILE_NAMES(kind, 7), TILE_NAMES(kind, 8)
#else
#define TILES_8(kind) TILES_4(kind)
#define NAMES_8(kind) NAMES_4(kind)
#endif
#define TARE_CONV_TILES(kind)                                                                                          \
    typedef void kind##_function(const job *);                                                                         \
    TILES_8(kind)                                                                                                      \
    static kind##_function *const kind##_tiles[TILE_ROWS][TILE_VECTORS][2] = {NAMES_8(kind)};

/* The same for whole vectors alone, kind_tile(rows, n_vectors, job *): [rows - 1][vectors - 1]. */
#define WHOLE_ONE(kind, rows, n_vectors)                                                                               \
    static __attribute__((noinline)) void kind##_##rows##_##n_vectors(const job *j)                                    \
    {                                                                                                                  \
        kind##_tile(rows, n_vectors, j);                                                                               \
    }
#define WHOLE_ROW(kind, rows) WHOLE_ONE(kind, rows, 1) WHOLE_ONE(kind, rows, 2) WHOLE_ONE(kind, rows, 3)
#define WHOLE_NAMES(kind, rows)                                                                                        \
    {                                                                                                                  \
        kind##_##rows##_1, kind##_##rows##_2, kind##_##rows##_3                                                        \
    }
#define WHOLE_4(kind)       WHOLE_ROW(kind, 1) WHOLE_ROW(kind, 2) WHOLE_ROW(kind, 3) WHOLE_ROW(kind, 4)
#define WHOLE_NAMES_4(kind) WHOLE_NAMES(kind, 1), WHOLE_NAMES(kind, 2), WHOLE_NAMES(kind, 3), WHOLE_NAMES(kind, 4)
#if TARE_LANES == 16
#define WHOLE_8(kind) WHOLE_4(kind) WHOLE_ROW(kind, 5) WHOLE_ROW(kind, 6) WHOLE_ROW(kind, 7) WHOLE_ROW(kind, 8)
#define WHOLE_NAMES_8(kind)                                                                                            \
    WHOLE_NAMES_4(kind), WHOLE_NAMES(kind, 5), WHOLE_NAMES(kind, 6), WHOLE_NAMES(kind, 7), WHOLE_NAMES(kind, 8)
#else
#define WHOLE_8(kind)       WHOLE_4(kind)
#define WHOLE_NAMES_8(kind) WHOLE_NAMES_4(kind)
#endif
#define TARE_CONV_TILES_WHOLE(kind)                                                                                    \
    typedef void kind##_function(const job *);                                                                         \
    WHOLE_8(kind)                                                                                                      \
    static kind##_function *const kind##_tiles[TILE_ROWS][TILE_VECTORS] = {WHOLE_NAMES_8(kind)};

#endif
