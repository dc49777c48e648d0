/* gemm_isa.h - the three things that no vector expression says: a fused multiply-add that is one for certain, and
 * loads and stores of part of a vector that touch nothing else.
 *
 * Contraction would fuse most of a * b + c, but not all (a compiler that splits a vector, or moves the product to
 * another basic block, rounds twice), and then two tiles would give other bits. The portable pass has no fused
 * multiply-add and rounds twice everywhere. Included by the matrix product alone, in every pass. */
#ifndef TARE_OPS_GEMM_ISA_H
#define TARE_OPS_GEMM_ISA_H

#include "simd.h"

#define TARE_ALWAYS_INLINE static inline __attribute__((always_inline))

/* Before a loop over registers: it must be gone before gcc decides what lives in memory. (clang unrolls them unasked,
 * and only by two when asked.) */
#ifdef __clang__
#define TARE_UNROLL
#else
#define TARE_UNROLL _Pragma("GCC unroll 16")
#endif

#if defined(TARE_PASS_AVX512)

#include <immintrin.h>

TARE_ALWAYS_INLINE tare_vf gemm_fma(tare_vf x, tare_vf y, tare_vf sum)
{
    return _mm512_fmadd_ps(x, y, sum);
}

/* The first n elements (1 <= n <= TARE_LANES), zeros after them. */
TARE_ALWAYS_INLINE tare_vf gemm_load_part(const float *p, int64_t n)
{
    return _mm512_maskz_loadu_ps((__mmask16)(0xffffu >> (16 - n)), p);
}

/* The lanes first <= i < end (0 <= first < TARE_LANES, 0 <= end <= TARE_LANES; none where end <= first), and what lies
 * in them, zeros elsewhere: nothing else is read. */
typedef __mmask16 gemm_lanes;
TARE_ALWAYS_INLINE gemm_lanes gemm_lanes_of(int64_t first, int64_t end)
{
    return (__mmask16)(((1u << end) - 1) & (0xffffu << first));
}

TARE_ALWAYS_INLINE tare_vf gemm_load_lanes(const float *p, gemm_lanes lanes)
{
    return _mm512_maskz_loadu_ps(lanes, p);
}

TARE_ALWAYS_INLINE void gemm_store_part(float *p, tare_vf v, int64_t n)
{
    _mm512_mask_storeu_ps(p, (__mmask16)(0xffffu >> (16 - n)), v);
}

#elif defined(TARE_PASS_AVX2)

#include <immintrin.h>

TARE_ALWAYS_INLINE tare_vf gemm_fma(tare_vf x, tare_vf y, tare_vf sum)
{
    return _mm256_fmadd_ps(x, y, sum);
}

TARE_ALWAYS_INLINE __m256i gemm_mask(int64_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

TARE_ALWAYS_INLINE tare_vf gemm_load_part(const float *p, int64_t n)
{
    return _mm256_maskload_ps(p, gemm_mask(n));
}

typedef __m256i gemm_lanes;
TARE_ALWAYS_INLINE gemm_lanes gemm_lanes_of(int64_t first, int64_t end)
{
    return _mm256_andnot_si256(gemm_mask(first), gemm_mask(end));
}

TARE_ALWAYS_INLINE tare_vf gemm_load_lanes(const float *p, gemm_lanes lanes)
{
    return _mm256_maskload_ps(p, lanes);
}

TARE_ALWAYS_INLINE void gemm_store_part(float *p, tare_vf v, int64_t n)
{
    _mm256_maskstore_ps(p, gemm_mask(n), v);
}

#else

TARE_ALWAYS_INLINE tare_vf gemm_fma(tare_vf x, tare_vf y, tare_vf sum)
{
    return x * y + sum;
}

TARE_ALWAYS_INLINE tare_vf gemm_load_part(const float *p, int64_t n)
{
    return n == TARE_LANES ? tare_load(p) : tare_load_part(p, n);
}

typedef struct {
    int64_t first, end;
} gemm_lanes;
TARE_ALWAYS_INLINE gemm_lanes gemm_lanes_of(int64_t first, int64_t end)
{
    return (gemm_lanes){first, end};
}

TARE_ALWAYS_INLINE tare_vf gemm_load_lanes(const float *p, gemm_lanes lanes)
{
    tare_vf v = {0};
    for (int64_t i = lanes.first; i < lanes.end; i++) {
        v[i] = p[i];
    }
    return v;
}

TARE_ALWAYS_INLINE void gemm_store_part(float *p, tare_vf v, int64_t n)
{
    if (n == TARE_LANES) {
        tare_store(p, v);
    } else {
        tare_store_part(p, v, n);
    }
}

#endif
#endif
