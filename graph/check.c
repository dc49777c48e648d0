/* check.c - proves a finished plan from its instruction stream and the operator records; shares no code with the
 * planner.
 *
 * The calls are executed on ownership instead of data. The arena is cut into cells at every address that occurs; each
 * cell knows which value was written there last. A call may read a value only if all its cells are still its own; a
 * write takes cells over, and may touch an operand of the same call only where the operator's record allows it. At the
 * end every result must still own its cells. On the way the live bytes are summed anew: the peak must be the bound that
 * the planner claims, and no arena can be smaller.
 *
 * Aliases (views, ties) are one value: the root of their chain of bases. An operand that is an alias stands for all of
 * its root's bytes, and lies within them at every element. */
#include <stdlib.h>
#include <string.h>

#include "graph_private.h"

enum { NOBODY = -1, SCRATCH = -2 };           /* owners */
enum { NOT_DEFINED = -1, NOT_IN_ARENA = -2 }; /* places of a root */

typedef struct {
    const tare_plan *plan;
    int64_t *cut;             /* sorted distinct addresses; cell i = [cut[i], cut[i + 1]) */
    int32_t *owner;           /* of each cell: a root's id */
    int64_t *where;           /* root's id -> arena address, or one of the above */
    int32_t *first, *last;    /* root's id -> calls */
    int32_t *reader, *writer; /* root's id -> the latest node of the program that has read it, written it again */
    int32_t n_cut, n_values;
} check;

typedef struct {
    int64_t address, bytes; /* address -1: not in the arena */
} region;

static const tare_value *root_of(const tare_value *v)
{
    while (v->base)
        v = v->base;
    return v;
}

/* Bytes from its root's first. */
static int64_t offset_of(const tare_value *v)
{
    int64_t offset = 0;
    for (; v->base; v = v->base)
        offset += v->view_offset * (int64_t)tare_dtype_bytes((tare_dtype)v->d.dtype);
    return offset;
}

static int64_t value_bytes(const tare_value *v)
{
    return (int64_t)tare_desc_bytes(&v->d);
}

/* What entry `at` of the address table says for `bytes`. */
static region region_of(const tare_plan *p, int32_t at, int64_t bytes)
{
    const tare_address *a = &p->address[at];
    if (a->buffer < 0 || p->buffer[a->buffer].outside >= 0)
        return (region){-1, bytes};
    return (region){p->buffer[a->buffer].offset + a->offset, bytes};
}

static tare_status wrong(const check *k, int32_t call, const char *what)
{
    const tare_node *n = k->plan->node[call];
    return tare_error(TARE_IMPOSSIBLE, "the plan is wrong at call %d, %s '%s': %s", call, n->op->name,
                      n->path ? n->path : "", what);
}

/* ---- cells
 * -------------------------------------------------------------------------------------------------------------------*/
