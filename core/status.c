/* status.c - the words of the statuses and this thread's error text. */
#include "status.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static _Thread_local char error_text[512];

const char *tare_status_name(tare_status status)
{
    static const char *const name[] = {
#define TARE_STATUS_TEXT(name, text) text,
        TARE_STATUSES(TARE_STATUS_TEXT)
#undef TARE_STATUS_TEXT
    };
    size_t i = (size_t)status;
    return i < sizeof name / sizeof *name ? name[i] : "unknown status";
}

const char *tare_error_text(void)
{
    return error_text;
}

tare_status tare_error(tare_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error_text, sizeof error_text, format, arguments);
    va_end(arguments);
    /* A user's own text may hold anything; the sentence stays one line, and no terminal takes orders from it. */
    for (char *c = error_text; *c; ++c)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    return status;
}
