/* report.h - runs gathered from files, for the page, its charts and tables. */
#ifndef TARE_BENCH_REPORT_H
#define TARE_BENCH_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* A run: its lines by kind, in the order in which they stood in the file; raw blocks are left out. Borrowed. */
typedef struct {
    const char *run_id;
    json_t *kind; /* {kind: [lines]} */
} tare__run;

typedef struct {
    const tare__run *run;
    int n;
} tare__runs;

/* The lines of a kind, NULL: none. */
const json_t *tare__run_lines(const tare__run *, const char *kind);
/* Some line of it, for what all lines have. */
const json_t *tare__run_any(const tare__run *);

/* The value at "step_ns.ci95.0" of a record; NULL: there is none. As a number, NaN if it is none; as text, "". */
const json_t *tare__json_at(const json_t *record, const char *path);
double tare__number_at(const json_t *record, const char *path);
const char *tare__text_at(const json_t *record, const char *path);

/* Whether the line is of an arm that runs the net, none of the machine's rates. */
bool tare__is_arm(const json_t *record);
/* "lenet, batch 64, 1 thread": the caller's. */
char *tare__run_title(const tare__run *);
/* "storage=malloc, threads=2": what was flipped against the rung of a line, ""; the caller's. */
char *tare__flips_text(const json_t *record);
/* The first line of an arm of that name; NULL. */
const json_t *tare__run_arm(const tare__run *, const char *name);

#endif
