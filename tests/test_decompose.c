/* test_decompose.c - rounds with known parts, through noise: the parts come out, their means add up, probes are priced;
 * and each way of not adding up is refused with its reason. */
#include <string.h>

#include "../bench/measure/decompose.h"
#include "draws.h"

enum { PROCESSES = 8, ROUNDS = 8 };

static const double truth[TARE__PART_COUNT] = {
    [TARE__PART_KERNEL] = 300000,   [TARE__PART_DISPATCH] = 4000, [TARE__PART_SHAPE] = 1500,
    [TARE__PART_ALLOCATION] = 3000, [TARE__PART_TAPE] = 2000,     [TARE__PART_WRAPPER] = 1000,
    [TARE__PART_CACHE] = 6000};
static const double probes[TARE__PART_COUNT] = {
    [TARE__PART_KERNEL] = 40, [TARE__PART_DISPATCH] = 120, [TARE__PART_SHAPE] = 40,       [TARE__PART_ALLOCATION] = 80,
    [TARE__PART_TAPE] = 40,   [TARE__PART_WRAPPER] = 20,   [TARE__PART_UNATTRIBUTED] = 1,
};

typedef struct {
    double probe, noise, spike; /* ns; shares */
    double lost, longer;        /* of the traced step, in no part; of the untraced step, in no traced one: shares */
} story;

static void tell(story s, tare__observation *o)
{
    double step = 0;
    for (int p = 0; p < TARE__PART_COUNT; ++p)
        step += truth[p];
    for (int k = 0; k < PROCESSES * ROUNDS; ++k) {
        double drift = 1 + 0.1 * uniform(); /* the round's clock, of all in it */
        double odd = uniform() < 0.1 ? 1 + s.spike : 1;
        o[k] = (tare__observation){.process = k / ROUNDS,
                                   .step = (1 + s.longer) * step * drift * (1 + s.noise * normal()),
                                   .block = step * drift,
                                   .floor = truth[TARE__PART_KERNEL] * drift,
                                   .null = (step - truth[TARE__PART_KERNEL]) * drift};
        for (int p = 0; p < TARE__PART_COUNT; ++p)
            o[k].rung[p] = o[k].order[TARE__UP][p] = o[k].order[TARE__DOWN][p] = o[k].order[TARE__SHAPLEY][p] =
                (double)NAN;
        for (int m = 0; m < TARE__PROBINGS; ++m)
            for (int p = 0; p < TARE__PART_COUNT; ++p) {
                double ns = p == TARE__PART_KERNEL  ? truth[p] + truth[TARE__PART_CACHE]
                            : p == TARE__PART_CACHE ? 0
                                                    : truth[p];
                ns += p == TARE__PART_UNATTRIBUTED ? s.lost * step : 0;
                ns = ns * drift * odd * (1 + s.noise * normal());
                o[k].span[m].ns[p] = ns + probes[p] * s.probe * (p == TARE__PART_UNATTRIBUTED ? 1 : m + 1);
                o[k].span[m].probes[p] = probes[p];
            }
    }
}

static tare__decomposition decompose(story s, int threads, double calls)
{
    static tare__observation o[PROCESSES * ROUNDS];
    tare__decomposition d;
    sim_state = 99;
    tell(s, o);
    tare__decompose(o, PROCESSES * ROUNDS, threads, calls, &d);
    double sum = 0;
    for (int p = 0; p < TARE__PART_COUNT; ++p)
        sum += d.part[p].mean;
    ck_assert_double_eq_tol(sum, d.step.mean, 1e-6 * d.step.mean);
    return d;
}

START_TEST(parts_come_out)
{
    tare__decomposition d = decompose((story){.probe = 15, .noise = 0.003, .spike = 0.3}, 1, 40);
    ck_assert_msg(d.closed, "%s", d.cause);
    ck_assert(d.by_spans);
    ck_assert_double_eq_tol(d.probe_ns, 15, 0.3);
    ck_assert_double_eq_tol(d.bend, 0, 0.05);
    for (int p = 0; p < TARE__PART_UNATTRIBUTED; ++p)
        if (truth[p] > 0 && p != TARE__PART_CACHE) /* a small difference of two large figures */
            ck_assert_msg(fabs(d.part[p].mean / truth[p] / 1.05 - 1) < 0.05, "%s: %g", tare__part_texts[p].name,
                          d.part[p].mean);
    ck_assert_double_lt(fabs(d.residual), 0.005);
}
END_TEST

START_TEST(limits)
{
    ck_assert(decompose((story){.probe = 15, .longer = 0.015}, 1, 40).closed);
    ck_assert(!decompose((story){.probe = 15, .longer = 0.025}, 1, 40).closed);
    ck_assert(!decompose((story){.probe = 15, .longer = -0.025}, 1, 40).closed);
    ck_assert(decompose((story){.probe = 15, .longer = 0.04}, 2, 40).closed);
    ck_assert(!decompose((story){.probe = 15, .longer = 0.06}, 2, 40).closed);
}
END_TEST

