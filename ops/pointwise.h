/* pointwise.h - a kernel from a formula: TARE_POINTWISE(name, n, function) is the loop around a vector function.
 *
 * function(x), function(x, y) or function(x, y, z) maps the vectors of n inputs (same shape, contiguous, float32) to
 * output 0. A kernel takes one chunk a piece; the tail runs the same function on a zero-filled vector, so that an
 * element's bits do not depend on where it stands. */
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

#define TARE_POINTWISE(name, n, function)                                                                              \
    int TARE_KERNEL(name)(const tare_call *c, int piece, int worker)                                                   \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        TARE_POINTERS_##n;                                                                                             \
        float *out = c->ptr[n];                                                                                        \
        int64_t i, end;                                                                                                \
        tare_piece_range(c, piece, &i, &end);                                                                          \
        for (; i + TARE_LANES <= end; i += TARE_LANES)                                                                 \
            tare_store(out + i, function(TARE_LOADS_##n(TARE_LOAD_FULL)));                                             \
        if (i < end)                                                                                                   \
            tare_store_part(out + i, function(TARE_LOADS_##n(TARE_LOAD_PART)), end - i);                               \
        return 0;                                                                                                      \
    }

/* The reference of the same: a double function of doubles. */
#define TARE_ATS_1 tare_at(c->ptr[0], c->g[1], i)
#define TARE_ATS_2 TARE_ATS_1, tare_at(c->ptr[1], c->g[1], i)
#define TARE_ATS_3 TARE_ATS_2, tare_at(c->ptr[2], c->g[1], i)
#define TARE_POINTWISE_REFERENCE(name, n, function)                                                                    \
    static int name(const tare_call *c, int piece, int worker)                                                         \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        int64_t i, end;                                                                                                \
        for (tare_piece_range(c, piece, &i, &end); i < end; ++i)                                                       \
            tare_put(c->ptr[n], c->g[1], i, function(TARE_ATS_##n));                                                   \
        return 0;                                                                                                      \
    }

/* The four variants of a pointwise operator: native ones for float32, the reference for both. */
#define TARE_POINTWISE_VARIANTS(kernel, reference)                                                                     \
    TARE_NATIVE(kernel, "", .dtypes = TARE_BIT(TARE_F32), .prepare = tare__prepare_pointwise),                         \
        TARE_REFERENCE(reference, .prepare = tare__prepare_pointwise)

#endif
