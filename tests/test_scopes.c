/* test_scopes.c - the imperative mode's ownership: scopes, promotion, tare_move, poison, foreign memory. */
#include "spine.h"

static tare_runtime *rt;
static tare_mode *m;
static tare_value *x;

static void setup(void)
{
    rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    m = spine_mode(rt, false);
    x = spine_random(rt, 1, (const int64_t[]){16}, 1);
}

static void teardown(void)
{
    tare_value_drop(x);
    tare_imperative_free(m);
    spine_end(rt);
}

static int64_t live(void)
{
    return rt->work_bytes_live;
}

/* ---- scopes
 * --------------------------------------------------------------------------------------------------------*/
START_TEST(a_scope_lets_go_of_all_it_made)
{
    m->scope_begin(m, NULL);
    (void)tare_relu(m, tare_tanh(m, x));
    ck_assert_int_eq(live(), 2 * 64);
    m->scope_end(m, NULL, 0);
    ck_assert_int_eq(live(), 0);
}
END_TEST

START_TEST(a_result_is_promoted_scope_by_scope_to_the_caller)
{
    m->scope_begin(m, NULL);
    m->scope_begin(m, "inner");
    tare_value *y = tare_relu(m, tare_tanh(m, x));
    m->scope_end(m, &y, 1);
    ck_assert_int_eq(live(), 64);
    ck_assert_ptr_null(m->path);
    tare_value *z = tare_tanh(m, y);
    m->scope_end(m, &z, 1);
    ck_assert_int_eq(live(), 64);
    (void)spine_first(z);
    tare_value_drop(z);
    ck_assert_int_eq(live(), 0);
}
END_TEST

START_TEST(each_entry_kept_outermost_is_a_handle)
{
    m->scope_begin(m, NULL);
    tare_value *y = tare_relu(m, x), *keep[] = {y, y, x, y};
    m->scope_end(m, keep, 4);
    for (int i = 0; i < 4; ++i) {
        (void)spine_first(keep[i]);
        ck_assert_ptr_eq(keep[i], i == 2 ? x : y);
    }
    for (int i = 0; i < 3; ++i)
        tare_value_drop(keep[i]);
    (void)spine_first(y); /* three handles, two gone */
    (void)spine_first(x);
    tare_value_drop(y);
}
END_TEST

START_TEST(duplicates_and_foreign_values_kept_by_an_inner_scope_stay_one_handle)
{
    m->scope_begin(m, NULL);
    tare_value *outer = tare_relu(m, x);
    m->scope_begin(m, NULL);
    tare_value *inner = tare_tanh(m, x), *keep[] = {inner, inner, outer, x};
    m->scope_end(m, keep, 4);
    ck_assert_int_eq(live(), 2 * 64);
    m->scope_end(m, NULL, 0);
    ck_assert_int_eq(live(), 0);
    (void)spine_first(x);
}
END_TEST

START_TEST(keeping_what_was_given_up_is_poison_and_an_error)
{
    m->scope_begin(m, NULL);
    tare_value *y = tare_relu(m, x), *z = tare_tanh(m, tare_move(y)), *keep[] = {z, y};
    ck_assert_int_eq(live(), 64);
    m->scope_end(m, keep, 2);
    ck_assert_ptr_eq(keep[1], &m->poison);
    ck_assert_int_eq(m->error, TARE_BAD_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(tare_error_text(), "given up"));
    tare_value_drop(keep[1]); /* poison: nothing happens */
    tare_value_drop(keep[0]);
}
END_TEST

START_TEST(a_value_that_outlived_its_scope_can_be_kept_by_a_later_one)
{
    m->scope_begin(m, NULL);
    tare_value *y = tare_value_share(tare_relu(m, x));
    m->scope_end(m, NULL, 0);
    m->scope_begin(m, NULL);
    tare_value *kept = y;
    m->scope_end(m, &kept, 1);
    ck_assert_msg(m->error == TARE_OK, "%s", tare_error_text());
    tare_value_drop(y);
    (void)spine_first(kept);
    tare_value_drop(kept);
}
END_TEST

