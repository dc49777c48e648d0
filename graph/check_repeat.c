/* check_repeat.c - the checker's view of recomputation: a node of the plan's own repeats one of the graph's.
 *
 * It is the same operator and variant with the same attributes, and each operand is the same value or a repetition of
 * it; outputs that write something again are left out, with the inputs that they are tied to. So by induction what it
 * makes is what the first made; that its operands had not been written again when it ran is a matter of order. The
 * graph's own nodes read the same values, or repetitions of them. */
#include "check_private.h"
#include "fused_private.h"

static tare_status wrong_repeat(const tare_node *n)
{
    return tare_error(TARE_IMPOSSIBLE, "the plan is wrong: %s '%s' is not what the program has there", n->op->name,
                      n->path ? n->path : "");
}

/* Whether input i of the first is tied to an output that the repetition leaves out. */
static bool left_out(const tare_node *first, const tare_node *n, int i)
{
    for (int o = 0; o < first->n_out && o < TARE_OPERANDS; ++o)
        if (first->op->ties[o] == i + 1 && first->operand[first->n_in + o] && !n->operand[n->n_in + o])
            return !n->operand[i] && first->op->optional >> i & 1;
    return false;
}

static tare_status check_inputs(const int32_t *same, const tare_node *first, const tare_node *n)
{
    bool like = n->op == first->op && n->variant == first->variant && n->attr == first->attr &&
                n->n_in == first->n_in && n->n_out == first->n_out && n->n_aux == first->n_aux;
    for (int i = 0; like && i < n->n_in; ++i)
        like = first->operand[i] && n->operand[i] ? same[n->operand[i]->id] == first->operand[i]->id
                                                  : first->operand[i] == n->operand[i] || left_out(first, n, i);
    return like ? TARE_OK : wrong_repeat(first);
}

/* What a repetition makes: values of its own that look like the first's and write nothing. */
static tare_status check_results(tare_check *k, int32_t *same, const tare_node *first, const tare_node *n, int32_t node)
{
    for (int o = n->n_in; o < n->n_in + n->n_out + n->n_aux; ++o) {
        const tare_value *v = n->operand[o], *of = first->operand[o];
        bool tied = o - n->n_in < n->n_out && o - n->n_in < TARE_OPERANDS && n->op->ties[o - n->n_in];
        if (!v && (!of || tied))
            continue;
        if (!v || !of || tied || v->node != node || v->id < k->n_values_graph || v != value_of(k, v->id) ||
            !tare_desc_same_shape(&v->d, &of->d) || v->d.dtype != of->d.dtype || v->view_offset != of->view_offset ||
            !v->base != !of->base || (v->base && same[v->base->id] != of->base->id))
            return wrong_repeat(first);
        same[v->id] = of->id;
    }
    return TARE_OK;
}

tare_status tare__check_repeats(tare_check *k)
{
    const tare_plan *p = k->plan;
    if (p->program == &p->graph->program)
        return TARE_OK;
    tare_arena arena = {.memory = &p->runtime->memory};
    int32_t *same = tare_arena_take(&arena, (size_t)k->n_values * sizeof *same);
    tare_status status = same ? TARE_OK : TARE_NO_MEMORY;
    for (int32_t id = 0; same && id < k->n_values; ++id)
        same[id] = id < k->n_values_graph ? id : -1;
    for (int32_t i = p->n_nodes; i < p->program->n && status == TARE_OK; ++i) {
        const tare_node *n = &p->program->node[i], *first = &p->graph->program.node[p->repeats[i - p->n_nodes]];
        status = check_inputs(same, first, n);
        if (status == TARE_OK && n->op->effects & TARE_EFFECT_RANDOM)
            status = wrong_repeat(first);
        if (status == TARE_OK)
            status = check_results(k, same, first, n, i);
    }
    for (int32_t i = 0; i < p->n_nodes && status == TARE_OK; ++i)
        if (!tare__fused_of(&p->program->node[i])) /* check_fused.c */
            status = check_inputs(same, &p->graph->program.node[i], &p->program->node[i]);
    tare_arena_fini(&arena);
    return status;
}
