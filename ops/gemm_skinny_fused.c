/* gemm_skinny_fused.c - the matrix product where one side is small: DOT and ROW, both on the operands in place.
 *
 * These are the products of a layer at batch 1 and of short reductions, where packing would cost more than the
 * product and a chain of additions one after the other would leave the processor waiting.
 *
 * Invariant: see gemm.h; here, columns and rows that do not fill a tile are computed by the same code, either on
 * repeated rows whose results are dropped or by reaching back over columns that are done: same operands, same order,
 * same bits. */
#include "gemm_shuffle.h"
#include "gemm_tile.h"

/* Up to DOT_NARROW eight lanes, which cost half as much to sum up, are faster than sixteen (the
 * AVX-512 pass calls the AVX2 one's, so both are linked); up to DOT_SHORT they need no loop. */
enum { DOT_SHORT = 16, DOT_NARROW = 128 };

/* DOT: y[rows, columns] = x[rows, k] w[columns, k]^T with rows * columns == TARE_LANES sums, one vector each. */

enum { SIDE = TARE_LANES == 4 ? 2 : 4 }; /* columns of a tile that is as square as it can be */

/* A tile: rows r of one operand are at x + min(r, x_last) * x_step; the results of clamped ones are not stored. */
typedef struct {
    const float *x, *w, *bias;
    int64_t x_step, w_step;
    int64_t k;
    float *c;
    int64_t c_row;
    int64_t x_last, w_last;
} dot_tile;

TARE_ALWAYS_INLINE const float *dot_row(const float *from, int64_t step, int64_t last, int clamped, int r)
{
    return from + (clamped && r > last ? last : r) * step;
}

/* Adds TARE_LANES steps of k from i on, or the last `part` of them. */
TARE_ALWAYS_INLINE void dot_step(int rows, int columns, int clamped, const dot_tile *t, int64_t i, int64_t part,
                                 tare_vf acc[TARE_LANES])
{
    TARE_UNROLL
    for (int r = 0; r < rows; r++) {
        const float *xp = dot_row(t->x, t->x_step, t->x_last, clamped, r) + i;
        tare_vf x = part ? gemm_load_part(xp, part) : tare_load(xp);
        TARE_UNROLL
        for (int j = 0; j < columns; j++) {
            const float *wp = dot_row(t->w, t->w_step, t->w_last, clamped, j) + i;
            tare_vf w = part ? gemm_load_part(wp, part) : tare_load(wp);
            acc[r * columns + j] = gemm_fma(x, w, acc[r * columns + j]);
        }
    }
}

TARE_ALWAYS_INLINE void dot_store(int rows, int columns, int clamped, const dot_tile *t, tare_vf sums)
{
    int64_t n_stored = clamped && t->w_last + 1 < columns ? t->w_last + 1 : columns;
    if (t->bias) {
        tare_vf bias = columns == TARE_LANES && !clamped ? tare_load(t->bias) : gemm_load_part(t->bias, n_stored);
        sums += columns == 1      ? SHUFFLE(bias, bias, LANE_AGAIN, 1)
                : columns == SIDE ? SHUFFLE(bias, bias, LANE_AGAIN, SIDE)
                                  : bias;
    }
    if (rows == 1 && clamped) {
        gemm_store_part(t->c, sums, n_stored);
        return;
    }
    if (rows == 1 || (columns == 1 && t->c_row == 1 && !clamped)) {
        tare_store(t->c, sums);
        return;
    }
    float out[TARE_LANES] __attribute__((aligned(64)));
    tare_store(out, sums);
    TARE_UNROLL
    for (int r = 0; r < rows; r++) {
        if (!clamped) {
            memcpy(t->c + r * t->c_row, out + r * columns, (size_t)columns * sizeof *out);
        } else if (r <= t->x_last) {
            TARE_UNROLL
            for (int j = 0; j < n_stored; j++) {
                t->c[r * t->c_row + j] = out[r * columns + j];
            }
        }
    }
}

