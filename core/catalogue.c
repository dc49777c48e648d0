/* catalogue.c - named records of each kind, and the kernels usable for each operator in this runtime.
 *
 * The kernel tables are filtered copies of the records' variants, made at registration: by instruction set and by
 * the choice of kernels. Dispatch then walks a short list, best first, and never asks why a variant is there. */
#include <string.h>

#include "runtime_private.h"

enum { FIRST_KERNEL_SLOTS = 2048 };
/* What tare_kernels_home goes by. */
_Static_assert(sizeof(tare_op) >= 128, "the records of two operators would meet");

static const char *const kind_name[TARE_KIND_COUNT] = {"operator", "net",     "optimizer", "packer",
                                                       "pass",     "service", "kernel set"};

static int null_kernel(const tare_call *c, int piece, int worker)
{
    (void)c;
    (void)piece;
    (void)worker;
    return 0;
}

/* Minimal filtering is less exact: it is there only where it is asked for. */
static bool usable(const tare_runtime *rt, const tare_variant *v)
{
    return v->isa <= rt->isa && (rt->options.kernels != TARE_KERNELS_REFERENCE || v->set == TARE_SET_REFERENCE) &&
           (rt->options.kernels == TARE_KERNELS_WINOGRAD || v->set != TARE_SET_WINOGRAD);
}

/* Those of the set that are for an operator; *n of them. */
static const tare_variant *added_to(const tare_added_kernels *set, const char *op, int *n)
{
    *n = 0;
    for (int i = 0; set && i < set->n_to; ++i)
        if (strcmp(set->to[i].op, op) == 0) {
            *n = set->to[i].n_variants;
            return set->to[i].variants;
        }
    return NULL;
}

/* Whether the choice puts a variant before its better ones. im2col is native, and the last resort, where it is not asked
 * for. */
static bool put_first(tare_kernel_choice kernels, const tare_variant *v)
{
    return (kernels == TARE_KERNELS_BLAS && v->set == TARE_SET_BLAS) ||
           (kernels == TARE_KERNELS_IM2COL && strncmp(v->name, "im2col", strlen("im2col")) == 0);
}

/* The usable variants in their order, behind those of the added set and those that the choice puts first. */
static void filter(const tare_runtime *rt, tare_kernels *k)
{
    const tare_op *op = k->op;
    int n;
    const tare_variant *added = added_to(rt->added, op->name, &n);
    k->n = 0;
    for (int i = 0; i < n; ++i)
        if (usable(rt, &added[i]))
            k->variant[k->n++] = added[i];
    for (int pass = 0; pass < 2; ++pass) {
        for (int i = 0; i < op->n_variants; ++i) {
            const tare_variant *v = &op->variants[i];
            if (usable(rt, v) && put_first(rt->options.kernels, v) == (pass == 0))
                k->variant[k->n++] = *v;
        }
    }
    if (rt->options.kernels == TARE_KERNELS_NULL) {
        for (int i = 0; i < k->n; ++i) {
            k->variant[i].run = null_kernel;
            k->variant[i].combine = NULL;
        }
    }
}

/* What dispatch's shortest path leaves out. */
static bool plain(const tare_op *op)
{
    uint64_t ties;
    memcpy(&ties, op->ties, sizeof ties);
    bool opaque = false;
    for (int i = 0; i < op->n_variants; ++i)
        opaque |= op->variants[i].opaque != NULL;
    return op->n_in > 0 && op->n_out == 1 && op->n_aux == 0 && !op->view && !op->shape_only && !op->stops_gradient &&
           !ties && !opaque;
}

static size_t variants_bytes(int n)
{
    return (size_t)n * sizeof(tare_variant);
}

const tare_kernels tare_kernels_none;

static tare_status grow_kernels(tare_runtime *rt)
{
    uint32_t slots = (rt->kernels_mask + 1) * 2;
    tare_kernels *old = rt->kernels,
                 *grown = tare_memory_take_zeroed(&rt->memory, TARE_MEMORY_RECORD, slots, sizeof *grown);
    if (!grown)
        return TARE_NO_MEMORY;
    uint32_t n = rt->kernels_mask + 1;
    rt->kernels = grown;
    rt->kernels_mask = slots - 1;
    for (uint32_t i = 0; i < n; ++i)
        if (old[i].op)
            *(tare_kernels *)tare_runtime_kernels(rt, old[i].op) = old[i];
    tare_memory_give(&rt->memory, TARE_MEMORY_RECORD, old, n * sizeof *old);
    return TARE_OK;
}

