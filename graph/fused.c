/* fused.c - the kernel of a fused node, and the node's operator (see fused_private.h).
 *
 * Elementwise steps alone: a piece is a range of elements, walked in tiles; what lies between two steps is one of two
 * tiles of scratch. Behind a product: its piece writes a rectangle of a matrix, whose rows the other steps walk as such
 * ranges. That matrix is the node's own output where every step may write over what it reads; else only the rectangle
 * is there, in scratch of the worker, and the matrix is where it would be around that. */
#include "fused_private.h"

#include <stdio.h>
#include <string.h>

enum {
    G_OWN = 0,    /* the one word of a call's geometry */
    TILE = 2048,  /* elements between two steps, at most */
    PIECE = 16384 /* elements of a piece */
};

/* ---- running ----------------------------------------------------------------------------------------------------*/

/* A step as one piece runs it: on whichever elements, the call is the same but for g[0] and the addresses. */
typedef struct {
    char *base[TARE_FUSED_OPERANDS + 2]; /* of element 0 */
    void *ptr[TARE_FUSED_OPERANDS + 2];
    int64_t g[TARE_GEOMETRY];
    const tare_fused_step *step;
} running;

/* What one piece works on. */
typedef struct {
    const tare_fused *f;
    void *const *ptr;
    char *matrix;  /* led: where element 0 of the product lies, or would lie */
    char *tile[2]; /* between elementwise steps, by turns */
    running step[TARE_FUSED_STEPS];
} scene;

/* Where element 0 of an operand of step s is; of what lies in a tile, the first of each tile. */
static char *base_of(const scene *w, int s, const tare_fused_place *place, bool *in_tile)
{
    const tare_fused *f = w->f;
    *in_tile = false;
    if (place->at >= 0)
        return w->ptr[place->at];
    if (place->at == TARE_FUSED_NONE)
        return NULL;
    if (f->in_place || (f->led && s == 1 && place->at == TARE_FUSED_BETWEEN))
        return w->matrix;
    *in_tile = true;
    return w->tile[(place->at == TARE_FUSED_MADE ? s : s - 1) & 1];
}

static void begin_steps(scene *w)
{
    for (int s = w->f->led; s < w->f->n_steps; ++s) {
        const tare_fused_step *step = &w->f->step[s];
        running *r = &w->step[s];
        r->step = step;
        for (int k = 0; k < step->n_operands; ++k) {
            bool in_tile;
            r->base[k] = base_of(w, s, &step->place[k], &in_tile);
            r->ptr[k] = r->base[k];
            if (in_tile)
                r->base[k] = NULL; /* stays */
        }
        r->ptr[step->n_operands] = r->ptr[step->n_operands + 1] = NULL;
        memcpy(r->g, step->work->g, (size_t)step->work->n_g * sizeof *r->g);
    }
}

/* A step on the n elements from element i on. */
static int run_step(running *r, int64_t i, int64_t n)
{
    const tare_fused_step *step = r->step;
    for (int k = 0; k < step->n_operands; ++k)
        if (r->base[k])
            r->ptr[k] = r->base[k] + i * step->place[k].item;
    r->g[0] = n;
    const tare_call c = {.run = step->variant->run,
                         .ptr = r->ptr,
                         .g = r->g,
                         .n_pieces = 1,
                         .n_ptr = (int16_t)(step->n_operands + 2),
                         .n_g = (int16_t)step->work->n_g,
                         .site = -1};
    return c.run(&c, 0, 0);
}

/* The elementwise steps on [i, end); a single one needs no tiles. */
static int run_range(scene *w, int64_t i, int64_t end)
{
    const int first = w->f->led, n_steps = w->f->n_steps;
    const int64_t tile = n_steps - first == 1 ? end - i : w->f->tile;
    int error = 0;
    for (; i < end; i += tile)
        for (int s = first; s < n_steps; ++s)
            error |= run_step(&w->step[s], i, end - i < tile ? end - i : tile);
    return error;
}

