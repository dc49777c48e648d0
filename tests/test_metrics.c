/* test_metrics.c - accuracy, MSE, MAE and r2 against NumPy's and SciPy's (tests/golden/make_metrics.py); outputs as
 * CSV. */
#include <math.h>

#include "../data/csv.h"
#include "../data/metrics.h"
#include "scratch.h"

#include "golden/metrics.h"

static tare_memory memory;

static void near(double is, double wanted, const char *what, int at)
{
    ck_assert_msg(fabs(is - wanted) <= 1e-9 * fmax(1, fabs(wanted)), "%s of case %d: %.17g, not %.17g", what, at, is,
                  wanted);
}

/* However rows are cut into batches, the same bits. */
START_TEST(targets)
{
    for (int i = 0; i < (int)(sizeof golden_targets / sizeof *golden_targets); ++i) {
        const int rows = golden_targets[i].rows, width = golden_targets[i].width;
        const float *y = golden_targets[i].y, *t = golden_targets[i].target;
        double whole = 0;
        for (int batch = rows; batch > 0; batch = batch * 2 / 3) {
            tare_metrics m;
            ck_assert_int_eq(tare_metrics_init(&m, &memory, width), TARE_OK);
            for (int first = 0; first < rows; first += batch)
                tare_metrics_targets(&m, y + first * width, t + first * width,
                                     rows - first < batch ? rows - first : batch);
            near(tare_metrics_mse(&m), golden_targets[i].mse, "MSE", i);
            near(tare_metrics_mae(&m), golden_targets[i].mae, "MAE", i);
            near(tare_metrics_r2(&m), golden_targets[i].r2, "r2", i);
            whole = batch == rows ? tare_metrics_r2(&m) : whole;
            ck_assert(tare_metrics_r2(&m) == whole); /* to the bit */
            ck_assert(isnan(tare_metrics_accuracy(&m)));
            tare_metrics_fini(&m);
        }
    }
    assert_nothing_live(&memory);
}
END_TEST

/* Truth and prediction are not interchangeable: the spread is the truth's. */
START_TEST(r2_is_not_symmetric)
{
    const float truth[] = {0, 1, 2, 3}, y[] = {0, 2, 4, 6};
    double r2[2];
    for (int swapped = 0; swapped < 2; ++swapped) {
        tare_metrics m;
        ck_assert_int_eq(tare_metrics_init(&m, &memory, 1), TARE_OK);
        tare_metrics_targets(&m, swapped ? truth : y, swapped ? y : truth, 4);
        r2[swapped] = tare_metrics_r2(&m);
        tare_metrics_fini(&m);
    }
    near(r2[0], 1 - 14 / 5.0, "r2", 0);
    near(r2[1], 1 - 14 / 20.0, "r2 of swapped arguments", 0);
}
END_TEST

START_TEST(labels)
{
    tare_metrics m;
    ck_assert_int_eq(tare_metrics_init(&m, &memory, 5), TARE_OK);
    tare_metrics_labels(&m, golden_labels.y, golden_labels.label, 20);
    tare_metrics_labels(&m, golden_labels.y + 20 * 5, golden_labels.label + 20, 30);
    near(tare_metrics_accuracy(&m), golden_labels.right / 50.0, "accuracy", 0);
    ck_assert(isnan(tare_metrics_mse(&m)) && isnan(tare_metrics_mae(&m)) && isnan(tare_metrics_r2(&m)));
    tare_metrics_fini(&m);
}
END_TEST

