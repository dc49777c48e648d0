/* instance.c - a plan with its memory: one arena, one table of resolved addresses, and the replay.
 *
 * Replay hands the array of calls to the device; nothing is looked up, counted, locked or allocated per call. Only
 * binding touches the table: the entries of each outside place are listed together. */
#include <string.h>

#include "graph_private.h"

/* ---- binding
 * -----------------------------------------------------------------------------------------------------------------*/
void tare__instance_place(tare_instance *r, int32_t outside, void *address)
{
    const tare_plan *p = r->plan;
    if (r->placed[outside] == address)
        return;
    r->placed[outside] = address;
    ++r->n_moves;
    for (int32_t i = r->patch_from[outside]; i < r->patch_from[outside + 1]; ++i)
        r->ptr[r->patch[i]] = (char *)address + p->address[r->patch[i]].offset;
    p->runtime->counts.patches += r->patch_from[outside + 1] - r->patch_from[outside];
}

bool tare__instance_reads(const tare_instance *r, int32_t outside)
{
    return r->patch_from[outside + 1] > r->patch_from[outside];
}

/* The results that are (views of) an outside value follow its binding. */
static void follow(tare_instance *r, int32_t outside)
{
    const tare_plan *p = r->plan;
    for (int32_t k = 0; k < p->part.n_result; ++k) {
        int32_t id = p->part.result[k];
        tare_value *out = r->output[k], *v = r->bound[outside];
        if (p->buffer[p->buffer_of[id]].outside != outside || !out)
            continue;
        if (out->storage)
            tare_storage_drop(out->storage);
        out->storage = v->storage;
        ++v->storage->refs;
        out->address = (char *)v->address + p->offset_of[id];
    }
}

static void bind(tare_instance *r, int32_t outside, tare_value *v)
{
    if (r->bound[outside])
        tare_record_drop(r->bound[outside]);
    else
        --r->n_unbound;
    r->bound[outside] = tare_record_share(v);
    tare__instance_place(r, outside, v->address);
    follow(r, outside);
}

static int32_t outside_of_external(const tare_plan *p, int32_t external)
{
    int32_t e = 0;
    while (p->outside[e].external != external)
        ++e;
    return e;
}

/* Whether v's bytes are those of another outside place, and a call writes one of the two: only the program's order says
 * then what is read. */
static bool shares_written(const tare_instance *r, int32_t outside, const tare_value *v)
{
    const tare_plan *p = r->plan;
    if (p->order_taken == TARE_ORDER_PROGRAM && !p->repeats)
        return false;
    for (int32_t e = 0; e < p->n_outside; ++e) {
        if (e == outside || !r->bound[e] || r->bound[e]->storage != v->storage)
            continue;
        for (int32_t i = 0; i < p->n_written; ++i)
            if (p->written[i] == e || p->written[i] == outside)
                return true;
    }
    return false;
}

tare_status tare_instance_bind(tare_instance *r, int input, tare_value *v)
{
    const tare_graph *g = r->plan->graph;
    int32_t n = r->plan->n_input;
    if (input < 0 || input >= n)
        return tare_error(TARE_BAD_ARGUMENT, "bind: there is no placeholder %d (there are %d)", input, n);
    const tare_value *symbol = g->external[g->input[input]].symbol;
    const char *name = symbol->name ? symbol->name : "";
    char want[TARE_DESC_TEXT], got[TARE_DESC_TEXT];
    if (!v || v->poison || !v->storage || v->runtime != r->plan->runtime)
        return tare_error(TARE_BAD_ARGUMENT, "bind: placeholder %d '%s' needs a value of this runtime with data", input,
                          name);
    if (!tare_desc_same_shape(&v->d, &symbol->d) || v->d.dtype != symbol->d.dtype || !v->d.contiguous)
        return tare_error(TARE_BAD_SHAPE, "bind: placeholder %d '%s' is %s %s, the value is %s %s%s", input, name,
                          tare_dtype_name((tare_dtype)symbol->d.dtype), tare_desc_text(&symbol->d, want),
                          tare_dtype_name((tare_dtype)v->d.dtype), tare_desc_text(&v->d, got),
                          v->d.contiguous ? "" : ", not contiguous");
    if (v->storage == r->arena)
        return tare_error(TARE_BAD_ARGUMENT, "bind: placeholder %d '%s' cannot be a result of the instance's own",
                          input, name);
    int32_t outside = outside_of_external(r->plan, g->input[input]);
    for (int32_t i = 0; i < r->plan->n_written && v->view; ++i)
        if (r->plan->written[i] == outside)
            return tare_error(TARE_BAD_ARGUMENT,
                              "bind: placeholder %d '%s' is written by %s, the value is a view (need a whole one)",
                              input, name, r->plan->writer[i]->name);
    if (shares_written(r, outside, v))
        return tare_error(
            TARE_BAD_ARGUMENT,
            "bind: placeholder %d '%s' shares bytes with an operand that the plan writes, which needs the "
            "order of the program",
            input, name);
    bind(r, outside, v);
    return TARE_OK;
}