/* Time of the traced step in no part, and the same in the untraced step: the sum of named parts is off too. */
START_TEST(what_stands_in_no_part)
{
    tare__decomposition d = decompose((story){.probe = 15, .lost = 0.03, .longer = 0.03}, 1, 40);
    ck_assert(!d.closed);
    ck_assert_double_eq_tol(d.unattributed, 0.03, 0.005);
    d = decompose((story){.probe = 40, .noise = 0.001}, 1, 40);
    ck_assert(!d.closed);
    ck_assert_ptr_nonnull(strstr(d.cause, "30 ns"));
}
END_TEST

/* Many short nodes: spans would measure themselves. */
START_TEST(short_nodes)
{
    static tare__observation o[PROCESSES * ROUNDS];
    tare__decomposition d = decompose((story){.probe = 15}, 1, 2000);
    ck_assert(!d.by_spans);
    ck_assert(d.closed); /* what no rung says is 5 % of the step */
    double step = d.step.mean;
    ck_assert_double_eq_tol(d.part[TARE__PART_UNATTRIBUTED].mean, step - d.floor.mean, 1e-6 * step);
    sim_state = 99;
    tell((story){.probe = 15}, o);
    for (int k = 0; k < PROCESSES * ROUNDS; ++k) {
        o[k].rung[TARE__PART_TAPE] = 0.7 * (o[k].block - o[k].floor);
        o[k].rung[TARE__PART_DISPATCH] = 0.3 * (o[k].block - o[k].floor);
    }
    tare__decompose(o, PROCESSES * ROUNDS, 1, 2000, &d);
    ck_assert(d.closed);
    ck_assert_double_eq_tol(d.part[TARE__PART_UNATTRIBUTED].mean, 0, 1e-6 * step);
    ck_assert_double_eq_tol(d.part[TARE__PART_TAPE].mean, 0.7 * (step - d.floor.mean), 1e-6 * step);
    for (int k = 0; k < PROCESSES * ROUNDS; ++k)
        o[k].null += 0.2 * o[k].step;
    tare__decompose(o, PROCESSES * ROUNDS, 1, 2000, &d);
    ck_assert(!d.closed);
    ck_assert_ptr_nonnull(strstr(d.cause, "null kernels"));
}
END_TEST

/* Nine of ten runs and more are closed when the truth is, at a noise of half a percent a block. */
START_TEST(closed_when_it_is)
{
    static tare__observation o[PROCESSES * ROUNDS];
    int closed = 0;
    sim_state = 5;
    for (int run = 0; run < 200; ++run) {
        tare__decomposition d;
        tell((story){.probe = 15, .noise = 0.02, .spike = 0.2}, o);
        tare__decompose(o, PROCESSES * ROUNDS, 1, 40, &d);
        closed += d.closed;
    }
    ck_assert_int_ge(closed, 180);
}
END_TEST

/* What is said of a part: by its spans, by rungs, in each order; only by those that say something. */
START_TEST(methods)
{
    static tare__observation o[PROCESSES * ROUNDS];
    tare__decomposition d;
    double least, most;
    tell((story){.probe = 15}, o);
    for (int k = 0; k < PROCESSES * ROUNDS; ++k) {
        o[k].rung[TARE__PART_TAPE] = 2500;
        o[k].order[TARE__UP][TARE__PART_TAPE] = 1000;
        o[k].order[TARE__DOWN][TARE__PART_TAPE] = 4000;
        o[k].order[TARE__SHAPLEY][TARE__PART_TAPE] = 3000;
    }
    tare__decompose(o, PROCESSES * ROUNDS, 1, 40, &d);
    ck_assert_int_eq(tare__methods_of(&d, TARE__PART_TAPE, &least, &most), 5);
    ck_assert_double_eq_tol(least, 1000, 1e-6);
    ck_assert_double_eq_tol(most, 4000, 1e-6);
    ck_assert_int_eq(tare__methods_of(&d, TARE__PART_SHAPE, &least, &most), 1);
    ck_assert_double_eq_tol(most - least, 0, 1e-6);
    tare__decompose(o, PROCESSES * ROUNDS, 1, 1e6, &d); /* nodes that are too short for spans */
    ck_assert_int_eq(tare__methods_of(&d, TARE__PART_TAPE, &least, &most), 4);
    ck_assert_int_eq(tare__methods_of(&d, TARE__PART_SHAPE, &least, &most), 0);
}
END_TEST

START_TEST(nothing)
{
    tare__decomposition d;
    tare__decompose(NULL, 0, 1, 40, &d);
    ck_assert(!d.closed);
    ck_assert_str_eq(d.cause, "nothing was measured");
}
END_TEST

SUITE_MAIN("decompose", parts_come_out, limits, what_stands_in_no_part, short_nodes, closed_when_it_is, methods,
           nothing)
