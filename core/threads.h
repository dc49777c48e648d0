/* threads.h - a runtime's workers: they take the pieces of one call at a time, together with the thread that calls.
 *
 * The pool knows nothing of kernels: a call is cut by its shape (op.h), and whoever comes first takes the next piece.
 * Invariant: every piece runs exactly once, all of them before `combine`, and that once on the calling thread; so no
 * bit depends on the number of threads. docs/THREADS.md has the why and the costs.
 *
 * Handing a call over costs the caller two atomic stores and a load while workers are awake. A worker without work
 * waits in a loop for a bounded time and then sleeps; only waking one takes a lock (counted in the runtime's counts).
 */
#ifndef TARE_CORE_THREADS_H
#define TARE_CORE_THREADS_H

#include "runtime.h"

enum { TARE_THREADS_MOST = 64 };

typedef struct tare_threads tare_threads;

/* Starts n - 1 workers (1 <= n <= TARE_THREADS_MOST; none for 1). They run with the runtime's floating-point
 * environment and with all signals blocked. locks: where the calling thread counts those that it takes. NO_MEMORY: no
 * memory, or the system gives no more threads. */
tare_status tare__threads_new(tare_runtime *, int n, int64_t *locks, tare_threads **out);

/* Ends the workers and waits for them. NULL is fine. */
void tare__threads_free(tare_threads *);

/* Runs a call of several pieces, on the calling thread alone where the pool is NULL; 0, or the data errors of all
 * pieces and of combine in one word. `worker` is below tare_work_workers(). For one thread at a time. A kernel cannot
 * hand a call over: from inside a call (of this pool) the pieces run on the thread that asks. */
int tare__threads_run(tare_threads *, const tare_call *);

/* For others who make threads and wait for them as the pool does. */
/* Starts one with all signals blocked, which are the business of the program's own threads. NO_MEMORY: the system gives
 * no more. */
tare_status tare__threads_start(void *(*run)(void *), void *argument, pthread_t *out);
/* How often to look at a word before a sleep where n threads are at work: about 200 us; once where there are more of
 * them than processors. */
int tare__threads_looks(int n);
/* Between two looks. */
static inline void tare__threads_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

#endif
