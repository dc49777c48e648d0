/* arithmetic.c - add, sub, mul with NumPy's broadcasting; scale by a constant; accumulate, the reverse walk's sum.
 *
 * Operands of one shape take the plain pointwise kernel. All else (a scalar, a row, a column, views of any
 * strides) goes through one kernel that walks rows, in which an operand's inner stride is 1, 0 or other. */
#include "broadcast.h"
#include "pointwise.h"

static inline tare_vf add_of(tare_vf a, tare_vf b)
{
    return a + b;
}
static inline tare_vf sub_of(tare_vf a, tare_vf b)
{
    return a - b;
}
static inline tare_vf mul_of(tare_vf a, tare_vf b)
{
    return a * b;
}

TARE_KERNEL_DECLARE(add);
TARE_KERNEL_DECLARE(sub);
TARE_KERNEL_DECLARE(mul);
TARE_POINTWISE(add, 2, add_of)
TARE_POINTWISE(sub, 2, sub_of)
TARE_POINTWISE(mul, 2, mul_of)

/* n <= TARE_LANES elements at any stride */
static inline tare_vf load_strided(const float *p, int64_t stride, int64_t n)
{
    float lane[TARE_LANES] = {0};
    for (int64_t l = 0; l < n; ++l)
        lane[l] = p[l * stride];
    return tare_load(lane);
}

/* out[i] = function(a[i * sa], b[i * sb]), i < n: one loop for each pair of ways to load */
#define ROW_LOOP(function, load_a, load_b)                                                                             \
    do {                                                                                                               \
        for (; i + TARE_LANES <= n; i += TARE_LANES)                                                                   \
            tare_store(out + i, function(load_a(a, sa, TARE_LANES), load_b(b, sb, TARE_LANES)));                       \
        if (i < n)                                                                                                     \
            tare_store_part(out + i, function(load_a(a, sa, n - i), load_b(b, sb, n - i)), n - i);                     \
    } while (0)
#define LOAD_RUN(p, stride, m)     ((m) == TARE_LANES ? tare_load((p) + i) : tare_load_part((p) + i, m))
#define LOAD_SAME(p, stride, m)    p##_all
#define LOAD_STRIDED(p, stride, m) load_strided((p) + i * (stride), stride, m)

#define BROADCAST_KERNEL(name, function)                                                                               \
    static inline void name##_row(float *out, const float *a, int64_t sa, const float *b, int64_t sb, int64_t n)       \
    {                                                                                                                  \
        tare_vf a_all = tare_broadcast(*a), b_all = tare_broadcast(*b);                                                \
        int64_t i = 0;                                                                                                 \
        if (sa == 1 && sb == 1)                                                                                        \
            ROW_LOOP(function, LOAD_RUN, LOAD_RUN);                                                                    \
        else if (sa == 1 && sb == 0)                                                                                   \
            ROW_LOOP(function, LOAD_RUN, LOAD_SAME);                                                                   \
        else if (sa == 0 && sb == 1)                                                                                   \
            ROW_LOOP(function, LOAD_SAME, LOAD_RUN);                                                                   \
        else                                                                                                           \
            ROW_LOOP(function, LOAD_STRIDED, LOAD_STRIDED);                                                            \
    }                                                                                                                  \
    TARE_KERNEL_DECLARE(name##_broadcast);                                                                             \
    int TARE_KERNEL(name##_broadcast)(const tare_call *c, int piece, int worker)                                       \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        const float *a = c->ptr[0], *b = c->ptr[1];                                                                    \
        float *out = c->ptr[2];                                                                                        \
        const int64_t *g = c->g;                                                                                       \
        int64_t i, end, n;                                                                                             \
        tare_piece_range(c, piece, &i, &end);                                                                          \
        for (tare_walk w = tare_walk_to(g, i); i < end; i += n) {                                                      \
            n = tare_walk_row(&w, g, end - i);                                                                         \
            name##_row(out + i, a + w.offset[0], g[TARE_WALK_STRIDE], b + w.offset[1], g[TARE_WALK_STRIDE_1], n);      \
            if (i + n < end)                                                                                           \
                tare_walk_on(&w, g, n);                                                                                \
        }                                                                                                              \
        return 0;                                                                                                      \
    }
BROADCAST_KERNEL(add, add_of)
BROADCAST_KERNEL(sub, sub_of)
BROADCAST_KERNEL(mul, mul_of)

/* y = factor * x */
TARE_KERNEL_DECLARE(scale);
int TARE_KERNEL(scale)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const float *x = c->ptr[0];
    float *out = c->ptr[1];
    tare_vf factor = tare_broadcast((float)tare_unbits(c->g[2]));
    int64_t i, end;
    tare_piece_range(c, piece, &i, &end);
    for (; i + TARE_LANES <= end; i += TARE_LANES)
        tare_store(out + i, factor * tare_load(x + i));
    if (i < end)
        tare_store_part(out + i, factor * tare_load_part(x + i, end - i), end - i);
    return 0;
}

#ifdef TARE_PASS_RECORDS

