/* chart_ladder.c - time of a step of each arm against the bare kernel calls; and what a step counts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/table.h"
#include "axis.h"
#include "chart.h"

static const tare__column ladder_columns[] = {
    {"arm", "arm", "arm", TARE__AS_ARM, false, true},
    {"step_ns.min", "step, min", "min", TARE__AS_NS, false, false},
    {"step_ns.median", "step, median", "median", TARE__AS_NS, false, true},
    {"step_ns.mean", "step, mean", "mean", TARE__AS_NS, false, false},
    {"step_ns.ci95", "95 % interval", "mean", TARE__AS_NS, true, false},
    {"ratio_to_kernels.value", "× kernels", "ratio", TARE__AS_RATIO, false, true},
    {"ratio_to_kernels.ci95", "95 % interval", "ratio", TARE__AS_RATIO, true, true},
    {"overhead_ns_per_node", "overhead / node", "node_overhead", TARE__AS_NS, false, true},
    {"efficiency", "efficiency", "efficiency", TARE__AS_RATIO, false, false},
    {"peak_bytes", "peak", "peak", TARE__AS_BYTES, false, false},
    {0},
};

static void draw_ladder(const tare__source *source, const json_t *rows, double width, int most, tare__drawing *d)
{
    (void)source;
    (void)most;
    int n = (int)json_array_size(rows);
    tare__bar *bar = tare__take((size_t)n + 1, sizeof *bar);
    for (int i = 0; i < n; ++i) {
        const json_t *arm = json_array_get(rows, (size_t)i);
        char step[TARE__FIGURE];
        bar[i] =
            (tare__bar){.name = tare__text_at(arm, "arm"),
                        .value = tare__number_at(arm, "ratio_to_kernels.value"),
                        .low = tare__number_at(arm, "ratio_to_kernels.ci95.0"),
                        .high = tare__number_at(arm, "ratio_to_kernels.ci95.1"),
                        .ink = strcmp(tare__text_at(arm, "arm"), "kernels") == 0 ? TARE__INK_GRAY : TARE__INK_BLUE};
        snprintf(bar[i].label, sizeof bar[i].label, "%.3f (%s)", bar[i].value,
                 tare__figure_ns(tare__number_at(arm, "step_ns.median"), step));
    }
    tare__bars_draw(d, width,
                    &(tare__bars_style){tare__chart_ladder.title, tare__chart_ladder.about, "step / step of kernels",
                                        false, 1, tare__label_plain},
                    bar, n);
    free(bar);
}

const tare__chart tare__chart_ladder = {
    .name = "ladder",
    .title = "Time of a step, against the bare kernel calls",
    .about =
        "A dot an arm: how many times as long as the arm kernels its step takes, with the 95 % interval; behind it "
        "the ratio and the median step.",
    .column = ladder_columns,
    .rows = tare__arm_rows,
    .draw = draw_ladder,
};

/* ---- counts ------------------------------------------------------------------------------------------------*/

static const tare__column count_columns[] = {
    {"arm", "arm", "arm", TARE__AS_ARM, false, true},
    {"counts.kernel_calls", "kernel calls", "counts", TARE__AS_COUNT, false, true},
    {"counts.lookups", "look-ups", "counts", TARE__AS_COUNT, false, true},
    {"counts.parses", "parses", "counts", TARE__AS_COUNT, false, false},
    {"counts.infers", "inferences", "counts", TARE__AS_COUNT, false, true},
    {"counts.guards", "guards", "counts", TARE__AS_COUNT, false, false},
    {"counts.storage_takes", "storage takes", "counts", TARE__AS_COUNT, false, true},
    {"counts.allocations", "allocations", "counts", TARE__AS_COUNT, false, false},
    {"counts.tape_nodes", "tape nodes", "counts", TARE__AS_COUNT, false, true},
    {"counts.patches", "patches", "counts", TARE__AS_COUNT, false, false},
    {"counts.locks", "locks", "counts", TARE__AS_COUNT, false, false},
    {"setup.plans", "plans", "setup", TARE__AS_COUNT, false, false},
    {"setup.captures", "captures", "setup", TARE__AS_COUNT, false, false},
    {0},
};

