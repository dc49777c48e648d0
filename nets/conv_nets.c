/* conv_nets.c - nets that are convolutions and poolings in a row, then dense layers: lenetp, lenet, cifarnet,
 * vgg_cifar, alexnet.
 *
 * A net is a table of steps; build() makes a layer of each, and one body applies them. The image is flattened in front
 * of the first dense layer. */
#include <stddef.h>

#include "layer_image.h"
#include "layer_state.h"
#include "nets_private.h"

/* CONV: `units` maps of size x size, `stride` apart, `pad` zeros around; pools: windows of size x size, `stride` apart;
 * DENSE: `units`; DROPOUT: `rate`. */
typedef enum { CONV, MAX_POOL, AVG_POOL, DENSE, DROPOUT } step_kind;
typedef struct {
    step_kind kind;
    int64_t units, size, stride, pad;
    tare_activation activation;
    double rate;
} step;

typedef struct {
    int64_t channels, side; /* of the image */
    const step *steps;      /* the last is dense */
    int n_steps;
} plan;

typedef union {
    tare_conv_layer conv;
    tare_pool_layer pool;
    tare_dense_layer dense;
    tare_dropout_layer dropout;
} layer;

typedef struct {
    tare_net net; /* first */
    const plan *plan;
    tare_block *block; /* the layers as objects, one a step */
} conv_net;

/* What goes from step to step: an image [channels, side, side], or a vector of `channels` numbers. */
typedef struct {
    int64_t channels, side;
} form;

static tare_status build_step(tare_net *n, const step *s, int number, form *x, layer *l, tare_block *out)
{
    static const char *const names[] = {"conv%d", "pool%d", "pool%d", "dense%d", "dropout%d"};
    const char *path = tare__net_path(n, names[s->kind], number);
    tare_status status = path ? TARE_OK : TARE_NO_MEMORY;
    if (status != TARE_OK)
        return status;
    if (s->kind == CONV) {
        tare_conv2d_attr attr = {s->stride, s->stride, s->pad, s->pad, 1, 1, 1};
        status = tare_conv_layer_build(n, &l->conv, path, x->channels, s->units, s->size, s->size, attr, s->activation);
        if (status == TARE_OK)
            tare_conv_layer_block(&l->conv, out);
        x->channels = s->units;
    } else if (s->kind == DENSE) {
        int64_t inputs = x->channels * x->side * x->side;
        status = tare_dense_layer_build(n, &l->dense, path, inputs, s->units, s->activation);
        if (status == TARE_OK)
            tare_dense_layer_block(&l->dense, out);
        *x = (form){s->units, 1};
        return status;
    } else if (s->kind == DROPOUT) {
        status = tare_dropout_layer_build(n, &l->dropout, path, s->rate);
        if (status == TARE_OK)
            tare_dropout_layer_block(&l->dropout, out);
        return status;
    } else {
        tare_pool_kind kind = s->kind == MAX_POOL ? TARE_POOL_MAX : TARE_POOL_AVERAGE;
        l->pool = tare_pool_layer_square(path, kind, s->size, s->stride);
        tare_pool_layer_block(&l->pool, out);
    }
    x->side = (x->side + 2 * s->pad - s->size) / s->stride + 1;
    return status;
}

static tare_status build(tare_net *n, const plan *p)
{
    conv_net *net = (conv_net *)n;
    layer *layers = tare_arena_take(&n->arena, (size_t)p->n_steps * sizeof *layers);
    net->plan = p;
    net->block = tare_arena_take(&n->arena, (size_t)p->n_steps * sizeof *net->block);
    if (!layers || !net->block)
        return TARE_NO_MEMORY;
    n->root = (tare_block){.name = n->type->name, .child = net->block};
    form x = {p->channels, p->side};
    int number[DROPOUT + 1] = {0}; /* of each kind so far; poolings are one */
    for (int i = 0; i < p->n_steps; ++i) {
        step_kind kind = p->steps[i].kind;
        int *count = &number[kind == AVG_POOL ? MAX_POOL : kind];
        tare_status status = build_step(n, &p->steps[i], (*count)++, &x, &layers[i], &net->block[i]);
        if (status != TARE_OK)
            return status;
        n->root.n_children = i + 1;
    }
    return TARE_OK;
}

