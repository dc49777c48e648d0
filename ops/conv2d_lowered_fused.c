/* conv2d_lowered_fused.c - convolution, and its gradient to data as one of dy, by register tiles on lowered images.
 *
 *     y[k,o] = bias[k] + sum over t of  w[k,t] lowered[offset(t) + o]           t = (c,r,s), o = (oh,ow)
 *
 * The gradient to data is the same with dy for x and the taps in reverse; with a stride it is stride_h x stride_w such
 * convolutions ("phases" of dx), each of the taps that reach its places. The weights are read where they lie; those
 * of kernels of one tap, which for the gradient lie a row apart from tap to tap, are copied in strips.
 *
 * An element is one chain of fused multiply-adds over t for each block of channels, which C, R and S decide; so no bit
 * depends on tiles, joined images, bands or pieces. A piece is a run of images and a run of output channels. */
#include "conv2d_lowered.h"
#include "conv2d_tile.h"

/* Follows tare_conv in the geometry. */
typedef struct {
    int64_t joined, band;                /* images side by side; output rows lowered at a time */
    int64_t across, rows;                /* pieces that share their images, output channels of each */
    int64_t from_image, to_image;        /* from image to image of the source and of the result */
    int64_t columns;                     /* of plain images in several blocks: columns of tiles at a time */
    int64_t lowered, apart, strip, taps; /* floats of a worker's scratch, and taps: see scratch_of */
} plan;

static inline const plan *plan_of(const tare_call *c)
{
    return (const plan *)(const void *)(c->g + TARE_CONV_WORDS);
}

enum { CHAIN = 384, CHAIN_PLAIN = 192, PANELS = 128 * 1024 }; /* PANELS: floats of plain images packed at a time */
static inline int64_t block_of(int64_t channels, int64_t kernel)
{
    return tare_conv_block(channels, kernel, kernel == 1 ? CHAIN_PLAIN : CHAIN);
}

/* ---- a convolution ----------------------------------------------------------------------------------------------*/
/* Of `channels` of x, in groups, to `rows` channels of y: element (n,k,oh,ow) is at n image + k plane + oh row + ow
 * step. Row k of the weights begins at a + k a_row. */
typedef struct {
    tare_lowered l;
    int64_t joined, band, columns, groups, channels, kernel;
    int64_t at_once; /* tiles of rows that meet a column one after the other */
    const float *x;
    int64_t x_image;
    const float *a;
    int64_t a_group, a_row;
    const float *bias; /* of a group's first row; NULL: none */
    int64_t bias_group;
    float *y;
    int64_t image, group, plane, row, step; /* of y */
    int64_t wide, line;                     /* results in a row, elements of y in one */
    int64_t left; /* of a plane of y, from the band on, is zero but for the results; 0: others write the rest of it */
    int64_t rows, block; /* block: channels of a chain */
    float *lowered, *apart, *strip;
    tile_tap *tap;  /* (c,r,s) */
    int64_t *place; /* of the taps in a row of weights that is read in strips; NULL: where they lie */
} convolution;

typedef struct {
    int64_t n;
    const float *a;
    int64_t a_row;
    const float *b;
    const tile_tap *tap;
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
    TARE_UNROLL
    for (int r = 0; r < rows; r++) { /* what is written comes while it is computed */
        TARE_UNROLL
        for (int v = 0; v < n_vectors; v++)
            __builtin_prefetch(j->to + r * j->to_row + v * TARE_LANES, 1);
    }
    if (!j->tap) /* weights are always read by taps here: the multiply keeps one way of reading them, not two */
        __builtin_unreachable();
    tile_multiply(rows, n_vectors, part, j->n, row, 0, j->b, j->tap, 0, acc);
    TARE_UNROLL
    for (int r = 0; r < rows; r++) {
        TARE_UNROLL
        for (int v = 0; v < n_vectors; v++)
            acc[r][v] = j->bias ? acc[r][v] + tare_broadcast(j->bias[r]) : acc[r][v];
        tile_store_row(n_vectors, part, acc[r], j->add, j->to + r * j->to_row);
    }
}
TARE_CONV_TILES(lowered)

enum { WIDTH = TILE_VECTORS * TARE_LANES, STRIP = 2 * TILE_ROWS };

