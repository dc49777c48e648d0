/* conv2d_single_fused.c - convolution by kernels of a single tap, and its gradient to data, by register tiles on
 * panels.
 *
 *     y[k,o] = bias[k] + sum over c of  w[k,c] x[c,place(o)]            o: the outputs of some images, one after the
 * other
 *
 * and, for the gradient, dx[c,place(o)] = sum over k of w[k,c] dy[k,o], with zeros around what a stride leaves out: a
 * matrix product, of which either side may lie a stride apart. What is summed over is packed in panels [channels,
 * WIDTH], block by block; what the next panels will be made of is fetched while these are multiplied. The weights are
 * read where they lie; a gradient's, which lie a row apart from tap to tap, are copied in strips.
 *
 * An element is one chain of fused multiply-adds over the channels of each block, which C decides; so no bit depends on
 * tiles, joined images or pieces. A piece is a run of images and a run of output channels. No padding. */
#include "conv2d_lowered.h"
#include "conv2d_tile.h"

/* Follows tare_conv in the geometry. */
typedef struct {
    int64_t joined, columns; /* images side by side; columns of tiles at a time */
    tare_conv_pieces pieces;
    int64_t from_image, to_image; /* from image to image of the source and of the result */
    int64_t panels, apart, strip; /* floats of a worker's scratch */
} plan;

static inline const plan *plan_of(const tare_call *c)
{
    return (const plan *)(const void *)(c->g + TARE_CONV_WORDS);
}

enum { WIDTH = TILE_VECTORS * TARE_LANES, STRIP = 2 * TILE_ROWS, CHAIN = 192, LINE = 16, FAR = 8 };

/* Where the outputs of a channel lie: runs of them, `step` apart within one and `row` from one to the next. */
typedef struct {
    int64_t image, channel, run, row, step;
} layout;

static inline int64_t place(const layout *l, int64_t plane, int64_t o)
{
    const int64_t at = o % plane;
    return o / plane * l->image + at / l->run * l->row + at % l->run * l->step;
}

/* Of `channels` to `rows`, in images of `plane` outputs. Row k of the weights begins at a + k a_row, its taps are a_tap
 * apart. */
typedef struct {
    int64_t plane, joined, columns, channels, block, rows;
    const float *x;
    layout from;
    const float *a;
    int64_t a_row, a_tap;
    const float *bias; /* of the first row; NULL: none */
    float *y;
    layout to;
    int64_t line, size; /* of the result: elements of a row and of a plane, where zeros are put around it; else 0 */
    float *panels, *apart, *strip; /* strip NULL: the weights are read where they lie */
} convolution;

typedef struct {
    int64_t n;
    const float *a;
    int64_t a_row, a_step;
    const float *b;
    const float *ahead; /* a line of each tap, `ahead_step` apart */
    int64_t ahead_step;
    const float *bias;
    bool add;
    float *to;
    int64_t to_row, part;
} job;

TARE_ALWAYS_INLINE void single_tile(int rows, int n_vectors, int64_t part, const job *j)
{
    tare_vf acc[TILE_ROWS][TILE_VECTORS];
    const float *row[TILE_ROWS];
    int64_t away[TILE_ROWS];
    TARE_UNROLL
    for (int r = 0; r < rows; r++)
        row[r] = j->a + r * j->a_row;
    tile_fetch(rows, n_vectors, j->to, j->to_row);
    if (!j->ahead) /* there always is something: the loop does not ask */
        __builtin_unreachable();
    tile_zero(rows, n_vectors, acc);
    tile_away(rows, row, away);
    tile_add_ahead(rows, n_vectors, part, j->n, row[0], away, j->a_step, j->b, TARE_LANES, NULL, WIDTH, j->ahead,
                   j->ahead_step, acc);
    tile_store(rows, n_vectors, part, acc, j->bias, j->add, j->to, j->to_row);
}
TARE_CONV_TILES(single)

