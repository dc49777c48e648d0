/* conv2d_winograd_weight.c - 3x3 convolution's gradient to weights by minimal filtering (conv2d_winograd.h).
 *
 *     V[p,t,c] = B^T d B        W[p,t,k] = A dY A^T        S[p,c,k] = sum over tiles t of V[p,t,c] W[p,t,k]
 *     dw = G^T S G              p: position in a transformed tile
 *
 * x and dy go by in blocks of tiles, whose products are added to S in their order: an element of S is one chain of
 * fused multiply-adds for each block. Where there is one block, S is made and becomes dw by panels of dy's channels and
 * chunks of x's, so that it never leaves a cache. A piece is a run of output channels, of all images; or a run of
 * images, whose partial dw are added in the order of the pieces. */
#include "conv2d_winograd.h"

WINOGRAD_SPREAD(winograd_head_2, 2, 4)
WINOGRAD_SPREAD(winograd_head_4, 4, 6)
WINOGRAD_GATHER(winograd_weight_2, 4, 3)
WINOGRAD_GATHER(winograd_weight_4, 6, 3)

/* CHUNK: channels of x whose S, for a panel of dy's, stays in a second-level cache. */
enum { CHUNK = 96 };

/* What a block of tiles adds to. */
typedef struct {
    const float *v, *w; /* [p,t,c], [p,t,k] */
    int64_t tiles, c_all, k_all, v_row, width;
    bool first, last, alone; /* of the blocks */
    float *sum, *stage, *dw; /* element (k,c,tap) of dw at (k c_all + c) TAPS + tap */
} part;

/* S of `some` channels of x, `width` of dy, to dw of `k` of these from `to` on. */
static void finish(const tare_winograd *q, const part *p, int64_t some, int64_t k, int64_t width, float *to)
{
    winograd_gather *gather = q->m == 4 ? winograd_weight_4_gather : winograd_weight_2_gather;
    const int64_t apart = winograd_apart(some, width), row = p->c_all * TAPS;
    for (int64_t v = 0; v < k; v += TARE_LANES)
        for (int64_t c = 0, n; c < some; c += n) {
            n = some - c < CHANNELS_TURNED ? some - c : CHANNELS_TURNED;
            for (int64_t i = 0; i < n; i++)
                gather(p->sum + (c + i) * width + v, apart, (tare_vf){0}, p->stage + i * TAPS * TARE_LANES,
                       3 * TARE_LANES, 3, 3);
            gemm_turn(p->stage, TARE_LANES, n * TAPS, winograd_lanes(k - v), 0, to + v * row + c * TAPS, row);
        }
}

/* The products of a block's tiles for `some` channels of x from c on and n vectors of dy's from channel k on: added to
 * S, and made dw after the last block. */
static void add_chunk(const tare_winograd *q, const part *p, int64_t c, int64_t some, int64_t k, int64_t n)
{
    const int64_t v_apart = winograd_apart(p->tiles, p->v_row), w_apart = winograd_apart(p->tiles, p->width);
    const int64_t width = n * TARE_LANES, apart = winograd_apart(some, width);
    const tare_cut panels = tare_cut_of(n, TILE_VECTORS);
    job j = {.n = p->tiles, .a_row = 1, .a_step = p->v_row, .b_step = p->width, .to_row = width, .add = !p->first};
    for (int64_t i = 0; i < winograd_positions(q); i++) {
        j.a = p->v + i * v_apart + c;
        j.b = p->w + i * w_apart + k;
        j.to = p->sum + i * apart;
        for (int64_t t = 0, vectors; t < panels.tiles; t++, j.b += vectors * TARE_LANES, j.to += vectors * TARE_LANES) {
            vectors = tare_cut_size(panels, t);
            winograd_multiply(j, some, vectors);
        }
    }
    if (p->last)
        finish(q, p, some, p->k_all - k < width ? p->k_all - k : width, width, p->dw + (k * p->c_all + c) * TAPS);
}

/* A block that is alone needs S for a panel and a chunk at a time; else all of S is there. */
static void add_block(const tare_winograd *q, const part *p)
{
    const int64_t vectors = p->width / TARE_LANES, most = p->alone ? CHUNK : p->c_all;
    const tare_cut panels = tare_cut_of(vectors, p->alone ? TILE_VECTORS : vectors);
    for (int64_t t = 0, k = 0, n; t < panels.tiles; t++, k += n * TARE_LANES) {
        n = tare_cut_size(panels, t);
        for (int64_t c = 0, some; c < p->c_all; c += some) {
            some = p->c_all - c < most ? p->c_all - c : most;
            add_chunk(q, p, c, some, k, n);
        }
    }
}

