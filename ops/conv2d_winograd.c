/* conv2d_winograd.c - 3x3 convolution, and its gradient to data as one of dy, by minimal filtering (conv2d_winograd.h).
 *
 *     V[p,t,c] = B^T d B of tile t        U[p,c,k] = G g G^T        M[p,t,k] = sum over c of V[p,t,c] U[p,c,k]
 *     y = A^T M A + bias                  p: position in a transformed tile
 *
 * U is made once a piece and lies in panels one register tile wide; the images go by in blocks of tiles whose V stays
 * in a second-level cache, and so does M of a panel: V is the product's A in place, U its packed B. The gradient to
 * data is the same of dy, with the taps backwards and the channels changed over. An element of M is one chain of fused
 * multiply-adds over c. A piece is a run of images and a run of output channels. */
#include "conv2d_winograd.h"

WINOGRAD_SPREAD(winograd_kernel_2, 3, 4)
WINOGRAD_SPREAD(winograd_kernel_4, 3, 6)
WINOGRAD_GATHER(winograd_result_2, 4, 2)
WINOGRAD_GATHER(winograd_result_4, 6, 4)

enum { AHEAD = 4 };

/* Of `s` to y, channel k of it at y + k plane. Element (k,c,tap) of the weights is at k w_k + c w_c + tap. */
typedef struct {
    winograd_source s;
    const float *w, *bias; /* bias NULL: none */
    int64_t w_k, w_c;
    bool backwards; /* taps */
    float *y;
    int64_t image, plane, h, w_y, channels; /* of y: planes h x w_y */
    float *stage, *v, *u, *m;
} convolution;

/* ---- weights ----------------------------------------------------------------------------------------------------*/
/* U of `n` channels of y (a vector of them) from all of x: rows `width` floats apart, positions `apart`. */
static void weights_of(const tare_winograd *q, const convolution *p, const float *w, int64_t n, float *to,
                       int64_t width, int64_t apart)
{
    winograd_spread *spread = q->m == 4 ? winograd_kernel_4_spread : winograd_kernel_2_spread;
    const int64_t step = p->backwards ? -TARE_LANES : TARE_LANES;
    winograd_square g = {.step = step, .first = 0, .end = 3};
    for (int64_t c = 0, some; c < p->s.channels; c += some) {
        some = p->s.channels - c < CHANNELS_TURNED ? p->s.channels - c : CHANNELS_TURNED;
        if (p->w_c == TAPS)
            gemm_turn(w + c * TAPS, p->w_k, n, some * TAPS, 1, p->stage, TARE_LANES);
        for (int64_t i = 0; i < some; i++, to += width) {
            float *tap = p->stage + i * TAPS * TARE_LANES;
            if (p->w_c != TAPS) {
                gemm_turn(w + (c + i) * p->w_c, p->w_k, n, TAPS, 1, tap, TARE_LANES);
                for (int64_t line = 0; line < n * TAPS; line += 16) /* pages apart */
                    __builtin_prefetch(w + (c + i + AHEAD) * p->w_c + line);
            }
            for (int r = 0; r < 3; r++)
                g.row[r] = p->backwards ? tap + (8 - 3 * r) * TARE_LANES : tap + 3 * r * TARE_LANES;
            spread(&g, to, apart);
        }
    }
}

/* A panel: channels of y from k on; behind it is where the next one begins. */
static float *weights(const tare_winograd *q, const convolution *p, int64_t k, int64_t width, float *to)
{
    const int64_t apart = winograd_apart(p->s.channels, width);
    for (int64_t v = 0; v < width; v += TARE_LANES)
        weights_of(q, p, p->w + (k + v) * p->w_k, winograd_lanes(p->channels - k - v), to + v, width, apart);
    return to + winograd_positions(q) * apart;
}

/* ---- results ----------------------------------------------------------------------------------------------------*/
/* Rows of tiles of one image, for a vector of channels of y. */
static void write_run(const tare_winograd *q, const convolution *p, tare_conv_span rows, tare_vf bias, int64_t n,
                      const float *m, int64_t width, int64_t apart, float *y)
{
    winograd_gather *gather = q->m == 4 ? winograd_result_4_gather : winograd_result_2_gather;
    const int64_t from = rows.from * q->m, end = rows.end * q->m < p->h ? rows.end * q->m : p->h;
    float *stage = p->stage;
    for (int64_t h = from; h < end; h += q->m)
        for (int64_t u = 0; u < q->tiles_w; u++, m += width)
            gather(m, apart, bias, stage + ((h - from) * p->w_y + u * q->m) * TARE_LANES, p->w_y * TARE_LANES, end - h,
                   p->w_y - u * q->m);
    gemm_turn(stage, TARE_LANES, (end - from) * p->w_y, n, 0, y + from * p->w_y, p->plane);
}

