/* reader.c - a file read front to back (see reader.h). */
#include "reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gzip.h"

enum { BUFFER_BYTES = 1 << 16 };

tare_status tare__reader_reject(const tare__reader *reader, int64_t at, const char *format, ...)
{
    char reason[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    return tare_error(TARE_BAD_FILE, "%s: offset %lld: %s", reader->path, (long long)at, reason);
}

void tare__reader_close(tare__reader *reader)
{
    if (!reader->path)
        return;
    if (reader->inflate) {
        (void)inflateEnd(reader->inflate);
        tare__gzip_free(reader->memory, reader->inflate);
    }
    tare_memory_give(reader->memory, TARE_MEMORY_INPUT, reader->buffer, BUFFER_BYTES);
    if (reader->fd >= 0)
        (void)close(reader->fd);
    *reader = (tare__reader){.fd = -1};
}

/* Reads on behind what the buffer still has; begin == end afterwards means the end of the file. */
static tare_status refill(tare__reader *reader)
{
    memmove(reader->buffer, reader->buffer + reader->begin, reader->end - reader->begin);
    reader->end -= reader->begin;
    reader->begin = 0;
    ssize_t got;
    do
        got = read(reader->fd, reader->buffer + reader->end, BUFFER_BYTES - reader->end);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return tare_error(TARE_IO, "%s: offset %lld: cannot be read: %s", reader->path, (long long)reader->offset,
                          strerror(errno));
    reader->end += (size_t)got;
    return TARE_OK;
}

/* Looks at the first two bytes. */
static tare_status sniff(tare__reader *reader)
{
    size_t before;
    do {
        before = reader->end;
        tare_status status = refill(reader);
        if (status)
            return status;
    } while (reader->end < 2 && reader->end > before);
    if (reader->end < 2 || reader->buffer[0] != 0x1F || reader->buffer[1] != 0x8B)
        return TARE_OK;
    reader->size = -1;
    reader->member_open = true;
    reader->inflate = tare__gzip_new(reader->memory);
    if (!reader->inflate)
        return TARE_NO_MEMORY;
    /* Only memory can fail here, and the text is set. */
    return inflateInit2(reader->inflate, TARE__GZIP_WINDOW) ? TARE_NO_MEMORY : TARE_OK;
}

tare_status tare__reader_open(tare__reader *reader, tare_memory *memory, const char *path)
{
    *reader = (tare__reader){.memory = memory, .path = path, .size = -1};
    reader->fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat found;
    tare_status status = TARE_OK;
    if (reader->fd < 0 || fstat(reader->fd, &found))
        status =
            tare_error(errno == ENOENT ? TARE_NOT_FOUND : TARE_IO, "%s: cannot be read: %s", path, strerror(errno));
    else if (S_ISREG(found.st_mode))
        reader->size = found.st_size;
    if (status == TARE_OK) {
        reader->buffer = tare_memory_take(memory, TARE_MEMORY_INPUT, BUFFER_BYTES);
        status = reader->buffer ? sniff(reader) : TARE_NO_MEMORY;
    }
    if (status)
        tare__reader_close(reader);
    return status;
}

static tare_status pull_plain(tare__reader *reader, unsigned char *out, size_t n, size_t *got)
{
    while (*got < n) {
        if (reader->begin == reader->end) {
            tare_status status = refill(reader);
            if (status || reader->begin == reader->end)
                return status;
        }
        size_t piece = reader->end - reader->begin;
        if (piece > n - *got)
            piece = n - *got;
        memcpy(out + *got, reader->buffer + reader->begin, piece);
        reader->begin += piece;
        *got += piece;
    }
    return TARE_OK;
}

/* A file may be several members one after the other. What follows the last member must be one too. */
static tare_status pull_gzip(tare__reader *reader, unsigned char *out, size_t n, size_t *got)
{
    z_stream *stream = reader->inflate;
    while (*got < n) {
        if (reader->begin == reader->end) {
            tare_status status = refill(reader);
            if (status)
                return status;
            if (reader->begin == reader->end)
                return reader->member_open ? tare__reader_reject(reader, reader->offset + (int64_t)*got,
                                                                 "the compressed data ends too early")
                                           : TARE_OK;
        }
        reader->member_open = true;
        size_t piece = n - *got < BUFFER_BYTES ? n - *got : BUFFER_BYTES;
        stream->next_in = reader->buffer + reader->begin;
        stream->avail_in = (uInt)(reader->end - reader->begin);
        stream->next_out = out + *got;
        stream->avail_out = (uInt)piece;
        int answer = inflate(stream, Z_NO_FLUSH);
        reader->begin = reader->end - stream->avail_in;
        *got += piece - stream->avail_out;
        if (answer == Z_MEM_ERROR)
            return TARE_NO_MEMORY;
        if (answer == Z_STREAM_END) {
            reader->member_open = false;
            (void)inflateReset(stream);
        } else if (answer != Z_OK && answer != Z_BUF_ERROR) {
            return tare__reader_reject(reader, reader->offset + (int64_t)*got, "the compressed data is corrupt (%s)",
                                       stream->msg ? stream->msg : "no reason given");
        }
    }
    return TARE_OK;
}

tare_status tare__reader_some(tare__reader *reader, void *out, size_t n, size_t *got)
{
    *got = 0;
    tare_status status = reader->inflate ? pull_gzip(reader, out, n, got) : pull_plain(reader, out, n, got);
    reader->offset += status ? 0 : (int64_t)*got;
    return status;
}

tare_status tare__reader_get(tare__reader *reader, void *out, size_t n, const char *what)
{
    size_t got;
    tare_status status = tare__reader_some(reader, out, n, &got);
    if (status)
        return status;
    if (got < n)
        return tare__reader_reject(reader, reader->offset, "the file ends inside %s", what);
    return TARE_OK;
}

tare_status tare__reader_end(tare__reader *reader)
{
    unsigned char next;
    size_t got;
    tare_status status = tare__reader_some(reader, &next, 1, &got);
    if (status)
        return status;
    if (got)
        return tare__reader_reject(reader, reader->offset - 1, "bytes follow where the file should end");
    return TARE_OK;
}
