/* missing_symbol.c - it calls what nobody has. */
#include "operator.h"

tare_status tare_nobody_has_this(tare_runtime *);

static tare_status build(tare_net *n, const void *options)
{
    (void)options;
    return tare_nobody_has_this(n->runtime);
}

static const tare_net_type net = {.name = "missing", .build = build};

TARE_PLUGIN("missing", {TARE_KIND_OPERATOR, &twice}, {TARE_KIND_NET, &net})
