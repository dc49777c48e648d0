/* value.c - records of values and storages, handles, and copying to and from the host. */
#include "value.h"

#include <string.h>

#include "record_private.h"
#include "runtime_private.h"

/* ---- records: slabs, threaded into free lists, freed with the runtime -------------------------------------------*/
typedef struct tare_slab {
    struct tare_slab *next;
    size_t bytes;
} tare_slab;

enum { SLAB_RECORDS = 128 };

static void *slab_take(tare_runtime *rt, size_t record_bytes)
{
    size_t bytes = TARE_ALIGNMENT + SLAB_RECORDS * record_bytes;
    tare_slab *slab = tare_memory_take(&rt->memory, TARE_MEMORY_RECORD, bytes);
    if (!slab)
        return NULL;
    slab->next = rt->slabs;
    slab->bytes = bytes;
    rt->slabs = slab;
    return (char *)slab + TARE_ALIGNMENT;
}

bool tare__values_refill(tare_runtime *rt)
{
    tare_value *v = slab_take(rt, sizeof *v);
    for (int i = 0; v && i < SLAB_RECORDS; ++i) {
        v[i].n_dropped = 0; /* and 0 again whenever a record is free */
        v[i].next = rt->free_values;
        rt->free_values = &v[i];
    }
    return v != NULL;
}

tare_storage *tare__storage_record(tare_runtime *rt)
{
    if (!rt->free_storages) {
        tare_storage *s = slab_take(rt, sizeof *s);
        for (int i = 0; s && i < SLAB_RECORDS; ++i) {
            s[i].next = rt->free_storages;
            rt->free_storages = &s[i];
        }
    }
    tare_storage *s = rt->free_storages;
    if (s)
        rt->free_storages = s->next;
    return s;
}

void tare__records_fini(tare_runtime *rt)
{
    while (rt->slabs) {
        tare_slab *next = rt->slabs->next;
        tare_memory_give(&rt->memory, TARE_MEMORY_RECORD, rt->slabs, rt->slabs->bytes);
        rt->slabs = next;
    }
}

/* ---- handles -----------------------------------------------------------------------------------------------------*/
void tare__records_drain(tare_runtime *rt)
{
    if (!__atomic_load_n(&rt->has_dropped, __ATOMIC_ACQUIRE))
        return;
    ++rt->counts.locks;
    (void)pthread_mutex_lock(&rt->dropped_lock);
    tare_value *v = rt->dropped;
    rt->dropped = NULL;
    __atomic_store_n(&rt->has_dropped, false, __ATOMIC_RELEASE);
    while (v) { /* under the lock: a record still held elsewhere may be dropped and listed again */
        tare_value *next = v->next;
        int32_t n = v->n_dropped;
        v->n_dropped = 0;
        for (; n > 0; --n)
            tare_record_drop(v);
        v = next;
    }
    (void)pthread_mutex_unlock(&rt->dropped_lock);
}

tare_value *tare_value_share(tare_value *v)
{
    return v->poison ? v : tare_record_share(v);
}

void tare_value_drop(tare_value *v)
{
    if (!v || v->poison)
        return;
    tare_runtime *rt = v->runtime;
    if (pthread_equal(pthread_self(), rt->owner)) {
        tare_record_drop(v);
        return;
    }
    (void)pthread_mutex_lock(&rt->dropped_lock);
    if (v->n_dropped++ == 0) {
        v->next = rt->dropped;
        rt->dropped = v;
    }
    __atomic_store_n(&rt->has_dropped, true, __ATOMIC_RELEASE);
    (void)pthread_mutex_unlock(&rt->dropped_lock);
}

static tare_status value_over(tare_runtime *rt, const tare_desc *d, tare_storage *s, tare_value **out)
{
    tare_value *v = tare_record_take(rt);
    if (!v)
        return TARE_NO_MEMORY;
    v->d = *d;
    v->storage = s;
    v->address = s->base;
    *out = v;
    return TARE_OK;
}

static tare_status check_plain(const tare_desc *d)
{
    tare_status status = tare_desc_check(d);
    if (status == TARE_OK && !d->contiguous)
        status = tare_error(TARE_BAD_SHAPE, "a new value needs a contiguous shape");
    return status;
}

tare_status tare_value_new(tare_runtime *rt, const tare_desc *d, tare_memory_category category, tare_value **out)
{
    tare__records_drain(rt);
    tare_status status = check_plain(d);
    if (status != TARE_OK)
        return status;
    tare_storage *s = tare_storage_take(rt, category, tare_desc_bytes(d));
    if (!s)
        return TARE_NO_MEMORY;
    status = value_over(rt, d, s, out);
    if (status != TARE_OK)
        tare_storage_drop(s);
    return status;
}

tare_status tare_value_foreign(tare_runtime *rt, const tare_desc *d, void *base, void (*release)(tare_storage *),
                               void *owner, tare_value **out)
{
    tare__records_drain(rt);
    tare_status status = tare_desc_check(d);
    if (status != TARE_OK)
        return status;
    if (!base || !release)
        return tare_error(TARE_BAD_ARGUMENT, "foreign memory needs an address and a release function");
    tare_storage *s = tare__storage_record(rt);
    if (!s)
        return TARE_NO_MEMORY;
    *s = (tare_storage){.base = base,
                        .bytes = tare_desc_bytes(d),
                        .refs = 1,
                        .runtime = rt,
                        .bin = TARE_BIN_NONE,
                        .category = TARE_MEMORY_INPUT,
                        .release = release,
                        .owner = owner};
    status = value_over(rt, d, s, out);
    if (status != TARE_OK) {
        s->next = rt->free_storages;
        rt->free_storages = s;
    }
    return status;
}

