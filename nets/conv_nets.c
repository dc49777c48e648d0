/* conv_nets.c - the image nets as tables of steps (conv_net_private.h): lenetp, lenet, cifarnet, vgg_cifar, alexnet,
 * googlenet, resnet50. */
#include "conv_net_private.h"
#include "nets_private.h"

TARE_NET_FORWARDS(tare__conv_net_body)

/* NET(name): its plan's steps stand in name_steps; digits are 1 x 28 x 28 with 10 classes. */
#define NET(name, channels_, side_)                                                                                    \
    static const tare_conv_net_plan name##_plan = {channels_, side_, name##_steps,                                     \
                                                   (int)(sizeof name##_steps / sizeof *name##_steps)};                 \
    static tare_status name##_build(tare_net *n, const void *options)                                                  \
    {                                                                                                                  \
        (void)options;                                                                                                 \
        return tare__conv_net_build(n, &name##_plan);                                                                  \
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
        .kind = TARE_STEP_CONV, .units = maps, .size = size_, .stride = 1, .pad = pad_,                                \
        .activation = TARE_ACTIVATION_RELU                                                                             \
    }
#define TANH(maps, size_)                                                                                              \
    {                                                                                                                  \
        .kind = TARE_STEP_CONV, .units = maps, .size = size_, .stride = 1, .activation = TARE_ACTIVATION_TANH          \
    }
#define MAX(size_, stride_)                                                                                            \
    {                                                                                                                  \
        .kind = TARE_STEP_MAX_POOL, .size = size_, .stride = stride_                                                   \
    }
#define AVG(size_, stride_)                                                                                            \
    {                                                                                                                  \
        .kind = TARE_STEP_AVG_POOL, .size = size_, .stride = stride_                                                   \
    }
#define UNITS(n, active)                                                                                               \
    {                                                                                                                  \
        .kind = TARE_STEP_DENSE, .units = n, .activation = TARE_ACTIVATION_##active                                    \
    }
#define DROP(rate_)                                                                                                    \
    {                                                                                                                  \
        .kind = TARE_STEP_DROPOUT, .rate = rate_                                                                       \
    }

static const tare_conv_net_step lenetp_steps[] = {RELU(6, 5, 0),    AVG(2, 2),       RELU(16, 3, 0), AVG(2, 2),
                                                  UNITS(120, RELU), UNITS(84, RELU), UNITS(10, NONE)};
NET(lenetp, 1, 28)

static const tare_conv_net_step lenet_steps[] = {TANH(20, 5), MAX(2, 2),        TANH(50, 5),
                                                 MAX(2, 2),   UNITS(500, TANH), UNITS(10, NONE)};
NET(lenet, 1, 28)

static const tare_conv_net_step cifarnet_steps[] = {RELU(32, 3, 1),   RELU(32, 3, 0), MAX(2, 2),      DROP(0.25),
                                                    RELU(64, 3, 1),   RELU(64, 3, 0), MAX(2, 2),      DROP(0.25),
                                                    UNITS(512, RELU), DROP(0.5),      UNITS(10, NONE)};
NET(cifarnet, 3, 32)

static const tare_conv_net_step vgg_cifar_steps[] = {
    RELU(64, 3, 1),  RELU(64, 3, 1),  MAX(2, 2),        RELU(128, 3, 1),  RELU(128, 3, 1), MAX(2, 2),
    RELU(256, 3, 1), RELU(256, 3, 1), RELU(256, 3, 1),  MAX(2, 2),        RELU(512, 3, 1), RELU(512, 3, 1),
    RELU(512, 3, 1), MAX(2, 2),       UNITS(512, RELU), UNITS(256, RELU), UNITS(10, NONE)};
NET(vgg_cifar, 3, 32)

static const tare_conv_net_step alexnet_steps[] = {
    {.kind = TARE_STEP_CONV, .units = 64, .size = 11, .stride = 4, .activation = TARE_ACTIVATION_RELU},
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

/* A step of a branch: from lane to lane, maps@size. */
#define BRANCH(name_, from_, to_, maps, size_, pad_)                                                                   \
    {                                                                                                                  \
        .kind = TARE_STEP_CONV, .name = name_, .from = from_, .to = to_, .units = maps, .size = size_, .stride = 1,    \
        .pad = pad_, .activation = TARE_ACTIVATION_RELU                                                                \
    }
/* Four branches of one value, their channels side by side: 1x1; 1x1 then 3x3; 1x1 then 5x5; maxpool then 1x1.
 * (C. Szegedy et al., Going Deeper with Convolutions, 2015, figure 2b) */
#define INCEPTION(at, n1, r3, n3, r5, n5, pool)                                                                        \
    BRANCH(at ".1x1", 0, 1, n1, 1, 0), BRANCH(at ".3x3_reduce", 0, 2, r3, 1, 0), BRANCH(at ".3x3", 2, 2, n3, 3, 1),    \
        BRANCH(at ".5x5_reduce", 0, 3, r5, 1, 0), BRANCH(at ".5x5", 3, 3, n5, 5, 2),                                   \
        {.kind = TARE_STEP_MAX_POOL, .name = at ".pool", .size = 3, .stride = 1, .pad = 1},                            \
        BRANCH(at ".pool_proj", 0, 0, pool, 1, 0),                                                                     \
    {                                                                                                                  \
        .kind = TARE_STEP_CONCAT, .name = at ".concat", .units = 4                                                     \
    }

static const tare_conv_net_step googlenet_steps[] = {
    {.kind = TARE_STEP_CONV,
     .name = "conv1",
     .units = 64,
     .size = 7,
     .stride = 2,
     .pad = 3,
     .activation = TARE_ACTIVATION_RELU},
    MAX(3, 2),
    {.kind = TARE_STEP_CONV, .name = "conv2", .units = 64, .size = 1, .stride = 1},
    {.kind = TARE_STEP_CONV, .name = "conv3", .units = 192, .size = 3, .stride = 1, .pad = 1},
    MAX(3, 2),
    INCEPTION("3a", 64, 96, 128, 16, 32, 32),
    INCEPTION("3b", 128, 128, 192, 32, 96, 64),
    MAX(3, 2),
    INCEPTION("4a", 192, 96, 208, 16, 48, 64),
    INCEPTION("4b", 160, 112, 224, 24, 64, 64),
    INCEPTION("4c", 128, 128, 256, 24, 64, 64),
    INCEPTION("4d", 112, 144, 288, 32, 64, 64),
    INCEPTION("4e", 256, 160, 320, 32, 128, 128),
    MAX(3, 2),
    INCEPTION("5a", 256, 160, 320, 32, 128, 128),
    INCEPTION("5b", 384, 192, 384, 48, 128, 128),
    AVG(2, 2),
    UNITS(1000, NONE)};
NET(googlenet, 3, 224)

/* A convolution without bias and the normalization behind it. */
#define NORMED(conv, norm, from_, to_, maps, size_, stride_, pad_, active)                                             \
    {.kind = TARE_STEP_CONV,                                                                                           \
     .name = conv,                                                                                                     \
     .from = from_,                                                                                                    \
     .to = to_,                                                                                                        \
     .units = maps,                                                                                                    \
     .size = size_,                                                                                                    \
     .stride = stride_,                                                                                                \
     .pad = pad_,                                                                                                      \
     .unbiased = true},                                                                                                \
    {                                                                                                                  \
        .kind = TARE_STEP_NORM, .name = norm, .from = to_, .to = to_, .activation = TARE_ACTIVATION_##active           \
    }
/* relu(x + residual), the residual of 1x1 to `maps`, 3x3 of a stride, 1x1 to 4 maps. Where the shape changes x goes
 * through a 1x1 of its own. (K. He et al., Deep Residual Learning, 2016, figure 5; the stride on the 3x3) */
#define RESIDUAL(at, maps, stride)                                                                                     \
    NORMED(at ".conv1", at ".bn1", 0, 1, maps, 1, 1, 0, RELU),                                                         \
        NORMED(at ".conv2", at ".bn2", 1, 1, maps, 3, stride, 1, RELU),                                                \
        NORMED(at ".conv3", at ".bn3", 1, 1, 4 * (maps), 1, 1, 0, NONE)
#define SUM(at)                                                                                                        \
    {                                                                                                                  \
        .kind = TARE_STEP_ADD, .name = at ".add", .units = 2, .activation = TARE_ACTIVATION_RELU                       \
    }
#define BOTTLENECK(at, maps) RESIDUAL(at, maps, 1), SUM(at)
#define BOTTLENECK_FIRST(at, maps, stride)                                                                             \
    RESIDUAL(at, maps, stride), NORMED(at ".downsample.0", at ".downsample.1", 0, 0, 4 * (maps), 1, stride, 0, NONE),  \
        SUM(at)

/* Layers are named as torchvision names them. */
static const tare_conv_net_step resnet50_steps[] = {
    NORMED("conv1", "bn1", 0, 0, 64, 7, 2, 3, RELU),
    {.kind = TARE_STEP_MAX_POOL, .name = "maxpool", .size = 3, .stride = 2, .pad = 1},
    BOTTLENECK_FIRST("layer1.0", 64, 1),
    BOTTLENECK("layer1.1", 64),
    BOTTLENECK("layer1.2", 64),
    BOTTLENECK_FIRST("layer2.0", 128, 2),
    BOTTLENECK("layer2.1", 128),
    BOTTLENECK("layer2.2", 128),
    BOTTLENECK("layer2.3", 128),
    BOTTLENECK_FIRST("layer3.0", 256, 2),
    BOTTLENECK("layer3.1", 256),
    BOTTLENECK("layer3.2", 256),
    BOTTLENECK("layer3.3", 256),
    BOTTLENECK("layer3.4", 256),
    BOTTLENECK("layer3.5", 256),
    BOTTLENECK_FIRST("layer4.0", 512, 2),
    BOTTLENECK("layer4.1", 512),
    BOTTLENECK("layer4.2", 512),
    {.kind = TARE_STEP_AVG_POOL, .name = "avgpool"},
    {.kind = TARE_STEP_DENSE, .name = "fc", .units = 1000}};
NET(resnet50, 3, 224)

#define TYPE(name_, batch, head, divisor, doc_)                                                                        \
    {                                                                                                                  \
        .name = #name_, .doc = doc_, .default_batch = batch, .bench_loss = head,                                       \
        .training_loss = TARE_LOSS_SOFTMAX_CE, .input = name_##_input, .output = name_##_output,                       \
        .byte_divisor = divisor, .net_bytes = sizeof(tare_conv_net), .build = name_##_build,                           \
        .forward = TARE_NET_FORWARD(tare__conv_net_body)                                                               \
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
    TYPE(googlenet, 16, TARE_LOSS_ONES, 0,
         "conv 64@7/2 relu, 64@1, 192@3 - nine inceptions, five maxpools - avgpool 2 - 1000: GoogLeNet of the "
         "published S1 "
         "benchmark"),
    TYPE(resnet50, 16, TARE_LOSS_SOFTMAX_CE, 0,
         "conv 64@7/2, maxpool - bottlenecks 3-4-6-3 with batch norm, the stride on the 3x3 - global avgpool - 1000: "
         "ResNet-50 v1"),
};

tare_status tare__conv_nets_register(tare_runtime *rt)
{
    tare_status status = TARE_OK;
    for (size_t i = 0; status == TARE_OK && i < sizeof nets / sizeof *nets; ++i)
        status = tare_register(rt, TARE_KIND_NET, &nets[i]);
    return status;
}
