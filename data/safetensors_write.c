/* safetensors_write.c - named arrays in one file, written (see safetensors.h). */
#include <stdlib.h>
#include <string.h>

#include "json_private.h"
#include "safetensors_private.h"

static const char *dtype_name(tare_dtype dtype)
{
    const char *name = NULL;
    for (int d = 0; d < TARE__SAFETENSORS_DTYPES; ++d)
        if (tare__safetensors_dtypes[d].dtype == dtype)
            name = tare__safetensors_dtypes[d].name;
    return name;
}

static tare_status no_memory(void)
{
    return tare_error(TARE_NO_MEMORY, "no memory for a header");
}

/* Adds one array to the header. */
static tare_status describe(json_t *header, const tare_tensor *t, size_t begin)
{
    const char *dtype = dtype_name(t->array.dtype);
    if (!dtype)
        return tare_error(TARE_BAD_DTYPE, "array '%s': a safetensors file holds no %s", t->name,
                          tare_dtype_name(t->array.dtype));
    if (json_object_get(header, t->name) || strcmp(t->name, TARE__METADATA) == 0)
        return tare_error(TARE_BAD_ARGUMENT, "array '%s': the name is taken", t->name);
    if (!tare__json_is_utf8(t->name))
        return tare_error(TARE_BAD_ARGUMENT, "array '%s': the name is no UTF-8", t->name);
    json_t *shape = json_array();
    bool whole = true;
    for (int i = 0; i < t->array.rank; ++i)
        whole &= json_array_append_new(shape, json_integer(t->array.dims[i])) == 0;
    json_t *value = json_pack("{s:s,s:o,s:[I,I]}", "dtype", dtype, "shape", shape, "data_offsets", (json_int_t)begin,
                              (json_int_t)(begin + t->array.bytes));
    if (whole && json_object_set_new(header, t->name, value) == 0)
        return TARE_OK;
    if (!whole)
        json_decref(value);
    return no_memory();
}

static tare_status describe_metadata(json_t *header, const tare_tensors *set)
{
    json_t *object = json_object();
    if (json_object_set_new(header, TARE__METADATA, object) != 0)
        return no_memory();
    for (int i = 0; i < set->n_metadata; ++i) {
        const tare_metadata *pair = &set->metadata[i];
        if (json_object_get(object, pair->key))
            return tare_error(TARE_BAD_ARGUMENT, "metadata '%s': the key is taken", pair->key);
        if (!tare__json_is_utf8(pair->key) || !tare__json_is_utf8(pair->text))
            return tare_error(TARE_BAD_ARGUMENT, "metadata '%s': key or text is no UTF-8", pair->key);
        if (json_object_set_new(object, pair->key, json_string(pair->text)) != 0)
            return no_memory();
    }
    return TARE_OK;
}

/* The header's text, padded with blanks so that the arrays begin at a multiple of 8. Freed by the caller. */
static tare_status make_header(const tare_tensors *set, char **text, size_t *length)
{
    json_t *header = json_object();
    size_t begin = 0;
    tare_status status = header ? TARE_OK : no_memory();
    if (status == TARE_OK && set->n_metadata > 0)
        status = describe_metadata(header, set);
    for (int i = 0; i < set->n && status == TARE_OK; ++i) {
        status = describe(header, &set->tensor[i], begin);
        begin += set->tensor[i].array.bytes;
    }
    char *compact = status == TARE_OK ? json_dumps(header, JSON_COMPACT) : NULL;
    json_decref(header);
    if (status != TARE_OK)
        return status;
    size_t used = compact ? strlen(compact) : 0;
    *length = (used + 7) / 8 * 8;
    *text = compact ? realloc(compact, *length + 1) : NULL;
    if (!*text) {
        free(compact);
        return no_memory();
    }
    memset(*text + used, ' ', *length - used);
    return TARE_OK;
}

tare_status tare_safetensors_put(tare_writer *writer, const tare_tensors *set)
{
    char *text;
    size_t length;
    tare_status status = make_header(set, &text, &length);
    if (status != TARE_OK)
        return status;
    uint64_t prefix = length;
    (void)tare_writer_put(writer, &prefix, sizeof prefix);
    status = tare_writer_put(writer, text, length);
    for (int i = 0; i < set->n; ++i) /* repeats the first failure */
        status = tare_writer_put(writer, set->tensor[i].array.data, set->tensor[i].array.bytes);
    free(text);
    return status;
}

tare_status tare_safetensors_write(tare_memory *memory, const char *path, const tare_tensors *set)
{
    tare_writer writer;
    tare_status status = tare_writer_open(&writer, memory, path);
    if (status != TARE_OK)
        return status;
    status = tare_safetensors_put(&writer, set);
    if (status == TARE_OK)
        return tare_writer_close(&writer);
    tare_writer_abandon(&writer);
    return status;
}
