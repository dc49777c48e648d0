/* broadcast.c - merging the dimensions of operands that broadcast; what records of such operators share. */
#include "broadcast.h"

#ifdef TARE_PASS_RECORDS

/* The stride of x along the output's dimension d: 0 where x is broadcast. */
static int64_t stride_at(const tare_desc *x, int rank, int d)
{
    int own = x ? d - (rank - x->rank) : -1;
    return own < 0 || x->dim[own] == 1 ? 0 : x->stride[own];
}

void tare__prepare_walk(const tare_desc *out, const tare_desc_ref *operand, int n, tare_work *w)
{
    tare__prepare_pointwise(NULL, &out, w);
    int64_t *dim = w->g + TARE_WALK_DIM, *stride = w->g + TARE_WALK_STRIDE;
    for (int d = 0; d < TARE_RANK; ++d) {
        dim[d] = 1;
        for (int k = 0; k < n; ++k)
            stride[k * TARE_RANK + d] = 0;
    }
    int at = -1; /* the merged dimension being grown */
    for (int d = out->rank - 1; d >= 0; --d) {
        if (out->dim[d] == 1)
            continue;
        bool merges = at >= 0;
        for (int k = 0; k < n && merges; ++k)
            merges = stride_at(operand[k], out->rank, d) == stride[k * TARE_RANK + at] * dim[at];
        if (merges) {
            dim[at] *= out->dim[d];
            continue;
        }
        dim[++at] = out->dim[d];
        for (int k = 0; k < n; ++k)
            stride[k * TARE_RANK + at] = stride_at(operand[k], out->rank, d);
    }
    w->n_g = TARE_WALK_WORDS(n);
}

void tare__prepare_broadcast(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    tare__prepare_walk(out[0], a->in, a->n_in, w);
}

tare_status tare__infer_broadcast(const tare_args *a, const tare_desc_out *out, uint32_t dtypes)
{
    const tare_desc *x = a->in[0], *y = a->in[1];
    char t0[TARE_DESC_TEXT], t1[TARE_DESC_TEXT];
    if (!(dtypes & TARE_BIT(x->dtype)))
        return tare_op_error(a, TARE_BAD_DTYPE, "input 0 is %s (need %s)", tare_dtype_name((tare_dtype)x->dtype),
                             dtypes == TARE_FLOATS ? "float32 or float64" : "numbers");
    if (y->dtype != x->dtype)
        return tare_op_error(a, TARE_BAD_DTYPE, "input 1 is %s, input 0 is %s (need one dtype)",
                             tare_dtype_name((tare_dtype)y->dtype), tare_dtype_name((tare_dtype)x->dtype));
    if (!tare_desc_broadcast(x, y, out[0]))
        return tare_op_error(
            a, TARE_BAD_SHAPE,
            "shapes do not broadcast: %s and %s (need, from the last dimension on, equal sizes or a 1)",
            tare_desc_text(x, t0), tare_desc_text(y, t1));
    return tare_desc_check(out[0]);
}

tare_status tare__infer_broadcast_floats(const tare_args *a, const tare_desc_out *out)
{
    return tare__infer_broadcast(a, out, TARE_FLOATS);
}

bool tare__fits_same(const tare_args *a)
{
    return tare_desc_same_shape(a->in[0], a->in[1]);
}

tare_value *tare__sum_like(tare_mode *m, tare_value *dy, tare_value *x)
{
    return tare_desc_same_shape(&x->d, &dy->d) ? dy : tare_sum_like(m, dy, x);
}

void tare__contribute_like(tare_builder *b, int i, tare_value *dy)
{
    tare_contribute(b, i, tare__sum_like(b->mode, dy, tare_input(b, i)));
}

#endif
