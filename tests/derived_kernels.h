/* derived_kernels.h - what follows from a record for its kernels, checked on every CHECK sample and usable variant:
 * the float64 reference's numbers within the record's tolerance; the same bits with the pieces in reverse order, at
 * other addresses, in place, with other outputs absent, and with the rows of an operand apart where the variant says
 * that it takes them so; nothing written outside the outputs, nor between their rows. */
#ifndef TARE_TESTS_DERIVED_KERNELS_H
#define TARE_TESTS_DERIVED_KERNELS_H

#include "report.h"
#include "sample.h"

/* How a kernel is called. */
typedef struct {
    bool reversed;   /* pieces in descending order */
    size_t offset;   /* elements from an aligned address at which each array begins */
    uint32_t shared; /* bit o: output o lies on the input that it may overwrite or is tied to */
    uint32_t absent; /* beyond the sample's */
    uint64_t
        apart; /* bit k: the rows of operand k (inputs, then outputs) lie GAP elements apart; between them is 0xff */
} manner;

typedef struct {
    tare_status status; /* of inference */
    int error;          /* of the kernel */
    int n;              /* outputs and auxiliaries */
    tare_desc d[TARE_OPERANDS];
    void *data[TARE_OPERANDS]; /* NULL: absent */
} results;

static inline void results_fini(results *r)
{
    for (int o = 0; o < r->n; ++o)
        free(r->data[o]);
    r->n = 0;
}

enum { GAP = 5 };

/* The rows of dimension 0 put apart, or together again; whether what lies between them is still as it was. */
static inline void rows_apart(tare_desc *d)
{
    d->stride[0] += GAP;
    d->contiguous = false;
}

static inline size_t apart_bytes(const tare_desc *d)
{
    return (size_t)(d->dim[0] * d->stride[0]) * tare_dtype_bytes((tare_dtype)d->dtype);
}

static inline void rows_spread(const tare_desc *d, unsigned char *to, const unsigned char *from)
{
    size_t step = apart_bytes(d) / (size_t)d->dim[0], row = tare_desc_bytes(d) / (size_t)d->dim[0];
    for (int64_t i = 0; i < d->dim[0]; ++i, to += step, from += row)
        memcpy(to, from, row);
}

static inline bool rows_gather(const tare_desc *d, unsigned char *to, const unsigned char *from)
{
    size_t step = apart_bytes(d) / (size_t)d->dim[0], row = tare_desc_bytes(d) / (size_t)d->dim[0];
    bool whole = true;
    for (int64_t i = 0; i < d->dim[0]; ++i, to += row, from += step) {
        memcpy(to, from, row);
        for (size_t k = row; k < step; ++k)
            whole = whole && from[k] == 0xff;
    }
    return whole;
}

enum { GUARD = 128, GUARD_BYTE = 0x5a };
typedef struct {
    unsigned char *block; /* guard, bytes, guard */
    size_t bytes, before;
} guarded;

/* Bytes of 0xff: NaN, -1, an index out of range. */
static inline guarded guarded_take(size_t bytes, size_t offset, const void *content)
{
    guarded g = {.bytes = bytes, .before = GUARD + offset};
    size_t total = (g.before + bytes + GUARD + TARE_ALIGNMENT - 1) & ~(size_t)(TARE_ALIGNMENT - 1);
    g.block = aligned_alloc(TARE_ALIGNMENT, total);
    memset(g.block, GUARD_BYTE, total);
    memset(g.block + g.before, 0xff, bytes);
    if (content && bytes)
        memcpy(g.block + g.before, content, bytes);
    return g;
}

static inline bool guarded_give(guarded *g)
{
    bool whole = true;
    for (size_t i = 0; g->block && i < GUARD; ++i)
        whole = whole && g->block[g->before - 1 - i] == GUARD_BYTE && g->block[g->before + g->bytes + i] == GUARD_BYTE;
    free(g->block);
    return whole;
}

static inline int input_under(const tare_op *op, int o)
{
    return op->ties[o] ? op->ties[o] : op->overwrites[o];
}

