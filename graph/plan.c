/* plan.c - from a program to calls: passes, works, buffers, packing, layout, check.
 *
 * A plan is const once made. Its calls hold everything but addresses; the address table says, for each entry of each
 * call, which buffer and where in it, so that an instance is an arena and one resolved table. */
#include <string.h>

#include "fused_private.h"

/* ---- layout
 * ----------------------------------------------------------------------------------------------------------------*/
static int32_t scratch_buffer(const tare_plan *p, int32_t call, int32_t from)
{
    for (int32_t b = from; b < p->n_buffer; ++b)
        if (p->buffer[b].value < 0 && p->buffer[b].first == call)
            return b;
    return -1;
}

static void address_scratch(tare_plan *p, const tare_work *w, int32_t call, int32_t *from, tare_address *at)
{
    at[0] = at[1] = (tare_address){-1, 0};
    if (!w->piece_bytes && !w->worker_bytes)
        return;
    int32_t b = scratch_buffer(p, call, *from);
    *from = b;
    if (w->piece_bytes)
        at[0] = (tare_address){b, 0};
    if (w->worker_bytes)
        at[1] = (tare_address){b, (int64_t)tare_work_piece_scratch(w)};
}

static tare_status lay_out(tare_plan *p)
{
    p->call = tare_arena_take(&p->arena, (size_t)p->n_calls * sizeof *p->call);
    p->address = tare_arena_take(&p->arena, (size_t)p->n_address * sizeof *p->address);
    if (!p->call || !p->address)
        return TARE_NO_MEMORY;
    int32_t at = 0, scratch = 0;
    for (int32_t c = 0; c < p->n_calls; ++c) {
        const tare_node *n = p->node[c];
        const tare_work *w = n->work;
        int total = n->n_in + n->n_out + n->n_aux;
        p->call[c] = (tare_call){.run = n->variant->run,
                                 .combine = n->variant->combine,
                                 .g = w->g,
                                 .n_pieces = w->n_pieces,
                                 .n_ptr = (int16_t)(total + 2),
                                 .n_g = (int16_t)w->n_g};
        if (tare__site_of(p->runtime, n->op->name, n->path, &p->call[c].site) != TARE_OK)
            return TARE_NO_MEMORY;
        for (int k = 0; k < total; ++k) {
            const tare_value *v = n->operand[k];
            bool none = !v || tare__plan_shape_only(n, k);
            p->address[at + k] =
                none ? (tare_address){-1, 0} : (tare_address){p->buffer_of[v->id], p->offset_of[v->id]};
        }
        address_scratch(p, w, c, &scratch, &p->address[at + total]);
        at += total + 2;
    }
    return TARE_OK;
}

/* Blocks for tables and pictures; and the outside places that calls write. */
static tare_status describe(tare_plan *p)
{
    p->block = tare_arena_take(&p->arena, (size_t)p->n_buffer * sizeof *p->block);
    p->written = tare_arena_take(&p->arena, (size_t)p->n_address * sizeof *p->written);
    p->writer = tare_arena_take(&p->arena, (size_t)p->n_address * sizeof *p->writer);
    if (!p->block || !p->written || !p->writer)
        return TARE_NO_MEMORY;
    for (int32_t b = 0; b < p->n_buffer; ++b) {
        const tare_buffer *u = &p->buffer[b];
        if (!tare__plan_places(u))
            continue;
        const tare_node *maker = p->node[u->first];
        p->block[p->n_block++] = (tare_plan_block){
            u->first, u->last + 1, u->bytes, u->offset, u->value < 0 ? "scratch" : maker->op->name, maker->path};
    }
    for (int32_t c = 0; c < p->n_calls; ++c) {
        const tare_node *n = p->node[c];
        for (int o = 0; o < n->n_out && o < TARE_OPERANDS; ++o) {
            if (!n->op->ties[o] || !n->operand[n->n_in + o])
                continue;
            const tare_buffer *b = &p->buffer[p->buffer_of[n->operand[n->n_in + o]->id]];
            if (b->outside < 0)
                continue;
            p->written[p->n_written] = b->outside;
            p->writer[p->n_written++] = n->op;
        }
    }
    return TARE_OK;
}

