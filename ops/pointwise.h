/* pointwise.h - a kernel from a formula, and an operator from two: TARE_POINTWISE(name, n, q, function) is the loop
 * around a vector function, TARE_POINTWISE_PAIR the records of an operator and its gradient.
 *
 * function(x [, y, z] [, a, b]) maps the vectors of n inputs (same shape, contiguous, float32) and q scalars, which are
 * the operator's attributes of type float in their order, to output 0: floats, or a mask of bytes. A kernel takes one
 * chunk a piece; the tail runs the same function on a zero-filled vector, so that an element's bits do not depend on
 * where it stands. TARE_POINTWISE_BOTH adds the same for operands whose rows are apart (TARE_STRIDES_OUTER), as parts
 * of a joined value and slices of columns have them: a variant of its own, so that the common call pays nothing.
 *
 * By name: an operator's vector formula is name_of, its formula in float64 name_at, its gradient operator name_grad. */
#ifndef TARE_OPS_POINTWISE_H
#define TARE_OPS_POINTWISE_H

#include "record.h"

#define TARE_POINTERS_1    const float *p0 = c->ptr[0]
#define TARE_POINTERS_2    TARE_POINTERS_1, *p1 = c->ptr[1]
#define TARE_POINTERS_3    TARE_POINTERS_2, *p2 = c->ptr[2]
#define TARE_LOADS_1(load) load(0)
#define TARE_LOADS_2(load) load(0), load(1)
#define TARE_LOADS_3(load) load(0), load(1), load(2)
#define TARE_LOAD_FULL(k)  tare_load(p##k + i)
#define TARE_LOAD_PART(k)  tare_load_part(p##k + i, end - i)

/* Scalars stand behind the two words of tare__prepare_pointwise (tare__prepare_scalars). */
enum { TARE_G_SCALAR = 2 };
#define TARE_SCALARS_0
#define TARE_SCALARS_1 TARE_SCALARS_0 const tare_vf q0 = tare_broadcast((float)tare_unbits(c->g[TARE_G_SCALAR]));
#define TARE_SCALARS_2 TARE_SCALARS_1 const tare_vf q1 = tare_broadcast((float)tare_unbits(c->g[TARE_G_SCALAR + 1]));
#define TARE_PASS_0
#define TARE_PASS_1 , q0
#define TARE_PASS_2 , q0, q1
#define TARE_WIDE_0
#define TARE_WIDE_1 , tare_unbits(c->g[TARE_G_SCALAR])
#define TARE_WIDE_2 TARE_WIDE_1, tare_unbits(c->g[TARE_G_SCALAR + 1])

/* By the element of the output: floats, or a mask. */
#define TARE_STORE(p, v)         _Generic((p), float * : tare_store, uint8_t * : tare_store_mask)(p, v)
#define TARE_STORE_PART(p, v, n) _Generic((p), float * : tare_store_part, uint8_t * : tare_store_mask_part)(p, v, n)