/* Where the taps meet the lowered image; plain ones, the panel of their block. */
static void meet(const convolution *p, const tare_lowered *l)
{
    const int64_t channel = l->in_place ? WIDTH : l->channel;
    tile_tap *to = p->tap;
    for (int64_t r = 0; p->channels && r < l->r; r++)
        for (int64_t s = 0; s < l->s; s++)
            to++->b = tare_lowered_offset(l, 0, r, s);
    for (int64_t t = p->kernel; t < p->channels * p->kernel; t++, to++)
        to->b = l->in_place && t % p->block == 0 ? 0 : to[-p->kernel].b + channel;
}

/* Rows of results of some columns, `width` apart, to their places in y, with the zeros around them. */
static void put(const convolution *p, const tare_lowered *l, const tare_columns *k, int64_t rows, int64_t width,
                float *y)
{
    int64_t o = k->from % l->ow, image = k->from / l->ow % l->images, oh = k->from / l->row;
    const float *from = p->apart;
    for (int64_t left = k->to - k->from, n; left > 0; left -= n, from += n) {
        const int64_t ow = o % p->wide, at = (oh + o / p->wide) * p->row;
        const int64_t zeros = !p->left ? 0 : p->row < p->left - at ? p->row : p->left - at; /* of whole rows */
        n = p->wide - ow < left ? p->wide - ow : left;
        float *to = y + at + image * p->image + ow * p->step;
        for (int64_t r = 0; r < rows; r++, to += p->plane) {
            for (int64_t i = 0; i < zeros; i += p->line)
                tare_lowered_zero(to + i, ow + n < p->wide ? n * p->step : p->line - ow * p->step);
            if (p->step == 1)
                tare_lowered_copy(from + r * width, to, n);
            else
                for (int64_t i = 0; i < n; i++)
                    to[i * p->step] = from[r * width + i];
        }
        o += n;
        if (o < l->ow)
            continue;
        o = 0;
        image = image + 1 < l->images ? image + 1 : 0;
        oh += image == 0;
    }
}

/* Panels [channels, WIDTH] of plain images, one for each of some columns, of channels c to `end`. They are read in runs
 * as long as can be; for one column alone, the next one is fetched meanwhile. */
static void pack(const convolution *p, const tare_lowered *l, const tare_columns *k, int64_t c, int64_t end,
                 const float *x)
{
    const int64_t panel = (end - c) * WIDTH;
    int64_t t = k->first;
    for (int64_t o = k->from, n; o < k->to; o += n) {
        const float *from = x + o / l->ow * p->x_image + o % l->ow + c * l->ow;
        n = l->ow - o % l->ow;
        n = n < k->to - o ? n : k->to - o;
        while (tare_column_at(k->cut, t + 1) <= o)
            t++;
        const int64_t at = o - tare_column_at(k->cut, t), head = tare_column_at(k->cut, t + 1) - o; /* in column t */
        float *to = p->lowered + (t - k->first) * panel + at;
        for (int64_t i = c; i < end; i++, from += l->ow, to += WIDTH) {
            tare_lowered_copy(from, to, head < n ? head : n);
            for (int64_t line = 0; k->end - k->first == 1 && line < n; line += 16)
                __builtin_prefetch(from + WIDTH + line);
            float *next = to - at + panel;
            for (int64_t j = t + 1, done = head, some; done < n; j++, done += some, next += panel) {
                some = tare_cut_size(k->cut, j) * TARE_LANES;
                some = some < n - done ? some : n - done;
                tare_lowered_copy(from + done, next, some);
            }
        }
    }
}

/* Rows of tiles by columns of them; results of row `first` on go to `to`. */
typedef struct {
    tare_cut tiles;
    tare_columns k;
    const float *a, *bias;
    int64_t first, first_of_strip;
    float *to;
    int64_t to_row;
} product;

/* Rows of the tiles that share a strip, at the taps of a block of channels: [taps, STRIP]. */
static inline void strip_of(const convolution *p, const float *a, int64_t rows, int64_t c, int64_t end)
{
    float *to = p->strip;
    for (int64_t i = c; i < end; i++, to += STRIP)
        if (rows == STRIP)
            memcpy(to, a + p->place[i], STRIP * sizeof *to);
        else
            memcpy(to, a + p->place[i], (size_t)rows * sizeof *to);
}

