/* mechanisms.c - settings of the carrier (see mechanisms.h). */
#include "mechanisms.h"

#include "ladder.h"

const tare__mechanism tare__mechanisms[TARE__MECHANISMS] = {
    {TARE__DISPATCH, TARE__DISPATCH_CALL, TARE__DISPATCH_BOUND, TARE__PART_DISPATCH},
    {TARE__SHAPE, TARE__SHAPE_INFERRED, TARE__SHAPE_FROZEN, TARE__PART_SHAPE},
    {TARE__STORAGE, TARE__STORAGE_POOL, TARE__STORAGE_PLANNED, TARE__PART_ALLOCATION},
    {TARE__AUTOGRAD, TARE__AUTOGRAD_TAPE, TARE__AUTOGRAD_GRAPH, TARE__PART_TAPE},
    {TARE__API, TARE__API_INVOKE, TARE__API_FUNCTIONAL, TARE__PART_WRAPPER},
    {TARE__ENGINE, TARE__ENGINE_QUEUE, TARE__ENGINE_DIRECT, TARE__PART_SCHEDULING},
};

tare__setting tare__mechanisms_on(const tare__setting *like, unsigned set, bool with_update)
{
    tare__setting s = tare__setting_on(like, tare__rung_find("carrier"), with_update);
    for (int i = 0; i < TARE__MECHANISMS; ++i)
        s.level[tare__mechanisms[i].factor] = set >> i & 1 ? tare__mechanisms[i].on : tare__mechanisms[i].off;
    return s;
}
