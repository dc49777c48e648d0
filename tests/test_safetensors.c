/* test_safetensors.c - safetensors: what is written is read back, byte for byte what the format says; hostile files
 * are refused with file and offset, whatever allocation fails nothing is lost. */
#include "../data/json_private.h"
#include "../data/safetensors.h"

#include "scratch.h"

static tare_memory memory;

static tare_tensors sample(void)
{
    static float weight[6] = {1, -2, 3.5f, 0, -0.0f, 1e30f};
    static int64_t step = 7;
    static uint8_t mask[3] = {1, 0, 255};
    static char name[4][24] = {"dense0.weight", "step", "empty \"quoted\"", "mask"};
    static tare_tensor tensor[] = {
        {name[0], {TARE_F32, 2, {2, 3}, sizeof weight, weight}},
        {name[1], {TARE_I64, 0, {0}, sizeof step, &step}},
        {name[2], {TARE_F64, 2, {0, 5}, 0, weight}},
        {name[3], {TARE_U8, 1, {3}, sizeof mask, mask}},
    };
    static char text[4][24] = {"format", "a \"checkpoint\"", "batches.epoch", ""};
    static tare_metadata metadata[] = {{text[0], text[1]}, {text[2], text[3]}};
    return (tare_tensors){tensor, 4, metadata, 2};
}

static void assert_same(const tare_tensors *a, const tare_tensors *b)
{
    ck_assert_int_eq(a->n, b->n);
    for (int i = 0; i < a->n; ++i) {
        const tare_array *x = &a->tensor[i].array;
        const tare_array *y = tare_tensors_find(b, a->tensor[i].name); /* those without bytes may change places */
        ck_assert_ptr_nonnull(y);
        ck_assert_int_eq(x->dtype, y->dtype);
        ck_assert_int_eq(x->rank, y->rank);
        for (int d = 0; d < x->rank; ++d)
            ck_assert_int_eq(x->dims[d], y->dims[d]);
        ck_assert_uint_eq(x->bytes, y->bytes);
        ck_assert(memcmp(x->data, y->data, x->bytes) == 0);
    }
    ck_assert_int_eq(a->n_metadata, b->n_metadata);
    for (int i = 0; i < a->n_metadata; ++i)
        ck_assert_str_eq(a->metadata[i].text, tare_tensors_text(b, a->metadata[i].key));
    ck_assert_ptr_null(tare_tensors_find(b, "nonsense"));
    ck_assert_ptr_null(tare_tensors_text(b, "nonsense"));
}

START_TEST(round_trip)
{
    const char *path = scratch_path("w.safetensors");
    tare_tensors before = sample(), after = {0};
    ck_assert_int_eq(tare_safetensors_write(&memory, path, &before), TARE_OK);
    ck_assert_int_eq(tare_safetensors_read(&memory, path, &after), TARE_OK);
    assert_same(&before, &after);
    tare_safetensors_free(&memory, &after);
    assert_nothing_live(&memory);
}
END_TEST

/* Against the format, by hand: length, JSON, blanks to a multiple of 8, bytes in order. */
START_TEST(bytes_of_a_file)
{
    float x[2] = {1, 2};
    tare_tensor tensor = {(char[]){"a"}, {TARE_F32, 1, {2}, sizeof x, x}};
    const char *path = scratch_path("a.safetensors");
    ck_assert_int_eq(tare_safetensors_write(&memory, path, &(tare_tensors){.tensor = &tensor, .n = 1}), TARE_OK);
    const char *header = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
    size_t n, padded = (strlen(header) + 7) / 8 * 8;
    const unsigned char *bytes = scratch_get(path, &n);
    ck_assert_uint_eq(n, 8 + padded + 8);
    ck_assert_uint_eq(bytes[0], padded);
    for (int i = 1; i < 8; ++i)
        ck_assert_uint_eq(bytes[i], 0);
    ck_assert(memcmp(bytes + 8, header, strlen(header)) == 0);
    for (size_t i = strlen(header); i < padded; ++i)
        ck_assert_uint_eq(bytes[8 + i], ' ');
    ck_assert(memcmp(bytes + 8 + padded, x, sizeof x) == 0);
}
END_TEST

