/* packer.c - a new packer as a plug-in: blocks in the order of their births, each into the lowest gap.
 *
 *     tare plan blocks.csv --plugin ./packer.c --packers birth        rows of id,lower,upper,size
 *     tare plan mlp --plugin ./packer.c --packers portfolio,birth     a net's blocks, beside the default
 *
 * It is what a first-fit allocator gives that runs along with the program: no block knows of those after it. Only the
 * living ones are kept, by address, so a block costs a walk over what lives at its birth. What it answers is looked at
 * by a verifier that shares nothing with it, as the built-in packers' answers are. */
#include <stdlib.h>
#include <tare/tare.h>

/* First what is fixed, which stands before anything is born; then by birth, the larger and the earlier in the list
 * first: a whole order, or the offsets would depend on how qsort is made. */
static int by_birth(const void *one, const void *other)
{
    const tare_interval *a = *(tare_interval *const *)one, *b = *(tare_interval *const *)other;
    if (a->fixed != b->fixed)
        return a->fixed ? -1 : 1;
    if (a->lower != b->lower)
        return a->lower < b->lower ? -1 : 1;
    if (a->bytes != b->bytes)
        return a->bytes > b->bytes ? -1 : 1;
    return a < b ? -1 : a > b;
}

static int64_t size_of(const tare_interval *v, int64_t alignment)
{
    return (v->bytes + alignment - 1) / alignment * alignment;
}

/* The placed blocks, by address, that live at some time from the last birth on. */
typedef struct {
    tare_interval **at;
    int n;
} living;

/* Lets go what is dead when v is born, and finds the lowest gap between those that v meets. */
static int64_t lowest_gap(living *l, const tare_interval *v, int64_t alignment)
{
    int64_t end = 0, gap = -1;
    int kept = 0;
    for (int i = 0; i < l->n; ++i) {
        tare_interval *other = l->at[i];
        if (other->upper <= v->lower)
            continue;
        l->at[kept++] = other;
        if (other->lower >= v->upper)
            continue;
        if (gap < 0 && other->offset - end >= size_of(v, alignment))
            gap = end;
        int64_t top = other->offset + size_of(other, alignment);
        end = top > end ? top : end;
    }
    l->n = kept;
    return gap >= 0 ? gap : end;
}

static void put(living *l, tare_interval *v)
{
    int i = l->n++;
    for (; i > 0 && l->at[i - 1]->offset > v->offset; --i)
        l->at[i] = l->at[i - 1];
    l->at[i] = v;
}

static tare_status birth(tare_memory *memory, const tare_pack_options *options, tare_interval *v, int n,
                         tare_packing *out)
{
    size_t bytes = 2 * (size_t)n * sizeof(tare_interval *);
    tare_interval **order = tare_memory_take(memory, TARE_MEMORY_RECORD, bytes);
    if (!order)
        return TARE_NO_MEMORY;
    living l = {order + n, 0};
    int n_order = 0;
    for (int i = 0; i < n; ++i) {
        if (v[i].bytes > 0 && v[i].lower < v[i].upper)
            order[n_order++] = &v[i];
        else if (!v[i].fixed)
            v[i].offset = 0; /* meets nothing */
    }
    qsort(order, (size_t)n_order, sizeof *order, by_birth);
    for (int i = 0; i < n_order; ++i) {
        tare_interval *b = order[i];
        if (!b->fixed)
            b->offset = lowest_gap(&l, b, options->alignment);
        put(&l, b);
        int64_t top = b->offset + size_of(b, options->alignment);
        out->height = top > out->height ? top : out->height;
    }
    out->nodes = n_order;
    tare_memory_give(memory, TARE_MEMORY_RECORD, order, bytes);
    return TARE_OK;
}

static const tare_packer packer = {
    .name = "birth",
    .doc = "in the order of birth, each into the lowest gap, as an allocator would that runs along",
    .pack = birth,
};

TARE_PLUGIN("birth", {TARE_KIND_PACKER, &packer})
