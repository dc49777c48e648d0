/* pool2d.c - pooling as oneDNN's.
 *
 * What windows reach beyond the plane after its end is padding to oneDNN: as much as the last window needs. A mean that
 * counts padding counts that too, and ours never counts what ceil_mode adds, so such windows are not given to it. */
#include "../ops/ops.h"
#include "onednn.h"

typedef struct {
    TARE_POOL2D_FIELDS
} __attribute__((may_alias)) attributes;

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static bool describe(const tare_args *a, const tare_desc *x, const tare_desc *y, tare__onednn_direction direction,
                     dnnl_alg_kind_t algorithm, tare__onednn_spec *s)
{
    const attributes *at = a->attr;
    s->kind = TARE__ONEDNN_POOLING;
    s->direction = direction;
    s->algorithm = algorithm;
    s->rank = 4;
    if (!tare__onednn_dims(x, s->src) || !tare__onednn_dims(y, s->dst))
        return false;
    bool inside = true;
    for (int i = 0; i < 2; ++i) {
        const int64_t pad = i ? at->pad_w : at->pad_h, stride = i ? at->stride_w : at->stride_h;
        s->kernel[i] = i ? at->kernel_w : at->kernel_h;
        s->stride[i] = stride ? stride : s->kernel[i];
        s->dilation[i] = 1;
        s->before[i] = pad;
        s->after[i] = most((s->dst[2 + i] - 1) * s->stride[i] + s->kernel[i] - s->src[2 + i] - pad, 0);
        inside = inside && s->after[i] <= pad;
    }
    return inside || algorithm != dnnl_pooling_avg_include_padding;
}

static dnnl_alg_kind_t mean_of(bool include_pad)
{
    return include_pad ? dnnl_pooling_avg_include_padding : dnnl_pooling_avg_exclude_padding;
}

static bool describe_mean(const tare_args *a, tare__onednn_spec *s)
{
    tare_desc y;
    return a->op->infer(a, (const tare_desc_out[]){&y}) == TARE_OK &&
           describe(a, a->in[0], &y, TARE__ONEDNN_FORWARD,
                    mean_of(((const tare_avg_pool2d_attr *)a->attr)->count_include_pad), s);
}

static bool describe_mean_grad(const tare_args *a, tare__onednn_spec *s)
{
    return describe(a, a->in[1], a->in[0], TARE__ONEDNN_TO_DATA,
                    mean_of(((const tare_avg_pool2d_grad_attr *)a->attr)->count_include_pad), s);
}

static const tare__onednn_arg forward_args[] = {
    {DNNL_ARG_SRC, 0, TARE__ONEDNN_SRC, false, false}, {DNNL_ARG_DST, 1, TARE__ONEDNN_DST, true, false}, {0}};
static const tare__onednn_arg mean_grad_args[] = {
    {DNNL_ARG_DIFF_DST, 0, TARE__ONEDNN_DST, false, false}, {DNNL_ARG_DIFF_SRC, 2, TARE__ONEDNN_SRC, true, false}, {0}};

TARE__ONEDNN_ASKED(mean, describe_mean, forward_args, TARE__ONEDNN_EITHER)
TARE__ONEDNN_ASKED(mean_grad, describe_mean_grad, mean_grad_args, TARE__ONEDNN_EITHER)

const tare_variant tare__onednn_avg_pool2d[] = {TARE__ONEDNN_ROW(mean, "onednn", tare__onednn_run)};
const tare_variant tare__onednn_avg_pool2d_grad[] = {TARE__ONEDNN_ROW(mean_grad, "onednn", tare__onednn_run)};
