/* dropout.c - inverted dropout and its gradient.
 *
 * Whether element i stays is a function of (seed, n, i) and of nothing else: word i mod 4 of Philox block i / 4 with
 * key = seed and stream = n, read as a multiple of 2^-24 in [0,1), is at least the rate (core/random.h). So an element
 * can be drawn alone, on any piece, lane or device. The count n is the caller's to advance, once a call.
 * (Inverted dropout: Srivastava et al., Dropout, JMLR 15 (2014), section 10.) */
#include <math.h>

#include "../core/random.h"
#include "record.h"

enum { G_THRESHOLD = 2, G_SCALE, G_SEED, G_WORDS }; /* after the pointwise two; the scale as float64 bits */
enum { BLOCKS = 32, DRAWN = 4 * BLOCKS };           /* Philox blocks drawn together, and their elements */
_Static_assert(TARE_GRAIN % DRAWN == 0, "a piece begins with a block");

/* The high 24 bits of the words of elements [i, i + DRAWN), i a multiple of DRAWN: tare_philox, BLOCKS at a time. Loops
 * of constant length over arrays, which the compiler turns into wide multiplications; with 16 or fewer turns it would
 * unroll them into single ones first. */
static inline void draw(uint64_t seed, uint64_t stream, int64_t i, int32_t bits[DRAWN])
{
    uint32_t a[BLOCKS], b[BLOCKS], c[BLOCKS], d[BLOCKS], key_0 = (uint32_t)seed, key_1 = (uint32_t)(seed >> 32);
    for (int k = 0; k < BLOCKS; ++k) {
        uint64_t counter = (uint64_t)(i / 4) + (uint64_t)k;
        a[k] = (uint32_t)counter;
        b[k] = (uint32_t)(counter >> 32);
        c[k] = (uint32_t)stream;
        d[k] = (uint32_t)(stream >> 32);
    }
    for (int round = 0; round < 10; ++round) {
        for (int k = 0; k < BLOCKS; ++k) {
            uint64_t product_a = (uint64_t)0xD2511F53 * a[k], product_c = (uint64_t)0xCD9E8D57 * c[k];
            a[k] = (uint32_t)(product_c >> 32) ^ b[k] ^ key_0;
            b[k] = (uint32_t)product_c;
            c[k] = (uint32_t)(product_a >> 32) ^ d[k] ^ key_1;
            d[k] = (uint32_t)product_a;
        }
        key_0 += 0x9E3779B9;
        key_1 += 0xBB67AE85;
    }
    for (int k = 0; k < BLOCKS; ++k) {
        bits[4 * k] = (int32_t)(a[k] >> 8);
        bits[4 * k + 1] = (int32_t)(b[k] >> 8);
        bits[4 * k + 2] = (int32_t)(c[k] >> 8);
        bits[4 * k + 3] = (int32_t)(d[k] >> 8);
    }
}

/* y = scale x where kept, else 0, for the next n lanes */
static inline void keep_at(float *y, const float *x, tare_vi keep, float scale, int64_t n)
{
    if (n >= TARE_LANES)
        tare_store(y, tare_select(keep, tare_load(x) * scale, (tare_vf){0}));
    else
        tare_store_part(y, tare_select(keep, tare_load_part(x, n) * scale, (tare_vf){0}), n);
}

TARE_KERNEL_DECLARE(dropout);
int TARE_KERNEL(dropout)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const float *x = c->ptr[0];
    const uint64_t n = *(const uint64_t *)c->ptr[1];
    float *y = c->ptr[2];
    uint8_t *mask = c->ptr[3]; /* NULL: not wanted */
    const int32_t threshold = (int32_t)c->g[G_THRESHOLD];
    const float scale = (float)tare_unbits(c->g[G_SCALE]);
    int32_t bits[DRAWN] __attribute__((aligned(64)));
    int64_t i, end;
    for (tare_piece_range(c, piece, &i, &end); i < end; i += DRAWN) {
        draw((uint64_t)c->g[G_SEED], n, i, bits);
        for (int k = 0; k < DRAWN && i + k < end; k += TARE_LANES) {
            tare_vi drawn;
            memcpy(&drawn, bits + k, sizeof drawn);
            tare_vi keep = drawn >= threshold;
            keep_at(y + i + k, x + i + k, keep, scale, end - i - k);
            if (mask)
                tare_store_mask_part(mask + i + k, keep, end - i - k);
        }
    }
    return 0;
}

