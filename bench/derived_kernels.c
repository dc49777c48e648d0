/* derived_kernels.c - what follows from a record for its kernels, checked on every CHECK sample and usable variant: the
 * float64 reference's numbers within the record's tolerance; the same bits with the pieces in reverse order, at other
 * addresses, in place, and with other outputs absent; nothing written outside the outputs. */
#include "derived_private.h"
#include "elements.h"
#include "kernel_run.h"

/* The variant that a kernel set has for the sample, from the record's own list; NULL: none. */
static const tare_variant *reference_of(const tare__case *s)
{
    const tare_variant *v = &s->op->variants[s->op->n_variants - 1];
    int dtype = s->n_in && s->present[0] ? s->d[0].dtype : TARE_F64;
    return v->dtypes & TARE_BIT(dtype) ? v : NULL;
}

static bool usable_for(const tare_variant *v, const tare__case *s)
{
    const tare_desc *in[TARE__CASE_INPUTS];
    for (int i = 0; i < s->n_in; ++i)
        in[i] = s->present[i] ? &s->d[i] : NULL;
    tare_args a = {s->op, s->attr, (const tare_desc_ref *)in, s->n_in, s->absent, NULL};
    int dtype = s->n_in && s->present[0] ? s->d[0].dtype : TARE_F32;
    return (v->dtypes & TARE_BIT(dtype)) && (!v->fits || v->fits(&a));
}

static void check_manner(tare__findings *f, const tare__case *s, const tare_variant *v, const tare__kernel_out *wanted,
                         tare__manner how, const char *text)
{
    tare__kernel_out is;
    tare__kernel_run(f, s, v, how, &is);
    tare__same_bits(f, &is, wanted, v->name, text);
    tare__kernel_out_fini(&is);
}

/* Each output on its input, then all at once. */
static void check_in_place(tare__findings *f, const tare__case *s, const tare_variant *v,
                           const tare__kernel_out *wanted)
{
    uint32_t all = 0, taken = 0;
    for (int o = 0; o < wanted->n; ++o) {
        int i = wanted->data[o] ? tare__input_under(s->op, o) - 1 : -1;
        if (i < 0 || !s->present[i] || tare_desc_bytes(&s->d[i]) != tare_desc_bytes(&wanted->d[o]))
            continue;
        check_manner(f, s, v, wanted, (tare__manner){.shared = 1u << o}, "in place");
        if (!(taken >> i & 1))
            all |= 1u << o;
        taken |= 1u << i;
    }
    if (all & (all - 1))
        check_manner(f, s, v, wanted, (tare__manner){.shared = all}, "all in place");
    if (all)
        tare__tested(f, "%s in place", v->name);
}

/* Auxiliaries may always be absent; an output where inference allows it and another one stays. */
static void check_absent(tare__findings *f, const tare__case *s, const tare_variant *v, const tare__kernel_out *wanted)
{
    int n_out = wanted->n - s->op->n_aux, n = 0;
    for (int o = 0; o < wanted->n; ++o) {
        if (!wanted->data[o] || (o < n_out && n_out == 1))
            continue;
        tare__kernel_out is;
        tare__kernel_run(f, s, v, (tare__manner){.absent = 1u << o}, &is);
        if (is.status == TARE_OK)
            tare__same_bits(f, &is, wanted, v->name, "with an output absent");
        else if (o >= n_out)
            tare__fault(f, "auxiliary %d cannot be absent: %s", o - n_out, tare_error_text());
        tare__kernel_out_fini(&is);
        ++n;
    }
    if (n)
        tare__tested(f, "%s with results absent", v->name);
}

static void check_variant(tare__findings *f, const tare__case *s, const tare_variant *v, const tare__kernel_out *truth)
{
    tare__kernel_out is;
    tare__kernel_run(f, s, v, (tare__manner){0}, &is);
    if (is.status != TARE_OK || is.error)
        tare__fault(f, "%s: status %d, error %d: %s", v->name, is.status, is.error, tare_error_text());
    for (int o = 0; o < is.n && is.status == TARE_OK; ++o) {
        if (!is.data[o] || is.d[o].dtype == TARE_BYTES)
            continue;
        if (!tare_desc_same_shape(&is.d[o], &truth->d[o])) {
            tare__fault(f, "%s: output %d has another shape in float64", v->name, o);
            continue;
        }
        double error = tare__elements_error(is.data[o], (tare_dtype)is.d[o].dtype, truth->data[o],
                                            (tare_dtype)truth->d[o].dtype, tare_desc_count(&is.d[o]));
        if (!(error <= s->op->tolerance))
            tare__fault(f, "%s: output %d is off by %.3g (tolerance %g)", v->name, o, error, s->op->tolerance);
    }
    tare__tested(f, "%s against float64", v->name);
    if (is.status == TARE_OK) {
        check_manner(f, s, v, &is, (tare__manner){.reversed = true}, "with its pieces in reverse order");
        check_manner(f, s, v, &is, (tare__manner){.offset = 1}, "at other addresses");
        tare__tested(f, "%s in another order, at other addresses", v->name);
        check_in_place(f, s, v, &is);
        check_absent(f, s, v, &is);
    }
    tare__kernel_out_fini(&is);
}

void tare__check_kernels(tare__findings *f, const tare_kernels *kernels, const tare__case *s, const tare__case *wide)
{
    const tare_variant *reference = reference_of(wide);
    if (!reference) {
        tare__fault(f, "the reference does not take float64");
        tare__tested(f, "kernels");
        return;
    }
    tare__kernel_out truth;
    tare__kernel_run(f, wide, reference, (tare__manner){0}, &truth);
    if (truth.status != TARE_OK || truth.error)
        tare__fault(f, "reference in float64: status %d, error %d: %s", truth.status, truth.error, tare_error_text());
    int n = 0;
    for (int i = 0; i < kernels->n && truth.status == TARE_OK; ++i)
        if (usable_for(&kernels->variant[i], s)) {
            check_variant(f, s, &kernels->variant[i], &truth);
            ++n;
        }
    if (n == 0 && truth.status == TARE_OK)
        tare__fault(f, "no variant takes the sample");
    if (n == 0)
        tare__tested(f, "kernels");
    tare__kernel_out_fini(&truth);
}
