/* results_record.c - the lines that `tare bench` writes (see results.h). What is computed from blocks is made by
 * derived.c; here stands what was said by a process or is known of the task. */
#include <math.h>
#include <string.h>

#include "../base/clock.h"
#include "fields.h"
#include "measure.h"
#include "results.h"

json_t *tare__results_line(const tare__results *r, const char *kind, int arm)
{
    const tare__spec *spec = arm >= 0 && arm < r->specs->n ? &r->specs->spec[arm] : NULL;
    json_t *factors = spec ? tare__setting_json(&spec->setting) : NULL;
    json_t *record = tare__record(kind, r->run, arm >= 0 ? tare__results_name(r, arm) : NULL,
                                  spec ? spec->setting.rung->name : NULL, factors);
    json_decref(factors);
    return record;
}

/* Of a list that NULL ends. */
static void copy_fields(json_t *record, const json_t *from, const char *const *field)
{
    for (; *field; ++field)
        json_object_set(record, *field, json_object_get(from, *field));
}

json_t *tare__results_record(const tare__results *r, json_t *line)
{
    static const char *const block[] = {"process",  "round",    "place",   "steps",  "ns",       "cpu_ns", "dropped",
                                        "steal_ns", "switches", "span_ns", "probes", "plain_ns", NULL};
    static const char *const opening[] = {"first_step_ns",  "capture_ns", "setup",         "counts", "peak_bytes",
                                          "reserved_bytes", "plan",       "rss_growth",    "digest", "suspect",
                                          "calls_digest",   "disturbed",  "input_wait_ns", NULL};
    static const char *const process[] = {"process", "dropped_rounds", "warm_rounds", "unsteady",
                                          "wall_ns", "padding_bytes",  NULL};
    json_t *opened = json_object_get(line, "opened"), *timed = json_object_get(line, "block");
    if (json_object_get(line, "done")) {
        json_t *record = tare__results_line(r, "process", -1);
        json_object_set(record, "rounds", json_object_get(line, "done"));
        copy_fields(record, line, process);
        return record;
    }
    int64_t arm = json_integer_value(opened ? opened : timed);
    if ((!opened && !timed) || arm < 0 || arm >= (opened ? r->specs->n : r->blocks.n_arms))
        return NULL;
    json_t *record = tare__results_line(r, opened ? "opening" : "block", (int)arm);
    copy_fields(record, line, opened ? opening : block);
    return record;
}

/* Counts and set-up counts, in the groups that the record has; what has no counter is null with its reason. */
static void put_counts(json_t *record, const tare__results *r, int arm)
{
    static const char *const step[] = {"lookups",     "parses",       "infers",     "guards",  "storage_takes",
                                       "allocations", "tape_nodes",   "patches",    "locks",   "pushes",
                                       "waits",       "kernel_calls", "primitives", "reorders"};
    static const char *const once[] = {"captures", "plans", "file_reads"};
    json_t *counts = json_object(), *setup = json_object();
    for (size_t i = 0; i < sizeof step / sizeof *step; ++i)
        json_object_set_new(counts, step[i], json_integer(tare__opened_count(r, arm, "counts", step[i])));
    tare__null(counts, "syscalls", "not countable from inside a timed run");
    tare__null(counts, "instructions", "not countable from inside a timed run");
    for (size_t i = 0; i < sizeof once / sizeof *once; ++i)
        json_object_set_new(setup, once[i], json_integer(tare__opened_count(r, arm, "setup", once[i])));
    json_object_set_new(record, "counts", counts);
    json_object_set_new(record, "setup", setup);
}

/* Why an arm has no arena. */
static const char *no_arena(const tare__spec *spec)
{
    return spec->setting.level[TARE__CAPTURE] == TARE__CAPTURE_NONE
               ? "the imperative mode plans nothing"
               : "its parts are planned apart, as they are met: peak_bytes has what they take together";
}

/* The arm's own plan, or, where it has none of the whole step, what one would have to hold. The pool is asked by one
 * thread: workspaces grow with their number. */
static void put_plan(json_t *record, const tare__results *r, const json_t *own, int arm)
{
    const tare__spec *spec = &r->specs->spec[arm];
    tare__strategies bytes = json_is_object(own) ? tare__strategies_read(own) : r->facts->plan;
    bytes.pool = spec->setting.level[TARE__THREADS] == 1 ? r->facts->plan.pool : -1;
    bytes.arena = json_is_object(own) ? bytes.arena : -1;
    json_t *plan = tare__strategies_json(&bytes);
    if (bytes.arena < 0)
        tare__null(plan, "arena", no_arena(spec));
    if (bytes.pool < 0)
        tare__null(plan, "pool", "measured on one thread alone: reserved_bytes has what the arm's own pool took");
    if (bytes.order_free_floor < 0)
        tare__null(plan, "order_free_floor", "not computed beyond 4096 nodes");
    json_object_set_new(record, "plan", plan);
}

