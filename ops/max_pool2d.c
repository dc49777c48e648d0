/* max_pool2d.c - the largest of each window of a plane, and where it stood.
 *
 * Ties, NaN and infinities as in PyTorch: the first of equal maxima in row order, but any NaN wins, the last one; a
 * window of nothing but -infinity names its first element. A window is clipped to the plane, so padding never wins.
 *
 * The maximum over a window is that over its rows' maxima, ties and NaN included, and a row of the plane belongs to
 * several windows: its maxima over the windows' width are made once and wait. How long depends on how the windows go.
 *
 * One around each element (SAME): the plane is one row of vectors, whatever its width, first for the maxima of three
 * elements in a row, then for those of three such maxima a width apart; masks say which neighbours are none. Two apart
 * (HALVED): a row of the plane is met by two rows of windows at most, so one row of maxima waits, in its place. Others:
 * a ring of as many rows as a window is high. Where columns are padded, rows are copied between -infinities, several
 * ahead of their use: a load waits long for bytes that have just been stored in other portions.
 *
 * What is read and written some pages on is asked for early: planes are short, and the processor's own prefetching ends
 * with a page. A piece is a group of planes. */
#include "pool2d.h"

enum { G_WIDE = G_WORDS, G_PADDED, G_RING, G_INSIDE, G_MAX_WORDS };
/* g[G_WIDE]: windows of a row, to whole vectors of any instruction set; SAME: those of a plane. g[G_PADDED]: a row
 * between its infinities, for whole vectors of windows; SAME: a row, likewise. g[G_RING]: rows of maxima that wait;
 * g[G_INSIDE]: no window leaves its row */
enum { AHEAD = 8, SAME_MOST = 1 << 14 };

/* x, which stands at is_at, in the place of a best that it beats */
static inline void meet(tare_vf is, tare_vi is_at, tare_vf *best, tare_vi *at)
{
    const tare_vi wins = (is > *best) | (is != is);
    *best = tare_select(wins, is, *best);
    *at = (is_at & wins) | (*at & ~wins);
}

static inline tare_vf infinities(void)
{
    return tare_broadcast(-__builtin_inff());
}

static inline void store_at(int32_t *p, tare_vi at, int64_t left)
{
    store_some((float *)(void *)p, (tare_vf)at, left);
}

/* The results from o on are to be written soon. */
static inline void soon(const float *y, const int32_t *index, int64_t o)
{
    __builtin_prefetch(y + o, 1);
    if (index)
        __builtin_prefetch(index + o, 1);
}

/* ---- one window around each element -----------------------------------------------------------------------------*/

/* A worker's scratch; each to whole vectors. */
typedef struct {
    float *best;           /* [H + 2,W] from row -1 on: the maxima of three in a row, -infinity around them */
    int32_t *where;        /* and their places */
    int32_t *left, *right; /* [H,W]: all bits where an element has such a neighbour */
    float *copy;           /* [H,W]: of a plane whose neighbours in memory are not x's, one element before it */
} around;

/* Its floats: five of a plane, of which two have a row before and behind, and the copy a vector. */
static inline int64_t around_room(const int64_t *g)
{
    return 5 * g[G_WIDE] + 4 * g[G_PADDED] + 2 * WIDEST + TARE_WORKERS_APART / 4;
}

static inline around around_of(const tare_call *c, int worker)
{
    const int64_t *g = c->g, width = g[G_W], size = g[G_H] * width, front = g[G_PADDED], room = g[G_WIDE];
    float *at = (float *)c->ptr[4] + worker * around_room(g);
    const around r = {at + front, (int32_t *)(void *)(at + room + 3 * front),
                      (int32_t *)(void *)(at + 2 * room + 4 * front), (int32_t *)(void *)(at + 3 * room + 4 * front),
                      at + 4 * room + 4 * front + WIDEST};
    memset(r.left, 0xff, (size_t)(2 * room) * sizeof *r.left);
    for (int64_t row = 0; row < size; row += width)
        r.left[row] = r.right[row + width - 1] = 0;
    for (int64_t j = 0; j < width; ++j) {
        r.best[j - width] = r.best[size + j] = -__builtin_inff();
        r.where[j - width] = (int32_t)j + r.left[j];
        r.where[size + j] = 0;
    }
    return r;
}

