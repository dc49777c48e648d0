/* occupancy.c - stays of a plan's values; lists of stays (see occupancy.h). */
#include "occupancy.h"

#include <stdlib.h>

void tare__occupancy_add(tare__occupancy *o, tare__stay stay)
{
    if (o->n == o->capacity) {
        o->capacity = o->capacity ? 2 * o->capacity : 64;
        o->stay = tare__more(o->stay, (size_t)o->capacity, sizeof *o->stay);
    }
    stay.what = tare__copy_text(stay.what ? stay.what : "");
    stay.path = tare__copy_text(stay.path ? stay.path : "");
    o->stay[o->n++] = stay;
}

void tare__occupancy_free(tare__occupancy *o)
{
    for (int i = 0; i < o->n; ++i) {
        free(o->stay[i].what);
        free(o->stay[i].path);
    }
    free(o->stay);
    *o = (tare__occupancy){0};
}

int64_t *tare__occupancy_live(const tare__occupancy *o)
{
    int64_t *live = tare__take((size_t)o->calls + 2, sizeof *live);
    for (int i = 0; i < o->n; ++i) {
        const tare__stay *s = &o->stay[i];
        if (s->lower < 0 || s->lower >= s->upper || s->lower > o->calls)
            continue;
        live[s->lower] += s->bytes;
        live[s->upper <= o->calls ? s->upper : o->calls + 1] -= s->bytes;
    }
    for (int64_t c = 1; c <= o->calls; ++c)
        live[c] += live[c - 1];
    return live;
}

void tare__occupancy_sum(tare__occupancy *o)
{
    int64_t *live = tare__occupancy_live(o);
    o->peak = o->peak_at = 0;
    for (int64_t c = 0; c <= o->calls; ++c)
        if (live[c] > o->peak) {
            o->peak = live[c];
            o->peak_at = c;
        }
    free(live);
}

/* How many calls there are when the last of the forward part has run, and when the last that is no update has: some of
 * what follows may stand before, by another order than the program's. */
static void find_parts(const tare__arm *a, const tare__use *use, tare__occupancy *o)
{
    const tare_node *const *node;
    o->calls = tare_plan_calls(a->plan, &node);
    o->forward_calls = o->derive_calls = 0;
    for (int64_t c = 0; c < o->calls; ++c) {
        const tare_node *n = node[c];
        bool updates = false, forward = false;
        for (int k = n->n_in; k < n->n_in + n->n_out + n->n_aux; ++k) {
            if (!n->operand[k])
                continue;
            const tare_value *root = tare_value_root(n->operand[k]);
            tare__use own = use[n->operand[k]->id];
            forward |= own == TARE__USE_ACTIVATION || own == TARE__USE_SAVED;
            updates |= root->node < 0 || use[root->id] == TARE__USE_UPDATE; /* into a parameter's bytes */
        }
        if (forward)
            o->forward_calls = c + 1;
        if (forward || !updates || !a->optimizer)
            o->derive_calls = c + 1;
    }
}

tare_status tare__occupancy_plan(const tare__arm *a, tare__occupancy *o)
{
    *o = (tare__occupancy){0};
    tare_plan_stay *stay;
    int n;
    tare_status status = tare_plan_stays(a->plan, &stay, &n);
    if (status != TARE_OK)
        return status;
    const tare_plan_block *block;
    const tare_node *const *node;
    tare__use *use = tare__uses(a, tare_plan_program(a->plan));
    (void)tare_plan_blocks(a->plan, &block);
    (void)tare_plan_calls(a->plan, &node);
    for (int i = 0; i < n; ++i) {
        const tare_plan_block *b = &block[stay[i].block];
        const tare_node *maker = node[stay[i].lower];
        tare__occupancy_add(o, (tare__stay){.lower = stay[i].lower,
                                            .upper = stay[i].upper,
                                            .bytes = b->bytes,
                                            .offset = b->offset,
                                            .use = stay[i].value < 0 ? TARE__USE_WORKSPACE : use[stay[i].value],
                                            .block = stay[i].block,
                                            .what = (char *)maker->op->name,
                                            .path = (char *)maker->path});
    }
    find_parts(a, use, o);
    o->height = tare_plan_size(a->plan).arena;
    tare__occupancy_sum(o);
    free(use);
    tare_plan_stays_free(a->plan, stay, n);
    return TARE_OK;
}
