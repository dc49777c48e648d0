/* test_passes.c - what is not run because it is known: nodes merged with an earlier one, constants. The same bits with
 * the passes on and off, nothing merged or folded that may not be, and every wrong claim found by the checker. */
#include "../graph/graph_private.h"
#include "spine.h"

enum { N = 48 };
static tare_runtime *rt;
static tare_graph *g;
static tare_mode *m;
static tare_desc d;

static void setup(void)
{
    rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    must(tare_graph_new(rt, &g));
    m = tare_graph_mode(g);
    d = tare_desc_of(TARE_F32, 2, (const int64_t[]){N, N});
}

static void teardown(void)
{
    tare_graph_free(g);
    spine_end(rt);
}

static tare_plan *plan_with(bool cse, bool folding)
{
    tare_plan *p;
    must(tare_plan_new(g, &(tare_plan_options){.no_cse = !cse, .no_folding = !folding}, &p));
    return p;
}

/* Runs a plan twice and keeps its results' bytes. */
static void *results_of(const tare_plan *p, tare_value *in, size_t *bytes)
{
    tare_instance *run;
    must(tare_instance_new(p, &run));
    if (in)
        must(tare_instance_bind(run, 0, in));
    must(tare_instance_run(run));
    must(tare_instance_run(run));
    char *all = malloc(1);
    *bytes = 0;
    for (int k = 0; k < p->part.n_result; ++k) {
        tare_value *v = tare_instance_output(run, k);
        size_t more = tare_desc_bytes(&v->d);
        void *at = spine_bytes(v);
        all = realloc(all, *bytes + more + 1);
        memcpy(all + *bytes, at, more);
        *bytes += more;
        free(at);
    }
    tare_instance_free(run);
    return all;
}

/* The same results with the passes and without; so many nodes merged and folded. */
static void expect_passes(tare_value *in, int merged, int folded)
{
    size_t bytes, plain_bytes;
    tare_plan *plain = plan_with(false, false), *p = plan_with(true, true);
    ck_assert_int_eq(tare_plan_passes_of(plain).merged, 0);
    ck_assert_int_eq(tare_plan_passes_of(plain).folded, 0);
    ck_assert_int_eq(tare_plan_passes_of(p).merged, merged);
    ck_assert_int_eq(tare_plan_passes_of(p).folded, folded);
    const tare_node *const *node;
    ck_assert_int_le(tare_plan_calls(p, &node), tare_plan_calls(plain, &node) - merged - folded);
    void *wanted = results_of(plain, in, &plain_bytes), *is = results_of(p, in, &bytes);
    ck_assert(bytes == plain_bytes && memcmp(wanted, is, bytes) == 0);
    must(tare__plan_check(p));
    free(wanted);
    free(is);
    tare_plan_free(plain);
    tare_plan_free(p);
}

static tare_value *input(void)
{
    return tare_graph_input(g, &d, "x");
}

static tare_value *data(void)
{
    return spine_random(rt, 2, d.dim, 5);
}

/* ---- merging
 * -------------------------------------------------------------------------------------------------------------*/
START_TEST(what_was_made_is_not_made_again)
{
    tare_value *x = input(), *in = data();
    tare_value *a = tare_tanh(m, tare_exp(m, x)), *b = tare_tanh(m, tare_exp(m, x)); /* two of b's */
    tare_value *c = tare_matmul(m, a, x, (tare_matmul_attr){0}), *e = tare_matmul(m, b, x, (tare_matmul_attr){0});
    tare_value *f = tare_matmul(m, b, x, (tare_matmul_attr){.transpose_b = true}); /* other attributes */
    must(tare_graph_output(g, tare_add(m, tare_sub(m, c, f), tare_sub(m, f, e))));
    expect_passes(in, 3, 0);
    tare_value_drop(in);
}
END_TEST

START_TEST(views_and_their_copies_are_merged)
{
    tare_value *x = input(), *in = data(), *sum = NULL;
    for (int i = 0; i < 4; ++i) {
        tare_value *t = tare_transpose(m, x, (tare_transpose_attr){{0}});
        tare_value *y = tare_l2_loss(m, t, x);
        sum = sum ? tare_add(m, sum, y) : y;
    }
    must(tare_graph_output(g, sum));
    expect_passes(in, 6, 0); /* and the copies that were put before */
    tare_value_drop(in);
}
END_TEST

