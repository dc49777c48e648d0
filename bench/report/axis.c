/* axis.c - scales, ticks, axes (see axis.h). */
#include "axis.h"

#include <math.h>

#include "../base/table.h"

double tare__scale_at(const tare__scale *s, double value)
{
    double low = s->log ? log(s->low) : s->low, high = s->log ? log(s->high) : s->high;
    double at = high > low ? ((s->log ? log(value) : value) - low) / (high - low) : 0;
    return s->from + at * (s->to - s->from);
}

tare__scale tare__scale_log(double low, double high, double from, double to)
{
    double more = high / low < 2 ? sqrt(2 * low / high) : 1;
    return (tare__scale){low / more / 1.15, high * more * 1.15, from, to, true};
}

/* 1, 2 or 5 times a power of ten, so that `most` steps or fewer cover the span. */
static double step_of(double span, int most)
{
    double step = pow(10, floor(log10(span / most)));
    static const double times[] = {1, 2, 5, 10};
    for (int i = 0; i < 4; ++i)
        if (span / (times[i] * step) <= most)
            return times[i] * step;
    return 10 * step;
}

static int ticks_log(const tare__scale *s, int most, double tick[TARE__TICKS])
{
    int n = 0, decades = (int)ceil(log10(s->high / s->low)), stride = 1 + decades / (most > 1 ? most : 1);
    static const double times[] = {1, 2, 5};
    int each = decades * 3 <= most + 2 ? 3 : 1;
    for (int e = (int)floor(log10(s->low)); e <= (int)ceil(log10(s->high)) && n < TARE__TICKS; ++e)
        for (int k = 0; k < each && n < TARE__TICKS; ++k) {
            double value = times[k] * pow(10, e);
            if (value >= s->low && value <= s->high && e % stride == 0)
                tick[n++] = value;
        }
    return n;
}

int tare__ticks(const tare__scale *s, int most, bool bytes, double tick[TARE__TICKS])
{
    most = most < TARE__TICKS - 1 ? most : TARE__TICKS - 1;
    if (s->log)
        return ticks_log(s, most, tick);
    double unit = 1;
    while (bytes && (s->high - s->low) / unit >= 1024)
        unit *= 1024;
    double step = unit * step_of((s->high > s->low ? s->high - s->low : 1) / unit, most);
    int n = 0;
    for (double value = ceil(s->low / step) * step; value <= s->high * (1 + 1e-9) && n < TARE__TICKS; value += step)
        tick[n++] = fabs(value) < step * 1e-9 ? 0 : value;
    return n;
}

const char *tare__label_plain(double value, char *text)
{
    snprintf(text, TARE__FIGURE, "%.4g", value);
    return text;
}

const char *tare__label_percent(double value, char *text)
{
    snprintf(text, TARE__FIGURE, "%.3g %%", 100 * value);
    return text;
}

void tare__axis_left(tare__drawing *d, const tare__scale *s, double left, double right, bool bytes, tare__label *label)
{
    double tick[TARE__TICKS];
    int n = tare__ticks(s, (int)(fabs(s->to - s->from) / 16), bytes, tick);
    for (int i = 0; i < n; ++i) {
        char text[TARE__FIGURE];
        double y = tare__scale_at(s, tick[i]);
        tare__draw_rule(d, left, y, right, y, 0.4, TARE__INK_GRID, false);
        tare__draw_text(d, left - 3, y + TARE__SMALL / 3, TARE__SMALL, TARE__END, TARE__INK_SOFT, 0, "%s",
                        label(tick[i], text));
    }
}

void tare__axis_bottom(tare__drawing *d, const tare__scale *s, double top, double bottom, bool bytes,
                       tare__label *label)
{
    double tick[TARE__TICKS];
    int n = tare__ticks(s, (int)(fabs(s->to - s->from) / 32), bytes, tick);
    for (int i = 0; i < n; ++i) {
        char text[TARE__FIGURE];
        double x = tare__scale_at(s, tick[i]);
        tare__draw_rule(d, x, top, x, bottom + 2, 0.4, TARE__INK_GRID, false);
        tare__draw_text(d, x, bottom + 2 + TARE__SMALL, TARE__SMALL, TARE__MIDDLE, TARE__INK_SOFT, 0, "%s",
                        label(tick[i], text));
    }
}

void tare__legend_put(tare__drawing *d, tare__legend *at, tare__ink ink, const char *name)
{
    double width = fmin(12 + tare__text_width(name, TARE__SMALL), d->width - 4);
    if (at->x > 2 && at->x + width > d->width) {
        at->x = 2;
        at->y += 10;
    }
    tare__draw_dot(d, at->x + 3, at->y - 2.4, 2.4, ink, NULL);
    tare__draw_text(d, at->x + 8, at->y, TARE__SMALL, TARE__START, TARE__INK_TEXT, width - 8, "%s", name);
    at->x += width + 8;
}