/* The last step of k stands outside the loop, whole or not: a short product has only that one. */
TARE_ALWAYS_INLINE void dot_multiply(int rows, int columns, int clamped, const dot_tile *t)
{
    tare_vf acc[TARE_LANES];
    TARE_UNROLL
    for (int j = 0; j < TARE_LANES; j++) {
        acc[j] = (tare_vf){0};
    }
    int64_t i = 0, k = t->k;
    for (; i + TARE_LANES < k; i += TARE_LANES) {
        dot_step(rows, columns, clamped, t, i, 0, acc);
    }
    if (i + TARE_LANES == k) {
        dot_step(rows, columns, clamped, t, i, 0, acc);
    } else if (i < k) {
        dot_step(rows, columns, clamped, t, i, k - i, acc);
    }
    dot_store(rows, columns, clamped, t, gemm_sums(acc));
}

/* A function a kind of tile: inlined into one another they would share the registers that each needs. */
typedef void dot_function(const dot_tile *t);
#define DOT(name, rows, columns, clamped)                                                                              \
    static __attribute__((noinline)) void name(const dot_tile *t)                                                      \
    {                                                                                                                  \
        dot_multiply(rows, columns, clamped, t);                                                                       \
    }
DOT(dot_row_full, 1, TARE_LANES, 0)
DOT(dot_square, TARE_LANES / SIDE, SIDE, 0)
DOT(dot_column, TARE_LANES, 1, 0)
DOT(dot_row_clamped, 1, TARE_LANES, 1)
DOT(dot_column_clamped, TARE_LANES, 1, 1)

#if TARE_LANES == 8
/* Rows of up to two steps of k, written out: no loop, no sums kept but those of the tile. The order is that above. */
TARE_ALWAYS_INLINE void dot_short(int full, const tare_gemm_shape *s, const float *a, const float *b, const float *bias,
                                  float *c)
{
    int64_t rest = s->k - TARE_LANES, step = s->b_col;
    for (int64_t m = 0; m < s->m; m++) {
        tare_vf x0 = tare_load(a), x1 = full ? tare_load(a + TARE_LANES) : gemm_load_part(a + TARE_LANES, rest);
        for (int64_t i = 0; i < s->n; i += TARE_LANES) {
            int64_t n = i + TARE_LANES <= s->n ? i : s->n - TARE_LANES;
            const float *w = b + n * step;
            tare_vf acc[TARE_LANES];
            TARE_UNROLL
            for (int j = 0; j < TARE_LANES; j++) {
                tare_vf w1 = full ? tare_load(w + TARE_LANES) : gemm_load_part(w + TARE_LANES, rest);
                acc[j] = gemm_fma(x1, w1, gemm_fma(x0, tare_load(w), (tare_vf){0}));
                w += step;
            }
            tare_vf sums = gemm_sums(acc);
            tare_store(c + n, bias ? sums + tare_load(bias + n) : sums);
        }
        a += s->a_row;
        c += s->c_row;
    }
}

static __attribute__((noinline)) void dot_short_full(const tare_gemm_shape *s, const float *a, const float *b,
                                                     const float *bias, float *c)
{
    dot_short(1, s, a, b, bias, c);
}

static __attribute__((noinline)) void dot_short_part(const tare_gemm_shape *s, const float *a, const float *b,
                                                     const float *bias, float *c)
{
    dot_short(0, s, a, b, bias, c);
}
#endif

