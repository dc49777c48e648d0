/* conv2d_panel_fused.c - convolution's gradient to weights by register tiles: lowered images times panels of dy.
 *
 *     dw[k,t] = sum over images and outputs of  dy[k,o] lowered[offset(t) + o]      t = (c,r,s), o = (oh,ow)
 *
 * The lanes are output channels: a panel holds dy of some of them turned, [o, channels]; of the images one number is
 * broadcast at a time, so where a tap's run begins costs nothing. (lowered_weight has the outputs for lanes instead,
 * which suits few channels.) Where input channels fill the tiles, a tile is of one tap: x is read in place, and of the
 * outputs only those that the tap meets in the image. Few channels are lowered, and a tile is of several taps. Where
 * the kernel is one tap that moves nothing, a tile reads the planes on and on. Where it is one tap without padding, dy
 * and x change places if there are more channels in dy.
 *
 * An element is one chain of fused multiply-adds for each stretch of outputs (so many images, or so many rows of one),
 * added up in their order: shapes alone decide it. A piece is a run of rows and a run of panels, of all images; or,
 * where dw is small, a run of images whose partial dw are added in the order of the pieces. */
#include "conv2d_lowered.h"
#include "conv2d_tile.h"

/* Follows tare_conv in the geometry. */
typedef struct {
    int64_t together, stretch; /* images at a time; outputs of each */
    int64_t rows, panels;      /* input channels (of rows: what is broadcast) and output channels of a piece */
    int64_t row_pieces, panel_pieces;
    int64_t channels; /* input channels that are lowered at a time */
    int64_t swapped;  /* dy is broadcast, x lies in panels */
    int64_t x_image, dy_image;
    int64_t lowered, panel, sums, taps; /* floats of a worker's scratch, and offsets */
    int64_t places, kernel;             /* of a kernel whose tiles are of one tap, and its taps; else 0 */
} plan;

typedef struct {
    int64_t images, n; /* outputs of each */
    const float *row;  /* in the first image */
    int64_t image;     /* from image to image */
    const int64_t *offset;
    int64_t ahead;          /* from a row to the one that is fetched meanwhile; 0: none */
    const tile_tap *place;  /* of a tile of one tap, whose rows are `plane` apart: the outputs that the tap meets, */
    int64_t plane, outputs; /* of so many that the panel has */
    const float *panel;
    float *sum;
    int64_t sum_row; /* from a row's sums to the next one's */
} job;

enum { WIDTH = TILE_VECTORS * TARE_LANES, FETCH = 64 }; /* FETCH: outputs between fetches */

TARE_ALWAYS_INLINE void panel_tile(int rows, int n_vectors, const job *j)
{
    tare_vf acc[TILE_ROWS][TILE_VECTORS];
    const float *row[TILE_ROWS], *b = j->panel;
    TARE_UNROLL
    for (int r = 0; r < rows; r++) {
        row[r] = j->row + j->offset[r];
        TARE_UNROLL
        for (int v = 0; v < n_vectors; v++)
            acc[r][v] = (tare_vf){0};
    }
    for (int64_t i = 0; i < j->images; i++) {
        for (int64_t o = 0, n; o < j->n; o += n) {
            n = j->n - o < FETCH ? j->n - o : FETCH;
            TARE_UNROLL
            for (int r = 0; r < rows; r++)
                for (int64_t k = 0; j->ahead && k < n; k += 16)
                    __builtin_prefetch(row[r] + j->ahead + k);
            tile_add(rows, n_vectors, 0, n, row, 1, b, NULL, n_vectors * TARE_LANES, acc);
            b += n * n_vectors * TARE_LANES;
            TARE_UNROLL
            for (int r = 0; r < rows; r++)
                row[r] += n;
        }
        TARE_UNROLL
        for (int r = 0; r < rows; r++)
            row[r] += j->image - j->n;
    }
    TARE_UNROLL
    for (int r = 0; r < rows; r++)
        tile_store_row(n_vectors, 0, acc[r], true, j->sum + r * j->sum_row);
}
TARE_CONV_TILES_WHOLE(panel)

