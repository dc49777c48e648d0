/* fuse.c - a pass: rows of nodes that hand one value on become one node (fused_private.h).
 *
 * Needs: which nodes are live, in a plan that repeats none. Provides: p->program, a copy with the fused nodes in the
 * places of their last steps, and the other steps out of live.
 *
 * A product is followed where each of its pieces writes whole rows: an update walked in strips of columns is slower
 * than one behind the whole product (mlp at batch 256 with Adam: 5 % of the step). A step joins the row of the node
 * that makes one of its inputs if nobody else reads that and it is no result. A row is fused only if its steps can wait
 * for the last: nothing that they read is written again in between.
 *
 * Where nobody asks for fusion, and results may be written in place, a sum of gradients is still fused with what is
 * added to it, elementwise or a product whose kernel tells its pieces' parts, if that is made right before it (`sums`):
 * the sum then takes over the old value's bytes, and what is added needs only those of a tile, or of a part for each
 * worker. (What has an adding operator of its own, add_to.c, is gone by then.) That is done where a tile, or part, is at
 * most a QUARTER of the whole. */
#include <string.h>

#include "depend_private.h"
#include "fused_private.h"

enum { NOBODY = -1, SEVERAL = -2, QUARTER = 4 };

typedef struct {
    tare_plan *p;
    bool *live, sums;
    tare_arena arena;
    int32_t *reader;       /* value id -> the node that alone reads it; or NOBODY, SEVERAL */
    int32_t *before;       /* node - from -> the node of the step before it in its row, -1 */
    bool *followed;        /* node - from: a step comes behind it */
    tare_value **concrete; /* value id -> the concrete value of an external */
} pass;

static const tare_node *node_at(const pass *s, int32_t i)
{
    return &s->p->program->node[i];
}

/* ---- which nodes may be steps -----------------------------------------------------------------------------------*/

static void note_reads(pass *s, int32_t i)
{
    const tare_node *n = node_at(s, i);
    for (int k = 0; k < n->n_in; ++k)
        if (n->operand[k]) {
            int32_t *reader = &s->reader[n->operand[k]->id];
            *reader = *reader == NOBODY || *reader == i ? i : SEVERAL;
        }
}

/* Every output there, contiguous, none made for a gradient alone; n: elements of each. */
static bool outputs_fit(const tare_node *n, int64_t elements)
{
    for (int o = 0; o < n->n_out + n->n_aux; ++o) {
        const tare_value *v = n->operand[n->n_in + o];
        if (o < n->n_out ? !v || !v->d.contiguous || tare_desc_count(&v->d) != elements : v != NULL)
            return false;
    }
    return true;
}

static bool elementwise(const tare_node *n)
{
    if (!n->variant || !n->variant->elementwise || n->variant->combine || n->n_out < 1 || !n->operand[n->n_in] ||
        n->n_in + n->n_out > TARE_FUSED_OPERANDS)
        return false;
    const int64_t elements = tare_desc_count(&n->operand[n->n_in]->d);
    for (int k = 0; k < n->n_in; ++k) {
        const tare_value *v = n->operand[k];
        bool each = n->variant->elementwise >> (k & 31) & 1;
        int64_t has = v ? tare_desc_count(&v->d) : 0;
        if (v && (!v->d.contiguous || (each && has != elements && has != 1)))
            return false;
    }
    return elements > 0 && outputs_fit(n, elements);
}

static bool product(const pass *s, const tare_node *n)
{
    const tare_value *y = n->variant && n->n_out == 1 ? n->operand[n->n_in] : NULL;
    return y && n->variant->tile && !n->variant->combine && (y->d.rank == 2 || (s->sums && y->d.rank > 2)) &&
           n->n_in + 1 <= TARE_FUSED_OPERANDS && tare_desc_count(&y->d) > 0 && outputs_fit(n, tare_desc_count(&y->d));
}

/* ---- rows -------------------------------------------------------------------------------------------------------*/

