/* matmul.c - the matrix product, of two matrices or of batches of them, and the outer product of vectors.
 *
 * What stands before the last two dimensions is the batch; batches broadcast. Where one matrix multiplies a whole batch
 * that lies together, the batch is more rows of one product. Else each pair of matrices is a product of its own: large
 * ones are cut in gemm's pieces, small ones share a piece, by shape alone. */
#include "broadcast.h"
#include "product.h"

enum {
    G_MATRICES = G_FURTHER, /* products of the batch; 0: there is one, and what follows is not set */
    G_CUT,                  /* pieces of a product */
    G_GROUP,                /* products of a piece */
    G_WALK,                 /* the walk over the batches of a and b */
    G_WORDS = G_WALK + TARE_WALK_WORDS(2)
};

/* for (each product of the piece): number i of the batch, a and b from element w.offset on. */
#define PRODUCTS(c, piece, i, w)                                                                                       \
    const int64_t *walk_ = (c)->g + G_WALK;                                                                            \
    int64_t i = piece / (c)->g[G_CUT] * (c)->g[G_GROUP], end_ = i + (c)->g[G_GROUP];                                   \
    end_ = end_ < (c)->g[G_MATRICES] ? end_ : (c)->g[G_MATRICES];                                                      \
    for (tare_walk w = tare_walk_to(walk_, i, 2); i < end_; ++i, tare_walk_on(&w, walk_, 1, 2))

static __attribute__((noinline)) int batch_piece(const tare_call *c, int piece, int worker)
{
    const tare_gemm_shape *s = shape_at(c);
    const float *a = c->ptr[0], *b = c->ptr[1];
    float *y = c->ptr[2];
    const int cut = (int)c->g[G_CUT];
    PRODUCTS(c, piece, i, w)
    product(c, a + w.offset[0], b + w.offset[1], NULL, y + i * s->m * s->n, piece % cut, cut, c->ptr[4], worker);
    return 0;
}

/* ptr: a, b, c, -, worker scratch */
TARE_KERNEL_DECLARE(matmul);
int TARE_KERNEL(matmul)(const tare_call *c, int piece, int worker)
{
    if (c->g[G_MATRICES])
        return batch_piece(c, piece, worker);
    product(c, c->ptr[0], c->ptr[1], NULL, c->ptr[2], piece, c->n_pieces, c->ptr[4], worker);
    return 0;
}

#ifdef TARE_PASS_RECORDS

/* ---- geometry ---------------------------------------------------------------------------------------------------*/
/* The dimensions before the last two. */
static tare_desc batch_of(const tare_desc *x)
{
    tare_desc d = *x;
    d.rank = (int8_t)(x->rank - 2);
    return d;
}

/* Whether the batch is more rows of one product: b is one matrix, and a's rows are its rows. By shape alone: views do
 * as their copies would. */
static bool batch_is_rows(const tare_args *a)
{
    const tare_desc batch = batch_of(a->in[1]);
    return !((const tare_matmul_attr *)a->attr)->transpose_a && tare_desc_count(&batch) == 1;
}

/* Whether x's batch goes on where its rows end. */
static bool rows_go_on(const tare_desc *x)
{
    for (int i = x->rank - 3; i >= 0; --i)
        if (x->dim[i] != 1 && x->stride[i] != x->stride[i + 1] * x->dim[i + 1])
            return false;
    return true;
}

static inline void matmul_shape(const tare_args *a, tare_gemm_shape *s)
{
    const tare_desc *x = a->in[0], *y = a->in[1];
    const tare_matmul_attr *t = a->attr;
    int row_a = x->rank - 2 + t->transpose_a, across_a = x->rank - 1 - t->transpose_a;
    int row_b = y->rank - 2 + t->transpose_b, across_b = y->rank - 1 - t->transpose_b;
    int64_t n = y->dim[across_b];
    *s = (tare_gemm_shape){
        x->dim[row_a],       n, x->dim[across_a], x->stride[row_a], x->stride[across_a], y->stride[row_b],
        y->stride[across_b], n};
    if (x->rank > 2 && batch_is_rows(a)) {
        const tare_desc batch = batch_of(x);
        s->m *= tare_desc_count(&batch);
    }
}

