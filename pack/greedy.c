/* greedy.c - one block after the other at a gap between the placed ones that it meets: orders x gaps, the best kept.
 *
 * First fit and best fit by decreasing size or area are the usual heuristics of the field (Pisarchyk and Lee, Efficient
 * memory management for deep neural net inference, 2020, section 5: greedy by size, by breadth). What makes 60 000
 * blocks quick is the index: a segment tree over the sections, whose nodes hold sets of addresses as sorted runs that
 * grow together where they touch. `all` of a node: what is taken by any block in its sections; `through`: by blocks
 * that fill its sections. A block's sections are a few whole nodes, and what it meets is in their `all` and in the
 * `through` of the nodes above. Runs are few, since blocks lie close; so a place is found without looking at each block
 * met. */
#include <string.h>

#include "pack_private.h"

typedef struct {
    int64_t from, to; /* addresses [from, to) */
} run;

typedef struct {
    run *run; /* sorted, apart */
    int32_t n, capacity;
} runs;

enum { MOST_SETS = 256 }; /* of a block: four a level, 31 levels */

struct tare__placer {
    tare__problem *problem;
    int32_t leaves; /* a power of two */
    runs *all, *through;
    runs *met[MOST_SETS], *entered[MOST_SETS]; /* sets that the block at hand must keep out of, will be in */
    int n_met, n_entered;
};

/* ---- sets of addresses ----------------------------------------------------------------------------------------*/

static bool add(tare_memory *memory, runs *set, int64_t from, int64_t to)
{
    int32_t low = 0, high = set->n; /* the first that ends at `from` or later */
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (set->run[middle].to < from)
            low = middle + 1;
        else
            high = middle;
    }
    int32_t beyond = low;
    for (; beyond < set->n && set->run[beyond].from <= to; ++beyond) {
        from = set->run[beyond].from < from ? set->run[beyond].from : from;
        to = set->run[beyond].to > to ? set->run[beyond].to : to;
    }
    if (beyond == low && set->n == set->capacity) {
        int32_t more = set->capacity ? 2 * set->capacity : 4;
        run *grown = tare_memory_resize(memory, TARE_MEMORY_RECORD, set->run, (size_t)set->capacity * sizeof *grown,
                                        (size_t)more * sizeof *grown);
        if (!grown)
            return false;
        set->run = grown;
        set->capacity = more;
    }
    if (set->n > beyond && beyond != low + 1)
        memmove(set->run + low + 1, set->run + beyond, (size_t)(set->n - beyond) * sizeof *set->run);
    set->n += 1 - (beyond - low);
    set->run[low] = (run){from, to};
    return true;
}

/* The lowest gap of at least `size` between all runs of the sets, or the tightest. */
static int64_t gap(runs *const *set, int n, int64_t size, bool tightest)
{
    int32_t at[2 * MOST_SETS] = {0};
    int64_t end = 0, best = -1, best_room = INT64_MAX;
    for (;;) {
        int64_t next = INT64_MAX;
        bool moved = false;
        for (int k = 0; k < n; ++k) {
            const runs *s = set[k];
            while (at[k] < s->n && s->run[at[k]].to <= end)
                ++at[k];
            if (at[k] == s->n)
                continue;
            run r = s->run[at[k]];
            if (r.from <= end) {
                end = r.to;
                moved = true;
            } else {
                next = r.from < next ? r.from : next;
            }
        }
        if (moved)
            continue;
        if (next == INT64_MAX)
            return best >= 0 ? best : end;
        if (next - end >= size && next - end < best_room) {
            if (!tightest)
                return end;
            best = end;
            best_room = next - end;
        }
        end = next;
    }
}

/* ---- the tree ---------------------------------------------------------------------------------------------------*/

