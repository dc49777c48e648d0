/* chart.h - the pictures of a report. A chart is a record: which runs it is of, the rows that it is made of, the
 * columns of its table, how it is drawn. From one list of them derive the page, the files of --figures, and `tare
 * report
 * --help`.
 *
 * The rows are computed once; table, CSV and drawing all show them and nothing else. */
#ifndef TARE_BENCH_CHART_H
#define TARE_BENCH_CHART_H

#include "axis.h"
#include "sheet.h"

typedef enum {
    TARE__OF_RUN,   /* of one run */
    TARE__OF_GROUP, /* of runs that are alike but for the batch: once, with the first of them */
    TARE__OF_ALL,   /* of all runs */
} tare__chart_scope;

/* What it is drawn of. */
typedef struct {
    const tare__run *run; /* NULL of all runs */
    const tare__runs *all;
} tare__source;

typedef struct {
    const char *name, *title, *about; /* about: what is drawn and how to read it */
    tare__chart_scope scope;
    bool wide; /* over the whole width of a page */
    const tare__column *column;
    /* A new array of records, empty where the runs have nothing for it. */
    json_t *(*rows)(const tare__source *);
    /* Inits and fills a drawing of that width. most: blocks drawn one by one, for those that have thousands. */
    void (*draw)(const tare__source *, const json_t *rows, double width, int most, tare__drawing *);
} tare__chart;

/* Ended by a NULL name. */
extern const tare__chart *const tare__charts[];
extern const tare__chart tare__chart_ladder, tare__chart_counts, tare__chart_parts, tare__chart_effects,
    tare__chart_mechanisms, tare__chart_memory, tare__chart_strategies, tare__chart_roofline, tare__chart_batch,
    tare__chart_share, tare__chart_ops;

/* A column of text in print: 84 mm. */
#define TARE__COLUMN_WIDTH (84 / 25.4 * 72)

/* ---- rows of bars, which several charts are --------------------------------------------------------------------*/
typedef struct {
    const char *name;        /* borrowed */
    char label[64];          /* behind it */
    double value, low, high; /* low, high NaN: no interval */
    tare__ink ink;
} tare__bar;
typedef struct {
    const char *title, *about, *axis; /* axis: what is across */
    bool from_zero;                   /* bars from 0; else dots, about `reference` */
    double reference;                 /* a line down; NaN: none */
    tare__label *label;
} tare__bars_style;
/* At most TARE__MOST_BARS of them; a last line says how many there are besides. */
enum { TARE__MOST_BARS = 60 };
void tare__bars_draw(tare__drawing *, double width, const tare__bars_style *, const tare__bar *, int n);

/* A new array of copies of the lines of a kind that are of arms which run the net. */
json_t *tare__arm_rows(const tare__source *);
/* The lines of a kind, as they are: a new array. */
json_t *tare__line_rows(const tare__source *, const char *kind);
/* Makes low..high wide enough for the values above zero of a field. */
void tare__rows_span(const json_t *rows, const char *field, double *low, double *high);

#endif
