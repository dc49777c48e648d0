/* strategies.h - how many bytes a step takes by each way of laying memory out, and what no way can do without. */
#ifndef TARE_BENCH_STRATEGIES_H
#define TARE_BENCH_STRATEGIES_H

#include <jansson.h>

#include "arm.h"

/* X(field, text, bound): the fields of a record's `plan`, most bytes first as a rule; bound: no strategy but a bound.
 */
#define TARE__STRATEGIES(X)                                                                                            \
    X(naive, "each result its own", false)                                                                             \
    X(pool, "caching pool (imperative)", false)                                                                        \
    X(refcount, "reference counting", false)                                                                           \
    X(shared_object, "shared objects (as MXNet's planner)", false)                                                     \
    X(arena, "arena (the plan)", false)                                                                                \
    X(lower_bound_no_inplace, "lower bound, nothing in place", true)                                                   \
    X(lower_bound, "lower bound", true)                                                                                \
    X(order_free_floor, "floor of all orders", true)

/* Bytes, in units of 64; -1: not known. */
typedef struct {
#define TARE__STRATEGY_FIELD(field, text, bound) int64_t field;
    TARE__STRATEGIES(TARE__STRATEGY_FIELD)
#undef TARE__STRATEGY_FIELD
} tare__strategies;

typedef struct {
    const char *field, *text;
    bool bound;
} tare__strategy;
enum {
#define TARE__STRATEGY_ONE(field, text, bound) TARE__STRATEGY_##field,
    TARE__STRATEGIES(TARE__STRATEGY_ONE)
#undef TARE__STRATEGY_ONE
        TARE__STRATEGY_COUNT
};
extern const tare__strategy tare__strategy_list[TARE__STRATEGY_COUNT];
int64_t tare__strategy_bytes(const tare__strategies *, int strategy);

/* Of an arm's plan; the pool, which is no plan's, is -1. */
tare_status tare__strategies_take(const tare__arm *, tare__strategies *);
/* {field: bytes}, a new object; null where not known. */
json_t *tare__strategies_json(const tare__strategies *);
/* And back; what is null is -1. */
tare__strategies tare__strategies_read(const json_t *);

#endif