/* A result has bytes of its own; another may stand for nobody, but it may stand for others. */
START_TEST(results_are_made_each)
{
    tare_value *x = input(), *in = data();
    tare_value *a = tare_exp(m, x), *b = tare_exp(m, x), *c = tare_exp(m, x);
    must(tare_graph_output(g, a));
    must(tare_graph_output(g, b));
    must(tare_graph_output(g, tare_tanh(m, c)));
    expect_passes(in, 1, 0);
    tare_value_drop(in);
}
END_TEST

/* n is read before it is counted up and after it: two values. */
START_TEST(what_is_written_between_is_read_twice)
{
    tare_desc count = tare_desc_of(TARE_I64, 0, NULL);
    tare_value *n, *out;
    must(tare_value_new(rt, &count, TARE_MEMORY_INPUT, &n));
    must(tare_value_write(n, &(int64_t){3}, sizeof(int64_t)));
    const tare_cast_attr real = {TARE_F32};
    tare_value *before = tare_cast(m, n, real), *same = tare_cast(m, n, real);
    must(m->apply(m, &tare_op_increment, NULL, &n, 1, &out, 0));
    tare_value *after = tare_cast(m, n, real), *again = tare_cast(m, n, real);
    must(tare_graph_output(g, tare_add(m, before, same)));
    must(tare_graph_output(g, tare_add(m, after, again)));
    tare_plan *p = plan_with(true, true);
    ck_assert_int_eq(tare_plan_passes_of(p).merged, 2);
    tare_instance *run;
    must(tare_instance_new(p, &run));
    must(tare_instance_run(run));
    ck_assert_float_eq(spine_first(tare_instance_output(run, 0)), 6);
    ck_assert_float_eq(spine_first(tare_instance_output(run, 1)), 8);
    tare_instance_free(run);
    tare_plan_free(p);
    tare_value_drop(n);
}
END_TEST

START_TEST(random_draws_are_never_one)
{
    tare_desc count = tare_desc_of(TARE_I64, 0, NULL);
    tare_value *n, *x = input(), *a[2], *b[2];
    must(tare_value_new(rt, &count, TARE_MEMORY_INPUT, &n));
    must(tare_value_write(n, &(int64_t){0}, sizeof(int64_t)));
    const tare_dropout_attr attr = {.rate = 0.5, .seed = 7};
    must(m->apply(m, &tare_op_dropout, &attr, (tare_value *const[]){x, n}, 2, a, 0));
    must(m->apply(m, &tare_op_dropout, &attr, (tare_value *const[]){x, n}, 2, b, 0));
    must(tare_graph_output(g, tare_add(m, a[0], b[0])));
    tare_plan *p = plan_with(true, true);
    ck_assert_int_eq(tare_plan_passes_of(p).merged, 0);
    tare_plan_free(p);
    tare_value_drop(n);
}
END_TEST

/* Sharing one large value over a long time costs more than making it twice. */
START_TEST(merging_that_takes_more_memory_is_left)
{
    tare_value *in = data(), *x = input();
    tare_value *y = tare_matmul(m, tare_exp(m, x), x, (tare_matmul_attr){0});
    for (int i = 0; i < 3; ++i)
        y = tare_matmul(m, y, y, (tare_matmul_attr){0});
    must(tare_graph_output(g, tare_l2_loss(m, tare_exp(m, x), y)));
    tare_plan *p = plan_with(true, true), *plain = plan_with(false, true);
    ck_assert_int_eq(tare_plan_passes_of(p).merged, 0);
    ck_assert_int_eq(tare_plan_size(p).arena, tare_plan_size(plain).arena);
    tare_plan_free(p);
    tare_plan_free(plain);
    tare_value_drop(in);
}
END_TEST

/* ---- folding
 * -------------------------------------------------------------------------------------------------------------*/
START_TEST(constants_are_computed_once)
{
    tare_value *x = input(), *in = data();
    tare_value *two = tare_fill(m, x, (tare_fill_attr){2}), *e = tare_exp(m, two);
    tare_value *row = tare_reshape(m, tare_add(m, e, two), (tare_reshape_attr){{1, {N * N}}});
    tare_value *back = tare_reshape(m, row, (tare_reshape_attr){{2, {N, N}}});
    must(tare_graph_output(g, tare_mul(m, x, back)));
    expect_passes(in, 0, 3);
    tare_plan *p = plan_with(true, true);
    ck_assert_int_eq(tare_plan_passes_of(p).constant_bytes, N * N * 4);
    ck_assert_int_eq(rt->memory.bytes_live[TARE_MEMORY_CONSTANT], N * N * 4);
    tare_plan_free(p);
    ck_assert_int_eq(rt->memory.bytes_live[TARE_MEMORY_CONSTANT], 0);
    tare_value_drop(in);
}
END_TEST

