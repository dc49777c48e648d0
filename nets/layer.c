/* layer.c - making layers and their objects. */
#include "layer.h"

/* ---- dense ------------------------------------------------------------------------------------------------------*/
static tare_value *block_forward(tare_mode *m, tare_block *b, tare_value *x)
{
    return tare_dense_layer_apply(m, b->layer, &tare_op_dense, &tare_op_relu, x, tare_block_data(m, b, 0),
                                  tare_block_data(m, b, 1));
}

static tare_value *hybrid_forward(tare_mode *m, tare_block *b, const tare_op *const *F, tare_value *x,
                                  tare_value *const *parameters)
{
    return tare_dense_layer_apply(m, b->layer, F[TARE_F_dense], F[TARE_F_relu], x, parameters[0], parameters[1]);
}

static const tare_block_class dense_class = {
    .name = "dense", .parameter = {"weight", "bias"}, .forward = block_forward, .hybrid_forward = hybrid_forward};

tare_status tare_dense_layer_build(tare_net *net, tare_dense_layer *l, const char *path, int64_t inputs, int64_t units,
                                   tare_activation activation)
{
    *l = (tare_dense_layer){.path = path, .activation = activation};
    tare_status status =
        tare_net_parameter(net, path, "weight", TARE_INIT_WEIGHT, 2, (const int64_t[]){units, inputs}, &l->weight);
    if (status == TARE_OK)
        status = tare_net_parameter(net, path, "bias", TARE_INIT_ZERO, 1, &units, &l->bias);
    return status;
}

void tare_dense_layer_block(tare_dense_layer *l, tare_block *out)
{
    *out = (tare_block){.class_ = &dense_class,
                        .name = l->path,
                        .layer = l,
                        .parameter = {{"weight", l->weight}, {"bias", l->bias}},
                        .n_parameters = 2};
}

/* ---- max pooling ------------------------------------------------------------------------------------------------*/
static tare_value *hybrid_max_pool(tare_mode *m, tare_block *b, const tare_op *const *F, tare_value *x,
                                   tare_value *const *parameters)
{
    (void)parameters;
    return tare_max_pool_layer_apply(m, b->layer, F[TARE_F_max_pool2d], x);
}

void tare_max_pool_layer_block(tare_max_pool_layer *l, tare_block *out)
{
    static const tare_block_class max_pool = {
        .name = "max_pool", .forward = tare_max_pool_layer_direct, .hybrid_forward = hybrid_max_pool};
    *out = (tare_block){.class_ = &max_pool, .name = l->path, .layer = l};
}
