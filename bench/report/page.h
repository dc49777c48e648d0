/* page.h - one self-contained HTML page of runs: charts as inline SVG, tables, sentences, definitions. Nothing is
 * fetched by it, no script runs in it. It stays under a megabyte: what would take more is left out, and it says so. */
#ifndef TARE_BENCH_PAGE_H
#define TARE_BENCH_PAGE_H

#include "report.h"

enum { TARE__PAGE_MOST_BYTES = 1000000 };

/* by_machine: with a heading where a run's machine is another one than that of the run before. */
void tare__page_write(FILE *, const tare__runs *, bool by_machine);

#endif
