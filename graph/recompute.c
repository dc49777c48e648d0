/* recompute.c - a pass: values that the backward part reads are made again where they are read, instead of being kept.
 *
 * Needs: the live nodes, the first of the backward part. Provides: a program of the plan's own, which is the graph's
 * with nodes appended that repeat others, p->order with these before their first reader, p->repeats.
 *
 * Which values are kept is a minimum cut (H. He, S. Yu, Transcending runtime-memory tradeoffs in checkpointing by being
 * fusion aware, MLSys 2023, section 4): a value costs its bytes; what the backward part reads lies behind the cut; what
 * may not be made again, or costs more than so many steps for each byte that it makes, lies before it. A node is
 * repeated with the operands of the first time, so its bits are the same. Not repeated are random draws, and nodes
 * whose operands have been written again since; state is not written again: those outputs and their inputs are left
 * out. */
#include <string.h>

#include "cut_private.h"
#include "depend_private.h"

typedef struct {
    tare_plan *p;
    tare_program *program; /* the plan's own */
    const bool *live;
    int32_t n_nodes, n_forward; /* of the graph */
    bool *kept;                 /* value id: it is not made again */
    int32_t *now;               /* value id -> what stands for it in the backward part */
    int32_t *written;           /* root's id -> the first live node that writes it again; INT32_MAX */
    tare_recompute how;
} pass;

static bool reads(const tare_node *n, int k)
{
    return n->operand[k] && !tare__plan_shape_only(n, k);
}

/* Whether the value is a root that the forward part makes. */
static bool forward(const pass *s, const tare_value *v)
{
    return !v->base && v->node >= 0 && v->node < s->n_forward && s->live[v->node];
}

/* Whether output o of the node, and the input that it is tied to, can be left out. */
static bool left_out(const tare_node *n, int o)
{
    return o < n->n_out && o < TARE_OPERANDS && n->op->ties[o] && n->operand[n->n_in + o];
}

/* Steps of arithmetic and bytes moved, *all, for each byte that the node makes. */
static double steps_of(const tare_node *n, double *all)
{
    tare_args a = tare_node_args(n);
    double made = 0, steps = n->op->flops ? n->op->flops(&a, (const tare_desc_ref *)(n->operand + n->n_in)) : 0;
    for (int k = 0; k < n->n_in + n->n_out + n->n_aux; ++k) {
        if (!n->operand[k] || tare__plan_shape_only(n, k))
            continue;
        double bytes = (double)tare_desc_bytes(&n->operand[k]->d);
        steps += bytes;
        made += k >= n->n_in ? bytes : 0;
    }
    if (all)
        *all = steps;
    return made > 0 ? steps / made : steps;
}

static bool repeatable(const pass *s, const tare_node *n)
{
    if (!n->variant || n->op->effects & TARE_EFFECT_RANDOM || steps_of(n, NULL) > s->how.most_steps)
        return false;
    bool some = false;
    for (int o = 0; o < n->n_out; ++o) {
        int tied = left_out(n, o) ? n->op->ties[o] - 1 : -1;
        if (tied >= 0 && !(n->op->optional >> tied & 1))
            return false;
        some |= tied < 0 && n->operand[n->n_in + o];
    }
    return some;
}

/* ---- the cut
 * ----------------------------------------------------------------------------------------------------------------------*/
enum { SOURCE, SINK, FIRST };

static void cut_arcs(const pass *s, tare_network *c)
{
    const tare_program *program = s->program;
    for (int32_t i = 0; i < s->n_nodes; ++i) {
        const tare_node *n = &program->node[i];
        if (!s->live[i] || n->op->view)
            continue;
        bool again = i < s->n_forward && repeatable(s, n);
        for (int k = 0; k < n->n_in && i >= s->n_forward; ++k)
            if (reads(n, k) && forward(s, tare_value_root(n->operand[k])))
                tare__cut_arc(c, FIRST + 2 * tare_value_root(n->operand[k])->id + 1, SINK, TARE_CUT_NEVER);
        for (int o = n->n_in; o < n->n_in + n->n_out + n->n_aux && i < s->n_forward; ++o) {
            const tare_value *v = n->operand[o];
            if (!v || v->base)
                continue;
            tare__cut_arc(c, FIRST + 2 * v->id, FIRST + 2 * v->id + 1,
                          s->kept[v->id] ? 0 : (int64_t)tare_memory_rounded(tare_desc_bytes(&v->d)));
            if (!again)
                tare__cut_arc(c, SOURCE, FIRST + 2 * v->id, TARE_CUT_NEVER);
            for (int k = 0; k < n->n_in && again; ++k)
                if (reads(n, k) && forward(s, tare_value_root(n->operand[k])))
                    tare__cut_arc(c, FIRST + 2 * tare_value_root(n->operand[k])->id + 1, FIRST + 2 * v->id,
                                  TARE_CUT_NEVER);
        }
    }
}

/* What crosses the borders of segments of the forward part is kept: what is made again ends there, so that not all of a
 * long chain comes back at once (T. Chen, B. Xu, C. Zhang, C. Guestrin, Training deep nets with sublinear memory cost,
 * 2016). */
