/* gemm_shuffle.h - squares of TARE_LANES vectors: transposed, and each summed into one lane of one vector.
 *
 * Both are butterflies: at distance d (half the lanes, a quarter, ..., 1) vectors j and j + d exchange the lanes whose
 * number has bit d clear with those that have it set. Generic two-vector shuffles with constant lanes; the compilers
 * find the instruction set's own for each distance. */
#ifndef TARE_OPS_GEMM_SHUFFLE_H
#define TARE_OPS_GEMM_SHUFFLE_H

#include "gemm_isa.h"

/* Lane i of a shuffle of (a, b) at distance d; lanes of b count from TARE_LANES. */
#define LANE_LOW(i, d)   (((i) & (d)) ? TARE_LANES + (i) - (d) : (i))       /* lows of a, then lows of b */
#define LANE_HIGH(i, d)  (((i) & (d)) ? TARE_LANES + (i) : (i) + (d))       /* highs of a, then highs of b */
#define LANE_OWN(i, d)   (((i) & (d)) ? TARE_LANES + (i) : (i))             /* lows of a, highs of b: in place */
#define LANE_CROSS(i, d) (((i) & (d)) ? TARE_LANES + (i) - (d) : (i) + (d)) /* highs of a, lows of b: moved */
#define LANE_AGAIN(i, d) ((i) % (d))                                        /* the first d of a, again and again */

#define LANES_4(F, i, d) F(i, d), F((i) + 1, d), F((i) + 2, d), F((i) + 3, d)
#if TARE_LANES == 16
#define LANES_ALL(F, d) LANES_4(F, 0, d), LANES_4(F, 4, d), LANES_4(F, 8, d), LANES_4(F, 12, d)
#elif TARE_LANES == 8
#define LANES_ALL(F, d) LANES_4(F, 0, d), LANES_4(F, 4, d)
#else
#define LANES_ALL(F, d) LANES_4(F, 0, d)
#endif
#define SHUFFLE(a, b, F, d) __builtin_shufflevector(a, b, LANES_ALL(F, d))

/* x[j] lane i becomes x[i] lane j. */
static inline __attribute__((always_inline)) void gemm_transpose(tare_vf x[TARE_LANES])
{
#define TRANSPOSE_STEP(d)                                                                                              \
    TARE_UNROLL                                                                                                        \
    for (int j = 0; j < TARE_LANES; j++) {                                                                             \
        if (!(j & (d))) {                                                                                              \
            tare_vf low = SHUFFLE(x[j], x[j + (d)], LANE_LOW, d), high = SHUFFLE(x[j], x[j + (d)], LANE_HIGH, d);      \
            x[j] = low;                                                                                                \
            x[j + (d)] = high;                                                                                         \
        }                                                                                                              \
    }
#if TARE_LANES > 8
    TRANSPOSE_STEP(8)
#endif
#if TARE_LANES > 4
    TRANSPOSE_STEP(4)
#endif
    TRANSPOSE_STEP(2)
    TRANSPOSE_STEP(1)
}

/* to[i to_row + j] = from[j from_row + i] for i < n, j < rows: rows become columns. `pad`: zeros in the columns that
 * are lacking to whole vectors; else nothing is written there. */
TARE_ALWAYS_INLINE void gemm_turn(const float *from, int64_t from_row, int64_t rows, int64_t n, int pad, float *to,
                                  int64_t to_row)
{
    for (int64_t v = 0; v < rows; v += TARE_LANES) {
        int64_t n_here = rows - v < TARE_LANES ? rows - v : TARE_LANES;
        for (int64_t i = 0; i < n; i += TARE_LANES) {
            int64_t k_here = n - i < TARE_LANES ? n - i : TARE_LANES;
            tare_vf x[TARE_LANES];
            TARE_UNROLL
            for (int j = 0; j < TARE_LANES; j++) {
                const float *at = from + (v + j) * from_row + i;
                x[j] = j >= n_here ? (tare_vf){0} : k_here == TARE_LANES ? tare_load(at) : gemm_load_part(at, k_here);
            }
            gemm_transpose(x);
            TARE_UNROLL
            for (int j = 0; j < TARE_LANES; j++) {
                if (j < k_here) {
                    if (pad || n_here == TARE_LANES) {
                        tare_store(to + (i + j) * to_row + v, x[j]);
                    } else {
                        gemm_store_part(to + (i + j) * to_row + v, x[j], n_here);
                    }
                }
            }
        }
    }
}

/* Lane j of the result is the sum of x[j]'s lanes, by the same tree for each j: lane i with lane i + half the lanes,
 * then with i + a quarter, and so on. */
static inline __attribute__((always_inline)) tare_vf gemm_sums(tare_vf x[TARE_LANES])
{
#define SUMS_STEP(d)                                                                                                   \
    TARE_UNROLL                                                                                                        \
    for (int j = 0; j < (d); j++) {                                                                                    \
        tare_vf own = SHUFFLE(x[j], x[j + (d)], LANE_OWN, d), cross = SHUFFLE(x[j], x[j + (d)], LANE_CROSS, d);        \
        x[j] = own + cross;                                                                                            \
    }
#if TARE_LANES > 8
    SUMS_STEP(8)
#endif
#if TARE_LANES > 4
    SUMS_STEP(4)
#endif
    SUMS_STEP(2)
    SUMS_STEP(1)
    return x[0];
}

#endif
