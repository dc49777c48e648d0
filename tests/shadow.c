/* shadow.c - the shadow device (see shadow.h): one queue of jobs, one worker, memory mapped twice.
 *
 * The host makes and frees all records (the runtime's allocator is its own), the worker only runs jobs: the queue is
 * one list, those done at its front until the host comes by, those to do behind them. Offsets in the file are the
 * memory: a device address is `host` + offset, the worker's is `own` + offset. Blocks are found first fit; a freed one
 * may be handed out at once, since whatever uses it anew is queued behind whatever used it before. */
#define _GNU_SOURCE
#include "shadow.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Calls with what they point to, copied; their addresses are the worker's. */
typedef struct {
    size_t bytes;
    int n;
    tare_call call[];
} call_list;

typedef enum { JOB_RUN, JOB_LAUNCH, JOB_COPY, JOB_COPY_WITHIN, JOB_BORN, JOB_FREED } job_kind;

typedef struct block block;
typedef struct job job;
struct job {
    job *next;
    job_kind kind;
    const call_list *calls; /* RUN: its own; LAUNCH: the graph's */
    void *to;
    const void *from;
    size_t bytes;
    block *of; /* BORN, FREED */
};

struct block {
    block *next; /* by offset */
    size_t offset, bytes;
    job born, freed;
};

