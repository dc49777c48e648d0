/* local_search.c - from the best packing so far: what stands highest is taken earlier, and all is placed anew.
 *
 * The state is an order; its packing is what placing in that order at the lowest gap gives. Any packing gives an order
 * that is as good: that of its offsets, since nothing is placed higher by it than it was. A step moves one of the
 * blocks that reach the height to an earlier position at random, and is kept unless the height grows: so plateaus are
 * crossed. */
#include <string.h>

#include "pack_private.h"

typedef struct {
    int32_t *order, *trial;
    int64_t *offset, *trial_offset;
    int64_t height;
    uint64_t random;
} walk;

/* A position whose block reaches the height, the search for it beginning at random. */
static int32_t highest(const tare__problem *p, walk *w)
{
    int32_t at = tare__below(&w->random, p->n);
    while (w->offset[w->order[at]] + p->block[w->order[at]].size != w->height)
        at = at + 1 < p->n ? at + 1 : 0;
    return at;
}

static void step(tare__problem *p, walk *w, tare__placer *placer)
{
    int32_t from = highest(p, w), to = tare__below(&w->random, from + 1);
    memcpy(w->trial, w->order, (size_t)p->n * sizeof *w->order);
    memmove(w->trial + to + 1, w->trial + to, (size_t)(from - to) * sizeof *w->trial);
    w->trial[to] = w->order[from];
    int64_t height = tare__place(placer, w->trial, false, w->trial_offset);
    tare__count(p, p->n);
    if (height > w->height)
        return;
    int32_t *order = w->order;
    int64_t *offset = w->offset;
    w->order = w->trial;
    w->trial = order;
    w->offset = w->trial_offset;
    w->trial_offset = offset;
    w->height = height;
    tare__offer(p, w->offset, height);
}

static tare_status walk_on(tare__problem *p)
{
    size_t orders = (size_t)p->n * sizeof(int32_t), offsets = (size_t)p->n * sizeof(int64_t);
    walk w = {.order = tare_arena_take(&p->arena, orders),
              .trial = tare_arena_take(&p->arena, orders),
              .offset = tare_arena_take(&p->arena, offsets),
              .trial_offset = tare_arena_take(&p->arena, offsets),
              .random = (uint64_t)p->nodes};
    tare__placer *placer = tare__placer_new(p);
    if (!w.order || !w.trial || !w.offset || !w.trial_offset || !placer)
        return TARE_NO_MEMORY;
    tare__order(p, "O", NULL, w.order);
    w.height = tare__place(placer, w.order, false, w.offset);
    tare__offer(p, w.offset, w.height);
    while (!tare__done(p))
        step(p, &w, placer);
    return TARE_OK;
}

tare_status tare__local_search(tare__problem *p)
{
    enum { MOST_BLOCKS = 16384 }; /* a step is of n^2 / 2 comparisons */
    tare_status status = tare__greedy(p);
    return status != TARE_OK || tare__done(p) || p->n > MOST_BLOCKS ? status : walk_on(p);
}
