/* bench_run.c - a run measured, written and printed (see bench_run.h). */
#include "bench_run.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "../base/clock.h"
#include "progress.h"

/* ---- reading -------------------------------------------------------------------------------------------------*/

static int reserved_name(const tare__bench_run *r, const char *name, const char *what)
{
    for (int i = 0; i < r->specs.n; ++i)
        if (strcmp(r->specs.spec[i].name, name) == 0)
            return tare__usage(&r->line, "the name %s is that of %s: give the arm another", name, what);
    return TARE__RAN;
}

/* The floor is an arm of every run, named kernels: added where it was not asked for; and once more, as the A/A arm. */
static int add_floor(tare__bench_run *r, int *base, int *again)
{
    tare__setting floor;
    int code = tare__floor_read(&r->line, &r->task, &floor);
    if (code)
        return code;
    *base = -1;
    for (int i = 0; i < r->specs.n && *base < 0; ++i) {
        const tare__spec *spec = &r->specs.spec[i];
        if (strcmp(spec->name, "kernels") == 0 && spec->setting.rung == floor.rung &&
            memcmp(spec->setting.level, floor.level, sizeof floor.level) == 0)
            *base = i;
    }
    if (*base < 0)
        code = reserved_name(r, "kernels", "the floor");
    if (!code)
        code = reserved_name(r, "aa", "the floor measured once more");
    for (int rate = 0; rate < TARE__RATE_COUNT && !code; ++rate)
        code = reserved_name(r, tare__rate_names[rate], "a rate of the machine");
    if (code)
        return code;
    *base = *base < 0 ? tare__specs_add(&r->specs, "kernels", &floor) : *base;
    *again = tare__specs_add(&r->specs, "aa", &floor);
    return TARE__RAN;
}

static int read_numbers(tare__bench_run *r, double *limit)
{
    const tare__line *line = &r->line;
    tare__protocol *p = &r->protocol;
    p->order_seed = 1;
    p->rounds = 60;
    p->seconds = tare__given(line, "quick") ? 10 : tare__given(line, "rounds") ? 0 : r->kind->seconds;
    *limit = 100 * TARE__TRUST_LIMIT;
    int code = tare__integer(line, "order-seed", 0, INT64_MAX, &p->order_seed);
    if (!code)
        code = tare__integer(line, "rounds", 1, 1000000, &p->rounds);
    if (!code)
        code = tare__integer(line, "processes", 1, 1000, &p->processes);
    if (!code)
        code = tare__number(line, "time", 0.1, 1e6, &p->seconds);
    if (!code)
        code = tare__number(line, "trust", 0.001, 50, limit);
    *limit /= 100;
    if (p->rounds < p->processes)
        p->processes = p->rounds;
    /* a process spends the better part of a second, and more with many arms, before its first round */
    if (p->seconds > 0 && !tare__given(line, "processes"))
        p->processes = (int64_t)fmin((double)p->processes, fmax(3, p->seconds / r->kind->process_seconds));
    if (p->seconds > 0 && !tare__given(line, "rounds"))
        p->rounds = 1000000 * p->processes;
    return code;
}

int tare__bench_run_read(tare__bench_run *r)
{
    const tare__line *line = &r->line;
    double limit;
    int base, again, code = read_numbers(r, &limit);
    if (!code)
        code = tare__task_read(line, &r->task);
    if (!code)
        code = r->kind->read(r);
    if (!code)
        code = add_floor(r, &base, &again);
    if (code)
        return code;
    tare_status status = tare__facts_take(&r->task, &r->facts);
    if (status != TARE_OK)
        return tare__status_usage(line, status);
    int threads = r->specs.spec[base].setting.level[TARE__THREADS];
    r->protocol.line = line;
    r->protocol.task = &r->task;
    r->protocol.specs = &r->specs;
    r->protocol.rate_threads = threads;
    r->run =
        tare__run_record(line, r->facts.label, r->facts.batch, threads, (int64_t)r->task.seed, r->protocol.order_seed);
    json_object_set_new(r->run, "cell", json_integer(r->cell));
    tare__results_init(&r->results, &r->specs, base, again, &r->task, &r->facts, r->run);
    r->results.reference.limit = limit;
    return TARE__RAN;
}

