/* findings.c - faults and ends of tests (see findings.h). */
#include "findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void tare__fault(tare__findings *f, const char *format, ...)
{
    char line[700];
    size_t used = strlen(f->text);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    ++f->n;
    (void)snprintf(f->text + used, sizeof f->text - used, "%s%s%s%s%s%s: %s\n", f->op->name, f->of ? " (" : "",
                   f->of ? f->of->shapes : "", f->of && f->of->attr ? "; " : "",
                   f->of && f->of->attr ? f->of->attr : "", f->of ? ")" : "", line);
}

void tare__tested(tare__findings *f, const char *format, ...)
{
    char test[200];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(test, sizeof test, format, arguments);
    va_end(arguments);
    ++f->n_tests;
    if (f->hear)
        f->hear(f->owner, f, test, f->text + f->told);
    f->told = strlen(f->text);
}
