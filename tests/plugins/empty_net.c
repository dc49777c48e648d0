/* empty_net.c - nets whose records lack something. */
#include "operator.h"

static const tare_net_type nothing = {.name = "nothing"}, small = {.name = "small"};

TARE_PLUGIN("empty", {TARE_KIND_NET, &nothing}, {TARE_KIND_NET, &small})