/* ---- the source and the result, from where they lie and to it ---------------------------------------------------*/
/* Lanes of (a, b) in turn: the first halves, the second halves. */
#define LANE_ZIP_LOW(i, d)  ((i) / 2 + (i) % 2 * TARE_LANES)
#define LANE_ZIP_HIGH(i, d) ((i) / 2 + (i) % 2 * TARE_LANES + TARE_LANES / 2)

/* to[i] = from[i step]; nothing behind the last is read. */
static inline void gather(const float *from, int64_t step, float *to, int64_t n)
{
    if (step == 1) {
        tare_lowered_copy(from, to, n);
        return;
    }
    if (step != 2) {
        for (int64_t i = 0; i < n; i++)
            to[i] = from[i * step];
        return;
    }
    for (; n > 0; n -= TARE_LANES, from += 2 * TARE_LANES, to += TARE_LANES) {
        const int64_t here = n < TARE_LANES ? n : TARE_LANES, high = 2 * here - 1 - TARE_LANES;
        const tare_vf a = high >= 0 ? tare_load(from) : gemm_load_part(from, 2 * here - 1);
        const tare_vf b = high > 0 ? gemm_load_part(from + TARE_LANES, high) : (tare_vf){0};
        gemm_store_part(to, SHUFFLE(a, b, TARE_LANE_EVEN, 0), here);
    }
}

/* to[i step] = from[i], zeros between and behind them up to `length`. */
static inline void spread(const float *from, float *to, int64_t n, int64_t step, int64_t length)
{
    if (step != 2) {
        tare_lowered_zero(to, length);
        for (int64_t i = 0; i < n; i++)
            to[i * step] = from[i];
        return;
    }
    for (; length > 0; length -= 2 * TARE_LANES, n -= TARE_LANES, from += TARE_LANES, to += 2 * TARE_LANES) {
        const tare_vf a = gemm_load_part(from, n < TARE_LANES ? n : TARE_LANES), zero = {0};
        gemm_store_part(to, SHUFFLE(a, zero, LANE_ZIP_LOW, 0), length < TARE_LANES ? length : TARE_LANES);
        if (length > TARE_LANES)
            gemm_store_part(to + TARE_LANES, SHUFFLE(a, zero, LANE_ZIP_HIGH, 0),
                            length < 2 * TARE_LANES ? length - TARE_LANES : TARE_LANES);
    }
}

/* Panels of channels [c, end) for columns k, read in runs as long as can be. */
static void pack(const convolution *p, const tare_columns *k, int64_t c, int64_t end, const float *x)
{
    const int64_t panel = (end - c) * WIDTH, step = p->from.step;
    int64_t t = k->first;
    for (int64_t o = k->from, n; o < k->to; o += n) {
        const float *from = x + place(&p->from, p->plane, o) + c * p->from.channel;
        n = p->from.run - o % p->plane % p->from.run;
        n = n < k->to - o ? n : k->to - o;
        while (tare_column_at(k->cut, t + 1) <= o)
            t++;
        const int64_t at = o - tare_column_at(k->cut, t), head = tare_column_at(k->cut, t + 1) - o; /* in column t */
        float *to = p->panels + (t - k->first) * panel + at;
        for (int64_t i = c; i < end; i++, from += p->from.channel, to += WIDTH) {
            for (int64_t line = 0; line < n * step; line += LINE)
                __builtin_prefetch(from + FAR * p->from.channel + line);
            gather(from, step, to, head < n ? head : n);
            float *next = to - at + panel;
            for (int64_t j = t + 1, done = head, some; done < n; j++, done += some, next += panel) {
                some = tare_cut_size(k->cut, j) * TARE_LANES;
                some = some < n - done ? some : n - done;
                gather(from + done * step, step, next, some);
            }
        }
    }
}

