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
    G_DIVISOR = 2, /* bits of a double: 1, or the count for a mean */
    G_OUT,         /* index of the output among the addresses; the pieces' scratch follows it */
    G_RUNS,        /* whether the innermost dimension is reduced */
    G_INNER,       /* the innermost dimension */
    G_REDUCED,     /* runs: elements that make one result; columns: rows that are added */
    G_SPLITS,      /* parts of that, each a piece; 1: a piece writes results, else partial sums */
    G_PART,        /* elements or rows of a part */
    G_STRIPE,      /* columns of a piece */
    G_GROUP,       /* where nothing is split: results (runs) or matrices (columns) of a piece */
    G_KEPT,        /* outer kept dimensions, innermost first, then their strides */
    G_SUMMED = G_KEPT + 6,
    G_WORDS = G_SUMMED + 6
};
enum { OUTER = 3, LANES = 32, STEPS = 32, VECTORS = LANES / TARE_LANES, ROWS_MOST = 1024, ROWS_LEAST = 128 };
enum { STRIPE = 2048, FEW = 64 };

/* Element offset of index i into outer dimensions (G_KEPT or G_SUMMED). */
static inline int64_t offset_of(const int64_t *outer, int64_t i)
{
    if (i < outer[0])
        return i * outer[OUTER];
    int64_t offset = 0;
    for (int d = 0; d < OUTER && i > 0; ++d) {
        offset += i % outer[d] * outer[OUTER + d];
        i /= outer[d];
    }
    return offset;
}

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

