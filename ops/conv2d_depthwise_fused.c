/* conv2d_depthwise_fused.c - convolutions whose groups have one channel each: a plane by its own kernels, all three
 * directions.
 *
 * There is no sum over channels to make a product of, so these are bound by loads and not by a matrix multiplication. A
 * plane is first copied between columns of zeros, so that every tap meets whole vectors of every row; rows beyond the
 * plane are left out. A vector of outputs then adds its taps in their order, fused:
 *
 *     y[n,k,oh,ow] = b[k] + sum over r, s of  w[k,r,s] x[n,c,ih,iw],    k = c M + m, M = K / C
 *     dx[n,c,ih,iw] = sum over m, r, s of  w[k,r,s] dy[n,k,oh,ow]
 *     dw[k,r,s] = sum over n, oh, ow of  dy[n,k,oh,ow] x[n,c,ih,iw]
 *
 * In the gradient to data the columns of dx are taken by their remainder modulo stride_w ("phases"): those of one phase
 * meet the same taps, at neighbouring columns of dy. In the gradient to weights each lane of a vector adds its outputs
 * of an image, then lanes and images are added in float64. A piece is a run of planes (n,c), to weights of channels; no
 * bit depends on the cut, since a plane is whole in each. */
#include "conv2d.h"
#include "stepped.h"

/* Behind the convolution's words: planes or channels a piece; floats of a row between its zeros, and how many of them
 * stand before it; whole vectors of outputs (of columns of a phase) in a row; rows of scratch */
enum { G_RUN = TARE_CONV_WORDS, G_PADDED, G_LEFT, G_VECTORS, G_ROWS, G_WORDS };
enum { WIDEST = 16 };

#define ALWAYS_INLINE static inline __attribute__((always_inline))

static inline tare_conv_span run_of(const tare_call *c, int piece, int64_t n)
{
    int64_t from = piece * c->g[G_RUN], end = from + c->g[G_RUN];
    return (tare_conv_span){from, end < n ? end : n};
}

static inline float *scratch_of(const tare_call *c, int worker)
{
    return (float *)c->ptr[5] + worker * (c->g[G_ROWS] * c->g[G_PADDED] + TARE_WORKERS_APART / 4);
}

static inline void clear(const tare_call *c, float *padded)
{
    memset(padded, 0, (size_t)(c->g[G_ROWS] * c->g[G_PADDED]) * sizeof *padded);
}

/* Rows of a plane to the middle of padded ones, whose columns of zeros stay. */
static inline void pad_rows(const int64_t *g, const float *from, int64_t rows, int64_t width, float *padded)
{
    for (int64_t i = 0; i < rows; ++i)
        memcpy(padded + i * g[G_PADDED] + g[G_LEFT], from + i * width, (size_t)width * sizeof *from);
}

/* Every stride-th element from p on, of which all are there. */
ALWAYS_INLINE tare_vf load_apart(const float *p, const int64_t stride)
{
    return load_every(p, stride, TARE_LANES * stride);
}

/* The taps of a row of kernels that stand in the rows of a plane: from + r step in [0, size). */
static inline tare_conv_span taps_inside(int64_t from, int64_t step, int64_t taps, int64_t size)
{
    return tare_conv_inside(from, step, taps, size);
}

/* ---- kernels of 3x3 that move by one ---------------------------------------------------------------------------*/

/* Whether the rows of a plane can roll by: each is loaded once for the three rows of outputs that meet it. */
static inline bool rolls(const tare_conv *v)
{
    return v->r == 3 && v->s == 3 && v->stride_h == 1 && v->stride_w == 1 && v->dilation_h == 1 && v->dilation_w == 1 &&
           v->pad_h <= 2 && v->pad_w <= 2;
}

/* y[oh,ow] = start + sum over r, s of w[r,s] from[oh - pad + r, ow + s], rows outside left out; y [oh,ow], w [3,3];
 * turned: w[2-r,2-s] instead. `newest` has met the first row of its taps, `older` the first two. */
