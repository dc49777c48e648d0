/* test_shapley.c - games whose shares are known, and the same through noise: intervals that hold the truth. */
#include "../bench/measure/shapley.h"

#include "draws.h"

/* A mechanism's share is its own cost. */
START_TEST(additive)
{
    double cost[6] = {5, 0, -3, 100, 0.5, 7}, value[64], share[6], up[6], down[6];
    for (unsigned set = 0; set < 64; ++set) {
        value[set] = 1000;
        for (int i = 0; i < 6; ++i)
            value[set] += set >> i & 1 ? cost[i] : 0;
    }
    tare__shapley(value, 6, share);
    tare__marginals(value, 6, false, up);
    tare__marginals(value, 6, true, down);
    for (int i = 0; i < 6; ++i) {
        ck_assert_double_eq_tol(share[i], cost[i], 1e-12);
        ck_assert_double_eq_tol(up[i], cost[i], 1e-12);
        ck_assert_double_eq_tol(down[i], cost[i], 1e-12);
    }
}
END_TEST

/* One left glove, two right ones: a pair is worth 1. Shares 4/6, 1/6, 1/6 (Shapley 1953). The two ladders give all of
 * it to whoever comes last. */
START_TEST(gloves)
{
    double value[8], share[3], up[3], down[3];
    for (unsigned set = 0; set < 8; ++set)
        value[set] = (set & 1) && (set & 6);
    tare__shapley(value, 3, share);
    ck_assert_double_eq_tol(share[0], 4.0 / 6, 1e-12);
    ck_assert_double_eq_tol(share[1], 1.0 / 6, 1e-12);
    ck_assert_double_eq_tol(share[2], 1.0 / 6, 1e-12);
    tare__marginals(value, 3, false, up);
    tare__marginals(value, 3, true, down);
    ck_assert_double_eq(up[1], 1);
    ck_assert_double_eq(down[0], 1);
}
END_TEST

/* Who makes the majority of 7 of 12 votes: with 6, 3, 2 and 1 votes the large one needs any other, and is decisive in
 * each of the 24 orders unless it comes first: 3/4; the others share what is left. */
START_TEST(majority)
{
    const int votes[4] = {6, 3, 2, 1};
    double value[16], share[4];
    for (unsigned set = 0; set < 16; ++set) {
        int sum = 0;
        for (int i = 0; i < 4; ++i)
            sum += set >> i & 1 ? votes[i] : 0;
        value[set] = sum >= 7;
    }
    tare__shapley(value, 4, share);
    ck_assert_double_eq_tol(share[0], 3.0 / 4, 1e-12);
    for (int i = 1; i < 4; ++i)
        ck_assert_double_eq_tol(share[i], 1.0 / 12, 1e-12);
}
END_TEST

/* Against the definition, one order after the other, on a game without any structure. */
static void each_order(const double *value, int n, unsigned set, double weight, double *share)
{
    int left = n - __builtin_popcount(set);
    for (int i = 0; i < n; ++i)
        if (!(set >> i & 1)) {
            share[i] += weight / left * (value[set | 1u << i] - value[set]);
            each_order(value, n, set | 1u << i, weight / left, share);
        }
}

START_TEST(all_orders)
{
    sim_state = 77;
    for (int n = 1; n <= 6; ++n) {
        double value[64], share[6], slow[6] = {0}, sum = 0;
        for (unsigned set = 0; set < 1u << n; ++set)
            value[set] = normal();
        tare__shapley(value, n, share);
        each_order(value, n, 0, 1, slow);
        for (int i = 0; i < n; ++i) {
            ck_assert_double_eq_tol(share[i], slow[i], 1e-12);
            sum += share[i];
        }
        ck_assert_double_eq_tol(sum, value[(1u << n) - 1] - value[0], 1e-12);
    }
}
END_TEST

/* Ten processes, each value a percent off: 93 to 97 of a hundred intervals hold the share. */
START_TEST(intervals_hold)
{
    enum { RUNS = 2000, SAMPLES = 10, N = 6 };
    static double value[SAMPLES << N];
    double truth[1 << N], share[N];
    int held = 0;
    sim_state = 4711;
    for (unsigned set = 0; set < 1 << N; ++set)
        truth[set] = 1000 + 10 * __builtin_popcount(set) + 15 * ((set & 3) == 3) - 4 * ((set & 12) == 12);
    tare__shapley(truth, N, share);
    for (int run = 0; run < RUNS; ++run) {
        tare__interval interval[N];
        for (int k = 0; k < SAMPLES << N; ++k)
            value[k] = truth[k & ((1 << N) - 1)] * (1 + 0.01 * normal());
        tare__shapley_intervals(value, SAMPLES, N, interval);
        for (int i = 0; i < N; ++i)
            held += interval[i].low <= share[i] && share[i] <= interval[i].high;
    }
    double coverage = (double)held / (RUNS * N);
    ck_assert_msg(coverage > 0.93 && coverage < 0.97, "%.3f of the intervals hold the share", coverage);
}
END_TEST

SUITE_MAIN("shapley", additive, gloves, majority, all_orders, intervals_hold)
