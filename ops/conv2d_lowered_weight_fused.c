/* conv2d_lowered_weight_fused.c - convolution's gradient to weights by register tiles on lowered images.
 *
 *     dw[k,t] = sum over images and outputs of  dy[k,o] lowered[offset(t) + o]      t = (c,s,r), o = (oh,ow)
 *
 * Outputs are the lanes: a tile keeps a vector of partial sums for each of up to 6 k and 6 t (25 in all), reads both
 * operands in place, and adds the lanes up at the end, each sum by the same tree. Several images are lowered together,
 * channel group by channel group, so that a tile is long enough to pay for that. A piece is a run of images; it adds
 * the sums of its runs in order, and the pieces' partial dw are added in order. All of this follows from shapes alone.
 */
#include "conv2d_lowered.h"
#include "gemm_shuffle.h"

#if TARE_LANES == 16
enum { SIDE = 6, SUMS = 25 };
#else
enum { SIDE = 4, SUMS = 12 };
#endif
enum { CHUNKS = (SUMS + TARE_LANES - 1) / TARE_LANES };

/* Follows tare_conv in the geometry. */
typedef struct {
    int64_t taps;              /* C/G R S */
    int64_t images, channels;  /* that are lowered together */
    int64_t kept;              /* floats of a worker's vectors of sums; 0: none are kept */
    int64_t floats;            /* of a worker's lowered images, before the rest of its scratch */
    int64_t dy_image, x_image; /* from image to image */
} plan;

typedef struct {
    int64_t n_o, images; /* outputs of an image, images */
    const float *dy;     /* of the first row of the tile in the first image */
    int64_t dy_image;    /* from image to image */
    const float *lowered;
    int64_t lowered_image;
    const int64_t *offset; /* of the tile's taps */
    float *kept;           /* the tile's vectors of sums so far, [rows x taps]; NULL: it has none */
    bool starts, ends;     /* from zeros, not from `kept`; with the lanes added up, not by leaving them there */
    float *sum;            /* [CHUNKS * TARE_LANES]: rows x taps sums come first */
} job;

TARE_ALWAYS_INLINE void step(int rows, int taps, int64_t part, const float *dy, int64_t n_o, const float *const *tap,
                             int64_t o, tare_vf acc[SUMS])
{
    tare_vf row[SIDE];
    TARE_UNROLL
    for (int r = 0; r < rows; r++)
        row[r] = part ? gemm_load_part(dy + r * n_o + o, part) : tare_load(dy + r * n_o + o);
    TARE_UNROLL
    for (int t = 0; t < taps; t++) {
        tare_vf x = part ? gemm_load_part(tap[t] + o, part) : tare_load(tap[t] + o);
        TARE_UNROLL
        for (int r = 0; r < rows; r++)
            acc[t * rows + r] = gemm_fma(row[r], x, acc[t * rows + r]);
    }
}

/* The i-th TARE_LANES of n vectors, each to the sum of its lanes. (Written without a loop over i, which would keep the
 * vectors in memory.) */
TARE_ALWAYS_INLINE void add_lanes(int i, int n, const tare_vf *acc, float *sum)
{
    if (i * TARE_LANES < n) {
        tare_vf x[TARE_LANES];
        TARE_UNROLL
        for (int k = 0; k < TARE_LANES; k++)
            x[k] = i * TARE_LANES + k < n ? acc[i * TARE_LANES + k] : (tare_vf){0};
        tare_store(sum + i * TARE_LANES, gemm_sums(x));
    }
}

TARE_ALWAYS_INLINE void tile(int rows, int taps, const job *j)
{
    const int64_t n_o = j->n_o, full = n_o / TARE_LANES * TARE_LANES, part = n_o - full;
    tare_vf acc[SUMS];
    TARE_UNROLL
    for (int t = 0; t < taps; t++) { /* not rows * taps at once: a loop of more than 16 is not unrolled */
        TARE_UNROLL
        for (int r = 0; r < rows; r++)
            acc[t * rows + r] = j->starts ? (tare_vf){0} : tare_load(j->kept + (t * rows + r) * TARE_LANES);
    }
    for (int64_t i = 0; i < j->images; i++) {
        const float *dy = j->dy + i * j->dy_image, *tap[SIDE];
        TARE_UNROLL
        for (int t = 0; t < taps; t++)
            tap[t] = j->lowered + i * j->lowered_image + j->offset[t];
        for (int64_t o = 0; o < full; o += TARE_LANES)
            step(rows, taps, 0, dy, n_o, tap, o, acc);
        if (part)
            step(rows, taps, part, dy, n_o, tap, full, acc);
    }
    if (!j->ends) {
        TARE_UNROLL
        for (int t = 0; t < taps; t++) {
            TARE_UNROLL
            for (int r = 0; r < rows; r++)
                tare_store(j->kept + (t * rows + r) * TARE_LANES, acc[t * rows + r]);
        }
        return;
    }
    add_lanes(0, rows * taps, acc, j->sum);
    add_lanes(1, rows * taps, acc, j->sum);
    add_lanes(2, rows * taps, acc, j->sum);
}