/* Elements [begin, end) of those that make one result; x is the first of them. */
static inline double sum_runs(const int64_t *g, const float *x, int64_t begin, int64_t end)
{
    tare_vf sum[VECTORS] = {{0}};
    int64_t inner = g[G_INNER], run = inner ? begin / inner : 0, at = begin - run * inner;
    int steps = 0;
    double total = 0;
    while (begin < end) {
        const float *p = x + offset_of(g + G_SUMMED, run++) + at;
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
                for (int v = 0; v < VECTORS && n > 0; ++v, n -= TARE_LANES, p += TARE_LANES)
                    sum[v] += n >= TARE_LANES ? tare_load(p) : tare_load_part(p, n);
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

static inline void runs_piece(const tare_call *c, int piece)
{
    const int64_t *g = c->g;
    const float *x = c->ptr[0];
    float *out = c->ptr[g[G_OUT]];
    if (g[G_SPLITS] > 1) {
        int64_t begin = piece % g[G_SPLITS] * g[G_PART], end = begin + g[G_PART];
        double *partial = c->ptr[g[G_OUT] + 1];
        partial[8 * piece] =
            sum_runs(g, x + offset_of(g + G_KEPT, piece / g[G_SPLITS]), begin, end < g[G_REDUCED] ? end : g[G_REDUCED]);
        return;
    }
    int64_t o = piece * g[G_GROUP], end = o + g[G_GROUP] < g[0] ? o + g[G_GROUP] : g[0];
    for (; o < end; ++o)
        out[o] = (float)(sum_runs(g, x + offset_of(g + G_KEPT, o), 0, g[G_REDUCED]) / tare_unbits(g[G_DIVISOR]));
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
static inline void sum_columns(const int64_t *g, const float *x, float *out, int64_t begin, int64_t end, int64_t width)
{
    if (begin >= end)
        memset(out, 0, (size_t)width * sizeof *out);
    for (bool first = true; begin < end; first = false) {
        int64_t left = end - begin;
        int n = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
        const float *row[8];
        for (int k = 0; k < n; ++k)
            row[k] = x + offset_of(g + G_SUMMED, begin + k);
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

static inline void divide(float *out, int64_t n, double divisor)
{
    if (divisor == 1)
        return;
    tare_vf d = tare_broadcast((float)divisor);
    int64_t j = 0;
    for (; j + TARE_LANES <= n; j += TARE_LANES)
        tare_store(out + j, tare_load(out + j) / d);
    if (j < n)
        tare_store_part(out + j, tare_load_part(out + j, n - j) / d, n - j);
}

/* Piece = (matrix, stripe of columns, part of the rows), or, where each matrix has one, a group of matrices. */
static inline void columns_piece(const tare_call *c, int piece)
{
    const int64_t *g = c->g;
    const float *x = c->ptr[0];
    float *out = c->ptr[g[G_OUT]];
    double divisor = tare_unbits(g[G_DIVISOR]);
    int64_t width = g[G_INNER], stripes = (width + g[G_STRIPE] - 1) / g[G_STRIPE], splits = g[G_SPLITS];
    if (stripes * splits > 1) {
        int64_t part = piece % splits, stripe = piece / splits % stripes, matrix = piece / splits / stripes;
        int64_t column = stripe * g[G_STRIPE], begin = part * g[G_PART], end = begin + g[G_PART];
        int64_t n = width - column < g[G_STRIPE] ? width - column : g[G_STRIPE];
        float *to = out + matrix * width + column;
        if (splits > 1)
            to = (float *)c->ptr[g[G_OUT] + 1] + piece * g[G_STRIPE];
        sum_columns(g, x + offset_of(g + G_KEPT, matrix) + column, to, begin, end < g[G_REDUCED] ? end : g[G_REDUCED],
                    n);
        if (splits == 1)
            divide(to, n, divisor);
        return;
    }
    int64_t matrices = width ? g[0] / width : 0, m = piece * g[G_GROUP];
    int64_t end = m + g[G_GROUP] < matrices ? m + g[G_GROUP] : matrices;
    for (; m < end; ++m) {
        sum_columns(g, x + offset_of(g + G_KEPT, m), out + m * width, 0, g[G_REDUCED], width);
        divide(out + m * width, width, divisor);
    }
}

/* ---- the kernel -------------------------------------------------------------------------------------------------*/
int TARE_KERNEL(sum)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    if (c->g[G_RUNS])
        runs_piece(c, piece);
    else
        columns_piece(c, piece);
    return 0;
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
    if (g[G_RUNS]) {
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
static void add_dimension(int64_t *outer, int *n, int64_t dim, int64_t stride)
{
    outer[*n] = dim;
    outer[OUTER + (*n)++] = stride;
}

/* Merges x's dimensions: the innermost goes to G_INNER, the others to G_KEPT and G_SUMMED. */
static void merge(const tare_desc *x, uint32_t mask, int64_t *g)
{
    for (int d = 0; d < OUTER; ++d) {
        g[G_KEPT + d] = g[G_SUMMED + d] = 1;
        g[G_KEPT + OUTER + d] = g[G_SUMMED + OUTER + d] = 0;
    }
    int n_kept = 0, n_summed = 0;
    int64_t stride = 1, dim = 1, reduced = -1; /* of the merged dimension being grown; -1: there is none yet */
    bool inner = true;
    g[G_INNER] = 1;
    g[G_RUNS] = 0;
    for (int i = x->rank - 1; i >= -1; --i) {
        int64_t own = i >= 0 ? (int64_t)(mask >> i & 1) : -1;
        if (i >= 0 && (x->dim[i] == 1 || own == reduced)) {
            dim *= x->dim[i];
            continue;
        }
        if (reduced >= 0 && inner) {
            g[G_INNER] = dim;
            g[G_RUNS] = reduced;
            inner = false;
        } else if (reduced >= 0) {
            add_dimension(g + (reduced ? G_SUMMED : G_KEPT), reduced ? &n_summed : &n_kept, dim, stride);
        }
        stride *= dim;
        dim = i >= 0 ? x->dim[i] : 1;
        reduced = own;
    }
}

/* Pieces: see the enum of the geometry. Where there are few results, what makes one is split as well. */
static void cut(int64_t *g, tare_work *w)
{
    int64_t inner = g[G_INNER], reduced = g[G_REDUCED], most = reduced > 0 ? reduced : 1, n_pieces;
    g[G_SPLITS] = 1;
    g[G_PART] = most;
    g[G_STRIPE] = inner > STRIPE ? STRIPE : inner > 0 ? inner : 1;
    if (g[G_RUNS]) {
        if (reduced > TARE_CHUNK && g[0] < FEW) {
            g[G_PART] = TARE_CHUNK;
            g[G_SPLITS] = (reduced + TARE_CHUNK - 1) / TARE_CHUNK;
            w->piece_bytes = 8 * sizeof(double);
        }
        g[G_GROUP] = TARE_CHUNK > most ? TARE_CHUNK / most : 1;
        n_pieces = g[G_SPLITS] > 1 ? g[0] * g[G_SPLITS] : (g[0] + g[G_GROUP] - 1) / g[G_GROUP];
    } else {
        int64_t part = TARE_CHUNK / g[G_STRIPE] / 8 * 8;
        part = part < ROWS_LEAST ? ROWS_LEAST : part > ROWS_MOST ? ROWS_MOST : part;
        int64_t matrices = inner ? g[0] / inner : 0, stripes = (inner + g[G_STRIPE] - 1) / g[G_STRIPE];
        if (reduced > part) {
            g[G_PART] = part;
            g[G_SPLITS] = (reduced + part - 1) / part;
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
    g[0] = tare_desc_count(out[0]);
    g[1] = x->dtype;
    g[G_DIVISOR] = tare_bits(divisor);
    g[G_OUT] = a->n_in;
    merge(x, mask, g);
    g[G_REDUCED] = tare_axes_count(x, mask);
    w->n_g = G_WORDS;
    cut(g, w);
}

/* ---- reference --------------------------------------------------------------------------------------------------*/
int tare__sum_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g;
    int64_t inner = g[G_INNER];
    for (int64_t o = piece; o < g[0]; o += c->n_pieces) {
        double total = 0;
        for (int64_t r = 0; r < g[G_REDUCED]; ++r) {
            int64_t at = g[G_RUNS] ? offset_of(g + G_KEPT, o) + offset_of(g + G_SUMMED, r / inner) + r % inner
                                   : offset_of(g + G_KEPT, o / inner) + offset_of(g + G_SUMMED, r) + o % inner;
            total += tare_at(c->ptr[0], g[1], at);
        }
        tare_put(c->ptr[g[G_OUT]], g[1], o, total / tare_unbits(g[G_DIVISOR]));
    }
    return 0;
}

#endif
