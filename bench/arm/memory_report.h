/* memory_report.h - what a step holds, in the plan and in the imperative mode, side by side: taken once, then printed,
 * drawn, and written as blocks (CSV) and as records. */
#ifndef TARE_BENCH_MEMORY_REPORT_H
#define TARE_BENCH_MEMORY_REPORT_H

#include "../base/record.h"
#include "intervals.h"
#include "occupancy.h"
#include "strategies.h"

typedef struct {
    tare__strategies bytes;
    tare__occupancy plan, imperative; /* read from records, either can be empty */
    char *title;                      /* net, batch, work, optimizer: owned */
    char *order;                      /* of the plan's calls: owned */
    int nodes, blocks;
} tare__memory;

/* Of a prepared arm whose plan is the whole step. */
tare_status tare__memory_take(const tare__arm *, tare__memory *);
void tare__memory_free(tare__memory *);

void tare__memory_print(const tare__memory *, FILE *);
/* The plan's blocks, with layer and uses as further columns. */
void tare__memory_intervals(const tare__memory *, tare__intervals *);

/* Two objects, the fields of lines of kind `memory` that are no run's: the plan's side, the imperative side. */
json_t *tare__memory_sides(const tare__memory *);
/* A file with these two lines: an exit code. */
int tare__memory_json(const tare__line *, const char *path, const tare__memory *, const tare__arm *);
/* Takes a line of kind `memory` over; false: it makes no sense. */
bool tare__memory_read(tare__memory *, const json_t *record);

#endif
