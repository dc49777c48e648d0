/* samples.h - a data set as a net wants it: its parts, and their rows gathered into batches. */
#ifndef TARE_BENCH_SAMPLES_H
#define TARE_BENCH_SAMPLES_H

#include "../../data/batches.h"
#include "../../data/dataset.h"
#include "input.h"

/* A data set and what goes with it for a net. */
typedef struct {
    tare_memory memory;
    tare_dataset set, other;                   /* what was read: the data set, and that of --validation */
    tare_dataset_part train, validation, test; /* views of them; one that there is not holds nothing */
    float byte_scale;                          /* what x is multiplied by where it is bytes */
    char *batch;                               /* owned: room for a gathered batch, kept from step to step */
    size_t batch_bytes;
    char *all; /* owned: all rows of a part, for tare__samples_set */
    size_t all_bytes;
} tare__samples;

/* Reads a folder; parts as in dataset.h. An exit code, the reason printed. */
int tare__samples_open(const tare__line *, const char *folder, unsigned parts, tare__samples *);
/* Inputs alone, as the test part: an array in a file of a known format. An exit code. */
int tare__samples_open_inputs(const tare__line *, const char *file, tare__samples *);
/* Validation data: "0.1" holds out that share of the training rows, the last ones of the file; anything else is a data
 * set, whose test part is taken. An exit code. */
int tare__samples_validate(const tare__line *, const char *text, tare__samples *);
void tare__samples_close(tare__samples *);

/* Makes the parts fit for a net: BAD_SHAPE, BAD_DTYPE where it cannot take their rows. */
tare_status tare__samples_fit(tare__samples *, const tare_net *, tare_loss);
/* A batch as the net's bytes: rows of floats; int32 labels or float targets, by the loss; target NULL: x alone. */
tare_status tare__samples_gather(const tare__samples *, const tare_dataset_part *, const tare_batch *, tare_loss,
                                 float *x, void *target);
/* All rows of a part as the net's bytes, for an arm that feeds itself: its set but for the order. Stays until another
 * is asked for. */
tare_status tare__samples_set(tare__samples *, const tare_dataset_part *, const tare_net *, tare_loss, tare__set *);
/* Gathers and feeds; the batch has as many rows as the arm's. */
tare_status tare__samples_feed(tare__samples *, const tare_dataset_part *, const tare_batch *, tare__arm *);

#endif
