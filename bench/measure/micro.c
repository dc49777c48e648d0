/* micro.c - the processes of `tare micro`, and what they said as figures (see micro.h). */
#include "micro.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"
#include "process.h"
#include "rates.h"

/* ---- reading --------------------------------------------------------------------------------------------------*/

enum { SECONDS_NORMAL = 60, SECONDS_QUICK = 10, PROCESSES_LEAST = 3, PROCESSES_MOST = 10 };
/* A process opens its points and measures the rates before anything else. */
static const double PROCESS_SECONDS = 4;

int tare__micro_read(const tare__line *line, tare__micro *m)
{
    *m = (tare__micro){.line = line, .variants = tare__given(line, "variants"), .order_seed = 1};
    m->seconds = tare__given(line, "quick") ? SECONDS_QUICK : tare__given(line, "rounds") ? 0 : SECONDS_NORMAL;
    int code = tare__number(line, "time", 0.1, 1e6, &m->seconds);
    if (!code)
        code = tare__integer(line, "rounds", 1, 1000000, &m->rounds);
    m->processes = (int64_t)fmin(PROCESSES_MOST, fmax(PROCESSES_LEAST, m->seconds / PROCESS_SECONDS));
    if (!code)
        code = tare__integer(line, "processes", 1, 1000, &m->processes);
    if (m->rounds && m->rounds < m->processes)
        m->processes = m->rounds;
    if (!code)
        code = tare__integer(line, "order-seed", 0, INT64_MAX, &m->order_seed);
    if (!code)
        code = tare__micro_points_read(line, &m->points);
    if (code)
        return code;
    m->rates = json_array();
    m->said = tare__take((size_t)m->points.points.n + 1, sizeof *m->said);
    for (int i = 0; i < m->points.points.n; ++i)
        m->said[i] = json_array();
    return code;
}

void tare__micro_free(tare__micro *m)
{
    for (int i = 0; m->said && i < m->points.points.n; ++i)
        json_decref(m->said[i]);
    free(m->said);
    json_decref(m->rates);
    tare__micro_points_free(&m->points);
}

/* ---- processes ------------------------------------------------------------------------------------------------*/

static void take_line(void *owner, json_t *line)
{
    tare__micro *m = owner;
    int64_t point = tare__field(line, "point");
    if (json_object_get(line, "rates"))
        json_array_append(m->rates, line);
    else if (json_object_get(line, "point") && point >= 0 && point < m->points.points.n)
        json_array_append(m->said[point], line);
}

/* The line again, but for its command's name. */
static char **process_words(const tare__line *line)
{
    char **argv = tare__take((size_t)line->argc + 1, sizeof *argv);
    for (int i = 0; i < line->argc; ++i)
        argv[i] = i == 1 ? "measure-points" : line->argv[i];
    return argv;
}

/* A block of each way in every round, and four rounds a process, where the time allows. */
static int64_t block_of(const tare__micro *m, double seconds)
{
    enum { ROUNDS = 4, LEAST_NS = 300000, MOST_NS = 20000000 };
    if (seconds <= 0)
        return MOST_NS / 4;
    double blocks = 2.0 * ROUNDS * TARE__WAY_COUNT * (m->points.points.n + 1);
    return (int64_t)fmin(MOST_NS, fmax(LEAST_NS, seconds * 1e9 / blocks));
}

int tare__micro_measure(tare__micro *m)
{
    char **argv = process_words(m->line);
    int64_t begin = tare__clock_ns();
    int code = TARE__RAN;
    for (int process = 0; process < m->processes && !code; ++process) {
        double spent = (double)(tare__clock_ns() - begin) * 1e-9;
        double seconds = m->seconds > 0 ? tare__process_seconds(m->seconds, spent, m->processes - process) : 0;
        int64_t rounds = tare__process_rounds(m->rounds, m->processes);
        json_t *request =
            json_pack("{s:i,s:I,s:I,s:f,s:I}", "process", process, "rounds", (json_int_t)rounds, "order_seed",
                      (json_int_t)m->order_seed, "seconds", seconds, "block_ns", (json_int_t)block_of(m, seconds));
        code = tare__process_run(m->line, argv, request, tare__process_padding(m->order_seed, process), take_line, m);
    }
    free(argv);
    m->stopped = tare__interrupted() != 0;
    return m->stopped ? TARE__RAN : code;
}

