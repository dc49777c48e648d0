/* checkpoint.h - all that a training needs to go on as if it had never stopped, in one safetensors file.
 *
 * Arrays: the net's weights under their names; the optimizer's learning rate, largest norm, step count and state under
 * "optimizer."; and what the caller adds. Metadata: the net, its seed, the optimizer with all its options, the order of
 * the data and the place in it; and what the caller adds. A net, optimizer and batches made alike and restored give
 * bit for bit the steps that the saved ones would have given, in either mode and at any number of threads, since draws
 * are a function of (seed, count) and the order of the data of (seed, epoch), and seed, count and epoch are in the
 * file.
 *
 * The file appears whole or not at all (data/writer.h): a process that is killed leaves the checkpoint before. Threads:
 * the runtime's. */
#ifndef TARE_NETS_CHECKPOINT_H
#define TARE_NETS_CHECKPOINT_H

#include "../data/batches.h"
#include "weights.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TARE_CHECKPOINT_VERSION = 1 };

/* What a checkpoint is of; all borrowed. */
typedef struct {
    tare_net *net;
    tare_optimizer *optimizer; /* NULL: none */
    tare_batches *batches;     /* NULL: none */
} tare_checkpoint;

/* Writes a checkpoint. own: further arrays and metadata under names of their own, NULL for none. */
TARE_API tare_status tare_checkpoint_save(const tare_checkpoint *, const tare_tensors *own, const char *path);

/* Restores from a file that was read (tare_safetensors_read); `path` is for messages. BAD_FILE: it is no checkpoint, or
 * an array is missing or of another shape; BAD_ARGUMENT: it is of another seed, optimizer or order of data. All is as
 * it was then. What the caller added is left to the caller. */
TARE_API tare_status tare_checkpoint_restore(const tare_checkpoint *, const tare_tensors *file, const char *path);

/* Whether a file is a checkpoint. */
TARE_API bool tare_checkpoint_is(const tare_tensors *file);
/* A whole number of a checkpoint's metadata; BAD_FILE where it is missing or none. */
TARE_API tare_status tare_checkpoint_integer(const tare_tensors *file, const char *key, const char *path, int64_t *out);

#ifdef __cplusplus
}
#endif
#endif
