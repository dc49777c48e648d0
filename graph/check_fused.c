/* check_fused.c - the checker's view of fusion: a fused node does what the graph's nodes that it stands for do.
 *
 * Each step is one of the graph's nodes, with its operator and kernel; each of its operands is the node's own, given to
 * the fused node, or what the step before made; the outputs are the last step's. What lies between two steps has no
 * place in the plan, so that nobody else reads it is proved with all other reads. What an earlier step reads must not
 * have been written again until the last one's turn. */
#include "check_private.h"
#include "fused_private.h"

static tare_status wrong_step(const tare_node *n)
{
    return tare_error(TARE_IMPOSSIBLE, "the plan is wrong: %s '%s' is not what its steps are", n->op->name,
                      n->path ? n->path : "");
}

/* Elements apart as the step's kernel takes them, or read whole. */
static bool item_right(const tare_fused *f, const tare_fused_step *step, const tare_node *is, int k)
{
    const tare_desc *d = &is->operand[k]->d;
    const int64_t n = tare_desc_count(d);
    const bool each = k >= is->n_in || step->variant->elementwise >> (k & 31) & 1;
    const bool one_by_one = step->place[k].item == (int64_t)tare_dtype_bytes((tare_dtype)d->dtype);
    if (step->variant->tile)
        return k < is->n_in || (one_by_one && n == f->n);
    return d->contiguous && (each && n == f->n ? one_by_one : step->place[k].item == 0 && (!each || n == 1));
}

static bool place_right(const tare_check *c, const tare_fused *f, const tare_node *n, const tare_node *is, int s, int k,
                        const tare_value *between)
{
    const tare_fused_step *step = &f->step[s];
    const tare_fused_place *place = &step->place[k];
    const tare_value *v = is->operand[k];
    const bool last = s == f->n_steps - 1;
    if (!v || shape_only(is, k))
        return place->at == TARE_FUSED_NONE;
    if (!item_right(f, step, is, k))
        return false;
    if (k >= is->n_in)
        return last ? place->at == n->n_in + k - is->n_in && n->operand[place->at] == v
                    : place->at == TARE_FUSED_MADE && is->n_out == 1;
    const int32_t id = tare__check_stands(c, v->id);
    if (between && id == tare__check_stands(c, between->id))
        return place->at == TARE_FUSED_BETWEEN;
    return place->at >= 0 && place->at < n->n_in && n->operand[place->at] &&
           tare__check_stands(c, n->operand[place->at]->id) == id;
}

/* The first node, in [from, to), that writes over what a node reads; -1: none. */
static int32_t written_again(const tare_check *k, const tare_node *n, int32_t from, int32_t to)
{
    for (int32_t i = from; i < to; ++i) {
        const tare_node *other = &k->plan->graph->program.node[i];
        for (int o = 0; o < other->n_out && o < TARE_OPERANDS; ++o) {
            if (!other->op->ties[o] || !other->operand[other->n_in + o])
                continue;
            int32_t home = k->home[root_of(k, other->operand[other->n_in + o])->id];
            for (int e = 0; e < n->n_in; ++e)
                if (n->operand[e] && !shape_only(n, e) && k->home[root_of(k, n->operand[e])->id] == home)
                    return i;
        }
    }
    return -1;
}

/* Whether output 0 may lie on input i, as the record made at run time says. Elementwise steps make an element of it
 * when all have read theirs, if they read the input one by one; a product's pieces have read all that they want of it
 * only if they want none, and it must not be made there itself. The last step reads it as its own record allows. */
static bool may_overwrite(const tare_fused *f, int i)
{
    const tare_fused_step *last = &f->step[f->n_steps - 1];
    const int16_t item = last->place[last->n_operands - 1].item;
    bool may = i >= 0 && last->op->n_out == 1 && !last->op->ties[0] && !f->in_place;
    for (int s = 0; s < f->n_steps; ++s)
        for (int e = 0; may && e < f->step[s].n_operands; ++e)
            if (f->step[s].place[e].at == i)
                may = f->step[s].place[e].item == item && !(f->led && s == 0) &&
                      (s < f->n_steps - 1 || last->op->overwrites[0] == e + 1);
    return may;
}

static tare_status check_steps(const tare_check *k, int32_t node, const tare_fused *f)
{
    const tare_node *n = &k->plan->program->node[node];
    const tare_value *between = NULL;
    int32_t at = k->plan->part.from - 1;
    for (int s = 0; s < f->n_steps; ++s) {
        const tare_fused_step *step = &f->step[s];
        const tare_node *is = &k->plan->graph->program.node[step->node];
        bool right = step->node > at && step->node <= node && step->op == is->op && step->variant == is->variant &&
                     step->n_operands == is->n_in + is->n_out && is->n_aux == 0 &&
                     (step->variant->elementwise || (s == 0 && f->led && step->variant->tile));
        for (int e = 0; e < step->n_operands && right; ++e)
            right = place_right(k, f, n, is, s, e, between);
        if (!right || written_again(k, is, step->node + 1, node) >= 0)
            return wrong_step(n);
        between = is->operand[is->n_in];
        at = step->node;
    }
    const tare_node *last = &k->plan->graph->program.node[node];
    bool ends = at == node && n->n_out == last->n_out && n->op->effects == last->op->effects;
    for (int o = 0; o < TARE_OPERANDS && ends; ++o)
        ends = !n->op->overwrites[o] || (o == 0 && may_overwrite(f, n->op->overwrites[o] - 1));
    for (int o = 0; o < last->n_out && o < TARE_OPERANDS && ends; ++o)
        ends = last->op->ties[o] ? n->operand[n->op->ties[o] - 1] == last->operand[last->op->ties[o] - 1]
                                 : n->op->ties[o] == 0;
    return ends ? TARE_OK : wrong_step(n);
}

tare_status tare__check_fused(const tare_check *k)
{
    const tare_plan *p = k->plan;
    for (int32_t i = p->part.from; p->program != &p->graph->program && i < p->part.to; ++i) {
        const tare_fused *f = tare__fused_of(&p->program->node[i]);
        tare_status status = f ? check_steps(k, i, f) : TARE_OK;
        if (status != TARE_OK)
            return status;
    }
    return TARE_OK;
}
