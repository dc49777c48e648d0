/* math.h - exp and log of vectors, within 1 ulp over all of float32, denormals, infinities and NaN included.
 *
 * Only additions, multiplications, comparisons and integer work on the bits, without contraction: an element has the
 * same bits on every instruction set, in every lane. test_math.c measures the errors against libm's float64.
 *
 * Range reduction: Cody and Waite, Software Manual for the Elementary Functions (1980), ch. 5 and 6, with ln 2 split so
 * that n * ln2_high is exact. The polynomials are minimax fits of this project's own (iteratively reweighted least
 * squares on Chebyshev points, in float64, coefficients rounded). */
#ifndef TARE_OPS_MATH_H
#define TARE_OPS_MATH_H

#include "simd.h"

typedef uint32_t tare_vu __attribute__((vector_size(4 * TARE_LANES)));

#define TARE_LN2_HIGH 0x1.63p-1f       /* 9 bits: times an integer below 2^15 is exact */
#define TARE_LN2_LOW  -0x1.bd0106p-13f /* ln 2 - high */
#define TARE_LOG2_E   0x1.715476p+0f
#define TARE_ROUND    0x1.8p+23f /* x + this - this: x rounded to an integer, |x| < 2^22 */

/* 2^n for integers -126 <= n <= 127 */
static inline tare_vf tare_two_to(tare_vi n)
{
    return (tare_vf)((tare_vu)(n + 127) << 23);
}

/* e^x = 2^n e^r, |r| <= ln 2 / 2; e^r = 1 + r + r^2 P(r). 2^n is applied in two steps, so that results fade into
 * denormals and infinity as they should. */
static inline tare_vf tare_exp(tare_vf x)
{
    x = tare_select(x > 89.0f, tare_broadcast(89.0f), x);
    x = tare_select(x < -104.0f, tare_broadcast(-104.0f), x);
    tare_vf shifted = x * TARE_LOG2_E + TARE_ROUND;
    tare_vi n = (tare_vi)((tare_vu)shifted - 0x4b400000u);
    tare_vf whole = shifted - TARE_ROUND;
    tare_vf r = (x - whole * TARE_LN2_HIGH) - whole * TARE_LN2_LOW;
    tare_vf p = r * 0.001381454f + 0.008368745f;
    p = p * r + 0.04166839f;
    p = p * r + 0.16666521f;
    p = p * r + 0.49999994f;
    tare_vf e = (p * (r * r) + r) + 1.0f;
    tare_vi half = n >> 1;
    return e * tare_two_to(half) * tare_two_to(n - half);
}

/* log x = n ln 2 + log(1 + f), 1 + f in [sqrt(1/2), sqrt 2); log(1 + f) = f - f^2 / 2 + f^3 P(f). */
static inline tare_vf tare_log(tare_vf x)
{
    tare_vi tiny = x < 0x1p-126f;
    tare_vf y = tare_select(tiny, x * 0x1p+24f, x);
    /* adding the distance from sqrt(1/2) to 1 carries mantissas from sqrt 2 on into the exponent */
    tare_vu bits = (tare_vu)y + (0x3f800000u - 0x3f3504f3u);
    tare_vi n = (tare_vi)(bits >> 23) - 127 - (tiny & 24);
    tare_vf f = (tare_vf)((bits & 0x7fffffu) + 0x3f3504f3u) - 1.0f;
    tare_vf p = f * -0.07635661f + 0.12763338f;
    p = p * f - 0.13160585f;
    p = p * f + 0.14201552f;
    p = p * f - 0.16623297f;
    p = p * f + 0.20001234f;
    p = p * f - 0.25000823f;
    p = p * f + 0.3333333f;
    tare_vf square = f * f, whole = __builtin_convertvector(n, tare_vf);
    tare_vf small = p * (square * f) + whole * TARE_LN2_LOW;
    tare_vf result = ((small - 0.5f * square) + f) + whole * TARE_LN2_HIGH;
    result = tare_select(x > 0x1.fffffep+127f, x, result);
    result = tare_select(x == 0, tare_broadcast(-__builtin_inff()), result);
    /* below zero, and a NaN passes */
    return tare_select((x < 0) | (x != x), tare_broadcast(__builtin_nanf("")), result);
}

#endif