START_TEST(a_gradient_can_be_kept)
{
    tare_value *w = spine_leaf(rt, 16, 3);
    m->recording = true;
    m->scope_begin(m, NULL);
    tare_value *y = spine_total(m, w);
    must(m->backward(m, &y, NULL, 1, false));
    m->scope_end(m, NULL, 0);
    m->scope_begin(m, NULL);
    tare_value *g = m->gradient(m, w);
    m->scope_end(m, &g, 1);
    ck_assert_msg(m->error == TARE_OK, "%s", tare_error_text());
    tare_value_clear_gradient(w);
    ck_assert_float_eq(spine_first(g), 1);
    tare_value_drop(g);
    tare_value_drop(w);
}
END_TEST

START_TEST(ends_without_a_begin_and_frees_with_open_scopes_do_no_harm)
{
    m->scope_end(m, NULL, 0);
    ck_assert_int_eq(m->depth, 0);
    for (int i = 0; i < 200; ++i) {
        m->scope_begin(m, "deep");
        (void)tare_relu(m, x);
    }
    tare_imperative_free(m);
    ck_assert_int_eq(live(), 0);
    m = spine_mode(rt, false);
}
END_TEST

START_TEST(operators_need_a_scope)
{
    ck_assert_ptr_eq(tare_relu(m, x), &m->poison);
    ck_assert_int_eq(m->error, TARE_BAD_ARGUMENT);
    ck_assert_str_eq(tare_error_text(), "relu: no scope is open (scope_begin)");
    tare_mode_clear(m);
    expect_error(m->backward(m, &x, NULL, 1, false), TARE_BAD_ARGUMENT, "no scope is open");
}
END_TEST

/* ---- tare_move
 * -----------------------------------------------------------------------------------------------------*/
START_TEST(move_gives_up_in_the_owning_scope_only)
{
    m->scope_begin(m, NULL);
    tare_value *y = tare_relu(m, x);
    m->scope_begin(m, NULL);
    (void)tare_tanh(m, tare_move(y)); /* not this scope's: nothing given up */
    ck_assert_int_eq(live(), 2 * 64);
    ck_assert(!y->moved);
    m->scope_end(m, NULL, 0);
    (void)spine_first(y);
    (void)tare_tanh(m, tare_move(x)); /* the caller's */
    (void)spine_first(x);
    (void)tare_tanh(m, tare_move(y));
    ck_assert_ptr_null(y->storage);
    m->scope_end(m, NULL, 0);
}
END_TEST

START_TEST(adopt_takes_over_what_the_scope_around_moved)
{
    m->scope_begin(m, NULL);
    tare_value *y = tare_relu(m, x), *kept = tare_relu(m, x);
    tare_move(y);
    m->scope_begin(m, NULL);
    tare_value *in[] = {y, kept, NULL, x};
    m->adopt(m, in, 4);
    ck_assert_int_eq(y->depth, 2);
    ck_assert_int_eq(kept->depth, 1);
    (void)tare_tanh(m, tare_move(y));
    ck_assert_ptr_null(y->storage);
    m->scope_end(m, NULL, 0);
    ck_assert_int_eq(live(), 64);
    m->scope_end(m, NULL, 0);
}
END_TEST

START_TEST(an_adopted_value_can_be_returned)
{
    m->scope_begin(m, NULL);
    tare_value *y = tare_move(tare_relu(m, x));
    m->scope_begin(m, NULL);
    m->adopt(m, &y, 1);
    m->scope_end(m, &y, 1);
    ck_assert_int_eq(y->depth, 1);
    m->scope_end(m, &y, 1);
    (void)spine_first(y);
    tare_value_drop(y);
}
END_TEST

START_TEST(a_moved_value_may_be_several_inputs)
{
    m->scope_begin(m, NULL);
    tare_value *y = tare_relu(m, x), *z = tare_mul(m, tare_move(y), y);
    ck_assert_msg(m->error == TARE_OK, "%s", tare_error_text());
    ck_assert_ptr_null(y->storage);
    (void)spine_first(z);
    m->scope_end(m, NULL, 0);
}
END_TEST