static int read_plain(tare__bench_run *r)
{
    return tare__specs_read(&r->line, &r->task, "all", &r->specs);
}

static int print_plain(tare__bench_run *r)
{
    tare__results_print(&r->results);
    return TARE__RAN;
}

const tare__bench_kind tare__bench_plain = {.process_seconds = 1.5, .read = read_plain, .print = print_plain};

void tare__bench_run_free(tare__bench_run *r)
{
    if (r->own)
        r->kind->free(r);
    tare__results_fini(&r->results);
    tare__facts_free(&r->facts);
    tare__specs_free(&r->specs);
    json_decref(r->run);
    tare__grid_line_free(&r->line);
}

void tare__bench_run_restore(tare__bench_run *r, json_t *record)
{
    json_object_set(r->run, "run_id", json_object_get(record, "run_id"));
    r->complete |= strcmp(tare__field_text(record, "kind"), "run") == 0;
    tare__results_take(&r->results, record);
}

/* ---- measuring -----------------------------------------------------------------------------------------------*/

typedef struct {
    tare__bench_run *run;
    tare__journal *journal;
    tare__progress progress;
    json_t *opening;          /* the best so far of the arm that is being opened */
    int64_t begin_ns, say_ns; /* when the kind says something next: after five seconds, ten, twenty, ... */
} measuring;

enum { OPENINGS = 3 };
/* The longest first step that is looked at again: a longer one is never without others on the processor, and waiting
 * for one costs more than it tells. */
static const int64_t AGAIN_NS = 300000000;
/* Before a kind says what it has so far. */
static const int64_t FIRST_NS = 4000000000;

static void say_early(measuring *m)
{
    char text[200];
    int64_t spent = tare__clock_ns() - m->begin_ns, after = m->say_ns ? m->say_ns : FIRST_NS;
    const tare__blocks *b = &m->run->results.blocks;
    bool whole = b->n_rounds && b->round[b->n_rounds - 1].n_blocks == b->n_arms;
    if (!m->run->kind->say || tare__given(&m->run->line, "quiet") || !whole || spent < after ||
        !m->run->kind->say(m->run, text, sizeof text))
        return;
    tare__progress_end(&m->progress);
    printf("  after %.0f s: %s\n", (double)spent * 1e-9, text);
    (void)fflush(stdout);
    m->say_ns = 2 * spent;
}

static void take_line(void *owner, json_t *line)
{
    measuring *m = owner;
    json_t *record = tare__results_record(&m->run->results, line);
    if (!record)
        return;
    tare__results_take(&m->run->results, record);
    say_early(m);
    tare__progress_show(&m->progress, &m->run->results);
    tare__journal_put(m->journal, record);
}

static bool disturbed(const json_t *opening)
{
    return json_is_true(json_object_get(opening, "disturbed"));
}

static void take_opening(void *owner, json_t *line)
{
    measuring *m = owner;
    json_t *record = tare__results_record(&m->run->results, line);
    bool better = !m->opening || disturbed(record) < disturbed(m->opening) ||
                  (disturbed(record) == disturbed(m->opening) &&
                   tare__field(record, "first_step_ns") < tare__field(m->opening, "first_step_ns"));
    if (record && better) {
        json_decref(m->opening);
        m->opening = json_incref(record);
    }
    json_decref(record);
}

static bool worth_another(const json_t *opening)
{
    return !opening || (disturbed(opening) && tare__field(opening, "first_step_ns") < AGAIN_NS);
}

/* What happens once can only be seen in a fresh process: where others had the processor meanwhile, in another one. */
static int open_arm(measuring *m, int arm)
{
    int code = TARE__RAN;
    for (int i = 0; i < OPENINGS && !code && worth_another(m->opening); ++i)
        code = tare__protocol_open(&m->run->protocol, arm, take_opening, m);
    if (m->opening) {
        tare__results_take(&m->run->results, m->opening);
        tare__journal_put(m->journal, m->opening);
        m->opening = NULL;
    }
    return code;
}

