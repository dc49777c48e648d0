/* idx.h - MNIST's IDX files, read and written, .gz too.
 *
 * The format (Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits"): two zero bytes, a
 * type code, the rank, `rank` dimensions as big-endian 32-bit numbers, then the elements, big-endian, last
 * dimension fastest. Type codes: 08 u8, 09 i8, 0B i16, 0C i32, 0D f32, 0E f64. */
#ifndef TARE_DATA_IDX_H
#define TARE_DATA_IDX_H

#include "array.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Reads a file into a new array; 8 and 16-bit signed elements are widened to TARE_I32. On failure the
 * array is untouched: TARE_NOT_FOUND, TARE_IO, TARE_NO_MEMORY, or TARE_BAD_FILE with file, offset and reason.
 * No more memory is taken than a few times the bytes that the file really has. */
TARE_API tare_status tare_idx_read(tare_memory *memory, const char *path, tare_array *array);

/* Writes u8, i32, f32 or f64 (else TARE_BAD_DTYPE) of rank 1 or more; see writer.h for what a failure leaves. */
TARE_API tare_status tare_idx_write(tare_memory *memory, const char *path, const tare_array *array);

#ifdef __cplusplus
}
#endif
#endif
