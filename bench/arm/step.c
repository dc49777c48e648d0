/* step.c - recording a step's events (see step.h). */
#include "step.h"

#include <stdlib.h>
#include <string.h>

#include "../../imperative/imperative.h"
#include "../base/clock.h"
#include "around.h"
#include "facts.h"

enum { WARM = 5, STEPS = 21, PROBES = 1001 };

typedef struct {
    const tare_runtime *rt;
    tare__events *out;
    int at, capacity;
    int64_t *ns; /* [event][step] */
    int step;
    int64_t last_ns, last_bytes;
    bool differs; /* a step had other events than the first */
} recorder;

static int by_value(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static int64_t median(int64_t *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, by_value);
    return x[n / 2];
}

void tare__node_shape(const tare_node *n, char *text, size_t bytes)
{
    text[0] = 0;
    const tare_value *v = NULL;
    for (int k = 0; n->operand && k < n->n_out && !v; ++k)
        v = n->operand[n->n_in + k];
    for (int k = 0; n->operand && k < n->n_in && !v; ++k)
        v = n->operand[k];
    char all[TARE_DESC_TEXT];
    if (v)
        snprintf(text, bytes, "%.*s", (int)bytes - 1, tare_desc_text(&v->d, all));
}

/* The first step finds out what there is; the others only add times. */
static void describe(recorder *r, tare_event event, const tare_node *n, int64_t bytes)
{
    tare__events *out = r->out;
    if (out->n == r->capacity) {
        r->capacity = r->capacity ? r->capacity * 2 : 1024;
        out->event = tare__more(out->event, (size_t)r->capacity, sizeof *out->event);
        r->ns = tare__more(r->ns, (size_t)r->capacity * STEPS, sizeof *r->ns);
    }
    tare__event *e = &out->event[out->n++];
    *e = (tare__event){.event = event,
                       .op = n->op ? n->op->name : NULL,
                       .variant = n->variant && event == TARE_EVENT_KERNEL ? n->variant->name : NULL,
                       .path = n->path,
                       .bytes = bytes};
    tare__node_shape(n, e->shape, sizeof e->shape);
}

static void on_event(void *owner, tare_event event, const tare_node *n)
{
    int64_t now = tare__clock_ns();
    recorder *r = owner;
    int64_t bytes = r->rt->work_bytes_live - r->last_bytes;
    if (r->step == 0)
        describe(r, event, n, bytes);
    if (r->at < r->out->n) {
        r->differs |= r->out->event[r->at].event != event;
        r->ns[r->at * STEPS + r->step] = now - r->last_ns;
    }
    ++r->at;
    r->last_bytes = r->rt->work_bytes_live;
    r->last_ns = tare__clock_ns();
}

void tare__arm_tell(tare__arm *a, tare_trace trace)
{
    a->rt->trace = trace;
    if (a->mode)
        tare_imperative_retrace(a->mode);
}

/* The bound calls one by one, then an update outside the plan. */
static tare_status replay(tare__arm *a)
{
    const tare_trace *trace = &a->rt->trace;
    const tare_call *call;
    const tare_node *const *node;
    int n = tare_instance_calls(a->instance, &call), failed;
    (void)tare_plan_calls(a->plan, &node);
    tare_device *d = a->rt->device;
    tare_status status = tare__around_begin(a);
    for (int i = 0; i < n && status == TARE_OK; ++i) {
        if (trace->fine)
            tare_trace_tell(trace, TARE_EVENT_SCHEDULE, node[i]);
        status = d->run(d, &call[i], 1, &failed);
        tare_trace_tell(trace, TARE_EVENT_KERNEL, node[i]);
    }
    if (status == TARE_OK && a->mode) {
        a->mode->scope_begin(a->mode, NULL);
        (void)tare_optimizer_step(a->optimizer, a->mode);
        status = a->mode->error;
        a->mode->scope_end(a->mode, NULL, 0);
    }
    return status == TARE_OK ? tare__around_end(a) : status;
}

tare_status tare__arm_step_told(tare__arm *a)
{
    return tare__arm_replays(a) ? replay(a) : a->step(a);
}

static tare_status record(tare__arm *a, recorder *r)
{
    tare_status status = TARE_OK;
    tare__arm_tell(a, (tare_trace){.event = on_event, .owner = r});
    /* the first two steps warm the traced functions up: what they found is written over */
    for (int k = -2; k < STEPS && status == TARE_OK; ++k) {
        r->step = k < 0 ? 0 : k;
        if (r->step == 0)
            r->out->n = 0;
        r->at = 0;
        r->last_bytes = a->rt->work_bytes_live;
        r->last_ns = tare__clock_ns();
        status = tare__arm_step_told(a);
        if (status == TARE_OK)
            status = tare_runtime_wait(a->rt);
        r->differs |= r->at != r->out->n;
    }
    tare__arm_tell(a, (tare_trace){0});
    if (status == TARE_OK && r->differs)
        status = tare_error(TARE_IMPOSSIBLE, "%s: its steps do not have the same events", a->name);
    return status;
}

/* What an event with nothing in it would be said to take. */
static int64_t probe_ns(const tare_runtime *rt)
{
    static const tare_node nothing;
    tare__events none = {0};
    recorder r = {.rt = rt, .out = &none};
    int64_t ns[PROBES];
    describe(&r, TARE_EVENT_CALL, &nothing, 0);
    for (int i = 0; i < PROBES; ++i) {
        r.at = 0;
        r.step = 1;
        on_event(&r, TARE_EVENT_CALL, &nothing);
        r.at = 0;
        on_event(&r, TARE_EVENT_CALL, &nothing);
        ns[i] = r.ns[1];
    }
    free(none.event);
    free(r.ns);
    return median(ns, PROBES);
}

static tare_status time_plain(tare__arm *a, tare__events *out)
{
    tare_status status = TARE_OK;
    int64_t ns[STEPS];
    for (int k = -WARM; k < STEPS && status == TARE_OK; ++k) {
        int64_t begin = tare__clock_ns();
        status = a->step(a);
        if (status == TARE_OK)
            status = tare_runtime_wait(a->rt);
        if (k >= 0)
            ns[k] = tare__clock_ns() - begin;
    }
    if (status != TARE_OK)
        return status;
    out->plain_ns = median(ns, STEPS);
    return tare__arm_count(a, &out->counts);
}

tare_status tare__events_take(tare__arm *a, tare__events *out)
{
    *out = (tare__events){0};
    recorder r = {.rt = a->rt, .out = out};
    tare_status status = time_plain(a, out);
    if (status == TARE_OK)
        status = record(a, &r);
    for (int i = 0; i < out->n && status == TARE_OK; ++i)
        out->event[i].ns = median(&r.ns[i * STEPS], STEPS);
    out->probe_ns = probe_ns(a->rt);
    free(r.ns);
    if (status != TARE_OK)
        tare__events_free(out);
    return status;
}

void tare__events_free(tare__events *e)
{
    free(e->event);
    *e = (tare__events){0};
}
