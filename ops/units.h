/* units.h - reductions that are no sums, and normalisations, over any axes of a contiguous tensor: units, parts, lanes.
 *
 * A unit is what one loop makes: one result (runs), or up to TARE_STRIPE results side by side (columns). Its elements
 * come in segments that lie together: a run, or a row of the stripe. A segment is gone over in blocks of 16 elements,
 * each with a state; runs have one state for all blocks, whose lanes are combined at the end in a fixed tree, columns
 * have one a block. So one body serves both: block i of a segment belongs to state i * step, step being 0 or 1.
 *
 * Where what makes a result is long, it is cut in parts of about TARE_CHUNK elements, each a piece that leaves two
 * float64 a result; combine merges the parts in their order. Sums run in float64. So an element's bits are a function
 * of the shape and the elements alone, the same on every instruction set.
 *
 * Not here: the plain sums, which have more to gain from shape (summation.c). */
#ifndef TARE_OPS_UNITS_H
#define TARE_OPS_UNITS_H

#include "reduction.h"
#include "rows.h"

enum {
    TARE_U_STRIPES = TARE_R_WORDS, /* units beside each other (columns) */
    TARE_U_UNITS,                  /* in all */
    TARE_U_GROUP,                  /* units of a piece, where they are not cut */
    TARE_U_SPLITS,                 /* parts of a unit; 1: it is not cut */
    TARE_U_PART,                   /* elements (runs) or rows (columns) of a part */
    TARE_U_SCRATCH,                /* index of the pieces' scratch among the addresses */
    TARE_U_OWN                     /* from here on a kernel's own words */
};
enum {
    TARE_STRIPE = 128, /* columns of a unit: with TARE_STRIPE_ROWS, TARE_CHUNK elements */
    TARE_STRIPE_ROWS = TARE_CHUNK / TARE_STRIPE,
    TARE_STRIPE_BLOCKS = TARE_STRIPE / TARE_BLOCK
};

/* Geometry and pieces for x gone over along the axes in `mask`; `cut`: long units may be cut in parts. */
void tare__prepare_units(const tare_args *, const tare_desc *x, uint32_t mask, bool cut, tare_work *);

typedef struct {
    const int64_t *g;
    int64_t base;       /* of its first element in x */
    int64_t result;     /* its first result */
    int64_t width;      /* results: 1 of runs */
    int64_t begin, end; /* the part: elements (runs) or rows (columns) */
} tare_unit;

static inline tare_unit tare_unit_of(const int64_t *g, int64_t i)
{
    tare_unit u = {.g = g, .result = i, .width = 1, .end = g[TARE_R_REDUCED]};
    if (g[TARE_R_KIND] == TARE_RUNS) {
        u.base = tare_outer_offset(g + TARE_R_KEPT, i);
        return u;
    }
    int64_t matrix = i / g[TARE_U_STRIPES], column = i % g[TARE_U_STRIPES] * TARE_STRIPE, left;
    left = g[TARE_R_INNER] - column;
    u.base = tare_outer_offset(g + TARE_R_KEPT, matrix) + column;
    u.result = matrix * g[TARE_R_INNER] + column;
    u.width = left < TARE_STRIPE ? left : TARE_STRIPE;
    return u;
}

/* for (each unit of the piece, or the part of one that it is) */
#define TARE_UNITS(c, piece, u)                                                                                        \
    for (tare_unit_range r_ = tare_unit_range_of(c, piece); r_.i < r_.end; r_.i = r_.end)                              \
        for (tare_unit u; r_.i < r_.end && (u = tare_unit_part((c)->g, r_.i, piece), true); ++r_.i)
typedef struct {
    int64_t i, end;
} tare_unit_range;

static inline tare_unit_range tare_unit_range_of(const tare_call *c, int64_t piece)
{
    const int64_t *g = c->g;
    tare_unit_range r = {piece / g[TARE_U_SPLITS] * g[TARE_U_GROUP], g[TARE_U_UNITS]};
    r.end = r.end < r.i + g[TARE_U_GROUP] ? r.end : r.i + g[TARE_U_GROUP];
    return r;
}

