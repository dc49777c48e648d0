/* operator.c - a new operator as a plug-in: y = x / (1 + |x|), with its gradient and kernels.
 *
 *     tare check ./operator.c                          every test that follows from the two records
 *     tare agree mlp --plugin ./operator.c             with it in the catalogue
 *
 * From a record follow both modes, the gradient in both, the memory plan, the tests and the micro-benchmarks. */
#include <math.h>
#include <tare/tare.h>

enum { CHUNK = 16384 }; /* elements a piece: cut by the shape alone, so no bit depends on the number of threads */

/* Every input is floating and of one shape and dtype; the output is like them. */
static tare_status infer(const tare_args *a, const tare_desc_out *out)
{
    const tare_desc *x = a->in[0];
    if (x->dtype != TARE_F32 && x->dtype != TARE_F64)
        return tare_op_error(a, TARE_BAD_DTYPE, "input 0 is %s (need float32 or float64)",
                             tare_dtype_name((tare_dtype)x->dtype));
    for (int i = 1; i < a->n_in; ++i)
        if (a->in[i]->dtype != x->dtype || !tare_desc_same_shape(a->in[i], x))
            return tare_op_error(a, TARE_BAD_SHAPE, "input %d is not like input 0", i);
    tare_desc_like(out[0], x);
    return TARE_OK;
}

/* What the kernels read: how many elements, of which dtype. */
static void prepare(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)a;
    w->g[0] = tare_desc_count(out[0]);
    w->g[1] = out[0]->dtype;
    w->n_g = 2;
    w->n_pieces = (int32_t)(w->g[0] / CHUNK) + 1;
}

static int64_t end_of(const tare_call *c, int piece)
{
    return piece + 1 == c->n_pieces ? c->g[0] : (int64_t)(piece + 1) * CHUNK;
}

/* y = x / (1 + |x|) */
static int squash(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const float *x = c->ptr[0];
    float *y = c->ptr[1];
    for (int64_t i = (int64_t)piece * CHUNK; i < end_of(c, piece); ++i)
        y[i] = x[i] / (1 + fabsf(x[i]));
    return 0;
}

/* dx = dy (1 - |y|)^2 */
static int squash_grad(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const float *dy = c->ptr[0], *y = c->ptr[1];
    float *dx = c->ptr[2];
    for (int64_t i = (int64_t)piece * CHUNK; i < end_of(c, piece); ++i)
        dx[i] = dy[i] * ((1 - fabsf(y[i])) * (1 - fabsf(y[i])));
    return 0;
}

/* The references: plain loops in float64 whatever the dtype. Each test holds the other kernels against them. */
static double at(const tare_call *c, int operand, int64_t i)
{
    return c->g[1] == TARE_F64 ? ((const double *)c->ptr[operand])[i] : (double)((const float *)c->ptr[operand])[i];
}
static void put(const tare_call *c, int operand, int64_t i, double value)
{
    if (c->g[1] == TARE_F64)
        ((double *)c->ptr[operand])[i] = value;
    else
        ((float *)c->ptr[operand])[i] = (float)value;
}
static int squash_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    for (int64_t i = (int64_t)piece * CHUNK; i < end_of(c, piece); ++i)
        put(c, 1, i, at(c, 0, i) / (1 + fabs(at(c, 0, i))));
    return 0;
}
static int squash_grad_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    for (int64_t i = (int64_t)piece * CHUNK; i < end_of(c, piece); ++i)
        put(c, 2, i, at(c, 0, i) * pow(1 - fabs(at(c, 1, i)), 2));
    return 0;
}

#define KERNELS(native, reference)                                                                                     \
    .variants =                                                                                                        \
        (const tare_variant[]){{.name = "native", .dtypes = TARE_BIT(TARE_F32), .prepare = prepare, .run = native},    \
                               {.name = "reference",                                                                   \
                                .set = TARE_SET_REFERENCE,                                                             \
                                .dtypes = TARE_BIT(TARE_F32) | TARE_BIT(TARE_F64),                                     \
                                .prepare = prepare,                                                                    \
                                .run = reference}},                                                                    \
    .n_variants = 2

static const tare_op squash_grad_op = {
    .name = "squash_grad",
    .doc = "dx = dy (1 - |y|)^2; dy, y, dx [...]",
    .n_in = 2,
    .n_out = 1,
    .infer = infer,
    .not_differentiable = true,
    .overwrites = {1}, /* dx may take dy's storage */
    KERNELS(squash_grad, squash_grad_reference),
    .samples = (const tare_sample[]){{TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5]", NULL, NULL},
                                     {TARE_SAMPLE_BENCH, "f32[256,300] f32[256,300]", NULL, NULL},
                                     {TARE_SAMPLE_REJECT, "f32[3] f32[4]", NULL, "input 1 is not like input 0"}},
    .n_samples = 3,
    .tolerance = 1e-6,
};

/* A gradient is written with operators. It reads y and not x (needs_out), so that x may go as soon as y is there. */
static void gradient(tare_builder *b)
{
    tare_value *const in[] = {tare_head(b, 0), tare_output(b, 0)};
    tare_contribute(b, 0, tare_apply1(b->mode, &squash_grad_op, NULL, in, 2));
}

static const tare_op squash_op = {
    .name = "squash",
    .doc = "y = x / (1 + |x|); x, y [...]",
    .n_in = 1,
    .n_out = 1,
    .infer = infer,
    .gradient = gradient,
    .needs_out = 1,
    .overwrites = {1}, /* y may take x's storage */
    KERNELS(squash, squash_reference),
    .samples = (const tare_sample[]){{TARE_SAMPLE_CHECK, "f32[3,5]", NULL, NULL},
                                     {TARE_SAMPLE_CHECK, "f32[16385]", NULL, NULL},
                                     {TARE_SAMPLE_CHECK, "f32[0,4]", NULL, NULL},
                                     {TARE_SAMPLE_BENCH, "f32[256,300]", NULL, NULL},
                                     {TARE_SAMPLE_REJECT, "i32[3]", NULL, "need float32 or float64"}},
    .n_samples = 5,
    .tolerance = 1e-6,
};

TARE_PLUGIN("squash", {TARE_KIND_OPERATOR, &squash_op}, {TARE_KIND_OPERATOR, &squash_grad_op})
