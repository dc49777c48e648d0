/* test_kernel_sets.c - kernels that a set adds to operators of others: when they are used, and that a failure leaves
 * all as it was. */
#include "../core/plugin.h"
#include "spine.h"

/* ---- a set: relu of up to 8 elements, and what it keeps
 * ------------------------------------------------------------*/
enum { MOST = 8, KEPT = 32 };
static int n_open, n_run, n_prepared_until; /* prepare has memory so many times; -1: always */
static double *kept;

static tare_status open_set(tare_runtime *rt, void **own)
{
    *own = kept = tare_memory_take(&rt->memory, TARE_MEMORY_RECORD, KEPT);
    n_open += kept != NULL;
    return kept ? TARE_OK : TARE_NO_MEMORY;
}

static void close_set(tare_runtime *rt, void *own)
{
    ck_assert_ptr_eq(own, kept);
    tare_memory_give(&rt->memory, TARE_MEMORY_RECORD, own, KEPT);
    --n_open;
}

static const char *library(void)
{
    return "nothing 1.0";
}

static bool few(const tare_args *a)
{
    ck_assert_ptr_eq(a->runtime->added_own, kept);
    return tare_desc_count(a->in[0]) <= MOST;
}

static void prepare(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    ck_assert_ptr_eq(a->runtime->added_own, kept);
    w->g[0] = tare_desc_count(out[0]);
    w->n_g = 1;
    w->n_pieces = n_prepared_until != 0;
    n_prepared_until -= n_prepared_until > 0;
}

static int run(const tare_call *c, int piece, int worker)
{
    (void)piece;
    (void)worker;
    const float *x = c->ptr[0];
    float *y = c->ptr[1];
    for (int64_t i = 0; i < c->g[0]; ++i)
        y[i] = x[i] > 0 ? x[i] : 0;
    ++n_run;
    return 0;
}

#define RELU(set_)                                                                                                     \
    {                                                                                                                  \
        .name = "few", .set = set_, .dtypes = TARE_BIT(TARE_F32), .fits = few, .prepare = prepare, .run = run          \
    }
#define SET(op_, variant_)                                                                                             \
    {                                                                                                                  \
        .name = "mine", .to = (const tare_added_variants[]){{"tanh", variant_, 1}, {op_, variant_, 1}}, .n_to = 2,     \
        .open = open_set, .close = close_set, .library = library, .tolerance = 1                                       \
    }
static const tare_variant good[] = {RELU(TARE_SET_ADDED)}, of_another_set[] = {RELU(TARE_SET_NATIVE)};
static const tare_added_kernels mine = SET("relu", good), strange = SET("relux", good),
                                native = SET("relu", of_another_set);

static tare_status start(const char *name, const tare_added_kernels *set, tare_runtime **out)
{
    tare_options options = {
        .kernels = name ? TARE_KERNELS_ADDED : TARE_KERNELS_NATIVE, .added = name, .isa_limit = TARE_ISA_COUNT};
    n_run = 0;
    n_prepared_until = -1;
    must(tare_start(&options, out));
    must(tare_graph_register(*out));
    return tare_register(*out, TARE_KIND_KERNELS, set);
}

/* relu of n elements, run now; how often the set's kernel ran. */
static int relu_of(tare_runtime *rt, int64_t n, tare_status wanted)
{
    const int before = n_run;
    tare_mode *m = spine_mode(rt, false);
    tare_value *x = spine_random(rt, 1, &n, 1);
    m->scope_begin(m, "");
    tare_value *y = tare_relu(m, x);
    ck_assert_int_eq(m->error, wanted);
    for (int64_t i = 0; wanted == TARE_OK && i < n; ++i) {
        float is = ((const float *)y->address)[i], of = ((const float *)x->address)[i];
        ck_assert(is == (of > 0 ? of : 0));
    }
    m->scope_end(m, NULL, 0);
    tare_value_drop(x);
    tare_imperative_free(m);
    return n_run - before;
}

START_TEST(a_set_is_used_where_it_is_named_and_fits)
{
    tare_runtime *rt;
    must(start("mine", &mine, &rt));
    ck_assert_int_eq(n_open, 1);
    ck_assert_int_eq(relu_of(rt, MOST, TARE_OK), 1);
    ck_assert_int_eq(relu_of(rt, MOST + 1, TARE_OK), 0); /* our own */
    spine_end(rt);
    ck_assert_int_eq(n_open, 0);

    must(start("another", &mine, &rt));
    ck_assert_int_eq(n_open, 0);
    ck_assert_int_eq(relu_of(rt, MOST, TARE_OK), 0);
    spine_end(rt);
    must(start(NULL, &mine, &rt));
    ck_assert_int_eq(relu_of(rt, MOST, TARE_OK), 0);
    spine_end(rt);
}
END_TEST

