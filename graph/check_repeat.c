/* check_repeat.c - the checker's view of recomputation: a node of the plan's own repeats one of the graph's.
 *
 * It is the same operator and variant with the same attributes, and each operand is the same value or a repetition of
 * it; outputs that write something again are left out, with the inputs that they are tied to. So by induction what it
 * makes is what the first made; that its operands had not been written again when it ran is a matter of order. The
 * graph's own nodes read the same values, or repetitions of them, or what stands for these (check_merge.c). */
#include "check_private.h"
#include "fused_private.h"

static tare_status wrong_repeat(const tare_node *n)
{
    return tare_error(TARE_IMPOSSIBLE, "the plan is wrong: %s '%s' is not what the program has there", n->op->name,
                      n->path ? n->path : "");
}

static int32_t stands(const tare_check *k, int32_t id)
{
    return id < 0 ? id : tare__check_stands(k, id);
}

/* Whether input i of the first is tied to an output that the repetition leaves out. */
static bool left_out(const tare_node *first, const tare_node *n, int i)
{
    for (int o = 0; o < first->n_out && o < TARE_OPERANDS; ++o)
        if (first->op->ties[o] == i + 1 && first->operand[first->n_in + o] && !n->operand[n->n_in + o])
            return !n->operand[i] && first->op->optional >> i & 1;
    return false;
}

/* same: value id -> that of the graph's value that it is, or repeats; -1: none. */
static tare_status check_inputs(const tare_check *k, const int32_t *same, const tare_node *first, const tare_node *n)
{
    bool like = n->op == first->op && n->variant == first->variant && n->attr == first->attr &&
                n->n_in == first->n_in && n->n_out == first->n_out && n->n_aux == first->n_aux;
    for (int i = 0; like && i < n->n_in; ++i)
        like = first->operand[i] && n->operand[i]
                   ? stands(k, same[n->operand[i]->id]) == stands(k, first->operand[i]->id)
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
            !v->base != !of->base || (v->base && stands(k, same[v->base->id]) != stands(k, of->base->id)))
            return wrong_repeat(first);
        same[v->id] = of->id;
    }
    return TARE_OK;
}

/* Whether the node adds by itself, to the sum's other operand, what another makes as operand `which`; and nothing is
 * written again from that one to the sum. */
static bool adds(const tare_check *k, const int32_t *same, const tare_node *sum, const tare_node *n, int32_t at,
                 int which)
{
    const tare_value *v = sum->operand[which], *other = sum->operand[1 - which];
    if (v->node < k->plan->part.from || v->base || v == other)
        return false;
    const tare_node *before = &k->plan->graph->program.node[v->node];
    bool like = n->op == before->op->adds && before->op->adds && n->attr == before->attr &&
                n->n_in == before->n_in + 1 && n->n_out == 1 && n->n_aux == 0 && before->n_out == 1 &&
                before->operand[before->n_in] == v && before->op->effects == TARE_EFFECT_NONE && n->variant &&
                n->variant->set == before->variant->set && n->operand[n->n_in] == sum->operand[sum->n_in];
    for (int i = 0; like && i < n->n_in; ++i) {
        const tare_value *x = i < before->n_in ? before->operand[i] : other;
        like = x && n->operand[i] ? stands(k, same[n->operand[i]->id]) == stands(k, x->id) : x == n->operand[i];
    }
    for (int32_t between = v->node; like && between < at; ++between)
        for (int o = 0; like && o < k->plan->graph->program.node[between].n_out && o < TARE_OPERANDS; ++o)
            like = !k->plan->graph->program.node[between].op->ties[o];
    return like;
}

/* A node of the graph's: it reads the same, and what it makes is what the graph has there, on the same base. */
static tare_status check_own(const tare_check *k, const int32_t *same, int32_t i)
{
    const tare_node *n = &k->plan->program->node[i], *first = &k->plan->graph->program.node[i];
    if (n->op != first->op && first->op == k->plan->runtime->accumulate)
        return adds(k, same, first, n, i, 0) || adds(k, same, first, n, i, 1) ? TARE_OK : wrong_repeat(first);
    tare_status status = check_inputs(k, same, first, n);
    for (int o = n->n_in; status == TARE_OK && o < n->n_in + n->n_out + n->n_aux; ++o) {
        const tare_value *v = n->operand[o], *of = first->operand[o];
        if (v == of)
            continue;
        if (!v || !of || v->id != of->id || v != value_of(k, v->id) || v->node != i || !v->base || !of->base ||
            v->view_offset != of->view_offset || v->d.dtype != of->d.dtype || !tare_desc_same_shape(&v->d, &of->d) ||
            stands(k, same[v->base->id]) != stands(k, of->base->id))
            status = wrong_repeat(first);
        for (int d = 0; status == TARE_OK && d < v->d.rank; ++d)
            status = v->d.stride[d] == of->d.stride[d] ? TARE_OK : wrong_repeat(first);
    }
    return status;
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
        int32_t of = p->repeats[i - p->n_nodes];
        bool known = of >= 0 && of < p->n_nodes;
        const tare_node *n = &p->program->node[i], *first = &p->program->node[known ? of : 0];
        status = known ? TARE_OK : wrong_repeat(n);
        if (status == TARE_OK)
            status = check_inputs(k, same, first, n);
        if (status == TARE_OK && n->op->effects & TARE_EFFECT_RANDOM)
            status = wrong_repeat(first);
        if (status == TARE_OK)
            status = check_results(k, same, first, n, i);
    }
    for (int32_t i = 0; i < p->n_nodes && status == TARE_OK; ++i)
        if (!tare__fused_of(&p->program->node[i])) /* check_fused.c */
            status = check_own(k, same, i);
    tare_arena_fini(&arena);
    return status;
}
