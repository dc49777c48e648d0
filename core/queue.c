/* queue.c - the ring, its worker, and waiting for one another (see queue.h).
 *
 * Three positions grow along the ring: `done` <= `given` <= `put`. The worker alone writes `done`, the host the other
 * two. A job is never cut by the end of the ring: an empty one fills the rest.
 *
 * Sleep: who is about to sleep says so before it looks for the last time, and the other side moves its position before
 * it looks for sleepers (both sequentially consistent): one of the two sees the other. */
#include "queue.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "threads.h"

enum { UNIT = sizeof(tare_job) };

struct tare_queue {
    /* the host's */
    uint64_t put, room_until; /* room_until: where `done` was when last seen, and a ring further */
    uint64_t pushed, reached; /* by give, not where room was needed; by reach: what is counted depends on no clock */
    int held, bulk;
    char *ring;
    size_t bytes;
    tare_runtime *runtime;
    void *owner;
    int looks;
    bool started;
    pid_t process;
    pthread_t worker;
    pthread_mutex_t lock;
    pthread_cond_t wake, done_so_far;
    bool closing; /* under the lock */
    /* atomic; what one side writes often stands apart from what the other reads often */
    _Alignas(TARE_ALIGNMENT) uint64_t given;
    _Alignas(TARE_ALIGNMENT) uint64_t done;
    _Alignas(TARE_ALIGNMENT) uint64_t awaited; /* by a host that sleeps; 0: none */
    bool worker_sleeps;
};

/* ---- the worker ----------------------------------------------------------------------------------------------*/

static tare_job *job_at(const tare_queue *q, uint64_t position)
{
    return (tare_job *)(void *)(q->ring + (position & (q->bytes - 1)));
}

/* Runs what has been given, from `done` on. */
static void run_given(tare_queue *q, uint64_t given)
{
    uint64_t at = __atomic_load_n(&q->done, __ATOMIC_RELAXED);
    while (at < given) {
        tare_job *j = job_at(q, at);
        if (j->run)
            j->run(q->owner, j);
        at += j->bytes;
        __atomic_store_n(&q->done, at, __ATOMIC_SEQ_CST);
        uint64_t awaited = __atomic_load_n(&q->awaited, __ATOMIC_SEQ_CST);
        if (__builtin_expect(awaited && at >= awaited, 0)) {
            (void)pthread_mutex_lock(&q->lock);
            (void)pthread_cond_signal(&q->done_so_far);
            (void)pthread_mutex_unlock(&q->lock);
        }
    }
}

/* Until there is work; false: the queue ends, and there is none. */
static bool sleep_until_given(tare_queue *q)
{
    uint64_t done = __atomic_load_n(&q->done, __ATOMIC_RELAXED);
    (void)pthread_mutex_lock(&q->lock);
    for (;;) {
        __atomic_store_n(&q->worker_sleeps, true, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&q->given, __ATOMIC_SEQ_CST) != done || q->closing)
            break;
        (void)pthread_cond_wait(&q->wake, &q->lock);
    }
    __atomic_store_n(&q->worker_sleeps, false, __ATOMIC_SEQ_CST);
    bool goes_on = __atomic_load_n(&q->given, __ATOMIC_SEQ_CST) != done || !q->closing;
    (void)pthread_mutex_unlock(&q->lock);
    return goes_on;
}

static void *work(void *queue)
{
    tare_queue *q = queue;
    uint64_t before = tare_float_enter();
    for (int looks = 0;;) {
        uint64_t given = __atomic_load_n(&q->given, __ATOMIC_ACQUIRE);
        if (given != __atomic_load_n(&q->done, __ATOMIC_RELAXED)) {
            run_given(q, given);
            looks = 0;
        } else if (++looks < q->looks) {
            tare__threads_pause();
        } else if (sleep_until_given(q)) {
            looks = 0;
        } else {
            break;
        }
    }
    tare_float_leave(before);
    return NULL;
}

/* ---- waiting for it ------------------------------------------------------------------------------------------*/

static void wake_worker(tare_queue *q)
{
    if (getpid() != q->process) /* there the lock may be another's, and nobody's */
        return;
    ++q->runtime->counts.locks;
    (void)pthread_mutex_lock(&q->lock);
    __atomic_store_n(&q->worker_sleeps, false, __ATOMIC_SEQ_CST); /* on its way: once is enough */
    (void)pthread_cond_signal(&q->wake);
    (void)pthread_mutex_unlock(&q->lock);
}

static void hand_over(tare_queue *q)
{
    __atomic_store_n(&q->given, q->put, __ATOMIC_SEQ_CST);
    if (__builtin_expect(__atomic_load_n(&q->worker_sleeps, __ATOMIC_SEQ_CST), 0))
        wake_worker(q);
}

static tare_status sleep_until_done(tare_queue *q, uint64_t number)
{
    if (getpid() != q->process)
        return tare_error(TARE_IMPOSSIBLE, "queued work cannot be waited for in a child of fork: its thread is the "
                                           "parent's alone");
    ++q->runtime->counts.locks;
    (void)pthread_mutex_lock(&q->lock);
    __atomic_store_n(&q->awaited, number, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&q->done, __ATOMIC_SEQ_CST) < number)
        (void)pthread_cond_wait(&q->done_so_far, &q->lock);
    __atomic_store_n(&q->awaited, 0, __ATOMIC_SEQ_CST);
    (void)pthread_mutex_unlock(&q->lock);
    return TARE_OK;
}

