/* guarded.c - a run that watches over the arena: dead bytes hold a poison, which no call may change or depend on.
 *
 * A plan made with guards has a line of dead bytes behind every block, so that what reaches beyond one is met. Each
 * call runs twice from the same bytes: once with signalling NaN in all that is dead, and in what it is about to make,
 * once with a number there (with zeros, if the first run met bad data). After each run the dead bytes must be what they
 * were; between the two, what was live before and what the call has made may not differ. So a write outside, and a read
 * of what is dead or was never written, is found at the call that does it, whatever the kernel is. What lives when is
 * the plan's own account, by which it was packed.
 *
 * Slow: every byte of the arena is looked at a few times for every call. */
#include <string.h>

#include "graph_private.h"

enum { LINE = TARE_ALIGNMENT, WORDS = LINE / 4, DEAD = 0, BEFORE = 1, BORN = 2 };
/* Signalling NaN; a number above any that a net has; what is a good index. */
static const uint32_t poison = UINT32_C(0x7fa0dead), number = UINT32_C(0x4b3c614e), zero = 0;

typedef struct {
    tare_instance *r;
    const tare_plan *p;
    char *arena;
    char *saved, *first; /* the arena before the call, and after its first run */
    char *outside[2];    /* what the call writes outside: before, and after the first run */
    uint8_t *state;      /* by line of the arena */
    int64_t n_lines, n_outside;
    int32_t call, from; /* from: the call's first address */
} watch;

static tare_status wrong(const watch *w, const char *what)
{
    const tare_node *n = w->p->node[w->call];
    return tare_error(TARE_IMPOSSIBLE, "guarded run: call %d, %s '%s' %s", w->call, n->op->name, n->path ? n->path : "",
                      what);
}

/* ---- lines of the arena
 * -----------------------------------------------------------------------------------------------------------------*/
static void mark(watch *w)
{
    memset(w->state, DEAD, (size_t)w->n_lines);
    for (int32_t i = 0; i < w->p->n_buffer; ++i) {
        const tare_buffer *b = &w->p->buffer[i];
        if (tare__plan_places(b) && b->first <= w->call && b->last >= w->call)
            memset(w->state + b->offset / LINE, b->first == w->call ? BORN : BEFORE, (size_t)(b->bytes / LINE));
    }
}

/* What is dead, or about to be made, holds the poison. */
static void fill(const watch *w, uint32_t with)
{
    for (int64_t l = 0; l < w->n_lines; ++l) {
        uint32_t *word = (uint32_t *)(void *)(w->arena + l * LINE);
        for (int k = 0; w->state[l] != BEFORE && k < WORDS; ++k)
            word[k] = with;
    }
}

static bool is_filled(const watch *w, uint32_t with)
{
    for (int64_t l = 0; l < w->n_lines; ++l) {
        const uint32_t *word = (const uint32_t *)(const void *)(w->arena + l * LINE);
        for (int k = 0; w->state[l] == DEAD && k < WORDS; ++k)
            if (word[k] != with)
                return false;
    }
    return true;
}

/* ---- what a call makes
 * -------------------------------------------------------------------------------------------------------------------*/
/* The bytes of a value at an address, row by row; NULL: no more rows. */
static char *row_of(const tare_value *v, void *address, int64_t row, int64_t *bytes)
{
    int64_t item = (int64_t)tare_dtype_bytes((tare_dtype)v->d.dtype);
    int64_t rows = v->d.contiguous ? 1 : v->d.dim[0];
    *bytes = (int64_t)tare_desc_bytes(&v->d) / (rows ? rows : 1);
    return row < rows ? (char *)address + (v->d.contiguous ? 0 : row * v->d.stride[0] * item) : NULL;
}

static bool lies_outside(const watch *w, int k)
{
    const tare_address *a = &w->p->address[w->from + k];
    return a->buffer >= 0 && w->p->buffer[a->buffer].outside >= 0;
}

static void copy_outside(const watch *w, char *kept, bool back)
{
    const tare_node *n = w->p->node[w->call];
    for (int k = n->n_in; k < n->n_in + n->n_out + n->n_aux; ++k) {
        if (!n->operand[k] || !lies_outside(w, k))
            continue;
        size_t bytes = tare_desc_bytes(&n->operand[k]->d);
        char *at = w->r->ptr[w->from + k];
        if (bytes)
            memcpy(back ? at : kept, back ? kept : at, bytes);
        kept += bytes;
    }
}

