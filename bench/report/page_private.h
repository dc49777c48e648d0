/* page_private.h - what the files of the page share. */
#ifndef TARE_BENCH_PAGE_PRIVATE_H
#define TARE_BENCH_PAGE_PRIVATE_H

#include "chart.h"
#include "page.h"

void tare__page_style(FILE *);
/* Charts of a scope for a source, each with its table, in a grid that the first opens; whether it is open, `any`: it
 * was before. most: blocks that a picture of thousands draws one by one. */
bool tare__page_charts(FILE *, const tare__source *, tare__chart_scope, int most, bool any);
/* Whether so many bytes more keep the page within its limit. */
bool tare__page_room(FILE *, size_t bytes);

#endif
