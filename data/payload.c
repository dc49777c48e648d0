/* payload.c - the elements of an array, to and from a file's byte order (see payload.h). */
#include "payload.h"

#include <string.h>

enum {
    CHUNK_BYTES = 1 << 16,     /* read, turned and stored at once; a multiple of every element's size */
    FIRST_TAKE_BYTES = 1 << 20 /* taken on a mere claim, where the size of the file is not known */
};

static const bool host_big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;

static void turn_bytes(unsigned char *bytes, size_t n_items, size_t item_bytes)
{
    for (size_t i = 0; i < n_items; ++i, bytes += item_bytes)
        for (size_t low = 0, high = item_bytes - 1; low < high; ++low, --high) {
            unsigned char held = bytes[low];
            bytes[low] = bytes[high];
            bytes[high] = held;
        }
}

/* Items of 1 or 2 bytes, signed, in the machine's byte order, as int32. */
static void widen(int32_t *out, const unsigned char *items, size_t n_items, size_t item_bytes)
{
    for (size_t i = 0; i < n_items; ++i) {
        int16_t wide;
        if (item_bytes == 1)
            wide = (int8_t)items[i];
        else
            memcpy(&wide, items + 2 * i, sizeof wide);
        out[i] = wide;
    }
}

/* Makes room for `wanted` bytes in data of `room`, of which `used` count: at least doubles, so that the
 * copying adds up to the file's size, and at most to the whole. */
static tare_status grow(tare_memory *memory, tare_array *array, size_t wanted, size_t whole)
{
    size_t room = 2 * array->bytes > wanted ? 2 * array->bytes : wanted;
    if (room > whole)
        room = whole;
    void *moved = tare_memory_resize(memory, TARE_MEMORY_INPUT, array->data, array->bytes, room);
    if (!moved)
        return TARE_NO_MEMORY;
    array->data = moved;
    array->bytes = room;
    return TARE_OK;
}

static tare_status read_items(tare__reader *reader, tare__item item, tare_array *array, size_t whole)
{
    _Alignas(8) unsigned char chunk[CHUNK_BYTES];
    size_t stored_bytes = tare_dtype_bytes(array->dtype), n_items = whole / stored_bytes;
    for (size_t i = 0; i < n_items;) {
        size_t n = CHUNK_BYTES / item.bytes;
        if (n > n_items - i)
            n = n_items - i;
        tare_status status = tare__reader_get(reader, chunk, n * item.bytes, "its elements");
        if (status == TARE_OK && (i + n) * stored_bytes > array->bytes)
            status = grow(reader->memory, array, (i + n) * stored_bytes, whole);
        if (status)
            return status;
        if (item.bytes > 1 && item.big_endian != host_big_endian)
            turn_bytes(chunk, n, item.bytes);
        unsigned char *out = (unsigned char *)array->data + i * stored_bytes;
        if (item.bytes < stored_bytes)
            widen((int32_t *)(void *)out, chunk, n, item.bytes);
        else
            memcpy(out, chunk, n * item.bytes);
        i += n;
    }
    return tare__reader_end(reader);
}

tare_status tare__payload_read(tare__reader *reader, tare__item item, tare_array *array)
{
    size_t whole;
    if (tare_array_measure(array->dtype, array->rank, array->dims, &whole))
        return tare__reader_reject(reader, reader->offset, "the dimensions make more bytes than memory can address");
    size_t in_file = whole / tare_dtype_bytes(array->dtype) * item.bytes;
    if (reader->size >= 0 && (uint64_t)(reader->size - reader->offset) != in_file)
        return tare__reader_reject(reader, reader->offset, "the dimensions ask for %zu bytes, the file has %lld here",
                                   in_file, (long long)(reader->size - reader->offset));
    array->bytes = reader->size >= 0 || whole < FIRST_TAKE_BYTES ? whole : FIRST_TAKE_BYTES;
    array->data = tare_memory_take(reader->memory, TARE_MEMORY_INPUT, array->bytes);
    tare_status status = array->data ? read_items(reader, item, array, whole) : TARE_NO_MEMORY;
    if (status)
        tare_array_fini(reader->memory, array);
    return status;
}

tare_status tare__payload_write(tare_writer *writer, bool big_endian, const tare_array *array)
{
    size_t item_bytes = tare_dtype_bytes(array->dtype);
    if (item_bytes == 1 || big_endian == host_big_endian)
        return tare_writer_put(writer, array->data, array->bytes);
    unsigned char chunk[CHUNK_BYTES];
    tare_status status = TARE_OK;
    for (size_t done = 0; done < array->bytes && status == TARE_OK;) {
        size_t n = array->bytes - done < CHUNK_BYTES ? array->bytes - done : CHUNK_BYTES;
        memcpy(chunk, (const unsigned char *)array->data + done, n);
        turn_bytes(chunk, n / item_bytes, item_bytes);
        status = tare_writer_put(writer, chunk, n);
        done += n;
    }
    return status;
}
