/* test_batches.c - every row as often as it should be, the same after a resume, and gathered right. */
#include "../data/batches.h"
#include "scratch.h"

static int64_t row_of(const tare_batch *batch, int64_t i)
{
    return batch->rows ? batch->rows[i] : batch->first + i;
}

static tare_batches made(tare_memory *memory, int64_t n, int64_t batch, tare_last last, bool shuffle)
{
    tare_batches batches;
    ck_assert_int_eq(tare_batches_init(&batches, memory, n, batch, last, shuffle, 5), TARE_OK);
    return batches;
}

static const int64_t sizes[][2] = {{10, 3}, {12, 4}, {7, 7}, {5, 8}, {3, 10}, {1, 1}, {101, 10}};
enum { N_SIZES = sizeof sizes / sizeof *sizes, N_EPOCHS = 12 };

/* The rows of an epoch in the order they came; how many. */
static int64_t run_epoch(tare_batches *batches, int64_t *rows)
{
    int64_t n = 0, n_batches = 0, expected = tare_batches_count(batches, batches->epoch), epoch = batches->epoch;
    tare_batch batch;
    for (tare_batches_next(batches, &batch); batch.count; tare_batches_next(batches, &batch)) {
        ck_assert_int_eq(batches->epoch, epoch);
        ck_assert_int_eq(batches->position, ++n_batches);
        ck_assert(batch.count == batches->batch_rows ||
                  (batches->last == TARE_LAST_KEEP && n_batches == expected && batch.count < batches->batch_rows));
        for (int64_t i = 0; i < batch.count; ++i)
            rows[n++] = row_of(&batch, i);
    }
    ck_assert_int_eq(n_batches, expected);
    ck_assert_int_eq(batches->epoch, epoch + 1);
    ck_assert_int_eq(batches->position, 0);
    return n;
}

START_TEST(kept_and_dropped_epochs_have_each_row_once)
{
    for (int c = 0; c < 4 * N_SIZES; ++c) {
        int64_t n = sizes[c / 4][0], size = sizes[c / 4][1], rows[128], former[128] = {0};
        bool shuffle = c & 1, drop = c & 2;
        tare_memory memory = {0};
        if (drop && size > n)
            continue;
        tare_batches batches = made(&memory, n, size, drop ? TARE_LAST_DROP : TARE_LAST_KEEP, shuffle);
        for (int epoch = 0; epoch < 3; ++epoch) {
            int times[128] = {0};
            int64_t n_seen = run_epoch(&batches, rows);
            ck_assert_int_eq(n_seen, drop ? n / size * size : n);
            for (int64_t i = 0; i < n_seen; ++i) {
                ck_assert(rows[i] >= 0 && rows[i] < n && times[rows[i]]++ == 0);
                ck_assert(shuffle || rows[i] == i);
            }
            if (shuffle && n > 50)
                ck_assert_mem_ne(rows, former, (size_t)n_seen * sizeof *rows);
            memcpy(former, rows, sizeof rows);
        }
        tare_batches_fini(&batches);
        assert_nothing_live(&memory);
    }
}
END_TEST

/* One after the other, the batches are the epochs' orders one after the other, cut into full batches; and
 * each is given in the epoch that completes it. */
START_TEST(rolled_rows_open_the_next_epoch)
{
    for (int c = 0; c < 2 * N_SIZES; ++c) {
        int64_t n = sizes[c / 2][0], size = sizes[c / 2][1], n_rows = 0;
        static int64_t rolled[N_EPOCHS * 128], orders[N_EPOCHS * 128];
        bool shuffle = c & 1;
        tare_memory memory = {0};
        tare_batches batches = made(&memory, n, size, TARE_LAST_ROLL_OVER, shuffle);
        tare_batches whole = made(&memory, n, n, TARE_LAST_KEEP, shuffle);
        for (int epoch = 0; epoch < N_EPOCHS; ++epoch) {
            run_epoch(&whole, orders + epoch * n);
            n_rows += run_epoch(&batches, rolled + n_rows);
            ck_assert_int_eq(n_rows, (epoch + 1) * n / size * size);
        }
        ck_assert_mem_eq(rolled, orders, (size_t)n_rows * sizeof *rolled);
        tare_batches_fini(&batches);
        tare_batches_fini(&whole);
        assert_nothing_live(&memory);
    }
}
END_TEST

/* A fresh iterator set to (epoch, position) goes on as the one that came there. */
START_TEST(epoch_and_position_are_the_whole_state)
{
    for (int c = 0; c < 6 * N_SIZES; ++c) {
        int64_t n = sizes[c / 6][0], size = sizes[c / 6][1];
        tare_last last = (tare_last)(c % 3);
        bool shuffle = c % 6 >= 3;
        if (last == TARE_LAST_DROP && size > n)
            continue;
        tare_batches ran = made(NULL, n, size, last, shuffle);
        for (int step = 0; step < 40; ++step) {
            tare_batches fresh = made(NULL, n, size, last, shuffle);
            ck_assert_int_eq(tare_batches_seek(&fresh, ran.epoch, ran.position), TARE_OK);
            tare_batch batch, again;
            tare_batches_next(&ran, &batch);
            tare_batches_next(&fresh, &again);
            ck_assert(batch.count == again.count && ran.epoch == fresh.epoch && ran.position == fresh.position);
            for (int64_t i = 0; i < batch.count; ++i)
                ck_assert_int_eq(row_of(&batch, i), row_of(&again, i));
            tare_batches_fini(&fresh);
        }
        tare_batches_fini(&ran);
    }
}
END_TEST

