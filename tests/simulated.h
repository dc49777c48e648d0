/* simulated.h - runs with known truth: rounds of blocks as processes would have measured them, through the figures that
 * the command makes of them.
 *
 * On the logarithm's scale a block is the arm's own level, the round's level (shared by all arms: the clock's drift),
 * an effect of arm and process (where it lies in memory), and noise that remembers the round before (AR(1)). All are
 * symmetric, so the ratio's truth is the difference of the levels. */
#ifndef TARE_TESTS_SIMULATED_H
#define TARE_TESTS_SIMULATED_H

#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "../bench/measure/figures.h"
#include "draws.h"

typedef enum { NORMAL, HEAVY, SPIKES } noise;

typedef struct {
    const char *name;
    int processes, rounds; /* rounds of each */
    noise noise;
    double memory;  /* of the noise: its correlation from round to round */
    double process; /* standard deviation of the effects of processes */
} simulation;

enum { BASE, AGAIN, FIRST_ARM, SIM_ARMS = 8 };

/* About one percent: normal; Student's t with three degrees of freedom; small, with a spike of a tenth now and then. */
static double draw(noise kind)
{
    if (kind == HEAVY) {
        double squares = 0;
        for (int i = 0; i < 3; ++i) {
            double z = normal();
            squares += z * z;
        }
        return 0.006 * normal() / sqrt(squares / 3);
    }
    double spike = kind == SPIKES && uniform() < 0.05 ? (uniform() < 0.5 ? 0.1 : -0.1) : 0;
    return (kind == SPIKES ? 0.005 : 0.01) * normal() + spike;
}

/* Rounds of all processes, one step a block. */
static void begin(const simulation *s, tare__blocks *b)
{
    tare__blocks_init(b, SIM_ARMS);
    for (int k = 0; k < s->processes * s->rounds; ++k)
        for (int i = 0; i < SIM_ARMS; ++i) {
            json_t *line = json_pack("{s:i,s:i,s:i,s:i,s:i}", "process", k / s->rounds, "round", k % s->rounds, "steps",
                                     1, "ns", 1, "cpu_ns", 1);
            ck_assert(tare__blocks_take(b, i, line));
            json_decref(line);
        }
}

/* Another run. level: of each arm, on the logarithm's scale. */
static void simulate(const simulation *s, const double *level, tare__blocks *b)
{
    for (int p = 0; p < s->processes; ++p) {
        double effect[SIM_ARMS], last[SIM_ARMS];
        for (int i = 0; i < SIM_ARMS; ++i) {
            effect[i] = s->process * normal();
            last[i] = draw(s->noise) / sqrt(1 - s->memory * s->memory);
        }
        for (int r = 0; r < s->rounds; ++r) {
            double drift = 0.03 * normal();
            for (int i = 0; i < SIM_ARMS; ++i) {
                last[i] = s->memory * last[i] + draw(s->noise);
                b->block[i][p * s->rounds + r].ns = (int64_t)(1e9 * exp(level[i] + drift + effect[i] + last[i]));
            }
        }
    }
}

typedef struct {
    double coverage; /* share of 95 % intervals that hold the truth, all contrasts */
    double alarms;   /* share of runs in which any arm that is equal to the base is called different */
    double found;    /* share of runs in which the first arm's difference has p < 0.05 */
} outcome;

/* The first arm differs by `difference`, the others not at all. */
static outcome simulate_runs(const simulation *s, int runs, double difference)
{
    outcome o = {0, 0, 0};
    double level[SIM_ARMS] = {0};
    level[FIRST_ARM] = difference;
    sim_state = 88172645463325252u;
    tare__blocks b;
    tare__reference r;
    begin(s, &b);
    tare__reference_init(&r, SIM_ARMS);
    r.base = BASE;
    r.again = AGAIN;
    for (int run = 0; run < runs; ++run) {
        tare__summary summary;
        simulate(s, level, &b);
        tare__summary_take(&summary, &b, &r);
        bool alarm = false;
        int inside = 0;
        for (int i = FIRST_ARM; i < SIM_ARMS; ++i) {
            const tare__figures *arm = &summary.arm[i];
            inside += arm->logs.low <= level[i] && level[i] <= arm->logs.high;
            alarm |= i > FIRST_ARM && arm->p_holm < 0.05;
        }
        o.coverage += (double)inside / (SIM_ARMS - FIRST_ARM) / runs;
        o.alarms += (double)alarm / runs;
        o.found += (tare__p_value(summary.arm[FIRST_ARM].logs) < 0.05 ? 1.0 : 0.0) / runs;
        tare__summary_fini(&summary);
    }
    tare__reference_fini(&r);
    tare__blocks_fini(&b);
    return o;
}

/* 93 to 97 % hold the truth; where a process has fewer than six rounds and spikes are rare, intervals err on the wide
 * side. At most 5 % of the runs raise a false alarm: two and a half standard errors of that share are left open. */
static void check_promises(const simulation *s, int runs)
{
    outcome o = simulate_runs(s, runs, 0.02);
    double most = s->rounds < 6 ? 0.985 : 0.97, alarms = 0.05 + 2.5 * sqrt(0.05 * 0.95 / runs);
    if (getenv("TARE_TEST_SHOW"))
        printf("%-48s coverage %.4f, false alarms %.4f\n", s->name, o.coverage, o.alarms);
    ck_assert_msg(o.coverage >= 0.93 && o.coverage <= most, "%s: %.4f of the intervals hold the truth", s->name,
                  o.coverage);
    ck_assert_msg(o.alarms <= alarms, "%s: %.4f of the runs raise a false alarm", s->name, o.alarms);
}

/* main's body: a test for each of n kinds of runs, and one more; NULL: none. */
static int simulated_run(const char *name, const TTest *each, int n, const TTest *more)
{
    TCase *all = tcase_create(name);
    tcase_set_timeout(all, 600);
    tcase_add_loop_test(all, each, 0, n);
    if (more)
        tcase_add_test(all, more);
    Suite *suite = suite_create(name);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
