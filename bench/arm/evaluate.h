/* evaluate.h - how good a net is on a part of a data set: loss and metrics over all its rows, in their own order.
 *
 * Rows go through the net a batch at a time, in inference. Outputs come from the net applied imperatively, or from an
 * arm's step; an arm has one shape, so the last rows are filled up to a batch and what comes of the filling is passed
 * over (in inference a row's output depends on no other row). Either way loss and metrics are of the real rows. */
#ifndef TARE_BENCH_EVALUATE_H
#define TARE_BENCH_EVALUATE_H

#include "samples.h"

typedef struct {
    int64_t samples, ns;
    bool whole;                          /* false: it was stopped, and nothing else holds */
    double loss, accuracy, mse, mae, r2; /* NaN: undefined, or another kind of target's */
} tare__score;

typedef struct {
    tare__samples *samples;
    tare__arm *arm;
    tare_loss loss;               /* of the net; its arm need not have one */
    bool by_step;                 /* outputs come from the arm's step: prepared, kept, for inference */
    float *output;                /* NULL, or room for all outputs */
    bool (*stopped)(void *owner); /* asked after each batch; NULL: never */
    void *owner;
} tare__evaluation;

tare_status tare__evaluate(const tare__evaluation *, const tare_dataset_part *, tare__score *);

/* "loss 0.123456 accuracy 0.912000", "loss ... MSE ... MAE ... r2 ..."; into text (TARE__SCORE_TEXT), returned; ""
 * where there were no labels. */
enum { TARE__SCORE_TEXT = 160 };
const char *tare__score_text(const tare__score *, char *text);
/* A new object: set, samples, loss, accuracy, mse, mae, r2, time_ns. */
json_t *tare__score_json(const tare__score *, const char *set);

#endif
