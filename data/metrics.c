/* metrics.c - accuracy, MSE, MAE and r2 over batches (see metrics.h). */
#include "metrics.h"

#include <math.h>

tare_status tare_metrics_init(tare_metrics *m, tare_memory *memory, int64_t width)
{
    *m = (tare_metrics){.memory = memory, .width = width};
    if (width < 1)
        return tare_error(TARE_BAD_ARGUMENT, "metrics: a row of %lld outputs", (long long)width);
    m->column = tare_memory_take_zeroed(memory, TARE_MEMORY_INPUT, (size_t)width, sizeof *m->column);
    return m->column ? TARE_OK : TARE_NO_MEMORY;
}

void tare_metrics_fini(tare_metrics *m)
{
    tare_memory_give(m->memory, TARE_MEMORY_INPUT, m->column, (size_t)m->width * sizeof *m->column);
    *m = (tare_metrics){0};
}

void tare_metrics_labels(tare_metrics *m, const float *y, const int32_t *label, int64_t rows)
{
    for (int64_t r = 0; r < rows; ++r, y += m->width) {
        int64_t best = 0;
        for (int64_t c = 1; c < m->width; ++c)
            best = y[c] > y[best] || isnan(y[best]) ? c : best;
        m->n_right += best == label[r] && !isnan(y[best]);
    }
    m->n_labelled += rows;
}

/* The mean and the spread are carried from row to row (B. Welford, "Note on a method for calculating corrected sums of
 * squares and products", Technometrics 4, 1962): targets far from 0 lose no digits. */
void tare_metrics_targets(tare_metrics *m, const float *y, const float *target, int64_t rows)
{
    for (int64_t r = 0; r < rows; ++r, y += m->width, target += m->width) {
        double n = (double)++m->n_targets;
        for (int64_t c = 0; c < m->width; ++c) {
            tare_metrics_column *column = &m->column[c];
            double t = (double)target[c], error = (double)y[c] - t, distance = t - column->mean;
            column->mean += distance / n;
            column->spread += distance * (t - column->mean);
            column->error += error * error;
            m->error += fabs(error);
            m->square += error * error;
        }
    }
}

double tare_metrics_accuracy(const tare_metrics *m)
{
    return m->n_labelled ? (double)m->n_right / (double)m->n_labelled : (double)NAN;
}

static double over_elements(const tare_metrics *m, double sum)
{
    return m->n_targets ? sum / (double)m->n_targets / (double)m->width : (double)NAN;
}

double tare_metrics_mse(const tare_metrics *m)
{
    return over_elements(m, m->square);
}

double tare_metrics_mae(const tare_metrics *m)
{
    return over_elements(m, m->error);
}

double tare_metrics_r2(const tare_metrics *m)
{
    double sum = 0;
    for (int64_t c = 0; c < m->width; ++c) {
        if (!(m->column[c].spread > 0))
            return (double)NAN;
        sum += 1 - m->column[c].error / m->column[c].spread;
    }
    return sum / (double)m->width;
}
