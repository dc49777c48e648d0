/* test_graph.c - a graph's seams: binding, results, externals, several plans, refusals, and data errors in each mode.
 */
#include "../graph/graph_private.h"
#include "spine.h"

enum { N = 16 };
static tare_runtime *rt;
static tare_graph *g;
static tare_mode *m;
static tare_desc d;

static void setup(void)
{
    rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    must(tare_graph_new(rt, &g));
    m = tare_graph_mode(g);
    d = tare_desc_of(TARE_F32, 1, (const int64_t[]){N});
}

static void teardown(void)
{
    tare_graph_free(g);
    spine_end(rt);
}

typedef struct {
    tare_plan *plan;
    tare_instance *run;
} planned;

static planned plan(const tare_plan_options *options)
{
    planned p;
    must(tare_plan_new(g, options, &p.plan));
    must(tare_instance_new(p.plan, &p.run));
    return p;
}

static void done(planned p)
{
    tare_instance_free(p.run);
    tare_plan_free(p.plan);
}

/* ---- results
 * -------------------------------------------------------------------------------------------------------*/
START_TEST(a_graph_without_results_or_nodes_runs)
{
    planned p = plan(NULL);
    must(tare_instance_run(p.run));
    ck_assert_ptr_null(tare_instance_output(p.run, 0));
    ck_assert_ptr_null(tare_instance_output(p.run, -1));
    done(p);
    (void)tare_relu(m, tare_graph_input(g, &d, "x")); /* dead */
    p = plan(NULL);
    const tare_call *call;
    ck_assert_int_eq(tare_instance_calls(p.run, &call), 0);
    ck_assert_int_eq(tare_plan_size(p.plan).arena, 0);
    done(p);
}
END_TEST

START_TEST(an_input_may_be_a_result_and_a_value_may_be_two)
{
    tare_value *x = tare_graph_input(g, &d, "x"), *y = tare_relu(m, x);
    must(tare_graph_output(g, x));
    must(tare_graph_output(g, y));
    must(tare_graph_output(g, y));
    must(tare_graph_output(g, tare_detach(m, x)));
    must(tare_graph_output(g, tare_detach(m, y)));
    planned p = plan(NULL);
    expect_error(tare_value_read(tare_instance_output(p.run, 0), &(float){0}, 64), TARE_BAD_ARGUMENT, "no data");
    tare_value *a = spine_random(rt, 1, (const int64_t[]){N}, 1), *b = spine_random(rt, 1, (const int64_t[]){N}, 2);
    for (int i = 0; i < 3; ++i) {
        tare_value *in = i == 1 ? b : a;
        must(tare_instance_bind(p.run, 0, in));
        must(tare_instance_run(p.run));
        ck_assert(spine_same(tare_instance_output(p.run, 0), in));
        ck_assert(spine_same(tare_instance_output(p.run, 3), in));
        tare_mode *now = spine_mode(rt, false);
        now->scope_begin(now, NULL);
        tare_value *wanted = tare_relu(now, in);
        for (int k = 1; k < 5; k += k == 2 ? 2 : 1)
            ck_assert(spine_same(tare_instance_output(p.run, k), wanted));
        now->scope_end(now, NULL, 0);
        tare_imperative_free(now);
    }
    tare_value_drop(a);
    (void)spine_first(tare_instance_output(p.run, 0)); /* the instance holds what is bound */
    done(p);
    tare_value_drop(b);
}
END_TEST

START_TEST(a_result_must_be_of_this_graph)
{
    tare_graph *other;
    must(tare_graph_new(rt, &other));
    tare_value *theirs = tare_graph_input(other, &d, "theirs"), *concrete = spine_leaf(rt, N, 1);
    expect_error(tare_graph_output(g, NULL), TARE_BAD_ARGUMENT, "result 0");
    expect_error(tare_graph_output(g, &m->poison), TARE_BAD_ARGUMENT, "result 0");
    expect_error(tare_graph_output(g, theirs), TARE_BAD_ARGUMENT, "result 0");
    expect_error(tare_graph_output(g, concrete), TARE_BAD_ARGUMENT, "result 0");
    expect_error(tare_graph_output(other, tare_graph_input(g, &d, "x")), TARE_BAD_ARGUMENT, "result 0");
    tare_graph_free(other);
    tare_value_drop(concrete);
}
END_TEST

