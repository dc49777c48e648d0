/* payload.h - the elements of an array, to and from a file's byte order.
 *
 * Shared by the formats whose files are a header and then plain elements. Memory is taken in proportion
 * to what the file has been seen to hold, never to what its header claims. Internal to data/. */
#ifndef TARE_DATA_PAYLOAD_H
#define TARE_DATA_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "array.h"
#include "reader.h"
#include "writer.h"

/* An element as the file has it. */
typedef struct {
    size_t bytes; /* fewer than the dtype's (1 or 2 in a TARE_I32): signed, to be widened */
    bool big_endian;
} tare__item;

/* Reads the rest of the file as the elements of `array`, whose dtype, rank and dims are set and whose
 * data are taken here; the file must end with the last of them. On failure the array holds nothing. */
tare_status tare__payload_read(tare__reader *reader, tare__item item, tare_array *array);

/* Writes the elements of `array`. */
tare_status tare__payload_write(tare_writer *writer, bool big_endian, const tare_array *array);

/* The header of a file alone, for those who make the elements one by one: IDX's are big-endian, npy's little. */
tare_status tare__idx_put_header(tare_writer *writer, tare_dtype dtype, int rank, const int64_t *dims);
tare_status tare__npy_put_header(tare_writer *writer, tare_dtype dtype, int rank, const int64_t *dims);

#endif
