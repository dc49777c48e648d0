/* test_shadow_derived.c - the derived tests over the whole catalogue on the shadow device, whose worker starts as late
 * as it can: whatever follows a device address on the host, leaves an address out of a call's array, reads what was
 * freed, or takes a queued call for done, is found for every operator. What a kernel computes is test_derived.c's: here
 * no kernel is called by hand, and differences are taken along one direction an input. */
#include <check.h>
#include <stdlib.h>

#include "derived.h"
#include "shadow.h"

static tare_status start_lazy(const void *op, const tare_options *options, tare_runtime **out)
{
    shadow_pace pace = SHADOW_LAZY;
    tare_options lazy = *options;
    lazy.open_device = shadow_open;
    lazy.device_owner = &pace;
    return derived_start(op, &lazy, out);
}

START_TEST(operator_is_what_its_record_says)
{
    tare_runtime *rt;
    tare__findings r;
    ck_assert_int_eq(tare_start(NULL, &rt), TARE_OK);
    const tare_op *op = (const tare_op *)rt->record[TARE_KIND_OPERATOR][_i];
    tare_runtime_free(rt);
    r = (tare__findings){.op = op};
    tare__derive(&(tare__maker){.start = start_lazy, .owner = op, .elsewhere = true, .briefly = true}, &r);
    ck_assert_msg(r.n == 0, "%d faults\n%s", r.n, r.text);
}
END_TEST

int main(void)
{
    tare_runtime *rt;
    if (tare_start(NULL, &rt) != TARE_OK)
        return EXIT_FAILURE;
    int n_operators = rt->n_records[TARE_KIND_OPERATOR];
    tare_runtime_free(rt);
    Suite *suite = suite_create("shadow_derived");
    TCase *tests = tcase_create("shadow_derived");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, operator_is_what_its_record_says, 0, n_operators);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
