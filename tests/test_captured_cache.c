/* test_captured_cache.c - the cache of a captured function: the least recently used signature goes, and the least
 * recently used backward of one; what waits for its backward stays. */
#include "captured_layer.h"

START_TEST(the_least_recently_used_signature_goes)
{
    broken = _i;
    capture(layer, (tare_capture_options){.most_signatures = 2});
    const struct {
        int64_t rows, captures;
    } calls[] = {{1, 1}, {2, 2}, {1, 2}, {3, 3}, {1, 3}, {2, 4}, {1, 4}, {3, 5}};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; ++i) {
        step(calls[i].rows);
        expect_counts(calls[i].captures, 2 * calls[i].captures);
    }
    if (broken)
        return; /* each segment counts its own */
    ck_assert_int_eq(rt->counts.hits, 3);
    ck_assert_int_eq(rt->counts.misses, 5);
    ck_assert_int_eq(rt->counts.evictions, 3);
}
END_TEST

/* What a backward still waits for is not let go, however many signatures there are. */
START_TEST(a_busy_signature_stays)
{
    broken = _i;
    capture(layer, (tare_capture_options){.most_signatures = 1, .keep = true});
    tare_value *x[3], *loss[3];
    m->scope_begin(m, NULL);
    for (int i = 0; i < 3; ++i) {
        x[i] = spine_random(rt, 2, (const int64_t[]){i + 1, N}, 7);
        loss[i] = spine_total(m, call(x[i]));
    }
    must(m->error);
    for (int i = 0; i < 3; ++i)
        must(m->backward(m, &loss[i], NULL, 1, false));
    m->scope_end(m, NULL, 0);
    expect_counts(3, 6);
    step(4); /* all of them are idle: one is left */
    step(1);
    expect_counts(5, 10);
    for (int i = 0; i < 3; ++i)
        tare_value_drop(x[i]);
}
END_TEST

/* The gradient of w where the first result's sum, the second's, or both (bits 1 and 2) are asked for. */
static void gradient_of(int results, bool plain, float *out)
{
    tare_value *x = spine_random(rt, 2, (const int64_t[]){3, N}, 5), *y[2], *loss[2];
    int n = 0;
    m->scope_begin(m, NULL);
    if (plain)
        layer(NULL, m, &x, 1, y, 2);
    else
        (void)service->apply(captured, m, &x, 1, y);
    for (int k = 0; k < 2; ++k)
        if (results >> k & 1)
            loss[n++] = spine_total(m, y[k]);
    must(m->error);
    must(m->backward(m, loss, NULL, n, false));
    must(tare_value_read(w->gradient, out, N * N * sizeof *out));
    m->scope_end(m, NULL, 0);
    tare_value_clear_gradient(w);
    tare_value_drop(x);
}

/* Each set of gradients that arrives has a backward of its own; after enough of them the signature is traced anew. */
START_TEST(the_least_recently_used_backward_goes)
{
    must(service->make(rt, layer, NULL, 2, &(tare_capture_options){.keep = _i, .most_backwards = 2}, &captured));
    float wanted[4][N * N], got[N * N];
    for (int results = 1; results < 4; ++results)
        gradient_of(results, true, wanted[results]);
    const struct {
        int results, captures, plans, evictions;
    } calls[] = {{1, 1, 2, 0}, {2, 1, 3, 0}, {1, 1, 3, 0}, {3, 1, 4, 1}, {1, 1, 4, 1},  {2, 1, 5, 2},
                 {3, 1, 6, 3}, {1, 1, 7, 4}, {2, 1, 8, 5}, {3, 1, 9, 6}, {3, 2, 11, 7}, {3, 2, 11, 7}};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; ++i) {
        gradient_of(calls[i].results, false, got);
        ck_assert(memcmp(got, wanted[calls[i].results], sizeof got) == 0);
        ck_assert_int_eq(rt->counts.captures, calls[i].captures);
        ck_assert_int_eq(rt->counts.plans, calls[i].plans);
        ck_assert_int_eq(rt->counts.evictions, calls[i].evictions);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("captured cache");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, the_least_recently_used_signature_goes, 0, 2);
    tcase_add_loop_test(tests, a_busy_signature_stays, 0, 2);
    tcase_add_loop_test(tests, the_least_recently_used_backward_goes, 0, 2);
    return spine_run("captured cache", &tests, 1);
}
