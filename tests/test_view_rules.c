/* test_view_rules.c - views and their base: bytes and versions, no writing in place, capture, strings, the plan's
 * checker.
 */
#include "../core/capture.h"
#include "../graph/graph_private.h"
#include "views.h"

static tare_value *transposed(tare_mode *m, tare_value *const *x)
{
    return tare_transpose(m, x[0], (tare_transpose_attr){{0}});
}

static tare_value *flipped(tare_mode *m, tare_value *const *x)
{
    return tare_flip(m, x[0], (tare_flip_attr){{1, {-1}}});
}

/* ---- storage and versions
 * -------------------------------------------------------------------------------------------------------------*/
START_TEST(a_view_reads_and_writes_its_base)
{
    tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_MALLOC);
    tare_mode *m = spine_mode(rt, false);
    tare_value *x = counted(rt, TARE_I32, 2, (const int64_t[]){2, 3});
    int32_t host[12];
    m->scope_begin(m, NULL);
    tare_value *kept[] = {flipped(m, &x), tare_expand(m, x, (tare_expand_attr){{3, {2, 2, 3}}})};
    must(m->error);
    must(tare_value_write(kept[0], (const int32_t[]){10, 11, 12, 13, 14, 15}, 6 * sizeof *host));
    must(tare_value_read(x, host, 6 * sizeof *host));
    ck_assert_mem_eq(host, ((const int32_t[]){12, 11, 10, 15, 14, 13}), 6 * sizeof *host);
    m->scope_end(m, kept, 2);
    tare_value_drop(x); /* the views hold the bytes */
    must(tare_value_read(kept[1], host, sizeof host));
    ck_assert_mem_eq(host, ((const int32_t[]){12, 11, 10, 15, 14, 13, 12, 11, 10, 15, 14, 13}), sizeof host);
    tare_value_drop(kept[0]);
    tare_value_drop(kept[1]);
    tare_imperative_free(m);
    spine_end(rt);
}
END_TEST

START_TEST(a_saved_view_is_stale_when_its_base_is_written)
{
    tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    tare_mode *m = spine_mode(rt, true);
    tare_value *x = counted(rt, TARE_F32, 2, (const int64_t[]){2, 3});
    const float zeros[6] = {0};
    tare_value_want_gradient(x, true);
    m->scope_begin(m, NULL);
    tare_value *v = transposed(m, &x), *y = tare_mul(m, v, v);
    must(m->error);
    must(tare_value_write(x, zeros, sizeof zeros));
    expect_error(m->backward(m, &y, NULL, 1, false), TARE_STALE,
                 "mul: its input 0, saved for backward, was changed by tare_value_write since");
    m->scope_end(m, NULL, 0);
    tare_imperative_free(m);
    tare_value_drop(x);
    spine_end(rt);
}
END_TEST

static tare_status update(tare_mode *m, tare_value *w, tare_value *rate)
{
    tare_value *out[2];
    static const tare_sgd_attr attr = {0};
    return m->apply(m, &tare_op_sgd, &attr, (tare_value *const[]){w, w, NULL, rate}, 4, out, 2);
}

START_TEST(views_are_not_written_in_place)
{
    static const char text[] = "sgd: input 0 is a view, and it would be written in place (need a whole value)";
    tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    tare_mode *m = spine_mode(rt, false), *gm;
    tare_graph *g;
    tare_value *w = counted(rt, TARE_F32, 2, (const int64_t[]){2, 3}), *rate = counted(rt, TARE_F32, 0, NULL);
    must(tare_graph_new(rt, &g));
    gm = tare_graph_mode(g);
    m->scope_begin(m, NULL);
    tare_value *view[] = {transposed(m, &w), tare_slice(m, w, (tare_slice_attr){0, 1, 2, 1}),
                          tare_reshape(m, w, (tare_reshape_attr){{1, {6}}})};
    for (int i = 0; i < 3; ++i) {
        expect_error(update(m, view[i], rate), TARE_BAD_ARGUMENT, text);
        tare_mode_clear(m);
        expect_error(update(gm, view[i], rate), TARE_BAD_ARGUMENT, text); /* concrete, made elsewhere */
        tare_mode_clear(gm);
    }
    expect_error(update(gm, transposed(gm, &w), rate), TARE_BAD_ARGUMENT, text);
    tare_mode_clear(gm);
    must(update(m, w, rate));
    m->scope_end(m, NULL, 0);
    tare_graph_free(g);
    tare_imperative_free(m);
    tare_value_drop(w);
    tare_value_drop(rate);
    spine_end(rt);
}
END_TEST

START_TEST(a_view_is_not_bound_where_a_plan_writes)
{
    tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    tare_mode *m = spine_mode(rt, false);
    tare_value *all = counted(rt, TARE_F32, 1, (const int64_t[]){6}), *rate = counted(rt, TARE_F32, 0, NULL);
    tare_desc d = tare_desc_of(TARE_F32, 1, (const int64_t[]){3});
    tare_graph *g;
    tare_plan *plan;
    tare_instance *run;
    must(tare_graph_new(rt, &g));
    must(update(tare_graph_mode(g), tare_graph_input(g, &d, "w"), rate));
    must(tare_plan_new(g, NULL, &plan));
    must(tare_instance_new(plan, &run));
    m->scope_begin(m, NULL);
    tare_value *part = tare_slice(m, all, (tare_slice_attr){0, 3, 6, 1});
    expect_error(tare_instance_bind(run, 0, part), TARE_BAD_ARGUMENT,
                 "placeholder 0 'w' is written by sgd, the value is a view");
    must(tare_instance_bind(run, 0, tare_copy(m, part)));
    m->scope_end(m, NULL, 0);
    tare_instance_free(run);
    tare_plan_free(plan);
    tare_graph_free(g);
    tare_imperative_free(m);
    tare_value_drop(all);
    tare_value_drop(rate);
    spine_end(rt);
}
END_TEST

