/* flips.h - everything that can be flipped on a base arm, one at a time, and what cannot and why: read from the
 * ladder's table (rung.h), nothing is listed by hand. */
#ifndef TARE_BENCH_FLIPS_H
#define TARE_BENCH_FLIPS_H

#include "request.h"

typedef struct {
    int factor;
    int level;             /* the one that it is flipped to */
    char *name;            /* "storage=malloc" */
    const char *why;       /* it cannot be flipped: the reason; NULL: it can */
    tare__setting setting; /* flipped */
} tare__flip;

typedef struct {
    tare__flip *flip;
    int n;
    bool without_switches; /* all factors, and none that changes the work */
} tare__flips;

/* The flips of some factors: "all" that change no work, or names parted by commas, each alone (all its levels) or as
 * factor=level. A factor whose levels are numbers is flipped to the number of processors under "all", one whose levels
 * are bytes only where the level is given. An exit code; to be freed in any case. */
int tare__flips_read(const tare__line *, const tare__task *, const tare__setting *base, const char *factors,
                     tare__flips *);
void tare__flips_free(tare__flips *);

#endif
