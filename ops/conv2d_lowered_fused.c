/* conv2d_lowered_fused.c - convolution, and its gradient to data as one of dy, by register tiles on lowered images.
 *
 *     y[k,o] = bias[k] + sum over t of  w[k,t] lowered[offset(t) + o]           t = (c,r,s), o = (oh,ow)
 *
 * The gradient to data is the same with dy for x and the weights turned round, copied into strips one tile wide; with a
 * stride it is stride_h x stride_w such convolutions ("phases" of dx), each of the taps that reach its places.
 *
 * An element is one chain of fused multiply-adds over t for each block of channels, which C, R and S decide; so no bit
 * depends on tiles, joined images, bands or pieces. A piece is a run of images and a run of output channels. */
#include "conv2d_lowered.h"
#include "conv2d_tile.h"

/* Follows tare_conv in the geometry. */
typedef struct {
    int64_t joined, band;                 /* images side by side; output rows lowered at a time */
    int64_t across, rows;                 /* pieces that share their images, output channels of each */
    int64_t from_image, to_image;         /* from image to image of the source and of the result */
    int64_t lowered, strips, apart, taps; /* floats of a worker's scratch, and offsets: see scratch_of */
} plan;

static inline const plan *plan_of(const tare_call *c)
{
    return (const plan *)(const void *)(c->g + TARE_CONV_WORDS);
}

/* Channels of a chain: at most about CHAIN taps, as even as can be. */
enum { CHAIN = 384, CHAIN_PLAIN = 192, PANELS = 128 * 1024 }; /* PANELS: floats of plain images packed at a time */
static inline int64_t block_of(int64_t channels, int64_t kernel)
{
    const int64_t most = kernel == 1 ? CHAIN_PLAIN : CHAIN, blocks = (channels * kernel + most - 1) / most;
    return blocks < 2 ? channels : (channels + blocks - 1) / blocks;
}

/* ---- a convolution ----------------------------------------------------------------------------------------------*/
/* Of `channels` of x, in groups, to `rows` channels of y: element (n,k,oh,ow) is at n image + k plane + oh row + ow
 * step. Row k of the weights begins k a_row behind that of its tile, the tiles a_tile apart, or a_row from row to row;
 * from tap to tap it is a_step. */
typedef struct {
    tare_lowered l;
    int64_t joined, band, groups, channels, kernel;
    const float *x;
    int64_t x_image;
    const float *a;
    int64_t a_group, a_tile, a_row, a_step;
    const float *bias; /* of a group's first row; NULL: none */
    int64_t bias_group;
    float *y;
    int64_t image, group, plane, row, step; /* of y */
    int64_t rows, block;                    /* block: channels of a chain */
    tare_cut tiles;                         /* of the rows */
    float *lowered, *apart;
    int64_t *offset;
} convolution;

typedef struct {
    int64_t n;
    const float *a;
    int64_t a_row, a_step;
    const float *b;
    const int64_t *offset;
    const float *bias;
    bool add;
    float *to;
    int64_t to_row, part;
} job;

TARE_ALWAYS_INLINE void lowered_tile(int rows, int n_vectors, int64_t part, const job *j)
{
    tare_vf acc[TILE_ROWS][TILE_VECTORS];
    const float *row[TILE_ROWS];
    TARE_UNROLL
    for (int r = 0; r < rows; r++)
        row[r] = j->a + r * j->a_row;
    tile_multiply(rows, n_vectors, part, j->n, row, j->a_step, j->b, j->offset, 0, acc);
    TARE_UNROLL
    for (int r = 0; r < rows; r++) {
        TARE_UNROLL
        for (int v = 0; v < n_vectors; v++)
            acc[r][v] = j->bias ? acc[r][v] + tare_broadcast(j->bias[r]) : acc[r][v];
        tile_store_row(n_vectors, part, acc[r], j->add, j->to + r * j->to_row);
    }
}
TARE_CONV_TILES(lowered)

enum { WIDTH = TILE_VECTORS * TARE_LANES };