/* `rows` of results of columns k, `width` apart, to their places in y, with the zeros around them. */
static void put(const convolution *p, const tare_columns *k, const float *from, int64_t rows, int64_t width, float *y)
{
    for (int64_t o = k->from, n; o < k->to; o += n, from += n) {
        const int64_t at = o % p->plane, row = at / p->to.run * p->to.row, ow = at % p->to.run;
        const int64_t left = p->size - row, lines = p->line ? (p->to.row < left ? p->to.row : left) : 0;
        n = p->to.run - ow < k->to - o ? p->to.run - ow : k->to - o;
        const int64_t length = ow + n < p->to.run ? n * p->to.step : p->line - ow * p->to.step;
        float *to = y + place(&p->to, p->plane, o);
        for (int64_t r = 0; r < rows; r++, to += p->to.channel) {
            if (lines)
                spread(from + r * width, to, n, p->to.step, length);
            else
                tare_lowered_copy(from + r * width, to, n);
            for (int64_t i = p->line; i < lines; i += p->line)
                tare_lowered_zero(to + i, length);
        }
    }
}

/* ---- the product ------------------------------------------------------------------------------------------------*/
/* Rows of tiles by columns of them, for channels [c, end); results of row `first` on go to `to`. */
typedef struct {
    tare_cut tiles;
    tare_columns k;
    int64_t c, end;
    const float *x;
    int64_t first;
    float *to;
    int64_t to_row;
} product;

/* What the next strip is made of: that of row `row` of the same channels, or of the first one of the next. */
static inline const float *strip_ahead(const convolution *p, const product *q, int64_t row)
{
    const int64_t c = row < p->rows ? q->c : q->end < p->channels ? q->end : 0;
    return p->a + (row < p->rows ? row : 0) * p->a_row + c * p->a_tap;
}

/* Tiles [t, end) by all columns. */
static void multiply_rows(const convolution *p, const product *q, int64_t t, int64_t end)
{
    const int64_t from = tare_cut_start(q->tiles, t), rows = tare_cut_start(q->tiles, end) - from;
    const float *a = p->a + from * p->a_row + q->c * p->a_tap;
    for (int64_t i = q->c; p->strip && i < q->end; i++)
        tare_lowered_copy(a + (i - q->c) * p->a_tap, p->strip + (i - q->c) * STRIP, rows);
    for (int64_t i = q->k.first; i < q->k.end; i++)
        for (int64_t u = t; u < end; u++) {
            const int64_t row = tare_cut_start(q->tiles, u), vectors = tare_cut_size(q->k.cut, i);
            const int64_t o = tare_column_at(q->k.cut, i), left = q->k.to - o;
            job j = {.n = q->end - q->c, .a_row = p->a_row, .a_step = 1, .add = q->c > 0};
            j.a = a + (row - from) * p->a_row;
            if (p->strip) {
                j.a = p->strip + row - from;
                j.a_step = STRIP;
            }
            j.b = p->panels + (i - q->k.first) * j.n * WIDTH;
            j.bias = p->bias && q->end == p->channels ? p->bias + row : NULL;
            j.to = q->to + (row - q->first) * q->to_row + o - q->k.from;
            j.to_row = q->to_row;
            j.part = left < vectors * TARE_LANES ? left % TARE_LANES : 0;
            j.ahead = p->panels;
            if (p->strip && i == q->k.first && u == t) {
                j.ahead = strip_ahead(p, q, from + rows);
                j.ahead_step = p->a_tap;
            }
            single_tiles[tare_cut_size(q->tiles, u) - 1][vectors - 1][j.part > 0](&j);
        }
}

/* Some columns, block by block of channels; results go by in rows, to y or apart from it until they are whole. */
static void multiply_columns(const convolution *p, product q, bool direct, float *y)
{
    const int64_t at_once = p->strip ? STRIP / TILE_ROWS : 1;
    const bool single = p->block >= p->channels;
    q.to = direct ? y + q.k.from : p->apart;
    q.to_row = direct ? p->to.channel : (q.k.end - q.k.first) * WIDTH;
    do {
        q.end = q.c + p->block < p->channels ? q.c + p->block : p->channels;
        pack(p, &q.k, q.c, q.end, q.x);
        for (int64_t t = 0, end; t < q.tiles.tiles; t = end) {
            end = t + at_once < q.tiles.tiles ? t + at_once : q.tiles.tiles;
            const int64_t row = tare_cut_start(q.tiles, t), rows = tare_cut_start(q.tiles, end) - row;
            if (single && !direct)
                q.first = row;
            multiply_rows(p, &q, t, end);
            if (!direct && q.end == p->channels)
                put(p, &q.k, p->apart + (row - q.first) * q.to_row, rows, q.to_row, y + row * p->to.channel);
        }
        q.c = q.end;
    } while (q.c < p->channels);
}

