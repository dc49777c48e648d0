/* record.h - what the files of ops/ share: macros for variants, common inference, the references' element access. */
#ifndef TARE_OPS_RECORD_H
#define TARE_OPS_RECORD_H

#include "../core/gradient.h"
#include "ops.h"
#include "simd.h"

/* A kernel of this pass, visible to the record in the first pass. */
#define TARE_KERNEL_DECLARE(name)                                                                                      \
    int TARE_JOIN3(tare__, name, portable)(const tare_call *, int, int);                                               \
    int TARE_JOIN3(tare__, name, avx2)(const tare_call *, int, int);                                                   \
    int TARE_JOIN3(tare__, name, avx512)(const tare_call *, int, int)

/* The native variants of a kernel, best first; the further fields of tare_variant follow. `label` is put into the name.
 */
#if defined(__x86_64__)
#define TARE_N_NATIVE 3
#define TARE_NATIVE(kernel, label, ...)                                                                                \
    {.name = label "avx512", .isa = TARE_ISA_AVX512, .run = TARE_JOIN3(tare__, kernel, avx512), __VA_ARGS__},          \
        {.name = label "avx2", .isa = TARE_ISA_AVX2, .run = TARE_JOIN3(tare__, kernel, avx2), __VA_ARGS__},            \
    {                                                                                                                  \
        .name = label "portable", .isa = TARE_ISA_PORTABLE, .run = TARE_JOIN3(tare__, kernel, portable), __VA_ARGS__   \
    }
#else
#define TARE_N_NATIVE 1
#define TARE_NATIVE(kernel, label, ...)                                                                                \
    {                                                                                                                  \
        .name = label "portable", .isa = TARE_ISA_PORTABLE, .run = TARE_JOIN3(tare__, kernel, portable), __VA_ARGS__   \
    }
#endif

/* The reference: plain loops in float64 whatever the dtype. Never removed, last in the list. */
#define TARE_REFERENCE(run_, ...)                                                                                      \
    {                                                                                                                  \
        .name = "reference", .set = TARE_SET_REFERENCE, .dtypes = TARE_BIT(TARE_F32) | TARE_BIT(TARE_F64),             \
        .run = run_, __VA_ARGS__                                                                                       \
    }

/* The native variants and the reference of `kernel`, all float32, by the names kernel_reference and prepare_kernel. */
#define TARE_USUAL_VARIANTS(kernel)                                                                                    \
    .variants =                                                                                                        \
        (const tare_variant[]){TARE_NATIVE(kernel, "", .dtypes = TARE_BIT(TARE_F32), .prepare = prepare_##kernel),     \
                               TARE_REFERENCE(kernel##_reference, .prepare = prepare_##kernel)},                       \
    .n_variants = TARE_N_NATIVE + 1

/* The same of an update: bit i of `each`, input i is read element by element, as all outputs are written. */
#define TARE_UPDATE_VARIANTS(kernel, each)                                                                             \
    .variants =                                                                                                        \
        (const tare_variant[]){                                                                                        \
            TARE_NATIVE(kernel, "", .dtypes = TARE_BIT(TARE_F32), .elementwise = each, .prepare = prepare_##kernel),   \
            TARE_REFERENCE(kernel##_reference, .elementwise = each, .prepare = prepare_##kernel)},                     \
    .n_variants = TARE_N_NATIVE + 1

#define TARE_SAMPLES(...)                                                                                              \
    .samples = (const tare_sample[]){__VA_ARGS__}, .n_samples = TARE_COUNT_OF(((const tare_sample[]){__VA_ARGS__}))

/* .attrs or .samples from a table, with their number. */
#define TARE_TABLE(field, table) .field = table, .n_##field = TARE_COUNT_OF(table)

#define TARE_COUNT_OF(array) (int)(sizeof(array) / sizeof *(array))

/* The most elements that one piece of a pointwise kernel handles, 64 KiB of float32, and what its pieces are multiples
 * of: of every vector width, of cache lines of masks. */
enum { TARE_CHUNK = 16384, TARE_GRAIN = 128 };

/* g[0] = elements of output 0, g[1] = its dtype; even pieces of at most TARE_CHUNK elements. (Two of half that size cost
 * more in handing over and in lines from the other core than they save.) */
void tare__prepare_pointwise(const tare_args *, const tare_desc_ref *out, tare_work *);
/* The same, and behind it the attributes of type float, as bits of doubles, in their order. */
void tare__prepare_scalars(const tare_args *, const tare_desc_ref *out, tare_work *);

/* Rows of dimension 0 that may be apart, for the kernels of TARE_POINTWISE_APART (pointwise.h): of what has a dimension
 * within the rows, and elements. */
bool tare__fits_apart(const tare_args *);
void tare__prepare_apart(const tare_args *, const tare_desc_ref *out, tare_work *);

/* The piece's range [*begin, *end) of g[0] elements. */
static inline void tare_piece_range(const tare_call *c, int piece, int64_t *begin, int64_t *end)
{
    *begin = 0;
    *end = c->g[0];
    if (c->n_pieces > 1) {
        const int64_t grains = (c->g[0] + TARE_GRAIN - 1) / TARE_GRAIN;
        *begin = grains * piece / c->n_pieces * TARE_GRAIN;
        *end = piece + 1 == c->n_pieces ? c->g[0] : grains * (piece + 1) / c->n_pieces * TARE_GRAIN;
    }
}

/* Inference: output 0 looks like input 0 (contiguous); all inputs floating and of one dtype. */
tare_status tare__infer_like(const tare_args *, const tare_desc_out *out);
/* As above, and all inputs must have input 0's shape. */
tare_status tare__infer_same(const tare_args *, const tare_desc_out *out);

/* Element access of the references: dtype F32 or F64. */
static inline double tare_at(const void *p, int64_t dtype, int64_t i)
{
    return dtype == TARE_F64 ? ((const double *)p)[i] : (double)((const float *)p)[i];
}
static inline void tare_put(void *p, int64_t dtype, int64_t i, double x)
{
    if (dtype == TARE_F64)
        ((double *)p)[i] = x;
    else
        ((float *)p)[i] = (float)x;
}

/* x, which the dtype holds (tare__check_value), as element i: any dtype but BYTES. */
static inline void tare_put_number(void *p, int64_t dtype, int64_t i, double x)
{
    if (dtype == TARE_U8)
        ((uint8_t *)p)[i] = (uint8_t)x;
    else if (dtype == TARE_I32)
        ((int32_t *)p)[i] = (int32_t)x;
    else if (dtype == TARE_I64)
        ((int64_t *)p)[i] = (int64_t)x;
    else
        tare_put(p, dtype, i, x);
}

/* The attribute `value` is a number that the dtype holds: any for floats, a whole one within bounds for integers. */
tare_status tare__check_value(const tare_args *, int dtype, double value);

#endif
