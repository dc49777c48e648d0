/* concat.c - joining along an axis (a kernel), and cutting into equal parts (views).
 *
 * Seen from the axis an input is [outer, block]: the block is what lies behind the axis, and outer rows of it follow
 * each other at one stride. An input whose block is without gaps is read where it lies, so slices of rows and of
 * columns need no copy; others get one. */
#include "view.h"

#ifdef TARE_PASS_RECORDS

/* ---- concat: y [outer, total], x_k [outer, block_k]
 * ---------------------------------------------------------------------------------------------------------------*/
/* Words of the geometry: for input k its end in a row of y, and the stride of its rows. */
enum { G_COUNT, G_DTYPE, G_INPUTS, G_TOTAL, G_INPUT, G_WORDS_MOST = G_INPUT + 2 * TARE_VARIABLE };
_Static_assert((int)G_WORDS_MOST <= (int)TARE_GEOMETRY, "a call's geometry holds all inputs");

static int64_t end_of(const int64_t *g, int64_t k)
{
    return k < 0 ? 0 : g[G_INPUT + 2 * k];
}

/* The input in whose block column `at` of a row of y lies. */
static int64_t input_at(const int64_t *g, int64_t at)
{
    int64_t k = 0;
    while (at >= end_of(g, k))
        ++k;
    return k;
}

static int concat_rows(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g;
    size_t item = tare_dtype_bytes((tare_dtype)g[G_DTYPE]);
    char *out = c->ptr[g[G_INPUTS]];
    int64_t i, end, run;
    tare_piece_range(c, piece, &i, &end);
    for (; i < end; i += run) {
        int64_t row = i / g[G_TOTAL], at = i % g[G_TOTAL], k = input_at(g, at);
        int64_t from = row * g[G_INPUT + 2 * k + 1] + at - end_of(g, k - 1);
        run = end_of(g, k) - at < end - i ? end_of(g, k) - at : end - i;
        memcpy(out + i * (int64_t)item, (const char *)c->ptr[k] + from * (int64_t)item, (size_t)run * item);
    }
    return 0;
}

static int concat_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g;
    int64_t item = (int64_t)tare_dtype_bytes((tare_dtype)g[G_DTYPE]), i, end;
    for (tare_piece_range(c, piece, &i, &end); i < end; ++i) {
        int64_t row = i / g[G_TOTAL], at = i % g[G_TOTAL], k = 0;
        for (; at >= end_of(g, k) - end_of(g, k - 1); ++k)
            at -= end_of(g, k) - end_of(g, k - 1);
        memcpy((char *)c->ptr[g[G_INPUTS]] + i * item,
               (const char *)c->ptr[k] + (row * g[G_INPUT + 2 * k + 1] + at) * item, (size_t)item);
    }
    return 0;
}

/* The block behind the axis and the stride of its rows; false: they are not all there is to x's strides. */
static bool rows_of(const tare_desc *x, int axis, int64_t *block, int64_t *stride)
{
    int64_t outer = 1;
    bool even = true;
    *block = 1;
    for (int i = x->rank - 1; i >= axis; --i) {
        even = even && (x->dim[i] == 1 || x->stride[i] == *block);
        *block *= x->dim[i];
    }
    *stride = *block;
    for (int i = axis - 1; i >= 0; --i) {
        if (x->dim[i] == 1)
            continue;
        if (outer == 1)
            *stride = x->stride[i];
        even = even && x->stride[i] == *stride * outer;
        outer *= x->dim[i];
    }
    return even || outer * *block == 0;
}

static int concat_axis(const tare_args *a)
{
    int64_t axis = ((const tare_concat_attr *)a->attr)->axis;
    return (int)(axis < 0 ? axis + a->in[0]->rank : axis);
}

static bool concat_fits(const tare_args *a)
{
    int64_t block, stride;
    bool fits = true;
    for (int k = 0; k < a->n_in; ++k)
        fits = fits && rows_of(a->in[k], concat_axis(a), &block, &stride);
    return fits;
}

static void prepare_concat(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    int64_t at = 0, block;
    tare__prepare_pointwise(a, out, w);
    for (int k = 0; k < a->n_in; ++k) {
        (void)rows_of(a->in[k], concat_axis(a), &block, &w->g[G_INPUT + 2 * k + 1]);
        w->g[G_INPUT + 2 * k] = at += block;
    }
    w->g[G_INPUTS] = a->n_in;
    w->g[G_TOTAL] = at;
    w->n_g = G_INPUT + 2 * a->n_in;
}

