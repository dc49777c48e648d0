/* test_recompute.c - values made again for the backward part: the same bits, less memory, no write twice, and no plan
 * that it does not help. */
#include "../graph/graph_private.h"
#include "training.h"

static tare_runtime *rt;

static void setup(void)
{
    rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
}

static void teardown(void)
{
    spine_end(rt);
}

enum { DEPTH = 12, WIDE = 4096 };

/* tanh(w * x) and the like, again and again: cheap to make, and each reads what the backward part keeps. */
static tare_graph *deep(tare_value **w, int depth)
{
    tare_graph *g;
    must(tare_graph_new(rt, &g));
    tare_mode *m = tare_graph_mode(g);
    m->recording = true;
    tare_desc d = tare_desc_of(TARE_F32, 1, (const int64_t[]){WIDE});
    tare_value *y = tare_graph_input(g, &d, "x");
    for (int i = 0; i < depth; ++i)
        y = tare_sigmoid(m, tare_mul(m, tare_tanh(m, y), w[i]));
    tare_value *total = spine_total(m, y);
    must(m->backward(m, &total, NULL, 1, false));
    must(tare_graph_output(g, total));
    for (int i = 0; i < depth; ++i)
        must(tare_graph_output(g, spine_total(m, m->gradient(m, w[i]))));
    return g;
}

static tare_instance *run_of(tare_plan *plan, tare_value *x)
{
    tare_instance *run;
    must(tare_instance_new(plan, &run));
    must(tare_instance_bind(run, 0, x));
    must(tare_instance_run(run));
    return run;
}

static int32_t repeated(const tare_plan *p)
{
    return p->program->n - p->n_nodes;
}

START_TEST(a_budget_is_met_with_the_same_bits)
{
    tare_value *w[DEPTH], *x = spine_random(rt, 1, (const int64_t[]){WIDE}, 99);
    for (int i = 0; i < DEPTH; ++i)
        w[i] = spine_leaf(rt, WIDE, (uint64_t)i);
    tare_graph *g = deep(w, DEPTH);
    tare_plan *plain;
    must(tare_plan_new(g, &(tare_plan_options){.order = (tare_plan_order)_i}, &plain));
    int64_t all = tare_plan_size(plain).arena;
    ck_assert_int_eq(repeated(plain), 0);
    tare_instance *wanted = run_of(plain, x);
    for (int64_t budget = all; budget > 0; budget = budget * 7 / 8 - 1) {
        tare_plan *plan;
        int64_t floor_bytes;
        must(tare_plan_new(g, &(tare_plan_options){.order = (tare_plan_order)_i, .recompute = budget}, &plan));
        must(tare_plan_floor(plan, &floor_bytes));
        ck_assert_int_le(floor_bytes, tare_plan_size(plan).arena);
        ck_assert_int_le(tare_plan_size(plan).arena, all);
        ck_assert_int_eq(repeated(plan) > 0, tare_plan_size(plan).arena < all);
        ck_assert(budget < all || repeated(plan) == 0);
        tare_instance *run = run_of(plan, x);
        for (int k = 0; k <= DEPTH; ++k)
            ck_assert(spine_same(tare_instance_output(wanted, k), tare_instance_output(run, k)));
        if (budget < all / 4)
            ck_assert_int_lt(tare_plan_size(plan).arena, all * 3 / 4);
        tare_instance_free(run);
        tare_plan_free(plan);
    }
    tare_instance_free(wanted);
    tare_plan_free(plain);
    tare_graph_free(g);
    for (int i = 0; i < DEPTH; ++i)
        tare_value_drop(w[i]);
    tare_value_drop(x);
}
END_TEST

/* A repetition that is none, and one that comes after its operand was written. */
START_TEST(the_checker_looks_at_repetitions)
{
    tare_value *w[DEPTH];
    for (int i = 0; i < DEPTH; ++i)
        w[i] = spine_leaf(rt, WIDE, (uint64_t)i);
    tare_graph *g = deep(w, DEPTH);
    tare_plan *plan;
    must(tare_plan_new(g, &(tare_plan_options){.recompute = 1}, &plan));
    int32_t n = repeated(plan);
    ck_assert_int_gt(n, 5);
    for (int32_t i = 0; i < n; ++i) {
        int32_t was = plan->repeats[i];
        plan->repeats[i] = (was + 3) % plan->graph->n_forward;
        expect_error(tare__plan_check(plan), TARE_IMPOSSIBLE, "the plan is wrong");
        plan->repeats[i] = was;
        tare_node *node = &plan->program->node[plan->n_nodes + i];
        tare_value *first = node->operand[0];
        for (int32_t id = 0; id < plan->n_values; ++id)
            if (tare_desc_same_shape(&plan->program->value[id]->d, &first->d) && id % 7 == i % 7 && id != first->id &&
                plan->program->value[id] != plan->graph->program.node[was].operand[0]) {
                node->operand[0] = plan->program->value[id];
                ck_assert_int_eq(tare__plan_check(plan), TARE_IMPOSSIBLE);
                node->operand[0] = first;
            }
    }
    must(tare__plan_check(plan));
    tare_plan_free(plan);
    tare_graph_free(g);
    for (int i = 0; i < DEPTH; ++i)
        tare_value_drop(w[i]);
}
END_TEST

/* Every allocation of a plan with repetitions fails in turn. */
START_TEST(without_memory_there_is_no_plan)
{
    tare_value *w[3];
    for (int i = 0; i < 3; ++i)
        w[i] = spine_leaf(rt, WIDE, (uint64_t)i);
    tare_graph *g = deep(w, 3);
    tare_status status = TARE_NO_MEMORY;
    int n = 0;
    for (; status == TARE_NO_MEMORY; ++n) {
        tare_plan *plan = NULL;
        rt->memory.fail_at = rt->memory.n_requests + n + 1;
        status = tare_plan_new(g, &(tare_plan_options){.order = TARE_ORDER_BEST, .recompute = 1}, &plan);
        rt->memory.fail_at = 0;
        if (status == TARE_OK)
            tare_plan_free(plan);
    }
    ck_assert_int_eq(status, TARE_OK);
    ck_assert_int_gt(n, 30);
    tare_graph_free(g);
    for (int i = 0; i < 3; ++i)
        tare_value_drop(w[i]);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("recompute");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, a_budget_is_met_with_the_same_bits, 0, TARE_ORDER_BEST + 1);
    tcase_add_test(tests, the_checker_looks_at_repetitions);
    tcase_add_test(tests, without_memory_there_is_no_plan);
    return spine_run("recompute", &tests, 1);
}
