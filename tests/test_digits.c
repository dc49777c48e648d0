/* test_digits.c - the generated data sets: the same bytes from the same seed, balanced, not constant. */
#include <signal.h>
#include <sys/resource.h>

#include "../core/random.h"
#include "../data/digits.h"
#include "../data/formats.h"
#include "../data/idx.h"
#include "../data/npy.h"
#include "../data/regression.h"
#include "scratch.h"

static uint64_t digest(const unsigned char *bytes, size_t n)
{
    uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */
    for (size_t i = 0; i < n; ++i)
        hash = (hash ^ bytes[i]) * 0x100000001b3;
    return hash;
}

static uint64_t file_digest(const char *name)
{
    size_t n;
    const unsigned char *bytes = scratch_get(scratch_path(name), &n);
    return digest(bytes, n);
}

static tare_array read_idx(const char *name)
{
    tare_array array;
    ck_assert_msg(tare_idx_read(NULL, scratch_path(name), &array) == TARE_OK, "%s", tare_error_text());
    return array;
}

/* The value was recorded on x86-64 (gcc 12 and clang 14 agree, at every level of optimisation): it is here
 * so that a machine or compiler that renders other bytes is found out. */
START_TEST(the_bytes_are_those_of_the_seed)
{
    ck_assert_int_eq(tare_digits_write(NULL, scratch_folder, 7, 300), TARE_OK);
    uint64_t images = file_digest("train-images-idx3-ubyte"), labels = file_digest("train-labels-idx1-ubyte");
    ck_assert_msg(images == 0x10e796512cd86e19, "images: %016llx", (unsigned long long)images);
    ck_assert_msg(labels == 0x5b5efb7ff9109b6f, "labels: %016llx", (unsigned long long)labels);
    ck_assert_int_eq(tare_digits_write(NULL, scratch_folder, 7, 300), TARE_OK);
    ck_assert(file_digest("train-images-idx3-ubyte") == images);
    ck_assert_int_eq(tare_digits_write(NULL, scratch_folder, 8, 300), TARE_OK);
    ck_assert(file_digest("train-images-idx3-ubyte") != images);
    ck_assert(file_digest("train-labels-idx1-ubyte") != labels);
}
END_TEST

START_TEST(classes_are_balanced_and_shuffled)
{
    ck_assert_int_eq(tare_digits_write(NULL, scratch_folder, 7, 1003), TARE_OK);
    static const char *const names[] = {"train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"};
    for (int part = 0; part < 2; ++part) {
        tare_array labels = read_idx(names[part]);
        int64_t n = labels.dims[0], times[10] = {0}, in_turn = 0;
        ck_assert_int_eq(n, part ? 167 : 1003);
        const unsigned char *label = labels.data;
        for (int64_t i = 0; i < n; ++i) {
            ck_assert_uint_lt(label[i], 10);
            ++times[label[i]];
            in_turn += label[i] == i % 10;
        }
        for (int k = 0; k < 10; ++k)
            ck_assert(times[k] == n / 10 || times[k] == n / 10 + 1);
        ck_assert_int_lt(in_turn, n / 4);
        tare_array_fini(NULL, &labels);
    }
}
END_TEST

/* Mean image of each class, [10][784]; and each image has ink. */
static void mean_images(const tare_array *images, const tare_array *labels, double (*mean)[784])
{
    int64_t times[10] = {0};
    memset(mean, 0, 10 * sizeof *mean);
    for (int64_t i = 0; i < images->dims[0]; ++i) {
        const unsigned char *pixel = (const unsigned char *)images->data + 784 * i;
        int label = ((const unsigned char *)labels->data)[i], brightest = 0;
        ++times[label];
        for (int j = 0; j < 784; ++j) {
            mean[label][j] += pixel[j];
            brightest = pixel[j] > brightest ? pixel[j] : brightest;
        }
        ck_assert_int_gt(brightest, 100);
    }
    for (int k = 0; k < 10; ++k)
        for (int j = 0; j < 784; ++j)
            mean[k][j] /= (double)times[k];
}

/* A net can learn them: even the nearest mean image of the training part names most unseen images (a
 * tenth by chance), though it cannot name nearly all. And no image is there twice. */
START_TEST(images_vary_and_their_labels_are_theirs)
{
    static double mean[10][784];
    ck_assert_int_eq(tare_digits_write(NULL, scratch_folder, 1, 2000), TARE_OK);
    tare_array x = read_idx("train-images-idx3-ubyte"), y = read_idx("train-labels-idx1-ubyte");
    tare_array test_x = read_idx("t10k-images-idx3-ubyte"), test_y = read_idx("t10k-labels-idx1-ubyte");
    ck_assert_int_eq(x.rank, 3);
    ck_assert(x.dims[0] == 2000 && x.dims[1] == 28 && x.dims[2] == 28 && test_x.dims[0] == 333);
    mean_images(&x, &y, mean);
    int64_t n_right = 0;
    for (int64_t i = 0; i < test_x.dims[0]; ++i) {
        const unsigned char *pixel = (const unsigned char *)test_x.data + 784 * i;
        int nearest = 0;
        double least = 1e300;
        for (int k = 0; k < 10; ++k) {
            double distance = 0;
            for (int j = 0; j < 784; ++j)
                distance += (pixel[j] - mean[k][j]) * (pixel[j] - mean[k][j]);
            if (distance < least) {
                least = distance;
                nearest = k;
            }
        }
        n_right += nearest == ((const unsigned char *)test_y.data)[i];
        for (int64_t j = 0; j < x.dims[0]; ++j)
            ck_assert_mem_ne(pixel, (const unsigned char *)x.data + 784 * j, 784);
    }
    double share = (double)n_right / (double)test_x.dims[0];
    ck_assert_msg(share > 0.6 && share < 0.95, "%g", share);
    tare_array_fini(NULL, &x);
    tare_array_fini(NULL, &y);
    tare_array_fini(NULL, &test_x);
    tare_array_fini(NULL, &test_y);
}
END_TEST

