/* broadcast.h - operands of any strides beside a contiguous output: the geometry, the walk over its rows, and kernels
 * from a formula.
 *
 * The output's dimensions are merged where every operand's strides allow it, innermost first, so that most
 * cases come down to one or two dimensions: same shape [n], scalar [n] with stride 0, row [m,n] with strides
 * (0,1), column [m,n] with strides (1,0). A piece is a flat range of the output; it is walked row by row, a row
 * being the innermost merged dimension. Invariant: at every moment offset[k] is the position in operand k of the
 * output element that stands next. */
#ifndef TARE_OPS_BROADCAST_H
#define TARE_OPS_BROADCAST_H

#include "pointwise.h"

/* Words of the geometry. g[0] and g[1] are as tare__prepare_pointwise leaves them. */
enum {
    TARE_WALK_OPERANDS = 3,                            /* the most */
    TARE_WALK_DIM = 2,                                 /* merged dimensions, innermost first; 1 beyond the last */
    TARE_WALK_STRIDE = TARE_WALK_DIM + TARE_RANK,      /* strides of operand 0, in the same order */
    TARE_WALK_STRIDE_1 = TARE_WALK_STRIDE + TARE_RANK, /* strides of operand 1 */
    TARE_WALK_STRIDE_2 = TARE_WALK_STRIDE_1 + TARE_RANK
};
#define TARE_WALK_WORDS(n) (TARE_WALK_STRIDE + (n)*TARE_RANK)

/* The geometry for n <= TARE_WALK_OPERANDS operands that broadcast to out, TARE_WALK_WORDS(n) words; an operand that is
 * NULL stands still. Pieces of TARE_CHUNK elements. */
void tare__prepare_walk(const tare_desc *out, const tare_desc_ref *operand, int n, tare_work *);

typedef struct {
    int64_t index[TARE_RANK];
    int64_t offset[TARE_WALK_OPERANDS];
} tare_walk;

/* To the output's element i, which exists, or to 0; n operands, a constant. */
static inline tare_walk tare_walk_to(const int64_t *g, int64_t i, const int n)
{
    tare_walk w = {0};
    for (int d = 0; i > 0; ++d) {
        int64_t dim = g[TARE_WALK_DIM + d];
        w.index[d] = i % dim;
        i /= dim;
        for (int k = 0; k < n; ++k)
            w.offset[k] += w.index[d] * g[TARE_WALK_STRIDE + k * TARE_RANK + d];
    }
    return w;
}

/* How many of the next `left` elements stand in the current row. */
static inline int64_t tare_walk_row(const tare_walk *w, const int64_t *g, int64_t left)
{
    int64_t row = g[TARE_WALK_DIM] - w->index[0];
    return row < left ? row : left;
}

/* `by` elements on in the current row, or, at its end, to the next one. */
static inline void tare_walk_on(tare_walk *w, const int64_t *g, int64_t by, const int n)
{
    for (int d = 0; d < TARE_RANK; ++d, by = 1) {
        const int64_t dim = g[TARE_WALK_DIM + d], *stride = g + TARE_WALK_STRIDE + d;
        w->index[d] += by;
        for (int k = 0; k < n; ++k)
            w->offset[k] += by * stride[k * TARE_RANK];
        if (w->index[d] < dim)
            return;
        w->index[d] = 0;
        for (int k = 0; k < n; ++k)
            w->offset[k] -= dim * stride[k * TARE_RANK];
    }
}

/* ---- kernels from a formula: TARE_BROADCAST_TO(type, name, function)
 * ------------------------------------------------- out[i] = function(a[i * sa], b[i * sb]), i < n: one loop for each
 * pair of ways to load. function(a, b) maps vectors of floats to output 0, which is of floats or a mask (`type`, as in
 * pointwise.h). */
#define TARE_ROW_LOOP(function, load_a, load_b)                                                                        \
    do {                                                                                                               \
        for (; i + TARE_LANES <= n; i += TARE_LANES)                                                                   \
            TARE_STORE(out + i, function(load_a(a, sa, TARE_LANES), load_b(b, sb, TARE_LANES)));                       \
        if (i < n)                                                                                                     \
            TARE_STORE_PART(out + i, function(load_a(a, sa, n - i), load_b(b, sb, n - i)), n - i);                     \
    } while (0)
