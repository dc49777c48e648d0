/* around.c - before and after a step (see around.h). */
#include "around.h"

#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/command.h"
#include "input.h"

/* What fit tells after a batch, and whom: a history of the epoch, and a progress line's text. */
typedef struct {
    double loss, metric;
    int64_t batch;
} logs;
typedef void callback(void *owner, const logs *);

struct tare__around {
    bool waits, reads, fed, measures, fits; /* sync, readback, feed, a metric, callbacks */
    int64_t every, n_steps;                 /* reads after so many steps; taken so far */
    char *host[2];                          /* feed=copied: the batch that is copied */
    char *read[2];                          /* outputs, targets, as the last step had them */
    size_t room[2];
    float loss;
    tare_memory memory;
    tare_metrics metric;
    int64_t width, n_batches;
    double history;
    char line[128];
};

static void keep_history(void *owner, const logs *l)
{
    struct tare__around *r = owner;
    r->history += l->loss;
}

static void write_line(void *owner, const logs *l)
{
    struct tare__around *r = owner;
    (void)snprintf(r->line, sizeof r->line, "batch %lld - loss %.4f - metric %.4f", (long long)l->batch, l->loss,
                   l->metric);
}

static callback *const callbacks[] = {keep_history, write_line};

const tare_metrics *tare__around_metrics(const tare__arm *a)
{
    return &a->around->metric;
}

const char *tare__around_line(const tare__arm *a)
{
    return a->around->line;
}

/* What passed since the event before, told of a step that is traced. */
static void tell(const tare__arm *a, tare_event event)
{
    static const tare_node nothing;
    if (a->rt->trace.event)
        tare_trace_tell(&a->rt->trace, event, &nothing);
}

/* ---- before -----------------------------------------------------------------------------------------------------*/

static tare_status copy_batch(tare__arm *a)
{
    tare_status status = tare_value_write(a->x, a->around->host[0], tare_desc_bytes(&a->x->d));
    if (status == TARE_OK && a->target)
        status = tare_value_write(a->target, a->around->host[1], tare_desc_bytes(&a->target->d));
    return status;
}

tare_status tare__around_begin(tare__arm *a)
{
    tare_status status = TARE_OK;
    if (a->input || (a->around && a->around->fed)) {
        int64_t begin = tare__clock_ns();
        status = a->input ? tare__input_next(a) : copy_batch(a);
        a->input_wait_ns += tare__clock_ns() - begin;
        tell(a, TARE_EVENT_FEED);
    }
    if (status == TARE_OK && a->optimizer && tare_optimizer_scheduled(a->optimizer))
        status = tare_optimizer_advance(a->optimizer);
    return status;
}

/* ---- after ------------------------------------------------------------------------------------------------------*/

/* Copies outputs (part 0) or targets to the host. */
static tare_status read_part(struct tare__around *r, int part, const tare_value *v)
{
    const size_t bytes = tare_desc_bytes(&v->d);
    if (bytes + 1 > r->room[part]) {
        free(r->read[part]);
        r->read[part] = tare__take(1, bytes + 1);
        r->room[part] = bytes + 1;
    }
    return tare_value_read(v, r->read[part], bytes);
}

/* The loss; where there is none, the outputs. */
static tare_status read_back(tare__arm *a)
{
    struct tare__around *r = a->around;
    return a->loss ? tare_value_read(a->loss, &r->loss, sizeof r->loss) : read_part(r, 0, a->y);
}

static tare_status measure(tare__arm *a)
{
    struct tare__around *r = a->around;
    tare_status status = read_part(r, 0, a->y);
    if (status == TARE_OK)
        status = read_part(r, 1, a->target);
    if (status != TARE_OK)
        return status;
    if (a->target->d.dtype == TARE_I32)
        tare_metrics_labels(&r->metric, (const float *)(const void *)r->read[0],
                            (const int32_t *)(const void *)r->read[1], a->batch);
    else
        tare_metrics_targets(&r->metric, (const float *)(const void *)r->read[0],
                             (const float *)(const void *)r->read[1], a->batch);
    return TARE_OK;
}

