/* pack_verify.c - proves a packing from its intervals alone; shares no code with a packer. */
#include <stdlib.h>

#include "graph.h"

static int by_lower(const void *a, const void *b)
{
    const tare_interval *x = *(const tare_interval *const *)a, *y = *(const tare_interval *const *)b;
    return x->lower < y->lower ? -1 : x->lower > y->lower;
}

static tare_status verify_sorted(const tare_interval *const *sorted, const tare_interval *first, int n,
                                 int64_t alignment, int64_t height)
{
    for (int i = 0; i < n; ++i) {
        const tare_interval *a = sorted[i];
        if (a->offset < 0 || a->offset % alignment || a->bytes > height - a->offset)
            return tare_error(TARE_IMPOSSIBLE, "interval %d at %lld does not fit (height %lld, alignment %lld)",
                              (int)(a - first), (long long)a->offset, (long long)height, (long long)alignment);
        for (int j = i + 1; j < n && sorted[j]->lower < a->upper; ++j) {
            const tare_interval *b = sorted[j];
            if (b->upper > b->lower && a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes)
                return tare_error(TARE_IMPOSSIBLE, "intervals %d and %d meet in time and space", (int)(a - first),
                                  (int)(b - first));
        }
    }
    return TARE_OK;
}

tare_status tare_pack_verify(tare_memory *memory, const tare_interval *block, int n, int64_t alignment, int64_t height)
{
    size_t bytes = (size_t)n * sizeof(tare_interval *);
    const tare_interval **sorted = tare_memory_take(memory, TARE_MEMORY_RECORD, bytes);
    if (!sorted)
        return TARE_NO_MEMORY;
    for (int i = 0; i < n; ++i)
        sorted[i] = &block[i];
    qsort(sorted, (size_t)n, sizeof *sorted, by_lower);
    tare_status status = verify_sorted(sorted, block, n, alignment, height);
    tare_memory_give(memory, TARE_MEMORY_RECORD, sorted, bytes);
    return status;
}
