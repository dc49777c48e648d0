/* api_v3.c - oneDNN 3: a function for each kind and direction makes what runs; descriptions of memory are objects. */
#include "onednn.h"

/* A spec in oneDNN's own types. */
typedef struct {
    dnnl_memory_desc_t src, weights, bias, dst;
    tare__onednn_windows w;
    dnnl_prop_kind_t prop;
    float epsilon;
    dnnl_engine_t engine;
    dnnl_primitive_attr_t attr;
} terms;

static dnnl_status_t layout(dnnl_memory_desc_t *d, int64_t rank, const int64_t *from, bool any)
{
    dnnl_dims_t dims;
    for (int i = 0; i < rank; ++i)
        dims[i] = from[i];
    return dnnl_memory_desc_create_with_tag(d, (int)rank, dims, dnnl_f32,
                                            any ? dnnl_format_tag_any : tare__onednn_tag((int)rank));
}

static dnnl_status_t terms_of(const tare__onednn_spec *s, bool gradient, terms *t)
{
    t->w = tare__onednn_windows_of(s);
    t->prop = s->direction == TARE__ONEDNN_INFERENCE ? dnnl_forward_inference : dnnl_forward_training;
    t->epsilon = (float)tare_unbits(s->epsilon);
    dnnl_status_t status = layout(&t->src, s->rank, s->src, s->any);
    if (status == dnnl_success)
        status = layout(&t->dst, s->rank, s->dst, s->any);
    if (status == dnnl_success && s->bias && !gradient)
        status = layout(&t->bias, 1, &s->dst[1], false);
    return status == dnnl_success && s->weight_rank ? layout(&t->weights, s->weight_rank, s->weights, s->any) : status;
}

static dnnl_status_t forward(const tare__onednn_spec *s, const terms *t, dnnl_primitive_desc_t *out)
{
    switch ((tare__onednn_kind)s->kind) {
    case TARE__ONEDNN_CONVOLUTION:
        return dnnl_convolution_forward_primitive_desc_create(out, t->engine, t->prop, dnnl_convolution_direct, t->src,
                                                              t->weights, t->bias, t->dst, t->w.stride, t->w.dilates,
                                                              t->w.before, t->w.after, t->attr);
    case TARE__ONEDNN_INNER_PRODUCT:
        return dnnl_inner_product_forward_primitive_desc_create(out, t->engine, t->prop, t->src, t->weights, t->bias,
                                                                t->dst, t->attr);
    case TARE__ONEDNN_POOLING:
        return dnnl_pooling_forward_primitive_desc_create(out, t->engine, t->prop, (dnnl_alg_kind_t)s->algorithm,
                                                          t->src, t->dst, t->w.stride, t->w.kernel, t->w.dilates,
                                                          t->w.before, t->w.after, t->attr);
    case TARE__ONEDNN_BATCH_NORM:
        return dnnl_batch_normalization_forward_primitive_desc_create(out, t->engine, t->prop, t->src, t->dst,
                                                                      t->epsilon, (unsigned)s->flags, t->attr);
    }
    return dnnl_invalid_arguments;
}

static dnnl_status_t backward(const tare__onednn_spec *s, const terms *t, dnnl_primitive_desc_t hint,
                              dnnl_primitive_desc_t *out)
{
    const bool data = s->direction == TARE__ONEDNN_TO_DATA;
    switch ((tare__onednn_kind)s->kind) {
    case TARE__ONEDNN_CONVOLUTION:
        return data ? dnnl_convolution_backward_data_primitive_desc_create(
                          out, t->engine, dnnl_convolution_direct, t->src, t->weights, t->dst, t->w.stride,
                          t->w.dilates, t->w.before, t->w.after, hint, t->attr)
                    : dnnl_convolution_backward_weights_primitive_desc_create(
                          out, t->engine, dnnl_convolution_direct, t->src, t->weights, NULL, t->dst, t->w.stride,
                          t->w.dilates, t->w.before, t->w.after, hint, t->attr);
    case TARE__ONEDNN_INNER_PRODUCT:
        return data ? dnnl_inner_product_backward_data_primitive_desc_create(out, t->engine, t->src, t->weights, t->dst,
                                                                             hint, t->attr)
                    : dnnl_inner_product_backward_weights_primitive_desc_create(out, t->engine, t->src, t->weights,
                                                                                NULL, t->dst, hint, t->attr);
    case TARE__ONEDNN_POOLING:
        return dnnl_pooling_backward_primitive_desc_create(out, t->engine, (dnnl_alg_kind_t)s->algorithm, t->src,
                                                           t->dst, t->w.stride, t->w.kernel, t->w.dilates, t->w.before,
                                                           t->w.after, hint, t->attr);
    case TARE__ONEDNN_BATCH_NORM:
        return dnnl_batch_normalization_backward_primitive_desc_create(
            out, t->engine, dnnl_backward, t->src, t->dst, t->src, t->epsilon, (unsigned)s->flags, hint, t->attr);
    }
    return dnnl_invalid_arguments;
}

dnnl_status_t tare__onednn_best(const tare__onednn_spec *s, dnnl_engine_t engine, dnnl_primitive_attr_t attr,
                                dnnl_primitive_desc_t *out)
{
    const bool gradient = s->direction == TARE__ONEDNN_TO_DATA || s->direction == TARE__ONEDNN_TO_WEIGHTS;
    dnnl_primitive_desc_t hint = NULL;
    terms t = {.engine = engine, .attr = attr};
    dnnl_status_t status = terms_of(s, gradient, &t);
    if (status == dnnl_success)
        status = forward(s, &t, gradient ? &hint : out);
    if (status == dnnl_success && gradient)
        status = backward(s, &t, hint, out);
    (void)dnnl_primitive_desc_destroy(hint);
    (void)dnnl_memory_desc_destroy(t.src);
    (void)dnnl_memory_desc_destroy(t.weights);
    (void)dnnl_memory_desc_destroy(t.bias);
    (void)dnnl_memory_desc_destroy(t.dst);
    return status;
}

dnnl_status_t tare__onednn_plain(dnnl_engine_t engine, int rank, const int64_t *dims, dnnl_memory_t *out)
{
    dnnl_memory_desc_t d = NULL;
    dnnl_status_t status = layout(&d, rank, dims, false);
    if (status == dnnl_success)
        status = dnnl_memory_create(out, d, engine, DNNL_MEMORY_NONE);
    (void)dnnl_memory_desc_destroy(d);
    return status;
}
