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

/* MXNet's allocator on the same intervals, as multiples of the most bytes that live at once: tests/data/planner's
 * README has the figures, of an implementation that is not ours. */
START_TEST(growing_objects_take_what_they_take_elsewhere)
{
    static const struct {
        const char *name;
        double wanted;
    } is[] = {{"A.1048576", 2.12}, {"B.1048576", 2.19}, {"C.1048576", 2.14},
              {"D.1048576", 1.79}, {"F.1048576", 1.28}, {"G.1048576", 1.38},
              {"I.1048576", 3.25}, {"J.1048576", 2.46}, {"somas_resnet50", 1.09}};
    tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    const tare_packer *packer = tare_find(rt, TARE_KIND_PACKER, "shared_object");
    for (size_t i = 0; i < sizeof is / sizeof *is; ++i) {
        char path[128];
        tare__intervals r = {0};
        tare_packing p;
        snprintf(path, sizeof path, "tests/data/planner/%s.csv", is[i].name);
        ck_assert_int_eq(tare__intervals_read(NULL, path, false, &r), TARE__RAN);
        must(tare_pack(NULL, packer, NULL, r.interval, r.n, &p));
        double ratio = (double)p.height / (double)p.bound;
        ck_assert_msg(ratio > is[i].wanted - 0.005 && ratio < is[i].wanted + 0.005, "%s: %.4f", is[i].name, ratio);
        tare__intervals_free(&r);
    }
    spine_end(rt);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("instances");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, an_instance_is_solved, 0, (int)(sizeof instance / sizeof *instance));
    tcase_add_test(tests, growing_objects_take_what_they_take_elsewhere);
    return spine_run("pack instances", &tests, 1);
}
