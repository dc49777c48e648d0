/* gemm_direct_fused.c - the matrix product by register tiles on the operands themselves (DIRECT).
 *
 * For few rows of A, whose products are as long as it takes to read B once, and for short k, whose products are as long
 * as it takes to write C once; so B is read, and C written, in runs along their rows, and nothing is packed.
 *
 *     few rows   all columns of SLICE rows of B at a time, added to what is in C; of all rows up to a block of PACKED
 *     short k    row by row of tiles, all columns
 *
 * Invariant: an element is one chain of fused multiply-adds over the k of a slice, the slices added up in their order;
 * K alone decides them. Columns and rows that do not fill a tile are computed by
 * the same code, rows by reaching back over rows that are done and are not stored. */
#include "gemm_tile.h"

enum { FETCH_LAST = 1 << (TILE_VECTORS - 1), FETCH_ALL = 2 * FETCH_LAST - 1 }; /* vectors of a tile, as bits */
enum { SLICE = 32, RUN = 128 * 1024 }; /* RUN: floats of B read for one row of tiles */

/* A slice of k; the last one adds the bias. */
typedef struct {
    const float *a, *b, *bias;
    float *c;
    int64_t k;
    int more; /* C has the sums so far */
} slice;

/* Rows m.. of the slice for the columns of a tile; rows before `first` are done. b_part: columns of a single vector. */
TARE_ALWAYS_INLINE void direct_tile(int rows, int n_vectors, int fetch, int64_t m, int first, const tare_gemm_shape *s,
                                    const slice *p, int64_t n, int64_t b_part)
{
    tare_vf acc[TILE_ROWS][TILE_VECTORS];
    float *c = p->c + m * s->c_row + n;
    gemm_target to = {.c = c, .c_row = s->c_row, .bias = p->bias ? p->bias + n : NULL, .first = first, .end = rows};
    to.add = p->more;
    to.n_last = b_part ? b_part : TARE_LANES;
    gemm_tile_zero(rows, n_vectors, acc);
    gemm_tile_multiply(rows, n_vectors, p->k, p->a + m * s->a_row, s->a_row, s->a_col, p->b + n, s->b_row, b_part,
                       fetch, acc);
    gemm_tile_store(rows, n_vectors, acc, &to);
}

/* A few rows m.. of one tile. */
TARE_ALWAYS_INLINE void direct_rows(int n_vectors, int fetch, int64_t from, int64_t m, int64_t m_end,
                                    const tare_gemm_shape *s, const slice *p, int64_t n, int64_t b_part)
{
    const int64_t left = m_end - m;
    if (left > TILE_ROWS_FEW && m_end - from >= TILE_ROWS) {
        int64_t at = left >= TILE_ROWS ? m : m_end - TILE_ROWS;
        direct_tile(TILE_ROWS, n_vectors, fetch, at, (int)(m - at), s, p, n, b_part);
        return;
    }
    for (int64_t i = m; i < m_end;)
        if (m_end - from >= TILE_ROWS_FEW) {
            int64_t at = i + TILE_ROWS_FEW <= m_end ? i : m_end - TILE_ROWS_FEW;
            direct_tile(TILE_ROWS_FEW, n_vectors, fetch, at, (int)(i - at), s, p, n, b_part);
            i = at + TILE_ROWS_FEW;
        } else {
            direct_tile(1, n_vectors, fetch, i, 0, s, p, n, b_part);
            i++;
        }
}

/* Rows m to m_end, at most TILE_ROWS of them, of a part that begins at row `from`. */
typedef void direct_function(int64_t from, int64_t m, int64_t m_end, const tare_gemm_shape *s, const slice *p,
                             int64_t n, int64_t n_left);
#define DIRECT(name, n_vectors, fetch, b_part)                                                                         \
    static __attribute__((noinline)) void name(int64_t from, int64_t m, int64_t m_end, const tare_gemm_shape *s,       \
                                               const slice *p, int64_t n, int64_t n_left)                              \
    {                                                                                                                  \
        (void)n_left;                                                                                                  \
        direct_rows(n_vectors, fetch, from, m, m_end, s, p, n, b_part);                                                \
    }
DIRECT(direct_wide, TILE_VECTORS, 0, 0)
DIRECT(direct_fetch, TILE_VECTORS, FETCH_ALL, 0)
DIRECT(direct_fetch_first, TILE_VECTORS, FETCH_ALL - FETCH_LAST, 0)
DIRECT(direct_fetch_last, TILE_VECTORS, FETCH_LAST, 0)
DIRECT(direct_1, 1, 0, 0)
DIRECT(direct_part, 1, 0, n_left)

