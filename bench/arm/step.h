/* step.h - one step of an arm as a list of events, each with the time and the bytes since the event before.
 *
 * A captured plan is run call by call, anything else with the runtime's trace. A time is that of the event and one
 * reading of the clock (probe_ns); what the recorder itself does lies between the events. */
#ifndef TARE_BENCH_STEP_H
#define TARE_BENCH_STEP_H

#include "arm.h"

typedef struct {
    tare_event event;
    const char *op, *variant, *path; /* borrowed from records and net; NULL: none */
    char shape[32];                  /* of the first result, or of the first operand where there is none */
    int64_t bytes;                   /* work storage taken (+) and given back (-) */
    int64_t ns;                      /* median over the steps recorded */
} tare__event;

typedef struct {
    tare__event *event;
    int n;
    int64_t probe_ns;   /* median of an event with nothing in it, in the same process and minute */
    int64_t plain_ns;   /* median of an untraced step */
    tare_counts counts; /* of an untraced step */
} tare__events;

/* From now on the arm's events are told; {0}: no more. */
void tare__arm_tell(tare__arm *, tare_trace);
/* One step of an arm whose events are told, a plan call by call. */
tare_status tare__arm_step_told(tare__arm *);
/* The shape of an event's node, of its first result or else its first operand; empty where there is none. */
void tare__node_shape(const tare_node *, char *text, size_t bytes);

/* Records a prepared arm, warm. */
tare_status tare__events_take(tare__arm *, tare__events *);
void tare__events_free(tare__events *);

#endif
