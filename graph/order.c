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

/* What changes on the way through an order. */
typedef struct {
    int64_t *reader_sum; /* root's id -> sum of the places of those who read it still: who it is when there is one */
    int64_t *growth;     /* place -> bytes that live values grow by when it runs */
    int32_t *n_readers;  /* root's id -> nodes that read it and have not run; a result has one more */
    int32_t *waits;      /* place -> edges from what has not run */
    size_t bytes;        /* of all four, which follow each other */
} counts;

/* What the scheduling and the measuring follow: the bytes of each root, and who reads them still. */
typedef struct {
    const tare_plan *p;
    tare_dependences after;
    int64_t *bytes;            /* root's id -> rounded bytes that the plan places; 0: outside */
    int32_t *read_from, *read; /* place -> its first entry, one more at the end; root's id, each once a node */
    int32_t *made_from, *made; /* the same of the roots that it makes */
    counts start, now;         /* before the first node; on the way */
    int64_t *key;              /* place -> its key now */
    bool *ran;
    int32_t *order; /* places in the order found */
} schedule;

static const tare_node *node_at(const schedule *s, int32_t place)
{
    return &s->p->program->node[s->p->order[place]];
}

/* Which roots each node with a kernel reads and makes. seen: root's id -> the latest place that reads it. */
static void list_roots(schedule *s, int32_t *seen)
{
    const tare_plan *p = s->p;
    int32_t n_read = 0, n_made = 0;
    for (int32_t i = 0; i < p->n_order; ++i) {
        const tare_node *n = node_at(s, i);
        s->read_from[i] = n_read;
        s->made_from[i] = n_made;
        for (int k = 0; k < n->n_in && !n->op->view; ++k) {
            int32_t id = n->operand[k] && !tare__plan_shape_only(n, k) ? tare_value_root(n->operand[k])->id : -1;
            if (id < 0 || seen[id] == i)
                continue;
            seen[id] = i;
            s->read[n_read++] = id;
        }
        for (int k = n->n_in; k < n->n_in + n->n_out + n->n_aux && !n->op->view; ++k) {
            const tare_value *v = n->operand[k];
            if (!v || v->base)
                continue;
            s->made[n_made++] = v->id;
            if (!tare__plan_patched(p, v))
                s->bytes[v->id] = (int64_t)tare_memory_rounded(tare_desc_bytes(&v->d));
        }
    }
    s->read_from[p->n_order] = n_read;
    s->made_from[p->n_order] = n_made;
}

/* Everything as before the first node. */
static void count_start(schedule *s)
{
    const tare_plan *p = s->p;
    counts *c = &s->start;
    memset(c->reader_sum, 0, c->bytes);
    for (int32_t i = 0; i < p->n_order; ++i)
        for (int32_t r = s->read_from[i]; r < s->read_from[i + 1]; ++r) {
            ++c->n_readers[s->read[r]];
            c->reader_sum[s->read[r]] += i;
        }
    for (int32_t r = 0; r < p->part.n_result; ++r) {
        int32_t id = tare_value_root(p->program->value[p->part.result[r]])->id;
        ++c->n_readers[id];
        c->reader_sum[id] += p->n_order; /* nobody's place */
    }
    for (int32_t e = 0; e < s->after.from[p->n_order]; ++e)
        ++c->waits[s->after.to[e]];
    for (int32_t i = 0; i < p->n_order; ++i) {
        for (int32_t k = s->made_from[i]; k < s->made_from[i + 1]; ++k)
            c->growth[i] += c->n_readers[s->made[k]] ? s->bytes[s->made[k]] : 0;
        for (int32_t r = s->read_from[i]; r < s->read_from[i + 1]; ++r)
            c->growth[i] -= c->n_readers[s->read[r]] == 1 ? s->bytes[s->read[r]] : 0;
    }
}

static void rewind_schedule(schedule *s)
{
    memcpy(s->now.reader_sum, s->start.reader_sum, s->start.bytes);
    memset(s->ran, 0, (size_t)s->p->n_order);
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
    counts *c = &s->now;
    c->reader_sum[id] -= place;
    if (--c->n_readers[id] != 1 || c->reader_sum[id] >= s->p->n_order)
        return;
    int32_t last = (int32_t)c->reader_sum[id];
    c->growth[last] -= s->bytes[id];
    if (!by_growth)
        return;
    s->key[last] = c->growth[last];
    if (c->waits[last] == 0 && s->bytes[id])
        push(q, (entry){s->key[last], last});
}

