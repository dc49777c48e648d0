/* chart_ops.c - operators alone: a panel a family, and one for those that belong to none (see chart_ops.h). */
#include "chart_ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../data/writer.h"
#include "../base/record.h"
#include "../base/table.h"

static const tare__column columns[] = {
    {"operator", "operator", NULL, TARE__AS_TEXT, false, true},
    {"family", "family", NULL, TARE__AS_TEXT, false, false},
    {"size", "size", NULL, TARE__AS_PLAIN, false, true},
    {"times", "times", NULL, TARE__AS_COUNT, false, false},
    {"way", "way", NULL, TARE__AS_TEXT, false, true},
    {"variant", "variant", NULL, TARE__AS_TEXT, false, false},
    {"step_ns.median", "time", NULL, TARE__AS_NS, false, true},
    {"step_ns.ci95", "95 %", NULL, TARE__AS_NS, true, false},
    {"gflops", "GFLOP/s", NULL, TARE__AS_PLAIN, false, false},
    {"gbs", "GB/s", NULL, TARE__AS_PLAIN, false, false},
    {"roofline", "share of the roof", NULL, TARE__AS_PERCENT, false, true},
    {"operands", "operands", NULL, TARE__AS_TEXT, false, false},
    {0},
};

static double median_of(const json_t *row)
{
    return tare__number_at(row, "step_ns.median");
}

static bool is_way(const json_t *row, const char *way)
{
    return strcmp(tare__text_at(row, "way"), way) == 0;
}

static const char *label_ns(double value, char *text)
{
    return tare__figure_ns(value, text);
}

static const char *label_size(double value, char *text)
{
    return tare__figure_count(value, text);
}

/* ---- series ---------------------------------------------------------------------------------------------------*/

/* What a curve is of: the operator, its variant, and, of a family, the operands but for the size. */
static char *series_of(const json_t *row)
{
    char *name = NULL, size[32];
    size_t bytes;
    FILE *out = tare__text_begin(&name, &bytes);
    double n = tare__number_at(row, "size");
    const char *variant = tare__text_at(row, "variant"), *operands = tare__text_at(row, "operands");
    fprintf(out, "%s%s%s", tare__text_at(row, "operator"), *variant ? " " : "", variant);
    size_t length = (size_t)snprintf(size, sizeof size, "%.0f", n);
    for (const char *c = operands; isfinite(n) && *c;) {
        size_t digits = strspn(c, "0123456789");
        const char *before = c == operands ? " " : "";
        const bool dimension = c > operands && (c[-1] == '[' || c[-1] == ',');
        if (dimension && digits == length && strncmp(c, size, length) == 0)
            fprintf(out, "%sn", before);
        else
            fprintf(out, "%s%.*s", before, (int)(digits ? digits : 1), c);
        c += digits ? digits : 1;
    }
    tare__text_end(out);
    return name;
}

enum { MOST_SERIES = 64, COLOURED = 11 };
typedef struct {
    char *key[MOST_SERIES]; /* owned */
    int n;
} series;

static int series_find(series *s, const json_t *row)
{
    char *key = series_of(row);
    for (int i = 0; i < s->n; ++i)
        if (strcmp(s->key[i], key) == 0) {
            free(key);
            return i;
        }
    if (s->n == MOST_SERIES) {
        free(key);
        return MOST_SERIES - 1;
    }
    s->key[s->n] = key;
    return s->n++;
}

static void series_free(series *s)
{
    for (int i = 0; i < s->n; ++i)
        free(s->key[i]);
}

/* Beyond those that can be told apart all are grey. */
static tare__ink ink_of(int i)
{
    return i < COLOURED ? tare__ink_series(i) : TARE__INK_GRAY;
}

