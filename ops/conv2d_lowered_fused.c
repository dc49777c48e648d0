/* conv2d_lowered_fused.c - convolution, and its gradient to data as one of dy, by register tiles on lowered images.
 *
 *     y[k,o] = bias[k] + sum over t of  w[k,t] lowered[offset(t) + o]           t = (c,r,s), o = (oh,ow)
 *
 * The gradient to data is the same with dy for x and the taps in reverse; with a stride it is stride_h x stride_w such
 * convolutions ("phases" of dx), each of the taps that reach its places. The weights are read where they lie.
 *
 * An element is one chain of fused multiply-adds over t for each block of channels, which C, R and S decide; so no bit
 * depends on tiles, joined images, bands or pieces. A piece is a run of images and a run of output channels. */
#include "conv2d_lowered.h"
#include "conv2d_tile.h"

/* Follows tare_conv in the geometry. */
typedef struct {
    int64_t joined, band; /* images side by side; output rows lowered at a time */
    tare_conv_pieces pieces;
    int64_t from_image, to_image; /* from image to image of the source and of the result */
    int64_t lowered, apart, taps; /* floats of a worker's scratch, and taps: see scratch_of */
} plan;

static inline const plan *plan_of(const tare_call *c)
{
    return (const plan *)(const void *)(c->g + TARE_CONV_WORDS);
}

enum { CHAIN = 384 }; /* taps of one, about */

/* ---- a convolution ----------------------------------------------------------------------------------------------*/
/* Of `channels` of x, in groups, to `rows` channels of y: element (n,k,oh,ow) is at n image + k plane + oh row + ow
 * step. Row k of the weights begins at a + k a_row. */
typedef struct {
    tare_lowered l;
    int64_t joined, band, groups, channels, kernel;
    const float *x;
    int64_t x_image;
    const float *a;
    int64_t a_group, a_row;
    const float *bias; /* of a group's first row; NULL: none */
    int64_t bias_group;
    float *y;
    int64_t image, group, plane, row, step; /* of y */
    int64_t rows, block;                    /* block: channels of a chain */
    float *lowered, *apart;
    tile_tap *tap; /* (c,r,s) */
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
    tile_fetch(rows, n_vectors, j->to, j->to_row);
    if (!j->tap) /* weights are always read by taps here: the multiply keeps one way of reading them, not two */
        __builtin_unreachable();
    tile_multiply(rows, n_vectors, part, j->n, row, 0, j->b, j->tap, 0, acc);
    tile_store(rows, n_vectors, part, acc, j->bias, j->add, j->to, j->to_row);
}
TARE_CONV_TILES(lowered)

/* Where the taps meet the lowered image. */
static void meet(const convolution *p, const tare_lowered *l)
{
    tile_tap *to = p->tap;
    for (int64_t r = 0; p->channels && r < l->r; r++)
        for (int64_t s = 0; s < l->s; s++)
            to++->b = tare_lowered_offset(l, 0, r, s);
    for (int64_t t = p->kernel; t < p->channels * p->kernel; t++, to++)
        to->b = to[-p->kernel].b + l->channel;
}

/* Rows of results of all columns, `width` apart, to their places in y. */
static void put(const convolution *p, const tare_lowered *l, int64_t rows, int64_t width, float *y)
{
    const float *from = p->apart;
    for (int64_t oh = 0; oh < l->band; oh++)
        for (int64_t image = 0; image < l->images; image++, from += l->ow) {
            float *to = y + oh * p->row + image * p->image;
            for (int64_t r = 0; r < rows; r++, to += p->plane)
                if (p->step == 1)
                    tare_lowered_copy(from + r * width, to, l->ow);
                else
                    for (int64_t i = 0; i < l->ow; i++)
                        to[i * p->step] = from[r * width + i];
        }
}

/* A row of tiles by all columns, for the block of channels from c on; `y` is where the group's first row begins. */
static void multiply_row(const convolution *p, const float *a, const float *bias, tare_cut cut, int64_t n, int64_t rows,
                         int64_t c, float *to, int64_t to_row)
{
    const int64_t end = c + p->block < p->channels ? c + p->block : p->channels;
    job j = {.n = (end - c) * p->kernel, .a = a, .a_row = p->a_row, .add = c > 0, .to_row = to_row};
    j.tap = p->tap + c * p->kernel;
    j.bias = end == p->channels ? bias : NULL;
    for (int64_t i = 0; i < cut.tiles; i++) {
        const int64_t o = tare_column_at(cut, i), vectors = tare_cut_size(cut, i), left = n - o;
        j.b = p->lowered + o;
        j.to = to + o;
        j.part = left < vectors * TARE_LANES ? left % TARE_LANES : 0;
        lowered_tiles[rows - 1][vectors - 1][j.part > 0](&j);
    }
}

