/* fold.c - a pass: constants. What is the same at every run is computed once, when the plan is made.
 *
 * Needs: the live nodes. Provides: p->constant, storages of the plan's own with the values that other nodes read, and
 * the nodes that made them out of live. A constant is what a node without an effect makes of constants alone, or of
 * shapes alone (fill); parameters and what a caller captured are none, since they may be written between two runs. The
 * node's own kernel computes it, so that its bits are those of every run. Not folded: what is a result, what is written
 * again, and values of more than MOST bytes, which are cheaper to make than to keep. */
#include <string.h>

#include "depend_private.h"

enum { MOST = 65536 };

typedef struct {
    tare_plan *p;
    bool *live;
    bool *constant; /* value id */
    bool *written;  /* root's id: some node writes it again */
    bool *result;   /* id: it is a result, or the root of one */
} pass;

static bool reads_constants(const pass *s, const tare_node *n)
{
    for (int k = 0; k < n->n_in; ++k)
        if (n->operand[k] && !tare__plan_shape_only(n, k) && !s->constant[n->operand[k]->id])
            return false;
    return true;
}

static bool constant_node(const pass *s, const tare_node *n)
{
    if (!tare__plan_pure(n) || !reads_constants(s, n))
        return false;
    for (int k = n->n_in; k < n->n_in + n->n_out + n->n_aux; ++k) {
        const tare_value *v = n->operand[k];
        if (v && (s->result[v->id] || s->written[v->id] || tare_desc_bytes(&v->d) > MOST))
            return false;
    }
    return true;
}

static int32_t find_constants(pass *s)
{
    const tare_plan *p = s->p;
    const tare_program *program = p->program;
    int32_t found = 0;
    tare__plan_find_written(p, s->written);
    tare__plan_find_results(p, s->result);
    for (int32_t i = p->part.from; i < p->part.to; ++i) {
        const tare_node *n = &program->node[i];
        if (!s->live[i - p->part.from] || !constant_node(s, n))
            continue;
        for (int k = n->n_in; k < n->n_in + n->n_out + n->n_aux; ++k)
            if (n->operand[k])
                s->constant[n->operand[k]->id] = true;
        found += !n->op->view;
    }
    return found;
}

/* ---- computing them
 * -----------------------------------------------------------------------------------------------------------------*/
static void *address_of(const pass *s, const tare_value *v)
{
    int64_t offset = 0;
    const tare_value *at = v;
    for (; at->base; at = at->base)
        offset += at->view_offset;
    return (char *)s->p->constant[at->id]->base + offset * (int64_t)tare_dtype_bytes((tare_dtype)v->d.dtype);
}

static tare_status take_outputs(const pass *s, const tare_node *n)
{
    for (int k = n->n_in; k < n->n_in + n->n_out + n->n_aux; ++k) {
        const tare_value *v = n->operand[k];
        if (!v)
            continue;
        s->p->constant[v->id] = tare_storage_take(s->p->runtime, TARE_MEMORY_CONSTANT, tare_desc_bytes(&v->d));
        if (!s->p->constant[v->id])
            return TARE_NO_MEMORY;
    }
    return TARE_OK;
}

/* Runs the node once, as the plan would, its scratch in a storage of its own. */
static tare_status compute(const pass *s, const tare_node *n)
{
    tare_runtime *rt = s->p->runtime;
    tare_work w;
    if (tare_node_prepare(n, &w) != TARE_OK)
        return TARE_NO_MEMORY;
    int total = n->n_in + n->n_out + n->n_aux, failed = 0;
    size_t pieces = tare_work_piece_scratch(&w), workers = tare_work_worker_scratch(&w, rt->options.threads);
    tare_storage *scratch = tare_storage_take(rt, TARE_MEMORY_CONSTANT, pieces + workers);
    if (!scratch || take_outputs(s, n) != TARE_OK) {
        tare_storage_release(scratch);
        return TARE_NO_MEMORY;
    }
    void *ptr[total + 2];
    for (int k = 0; k < total; ++k)
        ptr[k] = n->operand[k] && !tare__plan_shape_only(n, k) ? address_of(s, n->operand[k]) : NULL;
    ptr[total] = pieces ? scratch->base : NULL;
    ptr[total + 1] = workers ? (char *)scratch->base + pieces : NULL;
    tare_call call = {.run = n->variant->run,
                      .combine = n->variant->combine,
                      .ptr = ptr,
                      .g = w.g,
                      .n_pieces = w.n_pieces,
                      .n_ptr = (int16_t)(total + 2),
                      .n_g = (int16_t)w.n_g,
                      .site = -1};
    uint64_t before = tare_float_enter();
    tare_status status = rt->device->run(rt->device, &call, 1, &failed);
    if (status == TARE_OK)
        status = rt->device->wait(rt->device);
    tare_float_leave(before);
    tare_storage_release(scratch);
    return status;
}

