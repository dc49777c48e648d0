/* training.c - the loop over batches and epochs (see training.h). */
#include "training.h"

#include <math.h>

#include "../base/clock.h"
#include "training_private.h"

tare_status tare__training_open(tare__training *t)
{
    t->best_loss = (double)INFINITY;
    tare_status status = tare_batches_init(&t->batches, &t->samples->memory, t->samples->train.x.dims[0], t->arm->batch,
                                           TARE_LAST_DROP, t->shuffle, t->order_seed);
    if (status == TARE_OK)
        t->steps_an_epoch = tare_batches_count(&t->batches, 0);
    return status;
}

void tare__training_close(tare__training *t)
{
    if (!t->arm)
        return;
    tare_batches_fini(&t->batches);
    if (t->arm->rt)
        tare_safetensors_free(&t->arm->rt->memory, &t->best);
}

int64_t tare__training_steps(const tare__training *t, int64_t *of)
{
    *of = t->epochs * t->steps_an_epoch;
    return t->batches.epoch * t->steps_an_epoch + t->batches.position;
}

double tare__training_loss(const tare__training *t)
{
    const int64_t done = t->batches.position;
    return t->last_loss ? (done == t->steps_an_epoch ? t->loss_sum : (double)NAN) : t->loss_sum / (double)done;
}

/* ---- time ----------------------------------------------------------------------------------------------------*/

static void mark(tare__training *t)
{
    t->mark_ns = tare__clock_ns();
    t->cpu_mark_ns = tare__cpu_clock_ns();
}

/* Adds what has passed since the mark to the epoch's steps. */
static void lap(tare__training *t)
{
    int64_t ns = t->mark_ns, cpu_ns = t->cpu_mark_ns;
    mark(t);
    t->time_ns += t->mark_ns - ns;
    t->cpu_ns += t->cpu_mark_ns - cpu_ns;
}

/* ---- an epoch's end ------------------------------------------------------------------------------------------*/

/* A lower loss than any before? Then its weights are kept. */
static tare_status compare(tare__training *t, double loss)
{
    if (!t->patience)
        return TARE_OK;
    if (!(loss < t->best_loss)) {
        ++t->worse;
        return TARE_OK;
    }
    tare_memory *memory = &t->arm->rt->memory;
    tare_safetensors_free(memory, &t->best);
    t->best_loss = loss;
    t->best_epoch = t->batches.epoch + 1;
    t->worse = 0;
    return tare_weights_take(t->arm->net, TARE__BEST, &t->best);
}

static tare_status evaluate(tare__training *t, tare__epoch *e)
{
    const tare__evaluation evaluation = {
        .samples = t->samples, .arm = t->arm, .loss = t->arm->loss_kind, .stopped = t->stopped, .owner = t->owner};
    tare_status status = tare__evaluate(&evaluation, t->part, &e->score);
    if (status == TARE_OK && !e->score.whole)
        t->broken_off = true; /* before the epoch's end: a resumed training evaluates again */
    return status == TARE_OK && e->score.whole ? compare(t, e->score.loss) : status;
}

static tare_status end_epoch(tare__training *t)
{
    tare_batch none;
    lap(t);
    tare__epoch e = {.number = t->batches.epoch + 1,
                     .steps = t->steps_an_epoch,
                     .loss = tare__training_loss(t),
                     .time_ns = t->time_ns,
                     .cpu_ns = t->cpu_ns};
    tare_status status = evaluate(t, &e);
    if (t->arm->setting.level[TARE__VALIDATION] == TARE__VALIDATION_INSIDE) {
        lap(t);
        e.time_ns = t->time_ns;
        e.cpu_ns = t->cpu_ns;
    }
    if (status != TARE_OK || t->broken_off)
        return status;
    tare_batches_next(&t->batches, &none); /* to the next epoch's start */
    t->loss_sum = 0;
    t->time_ns = t->cpu_ns = 0;
    if (t->on_epoch)
        t->on_epoch(t->owner, &e);
    if (t->checkpoint)
        status = tare__training_save(t);
    mark(t);
    return status;
}

/* ---- the loop ------------------------------------------------------------------------------------------------*/

/* An arm with an input feeds itself, in the same order. */
static tare_status take_step(tare__training *t)
{
    float loss = 0;
    tare_batch batch;
    tare_status status = TARE_OK;
    tare_batches_next(&t->batches, &batch);
    if (!t->arm->input)
        status = tare__samples_feed(t->samples, &t->samples->train, &batch, t->arm);
    if (status == TARE_OK)
        status = t->arm->step(t->arm);
    if (status == TARE_OK && (!t->last_loss || t->batches.position == t->steps_an_epoch))
        status = tare_value_read(t->arm->loss, &loss, sizeof loss);
    if (status != TARE_OK)
        return status;
    t->loss_sum += (double)loss;
    if (t->on_step)
        t->on_step(t->owner, t);
    int64_t all, done = tare__training_steps(t, &all);
    if (!t->checkpoint || !t->checkpoint_every || done % t->checkpoint_every)
        return TARE_OK;
    lap(t);
    status = tare__training_save(t);
    mark(t);
    return status;
}

static bool at_end(const tare__training *t)
{
    return t->batches.epoch >= t->epochs || (t->patience && t->worse >= t->patience);
}

tare_status tare__training_run(tare__training *t)
{
    tare_status status = TARE_OK;
    mark(t);
    while (status == TARE_OK && !at_end(t) && !t->broken_off) {
        status = t->batches.position < t->steps_an_epoch ? take_step(t) : end_epoch(t);
        t->broken_off |= t->stopped && t->stopped(t->owner);
    }
    if (status != TARE_OK)
        return status;
    t->broken_off &= !at_end(t);
    if (t->broken_off && t->checkpoint) {
        lap(t);
        return tare__training_save(t);
    }
    if (!t->broken_off && t->patience && t->best_epoch)
        return tare_weights_put(t->arm->net, TARE__BEST, &t->best, "the best epoch's weights");
    return TARE_OK;
}
