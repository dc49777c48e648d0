/* occupancy_imperative.c - what the imperative mode holds during a step, recorded as it takes and lets go (see
 * occupancy.h).
 *
 * The storage comes from the system block by block (storage=malloc), so the device's alloc and free see every take and
 * every release; the trace's events say for which node. The same takes and releases are then asked of a pool, over and
 * over, whose device hands out addresses that nobody follows: what the pool does with them is the pool's own code. */
#include <stdlib.h>
#include <string.h>

#include "../../imperative/imperative.h"
#include "occupancy.h"

/* A take (of stay `take`) or its release, in the order in which they came. */
typedef struct {
    int stay;
    bool release;
} happening;

typedef struct {
    const tare__arm *like;
    const tare__use *use;
    tare_runtime *rt;
    void *(*alloc)(tare_device *, tare_memory_category, size_t);
    void (*free)(tare_device *, tare_memory_category, void *, size_t);
    tare__occupancy *out;
    void **address; /* of each stay */
    bool *together; /* of each stay: the results of a captured function, which share a block */
    happening *happened;
    int n_happened, capacity;
    int n_named;   /* stays before this one know their use */
    int node;      /* of like's program: the next that has a kernel */
    bool differs;  /* the step is not that of the program */
    int64_t calls; /* when the step began */
} recorder;

static int64_t now(const recorder *r)
{
    return r->rt->counts.kernel_calls - r->calls;
}

static void happen(recorder *r, happening h)
{
    if (r->n_happened == r->capacity) {
        r->capacity = r->capacity ? 2 * r->capacity : 256;
        r->happened = tare__more(r->happened, (size_t)r->capacity, sizeof *r->happened);
        r->address = tare__more(r->address, (size_t)r->capacity, sizeof *r->address);
        r->together = tare__more(r->together, (size_t)r->capacity, sizeof *r->together);
    }
    r->happened[r->n_happened++] = h;
}

static const tare_node *program_node(recorder *r)
{
    const tare_program *p = tare_graph_program(r->like->graph);
    while (r->node < p->n && !p->node[r->node].variant)
        ++r->node;
    return r->node < p->n ? &p->node[r->node] : NULL;
}

static void *on_alloc(tare_device *d, tare_memory_category category, size_t bytes)
{
    recorder *r = d->runtime->trace.owner;
    void *block = r->alloc(d, category, bytes);
    if (!block || category != TARE_MEMORY_WORK)
        return block;
    const tare_node *n = program_node(r);
    int64_t rounded = (int64_t)tare_memory_rounded(bytes);
    happen(r, (happening){r->out->n, false});
    r->address[r->out->n] = block;
    r->together[r->out->n] = false;
    tare__occupancy_add(r->out, (tare__stay){.lower = now(r),
                                             .upper = INT64_MAX,
                                             .bytes = rounded,
                                             .use = TARE__USE_WORKSPACE,
                                             .block = r->out->n,
                                             .what = n ? (char *)n->op->name : NULL,
                                             .path = n ? (char *)n->path : NULL});
    return block;
}

/* Newest first: an address may have been used before. What was there before the step is none of it. */
static void on_free(tare_device *d, tare_memory_category category, void *block, size_t bytes)
{
    recorder *r = d->runtime->trace.owner;
    for (int i = r->out->n - 1; i >= 0 && category == TARE_MEMORY_WORK; --i) {
        if (r->address[i] != block || r->out->stay[i].upper != INT64_MAX)
            continue;
        r->out->stay[i].upper = now(r);
        happen(r, (happening){i, true});
        break;
    }
    r->free(d, category, block, bytes);
}

/* The results of the node are in place: what was taken since the node before is theirs. */
static void name_results(recorder *r, const tare_node *n, const tare_node *planned)
{
    for (; r->n_named < r->out->n; ++r->n_named)
        for (int k = n->n_in; k < n->n_in + n->n_out + n->n_aux; ++k) {
            const tare_value *v = n->operand[k], *symbol = planned->operand[k];
            if (v && symbol && v->storage && v->storage->base == r->address[r->n_named])
                r->out->stay[r->n_named].use = r->use[tare_value_root(symbol)->id];
        }
}

/* A function that is captured within the net gives all its results in one block. */
static void name_together(recorder *r)
{
    for (; r->n_named < r->out->n; ++r->n_named) {
        r->together[r->n_named] = true;
        r->out->stay[r->n_named].use = r->node < r->like->n_forward ? TARE__USE_SAVED : TARE__USE_GRADIENT;
    }
}

static void on_event(void *owner, tare_event event, const tare_node *n)
{
    recorder *r = owner;
    if (event == TARE_EVENT_ALLOCATE && n->op && n->op->execute)
        name_together(r);
    if (!n->variant || (event != TARE_EVENT_ALLOCATE && event != TARE_EVENT_KERNEL))
        return;
    const tare_node *planned = program_node(r);
    if (!planned || planned->op != n->op || planned->n_in != n->n_in || planned->n_out != n->n_out ||
        planned->n_aux != n->n_aux) {
        r->differs = true;
    } else if (event == TARE_EVENT_ALLOCATE) {
        name_results(r, n, planned);
    } else {
        r->n_named = r->out->n;
        ++r->node;
    }
}

