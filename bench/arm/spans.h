/* spans.h - a step's time by time-stamps: at each event of the runtime's trace the time since the event before is added
 * to the part that the event ends.
 *
 * A probe (one event told) takes time of its own. It is not guessed from the untraced step: the same steps are run with
 * each event told once, twice and three times, and decompose.h takes from the differences what one probe costs. The
 * events come from instances of the dispatch body of their own, so that untraced code does not change. */
#ifndef TARE_BENCH_SPANS_H
#define TARE_BENCH_SPANS_H

#include "arm.h"
#include "parts.h"

typedef enum { TARE__ZONE_FORWARD, TARE__ZONE_BACKWARD, TARE__ZONE_UPDATE } tare__zone;

typedef struct {
    tare__arm *arm;
    int64_t (*ticks)(void); /* a clock that costs little, of any unit */
    tare_status (*backward)(tare_mode *, tare_value *const *, tare_value *const *, int, bool);
    tare__zone zone;
    bool queued;
    int64_t last, sum[TARE__PART_COUNT], probes[TARE__PART_COUNT];
} tare__spans;

/* Of a prepared arm, both borrowed. ticks NULL: the processor's own counter. */
void tare__spans_init(tare__spans *, tare__arm *, int64_t (*ticks)(void));
/* The part that an event ends. */
tare__part tare__part_of(tare__zone, tare_event);
/* Runs steps, each event told `probing` times (1..); adds up to sums, in ns. The arm is untraced before and after. */
tare_status tare__spans_run(tare__spans *, int probing, int64_t steps, tare__span_sums *);
/* All of it by a factor. */
void tare__spans_scale(tare__span_sums *, double factor);

#endif
