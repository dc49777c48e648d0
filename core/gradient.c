/* gradient.c - the reverse walk (see gradient.h).
 *
 * A value's `gradient` is the slot of the walk: the sum of what has arrived so far, a ref and a hold. A leaf keeps its
 * slot when the walk is done; where an earlier backward had left one, the old content is set aside when the walk first
 * reaches the leaf and added once, last. */
#include "gradient.h"

#include "gradient_private.h"
#include "record_private.h"

/* The public builder; with `keep` over a copy of the node, since the program may grow and move. */
typedef struct {
    tare_builder builder;
    tare_node node;
} walk;

static void replace_slot(tare_value *v, tare_value *g)
{
    tare_record_share(g);
    tare_record_clear(v);
    v->gradient = g;
    v->runtime->n_slots += v->node < 0;
}

static bool note(tare_mode *m, tare_reached reached)
{
    if (m->n_reached == m->capacity_reached) {
        int32_t capacity = m->capacity_reached ? m->capacity_reached * 2 : 32;
        void *grown =
            tare_memory_resize(&m->runtime->memory, TARE_MEMORY_RECORD, m->reached,
                               (size_t)m->capacity_reached * sizeof *m->reached, (size_t)capacity * sizeof *m->reached);
        if (!grown) {
            m->error = TARE_NO_MEMORY;
            return false;
        }
        m->reached = grown;
        m->capacity_reached = capacity;
    }
    m->reached[m->n_reached++] = reached;
    return true;
}

/* Notes a leaf the first time that this walk reaches it, and sets its old gradient aside. */
static bool reach(tare_mode *m, tare_value *leaf)
{
    if (m->overwrite)
        tare_record_clear(leaf);
    if (!note(m, (tare_reached){.leaf = leaf, .before = leaf->gradient}))
        return false;
    ++leaf->refs;
    ++m->runtime->n_slots;
    leaf->walk = m->walk;
    leaf->gradient = NULL;
    return true;
}

/* Whether this walk has reached the leaf. Groups whose gradients stayed where they were are stamped when it matters. */
static bool reached(tare_mode *m, const tare_value *leaf)
{
    for (int i = 0; m->n_unstamped > 0 && leaf->walk != m->walk && i < m->n_reached; ++i) {
        if (!m->reached[i].group || m->reached[i].stamped)
            continue;
        for (int k = 0; k < m->reached[i].n_group; ++k)
            m->reached[i].group[k]->walk = m->walk;
        m->reached[i].stamped = true;
        --m->n_unstamped;
    }
    return leaf->walk == m->walk;
}

/* Whether the slot of v may be written: notes leaves, refuses values whose tape is gone. */
static bool open_slot(tare_mode *m, tare_value *v)
{
    if (v->node >= 0) {
        if (v->program != m->program)
            m->error = tare_error(TARE_BAD_ARGUMENT, "backward reaches a value of another tape");
        return v->program == m->program;
    }
    if (v->node == TARE_SPENT) {
        m->error =
            tare_error(TARE_STALE, "backward reaches a value whose tape was walked already (keep it with keep = true)");
        return false;
    }
    return reached(m, v) || reach(m, v);
}

static void contribute(tare_mode *m, tare_value *v, tare_value *g)
{
    if (!v || !v->wants_gradient || m->error || !open_slot(m, v))
        return;
    if (v->gradient) {
        g = tare_apply1(m, m->runtime->accumulate, NULL, (tare_value *const[]){v->gradient, g}, 2);
        if (m->error)
            return;
    }
    replace_slot(v, g);
}

tare_value *tare_head(const tare_builder *b, int o)
{
    return tare_output(b, o) ? tare_output(b, o)->gradient : NULL;
}

bool tare_wanted(const tare_builder *b, int i)
{
    return tare_input(b, i) && tare_input(b, i)->wants_gradient;
}

void tare_contribute(const tare_builder *b, int i, tare_value *g)
{
    contribute(b->mode, tare_input(b, i), g);
}

tare_value *tare_partial(const tare_builder *b, int i)
{
    tare_value *v = tare_input(b, i);
    return v && (v->node >= 0 || reached(b->mode, v)) ? v->gradient : NULL;
}

void tare_continue(const tare_builder *b, int i, tare_value *sum)
{
    tare_leaf_continue(b, tare_input(b, i), sum);
}

tare_value *tare_leaf_partial(const tare_builder *b, const tare_value *leaf)
{
    return reached(b->mode, leaf) ? leaf->gradient : NULL;
}

