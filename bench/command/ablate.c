/* ablate.c - `tare ablate`: a base arm, then one flip a row: what it costs or saves, with interval, counts and bytes.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../arm/flips.h"
#include "../arm/mechanisms.h"
#include "../base/table.h"
#include "../measure/bench_run.h"
#include "../measure/effect.h"
#include "../measure/shapley.h"
#include "commands.h"

typedef struct {
    tare__flips flips;
    int base;    /* arm */
    int arm[64]; /* of each flip; -1: it cannot be flipped */
    bool shapley;
    int corner[1 << TARE__MECHANISMS]; /* arm of each set of mechanisms */
} ablation;

enum { FLIPS_MOST = sizeof((ablation){0}.arm) / sizeof(int) };

/* ---- arms ----------------------------------------------------------------------------------------------------*/

static int read_arms(tare__bench_run *r)
{
    const tare__line *line = &r->line;
    const char *rung = tare__text(line, "base");
    ablation *a = r->own = tare__take(1, sizeof *a);
    tare__setting base;
    int code = tare__setting_read(line, &r->task, rung, &base);
    if (!code)
        code = tare__flips_read(line, &r->task, &base, tare__text(line, "factors"), &a->flips);
    if (!code && a->flips.n > FLIPS_MOST)
        code = tare__usage(line, "%d flips in one run (need at most %d): name the factors", a->flips.n, FLIPS_MOST);
    if (code)
        return code;
    a->base = tare__specs_add(&r->specs, base.rung->name, &base);
    int flipped = 0;
    for (int i = 0; i < a->flips.n; ++i) {
        const tare__flip *flip = &a->flips.flip[i];
        a->arm[i] = flip->why ? -1 : tare__specs_add(&r->specs, flip->name, &flip->setting);
        flipped += !flip->why;
    }
    a->shapley = tare__given(line, "shapley");
    for (unsigned set = 0; a->shapley && set < 1u << TARE__MECHANISMS; ++set) {
        char name[8 + TARE__MECHANISMS + 1] = "carrier ";
        tare__setting s = tare__mechanisms_on(&base, set, r->task.optimizer != NULL);
        for (int i = 0; i < TARE__MECHANISMS; ++i)
            name[8 + i] = set >> i & 1 ? '1' : '0';
        a->corner[set] = tare__specs_add(&r->specs, name, &s);
    }
    if (flipped || a->shapley)
        return TARE__RAN;
    const tare__flip *first = &a->flips.flip[0];
    return tare__usage(line, "%s cannot be flipped on %s: %s", tare__factors[first->factor].name, base.rung->name,
                       first->why);
}

static void free_own(tare__bench_run *r)
{
    ablation *a = r->own;
    tare__flips_free(&a->flips);
    free(a);
}

/* ---- lines ---------------------------------------------------------------------------------------------------*/

static json_t *effect_record(const tare__bench_run *r, const tare__flip *flip, int arm, const tare__effect *e)
{
    const ablation *a = r->own;
    const tare__results *results = &r->results;
    const tare__setting *base = &r->specs.spec[a->base].setting;
    char text[32];
    json_t *record = tare__results_line(results, "effect", arm), *counts = json_object();
    tare__interval ratio = tare__interval_exp(e->logs);
    json_object_set_new(record, "factor", json_string(tare__factors[flip->factor].name));
    json_object_set_new(record, "from", json_string(tare__level_name(flip->factor, base->level[flip->factor], text)));
    json_object_set_new(record, "to", json_string(tare__level_name(flip->factor, flip->level, text)));
    json_object_set_new(record, "base", json_string(r->specs.spec[a->base].name));
    json_object_set_new(record, "ns", tare__real(e->ns.mean));
    json_object_set_new(record, "ci95", tare__range(e->ns.low, e->ns.high));
    json_object_set_new(
        record, "ratio",
        json_pack("{s:o,s:o}", "value", tare__real(ratio.mean), "ci95", tare__range(ratio.low, ratio.high)));
    json_object_set_new(record, "p", tare__real(e->p));
    json_object_set_new(record, "p_holm", tare__real(e->p_holm));
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(results->opening[arm], "counts"), name, value) json_object_set_new(
        counts, name, json_integer(json_integer_value(value) - tare__opened_count(results, a->base, "counts", name)));
    json_object_set_new(record, "counts", counts);
    json_object_set_new(record, "peak_bytes",
                        json_integer(tare__field(results->opening[arm], "peak_bytes") -
                                     tare__field(results->opening[a->base], "peak_bytes")));
    json_object_set_new(record, "exact", json_boolean(tare__factors[flip->factor].exact));
    json_object_set_new(record, "same_bits",
                        flip->setting.level[TARE__KERNELS] == TARE_KERNELS_NULL ? json_null()
                                                                                : json_boolean(e->same_bits));
    json_object_set_new(record, "same_calls", json_boolean(e->same_calls));
    return record;
}

