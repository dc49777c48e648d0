/* api_v2.c - oneDNN 2: an operation is described by a struct of its kind, from which one function makes the rest. */
#include "onednn.h"

typedef union {
    dnnl_convolution_desc_t convolution;
    dnnl_inner_product_desc_t inner_product;
    dnnl_pooling_desc_t pooling;
    dnnl_batch_normalization_desc_t batch_norm;
} operation;

/* A spec in oneDNN's own types. */
typedef struct {
    dnnl_memory_desc_t src, weights, bias, dst;
    const dnnl_memory_desc_t *has_bias;
    tare__onednn_windows w;
    dnnl_prop_kind_t prop;
    float epsilon;
} terms;

static dnnl_status_t layout(dnnl_memory_desc_t *d, int64_t rank, const int64_t *from, bool any)
{
    dnnl_dims_t dims;
    for (int i = 0; i < rank; ++i)
        dims[i] = from[i];
    return dnnl_memory_desc_init_by_tag(d, (int)rank, dims, dnnl_f32,
                                        any ? dnnl_format_tag_any : tare__onednn_tag((int)rank));
}

static dnnl_status_t terms_of(const tare__onednn_spec *s, bool gradient, terms *t)
{
    *t = (terms){.w = tare__onednn_windows_of(s),
                 .prop = s->direction == TARE__ONEDNN_INFERENCE ? dnnl_forward_inference : dnnl_forward_training,
                 .epsilon = (float)tare_unbits(s->epsilon)};
    t->has_bias = s->bias && !gradient ? &t->bias : NULL;
    dnnl_status_t status = layout(&t->src, s->rank, s->src, s->any);
    if (status == dnnl_success)
        status = layout(&t->dst, s->rank, s->dst, s->any);
    if (status == dnnl_success)
        status = layout(&t->bias, 1, &s->dst[1], false);
    return status == dnnl_success && s->weight_rank ? layout(&t->weights, s->weight_rank, s->weights, s->any) : status;
}

static dnnl_status_t forward(const tare__onednn_spec *s, const terms *t, operation *o)
{
    switch ((tare__onednn_kind)s->kind) {
    case TARE__ONEDNN_CONVOLUTION:
        return dnnl_dilated_convolution_forward_desc_init(&o->convolution, t->prop, dnnl_convolution_direct, &t->src,
                                                          &t->weights, t->has_bias, &t->dst, t->w.stride, t->w.dilates,
                                                          t->w.before, t->w.after);
    case TARE__ONEDNN_INNER_PRODUCT:
        return dnnl_inner_product_forward_desc_init(&o->inner_product, t->prop, &t->src, &t->weights, t->has_bias,
                                                    &t->dst);
    case TARE__ONEDNN_POOLING:
        return dnnl_pooling_forward_desc_init(&o->pooling, t->prop, (dnnl_alg_kind_t)s->algorithm, &t->src, &t->dst,
                                              t->w.stride, t->w.kernel, t->w.before, t->w.after);
    case TARE__ONEDNN_BATCH_NORM:
        return dnnl_batch_normalization_forward_desc_init(&o->batch_norm, t->prop, &t->src, t->epsilon,
                                                          (unsigned)s->flags);
    }
    return dnnl_invalid_arguments;
}

static dnnl_status_t backward(const tare__onednn_spec *s, const terms *t, operation *o)
{
    const bool data = s->direction == TARE__ONEDNN_TO_DATA;
    switch ((tare__onednn_kind)s->kind) {
    case TARE__ONEDNN_CONVOLUTION:
        return data ? dnnl_dilated_convolution_backward_data_desc_init(&o->convolution, dnnl_convolution_direct,
                                                                       &t->src, &t->weights, &t->dst, t->w.stride,
                                                                       t->w.dilates, t->w.before, t->w.after)
                    : dnnl_dilated_convolution_backward_weights_desc_init(
                          &o->convolution, dnnl_convolution_direct, &t->src, &t->weights, NULL, &t->dst, t->w.stride,
                          t->w.dilates, t->w.before, t->w.after);
    case TARE__ONEDNN_INNER_PRODUCT:
        return data ? dnnl_inner_product_backward_data_desc_init(&o->inner_product, &t->src, &t->weights, &t->dst)
                    : dnnl_inner_product_backward_weights_desc_init(&o->inner_product, &t->src, &t->weights, NULL,
                                                                    &t->dst);
    case TARE__ONEDNN_POOLING:
        return dnnl_pooling_backward_desc_init(&o->pooling, (dnnl_alg_kind_t)s->algorithm, &t->src, &t->dst,
                                               t->w.stride, t->w.kernel, t->w.before, t->w.after);
    case TARE__ONEDNN_BATCH_NORM:
        return dnnl_batch_normalization_backward_desc_init(&o->batch_norm, dnnl_backward, &t->dst, &t->src, t->epsilon,
                                                           (unsigned)s->flags);
    }
    return dnnl_invalid_arguments;
}

dnnl_status_t tare__onednn_best(const tare__onednn_spec *s, dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                dnnl_primitive_desc_t *out)
{
    const bool gradient = s->direction == TARE__ONEDNN_TO_DATA || s->direction == TARE__ONEDNN_TO_WEIGHTS;
    dnnl_primitive_desc_t hint = NULL;
    operation o;
    terms t;
    dnnl_status_t status = terms_of(s, gradient, &t);
    if (status == dnnl_success)
        status = forward(s, &t, &o);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(gradient ? &hint : out, &o, attr, engine, NULL);
    if (!gradient || status != dnnl_success)
        return status;
    status = backward(s, &t, &o);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(out, &o, attr, engine, hint);
    (void)dnnl_primitive_desc_destroy(hint);
    return status;
}

dnnl_status_t tare__onednn_plain(dnnl_engine_t engine, int rank, const int64_t *dims, dnnl_memory_t *out)
{
    dnnl_memory_desc_t d;
    dnnl_status_t status = layout(&d, rank, dims, false);
    return status == dnnl_success ? dnnl_memory_create(out, &d, engine, DNNL_MEMORY_NONE) : status;
}
