/* clip.c - clipping by global norm, composed over the seam: one sum of squares a gradient, added in the order of the
 * parameters, then the factor. (R. Pascanu, T. Mikolov, Y. Bengio, On the difficulty of training recurrent neural
 * networks, ICML 2013, algorithm 1.) */
#include "../ops/ops.h"
#include "net.h"

tare_value *tare_clip_global_norm(tare_mode *m, const tare_net *net, tare_value *max_norm)
{
    tare_value *total = NULL, *factor = NULL;
    m->scope_begin(m, "clip");
    for (int i = 0; i < net->n_parameters && m->error == TARE_OK; ++i) {
        tare_value *g = m->gradient(m, net->parameter[i].value);
        if (!g)
            continue;
        tare_value *squares = tare_sum_of_squares(m, g);
        total = total ? tare_accumulate(m, tare_move(total), tare_move(squares)) : squares;
    }
    if (total)
        factor = tare_clip_factor(m, tare_move(total), max_norm);
    m->scope_end(m, &factor, factor ? 1 : 0);
    return factor;
}
