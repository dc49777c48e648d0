/* search_private.h - the state of a search: a skyline, what is not placed yet, and how to take a step back.
 *
 * Blocks are placed upwards. The *floor* of a section is the height below which nothing more goes; the *low* of a block
 * that is not placed is the lowest offset that it can still have: no floor of its sections is above it. Both only rise
 * on the way down the tree, and every rise is written to a trail, so that a step back undoes exactly it.
 * search.c keeps this state true; exact.c walks the tree. */
#ifndef TARE_PACK_SEARCH_PRIVATE_H
#define TARE_PACK_SEARCH_PRIVATE_H

#include "pack_private.h"

typedef struct {
    int64_t *at, before;
} tare__change;

/* A node of the tree that is being worked on (exact.c). */
typedef struct {
    int32_t first, last; /* sections [first, last) */
    bool splits;   /* its parts are solved one by one; else a connected part: one block after the other is tried */
    bool harmless; /* the block being tried is in nobody's way */
    int32_t block; /* being tried */
    int32_t n_placed, n_placed_tried;
    int64_t n_trail, n_trail_tried, level;
} tare__frame;

struct tare__search {
    tare__problem *problem;
    int32_t n, n_sections;
    int64_t height; /* that everything must stay within */
    /* by section */
    int64_t *floor, *left; /* left: the sizes of what is not placed */
    int32_t *in_from, *in; /* its blocks: in[in_from[s]...], those not placed first */
    int32_t *n_in;         /* how many are not placed */
    int32_t *crossing;     /* how many not placed live in s - 1 and s */
    double *conflicts;     /* that came up here so far */
    int32_t *dirty;        /* sections to look at again */
    bool *is_dirty;
    int32_t n_dirty;
    int32_t last_conflict; /* a section */
    /* by block */
    int64_t *low, *offset;
    bool *placed;
    int32_t *meets_from, *meets; /* the others that it meets */
    int32_t *at_from, *at;       /* at[at_from[b] + s - first]: its position in `in` of its section s */
    int32_t *order, *rank;
    int32_t *next, *previous; /* those not placed, in order; the list's head is block n */
    int32_t *fixed;
    int32_t n_fixed;
    /* the way back */
    tare__change *trail;
    int64_t n_trail, capacity_trail;
    int32_t *stack; /* the placed ones */
    int32_t n_placed;
    tare__frame *frame;
    /* over all tries */
    double *weight;
    int64_t round;
    uint64_t random;
};

/* search.c: room on the trail for whatever one step may write; false: no memory. */
bool tare__search_room(tare__search *);
/* Nothing placed, floors at 0, the list in order, whatever the state was; false: the fixed ones leave no room. */
bool tare__search_start(tare__search *);
/* Puts a block at its low. false: a conflict, and the state is true again only after a step back. */
bool tare__search_place(tare__search *, int32_t block);
/* A block is not at its low after all, but on something that is not placed yet; so are its twins. false as above. */
bool tare__search_postpone(tare__search *, int32_t block);
/* Back to where the trail and the stack were so long. */
void tare__search_back(tare__search *, int64_t n_trail, int32_t n_placed);

#endif
