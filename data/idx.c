/* idx.c - MNIST's IDX files (see idx.h). */
#include "idx.h"

#include <stdint.h>

#include "payload.h"
#include "reader.h"

/* The type codes; the first with a dtype is the one that is written. */
static const struct {
    unsigned char code, bytes;
    tare_dtype dtype;
} types[] = {
    {0x08, 1, TARE_U8},  {0x0C, 4, TARE_I32}, {0x0D, 4, TARE_F32},
    {0x0E, 8, TARE_F64}, {0x09, 1, TARE_I32}, {0x0B, 2, TARE_I32},
};
enum { N_TYPES = sizeof types / sizeof *types };

/* The dtype and dims of a file whose reader stands at its start. */
static tare_status read_header(tare__reader *reader, tare__item *item, tare_array *array)
{
    unsigned char magic[4], dim[4];
    tare_status status = tare__reader_get(reader, magic, sizeof magic, "its magic number");
    if (status)
        return status;
    if (magic[0] || magic[1])
        return tare__reader_reject(reader, 0, "not an IDX file: it begins with %02x %02x, not 00 00", magic[0],
                                   magic[1]);
    int type = 0;
    while (type < N_TYPES && types[type].code != magic[2])
        ++type;
    if (type == N_TYPES)
        return tare__reader_reject(reader, 2, "IDX has no element type %02x", magic[2]);
    if (magic[3] < 1 || magic[3] > TARE_ARRAY_RANK_MAX)
        return tare__reader_reject(reader, 3, "rank %d is not in 1..%d", magic[3], TARE_ARRAY_RANK_MAX);
    *item = (tare__item){.bytes = types[type].bytes, .big_endian = true};
    array->dtype = types[type].dtype;
    array->rank = magic[3];
    for (int i = 0; i < array->rank; ++i) {
        status = tare__reader_get(reader, dim, sizeof dim, "its dimensions");
        if (status)
            return status;
        array->dims[i] = (int64_t)dim[0] << 24 | (int64_t)dim[1] << 16 | (int64_t)dim[2] << 8 | dim[3];
    }
    return TARE_OK;
}

tare_status tare_idx_read(tare_memory *memory, const char *path, tare_array *array)
{
    tare__reader reader;
    tare__item item;
    tare_array made = {0};
    tare_status status = tare__reader_open(&reader, memory, path);
    if (status)
        return status;
    status = read_header(&reader, &item, &made);
    if (status == TARE_OK)
        status = tare__payload_read(&reader, item, &made);
    tare__reader_close(&reader);
    if (status == TARE_OK)
        *array = made;
    return status;
}

tare_status tare__idx_put_header(tare_writer *writer, tare_dtype dtype, int rank, const int64_t *dims)
{
    int type = 0;
    while (type < N_TYPES && types[type].dtype != dtype)
        ++type;
    if (type == N_TYPES)
        return tare_error(TARE_BAD_DTYPE, "%s: IDX has no such element type (it has u8, i32, f32, f64)", writer->path);
    if (rank < 1 || rank > TARE_ARRAY_RANK_MAX)
        return tare_error(TARE_BAD_SHAPE, "%s: rank %d is not in 1..%d", writer->path, rank, TARE_ARRAY_RANK_MAX);
    unsigned char header[4 + 4 * TARE_ARRAY_RANK_MAX] = {0, 0, types[type].code, (unsigned char)rank};
    for (int i = 0; i < rank; ++i) {
        if (dims[i] < 0 || dims[i] > UINT32_MAX)
            return tare_error(TARE_BAD_SHAPE, "%s: dimension %d is %lld; IDX has 32 bits for it", writer->path, i,
                              (long long)dims[i]);
        for (int j = 0; j < 4; ++j)
            header[4 + 4 * i + j] = (unsigned char)(dims[i] >> (24 - 8 * j));
    }
    return tare_writer_put(writer, header, 4 + 4 * (size_t)rank);
}

tare_status tare_idx_write(tare_memory *memory, const char *path, const tare_array *array)
{
    tare_writer writer;
    tare_status status = tare_writer_open(&writer, memory, path);
    if (status)
        return status;
    status = tare__idx_put_header(&writer, array->dtype, array->rank, array->dims);
    if (status == TARE_OK)
        status = tare__payload_write(&writer, true, array);
    if (status == TARE_OK)
        return tare_writer_close(&writer);
    tare_writer_abandon(&writer);
    return status;
}
