/* record.c - what the operators share: common inference and preparation, and the registration of all of them. */
#include "record.h"

#include "blas.h"

#ifdef TARE_PASS_RECORDS

void tare__prepare_pointwise(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)a;
    int64_t n = tare_desc_count(out[0]);
    w->g[0] = n;
    w->g[1] = out[0]->dtype;
    w->n_g = 2;
    w->n_pieces = n > TARE_CHUNK ? (int32_t)((n + TARE_CHUNK - 1) / TARE_CHUNK) : 1;
}

void tare__prepare_scalars(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    tare__prepare_pointwise(a, out, w);
    for (int k = 0; k < a->op->n_attrs; ++k)
        if (a->op->attrs[k].type == TARE_ATTR_FLOAT) {
            double x;
            memcpy(&x, (const char *)a->attr + a->op->attrs[k].offset, sizeof x);
            w->g[w->n_g++] = tare_bits(x);
        }
}

bool tare__fits_apart(const tare_args *a)
{
    return a->in[0]->rank > 1 && tare_desc_count(a->in[0]) > 0;
}

void tare__prepare_apart(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    tare__prepare_scalars(a, out, w);
    int64_t rows = out[0]->dim[0], length = w->g[0] / rows, per_piece = length < TARE_CHUNK ? TARE_CHUNK / length : 1;
    w->n_pieces = (int32_t)((rows + per_piece - 1) / per_piece);
    int64_t *g = w->g + w->n_g;
    *g++ = rows;
    *g++ = length;
    *g++ = (rows + w->n_pieces - 1) / w->n_pieces; /* as even as can be */
    for (int i = 0; i < a->n_in; ++i)
        *g++ = a->in[i]->stride[0];
    *g++ = out[0]->stride[0];
    w->n_g = (int32_t)(g - w->g);
}

static inline tare_status infer_like(const tare_args *a, const tare_desc_out *out, bool same_shape)
{
    const tare_desc *x = a->in[0];
    if (x->dtype != TARE_F32 && x->dtype != TARE_F64)
        return tare_op_error(a, TARE_BAD_DTYPE, "input 0 is %s (need float32 or float64)", tare_dtype_name(x->dtype));
    for (int i = 1; i < a->n_in; ++i) {
        if (a->in[i]->dtype != x->dtype)
            return tare_op_error(a, TARE_BAD_DTYPE, "input %d is %s, input 0 is %s (need one dtype)", i,
                                 tare_dtype_name(a->in[i]->dtype), tare_dtype_name(x->dtype));
        if (same_shape && !tare_desc_same_shape(a->in[i], x)) {
            char t0[TARE_DESC_TEXT], ti[TARE_DESC_TEXT];
            return tare_op_error(a, TARE_BAD_SHAPE, "shapes differ: %s and %s (need the same)", tare_desc_text(x, t0),
                                 tare_desc_text(a->in[i], ti));
        }
    }
    tare_desc_like(out[0], x);
    return TARE_OK;
}

tare_status tare__infer_like(const tare_args *a, const tare_desc_out *out)
{
    return infer_like(a, out, false);
}

tare_status tare__infer_same(const tare_args *a, const tare_desc_out *out)
{
    return infer_like(a, out, true);
}

tare_status tare_start(const tare_options *options, tare_runtime **out)
{
    static const tare_op *const built_in[] = {
#define TARE_LIST(op, n)              &tare_op_##op,
#define TARE_LIST_ATTR(op, n, fields) &tare_op_##op,
        TARE_OPERATORS(TARE_LIST, TARE_LIST_ATTR)
#undef TARE_LIST
#undef TARE_LIST_ATTR
    };
    tare_runtime *rt;
    tare_status status = tare__blas_start();
    if (status == TARE_OK)
        status = tare_runtime_new(options, &rt);
    for (size_t i = 0; status == TARE_OK && i < sizeof built_in / sizeof *built_in; ++i) {
        status = tare_register(rt, TARE_KIND_OPERATOR, built_in[i]);
        if (status != TARE_OK)
            tare_runtime_free(rt);
    }
    if (status != TARE_OK)
        return status;
    tare_runtime_name_operators(rt, &tare_op_accumulate, &tare_op_fill, &tare_op_copy);
    *out = rt;
    return TARE_OK;
}

#endif
