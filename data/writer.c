/* writer.c - crash-safe writing (see writer.h). */
#include "writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gzip.h"

enum { BUFFER_BYTES = 1 << 16 };

static tare_status failed(tare_writer *writer, const char *doing)
{
    return writer->status = tare_error(TARE_IO, "%s: %s: %s", writer->path, doing, strerror(errno));
}

static bool parted(const tare_writer *writer)
{
    return writer->target != writer->path;
}

/* Of the block that holds PATH and PATH.part. */
static size_t path_bytes(const char *path)
{
    return 2 * strlen(path) + sizeof "" + sizeof ".part";
}

static void release(tare_writer *writer)
{
    if (writer->deflate) {
        (void)deflateEnd(writer->deflate);
        tare__gzip_free(writer->memory, writer->deflate);
    }
    tare_memory_give(writer->memory, TARE_MEMORY_INPUT, writer->buffer, BUFFER_BYTES);
    if (writer->path)
        tare_memory_give(writer->memory, TARE_MEMORY_INPUT, writer->path, path_bytes(writer->path));
    *writer = (tare_writer){.fd = -1};
}

void tare_writer_abandon(tare_writer *writer)
{
    if (!writer->path)
        return;
    if (writer->fd >= 0) {
        (void)close(writer->fd);
        if (parted(writer))
            (void)unlink(writer->target);
    }
    release(writer);
}

void tare_writer_abandon_all(tare_writer *writers, int n)
{
    for (int i = 0; i < n; ++i)
        tare_writer_abandon(&writers[i]);
}

/* Takes what a writer needs; a failure is left for the caller to release. */
static tare_status prepare(tare_writer *writer, const char *path)
{
    size_t length = strlen(path);
    writer->path = tare_memory_take(writer->memory, TARE_MEMORY_INPUT, path_bytes(path));
    if (!writer->path)
        return TARE_NO_MEMORY;
    memcpy(writer->path, path, length + 1);
    writer->target = writer->path + length + 1;
    memcpy(writer->target, path, length);
    memcpy(writer->target + length, ".part", sizeof ".part");
    writer->buffer = tare_memory_take(writer->memory, TARE_MEMORY_INPUT, BUFFER_BYTES);
    if (!writer->buffer)
        return TARE_NO_MEMORY;
    if (!tare__gzip_named(path))
        return TARE_OK;
    writer->deflate = tare__gzip_new(writer->memory);
    if (!writer->deflate)
        return TARE_NO_MEMORY;
    /* zlib fails here for want of memory only, and block_take has set the text. */
    if (deflateInit2(writer->deflate, Z_DEFAULT_COMPRESSION, Z_DEFLATED, TARE__GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY))
        return TARE_NO_MEMORY;
    writer->deflate->next_out = writer->buffer;
    writer->deflate->avail_out = BUFFER_BYTES;
    return TARE_OK;
}

tare_status tare_writer_open(tare_writer *writer, tare_memory *memory, const char *path)
{
    *writer = (tare_writer){.memory = memory, .fd = -1};
    tare_status status = prepare(writer, path);
    if (status == TARE_OK) {
        struct stat found;
        if (stat(path, &found) == 0 && !S_ISREG(found.st_mode))
            writer->target = writer->path;
        int flags = O_WRONLY | O_CLOEXEC | (parted(writer) ? O_CREAT | O_TRUNC : 0);
        writer->fd = open(writer->target, flags, 0666);
        if (writer->fd < 0)
            status = failed(writer, "cannot be written");
    }
    if (status)
        release(writer);
    return status;
}

/* FOLDER/NAME, opened. */
static tare_status open_in(tare_writer *writer, tare_memory *memory, const char *folder, const char *name)
{
    size_t bytes = strlen(folder) + 1 + strlen(name) + 1;
    char *path = tare_memory_take(memory, TARE_MEMORY_INPUT, bytes);
    if (!path)
        return TARE_NO_MEMORY;
    (void)snprintf(path, bytes, "%s/%s", folder, name);
    tare_status status = tare_writer_open(writer, memory, path);
    tare_memory_give(memory, TARE_MEMORY_INPUT, path, bytes);
    return status;
}

tare_status tare_writer_open_all(tare_writer *writers, tare_memory *memory, const char *folder,
                                 const char *const *names, int n)
{
    tare_status status = tare_folder_make(memory, folder);
    for (int i = 0; i < n; ++i)
        writers[i] = (tare_writer){.fd = -1};
    for (int i = 0; i < n && status == TARE_OK; ++i)
        status = open_in(&writers[i], memory, folder, names[i]);
    if (status)
        tare_writer_abandon_all(writers, n);
    return status;
}