/* Where the taps lie in the lowered image, in the order of w, (c,r,s); of a plain one, in a panel of it. */
static void offsets(const convolution *p, const tare_lowered *l)
{
    const int64_t channel = l->in_place ? WIDTH : l->channel;
    int64_t *to = p->offset;
    for (int64_t r = 0; p->channels && r < l->r; r++)
        for (int64_t s = 0; s < l->s; s++)
            *to++ = tare_lowered_offset(l, 0, r, s);
    for (int64_t t = p->kernel; t < p->channels * p->kernel; t++, to++)
        *to = to[-p->kernel] + channel;
}

/* Outputs of [oh,image,ow] from `o` on, as many as a tile has: the runs of them that lie together in every image. */
typedef struct {
    int64_t n, oh[WIDTH], image[WIDTH], ow[WIDTH], end[WIDTH];
} runs;

static void runs_of(const tare_lowered *l, int64_t step, int64_t o, int64_t n, runs *to)
{
    int64_t ow = o % l->ow, image = o / l->ow % l->images, oh = o / l->row;
    to->n = 0;
    for (o = 0; o < n;) {
        to->oh[to->n] = oh;
        to->image[to->n] = image;
        to->ow[to->n] = ow;
        o += step > 1 ? 1 : l->ow - ow;
        to->end[to->n++] = o < n ? o : n;
        ow = step > 1 && ow + 1 < l->ow ? ow + 1 : 0;
        image += ow == 0;
        oh += image == l->images;
        image = image < l->images ? image : 0;
    }
}

static inline void copy_run(const float *from, float *to, int64_t n)
{
    for (; n >= TARE_LANES; n -= TARE_LANES, from += TARE_LANES, to += TARE_LANES)
        tare_store(to, tare_load(from));
    if (n > 0)
        gemm_store_part(to, gemm_load_part(from, n), n);
}

/* Rows of results that lie as the runs do, WIDTH apart, to their places in y. */
static void put(const convolution *p, const runs *r, float *y)
{
    for (int64_t i = 0, o = 0; i < r->n; o = r->end[i++]) {
        float *to = y + r->oh[i] * p->row + r->image[i] * p->image + r->ow[i] * p->step;
        for (int64_t row = 0; row < p->rows; row++)
            copy_run(p->apart + row * WIDTH + o, to + row * p->plane, r->end[i] - o);
    }
}

/* A panel [channels, WIDTH] of plain images, whose next one is fetched meanwhile. */
static void pack(const convolution *p, const runs *r, const float *x, int64_t plane, int64_t channels, float *panel)
{
    for (int64_t i = 0, o = 0; i < r->n; o = r->end[i++]) {
        const float *from = x + r->image[i] * p->x_image + r->ow[i];
        for (int64_t c = 0; c < channels; c++, from += plane) {
            copy_run(from, panel + c * WIDTH + o, r->end[i] - o);
            for (int64_t line = 0; line < r->end[i] - o; line += 16)
                __builtin_prefetch(from + WIDTH + line);
        }
    }
}

/* A column of tiles: of some rows, for the outputs that `vectors` hold (part: of the last one, 0: all). */
typedef struct {
    int64_t vectors, part, tile, end; /* tile to end: of the rows */
    const float *lowered;             /* NULL: plain images that are not packed yet */
    const float *x;                   /* of the group, in the first image */
    const runs *runs;
    int64_t group;
    float *to; /* of row 0 */
    int64_t to_row;
} column;

/* Block by block of channels, so that what the tiles read of the lowered images stays in a first-level cache from row
 * to row. */