int TARE_KERNEL(conv2d_grad_weight_winograd)(const tare_call *c, int piece, int worker)
{
    const tare_conv *v = tare_conv_of(c);
    const tare_winograd *q = tare_winograd_of(c);
    const tare_conv_span images = tare_conv_piece(v, (int)(piece / q->across));
    const int64_t k = piece % q->across * q->width, n_k = v->k - k < q->width ? v->k - k : q->width;
    const int64_t whole = v->k * v->c * TAPS;
    winograd_source dy = {.x = c->ptr[0], .channels = n_k, .h = v->oh, .w = v->ow}; /* [N,K,OH,OW] */
    winograd_source x = {.x = c->ptr[1], .channels = v->c, .h = v->h, .w = v->w};   /* [N,C,H,W] */
    float *dw = c->ptr[3];                                                          /* [K,C,3,3] */
    if (c->n_pieces > q->across)
        dw = (float *)c->ptr[4] + piece * ((whole + 15) / 16 * 16);
    x.image = q->from_image;
    x.x += images.from * x.image;
    x.first_h = -v->pad_h;
    x.first_w = -v->pad_w;
    x.size = q->m + 2;
    x.spread = q->m == 4 ? winograd_data_4_spread : winograd_data_2_spread;
    dy.image = q->to_image;
    dy.x += images.from * dy.image + k * v->oh * v->ow;
    dy.size = q->m;
    dy.spread = q->m == 4 ? winograd_head_4_spread : winograd_head_2_spread;
    float *stage = (float *)(void *)((char *)c->ptr[5] + (size_t)worker * winograd_scratch(q));
    float *tiles_x = stage + q->stage, *tiles_dy = tiles_x + q->area[0], *sum = tiles_dy + q->area[1];
    const int64_t width = (n_k + TARE_LANES - 1) / TARE_LANES * TARE_LANES;
    const tare_cut blocks = winograd_blocks(q, images);
    part p = {tiles_x, tiles_dy, 0, v->c, n_k, winograd_row(v->c), width, .alone = blocks.tiles == 1};
    p.sum = sum;
    p.stage = stage;
    p.dw = dw + k * v->c * TAPS;
    for (int64_t b = 0, row = 0, n; b < blocks.tiles; b++, row += n) {
        n = tare_cut_size(blocks, b);
        const tare_conv_span rows = {row, row + n};
        p.tiles = n * q->tiles_w;
        p.first = b == 0;
        p.last = b == blocks.tiles - 1;
        winograd_read(q, &x, rows, stage, tiles_x, p.v_row, winograd_apart(p.tiles, p.v_row));
        winograd_read(q, &dy, rows, stage, tiles_dy, width, winograd_apart(p.tiles, width));
        add_block(q, &p);
    }
    return 0;
}

#ifdef TARE_PASS_RECORDS

/* TILES: in a block; the longer, the less often S goes by. */
enum { TILES = 64 };

static void prepare(const tare_args *a, int64_t m, tare_work *work)
{
    const tare_conv_operands o = tare_conv_to_weight(a);
    tare_winograd *q = tare__winograd_prepare(a, &o, o.y, m, work);
    tare_conv *v = (tare_conv *)(void *)work->g;
    const double tiles = (double)(v->n * q->tiles_h * q->tiles_w), transform = m == 4 ? 1 : 0.5;
    const double products = tiles * (double)(winograd_positions(q) * v->c * v->k) / 27;
    const double each = 14 * transform * tiles, finishing = 20 * transform * (double)(v->c * v->k);
    const tare_conv_grid images = tare__conv_grid(products + each * (double)(v->c + v->k), v->n, 1, 0, finishing);
    const tare_conv_grid across = tare__conv_grid(products + finishing, 1, (v->k + 15) / 16, each * (double)v->c, 0);
    const bool by_image = images.cost < across.cost;
    q->from_image = o.x->stride[0];
    q->to_image = o.y->stride[0];
    q->width = winograd_channels(by_image ? v->k : (v->k + across.across - 1) / across.across);
    q->width = q->width > 0 ? q->width : 16;
    q->across = v->k > 0 ? (v->k + q->width - 1) / q->width : 1;
    if (by_image && v->n > 0)
        v->images = (v->n + images.images - 1) / images.images;
    const int64_t groups = v->n > 0 ? (v->n + v->images - 1) / v->images : 1;
    work->n_pieces = (int32_t)(groups * q->across);
    if (groups > 1)
        work->piece_bytes = (size_t)((v->k * v->c * TAPS + 15) / 16 * 16) * sizeof(float);
    q->block = q->tiles_w < TILES ? TILES / (q->tiles_w > 0 ? q->tiles_w : 1) : 1;
    const int64_t run = q->block < q->tiles_h ? q->block : q->tiles_h, most = q->block * q->tiles_w;
    const int64_t wide = v->w > v->ow ? v->w : v->ow, pixels = ((run - 1) * m + m + 3) * wide;
    q->stage = 16 * (pixels > TAPS * CHANNELS_TURNED ? pixels : TAPS * CHANNELS_TURNED);
    q->area[0] = winograd_positions(q) * winograd_apart(most, winograd_row(v->c)) + 16;
    q->area[1] = winograd_positions(q) * winograd_apart(most, q->width) + 16;
    const bool alone = v->images * q->tiles_h <= q->block;
    q->area[2] = winograd_positions(q) *
                     (alone ? winograd_apart(v->c < CHUNK ? v->c : CHUNK, 48) : winograd_apart(v->c, q->width)) +
                 16;
    work->worker_bytes = winograd_scratch(q);
}

void tare__prepare_conv2d_grad_weight_winograd2(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    (void)out;
    prepare(a, 2, work);
}
void tare__prepare_conv2d_grad_weight_winograd4(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    (void)out;
    prepare(a, 4, work);
}

#endif
