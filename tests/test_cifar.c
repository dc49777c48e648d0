/* test_cifar.c - CIFAR-10's binary files, read whole, in parts and broken; the shapes that are written in their place.
 */
#include "../core/random.h"
#include "../data/cifar.h"
#include "../data/shapes.h"
#include "dataset.h"

enum { RECORD = 1 + TARE_CIFAR_PIXELS };

/* n records: labels `first`, first + 1, ..., pixels that count on from record to record. */
static const char *make(const char *name, int first, int n, int more)
{
    const size_t bytes = (size_t)n * RECORD + (size_t)more;
    unsigned char *data = malloc(bytes + 1);
    for (size_t i = 0; i < bytes; ++i)
        data[i] = (unsigned char)(i % RECORD ? i * 7 : (size_t)first + i / RECORD);
    const char *path = scratch_path(name);
    scratch_put(path, data, bytes);
    free(data);
    return path;
}

static tare_status read_one(tare_memory *memory, const char *path, tare_array *x, tare_array *y)
{
    return tare_cifar_read(memory, &path, 1, x, y);
}

START_TEST(files_are_read_one_after_the_other)
{
    tare_memory memory = {0};
    tare_array x, y;
    char first[256], second[256];
    (void)snprintf(first, sizeof first, "%s", make("a.bin", 2, 3, 0));
    (void)snprintf(second, sizeof second, "%s", make("b.bin", 9, 1, 0));
    const char *const paths[] = {first, second, first};
    ck_assert_msg(tare_cifar_read(&memory, paths, 3, &x, &y) == TARE_OK, "%s", tare_error_text());
    ck_assert(x.rank == 4 && x.dims[0] == 7 && x.dims[1] == 3 && x.dims[2] == 32 && x.dims[3] == 32);
    ck_assert(y.rank == 1 && y.dims[0] == 7 && x.dtype == TARE_U8 && y.dtype == TARE_U8);
    ck_assert(x.bytes == 7 * TARE_CIFAR_PIXELS && y.bytes == 7);
    ck_assert_mem_eq(y.data, ((const unsigned char[]){2, 3, 4, 9, 2, 3, 4}), 7);
    const unsigned char *pixel = x.data;
    for (int i = 0; i < 3; ++i)
        for (int j = 0; j < TARE_CIFAR_PIXELS; ++j)
            ck_assert_uint_eq(pixel[i * TARE_CIFAR_PIXELS + j], (unsigned char)((i * RECORD + 1 + j) * 7));
    ck_assert_mem_eq(pixel, pixel + (ptrdiff_t)4 * TARE_CIFAR_PIXELS, 3 * TARE_CIFAR_PIXELS);
    tare_array_fini(&memory, &x);
    tare_array_fini(&memory, &y);
    assert_nothing_live(&memory);
}
END_TEST

START_TEST(no_records_are_no_rows)
{
    tare_memory memory = {0};
    tare_array x, y;
    ck_assert_int_eq(read_one(&memory, make("none.bin", 0, 0, 0), &x, &y), TARE_OK);
    ck_assert(x.dims[0] == 0 && y.dims[0] == 0 && x.bytes == 0 && y.bytes == 0);
    tare_array_fini(&memory, &x);
    tare_array_fini(&memory, &y);
    assert_nothing_live(&memory);
}
END_TEST

static void assert_refused(const char *path, tare_status status, const char *says)
{
    tare_memory memory = {0};
    tare_array x = {.rank = -7}, y = {.rank = -7};
    ck_assert_int_eq(read_one(&memory, path, &x, &y), status);
    assert_error_has(path, says);
    ck_assert(x.rank == -7 && y.rank == -7);
    assert_nothing_live(&memory);
}

START_TEST(broken_files_are_refused_with_offset_and_reason)
{
    assert_refused(make("short.bin", 0, 0, 1), TARE_BAD_FILE, "offset 1: the file ends inside a record");
    assert_refused(make("cut.bin", 0, 2, RECORD - 1), TARE_BAD_FILE, "offset 9218: the file ends inside a record");
    assert_refused(make("label.bin", 8, 3, 0), TARE_BAD_FILE, "offset 6146: label 10 is not in 0..9");
    assert_refused(make("last.bin", 9, 2, 5), TARE_BAD_FILE, "offset 3073: label 10 is not in 0..9");
    assert_refused(scratch_path("missing.bin"), TARE_NOT_FOUND, "No such file");
    assert_refused(scratch_folder, TARE_IO, "cannot be read");
}
END_TEST

/* Every byte at which a small file may end. */
START_TEST(every_truncation_is_refused)
{
    for (int more = 1; more < RECORD; more += 97)
        assert_refused(make("cut.bin", 0, 1, more), TARE_BAD_FILE, "the file ends inside a record");
}
END_TEST