/* A file with this header and n_data zeros after it. */
static const char *put(const char *header, size_t n_data)
{
    static unsigned char bytes[4096];
    const char *path = scratch_path("hostile.safetensors");
    size_t length = strlen(header);
    memset(bytes, 0, sizeof bytes);
    bytes[0] = (unsigned char)length;
    bytes[1] = (unsigned char)(length >> 8);
    memcpy(bytes + 8, header, length);
    scratch_put(path, bytes, 8 + length + n_data);
    return path;
}

static void refused(const char *header, size_t n_data, const char *why)
{
    tare_tensors set = {0};
    ck_assert_msg(tare_safetensors_read(&memory, put(header, n_data), &set) == TARE_BAD_FILE, "%s", header);
    assert_error_has("hostile.safetensors: offset", why);
    ck_assert_ptr_null(set.tensor);
    assert_nothing_live(&memory);
}

START_TEST(metadata_and_blanks_are_fine)
{
    tare_tensors set = {0};
    const char *path = put("{\"__metadata__\":{\"format\":\"pt\"},\"x\":{\"data_offsets\":[0,4],\"shape\":[1,1],"
                           "\"dtype\":\"I32\"}}   ",
                           4);
    ck_assert_int_eq(tare_safetensors_read(&memory, path, &set), TARE_OK);
    ck_assert_int_eq(set.n, 1);
    ck_assert_str_eq(set.tensor[0].name, "x");
    ck_assert_str_eq(tare_tensors_text(&set, "format"), "pt");
    tare_safetensors_free(&memory, &set);
    ck_assert_int_eq(tare_safetensors_read(&memory, put("{}", 0), &set), TARE_OK);
    ck_assert_int_eq(set.n, 0);
    tare_safetensors_free(&memory, &set);
    assert_nothing_live(&memory);
}
END_TEST

START_TEST(hostile_headers)
{
    refused("[1]", 0, "no JSON object");
    refused("{\"a\":", 0, "no JSON object");
    refused("{\"a\":3}", 0, "dtype");
    refused("{\"__metadata__\":[]}", 0, "no object");
    refused("{\"__metadata__\":{\"k\":\"1\",\"n\":3}}", 0, "no text");
    refused("{\"a\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[0,2]}}", 2, "dtype");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":\"1\",\"data_offsets\":[0,4]}}", 4, "shape");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "shape");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4, "shape");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, "shape");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,16],\"data_offsets\":[0,4]}}", 4, "more bytes");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "do not fit");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}", 4, "do not lie");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, "do not lie");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "do not lie");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "do not begin where");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 8, "belong to no array");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],"
            "\"data_offsets\":[0,4]}}",
            4, "do not begin where");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},\"a\":{\"dtype\":\"F32\",\"shape\":[0],"
            "\"data_offsets\":[0,0]}}",
            0, "no JSON object");
}
END_TEST

/* Every cut of a good file is refused. */
START_TEST(truncated)
{
    tare_tensors set = sample(), read = {0};
    const char *path = scratch_path("whole.safetensors"), *cut = scratch_path("cut.safetensors");
    static unsigned char copy[4096];
    ck_assert_int_eq(tare_safetensors_write(&memory, path, &set), TARE_OK);
    size_t n;
    memcpy(copy, scratch_get(path, &n), 2048);
    ck_assert_uint_lt(n, 2048);
    for (size_t k = 0; k < n; ++k) {
        scratch_put(cut, copy, k);
        ck_assert_msg(tare_safetensors_read(&memory, cut, &read) == TARE_BAD_FILE, "%zu of %zu bytes", k, n);
    }
    memset(copy, 0xff, 8); /* a header of 2^64 - 1 bytes */
    scratch_put(cut, copy, n);
    ck_assert_int_eq(tare_safetensors_read(&memory, cut, &read), TARE_BAD_FILE);
    assert_nothing_live(&memory);
}
END_TEST

