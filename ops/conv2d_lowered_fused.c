/* conv2d_lowered_fused.c - convolution and its gradient to data by register tiles on a lowered image.
 *
 *     y[k,o] = bias[k] + sum over t of  w[k,t] lowered[offset(t) + o]           t = (c,r,s), o = (oh,ow)
 *     lowered'[offset(t) + o] += sum over k of  w[k,t] dy[k,o],   then dx is raised from lowered'
 *
 * The tile is up to 8 rows (of k, or of t) by 3 vectors of outputs; a weight is broadcast, operands are read in place.
 * An element is one chain of fused multiply-adds over t (over k, then added up over r, then s), whatever the tile, so
 * no bit depends on where it stands. (So the gradient's tiles are of taps in one row of the kernel: two rows meet the
 * same place of lowered' from different outputs.) A piece is a run of images. */
#include "conv2d_lowered.h"

enum { VECTORS = 3, ROWS = TARE_LANES == 16 ? 8 : 4 };

/* What a tile works on; the tile's function knows its size. */
typedef struct {
    int64_t n;
    const float *a;
    int64_t a_row, a_step; /* from row to row (forward), from k to k (gradient) */
    const float *b;
    int64_t b_step;
    const int64_t *offset, *place; /* of the taps: forward all of them, gradient the tile's */
    const float *bias;             /* of the tile's rows; NULL: none */
    float *to;
    int64_t to_row, part; /* outputs of the last vector */
} job;

/* acc[rows][n_vectors] = sum over i < n of row[r][i a_step] b_i, b_i at b + offset[i] or, without offsets, b + i
 * b_step; part != 0: that many elements of a single vector are read. */
TARE_ALWAYS_INLINE void multiply(int rows, int n_vectors, int64_t part, int64_t n, const float *const *row,
                                 int64_t a_step, const float *b, const int64_t *offset, int64_t b_step,
                                 tare_vf acc[ROWS][VECTORS])
{
    TARE_UNROLL
    for (int r = 0; r < rows; r++) {
        TARE_UNROLL
        for (int v = 0; v < n_vectors; v++)
            acc[r][v] = (tare_vf){0};
    }
    for (int64_t i = 0, at = 0; i < n; i++, at += a_step) {
        const float *from = offset ? b + offset[i] : b;
        tare_vf column[VECTORS];
        TARE_UNROLL
        for (int v = 0; v < n_vectors; v++)
            column[v] = part ? gemm_load_part(from, part) : tare_load(from + v * TARE_LANES);
        TARE_UNROLL
        for (int r = 0; r < rows; r++) {
            tare_vf x = tare_broadcast(row[r][at]);
            TARE_UNROLL
            for (int v = 0; v < n_vectors; v++)
                acc[r][v] = gemm_fma(x, column[v], acc[r][v]);
        }
        b += b_step;
    }
}

TARE_ALWAYS_INLINE void forward_tile(int rows, int n_vectors, int64_t part, const job *j)
{
    tare_vf acc[ROWS][VECTORS];
    const float *row[ROWS];
    TARE_UNROLL
    for (int r = 0; r < rows; r++)
        row[r] = j->a + r * j->a_row;
    multiply(rows, n_vectors, 0, j->n, row, 1, j->b, j->offset, 0, acc);
    TARE_UNROLL
    for (int r = 0; r < rows; r++) {
        TARE_UNROLL
        for (int v = 0; v < n_vectors; v++) {
            float *to = j->to + r * j->to_row + v * TARE_LANES;
            tare_vf sum = j->bias ? acc[r][v] + tare_broadcast(j->bias[r]) : acc[r][v];
            if (part)
                gemm_store_part(to, sum, part);
            else
                tare_store(to, sum);
        }
    }
}

TARE_ALWAYS_INLINE void data_tile(int rows, int n_vectors, int64_t part, const job *j)
{
    tare_vf acc[ROWS][VECTORS];
    const float *row[ROWS];
    TARE_UNROLL
    for (int r = 0; r < rows; r++)
        row[r] = j->a + j->place[r];
    multiply(rows, n_vectors, part, j->n, row, j->a_step, j->b, NULL, j->b_step, acc);
    TARE_UNROLL
    for (int r = 0; r < rows; r++) {
        TARE_UNROLL
        for (int v = 0; v < n_vectors; v++) {
            float *to = j->to + j->offset[r] + v * TARE_LANES;
            if (part)
                gemm_store_part(to, gemm_load_part(to, part) + acc[r][v], part);
            else
                tare_store(to, tare_load(to) + acc[r][v]);
        }
    }
}

typedef void tile_function(const job *);
#define TILE(kind, rows, n_vectors, name, part)                                                                        \
    static __attribute__((noinline)) void kind##_##rows##_##name(const job *j)                                         \
    {                                                                                                                  \
        kind##_tile(rows, n_vectors, part, j);                                                                         \
    }
