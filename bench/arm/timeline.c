/* timeline.c - recording spans (see timeline.h). */
#include "timeline.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"
#include "facts.h"
#include "step.h"

enum { WARM = 3, THREADS_MOST = 66, BLOCK_BYTES = 1 << 18 };

typedef struct watched watched;
typedef struct block block;
struct block {
    block *next;
    size_t used, bytes;
    _Alignas(16) char byte[];
};

typedef struct {
    tare__arm *arm;
    tare__timeline *out;
    int capacity;
    int step;
    int n_calls, n_replayed; /* of a plan; of them in this step so far */
    tare__phase phase;       /* of what runs imperatively */
    int64_t last_ns;
    bool queued;            /* calls run when the host is elsewhere: all are watched */
    block *blocks;          /* what watched calls lie in */
    watched *first, **last; /* in the order in which they were met */
    tare_device device;     /* its table as it was */
    tare_status (*backward)(tare_mode *, tare_value *const *, tare_value *const *, int, bool);
} recorder;

/* ---- phases --------------------------------------------------------------------------------------------------*/

/* A node of a plan of the whole step says by its place what it is for; what a plan repeats stands behind the program
 * and serves the backward part. */
static tare__phase phase_of(const recorder *r, tare_event event, const tare_node *n)
{
    const tare__arm *a = r->arm;
    if (event != TARE_EVENT_KERNEL || !a->graph || r->phase == TARE__PHASE_UPDATE)
        return r->phase;
    int32_t place = tare__node_place(n);
    if (place < a->n_forward)
        return TARE__PHASE_FORWARD;
    return place < a->n_backward || place >= tare_graph_program(a->graph)->n ? TARE__PHASE_BACKWARD
                                                                             : TARE__PHASE_UPDATE;
}

static tare_status backward(tare_mode *m, tare_value *const *root, tare_value *const *head, int n, bool keep)
{
    recorder *r = m->runtime->trace.owner;
    r->phase = TARE__PHASE_BACKWARD;
    tare_status status = r->backward(m, root, head, n, keep);
    r->phase = r->arm->optimizer ? TARE__PHASE_UPDATE : TARE__PHASE_REST;
    return status;
}

/* ---- events and pieces ---------------------------------------------------------------------------------------*/

static void on_event(void *owner, tare_event event, const tare_node *n)
{
    int64_t now = tare__clock_ns();
    recorder *r = owner;
    tare__timeline *out = r->out;
    if (out->n_spans == r->capacity) {
        r->capacity = r->capacity ? r->capacity * 2 : 4096;
        out->span = tare__more(out->span, (size_t)r->capacity, sizeof *out->span);
    }
    tare__span *s = &out->span[out->n_spans++];
    *s = (tare__span){.event = event,
                      .phase = phase_of(r, event, n),
                      .step = r->step,
                      .op = n->op ? n->op->name : NULL,
                      .variant = n->variant && event == TARE_EVENT_KERNEL ? n->variant->name : NULL,
                      .path = n->path,
                      .begin_ns = r->last_ns,
                      .end_ns = now,
                      .bytes_live = r->arm->rt->work_bytes_live};
    tare__node_shape(n, s->shape, sizeof s->shape);
    /* an update outside the plan follows the last of its calls */
    if (r->arm->graph && r->arm->mode && ++r->n_replayed == r->n_calls)
        r->phase = TARE__PHASE_UPDATE;
    r->last_ns = tare__clock_ns();
}

/* A call whose pieces say when and where they ran, in place of the real one, which it hands on to. Its one address is
 * its own: a device that queues calls copies what a call points to, and this stays where it is until all have run. */
struct watched {
    watched *next;
    tare_call call, real;
    void *self[1];
    int span;
    tare__piece *piece; /* [n_pieces] */
    pthread_t *owner;   /* of each, as it said itself */
};

static int run_piece(const tare_call *c, int piece, int worker)
{
    const watched *w = c->ptr[0];
    tare__piece *p = &w->piece[piece];
    p->begin_ns = tare__clock_ns();
    int error = w->real.run(&w->real, piece, worker);
    p->end_ns = tare__clock_ns();
    w->owner[piece] = pthread_self();
    return error;
}

static int combine(const tare_call *c, int piece, int worker)
{
    const tare_call *real = &((const watched *)c->ptr[0])->real;
    return real->combine(real, piece, worker);
}

/* So many bytes that stay until the recording ends, from large blocks: what a call costs to watch is part of its span.
 */
static void *keep(recorder *r, size_t bytes)
{
    enum { ALIGN = 16 };
    bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    if (!r->blocks || r->blocks->used + bytes > r->blocks->bytes) {
        size_t room = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
        block *b = tare__take(1, sizeof *b + room);
        *b = (block){.next = r->blocks, .bytes = room};
        r->blocks = b;
    }
    void *at = r->blocks->byte + r->blocks->used;
    r->blocks->used += bytes;
    return at;
}