/* ---- making
 * --------------------------------------------------------------------------------------------------------------------*/
/* One block for all tables. */
static tare_status take_tables(tare_instance *r)
{
    const tare_plan *p = r->plan;
    size_t outside = (size_t)p->n_outside;
    size_t calls = (size_t)p->n_calls * sizeof *r->call, ptrs = (size_t)p->n_address * sizeof *r->ptr;
    size_t bound = outside * sizeof *r->bound, placed = outside * sizeof *r->placed;
    size_t outputs = (size_t)p->part.n_result * sizeof *r->output;
    size_t patches = ((size_t)p->n_address + 1) / 2 * 2 * sizeof *r->patch,
           from = (outside + 1) * sizeof *r->patch_from;
    r->table_bytes = calls + ptrs + bound + placed + outputs + patches + from;
    r->call = tare_memory_take_zeroed(&p->runtime->memory, TARE_MEMORY_RECORD, 1, r->table_bytes);
    if (!r->call)
        return TARE_NO_MEMORY;
    char *at = (char *)r->call;
    r->ptr = (void *)(at += calls);
    r->bound = (void *)(at += ptrs);
    r->placed = (void *)(at += bound);
    r->output = (void *)(at += placed);
    r->patch = (void *)(at += outputs);
    r->patch_from = (void *)(at + patches);
    return TARE_OK;
}

static int32_t outside_at(const tare_plan *p, int32_t i)
{
    return p->address[i].buffer < 0 ? -1 : p->buffer[p->address[i].buffer].outside;
}

/* Groups the entries by outside place: a counting sort. */
static void group_patches(tare_instance *r)
{
    const tare_plan *p = r->plan;
    for (int32_t i = 0; i < p->n_address; ++i)
        if (outside_at(p, i) >= 0)
            ++r->patch_from[outside_at(p, i) + 1];
    for (int32_t k = 0; k < p->n_outside; ++k)
        r->patch_from[k + 1] += r->patch_from[k];
    for (int32_t i = 0; i < p->n_address; ++i)
        if (outside_at(p, i) >= 0)
            r->patch[r->patch_from[outside_at(p, i)]++] = i;
    for (int32_t k = p->n_outside; k > 0; --k)
        r->patch_from[k] = r->patch_from[k - 1];
    r->patch_from[0] = 0;
}

static void set_calls(tare_instance *r)
{
    const tare_plan *p = r->plan;
    void **ptr = r->ptr;
    for (int32_t c = 0; c < p->n_calls; ++c) {
        r->call[c] = p->call[c];
        r->call[c].ptr = ptr;
        ptr += p->call[c].n_ptr;
    }
}

void tare__instance_resolve(tare_instance *r)
{
    const tare_plan *p = r->plan;
    r->resolved = r->arena->base;
    for (int32_t i = 0; i < p->n_address; ++i) {
        const tare_address *a = &p->address[i];
        if (a->buffer >= 0 && p->buffer[a->buffer].outside < 0)
            r->ptr[i] = (char *)r->arena->base + p->buffer[a->buffer].offset + a->offset;
    }
}

void *tare__instance_address(const tare_instance *r, const tare_value *symbol)
{
    const tare_plan *p = r->plan;
    const tare_buffer *b = &p->buffer[p->buffer_of[symbol->id]];
    char *base = b->outside < 0 ? (char *)r->arena->base + b->offset : r->placed[b->outside];
    return base + p->offset_of[symbol->id];
}

static tare_status make_outputs(tare_instance *r)
{
    const tare_plan *p = r->plan;
    for (int32_t k = 0; k < p->part.n_result; ++k) {
        const tare_value *symbol = p->program->value[p->part.result[k]];
        tare_value *v = tare_record_take(p->runtime);
        if (!v)
            return TARE_NO_MEMORY;
        r->output[k] = v;
        v->d = symbol->d;
        v->name = symbol->name;
        v->view = symbol->view;
        if (p->buffer[p->buffer_of[symbol->id]].outside < 0) {
            v->storage = r->arena;
            ++r->arena->refs;
            v->address = tare__instance_address(r, symbol);
        }
    }
    return TARE_OK;
}

