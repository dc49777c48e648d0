/* dense.c - products: the dense layer and the plain matrix product, over our own gemm, BLAS, and the reference.
 *
 * The path through gemm is decided once, in prepare, from the whole product's shape; pieces are gemm's. A BLAS call is
 * one piece: its bits may depend on the position in it. */
#include "blas.h"
#include "gemm.h"
#include "record.h"

/* g[0..8] = tare_gemm_shape, g[9] = path, g[10] = dtype. */
enum { G_PATH = 9, G_DTYPE = 10 };

/* ptr: x, w, bias, y, -, worker scratch   and   a, b, c, -, worker scratch */
TARE_KERNEL_DECLARE(dense);
TARE_KERNEL_DECLARE(matmul);

static inline int product(const tare_call *c, const float *bias, int out, int piece, int worker)
{
    const tare_gemm_shape *s = (const tare_gemm_shape *)(const void *)c->g;
    const float *a = c->ptr[0], *b = c->ptr[1];
    float *y = c->ptr[out];
    char *scratch = c->ptr[out + 2];
    switch ((tare_gemm_path)c->g[G_PATH]) {
    case TARE_GEMM_DOT:
        TARE_KERNEL(gemm_dot)(s, a, b, bias, y, piece, c->n_pieces, NULL);
        break;
    case TARE_GEMM_ROW:
        TARE_KERNEL(gemm_row)(s, a, b, bias, y, piece, c->n_pieces, NULL);
        break;
    case TARE_GEMM_DIRECT:
        TARE_KERNEL(gemm_direct)(s, a, b, bias, y, piece, c->n_pieces, NULL);
        break;
    case TARE_GEMM_PACKED:
        scratch += (size_t)worker * tare__gemm_worker_bytes(s);
        TARE_KERNEL(gemm_packed)(s, a, b, bias, y, piece, c->n_pieces, scratch);
        break;
    }
    return 0;
}

int TARE_KERNEL(dense)(const tare_call *c, int piece, int worker)
{
    return product(c, c->ptr[2], 3, piece, worker);
}

int TARE_KERNEL(matmul)(const tare_call *c, int piece, int worker)
{
    return product(c, NULL, 2, piece, worker);
}

#ifdef TARE_PASS_RECORDS

/* The geometry's first words are the gemm's shape itself. */
static tare_gemm_shape *shape_in(tare_work *w)
{
    w->n_g = G_DTYPE + 1;
    return (tare_gemm_shape *)(void *)w->g;
}

static inline void dense_shape(const tare_args *a, tare_gemm_shape *s)
{
    const tare_desc *x = a->in[0], *w = a->in[1];
    int64_t n = w->dim[0];
    *s = (tare_gemm_shape){x->dim[0], n, x->dim[1], x->stride[0], x->stride[1], w->stride[1], w->stride[0], n};
}

static inline void matmul_shape(const tare_args *a, tare_gemm_shape *s)
{
    const tare_desc *x = a->in[0], *y = a->in[1];
    const tare_matmul_attr *t = a->attr;
    int across_a = !t->transpose_a, across_b = !t->transpose_b;
    int64_t n = y->dim[across_b];
    *s = (tare_gemm_shape){
        x->dim[!across_a],   n, x->dim[across_a], x->stride[!across_a], x->stride[across_a], y->stride[!across_b],
        y->stride[across_b], n};
}

typedef void shape_of(const tare_args *, tare_gemm_shape *);

/* The product of the operands' contiguous copies. */
static void packed_shape(const tare_args *a, shape_of *shape, tare_gemm_shape *packed)
{
    tare_desc x, y;
    tare_desc_like(&x, a->in[0]);
    tare_desc_like(&y, a->in[1]);
    const tare_desc *const in[] = {&x, &y};
    shape(&(tare_args){.op = a->op, .attr = a->attr, .in = (const tare_desc_ref *)in, .n_in = 2}, packed);
}

/* Views run on the path that their copies would have, since the path is a part of an element's bits. Where the strides
 * are not made for it: DIRECT adds as PACKED does, which takes any; DOT and ROW want copies. */
static inline tare_gemm_path path_of(const tare_args *a, shape_of *shape, const tare_gemm_shape *s)
{
    if (a->in[0]->contiguous && a->in[1]->contiguous)
        return tare__gemm_path(s);
    tare_gemm_shape packed;
    packed_shape(a, shape, &packed);
    tare_gemm_path path = tare__gemm_path(&packed);
    return path == TARE_GEMM_DIRECT && s->b_col != 1 ? TARE_GEMM_PACKED : path;
}