/* The batch's words, beside the shape that is set; false: it is one product. */
static bool set_batch(const tare_args *a, const tare_desc *out, tare_work *w)
{
    tare_gemm_shape *s = (tare_gemm_shape *)(void *)w->g;
    w->g[G_MATRICES] = 0;
    w->n_g = G_MATRICES + 1;
    if (out->rank == 2)
        return false;
    const tare_desc batch[3] = {batch_of(a->in[0]), batch_of(a->in[1]), batch_of(out)};
    const int64_t matrices = tare_desc_count(&batch[2]);
    if (batch_is_rows(a) && rows_go_on(a->in[0]))
        return false;
    s->m = matrices > 0 ? out->dim[out->rank - 2] : 0;
    if (matrices == 0)
        return false;
    tare_work walk = {.n_pieces = 1};
    tare__prepare_walk(&batch[2], (const tare_desc_ref[]){&batch[0], &batch[1]}, 2, &walk);
    memcpy(w->g + G_WALK, walk.g, TARE_WALK_WORDS(2) * sizeof *walk.g);
    w->g[G_MATRICES] = matrices;
    w->g[G_CUT] = w->g[G_GROUP] = 1;
    w->n_g = G_WORDS;
    return true;
}

enum { PIECE_FLOPS = 2000000 }; /* below which gemm does not cut a product either */

static void prepare_matmul(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    prepare_native(a, matmul_shape, w);
    if (!set_batch(a, out[0], w))
        return;
    const double each = product_flops((const tare_gemm_shape *)(const void *)w->g);
    int64_t matrices = w->g[G_MATRICES], group = each < 1 ? matrices : (int64_t)(PIECE_FLOPS / each);
    w->g[G_CUT] = w->n_pieces;
    w->g[G_GROUP] = w->n_pieces > 1 || group < 1 ? 1 : group < matrices ? group : matrices;
    w->n_pieces = (int32_t)((matrices + w->g[G_GROUP] - 1) / w->g[G_GROUP] * w->g[G_CUT]);
}

/* A product a piece, no scratch: BLAS and the reference. */
static void prepare_matmul_whole(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    matmul_shape(a, shape_in(w));
    w->g[G_PATH] = TARE_GEMM_PACKED;
    w->g[G_DTYPE] = out[0]->dtype;
    w->n_pieces = set_batch(a, out[0], w) ? (int32_t)w->g[G_MATRICES] : 1;
}

/* A batch that is rows wants them to lie so. */
static bool native_takes_matmul(const tare_args *a)
{
    return native_takes(a, matmul_shape) && (!batch_is_rows(a) || rows_go_on(a->in[0]));
}

static bool blas_takes_matmul(const tare_args *a)
{
    return blas_takes(a, matmul_shape) && (!batch_is_rows(a) || rows_go_on(a->in[0]));
}

static int matmul_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const tare_gemm_shape *s = shape_at(c);
    if (!c->g[G_MATRICES]) {
        reference_product(c, 0, 0, NULL, c->ptr[2], 0);
        return 0;
    }
    PRODUCTS(c, piece, i, w)
    reference_product(c, w.offset[0], w.offset[1], NULL, c->ptr[2], i * s->m * s->n);
    return 0;
}

static int matmul_blas(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const tare_gemm_shape *s = shape_at(c);
    const float *a = c->ptr[0], *b = c->ptr[1];
    float *y = c->ptr[2];
    if (!c->g[G_MATRICES]) {
        tare__blas_product(s, a, b, NULL, y);
        return 0;
    }
    PRODUCTS(c, piece, i, w)
    tare__blas_product(s, a + w.offset[0], b + w.offset[1], NULL, y + i * s->m * s->n);
    return 0;
}

