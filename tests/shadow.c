/* shadow.c - the shadow device (see shadow.h): a queue (core/queue.h) with its worker, memory mapped twice.
 *
 * Offsets in the file are the memory: a device address is `host` + offset, the worker's is `own` + offset, and calls
 * are carried over when they are queued. Blocks are found first fit; a freed one may be handed out at once, since
 * whatever uses it anew is queued behind whatever used it before; only where the host can follow the queue, and so need
 * not queue behind, it is kept until then. */
#define _GNU_SOURCE
#include "shadow.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { RING_BYTES = 1 << 20 };

/* Calls with what they point to, copied; their addresses are the worker's. */
typedef struct {
    size_t bytes;
    int n;
    tare_call call[];
} call_list;

typedef struct {
    tare_job job;
    void *to;
    const void *from; /* NULL: 0xff */
    size_t bytes;
} move_job;

typedef struct block block;
struct block {
    block *next; /* by offset */
    size_t offset, bytes;
    uint64_t freed; /* number in the queue behind which nothing uses it; 0: in use */
};

typedef struct {
    tare_device device; /* first */
    int file;
    char *host, *own;
    block *blocks;
    tare_queue *queue;
    /* the worker's while there are jobs, the host's when there are none */
    int32_t fault_site;
    int64_t calls_run;
    int32_t fault; /* atomic */
} shadow;

static shadow *of(tare_device *d)
{
    return (shadow *)d;
}

static tare_memory *memory_of(const shadow *s)
{
    return &s->device.runtime->memory;
}

/* The worker's address for a device's; NULL: it is none, or not all of its bytes are. */
static void *translate(const shadow *s, const void *address, size_t bytes)
{
    uintptr_t offset = (uintptr_t)address - (uintptr_t)s->host;
    return offset <= SHADOW_BYTES && bytes <= SHADOW_BYTES - offset ? s->own + offset : NULL;
}

/* ---- the worker ---------------------------------------------------------------------------------------------------*/
static bool faulted(const shadow *s)
{
    return __atomic_load_n(&s->fault, __ATOMIC_ACQUIRE) != 0;
}

static void run_call(void *owner, tare_job *job)
{
    shadow *s = owner;
    const tare_call *c = &((tare_call_job *)(void *)job)->call;
    int error = 0;
    if (faulted(s))
        return;
    for (int piece = 0; piece < c->n_pieces; ++piece)
        error |= c->run(c, piece, 0);
    if (c->n_pieces > 1 && c->combine)
        error |= c->combine(c, 0, 0);
    ++s->calls_run;
    if (error) {
        s->fault_site = c->site;
        __atomic_store_n(&s->fault, 1, __ATOMIC_RELEASE);
    }
}

static void run_move(void *owner, tare_job *job)
{
    const move_job *j = (move_job *)(void *)job;
    if (!j->from)
        memset(j->to, 0xff, j->bytes);
    else if (!faulted(owner))
        memmove(j->to, j->from, j->bytes);
}

/* ---- the queue, on the host's side --------------------------------------------------------------------------------*/
static void drain(shadow *s)
{
    (void)tare__queue_reach(s->queue, *tare__queue_last(s->queue));
}

static void put_move(shadow *s, void *to, const void *from, size_t bytes)
{
    move_job *j = (move_job *)(void *)tare__queue_room(s->queue, sizeof *j, run_move);
    j->to = to;
    j->from = from;
    j->bytes = bytes;
    tare__queue_put(s->queue, &j->job);
    tare__queue_offer(s->queue);
}

/* Its addresses are the worker's already, or become so. */
static void put_call(shadow *s, const tare_call *c, bool carry_over)
{
    tare_call_job *j = tare__queue_room_call(s->queue, c, run_call);
    for (int i = 0; carry_over && i < c->n_ptr; ++i)
        j->ptr[i] = j->ptr[i] ? translate(s, j->ptr[i], 0) : NULL;
    tare__queue_put(s->queue, &j->job);
}

/* ---- the table ----------------------------------------------------------------------------------------------------*/
/* Lets freed blocks go that nothing queued uses; those still kept count as taken. */
static void sweep(shadow *s)
{
    for (block **at = &s->blocks; *at;) {
        block *b = *at;
        if (b->freed && (!s->device.reach || tare__queue_done(s->queue, b->freed))) {
            *at = b->next;
            tare_memory_give(memory_of(s), TARE_MEMORY_RECORD, b, sizeof *b);
        } else {
            at = &b->next;
        }
    }
}

