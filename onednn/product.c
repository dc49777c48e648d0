/* product.c - the dense layer's product and those of its gradient as oneDNN's inner product.
 *
 * y[N,O] = x[N,I] w[O,I]ᵀ + b. The gradients are products of two matrices (ops/dense.c), and each of them is one of the
 * inner product's three directions: a b is to its data, aᵀ b to its weights, a bᵀ forward. Which product of two
 * matrices is a gradient is nothing that a kernel can know, so all of these shapes are taken. */
#include "../ops/ops.h"
#include "onednn.h"

static bool describe(int64_t n, int64_t o, int64_t i, tare__onednn_direction direction, tare__onednn_spec *s)
{
    s->kind = TARE__ONEDNN_INNER_PRODUCT;
    s->direction = direction;
    s->rank = s->weight_rank = 2;
    s->src[0] = s->dst[0] = n;
    s->src[1] = s->weights[1] = i;
    s->dst[1] = s->weights[0] = o;
    return n > 0 && o > 0 && i > 0 && n <= INT32_MAX / o && n <= INT32_MAX / i && o <= INT32_MAX / i;
}

static bool describe_dense(const tare_args *a, tare__onednn_spec *s)
{
    s->bias = a->in[2] != NULL;
    return describe(a->in[0]->dim[0], a->in[1]->dim[0], a->in[0]->dim[1], TARE__ONEDNN_FORWARD, s);
}

static bool matrices(const tare_args *a, bool transpose_a, bool transpose_b)
{
    const tare_matmul_attr *t = a->attr;
    return a->in[0]->rank == 2 && a->in[1]->rank == 2 && t->transpose_a == transpose_a && t->transpose_b == transpose_b;
}

static bool describe_forward(const tare_args *a, tare__onednn_spec *s)
{
    return matrices(a, false, true) &&
           describe(a->in[0]->dim[0], a->in[1]->dim[0], a->in[0]->dim[1], TARE__ONEDNN_FORWARD, s);
}

static bool describe_to_data(const tare_args *a, tare__onednn_spec *s)
{
    return matrices(a, false, false) &&
           describe(a->in[0]->dim[0], a->in[0]->dim[1], a->in[1]->dim[1], TARE__ONEDNN_TO_DATA, s);
}

static bool describe_to_weights(const tare_args *a, tare__onednn_spec *s)
{
    return matrices(a, true, false) &&
           describe(a->in[0]->dim[0], a->in[0]->dim[1], a->in[1]->dim[1], TARE__ONEDNN_TO_WEIGHTS, s);
}

static const tare__onednn_arg dense_args[] = {{DNNL_ARG_SRC, 0, TARE__ONEDNN_SRC, false, false},
                                              {DNNL_ARG_WEIGHTS, 1, TARE__ONEDNN_WEIGHTS, false, false},
                                              {DNNL_ARG_BIAS, 2, TARE__ONEDNN_BIAS, false, false},
                                              {DNNL_ARG_DST, 3, TARE__ONEDNN_DST, true, false},
                                              {0}};
static const tare__onednn_arg forward_args[] = {{DNNL_ARG_SRC, 0, TARE__ONEDNN_SRC, false, false},
                                                {DNNL_ARG_WEIGHTS, 1, TARE__ONEDNN_WEIGHTS, false, false},
                                                {DNNL_ARG_DST, 2, TARE__ONEDNN_DST, true, false},
                                                {0}};
static const tare__onednn_arg to_data_args[] = {{DNNL_ARG_DIFF_DST, 0, TARE__ONEDNN_DST, false, false},
                                                {DNNL_ARG_WEIGHTS, 1, TARE__ONEDNN_WEIGHTS, false, false},
                                                {DNNL_ARG_DIFF_SRC, 2, TARE__ONEDNN_SRC, true, false},
                                                {0}};
static const tare__onednn_arg to_weights_args[] = {{DNNL_ARG_DIFF_DST, 0, TARE__ONEDNN_DST, false, false},
                                                   {DNNL_ARG_SRC, 1, TARE__ONEDNN_SRC, false, false},
                                                   {DNNL_ARG_DIFF_WEIGHTS, 2, TARE__ONEDNN_WEIGHTS, true, false},
                                                   {0}};

TARE__ONEDNN_BOTH(dense, describe_dense, dense_args)
TARE__ONEDNN_BOTH(forward, describe_forward, forward_args)
TARE__ONEDNN_BOTH(to_data, describe_to_data, to_data_args)
TARE__ONEDNN_BOTH(to_weights, describe_to_weights, to_weights_args)

const tare_variant tare__onednn_dense[] = {TARE__ONEDNN_ROWS(dense, "onednn")};
const tare_variant tare__onednn_matmul[] = {TARE__ONEDNN_ROWS(forward, "onednn_forward"),
                                            TARE__ONEDNN_ROWS(to_data, "onednn_to_data"),
                                            TARE__ONEDNN_ROWS(to_weights, "onednn_to_weights")};