/* ---- host copies
 * ---------------------------------------------------------------------------------------------------*/
static tare_status check_copy(const tare_value *v, const void *host, size_t bytes)
{
    if (v->poison || !v->storage)
        return tare_error(TARE_BAD_ARGUMENT, "the value has no data%s%s", v->name ? ": " : "", v->name ? v->name : "");
    if (bytes != tare_desc_bytes(&v->d) || (!host && bytes))
        return tare_error(TARE_BAD_ARGUMENT, "%zu bytes were given for a value of %zu", bytes, tare_desc_bytes(&v->d));
    return TARE_OK;
}

/* Moves the elements of a strided value, in C order, between `first` (its element 0, in host memory) and `host`. */
static void move_elements(const tare_desc *d, char *first, char *host, bool to_host)
{
    size_t item = tare_dtype_bytes((tare_dtype)d->dtype);
    int64_t n = tare_desc_count(d), index[TARE_RANK] = {0};
    for (int64_t i = 0; i < n; ++i) {
        int64_t at = 0;
        for (int k = 0; k < d->rank; ++k)
            at += index[k] * d->stride[k];
        char *element = first + at * (int64_t)item, *place = host + i * (int64_t)item;
        memcpy(to_host ? place : element, to_host ? element : place, item);
        for (int k = d->rank - 1; k >= 0 && ++index[k] == d->dim[k]; --k)
            index[k] = 0;
    }
}

/* Bytes from the lowest to the end of the highest element; *before: how many lie before element 0. */
static size_t span_bytes(const tare_desc *d, size_t *before)
{
    int64_t low = 0, high = 0;
    for (int k = 0; k < d->rank; ++k) {
        int64_t last = (d->dim[k] - 1) * d->stride[k];
        low += last < 0 ? last : 0;
        high += last > 0 ? last : 0;
    }
    size_t item = tare_dtype_bytes((tare_dtype)d->dtype);
    *before = (size_t)-low * item;
    return (size_t)(high - low + 1) * item;
}

/* Where the host cannot follow the addresses now, the whole span travels once: over, and for a write back again. */
static tare_status copy_strided(const tare_value *v, char *host, bool to_host)
{
    tare_device *d = v->runtime->device;
    tare_memory *memory = &v->runtime->memory;
    if (d->host_visible && (d->synchronous || d->reach)) {
        move_elements(&v->d, v->address, host, to_host);
        return TARE_OK;
    }
    size_t before, bytes = span_bytes(&v->d, &before);
    char *stage = tare_memory_take(memory, TARE_MEMORY_RECORD, bytes), *lowest = (char *)v->address - before;
    tare_status status = stage ? d->copy(d, stage, lowest, bytes, TARE_COPY_TO_HOST) : TARE_NO_MEMORY;
    if (status == TARE_OK)
        move_elements(&v->d, stage + before, host, to_host);
    if (status == TARE_OK && !to_host)
        status = d->copy(d, lowest, stage, bytes, TARE_COPY_TO_DEVICE);
    tare_memory_give(memory, TARE_MEMORY_RECORD, stage, bytes);
    return status;
}

tare_status tare_value_read(const tare_value *v, void *to, size_t bytes)
{
    tare_status status = check_copy(v, to, bytes);
    if (status != TARE_OK)
        return status; /* poison has no runtime */
    tare_device *d = v->runtime->device;
    status = d->reach ? tare__storage_reach(v->storage, false) : d->wait(d);
    if (status == TARE_OK && tare_device_faulted(d))
        status = d->wait(d);
    if (status != TARE_OK || bytes == 0)
        return status;
    return v->d.contiguous ? d->copy(d, to, v->address, bytes, TARE_COPY_TO_HOST) : copy_strided(v, to, true);
}

tare_status tare_value_write(tare_value *v, const void *from, size_t bytes)
{
    static const tare_op writer = {.name = "tare_value_write"};
    tare_status status = check_copy(v, from, bytes);
    if (status != TARE_OK)
        return status;
    tare_device *d = v->runtime->device;
    tare_storage_wrote(v->storage, &writer);
    status = bytes == 0 ? TARE_OK : tare__storage_reach(v->storage, true);
    if (status != TARE_OK || bytes == 0)
        return status;
    if (v->d.contiguous)
        return d->copy(d, v->address, from, bytes, TARE_COPY_TO_DEVICE);
    char *bytes_in = (char *)(uintptr_t)from; /* only read in this direction */
    return copy_strided(v, bytes_in, false);
}

/* ---- gradients
 * -----------------------------------------------------------------------------------------------------*/
void tare_value_want_gradient(tare_value *v, bool want)
{
    v->wants_gradient = want;
    if (v->runtime)
        ++v->runtime->n_wants;
}

tare_value *tare_value_gradient(const tare_value *v)
{
    return v->gradient;
}

static __attribute__((noinline)) void clear_last(tare_value *v)
{
    tare_record_clear(v);
}

void tare_value_clear_gradient(tare_value *v)
{
    tare_value *g = v->gradient;
    if (!g)
        return;
    if (g->refs == 1 || g->holds == 1) {
        clear_last(v);
        return;
    }
    ++v->runtime->n_slots;
    v->gradient = NULL; /* a captured function keeps it */
    --g->refs;
    --g->holds;
}
