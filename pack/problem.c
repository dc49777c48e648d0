/* problem.c - from intervals to a problem in sections and units, and back to offsets.
 *
 * One sweep over the ends of the lifetimes gives both the sections and the lower bound: a section closes at the first
 * end after a begin. The ends are sorted digit by digit, which for the call numbers of a plan is one or two passes. */
#include <string.h>

#include "pack_private.h"

/* ---- the sweep ------------------------------------------------------------------------------------------------*/

typedef struct {
    uint64_t time; /* since the earliest */
    int32_t interval;
    bool begins;
} edge;

static bool takes_place(const tare_interval *v)
{
    return v->bytes > 0 && v->lower < v->upper;
}

static int64_t rounded(int64_t bytes, int64_t alignment)
{
    return (bytes + alignment - 1) / alignment * alignment;
}

/* By time, ends before begins: the ends are listed first, and a pass keeps the order of equals. */
static edge *sorted(edge *from, edge *to, size_t n, uint64_t latest)
{
    for (int shift = 0; shift < 64 && latest >> shift; shift += 8) {
        size_t at[257] = {0};
        for (size_t i = 0; i < n; ++i)
            ++at[(from[i].time >> shift & 255) + 1];
        for (int d = 0; d < 256; ++d)
            at[d + 1] += at[d];
        for (size_t i = 0; i < n; ++i)
            to[at[from[i].time >> shift & 255]++] = from[i];
        edge *other = from;
        from = to;
        to = other;
    }
    return from;
}

/* The edges of those that take a place, in order; *n how many; `room` has 4 n of them. */
static edge *list_edges(const tare_interval *v, int n, edge *room, size_t *n_edges)
{
    int64_t earliest = INT64_MAX, latest = INT64_MIN;
    size_t count = 0;
    for (int i = 0; i < n; ++i) {
        if (!takes_place(&v[i]))
            continue;
        earliest = v[i].lower < earliest ? v[i].lower : earliest;
        latest = v[i].upper > latest ? v[i].upper : latest;
        room[count++] = (edge){(uint64_t)v[i].upper, i, false};
    }
    size_t ends = count;
    for (size_t i = 0; i < ends; ++i)
        room[count++] = (edge){(uint64_t)v[room[i].interval].lower, room[i].interval, true};
    for (size_t i = 0; i < count; ++i)
        room[i].time -= (uint64_t)earliest;
    *n_edges = count;
    return sorted(room, room + count, count, count ? (uint64_t)latest - (uint64_t)earliest : 0);
}

int64_t tare_pack_lower_bound(tare_memory *memory, const tare_interval *v, int n, int64_t alignment)
{
    size_t bytes = 4 * (size_t)n * sizeof(edge), n_edges;
    edge *room = tare_memory_take(memory, TARE_MEMORY_RECORD, bytes);
    if (!room)
        return -1;
    const edge *e = list_edges(v, n, room, &n_edges);
    int64_t live = 0, bound = 0;
    for (size_t i = 0; i < n_edges; ++i) {
        const tare_interval *b = &v[e[i].interval];
        int64_t size = rounded(b->bytes, alignment);
        live += e[i].begins ? size : -size;
        bound = live > bound ? live : bound;
        if (b->fixed && b->offset + size > bound)
            bound = b->offset + size;
    }
    tare_memory_give(memory, TARE_MEMORY_RECORD, room, bytes);
    return bound;
}

/* ---- the problem ----------------------------------------------------------------------------------------------*/

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static void list_blocks(tare__problem *p, const tare_interval *v, int n, int64_t alignment, int32_t *block_of)
{
    p->unit = 0;
    for (int i = 0; i < n; ++i) {
        if (!takes_place(&v[i]))
            continue;
        int64_t size = rounded(v[i].bytes, alignment);
        p->unit = common_divisor(p->unit, size);
        p->n_fixed += v[i].fixed;
        if (v[i].fixed)
            p->unit = common_divisor(p->unit, v[i].offset);
        block_of[i] = p->n;
        p->block[p->n++] = (tare__block){.interval = i,
                                         .size = size,
                                         .fixed = v[i].fixed ? v[i].offset : -1,
                                         .length = (double)v[i].upper - (double)v[i].lower};
    }
    p->unit = p->unit ? p->unit : 1;
    for (int32_t b = 0; b < p->n; ++b) {
        p->block[b].size /= p->unit;
        if (p->block[b].fixed > 0)
            p->block[b].fixed /= p->unit;
    }
}