/* ---- shares --------------------------------------------------------------------------------------------------*/

typedef struct {
    tare__interval share[TARE__MECHANISMS];
    double up[TARE__MECHANISMS], down[TARE__MECHANISMS]; /* by the ladder, in either order */
} shares;

/* Of the difference between all mechanisms on and none, ns a step; samples are processes. */
static void take_shares(const tare__bench_run *r, shares *s)
{
    enum { SETS = 1 << TARE__MECHANISMS };
    const ablation *a = r->own;
    int n = r->results.summary.n_processes, found;
    double *value = tare__take((size_t)n * SETS + 1, sizeof *value), mean[SETS] = {0};
    for (int set = 0; set < SETS; ++set) {
        double *logs = tare__process_logs(&r->results.summary, &r->results.blocks, a->corner[set], &found);
        for (int p = 0; p < found && p < n; ++p) {
            value[p * SETS + set] = exp(logs[p]);
            mean[set] += exp(logs[p]) / found;
        }
        n = found < n ? found : n; /* processes of which no round was kept are left out in all sets */
        free(logs);
    }
    tare__shapley_intervals(value, n, TARE__MECHANISMS, s->share);
    tare__marginals(mean, TARE__MECHANISMS, false, s->up);
    tare__marginals(mean, TARE__MECHANISMS, true, s->down);
    free(value);
}

static void level_names(const tare__mechanism *m, char on[32], char off[32])
{
    (void)tare__level_name(m->factor, m->on, on);
    (void)tare__level_name(m->factor, m->off, off);
}

static void write_shares(const tare__bench_run *r, tare__journal *journal)
{
    shares s;
    char on[32], off[32];
    take_shares(r, &s);
    for (int i = 0; i < TARE__MECHANISMS; ++i) {
        json_t *record = tare__results_line(&r->results, "share", -1);
        level_names(&tare__mechanisms[i], on, off);
        json_object_set_new(record, "factor", json_string(tare__factors[tare__mechanisms[i].factor].name));
        json_object_set_new(record, "from", json_string(off));
        json_object_set_new(record, "to", json_string(on));
        json_object_set_new(record, "ns", tare__real(s.share[i].mean));
        json_object_set_new(record, "ci95", tare__range(s.share[i].low, s.share[i].high));
        json_object_set_new(record, "up_ns", tare__real(s.up[i]));
        json_object_set_new(record, "down_ns", tare__real(s.down[i]));
        tare__journal_put(journal, record);
    }
}

static void print_shares(const tare__bench_run *r)
{
    const char *head[] = {"<mechanism", "<levels", "share, ns", "95 %", "up", "down"};
    shares s;
    char on[32], off[32];
    double sum = 0;
    take_shares(r, &s);
    tare__table t;
    tare__table_init(&t, head, 6);
    for (int i = 0; i < TARE__MECHANISMS; ++i) {
        level_names(&tare__mechanisms[i], on, off);
        tare__table_put(&t, "%s", tare__factors[tare__mechanisms[i].factor].name);
        tare__table_put(&t, "%s, not %s", on, off);
        tare__table_put(&t, "%.1f", s.share[i].mean);
        tare__table_put(&t, isfinite(s.share[i].low) ? "+-%.1f" : "-", (s.share[i].high - s.share[i].low) / 2);
        tare__table_put(&t, "%.1f", s.up[i]);
        tare__table_put(&t, "%.1f", s.down[i]);
        sum += s.share[i].mean;
    }
    printf("\nthe six mechanisms of the carrier, all on less none: %.1f ns a step, shared out (Shapley); up and down: "
           "each\n"
           "added in the order of the rows, and in the other\n",
           sum);
    tare__table_print(&t, stdout);
    tare__table_fini(&t);
}

static void write_effects(tare__bench_run *r, tare__journal *journal)
{
    const ablation *a = r->own;
    tare__effect effect[FLIPS_MOST];
    tare__effects_take(&r->results, a->base, a->arm, a->flips.n, effect);
    for (int i = 0; i < a->flips.n; ++i)
        if (a->arm[i] >= 0)
            tare__journal_put(journal, effect_record(r, &a->flips.flip[i], a->arm[i], &effect[i]));
    if (a->shapley)
        write_shares(r, journal);
}

/* ---- table ---------------------------------------------------------------------------------------------------*/

