/* trace_command.c - `tare trace`: steps of some arms as one file in the Trace Event Format, which trace viewers open.
 *
 * An arm is a process of the picture, its threads are those that ran pieces, the caller first. Spans nest by time: the
 * groups (step, phase, layer, operator) are runs of spans that follow each other and are alike in that. (Trace Event
 * Format: "X" is a span, "C" a counter, "M" a name; times in microseconds.) */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../arm/request.h"
#include "../arm/timeline.h"
#include "commands.h"

static const char *const event_names[] = {
#define EVENT_NAME(name, text) text,
    TARE_EVENTS(EVENT_NAME)
#undef EVENT_NAME
};
static const char *const phase_names[] = {
#define PHASE_NAME(name, text) text,
    TARE__PHASES(PHASE_NAME)
#undef PHASE_NAME
};

/* Outer ones first; each holds those after it. */
enum { PHASE, LAYER, OPERATOR, GROUPS };
static const char *const group_names[GROUPS] = {"phase", "layer", "operator"};

typedef struct {
    FILE *stream;
    int pid;
    bool first;
    const tare__timeline *timeline;
} writing;

/* ---- events of the format ------------------------------------------------------------------------------------*/

/* args is taken over. */
static void put(writing *w, json_t *event, json_t *args)
{
    json_object_set_new(event, "pid", json_integer(w->pid));
    json_object_set_new(event, "args", args);
    (void)fputs(w->first ? "\n" : ",\n", w->stream);
    (void)json_dumpf(event, w->stream, JSON_COMPACT | JSON_REAL_PRECISION(15));
    json_decref(event);
    w->first = false;
}

static void put_name(writing *w, const char *what, int thread, const char *name)
{
    put(w, json_pack("{s:s,s:s,s:i}", "ph", "M", "name", what, "tid", thread), json_pack("{s:s}", "name", name));
}

static double us_of(const writing *w, int64_t ns)
{
    return (double)(ns - w->timeline->origin_ns) * 1e-3;
}

static void put_span(writing *w, const char *name, const char *category, int thread, int64_t begin, int64_t end,
                     json_t *args)
{
    put(w,
        json_pack("{s:s,s:s,s:s,s:i,s:f,s:f}", "ph", "X", "name", name, "cat", category, "tid", thread, "ts",
                  us_of(w, begin), "dur", (double)(end - begin) * 1e-3),
        args);
}

static void put_bytes(writing *w, int64_t ns, int64_t bytes)
{
    put(w, json_pack("{s:s,s:s,s:i,s:f}", "ph", "C", "name", "live bytes", "tid", 0, "ts", us_of(w, ns)),
        json_pack("{s:I}", "bytes", (json_int_t)bytes));
}

/* ---- spans ---------------------------------------------------------------------------------------------------*/

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* What the span is called in a group of that kind; NULL: it is in none. */
static const char *group_of(const tare__span *s, int group)
{
    return group == PHASE ? phase_names[s->phase] : group == LAYER ? s->path : s->op;
}

/* Whether b goes on with a's group. A later phase of dispatch is of the same node. */
static bool goes_on(const tare__span *a, const tare__span *b, int group)
{
    if (a->step != b->step)
        return false;
    for (int g = 0; g <= group; ++g)
        if (!same_text(group_of(a, g), group_of(b, g)))
            return false;
    return group < OPERATOR || b->event > a->event;
}

static void put_groups(writing *w, const tare__span *s, int i)
{
    const tare__timeline *t = w->timeline;
    for (int g = 0; g < GROUPS; ++g) {
        if (!group_of(&s[i], g) || (i > 0 && goes_on(&s[i - 1], &s[i], g)))
            continue;
        int last = i;
        while (last + 1 < t->n_spans && goes_on(&s[last], &s[last + 1], g))
            ++last;
        put_span(w, group_of(&s[i], g), group_names[g], 0, s[i].begin_ns, s[last].end_ns, json_object());
    }
}

static json_t *text_or_null(const char *text)
{
    return text && *text ? json_string(text) : json_null();
}

static void put_events(writing *w)
{
    const tare__timeline *t = w->timeline;
    int64_t bytes = t->bytes_live;
    int step = -1;
    for (int i = 0; i < t->n_spans; ++i) {
        const tare__span *s = &t->span[i];
        for (; step < s->step; ++step) {
            char name[32];
            snprintf(name, sizeof name, "step %d", step + 1);
            put_span(w, name, "step", 0, t->begin_ns[step + 1], t->end_ns[step + 1], json_object());
        }
        put_groups(w, t->span, i);
        put_span(w, event_names[s->event], "event", 0, s->begin_ns, s->end_ns,
                 json_pack("{s:o,s:o,s:o,s:o}", "operator", text_or_null(s->op), "layer", text_or_null(s->path),
                           "variant", text_or_null(s->variant), "shape", text_or_null(s->shape)));
        if (s->bytes_live != bytes)
            put_bytes(w, s->end_ns, s->bytes_live);
        bytes = s->bytes_live;
    }
}

