/* passes.c - dead code elimination: what no result and no effect depends on is not planned. */
#include "depend_private.h"

/* Needs: the program. Provides: live[i] for each node of the part. One sweep backwards, since operands come before
 * their readers. */
void tare__plan_dce(const tare_program *p, const tare_part *part, bool *live)
{
    int32_t from = part->from;
    for (int32_t i = from; i < part->to; ++i)
        live[i - from] = p->node[i].op->effects || tare__plan_ties(&p->node[i]);
    for (int32_t k = 0; k < part->n_result; ++k) {
        int32_t node = p->value[part->result[k]]->node;
        if (node >= from)
            live[node - from] = true;
    }
    for (int32_t i = part->to - 1; i >= from; --i) {
        for (int k = 0; live[i - from] && k < p->node[i].n_in; ++k) {
            const tare_value *v = p->node[i].operand[k];
            if (v && v->node >= from && !tare__plan_shape_only(&p->node[i], k))
                live[v->node - from] = true;
        }
    }
}
