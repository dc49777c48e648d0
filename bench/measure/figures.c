/* figures.c - blocks summed up (see figures.h). */
#include "figures.h"

#include <math.h>
#include <stdlib.h>

#include "../base/command.h"
#include "rates.h"
#include "trust.h"

void tare__reference_init(tare__reference *r, int n_arms)
{
    *r = (tare__reference){n_arms, -1, -1, -1, -1, .limit = TARE__TRUST_LIMIT};
    r->computes = tare__take((size_t)n_arms, sizeof *r->computes);
    r->null = tare__take((size_t)n_arms, sizeof *r->null);
    for (int i = 0; i < n_arms; ++i)
        r->null[i] = -1;
}

void tare__reference_fini(tare__reference *r)
{
    free(r->computes);
    free(r->null);
    free(r->work);
    *r = (tare__reference){0};
}

typedef struct {
    const tare__blocks *blocks;
    const tare__reference *reference;
    const tare__summary *summary;
} source;

static bool kept(const source *s, int round)
{
    return s->summary->kept_all || !s->blocks->round[round].dropped;
}

/* ---- over processes ------------------------------------------------------------------------------------------*/

static double of_step(const source *s, int arm, int round)
{
    return tare__block_step(s->blocks, arm, round);
}

static double of_log(const source *s, int arm, int round)
{
    return log(tare__block_step(s->blocks, arm, round) / tare__block_step(s->blocks, s->reference->base, round));
}

typedef struct {
    double *each; /* [n]: of each process */
    int n;
    double variance; /* sum over processes of the variance of their means */
} centres;

/* What `centre` makes of each process's kept rounds. */
static centres over_processes(const source *s, int arm, double (*of)(const source *, int, int),
                              double (*centre)(double *, int))
{
    int n_rounds = s->blocks->n_rounds;
    centres c = {tare__take((size_t)n_rounds + 1, sizeof *c.each), 0, 0};
    double *x = tare__take((size_t)n_rounds + 1, sizeof *x);
    for (int k = 0; k < n_rounds;) {
        int process = s->blocks->round[k].process, n = 0;
        for (; k < n_rounds && s->blocks->round[k].process == process; ++k)
            if (kept(s, k))
                x[n++] = of(s, arm, k);
        if (!n)
            continue;
        double error = n > 1 ? tare__standard_error(x, n) : 0;
        c.variance += error * error;
        c.each[c.n++] = centre(x, n);
    }
    free(x);
    return c;
}

static double plain_mean(double *x, int n)
{
    return tare__mean(x, n);
}

static void take_intervals(const source *s, int i, tare__figures *arm)
{
    centres step = over_processes(s, i, of_step, plain_mean);
    arm->step = tare__interval_of(step.each, step.n);
    free(step.each);
    arm->logs = (tare__interval){(double)NAN, (double)NAN, (double)NAN, (double)NAN, 0};
    arm->least = arm->greatest = arm->within = (double)NAN;
    if (s->reference->base < 0)
        return;
    centres logs = over_processes(s, i, of_log, tare__interquartile_mean);
    arm->logs = tare__interval_of(logs.each, logs.n);
    arm->least = exp(tare__minimum(logs.each, logs.n));
    for (int p = 0; p < logs.n; ++p)
        logs.each[p] = -logs.each[p];
    arm->greatest = exp(-tare__minimum(logs.each, logs.n));
    arm->within = logs.n ? sqrt(logs.variance) / logs.n : (double)NAN;
    free(logs.each);
}

static double of_step_log(const source *s, int arm, int round)
{
    return log(tare__block_step(s->blocks, arm, round));
}

double *tare__process_logs(const tare__summary *summary, const tare__blocks *b, int arm, int *n)
{
    source s = {b, NULL, summary};
    centres logs = over_processes(&s, arm, of_step_log, tare__interquartile_mean);
    *n = logs.n;
    return logs.each;
}

static double of_difference(const source *s, int arm, int round)
{
    return of_step(s, arm, round) - of_step(s, s->reference->base, round);
}

tare__interval tare__paired(const tare__summary *summary, const tare__blocks *b, int arm, int other)
{
    const tare__reference reference = {.base = other};
    source s = {b, &reference, summary};
    centres difference = over_processes(&s, arm, of_difference, tare__interquartile_mean);
    tare__interval interval = tare__interval_of(difference.each, difference.n);
    free(difference.each);
    return interval;
}

/* ---- over rounds ---------------------------------------------------------------------------------------------*/

/* FLOPs and bytes a nanosecond, in that round. */
static double gemm_rate(const source *s, int round)
{
    int sgemm = s->reference->sgemm;
    return sgemm < 0 ? (double)NAN : TARE__SGEMM_FLOPS / tare__block_step(s->blocks, sgemm, round);
}

static double triad_rate(const source *s, int round)
{
    int triad = s->reference->triad;
    return triad < 0 ? (double)NAN : TARE__TRIAD_BYTES / tare__block_step(s->blocks, triad, round);
}