static inline void roll_forward(const float *from, int64_t step, int64_t rows, int64_t pad, const float *w, bool turned,
                                tare_vf start, int64_t oh, int64_t ow, float *y)
{
    tare_vf tap[3][3];
    for (int k = 0; k < 9; ++k)
        tap[k / 3][k % 3] = tare_broadcast(w[turned ? 8 - k : k]);
    for (int64_t j = 0; j < ow; j += TARE_LANES) {
        tare_vf newest = start, older = start;
        for (int64_t i = 0; i < rows + 2; ++i) {
            const int64_t done = i + pad - 2; /* the row of outputs that row i is the last for */
            tare_vf last = older, sum = newest, first = start;
            if (i < rows) {
                const float *row = from + i * step + j;
                for (int s = 0; s < 3; ++s) {
                    const tare_vf x = tare_load(row + s);
                    last += tap[2][s] * x;
                    sum += tap[1][s] * x;
                    first += tap[0][s] * x;
                }
            }
            if (done >= 0 && done < oh)
                store_some(y + done * ow + j, last, ow - j);
            older = sum;
            newest = first;
        }
    }
}

/* sum[r,s] += over oh, ow of  dy[oh,ow] from[oh - pad + r, ow + s], rows outside left out. */
static inline void roll_weight(const float *from, int64_t step, int64_t rows, int64_t pad, const float *dy, int64_t oh,
                               int64_t ow, double *sum)
{
    tare_vf lanes[3][3] = {{{0}}};
    for (int64_t j = 0; j < ow; j += TARE_LANES)
        for (int64_t i = 0; i < rows; ++i) {
            const int64_t at = i + pad; /* of the row of dy that meets the first taps */
            const float *row = from + i * step + j, *head = dy + at * ow + j;
            const tare_vf x[3] = {tare_load(row), tare_load(row + 1), tare_load(row + 2)};
            if (at >= 2 && at < oh) { /* most rows */
                for (int r = 0; r < 3; ++r) {
                    const tare_vf d = load_some(head - r * ow, ow - j);
                    for (int s = 0; s < 3; ++s)
                        lanes[r][s] += d * x[s];
                }
                continue;
            }
            for (int r = 0; r < 3; ++r)
                if (at - r >= 0 && at - r < oh) {
                    const tare_vf d = load_some(head - r * ow, ow - j);
                    for (int s = 0; s < 3; ++s)
                        lanes[r][s] += d * x[s];
                }
        }
    for (int k = 0; k < 9; ++k)
        for (int l = 0; l < TARE_LANES; ++l)
            sum[k] += (double)lanes[k / 3][k % 3][l];
}

/* ---- forward ----------------------------------------------------------------------------------------------------*/

/* Output row oh of a plane; stride, s_taps are constants where they are common. */
ALWAYS_INLINE void forward_row(const tare_call *c, const float *padded, const float *w, tare_vf bias, int64_t oh,
                               const int64_t stride, const int64_t s_taps, float *y)
{
    const tare_conv *v = tare_conv_of(c);
    const int64_t *g = c->g, first = oh * v->stride_h - v->pad_h, step = v->dilation_h;
    const tare_conv_span r = taps_inside(first, step, v->r, v->h);
    for (int64_t ow = 0; ow < v->ow; ow += TARE_LANES) {
        tare_vf sum = bias;
        for (int64_t k = r.from; k < r.end; ++k) {
            const float *row = padded + (first + k * step) * g[G_PADDED] + ow * stride;
            for (int64_t s = 0; s < s_taps; ++s)
                sum += w[k * s_taps + s] * load_apart(row + s * v->dilation_w, stride);
        }
        store_some(y + ow, sum, v->ow - ow);
    }
}

static inline void forward_plane(const tare_call *c, const float *padded, const float *w, float bias, float *y)
{
    const tare_conv *v = tare_conv_of(c);
    const tare_vf start = tare_broadcast(bias);
    if (rolls(v)) {
        roll_forward(padded, c->g[G_PADDED], v->h, v->pad_h, w, false, start, v->oh, v->ow, y);
        return;
    }
    for (int64_t oh = 0; oh < v->oh; ++oh, y += v->ow)
        if (v->s == 3 && v->stride_w == 1)
            forward_row(c, padded, w, start, oh, 1, 3, y);
        else if (v->s == 3 && v->stride_w == 2)
            forward_row(c, padded, w, start, oh, 2, 3, y);
        else
            forward_row(c, padded, w, start, oh, v->stride_w, v->s, y);
}

