/* merge.c - a pass: common subexpressions. A node that makes what an earlier node has made is not run; its readers read
 * the earlier one's results.
 *
 * Needs: the program as it was captured. Provides: p->instead, a program of the plan's own whose nodes read what stands
 * for their operands, and the later nodes out of live. Two nodes are one where operator, variant, attributes and wanted
 * outputs are the same and the operands stand for the same values, with nothing written in between to what they read;
 * all externals count as one for that, since they may share their bytes. Random draws and nodes with an effect or a tie
 * are never one with another, nor is what is written again, nor is a result merged away. A view reads nothing: only its
 * operand and attributes count. */
#include <string.h>

#include "depend_private.h"

enum { WORDS = 64 };

typedef struct {
    tare_plan *p;
    int32_t *instead; /* value id -> what stands for it */
    int32_t *written; /* root's id -> the latest node so far that has written it again; -1 */
    bool *tied;       /* root's id: some node writes it again */
    bool *result;     /* id: it is a result, or the root of one */
    int32_t *slot;    /* open addressing: node + 1; 0: empty */
    uint32_t mask;
    int32_t external_written; /* the latest node so far that has written an external; -1 */
} pass;

/* ---- what was written
 * ---------------------------------------------------------------------------------------------------------------*/
static bool tied(const tare_node *n, int o)
{
    return o < n->n_out && o < TARE_OPERANDS && n->op->ties[o] && n->operand[n->n_in + o];
}

static void note_writes(pass *s, int32_t node)
{
    const tare_node *n = &s->p->program->node[node];
    for (int o = 0; o < n->n_out; ++o) {
        if (!tied(n, o))
            continue;
        const tare_value *root = tare_value_root(n->operand[n->n_in + o]);
        s->written[root->id] = node;
        if (root->node < 0)
            s->external_written = node;
    }
}

/* Whether nothing that the node reads has been written since node `since`. */
static bool unwritten(const pass *s, const tare_node *n, int32_t since)
{
    for (int k = 0; k < n->n_in && !n->op->view; ++k) {
        if (!n->operand[k] || tare__plan_shape_only(n, k))
            continue;
        const tare_value *root = tare_value_root(n->operand[k]);
        if (s->written[root->id] > since || (root->node < 0 && s->external_written > since))
            return false;
    }
    return true;
}

/* ---- which are one
 * ---------------------------------------------------------------------------------------------------------------*/
static bool may_merge(const pass *s, const tare_node *n)
{
    if (!tare__plan_pure(n) || n->op->n_attrs > WORDS / (TARE_INTS + 1))
        return false;
    for (int k = n->n_in; k < n->n_in + n->n_out + n->n_aux; ++k)
        if (n->operand[k] && !n->op->view && s->tied[n->operand[k]->id])
            return false;
    return true;
}

static int32_t stands_for(const pass *s, const tare_value *v)
{
    return v ? s->instead[v->id] : -1;
}

