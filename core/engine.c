/* engine.c - the CPU behind a queue: calls are handed to a thread of the runtime's, which runs them in order.
 *
 * `run` copies the calls and returns; up to `bulk` of them are collected before they are handed over, but for a run of
 * several, which is handed over as a whole. The worker hands pieces to the runtime's pool, as the CPU's device does on
 * the caller's thread, so that no bit depends on which of the two it is. After a call that met bad data no other runs
 * until `wait` has told of it.
 *
 * The host's own copies and its memory never stand in the queue: a read waits for the storage's last writer, a write
 * for its last reader too (value.c), and a block that goes back to the system is kept until what was queued before has
 * happened. A block that goes back to the pool may be taken at once: who takes it can only queue behind. */
#include "queue.h"
#include "runtime_private.h"
#include "threads.h"

enum { RING_BYTES = 1 << 17, FREED_MOST = 256 };

/* A block to be given back once the queue has come so far. */
typedef struct {
    void *block;
    size_t bytes;
    uint64_t number;
    tare_memory_category category;
} freed;

typedef struct {
    tare_device device; /* first */
    tare_queue *queue;
    tare_threads *threads; /* NULL: the worker alone */
    int64_t locks;         /* that the worker takes for the pool: none of the host's */
    int32_t fault_site;    /* the worker's until it has said that there is a fault */
    int32_t fault;         /* atomic */
    freed freed[FREED_MOST];
    unsigned first_freed, n_freed; /* a ring, oldest first */
} engine;

static engine *of(tare_device *d)
{
    return (engine *)d;
}

/* ---- the worker ----------------------------------------------------------------------------------------------*/

static void execute(engine *e, const tare_call *c)
{
    if (__builtin_expect(tare_device_faulted(&e->device), 0))
        return;
    int error = c->n_pieces == 1 ? c->run(c, 0, 0) : tare__threads_run(e->threads, c);
    if (__builtin_expect(error, 0)) {
        e->fault_site = c->site;
        __atomic_store_n(&e->fault, 1, __ATOMIC_RELEASE);
    }
}

static void run_call(void *owner, tare_job *job)
{
    execute(owner, &((tare_call_job *)(void *)job)->call);
}

/* ---- calls ---------------------------------------------------------------------------------------------------*/

/* Larger than the ring takes (a bundle of hundreds of updates): when the worker has nothing left to do, the host runs
 * it. */
static tare_status run_here(engine *e, const tare_call *c)
{
    tare_status status = tare__queue_await(e->queue, *e->device.queued);
    if (status == TARE_OK)
        execute(e, c);
    return status;
}

static tare_status queue_call(engine *e, const tare_call *c)
{
    if (__builtin_expect(tare__queue_call_bytes(c) > RING_BYTES / 4, 0))
        return run_here(e, c);
    const tare_call_job *j = tare__queue_room_call(e->queue, c, run_call);
    if (!j)
        return TARE_IMPOSSIBLE;
    tare__queue_put(e->queue, &j->job);
    return TARE_OK;
}

static tare_status engine_run(tare_device *d, const tare_call *calls, int n, int *failed)
{
    (void)failed;
    engine *e = of(d);
    tare_status status = TARE_OK;
    for (const tare_call *c = calls, *end = calls + n; c < end && status == TARE_OK; ++c)
        status = queue_call(e, c);
    d->runtime->counts.kernel_calls += n;
    if (n > 1)
        tare__queue_give(e->queue);
    else
        tare__queue_offer(e->queue);
    return status;
}

static tare_status engine_reach(tare_device *d, uint64_t number)
{
    return tare__queue_reach(of(d)->queue, number);
}

static void engine_flush(tare_device *d)
{
    tare__queue_give(of(d)->queue);
}

static tare_status engine_wait(tare_device *d)
{
    engine *e = of(d);
    tare_status status = engine_reach(d, *d->queued);
    if (status != TARE_OK || !tare_device_faulted(d))
        return status;
    __atomic_store_n(&e->fault, 0, __ATOMIC_RELEASE);
    return tare_site_error(d->runtime, e->fault_site);
}

/* ---- memory --------------------------------------------------------------------------------------------------*/

/* Gives back what nothing queued uses any more. */
static void reclaim(engine *e)
{
    for (; e->n_freed > 0; --e->n_freed) {
        const freed *f = &e->freed[e->first_freed % FREED_MOST];
        if (!tare__queue_done(e->queue, f->number))
            return;
        tare_memory_give(&e->device.runtime->memory, f->category, f->block, f->bytes);
        ++e->first_freed;
    }
}

static void *engine_alloc(tare_device *d, tare_memory_category category, size_t bytes)
{
    engine *e = of(d);
    reclaim(e);
    void *block = tare_memory_take(&d->runtime->memory, category, bytes);
    if (block || e->n_freed == 0)
        return block;
    (void)tare__queue_await(e->queue, *d->queued); /* what is still used may be enough */
    reclaim(e);
    return tare_memory_take(&d->runtime->memory, category, bytes);
}

static void engine_free(tare_device *d, tare_memory_category category, void *block, size_t bytes)
{
    engine *e = of(d);
    if (e->n_freed == FREED_MOST)
        (void)tare__queue_await(e->queue, e->freed[e->first_freed % FREED_MOST].number);
    reclaim(e);
    if (e->n_freed == FREED_MOST)
        return; /* in a child of fork: nothing there ends any more */
    e->freed[(e->first_freed + e->n_freed++) % FREED_MOST] = (freed){block, bytes, *d->queued, category};
    reclaim(e);
}

/* ---- beginning and end ---------------------------------------------------------------------------------------*/

static void engine_close(tare_device *d)
{
    engine *e = of(d);
    tare_memory *memory = &d->runtime->memory;
    tare__queue_free(e->queue);
    tare__threads_free(e->threads);
    for (; e->n_freed > 0; --e->n_freed) {
        const freed *f = &e->freed[e->first_freed++ % FREED_MOST];
        tare_memory_give(memory, f->category, f->block, f->bytes);
    }
    tare_memory_give(memory, TARE_MEMORY_RECORD, e, sizeof *e);
}

tare_status tare__engine_open(tare_runtime *rt, tare_device **out)
{
    engine *e = tare_memory_take_zeroed(&rt->memory, TARE_MEMORY_RECORD, 1, sizeof *e);
    if (!e)
        return TARE_NO_MEMORY;
    e->device = (tare_device){.abi = TARE_DEVICE_ABI,
                              .close = engine_close,
                              .name = "cpu",
                              .host_visible = true,
                              .fault = &e->fault,
                              .reach = engine_reach,
                              .flush = engine_flush,
                              .alloc = engine_alloc,
                              .free = engine_free,
                              .copy = tare__cpu_copy,
                              .run = engine_run,
                              .wait = engine_wait,
                              .runtime = rt};
    tare_status status = TARE_OK;
    if (rt->options.threads > 1)
        status = tare__threads_new(rt, rt->options.threads, &e->locks, &e->threads);
    if (status == TARE_OK)
        status = tare__queue_new(rt, RING_BYTES, rt->options.bulk ? rt->options.bulk : 1, e, &e->queue);
    if (status != TARE_OK) {
        engine_close(&e->device);
        return status;
    }
    e->device.queued = tare__queue_last(e->queue);
    *out = &e->device;
    return TARE_OK;
}
