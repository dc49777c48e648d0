/* gauntlet.c - a net made to break the modes: everything that usually bends a design, in one forward.
 *
 * State that changes in training (batch norm), randomness (dropout), indices (pooling, embedding), views of views
 * (flatten, split, flip, transpose, slice, reshape, expand), branches joined by concat, one dense layer with two
 * readers, an LSTM cell over five steps, a value cut off from its gradient, and one child captured as an operator of
 * its own wherever the capture service is there. */
#include <stddef.h>

#include "layer.h"
#include "layer_image.h"
#include "layer_sequence.h"
#include "layer_state.h"
#include "nets_private.h"

enum {
    CHANNELS = 2,
    SIDE = 8,
    HALF = 16,
    SHARED = 12,
    WIDE = 20,
    STEPS = 5,
    WIDTH = WIDE / STEPS,
    UNITS = 6,
    CLASSES = 10
};
enum { POOL, NORM, SHARE, DROP, CAPTURED, EMBED, LAST, BLOCKS };

typedef struct {
    tare_net net; /* first */
    tare_pool_layer pool;
    tare_batch_norm_layer norm;
    tare_dropout_layer drop;
    tare_dense_layer share, wide, last;
    tare_embedding_layer embed;
    tare_lstm_cell cell;
    tare_value *positions; /* 0 .. STEPS - 1 */
    tare_block block[BLOCKS];
} gauntlet;

static tare_status build_layers(gauntlet *g)
{
    tare_net *n = &g->net;
    g->pool = tare_pool_layer_square("pool", TARE_POOL_MAX, 2, 2);
    const int32_t position[STEPS] = {0, 1, 2, 3, 4};
    tare_status status = tare_batch_norm_layer_build(n, &g->norm, "norm", CHANNELS, (tare_batch_norm_attr){1e-5, 0.1},
                                                     TARE_ACTIVATION_NONE);
    if (status == TARE_OK)
        status = tare_dense_layer_build(n, &g->share, "share", HALF, SHARED, TARE_ACTIVATION_RELU);
    if (status == TARE_OK)
        status = tare_dropout_layer_build(n, &g->drop, "drop", 0.25);
    if (status == TARE_OK)
        status = tare_dense_layer_build(n, &g->wide, "wide", 3 * SHARED, WIDE, TARE_ACTIVATION_RELU);
    if (status == TARE_OK)
        status = tare_embedding_layer_build(n, &g->embed, "embed", STEPS, WIDTH);
    if (status == TARE_OK)
        status = tare_lstm_cell_build(n, &g->cell, "cell", WIDTH, UNITS);
    if (status == TARE_OK)
        status = tare_dense_layer_build(n, &g->last, "last", UNITS, CLASSES, TARE_ACTIVATION_NONE);
    if (status == TARE_OK)
        status = tare_net_numbers(n, "embed", "positions", STEPS, position, &g->positions);
    return status;
}

static tare_status build(tare_net *n, const void *options)
{
    (void)options;
    gauntlet *g = (gauntlet *)n;
    tare_status status = build_layers(g);
    if (status != TARE_OK)
        return status;
    tare_pool_layer_block(&g->pool, &g->block[POOL]);
    tare_batch_norm_layer_block(&g->norm, &g->block[NORM]);
    tare_dense_layer_block(&g->share, &g->block[SHARE]);
    tare_dropout_layer_block(&g->drop, &g->block[DROP]);
    tare_dense_layer_block(&g->wide, &g->block[CAPTURED]);
    tare_embedding_layer_block(&g->embed, &g->block[EMBED]);
    tare_dense_layer_block(&g->last, &g->block[LAST]);
    n->root = (tare_block){.name = n->type->name, .child = g->block, .n_children = BLOCKS};
    return tare_block_capture(n->runtime, &g->block[CAPTURED], &(tare_capture_options){0});
}

