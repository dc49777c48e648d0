/* threads.c - the pool (see threads.h): a word a thread counts the pieces of its share that nobody has taken, one word
 * counts those not yet finished.
 *
 * Pieces are parted among the threads in runs, so that a thread has the same part of an array in every call that is cut
 * alike and finds it in its own cache; who is done with its share takes from the others'.
 *
 * A thread that lowers `left` of a share from a positive number owns a piece, and a call cannot end before its pieces
 * are finished: so whoever owns a piece may read `call`, and nobody else does. A worker that comes too late lowers a
 * count that is not positive any more, or takes a piece of the next call; both are right. There is no generation to
 * compare and nothing to reset in the workers.
 *
 * Sleep: a worker says that it sleeps before it looks at all `left` for the last time, and the caller raises them
 * before it looks for sleepers (both sequentially consistent): one of the two sees the other. The caller's own sleep,
 * for a worker that was put aside in the middle of a piece, is the same with `open` and `caller_sleeps`. */
#if defined(__linux__)
#define _GNU_SOURCE /* the processors that this thread may use */
#include <sched.h>
#endif
#include "threads.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Looks at a word before a sleep: about 200 us at 25 ns a pause, several times what a wake-up costs (40 us on a virtual
 * machine) and a small part of a scheduler's slice. With more threads than processors, waiting would keep those from
 * running who have the work. */
enum { LOOKS = 8000, LOOKS_CROWDED = 1 };

/* A thread's share, in a cache line of its own. */
typedef struct {
    _Alignas(TARE_ALIGNMENT) int left; /* pieces not taken; <= 0: none */
} share;

typedef struct {
    tare_threads *pool;
    pthread_t thread;
    int number; /* 1.. ; the caller is 0 */
} worker;

struct tare_threads {
    const tare_call *call; /* read by owners of a piece alone */
    bool busy;             /* a call is being run */
    int n_threads, n_started, looks;
    tare_runtime *runtime;
    int64_t *locks; /* taken by the thread that calls */
    size_t bytes;
    pid_t process;                     /* that the workers belong to */
    share share[TARE_THREADS_MOST];    /* the first n_threads */
    _Alignas(TARE_ALIGNMENT) int open; /* pieces not finished */
    int error;
    bool caller_sleeps;
    _Alignas(TARE_ALIGNMENT) int n_asleep; /* workers that nobody has called yet; written under the lock */
    int n_called;                          /* wake-ups under way; this and the rest under the lock */
    bool ending;
    pthread_mutex_t lock;
    pthread_cond_t wake, finished;
    worker worker[];
};

/* ---- pieces --------------------------------------------------------------------------------------------------*/

/* The first piece of a thread's share; with n_threads for number, how many pieces there are. The caller, who starts
 * first, has the larger one. */
static inline int share_begins(const tare_threads *t, int n_pieces, int number)
{
    return (int)(((int64_t)n_pieces * number + t->n_threads - 1) / t->n_threads);
}

static bool any_left(const tare_threads *t, int order)
{
    for (int k = 0; k < t->n_threads; ++k)
        if (__atomic_load_n(&t->share[k].left, order) > 0)
            return true;
    return false;
}

/* The next piece of a share, or -1: none is left. */
static inline int take_piece(tare_threads *t, int of)
{
    if (__atomic_load_n(&t->share[of].left, __ATOMIC_RELAXED) <= 0)
        return -1;
    int left = __atomic_fetch_sub(&t->share[of].left, 1, __ATOMIC_ACQ_REL);
    return left > 0 ? share_begins(t, t->call->n_pieces, of + 1) - left : -1;
}

/* Takes pieces as long as there are any, its own first. All are of one call: it stays open until they are reported
 * here. */
static void take_pieces(tare_threads *t, int number)
{
    int taken = 0, error = 0, slot = number, of = number;
    for (int done = 0; done < t->n_threads;) {
        int piece = take_piece(t, of);
        if (piece < 0) {
            of = of + 1 < t->n_threads ? of + 1 : 0;
            ++done;
            continue;
        }
        const tare_call *c = t->call;
        /* With fewer pieces than threads, scratch is there for as many workers as pieces: the first piece is unique. */
        if (taken++ == 0 && c->n_pieces < t->n_threads)
            slot = piece;
        error |= c->run(c, piece, slot);
    }
    if (error)
        (void)__atomic_fetch_or(&t->error, error, __ATOMIC_RELAXED);
    if (taken && __atomic_sub_fetch(&t->open, taken, __ATOMIC_SEQ_CST) == 0 && number > 0 &&
        __atomic_load_n(&t->caller_sleeps, __ATOMIC_SEQ_CST)) {
        (void)pthread_mutex_lock(&t->lock);
        (void)pthread_cond_signal(&t->finished);
        (void)pthread_mutex_unlock(&t->lock);
    }
}

/* ---- the worker ----------------------------------------------------------------------------------------------*/

/* Until somebody calls; false: the pool ends. */
static bool sleep_until_called(tare_threads *t)
{
    (void)pthread_mutex_lock(&t->lock);
    __atomic_store_n(&t->n_asleep, t->n_asleep + 1, __ATOMIC_SEQ_CST);
    bool work = any_left(t, __ATOMIC_SEQ_CST);
    while (!work && !t->n_called && !t->ending)
        (void)pthread_cond_wait(&t->wake, &t->lock);
    if (t->n_called)
        --t->n_called; /* who called has counted us out */
    else
        __atomic_store_n(&t->n_asleep, t->n_asleep - 1, __ATOMIC_SEQ_CST);
    bool goes_on = !t->ending;
    (void)pthread_mutex_unlock(&t->lock);
    return goes_on;
}

