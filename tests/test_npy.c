/* test_npy.c - .npy files: NumPy's own read and written alike; hostile ones refused with the reason. */
#include "../data/npy.h"
#include "scratch.h"

static const struct {
    const char *name;
    tare_dtype dtype;
    int rank;
    int64_t dims[TARE_ARRAY_RANK_MAX];
    bool as_we_write; /* version 1, little-endian, C order */
} goldens[] = {
    {"f4.npy", TARE_F32, 2, {2, 3}, true},
    {"f8.npy", TARE_F64, 1, {5}, true},
    {"i4.npy", TARE_I32, 4, {2, 1, 3, 2}, true},
    {"i8.npy", TARE_I64, 0, {0}, true},
    {"u1.npy", TARE_U8, 2, {3, 4}, true},
    {"empty.npy", TARE_F32, 2, {0, 3}, true},
    {"big_f4.npy", TARE_F32, 2, {2, 3}, false},
    {"big_i8.npy", TARE_I64, 1, {4}, false},
    {"fortran_f8.npy", TARE_F64, 3, {2, 3, 4}, false},
    {"fortran_big_i4.npy", TARE_I32, 2, {3, 2}, false},
    {"v2.npy", TARE_F32, 2, {2, 3}, false},
    {"v3.npy", TARE_F32, 2, {2, 3}, false},
};
enum { N_GOLDENS = sizeof goldens / sizeof *goldens };

static const char *golden_path(const char *name)
{
    static char path[512];
    const char *slash = strrchr(__FILE__, '/');
    snprintf(path, sizeof path, "%.*sgolden/%s", slash ? (int)(slash + 1 - __FILE__) : 0, __FILE__, name);
    return path;
}

static double element(const tare_array *array, int64_t i)
{
    switch (array->dtype) {
    case TARE_F32:
        return (double)((float *)array->data)[i];
    case TARE_F64:
        return ((double *)array->data)[i];
    case TARE_I32:
        return ((int32_t *)array->data)[i];
    case TARE_I64:
        return (double)((int64_t *)array->data)[i];
    default:
        return ((unsigned char *)array->data)[i];
    }
}

START_TEST(numpys_files_are_read)
{
    tare_memory memory = {0};
    for (int g = 0; g < N_GOLDENS; ++g) {
        tare_array array;
        ck_assert_msg(tare_npy_read(&memory, golden_path(goldens[g].name), &array) == TARE_OK, "%s", tare_error_text());
        ck_assert_int_eq(array.dtype, goldens[g].dtype);
        ck_assert_int_eq(array.rank, goldens[g].rank);
        ck_assert_mem_eq(array.dims, goldens[g].dims, sizeof array.dims);
        int64_t n = 1;
        for (int d = 0; d < array.rank; ++d)
            n *= array.dims[d];
        ck_assert_int_eq(tare_array_count(&array), n);
        for (int64_t i = 0; i < n; ++i)
            ck_assert_double_eq(element(&array, i), (double)(3 * i - (array.dtype == TARE_U8 ? 0 : 4)));
        tare_array_fini(&memory, &array);
    }
    assert_nothing_live(&memory);
}
END_TEST

START_TEST(what_is_written_is_numpys_byte_for_byte)
{
    for (int g = 0; g < N_GOLDENS; ++g) {
        tare_array array, again;
        ck_assert_int_eq(tare_npy_read(NULL, golden_path(goldens[g].name), &array), TARE_OK);
        const char *path = scratch_path(goldens[g].name);
        ck_assert_int_eq(tare_npy_write(NULL, path, &array), TARE_OK);
        if (goldens[g].as_we_write) {
            size_t n, n_golden;
            unsigned char ours[4096];
            const unsigned char *bytes = scratch_get(path, &n);
            ck_assert_uint_le(n, sizeof ours);
            memcpy(ours, bytes, n);
            bytes = scratch_get(golden_path(goldens[g].name), &n_golden);
            ck_assert_uint_eq(n, n_golden);
            ck_assert_mem_eq(ours, bytes, n);
        }
        ck_assert_int_eq(tare_npy_read(NULL, path, &again), TARE_OK);
        ck_assert_uint_eq(again.bytes, array.bytes);
        ck_assert_mem_eq(again.data, array.data, array.bytes);
        tare_array_fini(NULL, &array);
        tare_array_fini(NULL, &again);
    }
}
END_TEST

