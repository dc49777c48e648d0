/* test_switches.c - what is around a step, and the switches that change the work: each changes what it says, in counts,
 * kernel calls or results, and nothing else; what means nothing is refused with its reason. */
#include <math.h>

#include "../bench/arm/around.h"
#include "../bench/arm/digest.h"
#include "../bench/arm/facts.h"
#include "../bench/arm/input.h"
#include "../bench/arm/step.h"
#include "../bench/measure/measure.h"
#include "../data/metrics.h"
#include "spine.h"

enum { STEPS = 3 };

/* All that one arm shows of itself. */
typedef struct {
    tare__digest digest;
    uint64_t calls;
    tare_counts counts;
} shown;

static const char *const rungs[] = {"functional", "hybridblock", "static_shape", "symbol", "step", "kernels"};
enum { RUNGS = sizeof rungs / sizeof *rungs };

static tare__task task_of(const char *net, const char *optimizer)
{
    return (tare__task){.net = net, .optimizer = optimizer, .batch = 8, .seed = 1, .training_loss = true};
}

/* "input=loader,workers=2"; NULL: no flip */
static tare__setting setting_of(const char *rung, bool update, const char *flips)
{
    static const tare__command bench = {.name = "bench"};
    const tare__line line = {.command = &bench};
    tare__setting setting = tare__setting_of(tare__rung_find(rung), update);
    char copy[128], *rest = copy, *flip;
    (void)snprintf(copy, sizeof copy, "%s", flips ? flips : "");
    while (flips && (flip = strsep(&rest, ",")))
        ck_assert_int_eq(tare__setting_flip(&setting, &line, flip), TARE__RAN);
    ck_assert_int_eq(tare__setting_check(&setting, &line, update, true), TARE__RAN);
    return setting;
}

static void open_arm(tare__arm *a, const tare__task *task, const char *rung, const char *flips)
{
    tare__setting setting = setting_of(rung, task->optimizer != NULL, flips);
    must(tare__arm_open(a, task, &setting, "arm"));
    must(tare__arm_prepare(a));
}

static shown look(const tare__task *task, const char *rung, const char *flips)
{
    shown s;
    int n_calls;
    tare__arm a;
    tare__setting setting = setting_of(rung, task->optimizer != NULL, flips);
    must(tare__digest_run(task, &setting, STEPS, NULL, NULL, &s.digest));
    open_arm(&a, task, rung, flips);
    must(tare__arm_count(&a, &s.counts));
    must(tare__calls_digest(&a, &s.calls, &n_calls));
    tare__arm_close(&a);
    ck_assert_int_eq(a.lost, 0);
    return s;
}

static bool same_results(const shown *a, const shown *b)
{
    const char *what;
    return tare__digest_equal(&a->digest, &b->digest, &what);
}

/* ---- around a step: the same bits, the same kernel calls ---------------------------------------------------------*/

START_TEST(what_is_around_a_step_changes_no_bit)
{
    static const char *const flips[] = {"input=slices",
                                        "input=loader",
                                        "input=loader,workers=1,prefetch=1",
                                        "input=loader,workers=3",
                                        "readback=step",
                                        "input=loader,workers=2,readback=step",
                                        "input=slices,readback=epoch",
                                        "feed=copied",
                                        "loop=metric",
                                        "warm-up=off",
                                        "clock=cpu"};
    const tare__task task = task_of(_i % 2 ? "mlp_mnist" : "lenetp", "adam");
    shown plain = look(&task, rungs[_i], NULL);
    for (size_t k = 0; k < sizeof flips / sizeof *flips; ++k) {
        shown s = look(&task, rungs[_i], flips[k]);
        ck_assert_msg(same_results(&plain, &s), "%s with %s: other results", rungs[_i], flips[k]);
        ck_assert_msg(plain.calls == s.calls, "%s with %s: other kernel calls", rungs[_i], flips[k]);
        ck_assert_int_eq(plain.counts.kernel_calls, s.counts.kernel_calls);
        bool workers = strstr(flips[k], "workers") != NULL;
        ck_assert_msg((s.counts.locks > plain.counts.locks) == workers, "%s with %s: %lld locks", rungs[_i], flips[k],
                      (long long)s.counts.locks);
    }
}
END_TEST

