/* explain_print.c - the decomposition on one screen (see explain.h). */
#include <math.h>
#include <string.h>

#include "../base/table.h"
#include "explain.h"

/* A time without a unit of its own, so that a column can be added up. */
static void put_ns(tare__table *t, double ns)
{
    tare__table_put(t, isfinite(ns) ? "%.*f" : "-", fabs(ns) < 1000 ? 1 : 0, ns);
}

static void put_arm(tare__table *t, const tare__decomposition *d, int p)
{
    const tare__interval *part = &d->part[p];
    if (!d->closed) {
        for (int c = 0; c < 4; ++c)
            tare__table_put(t, "%s", c == 3 ? "" : "?");
        return;
    }
    put_ns(t, part->mean);
    tare__table_put(t, isfinite(part->low) ? "+-%.*f" : "-", part->high - part->low < 2000 ? 1 : 0,
                    (part->high - part->low) / 2);
    tare__table_put(t, "%.2f %%", 100 * part->mean / d->step.mean);
    put_ns(t, d->ladder[p].mean);
}

static void print_parts(const tare__bench_run *r, const tare__explanation *x)
{
    const char *head[2 + 4 * TARE__EXPLAINED] = {"<ns a step"};
    for (int i = 0; i < x->n; ++i) {
        head[1 + 4 * i] = r->specs.spec[x->arm[i].arm].name;
        head[2 + 4 * i] = "95 %";
        head[3 + 4 * i] = "share";
        head[4 + 4 * i] = "by rungs";
    }
    head[1 + 4 * x->n] = "<removed by";
    tare__table t;
    tare__table_init(&t, head, 2 + 4 * x->n);
    for (int p = 0; p < TARE__PART_COUNT; ++p) {
        tare__table_put(&t, "%s", tare__part_texts[p].name);
        for (int i = 0; i < x->n; ++i)
            put_arm(&t, &x->arm[i].parts, p);
        tare__table_put(&t, "%s", tare__part_texts[p].removed_by);
    }
    tare__table_put(&t, "the untraced step");
    for (int i = 0; i < x->n; ++i) {
        const tare__decomposition *d = &x->arm[i].parts;
        put_ns(&t, d->step.mean);
        tare__table_put(&t, isfinite(d->step.low) ? "+-%.1f" : "-", (d->step.high - d->step.low) / 2);
        tare__table_put(&t, "100 %%");
        tare__table_put(&t, "%s", "");
    }
    tare__table_put(&t, "%s", "");
    tare__table_print(&t, stdout);
    tare__table_fini(&t);
}

static void print_closure(const char *name, const tare__decomposition *d)
{
    double spans = 0;
    for (int p = 0; p < TARE__PART_UNATTRIBUTED; ++p)
        spans += p == TARE__PART_KERNEL || p == TARE__PART_CACHE ? 0 : d->part[p].mean;
    printf("  %s: ", name);
    if (d->closed)
        printf("closed (residual %+.2f %%, in no part %.2f %%, within %g %%)", 100 * d->residual, 100 * d->unattributed,
               100 * d->limit);
    else
        printf("REFUSED: %s", d->cause);
    if (d->by_spans)
        printf("; %.0f probes of %.1f ns taken off", d->probes, d->probe_ns);
    else
        printf("; nodes are shorter than %d probes of %.1f ns: no spans", TARE__PROBES_A_NODE, d->probe_ns);
    printf("\n    not kernels: ");
    if (d->by_spans)
        printf("%.0f ns by spans, ", spans);
    printf("%.0f ns above the arm kernels, %.0f ns with null kernels\n", d->step.mean - d->floor.mean, d->null.mean);
}

/* ---- methods -------------------------------------------------------------------------------------------------*/