/* ---- lines ----------------------------------------------------------------------------------------------------*/

const char *tare__micro_failure(const tare__micro *m, int point)
{
    size_t i;
    json_t *line;
    const char *failed = NULL;
    json_array_foreach(m->said[point], i, line)
    {
        if (!json_object_get(line, "failed"))
            return NULL;
        failed = tare__field_text(line, "failed");
    }
    return failed;
}

/* Units of work a nanosecond: the median over all rounds. */
static double rate_of(const tare__micro *m, tare__rate rate, double work)
{
    size_t n = json_array_size(m->rates), i;
    double *x = tare__take(n + 1, sizeof *x);
    for (i = 0; i < n; ++i) {
        const json_t *block = json_array_get(json_object_get(json_array_get(m->rates, i), "blocks"), (size_t)rate);
        x[i] = work * (double)json_integer_value(json_array_get(block, 1)) /
               (double)json_integer_value(json_array_get(block, 2));
    }
    double median = tare__median(x, (int)n);
    free(x);
    return median;
}

/* [process, round, dropped, steps, ns, cpu_ns] as the line that a block is elsewhere. */
static json_t *block_line(const json_t *block)
{
    return json_pack("{s:O,s:O,s:O,s:O,s:O,s:O}", "process", json_array_get(block, 0), "round",
                     json_array_get(block, 1), "dropped", json_array_get(block, 2), "steps", json_array_get(block, 3),
                     "ns", json_array_get(block, 4), "cpu_ns", json_array_get(block, 5));
}

static void put_figures(json_t *fields, const json_t *record, const tare__summary *s)
{
    const tare__figures *a = &s->arm[0];
    double gemm = json_number_value(json_object_get(record, "gemm_gflops")), roof = 0;
    double bandwidth = json_number_value(json_object_get(record, "bandwidth_gbs"));
    size_t i;
    json_t *work;
    json_array_foreach(json_object_get(record, "work"), i, work)
    {
        double flops = json_number_value(json_array_get(work, 0)), bytes = json_number_value(json_array_get(work, 1));
        roof += json_number_value(json_array_get(work, 2)) * fmax(flops / gemm, bytes / bandwidth);
    }
    json_object_set_new(fields, "rounds", json_integer(s->n_rounds));
    json_object_set_new(fields, "processes", json_integer(s->n_processes));
    json_object_set_new(fields, "dropped_rounds", json_integer(s->kept_all ? 0 : s->n_dropped));
    json_object_set_new(fields, "step_ns",
                        json_pack("{s:o,s:o,s:o,s:o}", "min", tare__real(a->min), "median", tare__real(a->median),
                                  "mean", tare__real(a->step.mean), "ci95", tare__range(a->step.low, a->step.high)));
    json_object_set_new(fields, "cpu_ns", tare__real(a->cpu));
    json_object_set_new(fields, "gflops", json_real(json_number_value(json_object_get(record, "flops")) / a->median));
    json_object_set_new(fields, "gbs", json_real(json_number_value(json_object_get(record, "bytes")) / a->median));
    json_object_set_new(fields, "roofline_ns", json_real(roof));
    json_object_set_new(fields, "roofline", json_real(roof / a->median));
}

