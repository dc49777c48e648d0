/* ulps.h - how far a float32 is from a true value, in units of its last place. */
#ifndef TARE_TESTS_ULPS_H
#define TARE_TESTS_ULPS_H

#include <math.h>

/* Units of the last place of the float32 result; 0 where both are the same special, infinity where one alone is. */
static inline double ulps(float is, double wanted)
{
    if (isnan(wanted) || isnan(is))
        return isnan(wanted) && isnan(is) ? 0 : INFINITY;
    float nearest = (float)wanted;
    if (isinf(nearest) || isinf(is))
        return is == nearest ? 0 : INFINITY;
    double unit = ldexp(1, ilogb(fabs(wanted) < 0x1p-126 ? 0x1p-126 : wanted) - 23);
    return fabs((double)is - wanted) / unit;
}

#endif
