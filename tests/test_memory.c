/* test_memory.c - statuses and their texts, the version, the books of the one allocator. */
#include <check.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../core/memory.h"
#include "../core/status.h"
#include "../core/version.h"

START_TEST(statuses_have_words)
{
    ck_assert_str_eq(tare_status_name(TARE_OK), "ok");
    ck_assert_str_eq(tare_status_name(TARE_WRONG_THREAD), "used on a thread that does not own it");
    ck_assert_str_eq(tare_status_name((tare_status)10000), "unknown status");
}
END_TEST

START_TEST(version_is_that_of_the_build)
{
    ck_assert_str_eq(tare_version(), "0.1.0");
    size_t n = strlen(tare_commit());
    ck_assert_uint_ge(n, strlen("unknown"));
    ck_assert_uint_eq(strcspn(tare_commit(), " \n"), n);
}
END_TEST

START_TEST(error_returns_its_status_and_keeps_the_sentence)
{
    ck_assert_str_eq(tare_error_text(), "");
    ck_assert_int_eq(tare_error(TARE_BAD_SHAPE, "matmul '%s': %d", "fc1", 7), TARE_BAD_SHAPE);
    ck_assert_str_eq(tare_error_text(), "matmul 'fc1': 7");
    (void)tare_error(TARE_IO, "disk full");
    ck_assert_str_eq(tare_error_text(), "disk full");
}
END_TEST

START_TEST(error_text_is_cut_not_overrun)
{
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)tare_error(TARE_BAD_ARGUMENT, "%s", text);
    ck_assert_uint_eq(strlen(tare_error_text()), 511);
}
END_TEST

static void *fail_elsewhere(void *found)
{
    *(size_t *)found = strlen(tare_error_text());
    (void)tare_error(TARE_BUSY, "theirs");
    return NULL;
}