static void multiply_column(const convolution *p, const column *k)
{
    int64_t c = 0;
    do {
        const int64_t end = c + p->block < p->channels ? c + p->block : p->channels;
        job j = {.n = (end - c) * p->kernel, .a_row = p->a_row, .a_step = p->a_step, .b = k->lowered, .add = c > 0};
        j.offset = p->offset + c * p->kernel;
        j.to_row = k->to_row;
        j.part = k->part;
        if (!k->lowered) {
            pack(p, k->runs, k->x + c * p->l.w, p->l.w, end - c, p->lowered);
            j.b = p->lowered;
            j.offset = p->offset;
        }
        for (int64_t t = k->tile, rows; t < k->end; t++) {
            const int64_t row = t * p->tiles.least + (t < p->tiles.longer ? t : p->tiles.longer);
            rows = tare_cut_size(p->tiles, t);
            j.a = p->a + k->group * p->a_group + (p->a_tile ? t * p->a_tile : row * p->a_row);
            j.a += c * p->kernel * p->a_step;
            j.bias = p->bias && end == p->channels ? p->bias + k->group * p->bias_group + row : NULL;
            j.to = k->to + row * k->to_row;
            lowered_tiles[rows - 1][k->vectors - 1][k->part > 0](&j);
        }
        c = end;
    } while (c < p->channels);
}

/* The columns of tiles from `first` on, for some rows; `lowered` is what the first reads, the next ones `step` floats
 * on.
 */
static void multiply_columns(const convolution *p, const tare_lowered *l, column k, tare_cut columns, int64_t first,
                             int64_t end, int64_t step, float *y)
{
    const int64_t n = l->band * l->row;
    const bool direct = l->images == 1 && p->step == 1 && p->row == l->ow;
    int64_t o = (first * columns.least + (first < columns.longer ? first : columns.longer)) * TARE_LANES;
    for (int64_t t = first; t < end; t++, o += k.vectors * TARE_LANES) {
        runs r;
        r.n = 0;
        k.runs = &r;
        k.vectors = tare_cut_size(columns, t);
        const int64_t width = n - o < k.vectors * TARE_LANES ? n - o : k.vectors * TARE_LANES;
        k.part = width % TARE_LANES;
        if (!direct || !k.lowered)
            runs_of(l, p->step, o, width, &r);
        k.to = direct ? y + o : p->apart;
        k.to_row = direct ? p->plane : WIDTH;
        multiply_column(p, &k);
        if (!direct)
            put(p, &r, y);
        if (k.lowered)
            k.lowered += step ? step : k.vectors * TARE_LANES;
    }
}

/* A group's rows; `y` is where the first row's results begin in the first image. One chain of taps is multiplied row by
 * row, so that results are written in long runs; plain images are packed a few panels at a time for that. */
static void multiply(const convolution *p, const tare_lowered *l, const float *x, int64_t g, float *y)
{
    const int64_t n = l->band * l->row;
    const tare_cut columns = tare_cut_of((n + TARE_LANES - 1) / TARE_LANES, TILE_VECTORS);
    const bool by_row = l->images == 1 && p->step == 1 && p->row == l->ow && p->block == p->channels;
    column k = {.tile = 0, .end = p->tiles.tiles, .x = x, .group = g, .lowered = l->in_place ? NULL : p->lowered};
    if (!by_row) {
        multiply_columns(p, l, k, columns, 0, columns.tiles, 0, y);
        return;
    }
    const int64_t panel = p->channels * WIDTH, most = l->in_place ? PANELS / (panel + 1) : columns.tiles;
    for (int64_t first = 0, end; first < columns.tiles; first = end) {
        end = columns.tiles - first < most ? columns.tiles : first + most;
        for (int64_t t = first; l->in_place && t < end; t++) {
            runs r;
            const int64_t o = (t * columns.least + (t < columns.longer ? t : columns.longer)) * TARE_LANES;
            const int64_t width = tare_cut_size(columns, t) * TARE_LANES;
            runs_of(l, 1, o, n - o < width ? n - o : width, &r);
            pack(p, &r, x, l->w, p->channels, p->lowered + (t - first) * panel);
        }
        k.lowered = p->lowered;
        for (k.tile = 0; k.tile < p->tiles.tiles; k.tile++) {
            k.end = k.tile + 1;
            multiply_columns(p, l, k, columns, first, end, l->in_place ? panel : 0, y);
        }
    }
}