/* The operator alone where no other curve of the panel has it. */
static void draw_legend(tare__drawing *d, const series *s, tare__legend *at)
{
    for (int i = 0; i < s->n && i < COLOURED; ++i) {
        size_t length = strcspn(s->key[i], "[");
        while (length > 0 && s->key[i][length] != ' ')
            --length;
        bool shared = length == 0;
        for (int k = 0; k < s->n && length; ++k)
            shared |= k != i && strncmp(s->key[k], s->key[i], length + 1) == 0;
        char *name = shared ? tare__copy_text(s->key[i]) : tare__print("%.*s", (int)length, s->key[i]);
        tare__legend_put(d, at, ink_of(i), name);
        free(name);
    }
    if (s->n > COLOURED)
        tare__legend_put(d, at, TARE__INK_GRAY, "others");
}

/* ---- panels ---------------------------------------------------------------------------------------------------*/

typedef struct {
    tare__drawing *d;
    tare__scale x, y;
    const char *across; /* the field */
} plot;

static char *title_of(const json_t *row)
{
    char text[2][TARE__FIGURE];
    return tare__print("%s %s, %s: %s, %.0f %% of the roof at %s", tare__text_at(row, "operator"),
                       tare__text_at(row, "operands"),
                       *tare__text_at(row, "variant") ? tare__text_at(row, "variant") : tare__text_at(row, "way"),
                       tare__figure_ns(median_of(row), text[0]), 100 * tare__number_at(row, "roofline"),
                       tare__figure_ns(tare__number_at(row, "roofline_ns"), text[1]));
}

/* The curve of a series, one way of it; intervals and dots of the kernels. series_of_row: of each. */
static void draw_curve(const plot *p, const json_t *rows, const int *series_of_row, int which, const char *way)
{
    size_t n = json_array_size(rows), i;
    double *xy = tare__take(2 * n + 2, sizeof *xy);
    bool kernel = strcmp(way, "kernel") == 0;
    int points = 0;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        double x = tare__scale_at(&p->x, tare__number_at(row, p->across)), y = tare__scale_at(&p->y, median_of(row));
        if (!is_way(row, way) || series_of_row[i] != which)
            continue;
        double low = tare__number_at(row, "step_ns.ci95.0"), high = tare__number_at(row, "step_ns.ci95.1");
        char *title = title_of(row);
        if (kernel && isfinite(low))
            tare__draw_rule(p->d, x, tare__scale_at(&p->y, fmax(low, p->y.low)), x,
                            tare__scale_at(&p->y, fmin(high, p->y.high)), 0.7, ink_of(which), false);
        if (kernel)
            tare__draw_dot(p->d, x, y, 1.7, ink_of(which), title);
        free(title);
        xy[2 * points] = x;
        xy[2 * points++ + 1] = y;
    }
    if (strcmp(p->across, "size") == 0)
        tare__draw_line(p->d, xy, points, 0.9, ink_of(which), !kernel,
                        tare__text_at(json_array_get(rows, 0), "family"));
    free(xy);
}

