/* conv2d_turned_fused.c - convolution, and its gradient to data as one of dy, with output channels for lanes.
 *
 *     y[k,o] = bias[k] + sum over t of  padded[place(o) + offset(t)] panel[t,k]      t = (c,r,s), o = (oh,ow)
 *
 * A panel holds the weights of some output channels turned, [t, channels]; of the images one number is broadcast at a
 * time. So where an output's taps lie costs nothing, and an image is copied once, with its padding around it, or read
 * in place where it has none. (lowered has the outputs for lanes, which needs no turning: of weights before, of results
 * after. It suits few outputs, and images whose rows, side by side, are whole vectors.) The gradient to data, of stride
 * 1, is the same with dy for x, the channels exchanged and the taps in reverse.
 *
 * An element is one chain of fused multiply-adds over t for each block of channels, which C, R and S decide; so no bit
 * depends on tiles, panels or pieces. A piece is a run of images and a run of output channels. Groups are not for it.
 */
#include "conv2d_lowered.h"
#include "conv2d_tile.h"

/* Follows tare_conv in the geometry. */
typedef struct {
    int64_t together;             /* images padded at a time */
    int64_t across, channels;     /* pieces that share their images, output channels of each */
    int64_t from_image, to_image; /* from image to image of the source and of the result */
    int64_t padded, panels, taps; /* floats of a worker's scratch, and taps; outputs of the images together: */
    int64_t outputs;
} plan;

/* CHUNK: outputs whose sums are kept at a time, CHAIN: taps of a chain. */
enum { WIDTH = TILE_VECTORS * TARE_LANES, CHUNK = 720, CHAIN = 128 };

/* A convolution of `in` channels [h,w] to `out` channels [oh,ow]; a padded plane is [rows,row]. */
typedef struct {
    int64_t in, out, h, w, oh, ow;
    int64_t stride_h, stride_w, first_h, first_w; /* where tap (0,0) of output (0,0) lies: minus the padding */
    int64_t dilation_h, dilation_w, kernel_w, kernel;
    int64_t rows, row;
    bool in_place; /* nothing is padded: x is read */
    bool reversed; /* the weights are [in,out,R,S], and are met from the last to the first */
} convolution;

static inline void pad_to_fit(convolution *p, int64_t r)
{
    p->kernel = r * p->kernel_w;
    p->rows = (p->oh - 1) * p->stride_h + (r - 1) * p->dilation_h + 1;
    p->row = (p->ow - 1) * p->stride_w + (p->kernel_w - 1) * p->dilation_w + 1;
    p->in_place = p->first_h == 0 && p->first_w == 0 && p->rows <= p->h && p->row <= p->w;
    if (p->in_place) {
        p->rows = p->h;
        p->row = p->w;
    }
}

/* What both directions have of the geometry. */
static inline convolution kernel_of(const tare_conv *v)
{
    return (convolution){.stride_h = 1,
                         .stride_w = 1,
                         .dilation_h = v->dilation_h,
                         .dilation_w = v->dilation_w,
                         .kernel_w = v->s,
                         .first_h = -v->pad_h,
                         .first_w = -v->pad_w};
}

static inline convolution forward(const tare_conv *v)
{
    convolution p = kernel_of(v);
    p.in = v->c, p.h = v->h, p.w = v->w;
    p.out = v->k, p.oh = v->oh, p.ow = v->ow;
    p.stride_h = v->stride_h, p.stride_w = v->stride_w;
    pad_to_fit(&p, v->r);
    return p;
}

static inline convolution to_data(const tare_conv *v)
{
    convolution p = kernel_of(v);
    p.in = v->k, p.h = v->oh, p.w = v->ow;
    p.out = v->c, p.oh = v->h, p.ow = v->w;
    p.first_h = v->pad_h - (v->r - 1) * v->dilation_h;
    p.first_w = v->pad_w - (v->s - 1) * v->dilation_w;
    p.reversed = true;
    pad_to_fit(&p, v->r);
    return p;
}

