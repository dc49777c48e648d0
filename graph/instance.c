/* instance.c - a plan with its memory: one arena, one table of resolved addresses, and the replay.
 *
 * Replay hands the array of calls to the device; nothing is looked up, counted, locked or allocated per call. Only
 * binding touches the table: the entries of each external are listed together. */
#include <string.h>

#include "graph_private.h"

struct tare_instance {
    const tare_plan *plan;
    tare_storage *arena; /* NULL for a plan without placed buffers */
    void **ptr;          /* all calls' addresses, in order */
    tare_call *call;
    tare_value **bound;  /* by external: ref and hold, or NULL */
    int32_t *patch;      /* entries of ptr that point into an external, grouped */
    int32_t *patch_from; /* external -> its first in patch; one more at the end */
    tare_value **output; /* views of the arena (or of an external) */
    int32_t n_unbound;
    int64_t bind_ns;
    size_t table_bytes;
    void *table;
};

/* ---- binding
 * -----------------------------------------------------------------------------------------------------------------*/
static void patch_external(tare_instance *r, int32_t external)
{
    const tare_plan *p = r->plan;
    char *address = r->bound[external]->address;
    for (int32_t i = r->patch_from[external]; i < r->patch_from[external + 1]; ++i)
        r->ptr[r->patch[i]] = address + p->address[r->patch[i]].offset;
    p->runtime->counts.patches += r->patch_from[external + 1] - r->patch_from[external];
}

/* The results that are (views of) an external follow its binding. */
static void follow(tare_instance *r, int32_t external)
{
    const tare_plan *p = r->plan;
    for (int32_t k = 0; k < p->graph->n_output; ++k) {
        int32_t id = p->graph->output[k];
        tare_value *out = r->output[k], *v = r->bound[external];
        if (p->buffer[p->buffer_of[id]].external != external || !out)
            continue;
        if (out->storage)
            tare_storage_drop(out->storage);
        out->storage = v->storage;
        ++v->storage->refs;
        out->address = (char *)v->address + p->offset_of[id];
    }
}

static void bind(tare_instance *r, int32_t external, tare_value *v)
{
    if (r->bound[external])
        tare_record_drop(r->bound[external]);
    else
        --r->n_unbound;
    r->bound[external] = tare_record_share(v);
    patch_external(r, external);
    follow(r, external);
}

tare_status tare_instance_bind(tare_instance *r, int input, tare_value *v)
{
    const tare_graph *g = r->plan->graph;
    if (input < 0 || input >= g->n_input)
        return tare_error(TARE_BAD_ARGUMENT, "bind: there is no placeholder %d (there are %d)", input, g->n_input);
    const tare_value *symbol = g->external[g->input[input]].symbol;
    const char *name = symbol->name ? symbol->name : "";
    char want[TARE_DESC_TEXT], got[TARE_DESC_TEXT];
    if (!v || v->poison || !v->storage || v->runtime != r->plan->runtime)
        return tare_error(TARE_BAD_ARGUMENT, "bind: placeholder %d '%s' needs a value of this runtime with data", input,
                          name);
    if (!tare_desc_same_shape(&v->d, &symbol->d) || v->d.dtype != symbol->d.dtype || !v->d.contiguous)
        return tare_error(TARE_BAD_SHAPE, "bind: placeholder %d '%s' is %s %s, the value is %s %s%s", input, name,
                          tare_dtype_name(symbol->d.dtype), tare_desc_text(&symbol->d, want),
                          tare_dtype_name(v->d.dtype), tare_desc_text(&v->d, got),
                          v->d.contiguous ? "" : ", not contiguous");
    for (int32_t i = 0; i < r->plan->n_written && v->view; ++i)
        if (r->plan->written[i] == g->input[input])
            return tare_error(TARE_BAD_ARGUMENT,
                              "bind: placeholder %d '%s' is written by %s, the value is a view (need "
                              "a whole one)",
                              input, name, r->plan->writer[i]->name);
    bind(r, g->input[input], v);
    return TARE_OK;
}

/* ---- making
 * --------------------------------------------------------------------------------------------------------------------*/
/* One block for all tables. */
static tare_status take_tables(tare_instance *r)
{
    const tare_plan *p = r->plan;
    const tare_graph *g = p->graph;
    size_t calls = (size_t)p->n_calls * sizeof *r->call, ptrs = (size_t)p->n_address * sizeof *r->ptr;
    size_t bound = (size_t)g->n_external * sizeof *r->bound, outputs = (size_t)g->n_output * sizeof *r->output;
    size_t patches = (size_t)p->n_address * sizeof *r->patch,
           from = ((size_t)g->n_external + 1) * sizeof *r->patch_from;
    r->table_bytes = calls + ptrs + bound + outputs + patches + from;
    r->table = tare_memory_take_zeroed(&p->runtime->memory, TARE_MEMORY_RECORD, 1, r->table_bytes);
    if (!r->table)
        return TARE_NO_MEMORY;
    char *at = r->table;
    r->call = (void *)at;
    r->ptr = (void *)(at += calls);
    r->bound = (void *)(at += ptrs);
    r->output = (void *)(at += bound);
    r->patch = (void *)(at += outputs);
    r->patch_from = (void *)(at + patches);
    return TARE_OK;
}

