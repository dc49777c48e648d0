/* batches.h - which rows make each batch of each epoch, and those rows gathered.
 *
 * The order is a function of (seed, epoch); the whole state is (epoch, position), so a run that is resumed
 * from these two numbers sees the same batches as one that was never stopped. A batch names rows, it does
 * not copy them: where they follow one another in memory it is a range that can be used in place. */
#ifndef TARE_DATA_BATCHES_H
#define TARE_DATA_BATCHES_H

#include <stdbool.h>
#include <stdint.h>

#include "array.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What becomes of the rows that do not fill a batch at the end of an epoch (as in MXNet Gluon's
 * BatchSampler: keep, discard, rollover). */
typedef enum {
    TARE_LAST_KEEP,     /* they make a smaller batch */
    TARE_LAST_DROP,     /* they are left out */
    TARE_LAST_ROLL_OVER /* they open the first batch of the next epoch */
} tare_last;

typedef struct {
    int64_t count;       /* rows; 0: the epoch is over */
    int64_t first;       /* where rows is NULL: first, first + 1, ... */
    const int64_t *rows; /* NULL, or the row numbers; valid until the next call */
} tare_batch;

typedef struct {
    tare_memory *memory;
    int64_t n_rows, batch_rows;
    tare_last last;
    bool shuffle;
    uint64_t seed;
    int64_t epoch, position; /* the state: the batch that comes next is number `position` of `epoch` */
    int64_t order_epoch;     /* whose order is in `order`; -1: none yet */
    int64_t *order;          /* owned; [n_rows] where shuffled, else NULL */
    int64_t *carried;        /* owned; [batch_rows] where rolled over, else NULL: a batch of two epochs */
} tare_batches;

/* Starts at (0, 0). TARE_BAD_ARGUMENT: no rows, an empty batch, or a batch that is dropped in every epoch. */
TARE_API tare_status tare_batches_init(tare_batches *batches, tare_memory *memory, int64_t n_rows, int64_t batch_rows,
                                       tare_last last, bool shuffle, uint64_t seed);
TARE_API void tare_batches_fini(tare_batches *batches);

/* How many batches an epoch has. Where rows roll over, it differs from epoch to epoch. */
TARE_API int64_t tare_batches_count(const tare_batches *batches, int64_t epoch);

/* The next batch is number `position` (0..count) of `epoch`; TARE_BAD_ARGUMENT where there is none such. */
TARE_API tare_status tare_batches_seek(tare_batches *batches, int64_t epoch, int64_t position);

/* The next batch; after an epoch's last one, once, a batch of no rows, and the state is the next epoch's start. */
TARE_API void tare_batches_next(tare_batches *batches, tare_batch *batch);

/* out[i,...] = scale times row i of the batch, as floats: `from` of any dtype but TARE_BYTES (TARE_BAD_DTYPE).
 * TARE_BAD_ARGUMENT: a row that `from` does not have. out has room for batch->count rows. */
TARE_API tare_status tare_gather_f32(const tare_array *from, const tare_batch *batch, float scale, float *out);

/* The same for labels and indices, unscaled: `from` u8, i32 or i64. TARE_BAD_DATA: a value beyond 32 bits. */
TARE_API tare_status tare_gather_i32(const tare_array *from, const tare_batch *batch, int32_t *out);

#ifdef __cplusplus
}
#endif
#endif
