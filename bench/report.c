/* report.c - `tare report`: records of any number of files, gathered by run, as one page. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "page.h"
#include "record.h"

typedef struct {
    json_t *records; /* array: keeps all lines that are shown */
    tare__run *run;
    int n;
} gathered;

static tare__run *run_of(gathered *g, const char *run_id)
{
    for (int i = 0; i < g->n; ++i)
        if (strcmp(g->run[i].run_id, run_id) == 0)
            return &g->run[i];
    g->run = tare__more(g->run, (size_t)g->n + 1, sizeof *g->run);
    g->run[g->n] = (tare__run){run_id, json_array(), json_array(), json_array()};
    return &g->run[g->n++];
}

/* Lines of kinds that the page does not show are passed over. False: it is no record. */
static bool take_record(gathered *g, json_t *record)
{
    const char *kind = json_string_value(json_object_get(record, "kind"));
    const char *run_id = json_string_value(json_object_get(record, "run_id"));
    if (!kind || !run_id)
        return false;
    const bool arm = strcmp(kind, "arm") == 0, agree = strcmp(kind, "agree") == 0, epoch = strcmp(kind, "epoch") == 0;
    if (!arm && !agree && !epoch)
        return true;
    json_array_append(g->records, record);
    tare__run *run = run_of(g, run_id);
    json_array_append(arm ? run->arms : agree ? run->agrees : run->epochs, record);
    return true;
}

static int read_file(const tare__line *line, const char *path, gathered *g)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return tare__failed(line, "%s: %s", path, strerror(errno));
    char *text = NULL;
    size_t capacity = 0;
    int code = TARE__RAN;
    for (int number = 1; !code && getline(&text, &capacity, file) > 0; ++number) {
        if (text[strspn(text, " \t\r\n")] == 0)
            continue;
        json_error_t error;
        json_t *record = json_loads(text, 0, &error);
        if (!record || !take_record(g, record))
            code = tare__failed(line, "%s: line %d: %s", path, number, record ? "no record of tare" : error.text);
        json_decref(record);
    }
    if (!code && ferror(file))
        code = tare__failed(line, "%s: cannot be read", path);
    free(text);
    (void)fclose(file);
    return code;
}

static int write_page(const tare__line *line, const gathered *g, const char *path)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    if (!stream)
        return tare__failed(line, "%s", strerror(errno));
    tare__page_write(stream, g->run, g->n);
    tare_status status = fclose(stream) == 0 ? TARE_OK : tare_error(TARE_NO_MEMORY, "no memory for the page");
    return tare__file_put(line, path, text, bytes, status);
}

int tare__report_run(const tare__line *line)
{
    const char *path = tare__text(line, "out");
    if (!path)
        return tare__usage(line, "--out FILE is wanted");
    gathered g = {.records = json_array()};
    int code = TARE__RAN;
    for (int i = 0; i < line->n_words && !code; ++i)
        code = read_file(line, line->word[i], &g);
    if (!code)
        code = write_page(line, &g, path);
    if (!code && g.n)
        printf("%s: %d run%s\n", path, g.n, g.n == 1 ? "" : "s");
    else if (!code)
        printf("%s: no runs\n", path);
    for (int i = 0; i < g.n; ++i) {
        json_decref(g.run[i].arms);
        json_decref(g.run[i].agrees);
        json_decref(g.run[i].epochs);
    }
    free(g.run);
    json_decref(g.records);
    return code;
}
