/* good.c - a plug-in with an operator and a net, as it should be. */
#include "operator.h"

static void shape(const void *options, tare_desc *sample)
{
    (void)options;
    *sample = tare_desc_of(TARE_F32, 1, (const int64_t[]){4});
}

static tare_status build(tare_net *n, const void *options)
{
    (void)n;
    (void)options;
    return TARE_OK;
}

static tare_value *forward(tare_mode *m, tare_net *n, tare_value *x)
{
    (void)n;
    return tare_apply1(m, &twice, NULL, &x, 1);
}

static const tare_net_type net = {.name = "doubling",
                                  .doc = "2 x",
                                  .default_batch = 2,
                                  .input = shape,
                                  .output = shape,
                                  .net_bytes = sizeof(tare_net),
                                  .build = build,
                                  .forward = {forward}};

TARE_PLUGIN("good", {TARE_KIND_OPERATOR, &twice}, {TARE_KIND_NET, &net})
