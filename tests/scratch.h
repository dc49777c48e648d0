/* scratch.h - a folder of its own for each test that writes files, and the files in it.
 *
 * scratch_setup and scratch_teardown are a checked fixture; the folder goes with all that is in it, and
 * the teardown fails where a test left a .part behind. */
#ifndef TARE_TESTS_SCRATCH_H
#define TARE_TESTS_SCRATCH_H

#include <check.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../core/memory.h"

static char scratch_folder[256];

static inline void scratch_setup(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(scratch_folder, sizeof scratch_folder, "%s/tare_test_XXXXXX", base ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(scratch_folder));
}

/* The name of a file in the folder; the last 8 names are valid at a time. */
static inline const char *scratch_path(const char *name)
{
    static char path[8][512];
    static int next;
    next = (next + 1) % 8;
    snprintf(path[next], sizeof path[next], "%s/%s", scratch_folder, name);
    return path[next];
}

static inline int scratch_count(bool remove)
{
    DIR *folder = opendir(scratch_folder);
    ck_assert_ptr_nonnull(folder);
    int n = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        ++n;
        size_t length = strlen(entry->d_name);
        ck_assert_msg(length < 5 || strcmp(entry->d_name + length - 5, ".part") != 0, "%s is left", entry->d_name);
        if (remove)
            ck_assert_int_eq(unlink(scratch_path(entry->d_name)), 0);
    }
    closedir(folder);
    return n;
}

static inline void scratch_teardown(void)
{
    scratch_count(true);
    ck_assert_int_eq(rmdir(scratch_folder), 0);
}

static inline void scratch_put(const char *path, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, n, file), n);
    ck_assert_int_eq(fclose(file), 0);
}

/* The bytes of a file, up to 1 MiB, in a static buffer. */
static inline const unsigned char *scratch_get(const char *path, size_t *n)
{
    static unsigned char bytes[1 << 20];
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s", path);
    *n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return bytes;
}

static inline void assert_nothing_live(const tare_memory *memory)
{
    ck_assert_int_eq(memory->n_live, 0);
    for (int i = 0; i < TARE_MEMORY_CATEGORY_COUNT; ++i)
        ck_assert_int_eq(memory->bytes_live[i], 0);
}

/* The failure names all of these. */
static inline void assert_error_has(const char *first, const char *second)
{
    ck_assert_msg(strstr(tare_error_text(), first) != NULL, "'%s' lacks '%s'", tare_error_text(), first);
    ck_assert_msg(strstr(tare_error_text(), second) != NULL, "'%s' lacks '%s'", tare_error_text(), second);
    ck_assert_ptr_null(strchr(tare_error_text(), '\n'));
}

/* A case whose tests have the scratch folder. */
static inline TCase *scratch_case(const char *name)
{
    TCase *all = tcase_create(name);
    tcase_add_checked_fixture(all, scratch_setup, scratch_teardown);
    tcase_set_timeout(all, 120);
    return all;
}

/* main's end: runs the case. */
static inline int scratch_run_case(const char *name, TCase *all)
{
    Suite *suite = suite_create(name);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* main's body: runs these tests as one case. */
static inline int scratch_run(const char *name, const TTest *const *tests, size_t n_tests)
{
    TCase *all = scratch_case(name);
    for (size_t i = 0; i < n_tests; ++i)
        tcase_add_test(all, tests[i]);
    return scratch_run_case(name, all);
}

#define SCRATCH_MAIN(name, ...)                                                                                        \
    int main(void)                                                                                                     \
    {                                                                                                                  \
        const TTest *const tests[] = {__VA_ARGS__};                                                                    \
        return scratch_run(name, tests, sizeof tests / sizeof *tests);                                                 \
    }

#endif
