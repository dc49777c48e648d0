/* layer_state.h - layers that know training from inference and change the net's state: dropout, batch normalization.
 *
 * Both read m->training. A graph is captured in one of the two and stays so. */
#ifndef TARE_NETS_LAYER_STATE_H
#define TARE_NETS_LAYER_STATE_H

#include "../ops/ops.h"
#include "net.h"

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

static inline tare_value *tare_dropout_layer_forward(tare_mode *m, const tare_dropout_layer *l, tare_value *x)
{
    m->scope_begin(m, l->path);
    m->adopt(m, &x, 1);
    if (m->training && l->attr.rate > 0) {
        x = tare_dropout(m, tare_move(x), l->random_calls, l->attr);
        (void)tare_increment(m, l->random_calls);
    }
    m->scope_end(m, &x, 1);
    return x;
}

/* y = (x - mean) / sqrt(var + epsilon) scale + shift; x, y [N,channels,...]. In training mean and var are the batch's,
 * and the running ones follow them; in inference they are the running ones. */
typedef struct {
    const char *path;
    tare_value *scale, *shift;              /* parameters "weight" (ones), "bias" (zeros) */
    tare_value *running_mean, *running_var; /* state (zeros, ones) */
    tare_batch_norm_attr attr;
} tare_batch_norm_layer;

/* epsilon and momentum: the operator's (1e-5 and 0.1 are usual). */
TARE_API tare_status tare_batch_norm_layer_build(tare_net *net, tare_batch_norm_layer *, const char *path,
                                                 int64_t channels, tare_batch_norm_attr);

static inline tare_value *tare_batch_norm_layer_forward(tare_mode *m, const tare_batch_norm_layer *l, tare_value *x)
{
    m->scope_begin(m, l->path);
    m->adopt(m, &x, 1);
    tare_batch_norm_inference_attr frozen = {l->attr.epsilon};
    tare_value *y =
        m->training
            ? tare_batch_norm(m, tare_move(x), l->scale, l->shift, l->running_mean, l->running_var, l->attr)
            : tare_batch_norm_inference(m, tare_move(x), l->scale, l->shift, l->running_mean, l->running_var, frozen);
    m->scope_end(m, &y, 1);
    return y;
}

#ifdef __cplusplus
}
#endif
#endif
