/* save.c - the forward program of a captured function, numbered as a file has it (see save.h).
 *
 * The file's numbers: parameters, placeholders, results of the nodes in order. */
#include "save.h"

#include <string.h>

#include "graph_private.h"

typedef struct {
    tare_saved saved;
    int32_t capacity_parameters;
} saving;

/* One graph on its way. */
typedef struct {
    const tare_graph *graph;
    bool *live;        /* node -> whether it is saved */
    int32_t n;         /* nodes of the forward program */
    int32_t *external; /* value id -> external; -1 */
    int32_t *number;   /* value id -> number in the file */
    int32_t *result;   /* ids of those results that the forward program makes */
    int32_t n_results;
} forward;

static void *take(saving *w, size_t count, size_t size)
{
    return tare_arena_take(&w->saved.arena, count * size + 1);
}

static bool writes(const tare_node *n)
{
    bool ties = false;
    for (int o = 0; o < n->n_out && o < TARE_OPERANDS; ++o)
        ties |= n->op->ties[o] != 0;
    return ties || n->op->effects;
}

/* What a result or an effect depends on, shapes included: unlike in a plan, they are inferred again. */
static void find_live(forward *f)
{
    const tare_program *p = &f->graph->program;
    for (int32_t i = 0; i < f->n; ++i)
        f->live[i] = writes(&p->node[i]);
    for (int32_t k = 0; k < f->n_results; ++k)
        if (p->value[f->result[k]]->node >= 0)
            f->live[p->value[f->result[k]]->node] = true;
    for (int32_t i = f->n - 1; i >= 0; --i)
        for (int k = 0; f->live[i] && k < p->node[i].n_in; ++k)
            if (p->node[i].operand[k] && p->node[i].operand[k]->node >= 0)
                f->live[p->node[i].operand[k]->node] = true;
}

static tare_status begin(saving *w, forward *f, const tare_graph *g)
{
    const tare_program *p = &g->program;
    size_t values = (size_t)p->n_values;
    *f = (forward){.graph = g, .n = g->n_forward < 0 ? p->n : g->n_forward};
    f->live = take(w, (size_t)f->n, sizeof *f->live);
    f->external = take(w, values, sizeof *f->external);
    f->number = take(w, values, sizeof *f->number);
    f->result = take(w, (size_t)g->n_output, sizeof *f->result);
    if (!f->live || !f->external || !f->number || !f->result)
        return TARE_NO_MEMORY;
    memset(f->external, 0xff, values * sizeof *f->external);
    for (int32_t k = 0; k < g->n_external; ++k)
        f->external[g->external[k].symbol->id] = k;
    for (int32_t k = 0; k < g->n_output; ++k)
        if (p->value[g->output[k]]->node < f->n)
            f->result[f->n_results++] = g->output[k];
    find_live(f);
    return f->n_results ? TARE_OK : tare_error(TARE_BAD_ARGUMENT, "a graph to be saved has no results");
}

/* ---- parameters
 * ---------------------------------------------------------------------------------------------------*/
static tare_status add_parameter(saving *w, tare_value *v, int32_t *number)
{
    tare_saved *s = &w->saved;
    for (*number = 0; *number < s->n_parameters; ++*number)
        if (s->parameter[*number] == v)
            return TARE_OK;
    if (s->n_parameters == w->capacity_parameters) {
        int32_t capacity = w->capacity_parameters * 2 + 16;
        tare_value **grown = take(w, (size_t)capacity, sizeof(tare_value *));
        if (!grown)
            return TARE_NO_MEMORY;
        if (s->n_parameters)
            memcpy(grown, s->parameter, (size_t)s->n_parameters * sizeof(tare_value *));
        s->parameter = grown;
        w->capacity_parameters = capacity;
    }
    s->parameter[s->n_parameters++] = v;
    return TARE_OK;
}

