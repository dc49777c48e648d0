/* bench_run.h - one run of `tare bench`: a cell of its grid, from its line to its tables. */
#ifndef TARE_BENCH_BENCH_RUN_H
#define TARE_BENCH_BENCH_RUN_H

#include "../base/grid.h"
#include "protocol.h"
#include "results.h"

typedef struct tare__bench_run tare__bench_run;

/* What a command makes of a run beside what every run is. */
typedef struct {
    double seconds;         /* a run's, where neither --time nor --rounds is given; 0: rounds say when to stop */
    double process_seconds; /* at least, of each process, where a time is given */
    /* The arms, into run->specs; the floor and the floor once more are added. An exit code. */
    int (*read)(tare__bench_run *);
    void (*free)(tare__bench_run *); /* of run->own, where `read` made it; NULL: there is nothing */
    /* Its own lines, before the run's last one; NULL: none. */
    void (*write)(tare__bench_run *, tare__journal *);
    /* Its tables; what is said below them of arms that differ is said by the caller. An exit code. */
    int (*print)(tare__bench_run *);
    /* What the rounds so far say, as a line of at most `bytes`, shown again and again; false: nothing yet. NULL: the
     * command shows nothing early. */
    bool (*say)(tare__bench_run *, char *text, size_t bytes);
} tare__bench_kind;
/* Of tare bench itself. */
extern const tare__bench_kind tare__bench_plain;

struct tare__bench_run {
    tare__line line; /* of the cell */
    const tare__bench_kind *kind;
    void *own; /* the kind's */
    int64_t cell;
    tare__task task;
    tare__specs specs; /* with the floor, and the floor once more, last */
    tare__facts facts;
    tare__protocol protocol;
    tare__results results;
    json_t *run;   /* the fields of every line */
    bool complete; /* its last line is in the journal */
};

/* From line, kind and cell all else. An exit code; to be freed in any case. */
int tare__bench_run_read(tare__bench_run *);
void tare__bench_run_free(tare__bench_run *);
/* Takes a line over that an interrupted run wrote. */
void tare__bench_run_restore(tare__bench_run *, json_t *record);
/* Measures what is not there yet, writes the lines, prints the tables. An exit code: TARE__UNTRUSTED where the run is
 * not to be trusted. */
int tare__bench_run_measure(tare__bench_run *, tare__journal *);
/* Measures all cells of the grid that the line makes, each a run of that kind. An exit code. */
int tare__bench_grid(const tare__line *, const tare__bench_kind *);

#endif
