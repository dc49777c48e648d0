/* ladder.h - which rungs lie next to each other, and what part of a step goes from one to the next: the second method
 * of a decomposition. The differences down from an arm to the rung kernels add up to all that is not kernels. */
#ifndef TARE_BENCH_LADDER_H
#define TARE_BENCH_LADDER_H

#include "parts.h"
#include "rung.h"

enum { TARE__LADDER_MOST = 8 };

typedef struct {
    const tare__rung *to;
    tare__part part; /* what goes; TARE__PART_UNATTRIBUTED: several at once */
} tare__ladder_step;

/* The way down from a rung to the rung kernels. with_update: an optimizer is asked for. The number of steps; 0: the
 * rung is the floor, or stands on no ladder. */
int tare__ladder_down(const tare__rung *, bool with_update, tare__ladder_step[TARE__LADDER_MOST]);
/* A setting on another rung: each level that was flipped away from its rung's own and means something there too. */
tare__setting tare__setting_on(const tare__setting *, const tare__rung *, bool with_update);

#endif