static void run_node(schedule *s, queue *q, int32_t place, bool by_growth)
{
    s->ran[place] = true;
    for (int32_t r = s->read_from[place]; r < s->read_from[place + 1]; ++r)
        read_once(s, q, place, s->read[r], by_growth);
    for (int32_t e = s->after.from[place]; e < s->after.from[place + 1]; ++e) {
        int32_t next = s->after.to[e];
        if (--s->now.waits[next] == 0)
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
        s->key[i] = by_growth ? s->now.growth[i] : i < update;
    for (int32_t i = 0; i < n; ++i)
        if (s->now.waits[i] == 0)
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
    return offset == 0 && s->now.n_readers[root->id] == 1 && s->bytes[root->id] &&
           s->bytes[out->id] == s->bytes[root->id] && tare_desc_bytes(&out->d) == tare_desc_bytes(&n->operand[k]->d);
}

/* The most bytes that are live at once when the places run in this order; in-place writes and scratch are counted. */
static int64_t measure(schedule *s, const int32_t *order, bool in_place)
{
    const tare_plan *p = s->p;
    int64_t live = 0, most = 0;
    rewind_schedule(s);
    for (int32_t i = 0; i < p->n_order; ++i) {
        const int32_t place = order[i];
        const tare_node *n = node_at(s, place);
        if (n->op->view)
            continue;
        int64_t dead = 0, taken = 0;
        for (int32_t k = s->made_from[place]; k < s->made_from[place + 1]; ++k) {
            live += s->bytes[s->made[k]];
            dead += s->now.n_readers[s->made[k]] ? 0 : s->bytes[s->made[k]];
        }
        for (int o = 0; in_place && o < n->n_out + n->n_aux && o < TARE_OPERANDS; ++o) {
            const tare_value *v = n->operand[n->n_in + o];
            taken += v && !v->base && takes_over(s, n, o) ? s->bytes[v->id] : 0;
        }
        const tare_work *w = p->made[p->order[place] - p->part.from]->work;
        size_t scratch = tare_work_piece_scratch(w) + tare_work_worker_scratch(w, p->runtime->options.threads);
        int64_t now = live - taken + (scratch ? (int64_t)tare_memory_rounded(scratch) : 0);
        most = now > most ? now : most;
        for (int32_t r = s->read_from[place]; r < s->read_from[place + 1]; ++r)
            dead += --s->now.n_readers[s->read[r]] == 0 ? s->bytes[s->read[r]] : 0;
        live -= dead;
    }
    return most;
}

/* ---- the pass
 * -----------------------------------------------------------------------------------------------------------------*/
static bool reserve_counts(counts *c, tare_arena *arena, size_t values, size_t n)
{
    c->bytes = (values + n) * (sizeof *c->reader_sum + sizeof *c->n_readers);
    c->reader_sum = tare_arena_take(arena, c->bytes);
    c->growth = c->reader_sum ? c->reader_sum + values : NULL;
    c->n_readers = c->reader_sum ? (int32_t *)(c->growth + n) : NULL;
    c->waits = c->reader_sum ? c->n_readers + values : NULL;
    return c->reader_sum;
}

static tare_status reserve(schedule *s, queue *q, tare_arena *arena)
{
    const tare_plan *p = s->p;
    size_t values = (size_t)p->program->n_values, n = (size_t)p->n_order + 1, reads = 1, made = 1;
    for (int32_t i = 0; i < p->n_order; ++i) {
        reads += (size_t)node_at(s, i)->n_in;
        made += (size_t)(node_at(s, i)->n_out + node_at(s, i)->n_aux);
    }
    s->bytes = tare_arena_take(arena, values * sizeof *s->bytes);
    s->read_from = tare_arena_take(arena, n * sizeof *s->read_from);
    s->read = tare_arena_take(arena, reads * sizeof *s->read);
    s->made_from = tare_arena_take(arena, n * sizeof *s->made_from);
    s->made = tare_arena_take(arena, made * sizeof *s->made);
    s->key = tare_arena_take(arena, n * sizeof *s->key);
    s->ran = tare_arena_take(arena, n);
    s->order = tare_arena_take(arena, n * sizeof *s->order);
    q->at = tare_arena_take(arena, (n + values) * sizeof *q->at); /* once each, and once more a root */
    int32_t *seen = tare_arena_take(arena, values * sizeof *seen);
    if (!s->bytes || !s->read_from || !s->read || !s->made_from || !s->made || !s->key || !s->ran || !s->order ||
        !q->at || !seen || !reserve_counts(&s->start, arena, values, n) || !reserve_counts(&s->now, arena, values, n))
        return TARE_NO_MEMORY;
    memset(s->bytes, 0, values * sizeof *s->bytes);
    memset(seen, 0xff, values * sizeof *seen);
    list_roots(s, seen);
    count_start(s);
    return TARE_OK;
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
    int64_t least = asked == TARE_ORDER_BEST ? measure(s, best, in_place) : INT64_MAX;
    for (tare_plan_order rule = TARE_ORDER_EAGER_UPDATE; rule < TARE_ORDER_BEST; ++rule) {
        bool same = rule == TARE_ORDER_EAGER_UPDATE && first_update(s) == p->n_order; /* as the program's */
        if (asked == TARE_ORDER_BEST ? same : asked != rule)
            continue;
        find_order(s, q, rule);
        int64_t peak = asked == TARE_ORDER_BEST ? measure(s, s->order, in_place) : 0;
        if (peak >= least)
            continue;
        least = peak;
        p->order_taken = rule;
        memcpy(best, s->order, bytes);
    }
    if (p->order_taken == TARE_ORDER_PROGRAM)
        return TARE_OK;
    for (int32_t i = 0; i < p->n_order; ++i) {
        taken[i] = p->order[best[i]];
        s->order[i] = i;
    }
    p->refcount_before = measure(s, s->order, false);
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
