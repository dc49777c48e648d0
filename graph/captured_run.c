/* captured_run.c - running a captured function: an instance leased for each call, given back by the tape.
 *
 * Three ways, each a factor: the arena kept with the instance or taken at each call; the calls replayed as bound or
 * dispatched one by one (variant and geometry chosen anew, addresses from the table). */
#include "captured_private.h"

/* ---- leases
 * ------------------------------------------------------------------------------------------------------------------*/
static void give_back(tare_lease *l)
{
    tare_entry *e = l->entry;
    if (l->kept)
        tare_storage_drop(l->kept);
    l->kept = NULL;
    tare__captured_arena_give(e->captured, l->forward);
    --e->n_busy;
    l->next = e->idle;
    e->idle = l;
}

static void release(tare_storage *s)
{
    give_back(s->owner);
}

static size_t lease_bytes(const tare_entry *e)
{
    return sizeof(tare_lease) + (size_t)e->n_needed_leaf * sizeof(uint32_t);
}

static tare_status new_lease(tare_entry *e, tare_lease **out)
{
    const tare_capture_options *o = &e->captured->options;
    if (e->n_leased >= o->most_instances)
        return tare_error(TARE_BUSY, "captured: %d calls of one signature wait for their backward (need fewer)",
                          e->n_leased);
    tare_memory *memory = &e->captured->runtime->memory;
    tare_lease *l = tare_memory_take_zeroed(memory, TARE_MEMORY_RECORD, 1, lease_bytes(e));
    tare_status status = l ? tare__instance_make(e->plan, false, &l->forward) : TARE_NO_MEMORY;
    if (status != TARE_OK) {
        tare_memory_give(memory, TARE_MEMORY_RECORD, l, lease_bytes(e));
        return status;
    }
    l->entry = e;
    l->version = (uint32_t *)(l + 1);
    l->n_writes = (uint64_t)-1;
    for (int32_t i = 0; i < e->n_leaf_place; ++i)
        tare__instance_place(l->forward, e->leaf_place[i].outside,
                             tare__captured_outside(e, e->leaf_place[i].what)->address);
    ++e->n_leased;
    *out = l;
    return TARE_OK;
}

static tare_status lease(tare_entry *e, tare_lease **out)
{
    tare_lease *l = e->idle;
    tare_status status = TARE_OK;
    if (l)
        e->idle = l->next;
    else
        status = new_lease(e, &l);
    if (status != TARE_OK)
        return status;
    ++e->n_busy;
    *out = l;
    if (e->kept_bytes > 0)
        l->kept = tare_storage_take(e->captured->runtime, TARE_MEMORY_WORK, (size_t)e->kept_bytes);
    status = e->kept_bytes > 0 && !l->kept ? TARE_NO_MEMORY : tare__captured_arena_take(e->captured, l->forward);
    if (status != TARE_OK)
        give_back(l);
    return status;
}

void tare__captured_leases_free(tare_entry *e)
{
    while (e->idle) {
        tare_lease *next = e->idle->next;
        tare_instance_free(e->idle->forward);
        tare_memory_give(&e->captured->runtime->memory, TARE_MEMORY_RECORD, e->idle, lease_bytes(e));
        e->idle = next;
    }
}

/* ---- replay
 * ------------------------------------------------------------------------------------------------------------------*/
static inline void tell_finely(const tare_trace *trace, tare_event event, const tare_node *n)
{
    if (trace->fine)
        tare_trace_tell(trace, event, n);
}

/* A node as the imperative mode would run it, but for inference and storage. */
static inline __attribute__((always_inline)) tare_status dispatch_call(tare_instance *r, int32_t c, const bool traced)
{
    tare_runtime *rt = r->plan->runtime;
    const tare_node *n = r->plan->node[c];
    tare_args a = tare_node_args(n);
    const tare_variant *v = tare__plan_variant(rt, n);
    tare_work w;
    if (tare_prepare(v, &a, (const tare_desc_ref *)(n->operand + n->n_in), &w) != TARE_OK)
        return TARE_NO_MEMORY;
    const tare_call *b = &r->call[c];
    tare_call call = {v->run, v->combine, b->ptr, w.g, w.n_pieces, b->n_ptr, (int16_t)w.n_g, b->site};
    int failed;
    if (traced)
        tell_finely(&rt->trace, TARE_EVENT_PREPARE, n);
    return rt->device->run(rt->device, &call, 1, &failed);
}

/* *failed: the call that met bad data. */
static tare_status dispatch_calls(tare_instance *r, int *failed)
{
    tare_status status = TARE_OK;
    for (*failed = 0; *failed < r->plan->n_calls; ++*failed) {
        status = dispatch_call(r, *failed, false);
        if (status != TARE_OK)
            break;
    }
    return status;
}

