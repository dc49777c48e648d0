/* test_spans.c - costs that are known, on a clock that only they move: each is found in its own row to the tick, what
 * reading the clock costs is found and taken off, and a step that does not add up is refused.
 *
 * The net is a chain of one operator whose every part ticks: choosing its variant, its geometry, its inference, its
 * kernel, its gradient's walk; the device's allocation and copies tick too. */
#include "costly.h"
#include "draws.h"

enum {
    FITS = 70,
    PREPARE = 30,
    INFER = 200,
    KERNEL = 90000,
    WALK = 500,
    ALLOCATE = 40,
    FEED = 800,
    COPY_OUT = 300,
    READ = 7
};

static int64_t clock_at;
static int64_t read_costs;

static int64_t ticks(void)
{
    clock_at += read_costs;
    return clock_at;
}

static void spend(int64_t ns)
{
    clock_at += ns;
}

static double step_of(tare__arm *a)
{
    ck_assert_int_eq(a->step(a), TARE_OK);
    int64_t from = clock_at;
    ck_assert_int_eq(a->step(a), TARE_OK);
    return (double)(clock_at - from);
}

enum { ROUNDS = 6 };

/* Rounds of the arm and its floor, as a run has them; steps longer than they were by `share`. */
static void observe(const char *rung, bool around, double share, tare__decomposition *d, int64_t *allocations)
{
    tare__arm arm, floor;
    tare__observation o[ROUNDS];
    tare__spans spans;
    costs.fits = FITS;
    costs.prepare = PREPARE;
    costs.infer = INFER;
    costs.kernel = KERNEL;
    costs.walk = WALK;
    costs.allocate = ALLOCATE;
    costs.feed = FEED;
    costs.read = COPY_OUT;
    ck_assert_msg(costly_open(rung, around, &arm) == TARE_OK, "%s", tare_error_text());
    ck_assert_msg(costly_open("kernels", false, &floor) == TARE_OK, "%s", tare_error_text());
    tare_counts counts;
    ck_assert_int_eq(tare__arm_count(&arm, &counts), TARE_OK);
    *allocations = counts.allocations;
    tare__spans_init(&spans, &arm, ticks);
    for (int k = 0; k < ROUNDS; ++k) {
        o[k] = (tare__observation){.process = k / 2, .step = (1 + share) * step_of(&arm), .floor = step_of(&floor)};
        o[k].block = o[k].step;
        o[k].null = o[k].step - o[k].floor;
        for (int p = 0; p < TARE__PART_COUNT; ++p)
            o[k].rung[p] = o[k].order[TARE__UP][p] = o[k].order[TARE__DOWN][p] = o[k].order[TARE__SHAPLEY][p] =
                (double)NAN;
        for (int probing = 1; probing <= TARE__PROBINGS; ++probing) {
            tare__span_sums *sums = &o[k].span[probing - 1];
            *sums = (tare__span_sums){0};
            ck_assert_int_eq(tare__spans_run(&spans, probing, 3, sums), TARE_OK);
            tare__spans_scale(sums, 1 / 3.0);
        }
    }
    tare__decompose(o, ROUNDS, 1, 2 * DEPTH, d);
    ck_assert(!arm.rt->trace.event);
    tare__arm_close(&arm);
    tare__arm_close(&floor);
    ck_assert_int_eq(arm.lost + floor.lost, 0);
}

static void is(const tare__decomposition *d, tare__part part, double wanted)
{
    ck_assert_msg(fabs(d->part[part].mean - wanted) < 1e-6 * d->step.mean, "%s: %.3f, not %.3f",
                  tare__part_texts[part].name, d->part[part].mean, wanted);
}

/* ---- tests ---------------------------------------------------------------------------------------------------*/

static void check_rows(int64_t reading)
{
    tare__decomposition d;
    int64_t allocations;
    read_costs = reading;
    observe("functional", false, 0, &d, &allocations);
    ck_assert_msg(d.closed, "%s", d.cause);
    ck_assert(d.by_spans);
    ck_assert_double_eq_tol(d.probe_ns, (double)read_costs, 1e-9);
    is(&d, TARE__PART_KERNEL, DEPTH * KERNEL);
    is(&d, TARE__PART_DISPATCH, DEPTH * (FITS + PREPARE));
    is(&d, TARE__PART_SHAPE, DEPTH * INFER);
    ck_assert_int_gt(allocations, 2 * DEPTH); /* each result and gradient */
    is(&d, TARE__PART_ALLOCATION, (double)allocations * ALLOCATE);
    is(&d, TARE__PART_TAPE, DEPTH * WALK);
    is(&d, TARE__PART_WRAPPER, 0);
    is(&d, TARE__PART_CACHE, 0);
    is(&d, TARE__PART_UNATTRIBUTED, 0);
}

START_TEST(each_in_its_row)
{
    check_rows(0);
    check_rows(READ);
}
END_TEST

static void check_captured(const char *rung, double dispatch)
{
    tare__decomposition d;
    int64_t allocations;
    read_costs = READ;
    observe(rung, false, 0, &d, &allocations);
    ck_assert_msg(d.closed, "%s", d.cause);
    is(&d, TARE__PART_KERNEL, DEPTH * KERNEL);
    is(&d, TARE__PART_DISPATCH, dispatch);
    is(&d, TARE__PART_SHAPE, 0);
    is(&d, TARE__PART_TAPE, 0);
}

/* A captured node's variant is chosen and prepared anew, or its call is bound. */
START_TEST(what_a_plan_saves)
{
    check_captured("hybridized", DEPTH * (FITS + PREPARE));
    check_captured("static_shape", 0);
    check_captured("symbol", 0);
}
END_TEST

static void check_around(const char *rung, double copied, double tape)
{
    tare__decomposition d;
    int64_t allocations;
    read_costs = READ;
    observe(rung, true, 0, &d, &allocations);
    ck_assert_msg(d.closed, "%s", d.cause);
    is(&d, TARE__PART_KERNEL, DEPTH * KERNEL);
    is(&d, TARE__PART_TAPE, tape);
    is(&d, TARE__PART_INPUT, copied);
    is(&d, TARE__PART_READBACK, COPY_OUT);
    is(&d, TARE__PART_UNATTRIBUTED, 0);
}

/* The batch copied into its place before a step, the outputs read after it. */
START_TEST(what_is_around_a_step)
{
    check_around("functional", FEED, DEPTH * WALK);
    check_around("static_shape", FEED, 0);
    check_around("symbol", FEED, 0);
}
END_TEST

START_TEST(what_does_not_add_up_is_refused)
{
    tare__decomposition d;
    int64_t allocations;
    read_costs = READ;
    observe("functional", false, 0.03, &d, &allocations);
    ck_assert(!d.closed);
    ck_assert_str_ne(d.cause, "");
    observe("functional", false, -0.03, &d, &allocations);
    ck_assert(!d.closed);
    observe("functional", false, 0.01, &d, &allocations);
    ck_assert(d.closed);
    is(&d, TARE__PART_UNATTRIBUTED, 0.01 / 1.01 * d.step.mean);
}
END_TEST

SUITE_MAIN("spans", each_in_its_row, what_a_plan_saves, what_is_around_a_step, what_does_not_add_up_is_refused)