/* The batch of each step has an address of its own, and a bound plan gets it by patches. */
START_TEST(a_view_a_step_moves_the_input)
{
    const tare__task task = task_of("mlp_mnist", NULL);
    static const char *const flips[] = {NULL, "input=slices", "input=loader"};
    for (int k = 0; k < 3; ++k) {
        tare__arm a;
        void *at[2];
        open_arm(&a, &task, "symbol", flips[k]);
        for (int s = 0; s < 2; ++s) {
            must(a.step(&a));
            at[s] = a.x->address;
        }
        ck_assert_int_eq(k != 1 || at[0] != at[1], true);
        tare_counts step;
        must(tare__arm_count(&a, &step));
        ck_assert_msg((step.patches > 0) == (k > 0), "%s: %lld patches", flips[k], (long long)step.patches);
        ck_assert_int_eq(a.input_wait_ns > 0, k > 0);
        tare__arm_close(&a);
        ck_assert_int_eq(a.lost, 0);
    }
}
END_TEST

static void count_event(void *owner, tare_event event, const tare_node *n)
{
    (void)n;
    ++((int *)owner)[event];
}

/* What is around a step is told, and is where it is asked for: in an epoch's first steps, and in its last. */
START_TEST(what_is_around_a_step_is_told)
{
    static const struct {
        const char *flips;
        int feeds, waits, reads, reads_last; /* of a step; reads of an epoch's last one */
    } told[] = {{"readback=end", 0, 0, 0, 0},
                {"readback=step", 0, 0, 1, 1},
                {"input=slices,readback=step", 1, 0, 1, 1},
                {"input=loader,workers=1,readback=epoch", 1, 0, 0, 1},
                {"feed=copied,loop=metric", 1, 0, 1, 1},
                {"engine=queue,sync=end", 0, 0, 0, 0},
                {"engine=queue,sync=none", 0, 0, 0, 0},
                {"engine=queue,sync=step", 0, 1, 0, 0}};
    const tare__task task = task_of("mlp_mnist", NULL);
    for (size_t k = 0; k < sizeof told / sizeof *told; ++k) {
        tare__arm a;
        if (strcmp(rungs[_i], "kernels") == 0 && strstr(told[k].flips, "queue"))
            continue;
        open_arm(&a, &task, rungs[_i], told[k].flips);
        const int64_t epoch = a.input ? tare__input_steps(&a) : 2;
        for (int64_t s = 0; s < 2 * epoch; ++s) {
            int n[TARE_EVENT_COUNT] = {0}, reads = (s + 1) % epoch ? told[k].reads : told[k].reads_last;
            tare__arm_tell(&a, (tare_trace){.event = count_event, .owner = n});
            must(tare__arm_step_told(&a));
            ck_assert_msg(n[TARE_EVENT_FEED] == told[k].feeds && n[TARE_EVENT_WAIT] == told[k].waits &&
                              n[TARE_EVENT_READ] == reads,
                          "%s with %s: step %lld of %lld: %d, %d, %d", rungs[_i], told[k].flips, (long long)s,
                          (long long)epoch, n[TARE_EVENT_FEED], n[TARE_EVENT_WAIT], n[TARE_EVENT_READ]);
        }
        tare__arm_tell(&a, (tare_trace){0});
        must(tare_runtime_wait(a.rt));
        tare__arm_close(&a);
        ck_assert_int_eq(a.lost, 0);
    }
}
END_TEST

/* Copying the batch is a write of x and one of the target. */
START_TEST(a_copied_batch_is_written)
{
    const tare__task task = task_of("mlp_mnist", NULL);
    for (int copied = 0; copied < 2; ++copied) {
        tare__arm a;
        open_arm(&a, &task, "symbol", copied ? "feed=copied" : NULL);
        uint64_t before = a.rt->n_writes;
        must(a.step(&a));
        ck_assert_uint_eq(a.rt->n_writes - before, copied ? 2 : 0);
        tare__arm_close(&a);
    }
}
END_TEST

/* ---- other work ---------------------------------------------------------------------------------------------------*/

START_TEST(the_inputs_gradient_is_more_calls_and_the_same_results)
{
    const tare__task task = task_of("mlp_mnist", "sgd");
    shown plain = look(&task, rungs[_i], NULL), more = look(&task, rungs[_i], "input-gradient=on");
    ck_assert(same_results(&plain, &more));
    ck_assert_int_eq(more.counts.kernel_calls, plain.counts.kernel_calls + 1);
    ck_assert(plain.calls != more.calls);
}
END_TEST

