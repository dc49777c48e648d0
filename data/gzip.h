/* gzip.h - zlib's working memory in the books of the one allocator. */
#ifndef TARE_DATA_GZIP_H
#define TARE_DATA_GZIP_H

#include <stdbool.h>
#include <zlib.h>

#include "../core/memory.h"

/* A zeroed stream whose memory comes from `memory`, to be handed to inflateInit2 or deflateInit2. NULL:
 * no memory. Owned by the caller: end it with zlib's own call, then give it back. */
z_stream *tare__gzip_new(tare_memory *memory);
void tare__gzip_free(tare_memory *memory, z_stream *stream);

/* The window bits that make zlib read and write gzip's header and trailer. */
enum { TARE__GZIP_WINDOW = 15 + 16 };

/* Whether a name ends in .gz. */
bool tare__gzip_named(const char *path);

#endif
