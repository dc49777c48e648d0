/* capture.c - the graph mode: the same dispatch body as the imperative mode, which only appends.
 *
 * Every append infers and chooses a variant, so a mistake is reported where it is made. A concrete value met on the way
 * becomes an external operand, one symbol for each. */
#include <string.h>
#include <time.h>

#include "../core/gradient.h"
#include "graph_private.h"

static tare_graph *of(tare_mode *m)
{
    return (tare_graph *)m;
}

int64_t tare__graph_now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

bool tare__graph_room(tare_graph *g, void **list, int32_t *capacity, int32_t n, size_t item)
{
    if (n < *capacity)
        return true;
    int32_t wanted = *capacity ? *capacity * 2 : 64;
    void *grown = tare_memory_resize(&g->mode.runtime->memory, TARE_MEMORY_RECORD, *list, (size_t)*capacity * item,
                                     (size_t)wanted * item);
    if (!grown)
        return false;
    *list = grown;
    *capacity = wanted;
    return true;
}

/* Numbers a value and keeps its handle in the program's table. */
static bool own(tare_mode *m, tare_value *v)
{
    tare_program *p = m->program;
    if (!tare__graph_room(of(m), (void **)&p->value, &p->capacity_values, p->n_values, sizeof *p->value))
        return false;
    v->id = p->n_values;
    v->program = p;
    p->value[p->n_values++] = v;
    return true;
}

/* ---- externals
 * --------------------------------------------------------------------------------------------------------*/
static uint32_t slot_of(const tare_graph *g, const tare_value *concrete)
{
    uint32_t at = (uint32_t)((uintptr_t)concrete >> 6) & g->map_mask;
    while (g->map[at] && g->external[g->map[at] - 1].concrete != concrete)
        at = (at + 1) & g->map_mask;
    return at;
}

static bool grow_map(tare_graph *g)
{
    uint32_t slots = g->map_mask ? (g->map_mask + 1) * 2 : 128;
    tare_memory *memory = &g->mode.runtime->memory;
    int32_t *map = tare_memory_take_zeroed(memory, TARE_MEMORY_RECORD, slots, sizeof *map);
    if (!map)
        return false;
    tare_memory_give(memory, TARE_MEMORY_RECORD, g->map, g->map ? (g->map_mask + 1) * sizeof *map : 0);
    g->map = map;
    g->map_mask = slots - 1;
    for (int32_t k = 0; k < g->n_external; ++k)
        if (g->external[k].concrete)
            g->map[slot_of(g, g->external[k].concrete)] = k + 1;
    return true;
}

/* A new symbol, an external; NULL without memory. */
static tare_value *external_new(tare_graph *g, const tare_desc *d, tare_value *concrete, const char *name)
{
    if (!tare__graph_room(g, (void **)&g->external, &g->capacity_external, g->n_external, sizeof *g->external))
        return NULL;
    if ((uint32_t)g->n_external * 2 >= g->map_mask && !grow_map(g))
        return NULL;
    tare_value *v = tare_record_take(g->mode.runtime);
    if (!v)
        return NULL;
    v->d = *d;
    v->name = name;
    v->wants_gradient = concrete && concrete->wants_gradient;
    v->view = concrete && concrete->view;
    if (!own(&g->mode, v)) {
        tare_record_drop(v);
        return NULL;
    }
    g->external[g->n_external] = (tare_external){v, concrete ? tare_record_share(concrete) : NULL};
    if (concrete)
        g->map[slot_of(g, concrete)] = g->n_external + 1;
    ++g->n_external;
    return v;
}

int32_t tare__graph_external(const tare_graph *g, const tare_value *concrete)
{
    return g->map ? g->map[slot_of(g, concrete)] - 1 : -1;
}

/* What stands for v in this graph already, or NULL. */
static tare_value *known(const tare_graph *g, tare_value *v)
{
    if (v->id >= 0)
        return v->program == &g->program ? v : NULL;
    int32_t at = tare__graph_external(g, v);
    return at >= 0 ? g->external[at].symbol : NULL;
}

/* Why v cannot stand in this graph; NULL: it can. */
static const char *foreign(const tare_graph *g, const tare_value *v)
{
    if (v->id >= 0)
        return v->program == &g->program ? NULL : "belongs to another graph";
    return v->storage ? NULL : "was given up by tare_move before";
}

/* NULL: no memory. v is not foreign. */
tare_value *tare__graph_symbol(tare_graph *g, tare_value *v)
{
    tare_value *symbol = known(g, v);
    return symbol ? symbol : external_new(g, &v->d, v, v->name);
}

