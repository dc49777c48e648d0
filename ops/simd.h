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

/* The first n < TARE_LANES elements, zeros after them: reads nothing beyond p[n - 1]. */
static inline tare_vf tare_load_part(const float *p, int64_t n)
{
    tare_vf v = {0};
    memcpy(&v, p, (size_t)n * sizeof *p);
    return v;
}

static inline void tare_store_part(float *p, tare_vf v, int64_t n)
{
    memcpy(p, &v, (size_t)n * sizeof *p);
}

/* a where the mask (of a vector comparison) is set, else b: bitwise, so that NaNs pass unchanged. */
static inline tare_vf tare_select(tare_vi mask, tare_vf a, tare_vf b)
{
    return (tare_vf)(((tare_vi)a & mask) | ((tare_vi)b & ~mask));
}

#endif