TARE_KERNEL_DECLARE(dropout_grad);
int TARE_KERNEL(dropout_grad)(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const float *dy = c->ptr[0];
    const uint8_t *mask = c->ptr[1];
    float *dx = c->ptr[2];
    const float scale = (float)tare_unbits(c->g[G_SCALE]);
    int64_t i, end;
    for (tare_piece_range(c, piece, &i, &end); i < end; i += TARE_LANES)
        keep_at(dx + i, dy + i, tare_load_mask(mask + i, end - i), scale, end - i);
    return 0;
}

#ifdef TARE_PASS_RECORDS

static int dropout_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const uint64_t n = *(const uint64_t *)c->ptr[1];
    uint8_t *mask = c->ptr[3];
    uint32_t word[4];
    int64_t i, end;
    for (tare_piece_range(c, piece, &i, &end); i < end; ++i) {
        if (i % 4 == 0)
            tare_philox((uint64_t)c->g[G_SEED], n, (uint64_t)i / 4, word);
        bool keep = word[i % 4] >> 8 >= c->g[G_THRESHOLD];
        tare_put(c->ptr[2], c->g[1], i, keep ? tare_at(c->ptr[0], c->g[1], i) * tare_unbits(c->g[G_SCALE]) : 0);
        if (mask)
            mask[i] = keep;
    }
    return 0;
}

static int dropout_grad_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const uint8_t *mask = c->ptr[1];
    int64_t i, end;
    for (tare_piece_range(c, piece, &i, &end); i < end; ++i)
        tare_put(c->ptr[2], c->g[1], i, mask[i] ? tare_at(c->ptr[0], c->g[1], i) * tare_unbits(c->g[G_SCALE]) : 0);
    return 0;
}

/* ---- inference and geometry -------------------------------------------------------------------------------------*/
static tare_status check_floating(const tare_args *a)
{
    if (a->in[0]->dtype != TARE_F32 && a->in[0]->dtype != TARE_F64)
        return tare_op_error(a, TARE_BAD_DTYPE, "input 0 is %s (need float32 or float64)",
                             tare_dtype_name((tare_dtype)a->in[0]->dtype));
    return TARE_OK;
}

static tare_status dropout_infer(const tare_args *a, const tare_desc_out *out)
{
    const tare_desc *x = a->in[0], *n = a->in[1];
    char text[TARE_DESC_TEXT];
    tare_status status = check_floating(a);
    if (status != TARE_OK)
        return status;
    if (n->dtype != TARE_I64)
        return tare_op_error(a, TARE_BAD_DTYPE, "the count is %s (need int64)", tare_dtype_name((tare_dtype)n->dtype));
    if (n->rank != 0)
        return tare_op_error(a, TARE_BAD_SHAPE, "the count is %s (need [])", tare_desc_text(n, text));
    tare_desc_like(out[0], x);
    tare_desc_like(out[1], x);
    out[1]->dtype = TARE_U8;
    return TARE_OK;
}

static tare_status dropout_grad_infer(const tare_args *a, const tare_desc_out *out)
{
    const tare_desc *dy = a->in[0], *mask = a->in[1];
    char t0[TARE_DESC_TEXT], t1[TARE_DESC_TEXT];
    tare_status status = check_floating(a);
    if (status != TARE_OK)
        return status;
    if (mask->dtype != TARE_U8)
        return tare_op_error(a, TARE_BAD_DTYPE, "the mask is %s (need uint8)",
                             tare_dtype_name((tare_dtype)mask->dtype));
    if (!tare_desc_same_shape(dy, mask))
        return tare_op_error(a, TARE_BAD_SHAPE, "the mask is %s, dy %s (need the same)", tare_desc_text(mask, t1),
                             tare_desc_text(dy, t0));
    tare_desc_like(out[0], dy);
    return TARE_OK;
}

/* rate 2^24 is rounded up: a draw stays where it is >= the rate itself, not its float */
static void prepare_rate(double rate, const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    tare__prepare_pointwise(a, out, w);
    w->g[G_THRESHOLD] = (int64_t)ceil(rate * 0x1p24);
    w->g[G_SCALE] = tare_bits(1 / (1 - rate));
    w->g[G_SEED] = 0;
    w->n_g = G_WORDS;
}

static void prepare_dropout(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    const tare_dropout_attr *attr = a->attr;
    prepare_rate(attr->rate, a, out, w);
    w->g[G_SEED] = attr->seed;
}

