/* weights.c - parameters and state in a file (see weights.h). */
#include "weights.h"

#include <stdlib.h>
#include <string.h>

#include "../data/safetensors.h"
#include "command.h"

/* Parameters, then state. */
static int entries(const tare_net *net)
{
    return net->n_parameters + net->n_states;
}

static const tare_parameter *entry(const tare_net *net, int i)
{
    return i < net->n_parameters ? &net->parameter[i] : &net->state[i - net->n_parameters];
}

tare_status tare__weights_save(const tare_net *net, const char *path)
{
    tare_memory memory = {0};
    tare_tensor *tensor = tare__take((size_t)entries(net) + 1, sizeof *tensor);
    tare_status status = TARE_OK;
    for (int i = 0; i < entries(net) && status == TARE_OK; ++i) {
        const tare_value *v = entry(net, i)->value;
        tensor[i].name = tare__copy_text(entry(net, i)->name);
        status = tare_array_init(&memory, (tare_dtype)v->d.dtype, v->d.rank, v->d.dim, &tensor[i].array);
        if (status == TARE_OK)
            status = tare_value_read(v, tensor[i].array.data, tensor[i].array.bytes);
    }
    if (status == TARE_OK)
        status = tare_safetensors_write(&memory, path, tensor, entries(net));
    for (int i = 0; i < entries(net); ++i) {
        tare_array_fini(&memory, &tensor[i].array);
        free(tensor[i].name);
    }
    free(tensor);
    return status;
}

static const tare_array *find(const tare_tensors *set, const char *name)
{
    const tare_array *array = NULL;
    for (int i = 0; i < set->n; ++i)
        if (strcmp(set->tensor[i].name, name) == 0)
            array = &set->tensor[i].array;
    return array;
}

static tare_status check(const tare_net *net, const tare_tensors *set, const char *path)
{
    for (int i = 0; i < entries(net); ++i) {
        const tare_parameter *p = entry(net, i);
        const tare_array *array = find(set, p->name);
        if (!array)
            return tare_error(TARE_BAD_FILE, "%s: the %s %s is missing", path,
                              i < net->n_parameters ? "parameter" : "state", p->name);
        tare_desc d = tare_desc_of(array->dtype, array->rank, array->dims);
        char has[TARE_DESC_TEXT], wants[TARE_DESC_TEXT];
        if (!tare_desc_same_shape(&d, &p->value->d) || d.dtype != p->value->d.dtype)
            return tare_error(TARE_BAD_FILE, "%s: %s is %s%s, and the net has %s%s", path, p->name,
                              tare_dtype_name(array->dtype), tare_desc_text(&d, has),
                              tare_dtype_name((tare_dtype)p->value->d.dtype), tare_desc_text(&p->value->d, wants));
    }
    if (set->n != entries(net))
        return tare_error(TARE_BAD_FILE, "%s: it has %d arrays, and the net has %d parameters and %d of state", path,
                          set->n, net->n_parameters, net->n_states);
    return TARE_OK;
}

tare_status tare__weights_load(tare_net *net, const char *path)
{
    tare_memory memory = {0};
    tare_tensors set = {0};
    tare_status status = tare_safetensors_read(&memory, path, &set);
    if (status == TARE_OK)
        status = check(net, &set, path);
    for (int i = 0; i < entries(net) && status == TARE_OK; ++i) {
        const tare_array *array = find(&set, entry(net, i)->name);
        status = tare_value_write(entry(net, i)->value, array->data, array->bytes);
    }
    tare_safetensors_free(&memory, &set);
    return status;
}
