/* check_join.c - the checker's view of placement: a value whose joining node is not run is made by its parts; one whose
 * node is run over some inputs in their parts is made by these and by the node, which writes the other parts alone (the
 * record's promise: tare_op.join). Who touches a part takes it as it lies. */
#include "check_private.h"
#include "fused_private.h"

/* ---- operands
 * ----------------------------------------------------------------------------------------------------------------*/
static bool takes(tare_strides strides, const tare_desc *d)
{
    bool forward = true;
    for (int i = 0; i < d->rank; ++i)
        forward = forward && d->stride[i] >= 0;
    return d->contiguous || strides == TARE_STRIDES_ANY || (strides == TARE_STRIDES_FORWARD && forward) ||
           (strides == TARE_STRIDES_OUTER && tare_desc_outer(d));
}

/* The program's operands, looking as they lie, and a variant of the set chosen there that takes them so. */
bool tare__check_operands(const tare_check *k, int32_t call)
{
    const tare_plan *p = k->plan;
    const tare_node *n = p->node[call], *is = &p->program->node[tare__check_index(n)];
    const tare_variant *v = n->variant;
    const tare_kernels *usable = tare_runtime_kernels(p->runtime, n->op);
    const bool own = tare__fused_of(n) != NULL; /* its one variant is its own */
    bool right = n->op == is->op && v->set == is->variant->set &&
                 (own ? v == n->op->variants : v >= usable->variant && v < usable->variant + usable->n);
    for (int i = 0; i < n->n_in + n->n_out + n->n_aux && right; ++i) {
        const tare_value *x = n->operand[i], *wanted = is->operand[i];
        wanted = wanted && p->placed[wanted->id] ? p->placed[wanted->id] : wanted;
        int at = i < n->n_in ? i : i - n->n_in;
        at = at < TARE_OPERANDS ? at : TARE_OPERANDS - 1;
        tare_strides strides = (tare_strides)(i < n->n_in ? v->in_strides[at] : v->out_strides[at]);
        right = x == wanted && (!x || shape_only(n, i) || takes(strides, &x->d));
    }
    return right;
}

/* ---- wholes made of parts
 * --------------------------------------------------------------------------------------------*/
static tare_status wrong_join(const tare_value *v, const char *what)
{
    return tare_error(TARE_IMPOSSIBLE, "the plan is wrong: a part of value %d %s", v->id, what);
}

/* Input i of a joining node as its part in the output, by the record. */
static tare_value part_of(const tare_check *k, const tare_node *n, int i)
{
    const tare_value *y = n->operand[n->n_in], *whole = k->plan->placed[y->id] ? k->plan->placed[y->id] : y;
    tare_value part = *value_of(k, n->operand[i]->id);
    tare_args a = tare_node_args(n);
    part.view_offset = n->op->join(&a, &whole->d, i, &part.d);
    tare_desc_measure(&part.d);
    return part;
}

/* Whether input i of the node lies in its part. */
static bool in_part(const tare_check *k, const tare_node *n, int i)
{
    const tare_value *x = n->operand[i], *placed = x ? k->plan->placed[x->id] : NULL;
    if (!placed || placed->base != n->operand[n->n_in])
        return false;
    const tare_value part = part_of(k, n, i);
    bool same = part.view_offset == placed->view_offset && tare_desc_same_shape(&part.d, &placed->d);
    for (int d = 0; d < part.d.rank; ++d)
        same = same && part.d.stride[d] == placed->d.stride[d];
    return same && part.d.contiguous == placed->d.contiguous && (part.d.contiguous || tare_desc_outer(&part.d));
}

/* Which inputs of the node that makes y lie in it. */
static tare_status note_parts(tare_check *k, const tare_value *y)
{
    const tare_node *n = &k->plan->program->node[y->node];
    int there = 0;
    if (!n->op->join || y->base)
        return wrong_join(y, "is placed, and its node joins nothing");
    for (int i = 0; i < n->n_in; ++i) {
        if (!in_part(k, n, i))
            continue;
        const tare_value *x = n->operand[i];
        if (k->part_of[x->id] >= 0 || x->base || x->node < k->plan->part.from)
            return wrong_join(y, "is there twice, or no value of the plan's own");
        k->part_of[x->id] = y->id;
        ++there;
    }
    k->joined[y->id] = there == n->n_in;
    k->filled[y->id] = there < n->n_in;
    return TARE_OK;
}

