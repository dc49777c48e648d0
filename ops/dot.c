/* dot.c - the dot product of two vectors, and the sum of squares of a tensor, which is its product with itself.
 *
 * A sum runs in blocks of 16 lanes; after 32 of them the lanes are added pairwise and go to a float64. A piece is
 * TARE_CHUNK elements; the pieces' sums are added in their order. So the bits are a function of the elements alone. */
#include <math.h>

#include "rows.h"

enum { STEPS = 32, G_OUT = 2, G_WORDS }; /* g[G_OUT]: the output's index; the pieces' scratch follows it */

/* sum of x[i] y[i], i < n; y may be x */
static inline __attribute__((always_inline)) double products(const float *x, const float *y, int64_t n)
{
    double total = 0;
    while (n > 0) {
        tare_block sum = tare_block_of(0);
        for (int step = 0; step < STEPS && n > 0; ++step, x += TARE_BLOCK, y += TARE_BLOCK, n -= TARE_BLOCK) {
            tare_block a = tare_block_load(x, n, 0), b = tare_block_load(y, n, 0);
            for (int k = 0; k < TARE_BLOCK_VECTORS; ++k)
                sum.v[k] += a.v[k] * b.v[k];
        }
        total += (double)tare_block_sum(sum);
    }
    return total;
}

/* Where a piece's sum goes: a cache line each, so that pieces do not share one. */
enum { LINE = TARE_ALIGNMENT / sizeof(double) };

static inline void keep(const tare_call *c, int piece, double sum)
{
    int64_t out = c->g[G_OUT];
    if (c->n_pieces > 1)
        ((double *)c->ptr[out + 1])[LINE * piece] = sum;
    else
        tare_put(c->ptr[out], c->g[1], 0, sum);
}

TARE_KERNEL_DECLARE(sum_of_squares);
int TARE_KERNEL(sum_of_squares)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const float *x = c->ptr[0];
    int64_t i, end;
    tare_piece_range(c, piece, &i, &end);
    keep(c, piece, products(x + i, x + i, end - i));
    return 0;
}

TARE_KERNEL_DECLARE(dot);
int TARE_KERNEL(dot)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const float *x = c->ptr[0], *y = c->ptr[1];
    int64_t i, end;
    tare_piece_range(c, piece, &i, &end);
    keep(c, piece, products(x + i, y + i, end - i));
    return 0;
}

#ifdef TARE_PASS_RECORDS

static void reference(const tare_call *c, const void *x, const void *y, int piece)
{
    double sum = 0;
    int64_t i, end;
    for (tare_piece_range(c, piece, &i, &end); i < end; ++i)
        sum += tare_at(x, c->g[1], i) * tare_at(y, c->g[1], i);
    keep(c, piece, sum);
}

static int sum_of_squares_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    reference(c, c->ptr[0], c->ptr[0], piece);
    return 0;
}

static int dot_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    reference(c, c->ptr[0], c->ptr[1], piece);
    return 0;
}

static int combine(const tare_call *c, int piece, int worker)
{
    (void)piece, (void)worker;
    const int64_t out = c->g[G_OUT];
    double sum = 0;
    for (int k = 0; c->n_pieces > 1 && k < c->n_pieces; ++k)
        sum += ((const double *)c->ptr[out + 1])[LINE * k];
    if (c->n_pieces > 1)
        tare_put(c->ptr[out], c->g[1], 0, sum);
    return 0;
}

static void prepare(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)out;
    tare__prepare_pointwise(a, a->in, w);
    w->g[G_OUT] = a->n_in;
    w->n_g = G_WORDS;
    if (w->n_pieces > 1)
        w->piece_bytes = LINE * sizeof(double);
}

static tare_status infer_squares(const tare_args *a, const tare_desc_out *out)
{
    const tare_desc *x = a->in[0];
    if (x->dtype != TARE_F32 && x->dtype != TARE_F64)
        return tare_op_error(a, TARE_BAD_DTYPE, "input 0 is %s (need float32 or float64)",
                             tare_dtype_name((tare_dtype)x->dtype));
    *out[0] = tare_desc_of((tare_dtype)x->dtype, 0, NULL);
    return TARE_OK;
}