/* ---- the whole
 * ---------------------------------------------------------------------------------------------------------------*/
/* Adds the time since *then to *spent. */
static void lap(int64_t *then, int64_t *spent)
{
    int64_t now = tare__graph_now_ns();
    *spent += now - *then;
    *then = now;
}

static bool joins(const tare_plan *p, const bool *live)
{
    for (int32_t i = p->part.from; i < p->part.to; ++i)
        if (live[i - p->part.from] && p->program->node[i].op->join)
            return true;
    return false;
}

/* The same once more, with parts of what is joined in their places; whole: all of a node's, or none. */
static tare_status lay_joined(tare_plan *p, const bool *live, bool whole, bool in_place)
{
    size_t nodes = (size_t)(p->part.to - p->part.from);
    bool *joined = tare_arena_take(&p->arena, nodes);
    if (!joined)
        return TARE_NO_MEMORY;
    memcpy(joined, live, nodes);
    tare_status status = tare__plan_placement(p, joined, whole);
    if (status != TARE_OK || p->passes.joined + p->passes.partly == 0)
        return status;
    status = tare__plan_list(p, joined);
    return status == TARE_OK ? tare__plan_buffers(p, joined, in_place) : status;
}

/* As it was; the arena has grown since. */
static void lay_back(tare_plan *p, const tare_plan *apart)
{
    const tare_arena arena = p->arena;
    *p = *apart;
    p->arena = arena;
    memset(p->placed, 0, (size_t)p->program->n_values * sizeof *p->placed);
}

/* What is said of other strategies is of the program as it is: nothing in its whole, merged or repeated. */
static void say_of(tare_plan *p, const tare_plan_bytes *as_it_is)
{
    p->bytes.naive = as_it_is->naive;
    p->bytes.refcount = as_it_is->refcount;
}

/* Calls and buffers; where something is joined also with the parts in their places: those that can be, else those of
 * nodes all of whose parts can be, else none. That stays which takes no more than reference counting would. */
static tare_status lay(tare_plan *p, bool *live, const tare_plan_options *o)
{
    size_t values = (size_t)p->program->n_values * sizeof *p->placed;
    p->placed = tare_arena_take(&p->arena, values);
    if (!p->placed)
        return TARE_NO_MEMORY;
    memset(p->placed, 0, values);
    tare_status status = tare__plan_nodes(p, live);
    if (status == TARE_OK)
        status = tare__plan_order(p, o->order, !o->no_in_place);
    if (status == TARE_OK)
        status = tare__plan_list(p, live);
    if (status == TARE_OK)
        status = tare__plan_buffers(p, live, !o->no_in_place);
    if (p->order_taken != TARE_ORDER_PROGRAM)
        p->bytes.refcount = p->refcount_before;
    if (status != TARE_OK || o->no_placement || !joins(p, live))
        return status;
    const tare_plan apart = *p;
    for (int whole = 0; whole < 2; ++whole) {
        status = lay_joined(p, live, whole, !o->no_in_place);
        if (status != TARE_OK || p->bytes.lower_bound <= apart.bytes.lower_bound_no_inplace)
            break;
        whole |= p->passes.partly == 0; /* the same would come again */
        lay_back(p, &apart);
    }
    say_of(p, &apart.bytes);
    return status;
}

/* One of several plans that are made of the same program. */
typedef struct {
    tare_recompute recompute;
    bool unmerged;
} attempt;

/* The catalogue's passes, in their order. */
static tare_status run_passes(tare_plan *p, const tare_plan_options *options, bool unmerged, bool *live)
{
    tare_plan_options o = *options;
    o.no_cse |= unmerged;
    tare_status status = TARE_OK;
    for (int i = 0; i < p->runtime->n_records[TARE_KIND_PASS] && status == TARE_OK; ++i) {
        const tare_pass *pass = (const tare_pass *)p->runtime->record[TARE_KIND_PASS][i];
        bool off = pass->off && *((const bool *)&o + pass->off - 1);
        status = off ? TARE_OK : pass->run(p, live);
    }
    return status;
}