/* [N,2,8,8] -> [N,36]: pooled, normalised, cut in two, each half through the same layer, joined with a mirror image. */
static inline __attribute__((always_inline)) tare_value *branches(tare_mode *m, gauntlet *g, tare_value *x,
                                                                  const tare_api api)
{
    tare_value *half[2];
    x = tare_block_call(m, &g->block[POOL], tare_pool_layer_direct, x, api);
    x = tare_block_call(m, &g->block[NORM], tare_batch_norm_layer_direct, tare_move(x), api);
    tare_value *flat[] = {tare_move(tare_flatten(m, tare_move(x)))};
    (void)m->apply(m, &tare_op_split, &(tare_split_attr){.axis = 1, .parts = 2}, flat, 1, half, 0);
    tare_value *a = tare_block_call(m, &g->block[SHARE], tare_dense_layer_direct, tare_move(half[0]), api);
    tare_value *b = tare_block_call(m, &g->block[SHARE], tare_dense_layer_direct, tare_move(half[1]), api);
    a = tare_tanh(m, tare_move(a));
    b = tare_sigmoid(m, tare_move(b));
    tare_value *mirror = tare_flip(m, tare_move(tare_sub(m, a, b)), (tare_flip_attr){.axes = {1, {1}}});
    tare_value *turned = tare_transpose(m, tare_move(mirror), (tare_transpose_attr){0});
    tare_value *twice = tare_transpose(m, tare_move(turned), (tare_transpose_attr){0});
    tare_value *product = tare_mul(m, tare_move(twice), a);
    tare_value *const part[] = {tare_move(a), tare_move(b), tare_move(product)};
    return tare_apply1(m, &tare_op_concat, &(tare_concat_attr){.axis = 1}, part, 3);
}

/* [N,20] -> [N,6]: five steps of the cell over [N,4] slices with an embedded position added, the hidden states summed.
 */
static inline __attribute__((always_inline)) tare_value *sequence(tare_mode *m, gauntlet *g, tare_value *x,
                                                                  const tare_api api)
{
    tare_value *h = NULL, *c = NULL, *sum = NULL;
    tare_value *places = tare_block_call(m, &g->block[EMBED], tare_embedding_layer_direct, g->positions, api);
    tare_value *steps = tare_reshape(m, tare_move(x), (tare_reshape_attr){.shape = {3, {-1, STEPS, WIDTH}}});
    for (int t = 0; t < STEPS; ++t) {
        bool last = t == STEPS - 1;
        tare_slice_attr row = {.axis = 1, .begin = t, .end = t + 1, .step = 1},
                        place = {.begin = t, .end = t + 1, .step = 1};
        tare_value *now = tare_slice(m, last ? tare_move(steps) : steps, row);
        now = tare_reshape(m, tare_move(now), (tare_reshape_attr){.shape = {2, {-1, WIDTH}}});
        tare_value *here = tare_slice(m, last ? tare_move(places) : places, place);
        now = tare_add(m, tare_move(now), tare_move(here));
        if (c)
            tare_move(c);
        tare_lstm_cell_forward(m, &g->cell, tare_move(now), &h, &c);
        sum = sum ? tare_add(m, tare_move(sum), h) : h;
    }
    tare_value *state = tare_detach(m, tare_move(c));
    state = tare_scale(m, tare_move(state), (tare_scale_attr){0.5});
    return tare_add(m, tare_move(sum), tare_move(state));
}

static inline __attribute__((always_inline)) tare_value *body(tare_mode *m, tare_net *n, tare_value *x,
                                                              const tare_api api)
{
    gauntlet *g = (gauntlet *)n;
    m->scope_begin(m, NULL);
    x = branches(m, g, x, api);
    x = tare_block_call(m, &g->block[DROP], tare_dropout_layer_direct, tare_move(x), api);
    x = tare_block_hybrid(m, &g->block[CAPTURED],
                          tare_move(x)); /* an operator of its own, whatever reaches the others */
    x = sequence(m, g, tare_move(x), api);
    x = tare_block_call(m, &g->block[LAST], tare_dense_layer_direct, tare_move(x), api);
    m->scope_end(m, &x, 1);
    return x;
}

TARE_NET_FORWARDS(body)

static void input(const void *options, tare_desc *sample)
{
    (void)options;
    *sample = tare_desc_of(TARE_F32, 3, (const int64_t[]){CHANNELS, SIDE, SIDE});
}

static void output(const void *options, tare_desc *sample)
{
    (void)options;
    *sample = tare_desc_of(TARE_F32, 1, (const int64_t[]){CLASSES});
}

static const tare_net_type gauntlet_type = {.name = "gauntlet",
                                            .doc =
                                                "state, randomness, views, joins, sharing, an LSTM, a captured child",
                                            .default_batch = 6,
                                            .bench_loss = TARE_LOSS_SOFTMAX_CE,
                                            .training_loss = TARE_LOSS_SOFTMAX_CE,
                                            .input = input,
                                            .output = output,
                                            .net_bytes = sizeof(gauntlet),
                                            .build = build,
                                            .forward = TARE_NET_FORWARD(body)};

tare_status tare__gauntlet_register(tare_runtime *rt)
{
    return tare_register(rt, TARE_KIND_NET, &gauntlet_type);
}