/* Ties and overwrites name inputs from 1, 0 for none. */
static const char *check_ties(const tare_op *op)
{
    int n_in = op->n_in < 0 ? TARE_OPERANDS : op->n_in;
    int n_out = op->n_out < 0 ? TARE_OPERANDS : op->n_out + op->n_aux;
    for (int o = 0; o < TARE_OPERANDS; ++o) {
        int tie = op->ties[o], over = op->overwrites[o];
        if (o >= n_out && (tie || over))
            return "it ties or overwrites with an output that there is not";
        if (tie < 0 || tie > n_in || over < 0 || over > n_in)
            return "it ties or overwrites an input that there is not";
    }
    return NULL;
}

static tare_status check_operator(const tare_op *op)
{
    const char *wrong = NULL;
    bool reference = op->n_variants > 0 && op->variants[op->n_variants - 1].set == TARE_SET_REFERENCE;
    if (!op->infer)
        wrong = "it has no infer";
    else if (op->execute)
        wrong = "it has execute, which is for operators made at run time";
    else if (!op->gradient && !op->not_differentiable)
        wrong = "it has no gradient and is not marked not_differentiable";
    else if (!op->view && !reference)
        wrong = "its last variant is not a reference";
    else if (op->n_in > TARE_OPERANDS || op->n_out + op->n_aux > TARE_OPERANDS)
        wrong = "it has too many operands";
    else
        wrong = check_ties(op);
    for (int i = 0; i < op->n_variants; ++i)
        if (!op->variants[i].prepare || !op->variants[i].run)
            wrong = "a variant has no prepare or no run";
    if (wrong)
        return tare_error(TARE_BAD_ARGUMENT, "operator '%s' cannot be registered: %s", op->name, wrong);
    return TARE_OK;
}

static tare_status add_kernels(tare_runtime *rt, const tare_op *op)
{
    tare_status status = check_operator(op);
    if (status == TARE_OK && rt->n_kernels * 2 > rt->kernels_mask)
        status = grow_kernels(rt);
    if (status != TARE_OK)
        return status;
    tare_kernels k = {.op = op, .plain = plain(op), .room = op->n_variants};
    k.variant = tare_memory_take(&rt->memory, TARE_MEMORY_RECORD, variants_bytes(k.room));
    if (!k.variant)
        return TARE_NO_MEMORY;
    filter(rt, &k);
    *(tare_kernels *)tare_runtime_kernels(rt, op) = k;
    ++rt->n_kernels;
    return TARE_OK;
}

