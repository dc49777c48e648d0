/* test_captured.c - what a captured operator keeps: entries by signature, instances by call; its errors and its memory.
 *
 * (That it changes no bit: test_partial_capture.c.) */
#include "captured_layer.h"

/* ---- entries
 * ------------------------------------------------------------------------------------------------------*/
START_TEST(alternating_shapes_are_planned_once_each)
{
    capture(layer, (tare_capture_options){.keep = true, .bound = true});
    for (int i = 0; i < 3; ++i) {
        step(1);
        step(2);
    }
    expect_counts(2, 4); /* forward and backward apart */
    ck_assert_int_eq(rt->counts.guards, 6);
}
END_TEST

START_TEST(training_recording_and_wants_have_entries_of_their_own)
{
    capture(layer, (tare_capture_options){0});
    step(2);
    expect_counts(1, 2);
    m->training = !m->training;
    step(2);
    expect_counts(2, 4);
    m->recording = false;
    step(2);
    expect_counts(3, 5); /* no backward */
    m->recording = true;
    m->training = !m->training;
    step(2);
    expect_counts(3, 5);
    tare_value *x = spine_random(rt, 2, (const int64_t[]){2, N}, 2);
    tare_value_want_gradient(x, true);
    for (int i = 0; i < 2; ++i) {
        m->scope_begin(m, NULL);
        tare_value *loss = spine_total(m, call(x));
        must(m->backward(m, &loss, NULL, 1, false));
        m->scope_end(m, NULL, 0);
        expect_counts(4, 7);
        ck_assert_ptr_nonnull(x->gradient);
        tare_value_clear_gradient(x);
    }
    tare_value_drop(x);
}
END_TEST

/* A parameter that is frozen and thawed between steps gets its gradient when it wants one. */
START_TEST(a_frozen_parameter_is_another_signature)
{
    capture(layer, (tare_capture_options){.keep = true});
    tare_value *x = spine_random(rt, 2, (const int64_t[]){2, N}, 2);
    tare_value_want_gradient(x, true);
    for (int i = 0; i < 6; ++i) {
        bool frozen = i % 3 == 0;
        tare_value_want_gradient(w, !frozen);
        m->scope_begin(m, NULL);
        tare_value *loss = spine_total(m, call(x));
        must(m->backward(m, &loss, NULL, 1, false));
        m->scope_end(m, NULL, 0);
        ck_assert((w->gradient == NULL) == frozen);
        tare_value_clear_gradient(w);
        tare_value_clear_gradient(x);
    }
    expect_counts(2, 4);
    tare_value_drop(x);
}
END_TEST

START_TEST(within_another_capture_it_is_traced_into_that)
{
    capture(layer, (tare_capture_options){0});
    tare_graph *g;
    must(tare_graph_new(rt, &g));
    tare_mode *gm = tare_graph_mode(g);
    tare_value *x = tare_graph_input(g, &w->d, "x"), *y;
    must(service->apply(captured, gm, &x, 1, &y));
    ck_assert_int_eq(tare_graph_nodes(g), 2);
    ck_assert_int_eq(rt->counts.guards, 0);
    tare_graph_free(g);
}
END_TEST

/* ---- instances
 * ------------------------------------------------------------------------------------------------------*/
/* `n` forwards in one scope; then their backwards, last first or first first. */
static tare_status forwards(int n, bool last_first)
{
    tare_value *loss[8];
    m->scope_begin(m, NULL);
    for (int i = 0; i < n; ++i)
        loss[i] = spine_total(m, call(v));
    for (int i = 0; i < n && m->error == TARE_OK; ++i)
        (void)m->backward(m, &loss[last_first ? n - 1 - i : i], NULL, 1, false);
    tare_status status = m->error;
    m->scope_end(m, NULL, 0);
    tare_mode_clear(m);
    return status;
}

START_TEST(forwards_before_a_backward_take_instances_up_to_the_cap)
{
    broken = _i;
    capture(layer, (tare_capture_options){.keep = true, .most_instances = 2});
    must(forwards(1, true));
    int64_t one = rt->work_bytes_live;
    must(forwards(2, true));
    int64_t two = rt->work_bytes_live;
    ck_assert_int_gt(two, one);
    must(forwards(2, false));
    ck_assert_int_eq(rt->work_bytes_live, two); /* the same two */
    expect_error(forwards(3, true), TARE_BUSY, "2 calls of one signature wait for their backward");
    ck_assert_int_eq(rt->work_bytes_live, two);
    must(forwards(2, true));
    ck_assert_int_eq(rt->work_bytes_live, two);
    expect_counts(1, 2);
}
END_TEST