int TARE_KERNEL(conv2d_depthwise)(const tare_call *c, int piece, int worker)
{
    const tare_conv *v = tare_conv_of(c);
    const float *x = c->ptr[0], *w = c->ptr[1], *bias = c->ptr[2]; /* [N,C,H,W], [K,1,R,S], [K] or NULL */
    float *y = c->ptr[3], *padded = scratch_of(c, worker);         /* [N,K,OH,OW] */
    const int64_t m = v->k / v->c, taps = v->r * v->s, plane = tare_conv_plane(v);
    clear(c, padded);
    for (tare_conv_span at = run_of(c, piece, v->n * v->c); at.from < at.end; ++at.from) {
        pad_rows(c->g, x + at.from * v->h * v->w, v->h, v->w, padded);
        for (int64_t i = at.from * m; i < (at.from + 1) * m; ++i)
            forward_plane(c, padded, w + i % v->k * taps, bias ? bias[i % v->k] : 0, y + i * plane);
    }
    return 0;
}

/* ---- to data ----------------------------------------------------------------------------------------------------*/

/* Columns q + lanes of a phase of row `at` (padding counted) of dx: of all M planes of dy, which lie one after the
 * other between their zeros. */
ALWAYS_INLINE tare_vf phase_sum(const tare_call *c, const float *padded, const float *w, int64_t at, int64_t phase,
                                int64_t q, const int64_t stride, const int64_t s_taps)
{
    const tare_conv *v = tare_conv_of(c);
    const int64_t *g = c->g, m = v->k / v->c;
    tare_vf sum = {0};
    for (int64_t i = 0; i < m; ++i, w += v->r * s_taps, padded += v->oh * g[G_PADDED])
        for (int64_t r = 0; r < v->r; ++r) {
            const int64_t above = at - r * v->dilation_h, oh = above / v->stride_h;
            if (above < 0 || above % v->stride_h || oh >= v->oh)
                continue;
            const float *row = padded + oh * g[G_PADDED] + g[G_LEFT] + q;
            for (int64_t s = 0; s < s_taps; ++s)
                if (s * v->dilation_w % stride == phase)
                    sum += w[r * s_taps + s] * tare_load(row - s * v->dilation_w / stride);
        }
    return sum;
}

/* All columns of a row of dx, padding counted, into `row`. */
ALWAYS_INLINE void data_row(const tare_call *c, const float *padded, const float *w, int64_t at, const int64_t stride,
                            const int64_t s_taps, float *row)
{
    for (int64_t q = 0; q < c->g[G_VECTORS] * WIDEST; q += TARE_LANES) {
        if (stride == 1) {
            tare_store(row + q, phase_sum(c, padded, w, at, 0, q, 1, s_taps));
        } else if (stride == 2) {
            const tare_vf even = phase_sum(c, padded, w, at, 0, q, 2, s_taps);
            const tare_vf odd = phase_sum(c, padded, w, at, 1, q, 2, s_taps);
            tare_store(row + 2 * q, merged(even, odd, false));
            tare_store(row + 2 * q + TARE_LANES, merged(even, odd, true));
        } else {
            for (int64_t phase = 0; phase < stride; ++phase) {
                const tare_vf sum = phase_sum(c, padded, w, at, phase, q, stride, s_taps);
                for (int l = 0; l < TARE_LANES; ++l)
                    row[(q + l) * stride + phase] = sum[l];
            }
        }
    }
}

int TARE_KERNEL(conv2d_grad_data_depthwise)(const tare_call *c, int piece, int worker)
{
    const tare_conv *v = tare_conv_of(c);
    const float *dy = c->ptr[0], *w = c->ptr[1];                  /* [N,K,OH,OW], [K,1,R,S] */
    float *dx = c->ptr[3], *padded = scratch_of(c, worker), *row; /* [N,C,H,W] */
    const int64_t m = v->k / v->c, taps = v->r * v->s, plane = tare_conv_plane(v);
    clear(c, padded);
    row = padded + m * v->oh * c->g[G_PADDED];
    for (tare_conv_span at = run_of(c, piece, v->n * v->c); at.from < at.end; ++at.from) {
        const float *kernels = w + at.from % v->c * m * taps;
        pad_rows(c->g, dy + at.from * m * plane, m * v->oh, v->ow, padded);
        if (m == 1 && rolls(v)) {
            roll_forward(padded + v->pad_w, c->g[G_PADDED], v->oh, 2 - v->pad_h, kernels, true, (tare_vf){0}, v->h,
                         v->w, dx + at.from * v->h * v->w);
            continue;
        }
        for (int64_t i = 0; i < v->h; ++i) {
            if (v->stride_w == 1 && v->s == 3)
                data_row(c, padded, kernels, i + v->pad_h, 1, 3, row);
            else if (v->stride_w == 2 && v->s == 3)
                data_row(c, padded, kernels, i + v->pad_h, 2, 3, row);
            else
                data_row(c, padded, kernels, i + v->pad_h, v->stride_w, v->s, row);
            memcpy(dx + (at.from * v->h + i) * v->w, row + v->pad_w, (size_t)v->w * sizeof *dx);
        }
    }
    return 0;
}

