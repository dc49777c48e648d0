/* pack.c - packing as a pure function: intervals and sizes in, offsets out.
 *
 * Dynamic storage allocation (Garey and Johnson, SR2). A portfolio of greedy rules: take the blocks in some order, put
 * each at the lowest gap between the placed ones that it meets in time; the first rule that reaches the bound ends it.
 * No clock: the offsets are a function of the input. */
#include <stdbool.h>
#include <stdlib.h>

#include "graph_private.h"

static int64_t rounded(int64_t bytes, int64_t alignment)
{
    return (bytes + alignment - 1) / alignment * alignment;
}

/* ---- lower bound: the most bytes that are live at once
 * ------------------------------------------------------------------*/
typedef struct {
    int64_t time, bytes; /* bytes < 0: ends; ends come before begins at the same time */
} edge;

static int edge_order(const void *a, const void *b)
{
    const edge *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

int64_t tare_pack_lower_bound(tare_memory *memory, const tare_interval *block, int n, int64_t alignment)
{
    edge *e = tare_memory_take_zeroed(memory, TARE_MEMORY_RECORD, (size_t)n * 2, sizeof *e);
    if (!e)
        return -1;
    for (int i = 0; i < n; ++i) {
        e[2 * i] = (edge){block[i].lower, rounded(block[i].bytes, alignment)};
        e[2 * i + 1] = (edge){block[i].upper, -rounded(block[i].bytes, alignment)};
    }
    qsort(e, (size_t)n * 2, sizeof *e, edge_order);
    int64_t live = 0, peak = 0;
    for (int i = 0; i < 2 * n; ++i) {
        live += e[i].bytes;
        peak = live > peak ? live : peak;
    }
    tare_memory_give(memory, TARE_MEMORY_RECORD, e, (size_t)n * 2 * sizeof *e);
    return peak;
}

/* ---- orders
 * -------------------------------------------------------------------------------------------------------------*/
typedef struct {
    int64_t lower, upper, bytes;
    int64_t offset;
    int index;
} block;

#define FIRST_DIFFERENCE(x, y)                                                                                         \
    if ((x) != (y))                                                                                                    \
    return (x) < (y) ? -1 : 1

static int by_size(const void *a, const void *b)
{
    const block *x = a, *y = b;
    FIRST_DIFFERENCE(y->bytes, x->bytes);
    FIRST_DIFFERENCE(y->upper - y->lower, x->upper - x->lower);
    FIRST_DIFFERENCE(x->lower, y->lower);
    return x->index - y->index;
}

static int by_area(const void *a, const void *b)
{
    const block *x = a, *y = b;
    double ax = (double)x->bytes * (double)(x->upper - x->lower), ay = (double)y->bytes * (double)(y->upper - y->lower);
    FIRST_DIFFERENCE(ay, ax);
    return by_size(a, b);
}

static int by_lifetime(const void *a, const void *b)
{
    const block *x = a, *y = b;
    FIRST_DIFFERENCE(y->upper - y->lower, x->upper - x->lower);
    return by_size(a, b);
}

static int by_birth(const void *a, const void *b)
{
    const block *x = a, *y = b;
    FIRST_DIFFERENCE(x->lower, y->lower);
    return by_size(a, b);
}

static int by_death(const void *a, const void *b)
{
    const block *x = a, *y = b;
    FIRST_DIFFERENCE(y->upper, x->upper);
    return by_size(a, b);
}

/* ---- placing
 * --------------------------------------------------------------------------------------------------------------*/
/* placed[0..n) is sorted by offset: the lowest (or the tightest) gap that b fits into. */
static int64_t gap_for(const block *b, block *const *placed, int n, bool tightest)
{
    int64_t end = 0, best = -1, best_room = INT64_MAX;
    for (int i = 0; i < n; ++i) {
        const block *p = placed[i];
        if (p->upper <= b->lower || b->upper <= p->lower)
            continue;
        int64_t room = p->offset - end;
        if (room >= b->bytes && room < best_room) {
            best = end;
            best_room = room;
            if (!tightest)
                return best;
        }
        end = p->offset + p->bytes > end ? p->offset + p->bytes : end;
    }
    return best >= 0 ? best : end;
}

static int64_t place(block *b, block **placed, int n, bool tightest)
{
    int64_t height = 0;
    for (int i = 0; i < n; ++i) {
        b[i].offset = gap_for(&b[i], placed, i, tightest);
        height = b[i].offset + b[i].bytes > height ? b[i].offset + b[i].bytes : height;
        int at = i;
        for (; at > 0 && placed[at - 1]->offset > b[i].offset; --at)
            placed[at] = placed[at - 1];
        placed[at] = &b[i];
    }
    return height;
}

static int64_t pack_greedy(tare_memory *memory, tare_interval *interval, int n, int64_t alignment)
{
    static int (*const order[])(const void *, const void *) = {by_size, by_area, by_death, by_lifetime, by_birth};
    size_t block_bytes = (size_t)n * sizeof(block), placed_bytes = (size_t)n * sizeof(block *);
    int64_t bound = tare_pack_lower_bound(memory, interval, n, alignment), best = INT64_MAX;
    block *b = tare_memory_take(memory, TARE_MEMORY_RECORD, block_bytes);
    block **placed = tare_memory_take(memory, TARE_MEMORY_RECORD, placed_bytes);
    if (b && placed && bound >= 0) {
        for (int i = 0; i < n; ++i)
            b[i] = (block){interval[i].lower, interval[i].upper, rounded(interval[i].bytes, alignment), 0, i};
        for (size_t rule = 0; rule < 2 * sizeof order / sizeof *order && best > bound; ++rule) {
            qsort(b, (size_t)n, sizeof *b, order[rule / 2]);
            int64_t height = place(b, placed, n, rule % 2 == 1);
            if (height >= best)
                continue;
            best = height;
            for (int i = 0; i < n; ++i)
                interval[b[i].index].offset = b[i].offset;
        }
    }
    bool done = b && placed && bound >= 0;
    tare_memory_give(memory, TARE_MEMORY_RECORD, b, block_bytes);
    tare_memory_give(memory, TARE_MEMORY_RECORD, placed, placed_bytes);
    return !done ? -1 : n == 0 ? 0 : best;
}

const tare_packer tare__packer_greedy = {
    .name = "greedy",
    .doc = "five orders (size, area, death, lifetime, birth), lowest and tightest gap, best kept, stops at the bound",
    .pack = pack_greedy,
};
