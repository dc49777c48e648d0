/* micro.c - `tare micro`: operators alone, time against size, beside what this machine could do.
 *
 * Points come from the line (measure/points.h), are measured by processes (measure/micro.h) and end as records of kind
 * `op`; table, files and pictures are all made of those. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/table.h"
#include "../measure/micro.h"
#include "../measure/protocol.h"
#include "../measure/records_csv.h"
#include "../report/chart_ops.h"
#include "commands.h"

static double figure(const json_t *record, const char *path)
{
    return record ? tare__number_at(record, path) : (double)NAN;
}

static void put_ns(tare__table *t, double ns)
{
    char text[TARE__FIGURE];
    tare__table_put(t, "%s", isfinite(ns) ? tare__figure_ns(ns, text) : "");
}

/* Nothing where there is no such figure. */
static void put_number(tare__table *t, double x, const char *unit)
{
    if (isfinite(x) && x > 0)
        tare__table_put(t, x < 9.95 ? "%.2f%s" : "%.1f%s", x, unit);
    else
        tare__table_put(t, "%s", "");
}

/* Half of the interval, of the mean. */
static double half_width(const json_t *record)
{
    return (figure(record, "step_ns.ci95.1") - figure(record, "step_ns.ci95.0")) / 2 / figure(record, "step_ns.mean");
}

/* What the share is of: the kernels where there are any. */
static void put_rates(tare__table *t, const json_t *record)
{
    put_number(t, 100 * half_width(record), " %");
    put_number(t, figure(record, "gflops"), "");
    put_number(t, figure(record, "gbs"), "");
    put_number(t, 100 * figure(record, "roofline"), " %");
}

static void put_operands(tare__table *t, const tare__point *p)
{
    bool attributes = *p->attributes && strlen(p->attributes) < 60;
    tare__table_put(t, "%s%s%s", p->operands, attributes ? " " : "", attributes ? p->attributes : "");
}

/* The record of a point's way; NULL. */
static const json_t *record_of(const json_t *records, int point, const char *way)
{
    size_t i;
    json_t *record;
    char *end;
    json_array_foreach(records, i, record) if (strtol(tare__field_text(record, "arm"), &end, 10) == point &&
                                               strcmp(tare__field_text(record, "way"), way) == 0) return record;
    return NULL;
}

static void print_ways(const tare__micro *m, const json_t *records)
{
    static const char *head[] = {"<operator", "times",    "kernel", "+-",     "GFLOP/s",
                                 "GB/s",      "roofline", "call",   "replay", "<operands"};
    tare__table t;
    tare__table_init(&t, head, 10);
    double kernels = 0, roof = 0;
    for (int i = 0; i < m->points.points.n; ++i) {
        const tare__point *p = &m->points.points.point[i];
        const json_t *way[TARE__WAY_COUNT];
        for (int w = 0; w < TARE__WAY_COUNT; ++w)
            way[w] = record_of(records, i, tare__way_names[w]);
        if (!way[TARE__WAY_CALL] && !tare__micro_failure(m, i))
            continue;
        tare__table_put(&t, "%s", p->name);
        tare__table_put(&t, "%lld", (long long)p->times);
        put_ns(&t, figure(way[TARE__WAY_KERNEL], "step_ns.median"));
        put_rates(&t, way[TARE__WAY_KERNEL]);
        put_ns(&t, figure(way[TARE__WAY_CALL], "step_ns.median"));
        put_ns(&t, figure(way[TARE__WAY_REPLAY], "step_ns.median"));
        put_operands(&t, p);
        if (way[TARE__WAY_KERNEL]) {
            kernels += (double)p->times * figure(way[TARE__WAY_KERNEL], "step_ns.median");
            roof += (double)p->times * figure(way[TARE__WAY_KERNEL], "roofline_ns");
        }
    }
    tare__table_print(&t, stdout);
    tare__table_fini(&t);
    char text[2][TARE__FIGURE];
    if (m->points.bound[0])
        printf("\n  kernels, each as often as the net has it: %s; at the roof: %s (%.0f %%)\n",
               tare__figure_ns(kernels, text[0]), tare__figure_ns(roof, text[1]), 100 * roof / kernels);
}

