/* captured_arena.c - the arenas of a captured function, shared by its signatures.
 *
 * Between calls an arena belongs to nobody: the next plan that it is large enough for takes it, whichever shape that is
 * of, and one that has it again finds its addresses as they were. So alternating shapes need what the largest needs.
 * Where storage is not kept, an arena comes from the pool and goes back. */
#include "captured_private.h"

/* The idle arena that the instance had last; else the smallest that is large enough; NULL: none. Taken off the list. */
static tare_storage *idle_arena(tare_captured *c, const tare_instance *r)
{
    tare_storage **best = NULL;
    for (tare_storage **at = &c->idle_arena; *at; at = &(*at)->next) {
        if ((*at)->base == r->resolved) {
            best = at;
            break;
        }
        if ((*at)->bytes >= (size_t)r->plan->bytes.arena && (!best || (*at)->bytes < (*best)->bytes))
            best = at;
    }
    tare_storage *s = best ? *best : NULL;
    if (s)
        *best = s->next;
    return s;
}

/* No idle one is large enough: one of them makes room for the new one. */
static tare_storage *new_arena(tare_captured *c, size_t bytes)
{
    tare_storage *small = c->idle_arena;
    if (small) {
        c->idle_arena = small->next;
        tare_storage_drop(small);
    }
    return tare_storage_take(c->runtime, TARE_MEMORY_WORK, bytes);
}

tare_status tare__captured_arena_take(tare_captured *c, tare_instance *r)
{
    tare_storage *s = idle_arena(c, r);
    if (!s)
        s = new_arena(c, (size_t)r->plan->bytes.arena);
    if (!s)
        return TARE_NO_MEMORY;
    r->arena = s;
    if (s->base != r->resolved)
        tare__instance_resolve(r);
    return TARE_OK;
}

void tare__captured_arena_give(tare_captured *c, tare_instance *r)
{
    tare_storage *s = r->arena;
    r->arena = NULL;
    if (!s)
        return;
    if (!c->options.keep) {
        tare_storage_drop(s);
        return;
    }
    s->next = c->idle_arena;
    c->idle_arena = s;
}

tare_status tare__captured_reserve(tare_captured *c, size_t bytes)
{
    for (const tare_storage *s = c->idle_arena; s; s = s->next)
        if (s->bytes >= bytes)
            return TARE_OK;
    if (!c->options.keep)
        return tare_error(TARE_BAD_ARGUMENT, "captured: reserve needs `keep`: without it no storage stays");
    tare_storage *s = tare_storage_take(c->runtime, TARE_MEMORY_WORK, bytes);
    if (!s)
        return TARE_NO_MEMORY;
    s->next = c->idle_arena;
    c->idle_arena = s;
    return TARE_OK;
}

void tare__captured_shrink(tare_captured *c)
{
    while (c->idle_arena) {
        tare_storage *s = c->idle_arena;
        c->idle_arena = s->next;
        tare_storage_drop(s);
    }
}
