/* captured_gradient.c - the gradient of a captured function: the reverse walk over its program, planned and applied as
 * one operator, which continues the canonical order of additions.
 *
 * The partial sums that have arrived at the inputs are placeholders from which the walk inside goes on, so that an
 * element's sum is added in the same order as without capture. Which heads and which partial sums there are is part of
 * the key; an absent one stays absent. */
#include <string.h>

#include "captured_private.h"

/* ---- key
 * ---------------------------------------------------------------------------------------------------------------------*/
/* What has arrived at number i, NULL: nothing. A value that is several inputs is asked for its first. */
static tare_value *partial(const tare_builder *b, const tare_entry *e, int i)
{
    if (i >= e->n_operands)
        return tare_leaf_partial(b, tare__captured_outside(e, i));
    return e->first[i] && tare_wanted(b, i) ? tare_partial(b, i) : NULL;
}

static void find_arrived(const tare_builder *b, const tare_entry *e, bool leaves, uint8_t *arrived)
{
    for (int o = 0; o < e->n_out; ++o)
        arrived[o] = tare_head(b, o) != NULL;
    for (int i = 0; i < e->n_operands; ++i)
        arrived[e->n_out + i] = partial(b, e, i) != NULL;
    memset(arrived + e->n_out + e->n_operands, 0, (size_t)(e->n_all - e->n_operands));
    for (int i = e->n_operands; leaves && i < e->n_all; ++i)
        arrived[e->n_out + i] = partial(b, e, i) != NULL;
}

static size_t key_bytes(const tare_entry *e)
{
    return (size_t)(e->n_out + e->n_all);
}

/* ---- capture
 * -----------------------------------------------------------------------------------------------------------------*/
static tare_value *symbol_of(const tare_entry *e, int i)
{
    return e->graph->external[e->external[i]].symbol;
}

/* Placeholders for what arrives, and the walk from them. */
static tare_status walk_back(tare_entry *e, tare_backward *w)
{
    tare_graph *g = e->graph;
    tare_mode *gm = tare_graph_mode(g);
    int most = e->n_out + e->n_all, n = 0;
    tare_value *root[most], *head[most];
    for (int k = 0; k < most; ++k) {
        if (!w->arrived[k])
            continue;
        bool output = k < e->n_out;
        root[n] = output ? g->program.value[e->plan->part.result[k]] : symbol_of(e, k - e->n_out);
        head[n] = tare_graph_input(g, &root[n]->d, output ? "head" : "partial sum");
        if (gm->error)
            return gm->error;
        if (output)
            w->head[w->n_head++] = g->n_external - 1;
        else
            w->partial[w->n_partial++] = g->n_external - 1;
        ++n;
    }
    return gm->backward(gm, root, head, n, true);
}

/* Reads the sums off the leaves and lists what the part must make: what operands get first. */
static tare_status collect(tare_entry *e, tare_backward *w, int32_t from, int32_t *result, int *n_result)
{
    tare_graph *g = e->graph;
    tare_mode *gm = tare_graph_mode(g);
    for (int i = 0; i < e->n_all; ++i) {
        tare_value *symbol = symbol_of(e, i), *sum = symbol->gradient;
        w->sum[i] = -1;
        if (i == e->n_operands)
            w->n_results = *n_result;
        if (!sum || !symbol->wants_gradient || !e->first[i])
            continue;
        if (sum->node >= 0) {
            if (sum->node < from || sum->base)
                sum = tare__captured_own_result(gm, sum, from);
            if (gm->error)
                return gm->error;
            bool again = false;
            for (int r = 0; r < *n_result; ++r)
                again |= result[r] == sum->id;
            if (!again)
                result[(*n_result)++] = sum->id;
        }
        w->sum[i] = sum->id;
    }
    if (e->n_all == e->n_operands)
        w->n_results = *n_result;
    w->n_gradients = *n_result - w->n_results;
    return TARE_OK;
}

/* ---- the backward operator
 * -----------------------------------------------------------------------------------------------------*/
static tare_status infer(const tare_args *a, const tare_desc_out *out)
{
    const tare_backward *w = a->op->own;
    for (int r = 0; r < w->n_results; ++r)
        *out[r] = w->entry->graph->program.value[w->plan->part.result[r]]->d;
    return TARE_OK;
}

enum { UNLISTED = -2 };

/* Operands of this operator: heads, partial sums, instance, the forward operands needed; -1: a leaf; UNLISTED: a
 * gradient reads what its operator's record does not say that it needs. */
