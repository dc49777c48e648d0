/* test_in_place.c - what a result may take the place of: its own size, from the first byte on, and nothing else; the
 * bits are the imperative mode's. */
#include "../graph/graph_private.h"
#include "spine.h"

static tare_runtime *rt;

static void setup(void)
{
    rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
}

static void teardown(void)
{
    spine_end(rt);
}

typedef tare_value *body(tare_mode *m, tare_value *a, tare_value *b);

/* Of one line of the arena each, and yet b's shape is not a's. */
static tare_value *smaller(tare_mode *m, tare_value *a, tare_value *b)
{
    return tare_sub(m, tare_tanh(m, a), b);
}

/* The first rows of what is as large as the result. */
static tare_value *first_rows(tare_mode *m, tare_value *a, tare_value *b)
{
    tare_value *rows = tare_slice(m, tare_tanh(m, a), (tare_slice_attr){.axis = 0, .begin = 0, .end = 1, .step = 1});
    return tare_sub(m, rows, b);
}

static tare_value *last_rows(tare_mode *m, tare_value *a, tare_value *b)
{
    tare_value *rows = tare_slice(m, tare_tanh(m, a), (tare_slice_attr){.axis = 0, .begin = 1, .end = 2, .step = 1});
    return tare_sub(m, rows, b);
}

static const struct {
    const char *name;
    body *f;
    int64_t a[2], b[2];
} cases[] = {{"smaller", smaller, {3, 1}, {3, 5}},
             {"first rows", first_rows, {4, 64}, {4, 64}},
             {"last rows", last_rows, {2, 64}, {2, 64}}};

START_TEST(a_result_takes_the_place_of_its_equal_alone)
{
    tare_value *a = spine_random(rt, 2, cases[_i].a, 1), *b = spine_random(rt, 2, cases[_i].b, 2);
    tare_mode *now = spine_mode(rt, false);
    tare_graph *g;
    tare_plan *plan;
    tare_instance *run;
    must(tare_graph_new(rt, &g));
    tare_mode *m = tare_graph_mode(g);
    tare_value *x = tare_graph_input(g, &a->d, "a"), *z = tare_graph_input(g, &b->d, "b"), *y = cases[_i].f(m, x, z);
    must(m->error);
    must(tare_graph_output(g, y));
    must(tare_plan_new(g, NULL, &plan));
    must(tare_instance_new(plan, &run));
    must(tare_instance_bind(run, 0, a));
    must(tare_instance_bind(run, 1, b));
    must(tare_instance_run(run));
    now->scope_begin(now, NULL);
    ck_assert_msg(spine_same(cases[_i].f(now, a, b), tare_instance_output(run, 0)), "%s", cases[_i].name);
    now->scope_end(now, NULL, 0);
    tare_instance_free(run);
    tare_plan_free(plan);
    tare_graph_free(g);
    tare_imperative_free(now);
    tare_value_drop(a);
    tare_value_drop(b);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("in place");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, a_result_takes_the_place_of_its_equal_alone, 0, (int)(sizeof cases / sizeof *cases));
    return spine_run("in place", &tests, 1);
}