/* Of x's planes, number `plane`, or its copy: readable from the element before it on, to whole vectors. */
static inline const float *surrounded(const int64_t *g, const around *r, const float *x, int64_t plane)
{
    const int64_t size = g[G_H] * g[G_W], from = plane * size;
    if (from > 0 && from + size + WIDEST <= g[G_PLANES] * size)
        return x + from;
    return memcpy(r->copy, x + from, (size_t)size * sizeof *x);
}

static inline __attribute__((always_inline)) void same_plane(const int64_t *g, const around *r, const float *x,
                                                             float *y, int32_t *index)
{
    const int64_t width = g[G_W], size = g[G_H] * width;
    for (int64_t i = 0; i < size; i += TARE_LANES) {
        const tare_vi left = load_at(r->left + i), here = places(i, 1);
        soon(y, index, i);
        tare_vf best = tare_select(left, tare_load(x + i - 1), infinities());
        tare_vi at = here + left;
        meet(tare_load(x + i), here, &best, &at);
        meet(tare_select(load_at(r->right + i), tare_load(x + i + 1), infinities()), here + 1, &best, &at);
        store_some(r->best + i, best, size - i);
        store_at(r->where + i, at, size - i);
    }
    for (int64_t i = 0; i < size; i += TARE_LANES) {
        tare_vf best = tare_load(r->best + i - width);
        tare_vi at = load_at(r->where + i - width);
        __builtin_prefetch(x + size + size + i);
        meet(tare_load(r->best + i), load_at(r->where + i), &best, &at);
        meet(tare_load(r->best + i + width), load_at(r->where + i + width), &best, &at);
        store_some(y + i, best, size - i);
        if (index)
            store_at(index + i, at, size - i);
    }
}

/* An index that nobody asks for is not kept. */
static inline void same(const int64_t *g, const around *r, const float *x, float *y, int32_t *index)
{
    if (index)
        same_plane(g, r, x, y, index);
    else
        same_plane(g, r, x, y, NULL);
}

/* ---- two apart, and others
 * -----------------------------------------------------------------------------------------------------*/

/* A worker's scratch. */
typedef struct {
    float *padded;  /* [AHEAD,G_PADDED]: row i's at i % AHEAD */
    float *best;    /* [G_RING,G_WIDE]: a row's maxima over the width of each window */
    int32_t *where; /* [G_RING,G_WIDE]: the places where they stood; in a ring, their columns */
} rows;

/* Floats of it. */
static inline int64_t rows_room(const int64_t *g)
{
    return AHEAD * g[G_PADDED] + 2 * g[G_RING] * g[G_WIDE] + TARE_WORKERS_APART / 4;
}

static inline rows rows_of(const tare_call *c, int worker)
{
    const int64_t *g = c->g, padded = AHEAD * g[G_PADDED], ring = g[G_RING] * g[G_WIDE];
    float *at = (float *)c->ptr[4] + worker * rows_room(g);
    for (int64_t i = 0; i < padded; ++i)
        at[i] = -__builtin_inff();
    return (rows){at, at + padded, (int32_t *)(void *)(at + padded + ring)};
}

/* The maxima of the three elements from p on, and of every other three behind them; their places: columns from `column`
 * on, clipped to the plane, and what there is before the row's first. */
static inline void threes(const float *p, int64_t column, int64_t before, tare_vf *best, tare_vi *at)
{
    const tare_vi columns = places(column, 2);
    tare_vf odd;
    load_pairs(p, 2 * TARE_LANES, best, &odd);
    *at = (columns & (columns > 0)) + (int32_t)before;
    meet(odd, columns + (int32_t)(before + 1), best, at);
    meet(load_every(p + 2, 2, 2 * TARE_LANES), columns + (int32_t)(before + 2), best, at);
}

/* Padded rows up to `end` are there. */
static inline int64_t pad_rows(const int64_t *g, const rows *r, const float *x, int64_t done, int64_t end)
{
    for (; done < g[G_H] && done < end; ++done)
        copy_row(x + done * g[G_W], g[G_W], r->padded + done % AHEAD * g[G_PADDED] + g[G_PAD_W]);
    return done;
}

/* Row i from column -pad on, to whole vectors of windows. */
static inline const float *halved_row(const int64_t *g, const rows *r, const float *x, int64_t i, const bool padded)
{
    return padded ? r->padded + i % AHEAD * g[G_PADDED] : x + i * g[G_W];
}

