/* named_private.h - values with names, to arrays on the host and back: what weights and checkpoints are made of. */
#ifndef TARE_NETS_NAMED_PRIVATE_H
#define TARE_NETS_NAMED_PRIVATE_H

#include "../data/safetensors.h"
#include "net.h"

enum { TARE__PREFIX = 32 };

typedef struct {
    tare_value *value;
    const char *name; /* borrowed */
    char prefix[TARE__PREFIX];
} tare__named;

/* A net's entries: parameters, then state; list NULL: how many there are. */
int tare__named_net(const tare_net *, const char *prefix, tare__named *list);

/* An array for each value, named prefix + name; on failure nothing is made. */
tare_status tare__named_take(tare_memory *, const tare__named *, int n, tare_tensors *out);
/* Every array is there in its value's shape and dtype: OK or BAD_FILE. */
tare_status tare__named_check(const tare__named *, int n, const tare_tensors *, const char *path);
/* Copies arrays that were checked to their values. */
tare_status tare__named_put(const tare__named *, int n, const tare_tensors *);

#endif
