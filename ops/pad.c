/* pad.c - x within a frame of one value, along any axes. The gradient is the part of dy that x stands at: views.
 *
 * Axes without a frame merge with the one before them, so that most cases come down to one or two dimensions. A piece
 * is a flat range of y; it is made row by row: value, elements of x, value. */
#include "view.h"

#ifdef TARE_PASS_RECORDS

/* After g[0] elements and g[1] dtype: the value's bytes; the number of merged dimensions, innermost first; for each the
 * size of y, of x, where x begins in y, and the stride of x. */
enum { G_VALUE = 2, G_RANK, G_DIM };
enum { OF_Y, OF_X, BEGIN, STRIDE, N_OF };
#define AT(d, of) g[G_DIM + N_OF * (d) + (of)]

static void fill_value(char *y, int64_t n, size_t item, int64_t value)
{
    if (item == 1)
        memset(y, (int)(uint8_t)value, (size_t)n);
    else if (item == 4)
        for (int64_t i = 0; i < n; ++i)
            memcpy(y + 4 * i, &value, 4);
    else
        for (int64_t i = 0; i < n; ++i)
            memcpy(y + 8 * i, &value, 8);
}

static inline int64_t within(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* Elements [from, to) of the row whose outer indices these are. */
static void pad_row(const int64_t *g, const char *x, char *y, size_t item, const int64_t *index, int64_t from,
                    int64_t to)
{
    int64_t offset = 0, begin = AT(0, BEGIN), end = begin + AT(0, OF_X);
    for (int d = 1; d < g[G_RANK]; ++d) {
        int64_t at = index[d] - AT(d, BEGIN);
        if (at < 0 || at >= AT(d, OF_X))
            begin = end = to; /* a row of the frame */
        offset += at * AT(d, STRIDE);
    }
    begin = within(begin, from, to);
    end = within(end, begin, to);
    fill_value(y, begin - from, item, g[G_VALUE]);
    if (end > begin)
        memcpy(y + (size_t)(begin - from) * item, x + (offset + begin - AT(0, BEGIN)) * (int64_t)item,
               (size_t)(end - begin) * item);
    fill_value(y + (size_t)(end - from) * item, to - end, item, g[G_VALUE]);
}

static int pad_rows(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g;
    size_t item = tare_dtype_bytes((tare_dtype)g[1]);
    int64_t i, end, index[TARE_RANK], n;
    tare_piece_range(c, piece, &i, &end);
    for (int64_t d = 0, rest = i; i < end && d < g[G_RANK]; ++d) {
        index[d] = rest % AT(d, OF_Y);
        rest /= AT(d, OF_Y);
    }
    for (; i < end; i += n) {
        n = within(AT(0, OF_Y) - index[0], 0, end - i);
        pad_row(g, c->ptr[0], (char *)c->ptr[1] + (size_t)i * item, item, index, index[0], index[0] + n);
        index[0] = 0;
        for (int d = 1; d < g[G_RANK] && ++index[d] == AT(d, OF_Y); ++d)
            index[d] = 0;
    }
    return 0;
}

static int pad_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g;
    int64_t item = (int64_t)tare_dtype_bytes((tare_dtype)g[1]), i, end;
    for (tare_piece_range(c, piece, &i, &end); i < end; ++i) {
        int64_t rest = i, offset = 0;
        bool inside = true;
        for (int d = 0; d < g[G_RANK]; ++d, rest /= AT(d - 1, OF_Y)) {
            int64_t at = rest % AT(d, OF_Y) - AT(d, BEGIN);
            inside = inside && at >= 0 && at < AT(d, OF_X);
            offset += at * AT(d, STRIDE);
        }
        memcpy((char *)c->ptr[1] + i * item,
               inside ? (const char *)c->ptr[0] + offset * item : (const char *)&g[G_VALUE], (size_t)item);
    }
    return 0;
}

static int64_t entry(const tare_ints *ints, int i)
{
    return ints->n ? ints->at[i] : 0;
}

static tare_status check_frame(const tare_args *a, const tare_ints *frame, const char *name)
{
    const tare_desc *x = a->in[0];
    char text[TARE_DESC_TEXT];
    if (frame->n != 0 && frame->n != x->rank)
        return tare_op_error(a, TARE_BAD_ARGUMENT, "%s has %d numbers, x is %s (need one a dimension, or none)", name,
                             frame->n, tare_desc_text(x, text));
    for (int i = 0; i < frame->n; ++i)
        if (frame->at[i] < 0 || frame->at[i] > INT32_MAX)
            return tare_op_error(a, TARE_BAD_ARGUMENT, "%s of dimension %d is %lld (need 0 to %d)", name, i,
                                 (long long)frame->at[i], INT32_MAX);
    return TARE_OK;
}

static tare_status infer_pad(const tare_args *a, const tare_desc_out *out)
{
    const tare_pad_attr *attr = a->attr;
    tare_status status = check_frame(a, &attr->before, "before");
    if (status == TARE_OK)
        status = check_frame(a, &attr->after, "after");
    if (status == TARE_OK)
        status = tare__check_value(a, a->in[0]->dtype, attr->value);
    if (status != TARE_OK)
        return status;
    tare_desc_like(out[0], a->in[0]);
    for (int i = 0; i < out[0]->rank; ++i)
        out[0]->dim[i] += entry(&attr->before, i) + entry(&attr->after, i);
    tare_desc_pack(out[0]);
    return tare__view_done(a, out[0]);
}