START_TEST(a_forward_without_backward_gives_its_instance_back)
{
    broken = _i;
    const tare_capture_options ways[] = {{.most_instances = 1}, {.most_instances = 1, .keep = true, .bound = true}};
    for (int k = 0; k < 2; ++k) {
        capture(layer, ways[k]);
        for (int i = 0; i < 3; ++i) {
            m->scope_begin(m, NULL);
            (void)call(v);
            must(m->error);
            m->scope_end(m, NULL, 0);
        }
        m->recording = false;
        m->scope_begin(m, NULL);
        for (int i = 0; i < 3; ++i)
            (void)call(v);
        must(m->error);
        m->scope_end(m, NULL, 0);
        m->recording = true;
        service->free(captured);
        captured = NULL;
    }
}
END_TEST

/* ---- what is held, and what is stale
 * -----------------------------------------------------------------------------------------*/
static void sum_with_w(void *owner, tare_mode *mode, tare_value *const *in, int n_in, tare_value **out, int n_out)
{
    (void)owner;
    (void)n_in;
    (void)n_out;
    ++n_called;
    out[0] = tare_add(mode, in[0], w);
}

START_TEST(an_operand_that_no_gradient_needs_may_be_let_go_and_changed)
{
    capture(sum_with_w, (tare_capture_options){0});
    float data[N * N] = {0};
    m->scope_begin(m, NULL);
    tare_value *x = tare_scale(m, v, (tare_scale_attr){2});
    tare_value *loss = spine_total(m, tare_move(call(tare_move(x))));
    must(m->error);
    ck_assert_ptr_null(x->storage);
    must(tare_value_write(w, data, sizeof data));
    must(m->backward(m, &loss, NULL, 1, false));
    m->scope_end(m, NULL, 0);
    ck_assert_ptr_nonnull(w->gradient);
    ck_assert_ptr_nonnull(v->gradient);
}
END_TEST

START_TEST(an_operand_that_is_needed_must_stay_as_it_is)
{
    capture(layer, (tare_capture_options){.keep = true});
    float data[N * N] = {0};
    m->scope_begin(m, NULL);
    tare_value *loss = spine_total(m, call(v));
    must(tare_value_write(w, data, sizeof data));
    expect_error(m->backward(m, &loss, NULL, 1, false), TARE_STALE,
                 "captured: its input 1 (w), saved for backward, was changed by tare_value_write since");
    ck_assert_ptr_null(w->gradient);
    tare_mode_clear(m);
    m->scope_end(m, NULL, 0);
    step(2);
}
END_TEST

/* ---- errors
 * --------------------------------------------------------------------------------------------------------------------*/
START_TEST(an_error_in_capture_surfaces_once_and_leaves_nothing)
{
    broken = _i;
    capture(layer, (tare_capture_options){0});
    tare_value *wrong = spine_random(rt, 2, (const int64_t[]){2, N + 1}, 3), *y;
    int64_t blocks = rt->memory.n_live;
    for (int i = 0; i < 2; ++i) {
        m->scope_begin(m, NULL);
        expect_error(service->apply(captured, m, &wrong, 1, &y), TARE_BAD_SHAPE, "matmul 'layer': ");
        ck_assert(y->poison);
        char text[512];
        snprintf(text, sizeof text, "%s", tare_error_text());
        tare_value *z = tare_tanh(m, call(y)); /* what follows is silent */
        ck_assert(z->poison);
        ck_assert_str_eq(tare_error_text(), text);
        ck_assert_int_eq(m->error, TARE_BAD_SHAPE);
        m->scope_end(m, NULL, 0);
        tare_mode_clear(m);
        blocks = i == 0 ? rt->memory.n_live : blocks; /* lists have grown */
        ck_assert_int_eq(rt->memory.n_live, blocks);
    }
    step(2);
    ck_assert_int_eq(rt->counts.plans, broken ? 4 : 2);
    tare_value_drop(wrong);
}
END_TEST

/* Of two segments the second meets a label that is out of range. */
static void picked(void *owner, tare_mode *mode, tare_value *const *in, int n_in, tare_value **out, int n_out)
{
    (void)owner;
    (void)n_in;
    (void)n_out;
    tare_value *h = tare_graph_break(mode, tare_tanh(mode, product(mode, in[0], w)));
    out[0] = tare_softmax_cross_entropy(mode, h, in[1]);
}

