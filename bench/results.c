/* results.c - blocks gathered and summed up (see results.h). */
#include "results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sgemm.h"

void tare__results_init(tare__results *r, const tare__specs *specs, int base)
{
    *r = (tare__results){.n_arms = specs->n + 1, .base = base};
    r->arm = tare__take((size_t)r->n_arms, sizeof *r->arm);
    for (int i = 0; i < specs->n; ++i) {
        r->arm[i].spec = &specs->spec[i];
        r->arm[i].name = specs->spec[i].name;
    }
    r->arm[specs->n].name = "sgemm";
}

void tare__results_free(tare__results *r)
{
    for (int i = 0; i < r->n_arms; ++i) {
        json_decref(r->arm[i].opened);
        free(r->arm[i].block);
    }
    free(r->arm);
    free(r->dropped);
    *r = (tare__results){0};
}

static int64_t number(const json_t *line, const char *field)
{
    return json_integer_value(json_object_get(line, field));
}

/* Process 0 has the digests; set-up times are those of the process in which the arm came first. */
static void take_opened(tare__results *r, json_t *line)
{
    tare__result *arm = &r->arm[number(line, "opened")];
    if (!arm->opened) {
        arm->opened = json_incref(line);
        return;
    }
    if (number(line, "position") >= number(arm->opened, "position"))
        return;
    static const char *const once[] = {"position", "first_step_ns", "capture_ns"};
    for (int i = 0; i < 3; ++i)
        json_object_set(arm->opened, once[i], json_object_get(line, once[i]));
}

static void begin_round(tare__results *r, const json_t *line)
{
    if (r->n_rounds == r->capacity) {
        r->capacity = r->capacity ? 2 * r->capacity : 64;
        r->dropped = tare__more(r->dropped, (size_t)r->capacity, sizeof *r->dropped);
        for (int i = 0; i < r->n_arms; ++i)
            r->arm[i].block = tare__more(r->arm[i].block, (size_t)r->capacity, sizeof *r->arm[i].block);
    }
    bool dropped = json_is_true(json_object_get(line, "dropped"));
    r->n_dropped += dropped;
    r->dropped[r->n_rounds++] = dropped;
}

bool tare__results_take(tare__results *r, int process, json_t *line)
{
    json_t *opened = json_object_get(line, "opened"), *block = json_object_get(line, "block");
    int64_t arm = json_integer_value(opened ? opened : block);
    if ((!opened && !block) || arm < 0 || arm >= r->n_arms)
        return false;
    if (opened) {
        take_opened(r, line);
        return true;
    }
    if (number(line, "place") == 0)
        begin_round(r, line);
    r->arm[arm].block[r->n_rounds - 1] = (tare__block){process, (int)number(line, "round"), number(line, "steps"),
                                                       number(line, "ns"), number(line, "cpu_ns")};
    return true;
}

/* ---- figures -------------------------------------------------------------------------------------------------*/

static double step_ns(const tare__result *arm, int round)
{
    return (double)arm->block[round].ns / (double)arm->block[round].steps;
}

static bool kept(const tare__results *r, int round)
{
    return r->kept_all || !r->dropped[round];
}

/* The interval over process means of what `of` says of each kept round. */
static tare__interval over_processes(const tare__results *r, int arm, double (*of)(const tare__results *, int, int))
{
    double *mean = tare__take((size_t)r->n_processes + 1, sizeof *mean);
    int n_means = 0;
    for (int p = 0; p < r->n_processes; ++p) {
        double sum = 0;
        int n = 0;
        for (int k = 0; k < r->n_rounds; ++k) {
            if (r->arm[arm].block[k].process != p || !kept(r, k))
                continue;
            sum += of(r, arm, k);
            ++n;
        }
        if (n)
            mean[n_means++] = sum / n;
    }
    tare__interval interval = tare__interval_of(mean, n_means);
    free(mean);
    return interval;
}

static double of_step(const tare__results *r, int arm, int round)
{
    return step_ns(&r->arm[arm], round);
}

static double of_ratio(const tare__results *r, int arm, int round)
{
    return log(step_ns(&r->arm[arm], round) / step_ns(&r->arm[r->base], round));
}

static void summarise_arm(tare__results *r, int i, double flops)
{
    tare__result *arm = &r->arm[i];
    const tare__result *sgemm = &r->arm[r->n_arms - 1];
    double *step = tare__take((size_t)r->n_rounds + 1, sizeof *step),
           *share = tare__take((size_t)r->n_rounds + 1, sizeof *share);
    double cpu = 0;
    int n = 0;
    for (int k = 0; k < r->n_rounds; ++k) {
        if (!kept(r, k))
            continue;
        step[n] = step_ns(arm, k);
        share[n++] = flops / step_ns(arm, k) * step_ns(sgemm, k) / TARE__SGEMM_FLOPS;
        cpu += (double)arm->block[k].cpu_ns / (double)arm->block[k].steps;
    }
    arm->min = tare__minimum(step, n);
    arm->median = tare__median(step, n);
    arm->cpu = n ? cpu / n : (double)NAN;
    bool computes = arm->spec && arm->spec->setting.level[TARE__KERNELS] != TARE_KERNELS_NULL && flops > 0 &&
                    arm->spec->setting.level[TARE__THREADS] == tare__results_threads(r);
    arm->efficiency = !computes ? (double)NAN : tare__median(share, n);
    arm->step = over_processes(r, i, of_step);
    arm->logs = over_processes(r, i, of_ratio);
    free(step);
    free(share);
}

void tare__results_summarise(tare__results *r, const tare__facts *facts)
{
    r->kept_all = 2 * (r->n_rounds - r->n_dropped) < r->n_rounds;
    r->n_processes = 0;
    for (int k = 0; k < r->n_rounds; ++k)
        if (r->arm[0].block[k].process >= r->n_processes)
            r->n_processes = r->arm[0].block[k].process + 1;
    for (int i = 0; i < r->n_arms; ++i)
        summarise_arm(r, i, facts->flops);
}

int tare__results_threads(const tare__results *r)
{
    return r->arm[r->base].spec->setting.level[TARE__THREADS];
}

double tare__results_gemm_gflops(const tare__results *r)
{
    return TARE__SGEMM_FLOPS / r->arm[r->n_arms - 1].median;
}

const char *tare__results_distrust(const tare__results *r)
{
    if (r->kept_all)
        return "more than half of the rounds were disturbed (steal time, involuntary switches), so all were kept: use "
               "a "
               "quieter machine";
    if (r->n_processes < 2)
        return "one process says nothing about the spread between processes: ask for more rounds";
    return NULL;
}

int64_t tare__opened_count(const tare__result *arm, const char *group, const char *field)
{
    return number(json_object_get(arm->opened, group), field);
}
