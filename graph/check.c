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
 * its root's bytes, and lies within them at every element.
 *
 * A value whose joining node is not run (check_join.c asks the node's record where each part lies) is made by its
 * parts: they own their rows of it, and when it is first read all of them must be there; from then on it owns them.
 * Where some of the parts are made so, the node is run and reads them in their places, as it reads what it copies. */
#include <string.h>

#include "check_private.h"

tare_status tare__check_wrong(const tare_check *k, int32_t call, const char *what)
{
    const tare_node *n = k->plan->node[call];
    return tare_error(TARE_IMPOSSIBLE, "the plan is wrong at call %d, %s '%s': %s", call, n->op->name,
                      n->path ? n->path : "", what);
}

/* ---- one call
 * ----------------------------------------------------------------------------------------------------------------*/
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
static bool inside_root(const tare_check *k, const tare_value *v)
{
    if (!value_of(k, v->id)->base)
        return true;
    int64_t low, high, root_low, root_high, offset = offset_of(k, v);
    reach_of(&value_of(k, v->id)->d, &low, &high);
    reach_of(&root_of(k, v)->d, &root_low, &root_high);
    return high == 0 || (offset + low >= root_low && offset + high <= root_high);
}

static tare_status check_bounds(const tare_check *k, int32_t call)
{
    const tare_plan *p = k->plan;
    for (int i = 0; i < p->call[call].n_ptr; ++i) {
        const tare_region r = k->region[i];
        if (r.address >= 0 && r.address + r.bytes + (r.rows - 1) * r.step > p->bytes.arena)
            return tare__check_wrong(k, call, "an address lies outside the arena");
        const tare_node *n = p->node[call];
        bool aligned = i >= n->n_in && (i >= n->n_in + n->n_out + n->n_aux || (n->operand[i] && !n->operand[i]->base));
        if (r.address >= 0 && aligned && r.bytes && r.address % TARE_ALIGNMENT)
            return tare__check_wrong(k, call, "an address is not aligned");
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
static bool in_place(const tare_check *k, int32_t entry, const tare_value *v)
{
    const tare_plan *p = k->plan;
    const tare_address *a = &p->address[entry];
    const tare_value *root = root_of(k, v);
    int64_t offset = offset_of(k, v), where = k->where[root->id];
    if (a->buffer < 0)
        return false;
    int32_t outside = p->buffer[a->buffer].outside;
    if (outside >= 0)
        return p->outside[outside].value == root->id && a->offset == offset;
    return root->node >= p->part.from &&
           (where == NOT_DEFINED || p->buffer[a->buffer].offset + a->offset == where + offset);
}

static tare_status check_places(const tare_check *k, int32_t call, int32_t from)
{
    const tare_plan *p = k->plan;
    const tare_node *n = p->node[call];
    int total = n->n_in + n->n_out + n->n_aux;
    if (!same_call(&p->call[call], n))
        return tare__check_wrong(k, call, "the call is another node's");
    if (!tare__check_operands(k, call))
        return tare__check_wrong(k, call, "its operands are another node's, or lie as its variant does not take them");
    for (int i = 0; i < total; ++i) {
        bool none = !n->operand[i] || shape_only(n, i);
        if (none ? p->address[from + i].buffer >= 0 : !in_place(k, from + i, n->operand[i]))
            return tare__check_wrong(k, call, "an operand is not where its value is");
        if (!none && !inside_root(k, n->operand[i]))
            return tare__check_wrong(k, call, "a view reaches beyond what it is of");
    }
    const size_t scratch[2] = {n->work->piece_bytes, n->work->worker_bytes};
    for (int s = 0; s < 2; ++s) {
        int32_t b = p->address[from + total + s].buffer;
        if (scratch[s] ? b < 0 || p->buffer[b].outside >= 0 : b >= 0)
            return tare__check_wrong(k, call, "its scratch is missing, or in the way");
    }
    return TARE_OK;
}

/* ---- reads and writes
 * -------------------------------------------------------------------------------------------------------------*/
static tare_status check_reads(const tare_check *k, int32_t call)
{
    const tare_node *n = k->plan->node[call];
    for (int i = 0; i < n->n_in; ++i) {
        if (!n->operand[i] || shape_only(n, i))
            continue;
        const tare_value *root = root_of(k, n->operand[i]);
        if (root->node >= k->plan->part.from && k->where[root->id] == NOT_DEFINED)
            return tare__check_wrong(k, call, "an input is read before it is written");
        if (!tare__check_owns(k, k->region[i], root->id))
            return tare__check_wrong(k, call, "an input was overwritten before this last read");
    }
    return TARE_OK;
}

/* Output o may lie exactly on input i, element by element: the record says so, and nobody reads that input later. `in`
 * is all of what the input is of. */
static bool allowed(const tare_check *k, int32_t call, int32_t from, int o, int i, tare_region out, tare_region in)
{
    const tare_node *n = k->plan->node[call];
    if (o >= TARE_OPERANDS || out.address != in.address)
        return false;
    if (n->op->ties[o] == i + 1)
        return true;
    if (n->op->overwrites[o] != i + 1 || address_of(k->plan, from + i) != out.address)
        return false;
    const tare_value *x = n->operand[i];
    return x->d.contiguous && value_bytes(x) == value_bytes(n->operand[n->n_in + o]) &&
           k->last[whole_of(k, root_of(k, x)->id)] == call;
}

static tare_status check_writes(const tare_check *k, int32_t call, int32_t from)
{
    const tare_plan *p = k->plan;
    const tare_node *n = p->node[call];
    const int total = p->call[call].n_ptr;
    const bool fills = tare__check_fills(k, n); /* check_join.c knows what it writes */
    for (int w = n->n_in; w < total; ++w) {
        const tare_region out = k->region[w];
        for (int i = fills && w == n->n_in ? n->n_in : 0; i < w && out.address >= 0; ++i) {
            if (i < n->n_in && (!n->operand[i] || shape_only(n, i)))
                continue;
            if (tare__check_meet(out, k->region[i]) &&
                !(i < n->n_in && allowed(k, call, from, w - n->n_in, i, out, k->region[i])))
                return tare__check_wrong(k, call, "it writes over an operand of its own");
        }
    }
    return TARE_OK;
}

static void apply_writes(tare_check *k, int32_t call)
{
    const tare_plan *p = k->plan;
    const tare_node *n = p->node[call];
    int operands = n->n_in + n->n_out + n->n_aux;
    for (int w = n->n_in; w < p->call[call].n_ptr; ++w) {
        const tare_region r = k->region[w];
        if (w < operands && !n->operand[w])
            continue;
        int32_t owner = w < operands ? root_of(k, n->operand[w])->id : SCRATCH;
        if (owner >= 0 && k->where[owner] == NOT_DEFINED)
            k->where[owner] = r.address < 0 ? NOT_IN_ARENA : r.address;
        tare__check_take(k, r, owner);
    }
}

/* ---- live bytes
 * --------------------------------------------------------------------------------------------------------------*/
static void find_lifetimes(tare_check *k)
{
    const tare_plan *p = k->plan;
    for (int32_t i = 0; i < k->n_values; ++i)
        k->first[i] = k->last[i] = NOBODY;
    for (int32_t c = 0; c < p->n_calls; ++c) {
        const tare_node *n = p->node[c];
        for (int i = 0; i < n->n_in + n->n_out + n->n_aux; ++i) {
            if (!n->operand[i] || shape_only(n, i))
                continue;
            int32_t id = whole_of(k, root_of(k, n->operand[i])->id);
            if (k->first[id] < 0)
                k->first[id] = c;
            k->last[id] = c;
        }
    }
    for (int32_t i = 0; i < p->part.n_result; ++i)
        k->last[whole_of(k, root_of(k, value_of(k, p->part.result[i]))->id)] = p->n_calls;
}

static int64_t whole_lines(int64_t bytes)
{
    return bytes ? (bytes + TARE_ALIGNMENT - 1) & ~(int64_t)(TARE_ALIGNMENT - 1) : TARE_ALIGNMENT;
}

/* Bytes that call c adds: new wholes that do not lie on a dying input, and its scratch. */
static int64_t born(const tare_check *k, int32_t call, int64_t *scratch)
{
    const tare_plan *p = k->plan;
    const tare_node *n = p->node[call];
    int operands = n->n_in + n->n_out + n->n_aux;
    int64_t bytes = 0;
    for (int w = n->n_in; w < operands; ++w) {
        const tare_value *v = n->operand[w];
        const tare_region out = k->region[w];
        if (!v || value_of(k, v->id)->base || out.address < 0)
            continue;
        int32_t whole = whole_of(k, v->id);
        bool there = k->born[whole];
        for (int i = 0; i < n->n_in; ++i)
            there |= n->operand[i] && k->region[i].address == out.address && !shape_only(n, i);
        k->born[whole] = true;
        bytes += there ? 0 : whole_lines(value_bytes(value_of(k, whole)));
    }
    const tare_work *w = n->work;
    size_t used = w->piece_bytes * (size_t)w->n_pieces + tare__check_workers_bytes(p, w);
    *scratch = used ? whole_lines((int64_t)used) : 0;
    return bytes;
}

/* Whether an output of the call that is of another whole lies at the address. */
static bool taken_over(const tare_check *k, int32_t call, int32_t whole, int64_t address)
{
    const tare_node *n = k->plan->node[call];
    for (int w = n->n_in; w < n->n_in + n->n_out + n->n_aux; ++w)
        if (n->operand[w] && n->operand[w]->node >= 0 && whole_of(k, root_of(k, n->operand[w])->id) != whole &&
            k->region[w].address == address)
            return true;
    return false;
}

/* Bytes of the wholes that die with call c and whose place no output of it took over. */
static int64_t died(const tare_check *k, int32_t call)
{
    const tare_node *n = k->plan->node[call];
    int64_t bytes = 0;
    for (int i = 0; i < n->n_in + n->n_out + n->n_aux; ++i) {
        if (!n->operand[i] || shape_only(n, i))
            continue;
        int32_t root = root_of(k, n->operand[i])->id, whole = whole_of(k, root);
        bool counted = k->where[root] < 0 || k->last[whole] != call;
        for (int e = 0; e < i && !counted; ++e)
            counted = n->operand[e] && !shape_only(n, e) && whole_of(k, root_of(k, n->operand[e])->id) == whole;
        if (!counted && !(i < n->n_in && taken_over(k, call, whole, k->where[root])))
            bytes += whole_lines(value_bytes(value_of(k, whole)));
    }
    return bytes;
}

/* ---- the walk
 * ----------------------------------------------------------------------------------------------------------------*/
static tare_status walk(tare_check *k)
{
    const tare_plan *p = k->plan;
    int64_t live = 0, peak = 0;
    int32_t from = 0;
    tare_status status = TARE_OK;
    for (int32_t c = 0; c < p->n_calls && status == TARE_OK; ++c) {
        int64_t scratch;
        status = tare__check_assemble_inputs(k, c, from);
        for (int i = 0; i < p->call[c].n_ptr; ++i)
            k->region[i] = tare__check_region(k, c, from, i);
        if (status == TARE_OK)
            status = check_places(k, c, from);
        if (status == TARE_OK)
            status = tare__check_order(k, c);
        if (status == TARE_OK)
            status = check_bounds(k, c);
        if (status == TARE_OK)
            status = check_reads(k, c);
        if (status == TARE_OK)
            status = tare__check_fill(k, c, from);
        if (status == TARE_OK)
            status = check_writes(k, c, from);
        live += born(k, c, &scratch);
        peak = live + scratch > peak ? live + scratch : peak;
        apply_writes(k, c);
        live -= died(k, c);
        from += p->call[c].n_ptr;
    }
    for (int32_t i = 0; i < p->part.n_result && status == TARE_OK; ++i) {
        const tare_value *v = value_of(k, p->part.result[i]), *root = root_of(k, v);
        const tare_buffer *b = &p->buffer[p->buffer_of[v->id]];
        tare_region r = one_row(b->outside < 0 ? b->offset + p->offset_of[v->id] : -1, value_bytes(v));
        if (k->joined[root->id] && k->where[root->id] == NOT_DEFINED &&
            tare__check_assemble(k, root, r.address - offset_of(k, v)) != TARE_OK)
            return TARE_IMPOSSIBLE;
        bool there = (r.address < 0 || r.address == k->where[root->id] + offset_of(k, v)) && inside_root(k, v);
        if (v->base)
            r = region_of_root(k, root);
        if (!there || !tare__check_owns(k, r, root->id))
            status = tare_error(TARE_IMPOSSIBLE, "the plan is wrong: result %d is not in its place at the end", i);
    }
    if (status == TARE_OK && (peak != p->bytes.lower_bound || p->bytes.arena < peak))
        status = tare_error(TARE_IMPOSSIBLE, "the plan is wrong: %lld bytes are live at once, it claims %lld in %lld",
                            (long long)peak, (long long)p->bytes.lower_bound, (long long)p->bytes.arena);
    return status;
}

/* Of one call. */
static size_t most_entries(const tare_plan *p)
{
    int most = 0;
    for (int32_t c = 0; c < p->n_calls; ++c)
        most = p->call[c].n_ptr > most ? p->call[c].n_ptr : most;
    return (size_t)most;
}

tare_status tare__plan_check(const tare_plan *p)
{
    tare_arena arena = {.memory = &p->runtime->memory};
    size_t entries = (size_t)p->n_address * 2 + 1 + tare__check_row_cuts(p), values = (size_t)p->n_values;
    tare_check k = {
        .plan = p, .n_values = p->n_values, .n_values_graph = p->n_values_graph, .last_end = -1, .last_write = -1};
    k.cut = tare_arena_take(&arena, entries * sizeof *k.cut);
    k.owner = tare_arena_take(&arena, entries * sizeof *k.owner);
    k.region = tare_arena_take(&arena, most_entries(p) * sizeof *k.region);
    k.where = tare_arena_take(&arena, values * sizeof *k.where);
    k.first = tare_arena_take(&arena, values * sizeof *k.first);
    k.last = tare_arena_take(&arena, values * sizeof *k.last);
    k.reader = tare_arena_take(&arena, values * sizeof *k.reader);
    k.writer = tare_arena_take(&arena, values * sizeof *k.writer);
    k.part_of = tare_arena_take(&arena, values * sizeof *k.part_of);
    k.home = tare_arena_take(&arena, values * sizeof *k.home);
    k.joined = tare_arena_take(&arena, values);
    k.filled = tare_arena_take(&arena, values);
    k.born = tare_arena_take(&arena, values);
    tare_status status = TARE_NO_MEMORY;
    if (k.cut && k.owner && k.region && k.where && k.first && k.last && k.reader && k.writer && k.part_of && k.home &&
        k.joined && k.filled && k.born) {
        memset(k.owner, 0xff, entries * sizeof *k.owner); /* NOBODY */
        memset(k.where, 0xff, values * sizeof *k.where);
        memset(k.reader, 0xff, values * sizeof *k.reader);
        memset(k.writer, 0xff, values * sizeof *k.writer);
        memset(k.part_of, 0xff, values * sizeof *k.part_of);
        memset(k.joined, false, values);
        memset(k.filled, false, values);
        memset(k.born, false, values);
        status = tare__check_stand_ins(&k);
        if (status == TARE_OK)
            status = tare__check_repeats(&k);
        if (status == TARE_OK)
            status = tare__check_constants(&k);
        if (status == TARE_OK)
            status = tare__check_homes(&k);
        if (status == TARE_OK)
            status = tare__check_fused(&k);
        if (status == TARE_OK)
            status = tare__check_joins(&k);
        if (status == TARE_OK)
            status = tare__check_cut(&k);
        find_lifetimes(&k);
        if (status == TARE_OK)
            status = walk(&k);
    }
    tare_arena_fini(&arena);
    return status;
}