/* ---- to weights -------------------------------------------------------------------------------------------------*/

/* One image's share of the taps of a row r of one kernel; stride, s_taps are constants where they are common. */
ALWAYS_INLINE void weight_row(const tare_call *c, const float *padded, const float *dy, int64_t r, const int64_t stride,
                              const int64_t s_taps, double *sum)
{
    const tare_conv *v = tare_conv_of(c);
    const int64_t from = r * v->dilation_h - v->pad_h;
    const tare_conv_span rows = tare_conv_inside(from, v->stride_h, v->oh, v->h);
    enum { TOGETHER = 4 };
    for (int64_t s = 0; s < s_taps; s += TOGETHER) {
        tare_vf lanes[TOGETHER] = {{0}};
        const int64_t n = s_taps - s < TOGETHER ? s_taps - s : TOGETHER;
        for (int64_t oh = rows.from; oh < rows.end; ++oh) {
            const float *x = padded + (from + oh * v->stride_h) * c->g[G_PADDED] + s * v->dilation_w;
            for (int64_t ow = 0; ow < v->ow; ow += TARE_LANES) {
                const tare_vf head = load_some(dy + oh * v->ow + ow, v->ow - ow);
                for (int64_t k = 0; k < n; ++k)
                    lanes[k] += head * load_apart(x + ow * stride + k * v->dilation_w, stride);
            }
        }
        for (int64_t k = 0; k < n; ++k)
            for (int l = 0; l < TARE_LANES; ++l)
                sum[s + k] += (double)lanes[k][l];
    }
}

/* All images' share of row r of one kernel. */
static inline void weight_taps(const tare_call *c, const float *padded, const float *dy, int64_t r, double *sum)
{
    const tare_conv *v = tare_conv_of(c);
    if (v->s == 3 && v->stride_w == 1)
        weight_row(c, padded, dy, r, 1, 3, sum);
    else if (v->s == 3 && v->stride_w == 2)
        weight_row(c, padded, dy, r, 2, 3, sum);
    else
        weight_row(c, padded, dy, r, v->stride_w, v->s, sum);
}

int TARE_KERNEL(conv2d_grad_weight_depthwise)(const tare_call *c, int piece, int worker)
{
    const tare_conv *v = tare_conv_of(c);
    const float *dy = c->ptr[0], *x = c->ptr[1];            /* [N,K,OH,OW], [N,C,H,W] */
    float *dw = c->ptr[3], *padded = scratch_of(c, worker); /* [K,1,R,S] */
    const int64_t m = v->k / v->c, taps = v->r * v->s, plane = tare_conv_plane(v);
    double *sum = (double *)(void *)(padded + v->h * c->g[G_PADDED]); /* [M,R,S] */
    clear(c, padded);
    for (tare_conv_span at = run_of(c, piece, v->c); at.from < at.end; ++at.from) {
        memset(sum, 0, (size_t)(m * taps) * sizeof *sum);
        for (int64_t n = 0; n < v->n; ++n) {
            pad_rows(c->g, x + (n * v->c + at.from) * v->h * v->w, v->h, v->w, padded);
            if (m == 1 && rolls(v)) {
                roll_weight(padded, c->g[G_PADDED], v->h, v->pad_h, dy + (n * v->k + at.from) * plane, v->oh, v->ow,
                            sum);
                continue;
            }
            for (int64_t i = 0; i < m * v->r; ++i)
                weight_taps(c, padded, dy + (n * v->k + at.from * m + i / v->r) * plane, i % v->r, sum + i * v->s);
        }
        for (int64_t i = 0; i < m * taps; ++i)
            dw[at.from * m * taps + i] = (float)sum[i];
    }
    return 0;
}

#ifdef TARE_PASS_RECORDS

/* ---- what fits, geometry ------------------------------------------------------------------------------------------*/

/* Padded planes stay near the processor. */
enum { SCRATCH_MOST = 1 << 19 };

static int64_t vectors(int64_t n)
{
    return (n + WIDEST - 1) / WIDEST;
}

