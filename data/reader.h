/* reader.h - a file read front to back, .gz or plain, by formats that trust nothing in it.
 *
 * Whether a file is compressed is told by its first two bytes, not by its name. Every failure names
 * file, offset (of uncompressed bytes where the file is compressed) and reason in one line. Internal to
 * data/. A reader belongs to one thread at a time. */
#ifndef TARE_DATA_READER_H
#define TARE_DATA_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../core/memory.h"
#include "../core/status.h"

struct z_stream_s;

typedef struct {
    tare_memory *memory;
    const char *path;           /* borrowed */
    int fd;                     /* -1: nothing is open */
    int64_t size;               /* bytes of a plain regular file; -1: not known before its end */
    int64_t offset;             /* bytes handed out so far */
    unsigned char *buffer;      /* owned: bytes as they are in the file */
    size_t begin, end;          /* those of buffer that are still to be used */
    struct z_stream_s *inflate; /* owned; NULL: not compressed */
    bool member_open;           /* inside a gzip member: the file must not end here */
} tare__reader;

/* Opens a file; TARE_NOT_FOUND where there is none, TARE_IO where it cannot be read. */
tare_status tare__reader_open(tare__reader *reader, tare_memory *memory, const char *path);

/* Reads exactly n bytes; TARE_BAD_FILE "... ends inside WHAT" where there are fewer. */
tare_status tare__reader_get(tare__reader *reader, void *out, size_t n, const char *what);

/* Reads up to n bytes: *got is fewer only where the file ends. */
tare_status tare__reader_some(tare__reader *reader, void *out, size_t n, size_t *got);

/* TARE_BAD_FILE if anything follows. */
tare_status tare__reader_end(tare__reader *reader);

/* "PATH: offset AT: reason" as TARE_BAD_FILE. */
tare_status tare__reader_reject(const tare__reader *reader, int64_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Fine on a closed reader, and on a zeroed one. */
void tare__reader_close(tare__reader *reader);

#endif
