/* strategies.c - bytes by strategy (see strategies.h). */
#include "strategies.h"

#include <stdlib.h>

#include "../../pack/pack.h"

#define TARE__STRATEGY_LINE(field, text, bound) {#field, text, bound},
const tare__strategy tare__strategy_list[TARE__STRATEGY_COUNT] = {TARE__STRATEGIES(TARE__STRATEGY_LINE)};
#undef TARE__STRATEGY_LINE

int64_t tare__strategy_bytes(const tare__strategies *s, int strategy)
{
    const int64_t bytes[] = {
#define TARE__STRATEGY_BYTES(field, text, bound) s->field,
        TARE__STRATEGIES(TARE__STRATEGY_BYTES)
#undef TARE__STRATEGY_BYTES
    };
    return bytes[strategy];
}

/* The plan's blocks, given to the packer that hands whole objects on. */
static tare_status share_objects(const tare__arm *a, int64_t *bytes)
{
    const tare_plan_block *block;
    int n = tare_plan_blocks(a->plan, &block);
    const tare_packer *packer = tare_find(a->rt, TARE_KIND_PACKER, "shared_object");
    tare_interval *interval = tare__take((size_t)n + 1, sizeof *interval);
    for (int i = 0; i < n; ++i)
        interval[i] = (tare_interval){.lower = block[i].lower, .upper = block[i].upper, .bytes = block[i].bytes};
    tare_packing packing;
    tare_status status = packer ? tare_pack(&a->rt->memory, packer, &(tare_pack_options){.alignment = TARE_ALIGNMENT},
                                            interval, n, &packing)
                                : TARE_NOT_FOUND;
    if (status == TARE_OK)
        *bytes = packing.height;
    free(interval);
    return status;
}

tare_status tare__strategies_take(const tare__arm *a, tare__strategies *s)
{
    tare_plan_bytes bytes = tare_plan_size(a->plan);
    *s = (tare__strategies){.naive = bytes.naive,
                            .refcount = bytes.refcount,
                            .pool = -1,
                            .arena = bytes.arena,
                            .lower_bound = bytes.lower_bound,
                            .lower_bound_no_inplace = bytes.lower_bound_no_inplace};
    tare_status status = share_objects(a, &s->shared_object);
    return status == TARE_OK ? tare_plan_floor(a->plan, &s->order_free_floor) : status;
}

json_t *tare__strategies_json(const tare__strategies *s)
{
    json_t *plan = json_object();
    for (int i = 0; i < TARE__STRATEGY_COUNT; ++i) {
        int64_t bytes = tare__strategy_bytes(s, i);
        json_object_set_new(plan, tare__strategy_list[i].field, bytes < 0 ? json_null() : json_integer(bytes));
    }
    return plan;
}

static int64_t bytes_or_none(const json_t *value)
{
    return json_is_integer(value) ? json_integer_value(value) : -1;
}

tare__strategies tare__strategies_read(const json_t *plan)
{
    return (tare__strategies){
#define TARE__STRATEGY_READ(field, text, bound) .field = bytes_or_none(json_object_get(plan, #field)),
        TARE__STRATEGIES(TARE__STRATEGY_READ)
#undef TARE__STRATEGY_READ
    };
}
