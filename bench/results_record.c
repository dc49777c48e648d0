/* results_record.c - the lines that `tare bench` writes: arm, contrast, block. */
#include <math.h>

#include "results.h"

static json_t *integer_or_null(double x)
{
    return isfinite(x) ? json_integer((json_int_t)llround(x)) : json_null();
}

static json_t *steps_json(const tare__result *arm)
{
    return json_pack("{s:o,s:o,s:o,s:o}", "min", tare__real(arm->min), "median", tare__real(arm->median), "mean",
                     tare__real(arm->step.mean), "ci95", tare__range(arm->step.low, arm->step.high));
}

static json_t *ratio_json(const tare__result *arm)
{
    tare__interval ratio = tare__interval_exp(arm->logs);
    return json_pack("{s:o,s:o}", "value", tare__real(ratio.mean), "ci95", tare__range(ratio.low, ratio.high));
}

/* Counts and set-up counts, in the groups that the record has; what has no counter is null with its reason. */
static void put_counts(json_t *record, const tare__result *arm)
{
    static const char *const step[] = {"lookups",     "parses",     "infers",  "guards", "storage_takes",
                                       "allocations", "tape_nodes", "patches", "locks",  "kernel_calls"};
    json_t *counts = json_object(), *setup = json_object();
    for (size_t i = 0; i < sizeof step / sizeof *step; ++i)
        json_object_set_new(counts, step[i], json_integer(tare__opened_count(arm, "counts", step[i])));
    tare__null(counts, "syscalls", "not countable from inside a timed run");
    tare__null(counts, "instructions", "not countable from inside a timed run");
    json_object_set_new(setup, "captures", json_integer(tare__opened_count(arm, "setup", "captures")));
    json_object_set_new(setup, "plans", json_integer(tare__opened_count(arm, "setup", "plans")));
    json_object_set_new(setup, "file_reads", json_integer(tare__opened_count(arm, "setup", "file_reads")));
    json_object_set_new(record, "counts", counts);
    json_object_set_new(record, "setup", setup);
}

/* The arm's own plan, or, where it has none, what one would have to hold. */
static void put_plan(json_t *record, const tare__result *arm, const tare__facts *facts)
{
    json_t *own = json_object_get(arm->opened, "plan"), *plan = json_object();
    if (json_is_object(own)) {
        json_object_update(plan, own);
    } else {
        json_object_set_new(plan, "naive", json_integer(facts->plan.naive));
        json_object_set_new(plan, "refcount", json_integer(facts->plan.refcount));
        json_object_set_new(plan, "lower_bound", json_integer(facts->plan.lower_bound));
        json_object_set_new(plan, "lower_bound_no_inplace", json_integer(facts->plan.lower_bound_no_inplace));
        tare__null(plan, "arena", "the imperative mode plans nothing");
        json_object_set_new(plan, "order_free_floor",
                            facts->order_free < 0 ? json_null() : json_integer(facts->order_free));
    }
    tare__null(plan, "pool", "this strategy is not measured by this version");
    tare__null(plan, "shared_object", "this strategy is not in this version");
    if (json_is_null(json_object_get(plan, "order_free_floor")))
        tare__null(plan, "order_free_floor", "not computed beyond 4096 nodes");
    json_object_set_new(record, "plan", plan);
}

