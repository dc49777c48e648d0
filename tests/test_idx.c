/* test_idx.c - IDX files, plain and compressed, and the writer beneath them. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zlib.h>

#include "../data/idx.h"
#include "../data/writer.h"
#include "scratch.h"

static const char *make(const char *name, const void *bytes, size_t n)
{
    const char *path = scratch_path(name);
    size_t length = strlen(name);
    if (length < 3 || strcmp(name + length - 3, ".gz") != 0) {
        scratch_put(path, bytes, n);
        return path;
    }
    gzFile file = gzopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(gzwrite(file, bytes, (unsigned)n), (int)n);
    ck_assert_int_eq(gzclose(file), Z_OK);
    return path;
}

/* Each type by hand: the bytes of the file and the values in them. */
START_TEST(every_type_is_read)
{
    static const struct {
        const char *bytes;
        size_t n;
        tare_dtype dtype;
        double values[2];
    } cases[] = {
        {"\0\0\x08\1\0\0\0\2\x05\xff", 10, TARE_U8, {5, 255}},
        {"\0\0\x09\1\0\0\0\2\x05\xff", 10, TARE_I32, {5, -1}},
        {"\0\0\x0b\1\0\0\0\2\x01\x02\xff\xfe", 12, TARE_I32, {258, -2}},
        {"\0\0\x0c\1\0\0\0\2\0\1\0\0\xff\xff\xff\xfd", 16, TARE_I32, {65536, -3}},
        {"\0\0\x0d\1\0\0\0\2\x3f\xc0\0\0\xc0\0\0\0", 16, TARE_F32, {1.5, -2}},
        {"\0\0\x0e\1\0\0\0\2\x3f\xf8\0\0\0\0\0\0\xc0\0\0\0\0\0\0\0", 24, TARE_F64, {1.5, -2}},
    };
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; ++i) {
        size_t c = i / 2;
        const char *path = make(i % 2 ? "x.gz" : "x", cases[c].bytes, cases[c].n);
        tare_memory memory = {0};
        tare_array array;
        ck_assert_msg(tare_idx_read(&memory, path, &array) == TARE_OK, "%s", tare_error_text());
        ck_assert_int_eq(array.dtype, cases[c].dtype);
        ck_assert_int_eq(array.rank, 1);
        ck_assert_int_eq(array.dims[0], 2);
        for (int j = 0; j < 2; ++j) {
            double value = array.dtype == TARE_U8    ? ((unsigned char *)array.data)[j]
                           : array.dtype == TARE_I32 ? ((int32_t *)array.data)[j]
                           : array.dtype == TARE_F32 ? (double)((float *)array.data)[j]
                                                     : ((double *)array.data)[j];
            ck_assert_double_eq(value, cases[c].values[j]);
        }
        /* What we write of it is the same file again, where the type is one that is written. */
        if (cases[c].bytes[2] != 9 && cases[c].bytes[2] != 11 && i % 2 == 0) {
            size_t n;
            ck_assert_int_eq(tare_idx_write(&memory, path, &array), TARE_OK);
            const unsigned char *again = scratch_get(path, &n);
            ck_assert_uint_eq(n, cases[c].n);
            ck_assert_mem_eq(again, cases[c].bytes, n);
        }
        tare_array_fini(&memory, &array);
        assert_nothing_live(&memory);
    }
}
END_TEST

