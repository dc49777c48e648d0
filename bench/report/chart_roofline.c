/* chart_roofline.c - the arms under the roof of this machine: rate against arithmetic intensity (Williams, Waterman and
 * Patterson, Roofline, CACM 52(4), 2009). The roof is measured in the run: sgemm's rate and the memory's bandwidth. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/table.h"
#include "axis.h"
#include "chart.h"

static const tare__column columns[] = {
    {"arm", "arm", "arm", TARE__AS_TEXT, false, true},
    {"intensity", "FLOPs / byte", "intensity", TARE__AS_RATIO, false, true},
    {"gflops", "GFLOP/s", NULL, TARE__AS_PLAIN, false, true},
    {"roof_gflops", "roof, GFLOP/s", NULL, TARE__AS_PLAIN, false, true},
    {"roofline", "share of the roof", NULL, TARE__AS_PERCENT, false, true},
    {0},
};

static const json_t *end_of(const tare__run *run)
{
    return json_array_get(tare__run_lines(run, "run"), 0);
}

static void totals(const json_t *end, double *flops, double *bytes)
{
    size_t i;
    json_t *work;
    *flops = *bytes = 0;
    json_array_foreach(json_object_get(end, "node_work"), i, work)
    {
        *flops += tare__number_at(work, "0") * tare__number_at(work, "2");
        *bytes += tare__number_at(work, "1") * tare__number_at(work, "2");
    }
}

/* roofline is the record's: node by node, not that of the sums. */
static json_t *roofline_rows(const tare__source *source)
{
    const json_t *end = end_of(source->run);
    json_t *rows = json_array(), *arm;
    double flops, bytes, gemm = tare__number_at(end, "gemm_gflops"), bandwidth = tare__number_at(end, "bandwidth_gbs");
    size_t i;
    totals(end, &flops, &bytes);
    json_array_foreach(tare__run_lines(source->run, "arm"), i, arm)
    {
        double rate = flops / tare__number_at(arm, "step_ns.min"), share = tare__number_at(arm, "roofline");
        if (!tare__is_arm(arm) || !(flops > 0 && bytes > 0 && gemm > 0 && bandwidth > 0) || !isfinite(share) ||
            !isfinite(rate))
            continue;
        json_array_append_new(rows, json_pack("{s:s,s:f,s:f,s:f,s:f}", "arm", tare__text_at(arm, "arm"), "intensity",
                                              flops / bytes, "gflops", rate, "roof_gflops",
                                              fmin(gemm, bandwidth * flops / bytes), "roofline", share));
    }
    return rows;
}

static void draw_roofline(const tare__source *source, const json_t *rows, double width, int most, tare__drawing *d)
{
    enum { TOP = 18, HEIGHT = 120, LEFT = 34, FOOT = 24 };
    (void)most;
    const json_t *end = end_of(source->run);
    double gemm = tare__number_at(end, "gemm_gflops"), bandwidth = tare__number_at(end, "bandwidth_gbs");
    double ridge = gemm / bandwidth, low = ridge, high = ridge, slow = gemm;
    size_t i;
    json_t *work, *row;
    json_array_foreach(json_object_get(end, "node_work"), i, work)
    {
        double intensity = tare__number_at(work, "0") / tare__number_at(work, "1");
        if (intensity > 0) {
            low = fmin(low, intensity);
            high = fmax(high, intensity);
        }
    }
    json_array_foreach(rows, i, row)
    {
        slow = fmin(slow, tare__number_at(row, "gflops"));
        low = fmin(low, tare__number_at(row, "intensity"));
        high = fmax(high, tare__number_at(row, "intensity"));
    }
    tare__drawing_init(d, width, TOP + HEIGHT + FOOT, tare__chart_roofline.title, tare__chart_roofline.about);
    tare__scale x = tare__scale_log(low / 1.5, high * 1.5, LEFT, width - 6);
    tare__scale y = tare__scale_log(fmin(slow, bandwidth * x.low), gemm * 1.2, TOP + HEIGHT, TOP);
    tare__axis_left(d, &y, LEFT, width - 6, false, tare__label_plain);
    tare__axis_bottom(d, &x, TOP, TOP + HEIGHT, false, tare__label_plain);
    double roof[] = {tare__scale_at(&x, x.low),  tare__scale_at(&y, bandwidth * x.low),
                     tare__scale_at(&x, ridge),  tare__scale_at(&y, gemm),
                     tare__scale_at(&x, x.high), tare__scale_at(&y, gemm)};
    tare__draw_line(d, roof, 3, 1.2, TARE__INK_TEXT, false, "the roof");
    json_array_foreach(json_object_get(end, "node_work"), i, work)
    {
        double flops = tare__number_at(work, "0"), intensity = flops / tare__number_at(work, "1");
        char *title = tare__print("%.0f nodes of %.4g FLOPs each, %.3g FLOPs a byte", tare__number_at(work, "2"), flops,
                                  intensity);
        if (intensity > 0)
            tare__draw_dot(d, tare__scale_at(&x, intensity), tare__scale_at(&y, fmin(gemm, bandwidth * intensity)), 1.6,
                           TARE__INK_GRAY, title);
        free(title);
    }
    json_array_foreach(rows, i, row)
    {
        char *title = tare__print("%s: %.4g GFLOP/s at %.3g FLOPs a byte", tare__text_at(row, "arm"),
                                  tare__number_at(row, "gflops"), tare__number_at(row, "intensity"));
        tare__draw_dot(d, tare__scale_at(&x, tare__number_at(row, "intensity")),
                       tare__scale_at(&y, tare__number_at(row, "gflops")), 2.2, tare__ink_series((int)i), title);
        free(title);
    }
    tare__draw_text(d, 2, 8, TARE__SMALL, TARE__START, TARE__INK_SOFT, width - 4,
                    "GFLOP/s; roof: sgemm %.1f, memory %.1f GB/s", gemm, bandwidth);
    tare__draw_text(d, (LEFT + width) / 2, TOP + HEIGHT + FOOT - 6, TARE__SMALL, TARE__MIDDLE, TARE__INK_SOFT, 0,
                    "FLOPs a byte");
}

const tare__chart tare__chart_roofline = {
    .name = "roofline",
    .title = "Under this machine's roof",
    .about = "Coloured: the arms, FLOPs of the products of a step over its time. Grey: what its kinds of node could "
             "reach at "
             "their intensity. The roof is sgemm's rate and the memory's bandwidth, both measured in the run.",
    .column = columns,
    .rows = roofline_rows,
    .draw = draw_roofline,
};