TARE_ALWAYS_INLINE void place_tile(int rows, int n_vectors, const job *j)
{
    tare_vf acc[TILE_ROWS][TILE_VECTORS];
    const float *row[TILE_ROWS], *x = j->row, *b = j->panel;
    int64_t away[TILE_ROWS];
    TARE_UNROLL
    for (int r = 0; r < rows; r++) {
        row[r] = j->row + r * j->plane;
        TARE_UNROLL
        for (int v = 0; v < n_vectors; v++)
            acc[r][v] = (tare_vf){0};
    }
    if (!j->place) /* there always are: one way of reading is kept */
        __builtin_unreachable();
    tile_away(rows, row, away);
    for (int64_t i = 0; i < j->images; i++, x += j->image, b += j->outputs * n_vectors * TARE_LANES) {
        for (int64_t k = 0; k < j->ahead; k += 16)
            __builtin_prefetch(x + rows * j->plane + k);
        tile_add_away(rows, n_vectors, 0, j->n, x, away, 0, b, TARE_LANES, j->place, 0, acc);
    }
    TARE_UNROLL
    for (int r = 0; r < rows; r++)
        tile_store_row(n_vectors, 0, acc[r], true, j->sum + r * j->sum_row);
}
TARE_CONV_TILES_WHOLE(place)

/* A tap of a stretch: the outputs that it meets in the image, and where it lies at the first output of all. */
typedef struct {
    const tile_tap *place;
    int64_t n, at;
} tap_of;

/* What a piece computes: rows [row, row_end) (channels of x, or of dy) by columns [column, column_end). */
typedef struct {
    tare_lowered l; /* of the rows */
    bool thinned;   /* columns lie a stride apart: as `source` has it */
    tare_lowered source;
    tare_conv_span images, rows, columns;
    const float *row, *column; /* of the group, in image 0 */
    int64_t row_image, column_image, row_plane, column_plane;
    int64_t kernel;
    float *lowered, *panel, *sums;
    int64_t *offset;
    tap_of *tap;
    tile_tap *place;
} product;

static inline size_t scratch_bytes(const plan *q)
{
    return (size_t)(q->lowered + q->panel + q->sums) * sizeof(float) + (size_t)q->taps * sizeof(int64_t) +
           (size_t)q->places * sizeof(tile_tap) + (q->places ? (size_t)q->kernel * sizeof(tap_of) : 0) +
           TARE_WORKERS_APART;
}

/* Where the rows of some channels lie in their lowered images, or in the images themselves. */
static void offsets(const product *p, int64_t channels)
{
    const int64_t channel = p->l.in_place ? p->row_plane : p->l.channel;
    int64_t *to = p->offset;
    for (int64_t r = 0; r < p->l.r; r++)
        for (int64_t s = 0; s < p->l.s; s++)
            *to++ = tare_lowered_offset(&p->l, 0, r, s);
    for (int64_t t = p->kernel; t < channels * p->kernel; t++, to++)
        *to = to[-p->kernel] + channel;
}

/* The panel of `width` columns from `column` on, over a stretch. */
static void turn(const product *p, int64_t column, int64_t width, int64_t i, int64_t images, int64_t o, int64_t n)
{
    const int64_t left = p->columns.end - p->columns.from - column, some = left < width ? left : width;
    for (int64_t k = 0; k < images; k++) {
        const float *from = p->column + (i + k) * p->column_image + (p->columns.from + column) * p->column_plane;
        if (p->thinned)
            tare_lower(&p->source, from, 0, some, o / p->source.ow, p->lowered);
        gemm_turn(p->thinned ? p->lowered : from + o, p->thinned ? n : p->column_plane, some, n, 1,
                  p->panel + k * n * width, width);
    }
}

