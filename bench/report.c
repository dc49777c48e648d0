/* report.c - `tare report`: records of any number of files, gathered by run, as one page. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "csv.h"
#include "page.h"
#include "stored.h"

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

/* Lines of kinds that the page does not show are passed over. */
static int take_record(void *owner, json_t *record, const char *path, int number)
{
    gathered *g = owner;
    const char *kind = tare__field_text(record, "kind");
    const bool arm = strcmp(kind, "arm") == 0, agree = strcmp(kind, "agree") == 0, epoch = strcmp(kind, "epoch") == 0;
    (void)path;
    (void)number;
    if (!arm && !agree && !epoch)
        return TARE__RAN;
    json_array_append(g->records, record);
    tare__run *run = run_of(g, tare__field_text(record, "run_id"));
    json_array_append(arm ? run->arms : agree ? run->agrees : run->epochs, record);
    return TARE__RAN;
}

static const json_t *machine_of(const tare__run *run)
{
    const json_t *lines = json_array_size(run->arms)     ? run->arms
                          : json_array_size(run->agrees) ? run->agrees
                                                         : run->epochs;
    return json_object_get(json_array_get(lines, 0), "machine");
}

/* Runs of a machine together, in the order in which the machines first appear. */
static void order_by_machine(gathered *g)
{
    for (int i = 1, same = 0; i < g->n; ++i, same = 0) {
        for (int k = 0; k < i; ++k)
            same = json_equal(machine_of(&g->run[k]), machine_of(&g->run[i])) ? k + 1 : same;
        tare__run run = g->run[i];
        if (same)
            memmove(&g->run[same + 1], &g->run[same], (size_t)(i - same) * sizeof run);
        g->run[same ? same : i] = run;
    }
}

static int write_page(const tare__line *line, gathered *g, const char *path)
{
    const char *by = tare__text(line, "by");
    if (by)
        order_by_machine(g);
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    if (!stream)
        return tare__failed(line, "%s", strerror(errno));
    tare__page_write(stream, g->run, g->n, by != NULL);
    tare_status status = fclose(stream) == 0 ? TARE_OK : tare_error(TARE_NO_MEMORY, "no memory for the page");
    return tare__file_put(line, path, text, bytes, status);
}

static int make_page(const tare__line *line, gathered *g, const char *path)
{
    int code = TARE__RAN;
    for (int i = 0; i < line->n_words && !code; ++i)
        code = tare__records_read(line, line->word[i], tare__given(line, "partial"), take_record, g);
    if (!code)
        code = write_page(line, g, path);
    if (!code && g->n)
        printf("%s: %d run%s\n", path, g->n, g->n == 1 ? "" : "s");
    else if (!code)
        printf("%s: no runs\n", path);
    return code;
}

int tare__report_run(const tare__line *line)
{
    const char *path = tare__text(line, "out"), *folder = tare__text(line, "csv");
    if (!path && !folder)
        return tare__usage(line, "--out FILE or --csv DIR is wanted");
    gathered g = {.records = json_array()};
    int code =
        folder ? tare__csv_write(line, line->word, line->n_words, tare__given(line, "partial"), folder) : TARE__RAN;
    if (!code && path)
        code = make_page(line, &g, path);
    for (int i = 0; i < g.n; ++i) {
        json_decref(g.run[i].arms);
        json_decref(g.run[i].agrees);
        json_decref(g.run[i].epochs);
    }
    free(g.run);
    json_decref(g.records);
    return code;
}