/* A whole and its parts share bytes: nothing may write them again. */
static tare_status check_unwritten(const tare_check *k)
{
    const tare_program *program = k->plan->program;
    for (int32_t i = k->plan->part.from; i < k->plan->part.to; ++i) {
        const tare_node *n = &program->node[i];
        for (int o = 0; o < n->n_out && o < TARE_OPERANDS; ++o) {
            const tare_value *v = n->op->ties[o] ? n->operand[n->n_in + o] : NULL;
            const tare_value *root = v ? root_of(k, v) : NULL;
            if (root && (k->part_of[root->id] >= 0 || k->joined[root->id] || k->filled[root->id]))
                return wrong_join(root, "or the whole is written again");
        }
    }
    return TARE_OK;
}

tare_status tare__check_joins(tare_check *k)
{
    const tare_plan *p = k->plan;
    bool any = false;
    tare_status status = TARE_OK;
    for (int32_t id = 0; id < k->n_values && status == TARE_OK; ++id) {
        const tare_value *y = p->placed[id] ? p->placed[id]->base : NULL;
        if (y && !k->joined[y->id] && !k->filled[y->id])
            status = note_parts(k, y);
        if (status == TARE_OK && y && k->part_of[id] != y->id)
            status = wrong_join(y, "has a place that is not its own");
        any |= y != NULL;
    }
    if (!any || status != TARE_OK)
        return status;
    for (int32_t c = 0; c < p->n_calls; ++c)
        for (int o = p->node[c]->n_in; o < p->node[c]->n_in + p->node[c]->n_out; ++o)
            if (p->node[c]->operand[o] && k->joined[p->node[c]->operand[o]->id])
                return wrong_join(p->node[c]->operand[o], "is written by the joining node too");
    return check_unwritten(k);
}

bool tare__check_fills(const tare_check *k, const tare_node *n)
{
    return n->op->join && k->filled[n->operand[n->n_in]->id];
}

tare_status tare__check_fill(const tare_check *k, int32_t call, int32_t from)
{
    const tare_node *n = k->plan->node[call];
    const tare_value *y = n->operand[n->n_in];
    if (!tare__check_fills(k, n))
        return TARE_OK;
    const tare_node *is = &k->plan->program->node[y->node];
    int64_t address = address_of(k->plan, from + n->n_in), item = (int64_t)tare_dtype_bytes((tare_dtype)y->d.dtype);
    for (int i = 0; i < n->n_in; ++i) {
        const tare_value part = part_of(k, is, i);
        int64_t at = address + part.view_offset * item;
        if (in_part(k, is, i)) {
            if (address < 0 || k->where[part.id] != at)
                return tare__check_wrong(k, call, "a part of what it joins is not in its place");
            continue;
        }
        if (!part.d.contiguous && !tare_desc_outer(&part.d))
            return tare__check_wrong(k, call, "it copies a part that is not rows");
        const tare_region out = region_of(&part.d, at);
        for (int e = 0; e < n->n_in; ++e)
            if (tare__check_meet(out, k->region[e]))
                return tare__check_wrong(k, call, "it copies over an operand of its own");
    }
    return TARE_OK;
}

/* All parts are there, each where the whole has it, and nobody has written over them. */
tare_status tare__check_assemble(tare_check *k, const tare_value *y, int64_t address)
{
    const tare_node *n = &k->plan->program->node[y->node];
    int64_t item = (int64_t)tare_dtype_bytes((tare_dtype)y->d.dtype);
    if (k->part_of[y->id] < 0 && address >= 0 && address % TARE_ALIGNMENT)
        return tare_error(TARE_IMPOSSIBLE, "the plan is wrong: value %d, which is made by its parts, is not aligned",
                          y->id);
    for (int i = 0; i < n->n_in; ++i) {
        const tare_value *x = n->operand[i];
        int64_t at = address + k->plan->placed[x->id]->view_offset * item;
        if (k->joined[x->id] && k->where[x->id] == NOT_DEFINED && tare__check_assemble(k, x, at) != TARE_OK)
            return TARE_IMPOSSIBLE;
        if (k->where[x->id] != at || !tare__check_owns(k, region_of_root(k, x), x->id))
            return wrong_join(y, "is missing, or was overwritten, when it is read");
    }
    k->where[y->id] = address;
    tare__check_take(k, region_of_root(k, y), y->id);
    return TARE_OK;
}

tare_status tare__check_assemble_inputs(tare_check *k, int32_t call, int32_t from)
{
    const tare_node *n = k->plan->node[call];
    tare_status status = TARE_OK;
    for (int i = 0; i < n->n_in && status == TARE_OK; ++i) {
        if (!n->operand[i] || shape_only(n, i))
            continue;
        const tare_value *root = root_of(k, n->operand[i]);
        if (k->joined[root->id] && k->where[root->id] == NOT_DEFINED)
            status = tare__check_assemble(k, root, address_of(k->plan, from + i) - offset_of(k, n->operand[i]));
    }
    return status;
}