static tare_status make(tare_plan *p, const tare_plan_options *o, attempt how)
{
    int64_t then = tare__graph_now_ns();
    size_t nodes = (size_t)(p->part.to - p->part.from);
    bool *live = tare_arena_take(&p->arena, 2 * nodes + 1); /* room for nodes that are repeated */
    if (!live)
        return TARE_NO_MEMORY;
    memset(live, true, 2 * nodes);
    tare_status status = run_passes(p, o, how.unmerged, live);
    if (status == TARE_OK && how.recompute.n_segments)
        status = tare__plan_recompute(p, live, how.recompute);
    else if (status == TARE_OK && (o->fuse || !(o->no_add_to || o->no_in_place)))
        status = tare__plan_fuse(p, live, !o->fuse);
    p->passes.repeated = p->part.to - p->n_nodes > 0 ? p->part.to - p->n_nodes : 0;
    if (status == TARE_OK)
        status = lay(p, live, o);
    lap(&then, &p->times.passes_ns);
    if (status == TARE_OK)
        status = tare__plan_pack(p, o->packer, o->guards ? TARE_ALIGNMENT : 0);
    lap(&then, &p->times.pack_ns);
    if (status == TARE_OK)
        status = lay_out(p);
    if (status == TARE_OK)
        status = describe(p);
    lap(&then, &p->times.passes_ns);
    if (status == TARE_OK)
        status = tare__plan_check(p);
    lap(&then, &p->times.check_ns);
    return status;
}

static tare_status keep_part(tare_plan *p, const tare_part *part)
{
    size_t bytes = (size_t)part->n_result * sizeof *part->result;
    int32_t *result = tare_arena_take(&p->arena, bytes);
    if (!result)
        return TARE_NO_MEMORY;
    if (bytes)
        memcpy(result, part->result, bytes);
    p->part = *part;
    p->part.result = result;
    return TARE_OK;
}

static tare_status plan_once(tare_graph *g, const tare_part *part, const tare_plan_options *options, attempt how,
                             tare_plan **out)
{
    tare_runtime *rt = g->mode.runtime;
    tare_plan *p = tare_memory_take_zeroed(&rt->memory, TARE_MEMORY_RECORD, 1, sizeof *p);
    if (!p)
        return TARE_NO_MEMORY;
    p->runtime = rt;
    p->graph = g;
    p->program = &g->program;
    p->n_input = g->n_input;
    p->n_values = g->program.n_values;
    p->n_nodes = g->program.n;
    p->n_values_graph = g->program.n_values;
    p->arena.memory = &rt->memory;
    p->times = g->times;
    tare_status status = keep_part(p, part);
    if (status == TARE_OK)
        status = make(p, options, how);
    if (status != TARE_OK) {
        tare_plan_free(p);
        return status;
    }
    *out = p;
    return TARE_OK;
}

/* Within the budget what repeats least is better, beyond it what is smaller. */
static bool better(const tare_plan *a, const tare_plan *b, int64_t budget)
{
    bool within[] = {a->bytes.arena <= budget, b->bytes.arena <= budget};
    if (within[0] != within[1])
        return within[0];
    return within[0] ? a->repeated_steps < b->repeated_steps : a->bytes.arena < b->bytes.arena;
}