static void call_back(tare__arm *a)
{
    struct tare__around *r = a->around;
    const bool labels = a->target->d.dtype == TARE_I32;
    const logs l = {.loss = (double)r->loss,
                    .metric = labels ? tare_metrics_accuracy(&r->metric) : tare_metrics_mse(&r->metric),
                    .batch = ++r->n_batches};
    for (size_t i = 0; i < sizeof callbacks / sizeof *callbacks; ++i)
        callbacks[i](r, &l);
}

tare_status tare__around_end(tare__arm *a)
{
    struct tare__around *r = a->around;
    tare_status status = TARE_OK;
    if (!r)
        return status;
    if (r->waits) {
        status = tare_runtime_wait(a->rt);
        tell(a, TARE_EVENT_WAIT);
    }
    const bool reads = r->reads && ++r->n_steps % r->every == 0;
    if (reads && status == TARE_OK)
        status = read_back(a);
    if (r->measures && status == TARE_OK)
        status = measure(a);
    if (r->fits && status == TARE_OK)
        call_back(a);
    if (reads || r->measures)
        tell(a, TARE_EVENT_READ);
    return status;
}

static tare_status step_around(tare__arm *a)
{
    tare_status status = tare__around_begin(a);
    if (status == TARE_OK)
        status = a->inner(a);
    return status == TARE_OK ? tare__around_end(a) : status;
}

/* ---- opening and closing ----------------------------------------------------------------------------------------*/

static tare_status open_metric(tare__arm *a, struct tare__around *r)
{
    tare_desc sample;
    if (!a->target)
        return tare_error(TARE_IMPOSSIBLE, "%s: a metric needs a target, and a head of ones has none", a->name);
    a->net->type->output(a->net->options, &sample);
    r->width = tare_desc_count(&sample);
    return tare_metrics_init(&r->metric, &r->memory, r->width);
}

static tare_status open_parts(tare__arm *a)
{
    const int *level = a->setting.level;
    struct tare__around *r = a->around;
    tare_value *const batch[2] = {a->x, a->target};
    tare_status status = TARE_OK;
    for (int k = 0; k < 2 && r->fed && batch[k] && status == TARE_OK; ++k) {
        r->host[k] = tare__take(1, tare_desc_bytes(&batch[k]->d) + 1);
        status = tare_value_read(batch[k], r->host[k], tare_desc_bytes(&batch[k]->d));
    }
    if (status == TARE_OK && r->measures)
        status = open_metric(a, r);
    if (level[TARE__LOOP] != TARE__LOOP_BARE || r->reads)
        a->keep = true;
    if (status == TARE_OK)
        status = tare__input_open(a);
    if (status == TARE_OK && level[TARE__READBACK] == TARE__READBACK_EPOCH)
        r->every = tare__input_steps(a);
    return status;
}

tare_status tare__around_open(tare__arm *a)
{
    const int *level = a->setting.level;
    const bool scheduled = a->optimizer && tare_optimizer_scheduled(a->optimizer);
    const struct tare__around wanted = {
        .waits = level[TARE__SYNC] == TARE__SYNC_STEP && level[TARE__ENGINE] == TARE__ENGINE_QUEUE,
        .every = 1,
        .reads = level[TARE__READBACK] != TARE__READBACK_END || level[TARE__LOOP] == TARE__LOOP_FIT,
        .fed = level[TARE__FEED] == TARE__FEED_COPIED,
        .measures = level[TARE__LOOP] != TARE__LOOP_BARE,
        .fits = level[TARE__LOOP] == TARE__LOOP_FIT};
    const bool any =
        wanted.waits || wanted.reads || wanted.fed || wanted.measures || level[TARE__INPUT] != TARE__INPUT_RESIDENT;
    tare_status status = TARE_OK;
    if (any) {
        a->around = tare__take(1, sizeof *a->around);
        *a->around = wanted;
        status = open_parts(a);
    }
    if (any || scheduled) {
        a->inner = a->step;
        a->step = step_around;
    }
    return status;
}

void tare__around_close(tare__arm *a)
{
    struct tare__around *r = a->around;
    tare__input_close(a);
    if (!r)
        return;
    if (r->width)
        tare_metrics_fini(&r->metric);
    for (int k = 0; k < 2; ++k) {
        free(r->host[k]);
        free(r->read[k]);
    }
    free(r);
    a->around = NULL;
}
