/* explanation.c - from a command's arms to the arms of a run, and from its rounds to their parts (see explain.h). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"
#include "explain.h"
#include "shapley.h"

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

/* Whether a node is so short that spans may not do (decompose.h): a look at some steps, on the safe side. */
static tare_status look_at_nodes(const tare__task *task, const tare__setting *s, bool *are_short)
{
    enum { WARM = 5, STEPS = 20, PROBE_NS = 20 };
    tare__arm a;
    tare_status status = tare__arm_open(&a, task, s, "look");
    if (status != TARE_OK)
        return status;
    status = tare__arm_prepare(&a);
    for (int k = 0; k < WARM && status == TARE_OK; ++k)
        status = a.step(&a);
    int64_t calls = a.rt->counts.kernel_calls, begin = tare__clock_ns();
    for (int k = 0; k < STEPS && status == TARE_OK; ++k)
        status = a.step(&a);
    int64_t ns = tare__clock_ns() - begin;
    calls = a.rt->counts.kernel_calls - calls;
    *are_short = ns < calls * TARE__PROBES_A_NODE * PROBE_NS;
    tare__arm_close(&a);
    return status;
}

/* What is around a step goes last: below the rung kernels stand its calls with nothing read, then with nothing fed. */
static void add_bare(tare__bench_run *r, tare__explained *e, const char *name)
{
    static const struct {
        tare__part part;
        const char *name;
        int n, factor[6];
    } around[] = {
        {TARE__PART_READBACK, "%s kernels unread", 2, {TARE__READBACK, TARE__LOOP}},
        {TARE__PART_INPUT,
         "%s kernels unfed",
         6,
         {TARE__INPUT, TARE__WORKERS, TARE__PREFETCH, TARE__FEED, TARE__SEQUENCE, TARE__ITERATOR}},
    };
    const bool with_update = r->task.optimizer != NULL;
    tare__setting s = e->n_steps ? r->specs.spec[e->rung[e->n_steps - 1]].setting : r->specs.spec[e->arm].setting;
    const tare__setting own = tare__setting_of(s.rung, with_update);
    for (size_t k = 0; k < sizeof around / sizeof *around && e->n_steps < TARE__LADDER_MOST; ++k) {
        const tare__setting before = s;
        for (int i = 0; i < around[k].n; ++i)
            s.level[around[k].factor[i]] = own.level[around[k].factor[i]];
        if (memcmp(before.level, s.level, sizeof s.level) == 0)
            continue;
        e->step[e->n_steps] = (tare__ladder_step){s.rung, around[k].part};
        e->rung[e->n_steps++] = need(&r->specs, &s, around[k].name, name);
    }
}

/* Several mechanisms go from functional to symbol at once: the carrier tells them apart. */
static void add_corners(tare__bench_run *r, tare__explained *e)
{
    char name[TARE__MECHANISMS_INSIDE + 1] = {0};
    e->carried = true;
    for (unsigned set = 0; set < 1u << TARE__MECHANISMS_INSIDE; ++set) {
        tare__setting s = tare__mechanisms_on(&r->specs.spec[e->arm].setting, set, r->task.optimizer != NULL);
        for (int i = 0; i < TARE__MECHANISMS_INSIDE; ++i)
            name[i] = set >> i & 1 ? '1' : '0';
        e->corner[set] = need(&r->specs, &s, "carrier %s", name);
    }
}

static int add_arms(tare__bench_run *r, tare__explained *e)
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
    add_bare(r, e, name);
    free(name);
    free(traced);
    bool are_short = false, passes = false;
    for (int k = 0; k < e->n_steps; ++k)
        passes |= e->step[k].part == TARE__PART_UNATTRIBUTED;
    const bool all = tare__given(&r->line, "methods");
    tare_status status = passes && !all ? look_at_nodes(&r->task, &own, &are_short) : TARE_OK;
    if (passes && status == TARE_OK && (all || are_short))
        add_corners(r, e);
    return status == TARE_OK ? TARE__RAN : tare__status_usage(&r->line, status);
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
    for (int i = 0; i < x->n && !code; ++i)
        code = add_arms(r, &x->arm[i]);
    return code;
}

