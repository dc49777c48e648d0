/* pack.c - the one way into a packer: what it may rely on is checked here. */
#include "pack.h"

static tare_status check(const tare_interval *v, int n, int64_t alignment)
{
    int64_t sum = 0, most = INT64_MAX / 4;
    for (int i = 0; i < n; ++i) {
        if (v[i].bytes < 0 || v[i].lower > v[i].upper)
            return tare_error(TARE_BAD_ARGUMENT, "interval %d: %s", i,
                              v[i].bytes < 0 ? "its size is negative" : "it ends before it begins");
        if (v[i].bytes > most - (alignment - 1) || (sum += (v[i].bytes + alignment - 1) / alignment * alignment) > most)
            return tare_error(TARE_BAD_ARGUMENT, "interval %d: the sizes up to it add up to more than 2^61", i);
        if (v[i].fixed && (v[i].offset < 0 || v[i].offset > most || v[i].offset % alignment))
            return tare_error(TARE_BAD_ARGUMENT, "interval %d: it cannot be fixed at %lld (alignment %lld)", i,
                              (long long)v[i].offset, (long long)alignment);
    }
    return TARE_OK;
}

/* Whether two fixed ones meet: they alone, as a packing, are put to the verifier. */
static tare_status check_fixed(tare_memory *memory, const tare_interval *v, int n, int64_t alignment)
{
    int n_fixed = 0;
    for (int i = 0; i < n; ++i)
        n_fixed += v[i].fixed;
    if (!n_fixed)
        return TARE_OK;
    size_t bytes = (size_t)n * sizeof *v;
    tare_interval *alone = tare_memory_take(memory, TARE_MEMORY_RECORD, bytes);
    if (!alone)
        return TARE_NO_MEMORY;
    for (int i = 0; i < n; ++i) { /* the others stay, so that the numbers in a sentence are right, but live never */
        alone[i] = v[i];
        if (!v[i].fixed)
            alone[i] = (tare_interval){v[i].lower, v[i].lower, 0, 0, false};
        else
            alone[i].bytes = (v[i].bytes + alignment - 1) / alignment * alignment;
    }
    tare_status status = tare_pack_verify(memory, alone, n, alignment, INT64_MAX);
    tare_memory_give(memory, TARE_MEMORY_RECORD, alone, bytes);
    return status;
}

/* Sixteen an interval; fewer where there are many, for each costs more then; one an interval at the least, which is a
 * descent of the search. */
static int64_t default_nodes(int n)
{
    int64_t each = (int64_t)n + 1, most = (1 << 21) / each;
    return most >= 16 * each ? 16 * each : most > each ? most : each;
}

tare_status tare_pack(tare_memory *memory, const tare_packer *packer, const tare_pack_options *given, tare_interval *v,
                      int n, tare_packing *out)
{
    tare_pack_options options = given ? *given : (tare_pack_options){0};
    options.alignment = options.alignment ? options.alignment : 1;
    *out = (tare_packing){0};
    if (!packer || !packer->pack || n < 0 || (n && !v) || options.alignment < 0 || options.goal < 0 ||
        options.nodes < 0 || options.alignment > INT64_MAX / 8)
        return tare_error(TARE_BAD_ARGUMENT, "packing wants a packer, intervals, and nothing negative");
    tare_status status = check(v, n, options.alignment);
    if (status == TARE_OK)
        status = check_fixed(memory, v, n, options.alignment);
    if (status != TARE_OK)
        return status;
    out->bound = tare_pack_lower_bound(memory, v, n, options.alignment);
    if (out->bound < 0)
        return TARE_NO_MEMORY;
    if (options.goal < out->bound)
        options.goal = out->bound;
    if (!options.nodes)
        options.nodes = default_nodes(n);
    return packer->pack(memory, &options, v, n, out);
}
