/* array.h - an owned n-dimensional host array: what a file holds before a device sees it.
 *
 * Contiguous, last dimension fastest (C order), in the machine's own byte order. Arrays are plain
 * values; the one who holds an array frees it. Threads: as for the tare_memory it came from. */
#ifndef TARE_DATA_ARRAY_H
#define TARE_DATA_ARRAY_H

#include <stddef.h>
#include <stdint.h>

#include "../core/desc.h"
#include "../core/memory.h"
#include "../core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TARE_ARRAY_RANK_MAX = 6 };

typedef struct {
    tare_dtype dtype;
    int rank;                          /* 0..TARE_ARRAY_RANK_MAX; 0 is one element */
    int64_t dims[TARE_ARRAY_RANK_MAX]; /* of the first `rank`, each >= 0; the others 0 */
    size_t bytes;                      /* of data: the product of dims times the element's bytes */
    void *data;                        /* owned; NULL only in an array that holds nothing */
} tare_array;

/* The bytes that such an array takes. TARE_BAD_SHAPE: a rank or dimension out of range, or more bytes
 * than memory can address. */
TARE_API tare_status tare_array_measure(tare_dtype dtype, int rank, const int64_t *dims, size_t *bytes);

/* Makes an array, its content undefined. */
TARE_API tare_status tare_array_init(tare_memory *memory, tare_dtype dtype, int rank, const int64_t *dims,
                                     tare_array *array);

/* Frees the data and leaves an array that holds nothing; fine on such a one, and on a zeroed one. */
TARE_API void tare_array_fini(tare_memory *memory, tare_array *array);

/* The number of elements; of one row, that is of what one index of the first dimension selects. */
TARE_API int64_t tare_array_count(const tare_array *array);
TARE_API int64_t tare_array_row_count(const tare_array *array);

#ifdef __cplusplus
}
#endif
#endif
