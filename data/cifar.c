/* cifar.c - CIFAR-10's binary files (see cifar.h).
 *
 * How many records there are is known at the end alone, since a file may be compressed: both arrays grow as records
 * come, and are cut to what came. */
#include "cifar.h"

#include <string.h>

#include "reader.h"

enum { RECORD = 1 + TARE_CIFAR_PIXELS, FIRST_ROOM = 256 };

/* Makes room for `room` rows in both; their dims stay. */
static tare_status make_room(tare_memory *memory, tare_array *images, tare_array *labels, int64_t room)
{
    tare_array *const array[] = {images, labels};
    for (int i = 0; i < 2; ++i) {
        size_t bytes = (size_t)room * (i ? 1 : TARE_CIFAR_PIXELS);
        void *moved = tare_memory_resize(memory, TARE_MEMORY_INPUT, array[i]->data, array[i]->bytes, bytes);
        if (!moved)
            return TARE_NO_MEMORY;
        array[i]->data = moved;
        array[i]->bytes = bytes;
    }
    return TARE_OK;
}

static tare_status read_records(tare__reader *reader, tare_array *images, tare_array *labels)
{
    unsigned char record[RECORD];
    for (;;) {
        const int64_t at = reader->offset, n = labels->dims[0];
        size_t got;
        tare_status status = tare__reader_some(reader, record, RECORD, &got);
        if (status || got == 0)
            return status;
        if (got < RECORD)
            return tare__reader_reject(reader, reader->offset, "the file ends inside a record (of %d bytes)", RECORD);
        if (record[0] >= TARE_CIFAR_CLASSES)
            return tare__reader_reject(reader, at, "label %d is not in 0..%d", record[0], TARE_CIFAR_CLASSES - 1);
        if (n == (int64_t)labels->bytes)
            status = make_room(reader->memory, images, labels, n ? 2 * n : FIRST_ROOM);
        if (status)
            return status;
        ((unsigned char *)labels->data)[n] = record[0];
        memcpy((unsigned char *)images->data + n * TARE_CIFAR_PIXELS, record + 1, TARE_CIFAR_PIXELS);
        images->dims[0] = labels->dims[0] = n + 1;
    }
}

tare_status tare_cifar_read(tare_memory *memory, const char *const *paths, int n_paths, tare_array *images,
                            tare_array *labels)
{
    tare_array x = {.dtype = TARE_U8, .rank = 4, .dims = {0, TARE_CIFAR_CHANNELS, TARE_CIFAR_SIDE, TARE_CIFAR_SIDE}};
    tare_array y = {.dtype = TARE_U8, .rank = 1};
    tare_status status = make_room(memory, &x, &y, 0);
    for (int i = 0; i < n_paths && status == TARE_OK; ++i) {
        tare__reader reader;
        status = tare__reader_open(&reader, memory, paths[i]);
        if (status)
            break;
        status = read_records(&reader, &x, &y);
        tare__reader_close(&reader);
    }
    if (status == TARE_OK)
        status = make_room(memory, &x, &y, y.dims[0]);
    if (status) {
        tare_array_fini(memory, &x);
        tare_array_fini(memory, &y);
        return status;
    }
    *images = x;
    *labels = y;
    return TARE_OK;
}
