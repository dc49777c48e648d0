/* depend_private.h - what every order of a plan's nodes keeps (see depend.c): read by the orders and by the bound over
 * all of them. */
#ifndef TARE_GRAPH_DEPEND_PRIVATE_H
#define TARE_GRAPH_DEPEND_PRIVATE_H

#include "graph_private.h"

typedef struct {
    int32_t n;     /* places of p->order */
    int32_t *from; /* [n + 1]: place i comes before to[from[i]] ... to[from[i + 1] - 1], some of them more than once */
    int32_t *to;
} tare_dependences;

/* Into the arena; p->order is that of the program. NO_MEMORY. */
tare_status tare__plan_depend(const tare_plan *, tare_arena *, tare_dependences *out);
/* Whether the node writes something again (a tie). */
bool tare__plan_ties(const tare_node *);

#endif
