/* greedy.c - one block after the other at a gap between the placed ones that it meets, or where the floor is lowest:
 * orders x places, the best kept.
 *
 * The rules that fill valleys (skyline.c) are first: a block in the section where most lives before others, then one in
 * many sections, or one of a large area. Of the nets' plans nearly all reach the lower bound with one of the two.
 * First fit and best fit by decreasing size or area are the usual heuristics of the field (Pisarchyk and Lee, Efficient
 * memory management for deep neural net inference, 2020, section 5: greedy by size, by breadth). Up to some thousands
 * of blocks the placed ones are a list by address that is walked through; beyond, an index finds gaps (taken.c). Both
 * find the same ones. */
#include <string.h>

#include "pack_private.h"

typedef struct {
    int64_t from, to;    /* addresses */
    int32_t first, last; /* sections */
} spot;

struct tare__placer {
    const tare__problem *problem;
    spot *spot; /* those placed, by address */
    int32_t n;
};

/* ---- placing ----------------------------------------------------------------------------------------------------*/

static int64_t gap_in_list(const tare__placer *g, const tare__block *b, bool tightest)
{
    int64_t end = 0, best = -1, best_room = INT64_MAX;
    for (int32_t i = 0; i < g->n; ++i) {
        const spot *s = &g->spot[i];
        if (s->first >= b->last || b->first >= s->last)
            continue;
        int64_t room = s->from - end;
        if (room >= b->size && room < best_room) {
            if (!tightest)
                return end;
            best = end;
            best_room = room;
        }
        end = s->to > end ? s->to : end;
    }
    return best >= 0 ? best : end;
}

static void add_to_list(tare__placer *g, const tare__block *b, int64_t from)
{
    int32_t low = 0, high = g->n;
    while (low < high) {
        int32_t middle = (low + high) / 2;
        if (g->spot[middle].from < from)
            low = middle + 1;
        else
            high = middle;
    }
    memmove(g->spot + low + 1, g->spot + low, (size_t)(g->n++ - low) * sizeof *g->spot);
    g->spot[low] = (spot){from, from + b->size, b->first, b->last};
}

tare__placer *tare__placer_new(tare__problem *p)
{
    tare__placer *g = tare_arena_take(&p->arena, sizeof *g);
    if (!g)
        return NULL;
    *g = (tare__placer){.problem = p, .spot = tare_arena_take(&p->arena, (size_t)p->n * sizeof *g->spot)};
    return g->spot ? g : NULL;
}

int64_t tare__place(tare__placer *g, const int32_t *order, bool tightest, int64_t *offset)
{
    const tare__problem *p = g->problem;
    int64_t height = 0;
    g->n = 0;
    for (int pass = p->n_fixed ? 0 : 1; pass < 2; ++pass) /* fixed ones first */
        for (int32_t i = 0; i < p->n; ++i) {
            const tare__block *b = &p->block[order[i]];
            if ((b->fixed >= 0) != (pass == 0))
                continue;
            int64_t at = b->fixed >= 0 ? b->fixed : gap_in_list(g, b, tightest);
            add_to_list(g, b, at);
            offset[order[i]] = at;
            height = at + b->size > height ? at + b->size : height;
        }
    return height;
}

/* ---- sweeping ---------------------------------------------------------------------------------------------------*/

typedef struct {
    int64_t from, to;
} gap;

/* Free addresses by address; the last reaches to the end of all. */
typedef struct {
    gap *gap;
    int32_t n;
} gaps;

static int64_t take_gap(gaps *g, int64_t size, bool tightest)
{
    int32_t best = g->n - 1;
    for (int32_t i = 0; i < g->n - 1; ++i) {
        int64_t room = g->gap[i].to - g->gap[i].from;
        if (room < size || (best < g->n - 1 && room >= g->gap[best].to - g->gap[best].from))
            continue;
        best = i;
        if (!tightest)
            break;
    }
    int64_t at = g->gap[best].from;
    g->gap[best].from += size;
    if (g->gap[best].from == g->gap[best].to)
        memmove(g->gap + best, g->gap + best + 1, (size_t)(--g->n - best) * sizeof *g->gap);
    return at;
}

static void give_gap(gaps *g, int64_t from, int64_t to)
{
    int32_t low = 0, high = g->n - 1; /* the first that begins at `to` or later: there is one, the last */
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (g->gap[middle].from < to)
            low = middle + 1;
        else
            high = middle;
    }
    bool below = low > 0 && g->gap[low - 1].to == from, above = g->gap[low].from == to;
    if (below && above) {
        g->gap[low - 1].to = g->gap[low].to;
        memmove(g->gap + low, g->gap + low + 1, (size_t)(--g->n - low) * sizeof *g->gap);
    } else if (below) {
        g->gap[low - 1].to = to;
    } else if (above) {
        g->gap[low].from = from;
    } else {
        memmove(g->gap + low + 1, g->gap + low, (size_t)(g->n++ - low) * sizeof *g->gap);
        g->gap[low] = (gap){from, to};
    }
}