/* Channels c.. of the rows over a stretch: outputs o.. of images i... */
static void multiply(const product *p, tare_conv_span channels, int64_t i, int64_t images, int64_t o, int64_t n)
{
    const int64_t taps = (channels.end - channels.from) * p->kernel, columns = p->columns.end - p->columns.from;
    const int64_t all = (p->rows.end - p->rows.from) * p->kernel;
    const tare_cut panels = tare_cut_of((columns + TARE_LANES - 1) / TARE_LANES, TILE_VECTORS);
    const tare_cut tiles = tare_cut_of(taps, TILE_ROWS);
    const float *row = p->row + i * p->row_image + channels.from * p->row_plane;
    job j = {.images = images, .n = n, .row = p->lowered, .image = (channels.end - channels.from) * p->l.channel};
    if (p->l.in_place) {
        j.row = row + o;
        j.image = p->row_image;
    } else {
        for (int64_t k = 0; k < images; k++)
            tare_lower(&p->l, row + k * p->row_image, 0, channels.end - channels.from, o / p->l.ow,
                       p->lowered + k * j.image);
    }
    offsets(p, channels.end - channels.from);
    j.panel = p->panel;
    j.sum_row = WIDTH;
    for (int64_t v = 0, vectors; v < panels.tiles; v++) {
        vectors = tare_cut_size(panels, v);
        turn(p, tare_cut_start(panels, v) * TARE_LANES, vectors * TARE_LANES, i, images, o, n);
        int64_t tap = (channels.from - p->rows.from) * p->kernel;
        j.offset = p->offset;
        for (int64_t t = 0, rows; t < tiles.tiles; t++, tap += rows, j.offset += rows) {
            rows = tare_cut_size(tiles, t);
            j.sum = p->sums + (v * all + tap) * WIDTH;
            j.ahead = p->l.in_place && v == 0 && t + 1 < tiles.tiles ? rows * p->row_plane : 0;
            panel_tiles[rows - 1][vectors - 1](&j);
        }
    }
}

/* The taps of output rows [oh, oh + rows), by panels of `width`: those of a column of the kernel share their places. */
static void find(const product *p, int64_t oh, int64_t rows, int64_t width)
{
    const tare_lowered *l = &p->l;
    tile_tap *place = p->place;
    for (int64_t s = 0; s < l->s; s++) {
        const int64_t first = l->first_w + s * l->dilation_w;
        const tare_conv_span across = tare_conv_inside(first, l->stride_w, l->ow, l->w);
        const int64_t n = across.end - across.from;
        for (int64_t r = 0; r < l->r; r++) {
            const int64_t top = l->first_h + oh * l->stride_h + r * l->dilation_h;
            const tare_conv_span down = tare_conv_inside(top, l->stride_h, rows, l->h);
            p->tap[r * l->s + s] = (tap_of){place + down.from * n, (down.end - down.from) * n, top * l->w + first};
        }
        for (int64_t i = 0; i < rows; i++)
            for (int64_t ow = across.from; ow < across.end; ow++, place++)
                *place = (tile_tap){i * l->stride_h * l->w + ow * l->stride_w, (i * l->ow + ow) * width};
    }
}

/* All rows over a stretch, a tap at a time: the images of a tile stay in a first-level cache from tap to tap. */
static void multiply_taps(const product *p, int64_t i, int64_t images, int64_t o, int64_t n)
{
    const int64_t rows = p->rows.end - p->rows.from, columns = p->columns.end - p->columns.from;
    const tare_cut panels = tare_cut_of((columns + TARE_LANES - 1) / TARE_LANES, TILE_VECTORS);
    const tare_cut tiles = tare_cut_of(rows, TILE_ROWS);
    const float *x = p->row + i * p->row_image + p->rows.from * p->row_plane;
    job j = {.images = images, .image = p->row_image, .plane = p->row_plane, .outputs = n, .panel = p->panel};
    j.sum_row = p->kernel * WIDTH;
    for (int64_t v = 0, vectors, width = 0; v < panels.tiles; v++) {
        vectors = tare_cut_size(panels, v);
        turn(p, tare_cut_start(panels, v) * TARE_LANES, vectors * TARE_LANES, i, images, o, n);
        if (width != vectors)
            find(p, o / p->l.ow, n / p->l.ow, vectors * TARE_LANES);
        width = vectors;
        for (int64_t t = 0; t < tiles.tiles; t++) {
            const int64_t row = tare_cut_start(tiles, t), some = tare_cut_size(tiles, t);
            for (int64_t k = 0; k < p->kernel; k++) {
                const tap_of *tap = &p->tap[k];
                j.ahead = k == 0 && t + 1 < tiles.tiles ? tare_cut_size(tiles, t + 1) * j.plane : 0;
                j.n = tap->n;
                j.place = tap->place;
                j.row = x + row * j.plane + tap->at;
                j.sum = p->sums + ((v * rows + row) * p->kernel + k) * WIDTH;
                place_tiles[some - 1][vectors - 1](&j);
            }
        }
    }
}

