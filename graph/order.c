/* order.c - a pass: in which order a plan runs its nodes.
 *
 * Needs: p->order as the program has it, p->made, the works. Provides: p->order, p->order_taken. Every order keeps the
 * dependences (depend.c), so that no bit can change; what changes is how much is live at once.
 *
 * List scheduling: of the nodes that may come next the one with the smallest key, then the first of the program.
 * eager-update: what the program has from its first update on comes as soon as it can, so a gradient dies where it is
 * ready. least-peak: the key is by how many bytes the live values grow (R. Sethi, Complete register allocation
 * problems, SIAM J. Comput. 4, 1975, shows the exact problem to be NP-complete; this is its greedy rule). best measures
 * each of them and keeps the program's unless another needs less. */
#include <string.h>

#include "depend_private.h"

/* What the scheduling and the measuring follow: the bytes of each root, and who reads them still. */
typedef struct {
    const tare_plan *p;
    tare_dependences after;
    int64_t *bytes;      /* root's id -> rounded bytes that the plan places; 0: outside */
    int32_t *n_readers;  /* root's id -> nodes that read it and have not run; a result has one more */
    int64_t *reader_sum; /* root's id -> sum of their places: who it is when there is one */
    int32_t *waits;      /* place -> edges from what has not run */
    int64_t *key;        /* place -> its key now */
    int64_t *growth;     /* place -> bytes that live values grow by when it runs */
    bool *ran;
    int32_t *order; /* places in the order found */
} schedule;

static const tare_node *node_at(const schedule *s, int32_t place)
{
    return &s->p->program->node[s->p->order[place]];
}

/* Whether input k of a node with a kernel is the first to read its root. */
static bool first_read(const tare_node *n, int k)
{
    if (!n->operand[k] || n->op->view || tare__plan_shape_only(n, k))
        return false;
    for (int i = 0; i < k; ++i)
        if (n->operand[i] && !tare__plan_shape_only(n, i) &&
            tare_value_root(n->operand[i]) == tare_value_root(n->operand[k]))
            return false;
    return true;
}

static void follow_node(schedule *s, int32_t place)
{
    const tare_plan *p = s->p;
    const tare_node *n = node_at(s, place);
    s->growth[place] = 0;
    for (int k = 0; k < n->n_in; ++k) {
        if (!first_read(n, k))
            continue;
        int32_t id = tare_value_root(n->operand[k])->id;
        ++s->n_readers[id];
        s->reader_sum[id] += place;
    }
    for (int k = n->n_in; k < n->n_in + n->n_out + n->n_aux && !n->op->view; ++k) {
        const tare_value *v = n->operand[k];
        if (v && !v->base && !tare__plan_patched(p, v))
            s->bytes[v->id] = (int64_t)tare_memory_rounded(tare_desc_bytes(&v->d));
    }
}

/* Everything as before the first node. */
static void rewind_schedule(schedule *s)
{
    const tare_plan *p = s->p;
    size_t values = (size_t)p->program->n_values;
    memset(s->n_readers, 0, values * sizeof *s->n_readers);
    memset(s->reader_sum, 0, values * sizeof *s->reader_sum);
    memset(s->ran, 0, (size_t)p->n_order);
    memset(s->waits, 0, (size_t)p->n_order * sizeof *s->waits);
    for (int32_t i = 0; i < p->n_order; ++i)
        follow_node(s, i);
    for (int32_t r = 0; r < p->part.n_result; ++r) {
        int32_t id = tare_value_root(p->program->value[p->part.result[r]])->id;
        ++s->n_readers[id];
        s->reader_sum[id] += p->n_order; /* nobody's place */
    }
    for (int32_t e = 0; e < s->after.from[p->n_order]; ++e)
        ++s->waits[s->after.to[e]];
    for (int32_t i = 0; i < p->n_order; ++i) {
        const tare_node *n = node_at(s, i);
        for (int k = n->n_in; k < n->n_in + n->n_out + n->n_aux && !n->op->view; ++k)
            if (n->operand[k] && !n->operand[k]->base && s->n_readers[n->operand[k]->id])
                s->growth[i] += s->bytes[n->operand[k]->id];
        for (int k = 0; k < n->n_in; ++k)
            if (first_read(n, k) && s->n_readers[tare_value_root(n->operand[k])->id] == 1)
                s->growth[i] -= s->bytes[tare_value_root(n->operand[k])->id];
    }
}

/* ---- the queue: a heap of places that may come next, with entries whose key has changed left in it
 * --------------------------------------------------------------------------------------------------------------------*/
typedef struct {
    int64_t key;
    int32_t place;
} entry;

