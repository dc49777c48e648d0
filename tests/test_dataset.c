/* test_dataset.c - folders recognised, and refused with what was found and what is missing. */
#include "../data/digits.h"
#include "../data/formats.h"
#include "../data/idx.h"
#include "../data/npy.h"
#include "../data/regression.h"
#include "dataset.h"

#define TRAIN_X "train-images-idx3-ubyte"
#define TRAIN_Y "train-labels-idx1-ubyte"
#define TEST_X  "t10k-images-idx3-ubyte"
#define TEST_Y  "t10k-labels-idx1-ubyte"

static void make_digits(void)
{
    ck_assert_msg(tare_digits_write(NULL, scratch_folder, 1, 30) == TARE_OK, "%s", tare_error_text());
}

/* Replaces a file by one of these elements. */
static void replace(const char *name, tare_dtype dtype, int rank, const int64_t *dims, int value)
{
    tare_array array;
    ck_assert_int_eq(tare_array_init(NULL, dtype, rank, dims, &array), TARE_OK);
    memset(array.data, 0, array.bytes);
    for (int64_t i = 0; dtype == TARE_U8 && i < tare_array_count(&array); ++i)
        ((unsigned char *)array.data)[i] = (unsigned char)value;
    const char *path = scratch_path(name);
    const tare_format *format = tare_format_of(path);
    ck_assert_ptr_nonnull(format);
    ck_assert_msg(format->write(NULL, path, &array) == TARE_OK, "%s", tare_error_text());
    tare_array_fini(NULL, &array);
}

static void assert_refused(const char *path, unsigned parts, tare_status status, const char *first, const char *second)
{
    tare_memory memory = {0};
    tare_dataset dataset = {.layout = "untouched"};
    ck_assert_int_eq(tare_dataset_open(&memory, path, parts, &dataset), status);
    assert_error_has(first, second);
    ck_assert_str_eq(dataset.layout, "untouched");
    assert_nothing_live(&memory);
}

static void assert_opens(const char *path, unsigned parts, const char *layout)
{
    tare_memory memory = {0};
    tare_dataset dataset;
    ck_assert_msg(tare_dataset_open(&memory, path, parts, &dataset) == TARE_OK, "%s", tare_error_text());
    ck_assert_str_eq(dataset.layout, layout);
    ck_assert_int_eq(dataset.train.x.data != NULL, (parts & TARE_DATASET_TRAIN) != 0);
    ck_assert_int_eq(dataset.test.y.data != NULL, (parts & TARE_DATASET_TEST) != 0);
    tare_dataset_fini(&memory, &dataset);
    assert_nothing_live(&memory);
}

START_TEST(mnists_files_are_recognised)
{
    tare_dataset set;
    make_digits();
    ck_assert_msg(tare_dataset_open(NULL, scratch_folder, BOTH, &set) == TARE_OK, "%s", tare_error_text());
    ck_assert_int_eq(set.n_classes, 10);
    ck_assert(set.train.x.dims[0] == 30 && set.train.x.rank == 3 && set.train.x.dtype == TARE_U8);
    ck_assert(set.train.y.dims[0] == 30 && set.train.y.rank == 1 && set.train.y.dtype == TARE_U8);
    ck_assert(set.test.x.dims[0] == 5 && set.test.y.dims[0] == 5);
    tare_dataset_fini(NULL, &set);
    assert_opens(scratch_folder, TARE_DATASET_TEST, "mnist");
    assert_opens(scratch_path(TEST_Y), BOTH, "mnist");
    /* The test part alone needs its own two files only; and each file may be compressed. */
    tare_array images;
    ck_assert_int_eq(tare_idx_read(NULL, scratch_path(TEST_X), &images), TARE_OK);
    ck_assert_int_eq(tare_idx_write(NULL, scratch_path(TEST_X ".gz"), &images), TARE_OK);
    tare_array_fini(NULL, &images);
    ck_assert_int_eq(unlink(scratch_path(TEST_X)), 0);
    assert_opens(scratch_folder, BOTH, "mnist");
    assert_opens(scratch_path(TEST_X ".gz"), BOTH, "mnist");
    ck_assert_int_eq(unlink(scratch_path(TRAIN_X)), 0);
    assert_opens(scratch_folder, TARE_DATASET_TEST, "mnist");
    assert_refused(scratch_folder, BOTH, TARE_NOT_FOUND, TRAIN_Y " is here (3 of its files are)", TRAIN_X);
}
END_TEST

/* As other mirrors spell them, one of them compressed; labels may be missing where that is allowed. */
START_TEST(other_spellings_and_no_labels)
{
    tare_dataset set;
    tare_array images;
    make_digits();
    ck_assert_int_eq(tare_idx_read(NULL, scratch_path(TEST_X), &images), TARE_OK);
    ck_assert_int_eq(tare_idx_write(NULL, scratch_path("t10k-images.idx3-ubyte.gz"), &images), TARE_OK);
    tare_array_fini(NULL, &images);
    ck_assert_int_eq(unlink(scratch_path(TEST_X)), 0);
    ck_assert_int_eq(rename(scratch_path(TRAIN_X), scratch_path("train-images.idx3-ubyte")), 0);
    assert_opens(scratch_folder, BOTH, "mnist");
    assert_opens(scratch_path("t10k-images.idx3-ubyte.gz"), BOTH, "mnist");
    assert_opens(scratch_folder, TARE_DATASET_TEST | TARE_DATASET_UNLABELLED, "mnist");
    ck_assert_int_eq(unlink(scratch_path(TEST_Y)), 0);
    assert_refused(scratch_folder, TARE_DATASET_TEST, TARE_NOT_FOUND, TEST_X " is here", TEST_Y);
    const unsigned unlabelled = TARE_DATASET_TEST | TARE_DATASET_UNLABELLED;
    ck_assert_msg(tare_dataset_open(NULL, scratch_folder, unlabelled, &set) == TARE_OK, "%s", tare_error_text());
    ck_assert(set.test.x.dims[0] == 5 && !set.test.y.data && !set.train.x.data);
    tare_dataset_fini(NULL, &set);
    ck_assert_int_eq(unlink(scratch_path("t10k-images.idx3-ubyte.gz")), 0);
    assert_refused(scratch_folder, unlabelled, TARE_NOT_FOUND, "no data set here", TRAIN_X);
    assert_refused(scratch_folder, TARE_DATASET_UNLABELLED, TARE_BAD_ARGUMENT, "was asked for", "");
}
END_TEST

