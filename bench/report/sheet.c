/* sheet.c - tables of records as CSV, LaTeX, Markdown (see sheet.h). */
#include "sheet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/csv.h"
#include "../base/table.h"

const char *tare__shown(double x, tare__format format, char *text)
{
    switch (format) {
    case TARE__AS_NS:
        return tare__figure_ns(x, text);
    case TARE__AS_COUNT:
        return tare__figure_count(x, text);
    case TARE__AS_BYTES:
        return tare__figure_bytes(x, text);
    case TARE__AS_PERCENT:
        snprintf(text, TARE__FIGURE, isfinite(x) ? "%.2f %%" : "-", 100 * x);
        return text;
    case TARE__AS_PLAIN:
        snprintf(text, TARE__FIGURE, isfinite(x) ? "%.4g" : "-", x);
        return text;
    default:
        return tare__figure_plain(x, 3, text);
    }
}

/* How a cell is shown: a text of its own. */
static char *shown_cell(const tare__column *c, const json_t *record)
{
    char text[2][TARE__FIGURE];
    const json_t *value = tare__json_at(record, c->path);
    if (c->range && !json_is_array(value))
        return tare__copy_text("-");
    if (c->range)
        return tare__print("[%s, %s]", tare__shown(tare__number_at(value, "0"), c->format, text[0]),
                           tare__shown(tare__number_at(value, "1"), c->format, text[1]));
    if (json_is_number(value))
        return tare__copy_text(tare__shown(json_number_value(value), c->format, text[0]));
    return tare__copy_text(json_is_string(value) ? json_string_value(value) : json_is_true(value) ? "yes" : "-");
}

/* ---- CSV -----------------------------------------------------------------------------------------------------*/

void tare__sheet_csv(FILE *out, const tare__sheet *s)
{
    for (const tare__column *c = s->column; c->path; ++c)
        if (c->range)
            fprintf(out, "%s%s.0,%s.1", c == s->column ? "" : ",", c->path, c->path);
        else
            fprintf(out, "%s%s", c == s->column ? "" : ",", c->path);
    fputc('\n', out);
    size_t i;
    json_t *record;
    json_array_foreach(s->rows, i, record)
    {
        for (const tare__column *c = s->column; c->path; ++c) {
            const json_t *value = tare__json_at(record, c->path);
            if (c != s->column)
                fputc(',', out);
            if (c->range)
                tare__csv_value(out, json_array_get(value, 0));
            if (c->range)
                fputc(',', out);
            tare__csv_value(out, c->range ? json_array_get(value, 1) : value);
        }
        fputc('\n', out);
    }
}

/* ---- LaTeX ---------------------------------------------------------------------------------------------------*/

static void put_latex(FILE *out, const char *text)
{
    static const struct {
        const char *from, *to;
    } words[] = {{"\\", "\\textbackslash{}"}, {"×", "$\\times$"},          {"³", "$^3$"},
                 {"…", "\\dots{}"},           {"~", "\\textasciitilde{}"}, {"^", "\\textasciicircum{}"}};
    while (*text) {
        size_t w = 0;
        while (w < sizeof words / sizeof *words && strncmp(text, words[w].from, strlen(words[w].from)) != 0)
            ++w;
        if (w < sizeof words / sizeof *words) {
            fputs(words[w].to, out);
            text += strlen(words[w].from);
            continue;
        }
        if (strchr("&%$#_{}", *text))
            fputc('\\', out);
        fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
        ++text;
    }
}

static void latex_row(FILE *out, const tare__sheet *s, const json_t *record)
{
    bool first = true;
    for (const tare__column *c = s->column; c->path; ++c) {
        if (!c->narrow)
            continue;
        char *text = record ? shown_cell(c, record) : tare__copy_text(c->head);
        fputs(first ? "  " : " & ", out);
        put_latex(out, text);
        free(text);
        first = false;
    }
    fputs(" \\\\\n", out);
}