static void *work(void *argument)
{
    const worker *w = argument;
    tare_threads *t = w->pool;
    uint64_t before = tare_float_enter();
    int looks = 0;
    for (;;) {
        if (any_left(t, __ATOMIC_RELAXED)) {
            take_pieces(t, w->number);
            looks = 0;
        } else if (++looks < t->looks) {
            tare__threads_pause();
        } else if (sleep_until_called(t)) {
            looks = 0;
        } else {
            break;
        }
    }
    tare_float_leave(before);
    return NULL;
}

/* ---- the caller ----------------------------------------------------------------------------------------------*/

/* Calls as many sleepers as there is work for beyond the caller's own piece. */
static __attribute__((noinline)) void call_sleepers(tare_threads *t, int most)
{
    ++*t->locks;
    (void)pthread_mutex_lock(&t->lock);
    int n = t->n_asleep < most ? t->n_asleep : most;
    __atomic_store_n(&t->n_asleep, t->n_asleep - n, __ATOMIC_SEQ_CST);
    t->n_called += n;
    (void)pthread_mutex_unlock(&t->lock);
    while (n-- > 0)
        (void)pthread_cond_signal(&t->wake);
}

static __attribute__((noinline)) void sleep_until_finished(tare_threads *t)
{
    ++*t->locks;
    (void)pthread_mutex_lock(&t->lock);
    __atomic_store_n(&t->caller_sleeps, true, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&t->open, __ATOMIC_SEQ_CST) > 0)
        (void)pthread_cond_wait(&t->finished, &t->lock);
    __atomic_store_n(&t->caller_sleeps, false, __ATOMIC_SEQ_CST);
    (void)pthread_mutex_unlock(&t->lock);
}

/* All pieces in order, then combine, as worker 0. */
static int run_alone(const tare_call *c)
{
    int error = 0;
    for (int piece = 0; piece < c->n_pieces; ++piece)
        error |= c->run(c, piece, 0);
    return c->combine ? error | c->combine(c, 0, 0) : error;
}

int tare__threads_run(tare_threads *t, const tare_call *c)
{
    if (!t || t->busy)
        return run_alone(c);
    t->busy = true;
    t->call = c;
    t->error = 0;
    __atomic_store_n(&t->open, c->n_pieces, __ATOMIC_RELAXED);
    for (int k = 0; k < t->n_threads; ++k)
        __atomic_store_n(&t->share[k].left, share_begins(t, c->n_pieces, k + 1) - share_begins(t, c->n_pieces, k),
                         __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&t->n_asleep, __ATOMIC_SEQ_CST) > 0)
        call_sleepers(t, c->n_pieces - 1);
    take_pieces(t, 0);
    int looks = 0;
    while (__atomic_load_n(&t->open, __ATOMIC_ACQUIRE) > 0) {
        if (++looks < t->looks)
            tare__threads_pause();
        else
            sleep_until_finished(t);
    }
    int error = __atomic_load_n(&t->error, __ATOMIC_RELAXED);
    t->busy = false;
    return c->combine ? error | c->combine(c, 0, 0) : error;
}

/* ---- beginning and end ---------------------------------------------------------------------------------------*/

static int processors(void)
{
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
#endif
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

int tare__threads_looks(int n)
{
    return n <= processors() ? LOOKS : LOOKS_CROWDED;
}

tare_status tare__threads_start(void *(*run)(void *), void *argument, pthread_t *out)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(out, NULL, run, argument);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed ? tare_error(TARE_NO_MEMORY, "a thread could not be started: %s", strerror(failed)) : TARE_OK;
}

static tare_status start_workers(tare_threads *t)
{
    tare_status status = TARE_OK;
    for (int k = 0; k < t->n_threads - 1 && status == TARE_OK; ++k) {
        worker *w = &t->worker[k];
        *w = (worker){.pool = t, .number = k + 1};
        status = tare__threads_start(work, w, &w->thread);
        t->n_started += status == TARE_OK;
    }
    return status;
}

tare_status tare__threads_new(tare_runtime *rt, int n, int64_t *locks, tare_threads **out)
{
    size_t bytes = sizeof(tare_threads) + (size_t)n * sizeof(worker);
    tare_threads *t = tare_memory_take_zeroed(&rt->memory, TARE_MEMORY_RECORD, 1, bytes);
    if (!t)
        return TARE_NO_MEMORY;
    t->runtime = rt;
    t->locks = locks;
    t->bytes = bytes;
    t->process = getpid();
    t->n_threads = n;
    t->looks = tare__threads_looks(n);
    (void)pthread_mutex_init(&t->lock, NULL);
    (void)pthread_cond_init(&t->wake, NULL);
    (void)pthread_cond_init(&t->finished, NULL);
    tare_status status = start_workers(t);
    if (status != TARE_OK) {
        tare__threads_free(t);
        return status;
    }
    *out = t;
    return TARE_OK;
}

static void end_workers(tare_threads *t)
{
    (void)pthread_mutex_lock(&t->lock);
    t->ending = true;
    (void)pthread_cond_broadcast(&t->wake);
    (void)pthread_mutex_unlock(&t->lock);
    for (int k = 0; k < t->n_started; ++k)
        (void)pthread_join(t->worker[k].thread, NULL);
    (void)pthread_cond_destroy(&t->finished);
    (void)pthread_cond_destroy(&t->wake);
    (void)pthread_mutex_destroy(&t->lock);
}

void tare__threads_free(tare_threads *t)
{
    if (!t)
        return;
    if (getpid() == t->process) /* a child of fork has none of them */
        end_workers(t);
    tare_memory_give(&t->runtime->memory, TARE_MEMORY_RECORD, t, t->bytes);
}