static void unwritable(tare_tensor *tensor, int n, tare_metadata *metadata, int n_metadata, tare_status wanted)
{
    const tare_tensors set = {tensor, n, metadata, n_metadata};
    ck_assert_int_eq(tare_safetensors_write(&memory, scratch_path("never.safetensors"), &set), wanted);
}

START_TEST(what_cannot_be_written)
{
    float x = 0;
    tare_tensor twice[] = {{(char[]){"a"}, {TARE_F32, 0, {0}, 4, &x}}, {(char[]){"a"}, {TARE_F32, 0, {0}, 4, &x}}};
    tare_tensor bytes = {(char[]){"a"}, {TARE_BYTES, 1, {4}, 4, &x}};
    tare_tensor reserved = {(char[]){"__metadata__"}, {TARE_F32, 0, {0}, 4, &x}};
    tare_metadata same[] = {{(char[]){"k"}, (char[]){"1"}}, {(char[]){"k"}, (char[]){"2"}}};
    tare_metadata no_text = {(char[]){"k"}, (char[]){"\xff"}};
    unwritable(twice, 2, NULL, 0, TARE_BAD_ARGUMENT);
    unwritable(&bytes, 1, NULL, 0, TARE_BAD_DTYPE);
    unwritable(&reserved, 1, NULL, 0, TARE_BAD_ARGUMENT);
    unwritable(twice, 1, same, 2, TARE_BAD_ARGUMENT);
    unwritable(twice, 1, &no_text, 1, TARE_BAD_ARGUMENT);
    ck_assert_int_eq(tare_safetensors_write(&memory, "/dev/full", &(tare_tensors){.tensor = twice, .n = 1}), TARE_IO);
    ck_assert_int_eq(tare_safetensors_read(&memory, scratch_path("never.safetensors"), &(tare_tensors){0}),
                     TARE_NOT_FOUND);
    ck_assert_int_eq(scratch_count(false), 0);
    assert_nothing_live(&memory);
}
END_TEST

/* RFC 3629: every first and last character of each length, and what lies just outside. */
START_TEST(utf8)
{
    static const char *const good[] = {"",
                                       "\x01\x7f",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "a\xc3\xa9z"};
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2\x41",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xe1\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xf1\x80\x80",
                                      "ok\xfe"};
    for (size_t i = 0; i < sizeof good / sizeof *good; ++i)
        ck_assert_msg(tare__json_is_utf8(good[i]), "%zu", i);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i)
        ck_assert_msg(!tare__json_is_utf8(bad[i]), "%zu", i);
}
END_TEST

START_TEST(every_allocation_failing)
{
    tare_tensors set = sample(), read = {0};
    const char *path = scratch_path("w.safetensors");
    tare_status status = TARE_NO_MEMORY;
    for (int64_t k = 1; status != TARE_OK; ++k) {
        memory = (tare_memory){.fail_at = k};
        status = tare_safetensors_write(&memory, path, &set);
        ck_assert(status == TARE_OK || status == TARE_NO_MEMORY);
        assert_nothing_live(&memory);
        ck_assert_int_lt(k, 100);
    }
    status = TARE_NO_MEMORY;
    for (int64_t k = 1; status != TARE_OK; ++k) {
        memory = (tare_memory){.fail_at = k};
        status = tare_safetensors_read(&memory, path, &read);
        ck_assert(status == TARE_OK || status == TARE_NO_MEMORY);
        tare_safetensors_free(&memory, &read);
        assert_nothing_live(&memory);
        ck_assert_int_lt(k, 100);
    }
    memory = (tare_memory){0};
}
END_TEST

SCRATCH_MAIN("safetensors", round_trip, bytes_of_a_file, metadata_and_blanks_are_fine, hostile_headers, truncated,
             what_cannot_be_written, utf8, every_allocation_failing)
