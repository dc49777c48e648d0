/* blocks.h - what the processes of a run measured: rounds, each with one block of every arm.
 *
 * A block is the mean of `steps` steps that took `ns` together. Arms are numbered; a round counts when all of them have
 * their block in it, so one that was cut short is as if it had not begun. */
#ifndef TARE_BENCH_BLOCKS_H
#define TARE_BENCH_BLOCKS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "../arm/parts.h"

typedef struct {
    int64_t steps, ns, cpu_ns;
    tare__span_sums *span; /* [TARE__PROBINGS], a step's, where the arm is traced; NULL */
    double plain_ns;       /* there: an untraced step between them */
} tare__block;

typedef struct {
    int process, round; /* the round's number in its process */
    int n_blocks;
    bool dropped; /* disturbed, by the rule of measure.h */
} tare__round;

typedef struct {
    int n_arms, n_rounds, capacity;
    tare__block **block; /* [n_arms][n_rounds]; steps 0: none */
    tare__round *round;
} tare__blocks;

void tare__blocks_init(tare__blocks *, int n_arms);
void tare__blocks_fini(tare__blocks *);
/* Spans as fields of a line: "span_ns" a list for each probing, "probes" a list, "plain_ns". */
void tare__spans_put(json_t *line, const tare__span_sums *, double plain_ns);
/* Adds the block of an arm, given as a line {"process", "round", "steps", "ns", "cpu_ns", "dropped"}; a new process or
 * round number begins a round. False, and nothing added: no such arm, it has its block already, no steps, no time. */
bool tare__blocks_take(tare__blocks *, int arm, const json_t *line);
/* Takes out the rounds in which an arm has no block. */
void tare__blocks_trim(tare__blocks *);
/* Processes that have rounds: one more than the highest number. */
int tare__blocks_processes(const tare__blocks *);
/* ns a step. */
double tare__block_step(const tare__blocks *, int arm, int round);

#endif
