/* record.c - lines of results (see record.h). */
#define _GNU_SOURCE
#include "record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "../../core/version.h"
#include "../../data/writer.h"
#include "plugins.h"

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

/* Whether so many letters name a file in some folder: bars part values too (tare bench chain:depth=5/20). */
static bool in_folder(const char *text, size_t length)
{
    const char *bar = memrchr(text, '/', length);
    if (!bar || bar == text || *text == '~' || *text == '/')
        return bar != NULL;
    char *folder = tare__print("%.*s", (int)(bar - text), text);
    bool is = access(folder, F_OK) == 0;
    free(folder);
    return is;
}

/* The text without the folders of the files in it, which stand alone or between the signs that part an option's words:
 * "plan=runs/a.csv,keep=kept" is "plan=a.csv,keep=kept". NULL where it is no UTF-8. */
static json_t *without_folders(const char *text)
{
    char *bare = tare__take(1, strlen(text) + 1), *end = bare;
    while (*text) {
        size_t length = strcspn(text, "=,:");
        const char *from = in_folder(text, length) ? (const char *)memrchr(text, '/', length) + 1 : text;
        size_t kept = length - (size_t)(from - text) + (text[length] != 0);
        memcpy(end, from, kept);
        end += kept;
        text += length + (text[length] != 0);
    }
    json_t *string = json_string(bare);
    free(bare);
    return string;
}

static json_t *command_of(const tare__line *line, bool anonymous)
{
    json_t *words = json_array();
    json_array_append_new(words, json_string("tare"));
    for (int i = 1; i < line->argc; ++i) {
        json_t *word = anonymous ? without_folders(line->argv[i]) : json_string(line->argv[i]);
        json_array_append_new(words, word ? word : json_string("?"));
    }
    return words;
}

json_t *tare__run_record(const tare__line *line, const char *net, int64_t batch, int threads, int64_t seed,
                         int64_t order_seed)
{
    tare__journal_watch_json();
    const bool anonymous = tare__given(line, "anonymous");
    json_t *run = json_object(), *machine = tare__machine();
    if (anonymous)
        json_object_del(machine, "host");
    json_object_set_new(run, "run_id", run_id());
    json_object_set_new(run, "net", anonymous ? without_folders(net) : json_string(net));
    json_object_set_new(run, "batch", json_integer(batch));
    json_object_set_new(run, "threads", json_integer(threads));
    json_object_set_new(run, "device", json_string("cpu"));
    json_object_set_new(run, "seed", json_integer(seed));
    json_object_set_new(run, "order_seed", json_integer(order_seed));
    json_object_set_new(run, "command", command_of(line, anonymous));
    json_object_set_new(run, "version", json_string(tare_version()));
    json_object_set_new(run, "commit", json_string(tare_commit()));
    json_object_set_new(run, "machine", machine);
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
    const char *plan = json_string_value(json_object_get(factors, "plan"));
    if (plan && strchr(plan, '/') && !json_object_get(json_object_get(run, "machine"), "host"))
        json_object_set_new(factors, "plan", without_folders(plan));
    json_object_update(record, run);
    const char *threads = json_string_value(json_object_get(factors, "threads"));
    const char *kernels = json_string_value(json_object_get(factors, "kernels"));
    if (kernels && strcmp(kernels, TARE__ADDED) == 0) {
        json_t *libraries = json_copy(json_object_get(run, "libraries"));
        const char *added = tare__added_library();
        json_object_set_new(libraries, TARE__ADDED, added ? json_string(added) : json_null());
        json_object_set_new(record, "libraries", libraries);
    }
    if (threads)
        json_object_set_new(record, "threads", json_integer(atoi(threads)));
    return record;
}

int64_t tare__field(const json_t *record, const char *field)
{
    return json_integer_value(json_object_get(record, field));
}

const char *tare__field_text(const json_t *record, const char *field)
{
    return json_string_value(json_object_get(record, field));
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
