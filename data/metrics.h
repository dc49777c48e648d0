/* metrics.h - how good outputs are, over any number of batches: accuracy of labels; MSE, MAE and r2 of targets.
 *
 *     accuracy   share of rows whose largest output is the label's; of equal ones the first counts, NaN never does
 *     MSE, MAE   means over all elements of (y - t)^2 and |y - t|
 *     r2         1 - sum (y - t)^2 / sum (t - mean t)^2 of each column, y the outputs and t the targets, mean over
 *                columns (the coefficient of determination; as scikit-learn's r2_score(t, y)). It is not symmetric:
 *                the spread is that of the targets.
 *
 * Sums are in double, row by row, so they do not depend on how rows are cut into batches. Threads: one at a time. */
#ifndef TARE_DATA_METRICS_H
#define TARE_DATA_METRICS_H

#include "../core/memory.h"
#include "../core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    double error, spread, mean; /* sum of squared errors; of squared distances of targets from their mean; that mean */
} tare_metrics_column;

typedef struct {
    tare_memory *memory;
    int64_t width;               /* numbers in a row of outputs */
    int64_t n_labelled;          /* rows with labels */
    int64_t n_right;             /* those answered rightly */
    int64_t n_targets;           /* rows with targets */
    double error, square;        /* sums of |y - t| and (y - t)^2 over all elements */
    tare_metrics_column *column; /* owned; [width] */
} tare_metrics;

/* width: numbers in a row of outputs and targets, classes of labels; at least 1. */
TARE_API tare_status tare_metrics_init(tare_metrics *, tare_memory *, int64_t width);
TARE_API void tare_metrics_fini(tare_metrics *);

/* y [rows,width]; label [rows]; target [rows,width] */
TARE_API void tare_metrics_labels(tare_metrics *, const float *y, const int32_t *label, int64_t rows);
TARE_API void tare_metrics_targets(tare_metrics *, const float *y, const float *target, int64_t rows);

/* NaN where there were no rows; r2 also where a column's targets are all the same. */
TARE_API double tare_metrics_accuracy(const tare_metrics *);
TARE_API double tare_metrics_mse(const tare_metrics *);
TARE_API double tare_metrics_mae(const tare_metrics *);
TARE_API double tare_metrics_r2(const tare_metrics *);

#ifdef __cplusplus
}
#endif
#endif
