/* gemm.h - our own single-precision matrix product, the base of dense layers and their gradients.
 *
 *     C[M,N] = A[M,K] B[K,N] (+ bias[N], added once, at the end)        C is written, never accumulated
 *
 * Four paths compute it, each one function an instruction set; which one is decided by tare__gemm_path() from the
 * whole product's M, N, K and form alone, so that a caller decides once and its replay loop decides nothing:
 *
 *     DOT     k contiguous in A and B, few rows or few columns: dot products, 16 sums reduced at once
 *     ROW     n contiguous in B, M < 4: rows of B scaled and added, in four sums (k mod 4) that hide the latency
 *     DIRECT  n contiguous in B, few rows or short k: the register tile straight on the operands
 *     PACKED  anything: B in packed panels in L2, a strip of A in L1, C in registers
 *
 * Invariant: an element's bits depend on its row of A, its column of B, K and the path; not on its place in C, the
 * pieces, the leading dimensions, the addresses or the worker. (Of a NaN only that it is one.) In DIRECT and PACKED
 * an element is one chain of fused multiply-adds a block of K, cut by K alone; in ROW four such chains; in DOT one a
 * lane, then a fixed tree. (The form is which strides are 1: a column that is contiguous because B has no
 * other counts as k contiguous.)
 *
 * Nothing is read outside the operands, nothing written outside C. No alignment is asked for; C must not overlap the
 * rest. Pieces may run on different threads at once, each with its own scratch. */
#ifndef TARE_OPS_GEMM_H
#define TARE_OPS_GEMM_H

#include <stddef.h>
#include <stdint.h>

/* Strides in elements, not negative. a_row: from row m to the next, a_col: from k to the next; b_row: from k to the
 * next, b_col: from column n to the next; c_row: from row m of C to the next (C is contiguous in n). Any strides are
 * right; fast are those where A and B have a stride of 1 each. */
typedef struct {
    int64_t m, n, k; /* each >= 0; with k = 0 the product is zero (and the bias is added) */
    int64_t a_row, a_col, b_row, b_col, c_row;
} tare_gemm_shape;

typedef enum { TARE_GEMM_DOT, TARE_GEMM_ROW, TARE_GEMM_DIRECT, TARE_GEMM_PACKED } tare_gemm_path;

/* FEW_ROWS: DIRECT and DOT take products of so many rows whatever their k. BLOCK_K: up to that K, PACKED adds as DIRECT
 * does. */
enum { TARE_GEMM_FEW_ROWS = 16, TARE_GEMM_BLOCK_K = 512 };

/* The path of a product. DOT, ROW and DIRECT refuse nothing else than what their line above says about strides;
 * PACKED computes any product. */
tare_gemm_path tare__gemm_path(const tare_gemm_shape *shape);

/* Into how many pieces (1..16) the product is cut, by its shape alone: 1 below about 2 MFLOP, then 2, from 40 MFLOP on
 * 4, then 8, 16. */
int32_t tare__gemm_pieces(const tare_gemm_shape *shape);

/* Which part of C a piece writes. */
void tare__gemm_tile(const tare_gemm_shape *shape, int piece, int n_pieces, int64_t *row, int64_t *rows,
                     int64_t *column, int64_t *columns);

/* Scratch each worker of PACKED needs, in bytes, aligned to 64. */
size_t tare__gemm_worker_bytes(const tare_gemm_shape *shape);

/* Computes piece `piece` of `n_pieces` (any number from 1 to 16; every piece must be run once). `bias` may be NULL.
 * TARE_GEMM(isa) declares for an instruction set: the four paths, tare__gemm_dot_ISA and so on; tare__gemm_on_ISA,
 * which takes a path that the caller has decided on; tare__gemm_ISA, which takes the one that tare__gemm_path() gives.
 * Only PACKED uses the scratch. */
#define TARE_GEMM_ONE(name)                                                                                            \
    void name(const tare_gemm_shape *shape, const float *a, const float *b, const float *bias, float *c, int piece,    \
              int n_pieces, void *worker_scratch)
#define TARE_GEMM(isa)                                                                                                 \
    TARE_GEMM_ONE(tare__gemm_##isa);                                                                                   \
    TARE_GEMM_ONE(tare__gemm_dot_##isa);                                                                               \
    TARE_GEMM_ONE(tare__gemm_row_##isa);                                                                               \
    TARE_GEMM_ONE(tare__gemm_direct_##isa);                                                                            \
    TARE_GEMM_ONE(tare__gemm_packed_##isa);                                                                            \
    static inline void tare__gemm_on_##isa(tare_gemm_path path, const tare_gemm_shape *shape, const float *a,          \
                                           const float *b, const float *bias, float *c, int piece, int n_pieces,       \
                                           void *worker_scratch)                                                       \
    {                                                                                                                  \
        switch (path) {                                                                                                \
        case TARE_GEMM_DOT:                                                                                            \
            tare__gemm_dot_##isa(shape, a, b, bias, c, piece, n_pieces, worker_scratch);                               \
            break;                                                                                                     \
        case TARE_GEMM_ROW:                                                                                            \
            tare__gemm_row_##isa(shape, a, b, bias, c, piece, n_pieces, worker_scratch);                               \
            break;                                                                                                     \
        case TARE_GEMM_DIRECT:                                                                                         \
            tare__gemm_direct_##isa(shape, a, b, bias, c, piece, n_pieces, worker_scratch);                            \
            break;                                                                                                     \
        case TARE_GEMM_PACKED:                                                                                         \
            tare__gemm_packed_##isa(shape, a, b, bias, c, piece, n_pieces, worker_scratch);                            \
            break;                                                                                                     \
        }                                                                                                              \
    }

TARE_GEMM(portable)
TARE_GEMM(avx2)
TARE_GEMM(avx512)

#endif
