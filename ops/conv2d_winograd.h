/* conv2d_winograd.h - 3x3 convolution by minimal filtering: the transforms, and images to and from transformed tiles.
 *
 *     Y = A^T [(G g G^T) o (B^T d B)] A        F(m x m, 3 x 3), m = 2 or 4: a tile of m x m outputs
 *
 * from the (m + 2) x (m + 2) inputs d that it meets and the kernel g; o: element by element, summed over the channels
 * there, so that each of the (m + 2)^2 *positions* is a matrix product. The form is trilinear like the convolution
 * itself, so the gradient to the weights is G^T [(B^T d B) o (A dY A^T)] G, summed over the tiles. (A. Lavin and S.
 * Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016: matrices in 4.1 and 4.3; gradients in 4.2.)
 *
 * Lanes are channels: images are turned to [pixel, channels] in scratch, so that a tile's transform is plain vector
 * arithmetic wherever the tile lies, and turned back. Tiles are counted from output (0,0) of each image. An element's
 * bits depend on its place in its tile, hence in its image, and on the channels; not on batch, blocks or pieces. */
#ifndef TARE_OPS_CONV2D_WINOGRAD_H
#define TARE_OPS_CONV2D_WINOGRAD_H

#include "conv2d_lowered.h"
#include "conv2d_tile.h"

enum { WINOGRAD_SIDE = 6, WINOGRAD_WIDTH = TILE_VECTORS * TARE_LANES };
/* CHANNELS_TURNED: whose weights are turned at a time. */
enum { TAPS = 9, CHANNELS_TURNED = 16 };

/* Follows tare_conv in the geometry. Floats of a worker's scratch: stage, then three areas as each direction says. */
typedef struct {
    int64_t m, tiles_h, tiles_w; /* outputs of a tile along an axis; tiles of an image */
    int64_t block;               /* rows of tiles that are transformed at a time */
    int64_t kept;                /* all transformed weights are, from block to block */
    int64_t across, width;       /* pieces that share their images; channels of each */
    int64_t from_image, to_image;
    int64_t stage, area[3];
} tare_winograd;

static inline const tare_winograd *tare_winograd_of(const tare_call *c)
{
    return (const tare_winograd *)(const void *)(c->g + TARE_CONV_WORDS);
}

static inline int64_t winograd_positions(const tare_winograd *q)
{
    return (q->m + 2) * (q->m + 2);
}

/* Whole vectors of every instruction set. */
static inline int64_t winograd_channels(int64_t channels)
{
    return (channels + 15) / 16 * 16;
}

static inline int64_t winograd_lanes(int64_t left) /* of a vector */
{
    return left < TARE_LANES ? left : TARE_LANES;
}

/* From tile to tile, of so many channels, and from position to position: lines of both are an odd number apart, so
 * that what lies side by side in one does not meet in one set of a cache. */
static inline int64_t winograd_row(int64_t channels)
{
    return winograd_channels(channels) | 16;
}
static inline int64_t winograd_apart(int64_t tiles, int64_t row)
{
    return (tiles * row) | 16;
}

/* The batch's rows of tiles in blocks, as even as can be. */
static inline tare_cut winograd_blocks(const tare_winograd *q, tare_conv_span images)
{
    return tare_cut_of((images.end - images.from) * q->tiles_h, q->block);
}

static inline size_t winograd_scratch(const tare_winograd *q)
{
    return (size_t)(q->stage + q->area[0] + q->area[1] + q->area[2]) * sizeof(float) + TARE_WORKERS_APART;
}

/* ---- along one axis ---------------------------------------------------------------------------------------------*/
TARE_ALWAYS_INLINE tare_vf winograd_fma(float a, tare_vf x, tare_vf y)
{
    return gemm_fma(tare_broadcast(a), x, y);
}