/* More than every buffer and than what is taken on a mere claim; compressible and not. */
START_TEST(large_ones_go_round)
{
    tare_memory memory = {0};
    tare_array array, again;
    ck_assert_int_eq(tare_array_init(&memory, TARE_F64, 3, (int64_t[]){61, 59, 97}, &array), TARE_OK);
    uint64_t *bits = array.data;
    for (int64_t i = 0; i < tare_array_count(&array); ++i)
        bits[i] = i % 7 ? (uint64_t)i * 0x9E3779B97F4A7C15 : 0;
    static const char *const names[] = {"a-idx3-double", "a-idx3-double.gz"};
    for (int i = 0; i < 2; ++i) {
        ck_assert_int_eq(tare_idx_write(&memory, scratch_path(names[i]), &array), TARE_OK);
        ck_assert_msg(tare_idx_read(&memory, scratch_path(names[i]), &again) == TARE_OK, "%s", tare_error_text());
        ck_assert_int_eq(again.rank, 3);
        ck_assert_mem_eq(again.dims, array.dims, sizeof array.dims);
        ck_assert_mem_eq(again.data, array.data, array.bytes);
        tare_array_fini(&memory, &again);
    }
    struct stat plain, compressed;
    ck_assert_int_eq(stat(scratch_path(names[0]), &plain), 0);
    ck_assert_int_eq(stat(scratch_path(names[1]), &compressed), 0);
    ck_assert_int_eq(plain.st_size, (int64_t)array.bytes + 16);
    ck_assert_int_lt(compressed.st_size, plain.st_size);
    tare_array_fini(&memory, &array);
    assert_nothing_live(&memory);
}
END_TEST

static const char small[] = "\0\0\x08\2\0\0\0\2\0\0\0\3abcdef";
enum { N_SMALL = 18 };

START_TEST(corrupt_headers_are_refused_with_offset_and_reason)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *says, *says_compressed;
    } cases[] = {
        {"\1\0\x08\1\0\0\0\1a", 9, "offset 0: not an IDX file", "offset 0: not an IDX file"},
        {"\0\0\x0a\1\0\0\0\1a", 9, "offset 2: IDX has no element type 0a", "offset 2: IDX has no element type 0a"},
        {"\0\0\x08\0a", 5, "offset 3: rank 0", "offset 3: rank 0"},
        {"\0\0\x08\7\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1a", 33, "offset 3: rank 7",
         "offset 3: rank 7"},
        {"\0\0\x08\2\xff\xff\xff\xff\xff\xff\xff\xff"
         "abc",
         15, "offset 12: the dimensions make more bytes", "offset 12: the dimensions make more bytes"},
        {"\0\0\x08\2\0\xff\xff\xff\0\xff\xff\xff"
         "abc",
         15, "offset 12: the dimensions ask for 281474943156225 bytes, the file has 3",
         "offset 15: the file ends inside its elements"},
        {"\0\0\x08\1\0\0\0\1ab", 10, "offset 8: the dimensions ask for 1 bytes, the file has 2",
         "offset 9: bytes follow"},
    };
    tare_memory memory = {0};
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; ++i) {
        tare_array array = {.rank = -7};
        const char *path = make(i % 2 ? "bad.gz" : "bad", cases[i / 2].bytes, cases[i / 2].n);
        ck_assert_int_eq(tare_idx_read(&memory, path, &array), TARE_BAD_FILE);
        assert_error_has(path, i % 2 ? cases[i / 2].says_compressed : cases[i / 2].says);
        ck_assert_int_eq(array.rank, -7);
    }
    assert_nothing_live(&memory);
    /* A header that claims 2^48 bytes took no more than the first share. */
    ck_assert_int_lt(memory.bytes_peak[TARE_MEMORY_INPUT], 3 << 20);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
    tare_memory memory = {0};
    tare_array array;
    for (int compressed = 0; compressed < 2; ++compressed) {
        size_t n;
        unsigned char bytes[256];
        memcpy(bytes, scratch_get(make(compressed ? "whole.gz" : "whole", small, N_SMALL), &n), sizeof bytes);
        for (size_t cut = 0; cut < n; ++cut) {
            scratch_put(scratch_path("cut"), bytes, cut);
            ck_assert_int_eq(tare_idx_read(&memory, scratch_path("cut"), &array), TARE_BAD_FILE);
            assert_error_has("cut: offset ", "");
        }
        /* And one byte too many, also behind the compressed data. */
        bytes[n] = 'x';
        scratch_put(scratch_path("cut"), bytes, n + 1);
        ck_assert_int_eq(tare_idx_read(&memory, scratch_path("cut"), &array), TARE_BAD_FILE);
    }
    assert_nothing_live(&memory);
}
END_TEST