void tare__sheet_latex(FILE *out, const tare__sheet *s)
{
    fputs("% needs \\usepackage{booktabs}\n{\\footnotesize\\setlength{\\tabcolsep}{3pt}\n\\begin{tabular}{", out);
    for (const tare__column *c = s->column; c->path; ++c)
        if (c->narrow)
            fputs(c->format <= TARE__AS_ARM ? "l" : "r", out);
    fputs("}\n\\toprule\n", out);
    latex_row(out, s, NULL);
    fputs("\\midrule\n", out);
    size_t i;
    json_t *record;
    json_array_foreach(s->rows, i, record) latex_row(out, s, record);
    fputs("\\bottomrule\n\\end{tabular}}\n", out);
}

/* ---- Markdown ------------------------------------------------------------------------------------------------*/

static void put_markdown(FILE *out, const char *text)
{
    for (; *text; ++text) {
        if (strchr("|\\`*_<>[]", *text))
            fputc('\\', out);
        fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
    }
}

void tare__sheet_markdown(FILE *out, const tare__sheet *s)
{
    for (const tare__column *c = s->column; c->path; ++c)
        if (c->narrow)
            fprintf(out, "| %s ", c->head);
    fputs("|\n", out);
    for (const tare__column *c = s->column; c->path; ++c)
        if (c->narrow)
            fputs(c->format <= TARE__AS_ARM ? "|:--" : "|--:", out);
    fputs("|\n", out);
    size_t i;
    json_t *record;
    json_array_foreach(s->rows, i, record)
    {
        for (const tare__column *c = s->column; c->path; ++c) {
            if (!c->narrow)
                continue;
            char *text = shown_cell(c, record);
            fputs("| ", out);
            put_markdown(out, text);
            fputc(' ', out);
            free(text);
        }
        fputs("|\n", out);
    }
}

/* ---- HTML ----------------------------------------------------------------------------------------------------*/

/* The column's name; what it means on hover, and the number of its footnote. */
static void html_head(FILE *out, const tare__column *c)
{
    int term = tare__term_find(c->term);
    fputs(c->format <= TARE__AS_ARM ? "<th class=\"text\">" : "<th>", out);
    if (term < 0) {
        tare__text_put(out, c->head);
        fputs("</th>", out);
        return;
    }
    fputs("<abbr title=\"", out);
    tare__text_put(out, tare__terms[term].meaning);
    fputs("\">", out);
    tare__text_put(out, c->head);
    fprintf(out, "</abbr><sup><a href=\"#w%d\">%d</a></sup></th>", term + 1, term + 1);
}

/* Below the arm's name what was flipped against its rung. */
static void html_flips(FILE *out, const json_t *record)
{
    char *flips = tare__flips_text(record);
    if (*flips) {
        fputs("<br><span class=\"soft\">", out);
        tare__text_put(out, flips);
        fputs("</span>", out);
    }
    free(flips);
}

static void html_row(FILE *out, const tare__sheet *s, const json_t *record)
{
    fputs("<tr>", out);
    for (const tare__column *c = s->column; c->path; ++c) {
        char *text = shown_cell(c, record);
        fputs(c->format <= TARE__AS_ARM ? "<td class=\"text\"" : "<td", out);
        if (strlen(text) > 24) {
            fputs(" title=\"", out);
            tare__text_put(out, text);
            fputs("\"", out);
        }
        fputs(">", out);
        tare__text_put(out, text);
        if (c->format == TARE__AS_ARM)
            html_flips(out, record);
        fputs("</td>", out);
        free(text);
    }
    fputs("</tr>\n", out);
}

void tare__sheet_html(FILE *out, const tare__sheet *s, int most)
{
    int columns = 0, n = (int)json_array_size(s->rows);
    fputs("<div class=\"wide\"><table><thead><tr>", out);
    for (const tare__column *c = s->column; c->path; ++c, ++columns)
        html_head(out, c);
    fputs("</tr></thead><tbody>\n", out);
    for (int i = 0; i < n && i < most; ++i)
        html_row(out, s, json_array_get(s->rows, (size_t)i));
    if (n > most)
        fprintf(out, "<tr><td class=\"text\" colspan=\"%d\">and %d more, which --csv and --figures have</td></tr>\n",
                columns, n - most);
    fputs("</tbody></table></div>\n", out);
}
