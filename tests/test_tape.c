/* test_tape.c - the tape and backward over it: what it holds, when it lets go, accumulation, stale values, failures. */
#include "spine.h"

enum { N = 16, LINE = N * 4 }; /* one value: one unit of 64 bytes */
static tare_runtime *rt;
static tare_mode *m;
static tare_value *w, *v; /* leaves */

static void setup(void)
{
    rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    m = spine_mode(rt, true);
    w = spine_leaf(rt, N, 1);
    v = spine_leaf(rt, N, 2);
    w->name = "w";
}

static void teardown(void)
{
    tare_value *const leaf[] = {w, v};
    for (int i = 0; i < 2; ++i) {
        tare_value_clear_gradient(leaf[i]);
        tare_value_drop(leaf[i]);
    }
    tare_imperative_free(m);
    spine_end(rt);
}

static void backward(tare_value *root, bool keep)
{
    must(m->backward(m, &root, NULL, 1, keep));
}

/* The gradient of w is this vector's. */
static bool gradient_is(const tare_value *leaf, const float *wanted)
{
    float is[N];
    ck_assert_ptr_nonnull(leaf->gradient);
    must(tare_value_read(leaf->gradient, is, sizeof is));
    return memcmp(is, wanted, sizeof is) == 0;
}

static void read_to(const tare_value *x, float *out)
{
    must(tare_value_read(x, out, N * sizeof *out));
}

/* ---- what is held
 * --------------------------------------------------------------------------------------------------*/
START_TEST(the_tape_holds_only_what_a_gradient_needs)
{
    m->scope_begin(m, NULL);
    m->scope_begin(m, NULL);
    tare_value *a = tare_add(m, w, v); /* add needs nothing, relu its output */
    tare_value *y = tare_relu(m, a);
    ck_assert_int_eq(rt->work_bytes_live, 2 * LINE);
    m->scope_end(m, &y, 1);
    ck_assert_int_eq(rt->work_bytes_live, LINE);
    tare_value *z = tare_relu(m, tare_move(y)); /* given up, but the tape needs it */
    ck_assert_int_eq(rt->work_bytes_live, 2 * LINE);
    tare_value *s = tare_scale(m, tare_move(z), (tare_scale_attr){2});
    ck_assert_int_eq(rt->work_bytes_live, 3 * LINE);
    backward(s, false);
    ck_assert_int_eq(m->program->n, 0);
    m->scope_end(m, NULL, 0);
    ck_assert_int_eq(rt->work_bytes_live, LINE); /* one gradient, which both leaves share */
}
END_TEST

/* d(n) = bytes live before the n-th kernel call of backward: falls as nodes are walked. */
static int64_t seen[256];
static int n_seen;
static void watch(void *owner, tare_event event, const tare_node *n)
{
    (void)n;
    if (event == TARE_EVENT_INFER && n_seen < 256)
        seen[n_seen++] = ((tare_runtime *)owner)->work_bytes_live;
}

START_TEST(backward_frees_as_it_walks)
{
    m->scope_begin(m, NULL);
    tare_value *x = w;
    for (int i = 0; i < 20; ++i) {
        m->scope_begin(m, NULL);
        x = tare_tanh(m, x);
        m->scope_end(m, &x, 1);
        if (i)
            tare_move(x);
    }
    x = tare_scale(m, x, (tare_scale_attr){1});
    ck_assert_int_ge(rt->work_bytes_live, 20 * LINE);
    /* the scope owns each layer's result too: only the tape's share can go before its end */
    m->scope_end(m, &x, 1);
    ck_assert_int_eq(rt->work_bytes_live, LINE);
    tare_value_drop(x);

    m->scope_begin(m, NULL);
    x = tare_tanh(m, w);
    for (int i = 1; i < 20; ++i)
        x = tare_tanh(m, tare_move(x));
    x = tare_scale(m, tare_move(x), (tare_scale_attr){1});
    int64_t before = rt->work_bytes_live;
    ck_assert_int_eq(before, 21 * LINE);
    rt->trace.event = watch;
    rt->trace.owner = rt;
    tare_imperative_retrace(m);
    n_seen = 0;
    backward(x, false);
    ck_assert_int_eq(n_seen, 1 + 1 + 20);
    for (int i = 3; i < n_seen; ++i) /* each step frees an activation and the head before it */
        ck_assert_int_lt(seen[i], seen[i - 1]);
    ck_assert_int_le(seen[n_seen - 1], 4 * LINE);
    rt->trace.event = NULL;
    tare_imperative_retrace(m);
    m->scope_end(m, NULL, 0);
}
END_TEST

