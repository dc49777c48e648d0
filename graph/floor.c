/* floor.c - the order-free floor: bytes that a plan of these nodes holds at once in whatever order it runs them.
 *
 * While a node runs, all that must come before it has run and all that must come after it has not (depend.c). So what
 * the former make and the latter read, or a result, is there, whatever the order; and so are the node's own operands,
 * its scratch. At the end all results are. The greatest of these sums bounds every arena of every order from below.
 * What may be written in place is counted once, and a part that may lie in the whole that it is joined to (placement)
 * not beside it.
 *
 * Two bits for each pair of nodes: beyond MOST nodes there is no floor. */
#include <string.h>

#include "depend_private.h"

enum { MOST = 4096 };

typedef struct {
    const tare_plan *p;
    int32_t n, words;
    uint64_t *earlier, *later; /* [n][words]: places that come before, after each */
    uint64_t *held;            /* [words]: at which places the root looked at is held */
    const int32_t **readers;   /* root's id -> its readers' places, ended by -1; NULL: none */
    int32_t *place_of;         /* root's id -> its maker's, -1: not made here */
    uint64_t **whole;          /* root's id -> [words]: places of the joins in whose output it may lie; NULL: none */
    bool *result;              /* root's id */
    int64_t *sum;              /* place -> bytes */
} floor_of;

static const tare_node *node_at(const floor_of *f, int32_t place)
{
    return &f->p->program->node[f->p->order[place]];
}

static bool bit(const uint64_t *set, int32_t i)
{
    return set[i / 64] >> (i % 64) & 1;
}

/* The wholes that a root may lie in, one after the other, from *place = -1 on; -1 when there is no more. */
static int32_t next_whole(const floor_of *f, int32_t id, int32_t *place)
{
    while (f->whole[id] && ++*place < f->n)
        if (bit(f->whole[id], *place))
            return node_at(f, *place)->operand[node_at(f, *place)->n_in]->id;
    return -1;
}

/* Parts take what they take of their whole, without gaps between them. */
static int64_t bytes_of(const floor_of *f, const tare_value *root)
{
    int64_t bytes = (int64_t)tare_desc_bytes(&root->d);
    if (f->place_of[root->id] < 0)
        return 0;
    return f->whole[root->id] ? bytes : (int64_t)tare_memory_rounded((size_t)bytes);
}

static void join_sets(uint64_t *to, const uint64_t *from, int32_t words)
{
    for (int32_t w = 0; w < words; ++w)
        to[w] |= from[w];
}

/* Places are in an order that keeps the dependences, so one sweep each way is enough. */
static void close_sets(floor_of *f, const tare_dependences *d)
{
    size_t words = (size_t)f->words;
    for (int32_t i = 0; i < f->n; ++i)
        for (int32_t e = d->from[i]; e < d->from[i + 1]; ++e) {
            uint64_t *to = f->earlier + (size_t)d->to[e] * words;
            join_sets(to, f->earlier + (size_t)i * words, f->words);
            to[i / 64] |= UINT64_C(1) << (i % 64);
        }
    for (int32_t i = f->n - 1; i >= 0; --i)
        for (int32_t e = d->from[i]; e < d->from[i + 1]; ++e) {
            uint64_t *to = f->later + (size_t)i * words;
            join_sets(to, f->later + (size_t)d->to[e] * words, f->words);
            to[d->to[e] / 64] |= UINT64_C(1) << (d->to[e] % 64);
        }
}

/* Into `held`: after its maker, before a reader, or to the end. */
static void hold(const floor_of *f, int32_t id, uint64_t *held)
{
    size_t words = (size_t)f->words;
    memset(held, f->result[id] ? 0xff : 0, words * sizeof *held);
    for (const int32_t *r = f->readers[id]; r && *r >= 0; ++r)
        join_sets(held, f->earlier + (size_t)*r * words, f->words);
    const uint64_t *after = f->later + (size_t)f->place_of[id] * words;
    for (size_t w = 0; w < words; ++w)
        held[w] &= after[w];
}

/* Adds what passes by: the root's bytes wherever it is held and no whole of it is there, held or read. */
static void add_held(floor_of *f, const tare_value *root, uint64_t *scratch)
{
    hold(f, root->id, f->held);
    for (int32_t at = -1, whole; (whole = next_whole(f, root->id, &at)) >= 0;) {
        hold(f, whole, scratch);
        for (const int32_t *r = f->readers[whole]; r && *r >= 0; ++r)
            scratch[*r / 64] |= UINT64_C(1) << (*r % 64);
        for (int32_t w = 0; w < f->words; ++w)
            f->held[w] &= ~scratch[w];
    }
    for (int32_t w = 0; w < f->words; ++w)
        for (uint64_t set = f->held[w]; set; set &= set - 1)
            f->sum[w * 64 + __builtin_ctzll(set)] += bytes_of(f, root);
}