/* The product's piece. */
static int run_product(const scene *w, int piece, char *scratch)
{
    const tare_fused_step *step = &w->f->step[0];
    void *ptr[TARE_FUSED_OPERANDS + 2];
    for (int k = 0; k < step->n_operands; ++k) {
        const int at = step->place[k].at;
        ptr[k] = at == TARE_FUSED_MADE ? w->matrix : at >= 0 ? w->ptr[at] : NULL;
    }
    ptr[step->n_operands] = NULL;
    ptr[step->n_operands + 1] = scratch;
    const tare_call c = {.run = step->variant->run,
                         .ptr = ptr,
                         .g = step->work->g,
                         .n_pieces = w->f->n_pieces,
                         .n_ptr = (int16_t)(step->n_operands + 2),
                         .n_g = (int16_t)step->work->n_g,
                         .site = -1};
    return c.run(&c, piece, 0);
}

/* The product's piece, then the other steps on each row of what it wrote; rows that follow each other are one. */
static int run_led(scene *w, int piece, char *scratch)
{
    const tare_fused *f = w->f;
    const tare_fused_step *step = &f->step[0];
    const tare_call c = {.g = step->work->g, .n_g = (int16_t)step->work->n_g, .n_pieces = f->n_pieces};
    tare_tile t;
    step->variant->tile(&c, piece, &t);
    int64_t i = t.row * f->run + t.column, rows = t.columns == f->run ? 1 : t.rows;
    const int64_t n = t.columns == f->run ? t.rows * f->run : t.columns;
    if (!f->in_place) /* an address by number: it may lie before the scratch */
        w->matrix =
            (char *)((uintptr_t)(scratch + f->part_at) - (uintptr_t)(i * step->place[step->n_operands - 1].item));
    begin_steps(w);
    int error = run_product(w, piece, scratch);
    for (; rows > 0; --rows, i += f->run)
        error |= run_range(w, i, i + n);
    return error;
}

/* ptr: the node's operands; -; workers' scratch: the product's, tiles, a piece's part of the product */
static int fused_run(const tare_call *c, int piece, int worker)
{
    const tare_fused *f = (const tare_fused *)(uintptr_t)c->g[G_OWN];
    scene w;
    w.f = f;
    w.ptr = c->ptr;
    w.matrix = f->in_place ? c->ptr[f->op.n_in] : NULL;
    char *scratch = c->ptr[c->n_ptr - 1];
    if (scratch) {
        scratch += (size_t)worker * f->worker_bytes;
        w.tile[0] = scratch + f->led_bytes;
        w.tile[1] = w.tile[0] + f->tile_bytes;
    }
    if (f->led)
        return run_led(&w, piece, scratch);
    begin_steps(&w);
    int64_t i = piece * f->run;
    return run_range(&w, i, f->n - i < f->run ? f->n : i + f->run);
}

/* ---- the operator -----------------------------------------------------------------------------------------------*/

static void prepare(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)out;
    const tare_fused *f = a->op->own;
    w->g[G_OWN] = (int64_t)(uintptr_t)f;
    w->n_g = 1;
    w->n_pieces = f->n_pieces;
    w->worker_bytes = f->worker_bytes;
}

static tare_status infer(const tare_args *a, const tare_desc_out *out)
{
    (void)out;
    return tare_op_error(a, TARE_IMPOSSIBLE, "a fused node is a plan's own and is not applied");
}

static double flops(const tare_args *a, const tare_desc_ref *out)
{
    (void)out;
    return ((const tare_fused *)a->op->own)->flops;
}

const tare_fused *tare__fused_of(const tare_node *n)
{
    return n->op->infer == infer ? n->op->own : NULL;
}

/* The operand of a step that its operator lets output 0 take over; NULL: none. */
static const tare_fused_place *taken_over(const tare_fused_step *step)
{
    const tare_op *op = step->op;
    return op->n_out == 1 && !op->ties[0] && op->overwrites[0] ? &step->place[op->overwrites[0] - 1] : NULL;
}

/* Whether all steps behind a product may write over what they read, so that it can lie in the output. */
static bool may_lie_in_output(const tare_fused *f)
{
    for (int s = 1; s < f->n_steps; ++s) {
        const tare_fused_step *step = &f->step[s];
        const tare_fused_place *over = taken_over(step);
        if (!over || over->at != TARE_FUSED_BETWEEN || step->place[step->n_operands - 1].item != over->item)
            return false;
    }
    return true;
}

