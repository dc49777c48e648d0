/* conv2d_raised_fused.c - convolution's gradient to data by register tiles that add into a lowered image.
 *
 *     lowered'[offset(t) + o] += sum over k of  w[k,t] dy[k,o],   then dx is raised from lowered'
 *
 * for planes of dy that are much smaller than those of dx, as small images without padding have them: dy alone is
 * multiplied, and no zeros around it. The tile is rows of t by vectors of outputs. An element is one chain of fused
 * multiply-adds over k, then added up over r, then s, whatever the tile, so no bit depends on where it stands. (So the
 * tiles are of taps in one row of the kernel: two rows meet the same place of lowered' from different outputs.) A piece
 * is a run of images. */
#include "conv2d_lowered.h"
#include "conv2d_tile.h"

enum { RAISED_COLUMNS = 8 };

/* A channel's rows of one phase, dx[i] += the sum over s (`first` <= s < `end`, at most RAISED_COLUMNS) of the
 * lowered rows; stride_w is 1. */
static inline void raise_rows(const tare_conv *v, const tare_lowered *l, float *dx, int64_t step, int64_t rows,
                              const float *lowered, int64_t s, int64_t s_end)
{
    for (int64_t j = 0; j < v->w; j += TARE_LANES) {
        const int64_t n = v->w - j < TARE_LANES ? v->w - j : TARE_LANES;
        gemm_lanes lanes[RAISED_COLUMNS];
        for (int64_t k = s; k < s_end; k++) {
            const int64_t first = k * v->dilation_w - v->pad_w;
            const tare_conv_span in = tare_conv_inside(first, 1, v->ow, v->w);
            lanes[k - s] = tare_lowered_lanes(j, first + in.from, first + in.end);
        }
        const float *from = lowered + j - (s * v->dilation_w - v->pad_w);
        float *to = dx + j;
        for (int64_t i = 0; i < rows; i++, to += step, from += v->ow) {
            tare_vf sum = s > 0 ? gemm_load_part(to, n) : (tare_vf){0};
            const float *column = from;
            for (int64_t k = 0; k < s_end - s; k++, column += l->plane - v->dilation_w)
                sum += gemm_load_lanes(column, lanes[k]);
            gemm_store_part(to, sum, n);
        }
    }
}

/* The reverse: dx is the sum, over s in ascending order, of what `lowered` holds for it. */
static inline void raise_channels(const tare_conv *v, const tare_lowered *l, float *dx, int64_t channels,
                                  const float *lowered)
{
    const int64_t h = v->h, w = v->w, ow = v->ow, stride = v->stride_w, step = v->stride_h * w;
    const bool every_row = v->stride_w == 1 && l->phases == v->stride_h && l->rows * l->phases >= h + v->pad_h;
    for (int64_t c = 0; c < channels; ++c, dx += h * w, lowered += l->channel) {
        if (!every_row)
            tare_lowered_zero(dx, h * w);
        for (int64_t phase = 0; phase < l->phases; ++phase) {
            const tare_conv_span rows = tare_lowered_inside(l, phase, 0);
            float *to = dx + (rows.from * v->stride_h + phase - v->pad_h) * w;
            const float *from = lowered + (phase * l->rows + rows.from) * ow;
            for (int64_t s = 0; stride == 1 && s < v->s; s += RAISED_COLUMNS)
                raise_rows(v, l, to, step, rows.end - rows.from, from + s * l->plane, s,
                           s + RAISED_COLUMNS < v->s ? s + RAISED_COLUMNS : v->s);
            for (int64_t s = 0; stride > 1 && s < v->s; ++s, from += l->plane) {
                const int64_t first = s * v->dilation_w - v->pad_w;
                const tare_conv_span in = tare_conv_inside(first, stride, ow, w);
                for (int64_t i = 0; i < rows.end - rows.from; ++i)
                    for (int64_t o = in.from; o < in.end; ++o)
                        to[i * step + first + o * stride] += from[i * ow + o];
            }
        }
    }
}

/* Follows tare_conv in the geometry. */
typedef struct {
    int64_t from_image, to_image; /* from image to image of dy and of dx */
    int64_t lowered;              /* floats of a worker's lowered image, before the taps' tables */
} plan;

typedef struct {
    int64_t n;
    const float *a;
    int64_t a_step;
    const float *b;
    int64_t b_step;
    const int64_t *offset, *place; /* of the tile's taps */
    float *to;
    int64_t part;
} job;

TARE_ALWAYS_INLINE void raised_tile(int rows, int n_vectors, int64_t part, const job *j)
{
    tare_vf acc[TILE_ROWS][TILE_VECTORS];
    const float *row[TILE_ROWS];
    TARE_UNROLL
    for (int r = 0; r < rows; r++)
        row[r] = j->a + j->place[r];
    tile_multiply(rows, n_vectors, part, j->n, row, j->a_step, j->b, NULL, j->b_step, acc);
    TARE_UNROLL
    for (int r = 0; r < rows; r++)
        tile_store_row(n_vectors, part, acc[r], true, j->to + j->offset[r]);
}
TARE_CONV_TILES(raised)

