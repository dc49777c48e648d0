/* layer_sequence.c - embedding and LSTM cell made, the embedding's object, the cell's step. */
#include "layer_sequence.h"

tare_status tare_embedding_layer_build(tare_net *net, tare_embedding_layer *l, const char *path, int64_t entries,
                                       int64_t width)
{
    *l = (tare_embedding_layer){.path = path};
    return tare_net_parameter(net, path, "weight", TARE_INIT_WEIGHT, 2, (const int64_t[]){entries, width}, &l->weight);
}

static tare_value *block_embedding(tare_mode *m, tare_block *b, tare_value *ids)
{
    return tare_embedding_layer_apply(m, b->layer, &tare_op_gather, ids, tare_block_data(m, b, 0));
}

static tare_value *hybrid_embedding(tare_mode *m, tare_block *b, const tare_op *const *F, tare_value *ids,
                                    tare_value *const *parameters)
{
    return tare_embedding_layer_apply(m, b->layer, F[TARE_F_gather], ids, parameters[0]);
}

void tare_embedding_layer_block(tare_embedding_layer *l, tare_block *out)
{
    static const tare_block_class embedding = {
        .name = "embedding", .parameter = {"weight"}, .forward = block_embedding, .hybrid_forward = hybrid_embedding};
    *out = (tare_block){
        .class_ = &embedding, .name = l->path, .layer = l, .parameter = {{"weight", l->weight}}, .n_parameters = 1};
}

enum { GATE_I, GATE_F, GATE_G, GATE_O, GATES };

tare_status tare_lstm_cell_build(tare_net *net, tare_lstm_cell *l, const char *path, int64_t inputs, int64_t units)
{
    const int64_t input[] = {GATES * units, inputs}, hidden[] = {GATES * units, units};
    *l = (tare_lstm_cell){.path = path, .units = units};
    tare_status status = tare_net_parameter(net, path, "weight_ih", TARE_INIT_WEIGHT, 2, input, &l->w_input);
    if (status == TARE_OK)
        status = tare_net_parameter(net, path, "weight_hh", TARE_INIT_WEIGHT, 2, hidden, &l->w_hidden);
    if (status == TARE_OK)
        status = tare_net_parameter(net, path, "bias_ih", TARE_INIT_ZERO, 1, input, &l->b_input);
    if (status == TARE_OK)
        status = tare_net_parameter(net, path, "bias_hh", TARE_INIT_ZERO, 1, hidden, &l->b_hidden);
    return status;
}

/* What goes into all gates' activations [N,4 units]. h NULL: zeros, of which the bias alone is left. */
static tare_value *gates_of(tare_mode *m, const tare_lstm_cell *l, tare_value *x, tare_value *h)
{
    tare_value *from_x = tare_dense(m, tare_move(x), l->w_input, l->b_input);
    tare_value *from_h = h ? tare_move(tare_dense(m, tare_move(h), l->w_hidden, l->b_hidden)) : l->b_hidden;
    return tare_add(m, tare_move(from_x), from_h);
}

static tare_value *gate(tare_mode *m, const tare_lstm_cell *l, tare_value *gates, int k)
{
    tare_slice_attr quarter = {.axis = 1, .begin = k * l->units, .end = (k + 1) * l->units, .step = 1};
    tare_value *in = tare_slice(m, k == GATE_O ? tare_move(gates) : gates, quarter);
    return k == GATE_G ? tare_tanh(m, tare_move(in)) : tare_sigmoid(m, tare_move(in));
}

void tare_lstm_cell_forward(tare_mode *m, const tare_lstm_cell *l, tare_value *x, tare_value **h, tare_value **c)
{
    tare_value *const in[3] = {x, *h, *c};
    tare_value *next[2];
    m->scope_begin(m, l->path);
    m->adopt(m, in, 3);
    tare_value *gates = gates_of(m, l, x, *h);
    tare_value *i = gate(m, l, gates, GATE_I);
    tare_value *f = *c ? gate(m, l, gates, GATE_F) : NULL;
    tare_value *g = gate(m, l, gates, GATE_G);
    tare_value *o = gate(m, l, gates, GATE_O);
    next[1] = tare_mul(m, tare_move(i), tare_move(g));
    if (f)
        next[1] = tare_add(m, tare_move(tare_mul(m, tare_move(f), tare_move(*c))), tare_move(next[1]));
    tare_value *open = tare_tanh(m, next[1]);
    next[0] = tare_mul(m, tare_move(o), tare_move(open));
    m->scope_end(m, next, 2);
    *h = next[0];
    *c = next[1];
}
