/* input.h - where an arm's steps get their batches from: the factor `input`, and the gather of loop=fit.
 *
 * The set holds the resident batch's rows several times over, one batch after the other, so that in the order of the
 * set every step sees the bytes that stay where input=resident, and only the way to them differs:
 *
 *     slices   a new view of the set each step
 *     loader   samples fetched one by one, each into memory of its own, then put together; by the step's own thread, or
 *              by workers that make whole batches ahead (as torch.utils.data.DataLoader and gluon.data.DataLoader do)
 *     gather   rows of the set copied together (fit)
 *
 * A task may bring a set of its own (training: the data set's rows, once through an epoch, what fills no batch left
 * out). Where the host reads the device's memory a batch is handed over by its address; else it is copied. Shuffled,
 * slices change places, samples all. Threads: the arm's; workers touch the set and their own batches alone. */
#ifndef TARE_BENCH_INPUT_H
#define TARE_BENCH_INPUT_H

#include "../../data/batches.h"
#include "arm.h"
#include "loader.h"

/* A task's own set, and the order that its samples come in. */
typedef struct tare__set {
    tare__rows rows;
    int64_t n_rows;
    bool shuffle;
    uint64_t seed;
} tare__set;

/* Whether a setting asks for another input than the resident batch. */
bool tare__input_wanted(const tare__setting *);

/* An order that several arms of one process go on in (iterator=shared); zeroed at first. */
struct tare__shared_order {
    tare_memory memory;
    tare_batches batches;
    bool open;
};
void tare__shared_order_fini(tare__shared_order *);
/* Back to where it was when it looked like `before`. */
void tare__shared_order_return(tare__shared_order *, const tare__shared_order *before);

/* Where the setting asks for another input than the resident batch: a->input. On failure nothing is left. */
tare_status tare__input_open(tare__arm *);
/* NULL is fine. */
void tare__input_close(tare__arm *);
/* Steps of an epoch, the set's batches; of an arm that has an input. */
int64_t tare__input_steps(const tare__arm *);
/* Before the first step: the next batch is number `position` of `epoch`. */
tare_status tare__input_seek(tare__arm *, int64_t epoch, int64_t position);
/* The next batch becomes the arm's x and target, bound where a plan is. */
tare_status tare__input_next(tare__arm *);

#endif
