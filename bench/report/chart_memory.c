/* chart_memory.c - who holds memory when; bytes by strategy. */
#include <math.h>
#include <stdlib.h>

#include "../base/table.h"
#include "axis.h"
#include "chart.h"
#include "memory_draw.h"

/* ---- blocks --------------------------------------------------------------------------------------------------*/

static const tare__column memory_columns[] = {
    {"side", "side", NULL, TARE__AS_TEXT, false, true},
    {"calls", "kernel calls", NULL, TARE__AS_COUNT, false, true},
    {"height_bytes", "arena, pool", "bytes", TARE__AS_BYTES, false, true},
    {"live_bytes", "live at most", "bytes", TARE__AS_BYTES, false, true},
    {"peak_call", "at call", NULL, TARE__AS_COUNT, false, true},
    {0},
};

static json_t *memory_rows(const tare__source *source)
{
    return tare__line_rows(source, "memory");
}

static void draw_memory(const tare__source *source, const json_t *rows, double width, int most, tare__drawing *d)
{
    (void)source;
    tare__memory memory = {0};
    size_t i;
    json_t *side;
    json_array_foreach(rows, i, side)(void)
        tare__memory_read(&memory, side); /* report.c has refused what makes no sense */
    tare__memory_draw(&memory, width, most, d);
    tare__memory_free(&memory);
}

const tare__chart tare__chart_memory = {
    .name = "memory",
    .title = "Memory of a step: planned, and as the imperative mode takes it",
    .about =
        "Across: kernel calls; up: addresses; the same scales in both. A block is a value from the call that makes it "
        "to its last reader. The static net knows every lifetime beforehand, so it lays values where others have died, "
        "and writes in place; the imperative mode has to take what its pool has free.",
    .wide = true,
    .column = memory_columns,
    .rows = memory_rows,
    .draw = draw_memory,
};

/* ---- strategies ----------------------------------------------------------------------------------------------*/

static const tare__column strategy_columns[] = {
    {"strategy", "strategy", NULL, TARE__AS_TEXT, false, true},
    {"bytes", "bytes", "bytes", TARE__AS_BYTES, false, true},
    {"relative", "× lower bound", NULL, TARE__AS_RATIO, false, true},
    {0},
};

static json_t *strategy_rows(const tare__source *source)
{
    json_t *rows = json_array();
    const json_t *line = json_array_get(tare__run_lines(source->run, "memory"), 0);
    tare__strategies bytes = tare__strategies_read(json_object_get(line, "plan"));
    for (int i = 0; line && i < TARE__STRATEGY_COUNT; ++i) {
        int64_t b = tare__strategy_bytes(&bytes, i);
        if (b < 0)
            continue;
        json_t *row = json_pack("{s:s,s:I,s:b}", "strategy", tare__strategy_list[i].text, "bytes", (json_int_t)b,
                                "bound", (int)tare__strategy_list[i].bound);
        json_object_set_new(row, "relative",
                            bytes.lower_bound > 0 ? json_real((double)b / (double)bytes.lower_bound) : json_null());
        json_array_append_new(rows, row);
    }
    return rows;
}

static void draw_strategies(const tare__source *source, const json_t *rows, double width, int most, tare__drawing *d)
{
    (void)source;
    (void)most;
    int n = 0;
    tare__bar bar[TARE__STRATEGY_COUNT];
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        char text[TARE__FIGURE];
        bar[n] = (tare__bar){.name = tare__text_at(row, "strategy"),
                             .value = tare__number_at(row, "bytes"),
                             .low = (double)NAN,
                             .high = (double)NAN,
                             .ink = json_is_true(json_object_get(row, "bound")) ? TARE__INK_GRAY : TARE__INK_BLUE};
        snprintf(bar[n].label, sizeof bar[n].label, "%s", tare__figure_bytes(bar[n].value, text));
        ++n;
    }
    tare__bars_draw(d, width,
                    &(tare__bars_style){tare__chart_strategies.title, tare__chart_strategies.about, "bytes", true,
                                        (double)NAN, tare__figure_bytes},
                    bar, n);
}

const tare__chart tare__chart_strategies = {
    .name = "strategies",
    .title = "Bytes of a step, by how they are laid out",
    .about = "Activations, workspaces and all gradients. Grey are bounds: below the lower bound no plan in this order "
             "can be, "
             "below the floor none in any.",
    .column = strategy_columns,
    .rows = strategy_rows,
    .draw = draw_strategies,
};
