/* npy.h - NumPy's .npy files, read and written, .gz too.
 *
 * The format is that of NumPy's "NPY format" (numpy.lib.format), versions 1 to 3: a magic number, a header
 * that is a Python dictionary {'descr', 'fortran_order', 'shape'}, then the elements. Read are f4, f8, i4,
 * i8, u1 in either byte order and either memory order; written is version 1, little-endian, C order, byte
 * for byte what numpy.save writes. */
#ifndef TARE_DATA_NPY_H
#define TARE_DATA_NPY_H

#include "array.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Reads a file into a new array, in C order and the machine's byte order. On failure the array is untouched:
 * TARE_NOT_FOUND, TARE_IO, TARE_NO_MEMORY, or TARE_BAD_FILE with file, offset and reason. No more memory is
 * taken than a few times the bytes that the file really has. */
TARE_API tare_status tare_npy_read(tare_memory *memory, const char *path, tare_array *array);

/* Writes f32, f64, i32, i64 or u8 (else TARE_BAD_DTYPE); see writer.h for what a failure leaves. */
TARE_API tare_status tare_npy_write(tare_memory *memory, const char *path, const tare_array *array);

#ifdef __cplusplus
}
#endif
#endif