/* A placeholder takes no memory, so what is made of it can be larger than any. */
static tare_status check_sizes(tare_mode *m, const tare_op *op, const void *attr, tare_value **out)
{
    for (int o = 0; o < tare_op_outputs(op, attr); ++o) {
        tare_args a = {.op = op, .path = m->path};
        if (out[o] && tare_desc_check(&out[o]->d) != TARE_OK)
            return tare__dispatch_failed(m, op, attr, out,
                                         tare_op_error(&a, TARE_BAD_SHAPE, "result %d takes more than 2^62 bytes", o));
    }
    return TARE_OK;
}

/* ---- the seam
 * ---------------------------------------------------------------------------------------------------------*/
static tare_status apply(tare_mode *m, const tare_op *op, const void *attr, tare_value *const *in, int n_in,
                         tare_value **out, uint32_t absent)
{
    tare_value *mapped[n_in > 0 ? n_in : 1];
    for (int i = 0; i < n_in; ++i) {
        mapped[i] = in[i];
        if (m->error || !in[i] || in[i]->poison || in[i]->runtime != m->runtime)
            continue; /* dispatch has the sentence */
        const char *why = foreign(of(m), in[i]);
        if (why) {
            tare_args a = {.op = op, .path = m->path};
            return tare__dispatch_failed(m, op, attr, out, tare_op_error(&a, TARE_BAD_ARGUMENT, "input %d %s", i, why));
        }
        in[i]->moved = false;
        mapped[i] = tare__graph_symbol(of(m), in[i]);
        if (!mapped[i])
            return tare__dispatch_failed(m, op, attr, out, TARE_NO_MEMORY);
    }
    /* Room for the results, and those of copies on the way, before the node that has them is appended. */
    tare_program *p = m->program;
    if (!tare__graph_room(of(m), (void **)&p->value, &p->capacity_values, p->n_values + TARE_OPERANDS_MOST,
                          sizeof *p->value))
        return tare__dispatch_failed(m, op, attr, out, m->error ? m->error : TARE_NO_MEMORY);
    const tare_kernels *k = tare_runtime_kernels(m->runtime, op);
    tare_status status = tare__dispatch(m, k, op, attr, mapped, n_in, out, absent, 0, own, NULL);
    for (int o = 0; status == TARE_OK && o < op->n_out && o < TARE_OPERANDS && p->n_before_ties == 0; ++o)
        p->n_before_ties = op->ties[o] ? p->n - 1 : 0;
    return status == TARE_OK ? check_sizes(m, op, attr, out) : status;
}

static void scope_begin(tare_mode *m, const char *path)
{
    tare_graph *g = of(m);
    if (tare__graph_room(g, (void **)&g->path, &g->capacity_path, m->depth, sizeof *g->path))
        g->path[m->depth] = m->path;
    else if (m->error == TARE_OK)
        m->error = TARE_NO_MEMORY;
    ++m->depth;
    if (path)
        m->path = path;
}

static void scope_end(tare_mode *m, tare_value **keep, int n)
{
    (void)keep; /* all values belong to the program */
    (void)n;
    if (m->depth > 0 && --m->depth < of(m)->capacity_path)
        m->path = of(m)->path[m->depth];
}

static void adopt(tare_mode *m, tare_value *const *in, int n)
{
    (void)m;
    for (int i = 0; i < n; ++i)
        if (in[i])
            in[i]->moved = false;
}

/* The symbols of roots or heads; what tare_reverse has the sentence for stays as it is. */
static void symbols_of(tare_mode *m, const char *what, tare_value *const *v, int n, tare_value **symbol)
{
    for (int i = 0; i < n; ++i) {
        symbol[i] = v ? v[i] : NULL;
        if (m->error || !symbol[i] || symbol[i]->runtime != m->runtime)
            continue;
        const char *why = foreign(of(m), symbol[i]);
        if (why)
            m->error = tare_error(TARE_BAD_ARGUMENT, "backward: %s %d %s", what, i, why);
        else if (!(symbol[i] = tare__graph_symbol(of(m), symbol[i])))
            m->error = TARE_NO_MEMORY;
    }
}

static tare_status backward(tare_mode *m, tare_value *const *root, tare_value *const *head, int n, bool keep)
{
    (void)keep; /* a program is kept */
    int64_t begin = tare__graph_now_ns();
    tare_value *root_symbol[n > 0 ? n : 1], *head_symbol[n > 0 ? n : 1];
    symbols_of(m, "root", root, n, root_symbol);
    symbols_of(m, "head", head, n, head_symbol);
    if (of(m)->n_forward < 0)
        of(m)->n_forward = m->program->n;
    tare_status status = m->error ? m->error : tare_reverse(m, root_symbol, head_symbol, n, true);
    of(m)->times.gradient_ns += tare__graph_now_ns() - begin;
    return status;
}

