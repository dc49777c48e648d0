/* net_plugin.c - a net with options and layers, as a plug-in: layers as objects, so it runs in every rung.
 *
 *     cc -shared -fPIC net_plugin.c -o net_plugin.so $(pkg-config --cflags --libs tare)
 *     tare agree ./net_plugin.so:width=48 --modes all */
#include <stddef.h>
#include <tare/tare.h>

enum { INPUTS = 784, CLASSES = 10, LAYERS = 3 };

typedef struct {
    int64_t width;
} funnel_options;

typedef struct {
    tare_net net; /* first */
    tare_dense_layer layer[LAYERS];
    tare_block block[LAYERS]; /* the same layers as objects */
} funnel;

static void input(const void *options, tare_desc *sample)
{
    (void)options;
    *sample = tare_desc_of(TARE_F32, 1, (const int64_t[]){INPUTS});
}

static void output(const void *options, tare_desc *sample)
{
    (void)options;
    *sample = tare_desc_of(TARE_F32, 1, (const int64_t[]){CLASSES});
}

static tare_status build(tare_net *n, const void *options)
{
    static const char *const path[LAYERS] = {"wide", "narrow", "scores"};
    funnel *f = (funnel *)n;
    int64_t width = ((const funnel_options *)options)->width;
    const int64_t units[LAYERS + 1] = {INPUTS, width, width / 2, CLASSES};
    n->root = (tare_block){.name = n->type->name, .child = f->block};
    for (int i = 0; i < LAYERS; ++i) {
        tare_activation active = i + 1 < LAYERS ? TARE_ACTIVATION_RELU : TARE_ACTIVATION_NONE;
        tare_status status = tare_dense_layer_build(n, &f->layer[i], path[i], units[i], units[i + 1], active);
        if (status != TARE_OK)
            return status;
        tare_dense_layer_block(&f->layer[i], &f->block[i]);
        n->root.n_children = i + 1;
    }
    return TARE_OK;
}

/* Written once, compiled once for each way of reaching a layer. A layer gets its argument as its own (tare_move), so
 * that a value nobody needs any more is let go at once. */
static inline tare_value *body(tare_mode *m, tare_net *n, tare_value *x, const tare_api api)
{
    funnel *f = (funnel *)n;
    m->scope_begin(m, NULL);
    m->adopt(m, &x, 1);
    for (int i = 0; i < LAYERS; ++i)
        x = tare_block_call(m, &f->block[i], tare_dense_layer_direct, tare_move(x), api);
    m->scope_end(m, &x, 1);
    return x;
}
TARE_NET_FORWARDS(body)

static const tare_attr options[] = {
    {"width", TARE_ATTR_INT, offsetof(funnel_options, width), 2, 4096, "32", "units of the first layer"},
};

static const tare_net_type type = {
    .name = "funnel",
    .doc = "784 - width relu - width / 2 relu - 10",
    .options = options,
    .n_options = 1,
    .option_bytes = sizeof(funnel_options),
    .default_batch = 64,
    .bench_loss = TARE_LOSS_SOFTMAX_CE,
    .training_loss = TARE_LOSS_SOFTMAX_CE,
    .input = input,
    .output = output,
    .net_bytes = sizeof(funnel),
    .build = build,
    .forward = TARE_NET_FORWARD(body),
};

TARE_PLUGIN("funnel", {TARE_KIND_NET, &type})