/* [i, end) of the inputs and of out */
#define TARE_POINTWISE_RANGE(n, q, function)                                                                           \
    for (; i + TARE_LANES <= end; i += TARE_LANES)                                                                     \
        TARE_STORE(out + i, function(TARE_LOADS_##n(TARE_LOAD_FULL) TARE_PASS_##q));                                   \
    if (i < end)                                                                                                       \
        TARE_STORE_PART(out + i, function(TARE_LOADS_##n(TARE_LOAD_PART) TARE_PASS_##q), end - i);

#define TARE_POINTWISE_TO(type, name, n, q, function)                                                                  \
    TARE_KERNEL_DECLARE(name);                                                                                         \
    int TARE_KERNEL(name)(const tare_call *c, int piece, int worker)                                                   \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        TARE_POINTERS_##n;                                                                                             \
        TARE_SCALARS_##q type *out = c->ptr[n];                                                                        \
        int64_t i, end;                                                                                                \
        tare_piece_range(c, piece, &i, &end);                                                                          \
        TARE_POINTWISE_RANGE(n, q, function)                                                                           \
        return 0;                                                                                                      \
    }
#define TARE_POINTWISE(name, n, q, function) TARE_POINTWISE_TO(float, name, n, q, function)

/* The same where rows are apart: a piece is a number of rows. Behind the scalars stand the words of
 * tare__prepare_apart: rows, elements a row, rows a piece, and for each operand the elements from row to row. */
enum { TARE_APART_ROWS, TARE_APART_LENGTH, TARE_APART_PIECE, TARE_APART_STRIDE };
#define TARE_ROWS_TO_1(row) p0 += (row)*stride[0]
#define TARE_ROWS_TO_2(row) TARE_ROWS_TO_1(row), p1 += (row)*stride[1]
#define TARE_ROWS_TO_3(row) TARE_ROWS_TO_2(row), p2 += (row)*stride[2]
#define TARE_POINTWISE_APART(name, n, q, function)                                                                     \
    TARE_KERNEL_DECLARE(name##_apart);                                                                                 \
    int TARE_KERNEL(name##_apart)(const tare_call *c, int piece, int worker)                                           \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        TARE_POINTERS_##n;                                                                                             \
        TARE_SCALARS_##q float *out = c->ptr[n];                                                                       \
        const int64_t *g = c->g + TARE_G_SCALAR + q, *stride = g + TARE_APART_STRIDE;                                  \
        int64_t row = piece * g[TARE_APART_PIECE], last = row + g[TARE_APART_PIECE];                                   \
        last = last < g[TARE_APART_ROWS] ? last : g[TARE_APART_ROWS];                                                  \
        TARE_ROWS_TO_##n(row), out += row * stride[n];                                                                 \
        for (; row < last; ++row, TARE_ROWS_TO_##n(1), out += stride[n]) {                                             \
            int64_t i = 0, end = g[TARE_APART_LENGTH];                                                                 \
            TARE_POINTWISE_RANGE(n, q, function)                                                                       \
        }                                                                                                              \
        return 0;                                                                                                      \
    }

#define TARE_POINTWISE_BOTH(name, n, q, function)                                                                      \
    TARE_POINTWISE(name, n, q, function)                                                                               \
    TARE_POINTWISE_APART(name, n, q, function)

/* The kernels of an operator of one input and of its gradient, a function of dy and x or y. */
#define TARE_POINTWISE_KERNELS(name, q)                                                                                \
    TARE_POINTWISE_BOTH(name, 1, q, name##_of)                                                                         \
    TARE_POINTWISE_BOTH(name##_grad, 2, q, name##_grad_of)

/* The reference of the same: a double function of doubles. */
#define TARE_ATS_1 tare_at(c->ptr[0], c->g[1], i)
#define TARE_ATS_2 TARE_ATS_1, tare_at(c->ptr[1], c->g[1], i)
#define TARE_ATS_3 TARE_ATS_2, tare_at(c->ptr[2], c->g[1], i)
#define TARE_POINTWISE_REFERENCE(name, n, q, function)                                                                 \
    static int name(const tare_call *c, int piece, int worker)                                                         \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        int64_t i, end;                                                                                                \
        for (tare_piece_range(c, piece, &i, &end); i < end; ++i)                                                       \
            tare_put(c->ptr[n], c->g[1], i, function(TARE_ATS_##n TARE_WIDE_##q));                                     \
        return 0;                                                                                                      \
    }

/* The variants of a pointwise operator: native ones for float32, at first for operands without gaps, then for rows that
 * are apart, which a contiguous call never meets; the reference for both dtypes. */
#define TARE_PREPARE_0 tare__prepare_pointwise
#define TARE_PREPARE_1 tare__prepare_scalars
#define TARE_PREPARE_2 tare__prepare_scalars
#define TARE_POINTWISE_VARIANTS(kernel, reference, q)                                                                  \
    .variants =                                                                                                        \
        (const tare_variant[]){TARE_NATIVE(kernel, "", .dtypes = TARE_BIT(TARE_F32), .elementwise = UINT32_MAX,        \
                                           .prepare = TARE_PREPARE_##q),                                               \
                               TARE_NATIVE(kernel##_apart, "apart_", .dtypes = TARE_BIT(TARE_F32),                     \
                                           .fits = tare__fits_apart,                                                   \
                                           .in_strides = {TARE_STRIDES_OUTER, TARE_STRIDES_OUTER, TARE_STRIDES_OUTER}, \
                                           .out_strides = {TARE_STRIDES_OUTER}, .prepare = tare__prepare_apart),       \
                               TARE_REFERENCE(reference, .elementwise = UINT32_MAX, .prepare = TARE_PREPARE_##q)},     \
    .n_variants = 2 * TARE_N_NATIVE + 1

/* The record of an operator of one input; further fields follow. */
#define TARE_UNARY(name_, q, infer_, doc_, samples_, ...)                                                              \
    TARE_POINTWISE_REFERENCE(name_##_reference, 1, q, name_##_at)                                                      \
    const tare_op tare_op_##name_ = {.name = #name_,                                                                   \
                                     .doc = doc_,                                                                      \
                                     .n_in = 1,                                                                        \
                                     .n_out = 1,                                                                       \
                                     .infer = infer_,                                                                  \
                                     .overwrites = {1},                                                                \
                                     TARE_POINTWISE_VARIANTS(name_, name_##_reference, q),                             \
                                     TARE_TABLE(samples, samples_),                                                    \
                                     __VA_ARGS__}

/* Its gradient: name_gradient, which applies name_grad to dy and to `saved`, x or y, all that backward keeps; and the
 * record of name_grad, which has the attributes of name. */
#define TARE_NEEDS_x    .needs_in = 1
#define TARE_NEEDS_y    .needs_out = 1
#define TARE_SAVED_x(b) tare_input(b, 0)
#define TARE_SAVED_y(b) tare_output(b, 0)
#define TARE_UNARY_GRAD(name_, saved, q, formula, samples_, ...)                                                       \
    static void name_##_gradient(tare_builder *b)                                                                      \
    {                                                                                                                  \
        tare_value *const in[] = {tare_head(b, 0), TARE_SAVED_##saved(b)};                                             \
        tare_contribute(b, 0, tare_apply1(b->mode, &tare_op_##name_##_grad, b->node->attr, in, 2));                    \
    }                                                                                                                  \
    TARE_POINTWISE_REFERENCE(name_##_grad_reference, 2, q, name_##_grad_at)                                            \
    const tare_op tare_op_##name_##_grad = {.name = #name_ "_grad",                                                    \
                                            .doc = "dx = " formula "; dy, " #saved ", dx [...]",                       \
                                            .n_in = 2,                                                                 \
                                            .n_out = 1,                                                                \
                                            .infer = tare__infer_same,                                                 \
                                            .not_differentiable = true,                                                \
                                            .overwrites = {1},                                                         \
                                            TARE_POINTWISE_VARIANTS(name_##_grad, name_##_grad_reference, q),          \
                                            TARE_TABLE(samples, samples_),                                             \
                                            __VA_ARGS__}

/* Both. Further fields (attributes, tolerance) hold for both. */
#define TARE_POINTWISE_PAIR(name_, saved, q, formula, note, grad_formula, samples_, grad_samples_, ...)                \
    TARE_UNARY_GRAD(name_, saved, q, grad_formula, grad_samples_, __VA_ARGS__);                                        \
    TARE_UNARY(name_, q, tare__infer_like, "y = " formula "; x, y [...]. " note, samples_,                             \
               .gradient = name_##_gradient, TARE_NEEDS_##saved, __VA_ARGS__)

#endif