static tare_value *gradient(tare_mode *m, tare_value *leaf)
{
    tare_value *symbol = known(of(m), leaf);
    return symbol ? symbol->gradient : NULL;
}

/* ---- public
 * -----------------------------------------------------------------------------------------------------------*/
tare_status tare_graph_new(tare_runtime *rt, tare_graph **out)
{
    tare_graph *g = tare_memory_take_zeroed(&rt->memory, TARE_MEMORY_RECORD, 1, sizeof *g);
    if (!g)
        return TARE_NO_MEMORY;
    tare_mode *m = &g->mode;
    tare_mode_init(m, rt);
    tare_program_init(&g->program, rt);
    m->apply = apply;
    m->scope_begin = scope_begin;
    m->scope_end = scope_end;
    m->adopt = adopt;
    m->backward = backward;
    m->gradient = gradient;
    m->program = &g->program;
    m->capturing = true;
    g->n_forward = -1;
    g->started_ns = tare__graph_now_ns();
    ++rt->counts.captures;
    *out = g;
    return TARE_OK;
}

void tare_graph_free(tare_graph *g)
{
    if (!g)
        return;
    tare_memory *memory = &g->mode.runtime->memory;
    for (int32_t k = 0; k < g->n_external; ++k)
        if (g->external[k].concrete)
            tare_record_drop(g->external[k].concrete);
    tare_program_fini(&g->program);
    tare_mode_fini(&g->mode);
    tare_memory_give(memory, TARE_MEMORY_RECORD, g->external, (size_t)g->capacity_external * sizeof *g->external);
    tare_memory_give(memory, TARE_MEMORY_RECORD, g->map, g->map ? (g->map_mask + 1) * sizeof *g->map : 0);
    tare_memory_give(memory, TARE_MEMORY_RECORD, g->input, (size_t)g->capacity_input * sizeof *g->input);
    tare_memory_give(memory, TARE_MEMORY_RECORD, g->output, (size_t)g->capacity_output * sizeof *g->output);
    tare_memory_give(memory, TARE_MEMORY_RECORD, g->path, (size_t)g->capacity_path * sizeof *g->path);
    tare_memory_give(memory, TARE_MEMORY_RECORD, g, sizeof *g);
}

tare_mode *tare_graph_mode(tare_graph *g)
{
    return &g->mode;
}

tare_value *tare_graph_input(tare_graph *g, const tare_desc *d, const char *name)
{
    tare_mode *m = &g->mode;
    tare_status status = m->error ? m->error : tare_desc_check(d);
    tare_value *v = NULL;
    if (status == TARE_OK && !d->contiguous)
        status = tare_error(TARE_BAD_SHAPE, "a placeholder needs a contiguous shape");
    if (status == TARE_OK) {
        bool room = tare__graph_room(g, (void **)&g->input, &g->capacity_input, g->n_input, sizeof *g->input);
        v = room ? external_new(g, d, NULL, name) : NULL;
        status = v ? TARE_OK : TARE_NO_MEMORY;
    }
    if (status != TARE_OK) {
        m->error = status;
        return &m->poison;
    }
    g->input[g->n_input++] = g->n_external - 1;
    return v;
}

tare_status tare_graph_output(tare_graph *g, tare_value *v)
{
    if (g->mode.error)
        return g->mode.error;
    if (!v || v->poison || v->program != &g->program)
        return tare_error(TARE_BAD_ARGUMENT, "result %d is not a value of this graph", g->n_output);
    if (!tare__graph_room(g, (void **)&g->output, &g->capacity_output, g->n_output, sizeof *g->output))
        return TARE_NO_MEMORY;
    g->output[g->n_output++] = v->id;
    return TARE_OK;
}

int tare_graph_nodes(const tare_graph *g)
{
    int n = 0;
    for (int32_t i = 0; i < g->program.n; ++i)
        n += g->program.node[i].variant != NULL;
    return n;
}

const tare_program *tare_graph_program(const tare_graph *g)
{
    return &g->program;
}

tare_value *tare_graph_concrete(const tare_graph *g, const tare_value *symbol)
{
    for (int32_t k = 0; k < g->n_external; ++k)
        if (g->external[k].symbol == symbol)
            return g->external[k].concrete;
    return NULL;
}

int tare_graph_results(const tare_graph *g, int32_t *id)
{
    for (int32_t k = 0; id && k < g->n_output; ++k)
        id[k] = g->output[k];
    return g->n_output;
}
