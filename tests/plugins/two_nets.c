/* two_nets.c - a plug-in whose net must be named; both records lack what a net needs. */
#include "operator.h"

static tare_status build(tare_net *n, const void *options)
{
    (void)n;
    (void)options;
    return TARE_OK;
}

static const tare_net_type first = {.name = "first"},
                           second = {.name = "second", .net_bytes = sizeof(tare_net), .build = build};

TARE_PLUGIN("two", {TARE_KIND_NET, &first}, {TARE_KIND_NET, &second})
