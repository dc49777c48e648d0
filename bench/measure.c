/* measure.c - the blocks of one process (see measure.h). */
#include "measure.h"

#include <math.h>
#include <stdlib.h>

#include "../core/random.h"
#include "clock.h"
#include "digest.h"
#include "facts.h"
#include "sgemm.h"

typedef struct {
    const tare__line *line;
    const tare__task *task;
    const tare__specs *specs;
    const tare__schedule *schedule;
    tare__arm *arm; /* [specs->n] */
    tare__sgemm sgemm;
    int64_t *steps; /* a block's steps, of each arm and of sgemm */
    int64_t begin_ns;
} session;

typedef struct {
    int64_t steps, ns, cpu_ns;
} block;

static void say(json_t *object)
{
    (void)json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(17));
    (void)putchar('\n');
    (void)fflush(stdout);
    json_decref(object);
}

/* ---- opening -------------------------------------------------------------------------------------------------*/

static json_t *counts_json(const tare_counts *c)
{
    json_t *counts = json_object();
#define TARE__COUNT_JSON(name, doc) json_object_set_new(counts, #name, json_integer(c->name));
    TARE_COUNTS(TARE__COUNT_JSON)
#undef TARE__COUNT_JSON
    return counts;
}

/* An imperative arm has no parts: all zero. Appending the update counts as trace; infer is the re-inference of a
 * loaded program, which no arm has. */
static json_t *capture_json(const tare__arm *a)
{
    tare_capture_times t = a->plan ? tare_plan_times(a->plan) : (tare_capture_times){0};
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "trace", (json_int_t)t.trace_ns, "gradient",
                     (json_int_t)t.gradient_ns, "infer", (json_int_t)0, "passes", (json_int_t)t.passes_ns, "pack",
                     (json_int_t)t.pack_ns, "check", (json_int_t)t.check_ns, "bind", (json_int_t)a->bind_ns);
}

static json_t *plan_json(const tare_plan *plan)
{
    if (!plan)
        return json_null();
    tare_plan_bytes bytes = tare_plan_size(plan);
    int64_t order_free = -1;
    bool known = tare_plan_floor(plan, &order_free) == TARE_OK && order_free >= 0;
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:o}", "naive", (json_int_t)bytes.naive, "refcount",
                     (json_int_t)bytes.refcount, "arena", (json_int_t)bytes.arena, "lower_bound",
                     (json_int_t)bytes.lower_bound, "lower_bound_no_inplace", (json_int_t)bytes.lower_bound_no_inplace,
                     "order_free_floor", known ? json_integer((json_int_t)order_free) : json_null());
}

