/* comparison.c - a and b compared element by element: a mask of bytes, 1 where it holds, else 0.
 *
 * A mask is uint8, as what backward keeps of a draw is: a quarter of a float's memory. `where` reads it; `cast` makes
 * numbers of it. Comparisons with NaN are false, but not_equal. No gradient passes. */
#include "broadcast.h"

#define COMPARISON_KERNELS(name, sign)                                                                                 \
    static inline tare_vi name##_of(tare_vf a, tare_vf b)                                                              \
    {                                                                                                                  \
        return a sign b;                                                                                               \
    }                                                                                                                  \
    TARE_BROADCAST_KERNELS_TO(uint8_t, name)
COMPARISON_KERNELS(equal, ==)
COMPARISON_KERNELS(not_equal, !=)
COMPARISON_KERNELS(less, <)
COMPARISON_KERNELS(less_equal, <=)
COMPARISON_KERNELS(greater, >)
COMPARISON_KERNELS(greater_equal, >=)

#ifdef TARE_PASS_RECORDS

/* How two numbers stand to each other. */
enum { LESS = 1, EQUAL = 2, GREATER = 4, UNORDERED = 8 };

#define ORDER_OF(type)                                                                                                 \
    {                                                                                                                  \
        type x = ((const type *)a)[i], y = ((const type *)b)[j];                                                       \
        return x < y ? LESS : x > y ? GREATER : x == y ? EQUAL : UNORDERED;                                            \
    }
static int order_of(const void *a, int64_t i, const void *b, int64_t j, int64_t dtype)
{
    switch (dtype) {
    case TARE_F32:
        ORDER_OF(float)
    case TARE_F64:
        ORDER_OF(double)
    case TARE_I32:
        ORDER_OF(int32_t)
    case TARE_I64:
        ORDER_OF(int64_t)
    default:
        ORDER_OF(uint8_t)
    }
}

enum { G_DTYPE = TARE_WALK_WORDS(2), G_WORDS };

static int compare(const tare_call *c, int piece, int orders)
{
    const int64_t *g = c->g;
    uint8_t *out = c->ptr[2];
    int64_t i, end;
    tare_piece_range(c, piece, &i, &end);
    for (tare_walk w = tare_walk_to(g, i, 2); i < end; ++i) {
        out[i] = (orders & order_of(c->ptr[0], w.offset[0], c->ptr[1], w.offset[1], g[G_DTYPE])) != 0;
        tare_walk_on(&w, g, 1, 2);
    }
    return 0;
}

static void prepare_comparison(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    tare__prepare_broadcast(a, out, w);
    w->g[G_DTYPE] = a->in[0]->dtype;
    w->n_g = G_WORDS;
}

enum { NUMBERS = TARE_FLOATS | TARE_BIT(TARE_I32) | TARE_BIT(TARE_I64) | TARE_BIT(TARE_U8) };

static tare_status infer_comparison(const tare_args *a, const tare_desc_out *out)
{
    tare_status status = tare__infer_broadcast(a, out, NUMBERS);
    out[0]->dtype = TARE_U8;
    return status;
}

/* few distinct integers, so that some are equal */
static const tare_sample comparison_samples[] = {
    TARE_BROADCAST_SAMPLES{TARE_SAMPLE_CHECK, "i32[4,9]<-2,2> i32[9]<-2,2>", NULL, NULL},
    {TARE_SAMPLE_CHECK, "i64[40]<-2,2> i64[]<-2,2>", NULL, NULL},
    {TARE_SAMPLE_CHECK, "u8[2,20]<0,3> u8[2,1]<0,3>", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f64[40]<-2,2> f64[40]<-2,2>", NULL, NULL},
};

#define COMPARISON_RECORD(name_, sign, orders)                                                                         \
    static int name_##_reference(const tare_call *c, int piece, int worker)                                            \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        return compare(c, piece, orders);                                                                              \
    }                                                                                                                  \
    const tare_op tare_op_##name_ = {                                                                                  \
        .name = #name_,                                                                                                \
        .doc = "y = 1 where a " sign " b, else 0; a, b of one dtype broadcast to y uint8 [...] as in NumPy. Not "      \
               "differentiable",                                                                                       \
        .n_in = 2,                                                                                                     \
        .n_out = 1,                                                                                                    \
        .infer = infer_comparison,                                                                                     \
        .not_differentiable = true,                                                                                    \
        .stops_gradient = true,                                                                                        \
        TARE_BROADCAST_VARIANTS(name_, NUMBERS, prepare_comparison),                                                   \
        TARE_TABLE(samples, comparison_samples),                                                                       \
    }
COMPARISON_RECORD(equal, "=", EQUAL);
COMPARISON_RECORD(not_equal, "!=", LESS | GREATER | UNORDERED);
COMPARISON_RECORD(less, "<", LESS);
COMPARISON_RECORD(less_equal, "<=", LESS | EQUAL);
COMPARISON_RECORD(greater, ">", GREATER);
COMPARISON_RECORD(greater_equal, ">=", GREATER | EQUAL);

#endif