static void write(const tare_winograd *q, const convolution *p, tare_conv_span rows, int64_t k, const float *m,
                  int64_t width, int64_t apart)
{
    const int64_t n = winograd_lanes(p->channels - k);
    const tare_vf bias = p->bias ? gemm_load_part(p->bias + k, n) : (tare_vf){0};
    for (int64_t r = rows.from, end; r < rows.end; m += (end - r) * q->tiles_w * width, r = end) {
        const int64_t image = r / q->tiles_h, first = image * q->tiles_h;
        end = first + q->tiles_h < rows.end ? first + q->tiles_h : rows.end;
        write_run(q, p, (tare_conv_span){r - first, end - first}, bias, n, m, width, apart,
                  p->y + image * p->image + k * p->plane);
    }
}

/* ---- the convolution --------------------------------------------------------------------------------------------*/
static void convolve_block(const tare_winograd *q, const convolution *p, tare_conv_span rows, tare_cut panels)
{
    const int64_t tiles = (rows.end - rows.from) * q->tiles_w, row = winograd_row(p->s.channels);
    const int64_t v_apart = winograd_apart(tiles, row), positions = winograd_positions(q);
    float *u = p->u;
    winograd_read(q, &p->s, rows, p->stage, p->v, row, v_apart);
    for (int64_t t = 0, k = 0; t < panels.tiles; t++) {
        const int64_t vectors = tare_cut_size(panels, t), width = vectors * TARE_LANES;
        const int64_t m_apart = winograd_apart(tiles, width), u_apart = winograd_apart(p->s.channels, width);
        job j = {.n = p->s.channels, .a_row = row, .a_step = 1, .b_step = width, .to_row = width};
        if (!q->kept)
            (void)weights(q, p, k, width, u);
        for (int64_t i = 0; i < positions; i++) {
            j.a = p->v + i * v_apart;
            j.b = u + i * u_apart;
            j.to = p->m + i * m_apart;
            winograd_multiply(j, tiles, vectors);
        }
        u += q->kept ? positions * u_apart : 0;
        for (int64_t v = 0; v < vectors; v++, k += TARE_LANES)
            write(q, p, rows, k, p->m + v * TARE_LANES, width, m_apart);
    }
}

/* The piece's images and channels; p has the operands' whole. */
static void convolve(const tare_call *c, convolution *p, int64_t channels, int piece, int worker)
{
    const tare_winograd *q = tare_winograd_of(c);
    const tare_conv_span images = tare_conv_piece(tare_conv_of(c), piece / (int)q->across);
    const int64_t k = piece % q->across * q->width;
    p->channels = channels - k < q->width ? channels - k : q->width;
    p->w += k * p->w_k;
    p->bias = p->bias ? p->bias + k : NULL;
    p->s.image = q->from_image;
    p->s.x += images.from * q->from_image;
    p->s.size = q->m + 2;
    p->s.spread = q->m == 4 ? winograd_data_4_spread : winograd_data_2_spread;
    p->image = q->to_image;
    p->plane = p->h * p->w_y;
    p->y += images.from * q->to_image + k * p->plane;
    p->stage = (float *)(void *)((char *)c->ptr[5] + (size_t)worker * winograd_scratch(q));
    p->v = p->stage + q->stage;
    p->u = p->v + q->area[0];
    p->m = p->u + q->area[1];
    const tare_cut panels = tare_cut_of((p->channels + TARE_LANES - 1) / TARE_LANES, TILE_VECTORS);
    const tare_cut blocks = winograd_blocks(q, images);
    float *u = p->u;
    for (int64_t t = 0, k_t = 0, width; q->kept && t < panels.tiles; t++, k_t += width) {
        width = tare_cut_size(panels, t) * TARE_LANES;
        u = weights(q, p, k_t, width, u);
    }
    for (int64_t b = 0, row = 0, n; b < blocks.tiles; b++, row += n) {
        n = tare_cut_size(blocks, b);
        convolve_block(q, p, (tare_conv_span){row, row + n}, panels);
    }
}