/* A value that is read, if it is a concrete one. */
static tare_status add_if_concrete(saving *w, const forward *f, const tare_value *symbol)
{
    int32_t external = symbol ? f->external[symbol->id] : -1;
    tare_value *v = external >= 0 ? f->graph->external[external].concrete : NULL;
    return v ? add_parameter(w, v, &f->number[symbol->id]) : TARE_OK;
}

/* The concrete values that live nodes read, and those that are results themselves. */
static tare_status add_read(saving *w, const forward *f)
{
    const tare_program *p = &f->graph->program;
    tare_status status = TARE_OK;
    for (int32_t i = 0; i < f->n; ++i)
        for (int k = 0; f->live[i] && k < p->node[i].n_in && status == TARE_OK; ++k)
            status = add_if_concrete(w, f, p->node[i].operand[k]);
    for (int32_t k = 0; k < f->n_results && status == TARE_OK; ++k)
        status = add_if_concrete(w, f, p->value[f->result[k]]);
    return status;
}

/* ---- placeholders
 * -------------------------------------------------------------------------------------------------*/
static const tare_value *placeholder(const tare_graph *g, int32_t i)
{
    return g->external[g->input[i]].symbol;
}

static tare_status add_inputs(saving *w, const tare_graph *training, const tare_graph *inference)
{
    tare_saved *s = &w->saved;
    s->n_inputs = training->n_input;
    bool same = inference->n_input == training->n_input;
    for (int32_t i = 0; same && i < s->n_inputs; ++i) {
        const tare_desc *a = &placeholder(training, i)->d, *b = &placeholder(inference, i)->d;
        same = a->dtype == b->dtype && tare_desc_same_shape(a, b);
    }
    if (!same)
        return tare_error(TARE_BAD_ARGUMENT, "the graphs of training and inference have other placeholders");
    s->input = take(w, (size_t)s->n_inputs, sizeof *s->input);
    s->input_name = take(w, (size_t)s->n_inputs, sizeof *s->input_name);
    if (!s->input || !s->input_name)
        return TARE_NO_MEMORY;
    for (int32_t i = 0; i < s->n_inputs; ++i) {
        s->input[i] = placeholder(training, i)->d;
        s->input_name[i] = placeholder(training, i)->name;
    }
    return TARE_OK;
}

/* ---- programs
 * ------------------------------------------------------------------------------------------------------*/
static tare_status add_node(saving *w, const forward *f, const tare_node *n, tare_saved_node *to, int32_t *next)
{
    if (n->n_in > TARE_SAVED_OPERANDS || n->n_out > TARE_SAVED_OPERANDS)
        return tare_error(TARE_BAD_ARGUMENT, "%s: %d inputs and %d results (a saved node has at most %d)", n->op->name,
                          n->n_in, n->n_out, TARE_SAVED_OPERANDS);
    uint32_t all = (uint32_t)((UINT64_C(1) << n->n_out) - 1);
    *to = (tare_saved_node){
        .op = n->op, .attr = n->attr, .path = n->path, .n_in = n->n_in, .n_out = n->n_out, .absent = n->absent & all};
    to->in = take(w, (size_t)n->n_in, sizeof *to->in);
    to->out = take(w, (size_t)n->n_out, sizeof *to->out);
    if (!to->in || !to->out)
        return TARE_NO_MEMORY;
    for (int k = 0; k < n->n_in; ++k)
        to->in[k] = n->operand[k] ? f->number[n->operand[k]->id] : -1;
    for (int o = 0; o < n->n_out; ++o, ++*next) {
        const tare_value *v = n->operand[n->n_in + o];
        to->out[o] = v ? v->d : (tare_desc){0};
        if (v)
            f->number[v->id] = *next;
    }
    return TARE_OK;
}

