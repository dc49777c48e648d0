/* net.c - a net of your own, defined once: tare agree ./net.c --modes all runs it in both modes and compares. */
#include <tare/tare.h>

typedef struct {
    tare_net net; /* first */
    tare_value *w1, *w2;
} tiny;

static void shape(const void *options, tare_desc *sample) /* of one input, and of one output */
{
    (void)options;
    *sample = tare_desc_of(TARE_F32, 1, (const int64_t[]){6});
}

static tare_status build(tare_net *n, const void *options)
{
    (void)options;
    tiny *t = (tiny *)n;
    const int64_t dim[] = {6, 6};
    tare_status status = tare_net_parameter(n, "first", "weight", TARE_INIT_WEIGHT, 2, dim, &t->w1);
    return status ? status : tare_net_parameter(n, "second", "weight", TARE_INIT_WEIGHT, 2, dim, &t->w2);
}

/* y = x + tanh(x w1) w2, written over the mode: it cannot know how it is run */
static tare_value *forward(tare_mode *m, tare_net *n, tare_value *x)
{
    const tiny *t = (const tiny *)n;
    tare_value *h = tare_tanh(m, tare_matmul(m, x, t->w1, (tare_matmul_attr){false, false}));
    return tare_add(m, x, tare_matmul(m, h, t->w2, (tare_matmul_attr){false, false}));
}

static const tare_net_type type = {.name = "tiny",
                                   .doc = "x + tanh(x w1) w2",
                                   .default_batch = 32,
                                   .bench_loss = TARE_LOSS_L2,
                                   .training_loss = TARE_LOSS_L2,
                                   .input = shape,
                                   .output = shape,
                                   .net_bytes = sizeof(tiny),
                                   .build = build,
                                   .forward = {forward}};

TARE_PLUGIN("tiny", {TARE_KIND_NET, &type})
