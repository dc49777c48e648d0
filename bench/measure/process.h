/* process.h - this command started once more, told what to do on its standard input, listened to line by line.
 *
 * Each process runs under an environment padded at random: where the stack begins moves with it, and with it a share of
 * luck that would otherwise be the same in all (T. Mytkowicz et al., "Producing wrong data without doing anything
 * obviously wrong!", ASPLOS 2009). It ends with its parent. */
#ifndef TARE_BENCH_PROCESS_H
#define TARE_BENCH_PROCESS_H

#include <jansson.h>

#include "../base/command.h"
#include "../base/interrupt.h"

/* What takes a line over, borrowed. */
typedef void tare__take_line(void *owner, json_t *line);

/* By how many bytes the environment of a process is padded. */
int tare__process_padding(int64_t order_seed, int process);
/* Seconds for the next process of a run that has `seconds` in all, of which so many are spent, and so many processes to
 * come, this one included: an equal share of what is left, never nothing. Rounds of each where there are so many. */
double tare__process_seconds(double seconds, double spent, int64_t to_come);
static inline int64_t tare__process_rounds(int64_t rounds, int64_t processes)
{
    return (rounds + processes - 1) / processes;
}
/* Runs it to its end. argv: ended by NULL; request: one object, taken over, that it finds on its standard input. A line
 * with "done" gets the bytes of padding. An exit code, the failure printed; after an interrupt (interrupt.h) the
 * process is ended, and that is TARE__FAILED without a word. */
int tare__process_run(const tare__line *, char **argv, json_t *request, int padding_bytes, tare__take_line *,
                      void *owner);

#endif
