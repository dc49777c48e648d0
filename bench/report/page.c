/* page.c - the page of `tare report` (see page.h): all runs together, run by run, words. */
#include "page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/command.h"
#include "../base/table.h"
#include "contrast_text.h"
#include "page_private.h"

/* ---- what is not a chart -------------------------------------------------------------------------------------*/

static const tare__column agree_columns[] = {
    {"arm", "rung", "arm", TARE__AS_ARM, false, false},
    {"verdict", "verdict", "verdict", TARE__AS_TEXT, false, false},
    {"what", "what", NULL, TARE__AS_TEXT, false, false},
    {"digest.loss", "loss", "digest", TARE__AS_TEXT, false, false},
    {"digest.outputs", "outputs", "digest", TARE__AS_TEXT, false, false},
    {"digest.gradients", "gradients", "digest", TARE__AS_TEXT, false, false},
    {"digest.parameters", "parameters", "digest", TARE__AS_TEXT, false, false},
    {"digest.state", "state", "digest", TARE__AS_TEXT, false, false},
    {"calls_digest", "kernel calls", "digest", TARE__AS_TEXT, false, false},
    {0},
};

static const tare__column epoch_columns[] = {
    {"arm", "mode", "arm", TARE__AS_ARM, false, false},
    {"epoch", "epoch", NULL, TARE__AS_PLAIN, false, false},
    {"loss", "loss", NULL, TARE__AS_PLAIN, false, false},
    {"score.set", "scored on", NULL, TARE__AS_TEXT, false, false},
    {"score.accuracy", "accuracy", NULL, TARE__AS_PERCENT, false, false},
    {"score.mse", "MSE", NULL, TARE__AS_PLAIN, false, false},
    {"time_ns", "time", NULL, TARE__AS_NS, false, false},
    {"cpu_ns", "CPU time", NULL, TARE__AS_NS, false, false},
    {"steps", "steps", NULL, TARE__AS_COUNT, false, false},
    {"rss_peak_bytes", "peak memory", NULL, TARE__AS_BYTES, false, false},
    {0},
};

static void put_table(FILE *out, const tare__run *run, const char *kind, const char *title, const tare__column *column)
{
    enum { MOST_ROWS = 500, ROW_BYTES = 1000 };
    size_t n = json_array_size(tare__run_lines(run, kind));
    tare__sheet sheet = {column, (json_t *)tare__run_lines(run, kind)};
    if (!n)
        return;
    fprintf(out, "<h3>%s</h3>\n", title);
    if (tare__page_room(out, (n < MOST_ROWS ? n : MOST_ROWS) * ROW_BYTES))
        tare__sheet_html(out, &sheet, MOST_ROWS);
    else
        fputs("<p class=\"soft\">Left out, the page would be too large; --csv DIR has it.</p>\n", out);
}

/* "lenet, training, 29 nodes, ...": of the run's first arm. */
static void put_summary(FILE *out, const json_t *arm)
{
    char flops[TARE__FIGURE];
    const char *optimizer = tare__text_at(arm, "optimizer");
    fputs("<p>", out);
    tare__text_put(out, tare__text_at(arm, "work"));
    fputs(*optimizer ? " with " : "", out);
    tare__text_put(out, optimizer);
    fprintf(out,
            ", %.0f nodes, %s FLOPs a step; %.0f rounds in %.0f processes, %.0f dropped as disturbed; this machine's "
            "sgemm: %.1f GFLOP/s.</p>\n",
            tare__number_at(arm, "nodes"), tare__figure_count(tare__number_at(arm, "flops"), flops),
            tare__number_at(arm, "rounds"), tare__number_at(arm, "processes"), tare__number_at(arm, "dropped_rounds"),
            tare__number_at(arm, "gemm_gflops"));
    if (json_is_false(json_object_get(arm, "trusted"))) {
        fputs("<p class=\"warn\">Not to be trusted: ", out);
        tare__text_put(out, tare__text_at(arm, "reasons.trusted"));
        fputs(".</p>\n", out);
    }
}

