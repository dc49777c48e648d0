/* test_step.c - the events of a step are the step: as many of each as were counted, their bytes come to nothing, and
 * the kernels are the same whatever the rung. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../bench/arm/step.h"

static const char *const rungs[] = {"functional",   "invoke",       "hybridblock", "block", "hybridized",
                                    "static_alloc", "static_shape", "symbol",      "step",  "kernels"};
enum { RUNGS = sizeof rungs / sizeof *rungs };

static void take(const char *rung, tare__arm *arm, tare__events *events)
{
    tare__task task = {.net = "mlp_mnist", .batch = 2, .optimizer = "adam", .seed = 1};
    tare__setting setting = tare__setting_of(tare__rung_find(rung), true);
    setting.level[TARE__ORDER] = TARE__ORDER_PROGRAM; /* kernels are compared one by one */
    ck_assert_msg(tare__arm_open(arm, &task, &setting, rung) == TARE_OK, "%s", tare_error_text());
    ck_assert_msg(tare__arm_prepare(arm) == TARE_OK, "%s", tare_error_text());
    ck_assert_msg(tare__events_take(arm, events) == TARE_OK, "%s", tare_error_text());
}

static int64_t count(const tare__events *e, tare_event event)
{
    int64_t n = 0;
    for (int i = 0; i < e->n; ++i)
        n += e->event[i].event == event;
    return n;
}

/* The k-th kernel event. */
static const tare__event *kernel(const tare__events *e, int k)
{
    int i = 0;
    for (;; ++i)
        if (e->event[i].event == TARE_EVENT_KERNEL && k-- == 0)
            return &e->event[i];
}

START_TEST(events_are_what_is_counted)
{
    tare__arm arm, floor;
    tare__events e, base;
    take("kernels", &floor, &base);
    take(rungs[_i], &arm, &e);
    ck_assert_int_eq(count(&e, TARE_EVENT_LOOKUP), e.counts.lookups);
    ck_assert_int_eq(count(&e, TARE_EVENT_PARSE), e.counts.parses);
    ck_assert_int_eq(count(&e, TARE_EVENT_INFER), e.counts.infers);
    ck_assert_int_eq(count(&e, TARE_EVENT_CALL), e.counts.infers);
    ck_assert_int_eq(count(&e, TARE_EVENT_APPEND), e.counts.tape_nodes);
    ck_assert_int_eq(count(&e, TARE_EVENT_KERNEL), e.counts.kernel_calls);
    ck_assert_int_eq(count(&e, TARE_EVENT_BIND), e.counts.guards ? 2 : 0); /* forward and backward */
    int64_t bytes = 0;
    for (int i = 0; i < e.n; ++i) {
        bytes += e.event[i].bytes;
        ck_assert_int_ge(e.event[i].ns, 0);
    }
    ck_assert_int_eq(bytes, 0);
    ck_assert_int_eq(count(&e, TARE_EVENT_KERNEL), count(&base, TARE_EVENT_KERNEL));
    for (int k = 0; k < (int)count(&base, TARE_EVENT_KERNEL); ++k) {
        const tare__event *a = kernel(&e, k), *b = kernel(&base, k);
        ck_assert_str_eq(a->op, b->op);
        ck_assert_str_eq(a->variant, b->variant);
        ck_assert_str_eq(a->shape, b->shape);
    }
    tare__events_free(&e);
    tare__events_free(&base);
    tare__arm_close(&arm);
    tare__arm_close(&floor);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("step");
    TCase *all = tcase_create("step");
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, events_are_what_is_counted, 0, RUNGS);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