START_TEST(bad_data_in_a_segment_is_said_and_forgotten)
{
    static const tare_capture_options ways[] = {{.keep = false}, {.keep = true}, {.keep = true, .bound = true}};
    tare_desc d = tare_desc_of(TARE_I32, 1, (const int64_t[]){N});
    tare_value *label, *y;
    must(tare_value_new(rt, &d, TARE_MEMORY_INPUT, &label));
    capture(picked, ways[_i]);
    for (int i = 0; i < 4; ++i) {
        must(tare_value_write(label, (const int32_t[N]){0, 1, i % 2 ? N : 2, 3}, N * sizeof(int32_t)));
        m->scope_begin(m, NULL);
        tare_value *const in[] = {v, label};
        tare_status status = service->apply(captured, m, in, 2, &y);
        y = spine_total(m, y);
        if (i % 2) {
            ck_assert_int_eq(status, TARE_BAD_DATA);
            ck_assert(y->poison);
        } else {
            must(m->backward(m, &y, NULL, 1, false));
            ck_assert_ptr_nonnull(w->gradient);
        }
        m->scope_end(m, NULL, 0);
        tare_mode_clear(m);
        tare_value_clear_gradient(w);
        tare_value_clear_gradient(v);
    }
    tare_value_drop(label);
}
END_TEST

/* What is given up to a broken function is there for all of its segments, and gone afterwards. */
START_TEST(an_input_given_up_is_read_by_all_segments)
{
    broken = _i % 2;
    capture(layer, (tare_capture_options){.keep = true});
    m->recording = _i < 2;
    float first[2];
    for (int given = 0; given < 2; ++given) {
        for (int strided = 0; strided < 2; ++strided) {
            m->scope_begin(m, NULL);
            tare_value *x = tare_sigmoid(m, v);
            x = strided ? tare_transpose(m, x, (tare_transpose_attr){0}) : x;
            tare_value *y = call(given ? tare_move(x) : x);
            must(m->error);
            if (given && !m->recording) /* else the gradient has it */
                expect_error((tare_tanh(m, x), m->error), TARE_BAD_ARGUMENT, "given up by tare_move before");
            else
                first[strided] = spine_first(y);
            ck_assert(spine_first(y) == first[strided]);
            m->scope_end(m, NULL, 0);
            tare_mode_clear(m);
        }
    }
}
END_TEST

static void not_differentiable(void *owner, tare_mode *mode, tare_value *const *in, int n_in, tare_value **out,
                               int n_out)
{
    (void)owner;
    (void)n_in;
    (void)n_out;
    ++n_called;
    mode->scope_begin(mode, "layer");
    out[0] = tare_relu_grad(mode, in[0], tare_mul(mode, in[0], w));
    mode->scope_end(mode, out, 1);
}

/* In backward the sentence is the one of the plain function, and every leaf is as it was. */
START_TEST(an_error_in_backward_is_the_plain_one)
{
    capture(not_differentiable, (tare_capture_options){0});
    char text[2][512];
    for (int i = 0; i < 4; ++i) {
        tare_value *y;
        m->scope_begin(m, NULL);
        if (i == 0)
            not_differentiable(NULL, m, &v, 1, &y, 1);
        else
            y = call(v);
        tare_value *loss = spine_total(m, y);
        ck_assert_int_eq(m->backward(m, &loss, NULL, 1, false), TARE_NOT_DIFFERENTIABLE);
        snprintf(text[i > 0], sizeof *text, "%s", tare_error_text());
        m->scope_end(m, NULL, 0);
        tare_mode_clear(m);
        ck_assert_ptr_null(w->gradient);
        ck_assert_ptr_null(v->gradient);
    }
    ck_assert_str_eq(text[0], text[1]);
}
END_TEST

START_TEST(odd_options_and_inputs_are_refused)
{
    expect_error(service->make(rt, layer, NULL, 0, NULL, &captured), TARE_BAD_ARGUMENT, "1 to");
    expect_error(service->make(rt, layer, NULL, 1, &(tare_capture_options){.bound = true}, &captured),
                 TARE_BAD_ARGUMENT, "`bound` only with `keep`");
    capture(layer, (tare_capture_options){0});
    tare_value *y, *none = NULL;
    m->scope_begin(m, NULL);
    expect_error(service->apply(captured, m, &none, 1, &y), TARE_BAD_ARGUMENT, "input 0 is not a value");
    ck_assert(y->poison);
    tare_mode_clear(m);
    m->scope_end(m, NULL, 0);
}
END_TEST

/* ---- memory
 * --------------------------------------------------------------------------------------------------------------------*/
typedef struct {
    float loss, w[N * N], v[N * N];
} bits;

