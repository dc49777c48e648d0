/* summation.c - the kernel of sum, mean and sum_like: adding over any dimensions of a contiguous tensor.
 *
 * The dimensions are merged until kept and reduced ones alternate. Where the innermost is reduced, each result is
 * the sum over runs that lie together ("runs"); where it is kept, whole rows are added to each other ("columns").
 *
 * Order of the additions, a function of the shape alone and the same on every instruction set:
 *   runs     element i of a run goes to lane i mod 32; after at most 32 steps the lanes are added pairwise (16 + 16,
 *            8 + 8 ...) and the block's sum goes to a float64;
 *   columns  eight rows are added pairwise, the eights one after the other, up to 1024 rows; then float64.
 * So no float32 ever collects more than 128 summands in a row, and the error stays within 37 (runs) and 131
 * (columns) half units of the last place of the sum of the magnitudes; in practice about one.
 * (Pairwise and blocked summation: Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., ch. 4.) */
#include "reduction.h"

enum {
    G_KIND = TARE_R_KIND, /* RUNS, COLUMNS or FEW */
    G_INNER = TARE_R_INNER,
    G_REDUCED = TARE_R_REDUCED,
    G_KEPT = TARE_R_KEPT,
    G_SUMMED = TARE_R_SUMMED,
    G_DIVISOR = TARE_R_WORDS, /* bits of a double: 1, or the count for a mean */
    G_OUT,                    /* index of the output among the addresses; the pieces' scratch follows it */
    G_SPLITS,                 /* parts of what is reduced, each a piece; 1: a piece writes results, else partial sums */
    G_PART,                   /* elements or rows of a part */
    G_STRIPE,                 /* columns of a piece */
    G_STRIPES,                /* that many cover all */
    G_GROUP,                  /* where nothing is split: results (runs) or matrices (columns) of a piece */
    G_WORDS
};
enum { LANES = 32, STEPS = 32, VECTORS = LANES / TARE_LANES, ROWS_MOST = 1024, ROWS_LEAST = 128 };
/* FEW: columns, there is nothing outside the rows, and little in all. */
enum { COLUMNS = TARE_COLUMNS, RUNS = TARE_RUNS, FEW };
enum { STRIPE = 2048, FEW_RESULTS = 64, FEW_ROWS = 32, FEW_COLUMNS = 64 };

/* ---- runs -------------------------------------------------------------------------------------------------------*/

/* (0 + 8) + (4 + 12) ...: halves are added until one lane is left */
static inline float add_lanes(const tare_vf *sum)
{
    typedef float vf4 __attribute__((vector_size(16)));
    tare_vf v[VECTORS];
    memcpy(v, sum, sizeof v);
    for (int n = VECTORS / 2; n > 0; n /= 2)
        for (int k = 0; k < n; ++k)
            v[k] += v[k + n];
    vf4 q[TARE_LANES / 4];
    memcpy(q, v, sizeof q);
    for (int n = TARE_LANES / 8; n > 0; n /= 2)
        for (int k = 0; k < n; ++k)
            q[k] += q[k + n];
    return (q[0][0] + q[0][2]) + (q[0][1] + q[0][3]);
}

/* The first n elements, all lanes where n is larger, none where it is below 1 */
static inline tare_vf load_some(const float *p, int64_t n)
{
    return n >= TARE_LANES ? tare_load(p) : n > 0 ? tare_load_part(p, n) : (tare_vf){0};
}

/* A run of n <= LANES elements that is all of its result: what sum_runs makes of it, without the loops. */
static inline double sum_short(const float *x, int64_t n)
{
    tare_vf sum[VECTORS];
    for (int v = 0; v < VECTORS; ++v)
        sum[v] = (tare_vf){0} + load_some(x + v * TARE_LANES, n - v * TARE_LANES);
    return (double)add_lanes(sum);
}

