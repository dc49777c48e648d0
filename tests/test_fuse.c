/* test_fuse.c - rows of nodes that run as one call: which are fused, that no bit changes, that the checker proves it.
 *
 * A body is captured, forward or with its gradient, and planned with the pass and without. Pairs of operators are taken
 * from the records: what says that it is elementwise must bear being cut into tiles behind any other. */
#include "../graph/fused_private.h"
#include "plan_copy.h"
#include "spine.h"

enum { MOST_IN = 3, MOST_OUT = 8 };

typedef tare_value *body(tare_mode *m, tare_value *const *x);

typedef struct {
    const char *name;
    body *f;
    int64_t dim[2]; /* of every input */
    int calls;      /* forward, fused */
    bool trains;
} fused_case;

static tare_runtime *rt;

static void setup(void)
{
    rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
}

static void teardown(void)
{
    spine_end(rt);
}

/* ---- bodies -----------------------------------------------------------------------------------------------------*/

static tare_value *product_of(tare_mode *m, tare_value *a, tare_value *b)
{
    return tare_matmul(m, a, b, (tare_matmul_attr){.transpose_b = true});
}

static tare_value *two(tare_mode *m, tare_value *const *x)
{
    return tare_relu(m, tare_tanh(m, x[0]));
}

static tare_value *many(tare_mode *m, tare_value *const *x)
{
    tare_value *y = tare_mul(m, tare_add(m, x[0], x[1]), x[2]);
    y = tare_sub(m, tare_sigmoid(m, tare_scale(m, y, (tare_scale_attr){0.7})), x[1]);
    return tare_leaky_relu(m, y, (tare_leaky_relu_attr){0.1});
}

/* Nine steps: the first stays alone. */
static tare_value *too_many(tare_mode *m, tare_value *const *x)
{
    tare_value *y = x[0];
    for (int i = 0; i < TARE_FUSED_STEPS + 1; ++i)
        y = tare_tanh(m, y);
    return y;
}

static tare_value *activated(tare_mode *m, tare_value *const *x)
{
    return tare_relu(m, product_of(m, x[0], x[1]));
}

/* Of this form pieces are whole rows at first. */
static tare_value *in_rows(tare_mode *m, tare_value *const *x)
{
    return tare_relu(m, tare_matmul(m, x[0], x[1], (tare_matmul_attr){0}));
}

/* What comes behind the product cannot all be written over it. */
static tare_value *gated(tare_mode *m, tare_value *const *x)
{
    tare_value *y = tare_tanh(m, product_of(m, x[0], x[1]));
    return tare_add(m, tare_sub(m, x[2], y), x[0]);
}

static tare_value *dense(tare_mode *m, tare_value *const *x)
{
    tare_value *bias = tare_sum(m, x[2], (tare_sum_attr){.axes = {1, {1}}});
    return tare_sigmoid(m, tare_relu(m, tare_dense(m, x[0], x[1], bias)));
}

/* relu's result has two readers, tanh's one. */
static tare_value *read_twice(tare_mode *m, tare_value *const *x)
{
    tare_value *y = tare_relu(m, x[0]);
    return tare_add(m, y, tare_tanh(m, y));
}

static tare_value *same_twice(tare_mode *m, tare_value *const *x)
{
    tare_value *y = tare_relu(m, x[0]);
    return tare_mul(m, y, y);
}

static tare_value *through_a_view(tare_mode *m, tare_value *const *x)
{
    return tare_tanh(m, tare_flatten(m, tare_relu(m, x[0])));
}

/* One element for all is read whole; a row for each is not taken. */
static tare_value *scalar(tare_mode *m, tare_value *const *x)
{
    return tare_add(m, tare_tanh(m, x[0]), spine_total(m, x[1]));
}

static tare_value *row(tare_mode *m, tare_value *const *x)
{
    return tare_add(m, tare_tanh(m, x[0]), tare_sum(m, x[1], (tare_sum_attr){.axes = {1, {0}}}));
}

static tare_value *mask(tare_mode *m, tare_value *const *x)
{
    return tare_where(m, tare_less(m, tare_relu(m, x[0]), x[1]), x[2], x[0]);
}