START_TEST(values_of_another_graph_are_refused_everywhere)
{
    tare_graph *other;
    must(tare_graph_new(rt, &other));
    tare_value *theirs = tare_graph_input(other, &d, "theirs"), *mine = tare_graph_input(g, &d, "mine");
    tare_value_want_gradient(theirs, true);
    tare_value_want_gradient(mine, true);
    m->recording = true;
    ck_assert_ptr_eq(tare_relu(m, theirs), &m->poison);
    ck_assert_ptr_nonnull(strstr(tare_error_text(), "another graph"));
    tare_mode_clear(m);
    tare_value *y = tare_relu(m, mine), *none = NULL;
    ck_assert_int_eq(m->backward(m, &theirs, NULL, 1, false), TARE_BAD_ARGUMENT);
    tare_mode_clear(m);
    ck_assert_int_eq(m->backward(m, &y, &theirs, 1, false), TARE_BAD_ARGUMENT);
    tare_mode_clear(m);
    ck_assert_int_eq(m->backward(m, &y, (tare_value *[]){&m->poison}, 1, false), TARE_BAD_ARGUMENT);
    tare_mode_clear(m);
    ck_assert_int_eq(m->backward(m, &none, NULL, 1, false), TARE_BAD_ARGUMENT);
    tare_mode_clear(m);
    ck_assert_ptr_null(m->gradient(m, theirs));
    ck_assert_ptr_null(m->gradient(m, &m->poison));
    ck_assert_ptr_null(m->gradient(m, mine));
    ck_assert_int_eq(g->n_external, 1); /* asking brings nothing into the graph */
    planned p = plan(NULL);
    done(p);
    tare_graph_free(other);
}
END_TEST

START_TEST(an_updated_parameter_may_be_a_result)
{
    tare_value *w = spine_random(rt, 1, (const int64_t[]){N}, 1), *copy = spine_random(rt, 1, (const int64_t[]){N}, 1);
    tare_value *momentum = spine_random(rt, 1, (const int64_t[]){N}, 2);
    tare_value *momentum_copy = spine_random(rt, 1, (const int64_t[]){N}, 2), *rate = spine_random(rt, 0, NULL, 3);
    tare_value *gradient = spine_random(rt, 1, (const int64_t[]){N}, 4), *out[2];
    tare_value *before = tare_scale(m, w, (tare_scale_attr){1});
    must(m->apply(m, &tare_op_sgd, &(tare_sgd_attr){.momentum = 0.9}, (tare_value *[]){w, gradient, momentum, rate}, 4,
                  out, 0));
    tare_value *after = tare_scale(m, out[0], (tare_scale_attr){1}), *again = tare_scale(m, w, (tare_scale_attr){1});
    tare_value *const results[] = {before, out[0], after, again};
    for (int i = 0; i < 4; ++i)
        must(tare_graph_output(g, results[i]));
    planned p = plan(NULL);
    uint32_t version = w->storage->version;
    must(tare_instance_run(p.run));
    ck_assert_uint_eq(w->storage->version, version + 1);
    ck_assert(w->storage->writer == &tare_op_sgd);
    ck_assert(spine_same(tare_instance_output(p.run, 0), copy));
    tare_mode *now = spine_mode(rt, false);
    now->scope_begin(now, NULL);
    must(now->apply(now, &tare_op_sgd, &(tare_sgd_attr){.momentum = 0.9},
                    (tare_value *[]){copy, gradient, momentum_copy, rate}, 4, out, 0));
    now->scope_end(now, NULL, 0);
    tare_imperative_free(now);
    ck_assert(spine_same(w, copy));
    for (int k = 1; k < 4; ++k)
        ck_assert(spine_same(tare_instance_output(p.run, k), copy)); /* a use after the update reads it */
    ck_assert(spine_same(momentum, momentum_copy));
    done(p);
    tare_value *const all[] = {w, copy, momentum, momentum_copy, rate, gradient};
    for (int i = 0; i < 6; ++i)
        tare_value_drop(all[i]);
}
END_TEST