/* ---- inference --------------------------------------------------------------------------------------------------*/
static tare_status infer_batch(const tare_args *a, int64_t m, int64_t n, tare_desc *out)
{
    const tare_desc batch[2] = {batch_of(a->in[0]), batch_of(a->in[1])};
    char tx[TARE_DESC_TEXT], ty[TARE_DESC_TEXT];
    tare_desc both;
    if (!tare_desc_broadcast(&batch[0], &batch[1], &both))
        return tare_op_error(a, TARE_BAD_SHAPE,
                             "the batches of a%s and b%s do not broadcast (need, from the last on, equal sizes or a 1)",
                             tare_desc_text(a->in[0], tx), tare_desc_text(a->in[1], ty));
    both.dim[both.rank++] = m;
    both.dim[both.rank++] = n;
    tare_desc_like(out, &both);
    return tare_desc_check(out);
}

static tare_status infer_matmul(const tare_args *a, const tare_desc_out *out)
{
    tare_status status = check_factors(a);
    if (status != TARE_OK)
        return status;
    const tare_desc *x = a->in[0], *y = a->in[1];
    const tare_matmul_attr *t = a->attr;
    char tx[TARE_DESC_TEXT], ty[TARE_DESC_TEXT];
    if (x->rank < 2 || y->rank < 2)
        return tare_op_error(a, TARE_BAD_SHAPE, "inputs are %s and %s (need matrices, or batches of them)",
                             tare_desc_text(x, tx), tare_desc_text(y, ty));
    const int64_t *dim_a = x->dim + x->rank - 2, *dim_b = y->dim + y->rank - 2;
    if (dim_a[!t->transpose_a] != dim_b[t->transpose_b])
        return tare_op_error(a, TARE_BAD_SHAPE, "inner sizes differ: a%s%s · b%s%s (need a.dim(%d) == b.dim(%d))",
                             tare_desc_text(x, tx), t->transpose_a ? "ᵀ" : "", tare_desc_text(y, ty),
                             t->transpose_b ? "ᵀ" : "", x->rank - 1 - t->transpose_a, y->rank - 2 + t->transpose_b);
    int64_t m = dim_a[t->transpose_a], n = dim_b[!t->transpose_b];
    return x->rank == 2 && y->rank == 2 ? set_matrix(a, out[0], m, n) : infer_batch(a, m, n, out[0]);
}

static double matmul_flops(const tare_args *a, const tare_desc_ref *out)
{
    const tare_desc batch = batch_of(out[0]);
    tare_gemm_shape s;
    matmul_shape(a, &s);
    return product_flops(&s) * (double)tare_desc_count(&batch);
}

/* ---- records ----------------------------------------------------------------------------------------------------*/
/* The gradient of an input whose batch may have been broadcast. */
static void contribute(tare_builder *b, int i, tare_value *g)
{
    tare_value *x = tare_input(b, i);
    tare_contribute(b, i, tare_desc_same_shape(&g->d, &x->d) ? g : tare_sum_like(b->mode, g, x));
}

/* c = op(a) op(b): da = dc op(b)ᵀ, transposed where a was; db = op(a)ᵀ dc, transposed where b was */
static void matmul_gradient(tare_builder *b)
{
    tare_mode *m = b->mode;
    const tare_matmul_attr *t = b->node->attr;
    tare_value *dc = tare_head(b, 0), *x = tare_input(b, 0), *y = tare_input(b, 1);
    if (tare_wanted(b, 0))
        contribute(b, 0,
                   t->transpose_a ? tare_matmul(m, y, dc, (tare_matmul_attr){t->transpose_b, true})
                                  : tare_matmul(m, dc, y, (tare_matmul_attr){false, !t->transpose_b}));
    if (tare_wanted(b, 1))
        contribute(b, 1,
                   t->transpose_b ? tare_matmul(m, dc, x, (tare_matmul_attr){true, t->transpose_a})
                                  : tare_matmul(m, x, dc, (tare_matmul_attr){!t->transpose_a, false}));
}

