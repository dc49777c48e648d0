/* test_coverage.c - what intervals and verdicts promise, on simulated runs with known truth: the numbers of processes
 * that `tare bench` has by itself. test_full_coverage.c has more runs and more kinds of them. */
#include "simulated.h"

static const simulation some[] = {
    {"6 x 10, normal", 6, 10, NORMAL, 0, 0.005},
    {"6 x 10, heavy tails, remembering", 6, 10, HEAVY, 0.6, 0.005},
    {"6 x 10, spikes", 6, 10, SPIKES, 0.3, 0.005},
    {"10 x 6, normal", 10, 6, NORMAL, 0.3, 0.005},
    {"10 x 6, heavy tails, remembering", 10, 6, HEAVY, 0.6, 0.005},
    {"10 x 6, spikes", 10, 6, SPIKES, 0, 0.005},
};

START_TEST(promises)
{
    check_promises(&some[_i], 3000);
}
END_TEST

/* The smallest effect that a run is said to find is found in four of five. */
START_TEST(smallest_effect)
{
    simulation s = {"6 x 10, normal", 6, 10, NORMAL, 0, 0.005};
    /* of an arm and the base: process effects, and noise over the inner half of ten rounds, about 1.1 of the mean's */
    double variance = 2 * (0.005 * 0.005 + 1.1 * 0.01 * 0.01 / 10) / 6;
    double difference = log(1 + tare__smallest_effect((tare__interval){0, 0, 0, sqrt(variance), 6}));
    outcome o = simulate_runs(&s, 1000, difference);
    ck_assert_msg(o.found >= 0.74 && o.found <= 0.88, "%.3f of the runs find it", o.found);
}
END_TEST

int main(void)
{
    return simulated_run("coverage", promises, sizeof some / sizeof *some, smallest_effect);
}