START_TEST(without_recording_nothing_is_taped)
{
    m->recording = false;
    m->scope_begin(m, NULL);
    tare_value *y = tare_relu(m, w);
    ck_assert(!y->wants_gradient);
    ck_assert_int_eq(m->program->n, 0);
    expect_error(m->backward(m, &y, NULL, 1, false), TARE_BAD_ARGUMENT, "wants a gradient");
    ck_assert_ptr_null(w->gradient);
    m->scope_end(m, NULL, 0);
}
END_TEST

START_TEST(detach_cuts)
{
    m->scope_begin(m, NULL);
    tare_value *d = tare_detach(m, w);
    ck_assert_ptr_eq(d->storage, w->storage);
    ck_assert(!d->wants_gradient);
    tare_value *y = spine_total(m, tare_mul(m, d, v));
    backward(y, false);
    ck_assert_ptr_null(w->gradient);
    float wanted[N];
    read_to(w, wanted);
    ck_assert(gradient_is(v, wanted));
    m->scope_end(m, NULL, 0);
}
END_TEST

/* ---- sums
 * ----------------------------------------------------------------------------------------------------------*/
START_TEST(a_retained_tape_walks_twice_and_the_second_is_added)
{
    float once[N], twice[N];
    m->scope_begin(m, NULL);
    tare_value *y = spine_total(m, tare_mul(m, w, v));
    backward(y, true);
    read_to(w->gradient, once);
    backward(y, true);
    for (int i = 0; i < N; ++i)
        twice[i] = once[i] + once[i];
    ck_assert(gradient_is(w, twice));
    tare_value_clear_gradient(w);
    backward(y, false); /* and this one lets it go */
    ck_assert(gradient_is(w, once));
    expect_error(m->backward(m, &y, NULL, 1, false), TARE_STALE, "walked already");
    m->scope_end(m, NULL, 0);
}
END_TEST

START_TEST(an_old_gradient_is_added_once_and_last)
{
    /* three readers: g1 + g2 + g3 in the walk's order, then the old one; float sums tell the orders apart */
    float factor[3] = {1e8f, -1e8f, 1}, old = 0.25f, wanted = ((1.f + -1e8f) + 1e8f) + 0.25f;
    ck_assert_float_ne(wanted, (((0.25f + 1.f) + -1e8f) + 1e8f));
    tare_desc d = w->d;
    tare_value *g;
    must(tare_value_new(rt, &d, TARE_MEMORY_INPUT, &g));
    float olds[N];
    for (int i = 0; i < N; ++i)
        olds[i] = old;
    must(tare_value_write(g, olds, sizeof olds));
    /* leave it by a backward whose root is the leaf itself */
    m->scope_begin(m, NULL);
    must(m->backward(m, &w, &g, 1, false));
    ck_assert(gradient_is(w, olds));
    m->scope_end(m, NULL, 0);
    for (int fresh_mode = 0; fresh_mode < 2; ++fresh_mode) {
        tare_mode *n = fresh_mode ? spine_mode(rt, true) : m; /* whose walks begin at 1 again */
        n->scope_begin(n, NULL);
        for (uint32_t i = 1; n != m && i < m->walk; ++i) /* its walk below has the number of the one that left it */
            must(n->backward(n, &v, NULL, 1, false));
        tare_value *root[3];
        for (int i = 0; i < 3; ++i)
            root[i] = tare_scale(n, w, (tare_scale_attr){(double)factor[i]});
        must(n->backward(n, root, NULL, 3, false));
        n->scope_end(n, NULL, 0);
        ck_assert_float_eq(spine_first(w->gradient), wanted);
        if (n != m)
            tare_imperative_free(n);
        tare_value_clear_gradient(w);
        m->scope_begin(m, NULL);
        must(m->backward(m, &w, &g, 1, false));
        m->scope_end(m, NULL, 0);
    }
    tare_value_drop(g);
}
END_TEST

