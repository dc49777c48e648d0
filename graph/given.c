/* given.c - a packing made elsewhere: its offsets in the place of the plan's own, once they are proved. */
#include "graph_private.h"

/* The height of the blocks at these offsets; IMPOSSIBLE: two of them meet, or one is not aligned. */
static tare_status verify(const tare_plan *p, const int64_t *offset, tare_interval *interval, int64_t *height)
{
    *height = 0;
    for (int i = 0; i < p->n_block; ++i) {
        const tare_plan_block *b = &p->block[i];
        if (offset[i] < 0 || offset[i] > INT64_MAX / 2 || offset[i] % TARE_ALIGNMENT)
            return tare_error(TARE_IMPOSSIBLE, "the offset %lld of block %d is no multiple of %d within 2^62",
                              (long long)offset[i], i, TARE_ALIGNMENT);
        interval[i] = (tare_interval){.lower = b->lower, .upper = b->upper, .bytes = b->bytes, .offset = offset[i]};
        *height = offset[i] + b->bytes > *height ? offset[i] + b->bytes : *height;
    }
    return tare_pack_verify(&p->runtime->memory, interval, p->n_block, TARE_ALIGNMENT, *height);
}

static void put(tare_plan *p, const int64_t *offset, int64_t height)
{
    int n = 0;
    for (int32_t b = 0; b < p->n_buffer; ++b)
        if (tare__plan_places(&p->buffer[b])) {
            p->buffer[b].offset = p->block[n].offset = offset[n];
            ++n;
        }
    p->bytes.arena = height;
}

tare_status tare_plan_place(tare_plan *p, const int64_t *offset, int n)
{
    if (n != p->n_block)
        return tare_error(TARE_BAD_ARGUMENT, "%d offsets for a plan of %d blocks", n, p->n_block);
    size_t blocks = (size_t)n + 1;
    tare_interval *interval =
        tare_memory_take_zeroed(&p->runtime->memory, TARE_MEMORY_RECORD, blocks, sizeof *interval);
    int64_t *was = tare_memory_take_zeroed(&p->runtime->memory, TARE_MEMORY_RECORD, blocks, sizeof *was);
    int64_t height, arena = p->bytes.arena;
    tare_status status = interval && was ? verify(p, offset, interval, &height) : TARE_NO_MEMORY;
    for (int i = 0; status == TARE_OK && i < n; ++i)
        was[i] = p->block[i].offset;
    if (status == TARE_OK) {
        put(p, offset, height);
        status = tare__plan_check(p);
        if (status != TARE_OK)
            put(p, was, arena);
    }
    tare_memory_give(&p->runtime->memory, TARE_MEMORY_RECORD, was, blocks * sizeof *was);
    tare_memory_give(&p->runtime->memory, TARE_MEMORY_RECORD, interval, blocks * sizeof *interval);
    return status;
}
