/* pack_private.h - what the packers share: the problem in sections and units, the best packing so far, the effort left.
 *
 * A section is a set of blocks that live at one time and is contained in no other such set; they are ordered in time.
 * Two blocks meet in time exactly if they have a section in common, and a block's sections are consecutive, so sections
 * are all that a packer needs to know of time. Sizes and offsets are in units: the greatest common divisor of all. */
#ifndef TARE_PACK_PACK_PRIVATE_H
#define TARE_PACK_PACK_PRIVATE_H

#include "../core/program.h"
#include "pack.h"

typedef struct {
    int32_t first, last; /* sections [first, last) */
    int32_t begin, end;  /* numbers of its begin and its end among such events in time: at one time ends, then begins */
    int32_t interval;    /* whose block it is */
    int64_t size;
    int64_t fixed; /* its offset, -1: free */
    int64_t most;  /* the most that lives in one of its sections */
    double length; /* of its lifetime, as given */
} tare__block;

/* A block with what it is sorted by (order.c). */
typedef struct {
    double key[3];
    int32_t block;
} tare__keyed;

typedef struct {
    tare_arena arena; /* all of the below */
    tare_memory *memory;
    int32_t n, n_sections, n_fixed;
    tare__block *block;  /* those that take a place */
    int64_t unit;        /* bytes */
    int64_t bound, goal; /* heights in units; the bound rises where a search proves it, */
    bool goal_stays;     /* and the goal with it, unless one was asked for that is above */
    int64_t *live;       /* by section: sizes of its blocks */
    tare__keyed *keyed;  /* room for sorting */
    int64_t *best;       /* offsets by block of the best packing so far */
    int64_t best_height; /* INT64_MAX: there is none yet */
    int64_t nodes, most_nodes;
    bool (*stop)(void *owner);
    void *owner;
    bool stopped;
} tare__problem;

/* A way to go on with a problem: offers packings until the goal is reached or the effort spent. OK or NO_MEMORY. */
typedef tare_status tare__stage(tare__problem *);

tare__stage tare__none, tare__shared_object, tare__pool, tare__greedy, tare__local_search, tare__exact, tare__portfolio;

/* problem.c: makes the problem, runs the stage, hands the best offsets back. */
tare_status tare__pack_by(tare__stage *, tare_memory *, const tare_pack_options *, tare_interval *, int n,
                          tare_packing *out);
/* Keeps these offsets if none are lower. */
void tare__offer(tare__problem *, const int64_t *offset, int64_t height);
/* Whether there is nothing left to do: the goal is reached or the effort spent. */
bool tare__done(const tare__problem *);
/* Counts nodes; asks to stop now and then. */
void tare__count(tare__problem *, int64_t nodes);

/* order.c: the blocks in an order given by at most three letters; the first that differs decides, the greater first:
 * L length, W sections that it is in, A area (size x length), T the most that lives in a section of it, S size, D death
 * (the last first), B birth (the first first), < begin and > end as events (the first first), O offset in the best
 * packing so far (the lowest first). The keys of a block are multiplied by its weight; NULL: 1. */
tare_status tare__order_prepare(tare__problem *);
void tare__order(tare__problem *, const char *letters, const double *weight, int32_t *order);

/* A number in [0, n), the next of a sequence. */
static inline int32_t tare__below(uint64_t *state, int32_t n)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int32_t)((*state >> 33) * (uint64_t)n >> 31);
}

/* greedy.c: blocks placed one after the other at a gap between the placed ones that they meet. */
typedef struct tare__placer tare__placer;
tare__placer *tare__placer_new(tare__problem *); /* in the problem's arena; NULL: no memory */
/* Places all in this order, at the lowest or the tightest gap; the height. */
int64_t tare__place(tare__placer *, const int32_t *order, bool tightest, int64_t *offset);
/* skyline.c: blocks placed where the floor is lowest; none of them may be fixed. */
typedef struct tare__skyline tare__skyline;
tare__skyline *tare__skyline_new(tare__problem *); /* in the problem's arena; NULL: no memory */
/* Places all, the first in order first that fits where the floor is lowest; the height, INT64_MAX: it gave up. */
int64_t tare__skyline_fill(tare__skyline *, const int32_t *order, int64_t *offset);
/* The rules first..last - 1 of the list, as far as there are. */
tare_status tare__greedy_rules(tare__problem *, int first, int last);

/* exact.c: looks for a packing within `height` with at most so many nodes. */
typedef struct tare__search tare__search;
typedef enum { TARE__FOUND, TARE__PROVED_NONE, TARE__GAVE_UP, TARE__NO_MEMORY } tare__answer;
bool tare__search_fits(const tare__problem *);   /* whether its tables would be of a size that is worth it */
tare__search *tare__search_new(tare__problem *); /* NULL: no memory */
tare__answer tare__search_within(tare__search *, int64_t height, int64_t nodes);
void tare__search_free(tare__search *);

#endif
