/* passes.c - dead code elimination: what no result and no effect depends on is not planned. */
#include "graph_private.h"

static bool writes_external(const tare_node *n)
{
    for (int o = 0; o < n->n_out && o < TARE_OPERANDS; ++o)
        if (n->op->ties[o])
            return true;
    return false;
}

/* Needs: the program. Provides: live[i] for each node. One sweep backwards, since operands come before their readers.
 */
void tare__plan_dce(const tare_graph *g, bool *live)
{
    const tare_program *p = &g->program;
    for (int32_t i = 0; i < p->n; ++i)
        live[i] = p->node[i].op->effects || writes_external(&p->node[i]);
    for (int32_t k = 0; k < g->n_output; ++k) {
        int32_t node = p->value[g->output[k]]->node;
        if (node >= 0)
            live[node] = true;
    }
    for (int32_t i = p->n - 1; i >= 0; --i) {
        const tare_node *n = &p->node[i];
        for (int k = 0; live[i] && k < n->n_in; ++k) {
            const tare_value *v = n->operand[k];
            if (v && v->node >= 0 && !tare__plan_shape_only(n, k))
                live[v->node] = true;
        }
    }
}
