/* training.h - training: an arm's steps over the batches of a data set, epoch by epoch, that can be stopped and
 * resumed.
 *
 * The state of a training is the arm's net and optimizer, the place in the order of the data, and the sums and bests
 * below; a checkpoint holds all of it, so a resumed training gives bit for bit what an unbroken one gives, in whichever
 * rung and at whatever number of threads each part ran. An epoch's order is a function of (order seed, epoch). Rows
 * that do not fill the last batch are left out of that epoch, since a plan is of one shape; shuffling leaves out others
 * in each. After an epoch the net is evaluated on all rows of a further part of the data, in inference.
 *
 * Early stop: after `patience` epochs without a lower validation loss the training ends, and the net gets the weights
 * of the best epoch back. It prints nothing; who wants to see it go gives the functions below. */
#ifndef TARE_BENCH_TRAINING_H
#define TARE_BENCH_TRAINING_H

#include "../../nets/checkpoint.h"
#include "evaluate.h"

/* A finished epoch. */
typedef struct {
    int64_t number; /* from 1 */
    int64_t steps;
    double loss;             /* mean over the steps; of the last one, where the others are not read */
    int64_t time_ns, cpu_ns; /* of the steps: not of evaluation and checkpoints */
    tare__score score;
} tare__epoch;

typedef struct tare__training tare__training;
struct tare__training {
    /* What is wanted; set before tare__training_open, all borrowed. */
    tare__arm *arm; /* prepared, kept, for training with an optimizer */
    tare__samples *samples;
    const tare_dataset_part *part; /* evaluated after each epoch */
    const char *validation;        /* as the user named it, for checkpoints; NULL: none */
    int64_t epochs, patience;      /* patience 0: no early stop */
    bool shuffle;
    bool last_loss; /* an epoch's loss is read of its last step alone, not of every step */
    uint64_t order_seed;
    const char *checkpoint;       /* file, written at the end of each epoch and when stopped; NULL: none */
    int64_t checkpoint_every;     /* steps, besides; 0: never */
    bool (*stopped)(void *owner); /* asked after each batch; NULL: never */
    void (*on_step)(void *owner, const tare__training *); /* NULL: nothing */
    void (*on_epoch)(void *owner, const tare__epoch *);   /* NULL: nothing */
    void *owner;
    /* The state. */
    tare_batches batches; /* the step that comes next */
    int64_t steps_an_epoch;
    double loss_sum;         /* of this epoch's steps that were read */
    int64_t time_ns, cpu_ns; /* of this epoch's steps, up to the marks */
    int64_t mark_ns, cpu_mark_ns;
    double best_loss;          /* lowest validation loss so far */
    int64_t best_epoch, worse; /* its epoch (0: none); epochs since then without a lower one */
    tare_tensors best;         /* its weights */
    bool broken_off;           /* stopped before its end */
};

/* Begins at epoch 0. On failure it is closed. */
tare_status tare__training_open(tare__training *);
/* Goes to where a checkpoint was written; `path` for messages. */
tare_status tare__training_restore(tare__training *, const tare_tensors *file, const char *path);
/* To the end, or until it is stopped (broken_off). */
tare_status tare__training_run(tare__training *);
/* Fine on a zeroed one. */
void tare__training_close(tare__training *);

/* Mean of what was read of the epoch's losses; NaN: nothing so far. */
double tare__training_loss(const tare__training *);
/* Steps that are done, of how many. */
int64_t tare__training_steps(const tare__training *, int64_t *of);

#endif
