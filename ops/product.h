/* product.h - what the products share: a gemm's shape as the first words of the geometry, its path and its pieces.
 *
 * The path through gemm is decided once, in prepare, from the whole product's shape; pieces are gemm's. A BLAS call is
 * one piece: its bits may depend on the position in it. */
#ifndef TARE_OPS_PRODUCT_H
#define TARE_OPS_PRODUCT_H

#include "blas.h"
#include "gemm.h"
#include "record.h"

/* g[0..8] = tare_gemm_shape, then the path and the dtype; a product's further words. */
enum { G_PATH = 9, G_DTYPE = 10, G_FURTHER = 11 };

static inline const tare_gemm_shape *shape_at(const tare_call *c)
{
    return (const tare_gemm_shape *)(const void *)c->g;
}

/* Piece `piece` of one product. */
static inline void product(const tare_call *c, const float *a, const float *b, const float *bias, float *y, int piece,
                           int n_pieces, char *scratch, int worker)
{
    const tare_gemm_shape *s = shape_at(c);
    tare_gemm_path path = (tare_gemm_path)c->g[G_PATH];
    if (path == TARE_GEMM_PACKED)
        scratch += (size_t)worker * tare__gemm_worker_bytes(s);
    TARE_KERNEL(gemm_on)(path, s, a, b, bias, y, piece, n_pieces, scratch);
}

#ifdef TARE_PASS_RECORDS

static inline tare_gemm_shape *shape_in(tare_work *w)
{
    w->n_g = G_FURTHER;
    return (tare_gemm_shape *)(void *)w->g;
}

/* An operator's own: the product of its inputs 0 and 1 as they lie. */
typedef void shape_of(const tare_args *, tare_gemm_shape *);

/* The product of the operands' contiguous copies. */
static inline void packed_shape(const tare_args *a, shape_of *shape, tare_gemm_shape *packed)
{
    tare_desc x = {0}, y = {0};
    tare_desc_like(&x, a->in[0]);
    tare_desc_like(&y, a->in[1]);
    const tare_desc *const in[] = {&x, &y};
    shape(&(tare_args){.op = a->op, .attr = a->attr, .in = (const tare_desc_ref *)in, .n_in = 2}, packed);
}

/* Views run on the path that their copies would have, since the path is a part of an element's bits. Where the strides
 * are not made for it: DIRECT adds as PACKED does, which takes any, as long as K is one block; else copies are wanted.
 */
