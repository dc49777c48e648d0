/* clip.c - the two numbers of clipping by global norm: the sum of squares of a tensor, and the common factor.
 *
 * A sum runs in blocks of 16 lanes; after 32 of them the lanes are added pairwise and go to a float64. A piece is
 * TARE_CHUNK elements; the pieces' sums are added in their order. So the bits are a function of the elements alone. */
#include <math.h>

#include "rows.h"

enum { STEPS = 32 };

/* sum of x[i]^2, i < n */
static inline double squares(const float *x, int64_t n)
{
    double total = 0;
    while (n > 0) {
        tare_block sum = tare_block_of(0);
        for (int step = 0; step < STEPS && n > 0; ++step, x += TARE_BLOCK, n -= TARE_BLOCK) {
            tare_block b = tare_block_load(x, n, 0);
            for (int k = 0; k < TARE_BLOCK_VECTORS; ++k)
                sum.v[k] += b.v[k] * b.v[k];
        }
        total += (double)tare_block_sum(sum);
    }
    return total;
}

/* Where a piece's sum goes: a cache line each, so that pieces do not share one. */
enum { LINE = TARE_ALIGNMENT / sizeof(double) };

TARE_KERNEL_DECLARE(sum_of_squares);
int TARE_KERNEL(sum_of_squares)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const float *x = c->ptr[0];
    int64_t i, end;
    tare_piece_range(c, piece, &i, &end);
    double sum = squares(x + i, end - i);
    if (c->n_pieces > 1)
        ((double *)c->ptr[2])[LINE * piece] = sum;
    else
        *(float *)c->ptr[1] = (float)sum;
    return 0;
}

#ifdef TARE_PASS_RECORDS

static int sum_of_squares_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    double sum = 0;
    int64_t i, end;
    for (tare_piece_range(c, piece, &i, &end); i < end; ++i)
        sum += tare_at(c->ptr[0], c->g[1], i) * tare_at(c->ptr[0], c->g[1], i);
    if (c->n_pieces > 1)
        ((double *)c->ptr[2])[LINE * piece] = sum;
    else
        tare_put(c->ptr[1], c->g[1], 0, sum);
    return 0;
}

static int sum_of_squares_combine(const tare_call *c, int piece, int worker)
{
    (void)piece, (void)worker;
    if (c->n_pieces == 1)
        return 0;
    double sum = 0;
    for (int k = 0; k < c->n_pieces; ++k)
        sum += ((const double *)c->ptr[2])[LINE * k];
    tare_put(c->ptr[1], c->g[1], 0, sum);
    return 0;
}

/* factor = min(1, max_norm / (sqrt(total) + 1e-6)); a NaN passes */
static int clip_factor_reference(const tare_call *c, int piece, int worker)
{
    (void)piece, (void)worker;
    double factor = tare_at(c->ptr[1], c->g[1], 0) / (sqrt(tare_at(c->ptr[0], c->g[1], 0)) + 1e-6);
    tare_put(c->ptr[2], c->g[1], 0, factor > 1 ? 1 : factor);
    return 0;
}

static void prepare_squares(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)out;
    tare__prepare_pointwise(a, a->in, w);
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

static tare_status infer_factor(const tare_args *a, const tare_desc_out *out)
{
    static const char *const name[] = {"the total", "the largest norm"};
    char text[TARE_DESC_TEXT];
    for (int i = 0; i < 2; ++i)
        if (a->in[i]->rank != 0)
            return tare_op_error(a, TARE_BAD_SHAPE, "%s is %s (need [])", name[i], tare_desc_text(a->in[i], text));
    return tare__infer_same(a, out);
}

static void squares_gradient(tare_builder *b)
{
    tare_value *twice = tare_scale(b->mode, tare_head(b, 0), (tare_scale_attr){2});
    tare_contribute(b, 0, tare_mul(b->mode, tare_input(b, 0), twice));
}

const tare_op tare_op_sum_of_squares = {
    .name = "sum_of_squares",
    .doc = "y = sum of x^2 over all elements; x [...], y []",
    .n_in = 1,
    .n_out = 1,
    .infer = infer_squares,
    .gradient = squares_gradient,
    .needs_in = 1,
    .variants = (const tare_variant[]){TARE_NATIVE(sum_of_squares, "", .dtypes = TARE_BIT(TARE_F32),
                                                   .prepare = prepare_squares, .combine = sum_of_squares_combine),
                                       TARE_REFERENCE(sum_of_squares_reference, .prepare = prepare_squares,
                                                      .combine = sum_of_squares_combine)},
    .n_variants = TARE_N_NATIVE + 1,
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "f32[3,5]", NULL, NULL}, {TARE_SAMPLE_CHECK, "f32[]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[513]<-9,9>", NULL, NULL}, {TARE_SAMPLE_CHECK, "f32[40003]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[0,4]", NULL, NULL}, {TARE_SAMPLE_BENCH, "f32[16]", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "f32[256,300]", NULL, NULL},
                 {TARE_SAMPLE_REJECT, "i32[3]", NULL, "input 0 is int32 (need float32 or float64)"}),
    .tolerance = 1e-6,
};

const tare_op tare_op_clip_factor = {
    .name = "clip_factor",
    .doc = "factor = min(1, max_norm / (sqrt(total) + 1e-6)); total, max_norm, factor []. total: the sum of squares of "
           "all gradients (torch.nn.utils.clip_grad_norm_)",
    .n_in = 2,
    .n_out = 1,
    .infer = infer_factor,
    .not_differentiable = true,
    .overwrites = {1},
    .variants = (const tare_variant[]){TARE_REFERENCE(clip_factor_reference, .prepare = tare__prepare_pointwise)},
    .n_variants = 1,
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "f32[]<0,100> f32[]<0,10>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[]<100,1000> f32[]<0,1>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[]<0,1e-30> f32[]<0,1>", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "f32[]<0,100> f32[]<0,10>", NULL, NULL},
                 {TARE_SAMPLE_REJECT, "f32[1] f32[]", NULL, "the total is [1] (need [])"},
                 {TARE_SAMPLE_REJECT, "f32[] f32[2]", NULL, "the largest norm is [2] (need [])"},
                 {TARE_SAMPLE_REJECT, "f32[] f64[]", NULL, "input 1 is float64, input 0 is float32 (need one dtype)"}),
    .tolerance = 1e-7,
};

#endif
