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
 * environment and with all signals blocked. NO_MEMORY: no memory, or the system gives no more threads. */
tare_status tare__threads_new(tare_runtime *, int n, tare_threads **out);

/* Ends the workers and waits for them. NULL is fine. */
void tare__threads_free(tare_threads *);

/* Runs a call of several pieces; 0, or the data errors of all pieces and of combine in one word. `worker` is below
 * tare_work_workers(). For one thread at a time. A kernel cannot hand a call over: from inside a call (of this pool)
 * the pieces run on the thread that asks. */
int tare__threads_run(tare_threads *, const tare_call *);

/* All pieces in order, then combine, on the calling thread as worker 0. */
int tare__threads_run_alone(const tare_call *);

#endif
