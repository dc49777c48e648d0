/* cast.c - the same numbers in another dtype.
 *
 * Every conversion is defined, and the same on every machine: to floats rounds to the nearest, ties to even; floats to
 * integers drop the fraction, what lies beyond becomes the nearest integer that there is, NaN becomes 0; integers to
 * shorter ones keep their low bits. Between floats the gradient comes back in the dtype of x; integers have none. */
#include "record.h"

enum { G_FROM = 2, G_WORDS }; /* after g[0] elements and g[1], the dtype of y */

/* `beyond` is the power of two above the greatest. No branch: the compiler makes vectors of it. */
#define FLOAT_TO_INTEGER(from, to, least, greatest, beyond)                                                            \
    static inline to to##_of_##from(from x)                                                                            \
    {                                                                                                                  \
        from number = x == x ? x : 0, above = number > (from)(least) ? number : (from)(least);                         \
        to whole = (to)(above < (from)(beyond) ? above : 0);                                                           \
        return above < (from)(beyond) ? whole : (greatest);                                                            \
    }
#define TO_INTEGER(to, least, greatest, beyond)                                                                        \
    FLOAT_TO_INTEGER(float, to, least, greatest, beyond)                                                               \
    FLOAT_TO_INTEGER(double, to, least, greatest, beyond)                                                              \
    static inline to to##_of_integer(int64_t x)                                                                        \
    {                                                                                                                  \
        return (to)x;                                                                                                  \
    }
TO_INTEGER(int32_t, INT32_MIN, INT32_MAX, 0x1p31)
TO_INTEGER(int64_t, INT64_MIN, INT64_MAX, 0x1p63)
TO_INTEGER(uint8_t, 0, UINT8_MAX, 0x1p8)

#define TO(to, x)     _Generic((x), float : to##_of_float, double : to##_of_double, default : to##_of_integer)(x)
#define TO_float(x)   ((float)(x))
#define TO_double(x)  ((double)(x))
#define TO_int32_t(x) TO(int32_t, x)
#define TO_int64_t(x) TO(int64_t, x)
#define TO_uint8_t(x) TO(uint8_t, x)

/* y[i] = x[i] in the other type, i < n */
typedef void cast_run(const void *x, void *y, int64_t n);

#define CAST(from, to)                                                                                                 \
    static void from##_to_##to(const void *x, void *y, int64_t n)                                                      \
    {                                                                                                                  \
        for (int64_t i = 0; i < n; ++i)                                                                                \
            ((to *)y)[i] = TO_##to(((const from *)x)[i]);                                                              \
    }
#define CASTS(from) CAST(from, float) CAST(from, double) CAST(from, int32_t) CAST(from, int64_t) CAST(from, uint8_t)
CASTS(float)
CASTS(double)
CASTS(int32_t)
CASTS(int64_t)
CASTS(uint8_t)

TARE_KERNEL_DECLARE(cast);
int TARE_KERNEL(cast)(const tare_call *c, int piece, int worker)
{
    (void)worker;
#define RUNS(from)                                                                                                     \
    {                                                                                                                  \
        from##_to_float, from##_to_double, from##_to_int32_t, from##_to_int64_t, from##_to_uint8_t                     \
    }
    /* by tare_dtype */
    static cast_run *const run[][TARE_U8 + 1] = {RUNS(float), RUNS(double), RUNS(int32_t), RUNS(int64_t),
                                                 RUNS(uint8_t)};
    const int64_t *g = c->g;
    int64_t i, end;
    tare_piece_range(c, piece, &i, &end);
    run[g[G_FROM]][g[1]]((const char *)c->ptr[0] + (size_t)i * tare_dtype_bytes((tare_dtype)g[G_FROM]),
                         (char *)c->ptr[1] + (size_t)i * tare_dtype_bytes((tare_dtype)g[1]), end - i);
    return 0;
}

#ifdef TARE_PASS_RECORDS

#define PUT(x)                                                                                                         \
    do {                                                                                                               \
        if (to == TARE_F32)                                                                                            \
            ((float *)y)[i] = (float)(x);                                                                              \
        else if (to == TARE_F64)                                                                                       \
            ((double *)y)[i] = (double)(x);                                                                            \
        else if (to == TARE_I32)                                                                                       \
            ((int32_t *)y)[i] = TO_int32_t(x);                                                                         \
        else if (to == TARE_I64)                                                                                       \
            ((int64_t *)y)[i] = TO_int64_t(x);                                                                         \
        else                                                                                                           \
            ((uint8_t *)y)[i] = TO_uint8_t(x);                                                                         \
    } while (0)