static void put_work(json_t *record, const tare__results *r, const tare__result *arm, const tare__facts *facts)
{
    const tare__result *base = &r->arm[r->base];
    double overhead = arm->min - base->min;
    json_object_set(record, "first_step_ns", json_object_get(arm->opened, "first_step_ns"));
    json_object_set(record, "capture_ns", json_object_get(arm->opened, "capture_ns"));
    json_object_set_new(record, "ratio_to_kernels", ratio_json(arm));
    json_object_set_new(record, "overhead_ns", tare__real(overhead));
    json_object_set_new(record, "nodes", json_integer(facts->nodes));
    json_object_set_new(record, "overhead_ns_per_node", tare__real(overhead / facts->nodes));
    tare__null(record, "kernel_ns", "spans are not measured by this version");
    tare__null(record, "null_ns", "needs an arm with kernels=null beside it");
    put_counts(record, arm);
    json_object_set(record, "peak_bytes", json_object_get(arm->opened, "peak_bytes"));
    json_object_set(record, "reserved_bytes", json_object_get(arm->opened, "reserved_bytes"));
    put_plan(record, arm, facts);
    json_object_set_new(record, "parameter_bytes", json_integer(facts->parameter_bytes));
    json_object_set_new(record, "optimizer_bytes", json_integer(facts->optimizer_bytes));
    json_object_set_new(record, "input_bytes", json_integer(facts->input_bytes));
    tare__null(record, "rss_growth", "all arms of a run share their processes");
    json_object_set_new(record, "flops", json_real(facts->flops));
    json_object_set_new(record, "efficiency", tare__real(arm->efficiency));
    tare__null(record, "roofline", "the bandwidth is not measured by this version");
    json_object_set(record, "digest", json_object_get(arm->opened, "digest"));
    json_object_set(record, "calls_digest", json_object_get(arm->opened, "calls_digest"));
}

json_t *tare__arm_record(const tare__results *r, int i, const tare__facts *facts, const tare__task *task, json_t *run)
{
    const tare__result *arm = &r->arm[i];
    json_t *factors = arm->spec ? tare__setting_json(&arm->spec->setting) : NULL;
    json_t *record = tare__record("arm", run, arm->name, arm->spec ? arm->spec->setting.rung->name : NULL, factors);
    json_decref(factors);
    json_object_set_new(record, "work", json_string(tare__work_names[task->work]));
    json_object_set_new(record, "optimizer", task->optimizer ? json_string(task->optimizer) : json_null());
    json_object_set_new(record, "rounds", json_integer(r->n_rounds));
    json_object_set_new(record, "processes", json_integer(r->n_processes));
    json_object_set_new(record, "dropped_rounds", json_integer(r->kept_all ? 0 : r->n_dropped));
    const char *distrust = tare__results_distrust(r);
    tare__null(record, "trusted", distrust ? distrust : "no arm is measured against itself by this version");
    if (distrust)
        json_object_set_new(record, "trusted", json_false());
    json_object_set_new(record, "mde", tare__real(tare__smallest_effect(arm->logs)));
    json_object_set_new(record, "step_ns", steps_json(arm));
    json_object_set_new(record, "cpu_ns", integer_or_null(arm->cpu));
    json_object_set_new(record, "gemm_gflops", tare__real(tare__results_gemm_gflops(r)));
    if (arm->spec)
        put_work(record, r, arm, facts);
    return record;
}

json_t *tare__contrast_record(const tare__results *r, int i, json_t *run)
{
    const tare__result *arm = &r->arm[i];
    json_t *factors = tare__setting_json(&arm->spec->setting);
    json_t *record = tare__record("contrast", run, arm->name, arm->spec->setting.rung->name, factors);
    json_decref(factors);
    tare__interval ratio = tare__interval_exp(arm->logs);
    json_object_set_new(record, "base", json_string(r->arm[r->base].name));
    json_object_set_new(record, "ratio", tare__real(ratio.mean));
    json_object_set_new(record, "ci95", tare__range(ratio.low, ratio.high));
    json_object_set_new(record, "p", tare__real(tare__p_value(arm->logs)));
    json_object_set_new(record, "mde", tare__real(tare__smallest_effect(arm->logs)));
    return record;
}

json_t *tare__block_record(const tare__results *r, int i, json_t *line, int process, json_t *run)
{
    const tare__result *arm = &r->arm[i];
    json_t *factors = arm->spec ? tare__setting_json(&arm->spec->setting) : NULL;
    json_t *record = tare__record("block", run, arm->name, arm->spec ? arm->spec->setting.rung->name : NULL, factors);
    json_decref(factors);
    json_object_set_new(record, "process", json_integer(process));
    static const char *const field[] = {"round", "place", "steps", "ns", "cpu_ns", "dropped", "steal_ns", "switches"};
    for (size_t f = 0; f < sizeof field / sizeof *field; ++f)
        json_object_set(record, field[f], json_object_get(line, field[f]));
    return record;
}