static void nothing(tare_storage *s)
{
    if (s->owner)
        ++*(int *)s->owner;
}

/* The transpose of a matrix that lies in `data`. */
static tare_value *transposed(float *data, int64_t rows, int64_t columns, int *released)
{
    tare_desc d = tare_desc_of(TARE_F32, 2, (const int64_t[]){rows, columns});
    d.stride[0] = 1;
    d.stride[1] = rows;
    tare_desc_measure(&d);
    ck_assert(!d.contiguous);
    tare_value *v;
    must(tare_value_foreign(rt, &d, data, nothing, released, &v));
    return v;
}

START_TEST(a_moved_strided_value_may_be_several_inputs)
{
    float data[6] = {1, 4, 2, 5, 3, 6};
    tare_value *t = transposed(data, 2, 3, NULL);
    m->scope_begin(m, NULL);
    tare_value *y = tare_detach(m, t), *z;
    tare_value *const in[] = {tare_move(y), y};
    ck_assert(!y->d.contiguous);
    must(m->apply(m, &tare_op_l2_loss, NULL, in, 2, &z, 0));
    ck_assert_float_eq(spine_first(z), 0);
    ck_assert_ptr_null(y->storage);
    m->scope_end(m, NULL, 0);
    tare_value_drop(t);
}
END_TEST

/* ---- poison
 * --------------------------------------------------------------------------------------------------------*/
START_TEST(the_first_message_wins_and_poison_flows)
{
    tare_value *v3 = spine_random(rt, 1, (const int64_t[]){3}, 2);
    m->scope_begin(m, "layer0");
    tare_value *bad = tare_add(m, x, v3);
    ck_assert_ptr_eq(bad, &m->poison);
    ck_assert_int_eq(m->error, TARE_BAD_SHAPE);
    char first[512];
    (void)snprintf(first, sizeof first, "%s", tare_error_text());
    ck_assert_ptr_nonnull(strstr(first, "add 'layer0'"));
    ck_assert_ptr_eq(tare_relu(m, bad), &m->poison);
    ck_assert_ptr_eq(tare_relu(m, x), &m->poison);
    ck_assert_int_eq(m->backward(m, &bad, NULL, 1, false), TARE_BAD_SHAPE);
    m->scope_end(m, &bad, 1);
    ck_assert_ptr_eq(bad, &m->poison);
    ck_assert_str_eq(tare_error_text(), first);
    ck_assert_int_eq(m->error, TARE_BAD_SHAPE);
    tare_mode_clear(m);
    m->scope_begin(m, NULL);
    (void)spine_first(tare_relu(m, x));
    ck_assert_ptr_eq(tare_relu(m, bad), &m->poison); /* still poison: a new error */
    ck_assert_ptr_nonnull(strstr(tare_error_text(), "what an earlier error left"));
    m->scope_end(m, NULL, 0);
    tare_value_drop(v3);
}
END_TEST

START_TEST(poison_and_symbols_have_no_data_to_copy)
{
    float f = 0;
    tare_value *p = &m->poison;
    ck_assert_ptr_eq(tare_value_share(p), p);
    tare_value_drop(p);
    expect_error(tare_value_read(p, &f, sizeof f), TARE_BAD_ARGUMENT, "no data");
    expect_error(tare_value_write(p, &f, sizeof f), TARE_BAD_ARGUMENT, "no data");
    tare_graph *g;
    must(tare_graph_new(rt, &g));
    tare_desc d = tare_desc_of(TARE_F32, 0, NULL);
    tare_value *s = tare_graph_input(g, &d, "s");
    expect_error(tare_value_read(s, &f, sizeof f), TARE_BAD_ARGUMENT, "no data: s");
    expect_error(tare_value_write(s, &f, sizeof f), TARE_BAD_ARGUMENT, "no data: s");
    m->scope_begin(m, NULL);
    ck_assert_ptr_eq(tare_relu(m, s), &m->poison);
    ck_assert_ptr_nonnull(strstr(tare_error_text(), "graph's value"));
    m->scope_end(m, NULL, 0);
    tare_graph_free(g);
}
END_TEST

