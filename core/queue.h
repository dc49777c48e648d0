/* queue.h - jobs in order to one worker thread: what a device that returns at once is made of.
 *
 * Jobs lie one behind the other in a ring of bytes of fixed size: nothing is allocated to queue one. What has been put
 * is the worker's from the moment that it is given, so that several are handed over with one store. Where the ring has
 * no room the caller waits for the worker. A job is known by the position at which it ends, a number that only grows;
 * whoever waits for a number waits for that job and those before it, and for none behind it.
 *
 * The worker waits in a loop for a bounded time and then sleeps, and so does who waits for it (as core/threads.c does).
 * All functions are for the runtime's thread. What a job reads must be in the job, or stay as it is until then. */
#ifndef TARE_CORE_QUEUE_H
#define TARE_CORE_QUEUE_H

#include "runtime.h"

typedef struct tare_queue tare_queue;
typedef struct tare_job tare_job;
typedef void tare_job_run(void *owner, tare_job *);

/* The head of a job; what it needs follows. */
struct tare_job {
    tare_job_run *run; /* on the worker's thread */
    size_t bytes;      /* with the head */
};

/* A call as a job: copied with what it points to. */
typedef struct {
    tare_job job;
    tare_call call;
    void *ptr[1]; /* call.n_ptr addresses, then call.n_g words */
} tare_call_job;

/* A ring of `bytes` (a power of two; a job may have a quarter of it) and its worker, which runs with the runtime's
 * floating-point environment and with all signals blocked. bulk: see offer. NO_MEMORY: no memory, or no thread. */
tare_status tare__queue_new(tare_runtime *, size_t bytes, int bulk, void *owner, tare_queue **out);
/* Gives what has been put, ends the worker when all is done, and waits for it. NULL is fine. In a child of fork, where
 * there is no worker, what was queued does not happen. */
void tare__queue_free(tare_queue *);

/* Room for a job of so many bytes at the end of the queue, its head set. Until it is put it may be written, and another
 * request takes its place. NULL with the text set: in a child of fork. */
tare_job *tare__queue_room(tare_queue *, size_t bytes, tare_job_run *);
tare_call_job *tare__queue_room_call(tare_queue *, const tare_call *, tare_job_run *);
static inline size_t tare__queue_call_bytes(const tare_call *call)
{
    return offsetof(tare_call_job, ptr) + (size_t)call->n_ptr * sizeof(void *) + (size_t)call->n_g * sizeof(int64_t);
}
/* Puts the job at the end of the queue. */
void tare__queue_put(tare_queue *, const tare_job *);
/* Gives the worker all that has been put: a push in the runtime's counts. */
void tare__queue_give(tare_queue *);
/* Gives it once `bulk` jobs wait to be given (0: never). */
void tare__queue_offer(tare_queue *);
/* The number of the last job put; the address stays. */
const uint64_t *tare__queue_last(const tare_queue *);
/* Whether that job and all before it are known to be done, without waiting. */
bool tare__queue_done(const tare_queue *, uint64_t number);
/* Returns when they are; for the device's own room, counted nowhere. IMPOSSIBLE: in a child of fork. */
tare_status tare__queue_await(tare_queue *, uint64_t number);
/* The same for the host; gives them first. Each time that a number is asked for which none before reached is a wait in
 * the runtime's counts, whether or not there was something left to wait for. IMPOSSIBLE: in a child of fork. */
tare_status tare__queue_reach(tare_queue *, uint64_t number);

#endif