/* The last tiles of a part reach back over columns or rows that are done; where there are too few, they are clamped. */
static __attribute__((noinline)) void dot_tiles(const tare_gemm_shape *s, const float *a, const float *b,
                                                const float *bias, float *c, int piece, int n_pieces)
{
    gemm_part part = gemm_part_of(s, piece, n_pieces);
    int64_t rows = TARE_LANES / SIDE, columns = SIDE, m_size = part.m_end - part.m, n_size = part.n_end - part.n;
    dot_function *function = dot_square;
    if (m_size < rows || n_size < columns) {
        int wide = n_size >= m_size;
        rows = wide ? 1 : TARE_LANES;
        columns = wide ? TARE_LANES : 1;
        int clamped = n_size < columns || m_size < rows;
        function = clamped ? wide ? dot_row_clamped : dot_column_clamped : wide ? dot_row_full : dot_column;
    }
    for (int64_t m = part.m; m < part.m_end; m += rows) {
        int64_t i = m + rows <= part.m_end || m_size < rows ? m : part.m_end - rows;
        for (int64_t n = part.n; n < part.n_end; n += columns) {
            int64_t j = n + columns <= part.n_end || n_size < columns ? n : part.n_end - columns;
            dot_tile tile = {.x = a + i * s->a_row,
                             .w = b + j * s->b_col,
                             .bias = bias ? bias + j : NULL,
                             .x_step = s->a_row,
                             .w_step = s->b_col,
                             .k = s->k,
                             .c = c + i * s->c_row + j,
                             .c_row = s->c_row,
                             .x_last = part.m_end - i - 1,
                             .w_last = part.n_end - j - 1};
            function(&tile);
        }
    }
}

/* Long rows of B, which are read once from memory: some of them at a time meet all rows of A, slice of k by slice, so
 * that a slice of A stays in a first-level cache. What memory has to give next is fetched all the while, shared out
 * among the rows of A. Sums lie as vectors in memory between slices: bits are those above. */
#if TARE_LANES == 16
enum { LONG_ROWS = 8, LONG_COLUMNS = 3 };
#else
enum { LONG_ROWS = 4, LONG_COLUMNS = 3 };
#endif
enum { LONG_K = 1024, LONG_SLICE = 1024, LONG_GROUP = 4 * LONG_COLUMNS, LONG_MOST = TARE_GEMM_FEW_ROWS };

/* kept[r][j] += x[r] w[j] over a slice; of columns first <= j < end of `next`, as much is fetched meanwhile. */
TARE_ALWAYS_INLINE void slice_multiply(int first, int end, const float *const *x, const float *const *w,
                                       const float *const *next, int64_t k, tare_vf kept[LONG_ROWS][LONG_GROUP])
{
    tare_vf acc[LONG_ROWS][LONG_COLUMNS];
    TARE_UNROLL
    for (int r = 0; r < LONG_ROWS; r++) {
        TARE_UNROLL
        for (int j = 0; j < LONG_COLUMNS; j++) {
            acc[r][j] = kept[r][j];
        }
    }
    for (int64_t i = 0; i < k; i += TARE_LANES) {
        const int64_t part = k - i < TARE_LANES ? k - i : 0;
        tare_vf y[LONG_COLUMNS];
        TARE_UNROLL
        for (int j = 0; j < LONG_COLUMNS; j++) {
            y[j] = part ? gemm_load_part(w[j] + i, part) : tare_load(w[j] + i);
            if (j >= first && j < end) {
                __builtin_prefetch(next[j] + i, 0, 2);
            }
        }
        TARE_UNROLL
        for (int r = 0; r < LONG_ROWS; r++) {
            tare_vf z = part ? gemm_load_part(x[r] + i, part) : tare_load(x[r] + i);
            TARE_UNROLL
            for (int j = 0; j < LONG_COLUMNS; j++) {
                acc[r][j] = gemm_fma(z, y[j], acc[r][j]);
            }
        }
    }
    TARE_UNROLL
    for (int r = 0; r < LONG_ROWS; r++) {
        TARE_UNROLL
        for (int j = 0; j < LONG_COLUMNS; j++) {
            kept[r][j] = acc[r][j];
        }
    }
}

typedef void dot_slices(const float *const *x, const float *const *w, const float *const *next, int64_t k,
                        tare_vf kept[LONG_ROWS][LONG_GROUP]);
#define SLICE(name, first, end)                                                                                        \
    static __attribute__((noinline)) void name(const float *const *x, const float *const *w, const float *const *next, \
                                               int64_t k, tare_vf kept[LONG_ROWS][LONG_GROUP])                         \
    {                                                                                                                  \
        slice_multiply(first, end, x, w, next, k, kept);                                                               \
    }
