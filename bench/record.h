/* record.h - results as JSON, one object a line; the journal they are written to.
 *
 * Every line begins with the same fields (schema, kind, run_id, ...), kept here as one object. The journal writes
 * FILE.part line by line and gives it its name when all is there, so that an interrupted run keeps what it measured
 * and a reader never meets half a file. */
#ifndef TARE_BENCH_RECORD_H
#define TARE_BENCH_RECORD_H

#include <jansson.h>
#include <stdio.h>

#include "command.h"

enum { TARE__SCHEMA = 1 };

/* What this machine, this build and its libraries are: new objects. */
json_t *tare__machine(void);
json_t *tare__build(void);
json_t *tare__libraries(void);

/* The fields that are the same in all lines of a run: run_id, net, batch, threads, device, seed, order_seed, command,
 * version, commit, machine, build, libraries. A new object. */
json_t *tare__run_record(const tare__line *, const char *net, int64_t batch, int threads, int64_t seed,
                         int64_t order_seed);

/* A new line: schema, kind, the run's fields, arm, mode and factors (NULL: null); threads are those of the factors. */
json_t *tare__record(const char *kind, json_t *run, const char *arm, const char *mode, json_t *factors);

/* A number, null for NaN and infinities. */
json_t *tare__real(double x);
/* [low, high], null where one is NaN. */
json_t *tare__range(double low, double high);
/* record[field] = null, record["reasons"][field] = why. */
void tare__null(json_t *record, const char *field, const char *why);

typedef struct {
    FILE *file;
    char *path, *part; /* part NULL: path is no regular file and written as it is */
    int reason;        /* errno of the first failure */
    const tare__line *line;
} tare__journal;

/* Opens FILE.part; an exit code, 0 for good. path NULL: a journal that keeps nothing. */
int tare__journal_open(tare__journal *, const tare__line *, const char *path);
/* The same, but lines that an interrupted run left in FILE.part, or a finished one in FILE, stay before those that are
 * written now; half a line at their end does not. */
int tare__journal_reopen(tare__journal *, const tare__line *, const char *path);
/* Writes the record as one line and takes it over. */
void tare__journal_put(tare__journal *, json_t *record);
/* Gives up and leaves FILE.part as it is; fine on a closed journal. */
void tare__journal_leave(tare__journal *);
/* Stores and renames; an exit code. */
int tare__journal_close(tare__journal *);

/* Writes what was made in memory to a file that appears whole or not at all, and frees `text`. status: of making it; if
 * it failed, no file. An exit code, the failure printed. */
int tare__file_put(const tare__line *, const char *path, char *text, size_t bytes, tare_status status);

#endif
