/* derived_modes.c - what follows from a record for the two modes: numeric gradients, exact `needs`, the same bits
 * however it is run, rejects with the promised text, and every allocation failing in turn. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/command.h"
#include "derived_private.h"

/* The first array whose bits differ: "output 0", "gradient 1"; NULL: none. */
static const char *difference(const tare__case *s, const tare__outcome *a, const tare__outcome *b, bool outputs,
                              char text[32])
{
    for (int k = 0; outputs && k < a->n_out; ++k)
        if (!a->out[k] != !b->out[k] || (a->out[k] && memcmp(a->out[k], b->out[k], tare_desc_bytes(&a->d[k])) != 0)) {
            (void)snprintf(text, 32, "output %d", k);
            return text;
        }
    for (int i = 0; i < s->n_in; ++i)
        if (!a->gradient[i] != !b->gradient[i] ||
            (a->gradient[i] && memcmp(a->gradient[i], b->gradient[i], tare_desc_bytes(&s->d[i])) != 0)) {
            (void)snprintf(text, 32, "gradient %d", i);
            return text;
        }
    return NULL;
}

uint64_t tare__needed(const tare__case *s, int n_out, int *total)
{
    uint64_t bits = 0;
    *total = s->n_in + n_out + s->op->n_aux;
    for (int k = 0; k < *total; ++k)
        if (k < s->n_in ? s->op->needs_in >> (k < 31 ? k : 31) & 1 : s->op->needs_out >> (k - s->n_in) & 1)
            bits |= UINT64_C(1) << k;
    return bits;
}

void tare__check_needs(tare__findings *f, tare_runtime *rt, const tare__case *s, const tare__outcome *clean,
                       uint64_t *used)
{
    int total;
    char text[32];
    uint64_t needs = tare__needed(s, clean->n_out, &total), rest = ((UINT64_C(1) << total) - 1) & ~needs;
    for (int k = 0; k <= total; ++k) {
        bool is_input = k < s->n_in;
        if (k < total && (!(needs >> k & 1) || (is_input && !s->present[k])))
            continue;
        tare__outcome spoiled;
        tare__run_now(rt, s, (tare__now){.spoil = k == total ? rest : UINT64_C(1) << k}, &spoiled);
        const char *what = spoiled.status == TARE_OK ? difference(s, clean, &spoiled, false, text) : "status";
        if (k == total && what)
            tare__fault(f, "needs: %s changes with the data of an operand that is not listed%s%s", what,
                        spoiled.status ? ": " : "", spoiled.text);
        if (k < total && what)
            *used |= UINT64_C(1) << k;
        tare__outcome_fini(&spoiled);
    }
    tare__tested(f, "needs");
}

static void compare(tare__findings *f, const tare__case *s, const tare__outcome *now, tare__outcome *other,
                    const char *how)
{
    char text[32];
    if (other->status != TARE_OK)
        tare__fault(f, "%s: %s", how, other->text);
    else if (difference(s, now, other, true, text))
        tare__fault(f, "%s: %s has other bits", how, text);
    tare__outcome_fini(other);
    tare__tested(f, "%s", how);
}

void tare__check_modes(tare__findings *f, tare_runtime *rt, tare_runtime *threaded, const tare__case *s,
                       const tare__outcome *now)
{
    static const struct {
        const char *text;
        bool by_name, captured;
        tare_capture_options capture;
    } ways[] = {{"by name", true, false, {0}},
                {"hybridized", false, true, {0}},
                {"with static_alloc", false, true, {.keep = true}},
                {"with static_shape", false, true, {.keep = true, .bound = true}}};
    tare__outcome other;
    tare__run_later(rt, s, &other);
    compare(f, s, now, &other, "as a graph");
    if (threaded) {
        tare__run_later(threaded, s, &other);
        compare(f, s, now, &other, "as a graph, with 3 threads");
        tare__run_now(threaded, s, (tare__now){0}, &other);
        compare(f, s, now, &other, "with 3 threads");
    }
    for (size_t i = 0; i < sizeof ways / sizeof *ways; ++i) {
        tare__now how = {.by_name = ways[i].by_name, .capture = ways[i].captured ? &ways[i].capture : NULL};
        tare__run_now(rt, s, how, &other);
        compare(f, s, now, &other, ways[i].text);
    }
}

