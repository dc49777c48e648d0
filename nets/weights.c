/* weights.c - parameters and state, on the host and in a file (see weights.h). */
#include "weights.h"

#include "checkpoint.h"
#include "named_private.h"

static tare__named *entries(const tare_net *net, const char *prefix, int *n)
{
    *n = tare__named_net(net, prefix, NULL);
    tare__named *list = tare_memory_take_zeroed(&net->runtime->memory, TARE_MEMORY_RECORD, (size_t)*n, sizeof *list);
    if (list)
        (void)tare__named_net(net, prefix, list);
    return list;
}

static void give(const tare_net *net, tare__named *list, int n)
{
    tare_memory_give(&net->runtime->memory, TARE_MEMORY_RECORD, list, (size_t)n * sizeof *list);
}

tare_status tare_weights_take(const tare_net *net, const char *prefix, tare_tensors *out)
{
    int n;
    tare__named *list = entries(net, prefix, &n);
    tare_status status = list ? tare__named_take(&net->runtime->memory, list, n, out) : TARE_NO_MEMORY;
    give(net, list, n);
    return status;
}

tare_status tare_weights_put(tare_net *net, const char *prefix, const tare_tensors *set, const char *path)
{
    int n;
    tare__named *list = entries(net, prefix, &n);
    tare_status status = list ? tare__named_check(list, n, set, path) : TARE_NO_MEMORY;
    if (status == TARE_OK)
        status = tare__named_put(list, n, set);
    give(net, list, n);
    return status;
}

tare_status tare_weights_save(const tare_net *net, const char *path)
{
    tare_memory *memory = &net->runtime->memory;
    tare_tensors set;
    tare_status status = tare_weights_take(net, "", &set);
    if (status != TARE_OK)
        return status;
    status = tare_safetensors_write(memory, path, &set);
    tare_safetensors_free(memory, &set);
    return status;
}

tare_status tare_weights_load(tare_net *net, const char *path)
{
    tare_memory *memory = &net->runtime->memory;
    tare_tensors set = {0};
    tare_status status = tare_safetensors_read(memory, path, &set);
    int n = tare__named_net(net, "", NULL);
    if (status == TARE_OK && set.n > n && !tare_checkpoint_is(&set))
        status = tare_error(TARE_BAD_FILE, "%s: it has %d arrays, and the net has %d parameters and %d of state", path,
                            set.n, net->n_parameters, net->n_states);
    if (status == TARE_OK)
        status = tare_weights_put(net, "", &set, path);
    tare_safetensors_free(memory, &set);
    return status;
}