/* Whatever byte of the compressed file is wrong: refused, or (name and time in gzip's header) harmless. */
START_TEST(corrupt_compressed_data_is_refused)
{
    size_t n;
    unsigned char bytes[256];
    memcpy(bytes, scratch_get(make("whole.gz", small, N_SMALL), &n), sizeof bytes);
    tare_memory memory = {0};
    int n_refused = 0;
    for (size_t i = 0; i < n; ++i) {
        tare_array array = {0};
        bytes[i] ^= 0x55;
        scratch_put(scratch_path("wrong"), bytes, n);
        bytes[i] ^= 0x55;
        if (tare_idx_read(&memory, scratch_path("wrong"), &array) == TARE_OK)
            ck_assert_mem_eq(array.data, small + 12, 6);
        else
            ++n_refused;
        tare_array_fini(&memory, &array);
        assert_nothing_live(&memory);
    }
    ck_assert_int_ge(n_refused, (int)n - 6);
}
END_TEST

START_TEST(members_in_a_row_are_one_file)
{
    size_t n_first, n_second;
    unsigned char bytes[512];
    memcpy(bytes, scratch_get(make("first.gz", small, 15), &n_first), 256);
    memcpy(bytes + n_first, scratch_get(make("second.gz", small + 15, N_SMALL - 15), &n_second), 256);
    scratch_put(scratch_path("both"), bytes, n_first + n_second);
    tare_array array;
    ck_assert_msg(tare_idx_read(NULL, scratch_path("both"), &array) == TARE_OK, "%s", tare_error_text());
    ck_assert_mem_eq(array.data, small + 12, 6);
    tare_array_fini(NULL, &array);
}
END_TEST

START_TEST(what_idx_cannot_hold_is_refused)
{
    tare_array array;
    ck_assert_int_eq(tare_array_init(NULL, TARE_I64, 1, (int64_t[]){1}, &array), TARE_OK);
    ck_assert_int_eq(tare_idx_write(NULL, scratch_path("x"), &array), TARE_BAD_DTYPE);
    array.dtype = TARE_U8;
    array.rank = 0;
    ck_assert_int_eq(tare_idx_write(NULL, scratch_path("x"), &array), TARE_BAD_SHAPE);
    tare_array_fini(NULL, &array);
    ck_assert_int_eq(tare_array_init(NULL, TARE_U8, 2, (int64_t[]){0, (int64_t)1 << 32}, &array), TARE_OK);
    ck_assert_int_eq(tare_idx_write(NULL, scratch_path("x"), &array), TARE_BAD_SHAPE);
    tare_array_fini(NULL, &array);
    ck_assert_int_eq(scratch_count(false), 0);
    ck_assert_int_eq(tare_array_init(NULL, TARE_U8, 7, (int64_t[]){1, 1, 1, 1, 1, 1, 1}, &array), TARE_BAD_SHAPE);
    ck_assert_int_eq(tare_array_init(NULL, TARE_U8, 1, (int64_t[]){-1}, &array), TARE_BAD_SHAPE);
}
END_TEST