START_TEST(several_roots_are_seeded_in_order_and_heads_count)
{
    float ones[N], heads[N], wanted[N], of_v[N];
    m->scope_begin(m, NULL);
    tare_value *a = tare_scale(m, w, (tare_scale_attr){3}), *b = tare_mul(m, w, v);
    tare_value *head = tare_detach(m, v), *root[] = {a, b, w, a}, *const hands[] = {NULL, head, NULL, head};
    must(m->backward(m, root, hands, 4, false));
    read_to(v, heads);
    read_to(w, of_v);
    for (int i = 0; i < N; ++i) {
        ones[i] = 1;
        /* leaf root first, then b's node, then a's with both heads summed */
        wanted[i] = (ones[i] + heads[i] * heads[i]) + 3 * (ones[i] + heads[i]);
        of_v[i] = of_v[i] * heads[i];
    }
    ck_assert(gradient_is(w, wanted));
    ck_assert(gradient_is(v, of_v));
    m->scope_end(m, NULL, 0);
}
END_TEST

START_TEST(two_forwards_before_a_backward_in_both_orders)
{
    float f[2][N], sum[N];
    for (int order = 0; order < 2; ++order) {
        m->scope_begin(m, NULL);
        tare_value *y[2];
        y[0] = spine_total(m, tare_tanh(m, w));
        y[1] = spine_total(m, tare_sigmoid(m, w));
        int32_t nodes = m->program->n;
        backward(y[order], false);
        ck_assert_int_eq(m->program->n, order == 0 ? nodes : nodes / 2); /* a tail of spent nodes goes */
        read_to(w->gradient, f[order]);
        backward(y[!order], false);
        ck_assert_int_eq(m->program->n, 0);
        read_to(w->gradient, sum);
        m->scope_end(m, NULL, 0);
        tare_value_clear_gradient(w);
    }
    for (int i = 0; i < N; ++i)
        ck_assert_float_eq(sum[i], f[0][i] + f[1][i]);
}
END_TEST

START_TEST(a_shared_trunk_is_stale_for_the_second_backward_without_keep)
{
    m->scope_begin(m, NULL);
    tare_value *trunk = tare_tanh(m, w), *a = spine_total(m, trunk), *b = spine_total(m, tare_relu(m, trunk));
    backward(a, false);
    float before[N];
    read_to(w->gradient, before);
    expect_error(m->backward(m, &b, NULL, 1, false), TARE_STALE, "walked already");
    ck_assert(gradient_is(w, before));
    tare_mode_clear(m);
    (void)spine_first(b);
    m->scope_end(m, NULL, 0);
}
END_TEST

START_TEST(a_value_kept_past_its_tape_is_a_leaf_that_wants_nothing)
{
    m->scope_begin(m, NULL);
    tare_value *y = tare_tanh(m, w);
    m->scope_end(m, &y, 1);
    ck_assert(!y->wants_gradient);
    m->scope_begin(m, NULL);
    tare_value *z = tare_mul(m, y, v);
    backward(z, false);
    float wanted[N];
    read_to(y, wanted);
    ck_assert(gradient_is(v, wanted));
    ck_assert_ptr_null(w->gradient);
    ck_assert_ptr_null(y->gradient);
    m->scope_end(m, NULL, 0);
    tare_value_drop(y);
}
END_TEST