static const tare_attr matmul_attrs[] = {
    {"transpose_a", TARE_ATTR_BOOL, offsetof(tare_matmul_attr, transpose_a), 0, 1, "false", "a is given as [...,K,M]"},
    {"transpose_b", TARE_ATTR_BOOL, offsetof(tare_matmul_attr, transpose_b), 0, 1, "false", "b is given as [...,N,K]"},
};

static const tare_sample matmul_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,5] f32[5,4]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[5,3] f32[5,4]", "transpose_a=true", NULL},
    {TARE_SAMPLE_CHECK, "f32[3,5] f32[4,5]", "transpose_b=true", NULL},
    {TARE_SAMPLE_CHECK, "f32[35,17] f32[33,35]", "transpose_a=true,transpose_b=true", NULL},
    {TARE_SAMPLE_CHECK, "f32[1,16] f32[16,16]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[1,16] f32[1,16]", "transpose_a=true", NULL},
    {TARE_SAMPLE_CHECK, "f32[128,150] f32[150,129]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[5,530] f32[530,70]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[7,30] f32[7,90]", "transpose_a=true", NULL},
    {TARE_SAMPLE_CHECK, "f32[0,4] f32[4,3]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[4,3,5] f32[4,5,2]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[4,3,5] f32[5,2]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[4,5,3] f32[5,2]", "transpose_a=true", NULL},
    {TARE_SAMPLE_CHECK, "f32[3,5] f32[4,2,5]", "transpose_b=true", NULL},
    {TARE_SAMPLE_CHECK, "f32[2,1,17,19] f32[3,23,19]", "transpose_b=true", NULL},
    {TARE_SAMPLE_CHECK, "f32[1,3,5,4] f32[2,1,7,5]", "transpose_a=true,transpose_b=true", NULL},
    {TARE_SAMPLE_CHECK, "f32[5,70,90] f32[5,90,80]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[2,150,140] f32[2,140,150]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[0,3,5] f32[0,5,2]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[2,3,0] f32[2,0,2]", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[512,512] f32[512,512]", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[32,64,64] f32[32,64,64]", "transpose_b=true", NULL},
    {TARE_SAMPLE_REJECT, "f32[3,5] f32[4,5]", NULL, "inner sizes differ: a[3,5] · b[4,5] (need a.dim(1) == b.dim(0))"},
    {TARE_SAMPLE_REJECT, "f32[2,3,5] f32[4,5]", NULL, "a[2,3,5] · b[4,5] (need a.dim(2) == b.dim(0))"},
    {TARE_SAMPLE_REJECT, "f32[5] f32[5,4]", NULL, "inputs are [5] and [5,4] (need matrices, or batches of them)"},
    {TARE_SAMPLE_REJECT, "f32[2,3,5] f32[3,5,4]", NULL, "the batches of a[2,3,5] and b[3,5,4] do not broadcast"},
    {TARE_SAMPLE_REJECT, "f32[3,5] f64[5,4]", NULL, "need one dtype"},
};

const tare_op tare_op_matmul = {
    .name = "matmul",
    .doc =
        "c = op(a) op(b); op(a) [...,M,K], op(b) [...,K,N], c [...,M,N]; op transposes the last two dimensions where "
        "the attribute says so; those before them broadcast",
    .n_in = 2,
    .n_out = 1,
    .attrs = matmul_attrs,
    .n_attrs = TARE_COUNT_OF(matmul_attrs),
    .attr_bytes = sizeof(tare_matmul_attr),
    .infer = infer_matmul,
    .gradient = matmul_gradient,
    .needs_in = 1u << 0 | 1u << 1,
    .flops = matmul_flops,
    PRODUCT_VARIANTS(matmul),
    .samples = matmul_samples,
    .n_samples = TARE_COUNT_OF(matmul_samples),
    .tolerance = 2e-6,
};

