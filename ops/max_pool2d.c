/* max_pool2d.c - the largest of each window of a plane, where it stood, and the gradient that goes back there.
 *
 * Ties, NaN and infinities as in PyTorch: the first of equal maxima in row order, but any NaN wins, the last one; a
 * window of nothing but -infinity names its first element. A window is clipped to the plane, so padding never wins.
 * Where a row of windows lies inside the plane they are compared a vector at a time; a comparison rounds nothing, so
 * the windows at the borders go one by one and give the same. A piece is a group of planes, and so is the gradient's:
 * windows that overlap add in the order of the windows. */
#include "record.h"

enum { G_PLANES = 2, G_H, G_W, G_OUT_H, G_OUT_W, G_KERNEL_H, G_KERNEL_W, G_STRIDE_H, G_STRIDE_W, G_PAD_H, G_PAD_W };
enum { G_PIECE = G_PAD_W + 1, G_WORDS }; /* g[0], g[1]: elements of output 0, dtype */

typedef struct {
    int64_t plane, end;
} planes;

static inline planes planes_of(const tare_call *c, int piece)
{
    int64_t from = piece * c->g[G_PIECE], end = from + c->g[G_PIECE];
    return (planes){from, end < c->g[G_PLANES] ? end : c->g[G_PLANES]};
}

/* The part of a window that lies in the plane, along one axis. */
typedef struct {
    int64_t from, end;
} span;
static inline span span_of(int64_t o, int64_t stride, int64_t pad, int64_t kernel, int64_t size)
{
    int64_t from = o * stride - pad, end = from + kernel;
    return (span){from > 0 ? from : 0, end < size ? end : size};
}

static inline void window(const int64_t *g, const float *x, span h, int64_t ow, float *y, int32_t *index)
{
    span w = span_of(ow, g[G_STRIDE_W], g[G_PAD_W], g[G_KERNEL_W], g[G_W]);
    float best = -__builtin_inff();
    int64_t at = h.from * g[G_W] + w.from;
    for (int64_t i = h.from; i < h.end; ++i)
        for (int64_t j = w.from; j < w.end; ++j) {
            float is = x[i * g[G_W] + j];
            bool wins = (is > best) | (is != is);
            best = wins ? is : best;
            at = wins ? i * g[G_W] + j : at;
        }
    *y = best;
    if (index)
        *index = (int32_t)at;
}

/* The first `left` elements, all lanes where there are more */
static inline tare_vf load_some(const float *p, int64_t left)
{
    return left >= TARE_LANES ? tare_load(p) : left > 0 ? tare_load_part(p, left) : (tare_vf){0};
}

/* Every stride-th of the `left` elements from p on */
static inline tare_vf load_every(const float *p, int64_t stride, int64_t left)
{
    if (stride == 1)
        return load_some(p, left);
    if (stride == 2) {
        tare_vf low = load_some(p, left), high = load_some(p + TARE_LANES, left - TARE_LANES);
#if TARE_LANES == 16
        return __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
#elif TARE_LANES == 8
        return __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14);
#else
        return __builtin_shufflevector(low, high, 0, 2, 4, 6);
#endif
    }
    float lane[TARE_LANES] = {0};
    for (int64_t l = 0; l < TARE_LANES && l * stride < left; ++l)
        lane[l] = p[l * stride];
    return tare_load(lane);
}

/* n <= TARE_LANES windows from ow on that lie inside the plane's width; stride is a constant where it is 1 or 2. */
static inline void windows(const int64_t *g, const float *x, span h, int64_t ow, int64_t n, int64_t stride, float *y,
                           int32_t *index)
{
    static const int32_t lane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const int64_t column = ow * stride - g[G_PAD_W];
    tare_vi at, is_at;
    memcpy(&at, lane, sizeof at);
    at = at * (int32_t)stride + (int32_t)(h.from * g[G_W] + column);
    is_at = at;
    tare_vf best = tare_broadcast(-__builtin_inff());
    for (int64_t i = h.from; i < h.end; ++i, is_at += (int32_t)(g[G_W] - g[G_KERNEL_W]))
        for (int64_t k = column; k < column + g[G_KERNEL_W]; ++k, is_at += 1) {
            tare_vf is = load_every(x + i * g[G_W] + k, stride, g[G_W] - k);
            tare_vi wins = (is > best) | (is != is);
            best = tare_select(wins, is, best);
            at = (is_at & wins) | (at & ~wins);
        }
    if (n >= TARE_LANES)
        tare_store(y, best);
    else
        tare_store_part(y, best, n);
    if (index)
        memcpy(index, &at, (size_t)n * sizeof *index);
}