/* A row of x between its zeros: as far as the last tap of the last vector of outputs reaches. */
static int64_t padded_row(const tare_conv *v)
{
    const int64_t reach = vectors(v->ow) * WIDEST * v->stride_w + (v->s - 1) * v->dilation_w, row = v->pad_w + v->w;
    return vectors(reach > row ? reach : row) * WIDEST;
}

/* Columns of a phase of dx, padding counted, and of dy before and behind its zeros. */
static int64_t phase_columns(const tare_conv *v)
{
    return (v->w + v->pad_w + v->stride_w - 1) / v->stride_w;
}
static int64_t shift_most(const tare_conv *v)
{
    return (v->s - 1) * v->dilation_w / v->stride_w;
}
static int64_t padded_head(const tare_conv *v)
{
    const int64_t reach = shift_most(v) + vectors(phase_columns(v)) * WIDEST, row = shift_most(v) + v->ow;
    return vectors(reach > row ? reach : row) * WIDEST;
}

/* Geometry, scratch of `rows` padded rows, pieces of about TARE_CHUNK elements of `runs` runs. */
static void lay(tare_work *work, int64_t rows, int64_t padded, int64_t left, int64_t runs, int64_t elements)
{
    int64_t *g = work->g;
    g[G_PADDED] = padded;
    g[G_LEFT] = left;
    g[G_ROWS] = rows;
    g[G_RUN] = elements < TARE_CHUNK ? TARE_CHUNK / (elements ? elements : 1) : 1;
    work->n_g = G_WORDS;
    work->worker_bytes = (size_t)(rows * padded) * sizeof(float) + TARE_WORKERS_APART;
    if (runs > g[G_RUN])
        work->n_pieces = (int32_t)((runs + g[G_RUN] - 1) / g[G_RUN]);
}

void tare__prepare_conv2d_depthwise(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    const tare_conv_operands o = tare_conv_forward(a, out);
    const tare_conv *v = tare__conv_prepare(a, o.x, o.w, o.y, work);
    const int64_t outputs = v->k / v->c * tare_conv_plane(v), size = v->h * v->w;
    lay(work, v->h, padded_row(v), v->pad_w, v->n * v->c, outputs > size ? outputs : size);
}

void tare__prepare_conv2d_grad_data_depthwise(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    (void)out;
    const tare_conv_operands o = tare_conv_to_data(a);
    const tare_conv *v = tare__conv_prepare(a, o.x, o.w, o.y, work);
    const int64_t m = v->k / v->c, padded = padded_head(v), q = vectors(phase_columns(v));
    work->g[G_VECTORS] = q;
    /* behind the planes of dy a row of dx */
    const int64_t row = (q * WIDEST * v->stride_w + padded - 1) / padded, outputs = m * tare_conv_plane(v);
    lay(work, m * v->oh + row, padded, shift_most(v), v->n * v->c, outputs > v->h * v->w ? outputs : v->h * v->w);
}

void tare__prepare_conv2d_grad_weight_depthwise(const tare_args *a, const tare_desc_ref *out, tare_work *work)
{
    (void)out;
    const tare_conv_operands o = tare_conv_to_weight(a);
    const tare_conv *v = tare__conv_prepare(a, o.x, o.w, o.y, work);
    const int64_t padded = padded_row(v), sums = 2 * v->k / v->c * v->r * v->s; /* float64 */
    lay(work, v->h + (sums + padded - 1) / padded, padded, v->pad_w, v->c, v->n * v->h * v->w);
}

static bool fits(const tare_conv_operands *o, const tare_conv_attr *at)
{
    const tare_conv v = tare__conv_geometry(o, at);
    if (at->groups < 2 || at->groups != v.c)
        return false;
    const double forward = (double)v.h * (double)padded_row(&v);
    const double back = (double)(v.k / v.c * v.oh + 1) * (double)padded_head(&v) + (double)v.w * 2;
    return forward <= SCRATCH_MOST && back <= SCRATCH_MOST;
}

bool tare__conv2d_depthwise_fits(const tare_args *a)
{
    const tare_desc y = tare__conv_result(a);
    return fits(&(tare_conv_operands){a->in[0], a->in[1], &y}, a->attr);
}

bool tare__conv2d_grad_data_depthwise_fits(const tare_args *a)
{
    const tare_conv_operands o = tare_conv_to_data(a);
    return fits(&o, a->attr);
}

bool tare__conv2d_grad_weight_depthwise_fits(const tare_args *a)
{
    const tare_conv_operands o = tare_conv_to_weight(a);
    return fits(&o, a->attr);
}

#endif