/* Infers, prepares and runs one variant outside any mode. The caller ends *out. */
static inline void kernel_run(report *r, const sample *s, const tare_variant *v, manner how, results *out)
{
    const tare_op *op = s->op;
    const tare_desc *in[SAMPLE_INPUTS];
    tare_desc *made[TARE_OPERANDS], laid[SAMPLE_INPUTS];
    guarded operand[SAMPLE_INPUTS + TARE_OPERANDS] = {0}, scratch = {0};
    void *ptr[SAMPLE_INPUTS + TARE_OPERANDS + 2] = {0};
    for (int i = 0; i < s->n_in; ++i)
        in[i] = s->present[i] ? &laid[i] : NULL;
    for (int i = 0; i < s->n_in; ++i) {
        laid[i] = s->d[i];
        if (how.apart >> i & 1)
            rows_apart(&laid[i]);
    }
    tare_args a = {op, s->attr, (const tare_desc_ref *)in, s->n_in, s->absent | how.absent, NULL};
    *out = (results){.n = (op->n_out >= 0 ? op->n_out : op->outputs(&a)) + op->n_aux};
    for (int o = 0; o < out->n; ++o)
        made[o] = &out->d[o];
    out->status = op->infer(&a, (const tare_desc_out *)made);
    if (out->status != TARE_OK)
        return;
    if (v->opaque)
        v->opaque(&a, (const tare_desc_out *)(made + out->n - op->n_aux));
    for (int o = 0; o < out->n; ++o)
        if (how.apart >> (s->n_in + o) & 1)
            rows_apart(made[o]);
    tare_work w = {.n_pieces = 1};
    memset(w.g, 0xff, sizeof w.g);
    v->prepare(&a, (const tare_desc_ref *)made, &w);

    for (int i = 0; i < s->n_in; ++i) {
        if (!s->present[i] || (op->shape_only >> i & 1))
            continue;
        size_t item = tare_dtype_bytes((tare_dtype)s->d[i].dtype);
        bool apart = how.apart >> i & 1;
        operand[i] = guarded_take(apart ? apart_bytes(&laid[i]) : tare_desc_bytes(&s->d[i]), how.offset * item,
                                  apart ? NULL : s->data[i]);
        ptr[i] = operand[i].block + operand[i].before;
        if (apart)
            rows_spread(&laid[i], ptr[i], s->data[i]);
    }
    for (int o = 0; o < out->n; ++o) {
        if (a.absent >> o & 1)
            continue;
        int k = s->n_in + o;
        size_t bytes = how.apart >> k & 1 ? apart_bytes(made[o]) : tare_desc_bytes(made[o]);
        size_t item = tare_dtype_bytes((tare_dtype)made[o]->dtype);
        if (how.shared >> o & 1) {
            ptr[k] = ptr[input_under(op, o) - 1];
            continue;
        }
        operand[k] = guarded_take(bytes, how.offset * item, NULL);
        ptr[k] = operand[k].block + operand[k].before;
    }
    /* backwards they run as three workers in turn, so that each has its own scratch or is found out */
    int workers = tare_work_workers(&w, how.reversed ? 3 : 1);
    size_t pieces = tare_work_piece_scratch(&w), all = pieces + tare_work_worker_scratch(&w, workers);
    if (all > 0)
        scratch = guarded_take(all, 0, NULL);
    ptr[s->n_in + out->n] = w.piece_bytes ? scratch.block + scratch.before : NULL;
    ptr[s->n_in + out->n + 1] = w.worker_bytes ? scratch.block + scratch.before + pieces : NULL;

    tare_call c = {v->run, v->combine, ptr, w.g, w.n_pieces, (int16_t)(s->n_in + out->n + 2), (int16_t)w.n_g, -1};
    for (int k = 0; k < w.n_pieces; ++k)
        out->error |= c.run(&c, how.reversed ? w.n_pieces - 1 - k : k, k % workers);
    if (c.combine)
        out->error |= c.combine(&c, 0, 0);

    for (int o = 0; o < out->n; ++o) {
        if (a.absent >> o & 1)
            continue;
        size_t bytes = tare_desc_bytes(made[o]);
        out->data[o] = malloc(bytes + 1);
        if (how.apart >> (s->n_in + o) & 1) {
            if (!rows_gather(made[o], out->data[o], ptr[s->n_in + o]))
                fault(r, "%s writes between the rows of output %d", v->name, o);
        } else if (bytes)
            memcpy(out->data[o], ptr[s->n_in + o], bytes);
    }
    for (int i = 0; i < s->n_in; ++i) {
        bool written = false;
        for (int o = 0; o < out->n; ++o)
            written |= (how.shared >> o & 1) && input_under(op, o) - 1 == i;
        if (!ptr[i] || written)
            continue;
        unsigned char *is = malloc(tare_desc_bytes(&s->d[i]) + 1);
        bool whole = true;
        if (how.apart >> i & 1)
            whole = rows_gather(&laid[i], is, ptr[i]);
        else
            memcpy(is, ptr[i], tare_desc_bytes(&s->d[i]));
        whole = whole && memcmp(is, s->data[i], tare_desc_bytes(&s->d[i])) == 0;
        free(is);
        if (!whole)
            fault(r, "%s writes to input %d", v->name, i);
    }
    bool whole = guarded_give(&scratch);
    for (int k = 0; k < s->n_in + out->n; ++k)
        whole &= guarded_give(&operand[k]);
    if (!whole)
        fault(r, "%s writes outside its arrays", v->name);
}