/* The part that two methods say most different things of. */
static void print_apart(const char *name, const tare__decomposition *d)
{
    double least, most, apart = -1;
    int part = -1;
    for (int p = 0; p < TARE__PART_COUNT; ++p)
        if (tare__methods_of(d, (tare__part)p, &least, &most) > 1 && most - least > apart) {
            apart = most - least;
            part = p;
        }
    if (part >= 0 && d->closed)
        printf("  %s: methods are most apart about %s: %.0f ns, %.2f %% of the step\n", name,
               tare__part_texts[part].name, apart, 100 * apart / d->step.mean);
}

static void print_methods(const char *name, const tare__explained *e)
{
    const tare__decomposition *d = &e->parts;
    const char *head[] = {"<ns a step", "by spans", "by rungs", "up", "down", "Shapley", "apart"};
    tare__table t;
    if (!e->carried || !d->closed)
        return;
    tare__table_init(&t, head, 7);
    for (int p = 0; p < TARE__PART_COUNT; ++p) {
        double least, most;
        if (!isfinite(d->order[TARE__SHAPLEY][p].mean))
            continue;
        (void)tare__methods_of(d, (tare__part)p, &least, &most);
        tare__table_put(&t, "%s", tare__part_texts[p].name);
        put_ns(&t, d->by_spans ? d->part[p].mean : (double)NAN);
        put_ns(&t, d->ladder[p].mean);
        for (int k = 0; k < TARE__ORDERS; ++k)
            put_ns(&t, d->order[k][p].mean);
        put_ns(&t, most - least);
    }
    printf("\n  %s, the carrier's mechanisms, switched on in the order of the rows, in the other, over all orders:\n",
           name);
    tare__table_print(&t, stdout);
    tare__table_fini(&t);
}

/* ---- break-even ----------------------------------------------------------------------------------------------*/

static void print_sizes(const tare__bench_run *r, const tare__explained *e)
{
    static const double share[] = {0.05, 0.10, 0.50};
    const tare__decomposition *d = &e->parts;
    double over = d->step.mean - d->floor.mean, batch = (double)r->facts.batch;
    printf("  %s: overhead is %.2f %% of the kernels", r->specs.spec[e->arm].name, 100 * over / d->floor.mean);
    if (over <= 0) {
        printf(": nothing to break even with\n");
        return;
    }
    printf("; it would be");
    for (size_t i = 0; i < sizeof share / sizeof *share; ++i) {
        double ns = over / share[i];
        char text[TARE__FIGURE];
        printf("%s %.0f %% at %s of kernels (batch %.3g)", i ? "," : "", 100 * share[i], tare__figure_ns(ns, text),
               batch * ns / d->floor.mean);
    }
    printf("\n");
}

/* The one part, kernels and what is in none apart, whose removal would gain most. */
static void print_gain(const tare__bench_run *r, const tare__explained *e)
{
    const tare__decomposition *d = &e->parts;
    int most = -1;
    for (int p = 0; p < TARE__PART_COUNT; ++p)
        if (p != TARE__PART_KERNEL && p != TARE__PART_UNATTRIBUTED &&
            (most < 0 || d->part[p].mean > d->part[most].mean))
            most = p;
    if (!d->closed || d->part[most].mean <= 0)
        return;
    printf("  %s: removing one part gains most for %s: %.2f %% of the step (x%.4f)\n", r->specs.spec[e->arm].name,
           tare__part_texts[most].name, 100 * d->part[most].mean / d->step.mean,
           d->step.mean / (d->step.mean - d->part[most].mean));
}

/* Steps after which what the second arm does once has been won back. */
static void print_paid(const tare__bench_run *r, const tare__explanation *x)
{
    const tare__results *s = &r->results;
    int a = x->arm[0].arm, b = x->arm[1].arm;
    double once = (double)(tare__field(s->opening[b], "first_step_ns") - tare__field(s->opening[a], "first_step_ns"));
    double saved = x->arm[0].parts.step.mean - x->arm[1].parts.step.mean;
    const char *from = r->specs.spec[a].name, *to = r->specs.spec[b].name;
    char first[TARE__FIGURE], each[TARE__FIGURE];
    if (saved <= 0)
        printf("  %s never pays over %s here: its step is not shorter\n", to, from);
    else if (once <= 0)
        printf("  %s has paid over %s from the first step on\n", to, from);
    else
        printf("  %s takes %s more until its first step is done and saves %s a step: paid after %.0f steps\n", to,
               tare__figure_ns(once, first), tare__figure_ns(saved, each), ceil(once / saved));
}