/* Hands bytes to the system. */
static tare_status send(tare_writer *writer, const unsigned char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = write(writer->fd, bytes, n);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return failed(writer, "cannot be written");
        bytes += sent;
        n -= (size_t)sent;
    }
    return TARE_OK;
}

static tare_status compress_bytes(tare_writer *writer, const unsigned char *bytes, size_t n, int flush)
{
    z_stream *stream = writer->deflate;
    int answer = Z_OK;
    do {
        uInt piece = n < BUFFER_BYTES ? (uInt)n : BUFFER_BYTES;
        stream->next_in = (z_const Bytef *)bytes;
        stream->avail_in = piece;
        /* Until it has taken the piece and, when finishing, written its trailer. */
        do {
            answer = deflate(stream, flush);
            if (stream->avail_out > 0)
                break;
            tare_status status = send(writer, writer->buffer, BUFFER_BYTES);
            if (status)
                return status;
            stream->next_out = writer->buffer;
            stream->avail_out = BUFFER_BYTES;
        } while (answer != Z_STREAM_END);
        bytes += piece;
        n -= piece;
    } while (n > 0);
    if (flush == Z_FINISH)
        return send(writer, writer->buffer, BUFFER_BYTES - stream->avail_out);
    return TARE_OK;
}

tare_status tare_writer_put(tare_writer *writer, const void *bytes, size_t n)
{
    if (writer->status || n == 0)
        return writer->status;
    if (writer->deflate)
        return compress_bytes(writer, bytes, n, Z_NO_FLUSH);
    if (writer->used + n > BUFFER_BYTES) {
        tare_status status = send(writer, writer->buffer, writer->used);
        if (status)
            return status;
        writer->used = 0;
    }
    if (n >= BUFFER_BYTES)
        return send(writer, bytes, n);
    memcpy(writer->buffer + writer->used, bytes, n);
    writer->used += n;
    return TARE_OK;
}

/* Everything is with the system, and where it is a file, on the disk. */
static tare_status store(tare_writer *writer)
{
    if (writer->status)
        return writer->status;
    tare_status status = writer->deflate ? compress_bytes(writer, writer->buffer, 0, Z_FINISH)
                                         : send(writer, writer->buffer, writer->used);
    if (status == TARE_OK && parted(writer) && fsync(writer->fd))
        status = failed(writer, "cannot be stored");
    return status;
}

/* The new name is on the disk when its folder is. Where a file system cannot store a folder no harm is
 * done: the file itself is whole. */
static void store_folder(tare_writer *writer)
{
    char *slash = strrchr(writer->target, '/');
    if (slash)
        slash[slash == writer->target] = 0;
    int folder = open(slash ? writer->target : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
        (void)fsync(folder);
        (void)close(folder);
    }
}

/* Gives a stored file its name; the part is gone either way. */
static tare_status publish(tare_writer *writer)
{
    int fd = writer->fd;
    writer->fd = -1;
    bool closed = close(fd) == 0;
    if (!parted(writer))
        return closed ? TARE_OK : failed(writer, "cannot be written");
    if (!closed || rename(writer->target, writer->path)) {
        tare_status status = failed(writer, "cannot be written");
        (void)unlink(writer->target);
        return status;
    }
    store_folder(writer);
    return TARE_OK;
}

tare_status tare_writer_close_all(tare_writer *writers, int n)
{
    tare_status status = TARE_OK;
    for (int i = 0; i < n && status == TARE_OK; ++i)
        status = store(&writers[i]);
    for (int i = 0; i < n && status == TARE_OK; ++i)
        status = publish(&writers[i]);
    tare_writer_abandon_all(writers, n);
    return status;
}

tare_status tare_writer_close(tare_writer *writer)
{
    return tare_writer_close_all(writer, 1);
}

static tare_status folder_make_one(const char *path)
{
    struct stat found;
    if (mkdir(path, 0777) == 0)
        return TARE_OK;
    int reason = errno;
    if (stat(path, &found) == 0 && S_ISDIR(found.st_mode))
        return TARE_OK;
    return tare_error(TARE_IO, "%s: this folder cannot be made: %s", path, strerror(reason));
}

tare_status tare_folder_make(tare_memory *memory, const char *path)
{
    size_t bytes = strlen(path) + 1;
    char *part = tare_memory_take(memory, TARE_MEMORY_INPUT, bytes);
    if (!part)
        return TARE_NO_MEMORY;
    memcpy(part, path, bytes);
    tare_status status = TARE_OK;
    for (char *slash = part; status == TARE_OK && *slash && (slash = strchr(slash + 1, '/'));) {
        *slash = 0;
        status = folder_make_one(part);
        *slash = '/';
    }
    if (status == TARE_OK)
        status = folder_make_one(part);
    tare_memory_give(memory, TARE_MEMORY_INPUT, part, bytes);
    return status;
}