static void visit(tare__placer *g, int32_t node, int32_t first, int32_t last, const tare__block *b)
{
    bool whole = b->first <= first && last <= b->last;
    g->met[g->n_met++] = whole ? &g->all[node] : &g->through[node];
    g->entered[g->n_entered++] = &g->all[node];
    if (whole) {
        g->entered[g->n_entered++] = &g->through[node];
        return;
    }
    int32_t middle = first + (last - first) / 2;
    if (b->first < middle)
        visit(g, 2 * node, first, middle, b);
    if (b->last > middle)
        visit(g, 2 * node + 1, middle, last, b);
}

static void find_sets(tare__placer *g, const tare__block *b)
{
    g->n_met = g->n_entered = 0;
    visit(g, 1, 0, g->leaves, b);
}

static bool enter(tare__placer *g, const tare__block *b, int64_t offset)
{
    for (int k = 0; k < g->n_entered; ++k)
        if (!add(g->problem->memory, g->entered[k], offset, offset + b->size))
            return false;
    return true;
}

tare__placer *tare__placer_new(tare__problem *p)
{
    tare__placer *g = tare_arena_take(&p->arena, sizeof *g);
    if (!g)
        return NULL;
    *g = (tare__placer){.problem = p, .leaves = 1};
    while (g->leaves < p->n_sections)
        g->leaves *= 2;
    size_t bytes = 4 * (size_t)g->leaves * sizeof(runs);
    g->all = tare_arena_take(&p->arena, bytes);
    if (!g->all)
        return NULL;
    memset(g->all, 0, bytes);
    g->through = g->all + 2 * (size_t)g->leaves;
    return g;
}

void tare__placer_free(tare__placer *g)
{
    for (size_t k = 0; g && k < 4 * (size_t)g->leaves; ++k)
        tare_memory_give(g->problem->memory, TARE_MEMORY_RECORD, g->all[k].run,
                         (size_t)g->all[k].capacity * sizeof(run));
}

int64_t tare__place(tare__placer *g, const int32_t *order, bool tightest, int64_t *offset)
{
    const tare__problem *p = g->problem;
    int64_t height = 0;
    for (size_t k = 0; k < 4 * (size_t)g->leaves; ++k)
        g->all[k].n = 0;
    for (int pass = 0; pass < 2; ++pass) /* fixed ones first */
        for (int32_t i = 0; i < p->n; ++i) {
            const tare__block *b = &p->block[order[i]];
            if ((b->fixed >= 0) != (pass == 0))
                continue;
            find_sets(g, b);
            int64_t at = b->fixed >= 0 ? b->fixed : gap(g->met, g->n_met, b->size, tightest);
            if (!enter(g, b, at))
                return -1;
            offset[order[i]] = at;
            height = at + b->size > height ? at + b->size : height;
        }
    return height;
}

/* ---- the portfolio of orders ------------------------------------------------------------------------------------*/

tare_status tare__greedy(tare__problem *p)
{
    static const struct {
        const char *letters;
        bool tightest;
    } rule[] = {{"SLB", false}, {"ASB", false}, {"SLB", true}, {"ASB", true}, {"DSB", false}, {"LSB", false},
                {"BSL", false}, {"TAS", false}, {"DSB", true}, {"LSB", true}, {"BSL", true},  {"TAS", true}};
    int32_t *order = tare_arena_take(&p->arena, (size_t)p->n * sizeof *order);
    int64_t *offset = tare_arena_take(&p->arena, (size_t)p->n * sizeof *offset);
    tare__placer *g = tare__placer_new(p);
    bool fine = order && offset && g;
    for (size_t r = 0; fine && r < sizeof rule / sizeof *rule && p->best_height > p->goal && !p->stopped; ++r) {
        tare__order(p, rule[r].letters, NULL, order);
        int64_t height = tare__place(g, order, rule[r].tightest, offset);
        fine = height >= 0;
        if (fine)
            tare__offer(p, offset, height);
        p->stopped |= p->stop && p->stop(p->owner);
    }
    tare__placer_free(g);
    return fine ? TARE_OK : TARE_NO_MEMORY;
}