/* The sums to dw [columns, rows], or [rows, columns] where they are swapped; `to` is where the group's begins. */
static void finish(const product *p, bool swapped, int64_t row_length, float *to)
{
    const int64_t taps = (p->rows.end - p->rows.from) * p->kernel, columns = p->columns.end - p->columns.from;
    const tare_cut panels = tare_cut_of((columns + TARE_LANES - 1) / TARE_LANES, TILE_VECTORS);
    const float *from = p->sums;
    for (int64_t v = 0, column = p->columns.from, width; v < panels.tiles; v++, from += taps * WIDTH, column += width) {
        width = tare_cut_size(panels, v) * TARE_LANES;
        const int64_t n = p->columns.end - column < width ? p->columns.end - column : width;
        if (!swapped)
            gemm_turn(from, WIDTH, taps, n, 0, to + column * row_length + p->rows.from * p->kernel, row_length);
        else
            for (int64_t t = 0; t < taps; t++)
                memcpy(to + (p->rows.from + t) * row_length + column, from + t * WIDTH, (size_t)n * sizeof *to);
    }
}

static inline tare_conv_span part_of(int64_t i, int64_t size, int64_t most)
{
    const int64_t from = i * size, end = from + size;
    return (tare_conv_span){from < most ? from : most, end < most ? end : most};
}

int TARE_KERNEL(conv2d_grad_weight_panel)(const tare_call *c, int piece, int worker)
{
    const tare_conv *v = tare_conv_of(c);
    const plan *q = (const plan *)(const void *)(c->g + TARE_CONV_WORDS);
    const int64_t c_group = v->c / v->groups, k_group = v->k / v->groups, plane = tare_conv_plane(v);
    const int64_t whole = v->k * tare_conv_taps(v), share = q->row_pieces * q->panel_pieces;
    const float *dy = c->ptr[0], *x = c->ptr[1]; /* [N,K,OH,OW], [N,C,H,W] */
    float *dw = c->ptr[3];                       /* [K,C/G,R,S] */
    if (c->n_pieces > share)
        dw = (float *)c->ptr[4] + piece * ((whole + 15) / 16 * 16);
    product p = {
        .l = tare_lowered_forward(v), .kernel = v->r * v->s, .images = tare_conv_piece(v, (int)(piece / share))};
    tare_lowered_plain(&p.l);
    p.thinned = q->swapped && !p.l.in_place;
    p.source = p.l;
    p.l.in_place |= p.thinned;
    p.rows = part_of(piece % share % q->row_pieces, q->rows, q->swapped ? k_group : c_group);
    p.columns = part_of(piece % share / q->row_pieces, q->panels, q->swapped ? c_group : k_group);
    p.row_image = q->swapped ? q->dy_image : q->x_image;
    p.column_image = q->swapped ? q->x_image : q->dy_image;
    p.row_plane = q->swapped ? plane : v->h * v->w;
    p.column_plane = q->swapped ? v->h * v->w : plane;
    p.lowered = (float *)(void *)((char *)c->ptr[5] + (size_t)worker * scratch_bytes(q));
    p.panel = p.lowered + q->lowered;
    p.sums = p.panel + q->panel;
    p.offset = (int64_t *)(void *)(p.sums + q->sums);
    p.place = (tile_tap *)(void *)(p.offset + q->taps);
    p.tap = (tap_of *)(void *)(p.place + q->places);
    const int64_t rows = p.rows.end - p.rows.from, length = q->swapped ? c_group : c_group * p.kernel;
    for (int64_t g = 0; g < v->groups; g++) {
        p.row = q->swapped ? dy + g * k_group * plane : x + g * c_group * p.row_plane;
        p.column = q->swapped ? x + g * c_group * p.column_plane : dy + g * k_group * plane;
        memset(p.sums, 0, (size_t)q->sums * sizeof *p.sums);
        for (int64_t i = p.images.from, n; i < p.images.end; i += n) {
            n = p.images.end - i < q->together ? p.images.end - i : q->together;
            for (int64_t o = 0, some; o < plane; o += some) {
                some = plane - o < q->stretch ? plane - o : q->stretch;
                tare_lowered_size(&p.l, 1, p.l.in_place ? 1 : some / p.l.ow);
                if (p.thinned)
                    tare_lowered_size(&p.source, 1, some / p.source.ow);
                if (q->places)
                    multiply_taps(&p, i, n, o, some);
                for (int64_t k = 0; !q->places && k < rows; k += q->channels)
                    multiply(&p,
                             (tare_conv_span){p.rows.from + k,
                                              p.rows.from + (rows - k < q->channels ? rows : k + q->channels)},
                             i, n, o, some);
            }
        }
        finish(&p, q->swapped, length, dw + g * k_group * tare_conv_taps(v));
    }
    return 0;
}

