/* doctor.c - `tare doctor`: what this machine can measure, and what would let it measure better.
 *
 * Besides the records that go with every result: what the system says (probes.c), and a small run of the protocol on a
 * net that is all wrapping - how far the same arm differs from itself, and the machine's rates. */
#include "doctor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/plugins.h"
#include "../measure/protocol.h"
#include "../measure/results.h"
#include "commands.h"

enum { PROCESSES = 5, THREADS_MAX = 64 };

static void take_line(void *owner, json_t *line)
{
    tare__results *r = owner;
    json_t *record = tare__results_record(r, line);
    if (record)
        tare__results_take(r, record);
    json_decref(record);
}

/* Of the machine's rates on all its processors, the best of some steps: 10^9 a second of what a step does. */
static double best_rate(const tare__rates *rates, tare__rate rate, double work)
{
    enum { STEPS = 12 };
    double best = 0;
    for (int i = 0; i < STEPS; ++i) {
        int64_t begin = tare__clock_ns();
        tare__rates_run(rates, rate);
        best = fmax(best, work / (double)(tare__clock_ns() - begin));
    }
    return best;
}

static void put_all_processors(json_t *measured, int processors)
{
    tare__rates rates;
    tare__rates_init(&rates, processors);
    json_object_set_new(measured, "gemm_gflops_all", json_real(best_rate(&rates, TARE__SGEMM, TARE__SGEMM_FLOPS)));
    json_object_set_new(measured, "bandwidth_gbs_all", json_real(best_rate(&rates, TARE__TRIAD, TARE__TRIAD_BYTES)));
    tare__rates_fini(&rates);
}

static json_t *rates_json(const tare__summary *s, const tare__reference *r)
{
    tare__interval again = tare__interval_exp(s->arm[r->again].logs);
    return json_pack("{s:o,s:o,s:o,s:i,s:i,s:b,s:s,s:s}", "gemm_gflops", tare__real(s->gemm_gflops), "bandwidth_gbs",
                     tare__real(s->bandwidth), "again_ci95", tare__range(again.low, again.high), "rounds", s->n_rounds,
                     "disturbed_rounds", s->n_dropped, "trusted", (int)s->trusted, "cause", s->cause, "help", s->help);
}

/* kernels of `chain`, twice. */
static int measure_again(const tare__line *line, double seconds, json_t **out)
{
    tare__task task = {.net = "chain", .seed = 1};
    tare__setting floor = tare__setting_of(tare__rung_find("kernels"), false);
    tare__spec spec[2] = {{.name = (char[]){"kernels"}, .setting = floor}, {.name = (char[]){"aa"}, .setting = floor}};
    tare__specs specs = {spec, 2};
    tare__facts facts;
    tare__results results;
    tare_status status = tare__facts_take(&task, &facts);
    if (status != TARE_OK)
        return tare__status_failed(line, status);
    json_t *run = json_object();
    tare__results_init(&results, &specs, 0, 1, &task, &facts, run);
    tare__protocol protocol = {line, &task, &specs, PROCESSES, 1000000 * PROCESSES, seconds, 1, 1};
    int code = TARE__RAN;
    int64_t begin = tare__clock_ns();
    for (int p = 0; p < PROCESSES && !code; ++p)
        code = tare__protocol_time(&protocol, p, (double)(tare__clock_ns() - begin) * 1e-9, take_line, &results);
    if (!code) {
        tare__blocks_trim(&results.blocks);
        tare__results_summarise(&results);
        *out = rates_json(&results.summary, &results.reference);
    }
    tare__results_fini(&results);
    tare__facts_free(&facts);
    json_decref(run);
    return code;
}

/* ---- advice --------------------------------------------------------------------------------------------------*/

static void advise(json_t *advice, bool when, const char *text)
{
    if (when)
        json_array_append_new(advice, json_string(text));
}

static json_t *advice_on(const json_t *machine, const json_t *probes, const json_t *again)
{
    json_t *advice = json_array();
    const char *governor = tare__field_text(machine, "governor"), *counters = tare__field_text(probes, "counters");
    double load = json_number_value(json_object_get(probes, "load"));
    double steal = json_number_value(json_object_get(probes, "steal_share"));
    advise(advice, governor && strcmp(governor, "performance") != 0,
           "set the frequency governor to performance: speed then does not wander with the load");
    advise(advice, json_is_true(json_object_get(probes, "turbo")),
           "turn turbo off where steady times matter more than short ones: it goes with heat and with the other cores");
    advise(advice, json_is_true(json_object_get(probes, "smt")),
           "leave the second hardware thread of a core idle (SMT is on): it shares the core's units and caches");
    advise(advice, load > 0.5 * (double)tare__field(machine, "processors"),
           "end other work: the load is more than half of the processors");
    advise(advice, steal > 0.005,
           "the hypervisor gives the processors to others: use a machine, or a time, with less of it");
    advise(advice, counters && strncmp(counters, "yes", 3) != 0,
           "performance counters are not open to this user: instruction counts need valgrind");
    advise(advice, !json_is_true(json_object_get(again, "trusted")), tare__field_text(again, "help"));
    return advice;
}

static void print_value(const char *group, const char *key, const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(4));
    printf("%-10s %-19s %s\n", group, key, json_is_string(value) ? json_string_value(value) : text);
    free(text);
}

static void print_all(const json_t *all)
{
    const char *group, *key;
    json_t *fields, *value;
    size_t i;
    json_object_foreach((json_t *)(uintptr_t)all, group, fields)
    {
        json_object_foreach(fields, key, value) print_value(group, key, value);
        json_array_foreach(fields, i, value) print_value(group, "", value);
    }
}

int tare__doctor_run(const tare__line *line)
{
    double seconds = 5;
    int code = tare__number(line, "time", 0.1, 1e6, &seconds);
    if (code)
        return code;
    tare__interrupts_catch();
    json_t *again = NULL, *probes = tare__probes(), *machine = tare__machine();
    tare__disturbance before = tare__disturbance_now();
    int64_t begin = tare__clock_ns();
    code = measure_again(line, seconds, &again);
    double ns = (double)(tare__clock_ns() - begin) * (double)tare__field(machine, "processors");
    json_object_set_new(probes, "steal_share",
                        json_real((double)(tare__disturbance_now().steal_ns - before.steal_ns) / ns));
    if (!code)
        put_all_processors(again, (int)fmin((double)tare__field(machine, "processors"), THREADS_MAX));
    else if (tare__interrupted())
        code = tare__failed(line, "interrupted");
    json_t *libraries = tare__libraries();
    const char *added = tare__added_library();
    json_object_set_new(libraries, TARE__ADDED, added ? json_string(added) : json_null());
    json_t *all = json_pack("{s:o,s:o,s:o,s:o,s:o*}", "machine", machine, "build", tare__build(), "libraries",
                            libraries, "system", probes, "measured", again);
    if (!code) {
        json_object_set_new(all, "advice", advice_on(machine, probes, again));
        if (tare__given(line, "json")) {
            json_dumpf(all, stdout, JSON_COMPACT);
            printf("\n");
        } else {
            print_all(all);
        }
    }
    json_decref(all);
    return code;
}
