/* taken.c - its first record is good, the name of its second one is taken. */
#include "operator.h"

static tare_op relu;
static const tare_net_type chain = {.name = "chain"};

TARE_PLUGIN("taken", {TARE_KIND_OPERATOR, &twice}, {TARE_KIND_NET, &chain}, {TARE_KIND_OPERATOR, &relu})
