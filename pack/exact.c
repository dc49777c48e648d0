/* exact.c - branch and bound: is there a packing within a height? Finds one, or proves that there is none.
 *
 * Any packing can be let down until every block stands on the ground or on another. So it is enough to place upwards:
 * in a *valley* (sections side by side on one floor, with higher ones on both sides) some block either stands on the
 * floor, or does not, and then stands on one that is placed later and is lifted to the lowest top that such a one can
 * have. That is the tree: two branches a block. Valleys can be taken in any order, so the search stays where it last
 * failed: decisions elsewhere are not undone for nothing.
 *
 * What is cut off, each time because an equally low packing is in a branch looked at before:
 * - a section whose floor and blocks to come exceed the height (search.c);
 * - a block that would float: what supports it is not there;
 * - of two blocks with the same lifetime, one on the other, the one order of the two; of twins, all but one;
 * - postponing a block that was in nobody's way.
 * Where no block to come crosses from one section to the next, the parts are solved apart, and one that fails ends
 * both.
 *
 * Orders decide where the tree is looked at first, and no order is good for all. So it is looked at in short tries
 * (lengths as Luby, Sinclair and Zuckerman, Optimal speedup of Las Vegas algorithms, 1993), each with another order,
 * disturbed at random, and with more weight on blocks in sections where earlier tries failed (as Boussemart et al.,
 * Boosting systematic search by weighting constraints, 2004). Staying at the last conflict is Lecoutre et al.,
 * Reasoning from last conflict(s), 2009.
 *
 * Sections, floors, the support rule, decomposition and a portfolio of orders by length, area and live bytes are ideas
 * of Moffitt, MiniMalloc: a lightweight memory allocator for hardware-accelerated machine learning, 2023, sections 4
 * and 5; the lifting of what is postponed, local valleys, and what guides the tries are not in it. */
#include "search_private.h"

/* Length of try number i >= 1 in Luby's sequence: 1 1 2 1 1 2 4 1 1 2 1 1 2 4 8 ... */
static int64_t luby(int64_t i)
{
    for (;;) {
        int64_t power = 1;
        while (2 * power - 1 < i)
            power *= 2;
        if (2 * power - 1 == i)
            return power;
        i -= power - 1;
    }
}

/* ---- choosing ---------------------------------------------------------------------------------------------------*/

/* The next part of [first, last) that hangs together, of several the one with the most conflicts. */
static bool find_part(const tare__search *t, int32_t first, int32_t last, int32_t *from, int32_t *to)
{
    double most = -1;
    for (int32_t s = first; s < last;) {
        if (!t->n_in[s]) {
            ++s;
            continue;
        }
        int32_t end = s + 1;
        double conflicts = t->conflicts[s];
        for (; end < last && t->crossing[end]; ++end)
            conflicts += t->conflicts[end];
        if (conflicts > most) {
            most = conflicts;
            *from = s;
            *to = end;
        }
        s = end;
    }
    return most >= 0;
}

/* The valley of the last conflict, else the one with the least room to spare. */
static void find_valley(const tare__search *t, int32_t first, int32_t last, int32_t *from, int32_t *to)
{
    int64_t most = -1;
    for (int32_t s = first; s < last;) {
        int32_t end = s + 1;
        int64_t full = t->floor[s] + t->left[s];
        for (; end < last && t->floor[end] == t->floor[s]; ++end)
            full = t->floor[end] + t->left[end] > full ? t->floor[end] + t->left[end] : full;
        if ((s == first || t->floor[s - 1] > t->floor[s]) && (end == last || t->floor[end] > t->floor[s])) {
            if (s <= t->last_conflict && t->last_conflict < end)
                full = INT64_MAX;
            if (full > most) {
                most = full;
                *from = s;
                *to = end;
            }
        }
        s = end;
    }
}

