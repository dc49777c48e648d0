/* add_to.c - a pass: a result that is only added to a sum is added as it is made.
 *
 * Needs: the live nodes. Provides: a program of the plan's own in which `accumulate` of a value and of a node's result
 * is that node's adding operator (tare_op.adds) on its inputs and the value, and the node out of live. The sum takes
 * over the value's bytes if that dies there, as any result may (buffers.c), so the result needs none of its own. Only
 * where nothing reads the result but the accumulation that follows at once, and where the adding operator has a variant
 * of the same set for these shapes: its record promises the bits of the two nodes. */
#include <string.h>

#include "depend_private.h"

typedef struct {
    tare_plan *p;
    bool *live;
    int32_t *n_reads; /* root's id -> live reads of it, views and results too */
} pass;

static void count_reads(pass *s)
{
    const tare_plan *p = s->p;
    for (int32_t i = p->part.from; i < p->part.to; ++i) {
        const tare_node *n = &p->program->node[i];
        for (int k = 0; s->live[i - p->part.from] && k < n->n_in; ++k)
            s->n_reads[n->operand[k] ? n->operand[k]->id : p->program->n_values] += 1;
    }
    for (int32_t r = 0; r < p->part.n_result; ++r)
        ++s->n_reads[p->part.result[r]];
}

/* Whether operand k of the sum is made by the node before it, which makes nothing else, and read by the sum alone. */
static bool may_add(const pass *s, const tare_node *before, const tare_node *sum, int k)
{
    const tare_value *v = sum->operand[k], *other = sum->operand[1 - k];
    bool only = before->op->adds && before->n_out == 1 && before->operand[before->n_in] == v && !v->base;
    for (int a = before->n_in + 1; only && a < before->n_in + 1 + before->n_aux; ++a)
        only = !before->operand[a];
    return only && other != v && s->n_reads[v->id] == 1 && !before->op->effects &&
           before->op->adds->n_in == before->n_in + 1;
}

/* The sum as the adding operator; false: it has no such variant. */
static bool adding_node(const pass *s, const tare_node *before, const tare_node *sum, int k, tare_value **operand,
                        tare_node *out)
{
    memcpy(operand, before->operand, (size_t)before->n_in * sizeof *operand);
    operand[before->n_in] = sum->operand[1 - k];
    operand[before->n_in + 1] = sum->operand[sum->n_in];
    *out = *before;
    out->op = before->op->adds;
    out->n_in = (int16_t)(before->n_in + 1);
    out->n_aux = out->op->n_aux;
    out->absent = 0;
    out->operand = operand;
    out->variant = out->op->n_aux ? NULL : tare__plan_variant(s->p->runtime, out);
    return out->variant && out->variant->set == before->variant->set;
}

static tare_status add(pass *s, int32_t at, int32_t before_at)
{
    tare_plan *p = s->p;
    const tare_node *sum = &p->program->node[at], *before = &p->program->node[before_at];
    if (sum->op != p->runtime->accumulate || sum->operand[0]->base || sum->operand[1]->base)
        return TARE_OK;
    tare_value *trial[TARE_OPERANDS];
    tare_node out;
    int k = 0;
    while (k < 2 && (!may_add(s, before, sum, k) || before->n_in + 2 > TARE_OPERANDS ||
                     !adding_node(s, before, sum, k, trial, &out)))
        ++k;
    if (k == 2)
        return TARE_OK;
    if (p->program == &p->graph->program && !tare__plan_own_program(p, 0, 0))
        return TARE_NO_MEMORY;
    size_t bytes = (size_t)(out.n_in + out.n_out) * sizeof(tare_value *);
    out.operand = tare_arena_take(&p->arena, bytes);
    if (!out.operand)
        return TARE_NO_MEMORY;
    memcpy(out.operand, trial, bytes);
    p->program->node[at] = out;
    s->live[before_at - p->part.from] = false;
    ++p->passes.added;
    return TARE_OK;
}

tare_status tare__plan_add_to(tare_plan *p, bool *live)
{
    pass s = {.p = p, .live = live};
    size_t values = (size_t)p->program->n_values + 1;
    s.n_reads = tare_memory_take_zeroed(&p->runtime->memory, TARE_MEMORY_RECORD, values, sizeof *s.n_reads);
    if (!s.n_reads)
        return TARE_NO_MEMORY;
    count_reads(&s);
    tare_status status = TARE_OK;
    for (int32_t i = p->part.from, before = -1; i < p->part.to && status == TARE_OK; ++i) {
        if (!live[i - p->part.from] || p->program->node[i].op->view)
            continue;
        if (before >= 0)
            status = add(&s, i, before);
        before = i;
    }
    tare_memory_give(&p->runtime->memory, TARE_MEMORY_RECORD, s.n_reads, values * sizeof *s.n_reads);
    return status;
}
