/* ablate.c - `tare ablate`: a base arm, then one flip a row: what it costs or saves, with interval, counts and bytes.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench_run.h"
#include "commands.h"
#include "effect.h"
#include "flips.h"
#include "table.h"

typedef struct {
    tare__flips flips;
    int base;    /* arm */
    int arm[64]; /* of each flip; -1: it cannot be flipped */
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
    if (flipped)
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

static void write_effects(tare__bench_run *r, tare__journal *journal)
{
    const ablation *a = r->own;
    tare__effect effect[FLIPS_MOST];
    tare__effects_take(&r->results, a->base, a->arm, a->flips.n, effect);
    for (int i = 0; i < a->flips.n; ++i)
        if (a->arm[i] >= 0)
            tare__journal_put(journal, effect_record(r, &a->flips.flip[i], a->arm[i], &effect[i]));
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
