/* chart_batch.c - overhead against the batch: runs that are alike but for it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "axis.h"
#include "chart.h"

/* Where the overhead has become small: a tenth of the kernels' time. */
#define CROSSOVER 0.1

static const tare__column columns[] = {
    {"arm", "arm", "arm", TARE__AS_TEXT, false, true},
    {"batch", "batch", NULL, TARE__AS_PLAIN, false, true},
    {"kernels_ns", "kernels", "min", TARE__AS_NS, false, false},
    {"overhead_ns", "overhead", "overhead", TARE__AS_NS, false, true},
    {"relative", "overhead / kernels", "relative", TARE__AS_PERCENT, false, true},
    {"crossover", "crossover", "crossover", TARE__AS_PLAIN, false, true},
    {0},
};

/* Whether runs differ in nothing but the batch, as far as a chart of it goes. */
static bool alike(const tare__run *a, const tare__run *b)
{
    static const char *const field[] = {"net", "threads", "work", "optimizer", "machine"};
    const json_t *x = tare__run_arm(a, "kernels"), *y = tare__run_arm(b, "kernels");
    for (size_t i = 0; x && y && i < sizeof field / sizeof *field; ++i)
        if (!json_equal(json_object_get(x, field[i]), json_object_get(y, field[i])))
            return false;
    return x && y;
}

static void add_run(json_t *rows, const tare__run *run)
{
    double kernels = tare__number_at(tare__run_arm(run, "kernels"), "step_ns.min");
    size_t i;
    json_t *arm;
    json_array_foreach(tare__run_lines(run, "arm"), i, arm)
    {
        const char *name = tare__text_at(arm, "arm");
        double overhead = tare__number_at(arm, "overhead_ns");
        if (tare__is_arm(arm) && strcmp(name, "kernels") != 0 && strcmp(name, "aa") != 0 && isfinite(overhead))
            json_array_append_new(rows, json_pack("{s:s,s:f,s:f,s:f,s:f,s:n}", "arm", name, "batch",
                                                  tare__number_at(arm, "batch"), "kernels_ns", kernels, "overhead_ns",
                                                  overhead, "relative", overhead / kernels, "crossover"));
    }
}

static int by_arm_and_batch(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    int order = strcmp(tare__text_at(x, "arm"), tare__text_at(y, "arm"));
    double p = tare__number_at(x, "batch"), q = tare__number_at(y, "batch");
    return order ? order : (p > q) - (p < q);
}

static json_t *sorted(json_t *rows)
{
    size_t n = json_array_size(rows), i;
    json_t **row = tare__take(n + 1, sizeof *row), *all = json_array();
    for (i = 0; i < n; ++i)
        row[i] = json_array_get(rows, i);
    if (n)
        qsort(row, n, sizeof *row, by_arm_and_batch);
    for (i = 0; i < n; ++i)
        json_array_append(all, row[i]);
    free(row);
    json_decref(rows);
    return all;
}

/* Between two neighbours on logarithmic scales; NaN: not there. */
static double crossing(const json_t *a, const json_t *b)
{
    double x = tare__number_at(a, "batch"), y = tare__number_at(b, "batch");
    double p = tare__number_at(a, "relative"), q = tare__number_at(b, "relative");
    if (!(p > 0 && q > 0) || (p > CROSSOVER) == (q > CROSSOVER))
        return (double)NAN;
    return x * pow(y / x, log(CROSSOVER / p) / log(q / p));
}

static bool same_arm(const json_t *a, const json_t *b)
{
    return a && b && strcmp(tare__text_at(a, "arm"), tare__text_at(b, "arm")) == 0;
}

/* The crossover stands in the row before it. */
static void find_crossovers(json_t *rows)
{
    for (size_t i = 0; i + 1 < json_array_size(rows); ++i) {
        json_t *a = json_array_get(rows, i), *b = json_array_get(rows, i + 1);
        double at = same_arm(a, b) ? crossing(a, b) : (double)NAN;
        if (isfinite(at))
            json_object_set_new(a, "crossover", json_real(at));
    }
}

