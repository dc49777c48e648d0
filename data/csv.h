/* csv.h - numbers as comma-separated text, for spreadsheets and scripts: written, not read. */
#ifndef TARE_DATA_CSV_H
#define TARE_DATA_CSV_H

#include "array.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes f32 or f64 of rank 1 or more (else TARE_BAD_DTYPE, TARE_BAD_SHAPE), a line a row after a line of names:
 * column0,column1,... Numbers have as many digits as reading them back to the same bits takes; see writer.h for what a
 * failure leaves. */
TARE_API tare_status tare_csv_write(tare_memory *memory, const char *path, const char *column, const tare_array *array);

#ifdef __cplusplus
}
#endif
#endif