static void *shadow_alloc(tare_device *d, tare_memory_category category, size_t bytes)
{
    (void)category;
    shadow *s = of(d);
    size_t wanted = (bytes / TARE_ALIGNMENT + 1) * TARE_ALIGNMENT, offset = 0;
    block **at = &s->blocks;
    sweep(s);
    for (; *at && (*at)->offset - offset < wanted; at = &(*at)->next)
        offset = (*at)->offset + (*at)->bytes;
    if (wanted > SHADOW_BYTES - offset) {
        (void)tare_error(TARE_NO_MEMORY, "the shadow device has no %zu bytes in a row", bytes);
        return NULL;
    }
    block *b = tare_memory_take_zeroed(memory_of(s), TARE_MEMORY_RECORD, 1, sizeof *b);
    if (!b)
        return NULL;
    *b = (block){.next = *at, .offset = offset, .bytes = wanted};
    *at = b;
    if (d->reach)
        memset(s->own + offset, 0xff, wanted);
    else
        put_move(s, s->own + offset, NULL, wanted);
    return s->host + offset;
}

static void shadow_free(tare_device *d, tare_memory_category category, void *address, size_t bytes)
{
    (void)category;
    (void)bytes;
    shadow *s = of(d);
    block *b = s->blocks;
    while (s->host + b->offset != (char *)address)
        b = b->next;
    put_move(s, s->own + b->offset, NULL, b->bytes);
    b->freed = *tare__queue_last(s->queue);
    sweep(s);
}

static tare_status shadow_copy(tare_device *d, void *to, const void *from, size_t bytes, tare_copy_direction direction)
{
    shadow *s = of(d);
    void *own_to = direction == TARE_COPY_TO_HOST ? to : translate(s, to, bytes);
    const void *own_from = direction == TARE_COPY_TO_DEVICE ? from : translate(s, from, bytes);
    if (!own_to || !own_from)
        return tare_error(TARE_BAD_ARGUMENT, "copy: an address is not the shadow device's");
    if (direction == TARE_COPY_WITHIN) {
        put_move(s, own_to, own_from, bytes);
        return TARE_OK;
    }
    if (!d->reach)
        drain(s);
    memcpy(own_to, own_from, bytes);
    return TARE_OK;
}

static bool ours(const shadow *s, const tare_call *c)
{
    bool all = true;
    for (int i = 0; i < c->n_ptr; ++i)
        all = all && (!c->ptr[i] || translate(s, c->ptr[i], 0));
    return all;
}

static tare_status check_calls(const shadow *s, const tare_call *calls, int n)
{
    for (int i = 0; i < n; ++i) {
        if (!ours(s, &calls[i]))
            return tare_error(TARE_BAD_ARGUMENT, "call %d: an address is not the shadow device's", i);
        if (tare__queue_call_bytes(&calls[i]) > RING_BYTES / 4)
            return tare_error(TARE_IMPOSSIBLE, "call %d: it is larger than the shadow device can queue", i);
    }
    return TARE_OK;
}

static tare_status shadow_run(tare_device *d, const tare_call *calls, int n, int *failed)
{
    (void)failed;
    shadow *s = of(d);
    tare_status status = check_calls(s, calls, n);
    if (status != TARE_OK)
        return status;
    for (int i = 0; i < n; ++i)
        put_call(s, &calls[i], true);
    d->runtime->counts.kernel_calls += n;
    tare__queue_offer(s->queue);
    return TARE_OK;
}

static tare_status shadow_reach(tare_device *d, uint64_t number)
{
    return tare__queue_reach(of(d)->queue, number);
}

static tare_status shadow_wait(tare_device *d)
{
    shadow *s = of(d);
    drain(s);
    if (!faulted(s))
        return TARE_OK;
    __atomic_store_n(&s->fault, 0, __ATOMIC_RELEASE);
    return tare_site_error(d->runtime, s->fault_site);
}

