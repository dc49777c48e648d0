/* test_bundle.c - many updates in one call: the bits of a call each, one dispatch and one kernel call, refusals. */
#include "shadow.h"
#include "spine.h"

enum { MOST_GROUPS = 300, MOST_INPUTS = 5 };

typedef struct {
    const tare_op *op;
    const void *attr;
    int n_like;      /* inputs that look like the parameter: it, the gradient, states */
    int64_t n_rates; /* 0: the rate is 0-d */
} rule;

static const tare_sgd_attr sgd = {.momentum = 0.9, .weight_decay = 0.01, .nesterov = true};
static const tare_adam_attr adam = {0.9, 0.999, 1e-8, 0.01, true};
static const tare_rmsprop_attr rmsprop = {0.99, 1e-8, 0.01};
static const tare_adagrad_attr adagrad = {1e-10, 0.01};
static const rule rules[] = {{&tare_op_sgd, &sgd, 3, 0},
                             {&tare_op_adam, &adam, 4, 3},
                             {&tare_op_rmsprop, &rmsprop, 3, 0},
                             {&tare_op_adagrad, &adagrad, 3, 0}};
enum { RULES = sizeof rules / sizeof *rules };

static tare_runtime *start(int threads, tare_device_open *device)
{
    tare_options options = {.threads = threads, .isa_limit = TARE_ISA_COUNT, .open_device = device};
    tare_runtime *rt;
    must(tare_start(&options, &rt));
    return rt;
}

/* Groups of different sizes, one of several pieces, one empty; states are not negative. */
static int make_groups(tare_runtime *rt, const rule *r, int n, tare_value **in)
{
    tare_value *rate = spine_random(rt, r->n_rates != 0, &r->n_rates, 99);
    for (int g = 0; g < n; ++g)
        for (int i = 0; i < r->n_like; ++i) {
            int64_t dim[2] = {1 + g % 7, g == 1 ? 16411 : g == 2 ? 0 : 1 + g};
            tare_value *v = spine_random(rt, 2, dim, (uint64_t)(g * 8 + i + 1));
            float *x = spine_bytes(v);
            for (int64_t k = 0; i > 1 && k < tare_desc_count(&v->d); ++k)
                x[k] = x[k] * x[k];
            must(tare_value_write(v, x, tare_desc_bytes(&v->d)));
            free(x);
            in[g * r->op->n_in + i] = v;
        }
    for (int g = 0; g < n; ++g)
        in[g * r->op->n_in + r->n_like] = tare_value_share(rate);
    tare_value_drop(rate);
    return n * r->op->n_in;
}

static void drop_all(tare_value **v, int n)
{
    for (int i = 0; i < n; ++i)
        tare_value_drop(v[i]);
}

/* As many steps, all in one or each for itself. */
static void step(tare_runtime *rt, const rule *r, int groups, tare_value *const *in, bool together, tare_counts *spent)
{
    tare_mode *m = spine_mode(rt, false);
    tare_bundle *b;
    tare_value *out[TARE_OPERANDS];
    must(tare_bundle_new(rt, r->op, "multi", &b));
    for (int k = 0; k < 2; ++k) {
        tare_counts before = tare_runtime_counts(rt);
        m->scope_begin(m, "optimizer");
        if (together)
            must(tare_bundle_apply(b, m, r->attr, in, groups, 0));
        for (int g = 0; !together && g < groups; ++g)
            must(m->apply(m, r->op, r->attr, in + g * r->op->n_in, r->op->n_in, out, 0));
        m->scope_end(m, NULL, 0);
        must(tare_runtime_wait(rt));
        tare_counts after = tare_runtime_counts(rt);
        *spent = (tare_counts){.infers = after.infers - before.infers,
                               .allocations = after.allocations - before.allocations,
                               .kernel_calls = after.kernel_calls - before.kernel_calls};
    }
    tare_bundle_free(b);
    tare_imperative_free(m);
}

