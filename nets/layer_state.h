/* layer_state.h - layers that know training from inference and change the net's state: dropout, batch normalization.
 *
 * Both read m->training. A graph is captured in one of the two and stays so. */
#ifndef TARE_NETS_LAYER_STATE_H
#define TARE_NETS_LAYER_STATE_H

#include "layer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y = x in inference; in training each element is 0 with the chance `rate`, else x / (1 - rate). Each call draws anew:
 * key (net's seed, count of random calls, element), and the count goes up by one, in both modes alike. */
typedef struct {
    const char *path;
    tare_value *random_calls; /* the net's */
    tare_dropout_attr attr;
} tare_dropout_layer;

/* 0 <= rate < 1. */
TARE_API tare_status tare_dropout_layer_build(tare_net *net, tare_dropout_layer *, const char *path, double rate);

static inline tare_value *tare_dropout_layer_apply(tare_mode *m, const tare_dropout_layer *l, const tare_op *dropout,
                                                   const tare_op *increment, tare_value *x)
{
    m->scope_begin(m, l->path);
    m->adopt(m, &x, 1);
    if (m->training && l->attr.rate > 0) {
        tare_value *const in[] = {tare_move(x), l->random_calls}, *const count[] = {l->random_calls};
        x = tare_apply1(m, dropout, &l->attr, in, 2);
        (void)tare_apply1(m, increment, NULL, count, 1);
    }
    m->scope_end(m, &x, 1);
    return x;
}

static inline tare_value *tare_dropout_layer_forward(tare_mode *m, const tare_dropout_layer *l, tare_value *x)
{
    return tare_dropout_layer_apply(m, l, &tare_op_dropout, &tare_op_increment, x);
}

static inline tare_value *tare_dropout_layer_direct(tare_mode *m, tare_block *b, tare_value *x)
{
    return tare_dropout_layer_forward(m, (const tare_dropout_layer *)b->layer, x);
}

TARE_API void tare_dropout_layer_block(tare_dropout_layer *, tare_block *out);

/* y = activation((x - mean) / sqrt(var + epsilon) scale + shift); x, y [N,channels,...]. In training mean and var are
 * the batch's, and the running ones follow them; in inference they are the running ones. */
typedef struct {
    const char *path;
    tare_value *scale, *shift;              /* parameters "weight" (ones), "bias" (zeros) */
    tare_value *running_mean, *running_var; /* state (zeros, ones) */
    tare_batch_norm_attr attr;
    tare_activation activation;
} tare_batch_norm_layer;

/* epsilon and momentum: the operator's (1e-5 and 0.1 are usual). */
TARE_API tare_status tare_batch_norm_layer_build(tare_net *net, tare_batch_norm_layer *, const char *path,
                                                 int64_t channels, tare_batch_norm_attr, tare_activation);

/* values: scale, shift, running mean, running variance */
static inline tare_value *tare_batch_norm_layer_apply(tare_mode *m, const tare_batch_norm_layer *l,
                                                      const tare_op *training, const tare_op *inference,
                                                      const tare_op *active, tare_value *x, tare_value *const values[4])
{
    const tare_batch_norm_inference_attr attr = {l->attr.epsilon};
    m->scope_begin(m, l->path);
    m->adopt(m, &x, 1);
    tare_value *const in[] = {tare_move(x), values[0], values[1], values[2], values[3]};
    tare_value *y = m->training ? tare_apply1(m, training, &l->attr, in, 5) : tare_apply1(m, inference, &attr, in, 5);
    if (active)
        y = tare_layer_activate(m, active, tare_move(y));
    m->scope_end(m, &y, 1);
    return y;
}

static inline tare_value *tare_batch_norm_layer_forward(tare_mode *m, const tare_batch_norm_layer *l, tare_value *x)
{
    tare_value *const values[] = {l->scale, l->shift, l->running_mean, l->running_var};
    return tare_batch_norm_layer_apply(m, l, &tare_op_batch_norm, &tare_op_batch_norm_inference,
                                       tare_activation_op(l->activation), x, values);
}

static inline tare_value *tare_batch_norm_layer_direct(tare_mode *m, tare_block *b, tare_value *x)
{
    return tare_batch_norm_layer_forward(m, (const tare_batch_norm_layer *)b->layer, x);
}

TARE_API void tare_batch_norm_layer_block(tare_batch_norm_layer *, tare_block *out);

#ifdef __cplusplus
}
#endif
#endif
