/* test_results.c - what the processes of a run report becomes the figures that it should: by hand, on made-up blocks.
 */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../bench/results.h"
#include "../bench/sgemm.h"

static void close_to(double is, double should)
{
    ck_assert_msg(fabs(is - should) <= 1e-9 * (1 + fabs(should)), "%.12g, not %.12g", is, should);
}

typedef struct {
    tare__specs specs;
    tare__spec spec[2];
    tare__facts facts;
    tare__results results;
} run;

enum { SLOW, KERNELS, SGEMM };

static void opened(run *r, int process, int arm, int position, int first_step)
{
    json_t *line = json_pack("{s:i,s:i,s:i,s:{s:i,s:i},s:{s:i},s:{s:i},s:i,s:s}", "opened", arm, "position", position,
                             "first_step_ns", first_step, "capture_ns", "trace", 10 * first_step, "bind", 1, "counts",
                             "kernel_calls", 5, "setup", "plans", 1, "peak_bytes", 640, "calls_digest",
                             process ? "" : "00000000000000ff");
    ck_assert(tare__results_take(&r->results, process, line));
    json_decref(line);
}

static void block(run *r, int process, int round, int place, int arm, int steps, int ns, bool dropped)
{
    json_t *line = json_pack("{s:i,s:i,s:i,s:i,s:i,s:i,s:b}", "round", round, "block", arm, "place", place, "steps",
                             steps, "ns", ns, "cpu_ns", ns / 2, "dropped", (int)dropped);
    ck_assert(tare__results_take(&r->results, process, line));
    json_decref(line);
}

/* One round: ns a step of each arm, 10 steps a block; sgemm takes 1000 ns. */
static void round_of(run *r, int process, int round, int slow, int kernels, bool dropped)
{
    block(r, process, round, 0, KERNELS, 10, 10 * kernels, dropped);
    block(r, process, round, 1, SGEMM, 2, 2000, dropped);
    block(r, process, round, 2, SLOW, 10, 10 * slow, dropped);
}

static void start(run *r)
{
    memset(r, 0, sizeof *r);
    r->spec[SLOW] = (tare__spec){"slow", tare__setting_of(tare__rung_find("functional"), false)};
    r->spec[KERNELS] = (tare__spec){"kernels", tare__setting_of(tare__rung_find("kernels"), false)};
    r->specs = (tare__specs){r->spec, 2};
    r->facts = (tare__facts){.label = "made up", .batch = 1, .nodes = 4, .flops = 5e5};
    tare__results_init(&r->results, &r->specs, KERNELS);
}

START_TEST(figures)
{
    run r;
    start(&r);
    opened(&r, 0, SLOW, 0, 70);
    opened(&r, 0, KERNELS, 1, 90);
    round_of(&r, 0, 0, 200, 100, false);
    round_of(&r, 0, 1, 400, 100, false);
    round_of(&r, 0, 2, 9000, 1, true);
    opened(&r, 1, KERNELS, 0, 80);
    opened(&r, 1, SLOW, 1, 60);
    round_of(&r, 1, 0, 300, 150, false);
    round_of(&r, 1, 1, 300, 75, false);
    tare__results_summarise(&r.results, &r.facts);
    const tare__result *slow = &r.results.arm[SLOW];
    ck_assert_int_eq(r.results.n_processes, 2);
    ck_assert_int_eq(r.results.n_rounds, 5);
    ck_assert_int_eq(r.results.n_dropped, 1);
    ck_assert(!r.results.kept_all);
    ck_assert_ptr_null(tare__results_distrust(&r.results));
    close_to(slow->min, 200);
    close_to(slow->median, 300);
    close_to(slow->cpu, 150);
    close_to(slow->step.mean, 300); /* of both processes 300: no spread */
    close_to(slow->step.low, 300);
    close_to(slow->logs.mean, log(2 * 4 * 2 * 4) / 4); /* ratios 2, 4, 2, 4 */
    close_to(slow->logs.se, 0);
    close_to(r.results.arm[KERNELS].logs.mean, 0);
    close_to(slow->efficiency, 5e5 / 300 / (TARE__SGEMM_FLOPS / 1000));
    ck_assert(isnan(r.results.arm[SGEMM].efficiency));
    close_to(tare__results_gemm_gflops(&r.results), TARE__SGEMM_FLOPS / 1000);
    /* set-up times from the process in which the arm came first, digests from process 0 */
    ck_assert_int_eq(json_integer_value(json_object_get(slow->opened, "first_step_ns")), 70);
    const json_t *kernels = r.results.arm[KERNELS].opened;
    ck_assert_int_eq(json_integer_value(json_object_get(kernels, "first_step_ns")), 80);
    ck_assert_str_eq(json_string_value(json_object_get(kernels, "calls_digest")), "00000000000000ff");
    ck_assert_int_eq(tare__opened_count(slow, "counts", "kernel_calls"), 5);
    tare__results_free(&r.results);
}
END_TEST

