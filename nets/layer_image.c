/* layer_image.c - convolution and pooling layers made, and their objects. */
#include "layer_image.h"

#include "nets_private.h"

_Static_assert(offsetof(tare_avg_pool2d_attr, ceil_mode) == offsetof(tare_max_pool2d_attr, ceil_mode) &&
                   sizeof(tare_avg_pool2d_attr) >= sizeof(tare_max_pool2d_attr),
               "the attributes of the two poolings begin alike");

/* ---- convolution ------------------------------------------------------------------------------------------------*/
tare_status tare_conv_layer_build(tare_net *net, tare_conv_layer *l, const char *path, int64_t channels, int64_t maps,
                                  int64_t kernel_h, int64_t kernel_w, tare_conv2d_attr attr, bool biased,
                                  tare_activation activation)
{
    if (attr.groups < 1 || channels % attr.groups || maps % attr.groups)
        return tare_error(TARE_BAD_ARGUMENT, "conv '%s': %lld groups do not divide %lld channels and %lld maps", path,
                          (long long)attr.groups, (long long)channels, (long long)maps);
    *l = (tare_conv_layer){.path = path, .attr = attr, .activation = activation};
    const int64_t dim[] = {maps, channels / attr.groups, kernel_h, kernel_w};
    return biased ? tare__affine_parameters(net, path, 4, dim, &l->weight, &l->bias)
                  : tare_net_parameter(net, path, "weight", TARE_INIT_WEIGHT, 4, dim, &l->weight);
}

static tare_value *block_conv(tare_mode *m, tare_block *b, tare_value *x)
{
    const tare_conv_layer *l = b->layer;
    return tare_conv_layer_apply(m, l, &tare_op_conv2d, tare_activation_op(l->activation), x, tare_block_data(m, b, 0),
                                 l->bias ? tare_block_data(m, b, 1) : NULL);
}

static tare_value *hybrid_conv(tare_mode *m, tare_block *b, const tare_op *const *F, tare_value *x,
                               tare_value *const *parameters)
{
    const tare_conv_layer *l = b->layer;
    return tare_conv_layer_apply(m, l, F[TARE_F_conv2d], tare_activation_of(l->activation, F), x, parameters[0],
                                 l->bias ? parameters[1] : NULL);
}

void tare_conv_layer_block(tare_conv_layer *l, tare_block *out)
{
    static const tare_block_class conv = {
        .name = "conv", .parameter = {"weight", "bias"}, .forward = block_conv, .hybrid_forward = hybrid_conv};
    static const tare_block_class unbiased = {
        .name = "conv", .parameter = {"weight"}, .forward = block_conv, .hybrid_forward = hybrid_conv};
    *out = (tare_block){.class_ = l->bias ? &conv : &unbiased,
                        .name = l->path,
                        .layer = l,
                        .parameter = {{"weight", l->weight}, {"bias", l->bias}},
                        .n_parameters = l->bias ? 2 : 1};
}

/* ---- pooling ----------------------------------------------------------------------------------------------------*/
tare_pool_layer tare_pool_layer_square(const char *path, tare_pool_kind kind, int64_t size, int64_t stride)
{
    tare_avg_pool2d_attr attr = {
        .kernel_h = size, .kernel_w = size, .stride_h = stride, .stride_w = stride, .count_include_pad = true};
    return (tare_pool_layer){.path = path, .kind = kind, .attr = attr};
}

static tare_value *hybrid_pool(tare_mode *m, tare_block *b, const tare_op *const *F, tare_value *x,
                               tare_value *const *parameters)
{
    (void)parameters;
    const tare_pool_layer *l = b->layer;
    return tare_pool_layer_apply(m, l, F[l->kind == TARE_POOL_MAX ? TARE_F_max_pool2d : TARE_F_avg_pool2d], x);
}

void tare_pool_layer_block(tare_pool_layer *l, tare_block *out)
{
    static const tare_block_class pool = {
        .name = "pool", .forward = tare_pool_layer_direct, .hybrid_forward = hybrid_pool};
    *out = (tare_block){.class_ = &pool, .name = l->path, .layer = l};
}
