/* upsample.c - every element of a plane repeated in both directions.
 *
 *     y[n,c,i,j] = x[n,c, i / scale_h, j / scale_w];   x [N,C,H,W], y [N,C,H scale_h,W scale_w]
 *
 * Its gradient adds what the copies of an element received: their mean, from avg_pool2d, times their number. A row is
 * repeated along its width once and then copied; a piece is a run of rows of x. */
#include "pool2d.h"

/* g[0], g[1]: elements of y, dtype */
enum { G_ROWS = 2, G_WIDTH, G_SCALE_H, G_SCALE_W, G_ROWS_PIECE, G_UPSAMPLE_WORDS };

/* A vector of copies of each element is stored; the next element's covers what it wrote too much. */
static inline void repeat(const float *x, float *y, int64_t width, int64_t scale)
{
    const int64_t left = width * scale;
    for (int64_t j = 0; j < width; ++j)
        for (int64_t k = 0; k < scale; k += TARE_LANES)
            store_some(y + j * scale + k, tare_broadcast(x[j]), left - j * scale - k);
}

static inline void repeat_twice(const float *x, float *y, int64_t width)
{
    for (int64_t j = 0; j < width; j += TARE_LANES) {
        const tare_vf v = load_some(x + j, width - j);
        const int64_t left = 2 * (width - j);
        store_some(y + 2 * j, twice(v, false), left);
        store_some(y + 2 * j + TARE_LANES, twice(v, true), left - TARE_LANES);
    }
}

TARE_KERNEL_DECLARE(upsample_nearest2d);
int TARE_KERNEL(upsample_nearest2d)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g, width = g[G_WIDTH], wide = width * g[G_SCALE_W];
    const int64_t from = piece * g[G_ROWS_PIECE], end = from + g[G_ROWS_PIECE];
    for (int64_t row = from; row < end && row < g[G_ROWS]; ++row) {
        const float *x = (const float *)c->ptr[0] + row * width;   /* [N,C,H,W] */
        float *y = (float *)c->ptr[1] + row * g[G_SCALE_H] * wide; /* [N,C,H scale_h,W scale_w] */
        if (g[G_SCALE_W] == 2)
            repeat_twice(x, y, width);
        else
            repeat(x, y, width, g[G_SCALE_W]);
        for (int64_t i = 1; i < g[G_SCALE_H]; ++i)
            memcpy(y + i * wide, y, (size_t)wide * sizeof *y);
    }
    return 0;
}

#ifdef TARE_PASS_RECORDS

static int upsample_nearest2d_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g, wide = g[G_WIDTH] * g[G_SCALE_W];
    for (int64_t o = piece; o < g[0]; o += c->n_pieces)
        tare_put(c->ptr[1], g[1], o,
                 tare_at(c->ptr[0], g[1], o / wide / g[G_SCALE_H] * g[G_WIDTH] + o % wide / g[G_SCALE_W]));
    return 0;
}

/* ---- inference and geometry -------------------------------------------------------------------------------------*/
static tare_status infer(const tare_args *a, const tare_desc_out *out)
{
    char text[TARE_DESC_TEXT];
    const tare_desc *x = a->in[0];
    const tare_upsample_nearest2d_attr *attr = a->attr;
    tare_status status = tare__pool_check(a, x, "x");
    if (status != TARE_OK)
        return status;
    if (attr->scale_h < 1 || attr->scale_w < 1)
        return tare_op_error(a, TARE_BAD_ARGUMENT, "scale %lld,%lld (need at least 1,1)", (long long)attr->scale_h,
                             (long long)attr->scale_w);
    if (x->dim[2] * x->dim[3] == 0)
        return tare_op_error(a, TARE_BAD_SHAPE, "x is %s (need planes that are not empty)", tare_desc_text(x, text));
    int64_t h, w;
    if (__builtin_mul_overflow(x->dim[2], attr->scale_h, &h) || __builtin_mul_overflow(x->dim[3], attr->scale_w, &w) ||
        h > INT32_MAX || w > INT32_MAX || h * w > INT32_MAX)
        return tare_op_error(a, TARE_BAD_SHAPE, "%s by %lld,%lld is too large (need planes below 2^31 elements)",
                             tare_desc_text(x, text), (long long)attr->scale_h, (long long)attr->scale_w);
    *out[0] = tare_desc_of((tare_dtype)x->dtype, 4, (const int64_t[]){x->dim[0], x->dim[1], h, w});
    return TARE_OK;
}

