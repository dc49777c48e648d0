/* layer_state.c - dropout and batch normalization made: their parameters, their part of the net's state, their
 * objects. */
#include "layer_state.h"

/* ---- dropout ----------------------------------------------------------------------------------------------------*/
tare_status tare_dropout_layer_build(tare_net *net, tare_dropout_layer *l, const char *path, double rate)
{
    if (!(rate >= 0 && rate < 1))
        return tare_error(TARE_BAD_ARGUMENT, "dropout '%s': rate is %g (need at least 0 and less than 1)", path, rate);
    *l = (tare_dropout_layer){.path = path, .attr = {.rate = rate, .seed = (int64_t)net->seed}};
    return tare_net_random_calls(net, &l->random_calls);
}

static tare_value *hybrid_dropout(tare_mode *m, tare_block *b, const tare_op *const *F, tare_value *x,
                                  tare_value *const *parameters)
{
    (void)parameters;
    return tare_dropout_layer_apply(m, b->layer, F[TARE_F_dropout], F[TARE_F_increment], x);
}

void tare_dropout_layer_block(tare_dropout_layer *l, tare_block *out)
{
    static const tare_block_class dropout = {
        .name = "dropout", .forward = tare_dropout_layer_direct, .hybrid_forward = hybrid_dropout};
    *out = (tare_block){.class_ = &dropout, .name = l->path, .layer = l};
}

/* ---- batch normalization ----------------------------------------------------------------------------------------*/
tare_status tare_batch_norm_layer_build(tare_net *net, tare_batch_norm_layer *l, const char *path, int64_t channels,
                                        tare_batch_norm_attr attr, tare_activation activation)
{
    *l = (tare_batch_norm_layer){.path = path, .attr = attr, .activation = activation};
    tare_status status = tare_net_parameter(net, path, "weight", TARE_INIT_ONE, 1, &channels, &l->scale);
    if (status == TARE_OK)
        status = tare_net_parameter(net, path, "bias", TARE_INIT_ZERO, 1, &channels, &l->shift);
    if (status == TARE_OK)
        status = tare_net_state(net, path, "running_mean", TARE_INIT_ZERO, 1, &channels, &l->running_mean);
    if (status == TARE_OK)
        status = tare_net_state(net, path, "running_var", TARE_INIT_ONE, 1, &channels, &l->running_var);
    return status;
}

static tare_value *block_batch_norm(tare_mode *m, tare_block *b, tare_value *x)
{
    const tare_batch_norm_layer *l = b->layer;
    tare_value *values[4];
    for (int i = 0; i < 4; ++i)
        values[i] = tare_block_data(m, b, i);
    return tare_batch_norm_layer_apply(m, l, &tare_op_batch_norm, &tare_op_batch_norm_inference,
                                       tare_activation_op(l->activation), x, values);
}

static tare_value *hybrid_batch_norm(tare_mode *m, tare_block *b, const tare_op *const *F, tare_value *x,
                                     tare_value *const *parameters)
{
    const tare_batch_norm_layer *l = b->layer;
    return tare_batch_norm_layer_apply(m, l, F[TARE_F_batch_norm], F[TARE_F_batch_norm_inference],
                                       tare_activation_of(l->activation, F), x, parameters);
}

void tare_batch_norm_layer_block(tare_batch_norm_layer *l, tare_block *out)
{
    static const tare_block_class batch_norm = {.name = "batch_norm",
                                                .parameter = {"weight", "bias", "running_mean", "running_var"},
                                                .forward = block_batch_norm,
                                                .hybrid_forward = hybrid_batch_norm};
    *out = (tare_block){.class_ = &batch_norm,
                        .name = l->path,
                        .layer = l,
                        .parameter = {{"weight", l->scale},
                                      {"bias", l->shift},
                                      {"running_mean", l->running_mean},
                                      {"running_var", l->running_var}},
                        .n_parameters = 4};
}
