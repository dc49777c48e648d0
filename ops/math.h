/* math.h - elementary functions of vectors over all of float32, denormals, infinities and NaN included.
 *
 * exp and log are within 1 ulp, expm1 and log1p on what their names say within 2, the normal distribution within 5;
 * sqrt is rounded correctly.
 * Only additions, multiplications, comparisons and integer work on the bits, without contraction: an element has the
 * same bits on every instruction set, in every lane. test_math.c measures the errors against libm's float64.
 *
 * Range reduction: Cody and Waite, Software Manual for the Elementary Functions (1980), ch. 5 and 6, with ln 2 split so
 * that n * ln2_high is exact. The polynomials are minimax fits of this project's own: those of exp and log by
 * iteratively reweighted least squares on Chebyshev points, in float64, coefficients rounded; the others by
 * scripts/fit_polynomial.py. */
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

/* |x|, and the sign's bit of x over a magnitude */
static inline tare_vf tare_magnitude_of(tare_vf x)
{
    return (tare_vf)((tare_vi)x & 0x7fffffff);
}
static inline tare_vf tare_with_sign_of(tare_vf x, tare_vf y)
{
    return (tare_vf)((tare_vi)y | ((tare_vi)x & INT32_MIN));
}

/* The lesser and the greater; the second where one is NaN. */
static inline tare_vf tare_lesser_of(tare_vf a, tare_vf b)
{
    return tare_select(a < b, a, b);
}
static inline tare_vf tare_greater_of(tare_vf a, tare_vf b)
{
    return tare_select(a > b, a, b);
}

static inline tare_vf tare_sqrt_of(tare_vf x)
{
#if defined(TARE_PASS_AVX512)
    return (tare_vf)_mm512_sqrt_ps((__m512)x);
#elif defined(TARE_PASS_AVX2)
    return (tare_vf)_mm256_sqrt_ps((__m256)x);
#else
    for (int l = 0; l < TARE_LANES; ++l)
        x[l] = __builtin_sqrtf(x[l]);
    return x;
#endif
}

/* x = n ln 2 + r, |r| <= ln 2 / 2 and a little, n whole; |x| < 2^15 */
typedef struct {
    tare_vi n;
    tare_vf r;
} tare_reduced;

static inline tare_reduced tare_reduce(tare_vf x)
{
    tare_vf shifted = x * TARE_LOG2_E + TARE_ROUND;
    tare_vf whole = shifted - TARE_ROUND;
    return (tare_reduced){(tare_vi)((tare_vu)shifted - 0x4b400000u),
                          (x - whole * TARE_LN2_HIGH) - whole * TARE_LN2_LOW};
}

/* 2^n e^r; e^r = 1 + r + r^2 P(r). 2^n is applied in two steps, so that results fade into denormals and infinity as
 * they should. */
static inline tare_vf tare_exp_reduced(tare_reduced x)
{
    tare_vf r = x.r;
    tare_vf p = r * 0.001381454f + 0.008368745f;
    p = p * r + 0.04166839f;
    p = p * r + 0.16666521f;
    p = p * r + 0.49999994f;
    tare_vf e = (p * (r * r) + r) + 1.0f;
    tare_vi half = x.n >> 1;
    return e * tare_two_to(half) * tare_two_to(x.n - half);
}

static inline tare_vf tare_exp_of(tare_vf x)
{
    x = tare_select(x > 89.0f, tare_broadcast(89.0f), x);
    x = tare_select(x < -104.0f, tare_broadcast(-104.0f), x);
    return tare_exp_reduced(tare_reduce(x));
}

/* e^x - 1 for x <= 20, and for x > 20 that of 20: 2^n p + (2^n - 1), which loses nothing near 0, with p = e^r - 1 =
 * r + r^2 q(r), relative error of p 1.7e-8. Below -20 it is -1. */
