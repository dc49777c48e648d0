/* random.h - random numbers that are a function of (seed, stream, element) and of nothing else.
 *
 * There is no generator state: any element can be computed alone, in any order, on any thread, and is
 * the same. The bits come from Philox4x32-10 (J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random
 * numbers: as easy as 1, 2, 3", SC 2011, section 4.3). Normals are made with additions, products,
 * divisions and square roots only, none of the C library's functions, so that their bits are the same
 * on every machine with IEEE arithmetic (given -ffp-contract=off). Safe from any thread. */
#ifndef TARE_CORE_RANDOM_H
#define TARE_CORE_RANDOM_H

#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One block of Philox4x32-10: key = seed (low word first), counter words = (counter low, counter high,
 * stream low, stream high). */
TARE_API void tare_philox(uint64_t seed, uint64_t stream, uint64_t counter, uint32_t out[4]);

/* out[i], i < n: low + (high - low) u with u a multiple of 2^-24 in [0, 1); low <= out[i] <= high, the
 * end `high` itself only where the rounding to float gives it. Element i is word i % 4 of block i / 4. */
TARE_API void tare_random_uniform(float *out, int64_t n, uint64_t seed, uint64_t stream, float low, float high);

/* out[i], i < n: mean + std z, z standard normal (G. Box, M. Muller, 1958), in double, rounded once.
 * Elements 2 k and 2 k + 1 are the cosine and the sine half of block k. |z| is at most 8.6. */
TARE_API void tare_random_normal(float *out, int64_t n, uint64_t seed, uint64_t stream, double mean, double std);

/* out[0..n): the numbers 0..n-1 in random order (Fisher-Yates; swap i draws block i). */
TARE_API void tare_random_permutation(int64_t *out, int64_t n, uint64_t seed, uint64_t stream);

#ifdef __cplusplus
}
#endif
#endif