/* ---- outer: a column times a row ---------------------------------------------------------------------------------*/
static void outer_shape(const tare_args *a, tare_gemm_shape *s)
{
    const tare_desc *x = a->in[0], *y = a->in[1];
    *s = (tare_gemm_shape){x->dim[0], y->dim[0], 1, x->stride[0], 1, y->dim[0], y->stride[0], y->dim[0]};
}

static void prepare_outer(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)out;
    prepare_native(a, outer_shape, w);
    w->g[G_MATRICES] = 0;
    w->n_g = G_MATRICES + 1;
}

static void prepare_outer_reference(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    prepare_outer(a, out, w);
    w->g[G_DTYPE] = out[0]->dtype;
    w->n_pieces = 1;
    w->worker_bytes = 0;
}

static bool native_takes_outer(const tare_args *a)
{
    return native_takes(a, outer_shape);
}

static tare_status infer_outer(const tare_args *a, const tare_desc_out *out)
{
    const tare_desc *x = a->in[0], *y = a->in[1];
    char tx[TARE_DESC_TEXT], ty[TARE_DESC_TEXT];
    tare_status status = check_factors(a);
    if (status != TARE_OK)
        return status;
    if (x->rank != 1 || y->rank != 1)
        return tare_op_error(a, TARE_BAD_SHAPE, "inputs are %s and %s (need two vectors)", tare_desc_text(x, tx),
                             tare_desc_text(y, ty));
    return set_matrix(a, out[0], x->dim[0], y->dim[0]);
}

static double outer_flops(const tare_args *a, const tare_desc_ref *out)
{
    (void)out;
    tare_gemm_shape s;
    outer_shape(a, &s);
    return product_flops(&s);
}

/* A vector as a matrix of one column. */
static tare_value *column(tare_builder *b, tare_value *x)
{
    return tare_reshape(b->mode, x, (tare_reshape_attr){{2, {x->d.dim[0], 1}}});
}

/* da = dc b, db = dcᵀ a */
static void outer_gradient(tare_builder *b)
{
    for (int i = 0; i < 2; ++i) {
        tare_value *x = tare_input(b, i), *other = tare_input(b, 1 - i);
        if (!tare_wanted(b, i))
            continue;
        tare_value *g = tare_matmul(b->mode, tare_head(b, 0), column(b, other), (tare_matmul_attr){i == 1, false});
        tare_contribute(b, i, tare_reshape(b->mode, g, (tare_reshape_attr){{1, {x->d.dim[0]}}}));
    }
}

const tare_op tare_op_outer = {
    .name = "outer",
    .doc = "c[m,n] = a[m] b[n]; a [M], b [N], c [M,N]",
    .n_in = 2,
    .n_out = 1,
    .infer = infer_outer,
    .gradient = outer_gradient,
    .needs_in = 3,
    .flops = outer_flops,
    .variants =
        (const tare_variant[]){
            TARE_NATIVE(matmul, "gemm_", .dtypes = TARE_BIT(TARE_F32), .in_strides = FORWARD_2,
                        .fits_strides = native_takes_outer, .prepare = prepare_outer),
            TARE_REFERENCE(matmul_reference, .in_strides = ANY_2, .prepare = prepare_outer_reference)},
    .n_variants = TARE_N_NATIVE + 1,
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "f32[3] f32[5]", NULL, NULL}, {TARE_SAMPLE_CHECK, "f32[1] f32[1]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[130] f32[257]", NULL, NULL}, {TARE_SAMPLE_CHECK, "f32[0] f32[4]", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "f32[300] f32[256]", NULL, NULL},
                 {TARE_SAMPLE_REJECT, "f32[3] f32[3,1]", NULL, "inputs are [3] and [3,1] (need two vectors)"},
                 {TARE_SAMPLE_REJECT, "f32[3] f64[3]", NULL, "need one dtype"}),
    .tolerance = 1e-7,
};

#endif