/* Sections by block, and what lives in each. */
static void list_sections(tare__problem *p, const edge *e, size_t n_edges, const int32_t *block_of)
{
    bool begun = false;
    int64_t live = 0;
    int32_t event = 0;
    for (size_t i = 0; i < n_edges; ++i) {
        tare__block *b = &p->block[block_of[e[i].interval]];
        event += i > 0 && (e[i].time != e[i - 1].time || e[i].begins != e[i - 1].begins);
        if (e[i].begins) {
            b->first = p->n_sections;
            b->begin = event;
            live += b->size;
            begun = true;
            continue;
        }
        if (begun)
            p->live[p->n_sections++] = live;
        begun = false;
        live -= b->size;
        b->last = p->n_sections;
        b->end = event;
    }
}

static tare_status open_problem(tare__problem *p, const tare_interval *v, int n, int64_t alignment)
{
    size_t bytes = 4 * (size_t)n * sizeof(edge) + (size_t)n * sizeof(int32_t), n_edges;
    p->block = tare_arena_take(&p->arena, (size_t)n * sizeof *p->block);
    p->live = tare_arena_take(&p->arena, (size_t)n * sizeof *p->live);
    p->best = tare_arena_take(&p->arena, (size_t)n * sizeof *p->best);
    p->keyed = tare_arena_take(&p->arena, (size_t)n * sizeof *p->keyed);
    edge *room = tare_memory_take(p->memory, TARE_MEMORY_RECORD, bytes);
    bool all = p->block && p->live && p->best && p->keyed && room;
    if (all) {
        int32_t *block_of = (int32_t *)(room + 4 * (size_t)n);
        list_blocks(p, v, n, alignment, block_of);
        const edge *e = list_edges(v, n, room, &n_edges);
        list_sections(p, e, n_edges, block_of);
    }
    tare_memory_give(p->memory, TARE_MEMORY_RECORD, room, bytes);
    return all ? tare__order_prepare(p) : TARE_NO_MEMORY;
}

static void close_problem(const tare__problem *p, tare_interval *v, int n, tare_packing *out)
{
    for (int i = 0; i < n; ++i)
        if (!v[i].fixed)
            v[i].offset = 0;
    for (int32_t b = 0; b < p->n; ++b)
        v[p->block[b].interval].offset = p->best[b] * p->unit;
    out->height = p->best_height * p->unit;
    out->bound = p->bound * p->unit;
    out->nodes = p->nodes;
}

tare_status tare__pack_by(tare__stage *stage, tare_memory *memory, const tare_pack_options *o, tare_interval *v, int n,
                          tare_packing *out)
{
    tare__problem p = {
        .arena = {.memory = memory}, .memory = memory, .most_nodes = o->nodes, .stop = o->stop, .owner = o->owner};
    tare_status status = open_problem(&p, v, n, o->alignment);
    if (status == TARE_OK) {
        p.bound = out->bound / p.unit;
        p.goal = o->goal / p.unit;
        p.goal_stays = p.goal > p.bound;
        p.best_height = p.n ? INT64_MAX : 0;
        status = p.n ? stage(&p) : TARE_OK;
    }
    if (status == TARE_OK)
        close_problem(&p, v, n, out);
    tare_arena_fini(&p.arena);
    return status;
}

void tare__offer(tare__problem *p, const int64_t *offset, int64_t height)
{
    if (height >= p->best_height)
        return;
    p->best_height = height;
    memcpy(p->best, offset, (size_t)p->n * sizeof *offset);
}

bool tare__done(const tare__problem *p)
{
    return p->best_height <= p->goal || p->bound >= p->best_height || p->bound > p->goal || p->nodes >= p->most_nodes ||
           p->stopped;
}

void tare__count(tare__problem *p, int64_t nodes)
{
    enum { BETWEEN = 1024 };
    int64_t before = p->nodes;
    p->nodes += nodes;
    if (p->stop && before / BETWEEN != p->nodes / BETWEEN && p->stop(p->owner))
        p->stopped = true;
}
