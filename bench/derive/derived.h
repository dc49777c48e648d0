/* derived.h - everything that follows from one operator's record, checked: a new operator is covered with no edit.
 *
 * Each usable variant against the float64 reference, in place, in other orders, at other addresses; gradients against
 * differences; `needs` by garbage in the rest; every way of running it bit for bit; rejects with the promised text;
 * every allocation failing. `tare check` and the project's own tests run this one body. */
#ifndef TARE_BENCH_DERIVED_H
#define TARE_BENCH_DERIVED_H

#include "../../core/runtime.h"
#include "findings.h"

/* How the runtimes of a check are made. */
typedef struct {
    /* With those options, the graph's records and the operator registered. */
    tare_status (*start)(const void *owner, const tare_options *, tare_runtime **out);
    const void *owner;
    bool elsewhere; /* on a device of its own: kernels called by hand, which no device sees, are left out */
    bool briefly;   /* differences along one direction an input, no element */
} tare__maker;

/* Runs all checks; what they find is added to the findings, whose `op` is the operator. */
void tare__derive(const tare__maker *, tare__findings *);

#endif