/* One row of windows: those inside by vectors, the others one by one. */
static inline void window_row(const int64_t *g, const float *x, int64_t oh, float *y, int32_t *index)
{
    const int64_t stride = g[G_STRIDE_W], room = g[G_W] + g[G_PAD_W] - g[G_KERNEL_W];
    const int64_t first = (g[G_PAD_W] + stride - 1) / stride; /* windows [first, last) lie inside */
    const int64_t last = room >= 0 && room / stride < g[G_OUT_W] ? room / stride + 1 : room >= 0 ? g[G_OUT_W] : 0;
    span h = span_of(oh, g[G_STRIDE_H], g[G_PAD_H], g[G_KERNEL_H], g[G_H]);
    for (int64_t ow = 0, n; ow < g[G_OUT_W]; ow += n) {
        int32_t *to = index ? index + ow : NULL;
        n = last - ow < TARE_LANES ? last - ow : TARE_LANES;
        if (ow < first || n < 1) {
            n = 1;
            window(g, x, h, ow, y + ow, to);
        } else if (stride == 1) {
            windows(g, x, h, ow, n, 1, y + ow, to);
        } else if (stride == 2) {
            windows(g, x, h, ow, n, 2, y + ow, to);
        } else {
            windows(g, x, h, ow, n, stride, y + ow, to);
        }
    }
}

TARE_KERNEL_DECLARE(max_pool2d);
int TARE_KERNEL(max_pool2d)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g, size = g[G_H] * g[G_W], out_size = g[G_OUT_H] * g[G_OUT_W];
    const float *x = c->ptr[0]; /* [N,C,H,W] */
    float *y = c->ptr[1];       /* [N,C,OH,OW] */
    int32_t *index = c->ptr[2]; /* the same, or NULL: not wanted */
    for (planes p = planes_of(c, piece); p.plane < p.end; ++p.plane)
        for (int64_t oh = 0; oh < g[G_OUT_H]; ++oh) {
            int64_t at = p.plane * out_size + oh * g[G_OUT_W];
            window_row(g, x + p.plane * size, oh, y + at, index ? index + at : NULL);
        }
    return 0;
}

#ifdef TARE_PASS_RECORDS

static int max_pool2d_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g, size = g[G_H] * g[G_W], out_size = g[G_OUT_H] * g[G_OUT_W];
    int32_t *index = c->ptr[2];
    for (planes p = planes_of(c, piece); p.plane < p.end; ++p.plane)
        for (int64_t o = 0; o < out_size; ++o) {
            span h = span_of(o / g[G_OUT_W], g[G_STRIDE_H], g[G_PAD_H], g[G_KERNEL_H], g[G_H]);
            span w = span_of(o % g[G_OUT_W], g[G_STRIDE_W], g[G_PAD_W], g[G_KERNEL_W], g[G_W]);
            int64_t at = h.from * g[G_W] + w.from;
            double best = -__builtin_inf();
            for (int64_t i = h.from; i < h.end; ++i)
                for (int64_t j = w.from; j < w.end; ++j) {
                    double is = tare_at(c->ptr[0], g[1], p.plane * size + i * g[G_W] + j);
                    bool wins = is > best || is != is;
                    best = wins ? is : best;
                    at = wins ? i * g[G_W] + j : at;
                }
            tare_put(c->ptr[1], g[1], p.plane * out_size + o, best);
            if (index)
                index[p.plane * out_size + o] = (int32_t)at;
        }
    return 0;
}