static void prepare_dropout_grad(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    prepare_rate(((const tare_dropout_grad_attr *)a->attr)->rate, a, out, w);
}

/* ---- records ----------------------------------------------------------------------------------------------------*/
static void dropout_gradient(tare_builder *b)
{
    const tare_dropout_attr *attr = b->node->attr;
    tare_contribute(
        b, 0, tare_dropout_grad(b->mode, tare_head(b, 0), tare_output(b, 1), (tare_dropout_grad_attr){attr->rate}));
}

#define RATE(op)                                                                                                       \
    {                                                                                                                  \
        "rate", TARE_ATTR_FLOAT, offsetof(tare_##op##_attr, rate), 0, 0x1.fffffffffffffp-1, "0.5",                     \
            "share of the elements that become 0"                                                                      \
    }

const tare_op tare_op_dropout = {
    .name = "dropout",
    .doc =
        "y[i] = x[i] / (1 - rate) with the chance 1 - rate, else 0, drawn from (seed, n, i); x, y [...], n int64 []; "
        "auxiliary: mask uint8 [...], 1 where x stays. n stays as it is: increment it after each use",
    .n_in = 2,
    .n_out = 1,
    .n_aux = 1,
    .attrs = (const tare_attr[]){RATE(dropout),
                                 {"seed", TARE_ATTR_INT, offsetof(tare_dropout_attr, seed), -0x1p63, 0x1p63, "0",
                                  "key of the draws, its 64 bits"}},
    .n_attrs = 2,
    .attr_bytes = sizeof(tare_dropout_attr),
    .infer = dropout_infer,
    .gradient = dropout_gradient,
    .needs_out = 2,
    .overwrites = {1},
    .effects = TARE_EFFECT_RANDOM,
    TARE_USUAL_VARIANTS(dropout),
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "f32[3,5] i64[]<0,1000>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[] i64[]<0,1000>", "rate=0.999", NULL},
                 {TARE_SAMPLE_CHECK, "f32[16411] i64[]<0,9e15>", "rate=0.3,seed=-7000000000", NULL},
                 {TARE_SAMPLE_CHECK, "f32[7,9] i64[]<-9,0>", "rate=0.1,seed=20240817", NULL},
                 {TARE_SAMPLE_CHECK, "f32[0,4] i64[]<0,9>", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "f32[16] i64[]<0,9>", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "f32[256,512] i64[]<0,9>", NULL, NULL},
                 {TARE_SAMPLE_REJECT, "f32[3] i32[]", NULL, "the count is int32 (need int64)"},
                 {TARE_SAMPLE_REJECT, "f32[3] i64[1]", NULL, "the count is [1] (need [])"},
                 {TARE_SAMPLE_REJECT, "i32[3] i64[]", NULL, "input 0 is int32 (need float32 or float64)"},
                 {TARE_SAMPLE_REJECT, "f32[3] i64[]", "rate=1", "rate"}),
    .tolerance = 2e-7, /* the scale is rounded */
};

const tare_op tare_op_dropout_grad = {
    .name = "dropout_grad",
    .doc = "dx = dy / (1 - rate) where the mask is not 0, else 0; dy, dx [...], mask uint8 [...]",
    .n_in = 2,
    .n_out = 1,
    .attrs = (const tare_attr[]){RATE(dropout_grad)},
    .n_attrs = 1,
    .attr_bytes = sizeof(tare_dropout_grad_attr),
    .infer = dropout_grad_infer,
    .not_differentiable = true,
    .overwrites = {1},
    TARE_USUAL_VARIANTS(dropout_grad),
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "f32[3,5] u8[3,5]<0,2>", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "f32[16411] u8[16411]<0,2>", "rate=0.3", NULL},
                 {TARE_SAMPLE_CHECK, "f32[33] u8[33]", "rate=0", NULL},
                 {TARE_SAMPLE_CHECK, "f32[0,4] u8[0,4]", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "f32[256,512] u8[256,512]<0,2>", NULL, NULL},
                 {TARE_SAMPLE_REJECT, "f32[3] i32[3]", NULL, "the mask is int32 (need uint8)"},
                 {TARE_SAMPLE_REJECT, "f32[3] u8[4]", NULL, "the mask is [4], dy [3] (need the same)"},
                 {TARE_SAMPLE_REJECT, "u8[3] u8[3]", NULL, "input 0 is uint8 (need float32 or float64)"}),
    .tolerance = 2e-7,
};

#endif
