/* test_carrier.c - a step carried along its captured program: all 64 combinations of the six mechanisms give the bits
 * and the kernel calls of the imperative step, each combination counts what its mechanisms do, and a net that strays
 * from what was captured is told so. */
#include <stdlib.h>
#include <string.h>

#include "../bench/arm/arm.h"
#include "../bench/arm/digest.h"
#include "../bench/arm/mechanisms.h"
#include "spine.h"

enum { STEPS = 2 };

static const struct {
    const char *net, *optimizer;
    int64_t batch;
    tare__work work;
} cases[] = {
    {"chain:depth=3,width=16", NULL, 1, TARE__TRAIN},
    {"mlp:hidden=20-8", "adam", 5, TARE__TRAIN},
    {"gauntlet", "sgd:momentum=0.9", 3, TARE__TRAIN},
    {"gauntlet", NULL, 3, TARE__FORWARD},
    {"mlp_mnist", NULL, 4, TARE__INFER},
    {"lenetp", "sgd", 2, TARE__TRAIN},
};
enum { CASES = sizeof cases / sizeof *cases };

static tare__task task_of(int i)
{
    return (tare__task){.net = cases[i].net,
                        .batch = cases[i].batch,
                        .work = cases[i].work,
                        .optimizer = cases[i].optimizer,
                        .seed = 7};
}

/* The carrier with the mechanisms of a set at work; their bits. */
static tare__setting setting_of(unsigned set, bool with_update, int *combination)
{
    const tare__setting plain = tare__setting_of(tare__rung_find("carrier"), with_update);
    tare__setting s = tare__mechanisms_on(&plain, set, with_update);
    *combination = tare__mechanisms_combination(&s);
    return s;
}

static uint64_t calls_of(const tare__task *task, const tare__setting *setting, int *n)
{
    tare__arm arm;
    uint64_t hash = 0;
    must(tare__arm_open(&arm, task, setting, "calls"));
    must(tare__arm_prepare(&arm));
    must(arm.step(&arm));
    must(tare__calls_digest(&arm, &hash, n));
    tare__arm_close(&arm);
    ck_assert_int_eq(arm.lost, 0);
    return hash;
}

START_TEST(every_combination_computes_the_same)
{
    tare__task task = task_of(_i);
    tare__setting plain = tare__setting_of(tare__rung_find("functional"), task.optimizer != NULL);
    tare__digest first, found;
    const char *what;
    int n_first, n;
    must(tare__digest_run(&task, &plain, STEPS, NULL, NULL, &first));
    uint64_t calls = calls_of(&task, &plain, &n_first);
    uint64_t seen = 0;
    for (unsigned set = 0; set < TARE_CARRY_COMBINATIONS; ++set) {
        int combination;
        tare__setting s = setting_of(set, task.optimizer != NULL, &combination);
        ck_assert(!(seen >> combination & 1));
        seen |= UINT64_C(1) << combination;
        s.level[TARE__THREADS] = 1 + combination % 3;
        must(tare__digest_run(&task, &s, STEPS, NULL, NULL, &found));
        ck_assert_msg(tare__digest_equal(&first, &found, &what), "%s, combination %d: other %s than functional's",
                      task.net, combination, what);
        ck_assert_uint_eq(calls_of(&task, &s, &n), calls);
        ck_assert_int_eq(n, n_first);
    }
}
END_TEST

/* What a step without an update counts, by combination. */
START_TEST(a_mechanism_counts_only_where_it_is_on)
{
    tare__task task = task_of(0);
    for (unsigned set = 0; set < TARE_CARRY_COMBINATIONS; ++set) {
        int combination;
        tare__setting s = setting_of(set, false, &combination);
        tare__arm arm;
        must(tare__arm_open(&arm, &task, &s, "counted"));
        must(tare__arm_prepare(&arm));
        for (int k = 0; k < 3; ++k)
            must(arm.step(&arm));
        tare_counts before = tare_runtime_counts(arm.rt);
        must(arm.step(&arm));
        tare_counts after = tare_runtime_counts(arm.rt);
#define ON(count, bit)                                                                                                 \
    ck_assert_msg((after.count > before.count) == !!(combination & (bit)), "combination %d: %lld " #count,             \
                  combination, (long long)(after.count - before.count))
        ON(lookups, TARE_CARRY_NAMED);
        ON(parses, TARE_CARRY_NAMED);
        ON(infers, TARE_CARRY_INFERRED);
        ON(storage_takes, TARE_CARRY_POOLED);
        ON(tape_nodes, TARE_CARRY_TAPED);
#undef ON
        ck_assert_int_eq(after.allocations, before.allocations);
        ck_assert_int_eq(after.kernel_calls - before.kernel_calls, tare_graph_nodes(arm.graph));
        tare__arm_close(&arm);
        ck_assert_int_eq(arm.lost, 0);
    }
}
END_TEST

/* Another operator than the captured one, and one too many: an error, nothing lost, and the next step is right. */
START_TEST(a_step_that_strays_is_an_error)
{
    tare__task task = task_of(0);
    for (unsigned set = 0; set < TARE_CARRY_COMBINATIONS; set += 7) {
        int combination;
        tare__setting s = setting_of(set, false, &combination);
        tare__arm arm;
        must(tare__arm_open(&arm, &task, &s, "strays"));
        must(tare__arm_prepare(&arm));
        tare_mode *m = arm.mode;
        for (int relus = 0; relus < 2; ++relus) {
            m->scope_begin(m, NULL);
            tare_carrier_begin(arm.carrier);
            tare_value *y = arm.x;
            if (relus == 0)
                y = arm.net->type->forward[TARE_API_DIRECT](m, arm.net, y);
            for (int k = 0; k < 200; ++k)
                y = tare_tanh(m, y);
            ck_assert(y->poison);
            ck_assert_int_eq(m->error, TARE_IMPOSSIBLE);
            ck_assert_ptr_nonnull(strstr(tare_error_text(), "was captured here"));
            tare_carrier_end(arm.carrier);
            m->scope_end(m, NULL, 0);
            tare_mode_clear(m);
        }
        must(arm.step(&arm));
        tare__arm_close(&arm);
        ck_assert_int_eq(arm.lost, 0);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("carrier");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, every_combination_computes_the_same, 0, CASES);
    tcase_add_test(tests, a_mechanism_counts_only_where_it_is_on);
    tcase_add_test(tests, a_step_that_strays_is_an_error);
    return spine_run("carrier", &tests, 1);
}