/* B^T */
TARE_ALWAYS_INLINE void winograd_data_2(const tare_vf *d, tare_vf *t)
{
    t[0] = d[0] - d[2];
    t[1] = d[1] + d[2];
    t[2] = d[2] - d[1];
    t[3] = d[1] - d[3];
}
TARE_ALWAYS_INLINE void winograd_data_4(const tare_vf *d, tare_vf *t)
{
    const tare_vf even = winograd_fma(-4, d[2], d[4]), odd = winograd_fma(-4, d[1], d[3]);
    const tare_vf near = d[4] - d[2], far = d[3] - d[1];
    t[0] = winograd_fma(4, d[0], winograd_fma(-5, d[2], d[4]));
    t[1] = even + odd;
    t[2] = even - odd;
    t[3] = winograd_fma(2, far, near);
    t[4] = winograd_fma(-2, far, near);
    t[5] = winograd_fma(4, d[1], winograd_fma(-5, d[3], d[5]));
}

/* G */
TARE_ALWAYS_INLINE void winograd_kernel_2(const tare_vf *g, tare_vf *t)
{
    const tare_vf ends = g[0] + g[2], half = tare_broadcast(0.5f);
    t[0] = g[0];
    t[1] = (ends + g[1]) * half;
    t[2] = (ends - g[1]) * half;
    t[3] = g[2];
}
TARE_ALWAYS_INLINE void winograd_kernel_4(const tare_vf *g, tare_vf *t)
{
    const tare_vf ends = (g[0] + g[2]) * tare_broadcast(-1.0f / 6), sixth = g[1] * tare_broadcast(1.0f / 6);
    const tare_vf far = winograd_fma(1.0f / 24, g[0], g[2] * tare_broadcast(1.0f / 6));
    t[0] = g[0] * tare_broadcast(0.25f);
    t[1] = ends - sixth;
    t[2] = ends + sixth;
    t[3] = winograd_fma(0.5f, sixth, far);
    t[4] = winograd_fma(-0.5f, sixth, far);
    t[5] = g[2];
}

/* A^T */
TARE_ALWAYS_INLINE void winograd_result_2(const tare_vf *s, tare_vf *y)
{
    y[0] = s[0] + (s[1] + s[2]);
    y[1] = (s[1] - s[2]) - s[3];
}
TARE_ALWAYS_INLINE void winograd_result_4(const tare_vf *s, tare_vf *y)
{
    const tare_vf near = s[1] + s[2], far = s[3] + s[4], odd_near = s[1] - s[2], odd_far = s[3] - s[4];
    y[0] = s[0] + near + far;
    y[1] = winograd_fma(2, odd_far, odd_near);
    y[2] = winograd_fma(4, far, near);
    y[3] = winograd_fma(8, odd_far, odd_near) + s[5];
}

/* A */
TARE_ALWAYS_INLINE void winograd_head_2(const tare_vf *y, tare_vf *t)
{
    t[0] = y[0];
    t[1] = y[0] + y[1];
    t[2] = y[0] - y[1];
    t[3] = -y[1];
}
TARE_ALWAYS_INLINE void winograd_head_4(const tare_vf *y, tare_vf *t)
{
    const tare_vf near = y[0] + y[2], odd_near = y[1] + y[3];
    const tare_vf far = winograd_fma(4, y[2], y[0]), odd_far = winograd_fma(4, y[3], y[1]);
    t[0] = y[0];
    t[1] = near + odd_near;
    t[2] = near - odd_near;
    t[3] = winograd_fma(2, odd_far, far);
    t[4] = winograd_fma(-2, odd_far, far);
    t[5] = y[3];
}

/* G^T */
TARE_ALWAYS_INLINE void winograd_weight_2(const tare_vf *s, tare_vf *g)
{
    const tare_vf half = tare_broadcast(0.5f), sum = (s[1] + s[2]) * half;
    g[0] = s[0] + sum;
    g[1] = (s[1] - s[2]) * half;
    g[2] = sum + s[3];
}
TARE_ALWAYS_INLINE void winograd_weight_4(const tare_vf *s, tare_vf *g)
{
    const tare_vf near = s[1] + s[2], far = s[3] + s[4];
    g[0] = winograd_fma(0.25f, s[0], winograd_fma(-1.0f / 6, near, far * tare_broadcast(1.0f / 24)));
    g[1] = winograd_fma(1.0f / 6, s[2] - s[1], (s[3] - s[4]) * tare_broadcast(1.0f / 12));
    g[2] = winograd_fma(1.0f / 6, far - near, s[5]);
}

