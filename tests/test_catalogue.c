/* test_catalogue.c - registering and finding: duplicates, neighbours, inconsistent operators, tables that grow. */
#include "../core/gradient.h"
#include "../pack/pack.h"
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

START_TEST(names_are_found_and_neighbours_offered)
{
    int64_t lookups = rt->counts.lookups;
    ck_assert_ptr_eq(tare_find(rt, TARE_KIND_OPERATOR, "relu"), &tare_op_relu);
    ck_assert_int_eq(rt->counts.lookups, lookups + 1);
    ck_assert_ptr_nonnull(tare_find(rt, TARE_KIND_NET, "chain"));
    ck_assert_int_eq(rt->counts.lookups, lookups + 1);
    static const char *const unknown[][2] = {
        {"rel", "'rel' is unknown (near it: "}, {"relv", "relu_grad"}, {"zzz", "(near it: "}, {"", "abs"}};
    for (int i = 0; i < 4; ++i) {
        ck_assert_ptr_null(tare_find(rt, TARE_KIND_OPERATOR, unknown[i][0]));
        ck_assert_msg(strstr(tare_error_text(), unknown[i][1]), "%s", tare_error_text());
    }
    ck_assert_ptr_null(tare_find(rt, TARE_KIND_PASS, "xyz"));
    ck_assert_msg(strstr(tare_error_text(), "pass 'xyz' is unknown (near it: "), "%s", tare_error_text());
    ck_assert_ptr_null(tare_find(rt, TARE_KIND_OPERATOR, NULL));
    ck_assert_str_eq(tare_error_text(), "a look-up needs a kind and a name");
    tare_net *net;
    expect_error(tare_net_new(rt, NULL, 1, &net), TARE_BAD_ARGUMENT, "a net needs a name");
}
END_TEST

START_TEST(a_name_is_taken_once_a_kind)
{
    static const tare_packer again = {.name = "greedy"}, other = {.name = "relu"};
    expect_error(tare_register(rt, TARE_KIND_OPERATOR, &tare_op_relu), TARE_BAD_ARGUMENT,
                 "operator 'relu' is registered already");
    expect_error(tare_register(rt, TARE_KIND_PACKER, &again), TARE_BAD_ARGUMENT, "packer 'greedy'");
    must(tare_register(rt, TARE_KIND_PACKER, &other)); /* another kind, another name space */
    expect_error(tare_register(rt, TARE_KIND_COUNT, &other), TARE_BAD_ARGUMENT, "a kind and a name");
    expect_error(tare_register(rt, TARE_KIND_PACKER, NULL), TARE_BAD_ARGUMENT, "a kind and a name");
    expect_error(tare_register(rt, TARE_KIND_PACKER, &(tare_packer){0}), TARE_BAD_ARGUMENT, "a kind and a name");
    expect_error(tare_register(rt, TARE_KIND_PACKER, &(tare_packer){.name = ""}), TARE_BAD_ARGUMENT, "and a name");
}
END_TEST

static tare_status infer(const tare_args *a, const tare_desc_out *out)
{
    tare_desc_like(out[0], a->in[0]);
    return TARE_OK;
}
static void gradient(tare_builder *b)
{
    tare_contribute(b, 0, tare_head(b, 0));
}
static void prepare(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)a;
    w->g[0] = (int64_t)tare_desc_bytes(out[0]);
    w->n_g = 1;
}
static int run(const tare_call *c, int piece, int worker)
{
    (void)piece;
    (void)worker;
    memcpy(c->ptr[1], c->ptr[0], (size_t)c->g[0]);
    return 0;
}
static int64_t view(const tare_args *a, int o)
{
    (void)a;
    (void)o;
    return 0;
}

static const tare_variant whole[] = {
    {.name = "reference", .set = TARE_SET_REFERENCE, .dtypes = ~0u, .prepare = prepare, .run = run}};
static const tare_variant native_only[] = {{.name = "n", .dtypes = ~0u, .prepare = prepare, .run = run}};
static const tare_variant no_prepare[] = {{.name = "reference", .set = TARE_SET_REFERENCE, .dtypes = ~0u, .run = run}};
static const tare_variant no_run[] = {
    {.name = "reference", .set = TARE_SET_REFERENCE, .dtypes = ~0u, .prepare = prepare}};

static tare_op good(void)
{
    return (tare_op){.name = "own",
                     .doc = "y = x",
                     .n_in = 1,
                     .n_out = 1,
                     .infer = infer,
                     .gradient = gradient,
                     .variants = whole,
                     .n_variants = 1};
}

static tare_status no_execute(tare_mode *m, const tare_node *n)
{
    (void)m;
    (void)n;
    return TARE_IMPOSSIBLE;
}

