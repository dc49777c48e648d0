/* timeline.h - steps of an arm as spans on their threads, for `tare trace`.
 *
 * The same events as those of `tare step` (step.h), each with its own begin and end, and besides each piece of each
 * kernel call of several with the thread that took it; where calls are queued, of every call, for the host's own event
 * is no more than handing it over. What the recorder itself does lies between the spans. While an arm is
 * recorded all its kernels run through its device, which says of each piece who ran it; no bit depends on that. */
#ifndef TARE_BENCH_TIMELINE_H
#define TARE_BENCH_TIMELINE_H

#include "arm.h"

/* Of a step. X(NAME, text) */
#define TARE__PHASES(X) X(FORWARD, "forward") X(BACKWARD, "backward") X(UPDATE, "update") X(REST, "rest")
typedef enum {
#define TARE__PHASE_ENUM(name, text) TARE__PHASE_##name,
    TARE__PHASES(TARE__PHASE_ENUM)
#undef TARE__PHASE_ENUM
} tare__phase;

typedef struct {
    tare_event event;
    tare__phase phase;
    int step;
    const char *op, *variant, *path; /* borrowed from records and net; NULL: none */
    char shape[32];
    int64_t begin_ns, end_ns;
    int64_t bytes_live; /* work storage at its end */
} tare__span;

typedef struct {
    int span; /* the kernel call that it belongs to */
    int piece, n_pieces;
    int thread; /* 0: the one that calls */
    int64_t begin_ns, end_ns;
} tare__piece;

typedef struct {
    tare__span *span;
    tare__piece *piece; /* of calls of more than one, and of all that are queued */
    int n_spans, n_pieces, n_threads, n_steps;
    int64_t *begin_ns, *end_ns;    /* [n_steps] */
    int64_t origin_ns, bytes_live; /* before the first step; times count from there */
} tare__timeline;

/* Records `steps` steps of a prepared arm, after some that warm it up. On failure nothing is left to free. */
tare_status tare__timeline_take(tare__arm *, int steps, tare__timeline *out);
void tare__timeline_free(tare__timeline *);

#endif
