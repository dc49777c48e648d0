/* stays.c - which value a block of a plan holds when: lifetimes cut where one value takes over from another.
 *
 * For pictures and for saying what is live at the peak; the plan itself knows only blocks. A block is always held by
 * one value: the first from the block's beginning, each following one from the call that writes it in place, the last
 * to the block's end. */
#include "graph_private.h"

typedef struct {
    const tare_plan *plan;
    int32_t *block_of; /* buffer -> block; -1: none */
    int32_t *last;     /* block -> the stay that holds it now, + 1; 0: none yet */
    tare_plan_stay *stay;
    int n;
} listing;

static void begin(listing *l, int32_t block, int64_t call, int32_t value)
{
    if (l->last[block])
        l->stay[l->last[block] - 1].upper = call;
    l->stay[l->n] = (tare_plan_stay){call, l->plan->block[block].upper, block, value};
    l->last[block] = ++l->n;
}

/* A result with bytes of its own takes its block over; a part of what is joined begins the whole, the first one does.
 */
static void take_result(listing *l, const tare_value *v, int32_t call)
{
    int32_t block = l->block_of[l->plan->buffer_of[v->id]];
    if (block < 0 || (v->base && l->last[block]))
        return;
    int32_t value = v->base ? l->plan->buffer[l->plan->buffer_of[v->id]].value : v->id;
    if (!l->last[block] || l->stay[l->last[block] - 1].value != value) /* else: some of its parts were there */
        begin(l, block, call, value);
}

static void list(listing *l)
{
    const tare_plan *p = l->plan;
    int32_t n_blocks = 0, scratch = 0;
    for (int32_t b = 0; b < p->n_buffer; ++b)
        l->block_of[b] = p->buffer[b].outside < 0 && p->buffer[b].bytes ? n_blocks++ : -1;
    for (int32_t c = 0; c < p->n_calls; ++c) {
        const tare_node *n = p->node[c];
        for (int k = n->n_in; k < n->n_in + n->n_out + n->n_aux; ++k)
            if (n->operand[k])
                take_result(l, n->operand[k], c);
        for (; scratch < p->n_buffer && p->buffer[scratch].first <= c; ++scratch)
            if (l->block_of[scratch] >= 0 && p->buffer[scratch].value < 0)
                begin(l, l->block_of[scratch], c, -1);
    }
}

tare_status tare_plan_stays(const tare_plan *p, tare_plan_stay **out, int *n)
{
    tare_memory *memory = &p->runtime->memory;
    size_t buffers = (size_t)p->n_buffer * sizeof(int32_t), most = (size_t)(p->program->n_values + p->n_block);
    listing l = {.plan = p};
    l.block_of = tare_memory_take(memory, TARE_MEMORY_RECORD, buffers);
    l.last = tare_memory_take_zeroed(memory, TARE_MEMORY_RECORD, (size_t)p->n_block, sizeof *l.last);
    l.stay = tare_memory_take(memory, TARE_MEMORY_RECORD, most * sizeof *l.stay);
    tare_status status = l.block_of && l.last && l.stay ? TARE_OK : TARE_NO_MEMORY;
    if (status == TARE_OK) {
        list(&l);
        *out = tare_memory_take(memory, TARE_MEMORY_RECORD, (size_t)l.n * sizeof *l.stay);
        *n = l.n;
        status = *out ? TARE_OK : TARE_NO_MEMORY;
        for (int i = 0; i < l.n && *out; ++i)
            (*out)[i] = l.stay[i];
    }
    tare_memory_give(memory, TARE_MEMORY_RECORD, l.stay, most * sizeof *l.stay);
    tare_memory_give(memory, TARE_MEMORY_RECORD, l.last, (size_t)p->n_block * sizeof *l.last);
    tare_memory_give(memory, TARE_MEMORY_RECORD, l.block_of, buffers);
    return status;
}

void tare_plan_stays_free(const tare_plan *p, tare_plan_stay *stay, int n)
{
    tare_memory_give(&p->runtime->memory, TARE_MEMORY_RECORD, stay, (size_t)n * sizeof *stay);
}

const tare_program *tare_plan_program(const tare_plan *p)
{
    return p->program;
}
