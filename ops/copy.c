/* copy.c - moving bits: copy, which makes any view contiguous, and fill.
 *
 * A copy knows elements only by their size. Where the innermost dimension of the output is not the one that
 * lies together in memory (a transposed view), whole blocks of COPY_BLOCK rows are taken column by column, so that
 * each cache line of the input is read once. */
#include "broadcast.h"

TARE_KERNEL_DECLARE(fill);
int TARE_KERNEL(fill)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    float *out = c->ptr[1];
    tare_vf value = tare_broadcast((float)tare_unbits(c->g[2]));
    int64_t i, end;
    tare_piece_range(c, piece, &i, &end);
    for (; i + TARE_LANES <= end; i += TARE_LANES)
        tare_store(out + i, value);
    if (i < end)
        tare_store_part(out + i, value, end - i);
    return 0;
}

#ifdef TARE_PASS_RECORDS

/* ---- copy -------------------------------------------------------------------------------------------------------*/
static int copy_contiguous(const tare_call *c, int piece, int worker)
{
    (void)worker;
    int64_t i, end;
    tare_piece_range(c, piece, &i, &end);
    size_t bytes = tare_dtype_bytes((tare_dtype)c->g[1]);
    memcpy((char *)c->ptr[1] + (size_t)i * bytes, (const char *)c->ptr[0] + (size_t)i * bytes,
           (size_t)(end - i) * bytes);
    return 0;
}

enum { COPY_BLOCK = 16 };

/* Output elements [i, end) with elements of `type`; x and out are the first elements of the whole. */
#define COPY_STRIDED(name, type)                                                                                       \
    static void name(const int64_t *g, type *out, const type *x, int64_t i, int64_t end)                               \
    {                                                                                                                  \
        int64_t dim = g[TARE_WALK_DIM], stride = g[TARE_WALK_STRIDE], n;                                               \
        int64_t rows = g[TARE_WALK_DIM + 1], row_stride = g[TARE_WALK_STRIDE + 1];                                     \
        bool by_column = row_stride > -stride && row_stride < stride;                                                  \
        for (tare_walk w = tare_walk_to(g, i, 1); i < end; i += n) {                                                   \
            const type *from = x + w.offset[0];                                                                        \
            if (by_column && w.index[0] == 0 && rows - w.index[1] >= COPY_BLOCK && end - i >= COPY_BLOCK * dim) {      \
                n = COPY_BLOCK * dim;                                                                                  \
                for (int64_t column = 0; column < dim; ++column)                                                       \
                    for (int64_t row = 0; row < COPY_BLOCK; ++row)                                                     \
                        out[i + row * dim + column] = from[column * stride + row * row_stride];                        \
                w.index[1] += COPY_BLOCK - 1;                                                                          \
                w.offset[0] += (COPY_BLOCK - 1) * row_stride;                                                          \
                tare_walk_on(&w, g, dim, 1);                                                                           \
                continue;                                                                                              \
            }                                                                                                          \
            n = tare_walk_row(&w, g, end - i);                                                                         \
            if (stride == 1)                                                                                           \
                memcpy(out + i, from, (size_t)n * sizeof *out);                                                        \
            else                                                                                                       \
                for (int64_t column = 0; column < n; ++column)                                                         \
                    out[i + column] = from[column * stride];                                                           \
            tare_walk_on(&w, g, n, 1);                                                                                 \
        }                                                                                                              \
    }
COPY_STRIDED(copy_strided_1, uint8_t)
COPY_STRIDED(copy_strided_4, uint32_t)
COPY_STRIDED(copy_strided_8, uint64_t)

static int copy_strided(const tare_call *c, int piece, int worker)
{
    (void)worker;
    int64_t i, end;
    tare_piece_range(c, piece, &i, &end);
    size_t bytes = tare_dtype_bytes((tare_dtype)c->g[1]);
    if (bytes == 8)
        copy_strided_8(c->g, c->ptr[1], c->ptr[0], i, end);
    else if (bytes == 4)
        copy_strided_4(c->g, c->ptr[1], c->ptr[0], i, end);
    else
        copy_strided_1(c->g, c->ptr[1], c->ptr[0], i, end);
    return 0;
}

static int copy_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    int64_t i, end, bytes = (int64_t)tare_dtype_bytes((tare_dtype)c->g[1]);
    tare_piece_range(c, piece, &i, &end);
    for (tare_walk w = tare_walk_to(c->g, i, 1); i < end; ++i) {
        memcpy((char *)c->ptr[1] + i * bytes, (const char *)c->ptr[0] + w.offset[0] * bytes, (size_t)bytes);
        tare_walk_on(&w, c->g, 1, 1);
    }
    return 0;
}

static tare_status copy_infer(const tare_args *a, const tare_desc_out *out)
{
    *out[0] = *a->in[0];
    if (!out[0]->contiguous)
        tare_desc_pack(out[0]);
    return TARE_OK;
}

static void prepare_copy(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    tare__prepare_walk(out[0], a->in, 1, w);
}

static void copy_gradient(tare_builder *b)
{
    tare_contribute(b, 0, tare_head(b, 0));
}

enum { ALL_DTYPES = TARE_BIT(TARE_DTYPE_COUNT) - 1 };