static tare_status shadow_capture(tare_device *d, const tare_call *calls, int n, void **graph)
{
    shadow *s = of(d);
    tare_status status = check_calls(s, calls, n);
    if (status != TARE_OK)
        return status;
    size_t n_ptr = 0, n_g = 0;
    for (int i = 0; i < n; ++i) {
        n_ptr += (size_t)calls[i].n_ptr;
        n_g += (size_t)calls[i].n_g;
    }
    size_t head = sizeof(call_list) + (size_t)n * sizeof *calls;
    size_t bytes = head + n_ptr * sizeof(void *) + n_g * sizeof(int64_t);
    call_list *list = tare_memory_take(memory_of(s), TARE_MEMORY_RECORD, bytes);
    if (!list)
        return TARE_NO_MEMORY;
    list->bytes = bytes;
    list->n = n;
    void **ptr = (void **)(void *)((char *)list + head);
    int64_t *g = (int64_t *)(void *)(ptr + n_ptr);
    for (int i = 0; i < n; ++i) {
        list->call[i] = calls[i];
        list->call[i].ptr = ptr;
        list->call[i].g = memcpy(g, calls[i].g, (size_t)calls[i].n_g * sizeof *g);
        for (int k = 0; k < calls[i].n_ptr; ++k)
            *ptr++ = calls[i].ptr[k] ? translate(s, calls[i].ptr[k], 0) : NULL;
        g += calls[i].n_g;
    }
    *graph = list;
    return TARE_OK;
}

static tare_status shadow_launch(tare_device *d, void *graph)
{
    shadow *s = of(d);
    const call_list *list = graph;
    for (int i = 0; i < list->n; ++i)
        put_call(s, &list->call[i], false);
    d->runtime->counts.kernel_calls += list->n;
    tare__queue_offer(s->queue);
    return TARE_OK;
}

static void shadow_release(tare_device *d, void *graph)
{
    call_list *list = graph;
    tare_memory_give(memory_of(of(d)), TARE_MEMORY_RECORD, list, list->bytes);
}

int64_t shadow_calls_run(tare_device *d)
{
    drain(of(d));
    return of(d)->calls_run;
}

/* ---- beginning and end --------------------------------------------------------------------------------------------*/
static void give_memory(shadow *s)
{
    if (s->host != MAP_FAILED)
        (void)munmap(s->host, SHADOW_BYTES);
    if (s->own != MAP_FAILED)
        (void)munmap(s->own, SHADOW_BYTES);
    if (s->file >= 0)
        (void)close(s->file);
    tare_memory_give(memory_of(s), TARE_MEMORY_RECORD, s, sizeof *s);
}

static void shadow_close(tare_device *d)
{
    shadow *s = of(d);
    tare__queue_free(s->queue);
    for (block *b = s->blocks, *next; b; b = next) { /* freed, each of them */
        next = b->next;
        tare_memory_give(memory_of(s), TARE_MEMORY_RECORD, b, sizeof *b);
    }
    give_memory(s);
}

static bool take_memory(shadow *s)
{
    s->file = memfd_create("shadow", MFD_CLOEXEC);
    if (s->file < 0 || ftruncate(s->file, SHADOW_BYTES) != 0)
        return false;
    s->host = mmap(NULL, SHADOW_BYTES, PROT_NONE, MAP_SHARED, s->file, 0);
    s->own = mmap(NULL, SHADOW_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, s->file, 0);
    return s->host != MAP_FAILED && s->own != MAP_FAILED;
}

tare_status shadow_open(tare_runtime *rt, void *owner, tare_device **out)
{
    shadow *s = tare_memory_take_zeroed(&rt->memory, TARE_MEMORY_RECORD, 1, sizeof *s);
    if (!s)
        return TARE_NO_MEMORY;
    shadow_pace pace = owner ? *(const shadow_pace *)owner : SHADOW_EAGER;
    s->file = -1;
    s->host = s->own = MAP_FAILED;
    s->device = (tare_device){.abi = TARE_DEVICE_ABI,
                              .close = shadow_close,
                              .name = "shadow",
                              .fault = &s->fault,
                              .alloc = shadow_alloc,
                              .free = shadow_free,
                              .copy = shadow_copy,
                              .run = shadow_run,
                              .wait = shadow_wait,
                              .capture = shadow_capture,
                              .launch = shadow_launch,
                              .release = shadow_release,
                              .runtime = rt};
    tare_status status = take_memory(s) ? TARE_OK : tare_error(TARE_NO_MEMORY, "the shadow device has no memory");
    if (status == TARE_OK)
        status = tare__queue_new(rt, RING_BYTES, pace == SHADOW_EAGER, s, &s->queue);
    if (status != TARE_OK) {
        give_memory(s);
        return status;
    }
    if (pace == SHADOW_FOLLOWED) {
        s->device.queued = tare__queue_last(s->queue);
        s->device.reach = shadow_reach;
    }
    *out = &s->device;
    return TARE_OK;
}
