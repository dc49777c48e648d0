/* results_print.c - a run's tables on a terminal: times and ratios, counts, and what to make of them. */
#include <math.h>
#include <string.h>

#include "results.h"
#include "table.h"

static double capture_ns(const tare__result *arm)
{
    double sum = 0;
    const char *part;
    json_t *ns;
    json_object_foreach(json_object_get(arm->opened, "capture_ns"), part, ns) sum += (double)json_integer_value(ns);
    return sum;
}

static void print_times(const tare__results *r, const tare__facts *facts)
{
    static const char *head[] = {"<arm",          "step min",   "median", "x kernels",  "95 % interval",
                                 "overhead/node", "efficiency", "peak",   "set-up/node"};
    tare__table t;
    tare__table_init(&t, head, 9);
    char text[6][TARE__FIGURE];
    for (int i = 0; i < r->n_arms; ++i) {
        const tare__result *arm = &r->arm[i];
        tare__interval ratio = tare__interval_exp(arm->logs);
        tare__table_put(&t, "%s", arm->name);
        tare__table_put(&t, "%s", tare__figure_ns(arm->min, text[0]));
        tare__table_put(&t, "%s", tare__figure_ns(arm->median, text[0]));
        if (!arm->spec) {
            for (int c = 3; c < 9; ++c)
                if (c == 6)
                    tare__table_put(&t, "%.1f GF/s", tare__results_gemm_gflops(r));
                else
                    tare__table_put(&t, "%s", "");
            continue;
        }
        tare__table_put(&t, "%s", tare__figure_plain(ratio.mean, 3, text[0]));
        tare__table_put(&t, isfinite(ratio.low) ? "%.3f-%.3f" : "-", ratio.low, ratio.high);
        double overhead = (arm->min - r->arm[r->base].min) / facts->nodes;
        tare__table_put(&t, "%s", i == r->base ? "0" : tare__figure_ns(overhead, text[4]));
        tare__table_put(&t, "%s", tare__figure_plain(arm->efficiency, 3, text[1]));
        double peak = (double)json_integer_value(json_object_get(arm->opened, "peak_bytes"));
        tare__table_put(&t, "%s", tare__figure_bytes(peak, text[2]));
        double setup = capture_ns(arm) / facts->nodes;
        tare__table_put(&t, "%s", setup > 0 ? tare__figure_ns(setup, text[3]) : "-");
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
    for (int i = 0; i + 1 < r->n_arms; ++i) {
        const tare__result *arm = &r->arm[i];
        tare__table_put(&t, "%s", arm->name);
        for (int f = 0; f < 8; ++f)
            tare__table_put(&t, "%lld", (long long)tare__opened_count(arm, "counts", field[f]));
        tare__table_put(&t, "%lld, %lld", (long long)tare__opened_count(arm, "setup", "plans"),
                        (long long)tare__opened_count(arm, "setup", "captures"));
        const char *digest = json_string_value(json_object_get(arm->opened, "calls_digest"));
        tare__table_put(&t, "%s", digest ? digest : "-");
    }
    tare__table_print(&t, stdout);
    tare__table_fini(&t);
}

/* Pairs that are one and the same for what was asked. */
static void print_equals(const tare__results *r, const tare__task *task)
{
    for (int i = 0; i + 1 < r->n_arms; ++i) {
        const tare__rung *rung = r->arm[i].spec->setting.rung;
        if (rung->without_update && !task->optimizer)
            printf("  %s: without an optimizer gradients are its results, and it equals %s.\n", r->arm[i].name,
                   rung->without_update);
    }
}

void tare__results_print(const tare__results *r, const tare__facts *facts, const tare__task *task)
{
    char flops[TARE__FIGURE];
    printf("%s, batch %lld, %s%s%s: %d nodes, %s FLOPs a step\n", facts->label, (long long)facts->batch,
           tare__work_names[task->work], task->optimizer ? " with " : "", task->optimizer ? task->optimizer : "",
           facts->nodes, tare__figure_count(facts->flops, flops));
    printf("%d rounds in %d processes", r->n_rounds, r->n_processes);
    if (r->n_dropped)
        printf(", %d %s", r->n_dropped, r->kept_all ? "disturbed but kept" : "dropped as disturbed");
    int threads = tare__results_threads(r);
    printf("; %d thread%s\n\n", threads, threads == 1 ? "" : "s");
    print_times(r, facts);
    printf("\n");
    print_counts(r);
    printf("\n");
    print_equals(r, task);
    const char *distrust = tare__results_distrust(r);
    if (distrust)
        printf("  not to be trusted: %s.\n", distrust);
}