/* What the node makes is no constant after all. */
static void give_up(pass *s, const tare_node *n)
{
    for (int k = n->n_in; k < n->n_in + n->n_out + n->n_aux; ++k) {
        const tare_value *v = n->operand[k];
        if (!v)
            continue;
        s->constant[v->id] = false;
        tare_storage_release(s->p->constant[v->id]);
        s->p->constant[v->id] = NULL;
    }
}

/* The nodes that can be computed go out of live; one that meets bad data says so at every run: it stays, with all that
 * read it. */
static tare_status compute_all(pass *s)
{
    tare_plan *p = s->p;
    for (int32_t i = p->part.from; i < p->part.to; ++i) {
        const tare_node *n = &p->program->node[i];
        if (!s->live[i - p->part.from] || !tare__plan_makes(n, s->constant))
            continue;
        tare_status status = !reads_constants(s, n) ? TARE_BAD_DATA : n->op->view ? TARE_OK : compute(s, n);
        if (status == TARE_BAD_DATA)
            give_up(s, n);
        else if (status != TARE_OK)
            return status;
        else if (!n->op->view) {
            s->live[i - p->part.from] = false;
            ++p->passes.folded;
        }
    }
    return TARE_OK;
}

/* Lets go of what only folded nodes read. */
static void keep_read(pass *s, bool *read)
{
    tare_plan *p = s->p;
    for (int32_t i = p->part.from; i < p->part.to; ++i) {
        const tare_node *n = &p->program->node[i];
        for (int k = 0; s->live[i - p->part.from] && !n->op->view && k < n->n_in; ++k)
            if (n->operand[k] && !tare__plan_shape_only(n, k))
                read[tare_value_root(n->operand[k])->id] = true;
    }
    for (int32_t id = 0; id < p->n_values_graph; ++id) {
        if (!p->constant[id])
            continue;
        if (read[id]) {
            p->passes.constant_bytes += (int64_t)tare_memory_rounded(p->constant[id]->bytes);
            continue;
        }
        tare_storage_release(p->constant[id]);
        p->constant[id] = NULL;
    }
}

tare_status tare__plan_fold(tare_plan *p, bool *live)
{
    tare_arena arena = {.memory = &p->runtime->memory};
    size_t values = (size_t)p->program->n_values + 1;
    pass s = {.p = p, .live = live};
    s.constant = tare_arena_take(&arena, values);
    s.written = tare_arena_take(&arena, values);
    s.result = tare_arena_take(&arena, values);
    tare_status status = TARE_NO_MEMORY;
    if (s.constant && s.written && s.result) {
        memset(s.constant, 0, values);
        memset(s.written, 0, values);
        memset(s.result, 0, values);
        status = TARE_OK;
        if (find_constants(&s) > 0) {
            p->constant = tare_arena_take(&p->arena, values * sizeof *p->constant);
            status = p->constant ? TARE_OK : TARE_NO_MEMORY;
        }
    }
    if (status == TARE_OK && p->constant) {
        memset(p->constant, 0, values * sizeof *p->constant);
        status = compute_all(&s);
        memset(s.result, 0, values);
        keep_read(&s, s.result);
    }
    tare_arena_fini(&arena);
    return status;
}
