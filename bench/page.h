/* page.h - one self-contained HTML page of a run's records: tables, bars, definitions. Nothing is fetched by it. */
#ifndef TARE_BENCH_PAGE_H
#define TARE_BENCH_PAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* A run: its lines by kind, in the order in which they stood in the file. Borrowed. */
typedef struct {
    const char *run_id;
    json_t *arms, *agrees, *epochs; /* arrays */
} tare__run;

/* by_machine: with a heading where a run's machine is another one than that of the run before. */
void tare__page_write(FILE *, const tare__run *, int n_runs, bool by_machine);

/* Text with what HTML would take for itself replaced. */
void tare__page_text(FILE *, const char *text);

/* A bar with its 95 % interval, as inline SVG in percent of `full`; low and high NaN: no interval. */
void tare__page_bar(FILE *, const char *name, const char *label, double value, double low, double high, double full,
                    int is_base);

#endif