/* Tile t by column i, for the block of channels from c on. */
static inline void multiply_tile(const convolution *p, const tare_lowered *l, const product *q, int64_t t, int64_t i,
                                 int64_t c)
{
    const int64_t row = tare_cut_start(q->tiles, t), rows = tare_cut_size(q->tiles, t), o = tare_column_at(q->k.cut, i);
    const int64_t end = c + p->block < p->channels ? c + p->block : p->channels;
    const int64_t vectors = tare_cut_size(q->k.cut, i), left = q->k.to - o;
    job j = {.n = (end - c) * p->kernel, .a = q->a + row * p->a_row, .a_row = p->a_row, .add = c > 0};
    j.a = p->place ? p->strip + row - q->first_of_strip : j.a;
    j.tap = p->tap + c * p->kernel;
    j.b = p->lowered + (l->in_place ? (i - q->k.first) * (end - c) * WIDTH : o);
    j.bias = q->bias && end == p->channels ? q->bias + row : NULL;
    j.to = q->to + (row - q->first) * q->to_row + o - q->k.from;
    j.to_row = q->to_row;
    j.part = left < vectors * TARE_LANES ? left % TARE_LANES : 0;
    lowered_tiles[rows - 1][vectors - 1][j.part > 0](&j);
}

/* Tiles [t, end) by all columns, for the block of channels from c on. What the next ones' strip will read of the
 * weights is fetched meanwhile: a line of it holds one tap. */
static inline void multiply_rows(const convolution *p, const tare_lowered *l, product *q, int64_t t, int64_t end,
                                 int64_t c)
{
    const int64_t from = tare_cut_start(q->tiles, t), next = tare_cut_start(q->tiles, end);
    const int64_t last = c + p->block < p->channels ? c + p->block : p->channels;
    const int64_t share = (last - c) / (q->k.end - q->k.first) + 1;
    q->first_of_strip = from;
    if (p->place)
        strip_of(p, q->a + from, next - from, c, last);
    for (int64_t i = q->k.first, fetch = c; i < q->k.end; i++) {
        for (int64_t u = t; u < end; u++)
            multiply_tile(p, l, q, u, i, c);
        for (int64_t k = 0; p->place && k < share && fetch < last; k++, fetch++)
            __builtin_prefetch(q->a + next + p->place[fetch]);
    }
}

/* Row of tiles by row of tiles: its weights are read once and then stay in a first-level cache, what it reads of the
 * images in a second-level one, and results are written in long runs. */
static void by_row(const convolution *p, const tare_lowered *l, product q, bool direct, float *y)
{
    q.to_row = direct ? p->plane : (q.k.end - q.k.first) * WIDTH;
    for (int64_t t = 0, end; t < q.tiles.tiles; t = end) {
        int64_t c = 0;
        end = t + p->at_once < q.tiles.tiles ? t + p->at_once : q.tiles.tiles;
        q.first = tare_cut_start(q.tiles, t);
        q.to = direct ? y + q.first * p->plane + q.k.from : p->apart;
        do {
            multiply_rows(p, l, &q, t, end, c);
            c += p->block;
        } while (c < p->channels);
        if (!direct)
            put(p, l, &q.k, tare_cut_start(q.tiles, end) - q.first, q.to_row, y + q.first * p->plane);
    }
}

/* Columns of plain images, block by block of channels, whose panels are packed just before they are read. */
static void by_block(const convolution *p, const tare_lowered *l, product q, const float *x, bool direct, float *y)
{
    q.to = direct ? y + q.k.from : p->apart;
    q.to_row = direct ? p->plane : (q.k.end - q.k.first) * WIDTH;
    for (int64_t c = 0; c < p->channels; c += p->block) {
        pack(p, l, &q.k, c, c + p->block < p->channels ? c + p->block : p->channels, x);
        for (int64_t t = 0; t < q.tiles.tiles; t += p->at_once)
            multiply_rows(p, l, &q, t, t + p->at_once < q.tiles.tiles ? t + p->at_once : q.tiles.tiles, c);
    }
    if (!direct)
        put(p, l, &q.k, p->rows, q.to_row, y);
}

/* A group's rows; `y` is where the first row's results begin in the first image. Plain images are packed as many panels
 * at a time as stay in a second-level cache, block by block if their channels are more than one. */