/* What waits of row 0; of the padding above it, -infinity at the places of row 0. */
static inline void halved_begin(const int64_t *g, const rows *r, const float *row)
{
    for (int64_t ow = 0; ow < g[G_OUT_W]; ow += TARE_LANES) {
        const tare_vi columns = places(2 * ow - g[G_PAD_W], 2);
        tare_vf best = infinities();
        tare_vi at = columns & (columns > 0);
        if (g[G_PAD_H] == 0)
            threes(row + 2 * ow, 2 * ow - g[G_PAD_W], 0, &best, &at);
        tare_store(r->best + ow, best);
        memcpy(r->where + ow, &at, sizeof at);
    }
}

/* A row of windows: of its three rows of x the first waits, `more` others are there, and the third then waits. */
static inline __attribute__((always_inline)) void halved_windows(const int64_t *g, const rows *r, const float *x,
                                                                 int64_t second, const int more, const bool padded,
                                                                 float *y, int32_t *index)
{
    const float *row_2 = halved_row(g, r, x, second, padded), *row_3 = halved_row(g, r, x, second + 1, padded);
    const int64_t before = second * g[G_W];
    for (int64_t ow = 0, left = g[G_OUT_W]; left > 0; ow += TARE_LANES, left -= TARE_LANES) {
        const int64_t column = 2 * ow - g[G_PAD_W];
        tare_vf best = tare_load(r->best + ow), is;
        tare_vi at = load_at(r->where + ow), is_at;
        for (int64_t line = 0; line < 2 * TARE_LANES && !padded; line += LINE) {
            __builtin_prefetch(row_2 + 2 * ow + line + LATER);
            __builtin_prefetch(row_3 + 2 * ow + line + LATER);
        }
        soon(y, index, ow + LATER / 4);
        if (more > 0) {
            threes(row_2 + 2 * ow, column, before, &is, &is_at);
            meet(is, is_at, &best, &at);
        }
        if (more > 1) {
            threes(row_3 + 2 * ow, column, before + g[G_W], &is, &is_at);
            tare_store(r->best + ow, is);
            memcpy(r->where + ow, &is_at, sizeof is_at);
            meet(is, is_at, &best, &at);
        }
        store_some(y + ow, best, left);
        if (index)
            store_at(index + ow, at, left);
    }
}

static inline __attribute__((always_inline)) void halved_plane(const int64_t *g, const rows *r, const float *x,
                                                               const bool padded, float *y, int32_t *index)
{
    int64_t done = padded ? pad_rows(g, r, x, 0, AHEAD) : 0;
    halved_begin(g, r, halved_row(g, r, x, 0, padded));
    for (int64_t oh = 0; oh < g[G_OUT_H]; ++oh, y += g[G_OUT_W], index += index ? g[G_OUT_W] : 0) {
        const int64_t second = 2 * oh - g[G_PAD_H] + 1, more = g[G_H] - second;
        if (padded)
            done = pad_rows(g, r, x, done, second + AHEAD);
        if (more > 1)
            halved_windows(g, r, x, second, 2, padded, y, index);
        else
            halved_windows(g, r, x, second, (int)more, padded, y, index);
    }
}

static inline void halved(const int64_t *g, const rows *r, const float *x, bool readable, float *y, int32_t *index)
{
    if (readable && index)
        halved_plane(g, r, x, false, y, index);
    else if (readable)
        halved_plane(g, r, x, false, y, NULL);
    else if (index)
        halved_plane(g, r, x, true, y, index);
    else
        halved_plane(g, r, x, true, y, NULL);
}

/* Whether a plane's rows can be read as they lie: no window is clipped, and vectors that go beyond stay in x. */
static inline bool readable(const int64_t *g, int64_t plane)
{
    return g[G_INSIDE] && (plane * g[G_H] + g[G_H] - 1) * g[G_W] + g[G_PADDED] <= g[G_PLANES] * g[G_H] * g[G_W];
}

