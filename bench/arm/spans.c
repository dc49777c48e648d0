/* spans.c - time-stamps summed up by part (see spans.h). */
#include "spans.h"

#include <string.h>

#include "../base/clock.h"
#include "step.h"

const tare__part_text tare__part_texts[TARE__PART_COUNT] = {
#define TARE__PART_ROW(NAME, name, definition, removed_by) {name, definition, removed_by},
    TARE__PARTS(TARE__PART_ROW)
#undef TARE__PART_ROW
};

/* By event; CALL is the zone's. */
static const tare__part part_of_event[TARE_EVENT_COUNT] = {
    [TARE_EVENT_LOOKUP] = TARE__PART_WRAPPER,      [TARE_EVENT_PARSE] = TARE__PART_WRAPPER,
    [TARE_EVENT_CHECK] = TARE__PART_DISPATCH,      [TARE_EVENT_INFER] = TARE__PART_SHAPE,
    [TARE_EVENT_CHOOSE] = TARE__PART_DISPATCH,     [TARE_EVENT_ALLOCATE] = TARE__PART_ALLOCATION,
    [TARE_EVENT_BIND] = TARE__PART_DISPATCH,       [TARE_EVENT_PREPARE] = TARE__PART_DISPATCH,
    [TARE_EVENT_SCHEDULE] = TARE__PART_SCHEDULING, [TARE_EVENT_KERNEL] = TARE__PART_KERNEL,
    [TARE_EVENT_APPEND] = TARE__PART_TAPE,         [TARE_EVENT_HAND] = TARE__PART_ALLOCATION,
    [TARE_EVENT_FREE] = TARE__PART_ALLOCATION,     [TARE_EVENT_FEED] = TARE__PART_INPUT,
    [TARE_EVENT_READ] = TARE__PART_READBACK,       [TARE_EVENT_WAIT] = TARE__PART_KERNEL,
};
static const tare__part part_before_call[] = {
    [TARE__ZONE_FORWARD] = TARE__PART_WRAPPER,
    [TARE__ZONE_BACKWARD] = TARE__PART_TAPE,
    [TARE__ZONE_UPDATE] = TARE__PART_OPTIMIZER,
};

tare__part tare__part_of(tare__zone zone, tare_event event)
{
    return event == TARE_EVENT_CALL ? part_before_call[zone] : part_of_event[event];
}

static inline void stamp(tare__spans *s, tare__part part)
{
    int64_t now = s->ticks();
    s->sum[part] += now - s->last;
    ++s->probes[part];
    s->last = now;
}

static void on_event(void *owner, tare_event event, const tare_node *n)
{
    (void)n;
    tare__spans *s = owner;
    /* where calls are queued, what the host does of a kernel is to hand it over */
    stamp(s, s->queued && event == TARE_EVENT_KERNEL ? TARE__PART_SCHEDULING : tare__part_of(s->zone, event));
}

/* Stands for the mode's own while events are told, to know where backward begins and ends. */
static tare_status backward(tare_mode *m, tare_value *const *root, tare_value *const *head, int n, bool keep)
{
    tare__spans *s = m->runtime->trace.owner;
    s->zone = TARE__ZONE_BACKWARD;
    tare_status status = s->backward(m, root, head, n, keep);
    s->zone = s->arm->optimizer ? TARE__ZONE_UPDATE : TARE__ZONE_FORWARD;
    return status;
}

void tare__spans_init(tare__spans *s, tare__arm *a, int64_t (*ticks)(void))
{
    *s = (tare__spans){
        .arm = a, .ticks = ticks ? ticks : tare__ticks, .queued = a->setting.level[TARE__ENGINE] == TARE__ENGINE_QUEUE};
}

static tare_status run_step(tare__spans *s)
{
    s->zone = tare__arm_replays(s->arm) ? TARE__ZONE_UPDATE : TARE__ZONE_FORWARD;
    tare_status status = tare__arm_step_told(s->arm);
    stamp(s, TARE__PART_UNATTRIBUTED);
    return status;
}

/* What is queued still is of these steps, unless nobody waits for it. */
static tare_status finish(tare__spans *s)
{
    if (!s->queued || s->arm->setting.level[TARE__SYNC] == TARE__SYNC_NONE)
        return TARE_OK;
    tare_status status = tare_runtime_wait(s->arm->rt);
    stamp(s, TARE__PART_KERNEL);
    return status;
}

static void begin(tare__spans *s)
{
    memset(s->sum, 0, sizeof s->sum);
    memset(s->probes, 0, sizeof s->probes);
    s->last = s->ticks();
}

tare_status tare__spans_run(tare__spans *s, int probing, int64_t steps, tare__span_sums *sums)
{
    tare__arm *a = s->arm;
    tare__arm_tell(a, (tare_trace){.event = on_event, .owner = s, .fine = true, .again = probing - 1});
    if (a->mode) {
        s->backward = a->mode->backward;
        a->mode->backward = backward;
    }
    begin(s);
    tare_status status = run_step(s); /* the traced code's first, not counted */
    if (status == TARE_OK)
        status = tare_runtime_wait(a->rt);
    begin(s);
    int64_t from = s->last, from_ns = tare__clock_ns();
    for (int64_t k = 0; k < steps && status == TARE_OK; ++k)
        status = run_step(s);
    if (status == TARE_OK)
        status = finish(s);
    double tick_ns = (double)(tare__clock_ns() - from_ns) / (double)(s->last - from);
    for (int p = 0; p < TARE__PART_COUNT; ++p) {
        sums->ns[p] += (double)s->sum[p] * (s->ticks == tare__ticks ? tick_ns : 1);
        sums->probes[p] += (double)s->probes[p] / (p == TARE__PART_UNATTRIBUTED ? 1 : probing);
    }
    if (status == TARE_OK)
        status = tare_runtime_wait(a->rt);
    if (a->mode)
        a->mode->backward = s->backward;
    tare__arm_tell(a, (tare_trace){0});
    return status;
}

void tare__spans_scale(tare__span_sums *sums, double factor)
{
    for (int p = 0; p < TARE__PART_COUNT; ++p) {
        sums->ns[p] *= factor;
        sums->probes[p] *= factor;
    }
}
