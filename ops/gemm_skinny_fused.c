/* gemm_skinny_fused.c - the matrix product where one side is small: DOT, ROW and DIRECT, all on the operands in place.
 *
 * These are the products of a layer at batch 1 and of short reductions, where packing would cost more than the
 * product and a chain of additions one after the other would leave the processor waiting.
 *
 * Invariant: see gemm.h; here, columns and rows that do not fill a tile are computed by the same code, either on
 * repeated rows whose results are dropped or by reaching back over columns that are done: same operands, same order,
 * same bits. */
#include "gemm_shuffle.h"
#include "gemm_tile.h"

/* DOT: y[rows, columns] = x[rows, k] w[columns, k]^T with rows * columns == TARE_LANES sums, one vector each. */

/* Lanes >= TARE_LANES - n of p[-TARE_LANES + n ..], zeros below: the last n elements of a row, by a full load. */
TARE_ALWAYS_INLINE tare_vf load_last(const float *p, tare_vi keep)
{
    return (tare_vf)((tare_vi)tare_load(p) & keep);
}

TARE_ALWAYS_INLINE void dot_tile(int rows, int columns, int64_t k, const float *const *x, const float *const *w,
                                 tare_vf acc[TARE_LANES])
{
    int64_t i = 0;
    for (; i + TARE_LANES <= k; i += TARE_LANES) {
        for (int r = 0; r < rows; r++) {
            tare_vf xr = tare_load(x[r] + i);
            for (int j = 0; j < columns; j++) {
                acc[r * columns + j] += xr * tare_load(w[j] + i);
            }
        }
    }
    int64_t rest = k - i;
    if (rest && i) {
        tare_vi keep;
        for (int l = 0; l < TARE_LANES; l++) {
            keep[l] = l >= TARE_LANES - rest ? -1 : 0;
        }
        i = k - TARE_LANES;
        for (int r = 0; r < rows; r++) {
            tare_vf xr = load_last(x[r] + i, keep);
            for (int j = 0; j < columns; j++) {
                acc[r * columns + j] += xr * load_last(w[j] + i, keep);
            }
        }
    } else if (rest) {
        for (int r = 0; r < rows; r++) {
            tare_vf xr = gemm_load_part(x[r], rest);
            for (int j = 0; j < columns; j++) {
                acc[r * columns + j] += xr * gemm_load_part(w[j], rest);
            }
        }
    }
}

/* One tile at row m, column n; of its rows and columns those inside [m_end, n_end) are stored. */
TARE_ALWAYS_INLINE void dot_at(int rows, int columns, const tare_gemm_shape *s, const float *a, const float *b,
                               const float *bias, float *c, const gemm_part *at)
{
    const float *x[TARE_LANES], *w[TARE_LANES];
    int64_t m_left = at->m_end - at->m, n_left = at->n_end - at->n;
    for (int r = 0; r < rows; r++) {
        x[r] = a + (at->m + (r < m_left ? r : m_left - 1)) * s->a_row;
    }
    for (int j = 0; j < columns; j++) {
        w[j] = b + (at->n + (j < n_left ? j : n_left - 1)) * s->b_col;
    }
    tare_vf acc[TARE_LANES] = {0};
    dot_tile(rows, columns, s->k, x, w, acc);
    tare_vf sums = gemm_sums(acc);
    c += at->m * s->c_row + at->n;
    if (rows == 1 && n_left >= columns) {
        tare_store(c, bias ? sums + tare_load(bias + at->n) : sums);
        return;
    }
    float out[TARE_LANES] __attribute__((aligned(64)));
    tare_store(out, sums);
    for (int r = 0; r < rows && r < m_left; r++) {
        for (int j = 0; j < columns && j < n_left; j++) {
            float sum = out[r * columns + j];
            c[r * s->c_row + j] = bias ? sum + bias[at->n + j] : sum;
        }
    }
}

TARE_GEMM_ONE(TARE_KERNEL(gemm_dot))
{
    (void)worker_scratch;
    gemm_part part = gemm_part_of(shape, piece, n_pieces), at = part;
    enum { SIDE = TARE_LANES == 4 ? 2 : 4 };
    if (shape->n < SIDE) {
        for (at.n = part.n; at.n < part.n_end; at.n++) {
            for (at.m = part.m; at.m < part.m_end; at.m += TARE_LANES) {
                dot_at(TARE_LANES, 1, shape, a, b, bias, c, &at);
            }
        }
        return;
    }
    for (at.m = part.m; part.m_end - at.m >= SIDE; at.m += SIDE) {
        for (at.n = part.n; at.n < part.n_end; at.n += TARE_LANES / SIDE) {
            dot_at(SIDE, TARE_LANES / SIDE, shape, a, b, bias, c, &at);
        }
    }
    for (; at.m < part.m_end; at.m++) {
        for (at.n = part.n; at.n < part.n_end; at.n += TARE_LANES) {
            dot_at(1, TARE_LANES, shape, a, b, bias, c, &at);
        }
    }
}

/* ROW: y[1, n] = x[1, k] w[k, n], the sums of k mod 4 apart. */

