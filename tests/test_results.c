/* test_results.c - what the processes of a run say becomes the figures and lines that it should: by hand, on made-up
 * blocks. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../bench/measure/results.h"

static void close_to(double is, double should)
{
    ck_assert_msg(fabs(is - should) <= 1e-9 * (1 + fabs(should)), "%.12g, not %.12g", is, should);
}

typedef struct {
    tare__specs specs;
    tare__spec spec[4];
    tare__node_work work[2];
    tare__facts facts;
    tare__task task;
    json_t *common;
    tare__results results;
} run;

enum { SLOW, NONE, KERNELS, AGAIN, SGEMM, TRIAD, ARMS };

static char name_slow[] = "slow", name_none[] = "none", name_kernels[] = "kernels", name_aa[] = "aa",
            label[] = "made up";

static void take(run *r, json_t *line)
{
    json_t *record = tare__results_record(&r->results, line);
    ck_assert_ptr_nonnull(record);
    tare__results_take(&r->results, record);
    json_decref(record);
    json_decref(line);
}

static void opened(run *r, int arm, int first_step)
{
    take(r, json_pack("{s:i,s:i,s:{s:i,s:i},s:{s:i},s:{s:i},s:i,s:s,s:n}", "opened", arm, "first_step_ns", first_step,
                      "capture_ns", "trace", 10 * first_step, "bind", 1, "counts", "kernel_calls", 5, "setup", "plans",
                      1, "peak_bytes", 640, "calls_digest", "00000000000000ff", "rss_growth"));
}

/* 10 steps a block. */
static void block(run *r, int process, int round, int arm, int step_ns, bool dropped)
{
    take(r, json_pack("{s:i,s:i,s:i,s:i,s:i,s:i,s:b}", "process", process, "round", round, "block", arm, "steps", 10,
                      "ns", 10 * step_ns, "cpu_ns", 5 * step_ns, "dropped", (int)dropped));
}

/* One round: ns a step of each arm; sgemm takes 1000 ns, triad 2000. */
static void round_of(run *r, int process, int round, int slow, int kernels, bool dropped)
{
    block(r, process, round, KERNELS, kernels, dropped);
    block(r, process, round, SGEMM, 1000, dropped);
    block(r, process, round, NONE, 50, dropped);
    block(r, process, round, SLOW, slow, dropped);
    block(r, process, round, AGAIN, kernels, dropped);
    block(r, process, round, TRIAD, 2000, dropped);
}

static tare__setting setting(const char *rung, tare_kernel_choice kernels)
{
    tare__setting s = tare__setting_of(tare__rung_find(rung), false);
    s.level[TARE__KERNELS] = (int)kernels;
    return s;
}

static void start(run *r)
{
    memset(r, 0, sizeof *r);
    r->spec[SLOW] = (tare__spec){.name = name_slow, .setting = setting("functional", TARE_KERNELS_NATIVE)};
    r->spec[NONE] = (tare__spec){.name = name_none, .setting = setting("functional", TARE_KERNELS_NULL)};
    r->spec[KERNELS] = (tare__spec){.name = name_kernels, .setting = setting("kernels", TARE_KERNELS_NATIVE)};
    r->spec[AGAIN] = (tare__spec){.name = name_aa, .setting = r->spec[KERNELS].setting};
    r->specs = (tare__specs){r->spec, 4};
    /* at 2 MFLOP/ns and 50 kB/ns: three nodes of 50 ns of compute, one of 20 ns of bytes */
    r->work[0] = (tare__node_work){50 * TARE__SGEMM_FLOPS / 1000, 1, 3};
    r->work[1] = (tare__node_work){0, 20 * TARE__TRIAD_BYTES / 2000, 1};
    r->facts = (tare__facts){.label = label, .batch = 1, .nodes = 4, .work = r->work, .n_work = 2};
    r->facts.flops = 150 * TARE__SGEMM_FLOPS / 1000;
    r->task = (tare__task){.net = "made up"};
    r->common = json_pack("{s:s}", "run_id", "0000000000000000");
    tare__results_init(&r->results, &r->specs, KERNELS, AGAIN, &r->task, &r->facts, r->common);
    for (int arm = SLOW; arm <= AGAIN; ++arm)
        opened(r, arm, 70 + arm);
}

