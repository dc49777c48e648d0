/* csv.c - cells of CSV (see csv.h). */
#include "csv.h"

#include <string.h>

void tare__csv_text(FILE *out, const char *text)
{
    if (!text[strcspn(text, ",\"\r\n")]) {
        (void)fputs(text, out);
        return;
    }
    (void)fputc('"', out);
    for (; *text; ++text) {
        if (*text == '"')
            (void)fputc('"', out);
        (void)fputc(*text, out);
    }
    (void)fputc('"', out);
}

void tare__csv_value(FILE *out, const json_t *value)
{
    if (json_is_string(value))
        tare__csv_text(out, json_string_value(value));
    else if (value && !json_is_null(value))
        (void)json_dumpf(value, out, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
}