static inline void prepare_native(const tare_args *a, shape_of *shape, tare_work *w)
{
    tare_gemm_shape *s = shape_in(w);
    shape(a, s);
    w->g[G_DTYPE] = TARE_F32;
    w->g[G_PATH] = path_of(a, shape, s);
    w->n_pieces = tare__gemm_pieces(s);
    w->worker_bytes = w->g[G_PATH] == TARE_GEMM_PACKED ? tare__gemm_worker_bytes(s) : 0;
}

static void prepare_dense(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)out;
    prepare_native(a, dense_shape, w);
}

static void prepare_matmul(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)out;
    prepare_native(a, matmul_shape, w);
}

static bool native_takes(const tare_args *a, shape_of *shape)
{
    tare_gemm_shape s;
    shape(a, &s);
    tare_gemm_path path = path_of(a, shape, &s);
    return path == TARE_GEMM_DOT ? s.a_col == 1 && s.b_row == 1 : path == TARE_GEMM_ROW ? s.b_col == 1 : true;
}

static bool native_takes_dense(const tare_args *a)
{
    return native_takes(a, dense_shape);
}

static bool native_takes_matmul(const tare_args *a)
{
    return native_takes(a, matmul_shape);
}

/* One piece, no scratch: BLAS and the reference. */
static void prepare_dense_whole(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    dense_shape(a, shape_in(w));
    w->g[G_PATH] = TARE_GEMM_PACKED;
    w->g[G_DTYPE] = out[0]->dtype;
}

static void prepare_matmul_whole(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    matmul_shape(a, shape_in(w));
    w->g[G_PATH] = TARE_GEMM_PACKED;
    w->g[G_DTYPE] = out[0]->dtype;
}

/* BLAS wants one stride of each matrix to be 1, the same as in a copy, and the other to be a leading dimension. */
static bool blas_matrix(int64_t rows, int64_t columns, int64_t row, int64_t column, bool plain)
{
    return plain ? column == 1 && (rows < 2 || row >= columns)
                 : column != 1 && row == 1 && (columns < 2 || column >= rows);
}

static bool blas_takes(const tare_args *a, shape_of *shape)
{
    tare_gemm_shape s, packed;
    shape(a, &s);
    packed_shape(a, shape, &packed);
    return blas_matrix(s.m, s.k, s.a_row, s.a_col, packed.a_col == 1) &&
           blas_matrix(s.k, s.n, s.b_row, s.b_col, packed.b_col == 1);
}

static bool blas_takes_dense(const tare_args *a)
{
    return blas_takes(a, dense_shape);
}

static bool blas_takes_matmul(const tare_args *a)
{
    return blas_takes(a, matmul_shape);
}

static void reference_product(const tare_call *c, const void *bias, void *y)
{
    const tare_gemm_shape *s = (const tare_gemm_shape *)(const void *)c->g;
    int64_t dtype = c->g[G_DTYPE];
    for (int64_t i = 0; i < s->m; ++i) {
        for (int64_t j = 0; j < s->n; ++j) {
            double sum = 0;
            for (int64_t k = 0; k < s->k; ++k)
                sum += tare_at(c->ptr[0], dtype, i * s->a_row + k * s->a_col) *
                       tare_at(c->ptr[1], dtype, k * s->b_row + j * s->b_col);
            tare_put(y, dtype, i * s->c_row + j, bias ? sum + tare_at(bias, dtype, j) : sum);
        }
    }
}

static int dense_reference(const tare_call *c, int piece, int worker)
{
    (void)piece;
    (void)worker;
    reference_product(c, c->ptr[2], c->ptr[3]);
    return 0;
}

static int matmul_reference(const tare_call *c, int piece, int worker)
{
    (void)piece;
    (void)worker;
    reference_product(c, NULL, c->ptr[2]);
    return 0;
}

static int dense_blas(const tare_call *c, int piece, int worker)
{
    (void)piece;
    (void)worker;
    tare__blas_product((const tare_gemm_shape *)(const void *)c->g, c->ptr[0], c->ptr[1], c->ptr[2], c->ptr[3]);
    return 0;
}

static int matmul_blas(const tare_call *c, int piece, int worker)
{
    (void)piece;
    (void)worker;
    tare__blas_product((const tare_gemm_shape *)(const void *)c->g, c->ptr[0], c->ptr[1], NULL, c->ptr[2]);
    return 0;
}

