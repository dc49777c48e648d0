/* gemm_tile.h - what the paths of the matrix product share: the register tile, cutting in pieces.
 *
 * The tile: `rows` x `n_vectors` vectors of C in registers; at each k a row of B is loaded, an element of each row of
 * A broadcast, and all of them multiplied and added. An element is one chain of fused multiply-adds over k whatever
 * the tile's size, so sizes can be chosen freely where a product does not divide: no bit depends on it.
 *
 * All is inlined with constant sizes; included by *_fused.c only, in every pass. */
#ifndef TARE_OPS_GEMM_TILE_H
#define TARE_OPS_GEMM_TILE_H

#include "gemm.h"
#include "gemm_isa.h"

/* The largest tile that leaves registers for a row of B and a broadcast: 24 + 3 + 1 of 32, 12 + 2 + 1 of 16. */
#if TARE_LANES == 16
enum { TILE_ROWS = 8, TILE_VECTORS = 3 };
#else
enum { TILE_ROWS = 6, TILE_VECTORS = 2 };
#endif
enum { TILE_ROWS_FEW = 4 };

/* What is cut in pieces is cut at these multiples, whatever the instruction set. */
enum { GEMM_CUT_ROWS = 8, GEMM_CUT_COLUMNS = 16 };

/* Where a tile's vectors go: n_last elements of the last vector in a row. */
typedef struct {
    float *c;
    int64_t c_row;
    const float *bias; /* of the tile's first column; NULL: none */
    int64_t n_last;    /* 1..TARE_LANES */
    int first, end;    /* the rows of the tile that are stored */
    int add;           /* to what is in C: a later block of K */
} gemm_target;

TARE_ALWAYS_INLINE void gemm_tile_zero(int rows, int n_vectors, tare_vf acc[TILE_ROWS][TILE_VECTORS])
{
    TARE_UNROLL
    for (int r = 0; r < rows; r++) {
        TARE_UNROLL
        for (int v = 0; v < n_vectors; v++) {
            acc[r][v] = (tare_vf){0};
        }
    }
}

/* acc += a[rows,k] b[k, n_vectors * TARE_LANES]; b_part != 0: one vector of that many elements a row of B; `fetch`, bit
 * v: vector v of the tile after the next in each row of B is fetched meanwhile. */
TARE_ALWAYS_INLINE void gemm_tile_multiply(int rows, int n_vectors, int64_t k, const float *a, int64_t a_row,
                                           int64_t a_col, const float *b, int64_t b_row, int64_t b_part, int fetch,
                                           tare_vf acc[TILE_ROWS][TILE_VECTORS])
{
    for (int64_t i = 0; i < k; i++) {
        tare_vf row[TILE_VECTORS];
        TARE_UNROLL
        for (int v = 0; v < n_vectors; v++) {
            row[v] = b_part ? gemm_load_part(b, b_part) : tare_load(b + v * TARE_LANES);
            if (fetch >> v & 1) {
                __builtin_prefetch(b + (2 * n_vectors + v) * TARE_LANES);
            }
        }
        TARE_UNROLL
        for (int r = 0; r < rows; r++) {
            tare_vf x = tare_broadcast(a[r * a_row]);
            TARE_UNROLL
            for (int v = 0; v < n_vectors; v++) {
                acc[r][v] = gemm_fma(x, row[v], acc[r][v]);
            }
        }
        a += a_col;
        b += b_row;
    }
}

TARE_ALWAYS_INLINE void gemm_tile_store(int rows, int n_vectors, tare_vf acc[TILE_ROWS][TILE_VECTORS],
                                        const gemm_target *to)
{
    TARE_UNROLL
    for (int v = 0; v < n_vectors; v++) {
        int64_t n = v == n_vectors - 1 ? to->n_last : TARE_LANES;
        tare_vf bias = {0};
        if (to->bias) {
            bias =
                n == TARE_LANES ? tare_load(to->bias + v * TARE_LANES) : gemm_load_part(to->bias + v * TARE_LANES, n);
        }
        TARE_UNROLL
        for (int r = 0; r < rows; r++) {
            if (r < to->first || r >= to->end) {
                continue;
            }
            float *c = to->c + r * to->c_row + v * TARE_LANES;
            tare_vf sum = acc[r][v];
            if (n == TARE_LANES) {
                sum = to->add ? tare_load(c) + sum : sum;
                tare_store(c, to->bias ? sum + bias : sum);
            } else {
                sum = to->add ? gemm_load_part(c, n) + sum : sum;
                gemm_store_part(c, to->bias ? sum + bias : sum, n);
            }
        }
    }
}

/* The rows and columns of C that a piece has. */
typedef struct {
    int64_t m, m_end, n, n_end;
} gemm_part;

/* Cutting columns means copying A again, or only reading it where it is used in place; cutting rows means packing B
 * again, transposed or row by row. The cut of least copying is taken, in grains of the costs measured (about a quarter
 * of a cycle an element), with no fewer than a tile's 48 columns to a piece. */
static inline gemm_part gemm_part_of(const tare_gemm_shape *s, int piece, int n_pieces)
{
    if (n_pieces == 1) {
        return (gemm_part){0, s->m, 0, s->n};
    }
    int64_t cost_a = s->m * (s->a_col == 1 ? 1 : 4), cost_b = s->n * (s->b_col == 1 ? 1 : 2), least = INT64_MAX;
    int across = 1;
    for (int i = 1; i <= n_pieces; i++) {
        int64_t cost = cost_a * i + cost_b * (n_pieces / i);
        if (n_pieces % i == 0 && cost < least && (i == 1 || s->n >= (int64_t)i * 48)) {
            least = cost;
            across = i;
        }
    }
    int down = n_pieces / across;
    int64_t rows = (s->m + GEMM_CUT_ROWS - 1) / GEMM_CUT_ROWS;
    int64_t columns = (s->n + GEMM_CUT_COLUMNS - 1) / GEMM_CUT_COLUMNS;
    int i = piece / across, j = piece % across;
    gemm_part part = {rows * i / down * GEMM_CUT_ROWS, rows * (i + 1) / down * GEMM_CUT_ROWS,
                      columns * j / across * GEMM_CUT_COLUMNS, columns * (j + 1) / across * GEMM_CUT_COLUMNS};
    part.m_end = part.m_end < s->m ? part.m_end : s->m;
    part.n_end = part.n_end < s->n ? part.n_end : s->n;
    return part;
}

#endif