START_TEST(a_gradient_over_an_updated_parameter_is_stale_as_on_a_tape)
{
    tare_value *w = spine_leaf(rt, N, 1), *v = spine_leaf(rt, N, 2), *momentum = spine_random(rt, 1, &d.dim[0], 3);
    tare_value *rate = spine_random(rt, 0, NULL, 3), *out[2];
    m->recording = true;
    tare_value *x = tare_graph_input(g, &d, "x");
    m->scope_begin(m, "layer3");
    tare_value *y = tare_mul(m, tare_add(m, w, x), v), *sum = tare_add(m, w, v);
    m->scope_end(m, NULL, 0);
    m->recording = false;
    must(m->apply(m, &tare_op_sgd, &(tare_sgd_attr){.momentum = 0.9}, (tare_value *[]){v, x, momentum, rate}, 4, out,
                  0));
    m->recording = true;
    tare_value *later = tare_mul(m, v, w);
    expect_error(m->backward(m, &y, NULL, 1, false), TARE_STALE,
                 "mul 'layer3': its input 1, needed for backward, was changed by sgd since");
    ck_assert_ptr_null(m->gradient(m, w));
    tare_mode_clear(m);
    must(m->backward(m, &sum, NULL, 1, false)); /* add reads nothing */
    must(m->backward(m, &later, NULL, 1, false));
    tare_value *const all[] = {w, v, momentum, rate};
    for (int i = 0; i < 4; ++i)
        tare_value_drop(all[i]);
}
END_TEST

START_TEST(a_captured_value_is_kept_alive_by_the_graph)
{
    tare_value *w = spine_random(rt, 1, (const int64_t[]){N}, 1), *copy = spine_random(rt, 1, (const int64_t[]){N}, 1);
    must(tare_graph_output(g, tare_scale(m, w, (tare_scale_attr){1})));
    tare_value_drop(w);
    planned p = plan(NULL);
    must(tare_instance_run(p.run));
    ck_assert(spine_same(tare_instance_output(p.run, 0), copy));
    done(p);
    tare_value_drop(copy);
}
END_TEST

START_TEST(a_captured_value_needs_data)
{
    tare_mode *now = spine_mode(rt, false);
    tare_value *x = spine_random(rt, 1, (const int64_t[]){N}, 1);
    now->scope_begin(now, NULL);
    tare_value *y = tare_relu(now, x);
    (void)tare_relu(now, tare_move(y));
    ck_assert_ptr_eq(tare_relu(m, y), &m->poison);
    ck_assert_int_eq(m->error, TARE_BAD_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(tare_error_text(), "relu: input 0 was given up by tare_move before"));
    now->scope_end(now, NULL, 0);
    tare_imperative_free(now);
    tare_value_drop(x);
}
END_TEST

/* ---- binding
 * -------------------------------------------------------------------------------------------------------*/