/* The first process also says what was computed and which kernels it took: the same in all of them. */
static tare_status add_digests(const session *s, tare__arm *a, json_t *opened)
{
    tare__digest digest;
    uint64_t calls;
    int n_calls;
    tare_status status = tare__digest_run(s->task, &a->setting, 3, NULL, NULL, &digest);
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

/* Opens arm i as the position-th of this process, times what happens once, counts a step. */
static tare_status open_arm(session *s, int i, int position)
{
    tare__arm *a = &s->arm[i];
    tare_status status = tare__arm_open(a, s->task, &s->specs->spec[i].setting, s->specs->spec[i].name);
    if (status != TARE_OK)
        return status;
    int64_t begin = tare__clock_ns();
    status = tare__arm_prepare(a);
    if (status == TARE_OK)
        status = a->step(a);
    int64_t first_ns = tare__clock_ns() - begin;
    tare_counts setup = tare_runtime_counts(a->rt), step = {0};
    int64_t peak = 0;
    if (status == TARE_OK)
        status = tare__arm_count(a, &step);
    if (status == TARE_OK)
        status = tare__arm_peak(a, &peak);
    if (status != TARE_OK)
        return status;
    json_t *opened = json_pack("{s:i,s:i,s:I,s:o,s:o,s:o,s:I,s:I,s:o}", "opened", i, "position", position,
                               "first_step_ns", (json_int_t)first_ns, "capture_ns", capture_json(a), "setup",
                               counts_json(&setup), "counts", counts_json(&step), "peak_bytes", (json_int_t)peak,
                               "reserved_bytes", (json_int_t)a->rt->reserved_bytes, "plan", plan_json(a->plan));
    if (s->schedule->process == 0)
        status = add_digests(s, a, opened);
    if (status == TARE_OK)
        say(opened);
    else
        json_decref(opened);
    return status;
}

/* Each process begins with another arm, so that each is the first of a fresh process once. */
static tare_status open_arms(session *s)
{
    tare_status status = TARE_OK;
    for (int k = 0; k < s->specs->n && status == TARE_OK; ++k)
        status = open_arm(s, (s->schedule->process + k) % s->specs->n, k);
    return status;
}

/* ---- blocks --------------------------------------------------------------------------------------------------*/

static tare_status run_steps(const session *s, int i, int64_t steps)
{
    tare_status status = TARE_OK;
    if (i == s->specs->n) {
        for (int64_t k = 0; k < steps; ++k)
            tare__sgemm_run(&s->sgemm);
        return status;
    }
    tare__arm *a = &s->arm[i];
    for (int64_t k = 0; k < steps && status == TARE_OK; ++k)
        status = a->step(a);
    return status;
}

/* Runs until the block is full: s->steps[i] at a time, which the warm-up has set to about all of them. */
static tare_status run_block(const session *s, int i, int64_t full_ns, block *b)
{
    *b = (block){0};
    int64_t cpu = tare__cpu_clock_ns(), begin = tare__clock_ns();
    tare_status status;
    do {
        status = run_steps(s, i, s->steps[i]);
        b->steps += s->steps[i];
        b->ns = tare__clock_ns() - begin;
    } while (status == TARE_OK && b->ns < full_ns);
    b->cpu_ns = tare__cpu_clock_ns() - cpu;
    return status;
}

/* Until three blocks in a row lie within 5 % and the pool took no more from the system than before, at most 8. */
static tare_status warm_up(session *s, int i)
{
    double last = 0;
    int64_t taken = -1;
    s->steps[i] = 1;
    for (int steady = 0, k = 0; steady < 2 && k < 8; ++k) {
        block b;
        tare_status status = run_block(s, i, TARE__BLOCK_NS / 4, &b);
        if (status != TARE_OK)
            return status;
        double step_ns = (double)b.ns / (double)b.steps;
        int64_t now = i < s->specs->n ? s->arm[i].rt->reserved_bytes : 0;
        steady = fabs(step_ns - last) <= 0.05 * last && now == taken ? steady + 1 : 0;
        last = step_ns;
        taken = now;
        s->steps[i] = (int64_t)(TARE__BLOCK_NS / 4 / step_ns) + 1;
    }
    s->steps[i] = (int64_t)(TARE__BLOCK_NS * 1.02 / last) + 1;
    return TARE_OK;
}

static bool disturbed(const tare__disturbance *before, const tare__disturbance *after, int64_t ns, int64_t cpu_ns)
{
    return (double)(after->steal_ns - before->steal_ns) > TARE__STEAL_SHARE * (double)ns ||
           (after->switches > before->switches && (double)(ns - cpu_ns) > TARE__ASIDE_SHARE * (double)ns);
}

static tare_status run_round(session *s, int round)
{
    int n = s->specs->n + 1;
    int64_t order[n];
    block b[n];
    uint64_t stream = (uint64_t)s->schedule->process << 32 | (uint64_t)round;
    tare_random_permutation(order, n, (uint64_t)s->schedule->order_seed, stream);
    tare__disturbance before = tare__disturbance_now();
    int64_t begin = tare__clock_ns(), cpu = tare__thread_clock_ns();
    tare_status status = TARE_OK;
    for (int k = 0; k < n && status == TARE_OK; ++k)
        status = run_block(s, (int)order[k], TARE__BLOCK_NS, &b[order[k]]);
    if (status != TARE_OK)
        return status;
    int64_t ns = tare__clock_ns() - begin, cpu_ns = tare__thread_clock_ns() - cpu;
    tare__disturbance after = tare__disturbance_now();
    bool dropped = disturbed(&before, &after, ns, cpu_ns);
    for (int k = 0; k < n; ++k) {
        const block *each = &b[order[k]];
        say(json_pack("{s:i,s:I,s:i,s:I,s:I,s:I,s:b,s:I,s:I}", "round", round, "block", (json_int_t)order[k], "place",
                      k, "steps", (json_int_t)each->steps, "ns", (json_int_t)each->ns, "cpu_ns",
                      (json_int_t)each->cpu_ns, "dropped", (int)dropped, "steal_ns",
                      (json_int_t)(after.steal_ns - before.steal_ns), "switches",
                      (json_int_t)(after.switches - before.switches)));
    }
    return TARE_OK;
}

static bool time_left(const session *s, int64_t round_ns)
{
    double spent = (double)(tare__clock_ns() - s->begin_ns + round_ns) * 1e-9;
    return s->schedule->seconds <= 0 || spent < s->schedule->seconds;
}

static tare_status run(session *s)
{
    tare_status status = open_arms(s);
    for (int i = 0; i <= s->specs->n && status == TARE_OK; ++i)
        status = warm_up(s, i);
    int64_t round_ns = 0;
    for (int r = 0; r < s->schedule->rounds && status == TARE_OK && (r < 1 || time_left(s, round_ns)); ++r) {
        int64_t begin = tare__clock_ns();
        status = run_round(s, r);
        round_ns = tare__clock_ns() - begin;
    }
    return status;
}

int tare__measure(const tare__line *line, const tare__task *task, const tare__specs *specs,
                  const tare__schedule *schedule)
{
    session s = {.line = line, .task = task, .specs = specs, .schedule = schedule, .begin_ns = tare__clock_ns()};
    s.arm = tare__take((size_t)specs->n, sizeof *s.arm);
    s.steps = tare__take((size_t)specs->n + 1, sizeof *s.steps);
    tare__sgemm_init(&s.sgemm, schedule->gemm_threads);
    tare_status status = run(&s);
    int code = status == TARE_OK ? TARE__RAN : tare__status_failed(line, status);
    for (int i = 0; i < specs->n; ++i)
        tare__arm_close(&s.arm[i]);
    tare__sgemm_fini(&s.sgemm);
    free(s.arm);
    free(s.steps);
    return code;
}
