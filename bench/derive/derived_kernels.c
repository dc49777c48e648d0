/* derived_kernels.c - what follows from a record for its kernels, checked on every CHECK sample and usable variant: the
 * float64 reference's numbers within the record's tolerance; the same bits with the pieces in reverse order, at other
 * addresses, in place, with other outputs absent, and with the rows of an operand apart where the variant says that it
 * takes them so; nothing written outside the outputs, nor between their rows. */
#include "../base/elements.h"
#include "derived_private.h"
#include "kernel_run.h"

/* The variant that a kernel set has for the sample, from the record's own list; NULL: none. */
static const tare_variant *reference_of(const tare__case *s)
{
    const tare_variant *v = &s->op->variants[s->op->n_variants - 1];
    int dtype = s->n_in && s->present[0] ? s->d[0].dtype : TARE_F64;
    return v->dtypes & TARE_BIT(dtype) ? v : NULL;
}

static bool usable_for(const tare_variant *v, const tare__case *s, uint32_t absent)
{
    const tare_desc *in[TARE__CASE_INPUTS];
    for (int i = 0; i < s->n_in; ++i)
        in[i] = s->present[i] ? &s->d[i] : NULL;
    tare_args a = {s->op, s->attr, (const tare_desc_ref *)in, s->n_in, s->absent | absent, NULL, s->runtime};
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

/* Whether the variant says that it takes operand k with its rows apart, and stays the one that fits. */
static bool takes_apart(const tare__case *s, const tare_variant *v, const tare__kernel_out *wanted, int k)
{
    bool input = k < s->n_in;
    int o = k - s->n_in;
    if (input ? !s->present[k] || (s->op->shape_only >> k & 1) : !wanted->data[o] || o >= TARE_OPERANDS)
        return false;
    tare_desc laid = input ? s->d[k] : wanted->d[o];
    int takes = input ? v->in_strides[k < TARE_OPERANDS ? k : TARE_OPERANDS - 1] : v->out_strides[o];
    if (takes == TARE_STRIDES_CONTIGUOUS || laid.rank < 2 || laid.dim[0] < 2 || tare_desc_count(&laid) == 0)
        return false;
    const tare_desc *in[TARE__CASE_INPUTS];
    tare__rows_apart(&laid);
    for (int i = 0; i < s->n_in; ++i)
        in[i] = i == k ? &laid : s->present[i] ? &s->d[i] : NULL;
    tare_args a = {s->op, s->attr, (const tare_desc_ref *)in, s->n_in, s->absent, NULL, s->runtime};
    return !input || ((!v->fits || v->fits(&a)) && (!v->fits_strides || v->fits_strides(&a)));
}

/* Each such operand alone, then all of them. */
static void check_apart(tare__findings *f, const tare__case *s, const tare_variant *v, const tare__kernel_out *wanted)
{
    uint64_t all = 0;
    for (int k = 0; k < s->n_in + wanted->n; ++k) {
        if (!takes_apart(s, v, wanted, k))
            continue;
        check_manner(f, s, v, wanted, (tare__manner){.apart = UINT64_C(1) << k}, "with the rows of an operand apart");
        all |= UINT64_C(1) << k;
    }
    if (all & (all - 1) && v->out_strides[0]) {
        check_manner(f, s, v, wanted, (tare__manner){.apart = all}, "with the rows of all operands apart");
        check_manner(f, s, v, wanted, (tare__manner){.apart = all, .reversed = true, .offset = 1},
                     "with all rows apart and pieces in reverse order");
    }
    if (all)
        tare__tested(f, "%s with rows apart", v->name);
}

/* Auxiliaries may always be absent; an output where inference allows it and another one stays. */
static void check_absent(tare__findings *f, const tare__case *s, const tare_variant *v, const tare__kernel_out *wanted)
{
    int n_out = wanted->n - s->op->n_aux, n = 0;
    for (int o = 0; o < wanted->n; ++o) {
        if (!wanted->data[o] || (o < n_out && n_out == 1) || !usable_for(v, s, 1u << o))
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

static double tolerance_of(const tare__case *s, const tare_variant *v)
{
    const double tolerance = v->tolerance > 0 ? v->tolerance : s->op->tolerance;
    return tolerance * (v->set == TARE_SET_ADDED ? s->runtime->added->tolerance : 1);
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
        if (!(error <= tolerance_of(s, v)))
            tare__fault(f, "%s: output %d is off by %.3g (tolerance %g)", v->name, o, error, tolerance_of(s, v));
    }
    tare__tested(f, "%s against float64", v->name);
    if (is.status == TARE_OK) {
        check_manner(f, s, v, &is, (tare__manner){.reversed = true}, "with its pieces in reverse order");
        check_manner(f, s, v, &is, (tare__manner){.offset = 1}, "at other addresses");
        tare__tested(f, "%s in another order, at other addresses", v->name);
        check_in_place(f, s, v, &is);
        check_apart(f, s, v, &is);
        check_absent(f, s, v, &is);
    }
    tare__kernel_out_fini(&is);
}

void tare__check_kernels(tare__findings *f, tare_runtime *kernels_of, const tare__case *s, const tare__case *wide)
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
    for (int i = 0; i < s->op->n_variants && truth.status == TARE_OK; ++i)
        if (s->op->variants[i].isa <= kernels_of->isa && usable_for(&s->op->variants[i], s, 0)) {
            check_variant(f, s, &s->op->variants[i], &truth);
            ++n;
        }
    const tare_kernels *kernels = tare_runtime_kernels(kernels_of, s->op);
    for (int i = 0; i < kernels->n && truth.status == TARE_OK; ++i)
        if (kernels->variant[i].set == TARE_SET_ADDED && usable_for(&kernels->variant[i], s, 0)) {
            check_variant(f, s, &kernels->variant[i], &truth);
            ++n;
        }
    if (n == 0 && truth.status == TARE_OK)
        tare__fault(f, "no variant takes the sample");
    if (n == 0)
        tare__tested(f, "kernels");
    tare__kernel_out_fini(&truth);
}
