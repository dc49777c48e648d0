/* conv2d_im2col.c - convolution by explicit columns: every shape, every stride, on our own matrix product.
 *
 * The columns of an image (of one group) are a matrix [taps, outputs]: row (c,r,s) holds what tap (r,s) of channel c
 * meets at every output, zeros outside. With w [K/G, taps] and y [K/G, outputs] as they lie,
 *
 *     y = w columns          columns' = wᵀ dy, added back where they came from          dw = sum of dy columnsᵀ
 *
 * A piece is a run of images; a worker has the columns of one image and the product's scratch. A kernel of one tap that
 * moves nothing has x itself for columns. Every image takes the same path of the product, so no bit depends on where in
 * the batch it is; dw adds images in order within a piece, then pieces in order. */
#include "conv2d.h"
#include "gemm.h"

enum { G_PLAIN = TARE_CONV_WORDS, G_COLUMNS, G_GEMM, G_WORDS = G_GEMM + sizeof(tare_gemm_shape) / sizeof(int64_t) };
/* g[G_PLAIN]: x is its own columns; g[G_COLUMNS]: floats of the columns (and of a partial dw) before gemm's scratch */

static inline const tare_gemm_shape *gemm_of(const tare_call *c)
{
    return (const tare_gemm_shape *)(const void *)(c->g + G_GEMM);
}

typedef struct {
    float *columns;
    void *gemm;
} scratch;

static inline scratch scratch_of(const tare_call *c, int worker)
{
    size_t floats = (size_t)c->g[G_COLUMNS] * sizeof(float), step = floats + tare__gemm_worker_bytes(gemm_of(c));
    char *at = c->ptr[5];
    at = at ? at + (size_t)worker * step : NULL;
    return (scratch){(float *)(void *)at, at ? at + floats : NULL};
}

/* Row (c,r,s) of the columns [taps, outputs] of one image of a group, x [C/G,H,W]: filled, or added to x. */
static inline void column_row(const tare_conv *v, float *x, float *row, int64_t r, int64_t s, bool add)
{
    int64_t h = r * v->dilation_h - v->pad_h, w = s * v->dilation_w - v->pad_w, stride = v->stride_w;
    tare_conv_span rows = tare_conv_inside(h, v->stride_h, v->oh, v->h);
    tare_conv_span in = tare_conv_inside(w, stride, v->ow, v->w);
    for (int64_t oh = 0; oh < v->oh; ++oh, row += v->ow) {
        bool inside = oh >= rows.from && oh < rows.end;
        float *line = inside ? x + (h + oh * v->stride_h) * v->w : x;
        if (add) {
            for (int64_t ow = in.from; inside && ow < in.end; ++ow)
                line[w + ow * stride] += row[ow];
            continue;
        }
        if (!inside || in.from == in.end) {
            memset(row, 0, (size_t)v->ow * sizeof *row);
            continue;
        }
        memset(row, 0, (size_t)in.from * sizeof *row);
        if (stride == 1)
            memcpy(row + in.from, line + w + in.from, (size_t)(in.end - in.from) * sizeof *row);
        else
            for (int64_t ow = in.from; ow < in.end; ++ow)
                row[ow] = line[w + ow * stride];
        memset(row + in.end, 0, (size_t)(v->ow - in.end) * sizeof *row);
    }
}

static inline void columns(const tare_conv *v, float *x, float *column, bool add)
{
    for (int64_t c = 0; c < v->c / v->groups; ++c, x += v->h * v->w)
        for (int64_t r = 0; r < v->r; ++r)
            for (int64_t s = 0; s < v->s; ++s, column += tare_conv_plane(v))
                column_row(v, x, column, r, s, add);
}

int TARE_KERNEL(conv2d_im2col)(const tare_call *c, int piece, int worker)
{
    const tare_conv *v = tare_conv_of(c);
    const int64_t group = v->c / v->groups * v->h * v->w, k_group = v->k / v->groups, plane = tare_conv_plane(v);
    scratch own = scratch_of(c, worker);
    float *x = c->ptr[0];                          /* [N,C,H,W] */
    const float *w = c->ptr[1], *bias = c->ptr[2]; /* [K,C/G,R,S], [K] */
    float *y = c->ptr[3];                          /* [N,K,OH,OW] */
    tare_conv_span images = tare_conv_piece(v, piece);
    for (int64_t i = images.from * v->groups; i < images.end * v->groups; ++i) {
        int64_t first = i % v->groups * k_group;
        float *from = x + i * group, *to = y + i * k_group * plane;
        if (!c->g[G_PLAIN])
            columns(v, from, own.columns, false);
        TARE_KERNEL(gemm)
        (gemm_of(c), w + first * tare_conv_taps(v), c->g[G_PLAIN] ? from : own.columns, NULL, to, 0, 1, own.gemm);
        for (int64_t k = 0; bias && k < k_group; ++k)
            for (int64_t o = 0; o < plane; ++o)
                to[k * plane + o] += bias[first + k];
    }
    return 0;
}