START_TEST(inconsistent_operators_are_refused)
{
    tare_op bad[14];
    const char *why[14];
    int n = 0;
#define BAD(change, sentence)                                                                                          \
    do {                                                                                                               \
        bad[n] = good();                                                                                               \
        bad[n].change;                                                                                                 \
        why[n++] = sentence;                                                                                           \
    } while (0)
    BAD(infer = NULL, "it has no infer");
    BAD(execute = no_execute, "for operators made at run time");
    BAD(gradient = NULL, "no gradient and is not marked");
    BAD(n_variants = 0, "not a reference");
    BAD(variants = native_only, "not a reference");
    BAD(variants = no_prepare, "no prepare or no run");
    BAD(variants = no_run, "no prepare or no run");
    BAD(n_in = 9, "too many operands");
    BAD(n_aux = 8, "too many operands");
    BAD(ties[0] = 2, "an input that there is not");
    BAD(overwrites[0] = 2, "an input that there is not");
    BAD(ties[1] = 1, "an output that there is not");
    BAD(overwrites[1] = 1, "an output that there is not");
    BAD(ties[0] = -1, "an input that there is not");
    int n_kernels = (int)rt->n_kernels;
    for (int i = 0; i < n; ++i) {
        expect_error(tare_register(rt, TARE_KIND_OPERATOR, &bad[i]), TARE_BAD_ARGUMENT, why[i]);
        ck_assert_ptr_nonnull(strstr(tare_error_text(), "operator 'own' cannot be registered"));
        ck_assert_ptr_null(tare_find(rt, TARE_KIND_OPERATOR, "own"));
    }
    ck_assert_int_eq((int)rt->n_kernels, n_kernels);
    static tare_op fine, marked, looking;
    fine = good();
    must(tare_register(rt, TARE_KIND_OPERATOR, &fine));
    marked = good();
    marked.name = "marked";
    marked.gradient = NULL;
    marked.not_differentiable = true;
    must(tare_register(rt, TARE_KIND_OPERATOR, &marked));
    looking = good();
    looking.name = "looking";
    looking.variants = NULL;
    looking.n_variants = 0;
    looking.view = view;
    must(tare_register(rt, TARE_KIND_OPERATOR, &looking));
}
END_TEST

/* An operator of one's own works in both modes; one that is not registered is refused in both. */
START_TEST(an_operator_must_be_registered_to_be_applied)
{
    static tare_op own;
    own = good();
    tare_value *x = spine_random(rt, 1, (const int64_t[]){5}, 1);
    tare_graph *g;
    must(tare_graph_new(rt, &g));
    tare_mode *mode[] = {spine_mode(rt, false), tare_graph_mode(g)};
    for (int registered = 0; registered < 2; ++registered) {
        for (int i = 0; i < 2; ++i) {
            tare_mode *m = mode[i];
            m->scope_begin(m, NULL);
            tare_value *out;
            tare_status status = m->apply(m, &own, NULL, &x, 1, &out, 0);
            ck_assert_int_eq(status, registered ? TARE_OK : TARE_NOT_FOUND);
            if (registered && i == 0)
                ck_assert(spine_same(out, x));
            m->scope_end(m, NULL, 0);
            tare_mode_clear(m);
        }
        if (!registered)
            must(tare_register(rt, TARE_KIND_OPERATOR, &own));
    }
    tare_imperative_free(mode[0]);
    tare_graph_free(g);
    tare_value_drop(x);
}
END_TEST

START_TEST(tables_grow_with_the_catalogue)
{
    enum { MANY = 700 };
    static tare_op op[MANY];
    static char name[MANY][16];
    for (int i = 0; i < MANY; ++i) {
        op[i] = good();
        (void)snprintf(name[i], sizeof name[i], "own%d", (i * 389) % MANY); /* not in order */
        op[i].name = name[i];
        must(tare_register(rt, TARE_KIND_OPERATOR, &op[i]));
    }
    for (int i = 0; i < MANY; ++i) {
        ck_assert_ptr_eq(tare_find(rt, TARE_KIND_OPERATOR, name[i]), &op[i]);
        ck_assert_ptr_eq(tare_runtime_kernels(rt, &op[i])->op, &op[i]);
        ck_assert_int_eq(tare_runtime_kernels(rt, &op[i])->n, 1);
    }
    ck_assert_ptr_eq(tare_runtime_kernels(rt, &tare_op_relu)->op, &tare_op_relu);
    tare_op none = good();
    ck_assert_int_eq(tare_runtime_kernels(rt, &none)->n, 0);
    /* the newest are taken back; all others are still found, also those that had been led past them */
    tare_unregister(rt, tare_registered(rt) - MANY / 2);
    for (int i = 0; i < MANY; ++i) {
        const tare_op *kept = i < MANY / 2 ? &op[i] : NULL;
        ck_assert_ptr_eq(tare_find(rt, TARE_KIND_OPERATOR, name[i]), kept);
        ck_assert_ptr_eq(tare_runtime_kernels(rt, &op[i])->op, kept);
    }
    ck_assert_ptr_eq(tare_runtime_kernels(rt, &tare_op_relu)->op, &tare_op_relu);
    for (int i = 1; i < rt->n_records[TARE_KIND_OPERATOR]; ++i)
        ck_assert_int_lt(strcmp(rt->record[TARE_KIND_OPERATOR][i - 1]->name, rt->record[TARE_KIND_OPERATOR][i]->name),
                         0);
}
END_TEST

START_TEST(a_runtime_refuses_odd_options)
{
    tare_runtime *none = NULL;
    expect_error(tare_runtime_new(&(tare_options){.threads = -1, .isa_limit = TARE_ISA_COUNT}, &none),
                 TARE_BAD_ARGUMENT, "threads is -1");
    expect_error(tare_runtime_new(&(tare_options){.kernels = (tare_kernel_choice)9}, &none), TARE_BAD_ARGUMENT,
                 "range");
    expect_error(tare_runtime_new(&(tare_options){.storage = (tare_storage_choice)9}, &none), TARE_BAD_ARGUMENT,
                 "range");
    expect_error(tare_runtime_new(&(tare_options){.isa_limit = (tare_isa)9}, &none), TARE_BAD_ARGUMENT, "range");
    ck_assert_ptr_null(none);
    ck_assert_int_eq(tare_runtime_free(NULL), 0);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("catalogue");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, names_are_found_and_neighbours_offered);
    tcase_add_test(tests, a_name_is_taken_once_a_kind);
    tcase_add_test(tests, inconsistent_operators_are_refused);
    tcase_add_test(tests, an_operator_must_be_registered_to_be_applied);
    tcase_add_test(tests, tables_grow_with_the_catalogue);
    tcase_add_test(tests, a_runtime_refuses_odd_options);
    return spine_run("catalogue", &tests, 1);
}
