/* bench_costs.c - costs that are known, on the machine's own clock: a step is taken apart without them and with them,
 * and what each row gained is what was put there. Part of `make bench-check`, for it needs a quiet machine.
 *
 * Prints a line a row; ends with 1 where one is more than a tenth off, or a step did not close. */
#include "costly.h"

#include <stdio.h>
#include <stdlib.h>

#include "../bench/base/clock.h"

/* Each a step's part of its own; the kernel's stands in both steps. */
enum { PUT = 4000, KERNEL = 100000, PROCESSES = 4, ROUNDS = 8, STEPS = 15 };

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

/* Arms of their own for each `process`, in turn; *allocations: of a step. */
static void take(tare__decomposition *d, int64_t *allocations)
{
    static tare__observation o[PROCESSES * ROUNDS];
    for (int process = 0; process < PROCESSES; ++process) {
        tare__arm arm, floor;
        tare_counts counts;
        if (costly_open("functional", true, &arm) != TARE_OK || costly_open("kernels", false, &floor) != TARE_OK ||
            tare__arm_count(&arm, &counts) != TARE_OK) {
            (void)fprintf(stderr, "%s\n", tare_error_text());
            exit(1);
        }
        *allocations = counts.allocations;
        for (int k = 0; k < ROUNDS; ++k)
            observe(process, &arm, &floor, &o[process * ROUNDS + k]);
        tare__arm_close(&arm);
        tare__arm_close(&floor);
    }
    tare__decompose(o, PROCESSES * ROUNDS, 1, 2 * DEPTH, d);
}

int main(void)
{
    static const struct {
        tare__part part;
        int64_t *cost;
    } row[] = {{TARE__PART_KERNEL, &costs.kernel}, {TARE__PART_DISPATCH, &costs.fits},
               {TARE__PART_SHAPE, &costs.infer},   {TARE__PART_ALLOCATION, &costs.allocate},
               {TARE__PART_TAPE, &costs.walk},     {TARE__PART_INPUT, &costs.feed},
               {TARE__PART_READBACK, &costs.read}};
    tare__decomposition plain, with;
    int64_t allocations;
    int wrong = 0;
    costs.kernel = KERNEL;
    take(&plain, &allocations);
    for (size_t i = 0; i < sizeof row / sizeof *row; ++i) {
        *row[i].cost += PUT;
        take(&with, &allocations);
        *row[i].cost -= PUT;
        tare__part part = row[i].part;
        bool once = part == TARE__PART_INPUT || part == TARE__PART_READBACK;
        double put = PUT * (double)(part == TARE__PART_ALLOCATION ? allocations : once ? 1 : DEPTH);
        double found = with.part[part].mean - plain.part[part].mean, elsewhere = 0;
        for (int p = 0; p < TARE__PART_COUNT; ++p)
            if (p != (int)part)
                elsewhere = fmax(elsewhere, fabs(with.part[p].mean - plain.part[p].mean));
        int bad = !with.closed || fabs(found / put - 1) > 0.1 || elsewhere > put / 5;
        wrong += bad;
        printf("%-12s %6.0f ns put in, %6.0f found, %5.0f at most in another row, %s%s\n", tare__part_texts[part].name,
               put, found, elsewhere, with.closed ? "closed" : with.cause, bad ? ": WRONG" : "");
    }
    return wrong != 0;
}