START_TEST(unshuffled_batches_are_ranges)
{
    tare_batches batches = made(NULL, 10, 4, TARE_LAST_KEEP, false);
    tare_batch batch;
    for (int i = 0; i < 3; ++i) {
        tare_batches_next(&batches, &batch);
        ck_assert_ptr_null(batch.rows);
        ck_assert_int_eq(batch.first, 4 * i);
    }
    tare_batches_fini(&batches);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
    tare_batches batches;
    ck_assert_int_eq(tare_batches_init(&batches, NULL, 0, 4, TARE_LAST_KEEP, false, 1), TARE_BAD_ARGUMENT);
    ck_assert_int_eq(tare_batches_init(&batches, NULL, 4, 0, TARE_LAST_KEEP, false, 1), TARE_BAD_ARGUMENT);
    ck_assert_int_eq(tare_batches_init(&batches, NULL, 4, 5, TARE_LAST_DROP, false, 1), TARE_BAD_ARGUMENT);
    assert_error_has("4 rows in batches of 5", "no batch");
    batches = made(NULL, 10, 4, TARE_LAST_ROLL_OVER, true);
    ck_assert_int_eq(tare_batches_seek(&batches, -1, 0), TARE_BAD_ARGUMENT);
    ck_assert_int_eq(tare_batches_seek(&batches, INT64_MAX / 8, 0), TARE_BAD_ARGUMENT);
    ck_assert_int_eq(tare_batches_seek(&batches, 0, 3), TARE_BAD_ARGUMENT);
    ck_assert_int_eq(tare_batches_seek(&batches, 1, 3), TARE_OK);
    tare_batches_fini(&batches);
}
END_TEST

static tare_array numbered(tare_dtype dtype)
{
    tare_array array;
    ck_assert_int_eq(tare_array_init(NULL, dtype, 3, (int64_t[]){4, 1, 3}, &array), TARE_OK);
    for (int i = 0; i < 12; ++i)
        switch (dtype) {
        case TARE_U8:
            ((unsigned char *)array.data)[i] = (unsigned char)(20 * i);
            break;
        case TARE_I32:
            ((int32_t *)array.data)[i] = 20 * i;
            break;
        case TARE_I64:
            ((int64_t *)array.data)[i] = 20 * i;
            break;
        case TARE_F32:
            ((float *)array.data)[i] = (float)(20 * i);
            break;
        default:
            ((double *)array.data)[i] = 20 * i;
        }
    return array;
}

START_TEST(rows_are_gathered_and_scaled)
{
    static const tare_dtype dtypes[] = {TARE_U8, TARE_I32, TARE_I64, TARE_F32, TARE_F64};
    static const int64_t rows[3] = {3, 0, 3};
    for (int d = 0; d < 5; ++d) {
        tare_array array = numbered(dtypes[d]);
        float out[10];
        int32_t labels[9];
        tare_batch listed = {.count = 3, .rows = rows}, range = {.count = 2, .first = 2};
        out[9] = -1;
        ck_assert_int_eq(tare_gather_f32(&array, &listed, 0.25F, out), TARE_OK);
        for (int i = 0; i < 9; ++i)
            ck_assert_float_eq(out[i], 5.0F * (float)(3 * rows[i / 3] + i % 3));
        ck_assert_float_eq(out[9], -1);
        ck_assert_int_eq(tare_gather_f32(&array, &range, 1, out), TARE_OK);
        for (int i = 0; i < 6; ++i)
            ck_assert_float_eq(out[i], 20.0F * (float)(6 + i));
        tare_status status = tare_gather_i32(&array, &listed, labels);
        ck_assert_int_eq(status, d < 3 ? TARE_OK : TARE_BAD_DTYPE);
        for (int i = 0; i < 9 && d < 3; ++i)
            ck_assert_int_eq(labels[i], 20 * (3 * rows[i / 3] + i % 3));
        tare_array_fini(NULL, &array);
    }
}
END_TEST

START_TEST(rows_and_labels_out_of_range_are_refused)
{
    tare_array array = numbered(TARE_I64);
    int32_t labels[12];
    float out[12];
    tare_batch range = {.count = 2, .first = 3}, all = {.count = 4};
    ck_assert_int_eq(tare_gather_i32(&array, &range, labels), TARE_BAD_ARGUMENT);
    assert_error_has("row 4", "4 rows");
    range.first = -1;
    ck_assert_int_eq(tare_gather_f32(&array, &range, 1, out), TARE_BAD_ARGUMENT);
    ((int64_t *)array.data)[7] = (int64_t)1 << 31;
    ck_assert_int_eq(tare_gather_i32(&array, &all, labels), TARE_BAD_DATA);
    assert_error_has("row 2", "2147483648");
    array.dtype = TARE_BYTES;
    ck_assert_int_eq(tare_gather_f32(&array, &all, 1, out), TARE_BAD_DTYPE);
    tare_array_fini(NULL, &array);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    for (int64_t fail_at = 1; fail_at <= 2; ++fail_at) {
        tare_memory memory = {.fail_at = fail_at};
        tare_batches batches;
        ck_assert_int_eq(tare_batches_init(&batches, &memory, 10, 4, TARE_LAST_ROLL_OVER, true, 1), TARE_NO_MEMORY);
        assert_nothing_live(&memory);
    }
}
END_TEST

SCRATCH_MAIN("batches", kept_and_dropped_epochs_have_each_row_once, rolled_rows_open_the_next_epoch,
             epoch_and_position_are_the_whole_state, unshuffled_batches_are_ranges, what_makes_no_sense_is_refused,
             rows_are_gathered_and_scaled, rows_and_labels_out_of_range_are_refused, every_allocation_may_fail)
