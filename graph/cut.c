/* cut.c - the minimum cut of a network: E. A. Dinic, Algorithm for solution of a problem of maximum flow in networks
 * with power estimation, Soviet Math. Doklady 11, 1970. Paths are kept on a list: no recursion. */
#include "cut_private.h"

#include <string.h>

tare_status tare__cut_init(tare_network *c, tare_arena *arena, int32_t n_nodes, int32_t n_arcs)
{
    size_t nodes = (size_t)n_nodes * sizeof *c->first;
    c->n = n_nodes;
    c->n_arcs = 0;
    c->first = tare_arena_take(arena, nodes);
    c->level = tare_arena_take(arena, nodes);
    c->at = tare_arena_take(arena, nodes);
    c->path = tare_arena_take(arena, nodes);
    c->arc = tare_arena_take(arena, 2 * (size_t)n_arcs * sizeof *c->arc);
    if (!c->first || !c->level || !c->at || !c->path || !c->arc)
        return TARE_NO_MEMORY;
    memset(c->first, -1, nodes);
    return TARE_OK;
}

void tare__cut_arc(tare_network *c, int32_t from, int32_t to, int64_t capacity)
{
    c->arc[c->n_arcs] = (tare_arc){to, c->first[from], capacity};
    c->first[from] = c->n_arcs++;
    c->arc[c->n_arcs] = (tare_arc){from, c->first[to], 0};
    c->first[to] = c->n_arcs++;
}

/* Distances from the source along arcs with room, -1 where there is no way; whether the sink has one. */
static bool find_levels(tare_network *c, int32_t source, int32_t sink)
{
    memset(c->level, -1, (size_t)c->n * sizeof *c->level);
    int32_t *queue = c->path, head = 0, tail = 0;
    c->level[source] = 0;
    queue[tail++] = source;
    while (head < tail) {
        int32_t node = queue[head++];
        for (int32_t a = c->first[node]; a >= 0; a = c->arc[a].next) {
            if (c->arc[a].room == 0 || c->level[c->arc[a].to] >= 0)
                continue;
            c->level[c->arc[a].to] = c->level[node] + 1;
            queue[tail++] = c->arc[a].to;
        }
    }
    return c->level[sink] >= 0;
}

/* Sends as much as the narrowest arc of the path has room for, and returns where to go on: before that arc. */
static int32_t send(tare_network *c, int32_t length)
{
    int64_t most = TARE_CUT_NEVER;
    int32_t narrow = 0;
    for (int32_t i = 0; i < length; ++i)
        if (c->arc[c->path[i]].room < most)
            most = c->arc[c->path[i]].room;
    for (int32_t i = length - 1; i >= 0; --i) {
        c->arc[c->path[i]].room -= most;
        c->arc[c->path[i] ^ 1].room += most;
        narrow = c->arc[c->path[i]].room == 0 ? i : narrow;
    }
    return narrow;
}

/* Fills the network of levels: paths from the source whose arcs go one level down each. */
static void fill_levels(tare_network *c, int32_t source, int32_t sink)
{
    int32_t length = 0, node = source;
    memcpy(c->at, c->first, (size_t)c->n * sizeof *c->at);
    for (;;) {
        int32_t a = c->at[node];
        while (a >= 0 && (c->arc[a].room == 0 || c->level[c->arc[a].to] != c->level[node] + 1))
            a = c->arc[a].next;
        c->at[node] = a;
        if (a >= 0) {
            c->path[length++] = a;
            node = c->arc[a].to;
            if (node == sink) {
                length = send(c, length);
                node = c->arc[c->path[length] ^ 1].to;
            }
        } else if (length == 0) {
            return;
        } else { /* a dead end */
            c->level[node] = -1;
            node = c->arc[c->path[--length] ^ 1].to;
        }
    }
}

void tare__cut_find(tare_network *c, int32_t source, int32_t sink)
{
    while (find_levels(c, source, sink))
        fill_levels(c, source, sink);
}
