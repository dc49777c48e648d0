/* protocol.h - measures arms: starts the processes of a run one after the other and hands on what they say.
 *
 * First each arm is opened alone in a fresh process (set-up times, counts, digests); then as many processes as asked
 * for open all arms, warm them up and time them in shuffled, interleaved rounds (measure.h). Each is this command
 * again (process.h).
 *
 * The pieces of an instrument: this one gives lines, blocks.h gathers rounds, figures.h makes figures of them,
 * results.h records. Any command that times arms calls them in that order. */
#ifndef TARE_BENCH_PROTOCOL_H
#define TARE_BENCH_PROTOCOL_H

#include "process.h"
#include "wire.h"

typedef struct {
    const tare__line *line; /* for messages; common options are handed to the processes */
    const tare__task *task;
    const tare__specs *specs;
    int64_t processes, rounds; /* rounds in all processes together */
    double seconds;            /* of the whole run; 0: not limited, rounds say when to stop */
    int64_t order_seed;
    int rate_threads;
} tare__protocol;

/* A line is {"opened": arm, ...}, {"block": arm, ...} or {"done": rounds, ...}, the last with the bytes of padding. */

/* Opens one arm in a process of its own. An exit code; the failure is printed. */
int tare__protocol_open(const tare__protocol *, int arm, tare__take_line *, void *owner);
/* Times all arms in process `process` (0..), which begins spent seconds after the run. An exit code. */
int tare__protocol_time(const tare__protocol *, int process, double spent, tare__take_line *, void *owner);

/* From now on an interrupt (SIGINT, SIGTERM, a terminal that goes away) does not end this command: the process at work
 * is ended, tare__protocol_* answer TARE__FAILED, and tare__interrupted() says which signal it was; 0: none. Output to
 * a pipe that nobody reads is an error like others. */
void tare__interrupts_catch(void);

#endif
