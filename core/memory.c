/* memory.c - the one allocator (see memory.h). */
#include "memory.h"

#include <stdlib.h>
#include <string.h>

static void *no_memory(size_t bytes)
{
    (void)tare_error(TARE_NO_MEMORY, "out of memory: %zu bytes were asked for", bytes);
    return NULL;
}

void *tare_memory_take(tare_memory *memory, tare_memory_category category, size_t bytes)
{
    if (memory) {
        ++memory->n_requests;
        if (memory->fail_at && memory->n_requests >= memory->fail_at)
            return no_memory(bytes);
    }
    if (bytes > (size_t)PTRDIFF_MAX - TARE_ALIGNMENT)
        return no_memory(bytes);
    void *block = aligned_alloc(TARE_ALIGNMENT, tare_memory_rounded(bytes));
    if (!block)
        return no_memory(bytes);
    if (memory) {
        ++memory->n_live;
        int64_t live = memory->bytes_live[category] += (int64_t)tare_memory_rounded(bytes);
        if (live > memory->bytes_peak[category])
            memory->bytes_peak[category] = live;
    }
    return block;
}

void *tare_memory_take_zeroed(tare_memory *memory, tare_memory_category category, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return no_memory(SIZE_MAX);
    void *block = tare_memory_take(memory, category, bytes);
    if (block)
        memset(block, 0, bytes);
    return block;
}

void *tare_memory_resize(tare_memory *memory, tare_memory_category category, void *block, size_t old_bytes,
                         size_t new_bytes)
{
    void *moved = tare_memory_take(memory, category, new_bytes);
    if (!moved)
        return NULL;
    if (block)
        memcpy(moved, block, old_bytes < new_bytes ? old_bytes : new_bytes);
    tare_memory_give(memory, category, block, old_bytes);
    return moved;
}

void tare_memory_give(tare_memory *memory, tare_memory_category category, void *block, size_t bytes)
{
    if (!block)
        return;
    if (memory) {
        --memory->n_live;
        memory->bytes_live[category] -= (int64_t)tare_memory_rounded(bytes);
    }
    free(block);
}
