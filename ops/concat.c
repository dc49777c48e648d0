/* concat.c - joining along an axis, or along a new one (stack).
 *
 * Seen from the axis an input is [outer, block]: the block is what lies behind the axis, and outer rows of it follow
 * each other at one stride. An input whose block is without gaps is read where it lies, so slices of rows and of
 * columns need no copy; others get one. Along a new axis each input is one block more, which changes nothing.
 *
 * An input that lies where its part of y is stays there: a plan has had it made in its place, and what is left to do is
 * to copy the others. */
#include "view.h"

#ifdef TARE_PASS_RECORDS

/* ---- concat: y [outer, total], x_k [outer, block_k]
 * ---------------------------------------------------------------------------------------------------------------*/
/* Words of the geometry: for input k its end in a row of y, and the stride of its rows; how many rows of y lie
 * together, and the stride from such a group to the next. */
enum { G_COUNT, G_DTYPE, G_INPUTS, G_TOTAL, G_ROWS, G_STEP, G_INPUT, G_WORDS_MOST = G_INPUT + 2 * TARE_VARIABLE };
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

/* apart: groups of rows of y are. */
static inline __attribute__((always_inline)) int join_rows(const tare_call *c, int piece, const bool apart)
{
    const int64_t *g = c->g, item = (int64_t)tare_dtype_bytes((tare_dtype)g[G_DTYPE]);
    char *out = c->ptr[g[G_INPUTS]];
    int64_t i, end, run;
    tare_piece_range(c, piece, &i, &end);
    if (i >= end)
        return 0;
    int64_t row = i / g[G_TOTAL], at = i % g[G_TOTAL], k = input_at(g, at);
    for (; i < end; i += run) {
        run = end_of(g, k) - at < end - i ? end_of(g, k) - at : end - i;
        const char *from = (const char *)c->ptr[k] + (row * g[G_INPUT + 2 * k + 1] + at - end_of(g, k - 1)) * item;
        char *to = out + (apart ? row / g[G_ROWS] * g[G_STEP] + row % g[G_ROWS] * g[G_TOTAL] + at : i) * item;
        if (to != from && run * item == 4) /* single numbers, as a stack along the last axis has: no call */
            memcpy(to, from, 4);
        else if (to != from)
            memcpy(to, from, (size_t)(run * item));
        at += run;
        if (at == g[G_TOTAL]) {
            at = 0;
            ++row;
        }
        k = at == 0 || at == end_of(g, k) ? input_at(g, at) : k;
    }
    return 0;
}

static int concat_rows(const tare_call *c, int piece, int worker)
{
    (void)worker;
    return join_rows(c, piece, false);
}