/* The node of the row that node i may join by its input k; -1. */
static int32_t joins(const pass *s, int32_t i, int k)
{
    const tare_node *n = node_at(s, i);
    const tare_value *v = n->operand[k], *out = n->operand[n->n_in];
    if (!v || v->base || v->node < s->p->part.from || !s->live[v->node - s->p->part.from] || s->reader[v->id] != i ||
        tare__plan_shape_only(n, k) || !(n->variant->elementwise >> k & 1) ||
        tare_desc_count(&v->d) != tare_desc_count(&out->d))
        return -1;
    const tare_node *maker = node_at(s, v->node);
    for (int o = 0; o < n->n_out; ++o) /* it is written over: then it lies where the plan has it */
        if (o < TARE_OPERANDS && n->op->ties[o] == k + 1)
            return -1;
    for (int e = 0; e < n->n_in; ++e)
        if (e != k && n->operand[e] == v)
            return -1;
    bool fits = (elementwise(maker) && maker->n_out == 1 && !tare__plan_ties(maker)) || product(s, maker);
    return fits && !s->followed[v->node - s->p->part.from] ? v->node : -1;
}

/* Whether the row may be fused: of sums only what is added right behind the node that makes it, the last one so far. */
static bool may_follow(const pass *s, int32_t maker, int32_t latest)
{
    return maker >= 0 && (!s->sums || (maker == latest && node_at(s, maker)->op != s->p->runtime->accumulate));
}

static void find_rows(pass *s)
{
    const tare_part *part = &s->p->part;
    int32_t latest = -1;
    for (int32_t i = part->from; i < part->to; ++i) {
        const tare_node *n = node_at(s, i);
        s->before[i - part->from] = -1;
        if (!s->live[i - part->from] || n->op->view)
            continue;
        for (int k = 0; k < n->n_in && s->before[i - part->from] < 0; ++k) {
            if ((s->sums && n->op != s->p->runtime->accumulate) || !elementwise(n))
                break;
            int32_t maker = joins(s, i, k);
            if (!may_follow(s, maker, latest))
                continue;
            s->before[i - part->from] = maker;
            s->followed[maker - part->from] = true;
        }
        latest = i;
    }
}

/* The steps of the row that ends with node i, first to last; how many. */
static int row_of(const pass *s, int32_t i, int32_t step[TARE_FUSED_STEPS])
{
    int n = 0;
    for (int32_t at = i; at >= 0 && n < TARE_FUSED_STEPS; at = s->before[at - s->p->part.from])
        step[n++] = at;
    for (int a = 0, b = n - 1; a < b; ++a, --b) {
        int32_t other = step[a];
        step[a] = step[b];
        step[b] = other;
    }
    return n;
}

/* ---- whether steps can wait -------------------------------------------------------------------------------------*/

static bool same_place(const pass *s, const tare_value *a, const tare_value *b)
{
    const tare_value *x = tare_value_root(a), *y = tare_value_root(b);
    const tare_value *cx = s->concrete[x->id], *cy = s->concrete[y->id];
    return x == y || (cx && cy && cx->storage == cy->storage);
}

/* Whether a node writes over something that another reads. */
static bool writes_over(const pass *s, const tare_node *writer, const tare_node *n)
{
    for (int o = 0; o < writer->n_out && o < TARE_OPERANDS; ++o) {
        if (!writer->op->ties[o] || !writer->operand[writer->n_in + o])
            continue;
        for (int k = 0; k < n->n_in; ++k)
            if (n->operand[k] && same_place(s, writer->operand[writer->op->ties[o] - 1], n->operand[k]))
                return true;
    }
    return false;
}

static bool can_wait(const pass *s, const int32_t *step, int n)
{
    for (int k = 0; k + 1 < n; ++k)
        for (int32_t i = step[k] + 1; i <= step[n - 1]; ++i)
            if (s->live[i - s->p->part.from] && tare__plan_ties(node_at(s, i)) &&
                writes_over(s, node_at(s, i), node_at(s, step[k])))
                return false;
    return true;
}

/* ---- making a fused node ----------------------------------------------------------------------------------------*/

/* The fused node's number of an input, which is added where it is new; -1: there are too many. */
static int input_of(tare_value **input, int *n, tare_value *v)
{
    for (int k = 0; k < *n; ++k)
        if (input[k] == v)
            return k;
    if (*n == TARE_FUSED_INPUTS)
        return -1;
    input[*n] = v;
    return (*n)++;
}