/* A result, a parameter's function, and what is large: they are made at every run. */
START_TEST(what_is_no_constant_or_too_large_is_not_folded)
{
    tare_value *x = input(), *in = data(), *w = data();
    must(tare_graph_output(g, tare_fill(m, x, (tare_fill_attr){2})));
    must(tare_graph_output(g, tare_add(m, tare_exp(m, w), x)));
    tare_desc big = tare_desc_of(TARE_F32, 1, (const int64_t[]){1 << 15});
    tare_value *like = tare_graph_input(g, &big, "like");
    must(tare_graph_output(
        g, tare_sum(m, tare_exp(m, tare_fill(m, like, (tare_fill_attr){1})), (tare_sum_attr){.axes = {0}})));
    tare_plan *p = plan_with(true, true);
    ck_assert_int_eq(tare_plan_passes_of(p).folded, 0);
    ck_assert_ptr_null(p->constant);
    tare_plan_free(p);
    tare_value_drop(in);
    tare_value_drop(w);
}
END_TEST

/* What meets bad data says so at the run, not when the plan is made. */
START_TEST(a_constant_of_bad_data_is_met_at_the_run)
{
    tare_value *x = input(), *in = data();
    tare_value *far =
        tare_cast(m, tare_fill(m, tare_sum(m, x, (tare_sum_attr){.axes = {1, {0}}}), (tare_fill_attr){N + 4}),
                  (tare_cast_attr){TARE_I32});
    tare_value *table = tare_fill(m, x, (tare_fill_attr){1});
    must(tare_graph_output(g, tare_add(m, x, tare_gather(m, table, far))));
    tare_plan *p = plan_with(true, true);
    ck_assert_int_eq(tare_plan_passes_of(p).folded, 3);
    tare_instance *run;
    must(tare_instance_new(p, &run));
    must(tare_instance_bind(run, 0, in));
    expect_error(tare_instance_run(run), TARE_BAD_DATA, "gather");
    tare_instance_free(run);
    tare_plan_free(p);
    tare_value_drop(in);
}
END_TEST

/* ---- what the checker finds
 * ---------------------------------------------------------------------------------------------------*/
static void build_both(void)
{
    tare_value *x = input(), *two = tare_fill(m, x, (tare_fill_attr){2});
    tare_value *a = tare_tanh(m, tare_exp(m, x)), *b = tare_tanh(m, tare_exp(m, x));
    must(tare_graph_output(g, tare_mul(m, tare_add(m, a, tare_scale(m, b, (tare_scale_attr){3})), tare_exp(m, two))));
}

START_TEST(every_other_stand_in_is_found)
{
    build_both();
    tare_plan *p = plan_with(true, true);
    ck_assert_int_eq(tare_plan_passes_of(p).merged, 2);
    int n = 0;
    for (int32_t id = 0; id < p->n_values_graph; ++id) {
        int32_t was = p->instead[id];
        for (int32_t other = -1; other <= p->n_values_graph; ++other) {
            if (other == was)
                continue;
            p->instead[id] = other;
            ck_assert_msg(tare__plan_check(p) == TARE_IMPOSSIBLE, "value %d as %d instead of %d", id, other, was);
            ++n;
        }
        p->instead[id] = was;
    }
    ck_assert_int_gt(n, 50);
    must(tare__plan_check(p));
    tare_plan_free(p);
}
END_TEST

START_TEST(every_other_constant_is_found)
{
    build_both();
    tare_plan *p = plan_with(true, true);
    int n = 0;
    for (int32_t id = 0; id < p->n_values_graph; ++id) {
        tare_storage *was = p->constant[id];
        if (was) {
            p->constant[id] = NULL;
            ck_assert_int_eq(tare__plan_check(p), TARE_IMPOSSIBLE);
            p->constant[id] = was;
            for (int32_t other = 0; other < p->n_values_graph; ++other) {
                if (other == id)
                    continue;
                p->constant[other] = was; /* exp of two read as its argument's, or as what changes */
                p->constant[id] = NULL;
                ck_assert_int_eq(tare__plan_check(p), TARE_IMPOSSIBLE);
                p->constant[other] = NULL;
                p->constant[id] = was;
                ++n;
            }
        }
    }
    ck_assert_int_gt(n, 5);
    must(tare__plan_check(p));
    tare_plan_free(p);
}
END_TEST

