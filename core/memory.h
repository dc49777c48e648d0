/* memory.h - the one allocator: every byte the library takes from the system goes through it.
 *
 * It counts live and peak bytes by category and can be told to fail the n-th request, which is how
 * the tests prove that no allocation failure loses anything. Sizes are given back with the block, so
 * the books are exact. One tare_memory belongs to one thread at a time (that of its runtime). */
#ifndef TARE_CORE_MEMORY_H
#define TARE_CORE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(NAME, text): what memory is for. WORK = activations, workspaces and gradients. */
#define TARE_MEMORY_CATEGORIES(X)                                                                                      \
    X(WORK, "work")                                                                                                    \
    X(PARAMETER, "parameter")                                                                                          \
    X(OPTIMIZER, "optimizer")                                                                                          \
    X(INPUT, "input")                                                                                                  \
    X(CONSTANT, "constant")                                                                                            \
    X(RECORD, "record")

typedef enum {
#define TARE_MEMORY_ENUM(name, text) TARE_MEMORY_##name,
    TARE_MEMORY_CATEGORIES(TARE_MEMORY_ENUM)
#undef TARE_MEMORY_ENUM
        TARE_MEMORY_CATEGORY_COUNT
} tare_memory_category;

typedef struct {
    int64_t bytes_live[TARE_MEMORY_CATEGORY_COUNT];
    int64_t bytes_peak[TARE_MEMORY_CATEGORY_COUNT];
    int64_t n_requests; /* requests so far, failed ones included */
    int64_t n_live;     /* blocks out */
    int64_t fail_at;    /* fail request number fail_at (from 1) and all after it; 0: never */
} tare_memory;

/* The least alignment of any block, in bytes: one cache line, one AVX-512 register. */
enum { TARE_ALIGNMENT = 64 };

/* Bytes that a block of `bytes` has when aligned ones follow it: at least one unit. */
static inline size_t tare_memory_rounded(size_t bytes)
{
    return bytes == 0 ? (size_t)TARE_ALIGNMENT : (bytes + TARE_ALIGNMENT - 1) & ~(size_t)(TARE_ALIGNMENT - 1);
}

/* A block of `bytes` (0 gives a valid block) aligned to TARE_ALIGNMENT, content undefined; NULL when
 * there is no memory, with the error text set. `memory` NULL: not counted, never failed on purpose. */
TARE_API void *tare_memory_take(tare_memory *memory, tare_memory_category category, size_t bytes);

/* As above, zero-filled, for count * size bytes with the product checked. */
TARE_API void *tare_memory_take_zeroed(tare_memory *memory, tare_memory_category category, size_t count, size_t size);

/* Moves a block to a new size, keeping min(old, new) bytes. On failure the old block stays valid. */
TARE_API void *tare_memory_resize(tare_memory *memory, tare_memory_category category, void *block, size_t old_bytes,
                                  size_t new_bytes);

/* Gives a block back; `bytes` is what was asked for. NULL is fine. */
TARE_API void tare_memory_give(tare_memory *memory, tare_memory_category category, void *block, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
