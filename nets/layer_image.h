/* layer_image.h - layers for images [N,C,H,W]: convolution and pooling. */
#ifndef TARE_NETS_LAYER_IMAGE_H
#define TARE_NETS_LAYER_IMAGE_H

#include "layer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y = activation(x convolved by weight + bias); x [N,channels,H,W], y [N,maps,OH,OW] */
typedef struct {
    const char *path;
    tare_value *weight, *bias; /* [maps,channels/groups,R,S], [maps] or NULL: none */
    tare_conv2d_attr attr;
    tare_activation activation;
} tare_conv_layer;

/* `maps` kernels of kernel_h x kernel_w; attr as conv2d's, and groups divide channels and maps. */
TARE_API tare_status tare_conv_layer_build(tare_net *net, tare_conv_layer *, const char *path, int64_t channels,
                                           int64_t maps, int64_t kernel_h, int64_t kernel_w, tare_conv2d_attr attr,
                                           bool biased, tare_activation);

static inline tare_value *tare_conv_layer_apply(tare_mode *m, const tare_conv_layer *l, const tare_op *conv2d,
                                                const tare_op *active, tare_value *x, tare_value *weight,
                                                tare_value *bias)
{
    m->scope_begin(m, l->path);
    m->adopt(m, &x, 1);
    tare_value *y = tare_layer_affine(m, conv2d, &l->attr, active, x, weight, bias);
    m->scope_end(m, &y, 1);
    return y;
}

static inline tare_value *tare_conv_layer_forward(tare_mode *m, const tare_conv_layer *l, tare_value *x)
{
    return tare_conv_layer_apply(m, l, &tare_op_conv2d, tare_activation_op(l->activation), x, l->weight, l->bias);
}

static inline tare_value *tare_conv_layer_direct(tare_mode *m, tare_block *b, tare_value *x)
{
    return tare_conv_layer_forward(m, (const tare_conv_layer *)b->layer, x);
}

TARE_API void tare_conv_layer_block(tare_conv_layer *, tare_block *out);

/* y = the largest or the mean of each window; x [N,C,H,W], y [N,C,OH,OW]. No parameters: fill it in. `global`: one
 * window, the whole plane, whatever the attributes say. */
typedef enum { TARE_POOL_MAX, TARE_POOL_AVERAGE } tare_pool_kind;
typedef struct {
    const char *path;
    tare_pool_kind kind;
    bool global;
    tare_avg_pool2d_attr attr; /* max_pool2d's begin alike */
} tare_pool_layer;

/* Windows of size x size, `stride` apart, without padding. */
TARE_API tare_pool_layer tare_pool_layer_square(const char *path, tare_pool_kind, int64_t size, int64_t stride);

static inline tare_value *tare_pool_layer_apply(tare_mode *m, const tare_pool_layer *l, const tare_op *pool,
                                                tare_value *x)
{
    tare_avg_pool2d_attr attr = l->attr;
    m->scope_begin(m, l->path);
    m->adopt(m, &x, 1);
    if (l->global && x->d.rank == 4) {
        attr.kernel_h = attr.stride_h = x->d.dim[2];
        attr.kernel_w = attr.stride_w = x->d.dim[3];
        attr.pad_h = attr.pad_w = 0;
    }
    tare_value *const in[] = {tare_move(x)};
    tare_value *y = tare_apply1(m, pool, &attr, in, 1);
    m->scope_end(m, &y, 1);
    return y;
}

static inline tare_value *tare_pool_layer_forward(tare_mode *m, const tare_pool_layer *l, tare_value *x)
{
    return tare_pool_layer_apply(m, l, l->kind == TARE_POOL_MAX ? &tare_op_max_pool2d : &tare_op_avg_pool2d, x);
}

static inline tare_value *tare_pool_layer_direct(tare_mode *m, tare_block *b, tare_value *x)
{
    return tare_pool_layer_forward(m, (const tare_pool_layer *)b->layer, x);
}

TARE_API void tare_pool_layer_block(tare_pool_layer *, tare_block *out);

#ifdef __cplusplus
}
#endif
#endif
