/* check_order.c - the checker's view of the order: what no cell of the arena tells.
 *
 * What is written again (ties) is read and written in the order of the program, externals with one storage as one. What
 * can end a run, or has an effect that no tie tells, stays in order with such writes: a run that fails has written what
 * it would have written in the order of the program. That all else is read while it is there the cells prove. */
#include "check_private.h"

static int32_t own_index(const tare_node *n)
{
    int o = n->n_in;
    while (!n->operand[o])
        ++o;
    return n->operand[o]->node;
}

static bool repeats(const tare_check *k, const tare_node *n)
{
    return own_index(n) >= k->plan->n_nodes;
}

/* In the graph's program; a repetition reads what the first read. */
static int32_t index_of(const tare_check *k, const tare_node *n)
{
    return repeats(k, n) ? k->plan->repeats[own_index(n) - k->plan->n_nodes] : own_index(n);
}

/* Whole numbers that an operator has not noted for itself (as an auxiliary) may be bad data. */
static bool reads_numbers(const tare_check *k, const tare_node *n)
{
    for (int i = 0; i < n->n_in; ++i) {
        const tare_value *v = n->operand[i];
        if (!v || shape_only(n, i) || (v->d.dtype != TARE_I32 && v->d.dtype != TARE_I64))
            continue;
        const tare_node *maker = v->node < 0 ? NULL : &k->plan->program->node[v->node];
        int o = 0;
        while (maker && (!maker->operand[maker->n_in + o] || maker->operand[maker->n_in + o]->id != v->id))
            ++o;
        if (!maker || o < maker->n_out)
            return true;
    }
    return false;
}

static tare_status check_ends(tare_check *k, int32_t call, int32_t index)
{
    const tare_node *n = k->plan->node[call];
    bool ties = false;
    for (int o = 0; o < n->n_out && o < TARE_OPERANDS; ++o)
        ties |= n->op->ties[o] && n->operand[n->n_in + o];
    bool again = repeats(k, n); /* and has met the same data without an error */
    bool ends = !ties && !again && (reads_numbers(k, n) || n->op->effects & TARE_EFFECT_STATE);
    if (((ties || ends) && k->last_end > index) || (ends && k->last_write > index))
        return tare__check_wrong(k, call, "a run that ends early would have written something else");
    k->last_end = ends && index > k->last_end ? index : k->last_end;
    k->last_write = ties && index > k->last_write ? index : k->last_write;
    return TARE_OK;
}

tare_status tare__check_order(tare_check *k, int32_t call)
{
    const tare_node *n = k->plan->node[call];
    int32_t index = index_of(k, n);
    for (int pass = 0; pass < 2; ++pass) { /* look first: a node may read what it writes */
        for (int i = 0; i < n->n_in + n->n_out + n->n_aux; ++i) {
            const tare_value *v = n->operand[i];
            if (!v || shape_only(n, i) || (i >= n->n_in && !value_of(k, v->id)->base))
                continue;
            int32_t id = k->home[root_of(k, v)->id];
            if (pass == 0 && (k->writer[id] >= index || (i >= n->n_in && k->reader[id] >= index)))
                return tare__check_wrong(k, call, "it comes after what it should come before");
            if (pass == 1 && i < n->n_in)
                k->reader[id] = index > k->reader[id] ? index : k->reader[id];
            else if (pass == 1)
                k->writer[id] = index;
        }
    }
    return check_ends(k, call, index);
}
