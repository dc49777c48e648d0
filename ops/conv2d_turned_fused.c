/* conv2d_turned_fused.c - convolution, and its gradient to data as one of dy, with output channels for lanes.
 *
 *     y[k,o] = bias[k] + sum over t of  padded[place(o) + offset(t)] panel[t,k]      t = (c,r,s), o = (oh,ow)
 *
 * A panel holds the weights of some output channels turned, [t, channels]; of the images one number is broadcast at a
 * time. So where an output's taps lie costs nothing, and an image is copied once, with its padding around it, or read
 * in place where it has none. (lowered has the outputs for lanes, which needs no turning: of weights before, of results
 * after. It suits few outputs, and images whose rows, side by side, are whole vectors.) The gradient to data is the
 * same with dy for x, the channels exchanged and the taps in reverse; with a stride, its outputs are met by some taps
 * each, those of a *phase* (their place modulo the stride) by the same ones, and the panel has a phase's taps side by
 * side.
 *
 * An element is one chain of fused multiply-adds over t for each block of channels, which C and its taps decide; so no
 * bit depends on tiles, panels or pieces. A piece is a run of images and a run of output channels. Groups are not for
 * it.
 */
#include "conv2d_lowered.h"
#include "conv2d_tile.h"

/* Follows tare_conv in the geometry. */
typedef struct {
    int64_t together; /* images padded at a time */
    tare_conv_pieces pieces;
    int64_t from_image, to_image; /* from image to image of the source and of the result */
    int64_t padded, panels, taps; /* floats of a worker's scratch, and taps; outputs of the images together: */
    int64_t outputs;
} plan;

/* CHUNK: outputs whose sums are kept at a time, CHAIN: taps of a chain, STRIDE_MOST: of a gradient. */
enum { WIDTH = TILE_VECTORS * TARE_LANES, CHUNK = 720, CHAIN = 128, STRIDE_MOST = 4 };

/* One axis of a convolution from a source of `size` to `outputs`. `padded` places of the source, from `first` on, are
 * met; outputs fall into phases, every so-many-th output in one. */
typedef struct {
    int64_t size, outputs, kernel, phases;
    int64_t stride; /* from output to output of a phase, in the source */
    int64_t first, padded;
    tare_lowered_axis of[STRIDE_MOST];
} axis;

/* A convolution of `in` channels to `out` channels. */
typedef struct {
    int64_t in, out;
    axis h, w;
    bool in_place; /* nothing is padded: x is read */
    bool reversed; /* the weights are [in,out,R,S], and are met from the last to the first */
} convolution;

/* Sets what of the source is met. */
static inline void bound(axis *x)
{
    int64_t first = INT64_MAX, end = INT64_MIN;
    for (int64_t i = 0; i < x->phases; i++) {
        const tare_lowered_axis *f = &x->of[i];
        const int64_t last = f->first + (f->outputs - 1) * x->stride + (f->n - 1) * f->dilation;
        if (!f->n || !f->outputs)
            continue;
        first = f->first < first ? f->first : first;
        end = last + 1 > end ? last + 1 : end;
    }
    x->first = first < end ? first : 0;
    x->padded = first < end ? end - first : 0;
}

static inline axis forward_axis(int64_t size, int64_t outputs, int64_t kernel, int64_t stride, int64_t pad,
                                int64_t dilation)
{
    axis x = {.size = size, .outputs = outputs, .kernel = kernel, .phases = 1, .stride = stride};
    x.of[0] = (tare_lowered_axis){.n = kernel, .step = 1, .outputs = outputs, .first = -pad, .dilation = dilation};
    bound(&x);
    return x;
}

static inline axis data_axis(int64_t size, int64_t outputs, int64_t kernel, int64_t stride, int64_t pad,
                             int64_t dilation)
{
    axis x = {.size = size, .outputs = outputs, .kernel = kernel, .phases = stride, .stride = 1};
    for (int64_t i = 0; i < stride; i++)
        x.of[i] = tare_lowered_axis_of(i, outputs, kernel, stride, pad, dilation);
    bound(&x);
    return x;
}

