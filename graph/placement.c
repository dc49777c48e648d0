/* placement.c - a pass: the inputs of a joining node (concatenation) are made where they lie in its output.
 *
 * Needs: which nodes are live, p->order. Provides: p->placed, and joining nodes all of whose inputs lie there out of
 * live. Each input by itself: where some can lie in the output and others cannot, the node is run still, over its
 * inputs as they lie; its kernel leaves alone what is there and copies the others (tare_op.join). So no node is added,
 * and what is copied is read where and when the program reads it.
 *
 * A part without gaps can be anybody's; one whose rows are apart only where those who make and read it have variants
 * that take such strides as they are, which changes no bit (tare_variant.fits_strides). A value that this part does not
 * make, that lies outside, is a view, is written again, or is joined already is not placed. Joined values may be joined
 * again: the order is walked backwards, so that a whole has its place before its parts get theirs. */
#include <string.h>

#include "fused_private.h"

typedef struct {
    tare_plan *p;
    bool *live;
    bool whole;      /* all inputs of a node, or none */
    bool *result;    /* id: it is a result, or the root of one */
    bool *written;   /* root's id: some node writes it again */
    int32_t *from;   /* value id -> its first entry of `reader`; one more at the end */
    int32_t *reader; /* live nodes that have it as an input */
} pass;