/* sum(outputs * heads) in float64, and the sum of the magnitudes. */
static double headed_sum(tare__findings *f, tare_runtime *rt, const tare__case *wide, double *magnitude)
{
    tare__outcome o;
    double sum = 0;
    *magnitude = 0;
    tare__run_now(rt, wide, (tare__now){.forward_only = true}, &o);
    if (o.status != TARE_OK)
        tare__fault(f, "in float64: %s", o.text);
    for (int k = 0; k < o.n_out; ++k) {
        if (!o.out[k] || !tare__headed(wide->op, k, o.d[k].dtype))
            continue;
        double *head = tare__take(tare_desc_bytes(&o.d[k]) + 1, 1);
        tare__head_fill(head, &o.d[k], k);
        for (int64_t i = 0; i < tare_desc_count(&o.d[k]); ++i) {
            double x = head[i] * ((double *)o.out[k])[i];
            sum += x;
            *magnitude += fabs(x);
        }
        free(head);
    }
    tare__outcome_fini(&o);
    return sum;
}

/* Central differences along `direction` through input i, against the gradient's share along it. */
static void check_direction(tare__findings *f, tare_runtime *rt, tare__case *wide, int i, const double *gradient,
                            const double *direction, const char *what)
{
    const double h = 1e-5;
    int64_t n = tare_desc_count(&wide->d[i]);
    double *x = wide->data[i], *kept = tare__take((size_t)n + 1, sizeof *kept), sum[2], magnitude, claimed = 0,
           scale = 0;
    memcpy(kept, x, (size_t)n * sizeof *kept);
    for (int side = 0; side < 2; ++side) {
        for (int64_t k = 0; k < n; ++k)
            x[k] = kept[k] + (side ? -h : h) * direction[k];
        sum[side] = headed_sum(f, rt, wide, &magnitude);
    }
    memcpy(x, kept, (size_t)n * sizeof *kept);
    free(kept);
    for (int64_t k = 0; k < n; ++k) {
        claimed += gradient ? gradient[k] * direction[k] : 0;
        scale = fmax(scale, gradient ? fabs(gradient[k]) : 0);
    }
    double measured = (sum[0] - sum[1]) / (2 * h);
    double allowed = 2e-6 * (fabs(claimed) + scale) + 1e-14 * magnitude / h;
    if (!(fabs(measured - claimed) <= allowed))
        tare__fault(f, "gradient %d along %s: %.9g, differences give %.9g", i, what, claimed, measured);
}

/* Each element where there are few; else a few, and two directions that move every element; briefly, one of them. */
void tare__check_gradient(tare__findings *f, tare_runtime *rt, tare__case *wide, bool briefly)
{
    tare__outcome o;
    tare__run_now(rt, wide, (tare__now){0}, &o);
    if (o.status != TARE_OK)
        tare__fault(f, "in float64: %s", o.text);
    bool rounded = false; /* to float32: no difference of 1e-5 passes that */
    for (int k = 0; k < o.n_out; ++k)
        rounded |= o.out[k] && tare__headed(wide->op, k, o.d[k].dtype) && o.d[k].dtype != TARE_F64;
    for (int i = 0; i < wide->n_in && o.status == TARE_OK && !rounded; ++i) {
        if (!wide->present[i] || !tare__floats(wide->d[i].dtype))
            continue;
        int64_t n = tare_desc_count(&wide->d[i]), few = n <= 40 ? n : 3;
        double *direction = tare__take((size_t)n + 1, sizeof *direction);
        for (int64_t k = 0; k < few && !briefly; ++k) {
            int64_t at = n <= 40 ? k : k * (n - 1) / 2;
            char what[40];
            (void)snprintf(what, sizeof what, "element %lld", (long long)at);
            direction[at] = 1;
            check_direction(f, rt, wide, i, o.gradient[i], direction, what);
            direction[at] = 0;
        }
        for (uint64_t seed = 0; seed < (briefly ? 1 : 2) && n > 0; ++seed) {
            tare__case_fill(direction, &wide->d[i], -1, 1, 77 + seed);
            check_direction(f, rt, wide, i, o.gradient[i], direction, "a direction");
        }
        free(direction);
    }
    tare__outcome_fini(&o);
    tare__tested(f, "gradient against differences");
}