START_TEST(npy_files_are_recognised)
{
    tare_dataset set;
    ck_assert_int_eq(tare_regression_write(NULL, scratch_folder, 43, 20), TARE_OK);
    ck_assert_msg(tare_dataset_open(NULL, scratch_folder, BOTH, &set) == TARE_OK, "%s", tare_error_text());
    ck_assert_str_eq(set.layout, "npy");
    ck_assert_int_eq(set.n_classes, 0);
    ck_assert(set.train.x.dims[0] == 18 && set.train.x.dims[1] == 1000 && set.train.x.dtype == TARE_F32);
    ck_assert(set.test.y.dims[0] == 2 && set.test.y.dims[1] == 1);
    tare_dataset_fini(NULL, &set);
    /* Two sets in one folder: a file says which. */
    make_digits();
    assert_refused(scratch_folder, BOTH, TARE_BAD_ARGUMENT, "two data sets", "X_train.npy");
    assert_opens(scratch_path("Y_test.npy"), BOTH, "npy");
    assert_opens(scratch_path(TRAIN_X), BOTH, "mnist");
    /* One of them incomplete: the other. */
    ck_assert_int_eq(unlink(scratch_path("X_test.npy")), 0);
    assert_opens(scratch_folder, BOTH, "mnist");
    assert_refused(scratch_path("X_train.npy"), BOTH, TARE_NOT_FOUND, "X_train.npy is here", "X_test.npy");
}
END_TEST

START_TEST(what_is_not_a_data_set_is_named)
{
    assert_refused(scratch_path("none"), BOTH, TARE_NOT_FOUND, "none: cannot be read", "No such file");
    assert_refused(scratch_folder, BOTH, TARE_NOT_FOUND, "no data set here", TRAIN_X);
    assert_refused(scratch_folder, 0, TARE_BAD_ARGUMENT, "was asked for", "");
    make_digits();
    scratch_put(scratch_path("notes.txt"), "x", 1);
    assert_refused(scratch_path("notes.txt"), BOTH, TARE_NOT_FOUND, "notes.txt: not the name", "X_train.npy");
    scratch_put(scratch_path(TRAIN_X), "x", 1);
    assert_refused(scratch_folder, BOTH, TARE_BAD_FILE, TRAIN_X ": offset 1", "magic number");
}
END_TEST

START_TEST(files_that_disagree_are_refused)
{
    static const struct {
        const char *name;
        tare_dtype dtype;
        int rank;
        int64_t dims[3];
        int value;
        const char *says;
    } cases[] = {
        {TRAIN_Y, TARE_U8, 1, {29}, 1, "rows, but"},
        {TRAIN_Y, TARE_U8, 1, {30}, 10, "label 10 of row 0 is not in 0..9"},
        {TEST_Y, TARE_U8, 1, {5}, 255, "label 255 of row 0"},
        {TRAIN_Y, TARE_F32, 1, {30}, 0, "labels must be whole numbers"},
        {TRAIN_Y, TARE_U8, 2, {30, 1}, 0, "labels must be whole numbers"},
        {TEST_X, TARE_U8, 3, {5, 28, 27}, 0, "differ in shape or type"},
        {TEST_X, TARE_F32, 3, {5, 28, 28}, 0, "differ in shape or type"},
        {TEST_X, TARE_U8, 3, {0, 28, 28}, 0, "there are no rows"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        make_digits();
        replace(cases[i].name, cases[i].dtype, cases[i].rank, cases[i].dims, cases[i].value);
        assert_refused(scratch_folder, BOTH, TARE_BAD_DATA, cases[i].name, cases[i].says);
    }
}
END_TEST

START_TEST(formats_are_found_by_name)
{
    int n;
    const tare_format *formats = tare_formats(&n);
    ck_assert_int_eq(n, 2);
    ck_assert_ptr_eq(tare_format_of("a/b/train-images-idx3-ubyte.gz"), &formats[0]);
    ck_assert_ptr_eq(tare_format_of("x.idx"), &formats[0]);
    ck_assert_ptr_eq(tare_format_of("x.npy.gz"), &formats[1]);
    ck_assert_ptr_null(tare_format_of("x.csv"));
    assert_error_has("x.csv: no format", "-ubyte, .idx, .npy");
    ck_assert_ptr_null(tare_format_of(".gz"));
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    make_digits();
    assert_every_allocation_may_fail(10);
}
END_TEST

SCRATCH_MAIN("dataset", mnists_files_are_recognised, other_spellings_and_no_labels, npy_files_are_recognised,
             what_is_not_a_data_set_is_named, files_that_disagree_are_refused, formats_are_found_by_name,
             every_allocation_may_fail)
