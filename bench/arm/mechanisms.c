/* mechanisms.c - settings of the carrier (see mechanisms.h). */
#include "mechanisms.h"

#include "ladder.h"

const tare__mechanism tare__mechanisms[TARE__MECHANISMS] = {
    {TARE__DISPATCH, TARE__DISPATCH_CALL, TARE__DISPATCH_BOUND, TARE__PART_DISPATCH, TARE_CARRY_CHOSEN},
    {TARE__SHAPE, TARE__SHAPE_INFERRED, TARE__SHAPE_FROZEN, TARE__PART_SHAPE, TARE_CARRY_INFERRED},
    {TARE__STORAGE, TARE__STORAGE_POOL, TARE__STORAGE_PLANNED, TARE__PART_ALLOCATION, TARE_CARRY_POOLED},
    {TARE__AUTOGRAD, TARE__AUTOGRAD_TAPE, TARE__AUTOGRAD_GRAPH, TARE__PART_TAPE, TARE_CARRY_TAPED},
    {TARE__API, TARE__API_INVOKE, TARE__API_FUNCTIONAL, TARE__PART_WRAPPER, TARE_CARRY_NAMED},
    {TARE__ENGINE, TARE__ENGINE_QUEUE, TARE__ENGINE_DIRECT, TARE__PART_SCHEDULING, TARE_CARRY_QUEUED},
};
_Static_assert(1 << TARE__MECHANISMS == TARE_CARRY_COMBINATIONS, "one line a mechanism of the carrier");

tare__setting tare__mechanisms_on(const tare__setting *like, unsigned set, bool with_update)
{
    tare__setting s = tare__setting_on(like, tare__rung_find("carrier"), with_update);
    for (int i = 0; i < TARE__MECHANISMS; ++i)
        s.level[tare__mechanisms[i].factor] = set >> i & 1 ? tare__mechanisms[i].on : tare__mechanisms[i].off;
    return s;
}

int tare__mechanisms_combination(const tare__setting *setting)
{
    int combination = 0;
    for (int i = 0; i < TARE__MECHANISMS; ++i)
        if (setting->level[tare__mechanisms[i].factor] == tare__mechanisms[i].on)
            combination |= tare__mechanisms[i].carried;
    return combination;
}
