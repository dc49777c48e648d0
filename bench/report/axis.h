/* axis.h - scales of a drawing, their ticks and labels. */
#ifndef TARE_BENCH_AXIS_H
#define TARE_BENCH_AXIS_H

#include "drawing.h"

/* Values low..high on places from..to. log: both are above 0. */
typedef struct {
    double low, high, from, to;
    bool log;
} tare__scale;

double tare__scale_at(const tare__scale *, double value);
/* Low and high of a logarithmic scale moved out so that a value on its edge is inside and it spans a factor of at least
 * two. */
tare__scale tare__scale_log(double low, double high, double from, double to);

enum { TARE__TICKS = 12 };
/* Values worth a label, at most `most`: 1, 2, 5 times a power of ten; times one of 1024 for bytes; powers of ten, or 1,
 * 2, 5 of them where there are few, on a logarithmic scale. How many. */
int tare__ticks(const tare__scale *, int most, bool bytes, double tick[TARE__TICKS]);

/* A label, into text (TARE__FIGURE bytes of table.h), returned. */
typedef const char *tare__label(double, char *text);
const char *tare__label_plain(double, char *text);   /* 0.5, 16, 1e+06 */
const char *tare__label_percent(double, char *text); /* of a share */

/* Lines across with labels to the left of left; lines down with labels below bottom. */
void tare__axis_left(tare__drawing *, const tare__scale *, double left, double right, bool bytes, tare__label *);
void tare__axis_bottom(tare__drawing *, const tare__scale *, double top, double bottom, bool bytes, tare__label *);

/* The names of series, dot and text, one after the other from x = 2 and over as many lines as they take. */
typedef struct {
    double x, y; /* where the next one goes: baseline */
} tare__legend;
void tare__legend_put(tare__drawing *, tare__legend *, tare__ink, const char *name);

/* Sizes of text, in points. */
#define TARE__SMALL  6.5
#define TARE__NORMAL 7.5

#endif
