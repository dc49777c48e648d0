/* weights.h - what a net has learned, on the host and in a file: parameters, and state (running statistics, the count
 * of random calls).
 *
 * A file of weights is a safetensors file with an array an entry, under its name. Bytes are copied as they are, so what
 * is loaded computes bit for bit what was saved, in any mode, on any device. Threads: the runtime's. */
#ifndef TARE_NETS_WEIGHTS_H
#define TARE_NETS_WEIGHTS_H

#include "../data/safetensors.h"
#include "net.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Copies all entries to the host, each under `prefix` and its name; free the set with tare_safetensors_free and the
 * runtime's memory. On failure nothing is made. */
TARE_API tare_status tare_weights_take(const tare_net *, const char *prefix, tare_tensors *out);
/* The reverse. BAD_FILE naming `path` where an entry is missing or has another shape or dtype: the net is as it was. */
TARE_API tare_status tare_weights_put(tare_net *, const char *prefix, const tare_tensors *, const char *path);

/* The same to a file (writer.h says what a failure leaves) and back. A file to be loaded has these arrays and no
 * others, or is a checkpoint (checkpoint.h), of which the rest is passed over. */
TARE_API tare_status tare_weights_save(const tare_net *, const char *path);
TARE_API tare_status tare_weights_load(tare_net *, const char *path);

#ifdef __cplusplus
}
#endif
#endif
