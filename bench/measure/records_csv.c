/* records_csv.c - records flattened (see records_csv.h). Columns are all that any record of a kind has, in the order in
 * which they are first met, so lines are kept until the last file is read. */
#include "records_csv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../base/csv.h"
#include "stored.h"

/* kind -> {"columns": {name: true, ...}, "rows": [{column: value, ...}, ...]} */
typedef json_t kinds;

static bool left_out(const char *field)
{
    static const char *const name[] = {"machine", "build", "libraries", "command", "reasons", "node_work", "blocks"};
    for (size_t i = 0; i < sizeof name / sizeof *name; ++i)
        if (strcmp(field, name[i]) == 0)
            return true;
    return false;
}

static void flatten(json_t *row, json_t *columns, const char *name, json_t *value);

static void flatten_inner(json_t *row, json_t *columns, const char *name, const char *field, json_t *value)
{
    if (left_out(field))
        return;
    char *inner = tare__print("%s%s%s", name, *name ? "." : "", field);
    flatten(row, columns, inner, value);
    free(inner);
}

static void flatten(json_t *row, json_t *columns, const char *name, json_t *value)
{
    if (json_is_object(value)) {
        const char *field;
        json_t *inner;
        json_object_foreach(value, field, inner) flatten_inner(row, columns, name, field, inner);
    } else if (json_is_array(value)) {
        size_t i;
        json_t *inner;
        json_array_foreach(value, i, inner)
        {
            char field[24];
            snprintf(field, sizeof field, "%zu", i);
            flatten_inner(row, columns, name, field, inner);
        }
    } else {
        json_object_set(row, name, value);
        json_object_set_new(columns, name, json_true());
    }
}

static int take_record(void *owner, json_t *record, const char *path, int number)
{
    kinds *all = owner;
    const char *name = tare__field_text(record, "kind");
    (void)path;
    (void)number;
    if (!json_object_get(all, name))
        json_object_set_new(all, name, json_pack("{s:{},s:[]}", "columns", "rows"));
    json_t *kind = json_object_get(all, name), *row = json_object();
    flatten(row, json_object_get(kind, "columns"), "", record);
    json_array_append_new(json_object_get(kind, "rows"), row);
    return TARE__RAN;
}

static void put_kind(FILE *out, json_t *kind)
{
    json_t *columns = json_object_get(kind, "columns"), *row, *value;
    const char *name;
    size_t i;
    int n = 0;
    json_object_foreach(columns, name, value)
    {
        (void)fputs(n++ ? "," : "", out);
        tare__csv_text(out, name);
    }
    (void)fputc('\n', out);
    json_array_foreach(json_object_get(kind, "rows"), i, row)
    {
        n = 0;
        json_object_foreach(columns, name, value)
        {
            (void)fputs(n++ ? "," : "", out);
            tare__csv_value(out, json_object_get(row, name));
        }
        (void)fputc('\n', out);
    }
}

static int write_kind(const tare__line *line, const char *folder, const char *name, json_t *kind)
{
    char *text = NULL, *path = tare__print("%s/%s.csv", folder, name);
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    int code = out ? TARE__RAN : tare__failed(line, "%s", strerror(errno));
    if (out) {
        put_kind(out, kind);
        tare_status status = fclose(out) == 0 ? TARE_OK : tare_error(TARE_NO_MEMORY, "no memory for %s", path);
        code = tare__file_put(line, path, text, bytes, status);
    }
    free(path);
    return code;
}

/* A kind becomes a file's name, so it has to be a word. */
static bool is_word(const char *name)
{
    return *name && !name[strspn(name, "abcdefghijklmnopqrstuvwxyz_")];
}

int tare__csv_write(const tare__line *line, const char *const *path, int n_paths, bool partial, const char *folder)
{
    kinds *all = json_object();
    int code = TARE__RAN;
    for (int i = 0; i < n_paths && !code; ++i)
        code = tare__records_read(line, path[i], partial, take_record, all);
    if (!code && mkdir(folder, 0777) != 0 && errno != EEXIST)
        code = tare__failed(line, "%s: %s", folder, strerror(errno));
    const char *name;
    json_t *kind;
    json_object_foreach(all, name, kind)
    {
        if (!code && is_word(name))
            code = write_kind(line, folder, name, kind);
    }
    json_decref(all);
    return code;
}