static void keep_borders(pass *s)
{
    for (int32_t i = 0; i < s->n_forward; ++i) {
        const tare_node *n = &s->program->node[i];
        for (int k = 0; s->live[i] && k < n->n_in; ++k) {
            if (!reads(n, k) || !forward(s, tare_value_root(n->operand[k])))
                continue;
            int64_t made = tare_value_root(n->operand[k])->node, parts = s->how.n_segments;
            if (made * parts / s->n_forward != i * parts / s->n_forward)
                s->kept[tare_value_root(n->operand[k])->id] = true;
        }
    }
}

/* Into kept: what the cut goes through, results, and all that is no root of the forward part. */
static tare_status choose_kept(pass *s, tare_arena *arena)
{
    const tare_program *program = s->program;
    int32_t arcs = 0;
    for (int32_t i = 0; i < s->n_nodes; ++i) {
        const tare_node *n = &program->node[i];
        arcs += (n->n_out + n->n_aux + 1) * (n->n_in + 2);
    }
    tare_network c;
    if (tare__cut_init(&c, arena, FIRST + 2 * program->n_values, arcs) != TARE_OK)
        return TARE_NO_MEMORY;
    for (int32_t r = 0; r < s->p->part.n_result; ++r)
        s->kept[tare_value_root(program->value[s->p->part.result[r]])->id] = true;
    keep_borders(s);
    cut_arcs(s, &c);
    tare__cut_find(&c, SOURCE, SINK);
    for (int32_t id = 0; id < program->n_values; ++id) {
        bool before = c.level[FIRST + 2 * id] >= 0, after = c.level[FIRST + 2 * id + 1] < 0;
        s->kept[id] |= (before && after) || !forward(s, program->value[id]);
    }
    return TARE_OK;
}

/* ---- making again
 * --------------------------------------------------------------------------------------------------------------------*/
/* A record of the plan's own of what the node with that index makes; NULL without memory. */
static tare_value *own_value(pass *s, const tare_value *v, int32_t id, int32_t node)
{
    tare_value *c = tare__plan_own_value(s->p, v);
    if (!c)
        return NULL;
    c->id = id;
    c->node = node;
    if (v->base)
        c->base = s->program->value[s->now[v->base->id]];
    s->program->value[id] = c;
    return c;
}

/* The node with its inputs as they stand now; NULL operands without memory. */
static tare_value **own_operands(pass *s, const tare_node *n)
{
    int total = n->n_in + n->n_out + n->n_aux;
    tare_value **operand = tare_arena_take(&s->p->arena, (size_t)total * sizeof(tare_value *));
    for (int k = 0; operand && k < total; ++k)
        operand[k] = n->operand[k] && k < n->n_in && !tare__plan_shape_only(n, k)
                         ? s->program->value[s->now[n->operand[k]->id]]
                         : n->operand[k];
    return operand;
}

static bool changed(const pass *s, const tare_node *n)
{
    for (int k = 0; k < n->n_in; ++k)
        if (reads(n, k) && s->program->value[s->now[n->operand[k]->id]] != n->operand[k])
            return true;
    return false;
}

/* Whether the node reads before place i of the program what it read the first time. */
static bool unwritten(const pass *s, const tare_node *n, int32_t i)
{
    for (int k = 0; k < n->n_in; ++k) {
        bool tied = false;
        for (int o = 0; o < n->n_out && o < TARE_OPERANDS; ++o)
            tied |= left_out(n, o) && n->op->ties[o] == k + 1;
        if (reads(n, k) && !tied && s->written[tare_value_root(n->operand[k])->id] < i)
            return false;
    }
    return true;
}

/* Appends a node that repeats node `of` and puts it next in the order. */
static tare_status repeat(pass *s, int32_t of)
{
    tare_program *program = s->program;
    tare_node *n = &program->node[program->n];
    *n = program->node[of];
    n->operand = own_operands(s, &program->node[of]);
    if (!n->operand)
        return TARE_NO_MEMORY;
    for (int o = n->n_in; o < n->n_in + n->n_out + n->n_aux; ++o) {
        const tare_value *v = n->operand[o];
        if (left_out(n, o - n->n_in)) {
            n->operand[n->op->ties[o - n->n_in] - 1] = n->operand[o] = NULL;
            n->absent |= 1u << (o - n->n_in);
        } else if (v) {
            int32_t id = program->n_values++;
            n->operand[o] = own_value(s, v, id, program->n);
            if (!n->operand[o])
                return TARE_NO_MEMORY;
            s->now[id] = id;
            if (v->base || !s->kept[v->id])
                s->now[v->id] = id;
        }
    }
    double steps;
    (void)steps_of(&program->node[of], &steps);
    s->p->repeated_steps += steps;
    s->p->repeats[program->n - s->n_nodes] = of;
    s->p->order[s->p->n_order++] = program->n++;
    return TARE_OK;
}

/* Whether the value is made again before node i: it is not kept, or a view (that of what has changed). */
static bool wanted(const pass *s, const tare_value *v, int32_t i)
{
    if (v->node < 0 || v->node >= s->n_forward || !s->live[v->node] || s->now[v->id] != v->id)
        return false;
    const tare_node *maker = &s->program->node[v->node];
    return maker->op->view || (!v->base && !s->kept[v->id] && unwritten(s, maker, i));
}

