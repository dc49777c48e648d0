/* regression.h - a linear regression as .npy files, for nets that need wide inputs and a real target.
 *
 * The recipe of the published comparison that SEEDS.md calls S2: inputs x of 1 000 standard normals,
 * target = sum over i of (w1[i] x[i] + w0[i]) with w standard normal. The sum is taken in double from the
 * floats that are written, in the order of i, and rounded once. */
#ifndef TARE_DATA_REGRESSION_H
#define TARE_DATA_REGRESSION_H

#include <stdint.h>

#include "../core/memory.h"
#include "../core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TARE_REGRESSION_INPUTS = 1000 };

/* Writes X_train.npy [N,1000], Y_train.npy [N,1], X_test.npy and Y_test.npy, float32, into `folder`, which is
 * made if it is missing: all four files or none. A tenth of `count` rows (2 or more; the tenth rounded down,
 * 1 or more) is for the test. `seed` is that of the inputs; the weights' is 42 always, so that another seed
 * gives other rows of the same problem. Memory does not grow with count. */
TARE_API tare_status tare_regression_write(tare_memory *memory, const char *folder, uint64_t seed, int64_t count);

#ifdef __cplusplus
}
#endif
#endif