int TARE_KERNEL(conv2d_winograd)(const tare_call *c, int piece, int worker)
{
    const tare_conv *v = tare_conv_of(c);
    convolution p = {.w = c->ptr[1], .bias = c->ptr[2], .y = c->ptr[3]};             /* [K,C,3,3], [K], [N,K,OH,OW] */
    p.s = (winograd_source){.x = c->ptr[0], .channels = v->c, .h = v->h, .w = v->w}; /* [N,C,H,W] */
    p.s.first_h = -v->pad_h;
    p.s.first_w = -v->pad_w;
    p.w_k = v->c * TAPS;
    p.w_c = TAPS;
    p.h = v->oh;
    p.w_y = v->ow;
    convolve(c, &p, v->k, piece, worker);
    return 0;
}

int TARE_KERNEL(conv2d_grad_data_winograd)(const tare_call *c, int piece, int worker)
{
    const tare_conv *v = tare_conv_of(c);
    convolution p = {.w = c->ptr[1], .backwards = true, .y = c->ptr[3]};               /* [K,C,3,3], [N,C,H,W] */
    p.s = (winograd_source){.x = c->ptr[0], .channels = v->k, .h = v->oh, .w = v->ow}; /* [N,K,OH,OW] */
    p.s.first_h = v->pad_h - 2;
    p.s.first_w = v->pad_w - 2;
    p.w_k = TAPS;
    p.w_c = v->c * TAPS;
    p.h = v->h;
    p.w_y = v->w;
    convolve(c, &p, v->c, piece, worker);
    return 0;
}

#ifdef TARE_PASS_RECORDS

/* LEAST: channels on each side; BLOCK: floats of V that stay in a second-level cache. Where V is more, U is kept and
 * goes by once a block, which costs little where U is small; else V up to ONE_BLOCK is one block, and larger V goes by
 * in blocks of TILES_LEAST tiles or more. U_MOST: floats of transformed weights. */
enum { LEAST = 8, BLOCK = 288 * 1024, ONE_BLOCK = 2048 * 1024, TILES_LEAST = 64 };
enum { U_SMALL = 512 * 1024, U_MOST = 1 << 24 };

typedef struct {
    double products, data, results, weights;
} cycles;

/* Cycles of tiles m x m over planes h x w: 27 products a cycle; what the transforms take is measured, on operands that
 * lie in a third-level cache. */
static cycles cycles_of(int64_t m, double images, int64_t h, int64_t w, double channels, double results)
{
    const double tiles = images * (double)((h + m - 1) / m) * (double)((w + m - 1) / m);
    const double positions = (double)((m + 2) * (m + 2)), transform = positions / 36;
    return (cycles){positions * tiles * channels * results / 27, 25 * transform * tiles * channels,
                    15 * transform * tiles * results, 20 * transform * channels * results};
}

/* The m that takes fewest cycles; 0: the native kernels take fewer, or it is no such convolution. */
static int64_t choice(const tare_conv_operands *o, const tare_conv_attr *at)
{
    const double n = (double)o->y->dim[0], c = (double)o->x->dim[1], k = (double)o->y->dim[1];
    if (o->w->dim[2] != 3 || o->w->dim[3] != 3 || at->stride_h != 1 || at->stride_w != 1 || at->dilation_h != 1 ||
        at->dilation_w != 1 || at->groups != 1 || c < LEAST || k < LEAST || n < 1 || 36 * c * k > U_MOST)
        return 0;
    double least = n * c * k * 9 * (double)(o->y->dim[2] * o->y->dim[3]) / 28;
    int64_t best = 0;
    for (int64_t m = 2; m <= 4; m += 2) {
        const cycles t = cycles_of(m, n, o->y->dim[2], o->y->dim[3], c, k);
        const double sum = t.products + t.data + t.results + t.weights;
        if (sum < least) {
            least = sum;
            best = m;
        }
    }
    return best;
}

/* One choice for all three directions, which take about the same. */
#define FITS(m)                                                                                                        \
    bool tare__conv2d_winograd##m##_fits(const tare_args *a)                                                           \
    {                                                                                                                  \
        const tare_desc *x = a->in[0], *w = a->in[1];                                                                  \
        const tare_conv_attr *at = a->attr;                                                                            \
        const tare_desc y = {                                                                                          \
            .rank = 4, .dim = {x->dim[0], w->dim[0], x->dim[2] + 2 * at->pad_h - 2, x->dim[3] + 2 * at->pad_w - 2}};   \
        return choice(&(tare_conv_operands){x, w, &y}, at) == m;                                                       \
    }                                                                                                                  \
    bool tare__conv2d_grad_data_winograd##m##_fits(const tare_args *a)                                                 \
    {                                                                                                                  \
        const tare_conv_operands o = tare_conv_to_data(a);                                                             \
        return choice(&o, a->attr) == m;                                                                               \
    }                                                                                                                  \
    bool tare__conv2d_grad_weight_winograd##m##_fits(const tare_args *a)                                               \
    {                                                                                                                  \
        const tare_conv_operands o = tare_conv_to_weight(a);                                                           \
        return choice(&o, a->attr) == m;                                                                               \
    }
