/* pool2d.c - the poolings' attributes, inference and geometry. */
#include "pool2d.h"

#ifdef TARE_PASS_RECORDS

tare_pool_attr tare__pool_attributes(const tare_args *a)
{
    tare_pool_attr at = *(const tare_pool_attr *)a->attr;
    at.stride_h = at.stride_h ? at.stride_h : at.kernel_h;
    at.stride_w = at.stride_w ? at.stride_w : at.kernel_w;
    return at;
}

tare_status tare__pool_check(const tare_args *a, const tare_desc *x, const char *what)
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

/* Windows along one axis (PyTorch's rule): the last one, which ceil_mode may add, must begin before the padding. */
static int64_t windows_along(int64_t size, int64_t kernel, int64_t stride, int64_t pad, bool ceil_mode)
{
    int64_t room = size + 2 * pad - kernel;
    if (room < 0)
        return 0;
    int64_t n = (room + (ceil_mode ? stride - 1 : 0)) / stride + 1;
    return ceil_mode && (n - 1) * stride >= size + pad ? n - 1 : n;
}

tare_status tare__pool_infer(const tare_args *a, const tare_desc *x, tare_desc *y)
{
    char text[TARE_DESC_TEXT];
    tare_pool_attr at = tare__pool_attributes(a);
    if (at.kernel_h < 1 || at.kernel_w < 1 || at.stride_h < 1 || at.stride_w < 1 || at.pad_h < 0 || at.pad_w < 0)
        return tare_op_error(a, TARE_BAD_ARGUMENT,
                             "kernel %lld,%lld, stride %lld,%lld, padding %lld,%lld (need at least 1,1, 1,1, 0,0)",
                             (long long)at.kernel_h, (long long)at.kernel_w, (long long)at.stride_h,
                             (long long)at.stride_w, (long long)at.pad_h, (long long)at.pad_w);
    if (at.pad_h > at.kernel_h / 2 || at.pad_w > at.kernel_w / 2)
        return tare_op_error(a, TARE_BAD_ARGUMENT, "padding %lld,%lld is more than half of the kernel %lld,%lld",
                             (long long)at.pad_h, (long long)at.pad_w, (long long)at.kernel_h, (long long)at.kernel_w);
    int64_t h = windows_along(x->dim[2], at.kernel_h, at.stride_h, at.pad_h, at.ceil_mode);
    int64_t w = windows_along(x->dim[3], at.kernel_w, at.stride_w, at.pad_w, at.ceil_mode);
    if (h == 0 || w == 0)
        return tare_op_error(a, TARE_BAD_SHAPE, "no window %lld,%lld with padding %lld,%lld fits into %s",
                             (long long)at.kernel_h, (long long)at.kernel_w, (long long)at.pad_h, (long long)at.pad_w,
                             tare_desc_text(x, text));
    *y = tare_desc_of((tare_dtype)x->dtype, 4, (const int64_t[]){x->dim[0], x->dim[1], h, w});
    return TARE_OK;
}

void tare__pool_planes(const tare_desc *x, const tare_desc *y, const tare_desc *out, tare_work *w)
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
    const int64_t most = size < TARE_CHUNK ? TARE_CHUNK / (size ? size : 1) : 1;
    if (n > most)
        w->n_pieces = (int32_t)((n + most - 1) / most);
    g[G_PIECE] = (n + w->n_pieces - 1) / w->n_pieces;
    w->n_g = G_WORDS;
}

static int64_t way_of(const int64_t *g)
{
    const int64_t kernel = g[G_KERNEL_H], stride = g[G_STRIDE_H], pad = g[G_PAD_H];
    if (kernel != g[G_KERNEL_W] || stride != g[G_STRIDE_W])
        return OTHERWISE;
    if (kernel == 3 && stride == 2)
        return HALVED;
    if (kernel == 3 && stride == 1 && pad == 1 && g[G_PAD_W] == 1)
        return SAME;
    const bool inside = pad == 0 && g[G_PAD_W] == 0 && 2 * g[G_OUT_H] <= g[G_H] && 2 * g[G_OUT_W] <= g[G_W];
    return kernel == 2 && stride == 2 && inside ? QUARTERED : OTHERWISE;
}

void tare__pool_windows(const tare_args *a, const tare_desc *x, const tare_desc *y, const tare_desc *out, tare_work *w)
{
    tare_pool_attr at = tare__pool_attributes(a);
    tare__pool_planes(x, y, out, w);
    w->g[G_KERNEL_H] = at.kernel_h;
    w->g[G_KERNEL_W] = at.kernel_w;
    w->g[G_STRIDE_H] = at.stride_h;
    w->g[G_STRIDE_W] = at.stride_w;
    w->g[G_PAD_H] = at.pad_h;
    w->g[G_PAD_W] = at.pad_w;
    w->g[G_WAY] = way_of(w->g);
}

#define FIELD(name_, low_, normal_, doc_)                                                                              \
    {                                                                                                                  \
#name_, TARE_ATTR_INT, offsetof(tare_avg_pool2d_attr, name_), low_, 65536, normal_, doc_                       \
    }
const tare_attr tare__pool_attrs[TARE_POOL_ATTRS + 1] = {
    FIELD(kernel_h, 1, "2", "height of a window"),
    FIELD(kernel_w, 1, "2", "width of a window"),
    FIELD(stride_h, 0, "0", "from window to window; 0: the kernel's height"),
    FIELD(stride_w, 0, "0", "from window to window; 0: the kernel's width"),
    FIELD(pad_h, 0, "0", "rows around the plane: they never win, and add nothing"),
    FIELD(pad_w, 0, "0", "columns around the plane, likewise"),
    {"ceil_mode", TARE_ATTR_BOOL, offsetof(tare_avg_pool2d_attr, ceil_mode), 0, 1, "false",
     "a window that begins inside counts even where it does not end there"},
    {"count_include_pad", TARE_ATTR_BOOL, offsetof(tare_avg_pool2d_attr, count_include_pad), 0, 1, "true",
     "padding counts in the mean"},
};
_Static_assert(offsetof(tare_avg_pool2d_attr, ceil_mode) == offsetof(tare_pool_attr, ceil_mode) &&
                   sizeof(tare_max_pool2d_attr) == sizeof(tare_pool_attr),
               "the attributes of all poolings begin alike");

#endif