/* Planned with cheap nodes repeated and with expensive ones too, in several numbers of segments: the best stays. */
static tare_status plan_within(tare_graph *g, const tare_part *part, const tare_plan_options *o, tare_plan **best)
{
    const bool unmerged = (*best)->instead == NULL;
    static const double steps[] = {4, 16, 64, 256, 1e300};
    static const int segments[] = {1, 2, 4, 8, 16, 32};
    enum { STEPS = sizeof steps / sizeof *steps, SEGMENTS = sizeof segments / sizeof *segments };
    const tare_plan_bytes as_it_is = (*best)->bytes;
    for (int i = 0; i < STEPS * SEGMENTS && ((*best)->repeated_steps > 0 || (*best)->bytes.arena > o->recompute); ++i) {
        tare_plan *again;
        attempt how = {{steps[i / SEGMENTS], segments[i % SEGMENTS]}, unmerged};
        tare_status status = plan_once(g, part, o, how, &again);
        if (status != TARE_OK)
            return status;
        bool taken = better(again, *best, o->recompute);
        tare_plan_free(taken ? *best : again);
        *best = taken ? again : *best;
    }
    say_of(*best, &as_it_is);
    return TARE_OK;
}

/* What was merged stays so unless it takes more, since it lives longer, than reference counting would without it. */
static tare_status plan_merged(tare_graph *g, const tare_part *part, const tare_plan_options *o, tare_plan **out)
{
    tare_plan *p, *apart;
    tare_status status = plan_once(g, part, o, (attempt){0}, &p);
    if (status != TARE_OK || !p->instead) {
        *out = p;
        return status;
    }
    status = plan_once(g, part, o, (attempt){.unmerged = true}, &apart);
    if (status != TARE_OK) {
        tare_plan_free(p);
        return status;
    }
    bool stays = p->bytes.lower_bound <= apart->bytes.lower_bound_no_inplace;
    say_of(p, &apart->bytes);
    tare_plan_free(stays ? apart : p);
    *out = stays ? p : apart;
    return TARE_OK;
}

tare_status tare__plan_part(tare_graph *g, const tare_part *part, const tare_plan_options *options, tare_plan **out)
{
    const tare_plan_options *o = options ? options : &(tare_plan_options){0};
    const int64_t began = tare__graph_now_ns();
    tare_plan *p;
    tare_status status = plan_merged(g, part, o, &p);
    if (status != TARE_OK)
        return status;
    if (o->recompute > 0 && g->n_forward > 0 && part->from == 0)
        status = plan_within(g, part, o, &p);
    if (status != TARE_OK) {
        tare_plan_free(p);
        return status;
    }
    tare_capture_times *t = &p->times;
    t->trace_ns = began - g->started_ns - t->gradient_ns;
    t->passes_ns = tare__graph_now_ns() - began - t->pack_ns - t->check_ns; /* with plans that were not taken */
    ++g->mode.runtime->counts.plans;
    *out = p;
    return TARE_OK;
}

tare_status tare_plan_new(tare_graph *g, const tare_plan_options *options, tare_plan **out)
{
    if (g->mode.error)
        return g->mode.error;
    tare_part whole = {.to = g->program.n, .result = g->output, .n_result = g->n_output};
    return tare__plan_part(g, &whole, options, out);
}

void tare_plan_free(tare_plan *p)
{
    if (!p)
        return;
    for (int32_t id = 0; p->constant && id < p->n_values_graph; ++id)
        tare_storage_release(p->constant[id]);
    tare_arena_fini(&p->arena);
    tare_memory_give(&p->runtime->memory, TARE_MEMORY_RECORD, p, sizeof *p);
}

tare_plan_bytes tare_plan_size(const tare_plan *p)
{
    return p->bytes;
}

void tare_plan_range(const tare_plan *p, int32_t *from, int32_t *to)
{
    *from = p->part.from;
    *to = p->part.to;
}

tare_plan_passes tare_plan_passes_of(const tare_plan *p)
{
    return p->passes;
}

tare_capture_times tare_plan_times(const tare_plan *p)
{
    return p->times;
}

tare_plan_order tare_plan_order_of(const tare_plan *p)
{
    return p->order_taken;
}

int tare_plan_blocks(const tare_plan *p, const tare_plan_block **out)
{
    *out = p->block;
    return p->n_block;
}

int tare_plan_calls(const tare_plan *p, const tare_node *const **out)
{
    *out = p->node;
    return p->n_calls;
}