#define TILES(kind, rows)                                                                                              \
    TILE(kind, rows, 1, part, j->part)                                                                                 \
    TILE(kind, rows, 1, 1, 0)                                                                                          \
    TILE(kind, rows, 2, 2, 0)                                                                                          \
    TILE(kind, rows, 3, 3, 0)
#define ROW(kind, rows)                                                                                                \
    {                                                                                                                  \
        kind##_##rows##_part, kind##_##rows##_1, kind##_##rows##_2, kind##_##rows##_3                                  \
    }
TILES(forward, 1)
TILES(forward, 2)
TILES(forward, 3)
TILES(forward, 4)
TILES(data, 1)
TILES(data, 2)
TILES(data, 3)
TILES(data, 4)
#if TARE_LANES == 16
TILES(forward, 5)
TILES(forward, 6)
TILES(forward, 7)
TILES(forward, 8)
TILES(data, 5)
TILES(data, 6)
TILES(data, 7)
TILES(data, 8)
#define ALL(kind)                                                                                                      \
    {                                                                                                                  \
        ROW(kind, 1), ROW(kind, 2), ROW(kind, 3), ROW(kind, 4), ROW(kind, 5), ROW(kind, 6), ROW(kind, 7), ROW(kind, 8) \
    }
#else
#define ALL(kind)                                                                                                      \
    {                                                                                                                  \
        ROW(kind, 1), ROW(kind, 2), ROW(kind, 3), ROW(kind, 4)                                                         \
    }
#endif
/* [rows - 1][vectors; 0: part of one] */
static tile_function *const FORWARD[ROWS][VECTORS + 1] = ALL(forward), *const DATA[ROWS][VECTORS + 1] = ALL(data);

/* All n outputs of the rows of a tile: full vectors as `cut`, then the part of one. */
static inline void outputs(tile_function *const *tile, job *j, tare_cut cut, int64_t n)
{
    for (int64_t i = 0; i < cut.tiles; i++) {
        int64_t vectors = tare_cut_size(cut, i);
        tile[vectors](j);
        j->b += vectors * TARE_LANES;
        j->to += vectors * TARE_LANES;
    }
    j->part = n % TARE_LANES;
    if (j->part)
        tile[0](j);
}

/* A worker's scratch: the lowered image, then the taps' offsets in it and their places in a row of w. */
typedef struct {
    float *lowered;
    int64_t *offset, *place;
} scratch;

static inline size_t scratch_bytes(const tare_lowered *l)
{
    return (size_t)l->floats * sizeof(float) + (size_t)(2 * l->taps + 7) / 8 * 64;
}

/* The taps in the order of w, (c,r,s), or in the order (r,c,s). */
static inline scratch scratch_of(const tare_call *c, const tare_conv *v, const tare_lowered *l, bool by_row, int worker)
{
    char *at = (char *)c->ptr[5] + (size_t)worker * scratch_bytes(l);
    scratch own = {.lowered = (float *)(void *)at, .offset = (int64_t *)(void *)(at + l->floats * 4)};
    own.place = own.offset + l->taps;
    const int64_t channels = v->c / v->groups;
    for (int64_t t = 0; t < l->taps; t++) {
        int64_t s = t % v->s, rest = t / v->s;
        int64_t r = by_row ? rest / channels : rest % v->r, i = by_row ? rest % channels : rest / v->r;
        own.offset[t] = tare_lowered_offset(v, l, i, r, s);
        own.place[t] = (i * v->r + r) * v->s + s;
    }
    return own;
}

int TARE_KERNEL(conv2d_lowered)(const tare_call *c, int piece, int worker)
{
    const tare_conv *v = tare_conv_of(c);
    const tare_lowered *l = tare_lowered_of(c);
    const int64_t groups = v->groups, c_group = v->c / groups, k_group = v->k / groups, n_o = tare_conv_plane(v);
    const tare_cut rows = tare_cut_of(k_group, ROWS), columns = tare_cut_of(n_o / TARE_LANES, VECTORS);
    const scratch own = scratch_of(c, v, l, false, worker);
    const float *x = c->ptr[0], *w = c->ptr[1], *bias = c->ptr[2]; /* [N,C,H,W], [K,C/G,R,S], [K] */
    float *y = c->ptr[3];                                          /* [N,K,OH,OW] */
    const tare_conv_span images = tare_conv_piece(v, piece);
    for (int64_t i = images.from * groups; i < images.end * groups; i++) {
        const int64_t first = i % groups * k_group;
        const int64_t size = c_group * v->h * v->w;
        tare_lower(v, l, x + i * size, c_group, own.lowered);
        for (int64_t t = 0, row = first; t < rows.tiles; row += tare_cut_size(rows, t++)) {
            job j = {.n = l->taps, .a_row = l->taps, .b = own.lowered, .offset = own.offset, .to_row = n_o};
            j.a = w + row * l->taps;
            j.bias = bias ? bias + row : NULL;
            j.to = y + (i * k_group + row - first) * n_o;
            outputs(FORWARD[tare_cut_size(rows, t) - 1], &j, columns, n_o);
        }
    }
    return 0;
}

