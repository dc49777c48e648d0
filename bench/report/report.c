/* report.c - looking into gathered lines (see report.h). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../arm/rung.h"
#include "../base/command.h"
#include "report.h"

const json_t *tare__run_lines(const tare__run *run, const char *kind)
{
    return json_object_get(run->kind, kind);
}

const json_t *tare__run_any(const tare__run *run)
{
    const char *kind;
    json_t *lines;
    json_object_foreach(run->kind, kind, lines)
    {
        (void)kind;
        if (json_array_size(lines))
            return json_array_get(lines, 0);
    }
    return NULL;
}

const json_t *tare__json_at(const json_t *record, const char *path)
{
    while (record && *path) {
        char name[64];
        size_t length = strcspn(path, ".");
        if (length >= sizeof name)
            return NULL;
        memcpy(name, path, length);
        name[length] = 0;
        record = json_is_array(record) ? json_array_get(record, (size_t)atoi(name)) : json_object_get(record, name);
        path += length + (path[length] == '.');
    }
    return record;
}

double tare__number_at(const json_t *record, const char *path)
{
    const json_t *value = tare__json_at(record, path);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

const char *tare__text_at(const json_t *record, const char *path)
{
    const char *text = json_string_value(tare__json_at(record, path));
    return text ? text : "";
}

bool tare__is_arm(const json_t *record)
{
    return !json_is_null(json_object_get(record, "mode"));
}

char *tare__run_title(const tare__run *run)
{
    const json_t *record = tare__run_any(run);
    double threads = tare__number_at(record, "threads");
    return tare__print("%s, batch %.0f, %.0f thread%s", tare__text_at(record, "net"), tare__number_at(record, "batch"),
                       threads, threads == 1 ? "" : "s");
}

const json_t *tare__run_arm(const tare__run *run, const char *name)
{
    size_t i;
    json_t *arm;
    json_array_foreach(tare__run_lines(run, "arm"), i,
                       arm) if (strcmp(tare__text_at(arm, "arm"), name) == 0) return arm;
    return NULL;
}

/* What follows of the task, joint planning and the update, is no flip. */
char *tare__flips_text(const json_t *record)
{
    const tare__rung *rung = tare__rung_find(tare__text_at(record, "mode"));
    const json_t *factors = json_object_get(record, "factors");
    char *text = tare__copy_text("");
    for (int f = 0; rung && f < TARE__FACTOR_COUNT; ++f) {
        const char *level = tare__text_at(factors, tare__factors[f].name);
        if (f == TARE__JOINT || f == TARE__UPDATE || !*level || strcmp(level, tare__rung_cell(rung, f)->level) == 0)
            continue;
        char *longer = tare__print("%s%s%s=%s", text, *text ? ", " : "", tare__factors[f].name, level);
        free(text);
        text = longer;
    }
    return text;
}