static inline tare_unit tare_unit_part(const int64_t *g, int64_t i, int64_t piece)
{
    tare_unit u = tare_unit_of(g, i);
    u.begin = piece % g[TARE_U_SPLITS] * g[TARE_U_PART];
    if (u.begin + g[TARE_U_PART] < u.end)
        u.end = u.begin + g[TARE_U_PART];
    return u;
}

/* The unit's next segment, at x + offset, n elements; false: there is none. */
typedef struct {
    int64_t offset, n, next;
} tare_segment;

static inline bool tare_segment_next(const tare_unit *u, const bool columns, tare_segment *s)
{
    const int64_t *g = u->g;
    if (s->next >= u->end)
        return false;
    if (columns) {
        s->offset = u->base + tare_outer_offset(g + TARE_R_SUMMED, s->next++);
        s->n = u->width;
        return true;
    }
    int64_t inner = g[TARE_R_INNER], run = s->next / inner, at = s->next - run * inner, left = u->end - s->next;
    s->offset = u->base + tare_outer_offset(g + TARE_R_SUMMED, run) + at;
    s->n = inner - at < left ? inner - at : left;
    s->next += s->n;
    return true;
}

/* States that a unit uses. */
static inline int64_t tare_unit_states(const tare_unit *u)
{
    return (u->width + TARE_BLOCK - 1) / TARE_BLOCK;
}

/* for (segments of u) for (blocks of the segment): s.offset + i is the block, k its state. */
#define TARE_SEGMENTS(u, columns, s)  for (tare_segment s = {.next = (u)->begin}; tare_segment_next(u, columns, &s);)
#define TARE_BLOCKS(s, columns, i, k) for (int64_t i = 0, k = 0; i < (s).n; i += TARE_BLOCK, k += (columns) ? 1 : 0)

/* body(..., columns) with a constant, so that each kind has a loop of its own. */
#define TARE_BY_KIND(g, body, ...)                                                                                     \
    do {                                                                                                               \
        if ((g)[TARE_R_KIND] == TARE_COLUMNS)                                                                          \
            body(__VA_ARGS__, true);                                                                                   \
        else                                                                                                           \
            body(__VA_ARGS__, false);                                                                                  \
    } while (0)
#define TARE_BODY static inline __attribute__((always_inline))

/* The products of the first n of 16 elements; 0 after them. */
static inline tare_block tare_block_product(const float *x, const float *y, int64_t n)
{
    tare_block a = tare_block_load(x, n, 0), b = tare_block_load(y, n, 0);
    for (int v = 0; v < TARE_BLOCK_VECTORS; ++v)
        a.v[v] *= b.v[v];
    return a;
}

/* ---- float64 lanes ----------------------------------------------------------------------------------------------*/
typedef double tare_vd __attribute__((vector_size(4 * TARE_LANES)));
enum { TARE_WIDE_VECTORS = 2 * TARE_BLOCK_VECTORS };
typedef struct {
    tare_vd v[TARE_WIDE_VECTORS];
} tare_wide; /* 16 float64 */

static inline tare_wide tare_wide_of(tare_block b)
{
    typedef float half __attribute__((vector_size(2 * TARE_LANES)));
    half h[TARE_WIDE_VECTORS];
    tare_wide w;
    memcpy(h, &b, sizeof h);
    for (int k = 0; k < TARE_WIDE_VECTORS; ++k)
        w.v[k] = __builtin_convertvector(h[k], tare_vd);
    return w;
}

static inline tare_block tare_block_of_wide(const tare_wide *w)
{
    typedef float half __attribute__((vector_size(2 * TARE_LANES)));
    half h[TARE_WIDE_VECTORS];
    tare_block b;
    for (int k = 0; k < TARE_WIDE_VECTORS; ++k)
        h[k] = __builtin_convertvector(w->v[k], half);
    memcpy(&b, h, sizeof b);
    return b;
}

/* Lanes k and k + 8, then k and k + 4, then the last four: as tare_block_sum. */
static inline double tare_wide_sum(const tare_wide *w)
{
    typedef double vd8 __attribute__((vector_size(64)));
    typedef double vd4 __attribute__((vector_size(32)));
    typedef double vd2 __attribute__((vector_size(16)));
    vd8 eight[2];
    vd4 four[2];
    vd2 two[2];
    memcpy(eight, w, sizeof eight);
    eight[0] += eight[1];
    memcpy(four, eight, sizeof four);
    four[0] += four[1];
    memcpy(two, four, sizeof two);
    two[0] += two[1];
    return two[0][0] + two[0][1];
}

