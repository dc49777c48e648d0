/* test_program_rungs.c - some hundred random programs in every rung of the ladder: the same bits. */
#include "program_rungs.h"

START_TEST(random_programs_agree_in_every_rung)
{
    programs_in_every_rung((uint64_t)_i * 50, (uint64_t)_i * 50 + 50);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("program rungs");
    tcase_set_timeout(tests, 200);
    tcase_add_loop_test(tests, random_programs_agree_in_every_rung, 0, 4);
    return spine_run("program rungs", &tests, 1);
}