typedef struct {
    tare_device device; /* first */
    shadow_pace pace;
    int file;
    char *host, *own;
    block *blocks; /* the host's */
    pthread_t worker;
    pthread_mutex_t lock;
    pthread_cond_t work, idle;
    /* under the lock */
    job *oldest, *todo, *last; /* those done: oldest up to todo */
    bool host_waits, closing;
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

static void run_calls(shadow *s, const call_list *list)
{
    for (const tare_call *c = list->call; c < list->call + list->n && !faulted(s); ++c) {
        int error = 0;
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
}

static void execute(shadow *s, const job *j)
{
    switch (j->kind) {
    case JOB_RUN:
    case JOB_LAUNCH:
        run_calls(s, j->calls);
        break;
    case JOB_COPY_WITHIN:
        if (!faulted(s))
            memmove(j->to, j->from, j->bytes);
        break;
    case JOB_COPY:
        memcpy(j->to, j->from, j->bytes);
        break;
    case JOB_BORN:
    case JOB_FREED:
        memset(s->own + j->of->offset, 0xff, j->of->bytes);
        break;
    }
}

static void *work(void *device)
{
    shadow *s = device;
    (void)tare_float_enter();
    (void)pthread_mutex_lock(&s->lock);
    for (;;) {
        bool may = s->pace == SHADOW_EAGER || s->host_waits || s->closing;
        if (!s->todo && s->closing)
            break;
        if (!s->todo || !may) {
            (void)pthread_cond_wait(&s->work, &s->lock);
            continue;
        }
        job *j = s->todo;
        (void)pthread_mutex_unlock(&s->lock);
        execute(s, j);
        (void)pthread_mutex_lock(&s->lock);
        s->todo = j->next;
        if (!s->todo)
            (void)pthread_cond_signal(&s->idle);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* ---- the queue, on the host's side --------------------------------------------------------------------------------*/
/* Takes those done off the queue (under the lock), up to *end. */
static job *take_done(shadow *s, job **end)
{
    job *done = s->oldest;
    s->oldest = *end = s->todo;
    return done;
}

/* Gives back what they have left, oldest first: a block goes with the job of its end. */
static void reclaim(shadow *s, job *done, const job *end)
{
    while (done != end) {
        job *next = done->next;
        if (done->kind == JOB_RUN)
            tare_memory_give(memory_of(s), TARE_MEMORY_RECORD, (void *)(uintptr_t)done->calls, done->calls->bytes);
        if (done->kind == JOB_FREED)
            tare_memory_give(memory_of(s), TARE_MEMORY_RECORD, done->of, sizeof *done->of);
        else if (done->kind == JOB_RUN || done->kind == JOB_LAUNCH || done->kind == JOB_COPY_WITHIN)
            tare_memory_give(memory_of(s), TARE_MEMORY_RECORD, done, sizeof *done);
        done = next; /* a host copy's stands on the stack, a new block's in the block */
    }
}

static void enqueue(shadow *s, job *j)
{
    job *end;
    j->next = NULL;
    (void)pthread_mutex_lock(&s->lock);
    job *done = take_done(s, &end);
    if (s->oldest)
        s->last->next = j;
    else
        s->oldest = s->todo = j;
    s->last = j;
    (void)pthread_cond_signal(&s->work);
    (void)pthread_mutex_unlock(&s->lock);
    reclaim(s, done, end);
}

static void drain(shadow *s)
{
    job *end;
    (void)pthread_mutex_lock(&s->lock);
    s->host_waits = true;
    (void)pthread_cond_signal(&s->work);
    while (s->todo)
        (void)pthread_cond_wait(&s->idle, &s->lock);
    s->host_waits = false;
    job *done = take_done(s, &end);
    (void)pthread_mutex_unlock(&s->lock);
    reclaim(s, done, end);
}

static job *job_new(shadow *s, job_kind kind)
{
    job *j = tare_memory_take_zeroed(memory_of(s), TARE_MEMORY_RECORD, 1, sizeof *j);
    if (j)
        j->kind = kind;
    return j;
}

/* ---- the table ----------------------------------------------------------------------------------------------------*/
static void *shadow_alloc(tare_device *d, tare_memory_category category, size_t bytes)
{
    (void)category;
    shadow *s = of(d);
    size_t wanted = (bytes / TARE_ALIGNMENT + 1) * TARE_ALIGNMENT, offset = 0;
    block **at = &s->blocks;
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
    b->born = (job){.kind = JOB_BORN, .of = b};
    *at = b;
    enqueue(s, &b->born);
    return s->host + offset;
}

static void shadow_free(tare_device *d, tare_memory_category category, void *address, size_t bytes)
{
    (void)category;
    (void)bytes;
    shadow *s = of(d);
    block **at = &s->blocks;
    while (s->host + (*at)->offset != (char *)address)
        at = &(*at)->next;
    block *b = *at;
    *at = b->next;
    b->freed = (job){.kind = JOB_FREED, .of = b};
    enqueue(s, &b->freed);
}

static tare_status shadow_copy(tare_device *d, void *to, const void *from, size_t bytes, tare_copy_direction direction)
{
    shadow *s = of(d);
    job *j, here = {.kind = JOB_COPY};
    bool within = direction == TARE_COPY_WITHIN;
    void *own_to = direction == TARE_COPY_TO_HOST ? to : translate(s, to, bytes);
    const void *own_from = direction == TARE_COPY_TO_DEVICE ? from : translate(s, from, bytes);
    if (!own_to || !own_from)
        return tare_error(TARE_BAD_ARGUMENT, "copy: an address is not the shadow device's");
    j = within ? job_new(s, JOB_COPY_WITHIN) : &here;
    if (!j)
        return TARE_NO_MEMORY;
    j->to = own_to;
    j->from = own_from;
    j->bytes = bytes;
    enqueue(s, j);
    if (!within)
        drain(s);
    return TARE_OK;
}

static bool copy_call(const shadow *s, const tare_call *from, tare_call *to, void **ptr, int64_t *g)
{
    *to = *from;
    to->ptr = ptr;
    to->g = g;
    memcpy(g, from->g, (size_t)from->n_g * sizeof *g);
    for (int i = 0; i < from->n_ptr; ++i) {
        ptr[i] = from->ptr[i] ? translate(s, from->ptr[i], 0) : NULL;
        if (from->ptr[i] && !ptr[i])
            return false;
    }
    return true;
}

static tare_status list_new(shadow *s, const tare_call *calls, int n, call_list **out)
{
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
        if (!copy_call(s, &calls[i], &list->call[i], ptr, g)) {
            tare_memory_give(memory_of(s), TARE_MEMORY_RECORD, list, bytes);
            return tare_error(TARE_BAD_ARGUMENT, "call %d: an address is not the shadow device's", i);
        }
        ptr += calls[i].n_ptr;
        g += calls[i].n_g;
    }
    *out = list;
    return TARE_OK;
}

static tare_status shadow_run(tare_device *d, const tare_call *calls, int n, int *failed)
{
    (void)failed;
    shadow *s = of(d);
    call_list *list;
    tare_status status = list_new(s, calls, n, &list);
    if (status != TARE_OK)
        return status;
    job *j = job_new(s, JOB_RUN);
    if (!j) {
        tare_memory_give(memory_of(s), TARE_MEMORY_RECORD, list, list->bytes);
        return TARE_NO_MEMORY;
    }
    j->calls = list;
    d->runtime->counts.kernel_calls += n;
    enqueue(s, j);
    return TARE_OK;
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
    call_list *list;
    tare_status status = list_new(of(d), calls, n, &list);
    if (status == TARE_OK)
        *graph = list;
    return status;
}

static tare_status shadow_launch(tare_device *d, void *graph)
{
    job *j = job_new(of(d), JOB_LAUNCH);
    if (!j)
        return TARE_NO_MEMORY;
    j->calls = graph;
    d->runtime->counts.kernel_calls += j->calls->n;
    enqueue(of(d), j);
    return TARE_OK;
}

static void shadow_release(tare_device *d, void *graph)
{
    call_list *list = graph;
    drain(of(d));
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
    (void)pthread_mutex_lock(&s->lock);
    s->closing = true;
    (void)pthread_cond_signal(&s->work);
    (void)pthread_mutex_unlock(&s->lock);
    (void)pthread_join(s->worker, NULL);
    reclaim(s, s->oldest, NULL);
    (void)pthread_cond_destroy(&s->work);
    (void)pthread_cond_destroy(&s->idle);
    (void)pthread_mutex_destroy(&s->lock);
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
    s->pace = owner ? *(const shadow_pace *)owner : SHADOW_EAGER;
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
    bool made = take_memory(s) && pthread_mutex_init(&s->lock, NULL) == 0 && pthread_cond_init(&s->work, NULL) == 0 &&
                pthread_cond_init(&s->idle, NULL) == 0 && pthread_create(&s->worker, NULL, work, s) == 0;
    if (!made) {
        give_memory(s);
        return tare_error(TARE_NO_MEMORY, "the shadow device has no memory or no thread");
    }
    *out = &s->device;
    return TARE_OK;
}
