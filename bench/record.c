/* record.c - lines of results and their journal (see record.h). */
#include "record.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/version.h"
#include "../data/writer.h"

/* Whether the JSON library has been without memory: it leaves out what it cannot make, and a record that lacks
 * something must not be written. Its allocator is one a process, so this is one a process too. */
static bool json_starved;

static void *json_take(size_t bytes)
{
    void *block = malloc(bytes);
    json_starved |= !block;
    return block;
}

/* 64 random bits as 16 digits: two runs are never taken for one. */
static json_t *run_id(void)
{
    uint64_t bits = 0;
    if (getrandom(&bits, sizeof bits, 0) != (ssize_t)sizeof bits)
        bits = (uint64_t)getpid();
    char text[17];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)bits);
    return json_string(text);
}

static json_t *command_of(const tare__line *line)
{
    json_t *words = json_array();
    json_array_append_new(words, json_string("tare"));
    for (int i = 1; i < line->argc; ++i) {
        json_t *word = json_string(line->argv[i]); /* NULL where it is no UTF-8 */
        json_array_append_new(words, word ? word : json_string("?"));
    }
    return words;
}

json_t *tare__run_record(const tare__line *line, const char *net, int64_t batch, int threads, int64_t seed,
                         int64_t order_seed)
{
    json_set_alloc_funcs(json_take, free);
    json_t *run = json_object();
    json_object_set_new(run, "run_id", run_id());
    json_object_set_new(run, "net", json_string(net));
    json_object_set_new(run, "batch", json_integer(batch));
    json_object_set_new(run, "threads", json_integer(threads));
    json_object_set_new(run, "device", json_string("cpu"));
    json_object_set_new(run, "seed", json_integer(seed));
    json_object_set_new(run, "order_seed", json_integer(order_seed));
    json_object_set_new(run, "command", command_of(line));
    json_object_set_new(run, "version", json_string(tare_version()));
    json_object_set_new(run, "commit", json_string(tare_commit()));
    json_object_set_new(run, "machine", tare__machine());
    json_object_set_new(run, "build", tare__build());
    json_object_set_new(run, "libraries", tare__libraries());
    return run;
}

json_t *tare__record(const char *kind, json_t *run, const char *arm, const char *mode, json_t *factors)
{
    json_t *record = json_object();
    json_object_set_new(record, "schema", json_integer(TARE__SCHEMA));
    json_object_set_new(record, "kind", json_string(kind));
    json_object_set_new(record, "arm", arm ? json_string(arm) : json_null());
    json_object_set_new(record, "mode", mode ? json_string(mode) : json_null());
    json_object_set(record, "factors", factors ? factors : json_null());
    json_object_update(record, run);
    const char *threads = json_string_value(json_object_get(factors, "threads"));
    if (threads)
        json_object_set_new(record, "threads", json_integer(atoi(threads)));
    return record;
}

json_t *tare__real(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

json_t *tare__range(double low, double high)
{
    return isfinite(low) && isfinite(high) ? json_pack("[f,f]", low, high) : json_null();
}

void tare__null(json_t *record, const char *field, const char *why)
{
    json_t *reasons = json_object_get(record, "reasons");
    if (!reasons) {
        reasons = json_object();
        json_object_set_new(record, "reasons", reasons);
    }
    json_object_set_new(record, field, json_null());
    json_object_set_new(reasons, field, json_string(why));
}

/* ---- journal -------------------------------------------------------------------------------------------------*/

void tare__journal_leave(tare__journal *j)
{
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

static void name_files(tare__journal *j, const tare__line *line, const char *path)
{
    struct stat found;
    *j = (tare__journal){.line = line, .path = tare__copy_text(path)};
    if (stat(path, &found) != 0 || S_ISREG(found.st_mode))
        j->part = tare__print("%s.part", path);
}

int tare__journal_open(tare__journal *j, const tare__line *line, const char *path)
{
    *j = (tare__journal){.line = line};
    if (!path)
        return TARE__RAN;
    name_files(j, line, path);
    j->file = fopen(j->part ? j->part : path, "w");
    return j->file ? TARE__RAN : journal_failed(j, "cannot be written");
}

/* Bytes up to the last end of a line. */
static off_t whole_lines(FILE *file)
{
    off_t at = 0, whole = 0;
    for (int c; (c = getc(file)) != EOF;) {
        ++at;
        whole = c == '\n' ? at : whole;
    }
    return whole;
}

int tare__journal_reopen(tare__journal *j, const tare__line *line, const char *path)
{
    *j = (tare__journal){.line = line};
    if (!path)
        return TARE__RAN;
    name_files(j, line, path);
    if (j->part && access(j->part, F_OK) != 0 && access(path, F_OK) == 0 && rename(path, j->part) != 0)
        return journal_failed(j, "cannot be added to");
    j->file = fopen(j->part ? j->part : path, j->part ? "a+" : "w");
    if (!j->file || (j->part && ftruncate(fileno(j->file), whole_lines(j->file)) != 0))
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
    if (j->reason) {
        if (j->part)
            (void)unlink(j->part);
        errno = j->reason;
        return journal_failed(j, "cannot be written");
    }
    if (j->part && rename(j->part, j->path) != 0)
        return journal_failed(j, "cannot be given its name");
    tare__journal_leave(j);
    return TARE__RAN;
}

int tare__file_put(const tare__line *line, const char *path, char *text, size_t bytes, tare_status status)
{
    tare_writer writer;
    if (status == TARE_OK)
        status = tare_writer_open(&writer, NULL, path);
    if (status == TARE_OK) {
        (void)tare_writer_put(&writer, text, bytes);
        status = tare_writer_close(&writer); /* repeats the first failure */
    }
    free(text);
    return status == TARE_OK ? TARE__RAN : tare__status_failed(line, status);
}