static int32_t operand_of(const tare_backward *w, int32_t external)
{
    int32_t at = tare__captured_index(w->head, w->n_head, external);
    if (at >= 0)
        return at;
    at = tare__captured_index(w->partial, w->n_partial, external);
    if (at >= 0)
        return w->n_head + at;
    const tare_entry *e = w->entry;
    int32_t number = tare__captured_index(e->external, e->n_all, external);
    if (number >= e->n_operands)
        return -1;
    at = tare__captured_index(e->needed, e->n_needed, number);
    return at < 0 ? UNLISTED : w->n_head + w->n_partial + 1 + at;
}

/* Lists the places of one kind that some call has an address in; another backward's placeholders have none. Those of
 * leaves are filled here. */
static int32_t list_places(tare_backward *w, tare_place *out, bool result, bool external)
{
    const tare_plan *p = w->plan;
    int32_t n = 0;
    for (int32_t o = 0; o < p->n_outside; ++o) {
        const tare_outside *u = &p->outside[o];
        if (u->constant || u->result != result || (u->external >= 0) != external ||
            !tare__instance_reads(w->instance, o))
            continue;
        int32_t is = external ? operand_of(w, u->external)
                     : result ? tare__captured_index(p->part.result, p->part.n_result, u->value)
                              : u->value;
        if (is == -1)
            tare__instance_place(w->instance, o, w->entry->graph->external[u->external].concrete->address);
        else
            out[n++] = (tare_place){o, is};
    }
    return n;
}

/* Which of heads, partial sums, results is the gradient of number i. */
static int32_t gradient_from(const tare_backward *w, int i)
{
    const tare_graph *g = w->entry->graph;
    if (w->sum[i] < 0)
        return -1;
    for (int32_t k = 0; k < w->n_head + w->n_partial; ++k) {
        int32_t external = k < w->n_head ? w->head[k] : w->partial[k - w->n_head];
        if (g->external[external].symbol->id == w->sum[i])
            return k;
    }
    return w->n_head + w->n_partial + tare__captured_index(w->plan->part.result, w->plan->part.n_result, w->sum[i]);
}

static tare_status map(tare_backward *w)
{
    tare_entry *e = w->entry;
    w->place = tare_arena_take(&e->arena, ((size_t)w->plan->n_outside + 1) * sizeof *w->place);
    w->from = tare_arena_take(&e->arena, ((size_t)e->n_all + 1) * sizeof *w->from);
    w->gradient = tare_arena_take(&e->arena, ((size_t)w->n_gradients + 1) * sizeof *w->gradient);
    w->heir = tare_arena_take(&e->arena, ((size_t)w->n_gradients + 1) * sizeof *w->heir);
    w->further = tare_arena_take(&e->arena, ((size_t)e->n_all + 1) * sizeof *w->further);
    if (!w->place || !w->from || !w->gradient || !w->heir || !w->further)
        return TARE_NO_MEMORY;
    memset(w->gradient, 0, (size_t)w->n_gradients * sizeof *w->gradient);
    memset(w->heir, 0, (size_t)w->n_gradients * sizeof *w->heir);
    w->n_place_operands = list_places(w, w->place, false, true);
    w->n_place_kept = list_places(w, w->place + w->n_place_operands, false, false);
    w->n_place_results = list_places(w, w->place + w->n_place_operands + w->n_place_kept, true, false);
    for (int i = 0; i < e->n_all; ++i) {
        w->from[i] = gradient_from(w, i);
        int32_t k = w->from[i] - w->n_head - w->n_partial - w->n_results;
        if (w->from[i] < 0 || i < e->n_operands)
            continue;
        if (k >= 0 && !w->heir[k])
            w->heir[k] = tare__captured_outside(e, i);
        else
            w->further[w->n_further++] = i;
    }
    for (int32_t i = 0; i < w->n_place_operands; ++i)
        if (w->place[i].what == UNLISTED)
            return tare_error(TARE_BAD_ARGUMENT, "captured function: the gradient of an operator in it reads an input "
                                                 "that the operator's record does not list in needs_in");
    return TARE_OK;
}

/* ---- running
 * ----------------------------------------------------------------------------------------------------------*/
