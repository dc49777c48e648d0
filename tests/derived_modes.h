/* derived_modes.h - what follows from a record for the two modes: numeric gradients, exact `needs`, the same bits run
 * now and run later, rejects with the promised text, and every allocation failing in turn. */
#ifndef TARE_TESTS_DERIVED_MODES_H
#define TARE_TESTS_DERIVED_MODES_H

#include "modes.h"
#include "report.h"

/* The first array whose bits differ: "output 0", "gradient 1"; NULL: none. */
static inline const char *difference(const sample *s, const outcome *a, const outcome *b, bool outputs, char text[32])
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

/* Operands of the node, of which bit k is set where the gradient reads the data. */
static inline uint64_t needed(const sample *s, int n_out, int *total)
{
    uint64_t bits = 0;
    *total = s->n_in + n_out + s->op->n_aux;
    for (int k = 0; k < *total; ++k)
        if (k < s->n_in ? s->op->needs_in >> (k < 31 ? k : 31) & 1 : s->op->needs_out >> (k - s->n_in) & 1)
            bits |= UINT64_C(1) << k;
    return bits;
}

/* Garbage in what is not needed changes nothing; *used gets the needed operands whose garbage changed something. */
static inline void check_needs(report *r, tare_runtime *rt, const sample *s, const outcome *clean, uint64_t *used)
{
    int total;
    char text[32];
    uint64_t needs = needed(s, clean->n_out, &total), rest = ((UINT64_C(1) << total) - 1) & ~needs;
    for (int k = 0; k <= total; ++k) {
        bool is_input = k < s->n_in;
        if (k < total && (!(needs >> k & 1) || (is_input && !s->present[k])))
            continue;
        outcome spoiled;
        run_now(rt, s, (now_how){.spoil = k == total ? rest : UINT64_C(1) << k}, &spoiled);
        const char *what = spoiled.status == TARE_OK ? difference(s, clean, &spoiled, false, text) : "status";
        if (k == total && what)
            fault(r, "needs: %s changes with the data of an operand that is not listed%s%s", what,
                  spoiled.status ? ": " : "", spoiled.text);
        if (k < total && what)
            *used |= UINT64_C(1) << k;
        outcome_fini(&spoiled);
    }
}

/* Run later, the bits of run now. */
static inline void check_modes(report *r, tare_runtime *rt, const sample *s, const outcome *now)
{
    outcome graph;
    char text[32];
    run_later(rt, s, &graph);
    if (graph.status != TARE_OK)
        fault(r, "as a graph: %s", graph.text);
    else if (difference(s, now, &graph, true, text))
        fault(r, "as a graph: %s has other bits", text);
    outcome_fini(&graph);
}

/* sum(outputs * heads) in float64, and the sum of the magnitudes. */
static inline double headed_sum(report *r, tare_runtime *rt, const sample *wide, double *magnitude)
{
    outcome o;
    double sum = 0;
    *magnitude = 0;
    run_now(rt, wide, (now_how){.forward_only = true}, &o);
    if (o.status != TARE_OK)
        fault(r, "in float64: %s", o.text);
    for (int k = 0; k < o.n_out; ++k) {
        if (!o.out[k] || !headed(wide->op, k, o.d[k].dtype))
            continue;
        double *head = malloc(tare_desc_bytes(&o.d[k]) + 1);
        head_fill(head, &o.d[k], k);
        for (int64_t i = 0; i < tare_desc_count(&o.d[k]); ++i) {
            double x = head[i] * ((double *)o.out[k])[i];
            sum += x;
            *magnitude += fabs(x);
        }
        free(head);
    }
    outcome_fini(&o);
    return sum;
}

/* Central differences along `direction` through input i, against the gradient's share along it. */
static inline void check_direction(report *r, tare_runtime *rt, sample *wide, int i, const double *gradient,
                                   const double *direction, const char *what)
{
    const double h = 1e-5;
    int64_t n = tare_desc_count(&wide->d[i]);
    double *x = wide->data[i], *kept = malloc((size_t)n * sizeof *kept + 1), f[2], magnitude, claimed = 0, scale = 0;
    memcpy(kept, x, (size_t)n * sizeof *kept);
    for (int side = 0; side < 2; ++side) {
        for (int64_t k = 0; k < n; ++k)
            x[k] = kept[k] + (side ? -h : h) * direction[k];
        f[side] = headed_sum(r, rt, wide, &magnitude);
    }
    memcpy(x, kept, (size_t)n * sizeof *kept);
    free(kept);
    for (int64_t k = 0; k < n; ++k) {
        claimed += gradient ? gradient[k] * direction[k] : 0;
        scale = fmax(scale, gradient ? fabs(gradient[k]) : 0);
    }
    double measured = (f[0] - f[1]) / (2 * h);
    double allowed = 2e-6 * (fabs(claimed) + scale) + 1e-14 * magnitude / h;
    if (!(fabs(measured - claimed) <= allowed))
        fault(r, "gradient %d along %s: %.9g, differences give %.9g", i, what, claimed, measured);
}

