/* local_response_norm.c - each element divided by a power of the squares of its neighbours in other channels, and the
 * gradient.
 *
 *     s[c] = k + alpha / size  sum of x[i]^2,   i from c - size / 2 to c + (size - 1) / 2 that are channels
 *     y[c] = x[c] s[c]^-beta
 * (A. Krizhevsky et al., ImageNet Classification with Deep Convolutional Neural Networks, 2012, section 3.3, with alpha
 * a share of size as in torch.nn.functional.local_response_norm.)
 *
 * A strip is STRIP neighbouring elements of all channels of an image, a vector after the other; a piece is some strips.
 * Each window is added anew in the order of the channels, so that no bit depends on which channel or lane it is. The
 * gradient needs s, which forward keeps; what windows share waits in a ring of `size` vectors. */
#include <math.h>

#include "batch_norm.h"
#include "math.h"

/* g[0], g[1]: elements, dtype */
enum { G_IMAGES = 2, G_CHANNELS, G_PLANE, G_PIECE, G_SIZE, G_ALPHA, G_BETA, G_K, G_WORDS };
enum { STRIP = 16, RING = 64 };

/* What a piece works on: strips, counted through all images. */
typedef struct {
    int64_t at, n; /* the vector's first element in channel 0; elements: at most TARE_LANES, -1 at the end */
} strip_vector;

/* Vector number i of the piece. */
static inline strip_vector vector_of(const int64_t *g, int piece, int64_t i)
{
    const int64_t strips = (g[G_PLANE] + STRIP - 1) / STRIP, part = i * TARE_LANES / STRIP;
    const int64_t strip = piece * g[G_PIECE] + part, column = strip % strips * STRIP + i * TARE_LANES % STRIP;
    const int64_t left = g[G_PLANE] - column > 0 ? g[G_PLANE] - column : 0;
    if (part >= g[G_PIECE] || strip >= g[G_IMAGES] * strips)
        return (strip_vector){0, -1};
    return (strip_vector){strip / strips * g[G_CHANNELS] * g[G_PLANE] + column, left < TARE_LANES ? left : TARE_LANES};
}

static inline tare_vf load_of(const float *p, int64_t n)
{
    return n == TARE_LANES ? tare_load(p) : tare_load_part(p, n);
}
static inline void store_of(float *p, tare_vf v, int64_t n)
{
    if (n == TARE_LANES)
        tare_store(p, v);
    else
        tare_store_part(p, v, n);
}

/* s^-beta; for the usual 3/4 from square roots, which are rounded correctly and a third of the work. */
static inline tare_vf power(tare_vf s, float beta)
{
    if (beta == 0.75f) {
        const tare_vf root = tare_sqrt_of(s);
        return 1 / (root * tare_sqrt_of(root));
    }
    return tare_exp_of(tare_log_of(s) * -beta);
}

static inline void forward(const int64_t *g, const float *x, float *y, float *kept, int64_t n)
{
    const int64_t channels = g[G_CHANNELS], plane = g[G_PLANE], before = g[G_SIZE] / 2, after = g[G_SIZE] - before;
    const float share = (float)(tare_unbits(g[G_ALPHA]) / (double)g[G_SIZE]), beta = (float)tare_unbits(g[G_BETA]);
    const float k = (float)tare_unbits(g[G_K]);
    for (int64_t c = 0; c < channels; ++c) {
        const int64_t end = c + after < channels ? c + after : channels;
        tare_vf sum = {0};
        for (int64_t i = c < before ? 0 : c - before; i < end; ++i) {
            tare_vf v = load_of(x + i * plane, n);
            sum += v * v;
        }
        tare_vf s = sum * share + k;
        store_of(y + c * plane, load_of(x + c * plane, n) * power(s, beta), n);
        if (kept)
            store_of(kept + c * plane, s, n);
    }
}

TARE_KERNEL_DECLARE(local_response_norm);
int TARE_KERNEL(local_response_norm)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const float *x = c->ptr[0]; /* [N,C,...] */
    float *y = c->ptr[1], *kept = c->ptr[2];
    strip_vector v;
    for (int64_t i = 0; (v = vector_of(c->g, piece, i)).n >= 0; ++i)
        if (v.n > 0)
            forward(c->g, x + v.at, y + v.at, kept ? kept + v.at : NULL, v.n);
    return 0;
}

