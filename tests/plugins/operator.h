/* operator.h - y = 2 x, which the plug-ins of the tests bring along. */
#ifndef TARE_TESTS_PLUGINS_OPERATOR_H
#define TARE_TESTS_PLUGINS_OPERATOR_H

#include "../../core/gradient.h"
#include "../../core/plugin.h"
#include "../../nets/net.h"
#include "../../ops/ops.h"

static tare_status twice_infer(const tare_args *a, const tare_desc_out *out)
{
    tare_desc_like(out[0], a->in[0]);
    return TARE_OK;
}

static void twice_gradient(tare_builder *b)
{
    tare_contribute(b, 0, tare_scale(b->mode, tare_head(b, 0), (tare_scale_attr){2}));
}

static void twice_prepare(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)a;
    w->g[0] = tare_desc_count(out[0]);
    w->n_g = 1;
}

static int twice_run(const tare_call *c, int piece, int worker)
{
    (void)piece;
    (void)worker;
    for (int64_t i = 0; i < c->g[0]; ++i)
        ((float *)c->ptr[1])[i] = 2 * ((const float *)c->ptr[0])[i];
    return 0;
}

static const tare_variant twice_variants[] = {{.name = "reference",
                                               .set = TARE_SET_REFERENCE,
                                               .dtypes = TARE_BIT(TARE_F32),
                                               .prepare = twice_prepare,
                                               .run = twice_run}};

static const tare_op twice = {.name = "twice",
                              .doc = "y = 2 x",
                              .n_in = 1,
                              .n_out = 1,
                              .infer = twice_infer,
                              .gradient = twice_gradient,
                              .overwrites = {1},
                              .variants = twice_variants,
                              .n_variants = 1};

#endif