/* A version 1 file with this dictionary and `n` bytes after it. */
static const char *file_of(const char *dictionary, size_t n)
{
    static unsigned char bytes[8192];
    size_t length = strlen(dictionary);
    ck_assert_uint_lt(10 + length + n, sizeof bytes);
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, "\x93NUMPY\x01", 8);
    bytes[8] = (unsigned char)length;
    bytes[9] = (unsigned char)(length >> 8);
    memcpy(bytes + 10, dictionary, length);
    const char *path = scratch_path("made.npy");
    scratch_put(path, bytes, 10 + length + n);
    return path;
}

/* The dictionary, the bytes that follow it, and what the refusal says (offset and reason). */
static const struct {
    const char *dictionary;
    size_t n;
    const char *says;
} hostile[] = {
    {"", 0, "offset 10: the header is no dictionary"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)", 8, "offset 64: ',' or '}' is missing here"},
    {"{'descr': '<f4', 'fortran_order': False}", 8, "the header lacks"},
    {"{'descr': '<f4', 'descr': '<f4', 'shape': (2,)}", 8, "offset 27: this key is unknown or here twice"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'more': 1}", 8, "unknown or here twice"},
    {"{'descr': '<f2', 'fortran_order': False, 'shape': (2,)}", 4, "offset 20: this element type is not read"},
    {"{'descr': '<c8', 'fortran_order': False, 'shape': (2,)}", 16, "element type is not read"},
    {"{'descr': '|O', 'fortran_order': False, 'shape': (2,)}", 16, "element type is not read"},
    {"{'descr': '|f4', 'fortran_order': False, 'shape': (2,)}", 8, "element type is not read"},
    {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", 8, "offset 20: arrays of records"},
    {"{'descr': '<f4, 'fortran_order': False, 'shape': (2,)}", 8, "offset 20: this element type"},
    {"{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}", 8, "offset 44: True or False is missing"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': 2}", 8, "'(' is missing here"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2)}", 8, "',' or ')' is missing here"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}", 8, "a dimension is missing here"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,,)}", 8, "a dimension is missing here"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1)}", 4, "more than 6 dimensions"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", 8, "this dimension is too large"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", 8, "more bytes than memory"},
    {"{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 0, 4294967296)}", 0, "more bytes than memory"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}", 8,
     "ask for 4000000000000 bytes, the file has 8"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 7, "ask for 8 bytes, the file has 7"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 9, "ask for 8 bytes, the file has 9"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x", 8, "something follows the header"},
    {"{'descr", 0, "this string does not end"},
};

START_TEST(hostile_headers_are_refused_with_offset_and_reason)
{
    tare_memory memory = {0};
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; ++i) {
        tare_array array = {.rank = -7};
        ck_assert_int_eq(tare_npy_read(&memory, file_of(hostile[i].dictionary, hostile[i].n), &array), TARE_BAD_FILE);
        assert_error_has("made.npy: offset ", hostile[i].says);
        ck_assert_int_eq(array.rank, -7);
    }
    assert_nothing_live(&memory);
    int64_t peak = 0;
    for (int i = 0; i < TARE_MEMORY_CATEGORY_COUNT; ++i)
        peak += memory.bytes_peak[i];
    ck_assert_int_lt(peak, 1 << 20);
}
END_TEST

START_TEST(a_header_may_be_written_in_other_ways)
{
    static const char *const dictionaries[] = {
        "{\"shape\":(2,),\"fortran_order\":True,\"descr\":\">f4\"}",
        "  { 'fortran_order' : False , 'shape' : ( 1 , 2 ) , 'descr' : '<f4' , }  \n",
    };
    for (int i = 0; i < 2; ++i) {
        tare_array array;
        ck_assert_msg(tare_npy_read(NULL, file_of(dictionaries[i], 8), &array) == TARE_OK, "%s", tare_error_text());
        ck_assert_int_eq(array.rank, i + 1);
        tare_array_fini(NULL, &array);
    }
}
END_TEST

START_TEST(wrong_magic_version_and_length_are_refused)
{
    static const struct {
        int at;
        unsigned char byte;
        const char *says;
    } changes[] = {{0, 0x92, "offset 0: not an npy file"},
                   {5, 'X', "offset 0: not an npy file"},
                   {6, 0, "offset 6: npy version 0"},
                   {6, 4, "offset 6: npy version 4"},
                   {6, 2, "offset 8: a header of "}};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; ++i) {
        size_t n;
        unsigned char bytes[4096];
        memcpy(bytes, scratch_get(golden_path("f4.npy"), &n), sizeof bytes);
        bytes[changes[i].at] = changes[i].byte;
        scratch_put(scratch_path("changed.npy"), bytes, n);
        tare_array array;
        ck_assert_int_eq(tare_npy_read(NULL, scratch_path("changed.npy"), &array), TARE_BAD_FILE);
        assert_error_has("changed.npy: ", changes[i].says);
    }
}
END_TEST

