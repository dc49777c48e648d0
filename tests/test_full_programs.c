/* test_full_programs.c - many thousand random programs: now, as a joint plan and as a step plan, the same bits. */
#include "program_ways.h"

START_TEST(random_programs_agree)
{
    programs_agree(1000 + (uint64_t)_i * 1000, 2000 + (uint64_t)_i * 1000);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("full programs");
    tcase_set_timeout(tests, 1000);
    tcase_add_loop_test(tests, random_programs_agree, 0, 20);
    return spine_run("full programs", &tests, 1);
}
