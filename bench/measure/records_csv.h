/* records_csv.h - records as tables: one tidy CSV file a kind, a line a record, a column a field. */
#ifndef TARE_BENCH_RECORDS_CSV_H
#define TARE_BENCH_RECORDS_CSV_H

#include "../base/command.h"

/* Writes FOLDER/KIND.csv for every kind in the files, the folder made if it is missing. Fields of fields are columns
 * "step_ns.min", entries of lists "ci95.0"; null is an empty cell; machine, build, libraries and the command are left
 * to the records, of which run_id names the run. An exit code, the failure printed. */
int tare__csv_write(const tare__line *, const char *const *path, int n_paths, bool partial, const char *folder);

#endif
