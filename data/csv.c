/* csv.c - numbers as comma-separated text (see csv.h). */
#include "csv.h"

#include <stdbool.h>
#include <stdio.h>

#include "writer.h"

enum { CELL = 64 };

static tare_status put_names(tare_writer *writer, const char *column, int64_t width)
{
    char cell[CELL];
    tare_status status = TARE_OK;
    for (int64_t c = 0; c < width && status == TARE_OK; ++c) {
        int n = snprintf(cell, sizeof cell, "%.32s%lld%c", column, (long long)c, c + 1 < width ? ',' : '\n');
        status = tare_writer_put(writer, cell, (size_t)n);
    }
    return status;
}

/* 9 digits tell any two floats apart, 17 any two doubles. */
static tare_status put_rows(tare_writer *writer, const tare_array *array, int64_t width)
{
    char cell[CELL];
    bool is_double = array->dtype == TARE_F64;
    int64_t n = tare_array_count(array);
    tare_status status = TARE_OK;
    for (int64_t i = 0; i < n && status == TARE_OK; ++i) {
        double x = is_double ? ((const double *)array->data)[i] : (double)((const float *)array->data)[i];
        int used = snprintf(cell, sizeof cell, "%.*g%c", is_double ? 17 : 9, x, (i + 1) % width ? ',' : '\n');
        status = tare_writer_put(writer, cell, (size_t)used);
    }
    return status;
}

tare_status tare_csv_write(tare_memory *memory, const char *path, const char *column, const tare_array *array)
{
    tare_writer writer;
    if (array->dtype != TARE_F32 && array->dtype != TARE_F64)
        return tare_error(TARE_BAD_DTYPE, "%s: CSV is written of floats, not of %s", path,
                          tare_dtype_name(array->dtype));
    if (array->rank < 1 || tare_array_row_count(array) < 1)
        return tare_error(TARE_BAD_SHAPE, "%s: CSV needs rows of at least one number", path);
    tare_status status = tare_writer_open(&writer, memory, path);
    if (status != TARE_OK)
        return status;
    int64_t width = tare_array_row_count(array);
    status = put_names(&writer, column, width);
    if (status == TARE_OK)
        status = put_rows(&writer, array, width);
    if (status == TARE_OK)
        return tare_writer_close(&writer);
    tare_writer_abandon(&writer);
    return status;
}
