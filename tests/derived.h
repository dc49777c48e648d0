/* derived.h - everything that follows from one operator's record, checked: a new operator is covered with no edit. */
#ifndef TARE_TESTS_DERIVED_H
#define TARE_TESTS_DERIVED_H

#include "../ops/ops.h"
#include "derived_kernels.h"
#include "derived_modes.h"

/* A runtime with those options in which the operator is registered, a built-in one or a test's own. NULL: it cannot
 * be. */
static inline tare_runtime *derived_start_with(const tare_options *options, const tare_op *op)
{
    tare_runtime *rt;
    if (tare_start(options, &rt) != TARE_OK)
        return NULL;
    tare_status status = tare_graph_register(rt);
    if (status == TARE_OK && tare_runtime_kernels(rt, op)->op != op)
        status = tare_register(rt, TARE_KIND_OPERATOR, op);
    if (status != TARE_OK) {
        tare_runtime_free(rt);
        return NULL;
    }
    return rt;
}

static inline tare_runtime *derived_start(const tare_op *op, tare_kernel_choice kernels)
{
    return derived_start_with(&(tare_options){.kernels = kernels, .isa_limit = TARE_ISA_COUNT}, op);
}

typedef struct {
    tare_runtime *native, *reference;
    uint64_t needs_used, needs_seen; /* over all samples, by operand */
} derivation;

static inline void derive_sample(report *r, derivation *d, const sample *s, sample *wide)
{
    const tare_op *op = s->op;
    if (op->variants)
        check_kernels(r, tare_runtime_kernels(d->native, op), s, wide);
    outcome now;
    run_now(d->native, s, (now_how){0}, &now);
    if (now.status != TARE_OK) {
        fault(r, "run now: %s", now.text);
    } else {
        check_modes(r, d->native, s, &now);
        if (differentiable(op)) {
            int total;
            d->needs_seen |= needed(s, now.n_out, &total);
            check_needs(r, d->native, s, &now, &d->needs_used);
            check_gradient(r, d->reference, wide);
        }
    }
    outcome_fini(&now);
}

static inline void derive_one(report *r, derivation *d, const tare_sample *of)
{
    const tare_op *op = r->op;
    sample s, wide;
    bool readable = sample_init(&wide, op, of, true);
    readable = sample_init(&s, op, of, false) && readable;
    r->of = of;
    if (!readable)
        fault(r, "the sample cannot be read");
    else if (of->use == TARE_SAMPLE_REJECT)
        check_reject(r, d->native, &s);
    else if (s.status != TARE_OK)
        fault(r, "%s", tare_error_text());
    else if (of->use == TARE_SAMPLE_CHECK)
        derive_sample(r, d, &s, &wide);
    sample_fini(&s);
    sample_fini(&wide);
}

static inline void derive_no_memory(report *r, derived_maker *start)
{
    for (int i = 0; i < r->op->n_samples; ++i) {
        sample s;
        r->of = &r->op->samples[i];
        if (r->of->use != TARE_SAMPLE_CHECK)
            continue;
        if (sample_init(&s, r->op, r->of, false) && s.status == TARE_OK) {
            check_no_memory(r, start, &s, false);
            check_no_memory(r, start, &s, true);
        }
        sample_fini(&s);
        return;
    }
}

/* All checks, in runtimes that `start` makes. */
static inline void derive_in(derived_maker *start, const tare_op *op, report *r)
{
    int n[3] = {0};
    *r = (report){.op = op};
    derivation d = {start(op, TARE_KERNELS_NATIVE), start(op, TARE_KERNELS_REFERENCE), 0, 0};
    if (!d.native || !d.reference) {
        fault(r, "%s", tare_error_text());
    } else {
        for (int i = 0; i < op->n_samples && r->n < 8; ++i) {
            ++n[op->samples[i].use];
            derive_one(r, &d, &op->samples[i]);
        }
        if (r->n == 0)
            derive_no_memory(r, start);
        r->of = NULL;
        if (r->n == 0 && (n[TARE_SAMPLE_CHECK] == 0 || (op->variants && n[TARE_SAMPLE_BENCH] == 0)))
            fault(r, "it needs samples to check, and to bench if it has kernels");
        if (!op->doc || !*op->doc)
            fault(r, "it has no doc");
        for (int k = 0; r->n == 0 && op->n_in >= 0 && k < 64; ++k)
            if ((d.needs_seen & ~d.needs_used) >> k & 1)
                fault(r, "operand %d is listed in needs, and no gradient reads it", k);
    }
    int64_t lost = tare_runtime_free(d.native) + tare_runtime_free(d.reference);
    if (lost != 0)
        fault(r, "%lld blocks are lost", (long long)lost);
}

static inline void derive(const tare_op *op, report *r)
{
    derive_in(derived_start, op, r);
}

#endif