START_TEST(every_truncation_is_refused)
{
    static const char *const names[] = {"fortran_f8.npy", "v2.npy"};
    tare_memory memory = {0};
    for (int i = 0; i < 2; ++i) {
        size_t n;
        unsigned char bytes[4096];
        memcpy(bytes, scratch_get(golden_path(names[i]), &n), sizeof bytes);
        for (size_t cut = 0; cut < n; ++cut) {
            tare_array array;
            scratch_put(scratch_path("cut.npy"), bytes, cut);
            ck_assert_int_eq(tare_npy_read(&memory, scratch_path("cut.npy"), &array), TARE_BAD_FILE);
            assert_error_has("cut.npy: offset ", "");
        }
    }
    assert_nothing_live(&memory);
}
END_TEST

START_TEST(no_file_no_folder_no_dtype_no_room)
{
    tare_array array;
    ck_assert_int_eq(tare_npy_read(NULL, scratch_path("none.npy"), &array), TARE_NOT_FOUND);
    assert_error_has("none.npy: cannot be read", "No such file");
    ck_assert_int_eq(tare_npy_read(NULL, scratch_folder, &array), TARE_IO);
    ck_assert_int_eq(tare_array_init(NULL, TARE_BYTES, 1, (int64_t[]){4}, &array), TARE_OK);
    ck_assert_int_eq(tare_npy_write(NULL, scratch_path("bytes.npy"), &array), TARE_BAD_DTYPE);
    array.dtype = TARE_U8;
    ck_assert_int_eq(tare_npy_write(NULL, scratch_path("no/folder.npy"), &array), TARE_IO);
    assert_error_has("no/folder.npy: cannot be written", "No such file");
    memset(array.data, 0, array.bytes);
    ck_assert_int_eq(tare_npy_write(NULL, "/dev/full", &array), TARE_IO);
    assert_error_has("/dev/full: cannot be written", "No space left");
    tare_array_fini(NULL, &array);
    ck_assert_int_eq(scratch_count(false), 0);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    tare_memory memory = {0};
    tare_status status = TARE_NO_MEMORY;
    for (memory.fail_at = 1; status == TARE_NO_MEMORY; ++memory.fail_at) {
        tare_array array = {0};
        memory.n_requests = 0;
        status = tare_npy_read(&memory, golden_path("fortran_f8.npy"), &array);
        if (status == TARE_OK)
            status = tare_npy_write(&memory, scratch_path("f8.npy"), &array);
        tare_array_fini(&memory, &array);
        assert_nothing_live(&memory);
    }
    ck_assert_int_eq(status, TARE_OK);
    ck_assert_int_gt(memory.fail_at, 5);
}
END_TEST

SCRATCH_MAIN("npy", numpys_files_are_read, what_is_written_is_numpys_byte_for_byte,
             hostile_headers_are_refused_with_offset_and_reason, a_header_may_be_written_in_other_ways,
             wrong_magic_version_and_length_are_refused, every_truncation_is_refused,
             no_file_no_folder_no_dtype_no_room, every_allocation_may_fail)