/* A decomposition that does not add up says so above its chart. */
static void put_closures(FILE *out, const tare__run *run)
{
    size_t i;
    json_t *line;
    json_array_foreach(tare__run_lines(run, "closure"), i, line)
    {
        char residual[TARE__FIGURE], rest[TARE__FIGURE];
        bool closed = json_is_true(json_object_get(line, "pass"));
        fprintf(out, "<p%s>", closed ? "" : " class=\"warn\"");
        tare__text_put(out, tare__text_at(line, "arm"));
        fprintf(out, ": the decomposition is %s, residual %s, unattributed %s", closed ? "closed" : "not closed",
                tare__shown(tare__number_at(line, "residual"), TARE__AS_PERCENT, residual),
                tare__shown(tare__number_at(line, "unattributed"), TARE__AS_PERCENT, rest));
        fputs(*tare__text_at(line, "cause") ? ": " : "", out);
        tare__text_put(out, tare__text_at(line, "cause"));
        fputs(".</p>\n", out);
    }
}

static void put_sentences(FILE *out, const tare__run *run)
{
    enum { MOST = 60 };
    const json_t *contrasts = tare__run_lines(run, "contrast");
    size_t i, n = json_array_size(contrasts);
    json_t *line;
    if (!n)
        return;
    fputs("<details><summary>Sentences to quote</summary>\n<ul class=\"quotes\">\n", out);
    json_array_foreach(contrasts, i, line)
    {
        char *text = tare__contrast_text(line);
        if (i < MOST && tare__page_room(out, strlen(text) + 10)) {
            fputs("<li>", out);
            tare__text_put(out, text);
            fputs("</li>\n", out);
        }
        free(text);
    }
    if (n > MOST)
        fprintf(out, "<li>and %zu more, which --figures DIR has</li>\n", n - MOST);
    fputs("</ul></details>\n", out);
}

static void put_field(FILE *out, const char *key, const json_t *value)
{
    if (json_is_null(value) || (json_is_string(value) && !json_string_length(value)))
        return;
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    fputs("<dt>", out);
    tare__text_put(out, key);
    fputs("</dt><dd>", out);
    tare__text_put(out, json_is_string(value) ? json_string_value(value) : text ? text : "");
    fputs("</dd>\n", out);
    free(text);
}

static void put_environment(FILE *out, const json_t *record)
{
    static const char *const group[] = {"machine", "build", "libraries"};
    fputs("<details><summary>Where and how it was measured</summary>\n<dl>\n", out);
    for (int g = 0; g < 3; ++g) {
        const char *key;
        json_t *value;
        json_object_foreach(json_object_get(record, group[g]), key, value) put_field(out, key, value);
    }
    put_field(out, "tare", json_object_get(record, "version"));
    put_field(out, "commit", json_object_get(record, "commit"));
    fputs("<dt>command</dt><dd><code>", out);
    size_t i;
    json_t *word;
    json_array_foreach(json_object_get(record, "command"), i, word)
    {
        fputs(i ? " " : "", out);
        tare__text_put(out, json_is_string(word) ? json_string_value(word) : "");
    }
    fputs("</code></dd>\n</dl></details>\n", out);
}

/* ---- runs ----------------------------------------------------------------------------------------------------*/

static void put_title(FILE *out, const tare__run *run)
{
    char *title = tare__run_title(run);
    tare__text_put(out, title);
    free(title);
}

static void put_run(FILE *out, const tare__runs *runs, int i, int most)
{
    const tare__run *run = &runs->run[i];
    fprintf(out, "<h2 id=\"r%d\">", i + 1);
    put_title(out, run);
    fputs("</h2>\n", out);
    const json_t *arm = json_array_get(tare__run_lines(run, "arm"), 0);
    if (arm)
        put_summary(out, arm);
    put_closures(out, run);
    if (tare__page_charts(out, &(tare__source){run, runs}, TARE__OF_RUN, most, false))
        fputs("</div>\n", out);
    put_sentences(out, run);
    put_table(out, run, "agree", "Agreement: hashes of results, equal where the bits are equal", agree_columns);
    put_table(out, run, "epoch", "Training", epoch_columns);
    put_environment(out, tare__run_any(run));
}

enum { MOST_LISTED = 100 };