static const fused_case cases[] = {
    {"two", two, {3, 5}, 1, false},
    {"two, several tiles and pieces", two, {60, 1001}, 1, true},
    {"one element", two, {1, 1}, 1, true},
    {"none", two, {0, 5}, 2, false},
    {"many", many, {7, 700}, 1, false},
    {"many, trained", many, {7, 700}, 1, true},
    {"too many", too_many, {7, 9}, 2, true},
    {"activated", activated, {5, 5}, 1, true},
    {"behind whole rows", in_rows, {256, 256}, 1, true},
    {"not behind strips of columns", activated, {400, 400}, 2, true},
    {"gated", gated, {65, 65}, 1, true},
    {"dense", dense, {33, 33}, 2, true},
    {"read twice", read_twice, {5, 7}, 2, true},
    {"the same twice", same_twice, {5, 7}, 2, false},
    {"through a view", through_a_view, {5, 7}, 2, true},
    {"scalar", scalar, {5, 1000}, 2, true},
    {"row", row, {5, 7}, 3, false},
    {"mask", mask, {5, 700}, 2, false},
};
enum { N_CASES = sizeof cases / sizeof *cases };

/* ---- planned with the pass and without -------------------------------------------------------------------------*/

typedef struct {
    int calls, n;
    tare_plan_bytes bytes;
    void *data[MOST_OUT];
    size_t size[MOST_OUT];
} outcome;

static void run(tare_graph *g, bool fuse, tare_value *const *x, int n_in, outcome *o)
{
    tare_plan *p;
    tare_instance *instance;
    const tare_node *const *node;
    *o = (outcome){0};
    must(tare_plan_new(g, &(tare_plan_options){.fuse = fuse, .no_add_to = !fuse}, &p));
    must(tare_instance_new(p, &instance));
    o->calls = tare_plan_calls(p, &node);
    o->bytes = tare_plan_size(p);
    for (int i = 0; i < n_in; ++i)
        must(tare_instance_bind(instance, i, x[i]));
    for (int k = 0; k < 2; ++k) /* a second run finds what the first left */
        must(tare_instance_run(instance));
    for (tare_value *v; (v = tare_instance_output(instance, o->n)); ++o->n) {
        o->size[o->n] = tare_desc_bytes(&v->d);
        o->data[o->n] = spine_bytes(v);
    }
    tare_instance_free(instance);
    tare_plan_free(p);
}

static void expect_same(outcome *a, outcome *b, const char *what)
{
    ck_assert_int_eq(a->n, b->n);
    for (int i = 0; i < a->n; ++i) {
        ck_assert_msg(a->size[i] == b->size[i] && memcmp(a->data[i], b->data[i], a->size[i]) == 0,
                      "%s: result %d has other bits", what, i);
        free(a->data[i]);
        free(b->data[i]);
    }
}

static tare_graph *capture(const fused_case *c, bool trains)
{
    tare_graph *g;
    tare_value *in[MOST_IN];
    must(tare_graph_new(rt, &g));
    tare_mode *m = tare_graph_mode(g);
    m->recording = trains;
    tare_desc d = tare_desc_of(TARE_F32, 2, c->dim);
    for (int i = 0; i < MOST_IN; ++i) {
        in[i] = tare_graph_input(g, &d, "x");
        tare_value_want_gradient(in[i], trains);
    }
    tare_value *y = c->f(m, in), *total = trains ? spine_total(m, y) : NULL;
    must(m->error);
    must(tare_graph_output(g, y));
    if (trains)
        must(m->backward(m, &total, NULL, 1, false));
    for (int i = 0; trains && i < MOST_IN; ++i)
        if (m->gradient(m, in[i]))
            must(tare_graph_output(g, m->gradient(m, in[i])));
    return g;
}

START_TEST(a_case_has_its_calls_and_its_bits)
{
    const fused_case *c = &cases[_i];
    tare_value *x[MOST_IN];
    for (int i = 0; i < MOST_IN; ++i)
        x[i] = spine_random(rt, 2, c->dim, (uint64_t)i + 1);
    for (int trains = 0; trains <= (int)c->trains; ++trains) {
        outcome plain, fused;
        tare_graph *g = capture(c, trains);
        run(g, false, x, MOST_IN, &plain);
        run(g, true, x, MOST_IN, &fused);
        if (!trains)
            ck_assert_msg(fused.calls == c->calls, "%s: %d calls, not %d", c->name, fused.calls, c->calls);
        ck_assert_int_le(fused.calls, plain.calls);
        ck_assert_int_eq(fused.bytes.arena < fused.bytes.lower_bound, 0);
        expect_same(&plain, &fused, c->name);
        tare_graph_free(g);
    }
    for (int i = 0; i < MOST_IN; ++i)
        tare_value_drop(x[i]);
}
END_TEST