/* A worker's scratch: padded images [together, in, rows, row]; panels, one after the other, and the bias of each
 * channel behind them; sums [CHUNK, WIDTH]; the taps; the places of the outputs. */
typedef struct {
    float *padded, *panel, *bias, *sum;
    tile_tap *tap;
    int64_t *place;
} scratch;

static inline size_t scratch_bytes(const plan *q)
{
    return (size_t)(q->padded + q->panels + CHUNK * 48) * sizeof(float) + (size_t)q->taps * sizeof(tile_tap) +
           (size_t)(q->outputs + 7) / 8 * 64 + TARE_WORKERS_APART;
}

static inline scratch scratch_of(const tare_call *c, const plan *q, int worker)
{
    scratch own = {.padded = (float *)(void *)((char *)c->ptr[5] + (size_t)worker * scratch_bytes(q))};
    own.panel = own.padded + q->padded;
    own.bias = own.panel + q->panels - q->channels;
    own.sum = own.panel + q->panels;
    own.tap = (tile_tap *)(void *)(own.sum + CHUNK * 48);
    own.place = (int64_t *)(void *)(own.tap + q->taps);
    return own;
}

/* Where the taps lie, in the order of the weights, and where the outputs of `images`, which are `apart`, meet the
 * first.
 */
static void find(const convolution *p, int64_t images, int64_t apart, const scratch *own)
{
    const int64_t plane = p->rows * p->row, last = p->kernel - 1;
    tile_tap *to = own->tap;
    for (int64_t t = 0; t < p->kernel && p->in > 0; t++) {
        const int64_t at = p->reversed ? last - t : t;
        to++->a = at / p->kernel_w * p->dilation_h * p->row + at % p->kernel_w * p->dilation_w;
    }
    for (int64_t t = p->kernel; t < p->in * p->kernel; t++, to++)
        to->a = to[-p->kernel].a + plane;
    for (int64_t t = 0; t < p->in * p->kernel; t++)
        own->tap[t].b = 0; /* panels are read on and on */
    int64_t *place = own->place;
    for (int64_t i = 0; i < images; i++)
        for (int64_t oh = 0; oh < p->oh; oh++)
            for (int64_t ow = 0; ow < p->ow; ow++)
                *place++ = i * apart + oh * p->stride_h * p->row + ow * p->stride_w;
}

/* The weights of output channels from `first` on, `n` of them, to panel [in R S, width], zeros where it is wider. */
static void turn(const convolution *p, const float *w, int64_t first, int64_t n, float *panel, int64_t width)
{
    const int64_t taps = p->in * p->kernel;
    if (!p->reversed) {
        gemm_turn(w + first * taps, taps, n, taps, 1, panel, width);
        return;
    }
    for (int64_t k = 0; k < p->in; k++, panel += p->kernel * width)
        gemm_turn(w + (k * p->out + first) * p->kernel, p->kernel, n, p->kernel, 1, panel, width);
}

/* All channels of an image [in, h, w], with zeros around or without what nobody asks for. */
static void pad(const convolution *p, const float *x, float *to)
{
    const int64_t top = p->first_h < 0 ? -p->first_h : 0, left = p->first_w < 0 ? -p->first_w : 0;
    const int64_t bottom = p->h - p->first_h, right = p->w - p->first_w < p->row ? p->w - p->first_w : p->row;
    const int64_t end = bottom < top ? top : bottom, above = top < p->rows ? top : p->rows;
    const int64_t below = end < p->rows ? end : p->rows;
    for (int64_t c = 0; c < p->in; c++, x += p->h * p->w, to += p->rows * p->row) {
        tare_lowered_zero(to, above * p->row);
        if (below > above)
            tare_lowered_rows(to + above * p->row, p->row, x + (above + p->first_h) * p->w + p->first_w, p->w,
                              below - above, p->row, left, right);
        tare_lowered_zero(to + below * p->row, (p->rows - below) * p->row);
    }
}

