/* writer.h - crash-safe writing: a file appears under its name whole, or not at all.
 *
 * Bytes go to PATH.part; closing flushes them, has the system store them (fsync) and only then renames.
 * Any failure, closing included, removes the part and leaves a former PATH as it was. Where PATH is
 * there and no regular file (a terminal, a pipe, /dev/full), it is written as it is. A PATH that ends in
 * .gz is compressed on the way. A writer belongs to one thread at a time. */
#ifndef TARE_DATA_WRITER_H
#define TARE_DATA_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#include "../core/memory.h"
#include "../core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct z_stream_s;

typedef struct {
    tare_memory *memory;
    char *path;                 /* owned: the name, a zero, and the name with .part */
    char *target;               /* in path's block: what is open, PATH.part or PATH itself */
    int fd;                     /* -1: nothing is open */
    unsigned char *buffer;      /* owned: bytes that have not reached the system yet */
    size_t used;                /* of buffer */
    struct z_stream_s *deflate; /* owned; NULL: not compressed */
    tare_status status;         /* the first failure; later calls repeat it and do nothing */
} tare_writer;

/* Opens PATH for writing (PATH.part, truncated). On failure nothing is open and nothing is left. */
TARE_API tare_status tare_writer_open(tare_writer *writer, tare_memory *memory, const char *path);

/* Opens n files of a folder, which is made if it is missing: all or none. */
TARE_API tare_status tare_writer_open_all(tare_writer *writers, tare_memory *memory, const char *folder,
                                          const char *const *names, int n);

/* Appends bytes. After a failure, which a close reports again, it does nothing. */
TARE_API tare_status tare_writer_put(tare_writer *writer, const void *bytes, size_t n);

/* Stores and renames. The writer is closed afterwards, whatever the answer. */
TARE_API tare_status tare_writer_close(tare_writer *writer);

/* Closes n writers together: all are stored before the first is renamed, so that a full disk leaves none. */
TARE_API tare_status tare_writer_close_all(tare_writer *writers, int n);

/* Gives up: removes the part. Fine on a closed writer, and on a zeroed one. */
TARE_API void tare_writer_abandon(tare_writer *writer);
TARE_API void tare_writer_abandon_all(tare_writer *writers, int n);

/* Makes the folder and those above it that are missing. TARE_IO: it cannot be made. */
TARE_API tare_status tare_folder_make(tare_memory *memory, const char *path);

#ifdef __cplusplus
}
#endif
#endif