#define TARE_LOAD_RUN(p, stride, m)  ((m) == TARE_LANES ? tare_load((p) + i) : tare_load_part((p) + i, m))
#define TARE_LOAD_SAME(p, stride, m) p##_all
#define TARE_LOAD_ANY(p, stride, m)  tare_load_strided((p) + i * (stride), stride, m)

#define TARE_BROADCAST_TO(type, name, function)                                                                        \
    static inline void name##_row(type *out, const float *a, int64_t sa, const float *b, int64_t sb, int64_t n)        \
    {                                                                                                                  \
        tare_vf a_all = tare_broadcast(*a), b_all = tare_broadcast(*b);                                                \
        int64_t i = 0;                                                                                                 \
        if (sa == 1 && sb == 1)                                                                                        \
            TARE_ROW_LOOP(function, TARE_LOAD_RUN, TARE_LOAD_RUN);                                                     \
        else if (sa == 1 && sb == 0)                                                                                   \
            TARE_ROW_LOOP(function, TARE_LOAD_RUN, TARE_LOAD_SAME);                                                    \
        else if (sa == 0 && sb == 1)                                                                                   \
            TARE_ROW_LOOP(function, TARE_LOAD_SAME, TARE_LOAD_RUN);                                                    \
        else                                                                                                           \
            TARE_ROW_LOOP(function, TARE_LOAD_ANY, TARE_LOAD_ANY);                                                     \
    }                                                                                                                  \
    TARE_KERNEL_DECLARE(name);                                                                                         \
    int TARE_KERNEL(name)(const tare_call *c, int piece, int worker)                                                   \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        const float *a = c->ptr[0], *b = c->ptr[1];                                                                    \
        type *out = c->ptr[2];                                                                                         \
        const int64_t *g = c->g;                                                                                       \
        int64_t i, end, n;                                                                                             \
        tare_piece_range(c, piece, &i, &end);                                                                          \
        for (tare_walk w = tare_walk_to(g, i, 2); i < end; i += n) {                                                   \
            n = tare_walk_row(&w, g, end - i);                                                                         \
            name##_row(out + i, a + w.offset[0], g[TARE_WALK_STRIDE], b + w.offset[1], g[TARE_WALK_STRIDE_1], n);      \
            if (i + n < end)                                                                                           \
                tare_walk_on(&w, g, n, 2);                                                                             \
        }                                                                                                              \
        return 0;                                                                                                      \
    }