static tare_status infer_concat(const tare_args *a, const tare_desc_out *out)
{
    const tare_desc *x = a->in[0];
    char t0[TARE_DESC_TEXT], tk[TARE_DESC_TEXT];
    int axis;
    tare_status status = tare__view_axis(a, x, ((const tare_concat_attr *)a->attr)->axis, &axis);
    if (status != TARE_OK)
        return status;
    tare_desc_like(out[0], x);
    for (int k = 1; k < a->n_in; ++k) {
        const tare_desc *y = a->in[k];
        if (y->dtype != x->dtype)
            return tare_op_error(a, TARE_BAD_DTYPE, "input %d is %s, input 0 is %s (need one dtype)", k,
                                 tare_dtype_name((tare_dtype)y->dtype), tare_dtype_name((tare_dtype)x->dtype));
        bool fits = y->rank == x->rank;
        for (int i = 0; i < x->rank && fits; ++i)
            fits = i == axis || y->dim[i] == x->dim[i];
        if (!fits)
            return tare_op_error(a, TARE_BAD_SHAPE, "input %d is %s, input 0 is %s (need the same but for axis %d)", k,
                                 tare_desc_text(y, tk), tare_desc_text(x, t0), axis);
        if (__builtin_add_overflow(out[0]->dim[axis], y->dim[axis], &out[0]->dim[axis]))
            out[0]->dim[axis] = INT64_MAX; /* which is too much below */
    }
    status = tare__view_done(a, out[0]);
    if (status == TARE_OK)
        tare_desc_pack(out[0]);
    return status;
}

/* dx_k = the part of dy that x_k made */
static void concat_gradient(tare_builder *b)
{
    tare_args a = tare_node_args(b->node);
    int axis = concat_axis(&a);
    int64_t begin = 0;
    for (int k = 0; k < b->node->n_in; ++k) {
        int64_t end = begin + tare_input(b, k)->d.dim[axis];
        if (tare_wanted(b, k))
            tare_contribute(b, k, tare_slice(b->mode, tare_head(b, 0), (tare_slice_attr){axis, begin, end, 1}));
        begin = end;
    }
}

static int64_t join_concat(const tare_args *a, const tare_desc *out, int i, tare_desc *part)
{
    int axis = concat_axis(a);
    int64_t before = 0;
    for (int k = 0; k < i; ++k)
        before += a->in[k]->dim[axis];
    for (int k = 0; k < out->rank; ++k)
        part->stride[k] = out->stride[k];
    return before * out->stride[axis];
}

#define AXIS_ATTR(op)                                                                                                  \
    {                                                                                                                  \
        "axis", TARE_ATTR_INT, offsetof(tare_##op##_attr, axis), -TARE_RANK, TARE_RANK - 1, "0", "the dimension"       \
    }

/* The last entry stands for all further inputs. */
#define ANY_8                                                                                                          \
    {                                                                                                                  \
        TARE_STRIDES_ANY, TARE_STRIDES_ANY, TARE_STRIDES_ANY, TARE_STRIDES_ANY, TARE_STRIDES_ANY, TARE_STRIDES_ANY,    \
            TARE_STRIDES_ANY, TARE_STRIDES_ANY                                                                         \
    }

enum { ALL_DTYPES = TARE_BIT(TARE_DTYPE_COUNT) - 1 };

static const tare_sample concat_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,5] f32[2,5]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[3,5] f32[3,1] f32[3,7]", "axis=1", NULL},
    {TARE_SAMPLE_CHECK, "f32[3,5,2]", "axis=-2", NULL},
    {TARE_SAMPLE_CHECK, "f32[2,3,4] f32[2,0,4] f32[2,2,4]", "axis=1", NULL},
    {TARE_SAMPLE_CHECK, "f32[0,3] f32[0,2]", "axis=1", NULL},
    {TARE_SAMPLE_CHECK, "f32[1] f32[2] f32[3] f32[4] f32[5] f32[6] f32[7] f32[8] f32[9] f32[10]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[3,9000] f32[3,7]", "axis=-1", NULL},
    {TARE_SAMPLE_CHECK, "u8[2,3] u8[1,3]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "i64[2]<-9,9> i64[3]<-9,9>", NULL, NULL},
    {TARE_SAMPLE_BENCH, "f32[256,100] f32[256,200]", "axis=1", NULL},
    {TARE_SAMPLE_REJECT, "f32[3,5] f32[3,4]", NULL,
     "input 1 is [3,4], input 0 is [3,5] (need the same but for axis 0)"},
    {TARE_SAMPLE_REJECT, "f32[3,5] f32[3]", NULL, "input 1 is [3], input 0 is [3,5]"},
    {TARE_SAMPLE_REJECT, "f32[3] i32[3]", NULL, "input 1 is int32, input 0 is float32 (need one dtype)"},
    {TARE_SAMPLE_REJECT, "f32[] f32[]", NULL, "axis 0 is not one of []"},
};

