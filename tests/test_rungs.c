/* test_rungs.c - the ladder's table is whole; every rung has the signature it promises; figures that others rely on. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../bench/arm/arm.h"
#include "../bench/arm/digest.h"
#include "../bench/arm/facts.h"

static tare__task task_of(const char *net, const char *optimizer)
{
    return (tare__task){.net = net, .optimizer = optimizer, .seed = 1};
}

/* Every cell has a level that its factor has, flips that it has, the level among them, and a reason for the others. */
START_TEST(table_is_whole)
{
    for (const tare__rung *rung = tare__rungs; rung->name; ++rung) {
        ck_assert_ptr_eq(tare__rung_find(rung->name), rung);
        for (int f = 0; f < TARE__FACTOR_COUNT; ++f) {
            const tare__cell *cell = tare__rung_cell(rung, f);
            ck_assert_msg(cell->level && cell->why && (cell->flips || f >= TARE__LADDER_COUNT), "%s has no %s",
                          rung->name, tare__factors[f].name);
            ck_assert_int_ge(tare__level_find(f, cell->level, strlen(cell->level)), 0);
            if (!cell->flips)
                continue;
            int n = 0, all = 1;
            bool has_level = false;
            for (const char *word = cell->flips; *word; ++n) {
                size_t length = strcspn(word, " ");
                bool numbers =
                    ((f == TARE__THREADS || f == TARE__BULK) && strcmp(word, tare__factors[f].levels) == 0) ||
                    (f == TARE__RECOMPUTE && strcmp(word, "bytes") == 0);
                ck_assert_msg(numbers || tare__level_find(f, word, length) >= 0, "%s: %s=%s", rung->name,
                              tare__factors[f].name, cell->flips);
                has_level |= numbers || (length == strlen(cell->level) && memcmp(word, cell->level, length) == 0);
                word += length + (word[length] == ' ');
            }
            for (const char *c = tare__factors[f].levels; *c; ++c)
                all += *c == ' ';
            ck_assert_msg(has_level, "%s: its own level of %s is no flip", rung->name, tare__factors[f].name);
            ck_assert_msg(n == all || *cell->why, "%s: no reason for %s", rung->name, tare__factors[f].name);
        }
        for (int p = 0; p < TARE__PEERS; ++p)
            ck_assert_ptr_nonnull(rung->mirrors[p]);
    }
    static const struct {
        const char *text;
        int level;
    } threads[] = {{"1", 1},    {"64", 64}, {"7", 7},      {"0", -1},           {"65", -1}, {"", -1},
                   {"1,2", -1}, {"01", -1}, {"1..64", -1}, {"99999999999", -1}, {"-1", -1}};
    for (size_t i = 0; i < sizeof threads / sizeof *threads; ++i)
        ck_assert_msg(tare__level_find(TARE__THREADS, threads[i].text, strlen(threads[i].text)) == threads[i].level,
                      "threads=%s", threads[i].text);
    ck_assert_ptr_eq(tare__rung_find("jit"), tare__rung_find("step"));
    ck_assert_ptr_null(tare__rung_find("nonsense"));
}
END_TEST

/* No two rungs are the same setting: none is an alias of another. */
START_TEST(rungs_differ)
{
    for (const tare__rung *a = tare__rungs; a->name; ++a) {
        for (const tare__rung *b = tare__rungs; b->name; ++b) {
            tare__setting x = tare__setting_of(a, true), y = tare__setting_of(b, true);
            ck_assert_msg(a == b || memcmp(x.level, y.level, sizeof x.level) != 0, "%s is %s", a->name, b->name);
        }
    }
}
END_TEST

/* Where a rung takes another's plan because there is an optimizer, it can be flipped as far as that one. */
START_TEST(a_flip_cannot_lose_the_update)
{
    tare__setting setting = tare__setting_of(tare__rung_find("kernels"), true);
    const tare__line line = {0};
    ck_assert_int_eq(setting.level[TARE__JOINT], TARE__JOINT_STEP);
    ck_assert_int_eq(tare__setting_flip(&setting, &line, "joint=step"), TARE__RAN);
    ck_assert_int_ne(tare__setting_flip(&setting, &line, "joint=joint"), TARE__RAN);
    ck_assert_int_ne(tare__setting_flip(&setting, &line, "update=parameter"), TARE__RAN);
    ck_assert_int_eq(setting.level[TARE__JOINT], TARE__JOINT_STEP);
}
END_TEST

/* 2 x multiply-adds of a convolution's forward and two gradients, over a batch of 16. */
static double conv_flops(double channels, double maps, double size, double side)
{
    return 3 * 2 * 16 * channels * maps * size * size * side * side;
}

/* resnet50's from its table (K. He et al., 2016, table 1, the stride on the 3x3): nothing but convolutions and the last
 * dense layer; the first has no gradient to data. */
static double resnet50_flops(void)
{
    static const int blocks[] = {3, 4, 6, 3};
    double all = conv_flops(3, 64, 7, 112) * 2 / 3 + conv_flops(2048, 1000, 1, 1), channels = 64, side = 56;
    for (int stage = 0; stage < 4; ++stage) {
        const double maps = 64 << stage, before = side;
        side = 56 >> stage;
        all += conv_flops(channels, 4 * maps, 1, side) + conv_flops(channels, maps, 1, before);
        all += (blocks[stage] - 1) * conv_flops(4 * maps, maps, 1, side);
        all += blocks[stage] * (conv_flops(maps, maps, 3, side) + conv_flops(maps, 4 * maps, 1, side));
        channels = 4 * maps;
    }
    return all;
}