/* The target of each row, from the files and the recipe's weights. */
START_TEST(regression_is_the_recipe)
{
    enum { K = TARE_REGRESSION_INPUTS };
    float slope[K], offset[K];
    tare_random_normal(slope, K, 42, (uint64_t)1 << 63, 0, 1);
    tare_random_normal(offset, K, 42, ((uint64_t)1 << 63) + 1, 0, 1);
    ck_assert_int_eq(tare_regression_write(NULL, scratch_folder, 43, 50), TARE_OK);
    static const char *const names[] = {"X_train.npy", "Y_train.npy", "X_test.npy", "Y_test.npy"};
    tare_array a[4];
    for (int i = 0; i < 4; ++i) {
        ck_assert_msg(tare_npy_read(NULL, scratch_path(names[i]), &a[i]) == TARE_OK, "%s", tare_error_text());
        ck_assert(a[i].dtype == TARE_F32 && a[i].rank == 2);
        ck_assert_int_eq(a[i].dims[0], i < 2 ? 45 : 5);
        ck_assert_int_eq(a[i].dims[1], i % 2 ? 1 : K);
    }
    double square = 0;
    for (int part = 0; part < 2; ++part)
        for (int64_t r = 0; r < a[2 * part].dims[0]; ++r) {
            const float *x = (const float *)a[2 * part].data + K * r;
            double sum = 0;
            for (int i = 0; i < K; ++i) {
                sum += (double)slope[i] * (double)x[i] + (double)offset[i];
                square += (double)x[i] * (double)x[i];
            }
            ck_assert_float_eq(((const float *)a[2 * part + 1].data)[r], (float)sum);
        }
    ck_assert_double_eq_tol(square / (50 * K), 1, 0.03);
    for (int i = 0; i < 4; ++i)
        tare_array_fini(NULL, &a[i]);
}
END_TEST

START_TEST(kinds_are_found_by_name_and_all_write)
{
    int n;
    const tare_data_kind *kinds = tare_data_kinds(&n);
    for (int i = 0; i < n; ++i) {
        ck_assert_ptr_eq(tare_data_kind_find(kinds[i].name), &kinds[i]);
        ck_assert_int_eq(kinds[i].write(NULL, scratch_folder, kinds[i].seed_default, 20), TARE_OK);
        ck_assert_int_ge(scratch_count(true), 4);
        ck_assert_int_eq(kinds[i].write(NULL, scratch_folder, 1, 0), TARE_BAD_ARGUMENT);
        assert_error_has(kinds[i].name, "count of 0");
        ck_assert_int_eq(kinds[i].write(NULL, "/dev/null/x", 1, 20), TARE_IO);
        ck_assert_int_eq(scratch_count(false), 0);
    }
    ck_assert_ptr_null(tare_data_kind_find("digit"));
    assert_error_has("'digit'", "digits, cifar, regression");
}
END_TEST

/* The disk is full in the midst of the largest file: none of the four is left. */
START_TEST(a_full_disk_leaves_nothing)
{
    int n;
    const tare_data_kind *kinds = tare_data_kinds(&n);
    struct rlimit former, limit;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &former), 0);
    limit = former;
    limit.rlim_cur = 150000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (int i = 0; i < n; ++i) {
        ck_assert_int_eq(kinds[i].write(NULL, scratch_folder, 1, 400), TARE_IO);
        assert_error_has("cannot be written", "File too large");
        ck_assert_int_eq(scratch_count(false), 0);
    }
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &former), 0);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    int n;
    const tare_data_kind *kinds = tare_data_kinds(&n);
    for (int i = 0; i < n; ++i) {
        tare_memory memory = {0};
        tare_status status = kinds[i].write(&memory, scratch_folder, 1, 12);
        ck_assert_int_eq(status, TARE_OK);
        const int n_files = scratch_count(true);
        status = TARE_NO_MEMORY;
        for (memory.fail_at = 1; status == TARE_NO_MEMORY; ++memory.fail_at) {
            memory.n_requests = 0;
            status = kinds[i].write(&memory, scratch_folder, 1, 12);
            assert_nothing_live(&memory);
            ck_assert_int_eq(scratch_count(false), status == TARE_OK ? n_files : 0);
        }
        ck_assert_int_eq(status, TARE_OK);
        ck_assert_int_gt(memory.fail_at, 10);
        scratch_count(true);
    }
}
END_TEST

SCRATCH_MAIN("digits", the_bytes_are_those_of_the_seed, classes_are_balanced_and_shuffled,
             images_vary_and_their_labels_are_theirs, regression_is_the_recipe, kinds_are_found_by_name_and_all_write,
             a_full_disk_leaves_nothing, every_allocation_may_fail)