/* Groups the entries by external: a counting sort. */
static void group_patches(tare_instance *r)
{
    const tare_plan *p = r->plan;
    int32_t n_external = p->graph->n_external;
    for (int32_t i = 0; i < p->n_address; ++i)
        if (p->address[i].buffer >= 0 && p->buffer[p->address[i].buffer].external >= 0)
            ++r->patch_from[p->buffer[p->address[i].buffer].external + 1];
    for (int32_t k = 0; k < n_external; ++k)
        r->patch_from[k + 1] += r->patch_from[k];
    for (int32_t i = 0; i < p->n_address; ++i)
        if (p->address[i].buffer >= 0 && p->buffer[p->address[i].buffer].external >= 0)
            r->patch[r->patch_from[p->buffer[p->address[i].buffer].external]++] = i;
    for (int32_t k = n_external; k > 0; --k)
        r->patch_from[k] = r->patch_from[k - 1];
    r->patch_from[0] = 0;
}

static void resolve(tare_instance *r)
{
    const tare_plan *p = r->plan;
    for (int32_t i = 0; i < p->n_address; ++i) {
        const tare_address *a = &p->address[i];
        if (a->buffer >= 0 && p->buffer[a->buffer].external < 0)
            r->ptr[i] = (char *)r->arena->base + p->buffer[a->buffer].offset + a->offset;
    }
    void **ptr = r->ptr;
    for (int32_t c = 0; c < p->n_calls; ++c) {
        r->call[c] = p->call[c];
        r->call[c].ptr = ptr;
        ptr += p->call[c].n_ptr;
    }
}

static tare_status make_outputs(tare_instance *r)
{
    const tare_plan *p = r->plan;
    for (int32_t k = 0; k < p->graph->n_output; ++k) {
        const tare_value *symbol = p->graph->program.value[p->graph->output[k]];
        const tare_buffer *b = &p->buffer[p->buffer_of[symbol->id]];
        tare_value *v = tare_record_take(p->runtime);
        if (!v)
            return TARE_NO_MEMORY;
        r->output[k] = v;
        v->d = symbol->d;
        v->name = symbol->name;
        v->view = symbol->view;
        if (b->external < 0) {
            v->storage = r->arena;
            ++r->arena->refs;
            v->address = (char *)r->arena->base + b->offset + p->offset_of[symbol->id];
        }
    }
    return TARE_OK;
}

tare_status tare_instance_new(const tare_plan *p, tare_instance **out)
{
    int64_t begin = tare__graph_now_ns();
    tare_runtime *rt = p->runtime;
    const tare_graph *g = p->graph;
    tare_instance *r = tare_memory_take_zeroed(&rt->memory, TARE_MEMORY_RECORD, 1, sizeof *r);
    if (!r)
        return TARE_NO_MEMORY;
    r->plan = p;
    r->n_unbound = g->n_external;
    tare_status status = take_tables(r);
    if (status == TARE_OK) {
        r->arena = tare_storage_take(rt, TARE_MEMORY_WORK, (size_t)p->bytes.arena);
        status = r->arena ? TARE_OK : TARE_NO_MEMORY;
    }
    if (status == TARE_OK) {
        group_patches(r);
        resolve(r);
        status = make_outputs(r);
    }
    if (status != TARE_OK) {
        tare_instance_free(r);
        return status;
    }
    for (int32_t k = 0; k < g->n_external; ++k)
        if (g->external[k].concrete)
            bind(r, k, g->external[k].concrete);
    r->bind_ns = tare__graph_now_ns() - begin;
    *out = r;
    return TARE_OK;
}

void tare_instance_free(tare_instance *r)
{
    if (!r)
        return;
    const tare_graph *g = r->plan->graph;
    for (int32_t k = 0; r->table && k < g->n_output; ++k)
        if (r->output[k])
            tare_record_drop(r->output[k]);
    for (int32_t k = 0; r->table && k < g->n_external; ++k)
        if (r->bound[k])
            tare_record_drop(r->bound[k]);
    tare_storage_release(r->arena);
    tare_memory *memory = &r->plan->runtime->memory;
    tare_memory_give(memory, TARE_MEMORY_RECORD, r->table, r->table_bytes);
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
    while (i < g->n_input && r->bound[g->input[i]])
        ++i;
    const tare_value *symbol = g->external[g->input[i]].symbol;
    return tare_error(TARE_BAD_ARGUMENT, "run: placeholder %d '%s' is not bound", i, symbol->name ? symbol->name : "");
}

tare_status tare_instance_run(tare_instance *r)
{
    const tare_plan *p = r->plan;
    tare_device *d = p->runtime->device;
    if (__builtin_expect(r->n_unbound > 0, 0))
        return unbound(r);
    uint64_t before = tare_float_enter();
    int failed = 0;
    int error = d->run(d, r->call, p->n_calls, &failed);
    tare_float_leave(before);
    for (int32_t i = 0; i < p->n_written; ++i) {
        tare_storage *s = r->bound[p->written[i]]->storage;
        ++s->version;
        s->writer = p->writer[i];
    }
    if (__builtin_expect(error, 0))
        return tare__dispatch_data_error(p->node[failed]->op, p->node[failed]->path);
    return TARE_OK;
}

tare_value *tare_instance_output(tare_instance *r, int i)
{
    return i >= 0 && i < r->plan->graph->n_output ? r->output[i] : NULL;
}

int tare_instance_calls(const tare_instance *r, const tare_call **out)
{
    *out = r->call;
    return r->plan->n_calls;
}