static tare_status run_watched(recorder *r, tare_device *d, const tare_call *c, int *failed)
{
    const size_t n = (size_t)c->n_pieces, addresses = (size_t)c->n_ptr * sizeof *c->ptr,
                 words = (size_t)c->n_g * sizeof *c->g;
    watched *w = keep(r, sizeof *w);
    *w = (watched){.call = *c, .real = *c, .span = r->out->n_spans};
    w->piece = keep(r, n * sizeof *w->piece);
    w->owner = keep(r, n * sizeof *w->owner);
    if (r->queued) { /* who hands it over may reuse what it points to */
        w->real.ptr = memcpy(keep(r, addresses), c->ptr, addresses);
        if (words)
            w->real.g = memcpy(keep(r, words), c->g, words);
    }
    w->self[0] = w;
    w->call.run = run_piece;
    w->call.combine = c->combine ? combine : NULL;
    w->call.ptr = w->self;
    w->call.n_ptr = 1;
    w->call.n_g = 0;
    *r->last = w;
    r->last = &w->next;
    return r->device.run(d, &w->call, 1, failed);
}

static tare_status run_calls(tare_device *d, const tare_call *calls, int n, int *failed)
{
    recorder *r = d->runtime->trace.owner;
    tare_status status = TARE_OK;
    for (int i = 0; i < n && status == TARE_OK; ++i) {
        int one = 0;
        status = calls[i].n_pieces > 1 || r->queued ? run_watched(r, d, &calls[i], &one)
                                                    : r->device.run(d, &calls[i], 1, &one);
        *failed = i;
    }
    return status;
}

/* The watched calls, in the order in which they were met, become pieces; threads are numbered as they are met, the
 * caller 0. */
static void take_pieces(recorder *r)
{
    pthread_t known[THREADS_MOST] = {pthread_self()};
    tare__timeline *out = r->out;
    int capacity = 0;
    out->n_threads = 1;
    for (const watched *w = r->first; w; w = w->next) {
        for (int i = 0; i < w->real.n_pieces; ++i) {
            int k = 0;
            while (k < out->n_threads && !pthread_equal(known[k], w->owner[i]))
                ++k;
            if (k == out->n_threads)
                known[out->n_threads++] = w->owner[i];
            if (out->n_pieces == capacity) {
                capacity = capacity ? capacity * 2 : 4096;
                out->piece = tare__more(out->piece, (size_t)capacity, sizeof *out->piece);
            }
            tare__piece *p = &out->piece[out->n_pieces++];
            *p = w->piece[i];
            p->span = w->span;
            p->piece = i;
            p->n_pieces = w->real.n_pieces;
            p->thread = k;
        }
    }
}

/* Once all of them have run. */
static void forget_watched(recorder *r)
{
    while (r->blocks) {
        block *b = r->blocks;
        r->blocks = b->next;
        free(b);
    }
    r->first = NULL;
    r->last = &r->first;
}

/* ---- recording -----------------------------------------------------------------------------------------------*/

static void watch(recorder *r)
{
    tare__arm *a = r->arm;
    tare_device *d = a->rt->device;
    r->device = *d;
    d->run = run_calls;
    d->direct = false;
    if (a->mode) {
        r->backward = a->mode->backward;
        a->mode->backward = backward;
    }
    tare__arm_tell(a, (tare_trace){.event = on_event, .owner = r});
}

static void unwatch(const recorder *r)
{
    tare__arm *a = r->arm;
    a->rt->device->run = r->device.run;
    a->rt->device->direct = r->device.direct;
    if (a->mode)
        a->mode->backward = r->backward;
    tare__arm_tell(a, (tare_trace){0});
}

static tare_status record(recorder *r)
{
    tare__timeline *out = r->out;
    tare_status status = TARE_OK;
    /* the first steps warm the traced functions up: what they left is written over */
    for (int k = -WARM; k < out->n_steps && status == TARE_OK; ++k) {
        if (k <= 0) {
            status = tare_runtime_wait(r->arm->rt);
            if (status != TARE_OK)
                return status;
            forget_watched(r);
            out->n_spans = 0;
            out->bytes_live = r->arm->rt->work_bytes_live;
            out->origin_ns = tare__clock_ns();
        }
        r->step = k < 0 ? 0 : k;
        r->phase = TARE__PHASE_FORWARD;
        r->n_replayed = 0;
        out->begin_ns[r->step] = r->last_ns = tare__clock_ns();
        status = tare__arm_step_told(r->arm);
        out->end_ns[r->step] = tare__clock_ns();
    }
    return status == TARE_OK ? tare_runtime_wait(r->arm->rt) : status;
}

tare_status tare__timeline_take(tare__arm *a, int steps, tare__timeline *out)
{
    *out = (tare__timeline){.n_steps = steps,
                            .begin_ns = tare__take((size_t)steps, sizeof(int64_t)),
                            .end_ns = tare__take((size_t)steps, sizeof(int64_t))};
    const tare_call *calls;
    recorder r = {.arm = a,
                  .out = out,
                  .n_calls = a->instance ? tare_instance_calls(a->instance, &calls) : 0,
                  .queued = a->setting.level[TARE__ENGINE] == TARE__ENGINE_QUEUE};
    r.last = &r.first;
    watch(&r);
    tare_status status = record(&r);
    if (status != TARE_OK)
        (void)tare_runtime_wait(a->rt); /* what is watched may be queued still */
    unwatch(&r);
    if (status == TARE_OK)
        take_pieces(&r);
    forget_watched(&r);
    if (status != TARE_OK)
        tare__timeline_free(out);
    return status;
}

void tare__timeline_free(tare__timeline *t)
{
    free(t->span);
    free(t->piece);
    free(t->begin_ns);
    free(t->end_ns);
    *t = (tare__timeline){0};
}