static void convolve(const convolution *p, tare_conv_span images)
{
    tare_lowered l = p->l;
    for (int64_t i = images.from, n; i < images.end; i += n) {
        n = images.end - i < p->joined ? images.end - i : p->joined;
        for (int64_t oh = 0; oh < l.oh; oh += p->band) {
            tare_lowered_size(&l, n, l.oh - oh < p->band ? l.oh - oh : p->band);
            offsets(p, &l);
            for (int64_t g = 0; g < p->groups; g++) {
                const float *x = p->x + i * p->x_image + g * p->channels * l.h * l.w;
                if (!l.in_place)
                    tare_lower(&l, x, p->x_image, p->channels, oh, p->lowered);
                multiply(p, &l, x, g, p->y + i * p->image + g * p->group + oh * p->row);
            }
        }
    }
}

/* ---- the operators ----------------------------------------------------------------------------------------------*/
static inline size_t scratch_bytes(const plan *q)
{
    return (size_t)(q->lowered + q->strips + q->apart) * sizeof(float) + (size_t)q->taps * sizeof(int64_t);
}

/* A worker's scratch: the lowered images; strips of weights; rows of results on their way; the taps' offsets. */
static inline void scratch_of(convolution *p, const tare_call *c, const plan *q, int worker)
{
    char *at = (char *)c->ptr[5] + (size_t)worker * scratch_bytes(q);
    p->lowered = (float *)(void *)at;
    p->apart = p->lowered + q->lowered + q->strips;
    p->offset = (int64_t *)(void *)(p->apart + q->apart);
}

/* The piece's part of `size` output channels of a group. */
static inline tare_conv_span rows_of(const plan *q, int piece, int64_t size)
{
    const int64_t from = piece % q->across * q->rows, end = from + q->rows;
    return (tare_conv_span){from < size ? from : size, end < size ? end : size};
}

int TARE_KERNEL(conv2d_lowered)(const tare_call *c, int piece, int worker)
{
    const tare_conv *v = tare_conv_of(c);
    const plan *q = plan_of(c);
    const tare_conv_span rows = rows_of(q, piece, v->k / v->groups);
    convolution p = {.l = tare_lowered_forward(v), .joined = q->joined, .band = q->band, .groups = v->groups};
    const float *x = c->ptr[0], *w = c->ptr[1], *bias = c->ptr[2]; /* [N,C,H,W], [K,C/G,R,S], [K] */
    float *y = c->ptr[3];                                          /* [N,K,OH,OW] */
    p.channels = v->c / v->groups;
    p.kernel = v->r * v->s;
    tare_lowered_plain(&p.l);
    p.x = x;
    p.x_image = q->from_image;
    p.a_row = p.channels * p.kernel;
    p.a_step = 1;
    p.a = w + rows.from * p.a_row;
    p.a_group = v->k / v->groups * p.a_row;
    p.bias = bias ? bias + rows.from : NULL;
    p.bias_group = v->k / v->groups;
    p.plane = tare_conv_plane(v);
    p.y = y + rows.from * p.plane;
    p.image = q->to_image;
    p.group = v->k / v->groups * p.plane;
    p.row = p.l.ow;
    p.step = 1;
    p.rows = rows.end - rows.from;
    p.tiles = tare_cut_of(p.rows, TILE_ROWS);
    p.block = block_of(p.channels, p.kernel);
    scratch_of(&p, c, q, worker);
    convolve(&p, tare_conv_piece(v, piece / (int)q->across));
    return 0;
}

/* Along one axis, the places i stride + a of dx: the taps that reach them are first_tap + j step (j < n), and i meets
 * dy at first + i + (n - 1 - j) dilation. */
typedef struct {
    int64_t n, first_tap, step, outputs, first, dilation;
} axis;

static axis axis_of(int64_t a, int64_t size, int64_t kernel, int64_t stride, int64_t pad, int64_t dilation)
{
    axis x = {.step = 1, .outputs = a < size ? (size - a + stride - 1) / stride : 0, .dilation = 1};
    while (x.first_tap < kernel && (a + pad - x.first_tap * dilation) % stride)
        x.first_tap++;
    while (x.step * dilation % stride)
        x.step++;
    x.n = x.first_tap < kernel ? (kernel - 1 - x.first_tap) / x.step + 1 : 0;
    x.dilation = x.step * dilation / stride;
    x.first = x.n ? (a + pad - (x.first_tap + (x.n - 1) * x.step) * dilation) / stride : 0;
    return x;
}