void tare__check_reject(tare__findings *f, tare_runtime *rt, const tare__case *s)
{
    char named[128];
    tare__outcome of[2] = {{.status = s->status}, {.status = s->status}};
    if (s->status != TARE_OK && !strstr(tare_error_text(), s->of->reject))
        tare__fault(f, "rejected with '%s'", tare_error_text());
    if (s->status == TARE_OK) {
        tare__run_now(rt, s, (tare__now){.forward_only = true}, &of[0]);
        tare__run_later(rt, s, &of[1]);
    }
    (void)snprintf(named, sizeof named, "%s 'layer': ", s->op->name);
    for (int k = 0; k < 2 && s->status == TARE_OK; ++k) {
        const char *mode = k ? " as a graph" : "";
        if (of[k].status == TARE_OK)
            tare__fault(f, "not rejected%s", mode);
        else if (!strstr(of[k].text, s->of->reject) || strncmp(of[k].text, named, strlen(named)) != 0)
            tare__fault(f, "rejected%s with '%s'", mode, of[k].text);
        tare__outcome_fini(&of[k]);
    }
    if (of[0].status != of[1].status)
        tare__fault(f, "rejected as %s now, as %s in a graph", tare_status_name(of[0].status),
                    tare_status_name(of[1].status));
    tare__tested(f, "is rejected: %s", s->of->reject);
}

void tare__check_no_memory(tare__findings *f, const tare__maker *maker, const tare__case *s, bool graph)
{
    const char *mode = graph ? "as a graph" : "now";
    char text[32];
    for (int64_t k = 1, done = 0; !done && f->n <= 4; ++k) {
        tare_runtime *rt;
        tare__outcome first, second;
        if (maker->start(maker->owner, &(tare_options){.isa_limit = TARE_ISA_COUNT}, &rt) != TARE_OK) {
            tare__fault(f, "%s", tare_error_text());
            break;
        }
        rt->memory.fail_at = rt->memory.n_requests + k;
        graph ? tare__run_later(rt, s, &first) : tare__run_now(rt, s, (tare__now){0}, &first);
        done = rt->memory.n_requests < rt->memory.fail_at;
        rt->memory.fail_at = 0;
        graph ? tare__run_later(rt, s, &second) : tare__run_now(rt, s, (tare__now){0}, &second);
        if (!done && first.status != TARE_NO_MEMORY)
            tare__fault(f, "%s, allocation %lld fails: %s", mode, (long long)k, tare_status_name(first.status));
        if (second.status != TARE_OK)
            tare__fault(f, "%s, after allocation %lld failed: %s", mode, (long long)k, second.text);
        else if (done && difference(s, &first, &second, true, text))
            tare__fault(f, "a second run: %s has other bits", text);
        tare__outcome_fini(&first);
        tare__outcome_fini(&second);
        int64_t lost = tare_runtime_free(rt);
        if (lost != 0)
            tare__fault(f, "%s, allocation %lld fails: %lld blocks are lost", mode, (long long)k, (long long)lost);
    }
    tare__tested(f, "%s, every allocation failing", mode);
}