#ifdef TARE_PASS_RECORDS

/* STRETCH: outputs in a chain; LOWERED_MOST: floats of lowered images at a time; SMALL: weights of which pieces of
 * images may each have their own. */
enum { STRETCH = 512, LOWERED_MOST = 256 * 1024, SMALL = 64 * 1024, PIECES = 16, ROWS_MOST = 8 };

/* Cuts rows, panels and images into pieces. What pieces of panels lower again and pieces of rows turn again, and panels
 * that are not full, is weighed against evenness, which many pieces give; all in cycles. */
static void cut(tare_conv *v, plan *q, int64_t rows, int64_t panels, double lowering, double turning, tare_work *work)
{
    const double weights = (double)(v->k * tare_conv_taps(v)), kernel = (double)(q->swapped ? 1 : v->r * v->s);
    const double cycles = (double)(v->n * tare_conv_plane(v)) * weights / 32 + 1;
    const double rows_least = q->kernel ? 16 : 64 / kernel;
    const int64_t panels_least = q->kernel ? 128 : 32;
    int64_t images = 1;
    double least = 1e300;
    for (int64_t m = 1; m <= PIECES && m <= (weights <= SMALL && v->n > 1 ? v->n : 1); m *= 2)
        for (int64_t a = 1;
             (a == 1 || (m == 1 && a <= PIECES)) && (a == 1 || (v->groups == 1 && (double)(rows / a) >= rows_least));
             a *= 2)
            for (int64_t b = 1;
                 (b == 1 || (m == 1 && a * b <= PIECES)) && (b == 1 || (v->groups == 1 && panels / b >= panels_least));
                 b *= 2) {
                const double pieces = (double)(m * a * b), small = pieces * 3e4 / cycles;
                const int64_t vectors = (panels + 16 * b - 1) / (16 * b), full = tare_round_up(vectors, 3);
                const double narrow = vectors ? 0.2 * (double)(full - vectors) / (double)vectors : 0;
                const double again = (double)b * lowering + (double)a * turning + (m > 1 ? (double)m * weights * 3 : 0);
                const double cost = again / cycles + narrow + 0.16 / pieces + (pieces < 4 ? 0.3 / pieces : 0) +
                                    (pieces > 1 && small > 1 ? small : 0);
                if (cost < least) {
                    least = cost;
                    images = m;
                    q->row_pieces = a;
                    q->panel_pieces = b;
                }
            }
    v->images = v->n ? (v->n + images - 1) / images : 1;
    q->rows = (rows + q->row_pieces - 1) / q->row_pieces;
    q->row_pieces = q->rows ? (rows + q->rows - 1) / q->rows : 1;
    q->panels = ((panels + q->panel_pieces - 1) / q->panel_pieces + 15) / 16 * 16;
    q->panel_pieces = q->panels ? (panels + q->panels - 1) / q->panels : 1;
    images = v->n ? (v->n + v->images - 1) / v->images : 1;
    work->n_pieces = (int32_t)(images * q->row_pieces * q->panel_pieces);
    if (images > 1)
        work->piece_bytes = (size_t)((v->k * tare_conv_taps(v) + 15) / 16 * 16) * sizeof(float);
}