/* The maxima of a row over the width of each window, and their columns. */
static inline void row_maxima(const int64_t *g, const float *padded, float *best, int32_t *where)
{
    const int64_t stride = g[G_STRIDE_W];
    for (int64_t ow = 0; ow < g[G_OUT_W]; ow += TARE_LANES) {
        tare_vi column = places(ow * stride - g[G_PAD_W], stride), at = column & (column > 0);
        tare_vf most = infinities();
        for (int64_t k = 0; k < g[G_KERNEL_W]; ++k, column += 1)
            meet(load_every(padded + ow * stride + k, stride, TARE_LANES * stride), column, &most, &at);
        tare_store(best + ow, most);
        memcpy(where + ow, &at, sizeof at);
    }
}

/* A row of windows from the maxima of the rows that it has. */
static inline void window_row(const int64_t *g, const rows *r, span h, float *y, int32_t *index)
{
    const int64_t first = h.from % g[G_RING] * g[G_WIDE], end = g[G_RING] * g[G_WIDE];
    for (int64_t ow = 0; ow < g[G_OUT_W]; ow += TARE_LANES) {
        int64_t slot = first + ow, below = h.from * g[G_W];
        tare_vf best = tare_load(r->best + slot);
        tare_vi at = load_at(r->where + slot) + (int32_t)below;
        for (int64_t i = h.from + 1; i < h.end; ++i) {
            slot += slot + g[G_WIDE] < end ? g[G_WIDE] : g[G_WIDE] - end;
            below += g[G_W];
            meet(tare_load(r->best + slot), load_at(r->where + slot) + (int32_t)below, &best, &at);
        }
        store_some(y + ow, best, g[G_OUT_W] - ow);
        if (index)
            store_at(index + ow, at, g[G_OUT_W] - ow);
    }
}

static inline void ring_plane(const int64_t *g, const rows *r, const float *x, float *y, int32_t *index)
{
    int64_t next = 0, padded = 0; /* rows whose maxima are made; that are between their infinities */
    for (int64_t oh = 0; oh < g[G_OUT_H]; ++oh) {
        const span h = span_of(oh, g[G_STRIDE_H], g[G_PAD_H], g[G_KERNEL_H], g[G_H]);
        next = next > h.from ? next : h.from;
        padded = padded > next ? padded : next;
        for (; next < h.end; ++next) {
            const int64_t slot = next % g[G_RING] * g[G_WIDE];
            padded = pad_rows(g, r, x, padded, next + AHEAD);
            row_maxima(g, r->padded + next % AHEAD * g[G_PADDED], r->best + slot, r->where + slot);
        }
        window_row(g, r, h, y + oh * g[G_OUT_W], index ? index + oh * g[G_OUT_W] : NULL);
    }
}

/* A row of windows of 2x2 from two rows of the plane. */
static inline void quarters(const int64_t *g, const float *plane, int64_t oh, float *y, int32_t *index)
{
    const int32_t width = (int32_t)g[G_W];
    for (int64_t ow = 0; ow < g[G_OUT_W]; ow += TARE_LANES) {
        const int64_t n = g[G_OUT_W] - ow < TARE_LANES ? g[G_OUT_W] - ow : TARE_LANES, from = 2 * (oh * g[G_W] + ow);
        tare_vf best, b, c, d;
        for (int64_t line = from; line < from + 2 * TARE_LANES; line += LINE) {
            __builtin_prefetch(plane + line + LATER);
            __builtin_prefetch(plane + line + width + LATER);
        }
        soon(y, index, ow + LATER / 4);
        load_pairs(plane + from, 2 * n, &best, &b);
        load_pairs(plane + from + width, 2 * n, &c, &d);
        const tare_vi first = places(from, 2);
        tare_vi at = first;
        meet(b, first + 1, &best, &at);
        meet(c, first + width, &best, &at);
        meet(d, first + (width + 1), &best, &at);
        store_some(y + ow, best, n);
        if (index)
            store_at(index + ow, at, n);
    }
}

