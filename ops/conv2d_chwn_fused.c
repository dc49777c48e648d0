/* conv2d_chwn_fused.c - convolution of small planes, and its gradient to data as one of dy, with images for lanes.
 *
 *     y[k,o,n] = bias[k] + sum over c and the taps (r,s) that lie in the plane at o of  w[k,c,r,s] x[c, o + (r,s), n]
 *
 * Vectors of images are turned to [C,H,W,N], so that all lanes of one are at one place: taps in the padding, a third of
 * them where planes are 4x4, are not multiplied at all, and nothing is padded or lowered. (lowered has places for
 * lanes, which needs no turning and suits large planes.) The gradient to data, of stride 1, is the same with dy for x,
 * the channels exchanged and the taps in reverse; its weights, which lie a channel apart, are copied in strips.
 *
 * An element is one chain of fused multiply-adds over its taps for each block of channels, which C, R and S decide; so
 * no bit depends on tiles, vectors or pieces. A piece is a run of images and a run of output channels. Strides
 * and groups are not for it. */
#include "conv2d_lowered.h"
#include "conv2d_tile.h"

/* Follows tare_conv in the geometry. */
typedef struct {
    int64_t together; /* images turned at a time */
    tare_conv_pieces pieces;
    int64_t from_image, to_image; /* from image to image of the source and of the result */
    int64_t panel, sums, strip;   /* floats of a worker's scratch; its taps and spots: */
    int64_t taps, spots;
} plan;

enum { CHAIN = 384, STRIP = 16 }; /* CHAIN: taps of a chain, STRIP: output channels of a strip */

/* A convolution of `in` channels [h,w] to `out` channels [oh,ow] by kernels [r,s]. */
typedef struct {
    int64_t in, out, h, w, oh, ow, r, s;
    int64_t first_h, first_w, dilation_h, dilation_w; /* first: where tap (0,0) of output (0,0) lies */
    int64_t block;                                    /* channels of a chain */
    bool reversed;                                    /* the weights are [in,out,R,S], met from the last to the first */
} convolution;

static inline convolution forward(const tare_conv *v)
{
    return (convolution){.in = v->c,
                         .out = v->k,
                         .h = v->h,
                         .w = v->w,
                         .oh = v->oh,
                         .ow = v->ow,
                         .r = v->r,
                         .s = v->s,
                         .first_h = -v->pad_h,
                         .first_w = -v->pad_w,
                         .dilation_h = v->dilation_h,
                         .dilation_w = v->dilation_w,
                         .block = tare_conv_block(v->c, v->r * v->s, CHAIN)};
}

static inline convolution to_data(const tare_conv *v)
{
    convolution p = forward(v);
    p.in = v->k, p.h = v->oh, p.w = v->ow;
    p.out = v->c, p.oh = v->h, p.ow = v->w;
    p.first_h = v->pad_h - (v->r - 1) * v->dilation_h;
    p.first_w = v->pad_w - (v->s - 1) * v->dilation_w;
    p.reversed = true;
    p.block = tare_conv_block(p.in, p.r * p.s, CHAIN);
    return p;
}

/* Along one axis, outputs [from, end) that meet the same taps [tap, tap + n). */
typedef struct {
    int64_t from, end, tap, n;
} stretch;

static inline tare_conv_span taps_at(int64_t o, int64_t first, int64_t dilation, int64_t taps, int64_t size)
{
    return tare_conv_inside(first + o, dilation, taps, size);
}

static inline stretch stretch_at(int64_t from, int64_t outputs, int64_t first, int64_t dilation, int64_t taps,
                                 int64_t size)
{
    const tare_conv_span at = taps_at(from, first, dilation, taps, size);
    int64_t end = from + 1;
    for (; end < outputs; end++) {
        const tare_conv_span next = taps_at(end, first, dilation, taps, size);
        if (next.from != at.from || next.end != at.end)
            break;
    }
    return (stretch){from, end, at.from, at.end - at.from};
}

/* What a tile is of: `n` outputs side by side or one above the other, or one of several vectors of images; `apart` in
 * the panel, `to_apart` in the sums. */
typedef struct {
    const tile_tap *tap;
    int64_t taps; /* of a channel */
    int64_t x, a; /* where the first one lies in the panel, and in the weights */
    int64_t n, apart, to, to_apart;
} spot;

/* A worker's scratch: vectors of images [in, h, w, lane]; of sums [rows of tiles, oh, ow, lane]; a strip of weights;
 * the taps of a block of channels, by how many rows and columns of the kernel they are of; the spots. */
