/* report_command.c - `tare report`: records of any number of files, gathered by run, as one page, as charts, as tables.
 */
#include "../report/report.h"

#include <stdlib.h>
#include <string.h>

#include "../arm/memory_report.h"
#include "../measure/records_csv.h"
#include "../measure/stored.h"
#include "../report/chart.h"
#include "../report/chart_files.h"
#include "../report/page.h"
#include "commands.h"

typedef struct {
    const tare__line *line;
    tare__run *run;
    int n;
} gathered;

static tare__run *run_of(gathered *g, const char *run_id)
{
    for (int i = g->n - 1; i >= 0; --i)
        if (strcmp(g->run[i].run_id, run_id) == 0)
            return &g->run[i];
    g->run = tare__more(g->run, (size_t)g->n + 1, sizeof *g->run);
    g->run[g->n] = (tare__run){tare__copy_text(run_id), json_object()};
    return &g->run[g->n++];
}

/* Lines of kinds that no chart is made of are passed over. */
static bool is_shown(const char *kind)
{
    static const char *const shown[] = {"arm",   "contrast", "run",   "part",  "closure", "effect",
                                        "share", "memory",   "agree", "epoch", "op"};
    for (size_t i = 0; i < sizeof shown / sizeof *shown; ++i)
        if (strcmp(kind, shown[i]) == 0)
            return true;
    return false;
}

static int check_memory(const gathered *g, const json_t *record, const char *path, int number)
{
    tare__memory memory = {0};
    bool fine = tare__memory_read(&memory, record);
    tare__memory_free(&memory);
    return fine ? TARE__RAN : tare__failed(g->line, "%s: line %d: the blocks of memory make no sense", path, number);
}

static int take_record(void *owner, json_t *record, const char *path, int number)
{
    gathered *g = owner;
    const char *kind = tare__field_text(record, "kind");
    if (!is_shown(kind))
        return TARE__RAN;
    if (strcmp(kind, "memory") == 0 && check_memory(g, record, path, number) != TARE__RAN)
        return TARE__FAILED;
    tare__run *run = run_of(g, tare__field_text(record, "run_id"));
    json_t *lines = json_object_get(run->kind, kind);
    if (!lines) {
        lines = json_array();
        json_object_set_new(run->kind, kind, lines);
    }
    json_array_append(lines, record);
    return TARE__RAN;
}

static const json_t *machine_of(const tare__run *run)
{
    return json_object_get(tare__run_any(run), "machine");
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

static int write_page(const tare__line *line, const tare__runs *runs, const char *path)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = tare__text_begin(&text, &bytes);
    tare__page_write(stream, runs, tare__given(line, "by"));
    tare__text_end(stream);
    int code = tare__file_put(line, path, text, bytes, TARE_OK);
    if (!code && runs->n)
        printf("%s: %d run%s\n", path, runs->n, runs->n == 1 ? "" : "s");
    else if (!code)
        printf("%s: no runs\n", path);
    return code;
}

/* The page and the charts, of what was gathered. */
static int show(const tare__line *line, gathered *g)
{
    int code = TARE__RAN;
    const char *path = tare__text(line, "out"), *charts = tare__text(line, "figures");
    if (!path && !charts)
        return TARE__RAN;
    for (int i = 0; i < line->n_words && !code; ++i)
        code = tare__records_read(line, line->word[i], tare__given(line, "partial"), take_record, g);
    if (!code && tare__given(line, "by"))
        order_by_machine(g);
    const tare__runs runs = {g->run, g->n};
    if (!code && path)
        code = write_page(line, &runs, path);
    if (!code && charts)
        code = tare__chart_files_write(line, &runs, charts);
    return code;
}

/* The charts there are, as docs/METHOD.md has them. */
static int print_charts(void)
{
    static const char *const of[] = {
        [TARE__OF_RUN] = "a run", [TARE__OF_GROUP] = "runs that differ in the batch", [TARE__OF_ALL] = "all runs"};
    printf("| chart | of | what |\n|---|---|---|\n");
    for (int i = 0; tare__charts[i]; ++i)
        printf("| `%s` | %s | %s |\n", tare__charts[i]->name, of[tare__charts[i]->scope], tare__charts[i]->about);
    return TARE__RAN;
}

int tare__report_run(const tare__line *line)
{
    const char *folder = tare__text(line, "csv");
    if (tare__given(line, "markdown"))
        return print_charts();
    if (!line->n_words)
        return tare__usage(line, "a file of records is needed");
    if (!tare__given(line, "out") && !folder && !tare__given(line, "figures"))
        return tare__usage(line, "--out FILE, --figures DIR or --csv DIR is wanted");
    tare__journal_need_json(); /* a page that lacks something would be wrong */
    int code = tare__by_machine(line);
    if (!code && folder)
        code = tare__csv_write(line, line->word, line->n_words, tare__given(line, "partial"), folder);
    gathered g = {.line = line};
    if (!code)
        code = show(line, &g);
    for (int i = 0; i < g.n; ++i) {
        free((char *)g.run[i].run_id);
        json_decref(g.run[i].kind);
    }
    free(g.run);
    return code;
}