static void put_opening(json_t *record, const tare__results *r, int arm)
{
    static const char *const field[] = {"first_step_ns", "capture_ns",   "peak_bytes",    "reserved_bytes",
                                        "digest",        "calls_digest", "input_wait_ns", NULL};
    json_t *opening = r->opening[arm], *growth = json_object_get(opening, "rss_growth");
    copy_fields(record, opening, field);
    put_counts(record, r, arm);
    put_plan(record, r, json_object_get(opening, "plan"), arm);
    if (json_is_integer(growth))
        json_object_set(record, "rss_growth", growth);
    else
        tare__null(record, "rss_growth", "the system does not let the peak of resident memory be set back");
    json_object_set_new(record, "nodes", json_integer(r->facts->nodes));
    json_object_set_new(record, "flops", json_real(r->facts->flops));
    json_object_set_new(record, "parameter_bytes", json_integer(r->facts->parameter_bytes));
    json_object_set_new(record, "optimizer_bytes", json_integer(r->facts->optimizer_bytes));
    json_object_set_new(record, "input_bytes", json_integer(r->facts->input_bytes));
    tare__null(record, "kernel_ns", "spans are not measured in a timed run");
}

void tare__merge(json_t *record, json_t *derived)
{
    json_t *reasons = json_object_get(derived, "reasons"), *own = json_object_get(record, "reasons");
    if (reasons && own)
        (void)json_object_update_missing(reasons, own);
    (void)json_object_update(record, derived);
    json_decref(derived);
}

static void put_work(json_t *record, const tare__task *task)
{
    json_object_set_new(record, "work", json_string(tare__work_names[task->work]));
    json_object_set_new(record, "optimizer", task->optimizer ? json_string(task->optimizer) : json_null());
}

json_t *tare__arm_record(const tare__results *r, int arm)
{
    json_t *record = tare__results_line(r, "arm", arm);
    put_work(record, r->task);
    if (arm < r->specs->n)
        put_opening(record, r, arm);
    tare__merge(record, tare__derived_arm(&r->summary, &r->reference, arm));
    return record;
}

json_t *tare__contrast_record(const tare__results *r, int arm)
{
    json_t *record = tare__results_line(r, "contrast", arm);
    json_object_set_new(record, "base", json_string(tare__results_name(r, r->reference.base)));
    char work[TARE__WORK_TEXT];
    (void)tare__setting_work(&r->specs->spec[arm].setting, &r->specs->spec[r->reference.base].setting, work);
    json_object_set_new(record, "other_work", *work ? json_string(work) : json_null());
    tare__merge(record, tare__derived_contrast(&r->summary, &r->reference, arm));
    return record;
}

json_t *tare__memory_record(const tare__results *r, int side)
{
    json_t *record = tare__results_line(r, "memory", -1);
    json_object_update(record, json_array_get(r->facts->memory, (size_t)side));
    return record;
}

/* With what the figures refer to, so that they can be computed again from the file alone. */
json_t *tare__verdict_record(const tare__results *r)
{
    json_t *record = tare__results_line(r, "run", -1), *work = json_array();
    const tare__reference *reference = &r->reference;
    for (int i = 0; i < reference->n_work; ++i)
        json_array_append_new(work, json_pack("[f,f,I]", reference->work[i].flops, reference->work[i].bytes,
                                              (json_int_t)reference->work[i].n));
    put_work(record, r->task);
    json_object_set_new(record, "base", json_string(tare__results_name(r, reference->base)));
    json_object_set_new(record, "limit", json_real(reference->limit));
    json_object_set_new(record, "nodes", json_integer(reference->nodes));
    json_object_set_new(record, "flops", json_real(reference->flops));
    json_object_set_new(record, "node_work", work);
    json_object_set_new(record, "block_ns", json_integer(TARE__BLOCK_NS));
    json_object_set_new(record, "steal_share", json_real(TARE__STEAL_SHARE));
    json_object_set_new(record, "aside_share", json_real(TARE__ASIDE_SHARE));
    json_object_set_new(record, "wall_ns", json_integer((json_int_t)r->done_ns));
    json_object_set_new(record, "unsteady_processes", json_integer(r->n_unsteady));
    tare__merge(record, tare__derived_run(&r->summary, reference));
    return record;
}