typedef struct {
    int64_t n;
    const float *x;
    const int64_t *place; /* of the tile's outputs */
    const float *panel;
    const tile_tap *tap;
    const float *bias;
    bool add;
    float *sum; /* [outputs, WIDTH] */
} job;

TARE_ALWAYS_INLINE void turned_tile(int rows, int n_vectors, const job *j)
{
    tare_vf acc[TILE_ROWS][TILE_VECTORS];
    const float *row[TILE_ROWS];
    TARE_UNROLL
    for (int r = 0; r < rows; r++)
        row[r] = j->x + j->place[r];
    if (!j->tap) /* there always are: the multiply keeps one way of reading */
        __builtin_unreachable();
    tile_multiply(rows, n_vectors, 0, j->n, row, 0, j->panel, j->tap, n_vectors * TARE_LANES, acc);
    TARE_UNROLL
    for (int r = 0; r < rows; r++) {
        TARE_UNROLL
        for (int v = 0; v < n_vectors; v++)
            acc[r][v] = j->bias ? acc[r][v] + tare_load(j->bias + v * TARE_LANES) : acc[r][v];
        tile_store_row(n_vectors, 0, acc[r], j->add, j->sum + r * WIDTH);
    }
}
TARE_CONV_TILES_WHOLE(turned)

/* Sums of outputs [from, end) of the images together, by a panel of `vectors`. */
static void multiply(const convolution *p, const scratch *own, const float *x, const float *panel, int64_t vectors,
                     const float *bias, int64_t from, int64_t end)
{
    const tare_cut tiles = tare_cut_of(end - from, TILE_ROWS);
    const int64_t block = tare_conv_block(p->in, p->kernel, CHAIN);
    int64_t c = 0;
    do { /* once without channels too, which writes zeros */
        const int64_t next = c + block < p->in ? c + block : p->in;
        job j = {.n = (next - c) * p->kernel, .x = x, .place = own->place + from, .tap = own->tap + c * p->kernel};
        j.panel = panel + c * p->kernel * vectors * TARE_LANES;
        j.bias = next == p->in ? bias : NULL;
        j.add = c > 0;
        j.sum = own->sum;
        for (int64_t t = 0, rows; t < tiles.tiles; t++, j.place += rows, j.sum += rows * WIDTH) {
            rows = tare_cut_size(tiles, t);
            turned_tiles[rows - 1][vectors - 1](&j);
        }
        c = next;
    } while (c < p->in);
}

/* The sums of outputs [from, end) to y: `n` channels of planes. */
static void put(const convolution *p, const plan *q, const float *sum, int64_t n, int64_t from, int64_t end, float *y)
{
    const int64_t plane = p->oh * p->ow;
    for (int64_t some; from < end; from += some, sum += some * WIDTH) {
        const int64_t image = from / plane, o = from % plane;
        some = plane - o < end - from ? plane - o : end - from;
        gemm_turn(sum, WIDTH, some, n, 0, y + image * q->to_image + o, plane);
    }
}

/* The piece's output channels. */
static inline tare_conv_span channels_of(const plan *q, int piece, int64_t out)
{
    const int64_t from = piece % q->across * q->channels, end = from + q->channels;
    return (tare_conv_span){from < out ? from : out, end < out ? end : out};
}