/* Makes again what node i needs of a value. The list: a value to look at, or ~value, whose inputs have been. */
static tare_status demand(pass *s, const tare_value *v, int32_t i, int32_t *list)
{
    tare_program *program = s->program;
    int32_t n = 0;
    list[n++] = v->id;
    while (n) {
        int32_t id = list[--n];
        bool looked = id < 0;
        v = program->value[looked ? ~id : id];
        if (!wanted(s, v, i))
            continue;
        const tare_node *maker = &program->node[v->node];
        if (looked) {
            if ((!maker->op->view || changed(s, maker)) && repeat(s, v->node) != TARE_OK)
                return TARE_NO_MEMORY;
            continue;
        }
        list[n++] = ~id;
        for (int k = 0; k < maker->n_in; ++k)
            if (reads(maker, k))
                list[n++] = maker->operand[k]->id;
    }
    return TARE_OK;
}

/* A node of the backward part: what it reads is made, and it reads that. */
static tare_status rewrite(pass *s, int32_t i, int32_t *list)
{
    tare_node *n = &s->program->node[i];
    tare_status status = TARE_OK;
    for (int k = 0; k < n->n_in && status == TARE_OK; ++k)
        if (reads(n, k))
            status = demand(s, n->operand[k], i, list);
    if (status != TARE_OK || !changed(s, n))
        return status;
    n->operand = own_operands(s, n);
    for (int o = n->n_in; n->operand && n->op->view && o < n->n_in + n->n_out; ++o)
        if (n->operand[o] && !(n->operand[o] = own_value(s, n->operand[o], n->operand[o]->id, i)))
            return TARE_NO_MEMORY;
    return n->operand ? TARE_OK : TARE_NO_MEMORY;
}

static tare_status rewrite_all(pass *s, int32_t *list)
{
    tare_status status = TARE_OK;
    for (int32_t i = 0; i < s->n_nodes && status == TARE_OK; ++i) {
        if (!s->live[i])
            continue;
        if (i >= s->n_forward)
            status = rewrite(s, i, list);
        s->p->order[s->p->n_order++] = i;
    }
    s->p->n_values = s->program->n_values;
    s->p->part.to = s->program->n;
    return status;
}

/* ---- the pass
 * -----------------------------------------------------------------------------------------------------------------------*/
/* The first node that writes each root again. */
static void find_written(pass *s)
{
    for (int32_t id = 0; id < s->program->n_values; ++id)
        s->written[id] = INT32_MAX;
    for (int32_t i = s->n_nodes - 1; i >= 0; --i) {
        const tare_node *n = &s->program->node[i];
        for (int o = 0; s->live[i] && o < n->n_out; ++o)
            if (left_out(n, o)) {
                int32_t id = tare_value_root(n->operand[n->n_in + o])->id;
                s->written[id] = i;
                s->kept[id] = true;
            }
    }
}

/* The program, with room for each forward node once more. */
static tare_status own_program(pass *s, int32_t *operands)
{
    tare_plan *p = s->p;
    size_t nodes = (size_t)s->n_nodes + (size_t)s->n_forward;
    for (int32_t i = 0; i < s->n_nodes; ++i) {
        const tare_node *n = &p->program->node[i];
        *operands += n->n_in + n->n_out + n->n_aux + 2;
    }
    s->program = tare__plan_own_program(p, (size_t)s->n_forward, (size_t)*operands);
    p->order = tare_arena_take(&p->arena, nodes * sizeof *p->order);
    p->repeats = tare_arena_take(&p->arena, ((size_t)s->n_forward + 1) * sizeof *p->repeats);
    return s->program && p->order && p->repeats ? TARE_OK : TARE_NO_MEMORY;
}

tare_status tare__plan_recompute(tare_plan *p, const bool *live, tare_recompute how)
{
    tare_arena arena = {.memory = &p->runtime->memory};
    pass s = {.p = p, .live = live, .how = how, .n_nodes = p->part.to, .n_forward = p->graph->n_forward};
    int32_t operands = 1;
    tare_status status = own_program(&s, &operands);
    size_t values = (size_t)p->program->n_values + (size_t)operands;
    s.kept = tare_arena_take(&arena, values);
    s.now = tare_arena_take(&arena, values * sizeof *s.now);
    s.written = tare_arena_take(&arena, values * sizeof *s.written);
    int32_t *list = tare_arena_take(&arena, (size_t)operands * sizeof *list);
    if (status != TARE_OK || !s.kept || !s.now || !s.written || !list)
        status = TARE_NO_MEMORY;
    for (int32_t id = 0; status == TARE_OK && id < (int32_t)values; ++id) {
        s.kept[id] = false;
        s.now[id] = id;
    }
    if (status == TARE_OK) {
        find_written(&s);
        status = choose_kept(&s, &arena);
    }
    if (status == TARE_OK)
        status = rewrite_all(&s, list);
    tare_arena_fini(&arena);
    return status;
}
