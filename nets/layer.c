/* layer.c - making layers and their objects. */
#include "layer.h"

#include "nets_private.h"

/* ---- dense ------------------------------------------------------------------------------------------------------*/
static tare_value *block_forward(tare_mode *m, tare_block *b, tare_value *x)
{
    const tare_dense_layer *l = b->layer;
    return tare_dense_layer_apply(m, l, &tare_op_dense, tare_activation_op(l->activation), x, tare_block_data(m, b, 0),
                                  tare_block_data(m, b, 1));
}

static tare_value *hybrid_forward(tare_mode *m, tare_block *b, const tare_op *const *F, tare_value *x,
                                  tare_value *const *parameters)
{
    const tare_dense_layer *l = b->layer;
    return tare_dense_layer_apply(m, l, F[TARE_F_dense], tare_activation_of(l->activation, F), x, parameters[0],
                                  parameters[1]);
}

static const tare_block_class dense_class = {
    .name = "dense", .parameter = {"weight", "bias"}, .forward = block_forward, .hybrid_forward = hybrid_forward};

tare_status tare_dense_layer_build(tare_net *net, tare_dense_layer *l, const char *path, int64_t inputs, int64_t units,
                                   tare_activation activation)
{
    *l = (tare_dense_layer){.path = path, .activation = activation};
    return tare__affine_parameters(net, path, 2, (const int64_t[]){units, inputs}, &l->weight, &l->bias);
}

tare_status tare__affine_parameters(tare_net *net, const char *path, int rank, const int64_t *dim, tare_value **weight,
                                    tare_value **bias)
{
    tare_status status = tare_net_parameter(net, path, "weight", TARE_INIT_WEIGHT, rank, dim, weight);
    return status == TARE_OK ? tare_net_parameter(net, path, "bias", TARE_INIT_ZERO, 1, dim, bias) : status;
}

void tare_dense_layer_block(tare_dense_layer *l, tare_block *out)
{
    *out = (tare_block){.class_ = &dense_class,
                        .name = l->path,
                        .layer = l,
                        .parameter = {{"weight", l->weight}, {"bias", l->bias}},
                        .n_parameters = 2};
}