static inline __attribute__((always_inline)) tare_value *apply_step(tare_mode *m, step_kind kind, tare_block *b,
                                                                    tare_value *x, const tare_api api)
{
    switch (kind) {
    case CONV:
        return tare_block_call(m, b, tare_conv_layer_direct, tare_move(x), api);
    case DENSE:
        if (x->d.rank > 2)
            x = tare_flatten(m, tare_move(x));
        return tare_block_call(m, b, tare_dense_layer_direct, tare_move(x), api);
    case DROPOUT:
        return tare_block_call(m, b, tare_dropout_layer_direct, tare_move(x), api);
    default:
        return tare_block_call(m, b, tare_pool_layer_direct, tare_move(x), api);
    }
}

/* The net, written once; compiled once for each way of reaching a layer. */
static inline __attribute__((always_inline)) tare_value *body(tare_mode *m, tare_net *n, tare_value *x,
                                                              const tare_api api)
{
    const conv_net *net = (const conv_net *)n;
    m->scope_begin(m, NULL);
    m->adopt(m, &x, 1);
    for (int i = 0; i < net->plan->n_steps; ++i)
        x = apply_step(m, net->plan->steps[i].kind, &net->block[i], x, api);
    m->scope_end(m, &x, 1);
    return x;
}

TARE_NET_FORWARDS(body)

/* ---- the nets -----------------------------------------------------------------------------------------------------
 * NET(name): its plan's steps stand in name_steps; digits are 1 x 28 x 28 with 10 classes. */
