/* gemm_fused.c - the matrix product: which path, how many pieces, and the PACKED path.
 *
 * PACKED, after Goto and van de Geijn (Anatomy of High-Performance Matrix Multiplication, 2008), with the roles of the
 * caches changed for a wide tile: a block of B (block_k x block_n) lies in L2, packed into panels one tile wide; a
 * strip of A (one tile high, block_k long) lies in L1 and meets all panels before the next strip is taken. A strip is
 * used so soon after it is made that A needs no packing of its own: it is read in place where k is contiguous, else
 * copied strip by strip. What does not fill a panel is zeros there and never stored.
 *
 * Invariant: block_k depends on K alone; every element is summed over k in the same order, whatever tile it is in. */
#include "../core/op.h"
#include "gemm_shuffle.h"
#include "gemm_tile.h"

enum {
    BLOCK_K = TARE_GEMM_BLOCK_K, /* a strip of A: 8 x 512 floats, half of L1 */
    BLOCK_B = 160 * 1024,        /* floats of a block of B: 640 KiB of L2 */
    STRIP_FLOATS = 8 * BLOCK_K,  /* of a copied strip of A; there is room for two */
    PANEL = TILE_VECTORS * TARE_LANES
};

static int64_t block_k_of(int64_t k)
{
    int64_t n_blocks = (k + BLOCK_K - 1) / BLOCK_K;
    return n_blocks < 2 ? k : tare_round_up((k + n_blocks - 1) / n_blocks, 8);
}

/* The most columns of a block of B: as even blocks as fit, multiples of the widest panel (48). */
static int64_t block_n_of(int64_t n, int64_t block_k)
{
    int64_t most = BLOCK_B / (block_k > 0 ? block_k : 1) / 48 * 48;
    int64_t n_blocks = (n + most - 1) / most;
    return n_blocks < 2 ? n : tare_round_up((n + n_blocks - 1) / n_blocks, 48);
}

#ifdef TARE_PASS_RECORDS

tare_gemm_path tare__gemm_path(const tare_gemm_shape *s)
{
    if (s->a_col == 1 && s->b_row == 1 && (s->m <= TARE_GEMM_FEW_ROWS || s->n <= 4)) {
        return TARE_GEMM_DOT;
    }
    if (s->b_col == 1 && s->m < 4) {
        return TARE_GEMM_ROW;
    }
    if (s->b_col == 1 && (s->m <= TARE_GEMM_FEW_ROWS || s->k <= 16)) {
        return TARE_GEMM_DIRECT;
    }
    return TARE_GEMM_PACKED;
}

int32_t tare__gemm_pieces(const tare_gemm_shape *s)
{
    double flops = 2.0 * (double)s->m * (double)s->n * (double)s->k;
    int32_t pieces = flops < 2e6 ? 1 : flops < 4e7 ? 2 : flops < 2e8 ? 4 : flops < 1.6e10 ? 8 : 16;
    int64_t most =
        tare_round_up(s->m, GEMM_CUT_ROWS) / GEMM_CUT_ROWS * (tare_round_up(s->n, GEMM_CUT_COLUMNS) / GEMM_CUT_COLUMNS);
    while (pieces > most) {
        pieces /= 2;
    }
    return pieces > 1 ? pieces : 1;
}

void tare__gemm_tile(const tare_gemm_shape *s, int piece, int n_pieces, int64_t *row, int64_t *rows, int64_t *column,
                     int64_t *columns)
{
    gemm_part part = gemm_part_of(s, piece, n_pieces);
    *row = part.m;
    *rows = part.m_end - part.m;
    *column = part.n;
    *columns = part.n_end - part.n;
}

size_t tare__gemm_worker_bytes(const tare_gemm_shape *s)
{
    int64_t block_k = block_k_of(s->k);
    int64_t floats = 2 * STRIP_FLOATS + block_k * tare_round_up(block_n_of(s->n, block_k), GEMM_CUT_COLUMNS);
    return (size_t)floats * sizeof(float) + TARE_WORKERS_APART;
}

#endif

