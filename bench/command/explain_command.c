/* explain_command.c - `tare explain`: where the time of two arms' steps goes. */
#include <math.h>
#include <stdlib.h>

#include "../measure/explain.h"
#include "commands.h"

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

static const char *name_of(const void *owner, int arm)
{
    return tare__results_name(owner, arm);
}

static void write_parts(const tare__bench_run *r, const tare__explained *e, tare__journal *journal)
{
    for (int p = 0; p < TARE__PART_COUNT && e->parts.closed; ++p) {
        json_t *record = tare__results_line(&r->results, "part", e->arm);
        tare__merge(record, tare__part_fields(&e->parts, (tare__part)p));
        tare__journal_put(journal, record);
    }
    json_t *record = tare__results_line(&r->results, "closure", e->arm);
    tare__merge(record, tare__closure_fields(&e->parts));
    json_object_set_new(record, "arms", tare__explained_arms(e, name_of, &r->results));
    tare__journal_put(journal, record);
}

static void write_all(tare__bench_run *r, tare__journal *journal)
{
    tare__explanation *x = r->own;
    tare__explanation_take(r, x);
    for (int i = 0; i < x->n; ++i)
        write_parts(r, &x->arm[i], journal);
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