START_TEST(binding_is_checked)
{
    tare_runtime *other = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    tare_value *x = tare_graph_input(g, &d, "x"), *y = tare_graph_input(g, &d, "y");
    must(tare_graph_output(g, tare_add(m, x, y)));
    planned p = plan(NULL);
    expect_error(tare_instance_run(p.run), TARE_BAD_ARGUMENT, "run: placeholder 0 'x' is not bound");
    tare_value *good = spine_random(rt, 1, (const int64_t[]){N}, 1);
    must(tare_instance_bind(p.run, 0, good));
    expect_error(tare_instance_run(p.run), TARE_BAD_ARGUMENT, "run: placeholder 1 'y' is not bound");
    tare_value *shorter = spine_random(rt, 1, (const int64_t[]){N - 1}, 1);
    tare_value *matrix = spine_random(rt, 2, (const int64_t[]){N, 1}, 1);
    tare_value *theirs = spine_random(other, 1, (const int64_t[]){N}, 1), *ints;
    tare_desc of_ints = tare_desc_of(TARE_I32, 1, (const int64_t[]){N});
    must(tare_value_new(rt, &of_ints, TARE_MEMORY_INPUT, &ints));
    expect_error(tare_instance_bind(p.run, 1, shorter), TARE_BAD_SHAPE,
                 "'y' is float32 [16], the value is float32 [15]");
    expect_error(tare_instance_bind(p.run, 1, matrix), TARE_BAD_SHAPE, "[16,1]");
    expect_error(tare_instance_bind(p.run, 1, ints), TARE_BAD_SHAPE, "int32 [16]");
    expect_error(tare_instance_bind(p.run, 1, theirs), TARE_BAD_ARGUMENT, "of this runtime");
    expect_error(tare_instance_bind(p.run, 1, NULL), TARE_BAD_ARGUMENT, "with data");
    expect_error(tare_instance_bind(p.run, 1, &m->poison), TARE_BAD_ARGUMENT, "with data");
    expect_error(tare_instance_bind(p.run, 1, x), TARE_BAD_ARGUMENT, "with data");
    expect_error(tare_instance_bind(p.run, 2, good), TARE_BAD_ARGUMENT, "there is no placeholder 2 (there are 2)");
    expect_error(tare_instance_bind(p.run, -1, good), TARE_BAD_ARGUMENT, "there is no placeholder -1");
    must(tare_instance_bind(p.run, 1, good));
    must(tare_instance_run(p.run));
    ck_assert_float_eq(spine_first(tare_instance_output(p.run, 0)), 2 * spine_first(good));
    done(p);
    tare_value *const all[] = {good, shorter, matrix, ints, theirs};
    for (int i = 0; i < 5; ++i)
        tare_value_drop(all[i]);
    spine_end(other);
}
END_TEST

START_TEST(a_placeholder_is_contiguous)
{
    tare_desc t = tare_desc_of(TARE_F32, 2, (const int64_t[]){3, 5});
    t.stride[0] = 1;
    t.stride[1] = 3;
    tare_desc_measure(&t);
    ck_assert_ptr_eq(tare_graph_input(g, &t, "t"), &m->poison);
    ck_assert_int_eq(m->error, TARE_BAD_SHAPE);
    tare_mode_clear(m);
    t.dim[0] = -3;
    ck_assert_ptr_eq(tare_graph_input(g, &t, "t"), &m->poison);
    ck_assert_int_eq(m->error, TARE_BAD_SHAPE);
}
END_TEST

START_TEST(a_result_of_an_instance_is_no_input_of_its_own)
{
    tare_value *x = tare_graph_input(g, &d, "x");
    must(tare_graph_output(g, tare_relu(m, tare_tanh(m, x))));
    planned p = plan(NULL), q = {p.plan, NULL};
    must(tare_instance_new(p.plan, &q.run));
    expect_error(tare_instance_bind(p.run, 0, tare_instance_output(p.run, 0)), TARE_BAD_ARGUMENT, "own");
    must(tare_instance_bind(q.run, 0, tare_instance_output(p.run, 0))); /* another's will do */
    tare_instance_free(q.run);
    done(p);
}
END_TEST

START_TEST(a_strided_parameter_is_copied_where_a_kernel_needs_it)
{
    tare_value *base = spine_random(rt, 2, (const int64_t[]){4, 4}, 1);
    tare_value *v = tare_value_share(base);
    v->d.stride[0] = 1;
    v->d.stride[1] = 4;
    tare_desc_measure(&v->d);
    tare_value *x = spine_random(rt, 2, (const int64_t[]){4, 4}, 2), *wanted;
    must(tare_graph_output(g, tare_l2_loss(m, v, x)));
    planned p = plan(NULL);
    must(tare_instance_run(p.run));
    tare_mode *now = spine_mode(rt, false);
    now->scope_begin(now, NULL);
    wanted = tare_l2_loss(now, v, x);
    ck_assert(spine_same(tare_instance_output(p.run, 0), wanted));
    now->scope_end(now, NULL, 0);
    tare_imperative_free(now);
    done(p);
    tare_value_drop(v);
    tare_value_drop(base);
    tare_value_drop(x);
}
END_TEST

/* ---- several plans, and a graph that grows
 * -------------------------------------------------------------------------*/