int TARE_KERNEL(conv2d_grad_data_lowered)(const tare_call *c, int piece, int worker)
{
    const tare_conv *v = tare_conv_of(c);
    const tare_lowered *l = tare_lowered_of(c);
    const int64_t groups = v->groups, c_group = v->c / groups, k_group = v->k / groups, n_o = tare_conv_plane(v);
    const tare_cut columns = tare_cut_of(n_o / TARE_LANES, VECTORS);
    const tare_cut taps = tare_cut_of(c_group * v->s, ROWS); /* of one row of the kernel */
    const scratch own = scratch_of(c, v, l, true, worker);
    const float *dy = c->ptr[0], *w = c->ptr[1]; /* [N,K,OH,OW], [K,C/G,R,S] */
    float *dx = c->ptr[3];                       /* [N,C,H,W] */
    const tare_conv_span images = tare_conv_piece(v, piece);
    for (int64_t i = images.from * groups; i < images.end * groups; i++) {
        tare_lowered_zero(own.lowered, c_group * l->channel);
        int64_t tap = 0;
        for (int64_t r = 0; r < v->r; r++)
            for (int64_t t = 0; t < taps.tiles; tap += tare_cut_size(taps, t++)) {
                job j = {.n = k_group, .a_step = l->taps, .b = dy + i * k_group * n_o, .b_step = n_o};
                j.a = w + i % groups * k_group * l->taps;
                j.to = own.lowered;
                j.offset = own.offset + tap;
                j.place = own.place + tap;
                outputs(DATA[tare_cut_size(taps, t) - 1], &j, columns, n_o);
            }
        tare_raise(v, l, dx + i * c_group * v->h * v->w, c_group, own.lowered);
    }
    return 0;
}

#ifdef TARE_PASS_RECORDS

enum { LOWERED_MOST = 1 << 19, TAPS_MOST = 1024 };

/* Whether an image is small enough to be lowered, and there is something to lower. */
static bool fits(tare_conv_operands o, const tare_args *a)
{
    const tare_conv_attr *at = a->attr;
    int64_t rows = o.y->dim[2] + (o.w->dim[2] - 1) * at->dilation_h / at->stride_h; /* of a phase */
    double columns = (double)o.w->dim[1] * (double)o.w->dim[3];
    double lowered = columns * (double)at->stride_h * (double)rows * (double)o.y->dim[3];
    return columns * (double)o.w->dim[2] <= TAPS_MOST && lowered <= LOWERED_MOST && !tare_conv_plain(o.w, at);
}

/* The result's plane is not known yet, but x's is no smaller without padding, and near it with some. */
bool tare__conv2d_lowered_fits(const tare_args *a)
{
    const tare_conv_attr *at = a->attr;
    tare_desc y = *a->in[0];
    y.dim[2] = (y.dim[2] + 2 * at->pad_h) / at->stride_h;
    y.dim[3] = (y.dim[3] + 2 * at->pad_w) / at->stride_w;
    return fits((tare_conv_operands){a->in[0], a->in[1], &y}, a);
}

bool tare__conv2d_grad_data_lowered_fits(const tare_args *a)
{
    return fits(tare_conv_to_data(a), a);
}

bool tare__conv2d_grad_weight_lowered_fits(const tare_args *a)
{
    return fits(tare_conv_to_weight(a), a);
}

tare_lowered *tare__lowered_prepare(tare_conv *v, tare_work *work)
{
    tare_lowered *l = (tare_lowered *)(void *)(work->g + TARE_CONV_WORDS);
    int64_t reach = (v->r - 1) * v->dilation_h; /* of the kernel's last row */
    l->phases = reach < v->stride_h ? reach + 1 : v->stride_h;
    l->rows = v->oh + reach / v->stride_h;
    l->plane = l->phases * l->rows * v->ow;
    l->channel = v->s * l->plane;
    l->taps = tare_conv_taps(v);
    l->images = l->channels = 1;
    l->kept = 0;
    l->floats = (v->c / v->groups * l->channel + TARE_LOWERED_GUARD + 15) / 16 * 16;
    work->n_g = TARE_CONV_WORDS + TARE_LOWERED_WORDS;
    return l;
}

static void prepare(const tare_conv_operands *o, const tare_args *a, tare_work *work)
{
    tare_conv *v = tare__conv_prepare(a, o->x, o->w, o->y, work);
    tare_lowered *l = tare__lowered_prepare(v, work);
    work->worker_bytes = scratch_bytes(l);
    tare__conv_cut(v, 16, work);
}

void tare__prepare_conv2d_lowered(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    tare_conv_operands o = tare_conv_forward(a, out);
    prepare(&o, a, work);
}

void tare__prepare_conv2d_grad_data_lowered(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    (void)out;
    tare_conv_operands o = tare_conv_to_data(a);
    prepare(&o, a, work);
}

#endif