/* ---- along both axes --------------------------------------------------------------------------------------------*/
/* A square of pixels, each a vector: pixel (i,j) at row[i] + j step; zeros but for first <= j < end. */
typedef struct {
    const float *row[WINOGRAD_SIDE];
    int64_t step, first, end;
} winograd_square;

/* `size` x `size` pixels to `side` x `side` positions, `apart` floats from one to the next. */
typedef void winograd_spread(const winograd_square *from, float *to, int64_t apart);
#define WINOGRAD_SPREAD(map, size, side)                                                                               \
    static __attribute__((noinline)) void map##_spread(const winograd_square *from, float *to, int64_t apart)          \
    {                                                                                                                  \
        tare_vf half[side][size], line[size], made[side];                                                              \
        TARE_UNROLL                                                                                                    \
        for (int j = 0; j < size; j++) {                                                                               \
            const bool there = j >= from->first && j < from->end;                                                      \
            TARE_UNROLL                                                                                                \
            for (int i = 0; i < size; i++)                                                                             \
                line[i] = there ? tare_load(from->row[i] + j * from->step) : (tare_vf){0};                             \
            map(line, made);                                                                                           \
            TARE_UNROLL                                                                                                \
            for (int i = 0; i < side; i++)                                                                             \
                half[i][j] = made[i];                                                                                  \
        }                                                                                                              \
        TARE_UNROLL                                                                                                    \
        for (int i = 0; i < side; i++) {                                                                               \
            map(half[i], made);                                                                                        \
            TARE_UNROLL                                                                                                \
            for (int j = 0; j < side; j++, to += apart)                                                                \
                tare_store(to, made[j]);                                                                               \
        }                                                                                                              \
    }
WINOGRAD_SPREAD(winograd_data_2, 4, 4)
WINOGRAD_SPREAD(winograd_data_4, 6, 6)

/* `side` x `side` positions to `size` x `size` pixels, of which `rows` x `columns` are wanted, pixel (i,j) at
 * to + i row + j TARE_LANES; `bias` is added to each. */
typedef void winograd_gather(const float *from, int64_t apart, tare_vf bias, float *to, int64_t row, int64_t rows,
                             int64_t columns);
#define WINOGRAD_GATHER(map, side, size)                                                                               \
    static __attribute__((noinline)) void map##_gather(const float *from, int64_t apart, tare_vf bias, float *to,      \
                                                       int64_t row, int64_t rows, int64_t columns)                     \
    {                                                                                                                  \
        tare_vf half[size][side], line[side], made[size];                                                              \
        TARE_UNROLL                                                                                                    \
        for (int j = 0; j < side; j++) {                                                                               \
            TARE_UNROLL                                                                                                \
            for (int i = 0; i < side; i++)                                                                             \
                line[i] = tare_load(from + (i * side + j) * apart);                                                    \
            map(line, made);                                                                                           \
            TARE_UNROLL                                                                                                \
            for (int i = 0; i < size; i++)                                                                             \
                half[i][j] = made[i];                                                                                  \
        }                                                                                                              \
        TARE_UNROLL                                                                                                    \
        for (int i = 0; i < size; i++, to += row) {                                                                    \
            map(half[i], made);                                                                                        \
            TARE_UNROLL                                                                                                \
            for (int j = 0; j < size; j++)                                                                             \
                if (i < rows && j < columns)                                                                           \
                    tare_store(to + j * TARE_LANES, made[j] + bias);                                                   \
        }                                                                                                              \
    }

/* ---- images to tiles --------------------------------------------------------------------------------------------*/
/* Planes that are cut in squares, square (0,0) beginning at (first_h, first_w), the next ones m further. */
typedef struct {
    const float *x;
    int64_t image, channels, h, w; /* image: floats from one to the next */
    int64_t first_h, first_w, size;
    winograd_spread *spread;
} winograd_source;