/* With t[i] = dy[i] x[i] s[i]^(-beta - 1):
 *     dx[c] = dy[c] s[c]^-beta - 2 alpha beta / size x[c] sum of t[i] over the i whose windows hold c
 * The last of these is i = c + size / 2: dx[c] is made as soon as t has come so far. */
static inline void backward(const int64_t *g, const float *dy, const float *x, const float *s, float *dx, int64_t n)
{
    const int64_t channels = g[G_CHANNELS], plane = g[G_PLANE], size = g[G_SIZE], ahead = size / 2;
    const double alpha = tare_unbits(g[G_ALPHA]), beta = tare_unbits(g[G_BETA]);
    const float share = (float)(2 * alpha * beta / (double)size);
    tare_vf t[RING], through[RING];
    for (int64_t i = 0; i < channels + ahead; ++i) {
        if (i < channels) {
            tare_vf is = load_of(s + i * plane, n), head = load_of(dy + i * plane, n) * power(is, (float)beta);
            through[i % size] = head;
            t[i % size] = head * load_of(x + i * plane, n) / is;
        }
        const int64_t c = i - ahead, end = i + 1 < channels ? i + 1 : channels;
        if (c < 0)
            continue;
        tare_vf sum = {0};
        for (int64_t j = c < size - 1 - ahead ? 0 : c - (size - 1 - ahead); j < end; ++j)
            sum += t[j % size];
        store_of(dx + c * plane, through[c % size] - load_of(x + c * plane, n) * sum * share, n);
    }
}

TARE_KERNEL_DECLARE(local_response_norm_grad);
int TARE_KERNEL(local_response_norm_grad)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const float *dy = c->ptr[0], *x = c->ptr[1], *s = c->ptr[2]; /* [N,C,...] */
    float *dx = c->ptr[3];
    strip_vector v;
    for (int64_t i = 0; (v = vector_of(c->g, piece, i)).n >= 0; ++i)
        if (v.n > 0)
            backward(c->g, dy + v.at, x + v.at, s + v.at, dx + v.at, v.n);
    return 0;
}

#ifdef TARE_PASS_RECORDS

/* ---- references: an element at a time ---------------------------------------------------------------------------*/
typedef struct {
    int64_t from, end;
} window;

static window window_of(const int64_t *g, int64_t channel, int64_t before)
{
    const int64_t from = channel - before, end = from + g[G_SIZE];
    return (window){from > 0 ? from : 0, end < g[G_CHANNELS] ? end : g[G_CHANNELS]};
}

static int local_response_norm_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g, plane = g[G_PLANE];
    for (int64_t o = piece; o < g[0]; o += c->n_pieces) {
        const int64_t channel = o / plane % g[G_CHANNELS], first = o - channel * plane;
        const window w = window_of(g, channel, g[G_SIZE] / 2);
        double sum = 0;
        for (int64_t i = w.from; i < w.end; ++i) {
            double is = tare_at(c->ptr[0], g[1], first + i * plane);
            sum += is * is;
        }
        double s = tare_unbits(g[G_K]) + tare_unbits(g[G_ALPHA]) / (double)g[G_SIZE] * sum;
        tare_put(c->ptr[1], g[1], o, tare_at(c->ptr[0], g[1], o) * pow(s, -tare_unbits(g[G_BETA])));
        if (c->ptr[2])
            tare_put(c->ptr[2], g[1], o, s);
    }
    return 0;
}

/* A column of channels, whole, since dx may be dy; head [C]: dy s^-beta. */
static void column_back(const tare_call *c, int64_t first, double *head)
{
    const int64_t *g = c->g, plane = g[G_PLANE];
    const double beta = tare_unbits(g[G_BETA]), share = 2 * tare_unbits(g[G_ALPHA]) * beta / (double)g[G_SIZE];
    for (int64_t i = 0; i < g[G_CHANNELS]; ++i)
        head[i] = tare_at(c->ptr[0], g[1], first + i * plane) * pow(tare_at(c->ptr[2], g[1], first + i * plane), -beta);
    for (int64_t k = 0; k < g[G_CHANNELS]; ++k) {
        const window w = window_of(g, k, (g[G_SIZE] - 1) / 2);
        double sum = 0;
        for (int64_t i = w.from; i < w.end; ++i)
            sum += head[i] * tare_at(c->ptr[1], g[1], first + i * plane) / tare_at(c->ptr[2], g[1], first + i * plane);
        tare_put(c->ptr[3], g[1], first + k * plane,
                 head[k] - share * tare_at(c->ptr[1], g[1], first + k * plane) * sum);
    }
}

