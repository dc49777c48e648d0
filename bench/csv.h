/* csv.h - records as tables: one tidy CSV file a kind, a line a record, a column a field. */
#ifndef TARE_BENCH_CSV_H
#define TARE_BENCH_CSV_H

#include <jansson.h>

#include "command.h"

/* A cell: RFC 4180, what holds a comma, a quote or a break is quoted, quotes are doubled. Of a value, all its digits;
 * null is empty. */
void tare__csv_text(FILE *, const char *text);
void tare__csv_value(FILE *, const json_t *value);

/* Writes FOLDER/KIND.csv for every kind in the files, the folder made if it is missing. Fields of fields are columns
 * "step_ns.min", entries of lists "ci95.0"; null is an empty cell; machine, build, libraries and the command are left
 * to the records, of which run_id names the run. An exit code, the failure printed. */
int tare__csv_write(const tare__line *, const char *const *path, int n_paths, bool partial, const char *folder);

#endif
