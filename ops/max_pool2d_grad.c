/* max_pool2d_grad.c - the gradient of max_pool2d: each dy goes to where the maximum of its window stood.
 *
 * dx is zeros, then every window adds its dy where its index says: one addition a window, in the order of the windows.
 * Indices are data: any that lies in the plane counts, whichever windows there were. What comes later of dy and the
 * indices, and the next plane of dx, is asked for meanwhile. A piece is a group of planes. */
#include "pool2d.h"

#ifdef TARE_PASS_RECORDS

static int scatter(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g, size = g[G_H] * g[G_W], out_size = g[G_OUT_H] * g[G_OUT_W];
    int bad = 0;
    for (planes p = planes_of(c, piece); p.plane < p.end; ++p.plane) {
        const float *dy = (const float *)c->ptr[0] + p.plane * out_size;        /* [N,C,OH,OW] */
        const int32_t *index = (const int32_t *)c->ptr[1] + p.plane * out_size; /* the same */
        float *dx = (float *)c->ptr[3] + p.plane * size;                        /* [N,C,H,W] */
        memset(dx, 0, (size_t)size * sizeof *dx);
        for (int64_t o = 0; o < out_size;) {
            __builtin_prefetch(dy + o + LATER / 2);
            __builtin_prefetch(index + o + LATER / 2);
            __builtin_prefetch(dx + size + o, 1);
            for (const int64_t end = out_size - o < LINE ? out_size : o + LINE; o < end; ++o) {
                if (index[o] >= 0 && index[o] < size)
                    dx[index[o]] += dy[o];
                else
                    bad = 1;
            }
        }
    }
    return bad;
}

static int scatter_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g, size = g[G_H] * g[G_W], out_size = g[G_OUT_H] * g[G_OUT_W];
    const int32_t *index = c->ptr[1];
    int bad = 0;
    for (planes p = planes_of(c, piece); p.plane < p.end; ++p.plane) {
        const int64_t to = p.plane * size, from = p.plane * out_size;
        for (int64_t i = 0; i < size; ++i)
            tare_put(c->ptr[3], g[1], to + i, 0);
        for (int64_t o = from; o < from + out_size; ++o) {
            const int64_t at = to + index[o];
            if (index[o] >= 0 && index[o] < size)
                tare_put(c->ptr[3], g[1], at, tare_at(c->ptr[3], g[1], at) + tare_at(c->ptr[0], g[1], o));
            else
                bad = 1;
        }
    }
    return bad;
}

static tare_status max_pool2d_grad_infer(const tare_args *a, const tare_desc_out *out)
{
    char t0[TARE_DESC_TEXT], t1[TARE_DESC_TEXT];
    const tare_desc *dy = a->in[0], *index = a->in[1], *x = a->in[2];
    tare_status status = tare__pool_check(a, x, "input 2");
    if (status == TARE_OK)
        status = tare__pool_check(a, dy, "dy");
    if (status != TARE_OK)
        return status;
    if (index->dtype != TARE_I32)
        return tare_op_error(a, TARE_BAD_DTYPE, "the indices are %s (need int32)",
                             tare_dtype_name((tare_dtype)index->dtype));
    if (dy->dtype != x->dtype)
        return tare_op_error(a, TARE_BAD_DTYPE, "dy is %s, input 2 is %s (need one dtype)",
                             tare_dtype_name((tare_dtype)dy->dtype), tare_dtype_name((tare_dtype)x->dtype));
    if (!tare_desc_same_shape(dy, index))
        return tare_op_error(a, TARE_BAD_SHAPE, "the indices are %s, dy %s (need the same)", tare_desc_text(index, t1),
                             tare_desc_text(dy, t0));
    if (dy->dim[0] != x->dim[0] || dy->dim[1] != x->dim[1])
        return tare_op_error(a, TARE_BAD_SHAPE, "dy is %s, input 2 is %s (need as many planes)", tare_desc_text(dy, t0),
                             tare_desc_text(x, t1));
    tare_desc_like(out[0], x);
    return TARE_OK;
}

static void prepare_max_pool2d_grad(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    tare__pool_planes(a->in[2], a->in[0], out[0], w);
}

const tare_op tare_op_max_pool2d_grad = {
    .name = "max_pool2d_grad",
    .doc = "dx = zeros, and each dy added where its maximum stood, in the order of dy; dy [N,C,OH,OW], indices int32 "
           "of max_pool2d, x (only its shape counts) and dx [N,C,H,W]. An index outside the plane is bad data",
    .n_in = 3,
    .n_out = 1,
    .shape_only = 4,
    .infer = max_pool2d_grad_infer,
    .not_differentiable = true,
    .variants =
        (const tare_variant[]){
            {.name = "scatter", .dtypes = TARE_BIT(TARE_F32), .prepare = prepare_max_pool2d_grad, .run = scatter},
            TARE_REFERENCE(scatter_reference, .prepare = prepare_max_pool2d_grad)},
    .n_variants = 2,
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "f32[2,3,3,4] i32[2,3,3,4]<0,48> f32[2,3,6,8]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[3,4,41,41] i32[3,4,41,41]<0,1681> f32[3,4,41,41]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[0,4,2,2] i32[0,4,2,2] f32[0,4,4,4]", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "f32[64,20,12,12] i32[64,20,12,12]<0,576> f32[64,20,24,24]", NULL, NULL},
                 {TARE_SAMPLE_REJECT, "f32[1,1,2,2] f32[1,1,2,2] f32[1,1,4,4]", NULL, "the indices are float32"},
                 {TARE_SAMPLE_REJECT, "f32[1,1,2,2] i32[1,1,2,3] f32[1,1,4,4]", NULL, "the indices are [1,1,2,3], dy"},
                 {TARE_SAMPLE_REJECT, "f32[2,1,2,2] i32[2,1,2,2] f32[1,1,4,4]", NULL, "need as many planes"},
                 {TARE_SAMPLE_REJECT, "f32[1,1,2,2] i32[1,1,2,2]<16,17> f32[1,1,4,4]", NULL, "index out of range"}),
    .tolerance = 1e-6,
};

#endif
