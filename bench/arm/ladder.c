/* ladder.c - the way down the rungs (see ladder.h). */
#include "ladder.h"

#include <string.h>

enum { EITHER, WITHOUT, WITH };

static const struct {
    const char *from, *to;
    tare__part part;
    int update; /* with an optimizer, without one, or either */
} steps[] = {
    {"invoke", "functional", TARE__PART_WRAPPER, EITHER},
    {"hybridblock", "block", TARE__PART_WRAPPER, EITHER},
    {"block", "functional", TARE__PART_WRAPPER, EITHER},
    {"functional", "symbol", TARE__PART_UNATTRIBUTED, EITHER},
    {"symbolblock", "hybridized", TARE__PART_WRAPPER, EITHER},
    {"hybridized", "static_alloc", TARE__PART_ALLOCATION, EITHER},
    {"static_alloc", "static_shape", TARE__PART_DISPATCH, EITHER},
    {"static_shape", "symbol", TARE__PART_TAPE, EITHER},
    {"symbol", "kernels", TARE__PART_SCHEDULING, WITHOUT},
    {"symbol", "step", TARE__PART_OPTIMIZER, WITH},
    {"step", "kernels", TARE__PART_SCHEDULING, EITHER},
};

int tare__ladder_down(const tare__rung *rung, bool with_update, tare__ladder_step step[TARE__LADDER_MOST])
{
    int n = 0;
    for (size_t i = 0; i < sizeof steps / sizeof *steps && n < TARE__LADDER_MOST; ++i) {
        if (strcmp(steps[i].from, rung->name) != 0 || steps[i].update == (with_update ? WITHOUT : WITH))
            continue;
        rung = tare__rung_find(steps[i].to);
        step[n++] = (tare__ladder_step){rung, steps[i].part};
        i = (size_t)-1;
    }
    return n;
}

tare__setting tare__setting_on(const tare__setting *from, const tare__rung *rung, bool with_update)
{
    tare__setting own = tare__setting_of(from->rung, with_update), to = tare__setting_of(rung, with_update);
    for (int f = 0; f < TARE__FACTOR_COUNT; ++f) {
        const tare__cell *cell = tare__setting_cell(&to, f);
        char name[32];
        if (from->level[f] != own.level[f] &&
            (!cell->flips || tare__level_in(cell->flips, tare__level_name(f, from->level[f], name))))
            to.level[f] = from->level[f];
    }
    return to;
}
