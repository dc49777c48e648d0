/* table.c - tables and figures for a terminal (see table.h). */
#include "table.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

void tare__table_init(tare__table *t, const char **head, int n_columns)
{
    *t = (tare__table){.n_columns = n_columns, .head = head};
}

void tare__table_put(tare__table *t, const char *format, ...)
{
    char text[256];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (t->n_cells == t->capacity) {
        t->capacity = t->capacity ? 2 * t->capacity : 64;
        t->cell = tare__more(t->cell, (size_t)t->capacity, sizeof *t->cell);
    }
    t->cell[t->n_cells++] = tare__copy_text(text);
}

/* Columns on the screen: bytes that begin a character of UTF-8. */
static int width_of(const char *text)
{
    int n = 0;
    for (; *text; ++text)
        n += (*text & 0xc0) != 0x80;
    return n;
}

static void print_cell(FILE *out, const char *text, int width, int left, int last)
{
    int blanks = width - width_of(text);
    if (left)
        fprintf(out, "%s%*s", text, last ? 0 : blanks, "");
    else
        fprintf(out, "%*s%s", blanks, "", text);
    fprintf(out, "%s", last ? "\n" : "  ");
}

void tare__table_print(const tare__table *t, FILE *out)
{
    int *width = tare__take((size_t)t->n_columns, sizeof *width);
    for (int c = 0; c < t->n_columns; ++c)
        width[c] = width_of(t->head[c] + (t->head[c][0] == '<'));
    for (int i = 0; i < t->n_cells; ++i) {
        int w = width_of(t->cell[i]), c = i % t->n_columns;
        width[c] = w > width[c] ? w : width[c];
    }
    for (int i = -t->n_columns; i < t->n_cells; ++i) {
        int c = i < 0 ? i + t->n_columns : i % t->n_columns, left = t->head[c][0] == '<';
        if (c == 0)
            fprintf(out, "  ");
        print_cell(out, i < 0 ? t->head[c] + left : t->cell[i], width[c], left, c + 1 == t->n_columns);
    }
    free(width);
}

void tare__table_fini(tare__table *t)
{
    for (int i = 0; i < t->n_cells; ++i)
        free(t->cell[i]);
    free(t->cell);
    *t = (tare__table){0};
}

const char *tare__figure_plain(double x, int digits, char *text)
{
    if (isfinite(x))
        snprintf(text, TARE__FIGURE, "%.*f", digits, x);
    else
        snprintf(text, TARE__FIGURE, "-");
    return text;
}

/* Three or four digits and the unit whose factor fits. */
static const char *with_unit(double x, const double *factor, const char *const *unit, int n, char *text)
{
    if (!isfinite(x)) {
        snprintf(text, TARE__FIGURE, "-");
        return text;
    }
    int k = 0;
    while (k + 1 < n && fabs(x) >= factor[k + 1] * 0.9995)
        ++k;
    double value = x / factor[k], size = fabs(value);
    int digits = value == nearbyint(value) && k == 0 ? 0 : size < 10 ? 2 : size < 100 ? 1 : 0;
    snprintf(text, TARE__FIGURE, "%.*f%s%s", digits, value, *unit[k] ? " " : "", unit[k]);
    return text;
}

const char *tare__figure_ns(double ns, char *text)
{
    static const double factor[] = {1, 1e3, 1e6, 1e9};
    static const char *const unit[] = {"ns", "us", "ms", "s"};
    return with_unit(ns, factor, unit, 4, text);
}

const char *tare__figure_bytes(double bytes, char *text)
{
    static const double factor[] = {1, 1024, 1048576, 1073741824};
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB"};
    return with_unit(bytes, factor, unit, 4, text);
}

/* Below a million all digits, in threes; above it four of them. */
const char *tare__figure_count(double count, char *text)
{
    static const char *const unit[] = {"M", "G", "T"};
    if (!isfinite(count) || count < 0) {
        snprintf(text, TARE__FIGURE, "-");
    } else if (count < 999.5) {
        snprintf(text, TARE__FIGURE, "%.0f", count);
    } else if (count < 999999.5) {
        long long whole = llround(count);
        snprintf(text, TARE__FIGURE, "%lld %03lld", whole / 1000, whole % 1000);
    } else {
        int k = count < 999.95e6 ? 0 : count < 999.95e9 ? 1 : 2;
        double value = count / (k == 0 ? 1e6 : k == 1 ? 1e9 : 1e12);
        snprintf(text, TARE__FIGURE, "%.*f %s", value < 10 ? 3 : value < 100 ? 2 : 1, value, unit[k]);
    }
    return text;
}
