/* chart_share.c - overhead over the work of a node and the number of nodes: where the runs lie, and where overhead
 * would be 5, 10 and 50 % of the kernels.
 *
 * The contours are of a model: overhead of a step = s + h x nodes, both by least squares over the runs with the arm (s
 * = 0 where all have the same number of nodes). Then overhead / kernels = (s / nodes + h) / (kernel time a node). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/table.h"
#include "axis.h"
#include "chart.h"

static const tare__column columns[] = {
    {"net", "net", NULL, TARE__AS_TEXT, false, true},
    {"batch", "batch", NULL, TARE__AS_PLAIN, false, true},
    {"threads", "threads", NULL, TARE__AS_PLAIN, false, false},
    {"arm", "arm", "arm", TARE__AS_TEXT, false, true},
    {"nodes", "nodes", "node_overhead", TARE__AS_COUNT, false, true},
    {"work_ns", "kernel time / node", "work", TARE__AS_NS, false, true},
    {"overhead_ns", "overhead", "overhead", TARE__AS_NS, false, false},
    {"relative", "overhead / kernels", "relative", TARE__AS_PERCENT, false, true},
    {"step_fixed_ns", "fixed part", NULL, TARE__AS_NS, false, false},
    {"node_fixed_ns", "part a node", NULL, TARE__AS_NS, false, false},
    {0},
};

/* What is compared: the usual way of running eagerly, and compiled; where neither was run, the first arm that was. */
static const char *const wanted[] = {"block", "static_shape"};

static void add_arm(json_t *rows, const tare__run *run, const json_t *arm)
{
    double kernels = tare__number_at(tare__run_arm(run, "kernels"), "step_ns.min"),
           nodes = tare__number_at(arm, "nodes");
    double overhead = tare__number_at(arm, "overhead_ns");
    if (!(kernels > 0 && nodes > 0 && isfinite(overhead)))
        return;
    json_array_append_new(rows,
                          json_pack("{s:s,s:f,s:f,s:s,s:f,s:f,s:f,s:f}", "net", tare__text_at(arm, "net"), "batch",
                                    tare__number_at(arm, "batch"), "threads", tare__number_at(arm, "threads"), "arm",
                                    tare__text_at(arm, "arm"), "nodes", nodes, "work_ns", kernels / nodes,
                                    "overhead_ns", overhead, "relative", overhead / kernels));
}

/* Least squares of overhead on nodes over the rows of an arm, neither part below zero. What a measured overhead can be
 * off by grows with the kernels' time, so a row weighs as 1 / that squared. */
static void fit(const json_t *rows, const char *name, double *fixed, double *each)
{
    double n = 0, x = 0, y = 0, xx = 0, xy = 0;
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        double nodes = tare__number_at(row, "nodes"), overhead = tare__number_at(row, "overhead_ns");
        double kernels = nodes * tare__number_at(row, "work_ns"), weight = 1 / (kernels * kernels);
        if (strcmp(tare__text_at(row, "arm"), name) != 0)
            continue;
        n += weight;
        x += weight * nodes;
        y += weight * overhead;
        xx += weight * nodes * nodes;
        xy += weight * nodes * overhead;
    }
    double spread = n * xx - x * x;
    *each = spread > 1e-9 * n * xx ? (n * xy - x * y) / spread : y / x;
    *fixed = spread > 1e-9 * n * xx ? (y - *each * x) / n : 0;
    if (*fixed < 0 || *each < 0) { /* through the origin then */
        *each = fmax(xy / xx, 0);
        *fixed = 0;
    }
}

static json_t *share_rows(const tare__source *source)
{
    json_t *rows = json_array(), *row;
    size_t i;
    for (size_t w = 0; w < sizeof wanted / sizeof *wanted; ++w)
        for (int k = 0; k < source->all->n; ++k) {
            const json_t *arm = tare__run_arm(&source->all->run[k], wanted[w]);
            if (arm)
                add_arm(rows, &source->all->run[k], arm);
        }
    for (int k = 0; k < source->all->n && json_array_size(rows) == 0; ++k) {
        const json_t *arm = json_array_get(tare__run_lines(&source->all->run[k], "arm"), 0);
        if (arm && tare__is_arm(arm) && strcmp(tare__text_at(arm, "arm"), "kernels") != 0)
            add_arm(rows, &source->all->run[k], arm);
    }
    json_array_foreach(rows, i, row)
    {
        double fixed, each;
        fit(rows, tare__text_at(row, "arm"), &fixed, &each);
        json_object_set_new(row, "step_fixed_ns", json_real(fixed));
        json_object_set_new(row, "node_fixed_ns", json_real(each));
    }
    return rows;
}

typedef struct {
    tare__drawing *d;
    tare__scale x, y;
} plot;

/* For one arm: three lines, the share at the top of each. */
static void draw_contours(const plot *p, const json_t *row, tare__ink ink, bool dashed)
{
    enum { POINTS = 40 };
    static const double level[] = {0.05, 0.1, 0.5};
    static const tare__anchor anchor[] = {TARE__START, TARE__MIDDLE, TARE__END}; /* the two on the right are near */
    double fixed = tare__number_at(row, "step_fixed_ns"), each = tare__number_at(row, "node_fixed_ns");
    for (int l = 0; l < 3; ++l) {
        double xy[2 * POINTS], last = (double)NAN;
        int n = 0;
        for (int i = 0; i < POINTS; ++i) {
            double nodes = p->y.low * pow(p->y.high / p->y.low, i / (POINTS - 1.0));
            double work = (fixed / nodes + each) / level[l];
            if (!(work >= p->x.low && work <= p->x.high))
                continue;
            xy[2 * n] = last = tare__scale_at(&p->x, work);
            xy[2 * n++ + 1] = tare__scale_at(&p->y, nodes);
        }
        char *title = tare__print("%s: overhead is %.0f %% of the kernels", tare__text_at(row, "arm"), 100 * level[l]);
        tare__draw_line(p->d, xy, n, 0.9, ink, dashed, title);
        free(title);
        tare__draw_text(p->d, last, p->y.to - 2, TARE__SMALL - 0.5, anchor[l], ink, 0, "%.0f %%", 100 * level[l]);
    }
}

