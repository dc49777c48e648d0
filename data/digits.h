/* digits.h - a stand-in for MNIST that needs no network: rendered handwritten-looking digits.
 *
 * The files have MNIST's names and format (see idx.h), 28x28 bytes an image, ink bright on black, so
 * that whatever reads MNIST reads them. Each digit is drawn in one of a few styles, bent, turned,
 * sheared, scaled, moved, with its own pen, ink and grain. It is about as hard as MNIST: in three
 * epochs (Adam 1e-3, batch 128) on 12 000 to 60 000 images a perceptron 784-128-64-10 reaches 93 to 97 % on
 * unseen ones, a LeNet (20 and 50 maps, dense 500) 97 to 99.5 %; one of 60 000 parameters needs the 60 000. */
#ifndef TARE_DATA_DIGITS_H
#define TARE_DATA_DIGITS_H

#include <stdint.h>

#include "../core/memory.h"
#include "../core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TARE_DIGITS_SIDE = 28, TARE_DIGITS_CLASSES = 10 };

/* Writes train-images-idx3-ubyte and train-labels-idx1-ubyte (`count` images, 1 or more) and the t10k- pair
 * (a sixth of them, rounded, 1 or more) into `folder`, which is made if it is missing: all four files or
 * none. Every class is there equally often, give or take one. The bytes depend on seed and count alone, and
 * image i on seed, its digit and i. */
TARE_API tare_status tare_digits_write(tare_memory *memory, const char *folder, uint64_t seed, int64_t count);

#ifdef __cplusplus
}
#endif
#endif
