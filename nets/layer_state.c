/* layer_state.c - dropout and batch normalization made: their parameters and their part of the net's state. */
#include "layer_state.h"

tare_status tare_dropout_layer_build(tare_net *net, tare_dropout_layer *l, const char *path, double rate)
{
    if (!(rate >= 0 && rate < 1))
        return tare_error(TARE_BAD_ARGUMENT, "dropout '%s': rate is %g (need at least 0 and less than 1)", path, rate);
    *l = (tare_dropout_layer){.path = path, .attr = {.rate = rate, .seed = (int64_t)net->seed}};
    return tare_net_random_calls(net, &l->random_calls);
}

tare_status tare_batch_norm_layer_build(tare_net *net, tare_batch_norm_layer *l, const char *path, int64_t channels,
                                        tare_batch_norm_attr attr)
{
    *l = (tare_batch_norm_layer){.path = path, .attr = attr};
    tare_status status = tare_net_parameter(net, path, "weight", TARE_INIT_ONE, 1, &channels, &l->scale);
    if (status == TARE_OK)
        status = tare_net_parameter(net, path, "bias", TARE_INIT_ZERO, 1, &channels, &l->shift);
    if (status == TARE_OK)
        status = tare_net_state(net, path, "running_mean", TARE_INIT_ZERO, 1, &channels, &l->running_mean);
    if (status == TARE_OK)
        status = tare_net_state(net, path, "running_var", TARE_INIT_ONE, 1, &channels, &l->running_var);
    return status;
}
