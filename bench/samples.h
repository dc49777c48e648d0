/* samples.h - batches of a data set as a net wants them. */
#ifndef TARE_BENCH_SAMPLES_H
#define TARE_BENCH_SAMPLES_H

#include "../data/batches.h"
#include "../data/dataset.h"
#include "arm.h"

/* A data set and what goes with it for a net. */
typedef struct {
    tare_memory memory;
    tare_dataset set;
    char *batch; /* owned: room for a gathered batch, kept from step to step */
    size_t batch_bytes;
} tare__samples;

/* Reads a folder. An exit code, the reason printed. */
int tare__samples_open(const tare__line *, const char *folder, unsigned parts, tare__samples *);
void tare__samples_close(tare__samples *);

/* BAD_SHAPE, BAD_DTYPE where the net cannot take a part's rows. */
tare_status tare__samples_fit(const tare_dataset_part *, const tare_net *, tare_loss);
/* A batch as the net takes it: rows of floats, bytes scaled as it asks; int32 labels or float targets, by the loss. */
tare_status tare__samples_gather(const tare_dataset_part *, const tare_batch *, const tare_net *, tare_loss, float *x,
                                 void *target);
/* Gathers and feeds; the batch has as many rows as the arm's. */
tare_status tare__samples_feed(tare__samples *, const tare_dataset_part *, const tare_batch *, tare__arm *);

/* What a net makes of a part, in the imperative mode, in its own order, batch rows at a time: accuracy of labels, mean
 * squared error of targets. output NULL, or room for all outputs. */
tare_status tare__samples_evaluate(const tare_dataset_part *, const tare__arm *, double *metric, float *output);
/* "accuracy", "MSE". */
const char *tare__samples_metric(const tare__arm *);

#endif