/* The convolution of dy that gives one phase of dx. */
static inline tare_lowered lowered_data(const tare_conv *v, const axis *h, const axis *w)
{
    tare_lowered l = {.h = v->oh, .w = v->ow, .r = h->n, .s = w->n, .oh = h->outputs, .ow = w->outputs};
    l.stride_h = l.stride_w = 1;
    l.first_h = h->first;
    l.first_w = w->first;
    l.dilation_h = h->dilation;
    l.dilation_w = w->dilation;
    if (!l.r || !l.s)
        l.r = l.s = 1; /* no tap: no channel either */
    tare_lowered_size(&l, 1, l.oh);
    return l;
}

/* The weights of a phase for channels [rows] of each group: strips [k,r,s,TILE_ROWS], the taps backwards. */
static void turn(const tare_conv *v, const float *w, const axis *h, const axis *x, tare_conv_span rows, float *strip)
{
    const int64_t c_group = v->c / v->groups, kernel = v->r * v->s;
    const tare_cut tiles = tare_cut_of(rows.end - rows.from, TILE_ROWS);
    for (int64_t g = 0; g < v->groups; g++, w += v->k / v->groups * c_group * kernel)
        for (int64_t t = 0, row = rows.from; t < tiles.tiles; row += tare_cut_size(tiles, t++)) {
            const int64_t n = tare_cut_size(tiles, t);
            for (int64_t k = 0; k < v->k / v->groups; k++)
                for (int64_t r = h->n - 1; r >= 0; r--)
                    for (int64_t s = x->n - 1; s >= 0; s--, strip += TILE_ROWS) {
                        const float *from = w + (k * c_group + row) * kernel + (h->first_tap + r * h->step) * v->s +
                                            x->first_tap + s * x->step;
                        if (n == TILE_ROWS)
                            for (int i = 0; i < TILE_ROWS; i++)
                                strip[i] = from[i * kernel];
                        else
                            for (int64_t i = 0; i < n; i++)
                                strip[i] = from[i * kernel];
                    }
        }
}

int TARE_KERNEL(conv2d_grad_data_lowered)(const tare_call *c, int piece, int worker)
{
    const tare_conv *v = tare_conv_of(c);
    const plan *q = plan_of(c);
    const int64_t c_group = v->c / v->groups, size = v->h * v->w;
    const tare_conv_span rows = rows_of(q, piece, c_group);
    const float *dy = c->ptr[0], *w = c->ptr[1]; /* [N,K,OH,OW], [K,C/G,R,S] */
    float *dx = c->ptr[3];                       /* [N,C,H,W] */
    for (int64_t a = 0; a < v->stride_h * v->stride_w; a++) {
        const axis h = axis_of(a / v->stride_w, v->h, v->r, v->stride_h, v->pad_h, v->dilation_h);
        const axis x = axis_of(a % v->stride_w, v->w, v->s, v->stride_w, v->pad_w, v->dilation_w);
        convolution p = {.l = lowered_data(v, &h, &x), .joined = q->joined, .band = q->band, .groups = v->groups};
        p.kernel = h.n * x.n;
        p.channels = p.kernel ? v->k / v->groups : 0;
        p.row = v->stride_h * v->w;
        p.step = v->stride_w;
        if (p.step == 1 && v->stride_h == 1)
            tare_lowered_plain(&p.l);
        if (p.l.oh == 1)
            p.row = p.l.ow;
        p.x = dy;
        p.x_image = q->from_image;
        p.rows = rows.end - rows.from;
        p.a_row = 1;
        p.a_step = TILE_ROWS;
        p.a_tile = p.channels * p.kernel * TILE_ROWS;
        p.tiles = tare_cut_of(p.rows, TILE_ROWS);
        p.block = block_of(p.channels, p.kernel);
        p.a_group = p.tiles.tiles * p.a_tile;
        p.plane = size;
        p.y = dx + rows.from * size + a / v->stride_w * v->w + a % v->stride_w;
        p.image = q->to_image;
        p.group = c_group * size;
        scratch_of(&p, c, q, worker);
        float *strips = p.lowered + q->lowered;
        p.a = strips;
        if (p.kernel)
            turn(v, w, &h, &x, rows, strips);
        convolve(&p, tare_conv_piece(v, piece / (int)q->across));
    }
    return 0;
}

