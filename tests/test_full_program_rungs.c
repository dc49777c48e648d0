/* test_full_program_rungs.c - some thousand random programs in every rung of the ladder: the same bits. */
#include "program_rungs.h"

START_TEST(random_programs_agree_in_every_rung)
{
    programs_in_every_rung(1000 + (uint64_t)_i * 200, 1200 + (uint64_t)_i * 200);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("full program rungs");
    tcase_set_timeout(tests, 1000);
    tcase_add_loop_test(tests, random_programs_agree_in_every_rung, 0, 20);
    return spine_run("full program rungs", &tests, 1);
}