static tare_status check_matrices(const tare_args *a)
{
    const tare_desc *x = a->in[0], *w = a->in[1];
    char tx[TARE_DESC_TEXT], tw[TARE_DESC_TEXT];
    if (x->dtype != TARE_F32 && x->dtype != TARE_F64)
        return tare_op_error(a, TARE_BAD_DTYPE, "input 0 is %s (need float32 or float64)", tare_dtype_name(x->dtype));
    if (w->dtype != x->dtype)
        return tare_op_error(a, TARE_BAD_DTYPE, "input 1 is %s, input 0 is %s (need one dtype)",
                             tare_dtype_name(w->dtype), tare_dtype_name(x->dtype));
    if (x->rank != 2 || w->rank != 2)
        return tare_op_error(a, TARE_BAD_SHAPE, "inputs are %s and %s (need two matrices)", tare_desc_text(x, tx),
                             tare_desc_text(w, tw));
    return TARE_OK;
}

static inline tare_status set_matrix(const tare_args *a, tare_desc *out, int64_t m, int64_t n)
{
    tare_desc_matrix(out, a->in[0]->dtype, m, n);
    return (m | n) >> 30 ? tare_desc_check(out) : TARE_OK; /* small ones cannot overflow */
}

static tare_status infer_dense(const tare_args *a, const tare_desc_out *out)
{
    tare_status status = check_matrices(a);
    if (status != TARE_OK)
        return status;
    const tare_desc *x = a->in[0], *w = a->in[1], *b = a->in[2];
    char tx[TARE_DESC_TEXT], tw[TARE_DESC_TEXT];
    if (x->dim[1] != w->dim[1])
        return tare_op_error(a, TARE_BAD_SHAPE, "inner sizes differ: x%s · w%s (need x.dim(1) == w.dim(1))",
                             tare_desc_text(x, tx), tare_desc_text(w, tw));
    if (b && (b->dtype != x->dtype || b->rank != 1 || b->dim[0] != w->dim[0]))
        return tare_op_error(a, TARE_BAD_SHAPE, "bias is %s %s for w%s (need %s [%lld])", tare_dtype_name(b->dtype),
                             tare_desc_text(b, tx), tare_desc_text(w, tw), tare_dtype_name(x->dtype),
                             (long long)w->dim[0]);
    return set_matrix(a, out[0], x->dim[0], w->dim[0]);
}

static tare_status infer_matmul(const tare_args *a, const tare_desc_out *out)
{
    tare_status status = check_matrices(a);
    if (status != TARE_OK)
        return status;
    const tare_desc *x = a->in[0], *y = a->in[1];
    const tare_matmul_attr *t = a->attr;
    char tx[TARE_DESC_TEXT], ty[TARE_DESC_TEXT];
    if (x->dim[!t->transpose_a] != y->dim[t->transpose_b])
        return tare_op_error(a, TARE_BAD_SHAPE, "inner sizes differ: a%s%s · b%s%s (need a.dim(%d) == b.dim(%d))",
                             tare_desc_text(x, tx), t->transpose_a ? "ᵀ" : "", tare_desc_text(y, ty),
                             t->transpose_b ? "ᵀ" : "", !t->transpose_a, t->transpose_b);
    return set_matrix(a, out[0], x->dim[t->transpose_a], y->dim[!t->transpose_b]);
}

static double flops_of(const tare_gemm_shape *s)
{
    return 2.0 * (double)s->m * (double)s->n * (double)s->k;
}

static double dense_flops(const tare_args *a, const tare_desc_ref *out)
{
    (void)out;
    tare_gemm_shape s;
    dense_shape(a, &s);
    return flops_of(&s);
}