/* Each element where there are few; else a few, and two directions that move every element. */
static inline void check_gradient(report *r, tare_runtime *rt, sample *wide)
{
    outcome o;
    run_now(rt, wide, (now_how){0}, &o);
    if (o.status != TARE_OK)
        fault(r, "in float64: %s", o.text);
    bool rounded = false; /* to float32: no difference of 1e-5 passes that */
    for (int k = 0; k < o.n_out; ++k)
        rounded |= o.out[k] && headed(wide->op, k, o.d[k].dtype) && o.d[k].dtype != TARE_F64;
    for (int i = 0; i < wide->n_in && o.status == TARE_OK && !rounded; ++i) {
        if (!wide->present[i] || !dtype_floats(wide->d[i].dtype))
            continue;
        int64_t n = tare_desc_count(&wide->d[i]), few = n <= 40 ? n : 3;
        double *direction = calloc((size_t)n + 1, sizeof *direction);
        for (int64_t k = 0; k < few; ++k) {
            int64_t at = n <= 40 ? k : k * (n - 1) / 2;
            char what[40];
            (void)snprintf(what, sizeof what, "element %lld", (long long)at);
            direction[at] = 1;
            check_direction(r, rt, wide, i, o.gradient[i], direction, what);
            direction[at] = 0;
        }
        for (uint64_t seed = 0; seed < 2 && n > 0; ++seed) {
            sample_fill(direction, &wide->d[i], -1, 1, 77 + seed);
            check_direction(r, rt, wide, i, o.gradient[i], direction, "a direction");
        }
        free(direction);
    }
    outcome_fini(&o);
}

/* Both modes answer a reject with one status and the promised text, which names operator and layer. */
static inline void check_reject(report *r, tare_runtime *rt, const sample *s)
{
    char text[512], named[128];
    if (s->status != TARE_OK) {
        if (!strstr(tare_error_text(), s->of->reject))
            fault(r, "rejected with '%s'", tare_error_text());
        return;
    }
    (void)snprintf(named, sizeof named, "%s 'layer': ", s->op->name);
    outcome of[2];
    run_now(rt, s, (now_how){.forward_only = true}, &of[0]);
    run_later(rt, s, &of[1]);
    for (int k = 0; k < 2; ++k) {
        (void)snprintf(text, sizeof text, "%s", of[k].text);
        if (of[k].status == TARE_OK)
            fault(r, "not rejected %s", k ? "as a graph" : "");
        else if (!strstr(text, s->of->reject) || strncmp(text, named, strlen(named)) != 0)
            fault(r, "rejected %s with '%s'", k ? "as a graph" : "", text);
        outcome_fini(&of[k]);
    }
    if (of[0].status != of[1].status)
        fault(r, "rejected as %s now, as %s in a graph", tare_status_name(of[0].status),
              tare_status_name(of[1].status));
}

/* A runtime with the operator in it; NULL: it cannot be. */
typedef tare_runtime *derived_maker(const tare_op *, tare_kernel_choice);

/* Every allocation fails in turn: a status, nothing lost, and a second try gives the bits of the first. */
static inline void check_no_memory(report *r, derived_maker *start, const sample *s, bool graph)
{
    char text[32];
    for (int64_t k = 1;; ++k) {
        tare_runtime *rt = start(s->op, TARE_KERNELS_NATIVE);
        outcome first, second;
        rt->memory.fail_at = rt->memory.n_requests + k;
        graph ? run_later(rt, s, &first) : run_now(rt, s, (now_how){0}, &first);
        bool done = rt->memory.n_requests < rt->memory.fail_at;
        rt->memory.fail_at = 0;
        graph ? run_later(rt, s, &second) : run_now(rt, s, (now_how){0}, &second);
        if (!done && first.status != TARE_NO_MEMORY)
            fault(r, "%s, allocation %lld fails: %s", graph ? "graph" : "now", (long long)k,
                  tare_status_name(first.status));
        if (second.status != TARE_OK)
            fault(r, "%s, after allocation %lld failed: %s", graph ? "graph" : "now", (long long)k, second.text);
        else if (done && difference(s, &first, &second, true, text))
            fault(r, "a second run: %s has other bits", text);
        outcome_fini(&first);
        outcome_fini(&second);
        int64_t lost = tare_runtime_free(rt);
        if (lost != 0)
            fault(r, "%s, allocation %lld fails: %lld blocks are lost", graph ? "graph" : "now", (long long)k,
                  (long long)lost);
        if (done || r->n > 4)
            return;
    }
}

#endif