static int local_response_norm_grad_reference(const tare_call *c, int piece, int worker)
{
    const int64_t *g = c->g, columns = g[G_IMAGES] * g[G_PLANE];
    double *head = (double *)(void *)((char *)c->ptr[5] + (size_t)worker * (size_t)g[G_CHANNELS] * sizeof *head);
    for (int64_t o = piece; o < columns; o += c->n_pieces)
        column_back(c, o / g[G_PLANE] * g[G_CHANNELS] * g[G_PLANE] + o % g[G_PLANE], head);
    return 0;
}

/* ---- inference and geometry -------------------------------------------------------------------------------------*/
static tare_status local_response_norm_infer(const tare_args *a, const tare_desc_out *out)
{
    tare_status status = tare__bn_check_input(a, a->in[0], "x");
    if (status != TARE_OK)
        return status;
    tare_desc_like(out[0], a->in[0]);
    if (out[1])
        tare_desc_like(out[1], a->in[0]);
    return TARE_OK;
}

static tare_status local_response_norm_grad_infer(const tare_args *a, const tare_desc_out *out)
{
    tare_status status = tare__bn_check_input(a, a->in[0], "dy");
    return status == TARE_OK ? tare__infer_same(a, out) : status;
}

/* The attributes of both. */
typedef struct {
    TARE_RESPONSE_FIELDS
} __attribute__((may_alias)) response_attr;

static void prepare_local_response_norm(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    const response_attr *attr = a->attr;
    const tare_desc *x = a->in[0];
    int64_t *g = w->g, plane = 1;
    (void)out;
    for (int i = 2; i < x->rank; ++i)
        plane *= x->dim[i];
    g[0] = tare_desc_count(x);
    g[1] = x->dtype;
    g[G_IMAGES] = x->dim[0];
    g[G_CHANNELS] = x->dim[1];
    g[G_PLANE] = plane;
    g[G_PIECE] = x->dim[1] * STRIP < TARE_CHUNK ? TARE_CHUNK / (x->dim[1] * STRIP + !x->dim[1]) : 1;
    g[G_SIZE] = attr->size;
    g[G_ALPHA] = tare_bits(attr->alpha);
    g[G_BETA] = tare_bits(attr->beta);
    g[G_K] = tare_bits(attr->k);
    w->n_g = G_WORDS;
    const int64_t strips = x->dim[0] * ((plane + STRIP - 1) / STRIP);
    if (strips > g[G_PIECE])
        w->n_pieces = (int32_t)((strips + g[G_PIECE] - 1) / g[G_PIECE]);
}

static void prepare_local_response_norm_grad(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    prepare_local_response_norm(a, out, w);
    w->worker_bytes = (size_t)a->in[0]->dim[1] * sizeof(double); /* the reference's */
}

/* ---- records ----------------------------------------------------------------------------------------------------*/
static void local_response_norm_gradient(tare_builder *b)
{
    const tare_local_response_norm_attr *attr = b->node->attr;
    tare_contribute(b, 0,
                    tare_local_response_norm_grad(
                        b->mode, tare_head(b, 0), tare_input(b, 0), tare_output(b, 1),
                        (tare_local_response_norm_grad_attr){attr->size, attr->alpha, attr->beta, attr->k}));
}

static const tare_attr attrs[] = {
    {"size", TARE_ATTR_INT, offsetof(response_attr, size), 1, RING, "5", "channels in a window"},
    {"alpha", TARE_ATTR_FLOAT, offsetof(response_attr, alpha), 0, 1e30, "1e-4", "weight of the mean of the squares"},
    {"beta", TARE_ATTR_FLOAT, offsetof(response_attr, beta), 0, 16, "0.75", "the power"},
    {"k", TARE_ATTR_FLOAT, offsetof(response_attr, k), 0, 1e30, "1", "added to that mean"},
};

