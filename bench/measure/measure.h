/* measure.h - one process of a run: `tare measure`, started by the protocol and told on its standard input what to do.
 *
 * Its lines go to standard output, a JSON object each. One that opens an arm says {"opened": arm, ...} and ends. One
 * that times opens all arms, warms them up (see warm.h), and says {"block": arm, "round": r, ...} for every block and
 * {"done": rounds, ...} at the end. Nothing is written while a block is timed.
 *
 * A block is the mean of as many steps as fill BLOCK_NS. A round is one block of every arm and of the machine's rates,
 * in an order of its own. A round is dropped, by a rule that stands before the first one, when the hypervisor stole
 * more than TARE__STEAL_SHARE of its time from the machine, or when the process was put aside (involuntary switches)
 * for more than TARE__ASIDE_SHARE of it.
 *
 * Of an arm with warm-up=off a block is the first TARE__COLD_STEPS steps of an arm opened anew, what is set up in them
 * included; with clock=cpu a block's ns are processor time. */
#ifndef TARE_BENCH_MEASURE_H
#define TARE_BENCH_MEASURE_H

#include "../arm/spans.h"
#include "../base/clock.h"
#include "blocks.h"
#include "rates.h"
#include "wire.h"

/* The subcommand that the protocol starts. An exit code. */
int tare__measure_run(const tare__line *);

enum { TARE__BLOCK_NS = 20000000, TARE__COLD_STEPS = 100 };
#define TARE__STEAL_SHARE 0.02
#define TARE__ASIDE_SHARE 0.01

/* Whether what lies between two moments, ns of the clock and cpu_ns of this thread apart, was disturbed by that rule.
 */
bool tare__disturbed(const tare__disturbance *before, const tare__disturbance *after, int64_t ns, int64_t cpu_ns);

/* All that one process times: arms numbered as in the schedule, then the rates. */
typedef struct {
    tare__wire wire;
    tare__arm *arm; /* [wire.specs.n] */
    struct tare__traced {
        tare__spans spans;
        int turn;
        double plain_ns;                      /* of its last block: an untraced step */
        tare__span_sums sums[TARE__PROBINGS]; /* of its last block, a step's */
    } * traced;                               /* [wire.specs.n] */
    tare__rates rates;
    int n;          /* arms and rates */
    int64_t *steps; /* [n]: a block's */
    int64_t begin_ns;
} tare__session;

const char *tare__session_name(const tare__session *, int i);
/* Runs a block until it is full: s->steps[i] at a time. A traced arm's holds four such: untraced,
 * and its events told once, twice and three times. */
tare_status tare__block_run(const tare__session *, int i, int64_t full_ns, tare__block *);
/* Seconds since the process began, that many ns from now. */
double tare__session_spent(const tare__session *, int64_t ns);
/* Writes the object as one line, and takes it over. */
void tare__measure_say(json_t *object);

/* Opens an arm in this fresh process: what happens once, what a step counts, what it computes. Says the line;
 * "disturbed" in it: others had the processor before the first step was done. */
tare_status tare__opening_run(const tare__task *, const tare__spec *, int arm);

#endif