START_TEST(a_leaf_dropped_before_backward_goes_with_the_tape)
{
    tare_value *u = spine_leaf(rt, N, 5);
    int64_t inputs = rt->memory.bytes_live[TARE_MEMORY_INPUT];
    m->scope_begin(m, NULL);
    tare_value *y = spine_total(m, tare_mul(m, u, w));
    tare_value_drop(u);
    ck_assert_int_eq(rt->memory.bytes_live[TARE_MEMORY_INPUT], inputs); /* mul needs it */
    backward(y, false);
    ck_assert_int_eq(rt->memory.bytes_live[TARE_MEMORY_INPUT], inputs - LINE);
    m->scope_end(m, NULL, 0);
}
END_TEST

/* ---- refusals
 * ------------------------------------------------------------------------------------------------------*/
START_TEST(a_saved_value_that_was_written_is_stale_and_both_are_named)
{
    float old[N];
    m->scope_begin(m, NULL);
    tare_value *y = tare_scale(m, w, (tare_scale_attr){1});
    backward(y, false);
    read_to(w->gradient, old);
    m->scope_begin(m, "layer3");
    y = spine_total(m, tare_mul(m, w, v));
    m->scope_end(m, &y, 1);
    float data[N] = {0};
    must(tare_value_write(w, data, sizeof data));
    expect_error(m->backward(m, &y, NULL, 1, false), TARE_STALE,
                 "mul 'layer3': its input 0 (w), saved for backward, was changed by tare_value_write since");
    ck_assert(gradient_is(w, old));
    ck_assert_ptr_null(v->gradient);
    tare_mode_clear(m);
    /* what is not needed may change */
    y = spine_total(m, tare_add(m, w, v));
    must(tare_value_write(w, data, sizeof data));
    backward(y, false);
    m->scope_end(m, NULL, 0);
}
END_TEST

static tare_value *zeros(int rank, const int64_t *dim)
{
    tare_value *x = spine_random(rt, rank, dim, 1);
    void *zero = calloc(1, tare_desc_bytes(&x->d));
    must(tare_value_write(x, zero, tare_desc_bytes(&x->d)));
    free(zero);
    return x;
}

START_TEST(an_update_between_forward_and_backward_is_stale_and_both_are_named)
{
    tare_value *momentum = zeros(1, (const int64_t[]){N}), *rate = zeros(0, NULL), *out[2];
    m->scope_begin(m, NULL);
    tare_value *y = spine_total(m, tare_mul(m, w, v));
    m->recording = false;
    tare_value *const in[] = {w, tare_detach(m, v), momentum, rate};
    must(m->apply(m, &tare_op_sgd, &(tare_sgd_attr){.momentum = 0.5}, in, 4, out, 0));
    ck_assert_ptr_eq(out[0]->storage, w->storage);
    m->recording = true;
    expect_error(m->backward(m, &y, NULL, 1, false), TARE_STALE, "was changed by sgd since");
    ck_assert_ptr_nonnull(strstr(tare_error_text(), "mul: its input 0 (w)"));
    tare_mode_clear(m);
    m->scope_end(m, NULL, 0);
    tare_value_drop(momentum);
    tare_value_drop(rate);
}
END_TEST

START_TEST(a_view_of_a_saved_value_changes_it_too)
{
    m->scope_begin(m, NULL);
    tare_value *d = tare_detach(m, w), *y = spine_total(m, tare_mul(m, w, v));
    float data[N] = {0};
    must(tare_value_write(d, data, sizeof data));
    expect_error(m->backward(m, &y, NULL, 1, false), TARE_STALE, "tare_value_write");
    m->scope_end(m, NULL, 0);
    tare_mode_clear(m);
}
END_TEST