void tare_leaf_continue(const tare_builder *b, tare_value *leaf, tare_value *sum)
{
    if (b->mode->error == TARE_OK && open_slot(b->mode, leaf))
        replace_slot(leaf, sum);
}

void tare_leaves_begin(const tare_builder *b, tare_value *const *leaf, tare_value *const *sum, int n)
{
    tare_mode *m = b->mode;
    if (m->error || !note(m, (tare_reached){.group = leaf, .n_group = n, .stamped = true}))
        return;
    const uint32_t number = m->walk;
    ++m->runtime->n_slots;
    for (int i = 0; i < n; ++i) {
        tare_value *v = leaf[i], *g = sum[i];
        v->gradient = g;
        v->walk = number;
        ++g->refs;
        ++g->holds;
    }
}

void tare_leaves_rewritten(const tare_builder *b, tare_value *const *leaf, int n)
{
    tare_mode *m = b->mode;
    m->n_unstamped += m->error == TARE_OK && note(m, (tare_reached){.group = leaf, .n_group = n});
}

/* What a tape tells by versions, a graph tells by its order: no node after this one writes what its gradient reads. */
static tare_status check_order(const tare_program *p, const tare_node *n)
{
    tare_args a = tare_node_args(n);
    for (int32_t j = p->n_before_ties; j > 0 && j < p->n; ++j) {
        const tare_node *w = &p->node[j];
        for (int o = w->n_in; o < w->n_in + w->n_out; ++o) {
            const tare_value *written = w->operand[o];
            if (!written || !w->op->ties[o - w->n_in] || written->node <= n->operand[n->n_in]->node)
                continue;
            for (int i = 0; i < n->n_in + n->n_out + n->n_aux; ++i)
                if (n->operand[i] && tare_node_needs(n, i) && tare_value_root(n->operand[i]) == tare_value_root(written))
                    return tare_op_error(&a, TARE_STALE, "its %s %d, needed for backward, was changed by %s since",
                                         i < n->n_in ? "input" : "output", i < n->n_in ? i : i - n->n_in, w->op->name);
        }
    }
    return TARE_OK;
}

tare_status tare_saved_error(const tare_node *n, bool input, int i, const tare_value *v)
{
    tare_args a = tare_node_args(n);
    return tare_op_error(&a, TARE_STALE, "its %s %d%s%s%s, saved for backward, was changed by %s since",
                         input ? "input" : "output", i, v->name ? " (" : "", v->name ? v->name : "", v->name ? ")" : "",
                         v->storage->writer->name);
}

/* A saved value must be as it was when it was saved. */
static tare_status check_saved(const tare_program *p, const tare_node *n)
{
    if (!n->version)
        return p->n_before_ties ? check_order(p, n) : TARE_OK;
    for (int i = 0; i < n->n_in + n->n_out + n->n_aux; ++i) {
        const tare_value *v = n->operand[i];
        if (v && tare_node_needs(n, i) && v->storage->version != n->version[i])
            return tare_saved_error(n, i < n->n_in, i < n->n_in ? i : i - n->n_in, v);
    }
    return TARE_OK;
}

static tare_status walk_node(walk *w)
{
    tare_mode *m = w->builder.mode;
    const tare_node *n = w->builder.node;
    tare_args a = tare_node_args(n);
    if (n->op->not_differentiable)
        return tare_op_error(&a, TARE_NOT_DIFFERENTIABLE, "not differentiable, and a gradient arrived at it");
    tare_status status = check_saved(m->program, n);
    if (status != TARE_OK)
        return status;
    m->scope_begin(m, n->path);
    n->op->gradient(&w->builder);
    m->scope_end(m, NULL, 0);
    return m->error;
}

static bool arrived(const tare_node *n)
{
    for (int o = n->n_in; o < n->n_in + n->n_out; ++o)
        if (n->operand[o] && n->operand[o]->gradient)
            return true;
    return false;
}

static void clear_slots(const tare_node *n)
{
    for (int o = n->n_in; o < n->n_in + n->n_out; ++o)
        if (n->operand[o])
            tare_record_clear(n->operand[o]);
}