START_TEST(operators_refuse_odd_inputs)
{
    tare_value *out[8], *none = NULL;
    tare_runtime *other = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    tare_value *theirs = spine_random(other, 1, (const int64_t[]){16}, 1);
    m->scope_begin(m, "l");
    const struct {
        tare_value *in[2];
        int n;
        const char *part;
    } tries[] = {
        {{none, NULL}, 1, "relu 'l': input 0 is missing"},
        {{x, x}, 2, "relu 'l': 2 inputs were given (need 1)"},
        {{x, x}, 0, "relu 'l': 0 inputs were given (need 1)"},
        {{x, x}, -1, "relu 'l': -1 inputs were given (need 1)"},
        {{theirs, NULL}, 1, "relu 'l': input 0 belongs to another runtime"},
    };
    for (size_t i = 0; i < sizeof tries / sizeof *tries; ++i) {
        expect_error(m->apply(m, &tare_op_relu, NULL, tries[i].in, tries[i].n, out, 0), TARE_BAD_ARGUMENT,
                     tries[i].part);
        ck_assert_ptr_eq(out[0], &m->poison);
        tare_mode_clear(m);
    }
    expect_error(m->apply(m, &tare_op_relu, NULL, &x, 1, out, 1), TARE_BAD_ARGUMENT, "cannot be absent");
    m->scope_end(m, NULL, 0);
    tare_value_drop(theirs);
    spine_end(other);
}
END_TEST

/* ---- foreign memory
 * ------------------------------------------------------------------------------------------------*/
START_TEST(foreign_memory_is_released_once_by_its_last_holder)
{
    int released = 0;
    float data[6] = {1, 4, 2, 5, 3, 6};
    tare_value *t = transposed(data, 2, 3, &released), *again = tare_value_share(t);
    m->scope_begin(m, NULL);
    tare_value *view = tare_detach(m, t);
    m->scope_end(m, &view, 1);
    tare_value_drop(t);
    tare_value_drop(again);
    ck_assert_int_eq(released, 0);
    float out[6];
    must(tare_value_read(view, out, sizeof out));
    ck_assert_mem_eq(out, ((float[]){1, 2, 3, 4, 5, 6}), sizeof out);
    must(tare_value_write(view, ((float[]){6, 5, 4, 3, 2, 1}), sizeof out));
    ck_assert_mem_eq(data, ((float[]){6, 3, 5, 2, 4, 1}), sizeof data);
    tare_value_drop(view);
    ck_assert_int_eq(released, 1);
}
END_TEST

START_TEST(foreign_memory_needs_no_alignment_beyond_the_dtype)
{
    enum { N = 45 };
    float room[N + 1], *data = room + 1;
    int released = 0;
    tare_value *aligned = spine_random(rt, 1, (const int64_t[]){N}, 9), *v;
    must(tare_value_read(aligned, data, N * sizeof *data));
    tare_desc d = aligned->d;
    must(tare_value_foreign(rt, &d, data, nothing, &released, &v));
    m->scope_begin(m, NULL);
    ck_assert(spine_same(tare_tanh(m, aligned), tare_tanh(m, v)));
    ck_assert(spine_same(spine_total(m, aligned), spine_total(m, v)));
    ck_assert(spine_same(tare_mul(m, aligned, aligned), tare_mul(m, v, v)));
    m->scope_end(m, NULL, 0);
    tare_value_drop(v);
    ck_assert_int_eq(released, 1);
    tare_value_drop(aligned);
}
END_TEST