/* Elements [begin, end) of those that make one result; x is the first of them. */
static __attribute__((noinline)) double sum_runs(const int64_t *g, const float *x, int64_t begin, int64_t end)
{
    tare_vf sum[VECTORS] = {{0}};
    int64_t inner = g[G_INNER], run = inner ? begin / inner : 0, at = begin - run * inner;
    int steps = 0;
    double total = 0;
    while (begin < end) {
        const float *p = x + tare_outer_offset(g + G_SUMMED, run++) + at;
        int64_t n = inner - at < end - begin ? inner - at : end - begin;
        begin += n;
        at = 0;
        while (n > 0) {
            int64_t whole = n / LANES < STEPS - steps ? n / LANES : STEPS - steps;
            for (int64_t s = 0; s < whole; ++s, p += LANES)
                for (int v = 0; v < VECTORS; ++v)
                    sum[v] += tare_load(p + v * TARE_LANES);
            n -= whole * LANES;
            steps += (int)whole;
            if (n < LANES && steps < STEPS) {
                for (int v = 0; v < VECTORS; ++v)
                    sum[v] += load_some(p + v * TARE_LANES, n - v * TARE_LANES);
                n = 0;
                ++steps;
            }
            if (steps == STEPS) {
                total += (double)add_lanes(sum);
                memset(sum, 0, sizeof sum);
                steps = 0;
            }
        }
    }
    return steps ? total + (double)add_lanes(sum) : total;
}

static __attribute__((noinline)) int runs_piece(const tare_call *c, int piece)
{
    const int64_t *g = c->g;
    const float *x = c->ptr[0];
    float *out = c->ptr[g[G_OUT]];
    const double divisor = tare_unbits(g[G_DIVISOR]);
    if (g[G_SPLITS] > 1) {
        /* part by part, so that a thread's share is all results' summands from one stretch of x, as it has them in what
         * goes over x from end to end */
        const int64_t part = piece / g[0], result = piece % g[0], begin = part * g[G_PART], end = begin + g[G_PART];
        double *partial = c->ptr[g[G_OUT] + 1];
        partial[8 * (result * g[G_SPLITS] + part)] =
            sum_runs(g, x + tare_outer_offset(g + G_KEPT, result), begin, end < g[G_REDUCED] ? end : g[G_REDUCED]);
        return 0;
    }
    int64_t o = piece * g[G_GROUP], end = o + g[G_GROUP] < g[0] ? o + g[G_GROUP] : g[0];
    const int64_t inner = g[G_INNER];
    if (inner <= LANES && inner == g[G_REDUCED])
        for (; o < end; ++o)
            out[o] = (float)(sum_short(x + tare_outer_offset(g + G_KEPT, o), inner) / divisor);
    else
        for (; o < end; ++o)
            out[o] = (float)(sum_runs(g, x + tare_outer_offset(g + G_KEPT, o), 0, g[G_REDUCED]) / divisor);
    return 0;
}

/* ---- columns ----------------------------------------------------------------------------------------------------*/

/* out[j] (+)= the sum of n rows at column j, j < width; n is a constant where this is called */
#define LOAD_FULL(p) tare_load((p) + j)
#define LOAD_PART(p) tare_load_part((p) + j, width - j)
#define SUM_1(load)  load(row[0])
#define SUM_2(load)  (SUM_1(load) + load(row[1]))
#define SUM_4(load)  (SUM_2(load) + (load(row[2]) + load(row[3])))
#define SUM_8(load)  (SUM_4(load) + ((load(row[4]) + load(row[5])) + (load(row[6]) + load(row[7]))))
#define ADD_ROWS(sum)                                                                                                  \
    do {                                                                                                               \
        int64_t j = 0;                                                                                                 \
        for (; j + TARE_LANES <= width; j += TARE_LANES)                                                               \
            tare_store(out + j, first ? sum(LOAD_FULL) : tare_load(out + j) + sum(LOAD_FULL));                         \
        if (j < width)                                                                                                 \
            tare_store_part(out + j, first ? sum(LOAD_PART) : LOAD_PART(out) + sum(LOAD_PART), width - j);             \
    } while (0)