static void print_variants(const tare__micro *m, const json_t *records)
{
    static const char *head[] = {"<operator", "<variant", "kernel", "+-", "GFLOP/s", "GB/s", "roofline", "<operands"};
    tare__table t;
    size_t i;
    json_t *record;
    tare__table_init(&t, head, 8);
    json_array_foreach(records, i, record)
    {
        const tare__point *p = &m->points.points.point[strtol(tare__field_text(record, "arm"), NULL, 10)];
        tare__table_put(&t, "%s", p->name);
        tare__table_put(&t, "%s", tare__field_text(record, "variant"));
        put_ns(&t, figure(record, "step_ns.median"));
        put_rates(&t, record);
        put_operands(&t, p);
    }
    tare__table_print(&t, stdout);
    tare__table_fini(&t);
}

static void print_all(const tare__micro *m, const json_t *records)
{
    const json_t *first = json_array_get(records, 0);
    int reached = 0;
    printf("%s, %lld thread%s: sgemm %.1f GFLOP/s, memory %.1f GB/s (medians of this run)\n\n",
           m->points.bound[0] ? m->points.arm.label : "operators", (long long)tare__field(first, "threads"),
           tare__field(first, "threads") == 1 ? "" : "s", figure(first, "gemm_gflops"), figure(first, "bandwidth_gbs"));
    (m->variants ? print_variants : print_ways)(m, records);
    for (int i = 0; i < m->points.points.n; ++i) {
        const char *failed = tare__micro_failure(m, i);
        reached += json_array_size(m->said[i]) > 0;
        if (failed)
            printf("  %s %s: %s\n", m->points.points.point[i].name, m->points.points.point[i].operands, failed);
    }
    if (reached < m->points.points.n)
        printf("  %d of %d points were not reached: give more --time\n", m->points.points.n - reached,
               m->points.points.n);
}

static int nothing_measured(const tare__micro *m)
{
    for (int i = 0; i < m->points.points.n; ++i)
        if (tare__micro_failure(m, i))
            return tare__failed(m->line, "nothing was measured: %s: %s", m->points.points.point[i].name,
                                tare__micro_failure(m, i));
    return tare__failed(m->line, "nothing was measured");
}

/* All that was measured, in every form that was asked for. An exit code. */
static int put_results(tare__micro *m, tare__journal *journal)
{
    const tare__line *line = m->line;
    const tare__arm *a = &m->points.arm;
    bool net = m->points.bound[0] != NULL;
    json_t *run = tare__run_record(line, net ? a->label : "operators", net ? a->batch : 1,
                                   a->setting.level[TARE__THREADS], (int64_t)a->task.seed, m->order_seed);
    json_t *records = tare__micro_records(m, run);
    int code = json_array_size(records) ? TARE__RAN : nothing_measured(m);
    if (!code)
        print_all(m, records);
    size_t i;
    json_t *record;
    json_array_foreach(records, i, record) tare__journal_put(journal, json_incref(record));
    const char *svg = tare__text(line, "svg");
    if (!code && svg)
        code = tare__chart_ops_write(line, records, svg);
    json_decref(records);
    json_decref(run);
    return code;
}

int tare__micro_run(const tare__line *line)
{
    tare__micro m;
    tare__journal journal = {0};
    tare__journal_need_json();
    const char *json = tare__text(line, "json"), *csv = tare__text(line, "csv");
    int code = csv && !json ? tare__usage(line, "--csv is made of the records of --json FILE") : TARE__RAN;
    if (code)
        return code;
    code = tare__micro_read(line, &m);
    if (!code)
        code = tare__journal_open(&journal, line, json);
    if (!code) {
        tare__interrupts_catch();
        code = tare__micro_measure(&m);
        int put = code ? code : put_results(&m, &journal);
        code = code ? code : put;
    }
    if (!code && m.stopped) {
        code = journal.part ? tare__failed(line, "interrupted: %s keeps what was measured", journal.part)
                            : tare__failed(line, "interrupted");
        tare__journal_leave(&journal);
    } else if (!code) {
        code = tare__journal_close(&journal);
    } else {
        tare__journal_leave(&journal);
    }
    if (!code && csv)
        code = tare__csv_write(line, &json, 1, false, csv);
    tare__micro_free(&m);
    return code;
}
