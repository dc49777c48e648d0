/* input.c - the set, the order in which its batches come, and how each reaches the arm (see input.h). */
#include "input.h"

#include <stdlib.h>
#include <string.h>

#include "../base/command.h"

enum { FEWEST = 2, MOST = 16 };
#define SET_BYTES 67108864 /* of a set, where that is more than the fewest batches */

struct tare__input {
    tare_batches own, *order; /* order: own, or the shared one */
    tare_memory memory;
    int64_t n_batches;
    tare__rows set;
    char *host[2];        /* the set's memory, where it is the arm's own */
    tare_value *whole[2]; /* slices of a device's memory: the set there */
    const char *base[2];  /* where slices begin */
    tare_desc d[2];       /* of a batch's x and target */
    int64_t *rows;        /* [batch] */
    tare__loader *loader; /* input=loader */
    bool slices;
};

static void no_release(tare_storage *s)
{
    (void)s;
}

static void release_block(tare_storage *s)
{
    free(s->owner);
}

void tare__shared_order_fini(tare__shared_order *s)
{
    if (s->open)
        tare_batches_fini(&s->batches);
    s->open = false;
}

void tare__shared_order_return(tare__shared_order *s, const tare__shared_order *before)
{
    if (!before->open)
        tare__shared_order_fini(s);
    else
        (void)tare_batches_seek(&s->batches, before->batches.epoch, before->batches.position);
}

/* ---- the set ----------------------------------------------------------------------------------------------------*/

/* Of the task's own set as many batches as are full; of the resident batch so many times over as fit. */
static int64_t count_batches(const tare__arm *a)
{
    if (a->task.set)
        return a->task.set->n_rows / a->batch;
    size_t bytes = tare_desc_bytes(&a->x->d) + (a->target ? tare_desc_bytes(&a->target->d) : 0);
    int64_t fit = bytes ? SET_BYTES / (int64_t)bytes : MOST;
    return fit < FEWEST ? FEWEST : fit > MOST ? MOST : fit;
}

static tare_status fill_set(tare__arm *a, tare__input *in)
{
    tare_value *const batch[2] = {a->x, a->target};
    tare_status status = TARE_OK;
    in->n_batches = count_batches(a);
    in->set = a->task.set ? a->task.set->rows : (tare__rows){0};
    for (int k = 0; k < 2 && batch[k] && status == TARE_OK; ++k) {
        size_t each = tare_desc_bytes(&batch[k]->d);
        in->d[k] = batch[k]->d;
        if (a->task.set)
            continue;
        in->host[k] = tare__take((size_t)in->n_batches, each + 1);
        status = tare_value_read(batch[k], in->host[k], each);
        for (int64_t b = 1; b < in->n_batches; ++b)
            memcpy(in->host[k] + (size_t)b * each, in->host[k], each);
        in->set.at[k] = in->host[k];
        in->set.row_bytes[k] = each / (size_t)a->batch;
    }
    return status;
}

/* The set in the device's memory, for views of it; a task's own, where the host's will do, is there already. */
static tare_status place_set(tare__arm *a, tare__input *in)
{
    tare_status status = TARE_OK;
    for (int k = 0; k < 2 && in->set.at[k] && status == TARE_OK; ++k) {
        in->base[k] = in->set.at[k];
        if (a->task.set && a->rt->device->host_visible)
            continue;
        tare_desc d = in->d[k];
        int64_t dim[TARE_RANK];
        memcpy(dim, d.dim, sizeof dim);
        dim[0] *= in->n_batches;
        d = tare_desc_of((tare_dtype)d.dtype, d.rank, dim);
        status = tare_value_new(a->rt, &d, TARE_MEMORY_INPUT, &in->whole[k]);
        if (status == TARE_OK)
            status = tare_value_write(in->whole[k], in->set.at[k], tare_desc_bytes(&d));
        if (status == TARE_OK)
            in->base[k] = in->whole[k]->address;
    }
    return status;
}

/* ---- the order --------------------------------------------------------------------------------------------------*/

static bool shuffled(const tare__arm *a)
{
    const int *level = a->setting.level;
    if (a->task.set)
        return a->task.set->shuffle;
    return level[TARE__SEQUENCE] == TARE__SEQUENCE_SHUFFLED ||
           (level[TARE__SEQUENCE] == TARE__SEQUENCE_USUAL && level[TARE__LOOP] == TARE__LOOP_FIT);
}

static tare_status open_order(tare__arm *a, tare__input *in)
{
    const tare__set *set = a->task.set;
    const int64_t each = in->slices ? 1 : a->batch, n_rows = in->slices ? in->n_batches
                                                             : set      ? set->n_rows
                                                                        : in->n_batches * a->batch;
    const uint64_t seed = set ? set->seed : a->task.seed;
    tare__shared_order *shared = a->task.shared;
    in->order = &in->own;
    if (a->setting.level[TARE__ITERATOR] == TARE__ITERATOR_FRESH)
        return tare_batches_init(&in->own, &in->memory, n_rows, each, TARE_LAST_DROP, shuffled(a), seed);
    if (!shared)
        return tare_error(TARE_IMPOSSIBLE, "%s: iterator=shared needs several arms in one process (bench, agree)",
                          a->name);
    in->order = &shared->batches;
    if (shared->open)
        return shared->batches.n_rows == n_rows && shared->batches.batch_rows == each
                   ? TARE_OK
                   : tare_error(TARE_IMPOSSIBLE, "%s: arms of different inputs cannot share an iterator", a->name);
    tare_status status =
        tare_batches_init(&shared->batches, &shared->memory, n_rows, each, TARE_LAST_DROP, shuffled(a), seed);
    shared->open = status == TARE_OK;
    return status;
}

