/* packing.c - a plan's blocks as a packing problem: what one packer makes of them is the plan's, what others would take
 * is told on request. */
#include "graph_private.h"

/* Packs the blocks, each with so many bytes behind it, with a packer of that name into `interval`, room for all
 * buffers. */
static tare_status pack_with(const tare_plan *p, const char *name, int64_t guard, tare_interval *interval,
                             tare_packing *packing)
{
    const tare_packer *packer = tare_find(p->runtime, TARE_KIND_PACKER, name ? name : "portfolio");
    if (!packer)
        return TARE_NOT_FOUND;
    int n = 0;
    for (int32_t b = 0; b < p->n_buffer; ++b)
        if (tare__plan_places(&p->buffer[b]))
            interval[n++] = (tare_interval){
                .lower = p->buffer[b].first, .upper = p->buffer[b].last + 1, .bytes = p->buffer[b].bytes + guard};
    const tare_pack_options options = {.alignment = TARE_ALIGNMENT};
    return tare_pack(&p->runtime->memory, packer, &options, interval, n, packing);
}

tare_status tare__plan_pack(tare_plan *p, const char *name, int64_t guard)
{
    size_t bytes = (size_t)p->n_buffer * sizeof(tare_interval);
    tare_interval *interval = tare_memory_take(&p->runtime->memory, TARE_MEMORY_RECORD, bytes);
    tare_packing packing;
    tare_status status = interval ? pack_with(p, name, guard, interval, &packing) : TARE_NO_MEMORY;
    if (status == TARE_OK)
        p->bytes.arena = packing.height;
    int n = 0;
    for (int32_t b = 0; b < p->n_buffer && status == TARE_OK; ++b)
        if (tare__plan_places(&p->buffer[b]))
            p->buffer[b].offset = interval[n++].offset;
    tare_memory_give(&p->runtime->memory, TARE_MEMORY_RECORD, interval, bytes);
    return status;
}
