/* dense_nets.c - nets that are dense layers in a row: chain, mlp, mlp_mnist. One body, three ways to size it. */
#include <stddef.h>

#include "layer.h"
#include "nets_private.h"

typedef struct {
    tare_net net; /* first */
    tare_dense_layer *layer;
    tare_block *block; /* the same layers as objects */
    int n_layers;
} dense_net;

typedef struct {
    int64_t depth, width;
} chain_options;

typedef struct {
    tare_ints hidden;
} mlp_options;

enum { MLP_INPUTS = 1000, MNIST_INPUTS = 784, MNIST_CLASSES = 10 };

static tare_status build(tare_net *n, int n_layers, int64_t inputs, const int64_t *units, bool last_active)
{
    dense_net *net = (dense_net *)n;
    net->layer = tare_arena_take(&n->arena, (size_t)n_layers * sizeof *net->layer);
    net->block = tare_arena_take(&n->arena, (size_t)n_layers * sizeof *net->block);
    if (!net->layer || !net->block)
        return TARE_NO_MEMORY;
    n->root = (tare_block){.name = n->type->name, .child = net->block};
    for (; net->n_layers < n_layers; ++net->n_layers) {
        int i = net->n_layers;
        bool active = i + 1 < n_layers || last_active;
        const char *path = tare__net_path(n, "dense%d", i);
        tare_status status = path ? tare_dense_layer_build(n, &net->layer[i], path, inputs, units[i],
                                                           active ? TARE_ACTIVATION_RELU : TARE_ACTIVATION_NONE)
                                  : TARE_NO_MEMORY;
        if (status != TARE_OK)
            return status;
        tare_dense_layer_block(&net->layer[i], &net->block[i]);
        n->root.n_children = i + 1;
        inputs = units[i];
    }
    return TARE_OK;
}

/* The net, written once; compiled once for each way of reaching a layer. */
static inline __attribute__((always_inline)) tare_value *body(tare_mode *m, tare_net *n, tare_value *x,
                                                              const tare_api api)
{
    const dense_net *net = (const dense_net *)n;
    m->scope_begin(m, NULL);
    m->adopt(m, &x, 1);
    for (int i = 0; i < net->n_layers; ++i)
        x = tare_block_call(m, &net->block[i], tare_dense_layer_direct, tare_move(x), api);
    m->scope_end(m, &x, 1);
    return x;
}

TARE_NET_FORWARDS(body)

static void vector(tare_desc *sample, int64_t n)
{
    *sample = tare_desc_of(TARE_F32, 1, &n);
}

/* ---- chain: depth times dense(width) + relu
 * --------------------------------------------------------------------------*/
static void chain_shape(const void *options, tare_desc *sample)
{
    vector(sample, ((const chain_options *)options)->width);
}

static tare_status chain_build(tare_net *net, const void *options)
{
    const chain_options *o = options;
    int64_t *units = tare_arena_take(&net->arena, (size_t)o->depth * sizeof *units);
    for (int64_t i = 0; units && i < o->depth; ++i)
        units[i] = o->width;
    return units ? build(net, (int)o->depth, o->width, units, true) : TARE_NO_MEMORY;
}

/* ---- mlp: 1000 - hidden, relu - 1
 * -------------------------------------------------------------------------------------*/
static void mlp_input(const void *options, tare_desc *sample)
{
    (void)options;
    vector(sample, MLP_INPUTS);
}

static void mlp_output(const void *options, tare_desc *sample)
{
    (void)options;
    vector(sample, 1);
}

static tare_status mlp_build(tare_net *net, const void *options)
{
    const mlp_options *o = options;
    int64_t units[TARE_INTS + 1];
    for (int i = 0; i < o->hidden.n; ++i)
        units[i] = o->hidden.at[i];
    units[o->hidden.n] = 1;
    return build(net, o->hidden.n + 1, MLP_INPUTS, units, false);
}

/* ---- mlp_mnist: 784 - 128 relu - 64 relu - 10
 * ----------------------------------------------------------------------------*/
static void mnist_input(const void *options, tare_desc *sample)
{
    (void)options;
    vector(sample, MNIST_INPUTS);
}

static void mnist_output(const void *options, tare_desc *sample)
{
    (void)options;
    vector(sample, MNIST_CLASSES);
}

static tare_status mnist_build(tare_net *net, const void *options)
{
    (void)options;
    return build(net, 3, MNIST_INPUTS, (const int64_t[]){128, 64, MNIST_CLASSES}, false);
}

static const tare_attr chain_attrs[] = {
    {"depth", TARE_ATTR_INT, offsetof(chain_options, depth), 1, 4096, "20", "layers"},
    {"width", TARE_ATTR_INT, offsetof(chain_options, width), 1, 16384, "16", "inputs and units of each"},
};

static const tare_attr mlp_attrs[] = {
    {"hidden", TARE_ATTR_INTS, offsetof(mlp_options, hidden), 1, 65536, "300-100", "units of the hidden layers"},
};

static const tare_net_type nets[] = {
    {.name = "chain",
     .doc = "dense(width) + relu, repeated depth times: nothing but wrapping",
     .options = chain_attrs,
     .n_options = 2,
     .option_bytes = sizeof(chain_options),
     .default_batch = 1,
     .bench_loss = TARE_LOSS_ONES,
     .training_loss = TARE_LOSS_L2,
     .input = chain_shape,
     .output = chain_shape,
     .net_bytes = sizeof(dense_net),
     .build = chain_build,
     .forward = TARE_NET_FORWARD(body)},
    {.name = "mlp",
     .doc = "1000 - hidden, relu - 1: the regression net of the published S2 benchmark",
     .options = mlp_attrs,
     .n_options = 1,
     .option_bytes = sizeof(mlp_options),
     .default_batch = 256,
     .bench_loss = TARE_LOSS_L2,
     .training_loss = TARE_LOSS_L2,
     .input = mlp_input,
     .output = mlp_output,
     .net_bytes = sizeof(dense_net),
     .build = mlp_build,
     .forward = TARE_NET_FORWARD(body)},
    {.name = "mlp_mnist",
     .doc = "784 - 128 relu - 64 relu - 10: digits",
     .default_batch = 128,
     .bench_loss = TARE_LOSS_SOFTMAX_CE,
     .training_loss = TARE_LOSS_SOFTMAX_CE,
     .input = mnist_input,
     .output = mnist_output,
     .net_bytes = sizeof(dense_net),
     .build = mnist_build,
     .forward = TARE_NET_FORWARD(body)},
};

tare_status tare__dense_nets_register(tare_runtime *rt)
{
    tare_status status = TARE_OK;
    for (size_t i = 0; status == TARE_OK && i < sizeof nets / sizeof *nets; ++i)
        status = tare_register(rt, TARE_KIND_NET, &nets[i]);
    return status;
}
