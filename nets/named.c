/* named.c - values with names, to arrays on the host and back (see named_private.h). */
#include "named_private.h"

#include <stdio.h>
#include <string.h>

int tare__named_net(const tare_net *net, const char *prefix, tare__named *list)
{
    int n = net->n_parameters + net->n_states;
    for (int i = 0; list && i < n; ++i) {
        const tare_parameter *p = i < net->n_parameters ? &net->parameter[i] : &net->state[i - net->n_parameters];
        list[i] = (tare__named){.value = p->value, .name = p->name};
        (void)snprintf(list[i].prefix, TARE__PREFIX, "%s", prefix);
    }
    return n;
}

static tare_status take_one(tare_memory *memory, const tare__named *named, tare_tensor *out)
{
    const tare_value *v = named->value;
    size_t bytes = strlen(named->prefix) + strlen(named->name) + 1;
    out->name = tare_memory_take(memory, TARE_MEMORY_INPUT, bytes);
    if (!out->name)
        return TARE_NO_MEMORY;
    (void)snprintf(out->name, bytes, "%s%s", named->prefix, named->name);
    tare_status status = tare_array_init(memory, (tare_dtype)v->d.dtype, v->d.rank, v->d.dim, &out->array);
    return status == TARE_OK ? tare_value_read(v, out->array.data, out->array.bytes) : status;
}

tare_status tare__named_take(tare_memory *memory, const tare__named *named, int n, tare_tensors *out)
{
    tare_tensors set = {0};
    set.tensor = tare_memory_take_zeroed(memory, TARE_MEMORY_INPUT, (size_t)n, sizeof *set.tensor);
    if (!set.tensor)
        return TARE_NO_MEMORY;
    set.n = n;
    tare_status status = TARE_OK;
    for (int i = 0; i < n && status == TARE_OK; ++i)
        status = take_one(memory, &named[i], &set.tensor[i]);
    if (status == TARE_OK)
        *out = set;
    else
        tare_safetensors_free(memory, &set);
    return status;
}

static const tare_array *find(const tare__named *named, const tare_tensors *set)
{
    size_t length = strlen(named->prefix);
    for (int i = 0; i < set->n; ++i)
        if (strncmp(set->tensor[i].name, named->prefix, length) == 0 &&
            strcmp(set->tensor[i].name + length, named->name) == 0)
            return &set->tensor[i].array;
    return NULL;
}

tare_status tare__named_check(const tare__named *named, int n, const tare_tensors *set, const char *path)
{
    for (int i = 0; i < n; ++i) {
        const tare_value *v = named[i].value;
        const tare_array *array = find(&named[i], set);
        if (!array)
            return tare_error(TARE_BAD_FILE, "%s: %s%s is missing", path, named[i].prefix, named[i].name);
        tare_desc d = tare_desc_of(array->dtype, array->rank, array->dims);
        char has[TARE_DESC_TEXT], wants[TARE_DESC_TEXT];
        if (!tare_desc_same_shape(&d, &v->d) || d.dtype != v->d.dtype)
            return tare_error(TARE_BAD_FILE, "%s: %s%s is %s%s, and the net has %s%s", path, named[i].prefix,
                              named[i].name, tare_dtype_name(array->dtype), tare_desc_text(&d, has),
                              tare_dtype_name((tare_dtype)v->d.dtype), tare_desc_text(&v->d, wants));
    }
    return TARE_OK;
}

tare_status tare__named_put(const tare__named *named, int n, const tare_tensors *set)
{
    tare_status status = TARE_OK;
    for (int i = 0; i < n && status == TARE_OK; ++i) {
        const tare_array *array = find(&named[i], set);
        status = tare_value_write(named[i].value, array->data, array->bytes);
    }
    return status;
}