/* nodes and flops as the records define them. */
START_TEST(nodes_and_flops)
{
    const struct {
        const char *net;
        int nodes;
        double flops, within;
    } known[] = {{"chain", 119, 30208, 0},        {"mlp", 0, 353.4e6, 2e-4},           {"lenetp", 0, 243.5e6, 2e-4},
                 {"lenet", 0, 843.6e6, 1e-4},     {"cifarnet", 0, 31.4e9, 5e-4},       {"alexnet", 0, 57.96e9, 1e-4},
                 {"googlenet", 0, 134.4e9, 4e-4}, {"resnet50", 0, resnet50_flops(), 0}};
    for (size_t i = 0; i < sizeof known / sizeof *known; ++i) {
        tare__task task = task_of(known[i].net, NULL);
        tare__facts facts;
        ck_assert_int_eq(tare__facts_take(&task, &facts), TARE_OK);
        ck_assert_msg(!known[i].nodes || facts.nodes == known[i].nodes, "%s: %d nodes", known[i].net, facts.nodes);
        double off = facts.flops / known[i].flops - 1;
        ck_assert_msg(off >= -known[i].within && off <= known[i].within, "%s: %.1f FLOPs, not %.1f", known[i].net,
                      facts.flops, known[i].flops);
        tare__facts_free(&facts);
    }
}
END_TEST

static tare_counts counts_of(const char *rung, const char *optimizer, tare_counts *setup, tare_plan_bytes *plan)
{
    tare__task task = task_of("chain", optimizer);
    tare__setting setting = tare__setting_of(tare__rung_find(rung), optimizer != NULL);
    tare__arm arm;
    tare_counts step;
    ck_assert_int_eq(tare__arm_open(&arm, &task, &setting, rung), TARE_OK);
    ck_assert_int_eq(tare__arm_prepare(&arm), TARE_OK);
    *setup = tare_runtime_counts(arm.rt);
    ck_assert_int_eq(tare__arm_count(&arm, &step), TARE_OK);
    *plan = arm.plan ? tare_plan_size(arm.plan) : (tare_plan_bytes){0};
    tare__arm_close(&arm);
    return step;
}

/* What each rung pays a step, chain b1 with 40 parameters: exact. */
START_TEST(signatures)
{
    tare_counts setup, step;
    tare_plan_bytes plan;
    step = counts_of("functional", "sgd", &setup, &plan);
    ck_assert_int_eq(step.kernel_calls, 119 + 40);
    ck_assert_int_eq(step.infers, 119 + 40);
    ck_assert_int_ge(step.storage_takes, 119);
    ck_assert_int_gt(step.tape_nodes, 0);
    ck_assert_int_eq(step.allocations, 0); /* the pool has it all */
    ck_assert_int_eq(setup.captures + setup.plans, 0);
    const char *const replayed[] = {"symbol", "step", "kernels"};
    for (int i = 0; i < 3; ++i) {
        int outside = i == 0 ? 40 : 0; /* updates that symbol runs imperatively */
        step = counts_of(replayed[i], "sgd", &setup, &plan);
        ck_assert_int_eq(step.kernel_calls, 119 + 40);
        ck_assert_int_eq(step.infers, outside);
        ck_assert_int_eq(step.tape_nodes + step.lookups + step.parses + step.locks + step.allocations, 0);
        ck_assert_int_eq(setup.captures, 1);
        ck_assert_int_eq(setup.plans, 1);
        ck_assert_int_gt(plan.arena, 0);
        ck_assert_int_ge(plan.arena, plan.lower_bound);
    }
}
END_TEST

/* The digests see a difference: other seeds, other optimizers, another step; and one setting agrees with itself. */
START_TEST(digests_tell)
{
    tare__setting setting = tare__setting_of(tare__rung_find("functional"), true);
    tare__task task = task_of("mlp_mnist", "sgd");
    task.batch = 4;
    tare__digest base, other;
    const char *what = NULL;
    ck_assert_int_eq(tare__digest_run(&task, &setting, 2, NULL, NULL, &base), TARE_OK);
    ck_assert_int_eq(tare__digest_run(&task, &setting, 2, NULL, NULL, &other), TARE_OK);
    ck_assert(tare__digest_equal(&base, &other, &what));
    ck_assert_str_eq(base.suspect, "");
    task.seed = 2;
    ck_assert_int_eq(tare__digest_run(&task, &setting, 2, NULL, NULL, &other), TARE_OK);
    ck_assert(!tare__digest_equal(&base, &other, &what));
    task.seed = 1;
    task.optimizer = "sgd:lr=0.02";
    ck_assert_int_eq(tare__digest_run(&task, &setting, 2, NULL, NULL, &other), TARE_OK);
    ck_assert(!tare__digest_equal(&base, &other, &what));
    task.optimizer = "sgd:lr=1e6"; /* runs away */
    ck_assert_int_eq(tare__digest_run(&task, &setting, 12, NULL, NULL, &other), TARE_OK);
    ck_assert_str_ne(other.suspect, "");
}
END_TEST

/* FNV-1a's published values. */
START_TEST(fnv)
{
    ck_assert(tare__fnv(tare__fnv_start, "", 0) == 0xcbf29ce484222325u);
    ck_assert(tare__fnv(tare__fnv_start, "a", 1) == 0xaf63dc4c8601ec8cu);
    ck_assert(tare__fnv(tare__fnv_start, "foobar", 6) == 0x85944171f73967e8u);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rungs");
    TCase *all = tcase_create("rungs");
    tcase_set_timeout(all, 120);
    tcase_add_test(all, table_is_whole);
    tcase_add_test(all, rungs_differ);
    tcase_add_test(all, a_flip_cannot_lose_the_update);
    tcase_add_test(all, nodes_and_flops);
    tcase_add_test(all, signatures);
    tcase_add_test(all, digests_tell);
    tcase_add_test(all, fnv);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