typedef struct {
    float *panel, *sum, *strip;
    tile_tap *tap;
    spot *spot;
    int64_t n_taps, n_spots;
    int64_t image, sums; /* floats of a vector of images, and of sums */
} scratch;

static inline size_t scratch_bytes(const plan *q)
{
    return (size_t)(q->panel + q->sums + q->strip) * sizeof(float) + (size_t)q->taps * sizeof(tile_tap) +
           (size_t)q->spots * sizeof(spot) + TARE_WORKERS_APART;
}

static inline scratch scratch_of(const tare_call *c, const convolution *p, const plan *q, int worker)
{
    scratch own = {.image = p->in * p->h * p->w * TARE_LANES, .sums = STRIP * p->oh * p->ow * TARE_LANES};
    own.panel = (float *)(void *)((char *)c->ptr[5] + (size_t)worker * scratch_bytes(q));
    own.sum = own.panel + q->panel;
    own.strip = own.sum + q->sums;
    own.tap = (tile_tap *)(void *)(own.strip + q->strip);
    own.spot = (spot *)(void *)(own.tap + q->taps);
    return own;
}

/* From channel to channel, row to row and number to number of the weights where tiles read them. */
typedef struct {
    int64_t channel, row, r, s, first;
} weights_at;

static inline weights_at weights_of(const convolution *p)
{
    const int64_t kernel = p->r * p->s;
    return p->reversed ? (weights_at){STRIP * kernel, kernel, -p->s, -1, kernel - 1}
                       : (weights_at){kernel, p->in * kernel, p->s, 1, 0};
}

/* The taps of a block's channels that `r` rows and `s` columns of the kernel have, from the first of them on. */
static void find_taps(const convolution *p, int64_t r, int64_t s, scratch *own)
{
    const weights_at at = weights_of(p);
    tile_tap *to = own->tap + own->n_taps;
    own->n_taps += p->block * r * s;
    for (int64_t c = 0; c < p->block; c++)
        for (int64_t i = 0; i < r; i++)
            for (int64_t j = 0; j < s; j++, to++) {
                to->a = c * at.channel + i * at.r + j * at.s;
                to->b = (c * p->h * p->w + i * p->dilation_h * p->w + j * p->dilation_w) * TARE_LANES;
            }
}

/* The tile of n outputs from (h.from, w.from) on, in the direction `down` or across, or of n vectors of images from
 * `vector` on where it is alone. */
static void add_spot(const convolution *p, stretch h, stretch w, int64_t n, bool alone, bool down, int64_t vector,
                     scratch *own)
{
    const weights_at at = weights_of(p);
    const int64_t image = own->image, sums = own->sums;
    const int64_t ih = h.from + p->first_h + h.tap * p->dilation_h, iw = w.from + p->first_w + w.tap * p->dilation_w;
    spot *to = &own->spot[own->n_spots++];
    *to = (spot){.tap = own->tap + own->n_taps, .taps = h.n * w.n, .n = n};
    to->a = at.first + h.tap * at.r + w.tap * at.s;
    to->x = vector * image + (to->taps ? (ih * p->w + iw) * TARE_LANES : 0);
    to->apart = alone ? image : (down ? p->w : 1) * TARE_LANES;
    to->to = vector * sums + (h.from * p->ow + w.from) * TARE_LANES;
    to->to_apart = alone ? sums : (down ? p->ow : 1) * TARE_LANES;
}

/* The tiles of outputs [h.from, h.end) x [w.from, w.end), which meet the same taps. */
static void find_spots(const convolution *p, stretch h, stretch w, int64_t vectors, scratch *own)
{
    const int64_t height = h.end - h.from, width = w.end - w.from;
    const bool alone = height * width == 1, down = height > width;
    const tare_cut cut = tare_cut_of(alone ? vectors : down ? height : width, TILE_VECTORS);
    for (int64_t v = 0; v < (alone ? 1 : vectors); v++)
        for (int64_t i = 0; i < (down ? width : height); i++)
            for (int64_t t = 0; t < cut.tiles; t++) {
                const int64_t along = tare_cut_start(cut, t);
                stretch oh = h, ow = w;
                oh.from += down ? along : i;
                ow.from += down ? i : alone ? 0 : along;
                add_spot(p, oh, ow, tare_cut_size(cut, t), alone, down, alone ? along : v, own);
            }
}

/* All tiles of so many vectors of images, and their taps. */
static void find(const convolution *p, int64_t vectors, scratch *own)
{
    own->n_taps = own->n_spots = 0;
    for (stretch h = {0}; h.end < p->oh;) {
        h = stretch_at(h.end, p->oh, p->first_h, p->dilation_h, p->r, p->h);
        for (stretch w = {0}; w.end < p->ow;) {
            w = stretch_at(w.end, p->ow, p->first_w, p->dilation_w, p->s, p->w);
            find_spots(p, h, w, vectors, own);
            find_taps(p, h.n, w.n, own);
        }
    }
}