static void multiply(const convolution *p, const tare_lowered *l, const float *x, int64_t g, float *y)
{
    const int64_t n = l->band * l->row, panels = PANELS / (p->channels * WIDTH + 1);
    const bool blocks = p->block < p->channels && l->in_place;
    const bool direct = l->images == 1 && p->step == 1 && p->row == l->ow && !p->left;
    const tare_cut cut = tare_cut_of((n + TARE_LANES - 1) / TARE_LANES, TILE_VECTORS);
    const int64_t most = blocks ? p->columns : !l->in_place ? cut.tiles + 1 : panels < 1 ? 1 : panels;
    const tare_cut parts = tare_cut_of(cut.tiles, most);
    product q = {.tiles = tare_cut_of(p->rows, TILE_ROWS), .a = p->a + g * p->a_group};
    q.bias = p->bias ? p->bias + g * p->bias_group : NULL;
    for (int64_t s = 0; s < parts.tiles; s++) {
        q.k = tare_columns_of(cut, parts, s, n);
        if (blocks) {
            by_block(p, l, q, x, direct, y);
            continue;
        }
        if (l->in_place)
            pack(p, l, &q.k, 0, p->channels, x);
        by_row(p, l, q, direct, y);
    }
}

static void convolve(convolution *p, tare_conv_span images)
{
    const int64_t left = p->left;
    tare_lowered l = p->l;
    for (int64_t i = images.from, n; i < images.end; i += n) {
        n = images.end - i < p->joined ? images.end - i : p->joined;
        for (int64_t oh = 0; oh < l.oh; oh += p->band) {
            tare_lowered_size(&l, n, l.oh - oh < p->band ? l.oh - oh : p->band);
            meet(p, &l);
            p->left = left ? left - oh * p->row : 0;
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
    return (size_t)(q->lowered + q->apart + q->strip) * sizeof(float) + (size_t)q->taps * sizeof(tile_tap) +
           (q->strip ? (size_t)q->taps * sizeof(int64_t) : 0) + TARE_WORKERS_APART;
}

/* A worker's scratch: the lowered images; rows of results on their way; a strip; the taps, and their places. */
static inline void scratch_of(convolution *p, const tare_call *c, const plan *q, int worker)
{
    char *at = (char *)c->ptr[5] + (size_t)worker * scratch_bytes(q);
    p->lowered = (float *)(void *)at;
    p->apart = p->lowered + q->lowered;
    p->strip = p->apart + q->apart;
    p->tap = (tile_tap *)(void *)(p->strip + q->strip);
    p->place = q->strip ? (int64_t *)(void *)(p->tap + q->taps) : NULL;
    p->at_once = q->strip ? 2 : 1;
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
    convolution p = {.l = tare_lowered_forward(v), .joined = q->joined, .band = q->band, .columns = q->columns};
    const float *x = c->ptr[0], *w = c->ptr[1], *bias = c->ptr[2]; /* [N,C,H,W], [K,C/G,R,S], [K] */
    float *y = c->ptr[3];                                          /* [N,K,OH,OW] */
    p.groups = v->groups;
    p.channels = v->c / v->groups;
    p.kernel = v->r * v->s;
    tare_lowered_plain(&p.l);
    p.x = x;
    p.x_image = q->from_image;
    p.a_row = p.channels * p.kernel;
    p.a = w + rows.from * p.a_row;
    p.a_group = v->k / v->groups * p.a_row;
    p.bias = bias ? bias + rows.from : NULL;
    p.bias_group = v->k / v->groups;
    p.plane = tare_conv_plane(v);
    p.y = y + rows.from * p.plane;
    p.image = q->to_image;
    p.group = v->k / v->groups * p.plane;
    p.row = p.wide = p.l.ow;
    p.step = 1;
    p.rows = rows.end - rows.from;
    p.block = block_of(p.channels, p.kernel);
    scratch_of(&p, c, q, worker);
    for (int64_t i = 0; i < p.channels * p.kernel; i++)
        p.tap[i].a = i;
    convolve(&p, tare_conv_piece(v, piece / (int)q->across));
    return 0;
}

/* How many phases have taps to be computed. A kernel of one tap that is not moved has it in the first one; the others
 * are zeros, put around its results. */
static inline int64_t phases_of(const tare_conv *v)
{
    const int64_t phases = v->stride_h * v->stride_w;
    return v->r * v->s == 1 && !v->pad_h && !v->pad_w ? 1 : phases;
}

/* The taps of a phase, backwards: their places in the weights of input channel 0, and in the strip of their block. */
static void turn(const tare_conv *v, const tare_lowered_axis *h, const tare_lowered_axis *x, const convolution *p)
{
    const int64_t channel = v->c / v->groups * v->r * v->s; /* from output channel to output channel */
    int64_t i = 0;
    for (int64_t k = 0; k < p->channels; k++)
        for (int64_t r = h->n - 1; r >= 0; r--)
            for (int64_t s = x->n - 1; s >= 0; s--, i++) {
                const int64_t at = k * channel + (h->first_tap + r * h->step) * v->s + x->first_tap + s * x->step;
                p->tap[i].a = p->place ? i % p->block * STRIP : at;
                if (p->place)
                    p->place[i] = at;
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
    for (int64_t a = 0; a < phases_of(v); a++) {
        const tare_lowered_axis h =
            tare_lowered_axis_of(a / v->stride_w, v->h, v->r, v->stride_h, v->pad_h, v->dilation_h);
        const tare_lowered_axis x =
            tare_lowered_axis_of(a % v->stride_w, v->w, v->s, v->stride_w, v->pad_w, v->dilation_w);
        convolution p = {
            .l = tare_lowered_data(v, &h, &x), .joined = q->joined, .band = q->band, .columns = q->columns};
        p.groups = v->groups;
        p.kernel = h.n * x.n;
        p.channels = p.kernel ? v->k / v->groups : 0;
        p.row = v->stride_h * v->w;
        p.step = v->stride_w;
        p.left = phases_of(v) < v->stride_h * v->stride_w ? size : 0;
        p.line = v->w;
        if (phases_of(v) == 1)
            tare_lowered_plain(&p.l);
        p.wide = p.left ? x.outputs : p.l.ow;
        if (p.l.oh == 1 && !p.left)
            p.row = p.l.ow;
        p.x = dy;
        p.x_image = q->from_image;
        p.rows = rows.end - rows.from;
        p.a_row = v->r * v->s;
        p.a = w + rows.from * p.a_row;
        p.a_group = v->k / v->groups * c_group * p.a_row;
        p.block = block_of(p.channels, p.kernel);
        p.plane = size;
        p.y = dx + rows.from * size + a / v->stride_w * v->w + a % v->stride_w;
        p.image = q->to_image;
        p.group = c_group * size;
        scratch_of(&p, c, q, worker);
        turn(v, &h, &x, &p);
        convolve(&p, tare_conv_piece(v, piece / (int)q->across));
    }
    return 0;
}

#ifdef TARE_PASS_RECORDS

/* LOWERED_MOST, BAND: floats of joined images, and of a band of one, that stay in a second-level cache; TOGETHER: of
 * panels and their results. */
enum { LOWERED_MOST = 400 * 1024, BAND = 192 * 1024, TOGETHER = 256 * 1024, PHASES_MOST = 16 };
/* The largest tile of all instruction sets. */
enum { ROWS_MOST = 8, COLUMNS_MOST = 48 };

/* How many images of `plane` outputs are joined: vectors are fuller, at the cost of moving what else would stay where
 * it is; `room`: the most that fit. */
static int64_t joined_of(int64_t plane, double moving, int64_t room)
{
    int64_t best = 1;
    double least = 1e300;
    for (int64_t n = 1; n <= room && n <= 64; n += n < 4 ? 1 : n < 8 ? 2 : n / 2) {
        const int64_t used = n * plane;
        const double cost = (double)tare_round_up(used, used < 48 ? 48 : 16) / (double)used + (n > 1 ? moving : 0);
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
    q->rows = tare_round_up((rows + across - 1) / across, across > 1 ? 8 : 1);
    q->across = q->rows ? (rows + q->rows - 1) / q->rows : 1;
    q->across = q->across > 0 ? q->across : 1;
    work->n_pieces = (int32_t)((v->n ? (v->n + v->images - 1) / v->images : 1) * q->across);
}

/* The plan of the convolution `l` of `channels`. */
static void plan_convolution(tare_conv *v, plan *q, tare_lowered l, int64_t channels, bool simple)
{
    const int64_t taps = channels * l.r * l.s, one = channels * l.channel;
    if (phases_of(v) == 1)
        tare_lowered_plain(&l);
    q->joined = joined_of(l.oh * l.ow, 16.0 / (double)(taps + 1), one && !l.in_place ? LOWERED_MOST / one : v->n);
    q->joined = q->joined < v->n ? q->joined : v->n > 0 ? v->n : 1;
    const int64_t band = !l.in_place && one > LOWERED_MOST ? BAND / (one / l.rows + 1) : l.oh;
    const int64_t bands = (l.oh + (band < 1 ? 1 : band) - 1) / (band < 1 ? 1 : band);
    q->band = bands > 1 ? (l.oh + bands - 1) / bands : l.oh > 0 ? l.oh : 1;
    tare_lowered_size(&l, q->joined, q->band);
    const int64_t panel = channels * COLUMNS_MOST, outputs = tare_round_up(l.band * l.row, COLUMNS_MOST);
    const bool single = block_of(channels, l.r * l.s) >= channels;
    q->lowered = !l.in_place ? tare_round_up(channels * l.channel, 16) : panel > PANELS ? panel : PANELS;
    q->apart = q->joined > 1 || !simple ? 2 * ROWS_MOST * outputs : 0;
    q->taps = tare_round_up(channels * v->r * v->s + 1, 8);
    q->columns = l.in_place && !single;
}

/* Where plain images are read block by block: as many columns as stay in a second-level cache, with their results. */
static void widen(plan *q, int64_t block)
{
    if (!q->columns)
        return;
    const int64_t most = TOGETHER / ((block + q->rows) * COLUMNS_MOST);
    q->columns = most > 1 ? most : 1;
    q->lowered = block * COLUMNS_MOST * q->columns;
    q->apart = q->apart ? q->rows * COLUMNS_MOST * q->columns : 0;
}

static plan *prepare(const tare_conv_operands *o, const tare_args *a, tare_work *work)
{
    plan *q = (plan *)(void *)(work->g + TARE_CONV_WORDS);
    (void)tare__conv_prepare(a, o->x, o->w, o->y, work);
    *q = (plan){0};
    work->n_g = TARE_CONV_WORDS + (int32_t)(sizeof *q / sizeof(int64_t));
    return q;
}

void tare__prepare_conv2d_lowered(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    tare_conv_operands o = tare_conv_forward(a, out);
    plan *q = prepare(&o, a, work);
    tare_conv *v = (tare_conv *)(void *)work->g;
    const tare_lowered l = tare_lowered_forward(v);
    plan_convolution(v, q, l, v->c / v->groups, true);
    q->from_image = o.x->stride[0];
    q->to_image = o.y->stride[0];
    cut(v, q, v->k / v->groups, 0.3 * (double)(v->n * v->c * l.channel), 0.02 * (double)(v->k * tare_conv_taps(v)),
        work);
    widen(q, block_of(v->c / v->groups, 1));
    work->worker_bytes = scratch_bytes(q);
}

void tare__prepare_conv2d_grad_data_lowered(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    tare_conv_operands o = tare_conv_to_data(a);
    plan *q = prepare(&o, a, work), most = {.joined = 1, .band = 1};
    tare_conv *v = (tare_conv *)(void *)work->g;
    double lowering = 0;
    for (int64_t i = 0; i < phases_of(v); i++) {
        const tare_lowered_axis h =
            tare_lowered_axis_of(i / v->stride_w, v->h, v->r, v->stride_h, v->pad_h, v->dilation_h);
        const tare_lowered_axis x =
            tare_lowered_axis_of(i % v->stride_w, v->w, v->s, v->stride_w, v->pad_w, v->dilation_w);
        const tare_lowered l = tare_lowered_data(v, &h, &x);
        plan_convolution(v, q, l, v->k / v->groups, v->stride_h * v->stride_w == 1);
        lowering += 0.3 * (double)(v->n * v->k * l.channel);
        if (i == 0 || q->lowered > most.lowered)
            most.lowered = q->lowered;
        most.apart = q->apart > most.apart ? q->apart : most.apart;
        most.columns = q->columns;
        if (i == 0 || q->joined < most.joined)
            most.joined = q->joined;
        if (i == 0 || q->band < most.band)
            most.band = q->band;
        most.taps = q->taps;
    }
    *q = most;
    q->from_image = o.y->stride[0];
    q->to_image = out[0]->stride[0];
    cut(v, q, v->c / v->groups, lowering, 0.02 * (double)(v->k * tare_conv_taps(v)), work);
    q->strip = v->r * v->s == 1 ? 2 * ROWS_MOST * (block_of(v->k / v->groups, 1) + 1) : 0;
    widen(q, block_of(v->k / v->groups, 1));
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
