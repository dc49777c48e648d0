/* formula.h - numbers of a formula and digests of results, as tests/golden/formula.py has them: golden values for what
 * is too large to write down.
 *
 * Of a result a golden file has the norm and the product with the numbers of "digest". */
#ifndef TARE_TESTS_FORMULA_H
#define TARE_TESTS_FORMULA_H

#include <math.h>
#include <stdint.h>

#include "../bench/base/elements.h"

typedef struct {
    double norm, product;
} formula_digest;

/* The hash that the numbers of `name` begin with. */
static inline uint32_t formula_seed(const char *name)
{
    uint32_t seed = 2166136261u;
    for (; *name; ++name)
        seed = (seed ^ (unsigned char)*name) * 16777619u;
    return seed;
}

/* Number i, in [-1/2, 1/2). */
static inline double formula_number(uint32_t seed, int64_t i)
{
    uint32_t x = seed + (uint32_t)i * 2654435761u;
    x ^= x >> 15;
    x *= 2246822519u;
    x ^= x >> 13;
    return (double)(x >> 8) / 16777216 - 0.5;
}

static inline formula_digest formula_digest_of(const void *data, tare_dtype dtype, int64_t n)
{
    const uint32_t seed = formula_seed("digest");
    formula_digest d = {0};
    for (int64_t i = 0; i < n; ++i) {
        double x = tare__element(data, dtype, i);
        d.norm += x * x;
        d.product += x * formula_number(seed, i);
    }
    d.norm = sqrt(d.norm);
    return d;
}

/* By how much `is` is off, as a share of the norm; infinity where it is not a number. */
static inline double formula_error(formula_digest is, formula_digest wanted)
{
    double off = fmax(fabs(is.norm - wanted.norm), fabs(is.product - wanted.product));
    double error = off == 0 ? 0 : off / wanted.norm;
    return error == error && is.norm == is.norm ? error : INFINITY;
}

#endif