static void put_contents(FILE *out, const tare__runs *runs)
{
    fputs("<details open><summary>Runs</summary>\n<ul class=\"quotes\">\n", out);
    for (int i = 0; i < runs->n && i < MOST_LISTED; ++i) {
        fprintf(out, "<li><a href=\"#r%d\">", i + 1);
        put_title(out, &runs->run[i]);
        fputs("</a></li>\n", out);
    }
    if (runs->n > MOST_LISTED)
        fprintf(out, "<li>and %d more</li>\n", runs->n - MOST_LISTED);
    fputs("</ul></details>\n", out);
}

/* Runs for which there was no room: what the contents link to. */
static void put_left_out(FILE *out, const tare__runs *runs, int from)
{
    fprintf(out,
            "<p class=\"warn\">%d further runs are left out, the page would be too large: report them apart.</p>\n"
            "<ul class=\"quotes\">\n",
            runs->n - from);
    for (int i = from; i < runs->n && i < MOST_LISTED; ++i) {
        fprintf(out, "<li id=\"r%d\">", i + 1);
        put_title(out, &runs->run[i]);
        fputs("</li>\n", out);
    }
    fprintf(out, "%s</ul>\n", from < MOST_LISTED ? "" : "<li>beyond those that are listed</li>\n");
}

/* Charts of several runs: all, and each group of them once. */
static void put_together(FILE *out, const tare__runs *runs, int most)
{
    bool any = tare__page_charts(out, &(tare__source){NULL, runs}, TARE__OF_ALL, most, false);
    for (int i = 0; i < runs->n; ++i)
        any = tare__page_charts(out, &(tare__source){&runs->run[i], runs}, TARE__OF_GROUP, most, any);
    fputs(any ? "</div>\n" : "", out);
}

/* Where the machine is another one than before. */
static void put_machine(FILE *out, const json_t *before, const json_t *record)
{
    const json_t *machine = json_object_get(record, "machine");
    if (before && json_equal(json_object_get(before, "machine"), machine))
        return;
    fputs("<p class=\"machine\"><b>On ", out);
    tare__text_put(out, tare__text_at(machine, "host"));
    fputs("</b>: ", out);
    tare__text_put(out, tare__text_at(machine, "cpu"));
    fprintf(out, ", %.0f processors</p>\n", tare__number_at(machine, "processors"));
}

static void put_words(FILE *out)
{
    fputs("<h2>Words</h2>\n<ol class=\"words\">\n", out);
    for (int i = 0; tare__terms[i].key; ++i) {
        fprintf(out, "<li id=\"w%d\"><b>", i + 1);
        tare__text_put(out, tare__terms[i].term);
        fputs("</b>: ", out);
        tare__text_put(out, tare__terms[i].meaning);
        fputs("</li>\n", out);
    }
    fputs("</ol>\n", out);
}

/* How many blocks each memory picture may draw one by one, so that all together have their share of the page. */
static int blocks_each(const tare__runs *runs)
{
    enum { BLOCKS = 2000, FEWEST = 60 };
    int pictures = 0;
    for (int i = 0; i < runs->n; ++i)
        pictures += tare__run_lines(&runs->run[i], "memory") != NULL;
    return pictures && BLOCKS / pictures < FEWEST ? FEWEST : BLOCKS / (pictures ? pictures : 1);
}

void tare__page_write(FILE *out, const tare__runs *runs, bool by_machine)
{
    enum { RUN_BYTES = 60000 };
    int most = blocks_each(runs), i;
    fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>tare: report</title>\n",
          out);
    tare__page_style(out);
    fputs("</head><body>\n<h1>tare: report</h1>\n"
          "<p class=\"soft\">The same net on the same kernels, run in several ways: what differs is wrapping.</p>\n",
          out);
    if (!runs->n)
        fputs("<p>There are no records here.</p>\n", out);
    if (runs->n > 1)
        put_contents(out, runs);
    put_together(out, runs, most);
    for (i = 0; i < runs->n && (i == 0 || tare__page_room(out, RUN_BYTES)); ++i) {
        if (by_machine)
            put_machine(out, i ? tare__run_any(&runs->run[i - 1]) : NULL, tare__run_any(&runs->run[i]));
        put_run(out, runs, i, most);
    }
    if (i < runs->n)
        put_left_out(out, runs, i);
    if (runs->n)
        put_words(out);
    fputs("</body></html>\n", out);
}
