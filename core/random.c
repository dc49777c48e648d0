/* random.c - Philox, and uniforms, normals and permutations made of it (see random.h).
 *
 * log, sin and cos are series of our own: the C library's differ in the last bit from one version and
 * machine to the next, and a data set must not. */
#include "random.h"

#include <math.h>
#include <string.h>

void tare_philox(uint64_t seed, uint64_t stream, uint64_t counter, uint32_t out[4])
{
    uint32_t key_0 = (uint32_t)seed, key_1 = (uint32_t)(seed >> 32);
    uint32_t a = (uint32_t)counter, b = (uint32_t)(counter >> 32);
    uint32_t c = (uint32_t)stream, d = (uint32_t)(stream >> 32);
    for (int round = 0; round < 10; ++round) {
        uint64_t product_a = (uint64_t)0xD2511F53 * a;
        uint64_t product_c = (uint64_t)0xCD9E8D57 * c;
        a = (uint32_t)(product_c >> 32) ^ b ^ key_0;
        b = (uint32_t)product_c;
        c = (uint32_t)(product_a >> 32) ^ d ^ key_1;
        d = (uint32_t)product_a;
        key_0 += 0x9E3779B9;
        key_1 += 0xBB67AE85;
    }
    out[0] = a;
    out[1] = b;
    out[2] = c;
    out[3] = d;
}

void tare_random_uniform(float *out, int64_t n, uint64_t seed, uint64_t stream, float low, float high)
{
    uint32_t word[4];
    for (int64_t i = 0; i < n; ++i) {
        if (i % 4 == 0)
            tare_philox(seed, stream, (uint64_t)i / 4, word);
        double u = (double)(word[i % 4] >> 8) * 0x1p-24;
        out[i] = (float)((double)low + ((double)high - (double)low) * u);
    }
}

/* log x for x in [2^-53, 1]: x = 2^e m with m in [sqrt(1/2), sqrt(2)), s = (m - 1) / (m + 1), and
 * log m = 2 (s + s^3/3 + s^5/5 + ...); |s| < 0.172, so what follows s^21/21 is below 2^-56. */
static double log_series(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int64_t exponent = (int64_t)(bits >> 52) - 1022;
    bits = (bits & 0xFFFFFFFFFFFFF) | (uint64_t)1022 << 52;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m < 0.70710678118654752) {
        m *= 2;
        --exponent;
    }
    double s = (m - 1) / (m + 1), s2 = s * s, sum = 0;
    for (int k = 21; k >= 1; k -= 2)
        sum = sum * s2 + 1.0 / k;
    return (double)exponent * 0.69314718055994531 + 2 * s * sum;
}

/* cos and sin of 2 pi u for u in [0, 1): the nearest quarter turn is taken off exactly, the rest, at most
 * pi/4, goes into the Taylor series up to the 16th and 17th power. */
static void turn_series(double u, double *cosine, double *sine)
{
    int quarter = (int)(4 * u + 0.5);
    double a = (4 * u - quarter) * 1.57079632679489662, a2 = a * a, c = 1, s = 1;
    for (int k = 16; k >= 2; k -= 2) {
        c = 1 - c * a2 / (k * (k - 1));
        s = 1 - s * a2 / (k * (k + 1));
    }
    s *= a;
    *cosine = quarter & 1 ? (quarter & 2 ? s : -s) : (quarter & 2 ? -c : c);
    *sine = quarter & 1 ? (quarter & 2 ? -c : c) : (quarter & 2 ? -s : s);
}

void tare_random_normal(float *out, int64_t n, uint64_t seed, uint64_t stream, double mean, double std)
{
    for (int64_t i = 0; i < n; i += 2) {
        uint32_t word[4];
        tare_philox(seed, stream, (uint64_t)i / 2, word);
        uint64_t first = (uint64_t)word[1] << 32 | word[0], second = (uint64_t)word[3] << 32 | word[2];
        double radius = sqrt(-2 * log_series((double)((first >> 11) + 1) * 0x1p-53)), cosine, sine;
        turn_series((double)(second >> 11) * 0x1p-53, &cosine, &sine);
        out[i] = (float)(mean + std * (radius * cosine));
        if (i + 1 < n)
            out[i + 1] = (float)(mean + std * (radius * sine));
    }
}

__extension__ typedef unsigned __int128 uint128;

void tare_random_permutation(int64_t *out, int64_t n, uint64_t seed, uint64_t stream)
{
    for (int64_t i = 0; i < n; ++i)
        out[i] = i;
    for (int64_t i = n - 1; i > 0; --i) {
        uint32_t word[4];
        tare_philox(seed, stream, (uint64_t)i, word);
        uint64_t draw = (uint64_t)word[1] << 32 | word[0];
        /* The high half of draw * (i + 1) is uniform on 0..i but for a bias below i / 2^64. */
        int64_t j = (int64_t)((uint128)draw * (uint64_t)(i + 1) >> 64);
        int64_t held = out[i];
        out[i] = out[j];
        out[j] = held;
    }
}
