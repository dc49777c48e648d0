/* effect.h - what one flip of a base arm does: time with its interval, counts, bytes, and whether results stayed the
 * same bit for bit. Made of a run's results, for the table and the lines of `tare ablate`. */
#ifndef TARE_BENCH_EFFECT_H
#define TARE_BENCH_EFFECT_H

#include "results.h"

typedef struct {
    tare__interval ns;   /* flipped less base, a step, round by round */
    tare__interval logs; /* of their ratio */
    double p, p_holm;    /* of "no difference"; adjusted for all flips of the run */
    bool same_bits, same_calls;
} tare__effect;

/* The effects of n arms against `base`, all of the run; arm[i] < 0: none, its effect is NaN. */
void tare__effects_take(const tare__results *, int base, const int *arm, int n, tare__effect *);
/* Differences of the counts of a step as "tape_nodes -41, patches +1"; "-" where there is none. */
void tare__counts_difference(const tare__results *, int base, int arm, char *text, size_t bytes);

#endif
