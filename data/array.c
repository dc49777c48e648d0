/* array.c - owned host arrays (see array.h). */
#include "array.h"

#include <string.h>

tare_status tare_array_measure(tare_dtype dtype, int rank, const int64_t *dims, size_t *bytes)
{
    if (rank < 0 || rank > TARE_ARRAY_RANK_MAX)
        return tare_error(TARE_BAD_SHAPE, "array: rank %d is not in 0..%d", rank, TARE_ARRAY_RANK_MAX);
    /* A zero among the dimensions does not excuse the others: their product must fit by itself, so that
     * no later product of a few of them can overflow. */
    size_t product = tare_dtype_bytes(dtype);
    int empty = 0;
    for (int i = 0; i < rank; ++i) {
        if (dims[i] < 0)
            return tare_error(TARE_BAD_SHAPE, "array: dimension %d is negative (%lld)", i, (long long)dims[i]);
        empty |= dims[i] == 0;
        if (dims[i] && (__builtin_mul_overflow(product, (size_t)dims[i], &product) || product > PTRDIFF_MAX))
            return tare_error(TARE_BAD_SHAPE, "array: more bytes than memory can address");
    }
    *bytes = empty ? 0 : product;
    return TARE_OK;
}

tare_status tare_array_init(tare_memory *memory, tare_dtype dtype, int rank, const int64_t *dims, tare_array *array)
{
    tare_array made = {.dtype = dtype, .rank = rank};
    tare_status status = tare_array_measure(dtype, rank, dims, &made.bytes);
    if (status)
        return status;
    for (int i = 0; i < rank; ++i)
        made.dims[i] = dims[i];
    made.data = tare_memory_take(memory, TARE_MEMORY_INPUT, made.bytes);
    if (!made.data)
        return TARE_NO_MEMORY;
    *array = made;
    return TARE_OK;
}

void tare_array_fini(tare_memory *memory, tare_array *array)
{
    tare_memory_give(memory, TARE_MEMORY_INPUT, array->data, array->bytes);
    memset(array, 0, sizeof *array);
}

int64_t tare_array_count(const tare_array *array)
{
    return (int64_t)(array->bytes / tare_dtype_bytes(array->dtype));
}

int64_t tare_array_row_count(const tare_array *array)
{
    int64_t count = 1;
    for (int i = 1; i < array->rank; ++i)
        count *= array->dims[i];
    return count;
}
