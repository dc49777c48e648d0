/* chart_parts.c - where a step's time goes: parts stacked, an arm a row; and what flipping a factor changes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/table.h"
#include "axis.h"
#include "chart.h"

static const tare__column part_columns[] = {
    {"arm", "arm", "arm", TARE__AS_ARM, false, true},
    {"name", "part", NULL, TARE__AS_TEXT, false, true},
    {"ns", "ns a step", "ns", TARE__AS_NS, false, true},
    {"ci95", "95 % interval", "ns", TARE__AS_NS, true, true},
    {"share", "share", "share", TARE__AS_PERCENT, false, true},
    {"method", "method", "method", TARE__AS_TEXT, false, false},
    {0},
};

static json_t *part_rows(const tare__source *source)
{
    return tare__line_rows(source, "part");
}

/* Texts in the order in which they first appear. */
typedef struct {
    const char **text;
    int n;
} names;

static int name_of(names *all, const char *text)
{
    for (int i = 0; i < all->n; ++i)
        if (strcmp(all->text[i], text) == 0)
            return i;
    all->text = tare__more(all->text, (size_t)all->n + 1, sizeof *all->text);
    all->text[all->n] = text;
    return all->n++;
}

/* Arms (and methods, where there are several) are the rows of the picture: the index of a line's. */
static int bar_of(names *bars, json_t *keep, const json_t *line, bool several)
{
    char *text = tare__print("%s%s%s", tare__text_at(line, "arm"), several ? " · " : "",
                             several ? tare__text_at(line, "method") : "");
    json_t *kept = json_string(text);
    free(text);
    json_array_append_new(keep, kept);
    return name_of(bars, json_string_value(kept));
}

typedef struct {
    names bars, parts;
    json_t *keep;         /* the texts of bars */
    double *left, *right; /* how far each bar reaches */
    int *bar;             /* of each line */
} stacked;

static void stack(stacked *s, const json_t *rows)
{
    names methods = {0};
    size_t i, n = json_array_size(rows);
    json_t *line;
    json_array_foreach(rows, i, line)(void) name_of(&methods, tare__text_at(line, "method"));
    s->keep = json_array();
    s->bar = tare__take(n + 1, sizeof *s->bar);
    s->left = tare__take(n + 1, sizeof *s->left);
    s->right = tare__take(n + 1, sizeof *s->right);
    json_array_foreach(rows, i, line)
    {
        s->bar[i] = bar_of(&s->bars, s->keep, line, methods.n > 1);
        (void)name_of(&s->parts, tare__text_at(line, "name"));
        double ns = tare__number_at(line, "ns");
        if (isfinite(ns))
            *(ns < 0 ? &s->left[s->bar[i]] : &s->right[s->bar[i]]) += ns;
    }
    free(methods.text);
}

static void stack_free(stacked *s)
{
    free(s->bars.text);
    free(s->parts.text);
    free(s->left);
    free(s->right);
    free(s->bar);
    json_decref(s->keep);
}

static tare__ink part_ink(int part)
{
    return part == 0 ? TARE__INK_GRAY : tare__ink_series(part - 1); /* the kernels come first */
}

static double draw_legend(tare__drawing *d, const names *parts)
{
    double x = 2, y = 8;
    for (int i = 0; i < parts->n; ++i) {
        double width = fmin(12 + tare__text_width(parts->text[i], TARE__SMALL), d->width - 4);
        if (x > 2 && x + width > d->width) {
            x = 2;
            y += 10;
        }
        tare__draw_rect(d, x, y - 5.5, 6, 6, part_ink(i), NULL);
        tare__draw_text(d, x + 8, y, TARE__SMALL, TARE__START, TARE__INK_TEXT, width - 8, "%s", parts->text[i]);
        x += width + 8;
    }
    return y + 8;
}

static void draw_part(tare__drawing *d, const tare__scale *x, const json_t *line, double *from, double y, tare__ink ink)
{
    char ns[TARE__FIGURE], low[TARE__FIGURE], high[TARE__FIGURE];
    double value = tare__number_at(line, "ns");
    if (!isfinite(value))
        return;
    char *title =
        tare__print("%s, %s: %s [%s, %s], %.1f %%, by %s", tare__text_at(line, "arm"), tare__text_at(line, "name"),
                    tare__figure_ns(value, ns), tare__figure_ns(tare__number_at(line, "ci95.0"), low),
                    tare__figure_ns(tare__number_at(line, "ci95.1"), high), 100 * tare__number_at(line, "share"),
                    tare__text_at(line, "method"));
    double a = tare__scale_at(x, *from), b = tare__scale_at(x, *from + value);
    tare__draw_rect(d, fmin(a, b), y - 4.5, fabs(b - a) > 0.6 ? fabs(b - a) - 0.3 : fabs(b - a), 9, ink, title);
    *from += value;
    free(title);
}