/* dx is zeros, then every window adds its dy where its maximum stood. The scatter is one add a window: the native
 * variant and the reference differ in the type that they add in. */
#define SCATTER(name, type, get, put)                                                                                  \
    static int name(const tare_call *c, int piece, int worker)                                                         \
    {                                                                                                                  \
        (void)worker;                                                                                                  \
        const int64_t *g = c->g, size = g[G_H] * g[G_W], out_size = g[G_OUT_H] * g[G_OUT_W];                           \
        const int32_t *index = c->ptr[1];                                                                              \
        int bad = 0;                                                                                                   \
        for (planes p = planes_of(c, piece); p.plane < p.end; ++p.plane) {                                             \
            int64_t to = p.plane * size, from = p.plane * out_size;                                                    \
            for (int64_t i = 0; i < size; ++i)                                                                         \
                put(to + i, (type)0);                                                                                  \
            for (int64_t o = 0; o < out_size; ++o) {                                                                   \
                int64_t at = index[from + o];                                                                          \
                if (at >= 0 && at < size)                                                                              \
                    put(to + at, get(3, to + at) + get(0, from + o));                                                  \
                else                                                                                                   \
                    bad = 1;                                                                                           \
            }                                                                                                          \
        }                                                                                                              \
        return bad;                                                                                                    \
    }
#define GET_FLOAT(k, i)  ((const float *)c->ptr[k])[i]
#define PUT_FLOAT(i, x)  ((float *)c->ptr[3])[i] = (x)
#define GET_DOUBLE(k, i) tare_at(c->ptr[k], g[1], i)
#define PUT_DOUBLE(i, x) tare_put(c->ptr[3], g[1], i, x)
SCATTER(scatter, float, GET_FLOAT, PUT_FLOAT)
SCATTER(scatter_reference, double, GET_DOUBLE, PUT_DOUBLE)

/* ---- inference and geometry -------------------------------------------------------------------------------------*/

/* Windows along one axis (PyTorch's rule): the last one, which ceil_mode may add, must begin before the padding. */
static int64_t windows_along(int64_t size, int64_t kernel, int64_t stride, int64_t pad, bool ceil_mode)
{
    int64_t room = size + 2 * pad - kernel;
    if (room < 0)
        return 0;
    int64_t n = (room + (ceil_mode ? stride - 1 : 0)) / stride + 1;
    return ceil_mode && (n - 1) * stride >= size + pad ? n - 1 : n;
}

static tare_max_pool2d_attr attributes(const tare_args *a)
{
    tare_max_pool2d_attr at = *(const tare_max_pool2d_attr *)a->attr;
    at.stride_h = at.stride_h ? at.stride_h : at.kernel_h;
    at.stride_w = at.stride_w ? at.stride_w : at.kernel_w;
    return at;
}

static tare_status check_planes(const tare_args *a, const tare_desc *x, const char *what)
{
    char text[TARE_DESC_TEXT];
    if (x->dtype != TARE_F32 && x->dtype != TARE_F64)
        return tare_op_error(a, TARE_BAD_DTYPE, "%s is %s (need float32 or float64)", what,
                             tare_dtype_name((tare_dtype)x->dtype));
    if (x->rank != 4)
        return tare_op_error(a, TARE_BAD_SHAPE, "%s is %s (need [N,C,H,W])", what, tare_desc_text(x, text));
    if (x->dim[2] * x->dim[3] > INT32_MAX)
        return tare_op_error(a, TARE_BAD_SHAPE, "%s is %s (need planes below 2^31 elements)", what,
                             tare_desc_text(x, text));
    return TARE_OK;
}

