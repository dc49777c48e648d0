/* desc.h - what an element is. */
#ifndef TARE_CORE_DESC_H
#define TARE_CORE_DESC_H

#include <stddef.h>

typedef enum { TARE_F32, TARE_F64, TARE_I32, TARE_I64, TARE_U8, TARE_BYTES } tare_dtype;

/* Bytes of one element. */
static inline size_t tare_dtype_bytes(tare_dtype dtype)
{
    return dtype == TARE_F64 || dtype == TARE_I64 ? 8 : dtype == TARE_F32 || dtype == TARE_I32 ? 4 : 1;
}

#endif