typedef void tile_function(const job *);
#define TILE(rows, taps)                                                                                               \
    static __attribute__((noinline)) void tile_##rows##_##taps(const job *j)                                           \
    {                                                                                                                  \
        tile(rows, taps, j);                                                                                           \
    }
TILE(1, 1)
TILE(1, 2)
TILE(1, 3)
TILE(1, 4)
TILE(2, 1)
TILE(2, 2)
TILE(2, 3)
TILE(2, 4)
TILE(3, 1)
TILE(3, 2)
TILE(3, 3)
TILE(3, 4)
TILE(4, 1)
TILE(4, 2)
TILE(4, 3)
#if TARE_LANES == 16
TILE(1, 5)
TILE(1, 6)
TILE(2, 5)
TILE(2, 6)
TILE(3, 5)
TILE(3, 6)
TILE(4, 4)
TILE(4, 5)
TILE(4, 6)
TILE(5, 1)
TILE(5, 2)
TILE(5, 3)
TILE(5, 4)
TILE(5, 5)
TILE(6, 1)
TILE(6, 2)
TILE(6, 3)
TILE(6, 4)
static tile_function *const TILE_OF[SIDE][SIDE] = {
    {tile_1_1, tile_1_2, tile_1_3, tile_1_4, tile_1_5, tile_1_6},
    {tile_2_1, tile_2_2, tile_2_3, tile_2_4, tile_2_5, tile_2_6},
    {tile_3_1, tile_3_2, tile_3_3, tile_3_4, tile_3_5, tile_3_6},
    {tile_4_1, tile_4_2, tile_4_3, tile_4_4, tile_4_5, tile_4_6},
    {tile_5_1, tile_5_2, tile_5_3, tile_5_4, tile_5_5},
    {tile_6_1, tile_6_2, tile_6_3, tile_6_4},
};
#else
static tile_function *const TILE_OF[SIDE][SIDE] = {
    {tile_1_1, tile_1_2, tile_1_3, tile_1_4},
    {tile_2_1, tile_2_2, tile_2_3, tile_2_4},
    {tile_3_1, tile_3_2, tile_3_3, tile_3_4},
    {tile_4_1, tile_4_2, tile_4_3},
};
#endif

/* A worker's scratch: lowered images; vectors of sums; of the taps in the order (c,s,r), their offsets and their places
 * in w. */
typedef struct {
    float *lowered, *kept; /* kept NULL: the sums are too many to be kept as vectors */
    int64_t *offset, *place;
} scratch;

static inline size_t tables_bytes(const plan *q)
{
    return (size_t)(2 * q->taps + 7) / 8 * 64 + TARE_WORKERS_APART;
}

static inline scratch scratch_of(const tare_call *c, const tare_conv *v, const tare_lowered *l, const plan *q,
                                 int worker)
{
    const size_t floats = (size_t)(q->floats + q->kept) * sizeof(float);
    char *at = (char *)c->ptr[5] + (size_t)worker * (floats + tables_bytes(q));
    scratch own = {.lowered = (float *)(void *)at, .offset = (int64_t *)(void *)(at + floats)};
    own.kept = q->kept ? own.lowered + q->floats : NULL;
    own.place = own.offset + q->taps;
    int64_t n = 0, channels = q->channels;
    for (int64_t i = 0; i < v->c / v->groups; i++)
        for (int64_t s = 0; s < v->s; s++)
            for (int64_t r = 0; r < v->r; r++, n++) {
                own.offset[n] = tare_lowered_offset(l, i % channels, r, s);
                own.place[n] = (i * v->r + r) * v->s + s;
            }
    return own;
}

/* Rows of a group by the taps of some of its channels, over the images lowered; `add`: to what dw holds. */
static inline void multiply(const tare_conv *v, const plan *q, const scratch *own, job j, int64_t first_tap,
                            int64_t n_taps, bool add, float *dw)
{
    const tare_cut row_cut = tare_cut_of(v->k / v->groups, SIDE);
    float sum[CHUNKS * TARE_LANES];
    j.sum = sum;
    for (int64_t a = 0, row = 0, rows; a < row_cut.tiles; a++, row += rows, j.dy += rows * j.n_o) {
        rows = tare_cut_size(row_cut, a);
        const tare_cut tap_cut = tare_cut_of(n_taps, SUMS / rows < SIDE ? SUMS / rows : SIDE);
        for (int64_t b = 0, tap = first_tap, taps; b < tap_cut.tiles; b++, tap += taps) {
            taps = tare_cut_size(tap_cut, b);
            j.offset = own->offset + tap;
            TILE_OF[rows - 1][taps - 1](&j);
            j.kept = j.kept ? j.kept + rows * taps * TARE_LANES : NULL;
            for (int64_t t = 0; j.ends && t < taps; t++)
                for (int64_t r = 0; r < rows; r++) {
                    float *to = dw + (row + r) * q->taps + own->place[tap + t];
                    *to = add ? *to + sum[t * rows + r] : sum[t * rows + r];
                }
        }
    }
}

