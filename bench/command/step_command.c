/* step_command.c - `tare step`: one step event by event, two arms side by side.
 *
 * Events of the two that are the same phase of the same operator in the same layer share a line; what one arm alone has
 * stands alone, in the order in which it happens. */
#include <stdlib.h>
#include <string.h>

#include "../arm/request.h"
#include "../arm/step.h"
#include "commands.h"

static const char *const event_names[] = {
#define EVENT_NAME(name, text) text,
    TARE_EVENTS(EVENT_NAME)
#undef EVENT_NAME
};

enum { ARMS = 2 };

typedef struct {
    const tare__line *line;
    const char *layer; /* NULL: all */
    tare__task task;
    tare__specs specs;
    tare__arm arm[ARMS];
    tare__events events[ARMS];
    int n;
} session;

/* ---- matching ------------------------------------------------------------------------------------------------*/

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_event(const tare__event *a, const tare__event *b)
{
    return a->event == b->event && same_text(a->op, b->op) && same_text(a->path, b->path);
}

/* How many events later one like `wanted` comes; n: never. */
static int distance(const tare__events *e, int from, const tare__event *wanted)
{
    int i = from;
    while (i < e->n && !same_event(&e->event[i], wanted))
        ++i;
    return i < e->n ? i - from : e->n;
}

/* The next line: advances one of the two or both; the events that stand on it, NULL where there is none. */
static void next_line(const session *s, int at[ARMS], const tare__event *on[ARMS])
{
    const tare__events *e = s->events;
    for (int k = 0; k < ARMS; ++k)
        on[k] = at[k] < e[k].n ? &e[k].event[at[k]] : NULL;
    if (on[0] && on[1] && !same_event(on[0], on[1])) {
        int first = distance(&e[0], at[0], on[1]), second = distance(&e[1], at[1], on[0]);
        bool first_waits = first == e[0].n && second < e[1].n;
        on[second < first || first_waits ? 0 : 1] = NULL;
    }
    for (int k = 0; k < ARMS; ++k)
        at[k] += on[k] != NULL;
}

/* Whether the path is the layer's: its whole name, or its end after a separator. */
static bool of_layer(const char *path, const char *layer)
{
    if (!path || !layer)
        return !layer;
    size_t n = strlen(path), l = strlen(layer);
    return n >= l && strcmp(path + n - l, layer) == 0 && (n == l || strchr("./", path[n - l - 1]));
}

static void keep_layer(tare__events *e, const char *layer)
{
    int n = 0;
    for (int i = 0; i < e->n; ++i)
        if (of_layer(e->event[i].path, layer))
            e->event[n++] = e->event[i];
    e->n = n;
}

/* ---- printing ------------------------------------------------------------------------------------------------*/

/* A signed size in at most six characters; blank for none. */
static const char *size_text(int64_t bytes, char text[32])
{
    double size = (double)(bytes < 0 ? -bytes : bytes);
    char sign = bytes < 0 ? '-' : '+';
    if (bytes == 0)
        text[0] = 0;
    else if (size < 10000)
        snprintf(text, 32, "%c%.0f", sign, size);
    else if (size < 1e6 * 1.024)
        snprintf(text, 32, "%c%.0fK", sign, size / 1024);
    else
        snprintf(text, 32, "%c%.1fM", sign, size / 1048576);
    return text;
}

static void print_sides(const session *s, const tare__event *const on[ARMS], int64_t probe)
{
    char size[32];
    for (int k = 0; k < s->n; ++k) {
        if (on[k])
            printf(" %7lld %6s", (long long)on[k]->ns, size_text(on[k]->bytes, size));
        else
            printf(" %7s %6s", ".", "");
    }
    int64_t a = on[0] ? on[0]->ns : 0, b = s->n > 1 && on[1] ? on[1]->ns : 0;
    printf("%s\n", s->n == 1 ? "" : a > b + probe ? " <" : b > a + probe ? " >" : "");
}

static void print_events(const session *s)
{
    int at[ARMS] = {0};
    int64_t probe = s->events[0].probe_ns;
    printf("%-61s", "");
    for (int k = 0; k < s->n; ++k)
        printf(" %14.14s", s->specs.spec[k].name);
    printf("\n%-8s %-16s %-9s %-13s %-11s", "event", "operator", "layer", "variant", "shape");
    for (int k = 0; k < s->n; ++k)
        printf(" %7s %6s", "ns", "bytes");
    printf("\n");
    while (at[0] < s->events[0].n || at[1] < s->events[1].n) {
        const tare__event *on[ARMS];
        next_line(s, at, on);
        const tare__event *e = on[0] ? on[0] : on[1];
        printf("%-8s %-16.16s %-9.9s %-13.13s %-11.11s", event_names[e->event], e->op ? e->op : "-",
               e->path ? e->path : "-", e->variant ? e->variant : "", e->shape);
        print_sides(s, on, probe);
    }
}

typedef struct {
    int64_t n, ns;
} total;