/* Gradients of the sum are the mean's times the samples, to the bit for a power of two. */
START_TEST(the_sums_gradient_is_the_means_times_the_samples)
{
    const tare__task task = task_of("mlp_mnist", NULL);
    tare__arm a[2];
    for (int k = 0; k < 2; ++k) {
        open_arm(&a[k], &task, rungs[_i], k ? "rescale=sum" : NULL);
        a[k].keep = true;
        must(a[k].step(&a[k]));
    }
    ck_assert(spine_same(a[0].loss, a[1].loss));
    for (int p = 0; p < a[0].net->n_parameters; ++p) {
        float *mean = spine_bytes(tare__arm_gradient(&a[0], p)), *sum = spine_bytes(tare__arm_gradient(&a[1], p));
        for (int64_t i = 0; i < tare_desc_count(&tare__arm_gradient(&a[0], p)->d); ++i)
            ck_assert_float_eq(8 * mean[i], sum[i]);
        free(mean);
        free(sum);
    }
    tare__arm_close(&a[0]);
    tare__arm_close(&a[1]);
}
END_TEST

static float loss_of(const char *net, const char *rung, const char *flips, int *n_calls)
{
    const tare__task task = task_of(net, NULL);
    tare__arm a;
    tare_counts counts;
    open_arm(&a, &task, rung, flips);
    a.keep = true;
    must(a.step(&a));
    float loss = spine_first(a.loss);
    must(tare__arm_count(&a, &counts));
    *n_calls = (int)counts.kernel_calls;
    tare__arm_close(&a);
    return loss;
}

START_TEST(a_loss_has_other_forms)
{
    int calls[4];
    float own = loss_of("mlp", rungs[_i], NULL, &calls[0]);
    ck_assert_float_eq(loss_of("mlp", rungs[_i], "loss=mse", &calls[1]), 2 * own);
    ck_assert_float_ne(loss_of("mlp", rungs[_i], "loss=mae", &calls[2]), own);
    ck_assert_int_gt(calls[1], calls[0]);
    ck_assert_int_eq(calls[2], calls[0]);
    float at_once = loss_of("mlp_mnist", rungs[_i], NULL, &calls[0]);
    float composed = loss_of("mlp_mnist", rungs[_i], "loss=composed", &calls[3]);
    ck_assert_msg(fabsf(composed - at_once) <= 1e-6f * at_once, "%.9g, composed %.9g", (double)at_once,
                  (double)composed);
    ck_assert_int_gt(calls[3], calls[0]);
}
END_TEST

START_TEST(weights_begin_as_they_are_told)
{
    const tare__task task = task_of("mlp_mnist", "adam");
    shown plain = look(&task, "symbol", NULL), ones = look(&task, "symbol", "init=ones");
    ck_assert(!same_results(&plain, &ones));
    ck_assert(plain.calls == ones.calls);
    tare__arm a;
    open_arm(&a, &task, "symbol", "init=ones");
    ck_assert_float_eq(spine_first(a.net->parameter[0].value), 1);
    tare__arm_close(&a);
    for (int level = 2; level < 8; ++level) { /* each is an initialiser of that name */
        char name[32], flip[48];
        (void)snprintf(flip, sizeof flip, "init=%s", tare__level_name(TARE__INIT, level, name));
        bool found = false;
        for (int i = 0; i < tare_n_initialisers; ++i)
            found |= strcmp(tare_initialisers[i].name, name) == 0;
        ck_assert_msg(found, "%s", flip);
        open_arm(&a, &task, "symbol", flip);
        tare__arm_close(&a);
    }
}
END_TEST

START_TEST(epsilon_is_the_optimizers)
{
    const tare__task task = task_of("mlp_mnist", "adam:lr=0.01"),
                     as_option = task_of("mlp_mnist", "adam:lr=0.01,epsilon=1e-3");
    shown plain = look(&task, rungs[_i], NULL), other = look(&task, rungs[_i], "epsilon=1e-3"),
          option = look(&as_option, rungs[_i], NULL), usual = look(&task, rungs[_i], "epsilon=1e-8");
    ck_assert(!same_results(&plain, &other));
    ck_assert(same_results(&option, &other));
    ck_assert(same_results(&plain, &usual));
    ck_assert(plain.calls == other.calls);
    const tare__task sgd = task_of("mlp_mnist", "sgd");
    tare__setting setting = setting_of("symbol", true, "epsilon=1e-7");
    tare__arm a;
    expect_error(tare__arm_open(&a, &sgd, &setting, "arm"), TARE_BAD_ARGUMENT, "epsilon");
}
END_TEST

