/* regression.c - a linear regression as .npy files (see regression.h).
 *
 * Row r of the inputs is random stream r; the weights have streams that no row reaches. */
#include "regression.h"

#include "../core/random.h"
#include "payload.h"

enum { INPUTS = TARE_REGRESSION_INPUTS, WEIGHT_SEED = 42 };
static const uint64_t weight_stream = (uint64_t)1 << 63;

typedef struct {
    float slope[INPUTS], offset[INPUTS]; /* w1, w0 */
    float x[INPUTS];                     /* the row at hand */
} problem;

static float target(const problem *p)
{
    double sum = 0;
    for (int i = 0; i < INPUTS; ++i)
        sum += (double)p->slope[i] * (double)p->x[i] + (double)p->offset[i];
    return (float)sum;
}

/* Rows first..first+count-1 through two open writers. */
static tare_status put_rows(problem *p, tare_writer *inputs, tare_writer *targets, uint64_t seed, int64_t first,
                            int64_t count)
{
    float y;
    tare_array x_row = {.dtype = TARE_F32, .bytes = sizeof p->x, .data = p->x};
    tare_array y_row = {.dtype = TARE_F32, .bytes = sizeof y, .data = &y};
    tare_status status = tare__npy_put_header(inputs, TARE_F32, 2, (int64_t[]){count, INPUTS});
    if (status == TARE_OK)
        status = tare__npy_put_header(targets, TARE_F32, 2, (int64_t[]){count, 1});
    for (int64_t row = first; row < first + count && status == TARE_OK; ++row) {
        tare_random_normal(p->x, INPUTS, seed, (uint64_t)row, 0, 1);
        y = target(p);
        status = tare__payload_write(inputs, false, &x_row);
        if (status == TARE_OK)
            status = tare__payload_write(targets, false, &y_row);
    }
    return status;
}

tare_status tare_regression_write(tare_memory *memory, const char *folder, uint64_t seed, int64_t count)
{
    static const char *const names[4] = {"X_train.npy", "Y_train.npy", "X_test.npy", "Y_test.npy"};
    if (count < 2)
        return tare_error(TARE_BAD_ARGUMENT, "regression: a count of %lld is below 2 (one row to train, one to test)",
                          (long long)count);
    problem *p = tare_memory_take(memory, TARE_MEMORY_INPUT, sizeof *p);
    if (!p)
        return TARE_NO_MEMORY;
    tare_random_normal(p->slope, INPUTS, WEIGHT_SEED, weight_stream, 0, 1);
    tare_random_normal(p->offset, INPUTS, WEIGHT_SEED, weight_stream + 1, 0, 1);
    tare_writer writers[4];
    tare_status status = tare_writer_open_all(writers, memory, folder, names, 4);
    if (status == TARE_OK) {
        int64_t n_test = count < 20 ? 1 : count / 10;
        status = put_rows(p, &writers[0], &writers[1], seed, 0, count - n_test);
        if (status == TARE_OK)
            status = put_rows(p, &writers[2], &writers[3], seed, count - n_test, n_test);
        if (status == TARE_OK)
            status = tare_writer_close_all(writers, 4);
        else
            tare_writer_abandon_all(writers, 4);
    }
    tare_memory_give(memory, TARE_MEMORY_INPUT, p, sizeof *p);
    return status;
}