static const tare_work *prepare(pass *s, const tare_node *n)
{
    tare_work w, *kept;
    if (tare_node_prepare(n, &w) != TARE_OK)
        return NULL;
    size_t bytes = offsetof(tare_work, g) + (size_t)w.n_g * sizeof *w.g;
    kept = tare_arena_take(&s->p->arena, bytes);
    return kept ? memcpy(kept, &w, bytes) : NULL;
}

/* Bytes from element to element of what is read or written one by one. */
static int16_t item_of(const tare_node *n, const tare_variant *v, int k, int64_t elements)
{
    const tare_desc *d = &n->operand[k]->d;
    bool each = k >= n->n_in || v->elementwise >> (k & 31) & 1;
    return (int16_t)(each && tare_desc_count(d) == elements ? tare_dtype_bytes((tare_dtype)d->dtype) : 0);
}

/* Step `at` of the row; false: it has too many inputs. */
static bool place_step(tare_fused *f, int at, const tare_node *n, const tare_value *between, tare_value **input,
                       int *n_in)
{
    tare_fused_step *step = &f->step[at];
    step->n_operands = n->n_in + n->n_out;
    for (int k = 0; k < step->n_operands; ++k) {
        tare_value *v = n->operand[k];
        tare_fused_place *place = &step->place[k];
        *place = (tare_fused_place){.at = TARE_FUSED_NONE};
        if (!v || tare__plan_shape_only(n, k))
            continue;
        place->item = item_of(n, step->variant, k, f->n);
        if (k >= n->n_in)
            place->at = TARE_FUSED_MADE;
        else if (v == between)
            place->at = TARE_FUSED_BETWEEN;
        else
            place->at = (int16_t)input_of(input, n_in, v);
        if (k < n->n_in && v != between && place->at < 0)
            return false;
    }
    return true;
}

/* A product's rows and pieces; false: a piece writes less than whole rows, which of sums may be a part of one row. */
static bool lead(const pass *s, tare_fused *f, const tare_node *n)
{
    const tare_work *w = f->step[0].work;
    f->led = true;
    f->run = f->n / n->operand[n->n_in]->d.dim[0];
    f->n_pieces = w->n_pieces;
    const tare_call c = {.g = w->g, .n_g = (int16_t)w->n_g, .n_pieces = w->n_pieces};
    bool whole = true;
    for (int piece = 0; piece < w->n_pieces; ++piece) {
        tare_tile t;
        n->variant->tile(&c, piece, &t);
        whole = whole && (t.columns == f->run || (s->sums && t.rows <= 1));
        f->span = t.rows * t.columns > f->span ? t.rows * t.columns : f->span;
    }
    return whole && (!s->sums || f->span <= f->n / QUARTER);
}

/* The row as one; *out NULL: it stays as it is. */
static tare_status make(pass *s, const int32_t *row, int n, tare_fused **out)
{
    tare_plan *p = s->p;
    const tare_node *last = node_at(s, row[n - 1]);
    tare_value *input[TARE_FUSED_INPUTS];
    int n_in = 0;
    *out = NULL;
    tare_fused *f = tare_arena_take(&p->arena, sizeof *f);
    if (!f)
        return TARE_NO_MEMORY;
    *f = (tare_fused){.n_steps = n, .n = tare_desc_count(&last->operand[last->n_in]->d)};
    const tare_value *between = NULL;
    for (int k = 0; k < n; ++k) {
        const tare_node *node = node_at(s, row[k]);
        tare_args a = tare_node_args(node);
        const tare_work *work = prepare(s, node);
        if (!work)
            return TARE_NO_MEMORY;
        f->step[k] = (tare_fused_step){.node = row[k], .op = node->op, .variant = node->variant, .work = work};
        if (!place_step(f, k, node, between, input, &n_in) || work->piece_bytes || (k && work->worker_bytes))
            return TARE_OK;
        f->flops += node->op->flops ? node->op->flops(&a, (const tare_desc_ref *)(node->operand + node->n_in)) : 0;
        between = node->operand[node->n_in];
    }
    if (!elementwise(node_at(s, row[0])) && !lead(s, f, node_at(s, row[0])))
        return TARE_OK;
    for (int k = 0; k < last->n_out; ++k)
        f->step[n - 1].place[last->n_in + k].at = (int16_t)(n_in + k);
    tare__fused_complete(f, last, n_in, p->runtime->options.kernels == TARE_KERNELS_NULL);
    if (s->sums && !f->led && f->tile > f->n / QUARTER)
        return TARE_OK;
    tare_node *node = &p->program->node[row[n - 1]];
    tare_value **operand = tare_arena_take(&p->arena, (size_t)(n_in + last->n_out) * sizeof(tare_value *));
    if (!operand)
        return TARE_NO_MEMORY;
    memcpy(operand, input, (size_t)n_in * sizeof *operand);
    memcpy(operand + n_in, last->operand + last->n_in, (size_t)last->n_out * sizeof *operand);
    *node = (tare_node){.op = &f->op,
                        .variant = &f->variant,
                        .operand = operand,
                        .path = last->path,
                        .n_in = (int16_t)n_in,
                        .n_out = last->n_out};
    *out = f;
    return TARE_OK;
}