static void draw_parts(const tare__source *source, const json_t *rows, double width, int most, tare__drawing *d)
{
    enum { ROW = 14, FOOT = 24 };
    (void)source;
    (void)most;
    stacked s = {0};
    stack(&s, rows);
    tare__drawing_init(d, width, 0, tare__chart_parts.title, tare__chart_parts.about);
    int shown = s.bars.n < TARE__MOST_BARS ? s.bars.n : TARE__MOST_BARS;
    double top = draw_legend(d, &s.parts) + 4, bottom = top + shown * ROW, names_width = 0, low = 0, high = 1;
    for (int i = 0; i < shown; ++i) {
        names_width = fmax(names_width, tare__text_width(s.bars.text[i], TARE__NORMAL));
        low = fmin(low, s.left[i]);
        high = fmax(high, s.right[i]);
    }
    names_width = fmin(names_width, 0.36 * width);
    tare__scale x = {low, high * 1.02, names_width + 8, width - 8, false};
    tare__axis_bottom(d, &x, top, bottom, false, tare__figure_ns);
    double *from = tare__take(2 * (size_t)s.bars.n + 1, sizeof *from);
    size_t i;
    json_t *line;
    json_array_foreach(rows, i, line)
    {
        int bar = s.bar[i];
        bool negative = tare__number_at(line, "ns") < 0;
        if (bar < shown)
            draw_part(d, &x, line, &from[2 * bar + negative], top + (bar + 0.5) * ROW,
                      part_ink(name_of(&s.parts, tare__text_at(line, "name"))));
    }
    for (int b = 0; b < shown; ++b)
        tare__draw_text(d, names_width + 3, top + (b + 0.5) * ROW + TARE__NORMAL / 3, TARE__NORMAL, TARE__END,
                        TARE__INK_TEXT, names_width + 1, "%s", s.bars.text[b]);
    tare__draw_text(d, (names_width + width) / 2, bottom + FOOT - 6, TARE__SMALL, TARE__MIDDLE, TARE__INK_SOFT, 0,
                    "time of a step");
    d->height = bottom + FOOT;
    free(from);
    stack_free(&s);
}

const tare__chart tare__chart_parts = {
    .name = "parts",
    .title = "Where the time of a step goes",
    .about =
        "Each arm's step cut into parts; what is left of zero is time saved against the sum of the others. By several "
        "methods, a row each.",
    .column = part_columns,
    .rows = part_rows,
    .draw = draw_parts,
};

/* ---- effects -------------------------------------------------------------------------------------------------*/

static const tare__column effect_columns[] = {
    {"base", "base", NULL, TARE__AS_TEXT, false, true},
    {"factor", "factor", NULL, TARE__AS_TEXT, false, true},
    {"from", "from", NULL, TARE__AS_TEXT, false, true},
    {"to", "to", NULL, TARE__AS_TEXT, false, true},
    {"ns", "changes a step by", "ns", TARE__AS_NS, false, true},
    {"ci95", "95 % interval", "ns", TARE__AS_NS, true, true},
    {0},
};

static json_t *effect_rows(const tare__source *source)
{
    return tare__line_rows(source, "effect");
}

/* A bar a line: its change of a step with the interval, named by the factor and what it is switched to. */
static void draw_changes(const tare__chart *chart, const char *axis, const json_t *rows, double width, tare__drawing *d)
{
    int n = (int)json_array_size(rows);
    tare__bar *bar = tare__take((size_t)n + 1, sizeof *bar);
    json_t *keep = json_array();
    for (int i = 0; i < n; ++i) {
        const json_t *line = json_array_get(rows, (size_t)i);
        char ns[TARE__FIGURE];
        char *name = tare__print("%s=%s", tare__text_at(line, "factor"), tare__text_at(line, "to"));
        json_array_append_new(keep, json_string(name));
        free(name);
        bar[i] = (tare__bar){.name = json_string_value(json_array_get(keep, (size_t)i)),
                             .value = tare__number_at(line, "ns"),
                             .low = tare__number_at(line, "ci95.0"),
                             .high = tare__number_at(line, "ci95.1"),
                             .ink = tare__number_at(line, "ns") < 0 ? TARE__INK_GREEN : TARE__INK_RED};
        snprintf(bar[i].label, sizeof bar[i].label, "%s", tare__figure_ns(bar[i].value, ns));
    }
    tare__bars_draw(d, width, &(tare__bars_style){chart->title, chart->about, axis, true, 0, tare__figure_ns}, bar, n);
    free(bar);
    json_decref(keep);
}

static void draw_effects(const tare__source *source, const json_t *rows, double width, int most, tare__drawing *d)
{
    (void)source;
    (void)most;
    draw_changes(&tare__chart_effects, "change of a step", rows, width, d);
}

const tare__chart tare__chart_effects = {
    .name = "effects",
    .title = "What flipping one factor changes",
    .about = "One flip a row against the same base: how much longer (red) or shorter (green) a step becomes.",
    .column = effect_columns,
    .rows = effect_rows,
    .draw = draw_effects,
};

/* ---- mechanisms ----------------------------------------------------------------------------------------------*/

static const tare__column mechanism_columns[] = {
    {"factor", "factor", NULL, TARE__AS_TEXT, false, true},
    {"from", "from", NULL, TARE__AS_TEXT, false, true},
    {"to", "to", NULL, TARE__AS_TEXT, false, true},
    {"ns", "share", "shapley", TARE__AS_NS, false, true},
    {"ci95", "95 % interval", "shapley", TARE__AS_NS, true, true},
    {"up_ns", "up", "order", TARE__AS_NS, false, true},
    {"down_ns", "down", "order", TARE__AS_NS, false, true},
    {0},
};

static json_t *mechanism_rows(const tare__source *source)
{
    return tare__line_rows(source, "share");
}

static void draw_mechanisms(const tare__source *source, const json_t *rows, double width, int most, tare__drawing *d)
{
    (void)source;
    (void)most;
    draw_changes(&tare__chart_mechanisms, "share of the difference", rows, width, d);
}

const tare__chart tare__chart_mechanisms = {
    .name = "mechanisms",
    .title = "What each mechanism has of the difference",
    .about = "The six mechanisms between imperative and static, all on less none, shared out among them (Shapley).",
    .column = mechanism_columns,
    .rows = mechanism_rows,
    .draw = draw_mechanisms,
};