#ifdef TARE_PASS_RECORDS

/* LOWERED_MOST, BAND: floats of joined images, and of a band of one, that stay in a second-level cache. */
enum { LOWERED_MOST = 400 * 1024, BAND = 192 * 1024, COLUMNS_MOST = 48, PHASES_MOST = 16 };

static int64_t round_up(int64_t n, int64_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/* How many images of `plane` outputs are joined: vectors are fuller, at the cost of moving what else would stay where
 * it is; `room`: the most that fit. */
static int64_t joined_of(int64_t plane, double moving, int64_t room)
{
    int64_t best = 1;
    double least = 1e300;
    for (int64_t n = 1; n <= room && n <= 64; n += n < 4 ? 1 : n < 8 ? 2 : n / 2) {
        const int64_t used = n * plane;
        const double cost = (double)round_up(used, used < 48 ? 48 : 16) / (double)used + (n > 1 ? moving : 0);
        if (cost < 0.99 * least) {
            least = cost;
            best = n;
        }
    }
    return best;
}

/* Cuts the images into groups and the output channels into runs of them. */
static void cut(tare_conv *v, plan *q, int64_t rows, double lowering, double turning, tare_work *work)
{
    const double cycles = (double)(v->n * v->k * tare_conv_plane(v)) * (double)tare_conv_taps(v) / 32;
    const tare_conv_grid grid =
        tare__conv_grid(cycles, v->n / q->joined, v->groups > 1 ? 1 : (rows + 15) / 16, lowering, turning);
    const int64_t images = grid.images, across = grid.across;
    v->images = v->n ? (v->n + images - 1) / images : 1;
    q->rows = round_up((rows + across - 1) / across, across > 1 ? 8 : 1);
    q->across = q->rows ? (rows + q->rows - 1) / q->rows : 1;
    q->across = q->across > 0 ? q->across : 1;
    work->n_pieces = (int32_t)((v->n ? (v->n + v->images - 1) / v->images : 1) * q->across);
}

/* The plan of the convolution `l` of `channels` to `rows` ones. */
static void plan_convolution(tare_conv *v, plan *q, tare_lowered l, int64_t channels, int64_t rows, bool simple)
{
    const int64_t taps = channels * l.r * l.s, one = channels * l.channel;
    if (simple)
        tare_lowered_plain(&l);
    q->joined = joined_of(l.oh * l.ow, 16.0 / (double)(taps + 1), one && !l.in_place ? LOWERED_MOST / one : v->n);
    q->joined = q->joined < v->n ? q->joined : v->n > 0 ? v->n : 1;
    const int64_t band = !l.in_place && one > LOWERED_MOST ? BAND / (one / l.rows + 1) : l.oh;
    const int64_t bands = (l.oh + (band < 1 ? 1 : band) - 1) / (band < 1 ? 1 : band);
    q->band = bands > 1 ? (l.oh + bands - 1) / bands : l.oh > 0 ? l.oh : 1;
    tare_lowered_size(&l, q->joined, q->band);
    q->lowered = l.in_place ? PANELS : round_up(channels * l.channel, 16);
    q->apart = q->joined > 1 || !simple ? rows * COLUMNS_MOST : 0;
    q->taps = round_up(channels * v->r * v->s + 1, 8);
    q->strips = 0;
    q->rows = rows;
}

static plan *prepare(const tare_conv_operands *o, const tare_args *a, tare_work *work)
{
    plan *q = (plan *)(void *)(work->g + TARE_CONV_WORDS);
    (void)tare__conv_prepare(a, o->x, o->w, o->y, work);
    work->n_g = TARE_CONV_WORDS + (int32_t)(sizeof *q / sizeof(int64_t));
    return q;
}

void tare__prepare_conv2d_lowered(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    tare_conv_operands o = tare_conv_forward(a, out);
    plan *q = prepare(&o, a, work);
    tare_conv *v = (tare_conv *)(void *)work->g;
    const tare_lowered l = tare_lowered_forward(v);
    plan_convolution(v, q, l, v->c / v->groups, v->k / v->groups, true);
    q->from_image = o.x->stride[0];
    q->to_image = o.y->stride[0];
    cut(v, q, v->k / v->groups, 0.3 * (double)(v->n * v->c * l.channel), 0.02 * (double)(v->k * tare_conv_taps(v)),
        work);
    work->worker_bytes = scratch_bytes(q);
}

void tare__prepare_conv2d_grad_data_lowered(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    tare_conv_operands o = tare_conv_to_data(a);
    plan *q = prepare(&o, a, work), most = {.joined = 1, .band = 1};
    tare_conv *v = (tare_conv *)(void *)work->g;
    double lowering = 0;
    for (int64_t i = 0; i < v->stride_h * v->stride_w; i++) {
        const axis h = axis_of(i / v->stride_w, v->h, v->r, v->stride_h, v->pad_h, v->dilation_h);
        const axis x = axis_of(i % v->stride_w, v->w, v->s, v->stride_w, v->pad_w, v->dilation_w);
        const tare_lowered l = lowered_data(v, &h, &x);
        plan_convolution(v, q, l, v->k / v->groups, v->c / v->groups, v->stride_h * v->stride_w == 1);
        lowering += 0.3 * (double)(v->n * v->k * l.channel);
        if (i == 0 || q->lowered > most.lowered)
            most.lowered = q->lowered;
        most.apart = q->apart > most.apart ? q->apart : most.apart;
        if (i == 0 || q->joined < most.joined)
            most.joined = q->joined;
        if (i == 0 || q->band < most.band)
            most.band = q->band;
        most.taps = q->taps;
    }
    *q = most;
    q->from_image = o.y->stride[0];
    q->to_image = out[0]->stride[0];
    cut(v, q, v->c / v->groups, lowering, (double)(v->k * tare_conv_taps(v)), work);
    q->strips = v->groups * round_up(q->rows, 8) * (v->k / v->groups) * v->r * v->s;
    work->worker_bytes = scratch_bytes(q);
}

void tare__conv2d_grad_data_lowered_tile(const tare_call *c, int piece, tare_tile *t)
{
    const tare_conv *v = tare_conv_of(c);
    const plan *q = plan_of(c);
    const int64_t size = v->h * v->w;
    tare__conv2d_grad_data_tile(c, piece / (int)q->across, t);
    if (q->across > 1) { /* there is one group */
        const tare_conv_span rows = rows_of(q, piece, v->c);
        t->column = rows.from * size;
        t->columns = (rows.end - rows.from) * size;
    }
}

/* Whether an image is small enough to be lowered row by row, and there is something to multiply by. */
static bool fits(double channels, const tare_desc *w, double row, double stride_h)
{
    return channels * (double)w->dim[3] * row * (double)w->dim[2] * stride_h <= 8.0 * LOWERED_MOST;
}

bool tare__conv2d_lowered_fits(const tare_args *a)
{
    const tare_conv_attr *at = a->attr;
    const tare_desc *x = a->in[0], *w = a->in[1];
    return fits((double)w->dim[1], w, (double)(x->dim[3] + 2 * at->pad_w) / (double)at->stride_w, (double)at->stride_h);
}

/* Not where most of what is multiplied would be zeros: the planes of dx are much larger than those of dy. */
bool tare__conv2d_grad_data_lowered_fits(const tare_args *a)
{
    const tare_conv_attr *at = a->attr;
    const tare_desc *dy = a->in[0], *w = a->in[1], *x = a->in[2];
    const double phases = (double)at->stride_h * (double)at->stride_w;
    return phases <= PHASES_MOST && fits((double)(w->dim[0] / at->groups), w, (double)x->dim[3], 1) &&
           (double)(x->dim[2] * x->dim[3]) <= 1.2 * phases * (double)(dy->dim[2] * dy->dim[3]);
}

#endif
