/* check_cells.c - the checker's arena: cells between the addresses that occur, and who owns each. */
#include <stdlib.h>
#include <string.h>

#include "check_private.h"

/* ---- externals that share their bytes
 * -------------------------------------------------------------------------------------------------------------------*/
typedef struct {
    uintptr_t storage;
    int32_t id;
} external;

static int by_storage(const void *a, const void *b)
{
    const external *x = a, *y = b;
    return x->storage != y->storage ? (x->storage < y->storage ? -1 : 1) : x->id - y->id;
}

tare_status tare__check_homes(tare_check *k)
{
    const tare_graph *g = k->plan->graph;
    size_t bytes = (size_t)g->n_external * sizeof(external);
    external *e = tare_memory_take(&k->plan->runtime->memory, TARE_MEMORY_RECORD, bytes);
    if (!e)
        return TARE_NO_MEMORY;
    for (int32_t i = 0; i < k->n_values; ++i)
        k->home[i] = i;
    int32_t n = 0;
    for (int32_t i = 0; i < g->n_external; ++i)
        if (g->external[i].concrete && g->external[i].symbol->id < k->n_values &&
            value_of(k, g->external[i].symbol->id) == g->external[i].symbol)
            e[n++] = (external){(uintptr_t)g->external[i].concrete->storage, g->external[i].symbol->id};
    qsort(e, (size_t)n, sizeof *e, by_storage);
    for (int32_t i = 1; i < n; ++i)
        if (e[i].storage && e[i].storage == e[i - 1].storage)
            k->home[e[i].id] = k->home[e[i - 1].id];
    tare_memory_give(&k->plan->runtime->memory, TARE_MEMORY_RECORD, e, bytes);
    return TARE_OK;
}

/* ---- cells
 * -------------------------------------------------------------------------------------------------------------------*/
static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static int32_t cell_at(const tare_check *k, int64_t address)
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

void tare__check_take(tare_check *k, tare_region r, int32_t owner)
{
    for (int64_t row = 0; r.address >= 0 && r.bytes > 0 && row < r.rows; ++row, r.address += r.step)
        for (int32_t c = cell_at(k, r.address); c < k->n_cut && k->cut[c] < r.address + r.bytes; ++c)
            k->owner[c] = owner;
}

/* Whether all cells are the root's, or that of a whole that it has become part of. */
bool tare__check_owns(const tare_check *k, tare_region r, int32_t root)
{
    for (int64_t row = 0; r.address >= 0 && r.bytes > 0 && row < r.rows; ++row, r.address += r.step)
        for (int32_t c = cell_at(k, r.address); c < k->n_cut && k->cut[c] < r.address + r.bytes; ++c) {
            int32_t id = root;
            while (id >= 0 && k->owner[c] != id)
                id = k->part_of[id];
            if (id < 0)
                return false;
        }
    return true;
}

static bool rows_meet(int64_t a, int64_t a_bytes, int64_t b, int64_t b_bytes)
{
    return a < b + b_bytes && b < a + a_bytes;
}

bool tare__check_meet(tare_region a, tare_region b)
{
    if (a.address < 0 || b.address < 0 || a.bytes == 0 || b.bytes == 0 ||
        !rows_meet(a.address, a.bytes + (a.rows - 1) * a.step, b.address, b.bytes + (b.rows - 1) * b.step))
        return false;
    for (int64_t i = 0; i < a.rows; ++i)
        for (int64_t j = 0; j < b.rows; ++j)
            if (rows_meet(a.address + i * a.step, a.bytes, b.address + j * b.step, b.bytes))
                return true;
    return false;
}

/* Scratch of all workers: a call has no more of them than pieces, and no more than the runtime has threads. */
size_t tare__check_workers_bytes(const tare_plan *p, const tare_work *w)
{
    int threads = p->runtime->options.threads;
    return w->worker_bytes * (size_t)(threads > w->n_pieces ? w->n_pieces : threads);
}

/* Visits every tare_region of a call: operands, then scratch of pieces and of workers. An alias: its root's, as far as
 * that is defined. */
tare_region tare__check_region(const tare_check *k, int32_t call, int32_t from, int i)
{
    const tare_plan *p = k->plan;
    const tare_node *n = p->node[call];
    int total = n->n_in + n->n_out + n->n_aux;
    if (i < total && !n->operand[i])
        return one_row(-1, 0);
    if (i < total) {
        const tare_value *root = root_of(k, n->operand[i]);
        return value_of(k, n->operand[i]->id)->base ? region_of_root(k, root)
                                                    : region_at(k, address_of(p, from + i), root);
    }
    const tare_work *w = n->work;
    return one_row(address_of(p, from + i),
                   (int64_t)(i == total ? w->piece_bytes * (size_t)w->n_pieces : tare__check_workers_bytes(p, w)));
}

/* Where the region begins and ends, row by row. */
static int32_t cut_region(tare_check *k, tare_region r, int32_t n)
{
    for (int64_t row = 0; r.address >= 0 && row < r.rows; ++row, r.address += r.step) {
        k->cut[n++] = r.address;
        k->cut[n++] = r.address + r.bytes;
    }
    return n;
}

tare_status tare__check_cut(tare_check *k)
{
    const tare_plan *p = k->plan;
    int32_t from = 0, n = 0;
    size_t bytes = (size_t)k->n_values * sizeof(int64_t);
    int64_t *latest =
        tare_memory_take(&p->runtime->memory, TARE_MEMORY_RECORD, bytes); /* by value: cut there already */
    if (!latest)
        return TARE_NO_MEMORY;
    memset(latest, 0xff, bytes);
    for (int32_t c = 0; c < p->n_calls; from += p->call[c++].n_ptr) {
        const tare_node *call = p->node[c];
        for (int i = 0; i < p->call[c].n_ptr; ++i) {
            const tare_value *v = i < call->n_in + call->n_out + call->n_aux ? call->operand[i] : NULL;
            tare_region r = tare__check_region(k, c, from, i);
            if (v && r.address >= 0 && latest[v->id] == r.address)
                continue;
            n = cut_region(k, r, n);
            if (v)
                latest[v->id] = r.address;
        }
    }
    tare_memory_give(&p->runtime->memory, TARE_MEMORY_RECORD, latest, bytes);
    qsort(k->cut, (size_t)n, sizeof *k->cut, ascending);
    for (int32_t i = 0; i < n; ++i)
        if (k->n_cut == 0 || k->cut[k->n_cut - 1] != k->cut[i])
            k->cut[k->n_cut++] = k->cut[i];
    return TARE_OK;
}

/* Room for the cuts of parts whose rows are apart: each may be an operand of many calls. */
size_t tare__check_row_cuts(const tare_plan *p)
{
    size_t n = 0;
    for (int32_t c = 0; c < p->n_calls; ++c)
        for (int i = 0; i < p->node[c]->n_in + p->node[c]->n_out + p->node[c]->n_aux; ++i) {
            const tare_value *v = p->node[c]->operand[i];
            if (v && p->placed[v->id])
                n += 2 * (size_t)v->d.dim[0];
        }
    return n;
}