TARE_KERNEL_DECLARE(max_pool2d);
int TARE_KERNEL(max_pool2d)(const tare_call *c, int piece, int worker)
{
    const int64_t *g = c->g, size = g[G_H] * g[G_W], out_size = g[G_OUT_H] * g[G_OUT_W], way = g[G_WAY];
    const around near = way == SAME ? around_of(c, worker) : (around){0};
    const rows r = way == HALVED || way == OTHERWISE ? rows_of(c, worker) : (rows){0};
    for (planes p = planes_of(c, piece); p.plane < p.end; ++p.plane) {
        const float *x = (const float *)c->ptr[0] + p.plane * size; /* [N,C,H,W] */
        float *y = (float *)c->ptr[1] + p.plane * out_size;         /* [N,C,OH,OW] */
        int32_t *index = c->ptr[2];                                 /* the same, or NULL: not wanted */
        index = index ? index + p.plane * out_size : NULL;
        if (way == SAME)
            same(g, &near, surrounded(g, &near, c->ptr[0], p.plane), y, index);
        else if (way == HALVED)
            halved(g, &r, x, readable(g, p.plane), y, index);
        else if (way == OTHERWISE)
            ring_plane(g, &r, x, y, index);
        else
            for (int64_t oh = 0; oh < g[G_OUT_H]; ++oh)
                quarters(g, x, oh, y + oh * g[G_OUT_W], index ? index + oh * g[G_OUT_W] : NULL);
    }
    return 0;
}

#ifdef TARE_PASS_RECORDS

static int max_pool2d_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g, size = g[G_H] * g[G_W], out_size = g[G_OUT_H] * g[G_OUT_W];
    int32_t *index = c->ptr[2];
    for (planes p = planes_of(c, piece); p.plane < p.end; ++p.plane)
        for (int64_t o = 0; o < out_size; ++o) {
            span h = span_of(o / g[G_OUT_W], g[G_STRIDE_H], g[G_PAD_H], g[G_KERNEL_H], g[G_H]);
            span w = span_of(o % g[G_OUT_W], g[G_STRIDE_W], g[G_PAD_W], g[G_KERNEL_W], g[G_W]);
            int64_t at = h.from * g[G_W] + w.from;
            double best = -__builtin_inf();
            for (int64_t i = h.from; i < h.end; ++i)
                for (int64_t j = w.from; j < w.end; ++j) {
                    double is = tare_at(c->ptr[0], g[1], p.plane * size + i * g[G_W] + j);
                    bool wins = is > best || is != is;
                    best = wins ? is : best;
                    at = wins ? i * g[G_W] + j : at;
                }
            tare_put(c->ptr[1], g[1], p.plane * out_size + o, best);
            if (index)
                index[p.plane * out_size + o] = (int32_t)at;
        }
    return 0;
}

/* ---- inference and geometry -------------------------------------------------------------------------------------*/
static tare_status max_pool2d_infer(const tare_args *a, const tare_desc_out *out)
{
    tare_status status = tare__pool_check(a, a->in[0], "input 0");
    if (status == TARE_OK)
        status = tare__pool_infer(a, a->in[0], out[0]);
    if (status == TARE_OK) {
        *out[1] = *out[0];
        out[1]->dtype = TARE_I32;
    }
    return status;
}

static void prepare_max_pool2d(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    tare__pool_windows(a, a->in[0], out[0], out[0], w);
    int64_t *g = w->g;
    w->n_g = G_MAX_WORDS;
    if (g[G_WAY] == SAME && g[G_H] * g[G_W] > SAME_MOST)
        g[G_WAY] = OTHERWISE;
    if (g[G_WAY] == SAME) {
        g[G_WIDE] = whole(g[G_H] * g[G_W]);
        g[G_PADDED] = whole(g[G_W]);
        w->worker_bytes = (size_t)around_room(g) * sizeof(float);
        return;
    }
    if (g[G_WAY] == QUARTERED)
        return;
    g[G_WIDE] = whole(g[G_OUT_W]);
    g[G_RING] = g[G_WAY] == HALVED ? 1 : g[G_KERNEL_H] < g[G_H] ? g[G_KERNEL_H] : g[G_H];
    /* the last vector of windows ends here, or the row does */
    const int64_t read = g[G_WIDE] * g[G_STRIDE_W] + g[G_KERNEL_W], row = g[G_PAD_W] + g[G_W];
    g[G_INSIDE] = g[G_PAD_W] == 0 && (g[G_OUT_W] - 1) * g[G_STRIDE_W] + g[G_KERNEL_W] <= g[G_W];
    g[G_PADDED] = whole(read > row ? read : row);
    w->worker_bytes = (size_t)rows_room(g) * sizeof(float);
}

/* ---- records ----------------------------------------------------------------------------------------------------*/
static void max_pool2d_gradient(tare_builder *b)
{
    tare_contribute(b, 0, tare_max_pool2d_grad(b->mode, tare_head(b, 0), tare_output(b, 1), tare_input(b, 0)));
}