static int convolve(const convolution *p, const tare_call *c, int piece, int worker, const float *bias, float *y)
{
    const plan *q = (const plan *)(const void *)(c->g + TARE_CONV_WORDS);
    const tare_conv_span images = tare_conv_piece(tare_conv_of(c), piece / (int)q->across);
    const tare_conv_span channels = channels_of(q, piece, p->out);
    const scratch own = scratch_of(c, q, worker);
    const float *x = c->ptr[0], *w = c->ptr[1];
    const int64_t plane = p->oh * p->ow, taps = p->in * p->kernel, n = channels.end - channels.from;
    const int64_t size = p->in * p->rows * p->row; /* of a padded image */
    const tare_cut panels = tare_cut_of((n + TARE_LANES - 1) / TARE_LANES, TILE_VECTORS);
    find(p, q->together, p->in_place ? q->from_image : size, &own);
    for (int64_t v = 0; v < panels.tiles; v++) {
        const int64_t at = tare_cut_start(panels, v) * TARE_LANES, width = tare_cut_size(panels, v) * TARE_LANES;
        turn(p, w, channels.from + at, n - at < width ? n - at : width, own.panel + at * taps, width);
    }
    for (int64_t k = 0; bias && k < q->channels; k++)
        own.bias[k] = k < n ? bias[channels.from + k] : 0;
    for (int64_t i = images.from, some; i < images.end; i += some) {
        some = images.end - i < q->together ? images.end - i : q->together;
        for (int64_t k = 0; k < some && !p->in_place; k++)
            pad(p, x + (i + k) * q->from_image, own.padded + k * size);
        const float *data = p->in_place ? x + i * q->from_image : own.padded;
        const tare_cut chunks = tare_cut_of(some * plane, CHUNK);
        for (int64_t v = 0; v < panels.tiles; v++) {
            const int64_t at = tare_cut_start(panels, v) * TARE_LANES, vectors = tare_cut_size(panels, v);
            const int64_t lanes = n - at < vectors * TARE_LANES ? n - at : vectors * TARE_LANES;
            for (int64_t k = 0; k < chunks.tiles; k++) {
                const int64_t from = tare_cut_start(chunks, k), end = tare_cut_start(chunks, k + 1);
                multiply(p, &own, data, own.panel + at * taps, vectors, bias ? own.bias + at : NULL, from, end);
                put(p, q, own.sum, lanes, from, end, y + i * q->to_image + (channels.from + at) * plane);
            }
        }
    }
    return 0;
}

int TARE_KERNEL(conv2d_turned)(const tare_call *c, int piece, int worker)
{
    const convolution p = forward(tare_conv_of(c));
    return convolve(&p, c, piece, worker, c->ptr[2], c->ptr[3]);
}

int TARE_KERNEL(conv2d_grad_data_turned)(const tare_call *c, int piece, int worker)
{
    const convolution p = to_data(tare_conv_of(c));
    return convolve(&p, c, piece, worker, NULL, c->ptr[3]);
}

#ifdef TARE_PASS_RECORDS

/* PADDED_MOST: floats of padded images that stay in a second-level cache; OUTPUTS_LEAST: for which weights are worth
 * turning; OUTPUTS_MOST: of an image, or of images together. Of kernels that are SMALL, TAPS_LEAST: an element's;
 * WEIGHTS_MOST: floats of weights that a second-level cache holds however they are met. */
enum { PADDED_MOST = 256 * 1024, OUTPUTS_LEAST = 512, OUTPUTS_MOST = 4096 };
enum { KERNEL_SMALL = 9, TAPS_LEAST = 256, WEIGHTS_MOST = 512 * 1024 };

/* Cuts images and output channels into pieces: what each run of channels pads again and each group of images turns
 * again is weighed against evenness. */
static void prepare(const convolution *p, int64_t from_image, int64_t to_image, tare_work *work)
{
    tare_conv *v = (tare_conv *)(void *)work->g;
    plan *q = (plan *)(void *)(work->g + TARE_CONV_WORDS);
    const int64_t plane = p->oh * p->ow, taps = p->in * p->kernel, size = p->in * p->rows * p->row;
    const double weights = (double)p->out * (double)taps;
    const tare_conv_grid grid = tare__conv_grid((double)(v->n * plane) * weights / 32, v->n, p->out / 48,
                                                p->in_place ? 0 : 0.3 * (double)(v->n * size), 0.5 * weights);
    v->images = v->n ? (v->n + grid.images - 1) / grid.images : 1;
    *q = (plan){.from_image = from_image, .to_image = to_image};
    q->channels = tare_round_up((p->out + grid.across - 1) / grid.across, 16);
    q->across = p->out ? (p->out + q->channels - 1) / q->channels : 1;
    int64_t together = OUTPUTS_MOST / (plane + 1);
    if (!p->in_place && size && together > PADDED_MOST / size)
        together = PADDED_MOST / size;
    q->together = together < 1 ? 1 : together < v->images ? together : v->images;
    q->padded = p->in_place ? 0 : tare_round_up(q->together * size, 16);
    q->panels = q->channels * (taps + 1);
    q->taps = tare_round_up(taps, 4);
    q->outputs = q->together * plane;
    work->n_pieces = (int32_t)((v->n ? (v->n + v->images - 1) / v->images : 1) * q->across);
    work->n_g = TARE_CONV_WORDS + (int32_t)(sizeof *q / sizeof(int64_t));
    work->worker_bytes = scratch_bytes(q);
}