/* The operand of each call replaced by every other value of its shape. */
START_TEST(a_call_that_reads_another_value_is_found)
{
    build_both();
    tare_plan *p = plan_with(true, true);
    int n = 0;
    for (int32_t i = 0; i < p->program->n; ++i) {
        tare_node *node = &p->program->node[i];
        tare_value *operand[TARE_OPERANDS], **of_graph = node->operand; /* the graph's own stay */
        memcpy(operand, of_graph, (size_t)(node->n_in + node->n_out + node->n_aux) * sizeof(tare_value *));
        node->operand = operand;
        for (int k = 0; k < node->n_in; ++k) {
            tare_value *was = node->operand[k];
            for (int32_t id = 0; id < p->n_values_graph; ++id) {
                if (p->instead[id] == p->instead[was->id] || p->program->value[id]->node > i)
                    continue;
                node->operand[k] = p->program->value[id];
                ck_assert_int_eq(tare__plan_check(p), TARE_IMPOSSIBLE);
                ++n;
            }
            node->operand[k] = was;
        }
        node->operand = of_graph;
    }
    ck_assert_int_gt(n, 20);
    must(tare__plan_check(p));
    tare_plan_free(p);
}
END_TEST

/* Every request fails in turn: a status, and nothing lost. */
START_TEST(without_memory_nothing_is_lost)
{
    build_both();
    tare_status status = TARE_NO_MEMORY;
    for (int64_t at = 1; status != TARE_OK; ++at) {
        tare_plan *p = NULL;
        int64_t live = rt->memory.n_live;
        rt->memory.fail_at = rt->memory.n_requests + at;
        status = tare_plan_new(g, NULL, &p);
        rt->memory.fail_at = 0;
        ck_assert(status == TARE_OK || status == TARE_NO_MEMORY);
        tare_plan_free(p);
        tare_runtime_trim(rt);
        ck_assert_int_le(rt->memory.n_live, live + 2); /* a slab of records, the sites' text: kept by the runtime */
    }
}
END_TEST

/* ---- a pass of somebody else's
 * -----------------------------------------------------------------------------------------------------------------*/
static bool too_much; /* what takes_out takes out is read */

/* The last relu, whether it is read or not. */
static tare_status takes_out(tare_plan *p, bool *live)
{
    int32_t from, to, last = -1;
    tare_plan_range(p, &from, &to);
    const tare_program *program = tare_plan_program(p);
    for (int32_t i = from; i < to; ++i)
        if (live[i - from] && strcmp(program->node[i].op->name, too_much ? "tanh" : "relu") == 0)
            last = i;
    if (last >= 0)
        live[last - from] = false;
    return TARE_OK;
}

START_TEST(a_registered_pass_is_run_and_its_plan_proved)
{
    static const tare_pass pass = {"takes_out", "takes a relu out that nobody reads", 0, takes_out};
    tare_value *x = input(), *y = tare_tanh(m, x);
    (void)tare_relu(m, y);
    must(tare_graph_output(g, tare_sigmoid(m, y)));
    tare_plan *p;
    const tare_node *const *node;
    const tare_plan_options options = {.no_dce = true};
    for (int with = 0; with < 2; ++with) {
        if (with)
            must(tare_register(rt, TARE_KIND_PASS, &pass));
        must(tare_plan_new(g, &options, &p));
        ck_assert_int_eq(tare_plan_calls(p, &node), 3 - with);
        tare_plan_free(p);
    }
    too_much = true;
    expect_error(tare_plan_new(g, &options, &p), TARE_IMPOSSIBLE, "read before it is written");
    too_much = false;
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("passes");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, what_was_made_is_not_made_again);
    tcase_add_test(tests, views_and_their_copies_are_merged);
    tcase_add_test(tests, results_are_made_each);
    tcase_add_test(tests, what_is_written_between_is_read_twice);
    tcase_add_test(tests, random_draws_are_never_one);
    tcase_add_test(tests, merging_that_takes_more_memory_is_left);
    tcase_add_test(tests, constants_are_computed_once);
    tcase_add_test(tests, what_is_no_constant_or_too_large_is_not_folded);
    tcase_add_test(tests, a_constant_of_bad_data_is_met_at_the_run);
    tcase_add_test(tests, every_other_stand_in_is_found);
    tcase_add_test(tests, every_other_constant_is_found);
    tcase_add_test(tests, a_call_that_reads_another_value_is_found);
    tcase_add_test(tests, without_memory_nothing_is_lost);
    tcase_add_test(tests, a_registered_pass_is_run_and_its_plan_proved);
    return spine_run("passes", &tests, 1);
}
