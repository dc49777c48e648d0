/* where.c - a where a mask is set, b elsewhere. Bits move, so any dtype goes.
 *
 * Either side may be left out and is 0 then: so the gradients of both are `where` again, with dy on one side. */
#include "broadcast.h"

static inline tare_vf where_of(tare_vi mask, tare_vf a, tare_vf b)
{
    return tare_select(mask, a, b);
}
TARE_BROADCAST_3(uint8_t, where, where_of)

#ifdef TARE_PASS_RECORDS

enum { G_ITEM = TARE_WALK_WORDS(3), G_WORDS };

static int where_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g, item = g[G_ITEM], zero = 0;
    int64_t i, end;
    tare_piece_range(c, piece, &i, &end);
    for (tare_walk w = tare_walk_to(g, i, 3); i < end; ++i) {
        int side = ((const uint8_t *)c->ptr[0])[w.offset[0]] ? 1 : 2;
        const char *from = c->ptr[side];
        memcpy((char *)c->ptr[3] + i * item, from ? from + w.offset[side] * item : (const char *)&zero, (size_t)item);
        tare_walk_on(&w, g, 1, 3);
    }
    return 0;
}

static void prepare_where(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    tare__prepare_broadcast(a, out, w);
    w->g[G_ITEM] = (int64_t)tare_dtype_bytes((tare_dtype)out[0]->dtype);
    w->n_g = G_WORDS;
}

static bool fits_word(const tare_args *a)
{
    return tare_dtype_bytes((tare_dtype)(a->in[1] ? a->in[1] : a->in[2])->dtype) == sizeof(float);
}

static tare_status infer_where(const tare_args *a, const tare_desc_out *out)
{
    const tare_desc *mask = a->in[0], *x = a->in[1], *y = a->in[2];
    char t0[TARE_DESC_TEXT], t1[TARE_DESC_TEXT], t2[TARE_DESC_TEXT];
    if (mask->dtype != TARE_U8)
        return tare_op_error(a, TARE_BAD_DTYPE, "the mask is %s (need uint8)",
                             tare_dtype_name((tare_dtype)mask->dtype));
    if (!x && !y)
        return tare_op_error(a, TARE_BAD_ARGUMENT, "a and b are left out (need one)");
    if (x && y && x->dtype != y->dtype)
        return tare_op_error(a, TARE_BAD_DTYPE, "b is %s, a %s (need one dtype)", tare_dtype_name((tare_dtype)y->dtype),
                             tare_dtype_name((tare_dtype)x->dtype));
    tare_desc both;
    if (!tare_desc_broadcast(x ? x : y, y ? y : x, &both) || !tare_desc_broadcast(&both, mask, out[0]))
        return tare_op_error(
            a, TARE_BAD_SHAPE,
            "shapes do not broadcast: %s, %s, %s (need, from the last dimension on, equal sizes or a 1)",
            tare_desc_text(mask, t0), tare_desc_text(x ? x : y, t1), tare_desc_text(y ? y : x, t2));
    return tare_desc_check(out[0]);
}

static void where_gradient(tare_builder *b)
{
    tare_value *dy = tare_head(b, 0), *mask = tare_input(b, 0);
    if (tare_wanted(b, 1))
        tare__contribute_like(b, 1, tare_where(b->mode, mask, dy, NULL));
    if (tare_wanted(b, 2))
        tare__contribute_like(b, 2, tare_where(b->mode, mask, NULL, dy));
}

const tare_op tare_op_where = {
    .name = "where",
    .doc = "y = a where the mask is not 0, else b; mask uint8, a, b of one dtype, broadcast to y [...] as in NumPy. "
           "One of a and b may be left out: 0",
    .n_in = 3,
    .n_out = 1,
    .optional = 6,
    .infer = infer_where,
    .gradient = where_gradient,
    .needs_in = 1,
    .overwrites = {2},
    .variants = (const tare_variant[]){TARE_NATIVE(where, "", .dtypes = TARE_BIT(TARE_U8), TARE_ANY_STRIDES,
                                                   .fits = fits_word, .prepare = prepare_where),
                                       {.name = "reference",
                                        .set = TARE_SET_REFERENCE,
                                        .dtypes = TARE_BIT(TARE_U8),
                                        TARE_ANY_STRIDES,
                                        .prepare = prepare_where,
                                        .run = where_reference}},
    .n_variants = TARE_N_NATIVE + 1,
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "u8[3,5]<0,2> f32[3,5] f32[3,5]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "u8[]<0,2> f32[] f32[]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "u8[33] f32[33] -", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "u8[7,1]<0,2> - f32[7,33]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "u8[0,4] f32[4] f32[]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "u8[16385]<0,2> f32[16385] f32[]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "u8[130,131]<0,2> f32[131] f32[130,1]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "u8[17]<0,2> f32[3,1] f32[2,1,1]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "u8[40]<0,2> i32[40] i32[]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "u8[40]<0,2> i64[40] i64[40]", NULL, NULL},
                 {TARE_SAMPLE_CHECK, "u8[40]<0,2> u8[40] u8[40]", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "u8[256,300]<0,2> f32[256,300] f32[256,300]", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "u8[256,300]<0,2> f32[256,300] -", NULL, NULL},
                 {TARE_SAMPLE_BENCH, "u8[300]<0,2> f32[256,300] f32[]", NULL, NULL},
                 {TARE_SAMPLE_REJECT, "f32[3] f32[3] f32[3]", NULL, "the mask is float32 (need uint8)"},
                 {TARE_SAMPLE_REJECT, "u8[3] - -", NULL, "a and b are left out (need one)"},
                 {TARE_SAMPLE_REJECT, "u8[3] f32[3] i32[3]", NULL, "b is int32, a float32 (need one dtype)"},
                 {TARE_SAMPLE_REJECT, "u8[3] f32[4] f32[4]", NULL, "shapes do not broadcast: [3], [4], [4]"}),
};

#endif
