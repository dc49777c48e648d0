/* conv2d.c - convolution and its two gradients as oneDNN's. */
#include "../ops/ops.h"
#include "onednn.h"

typedef struct {
    TARE_CONV2D_FIELDS
} __attribute__((may_alias)) attributes;

/* x, w, y: the convolution's operands, whatever is computed from what. */
static bool describe(const tare_args *a, const tare_desc *x, const tare_desc *w, const tare_desc *y,
                     tare__onednn_direction direction, tare__onednn_spec *s)
{
    const attributes *at = a->attr;
    const int64_t groups = at->groups, padded[2] = {x->dim[2] + 2 * at->pad_h, x->dim[3] + 2 * at->pad_w};
    int64_t w_dims[4];
    s->kind = TARE__ONEDNN_CONVOLUTION;
    s->direction = direction;
    s->rank = 4;
    s->weight_rank = groups > 1 ? 5 : 4;
    if (!tare__onednn_dims(x, s->src) || !tare__onednn_dims(w, w_dims) || !tare__onednn_dims(y, s->dst))
        return false;
    if (padded[0] > INT32_MAX || padded[1] > INT32_MAX)
        return false;
    int64_t *to = s->weights;
    if (groups > 1) {
        *to++ = groups;
        w_dims[0] /= groups;
    }
    for (int i = 0; i < 4; ++i)
        to[i] = w_dims[i];
    for (int i = 0; i < 2; ++i) {
        s->stride[i] = i ? at->stride_w : at->stride_h;
        s->dilation[i] = i ? at->dilation_w : at->dilation_h;
        s->before[i] = s->after[i] = i ? at->pad_w : at->pad_h;
    }
    return true;
}

/* The operator's inference says what the result is; a.in has what it needs. */
static bool describe_forward(const tare_args *a, tare__onednn_spec *s)
{
    tare_desc y;
    s->bias = a->in[2] != NULL;
    return a->op->infer(a, (const tare_desc_out[]){&y}) == TARE_OK &&
           describe(a, a->in[0], a->in[1], &y, TARE__ONEDNN_FORWARD, s);
}

static bool describe_to_data(const tare_args *a, tare__onednn_spec *s)
{
    return describe(a, a->in[2], a->in[1], a->in[0], TARE__ONEDNN_TO_DATA, s);
}

static bool describe_to_weights(const tare_args *a, tare__onednn_spec *s)
{
    return describe(a, a->in[1], a->in[2], a->in[0], TARE__ONEDNN_TO_WEIGHTS, s);
}

static const tare__onednn_arg forward_args[] = {{DNNL_ARG_SRC, 0, TARE__ONEDNN_SRC, false, false},
                                                {DNNL_ARG_WEIGHTS, 1, TARE__ONEDNN_WEIGHTS, false, false},
                                                {DNNL_ARG_BIAS, 2, TARE__ONEDNN_BIAS, false, false},
                                                {DNNL_ARG_DST, 3, TARE__ONEDNN_DST, true, false},
                                                {0}};
static const tare__onednn_arg to_data_args[] = {{DNNL_ARG_DIFF_DST, 0, TARE__ONEDNN_DST, false, false},
                                                {DNNL_ARG_WEIGHTS, 1, TARE__ONEDNN_WEIGHTS, false, false},
                                                {DNNL_ARG_DIFF_SRC, 3, TARE__ONEDNN_SRC, true, false},
                                                {0}};
static const tare__onednn_arg to_weights_args[] = {{DNNL_ARG_DIFF_DST, 0, TARE__ONEDNN_DST, false, false},
                                                   {DNNL_ARG_SRC, 1, TARE__ONEDNN_SRC, false, false},
                                                   {DNNL_ARG_DIFF_WEIGHTS, 3, TARE__ONEDNN_WEIGHTS, true, false},
                                                   {0}};

TARE__ONEDNN_BOTH(forward, describe_forward, forward_args)
TARE__ONEDNN_BOTH(to_data, describe_to_data, to_data_args)
TARE__ONEDNN_BOTH(to_weights, describe_to_weights, to_weights_args)

const tare_variant tare__onednn_conv2d[] = {TARE__ONEDNN_ROWS(forward, "onednn")};
const tare_variant tare__onednn_conv2d_grad_data[] = {TARE__ONEDNN_ROWS(to_data, "onednn")};
const tare_variant tare__onednn_conv2d_grad_weight[] = {TARE__ONEDNN_ROWS(to_weights, "onednn")};