const tare_op tare_op_copy = {
    .name = "copy",
    .doc = "y = x, bit for bit, any strides to contiguous; x, y [...] of any dtype",
    .n_in = 1,
    .n_out = 1,
    .infer = copy_infer,
    .gradient = copy_gradient,
    .variants =
        (const tare_variant[]){
            {.name = "contiguous", .dtypes = ALL_DTYPES, .prepare = tare__prepare_pointwise, .run = copy_contiguous},
            {.name = "strided",
             .dtypes = ALL_DTYPES,
             .in_strides = {TARE_STRIDES_ANY},
             .prepare = prepare_copy,
             .run = copy_strided},
            {.name = "reference",
             .set = TARE_SET_REFERENCE,
             .dtypes = ALL_DTYPES,
             .in_strides = {TARE_STRIDES_ANY},
             .prepare = prepare_copy,
             .run = copy_reference}},
    .n_variants = 3,
    .samples = (const tare_sample[]){{TARE_SAMPLE_CHECK, "f32[3,5]", NULL, NULL},
                                     {TARE_SAMPLE_CHECK, "f32[]", NULL, NULL},
                                     {TARE_SAMPLE_CHECK, "f32[0,4]", NULL, NULL},
                                     {TARE_SAMPLE_CHECK, "f32[16385]", NULL, NULL},
                                     {TARE_SAMPLE_CHECK, "f64[17,3]", NULL, NULL},
                                     {TARE_SAMPLE_CHECK, "i32[33]<-9,9>", NULL, NULL},
                                     {TARE_SAMPLE_CHECK, "i64[33]<-9,9>", NULL, NULL},
                                     {TARE_SAMPLE_CHECK, "u8[5,7]<0,255>", NULL, NULL},
                                     {TARE_SAMPLE_BENCH, "f32[16]", NULL, NULL},
                                     {TARE_SAMPLE_BENCH, "f32[256,300]", NULL, NULL},
                                     {TARE_SAMPLE_REJECT, "f32[3]", "factor=2", "no option 'factor'"}},
    .n_samples = 11,
};

/* ---- fill -------------------------------------------------------------------------------------------------------*/
static int fill_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    double value = tare_unbits(c->g[2]);
    void *out = c->ptr[1];
    int64_t i, end;
    for (tare_piece_range(c, piece, &i, &end); i < end; ++i)
        tare_put_number(out, c->g[1], i, value);
    return 0;
}

tare_status tare__check_value(const tare_args *a, int dtype, double value)
{
    double low = 0, high = 255;
    if (dtype == TARE_BYTES)
        return tare_op_error(a, TARE_BAD_DTYPE, "input 0 is bytes (need numbers)");
    if (dtype == TARE_I32 || dtype == TARE_I64) {
        high = dtype == TARE_I32 ? 2147483647.0 : 9223372036854774784.0; /* the last double below 2^63 */
        low = dtype == TARE_I32 ? -2147483648.0 : -9223372036854775808.0;
    }
    bool whole = value >= low && value <= high && value == (double)(int64_t)value;
    if (dtype != TARE_F32 && dtype != TARE_F64 && !whole)
        return tare_op_error(a, TARE_BAD_ARGUMENT, "value is %g (need a whole number that %s holds)", value,
                             tare_dtype_name((tare_dtype)dtype));
    return TARE_OK;
}

static tare_status fill_infer(const tare_args *a, const tare_desc_out *out)
{
    tare_status status = tare__check_value(a, a->in[0]->dtype, ((const tare_fill_attr *)a->attr)->value);
    *out[0] = *a->in[0];
    if (!out[0]->contiguous)
        tare_desc_pack(out[0]);
    return status;
}

const tare_op tare_op_fill = {
    .name = "fill",
    .doc = "y = value everywhere; x (only its shape and dtype count), y [...]. Nothing of y depends on x's elements",
    .n_in = 1,
    .n_out = 1,
    .shape_only = 1,
    .attrs = (const tare_attr[]){{"value", TARE_ATTR_FLOAT, offsetof(tare_fill_attr, value), -__builtin_inf(),
                                  __builtin_inf(), "0", "what every element becomes"}},
    .n_attrs = 1,
    .attr_bytes = sizeof(tare_fill_attr),
    .infer = fill_infer,
    .not_differentiable = true,
    .stops_gradient = true,
    .variants = (const tare_variant[]){TARE_NATIVE(fill, "", .dtypes = TARE_BIT(TARE_F32),
                                                   .in_strides = {TARE_STRIDES_ANY}, .prepare = tare__prepare_scalars),
                                       {.name = "reference",
                                        .set = TARE_SET_REFERENCE,
                                        .dtypes = ALL_DTYPES & ~TARE_BIT(TARE_BYTES),
                                        .in_strides = {TARE_STRIDES_ANY},
                                        .prepare = tare__prepare_scalars,
                                        .run = fill_reference}},
    .n_variants = TARE_N_NATIVE + 1,
    .samples =
        (const tare_sample[]){{TARE_SAMPLE_CHECK, "f32[3,5]", "value=1", NULL},
                              {TARE_SAMPLE_CHECK, "f32[]", "value=-2.5", NULL},
                              {TARE_SAMPLE_CHECK, "f32[0,4]", "value=1", NULL},
                              {TARE_SAMPLE_CHECK, "f32[16385]", "value=0.1", NULL},
                              {TARE_SAMPLE_CHECK, "f64[17]", "value=0.1", NULL},
                              {TARE_SAMPLE_CHECK, "i32[5]<0,1>", "value=-7", NULL},
                              {TARE_SAMPLE_CHECK, "i64[5]<0,1>", "value=7", NULL},
                              {TARE_SAMPLE_CHECK, "u8[5]<0,1>", "value=255", NULL},
                              {TARE_SAMPLE_BENCH, "f32[256,300]", "value=1", NULL},
                              {TARE_SAMPLE_REJECT, "u8[5]<0,1>", "value=256", "need a whole number that uint8"},
                              {TARE_SAMPLE_REJECT, "i32[5]<0,1>", "value=0.5", "need a whole number that int32"}},
    .n_samples = 11,
};

#endif