static tare__ink shade(double count, double calls)
{
    return count < calls / 3 ? TARE__INK_GRID : TARE__INK_BLUE;
}

typedef struct {
    const json_t *rows;
    int shown, columns;
    double names, cell; /* widths */
} grid;

enum { ROW = 12, HEAD = 54, STAIR = 10 };

/* Heads stand on a stair of four steps, so that each has four columns' width. */
static void draw_heads(const grid *g, tare__drawing *d)
{
    for (int c = 0; c < g->columns; ++c) {
        double x = g->names + (c + 0.5) * g->cell, y = HEAD - 6 - STAIR * (c % 4);
        if (c % 4)
            tare__draw_rule(d, x, y + 2, x, HEAD - 1, 0.4, TARE__INK_GRID, false);
        tare__draw_text(d, x, y, TARE__SMALL - 0.5, TARE__MIDDLE, TARE__INK_SOFT, 0, "%s", count_columns[c + 1].head);
    }
}

/* All of one colour one after the other: first the cells, then what stands in them. */
static void draw_cells(const grid *g, tare__drawing *d, bool numbers)
{
    for (int i = 0; i < g->shown; ++i) {
        const json_t *arm = json_array_get(g->rows, (size_t)i);
        double y = HEAD + i * ROW, calls = tare__number_at(arm, "counts.kernel_calls");
        for (int c = 0; c < g->columns; ++c) {
            double x = g->names + c * g->cell, count = tare__number_at(arm, count_columns[c + 1].path);
            if (!numbers && count > 0)
                tare__draw_rect(d, x, y, g->cell - 0.6, ROW - 0.6, shade(count, calls), NULL);
            else if (numbers)
                tare__draw_text(d, x + 0.5 * g->cell, y + ROW / 2.0 + TARE__SMALL / 3, TARE__SMALL - 0.5, TARE__MIDDLE,
                                count > 0 && count >= calls / 3 ? TARE__INK_PAPER : TARE__INK_TEXT, 0,
                                !isfinite(count) ? "-"
                                : count < 100000 ? "%.0f"
                                                 : "%.1e",
                                count);
        }
    }
}

static void draw_counts(const tare__source *source, const json_t *rows, double width, int most, tare__drawing *d)
{
    (void)source;
    (void)most;
    int n = (int)json_array_size(rows);
    grid g = {.rows = rows, .shown = n < TARE__MOST_BARS ? n : TARE__MOST_BARS, .names = 0.24 * width};
    while (count_columns[g.columns + 1].path)
        ++g.columns;
    g.cell = (width - g.names - 4) / g.columns;
    tare__drawing_init(d, width, HEAD + g.shown * ROW + 4 + (n > g.shown ? ROW : 0), tare__chart_counts.title,
                       tare__chart_counts.about);
    draw_heads(&g, d);
    draw_cells(&g, d, false);
    draw_cells(&g, d, true);
    for (int i = 0; i < g.shown; ++i)
        tare__draw_text(d, g.names - 4, HEAD + (i + 0.5) * ROW + TARE__NORMAL / 3, TARE__NORMAL, TARE__END,
                        TARE__INK_TEXT, g.names - 6, "%s", tare__text_at(json_array_get(rows, (size_t)i), "arm"));
    if (n > g.shown)
        tare__draw_text(d, g.names, HEAD + g.shown * ROW + 9, TARE__SMALL, TARE__START, TARE__INK_SOFT, 0,
                        "and %d more: the table has them", n - g.shown);
}

const tare__chart tare__chart_counts = {
    .name = "counts",
    .title = "What a step counts beside its kernels",
    .about = "Exact counts of one step, and of what was set up before. Grey: more than none; blue: a third of the "
             "number of kernel calls or more.",
    .column = count_columns,
    .rows = tare__arm_rows,
    .draw = draw_counts,
};