static tare_status max_pool2d_infer(const tare_args *a, const tare_desc_out *out)
{
    char text[TARE_DESC_TEXT];
    const tare_desc *x = a->in[0];
    tare_status status = check_planes(a, x, "input 0");
    if (status != TARE_OK)
        return status;
    tare_max_pool2d_attr at = attributes(a);
    if (at.pad_h > at.kernel_h / 2 || at.pad_w > at.kernel_w / 2)
        return tare_op_error(a, TARE_BAD_ARGUMENT, "padding %lld,%lld is more than half of the kernel %lld,%lld",
                             (long long)at.pad_h, (long long)at.pad_w, (long long)at.kernel_h, (long long)at.kernel_w);
    int64_t h = windows_along(x->dim[2], at.kernel_h, at.stride_h, at.pad_h, at.ceil_mode);
    int64_t w = windows_along(x->dim[3], at.kernel_w, at.stride_w, at.pad_w, at.ceil_mode);
    if (h == 0 || w == 0)
        return tare_op_error(a, TARE_BAD_SHAPE, "no window %lld,%lld with padding %lld,%lld fits into %s",
                             (long long)at.kernel_h, (long long)at.kernel_w, (long long)at.pad_h, (long long)at.pad_w,
                             tare_desc_text(x, text));
    *out[0] = tare_desc_of((tare_dtype)x->dtype, 4, (const int64_t[]){x->dim[0], x->dim[1], h, w});
    *out[1] = *out[0];
    out[1]->dtype = TARE_I32;
    return TARE_OK;
}