static void prepare_pad(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    const tare_pad_attr *attr = a->attr;
    const tare_desc *x = a->in[0];
    int64_t *g = w->g, stride = 1;
    tare__prepare_pointwise(a, out, w);
    g[G_VALUE] = 0;
    tare_put_number(&g[G_VALUE], x->dtype, 0, attr->value);
    int n = 0; /* merged dimensions; the last one still grows while it has no frame */
    bool open = false;
    for (int d = x->rank - 1; d >= 0; --d) {
        int64_t size = open ? AT(n - 1, OF_X) : 1;
        n -= open;
        if (!open)
            stride = n ? AT(n - 1, STRIDE) * AT(n - 1, OF_X) : 1;
        AT(n, OF_Y) = out[0]->dim[d] * size;
        AT(n, OF_X) = x->dim[d] * size;
        AT(n, BEGIN) = entry(&attr->before, d) * size;
        AT(n, STRIDE) = stride;
        ++n;
        open = out[0]->dim[d] == x->dim[d];
    }
    if (n == 0) { /* a scalar */
        AT(0, OF_Y) = AT(0, OF_X) = AT(0, STRIDE) = 1;
        AT(0, BEGIN) = 0;
        n = 1;
    }
    g[G_RANK] = n;
    w->n_g = G_DIM + N_OF * n;
}

static void pad_gradient(tare_builder *b)
{
    const tare_pad_attr *attr = b->node->attr;
    const tare_desc x = tare_input(b, 0)->d;
    tare_value *dx = tare_head(b, 0);
    for (int i = 0; i < x.rank; ++i) {
        int64_t begin = entry(&attr->before, i);
        if (begin || entry(&attr->after, i))
            dx = tare_slice(b->mode, dx, (tare_slice_attr){i, begin, begin + x.dim[i], 1});
    }
    tare_contribute(b, 0, dx);
}

static const tare_sample pad_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[5]", "before=2,after=1,value=-1.5", NULL},
    {TARE_SAMPLE_CHECK, "f32[]", "value=3", NULL},
    {TARE_SAMPLE_CHECK, "f32[3,5]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[3,5]", "before=0-1,after=2-0", NULL},
    {TARE_SAMPLE_CHECK, "f32[3,0]", "before=1-1,after=1-2,value=7", NULL},
    {TARE_SAMPLE_CHECK, "f32[0,4]", "before=0-1", NULL},
    {TARE_SAMPLE_CHECK, "f32[2,3,5,7]", "before=0-0-1-2,after=0-0-2-1", NULL},
    {TARE_SAMPLE_CHECK, "f32[2,3,5,7]", "before=1-0-1-0,after=0-0-1-0", NULL},
    {TARE_SAMPLE_CHECK, "f32[2,2,2,2,2,3]", "before=1-0-1-0-1-0,after=0-1-0-1-0-1", NULL},
    {TARE_SAMPLE_CHECK, "f32[130,131]", "before=3-2,after=1-5,value=0.25", NULL},
    {TARE_SAMPLE_CHECK, "f64[17]", "after=40", NULL},
    {TARE_SAMPLE_CHECK, "i32[4,3]<-9,9>", "before=1-0,value=-7", NULL},
    {TARE_SAMPLE_CHECK, "i64[4,3]<-9,9>", "after=0-1,value=7", NULL},
    {TARE_SAMPLE_CHECK, "u8[4,3]", "before=0-1,value=255", NULL},
    {TARE_SAMPLE_BENCH, "f32[64,3,32,32]", "before=0-0-1-1,after=0-0-1-1", NULL},
    {TARE_SAMPLE_BENCH, "f32[256,300]", "after=10-0", NULL},
    {TARE_SAMPLE_REJECT, "f32[3,4]", "before=1", "before has 1 numbers, x is [3,4] (need one a dimension"},
    {TARE_SAMPLE_REJECT, "f32[3]", "after=-1", "after is -1 (need 0 to"},
    {TARE_SAMPLE_REJECT, "u8[3]", "after=1,value=256", "need a whole number that uint8"},
};
static const tare_attr pad_attrs[] = {{"before", TARE_ATTR_INTS, offsetof(tare_pad_attr, before), 0, INT32_MAX, "",
                                       "elements put before x, by dimension; none given: 0"},
                                      {"after", TARE_ATTR_INTS, offsetof(tare_pad_attr, after), 0, INT32_MAX, "",
                                       "elements put after x, by dimension; none given: 0"},
                                      {"value", TARE_ATTR_FLOAT, offsetof(tare_pad_attr, value), -__builtin_inf(),
                                       __builtin_inf(), "0", "what stands there"}};

enum { NUMBERS = TARE_BIT(TARE_U8 + 1) - 1 };
const tare_op tare_op_pad = {
    .name = "pad",
    .doc = "y = x with a value before and after it along its dimensions; x [...], y [... + before + after]",
    .n_in = 1,
    .n_out = 1,
    TARE_TABLE(attrs, pad_attrs),
    .attr_bytes = sizeof(tare_pad_attr),
    .infer = infer_pad,
    .gradient = pad_gradient,
    .variants = (const tare_variant[]){{.name = "rows", .dtypes = NUMBERS, .prepare = prepare_pad, .run = pad_rows},
                                       {.name = "reference",
                                        .set = TARE_SET_REFERENCE,
                                        .dtypes = NUMBERS,
                                        .prepare = prepare_pad,
                                        .run = pad_reference}},
    .n_variants = 2,
    TARE_TABLE(samples, pad_samples),
};

#endif