/* The rows of the next batch; of slices the first is the batch's number. */
static void next_rows(tare__input *in)
{
    tare_batch b;
    do
        tare_batches_next(in->order, &b);
    while (b.count == 0); /* an epoch's end */
    for (int64_t i = 0; i < b.count; ++i)
        in->rows[i] = b.rows ? b.rows[i] : b.first + i;
}

/* ---- a batch ----------------------------------------------------------------------------------------------------*/

/* x (part 0) or target of the next steps. */
static tare_status hand_over(tare__arm *a, int part, tare_value *v)
{
    tare_value **to = part ? &a->target : &a->x;
    v->wants_gradient = (*to)->wants_gradient;
    tare_value_drop(*to);
    *to = v;
    return a->instance ? tare_instance_bind(a->instance, part, v) : TARE_OK;
}

static tare_status give_slice(tare__arm *a, const tare__input *in, int64_t number)
{
    tare_status status = TARE_OK;
    for (int k = 0; k < 2 && in->base[k] && status == TARE_OK; ++k) {
        char *at = (char *)in->base[k] + (size_t)number * tare_desc_bytes(&in->d[k]);
        tare_value *v;
        status = tare_value_foreign(a->rt, &in->d[k], at, no_release, NULL, &v);
        if (status == TARE_OK)
            status = hand_over(a, k, v);
    }
    return status;
}

/* Takes the blocks over. */
static tare_status give_batch(tare__arm *a, const tare__input *in, char *batch[2])
{
    tare_value *const now[2] = {a->x, a->target};
    tare_status status = TARE_OK;
    for (int k = 0; k < 2; ++k) {
        tare_value *v = NULL;
        if (batch[k] && status == TARE_OK && a->rt->device->host_visible)
            status = tare_value_foreign(a->rt, &in->d[k], batch[k], release_block, batch[k], &v);
        else if (batch[k] && status == TARE_OK)
            status = tare_value_write(now[k], batch[k], tare_desc_bytes(&in->d[k]));
        if (v)
            status = hand_over(a, k, v);
        else
            free(batch[k]);
    }
    return status;
}

static void gather(const tare__input *in, int64_t n, char *out[2])
{
    for (int k = 0; k < 2; ++k) {
        const size_t bytes = in->set.row_bytes[k];
        out[k] = in->set.at[k] ? tare__take((size_t)n, bytes + 1) : NULL;
        for (int64_t i = 0; out[k] && i < n; ++i)
            memcpy(out[k] + (size_t)i * bytes, in->set.at[k] + (size_t)in->rows[i] * bytes, bytes);
    }
}

static void load(tare__arm *a, tare__input *in, char *out[2])
{
    int64_t locks = tare__loader_locks(in->loader);
    while (tare__loader_wants(in->loader)) {
        next_rows(in);
        tare__loader_put(in->loader, in->rows);
    }
    tare__loader_take(in->loader, out);
    if (a->setting.level[TARE__WORKERS]) { /* for the workers, while the step runs */
        next_rows(in);
        tare__loader_put(in->loader, in->rows);
    }
    a->rt->counts.locks += tare__loader_locks(in->loader) - locks;
}

int64_t tare__input_steps(const tare__arm *a)
{
    return a->input ? a->input->n_batches : 1; /* one batch that stays */
}

tare_status tare__input_next(tare__arm *a)
{
    tare__input *in = a->input;
    char *batch[2];
    if (in->loader) {
        load(a, in, batch);
        return give_batch(a, in, batch);
    }
    next_rows(in);
    if (in->slices)
        return give_slice(a, in, in->rows[0]);
    gather(in, a->batch, batch);
    return give_batch(a, in, batch);
}

/* ---- opening and closing ----------------------------------------------------------------------------------------*/

bool tare__input_wanted(const tare__setting *s)
{
    return s->level[TARE__INPUT] != TARE__INPUT_RESIDENT || s->level[TARE__LOOP] == TARE__LOOP_FIT;
}

tare_status tare__input_seek(tare__arm *a, int64_t epoch, int64_t position)
{
    return tare_batches_seek(a->input->order, epoch, position);
}

tare_status tare__input_open(tare__arm *a)
{
    const int *level = a->setting.level;
    if (!tare__input_wanted(&a->setting))
        return TARE_OK;
    tare__input *in = a->input = tare__take(1, sizeof *in);
    in->slices = level[TARE__INPUT] == TARE__INPUT_SLICES;
    in->rows = tare__take((size_t)a->batch, sizeof *in->rows);
    tare_status status = fill_set(a, in);
    if (status == TARE_OK && in->slices)
        status = place_set(a, in);
    if (status == TARE_OK)
        status = open_order(a, in);
    int workers = level[TARE__WORKERS], ahead = workers * level[TARE__PREFETCH];
    if (status == TARE_OK && level[TARE__INPUT] == TARE__INPUT_LOADER)
        status = tare__loader_open(&in->set, a->batch, workers, ahead, &in->loader);
    return status;
}

void tare__input_close(tare__arm *a)
{
    tare__input *in = a->input;
    if (!in)
        return;
    tare__loader_close(in->loader);
    if (in->own.n_rows)
        tare_batches_fini(&in->own);
    for (int k = 0; k < 2; ++k) {
        tare_value_drop(in->whole[k]);
        free(in->host[k]);
    }
    free(in->rows);
    free(in);
    a->input = NULL;
}