static bool lives(const pass *s, int32_t node)
{
    return node >= s->p->part.from && node < s->p->part.to && s->live[node - s->p->part.from];
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

/* Whether the node has such a variant on its operands as they are placed now. */
static bool runs(const pass *s, const tare_node *n)
{
    int total = n->n_in + n->n_out + n->n_aux;
    tare_value *operand[total + 1];
    tare_node placed = *n;
    bool gaps = false;
    for (int k = 0; k < total; ++k) {
        tare_value *x = n->operand[k];
        operand[k] = x && s->p->placed[x->id] ? s->p->placed[x->id] : x;
        gaps |= operand[k] != x && !operand[k]->d.contiguous;
    }
    if (tare__fused_of(n)) /* its steps were made for what has no gaps */
        return !gaps;
    placed.operand = operand;
    return n->variant && tare__plan_variant(s->p->runtime, &placed);
}

/* The node that makes v, and those that read it. */
static bool all_run(const pass *s, const tare_value *v, const tare_node *joining)
{
    const tare_program *program = s->p->program;
    bool run = runs(s, &program->node[v->node]);
    for (int32_t i = s->from[v->id]; i < s->from[v->id + 1] && run; ++i) {
        const tare_node *n = &program->node[s->reader[i]];
        run = n == joining || !lives(s, s->reader[i]) || runs(s, n);
    }
    return run;
}

/* ---- one joining node
 * -----------------------------------------------------------------------------------------------*/
/* Whether v may lie in another value at all. */
static bool is_free(const pass *s, const tare_value *v)
{
    const tare_plan *p = s->p;
    return v && lives(s, v->node) && !v->base && !p->placed[v->id] && !s->written[v->id] && !tare__plan_patched(p, v) &&
           tare_desc_count(&v->d) > 0;
}

/* Where input k lies in the node's output: a record that looks like it there. */
static tare_value part_of(const pass *s, const tare_node *n, int k)
{
    tare_value *y = n->operand[n->n_in], part = *n->operand[k];
    tare_args a = tare_node_args(n);
    part.base = y;
    part.view_offset = n->op->join(&a, s->p->placed[y->id] ? &s->p->placed[y->id]->d : &y->d, k, &part.d);
    tare_desc_measure(&part.d);
    return part;
}

/* Input k into its place, if it can lie there beside what is placed already. */
static tare_status place(const pass *s, const tare_node *n, int k)
{
    tare_plan *p = s->p;
    const tare_value *v = n->operand[k], part = part_of(s, n, k);
    if (!is_free(s, v) || (!part.d.contiguous && s->result[v->id]))
        return TARE_OK;
    tare_value *placed = tare__plan_own_value(p, &part);
    if (!placed)
        return TARE_NO_MEMORY;
    p->placed[v->id] = placed;
    if (!part.d.contiguous && !all_run(s, v, n))
        p->placed[v->id] = NULL;
    return TARE_OK;
}

/* Whether input k lies in its place: a value that is joined twice lies in one of two. */
static bool in_place(const pass *s, const tare_node *n, int k)
{
    const tare_value *placed = s->p->placed[n->operand[k]->id];
    return placed && placed->base == n->operand[n->n_in] && placed->view_offset == part_of(s, n, k).view_offset;
}

/* Whether parts of the node's output are rows, each without gaps: what the checker can tell apart. */
static bool of_rows(const pass *s, const tare_node *n)
{
    for (int k = 0; k < n->n_in; ++k) {
        const tare_value part = part_of(s, n, k);
        if (!part.d.contiguous && !tare_desc_outer(&part.d))
            return false;
    }
    return true;
}

static tare_status join(const pass *s, int32_t node)
{
    tare_plan *p = s->p;
    const tare_node *n = &p->program->node[node];
    const tare_value *y = n->operand[n->n_in];
    int placed = 0;
    if (y->base || s->written[y->id] || tare__plan_patched(p, y) || !of_rows(s, n))
        return TARE_OK;
    for (int k = 0; k < n->n_in; ++k) {
        if (place(s, n, k) != TARE_OK)
            return TARE_NO_MEMORY;
        placed += in_place(s, n, k);
    }
    if (placed == n->n_in) {
        s->live[node - p->part.from] = false;
        ++p->passes.joined;
    } else if (placed > 0 && !s->whole && runs(s, n)) {
        ++p->passes.partly;
        p->passes.copied += n->n_in - placed;
    } else {
        for (int k = 0; k < n->n_in; ++k)
            if (in_place(s, n, k))
                p->placed[n->operand[k]->id] = NULL;
    }
    return TARE_OK;
}

/* ---- the pass
 * -----------------------------------------------------------------------------------------------------------------*/
/* Who reads what, grouped by value: a counting sort. */
static tare_status list_readers(pass *s, tare_arena *arena)
{
    const tare_plan *p = s->p;
    size_t values = (size_t)p->program->n_values, reads = 0;
    s->from = tare_arena_take(arena, (values + 2) * sizeof *s->from);
    if (!s->from)
        return TARE_NO_MEMORY;
    memset(s->from, 0, (values + 2) * sizeof *s->from);
    for (int32_t i = 0; i < p->n_order; ++i) {
        const tare_node *n = &p->program->node[p->order[i]];
        for (int k = 0; k < n->n_in; ++k)
            if (n->operand[k])
                ++s->from[n->operand[k]->id];
    }
    for (size_t id = 0; id <= values; ++id) {
        reads += (size_t)s->from[id];
        s->from[id] = (int32_t)reads;
    }
    s->reader = tare_arena_take(arena, (reads + 1) * sizeof *s->reader);
    for (int32_t i = p->n_order - 1; s->reader && i >= 0; --i) {
        const tare_node *n = &p->program->node[p->order[i]];
        for (int k = 0; k < n->n_in; ++k)
            if (n->operand[k])
                s->reader[--s->from[n->operand[k]->id]] = p->order[i];
    }
    return s->reader ? TARE_OK : TARE_NO_MEMORY;
}

tare_status tare__plan_placement(tare_plan *p, bool *live, bool whole)
{
    tare_arena arena = {.memory = &p->runtime->memory};
    pass s = {.p = p, .live = live, .whole = whole};
    size_t values = (size_t)p->program->n_values + 1;
    tare_status status = list_readers(&s, &arena);
    s.result = tare_arena_take(&arena, values);
    s.written = tare_arena_take(&arena, values);
    if (status != TARE_OK || !s.result || !s.written)
        status = TARE_NO_MEMORY;
    if (status == TARE_OK) {
        memset(s.result, 0, values);
        memset(s.written, 0, values);
        tare__plan_find_results(p, s.result);
        tare__plan_find_written(p, s.written);
    }
    for (int32_t i = p->n_order - 1; i >= 0 && status == TARE_OK; --i)
        if (lives(&s, p->order[i]) && p->program->node[p->order[i]].op->join)
            status = join(&s, p->order[i]);
    tare_arena_fini(&arena);
    return status;
}