static void compare(int threads, tare_device_open *device, const rule *r, int groups)
{
    tare_runtime *rt = start(threads, device);
    tare_value *each[MOST_GROUPS * MOST_INPUTS], *all[MOST_GROUPS * MOST_INPUTS];
    tare_counts spent[2];
    int n = make_groups(rt, r, groups, each);
    (void)make_groups(rt, r, groups, all);
    step(rt, r, groups, each, false, &spent[0]);
    step(rt, r, groups, all, true, &spent[1]);
    for (int i = 0; i < n; ++i)
        ck_assert_msg(spine_same(each[i], all[i]), "%s, input %d of group %d, %d threads", r->op->name, i % r->op->n_in,
                      i / r->op->n_in, threads);
    int calls = (groups + 255) / 256;
    ck_assert_int_eq(spent[0].kernel_calls, groups);
    ck_assert_int_eq(spent[0].infers, groups);
    ck_assert_int_eq(spent[1].kernel_calls, calls);
    ck_assert_int_eq(spent[1].infers, calls);
    if (!device)
        ck_assert_int_eq(spent[1].allocations, 0); /* in the second step */
    drop_all(each, n);
    drop_all(all, n);
    spine_end(rt);
}

START_TEST(all_together_give_the_bits_of_each)
{
    const rule *r = &rules[_i];
    compare(1, NULL, r, 1);
    compare(1, NULL, r, 9);
    compare(3, NULL, r, 9);
    compare(1, shadow_open, r, 9);
    compare(2, NULL, r, MOST_GROUPS);
}
END_TEST

START_TEST(a_write_is_seen_by_what_was_saved)
{
    tare_runtime *rt = start(1, NULL);
    tare_mode *m = spine_mode(rt, true);
    tare_value *in[2 * MOST_INPUTS];
    int n = make_groups(rt, &rules[0], 2, in);
    tare_bundle *b;
    must(tare_bundle_new(rt, &tare_op_sgd, "multi_sgd", &b));
    tare_value_want_gradient(in[0], true);
    m->scope_begin(m, NULL);
    tare_value *root = spine_total(m, tare_mul(m, in[0], in[0]));
    m->recording = false;
    must(tare_bundle_apply(b, m, &sgd, in, 2, 0));
    m->recording = true;
    expect_error(m->backward(m, &root, NULL, 1, false), TARE_STALE, "sgd");
    m->scope_end(m, NULL, 0);
    tare_mode_clear(m);
    tare_bundle_free(b);
    tare_imperative_free(m);
    drop_all(in, n);
    spine_end(rt);
}
END_TEST

/* A gradient that is a view of other strides is copied first; nothing else is different. */
START_TEST(a_strided_gradient_is_copied)
{
    tare_runtime *rt = start(1, NULL);
    tare_mode *m = spine_mode(rt, false);
    const int64_t dim[2] = {7, 5}, turned[2] = {5, 7};
    tare_value *w[2], *v[2], *g = spine_random(rt, 2, turned, 3), *rate = spine_random(rt, 0, NULL, 4), *out[2];
    for (int k = 0; k < 2; ++k) {
        w[k] = spine_random(rt, 2, dim, 1);
        v[k] = spine_random(rt, 2, dim, 2);
    }
    tare_bundle *b;
    must(tare_bundle_new(rt, &tare_op_sgd, "multi_sgd", &b));
    m->scope_begin(m, NULL);
    tare_value *gt = tare_transpose(m, g, (tare_transpose_attr){0});
    must(m->apply(m, &tare_op_sgd, &sgd, (tare_value *const[]){w[0], gt, v[0], rate}, 4, out, 0));
    must(tare_bundle_apply(b, m, &sgd, (tare_value *const[]){w[1], gt, v[1], rate}, 1, 0));
    m->scope_end(m, NULL, 0);
    ck_assert(spine_same(w[0], w[1]));
    ck_assert(spine_same(v[0], v[1]));
    drop_all(w, 2);
    drop_all(v, 2);
    tare_value_drop(g);
    tare_value_drop(rate);
    tare_bundle_free(b);
    tare_imperative_free(m);
    spine_end(rt);
}
END_TEST