/* From y = top on; the end of it. */
static double draw_panel(tare__drawing *d, const json_t *rows, double top)
{
    enum { HEIGHT = 128, LEFT = 40, RIGHT = 16, FOOT = 26 };
    const char *family = tare__text_at(json_array_get(rows, 0), "family");
    series s = {0};
    size_t i;
    json_t *row;
    int *series_of_row = tare__take(json_array_size(rows) + 1, sizeof *series_of_row);
    json_array_foreach(rows, i, row) series_of_row[i] = series_find(&s, row);
    tare__draw_text(d, 2, top + 8, TARE__NORMAL, TARE__START, TARE__INK_TEXT, d->width - 4, "%s",
                    *family ? family : "operators");
    tare__legend at = {2, top + 20};
    draw_legend(d, &s, &at);
    double begin = at.y + 8, end = begin + HEIGHT;
    double low = INFINITY, high = 0, first = INFINITY, last = 0;
    plot p = {.d = d, .across = *family ? "size" : "roofline_ns"};
    tare__rows_span(rows, "step_ns.median", &low, &high);
    tare__rows_span(rows, p.across, &first, &last);
    p.x = tare__scale_log(first, last, LEFT, d->width - RIGHT);
    p.y = tare__scale_log(low, high, end, begin);
    tare__axis_left(d, &p.y, LEFT, d->width - RIGHT, false, label_ns);
    tare__axis_bottom(d, &p.x, begin, end, false, *family ? label_size : label_ns);
    double from = fmax(p.x.low, p.y.low), to = fmin(p.x.high, p.y.high);
    if (!*family && from < to)
        tare__draw_rule(d, tare__scale_at(&p.x, from), tare__scale_at(&p.y, from), tare__scale_at(&p.x, to),
                        tare__scale_at(&p.y, to), 0.9, TARE__INK_TEXT, false);
    for (int k = 0; k < s.n; ++k) {
        draw_curve(&p, rows, series_of_row, k, "kernel");
        if (*family)
            draw_curve(&p, rows, series_of_row, k, "call");
    }
    series_free(&s);
    free(series_of_row);
    tare__draw_text(d, (LEFT + d->width) / 2, end + FOOT - 6, TARE__SMALL, TARE__MIDDLE, TARE__INK_SOFT, 0, "%s",
                    *family ? "size; solid: bare kernel calls, dashed: imperative calls"
                            : "time at the roof; up: time of the bare kernel call");
    return end + FOOT;
}

/* ---- families -------------------------------------------------------------------------------------------------*/

/* The rows that can be drawn, a new array for each family in the order in which they appear. */
static json_t *families_of(const json_t *rows)
{
    json_t *families = json_object(), *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        const char *family = tare__text_at(row, "family");
        if (!(median_of(row) > 0) || !(tare__number_at(row, *family ? "size" : "roofline_ns") > 0))
            continue;
        if (!json_object_get(families, family))
            json_object_set_new(families, family, json_array());
        json_array_append(json_object_get(families, family), row);
    }
    return families;
}

static void draw_ops(const tare__source *source, const json_t *rows, double width, int most, tare__drawing *d)
{
    (void)source;
    (void)most;
    json_t *families = families_of(rows), *each;
    const char *name;
    double y = 0;
    tare__drawing_init(d, width, 0, tare__chart_ops.title, tare__chart_ops.about);
    json_object_foreach(families, name, each)
    {
        (void)name;
        y = draw_panel(d, each, y) + 6;
    }
    d->height = y;
    json_decref(families);
}

static json_t *ops_rows(const tare__source *source)
{
    return tare__line_rows(source, "op");
}

int tare__chart_ops_write(const tare__line *line, const json_t *records, const char *folder)
{
    json_t *families = families_of(records), *rows;
    const char *name;
    tare_status status = tare_folder_make(NULL, folder);
    int code = status == TARE_OK ? TARE__RAN : tare__status_failed(line, status);
    json_object_foreach(families, name, rows)
    {
        tare__drawing d;
        char *text = NULL, *path = tare__print("%s/%s.svg", folder, *name ? name : "operators");
        size_t bytes = 0;
        draw_ops(NULL, rows, TARE__COLUMN_WIDTH, 0, &d);
        FILE *out = tare__text_begin(&text, &bytes);
        tare__drawing_svg_file(out, &d, true);
        tare__text_end(out);
        tare__drawing_fini(&d);
        if (code)
            free(text);
        else
            code = tare__file_put(line, path, text, bytes, TARE_OK);
        free(path);
    }
    json_decref(families);
    return code;
}

const tare__chart tare__chart_ops = {
    .name = "ops",
    .title = "Operators alone",
    .about =
        "Of each family time against size, both logarithmic: dots with 95 % intervals are the bare kernel calls, "
        "dashed lines the same as imperative calls. Operators of no family: time of the bare kernel call against the "
        "time at the roof; on the line they are as fast as sgemm and the memory's bandwidth, measured in the run, "
        "allow.",
    .column = columns,
    .rows = ops_rows,
    .draw = draw_ops,
};
