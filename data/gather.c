/* gather.c - the rows of a batch, converted (see batches.h). */
#include "batches.h"

static int64_t row_of(const tare_batch *batch, int64_t i)
{
    return batch->rows ? batch->rows[i] : batch->first + i;
}

static tare_status check_rows(const tare_array *from, const tare_batch *batch)
{
    int64_t n_rows = from->rank > 0 ? from->dims[0] : 0;
    for (int64_t i = 0; i < batch->count; ++i)
        if (row_of(batch, i) < 0 || row_of(batch, i) >= n_rows)
            return tare_error(TARE_BAD_ARGUMENT, "gather: row %lld is not in an array of %lld rows",
                              (long long)row_of(batch, i), (long long)n_rows);
    return TARE_OK;
}

/* One loop a type, so that the compiler sees a plain conversion. */
#define SCALE_ROW(type)                                                                                                \
    do {                                                                                                               \
        const type *x = (const type *)from->data + row * width;                                                        \
        for (int64_t j = 0; j < width; ++j)                                                                            \
            y[j] = (float)x[j] * scale;                                                                                \
    } while (0)

tare_status tare_gather_f32(const tare_array *from, const tare_batch *batch, float scale, float *out)
{
    if (from->dtype == TARE_BYTES)
        return tare_error(TARE_BAD_DTYPE, "gather: opaque bytes are no numbers");
    tare_status status = check_rows(from, batch);
    int64_t width = tare_array_row_count(from);
    for (int64_t i = 0; i < batch->count && status == TARE_OK; ++i) {
        int64_t row = row_of(batch, i);
        float *y = out + i * width;
        if (from->dtype == TARE_U8)
            SCALE_ROW(unsigned char);
        else if (from->dtype == TARE_F32)
            SCALE_ROW(float);
        else if (from->dtype == TARE_F64)
            SCALE_ROW(double);
        else if (from->dtype == TARE_I32)
            SCALE_ROW(int32_t);
        else
            SCALE_ROW(int64_t);
    }
    return status;
}

static int64_t integer_at(const tare_array *from, int64_t i)
{
    if (from->dtype == TARE_U8)
        return ((const unsigned char *)from->data)[i];
    return from->dtype == TARE_I32 ? ((const int32_t *)from->data)[i] : ((const int64_t *)from->data)[i];
}

tare_status tare_gather_i32(const tare_array *from, const tare_batch *batch, int32_t *out)
{
    if (from->dtype != TARE_U8 && from->dtype != TARE_I32 && from->dtype != TARE_I64)
        return tare_error(TARE_BAD_DTYPE, "gather: labels must be u8, i32 or i64");
    tare_status status = check_rows(from, batch);
    int64_t width = tare_array_row_count(from);
    for (int64_t i = 0; i < batch->count && status == TARE_OK; ++i)
        for (int64_t j = 0; j < width; ++j) {
            int64_t value = integer_at(from, row_of(batch, i) * width + j);
            if (value < INT32_MIN || value > INT32_MAX)
                return tare_error(TARE_BAD_DATA, "gather: row %lld: %lld does not fit into 32 bits",
                                  (long long)row_of(batch, i), (long long)value);
            out[i * width + j] = (int32_t)value;
        }
    return status;
}