/* Whether the root is there at this place for others too: then it has been added. */
static bool passes(const floor_of *f, int32_t id, int32_t place)
{
    bool needed = f->result[id];
    for (const int32_t *r = f->readers[id]; r && *r >= 0 && !needed; ++r)
        needed = bit(f->earlier + (size_t)*r * (size_t)f->words, place);
    return needed && bit(f->later + (size_t)f->place_of[id] * (size_t)f->words, place);
}

/* Whether it may lie in something that is there anyway. */
static bool in_whole(const floor_of *f, const tare_node *n, int32_t id, int32_t place)
{
    for (int32_t at = -1, whole; (whole = next_whole(f, id, &at)) >= 0;) {
        if (f->place_of[whole] >= 0 && passes(f, whole, place))
            return true;
        for (int k = 0; k < n->n_in; ++k)
            if (n->operand[k] && tare_value_root(n->operand[k])->id == whole)
                return true;
    }
    return false;
}

static bool first_operand(const tare_node *n, int k)
{
    for (int i = 0; i < k; ++i)
        if (n->operand[i] && !tare__plan_shape_only(n, i) &&
            tare_value_root(n->operand[i]) == tare_value_root(n->operand[k]))
            return false;
    return true;
}

/* Whether output o may be written over an input that nobody needs after. */
static bool may_take_over(const floor_of *f, const tare_node *n, int o, int32_t place)
{
    int k = o < TARE_OPERANDS ? n->op->overwrites[o] - 1 : -1;
    if (k < 0 || k >= n->n_in || !n->operand[k] || tare__plan_shape_only(n, k))
        return false;
    const tare_value *root = tare_value_root(n->operand[k]);
    return f->place_of[root->id] >= 0 && !passes(f, root->id, place) &&
           tare_memory_rounded(tare_desc_bytes(&root->d)) ==
               tare_memory_rounded(tare_desc_bytes(&n->operand[n->n_in + o]->d));
}

/* The node's own operands and scratch, those that are not there for others anyway. */
static int64_t own_bytes(const floor_of *f, int32_t place)
{
    const tare_node *n = node_at(f, place), *made = f->p->made[f->p->order[place] - f->p->part.from];
    int64_t bytes = 0;
    for (int k = 0; k < n->n_in + n->n_out + n->n_aux; ++k) {
        const tare_value *v = n->operand[k];
        if (!v || tare__plan_shape_only(n, k) || !first_operand(n, k))
            continue;
        const tare_value *root = tare_value_root(v);
        bool there = k < n->n_in
                         ? f->place_of[root->id] < 0 || passes(f, root->id, place) || in_whole(f, n, root->id, place)
                         : v->base || may_take_over(f, n, k - n->n_in, place);
        bytes += there ? 0 : bytes_of(f, root);
    }
    size_t scratch =
        tare_work_piece_scratch(made->work) + tare_work_worker_scratch(made->work, f->p->runtime->options.threads);
    return bytes + (scratch ? (int64_t)tare_memory_rounded(scratch) : 0);
}

/* All results are there at the end. */
static int64_t end_bytes(const floor_of *f)
{
    int64_t bytes = 0;
    for (int32_t id = 0; id < f->p->program->n_values; ++id) {
        bool there = false;
        for (int32_t at = -1, whole; (whole = next_whole(f, id, &at)) >= 0;)
            there |= f->result[whole];
        bytes += f->result[id] && !there ? bytes_of(f, f->p->program->value[id]) : 0;
    }
    return bytes;
}

/* ---- who makes and who reads ---------------------------------------------------------------------------------*/
static tare_status take_sets(floor_of *f, tare_arena *arena)
{
    size_t values = (size_t)f->p->program->n_values, places = (size_t)f->n, words = (size_t)f->words;
    f->earlier = tare_arena_take(arena, places * words * sizeof *f->earlier);
    f->later = tare_arena_take(arena, places * words * sizeof *f->later);
    f->held = tare_arena_take(arena, 2 * words * sizeof *f->held);
    f->readers = tare_arena_take(arena, values * sizeof *f->readers);
    f->place_of = tare_arena_take(arena, values * sizeof *f->place_of);
    f->whole = tare_arena_take(arena, values * sizeof *f->whole);
    f->result = tare_arena_take(arena, values);
    f->sum = tare_arena_take(arena, words * 64 * sizeof *f->sum);
    if (!f->earlier || !f->later || !f->held || !f->readers || !f->place_of || !f->whole || !f->result || !f->sum)
        return TARE_NO_MEMORY;
    memset(f->earlier, 0, places * words * sizeof *f->earlier);
    memset(f->later, 0, places * words * sizeof *f->later);
    memset(f->readers, 0, values * sizeof *f->readers);
    memset(f->place_of, -1, values * sizeof *f->place_of);
    memset(f->whole, 0, values * sizeof *f->whole);
    memset(f->result, 0, values);
    memset(f->sum, 0, words * 64 * sizeof *f->sum);
    return TARE_OK;
}

