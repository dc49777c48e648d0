/* conv2d_reference.c - convolution and its gradients as their formulas say, one result at a time, summed in float64. */
#include "conv2d.h"

#ifdef TARE_PASS_RECORDS

void tare__prepare_conv2d_reference(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    tare_conv_operands o = tare_conv_forward(a, out);
    (void)tare__conv_prepare(a, o.x, o.w, o.y, work);
}

void tare__prepare_conv2d_grad_data_reference(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    (void)out;
    tare_conv_operands o = tare_conv_to_data(a);
    (void)tare__conv_prepare(a, o.x, o.w, o.y, work);
}

void tare__prepare_conv2d_grad_weight_reference(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    (void)out;
    tare_conv_operands o = tare_conv_to_weight(a);
    (void)tare__conv_prepare(a, o.x, o.w, o.y, work);
}

static int64_t x_at(const tare_conv *v, int64_t n, int64_t c, int64_t h, int64_t w)
{
    return ((n * v->c + c) * v->h + h) * v->w + w;
}
static int64_t w_at(const tare_conv *v, int64_t k, int64_t c, int64_t r, int64_t s)
{
    return ((k * (v->c / v->groups) + c) * v->r + r) * v->s + s;
}
static int64_t y_at(const tare_conv *v, int64_t n, int64_t k, int64_t oh, int64_t ow)
{
    return ((n * v->k + k) * v->oh + oh) * v->ow + ow;
}

/* One element of y: c counts within the group. */
static double forward_sum(const tare_conv *v, const void *x, const void *w, int64_t n, int64_t k, int64_t oh,
                          int64_t ow)
{
    int64_t c_group = v->c / v->groups, first = k / (v->k / v->groups) * c_group;
    double sum = 0;
    for (int64_t c = 0; c < c_group; ++c)
        for (int64_t r = 0; r < v->r; ++r)
            for (int64_t s = 0; s < v->s; ++s) {
                int64_t ih = oh * v->stride_h - v->pad_h + r * v->dilation_h;
                int64_t iw = ow * v->stride_w - v->pad_w + s * v->dilation_w;
                if (ih >= 0 && ih < v->h && iw >= 0 && iw < v->w)
                    sum +=
                        tare_at(w, v->dtype, w_at(v, k, c, r, s)) * tare_at(x, v->dtype, x_at(v, n, first + c, ih, iw));
            }
    return sum;
}

int tare__conv2d_reference(const tare_call *c, int piece, int worker)
{
    (void)piece;
    (void)worker;
    const tare_conv *v = tare_conv_of(c);
    for (int64_t n = 0; n < v->n; ++n)
        for (int64_t k = 0; k < v->k; ++k)
            for (int64_t oh = 0; oh < v->oh; ++oh)
                for (int64_t ow = 0; ow < v->ow; ++ow)
                    tare_put(c->ptr[3], v->dtype, y_at(v, n, k, oh, ow),
                             forward_sum(v, c->ptr[0], c->ptr[1], n, k, oh, ow) +
                                 (c->ptr[2] ? tare_at(c->ptr[2], v->dtype, k) : 0));
    return 0;
}

/* The output along one axis to which a tap takes the input `i`; -1: none. */
static int64_t output_of(int64_t i, int64_t tap, int64_t stride, int64_t outputs)
{
    int64_t at = i - tap;
    return at >= 0 && at % stride == 0 && at / stride < outputs ? at / stride : -1;
}

static double data_sum(const tare_conv *v, const void *dy, const void *w, int64_t n, int64_t c, int64_t h, int64_t iw)
{
    int64_t c_group = v->c / v->groups, k_group = v->k / v->groups, first = c / c_group * k_group;
    double sum = 0;
    for (int64_t k = first; k < first + k_group; ++k)
        for (int64_t r = 0; r < v->r; ++r)
            for (int64_t s = 0; s < v->s; ++s) {
                int64_t oh = output_of(h, r * v->dilation_h - v->pad_h, v->stride_h, v->oh);
                int64_t ow = output_of(iw, s * v->dilation_w - v->pad_w, v->stride_w, v->ow);
                if (oh >= 0 && ow >= 0)
                    sum += tare_at(w, v->dtype, w_at(v, k, c % c_group, r, s)) *
                           tare_at(dy, v->dtype, y_at(v, n, k, oh, ow));
            }
    return sum;
}

int tare__conv2d_grad_data_reference(const tare_call *c, int piece, int worker)
{
    (void)piece;
    (void)worker;
    const tare_conv *v = tare_conv_of(c);
    for (int64_t n = 0; n < v->n; ++n)
        for (int64_t i = 0; i < v->c; ++i)
            for (int64_t h = 0; h < v->h; ++h)
                for (int64_t w = 0; w < v->w; ++w)
                    tare_put(c->ptr[3], v->dtype, x_at(v, n, i, h, w), data_sum(v, c->ptr[0], c->ptr[1], n, i, h, w));
    return 0;
}

static double weight_sum(const tare_conv *v, const void *dy, const void *x, int64_t k, int64_t c, int64_t r, int64_t s)
{
    int64_t h = r * v->dilation_h - v->pad_h, w = s * v->dilation_w - v->pad_w;
    tare_conv_span rows = tare_conv_inside(h, v->stride_h, v->oh, v->h);
    tare_conv_span columns = tare_conv_inside(w, v->stride_w, v->ow, v->w);
    double sum = 0;
    for (int64_t n = 0; n < v->n; ++n)
        for (int64_t oh = rows.from; oh < rows.end; ++oh)
            for (int64_t ow = columns.from; ow < columns.end; ++ow)
                sum += tare_at(dy, v->dtype, y_at(v, n, k, oh, ow)) *
                       tare_at(x, v->dtype, x_at(v, n, c, h + oh * v->stride_h, w + ow * v->stride_w));
    return sum;
}

int tare__conv2d_grad_weight_reference(const tare_call *c, int piece, int worker)
{
    (void)piece;
    (void)worker;
    const tare_conv *v = tare_conv_of(c);
    int64_t c_group = v->c / v->groups;
    for (int64_t k = 0; k < v->k; ++k)
        for (int64_t i = 0; i < c_group; ++i)
            for (int64_t r = 0; r < v->r; ++r)
                for (int64_t s = 0; s < v->s; ++s) {
                    int64_t channel = k / (v->k / v->groups) * c_group + i;
                    tare_put(c->ptr[3], v->dtype, w_at(v, k, i, r, s),
                             weight_sum(v, c->ptr[0], c->ptr[1], k, channel, r, s));
                }
    return 0;
}

#endif
