/* chart_files.c - charts as files (see chart_files.h). */
#include "chart_files.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "../../data/writer.h"
#include "../base/record.h"
#include "contrast_text.h"

/* Blocks that the picture of memory draws one by one: on paper more cannot be told apart. */
enum { MOST_BLOCKS = 2000 };

typedef struct {
    const tare__line *line;
    const char *folder;
    int code; /* of the first failure; nothing is written after it */
    int n;    /* files */
} writing;

/* What one file holds. */
typedef struct {
    const tare__sheet *sheet;
    const tare__drawing *drawing;
    const tare__run *run;
} content;
typedef tare_status put(FILE *, const content *);

static tare_status put_svg(FILE *out, const content *c)
{
    tare__drawing_svg_file(out, c->drawing, false);
    return TARE_OK;
}

static tare_status put_pdf(FILE *out, const content *c)
{
    return tare__drawing_pdf(out, c->drawing);
}

static tare_status put_csv(FILE *out, const content *c)
{
    tare__sheet_csv(out, c->sheet);
    return TARE_OK;
}

static tare_status put_latex(FILE *out, const content *c)
{
    tare__sheet_latex(out, c->sheet);
    return TARE_OK;
}

static tare_status put_markdown(FILE *out, const content *c)
{
    tare__sheet_markdown(out, c->sheet);
    return TARE_OK;
}

static tare_status put_contrasts(FILE *out, const content *c)
{
    size_t i;
    json_t *line;
    json_array_foreach(tare__run_lines(c->run, "contrast"), i, line)
    {
        char *text = tare__contrast_text(line);
        fprintf(out, "%s\n", text);
        free(text);
    }
    return TARE_OK;
}

static void write_file(writing *w, const char *stem, const char *name, const char *ending, put *fill, const content *c)
{
    if (w->code)
        return;
    char *text = NULL, *path = tare__print("%s/%s-%s.%s", w->folder, stem, name, ending);
    size_t bytes = 0;
    FILE *out = tare__text_begin(&text, &bytes);
    tare_status status = fill(out, c);
    tare__text_end(out);
    w->code = tare__file_put(w->line, path, text, bytes, status);
    ++w->n;
    free(path);
}

static void write_charts(writing *w, const char *stem, const tare__source *source, tare__chart_scope scope)
{
    static const struct {
        const char *ending;
        put *fill;
    } file[] = {{"svg", put_svg}, {"pdf", put_pdf}, {"csv", put_csv}, {"tex", put_latex}, {"md", put_markdown}};
    for (int i = 0; tare__charts[i] && !w->code; ++i) {
        const tare__chart *chart = tare__charts[i];
        json_t *rows = chart->scope == scope ? chart->rows(source) : NULL;
        if (json_array_size(rows)) {
            tare__drawing d;
            tare__sheet sheet = {chart->column, rows};
            chart->draw(source, rows, TARE__COLUMN_WIDTH, MOST_BLOCKS, &d);
            for (size_t f = 0; f < sizeof file / sizeof *file; ++f)
                write_file(w, stem, chart->name, file[f].ending, file[f].fill, &(content){&sheet, &d, NULL});
            tare__drawing_fini(&d);
        }
        json_decref(rows);
    }
}

/* "lenet-b64-t1", with a number behind it where an earlier run has the same; what a file's name should not have becomes
 * '_'. */
static char *stem_of(const tare__runs *runs, int i)
{
    const json_t *record = tare__run_any(&runs->run[i]);
    char net[48];
    snprintf(net, sizeof net, "%.40s", tare__text_at(record, "net"));
    for (char *c = net; *c; ++c)
        if (!isalnum((unsigned char)*c) && !strchr("-_=", *c))
            *c = '_';
    int same = 1;
    for (int k = 0; k < i; ++k) {
        static const char *const field[] = {"net", "batch", "threads"};
        bool equal = true;
        for (int f = 0; f < 3; ++f)
            equal &=
                json_equal(json_object_get(tare__run_any(&runs->run[k]), field[f]), json_object_get(record, field[f]));
        same += equal;
    }
    char number[16] = "";
    if (same > 1)
        snprintf(number, sizeof number, "-%d", same);
    return tare__print("%s-b%.0f-t%.0f%s", net, tare__number_at(record, "batch"), tare__number_at(record, "threads"),
                       number);
}

int tare__chart_files_write(const tare__line *line, const tare__runs *runs, const char *folder)
{
    writing w = {.line = line, .folder = folder};
    tare_status status = tare_folder_make(NULL, folder);
    if (status != TARE_OK)
        return tare__status_failed(line, status);
    write_charts(&w, "all", &(tare__source){NULL, runs}, TARE__OF_ALL);
    for (int i = 0; i < runs->n && !w.code; ++i) {
        const tare__source source = {&runs->run[i], runs};
        char *stem = stem_of(runs, i);
        write_charts(&w, stem, &source, TARE__OF_GROUP);
        write_charts(&w, stem, &source, TARE__OF_RUN);
        if (json_array_size(tare__run_lines(source.run, "contrast")))
            write_file(&w, stem, "contrasts", "txt", put_contrasts, &(content){.run = source.run});
        free(stem);
    }
    if (!w.code)
        printf("%s: %d files\n", folder, w.n);
    return w.code;
}
