/* measure.c - the blocks of one process (see measure.h). */
#include "measure.h"

#include <stdlib.h>
#include <unistd.h>

#include "../../core/random.h"
#include "../arm/input.h"
#include "../base/clock.h"
#include "warm.h"

void tare__measure_say(json_t *object)
{
    (void)json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(17));
    (void)putchar('\n');
    (void)fflush(stdout);
    json_decref(object);
}

const char *tare__session_name(const tare__session *s, int i)
{
    return i < s->wire.specs.n ? s->wire.specs.spec[i].name : tare__rate_names[i - s->wire.specs.n];
}

double tare__session_spent(const tare__session *s, int64_t ns)
{
    return (double)(tare__clock_ns() - s->begin_ns + ns) * 1e-9;
}

/* ---- blocks --------------------------------------------------------------------------------------------------*/

static tare_status run_steps(const tare__session *s, int i, int64_t steps)
{
    tare_status status = TARE_OK;
    if (i >= s->wire.specs.n) {
        for (int64_t k = 0; k < steps; ++k)
            tare__rates_run(&s->rates, (tare__rate)(i - s->wire.specs.n));
        return status;
    }
    tare__arm *a = &s->arm[i];
    for (int64_t k = 0; k < steps && status == TARE_OK; ++k)
        status = a->step(a);
    return status;
}

static tare_status wait_for(const tare__session *s, int i)
{
    return i < s->wire.specs.n ? tare_runtime_wait(s->arm[i].rt) : TARE_OK;
}

static int level_of(const tare__session *s, int i, int factor)
{
    return i < s->wire.specs.n ? s->wire.specs.spec[i].setting.level[factor] : 0;
}

/* warm-up=off: the first steps of an arm that is opened anew, with what is set up in them; closing the one before is
 * not of the block. */
static tare_status run_cold(const tare__session *s, int i, int64_t full_ns, tare__block *b)
{
    (void)full_ns;
    tare__arm *a = &s->arm[i];
    const tare__spec *spec = &s->wire.specs.spec[i];
    tare__arm_close(a);
    tare_status status = tare__arm_open(a, &s->wire.task, &spec->setting, spec->name);
    int64_t cpu = tare__cpu_clock_ns(), begin = tare__clock_ns();
    if (status == TARE_OK)
        status = tare__arm_prepare(a);
    for (; b->steps < TARE__COLD_STEPS && status == TARE_OK; ++b->steps)
        status = a->step(a);
    if (status == TARE_OK && level_of(s, i, TARE__SYNC) != TARE__SYNC_NONE)
        status = wait_for(s, i);
    b->ns = tare__clock_ns() - begin;
    b->cpu_ns = tare__cpu_clock_ns() - cpu;
    return status;
}

/* Where a block has several steps, one before them is not counted: it finds in the caches what the arm before left. */
static tare_status run_plain(const tare__session *s, int i, int64_t full_ns, tare__block *b)
{
    const bool waits = level_of(s, i, TARE__SYNC) != TARE__SYNC_NONE;
    tare_status status = s->steps[i] > 1 ? run_steps(s, i, 1) : TARE_OK;
    if (status == TARE_OK)
        status = wait_for(s, i);
    int64_t cpu = tare__cpu_clock_ns(), begin = tare__clock_ns();
    while (status == TARE_OK && b->ns < full_ns) {
        status = run_steps(s, i, s->steps[i]);
        if (status == TARE_OK && waits)
            status = wait_for(s, i);
        b->steps += s->steps[i];
        b->ns = tare__clock_ns() - begin;
    }
    b->cpu_ns = tare__cpu_clock_ns() - cpu;
    return status == TARE_OK ? wait_for(s, i) : status;
}