static inline void place(convolution *p)
{
    p->in_place = !p->h.first && !p->w.first && p->h.padded <= p->h.size && p->w.padded <= p->w.size;
    if (p->in_place) {
        p->h.padded = p->h.size;
        p->w.padded = p->w.size;
    }
}

static inline convolution forward(const tare_conv *v)
{
    convolution p = {.in = v->c, .out = v->k};
    p.h = forward_axis(v->h, v->oh, v->r, v->stride_h, v->pad_h, v->dilation_h);
    p.w = forward_axis(v->w, v->ow, v->s, v->stride_w, v->pad_w, v->dilation_w);
    place(&p);
    return p;
}

static inline convolution to_data(const tare_conv *v)
{
    convolution p = {.in = v->k, .out = v->c, .reversed = true};
    p.h = data_axis(v->oh, v->h, v->r, v->stride_h, v->pad_h, v->dilation_h);
    p.w = data_axis(v->ow, v->w, v->s, v->stride_w, v->pad_w, v->dilation_w);
    place(&p);
    return p;
}

static inline int64_t plane_of(const convolution *p)
{
    return p->h.outputs * p->w.outputs;
}
static inline int64_t kernel_of(const convolution *p)
{
    return p->h.kernel * p->w.kernel;
}
static inline int64_t padded_of(const convolution *p)
{
    return p->h.padded * p->w.padded;
}

/* Where an output meets the first tap of the first channel, and its number. */
typedef struct {
    int64_t place, number;
} output;

/* A worker's scratch: padded images [together, in, rows, row]; panels, one after the other, and the bias of each
 * channel behind them; sums [CHUNK, WIDTH]; the taps and the outputs, phase by phase. */
typedef struct {
    float *padded, *panel, *bias, *sum;
    tile_tap *tap;
    output *output;
} scratch;

static inline size_t scratch_bytes(const plan *q)
{
    return (size_t)(q->padded + q->panels + CHUNK * 48) * sizeof(float) + (size_t)q->taps * sizeof(tile_tap) +
           (size_t)(q->outputs + 3) / 4 * 64 + TARE_WORKERS_APART;
}

static inline scratch scratch_of(const tare_call *c, const plan *q, int worker)
{
    scratch own = {.padded = (float *)(void *)((char *)c->ptr[5] + (size_t)worker * scratch_bytes(q))};
    own.panel = own.padded + q->padded;
    own.bias = own.panel + q->panels - q->pieces.rows;
    own.sum = own.panel + q->panels;
    own.tap = (tile_tap *)(void *)(own.sum + CHUNK * 48);
    own.output = (output *)(void *)(own.tap + q->taps);
    return own;
}

/* The next phase of a convolution: its taps, its outputs of the images together, and where both begin. */
typedef struct {
    const tare_lowered_axis *h, *w;
    int64_t number, kernel, n, tap, output;
} phase;

/* From all zeros, the first; false: there is none. */
static inline bool next_phase(const convolution *p, int64_t images, phase *f)
{
    if (f->number == p->h.phases * p->w.phases)
        return false;
    f->tap += f->kernel * p->in;
    f->output += f->n;
    f->h = &p->h.of[f->number / p->w.phases];
    f->w = &p->w.of[f->number % p->w.phases];
    f->kernel = f->h->n * f->w->n;
    f->n = images * f->h->outputs * f->w->outputs;
    f->number++;
    return true;
}

/* Where the taps lie, phase by phase in the order of the weights, and where the outputs of `images`, which are `apart`,
 * meet the first. */
