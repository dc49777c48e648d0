/* portfolio.c - the packers that reuse memory, one after the other, until the goal is reached.
 *
 * Two greedy rules that fill valleys come first: they cost next to nothing and most nets need no more. Then the search
 * goes down to the goal a few times, which is greedy too; then come the other rules, and then the search for the goal,
 * in slices that grow. Where the goal is the lower bound, which need not be reachable, each slice is followed by tries
 * half-way between it and the best so far: a packing is at hand whenever the effort ends, and lower the later it does.
 * Problems too large for the tables of a search have to do with the rules. */
#include "pack_private.h"

enum { FIRST_RULES = 2, FIRST_DESCENTS = 3 };

/* Halves what is between the goal and the best as long as that is worth something. */
static tare__answer approach(tare__problem *p, tare__search *search, int64_t nodes)
{
    int64_t low = p->goal;
    tare__answer answer = TARE__GAVE_UP;
    while (!tare__done(p) && answer != TARE__NO_MEMORY && p->best_height - low > 1 + p->goal / 1024) {
        int64_t middle = low + (p->best_height - low) / 2;
        answer = tare__search_within(search, middle, nodes);
        if (answer != TARE__FOUND)
            low = middle;
    }
    return answer;
}

static tare__answer search_on(tare__problem *p, tare__search *search, int64_t slice)
{
    tare__answer answer = TARE__GAVE_UP;
    for (; !tare__done(p) && answer != TARE__NO_MEMORY; slice *= 2) {
        answer = tare__search_within(search, p->goal, slice);
        if (answer == TARE__GAVE_UP && !p->goal_stays)
            answer = approach(p, search, slice / 4);
    }
    return answer;
}

tare_status tare__portfolio(tare__problem *p)
{
    bool searches = tare__search_fits(p);
    tare_status status = tare__greedy_rules(p, 0, searches ? FIRST_RULES : INT32_MAX);
    if (status != TARE_OK || tare__done(p) || !searches)
        return status;
    tare__search *search = tare__search_new(p);
    tare__answer answer = TARE__NO_MEMORY;
    if (search)
        answer = tare__search_within(search, p->goal, FIRST_DESCENTS * (int64_t)p->n);
    if (answer == TARE__GAVE_UP)
        status = tare__greedy_rules(p, FIRST_RULES, INT32_MAX);
    if (answer != TARE__NO_MEMORY && status == TARE_OK)
        answer = search_on(p, search, 4 * (int64_t)p->n);
    tare__search_free(search);
    return answer == TARE__NO_MEMORY ? TARE_NO_MEMORY : status;
}