static int measure(measuring *m)
{
    const tare__protocol *p = &m->run->protocol;
    tare__results *r = &m->run->results;
    int code = TARE__RAN;
    int64_t begin = tare__clock_ns();
    double before = r->done_ns * 1e-9;
    for (int i = 0; i < r->specs->n && !code; ++i)
        if (!r->opening[i])
            code = open_arm(m, i);
    for (int process = r->n_done; process < p->processes && !code; ++process) {
        double spent = before + (double)(tare__clock_ns() - begin) * 1e-9;
        code = tare__protocol_time(p, process, spent, take_line, m);
    }
    return code;
}

static json_t *digest_of(const tare__results *r, int arm, const char *field)
{
    return json_object_get(json_object_get(r->opening[arm], "digest"), field);
}

/* Arms of the same kernels must agree bit for bit; a comparison of others says so. */
static int check_digests(const tare__bench_run *run)
{
    const tare__results *r = &run->results;
    const tare__spec *spec = r->specs->spec;
    int code = TARE__RAN, base = r->reference.base;
    static const char *const field[] = {"loss", "outputs", "gradients", "parameters", "state"};
    for (int i = 0; i < r->specs->n; ++i) {
        bool same_bits = tare__setting_same_bits(&spec[i].setting, &spec[base].setting);
        char work[TARE__WORK_TEXT];
        if (*tare__setting_work(&spec[i].setting, &spec[base].setting, work)) {
            printf("  %s: OTHER WORK than %s: %s.\n", spec[i].name, spec[base].name, work);
            continue;
        }
        const char *suspect = tare__field_text(r->opening[i], "suspect");
        if (suspect && *suspect)
            printf("  %s: %s.\n", spec[i].name, suspect);
        for (size_t f = 0; f < sizeof field / sizeof *field && same_bits; ++f) {
            const json_t *a = digest_of(r, i, field[f]), *b = digest_of(r, base, field[f]);
            if (json_is_string(a) && json_is_string(b) && !json_equal(a, b))
                code = tare__failed(&run->line, "the arms %s and %s differ in %s", spec[i].name, spec[base].name,
                                    field[f]);
        }
        if (!json_equal(json_object_get(r->opening[i], "calls_digest"),
                        json_object_get(r->opening[base], "calls_digest")))
            printf("  %s: other kernel calls than %s%s.\n", spec[i].name, spec[base].name,
                   same_bits ? "" : ", whose results may differ from its own (the factor kernels is inexact)");
    }
    return code;
}

static void write_lines(tare__bench_run *run, tare__journal *journal)
{
    const tare__results *r = &run->results;
    for (int i = 0; i < r->blocks.n_arms; ++i)
        tare__journal_put(journal, tare__arm_record(r, i));
    for (int i = 0; i < r->specs->n; ++i)
        if (i != r->reference.base)
            tare__journal_put(journal, tare__contrast_record(r, i));
    for (int side = 0; side < 2; ++side)
        tare__journal_put(journal, tare__memory_record(r, side));
    if (run->kind->write)
        run->kind->write(run, journal);
    tare__journal_put(journal, tare__verdict_record(r));
}

/* What there is when a run was interrupted: shown where it says anything, kept where there is a part. */
static int stop(const measuring *m)
{
    tare__results *r = &m->run->results;
    tare__blocks_trim(&r->blocks);
    bool opened = true;
    for (int i = 0; i < r->specs->n; ++i)
        opened &= r->opening[i] != NULL;
    if (opened && r->blocks.n_rounds) {
        tare__results_summarise(r);
        tare__results_print(r);
    }
    if (m->journal->part)
        return tare__failed(&m->run->line, "interrupted: %s keeps what was measured, the same command goes on with it",
                            m->journal->part);
    return tare__failed(&m->run->line, "interrupted");
}

int tare__bench_run_measure(tare__bench_run *run, tare__journal *journal)
{
    measuring m = {.run = run, .journal = journal, .begin_ns = tare__clock_ns()};
    tare__progress_begin(&m.progress, &run->line, &run->protocol);
    int code = measure(&m);
    tare__progress_end(&m.progress);
    if (tare__interrupted())
        return stop(&m);
    if (code)
        return code;
    tare__blocks_trim(&run->results.blocks);
    tare__results_summarise(&run->results);
    write_lines(run, journal);
    int printed = run->kind->print(run);
    code = check_digests(run);
    code = code ? code : printed;
    if (fflush(stdout) == 0 && !code && !run->results.summary.trusted)
        code = TARE__UNTRUSTED;
    return code;
}