/* A group's rows; `y` is where the first row's results begin in the first image. Row of tiles by row of tiles: its
 * weights are read once and then stay in a first-level cache, what it reads of the images in a second-level one, and
 * results are written in long runs. */
static void multiply(const convolution *p, const tare_lowered *l, int64_t g, float *y)
{
    const int64_t n = l->band * l->row;
    const bool direct = l->images == 1 && p->step == 1 && p->row == l->ow;
    const tare_cut cut = tare_cut_of((n + TARE_LANES - 1) / TARE_LANES, TILE_VECTORS);
    const tare_cut tiles = tare_cut_of(p->rows, TILE_ROWS);
    const int64_t to_row = direct ? p->plane : tare_round_up(n, TARE_LANES);
    const float *a = p->a + g * p->a_group, *bias = p->bias ? p->bias + g * p->bias_group : NULL;
    for (int64_t t = 0; t < tiles.tiles; t++) {
        const int64_t row = tare_cut_start(tiles, t), rows = tare_cut_size(tiles, t);
        float *to = direct ? y + row * p->plane : p->apart;
        int64_t c = 0;
        do {
            multiply_row(p, a + row * p->a_row, bias ? bias + row : NULL, cut, n, rows, c, to, to_row);
            c += p->block;
        } while (c < p->channels);
        if (!direct)
            put(p, l, rows, to_row, y + row * p->plane);
    }
}

static void convolve(convolution *p, tare_conv_span images)
{
    tare_lowered l = p->l;
    for (int64_t i = images.from, n; i < images.end; i += n) {
        n = images.end - i < p->joined ? images.end - i : p->joined;
        for (int64_t oh = 0; oh < l.oh; oh += p->band) {
            tare_lowered_size(&l, n, l.oh - oh < p->band ? l.oh - oh : p->band);
            meet(p, &l);
            for (int64_t g = 0; g < p->groups; g++) {
                const float *x = p->x + i * p->x_image + g * p->channels * l.h * l.w;
                tare_lower(&l, x, p->x_image, p->channels, oh, p->lowered);
                multiply(p, &l, g, p->y + i * p->image + g * p->group + oh * p->row);
            }
        }
    }
}

/* ---- the operators ----------------------------------------------------------------------------------------------*/
static inline size_t scratch_bytes(const plan *q)
{
    return (size_t)(q->lowered + q->apart) * sizeof(float) + (size_t)q->taps * sizeof(tile_tap) + TARE_WORKERS_APART;
}

/* A worker's scratch: the lowered images; rows of results on their way; the taps. */
static inline void scratch_of(convolution *p, const tare_call *c, const plan *q, int worker)
{
    char *at = (char *)c->ptr[5] + (size_t)worker * scratch_bytes(q);
    p->lowered = (float *)(void *)at;
    p->apart = p->lowered + q->lowered;
    p->tap = (tile_tap *)(void *)(p->apart + q->apart);
}

int TARE_KERNEL(conv2d_lowered)(const tare_call *c, int piece, int worker)
{
    const tare_conv *v = tare_conv_of(c);
    const plan *q = plan_of(c);
    const tare_conv_span rows = tare_conv_rows(piece, q->pieces, v->k / v->groups);
    convolution p = {.l = tare_lowered_forward(v), .joined = q->joined, .band = q->band};
    const float *x = c->ptr[0], *w = c->ptr[1], *bias = c->ptr[2]; /* [N,C,H,W], [K,C/G,R,S], [K] */
    float *y = c->ptr[3];                                          /* [N,K,OH,OW] */
    p.groups = v->groups;
    p.channels = v->c / v->groups;
    p.kernel = v->r * v->s;
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
    p.row = p.l.ow;
    p.step = 1;
    p.rows = rows.end - rows.from;
    p.block = tare_conv_block(p.channels, p.kernel, CHAIN);
    scratch_of(&p, c, q, worker);
    for (int64_t i = 0; i < p.channels * p.kernel; i++)
        p.tap[i].a = i;
    convolve(&p, tare_conv_piece(v, piece / (int)q->pieces.across));
    return 0;
}

/* The taps of a phase, backwards: their places in the weights of input channel 0. */
static void turn(const tare_conv *v, const tare_lowered_axis *h, const tare_lowered_axis *x, const convolution *p)
{
    const int64_t channel = v->c / v->groups * v->r * v->s; /* from output channel to output channel */
    int64_t i = 0;
    for (int64_t k = 0; k < p->channels; k++)
        for (int64_t r = h->n - 1; r >= 0; r--)
            for (int64_t s = x->n - 1; s >= 0; s--, i++)
                p->tap[i].a = k * channel + (h->first_tap + r * h->step) * v->s + x->first_tap + s * x->step;
}