/* ---- every pair that the records allow ---------------------------------------------------------------------------*/

static bool takes_floats(const tare_op *op)
{
    return op->n_in <= 2 && op->n_in > 0 && op->n_out == 1 && op->n_aux == 0 && op->n_attrs == 0 && op->variants &&
           op->variants[0].elementwise && op->variants[0].dtypes & TARE_BIT(TARE_F32);
}

/* second(first(x0, x1), x2) on so many elements; false: it is no float behind the first. */
static void compare_pair(const tare_op *first, const tare_op *second, int64_t n, tare_value *const *x)
{
    tare_graph *g;
    outcome plain, fused;
    char what[128];
    must(tare_graph_new(rt, &g));
    tare_mode *m = tare_graph_mode(g);
    tare_desc d = tare_desc_of(TARE_F32, 1, &n);
    tare_value *in[MOST_IN];
    for (int i = 0; i < MOST_IN; ++i)
        in[i] = tare_graph_input(g, &d, "x");
    tare_value *y = tare_apply1(m, first, NULL, in, first->n_in);
    if (m->error == TARE_OK && y->d.dtype == TARE_F32) {
        tare_value *const behind[] = {y, in[2]};
        y = tare_apply1(m, second, NULL, behind, second->n_in);
        must(m->error);
        must(tare_graph_output(g, y));
        run(g, false, x, MOST_IN, &plain);
        run(g, true, x, MOST_IN, &fused);
        (void)snprintf(what, sizeof what, "%s behind %s, %lld elements", second->name, first->name, (long long)n);
        ck_assert_msg(plain.calls == 2 && fused.calls == 1, "%s: %d calls, %d fused", what, plain.calls, fused.calls);
        expect_same(&plain, &fused, what);
    }
    tare_graph_free(g);
}

START_TEST(any_two_elementwise_operators_can_be_one)
{
    static const tare_kernel_choice choice[] = {TARE_KERNELS_NATIVE, TARE_KERNELS_REFERENCE, TARE_KERNELS_BLAS};
    const int64_t n = 2048 + 77;
    spine_end(rt);
    rt = spine_start(choice[_i], TARE_STORAGE_POOL);
    tare_value *x[MOST_IN];
    int found = 0;
    for (int i = 0; i < MOST_IN; ++i)
        x[i] = spine_random(rt, 1, &n, (uint64_t)i + 5);
    for (int a = 0; a < rt->n_records[TARE_KIND_OPERATOR]; ++a)
        for (int b = 0; b < rt->n_records[TARE_KIND_OPERATOR]; ++b) {
            const tare_op *first = (const tare_op *)rt->record[TARE_KIND_OPERATOR][a];
            const tare_op *second = (const tare_op *)rt->record[TARE_KIND_OPERATOR][b];
            if (!takes_floats(first) || !takes_floats(second))
                continue;
            compare_pair(first, second, n, x);
            ++found;
        }
    ck_assert_int_gt(found, 400);
    for (int i = 0; i < MOST_IN; ++i)
        tare_value_drop(x[i]);
}
END_TEST

/* ---- what is written in between ----------------------------------------------------------------------------------*/

/* relu(x w) with w updated behind the product, in the program: the product must not wait for relu. */
static tare_graph *capture_update(bool between, tare_value *w, tare_value *g, tare_value *lr)
{
    static const tare_sgd_attr plain = {0};
    tare_graph *graph;
    must(tare_graph_new(rt, &graph));
    tare_mode *m = tare_graph_mode(graph);
    const int64_t dim[2] = {6, 6};
    tare_desc d = tare_desc_of(TARE_F32, 2, dim);
    tare_value *x = tare_graph_input(graph, &d, "x"), *out[2];
    tare_value *y = product_of(m, x, w);
    for (int turn = 0; turn < 2; ++turn)
        if (turn == between)
            y = tare_relu(m, y);
        else
            must(m->apply(m, &tare_op_sgd, &plain, (tare_value *const[]){w, g, NULL, lr}, 4, out, 2));
    must(m->error);
    must(tare_graph_output(graph, y));
    return graph;
}