enum { ROW_CHAINS = 4 };

TARE_ALWAYS_INLINE void row_tile(int n_vectors, const tare_gemm_shape *s, const float *a, const float *b,
                                 int64_t b_part, const float *bias, float *c)
{
    tare_vf acc[ROW_CHAINS][4] = {0};
    int64_t k = s->k;
    for (; k >= ROW_CHAINS; k -= ROW_CHAINS) {
        for (int q = 0; q < ROW_CHAINS; q++) {
            tare_vf x = tare_broadcast(a[q * s->a_col]);
            for (int v = 0; v < n_vectors; v++) {
                const float *w = b + q * s->b_row + v * TARE_LANES;
                acc[q][v] += x * (b_part ? gemm_load_part(w, b_part) : tare_load(w));
            }
        }
        a += ROW_CHAINS * s->a_col;
        b += ROW_CHAINS * s->b_row;
    }
    for (int q = 0; q < ROW_CHAINS - 1; q++) {
        if (q < k) {
            tare_vf x = tare_broadcast(a[q * s->a_col]);
            for (int v = 0; v < n_vectors; v++) {
                const float *w = b + q * s->b_row + v * TARE_LANES;
                acc[q][v] += x * (b_part ? gemm_load_part(w, b_part) : tare_load(w));
            }
        }
    }
    for (int v = 0; v < n_vectors; v++) {
        tare_vf sum = (acc[0][v] + acc[1][v]) + (acc[2][v] + acc[3][v]);
        if (b_part) {
            gemm_store_part(c, bias ? sum + gemm_load_part(bias, b_part) : sum, b_part);
        } else {
            tare_store(c + v * TARE_LANES, bias ? sum + tare_load(bias + v * TARE_LANES) : sum);
        }
    }
}

TARE_GEMM_ONE(TARE_KERNEL(gemm_row))
{
    (void)worker_scratch;
    gemm_part part = gemm_part_of(shape, piece, n_pieces);
    for (int64_t m = part.m; m < part.m_end; m++) {
        const float *x = a + m * shape->a_row;
        float *y = c + m * shape->c_row;
        int64_t n = part.n;
        for (; n + 4 * TARE_LANES <= part.n_end; n += 4 * TARE_LANES) {
            row_tile(4, shape, x, b + n, 0, bias ? bias + n : NULL, y + n);
        }
        for (; n + TARE_LANES <= part.n_end; n += TARE_LANES) {
            row_tile(1, shape, x, b + n, 0, bias ? bias + n : NULL, y + n);
        }
        if (n < part.n_end) {
            row_tile(1, shape, x, b + n, part.n_end - n, bias ? bias + n : NULL, y + n);
        }
    }
}

/* DIRECT: the register tile on the operands themselves. */

TARE_ALWAYS_INLINE void direct_tile(int rows, int n_vectors, const tare_gemm_shape *s, const float *a, const float *b,
                                    int64_t b_part, const float *bias, float *c)
{
    tare_vf acc[TILE_ROWS][TILE_VECTORS] = {0};
    gemm_tile_multiply(rows, n_vectors, s->k, a, s->a_row, s->a_col, b, s->b_row, b_part, acc);
    gemm_target to = {.c = c, .c_row = s->c_row, .bias = bias, .n_last = b_part ? b_part : TARE_LANES, .end = rows};
    gemm_tile_store(rows, n_vectors, acc, &to);
}

/* All columns of a piece for `rows` rows. */
TARE_ALWAYS_INLINE void direct_rows(int rows, const tare_gemm_shape *s, const float *a, const float *b,
                                    const float *bias, float *c, int64_t n, int64_t n_end)
{
    for (; n + TILE_VECTORS * TARE_LANES <= n_end; n += TILE_VECTORS * TARE_LANES) {
        direct_tile(rows, TILE_VECTORS, s, a, b + n, 0, bias ? bias + n : NULL, c + n);
    }
    for (; n + TARE_LANES <= n_end; n += TARE_LANES) {
        direct_tile(rows, 1, s, a, b + n, 0, bias ? bias + n : NULL, c + n);
    }
    if (n < n_end) {
        direct_tile(rows, 1, s, a, b + n, n_end - n, bias ? bias + n : NULL, c + n);
    }
}

TARE_GEMM_ONE(TARE_KERNEL(gemm_direct))
{
    (void)worker_scratch;
    gemm_part part = gemm_part_of(shape, piece, n_pieces);
    int64_t m = part.m;
    for (; m + TILE_ROWS <= part.m_end; m += TILE_ROWS) {
        direct_rows(TILE_ROWS, shape, a + m * shape->a_row, b, bias, c + m * shape->c_row, part.n, part.n_end);
    }
    for (; m + TILE_ROWS_FEW <= part.m_end; m += TILE_ROWS_FEW) {
        direct_rows(TILE_ROWS_FEW, shape, a + m * shape->a_row, b, bias, c + m * shape->c_row, part.n, part.n_end);
    }
    for (; m < part.m_end; m++) {
        direct_rows(1, shape, a + m * shape->a_row, b, bias, c + m * shape->c_row, part.n, part.n_end);
    }
}
