/* test_pack_instances.c - the public instances that take few nodes: a plan within capacity, or at the lower bound. */
#include "planner.h"

static const struct {
    const char *name;
    int64_t capacity, nodes;
} instance[] = {
    {"input.12", 12, 1000},        {"C.1048576", 1048576, 20000},  {"C.1048576", 0, 20000},
    {"D.1048576", 1048576, 20000}, {"G.1048576", 1048576, 100000}, {"J.1048576", 1048576, 100000},
    {"somas_resnet50", 0, 20000},
};

START_TEST(an_instance_is_solved)
{
    planner_solve(instance[_i].name, instance[_i].capacity, instance[_i].nodes);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("instances");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, an_instance_is_solved, 0, (int)(sizeof instance / sizeof *instance));
    return spine_run("pack instances", &tests, 1);
}
