/* storage.c - storages, and the caching pool they come from.
 *
 * The pool keeps free blocks by size: exact in units of 64 bytes up to 64 KiB, above that in eight classes a power of
 * two, so that a block wastes at most an eighth. A storage record keeps its block while it lies in a bin: taking is
 * one list operation. Only WORK is pooled; parameters, optimizer state and inputs come and go rarely.
 * What is counted as live is what was asked for, in 64-byte units, whatever the block's size. */
#include <string.h>

#include "record_private.h"
#include "runtime_private.h"

enum { UNIT = TARE_ALIGNMENT, SUBCLASSES = 8 };

static int64_t units_of(size_t bytes)
{
    return bytes == 0 ? 1 : (int64_t)((bytes + UNIT - 1) / UNIT);
}

/* The bin of a request of `units`, and the units of the blocks in it. */
static int bin_of(int64_t units, int64_t *block_units)
{
    if (units <= TARE_EXACT_BINS) {
        *block_units = units;
        return (int)units - 1;
    }
    int exponent = 63 - __builtin_clzll((uint64_t)(units - 1));
    int64_t step = (INT64_C(1) << exponent) / SUBCLASSES;
    int64_t class = (units - (INT64_C(1) << exponent) + step - 1) / step; /* 1 .. 8 */
    *block_units = (INT64_C(1) << exponent) + class * step;
    return TARE_EXACT_BINS + (exponent - 10) * SUBCLASSES + (int)class - 1;
}

int64_t tare_storage_block_bytes(int64_t bytes)
{
    int64_t block_units;
    (void)bin_of(units_of((size_t)bytes), &block_units);
    return block_units * UNIT;
}

static size_t block_bytes(const tare_storage *s)
{
    return s->bin == TARE_BIN_NONE ? s->bytes : (size_t)tare_storage_block_bytes((int64_t)s->bytes);
}

static tare_storage *fresh(tare_runtime *rt, tare_memory_category category, size_t bytes, int bin, size_t block)
{
    tare_storage *s = tare__storage_record(rt);
    if (!s)
        return NULL;
    s->base = rt->device->alloc(rt->device, category, block);
    if (!s->base) {
        s->next = rt->free_storages;
        rt->free_storages = s;
        return NULL;
    }
    s->bytes = bytes;
    s->bin = (uint16_t)bin;
    s->category = (uint8_t)category;
    s->runtime = rt;
    s->release = NULL;
    s->owner = NULL;
    s->read_by = s->written_by = 0;
    rt->reserved_bytes += (int64_t)block;
    return s;
}

tare_storage *tare_storage_take(tare_runtime *rt, tare_memory_category category, size_t bytes)
{
    ++rt->counts.storage_takes;
    tare_storage *s;
    if (category == TARE_MEMORY_WORK && rt->options.storage == TARE_STORAGE_POOL) {
        int64_t block_units;
        int bin = bin_of(units_of(bytes), &block_units);
        s = rt->bin[bin];
        if (__builtin_expect(s != NULL, 1)) {
            rt->bin[bin] = s->next;
            s->bytes = bytes;
        } else {
            s = fresh(rt, category, bytes, bin, (size_t)block_units * UNIT);
        }
    } else {
        s = fresh(rt, category, bytes, TARE_BIN_NONE, bytes);
    }
    if (!s)
        return NULL;
    s->refs = 1;
    s->version = 0;
    s->writer = NULL;
    if (category == TARE_MEMORY_WORK) {
        rt->work_bytes_live += units_of(bytes) * UNIT;
        if (rt->work_bytes_live > rt->work_bytes_peak)
            rt->work_bytes_peak = rt->work_bytes_live;
    }
    return s;
}

static void give_block(tare_storage *s)
{
    tare_runtime *rt = s->runtime;
    size_t block = block_bytes(s);
    rt->reserved_bytes -= (int64_t)block;
    rt->device->free(rt->device, (tare_memory_category)s->category, s->base, block);
    s->next = rt->free_storages;
    rt->free_storages = s;
}

void tare__storage_last(tare_storage *s)
{
    tare_runtime *rt = s->runtime;
    if (s->release) {
        if (s->category != TARE_MEMORY_RECORD) /* bytes that queued calls may still use */
            (void)tare__storage_reach(s, true);
        s->release(s);
        s->next = rt->free_storages;
        rt->free_storages = s;
        return;
    }
    if (s->category == TARE_MEMORY_WORK)
        rt->work_bytes_live -= units_of(s->bytes) * UNIT;
    if (s->bin == TARE_BIN_NONE) {
        give_block(s);
    } else {
        s->next = rt->bin[s->bin];
        rt->bin[s->bin] = s;
    }
}

void tare_storage_release(tare_storage *s)
{
    if (s)
        tare_storage_drop(s);
}

void tare_runtime_trim(tare_runtime *rt)
{
    for (int bin = 0; bin < TARE_BINS; ++bin) {
        while (rt->bin[bin]) {
            tare_storage *s = rt->bin[bin];
            rt->bin[bin] = s->next;
            give_block(s);
        }
    }
}