static tare_status max_pool2d_grad_infer(const tare_args *a, const tare_desc_out *out)
{
    char t0[TARE_DESC_TEXT], t1[TARE_DESC_TEXT];
    const tare_desc *dy = a->in[0], *index = a->in[1], *x = a->in[2];
    tare_status status = check_planes(a, x, "input 2");
    if (status == TARE_OK)
        status = check_planes(a, dy, "dy");
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

/* Pieces of whole planes, about TARE_CHUNK elements of x each. */
static void prepare_planes(const tare_desc *x, const tare_desc *y, const tare_desc *out, tare_work *w)
{
    int64_t *g = w->g, size = x->dim[2] * x->dim[3], n = x->dim[0] * x->dim[1];
    memset(g, 0, G_WORDS * sizeof *g);
    g[0] = tare_desc_count(out);
    g[1] = x->dtype;
    g[G_PLANES] = n;
    g[G_H] = x->dim[2];
    g[G_W] = x->dim[3];
    g[G_OUT_H] = y->dim[2];
    g[G_OUT_W] = y->dim[3];
    g[G_PIECE] = size < TARE_CHUNK ? TARE_CHUNK / (size ? size : 1) : 1;
    w->n_g = G_WORDS;
    if (n > g[G_PIECE])
        w->n_pieces = (int32_t)((n + g[G_PIECE] - 1) / g[G_PIECE]);
}

static void prepare_max_pool2d(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    tare_max_pool2d_attr at = attributes(a);
    prepare_planes(a->in[0], out[0], out[0], w);
    w->g[G_KERNEL_H] = at.kernel_h;
    w->g[G_KERNEL_W] = at.kernel_w;
    w->g[G_STRIDE_H] = at.stride_h;
    w->g[G_STRIDE_W] = at.stride_w;
    w->g[G_PAD_H] = at.pad_h;
    w->g[G_PAD_W] = at.pad_w;
}

static void prepare_max_pool2d_grad(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    prepare_planes(a->in[2], a->in[0], out[0], w);
}

static double max_pool2d_flops(const tare_args *a, const tare_desc_ref *out)
{
    tare_max_pool2d_attr at = attributes(a);
    return (double)tare_desc_count(out[0]) * (double)(at.kernel_h * at.kernel_w);
}

/* ---- records ----------------------------------------------------------------------------------------------------*/
static void max_pool2d_gradient(tare_builder *b)
{
    tare_contribute(b, 0, tare_max_pool2d_grad(b->mode, tare_head(b, 0), tare_output(b, 1), tare_input(b, 0)));
}

#define FIELD(name_, low_, normal_, doc_)                                                                              \
    {                                                                                                                  \
#name_, TARE_ATTR_INT, offsetof(tare_max_pool2d_attr, name_), low_, 65536, normal_, doc_                       \
    }

const tare_op tare_op_max_pool2d = {
    .name = "max_pool2d",
    .doc = "y = the largest of each window of a plane; x [N,C,H,W], y [N,C,OH,OW]; auxiliary: where it stood in the "
           "plane, int32 [N,C,OH,OW]. A NaN is larger than all",
    .n_in = 1,
    .n_out = 1,
    .n_aux = 1,
    .attrs = (const tare_attr[]){FIELD(kernel_h, 1, "2", "height of a window"),
                                 FIELD(kernel_w, 1, "2", "width of a window"),
                                 FIELD(stride_h, 0, "0", "from window to window; 0: the kernel's height"),
                                 FIELD(stride_w, 0, "0", "from window to window; 0: the kernel's width"),
                                 FIELD(pad_h, 0, "0", "rows around the plane that never win"),
                                 FIELD(pad_w, 0, "0", "columns around the plane that never win"),
                                 {"ceil_mode", TARE_ATTR_BOOL, offsetof(tare_max_pool2d_attr, ceil_mode), 0, 1, "false",
                                  "a window that begins inside counts even where it does not end there"}},
    .n_attrs = 7,
    .attr_bytes = sizeof(tare_max_pool2d_attr),
    .infer = max_pool2d_infer,
    .gradient = max_pool2d_gradient,
    .needs_out = 2,
    .flops = max_pool2d_flops,
    .variants =
        (const tare_variant[]){TARE_NATIVE(max_pool2d, "", .dtypes = TARE_BIT(TARE_F32), .prepare = prepare_max_pool2d),
                               TARE_REFERENCE(max_pool2d_reference, .prepare = prepare_max_pool2d)},
    .n_variants = TARE_N_NATIVE + 1,
    TARE_SAMPLES(
        {TARE_SAMPLE_CHECK, "f32[2,3,6,8]", NULL, NULL},
        {TARE_SAMPLE_CHECK, "f32[1,2,7,9]", "kernel_h=3,kernel_w=3,stride_h=2,stride_w=2,pad_h=1,pad_w=1", NULL},
        {TARE_SAMPLE_CHECK, "f32[1,2,5,40]", "kernel_h=3,kernel_w=3,stride_h=1,stride_w=1,pad_h=1,pad_w=1", NULL},
        {TARE_SAMPLE_CHECK, "f32[1,1,4,75]", NULL, NULL},
        {TARE_SAMPLE_CHECK, "f32[1,1,5,110]", "kernel_h=2,kernel_w=4,stride_h=3,stride_w=3,ceil_mode=true", NULL},
        {TARE_SAMPLE_CHECK, "f32[1,1,6,7]", "kernel_h=3,kernel_w=2,ceil_mode=true", NULL},
        {TARE_SAMPLE_CHECK, "f32[3,4,41,41]", "kernel_h=3,kernel_w=3,stride_h=2,stride_w=2", NULL},
        {TARE_SAMPLE_CHECK, "f32[0,4,4,4]", NULL, NULL}, {TARE_SAMPLE_BENCH, "f32[64,20,24,24]", NULL, NULL},
        {TARE_SAMPLE_BENCH, "f32[8,64,56,56]", "kernel_h=3,kernel_w=3,stride_h=2,stride_w=2,pad_h=1,pad_w=1", NULL},
        {TARE_SAMPLE_BENCH, "f32[8,64,28,28]", "kernel_h=3,kernel_w=3,stride_h=1,stride_w=1,pad_h=1,pad_w=1", NULL},
        {TARE_SAMPLE_REJECT, "f32[3,4,4]", NULL, "input 0 is [3,4,4] (need [N,C,H,W])"},
        {TARE_SAMPLE_REJECT, "i32[1,1,4,4]", NULL, "input 0 is int32 (need float32 or float64)"},
        {TARE_SAMPLE_REJECT, "f32[1,1,4,4]", "kernel_h=5", "no window 5,2 with padding 0,0 fits into [1,1,4,4]"},
        {TARE_SAMPLE_REJECT, "f32[1,1,4,4]", "kernel_h=3,pad_h=2", "padding 2,0 is more than half"},
        {TARE_SAMPLE_REJECT, "f32[1,1,4,4]", "kernel_w=0", "kernel_w"}),
};

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