/* Operands move as they like; kept values move with the forward arena or their block, results with theirs. */
static void place_all(tare_backward *w, const tare_node *n, const tare_lease *l)
{
    tare_instance *r = w->instance;
    const tare_instance *forward = l->forward;
    const tare_storage *kept = l->kept ? l->kept : forward->arena; /* neither: nothing is kept */
    const tare_place *p = w->place;
    for (int32_t i = 0; i < w->n_place_operands; ++i, ++p)
        tare__instance_place(r, p->outside, n->operand[p->what]->address);
    tare_value *const *value = w->entry->graph->program.value;
    const void *base = kept ? kept->base : NULL;
    bool moved = forward != w->last_forward || base != w->last_kept || forward->n_moves != w->last_moves;
    for (int32_t i = 0; i < w->n_place_kept; ++i, ++p)
        if (moved)
            tare__instance_place(r, p->outside, tare__instance_address(forward, value[p->what]));
    w->last_forward = forward;
    w->last_kept = base;
    w->last_moves = forward->n_moves;
    const void *results = n->n_out ? n->operand[n->n_in]->storage->base : NULL;
    const void *block = w->block ? w->block->base : NULL;
    for (int32_t i = 0; (results != w->last_results || block != w->last_block) && i < w->n_place_results; ++i, ++p)
        tare__instance_place(r, p->outside,
                             p->what < n->n_out ? n->operand[n->n_in + p->what]->address
                                                : w->gradient[p->what - n->n_out]->address);
    w->last_results = results;
    w->last_block = block;
}

static tare_status execute(tare_mode *m, const tare_node *n)
{
    (void)m;
    tare_backward *w = (tare_backward *)(uintptr_t)n->op->own;
    tare_status status = tare__captured_arena_take(w->entry->captured, w->instance);
    if (status != TARE_OK)
        return status;
    const tare_lease *l = n->operand[w->n_head + w->n_partial]->address;
    place_all(w, n, l);
    status = tare__captured_replay(w->entry, w->instance, n, w->block);
    tare_storage *kept = l->kept ? l->kept : l->forward->arena;
    if (kept)
        tare__storage_read_by(kept, w->instance->arena->written_by);
    tare__captured_arena_give(w->entry->captured, w->instance);
    return status;
}

static tare_status build(tare_entry *e, tare_backward *w)
{
    tare_graph *g = e->graph;
    tare_mode *gm = tare_graph_mode(g);
    int32_t from = g->program.n;
    tare_status status = walk_back(e, w);
    int32_t *result = tare_arena_take(&e->arena, ((size_t)e->n_all + 1) * sizeof *result);
    tare_part part = {.from = from, .result = result};
    if (status == TARE_OK)
        status = result ? collect(e, w, from, result, &part.n_result) : TARE_NO_MEMORY;
    for (int32_t k = 0; k < g->n_external; ++k) /* empty for the next walk */
        tare_record_clear(g->external[k].symbol);
    part.to = g->program.n;
    part.n_patched = part.n_result;
    if (status == TARE_OK) {
        const tare_capture_options *with = &e->captured->options;
        const tare_plan_options options = {.packer = with->packer, .fuse = with->fuse};
        status = tare__plan_part(g, &part, &options, &w->plan);
    }
    if (status == TARE_OK)
        status = tare__instance_make(w->plan, false, &w->instance);
    if (status == TARE_OK)
        status = map(w);
    tare_mode_clear(gm);
    w->op = (tare_op){.name = "captured_backward",
                      .doc = "the gradient of a captured function",
                      .n_in = -1,
                      .n_out = (int16_t)w->n_results,
                      .infer = infer,
                      .not_differentiable = true,
                      .execute = execute,
                      .own = w};
    return status;
}

/* The backward for what has arrived, moved to the front; NULL. */
static tare_backward *known(tare_entry *e, const uint8_t *arrived)
{
    tare_backward **at = &e->backward;
    while (*at && memcmp((*at)->arrived, arrived, key_bytes(e)) != 0)
        at = &(*at)->next;
    tare_backward *w = *at;
    if (w) {
        *at = w->next;
        w->next = e->backward;
        e->backward = w;
    }
    return w;
}

static void backward_free(tare_backward *w)
{
    tare__captured_forget(w);
    tare_instance_free(w->instance);
    tare_plan_free(w->plan);
    tare_memory_give(&w->entry->captured->runtime->memory, TARE_MEMORY_RECORD, w, sizeof *w);
}

/* Room for one more: the least recently used goes. The leaves keep the gradients that it gave them. */
static void evict(tare_entry *e)
{
    while (e->n_backwards >= e->captured->options.most_backwards) {
        tare_backward **last = &e->backward;
        while ((*last)->next)
            last = &(*last)->next;
        if (e->handed == *last)
            e->handed = NULL;
        backward_free(*last);
        *last = NULL;
        --e->n_backwards;
        ++e->captured->runtime->counts.evictions;
    }
}

