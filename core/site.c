/* site.c - where calls come from: operator and layer by number, so that a queued call can name itself much later.
 *
 * A call carries a number alone; by the time that a device reports it, its node, its net and its plan may be gone. So
 * the words are copied, each pair once: the table grows with the net, not with the steps. */
#include <string.h>

#include "runtime_private.h"

tare_status tare__data_error(const char *op, const char *path)
{
    tare_op named = {.name = op};
    tare_args a = {.op = &named, .path = path};
    return tare_op_error(&a, TARE_BAD_DATA, "the data hold an index out of range");
}

tare_status tare_site_error(const tare_runtime *rt, int32_t site)
{
    if (site < 0 || site >= rt->n_sites)
        return tare_error(TARE_BAD_DATA, "a queued call: the data hold an index out of range");
    return tare__data_error(rt->site[site].op, rt->site[site].path);
}

/* FNV-1a, 32 bits. */
static uint32_t hash_text(uint32_t hash, const char *text)
{
    for (; text && *text; ++text)
        hash = (hash ^ (unsigned char)*text) * 0x01000193u;
    return hash;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool make_room(tare_runtime *rt)
{
    if (rt->n_sites < rt->capacity_sites)
        return true;
    int32_t capacity = rt->capacity_sites ? rt->capacity_sites * 2 : 64;
    tare_site *grown = tare_memory_resize(&rt->memory, TARE_MEMORY_RECORD, rt->site,
                                          (size_t)rt->capacity_sites * sizeof *grown, (size_t)capacity * sizeof *grown);
    if (!grown)
        return false;
    rt->site = grown;
    rt->capacity_sites = capacity;
    return true;
}

/* A copy; *out NULL for NULL. false: no memory. */
static bool keep_text(tare_runtime *rt, const char *text, const char **out)
{
    size_t bytes = text ? strlen(text) + 1 : 0;
    char *kept = text ? tare_arena_take(&rt->site_text, bytes) : NULL;
    *out = kept ? memcpy(kept, text, bytes) : NULL;
    return kept || !text;
}

/* The words are compared: a pointer that means others by now only misses. */
static bool is_site(const tare_runtime *rt, int32_t s, const char *op, const char *path)
{
    return s >= 0 && same_text(rt->site[s].op, op) && same_text(rt->site[s].path, path);
}

static tare_status find_site(tare_runtime *rt, const char *op, const char *path, int32_t *out)
{
    int32_t *head = &rt->site_head[hash_text(hash_text(0x811c9dc5u, op), path) % TARE_SITE_HEADS];
    for (int32_t s = *head - 1; s >= 0; s = rt->site[s].next) {
        if (is_site(rt, s, op, path)) {
            *out = s;
            return TARE_OK;
        }
    }
    tare_site made = {.next = *head - 1};
    if (!make_room(rt) || !keep_text(rt, op, &made.op) || !keep_text(rt, path, &made.path))
        return TARE_NO_MEMORY;
    rt->site[rt->n_sites] = made;
    *out = rt->n_sites++;
    *head = rt->n_sites;
    return TARE_OK;
}

tare_status tare__site_of(tare_runtime *rt, const char *op, const char *path, int32_t *out)
{
    uint64_t mixed = ((uint64_t)(uintptr_t)op + (uint64_t)(uintptr_t)path * 31) * UINT64_C(0x9e3779b97f4a7c15);
    int32_t *recent = &rt->site_recent[(mixed >> 32) % TARE_SITE_RECENT];
    *out = *recent - 1;
    if (__builtin_expect(is_site(rt, *out, op, path), 1))
        return TARE_OK;
    tare_status status = find_site(rt, op, path, out);
    if (status == TARE_OK)
        *recent = *out + 1;
    return status;
}

void tare__sites_fini(tare_runtime *rt)
{
    tare_memory_give(&rt->memory, TARE_MEMORY_RECORD, rt->site, (size_t)rt->capacity_sites * sizeof *rt->site);
    tare_arena_fini(&rt->site_text);
}
