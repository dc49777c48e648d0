/* explanation.c - from a command's arms to the arms of a run, and from its rounds to their parts (see explain.h). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"

/* The arm of a setting, under a name of its own; -1: none. */
static int find(const tare__specs *specs, const tare__setting *s, bool spans)
{
    for (int i = 0; i < specs->n; ++i)
        if (specs->spec[i].setting.rung == s->rung && specs->spec[i].spans == spans &&
            memcmp(specs->spec[i].setting.level, s->level, sizeof s->level) == 0)
            return i;
    return -1;
}

static int need(tare__specs *specs, const tare__setting *s, const char *format, const char *name)
{
    int i = find(specs, s, false);
    char *own = tare__print(format, name);
    i = i < 0 ? tare__specs_add(specs, own, s) : i;
    free(own);
    return i;
}

static void add_arms(tare__bench_run *r, tare__explained *e)
{
    tare__specs *specs = &r->specs;
    const tare__setting own = specs->spec[e->arm].setting;
    bool with_update = r->task.optimizer != NULL;
    char *name = tare__copy_text(specs->spec[e->arm].name), *traced = tare__print("%s traced", name);
    tare__setting null = own;
    null.level[TARE__KERNELS] = TARE_KERNELS_NULL;
    e->null = own.level[TARE__KERNELS] == TARE_KERNELS_NULL ? -1 : need(specs, &null, "%s null", name);
    e->traced = tare__specs_add(specs, traced, &own);
    specs->spec[e->traced].spans = true;
    e->n_steps = tare__ladder_down(own.rung, with_update, e->step);
    for (int k = 0; k < e->n_steps; ++k) {
        tare__setting to = tare__setting_on(&own, e->step[k].to, with_update);
        e->rung[k] = need(specs, &to, "%s", e->step[k].to->name);
    }
    free(name);
    free(traced);
}

int tare__explanation_arms(tare__bench_run *r, tare__explanation *x)
{
    const tare__line *line = &r->line;
    int code = tare__specs_read(line, &r->task, tare__text(line, "arms"), &r->specs);
    if (code)
        return code;
    if (r->specs.n > TARE__EXPLAINED)
        return tare__usage(line, "%d arms: two stand side by side", r->specs.n);
    x->n = r->specs.n;
    for (int i = 0; i < x->n; ++i)
        x->arm[i].arm = i;
    for (int i = 0; i < x->n; ++i)
        add_arms(r, &x->arm[i]);
    return TARE__RAN;
}

/* ---- rounds --------------------------------------------------------------------------------------------------*/

static bool kept(const tare__results *r, int round)
{
    return r->blocks.round[round].n_blocks == r->blocks.n_arms &&
           (r->summary.kept_all || !r->blocks.round[round].dropped);
}

static void observe(const tare__results *r, const tare__explained *e, int round, tare__observation *o)
{
    const tare__blocks *b = &r->blocks;
    *o = (tare__observation){.process = b->round[round].process, .step = tare__block_step(b, e->arm, round)};
    o->floor = tare__block_step(b, r->reference.base, round);
    o->null = e->null < 0 ? o->step : tare__block_step(b, e->null, round);
    memcpy(o->span, b->block[e->traced][round].span, sizeof o->span);
    for (int p = 0; p < TARE__PART_COUNT; ++p)
        o->rung[p] = (double)NAN;
    double from = o->step;
    for (int k = 0; k < e->n_steps; ++k) {
        double to = tare__block_step(b, e->rung[k], round), *part = &o->rung[e->step[k].part];
        *part = (isfinite(*part) ? *part : 0) + from - to;
        from = to;
    }
    o->rung[TARE__PART_UNATTRIBUTED] = (double)NAN; /* several parts at once are none */
}

void tare__explanation_take(const tare__bench_run *run, tare__explanation *x)
{
    const tare__results *r = &run->results;
    tare__observation *o = tare__take((size_t)r->blocks.n_rounds + 1, sizeof *o);
    for (int i = 0; i < x->n; ++i) {
        tare__explained *e = &x->arm[i];
        int n = 0;
        for (int k = 0; k < r->blocks.n_rounds; ++k)
            if (kept(r, k) && r->blocks.block[e->traced][k].span)
                observe(r, e, k, &o[n++]);
        double calls = (double)tare__opened_count(r, e->arm, "counts", "kernel_calls");
        tare__decompose(o, n, r->specs->spec[e->arm].setting.level[TARE__THREADS], calls, &e->parts);
    }
    free(o);
}