static tare_status backward_new(tare_entry *e, const uint8_t *arrived, tare_backward **out)
{
    evict(e);
    tare_memory *memory = &e->captured->runtime->memory;
    tare_backward *w = tare_memory_take_zeroed(memory, TARE_MEMORY_RECORD, 1, sizeof *w);
    if (!w)
        return TARE_NO_MEMORY;
    size_t n = key_bytes(e) + 1;
    w->entry = e;
    ++e->n_backwards_made;
    w->arrived = tare_arena_take(&e->arena, n);
    w->head = tare_arena_take(&e->arena, n * sizeof *w->head);
    w->partial = tare_arena_take(&e->arena, n * sizeof *w->partial);
    w->sum = tare_arena_take(&e->arena, n * sizeof *w->sum);
    tare_status status = w->arrived && w->head && w->partial && w->sum ? TARE_OK : TARE_NO_MEMORY;
    if (status == TARE_OK) {
        memcpy(w->arrived, arrived, key_bytes(e));
        status = build(e, w);
    }
    if (status != TARE_OK) {
        backward_free(w);
        return status;
    }
    w->next = e->backward;
    e->backward = w;
    ++e->n_backwards;
    *out = w;
    return TARE_OK;
}

void tare__captured_backwards_free(tare_entry *e)
{
    while (e->backward) {
        tare_backward *next = e->backward->next;
        backward_free(e->backward);
        e->backward = next;
    }
}

/* ---- emission
 * ----------------------------------------------------------------------------------------------------------------*/
static tare_status prepare(const tare_builder *b, tare_entry *e, tare_leaves *are, tare_backward **out)
{
    uint8_t arrived[key_bytes(e)];
    tare_status status = tare__captured_check(b, e);
    if (status != TARE_OK)
        return status;
    *are = tare__captured_leaves(b, e);
    find_arrived(b, e, *are == TARE_LEAVES_TOUCHED, arrived);
    *out = known(e, arrived);
    if (*are == TARE_LEAVES_HANDED && *out == e->handed) /* their bytes are written anew */
        return TARE_OK;
    if (*are == TARE_LEAVES_HANDED)
        *are = TARE_LEAVES_TOUCHED;
    if (!*out)
        status = backward_new(e, arrived, out);
    return status == TARE_OK ? tare__captured_fresh(*out) : status;
}

/* Runs the backward operator; source: what arrived, then its outputs. */
static tare_status emit(const tare_builder *b, const tare_entry *e, const tare_backward *w, tare_value **source)
{
    tare_mode *m = b->mode;
    int n = 0, n_arrived = w->n_head + w->n_partial;
    tare_value *in[n_arrived + 1 + e->n_needed];
    for (int o = 0; o < e->n_out; ++o)
        if (w->arrived[o])
            source[n++] = tare_head(b, o);
    for (int i = 0; n < n_arrived; ++i)
        if (w->arrived[e->n_out + i])
            source[n++] = partial(b, e, i);
    for (int k = 0; k < n; ++k) /* views may arrive; the plan was made for what is contiguous */
        in[k] = source[k]->d.contiguous ? source[k] : tare_apply1(m, m->runtime->copy, NULL, &source[k], 1);
    in[n++] = tare_output(b, e->n_out);
    for (int32_t i = 0; i < e->n_needed; ++i)
        in[n++] = b->node->operand[e->needed[i]];
    return w->plan->part.n_result > 0 ? m->apply(m, &w->op, NULL, in, n, source + n_arrived, 0) : TARE_OK;
}

void tare__captured_gradient(tare_builder *b)
{
    tare_entry *e = (tare_entry *)(uintptr_t)b->node->op->own;
    tare_backward *w;
    tare_leaves are;
    tare_status status = prepare(b, e, &are, &w);
    if (status != TARE_OK) {
        b->mode->error = status;
        return;
    }
    tare_value *source[w->n_head + w->n_partial + w->n_results + 1];
    if (are == TARE_LEAVES_HANDED) /* now, so that a failure clears them */
        tare__captured_rewrite(b, w);
    if (emit(b, e, w, source) != TARE_OK)
        return;
    for (int i = 0; i < e->n_operands; ++i)
        if (w->from[i] >= 0 && tare_wanted(b, i))
            tare_continue(b, i, source[w->from[i]]);
    tare__captured_hand_over(b, e, w, source, are);
}