SLICE(slice_all, 0, LONG_COLUMNS)
SLICE(slice_first, 0, LONG_COLUMNS - 1)
SLICE(slice_last, LONG_COLUMNS - 1, LONG_COLUMNS)

/* The rows m.. and columns n.. of a group, at most LONG_GROUP, from their vectors of sums. */
static void dot_finish(const tare_gemm_shape *s, tare_vf kept[LONG_ROWS][LONG_GROUP], int64_t rows, int64_t columns,
                       const float *bias, float *c)
{
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t j = 0; j < columns; j += TARE_LANES) {
            const int64_t n = columns - j < TARE_LANES ? columns - j : TARE_LANES;
            tare_vf x[TARE_LANES];
            TARE_UNROLL
            for (int i = 0; i < TARE_LANES; i++) {
                x[i] = i < n ? kept[r][j + i] : (tare_vf){0};
            }
            tare_vf sums = gemm_sums(x);
            gemm_store_part(c + r * s->c_row + j, bias ? sums + gemm_load_part(bias + j, n) : sums, n);
        }
    }
}

static void dot_long(const tare_gemm_shape *s, const float *a, const float *b, const float *bias, float *c, int piece,
                     int n_pieces)
{
    gemm_part part = gemm_part_of(s, piece, n_pieces);
    for (int64_t n = part.n; n < part.n_end; n += LONG_GROUP) {
        tare_vf kept[LONG_MOST / LONG_ROWS][LONG_ROWS][LONG_GROUP];
        const int64_t columns = part.n_end - n < LONG_GROUP ? part.n_end - n : LONG_GROUP;
        memset(kept, 0, sizeof kept);
        for (int64_t i = 0; i < s->k; i += LONG_SLICE) {
            const int64_t k = s->k - i < LONG_SLICE ? s->k - i : LONG_SLICE;
            for (int64_t m = part.m; m < part.m_end; m += LONG_ROWS) {
                const float *x[LONG_ROWS], *w[LONG_COLUMNS], *next[LONG_COLUMNS];
                for (int64_t r = 0; r < LONG_ROWS; r++) {
                    x[r] = a + (m + r < part.m_end ? m + r : part.m_end - 1) * s->a_row + i;
                }
                for (int64_t j = 0; j < columns; j += LONG_COLUMNS) {
                    for (int64_t q = 0; q < LONG_COLUMNS; q++) {
                        w[q] = b + (n + (j + q < columns ? j + q : columns - 1)) * s->b_col + i;
                        next[q] = w[q] + (i + k < s->k                       ? k
                                          : n + 2 * LONG_GROUP <= part.n_end ? LONG_GROUP * s->b_col - i
                                                                             : 0);
                    }
                    dot_slices *slice = m > part.m ? slice_last : m + LONG_ROWS < part.m_end ? slice_first : slice_all;
                    slice(x, w, next, k, (void *)&kept[(m - part.m) / LONG_ROWS][0][j]);
                }
            }
        }
        for (int64_t m = part.m; m < part.m_end; m += LONG_ROWS) {
            dot_finish(s, kept[(m - part.m) / LONG_ROWS], part.m_end - m < LONG_ROWS ? part.m_end - m : LONG_ROWS,
                       columns, bias ? bias + n : NULL, c + m * s->c_row + n);
        }
    }
}

TARE_GEMM_ONE(TARE_KERNEL(gemm_dot))
{
    (void)worker_scratch;
    const tare_gemm_shape *s = shape;
#if TARE_LANES == 16
    if (s->k <= DOT_NARROW) {
        tare__gemm_dot_avx2(s, a, b, bias, c, piece, n_pieces, worker_scratch);
        return;
    }
#elif TARE_LANES == 8
    if (n_pieces == 1 && s->k > TARE_LANES && s->k <= DOT_SHORT && s->n >= TARE_LANES) {
        (s->k == DOT_SHORT ? dot_short_full : dot_short_part)(s, a, b, bias, c);
        return;
    }
#endif
    if (s->k > LONG_K && s->m > 4 && s->m <= LONG_MOST) {
        dot_long(s, a, b, bias, c, piece, n_pieces);
        return;
    }
    dot_tiles(s, a, b, bias, c, piece, n_pieces);
}
/* ROW: y[1, n] = x[1, k] w[k, n], the sums of k mod 4 apart. */