/* Through float64 or int64, one of which holds what any dtype does. */
static int cast_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t from = c->g[G_FROM], to = c->g[1];
    const void *x = c->ptr[0];
    void *y = c->ptr[1];
    int64_t i, end;
    for (tare_piece_range(c, piece, &i, &end); i < end; ++i) {
        if (from == TARE_F32 || from == TARE_F64)
            PUT(tare_at(x, from, i));
        else if (from == TARE_I32)
            PUT((int64_t)((const int32_t *)x)[i]);
        else if (from == TARE_I64)
            PUT(((const int64_t *)x)[i]);
        else
            PUT((int64_t)((const uint8_t *)x)[i]);
    }
    return 0;
}

static tare_status infer_cast(const tare_args *a, const tare_desc_out *out)
{
    tare_dtype to = ((const tare_cast_attr *)a->attr)->dtype;
    if (a->in[0]->dtype > TARE_U8)
        return tare_op_error(a, TARE_BAD_DTYPE, "input 0 is bytes (need numbers)");
    if (to > TARE_U8)
        return tare_op_error(a, TARE_BAD_DTYPE, "dtype is number %d (need 0 to %d)", (int)to, TARE_U8);
    tare_desc_like(out[0], a->in[0]);
    out[0]->dtype = (uint8_t)to;
    return tare_desc_check(out[0]);
}

static void prepare_cast(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    tare__prepare_pointwise(a, out, w);
    w->g[G_FROM] = a->in[0]->dtype;
    w->n_g = G_WORDS;
}

static void cast_gradient(tare_builder *b)
{
    const tare_cast_attr back = {(tare_dtype)tare_input(b, 0)->d.dtype};
    tare_contribute(b, 0, tare_cast(b->mode, tare_head(b, 0), back));
}

static const tare_sample cast_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,5]", "dtype=float64", NULL},
    {TARE_SAMPLE_CHECK, "f32[]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[0,4]", "dtype=int32", NULL},
    {TARE_SAMPLE_CHECK, "f32[16385]<-300,300>", "dtype=uint8", NULL},
    {TARE_SAMPLE_CHECK, "f32[333]<-4e9,4e9>", "dtype=int32", NULL},
    {TARE_SAMPLE_CHECK, "f32[333]<-2e19,2e19>", "dtype=int64", NULL},
    {TARE_SAMPLE_CHECK, "f64[333]<-4e9,4e9>", "dtype=float32", NULL},
    {TARE_SAMPLE_CHECK, "f64[333]<-4e9,4e9>", "dtype=int32", NULL},
    {TARE_SAMPLE_CHECK, "i32[333]<-2e9,2e9>", NULL, NULL},
    {TARE_SAMPLE_CHECK, "i32[333]<-2e9,2e9>", "dtype=uint8", NULL},
    {TARE_SAMPLE_CHECK, "i64[333]<-9e18,9e18>", NULL, NULL},
    {TARE_SAMPLE_CHECK, "i64[333]<-9e18,9e18>", "dtype=int32", NULL},
    {TARE_SAMPLE_CHECK, "u8[333]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "u8[333]", "dtype=int64", NULL},
    {TARE_SAMPLE_BENCH, "u8[256,784]", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[256,300]", "dtype=int32", NULL},
    {TARE_SAMPLE_REJECT, "f32[3]", "dtype=bytes", "dtype is 'bytes' (need one of float32, float64, int32"},
};
static const tare_attr cast_attrs[] = {
    {"dtype", TARE_ATTR_DTYPE, offsetof(tare_cast_attr, dtype), TARE_F32, TARE_U8, "float32", "of the result"}};

enum { NUMBERS = TARE_BIT(TARE_U8 + 1) - 1 };
const tare_op tare_op_cast = {
    .name = "cast",
    .doc =
        "y = x in another dtype; x, y [...]. Floats to integers drop the fraction and stay within bounds, NaN becomes "
        "0; integers keep their low bits",
    .n_in = 1,
    .n_out = 1,
    TARE_TABLE(attrs, cast_attrs),
    .attr_bytes = sizeof(tare_cast_attr),
    .infer = infer_cast,
    .gradient = cast_gradient,
    .variants = (const tare_variant[]){TARE_NATIVE(cast, "", .dtypes = NUMBERS, .prepare = prepare_cast),
                                       {.name = "reference",
                                        .set = TARE_SET_REFERENCE,
                                        .dtypes = NUMBERS,
                                        .prepare = prepare_cast,
                                        .run = cast_reference}},
    .n_variants = TARE_N_NATIVE + 1,
    TARE_TABLE(samples, cast_samples),
};

#endif