static void finish(run *r)
{
    tare__results_fini(&r->results);
    json_decref(r->common);
}

static void summarise(run *r)
{
    tare__blocks_trim(&r->results.blocks);
    tare__results_summarise(&r->results);
}

START_TEST(figures)
{
    run r;
    start(&r);
    round_of(&r, 0, 0, 200, 100, false);
    round_of(&r, 0, 1, 400, 100, false);
    round_of(&r, 0, 2, 9000, 1, true);
    round_of(&r, 1, 0, 300, 150, false);
    round_of(&r, 1, 1, 300, 75, false);
    summarise(&r);
    const tare__summary *s = &r.results.summary;
    const tare__figures *slow = &s->arm[SLOW];
    ck_assert_int_eq(s->n_processes, 2);
    ck_assert_int_eq(s->n_rounds, 5);
    ck_assert_int_eq(s->n_dropped, 1);
    ck_assert(!s->kept_all);
    ck_assert_msg(s->trusted, "%s", s->cause);
    close_to(slow->min, 200);
    close_to(slow->median, 300);
    close_to(slow->cpu, 150);
    close_to(slow->step.mean, 300); /* of both processes 300: no spread */
    close_to(slow->step.low, 300);
    close_to(slow->logs.mean, log(2 * 4 * 2 * 4) / 4); /* ratios 2, 4, 2, 4 */
    close_to(slow->logs.se, 0);
    close_to(slow->least, sqrt(8));
    close_to(slow->greatest, sqrt(8));
    close_to(slow->within, log(2.0) / 2 / sqrt(2.0)); /* of each process the mean has the error ln 2 / 2 */
    close_to(s->arm[KERNELS].logs.mean, 0);
    close_to(slow->efficiency, 150.0 / 300);
    close_to(slow->roofline, 170.0 / 300);
    close_to(slow->null_min, 50);
    ck_assert(isnan(s->arm[NONE].efficiency) && isnan(s->arm[NONE].roofline)); /* computes nothing */
    ck_assert(isnan(s->arm[SGEMM].efficiency));
    ck_assert(isnan(s->arm[KERNELS].null_min) && isnan(s->arm[AGAIN].p_holm));
    close_to(s->gemm_gflops, TARE__SGEMM_FLOPS / 1000);
    close_to(s->bandwidth, TARE__TRIAD_BYTES / 2000);
    ck_assert_int_eq(tare__opened_count(&r.results, SLOW, "counts", "kernel_calls"), 5);
    finish(&r);
}
END_TEST

START_TEST(record)
{
    run r;
    start(&r);
    for (int process = 0; process < 2; ++process)
        round_of(&r, process, 0, 200 + 100 * process, 100, false);
    summarise(&r);
    json_t *arm = tare__arm_record(&r.results, SLOW);
    close_to(json_number_value(json_object_get(arm, "overhead_ns")), 100);
    close_to(json_number_value(json_object_get(arm, "overhead_ns_per_node")), 25);
    close_to(json_number_value(json_object_get(arm, "null_ns")), 50);
    ck_assert_int_eq(tare__field(arm, "first_step_ns"), 70);
    json_t *ratio = json_object_get(arm, "ratio_to_kernels");
    close_to(json_number_value(json_object_get(ratio, "value")), sqrt(6));
    json_t *contrast = tare__contrast_record(&r.results, SLOW);
    close_to(json_number_value(json_object_get(contrast, "ratio")), sqrt(6));
    ck_assert_str_eq(tare__field_text(contrast, "base"), "kernels");
    /* two processes, ratios 2 and 3: t.975 with one degree of freedom is 12.7062 */
    double reach = 12.706204736 * log(3.0 / 2) / 2;
    close_to(json_number_value(json_array_get(json_object_get(contrast, "ci95"), 1)), sqrt(6) * exp(reach));
    json_t *verdict = tare__verdict_record(&r.results);
    ck_assert(json_is_true(json_object_get(verdict, "trusted")));
    ck_assert_uint_eq(json_array_size(json_object_get(verdict, "node_work")), 2);
    json_decref(arm);
    json_decref(contrast);
    json_decref(verdict);
    finish(&r);
}
END_TEST