typedef struct {
    int64_t n;
    const float *a;
    int64_t a_row;
    const float *x;
    int64_t apart;
    const tile_tap *tap;
    const float *bias;
    bool add;
    float *to;
    int64_t to_row, to_apart;
} job;

TARE_ALWAYS_INLINE void chwn_tile(int rows, int n_vectors, const job *j)
{
    tare_vf acc[TILE_ROWS][TILE_VECTORS];
    const float *row[TILE_ROWS];
    int64_t away[TILE_ROWS];
    TARE_UNROLL
    for (int r = 0; r < rows; r++) {
        row[r] = j->a + r * j->a_row;
        TARE_UNROLL
        for (int v = 0; v < n_vectors; v++) {
            __builtin_prefetch(j->to + r * j->to_row + v * j->to_apart, 1);
            acc[r][v] = (tare_vf){0};
        }
    }
    if (!j->tap) /* there always are: one way of reading them is kept */
        __builtin_unreachable();
    tile_away(rows, row, away);
    tile_add_away(rows, n_vectors, 0, j->n, row[0], away, 0, j->x, j->apart, j->tap, 0, acc);
    TARE_UNROLL
    for (int r = 0; r < rows; r++) {
        TARE_UNROLL
        for (int v = 0; v < n_vectors; v++) {
            float *to = j->to + r * j->to_row + v * j->to_apart;
            acc[r][v] = j->bias ? acc[r][v] + tare_broadcast(j->bias[r]) : acc[r][v];
            tare_store(to, j->add ? tare_load(to) + acc[r][v] : acc[r][v]);
        }
    }
}
TARE_CONV_TILES_WHOLE(chwn)

/* Rows [from, from + n) of the weights, at channels [c, next), to the strip [channels, STRIP, R S]. */
static void strip_of(const convolution *p, const float *w, int64_t from, int64_t n, int64_t c, int64_t next,
                     float *strip)
{
    const int64_t kernel = p->r * p->s;
    for (; c < next; c++, strip += STRIP * kernel)
        tare_lowered_copy(w + (c * p->out + from) * kernel, strip, n * kernel);
}

/* What the next strip will read of the weights at channels [c, next) is fetched. */
static inline void fetch(const convolution *p, const float *w, int64_t from, int64_t c, int64_t next)
{
    const int64_t kernel = p->r * p->s;
    for (; c < next; c++)
        for (int64_t line = 0; line < STRIP * kernel; line += 16)
            __builtin_prefetch(w + (c * p->out + from) * kernel + line);
}

/* Rows of tiles that share a strip, [t, end) of `tiles`; `row` is their first. */
typedef struct {
    tare_cut tiles;
    int64_t row, t, end;
    const float *w, *bias;
} product;

/* All tiles at a spot, for the channels [c, next); row `row` of the weights is at a. */
static inline void multiply_spot(const convolution *p, const scratch *own, const product *q, const spot *s,
                                 const float *a, int64_t c, int64_t next)
{
    const int64_t first = tare_cut_start(q->tiles, q->t);
    job j = {.n = (next - c) * s->taps, .a_row = weights_of(p).row, .apart = s->apart, .tap = s->tap, .add = c > 0};
    j.x = own->panel + c * p->h * p->w * TARE_LANES + s->x;
    j.to_row = p->oh * p->ow * TARE_LANES;
    j.to_apart = s->to_apart;
    for (int64_t t = q->t; t < q->end; t++) {
        const int64_t row = tare_cut_start(q->tiles, t) - first;
        j.a = a + s->a + row * j.a_row;
        j.bias = q->bias && next == p->in ? q->bias + q->row + row : NULL;
        j.to = own->sum + row * j.to_row + s->to;
        chwn_tiles[tare_cut_size(q->tiles, t) - 1][s->n - 1](&j);
    }
}

