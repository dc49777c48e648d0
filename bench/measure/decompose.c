/* decompose.c - a step's parts (see decompose.h). */
#include "decompose.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/command.h"

/* Means over the middle half of a process's rounds, by the ratio of the traced to the untraced step: the same rounds
 * for all, so that sums stay sums, and a round of which only one half was disturbed moves none of them. */
typedef struct {
    tare__observation mean;
    double part[TARE__PART_COUNT];
    double probes, total;
} process_mean;

/* The traced step, told once, over the untraced one. */
static double ratio_of(const tare__observation *o)
{
    double sum = 0;
    for (int p = 0; p < TARE__PART_COUNT; ++p)
        sum += o->span[0].ns[p];
    return sum / o->step;
}

static int by_ratio(const void *a, const void *b)
{
    double x = ratio_of(a), y = ratio_of(b);
    return (x > y) - (x < y);
}

static void add(tare__observation *sum, const tare__observation *o, double share)
{
    sum->step += share * o->step;
    sum->block += share * o->block;
    sum->floor += share * o->floor;
    sum->null += share * o->null;
    for (int p = 0; p < TARE__PART_COUNT; ++p) {
        sum->rung[p] += share * o->rung[p];
        for (int k = 0; k < TARE__ORDERS; ++k)
            sum->order[k][p] += share * o->order[k][p];
        for (int k = 0; k < TARE__PROBINGS; ++k) {
            sum->span[k].ns[p] += share * o->span[k].ns[p];
            sum->span[k].probes[p] += share * o->span[k].probes[p];
        }
    }
}

/* What one probe takes in a round, from three tellings and one; the kernels left out. *bend: see decompose.h. */
static double probe_of(const tare__observation *o, double *bend)
{
    double told[TARE__PROBINGS] = {0}, n = 0;
    for (int p = 0; p < TARE__PART_COUNT; ++p) {
        if (p == TARE__PART_KERNEL || p == TARE__PART_UNATTRIBUTED)
            continue; /* a step's end is told once */
        n += o->span[0].probes[p];
        for (int k = 0; k < TARE__PROBINGS; ++k)
            told[k] += o->span[k].ns[p];
    }
    *bend = told[2] > told[0] ? (told[1] - (told[0] + told[2]) / 2) / (told[2] - told[0]) : 0;
    return n > 0 ? (told[2] - told[0]) / 2 / n : 0;
}

/* The median of all rounds: a probe is the same code in all of them, and a disturbed round is no price. */
static void price_probes(const tare__observation *o, int n, tare__decomposition *d)
{
    double *ns = tare__take((size_t)n + 1, sizeof *ns), *bend = tare__take((size_t)n + 1, sizeof *bend);
    for (int k = 0; k < n; ++k)
        ns[k] = probe_of(&o[k], &bend[k]);
    d->probe_ns = fmax(0, tare__median(ns, n));
    d->bend = tare__median(bend, n);
    free(ns);
    free(bend);
}

static void split(process_mean *m, double probe_ns)
{
    const tare__span_sums *s = &m->mean.span[0];
    double kernels = s->ns[TARE__PART_KERNEL] - s->probes[TARE__PART_KERNEL] * probe_ns;
    m->total = kernels;
    for (int p = 0; p < TARE__PART_COUNT; ++p) {
        m->part[p] = s->ns[p] - s->probes[p] * probe_ns;
        m->probes += s->probes[p];
        if (p != TARE__PART_KERNEL && p != TARE__PART_UNATTRIBUTED)
            m->total += m->part[p];
    }
    m->part[TARE__PART_KERNEL] = m->mean.floor;
    m->part[TARE__PART_CACHE] = kernels - m->mean.floor;
}

static int means_of(const tare__observation *o, int n, double probe_ns, process_mean *mean)
{
    tare__observation *sorted = tare__take((size_t)n + 1, sizeof *sorted);
    int n_means = 0;
    for (int from = 0, to; from < n; from = to) {
        for (to = from; to < n && o[to].process == o[from].process; ++to)
            sorted[to - from] = o[to];
        int count = to - from, cut = count / 4, kept = count - 2 * cut;
        qsort(sorted, (size_t)count, sizeof *sorted, by_ratio);
        process_mean *m = &mean[n_means++];
        memset(m, 0, sizeof *m);
        for (int k = cut; k < count - cut; ++k)
            add(&m->mean, &sorted[k], 1.0 / kept);
        split(m, probe_ns);
    }
    free(sorted);
    return n_means;
}

/* ---- over processes ------------------------------------------------------------------------------------------*/

/* The interval of a figure that stands `offset` bytes into each process's means. */
static tare__interval over(const process_mean *m, int n, size_t offset)
{
    double *x = tare__take((size_t)n + 1, sizeof *x);
    for (int i = 0; i < n; ++i)
        memcpy(&x[i], (const char *)&m[i] + offset, sizeof x[i]);
    tare__interval interval = tare__interval_of(x, n);
    free(x);
    return interval;
}
#define OVER(field) over(m, n, offsetof(process_mean, field))