START_TEST(what_reads_a_parameter_does_not_wait_for_its_update)
{
    const int64_t dim[2] = {6, 6};
    tare_value *x = spine_random(rt, 2, dim, 1), *g = spine_random(rt, 2, dim, 2), *lr = spine_random(rt, 0, NULL, 3);
    for (int between = 0; between < 2; ++between) {
        void *bytes[2];
        for (int fuse = 0; fuse < 2; ++fuse) {
            tare_value *w = spine_random(rt, 2, dim, 4);
            tare_graph *graph = capture_update(between, w, g, lr);
            outcome o;
            run(graph, fuse, &x, 1, &o);
            ck_assert_int_eq(o.calls, fuse && !between ? 2 : 3);
            bytes[fuse] = o.data[0];
            tare_graph_free(graph);
            tare_value_drop(w);
        }
        ck_assert_mem_eq(bytes[0], bytes[1], 36 * sizeof(float));
        free(bytes[0]);
        free(bytes[1]);
    }
    tare_value_drop(x);
    tare_value_drop(g);
    tare_value_drop(lr);
}
END_TEST

/* ---- the checker --------------------------------------------------------------------------------------------------*/

static tare_fused *only_fused(const tare_plan *p, int *at)
{
    tare_fused *f = NULL;
    for (int c = 0; c < p->n_calls; ++c)
        if (tare__fused_of(p->node[c])) {
            f = (tare_fused *)(uintptr_t)tare__fused_of(p->node[c]);
            *at = c;
        }
    ck_assert_ptr_nonnull(f);
    return f;
}

START_TEST(the_checker_sees_a_wrong_step)
{
    const fused_case *c = &cases[10]; /* gated */
    tare_graph *g = capture(c, false);
    tare_plan *p;
    int at;
    must(tare_plan_new(g, &(tare_plan_options){.fuse = true}, &p));
    tare_fused *f = only_fused(p, &at);
    const tare_fused good = *f;
    must(tare__plan_check(p));
    tare_fused_step *step = f->step;
#define WRONG(change)                                                                                                  \
    do {                                                                                                               \
        change;                                                                                                        \
        expect_fault(p, #change, 0);                                                                                   \
        *f = good;                                                                                                     \
    } while (0)
    WRONG(step[1].node = step[2].node);
    WRONG(step[1].op = &tare_op_relu);
    WRONG(step[1].variant = tare_op_relu.variants);
    WRONG(step[1].place[0].item = 0);
    WRONG(step[1].place[0].at = TARE_FUSED_NONE);
    WRONG(step[2].place[0].at = 0);
    WRONG(step[2].place[1].at = 2);
    WRONG(step[3].place[2].at = TARE_FUSED_MADE);
    WRONG(f->n_steps = 3);
    WRONG(f->op.ties[0] = 1);
#undef WRONG
    must(tare__plan_check(p));
    tare_plan_free(p);
    tare_graph_free(g);
}
END_TEST

START_TEST(without_memory_there_is_no_plan_and_nothing_is_lost)
{
    tare_graph *g = capture(&cases[10], true);
    for (int64_t k = 1;; ++k) {
        tare_plan *p = NULL;
        rt->memory.fail_at = rt->memory.n_requests + k;
        tare_status status = tare_plan_new(g, &(tare_plan_options){.fuse = true}, &p);
        bool done = rt->memory.n_requests < rt->memory.fail_at;
        rt->memory.fail_at = 0;
        tare_plan_free(p);
        if (done) {
            must(status);
            break;
        }
        ck_assert_int_eq(status, TARE_NO_MEMORY);
    }
    tare_graph_free(g);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("fuse");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 240);
    tcase_add_loop_test(tests, a_case_has_its_calls_and_its_bits, 0, N_CASES);
    tcase_add_loop_test(tests, any_two_elementwise_operators_can_be_one, 0, 3);
    tcase_add_test(tests, what_reads_a_parameter_does_not_wait_for_its_update);
    tcase_add_test(tests, the_checker_sees_a_wrong_step);
    tcase_add_test(tests, without_memory_there_is_no_plan_and_nothing_is_lost);
    return spine_run("fuse", &tests, 1);
}
