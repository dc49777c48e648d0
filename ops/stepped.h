/* stepped.h - vectors of what lies apart in a row: every other element, every stride-th; and back. */
#ifndef TARE_OPS_STEPPED_H
#define TARE_OPS_STEPPED_H

#include <stdbool.h>

#include "simd.h"

/* The first `left` elements, all lanes where there are more */
static inline tare_vf load_some(const float *p, int64_t left)
{
    return left >= TARE_LANES ? tare_load(p) : left > 0 ? tare_load_part(p, left) : (tare_vf){0};
}

static inline void store_some(float *p, tare_vf v, int64_t left)
{
    if (left >= TARE_LANES)
        tare_store(p, v);
    else if (left > 0)
        tare_store_part(p, v, left);
}

/* Of the `left` elements from p on, those at even places and those at odd ones. */
static inline void load_pairs(const float *p, int64_t left, tare_vf *even, tare_vf *odd)
{
    tare_vf low = load_some(p, left), high = load_some(p + TARE_LANES, left - TARE_LANES);
#if TARE_LANES == 16
    *even = __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    *odd = __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
#elif TARE_LANES == 8
    *even = __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14);
    *odd = __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15);
#else
    *even = __builtin_shufflevector(low, high, 0, 2, 4, 6);
    *odd = __builtin_shufflevector(low, high, 1, 3, 5, 7);
#endif
}

/* Every stride-th of the `left` elements from p on */
static inline tare_vf load_every(const float *p, int64_t stride, int64_t left)
{
    if (stride == 1)
        return load_some(p, left);
    if (stride == 2) {
        tare_vf even, odd;
        load_pairs(p, left, &even, &odd);
        return even;
    }
    float lane[TARE_LANES] = {0};
    for (int64_t l = 0; l < TARE_LANES && l * stride < left; ++l)
        lane[l] = p[l * stride];
    return tare_load(lane);
}

/* Lanes 0 0 1 1 2 2 ..., from the lower or the upper half of v */
static inline tare_vf twice(tare_vf v, bool upper)
{
#if TARE_LANES == 16
    return upper ? __builtin_shufflevector(v, v, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15)
                 : __builtin_shufflevector(v, v, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
#elif TARE_LANES == 8
    return upper ? __builtin_shufflevector(v, v, 4, 4, 5, 5, 6, 6, 7, 7)
                 : __builtin_shufflevector(v, v, 0, 0, 1, 1, 2, 2, 3, 3);
#else
    return upper ? __builtin_shufflevector(v, v, 2, 2, 3, 3) : __builtin_shufflevector(v, v, 0, 0, 1, 1);
#endif
}

/* Lanes a0 b0 a1 b1 ..., of the lower or the upper halves */
static inline tare_vf merged(tare_vf a, tare_vf b, bool upper)
{
#if TARE_LANES == 16
    return upper ? __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
                 : __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
#elif TARE_LANES == 8
    return upper ? __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
                 : __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
#else
    return upper ? __builtin_shufflevector(a, b, 2, 6, 3, 7) : __builtin_shufflevector(a, b, 0, 4, 1, 5);
#endif
}

#endif