static double matmul_flops(const tare_args *a, const tare_desc_ref *out)
{
    (void)out;
    tare_gemm_shape s;
    matmul_shape(a, &s);
    return flops_of(&s);
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

/* c = op(a) op(b): da = dc op(b)ᵀ, transposed where a was; db = op(a)ᵀ dc, transposed where b was */
static void matmul_gradient(tare_builder *b)
{
    tare_mode *m = b->mode;
    const tare_matmul_attr *t = b->node->attr;
    tare_value *dc = tare_head(b, 0), *x = tare_input(b, 0), *y = tare_input(b, 1);
    if (tare_wanted(b, 0))
        tare_contribute(b, 0,
                        t->transpose_a ? tare_matmul(m, y, dc, (tare_matmul_attr){t->transpose_b, true})
                                       : tare_matmul(m, dc, y, (tare_matmul_attr){false, !t->transpose_b}));
    if (tare_wanted(b, 1))
        tare_contribute(b, 1,
                        t->transpose_b ? tare_matmul(m, dc, x, (tare_matmul_attr){true, t->transpose_a})
                                       : tare_matmul(m, x, dc, (tare_matmul_attr){!t->transpose_a, false}));
}

static const tare_attr matmul_attrs[] = {
    {"transpose_a", TARE_ATTR_BOOL, offsetof(tare_matmul_attr, transpose_a), 0, 1, "false", "a is given as [K,M]"},
    {"transpose_b", TARE_ATTR_BOOL, offsetof(tare_matmul_attr, transpose_b), 0, 1, "false", "b is given as [N,K]"},
};

/* The two matrices; a bias is a row. */
#define FORWARD_2                                                                                                      \
    {                                                                                                                  \
        TARE_STRIDES_FORWARD, TARE_STRIDES_FORWARD                                                                     \
    }
#define ANY_2                                                                                                          \
    {                                                                                                                  \
        TARE_STRIDES_ANY, TARE_STRIDES_ANY                                                                             \
    }

static const tare_variant dense_variants[] = {
    TARE_NATIVE(dense, "gemm_", .dtypes = TARE_BIT(TARE_F32), .in_strides = FORWARD_2,
                .fits_strides = native_takes_dense, .prepare = prepare_dense),
    {.name = "blas",
     .set = TARE_SET_BLAS,
     .dtypes = TARE_BIT(TARE_F32),
     .in_strides = FORWARD_2,
     .fits_strides = blas_takes_dense,
     .prepare = prepare_dense_whole,
     .run = dense_blas},
    TARE_REFERENCE(dense_reference, .in_strides = ANY_2, .prepare = prepare_dense_whole),
};

static const tare_variant matmul_variants[] = {
    TARE_NATIVE(matmul, "gemm_", .dtypes = TARE_BIT(TARE_F32), .in_strides = FORWARD_2,
                .fits_strides = native_takes_matmul, .prepare = prepare_matmul),
    {.name = "blas",
     .set = TARE_SET_BLAS,
     .dtypes = TARE_BIT(TARE_F32),
     .in_strides = FORWARD_2,
     .fits_strides = blas_takes_matmul,
     .prepare = prepare_matmul_whole,
     .run = matmul_blas},
    TARE_REFERENCE(matmul_reference, .in_strides = ANY_2, .prepare = prepare_matmul_whole),
};

static const tare_sample dense_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,5] f32[4,5] f32[4]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[1,16] f32[16,16] f32[16]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[1,17] f32[19,17] -", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[7,33] f32[1,33] f32[1]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[129,130] f32[65,130] f32[65]", NULL, NULL},
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

static const tare_sample matmul_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,5] f32[5,4]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[5,3] f32[5,4]", "transpose_a=true", NULL},
    {TARE_SAMPLE_CHECK, "f32[3,5] f32[4,5]", "transpose_b=true", NULL},
    {TARE_SAMPLE_CHECK, "f32[35,17] f32[33,35]", "transpose_a=true,transpose_b=true", NULL},
    {TARE_SAMPLE_CHECK, "f32[1,16] f32[16,16]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[1,16] f32[1,16]", "transpose_a=true", NULL},
    {TARE_SAMPLE_CHECK, "f32[128,150] f32[150,129]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[0,4] f32[4,3]", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[512,512] f32[512,512]", NULL, NULL},
    {TARE_SAMPLE_REJECT, "f32[3,5] f32[4,5]", NULL, "inner sizes differ: a[3,5] · b[4,5] (need a.dim(1) == b.dim(0))"},
    {TARE_SAMPLE_REJECT, "f32[3,5] f64[5,4]", NULL, "need one dtype"},
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
    .variants = dense_variants,
    .n_variants = TARE_COUNT_OF(dense_variants),
    .samples = dense_samples,
    .n_samples = TARE_COUNT_OF(dense_samples),
    .tolerance = 2e-6,
};

const tare_op tare_op_matmul = {
    .name = "matmul",
    .doc = "c = op(a) op(b); op(a) [M,K], op(b) [K,N], c [M,N]; op transposes where the attribute says so",
    .n_in = 2,
    .n_out = 1,
    .attrs = matmul_attrs,
    .n_attrs = TARE_COUNT_OF(matmul_attrs),
    .attr_bytes = sizeof(tare_matmul_attr),
    .infer = infer_matmul,
    .gradient = matmul_gradient,
    .needs_in = 1u << 0 | 1u << 1,
    .flops = matmul_flops,
    .variants = matmul_variants,
    .n_variants = TARE_COUNT_OF(matmul_variants),
    .samples = matmul_samples,
    .n_samples = TARE_COUNT_OF(matmul_samples),
    .tolerance = 2e-6,
};

#endif