START_TEST(a_gradient_at_an_operator_without_one_is_an_error)
{
    m->scope_begin(m, "here");
    tare_value *t = tare_relu_grad(m, w, v), *y = spine_total(m, t);
    expect_error(m->backward(m, &y, NULL, 1, false), TARE_NOT_DIFFERENTIABLE, "relu_grad 'here': not differentiable");
    ck_assert_ptr_null(w->gradient);
    tare_mode_clear(m);
    y = spine_total(m, w); /* where none arrives it does not matter */
    (void)tare_relu_grad(m, w, v);
    backward(y, false);
    m->scope_end(m, NULL, 0);
}
END_TEST

START_TEST(integers_want_no_gradient)
{
    m->scope_begin(m, NULL);
    tare_value *wide = tare_cast(m, tare_relu(m, w), (tare_cast_attr){TARE_F64});
    tare_value *mask = tare_greater(m, w, v), *whole = tare_cast(m, w, (tare_cast_attr){TARE_I32});
    ck_assert(wide->wants_gradient && !mask->wants_gradient && !whole->wants_gradient);
    backward(tare_sum(m, wide, (tare_sum_attr){.axes = {0}}), false);
    ck_assert_int_eq(w->gradient->d.dtype, TARE_F32);
    expect_error(m->backward(m, &whole, NULL, 1, true), TARE_BAD_ARGUMENT, "depends on nothing that wants a gradient");
    m->scope_end(m, NULL, 0);
}
END_TEST

START_TEST(odd_roots_and_heads_are_refused)
{
    tare_value *small = spine_random(rt, 1, (const int64_t[]){3}, 4), *scalar = spine_random(rt, 0, NULL, 4);
    tare_value_want_gradient(scalar, true);
    tare_runtime *other = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    tare_value *theirs = spine_random(other, 0, NULL, 1);
    tare_graph *g;
    must(tare_graph_new(rt, &g));
    tare_desc d = tare_desc_of(TARE_F32, 0, NULL);
    tare_value *symbol = tare_graph_input(g, &d, "symbol");
    m->scope_begin(m, NULL);
    tare_value *gone = tare_tanh(m, scalar);
    (void)tare_scale(m, tare_move(gone), (tare_scale_attr){1});
    tare_value *y = tare_relu(m, w);
    tare_value *late = tare_detach(m, scalar);
    (void)tare_tanh(m, tare_move(late));
    const struct {
        tare_value *root, *head;
        const char *part;
    } tries[] = {
        {NULL, NULL, "root 0 is missing"},
        {&m->poison, NULL, "root 0 depends on nothing"},
        {small, NULL, "root 0 depends on nothing"},
        {y, small, "head 0 does not look like its root"},
        {scalar, &m->poison, "head 0"},
        {scalar, theirs, "head 0"},
        {scalar, symbol, "head 0"},
        {scalar, late, "head 0"},
    };
    for (size_t i = 0; i < sizeof tries / sizeof *tries; ++i) {
        tare_value *root = tries[i].root, *head = tries[i].head;
        tare_status status = m->backward(m, &root, &head, 1, true);
        ck_assert_msg(status != TARE_OK && strstr(tare_error_text(), tries[i].part), "%zu: %s", i, tare_error_text());
        tare_mode_clear(m);
        ck_assert_ptr_null(scalar->gradient);
        ck_assert_ptr_null(w->gradient);
    }
    must(m->backward(m, NULL, NULL, 0, false));
    m->scope_end(m, NULL, 0);
    tare_graph_free(g);
    tare_value_drop(theirs);
    spine_end(other);
    tare_value_drop(small);
    tare_value_drop(scalar);
}
END_TEST