/* ---- rounds --------------------------------------------------------------------------------------------------*/

static bool kept(const tare__blocks *b, const tare__summary *s, int round)
{
    return b->round[round].n_blocks == b->n_arms && (s->kept_all || !b->round[round].dropped);
}

static void add_part(tare__observation *o, tare__part part, double ns)
{
    o->rung[part] = (isfinite(o->rung[part]) ? o->rung[part] : 0) + ns;
}

/* From functional to symbol by the carrier: the mechanisms' shares. What is left when none is on, the net's calls and
 * the carrier's cursor, is wrapper, less what functional, which has no cursor, takes less than the carrier with all on.
 */
static void observe_carried(const tare__blocks *b, const tare__explained *e, int round, double functional,
                            double symbol, tare__observation *o)
{
    enum { SETS = 1 << TARE__MECHANISMS_INSIDE };
    double value[SETS], share[TARE__MECHANISMS_INSIDE];
    for (int set = 0; set < SETS; ++set)
        value[set] = tare__block_step(b, e->corner[set], round);
    for (tare__order k = 0; k < TARE__ORDERS; ++k) {
        if (k == TARE__SHAPLEY)
            tare__shapley(value, TARE__MECHANISMS_INSIDE, share);
        else
            tare__marginals(value, TARE__MECHANISMS_INSIDE, k == TARE__DOWN, share);
        for (int i = 0; i < TARE__MECHANISMS_INSIDE; ++i)
            o->order[k][tare__mechanisms[i].part] = share[i];
    }
    for (int i = 0; i < TARE__MECHANISMS_INSIDE; ++i)
        add_part(o, tare__mechanisms[i].part, share[i]);
    add_part(o, TARE__PART_WRAPPER, (value[0] - symbol) + (functional - value[SETS - 1]));
}

static void observe(const tare__blocks *b, int floor, const tare__explained *e, int round, tare__observation *o)
{
    *o = (tare__observation){.process = b->round[round].process,
                             .step = b->block[e->traced][round].plain_ns,
                             .block = tare__block_step(b, e->arm, round)};
    o->floor = tare__block_step(b, e->n_steps ? e->rung[e->n_steps - 1] : floor, round);
    o->null = e->null < 0 ? o->block : tare__block_step(b, e->null, round);
    memcpy(o->span, b->block[e->traced][round].span, sizeof o->span);
    for (int p = 0; p < TARE__PART_COUNT; ++p)
        o->rung[p] = o->order[TARE__UP][p] = o->order[TARE__DOWN][p] = o->order[TARE__SHAPLEY][p] = (double)NAN;
    double from = o->block;
    for (int k = 0; k < e->n_steps; ++k) {
        double to = tare__block_step(b, e->rung[k], round);
        if (e->step[k].part == TARE__PART_UNATTRIBUTED && e->carried)
            observe_carried(b, e, round, from, to, o);
        else
            add_part(o, e->step[k].part, from - to);
        from = to;
    }
    o->rung[TARE__PART_UNATTRIBUTED] = (double)NAN; /* several parts at once are none */
}

void tare__explained_take(const tare__blocks *b, const tare__summary *s, int floor, int threads, double kernel_calls,
                          tare__explained *e)
{
    tare__observation *o = tare__take((size_t)b->n_rounds + 1, sizeof *o);
    int n = 0;
    for (int k = 0; k < b->n_rounds; ++k)
        if (kept(b, s, k) && b->block[e->traced][k].span)
            observe(b, floor, e, k, &o[n++]);
    tare__decompose(o, n, threads, kernel_calls, &e->parts);
    free(o);
}

void tare__explanation_take(const tare__bench_run *run, tare__explanation *x)
{
    const tare__results *r = &run->results;
    for (int i = 0; i < x->n; ++i) {
        tare__explained *e = &x->arm[i];
        double calls = (double)tare__opened_count(r, e->arm, "counts", "kernel_calls");
        tare__explained_take(&r->blocks, &r->summary, r->reference.base,
                             r->specs->spec[e->arm].setting.level[TARE__THREADS], calls, e);
    }
}
