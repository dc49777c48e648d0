/* explain_command.c - `tare explain`: where the time of two arms' steps goes. */
#include <math.h>
#include <stdlib.h>

#include "commands.h"
#include "explain.h"

static int read_arms(tare__bench_run *r)
{
    tare__explanation *x = r->own = tare__take(1, sizeof *x);
    const char *path = tare__text(&r->line, "vs");
    int code = path ? tare__peers_read(&r->line, path, &x->peers) : TARE__RAN;
    return code ? code : tare__explanation_arms(r, x);
}

static void free_own(tare__bench_run *r)
{
    tare__explanation *x = r->own;
    tare__peers_free(&x->peers);
    free(x);
}

/* ---- lines ---------------------------------------------------------------------------------------------------*/

static void write_parts(const tare__bench_run *r, const tare__explained *e, tare__journal *journal)
{
    const tare__decomposition *d = &e->parts;
    for (int p = 0; p < TARE__PART_COUNT && d->closed; ++p) {
        json_t *record = tare__results_line(&r->results, "part", e->arm);
        json_object_set_new(record, "name", json_string(tare__part_texts[p].name));
        json_object_set_new(record, "ns", tare__real(d->part[p].mean));
        json_object_set_new(record, "share", tare__real(d->part[p].mean / d->step.mean));
        json_object_set_new(record, "ci95", tare__range(d->part[p].low, d->part[p].high));
        json_object_set_new(record, "method", json_string(d->by_spans ? "spans" : "ladder"));
        json_object_set_new(record, "ladder_ns", tare__real(d->ladder[p].mean));
        tare__journal_put(journal, record);
    }
}

static void write_closure(const tare__bench_run *r, const tare__explained *e, tare__journal *journal)
{
    const tare__decomposition *d = &e->parts;
    json_t *record = tare__results_line(&r->results, "closure", e->arm);
    json_object_set_new(record, "pass", json_boolean(d->closed));
    json_object_set_new(record, "cause", d->closed ? json_null() : json_string(d->cause));
    json_object_set_new(record, "residual", tare__real(d->residual));
    json_object_set_new(record, "unattributed", tare__real(d->unattributed));
    json_object_set_new(record, "limit", tare__real(d->limit));
    json_object_set_new(record, "method", json_string(d->by_spans ? "spans" : "ladder"));
    json_object_set_new(record, "step_ns", tare__real(d->step.mean));
    json_object_set_new(record, "floor_ns", tare__real(d->floor.mean));
    json_object_set_new(record, "null_ns", tare__real(d->null.mean));
    json_object_set_new(record, "probe_ns", tare__real(d->probe_ns));
    json_object_set_new(record, "probes", tare__real(d->probes));
    json_object_set_new(record, "bend", tare__real(d->bend));
    tare__journal_put(journal, record);
}

static void write_all(tare__bench_run *r, tare__journal *journal)
{
    tare__explanation *x = r->own;
    tare__explanation_take(r, x);
    for (int i = 0; i < x->n; ++i) {
        write_parts(r, &x->arm[i], journal);
        write_closure(r, &x->arm[i], journal);
    }
}

/* ---- the command ---------------------------------------------------------------------------------------------*/

static int print_all(tare__bench_run *r)
{
    tare__explanation *x = r->own;
    tare__explanation_take(r, x);
    tare__explanation_print(r, x);
    for (int i = 0; i < x->n; ++i)
        if (!x->arm[i].parts.closed)
            return TARE__UNTRUSTED;
    return TARE__RAN;
}

/* The share of each arm's step that is its kernels'. */
static bool say(tare__bench_run *r, char *text, size_t bytes)
{
    tare__explanation *x = r->own;
    size_t used = 0;
    tare__results_summarise(&r->results);
    tare__explanation_take(r, x);
    for (int i = 0; i < x->n && used < bytes; ++i) {
        const tare__decomposition *d = &x->arm[i].parts;
        double kernels = d->floor.mean / d->step.mean, reach = (d->step.high - d->step.low) / 2 / d->step.mean;
        used += (size_t)snprintf(text + used, bytes - used, "%s%s %.4g us a step, %.1f %% of it kernels", i ? "; " : "",
                                 r->specs.spec[x->arm[i].arm].name, d->step.mean * 1e-3, 100 * kernels);
        if (isfinite(reach) && used < bytes)
            used += (size_t)snprintf(text + used, bytes - used, " (+-%.1f %%)", 100 * reach);
    }
    return true;
}

static const tare__bench_kind kind = {.seconds = 45,
                                      .process_seconds = 5,
                                      .read = read_arms,
                                      .free = free_own,
                                      .write = write_all,
                                      .print = print_all,
                                      .say = say};

int tare__explain_run(const tare__line *line)
{
    if (tare__given(line, "markdown")) {
        tare__parts_print();
        return TARE__RAN;
    }
    return line->n_words ? tare__bench_grid(line, &kind) : tare__usage(line, "a net is needed (tare nets)");
}
