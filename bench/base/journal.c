/* journal.c - FILE.part, its lock, and its name at the end (see journal.h). */
#define _GNU_SOURCE
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "next_line.h"

/* Whether the JSON library has been without memory: it leaves out what it cannot make, and a record that lacks
 * something must not be written. Its allocator is one a process, so this is one a process too. */
static bool json_starved, json_needed;

static void *json_take(size_t bytes)
{
    void *block = malloc(bytes);
    json_starved |= !block;
    return block;
}

static void *json_need(size_t bytes)
{
    return tare__more(NULL, bytes, 1);
}

void tare__journal_need_json(void)
{
    json_needed = true;
    json_set_alloc_funcs(json_need, free);
}

void tare__journal_watch_json(void)
{
    if (!json_needed)
        json_set_alloc_funcs(json_take, free);
}

void tare__journal_leave(tare__journal *j)
{
    if (j->file && j->part && ftell(j->file) == 0)
        (void)unlink(j->part); /* nothing was measured */
    if (j->file)
        (void)fclose(j->file);
    j->file = NULL;
    free(j->path);
    free(j->part);
    j->path = j->part = NULL;
}

static int journal_failed(tare__journal *j, const char *doing)
{
    int code = tare__failed(j->line, "%s: %s: %s", j->path, doing, strerror(errno));
    tare__journal_leave(j);
    return code;
}

/* The part is opened without a loss, locked, and only then emptied by those who want it empty. */
static int open_part(tare__journal *j, const tare__line *line, const char *path)
{
    *j = (tare__journal){.line = line};
    struct stat found;
    j->path = tare__copy_text(path);
    if (stat(path, &found) != 0 || S_ISREG(found.st_mode))
        j->part = tare__print("%s.part", path);
    int file = open(j->part ? j->part : path, j->part ? O_RDWR | O_CREAT | O_CLOEXEC : O_WRONLY | O_CLOEXEC, 0666);
    j->file = file < 0 ? NULL : fdopen(file, j->part ? "r+" : "w");
    if (!j->file)
        return journal_failed(j, "cannot be written");
    if (j->part && flock(file, LOCK_EX | LOCK_NB) != 0) {
        int code = tare__failed(line, "%s is being written by another run", j->part);
        free(j->part);
        j->part = NULL; /* theirs */
        tare__journal_leave(j);
        return code;
    }
    return TARE__RAN;
}

int tare__journal_open(tare__journal *j, const tare__line *line, const char *path)
{
    *j = (tare__journal){.line = line};
    int code = path ? open_part(j, line, path) : TARE__RAN;
    if (!code && j->part && ftruncate(fileno(j->file), 0) != 0)
        return journal_failed(j, "cannot be written");
    return code;
}

static bool ends_something(const json_t *record, const char *const *ends)
{
    const char *kind = json_string_value(json_object_get(record, "kind"));
    while (kind && *ends && strcmp(kind, *ends) != 0)
        ++ends;
    return kind && *ends;
}

/* Reads whole lines into the array; answers where the last end lies, and cuts the array there. A line that is no record
 * ends the reading: what follows a torn one is not to be trusted. */
static long read_part(FILE *file, const char *const *ends, json_t *lines)
{
    char *text = NULL;
    size_t capacity = 0, kept = 0;
    long end = 0, at = 0;
    ssize_t bytes;
    while ((bytes = tare__next_line(file, &text, &capacity)) > 0 && text[bytes - 1] == '\n') {
        json_t *record = json_loads(text, 0, NULL);
        if (!record)
            break;
        at += bytes;
        json_array_append_new(lines, record);
        if (ends_something(record, ends)) {
            end = at;
            kept = json_array_size(lines);
        }
    }
    free(text);
    while (json_array_size(lines) > kept)
        json_array_remove(lines, json_array_size(lines) - 1);
    return end;
}

int tare__journal_resume(tare__journal *j, const tare__line *line, const char *path, const char *const *ends,
                         json_t **lines)
{
    *lines = json_array();
    *j = (tare__journal){.line = line};
    int code = path ? open_part(j, line, path) : TARE__RAN;
    if (code || !j->part)
        return code;
    long end = read_part(j->file, ends, *lines);
    if (fseek(j->file, end, SEEK_SET) != 0 || ftruncate(fileno(j->file), end) != 0)
        return journal_failed(j, "cannot be written");
    return TARE__RAN;
}

void tare__journal_put(tare__journal *j, json_t *record)
{
    if (j->file) {
        /* What is measured is with the system at once; a failure is reported by the close. */
        bool written = !json_starved && json_dumpf(record, j->file, JSON_COMPACT | JSON_REAL_PRECISION(17)) == 0 &&
                       fputc('\n', j->file) != EOF && fflush(j->file) == 0;
        if (!written && !j->reason)
            j->reason = json_starved ? ENOMEM : errno;
    }
    json_decref(record);
}

int tare__journal_close(tare__journal *j)
{
    if (!j->file)
        return TARE__RAN;
    if (!j->reason && j->part && fsync(fileno(j->file)) != 0)
        j->reason = errno;
    if (j->reason) { /* the part stays: what it holds was measured */
        errno = j->reason;
        return journal_failed(j, "cannot be written");
    }
    if (j->part && rename(j->part, j->path) != 0)
        return journal_failed(j, "cannot be given its name");
    free(j->part);
    j->part = NULL;
    tare__journal_leave(j);
    return TARE__RAN;
}