static tare_status whole(const tare_capture_options *options, bits *out)
{
    tare_captured *c = NULL;
    tare_value *y[2] = {0}, *x;
    tare_status status = options ? service->make(rt, layer, NULL, 2, options, &c) : TARE_OK;
    if (status != TARE_OK)
        return status;
    m->scope_begin(m, NULL);
    x = tare_sigmoid(m, v);
    for (int i = 0; i < 2; ++i) { /* the second one meets partial sums */
        if (c)
            (void)service->apply(c, m, &x, 1, y);
        else
            layer(NULL, m, &x, 1, y, 2);
        x = tare_mul(m, tare_add(m, y[0], y[1]), x);
    }
    x = spine_total(m, x);
    (void)m->backward(m, &x, NULL, 1, false);
    status = m->error;
    rt->memory.fail_at = 0;
    if (status == TARE_OK) {
        must(tare_value_read(x, &out->loss, sizeof out->loss));
        must(tare_value_read(w->gradient, out->w, sizeof out->w));
        must(tare_value_read(v->gradient, out->v, sizeof out->v));
    } else {
        ck_assert_ptr_null(w->gradient);
        ck_assert_ptr_null(v->gradient);
    }
    m->scope_end(m, NULL, 0);
    tare_mode_clear(m);
    tare_value_clear_gradient(w);
    tare_value_clear_gradient(v);
    if (status != TARE_OK && c) { /* what failed half way works the next time */
        static const bits nothing;
        tare_value_clear_gradient(w);
        m->scope_begin(m, NULL);
        (void)service->apply(c, m, &v, 1, y);
        must(m->error);
        x = spine_total(m, y[0]);
        must(m->backward(m, &x, NULL, 1, false));
        must(tare_value_read(w->gradient, out->w, sizeof out->w));
        ck_assert(memcmp(out->w, nothing.w, sizeof out->w) != 0);
        m->scope_end(m, NULL, 0);
        tare_value_clear_gradient(w);
        tare_value_clear_gradient(v);
    }
    if (c)
        service->free(c);
    return status;
}

START_TEST(every_allocation_failing_loses_nothing)
{
    const tare_capture_options ways[] = {{.keep = false}, {.keep = true}, {.keep = true, .bound = true}};
    broken = _i > 2;
    bits plain, is;
    must(whole(NULL, &plain));
    int failures = 0;
    for (int64_t k = 1;; ++k) {
        tare_runtime_trim(rt);
        rt->memory.fail_at = rt->memory.n_requests + k;
        tare_status status = whole(&ways[_i % 3], &is);
        rt->memory.fail_at = 0;
        ck_assert_int_eq(rt->work_bytes_live, 0);
        if (status == TARE_OK)
            break;
        ck_assert_msg(status == TARE_NO_MEMORY, "request %lld: %s (%s)", (long long)k, tare_status_name(status),
                      tare_error_text());
        ++failures;
        must(whole(&ways[_i % 3], &is));
        ck_assert_int_eq(memcmp(&is, &plain, sizeof is), 0);
    }
    ck_assert_int_ge(failures, 30);
    ck_assert_int_eq(memcmp(&is, &plain, sizeof is), 0);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("captured");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, alternating_shapes_are_planned_once_each);
    tcase_add_test(tests, training_recording_and_wants_have_entries_of_their_own);
    tcase_add_test(tests, a_frozen_parameter_is_another_signature);
    tcase_add_test(tests, within_another_capture_it_is_traced_into_that);
    tcase_add_loop_test(tests, forwards_before_a_backward_take_instances_up_to_the_cap, 0, 2);
    tcase_add_loop_test(tests, a_forward_without_backward_gives_its_instance_back, 0, 2);
    tcase_add_test(tests, an_operand_that_no_gradient_needs_may_be_let_go_and_changed);
    tcase_add_test(tests, an_operand_that_is_needed_must_stay_as_it_is);
    tcase_add_loop_test(tests, an_error_in_capture_surfaces_once_and_leaves_nothing, 0, 2);
    tcase_add_loop_test(tests, bad_data_in_a_segment_is_said_and_forgotten, 0, 3);
    tcase_add_loop_test(tests, an_input_given_up_is_read_by_all_segments, 0, 4);
    tcase_add_test(tests, an_error_in_backward_is_the_plain_one);
    tcase_add_test(tests, odd_options_and_inputs_are_refused);
    tcase_add_loop_test(tests, every_allocation_failing_loses_nothing, 0, 6);
    return spine_run("captured", &tests, 1);
}