json_t *tare__micro_derived(const json_t *record)
{
    json_t *fields = json_object(), *block;
    tare__blocks blocks;
    tare__reference reference;
    tare__summary summary;
    size_t i;
    tare__blocks_init(&blocks, 1);
    tare__reference_init(&reference, 1);
    json_array_foreach(json_object_get(record, "blocks"), i, block)
    {
        json_t *line = block_line(block);
        (void)tare__blocks_take(&blocks, 0, line);
        json_decref(line);
    }
    tare__summary_take(&summary, &blocks, &reference);
    put_figures(fields, record, &summary);
    tare__summary_fini(&summary);
    tare__reference_fini(&reference);
    tare__blocks_fini(&blocks);
    return fields;
}

/* The blocks of a way. */
static json_t *blocks_of(const json_t *said, int way)
{
    json_t *blocks = json_array(), *line, *block;
    size_t i, k;
    json_array_foreach(said, i, line) json_array_foreach(json_object_get(line, "blocks"), k, block)
    {
        if (json_integer_value(json_array_get(block, 0)) == way)
            json_array_append_new(blocks, json_pack("[O,O,O,O,O,O]", json_object_get(line, "process"),
                                                    json_object_get(line, "round"), json_object_get(line, "dropped"),
                                                    json_array_get(block, 1), json_array_get(block, 2),
                                                    json_array_get(block, 3)));
    }
    return blocks;
}

static json_t *work_of(const json_t *said)
{
    size_t i;
    json_t *line;
    json_array_foreach(said, i, line) if (json_object_get(line, "work")) return line;
    return NULL;
}

/* One way of a point; blocks: taken over. */
static void add_record(const tare__micro *m, int point, int way, json_t *blocks, json_t *run, json_t *records)
{
    const tare__point *p = &m->points.points.point[point];
    const json_t *work = work_of(m->said[point]);
    const char *way_name = m->variants ? p->op->variants[way].name : tare__way_names[way];
    char *arm = tare__print("%d %s, %s", point, p->name, way_name);
    json_t *factors = tare__setting_json(&m->points.arm.setting);
    json_t *record = tare__record("op", run, arm, "step", factors);
    json_object_set_new(record, "operator", json_string(p->name));
    json_object_set_new(record, "family", p->family ? json_string(p->family) : json_null());
    json_object_set_new(record, "size", tare__real(p->size));
    json_object_set_new(record, "operands", json_string(p->operands));
    json_object_set_new(record, "attributes", json_string(p->attributes));
    json_object_set_new(record, "times", json_integer(p->times));
    json_object_set_new(record, "way", json_string(m->variants ? "kernel" : way_name));
    json_object_set_new(record, "variant", m->variants ? json_string(way_name) : json_null());
    json_object_set(record, "flops", json_object_get(work, "flops"));
    json_object_set(record, "bytes", json_object_get(work, "bytes"));
    json_object_set(record, "work", json_object_get(work, "work"));
    json_object_set_new(record, "gemm_gflops", json_real(rate_of(m, TARE__SGEMM, TARE__SGEMM_FLOPS)));
    json_object_set_new(record, "bandwidth_gbs", json_real(rate_of(m, TARE__TRIAD, TARE__TRIAD_BYTES)));
    json_object_set_new(record, "blocks", blocks);
    json_t *derived = tare__micro_derived(record);
    json_object_update(record, derived);
    json_decref(derived);
    json_decref(factors);
    json_array_append_new(records, record);
    free(arm);
}

json_t *tare__micro_records(const tare__micro *m, json_t *run)
{
    json_t *records = json_array();
    for (int i = 0; i < m->points.points.n; ++i) {
        const tare__point *p = &m->points.points.point[i];
        int n = !m->variants ? TARE__WAY_COUNT : p->op ? p->op->n_variants : 0;
        for (int way = 0; way < n; ++way) {
            json_t *blocks = blocks_of(m->said[i], way);
            if (json_array_size(blocks))
                add_record(m, i, way, blocks, run, records);
            else
                json_decref(blocks);
        }
    }
    return records;
}