#define NET(name, channels_, side_)                                                                                    \
    static const plan name##_plan = {channels_, side_, name##_steps, (int)(sizeof name##_steps / sizeof(step))};       \
    static tare_status name##_build(tare_net *n, const void *options)                                                  \
    {                                                                                                                  \
        (void)options;                                                                                                 \
        return build(n, &name##_plan);                                                                                 \
    }                                                                                                                  \
    static void name##_input(const void *options, tare_desc *sample)                                                   \
    {                                                                                                                  \
        (void)options;                                                                                                 \
        *sample = tare_desc_of(TARE_F32, 3, (const int64_t[]){channels_, side_, side_});                               \
    }                                                                                                                  \
    static void name##_output(const void *options, tare_desc *sample)                                                  \
    {                                                                                                                  \
        (void)options;                                                                                                 \
        *sample = tare_desc_of(TARE_F32, 1, &name##_steps[name##_plan.n_steps - 1].units);                             \
    }

/* Steps: maps@size, with padding, of a stride; windows of size, stride. */
#define RELU(maps, size_, pad_)                                                                                        \
    {                                                                                                                  \
        .kind = CONV, .units = maps, .size = size_, .stride = 1, .pad = pad_, .activation = TARE_ACTIVATION_RELU       \
    }
#define TANH(maps, size_)                                                                                              \
    {                                                                                                                  \
        .kind = CONV, .units = maps, .size = size_, .stride = 1, .activation = TARE_ACTIVATION_TANH                    \
    }
#define MAX(size_, stride_)                                                                                            \
    {                                                                                                                  \
        .kind = MAX_POOL, .size = size_, .stride = stride_                                                             \
    }
#define AVG(size_, stride_)                                                                                            \
    {                                                                                                                  \
        .kind = AVG_POOL, .size = size_, .stride = stride_                                                             \
    }
#define UNITS(n, active)                                                                                               \
    {                                                                                                                  \
        .kind = DENSE, .units = n, .activation = TARE_ACTIVATION_##active                                              \
    }
#define DROP(rate_)                                                                                                    \
    {                                                                                                                  \
        .kind = DROPOUT, .rate = rate_                                                                                 \
    }

static const step lenetp_steps[] = {RELU(6, 5, 0),    AVG(2, 2),       RELU(16, 3, 0), AVG(2, 2),
                                    UNITS(120, RELU), UNITS(84, RELU), UNITS(10, NONE)};
NET(lenetp, 1, 28)

static const step lenet_steps[] = {TANH(20, 5), MAX(2, 2), TANH(50, 5), MAX(2, 2), UNITS(500, TANH), UNITS(10, NONE)};
NET(lenet, 1, 28)

static const step cifarnet_steps[] = {RELU(32, 3, 1),   RELU(32, 3, 0), MAX(2, 2),      DROP(0.25),
                                      RELU(64, 3, 1),   RELU(64, 3, 0), MAX(2, 2),      DROP(0.25),
                                      UNITS(512, RELU), DROP(0.5),      UNITS(10, NONE)};
NET(cifarnet, 3, 32)

static const step vgg_cifar_steps[] = {
    RELU(64, 3, 1),  RELU(64, 3, 1),  MAX(2, 2),        RELU(128, 3, 1),  RELU(128, 3, 1), MAX(2, 2),
    RELU(256, 3, 1), RELU(256, 3, 1), RELU(256, 3, 1),  MAX(2, 2),        RELU(512, 3, 1), RELU(512, 3, 1),
    RELU(512, 3, 1), MAX(2, 2),       UNITS(512, RELU), UNITS(256, RELU), UNITS(10, NONE)};
NET(vgg_cifar, 3, 32)

static const step alexnet_steps[] = {
    {.kind = CONV, .units = 64, .size = 11, .stride = 4, .activation = TARE_ACTIVATION_RELU},
    MAX(3, 2),
    RELU(192, 5, 2),
    MAX(3, 2),
    RELU(384, 3, 1),
    RELU(256, 3, 1),
    RELU(256, 3, 1),
    MAX(3, 2),
    UNITS(4096, RELU),
    UNITS(4096, RELU),
    UNITS(10, NONE)};
NET(alexnet, 3, 224)

#define TYPE(name_, batch, head, divisor, doc_)                                                                        \
    {                                                                                                                  \
        .name = #name_, .doc = doc_, .default_batch = batch, .bench_loss = head,                                       \
        .training_loss = TARE_LOSS_SOFTMAX_CE, .input = name_##_input, .output = name_##_output,                       \
        .byte_divisor = divisor, .net_bytes = sizeof(conv_net), .build = name_##_build,                                \
        .forward = TARE_NET_FORWARD(body)                                                                              \
    }
static const tare_net_type nets[] = {
    TYPE(
        lenetp, 200, TARE_LOSS_SOFTMAX_CE, 1,
        "conv 6@5 relu - avgpool 2 - conv 16@3 relu - avgpool 2 - 120 relu - 84 relu - 10, pixels 0..255: the LeNet of "
        "the published S3 benchmark"),
    TYPE(lenet, 64, TARE_LOSS_SOFTMAX_CE, 0, "conv 20@5 tanh - maxpool 2 - conv 50@5 tanh - maxpool 2 - 500 tanh - 10"),
    TYPE(cifarnet, 256, TARE_LOSS_SOFTMAX_CE, 256,
         "two of (conv, conv, maxpool, dropout), 32 and 64 maps - 512 relu - dropout - 10, pixels / 256: the CIFAR-10 "
         "net "
         "of the published S3 benchmark"),
    TYPE(
        vgg_cifar, 128, TARE_LOSS_SOFTMAX_CE, 0,
        "conv 64 64, 128 128, 256 256 256, 512 512 512, a maxpool after each group - 512 relu - 256 relu - 10: VGG for "
        "CIFAR-10 of the published S3 benchmark"),
    TYPE(alexnet, 16, TARE_LOSS_ONES, 0,
         "conv 64@11/4, 192@5, 384@3, 256@3, 256@3 relu, three maxpools - 4096 relu - 4096 relu - 10: AlexNet of the "
         "published S1 benchmark"),
};

tare_status tare__conv_nets_register(tare_runtime *rt)
{
    tare_status status = TARE_OK;
    for (size_t i = 0; status == TARE_OK && i < sizeof nets / sizeof *nets; ++i)
        status = tare_register(rt, TARE_KIND_NET, &nets[i]);
    return status;
}
