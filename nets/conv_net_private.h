/* conv_net_private.h - image nets as tables: convolutions, poolings, normalizations and dense layers, in a row or in
 * branches.
 *
 * A net is a table of steps over a few *lanes*, each of which holds one value; lane 0 has the input at first and the
 * output at last. A step reads the lane `from` and writes the lane `to`. Where they are one the value is given up to
 * the step; where they are two it stays for the next reader, so a branch is a step that leaves its lane, and the last
 * branch is one that does not. A join takes the lanes 1, 2, ... and then lane 0, gives all of them up and writes lane
 * 0. The image is flattened in front of a dense layer.
 *
 * conv_net.c makes a layer of each step, the body below applies them, conv_nets.c has the tables. What does not come in
 * steps (recurrence, sharing) is a net of its own. */
#ifndef TARE_NETS_CONV_NET_PRIVATE_H
#define TARE_NETS_CONV_NET_PRIVATE_H

#include "layer_image.h"
#include "layer_state.h"

/* CONV: `units` maps of size x size, `stride` apart, `pad` zeros around; pools: windows of size x size (0: the whole
 * plane), likewise; NORM: batch normalization; DENSE: `units`; DROPOUT: `rate`; CONCAT (of channels) and ADD: `units`
 * lanes. */
typedef enum {
    TARE_STEP_CONV,
    TARE_STEP_MAX_POOL,
    TARE_STEP_AVG_POOL,
    TARE_STEP_NORM,
    TARE_STEP_DENSE,
    TARE_STEP_DROPOUT,
    TARE_STEP_CONCAT,
    TARE_STEP_ADD,
    TARE_STEP_KINDS
} tare_step_kind;

enum { TARE_STEP_LANES = 4 };

typedef struct {
    tare_step_kind kind;
    int from, to;
    const char *name; /* the layer's path; NULL: its kind and number */
    int64_t units, size, stride, pad;
    bool unbiased; /* of a convolution */
    tare_activation activation;
    double rate;
} tare_conv_net_step;

typedef struct {
    int64_t channels, side; /* of the image */
    const tare_conv_net_step *step;
    int n_steps;
} tare_conv_net_plan;

typedef struct {
    tare_net net; /* first */
    const tare_conv_net_plan *plan;
    const char **path; /* of each step */
    tare_block *block; /* the layers as objects, in the order of their steps; a join is none */
} tare_conv_net;

tare_status tare__conv_net_build(tare_net *, const tare_conv_net_plan *);

static inline bool tare__step_joins(tare_step_kind kind)
{
    return kind == TARE_STEP_CONCAT || kind == TARE_STEP_ADD;
}

/* The lanes 1, 2, ..., 0 as one value. */
static inline tare_value *tare__conv_net_join(tare_mode *m, const tare_conv_net_step *s, const char *path,
                                              tare_value *const *lane)
{
    tare_value *in[TARE_STEP_LANES], *y;
    const int n = (int)s->units;
    for (int k = 0; k < n; ++k)
        in[k] = tare_move(lane[(k + 1) % n]);
    m->scope_begin(m, path);
    m->adopt(m, in, n);
    for (int k = 0; k < n; ++k)
        in[k] = tare_move(in[k]);
    y = s->kind == TARE_STEP_ADD ? tare_apply1(m, &tare_op_add, NULL, in, n)
                                 : tare_apply1(m, &tare_op_concat, &(tare_concat_attr){.axis = 1}, in, n);
    if (s->activation)
        y = tare_layer_activate(m, tare_activation_op(s->activation), tare_move(y));
    m->scope_end(m, &y, 1);
    return y;
}

static inline __attribute__((always_inline)) tare_value *
tare__conv_net_layer(tare_mode *m, tare_step_kind kind, tare_block *b, tare_value *x, const tare_api api)
{
    switch (kind) {
    case TARE_STEP_CONV:
        return tare_block_call(m, b, tare_conv_layer_direct, x, api);
    case TARE_STEP_NORM:
        return tare_block_call(m, b, tare_batch_norm_layer_direct, x, api);
    case TARE_STEP_DENSE:
        if (x->d.rank > 2)
            x = tare_move(tare_flatten(m, x));
        return tare_block_call(m, b, tare_dense_layer_direct, x, api);
    case TARE_STEP_DROPOUT:
        return tare_block_call(m, b, tare_dropout_layer_direct, x, api);
    default:
        return tare_block_call(m, b, tare_pool_layer_direct, x, api);
    }
}

/* The net, written once; compiled once for each way of reaching a layer. */
static inline __attribute__((always_inline)) tare_value *tare__conv_net_body(tare_mode *m, tare_net *n, tare_value *x,
                                                                             const tare_api api)
{
    const tare_conv_net *net = (const tare_conv_net *)n;
    tare_value *lane[TARE_STEP_LANES] = {x};
    tare_block *b = net->block;
    m->scope_begin(m, NULL);
    m->adopt(m, lane, 1);
    for (int i = 0; i < net->plan->n_steps; ++i) {
        const tare_conv_net_step *s = &net->plan->step[i];
        if (tare__step_joins(s->kind)) {
            lane[0] = tare__conv_net_join(m, s, net->path[i], lane);
            continue;
        }
        x = lane[s->from];
        lane[s->to] = tare__conv_net_layer(m, s->kind, b++, s->from == s->to ? tare_move(x) : x, api);
    }
    m->scope_end(m, lane, 1);
    return lane[0];
}

#endif
