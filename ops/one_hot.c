/* one_hot.c - rows of zeros with a one at a number. As in gather, a number outside is bad data: its row stays 0. */
#include "record.h"

#ifdef TARE_PASS_RECORDS

enum { G_ROWS = 2, G_DEPTH, G_PIECE, G_WORDS }; /* after g[0] elements and g[1], the dtype of y */

static int one_hot_rows(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g, depth = g[G_DEPTH];
    const int32_t *id = c->ptr[0]; /* [rows] */
    char *y = c->ptr[1];           /* [rows,depth] */
    int64_t row = piece * g[G_PIECE], end = row + g[G_PIECE] < g[G_ROWS] ? row + g[G_PIECE] : g[G_ROWS];
    size_t row_bytes = (size_t)depth * tare_dtype_bytes((tare_dtype)g[1]);
    int bad = 0;
    if (row < end)
        memset(y + (size_t)row * row_bytes, 0, (size_t)(end - row) * row_bytes);
    for (; row < end; ++row) {
        if (id[row] >= 0 && id[row] < depth)
            tare_put_number(y, g[1], row * depth + id[row], 1);
        else
            bad = 1;
    }
    return bad;
}

static int one_hot_reference(const tare_call *c, int piece, int worker)
{
    (void)piece;
    (void)worker;
    const int32_t *id = c->ptr[0];
    int bad = 0;
    for (int64_t row = 0; row < c->g[G_ROWS]; ++row) {
        for (int64_t k = 0; k < c->g[G_DEPTH]; ++k)
            tare_put_number(c->ptr[1], c->g[1], row * c->g[G_DEPTH] + k, id[row] == k);
        bad |= id[row] < 0 || id[row] >= c->g[G_DEPTH];
    }
    return bad;
}

static tare_status infer_one_hot(const tare_args *a, const tare_desc_out *out)
{
    const tare_one_hot_attr *attr = a->attr;
    const tare_desc *ids = a->in[0];
    char text[TARE_DESC_TEXT];
    if (ids->dtype != TARE_I32)
        return tare_op_error(a, TARE_BAD_DTYPE, "the ids are %s (need int32)", tare_dtype_name((tare_dtype)ids->dtype));
    if (ids->rank >= TARE_RANK)
        return tare_op_error(a, TARE_BAD_SHAPE, "the ids are %s (need at most %d dimensions)",
                             tare_desc_text(ids, text), TARE_RANK - 1);
    if (attr->depth < 1 || attr->depth > INT32_MAX || attr->dtype > TARE_U8)
        return tare_op_error(a, TARE_BAD_ARGUMENT, "depth is %lld, dtype number %d (need at least 1, and 0 to %d)",
                             (long long)attr->depth, (int)attr->dtype, TARE_U8);
    tare_desc_like(out[0], ids);
    out[0]->dim[out[0]->rank++] = attr->depth;
    out[0]->dtype = (uint8_t)attr->dtype;
    tare_desc_pack(out[0]);
    if (tare_desc_check(out[0]) != TARE_OK)
        return tare_op_error(a, TARE_BAD_SHAPE, "%s has more than 2^62 bytes", tare_desc_text(out[0], text));
    return TARE_OK;
}

static void prepare_reference(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    int64_t depth = ((const tare_one_hot_attr *)a->attr)->depth;
    w->g[0] = tare_desc_count(out[0]);
    w->g[1] = out[0]->dtype;
    w->g[G_ROWS] = tare_desc_count(a->in[0]);
    w->g[G_DEPTH] = depth;
    w->g[G_PIECE] = depth < TARE_CHUNK ? TARE_CHUNK / depth : 1;
    w->n_g = G_WORDS;
}

static void prepare_rows(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    prepare_reference(a, out, w);
    if (w->g[G_ROWS] > w->g[G_PIECE])
        w->n_pieces = (int32_t)((w->g[G_ROWS] + w->g[G_PIECE] - 1) / w->g[G_PIECE]);
}

static const tare_attr one_hot_attrs[] = {
    {"depth", TARE_ATTR_INT, offsetof(tare_one_hot_attr, depth), 1, INT32_MAX, "1", "elements of a row"},
    {"dtype", TARE_ATTR_DTYPE, offsetof(tare_one_hot_attr, dtype), TARE_F32, TARE_U8, "float32", "of the result"}};

const tare_op tare_op_one_hot = {
    .name = "one_hot",
    .doc = "y[...,k] = 1 where ids[...] = k, else 0; ids int32 [...], y [...,depth]. An id outside [0,depth) is bad "
           "data. Not differentiable",
    .n_in = 1,
    .n_out = 1,
    TARE_TABLE(attrs, one_hot_attrs),
    .attr_bytes = sizeof(tare_one_hot_attr),
    .infer = infer_one_hot,
    .not_differentiable = true,
    .stops_gradient = true,
    .variants =
        (const tare_variant[]){
            {.name = "rows", .dtypes = TARE_BIT(TARE_I32), .prepare = prepare_rows, .run = one_hot_rows},
            {.name = "reference",
             .set = TARE_SET_REFERENCE,
             .dtypes = TARE_BIT(TARE_I32),
             .prepare = prepare_reference,
             .run = one_hot_reference}},
    .n_variants = 2,
    TARE_SAMPLES(
        {TARE_SAMPLE_CHECK, "i32[7]<0,5>", "depth=5", NULL}, {TARE_SAMPLE_CHECK, "i32[]<0,5>", "depth=5", NULL},
        {TARE_SAMPLE_CHECK, "i32[3,4]<0,3>", "depth=3,dtype=float64", NULL},
        {TARE_SAMPLE_CHECK, "i32[0]", "depth=3", NULL}, {TARE_SAMPLE_CHECK, "i32[40,50]<0,10>", "depth=10", NULL},
        {TARE_SAMPLE_CHECK, "i32[3]<0,20000>", "depth=20000,dtype=uint8", NULL},
        {TARE_SAMPLE_BENCH, "i32[256]<0,10>", "depth=10", NULL},
        {TARE_SAMPLE_BENCH, "i32[1024]<0,1000>", "depth=1000", NULL},
        {TARE_SAMPLE_REJECT, "f32[3]", "depth=5", "the ids are float32 (need int32)"},
        {TARE_SAMPLE_REJECT, "i32[1,1,1,1,1,1]", "depth=5", "need at most 5 dimensions"},
        {TARE_SAMPLE_REJECT, "i32[3]", "depth=0", "depth is 0 (need 1 to"},
        {TARE_SAMPLE_REJECT, "i32[3]<5,9>", "depth=5", "index out of range"},
        {TARE_SAMPLE_REJECT, "i32[3]<-1,0>", "depth=5", "index out of range"}),
};

#endif