/* The first in order that can stand on the floor of the valley. There is one: the floor is the least low. */
static int32_t find_block(const tare__search *t, int32_t from, int32_t to)
{
    int64_t level = t->floor[from];
    int32_t i = t->next[t->n];
    for (; i != t->n; i = t->next[i])
        if (t->low[i] == level && from <= t->problem->block[i].first && t->problem->block[i].first < to)
            break;
    return i;
}

/* Whether the block would stand on nothing, or on one of the same lifetime that it comes before in order. */
static bool out_of_place(const tare__search *t, int32_t i)
{
    const tare__block *b = t->problem->block, *mine = &b[i];
    int64_t level = t->low[i];
    bool supported = level == 0;
    for (int32_t k = t->meets_from[i]; k < t->meets_from[i + 1]; ++k) {
        int32_t other = t->meets[k];
        if (!t->placed[other]) {
            supported |= b[other].fixed >= 0 && b[other].fixed + b[other].size == level;
            continue;
        }
        if (t->offset[other] + b[other].size != level)
            continue;
        supported = true;
        if (b[other].first == mine->first && b[other].last == mine->last && b[other].fixed < 0 &&
            t->rank[i] < t->rank[other])
            return true;
    }
    return !supported;
}

static bool in_the_way(const tare__search *t, int32_t i)
{
    int64_t top = t->low[i] + t->problem->block[i].size;
    for (int32_t k = t->meets_from[i]; k < t->meets_from[i + 1]; ++k)
        if (!t->placed[t->meets[k]] && t->low[t->meets[k]] < top)
            return true;
    return false;
}

/* ---- one try ----------------------------------------------------------------------------------------------------*/

typedef enum { ENTERED, SOLVED, FAILED } state;

static tare__frame *push(tare__search *t, int32_t *depth, bool splits, int32_t first, int32_t last)
{
    tare__frame *f = &t->frame[(*depth)++];
    *f = (tare__frame){
        .first = first, .last = last, .splits = splits, .block = -1, .n_trail = t->n_trail, .n_placed = t->n_placed};
    return f;
}

/* Tries the next block of a part that hangs together: FAILED: what was done since the frame is undone. Any number of
 * blocks may be put off before: each is a step that needs room of its own. false: no memory. */
static bool try_next(tare__search *t, tare__frame *f, state *now)
{
    *now = FAILED;
    while (tare__search_room(t)) {
        const tare__block *b = t->problem->block;
        int32_t from = f->first, to = f->last;
        find_valley(t, f->first, f->last, &from, &to);
        int32_t i = find_block(t, from, to);
        if (b[i].fixed < 0 && out_of_place(t, i)) {
            if (tare__search_postpone(t, i))
                continue;
            tare__search_back(t, f->n_trail, f->n_placed);
            f->block = -1;
            return true;
        }
        f->block = i;
        f->harmless = b[i].fixed >= 0 || !in_the_way(t, i);
        f->n_trail_tried = t->n_trail;
        f->n_placed_tried = t->n_placed;
        *now = tare__search_place(t, i) ? SOLVED : FAILED;
        return true;
    }
    return false;
}

/* After the block that was tried, whose room for a step is still there: ENTERED: another can be; FAILED: none is left,
 * and all is undone. */
static state after_failure(tare__search *t, tare__frame *f)
{
    tare__search_back(t, f->n_trail_tried, f->n_placed_tried);
    if (!f->harmless && tare__search_postpone(t, f->block))
        return ENTERED;
    tare__search_back(t, f->n_trail, f->n_placed);
    return FAILED;
}

