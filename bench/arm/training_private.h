/* training_private.h - what the loop and its checkpoints share. */
#ifndef TARE_BENCH_TRAINING_PRIVATE_H
#define TARE_BENCH_TRAINING_PRIVATE_H

#include "training.h"

/* Before the names of the best epoch's weights. */
#define TARE__BEST "best."

/* Writes the checkpoint. */
tare_status tare__training_save(const tare__training *);

#endif
