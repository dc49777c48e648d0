/* plan_copy.h - a copy of a plan's tables, to be changed in one place; the checker must then say so. */
#ifndef TARE_TESTS_PLAN_COPY_H
#define TARE_TESTS_PLAN_COPY_H

#include "../graph/graph_private.h"
#include "spine.h"

static inline void *plan_copied(const void *from, size_t bytes)
{
    void *to = malloc(bytes + 1);
    memcpy(to, from, bytes);
    return to;
}

/* The graph, nodes, works and records of values stay the plan's own. */
static inline void plan_copy(tare_plan *copy, const tare_plan *p)
{
    *copy = *p;
    copy->address = plan_copied(p->address, (size_t)p->n_address * sizeof *p->address);
    copy->buffer = plan_copied(p->buffer, (size_t)p->n_buffer * sizeof *p->buffer);
    copy->call = plan_copied(p->call, (size_t)p->n_calls * sizeof *p->call);
    copy->node = plan_copied(p->node, (size_t)p->n_calls * sizeof *p->node);
    copy->outside = plan_copied(p->outside, (size_t)p->n_outside * sizeof *p->outside);
    copy->placed = plan_copied(p->placed, (size_t)p->n_values * sizeof *p->placed);
}

static inline void plan_copy_fini(tare_plan *copy)
{
    free(copy->address);
    free(copy->buffer);
    free(copy->call);
    free(copy->node);
    free(copy->outside);
    free(copy->placed);
}

static inline void expect_fault(const tare_plan *copy, const char *what, int at)
{
    tare_status status = tare__plan_check(copy);
    ck_assert_msg(status == TARE_IMPOSSIBLE, "%s %d: %s (%s)", what, at, tare_status_name(status),
                  status ? tare_error_text() : "the checker saw nothing");
}

#endif