static double roof_ns(const source *s, int round)
{
    double gemm = gemm_rate(s, round), triad = triad_rate(s, round), sum = 0;
    for (int w = 0; w < s->reference->n_work; ++w) {
        const tare__node_work *work = &s->reference->work[w];
        double compute = work->flops / gemm, move = work->bytes / triad;
        sum += (double)work->n * (compute > move ? compute : move);
    }
    return isfinite(gemm) && isfinite(triad) ? sum : (double)NAN;
}

static double share_of_gemm(const source *s, int arm, int round)
{
    return s->reference->flops / of_step(s, arm, round) / gemm_rate(s, round);
}

static double share_of_roof(const source *s, int arm, int round)
{
    return roof_ns(s, round) / of_step(s, arm, round);
}

static double of_gemm(const source *s, int arm, int round)
{
    (void)arm;
    return gemm_rate(s, round);
}

static double of_triad(const source *s, int arm, int round)
{
    (void)arm;
    return triad_rate(s, round);
}

static double of_cpu(const source *s, int arm, int round)
{
    const tare__block *b = &s->blocks->block[arm][round];
    return (double)b->cpu_ns / (double)b->steps;
}

static double least(double *x, int n)
{
    return tare__minimum(x, n);
}

/* What `centre` makes of all kept rounds. */
static double over_rounds(const source *s, int arm, double (*of)(const source *, int, int),
                          double (*centre)(double *, int))
{
    double *x = tare__take((size_t)s->blocks->n_rounds + 1, sizeof *x);
    int n = 0;
    for (int k = 0; k < s->blocks->n_rounds; ++k)
        if (kept(s, k))
            x[n++] = of(s, arm, k);
    double figure = centre(x, n);
    free(x);
    return figure;
}

/* ---- all -----------------------------------------------------------------------------------------------------*/

static void take_arm(const source *s, int i, tare__figures *arm)
{
    arm->min = over_rounds(s, i, of_step, least);
    arm->median = over_rounds(s, i, of_step, tare__median);
    arm->cpu = over_rounds(s, i, of_cpu, plain_mean);
    take_intervals(s, i, arm);
    bool computes = s->reference->computes[i] && s->reference->sgemm >= 0;
    arm->efficiency =
        computes && s->reference->flops > 0 ? over_rounds(s, i, share_of_gemm, tare__median) : (double)NAN;
    arm->roofline = computes && s->reference->triad >= 0 && s->reference->n_work > 0
                        ? over_rounds(s, i, share_of_roof, tare__median)
                        : (double)NAN;
}

/* Whether the arm is one that is compared with the base. */
static bool is_contrast(const tare__reference *r, int arm)
{
    return r->base >= 0 && arm != r->base && arm != r->again && arm != r->sgemm && arm != r->triad;
}

static void adjust(tare__summary *s, const tare__reference *r)
{
    double *p = tare__take((size_t)s->n_arms, sizeof *p), *adjusted = tare__take((size_t)s->n_arms, sizeof *p);
    for (int i = 0; i < s->n_arms; ++i)
        p[i] = is_contrast(r, i) ? tare__p_value(s->arm[i].logs) : (double)NAN;
    tare__holm(p, adjusted, s->n_arms);
    for (int i = 0; i < s->n_arms; ++i)
        s->arm[i].p_holm = adjusted[i];
    free(p);
    free(adjusted);
}

void tare__summary_take(tare__summary *summary, const tare__blocks *b, const tare__reference *r)
{
    *summary = (tare__summary){.n_arms = b->n_arms, .n_rounds = b->n_rounds};
    summary->arm = tare__take((size_t)b->n_arms, sizeof *summary->arm);
    for (int k = 0; k < b->n_rounds; ++k) {
        summary->n_dropped += b->round[k].dropped;
        summary->n_processes += k == 0 || b->round[k].process != b->round[k - 1].process;
    }
    summary->kept_all = 2 * summary->n_dropped > b->n_rounds;
    source s = {b, r, summary};
    for (int i = 0; i < b->n_arms; ++i)
        take_arm(&s, i, &summary->arm[i]);
    for (int i = 0; i < b->n_arms; ++i)
        summary->arm[i].null_min = r->null[i] >= 0 ? summary->arm[r->null[i]].min : (double)NAN;
    summary->gemm_gflops = over_rounds(&s, 0, of_gemm, tare__median);
    summary->bandwidth = over_rounds(&s, 0, of_triad, tare__median);
    adjust(summary, r);
    tare__trust_judge(summary, r);
}

void tare__summary_fini(tare__summary *s)
{
    free(s->arm);
    *s = (tare__summary){0};
}

const char *tare__verdict(const tare__summary *s, const tare__reference *r, int arm)
{
    if (!s->trusted || !is_contrast(r, arm) || !isfinite(s->arm[arm].p_holm))
        return NULL;
    if (s->arm[arm].p_holm >= 0.05)
        return "no difference";
    return s->arm[arm].logs.mean > 0 ? "slower" : "faster";
}