/* A worker's scratch: the lowered image, then of the taps in the order (r,c,s) their offsets in it and their places in
 * a row of w. */
typedef struct {
    float *lowered;
    int64_t *offset, *place;
} scratch;

static inline size_t scratch_bytes(const tare_conv *v, const plan *q)
{
    return (size_t)q->lowered * sizeof(float) + (size_t)(2 * tare_conv_taps(v) + 7) / 8 * 64 + TARE_WORKERS_APART;
}

static inline scratch scratch_of(const tare_call *c, const tare_conv *v, const tare_lowered *l, const plan *q,
                                 int worker)
{
    char *at = (char *)c->ptr[5] + (size_t)worker * scratch_bytes(v, q);
    scratch own = {.lowered = (float *)(void *)at, .offset = (int64_t *)(void *)(at + q->lowered * 4)};
    own.place = own.offset + tare_conv_taps(v);
    int64_t n = 0;
    for (int64_t r = 0; r < v->r; r++)
        for (int64_t i = 0; i < v->c / v->groups; i++)
            for (int64_t s = 0; s < v->s; s++, n++) {
                own.offset[n] = tare_lowered_offset(l, i, r, s);
                own.place[n] = (i * v->r + r) * v->s + s;
            }
    return own;
}

/* One image of a group: all rows of the kernel, tile by tile. */
static void multiply(const tare_conv *v, const scratch *own, const float *w, const float *dy)
{
    const int64_t n_o = tare_conv_plane(v), taps = tare_conv_taps(v);
    const tare_cut columns = tare_cut_of((n_o + TARE_LANES - 1) / TARE_LANES, TILE_VECTORS);
    const tare_cut tiles = tare_cut_of(v->c / v->groups * v->s, TILE_ROWS); /* of one row of the kernel */
    int64_t tap = 0;
    for (int64_t r = 0; r < v->r; r++)
        for (int64_t t = 0; t < tiles.tiles; tap += tare_cut_size(tiles, t++)) {
            job j = {.n = v->k / v->groups, .a = w, .a_step = taps, .b = dy, .b_step = n_o, .to = own->lowered};
            j.offset = own->offset + tap;
            j.place = own->place + tap;
            j.part = n_o % TARE_LANES;
            for (int64_t i = 0; i < columns.tiles; i++) {
                const int64_t vectors = tare_cut_size(columns, i);
                raised_tiles[tare_cut_size(tiles, t) - 1][vectors - 1][j.part && i + 1 == columns.tiles](&j);
                j.b += vectors * TARE_LANES;
                j.to += vectors * TARE_LANES;
            }
        }
}

int TARE_KERNEL(conv2d_grad_data_raised)(const tare_call *c, int piece, int worker)
{
    const tare_conv *v = tare_conv_of(c);
    const plan *q = (const plan *)(const void *)(c->g + TARE_CONV_WORDS);
    const tare_lowered l = tare_lowered_forward(v);
    const int64_t groups = v->groups, c_group = v->c / groups, k_group = v->k / groups;
    const scratch own = scratch_of(c, v, &l, q, worker);
    const float *dy = c->ptr[0], *w = c->ptr[1]; /* [N,K,OH,OW], [K,C/G,R,S] */
    float *dx = c->ptr[3];                       /* [N,C,H,W] */
    const tare_conv_span images = tare_conv_piece(v, piece);
    for (int64_t i = images.from; i < images.end; i++)
        for (int64_t g = 0; g < groups; g++) {
            tare_lowered_zero(own.lowered, c_group * l.channel);
            multiply(v, &own, w + g * k_group * tare_conv_taps(v),
                     dy + i * q->from_image + g * k_group * tare_conv_plane(v));
            raise_channels(v, &l, dx + i * q->to_image + g * c_group * v->h * v->w, c_group, own.lowered);
        }
    return 0;
}

#ifdef TARE_PASS_RECORDS

bool tare__conv2d_grad_data_raised_fits(const tare_args *a)
{
    const tare_conv_operands o = tare_conv_to_data(a);
    return tare__conv_small(&o, a->attr);
}

void tare__prepare_conv2d_grad_data_raised(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    const tare_conv_operands o = tare_conv_to_data(a);
    tare_conv *v = tare__conv_prepare(a, o.x, o.w, o.y, work);
    plan *q = (plan *)(void *)(work->g + TARE_CONV_WORDS);
    const tare_lowered l = tare_lowered_forward(v);
    *q = (plan){o.y->stride[0], out[0]->stride[0], (v->c / v->groups * l.channel + 15) / 16 * 16};
    work->n_g = TARE_CONV_WORDS + (int32_t)(sizeof *q / sizeof(int64_t));
    work->worker_bytes = scratch_bytes(v, q);
    tare__conv_cut(v, 16, work);
}

#endif
