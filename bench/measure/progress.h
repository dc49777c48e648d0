/* progress.h - a run on a terminal while it goes: how far it is, how long it will take, how narrow its intervals are.
 */
#ifndef TARE_BENCH_PROGRESS_H
#define TARE_BENCH_PROGRESS_H

#include "protocol.h"
#include "results.h"

typedef struct {
    const tare__protocol *protocol;
    int64_t begin_ns, shown_ns;
    int rounds_before; /* measured by an earlier, interrupted run */
    bool on;           /* standard error is a terminal, and --quiet was not given */
} tare__progress;

void tare__progress_begin(tare__progress *, const tare__line *, const tare__protocol *);
/* After each line of a process; shows something ten times a second at most. */
void tare__progress_show(tare__progress *, tare__results *);
/* Clears the line. */
void tare__progress_end(tare__progress *);

#endif