/* Rows [begin, end) of `width` columns into out; x is the first element of row 0. */
static __attribute__((noinline)) void sum_columns(const int64_t *g, const float *x, float *out, int64_t begin,
                                                  int64_t end, int64_t width)
{
    if (begin >= end)
        memset(out, 0, (size_t)width * sizeof *out);
    for (bool first = true; begin < end; first = false) {
        const int64_t left = end - begin;
        const int n = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
        const float *row[8];
        for (int k = 0; k < n; ++k)
            row[k] = x + tare_outer_offset(g + G_SUMMED, begin + k);
        begin += n;
        if (n == 8)
            ADD_ROWS(SUM_8);
        else if (n == 4)
            ADD_ROWS(SUM_4);
        else if (n == 2)
            ADD_ROWS(SUM_2);
        else
            ADD_ROWS(SUM_1);
    }
}

/* The same order of additions for one vector of columns and few rows that lie `stride` apart, rows > 0: the bias
 * gradient of a small batch, which is to cost no more than its loads. */
#define ADD_FEW(load)                                                                                                  \
    do {                                                                                                               \
        const float *p = x + j;                                                                                        \
        bool first = true;                                                                                             \
        tare_vf sum = {0};                                                                                             \
        for (int64_t left = rows; left >= 8; left -= 8, p += 8 * stride, first = false)                                \
            sum = first ? FEW_8(load) : sum + FEW_8(load);                                                             \
        if (rows & 4) {                                                                                                \
            sum = first ? FEW_4(load, 0) : sum + FEW_4(load, 0);                                                       \
            p += 4 * stride;                                                                                           \
            first = false;                                                                                             \
        }                                                                                                              \
        if (rows & 2) {                                                                                                \
            sum = first ? FEW_2(load, 0) : sum + FEW_2(load, 0);                                                       \
            p += 2 * stride;                                                                                           \
            first = false;                                                                                             \
        }                                                                                                              \
        if (rows & 1)                                                                                                  \
            sum = first ? load(p) : sum + load(p);                                                                     \
        few = sum;                                                                                                     \
    } while (0)
#define FEW_2(load, k) (load(p + (k)*stride) + load(p + ((k) + 1) * stride))
#define FEW_4(load, k) (FEW_2(load, k) + FEW_2(load, (k) + 2))
#define FEW_8(load)    (FEW_4(load, 0) + FEW_4(load, 4))
#define FEW_FULL(p)    tare_load(p)
#define FEW_PART(p)    tare_load_part(p, width - j)
static inline void sum_few(const float *x, int64_t stride, int64_t rows, float *out, int64_t width)
{
    tare_vf few;
    int64_t j = 0;
    for (; j + TARE_LANES <= width; j += TARE_LANES) {
        ADD_FEW(FEW_FULL);
        tare_store(out + j, few);
    }
    if (j < width) {
        ADD_FEW(FEW_PART);
        tare_store_part(out + j, few, width - j);
    }
}

static __attribute__((noinline)) void divide_all(float *out, int64_t n, double divisor)
{
    tare_vf d = tare_broadcast((float)divisor);
    int64_t j = 0;
    for (; j + TARE_LANES <= n; j += TARE_LANES)
        tare_store(out + j, tare_load(out + j) / d);
    if (j < n)
        tare_store_part(out + j, tare_load_part(out + j, n - j) / d, n - j);
}

static inline void divide(float *out, int64_t n, double divisor)
{
    if (divisor != 1)
        divide_all(out, n, divisor);
}