static void convolve(const convolution *p, tare_conv_span images)
{
    for (int64_t i = images.from, n; i < images.end; i += n) {
        n = images.end - i < p->joined ? images.end - i : p->joined;
        const bool direct = n == 1 && !p->line;
        const tare_cut cut = tare_cut_of((n * p->plane + TARE_LANES - 1) / TARE_LANES, TILE_VECTORS);
        const tare_cut parts = tare_cut_of(cut.tiles, p->columns);
        product q = {.tiles = tare_cut_of(p->rows, TILE_ROWS), .x = p->x + i * p->from.image};
        for (int64_t s = 0; s < parts.tiles; s++) {
            q.k = tare_columns_of(cut, parts, s, n * p->plane);
            multiply_columns(p, q, direct, p->y + i * p->to.image);
        }
    }
}

/* ---- the operators ----------------------------------------------------------------------------------------------*/
static inline size_t scratch_bytes(const plan *q)
{
    return (size_t)(q->panels + q->apart + q->strip) * sizeof(float) + TARE_WORKERS_APART;
}

/* What both directions have of the geometry: from the planes of x to those of y, or back. */
static inline convolution convolution_of(const tare_call *c, int worker, bool to_data)
{
    const tare_conv *v = tare_conv_of(c);
    const plan *q = plan_of(c);
    const bool whole = v->stride_h * v->stride_w == 1;
    convolution p = {.plane = tare_conv_plane(v), .joined = q->joined, .columns = q->columns};
    const layout x = {
        .channel = v->h * v->w, .run = whole ? p.plane : v->ow, .row = v->stride_h * v->w, .step = v->stride_w};
    const layout y = {.channel = p.plane, .run = p.plane, .step = 1};
    p.from = to_data ? y : x;
    p.to = to_data ? x : y;
    p.from.image = q->from_image;
    p.to.image = q->to_image;
    p.panels = (float *)(void *)((char *)c->ptr[5] + (size_t)worker * scratch_bytes(q));
    p.apart = p.panels + q->panels;
    p.strip = q->strip ? p.apart + q->apart : NULL;
    return p;
}

int TARE_KERNEL(conv2d_single)(const tare_call *c, int piece, int worker)
{
    const tare_conv *v = tare_conv_of(c);
    const plan *q = plan_of(c);
    const int64_t c_group = v->c / v->groups, k_group = v->k / v->groups;
    const tare_conv_span rows = tare_conv_rows(piece, q->pieces, k_group);
    const float *x = c->ptr[0], *w = c->ptr[1], *bias = c->ptr[2]; /* [N,C,H,W], [K,C/G,1,1], [K] */
    float *y = c->ptr[3];                                          /* [N,K,OH,OW] */
    convolution p = convolution_of(c, worker, false);
    p.channels = c_group;
    p.block = tare_conv_block(c_group, 1, CHAIN);
    p.rows = rows.end - rows.from;
    p.a_row = c_group;
    p.a_tap = 1;
    for (int64_t g = 0; g < v->groups; g++) {
        const int64_t first = g * k_group + rows.from;
        p.x = x + g * c_group * p.from.channel;
        p.a = w + first * c_group;
        p.bias = bias ? bias + first : NULL;
        p.y = y + first * p.to.channel;
        convolve(&p, tare_conv_piece(v, piece / (int)q->pieces.across));
    }
    return 0;
}