START_TEST(a_plan_is_const_while_the_graph_goes_on)
{
    tare_value *x = tare_graph_input(g, &d, "x"), *y = tare_tanh(m, x), *in = spine_random(rt, 1, &d.dim[0], 1);
    must(tare_graph_output(g, y));
    tare_plan *first, *second;
    tare_instance *run[2];
    must(tare_plan_new(g, NULL, &first));
    int64_t arena = tare_plan_size(first).arena;
    for (int i = 0; i < 300; ++i)
        y = tare_scale(m, tare_add(m, y, spine_random(rt, 1, &d.dim[0], 7)), (tare_scale_attr){0.5});
    tare_value *z = tare_graph_input(g, &d, "z");
    must(tare_graph_output(g, tare_add(m, y, z)));
    must(tare_plan_new(g, &(tare_plan_options){.no_in_place = true}, &second));
    must(tare_instance_new(second, &run[1]));
    must(tare_instance_bind(run[1], 1, in));
    must(tare_instance_bind(run[1], 0, in));
    must(tare_instance_run(run[1]));
    tare_instance_free(run[1]);
    tare_plan_free(second);
    must(tare_instance_new(first, &run[0]));
    expect_error(tare_instance_bind(run[0], 1, in), TARE_BAD_ARGUMENT, "there is no placeholder 1 (there are 1)");
    must(tare_instance_bind(run[0], 0, in));
    must(tare_instance_run(run[0]));
    ck_assert_ptr_null(tare_instance_output(run[0], 1));
    tare_mode *now = spine_mode(rt, false);
    now->scope_begin(now, NULL);
    ck_assert(spine_same(tare_instance_output(run[0], 0), tare_tanh(now, in)));
    now->scope_end(now, NULL, 0);
    tare_imperative_free(now);
    must(tare__plan_check(first));
    const tare_node *const *node;
    ck_assert_int_eq(tare_plan_calls(first, &node), 1);
    ck_assert_int_eq(node[0]->work->n_pieces, 1);
    ck_assert_int_eq(tare_plan_size(first).arena, arena);
    tare_instance_free(run[0]);
    tare_plan_free(first);
    tare_value_drop(in);
    for (int32_t k = 0; k < g->n_external; ++k) /* the loop's own handles */
        if (g->external[k].concrete)
            tare_value_drop(g->external[k].concrete);
}
END_TEST

START_TEST(an_unknown_packer_and_an_error_in_capture_refuse_the_plan)
{
    tare_plan *p = NULL;
    expect_error(tare_plan_new(g, &(tare_plan_options){.packer = "greed"}, &p), TARE_NOT_FOUND, "greedy");
    tare_value *x = tare_graph_input(g, &d, "x"), *v3 = spine_random(rt, 1, (const int64_t[]){3}, 1);
    (void)tare_add(m, x, v3);
    ck_assert_int_eq(tare_plan_new(g, NULL, &p), TARE_BAD_SHAPE);
    ck_assert_int_eq(tare_graph_output(g, x), TARE_BAD_SHAPE);
    ck_assert_ptr_eq(tare_graph_input(g, &d, "late"), &m->poison);
    ck_assert_ptr_null(p);
    tare_mode_clear(m);
    must(tare_graph_output(g, tare_relu(m, x))); /* and on it goes */
    planned q = plan(NULL);
    done(q);
    tare_value_drop(v3);
}
END_TEST

START_TEST(capture_goes_on_after_a_failed_allocation)
{
    tare_value *x = tare_graph_input(g, &d, "x"), *in = spine_random(rt, 1, &d.dim[0], 1);
    rt->memory.fail_at = rt->memory.n_requests + 1;
    tare_value *y = x;
    int n = 0;
    for (; m->error == TARE_OK; ++n)
        y = tare_tanh(m, y);
    ck_assert_ptr_eq(y, &m->poison);
    ck_assert_int_eq(m->error, TARE_NO_MEMORY);
    rt->memory.fail_at = 0;
    tare_mode_clear(m);
    y = x;
    for (int i = 0; i < n; ++i)
        y = tare_tanh(m, y);
    must(tare_graph_output(g, y));
    for (int no_dce = 0; no_dce < 2; ++no_dce) {
        planned p = plan(&(tare_plan_options){.no_dce = no_dce});
        must(tare_instance_bind(p.run, 0, in));
        must(tare_instance_run(p.run));
        done(p);
    }
    tare_value_drop(in);
}
END_TEST