/* Old gradients of leaves are added last; after a failure every leaf is as it was before the walk. */
static void settle_leaves(tare_mode *m)
{
    for (int i = 0; i < m->n_reached && m->error == TARE_OK; ++i) {
        tare_value *leaf = m->reached[i].leaf, *before = m->reached[i].before;
        if (!before)
            continue;
        m->scope_begin(m, NULL);
        tare_value *sum =
            tare_apply1(m, m->runtime->accumulate, NULL, (tare_value *const[]){leaf->gradient, before}, 2);
        if (m->error == TARE_OK)
            replace_slot(leaf, sum);
        m->scope_end(m, NULL, 0);
    }
    for (int i = 0; i < m->n_reached; ++i) {
        tare_value *leaf = m->reached[i].leaf, *before = m->reached[i].before;
        for (int k = 0; m->error && k < m->reached[i].n_group; ++k)
            tare_record_clear(m->reached[i].group[k]);
        if (!leaf)
            continue;
        if (m->error) {
            tare_record_clear(leaf);
            leaf->gradient = before;
            ++m->runtime->n_slots;
        } else if (before) {
            tare_record_drop(before);
        }
        tare_record_unref(leaf);
    }
    m->n_reached = m->n_unstamped = 0;
}

/* A head is kept as a gradient, so it is looked at like an operator's input. */
static tare_status check_head(const tare_mode *m, const tare_value *root, const tare_value *head, int i)
{
    bool there = head->id >= 0 ? head->program == m->program : head->storage != NULL;
    if (head->runtime != m->runtime || !there)
        return tare_error(TARE_BAD_ARGUMENT, "backward: head %d is not a value of this runtime with data", i);
    if (!tare_desc_same_shape(&root->d, &head->d) || root->d.dtype != head->d.dtype)
        return tare_error(TARE_BAD_SHAPE, "backward: head %d does not look like its root", i);
    return TARE_OK;
}

static tare_status seed_root(tare_mode *m, tare_value *root, tare_value *head, int i)
{
    const double one = 1;
    if (!root)
        return tare_error(TARE_BAD_ARGUMENT, "backward: root %d is missing", i);
    if (root->poison || !root->wants_gradient)
        return tare_error(TARE_BAD_ARGUMENT, "backward: root %d depends on nothing that wants a gradient", i);
    if (root->runtime != m->runtime || (root->node >= 0 && root->program != m->program))
        return tare_error(TARE_BAD_ARGUMENT, "backward: root %d is not on this tape", i);
    if (!head)
        head = tare_apply1(m, m->runtime->fill, &one, &root, 1);
    tare_status status = m->error ? m->error : check_head(m, root, head, i);
    if (status == TARE_OK)
        contribute(m, root, head);
    return status ? status : m->error;
}

static tare_status seed(tare_mode *m, tare_value *const *root, tare_value *const *head, int n, int32_t *last)
{
    tare_status status = m->error;
    *last = -1;
    m->scope_begin(m, NULL);
    for (int i = 0; i < n && status == TARE_OK; ++i) {
        status = seed_root(m, root[i], head ? head[i] : NULL, i);
        if (status == TARE_OK && root[i]->node > *last)
            *last = root[i]->node;
    }
    m->scope_end(m, NULL, 0);
    return status;
}

/* A node that has been walked goes; traced, with a word about it. */
static inline __attribute__((always_inline)) void release(const tare_mode *m, tare_node *at, const bool traced)
{
    const tare_node told = {.op = at->op, .path = at->path};
    tare_node_release(at);
    if (traced)
        tare_trace_tell(&m->runtime->trace, TARE_EVENT_FREE, &told);
}

static inline __attribute__((always_inline)) tare_status
reverse(tare_mode *m, tare_value *const *root, tare_value *const *head, int n, bool keep, const bool traced)
{
    walk w = {.builder = {.mode = m}};
    const char *path = m->path;
    bool recording = m->recording;
    int32_t last;
    m->walk = ++m->runtime->n_walks;
    m->recording = false;
    tare_status status = seed(m, root, head, n, &last);
    for (int32_t i = last; i >= 0 && status == TARE_OK; --i) {
        tare_node *at = &m->program->node[i];
        if (!at->op || !arrived(at))
            continue;
        w.builder.node = at;
        if (keep) {
            w.node = *at;
            w.builder.node = &w.node;
        }
        status = walk_node(&w);
        if (keep)
            clear_slots(&w.node);
        else
            release(m, at, traced);
    }
    if (status != TARE_OK && m->error == TARE_OK)
        m->error = status;
    for (int32_t i = last; i >= 0 && status != TARE_OK; --i)
        if (m->program->node[i].op)
            clear_slots(&m->program->node[i]);
    settle_leaves(m);
    m->recording = recording;
    m->path = path;
    return m->error;
}

tare_status tare_reverse(tare_mode *m, tare_value *const *root, tare_value *const *head, int n, bool keep)
{
    if (m->runtime->trace.event && !m->capturing)
        return reverse(m, root, head, n, keep, true);
    return reverse(m, root, head, n, keep, false);
}