/* Where a name was written: the next one there is left to the hover. */
typedef struct {
    double x, y, width;
} label;
enum { MOST_LABELS = 40 };

static bool is_free(const label *taken, int n, label at)
{
    for (int i = 0; i < n; ++i)
        if (fabs(taken[i].y - at.y) < TARE__SMALL && at.x < taken[i].x + taken[i].width && taken[i].x < at.x + at.width)
            return false;
    return n < MOST_LABELS;
}

/* A dot, and a net's name without its options. */
static void draw_point(const plot *p, const json_t *row, label *taken, int *n)
{
    const char *net = tare__text_at(row, "net");
    double x = tare__scale_at(&p->x, tare__number_at(row, "work_ns"));
    double y = tare__scale_at(&p->y, tare__number_at(row, "nodes"));
    char *title =
        tare__print("%s, batch %.0f, %.0f threads: %.0f nodes, overhead of %s %.2f %% of the kernels", net,
                    tare__number_at(row, "batch"), tare__number_at(row, "threads"), tare__number_at(row, "nodes"),
                    tare__text_at(row, "arm"), 100 * tare__number_at(row, "relative"));
    tare__draw_dot(p->d, x, y, 2.2, TARE__INK_TEXT, title);
    free(title);
    char name[64];
    snprintf(name, sizeof name, "%.*s %.0f", (int)strcspn(net, ":") < 40 ? (int)strcspn(net, ":") : 40, net,
             tare__number_at(row, "batch"));
    double size = TARE__SMALL - 0.5, width = tare__text_width(name, size);
    label at = {x - width / 2, y - 4, width};
    if (!is_free(taken, *n, at))
        return;
    taken[(*n)++] = at;
    tare__draw_text(p->d, at.x, at.y, size, TARE__START, TARE__INK_TEXT, 0, "%s", name);
}

static void draw_share(const tare__source *source, const json_t *rows, double width, int most, tare__drawing *d)
{
    enum { TOP = 28, HEIGHT = 150, LEFT = 30, FOOT = 24, MOST_POINTS = 1000 };
    (void)source;
    (void)most;
    double low[2] = {INFINITY, INFINITY}, high[2] = {0, 0};
    static const char *const field[2] = {"work_ns", "nodes"};
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row) for (int k = 0; k < 2; ++k)
    {
        low[k] = fmin(low[k], tare__number_at(row, field[k]));
        high[k] = fmax(high[k], tare__number_at(row, field[k]));
    }
    tare__drawing_init(d, width, TOP + HEIGHT + FOOT, tare__chart_share.title, tare__chart_share.about);
    plot p = {d, tare__scale_log(low[0] / 4, high[0] * 4, LEFT, width - 6),
              tare__scale_log(low[1] / 1.5, high[1] * 1.5, TOP + HEIGHT, TOP)};
    tare__axis_left(d, &p.y, LEFT, width - 6, false, tare__label_plain);
    tare__axis_bottom(d, &p.x, TOP, TOP + HEIGHT, false, tare__figure_ns);
    double x = 2;
    int arms = 0;
    json_array_foreach(rows, i, row)
    {
        const char *name = tare__text_at(row, "arm");
        if (i && strcmp(name, tare__text_at(json_array_get(rows, i - 1), "arm")) == 0)
            continue;
        tare__draw_rule(d, x, 6, x + 14, 6, 0.9, tare__ink_series(arms), arms % 2 != 0);
        tare__draw_text(d, x + 17, 8.5, TARE__SMALL, TARE__START, TARE__INK_TEXT, 0, "%s", name);
        x += 30 + tare__text_width(name, TARE__SMALL);
        draw_contours(&p, row, tare__ink_series(arms), arms % 2 != 0);
        ++arms;
    }
    label taken[MOST_LABELS];
    int n = 0;
    const char *first = tare__text_at(json_array_get(rows, 0), "arm"); /* a run's point once, not for each arm */
    json_array_foreach(rows, i, row) if (i < MOST_POINTS && strcmp(tare__text_at(row, "arm"), first) == 0)
        draw_point(&p, row, taken, &n);
    tare__draw_text(d, (LEFT + width) / 2, TOP + HEIGHT + FOOT - 6, TARE__SMALL, TARE__MIDDLE, TARE__INK_SOFT, 0,
                    "kernel time a node; up: nodes");
}

const tare__chart tare__chart_share = {
    .name = "share",
    .title = "When overhead stops to matter",
    .about = "Points are runs: kernel time a node across, number of nodes up, both logarithmic. Along the lines the "
             "overhead "
             "of the arm would be 5, 10 and 50 % of the kernels; to the right of a line it is less. The lines are a "
             "model: a "
             "fixed part a step and a part a node, by least squares over the runs.",
    .scope = TARE__OF_ALL,
    .column = columns,
    .rows = share_rows,
    .draw = draw_share,
};