static void find(const convolution *p, int64_t images, int64_t apart, const scratch *own)
{
    const int64_t plane = padded_of(p), row = p->w.padded;
    for (phase f = {0}; next_phase(p, images, &f);) {
        const tare_lowered_axis *h = f.h, *w = f.w;
        tile_tap *to = own->tap + f.tap;
        for (int64_t t = 0; t < f.kernel && p->in > 0; t++) {
            const int64_t at = p->reversed ? f.kernel - 1 - t : t;
            *to++ = (tile_tap){.a = at / w->n * h->dilation * row + at % w->n * w->dilation};
        }
        for (int64_t t = f.kernel; t < p->in * f.kernel; t++, to++)
            *to = (tile_tap){.a = to[-f.kernel].a + plane}; /* b: panels are read on and on */
        output *next = own->output + f.output;
        const int64_t a = h - p->h.of, b = w - p->w.of;
        for (int64_t i = 0; i < images; i++)
            for (int64_t oh = 0; oh < h->outputs; oh++)
                for (int64_t ow = 0; ow < w->outputs; ow++) {
                    next->place = i * apart + (h->first - p->h.first + oh * p->h.stride) * row + w->first - p->w.first +
                                  ow * p->w.stride;
                    next++->number = (i * p->h.outputs + oh * p->h.phases + a) * p->w.outputs + ow * p->w.phases + b;
                }
    }
}

/* Of an input channel, the turned weights [R S, width] to the panels of their phases. */
static void deal(const convolution *p, int64_t k, const float *turned, float *panel, int64_t width)
{
    for (phase f = {0}; next_phase(p, 0, &f);) {
        float *to = panel + (f.tap + k * f.kernel) * width;
        for (int64_t r = 0; r < f.h->n; r++)
            for (int64_t s = 0; s < f.w->n; s++, to += width) {
                const int64_t t = (f.h->first_tap + r * f.h->step) * p->w.kernel + f.w->first_tap + s * f.w->step;
                tare_lowered_copy(turned + t * width, to, width);
            }
    }
}

/* The weights of output channels from `first` on, `n` of them, to panel [in R S, width], zeros where it is wider. */
static void turn(const convolution *p, const float *w, int64_t first, int64_t n, const scratch *own, float *panel,
                 int64_t width)
{
    const int64_t kernel = kernel_of(p), taps = p->in * kernel;
    const bool dealt = p->h.phases * p->w.phases > 1;
    if (!p->reversed) {
        gemm_turn(w + first * taps, taps, n, taps, 1, panel, width);
        return;
    }
    for (int64_t k = 0; k < p->in; k++) {
        gemm_turn(w + (k * p->out + first) * kernel, kernel, n, kernel, 1,
                  dealt ? own->sum : panel + k * kernel * width, width);
        if (dealt)
            deal(p, k, own->sum, panel, width);
    }
}

/* All channels of an image [in, h, w], with zeros around or without what nobody asks for. */
static void pad(const convolution *p, const float *x, float *to)
{
    const int64_t w = p->w.size, row = p->w.padded, rows = p->h.padded, first_h = p->h.first, first_w = p->w.first;
    const int64_t top = first_h < 0 ? -first_h : 0, left = first_w < 0 ? -first_w : 0;
    const int64_t bottom = p->h.size - first_h, right = w - first_w < row ? w - first_w : row;
    const int64_t end = bottom < top ? top : bottom, above = top < rows ? top : rows;
    const int64_t below = end < rows ? end : rows;
    for (int64_t c = 0; c < p->in; c++, x += p->h.size * w, to += rows * row) {
        tare_lowered_zero(to, above * row);
        if (below > above)
            tare_lowered_rows(to + above * row, row, x + (above + first_h) * w + first_w, w, below - above, row, left,
                              right);
        tare_lowered_zero(to + below * row, (rows - below) * row);
    }
}

typedef struct {
    int64_t n;
    const float *x;
    const output *output; /* of the tile */
    const float *panel;
    const tile_tap *tap;
    const float *bias;
    bool add;
    float *sum;    /* [outputs, WIDTH] */
    int64_t first; /* of them */
} job;