/* Whether an operand of the fused node is read by no step but through this place. */
static bool read_once(const tare_fused *f, const tare_fused_place *place)
{
    for (int s = 0; s < f->n_steps; ++s)
        for (int k = 0; k < f->step[s].n_operands; ++k)
            if (f->step[s].place[k].at == place->at && &f->step[s].place[k] != place)
                return false;
    return true;
}

/* The input, from 1, whose storage output 0 may take over; 0: none. What the last step alone reads, and may write over,
 * unless a product lies there; else what the first of elementwise steps may: what a step before the last has read of a
 * tile it does not read again. */
static int overwrites(const tare_fused *f)
{
    const tare_fused_step *last = &f->step[f->n_steps - 1];
    const tare_fused_place *own = taken_over(last), *first = taken_over(&f->step[0]);
    const int16_t item = last->place[last->n_operands - 1].item;
    if (last->op->n_out != 1 || last->op->ties[0] || f->in_place)
        return 0;
    if (own && own->at >= 0 && own->item == item && read_once(f, own))
        return own->at + 1;
    if (f->led || !first || first->at < 0 || first->item != item)
        return 0;
    for (int k = 0; k < last->n_operands; ++k)
        if (last->place[k].at == first->at && &last->place[k] != own)
            return 0;
    return first->at + 1;
}

static void name_steps(tare_fused *f)
{
    size_t at = 0;
    for (int s = 0; s < f->n_steps && at < sizeof f->name; ++s)
        at += (size_t)snprintf(f->name + at, sizeof f->name - at, "%s%s", s ? "+" : "", f->step[s].op->name);
}

/* Tiles: none, or one, or two that are filled by turns. */
static int set_tiles(tare_fused *f)
{
    const int between = f->n_steps - f->led - 1;
    int16_t item = 0;
    for (int s = f->led; s + 1 < f->n_steps; ++s) {
        const tare_fused_place *made = &f->step[s].place[f->step[s].n_operands - 1];
        item = made->item > item ? made->item : item;
    }
    f->tile = f->n < TILE ? f->n : TILE;
    f->tile_bytes = tare_memory_rounded((size_t)(f->tile * item));
    return f->in_place ? 0 : between < 2 ? between : 2;
}

static void set_scratch(tare_fused *f)
{
    const tare_fused_step *first = &f->step[0];
    const int tiles = set_tiles(f);
    f->led_bytes = f->led ? tare_memory_rounded(first->work->worker_bytes) : 0;
    f->led_bytes = f->led && !first->work->worker_bytes ? 0 : f->led_bytes;
    f->part_at = f->worker_bytes = f->led_bytes + (size_t)tiles * f->tile_bytes;
    if (f->led && !f->in_place)
        f->worker_bytes += tare_memory_rounded((size_t)(f->span * first->place[first->n_operands - 1].item));
    if (!f->led) {
        f->run = PIECE;
        f->n_pieces = (int32_t)((f->n + PIECE - 1) / PIECE);
    }
}

void tare__fused_complete(tare_fused *f, const tare_node *last, int n_in, bool null)
{
    const tare_fused_step *first = &f->step[0], *end = &f->step[f->n_steps - 1];
    name_steps(f);
    f->in_place = f->led && may_lie_in_output(f);
    set_scratch(f);
    f->op = (tare_op){.name = f->name,
                      .doc = "steps that run as one call",
                      .n_in = (int16_t)n_in,
                      .n_out = last->n_out,
                      .infer = infer,
                      .not_differentiable = true,
                      .effects = last->op->effects,
                      .own = f,
                      .flops = flops,
                      .variants = &f->variant,
                      .n_variants = 1};
    f->op.overwrites[0] = (int8_t)overwrites(f);
    for (int o = 0; o < last->n_out && o < TARE_OPERANDS; ++o)
        if (last->op->ties[o])
            f->op.ties[o] = (int8_t)(end->place[last->op->ties[o] - 1].at + 1);
    f->variant = (tare_variant){.name = first->variant->name,
                                .isa = first->variant->isa,
                                .set = first->variant->set,
                                .dtypes = UINT32_MAX,
                                .prepare = prepare,
                                .run = null ? first->variant->run : fused_run};
    if (f->led)
        memcpy(f->variant.in_strides, first->variant->in_strides, sizeof f->variant.in_strides);
}