static inline tare_wide tare_wide_square(tare_wide w)
{
    for (int v = 0; v < TARE_WIDE_VECTORS; ++v)
        w.v[v] *= w.v[v];
    return w;
}

/* sum[k] = the sum of `wide` over the blocks of state k; `wide`, a tare_wide, may read s.offset + i, s.n - i and k. */
#define TARE_SUM_UNIT(u, columns, sum, s, i, k, wide)                                                                  \
    do {                                                                                                               \
        memset(sum, 0, (size_t)tare_unit_states(u) * sizeof *(sum));                                                   \
        TARE_SEGMENTS(u, columns, s)                                                                                   \
        {                                                                                                              \
            TARE_BLOCKS(s, columns, i, k)                                                                              \
            {                                                                                                          \
                tare_wide wide_ = wide;                                                                                \
                for (int v_ = 0; v_ < TARE_WIDE_VECTORS; ++v_)                                                         \
                    (sum)[k].v[v_] += wide_.v[v_];                                                                     \
            }                                                                                                          \
        }                                                                                                              \
    } while (0)

/* A number a column as lanes that stand beside the elements; of runs the one number in all lanes. */
static inline void tare_unit_spread_wide(const tare_unit *u, const double *value, tare_wide *out, const bool columns)
{
    double *lane = (double *)out;
    for (int64_t j = 0; j < tare_unit_states(u) * TARE_BLOCK; ++j)
        lane[j] = !columns ? *value : j < u->width ? value[j] : 0;
}

/* The same in float32: a number a column as the blocks that stand beside the elements. */
static inline void tare_unit_spread(const tare_unit *u, const double *value, tare_block *out, const bool columns)
{
    if (!columns) {
        *out = tare_block_of((float)*value);
        return;
    }
    float lane[TARE_STRIPE] = {0};
    for (int64_t j = 0; j < u->width; ++j)
        lane[j] = (float)value[j];
    memcpy(out, lane, (size_t)tare_unit_states(u) * sizeof *out);
}

/* The sums of a unit's columns, or (runs) the sum of all lanes. */
static inline double tare_wide_at(const tare_wide *sum, int64_t column, const bool columns)
{
    return columns ? ((const double *)&sum[column / TARE_BLOCK])[column % TARE_BLOCK] : tare_wide_sum(sum);
}

/* ---- reductions: a part leaves two numbers a result --------------------------------------------------------------*/
typedef struct {
    double a, b;
} tare_pair;

/* A kernel's piece: fold(x, unit, partials) leaves the part's numbers; where units are whole, finish follows. */
#define TARE_REDUCE(c, piece, fold, finish)                                                                            \
    TARE_UNITS(c, piece, u_)                                                                                           \
    {                                                                                                                  \
        tare_pair own_[TARE_STRIPE], *partial_ = (c)->g[TARE_U_SPLITS] > 1 ? tare_pairs(c, piece) : own_;              \
        TARE_BY_KIND((c)->g, fold, (c)->ptr[0], &u_, partial_);                                                        \
        if ((c)->g[TARE_U_SPLITS] == 1)                                                                                \
            finish(c, &u_, partial_);                                                                                  \
    }

/* Where a part's piece leaves its numbers. */
static inline tare_pair *tare_pairs(const tare_call *c, int64_t piece)
{
    const int64_t *g = c->g;
    enum { LINE = TARE_ALIGNMENT / sizeof(tare_pair) };
    return (tare_pair *)c->ptr[g[TARE_U_SCRATCH]] + piece * (g[TARE_R_KIND] == TARE_COLUMNS ? TARE_STRIPE : LINE);
}

/* combine: merges a unit's parts in their order, then finishes. merge(into, n, from, n_from): two results of n and
 * n_from elements become one. */
typedef void tare_merge(tare_pair *into, int64_t n, const tare_pair *from, int64_t n_from);
typedef void tare_finish(const tare_call *, const tare_unit *, const tare_pair *);
int tare__reduce_combine(const tare_call *, tare_merge *, tare_finish *);

#endif
