/* captured_break.c - a captured function cut at its breaks: one captured function a segment, called one after the
 * other.
 *
 * A break is a node whose operator says so (`breaks`), or, where the options ask for it, each place where one layer's
 * nodes end and another's begin. The function is traced whole; a segment is the function that applies the nodes between
 * two breaks again, and is captured by itself: own guard, own tape node, own plans. What crosses a break is a result of
 * one segment and an input of others. The break itself is the first node of the segment after it: gradients are added
 * up behind it and handed on at its place in the program, as they are where nothing is captured. A value tied to
 * something from outside (state) crosses as that: its bytes are there. A break that nothing crosses, or more than an
 * operator has results, is not made. */
#include <string.h>

#include "captured_private.h"

enum { MOST = TARE_OPERANDS - 1 };

struct tare_segment {
    const tare_entry *entry;
    tare_captured *captured;
    int32_t from, to; /* nodes */
    int32_t n_in, n_out;
    int32_t *in;        /* value ids */
    int32_t out[MOST];  /* value ids */
    tare_value **value; /* by id, while the function runs: what stands for it there */
};

/* ---- what a value is on the way
 * --------------------------------------------------------------------------------------*/
/* Itself; for a tied value what was written. */
static tare_value *passed(tare_value *v)
{
    while (v->base && !v->view)
        v = v->base;
    return v;
}

static tare_value *passed_id(const tare_entry *e, int32_t id)
{
    return passed(e->graph->program.value[id]);
}

/* Whether v is read by a node from `from` on, or is a result of the function. */
static bool read_after(const tare_entry *e, const tare_value *v, int32_t from)
{
    const tare_program *p = &e->graph->program;
    for (int32_t i = from; i < p->n; ++i)
        for (int k = 0; k < p->node[i].n_in; ++k)
            if (p->node[i].operand[k] && passed(p->node[i].operand[k]) == v)
                return true;
    for (int32_t o = 0; o < e->n_out; ++o)
        if (passed_id(e, e->output[o]) == v)
            return true;
    return false;
}

/* What nodes [from, to) make and others read: at most MOST ids; how many there are. */
static int32_t list_crossing(const tare_entry *e, int32_t from, int32_t to, int32_t *out)
{
    const tare_program *p = &e->graph->program;
    int32_t n = 0;
    for (int32_t i = from; i < to; ++i)
        for (int o = p->node[i].n_in; o < p->node[i].n_in + p->node[i].n_out; ++o) {
            tare_value *v = p->node[i].operand[o];
            if (!v || passed(v) != v || !read_after(e, v, to))
                continue;
            if (n < MOST)
                out[n] = v->id;
            ++n;
        }
    return n;
}

/* ---- the function of a segment
 * --------------------------------------------------------------------------------------*/
/* What stands for a value in the segment under way: made there, handed in, or met inside as it is. */
static tare_value *stand_in(const tare_segment *s, tare_value *symbol)
{
    if (!symbol)
        return NULL;
    tare_value *v = s->value[symbol->id] ? symbol : passed(symbol);
    for (int32_t k = 0; !s->value[v->id] && k < s->entry->graph->n_external; ++k)
        if (s->entry->graph->external[k].symbol == v)
            return s->entry->graph->external[k].concrete;
    return s->value[v->id];
}

static void apply_node(const tare_segment *s, tare_mode *m, const tare_node *n)
{
    tare_value *in[n->n_in + 1], *out[n->n_out + 1];
    for (int k = 0; k < n->n_in; ++k)
        in[k] = stand_in(s, n->operand[k]);
    m->scope_begin(m, n->path);
    (void)m->apply(m, n->op, n->attr, in, n->n_in, out, n->absent & (uint32_t)((1ull << n->n_out) - 1));
    m->scope_end(m, out, n->n_out);
    for (int o = 0; o < n->n_out; ++o)
        if (n->operand[n->n_in + o])
            s->value[n->operand[n->n_in + o]->id] = out[o];
}

static void run_segment(void *owner, tare_mode *m, tare_value *const *in, int n_in, tare_value **out, int n_out)
{
    const tare_segment *s = owner;
    const tare_program *p = &s->entry->graph->program;
    memset(s->value, 0, (size_t)p->n_values * sizeof *s->value);
    for (int i = 0; i < n_in; ++i)
        s->value[s->in[i]] = in[i];
    for (int32_t i = s->from; i < s->to && m->error == TARE_OK; ++i)
        apply_node(s, m, &p->node[i]);
    for (int o = 0; o < n_out; ++o)
        out[o] = m->error ? &m->poison : s->value[s->out[o]];
}

/* ---- cutting
 * --------------------------------------------------------------------------------------------------------*/
static bool break_before(const tare_entry *e, int32_t i)
{
    const tare_node *n = e->graph->program.node;
    return n[i].op->breaks || (e->captured->options.broken && n[i].path != n[i - 1].path);
}