/* The variant that a kernel set has for the sample, from the record's own list; NULL: none. */
static inline const tare_variant *reference_of(const sample *s)
{
    const tare_variant *v = &s->op->variants[s->op->n_variants - 1];
    int dtype = s->n_in && s->present[0] ? s->d[0].dtype : TARE_F64;
    return v->dtypes & TARE_BIT(dtype) ? v : NULL;
}

static inline bool usable_for(const tare_variant *v, const sample *s)
{
    const tare_desc *in[SAMPLE_INPUTS];
    for (int i = 0; i < s->n_in; ++i)
        in[i] = s->present[i] ? &s->d[i] : NULL;
    tare_args a = {s->op, s->attr, (const tare_desc_ref *)in, s->n_in, s->absent, NULL};
    int dtype = s->n_in && s->present[0] ? s->d[0].dtype : TARE_F32;
    return (v->dtypes & TARE_BIT(dtype)) && (!v->fits || v->fits(&a));
}

static inline void same_bits(report *r, const results *is, const results *wanted, const char *variant, const char *how)
{
    if (is->status != TARE_OK || is->error != wanted->error) {
        fault(r, "%s %s: status %d, error %d (was %d)", variant, how, is->status, is->error, wanted->error);
        return;
    }
    for (int o = 0; o < is->n; ++o)
        if (is->data[o] && memcmp(is->data[o], wanted->data[o], tare_desc_bytes(&wanted->d[o])) != 0)
            fault(r, "%s %s: output %d has other bits", variant, how, o);
}

static inline void check_manner(report *r, const sample *s, const tare_variant *v, const results *wanted, manner how,
                                const char *text)
{
    results is;
    kernel_run(r, s, v, how, &is);
    same_bits(r, &is, wanted, v->name, text);
    results_fini(&is);
}

static inline void check_in_place(report *r, const sample *s, const tare_variant *v, const results *wanted)
{
    uint32_t all = 0, taken = 0;
    for (int o = 0; o < wanted->n; ++o) {
        int i = wanted->data[o] ? input_under(s->op, o) - 1 : -1;
        if (i < 0 || !s->present[i] || tare_desc_bytes(&s->d[i]) != tare_desc_bytes(&wanted->d[o]))
            continue;
        check_manner(r, s, v, wanted, (manner){.shared = 1u << o}, "in place");
        if (!(taken >> i & 1))
            all |= 1u << o;
        taken |= 1u << i;
    }
    if (all & (all - 1))
        check_manner(r, s, v, wanted, (manner){.shared = all}, "all in place");
}