TARE_ALWAYS_INLINE void turned_tile(int rows, int n_vectors, const job *j)
{
    tare_vf acc[TILE_ROWS][TILE_VECTORS];
    const float *row[TILE_ROWS];
    TARE_UNROLL
    for (int r = 0; r < rows; r++)
        row[r] = j->x + j->output[r].place;
    if (!j->tap) /* there always are: the multiply keeps one way of reading */
        __builtin_unreachable();
    tile_multiply(rows, n_vectors, 0, j->n, row, 0, j->panel, j->tap, n_vectors * TARE_LANES, acc);
    TARE_UNROLL
    for (int r = 0; r < rows; r++) {
        TARE_UNROLL
        for (int v = 0; v < n_vectors; v++)
            acc[r][v] = j->bias ? acc[r][v] + tare_load(j->bias + v * TARE_LANES) : acc[r][v];
        tile_store_row(n_vectors, 0, acc[r], j->add, j->sum + (j->output[r].number - j->first) * WIDTH);
    }
}
TARE_CONV_TILES_WHOLE(turned)

/* Sums of n outputs of a phase, block of channels by block; `job` has the rest. */
static void multiply_phase(const convolution *p, const scratch *own, const phase *f, const float *panel,
                           int64_t vectors, const float *bias, int64_t n, job j)
{
    const tare_cut tiles = tare_cut_of(n, TILE_ROWS);
    const int64_t block = tare_conv_block(p->in, f->kernel, CHAIN);
    const output *const first = j.output;
    int64_t c = 0;
    do { /* once without channels too, which writes zeros */
        const int64_t next = c + block < p->in ? c + block : p->in, tap = f->tap + c * f->kernel;
        j.n = (next - c) * f->kernel;
        j.output = first;
        j.tap = own->tap + tap;
        j.panel = panel + tap * vectors * TARE_LANES;
        j.bias = next == p->in ? bias : NULL;
        j.add = c > 0;
        for (int64_t t = 0, rows; t < tiles.tiles; t++, j.output += rows) {
            rows = tare_cut_size(tiles, t);
            turned_tiles[rows - 1][vectors - 1](&j);
        }
        c = next;
    } while (c < p->in);
}

/* Sums of outputs [from, end) of the images together, by a panel of `vectors`. `done`: of each phase, how many there
 * are before them; then, before `end`. */
static void multiply(const convolution *p, const plan *q, const scratch *own, const float *x, const float *panel,
                     int64_t vectors, const float *bias, int64_t from, int64_t end, int64_t *done)
{
    for (phase f = {0}; next_phase(p, q->together, &f); done++) {
        const output *first = own->output + f.output + *done, *last = first;
        while (*done < f.n && last->number < end) {
            last++;
            ++*done;
        }
        multiply_phase(p, own, &f, panel, vectors, bias, last - first,
                       (job){.x = x, .output = first, .sum = own->sum, .first = from});
    }
}

/* The sums of outputs [from, end) to y: `n` channels of planes. */
static void put(const convolution *p, const plan *q, const float *sum, int64_t n, int64_t from, int64_t end, float *y)
{
    const int64_t plane = plane_of(p);
    for (int64_t some; from < end; from += some, sum += some * WIDTH) {
        const int64_t image = from / plane, o = from % plane;
        some = plane - o < end - from ? plane - o : end - from;
        gemm_turn(sum, WIDTH, some, n, 0, y + image * q->to_image + o, plane);
    }
}