enum { ROW_CHAINS = 4 };

TARE_ALWAYS_INLINE void row_step(int n_vectors, float x_k, const float *w, int64_t b_part, tare_vf acc[4])
{
    tare_vf x = tare_broadcast(x_k);
    TARE_UNROLL
    for (int v = 0; v < n_vectors; v++) {
        acc[v] = gemm_fma(x, b_part ? gemm_load_part(w, b_part) : tare_load(w + v * TARE_LANES), acc[v]);
    }
}

TARE_ALWAYS_INLINE void row_tile(int n_vectors, const tare_gemm_shape *s, const float *a, const float *b,
                                 int64_t b_part, const float *bias, float *c)
{
    int64_t k = s->k, a_col = s->a_col, b_row = s->b_row;
    tare_vf acc[ROW_CHAINS][4];
    TARE_UNROLL
    for (int q = 0; q < ROW_CHAINS; q++) {
        TARE_UNROLL
        for (int v = 0; v < n_vectors; v++) {
            acc[q][v] = (tare_vf){0};
        }
    }
    for (; k >= ROW_CHAINS; k -= ROW_CHAINS) {
        TARE_UNROLL
        for (int q = 0; q < ROW_CHAINS; q++) {
            row_step(n_vectors, *a, b, b_part, acc[q]);
            a += a_col;
            b += b_row;
        }
    }
    TARE_UNROLL
    for (int q = 0; q < ROW_CHAINS - 1; q++) {
        if (q < k) {
            row_step(n_vectors, *a, b, b_part, acc[q]);
            a += a_col;
            b += b_row;
        }
    }
    TARE_UNROLL
    for (int v = 0; v < n_vectors; v++) {
        tare_vf sum = (acc[0][v] + acc[1][v]) + (acc[2][v] + acc[3][v]);
        if (b_part) {
            gemm_store_part(c, bias ? sum + gemm_load_part(bias, b_part) : sum, b_part);
        } else {
            tare_store(c + v * TARE_LANES, bias ? sum + tare_load(bias + v * TARE_LANES) : sum);
        }
    }
}

#define ROW(name, n_vectors, part)                                                                                     \
    static __attribute__((noinline)) void name(const tare_gemm_shape *s, const float *a, const float *b,               \
                                               int64_t n_left, const float *bias, float *c)                            \
    {                                                                                                                  \
        (void)n_left;                                                                                                  \
        row_tile(n_vectors, s, a, b, part, bias, c);                                                                   \
    }
ROW(row_4, 4, 0)
ROW(row_1, 1, 0)
ROW(row_part, 1, n_left)

TARE_GEMM_ONE(TARE_KERNEL(gemm_row))
{
    (void)worker_scratch;
    if (n_pieces == 1 && shape->m == 1 && shape->n == TARE_LANES) {
        row_1(shape, a, b, TARE_LANES, bias, c);
        return;
    }
    gemm_part part = gemm_part_of(shape, piece, n_pieces);
    for (int64_t m = part.m; m < part.m_end; m++) {
        const float *x = a + m * shape->a_row;
        float *y = c + m * shape->c_row;
        for (int64_t n = part.n, width; n < part.n_end; n += width) {
            int64_t left = part.n_end - n;
            const float *bias_n = bias ? bias + n : NULL;
            if (left >= 4 * TARE_LANES) {
                width = 4 * TARE_LANES;
                row_4(shape, x, b + n, left, bias_n, y + n);
            } else if (left >= TARE_LANES) {
                width = TARE_LANES;
                row_1(shape, x, b + n, left, bias_n, y + n);
            } else {
                width = left;
                row_part(shape, x, b + n, left, bias_n, y + n);
            }
        }
    }
}