typedef struct {
    entry *at;
    int32_t n;
} queue;

static bool before(entry a, entry b)
{
    return a.key != b.key ? a.key < b.key : a.place < b.place;
}

static void push(queue *q, entry e)
{
    int32_t i = q->n++;
    for (; i > 0 && before(e, q->at[(i - 1) / 2]); i = (i - 1) / 2)
        q->at[i] = q->at[(i - 1) / 2];
    q->at[i] = e;
}

static entry pop(queue *q)
{
    entry top = q->at[0], last = q->at[--q->n];
    int32_t i = 0, child;
    while ((child = 2 * i + 1) < q->n) {
        child += child + 1 < q->n && before(q->at[child + 1], q->at[child]);
        if (!before(q->at[child], last))
            break;
        q->at[i] = q->at[child];
        i = child;
    }
    q->at[i] = last;
    return top;
}

/* ---- list scheduling
 * ------------------------------------------------------------------------------------------------------------------*/
/* A root that is read here for the last time but one: who reads it last will let it go. */
static void read_once(schedule *s, queue *q, int32_t place, int32_t id, bool by_growth)
{
    s->reader_sum[id] -= place;
    if (--s->n_readers[id] != 1 || s->reader_sum[id] >= s->p->n_order)
        return;
    int32_t last = (int32_t)s->reader_sum[id];
    s->growth[last] -= s->bytes[id];
    if (!by_growth)
        return;
    s->key[last] = s->growth[last];
    if (s->waits[last] == 0 && s->bytes[id])
        push(q, (entry){s->key[last], last});
}

static void run_node(schedule *s, queue *q, int32_t place, bool by_growth)
{
    const tare_node *n = node_at(s, place);
    s->ran[place] = true;
    for (int k = 0; k < n->n_in; ++k)
        if (first_read(n, k))
            read_once(s, q, place, tare_value_root(n->operand[k])->id, by_growth);
    for (int32_t e = s->after.from[place]; e < s->after.from[place + 1]; ++e) {
        int32_t next = s->after.to[e];
        if (--s->waits[next] == 0)
            push(q, (entry){s->key[next], next});
    }
}

/* The first place of the program's updates: what writes something again after the forward part. */
static int32_t first_update(const schedule *s)
{
    const tare_plan *p = s->p;
    for (int32_t i = 0; i < p->n_order; ++i)
        if (p->order[i] >= p->graph->n_forward && tare__plan_ties(node_at(s, i)))
            return i;
    return p->n_order;
}

static void find_order(schedule *s, queue *q, tare_plan_order rule)
{
    int32_t n = s->p->n_order, done = 0, update = first_update(s);
    bool by_growth = rule == TARE_ORDER_LEAST_PEAK;
    rewind_schedule(s);
    q->n = 0;
    for (int32_t i = 0; i < n; ++i)
        s->key[i] = by_growth ? s->growth[i] : i < update;
    for (int32_t i = 0; i < n; ++i)
        if (s->waits[i] == 0)
            push(q, (entry){s->key[i], i});
    while (q->n) {
        entry e = pop(q);
        if (s->ran[e.place] || e.key != s->key[e.place])
            continue;
        s->order[done++] = e.place;
        run_node(s, q, e.place, by_growth);
    }
}

/* ---- measuring an order
 * -----------------------------------------------------------------------------------------------------------------*/
/* Whether output o would take over the place of an input that dies here, as buffers.c decides it. */
static bool takes_over(const schedule *s, const tare_node *n, int o)
{
    const tare_value *out = n->operand[n->n_in + o];
    int k = o < TARE_OPERANDS ? n->op->overwrites[o] - 1 : -1;
    if (k < 0 || k >= n->n_in || !n->operand[k] || !n->operand[k]->d.contiguous || tare__plan_shape_only(n, k))
        return false;
    const tare_value *root = tare_value_root(n->operand[k]);
    int64_t offset = 0;
    for (const tare_value *v = n->operand[k]; v->base; v = v->base)
        offset += v->view_offset;
    for (int i = 0; i < n->n_in + n->n_out + n->n_aux; ++i)
        if (i != k && n->operand[i] && tare_value_root(n->operand[i]) == root)
            return false;
    return offset == 0 && s->n_readers[root->id] == 1 && s->bytes[root->id] &&
           s->bytes[out->id] == s->bytes[root->id] && tare_desc_bytes(&out->d) == tare_desc_bytes(&n->operand[k]->d);
}