/* Where `name` stands or belongs among the records of its kind. */
static int position(const tare_runtime *rt, tare_kind kind, const char *name, bool *found)
{
    int low = 0, high = rt->n_records[kind];
    *found = false;
    while (low < high) {
        int middle = (low + high) / 2, order = strcmp(rt->record[kind][middle]->name, name);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- added sets -------------------------------------------------------------------------------------------------*/

static tare_status check_added(tare_runtime *rt, const tare_added_kernels *set)
{
    const char *wrong = !set->open || !set->close || !set->library ? "it has no open, no close or no library" : NULL;
    for (int i = 0; i < set->n_to && !wrong; ++i) {
        bool found;
        (void)position(rt, TARE_KIND_OPERATOR, set->to[i].op, &found);
        if (!found)
            return tare_error(TARE_NOT_FOUND, "kernel set '%s' has kernels for '%s', which is no operator", set->name,
                              set->to[i].op);
        for (int k = 0; k < set->to[i].n_variants; ++k) {
            const tare_variant *v = &set->to[i].variants[k];
            if (v->set != TARE_SET_ADDED || !v->prepare || !v->run || v->opaque)
                wrong = "a variant is not of TARE_SET_ADDED, has no prepare or no run, or sizes auxiliaries";
        }
    }
    return wrong ? tare_error(TARE_BAD_ARGUMENT, "kernel set '%s' cannot be registered: %s", set->name, wrong)
                 : TARE_OK;
}

/* Room for the set's variants in the operator's list. */
static tare_status make_added_room(tare_runtime *rt, const tare_added_variants *to)
{
    bool found;
    const void *op = rt->record[TARE_KIND_OPERATOR][position(rt, TARE_KIND_OPERATOR, to->op, &found)];
    tare_kernels *k = (tare_kernels *)tare_runtime_kernels(rt, op);
    int room = k->op->n_variants + to->n_variants;
    if (room <= k->room)
        return TARE_OK;
    tare_variant *grown =
        tare_memory_resize(&rt->memory, TARE_MEMORY_RECORD, k->variant, variants_bytes(k->room), variants_bytes(room));
    if (!grown)
        return TARE_NO_MEMORY;
    k->variant = grown;
    k->room = room;
    return TARE_OK;
}

static void filter_all(tare_runtime *rt)
{
    for (uint32_t i = 0; i <= rt->kernels_mask; ++i)
        if (rt->kernels[i].op)
            filter(rt, &rt->kernels[i]);
}

/* Nothing happens where the options do not name the set. */
static tare_status add_set(tare_runtime *rt, const tare_added_kernels *set)
{
    tare_status status = check_added(rt, set);
    if (status != TARE_OK || !rt->options.added || strcmp(rt->options.added, set->name) != 0)
        return status;
    for (int i = 0; i < set->n_to && status == TARE_OK; ++i)
        status = make_added_room(rt, &set->to[i]);
    if (status == TARE_OK)
        status = set->open(rt, &rt->added_own);
    if (status != TARE_OK)
        return status;
    rt->added = set;
    filter_all(rt);
    return TARE_OK;
}

void tare__added_close(tare_runtime *rt)
{
    if (rt->added)
        rt->added->close(rt, rt->added_own);
    rt->added = NULL;
    rt->added_own = NULL;
}

/* ---- records ----------------------------------------------------------------------------------------------------*/

/* Room for one more of n items in a list; the list, moved or not. NULL: no memory. */
static void *make_room(tare_runtime *rt, void *list, int n, int *capacity, size_t item)
{
    if (n < *capacity)
        return list;
    void *grown = tare_memory_resize(&rt->memory, TARE_MEMORY_RECORD, list, (size_t)*capacity * item,
                                     (size_t)(*capacity + 64) * item);
    *capacity += grown ? 64 : 0;
    return grown;
}

/* Room in the kind's list and among all. */
static tare_status make_rooms(tare_runtime *rt, tare_kind kind)
{
    const tare_record **list =
        make_room(rt, (void *)rt->record[kind], rt->n_records[kind], &rt->capacity_records[kind], sizeof *list);
    if (!list)
        return TARE_NO_MEMORY;
    rt->record[kind] = list;
    tare_registration *all = make_room(rt, rt->registered, rt->n_registered, &rt->capacity_registered, sizeof *all);
    if (!all)
        return TARE_NO_MEMORY;
    rt->registered = all;
    return TARE_OK;
}

tare_status tare_register(tare_runtime *rt, tare_kind kind, const void *record)
{
    const tare_record *r = record;
    if ((unsigned)kind >= TARE_KIND_COUNT || !r || !r->name || !*r->name)
        return tare_error(TARE_BAD_ARGUMENT, "a record needs a kind and a name to be registered");
    bool found;
    int at = position(rt, kind, r->name, &found);
    if (found)
        return tare_error(TARE_BAD_ARGUMENT, "%s '%s' is registered already", kind_name[kind], r->name);
    tare_status status = make_rooms(rt, kind);
    if (status == TARE_OK && kind == TARE_KIND_OPERATOR)
        status = add_kernels(rt, record);
    else if (status == TARE_OK && kind == TARE_KIND_KERNELS)
        status = add_set(rt, record);
    if (status != TARE_OK)
        return status;
    const tare_record **list = rt->record[kind];
    memmove(list + at + 1, list + at, (size_t)(rt->n_records[kind] - at) * sizeof *list);
    list[at] = r;
    ++rt->n_records[kind];
    rt->registered[rt->n_registered++] = (tare_registration){kind, record};
    return TARE_OK;
}

int tare_registered(const tare_runtime *rt)
{
    return rt->n_registered;
}

/* Whoever stands behind the freed slot and was led past it comes forward, or it would not be found any more. (Knuth,
 * The Art of Computer Programming, vol. 3, 6.4, algorithm R.) */
static void remove_kernels(tare_runtime *rt, const tare_op *op)
{
    tare_kernels *k = rt->kernels;
    uint32_t mask = rt->kernels_mask, hole = (uint32_t)(tare_runtime_kernels(rt, op) - k);
    tare_memory_give(&rt->memory, TARE_MEMORY_RECORD, k[hole].variant, variants_bytes(k[hole].room));
    for (uint32_t at = (hole + 1) & mask; k[at].op; at = (at + 1) & mask) {
        uint32_t home = tare_kernels_home(rt, k[at].op);
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        k[hole] = k[at];
        hole = at;
    }
    k[hole] = (tare_kernels){0};
    --rt->n_kernels;
}

void tare_unregister(tare_runtime *rt, int kept)
{
    while (rt->n_registered > kept) {
        const tare_registration *newest = &rt->registered[--rt->n_registered];
        const tare_record *r = newest->record, **list = rt->record[newest->kind];
        bool found;
        int at = position(rt, newest->kind, r->name, &found);
        memmove(list + at, list + at + 1, (size_t)(--rt->n_records[newest->kind] - at) * sizeof *list);
        if (newest->kind == TARE_KIND_OPERATOR)
            remove_kernels(rt, newest->record);
        if (newest->record == rt->added) {
            tare__added_close(rt);
            filter_all(rt);
        }
    }
}

const void *tare_find(tare_runtime *rt, tare_kind kind, const char *name)
{
    bool found;
    if (!name || (unsigned)kind >= TARE_KIND_COUNT) {
        (void)tare_error(TARE_BAD_ARGUMENT, "a look-up needs a kind and a name");
        return NULL;
    }
    rt->counts.lookups += kind == TARE_KIND_OPERATOR;
    int at = position(rt, kind, name, &found), n = rt->n_records[kind];
    if (found)
        return rt->record[kind][at];
    /* sorted neighbours are the nearest in spelling where it matters: at the start */
    const char *before = at > 0 ? rt->record[kind][at - 1]->name : NULL,
               *after = at < n ? rt->record[kind][at]->name : NULL;
    (void)tare_error(TARE_NOT_FOUND, "%s '%s' is unknown%s%s%s%s%s", kind_name[kind], name,
                     before || after ? " (near it: " : "", before ? before : "", before && after ? ", " : "",
                     after ? after : "", before || after ? ")" : "");
    return NULL;
}

tare_status tare__catalogue_init(tare_runtime *rt)
{
    rt->kernels = tare_memory_take_zeroed(&rt->memory, TARE_MEMORY_RECORD, FIRST_KERNEL_SLOTS, sizeof *rt->kernels);
    rt->kernels_mask = FIRST_KERNEL_SLOTS - 1;
    return rt->kernels ? TARE_OK : TARE_NO_MEMORY;
}

void tare__catalogue_fini(tare_runtime *rt)
{
    if (rt->kernels) {
        for (uint32_t i = 0; i <= rt->kernels_mask; ++i)
            if (rt->kernels[i].op)
                tare_memory_give(&rt->memory, TARE_MEMORY_RECORD, rt->kernels[i].variant,
                                 variants_bytes(rt->kernels[i].room));
        tare_memory_give(&rt->memory, TARE_MEMORY_RECORD, rt->kernels, (rt->kernels_mask + 1) * sizeof *rt->kernels);
    }
    for (int kind = 0; kind < TARE_KIND_COUNT; ++kind)
        tare_memory_give(&rt->memory, TARE_MEMORY_RECORD, rt->record[kind],
                         (size_t)rt->capacity_records[kind] * sizeof(tare_record *));
    tare_memory_give(&rt->memory, TARE_MEMORY_RECORD, rt->registered,
                     (size_t)rt->capacity_registered * sizeof *rt->registered);
}