static int concat_rows_apart(const tare_call *c, int piece, int worker)
{
    (void)worker;
    return join_rows(c, piece, true);
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
        const char *from = (const char *)c->ptr[k] + (row * g[G_INPUT + 2 * k + 1] + at) * item;
        char *to = (char *)c->ptr[g[G_INPUTS]] + i * item;
        if (to != from)
            memcpy(to, from, (size_t)item);
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

/* Counted in the result, which has one dimension more. */
static int stack_axis(const tare_args *a)
{
    int64_t axis = ((const tare_stack_attr *)a->attr)->axis;
    return (int)(axis < 0 ? axis + a->in[0]->rank + 1 : axis);
}

static bool fits_at(const tare_args *a, int axis)
{
    int64_t block, stride;
    bool fits = true;
    for (int k = 0; k < a->n_in; ++k)
        fits = fits && rows_of(a->in[k], axis, &block, &stride);
    return fits;
}
static bool concat_fits(const tare_args *a)
{
    return fits_at(a, concat_axis(a));
}
static bool stack_fits(const tare_args *a)
{
    return fits_at(a, stack_axis(a));
}

/* Where rows of y along its first dimension may be apart: a row of the kernel's lies within one of them. */
static bool concat_fits_apart(const tare_args *a)
{
    return concat_axis(a) > 0 && concat_fits(a);
}
static bool stack_fits_apart(const tare_args *a)
{
    return stack_axis(a) > 0 && stack_fits(a);
}

static void prepare_at(const tare_args *a, int axis, const tare_desc_ref *out, tare_work *w)
{
    int64_t at = 0, block;
    tare__prepare_pointwise(a, out, w);
    for (int k = 0; k < a->n_in; ++k) {
        (void)rows_of(a->in[k], axis, &block, &w->g[G_INPUT + 2 * k + 1]);
        w->g[G_INPUT + 2 * k] = at += block;
    }
    w->g[G_INPUTS] = a->n_in;
    w->g[G_TOTAL] = at;
    w->g[G_STEP] = out[0]->stride[0];
    w->g[G_ROWS] = 1;
    for (int i = 1; i < axis; ++i)
        w->g[G_ROWS] *= out[0]->dim[i];
    w->n_g = G_INPUT + 2 * a->n_in;
}

static void prepare_concat(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    prepare_at(a, concat_axis(a), out, w);
}
static void prepare_stack(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    prepare_at(a, stack_axis(a), out, w);
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

/* The last entry stands for all further inputs. */
#define ANY_8                                                                                                          \
    {                                                                                                                  \
        TARE_STRIDES_ANY, TARE_STRIDES_ANY, TARE_STRIDES_ANY, TARE_STRIDES_ANY, TARE_STRIDES_ANY, TARE_STRIDES_ANY,    \
            TARE_STRIDES_ANY, TARE_STRIDES_ANY                                                                         \
    }

enum { ALL_DTYPES = TARE_BIT(TARE_DTYPE_COUNT) - 1 };

#define JOINING_VARIANT(name_, fits_, run_, ...)                                                                       \
    {                                                                                                                  \
        .name = name_, .dtypes = ALL_DTYPES, .in_strides = ANY_8, .fits = fits_, .run = run_, __VA_ARGS__              \
    }
#define JOINING_VARIANTS(name_)                                                                                        \
    .variants =                                                                                                        \
        (const tare_variant[]){JOINING_VARIANT("rows", name_##_fits, concat_rows, .prepare = prepare_##name_),         \
                               JOINING_VARIANT("rows_apart", name_##_fits_apart, concat_rows_apart,                    \
                                               .prepare = prepare_##name_, .out_strides = {TARE_STRIDES_OUTER}),       \
                               JOINING_VARIANT("reference", name_##_fits, concat_reference,                            \
                                               .prepare = prepare_##name_, .set = TARE_SET_REFERENCE)},                \
    .n_variants = 3

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
    .attrs = (const tare_attr[]){TARE_AXIS_ATTR(concat)},
    .n_attrs = 1,
    .attr_bytes = sizeof(tare_concat_attr),
    .infer = infer_concat,
    .gradient = concat_gradient,
    .join = join_concat,
    JOINING_VARIANTS(concat),
    .samples = concat_samples,
    .n_samples = TARE_COUNT_OF(concat_samples),
};

/* ---- stack
 * ---------------------------------------------------------------------------------------------------------*/
static tare_status infer_stack(const tare_args *a, const tare_desc_out *out)
{
    const tare_desc *x = a->in[0];
    char t0[TARE_DESC_TEXT], tk[TARE_DESC_TEXT];
    if (x->rank == TARE_RANK)
        return tare_op_error(a, TARE_BAD_SHAPE, "input 0 is %s (need at most %d dimensions)", tare_desc_text(x, t0),
                             TARE_RANK - 1);
    tare_desc d = *x; /* with the new axis, at first as the last one */
    d.dim[d.rank++] = a->n_in;
    tare_desc_pack(&d);
    int axis;
    tare_status status = tare__view_axis(a, &d, ((const tare_stack_attr *)a->attr)->axis, &axis);
    if (status != TARE_OK)
        return status;
    for (int k = 1; k < a->n_in; ++k)
        if (a->in[k]->dtype != x->dtype || !tare_desc_same_shape(a->in[k], x))
            return tare_op_error(a, a->in[k]->dtype != x->dtype ? TARE_BAD_DTYPE : TARE_BAD_SHAPE,
                                 "input %d is %s %s, input 0 is %s %s (need the same)", k,
                                 tare_dtype_name((tare_dtype)a->in[k]->dtype), tare_desc_text(a->in[k], tk),
                                 tare_dtype_name((tare_dtype)x->dtype), tare_desc_text(x, t0));
    for (int i = d.rank - 1; i > axis; --i)
        d.dim[i] = d.dim[i - 1];
    d.dim[axis] = a->n_in;
    tare_desc_like(out[0], &d);
    return tare__view_done(a, out[0]);
}

/* dx_k = the k-th part of dy, without the axis */
static void stack_gradient(tare_builder *b)
{
    tare_args a = tare_node_args(b->node);
    int axis = stack_axis(&a);
    for (int k = 0; k < b->node->n_in; ++k) {
        if (!tare_wanted(b, k))
            continue;
        const tare_desc *x = &tare_input(b, k)->d;
        tare_reshape_attr shape = {.shape = {.n = x->rank}};
        memcpy(shape.shape.at, x->dim, (size_t)x->rank * sizeof *x->dim);
        tare_value *part = tare_slice(b->mode, tare_head(b, 0), (tare_slice_attr){axis, k, k + 1, 1});
        tare_contribute(b, k, tare_reshape(b->mode, part, shape));
    }
}

/* A part lacks the axis; what lies behind it keeps its strides. */
static int64_t join_stack(const tare_args *a, const tare_desc *out, int i, tare_desc *part)
{
    int axis = stack_axis(a);
    for (int k = 0; k < part->rank; ++k)
        part->stride[k] = out->stride[k < axis ? k : k + 1];
    return i * out->stride[axis];
}

static const tare_sample stack_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5] f32[3,5]", "axis=1", NULL},
    {TARE_SAMPLE_CHECK, "f32[3,5] f32[3,5]", "axis=-1", NULL},
    {TARE_SAMPLE_CHECK, "f32[2,1,2,1,2]", "axis=-6", NULL},
    {TARE_SAMPLE_CHECK, "f32[] f32[] f32[]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[0,3] f32[0,3]", "axis=2", NULL},
    {TARE_SAMPLE_CHECK, "f32[3,9000] f32[3,9000]", "axis=1", NULL},
    {TARE_SAMPLE_CHECK, "i64[2,3]<-9,9> i64[2,3]<-9,9>", NULL, NULL},
    {TARE_SAMPLE_CHECK, "u8[5] u8[5]", "axis=1", NULL},
    {TARE_SAMPLE_BENCH, "f32[256,300] f32[256,300]", "axis=1", NULL},
    {TARE_SAMPLE_REJECT, "f32[3] f32[4]", NULL, "input 1 is float32 [4], input 0 is float32 [3] (need the same)"},
    {TARE_SAMPLE_REJECT, "f32[3] f64[3]", NULL, "input 1 is float64 [3], input 0 is float32 [3] (need the same)"},
    {TARE_SAMPLE_REJECT, "f32[3] f32[3]", "axis=2", "axis 2 is not one of [3,2]"},
    {TARE_SAMPLE_REJECT, "f32[1,1,1,1,1,1]", NULL, "need at most 5 dimensions"},
};

const tare_op tare_op_stack = {
    .name = "stack",
    .doc = "y = x_0, x_1, ... one after the other along a new axis; 1 to 32 inputs [...] of one shape",
    .n_in = -1,
    .n_out = 1,
    .attrs = (const tare_attr[]){TARE_AXIS_ATTR(stack)},
    .n_attrs = 1,
    .attr_bytes = sizeof(tare_stack_attr),
    .infer = infer_stack,
    .gradient = stack_gradient,
    .join = join_stack,
    JOINING_VARIANTS(stack),
    TARE_TABLE(samples, stack_samples),
};

#endif
