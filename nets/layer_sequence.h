/* layer_sequence.h - layers for sequences: embedding, and an LSTM cell composed of elementary operators. */
#ifndef TARE_NETS_LAYER_SEQUENCE_H
#define TARE_NETS_LAYER_SEQUENCE_H

#include "net.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y[...,:] = weight[ids[...],:]; ids int32 [...] within [0,entries), weight [entries,width] */
typedef struct {
    const char *path;
    tare_value *weight;
} tare_embedding_layer;

TARE_API tare_status tare_embedding_layer_build(tare_net *net, tare_embedding_layer *, const char *path,
                                                int64_t entries, int64_t width);

static inline tare_value *tare_embedding_layer_apply(tare_mode *m, const tare_embedding_layer *l, const tare_op *gather,
                                                     tare_value *ids, tare_value *weight)
{
    m->scope_begin(m, l->path);
    m->adopt(m, &ids, 1);
    tare_value *const in[] = {weight, tare_move(ids)};
    tare_value *y = tare_apply1(m, gather, NULL, in, 2);
    m->scope_end(m, &y, 1);
    return y;
}

static inline tare_value *tare_embedding_layer_forward(tare_mode *m, const tare_embedding_layer *l, tare_value *ids)
{
    return tare_embedding_layer_apply(m, l, &tare_op_gather, ids, l->weight);
}

static inline tare_value *tare_embedding_layer_direct(tare_mode *m, tare_block *b, tare_value *ids)
{
    return tare_embedding_layer_forward(m, (const tare_embedding_layer *)b->layer, ids);
}

TARE_API void tare_embedding_layer_block(tare_embedding_layer *, tare_block *out);

/* i, f, o = sigmoid, g = tanh of their quarter of x w_inputᵀ + b_input + h w_hiddenᵀ + b_hidden, in this order:
 *     i, f, g, o;    c' = f c + i g, h' = o tanh(c')
 * x [N,inputs], h, c, h', c' [N,units]. Parameters as torch.nn.LSTMCell's, bit for bit the same layout.
 * (S. Hochreiter, J. Schmidhuber, 1997; with forget gates: F. Gers et al., 2000.) */
typedef struct {
    const char *path;
    int64_t units;
    tare_value *w_input, *w_hidden; /* "weight_ih" [4 units,inputs], "weight_hh" [4 units,units] */
    tare_value *b_input, *b_hidden; /* "bias_ih", "bias_hh" [4 units] */
} tare_lstm_cell;

TARE_API tare_status tare_lstm_cell_build(tare_net *net, tare_lstm_cell *, const char *path, int64_t inputs,
                                          int64_t units);

/* One step: *h and *c are replaced; both NULL before the first step: zeros. Old ones that were moved (tare_move) are
 * let go as soon as they have been read. */
TARE_API void tare_lstm_cell_forward(tare_mode *m, const tare_lstm_cell *, tare_value *x, tare_value **h,
                                     tare_value **c);

#ifdef __cplusplus
}
#endif
#endif