/* The kernels of an operator of two inputs: name and name_broadcast, from name_of. */
#define TARE_BROADCAST_KERNELS_TO(type, name)                                                                          \
    TARE_POINTWISE_TO(type, name, 2, 0, name##_of)                                                                     \
    TARE_BROADCAST_TO(type, name##_broadcast, name##_of)
#define TARE_BROADCAST_KERNELS(name) TARE_BROADCAST_KERNELS_TO(float, name)

/* ---- the same of three operands: TARE_BROADCAST_3(first, name, function)
 * ---------------------------------------------- The first is of floats or a mask (`first`), the others are of floats.
 * Loads ask for their stride each time. */
static inline tare_vf tare_load_at(const float *p, int64_t stride, int64_t i, int64_t n)
{
    if (stride == 1)
        return n >= TARE_LANES ? tare_load(p + i) : tare_load_part(p + i, n);
    if (stride != 0)
        return tare_load_strided(p + i * stride, stride, n < TARE_LANES ? n : TARE_LANES);
    int32_t bits; /* which pass unchanged: they need not be a float's */
    memcpy(&bits, p, sizeof bits);
    return (tare_vf)(bits + (tare_vi){0});
}

static inline tare_vi tare_load_mask_at(const uint8_t *p, int64_t stride, int64_t i, int64_t n)
{
    if (stride == 1)
        return tare_load_mask(p + i, n);
    uint8_t lane[TARE_LANES] = {0};
    for (int64_t l = 0; l < TARE_LANES && l < n; ++l)
        lane[l] = p[(i + l) * stride];
    return tare_load_mask(lane, TARE_LANES);
}

#define TARE_LOAD_FIRST(p, stride, i, n)                                                                               \
    _Generic((p), const float * : tare_load_at, const uint8_t * : tare_load_mask_at)(p, stride, i, n)

/* Of an operand that is NULL every element is 0. */
#define TARE_BROADCAST_3(first, name, function)                                                                        \
    TARE_KERNEL_DECLARE(name);                                                                                         \
    int TARE_KERNEL(name)(const tare_call *c, int piece, int worker)                                                   \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        static const float zero;                                                                                       \
        const first *p = c->ptr[0];                                                                                    \
        const float *a = c->ptr[1] ? c->ptr[1] : &zero, *b = c->ptr[2] ? c->ptr[2] : &zero;                            \
        float *out = c->ptr[3];                                                                                        \
        const int64_t *g = c->g, sp = g[TARE_WALK_STRIDE], sa = g[TARE_WALK_STRIDE_1], sb = g[TARE_WALK_STRIDE_2];     \
        int64_t i, end, n;                                                                                             \
        tare_piece_range(c, piece, &i, &end);                                                                          \
        for (tare_walk w = tare_walk_to(g, i, 3); i < end; i += n) {                                                   \
            const first *p_row = p + w.offset[0];                                                                      \
            const float *a_row = a + w.offset[1], *b_row = b + w.offset[2];                                            \
            n = tare_walk_row(&w, g, end - i);                                                                         \
            for (int64_t k = 0; k < n; k += TARE_LANES) {                                                              \
                tare_vf y = function(TARE_LOAD_FIRST(p_row, sp, k, n - k), tare_load_at(a_row, sa, k, n - k),          \
                                     tare_load_at(b_row, sb, k, n - k));                                               \
                if (n - k >= TARE_LANES)                                                                               \
                    tare_store(out + i + k, y);                                                                        \
                else                                                                                                   \
                    tare_store_part(out + i + k, y, n - k);                                                            \
            }                                                                                                          \
            if (i + n < end)                                                                                           \
                tare_walk_on(&w, g, n, 3);                                                                             \
        }                                                                                                              \
        return 0;                                                                                                      \
    }

/* ---- what records of broadcasting operators share
 * -------------------------------------------------------------------*/
/* Geometry for all inputs, and for output 0. */
void tare__prepare_broadcast(const tare_args *, const tare_desc_ref *out, tare_work *);
/* The dtypes of inputs 0 and 1 are one of `dtypes` and the same; output 0 is what they broadcast to, of their dtype. */
tare_status tare__infer_broadcast(const tare_args *, const tare_desc_out *out, uint32_t dtypes);
/* The inputs have one shape, so that the plain pointwise kernel takes them. */
bool tare__fits_same(const tare_args *);
/* dy summed along the axes that x was broadcast over, and that added to the gradient of input i. */
tare_value *tare__sum_like(tare_mode *, tare_value *dy, tare_value *x);
void tare__contribute_like(tare_builder *, int i, tare_value *dy);

/* The reference of two operands: a double function of doubles. */
#define TARE_BROADCAST_REFERENCE(name, function)                                                                       \
    static int name(const tare_call *c, int piece, int worker)                                                         \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        const int64_t *g = c->g;                                                                                       \
        int64_t i, end;                                                                                                \
        tare_piece_range(c, piece, &i, &end);                                                                          \
        for (tare_walk w = tare_walk_to(g, i, 2); i < end; ++i) {                                                      \
            double a = tare_at(c->ptr[0], g[1], w.offset[0]), b = tare_at(c->ptr[1], g[1], w.offset[1]);               \
            tare_put(c->ptr[2], g[1], i, function(a, b));                                                              \
            tare_walk_on(&w, g, 1, 2);                                                                                 \
        }                                                                                                              \
        return 0;                                                                                                      \
    }

#define TARE_ANY_STRIDES .in_strides = {TARE_STRIDES_ANY, TARE_STRIDES_ANY, TARE_STRIDES_ANY}