/* The most bytes that are live at once when the places run in this order; in-place writes and scratch are counted. */
static int64_t measure(schedule *s, const int32_t *order, bool in_place)
{
    const tare_plan *p = s->p;
    int64_t live = 0, most = 0;
    rewind_schedule(s);
    for (int32_t i = 0; i < p->n_order; ++i) {
        const tare_node *n = node_at(s, order[i]);
        if (n->op->view)
            continue;
        int64_t dead = 0, taken = 0;
        for (int k = n->n_in; k < n->n_in + n->n_out + n->n_aux; ++k) {
            const tare_value *v = n->operand[k];
            if (!v || v->base)
                continue;
            taken += in_place && takes_over(s, n, k - n->n_in) ? s->bytes[v->id] : 0;
            live += s->bytes[v->id];
            dead += s->n_readers[v->id] ? 0 : s->bytes[v->id];
        }
        const tare_work *w = p->made[p->order[order[i]] - p->part.from]->work;
        size_t scratch = tare_work_piece_scratch(w) + tare_work_worker_scratch(w, p->runtime->options.threads);
        int64_t now = live - taken + (scratch ? (int64_t)tare_memory_rounded(scratch) : 0);
        most = now > most ? now : most;
        for (int k = 0; k < n->n_in; ++k)
            if (first_read(n, k) && --s->n_readers[tare_value_root(n->operand[k])->id] == 0)
                dead += s->bytes[tare_value_root(n->operand[k])->id];
        live -= dead;
    }
    return most;
}

/* ---- the pass
 * -----------------------------------------------------------------------------------------------------------------*/
static tare_status reserve(schedule *s, queue *q, tare_arena *arena)
{
    size_t values = (size_t)s->p->program->n_values, n = (size_t)s->p->n_order + 1;
    s->bytes = tare_arena_take(arena, values * sizeof *s->bytes);
    s->n_readers = tare_arena_take(arena, values * sizeof *s->n_readers);
    s->reader_sum = tare_arena_take(arena, values * sizeof *s->reader_sum);
    s->waits = tare_arena_take(arena, n * sizeof *s->waits);
    s->key = tare_arena_take(arena, n * sizeof *s->key);
    s->growth = tare_arena_take(arena, n * sizeof *s->growth);
    s->ran = tare_arena_take(arena, n);
    s->order = tare_arena_take(arena, n * sizeof *s->order);
    q->at = tare_arena_take(arena, (n + values) * sizeof *q->at); /* once each, and once more a root */
    bool all =
        s->bytes && s->n_readers && s->reader_sum && s->waits && s->key && s->growth && s->ran && s->order && q->at;
    if (all)
        memset(s->bytes, 0, values * sizeof *s->bytes);
    return all ? TARE_OK : TARE_NO_MEMORY;
}

/* Tries the rules asked for and writes the order that needs least into p->order. */
static tare_status choose(tare_plan *p, schedule *s, queue *q, tare_arena *arena, tare_plan_order asked, bool in_place)
{
    size_t bytes = (size_t)p->n_order * sizeof *s->order;
    int32_t *best = tare_arena_take(arena, bytes + 1), *taken = tare_arena_take(arena, bytes + 1);
    if (!best || !taken)
        return TARE_NO_MEMORY;
    for (int32_t i = 0; i < p->n_order; ++i)
        best[i] = i;
    p->refcount_before = measure(s, best, false);
    int64_t least = asked == TARE_ORDER_BEST ? measure(s, best, in_place) : INT64_MAX;
    for (tare_plan_order rule = TARE_ORDER_EAGER_UPDATE; rule < TARE_ORDER_BEST; ++rule) {
        if (asked != TARE_ORDER_BEST && asked != rule)
            continue;
        find_order(s, q, rule);
        int64_t peak = asked == TARE_ORDER_BEST ? measure(s, s->order, in_place) : 0;
        if (peak >= least)
            continue;
        least = peak;
        p->order_taken = rule;
        memcpy(best, s->order, bytes);
    }
    for (int32_t i = 0; i < p->n_order; ++i)
        taken[i] = p->order[best[i]];
    memcpy(p->order, taken, bytes);
    return TARE_OK;
}

tare_status tare__plan_order(tare_plan *p, tare_plan_order asked, bool in_place)
{
    if (asked == TARE_ORDER_PROGRAM || p->n_order == 0)
        return TARE_OK;
    tare_arena arena = {.memory = &p->runtime->memory};
    schedule s = {.p = p};
    queue q = {0};
    tare_status status = tare__plan_depend(p, &arena, &s.after);
    if (status == TARE_OK)
        status = reserve(&s, &q, &arena);
    if (status == TARE_OK)
        status = choose(p, &s, &q, &arena, asked, in_place);
    tare_arena_fini(&arena);
    return status;
}