/* Where most rounds were disturbed none is dropped, and the run says that it is not to be trusted. */
START_TEST(disturbed)
{
    run r;
    start(&r);
    round_of(&r, 0, 0, 200, 100, true);
    round_of(&r, 1, 0, 300, 100, true);
    round_of(&r, 1, 1, 400, 100, false);
    summarise(&r);
    ck_assert(r.results.summary.kept_all);
    ck_assert(!r.results.summary.trusted);
    ck_assert_ptr_nonnull(strstr(r.results.summary.cause, "disturbed"));
    close_to(r.results.summary.arm[SLOW].min, 200);
    ck_assert_ptr_null(tare__verdict(&r.results.summary, &r.results.reference, SLOW));
    finish(&r);
}
END_TEST

/* An A/A interval that leaves its limit: no verdict, and the cause says why. */
START_TEST(mistrusted)
{
    static const struct {
        int again[6]; /* of two rounds in each of three processes, against 10000 */
        const char *cause;
    } given[] = {{{10100, 10101, 9900, 9901, 10000, 10001}, "processes differ"},
                 {{11000, 9500, 9500, 10600, 10400, 9400}, "rounds within a process scatter"},
                 {{10400, 10401, 10400, 10401, 10400, 10401}, "where it lies in memory"}};
    for (int g = 0; g < 3; ++g) {
        run r;
        start(&r);
        for (int k = 0; k < 6; ++k) {
            round_of(&r, k / 2, k % 2, 20000, 10000, false);
            r.results.blocks.block[AGAIN][k].ns = 10 * given[g].again[k];
        }
        summarise(&r);
        ck_assert(!r.results.summary.trusted);
        ck_assert_msg(strstr(r.results.summary.cause, given[g].cause), "%s", r.results.summary.cause);
        ck_assert(*r.results.summary.help);
        r.results.reference.limit = 0.5; /* settable */
        tare__results_summarise(&r.results);
        ck_assert(r.results.summary.trusted);
        finish(&r);
    }
}
END_TEST

START_TEST(verdicts)
{
    run r;
    start(&r);
    for (int k = 0; k < 12; ++k)
        round_of(&r, k / 2, k % 2, 20000 + 10 * k, 10000, false);
    summarise(&r);
    const tare__summary *s = &r.results.summary;
    ck_assert_str_eq(tare__verdict(s, &r.results.reference, SLOW), "slower");
    ck_assert_ptr_null(tare__verdict(s, &r.results.reference, KERNELS));
    ck_assert_ptr_null(tare__verdict(s, &r.results.reference, AGAIN));
    ck_assert_ptr_null(tare__verdict(s, &r.results.reference, SGEMM));
    for (int k = 0; k < 12; ++k)
        r.results.blocks.block[SLOW][k].ns = 100000 + (k / 2 % 2 ? 100 : -100);
    tare__results_summarise(&r.results);
    ck_assert_str_eq(tare__verdict(s, &r.results.reference, SLOW), "no difference");
    finish(&r);
}
END_TEST

/* Lines that are none of ours; a round that was cut short; a block told twice. */
START_TEST(foreign_lines)
{
    run r;
    start(&r);
    const char *const text[] = {"{}", "{\"opened\":6}", "{\"block\":-1}", "{\"block\":17,\"round\":0}"};
    for (int i = 0; i < 4; ++i) {
        json_t *line = json_loads(text[i], 0, NULL);
        ck_assert_msg(!tare__results_record(&r.results, line), "%s", text[i]);
        json_decref(line);
    }
    round_of(&r, 0, 0, 200, 100, false);
    block(&r, 0, 1, SLOW, 200, false);
    round_of(&r, 1, 0, 200, 100, false);
    block(&r, 1, 0, SLOW, 777, false);
    ck_assert_int_eq(r.results.blocks.n_rounds, 3);
    summarise(&r);
    ck_assert_int_eq(r.results.summary.n_rounds, 2);
    ck_assert_int_eq(r.results.summary.n_processes, 2);
    close_to(r.results.summary.arm[SLOW].step.mean, 200);
    finish(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("results");
    TCase *all = tcase_create("results");
    tcase_add_test(all, figures);
    tcase_add_test(all, record);
    tcase_add_test(all, disturbed);
    tcase_add_test(all, mistrusted);
    tcase_add_test(all, verdicts);
    tcase_add_test(all, foreign_lines);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