/* Block of channels by block: the rows' weights at one stay in a first-level cache. */
static void multiply(const convolution *p, const scratch *own, const product *q)
{
    const weights_at at = weights_of(p);
    const int64_t rows = tare_cut_start(q->tiles, q->end) - tare_cut_start(q->tiles, q->t);
    int64_t c = 0;
    do { /* once without channels too, which writes zeros */
        const int64_t next = c + p->block < p->in ? c + p->block : p->in, then = next < p->in ? next : 0;
        const int64_t share = p->block / own->n_spots + 1, end = then + p->block < p->in ? then + p->block : p->in;
        const float *a = q->w + q->row * at.row + c * at.channel;
        if (p->reversed) {
            strip_of(p, q->w, q->row, rows, c, next, own->strip);
            a = own->strip;
        }
        for (int64_t i = 0, k = then; i < own->n_spots; i++, k += share) {
            multiply_spot(p, own, q, &own->spot[i], a, c, next);
            if (p->reversed)
                fetch(p, q->w, then ? q->row : q->row + rows, k, k + share < end ? k + share : end);
        }
        c = next;
    } while (c < p->in);
}

/* Of n images, those in vector v. */
static inline int64_t lanes_of(int64_t n, int64_t v)
{
    return n - v * TARE_LANES < TARE_LANES ? n - v * TARE_LANES : TARE_LANES;
}

static int convolve(const convolution *p, const tare_call *c, int piece, int worker, const float *bias, float *y)
{
    const plan *q = (const plan *)(const void *)(c->g + TARE_CONV_WORDS);
    const tare_conv_span images = tare_conv_piece(tare_conv_of(c), piece / (int)q->pieces.across);
    const tare_conv_span rows = tare_conv_rows(piece, q->pieces, p->out);
    const tare_cut tiles = tare_cut_of(rows.end - rows.from, TILE_ROWS);
    const int64_t at_once = p->reversed ? STRIP / TILE_ROWS : 1, plane = p->oh * p->ow;
    const float *x = c->ptr[0], *w = c->ptr[1];
    scratch own = scratch_of(c, p, q, worker);
    product m = {.tiles = tiles, .w = w, .bias = bias};
    for (int64_t i = images.from, n, vectors, found = 0; i < images.end; i += n, found = vectors) {
        n = images.end - i < q->together ? images.end - i : q->together;
        vectors = (n + TARE_LANES - 1) / TARE_LANES;
        if (vectors != found)
            find(p, vectors, &own);
        for (int64_t v = 0; v < vectors; v++)
            gemm_turn(x + (i + v * TARE_LANES) * q->from_image, q->from_image, lanes_of(n, v), p->in * p->h * p->w, 1,
                      own.panel + v * own.image, TARE_LANES);
        for (m.t = 0; m.t < tiles.tiles; m.t = m.end) {
            m.end = m.t + at_once < tiles.tiles ? m.t + at_once : tiles.tiles;
            m.row = rows.from + tare_cut_start(tiles, m.t);
            multiply(p, &own, &m);
            const int64_t sums = (rows.from + tare_cut_start(tiles, m.end) - m.row) * plane;
            for (int64_t v = 0; v < vectors; v++)
                gemm_turn(own.sum + v * own.sums, TARE_LANES, sums, lanes_of(n, v), 0,
                          y + (i + v * TARE_LANES) * q->to_image + m.row * plane, q->to_image);
        }
    }
    return 0;
}

int TARE_KERNEL(conv2d_chwn)(const tare_call *c, int piece, int worker)
{
    const convolution p = forward(tare_conv_of(c)); /* [N,C,H,W] by [K,C,R,S], [K] to [N,K,OH,OW] */
    return convolve(&p, c, piece, worker, c->ptr[2], c->ptr[3]);
}

int TARE_KERNEL(conv2d_grad_data_chwn)(const tare_call *c, int piece, int worker)
{
    const convolution p = to_data(tare_conv_of(c)); /* [N,K,OH,OW] by [K,C,R,S] to [N,C,H,W] */
    return convolve(&p, c, piece, worker, NULL, c->ptr[3]);
}

#ifdef TARE_PASS_RECORDS

/* PANEL_MOST: floats of turned images that stay in a second-level cache. LANES_MOST: of all instruction sets, and so
 * many vectors TOGETHER_MOST, if IMAGE_PIECES are left to be pieces. */
enum { PANEL_MOST = 400 * 1024, LANES_MOST = 16, TOGETHER_MOST = 3, IMAGE_PIECES = 4 };

/* Taps in the plane along one axis: of all outputs, of all stretches. */
typedef struct {
    int64_t all, different;
} taps_inside;

static taps_inside inside_along(int64_t outputs, int64_t first, int64_t dilation, int64_t taps, int64_t size)
{
    taps_inside n = {0, 0};
    for (stretch at = {0}; at.end < outputs;) {
        at = stretch_at(at.end, outputs, first, dilation, taps, size);
        n.all += (at.end - at.from) * at.n;
        n.different += at.n;
    }
    return n;
}
static taps_inside inside_height(const convolution *p)
{
    return inside_along(p->oh, p->first_h, p->dilation_h, p->r, p->h);
}
static taps_inside inside_width(const convolution *p)
{
    return inside_along(p->ow, p->first_w, p->dilation_w, p->s, p->w);
}

