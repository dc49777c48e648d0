/* placement.c - a pass: the inputs of a joining node (concatenation) are made where they lie in its output, and nothing
 * is left to run.
 *
 * Needs: which nodes are live. Provides: p->placed, and joining nodes out of live. A part without gaps can be
 * anybody's; one whose rows are apart only where those who make and read it have variants that take such strides as
 * they are, which changes no bit (tare_variant.fits_strides). All inputs of a node or none. A value that this part does
 * not make, that lies outside, is a view, is tied, or is joined twice is not placed. Joined values may be joined again.
 */
#include <string.h>

#include "fused_private.h"

typedef struct {
    tare_plan *p;
    const bool *live;
} pass;

static bool lives(const pass *s, int32_t node)
{
    return node >= s->p->part.from && node < s->p->part.to && s->live[node - s->p->part.from];
}

static bool is_result(const tare_plan *p, const tare_value *v)
{
    for (int32_t r = 0; r < p->part.n_result; ++r)
        if (p->part.result[r] == v->id)
            return true;
    return false;
}

/* ---- the variants that touch a part whose rows are apart
 * ---------------------------------------------------------------------------------------*/
const tare_variant *tare__plan_variant(tare_runtime *rt, const tare_node *n)
{
    uint32_t strided = 0, apart = 0, copies = 0;
    for (int i = 0; i < n->n_in; ++i)
        strided |= n->operand[i] && !n->operand[i]->d.contiguous && !tare__plan_shape_only(n, i) ? 1u << i : 0;
    for (int o = 0; o < n->n_out + n->n_aux; ++o)
        apart |= n->operand[n->n_in + o] && !n->operand[n->n_in + o]->d.contiguous ? 1u << o : 0;
    tare_args a = tare_node_args(n);
    const tare_desc *first = n->operand[0] ? &n->operand[0]->d : &n->operand[n->n_in]->d;
    const tare_kernels *k = tare_runtime_kernels(rt, n->op);
    const tare_variant *v = strided || apart
                                ? tare__choose_strided(k, &a, TARE_BIT(first->dtype), strided, apart, &copies)
                                : tare__choose(k, &a, TARE_BIT(first->dtype));
    if (!v && tare__fused_of(n)) /* it has one variant, its own */
        return n->variant;
    return copies ? NULL : v;
}

/* Whether the node has such a variant if v looked like `part`, beside all that is placed already. */
static bool runs(const pass *s, const tare_node *n, const tare_value *v, const tare_desc *part)
{
    int total = n->n_in + n->n_out + n->n_aux;
    tare_value *operand[total + 1], as_part = *v;
    tare_node placed = *n;
    if (tare__fused_of(n)) /* its steps were made for what has no gaps */
        return part->contiguous;
    as_part.d = *part;
    for (int k = 0; k < total; ++k) {
        tare_value *x = n->operand[k];
        operand[k] = x == v ? &as_part : x && s->p->placed[x->id] ? s->p->placed[x->id] : x;
    }
    placed.operand = operand;
    return n->variant && tare__plan_variant(s->p->runtime, &placed);
}

/* The node that makes v, and those that read it. */
static bool all_run(const pass *s, const tare_value *v, const tare_desc *part, const tare_node *joining)
{
    const tare_program *program = s->p->program;
    bool run = runs(s, &program->node[v->node], v, part);
    for (int32_t i = v->node + 1; i < s->p->part.to && run; ++i) {
        const tare_node *n = &program->node[i];
        bool reader = false;
        for (int k = 0; k < n->n_in; ++k)
            reader |= n->operand[k] == v;
        run = !reader || n == joining || !lives(s, i) || runs(s, n, v, part);
    }
    return run;
}

/* ---- one joining node
 * -----------------------------------------------------------------------------------------------*/
/* Whether v may lie in another value at all. */
static bool is_free(const pass *s, const tare_node *n, int k)
{
    const tare_value *v = n->operand[k];
    const tare_plan *p = s->p;
    for (int i = 0; i < k; ++i)
        if (n->operand[i] == v)
            return false;
    return v && v->node >= p->part.from && lives(s, v->node) && !v->base && !p->placed[v->id] &&
           !tare__plan_patched(p, v) && tare_desc_count(&v->d) > 0;
}

/* The strides and the place of input k; false: it cannot lie there. */
static bool part_of(const pass *s, const tare_node *n, const tare_desc *out, int k, tare_desc *part, int64_t *offset)
{
    const tare_value *v = n->operand[k];
    if (!is_free(s, n, k))
        return false;
    tare_args a = tare_node_args(n);
    *part = v->d;
    *offset = n->op->join(&a, out, k, part);
    tare_desc_measure(part);
    return part->contiguous || (tare_desc_outer(part) && !is_result(s->p, v) && all_run(s, v, part, n));
}

static tare_status join(pass *s, int32_t node, bool *live)
{
    tare_plan *p = s->p;
    const tare_node *n = &p->program->node[node];
    tare_value *y = n->operand[n->n_in];
    const tare_desc *out = p->placed[y->id] ? &p->placed[y->id]->d : &y->d;
    tare_desc part;
    int64_t offset;
    if (y->base || tare__plan_patched(p, y))
        return TARE_OK;
    for (int k = 0; k < n->n_in; ++k)
        if (!part_of(s, n, out, k, &part, &offset))
            return TARE_OK;
    for (int k = 0; k < n->n_in; ++k) {
        tare_value *v = n->operand[k], *placed = tare_arena_take(&p->arena, sizeof *placed);
        if (!placed)
            return TARE_NO_MEMORY;
        (void)part_of(s, n, out, k, &part, &offset);
        *placed = *v;
        placed->d = part;
        placed->base = y;
        placed->view_offset = offset;
        p->placed[v->id] = placed;
    }
    bool run = true; /* also those who touch several of the parts */
    for (int k = 0; k < n->n_in; ++k) {
        const tare_desc *d = &p->placed[n->operand[k]->id]->d;
        run = run && (d->contiguous || all_run(s, n->operand[k], d, n));
    }
    for (int k = 0; k < n->n_in && !run; ++k)
        p->placed[n->operand[k]->id] = NULL;
    live[node - p->part.from] = !run;
    return TARE_OK;
}

tare_status tare__plan_placement(tare_plan *p, bool *live)
{
    pass s = {p, live};
    tare_status status = TARE_OK;
    for (int32_t i = p->part.to - 1; i >= p->part.from && status == TARE_OK; --i)
        if (lives(&s, i) && p->program->node[i].op->join)
            status = join(&s, i, live);
    return status;
}
