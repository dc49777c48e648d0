/* draws.h - random numbers of tests, the same at every run; and a program of tests without a fixture. */
#ifndef TARE_TESTS_DRAWS_H
#define TARE_TESTS_DRAWS_H

#include <check.h>
#include <math.h>
#include <stdint.h>

static uint64_t sim_state;

static inline double uniform(void)
{
    sim_state ^= sim_state << 13;
    sim_state ^= sim_state >> 7;
    sim_state ^= sim_state << 17;
    return ((double)(sim_state >> 11) + 0.5) * 0x1p-53;
}

/* G. E. P. Box, M. E. Muller, "A note on the generation of random normal deviates", 1958. */
static inline double normal(void)
{
    return sqrt(-2 * log(uniform())) * cos(2 * 3.14159265358979323846 * uniform());
}

static inline int suite_run(const char *name, const TTest *const *test, size_t n)
{
    TCase *tests = tcase_create(name);
    for (size_t i = 0; i < n; ++i)
        tcase_add_test(tests, test[i]);
    Suite *suite = suite_create(name);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
#define SUITE_MAIN(name, ...)                                                                                          \
    int main(void)                                                                                                     \
    {                                                                                                                  \
        const TTest *const tests[] = {__VA_ARGS__};                                                                    \
        return suite_run(name, tests, sizeof tests / sizeof *tests);                                                   \
    }

#endif
