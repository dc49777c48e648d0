/* mechanisms.h - the six mechanisms that the rung carrier switches, each between what the imperative mode does and what
 * a captured graph makes unnecessary; any set of them can be on. Their shares of the difference are Shapley's
 * (shapley.h). */
#ifndef TARE_BENCH_MECHANISMS_H
#define TARE_BENCH_MECHANISMS_H

#include "../../imperative/carrier.h"
#include "parts.h"
#include "rung.h"

/* Numbered so that the first four are what functional has and symbol not. */
enum { TARE__MECHANISMS = 6, TARE__MECHANISMS_INSIDE = 4 };

typedef struct {
    int factor, on, off; /* levels */
    tare__part part;     /* of a step that it is */
    int carried;         /* its bit of the carrier's combination */
} tare__mechanism;
extern const tare__mechanism tare__mechanisms[TARE__MECHANISMS];

/* Of a setting of the rung carrier, the combination that carries it (carrier.h). */
int tare__mechanisms_combination(const tare__setting *);
/* The carrier with the mechanisms of a set on, and what else is flipped in `like`. */
tare__setting tare__mechanisms_on(const tare__setting *like, unsigned set, bool with_update);

#endif