/* A signed time. */
static const char *signed_ns(double ns, char *text)
{
    char size[TARE__FIGURE];
    (void)snprintf(text, TARE__FIGURE, "%s%s", ns < 0 ? "-" : "+", tare__figure_ns(fabs(ns), size));
    return text;
}

static void put_flip(tare__table *t, const tare__bench_run *r, const tare__flip *flip, int arm, const tare__effect *e)
{
    const ablation *a = r->own;
    const tare__setting *base = &r->specs.spec[a->base].setting;
    bool trusted = r->results.summary.trusted;
    char from[32], text[TARE__FIGURE], low[TARE__FIGURE], high[TARE__FIGURE], counts[256];
    tare__interval ratio = tare__interval_exp(e->logs);
    double bytes = (double)(tare__field(r->results.opening[arm], "peak_bytes") -
                            tare__field(r->results.opening[a->base], "peak_bytes"));
    const char *verdict = !trusted || !isfinite(e->p_holm) ? "-"
                          : e->p_holm >= 0.05              ? "no difference"
                          : e->ns.mean > 0                 ? "slower"
                                                           : "faster";
    tare__table_put(t, "%s", flip->name);
    tare__table_put(t, "%s", tare__level_name(flip->factor, base->level[flip->factor], from));
    tare__table_put(t, "%s", signed_ns(e->ns.mean, text));
    tare__table_put(t, isfinite(e->ns.low) ? "%s..%s" : "-", signed_ns(e->ns.low, low), signed_ns(e->ns.high, high));
    tare__table_put(t, "%.4f", ratio.mean);
    tare__table_put(t, "%s", verdict);
    tare__table_put(t, "%s%s",
                    bytes < 0   ? "-"
                    : bytes > 0 ? "+"
                                : "",
                    bytes != 0 ? tare__figure_bytes(fabs(bytes), text) : "0");
    bool null = flip->setting.level[TARE__KERNELS] == TARE_KERNELS_NULL;
    tare__table_put(t, "%s",
                    null                                ? "no results"
                    : e->same_bits                      ? "exact"
                    : tare__factors[flip->factor].exact ? "DIFFERS"
                                                        : "inexact");
    tare__counts_difference(&r->results, a->base, arm, counts, sizeof counts);
    tare__table_put(t, "%s", counts);
}

static int print_effects(tare__bench_run *r)
{
    const ablation *a = r->own;
    const tare__results *results = &r->results;
    tare__effect effect[FLIPS_MOST];
    tare__effects_take(results, a->base, a->arm, a->flips.n, effect);
    const tare__figures *base = &results->summary.arm[a->base];
    const char *head[] = {"<flipped to", "<from",      "a step", "95 % interval", "x base",
                          "<verdict",    "peak bytes", "<bits",  "<counts a step"};
    char text[TARE__FIGURE], mean[TARE__FIGURE];
    tare__results_print_heading(results);
    printf("%s takes %s a step (mean; least %s); one flip a row\n", r->specs.spec[a->base].name,
           tare__figure_ns(base->step.mean, mean), tare__figure_ns(base->min, text));
    tare__table t;
    tare__table_init(&t, head, 9);
    int n_fixed = 0;
    for (int i = 0; i < a->flips.n; ++i) {
        if (a->arm[i] >= 0)
            put_flip(&t, r, &a->flips.flip[i], a->arm[i], &effect[i]);
        n_fixed += a->arm[i] < 0;
    }
    tare__table_print(&t, stdout);
    tare__table_fini(&t);
    if (n_fixed)
        printf("cannot be flipped here:\n");
    for (int i = 0; i < a->flips.n; ++i)
        if (a->arm[i] < 0)
            printf("  %s: %s\n",
                   a->flips.flip[i].name ? a->flips.flip[i].name : tare__factors[a->flips.flip[i].factor].name,
                   a->flips.flip[i].why);
    if (a->flips.without_switches) {
        printf("not flipped under all, for they change the work:");
        for (int f = TARE__FIRST_SWITCH; f < TARE__FACTOR_COUNT; ++f)
            printf("%s %s", f > TARE__FIRST_SWITCH ? "," : "", tare__factors[f].name);
        printf(" (name them: --factors)\n");
    }
    if (a->shapley)
        print_shares(r);
    return TARE__RAN;
}

static const tare__bench_kind kind = {.seconds = 60,
                                      .process_seconds = 5,
                                      .read = read_arms,
                                      .free = free_own,
                                      .write = write_effects,
                                      .print = print_effects};

int tare__ablate_run(const tare__line *line)
{
    return tare__bench_grid(line, &kind);
}
