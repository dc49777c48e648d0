/* wire.h - what a measuring process is told: the task, the arms and its schedule, as one JSON object on its standard
 * input. Settings go as levels, flips and all, so that the process reads no command line of its own. */
#ifndef TARE_BENCH_WIRE_H
#define TARE_BENCH_WIRE_H

#include "../arm/request.h"

typedef struct {
    int open;       /* the arm to open alone in a fresh process; -1: time all of them */
    int process;    /* 0.. of those that time */
    int64_t rounds; /* to run */
    double seconds; /* begin no round after this time; 0: no limit */
    int64_t order_seed;
    int rate_threads; /* of sgemm and triad */
} tare__schedule;

typedef struct {
    tare__task task;
    tare__specs specs;
    tare__schedule schedule;
    json_t *object; /* the task's texts lie in it */
} tare__wire;

/* A new object. */
json_t *tare__wire_write(const tare__task *, const tare__specs *, const tare__schedule *);
/* Reads one; an exit code, the reason printed. */
int tare__wire_read(const tare__line *, FILE *, tare__wire *);
void tare__wire_free(tare__wire *);

#endif