tare_status tare__instance_make(const tare_plan *p, bool keep_arena, tare_instance **out)
{
    tare_runtime *rt = p->runtime;
    tare_instance *r = tare_memory_take_zeroed(&rt->memory, TARE_MEMORY_RECORD, 1, sizeof *r);
    if (!r)
        return TARE_NO_MEMORY;
    r->plan = p;
    for (int32_t e = 0; e < p->n_outside; ++e)
        r->n_unbound += p->outside[e].external >= 0;
    tare_status status = take_tables(r);
    if (status == TARE_OK && keep_arena) {
        r->arena = tare_storage_take(rt, TARE_MEMORY_WORK, (size_t)p->bytes.arena);
        status = r->arena ? TARE_OK : TARE_NO_MEMORY;
    }
    if (status != TARE_OK) {
        tare_instance_free(r);
        return status;
    }
    group_patches(r);
    set_calls(r);
    for (int32_t e = 0; e < p->n_outside; ++e)
        if (p->outside[e].constant)
            tare__instance_place(r, e, p->constant[p->outside[e].value]->base);
    if (keep_arena)
        tare__instance_resolve(r);
    *out = r;
    return TARE_OK;
}

tare_status tare_instance_new(const tare_plan *p, tare_instance **out)
{
    int64_t begin = tare__graph_now_ns();
    tare_instance *r;
    tare_status status = tare__instance_make(p, true, &r);
    if (status != TARE_OK)
        return status;
    status = make_outputs(r);
    if (status != TARE_OK) {
        tare_instance_free(r);
        return status;
    }
    for (int32_t e = 0; e < p->n_outside; ++e) {
        int32_t k = p->outside[e].external;
        if (k >= 0 && p->graph->external[k].concrete)
            bind(r, e, p->graph->external[k].concrete);
    }
    r->bind_ns = tare__graph_now_ns() - begin;
    *out = r;
    return TARE_OK;
}

void tare_instance_free(tare_instance *r)
{
    if (!r)
        return;
    const tare_plan *p = r->plan;
    for (int32_t k = 0; r->call && k < p->part.n_result; ++k)
        if (r->output[k])
            tare_record_drop(r->output[k]);
    for (int32_t e = 0; r->call && e < p->n_outside; ++e)
        if (r->bound[e])
            tare_record_drop(r->bound[e]);
    tare_storage_release(r->arena);
    tare_memory *memory = &p->runtime->memory;
    tare_memory_give(memory, TARE_MEMORY_RECORD, r->call, r->table_bytes);
    tare_memory_give(memory, TARE_MEMORY_RECORD, r, sizeof *r);
}

int64_t tare_instance_bind_ns(const tare_instance *r)
{
    return r->bind_ns;
}

/* ---- running
 * -------------------------------------------------------------------------------------------------------------------*/
static tare_status unbound(const tare_instance *r)
{
    const tare_graph *g = r->plan->graph;
    int i = 0;
    while (i < g->n_input && r->bound[outside_of_external(r->plan, g->input[i])])
        ++i;
    const tare_value *symbol = g->external[g->input[i]].symbol;
    return tare_error(TARE_BAD_ARGUMENT, "run: placeholder %d '%s' is not bound", i, symbol->name ? symbol->name : "");
}

/* The numbers that the host will wait for. */
static void note_queued(const tare_instance *r, uint64_t number)
{
    const tare_plan *p = r->plan;
    tare__storage_written_by(r->arena, number);
    for (int32_t e = 0; e < p->n_outside; ++e)
        if (r->bound[e])
            tare__storage_read_by(r->bound[e]->storage, number);
    for (int32_t i = 0; i < p->n_written; ++i)
        tare__storage_written_by(r->bound[p->written[i]]->storage, number);
}

tare_status tare_instance_run(tare_instance *r)
{
    const tare_plan *p = r->plan;
    tare_device *d = p->runtime->device;
    if (__builtin_expect(r->n_unbound > 0, 0))
        return unbound(r);
    if (__builtin_expect(tare_device_faulted(d), 0))
        return d->wait(d);
    uint64_t before = tare_float_enter();
    int failed = 0;
    tare_status status = d->run(d, r->call, p->n_calls, &failed);
    tare_float_leave(before);
    if (d->queued)
        note_queued(r, *d->queued);
    for (int32_t i = 0; i < p->n_written; ++i)
        tare_storage_wrote(r->bound[p->written[i]]->storage, p->writer[i]);
    return __builtin_expect(status == TARE_BAD_DATA, 0)
               ? tare__data_error(p->node[failed]->op->name, p->node[failed]->path)
               : status;
}

tare_value *tare_instance_output(tare_instance *r, int i)
{
    return i >= 0 && i < r->plan->part.n_result ? r->output[i] : NULL;
}

int tare_instance_calls(const tare_instance *r, const tare_call **out)
{
    *out = r->call;
    return r->plan->n_calls;
}

tare_storage *tare_instance_storage(const tare_instance *r)
{
    return r->arena;
}