START_TEST(a_sequence_is_fixed_or_shuffled_and_shared_or_not)
{
    tare__task task = task_of("mlp_mnist", "sgd");
    tare__shared_order shared = {0};
    task.shared = &shared;
    static const char *const loaders[] = {"input=loader", "input=loader,workers=2"};
    shown first = look(&task, rungs[_i], "input=loader");
    for (int k = 0; k < 2; ++k) {
        char flips[96];
        (void)snprintf(flips, sizeof flips, "%s,sequence=fixed", loaders[k]);
        shown fixed = look(&task, rungs[_i], flips);
        ck_assert(same_results(&first, &fixed));
        (void)snprintf(flips, sizeof flips, "%s,sequence=shuffled", loaders[k]);
        shown shuffled = look(&task, rungs[_i], flips), again = look(&task, "functional", flips);
        ck_assert(!same_results(&first, &shuffled));
        ck_assert(same_results(&shuffled, &again));
        ck_assert(first.calls == shuffled.calls);
    }
    shown one = look(&task, rungs[_i], "input=loader,sequence=shuffled,iterator=shared");
    shown two = look(&task, rungs[_i], "input=loader,sequence=shuffled,iterator=shared");
    ck_assert(!same_results(&one, &two)); /* the second goes on where the first ended */
    tare__shared_order_fini(&shared);
    task.shared = NULL;
    tare__setting setting = setting_of("symbol", true, "input=loader,sequence=shuffled,iterator=shared");
    tare__arm a;
    must(tare__arm_open(&a, &task, &setting, "arm"));
    expect_error(tare__arm_prepare(&a), TARE_IMPOSSIBLE, "several arms in one process");
    tare__arm_close(&a);
}
END_TEST

START_TEST(a_loop_measures_and_fit_does_more)
{
    const tare__task task = task_of("mlp_mnist", "sgd");
    shown plain = look(&task, rungs[_i], NULL), fit = look(&task, rungs[_i], "loop=fit");
    ck_assert(!same_results(&plain, &fit)); /* it shuffles */
    ck_assert(plain.calls == fit.calls);
    static const char *const flips[] = {"loop=metric", "loop=fit", "loop=fit,sequence=fixed"};
    for (int k = 0; k < 3; ++k) {
        tare__arm a;
        open_arm(&a, &task, rungs[_i], flips[k]);
        for (int s = 0; s < STEPS; ++s)
            must(a.step(&a));
        ck_assert_int_eq(tare__around_metrics(&a)->n_labelled, STEPS * 8);
        ck_assert_int_eq(strncmp(tare__around_line(&a), "batch 3 - loss ", 15) == 0, k > 0);
        tare__arm_close(&a);
    }
    tare__setting setting = setting_of("symbol", false, "loop=metric");
    tare__arm a;
    must(tare__arm_open(&a, &(tare__task){.net = "chain", .outputs_only = true, .seed = 1}, &setting, "arm"));
    expect_error(tare__arm_prepare(&a), TARE_IMPOSSIBLE, "a metric needs a target");
    tare__arm_close(&a);
}
END_TEST

/* ---- how steps are timed
 * --------------------------------------------------------------------------------------------*/

/* The second of two blocks. */
static tare__block block_of(const char *flips)
{
    tare__spec spec = {.name = "arm", .setting = setting_of("symbol", false, flips)};
    tare__arm arm;
    int64_t steps = 1;
    tare__session s = {
        .wire = {.task = task_of("chain", NULL), .specs = {&spec, 1}}, .arm = &arm, .n = 1, .steps = &steps};
    must(tare__arm_open(&arm, &s.wire.task, &spec.setting, "arm"));
    must(tare__arm_prepare(&arm));
    tare__block b;
    for (int k = 0; k < 2; ++k)
        must(tare__block_run(&s, 0, 1, &b));
    tare__arm_close(&arm);
    return b;
}

START_TEST(cold_blocks_begin_anew_and_have_a_hundred_steps)
{
    ck_assert_int_eq(block_of("warm-up=off").steps, TARE__COLD_STEPS);
    ck_assert_int_eq(block_of(NULL).steps, 1);
}
END_TEST

START_TEST(processor_time_takes_the_place_of_the_clocks)
{
    tare__block b = block_of("clock=cpu,warm-up=off");
    ck_assert_int_eq(b.ns, b.cpu_ns);
}
END_TEST

/* ---- what means nothing
 * -----------------------------------------------------------------------------------------------*/

static int check(const char *command, const char *flips, bool update, bool gradient)
{
    const tare__command c = {.name = command};
    const tare__line line = {.command = &c};
    tare__setting setting = tare__setting_of(tare__rung_find("symbol"), update);
    char copy[128], *rest = copy, *flip;
    (void)snprintf(copy, sizeof copy, "%s", flips);
    while ((flip = strsep(&rest, ","))) {
        int code = tare__setting_flip(&setting, &line, flip);
        if (code)
            return code;
    }
    return tare__setting_check(&setting, &line, update, gradient);
}