/* The disk is full after 100 000 bytes: nothing is left, and what was there under the name still is. */
START_TEST(a_full_disk_leaves_the_former_file)
{
    static const char *const names[] = {"kept", "kept.gz"};
    tare_memory memory = {0};
    tare_array array;
    ck_assert_int_eq(tare_array_init(&memory, TARE_I32, 1, (int64_t[]){100000}, &array), TARE_OK);
    for (int i = 0; i < 100000; ++i)
        ((uint32_t *)array.data)[i] = (uint32_t)i * 2654435761U;
    for (int i = 0; i < 2; ++i)
        make(names[i], small, N_SMALL);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit former, limit;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &former), 0);
    limit = former;
    limit.rlim_cur = 100000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (int i = 0; i < 2; ++i) {
        ck_assert_int_eq(tare_idx_write(&memory, scratch_path(names[i]), &array), TARE_IO);
        assert_error_has("cannot be written", "File too large");
    }
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &former), 0);
    tare_array_fini(&memory, &array);
    ck_assert_int_eq(scratch_count(false), 2);
    for (int i = 0; i < 2; ++i) {
        ck_assert_int_eq(tare_idx_read(&memory, scratch_path(names[i]), &array), TARE_OK);
        ck_assert_mem_eq(array.data, small + 12, 6);
        tare_array_fini(&memory, &array);
    }
    ck_assert_int_eq(tare_array_init(&memory, TARE_U8, 1, (int64_t[]){1}, &array), TARE_OK);
    ck_assert_int_eq(tare_idx_write(&memory, "/dev/full", &array), TARE_IO);
    assert_error_has("/dev/full: cannot be written", "No space left");
    tare_array_fini(&memory, &array);
    assert_nothing_live(&memory);
}
END_TEST

START_TEST(writers_that_close_together_all_appear_or_none)
{
    tare_memory memory = {0};
    tare_writer writers[3];
    for (int full = 0; full < 2; ++full) {
        ck_assert_int_eq(tare_writer_open(&writers[0], &memory, scratch_path("one")), TARE_OK);
        ck_assert_int_eq(tare_writer_open(&writers[1], &memory, full ? "/dev/full" : "/dev/null"), TARE_OK);
        ck_assert_int_eq(tare_writer_open(&writers[2], &memory, scratch_path("two")), TARE_OK);
        for (int i = 0; i < 3; ++i)
            ck_assert_int_eq(tare_writer_put(&writers[i], "abc", 3), TARE_OK);
        ck_assert_int_eq(tare_writer_close_all(writers, 3), full ? TARE_IO : TARE_OK);
        assert_nothing_live(&memory);
        ck_assert_int_eq(scratch_count(true), full ? 0 : 2);
    }
}
END_TEST

START_TEST(folders_are_made_where_they_can_be)
{
    char deep[512];
    snprintf(deep, sizeof deep, "%s/a/b", scratch_folder);
    ck_assert_int_eq(tare_folder_make(NULL, deep), TARE_OK);
    ck_assert_int_eq(tare_folder_make(NULL, deep), TARE_OK);
    ck_assert_int_eq(rmdir(deep), 0);
    ck_assert_int_eq(rmdir(scratch_path("a")), 0);
    make("file", small, N_SMALL);
    ck_assert_int_eq(tare_folder_make(NULL, scratch_path("file")), TARE_IO);
    assert_error_has("file: this folder cannot be made", "File exists");
    ck_assert_int_eq(tare_folder_make(NULL, scratch_path("file/b")), TARE_IO);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    make("from.gz", small, N_SMALL);
    tare_memory memory = {0};
    tare_status status = TARE_NO_MEMORY;
    for (memory.fail_at = 1; status == TARE_NO_MEMORY; ++memory.fail_at) {
        tare_array array = {0};
        memory.n_requests = 0;
        status = tare_idx_read(&memory, scratch_path("from.gz"), &array);
        if (status == TARE_OK)
            status = tare_idx_write(&memory, scratch_path("to.gz"), &array);
        tare_array_fini(&memory, &array);
        assert_nothing_live(&memory);
        ck_assert_int_eq(scratch_count(false), status == TARE_OK ? 2 : 1);
    }
    ck_assert_int_eq(status, TARE_OK);
    ck_assert_int_gt(memory.fail_at, 8);
}
END_TEST

SCRATCH_MAIN("idx", every_type_is_read, large_ones_go_round, corrupt_headers_are_refused_with_offset_and_reason,
             every_truncation_is_refused, corrupt_compressed_data_is_refused, members_in_a_row_are_one_file,
             what_idx_cannot_hold_is_refused, a_full_disk_leaves_the_former_file,
             writers_that_close_together_all_appear_or_none, folders_are_made_where_they_can_be,
             every_allocation_may_fail)
