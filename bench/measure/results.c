/* results.c - what the processes of a run said, gathered (see results.h). */
#include "results.h"

#include <stdlib.h>
#include <string.h>

/* Whether two settings differ in the factor kernels alone. */
static bool only_kernels_differ(const tare__setting *a, const tare__setting *b)
{
    for (int f = 0; f < TARE__FACTOR_COUNT; ++f)
        if (f != TARE__KERNELS && a->level[f] != b->level[f])
            return false;
    return a->rung == b->rung;
}

static int null_of(const tare__specs *specs, int arm)
{
    for (int i = 0; i < specs->n; ++i)
        if (i != arm && specs->spec[i].setting.level[TARE__KERNELS] == TARE_KERNELS_NULL &&
            only_kernels_differ(&specs->spec[i].setting, &specs->spec[arm].setting))
            return i;
    return -1;
}

void tare__results_init(tare__results *r, const tare__specs *specs, int base, int again, const tare__task *task,
                        const tare__facts *facts, json_t *run)
{
    *r = (tare__results){.specs = specs, .task = task, .facts = facts, .run = run};
    r->opening = tare__take((size_t)specs->n, sizeof *r->opening);
    int n = specs->n + TARE__RATE_COUNT;
    tare__blocks_init(&r->blocks, n);
    tare__reference *reference = &r->reference;
    tare__reference_init(reference, n);
    reference->base = base;
    reference->again = again;
    reference->sgemm = specs->n + TARE__SGEMM;
    reference->triad = specs->n + TARE__TRIAD;
    reference->flops = facts->flops;
    reference->nodes = facts->nodes;
    reference->n_work = facts->n_work;
    reference->work = tare__take((size_t)facts->n_work + 1, sizeof *reference->work);
    memcpy(reference->work, facts->work, (size_t)facts->n_work * sizeof *facts->work);
    for (int i = 0; i < specs->n; ++i) {
        const int *level = specs->spec[i].setting.level;
        reference->computes[i] = level[TARE__KERNELS] != TARE_KERNELS_NULL &&
                                 level[TARE__THREADS] == specs->spec[base].setting.level[TARE__THREADS];
        reference->null[i] = null_of(specs, i);
    }
}

void tare__results_fini(tare__results *r)
{
    for (int i = 0; r->specs && i < r->specs->n; ++i)
        json_decref(r->opening[i]);
    free(r->opening);
    tare__summary_fini(&r->summary);
    tare__reference_fini(&r->reference);
    tare__blocks_fini(&r->blocks);
    *r = (tare__results){0};
}

const char *tare__results_name(const tare__results *r, int arm)
{
    return arm < r->specs->n ? r->specs->spec[arm].name : tare__rate_names[arm - r->specs->n];
}

/* Of a name; -1: none. */
static int arm_of(const tare__results *r, const char *name)
{
    for (int i = 0; name && i < r->blocks.n_arms; ++i)
        if (strcmp(tare__results_name(r, i), name) == 0)
            return i;
    return -1;
}

static void take_process(tare__results *r, const json_t *record)
{
    const char *unsteady = tare__field_text(record, "unsteady");
    ++r->n_done;
    r->done_ns += (double)tare__field(record, "wall_ns");
    if (!unsteady)
        return;
    ++r->n_unsteady;
    snprintf(r->unsteady, sizeof r->unsteady, "%s", unsteady);
}

void tare__results_take(tare__results *r, json_t *record)
{
    const char *kind = tare__field_text(record, "kind");
    int arm = arm_of(r, tare__field_text(record, "arm"));
    if (strcmp(kind, "block") == 0) {
        (void)tare__blocks_take(&r->blocks, arm, record);
    } else if (strcmp(kind, "process") == 0) {
        take_process(r, record);
    } else if (strcmp(kind, "opening") == 0 && arm >= 0 && arm < r->specs->n) {
        json_decref(r->opening[arm]);
        r->opening[arm] = json_incref(record);
    }
}

void tare__results_summarise(tare__results *r)
{
    tare__summary_fini(&r->summary);
    tare__summary_take(&r->summary, &r->blocks, &r->reference);
}

int64_t tare__opened_count(const tare__results *r, int arm, const char *group, const char *field)
{
    return tare__field(json_object_get(r->opening[arm], group), field);
}