static tare_status fuse_rows(pass *s)
{
    const int32_t from = s->p->part.from;
    tare_status status = TARE_OK;
    for (int32_t i = from; i < s->p->part.to && status == TARE_OK; ++i) {
        int32_t row[TARE_FUSED_STEPS];
        tare_fused *f;
        if (!s->live[i - from] || s->followed[i - from] || s->before[i - from] < 0)
            continue;
        int n = row_of(s, i, row);
        if (n < 2 || !can_wait(s, row, n))
            continue;
        status = make(s, row, n, &f);
        for (int k = 0; k + 1 < n && status == TARE_OK && f; ++k)
            s->live[row[k] - from] = false;
        s->p->passes.added += status == TARE_OK && f && s->sums;
    }
    return status;
}

/* ---- the pass ---------------------------------------------------------------------------------------------------*/

static tare_status begin(pass *s)
{
    tare_plan *p = s->p;
    size_t nodes = (size_t)(p->part.to - p->part.from) + 1, values = (size_t)p->program->n_values + 1;
    s->reader = tare_arena_take(&s->arena, values * sizeof *s->reader);
    s->concrete = tare_arena_take(&s->arena, values * sizeof(tare_value *));
    s->before = tare_arena_take(&s->arena, nodes * sizeof *s->before);
    s->followed = tare_arena_take(&s->arena, nodes);
    if (!tare__plan_own_program(p, 0, 0) || !s->reader || !s->concrete || !s->before || !s->followed)
        return TARE_NO_MEMORY;
    memset(s->reader, 0xff, values * sizeof *s->reader); /* NOBODY */
    memset(s->concrete, 0, values * sizeof(tare_value *));
    memset(s->followed, 0, nodes);
    for (int32_t k = 0; k < p->graph->n_external; ++k)
        s->concrete[p->graph->external[k].symbol->id] = p->graph->external[k].concrete;
    for (int32_t i = p->part.from; i < p->part.to; ++i)
        if (s->live[i - p->part.from])
            note_reads(s, i);
    for (int32_t r = 0; r < p->part.n_result; ++r)
        s->reader[tare_value_root(p->program->value[p->part.result[r]])->id] = SEVERAL;
    return TARE_OK;
}

/* Whether anything is added up. */
static bool any_sum(const tare_plan *p, const bool *live)
{
    for (int32_t i = p->part.from; i < p->part.to; ++i)
        if (live[i - p->part.from] && p->program->node[i].op == p->runtime->accumulate)
            return true;
    return false;
}

tare_status tare__plan_fuse(tare_plan *p, bool *live, bool sums)
{
    pass s = {.p = p, .live = live, .sums = sums, .arena = {.memory = &p->runtime->memory}};
    if (sums && !any_sum(p, live))
        return TARE_OK;
    tare_status status = begin(&s);
    if (status == TARE_OK) {
        find_rows(&s);
        status = fuse_rows(&s);
    }
    tare_arena_fini(&s.arena);
    return status;
}
