/* passes.c - dead code elimination: what no result and no effect depends on is not planned. And what passes share that
 * rewrite a program. */
#include <string.h>

#include "depend_private.h"

/* Needs: the program, and which nodes earlier passes have left. Provides: live[i] for each node of the part. One sweep
 * backwards, since operands come before their readers. */
tare_status tare__plan_dce(tare_plan *p, bool *live)
{
    const tare_program *program = p->program;
    int32_t from = p->part.from;
    size_t nodes = (size_t)(p->part.to - from);
    bool *wanted = tare_memory_take_zeroed(&p->runtime->memory, TARE_MEMORY_RECORD, nodes + 1, sizeof *wanted);
    if (!wanted)
        return TARE_NO_MEMORY;
    for (int32_t k = 0; k < p->part.n_result; ++k) {
        int32_t node = program->value[p->part.result[k]]->node;
        if (node >= from)
            wanted[node - from] = true;
    }
    for (int32_t i = p->part.to - 1; i >= from; --i) {
        const tare_node *n = &program->node[i];
        wanted[i - from] = live[i - from] && (wanted[i - from] || n->op->effects || tare__plan_ties(n));
        for (int k = 0; wanted[i - from] && k < n->n_in; ++k) {
            const tare_value *v = n->operand[k];
            if (v && v->node >= from && !tare__plan_shape_only(n, k))
                wanted[v->node - from] = true;
        }
        p->passes.dead += live[i - from] && !wanted[i - from] && !n->op->view;
    }
    memcpy(live, wanted, nodes);
    tare_memory_give(&p->runtime->memory, TARE_MEMORY_RECORD, wanted, nodes + 1);
    return TARE_OK;
}

tare_program *tare__plan_own_program(tare_plan *p, size_t more_nodes, size_t more_values)
{
    size_t nodes = (size_t)p->program->n, values = (size_t)p->program->n_values;
    tare_program *own = tare_arena_take(&p->arena, sizeof *own);
    tare_node *node = tare_arena_take(&p->arena, (nodes + more_nodes) * sizeof *node);
    tare_value **value = tare_arena_take(&p->arena, (values + more_values) * sizeof(tare_value *));
    if (!own || !node || !value)
        return NULL;
    *own = *p->program;
    own->node = memcpy(node, p->program->node, nodes * sizeof *node);
    own->value = memcpy(value, p->program->value, values * sizeof(tare_value *));
    p->program = own;
    return own;
}

tare_value *tare__plan_own_value(tare_plan *p, const tare_value *v)
{
    tare_value *own = tare_arena_take(&p->arena, sizeof *own);
    return own ? memcpy(own, v, sizeof *own) : NULL;
}

bool tare__plan_pure(const tare_node *n)
{
    return (n->variant || n->op->view) && !n->op->effects && !tare__plan_ties(n);
}

bool tare__plan_makes(const tare_node *n, const bool *flag)
{
    for (int k = n->n_in; k < n->n_in + n->n_out + n->n_aux; ++k)
        if (n->operand[k] && flag[n->operand[k]->id])
            return true;
    return false;
}

void tare__plan_find_written(const tare_plan *p, bool *written)
{
    for (int32_t i = 0; i < p->program->n; ++i) {
        const tare_node *n = &p->program->node[i];
        for (int o = 0; o < n->n_out && o < TARE_OPERANDS; ++o)
            if (n->op->ties[o] && n->operand[n->n_in + o])
                written[tare_value_root(n->operand[n->n_in + o])->id] = true;
    }
}

void tare__plan_find_results(const tare_plan *p, bool *result)
{
    for (int32_t k = 0; k < p->part.n_result; ++k) {
        const tare_value *v = p->program->value[p->part.result[k]];
        result[v->id] = result[tare_value_root(v)->id] = true;
    }
}
