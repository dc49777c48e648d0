/* safetensors_private.h - what reader and writer of safetensors files agree on (see safetensors.h). */
#ifndef TARE_DATA_SAFETENSORS_PRIVATE_H
#define TARE_DATA_SAFETENSORS_PRIVATE_H

#include "safetensors.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the arrays' bytes are copied as they are");

#define TARE__METADATA "__metadata__"

typedef struct {
    const char *name;
    tare_dtype dtype;
} tare__safetensors_dtype;

enum { TARE__SAFETENSORS_DTYPES = 5 };
extern const tare__safetensors_dtype tare__safetensors_dtypes[TARE__SAFETENSORS_DTYPES];

#endif