START_TEST(a_root_of_another_tape_is_refused)
{
    tare_mode *other = spine_mode(rt, true);
    other->scope_begin(other, NULL);
    m->scope_begin(m, NULL);
    tare_value *y = tare_relu(other, w);
    expect_error(m->backward(m, &y, NULL, 1, false), TARE_BAD_ARGUMENT, "not on this tape");
    tare_mode_clear(m);
    tare_value *z = tare_mul(m, y, v); /* a value of the other tape within */
    expect_error(m->backward(m, &z, NULL, 1, false), TARE_BAD_ARGUMENT, "another tape");
    ck_assert_ptr_null(y->gradient);
    ck_assert_ptr_null(v->gradient);
    tare_mode_clear(m);
    m->scope_end(m, NULL, 0);
    must(other->backward(other, &y, NULL, 1, false));
    other->scope_end(other, NULL, 0);
    ck_assert_ptr_nonnull(w->gradient);
    tare_imperative_free(other);
}
END_TEST

/* ---- failures
 * ------------------------------------------------------------------------------------------------------*/
START_TEST(a_failed_backward_leaves_every_leaf_as_it_was)
{
    float before[2][N];
    m->scope_begin(m, NULL);
    tare_value *y = spine_total(m, tare_mul(m, w, v));
    backward(y, false);
    read_to(w->gradient, before[0]);
    read_to(v->gradient, before[1]);
    m->scope_end(m, NULL, 0);
    int failures = 0;
    for (int64_t k = 1;; ++k) {
        tare_runtime_trim(rt);
        m->scope_begin(m, NULL);
        y = spine_total(m, tare_mul(m, tare_tanh(m, w), tare_sigmoid(m, v)));
        rt->memory.fail_at = rt->memory.n_requests + k;
        tare_status status = m->backward(m, &y, NULL, 1, false);
        rt->memory.fail_at = 0;
        m->scope_end(m, NULL, 0);
        if (status == TARE_OK)
            break;
        ++failures;
        ck_assert_int_eq(status, TARE_NO_MEMORY);
        ck_assert_int_eq(m->error, TARE_NO_MEMORY);
        ck_assert(gradient_is(w, before[0]));
        ck_assert(gradient_is(v, before[1]));
        ck_assert_int_eq(rt->work_bytes_live, 2 * LINE);
        tare_mode_clear(m);
    }
    ck_assert_int_ge(failures, 3);
    ck_assert(!gradient_is(w, before[0]));
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("tape");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, the_tape_holds_only_what_a_gradient_needs);
    tcase_add_test(tests, backward_frees_as_it_walks);
    tcase_add_test(tests, without_recording_nothing_is_taped);
    tcase_add_test(tests, detach_cuts);
    tcase_add_test(tests, a_retained_tape_walks_twice_and_the_second_is_added);
    tcase_add_test(tests, an_old_gradient_is_added_once_and_last);
    tcase_add_test(tests, several_roots_are_seeded_in_order_and_heads_count);
    tcase_add_test(tests, two_forwards_before_a_backward_in_both_orders);
    tcase_add_test(tests, a_shared_trunk_is_stale_for_the_second_backward_without_keep);
    tcase_add_test(tests, a_value_kept_past_its_tape_is_a_leaf_that_wants_nothing);
    tcase_add_test(tests, a_leaf_dropped_before_backward_goes_with_the_tape);
    tcase_add_test(tests, a_saved_value_that_was_written_is_stale_and_both_are_named);
    tcase_add_test(tests, an_update_between_forward_and_backward_is_stale_and_both_are_named);
    tcase_add_test(tests, a_view_of_a_saved_value_changes_it_too);
    tcase_add_test(tests, a_gradient_at_an_operator_without_one_is_an_error);
    tcase_add_test(tests, integers_want_no_gradient);
    tcase_add_test(tests, odd_roots_and_heads_are_refused);
    tcase_add_test(tests, a_root_of_another_tape_is_refused);
    tcase_add_test(tests, a_failed_backward_leaves_every_leaf_as_it_was);
    return spine_run("tape", &tests, 1);
}