/* ---- a captured function, attributes, the checker
 * ---------------------------------------------------------------------------------------------------------------*/
static void rectified(void *owner, tare_mode *m, tare_value *const *in, int n_in, tare_value **out, int n_out)
{
    (void)owner;
    (void)n_in;
    (void)n_out;
    out[0] = tare_scale(m, tare_relu(m, in[0]), (tare_scale_attr){3});
}

/* The head that reaches the function is a transposed view; so is its input. */
START_TEST(a_captured_function_takes_views_both_ways)
{
    tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    const tare_capture_service *service = tare_find(rt, TARE_KIND_SERVICE, "capture");
    tare_captured *f;
    must(service->make(rt, rectified, NULL, 1, NULL, &f));
    tare_mode *m = spine_mode(rt, true);
    tare_value *x = counted(rt, TARE_F32, 2, (const int64_t[]){2, 3});
    float dx[6];
    tare_value_want_gradient(x, true);
    m->scope_begin(m, NULL);
    tare_value *y, *in = transposed(m, &x);
    must(service->apply(f, m, &in, 1, &y));
    tare_value *z = tare_transpose(m, y, (tare_transpose_attr){{0}}), *head = head_for(rt, z);
    must(m->backward(m, &z, &head, 1, false));
    must(tare_value_read(tare_value_gradient(x), dx, sizeof dx));
    for (int i = 0; i < 6; ++i)
        ck_assert_float_eq(dx[i], i > 0 ? 3 * (float)head_at(i) : 0);
    m->scope_end(m, NULL, 0);
    tare_value_drop(head);
    tare_value_drop(x);
    tare_imperative_free(m);
    service->free(f);
    spine_end(rt);
}
END_TEST

START_TEST(negative_numbers_pass_through_attribute_strings)
{
    static const tare_attr table[] = {{"at", TARE_ATTR_INTS, 0, -0x1p63, 0x1p63, "", "numbers"}};
    static const struct {
        const char *text;
        tare_ints is;
    } right[] = {{"at=-1-16", {2, {-1, 16}}}, {"at=16--1", {2, {16, -1}}}, {"at=-1--3--2", {3, {-1, -3, -2}}},
                 {"at=-1", {1, {-1}}},        {"at=0", {1, {0}}},          {"at=", {0, {0}}}};
    for (size_t i = 0; i < sizeof right / sizeof *right; ++i) {
        tare_ints is = {0};
        char text[64];
        must(tare_attr_parse("t", table, 1, right[i].text, &is));
        ck_assert_mem_eq(&is, &right[i].is, sizeof is);
        ck_assert_str_eq(tare_attr_print(table, 1, &is, text, sizeof text), right[i].text);
    }
    static const char *const wrong[] = {"at=1-", "at=--1", "at=1---2", "at=-", "at=1-x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        tare_ints is;
        ck_assert_int_eq(tare_attr_parse("t", table, 1, wrong[i], &is), TARE_BAD_ARGUMENT);
    }
}
END_TEST

/* A plan whose view is moved by one element, or reaches beyond either end of its base. */
START_TEST(the_checker_finds_a_view_outside_its_base)
{
    tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    tare_value *x = counted(rt, TARE_F32, 2, (const int64_t[]){2, 3});
    tare_graph *g;
    tare_plan *plan;
    must(tare_graph_new(rt, &g));
    tare_mode *m = tare_graph_mode(g);
    tare_value *h = _i ? x : tare_relu(m, x); /* an external, or in the arena */
    tare_value *view = flipped(m, &h), *y = tare_copy(m, view);
    must(m->error);
    must(tare_graph_output(g, y));
    must(tare_graph_output(g, view));
    must(tare_plan_new(g, NULL, &plan));
    tare_address *at = &plan->address[plan->n_address - plan->call[plan->n_calls - 1].n_ptr];
    ck_assert_int_eq(at->offset, 2 * (int64_t)sizeof(float));
    at->offset += (int64_t)sizeof(float);
    expect_error(tare__plan_check(plan), TARE_IMPOSSIBLE, "an operand is not where its value is");
    at->offset -= (int64_t)sizeof(float);
    for (int64_t by = -3; by <= 2; by += 5) { /* a row too far down, and too far up */
        view->d.stride[0] = by;
        view->d.stride[1] = by < 0 ? 1 : 2;
        expect_error(tare__plan_check(plan), TARE_IMPOSSIBLE, "a view reaches beyond what it is of");
    }
    view->d.stride[0] = 3;
    view->d.stride[1] = -1;
    must(tare__plan_check(plan));
    tare_plan_free(plan);
    tare_graph_free(g);
    tare_value_drop(x);
    spine_end(rt);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("view_rules");
    tcase_add_test(tests, a_view_reads_and_writes_its_base);
    tcase_add_test(tests, a_saved_view_is_stale_when_its_base_is_written);
    tcase_add_test(tests, views_are_not_written_in_place);
    tcase_add_test(tests, a_view_is_not_bound_where_a_plan_writes);
    tcase_add_test(tests, a_captured_function_takes_views_both_ways);
    tcase_add_test(tests, negative_numbers_pass_through_attribute_strings);
    tcase_add_loop_test(tests, the_checker_finds_a_view_outside_its_base, 0, 2);
    return spine_run("view_rules", &tests, 1);
}