static void find_makers(floor_of *f, int32_t *n_readers)
{
    const tare_plan *p = f->p;
    for (int32_t i = 0; i < f->n; ++i) {
        const tare_node *n = node_at(f, i);
        for (int k = n->n_in; k < n->n_in + n->n_out + n->n_aux && !n->op->view; ++k) {
            const tare_value *v = n->operand[k];
            if (v && !v->base && !tare__plan_patched(p, v))
                f->place_of[v->id] = i;
        }
        for (int k = 0; k < n->n_in; ++k) {
            if (!n->operand[k] || n->op->view || tare__plan_shape_only(n, k))
                continue;
            ++n_readers[tare_value_root(n->operand[k])->id];
        }
    }
    for (int32_t r = 0; r < p->part.n_result; ++r)
        f->result[tare_value_root(p->program->value[p->part.result[r]])->id] = true;
}

/* Where a node's inputs may lie. Backwards, so that what the whole may lie in itself is known before. */
static tare_status note_whole(floor_of *f, int32_t place, tare_arena *arena)
{
    const tare_node *n = node_at(f, place);
    const size_t bytes = (size_t)f->words * sizeof(uint64_t);
    if (!n->op->join || f->place_of[n->operand[n->n_in]->id] < 0)
        return TARE_OK;
    for (int k = 0; k < n->n_in; ++k) {
        const tare_value *v = n->operand[k];
        if (!v || v->node < 0 || v->base)
            continue;
        uint64_t **set = &f->whole[v->id], *above = f->whole[n->operand[n->n_in]->id];
        if (!*set) {
            *set = tare_arena_take(arena, bytes);
            if (!*set)
                return TARE_NO_MEMORY;
            memset(*set, 0, bytes);
        }
        (*set)[place / 64] |= UINT64_C(1) << (place % 64);
        if (above)
            join_sets(*set, above, f->words);
    }
    return TARE_OK;
}

static tare_status list_readers(floor_of *f, tare_arena *arena)
{
    size_t values = (size_t)f->p->program->n_values;
    int32_t *count = tare_arena_take(arena, values * sizeof *count), **list;
    if (!count)
        return TARE_NO_MEMORY;
    memset(count, 0, values * sizeof *count);
    find_makers(f, count);
    list = tare_arena_take(arena, values * sizeof *list);
    if (!list)
        return TARE_NO_MEMORY;
    for (size_t id = 0; id < values; ++id) {
        list[id] = count[id] ? tare_arena_take(arena, ((size_t)count[id] + 1) * sizeof **list) : NULL;
        if (count[id] && !list[id])
            return TARE_NO_MEMORY;
        f->readers[id] = list[id];
    }
    for (int32_t i = 0; i < f->n; ++i) {
        const tare_node *n = node_at(f, i);
        for (int k = 0; k < n->n_in && !n->op->view; ++k)
            if (n->operand[k] && !tare__plan_shape_only(n, k))
                *list[tare_value_root(n->operand[k])->id]++ = i;
    }
    for (size_t id = 0; id < values; ++id)
        if (count[id])
            *list[id] = -1;
    return TARE_OK;
}

tare_status tare_plan_floor(const tare_plan *p, int64_t *bytes)
{
    *bytes = -1;
    if (p->n_order > MOST)
        return TARE_OK;
    tare_arena arena = {.memory = &p->runtime->memory};
    floor_of f = {.p = p, .n = p->n_order, .words = (p->n_order + 63) / 64};
    tare_dependences d;
    tare_status status = tare__plan_depend(p, &arena, &d);
    if (status == TARE_OK)
        status = take_sets(&f, &arena);
    if (status == TARE_OK)
        status = list_readers(&f, &arena);
    for (int32_t i = f.n - 1; i >= 0 && status == TARE_OK; --i)
        status = note_whole(&f, i, &arena);
    if (status == TARE_OK) {
        *bytes = end_bytes(&f);
        close_sets(&f, &d);
        for (int32_t id = 0; id < p->program->n_values; ++id)
            if (f.place_of[id] >= 0)
                add_held(&f, p->program->value[id], f.held + f.words);
        for (int32_t i = 0; i < f.n; ++i) {
            const tare_node *n = node_at(&f, i);
            int64_t here = n->op->view || n->op->join ? 0 : f.sum[i] + own_bytes(&f, i);
            *bytes = here > *bytes ? here : *bytes;
        }
    }
    tare_arena_fini(&arena);
    return status;
}