/* The variants of an operator of two inputs: name for one shape, name_broadcast for all else, for float32, and
 * name_reference for `dtypes`, prepared on its own. */
#define TARE_BROADCAST_VARIANTS(name_, dtypes_, prepare_)                                                              \
    .variants = (const tare_variant[]){TARE_NATIVE(name_, "", .dtypes = TARE_BIT(TARE_F32), .fits = tare__fits_same,   \
                                                   .elementwise = UINT32_MAX, .prepare = tare__prepare_pointwise),     \
                                       TARE_NATIVE(name_##_broadcast, "broadcast_", .dtypes = TARE_BIT(TARE_F32),      \
                                                   TARE_ANY_STRIDES, .elementwise = UINT32_MAX,                        \
                                                   .prepare = tare__prepare_broadcast),                                \
                                       {.name = "reference",                                                           \
                                        .set = TARE_SET_REFERENCE,                                                     \
                                        .dtypes = dtypes_,                                                             \
                                        TARE_ANY_STRIDES,                                                              \
                                        .elementwise = UINT32_MAX,                                                     \
                                        .prepare = prepare_,                                                           \
                                        .run = name_##_reference}},                                                    \
    .n_variants = 2 * TARE_N_NATIVE + 1

enum { TARE_FLOATS = TARE_BIT(TARE_F32) | TARE_BIT(TARE_F64) };

#define TARE_BROADCAST_SAMPLES                                                                                         \
    {TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5]", NULL, NULL}, {TARE_SAMPLE_CHECK, "f32[] f32[]", NULL, NULL},              \
        {TARE_SAMPLE_CHECK, "f32[0,4] f32[4]", NULL, NULL}, {TARE_SAMPLE_CHECK, "f32[16385] f32[16385]", NULL, NULL},  \
        {TARE_SAMPLE_CHECK, "f32[7,33] f32[]", NULL, NULL}, {TARE_SAMPLE_CHECK, "f32[1,1] f32[31]", NULL, NULL},       \
        {TARE_SAMPLE_CHECK, "f32[130,131] f32[131]", NULL, NULL},                                                      \
        {TARE_SAMPLE_CHECK, "f32[130,1] f32[130,131]", NULL, NULL},                                                    \
        {TARE_SAMPLE_CHECK, "f32[15,1] f32[1,17]", NULL, NULL},                                                        \
        {TARE_SAMPLE_CHECK, "f32[2,1,3,1,2,1] f32[1,2,1,3,1,17]", NULL, NULL},                                         \
        {TARE_SAMPLE_BENCH, "f32[16] f32[16]", NULL, NULL},                                                            \
        {TARE_SAMPLE_BENCH, "f32[256,300] f32[256,300]", NULL, NULL},                                                  \
        {TARE_SAMPLE_BENCH, "f32[256,300] f32[300]", NULL, NULL},                                                      \
        {TARE_SAMPLE_BENCH, "f32[256,300] f32[256,1]", NULL, NULL},                                                    \
        {TARE_SAMPLE_REJECT, "f32[3,4] f32[5]", NULL, "shapes do not broadcast: [3,4] and [5]"},                       \
        {TARE_SAMPLE_REJECT, "f32[3] f64[3]", NULL, "input 1 is float64, input 0 is float32"},

/* The record of an operator of two floating inputs, its reference after name_at; further fields follow. */
#define TARE_BROADCAST_RECORD(name_, doc_, samples_, ...)                                                              \
    TARE_BROADCAST_REFERENCE(name_##_reference, name_##_at)                                                            \
    const tare_op tare_op_##name_ = {.name = #name_,                                                                   \
                                     .doc = doc_,                                                                      \
                                     .n_in = 2,                                                                        \
                                     .n_out = 1,                                                                       \
                                     .infer = tare__infer_broadcast_floats,                                            \
                                     .overwrites = {1},                                                                \
                                     TARE_BROADCAST_VARIANTS(name_, TARE_FLOATS, tare__prepare_broadcast),             \
                                     TARE_TABLE(samples, samples_),                                                    \
                                     __VA_ARGS__}
tare_status tare__infer_broadcast_floats(const tare_args *, const tare_desc_out *out);

#endif