static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static int32_t cell_at(const check *k, int64_t address)
{
    int32_t low = 0, high = k->n_cut - 1;
    while (low < high) {
        int32_t middle = (low + high) / 2;
        if (k->cut[middle] < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void take_cells(check *k, region r, int32_t owner)
{
    if (r.address < 0 || r.bytes == 0)
        return;
    for (int32_t c = cell_at(k, r.address); c < k->n_cut && k->cut[c] < r.address + r.bytes; ++c)
        k->owner[c] = owner;
}

static bool owns(const check *k, region r, int32_t owner)
{
    if (r.address < 0 || r.bytes == 0)
        return true;
    for (int32_t c = cell_at(k, r.address); c < k->n_cut && k->cut[c] < r.address + r.bytes; ++c)
        if (k->owner[c] != owner)
            return false;
    return true;
}

static bool meet(region a, region b)
{
    return a.address >= 0 && b.address >= 0 && a.address < b.address + b.bytes && b.address < a.address + a.bytes;
}

/* ---- one call
 * ----------------------------------------------------------------------------------------------------------------*/
/* Scratch of all workers: a call has no more of them than pieces, and no more than the runtime has threads. */
static size_t workers_bytes(const tare_plan *p, const tare_work *w)
{
    int threads = p->runtime->options.threads;
    return w->worker_bytes * (size_t)(threads > w->n_pieces ? w->n_pieces : threads);
}

/* Visits every region of a call: operands, then scratch of pieces and of workers. An alias: its root's, as far as that
 * is defined. */
static region call_region(const check *k, int32_t call, int32_t from, int i)
{
    const tare_plan *p = k->plan;
    const tare_node *n = p->node[call];
    int total = n->n_in + n->n_out + n->n_aux;
    if (i < total && n->operand[i] && n->operand[i]->base) {
        const tare_value *root = root_of(n->operand[i]);
        return (region){k->where[root->id], value_bytes(root)};
    }
    if (i < total)
        return n->operand[i] ? region_of(p, from + i, value_bytes(n->operand[i])) : (region){-1, 0};
    const tare_work *w = n->work;
    return region_of(p, from + i, (int64_t)(i == total ? w->piece_bytes * (size_t)w->n_pieces : workers_bytes(p, w)));
}

/* The bytes that the elements of a desc take, [low, high) from element 0. */
static void reach_of(const tare_desc *d, int64_t *low, int64_t *high)
{
    int64_t item = (int64_t)tare_dtype_bytes((tare_dtype)d->dtype);
    *low = 0;
    *high = tare_desc_count(d) ? item : 0;
    for (int i = 0; i < d->rank && *high; ++i)
        *(d->stride[i] < 0 ? low : high) += (d->dim[i] - 1) * d->stride[i] * item;
}

/* Whether every element of an alias lies in its root. */
static bool inside_root(const tare_value *v)
{
    int64_t low, high, root_low, root_high, offset = offset_of(v);
    reach_of(&v->d, &low, &high);
    reach_of(&root_of(v)->d, &root_low, &root_high);
    return high == 0 || (offset + low >= root_low && offset + high <= root_high);
}

static bool shape_only(const tare_node *n, int i)
{
    return i < n->n_in && n->op->shape_only >> (i & 31) & 1;
}

static tare_status check_bounds(const check *k, int32_t call, int32_t from)
{
    const tare_plan *p = k->plan;
    for (int i = 0; i < p->call[call].n_ptr; ++i) {
        region r = call_region(k, call, from, i);
        if (r.address >= 0 && r.address + r.bytes > p->bytes.arena)
            return wrong(k, call, "an address lies outside the arena");
        const tare_node *n = p->node[call];
        bool aligned = i >= n->n_in && (i >= n->n_in + n->n_out + n->n_aux || (n->operand[i] && !n->operand[i]->base));
        if (r.address >= 0 && aligned && r.bytes && r.address % TARE_ALIGNMENT)
            return wrong(k, call, "an address is not aligned");
    }
    return TARE_OK;
}

/* ---- places: the call is its node's, and each address where its value is
 * -------------------------------------------------------------------------------------------------------------*/
static bool same_call(const tare_call *c, const tare_node *n)
{
    return c->run == n->variant->run && c->combine == n->variant->combine && c->g == n->work->g &&
           c->n_g == n->work->n_g && c->n_pieces == n->work->n_pieces && c->n_ptr == n->n_in + n->n_out + n->n_aux + 2;
}

/* Whether operand v may be at this entry: at its root's place if that is known, outside if it is not the part's own. */
static bool in_place(const check *k, int32_t entry, const tare_value *v)
{
    const tare_plan *p = k->plan;
    const tare_address *a = &p->address[entry];
    const tare_value *root = root_of(v);
    int64_t offset = offset_of(v), where = k->where[root->id];
    if (a->buffer < 0)
        return false;
    int32_t outside = p->buffer[a->buffer].outside;
    if (outside >= 0)
        return p->outside[outside].value == root->id && a->offset == offset;
    return root->node >= p->part.from &&
           (where == NOT_DEFINED || p->buffer[a->buffer].offset + a->offset == where + offset);
}

static tare_status check_places(const check *k, int32_t call, int32_t from)
{
    const tare_plan *p = k->plan;
    const tare_node *n = p->node[call];
    int total = n->n_in + n->n_out + n->n_aux;
    if (!same_call(&p->call[call], n))
        return wrong(k, call, "the call is another node's");
    for (int i = 0; i < total; ++i) {
        bool none = !n->operand[i] || shape_only(n, i);
        if (none ? p->address[from + i].buffer >= 0 : !in_place(k, from + i, n->operand[i]))
            return wrong(k, call, "an operand is not where its value is");
        if (!none && !inside_root(n->operand[i]))
            return wrong(k, call, "a view reaches beyond what it is of");
    }
    const size_t scratch[2] = {n->work->piece_bytes, n->work->worker_bytes};
    for (int s = 0; s < 2; ++s) {
        int32_t b = p->address[from + total + s].buffer;
        if (scratch[s] ? b < 0 || p->buffer[b].outside >= 0 : b >= 0)
            return wrong(k, call, "its scratch is missing, or in the way");
    }
    return TARE_OK;
}

/* ---- order: a value that is written again (ties) is read and written in the order of the program
 * -------------------------------------------------------------------------------------------------------------*/
static int32_t index_of(const tare_node *n)
{
    int o = n->n_in;
    while (!n->operand[o])
        ++o;
    return n->operand[o]->node;
}

static tare_status check_order(check *k, int32_t call)
{
    const tare_node *n = k->plan->node[call];
    int32_t index = index_of(n);
    for (int pass = 0; pass < 2; ++pass) { /* look first: a node may read what it writes */
        for (int i = 0; i < n->n_in + n->n_out + n->n_aux; ++i) {
            const tare_value *v = n->operand[i];
            if (!v || shape_only(n, i) || (i >= n->n_in && !v->base))
                continue;
            int32_t id = root_of(v)->id;
            if (pass == 0 && (k->writer[id] >= index || (i >= n->n_in && k->reader[id] >= index)))
                return wrong(k, call, "it comes after what it should come before");
            if (pass == 1 && i < n->n_in)
                k->reader[id] = index > k->reader[id] ? index : k->reader[id];
            else if (pass == 1)
                k->writer[id] = index;
        }
    }
    return TARE_OK;
}

static tare_status check_reads(const check *k, int32_t call, int32_t from)
{
    const tare_node *n = k->plan->node[call];
    for (int i = 0; i < n->n_in; ++i) {
        if (!n->operand[i] || shape_only(n, i))
            continue;
        const tare_value *root = root_of(n->operand[i]);
        if (root->node >= k->plan->part.from && k->where[root->id] == NOT_DEFINED)
            return wrong(k, call, "an input is read before it is written");
        if (!owns(k, call_region(k, call, from, i), root->id))
            return wrong(k, call, "an input was overwritten before this last read");
    }
    return TARE_OK;
}

/* Output o may lie exactly on input i: the record says so, and nobody reads that input later. */
static bool allowed(const check *k, const tare_node *n, int32_t call, int o, int i, region out, region in)
{
    if (o >= TARE_OPERANDS || out.address != in.address)
        return false;
    if (n->op->ties[o] == i + 1)
        return true;
    return n->op->overwrites[o] == i + 1 && k->last[root_of(n->operand[i])->id] == call;
}

static tare_status check_writes(const check *k, int32_t call, int32_t from)
{
    const tare_plan *p = k->plan;
    const tare_node *n = p->node[call];
    int total = p->call[call].n_ptr;
    for (int w = n->n_in; w < total; ++w) {
        region out = call_region(k, call, from, w);
        for (int i = 0; i < w; ++i) {
            if (i < n->n_in && (!n->operand[i] || shape_only(n, i)))
                continue;
            region other = call_region(k, call, from, i);
            if (meet(out, other) && !(i < n->n_in && allowed(k, n, call, w - n->n_in, i, out, other)))
                return wrong(k, call, "it writes over an operand of its own");
        }
    }
    return TARE_OK;
}

static void apply_writes(check *k, int32_t call, int32_t from)
{
    const tare_plan *p = k->plan;
    const tare_node *n = p->node[call];
    int operands = n->n_in + n->n_out + n->n_aux;
    for (int w = n->n_in; w < p->call[call].n_ptr; ++w) {
        region r = call_region(k, call, from, w);
        if (w < operands && !n->operand[w])
            continue;
        int32_t owner = w < operands ? root_of(n->operand[w])->id : SCRATCH;
        if (owner >= 0 && k->where[owner] == NOT_DEFINED)
            k->where[owner] = r.address < 0 ? NOT_IN_ARENA : r.address;
        take_cells(k, r, owner);
    }
}

/* ---- live bytes
 * --------------------------------------------------------------------------------------------------------------*/
static void find_lifetimes(check *k)
{
    const tare_plan *p = k->plan;
    for (int32_t i = 0; i < k->n_values; ++i)
        k->first[i] = k->last[i] = NOBODY;
    for (int32_t c = 0; c < p->n_calls; ++c) {
        const tare_node *n = p->node[c];
        for (int i = 0; i < n->n_in + n->n_out + n->n_aux; ++i) {
            if (!n->operand[i] || shape_only(n, i))
                continue;
            int32_t id = root_of(n->operand[i])->id;
            if (k->first[id] < 0)
                k->first[id] = c;
            k->last[id] = c;
        }
    }
    for (int32_t i = 0; i < p->part.n_result; ++i)
        k->last[root_of(p->graph->program.value[p->part.result[i]])->id] = p->n_calls;
}

static int64_t whole_lines(int64_t bytes)
{
    return bytes ? (bytes + TARE_ALIGNMENT - 1) & ~(int64_t)(TARE_ALIGNMENT - 1) : TARE_ALIGNMENT;
}

/* Bytes that call c adds: new roots that do not lie on a dying input, and its scratch. */
static int64_t born(const check *k, int32_t call, int32_t from, int64_t *scratch)
{
    const tare_plan *p = k->plan;
    const tare_node *n = p->node[call];
    int operands = n->n_in + n->n_out + n->n_aux;
    int64_t bytes = 0;
    for (int w = n->n_in; w < operands; ++w) {
        const tare_value *v = n->operand[w];
        region out = call_region(k, call, from, w);
        bool on_input = false;
        for (int i = 0; i < n->n_in && v; ++i)
            on_input |= n->operand[i] && out.address >= 0 && call_region(k, call, from, i).address == out.address &&
                        !shape_only(n, i);
        if (v && !v->base && !on_input && out.address >= 0)
            bytes += whole_lines(value_bytes(v));
    }
    const tare_work *w = n->work;
    size_t used = w->piece_bytes * (size_t)w->n_pieces + workers_bytes(p, w);
    *scratch = used ? whole_lines((int64_t)used) : 0;
    return bytes;
}

/* Bytes of the roots that die with call c and whose place no output of it took over. */
static int64_t died(const check *k, int32_t call, int32_t from)
{
    const tare_plan *p = k->plan;
    const tare_node *n = p->node[call];
    int operands = n->n_in + n->n_out + n->n_aux;
    int64_t bytes = 0;
    for (int i = 0; i < operands; ++i) {
        if (!n->operand[i] || shape_only(n, i))
            continue;
        const tare_value *root = root_of(n->operand[i]);
        bool counted = k->where[root->id] < 0 || k->last[root->id] != call;
        for (int e = 0; e < i && !counted; ++e)
            counted = n->operand[e] && !shape_only(n, e) && root_of(n->operand[e]) == root;
        for (int w = n->n_in; w < operands && !counted && i < n->n_in; ++w)
            counted = n->operand[w] && root_of(n->operand[w]) != root && n->operand[w]->node >= 0 &&
                      call_region(k, call, from, w).address >= 0 &&
                      call_region(k, call, from, w).address == k->where[root->id];
        if (!counted)
            bytes += whole_lines(value_bytes(root));
    }
    return bytes;
}

/* ---- the walk
 * ----------------------------------------------------------------------------------------------------------------*/
static tare_status walk(check *k)
{
    const tare_plan *p = k->plan;
    int64_t live = 0, peak = 0;
    int32_t from = 0;
    tare_status status = TARE_OK;
    for (int32_t c = 0; c < p->n_calls && status == TARE_OK; ++c) {
        int64_t scratch;
        status = check_places(k, c, from);
        if (status == TARE_OK)
            status = check_order(k, c);
        if (status == TARE_OK)
            status = check_bounds(k, c, from);
        if (status == TARE_OK)
            status = check_reads(k, c, from);
        if (status == TARE_OK)
            status = check_writes(k, c, from);
        live += born(k, c, from, &scratch);
        peak = live + scratch > peak ? live + scratch : peak;
        apply_writes(k, c, from);
        live -= died(k, c, from);
        from += p->call[c].n_ptr;
    }
    for (int32_t i = 0; i < p->part.n_result && status == TARE_OK; ++i) {
        const tare_value *v = p->graph->program.value[p->part.result[i]];
        const tare_buffer *b = &p->buffer[p->buffer_of[v->id]];
        region r = {b->outside < 0 ? b->offset + p->offset_of[v->id] : -1, value_bytes(v)};
        bool there = (r.address < 0 || r.address == k->where[root_of(v)->id] + offset_of(v)) && inside_root(v);
        if (v->base)
            r = (region){k->where[root_of(v)->id], value_bytes(root_of(v))};
        if (!there || !owns(k, r, root_of(v)->id))
            status = tare_error(TARE_IMPOSSIBLE, "the plan is wrong: result %d is not in its place at the end", i);
    }
    if (status == TARE_OK && (peak != p->bytes.lower_bound || p->bytes.arena < peak))
        status = tare_error(TARE_IMPOSSIBLE, "the plan is wrong: %lld bytes are live at once, it claims %lld in %lld",
                            (long long)peak, (long long)p->bytes.lower_bound, (long long)p->bytes.arena);
    return status;
}

static void cut_arena(check *k)
{
    const tare_plan *p = k->plan;
    int32_t from = 0, n = 0;
    for (int32_t c = 0; c < p->n_calls; from += p->call[c++].n_ptr) {
        for (int i = 0; i < p->call[c].n_ptr; ++i) {
            region r = call_region(k, c, from, i);
            if (r.address < 0)
                continue;
            k->cut[n++] = r.address;
            k->cut[n++] = r.address + r.bytes;
        }
    }
    qsort(k->cut, (size_t)n, sizeof *k->cut, ascending);
    for (int32_t i = 0; i < n; ++i)
        if (k->n_cut == 0 || k->cut[k->n_cut - 1] != k->cut[i])
            k->cut[k->n_cut++] = k->cut[i];
}

tare_status tare__plan_check(const tare_plan *p)
{
    tare_arena arena = {.memory = &p->runtime->memory};
    size_t entries = (size_t)p->n_address * 2 + 1, values = (size_t)p->graph->program.n_values;
    check k = {.plan = p, .n_values = p->graph->program.n_values};
    k.cut = tare_arena_take(&arena, entries * sizeof *k.cut);
    k.owner = tare_arena_take(&arena, entries * sizeof *k.owner);
    k.where = tare_arena_take(&arena, values * sizeof *k.where);
    k.first = tare_arena_take(&arena, values * sizeof *k.first);
    k.last = tare_arena_take(&arena, values * sizeof *k.last);
    k.reader = tare_arena_take(&arena, values * sizeof *k.reader);
    k.writer = tare_arena_take(&arena, values * sizeof *k.writer);
    tare_status status = TARE_NO_MEMORY;
    if (k.cut && k.owner && k.where && k.first && k.last && k.reader && k.writer) {
        memset(k.owner, 0xff, entries * sizeof *k.owner); /* NOBODY */
        memset(k.where, 0xff, values * sizeof *k.where);
        memset(k.reader, 0xff, values * sizeof *k.reader);
        memset(k.writer, 0xff, values * sizeof *k.writer);
        cut_arena(&k);
        find_lifetimes(&k);
        status = walk(&k);
    }
    tare_arena_fini(&arena);
    return status;
}