static json_t *batch_rows(const tare__source *source)
{
    json_t *rows = json_array();
    bool several = false;
    for (int i = 0; i < source->all->n; ++i) {
        const tare__run *run = &source->all->run[i];
        if (!alike(source->run, run))
            continue;
        if (json_array_size(rows) == 0 && run != source->run)
            break; /* the group is drawn with its first run */
        several |= !json_equal(json_object_get(tare__run_any(run), "batch"),
                               json_object_get(tare__run_any(source->run), "batch"));
        add_run(rows, run);
    }
    rows = sorted(rows);
    if (!several)
        json_array_clear(rows);
    find_crossovers(rows);
    return rows;
}

typedef struct {
    tare__drawing *d;
    tare__scale x, y;
} plot;

static void draw_arm(const plot *p, const json_t *rows, size_t from, size_t to, tare__ink ink)
{
    double *xy = tare__take(2 * (to - from) + 1, sizeof *xy);
    int n = 0;
    for (size_t i = from; i < to; ++i) {
        const json_t *row = json_array_get(rows, i);
        double share = tare__number_at(row, "relative"), crossover = tare__number_at(row, "crossover");
        if (isfinite(crossover))
            tare__draw_dot(p->d, tare__scale_at(&p->x, crossover), tare__scale_at(&p->y, CROSSOVER), 2.6,
                           TARE__INK_TEXT, "overhead is a tenth of the kernels");
        if (!(share > p->y.low))
            continue; /* no overhead to be seen on this scale */
        xy[2 * n] = tare__scale_at(&p->x, tare__number_at(row, "batch"));
        xy[2 * n + 1] = tare__scale_at(&p->y, share);
        char *title = tare__print("%s, batch %.0f: %.2f %%", tare__text_at(row, "arm"), tare__number_at(row, "batch"),
                                  100 * share);
        tare__draw_dot(p->d, xy[2 * n], xy[2 * n + 1], 1.8, ink, title);
        free(title);
        ++n;
    }
    tare__draw_line(p->d, xy, n, 1, ink, false, NULL);
    free(xy);
}

static void legend(tare__drawing *d, const json_t *rows, double y)
{
    tare__legend at = {2, y};
    int series = 0;
    for (size_t i = 0; i < json_array_size(rows); ++i) {
        const json_t *row = json_array_get(rows, i);
        if (!i || !same_arm(row, json_array_get(rows, i - 1)))
            tare__legend_put(d, &at, tare__ink_series(series++), tare__text_at(row, "arm"));
    }
    d->height = at.y + 6;
}

static void draw_batch(const tare__source *source, const json_t *rows, double width, int most, tare__drawing *d)
{
    enum { HEIGHT = 130, LEFT = 34, FOOT = 24 };
    (void)source;
    (void)most;
    tare__drawing_init(d, width, 0, tare__chart_batch.title, tare__chart_batch.about);
    legend(d, rows, 8);
    double top = d->height + 4, bottom = top + HEIGHT, low = CROSSOVER, high = CROSSOVER, first = INFINITY, last = 0;
    tare__rows_span(rows, "relative", &low, &high);
    tare__rows_span(rows, "batch", &first, &last);
    plot p = {d, tare__scale_log(first, last, LEFT, width - 6), tare__scale_log(fmax(low, 1e-4), high, bottom, top)};
    tare__axis_left(d, &p.y, LEFT, width - 6, false, tare__label_percent);
    tare__axis_bottom(d, &p.x, top, bottom, false, tare__label_plain);
    tare__draw_rule(d, LEFT, tare__scale_at(&p.y, CROSSOVER), width - 6, tare__scale_at(&p.y, CROSSOVER), 0.8,
                    TARE__INK_SOFT, true);
    int series = 0;
    for (size_t i = 0, end; i < json_array_size(rows); i = end) {
        for (end = i + 1; same_arm(json_array_get(rows, i), json_array_get(rows, end)); ++end)
            continue;
        draw_arm(&p, rows, i, end, tare__ink_series(series++));
    }
    tare__draw_text(d, (LEFT + width) / 2, bottom + FOOT - 6, TARE__SMALL, TARE__MIDDLE, TARE__INK_SOFT, 0,
                    "batch; overhead in %% of the kernels' time");
    d->height = bottom + FOOT;
}

const tare__chart tare__chart_batch = {
    .name = "batch",
    .title = "Overhead against the batch",
    .about =
        "Overhead of each arm as a share of the bare kernels' time, on logarithmic scales. The dashed line is a tenth; "
        "black dots are crossovers: from there on the overhead is less.",
    .scope = TARE__OF_GROUP,
    .column = columns,
    .rows = batch_rows,
    .draw = draw_batch,
};