/* Where nothing can be said, nothing is; and NaN is never right. */
START_TEST(edges)
{
    const float same[] = {2, 2, 2}, y[] = {1, 2, 3}, nan[] = {NAN, NAN, NAN, NAN, 1, 0};
    const int32_t label[] = {0, 1};
    tare_metrics m;
    ck_assert_int_eq(tare_metrics_init(&m, &memory, 3), TARE_OK);
    ck_assert(isnan(tare_metrics_accuracy(&m)) && isnan(tare_metrics_r2(&m)) && isnan(tare_metrics_mse(&m)));
    tare_metrics_labels(&m, nan, label, 2);
    near(tare_metrics_accuracy(&m), 0.5, "accuracy", 0);
    tare_metrics_fini(&m);
    ck_assert_int_eq(tare_metrics_init(&m, &memory, 1), TARE_OK);
    tare_metrics_targets(&m, y, same, 3);
    ck_assert(isnan(tare_metrics_r2(&m)));
    near(tare_metrics_mse(&m), 2 / 3.0, "MSE", 0);
    tare_metrics_fini(&m);
    ck_assert_int_eq(tare_metrics_init(&m, &memory, 0), TARE_BAD_ARGUMENT);
    memory.fail_at = memory.n_requests + 1;
    ck_assert_int_eq(tare_metrics_init(&m, &memory, 3), TARE_NO_MEMORY);
    tare_metrics_fini(&m);
    memory = (tare_memory){0};
}
END_TEST

/* ---- CSV -----------------------------------------------------------------------------------------------------*/

START_TEST(csv)
{
    float x[] = {1, -0.5f, 0.1f, 1e-30f, INFINITY, 3e38f};
    double z[] = {0.1, 2};
    const tare_array array = {TARE_F32, 2, {3, 2}, sizeof x, x}, one = {TARE_F64, 1, {2}, sizeof z, z};
    size_t n;
    ck_assert_int_eq(tare_csv_write(&memory, scratch_path("x.csv"), "output", &array), TARE_OK);
    const char *text = (const char *)scratch_get(scratch_path("x.csv"), &n);
    const char *begin = "output0,output1\n1,-0.5\n0.100000001,";
    float back[6];
    ck_assert(n > strlen(begin) && memcmp(text, begin, strlen(begin)) == 0);
    ck_assert_int_eq(sscanf(text, "output0,output1\n%f,%f\n%f,%f\n%f,%f\n", &back[0], &back[1], &back[2], &back[3],
                            &back[4], &back[5]),
                     6);
    ck_assert(memcmp(back, x, sizeof x) == 0);
    ck_assert_int_eq(tare_csv_write(&memory, scratch_path("z.csv"), "y", &one), TARE_OK);
    text = (const char *)scratch_get(scratch_path("z.csv"), &n);
    ck_assert(n == strlen("y0\n0.10000000000000001\n2\n") && memcmp(text, "y0\n0.10000000000000001\n2\n", n) == 0);
    assert_nothing_live(&memory);
}
END_TEST

START_TEST(csv_refused)
{
    float x[] = {1, 2};
    const tare_array scalar = {TARE_F32, 0, {0}, sizeof *x, x}, whole = {TARE_I32, 1, {2}, sizeof x, x},
                     good = {TARE_F32, 2, {1, 2}, sizeof x, x};
    const char *path = scratch_path("x.csv");
    ck_assert_int_eq(tare_csv_write(&memory, path, "y", &scalar), TARE_BAD_SHAPE);
    ck_assert_int_eq(tare_csv_write(&memory, path, "y", &whole), TARE_BAD_DTYPE);
    ck_assert_int_eq(tare_csv_write(&memory, "/dev/full", "y", &good), TARE_IO);
    for (memory.fail_at = 1; tare_csv_write(&memory, path, "y", &good) != TARE_OK; ++memory.fail_at) {
        assert_nothing_live(&memory);
        ck_assert_int_eq(scratch_count(false), 0);
        ck_assert_int_lt(memory.fail_at, 20);
        memory.n_requests = 0;
    }
    ck_assert_int_gt(memory.fail_at, 2);
    memory = (tare_memory){0};
}
END_TEST

SCRATCH_MAIN("metrics", targets, r2_is_not_symmetric, labels, edges, csv, csv_refused)