FITS(2)
FITS(4)

tare_winograd *tare__winograd_prepare(const tare_args *a, const tare_conv_operands *o, const tare_desc *to, int64_t m,
                                      tare_work *work)
{
    tare_conv *v = tare__conv_prepare(a, o->x, o->w, o->y, work);
    tare_winograd *q = (tare_winograd *)(void *)(work->g + TARE_CONV_WORDS);
    v->images = v->n > 0 ? v->n : 1;
    *q = (tare_winograd){m, (to->dim[2] + m - 1) / m, (to->dim[3] + m - 1) / m, .across = 1};
    work->n_g = TARE_CONV_WORDS + (int32_t)(sizeof *q / sizeof(int64_t));
    return q;
}

/* Of x to y. */
static void prepare(const tare_args *a, const tare_conv_operands *o, const tare_desc *x, const tare_desc *y, int64_t m,
                    tare_work *work)
{
    tare_winograd *q = tare__winograd_prepare(a, o, y, m, work);
    tare_conv *v = (tare_conv *)(void *)work->g;
    const int64_t channels = x->dim[1], results = y->dim[1], row = winograd_row(channels);
    const cycles t = cycles_of(m, (double)v->n, y->dim[2], y->dim[3], (double)channels, (double)results);
    const tare_conv_grid grid = tare__conv_grid(t.products + t.results, v->n, (results + 15) / 16, t.data, t.weights);
    q->from_image = x->stride[0];
    q->to_image = y->stride[0];
    v->images = v->n > 0 ? (v->n + grid.images - 1) / grid.images : 1;
    q->width = winograd_channels((results + grid.across - 1) / grid.across);
    q->width = q->width > 0 ? q->width : 16;
    q->across = results > 0 ? (results + q->width - 1) / q->width : 1;
    work->n_pieces = (int32_t)((v->n > 0 ? (v->n + v->images - 1) / v->images : 1) * q->across);
    const int64_t room = BLOCK / (winograd_positions(q) * row), tiles = room > TILES_LEAST ? room : TILES_LEAST;
    const int64_t all = v->images * q->tiles_h;
    const bool small = winograd_positions(q) * channels * q->width <= U_SMALL;
    q->kept = all * q->tiles_w * winograd_positions(q) * row > (small ? BLOCK : ONE_BLOCK);
    q->block = !q->kept ? all : q->tiles_w < tiles ? tiles / (q->tiles_w > 0 ? q->tiles_w : 1) : 1;
    const int64_t run = q->block < q->tiles_h ? q->block : q->tiles_h, most = q->block * q->tiles_w;
    const int64_t read = ((run - 1) * m + m + 2) * x->dim[3] + x->dim[3], written = run * m * y->dim[3];
    const int64_t turned = TAPS * CHANNELS_TURNED, pixels = read > written ? read : written;
    q->stage = 16 * (pixels > turned ? pixels : turned);
    q->area[0] = winograd_positions(q) * winograd_apart(most, row) + 16;
    const int64_t panels = q->kept ? q->width / 8 : 1; /* or fewer */
    q->area[1] = winograd_positions(q) * (channels * (q->kept ? q->width : 48) + 16 * panels);
    q->area[2] = winograd_positions(q) * winograd_apart(most, 48) + 16;
    work->worker_bytes = winograd_scratch(q);
}

#define PREPARE(m)                                                                                                     \
    void tare__prepare_conv2d_winograd##m(const tare_args *a, const tare_desc_ref *out, tare_work *work)               \
    {                                                                                                                  \
        const tare_conv_operands o = tare_conv_forward(a, out);                                                        \
        prepare(a, &o, o.x, o.y, m, work);                                                                             \
    }                                                                                                                  \
    void tare__prepare_conv2d_grad_data_winograd##m(const tare_args *a, const tare_desc_ref *out, tare_work *work)     \
    {                                                                                                                  \
        const tare_conv_operands o = tare_conv_to_data(a);                                                             \
        prepare(a, &o, o.y, out[0], m, work);                                                                          \
    }
PREPARE(2)
PREPARE(4)

#endif
