/* cut_private.h - a network of capacities and its minimum cut (see cut.c). */
#ifndef TARE_GRAPH_CUT_PRIVATE_H
#define TARE_GRAPH_CUT_PRIVATE_H

#include "../core/program.h"

#define TARE_CUT_NEVER (INT64_C(1) << 60) /* the capacity of what must not be cut */

typedef struct {
    int32_t to, next; /* the next arc from the same node, -1 */
    int64_t room;
} tare_arc;

typedef struct {
    int32_t n, n_arcs;
    int32_t *first, *level, *at, *path; /* by node */
    tare_arc *arc;                      /* each beside its reverse: i and i ^ 1 */
} tare_network;

/* Room for so many nodes and arcs, in the arena; NO_MEMORY. */
tare_status tare__cut_init(tare_network *, tare_arena *, int32_t n_nodes, int32_t n_arcs);
void tare__cut_arc(tare_network *, int32_t from, int32_t to, int64_t capacity);
/* Finds a minimum cut; afterwards level[i] >= 0 where node i is on the source's side, the smallest such side. */
void tare__cut_find(tare_network *, int32_t source, int32_t sink);

#endif