static double add_at(double a, double b)
{
    return a + b;
}
static double sub_at(double a, double b)
{
    return a - b;
}
static double mul_at(double a, double b)
{
    return a * b;
}

static int reference(const tare_call *c, int piece, double (*function)(double, double))
{
    const int64_t *g = c->g;
    int64_t i, end;
    tare_piece_range(c, piece, &i, &end);
    for (tare_walk w = tare_walk_to(g, i); i < end; ++i) {
        double a = tare_at(c->ptr[0], g[1], w.offset[0]), b = tare_at(c->ptr[1], g[1], w.offset[1]);
        tare_put(c->ptr[2], g[1], i, function(a, b));
        tare_walk_on(&w, g, 1);
    }
    return 0;
}
static int add_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    return reference(c, piece, add_at);
}
static int sub_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    return reference(c, piece, sub_at);
}
static int mul_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    return reference(c, piece, mul_at);
}

static tare_status infer_broadcast(const tare_args *a, const tare_desc_out *out)
{
    const tare_desc *x = a->in[0], *y = a->in[1];
    if (x->dtype != TARE_F32 && x->dtype != TARE_F64)
        return tare_op_error(a, TARE_BAD_DTYPE, "input 0 is %s (need float32 or float64)", tare_dtype_name(x->dtype));
    if (y->dtype != x->dtype)
        return tare_op_error(a, TARE_BAD_DTYPE, "input 1 is %s, input 0 is %s (need one dtype)",
                             tare_dtype_name(y->dtype), tare_dtype_name(x->dtype));
    char t0[TARE_DESC_TEXT], t1[TARE_DESC_TEXT];
    if (!tare_desc_broadcast(x, y, out[0]))
        return tare_op_error(
            a, TARE_BAD_SHAPE,
            "shapes do not broadcast: %s and %s (need, from the last dimension on, equal sizes or a 1)",
            tare_desc_text(x, t0), tare_desc_text(y, t1));
    return tare_desc_check(out[0]);
}

static bool fits_same(const tare_args *a)
{
    return tare_desc_same_shape(a->in[0], a->in[1]);
}

static void prepare_broadcast(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    tare__prepare_walk(out[0], a->in, 2, w);
}

static void prepare_scale(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    tare__prepare_pointwise(a, out, w);
    w->g[2] = tare_bits(((const tare_scale_attr *)a->attr)->factor);
    w->n_g = 3;
}

/* Adds to the gradient of input i what is dy along its own axes, summed along those it was broadcast over. */
static void contribute_like(tare_builder *b, int i, tare_value *dy)
{
    tare_value *x = tare_input(b, i);
    tare_contribute(b, i, tare_desc_same_shape(&x->d, &dy->d) ? dy : tare_sum_like(b->mode, dy, x));
}

static void add_gradient(tare_builder *b)
{
    for (int i = 0; i < 2; ++i)
        if (tare_wanted(b, i))
            contribute_like(b, i, tare_head(b, 0));
}

static void sub_gradient(tare_builder *b)
{
    tare_value *dy = tare_head(b, 0), *y = tare_input(b, 1);
    if (tare_wanted(b, 0))
        contribute_like(b, 0, dy);
    if (tare_wanted(b, 1)) {
        tare_value *sum = tare_desc_same_shape(&y->d, &dy->d) ? dy : tare_sum_like(b->mode, dy, y);
        tare_contribute(b, 1, tare_scale(b->mode, sum, (tare_scale_attr){-1}));
    }
}

static void mul_gradient(tare_builder *b)
{
    tare_value *dy = tare_head(b, 0);
    for (int i = 0; i < 2; ++i)
        if (tare_wanted(b, i))
            contribute_like(b, i, tare_mul(b->mode, dy, tare_input(b, 1 - i)));
}

static void scale_gradient(tare_builder *b)
{
    tare_contribute(b, 0, tare_scale(b->mode, tare_head(b, 0), *(const tare_scale_attr *)b->node->attr));
}

#define BROADCAST_RECORD(name_, doc_, gradient_, needs)                                                                \
    const tare_op tare_op_##name_ = {                                                                                  \
        .name = #name_,                                                                                                \
        .doc = doc_ "; a, b broadcast to y [...] as in NumPy",                                                         \
        .n_in = 2,                                                                                                     \
        .n_out = 1,                                                                                                    \
        .infer = infer_broadcast,                                                                                      \
        .gradient = gradient_,                                                                                         \
        .needs_in = needs,                                                                                             \
        .overwrites = {1},                                                                                             \
        .variants =                                                                                                    \
            (const tare_variant[]){                                                                                    \
                TARE_NATIVE(name_, "", .dtypes = TARE_BIT(TARE_F32), .fits = fits_same,                                \
                            .prepare = tare__prepare_pointwise),                                                       \
                TARE_NATIVE(name_##_broadcast, "broadcast_", .dtypes = TARE_BIT(TARE_F32),                             \
                            .in_strides = {TARE_STRIDES_ANY, TARE_STRIDES_ANY}, .prepare = prepare_broadcast),         \
                TARE_REFERENCE(name_##_reference, .in_strides = {TARE_STRIDES_ANY, TARE_STRIDES_ANY},                  \
                               .prepare = prepare_broadcast)},                                                         \
        .n_variants = 2 * TARE_N_NATIVE + 1,                                                                           \
        .samples = broadcast_samples,                                                                                  \
        .n_samples = TARE_COUNT_OF(broadcast_samples),                                                                 \
    }

