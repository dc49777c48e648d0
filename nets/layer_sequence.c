/* layer_sequence.c - embedding and LSTM cell made, the embedding's object, the cell's step. */
#include "layer_sequence.h"

#include <stdio.h>

tare_status tare_embedding_layer_build(tare_net *net, tare_embedding_layer *l, const char *path, int64_t entries,
                                       int64_t width)
{
    *l = (tare_embedding_layer){.path = path};
    return tare_net_parameter(net, path, "weight", TARE_INIT_XAVIER_UNIFORM, 2, (const int64_t[]){entries, width},
                              &l->weight);
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

static tare_status gate_parameter(tare_net *net, const char *path, const char *name, int gate, int rank,
                                  const int64_t *dim, tare_value **out)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%s_%c", name, "ifgo"[gate]);
    return tare_net_parameter(net, path, text, rank == 2 ? TARE_INIT_XAVIER_UNIFORM : TARE_INIT_ZERO, rank, dim, out);
}

tare_status tare_lstm_cell_build(tare_net *net, tare_lstm_cell *l, const char *path, int64_t inputs, int64_t units)
{
    const int64_t input[] = {units, inputs}, hidden[] = {units, units};
    tare_status status = TARE_OK;
    *l = (tare_lstm_cell){.path = path};
    for (int k = 0; k < TARE_GATES && status == TARE_OK; ++k) {
        status = gate_parameter(net, path, "w_input", k, 2, input, &l->w_input[k]);
        if (status == TARE_OK)
            status = gate_parameter(net, path, "w_hidden", k, 2, hidden, &l->w_hidden[k]);
        if (status == TARE_OK)
            status = gate_parameter(net, path, "b_input", k, 1, &units, &l->b_input[k]);
        if (status == TARE_OK)
            status = gate_parameter(net, path, "b_hidden", k, 1, &units, &l->b_hidden[k]);
    }
    return status;
}

/* What goes into gate k's activation; `last` gives x and h up. h NULL: zeros, of which the bias alone is left. */
static tare_value *gate(tare_mode *m, const tare_lstm_cell *l, int k, tare_value *x, tare_value *h, bool last)
{
    tare_value *from_x = tare_dense(m, last ? tare_move(x) : x, l->w_input[k], l->b_input[k]);
    if (!h)
        return tare_add(m, tare_move(from_x), l->b_hidden[k]);
    tare_value *from_h = tare_dense(m, last ? tare_move(h) : h, l->w_hidden[k], l->b_hidden[k]);
    return tare_add(m, tare_move(from_x), tare_move(from_h));
}

void tare_lstm_cell_forward(tare_mode *m, const tare_lstm_cell *l, tare_value *x, tare_value **h, tare_value **c)
{
    tare_value *const in[3] = {x, *h, *c};
    tare_value *next[2];
    m->scope_begin(m, l->path);
    m->adopt(m, in, 3);
    tare_value *i = tare_sigmoid(m, tare_move(gate(m, l, TARE_GATE_I, x, *h, false)));
    tare_value *f = *c ? tare_sigmoid(m, tare_move(gate(m, l, TARE_GATE_F, x, *h, false))) : NULL;
    tare_value *g = tare_tanh(m, tare_move(gate(m, l, TARE_GATE_G, x, *h, false)));
    tare_value *o = tare_sigmoid(m, tare_move(gate(m, l, TARE_GATE_O, x, *h, true)));
    next[1] = tare_mul(m, tare_move(i), tare_move(g));
    if (f)
        next[1] = tare_add(m, tare_move(tare_mul(m, tare_move(f), tare_move(*c))), tare_move(next[1]));
    tare_value *open = tare_tanh(m, next[1]);
    next[0] = tare_mul(m, tare_move(o), tare_move(open));
    m->scope_end(m, next, 2);
    *h = next[0];
    *c = next[1];
}
