/* captured_leaves.c - the leaves of a captured function (parameters): their gradients, and that a step costs nothing
 * for each of them.
 *
 * A backward has one block for the gradients that only leaves get. It is fresh for whoever looks: used again when all
 * others have let go of what lies in it, or when the mode overwrites and the leaves still have all of it; then the walk
 * is told of the group alone, and counters of the runtime (slots changed, storages written) say that nothing is to be
 * looked at. */
#include "captured_private.h"

/* ---- saved
 * -----------------------------------------------------------------------------------------------------------*/
/* A leaf that backward reads must be as it was when the forward part ran. */
tare_status tare__captured_check(const tare_builder *b, const tare_entry *e)
{
    const tare_lease *l = tare_output(b, e->n_out)->address;
    if (l->n_writes == e->captured->runtime->n_writes)
        return TARE_OK;
    for (int32_t i = 0; i < e->n_needed_leaf; ++i) {
        const tare_value *leaf = tare__captured_outside(e, e->needed_leaf[i]);
        if (leaf->storage->version != l->version[i])
            return tare_saved_error(b->node, true, e->needed_leaf[i], leaf);
    }
    return TARE_OK;
}

/* ---- what the leaves have
 * --------------------------------------------------------------------------------------------*/
/* Whether no leaf has a gradient, of this walk or an earlier one: one look at each. */
static bool untouched(const tare_entry *e)
{
    bool touched = false;
    for (tare_value **leaf = e->leaf, **end = leaf + (e->n_all - e->n_operands); leaf < end; ++leaf)
        touched |= (*leaf)->gradient != NULL;
    return !touched;
}

/* Whether the leaves still have what the last backward handed to them, and nothing of this walk: then it may be written
 * anew where it lies. Told without a look at them while no slot of any leaf has changed. */
static bool still_handed(const tare_builder *b, const tare_entry *e)
{
    const tare_backward *w = e->handed;
    const tare_mode *m = b->mode;
    if (!w || !m->overwrite || e->handed_walk == m->walk)
        return false;
    for (int32_t k = 0; e->handed_slots != m->runtime->n_slots && k < w->n_gradients; ++k)
        if (w->heir[k]->gradient != w->gradient[k])
            return false;
    return true;
}

tare_leaves tare__captured_leaves(const tare_builder *b, const tare_entry *e)
{
    return still_handed(b, e) ? TARE_LEAVES_HANDED : untouched(e) ? TARE_LEAVES_UNTOUCHED : TARE_LEAVES_TOUCHED;
}

/* ---- the gradients that only leaves get
 * -------------------------------------------------------------------------------*/
void tare__captured_forget(tare_backward *w)
{
    for (int32_t k = 0; w->block && k < w->n_gradients; ++k) {
        if (w->gradient[k])
            tare_record_drop(w->gradient[k]);
        w->gradient[k] = NULL;
    }
    w->block = NULL;
}

static bool nobody_has_gradients(const tare_backward *w)
{
    if (!w->block || w->block->refs != w->n_gradients)
        return false;
    int32_t others = 0;
    for (int32_t k = 0; k < w->n_gradients; ++k)
        others |= w->gradient[k]->refs - 1;
    return others == 0;
}

/* As fresh as those of a tape, whether they are or were let go by all others: written by this backward alone. */
tare_status tare__captured_fresh(tare_backward *w)
{
    if (w->n_gradients == 0 || nobody_has_gradients(w))
        return TARE_OK;
    tare__captured_forget(w);
    tare_runtime *rt = w->entry->captured->runtime;
    const int32_t *result = w->plan->part.result + w->n_results;
    tare_value *const *symbol = w->entry->graph->program.value;
    size_t bytes = 0;
    for (int32_t k = 0; k < w->n_gradients; ++k)
        bytes += tare_memory_rounded(tare_desc_bytes(&symbol[result[k]]->d));
    tare_storage *s = tare__storage_take_work(rt, bytes);
    if (!s)
        return TARE_NO_MEMORY;
    w->block = s;
    char *at = s->base;
    for (int32_t k = 0; k < w->n_gradients; ++k) {
        tare_value *v = w->gradient[k] = tare_record_take(rt);
        if (!v) {
            tare__captured_forget(w);
            tare_storage_drop(s);
            return TARE_NO_MEMORY;
        }
        v->d = symbol[result[k]]->d;
        v->storage = s;
        v->address = at;
        ++s->refs;
        at += tare_memory_rounded(tare_desc_bytes(&v->d));
    }
    tare_storage_drop(s); /* the values keep it */
    return TARE_OK;
}

/* ---- handing over
 * ----------------------------------------------------------------------------------------------------*/
void tare__captured_rewrite(const tare_builder *b, const tare_backward *w)
{
    static const tare_op writer = {.name = "captured_backward"};
    tare_storage_wrote(w->block, &writer);
    tare_leaves_rewritten(b, w->heir, w->n_gradients);
}

void tare__captured_hand_over(const tare_builder *b, tare_entry *e, tare_backward *w, tare_value *const *source,
                              tare_leaves are)
{
    if (are == TARE_LEAVES_UNTOUCHED && w->n_gradients > 0)
        tare_leaves_begin(b, w->heir, w->gradient, w->n_gradients);
    for (int32_t k = 0; are == TARE_LEAVES_TOUCHED && k < w->n_gradients; ++k)
        tare_leaf_continue(b, w->heir[k], w->gradient[k]);
    for (int32_t k = 0; k < w->n_further; ++k) {
        int32_t from = w->from[w->further[k]], gradient = from - w->n_head - w->n_partial - w->n_results;
        tare_leaf_continue(b, tare__captured_outside(e, w->further[k]),
                           gradient >= 0 ? w->gradient[gradient] : source[from]);
    }
    if (!e->captured->options.keep) {
        tare__captured_forget(w);
        return;
    }
    e->handed = w->n_gradients > 0 && w->n_further == 0 ? w : NULL;
    e->handed_slots = b->mode->runtime->n_slots;
    e->handed_walk = b->mode->walk;
}