static void print_totals(const session *s)
{
    total sum[ARMS] = {{0}}, by[ARMS][TARE_EVENT_COUNT] = {{{0}}};
    for (int k = 0; k < s->n; ++k)
        for (int i = 0; i < s->events[k].n; ++i) {
            const tare__event *e = &s->events[k].event[i];
            by[k][e->event].n += 1;
            by[k][e->event].ns += e->ns;
            sum[k].n += 1;
            sum[k].ns += e->ns;
        }
    printf("\n%-22s", s->layer ? s->layer : "all events");
    for (int k = 0; k < s->n; ++k)
        printf("  %14.14s       ns  less probes", s->specs.spec[k].name);
    printf("\n");
    for (int e = 0; e <= TARE_EVENT_COUNT; ++e) {
        if (e < TARE_EVENT_COUNT && e >= TARE_EVENT_CHECK)
            continue; /* the finer ones are not asked for */
        printf("%-22s", e < TARE_EVENT_COUNT ? event_names[e] : "sum");
        for (int k = 0; k < s->n; ++k) {
            const total *t = e < TARE_EVENT_COUNT ? &by[k][e] : &sum[k];
            int64_t less = t->ns - t->n * s->events[k].probe_ns;
            printf("  %14lld %8lld %12lld", (long long)t->n, (long long)t->ns, (long long)(less > 0 ? less : 0));
        }
        printf("\n");
    }
    printf("%-22s", "an untraced step");
    for (int k = 0; k < s->n; ++k)
        printf("  %14s %8lld %12s", "", (long long)s->events[k].plain_ns, "");
    printf("\n");
}

static void print_counts(const session *s)
{
    printf("\n%-22s", "counts a step");
    for (int k = 0; k < s->n; ++k)
        printf("  %14.14s", s->specs.spec[k].name);
    printf("\n");
#define PRINT_COUNT(name, doc)                                                                                         \
    printf("%-22s", #name);                                                                                            \
    for (int k = 0; k < s->n; ++k)                                                                                     \
        printf("  %14lld", (long long)s->events[k].counts.name);                                                       \
    printf("\n");
    TARE_COUNTS(PRINT_COUNT)
#undef PRINT_COUNT
}

static void print_all(const session *s)
{
    printf("%s, batch %lld, %s: one step, medians of the same event in repeated steps\n", s->arm[0].net->label,
           (long long)s->arm[0].batch, tare__work_names[s->task.work]);
    printf("ns: since the event before, %lld ns of it the probe; bytes: work storage taken (+), given back (-)\n",
           (long long)s->events[0].probe_ns);
    printf("call: on the way to the operator; bind: a captured function's instance and addresses\n");
    printf("a replayed plan is run call by call%s\n\n", s->n > 1 ? "; < and > point to the slow side" : "");
    print_events(s);
    print_totals(s);
    if (!s->layer)
        print_counts(s);
}

/* ---- records -------------------------------------------------------------------------------------------------*/

static json_t *text_or_null(const char *text)
{
    return text && *text ? json_string(text) : json_null();
}

static void put_events(const session *s, tare__journal *journal, json_t *run, int k)
{
    const tare__events *e = &s->events[k];
    json_t *factors = tare__setting_json(&s->specs.spec[k].setting);
    for (int i = 0; i < e->n; ++i) {
        const tare__event *at = &e->event[i];
        json_t *record =
            tare__record("event", run, s->specs.spec[k].name, s->specs.spec[k].setting.rung->name, factors);
        json_object_set_new(record, "number", json_integer(i));
        json_object_set_new(record, "event", json_string(event_names[at->event]));
        json_object_set_new(record, "operator", text_or_null(at->op));
        json_object_set_new(record, "layer", text_or_null(at->path));
        json_object_set_new(record, "variant", text_or_null(at->variant));
        json_object_set_new(record, "shape", text_or_null(at->shape));
        json_object_set_new(record, "bytes", json_integer(at->bytes));
        json_object_set_new(record, "time_ns", json_integer(at->ns));
        json_object_set_new(record, "probe_ns", json_integer(e->probe_ns));
        tare__journal_put(journal, record);
    }
    json_decref(factors);
}

static int write_records(const session *s)
{
    tare__journal journal;
    int code = tare__journal_open(&journal, s->line, tare__text(s->line, "json"));
    if (code)
        return code;
    json_t *run = tare__run_record(s->line, s->arm[0].net->label, s->arm[0].batch, 1, (int64_t)s->task.seed, 0);
    for (int k = 0; k < s->n; ++k)
        put_events(s, &journal, run, k);
    json_decref(run);
    return tare__journal_close(&journal);
}

/* ---- the command ---------------------------------------------------------------------------------------------*/

static int record_arm(session *s, int k)
{
    tare__arm *a = &s->arm[k];
    tare_status status = tare__arm_open(a, &s->task, &s->specs.spec[k].setting, s->specs.spec[k].name);
    if (status != TARE_OK)
        return tare__status_usage(s->line, status);
    status = tare__arm_prepare(a);
    if (status == TARE_OK)
        status = tare__events_take(a, &s->events[k]);
    if (status != TARE_OK)
        return tare__status_failed(s->line, status);
    s->n = k + 1;
    keep_layer(&s->events[k], s->layer);
    return TARE__RAN;
}

int tare__step_run(const tare__line *line)
{
    session s = {.line = line, .layer = tare__text(line, "layer")};
    int code = tare__task_read(line, &s.task);
    if (!code)
        code = tare__specs_read(line, &s.task, tare__text(line, "arms"), &s.specs);
    if (!code && s.specs.n > ARMS)
        code = tare__usage(line, "%d arms: two stand side by side", s.specs.n);
    for (int k = 0; k < s.specs.n && !code; ++k)
        code = record_arm(&s, k);
    if (!code && s.layer && s.events[0].n + s.events[1].n == 0)
        code = tare__usage(line, "no event of this step is in a layer '%s' (tare summary lists the layers)", s.layer);
    if (!code) {
        print_all(&s);
        code = write_records(&s);
    }
    for (int k = 0; k < ARMS; ++k) {
        tare__events_free(&s.events[k]);
        tare__arm_close(&s.arm[k]);
    }
    tare__specs_free(&s.specs);
    return code;
}