/* How many of the columns that are left a tile takes. */
static inline int64_t width_of(int64_t left)
{
    return left >= TILE_VECTORS * TARE_LANES ? TILE_VECTORS * TARE_LANES : left >= TARE_LANES ? TARE_LANES : left;
}

static inline void tile(int64_t width, direct_function *wide, int64_t from, int64_t m, int64_t m_end,
                        const tare_gemm_shape *s, const slice *p, int64_t n)
{
    direct_function *f = width == TILE_VECTORS * TARE_LANES ? wide : width == TARE_LANES ? direct_1 : direct_part;
    f(from, m, m_end < m + TILE_ROWS ? m_end : m + TILE_ROWS, s, p, n, width);
}

/* All rows for the columns of a tile, then the next ones. Where K is long, B comes from memory: what is next is fetched
 * while all of the rows are multiplied, two vectors by the first of two tiles, the last by the second. */
static void by_column(const gemm_part *part, const tare_gemm_shape *s, const slice *p)
{
    for (int64_t n = part->n, width; n < part->n_end; n += width) {
        width = width_of(part->n_end - n);
        for (int64_t m = part->m; m < part->m_end; m += TILE_ROWS) {
            const int first = m == part->m, more = m + TILE_ROWS < part->m_end;
            direct_function *wide = p->k == s->k ? direct_wide
                                    : !first     ? direct_fetch_last
                                    : more       ? direct_fetch_first
                                                 : direct_fetch;
            tile(width, wide, part->m, m, part->m_end, s, p, n);
        }
    }
}

/* All columns for the rows of a tile, as many as B's rows may have at a time, then the next rows. */
static void by_row(const gemm_part *part, const tare_gemm_shape *s, const slice *p)
{
    const int64_t run = RUN / (s->k > 0 ? s->k : 1) / 48 * 48; /* k is short */
    for (int64_t from = part->n; from < part->n_end; from += run) {
        const int64_t end = from + run < part->n_end ? from + run : part->n_end;
        for (int64_t m = part->m; m < part->m_end; m += TILE_ROWS)
            for (int64_t n = from, width; n < end; n += width) {
                width = width_of(end - n);
                tile(width, direct_wide, part->m, m, part->m_end, s, p, n);
            }
    }
}

/* K = 1: row after row, nothing but stores; the order (a product added to zero) is the tile's. A row of one vector,
 * the layers of batch 1, keeps it in its register. */
static __attribute__((noinline)) void outer(const tare_gemm_shape *s, const float *a, const float *b, const float *bias,
                                            float *c)
{
    int64_t m = s->m, n_full = s->n / TARE_LANES * TARE_LANES, rest = s->n - n_full, a_row = s->a_row, c_row = s->c_row;
    tare_vf zero = {0}, last = rest ? gemm_load_part(b + n_full, rest) : zero;
    tare_vf bias_last = rest && bias ? gemm_load_part(bias + n_full, rest) : zero;
    if (n_full == TARE_LANES && !rest && !bias) {
        for (tare_vf first = tare_load(b); m > 0; m--) {
            tare_store(c, gemm_fma(tare_broadcast(*a), first, zero));
            a += a_row;
            c += c_row;
        }
        return;
    }
    for (; m > 0; m--) {
        tare_vf x = tare_broadcast(*a);
        for (int64_t n = 0; n < n_full; n += TARE_LANES) {
            tare_vf y = gemm_fma(x, tare_load(b + n), zero);
            tare_store(c + n, bias ? y + tare_load(bias + n) : y);
        }
        if (rest) {
            tare_vf y = gemm_fma(x, last, zero);
            gemm_store_part(c + n_full, bias ? y + bias_last : y, rest);
        }
        a += a_row;
        c += c_row;
    }
}

TARE_GEMM_ONE(TARE_KERNEL(gemm_direct))
{
    (void)worker_scratch;
    if (n_pieces == 1 && shape->k == 1) {
        outer(shape, a, b, bias, c);
        return;
    }
    gemm_part part = gemm_part_of(shape, piece, n_pieces);
    slice p = {.a = a, .b = b, .c = c, .bias = bias, .k = shape->k};
    if (part.m_end - part.m > TARE_GEMM_FEW_ROWS) {
        by_row(&part, shape, &p);
        return;
    }
    const int64_t step = shape->k > TARE_GEMM_BLOCK_K ? SLICE : shape->k;
    int64_t i = 0;
    do { /* once for k = 0 too, which writes zeros */
        p.k = shape->k - i < step ? shape->k - i : step;
        p.a = a + i * shape->a_col;
        p.b = b + i * shape->b_row;
        p.more = i > 0;
        i += p.k;
        p.bias = i == shape->k ? bias : NULL;
        by_column(&part, shape, &p);
    } while (i < shape->k);
}