static void prepare_upsample_nearest2d(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    const tare_upsample_nearest2d_attr *attr = a->attr;
    const tare_desc *x = a->in[0];
    int64_t *g = w->g, row = attr->scale_h * attr->scale_w * x->dim[3]; /* elements of y that come of one */
    g[0] = tare_desc_count(out[0]);
    g[1] = x->dtype;
    g[G_ROWS] = x->dim[0] * x->dim[1] * x->dim[2];
    g[G_WIDTH] = x->dim[3];
    g[G_SCALE_H] = attr->scale_h;
    g[G_SCALE_W] = attr->scale_w;
    g[G_ROWS_PIECE] = row < TARE_CHUNK ? TARE_CHUNK / (row + !row) : 1;
    w->n_g = G_UPSAMPLE_WORDS;
    if (g[G_ROWS] > g[G_ROWS_PIECE])
        w->n_pieces = (int32_t)((g[G_ROWS] + g[G_ROWS_PIECE] - 1) / g[G_ROWS_PIECE]);
}

/* ---- record -----------------------------------------------------------------------------------------------------*/
static void gradient(tare_builder *b)
{
    const tare_upsample_nearest2d_attr *attr = b->node->attr;
    tare_value *mean = tare_avg_pool2d(b->mode, tare_head(b, 0),
                                       (tare_avg_pool2d_attr){.kernel_h = attr->scale_h, .kernel_w = attr->scale_w});
    tare_contribute(b, 0, tare_scale(b->mode, mean, (tare_scale_attr){(double)attr->scale_h * (double)attr->scale_w}));
}

#define SCALE(name_)                                                                                                   \
    {                                                                                                                  \
#name_, TARE_ATTR_INT, offsetof(tare_upsample_nearest2d_attr, name_), 1, 65536, "2", "copies of each element"  \
    }

const tare_op tare_op_upsample_nearest2d = {
    .name = "upsample_nearest2d",
    .doc = "y[n,c,i,j] = x[n,c, i / scale_h, j / scale_w]; x [N,C,H,W], y [N,C,H scale_h,W scale_w]",
    .n_in = 1,
    .n_out = 1,
    .attrs = (const tare_attr[]){SCALE(scale_h), SCALE(scale_w)},
    .n_attrs = 2,
    .attr_bytes = sizeof(tare_upsample_nearest2d_attr),
    .infer = infer,
    .gradient = gradient,
    TARE_USUAL_VARIANTS(upsample_nearest2d),
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "f32[2,3,4,5]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[1,2,3,37]", "scale_h=1,scale_w=3", NULL},
                 {TARE_SAMPLE_CHECK, "f32[1,2,3,2]", "scale_h=3,scale_w=19", NULL},
                 {TARE_SAMPLE_CHECK, "f32[2,2,3,3]", "scale_h=2,scale_w=1", NULL},
                 {TARE_SAMPLE_CHECK, "f32[3,5,33,41]", NULL, NULL}, {TARE_SAMPLE_CHECK, "f32[0,3,2,2]", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "f32[8,64,28,28]", NULL, NULL},
                 {TARE_SAMPLE_REJECT, "f32[3,4,4]", NULL, "x is [3,4,4] (need [N,C,H,W])"},
                 {TARE_SAMPLE_REJECT, "f32[1,1,0,3]", NULL, "need planes that are not empty"},
                 {TARE_SAMPLE_REJECT, "i32[1,3,4,4]", NULL, "x is int32 (need float32 or float64)"},
                 {TARE_SAMPLE_REJECT, "f32[1,1,4,4]", "scale_w=0", "scale_w is 0 (need 1 to 65536)"},
                 {TARE_SAMPLE_REJECT, "f32[1,1,256,256]", "scale_h=65536,scale_w=65536", "is too large"}),
};

#endif