/* Blocks by their begins and by their ends in time. */
typedef struct {
    int32_t *by_begin, *by_end;
} timeline;

/* Through time, or back through it, where an end is a birth and a begin a death. Above what is fixed. */
static int64_t sweep(const tare__problem *p, gaps *g, const timeline *t, bool back, bool tightest, int64_t *offset)
{
    int64_t height = 0;
    int32_t dead = 0, n = p->n;
    for (int32_t i = 0; i < n; ++i) {
        const tare__block *b = &p->block[i];
        height = b->fixed >= 0 && b->fixed + b->size > height ? b->fixed + b->size : height;
    }
    g->gap[0] = (gap){height, INT64_MAX};
    g->n = 1;
    for (int32_t k = 0; k < n; ++k) {
        int32_t i = back ? t->by_end[n - 1 - k] : t->by_begin[k];
        for (;; ++dead) { /* the block itself is not dead: it ends the loop at the latest */
            int32_t other = back ? t->by_begin[n - 1 - dead] : t->by_end[dead];
            const tare__block *d = &p->block[other];
            if (back ? d->begin < p->block[i].end : d->end > p->block[i].begin)
                break;
            if (d->fixed < 0)
                give_gap(g, offset[other], offset[other] + d->size);
        }
        offset[i] = p->block[i].fixed >= 0 ? p->block[i].fixed : take_gap(g, p->block[i].size, tightest);
        int64_t top = offset[i] + p->block[i].size;
        height = top > height ? top : height;
    }
    return height;
}

static tare_status sweeps(tare__problem *p, int32_t *order, int64_t *offset)
{
    timeline t = {order, tare_arena_take(&p->arena, (size_t)p->n * sizeof *t.by_end)};
    gaps g = {.gap = tare_arena_take(&p->arena, ((size_t)p->n + 2) * sizeof *g.gap)};
    if (!t.by_end || !g.gap)
        return TARE_NO_MEMORY;
    tare__order(p, "<", NULL, t.by_begin);
    tare__order(p, ">", NULL, t.by_end);
    for (int way = 0; way < 4 && p->best_height > p->goal && !p->stopped; ++way) {
        tare__offer(p, offset, sweep(p, &g, &t, way / 2 == 1, way % 2 == 1, offset));
        p->stopped |= p->stop && p->stop(p->owner);
    }
    return TARE_OK;
}

/* ---- the portfolio of orders ------------------------------------------------------------------------------------*/

/* Where each block goes: on the floor of a valley (skyline.c), into the lowest gap, into the tightest. */
typedef enum { VALLEY, LOWEST, TIGHTEST } placement;

static const struct {
    const char *letters;
    placement placement;
} rules[] = {{"TWS", VALLEY},   {"TAW", VALLEY},   {"SLB", LOWEST},   {"ASB", LOWEST},  {"SLB", TIGHTEST},
             {"ASB", TIGHTEST}, {"DSB", LOWEST},   {"LSB", LOWEST},   {"BSL", LOWEST},  {"TAS", LOWEST},
             {"DSB", TIGHTEST}, {"LSB", TIGHTEST}, {"BSL", TIGHTEST}, {"TAS", TIGHTEST}};

/* Sweeps for more than a few blocks; walks as long as they come to no more than so many steps. Fills valleys always,
 * where nothing is fixed. */
enum { FEW = 2048, MOST_STEPS = 1 << 27 };

tare_status tare__greedy_rules(tare__problem *p, int first, int last)
{
    int32_t *order = tare_arena_take(&p->arena, (size_t)p->n * sizeof *order);
    int64_t *offset = tare_arena_take(&p->arena, (size_t)p->n * sizeof *offset);
    tare__placer *g = tare__placer_new(p);
    tare__skyline *k = tare__skyline_new(p);
    if (!order || !offset || !g || !k)
        return TARE_NO_MEMORY;
    tare_status status = first == 0 && p->n > FEW ? sweeps(p, order, offset) : TARE_OK;
    int64_t steps = (int64_t)p->n * p->n / 2, most = MOST_STEPS;
    for (int r = first; r < last && r < (int)(sizeof rules / sizeof *rules) && status == TARE_OK; ++r) {
        placement where = rules[r].placement == VALLEY && p->n_fixed ? LOWEST : rules[r].placement;
        if (p->best_height <= p->goal || p->stopped || (where != VALLEY && (most -= steps) < 0))
            break;
        tare__order(p, rules[r].letters, NULL, order);
        tare__offer(p, offset,
                    where == VALLEY ? tare__skyline_fill(k, order, offset)
                                    : tare__place(g, order, where == TIGHTEST, offset));
        p->stopped |= p->stop && p->stop(p->owner);
    }
    return status;
}

tare_status tare__greedy(tare__problem *p)
{
    return tare__greedy_rules(p, 0, INT32_MAX);
}
