/* record.h - results as JSON, one object a line.
 *
 * Every line begins with the same fields (schema, kind, run_id, ...), kept here as one object. */
#ifndef TARE_BENCH_RECORD_H
#define TARE_BENCH_RECORD_H

#include <jansson.h>
#include <stdio.h>

#include "journal.h"

enum { TARE__SCHEMA = 1 };

/* What this machine, this build and its libraries are: new objects. */
json_t *tare__machine(void);
json_t *tare__build(void);
json_t *tare__libraries(void);

/* The fields that are the same in all lines of a run: run_id, net, batch, threads, device, seed, order_seed, command,
 * version, commit, machine, build, libraries. A new object. */
json_t *tare__run_record(const tare__line *, const char *net, int64_t batch, int threads, int64_t seed,
                         int64_t order_seed);

/* A new line: schema, kind, the run's fields, arm, mode and factors (NULL: null); threads are those of the factors, and
 * the libraries have that of the arm's kernel set too. */
json_t *tare__record(const char *kind, json_t *run, const char *arm, const char *mode, json_t *factors);

/* The record's value of a field and of a field of a field, 0 or NULL where there is none. */
int64_t tare__field(const json_t *record, const char *field);
const char *tare__field_text(const json_t *record, const char *field);

/* A number, null for NaN and infinities. */
json_t *tare__real(double x);
/* [low, high], null where one is NaN. */
json_t *tare__range(double low, double high);
/* record[field] = null, record["reasons"][field] = why. */
void tare__null(json_t *record, const char *field, const char *why);

/* Writes what was made in memory to a file that appears whole or not at all, and frees `text`. status: of making it; if
 * it failed, no file. An exit code, the failure printed. */
int tare__file_put(const tare__line *, const char *path, char *text, size_t bytes, tare_status status);

#endif
