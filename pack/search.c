/* search.c - the state of a search kept true: placing, postponing, and the way back (see search_private.h).
 *
 * After every step, in each section that it touched: the floor rises to the least low of what is to come there, and
 * what is to come must fit above the floor. That is the whole inference; a gap that nothing fits into is found as soon
 * as it arises, since then the floor rises over it and the bytes lost are missing at the top. */
#include "search_private.h"

#include <string.h>

/* ---- the tables -----------------------------------------------------------------------------------------------*/

enum { MOST_BLOCKS = 4096 }; /* the tables are of n^2 entries at worst */

bool tare__search_fits(const tare__problem *p)
{
    return p->n <= MOST_BLOCKS;
}

static void *take(tare__search *t, int64_t count, size_t size, bool *fine)
{
    void *block = *fine ? tare_arena_take(&t->problem->arena, (size_t)count * size) : NULL;
    *fine &= block != NULL;
    if (block)
        memset(block, 0, (size_t)count * size);
    return block;
}

/* in: by section, the ones that begin in it last. Uses placed-order arrays as room. */
static void list_in(tare__search *t)
{
    const tare__block *b = t->problem->block;
    int32_t *from = t->in_from, *by_first = t->stack, *count = t->dirty;
    for (int32_t i = 0; i < t->n; ++i)
        for (int32_t s = b[i].first; s < b[i].last; ++s)
            ++from[s + 1];
    for (int32_t s = 0; s < t->n_sections; ++s)
        from[s + 1] += from[s];
    for (int32_t i = 0; i < t->n; ++i)
        ++count[b[i].first + 1];
    for (int32_t s = 0; s < t->n_sections; ++s)
        count[s + 1] += count[s];
    for (int32_t i = 0; i < t->n; ++i)
        by_first[count[b[i].first]++] = i;
    for (int32_t k = 0; k < t->n; ++k) {
        int32_t i = by_first[k];
        for (int32_t s = b[i].first; s < b[i].last; ++s) {
            t->at[t->at_from[i] + s - b[i].first] = t->n_in[s];
            t->in[from[s] + t->n_in[s]++] = i;
        }
    }
}

/* What block i meets: all in its first section, and those that begin in its further ones. Lists them if `to`. */
static int32_t list_meets(const tare__search *t, int32_t i, int32_t *to)
{
    const tare__block *b = t->problem->block;
    int32_t n = 0;
    for (int32_t s = b[i].first; s < b[i].last; ++s)
        for (int32_t k = t->in_from[s + 1] - 1; k >= t->in_from[s]; --k) {
            int32_t other = t->in[k];
            if (s > b[i].first && b[other].first < s)
                break;
            if (other == i)
                continue;
            if (to)
                to[n] = other;
            ++n;
        }
    return n;
}

static bool make_tables(tare__search *t)
{
    const tare__problem *p = t->problem;
    bool fine = true;
    int64_t n = t->n, wide = t->n_sections, sections = 0;
    t->at_from = take(t, n + 1, sizeof(int32_t), &fine);
    for (int32_t i = 0; fine && i < n; ++i) {
        sections += p->block[i].last - p->block[i].first;
        t->at_from[i + 1] = (int32_t)sections;
    }
    t->floor = take(t, wide, sizeof *t->floor, &fine);
    t->left = take(t, wide, sizeof *t->left, &fine);
    t->in_from = take(t, wide + 1, sizeof *t->in_from, &fine);
    t->n_in = take(t, wide, sizeof *t->n_in, &fine);
    t->crossing = take(t, wide + 1, sizeof *t->crossing, &fine);
    t->conflicts = take(t, wide, sizeof *t->conflicts, &fine);
    t->dirty = take(t, wide + 1, sizeof *t->dirty, &fine);
    t->is_dirty = take(t, wide, sizeof *t->is_dirty, &fine);
    t->in = take(t, sections, sizeof *t->in, &fine);
    t->at = take(t, sections, sizeof *t->at, &fine);
    t->low = take(t, n, sizeof *t->low, &fine);
    t->offset = take(t, n, sizeof *t->offset, &fine);
    t->placed = take(t, n, sizeof *t->placed, &fine);
    t->order = take(t, n, sizeof *t->order, &fine);
    t->rank = take(t, n, sizeof *t->rank, &fine);
    t->next = take(t, n + 1, sizeof *t->next, &fine);
    t->previous = take(t, n + 1, sizeof *t->previous, &fine);
    t->fixed = take(t, n, sizeof *t->fixed, &fine);
    t->stack = take(t, n, sizeof *t->stack, &fine);
    t->weight = take(t, n, sizeof *t->weight, &fine);
    t->frame = take(t, 2 * n + 2, sizeof *t->frame, &fine);
    t->meets_from = take(t, n + 1, sizeof *t->meets_from, &fine);
    if (!fine)
        return false;
    list_in(t);
    for (int32_t i = 0; i < n; ++i)
        t->meets_from[i + 1] = t->meets_from[i] + list_meets(t, i, NULL);
    t->meets = take(t, t->meets_from[n], sizeof *t->meets, &fine);
    for (int32_t i = 0; fine && i < n; ++i)
        (void)list_meets(t, i, t->meets + t->meets_from[i]);
    for (int32_t i = 0; i < n; ++i)
        if (p->block[i].fixed >= 0)
            t->fixed[t->n_fixed++] = i;
    return fine;
}