const tare_op tare_op_concat = {
    .name = "concat",
    .doc = "y = x_0, x_1, ... one after the other along an axis; 1 to 32 inputs [...] that differ there alone",
    .n_in = -1,
    .n_out = 1,
    .attrs = (const tare_attr[]){AXIS_ATTR(concat)},
    .n_attrs = 1,
    .attr_bytes = sizeof(tare_concat_attr),
    .infer = infer_concat,
    .gradient = concat_gradient,
    .join = join_concat,
    .variants = (const tare_variant[]){{.name = "rows",
                                        .dtypes = ALL_DTYPES,
                                        .in_strides = ANY_8,
                                        .fits = concat_fits,
                                        .prepare = prepare_concat,
                                        .run = concat_rows},
                                       {.name = "reference",
                                        .set = TARE_SET_REFERENCE,
                                        .dtypes = ALL_DTYPES,
                                        .in_strides = ANY_8,
                                        .fits = concat_fits,
                                        .prepare = prepare_concat,
                                        .run = concat_reference}},
    .n_variants = 2,
    .samples = concat_samples,
    .n_samples = TARE_COUNT_OF(concat_samples),
};

/* ---- split
 * ---------------------------------------------------------------------------------------------------------------------*/
static int split_outputs(const tare_args *a)
{
    int64_t parts = ((const tare_split_attr *)a->attr)->parts;
    return parts >= 1 && parts <= TARE_VARIABLE ? (int)parts : 0;
}

static tare_status infer_split(const tare_args *a, const tare_desc_out *out)
{
    const tare_desc *x = a->in[0];
    const tare_split_attr *attr = a->attr;
    char text[TARE_DESC_TEXT];
    int axis, n = split_outputs(a);
    if (n == 0)
        return tare_op_error(a, TARE_BAD_ARGUMENT, "parts is %lld (need 1 to %d)", (long long)attr->parts,
                             TARE_VARIABLE);
    tare_status status = tare__view_axis(a, x, attr->axis, &axis);
    if (status != TARE_OK)
        return status;
    if (x->dim[axis] % n)
        return tare_op_error(a, TARE_BAD_SHAPE, "axis %d of %s is not made of %d equal parts", axis,
                             tare_desc_text(x, text), n);
    for (int o = 0; o < n && status == TARE_OK; ++o) {
        *out[o] = *x;
        out[o]->dim[axis] /= n;
        status = tare__view_done(a, out[o]);
    }
    return status;
}

static int64_t split_offset(const tare_args *a, int o)
{
    const tare_desc *x = a->in[0];
    const tare_split_attr *attr = a->attr;
    int axis = 0;
    if (tare__view_axis(a, x, attr->axis, &axis) != TARE_OK || tare_desc_count(x) == 0)
        return 0; /* infer has passed the axis; nothing has no first element */
    return o * (x->dim[axis] / attr->parts) * x->stride[axis];
}

/* dx = the heads one after the other; where none arrived, zeros: all parts look like the one that has a head */
static void split_gradient(tare_builder *b)
{
    const tare_split_attr *attr = b->node->attr;
    tare_value *head[TARE_VARIABLE], *some = NULL, *zeros = NULL;
    for (int o = 0; o < b->node->n_out; ++o) {
        head[o] = tare_head(b, o);
        some = some ? some : head[o];
    }
    for (int o = 0; o < b->node->n_out; ++o) {
        if (!head[o] && !zeros)
            zeros = tare_fill(b->mode, some, (tare_fill_attr){0});
        if (!head[o])
            head[o] = zeros;
    }
    tare_contribute(b, 0, tare_concat(b->mode, head, b->node->n_out, (tare_concat_attr){attr->axis}));
}

static const tare_sample split_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[6,5]", "parts=3", NULL},
    {TARE_SAMPLE_CHECK, "f32[3,8]", "axis=1,parts=4", NULL},
    {TARE_SAMPLE_CHECK, "f32[3,4,2]", "axis=-2,parts=2", NULL},
    {TARE_SAMPLE_CHECK, "f32[5]", "parts=1", NULL},
    {TARE_SAMPLE_CHECK, "f32[0,4]", "parts=2", NULL},
    {TARE_SAMPLE_CHECK, "f32[3,0]", "parts=3", NULL},
    {TARE_SAMPLE_CHECK, "i32[4]<0,9>", "parts=4", NULL},
    {TARE_SAMPLE_REJECT, "f32[7,2]", "parts=3", "axis 0 of [7,2] is not made of 3 equal parts"},
    {TARE_SAMPLE_REJECT, "f32[7,2]", "axis=2", "axis 2 is not one of [7,2]"},
    {TARE_SAMPLE_REJECT, "f32[7]", "parts=33", "parts is 33 (need 1 to 32)"},
};

const tare_op tare_op_split = {
    .name = "split",
    .doc = "y_0, y_1, ... = x cut into equal parts along an axis; each a view",
    .n_in = 1,
    .n_out = -1,
    .attrs = (const tare_attr[]){AXIS_ATTR(split),
                                 {"parts", TARE_ATTR_INT, offsetof(tare_split_attr, parts), 1, TARE_VARIABLE, "2",
                                  "into how many"}},
    .n_attrs = 2,
    .attr_bytes = sizeof(tare_split_attr),
    .outputs = split_outputs,
    .infer = infer_split,
    .gradient = split_gradient,
    .view = split_offset,
    .samples = split_samples,
    .n_samples = TARE_COUNT_OF(split_samples),
};

#endif