/* ---- others --------------------------------------------------------------------------------------------------*/

static void put_peer(tare__table *t, const tare__bench_run *r, const tare__explanation *x, const tare__peer *p)
{
    const tare__results *s = &r->results;
    double ns = p->ms * 1e6, floor = x->arm[0].parts.floor.mean;
    char text[TARE__FIGURE];
    tare__table_put(t, "%s", p->name);
    tare__table_put(t, "%s", tare__figure_ns(ns, text));
    tare__table_put(t, "%s", tare__figure_ns(r->facts.flops / s->summary.gemm_gflops, text));
    tare__table_put(t, "%s", tare__figure_ns(floor, text));
    tare__table_put(t, "%s%s", ns < floor ? "-" : "", tare__figure_ns(fabs(ns - floor), text));
    tare__table_put(t, "%.1f %%", 100 * (ns - floor) / ns);
    for (int i = 0; i < x->n; ++i)
        tare__table_put(t, "%.2f", ns / x->arm[i].parts.step.mean);
}

static void print_peers(const tare__bench_run *r, const tare__explanation *x)
{
    const char *head[6 + TARE__EXPLAINED] = {"<others' steps",     "theirs",     "FLOPs at sgemm", "our kernels",
                                             "beyond our kernels", "share of it"};
    int threads = r->specs.spec[r->results.reference.base].setting.level[TARE__THREADS], others = 0;
    char *name[TARE__EXPLAINED] = {0};
    for (int i = 0; i < x->n; ++i)
        head[6 + i] = name[i] = tare__keep(&r->line, tare__print("/ our %s", r->specs.spec[x->arm[i].arm].name));
    tare__table t;
    tare__table_init(&t, head, 6 + x->n);
    for (int i = 0; i < x->peers.n; ++i) {
        const tare__peer *p = &x->peers.peer[i];
        bool same = tare__peer_has(p, r->facts.label) && p->batch == r->facts.batch && p->threads == threads;
        if (same)
            put_peer(&t, r, x, p);
        others += !same;
    }
    printf("\n");
    if (others < x->peers.n)
        tare__table_print(&t, stdout);
    tare__table_fini(&t);
    if (others)
        printf("  %d of %d of the file's steps are of another net, batch or number of threads\n", others, x->peers.n);
    printf("  beyond our kernels: what of their step these kernels do not need; measured elsewhere, so without "
           "interval\n");
}

void tare__explanation_print(const tare__bench_run *r, const tare__explanation *x)
{
    tare__results_print_heading(&r->results);
    print_parts(r, x);
    printf("\n");
    for (int i = 0; i < x->n; ++i)
        print_closure(r->specs.spec[x->arm[i].arm].name, &x->arm[i].parts);
    for (int i = 0; i < x->n; ++i)
        print_apart(r->specs.spec[x->arm[i].arm].name, &x->arm[i].parts);
    for (int i = 0; i < x->n; ++i)
        print_methods(r->specs.spec[x->arm[i].arm].name, &x->arm[i]);
    printf("\n");
    for (int i = 0; i < x->n; ++i)
        print_sizes(r, &x->arm[i]);
    for (int i = 0; i < x->n; ++i)
        print_gain(r, &x->arm[i]);
    if (x->n > 1)
        print_paid(r, x);
    if (x->peers.n)
        print_peers(r, x);
}

void tare__parts_print(void)
{
    printf("| part | what | removed by |\n|---|---|---|\n");
    for (int p = 0; p < TARE__PART_COUNT; ++p)
        printf("| %s | %s | %s |\n", tare__part_texts[p].name, tare__part_texts[p].definition,
               tare__part_texts[p].removed_by);
}