/* Whether the second run has left what the first has: all that was live before, and what the call has made. */
static bool is_repeated(const watch *w)
{
    const tare_node *n = w->p->node[w->call];
    const char *kept = w->outside[1];
    for (int64_t l = 0; l < w->n_lines; ++l)
        if (w->state[l] == BEFORE && memcmp(w->arena + l * LINE, w->first + l * LINE, LINE) != 0)
            return false;
    for (int k = n->n_in; k < n->n_in + n->n_out + n->n_aux; ++k) {
        const tare_value *v = n->operand[k];
        char *address = w->r->ptr[w->from + k], *row;
        int64_t bytes;
        if (v && lies_outside(w, k)) {
            bytes = (int64_t)tare_desc_bytes(&v->d);
            if (bytes && memcmp(address, kept, (size_t)bytes) != 0)
                return false;
            kept += bytes;
        } else if (v) {
            for (int64_t i = 0; (row = row_of(v, address, i, &bytes)); ++i)
                if (bytes && memcmp(row, w->first + (row - w->arena), (size_t)bytes) != 0)
                    return false;
        }
    }
    return true;
}

/* ---- the run
 * -----------------------------------------------------------------------------------------------------------------*/
static tare_status run_once(const watch *w, uint32_t with)
{
    tare_device *d = w->p->runtime->device;
    int failed;
    fill(w, with);
    tare_status status = d->run(d, &w->r->call[w->call], 1, &failed);
    if ((status == TARE_OK || status == TARE_BAD_DATA) && !is_filled(w, with))
        status = wrong(w, "writes outside of what lives");
    return status;
}

static tare_status run_call(watch *w)
{
    mark(w);
    memcpy(w->saved, w->arena, (size_t)(w->n_lines * LINE));
    copy_outside(w, w->outside[0], false);
    tare_status status = run_once(w, poison);
    if (status != TARE_OK && status != TARE_BAD_DATA)
        return status;
    memcpy(w->first, w->arena, (size_t)(w->n_lines * LINE));
    copy_outside(w, w->outside[1], false);
    memcpy(w->arena, w->saved, (size_t)(w->n_lines * LINE));
    copy_outside(w, w->outside[0], true);
    tare_status again = run_once(w, status == TARE_OK ? number : zero);
    bool same = again == status && is_repeated(w);
    return again == TARE_IMPOSSIBLE || same ? again : wrong(w, "depends on bytes that are dead, or not yet written");
}

static tare_status run_all(watch *w)
{
    const tare_plan *p = w->p;
    tare_status status = TARE_OK;
    uint64_t before = tare_float_enter();
    for (w->call = w->from = 0; w->call < p->n_calls && status == TARE_OK; ++w->call) {
        status = run_call(w);
        if (status == TARE_BAD_DATA)
            status = tare__data_error(p->node[w->call]->op->name, p->node[w->call]->path);
        w->from += p->call[w->call].n_ptr;
    }
    tare_float_leave(before);
    for (int32_t i = 0; i < p->n_written; ++i)
        tare_storage_wrote(w->r->bound[p->written[i]]->storage, p->writer[i]);
    return status;
}

/* The most that one call writes outside. */
static int64_t outside_bytes(watch *w)
{
    int64_t most = 0;
    for (w->call = w->from = 0; w->call < w->p->n_calls; w->from += w->p->call[w->call++].n_ptr) {
        const tare_node *n = w->p->node[w->call];
        int64_t bytes = 0;
        for (int k = n->n_in; k < n->n_in + n->n_out + n->n_aux; ++k)
            bytes += n->operand[k] && lies_outside(w, k) ? (int64_t)tare_desc_bytes(&n->operand[k]->d) : 0;
        most = bytes > most ? bytes : most;
    }
    return most;
}

tare_status tare_instance_run_guarded(tare_instance *r)
{
    const tare_plan *p = r->plan;
    tare_runtime *rt = p->runtime;
    if (r->n_unbound > 0)
        return tare_instance_run(r); /* which has the sentence */
    if (!rt->device->host_visible || rt->options.kernels == TARE_KERNELS_NULL)
        return tare_error(TARE_IMPOSSIBLE, "a guarded run needs kernels that compute, on memory that the host can see");
    watch w = {.r = r, .p = p, .arena = r->arena->base, .n_lines = p->bytes.arena / LINE};
    w.n_outside = outside_bytes(&w);
    size_t arena = (size_t)(w.n_lines * LINE), outside = tare_memory_rounded((size_t)w.n_outside);
    size_t bytes = 2 * arena + 2 * outside + (size_t)w.n_lines;
    w.saved = tare_memory_take(&rt->memory, TARE_MEMORY_RECORD, bytes);
    if (!w.saved)
        return TARE_NO_MEMORY;
    w.first = w.saved + arena;
    w.outside[0] = w.first + arena;
    w.outside[1] = w.outside[0] + outside;
    w.state = (uint8_t *)(w.outside[1] + outside);
    tare_status status = run_all(&w);
    tare_memory_give(&rt->memory, TARE_MEMORY_RECORD, w.saved, bytes);
    return status;
}