/* Each event told `probing` times. */
static tare_status run_told(const tare__session *s, int i, int probing, int64_t full_ns, tare__block *b)
{
    struct tare__traced *t = &s->traced[i];
    tare__span_sums *sums = &t->sums[probing - 1];
    int64_t begin = tare__clock_ns(), steps = 0;
    tare_status status = TARE_OK;
    *sums = (tare__span_sums){0};
    while (status == TARE_OK && tare__clock_ns() - begin < full_ns) {
        status = tare__spans_run(&t->spans, probing, s->steps[i], sums);
        steps += s->steps[i];
    }
    tare__spans_scale(sums, 1 / (double)steps);
    b->steps += steps;
    return status;
}

/* Untraced, and told once, twice, three times; each block begins with another of these. Half a block goes before them,
 * for the milliseconds after another arm's are slower by more than what is looked for here. */
static tare_status run_traced(const tare__session *s, int i, int64_t full_ns, tare__block *b)
{
    struct tare__traced *t = &s->traced[i];
    tare_status status = run_steps(s, i, s->steps[i] / 2 + 1);
    int64_t cpu = tare__cpu_clock_ns(), begin = tare__clock_ns();
    ++t->turn;
    for (int k = 0; k <= TARE__PROBINGS && status == TARE_OK; ++k) {
        int probing = (k + t->turn) % (TARE__PROBINGS + 1);
        tare__block plain = {0};
        status = probing ? run_told(s, i, probing, full_ns, b) : run_plain(s, i, full_ns, &plain);
        if (!probing && status == TARE_OK) {
            t->plain_ns = (double)plain.ns / (double)plain.steps;
            b->steps += plain.steps;
        }
    }
    b->ns = tare__clock_ns() - begin;
    b->cpu_ns = tare__cpu_clock_ns() - cpu;
    return status;
}

tare_status tare__block_run(const tare__session *s, int i, int64_t full_ns, tare__block *b)
{
    *b = (tare__block){0};
    bool traced = i < s->wire.specs.n && s->wire.specs.spec[i].spans;
    tare_status status = (traced ? run_traced : level_of(s, i, TARE__WARM_UP) ? run_cold : run_plain)(s, i, full_ns, b);
    if (level_of(s, i, TARE__CLOCK) == TARE__CLOCK_CPU && b->cpu_ns > 0)
        b->ns = b->cpu_ns;
    return status;
}

bool tare__disturbed(const tare__disturbance *before, const tare__disturbance *after, int64_t ns, int64_t cpu_ns)
{
    return (double)(after->steal_ns - before->steal_ns) > TARE__STEAL_SHARE * (double)ns ||
           (after->switches > before->switches && (double)(ns - cpu_ns) > TARE__ASIDE_SHARE * (double)ns);
}

static tare_status run_round(tare__session *s, int round, int *dropped)
{
    int64_t order[s->n];
    tare__block b[s->n];
    uint64_t stream = (uint64_t)s->wire.schedule.process << 32 | (uint64_t)round;
    tare_random_permutation(order, s->n, (uint64_t)s->wire.schedule.order_seed, stream);
    tare__disturbance before = tare__disturbance_now();
    int64_t begin = tare__clock_ns(), cpu = tare__thread_clock_ns();
    tare_status status = TARE_OK;
    for (int k = 0; k < s->n && status == TARE_OK; ++k)
        status = tare__block_run(s, (int)order[k], TARE__BLOCK_NS, &b[order[k]]);
    if (status != TARE_OK)
        return status;
    int64_t ns = tare__clock_ns() - begin, cpu_ns = tare__thread_clock_ns() - cpu;
    tare__disturbance after = tare__disturbance_now();
    bool drop = tare__disturbed(&before, &after, ns, cpu_ns);
    *dropped += drop;
    for (int k = 0; k < s->n; ++k) {
        const tare__block *each = &b[order[k]];
        json_t *line = json_pack(
            "{s:i,s:I,s:i,s:i,s:I,s:I,s:I,s:b,s:I,s:I}", "round", round, "block", (json_int_t)order[k], "place", k,
            "process", s->wire.schedule.process, "steps", (json_int_t)each->steps, "ns", (json_int_t)each->ns, "cpu_ns",
            (json_int_t)each->cpu_ns, "dropped", (int)drop, "steal_ns", (json_int_t)(after.steal_ns - before.steal_ns),
            "switches", (json_int_t)(after.switches - before.switches));
        if (order[k] < s->wire.specs.n && s->wire.specs.spec[order[k]].spans)
            tare__spans_put(line, s->traced[order[k]].sums, s->traced[order[k]].plain_ns);
        tare__measure_say(line);
    }
    return TARE_OK;
}

