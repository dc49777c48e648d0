/* crashing.c - an operator whose kernel follows no address at all. */
#include "operator.h"

static int crash(const tare_call *c, int piece, int worker)
{
    (void)piece;
    (void)worker;
    return *(volatile int *)(uintptr_t)(c->g[0] & 0);
}

static const tare_variant variants[] = {{.name = "reference",
                                         .set = TARE_SET_REFERENCE,
                                         .dtypes = TARE_BIT(TARE_F32) | TARE_BIT(TARE_F64),
                                         .prepare = twice_prepare,
                                         .run = crash}};
static const tare_sample samples[] = {{TARE_SAMPLE_CHECK, "f32[3]", NULL, NULL}};
static const tare_op op = {.name = "crashing",
                           .doc = "falls",
                           .n_in = 1,
                           .n_out = 1,
                           .infer = twice_infer,
                           .gradient = twice_gradient,
                           .variants = variants,
                           .n_variants = 1,
                           .samples = samples,
                           .n_samples = 1};

TARE_PLUGIN("crashing", {TARE_KIND_OPERATOR, &op}, {TARE_KIND_OPERATOR, &twice})