int TARE_KERNEL(conv2d_grad_data_im2col)(const tare_call *c, int piece, int worker)
{
    const tare_conv *v = tare_conv_of(c);
    const int64_t group = v->c / v->groups * v->h * v->w, k_group = v->k / v->groups, plane = tare_conv_plane(v);
    scratch own = scratch_of(c, worker);
    const float *dy = c->ptr[0], *w = c->ptr[1]; /* [N,K,OH,OW], [K,C/G,R,S] */
    float *dx = c->ptr[3];                       /* [N,C,H,W] */
    tare_conv_span images = tare_conv_piece(v, piece);
    for (int64_t i = images.from * v->groups; i < images.end * v->groups; ++i) {
        float *to = dx + i * group;
        TARE_KERNEL(gemm)
        (gemm_of(c), w + i % v->groups * k_group * tare_conv_taps(v), dy + i * k_group * plane, NULL,
         c->g[G_PLAIN] ? to : own.columns, 0, 1, own.gemm);
        if (!c->g[G_PLAIN]) {
            memset(to, 0, (size_t)group * sizeof *to);
            columns(v, to, own.columns, true);
        }
    }
    return 0;
}

int TARE_KERNEL(conv2d_grad_weight_im2col)(const tare_call *c, int piece, int worker)
{
    const tare_conv *v = tare_conv_of(c);
    const int64_t group = v->c / v->groups * v->h * v->w, k_group = v->k / v->groups, plane = tare_conv_plane(v);
    const int64_t share = k_group * tare_conv_taps(v), whole = share * v->groups;
    scratch own = scratch_of(c, worker);
    const float *dy = c->ptr[0];                                                                     /* [N,K,OH,OW] */
    float *x = c->ptr[1];                                                                            /* [N,C,H,W] */
    float *dw = c->n_pieces > 1 ? (float *)c->ptr[4] + piece * ((whole + 15) / 16 * 16) : c->ptr[3]; /* [K,C/G,R,S] */
    float *one = own.columns + (c->g[G_COLUMNS] - share);
    tare_conv_span images = tare_conv_piece(v, piece);
    if (images.from == images.end)
        memset(dw, 0, (size_t)whole * sizeof *dw);
    for (int64_t i = images.from * v->groups; i < images.end * v->groups; ++i) {
        float *from = x + i * group, *to = dw + i % v->groups * share;
        bool first = i < (images.from + 1) * v->groups;
        if (!c->g[G_PLAIN])
            columns(v, from, own.columns, false);
        TARE_KERNEL(gemm)
        (gemm_of(c), dy + i * k_group * plane, c->g[G_PLAIN] ? from : own.columns, NULL, first ? to : one, 0, 1,
         own.gemm);
        for (int64_t j = 0; !first && j < share; ++j)
            to[j] += one[j];
    }
    return 0;
}

#ifdef TARE_PASS_RECORDS

/* `extra`: floats beside the columns. */
static void prepare(tare_conv *v, bool plain, tare_gemm_shape s, int64_t extra, tare_work *work)
{
    int64_t floats = (plain ? 0 : tare_conv_taps(v) * tare_conv_plane(v)) + extra;
    work->g[G_PLAIN] = plain;
    work->g[G_COLUMNS] = (floats + 15) / 16 * 16;
    memcpy(work->g + G_GEMM, &s, sizeof s);
    work->n_g = G_WORDS;
    work->worker_bytes = (size_t)work->g[G_COLUMNS] * sizeof(float) + tare__gemm_worker_bytes(&s);
}

void tare__prepare_conv2d_im2col(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    tare_conv_operands o = tare_conv_forward(a, out);
    tare_conv *v = tare__conv_prepare(a, o.x, o.w, o.y, work);
    int64_t taps = tare_conv_taps(v), plane = tare_conv_plane(v);
    prepare(v, tare_conv_plain(o.w, a->attr),
            (tare_gemm_shape){v->k / v->groups, plane, taps, taps, 1, plane, 1, plane}, 0, work);
    tare__conv_cut(v, 16, work);
}

void tare__prepare_conv2d_grad_data_im2col(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    (void)out;
    tare_conv_operands o = tare_conv_to_data(a);
    tare_conv *v = tare__conv_prepare(a, o.x, o.w, o.y, work);
    int64_t taps = tare_conv_taps(v), plane = tare_conv_plane(v);
    prepare(v, tare_conv_plain(o.w, a->attr),
            (tare_gemm_shape){taps, plane, v->k / v->groups, 1, taps, plane, 1, plane}, 0, work);
    tare__conv_cut(v, 16, work);
}

void tare__prepare_conv2d_grad_weight_im2col(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    (void)out;
    tare_conv_operands o = tare_conv_to_weight(a);
    tare_conv *v = tare__conv_prepare(a, o.x, o.w, o.y, work);
    int64_t taps = tare_conv_taps(v), plane = tare_conv_plane(v), k_group = v->k / v->groups;
    prepare(v, tare_conv_plain(o.w, a->attr), (tare_gemm_shape){k_group, taps, plane, plane, 1, 1, plane, taps},
            k_group * taps, work);
    tare__conv_cut(v, 8, work);
    if (work->n_pieces > 1)
        work->piece_bytes = (size_t)((v->k * taps + 15) / 16 * 16) * sizeof(float);
}

#endif
