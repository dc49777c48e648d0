/* gzip.c - zlib's working memory in the books of the one allocator (see gzip.h). */
#include "gzip.h"

#include <string.h>

/* zlib gives blocks back without their size, so it stands in front of each. */
static voidpf block_take(voidpf memory, uInt items, uInt size)
{
    size_t bytes = (size_t)items * size + TARE_ALIGNMENT;
    char *block = tare_memory_take(memory, TARE_MEMORY_INPUT, bytes);
    if (!block)
        return NULL;
    memcpy(block, &bytes, sizeof bytes);
    return block + TARE_ALIGNMENT;
}

static void block_give(voidpf memory, voidpf address)
{
    char *block = (char *)address - TARE_ALIGNMENT;
    size_t bytes;
    memcpy(&bytes, block, sizeof bytes);
    tare_memory_give(memory, TARE_MEMORY_INPUT, block, bytes);
}

z_stream *tare__gzip_new(tare_memory *memory)
{
    z_stream *stream = tare_memory_take_zeroed(memory, TARE_MEMORY_INPUT, 1, sizeof *stream);
    if (!stream)
        return NULL;
    stream->zalloc = block_take;
    stream->zfree = block_give;
    stream->opaque = memory;
    return stream;
}

void tare__gzip_free(tare_memory *memory, z_stream *stream)
{
    tare_memory_give(memory, TARE_MEMORY_INPUT, stream, sizeof *stream);
}

bool tare__gzip_named(const char *path)
{
    size_t length = strlen(path);
    return length >= 3 && strcmp(path + length - 3, ".gz") == 0;
}