int TARE_KERNEL(conv2d_grad_data_lowered)(const tare_call *c, int piece, int worker)
{
    const tare_conv *v = tare_conv_of(c);
    const plan *q = plan_of(c);
    const int64_t c_group = v->c / v->groups, size = v->h * v->w;
    const tare_conv_span rows = tare_conv_rows(piece, q->pieces, c_group);
    const float *dy = c->ptr[0], *w = c->ptr[1]; /* [N,K,OH,OW], [K,C/G,R,S] */
    float *dx = c->ptr[3];                       /* [N,C,H,W] */
    for (int64_t a = 0; a < v->stride_h * v->stride_w; a++) {
        const tare_lowered_axis h =
            tare_lowered_axis_of(a / v->stride_w, v->h, v->r, v->stride_h, v->pad_h, v->dilation_h);
        const tare_lowered_axis x =
            tare_lowered_axis_of(a % v->stride_w, v->w, v->s, v->stride_w, v->pad_w, v->dilation_w);
        convolution p = {.l = tare_lowered_data(v, &h, &x), .joined = q->joined, .band = q->band};
        p.groups = v->groups;
        p.kernel = h.n * x.n;
        p.channels = p.kernel ? v->k / v->groups : 0;
        p.row = v->stride_h * v->w;
        p.step = v->stride_w;
        if (p.l.oh == 1)
            p.row = p.l.ow;
        p.x = dy;
        p.x_image = q->from_image;
        p.rows = rows.end - rows.from;
        p.a_row = v->r * v->s;
        p.a = w + rows.from * p.a_row;
        p.a_group = v->k / v->groups * c_group * p.a_row;
        p.block = tare_conv_block(p.channels, p.kernel, CHAIN);
        p.plane = size;
        p.y = dx + rows.from * size + a / v->stride_w * v->w + a % v->stride_w;
        p.image = q->to_image;
        p.group = c_group * size;
        scratch_of(&p, c, q, worker);
        turn(v, &h, &x, &p);
        convolve(&p, tare_conv_piece(v, piece / (int)q->pieces.across));
    }
    return 0;
}

#ifdef TARE_PASS_RECORDS

/* LOWERED_MOST, BAND: floats of joined images, and of a band of one, that stay in a second-level cache. */
enum { LOWERED_MOST = 400 * 1024, BAND = 192 * 1024, PHASES_MOST = 16 };
/* Rows of the largest tile of all instruction sets. */
enum { ROWS_MOST = 8 };

/* The plan of the convolution `l` of `channels`. */
static void plan_convolution(tare_conv *v, plan *q, tare_lowered l, int64_t channels, bool simple)
{
    const int64_t taps = channels * l.r * l.s, one = channels * l.channel;
    q->joined = tare__conv_joined(l.oh * l.ow, 16.0 / (double)(taps + 1), one ? LOWERED_MOST / one : v->n);
    q->joined = q->joined < v->n ? q->joined : v->n > 0 ? v->n : 1;
    const int64_t band = one > LOWERED_MOST ? BAND / (one / l.rows + 1) : l.oh;
    const int64_t bands = (l.oh + (band < 1 ? 1 : band) - 1) / (band < 1 ? 1 : band);
    q->band = bands > 1 ? (l.oh + bands - 1) / bands : l.oh > 0 ? l.oh : 1;
    tare_lowered_size(&l, q->joined, q->band);
    q->lowered = tare_round_up(channels * l.channel, 16);
    q->apart = q->joined > 1 || !simple ? ROWS_MOST * tare_round_up(l.band * l.row, 16) : 0;
    q->taps = tare_round_up(channels * v->r * v->s + 1, 8);
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
    q->pieces = tare__conv_pieces(v, q->joined, v->k / v->groups, 0.3 * (double)(v->n * v->c * l.channel), work);
    work->worker_bytes = scratch_bytes(q);
}

void tare__prepare_conv2d_grad_data_lowered(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    tare_conv_operands o = tare_conv_to_data(a);
    plan *q = prepare(&o, a, work), most = {.joined = 1, .band = 1};
    tare_conv *v = (tare_conv *)(void *)work->g;
    double lowering = 0;
    for (int64_t i = 0; i < v->stride_h * v->stride_w; i++) {
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
        if (i == 0 || q->joined < most.joined)
            most.joined = q->joined;
        if (i == 0 || q->band < most.band)
            most.band = q->band;
        most.taps = q->taps;
    }
    *q = most;
    q->from_image = o.y->stride[0];
    q->to_image = out[0]->stride[0];
    q->pieces = tare__conv_pieces(v, q->joined, v->c / v->groups, lowering, work);
    work->worker_bytes = scratch_bytes(q);
}

void tare__conv2d_grad_data_lowered_tile(const tare_call *c, int piece, tare_tile *t)
{
    tare__conv2d_grad_data_part(c, piece, plan_of(c)->pieces, t);
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