tare__search *tare__search_new(tare__problem *p)
{
    tare__search *t = tare_arena_take(&p->arena, sizeof *t);
    if (!t)
        return NULL;
    *t = (tare__search){.problem = p, .n = p->n, .n_sections = p->n_sections, .random = 1};
    return make_tables(t) ? t : NULL;
}

void tare__search_free(tare__search *t)
{
    if (t)
        tare_memory_give(t->problem->memory, TARE_MEMORY_RECORD, t->trail,
                         (size_t)t->capacity_trail * sizeof *t->trail);
}

bool tare__search_room(tare__search *t)
{
    int64_t step = 2 * ((int64_t)t->n + t->n_sections); /* each low, each floor, twice at most */
    if (t->capacity_trail - t->n_trail >= step)
        return true;
    int64_t more = 2 * t->capacity_trail + 8 * step;
    tare__change *grown = tare_memory_resize(t->problem->memory, TARE_MEMORY_RECORD, t->trail,
                                             (size_t)t->capacity_trail * sizeof *grown, (size_t)more * sizeof *grown);
    if (!grown)
        return false;
    t->trail = grown;
    t->capacity_trail = more;
    return true;
}

/* ---- steps ----------------------------------------------------------------------------------------------------*/

static inline void set(tare__search *t, int64_t *at, int64_t value)
{
    t->trail[t->n_trail++] = (tare__change){at, *at};
    *at = value;
}

static inline void touch(tare__search *t, int32_t s)
{
    if (!t->is_dirty[s]) {
        t->is_dirty[s] = true;
        t->dirty[t->n_dirty++] = s;
    }
}

/* The least low of what is to come in a section, or its floor as soon as one is there. */
static int64_t least_low(const tare__search *t, int32_t s)
{
    const int32_t *in = t->in + t->in_from[s];
    int64_t least = INT64_MAX;
    for (int32_t k = 0; k < t->n_in[s] && least > t->floor[s]; ++k)
        least = t->low[in[k]] < least ? t->low[in[k]] : least;
    return least;
}

/* Looks at the touched sections. */
static bool settle(tare__search *t)
{
    bool fine = true;
    for (int32_t k = 0; k < t->n_dirty; ++k) {
        int32_t s = t->dirty[k];
        t->is_dirty[s] = false;
        if (!fine || !t->n_in[s])
            continue;
        int64_t least = least_low(t, s);
        if (least > t->floor[s])
            set(t, &t->floor[s], least);
        if (t->floor[s] + t->left[s] <= t->height)
            continue;
        fine = false;
        ++t->conflicts[s];
        t->last_conflict = s;
    }
    t->n_dirty = 0;
    return fine;
}

/* The lowest offset from `low` up at which the block is clear of the fixed ones that are not placed. */
static int64_t past_fixed(const tare__search *t, int32_t i, int64_t low)
{
    const tare__block *b = &t->problem->block[i];
    for (int32_t k = 0; k < t->n_fixed; ++k) {
        const tare__block *f = &t->problem->block[t->fixed[k]];
        if (t->fixed[k] == i || t->placed[t->fixed[k]] || f->first >= b->last || b->first >= f->last ||
            f->fixed >= low + b->size || low >= f->fixed + f->size)
            continue;
        low = f->fixed + f->size;
        k = -1; /* again from the first */
    }
    return low;
}

/* Lifts the low of a block that is not placed; its sections are looked at where it was the least. false: it is fixed
 * below. */
static bool lift(tare__search *t, int32_t i, int64_t low)
{
    const tare__block *b = &t->problem->block[i];
    if (b->fixed >= 0)
        return false;
    if (t->n_fixed)
        low = past_fixed(t, i, low);
    int64_t before = t->low[i];
    set(t, &t->low[i], low);
    for (int32_t s = b->first; s < b->last; ++s)
        if (t->floor[s] >= before)
            touch(t, s);
    return true;
}

