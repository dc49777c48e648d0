/* layer.h - layers: parameters with a place in a net, and the functions that apply them over the mode seam.
 *
 * A layer call is a scope of its own that promotes its result, so that what it makes inside is let go at once; its
 * argument may be given up to it (tare_move). */
#ifndef TARE_NETS_LAYER_H
#define TARE_NETS_LAYER_H

#include "net.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { TARE_ACTIVATION_NONE, TARE_ACTIVATION_RELU, TARE_ACTIVATION_TANH } tare_activation;

/* Its operator; NULL: none. The second form reaches it through a hybrid object's table. */
static inline const tare_op *tare_activation_op(tare_activation a)
{
    return a == TARE_ACTIVATION_RELU ? &tare_op_relu : a == TARE_ACTIVATION_TANH ? &tare_op_tanh : NULL;
}
static inline const tare_op *tare_activation_of(tare_activation a, const tare_op *const *F)
{
    return a == TARE_ACTIVATION_RELU ? F[TARE_F_relu] : a == TARE_ACTIVATION_TANH ? F[TARE_F_tanh] : NULL;
}

/* active(x) in the current scope, which owns x if it was moved */
static inline tare_value *tare_layer_activate(tare_mode *m, const tare_op *active, tare_value *x)
{
    tare_value *const in[] = {tare_move(x)};
    return tare_apply1(m, active, NULL, in, 1);
}

/* activation(op(x, weight, bias)) in the current scope, which owns x if it was moved; `active` NULL: op's result. */
static inline tare_value *tare_layer_affine(tare_mode *m, const tare_op *op, const void *attr, const tare_op *active,
                                            tare_value *x, tare_value *weight, tare_value *bias)
{
    tare_value *const in[] = {tare_move(x), weight, bias};
    tare_value *y = tare_apply1(m, op, attr, in, 3);
    return active ? tare_layer_activate(m, active, tare_move(y)) : y;
}

/* y = activation(x wᵀ + b); x [N,inputs], y [N,units] */
typedef struct {
    const char *path;
    tare_value *weight, *bias;
    tare_activation activation;
} tare_dense_layer;

/* Makes the layer's parameters in `net` under `path` (borrowed by the net's arena). */
TARE_API tare_status tare_dense_layer_build(tare_net *net, tare_dense_layer *, const char *path, int64_t inputs,
                                            int64_t units, tare_activation);

/* The layer's operators, however its parameters and operators were reached. */
static inline tare_value *tare_dense_layer_apply(tare_mode *m, const tare_dense_layer *l, const tare_op *dense,
                                                 const tare_op *active, tare_value *x, tare_value *weight,
                                                 tare_value *bias)
{
    m->scope_begin(m, l->path);
    m->adopt(m, &x, 1);
    tare_value *y = tare_layer_affine(m, dense, NULL, active, x, weight, bias);
    m->scope_end(m, &y, 1);
    return y;
}

static inline tare_value *tare_dense_layer_forward(tare_mode *m, const tare_dense_layer *l, tare_value *x)
{
    return tare_dense_layer_apply(m, l, &tare_op_dense, tare_activation_op(l->activation), x, l->weight, l->bias);
}

/* The same, given the layer's object: what a net's body calls directly. */
static inline tare_value *tare_dense_layer_direct(tare_mode *m, tare_block *b, tare_value *x)
{
    return tare_dense_layer_forward(m, (const tare_dense_layer *)b->layer, x);
}

/* The layer as an object of its net. */
TARE_API void tare_dense_layer_block(tare_dense_layer *, tare_block *out);

#ifdef __cplusplus
}
#endif
#endif
