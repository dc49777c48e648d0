/* batches.c - which rows make each batch (see batches.h).
 *
 * Rows that roll over are counted through: with g = epoch * n_rows + (place in the epoch's order), batch
 * number k since the start is g in [k * batch_rows, (k + 1) * batch_rows), and belongs to the epoch that
 * completes it. So even there nothing but (epoch, position) has to be remembered. */
#include "batches.h"

#include "../core/random.h"

tare_status tare_batches_init(tare_batches *batches, tare_memory *memory, int64_t n_rows, int64_t batch_rows,
                              tare_last last, bool shuffle, uint64_t seed)
{
    if (n_rows < 1 || batch_rows < 1 || (last == TARE_LAST_DROP && batch_rows > n_rows))
        return tare_error(TARE_BAD_ARGUMENT, "batches: %lld rows in batches of %lld make no batch", (long long)n_rows,
                          (long long)batch_rows);
    tare_batches made = {.memory = memory,
                         .n_rows = n_rows,
                         .batch_rows = batch_rows,
                         .last = last,
                         .shuffle = shuffle,
                         .seed = seed,
                         .order_epoch = -1};
    if (shuffle)
        made.order = tare_memory_take_zeroed(memory, TARE_MEMORY_INPUT, (size_t)n_rows, sizeof *made.order);
    if (last == TARE_LAST_ROLL_OVER)
        made.carried = tare_memory_take_zeroed(memory, TARE_MEMORY_INPUT, (size_t)batch_rows, sizeof *made.carried);
    if ((shuffle && !made.order) || (last == TARE_LAST_ROLL_OVER && !made.carried)) {
        tare_batches_fini(&made);
        return TARE_NO_MEMORY;
    }
    *batches = made;
    return TARE_OK;
}

void tare_batches_fini(tare_batches *batches)
{
    tare_memory_give(batches->memory, TARE_MEMORY_INPUT, batches->order,
                     (size_t)batches->n_rows * sizeof *batches->order);
    tare_memory_give(batches->memory, TARE_MEMORY_INPUT, batches->carried,
                     (size_t)batches->batch_rows * sizeof *batches->carried);
    *batches = (tare_batches){0};
}

/* Batches completed before an epoch begins, where rows roll over. */
static int64_t completed_before(const tare_batches *batches, int64_t epoch)
{
    return epoch * batches->n_rows / batches->batch_rows;
}

int64_t tare_batches_count(const tare_batches *batches, int64_t epoch)
{
    int64_t full = batches->n_rows / batches->batch_rows;
    switch (batches->last) {
    case TARE_LAST_KEEP:
        return full + (batches->n_rows % batches->batch_rows != 0);
    case TARE_LAST_ROLL_OVER:
        return completed_before(batches, epoch + 1) - completed_before(batches, epoch);
    case TARE_LAST_DROP:
        break;
    }
    return full;
}

tare_status tare_batches_seek(tare_batches *batches, int64_t epoch, int64_t position)
{
    /* Half the range is left, so that no count of rows can overflow in a lifetime. */
    if (epoch < 0 || epoch > INT64_MAX / 2 / batches->n_rows - 1)
        return tare_error(TARE_BAD_ARGUMENT, "batches: epoch %lld is out of range", (long long)epoch);
    int64_t count = tare_batches_count(batches, epoch);
    if (position < 0 || position > count)
        return tare_error(TARE_BAD_ARGUMENT, "batches: position %lld is not in 0..%lld, the batches of epoch %lld",
                          (long long)position, (long long)count, (long long)epoch);
    batches->epoch = epoch;
    batches->position = position;
    return TARE_OK;
}

/* Makes `order` that of an epoch. */
static void turn_to(tare_batches *batches, int64_t epoch)
{
    if (!batches->shuffle || batches->order_epoch == epoch)
        return;
    tare_random_permutation(batches->order, batches->n_rows, batches->seed, (uint64_t)epoch);
    batches->order_epoch = epoch;
}

/* The batch that is [start, start + count) of one epoch's order. */
static tare_batch slice(tare_batches *batches, int64_t epoch, int64_t start, int64_t count)
{
    turn_to(batches, epoch);
    if (batches->shuffle)
        return (tare_batch){.count = count, .rows = batches->order + start};
    return (tare_batch){.count = count, .first = start};
}

/* Batch number k since the start, where rows roll over. */
static tare_batch rolled(tare_batches *batches, int64_t k)
{
    int64_t n = batches->n_rows, begin = k * batches->batch_rows, end = begin + batches->batch_rows;
    if (begin / n == (end - 1) / n)
        return slice(batches, begin / n, begin % n, batches->batch_rows);
    for (int64_t g = begin; g < end; ++g) {
        turn_to(batches, g / n);
        batches->carried[g - begin] = batches->shuffle ? batches->order[g % n] : g % n;
    }
    return (tare_batch){.count = batches->batch_rows, .rows = batches->carried};
}

void tare_batches_next(tare_batches *batches, tare_batch *batch)
{
    if (batches->position >= tare_batches_count(batches, batches->epoch)) {
        ++batches->epoch;
        batches->position = 0;
        *batch = (tare_batch){0};
        return;
    }
    int64_t position = batches->position++;
    if (batches->last == TARE_LAST_ROLL_OVER) {
        *batch = rolled(batches, completed_before(batches, batches->epoch) + position);
        return;
    }
    int64_t start = position * batches->batch_rows, left = batches->n_rows - start;
    *batch = slice(batches, batches->epoch, start, left < batches->batch_rows ? left : batches->batch_rows);
}
