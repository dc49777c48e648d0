/* inconsistent.c - its first record is good, its second one has no kernel. */
#include "operator.h"

static const tare_op bare = {.name = "bare", .n_in = 1, .n_out = 1, .infer = twice_infer, .not_differentiable = true};

TARE_PLUGIN("inconsistent", {TARE_KIND_OPERATOR, &twice}, {TARE_KIND_OPERATOR, &bare})