/* ---- what nobody reads
 * ---------------------------------------------------------------------------------------------*/
START_TEST(a_value_of_which_only_the_shape_is_read_takes_neither_time_nor_place)
{
    tare_value *x = tare_graph_input(g, &d, "x");
    tare_value_want_gradient(x, true);
    m->recording = true;
    tare_value *total = spine_total(m, tare_tanh(m, x)); /* the head is fill(like total) */
    must(m->backward(m, &total, NULL, 1, false));
    must(tare_graph_output(g, m->gradient(m, x)));
    planned p = plan(NULL);
    const tare_node *const *node;
    int n = tare_plan_calls(p.plan, &node);
    for (int i = 0; i < n; ++i)
        ck_assert_str_ne(node[i]->op->name, "sum"); /* nobody wants the sum */
    tare_value *in = spine_random(rt, 1, &d.dim[0], 1);
    must(tare_instance_bind(p.run, 0, in));
    must(tare_instance_run(p.run));
    tare_mode *now = spine_mode(rt, true);
    tare_value_want_gradient(in, true);
    now->scope_begin(now, NULL);
    total = spine_total(now, tare_tanh(now, in));
    must(now->backward(now, &total, NULL, 1, false));
    now->scope_end(now, NULL, 0);
    ck_assert(spine_same(in->gradient, tare_instance_output(p.run, 0)));
    tare_value_clear_gradient(in);
    tare_imperative_free(now);
    done(p);
    tare_value_drop(in);
}
END_TEST

START_TEST(a_value_lives_to_its_last_reader_of_data_not_of_shape)
{
    tare_desc big = tare_desc_of(TARE_F32, 1, (const int64_t[]){4096}), one = tare_desc_of(TARE_F32, 0, NULL);
    tare_value *x = tare_graph_input(g, &big, "x"), *s = tare_graph_input(g, &one, "s");
    tare_value *a = tare_tanh(m, x), *total = spine_total(m, a);
    tare_value *b = tare_mul(m, tare_tanh(m, x), total), *c = spine_total(m, b);
    tare_value *like = tare_fill(m, a, (tare_fill_attr){2}); /* reads a's shape only, after b */
    must(tare_graph_output(g, tare_add(m, c, s)));
    must(tare_graph_output(g, spine_total(m, like)));
    planned p = plan(NULL);
    ck_assert_int_lt(tare_plan_size(p.plan).lower_bound, 2 * 16384);
    done(p);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("graph");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_graph_without_results_or_nodes_runs);
    tcase_add_test(tests, an_input_may_be_a_result_and_a_value_may_be_two);
    tcase_add_test(tests, a_result_must_be_of_this_graph);
    tcase_add_test(tests, values_of_another_graph_are_refused_everywhere);
    tcase_add_test(tests, an_updated_parameter_may_be_a_result);
    tcase_add_test(tests, a_gradient_over_an_updated_parameter_is_stale_as_on_a_tape);
    tcase_add_test(tests, a_captured_value_is_kept_alive_by_the_graph);
    tcase_add_test(tests, a_captured_value_needs_data);
    tcase_add_test(tests, binding_is_checked);
    tcase_add_test(tests, a_placeholder_is_contiguous);
    tcase_add_test(tests, a_result_of_an_instance_is_no_input_of_its_own);
    tcase_add_test(tests, a_strided_parameter_is_copied_where_a_kernel_needs_it);
    tcase_add_test(tests, a_plan_is_const_while_the_graph_goes_on);
    tcase_add_test(tests, an_unknown_packer_and_an_error_in_capture_refuse_the_plan);
    tcase_add_test(tests, capture_goes_on_after_a_failed_allocation);
    tcase_add_test(tests, a_value_of_which_only_the_shape_is_read_takes_neither_time_nor_place);
    tcase_add_test(tests, a_value_lives_to_its_last_reader_of_data_not_of_shape);
    return spine_run("graph", &tests, 1);
}
