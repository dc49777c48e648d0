/* skyline.c - a greedy rule: the bottom of a valley is filled first, and rises to its lower side where nothing fits.
 *
 * The skyline is the floor of each section, as segments of one level side by side. On a segment that is lower than both
 * of its neighbours stands the first block in order that lives within it; where there is none, what lies below the
 * lower neighbour is lost. That is best fit of Burke, Kendall and Whitwell (A new placement heuristic for the
 * orthogonal stock-cutting problem, Operations Research 52, 2004), with the place across given, as for the lifetimes of
 * tensors in Sekiyama, Imai, Negishi, Kawachiya (Profile-guided memory optimization for deep neural networks, 2018).
 * What happens in one valley touches no other until it has risen to the side between them, so it does not matter which
 * is next.
 *
 * It looks at no block that is fixed: problems with such are not for it. Steps are counted, over all fills, so that a
 * problem whose valleys are wide and whose blocks hardly fit does not take for ever: then it gives up. */
#include <string.h>

#include "pack_private.h"

/* Segments are known by their first section; what is said of other sections means nothing. */
struct tare__skyline {
    const tare__problem *problem;
    int32_t *to, *before; /* the section after the last; the segment before, -1: none */
    int64_t *level;
    int32_t *head, *next; /* section -> its first block not placed that begins there, and on, in order; -1: none */
    int32_t *rank;        /* block -> its place in the order */
    int64_t steps;        /* sections and blocks looked at so far, in all fills */
};

enum { MOST_STEPS = 1 << 29 };

tare__skyline *tare__skyline_new(tare__problem *p)
{
    size_t sections = (size_t)p->n_sections, n = (size_t)p->n;
    tare__skyline *k = tare_arena_take(&p->arena, sizeof *k);
    int32_t *room = tare_arena_take(&p->arena, (3 * sections + 2 * n) * sizeof *room);
    int64_t *level = tare_arena_take(&p->arena, sections * sizeof *level);
    if (!k || !room || !level)
        return NULL;
    *k = (tare__skyline){.problem = p,
                         .to = room,
                         .before = room + sections,
                         .level = level,
                         .head = room + 2 * sections,
                         .next = room + 3 * sections,
                         .rank = room + 3 * sections + n};
    return k;
}

static void list_blocks(tare__skyline *k, const int32_t *order)
{
    const tare__problem *p = k->problem;
    memset(k->head, -1, (size_t)p->n_sections * sizeof *k->head);
    for (int32_t i = p->n - 1; i >= 0; --i) {
        int32_t b = order[i], *head = &k->head[p->block[b].first];
        k->rank[b] = i;
        k->next[b] = *head;
        *head = b;
    }
}

/* Takes the first in order that lives within the segment off its list; -1: there is none. */
static int32_t take_block(tare__skyline *k, int32_t from, int32_t to)
{
    const tare__block *block = k->problem->block;
    int32_t *found = NULL, rank = INT32_MAX;
    k->steps += to - from;
    for (int32_t s = from; s < to; ++s)
        for (int32_t *at = &k->head[s]; *at >= 0 && k->rank[*at] < rank; at = &k->next[*at], ++k->steps)
            if (block[*at].last <= to) {
                found = at;
                rank = k->rank[*at];
                break;
            }
    if (!found)
        return -1;
    int32_t b = *found;
    *found = k->next[b];
    return b;
}

static void add_segment(tare__skyline *k, int32_t from, int32_t to, int64_t level, int32_t before)
{
    k->to[from] = to;
    k->level[from] = level;
    k->before[from] = before;
    if (to < k->problem->n_sections)
        k->before[to] = from;
}

/* A segment joins its neighbours where they are level; the one that it is part of then. */
static int32_t join(tare__skyline *k, int32_t at)
{
    int32_t before = k->before[at], after = k->to[at];
    if (after < k->problem->n_sections && k->level[after] == k->level[at])
        add_segment(k, at, k->to[after], k->level[at], before);
    if (before >= 0 && k->level[before] == k->level[at]) {
        add_segment(k, before, k->to[at], k->level[at], k->before[before]);
        at = before;
    }
    return at;
}

/* Downhill to the bottom of a valley. */
static int32_t descend(const tare__skyline *k, int32_t at)
{
    for (;;) {
        int32_t before = k->before[at], after = k->to[at];
        if (before >= 0 && k->level[before] < k->level[at])
            at = before;
        else if (after < k->problem->n_sections && k->level[after] < k->level[at])
            at = after;
        else
            return at;
    }
}

/* The block stands on the segment, of which up to two parts are left; one of the three. */
static int32_t stand(tare__skyline *k, int32_t at, const tare__block *b)
{
    int32_t to = k->to[at], before = k->before[at];
    int64_t level = k->level[at];
    if (at < b->first) {
        add_segment(k, at, b->first, level, before);
        before = at;
    }
    if (b->last < to)
        add_segment(k, b->last, to, level, b->first);
    add_segment(k, b->first, b->last, level + b->size, before);
    return join(k, b->first);
}

/* The bottom of a valley up to its lower side. */
static int32_t rise(tare__skyline *k, int32_t at)
{
    int32_t before = k->before[at], after = k->to[at];
    int64_t level = before >= 0 ? k->level[before] : INT64_MAX;
    if (after < k->problem->n_sections && k->level[after] < level)
        level = k->level[after];
    k->level[at] = level;
    return join(k, at);
}

int64_t tare__skyline_fill(tare__skyline *k, const int32_t *order, int64_t *offset)
{
    const tare__problem *p = k->problem;
    int64_t height = 0;
    int32_t at = 0;
    list_blocks(k, order);
    add_segment(k, 0, p->n_sections, 0, -1);
    for (int32_t placed = 0; placed < p->n;) {
        if (k->steps > MOST_STEPS)
            return INT64_MAX;
        at = descend(k, at);
        int32_t b = take_block(k, at, k->to[at]);
        if (b < 0) {
            at = rise(k, at);
            continue;
        }
        offset[b] = k->level[at];
        int64_t top = offset[b] + p->block[b].size;
        height = top > height ? top : height;
        at = stand(k, at, &p->block[b]);
        ++placed;
    }
    return height;
}