/* ---- the data set -------------------------------------------------------------------------------------------------*/
START_TEST(a_folder_of_its_files_is_a_data_set)
{
    tare_memory memory = {0};
    tare_dataset set;
    ck_assert_int_eq(tare_shapes_write(&memory, scratch_folder, 3, 53), TARE_OK);
    ck_assert_msg(tare_dataset_open(&memory, scratch_folder, BOTH, &set) == TARE_OK, "%s", tare_error_text());
    ck_assert_str_eq(set.layout, "cifar");
    ck_assert(set.n_classes == 10 && set.train.x.dims[0] == 53 && set.train.y.dims[0] == 53);
    ck_assert(set.test.x.dims[0] == 10 && set.test.y.dims[0] == 10);
    tare_dataset_fini(&memory, &set);
    /* one of its files names it; the test part needs its own alone; labels do no harm where none are needed */
    ck_assert(tare_dataset_names(scratch_path("test_batch.bin")));
    ck_assert_int_eq(tare_dataset_open(&memory, scratch_path("data_batch_1.bin"), BOTH, &set), TARE_OK);
    tare_dataset_fini(&memory, &set);
    ck_assert_int_eq(unlink(scratch_path("data_batch_1.bin")), 0);
    ck_assert_int_eq(tare_dataset_open(&memory, scratch_folder, TARE_DATASET_TEST | TARE_DATASET_UNLABELLED, &set),
                     TARE_OK);
    ck_assert_int_eq(set.test.y.dims[0], 10);
    tare_dataset_fini(&memory, &set);
    ck_assert_int_eq(tare_dataset_open(&memory, scratch_folder, BOTH, &set), TARE_NOT_FOUND);
    assert_error_has("test_batch.bin is here", "data_batch_1.bin (or .gz) is not");
    make("data_batch_1.bin", 0, 2, 0);
    ck_assert_int_eq(unlink(scratch_path("data_batch_4.bin")), 0);
    ck_assert_int_eq(tare_dataset_open(&memory, scratch_folder, BOTH, &set), TARE_NOT_FOUND);
    assert_error_has("data_batch_4.bin", "No such file");
    make("data_batch_4.bin", 0, 1, 9);
    ck_assert_int_eq(tare_dataset_open(&memory, scratch_folder, BOTH, &set), TARE_BAD_FILE);
    make("test_batch.bin", 0, 0, 0);
    ck_assert_int_eq(tare_dataset_open(&memory, scratch_folder, TARE_DATASET_TEST, &set), TARE_BAD_DATA);
    assert_error_has("test_batch.bin", "no rows");
    assert_nothing_live(&memory);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    ck_assert_int_eq(tare_shapes_write(NULL, scratch_folder, 1, 20), TARE_OK);
    assert_every_allocation_may_fail(13);
}
END_TEST

/* ---- the shapes ---------------------------------------------------------------------------------------------------*/
/* The value was recorded on x86-64 (gcc 12 and clang 14 agree): it is here so that a machine or compiler that renders
 * other bytes is found out. */
START_TEST(the_bytes_are_those_of_the_seed)
{
    ck_assert_int_eq(tare_shapes_write(NULL, scratch_folder, 7, 50), TARE_OK);
    uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */
    for (int k = 1; k <= 5; ++k) {
        char name[32];
        size_t n;
        (void)snprintf(name, sizeof name, "data_batch_%d.bin", k);
        const unsigned char *bytes = scratch_get(scratch_path(name), &n);
        ck_assert_uint_eq(n, 10 * RECORD);
        for (size_t i = 0; i < n; ++i)
            hash = (hash ^ bytes[i]) * 0x100000001b3;
    }
    ck_assert_msg(hash == 0x5a70afa8d4f0a87a, "%016llx", (unsigned long long)hash);
}
END_TEST

/* Every class equally often, in no order; no image twice; and the mean image of a class, which is all that colour and
 * place could tell, is that of any other but for noise: no class is told by its colours. */
START_TEST(classes_are_balanced_and_not_told_by_colour)
{
    enum { N = 2000 };
    tare_dataset set;
    ck_assert_int_eq(tare_shapes_write(NULL, scratch_folder, 1, N), TARE_OK);
    ck_assert_int_eq(tare_dataset_open(NULL, scratch_folder, TARE_DATASET_TRAIN, &set), TARE_OK);
    const unsigned char *label = set.train.y.data, *pixel = set.train.x.data;
    int times[10] = {0}, in_turn = 0;
    double mean[10][3] = {{0}};
    for (int i = 0; i < N; ++i) {
        ++times[label[i]];
        in_turn += label[i] == i % 10;
        for (int j = 0; j < TARE_CIFAR_PIXELS; ++j)
            mean[label[i]][j / (32 * 32)] += pixel[(ptrdiff_t)i * TARE_CIFAR_PIXELS + j] / (200.0 * 32 * 32);
        if (i > 0)
            ck_assert_mem_ne(pixel + (ptrdiff_t)i * TARE_CIFAR_PIXELS, pixel, TARE_CIFAR_PIXELS);
    }
    ck_assert_int_lt(in_turn, N / 4);
    for (int k = 0; k < 10; ++k) {
        ck_assert_int_eq(times[k], N / 10);
        for (int c = 0; c < 3; ++c)
            ck_assert_msg(mean[k][c] > 110 && mean[k][c] < 145, "class %d, channel %d: %g", k, c, mean[k][c]);
    }
    tare_dataset_fini(NULL, &set);
}
END_TEST

SCRATCH_MAIN("cifar", files_are_read_one_after_the_other, no_records_are_no_rows,
             broken_files_are_refused_with_offset_and_reason, every_truncation_is_refused,
             a_folder_of_its_files_is_a_data_set, every_allocation_may_fail, the_bytes_are_those_of_the_seed,
             classes_are_balanced_and_not_told_by_colour)
