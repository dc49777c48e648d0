/* training_progress.h - how far a training is, while it runs: on a terminal one line that is written again and again,
 * elsewhere a plain line now and then; with --quiet nothing. All of it on stderr. */
#ifndef TARE_BENCH_TRAINING_PROGRESS_H
#define TARE_BENCH_TRAINING_PROGRESS_H

#include "training.h"

typedef struct {
    bool on, terminal;
    int64_t begin_ns, shown_ns;
    int64_t steps_before; /* done when it began */
} tare__training_progress;

void tare__training_progress_begin(tare__training_progress *, const tare__line *, const tare__training *);
/* After a step. */
void tare__training_progress_step(tare__training_progress *, const tare__training *);
/* Makes room for another line. */
void tare__training_progress_clear(const tare__training_progress *);

#endif
