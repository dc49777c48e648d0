/* test_full_pack_instances.c - every public instance within its capacity, within a number of nodes. */
#include "planner.h"

static const char *const names[] = {"A", "B", "C", "D", "F", "G", "I", "J"};

START_TEST(an_instance_is_solved)
{
    char name[32];
    snprintf(name, sizeof name, "%s.1048576", names[_i]);
    planner_solve(name, 1048576, 4000000);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("instances");
    tcase_set_timeout(tests, 600);
    tcase_add_loop_test(tests, an_instance_is_solved, 0, (int)(sizeof names / sizeof *names));
    return spine_run("all pack instances", &tests, 1);
}
