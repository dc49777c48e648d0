/* register.c - the built-in packers as records of the catalogue: each is one stage of work on a problem. */
#include "pack_private.h"

/* X(name, doc) */
#define PACKERS(X)                                                                                                     \
    X(none, "each its own bytes: nothing is used twice")                                                               \
    X(shared_object, "whole objects are handed on and grow, as MXNet's graph allocator does")                          \
    X(pool, "whole blocks of one size class are handed on, as the imperative mode's caching pool does")                \
    X(greedy,                                                                                                          \
      "fourteen rules: two fill valleys, six orders at lowest and tightest gap; the best kept, ends at the goal")      \
    X(local_search, "greedy, then what stands highest is placed earlier, as long as the effort lasts")                 \
    X(exact, "greedy, then branch and bound for the goal, with proof where there is no such packing")                  \
    X(portfolio, "greedy, then branch and bound from both sides: the goal, and half-way to it")

#define RECORD(name_, doc_)                                                                                            \
    static tare_status pack_##name_(tare_memory *memory, const tare_pack_options *options, tare_interval *interval,    \
                                    int n, tare_packing *out)                                                          \
    {                                                                                                                  \
        return tare__pack_by(tare__##name_, memory, options, interval, n, out);                                        \
    }                                                                                                                  \
    static const tare_packer record_##name_ = {.name = #name_, .doc = doc_, .pack = pack_##name_};
PACKERS(RECORD)

tare_status tare_pack_register(tare_runtime *rt)
{
#define LISTED(name_, doc_) &record_##name_,
    static const tare_packer *const packer[] = {PACKERS(LISTED)};
    tare_status status = TARE_OK;
    for (size_t i = 0; i < sizeof packer / sizeof *packer && status == TARE_OK; ++i)
        status = tare_register(rt, TARE_KIND_PACKER, packer[i]);
    return status;
}