/* One panel of B [k, TARE_LANES * n_vectors] from n columns (as many vectors as they need), zeros beyond them. */
static void pack_rows(const float *b, int64_t b_row, int64_t k, int64_t n, float *panel)
{
    int64_t n_full = n / TARE_LANES, rest = n % TARE_LANES;
    for (int64_t i = 0; i < k; i++) {
        for (int64_t v = 0; v < n_full; v++) {
            tare_store(panel, tare_load(b + v * TARE_LANES));
            panel += TARE_LANES;
        }
        if (rest) {
            tare_store(panel, gemm_load_part(b + n_full * TARE_LANES, rest));
            panel += TARE_LANES;
        }
        b += b_row;
    }
}

static void pack_any(const float *b, int64_t b_row, int64_t b_col, int64_t k, int64_t n, float *panel)
{
    int64_t width = tare_round_up(n, TARE_LANES);
    for (int64_t i = 0; i < k; i++) {
        for (int64_t j = 0; j < width; j++) {
            panel[i * width + j] = j < n ? b[i * b_row + j * b_col] : 0.0f;
        }
    }
}

/* A block of B [k,n] into panels of PANEL columns; the last may be narrower. */
static void pack_block(const tare_gemm_shape *s, const float *b, int64_t k, int64_t n, float *block)
{
    for (int64_t j = 0; j < n; j += PANEL) {
        int64_t n_here = n - j < PANEL ? n - j : PANEL;
        float *panel = block + j * k;
        if (s->b_col == 1) {
            pack_rows(b + j, s->b_row, k, n_here, panel);
        } else if (s->b_row == 1) {
            gemm_turn(b + j * s->b_col, s->b_col, n_here, k, 1, panel, tare_round_up(n_here, TARE_LANES));
        } else {
            pack_any(b + j * s->b_col, s->b_row, s->b_col, k, n_here, panel);
        }
    }
}

/* A strip of A [rows,k] as [k,height], zeros in the rows it lacks. */
static void pack_strip(const tare_gemm_shape *s, const float *a, int64_t k, int rows, int height, float *strip)
{
    int64_t a_row = s->a_row, a_col = s->a_col;
    for (int64_t i = 0; i < k; i++) {
        for (int r = 0; r < height; r++) {
            strip[r] = r < rows ? a[r * a_row] : 0.0f;
        }
        strip += height;
        a += a_col;
    }
}

/* Two full strips of A where rows are contiguous: where k strides over pages a line is fetched once for both. */
static void pack_two_strips(const float *a, int64_t a_col, int64_t k, float *strip)
{
    for (int64_t i = 0; i < k; i++) {
        memcpy(strip, a, TILE_ROWS * sizeof *a);
        memcpy(strip + STRIP_FLOATS, a + TILE_ROWS, TILE_ROWS * sizeof *a);
        strip += TILE_ROWS;
        a += a_col;
    }
}

/* The tile of n_vectors, on a copied strip or (in_place) on A itself. */
TARE_ALWAYS_INLINE void tile(int rows, int n_vectors, int in_place, int64_t k, const float *a, int64_t a_row,
                             const float *panel, const gemm_target *to)
{
    tare_vf acc[TILE_ROWS][TILE_VECTORS];
    gemm_tile_zero(rows, n_vectors, acc);
    gemm_tile_multiply(rows, n_vectors, k, a, in_place ? a_row : 1, in_place ? 1 : rows, panel, n_vectors * TARE_LANES,
                       0, 0, acc);
    gemm_tile_store(rows, n_vectors, acc, to);
}

#define TILE(name, rows, n_vectors, in_place)                                                                          \
    static __attribute__((noinline)) void name(int64_t k, const float *a, int64_t a_row, const float *panel,           \
                                               const gemm_target *to)                                                  \
    {                                                                                                                  \
        tile(rows, n_vectors, in_place, k, a, a_row, panel, to);                                                       \
    }