#define COMMON(op)                                                                                                     \
    TARE_TABLE(attrs, attrs), .attr_bytes = sizeof(tare_##op##_attr), TARE_USUAL_VARIANTS(op), .tolerance = 2e-6

const tare_op tare_op_local_response_norm = {
    .name = "local_response_norm",
    .doc = "y[c] = x[c] s[c]^-beta, s[c] = k + alpha / size sum of x[i]^2 over the channels i from c - size / 2 to c + "
           "(size - 1) / 2; x, y [N,C,...]; auxiliary: s",
    .n_in = 1,
    .n_out = 1,
    .n_aux = 1,
    .infer = local_response_norm_infer,
    .gradient = local_response_norm_gradient,
    .needs_in = 1,
    .needs_out = 2,
    COMMON(local_response_norm),
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "f32[2,7,3,3]", "alpha=1", NULL},
                 {TARE_SAMPLE_CHECK, "f32[2,7,3]<-3,3>", "size=4,alpha=2,beta=0.5,k=0.5", NULL},
                 {TARE_SAMPLE_CHECK, "f32[3,2]", "size=5,alpha=3", NULL},
                 {TARE_SAMPLE_CHECK, "f32[1,3,5,7]", "size=1,alpha=1,beta=1,k=2", NULL},
                 {TARE_SAMPLE_CHECK, "f32[2,96,13,13]<-9,9>", "size=64,alpha=1", NULL},
                 {TARE_SAMPLE_CHECK, "f32[2,192,15,29]<-9,9>", "alpha=0.1,k=2", NULL},
                 {TARE_SAMPLE_CHECK, "f32[0,4,4,4]", NULL, NULL}, {TARE_SAMPLE_CHECK, "f32[2,0,3]", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "f32[16,64,27,27]", "k=2", NULL},
                 {TARE_SAMPLE_REJECT, "f32[4]", NULL, "x is [4] (need [N,C,...]"},
                 {TARE_SAMPLE_REJECT, "i32[1,4,2]", NULL, "x is int32 (need float32 or float64)"},
                 {TARE_SAMPLE_REJECT, "f32[1,4,2]", "size=0", "size is 0 (need 1 to 64)"},
                 {TARE_SAMPLE_REJECT, "f32[1,4,2]", "beta=-1", "beta is -1"}),
};

const tare_op tare_op_local_response_norm_grad = {
    .name = "local_response_norm_grad",
    .doc = "dx[c] = dy[c] s[c]^-beta - 2 alpha beta / size x[c] sum of dy[i] x[i] s[i]^(-beta - 1) over the channels i "
           "whose windows hold c; dy, x, s, dx [N,C,...]",
    .n_in = 3,
    .n_out = 1,
    .infer = local_response_norm_grad_infer,
    .not_differentiable = true,
    .overwrites = {1},
    COMMON(local_response_norm_grad),
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "f32[2,7,3,3] f32[2,7,3,3] f32[2,7,3,3]<1,3>", "alpha=1", NULL},
                 {TARE_SAMPLE_CHECK, "f32[2,7,3] f32[2,7,3] f32[2,7,3]<1,3>", "size=4,alpha=2,beta=0.5", NULL},
                 {TARE_SAMPLE_CHECK, "f32[3,2] f32[3,2] f32[3,2]<1,3>", "size=6,alpha=3", NULL},
                 {TARE_SAMPLE_CHECK, "f32[2,192,15,29] f32[2,192,15,29] f32[2,192,15,29]<2,9>", "alpha=0.1", NULL},
                 {TARE_SAMPLE_BENCH, "f32[16,64,27,27] f32[16,64,27,27] f32[16,64,27,27]<2,3>", NULL, NULL},
                 {TARE_SAMPLE_REJECT, "f32[4] f32[4] f32[4]", NULL, "dy is [4] (need [N,C,...]"},
                 {TARE_SAMPLE_REJECT, "f32[1,4] f32[1,3] f32[1,4]", NULL, "[1,3]"},
                 {TARE_SAMPLE_REJECT, "f32[1,4] f32[1,4] f64[1,4]", NULL, "float64"}),
};

#endif