static tare_status add_program(saving *w, const forward *f, tare_saved_program **out)
{
    const tare_graph *g = f->graph;
    tare_saved_program *p = take(w, 1, sizeof *p);
    if (!p)
        return TARE_NO_MEMORY;
    *p = (tare_saved_program){.n_results = f->n_results, .result = take(w, (size_t)f->n_results, sizeof *p->result)};
    p->node = take(w, (size_t)f->n, sizeof *p->node);
    if (!p->result || !p->node)
        return TARE_NO_MEMORY;
    int32_t next = w->saved.n_parameters + w->saved.n_inputs;
    for (int32_t i = 0; i < g->n_input; ++i)
        f->number[placeholder(g, i)->id] = w->saved.n_parameters + i;
    tare_status status = TARE_OK;
    for (int32_t i = 0; i < f->n && status == TARE_OK; ++i)
        if (f->live[i])
            status = add_node(w, f, &g->program.node[i], &p->node[p->n_nodes++], &next);
    for (int32_t k = 0; k < f->n_results; ++k)
        p->result[k] = f->number[f->result[k]];
    p->n_values = next;
    *out = p;
    return status;
}

static bool same_node(const tare_saved_node *a, const tare_saved_node *b)
{
    bool same = a->op == b->op && a->n_in == b->n_in && a->n_out == b->n_out && a->absent == b->absent &&
                !a->path == !b->path && (!a->path || strcmp(a->path, b->path) == 0) &&
                memcmp(a->in, b->in, (size_t)a->n_in * sizeof *a->in) == 0;
    char text[2][2048];
    return same &&
           (!a->attr || strcmp(tare_attr_print(a->op->attrs, a->op->n_attrs, a->attr, text[0], sizeof *text),
                               tare_attr_print(a->op->attrs, a->op->n_attrs, b->attr, text[1], sizeof *text)) == 0);
}

static bool same_program(const tare_saved_program *a, const tare_saved_program *b)
{
    bool same = a->n_nodes == b->n_nodes && a->n_results == b->n_results &&
                memcmp(a->result, b->result, (size_t)a->n_results * sizeof *a->result) == 0;
    for (int32_t i = 0; same && i < a->n_nodes; ++i)
        same = same_node(&a->node[i], &b->node[i]);
    return same;
}

static tare_status gather(saving *w, const tare_graph *const graph[2], const tare_save_options *o)
{
    tare_saved *s = &w->saved;
    forward f[2];
    int32_t number;
    tare_status status = TARE_OK;
    for (int i = 0; o && i < o->n_parameters && status == TARE_OK; ++i)
        status = add_parameter(w, o->parameter[i], &number);
    for (int training = 1; training >= 0 && status == TARE_OK; --training) {
        status = begin(w, &f[training], graph[training]);
        if (status == TARE_OK)
            status = add_read(w, &f[training]);
    }
    if (status == TARE_OK && f[0].n_results != f[1].n_results)
        status = tare_error(TARE_BAD_ARGUMENT, "the graph of training has %d results, and that of inference %d",
                            f[1].n_results, f[0].n_results);
    if (status == TARE_OK)
        status = add_inputs(w, graph[1], graph[0]);
    for (int training = 0; training < 2 && status == TARE_OK; ++training)
        status = add_program(w, &f[training], &s->program[training]);
    if (status == TARE_OK && same_program(s->program[0], s->program[1]))
        s->program[0] = s->program[1];
    return status;
}

tare_status tare_graph_save(const tare_graph *training, const tare_graph *inference, const tare_save_options *options,
                            const char *path)
{
    const tare_graph *const graph[2] = {inference ? inference : training, training};
    for (int i = 0; i < 2; ++i)
        if (graph[i]->mode.error)
            return tare_error(TARE_BAD_ARGUMENT, "a graph with an error (%s) cannot be saved",
                              tare_status_name(graph[i]->mode.error));
    tare_runtime *rt = training->mode.runtime;
    saving w = {.saved = {.runtime = rt, .arena = {.memory = &rt->memory}}};
    /* only read: the writer changes nothing of what it is given */
    w.saved.net = options ? (tare_saved_net *)options->net : NULL;
    tare_status status = gather(&w, graph, options);
    if (status == TARE_OK)
        status = tare_saved_write(&w.saved, path);
    tare_arena_fini(&w.saved.arena);
    return status;
}