/* ---- the process ---------------------------------------------------------------------------------------------*/

/* Each process begins with another arm. */
static tare_status open_arms(tare__session *s)
{
    tare_status status = TARE_OK;
    int n = s->wire.specs.n;
    for (int k = 0; k < n && status == TARE_OK; ++k) {
        int i = (s->wire.schedule.process + k) % n;
        status = tare__arm_open(&s->arm[i], &s->wire.task, &s->wire.specs.spec[i].setting, s->wire.specs.spec[i].name);
        if (status == TARE_OK)
            status = tare__arm_prepare(&s->arm[i]);
        tare__spans_init(&s->traced[i].spans, &s->arm[i], NULL);
    }
    return status;
}

static bool time_left(const tare__session *s, int64_t round_ns)
{
    return s->wire.schedule.seconds <= 0 || tare__session_spent(s, round_ns) < s->wire.schedule.seconds;
}

static tare_status run(tare__session *s)
{
    tare__warmth warmth = {0};
    tare_status status = open_arms(s);
    if (status == TARE_OK)
        status = tare__warm_up(s, &warmth);
    int64_t round_ns = 0;
    int r = 0, dropped = 0;
    for (; r < s->wire.schedule.rounds && status == TARE_OK && (r < 1 || time_left(s, round_ns)); ++r) {
        int64_t begin = tare__clock_ns();
        status = run_round(s, r, &dropped);
        round_ns = tare__clock_ns() - begin;
    }
    if (status == TARE_OK)
        tare__measure_say(json_pack("{s:i,s:i,s:i,s:i,s:s?,s:I}", "done", r, "process", s->wire.schedule.process,
                                    "dropped_rounds", dropped, "warm_rounds", warmth.rounds, "unsteady",
                                    warmth.unsteady, "wall_ns", (json_int_t)(tare__clock_ns() - s->begin_ns)));
    return status;
}

static tare_status time_all(tare__session *s)
{
    int n = s->wire.specs.n;
    s->n = n + TARE__RATE_COUNT;
    s->arm = tare__take((size_t)n, sizeof *s->arm);
    s->traced = tare__take((size_t)n, sizeof *s->traced);
    s->steps = tare__take((size_t)s->n, sizeof *s->steps);
    tare__shared_order shared = {0};
    s->wire.task.shared = &shared;
    tare__rates_init(&s->rates, s->wire.schedule.rate_threads);
    tare_status status = run(s);
    for (int i = 0; i < n; ++i)
        tare__arm_close(&s->arm[i]);
    tare__shared_order_fini(&shared);
    tare__rates_fini(&s->rates);
    free(s->arm);
    free(s->traced);
    free(s->steps);
    return status;
}

int tare__measure_run(const tare__line *line)
{
    tare__session s = {.begin_ns = tare__clock_ns()};
    int code = tare__wire_read(line, stdin, &s.wire);
    if (code)
        return code;
    int open = s.wire.schedule.open;
    tare_status status = open < 0 ? time_all(&s) : tare__opening_run(&s.wire.task, &s.wire.specs.spec[open], open);
    code = status == TARE_OK ? TARE__RAN : tare__status_failed(line, status);
    tare__wire_free(&s.wire);
    return code;
}
