/* count_command.c - `tare count`: what a step does beside its kernels, counted exactly and without a clock.
 *
 * Our own counters count one warm step. Instructions and system calls are counted from outside: tare__count_steps below
 * is what a profiler collects in, for each arm first K steps, then 3 K, so that what is not of a step drops out of the
 * difference (tests/check_gate.py does that under callgrind). */
#include <stdlib.h>

#include "../arm/facts.h"
#include "../arm/request.h"
#include "../base/table.h"
#include "commands.h"

enum { WARM = 3, MORE = 3 };

typedef struct {
    const tare__line *line;
    tare__task task;
    tare__specs specs;
    int64_t steps;
    tare__journal journal;
    tare__table table;
    json_t *run; /* made with the first arm; NULL */
} session;

/* Warm steps and nothing else; outside programs know it by its name. */
__attribute__((noinline)) tare_status tare__count_steps(tare__arm *a, int64_t n)
{
    tare_status status = TARE_OK;
    for (int64_t i = 0; i < n && status == TARE_OK; ++i)
        status = a->step(a);
    return status;
}

static tare_status count(tare__arm *a, int64_t steps, tare_counts *counts)
{
    tare_status status = tare__arm_prepare(a);
    for (int i = 0; i < WARM && status == TARE_OK; ++i)
        status = a->step(a);
    if (status == TARE_OK)
        status = tare__count_steps(a, steps);
    if (status == TARE_OK)
        status = tare__count_steps(a, MORE * steps);
    return status == TARE_OK ? tare__arm_count(a, counts) : status;
}

static void put_arm(session *s, const tare__spec *spec, const tare__arm *a, const tare_counts *c)
{
    if (!s->run) {
        printf("%s, batch %lld, %s%s%s: counts of one warm step\n", a->net->label, (long long)a->batch,
               tare__work_names[s->task.work], a->optimizer ? ", " : "", a->optimizer ? s->task.optimizer : "");
        s->run = tare__run_record(s->line, a->net->label, a->batch, 1, (int64_t)s->task.seed, 0);
    }
    tare__table_put(&s->table, "%s", spec->name);
#define PUT_COUNT(name, doc) tare__table_put(&s->table, "%lld", (long long)c->name);
    TARE_COUNTS(PUT_COUNT)
#undef PUT_COUNT
    json_t *factors = tare__setting_json(&spec->setting), *counts = tare__counts_json(c);
    json_t *record = tare__record("count", s->run, spec->name, spec->setting.rung->name, factors);
    json_object_set_new(record, "work", json_string(tare__work_names[s->task.work]));
    json_object_set_new(record, "optimizer", a->optimizer ? json_string(s->task.optimizer) : json_null());
    json_object_set_new(record, "steps", json_integer(s->steps));
    tare__null(counts, "syscalls", "counted from outside, by tests/check_gate.py");
    tare__null(counts, "instructions", "counted from outside, by tests/check_gate.py");
    json_object_set_new(record, "counts", counts);
    tare__journal_put(&s->journal, record);
    json_decref(factors);
}

static int count_arm(session *s, const tare__spec *spec)
{
    tare__arm a;
    tare_counts counts = {0};
    tare_status status = tare__arm_open(&a, &s->task, &spec->setting, spec->name);
    if (status != TARE_OK)
        return tare__status_usage(s->line, status);
    status = count(&a, s->steps, &counts);
    int code = status == TARE_OK ? TARE__RAN : tare__status_failed(s->line, status);
    if (!code)
        put_arm(s, spec, &a, &counts);
    tare__arm_close(&a);
    return code;
}

static int count_all(session *s)
{
    static const char *head[] = {"<arm",
#define COUNT_HEAD(name, doc) #name,
                                 TARE_COUNTS(COUNT_HEAD)
#undef COUNT_HEAD
    };
    int code = tare__journal_open(&s->journal, s->line, tare__text(s->line, "json"));
    if (code)
        return code;
    tare__table_init(&s->table, head, sizeof head / sizeof *head);
    for (int i = 0; i < s->specs.n && !code; ++i)
        code = count_arm(s, &s->specs.spec[i]);
    if (!code)
        tare__table_print(&s->table, stdout);
    tare__table_fini(&s->table);
    json_decref(s->run);
    if (!code)
        return tare__journal_close(&s->journal);
    tare__journal_leave(&s->journal);
    return code;
}

int tare__count_run(const tare__line *line)
{
    session s = {.line = line};
    int code = tare__task_read(line, &s.task);
    if (!code)
        code = tare__integer(line, "steps", 1, 1000000, &s.steps);
    if (!code)
        code = tare__specs_read(line, &s.task, tare__text(line, "modes"), &s.specs);
    if (!code)
        code = count_all(&s);
    tare__specs_free(&s.specs);
    return code;
}