static void put_pieces(writing *w)
{
    const tare__timeline *t = w->timeline;
    for (int i = 0; i < t->n_pieces; ++i) {
        const tare__piece *p = &t->piece[i];
        const char *op = t->span[p->span].op;
        put_span(w, op ? op : "piece", "piece", p->thread, p->begin_ns, p->end_ns,
                 json_pack("{s:i,s:i}", "piece", p->piece, "pieces", p->n_pieces));
    }
}

static void put_arm(writing *w, const char *name)
{
    const tare__timeline *t = w->timeline;
    put_name(w, "process_name", 0, name);
    put_name(w, "thread_name", 0, "caller");
    for (int k = 1; k < t->n_threads; ++k) {
        char worker[32];
        snprintf(worker, sizeof worker, "worker %d", k);
        put_name(w, "thread_name", k, worker);
    }
    put_bytes(w, t->origin_ns, t->bytes_live);
    put_events(w);
    put_pieces(w);
}

/* ---- the command ---------------------------------------------------------------------------------------------*/

typedef struct {
    const tare__line *line;
    tare__task task;
    tare__specs specs;
    int64_t steps;
    tare__timeline *timeline; /* [specs.n] */
    json_t *run;              /* of the first arm; NULL */
    tare__arm *arm;           /* [specs.n]: names in the timelines are theirs */
} session;

static int record_arm(session *s, int k)
{
    const tare__spec *spec = &s->specs.spec[k];
    tare__arm *a = &s->arm[k];
    tare_status status = tare__arm_open(a, &s->task, &spec->setting, spec->name);
    if (status != TARE_OK)
        return tare__status_usage(s->line, status);
    status = tare__arm_prepare(a);
    if (status == TARE_OK)
        status = tare__timeline_take(a, (int)s->steps, &s->timeline[k]);
    if (status != TARE_OK)
        return tare__status_failed(s->line, status);
    if (!s->run)
        s->run = tare__run_record(s->line, a->net->label, a->batch, 1, (int64_t)s->task.seed, 0);
    return TARE__RAN;
}

/* Through memory, so that the file appears whole or not at all. */
static int write_file(const session *s, const char *path)
{
    char *text = NULL;
    size_t bytes = 0;
    writing w = {.stream = open_memstream(&text, &bytes), .first = true};
    if (!w.stream)
        return tare__failed(s->line, "%s", strerror(errno));
    (void)fputs("{\"displayTimeUnit\":\"ns\",\"otherData\":", w.stream);
    (void)json_dumpf(s->run, w.stream, JSON_COMPACT);
    (void)fputs(",\"traceEvents\":[", w.stream);
    for (int k = 0; k < s->specs.n; ++k) {
        w.pid = k + 1;
        w.timeline = &s->timeline[k];
        put_arm(&w, s->specs.spec[k].name);
    }
    (void)fputs("\n]}\n", w.stream);
    bool failed = ferror(w.stream);
    failed |= fclose(w.stream) != 0;
    return tare__file_put(s->line, path, text, bytes,
                          failed ? tare_error(TARE_NO_MEMORY, "no memory for the timeline") : TARE_OK);
}

static int trace(session *s, const char *path)
{
    int code = TARE__RAN;
    s->timeline = tare__take((size_t)s->specs.n, sizeof *s->timeline);
    s->arm = tare__take((size_t)s->specs.n, sizeof *s->arm);
    for (int k = 0; k < s->specs.n && !code; ++k)
        code = record_arm(s, k);
    if (!code)
        code = write_file(s, path);
    for (int k = 0; k < s->specs.n && !code; ++k)
        printf("%-14s %d spans, %d pieces on %d threads in %lld steps\n", s->specs.spec[k].name, s->timeline[k].n_spans,
               s->timeline[k].n_pieces, s->timeline[k].n_threads, (long long)s->steps);
    for (int k = 0; k < s->specs.n; ++k) {
        tare__timeline_free(&s->timeline[k]);
        tare__arm_close(&s->arm[k]);
    }
    free(s->timeline);
    free(s->arm);
    json_decref(s->run);
    return code;
}

int tare__trace_run(const tare__line *line)
{
    session s = {.line = line};
    const char *path = tare__text(line, "out");
    if (!path)
        return tare__usage(line, "--out FILE is wanted");
    int code = tare__task_read(line, &s.task);
    if (!code)
        code = tare__integer(line, "steps", 1, 1000, &s.steps);
    if (!code)
        code = tare__specs_read(line, &s.task, tare__text(line, "arms"), &s.specs);
    if (!code)
        code = trace(&s, path);
    tare__specs_free(&s.specs);
    return code;
}