/* Each operand whose rows the variant takes apart alone, then all of them; the kernel stays the one that it is. */
static inline void check_apart(report *r, const sample *s, const tare_variant *v, const results *wanted)
{
    uint64_t all = 0;
    for (int k = 0; k < s->n_in + wanted->n; ++k) {
        bool input = k < s->n_in;
        int o = k - s->n_in;
        if (input ? !s->present[k] || (s->op->shape_only >> k & 1) : !wanted->data[o])
            continue;
        const tare_desc *d = input ? &s->d[k] : &wanted->d[o];
        int takes = input ? v->in_strides[k < TARE_OPERANDS ? k : TARE_OPERANDS - 1] : v->out_strides[o];
        tare_desc laid = *d, *in[SAMPLE_INPUTS];
        if (takes == TARE_STRIDES_CONTIGUOUS || d->rank < 2 || d->dim[0] < 2 || tare_desc_count(d) == 0)
            continue;
        rows_apart(&laid);
        for (int i = 0; i < s->n_in; ++i)
            in[i] = i == k ? &laid : s->present[i] ? (tare_desc *)&s->d[i] : NULL;
        tare_args a = {s->op, s->attr, (const tare_desc_ref *)in, s->n_in, s->absent, NULL};
        if (input && ((v->fits && !v->fits(&a)) || (v->fits_strides && !v->fits_strides(&a))))
            continue;
        check_manner(r, s, v, wanted, (manner){.apart = UINT64_C(1) << k}, "with the rows of an operand apart");
        all |= UINT64_C(1) << k;
    }
    if (all & (all - 1) && v->out_strides[0]) {
        check_manner(r, s, v, wanted, (manner){.apart = all}, "with the rows of all operands apart");
        check_manner(r, s, v, wanted, (manner){.apart = all, .reversed = true, .offset = 1},
                     "with all rows apart and pieces in reverse order");
    }
}

/* Auxiliaries may always be absent; an output where inference allows it and another one stays. */
static inline void check_absent(report *r, const sample *s, const tare_variant *v, const results *wanted)
{
    int n_out = wanted->n - s->op->n_aux;
    for (int o = 0; o < wanted->n; ++o) {
        if (!wanted->data[o] || (o < n_out && n_out == 1))
            continue;
        results is;
        kernel_run(r, s, v, (manner){.absent = 1u << o}, &is);
        if (is.status == TARE_OK)
            same_bits(r, &is, wanted, v->name, "with an output absent");
        else if (o >= n_out)
            fault(r, "auxiliary %d cannot be absent: %s", o - n_out, tare_error_text());
        results_fini(&is);
    }
}

static inline void check_variant(report *r, const sample *s, const tare_variant *v, const results *truth)
{
    results is;
    kernel_run(r, s, v, (manner){0}, &is);
    if (is.status != TARE_OK || is.error)
        fault(r, "%s: status %d, error %d: %s", v->name, is.status, is.error, tare_error_text());
    for (int o = 0; o < is.n && is.status == TARE_OK; ++o) {
        if (!is.data[o] || is.d[o].dtype == TARE_BYTES)
            continue;
        if (!tare_desc_same_shape(&is.d[o], &truth->d[o])) {
            fault(r, "%s: output %d has another shape in float64", v->name, o);
            continue;
        }
        double error = array_error(is.data[o], (tare_dtype)is.d[o].dtype, truth->data[o], (tare_dtype)truth->d[o].dtype,
                                   tare_desc_count(&is.d[o]));
        if (!(error <= s->op->tolerance))
            fault(r, "%s: output %d is off by %.3g (tolerance %g)", v->name, o, error, s->op->tolerance);
    }
    if (is.status == TARE_OK) {
        check_manner(r, s, v, &is, (manner){.reversed = true}, "with its pieces in reverse order");
        check_manner(r, s, v, &is, (manner){.offset = 1}, "at other addresses");
        check_in_place(r, s, v, &is);
        check_apart(r, s, v, &is);
        check_absent(r, s, v, &is);
    }
    results_fini(&is);
}

/* All variants of `kernels` on one sample. */
static inline void check_kernels(report *r, const tare_kernels *kernels, const sample *s, const sample *wide)
{
    const tare_variant *reference = reference_of(wide);
    if (!reference) {
        fault(r, "the reference does not take float64");
        return;
    }
    results truth;
    kernel_run(r, wide, reference, (manner){0}, &truth);
    if (truth.status != TARE_OK || truth.error)
        fault(r, "reference in float64: status %d, error %d: %s", truth.status, truth.error, tare_error_text());
    int n = 0;
    for (int i = 0; i < kernels->n && truth.status == TARE_OK; ++i)
        if (usable_for(&kernels->variant[i], s)) {
            check_variant(r, s, &kernels->variant[i], &truth);
            ++n;
        }
    if (n == 0 && truth.status == TARE_OK)
        fault(r, "no variant takes the sample");
    results_fini(&truth);
}

#endif
