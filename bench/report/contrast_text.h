/* contrast_text.h - a contrast as a sentence, ready to quote. */
#ifndef TARE_BENCH_CONTRAST_TEXT_H
#define TARE_BENCH_CONTRAST_TEXT_H

#include "report.h"

/* Of a line of kind contrast; the caller's. */
char *tare__contrast_text(const json_t *contrast);

#endif
