/* loader.h - a per-sample loader: batches made of samples that are fetched one by one, by workers or by who asks.
 *
 * A job is a list of rows; batches come out in the order of the jobs. A worker makes a whole batch: for each row it
 * fetches the sample into memory of its own, then puts the samples together in new memory, as collating does.
 * Threads: one asks, the workers are the loader's. */
#ifndef TARE_BENCH_LOADER_H
#define TARE_BENCH_LOADER_H

#include "arm.h"

/* Rows of a set in memory: x and target, the latter NULL where there is none. */
typedef struct {
    const char *at[2];
    size_t row_bytes[2];
} tare__rows;

typedef struct tare__loader tare__loader;

/* n_workers 0: batches are made when they are asked for. ahead: jobs that wait or are done. IMPOSSIBLE: no threads. */
tare_status tare__loader_open(const tare__rows *, int64_t batch, int n_workers, int ahead, tare__loader **);
/* NULL is fine. */
void tare__loader_close(tare__loader *);
/* Whether there is room for a job, and one more: rows[batch], copied. */
bool tare__loader_wants(const tare__loader *);
void tare__loader_put(tare__loader *, const int64_t *rows);
/* The oldest job's batch, the caller's to free(); waits for it. */
void tare__loader_take(tare__loader *, char *out[2]);
/* Locks that the asking thread has taken so far. */
int64_t tare__loader_locks(const tare__loader *);

#endif
