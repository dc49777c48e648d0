/* loader.c - jobs in a ring, made in their order (see loader.h). */
#include "loader.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../base/command.h"

typedef struct {
    int64_t *rows; /* [batch] */
    char *batch[2];
    bool done;
} job;

struct tare__loader {
    tare__rows set;
    int64_t batch;
    int n_workers, n_jobs; /* entries of the ring */
    pthread_t *worker;
    job *job;
    pthread_mutex_t lock;
    pthread_cond_t come, made;       /* a job has come; one is made */
    int64_t n_put, n_begun, n_taken; /* jobs so far: job k is entry k mod n_jobs */
    int64_t n_locks;
    bool ends;
};

/* ---- a batch of samples -----------------------------------------------------------------------------------------*/

typedef struct {
    char *part[2];
} sample;

/* One row, in memory of its own. */
static void fetch(const tare__rows *set, int64_t row, sample *out)
{
    for (int k = 0; k < 2; ++k) {
        const size_t bytes = set->row_bytes[k];
        out->part[k] = set->at[k] ? tare__take(1, bytes + 1) : NULL;
        if (out->part[k])
            memcpy(out->part[k], set->at[k] + (size_t)row * bytes, bytes);
    }
}

static void collate(const tare__rows *set, sample *from, int64_t n, char *out[2])
{
    for (int k = 0; k < 2; ++k) {
        out[k] = set->at[k] ? tare__take((size_t)n, set->row_bytes[k]) : NULL;
        for (int64_t i = 0; out[k] && i < n; ++i) {
            memcpy(out[k] + (size_t)i * set->row_bytes[k], from[i].part[k], set->row_bytes[k]);
            free(from[i].part[k]);
        }
    }
}

static void make(const tare__loader *l, job *j)
{
    sample *samples = tare__take((size_t)l->batch, sizeof *samples);
    for (int64_t i = 0; i < l->batch; ++i)
        fetch(&l->set, j->rows[i], &samples[i]);
    collate(&l->set, samples, l->batch, j->batch);
    free(samples);
}

/* ---- workers ----------------------------------------------------------------------------------------------------*/

static void *work(void *owner)
{
    tare__loader *l = owner;
    (void)pthread_mutex_lock(&l->lock);
    for (;;) {
        while (!l->ends && l->n_begun == l->n_put)
            (void)pthread_cond_wait(&l->come, &l->lock);
        if (l->ends)
            break;
        job *j = &l->job[l->n_begun++ % l->n_jobs];
        (void)pthread_mutex_unlock(&l->lock);
        make(l, j);
        (void)pthread_mutex_lock(&l->lock);
        j->done = true;
        (void)pthread_cond_broadcast(&l->made);
    }
    (void)pthread_mutex_unlock(&l->lock);
    return NULL;
}

static void enter(tare__loader *l)
{
    (void)pthread_mutex_lock(&l->lock);
    ++l->n_locks;
}

tare_status tare__loader_open(const tare__rows *set, int64_t batch, int n_workers, int ahead, tare__loader **out)
{
    tare__loader *l = tare__take(1, sizeof *l);
    *l = (tare__loader){.set = *set, .batch = batch, .n_jobs = n_workers ? ahead : 1};
    l->job = tare__take((size_t)l->n_jobs, sizeof *l->job);
    for (int k = 0; k < l->n_jobs; ++k)
        l->job[k].rows = tare__take((size_t)batch, sizeof(int64_t));
    l->worker = tare__take((size_t)n_workers + 1, sizeof *l->worker);
    (void)pthread_mutex_init(&l->lock, NULL);
    (void)pthread_cond_init(&l->come, NULL);
    (void)pthread_cond_init(&l->made, NULL);
    while (l->n_workers < n_workers) {
        if (pthread_create(&l->worker[l->n_workers], NULL, work, l) != 0) {
            tare__loader_close(l);
            return tare_error(TARE_IMPOSSIBLE, "the system has no thread for the loader's worker %d", l->n_workers);
        }
        ++l->n_workers;
    }
    *out = l;
    return TARE_OK;
}

void tare__loader_close(tare__loader *l)
{
    if (!l)
        return;
    (void)pthread_mutex_lock(&l->lock);
    l->ends = true;
    (void)pthread_cond_broadcast(&l->come);
    (void)pthread_mutex_unlock(&l->lock);
    for (int w = 0; w < l->n_workers; ++w)
        (void)pthread_join(l->worker[w], NULL);
    for (int64_t k = l->n_taken; k < l->n_put; ++k)
        for (int part = 0; part < 2; ++part)
            free(l->job[k % l->n_jobs].batch[part]);
    for (int k = 0; k < l->n_jobs; ++k)
        free(l->job[k].rows);
    (void)pthread_mutex_destroy(&l->lock);
    (void)pthread_cond_destroy(&l->come);
    (void)pthread_cond_destroy(&l->made);
    free(l->job);
    free(l->worker);
    free(l);
}

/* ---- jobs -------------------------------------------------------------------------------------------------------*/

bool tare__loader_wants(const tare__loader *l)
{
    return l->n_put - l->n_taken < l->n_jobs; /* both are the asking thread's */
}

void tare__loader_put(tare__loader *l, const int64_t *rows)
{
    job *j = &l->job[l->n_put % l->n_jobs];
    memcpy(j->rows, rows, (size_t)l->batch * sizeof *rows);
    j->done = false;
    j->batch[0] = j->batch[1] = NULL;
    if (!l->n_workers) {
        ++l->n_put;
        return;
    }
    enter(l);
    ++l->n_put;
    (void)pthread_cond_signal(&l->come);
    (void)pthread_mutex_unlock(&l->lock);
}

void tare__loader_take(tare__loader *l, char *out[2])
{
    job *j = &l->job[l->n_taken % l->n_jobs];
    if (!l->n_workers) {
        make(l, j);
    } else {
        enter(l);
        while (!j->done)
            (void)pthread_cond_wait(&l->made, &l->lock);
        (void)pthread_mutex_unlock(&l->lock);
    }
    ++l->n_taken;
    out[0] = j->batch[0];
    out[1] = j->batch[1];
}

int64_t tare__loader_locks(const tare__loader *l)
{
    return l->n_locks;
}
