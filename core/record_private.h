/* record_private.h - reference counts of values, inline: what dispatch, tapes and the reverse walk do all day.
 *
 * A ref keeps the record, a hold keeps the storage (value.h). All four functions are for the owning thread. */
#ifndef TARE_CORE_RECORD_PRIVATE_H
#define TARE_CORE_RECORD_PRIVATE_H

#include "runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Makes more records available: false when there is no memory. */
bool tare__values_refill(tare_runtime *);
void tare__storage_last(tare_storage *);

static inline void tare_storage_drop(tare_storage *s)
{
    if (--s->refs)
        return;
    tare_runtime *rt = s->runtime;
    size_t units = (s->bytes + TARE_ALIGNMENT - 1) / TARE_ALIGNMENT;
    if (__builtin_expect(s->bin >= TARE_EXACT_BINS, 0)) {
        tare__storage_last(s);
        return;
    }
    rt->work_bytes_live -= (int64_t)(units ? units : 1) * TARE_ALIGNMENT;
    s->next = rt->bin[s->bin];
    rt->bin[s->bin] = s;
}

/* The storage was written after its first write. */
static inline void tare_storage_wrote(tare_storage *s, const tare_op *writer)
{
    ++s->version;
    s->writer = writer;
    ++s->runtime->n_writes;
}

/* Calls queued up to the number read the storage, or write it. */
static inline void tare__storage_read_by(tare_storage *s, uint64_t number)
{
    s->read_by = number;
}
static inline void tare__storage_written_by(tare_storage *s, uint64_t number)
{
    s->written_by = number;
}

/* Waits until the host may read the storage's bytes, or write them; nothing is waited for where the device cannot be
 * followed. Does not answer data errors. */
static inline tare_status tare__storage_reach(const tare_storage *s, bool to_write)
{
    tare_device *d = s->runtime->device;
    if (!d->reach)
        return TARE_OK;
    return d->reach(d, to_write && s->read_by > s->written_by ? s->read_by : s->written_by);
}

/* Storage for a result: the pool's usual case inline. */
static inline tare_storage *tare__storage_take_work(tare_runtime *rt, size_t bytes)
{
    size_t units = bytes ? (bytes + TARE_ALIGNMENT - 1) / TARE_ALIGNMENT : 1;
    tare_storage *s = units <= TARE_EXACT_BINS ? rt->bin[units - 1] : NULL; /* bins are empty without the pool */
    if (__builtin_expect(!s, 0))
        return tare_storage_take(rt, TARE_MEMORY_WORK, bytes);
    ++rt->counts.storage_takes;
    rt->bin[units - 1] = s->next;
    s->bytes = bytes;
    s->refs = 1;
    s->version = 0;
    s->writer = NULL;
    rt->work_bytes_live += (int64_t)units * TARE_ALIGNMENT;
    if (rt->work_bytes_live > rt->work_bytes_peak)
        rt->work_bytes_peak = rt->work_bytes_live;
    return s;
}

/* A record with one ref and one hold, no storage; only counts and flags are set. NULL: out of memory. */
static inline tare_value *tare_record_take(tare_runtime *rt)
{
    if (__builtin_expect(!rt->free_values, 0) && !tare__values_refill(rt))
        return NULL;
    tare_value *v = rt->free_values;
    rt->free_values = v->next;
    /* two runs of plain stores, which the compiler makes wide */
    v->refs = v->holds = 1;
    v->depth = 0;
    v->node = v->id = -1;
    v->walk = 0;
    v->wants_gradient = v->moved = v->poison = v->view = false;
    v->runtime = rt;
    v->address = NULL;
    v->storage = NULL;
    v->base = NULL;
    v->view_offset = 0;
    v->gradient = NULL;
    v->program = NULL;
    v->name = NULL;
    return v;
}

static inline void tare_record_unhold(tare_value *v)
{
    if (--v->holds == 0 && v->storage) {
        tare_storage_drop(v->storage);
        v->storage = NULL;
        v->address = NULL;
    }
}

static inline void tare_record_unref(tare_value *v);

/* Lets a gradient slot go. */
static inline void tare_record_clear(tare_value *v)
{
    tare_value *g = v->gradient;
    if (g) {
        v->gradient = NULL;
        v->runtime->n_slots += v->node < 0;
        tare_record_unhold(g);
        tare_record_unref(g);
    }
}

static inline void tare_record_unref(tare_value *v)
{
    if (--v->refs == 0) {
        tare_record_clear(v);
        v->next = v->runtime->free_values;
        v->runtime->free_values = v;
    }
}

/* A handle: a ref and a hold together. */
static inline tare_value *tare_record_share(tare_value *v)
{
    ++v->refs;
    ++v->holds;
    return v;
}

static inline void tare_record_drop(tare_value *v)
{
    tare_record_unhold(v);
    tare_record_unref(v);
}

#ifdef __cplusplus
}
#endif
#endif
