/* csv.h - cells of CSV (RFC 4180): what holds a comma, a quote or a break is quoted, quotes are doubled. */
#ifndef TARE_BENCH_CSV_H
#define TARE_BENCH_CSV_H

#include <jansson.h>
#include <stdio.h>

void tare__csv_text(FILE *, const char *text);
/* Of a number, all its digits; null is empty. */
void tare__csv_value(FILE *, const json_t *value);

#endif