static tare_status infer_dot(const tare_args *a, const tare_desc_out *out)
{
    char text[TARE_DESC_TEXT];
    tare_desc same;
    tare_status status = tare__infer_same(a, (const tare_desc_out[]){&same});
    if (status == TARE_OK && same.rank != 1)
        status = tare_op_error(a, TARE_BAD_SHAPE, "inputs are %s (need two vectors)", tare_desc_text(&same, text));
    if (status == TARE_OK)
        *out[0] = tare_desc_of((tare_dtype)same.dtype, 0, NULL);
    return status;
}

static void squares_gradient(tare_builder *b)
{
    tare_value *twice = tare_scale(b->mode, tare_head(b, 0), (tare_scale_attr){2});
    tare_contribute(b, 0, tare_mul(b->mode, tare_input(b, 0), twice));
}

static void dot_gradient(tare_builder *b)
{
    for (int i = 0; i < 2; ++i)
        if (tare_wanted(b, i))
            tare_contribute(b, i, tare_mul(b->mode, tare_input(b, 1 - i), tare_head(b, 0)));
}

static double dot_flops(const tare_args *a, const tare_desc_ref *out)
{
    (void)out;
    return 2.0 * (double)tare_desc_count(a->in[0]);
}

#define VARIANTS(kernel)                                                                                               \
    .variants = (const tare_variant[]){TARE_NATIVE(kernel, "", .dtypes = TARE_BIT(TARE_F32), .prepare = prepare,       \
                                                   .combine = combine),                                                \
                                       TARE_REFERENCE(kernel##_reference, .prepare = prepare, .combine = combine)},    \
    .n_variants = TARE_N_NATIVE + 1, .tolerance = 1e-6

const tare_op tare_op_sum_of_squares = {
    .name = "sum_of_squares",
    .doc = "y = sum of x^2 over all elements; x [...], y []",
    .n_in = 1,
    .n_out = 1,
    .infer = infer_squares,
    .gradient = squares_gradient,
    .needs_in = 1,
    VARIANTS(sum_of_squares),
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "f32[3,5]", NULL, NULL}, {TARE_SAMPLE_CHECK, "f32[]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[513]<-9,9>", NULL, NULL}, {TARE_SAMPLE_CHECK, "f32[40003]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[0,4]", NULL, NULL}, {TARE_SAMPLE_BENCH, "f32[16]", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "f32[256,300]", NULL, NULL},
                 {TARE_SAMPLE_REJECT, "i32[3]", NULL, "input 0 is int32 (need float32 or float64)"}),
};

const tare_op tare_op_dot = {
    .name = "dot",
    .doc = "y = sum of a[n] b[n]; a, b [N], y []",
    .n_in = 2,
    .n_out = 1,
    .infer = infer_dot,
    .gradient = dot_gradient,
    .needs_in = 3,
    .flops = dot_flops,
    VARIANTS(dot),
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "f32[5] f32[5]", NULL, NULL}, {TARE_SAMPLE_CHECK, "f32[1] f32[1]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[513]<0,9> f32[513]<0,1>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[40003]<0,1> f32[40003]<0,1>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[0] f32[0]", NULL, NULL}, {TARE_SAMPLE_BENCH, "f32[16] f32[16]", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "f32[76800] f32[76800]", NULL, NULL},
                 {TARE_SAMPLE_REJECT, "f32[3] f32[4]", NULL, "shapes differ: [3] and [4]"},
                 {TARE_SAMPLE_REJECT, "f32[3,1] f32[3,1]", NULL, "inputs are [3,1] (need two vectors)"},
                 {TARE_SAMPLE_REJECT, "f32[3] f64[3]", NULL, "need one dtype"}),
};

#endif
