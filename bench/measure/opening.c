/* opening.c - an arm opened in a fresh process: what happens once, and what a step counts (see measure.h).
 *
 * Alone in its process, so that caches and pools are empty before the first step, and the growth of resident memory is
 * the arm's own. */
#include <stdlib.h>

#include "../arm/digest.h"
#include "../arm/facts.h"
#include "../arm/strategies.h"
#include "../base/clock.h"
#include "../base/memory_use.h"
#include "measure.h"

/* An imperative arm has no parts: all zero. Appending the update counts as trace; infer is the re-inference of a
 * loaded program, which no arm has. */
static json_t *capture_json(const tare__arm *a)
{
    tare_capture_times t = a->plan ? tare_plan_times(a->plan) : (tare_capture_times){0};
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "trace", (json_int_t)t.trace_ns, "gradient",
                     (json_int_t)t.gradient_ns, "infer", (json_int_t)0, "passes", (json_int_t)t.passes_ns, "pack",
                     (json_int_t)t.pack_ns, "check", (json_int_t)t.check_ns, "bind", (json_int_t)a->bind_ns);
}

/* Bytes by strategy of its plan; null: it has none. */
static json_t *plan_json(const tare__arm *a)
{
    tare__strategies bytes;
    return a->plan && tare__strategies_take(a, &bytes) == TARE_OK ? tare__strategies_json(&bytes) : json_null();
}

/* What is computed, in a run of its own, and which kernels it takes. */
static tare_status add_digests(const tare__task *task, tare__arm *a, json_t *opened)
{
    tare__digest digest;
    uint64_t calls;
    int n_calls;
    tare_status status = tare__digest_run(task, &a->setting, 3, NULL, NULL, &digest);
    if (status == TARE_OK)
        status = tare__calls_digest(a, &calls, &n_calls);
    if (status != TARE_OK)
        return status;
    char text[17];
    json_object_set_new(opened, "digest", tare__digest_json(&digest));
    json_object_set_new(opened, "suspect", json_string(digest.suspect));
    json_object_set_new(opened, "calls_digest", json_string(tare__hash_text(&(tare__hash){.hash = calls}, text)));
    return TARE_OK;
}

static tare_status open_arm(const tare__task *task, tare__arm *a, int i)
{
    int64_t resident = tare__resident_mark(), begin = tare__clock_ns();
    tare__disturbance before = tare__disturbance_now();
    tare_status status = tare__arm_prepare(a);
    if (status == TARE_OK)
        status = a->step(a);
    if (status == TARE_OK)
        status = tare_runtime_wait(a->rt);
    int64_t first_ns = tare__clock_ns() - begin, growth = tare__resident_growth(resident);
    tare__disturbance after = tare__disturbance_now();
    bool disturbed = after.switches > before.switches || after.steal_ns > before.steal_ns;
    tare_counts setup = tare_runtime_counts(a->rt), step = {0};
    int64_t peak = 0;
    if (status == TARE_OK)
        status = tare__arm_count(a, &step);
    int64_t waited = a->input_wait_ns;
    if (status == TARE_OK)
        status = tare__arm_peak(a, &peak); /* one step */
    waited = a->input_wait_ns - waited;
    if (status != TARE_OK)
        return status;
    json_t *opened =
        json_pack("{s:i,s:b,s:I,s:o,s:o,s:o,s:I,s:I,s:I,s:o,s:o}", "opened", i, "disturbed", (int)disturbed,
                  "first_step_ns", (json_int_t)first_ns, "capture_ns", capture_json(a), "setup",
                  tare__counts_json(&setup), "counts", tare__counts_json(&step), "peak_bytes", (json_int_t)peak,
                  "reserved_bytes", (json_int_t)a->rt->reserved_bytes, "input_wait_ns", (json_int_t)waited, "plan",
                  plan_json(a), "rss_growth", growth < 0 ? json_null() : json_integer(growth));
    status = add_digests(task, a, opened);
    if (status == TARE_OK)
        tare__measure_say(opened);
    else
        json_decref(opened);
    return status;
}

tare_status tare__opening_run(const tare__task *task, const tare__spec *spec, int i)
{
    tare__arm arm;
    tare_status status = tare__arm_open(&arm, task, &spec->setting, spec->name);
    if (status != TARE_OK)
        return status;
    status = open_arm(task, &arm, i);
    tare__arm_close(&arm);
    return status;
}
