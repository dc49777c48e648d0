/* dense.c - the dense layer's product and its gradient, which is made of plain ones (matmul.c). */
#include "product.h"

/* ptr: x, w, bias, y, -, worker scratch */
TARE_KERNEL_DECLARE(dense);
int TARE_KERNEL(dense)(const tare_call *c, int piece, int worker)
{
    product(c, c->ptr[0], c->ptr[1], c->ptr[2], c->ptr[3], piece, c->n_pieces, c->ptr[5], worker);
    return 0;
}

#ifdef TARE_PASS_RECORDS

static inline void dense_shape(const tare_args *a, tare_gemm_shape *s)
{
    const tare_desc *x = a->in[0], *w = a->in[1];
    int64_t n = w->dim[0];
    *s = (tare_gemm_shape){x->dim[0], n, x->dim[1], x->stride[0], x->stride[1], w->stride[1], w->stride[0], n};
}

static void prepare_dense(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)out;
    prepare_native(a, dense_shape, w);
}

/* One piece, no scratch: BLAS and the reference. */
static void prepare_dense_whole(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    dense_shape(a, shape_in(w));
    w->g[G_PATH] = TARE_GEMM_PACKED;
    w->g[G_DTYPE] = out[0]->dtype;
}

static bool native_takes_dense(const tare_args *a)
{
    return native_takes(a, dense_shape);
}

static bool blas_takes_dense(const tare_args *a)
{
    return blas_takes(a, dense_shape);
}

static int dense_reference(const tare_call *c, int piece, int worker)
{
    (void)piece;
    (void)worker;
    reference_product(c, 0, 0, c->ptr[2], c->ptr[3], 0);
    return 0;
}

static int dense_blas(const tare_call *c, int piece, int worker)
{
    (void)piece;
    (void)worker;
    tare__blas_product(shape_at(c), c->ptr[0], c->ptr[1], c->ptr[2], c->ptr[3]);
    return 0;
}

static tare_status infer_dense(const tare_args *a, const tare_desc_out *out)
{
    const tare_desc *x = a->in[0], *w = a->in[1], *b = a->in[2];
    char tx[TARE_DESC_TEXT], tw[TARE_DESC_TEXT];
    tare_status status = check_factors(a);
    if (status != TARE_OK)
        return status;
    if (x->rank != 2 || w->rank != 2)
        return tare_op_error(a, TARE_BAD_SHAPE, "inputs are %s and %s (need two matrices)", tare_desc_text(x, tx),
                             tare_desc_text(w, tw));
    if (x->dim[1] != w->dim[1])
        return tare_op_error(a, TARE_BAD_SHAPE, "inner sizes differ: x%s · w%s (need x.dim(1) == w.dim(1))",
                             tare_desc_text(x, tx), tare_desc_text(w, tw));
    if (b && (b->dtype != x->dtype || b->rank != 1 || b->dim[0] != w->dim[0]))
        return tare_op_error(a, TARE_BAD_SHAPE, "bias is %s %s for w%s (need %s [%lld])", tare_dtype_name(b->dtype),
                             tare_desc_text(b, tx), tare_desc_text(w, tw), tare_dtype_name(x->dtype),
                             (long long)w->dim[0]);
    return set_matrix(a, out[0], x->dim[0], w->dim[0]);
}

static double dense_flops(const tare_args *a, const tare_desc_ref *out)
{
    (void)out;
    tare_gemm_shape s;
    dense_shape(a, &s);
    return product_flops(&s);
}

/* dx = dy w, dw = dyᵀ x, db = sum of dy over the batch */
static void dense_gradient(tare_builder *b)
{
    tare_mode *m = b->mode;
    tare_value *dy = tare_head(b, 0), *x = tare_input(b, 0), *w = tare_input(b, 1);
    if (tare_wanted(b, 0))
        tare_contribute(b, 0, tare_matmul(m, dy, w, (tare_matmul_attr){false, false}));
    if (tare_wanted(b, 1))
        tare_contribute(b, 1, tare_matmul(m, dy, x, (tare_matmul_attr){true, false}));
    if (tare_wanted(b, 2))
        tare_contribute(b, 2, tare_sum(m, dy, (tare_sum_attr){.axes = {1, {0}}}));
}

static const tare_sample dense_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,5] f32[4,5] f32[4]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[1,16] f32[16,16] f32[16]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[1,17] f32[19,17] -", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[7,33] f32[1,33] f32[1]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[129,130] f32[65,130] f32[65]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[13,1100] f32[20,1100] f32[20]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[0,5] f32[4,5] f32[4]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[3,0] f32[4,0] f32[4]", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[256,1000] f32[300,1000] f32[300]", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[1,16] f32[16,16] f32[16]", NULL, NULL},
    {TARE_SAMPLE_REJECT, "f32[32,784] f32[10,512] f32[10]", NULL,
     "inner sizes differ: x[32,784] · w[10,512] (need x.dim(1) == w.dim(1))"},
    {TARE_SAMPLE_REJECT, "f32[3,5] f32[4,5] f32[5]", NULL, "need float32 [4]"},
    {TARE_SAMPLE_REJECT, "f32[3] f32[4,5] f32[4]", NULL, "need two matrices"},
    {TARE_SAMPLE_REJECT, "i32[3,5] f32[4,5] f32[4]", NULL, "need float32 or float64"},
};

const tare_op tare_op_dense = {
    .name = "dense",
    .doc = "y = x wᵀ + b; x [N,K], w [O,K], b [O] or absent, y [N,O]",
    .n_in = 3,
    .n_out = 1,
    .optional = 1u << 2,
    .infer = infer_dense,
    .gradient = dense_gradient,
    .needs_in = 1u << 0 | 1u << 1,
    .flops = dense_flops,
    PRODUCT_VARIANTS(dense),
    .samples = dense_samples,
    .n_samples = TARE_COUNT_OF(dense_samples),
    .tolerance = 2e-6,
};

#endif
