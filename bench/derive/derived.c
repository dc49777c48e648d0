/* derived.c - the derived tests of one operator, in their order (see derived.h). */
#include "derived.h"

#include "derived_private.h"

enum { MOST_FAULTS = 8, THREADS = 3 };

typedef struct {
    tare_runtime *native, *reference, *threaded;
    bool elsewhere, briefly;         /* as the maker's */
    uint64_t needs_used, needs_seen; /* over all samples, by operand */
} derivation;

static void derive_check(tare__findings *f, derivation *d, const tare__case *s, tare__case *wide)
{
    const tare_op *op = s->op;
    if (op->variants && !d->elsewhere)
        tare__check_kernels(f, d->native, s, wide);
    tare__outcome now;
    tare__run_now(d->native, s, (tare__now){0}, &now);
    if (now.status != TARE_OK)
        tare__fault(f, "run now: %s", now.text);
    tare__tested(f, "now");
    if (now.status == TARE_OK)
        tare__check_modes(f, d->native, d->threaded, s, &now);
    if (now.status == TARE_OK && tare__differentiable(op)) {
        int total;
        d->needs_seen |= tare__needed(s, now.n_out, &total);
        tare__check_needs(f, d->native, s, &now, &d->needs_used);
        tare__check_gradient(f, d->reference, wide, d->briefly);
    }
    tare__outcome_fini(&now);
}

static void derive_sample(tare__findings *f, derivation *d, const tare_sample *of)
{
    const tare_op *op = f->op;
    tare__case s, wide;
    bool readable = tare__case_init(&wide, op, of, true);
    readable = tare__case_init(&s, op, of, false) && readable;
    f->of = of;
    s.runtime = d->native;
    wide.runtime = d->reference;
    bool usable = readable && (of->use == TARE_SAMPLE_REJECT || s.status == TARE_OK);
    if (!usable)
        tare__fault(f, "%s", readable ? tare_error_text() : "the sample cannot be read");
    if (!usable || of->use == TARE_SAMPLE_BENCH)
        tare__tested(f, "the sample is well formed");
    else if (of->use == TARE_SAMPLE_REJECT)
        tare__check_reject(f, d->native, &s);
    else
        derive_check(f, d, &s, &wide);
    tare__case_fini(&s);
    tare__case_fini(&wide);
}

/* On the first CHECK sample. */
static void derive_no_memory(tare__findings *f, const tare__maker *maker)
{
    for (int i = 0; i < f->op->n_samples; ++i) {
        tare__case s;
        f->of = &f->op->samples[i];
        if (f->of->use != TARE_SAMPLE_CHECK)
            continue;
        if (tare__case_init(&s, f->op, f->of, false) && s.status == TARE_OK) {
            tare__check_no_memory(f, maker, &s, false);
            tare__check_no_memory(f, maker, &s, true);
        }
        tare__case_fini(&s);
        return;
    }
}

/* What only all samples together show. */
static void derive_whole(tare__findings *f, const derivation *d)
{
    const tare_op *op = f->op;
    int n[3] = {0};
    for (int i = 0; i < op->n_samples; ++i)
        ++n[op->samples[i].use];
    f->of = NULL;
    if (f->n == 0 && (n[TARE_SAMPLE_CHECK] == 0 || (op->variants && n[TARE_SAMPLE_BENCH] == 0)))
        tare__fault(f, "it needs samples to check, and to bench if it has kernels");
    if (!op->doc || !*op->doc)
        tare__fault(f, "it has no doc");
    for (int k = 0; f->n == 0 && op->n_in >= 0 && k < 64; ++k)
        if ((d->needs_seen & ~d->needs_used) >> k & 1)
            tare__fault(f, "operand %d is listed in needs, and no gradient reads it", k);
    tare__tested(f, "the record is complete");
}

static tare_status start(const tare__maker *m, tare_kernel_choice kernels, int threads, tare_runtime **out)
{
    tare_options options = {.kernels = kernels, .threads = threads, .isa_limit = TARE_ISA_COUNT};
    return m->start(m->owner, &options, out);
}

void tare__derive(const tare__maker *maker, tare__findings *f)
{
    derivation d = {.elsewhere = maker->elsewhere, .briefly = maker->briefly};
    tare_status status = start(maker, TARE_KERNELS_NATIVE, 1, &d.native);
    if (status == TARE_OK)
        status = start(maker, TARE_KERNELS_REFERENCE, 1, &d.reference);
    if (status == TARE_OK && !(d.native->added && d.native->added->by_threads))
        status = start(maker, TARE_KERNELS_NATIVE, THREADS, &d.threaded);
    if (status != TARE_OK)
        tare__fault(f, "%s", tare_error_text());
    for (int i = 0; status == TARE_OK && i < f->op->n_samples && f->n < MOST_FAULTS; ++i)
        derive_sample(f, &d, &f->op->samples[i]);
    if (f->n == 0)
        derive_no_memory(f, maker);
    if (status == TARE_OK)
        derive_whole(f, &d);
    int64_t lost = tare_runtime_free(d.native) + tare_runtime_free(d.reference) + tare_runtime_free(d.threaded);
    if (lost != 0)
        tare__fault(f, "%lld blocks are lost", (long long)lost);
    tare__tested(f, "its runtimes end with nothing lost");
}
