/* simd.h - vectors of the processor's own width, written once and compiled once an instruction set.
 *
 * Every file of ops/ is compiled in several passes. The first pass (TARE_PASS_RECORDS, baseline flags)
 * makes the operator records, the references and the portable kernels; each further pass compiles the
 * same kernels again for one instruction set, under names that end in it. A kernel is written in GNU
 * vectors of TARE_LANES floats; what is an intrinsic elsewhere is a compiler's vector expression here.
 *
 * Contraction is off: a * b + c is two roundings. A file whose kernels want fused multiply-adds is named
 * *_fused.c and compiled with contraction on; nothing else differs.
 *
 * Invariant: an element's bits depend neither on its position nor on the partition nor on its address.
 * Tails therefore go through the same vector code: tare_load_part / tare_store_part. */
#ifndef TARE_OPS_SIMD_H
#define TARE_OPS_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(TARE_PASS_AVX512) || defined(TARE_PASS_AVX2)
#include <immintrin.h> /* for masked loads and stores, masks of bytes and square roots alone */
#endif

#if defined(TARE_PASS_AVX512)
#define TARE_ISA   avx512
#define TARE_LANES 16
#elif defined(TARE_PASS_AVX2)
#define TARE_ISA   avx2
#define TARE_LANES 8
#else
#define TARE_ISA          portable
#define TARE_LANES        4
#define TARE_PASS_RECORDS 1
#endif

static inline int64_t tare_round_up(int64_t n, int64_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/* The name of a kernel in this pass: TARE_KERNEL(relu) is tare__relu_avx512, and so on. */
#define TARE_JOIN3_(a, b, c) a##b##_##c
#define TARE_JOIN3(a, b, c)  TARE_JOIN3_(a, b, c)
#define TARE_KERNEL(name)    TARE_JOIN3(tare__, name, TARE_ISA)

typedef float tare_vf __attribute__((vector_size(4 * TARE_LANES)));
typedef int32_t tare_vi __attribute__((vector_size(4 * TARE_LANES)));
typedef float tare_vf_unaligned __attribute__((vector_size(4 * TARE_LANES), aligned(4), may_alias));

static inline tare_vf tare_load(const float *p)
{
    return *(const tare_vf_unaligned *)p;
}

static inline void tare_store(float *p, tare_vf v)
{
    *(tare_vf_unaligned *)p = v;
}

static inline tare_vf tare_broadcast(float x)
{
    return x - (tare_vf){0};
}

/* The first 0 <= n < TARE_LANES elements, zeros after them: reads nothing beyond p[n - 1]. Tiny tensors are all
 * tail, so these cost a few cycles: a mask where the processor has one, else no loop and no call. */
static inline tare_vf tare_load_part(const float *p, int64_t n)
{
#if defined(TARE_PASS_AVX512)
    return (tare_vf)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#elif defined(TARE_PASS_AVX2)
    const tare_vi lane = {0, 1, 2, 3, 4, 5, 6, 7};
    return (tare_vf)_mm256_maskload_ps(p, (__m256i)(lane < (int32_t)n));
#else
    return (tare_vf){n > 0 ? p[0] : 0, n > 1 ? p[1] : 0, n > 2 ? p[2] : 0, 0};
#endif
}

static inline void tare_store_part(float *p, tare_vf v, int64_t n)
{
#if defined(TARE_PASS_AVX512)
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
#else
    /* halves, quarters ...: a masked store of AVX2 is slow on some processors */
    int64_t done = 0;
    for (int64_t part = TARE_LANES / 2; part > 0; part /= 2) {
        if (n & part) {
            memcpy(p + done, (const float *)&v + done, (size_t)part * sizeof *p);
            done += part;
        }
    }
#endif
}

/* n <= TARE_LANES elements at any stride, zeros after them */
static inline tare_vf tare_load_strided(const float *p, int64_t stride, int64_t n)
{
    float lane[TARE_LANES] = {0};
    for (int64_t l = 0; l < n; ++l)
        lane[l] = p[l * stride];
    return tare_load(lane);
}

/* A mask in memory is of bytes, 0 or not; as lanes, all bits set where its byte is not 0. The first n lanes, or all
 * where n is larger. Intrinsics, since the compiler widens and narrows bytes one by one. */
static inline tare_vi tare_load_mask(const uint8_t *p, int64_t n)
{
#if defined(TARE_PASS_AVX512)
    __m128i b = _mm_maskz_loadu_epi8((__mmask16)(n >= TARE_LANES ? 0xffff : (1u << n) - 1), p);
    return (tare_vi)_mm512_cvtepu8_epi32(b) != 0;
#else
    uint8_t b[TARE_LANES] = {0};
    if (n >= TARE_LANES)
        memcpy(b, p, sizeof b);
    else
        memcpy(b, p, (size_t)n);
#if defined(TARE_PASS_AVX2)
    return (tare_vi)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)b)) != 0;
#else
    return (tare_vi){b[0], b[1], b[2], b[3]} != 0;
#endif
#endif
}

/* Bytes of 0 and 1. */
static inline void tare_store_mask_part(uint8_t *p, tare_vi mask, int64_t n)
{
#if defined(TARE_PASS_AVX512)
    _mm_mask_storeu_epi8(p, (__mmask16)(n >= TARE_LANES ? 0xffff : (1u << n) - 1),
                         _mm512_cvtepi32_epi8((__m512i)(mask & 1)));
#else
    uint8_t b[TARE_LANES];
#if defined(TARE_PASS_AVX2)
    __m256i one = (__m256i)(mask & 1);
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(one), _mm256_extracti128_si256(one, 1));
    _mm_storel_epi64((__m128i *)b, _mm_packs_epi16(words, words));
#else
    for (int l = 0; l < TARE_LANES; ++l)
        b[l] = mask[l] & 1;
#endif
    if (n >= TARE_LANES)
        memcpy(p, b, sizeof b);
    else
        memcpy(p, b, (size_t)n);
#endif
}
static inline void tare_store_mask(uint8_t *p, tare_vi mask)
{
    tare_store_mask_part(p, mask, TARE_LANES);
}

/* a where the mask (of a vector comparison) is set, else b: bitwise, so that NaNs pass unchanged. */
static inline tare_vf tare_select(tare_vi mask, tare_vf a, tare_vf b)
{
    return (tare_vf)(((tare_vi)a & mask) | ((tare_vi)b & ~mask));
}

#endif