/* Rows of tiles `rows` of one image, TARE_LANES channels from x on, to tile 0 of `to`. */
static void winograd_read_run(const tare_winograd *q, const winograd_source *s, const float *x, int64_t channels,
                              tare_conv_span rows, float *stage, float *to, int64_t row, int64_t apart)
{
    const int64_t pixel_row = s->w * TARE_LANES, top = rows.from * q->m + s->first_h;
    const int64_t bottom = (rows.end - 1) * q->m + s->first_h + s->size;
    const int64_t from = top < 0      ? 0
                         : top < s->h ? top
                                      : s->h,
                  end = bottom > s->h   ? s->h
                        : bottom > from ? bottom
                                        : from;
    const float *zeros = stage, *pixels = stage + pixel_row;
    winograd_square p = {.step = TARE_LANES};
    gemm_turn(x + from * s->w, s->h * s->w, channels, (end - from) * s->w, 1, stage + pixel_row, TARE_LANES);
    for (int64_t t = rows.from; t < rows.end; t++)
        for (int64_t u = 0; u < q->tiles_w; u++, to += row) {
            const int64_t h = t * q->m + s->first_h, w = u * q->m + s->first_w;
            p.first = w < 0 ? -w : 0;
            p.end = s->w - w;
            for (int64_t i = 0; i < s->size; i++)
                p.row[i] =
                    (h + i < from || h + i >= end ? zeros : pixels + (h + i - from) * pixel_row) + w * TARE_LANES;
            s->spread(&p, to, apart);
        }
}

/* Rows of tiles `rows`, counted through the images from s->x on, of all channels: to[position][tile][channel]. */
static void winograd_read(const tare_winograd *q, const winograd_source *s, tare_conv_span rows, float *stage,
                          float *to, int64_t row, int64_t apart)
{
    tare_lowered_zero(stage, s->w * TARE_LANES);
    for (int64_t c = 0; c < s->channels; c += TARE_LANES) {
        const int64_t some = winograd_lanes(s->channels - c);
        float *at = to + c;
        for (int64_t r = rows.from, end; r < rows.end; at += (end - r) * q->tiles_w * row, r = end) {
            const int64_t image = r / q->tiles_h, first = image * q->tiles_h;
            end = first + q->tiles_h < rows.end ? first + q->tiles_h : rows.end;
            winograd_read_run(q, s, s->x + image * s->image + c * s->h * s->w, some,
                              (tare_conv_span){r - first, end - first}, stage, at, row, apart);
        }
    }
}

/* ---- products of positions --------------------------------------------------------------------------------------*/
typedef struct {
    int64_t n;
    const float *a;
    int64_t a_row, a_step;
    const float *b;
    int64_t b_step;
    float *to;
    int64_t to_row;
    bool add;
} job;

TARE_ALWAYS_INLINE void winograd_tile(int rows, int n_vectors, const job *j)
{
    tare_vf acc[TILE_ROWS][TILE_VECTORS];
    const float *row[TILE_ROWS];
    TARE_UNROLL
    for (int r = 0; r < rows; r++)
        row[r] = j->a + r * j->a_row;
    tile_multiply(rows, n_vectors, 0, j->n, row, j->a_step, j->b, NULL, j->b_step, acc);
    TARE_UNROLL
    for (int r = 0; r < rows; r++)
        tile_store_row(n_vectors, 0, acc[r], j->add, j->to + r * j->to_row);
}
TARE_CONV_TILES_WHOLE(winograd)

/* `rows` rows of the product that the job begins, of so many vectors. */
static inline void winograd_multiply(job j, int64_t rows, int64_t n_vectors)
{
    const tare_cut tiles = tare_cut_of(rows, TILE_ROWS);
    for (int64_t t = 0, n; t < tiles.tiles; t++, j.a += n * j.a_row, j.to += n * j.to_row) {
        n = tare_cut_size(tiles, t);
        winograd_tiles[n - 1][n_vectors - 1](&j);
    }
}

#ifdef TARE_PASS_RECORDS
/* conv2d_winograd.c: the geometry for tiles of m x m outputs that `to` is cut in. */
tare_winograd *tare__winograd_prepare(const tare_args *, const tare_conv_operands *, const tare_desc *to, int64_t m,
                                      tare_work *);
#endif

#endif