int TARE_KERNEL(conv2d_grad_data_single)(const tare_call *c, int piece, int worker)
{
    const tare_conv *v = tare_conv_of(c);
    const plan *q = plan_of(c);
    const int64_t c_group = v->c / v->groups, k_group = v->k / v->groups;
    const tare_conv_span rows = tare_conv_rows(piece, q->pieces, c_group);
    const float *dy = c->ptr[0], *w = c->ptr[1]; /* [N,K,OH,OW], [K,C/G,1,1] */
    float *dx = c->ptr[3];                       /* [N,C,H,W] */
    convolution p = convolution_of(c, worker, true);
    p.line = v->stride_h * v->stride_w > 1 ? v->w : 0;
    p.size = v->h * v->w;
    p.channels = k_group;
    p.block = tare_conv_block(k_group, 1, CHAIN);
    p.rows = rows.end - rows.from;
    p.a_row = 1;
    p.a_tap = c_group;
    for (int64_t g = 0; g < v->groups; g++) {
        const int64_t first = g * c_group + rows.from;
        p.x = dy + g * k_group * p.from.channel;
        p.a = w + g * k_group * c_group + rows.from;
        p.y = dx + first * p.to.channel;
        convolve(&p, tare_conv_piece(v, piece / (int)q->pieces.across));
    }
    return 0;
}

#ifdef TARE_PASS_RECORDS

/* Floats that stay in a second-level cache: PANELS of one block alone, TOGETHER with the results of several. */
enum { PANELS = 128 * 1024, TOGETHER = 256 * 1024 };
/* The largest tile of all instruction sets. */
enum { ROWS_MOST = 8, COLUMNS_MOST = 48 };

/* From `channels` to `rows` of a group. */
static void prepare(const tare_args *a, const tare_conv_operands *o, bool to_data, tare_work *work)
{
    tare_conv *v = tare__conv_prepare(a, o->x, o->w, o->y, work);
    plan *q = (plan *)(void *)(work->g + TARE_CONV_WORDS);
    const int64_t c_group = v->c / v->groups, k_group = v->k / v->groups, plane = tare_conv_plane(v);
    const int64_t channels = to_data ? k_group : c_group, rows = to_data ? c_group : k_group;
    const int64_t block = tare_conv_block(channels, 1, CHAIN);
    const bool strided = v->stride_h * v->stride_w > 1;
    *q = (plan){.from_image = (to_data ? o->y : o->x)->stride[0], .to_image = (to_data ? o->x : o->y)->stride[0]};
    q->joined = tare__conv_joined(plane, 16.0 / (double)(channels + 1), v->n);
    q->pieces = tare__conv_pieces(v, q->joined, rows, 0.3 * (double)(v->n * v->groups * channels * plane), work);
    const int64_t panel = block * COLUMNS_MOST, beside = block < channels ? q->pieces.rows * COLUMNS_MOST : 0;
    const int64_t most = (beside ? TOGETHER : PANELS) / (panel + beside + 1);
    q->columns = most > 1 ? most : 1;
    q->panels = q->columns * panel;
    if (q->joined > 1 || (to_data && strided))
        q->apart = (beside ? q->pieces.rows : 2 * ROWS_MOST) * COLUMNS_MOST * q->columns;
    q->strip = to_data ? 2 * ROWS_MOST * (block + 1) : 0;
    work->n_g = TARE_CONV_WORDS + (int32_t)(sizeof *q / sizeof(int64_t));
    work->worker_bytes = scratch_bytes(q);
}

void tare__prepare_conv2d_single(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    const tare_conv_operands o = tare_conv_forward(a, out);
    prepare(a, &o, false, work);
}

void tare__prepare_conv2d_grad_data_single(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    tare_conv_operands o = tare_conv_to_data(a);
    o.x = out[0];
    prepare(a, &o, true, work);
}

void tare__conv2d_grad_data_single_tile(const tare_call *c, int piece, tare_tile *t)
{
    tare__conv2d_grad_data_part(c, piece, plan_of(c)->pieces, t);
}

static bool fits(const tare_desc *w, const tare_conv_attr *at)
{
    return w->dim[2] * w->dim[3] == 1 && at->pad_h == 0 && at->pad_w == 0;
}

bool tare__conv2d_single_fits(const tare_args *a)
{
    return fits(a->in[1], a->attr);
}

bool tare__conv2d_grad_data_single_fits(const tare_args *a)
{
    return fits(a->in[1], a->attr);
}

#endif
