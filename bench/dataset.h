/* dataset.h - a folder of samples, recognised by its file names, and batches of them as a net wants them.
 *
 * Images in MNIST's format (train-images-idx3-ubyte and so on, .gz too): bytes scaled to 0..1, flattened by the net's
 * own input shape. Or X_train.npy, Y_train.npy, X_test.npy, Y_test.npy. */
#ifndef TARE_BENCH_DATASET_H
#define TARE_BENCH_DATASET_H

#include "../data/array.h"
#include "../data/batches.h"
#include "arm.h"

typedef struct {
    tare_array x, target; /* [n,...] */
    float scale;          /* of x */
    int64_t n;
} tare__samples;

typedef struct {
    tare__samples train, test;
    tare_memory memory;
} tare__dataset;

/* Reads the folder. An exit code, the reason printed. */
int tare__dataset_open(const tare__line *, const char *folder, tare__dataset *);
void tare__dataset_close(tare__dataset *);

/* BAD_SHAPE, BAD_DTYPE where a net cannot take these samples. */
tare_status tare__dataset_fits(const tare__dataset *, const tare_net *, tare_loss);

/* A batch as the net's bytes. x: rows of floats; target: int32 labels or floats, by the loss. */
tare_status tare__samples_gather(const tare__samples *, const tare_batch *, tare_loss, float *x, void *target);
/* Gathers and feeds: the batch has as many rows as the arm's. */
tare_status tare__samples_feed(const tare__samples *, const tare_batch *, tare__arm *);

#endif
