/* bench_run.h - one run of `tare bench`: a cell of its grid, from its line to its tables. */
#ifndef TARE_BENCH_BENCH_RUN_H
#define TARE_BENCH_BENCH_RUN_H

#include "grid.h"
#include "protocol.h"
#include "results.h"

typedef struct {
    tare__line line; /* of the cell */
    int64_t cell;
    tare__task task;
    tare__specs specs; /* with the floor, and the floor once more, last */
    tare__facts facts;
    tare__protocol protocol;
    tare__results results;
    json_t *run;   /* the fields of every line */
    bool complete; /* its last line is in the journal */
} tare__bench_run;

/* From line and cell all else. An exit code; to be freed in any case. */
int tare__bench_run_read(tare__bench_run *);
void tare__bench_run_free(tare__bench_run *);
/* Takes a line over that an interrupted run wrote. */
void tare__bench_run_restore(tare__bench_run *, json_t *record);
/* Measures what is not there yet, writes the lines, prints the tables. An exit code: TARE__UNTRUSTED where the run is
 * not to be trusted. */
int tare__bench_run_measure(tare__bench_run *, tare__journal *);

#endif