/* One call after the other, so that each can be told when it has ended. */
static tare_status replay_traced(tare_instance *r, const tare_node *captured, bool bound, int *failed)
{
    const tare_plan *p = r->plan;
    tare_device *d = p->runtime->device;
    const tare_trace *trace = &p->runtime->trace;
    tare_status status = TARE_OK;
    tare_trace_tell(trace, TARE_EVENT_BIND, captured);
    for (*failed = 0; *failed < p->n_calls; ++*failed) {
        int one;
        tell_finely(trace, TARE_EVENT_SCHEDULE, p->node[*failed]);
        status = bound ? d->run(d, &r->call[*failed], 1, &one) : dispatch_call(r, *failed, true);
        if (status != TARE_OK)
            break;
        tare_trace_tell(trace, TARE_EVENT_KERNEL, p->node[*failed]);
    }
    return status;
}

/* The numbers that the host will wait for. Leaves are taken as read, all of them. */
static void note_queued(const tare_entry *e, const tare_instance *r, const tare_node *n, tare_storage *writes)
{
    uint64_t number = *e->captured->runtime->device->queued;
    for (int i = 0; i < n->n_in; ++i)
        tare__storage_read_by(n->operand[i]->storage, number);
    for (int o = 0; o < n->n_out; ++o)
        tare__storage_written_by(n->operand[n->n_in + o]->storage, number);
    for (int i = e->n_operands; i < e->n_all; ++i)
        tare__storage_read_by(tare__captured_outside(e, i)->storage, number);
    tare__storage_written_by(r->arena, number);
    if (writes)
        tare__storage_written_by(writes, number);
}

tare_status tare__captured_replay(const tare_entry *e, tare_instance *r, const tare_node *captured,
                                  tare_storage *writes)
{
    const tare_plan *p = r->plan;
    tare_device *d = p->runtime->device;
    bool bound = e->captured->options.bound;
    int failed = 0;
    tare_status status = p->runtime->trace.event ? replay_traced(r, captured, bound, &failed)
                         : bound                 ? d->run(d, r->call, p->n_calls, &failed)
                                                 : dispatch_calls(r, &failed);
    if (d->queued)
        note_queued(e, r, captured, writes);
    return status == TARE_BAD_DATA ? tare__data_error(p->node[failed]->op->name, p->node[failed]->path) : status;
}

/* State that the function writes (running statistics): operands and leaves tied inside. */
static void raise_versions(const tare_entry *e, const tare_node *n)
{
    for (int32_t i = 0; i < e->plan->n_written; ++i) {
        int32_t number = tare__captured_index(e->external, e->n_all, e->plan->outside[e->plan->written[i]].external);
        const tare_value *v = number < e->n_operands ? n->operand[number] : tare__captured_outside(e, number);
        tare_storage_wrote(v->storage, e->plan->writer[i]);
        tare__storage_written_by(v->storage, v->storage->read_by); /* an operand, or a leaf: the replay was noted */
    }
}

/* The versions of the leaves that backward reads, after the forward part's own writes: looked at again only after a
 * write. */
static void save_versions(tare_lease *l)
{
    const tare_entry *e = l->entry;
    uint64_t n_writes = e->captured->runtime->n_writes;
    for (int32_t i = 0; n_writes != l->n_writes && i < e->n_needed_leaf; ++i)
        l->version[i] = tare__captured_outside(e, e->needed_leaf[i])->storage->version;
    l->n_writes = n_writes;
}

static tare_status hand_over(tare_lease *l, tare_value *aux)
{
    tare_runtime *rt = l->entry->captured->runtime;
    tare_storage *s = tare__storage_record(rt);
    if (!s)
        return TARE_NO_MEMORY;
    *s = (tare_storage){.base = l,
                        .refs = 1,
                        .runtime = rt,
                        .bin = TARE_BIN_NONE,
                        .category = TARE_MEMORY_RECORD,
                        .release = release,
                        .owner = l};
    aux->storage = s;
    aux->address = l;
    return TARE_OK;
}

tare_status tare__captured_execute(tare_mode *m, const tare_node *n)
{
    (void)m;
    tare_entry *e = (tare_entry *)(uintptr_t)n->op->own;
    tare_lease *l;
    tare_status status = lease(e, &l);
    if (status != TARE_OK)
        return status;
    for (const tare_place *p = e->place, *end = p + e->n_place; p < end; ++p)
        tare__instance_place(l->forward, p->outside, n->operand[p->what]->address);
    for (const tare_place *p = e->kept_place, *end = p + e->n_kept_place; p < end; ++p)
        tare__instance_place(l->forward, p->outside, (char *)l->kept->base + (int64_t)p->what * TARE_ALIGNMENT);
    status = tare__captured_replay(e, l->forward, n, l->kept);
    if (!e->captured->options.keep)
        tare__captured_arena_give(e->captured, l->forward);
    raise_versions(e, n);
    save_versions(l);
    tare_value *aux = n->operand[n->n_in + n->n_out];
    if (status == TARE_OK && aux)
        status = hand_over(l, aux);
    if (status != TARE_OK || !aux)
        give_back(l);
    return status;
}
