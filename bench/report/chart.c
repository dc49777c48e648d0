/* chart.c - the charts there are, in the order in which a page has them. A new one is a line here and its record. */
#include "chart.h"

const tare__chart *const tare__charts[] = {
    &tare__chart_share,    &tare__chart_batch,      &tare__chart_ladder, &tare__chart_parts,
    &tare__chart_effects,  &tare__chart_mechanisms, &tare__chart_counts, &tare__chart_strategies,
    &tare__chart_roofline, &tare__chart_ops,        &tare__chart_memory, NULL,
};
