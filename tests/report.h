/* report.h - what the derived tests found: sentences, so that a test can also ask for a fault to be found. */
#ifndef TARE_TESTS_REPORT_H
#define TARE_TESTS_REPORT_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../core/op.h"

typedef struct {
    const tare_op *op;
    const tare_sample *of; /* NULL: about the operator as a whole */
    int n;
    char text[4096];
} report;

static inline __attribute__((format(printf, 2, 3))) void fault(report *r, const char *format, ...)
{
    char line[700];
    size_t used = strlen(r->text);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    ++r->n;
    (void)snprintf(r->text + used, sizeof r->text - used, "%s (%s; %s): %s\n", r->op->name, r->of ? r->of->shapes : "",
                   r->of && r->of->attr ? r->of->attr : "", line);
}

#endif