void tare__prepare_conv2d_turned(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    const tare_conv_operands o = tare_conv_forward(a, out);
    const convolution p = forward(tare__conv_prepare(a, o.x, o.w, o.y, work));
    prepare(&p, o.x->stride[0], o.y->stride[0], work);
}

void tare__prepare_conv2d_grad_data_turned(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    const tare_conv_operands o = tare_conv_to_data(a);
    const convolution p = to_data(tare__conv_prepare(a, o.x, o.w, o.y, work));
    prepare(&p, o.y->stride[0], out[0]->stride[0], work);
}

void tare__conv2d_grad_data_turned_tile(const tare_call *c, int piece, tare_tile *t)
{
    const tare_conv *v = tare_conv_of(c);
    const plan *q = (const plan *)(const void *)(c->g + TARE_CONV_WORDS);
    const tare_conv_span channels = channels_of(q, piece, v->c);
    tare__conv2d_grad_data_tile(c, piece / (int)q->across, t);
    t->column = channels.from * v->h * v->w;
    t->columns = (channels.end - channels.from) * v->h * v->w;
}

/* Small kernels: where rows are no whole vectors, joined or not, or where a gradient's weights, which lie a channel
 * apart from tap to tap, are many. */
static bool small_fits(const convolution *p)
{
    const bool whole = p->ow % 16 == 0 || (p->ow > 0 && 16 % p->ow == 0);
    const double taps = (double)p->in * (double)p->kernel;
    return taps >= TAPS_LEAST && (!whole || (p->reversed && taps * (double)p->out > WEIGHTS_MOST));
}

/* Where lanes are mostly filled, weights are worth turning, and an image fits. */
static bool fits(const convolution *p, int64_t images)
{
    const double plane = (double)p->oh * (double)p->ow, size = (double)p->in * (double)p->rows * (double)p->row;
    return 5 * p->out >= 4 * tare_round_up(p->out, 16) && p->out >= 16 && (p->kernel > KERNEL_SMALL || small_fits(p)) &&
           plane <= OUTPUTS_MOST && (double)images * plane >= OUTPUTS_LEAST && (p->in_place || size <= PADDED_MOST);
}

/* The same of the convolution of x by w, or of its gradient to data. */
static bool operands_fit(const tare_conv_operands *o, const tare_conv_attr *at, convolution (*of)(const tare_conv *))
{
    if (at->groups != 1 || o->w->dim[2] * o->w->dim[3] < 2)
        return false;
    const tare_conv v = tare__conv_geometry(o, at);
    const convolution p = of(&v);
    return fits(&p, v.n);
}

bool tare__conv2d_turned_fits(const tare_args *a)
{
    const tare_desc y = tare__conv_result(a);
    return operands_fit(&(tare_conv_operands){a->in[0], a->in[1], &y}, a->attr, forward);
}

bool tare__conv2d_grad_data_turned_fits(const tare_args *a)
{
    const tare_conv_operands o = tare_conv_to_data(a);
    const tare_conv_attr *at = a->attr;
    return at->stride_h == 1 && at->stride_w == 1 && operands_fit(&o, at, to_data);
}

#endif