/* Inputs: what its nodes read and neither they make nor the outside has. */
static tare_status list_inputs(tare_entry *e, tare_segment *s)
{
    const tare_program *p = &e->graph->program;
    s->in = tare_arena_take(&e->arena, (size_t)p->n_values * sizeof *s->in);
    if (!s->in)
        return TARE_NO_MEMORY;
    for (int32_t i = s->from; i < s->to; ++i)
        for (int k = 0; k < p->node[i].n_in; ++k) {
            tare_value *v = p->node[i].operand[k] ? passed(p->node[i].operand[k]) : NULL;
            int32_t x = 0;
            while (v && x < e->graph->n_external && e->graph->external[x].symbol != v)
                ++x;
            bool outside = v && x < e->graph->n_external && e->graph->external[x].concrete;
            if (v && !outside && v->node < s->from && tare__captured_index(s->in, s->n_in, v->id) < 0)
                s->in[s->n_in++] = v->id;
        }
    return TARE_OK;
}

static tare_status add_segment(tare_entry *e, int32_t from, int32_t to, tare_value **value)
{
    tare_segment *s = &e->segment[e->n_segments];
    *s = (tare_segment){.entry = e, .from = from, .to = to, .value = value};
    s->n_out = list_crossing(e, from, to, s->out);
    tare_status status = list_inputs(e, s);
    tare_capture_options options = e->captured->options;
    options.broken = false;
    if (status == TARE_OK)
        status = tare__capture_service.make(e->captured->runtime, run_segment, s, s->n_out, &options, &s->captured);
    e->n_segments += status == TARE_OK;
    return status;
}

tare_status tare__captured_break(tare_entry *e)
{
    const tare_program *p = &e->graph->program;
    int32_t n_breaks = 0, from = 0, crossing[MOST];
    bool whole = e->captured->function == run_segment; /* a break in a segment is one that was not made */
    for (int32_t i = 1; i < p->n && !whole; ++i)
        n_breaks += break_before(e, i);
    if (n_breaks == 0 || list_crossing(e, 0, p->n, crossing) == 0)
        return TARE_OK;
    size_t values = (size_t)p->n_values * sizeof(tare_value *);
    e->segment = tare_arena_take(&e->arena, ((size_t)n_breaks + 1) * sizeof *e->segment);
    e->value = tare_arena_take(&e->arena, values);
    tare_value **scratch = tare_arena_take(&e->arena, values);
    tare_status status = e->segment && e->value && scratch ? TARE_OK : TARE_NO_MEMORY;
    for (int32_t i = 1; i <= p->n && status == TARE_OK; ++i) {
        int32_t n = i == p->n || break_before(e, i) ? list_crossing(e, from, i, crossing) : 0;
        /* the last segment takes what the one before could not hand on */
        if (n == 0 || n > MOST || (i < p->n && list_crossing(e, i, p->n, crossing) == 0))
            continue;
        status = add_segment(e, from, i, scratch);
        from = i;
    }
    return status;
}

/* ---- calling
 * --------------------------------------------------------------------------------------------------------*/
tare_status tare__captured_apply_segments(tare_entry *e, tare_mode *m, tare_value *const *in, tare_value **result)
{
    tare_status status = TARE_OK;
    bool moved[e->n_in + 1]; /* not before the last segment has run: any of them may read it */
    memset(e->value, 0, (size_t)e->graph->program.n_values * sizeof *e->value);
    for (int i = 0; i < e->n_in; ++i) {
        moved[i] = in[i]->moved;
        in[i]->moved = false;
    }
    for (int i = e->n_in - 1; i >= 0; --i)
        e->value[e->graph->external[e->external[i]].symbol->id] = in[i];
    for (int32_t k = 0; k < e->n_segments && status == TARE_OK; ++k) {
        tare_segment *s = &e->segment[k];
        tare_value *operand[s->n_in + 1], *out[MOST];
        for (int32_t i = 0; i < s->n_in; ++i)
            operand[i] = e->value[s->in[i]];
        status = tare__capture_service.apply(s->captured, m, operand, s->n_in, out);
        for (int32_t o = 0; o < s->n_out; ++o)
            e->value[s->out[o]] = out[o];
    }
    for (int32_t o = 0; o < e->n_out && status == TARE_OK; ++o)
        result[o] = e->value[passed_id(e, e->output[o])->id];
    for (int i = 0; i < e->n_in; ++i)
        in[i]->moved |= moved[i];
    return status;
}

bool tare__captured_segments_busy(const tare_entry *e)
{
    bool busy = false;
    for (int32_t k = 0; k < e->n_segments; ++k)
        for (const tare_entry *x = e->segment[k].captured->entry; x; x = x->next)
            busy |= x->n_busy > 0;
    return busy;
}

void tare__captured_segments_free(tare_entry *e)
{
    for (int32_t k = 0; k < e->n_segments; ++k)
        tare__capture_service.free(e->segment[k].captured);
}
