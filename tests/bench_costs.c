/* bench_costs.c - costs that are known, on the machine's own clock: steps without one and with it are taken apart in
 * turn, and what each row gained is what was put there. Part of `make bench-check`, for it needs a quiet machine.
 *
 * Prints a line a row; ends with 1 where one is more than a tenth off, or a step did not close. */
#include "costly.h"

#include <stdio.h>
#include <stdlib.h>

#include "../bench/base/clock.h"

/* At each place where it is paid, and as much in a step where that is once; the kernel's stands in both steps. */
enum { PUT = 4000, ONCE = DEPTH * PUT, KERNEL = 100000, PROCESSES = 4, ROUNDS = 8, STEPS = 15 };

static void spend(int64_t ns)
{
    if (ns)
        for (int64_t end = tare__clock_ns() + ns; tare__clock_ns() < end;)
            ;
}

static double step_of(tare__arm *a)
{
    int64_t from = tare__clock_ns();
    for (int k = 0; k < STEPS; ++k)
        if (a->step(a) != TARE_OK)
            abort();
    return (double)(tare__clock_ns() - from) / STEPS;
}

static void observe(int process, tare__arm *arm, tare__arm *floor, tare__observation *o)
{
    tare__spans spans;
    tare__spans_init(&spans, arm, NULL);
    *o = (tare__observation){.process = process, .step = step_of(arm), .floor = step_of(floor)};
    o->block = o->step;
    o->null = o->step - o->floor;
    for (int p = 0; p < TARE__PART_COUNT; ++p)
        o->rung[p] = o->order[TARE__UP][p] = o->order[TARE__DOWN][p] = o->order[TARE__SHAPLEY][p] = (double)NAN;
    for (int probing = 1; probing <= TARE__PROBINGS; ++probing) {
        tare__span_sums *sums = &o->span[probing - 1];
        if (tare__spans_run(&spans, probing, STEPS, sums) != TARE_OK)
            abort();
        tare__spans_scale(sums, 1.0 / STEPS);
    }
}

/* A cost: where it is put, how much each time, how often in a step. */
typedef struct {
    tare__part part;
    int64_t *cost, put, times;
} row;

static void must(tare_status status)
{
    if (status == TARE_OK)
        return;
    (void)fprintf(stderr, "%s\n", tare_error_text());
    exit(1);
}

/* Arms of their own for each process; steps without the cost and with it, in turn. */
static void take(const row *r, tare__decomposition *plain, tare__decomposition *with)
{
    static tare__observation without[PROCESSES * ROUNDS], paid[PROCESSES * ROUNDS];
    for (int process = 0; process < PROCESSES; ++process) {
        tare__arm arm, floor;
        must(costly_open("functional", true, &arm));
        must(costly_open("kernels", false, &floor));
        for (int k = process * ROUNDS; k < (process + 1) * ROUNDS; ++k) {
            observe(process, &arm, &floor, &without[k]);
            *r->cost += r->put;
            observe(process, &arm, &floor, &paid[k]);
            *r->cost -= r->put;
        }
        tare__arm_close(&arm);
        tare__arm_close(&floor);
    }
    tare__decompose(without, PROCESSES * ROUNDS, 1, 2 * DEPTH, plain);
    tare__decompose(paid, PROCESSES * ROUNDS, 1, 2 * DEPTH, with);
}

static int64_t allocations_of_a_step(void)
{
    tare__arm arm;
    tare_counts counts;
    must(costly_open("functional", true, &arm));
    must(tare__arm_count(&arm, &counts));
    tare__arm_close(&arm);
    return counts.allocations;
}

/* Prints the row; whether it is wrong. */
static bool wrong(const row *r)
{
    tare__decomposition plain, with;
    take(r, &plain, &with);
    const double put = (double)(r->put * r->times), found = with.part[r->part].mean - plain.part[r->part].mean;
    double elsewhere = 0;
    for (int p = 0; p < TARE__PART_COUNT; ++p)
        if (p != (int)r->part)
            elsewhere = fmax(elsewhere, fabs(with.part[p].mean - plain.part[p].mean));
    const bool bad = !with.closed || fabs(found / put - 1) > 0.1 || elsewhere > put / 5;
    printf("%-12s %6.0f ns put in, %6.0f found, %5.0f at most in another row, %s%s\n", tare__part_texts[r->part].name,
           put, found, elsewhere, with.closed ? "closed" : with.cause, bad ? ": WRONG" : "");
    return bad;
}

int main(void)
{
    const row rows[] = {{TARE__PART_KERNEL, &costs.kernel, PUT, DEPTH},
                        {TARE__PART_DISPATCH, &costs.fits, PUT, DEPTH},
                        {TARE__PART_SHAPE, &costs.infer, PUT, DEPTH},
                        {TARE__PART_ALLOCATION, &costs.allocate, PUT, allocations_of_a_step()},
                        {TARE__PART_TAPE, &costs.walk, PUT, DEPTH},
                        {TARE__PART_INPUT, &costs.feed, ONCE, 1},
                        {TARE__PART_READBACK, &costs.read, ONCE, 1}};
    int n_wrong = 0;
    costs.kernel = KERNEL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i)
        n_wrong += wrong(&rows[i]);
    return n_wrong != 0;
}
