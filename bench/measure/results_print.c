/* results_print.c - a run's tables on a terminal: times and ratios, counts, and what to make of them. */
#include <math.h>
#include <string.h>

#include "../base/table.h"
#include "results.h"

static double capture_ns(const tare__results *r, int arm)
{
    double sum = 0;
    const char *part;
    json_t *ns;
    json_object_foreach(json_object_get(r->opening[arm], "capture_ns"), part, ns) sum += (double)json_integer_value(ns);
    return sum;
}

/* A trusted run: interval and verdict; another: the range of the processes, and none. */
static void put_ratio(tare__table *t, const tare__results *r, int i)
{
    const tare__figures *arm = &r->summary.arm[i];
    tare__interval ratio = tare__interval_exp(arm->logs);
    char text[TARE__FIGURE];
    bool trusted = r->summary.trusted;
    double low = trusted ? ratio.low : arm->least, high = trusted ? ratio.high : arm->greatest;
    tare__table_put(t, "%s", trusted ? tare__figure_plain(ratio.mean, 3, text) : "-");
    tare__table_put(t, isfinite(low) ? "%.3f-%.3f" : "-", low, high);
    const char *verdict = tare__verdict(&r->summary, &r->reference, i);
    if (i == r->reference.base)
        verdict = "the floor";
    else if (i == r->reference.again)
        verdict = "A/A";
    if (verdict && strcmp(verdict, "no difference") == 0)
        tare__table_put(t, "none above %.2g %%", 100 * tare__smallest_effect(arm->logs));
    else
        tare__table_put(t, "%s", verdict ? verdict : "-");
}

static void put_rate(tare__table *t, const tare__results *r, int i)
{
    bool gemm = i == r->reference.sgemm;
    for (int c = 3; c < 11; ++c)
        if (c == 7)
            tare__table_put(t, gemm ? "%.1f GF/s" : "%.1f GB/s", gemm ? r->summary.gemm_gflops : r->summary.bandwidth);
        else
            tare__table_put(t, "%s", "");
}

static void print_times(const tare__results *r)
{
    const char *head[] = {"<arm",          "step min",   "median",   "x kernels", "95 % interval", "<verdict",
                          "overhead/node", "efficiency", "roofline", "peak",      "set-up/node"};
    if (!r->summary.trusted)
        head[4] = "range";
    tare__table t;
    tare__table_init(&t, head, 11);
    char text[TARE__FIGURE];
    for (int i = 0; i < r->summary.n_arms; ++i) {
        const tare__figures *arm = &r->summary.arm[i];
        tare__table_put(&t, "%s", tare__results_name(r, i));
        tare__table_put(&t, "%s", tare__figure_ns(arm->min, text));
        tare__table_put(&t, "%s", tare__figure_ns(arm->median, text));
        if (i >= r->specs->n) {
            put_rate(&t, r, i);
            continue;
        }
        put_ratio(&t, r, i);
        double overhead = (arm->min - r->summary.arm[r->reference.base].min) / r->facts->nodes;
        tare__table_put(&t, "%s", i == r->reference.base ? "0" : tare__figure_ns(overhead, text));
        tare__table_put(&t, "%s", tare__figure_plain(arm->efficiency, 3, text));
        tare__table_put(&t, "%s", tare__figure_plain(arm->roofline, 3, text));
        double peak = (double)tare__field(r->opening[i], "peak_bytes");
        tare__table_put(&t, "%s", tare__figure_bytes(peak, text));
        double setup = capture_ns(r, i) / r->facts->nodes;
        tare__table_put(&t, "%s", setup > 0 ? tare__figure_ns(setup, text) : "-");
    }
    tare__table_print(&t, stdout);
    tare__table_fini(&t);
}

static void print_counts(const tare__results *r)
{
    static const char *head[] = {"<a step of",          "kernel calls", "infers", "storage takes", "allocations",
                                 "tape nodes",          "patches",      "locks",  "lookups",       "<plans, captures",
                                 "<digest of the calls"};
    static const char *const field[] = {"kernel_calls", "infers",  "storage_takes", "allocations",
                                        "tape_nodes",   "patches", "locks",         "lookups"};
    tare__table t;
    tare__table_init(&t, head, 11);
    for (int i = 0; i < r->specs->n; ++i) {
        if (i == r->reference.again)
            continue;
        tare__table_put(&t, "%s", tare__results_name(r, i));
        for (int f = 0; f < 8; ++f)
            tare__table_put(&t, "%lld", (long long)tare__opened_count(r, i, "counts", field[f]));
        tare__table_put(&t, "%lld, %lld", (long long)tare__opened_count(r, i, "setup", "plans"),
                        (long long)tare__opened_count(r, i, "setup", "captures"));
        const char *digest = tare__field_text(r->opening[i], "calls_digest");
        tare__table_put(&t, "%s", digest ? digest : "-");
    }
    tare__table_print(&t, stdout);
    tare__table_fini(&t);
}

/* Pairs that are one and the same for what was asked. */
static void print_equals(const tare__results *r)
{
    for (int i = 0; i < r->specs->n; ++i) {
        const tare__rung *rung = r->specs->spec[i].setting.rung;
        if (rung->without_update && !r->task->optimizer)
            printf("  %s: without an optimizer gradients are its results, and it equals %s.\n", r->specs->spec[i].name,
                   rung->without_update);
    }
}

void tare__results_print_heading(const tare__results *r)
{
    char flops[TARE__FIGURE];
    const tare__facts *facts = r->facts;
    const tare__summary *s = &r->summary;
    printf("%s, batch %lld, %s%s%s: %d nodes, %s FLOPs a step\n", facts->label, (long long)facts->batch,
           tare__work_names[r->task->work], r->task->optimizer ? " with " : "",
           r->task->optimizer ? r->task->optimizer : "", facts->nodes, tare__figure_count(facts->flops, flops));
    printf("%d round%s in %d process%s", s->n_rounds, s->n_rounds == 1 ? "" : "s", s->n_processes,
           s->n_processes == 1 ? "" : "es");
    if (s->n_dropped)
        printf(", %d %s", s->n_dropped, s->kept_all ? "disturbed but kept" : "dropped as disturbed");
    int threads = r->specs->spec[r->reference.base].setting.level[TARE__THREADS];
    printf("; %d thread%s", threads, threads == 1 ? "" : "s");
    if (s->trusted) {
        tare__interval again = tare__interval_exp(s->arm[r->reference.again].logs);
        printf("; trusted: A/A %.4f-%.4f\n\n", again.low, again.high);
    } else {
        printf("\n\nMISTRUSTED: %s.\nWhat would help: %s.\n\n", s->cause, s->help);
    }
}

void tare__results_print(const tare__results *r)
{
    tare__results_print_heading(r);
    print_times(r);
    printf("\n");
    print_counts(r);
    printf("\n");
    print_equals(r);
    if (r->n_unsteady)
        printf("  %d of %d processes were not steady after their warm-up (%s was still changing).\n", r->n_unsteady,
               r->n_done, r->unsteady);
}