/* Whether dy is broadcast and x lies in panels, its places a stride apart or not. */
static bool swaps(const tare_conv *v)
{
    return v->r * v->s == 1 && !v->pad_h && !v->pad_w && v->k > v->c;
}

void tare__prepare_conv2d_grad_weight_panel(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    (void)out;
    const tare_conv_operands o = tare_conv_to_weight(a);
    tare_conv *v = tare__conv_prepare(a, o.x, o.w, o.y, work);
    plan *q = (plan *)(void *)(work->g + TARE_CONV_WORDS);
    tare_lowered l = tare_lowered_forward(v);
    tare_lowered_plain(&l);
    const int64_t c_group = v->c / v->groups, k_group = v->k / v->groups, plane = tare_conv_plane(v);
    *q = (plan){
        .together = 1, .x_image = o.x->stride[0], .dy_image = o.y->stride[0], .row_pieces = 1, .panel_pieces = 1};
    q->swapped = swaps(v);
    const bool in_place = l.in_place || q->swapped; /* the rows */
    const int64_t all = plane > 0 ? STRETCH / plane : 1, length = STRETCH / (v->ow > 0 ? v->ow : 1);
    q->together = all < 1 ? 1 : all < v->n ? all : v->n > 0 ? v->n : 1;
    if (l.in_place)
        q->stretch =
            plane < STRETCH ? plane : (plane + (plane + STRETCH - 1) / STRETCH - 1) / ((plane + STRETCH - 1) / STRETCH);
    else
        q->stretch = all > 0 ? plane : length < 1 ? v->ow : length * v->ow;
    if (!in_place)
        tare_lowered_size(&l, 1, q->stretch / (v->ow > 0 ? v->ow : 1));
    const int64_t rows = q->swapped ? k_group : c_group, columns = q->swapped ? c_group : k_group;
    q->kernel = !in_place && 5 * c_group >= 4 * tare_round_up(c_group, ROWS_MOST) ? v->r * v->s : 0;
    cut(v, q, rows, columns, in_place || q->kernel ? 0 : 0.4 * (double)(v->n * v->c * l.channel),
        (q->swapped && !l.in_place ? 1.5 : 0.4) * (double)(v->n * columns * plane), work);
    const int64_t room = in_place ? q->rows : LOWERED_MOST / (l.channel * q->together + 1);
    q->channels = room < 1 ? 1 : room < q->rows ? room : q->rows > 0 ? q->rows : 1;
    if (!l.in_place && !q->kernel) /* of the rows, or of a panel */
        q->lowered = tare_round_up(q->swapped ? 48 * q->stretch : q->channels * l.channel * q->together, 16);
    q->panel = 48 * q->stretch * q->together;
    q->sums = (q->panels + 64) * q->rows * (q->swapped ? 1 : v->r * v->s);
    q->sums = (q->sums + 15) / 16 * 16;
    q->taps = q->kernel ? 0 : (q->channels * v->r * v->s + 8) / 8 * 8;
    q->places = q->kernel ? tare_round_up(v->s * q->stretch, 4) + 4 : 0;
    work->n_g = TARE_CONV_WORDS + (int32_t)(sizeof *q / sizeof(int64_t));
    work->worker_bytes = scratch_bytes(q);
}

/* Not where most of a panel would be empty, if outputs as lanes do better. */
bool tare__conv2d_grad_weight_panel_fits(const tare_args *a)
{
    const tare_conv_operands o = tare_conv_to_weight(a);
    const tare_conv_attr *at = a->attr;
    const int64_t k = o.w->dim[0] / at->groups, vectors = (k + 15) / 16;
    const double row = (double)o.w->dim[3] * (double)o.w->dim[2] * (double)at->stride_h * (double)o.y->dim[3];
    return row <= 8.0 * LOWERED_MOST && (5 * k >= 4 * 16 * vectors || tare_conv_plain(o.w, at));
}

#endif
