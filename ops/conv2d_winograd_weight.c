/* conv2d_winograd_weight.c - 3x3 convolution's gradient to weights by minimal filtering (conv2d_winograd.h).
 *
 *     V[p,t,c] = B^T d B        W[p,t,k] = A dY A^T        S[p,c,k] = sum over tiles t of V[p,t,c] W[p,t,k]
 *     dw = G^T S G              p: position in a transformed tile
 *
 * x and dy go by in blocks of tiles, whose products are added to S in their order: an element of S is one chain of
 * fused multiply-adds for each block. A piece is a run of output channels, of all images; or a run of images, whose
 * partial dw are added in the order of the pieces. */
#include "conv2d_winograd.h"

WINOGRAD_SPREAD(winograd_head_2, 2, 4)
WINOGRAD_SPREAD(winograd_head_4, 4, 6)
WINOGRAD_GATHER(winograd_weight_2, 4, 3)
WINOGRAD_GATHER(winograd_weight_4, 6, 3)

/* S, `width` columns, to dw of `k` output channels from `to` on. */
static void finish(const tare_winograd *q, const float *sum, int64_t c_all, int64_t k, int64_t width, float *stage,
                   float *to)
{
    winograd_gather *gather = q->m == 4 ? winograd_weight_4_gather : winograd_weight_2_gather;
    const int64_t apart = winograd_apart(c_all, width);
    for (int64_t v = 0; v < k; v += TARE_LANES)
        for (int64_t c = 0, some; c < c_all; c += some) {
            some = c_all - c < CHANNELS_TURNED ? c_all - c : CHANNELS_TURNED;
            for (int64_t i = 0; i < some; i++)
                gather(sum + (c + i) * width + v, apart, (tare_vf){0}, stage + i * TAPS * TARE_LANES, 3 * TARE_LANES, 3,
                       3);
            gemm_turn(stage, TARE_LANES, some * TAPS, winograd_lanes(k - v), 0, to + v * c_all * TAPS + c * TAPS,
                      c_all * TAPS);
        }
}

/* S += the products of a block's tiles. */
static void multiply(const tare_winograd *q, int64_t tiles, int64_t c_all, const float *v, int64_t v_row,
                     const float *w, int64_t width, bool add, float *sum)
{
    const int64_t v_apart = winograd_apart(tiles, v_row), w_apart = winograd_apart(tiles, width);
    const tare_cut panels = tare_cut_of(width / TARE_LANES, TILE_VECTORS);
    job j = {.n = tiles, .a_row = 1, .a_step = v_row, .b_step = width, .to_row = width, .add = add};
    for (int64_t i = 0; i < winograd_positions(q); i++) {
        int64_t k = 0;
        for (int64_t t = 0, n; t < panels.tiles; t++, k += n * TARE_LANES) {
            n = tare_cut_size(panels, t);
            j.a = v + i * v_apart;
            j.b = w + i * w_apart + k;
            j.to = sum + i * winograd_apart(c_all, width) + k;
            winograd_multiply(j, c_all, n);
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
    const int64_t v_row = winograd_row(v->c), width = (n_k + TARE_LANES - 1) / TARE_LANES * TARE_LANES;
    const tare_cut blocks = winograd_blocks(q, images);
    for (int64_t b = 0, row = 0, n; b < blocks.tiles; b++, row += n) {
        n = tare_cut_size(blocks, b);
        const tare_conv_span rows = {row, row + n};
        const int64_t tiles = n * q->tiles_w;
        winograd_read(q, &x, rows, stage, tiles_x, v_row, winograd_apart(tiles, v_row));
        winograd_read(q, &dy, rows, stage, tiles_dy, width, winograd_apart(tiles, width));
        multiply(q, tiles, v->c, tiles_x, v_row, tiles_dy, width, b > 0, sum);
    }
    finish(q, sum, v->c, n_k, width, stage, dw + k * v->c * TAPS);
    return 0;
}

#ifdef TARE_PASS_RECORDS

/* TILES: in a block; the longer, the less often S goes by. */
enum { TILES = 128 };

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
    q->area[2] = winograd_positions(q) * winograd_apart(v->c, q->width) + 16;
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