static void refuse(tare__decomposition *d, const char *format, double share, double limit)
{
    if (d->closed)
        (void)snprintf(d->cause, sizeof d->cause, format, 100 * share, 100 * limit);
    d->closed = false;
}

static void close_spans(tare__decomposition *d, process_mean *m, int n)
{
    for (int i = 0; i < n; ++i)
        m[i].part[TARE__PART_UNATTRIBUTED] /= m[i].total;
    double tail = OVER(part[TARE__PART_UNATTRIBUTED]).mean;
    for (int i = 0; i < n; ++i)
        m[i].part[TARE__PART_UNATTRIBUTED] = m[i].mean.step - m[i].total;
    for (int p = 0; p < TARE__PART_COUNT; ++p)
        d->part[p] = OVER(part[p]);
    d->unattributed = tail;
    d->residual = (OVER(total).mean - d->step.mean) / d->step.mean;
    if (!(fabs(d->residual) <= d->limit))
        refuse(d, "the parts' sum is %+.1f %% off the untraced step, more than %g %%", d->residual, d->limit);
    if (!(fabs(d->unattributed) <= d->limit))
        refuse(d, "%.1f %% of the traced step stand in no part, more than %g %%", d->unattributed, d->limit);
    if (d->probe_ns > TARE__PROBE_LIMIT_NS)
        refuse(d, "a probe takes more than 30 ns here, so that spans say little", 0, 0);
}

/* Kernels from the floor, the rest from rungs next to each other. */
static void close_ladder(tare__decomposition *d, process_mean *m, int n)
{
    for (int i = 0; i < n; ++i) {
        double rest = m[i].mean.block - m[i].mean.floor;
        for (int p = 0; p < TARE__PART_COUNT; ++p) {
            double part = isfinite(m[i].mean.rung[p]) ? m[i].mean.rung[p] : 0;
            m[i].part[p] = p == TARE__PART_KERNEL ? m[i].mean.floor : part;
            rest -= p == TARE__PART_KERNEL ? 0 : part;
        }
        m[i].part[TARE__PART_UNATTRIBUTED] = rest;
    }
    for (int p = 0; p < TARE__PART_COUNT; ++p)
        d->part[p] = OVER(part[p]);
    d->limit = TARE__CLOSED_LADDER;
    d->residual = (d->step.mean - d->floor.mean - d->null.mean) / d->step.mean;
    d->unattributed = d->part[TARE__PART_UNATTRIBUTED].mean / d->step.mean;
    if (!(fabs(d->residual) <= d->limit))
        refuse(d,
               "the arm less its kernels and the arm with null kernels differ by %.1f %% of the step, more than %g %%",
               d->residual, d->limit);
    if (!(fabs(d->unattributed) <= d->limit))
        refuse(d, "no two rungs say what %.1f %% of the step are, more than %g %%", d->unattributed, d->limit);
}

int tare__methods_of(const tare__decomposition *d, tare__part p, double *least, double *most)
{
    const double said[] = {d->by_spans ? d->part[p].mean : (double)NAN, d->ladder[p].mean, d->order[TARE__UP][p].mean,
                           d->order[TARE__DOWN][p].mean, d->order[TARE__SHAPLEY][p].mean};
    int n = 0;
    *least = *most = (double)NAN;
    for (size_t k = 0; k < sizeof said / sizeof *said; ++k) {
        n += isfinite(said[k]);
        *least = fmin(*least, said[k]); /* of a number and none, fmin gives the number */
        *most = fmax(*most, said[k]);
    }
    return n;
}

void tare__decompose(const tare__observation *o, int n_rounds, int threads, double kernel_calls, tare__decomposition *d)
{
    process_mean *m = tare__take((size_t)n_rounds + 1, sizeof *m);
    *d =
        (tare__decomposition){.closed = n_rounds > 0, .limit = threads > 1 ? TARE__CLOSED_THREADS : TARE__CLOSED_ALONE};
    price_probes(o, n_rounds, d);
    int n = means_of(o, n_rounds, d->probe_ns, m);
    d->step = OVER(mean.step);
    d->floor = OVER(mean.floor);
    d->null = OVER(mean.null);
    for (int p = 0; p < TARE__PART_COUNT; ++p)
        d->ladder[p] = OVER(mean.rung[p]);
    for (int k = 0; k < TARE__ORDERS; ++k)
        for (int p = 0; p < TARE__PART_COUNT; ++p)
            d->order[k][p] = OVER(mean.order[k][p]);
    d->probes = OVER(probes).mean;
    d->by_spans = d->step.mean / fmax(kernel_calls, 1) >= TARE__PROBES_A_NODE * d->probe_ns;
    if (!d->by_spans)
        d->step = OVER(mean.block);
    if (n == 0)
        (void)snprintf(d->cause, sizeof d->cause, "nothing was measured");
    else if (d->by_spans)
        close_spans(d, m, n);
    else
        close_ladder(d, m, n);
    free(m);
}