START_TEST(record)
{
    run r;
    start(&r);
    for (int process = 0; process < 2; ++process) {
        opened(&r, process, SLOW, 0, 70);
        opened(&r, process, KERNELS, 1, 90);
        round_of(&r, process, 0, 200 + 100 * process, 100, false);
    }
    tare__results_summarise(&r.results, &r.facts);
    json_t *common = json_pack("{s:s}", "run_id", "0000000000000000");
    tare__task task = {.net = "made up"};
    json_t *arm = tare__arm_record(&r.results, SLOW, &r.facts, &task, common);
    close_to(json_number_value(json_object_get(arm, "overhead_ns")), 100);
    close_to(json_number_value(json_object_get(arm, "overhead_ns_per_node")), 25);
    json_t *ratio = json_object_get(arm, "ratio_to_kernels");
    close_to(json_number_value(json_object_get(ratio, "value")), sqrt(6));
    json_t *contrast = tare__contrast_record(&r.results, SLOW, common);
    close_to(json_number_value(json_object_get(contrast, "ratio")), sqrt(6));
    ck_assert_str_eq(json_string_value(json_object_get(contrast, "base")), "kernels");
    /* two processes, ratios 2 and 3: t.975 with one degree of freedom is 12.7062 */
    double reach = 12.706204736 * log(3.0 / 2) / 2;
    close_to(json_number_value(json_array_get(json_object_get(contrast, "ci95"), 1)), sqrt(6) * exp(reach));
    json_decref(arm);
    json_decref(contrast);
    json_decref(common);
    tare__results_free(&r.results);
}
END_TEST

/* Where most rounds were disturbed none is dropped, and the run says that it is not to be trusted. */
START_TEST(disturbed)
{
    run r;
    start(&r);
    opened(&r, 0, SLOW, 0, 70);
    opened(&r, 0, KERNELS, 1, 90);
    round_of(&r, 0, 0, 200, 100, true);
    round_of(&r, 0, 1, 300, 100, true);
    round_of(&r, 0, 2, 400, 100, false);
    tare__results_summarise(&r.results, &r.facts);
    ck_assert(r.results.kept_all);
    ck_assert_ptr_nonnull(tare__results_distrust(&r.results));
    close_to(r.results.arm[SLOW].min, 200);
    close_to(r.results.arm[SLOW].step.mean, 300);
    ck_assert(isnan(r.results.arm[SLOW].step.low)); /* one process has no interval */
    tare__results_free(&r.results);
}
END_TEST

START_TEST(foreign_lines)
{
    run r;
    start(&r);
    const char *const text[] = {"{}", "{\"opened\":3}", "{\"block\":-1}", "{\"block\":7,\"place\":0}"};
    for (int i = 0; i < 4; ++i) {
        json_t *line = json_loads(text[i], 0, NULL);
        ck_assert_msg(!tare__results_take(&r.results, 0, line), "%s", text[i]);
        json_decref(line);
    }
    ck_assert_int_eq(r.results.n_rounds, 0);
    tare__results_free(&r.results);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("results");
    TCase *all = tcase_create("results");
    tcase_add_test(all, figures);
    tcase_add_test(all, record);
    tcase_add_test(all, disturbed);
    tcase_add_test(all, foreign_lines);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