START_TEST(a_refused_foreign_value_is_not_released)
{
    int released = 0;
    float data[4];
    tare_value *v;
    tare_desc d = tare_desc_of(TARE_F32, 1, (const int64_t[]){4}), bad = d;
    bad.dim[0] = -1;
    expect_error(tare_value_foreign(rt, &bad, data, nothing, &released, &v), TARE_BAD_SHAPE, "-1");
    bad = d;
    bad.rank = 9;
    expect_error(tare_value_foreign(rt, &bad, data, nothing, &released, &v), TARE_BAD_SHAPE, "rank is 9");
    expect_error(tare_value_foreign(rt, &d, NULL, nothing, &released, &v), TARE_BAD_ARGUMENT, "address");
    expect_error(tare_value_foreign(rt, &d, data, NULL, &released, &v), TARE_BAD_ARGUMENT, "release");
    tare_runtime *fresh = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    for (int64_t k = 1; k <= 2; ++k) { /* the records' slabs: storages, then values */
        fresh->memory.fail_at = fresh->memory.n_requests + k;
        ck_assert_int_eq(tare_value_foreign(fresh, &d, data, nothing, &released, &v), TARE_NO_MEMORY);
    }
    ck_assert_int_eq(released, 0);
    fresh->memory.fail_at = 0;
    must(tare_value_foreign(fresh, &d, data, nothing, &released, &v));
    tare_value_drop(v);
    ck_assert_int_eq(released, 1);
    spine_end(fresh);
}
END_TEST

/* ---- no memory for a scope
 * -----------------------------------------------------------------------------------------*/
START_TEST(a_scope_without_memory_changes_nothing_around_it)
{
    for (int depth = 0; depth <= 64; depth += 64) {
        tare_mode *n = spine_mode(rt, false);
        for (int i = 0; i < depth; ++i)
            n->scope_begin(n, NULL);
        rt->memory.fail_at = rt->memory.n_requests + 1;
        n->scope_begin(n, "refused");
        ck_assert_int_eq(n->error, TARE_NO_MEMORY);
        rt->memory.fail_at = 0;
        tare_mode_clear(n);
        tare_value *y = tare_relu(n, x), *keep[] = {x, y};
        ck_assert_msg(depth ? n->error == TARE_OK : n->error == TARE_BAD_ARGUMENT, "%s", tare_error_text());
        n->scope_end(n, keep, 2);
        if (depth == 0)
            tare_value_drop(keep[0]); /* outermost: a handle of ours all the same */
        for (int i = 0; i < depth; ++i)
            n->scope_end(n, NULL, 0);
        ck_assert_int_eq(n->depth, 0);
        ck_assert_int_eq(live(), 0);
        (void)spine_first(x);
        tare_imperative_free(n);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("scopes");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_scope_lets_go_of_all_it_made);
    tcase_add_test(tests, a_result_is_promoted_scope_by_scope_to_the_caller);
    tcase_add_test(tests, each_entry_kept_outermost_is_a_handle);
    tcase_add_test(tests, duplicates_and_foreign_values_kept_by_an_inner_scope_stay_one_handle);
    tcase_add_test(tests, keeping_what_was_given_up_is_poison_and_an_error);
    tcase_add_test(tests, a_value_that_outlived_its_scope_can_be_kept_by_a_later_one);
    tcase_add_test(tests, a_gradient_can_be_kept);
    tcase_add_test(tests, ends_without_a_begin_and_frees_with_open_scopes_do_no_harm);
    tcase_add_test(tests, operators_need_a_scope);
    tcase_add_test(tests, move_gives_up_in_the_owning_scope_only);
    tcase_add_test(tests, adopt_takes_over_what_the_scope_around_moved);
    tcase_add_test(tests, an_adopted_value_can_be_returned);
    tcase_add_test(tests, a_moved_value_may_be_several_inputs);
    tcase_add_test(tests, a_moved_strided_value_may_be_several_inputs);
    tcase_add_test(tests, the_first_message_wins_and_poison_flows);
    tcase_add_test(tests, poison_and_symbols_have_no_data_to_copy);
    tcase_add_test(tests, operators_refuse_odd_inputs);
    tcase_add_test(tests, foreign_memory_is_released_once_by_its_last_holder);
    tcase_add_test(tests, foreign_memory_needs_no_alignment_beyond_the_dtype);
    tcase_add_test(tests, a_refused_foreign_value_is_not_released);
    tcase_add_test(tests, a_scope_without_memory_changes_nothing_around_it);
    return spine_run("scopes", &tests, 1);
}
