/* cifar.h - CIFAR-10's binary files, read, .gz too.
 *
 * The format (A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009, and the data set's page):
 * records of 3073 bytes without a header: a label 0..9, then 32x32 pixels of red, of green, of blue, row by row. */
#ifndef TARE_DATA_CIFAR_H
#define TARE_DATA_CIFAR_H

#include "array.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    TARE_CIFAR_CHANNELS = 3,
    TARE_CIFAR_SIDE = 32,
    TARE_CIFAR_CLASSES = 10,
    TARE_CIFAR_PIXELS = TARE_CIFAR_CHANNELS * TARE_CIFAR_SIDE * TARE_CIFAR_SIDE,
    TARE_CIFAR_BATCHES = 5 /* files of the training part, data_batch_1.bin and so on */
};

/* Reads the files one after the other into new arrays: images u8 [N,3,32,32] and labels u8 [N]. On failure they are
 * untouched: TARE_NOT_FOUND, TARE_IO, TARE_NO_MEMORY, or TARE_BAD_FILE with file, offset and reason. No more memory is
 * taken than a few times the bytes that the files really have. */
TARE_API tare_status tare_cifar_read(tare_memory *memory, const char *const *paths, int n_paths, tare_array *images,
                                     tare_array *labels);

#ifdef __cplusplus
}
#endif
#endif