bool tare__search_place(tare__search *t, int32_t i)
{
    const tare__block *b = &t->problem->block[i];
    int64_t top = t->low[i] + b->size;
    t->offset[i] = t->low[i];
    t->placed[i] = true;
    t->stack[t->n_placed++] = i;
    t->next[t->previous[i]] = t->next[i];
    t->previous[t->next[i]] = t->previous[i];
    for (int32_t s = b->first; s < b->last; ++s) {
        int32_t *in = t->in + t->in_from[s], *at = &t->at[t->at_from[i] + s - b->first];
        int32_t last = --t->n_in[s], other = in[last];
        in[*at] = other; /* swapped behind those not placed */
        in[last] = i;
        t->at[t->at_from[other] + s - t->problem->block[other].first] = *at;
        *at = last;
        t->left[s] -= b->size;
        t->crossing[s] -= s > b->first;
        set(t, &t->floor[s], top);
        touch(t, s);
    }
    bool fine = true;
    for (int32_t k = t->meets_from[i]; k < t->meets_from[i + 1] && fine; ++k) {
        int32_t other = t->meets[k];
        if (!t->placed[other] && t->low[other] < top)
            fine = lift(t, other, top);
    }
    return settle(t) && fine;
}

static bool twins(const tare__block *a, const tare__block *b)
{
    return a->first == b->first && a->last == b->last && a->size == b->size && a->fixed < 0 && b->fixed < 0;
}

/* The lowest that a block can stand if it stands on one that is not placed yet; its twins are none, for they are
 * postponed with it. */
static int64_t lowest_support(const tare__search *t, int32_t i)
{
    const tare__block *b = t->problem->block;
    int64_t lowest = INT64_MAX;
    for (int32_t k = t->meets_from[i]; k < t->meets_from[i + 1]; ++k) {
        int32_t other = t->meets[k];
        if (t->placed[other] || t->low[other] + b[other].size >= lowest)
            continue;
        if (!twins(&b[other], &b[i]))
            lowest = t->low[other] + b[other].size;
    }
    return lowest;
}

bool tare__search_postpone(tare__search *t, int32_t i)
{
    const tare__block *b = t->problem->block;
    int64_t level = t->low[i], low = lowest_support(t, i);
    if (low == INT64_MAX || low <= level || !lift(t, i, low))
        return false;
    for (int32_t k = t->meets_from[i]; k < t->meets_from[i + 1]; ++k) {
        int32_t other = t->meets[k];
        if (!t->placed[other] && t->low[other] == level && twins(&b[other], &b[i]))
            (void)lift(t, other, low);
    }
    return settle(t);
}

void tare__search_back(tare__search *t, int64_t n_trail, int32_t n_placed)
{
    while (t->n_trail > n_trail) {
        tare__change c = t->trail[--t->n_trail];
        *c.at = c.before;
    }
    while (t->n_placed > n_placed) {
        int32_t i = t->stack[--t->n_placed];
        const tare__block *b = &t->problem->block[i];
        t->placed[i] = false;
        t->next[t->previous[i]] = t->previous[t->next[i]] = i;
        for (int32_t s = b->first; s < b->last; ++s) {
            ++t->n_in[s];
            t->left[s] += b->size;
            t->crossing[s] += s > b->first;
        }
    }
    for (int32_t k = 0; k < t->n_dirty; ++k)
        t->is_dirty[t->dirty[k]] = false;
    t->n_dirty = 0;
}

bool tare__search_start(tare__search *t)
{
    const tare__problem *p = t->problem;
    memset(t->floor, 0, (size_t)t->n_sections * sizeof *t->floor);
    memset(t->crossing, 0, ((size_t)t->n_sections + 1) * sizeof *t->crossing);
    t->n_trail = 0;
    t->n_placed = 0;
    int32_t head = t->n, last = head;
    for (int32_t k = 0; k < t->n; ++k) {
        int32_t i = t->order[k];
        const tare__block *b = &p->block[i];
        t->rank[i] = k;
        t->next[last] = i;
        t->previous[i] = last;
        last = i;
        t->placed[i] = false;
        t->low[i] = b->fixed >= 0 ? b->fixed : 0;
        for (int32_t s = b->first + 1; s < b->last; ++s)
            ++t->crossing[s];
    }
    t->next[last] = head;
    t->previous[head] = last;
    for (int32_t i = 0; t->n_fixed && i < t->n; ++i)
        if (p->block[i].fixed < 0)
            t->low[i] = past_fixed(t, i, 0);
    for (int32_t s = 0; s < t->n_sections; ++s) {
        t->n_in[s] = t->in_from[s + 1] - t->in_from[s];
        t->left[s] = p->live[s];
        touch(t, s);
    }
    return settle(t);
}