static tare__answer try_once(tare__search *t, int64_t most)
{
    tare__problem *p = t->problem;
    int32_t depth = 0;
    state now = ENTERED;
    if (!tare__search_start(t))
        return TARE__PROVED_NONE;
    for ((void)push(t, &depth, true, 0, t->n_sections); depth;) {
        tare__frame *f = &t->frame[depth - 1];
        int32_t from = 0, to = 0;
        if (f->splits) {
            if (now == FAILED)
                tare__search_back(t, f->n_trail, f->n_placed);
            else if (find_part(t, f->first, f->last, &from, &to)) {
                (void)push(t, &depth, false, from, to);
                now = ENTERED;
                continue;
            } else
                now = SOLVED;
            --depth;
            continue;
        }
        if (now == FAILED)
            now = after_failure(t, f);
        if (now != ENTERED) {
            --depth;
            continue;
        }
        if (most-- <= 0 || p->stopped)
            return TARE__GAVE_UP;
        tare__count(p, 1);
        if (!try_next(t, f, &now))
            return TARE__NO_MEMORY;
        if (now == SOLVED) {
            (void)push(t, &depth, true, f->first, f->last);
            now = ENTERED;
        } else if (f->block < 0) {
            --depth;
        }
    }
    return now == SOLVED ? TARE__FOUND : TARE__PROVED_NONE;
}

/* ---- tries ------------------------------------------------------------------------------------------------------*/

static const char *const orders[] = {"LAT", "TAL", "TLA", "ALT", "SLA", "LSA", "ATL", "LTA", "TSL"};
enum { N_ORDERS = sizeof orders / sizeof *orders };

/* An order for the next try: blocks in sections of many conflicts count more, from the second time on with noise. */
static void find_order(tare__search *t)
{
    double most = 1;
    for (int32_t s = 0; s < t->n_sections; ++s)
        most = t->conflicts[s] > most ? t->conflicts[s] : most;
    for (int32_t i = 0; i < t->n; ++i) {
        const tare__block *b = &t->problem->block[i];
        double here = 0;
        for (int32_t s = b->first; s < b->last; ++s)
            here = t->conflicts[s] > here ? t->conflicts[s] : here;
        double noise = 0.3 * ((double)tare__below(&t->random, 1 << 20) / (1 << 20) - 0.5);
        t->weight[i] = (1 + here / most) * (t->round < N_ORDERS ? 1 : 1 + noise);
    }
    tare__order(t->problem, orders[t->round % N_ORDERS], t->weight, t->order);
}

tare__answer tare__search_within(tare__search *t, int64_t height, int64_t nodes)
{
    tare__problem *p = t->problem;
    tare__answer answer = TARE__GAVE_UP;
    t->height = height;
    nodes = nodes < p->most_nodes - p->nodes ? nodes : p->most_nodes - p->nodes;
    for (int64_t end = p->nodes + nodes; answer == TARE__GAVE_UP && p->nodes < end && !p->stopped; ++t->round) {
        if (!tare__search_room(t))
            return TARE__NO_MEMORY;
        int64_t most = 4 * (int64_t)t->n * luby(t->round / N_ORDERS + 1);
        find_order(t);
        answer = try_once(t, most < end - p->nodes ? most : end - p->nodes);
    }
    if (answer == TARE__PROVED_NONE && p->bound <= height) {
        p->bound = height + 1;
        if (!p->goal_stays)
            p->goal = p->bound;
    }
    if (answer == TARE__FOUND) {
        int64_t reached = 0;
        for (int32_t i = 0; i < t->n; ++i) {
            int64_t top = t->offset[i] + p->block[i].size;
            reached = top > reached ? top : reached;
        }
        tare__offer(p, t->offset, reached);
    }
    return answer;
}

tare_status tare__exact(tare__problem *p)
{
    tare_status status = tare__greedy(p);
    if (status != TARE_OK || tare__done(p) || !tare__search_fits(p))
        return status;
    tare__search *t = tare__search_new(p);
    if (!t)
        return TARE_NO_MEMORY;
    tare__answer answer = TARE__GAVE_UP;
    while (!tare__done(p) && answer != TARE__NO_MEMORY)
        answer = tare__search_within(t, p->goal, p->most_nodes - p->nodes);
    tare__search_free(t);
    return answer == TARE__NO_MEMORY ? TARE_NO_MEMORY : TARE_OK;
}