/* Piece = (matrix, stripe of columns, part of the rows) */
static __attribute__((noinline)) int stripe_piece(const tare_call *c, int piece)
{
    const int64_t *g = c->g;
    int64_t width = g[G_INNER], stripes = g[G_STRIPES], splits = g[G_SPLITS];
    int64_t part = piece % splits, stripe = piece / splits % stripes, matrix = piece / splits / stripes;
    int64_t column = stripe * g[G_STRIPE], begin = part * g[G_PART], end = begin + g[G_PART];
    int64_t n = width - column < g[G_STRIPE] ? width - column : g[G_STRIPE];
    float *out = splits > 1 ? (float *)c->ptr[g[G_OUT] + 1] + piece * g[G_STRIPE]
                            : (float *)c->ptr[g[G_OUT]] + matrix * width + column;
    const float *x = (const float *)c->ptr[0] + tare_outer_offset(g + G_KEPT, matrix) + column;
    sum_columns(g, x, out, begin, end < g[G_REDUCED] ? end : g[G_REDUCED], n);
    if (splits == 1)
        divide(out, n, tare_unbits(g[G_DIVISOR]));
    return 0;
}

/* Piece = a group of matrices, each summed whole */
static __attribute__((noinline)) int matrices_piece(const tare_call *c, int piece)
{
    const int64_t *g = c->g;
    const int64_t width = g[G_INNER], m = piece * g[G_GROUP], end = m + g[G_GROUP];
    float *out = c->ptr[g[G_OUT]];
    for (int64_t i = m, at = m * width; i < end && at < g[0]; ++i, at += width) {
        sum_columns(g, (const float *)c->ptr[0] + tare_outer_offset(g + G_KEPT, i), out + at, 0, g[G_REDUCED], width);
        divide(out + at, width, tare_unbits(g[G_DIVISOR]));
    }
    return 0;
}

/* The one matrix of kind FEW */
static __attribute__((noinline)) int few_piece(const tare_call *c)
{
    const int64_t *g = c->g;
    float *out = c->ptr[g[G_OUT]];
    sum_few(c->ptr[0], g[G_SUMMED + TARE_OUTER], g[G_REDUCED], out, g[G_INNER]);
    divide(out, g[G_INNER], tare_unbits(g[G_DIVISOR]));
    return 0;
}

/* ---- the kernel: each kind in a function of its own, so that the small ones do not pay the large ones' frames
 * ------*/
int TARE_KERNEL(sum)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    if (c->g[G_KIND] == FEW)
        return few_piece(c);
    if (c->g[G_KIND] == RUNS)
        return runs_piece(c, piece);
    return c->g[G_STRIPES] * c->g[G_SPLITS] > 1 ? stripe_piece(c, piece) : matrices_piece(c, piece);
}

#ifdef TARE_PASS_RECORDS

/* Adds the partial sums of the parts, in their order, in float64: the same whatever the instruction set. */
int tare__sum_combine(const tare_call *c, int piece, int worker)
{
    (void)piece;
    (void)worker;
    const int64_t *g = c->g;
    int64_t splits = g[G_SPLITS];
    if (splits == 1)
        return 0;
    float *out = c->ptr[g[G_OUT]];
    double divisor = tare_unbits(g[G_DIVISOR]);
    if (g[G_KIND] == RUNS) {
        const double *partial = c->ptr[g[G_OUT] + 1];
        for (int64_t o = 0; o < g[0]; ++o) {
            double total = 0;
            for (int64_t s = 0; s < splits; ++s, partial += 8)
                total += *partial;
            out[o] = (float)(total / divisor);
        }
        return 0;
    }
    const float *partial = c->ptr[g[G_OUT] + 1];
    int64_t width = g[G_INNER], stripe = g[G_STRIPE];
    for (int64_t o = 0, column = 0; o < g[0]; partial += splits * stripe) {
        int64_t n = width - column < stripe ? width - column : stripe;
        for (int64_t j = 0; j < n; ++j) {
            double total = 0;
            for (int64_t s = 0; s < splits; ++s)
                total += (double)partial[s * stripe + j];
            out[o + j] = (float)(total / divisor);
        }
        o += n;
        column = column + n < width ? column + n : 0;
    }
    return 0;
}

