/* results.h - a run of the protocol: what its processes said, the figures made of it, and its lines and tables.
 *
 * Arms are numbered as in specs; the machine's rates come after them. */
#ifndef TARE_BENCH_RESULTS_H
#define TARE_BENCH_RESULTS_H

#include "../arm/facts.h"
#include "../arm/request.h"
#include "figures.h"
#include "rates.h"

typedef struct {
    const tare__specs *specs;
    const tare__task *task;
    const tare__facts *facts;
    json_t *run;       /* the fields of every line, borrowed */
    json_t **opening;  /* of each arm: its line `opening`; NULL: not opened yet */
    int n_done;        /* processes that finished */
    double done_ns;    /* their time */
    int n_unsteady;    /* of them: were not warm when they began to time */
    char unsteady[64]; /* an arm that was not */
    tare__reference reference;
    tare__blocks blocks;
    tare__summary summary;
} tare__results;

/* The arms' number `base` is the floor, `again` the same once more. All but results is borrowed. */
void tare__results_init(tare__results *, const tare__specs *, int base, int again, const tare__task *,
                        const tare__facts *, json_t *run);
void tare__results_fini(tare__results *);

/* A line of a process (protocol.h) as a record of kind opening, block or process; NULL: it is none of ours. */
json_t *tare__results_record(const tare__results *, json_t *line);
/* Takes such a record over into the results, whether it was just made or read from a part. */
void tare__results_take(tare__results *, json_t *record);
/* All figures of the rounds so far. */
void tare__results_summarise(tare__results *);

const char *tare__results_name(const tare__results *, int arm);

/* Lines: of an arm or a rate, of an arm against the base, of the whole run (its last). */
json_t *tare__arm_record(const tare__results *, int arm);
json_t *tare__contrast_record(const tare__results *, int arm);
/* What the step holds: 0 in the plan, 1 in the imperative mode (memory_report.h). */
json_t *tare__memory_record(const tare__results *, int side);
json_t *tare__verdict_record(const tare__results *);

/* A line of the run, of an arm, or of none (-1), without fields of its own. */
json_t *tare__results_line(const tare__results *, const char *kind, int arm);

/* Takes all fields of `derived` over, which is freed; reasons of both stay. */
void tare__merge(json_t *record, json_t *derived);

/* The tables on the terminal; what stands above them: the task, the rounds, and whether the run is trusted. */
void tare__results_print_heading(const tare__results *);
void tare__results_print(const tare__results *);

/* An integer of an arm's opening: "counts", "kernel_calls". */
int64_t tare__opened_count(const tare__results *, int arm, const char *group, const char *field);

#endif