tare_status tare__queue_await(tare_queue *q, uint64_t number)
{
    int looks = 0;
    if (__atomic_load_n(&q->given, __ATOMIC_RELAXED) < number)
        hand_over(q);
    while (!tare__queue_done(q, number)) {
        if (++looks < q->looks)
            tare__threads_pause();
        else
            return sleep_until_done(q, number);
    }
    return TARE_OK;
}

bool tare__queue_done(const tare_queue *q, uint64_t number)
{
    return __atomic_load_n(&q->done, __ATOMIC_ACQUIRE) >= number;
}

tare_status tare__queue_reach(tare_queue *q, uint64_t number)
{
    if (number <= q->reached)
        return TARE_OK;
    if (number > q->pushed)
        tare__queue_give(q);
    ++q->runtime->counts.waits;
    tare_status status = tare__queue_await(q, number);
    if (status == TARE_OK)
        q->reached = number;
    return status;
}

/* ---- putting -------------------------------------------------------------------------------------------------*/

/* Waits until `bytes` more have room: for a quarter of the ring at once, so that the two do not meet at every job. */
static __attribute__((noinline)) tare_status make_room(tare_queue *q, uint64_t bytes)
{
    uint64_t done = __atomic_load_n(&q->done, __ATOMIC_ACQUIRE);
    if (q->put + bytes > done + q->bytes) {
        done = q->put + q->bytes / 4 - q->bytes;
        tare_status status = tare__queue_await(q, done);
        if (status != TARE_OK)
            return status;
    }
    q->room_until = done + q->bytes;
    return TARE_OK;
}

tare_job *tare__queue_room(tare_queue *q, size_t bytes, tare_job_run *run)
{
    size_t wanted = (bytes + UNIT - 1) / UNIT * UNIT, rest = q->bytes - (q->put & (q->bytes - 1));
    size_t filler = rest < wanted ? rest : 0;
    if (__builtin_expect(q->put + filler + wanted > q->room_until, 0) && make_room(q, filler + wanted) != TARE_OK)
        return NULL;
    if (filler) {
        *job_at(q, q->put) = (tare_job){.bytes = filler};
        q->put += filler;
    }
    tare_job *j = job_at(q, q->put);
    *j = (tare_job){run, wanted};
    return j;
}

tare_call_job *tare__queue_room_call(tare_queue *q, const tare_call *call, tare_job_run *run)
{
    tare_call_job *j = (tare_call_job *)(void *)tare__queue_room(q, tare__queue_call_bytes(call), run);
    if (!j)
        return NULL;
    j->call = *call;
    j->call.ptr = memcpy(j->ptr, call->ptr, (size_t)call->n_ptr * sizeof(void *));
    j->call.g = memcpy(j->ptr + call->n_ptr, call->g, (size_t)call->n_g * sizeof(int64_t));
    return j;
}

void tare__queue_put(tare_queue *q, const tare_job *j)
{
    q->put += j->bytes;
    ++q->held;
}

void tare__queue_give(tare_queue *q)
{
    q->held = 0;
    if (q->pushed == q->put)
        return;
    q->pushed = q->put;
    ++q->runtime->counts.pushes;
    hand_over(q);
}

void tare__queue_offer(tare_queue *q)
{
    if (q->bulk && q->held >= q->bulk)
        tare__queue_give(q);
}

const uint64_t *tare__queue_last(const tare_queue *q)
{
    return &q->put;
}

/* ---- beginning and end ---------------------------------------------------------------------------------------*/

tare_status tare__queue_new(tare_runtime *rt, size_t bytes, int bulk, void *owner, tare_queue **out)
{
    tare_queue *q = tare_memory_take_zeroed(&rt->memory, TARE_MEMORY_RECORD, 1, sizeof *q);
    if (!q)
        return TARE_NO_MEMORY;
    q->runtime = rt;
    q->bytes = bytes;
    q->bulk = bulk;
    q->owner = owner;
    q->room_until = bytes;
    q->process = getpid();
    q->looks = tare__threads_looks(rt->options.threads + 1); /* the host besides those who take pieces */
    (void)pthread_mutex_init(&q->lock, NULL);
    (void)pthread_cond_init(&q->wake, NULL);
    (void)pthread_cond_init(&q->done_so_far, NULL);
    tare_status status = TARE_NO_MEMORY;
    q->ring = tare_memory_take(&rt->memory, TARE_MEMORY_RECORD, bytes);
    if (q->ring)
        status = tare__threads_start(work, q, &q->worker);
    q->started = status == TARE_OK;
    if (status == TARE_OK)
        *out = q;
    else
        tare__queue_free(q);
    return status;
}

static void end_worker(tare_queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    __atomic_store_n(&q->given, q->put, __ATOMIC_SEQ_CST);
    q->closing = true;
    (void)pthread_cond_signal(&q->wake);
    (void)pthread_mutex_unlock(&q->lock);
    (void)pthread_join(q->worker, NULL);
}

void tare__queue_free(tare_queue *q)
{
    if (!q)
        return;
    if (getpid() == q->process) {
        if (q->started)
            end_worker(q);
        (void)pthread_cond_destroy(&q->wake);
        (void)pthread_cond_destroy(&q->done_so_far);
        (void)pthread_mutex_destroy(&q->lock);
    }
    tare_memory *memory = &q->runtime->memory;
    tare_memory_give(memory, TARE_MEMORY_RECORD, q->ring, q->bytes);
    tare_memory_give(memory, TARE_MEMORY_RECORD, q, sizeof *q);
}