START_TEST(what_does_not_fit_is_refused_and_nothing_is_written)
{
    tare_runtime *rt = start(1, NULL);
    tare_mode *m = spine_mode(rt, false);
    tare_value *in[3 * MOST_INPUTS], *given[3 * MOST_INPUTS];
    int n = make_groups(rt, &rules[0], 3, in);
    float *before = spine_bytes(in[0]);
    tare_bundle *b;
    expect_error(tare_bundle_new(rt, &tare_op_relu, "multi_relu", &b), TARE_IMPOSSIBLE, "cannot be bundled");
    must(tare_bundle_new(rt, &tare_op_sgd, "multi_sgd", &b));
    static const struct {
        int at, from; /* -1: missing; -2: a view of it */
        const char *part;
    } wrong[] = {{5, 0, "multi_sgd"}, {4, -1, "input 0 of group 1 is missing"}, {4, -2, "is a view"}};
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; ++k) {
        m->scope_begin(m, NULL);
        memcpy(given, in, sizeof given);
        int from = wrong[k].from;
        given[wrong[k].at] = from >= 0    ? in[from]
                             : from == -1 ? NULL
                                          : tare_reshape(m, in[wrong[k].at], (tare_reshape_attr){.shape = {1, {-1}}});
        tare_status status = tare_bundle_apply(b, m, &sgd, given, 3, 0);
        ck_assert_msg(status != TARE_OK && (k == 0 || strstr(tare_error_text(), wrong[k].part)), "%s",
                      tare_error_text());
        ck_assert_int_eq(m->error, status);
        m->scope_end(m, NULL, 0);
        tare_mode_clear(m);
        float *after = spine_bytes(in[0]);
        ck_assert_mem_eq(before, after, tare_desc_bytes(&in[0]->d));
        free(after);
    }
    free(before);
    tare_bundle_free(b);
    tare_imperative_free(m);
    drop_all(in, n);
    spine_end(rt);
}
END_TEST

START_TEST(without_memory_nothing_is_written)
{
    tare_runtime *rt = start(1, NULL);
    tare_value *in[9 * MOST_INPUTS];
    int n = make_groups(rt, &rules[1], 9, in);
    float *before = spine_bytes(in[0]);
    for (int64_t k = 1;; ++k) {
        tare_bundle *b = NULL;
        tare_mode *m = spine_mode(rt, false);
        rt->memory.fail_at = rt->memory.n_requests + k;
        tare_status status = tare_bundle_new(rt, &tare_op_adam, "multi_adam", &b);
        m->scope_begin(m, NULL);
        if (status == TARE_OK)
            status = tare_bundle_apply(b, m, &adam, in, 9, 0);
        m->scope_end(m, NULL, 0);
        bool done = rt->memory.n_requests < rt->memory.fail_at;
        rt->memory.fail_at = 0;
        float *after = spine_bytes(in[0]);
        bool same = memcmp(before, after, tare_desc_bytes(&in[0]->d)) == 0;
        free(after);
        tare_bundle_free(b);
        tare_imperative_free(m);
        ck_assert_int_eq(same, !done);
        if (done) {
            must(status);
            break;
        }
    }
    free(before);
    drop_all(in, n);
    spine_end(rt);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("bundle");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, all_together_give_the_bits_of_each, 0, RULES);
    tcase_add_test(tests, a_write_is_seen_by_what_was_saved);
    tcase_add_test(tests, a_strided_gradient_is_copied);
    tcase_add_test(tests, what_does_not_fit_is_refused_and_nothing_is_written);
    tcase_add_test(tests, without_memory_nothing_is_written);
    return spine_run("bundle", &tests, 1);
}