START_TEST(error_text_belongs_to_its_thread)
{
    (void)tare_error(TARE_BAD_ARGUMENT, "ours");
    pthread_t thread;
    size_t length_found = 99;
    ck_assert_int_eq(pthread_create(&thread, NULL, fail_elsewhere, &length_found), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_uint_eq(length_found, 0);
    ck_assert_str_eq(tare_error_text(), "ours");
}
END_TEST

START_TEST(books_count_by_category_and_keep_the_peak)
{
    tare_memory memory = {0};
    void *a = tare_memory_take(&memory, TARE_MEMORY_WORK, 1);
    void *b = tare_memory_take(&memory, TARE_MEMORY_WORK, 65);
    void *c = tare_memory_take(&memory, TARE_MEMORY_INPUT, 0);
    ck_assert_msg(a && b && c, "three small blocks were refused");
    ck_assert_uint_eq((uintptr_t)a % TARE_ALIGNMENT, 0);
    ck_assert_uint_eq((uintptr_t)b % TARE_ALIGNMENT, 0);
    ck_assert_uint_eq((uintptr_t)c % TARE_ALIGNMENT, 0);
    ck_assert_int_eq(memory.bytes_live[TARE_MEMORY_WORK], 64 + 128);
    ck_assert_int_eq(memory.bytes_live[TARE_MEMORY_INPUT], 64);
    ck_assert_int_eq(memory.n_live, 3);

    tare_memory_give(&memory, TARE_MEMORY_WORK, b, 65);
    void *d = tare_memory_take(&memory, TARE_MEMORY_WORK, 64);
    ck_assert_int_eq(memory.bytes_live[TARE_MEMORY_WORK], 128);
    ck_assert_int_eq(memory.bytes_peak[TARE_MEMORY_WORK], 192);

    tare_memory_give(&memory, TARE_MEMORY_WORK, a, 1);
    tare_memory_give(&memory, TARE_MEMORY_INPUT, c, 0);
    tare_memory_give(&memory, TARE_MEMORY_WORK, d, 64);
    tare_memory_give(&memory, TARE_MEMORY_WORK, NULL, 64);
    ck_assert_int_eq(memory.bytes_live[TARE_MEMORY_WORK], 0);
    ck_assert_int_eq(memory.bytes_live[TARE_MEMORY_INPUT], 0);
    ck_assert_int_eq(memory.bytes_peak[TARE_MEMORY_WORK], 192);
    ck_assert_int_eq(memory.n_live, 0);
    ck_assert_int_eq(memory.n_requests, 4);
}
END_TEST

START_TEST(zeroed_blocks_are_zero)
{
    tare_memory memory = {0};
    unsigned char *block = tare_memory_take_zeroed(&memory, TARE_MEMORY_RECORD, 25, 4);
    ck_assert_ptr_nonnull(block);
    for (int i = 0; i < 100; ++i)
        ck_assert_uint_eq(block[i], 0);
    tare_memory_give(&memory, TARE_MEMORY_RECORD, block, 100);
    ck_assert_int_eq(memory.n_live, 0);
}
END_TEST

START_TEST(fail_at_fails_that_request_and_all_after)
{
    tare_memory memory = {.fail_at = 2};
    void *block = tare_memory_take(&memory, TARE_MEMORY_WORK, 8);
    ck_assert_ptr_nonnull(block);
    ck_assert_ptr_null(tare_memory_take(&memory, TARE_MEMORY_WORK, 8));
    ck_assert_str_eq(tare_error_text(), "out of memory: 8 bytes were asked for");
    ck_assert_ptr_null(tare_memory_take_zeroed(&memory, TARE_MEMORY_WORK, 2, 8));
    ck_assert_int_eq(memory.n_requests, 3);
    ck_assert_int_eq(memory.n_live, 1);
    ck_assert_int_eq(memory.bytes_live[TARE_MEMORY_WORK], 64);
    tare_memory_give(&memory, TARE_MEMORY_WORK, block, 8);
}
END_TEST

START_TEST(resize_keeps_the_content)
{
    tare_memory memory = {0};
    char *block = tare_memory_resize(&memory, TARE_MEMORY_WORK, NULL, 0, 4);
    ck_assert_ptr_nonnull(block);
    memcpy(block, "abc", 4);
    char *larger = tare_memory_resize(&memory, TARE_MEMORY_WORK, block, 4, 1000);
    ck_assert_ptr_nonnull(larger);
    ck_assert_str_eq(larger, "abc");
    char *smaller = tare_memory_resize(&memory, TARE_MEMORY_WORK, larger, 1000, 2);
    ck_assert_ptr_nonnull(smaller);
    ck_assert_mem_eq(smaller, "ab", 2);
    ck_assert_int_eq(memory.n_live, 1);
    ck_assert_int_eq(memory.bytes_live[TARE_MEMORY_WORK], 64);
    tare_memory_give(&memory, TARE_MEMORY_WORK, smaller, 2);
}
END_TEST

START_TEST(a_failed_resize_keeps_the_old_block)
{
    tare_memory memory = {.fail_at = 2};
    char *block = tare_memory_take(&memory, TARE_MEMORY_WORK, 4);
    ck_assert_ptr_nonnull(block);
    memcpy(block, "abc", 4);
    ck_assert_ptr_null(tare_memory_resize(&memory, TARE_MEMORY_WORK, block, 4, 1000));
    ck_assert_str_eq(block, "abc");
    ck_assert_int_eq(memory.n_live, 1);
    ck_assert_int_eq(memory.bytes_live[TARE_MEMORY_WORK], 64);
    tare_memory_give(&memory, TARE_MEMORY_WORK, block, 4);
}
END_TEST

START_TEST(sizes_that_overflow_are_refused)
{
    tare_memory memory = {0};
    ck_assert_ptr_null(tare_memory_take_zeroed(&memory, TARE_MEMORY_WORK, SIZE_MAX / 2 + 2, 2));
    ck_assert_ptr_null(tare_memory_take(&memory, TARE_MEMORY_WORK, SIZE_MAX));
    ck_assert_ptr_null(tare_memory_take(&memory, TARE_MEMORY_WORK, (size_t)PTRDIFF_MAX));
    ck_assert_ptr_null(tare_memory_take(NULL, TARE_MEMORY_WORK, SIZE_MAX - 1));
    ck_assert_int_eq(memory.n_live, 0);
    ck_assert_int_eq(memory.bytes_peak[TARE_MEMORY_WORK], 0);
}
END_TEST

START_TEST(without_books_it_only_allocates)
{
    void *block = tare_memory_take(NULL, TARE_MEMORY_WORK, 10);
    ck_assert_ptr_nonnull(block);
    tare_memory_give(NULL, TARE_MEMORY_WORK, block, 10);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("memory");
    tcase_add_test(tests, statuses_have_words);
    tcase_add_test(tests, version_is_that_of_the_build);
    tcase_add_test(tests, error_returns_its_status_and_keeps_the_sentence);
    tcase_add_test(tests, error_text_is_cut_not_overrun);
    tcase_add_test(tests, error_text_belongs_to_its_thread);
    tcase_add_test(tests, books_count_by_category_and_keep_the_peak);
    tcase_add_test(tests, zeroed_blocks_are_zero);
    tcase_add_test(tests, fail_at_fails_that_request_and_all_after);
    tcase_add_test(tests, resize_keeps_the_content);
    tcase_add_test(tests, a_failed_resize_keeps_the_old_block);
    tcase_add_test(tests, sizes_that_overflow_are_refused);
    tcase_add_test(tests, without_books_it_only_allocates);
    Suite *suite = suite_create("memory");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