static uint64_t mixed(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

static uint32_t hash_of(const pass *s, const tare_node *n)
{
    int64_t word[WORDS];
    int n_words = tare_attr_words(n->op->attrs, n->op->n_attrs, n->attr, word);
    uint64_t hash = mixed((uintptr_t)n->op, n->absent);
    for (int k = 0; k < n->n_in; ++k)
        hash = mixed(hash, (uint64_t)stands_for(s, n->operand[k]));
    for (int w = 0; w < n_words; ++w)
        hash = mixed(hash, (uint64_t)word[w]);
    return (uint32_t)(hash >> 32);
}

static bool same(const pass *s, const tare_node *a, const tare_node *b)
{
    int64_t word_a[WORDS], word_b[WORDS];
    bool like = a->op == b->op && a->variant == b->variant && a->absent == b->absent && a->n_in == b->n_in &&
                a->n_out == b->n_out && a->n_aux == b->n_aux;
    for (int k = 0; like && k < a->n_in; ++k)
        like = stands_for(s, a->operand[k]) == stands_for(s, b->operand[k]);
    for (int k = a->n_in; like && k < a->n_in + a->n_out + a->n_aux; ++k)
        like = !a->operand[k] == !b->operand[k];
    if (!like)
        return false;
    int n = tare_attr_words(a->op->attrs, a->op->n_attrs, a->attr, word_a);
    return n == tare_attr_words(b->op->attrs, b->op->n_attrs, b->attr, word_b) &&
           memcmp(word_a, word_b, (size_t)n * sizeof *word_a) == 0;
}

/* The earlier node that makes what node i makes, or -1; then the table has i, in the place of one whose operands have
 * been written since. */
static int32_t earlier(pass *s, int32_t i)
{
    const tare_program *program = s->p->program;
    const tare_node *n = &program->node[i];
    uint32_t at = hash_of(s, n) & s->mask;
    while (s->slot[at] && !same(s, &program->node[s->slot[at] - 1], n))
        at = (at + 1) & s->mask;
    int32_t found = s->slot[at] - 1;
    if (found >= 0 && unwritten(s, n, found) && !tare__plan_makes(n, s->result))
        return found;
    s->slot[at] = i + 1;
    return -1;
}

/* Fills `instead`; how many nodes are merged, views too. */
static int32_t find_merged(pass *s, bool *live)
{
    tare_plan *p = s->p;
    const tare_program *program = p->program;
    int32_t merged = 0;
    for (int32_t i = p->part.from; i < p->part.to; ++i) {
        const tare_node *n = &program->node[i];
        note_writes(s, i);
        int32_t first = live[i - p->part.from] && may_merge(s, n) ? earlier(s, i) : -1;
        if (first < 0)
            continue;
        for (int k = n->n_in; k < n->n_in + n->n_out + n->n_aux; ++k)
            if (n->operand[k])
                s->instead[n->operand[k]->id] = program->node[first].operand[k]->id;
        live[i - p->part.from] = false;
        ++merged;
        p->passes.merged += !n->op->view;
    }
    return merged;
}

/* ---- the program that reads what stands for its operands
 * -----------------------------------------------------------------------------------------------------------------*/
/* What stands for v, by the record that the plan's own program has of it; NULL stays. */
static tare_value *standing(const pass *s, const tare_value *v)
{
    return v ? s->p->program->value[s->instead[v->id]] : NULL;
}

static tare_status rewrite(pass *s, tare_program *own, int32_t i)
{
    tare_node *n = &own->node[i];
    int total = n->n_in + n->n_out + n->n_aux;
    bool changed = false;
    for (int k = 0; k < total; ++k) {
        const tare_value *v = n->operand[k];
        changed |= v && (k < n->n_in ? standing(s, v) != v : v->base && standing(s, v->base) != v->base);
    }
    if (!changed)
        return TARE_OK;
    tare_value **operand = tare_arena_take(&s->p->arena, (size_t)total * sizeof(tare_value *));
    if (!operand)
        return TARE_NO_MEMORY;
    for (int k = 0; k < total; ++k) {
        tare_value *v = n->operand[k];
        operand[k] = k < n->n_in ? standing(s, v) : v;
        if (k < n->n_in || !v || !v->base || standing(s, v->base) == v->base)
            continue;
        operand[k] = own->value[v->id] = tare__plan_own_value(s->p, v);
        if (!operand[k])
            return TARE_NO_MEMORY;
        operand[k]->base = standing(s, v->base);
    }
    n->operand = operand;
    return TARE_OK;
}

static tare_status merge(pass *s, bool *live)
{
    tare_plan *p = s->p;
    int32_t n_values = p->program->n_values;
    for (int32_t id = 0; id < n_values; ++id) {
        s->instead[id] = id;
        s->written[id] = -1;
    }
    tare__plan_find_written(p, s->tied);
    tare__plan_find_results(p, s->result);
    if (find_merged(s, live) == 0)
        return TARE_OK;
    p->instead = s->instead;
    tare_program *own = tare__plan_own_program(p, 0, 0);
    tare_status status = own ? TARE_OK : TARE_NO_MEMORY;
    for (int32_t i = p->part.from; i < p->part.to && status == TARE_OK; ++i)
        status = rewrite(s, own, i);
    return status;
}

tare_status tare__plan_merge(tare_plan *p, bool *live)
{
    tare_arena arena = {.memory = &p->runtime->memory};
    size_t values = (size_t)p->program->n_values + 1, slots = 64;
    while (slots < 2 * (size_t)(p->part.to - p->part.from))
        slots *= 2;
    pass s = {.p = p, .mask = (uint32_t)slots - 1, .external_written = -1};
    s.instead = tare_arena_take(&p->arena, values * sizeof *s.instead);
    s.written = tare_arena_take(&arena, values * sizeof *s.written);
    s.tied = tare_arena_take(&arena, values);
    s.result = tare_arena_take(&arena, values);
    s.slot = tare_arena_take(&arena, slots * sizeof *s.slot);
    tare_status status = TARE_NO_MEMORY;
    if (s.instead && s.written && s.tied && s.result && s.slot) {
        memset(s.tied, 0, values);
        memset(s.result, 0, values);
        memset(s.slot, 0, slots * sizeof *s.slot);
        status = merge(&s, live);
    }
    tare_arena_fini(&arena);
    return status;
}
