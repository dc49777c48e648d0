/* placement.c - a pass: the inputs of a joining node (concatenation) are made where they lie in its output, and nothing
 * is left to run.
 *
 * Needs: which nodes are live, their variants. Provides: p->placed, and joining nodes out of live. A part without gaps
 * can be anybody's; one whose rows are apart only where the variants that make and read it take such strides and stay
 * the ones chosen. All inputs of a node or none. A value that this part does not make, that lies outside, is a view, is
 * tied, or is joined twice is not placed. Joined values may be joined again. */
#include <string.h>

#include "graph_private.h"

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
/* Whether the node that makes v can write there. */
static bool makes(const pass *s, const tare_value *v)
{
    const tare_node *n = &s->p->program->node[v->node];
    int o = 0;
    while (n->operand[n->n_in + o] != v)
        ++o;
    return o < n->n_out && o < TARE_OPERANDS && n->variant && n->variant->out_strides[o] == TARE_STRIDES_OUTER;
}

/* Whether the node would be run by the same variant, without copies, if v looked like `part`. */
static bool reads(const pass *s, const tare_node *n, const tare_value *v, const tare_desc *part)
{
    if (n->op->view || !n->variant)
        return false;
    const tare_desc *in[n->n_in];
    uint32_t strided = 0, copies;
    for (int i = 0; i < n->n_in; ++i) {
        const tare_value *x = n->operand[i];
        const tare_value *placed = x ? s->p->placed[x->id] : NULL;
        in[i] = x == v ? part : placed ? &placed->d : x ? &x->d : NULL;
        strided |= in[i] && !in[i]->contiguous ? 1u << i : 0;
    }
    tare_args a = tare_node_args(n);
    a.in = (const tare_desc_ref *)in;
    const tare_desc *first = in[0] ? in[0] : &n->operand[n->n_in]->d;
    const tare_kernels *k = tare_runtime_kernels(s->p->runtime, n->op);
    return tare__choose_strided(k, &a, TARE_BIT(first->dtype), strided & ~n->op->shape_only, &copies) == n->variant &&
           copies == 0;
}

static bool all_read(const pass *s, const tare_value *v, const tare_desc *part, const tare_node *joining)
{
    const tare_program *program = s->p->program;
    for (int32_t i = v->node + 1; i < s->p->part.to; ++i) {
        const tare_node *n = &program->node[i];
        bool reader = false;
        for (int k = 0; k < n->n_in; ++k)
            reader |= n->operand[k] == v;
        if (reader && n != joining && lives(s, i) && !reads(s, n, v, part))
            return false;
    }
    return true;
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
    return part->contiguous || (tare_desc_outer(part) && !is_result(s->p, v) && makes(s, v) && all_read(s, v, part, n));
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
    bool read = true; /* also by those who read several of the parts */
    for (int k = 0; k < n->n_in; ++k) {
        const tare_desc *d = &p->placed[n->operand[k]->id]->d;
        read = read && (d->contiguous || all_read(s, n->operand[k], d, n));
    }
    for (int k = 0; k < n->n_in && !read; ++k)
        p->placed[n->operand[k]->id] = NULL;
    live[node - p->part.from] = !read;
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