/* ---- geometry ---------------------------------------------------------------------------------------------------*/
/* Of so many parts, each a multiple of `grain` but the last: nobody is to wait for one that is larger than the rest. */
static int64_t even(int64_t n, int64_t parts, int64_t grain)
{
    return tare_round_up((n + parts - 1) / parts, grain);
}

/* Pieces: see the enum of the geometry. Where there are few results, what makes one is split as well. */
static void cut(int64_t *g, tare_work *w)
{
    int64_t inner = g[G_INNER], reduced = g[G_REDUCED], most = reduced > 0 ? reduced : 1, n_pieces;
    if (g[G_KIND] == COLUMNS && g[0] == inner && inner <= FEW_COLUMNS && reduced > 0 && reduced <= FEW_ROWS &&
        reduced == g[G_SUMMED])
        g[G_KIND] = FEW;
    g[G_SPLITS] = 1;
    g[G_PART] = most;
    g[G_STRIPE] = inner > STRIPE ? STRIPE : inner > 0 ? inner : 1;
    g[G_STRIPES] = (inner + g[G_STRIPE] - 1) / g[G_STRIPE];
    if (g[G_KIND] == RUNS) {
        if (reduced > TARE_CHUNK && g[0] < FEW_RESULTS) {
            g[G_SPLITS] = (reduced + TARE_CHUNK - 1) / TARE_CHUNK;
            g[G_PART] = even(reduced, g[G_SPLITS], LANES);
            w->piece_bytes = 8 * sizeof(double);
        }
        g[G_GROUP] = TARE_CHUNK > most ? TARE_CHUNK / most : 1;
        n_pieces = g[G_SPLITS] > 1 ? g[0] * g[G_SPLITS] : (g[0] + g[G_GROUP] - 1) / g[G_GROUP];
    } else {
        int64_t part = TARE_CHUNK / g[G_STRIPE] / 8 * 8;
        part = part < ROWS_LEAST ? ROWS_LEAST : part > ROWS_MOST ? ROWS_MOST : part;
        int64_t matrices = inner ? g[0] / inner : 0, stripes = g[G_STRIPES];
        if (reduced > part) {
            g[G_SPLITS] = (reduced + part - 1) / part;
            g[G_PART] = even(reduced, g[G_SPLITS], 8);
            g[G_STRIPE] = (g[G_STRIPE] + 15) / 16 * 16; /* a partial row begins on a cache line */
            w->piece_bytes = (size_t)g[G_STRIPE] * sizeof(float);
        }
        int64_t matrix = most * (inner ? inner : 1);
        g[G_GROUP] = TARE_CHUNK > matrix ? TARE_CHUNK / matrix : 1;
        n_pieces =
            stripes * g[G_SPLITS] > 1 ? matrices * stripes * g[G_SPLITS] : (matrices + g[G_GROUP] - 1) / g[G_GROUP];
    }
    w->n_pieces = n_pieces > 1 ? (int32_t)n_pieces : 1;
    if (g[0] == 0 || n_pieces <= 1)
        g[G_SPLITS] = 1;
}

void tare__prepare_sum(const tare_args *a, uint32_t mask, double divisor, const tare_desc_ref *out, tare_work *w)
{
    const tare_desc *x = a->in[0];
    int64_t *g = w->g;
    (void)out;
    tare__prepare_merged(x, mask, g);
    g[G_DIVISOR] = tare_bits(divisor);
    g[G_OUT] = a->n_in;
    w->n_g = G_WORDS;
    cut(g, w);
}

/* ---- reference --------------------------------------------------------------------------------------------------*/
int tare__sum_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g;
    for (int64_t o = piece; o < g[0]; o += c->n_pieces) {
        double total = 0;
        for (int64_t r = 0; r < g[G_REDUCED]; ++r)
            total += tare_at(c->ptr[0], g[1], tare_reduced_offset(g, o, r));
        tare_put(c->ptr[g[G_OUT]], g[1], o, total / tare_unbits(g[G_DIVISOR]));
    }
    return 0;
}

#endif