START_TEST(what_means_nothing_is_refused)
{
    static const struct {
        const char *command, *flips;
        bool update, gradient, right;
    } flips[] = {
        {"bench", "workers=2", true, true, false},
        {"bench", "input=loader,workers=2", true, true, true},
        {"bench", "input=loader,prefetch=3", true, true, false},
        {"bench", "input=loader,workers=17", true, true, false},
        {"bench", "input=loader,workers=00", true, true, false},
        {"bench", "sequence=shuffled", true, true, false},
        {"bench", "loop=fit,sequence=fixed", true, true, true},
        {"bench", "input=slices,iterator=shared", true, true, false},
        {"bench", "input=slices,sequence=shuffled,iterator=shared", true, true, true},
        {"bench", "input=slices,feed=copied", true, true, false},
        {"bench", "epsilon=1e-7", false, true, false},
        {"bench", "update=multi", false, true, false},
        {"bench", "input-gradient=on", true, false, false},
        {"bench", "rescale=sum", true, false, false},
        {"bench", "sync=none", true, true, false},
        {"bench", "engine=queue,sync=none", true, true, true},
        {"agree", "engine=queue,sync=step", true, true, false},
        {"bench", "readback=epoch", true, true, false},
        {"bench", "input=slices,readback=epoch", true, true, true},
        {"bench", "loop=fit,readback=epoch", true, true, false},
        {"bench", "validation=inside", true, true, false},
        {"train", "validation=inside,sequence=fixed", true, true, true},
        {"train", "input=loader,workers=2", true, true, true},
        {"train", "readback=step,loop=metric", true, true, true},
        {"train", "readback=epoch", true, true, true},
        {"train", "readback=epoch,loop=fit", true, true, false},
        {"train", "feed=copied", true, true, false},
        {"train", "input=slices,iterator=shared", true, true, false},
        {"agree", "clock=cpu", true, true, false},
        {"agree", "warm-up=off", true, true, false},
        {"bench", "clock=cpu,warm-up=off", true, true, true},
    };
    for (size_t i = 0; i < sizeof flips / sizeof *flips; ++i)
        ck_assert_msg((check(flips[i].command, flips[i].flips, flips[i].update, flips[i].gradient) == TARE__RAN) ==
                          flips[i].right,
                      "%s %s", flips[i].command, flips[i].flips);
}
END_TEST

START_TEST(other_work_is_named)
{
    char text[TARE__WORK_TEXT];
    tare__setting a = setting_of("symbol", true, "feed=copied,init=ones"), b = setting_of("step", true, "fusion=on");
    ck_assert_str_eq(tare__setting_work(&a, &b, text), "feed=copied, init=ones");
    ck_assert_str_eq(tare__setting_work(&b, &b, text), "");
    for (int f = 0; f < TARE__FACTOR_COUNT; ++f)
        ck_assert_int_eq(tare__factors[f].work, f >= TARE__FIRST_SWITCH);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("switches");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, what_is_around_a_step_changes_no_bit, 0, RUNGS);
    tcase_add_test(tests, a_view_a_step_moves_the_input);
    tcase_add_loop_test(tests, what_is_around_a_step_is_told, 0, RUNGS);
    tcase_add_test(tests, a_copied_batch_is_written);
    tcase_add_loop_test(tests, the_inputs_gradient_is_more_calls_and_the_same_results, 0, RUNGS);
    tcase_add_loop_test(tests, the_sums_gradient_is_the_means_times_the_samples, 0, RUNGS);
    tcase_add_loop_test(tests, a_loss_has_other_forms, 0, RUNGS);
    tcase_add_test(tests, weights_begin_as_they_are_told);
    tcase_add_loop_test(tests, epsilon_is_the_optimizers, 0, RUNGS);
    tcase_add_loop_test(tests, a_sequence_is_fixed_or_shuffled_and_shared_or_not, 0, RUNGS);
    tcase_add_loop_test(tests, a_loop_measures_and_fit_does_more, 0, RUNGS);
    tcase_add_test(tests, cold_blocks_begin_anew_and_have_a_hundred_steps);
    tcase_add_test(tests, processor_time_takes_the_place_of_the_clocks);
    tcase_add_test(tests, what_means_nothing_is_refused);
    tcase_add_test(tests, other_work_is_named);
    return spine_run("switches", &tests, 1);
}
