/* test_programs.c - some hundred random programs: now, as a joint plan and as a step plan, the same bits. */
#include "program_ways.h"

START_TEST(random_programs_agree)
{
    programs_agree((uint64_t)_i * 100, (uint64_t)_i * 100 + 100);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("programs");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, random_programs_agree, 0, 4);
    return spine_run("programs", &tests, 1);
}