static void count_parts(const recorder *r, tare__occupancy *o)
{
    const tare_program *p = tare_graph_program(r->like->graph);
    o->forward_calls = o->derive_calls = 0;
    bool updates = false;
    for (int i = 0; i < p->n; ++i) {
        const tare_node *n = &p->node[i];
        for (int k = n->n_in; k < n->n_in + n->n_out && i >= r->like->n_forward && r->like->optimizer; ++k)
            updates |= n->operand[k] &&
                       (tare_value_root(n->operand[k])->node < 0 || r->use[n->operand[k]->id] == TARE__USE_UPDATE);
        o->forward_calls += n->variant && i < r->like->n_forward;
        o->derive_calls += n->variant && !updates;
    }
}

/* One step, warm, under the eyes of the recorder. */
static tare_status record(recorder *r, tare__arm *a)
{
    tare_device *d = a->rt->device;
    tare_status status = tare__arm_prepare(a);
    for (int i = 0; i < 2 && status == TARE_OK; ++i)
        status = a->step(a);
    if (status != TARE_OK)
        return status;
    r->rt = a->rt;
    r->alloc = d->alloc;
    r->free = d->free;
    r->calls = a->rt->counts.kernel_calls;
    a->rt->trace = (tare_trace){.event = on_event, .owner = r};
    tare_imperative_retrace(a->mode);
    d->alloc = on_alloc;
    d->free = on_free;
    status = a->step(a);
    d->alloc = r->alloc;
    d->free = r->free;
    a->rt->trace = (tare_trace){0};
    tare_imperative_retrace(a->mode);
    r->out->calls = now(r);
    for (int i = 0; i < r->out->n; ++i)
        if (r->out->stay[i].upper == INT64_MAX) { /* still there when the step has ended */
            r->out->stay[i].upper = r->out->calls + 1;
            if (r->together[i] && r->out->stay[i].use == TARE__USE_GRADIENT)
                r->out->stay[i].use = TARE__USE_PARAMETER;
        }
    if (status == TARE_OK && (r->differs || program_node(r)))
        status =
            tare_error(TARE_IMPOSSIBLE, "%s: the imperative step does not run the nodes of the captured one", a->label);
    count_parts(r, r->out);
    return status;
}

/* ---- the pool ------------------------------------------------------------------------------------------------*/

/* Addresses from one unit on, one after the other; never followed. */
static void *hand_out(tare_device *d, tare_memory_category category, size_t bytes)
{
    uintptr_t *next = d->runtime->trace.owner;
    uintptr_t at = *next;
    (void)category;
    *next += tare_memory_rounded(bytes);
    return (void *)at; // NOLINT: no address of anything
}

static void take_back(tare_device *d, tare_memory_category category, void *block, size_t bytes)
{
    (void)d;
    (void)category;
    (void)block;
    (void)bytes;
}

/* Two steps: the second finds the blocks of the first, whose gradients are let go as it begins. */
static tare_status ask_pool(const recorder *r, tare_runtime *rt)
{
    tare_storage **taken = tare__take((size_t)r->out->n + 1, sizeof(tare_storage *));
    uintptr_t next = TARE_ALIGNMENT;
    tare_device *d = rt->device;
    rt->trace.owner = &next;
    d->alloc = hand_out;
    d->free = take_back;
    bool full = true;
    for (int step = 0; step < 2 && full; ++step) {
        for (int i = 0; i < r->out->n; ++i) {
            tare_storage_release(taken[i]);
            taken[i] = NULL;
        }
        for (int i = 0; i < r->n_happened && full; ++i) {
            int stay = r->happened[i].stay;
            if (r->happened[i].release) {
                tare_storage_release(taken[stay]);
                taken[stay] = NULL;
                continue;
            }
            taken[stay] = tare_storage_take(rt, TARE_MEMORY_WORK, (size_t)r->out->stay[stay].bytes);
            full = taken[stay] != NULL;
            if (full)
                r->out->stay[stay].offset = (int64_t)((uintptr_t)taken[stay]->base - TARE_ALIGNMENT);
        }
    }
    r->out->height = (int64_t)(next - TARE_ALIGNMENT);
    for (int i = 0; i < r->out->n; ++i)
        tare_storage_release(taken[i]);
    free(taken);
    return full ? TARE_OK : TARE_NO_MEMORY;
}

static tare_status place(const recorder *r)
{
    tare_runtime *rt;
    tare_status status = tare_runtime_new(NULL, &rt);
    if (status != TARE_OK)
        return status;
    status = ask_pool(r, rt);
    tare_runtime_trim(rt);
    (void)tare_runtime_free(rt);
    return status;
}

tare_status tare__occupancy_imperative(const tare__arm *like, tare__occupancy *o)
{
    *o = (tare__occupancy){0};
    tare__arm arm;
    tare__setting setting = tare__setting_of(tare__rung_find("functional"), like->optimizer != NULL);
    setting.level[TARE__THREADS] = like->setting.level[TARE__THREADS];
    setting.level[TARE__STORAGE] = TARE__STORAGE_MALLOC;
    setting.level[TARE__KERNELS] = like->setting.level[TARE__KERNELS];
    if (setting.level[TARE__KERNELS] == TARE_KERNELS_NATIVE)
        setting.level[TARE__KERNELS] = TARE_KERNELS_NULL;
    tare_status status = tare__arm_open(&arm, &like->task, &setting, "functional");
    if (status != TARE_OK)
        return status;
    tare__use *use = tare__uses(like, tare_graph_program(like->graph));
    recorder r = {.like = like, .use = use, .out = o};
    status = record(&r, &arm);
    if (status == TARE_OK)
        status = place(&r);
    if (status == TARE_OK)
        tare__occupancy_sum(o);
    else
        tare__occupancy_free(o);
    free(use);
    free(r.address);
    free(r.together);
    free(r.happened);
    tare__arm_close(&arm);
    return status;
}