int TARE_KERNEL(conv2d_grad_weight_lowered)(const tare_call *c, int piece, int worker)
{
    const tare_conv *v = tare_conv_of(c);
    const plan *q = (const plan *)(const void *)(c->g + TARE_CONV_WORDS);
    const tare_lowered l = tare_lowered_forward(v);
    const int64_t c_group = v->c / v->groups, k_group = v->k / v->groups, size = v->h * v->w, kernel = v->r * v->s;
    const int64_t n_o = tare_conv_plane(v), whole = v->k * q->taps;
    const scratch own = scratch_of(c, v, &l, q, worker);
    const float *dy = c->ptr[0], *x = c->ptr[1]; /* [N,K,OH,OW], [N,C,H,W] */
    float *dw = c->n_pieces > 1 ? (float *)c->ptr[4] + piece * ((whole + 15) / 16 * 16) : c->ptr[3]; /* [K,C/G,R,S] */
    const tare_conv_span images = tare_conv_piece(v, piece);
    const int64_t group = k_group * q->taps; /* weights */
    if (images.from == images.end)
        memset(dw, 0, (size_t)whole * sizeof *dw);
    for (int64_t from = images.from; from < images.end; from += q->images) {
        const int64_t n = images.end - from < q->images ? images.end - from : q->images;
        for (int64_t g = 0; g < v->groups; g++)
            for (int64_t i = 0; i < c_group; i += q->channels) {
                const int64_t channels = c_group - i < q->channels ? c_group - i : q->channels;
                job j = {.n_o = n_o, .images = n, .dy_image = q->dy_image, .lowered = own.lowered};
                j.lowered_image = channels * l.channel;
                j.dy = dy + from * q->dy_image + g * k_group * n_o;
                j.kept = own.kept ? own.kept + g * group * TARE_LANES : NULL;
                j.starts = !own.kept || from == images.from;
                j.ends = !own.kept || from + n == images.end;
                for (int64_t m = 0; m < n; m++)
                    tare_lower(&l, x + (from + m) * q->x_image + (g * c_group + i) * size, 0, channels, 0,
                               own.lowered + m * j.lowered_image);
                multiply(v, q, &own, j, i * kernel, channels * kernel, !own.kept && from > images.from, dw + g * group);
            }
    }
    return 0;
}

#ifdef TARE_PASS_RECORDS

/* LOWERED_TOGETHER: floats of a worker's lowered images. KEPT_MOST: sums whose vectors are kept from run to run, 64 KiB
 * of them. A tile runs over enough images for SHORT or LONG vectors of outputs (of 16), by whether its sums are kept.
 */
enum { LOWERED_TOGETHER = 96 * 1024, KEPT_MOST = 1024, SHORT = 24, LONG = 64, PIECES = 4 };

void tare__prepare_conv2d_grad_weight_lowered(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    (void)out;
    tare_conv_operands o = tare_conv_to_weight(a);
    tare_conv *v = tare__conv_prepare(a, o.x, o.w, o.y, work);
    const tare_lowered l = tare_lowered_forward(v);
    plan *q = (plan *)(void *)(work->g + TARE_CONV_WORDS);
    *q = (plan){.taps = tare_conv_taps(v), .dy_image = o.y->stride[0], .x_image = o.x->stride[0]};
    work->n_g = TARE_CONV_WORDS + (int32_t)(sizeof *q / sizeof(int64_t));
    tare__conv_cut(v, PIECES, work);
    const int64_t c_group = v->c / v->groups, plane = tare_conv_plane(v), sums = v->k * q->taps;
    const int64_t outputs = 16 * (sums <= KEPT_MOST ? SHORT : LONG);
    int64_t images = plane ? (outputs + plane - 1) / plane : 1;
    images = images < v->images ? images : v->images;
    q->images = images > 0 ? images : 1;
    const int64_t room = l.channel ? LOWERED_TOGETHER / (l.channel * q->images) : c_group;
    q->channels = room < 1 ? 1 : room < c_group ? room : c_group > 0 ? c_group : 1;
    if (sums <= KEPT_MOST && q->images < v->images && q->channels == c_group)
        q->kept = sums * 16; /* the widest vectors */
    q->floats = (q->images * q->channels * l.channel + 15) / 16 * 16;
    work->worker_bytes = (size_t)(q->floats + q->kept) * sizeof(float) + tables_bytes(q);
    if (work->n_pieces > 1)
        work->piece_bytes = (size_t)((v->k * q->taps + 15) / 16 * 16) * sizeof(float);
}

/* Whether an image is small enough to be lowered, and there is something to lower. */
bool tare__conv2d_grad_weight_lowered_fits(const tare_args *a)
{
    const tare_conv_operands o = tare_conv_to_weight(a);
    return tare__conv_small(&o, a->attr);
}

#endif
