/* chart_bars.c - rows of bars or dots with intervals (see chart.h). */
#include <math.h>
#include <stdlib.h>

#include "../base/table.h"
#include "axis.h"
#include "chart.h"

enum { ROW = 12, TOP = 6, FOOT = 24 };

static double widest(const tare__bar *bar, int n, bool name, double size)
{
    double most = 0;
    for (int i = 0; i < n; ++i)
        most = fmax(most, tare__text_width(name ? bar[i].name : bar[i].label, size));
    return most;
}

static void take(double x, double *low, double *high)
{
    if (isfinite(x)) {
        *low = fmin(*low, x);
        *high = fmax(*high, x);
    }
}

/* From the least end to the greatest; logarithmic where ratios differ by much. */
static tare__scale scale_of(const tare__bars_style *style, const tare__bar *bar, int n, double from, double to)
{
    double low = INFINITY, high = -INFINITY;
    take(style->reference, &low, &high);
    for (int i = 0; i < n; ++i) {
        take(bar[i].value, &low, &high);
        take(bar[i].low, &low, &high);
        take(bar[i].high, &low, &high);
    }
    if (style->from_zero)
        take(0, &low, &high);
    if (!(low <= high))
        low = high = 0;
    if (!style->from_zero && low > 0 && high / low > 3)
        return tare__scale_log(low, high, from, to);
    double more = high > low ? 0.04 * (high - low) : fabs(high) > 0 ? 0.05 * fabs(high) : 1;
    return (tare__scale){style->from_zero && low >= 0 ? 0 : low - more, high + more, from, to, false};
}

static void draw_bar(tare__drawing *d, const tare__scale *x, const tare__bars_style *style, const tare__bar *bar,
                     double y)
{
    char *title = tare__print("%s: %s", bar->name, bar->label);
    double at = tare__scale_at(x, bar->value), zero = tare__scale_at(x, 0);
    if (style->from_zero && isfinite(bar->value))
        tare__draw_rect(d, fmin(at, zero), y - 3.5, fabs(at - zero), 7, bar->ink, title);
    if (isfinite(bar->low) && isfinite(bar->high)) {
        double low = tare__scale_at(x, bar->low), high = tare__scale_at(x, bar->high);
        tare__draw_rule(d, low, y, high, y, 0.9, TARE__INK_TEXT, false);
        tare__draw_rule(d, low, y - 2, low, y + 2, 0.9, TARE__INK_TEXT, false);
        tare__draw_rule(d, high, y - 2, high, y + 2, 0.9, TARE__INK_TEXT, false);
    }
    if (!style->from_zero)
        tare__draw_dot(d, at, y, 2.2, bar->ink, title);
    free(title);
}

void tare__bars_draw(tare__drawing *d, double width, const tare__bars_style *style, const tare__bar *bar, int n)
{
    int rows = n < TARE__MOST_BARS ? n : TARE__MOST_BARS;
    double size = widest(bar, rows, true, TARE__NORMAL) < 0.36 * width ? TARE__NORMAL : TARE__SMALL;
    double names = fmin(widest(bar, rows, true, size), 0.47 * width);
    double labels = fmin(widest(bar, rows, false, TARE__SMALL), 0.3 * width);
    double left = names + 8, right = width - labels - 6, bottom = TOP + rows * ROW;
    tare__drawing_init(d, width, bottom + FOOT + (n > rows ? ROW : 0), style->title, style->about);
    tare__scale x = scale_of(style, bar, rows, left, right);
    tare__axis_bottom(d, &x, TOP, bottom, style->label == tare__figure_bytes, style->label);
    if (isfinite(style->reference))
        tare__draw_rule(d, tare__scale_at(&x, style->reference), TOP, tare__scale_at(&x, style->reference), bottom, 0.8,
                        TARE__INK_SOFT, true);
    for (int i = 0; i < rows; ++i) {
        double y = TOP + (i + 0.5) * ROW;
        tare__draw_text(d, left - 5, y + size / 3, size, TARE__END, TARE__INK_TEXT, names + 1, "%s", bar[i].name);
        draw_bar(d, &x, style, &bar[i], y);
        tare__draw_text(d, width - 2, y + TARE__SMALL / 3, TARE__SMALL, TARE__END, TARE__INK_SOFT, labels + 1, "%s",
                        bar[i].label);
    }
    if (n > rows)
        tare__draw_text(d, left, bottom + FOOT + 6, TARE__SMALL, TARE__START, TARE__INK_SOFT, 0,
                        "and %d more: the table has them", n - rows);
    tare__draw_text(d, (left + right) / 2, bottom + FOOT - 6, TARE__SMALL, TARE__MIDDLE, TARE__INK_SOFT, 0, "%s",
                    style->axis);
}

json_t *tare__line_rows(const tare__source *source, const char *kind)
{
    json_t *rows = json_array();
    json_array_extend(rows, (json_t *)tare__run_lines(source->run, kind));
    return rows;
}

void tare__rows_span(const json_t *rows, const char *field, double *low, double *high)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        double x = tare__number_at(row, field);
        if (x > 0) {
            *low = fmin(*low, x);
            *high = fmax(*high, x);
        }
    }
}

json_t *tare__arm_rows(const tare__source *source)
{
    json_t *rows = json_array(), *line;
    size_t i;
    json_array_foreach(tare__run_lines(source->run, "arm"), i, line) if (tare__is_arm(line))
        json_array_append(rows, line);
    return rows;
}