#define TILES(rows, kind, in_place)                                                                                    \
    TILE(tile_##kind##_1, rows, 1, in_place)                                                                           \
    TILE(tile_##kind##_2, rows, 2, in_place)                                                                           \
    TILE(tile_##kind##_3, rows, TILE_VECTORS, in_place)
TILES(TILE_ROWS, strip, 0)
TILES(TILE_ROWS_FEW, few_strip, 0)
TILES(TILE_ROWS, place, 1)
TILES(TILE_ROWS_FEW, few_place, 1)

typedef void tile_function(int64_t k, const float *a, int64_t a_row, const float *panel, const gemm_target *to);

/* [few rows][in place][vectors - 1]; with two vectors at most the third is never asked for. */
static tile_function *const TILE_OF[2][2][3] = {
    {{tile_strip_1, tile_strip_2, tile_strip_3}, {tile_place_1, tile_place_2, tile_place_3}},
    {{tile_few_strip_1, tile_few_strip_2, tile_few_strip_3}, {tile_few_place_1, tile_few_place_2, tile_few_place_3}},
};

/* C[m..m_end, n columns] of one block of K: `block` is the packed block of B, `strip` room for a copied strip. */
static void multiply_block(const tare_gemm_shape *s, const float *a, int64_t m, int64_t m_end, int64_t k, int64_t n,
                           const float *block, gemm_target to, float *strip)
{
    float *c = to.c;
    const float *bias = to.bias;
    int ready = 0; /* the second of two strips is packed */
    for (int64_t i = m; i < m_end; i += TILE_ROWS) {
        int64_t left = m_end - i;
        int few = left <= TILE_ROWS_FEW;
        int height = few ? TILE_ROWS_FEW : TILE_ROWS;
        int rows = left < height ? (int)left : height;
        /* In place a tile is always full: the last one reaches back over rows that are done, and does not store them.
         */
        int in_place = s->a_col == 1 && m_end >= height;
        int reach = in_place ? height - rows : 0;
        const float *from = a + (i - reach) * s->a_row;
        to.first = reach;
        to.end = reach + rows;
        if (ready) {
            from = strip + STRIP_FLOATS;
            ready = 0;
        } else if (!in_place) {
            ready = s->a_row == 1 && left >= 2 * TILE_ROWS;
            if (ready) {
                pack_two_strips(from, s->a_col, k, strip);
            } else {
                pack_strip(s, from, k, rows, height, strip);
            }
            from = strip;
        }
        for (int64_t j = 0; j < n; j += PANEL) {
            int64_t n_here = n - j < PANEL ? n - j : PANEL;
            int64_t n_vectors = (n_here + TARE_LANES - 1) / TARE_LANES;
            to.c = c + (i - reach) * s->c_row + j;
            to.bias = bias ? bias + j : NULL;
            to.n_last = n_here - (n_vectors - 1) * TARE_LANES;
            TILE_OF[few][in_place][n_vectors - 1](k, from, s->a_row, block + j * k, &to);
        }
    }
}

TARE_GEMM_ONE(TARE_KERNEL(gemm_packed))
{
    const tare_gemm_shape *s = shape;
    gemm_part part = gemm_part_of(s, piece, n_pieces);
    int64_t block_k = block_k_of(s->k), block_n = block_n_of(s->n, block_k);
    float *strip = worker_scratch, *block = strip + 2 * STRIP_FLOATS;
    for (int64_t j = part.n; j < part.n_end; j += block_n) {
        int64_t n = part.n_end - j < block_n ? part.n_end - j : block_n;
        int64_t i = 0;
        do { /* once for k = 0 too, which writes zeros */
            int64_t k = s->k - i < block_k ? s->k - i : block_k;
            pack_block(s, b + i * s->b_row + j * s->b_col, k, n, block);
            gemm_target to = {.c = c + j, .c_row = s->c_row, .add = i > 0};
            to.bias = bias && i + k == s->k ? bias + j : NULL;
            multiply_block(s, a + i * s->a_col, part.m, part.m_end, k, n, block, to, strip);
            i += k;
        } while (i < s->k);
    }
}

TARE_GEMM_ONE(TARE_KERNEL(gemm))
{
    TARE_KERNEL(gemm_on)(tare__gemm_path(shape), shape, a, b, bias, c, piece, n_pieces, worker_scratch);
}
