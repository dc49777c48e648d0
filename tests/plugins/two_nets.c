/* two_nets.c - a plug-in whose net must be named. */
#include "operator.h"

static const tare_net_type first = {.name = "first"}, second = {.name = "second"};

TARE_PLUGIN("two", {TARE_KIND_NET, &first}, {TARE_KIND_NET, &second})