static int convolve(const convolution *p, const tare_call *c, int piece, int worker, const float *bias, float *y)
{
    const plan *q = (const plan *)(const void *)(c->g + TARE_CONV_WORDS);
    const tare_conv_span images = tare_conv_piece(tare_conv_of(c), piece / (int)q->pieces.across);
    const tare_conv_span channels = tare_conv_rows(piece, q->pieces, p->out);
    const scratch own = scratch_of(c, q, worker);
    const float *x = c->ptr[0], *w = c->ptr[1];
    const int64_t plane = plane_of(p), taps = p->in * kernel_of(p), n = channels.end - channels.from;
    const int64_t size = p->in * padded_of(p);
    const tare_cut panels = tare_cut_of((n + TARE_LANES - 1) / TARE_LANES, TILE_VECTORS);
    find(p, q->together, p->in_place ? q->from_image : size, &own);
    for (int64_t v = 0; v < panels.tiles; v++) {
        const int64_t at = tare_cut_start(panels, v) * TARE_LANES, width = tare_cut_size(panels, v) * TARE_LANES;
        turn(p, w, channels.from + at, n - at < width ? n - at : width, &own, own.panel + at * taps, width);
    }
    for (int64_t k = 0; bias && k < q->pieces.rows; k++)
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
            int64_t done[STRIDE_MOST * STRIDE_MOST] = {0};
            for (int64_t k = 0; k < chunks.tiles; k++) {
                const int64_t from = tare_cut_start(chunks, k), end = tare_cut_start(chunks, k + 1);
                multiply(p, q, &own, data, own.panel + at * taps, vectors, bias ? own.bias + at : NULL, from, end,
                         done);
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
    const int64_t plane = plane_of(p), taps = p->in * kernel_of(p), size = p->in * padded_of(p);
    const double weights = (double)p->out * (double)taps, met = weights / (double)(p->h.phases * p->w.phases);
    const tare_conv_grid grid = tare__conv_grid((double)(v->n * plane) * met / 32, v->n, p->out / 48,
                                                p->in_place ? 0 : 0.3 * (double)(v->n * size), 0.5 * weights);
    *q = (plan){.from_image = from_image, .to_image = to_image};
    q->pieces = tare__conv_pieces_of(v, grid, 1, p->out, 16, work);
    int64_t together = OUTPUTS_MOST / (plane + 1);
    if (!p->in_place && size && together > PADDED_MOST / size)
        together = PADDED_MOST / size;
    q->together = together < 1 ? 1 : together < v->images ? together : v->images;
    q->padded = p->in_place ? 0 : tare_round_up(q->together * size, 16);
    q->panels = q->pieces.rows * (taps + 1);
    q->taps = tare_round_up(taps, 4);
    q->outputs = q->together * plane;
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
    const plan *q = (const plan *)(const void *)(c->g + TARE_CONV_WORDS);
    tare__conv2d_grad_data_part(c, piece, q->pieces, t);
}

/* Small kernels: where rows are no whole vectors, joined or not, or where a gradient's weights, which lie a channel
 * apart from tap to tap, are many; or its results a stride apart. */
static bool small_fits(const convolution *p)
{
    const int64_t row = p->w.of[0].outputs;
    const bool whole = row % 16 == 0 || (row > 0 && 16 % row == 0);
    const double taps = (double)p->in * (double)kernel_of(p);
    const bool strided = p->h.phases * p->w.phases > 1;
    return taps >= TAPS_LEAST && (!whole || strided || (p->reversed && taps * (double)p->out > WEIGHTS_MOST));
}

/* Where lanes are mostly filled, weights are worth turning, and an image fits. */
static bool fits(const convolution *p, int64_t images)
{
    const double plane = (double)p->h.outputs * (double)p->w.outputs;
    const double size = (double)p->in * (double)p->h.padded * (double)p->w.padded;
    return 5 * p->out >= 4 * tare_round_up(p->out, 16) && p->out >= 16 &&
           (kernel_of(p) > KERNEL_SMALL || small_fits(p)) && plane <= OUTPUTS_MOST &&
           (double)images * plane >= OUTPUTS_LEAST && (p->in_place || size <= PADDED_MOST);
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
    return at->stride_h <= STRIDE_MOST && at->stride_w <= STRIDE_MOST &&
           (at->stride_h * at->stride_w == 1 || o.w->dim[2] * o.w->dim[3] <= CHUNK) && operands_fit(&o, at, to_data);
}

#endif
