/* desc.h - what a value looks like: dtype, shape, strides. All that inference and variant choice may read.
 *
 * Dimensions and strides count elements. A stride may be 0 (broadcast) or negative (reversed view). A desc
 * made by tare_desc_of is contiguous in C order; `contiguous` is kept beside the strides, because nearly
 * every value is, and one test then stands for six. Pure data: no ownership, no threads. */
#ifndef TARE_CORE_DESC_H
#define TARE_CORE_DESC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(NAME, bytes, text): BYTES is opaque (pooling indices of a library, recurrent reserve). */
#define TARE_DTYPES(X)                                                                                                 \
    X(F32, 4, "float32")                                                                                               \
    X(F64, 8, "float64")                                                                                               \
    X(I32, 4, "int32")                                                                                                 \
    X(I64, 8, "int64")                                                                                                 \
    X(U8, 1, "uint8")                                                                                                  \
    X(BYTES, 1, "bytes")

typedef enum {
#define TARE_DTYPE_ENUM(name, bytes, text) TARE_##name,
    TARE_DTYPES(TARE_DTYPE_ENUM)
#undef TARE_DTYPE_ENUM
        TARE_DTYPE_COUNT
} tare_dtype;

enum { TARE_RANK = 6 }; /* the greatest number of dimensions */

typedef struct {
    int8_t rank;               /* 0: a scalar, one element */
    uint8_t dtype;             /* tare_dtype */
    uint8_t layout;            /* 0: plain; others belong to a variant's family (blocked, packed) */
    bool contiguous;           /* C order without gaps */
    int64_t dim[TARE_RANK];    /* >= 0; only the first `rank` mean anything */
    int64_t stride[TARE_RANK]; /* elements */
} tare_desc;

/* Whether dimensions after the first are without gaps, and the first is as far or farther apart. */
TARE_API bool tare_desc_outer(const tare_desc *);

static inline size_t tare_dtype_bytes(tare_dtype dtype)
{
    static const uint8_t bytes[] = {
#define TARE_DTYPE_BYTES(name, size, text) size,
        TARE_DTYPES(TARE_DTYPE_BYTES)
#undef TARE_DTYPE_BYTES
    };
    return bytes[dtype];
}

TARE_API const char *tare_dtype_name(tare_dtype dtype);

/* Sets C-order strides and the contiguous flag from rank and dim. */
static inline void tare_desc_pack(tare_desc *d)
{
    int64_t stride = 1;
    for (int i = d->rank - 1; i >= 0; --i) {
        d->stride[i] = stride;
        stride = (int64_t)((uint64_t)stride * (uint64_t)d->dim[i]); /* wraps: a desc is made before it is checked */
    }
    d->layout = 0;
    d->contiguous = true;
}

/* Makes *d a contiguous matrix, or copies rank, dtype and dims and packs: only the words in use are written, since
 * this is on the path of every operator. */
static inline void tare_desc_matrix(tare_desc *d, uint8_t dtype, int64_t rows, int64_t columns)
{
    d->rank = 2;
    d->dtype = dtype;
    d->layout = 0;
    d->contiguous = true;
    d->dim[0] = rows;
    d->dim[1] = columns;
    d->stride[0] = columns;
    d->stride[1] = 1;
}

static inline void tare_desc_like(tare_desc *d, const tare_desc *x)
{
    d->rank = x->rank;
    d->dtype = x->dtype;
    for (int i = 0; i < x->rank; ++i)
        d->dim[i] = x->dim[i];
    tare_desc_pack(d);
}

/* A contiguous desc. `dim` holds `rank` entries; sizes are not checked (see tare_desc_check). */
TARE_API tare_desc tare_desc_of(tare_dtype dtype, int rank, const int64_t *dim);

/* BAD_SHAPE unless 0 <= rank <= TARE_RANK, no dim is negative and the bytes fit into 2^62. */
TARE_API tare_status tare_desc_check(const tare_desc *d);

/* Recomputes `contiguous` from the strides. Strides that mean nothing (of dims of 1, of an empty desc) become what they
 * are in C order, so that a contiguous desc has one form and a kernel may read its strides. */
TARE_API void tare_desc_measure(tare_desc *d);

static inline int64_t tare_desc_count(const tare_desc *d)
{
    int64_t n = 1;
    for (int i = 0; i < d->rank; ++i)
        n *= d->dim[i];
    return n;
}

static inline size_t tare_desc_bytes(const tare_desc *d)
{
    return (size_t)tare_desc_count(d) * tare_dtype_bytes((tare_dtype)d->dtype);
}

static inline bool tare_desc_same_shape(const tare_desc *a, const tare_desc *b)
{
    bool same = a->rank == b->rank;
    for (int i = 0; same && i < a->rank; ++i)
        same = a->dim[i] == b->dim[i];
    return same;
}

/* NumPy's rule: trailing dimensions align; each pair is equal or one of them is 1. false: they do not fit.
 * dtype is a's. */
TARE_API bool tare_desc_broadcast(const tare_desc *a, const tare_desc *b, tare_desc *out);

/* "[32,784]" into text (TARE_DESC_TEXT bytes), returned. */
enum { TARE_DESC_TEXT = 160 };
TARE_API const char *tare_desc_text(const tare_desc *d, char *text);

#ifdef __cplusplus
}
#endif
#endif