static const tare_sample broadcast_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[] f32[]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[0,4] f32[4]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[16385] f32[16385]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[7,33] f32[]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[1,1] f32[31]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[130,131] f32[131]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[130,1] f32[130,131]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[15,1] f32[1,17]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[2,1,3,1,2,1] f32[1,2,1,3,1,17]", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[16] f32[16]", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[256,300] f32[256,300]", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[256,300] f32[300]", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[256,300] f32[256,1]", NULL, NULL},
    {TARE_SAMPLE_REJECT, "f32[3,4] f32[5]", NULL, "shapes do not broadcast: [3,4] and [5]"},
    {TARE_SAMPLE_REJECT, "f32[3] f64[3]", NULL, "input 1 is float64, input 0 is float32"},
    {TARE_SAMPLE_REJECT, "i32[3] i32[3]", NULL, "need float32 or float64"},
};

BROADCAST_RECORD(add, "y = a + b", add_gradient, 0);
BROADCAST_RECORD(sub, "y = a - b", sub_gradient, 0);
BROADCAST_RECORD(mul, "y = a * b", mul_gradient, 3);

static int scale_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    double factor = tare_unbits(c->g[2]);
    int64_t i, end;
    for (tare_piece_range(c, piece, &i, &end); i < end; ++i)
        tare_put(c->ptr[1], c->g[1], i, factor * tare_at(c->ptr[0], c->g[1], i));
    return 0;
}

const tare_op tare_op_scale = {
    .name = "scale",
    .doc = "y = factor * x; x, y [...]",
    .n_in = 1,
    .n_out = 1,
    .attrs = (const tare_attr[]){{"factor", TARE_ATTR_FLOAT, offsetof(tare_scale_attr, factor), -3.4e38, 3.4e38, "1",
                                  "what every element is multiplied by"}},
    .n_attrs = 1,
    .attr_bytes = sizeof(tare_scale_attr),
    .infer = tare__infer_like,
    .gradient = scale_gradient,
    .overwrites = {1},
    .variants = (const tare_variant[]){TARE_NATIVE(scale, "", .dtypes = TARE_BIT(TARE_F32), .prepare = prepare_scale),
                                       TARE_REFERENCE(scale_reference, .prepare = prepare_scale)},
    .n_variants = TARE_N_NATIVE + 1,
    .samples = (const tare_sample[]){{TARE_SAMPLE_CHECK, "f32[3,5]", "factor=-0.7", NULL},
                                     {TARE_SAMPLE_CHECK, "f32[]", "factor=3", NULL},
                                     {TARE_SAMPLE_CHECK, "f32[16385]", "factor=1e-3", NULL},
                                     {TARE_SAMPLE_CHECK, "f32[0]", NULL, NULL},
                                     {TARE_SAMPLE_BENCH, "f32[256,300]", "factor=0.5", NULL},
                                     {TARE_SAMPLE_REJECT, "u8[3]", NULL, "need float32 or float64"},
                                     {TARE_SAMPLE_REJECT, "f32[3]", "factor=x", "factor is 'x'"}},
    .n_samples = 7,
    .tolerance = 2e-7, /* the factor and the product are rounded */
};

const tare_op tare_op_accumulate = {
    .name = "accumulate",
    .doc = "sum = a + b, in the storage of a where it may; a, b, sum [...]",
    .n_in = 2,
    .n_out = 1,
    .infer = tare__infer_same,
    .gradient = add_gradient,
    .overwrites = {1},
    .variants =
        (const tare_variant[]){TARE_NATIVE(add, "", .dtypes = TARE_BIT(TARE_F32), .prepare = tare__prepare_pointwise),
                               TARE_NATIVE(add_broadcast, "strided_", .dtypes = TARE_BIT(TARE_F32),
                                           .in_strides = {TARE_STRIDES_ANY, TARE_STRIDES_ANY},
                                           .prepare = prepare_broadcast),
                               TARE_REFERENCE(add_reference, .in_strides = {TARE_STRIDES_ANY, TARE_STRIDES_ANY},
                                              .prepare = prepare_broadcast)},
    .n_variants = 2 * TARE_N_NATIVE + 1,
    .samples = (const tare_sample[]){{TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5]", NULL, NULL},
                                     {TARE_SAMPLE_CHECK, "f32[] f32[]", NULL, NULL},
                                     {TARE_SAMPLE_CHECK, "f32[0,4] f32[0,4]", NULL, NULL},
                                     {TARE_SAMPLE_CHECK, "f32[16385] f32[16385]", NULL, NULL},
                                     {TARE_SAMPLE_BENCH, "f32[256,300] f32[256,300]", NULL, NULL},
                                     {TARE_SAMPLE_REJECT, "f32[3] f32[4]", NULL, "shapes differ: [3] and [4]"}},
    .n_samples = 6,
};

#endif
