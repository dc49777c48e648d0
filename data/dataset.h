/* dataset.h - a folder of files as something to train on.
 *
 * Recognised are the four IDX files of MNIST (images and labels, 10 classes; train-images-idx3-ubyte or
 * train-images.idx3-ubyte, as different mirrors have them), CIFAR-10's binary files (data_batch_1.bin to
 * data_batch_5.bin, test_batch.bin; images and labels in one, 10 classes) and X_train, Y_train, X_test, Y_test as .npy
 * (inputs and targets); each file plain or .gz. What comes out has been checked: counts agree, training and test rows
 * are alike, labels are in range. */
#ifndef TARE_DATA_DATASET_H
#define TARE_DATA_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "array.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    tare_array x; /* [N, ...] images or inputs, as the file has them */
    tare_array y; /* labels [N], of an integer type; or targets [N, ...] */
} tare_dataset_part;

typedef struct {
    const char *layout;            /* "mnist", "cifar" or "npy" */
    int64_t n_classes;             /* 0: y are targets, not labels */
    tare_dataset_part train, test; /* one that was not asked for holds nothing */
} tare_dataset;

/* Which parts to read, OR-ed. UNLABELLED: labels or targets may be missing, and y holds nothing then. */
enum { TARE_DATASET_TRAIN = 1, TARE_DATASET_TEST = 2, TARE_DATASET_UNLABELLED = 4 };

/* Reads a data set from a folder, or from the folder of one of its files (which decides where a folder has
 * two sets). On failure `dataset` is untouched: TARE_NOT_FOUND says what was found and what is missing,
 * TARE_BAD_DATA which files disagree or which label is out of range, the rest as in idx.h and npy.h. */
TARE_API tare_status tare_dataset_open(tare_memory *memory, const char *path, unsigned parts, tare_dataset *dataset);

/* Whether a name may be a data set's: a folder, or a file that is called as one of its files is. */
TARE_API bool tare_dataset_names(const char *path);

TARE_API void tare_dataset_fini(tare_memory *memory, tare_dataset *dataset);

#ifdef __cplusplus
}
#endif
#endif