static inline tare_vf tare_expm1_of(tare_vf x)
{
    x = tare_select(x > 20.0f, tare_broadcast(20.0f), x);
    x = tare_select(x < -20.0f, tare_broadcast(-20.0f), x);
    tare_reduced reduced = tare_reduce(x);
    tare_vf r = reduced.r, square = r * r;
    tare_vf q = (r * 0.0416672006f + 0.166665435f) * r + 0.49999997f;
    q += (r * 0.00138825213f + 0.00836652052f) * (square * r);
    tare_vf p = q * square + r, scale = tare_two_to(reduced.n);
    return scale * p + (scale - 1.0f);
}

/* n ln 2 + log(1 + f), 1 + f in [sqrt(1/2), sqrt 2]; log(1 + f) = f - f^2 / 2 + f^3 P(f) */
static inline tare_vf tare_log_reduced(tare_vi n, tare_vf f)
{
    tare_vf p = f * -0.07635661f + 0.12763338f;
    p = p * f - 0.13160585f;
    p = p * f + 0.14201552f;
    p = p * f - 0.16623297f;
    p = p * f + 0.20001234f;
    p = p * f - 0.25000823f;
    p = p * f + 0.3333333f;
    tare_vf square = f * f, whole = __builtin_convertvector(n, tare_vf);
    tare_vf small = p * (square * f) + whole * TARE_LN2_LOW;
    return ((small - 0.5f * square) + f) + whole * TARE_LN2_HIGH;
}

/* x = 2^n (1 + f) */
static inline tare_vf tare_log_of(tare_vf x)
{
    tare_vi tiny = x < 0x1p-126f;
    tare_vf y = tare_select(tiny, x * 0x1p+24f, x);
    /* adding the distance from sqrt(1/2) to 1 carries mantissas from sqrt 2 on into the exponent */
    tare_vu bits = (tare_vu)y + (0x3f800000u - 0x3f3504f3u);
    tare_vi n = (tare_vi)(bits >> 23) - 127 - (tiny & 24);
    tare_vf f = (tare_vf)((bits & 0x7fffffu) + 0x3f3504f3u) - 1.0f;
    tare_vf result = tare_log_reduced(n, f);
    result = tare_select(x > 0x1.fffffep+127f, x, result);
    result = tare_select(x == 0, tare_broadcast(-__builtin_inff()), result);
    /* below zero, and a NaN passes */
    return tare_select((x < 0) | (x != x), tare_broadcast(__builtin_nanf("")), result);
}

/* log(1 + x) for 0 <= x <= 1: 1 + x itself, or twice 1 + (x - 1) / 2 */
static inline tare_vf tare_log1p_of(tare_vf x)
{
    tare_vi upper = x > 0.41421356f;
    return tare_log_reduced(upper & 1, tare_select(upper, (x - 1.0f) * 0.5f, x));
}

/* The standard normal distribution at x: its density, and P(X < x). With a = |x|, P(X > a) = e^(-a^2/2) m(t) / (a + 3),
 * t = (a - 3) / (a + 3); a^2 / 2 is taken apart into an exact part and a rest, since its rounding would be an error of
 * the exponential. From a = 15 on both are 0 or 1. NaN stays NaN. */
typedef struct {
    tare_vf density, below;
} tare_normal;

static inline tare_normal tare_normal_of(tare_vf x)
{
    tare_vf a = tare_magnitude_of(x);
    a = tare_select(a > 15.0f, tare_broadcast(15.0f), a);
    tare_vf high = (tare_vf)((tare_vi)a & ~0xfff);
    tare_reduced reduced = tare_reduce(high * high * -0.5f);
    reduced.r -= (a - high) * (a + high) * 0.5f;
    tare_vf e = tare_exp_reduced(reduced), from = a + 3.0f, t = (a - 3.0f) / from;
    tare_vf m = t * 5.45130461e-05f - 0.000199391056f;
    m = m * t - 0.000947222579f;
    m = m * t + 0.00101350993f;
    m = m * t + 0.00693685515f;
    m = m * t - 0.0104615185f;
    m = m * t - 0.0472580194f;
    m = m * t + 0.230017632f;
    m = m * t - 0.50933218f;
    m = m * t + 0.729083717f;
    tare_vf above = m / from * e;
    return (tare_normal){e * 0.398942280f, tare_select(x < 0, above, 1.0f - above)};
}

#endif