static inline tare_gemm_path path_of(const tare_args *a, shape_of *shape, const tare_gemm_shape *s)
{
    if (a->in[0]->contiguous && a->in[1]->contiguous)
        return tare__gemm_path(s);
    tare_gemm_shape packed;
    packed_shape(a, shape, &packed);
    tare_gemm_path path = tare__gemm_path(&packed);
    return path == TARE_GEMM_DIRECT && s->b_col != 1 && s->k <= TARE_GEMM_BLOCK_K ? TARE_GEMM_PACKED : path;
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

static inline bool native_takes(const tare_args *a, shape_of *shape)
{
    tare_gemm_shape s;
    shape(a, &s);
    tare_gemm_path path = path_of(a, shape, &s);
    return path == TARE_GEMM_DOT ? s.a_col == 1 && s.b_row == 1 : path == TARE_GEMM_PACKED || s.b_col == 1;
}

/* BLAS wants one stride of each matrix to be 1, the same as in a copy, and the other to be a leading dimension. */
static inline bool blas_matrix(int64_t rows, int64_t columns, int64_t row, int64_t column, bool plain)
{
    return plain ? column == 1 && (rows < 2 || row >= columns)
                 : column != 1 && row == 1 && (columns < 2 || column >= rows);
}

static inline bool blas_takes(const tare_args *a, shape_of *shape)
{
    tare_gemm_shape s, packed;
    shape(a, &s);
    packed_shape(a, shape, &packed);
    return blas_matrix(s.m, s.k, s.a_row, s.a_col, packed.a_col == 1) &&
           blas_matrix(s.k, s.n, s.b_row, s.b_col, packed.b_col == 1);
}

/* y = a b (+ bias) in float64, one product: a and b from element a_at and b_at, y from y_at. */
static inline void reference_product(const tare_call *c, int64_t a_at, int64_t b_at, const void *bias, void *y,
                                     int64_t y_at)
{
    const tare_gemm_shape *s = shape_at(c);
    int64_t dtype = c->g[G_DTYPE];
    for (int64_t i = 0; i < s->m; ++i) {
        for (int64_t j = 0; j < s->n; ++j) {
            double sum = 0;
            for (int64_t k = 0; k < s->k; ++k)
                sum += tare_at(c->ptr[0], dtype, a_at + i * s->a_row + k * s->a_col) *
                       tare_at(c->ptr[1], dtype, b_at + k * s->b_row + j * s->b_col);
            tare_put(y, dtype, y_at + i * s->c_row + j, bias ? sum + tare_at(bias, dtype, j) : sum);
        }
    }
}

static inline double product_flops(const tare_gemm_shape *s)
{
    return 2.0 * (double)s->m * (double)s->n * (double)s->k;
}

/* What a piece of one product writes: gemm's cut; BLAS and the reference have one piece. */
static inline void product_tile(const tare_call *c, int piece, tare_tile *t)
{
    tare__gemm_tile(shape_at(c), piece, c->n_pieces, &t->row, &t->rows, &t->column, &t->columns);
}

/* Floating, of one dtype. */
static inline tare_status check_factors(const tare_args *a)
{
    const tare_desc *x = a->in[0], *w = a->in[1];
    if (x->dtype != TARE_F32 && x->dtype != TARE_F64)
        return tare_op_error(a, TARE_BAD_DTYPE, "input 0 is %s (need float32 or float64)", tare_dtype_name(x->dtype));
    if (w->dtype != x->dtype)
        return tare_op_error(a, TARE_BAD_DTYPE, "input 1 is %s, input 0 is %s (need one dtype)",
                             tare_dtype_name(w->dtype), tare_dtype_name(x->dtype));
    return TARE_OK;
}

static inline tare_status set_matrix(const tare_args *a, tare_desc *out, int64_t m, int64_t n)
{
    tare_desc_matrix(out, a->in[0]->dtype, m, n);
    return (m | n) >> 30 ? tare_desc_check(out) : TARE_OK; /* small ones cannot overflow */
}

/* The two factors; a bias is a row. */
#define FORWARD_2                                                                                                      \
    {                                                                                                                  \
        TARE_STRIDES_FORWARD, TARE_STRIDES_FORWARD                                                                     \
    }
#define ANY_2                                                                                                          \
    {                                                                                                                  \
        TARE_STRIDES_ANY, TARE_STRIDES_ANY                                                                             \
    }

/* Best first: our own gemm, BLAS, the reference. */
#define PRODUCT_VARIANTS(op)                                                                                           \
    .variants = (const tare_variant[]){TARE_NATIVE(op, "gemm_", .dtypes = TARE_BIT(TARE_F32), .in_strides = FORWARD_2, \
                                                   .fits_strides = native_takes_##op, .tile = product_tile,            \
                                                   .prepare = prepare_##op),                                           \
                                       {.name = "blas",                                                                \
                                        .set = TARE_SET_BLAS,                                                          \
                                        .dtypes = TARE_BIT(TARE_F32),                                                  \
                                        .in_strides = FORWARD_2,                                                       \
                                        .fits_strides = blas_takes_##op,                                               \
                                        .tile = product_tile,                                                          \
                                        .prepare = prepare_##op##_whole,                                               \
                                        .run = op##_blas},                                                             \
                                       TARE_REFERENCE(op##_reference, .in_strides = ANY_2, .tile = product_tile,       \
                                                      .prepare = prepare_##op##_whole)},                               \
    .n_variants = TARE_N_NATIVE + 2

#endif
#endif