const tare_op tare_op_max_pool2d = {
    .name = "max_pool2d",
    .doc = "y = the largest of each window of a plane; x [N,C,H,W], y [N,C,OH,OW]; auxiliary: where it stood in the "
           "plane, int32 [N,C,OH,OW]. A NaN is larger than all",
    .n_in = 1,
    .n_out = 1,
    .n_aux = 1,
    .attrs = tare__pool_attrs,
    .n_attrs = TARE_POOL_ATTRS,
    .attr_bytes = sizeof(tare_max_pool2d_attr),
    .infer = max_pool2d_infer,
    .gradient = max_pool2d_gradient,
    .needs_out = 2,
    .variants =
        (const tare_variant[]){TARE_NATIVE(max_pool2d, "", .dtypes = TARE_BIT(TARE_F32), .prepare = prepare_max_pool2d),
                               TARE_REFERENCE(max_pool2d_reference, .prepare = prepare_max_pool2d)},
    .n_variants = TARE_N_NATIVE + 1,
    TARE_SAMPLES(
        {TARE_SAMPLE_CHECK, "f32[2,3,6,8]", NULL, NULL},
        {TARE_SAMPLE_CHECK, "f32[1,2,7,9]", "kernel_h=3,kernel_w=3,stride_h=2,stride_w=2,pad_h=1,pad_w=1", NULL},
        {TARE_SAMPLE_CHECK, "f32[1,2,5,40]", "kernel_h=3,kernel_w=3,stride_h=1,stride_w=1,pad_h=1,pad_w=1", NULL},
        {TARE_SAMPLE_CHECK, "f32[3,4,13,13]", "kernel_h=3,kernel_w=3,stride_h=1,stride_w=1,pad_h=1,pad_w=1", NULL},
        {TARE_SAMPLE_CHECK, "f32[2,3,4,6]",
         "kernel_h=3,kernel_w=3,stride_h=2,stride_w=2,pad_h=1,pad_w=1,ceil_mode=true", NULL},
        {TARE_SAMPLE_CHECK, "f32[2,3,6,8]", "kernel_h=3,kernel_w=3,stride_h=2,stride_w=2,ceil_mode=true", NULL},
        {TARE_SAMPLE_CHECK, "f32[1,1,4,75]", NULL, NULL},
        {TARE_SAMPLE_CHECK, "f32[1,1,5,110]", "kernel_h=2,kernel_w=4,stride_h=3,stride_w=3,ceil_mode=true", NULL},
        {TARE_SAMPLE_CHECK, "f32[1,1,6,7]", "kernel_h=3,kernel_w=2,ceil_mode=true", NULL},
        {TARE_SAMPLE_CHECK, "f32[3,4,41,41]", "kernel_h=3,kernel_w=3,stride_h=2,stride_w=2", NULL},
        {TARE_SAMPLE_CHECK, "f32[0,4,4,4]", NULL, NULL}, {TARE_SAMPLE_BENCH, "f32[64,20,24,24]", NULL, NULL},
        {TARE_SAMPLE_BENCH, "f32[8,64,56,56]", "kernel_h=3,kernel_w=3,stride_h=2,stride_w=2,pad_h=1,pad_w=1", NULL},
        {TARE_SAMPLE_BENCH, "f32[8,64,28,28]", "kernel_h=3,kernel_w=3,stride_h=1,stride_w=1,pad_h=1,pad_w=1", NULL},
        {TARE_SAMPLE_REJECT, "f32[3,4,4]", NULL, "input 0 is [3,4,4] (need [N,C,H,W])"},
        {TARE_SAMPLE_REJECT, "i32[1,1,4,4]", NULL, "input 0 is int32 (need float32 or float64)"},
        {TARE_SAMPLE_REJECT, "f32[1,1,4,4]", "kernel_h=5", "no window 5,2 with padding 0,0 fits into [1,1,4,4]"},
        {TARE_SAMPLE_REJECT, "f32[1,1,4,4]", "kernel_h=3,pad_h=2", "padding 2,0 is more than half"},
        {TARE_SAMPLE_REJECT, "f32[1,1,4,4]", "stride_h=-1", "stride_h is -1"},
        {TARE_SAMPLE_REJECT, "f32[1,1,4,4]", "kernel_w=0", "kernel_w"}),
};

#endif