/* The share of all products that are no padding's. */
static double inside(const convolution *p)
{
    return (double)inside_height(p).all * (double)inside_width(p).all /
           ((double)(p->oh * p->r) * (double)(p->ow * p->s) + 1);
}

/* Cuts images and output channels into pieces: what each run of channels turns again is weighed against evenness. */
static void prepare(const convolution *p, int64_t from_image, int64_t to_image, tare_work *work)
{
    tare_conv *v = (tare_conv *)(void *)work->g;
    plan *q = (plan *)(void *)(work->g + TARE_CONV_WORDS);
    const int64_t size = p->in * p->h * p->w, kernel = p->r * p->s, plane = p->oh * p->ow;
    const double cycles = (double)(v->n * plane) * (double)p->out * (double)(p->in * kernel) / 32 * inside(p);
    *q = (plan){.from_image = from_image, .to_image = to_image};
    const int64_t room = size ? PANEL_MOST / (size * LANES_MOST) : 1, vectors = (v->n + LANES_MOST - 1) / LANES_MOST;
    int64_t together = room < 1 ? 1 : room < TOGETHER_MOST ? room : TOGETHER_MOST;
    while (together > 1 && (vectors % together || vectors / together < IMAGE_PIECES))
        together--;
    q->together = together * LANES_MOST;
    const tare_conv_grid grid =
        tare__conv_grid(cycles, vectors / together, (p->out + 15) / 16, 0.6 * (double)(v->n * size), 0);
    q->pieces = tare__conv_pieces_of(v, grid, q->together, p->out, grid.across > 1 ? STRIP : 1, work);
    q->panel = size * q->together;
    q->sums = STRIP * plane * q->together;
    q->strip = p->reversed ? STRIP * p->block * kernel : 0;
    q->taps = tare_round_up(p->block * inside_height(p).different * inside_width(p).different + 1, 4);
    q->spots = plane * together * (LANES_MOST / 4);
    work->n_g = TARE_CONV_WORDS + (int32_t)(sizeof *q / sizeof(int64_t));
    work->worker_bytes = scratch_bytes(q);
}

void tare__prepare_conv2d_chwn(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    const tare_conv_operands o = tare_conv_forward(a, out);
    const convolution p = forward(tare__conv_prepare(a, o.x, o.w, o.y, work));
    prepare(&p, o.x->stride[0], o.y->stride[0], work);
}

void tare__prepare_conv2d_grad_data_chwn(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    const tare_conv_operands o = tare_conv_to_data(a);
    const convolution p = to_data(tare__conv_prepare(a, o.x, o.w, o.y, work));
    prepare(&p, o.y->stride[0], out[0]->stride[0], work);
}

void tare__conv2d_grad_data_chwn_tile(const tare_call *c, int piece, tare_tile *t)
{
    const plan *q = (const plan *)(const void *)(c->g + TARE_CONV_WORDS);
    tare__conv2d_grad_data_part(c, piece, q->pieces, t);
}

/* GAIN: what is saved of the products, lanes without an image counted. */
static bool fits(const convolution *p, int64_t images)
{
    const double size = (double)p->in * (double)p->h * (double)p->w * LANES_MOST, gain = 1.1;
    return size <= PANEL_MOST && p->out >= 16 && p->in >= 16 && images > 0 && p->r * p->s <= 25 &&
           p->oh * p->ow <= 256 && (double)images >= gain * inside(p) * (double)tare_round_up(images, LANES_MOST);
}

/* The same of the convolution of x by w, or of its gradient to data. */
static bool operands_fit(const tare_conv_operands *o, const tare_conv_attr *at, convolution (*of)(const tare_conv *))
{
    if (at->groups != 1 || at->stride_h != 1 || at->stride_w != 1 || o->w->dim[2] * o->w->dim[3] < 2)
        return false;
    const tare_conv v = tare__conv_geometry(o, at);
    const convolution p = of(&v);
    return fits(&p, v.n);
}

bool tare__conv2d_chwn_fits(const tare_args *a)
{
    const tare_desc y = tare__conv_result(a);
    return operands_fit(&(tare_conv_operands){a->in[0], a->in[1], &y}, a->attr, forward);
}

bool tare__conv2d_grad_data_chwn_fits(const tare_args *a)
{
    const tare_conv_operands o = tare_conv_to_data(a);
    return operands_fit(&o, a->attr, to_data);
}

#endif
