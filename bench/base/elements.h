/* elements.h - elements of arrays of any dtype as doubles, and how far two arrays lie apart. */
#ifndef TARE_BENCH_ELEMENTS_H
#define TARE_BENCH_ELEMENTS_H

#include <math.h>
#include <stdlib.h>

#include "../../core/runtime.h"

static inline void tare__element_put(void *at, tare_dtype dtype, int64_t i, double x)
{
    switch (dtype) {
    case TARE_F32:
        ((float *)at)[i] = (float)x;
        break;
    case TARE_F64:
        ((double *)at)[i] = x;
        break;
    case TARE_I32:
        ((int32_t *)at)[i] = (int32_t)x;
        break;
    case TARE_I64:
        ((int64_t *)at)[i] = (int64_t)x;
        break;
    default:
        ((uint8_t *)at)[i] = (uint8_t)x;
    }
}

static inline double tare__element(const void *at, tare_dtype dtype, int64_t i)
{
    switch (dtype) {
    case TARE_F32:
        return (double)((const float *)at)[i];
    case TARE_F64:
        return ((const double *)at)[i];
    case TARE_I32:
        return ((const int32_t *)at)[i];
    case TARE_I64:
        return (double)((const int64_t *)at)[i];
    default:
        return ((const uint8_t *)at)[i];
    }
}

static inline bool tare__floats(int dtype)
{
    return dtype == TARE_F32 || dtype == TARE_F64;
}

/* The largest |is - wanted| / max(|wanted|, root mean square of wanted); infinity where one is NaN and the other not,
 * or an infinity differs. `wanted` is rounded to `is`'s dtype first, so that exact means 0. */
static inline double tare__elements_error(const void *is, tare_dtype dtype, const void *wanted, tare_dtype wanted_dtype,
                                          int64_t n)
{
    double square = 0, worst = 0;
    int64_t finite = 0;
    for (int64_t i = 0; i < n; ++i) {
        double w = tare__element(wanted, wanted_dtype, i);
        square += isfinite(w) ? w * w : 0;
        finite += isfinite(w);
    }
    double scale = finite ? sqrt(square / (double)finite) : 0;
    for (int64_t i = 0; i < n; ++i) {
        double x = tare__element(is, dtype, i), w = tare__element(wanted, wanted_dtype, i);
        if (dtype == TARE_F32)
            w = (double)(float)w;
        if (x == w || (isnan(x) && isnan(w)))
            continue;
        double error = fabs(x - w) / fmax(fabs(w), scale);
        worst = fmax(worst, isfinite(error) ? error : INFINITY);
    }
    return worst;
}

#endif
