/* memory_draw.h - the picture of a step's memory: the plan above the imperative mode, time across, addresses up. */
#ifndef TARE_BENCH_MEMORY_DRAW_H
#define TARE_BENCH_MEMORY_DRAW_H

#include "../arm/memory_report.h"
#include "drawing.h"

/* Draws at a width. most: blocks that are drawn one by one, with a text on hover, the largest first; the smaller ones
 * become a raster of what holds each spot, so that a picture of any net has a bounded size. */
void tare__memory_draw(const tare__memory *, double width, int most, tare__drawing *);
/* A picture of its own, as SVG: an exit code. */
int tare__memory_svg(const tare__line *, const char *path, const tare__memory *);

#endif
