/* derived.h - the derived tests of an operator, in runtimes with options of the test's own. */
#ifndef TARE_TESTS_DERIVED_H
#define TARE_TESTS_DERIVED_H

#include "../bench/derive/derived.h"
#include "../graph/graph.h"
#include "../ops/ops.h"

/* Of the differences a sanitizer is shown one direction an input: more repeat the same calls on other numbers. */
#ifdef __SANITIZE_ADDRESS__
enum { DERIVED_BRIEFLY = true };
#else
enum { DERIVED_BRIEFLY = false };
#endif

/* A runtime with those options in which the operator is registered, a built-in one or a test's own. */
static inline tare_status derived_start(const void *op, const tare_options *options, tare_runtime **out)
{
    tare_runtime *rt;
    tare_status status = tare_start(options, &rt);
    if (status != TARE_OK)
        return status;
    status = tare_graph_register(rt);
    if (status == TARE_OK && tare_runtime_kernels(rt, op)->op != op)
        status = tare_register(rt, TARE_KIND_OPERATOR, op);
    if (status == TARE_OK)
        *out = rt;
    else
        tare_runtime_free(rt);
    return status;
}

static inline void derive(const tare_op *op, tare__findings *f)
{
    *f = (tare__findings){.op = op};
    tare__derive(&(tare__maker){.start = derived_start, .owner = op, .briefly = DERIVED_BRIEFLY}, f);
}

#endif