START_TEST(a_set_taken_back_is_gone)
{
    tare_runtime *rt;
    must(start("mine", &mine, &rt));
    tare_unregister(rt, tare_registered(rt) - 1);
    ck_assert_int_eq(n_open, 0);
    ck_assert_int_eq(relu_of(rt, MOST, TARE_OK), 0);
    must(tare_register(rt, TARE_KIND_KERNELS, &mine));
    ck_assert_int_eq(relu_of(rt, MOST, TARE_OK), 1);
    spine_end(rt);
}
END_TEST

START_TEST(what_is_wrong_with_a_set_is_told)
{
    tare_runtime *rt;
    expect_error(start("mine", &strange, &rt), TARE_NOT_FOUND, "kernels for 'relux', which is no operator");
    expect_error(tare_register(rt, TARE_KIND_KERNELS, &native), TARE_BAD_ARGUMENT, "is not of TARE_SET_ADDED");
    must(tare_register(rt, TARE_KIND_KERNELS, &mine));
    expect_error(tare_register(rt, TARE_KIND_KERNELS, &mine), TARE_BAD_ARGUMENT,
                 "kernel set 'mine' is registered already");
    spine_end(rt);
    expect_error(tare_runtime_new(&(tare_options){.kernels = TARE_KERNELS_ADDED}, &rt), TARE_BAD_ARGUMENT,
                 "need the name of their set");
    expect_error(tare_runtime_new(&(tare_options){.added = "mine"}, &rt), TARE_BAD_ARGUMENT, "no others have one");
}
END_TEST

/* prepare without memory is the operator's, and the plan's. */
START_TEST(prepare_without_memory_is_told)
{
    const int64_t n = MOST;
    tare_runtime *rt;
    must(start("mine", &mine, &rt));
    n_prepared_until = 0;
    ck_assert_int_eq(relu_of(rt, n, TARE_NO_MEMORY), 0);
    n_prepared_until = -1;
    ck_assert_int_eq(relu_of(rt, n, TARE_OK), 1);

    tare_graph *g;
    must(tare_graph_new(rt, &g));
    const tare_desc d = tare_desc_of(TARE_F32, 1, &n);
    must(tare_graph_output(g, tare_relu(tare_graph_mode(g), tare_graph_input(g, &d, "x"))));
    tare_plan *p = NULL;
    n_prepared_until = 0;
    ck_assert_int_eq(tare_plan_new(g, NULL, &p), TARE_NO_MEMORY);
    n_prepared_until = -1;
    must(tare_plan_new(g, NULL, &p));
    tare_plan_free(p);
    tare_graph_free(g);
    spine_end(rt);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    tare_runtime *rt;
    must(start(NULL, &mine, &rt));
    spine_end(rt);
    tare_status status = TARE_NO_MEMORY;
    for (int64_t k = 1; status != TARE_OK; ++k) {
        tare_options options = {.kernels = TARE_KERNELS_ADDED, .added = "mine", .isa_limit = TARE_ISA_COUNT};
        must(tare_start(&options, &rt));
        int before = tare_registered(rt);
        rt->memory.fail_at = rt->memory.n_requests + k; /* and all after it */
        status = tare_register(rt, TARE_KIND_KERNELS, &mine);
        rt->memory.fail_at = 0;
        ck_assert_int_eq(n_open, status == TARE_OK);
        ck_assert_int_eq(tare_registered(rt), before + (status == TARE_OK));
        ck_assert_int_eq(relu_of(rt, MOST, TARE_OK), status == TARE_OK);
        spine_end(rt);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("kernel sets");
    tcase_add_test(tests, a_set_is_used_where_it_is_named_and_fits);
    tcase_add_test(tests, a_set_taken_back_is_gone);
    tcase_add_test(tests, what_is_wrong_with_a_set_is_told);
    tcase_add_test(tests, prepare_without_memory_is_told);
    tcase_add_test(tests, every_allocation_may_fail);
    return spine_run("kernel sets", &tests, 1);
}
