/* shared_object.c - objects that are handed on, and none at all: what planning is measured against.
 *
 * As MXNet plans (nnvm, src/pass/plan_memory.cc, class GraphAllocator: Request and Release, match range 16): a buffer
 * takes over a free object, first the smallest that is large enough and at most 16 times too large, else the largest
 * that is not too small by more than 16 times, which then grows; else a new one. At its end the object is free again.
 * What begins at one time asks in the order of its size, the largest first; what ended by then is free before.
 * The memory is the sum of the objects: buffers share whole objects, never parts of one.
 *
 * A caching pool hands on blocks in the same way, but of one size class each, which never grow (core/storage.c). */
#include <stdlib.h>
#include <string.h>

#include "pack_private.h"

enum { MATCH = 16 };

typedef struct {
    int64_t size, offset;
} object;

typedef struct {
    object *object;
    int32_t *free; /* by size; of equal ones the first freed first */
    int32_t n, n_free;
} pool;

/* The first free one of at least so many units. */
static int32_t first_of(const pool *o, int64_t size)
{
    int32_t low = 0, high = o->n_free;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (o->object[o->free[middle]].size < size)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

typedef enum { NOTHING, GROWING, CLASSES } sharing;

static int32_t take(pool *o, int32_t at)
{
    int32_t taken = o->free[at];
    memmove(o->free + at, o->free + at + 1, (size_t)(--o->n_free - at) * sizeof *o->free);
    return taken;
}

static int32_t make(pool *o, int64_t size)
{
    o->object[o->n] = (object){.size = size};
    return o->n++;
}

/* The object that a buffer gets whose class has so many units. */
static int32_t request_class(pool *o, int64_t size)
{
    int32_t at = first_of(o, size);
    return at < o->n_free && o->object[o->free[at]].size == size ? take(o, at) : make(o, size);
}

/* The object that a buffer of so many units gets. */
static int32_t request(pool *o, int64_t size)
{
    int32_t at = first_of(o, size);
    if (at == o->n_free || (o->object[o->free[at]].size + MATCH - 1) / MATCH > size)
        --at; /* none that is large enough: the largest of those that are not */
    if (at < 0 || o->object[o->free[at]].size < (size + MATCH - 1) / MATCH)
        return make(o, size);
    int32_t taken = take(o, at);
    if (o->object[taken].size < size)
        o->object[taken].size = size;
    return taken;
}

static void release(pool *o, int32_t taken)
{
    int32_t at = first_of(o, o->object[taken].size + 1);
    memmove(o->free + at + 1, o->free + at, (size_t)(o->n_free++ - at) * sizeof *o->free);
    o->free[at] = taken;
}

/* Offsets from the objects' sizes, above whatever is fixed. */
static void lay_out(tare__problem *p, pool *o, const int32_t *object_of, int64_t *offset)
{
    int64_t height = 0;
    for (int32_t i = 0; i < p->n; ++i) {
        const tare__block *b = &p->block[i];
        height = b->fixed >= 0 && b->fixed + b->size > height ? b->fixed + b->size : height;
    }
    for (int32_t k = 0; k < o->n; ++k) {
        o->object[k].offset = height;
        height += o->object[k].size;
    }
    for (int32_t i = 0; i < p->n; ++i)
        offset[i] = p->block[i].fixed >= 0 ? p->block[i].fixed : o->object[object_of[i]].offset;
    tare__offer(p, offset, height);
}

static tare_status by_objects(tare__problem *p, sharing how)
{
    size_t n = (size_t)p->n;
    pool o = {.object = tare_arena_take(&p->arena, n * sizeof *o.object),
              .free = tare_arena_take(&p->arena, n * sizeof *o.free)};
    int32_t *births = tare_arena_take(&p->arena, n * sizeof *births);
    int32_t *deaths = tare_arena_take(&p->arena, n * sizeof *deaths);
    int32_t *object_of = tare_arena_take(&p->arena, n * sizeof *object_of);
    int64_t *offset = tare_arena_take(&p->arena, n * sizeof *offset);
    if (!o.object || !o.free || !births || !deaths || !object_of || !offset)
        return TARE_NO_MEMORY;
    tare__order(p, how == GROWING ? "<S" : "<", NULL, births);
    tare__order(p, ">", NULL, deaths);
    int32_t dead = 0;
    for (int32_t k = 0; k < p->n; ++k) {
        const tare__block *b = &p->block[births[k]];
        if (b->fixed >= 0)
            continue;
        for (; how != NOTHING && p->block[deaths[dead]].end < b->begin; ++dead)
            if (p->block[deaths[dead]].fixed < 0)
                release(&o, object_of[deaths[dead]]);
        object_of[births[k]] =
            how == CLASSES ? request_class(&o, (tare_storage_block_bytes(b->size * p->unit) + p->unit - 1) / p->unit)
                           : request(&o, b->size);
    }
    lay_out(p, &o, object_of, offset);
    return TARE_OK;
}

tare_status tare__shared_object(tare__problem *p)
{
    return by_objects(p, GROWING);
}

tare_status tare__pool(tare__problem *p)
{
    return by_objects(p, CLASSES);
}

tare_status tare__none(tare__problem *p)
{
    return by_objects(p, NOTHING);
}
