/* verify.c - proves a packing from its intervals alone; shares no code with a packer.
 *
 * A sweep over time keeps the live ones in the order of their addresses: one that begins may meet only the neighbours
 * below and above it, for the others there do not meet each other. The live ones are a set of ranks, as words of bits
 * and words about words, so that a neighbour is found in a few steps and a million rows take a second. */
#include <stdlib.h>

#include "pack.h"

/* ---- a set of numbers 0..n-1 with neighbours --------------------------------------------------------------------*/

enum { LEVELS = 6 }; /* 64^6 > 2^31 */

typedef struct {
    uint64_t *level[LEVELS]; /* level[k + 1] has a bit for each word of level[k] that is not 0 */
    size_t words[LEVELS];
} set;

static void insert(set *s, size_t i)
{
    for (int k = 0; k < LEVELS; ++k, i /= 64)
        s->level[k][i / 64] |= UINT64_C(1) << i % 64;
}

static void take_out(set *s, size_t i)
{
    for (int k = 0; k < LEVELS; ++k, i /= 64) {
        s->level[k][i / 64] &= ~(UINT64_C(1) << i % 64);
        if (s->level[k][i / 64])
            return;
    }
}

static size_t end_bit(uint64_t word, int direction)
{
    return (size_t)(direction < 0 ? 63 - __builtin_clzll(word) : __builtin_ctzll(word));
}

/* The nearest below (direction -1) or above (1) that is in the set; SIZE_MAX: none. */
static size_t neighbour(const set *s, size_t i, int direction)
{
    for (int k = 0; k < LEVELS; ++k, i /= 64) {
        uint64_t below = (UINT64_C(1) << i % 64) - 1, here = UINT64_C(1) << i % 64;
        uint64_t word = s->level[k][i / 64] & (direction < 0 ? below : ~(below | here));
        if (!word)
            continue;
        for (i = i / 64 * 64 + end_bit(word, direction); k-- > 0;)
            i = i * 64 + end_bit(s->level[k][i], direction);
        return i;
    }
    return SIZE_MAX;
}

/* ---- the sweep --------------------------------------------------------------------------------------------------*/

typedef struct {
    int64_t key; /* an offset, or a time */
    int32_t interval;
    int32_t rank;
    bool begins;
} entry;

static int by_key(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->begins - y->begins; /* what ends makes room first */
}

static tare_status meet(const tare_interval *v, int32_t low, int32_t high)
{
    if (v[low].bytes <= v[high].offset - v[low].offset)
        return TARE_OK;
    return tare_error(TARE_IMPOSSIBLE, "intervals %d and %d meet in time and space", low < high ? low : high,
                      low < high ? high : low);
}

/* Those that take a place: by rank, then, behind them, their begins and ends in time. */
static size_t list(const tare_interval *v, int n, entry *e)
{
    size_t count = 0, at;
    for (int i = 0; i < n; ++i)
        if (v[i].bytes > 0 && v[i].lower < v[i].upper)
            e[count++] = (entry){.key = v[i].offset, .interval = i};
    qsort(e, count, sizeof *e, by_key);
    at = count;
    for (size_t r = 0; r < count; ++r) {
        const tare_interval *b = &v[e[r].interval];
        e[at++] = (entry){b->lower, e[r].interval, (int32_t)r, true};
        e[at++] = (entry){b->upper, e[r].interval, (int32_t)r, false};
    }
    qsort(e + count, 2 * count, sizeof *e, by_key);
    return count;
}

static tare_status sweep(const tare_interval *v, const entry *rank, const entry *edge, size_t n_edges, set *live)
{
    tare_status status = TARE_OK;
    for (size_t k = 0; k < n_edges && status == TARE_OK; ++k) {
        size_t r = (size_t)edge[k].rank, other;
        if (!edge[k].begins) {
            take_out(live, r);
            continue;
        }
        if ((other = neighbour(live, r, -1)) != SIZE_MAX)
            status = meet(v, rank[other].interval, edge[k].interval);
        if (status == TARE_OK && (other = neighbour(live, r, 1)) != SIZE_MAX)
            status = meet(v, edge[k].interval, rank[other].interval);
        insert(live, r);
    }
    return status;
}

static tare_status check_bounds(const tare_interval *v, int n, int64_t alignment, int64_t height)
{
    for (int i = 0; i < n; ++i)
        if (v[i].offset < 0 || v[i].bytes < 0 || v[i].offset % alignment ||
            (v[i].lower < v[i].upper && v[i].bytes > height - v[i].offset))
            return tare_error(TARE_IMPOSSIBLE, "interval %d at %lld does not fit (height %lld, alignment %lld)", i,
                              (long long)v[i].offset, (long long)height, (long long)alignment);
    return TARE_OK;
}

tare_status tare_pack_verify(tare_memory *memory, const tare_interval *v, int n, int64_t alignment, int64_t height)
{
    tare_status status = check_bounds(v, n, alignment, height);
    if (status != TARE_OK)
        return status;
    entry *e = tare_memory_take_zeroed(memory, TARE_MEMORY_RECORD, 3 * (size_t)n, sizeof *e);
    set live;
    size_t words = 0;
    for (size_t k = 0, of = (size_t)n; k < LEVELS; ++k, words += of)
        live.words[k] = of = of / 64 + 1;
    uint64_t *word = tare_memory_take_zeroed(memory, TARE_MEMORY_RECORD, words, sizeof *word);
    if (e && word) {
        live.level[0] = word;
        for (int k = 1; k < LEVELS; ++k)
            live.level[k] = live.level[k - 1] + live.words[k - 1];
        size_t count = list(v, n, e);
        status = sweep(v, e, e + count, 2 * count, &live);
    }
    status = e && word ? status : TARE_NO_MEMORY;
    tare_memory_give(memory, TARE_MEMORY_RECORD, e, 3 * (size_t)n * sizeof *e);
    tare_memory_give(memory, TARE_MEMORY_RECORD, word, words * sizeof *word);
    return status;
}
