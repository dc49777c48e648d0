/* view.c - operators without a kernel: a new look at the same storage, through other dimensions and strides.
 *
 * A view shares its base's bytes and version counter. Any stride may come of it, negative and 0 too; a kernel that does
 * not take them gets a declared copy. Only reshape asks for a contiguous input, since other dimensions can only be laid
 * over elements that stand in order. */
#include "view.h"

#ifdef TARE_PASS_RECORDS

/* ---- shared
 * --------------------------------------------------------------------------------------------------------------------*/
tare_status tare__view_axis(const tare_args *a, const tare_desc *x, int64_t axis, int *d)
{
    char text[TARE_DESC_TEXT];
    if (axis < -x->rank || axis >= x->rank)
        return tare_op_error(a, TARE_BAD_ARGUMENT, "axis %lld is not one of %s", (long long)axis,
                             tare_desc_text(x, text));
    *d = (int)(axis < 0 ? axis + x->rank : axis);
    return TARE_OK;
}

tare_status tare__view_done(const tare_args *a, tare_desc *out)
{
    char text[TARE_DESC_TEXT];
    if (tare_desc_check(out) != TARE_OK)
        return tare_op_error(a, TARE_BAD_SHAPE, "%s has more than 2^62 bytes", tare_desc_text(out, text));
    tare_desc_measure(out);
    return TARE_OK;
}

const char *tare__view_shape_text(const tare_ints *shape, char *text)
{
    return tare_desc_text(
        &(tare_desc){.rank = (int8_t)shape->n,
                     .dim = {shape->at[0], shape->at[1], shape->at[2], shape->at[3], shape->at[4], shape->at[5]}},
        text);
}

static int64_t no_offset(const tare_args *a, int o)
{
    (void)a;
    (void)o;
    return 0;
}

/* The shape's sizes and x's dtype, no strides yet; an entry below `least` is refused. */
static tare_status take_shape(const tare_args *a, const tare_ints *shape, int64_t least, tare_desc *out)
{
    if (shape->n < 0 || shape->n > TARE_RANK)
        return tare_op_error(a, TARE_BAD_SHAPE, "shape has %d sizes (need at most %d)", shape->n, TARE_RANK);
    for (int i = 0; i < shape->n; ++i)
        if (shape->at[i] < least)
            return tare_op_error(a, TARE_BAD_SHAPE, "size %d of the shape is %lld (need >= 0%s)", i,
                                 (long long)shape->at[i], least < 0 ? ", or -1 once" : "");
    *out = (tare_desc){.rank = (int8_t)shape->n, .dtype = a->in[0]->dtype};
    for (int i = 0; i < shape->n; ++i)
        out->dim[i] = shape->at[i];
    return TARE_OK;
}

#define AXES_ATTR(op, doc_)                                                                                            \
    (const tare_attr[])                                                                                                \
    {                                                                                                                  \
        {                                                                                                              \
            "axes", TARE_ATTR_INTS, offsetof(tare_##op##_attr, axes), -TARE_RANK, TARE_RANK - 1, "", doc_              \
        }                                                                                                              \
    }

/* ---- detach
 * --------------------------------------------------------------------------------------------------------------------*/
static tare_status infer_as_it_is(const tare_args *a, const tare_desc_out *out)
{
    *out[0] = *a->in[0];
    return TARE_OK;
}

const tare_op tare_op_detach = {
    .name = "detach",
    .doc = "y = x, through which no gradient passes; a view",
    .n_in = 1,
    .n_out = 1,
    .infer = infer_as_it_is,
    .not_differentiable = true,
    .stops_gradient = true,
    .view = no_offset,
    .samples = (const tare_sample[]){{TARE_SAMPLE_CHECK, "f32[3,5]", NULL, NULL}},
    .n_samples = 1,
};

/* ---- graph_break
 * --------------------------------------------------------------------------------------------------------------------*/
static void gradient_graph_break(tare_builder *b)
{
    tare_contribute(b, 0, tare_head(b, 0));
}

const tare_op tare_op_graph_break = {
    .name = "graph_break",
    .doc = "y = x, where a captured function is cut in two; a view",
    .n_in = 1,
    .n_out = 1,
    .infer = infer_as_it_is,
    .gradient = gradient_graph_break,
    .breaks = true,
    .view = no_offset,
    TARE_SAMPLES({TARE_SAMPLE_CHECK, "f32[3,5]", NULL, NULL}),
};

/* ---- reshape
 * -------------------------------------------------------------------------------------------------------------------*/
/* Puts the size that makes the counts equal in the place of a -1. */
static tare_status resolve_size(const tare_args *a, const tare_ints *shape, tare_desc *d)
{
    int64_t count = tare_desc_count(a->in[0]), rest = 1;
    char x[TARE_DESC_TEXT], y[TARE_DESC_TEXT];
    int unknown = -1;
    for (int i = 0; i < d->rank; ++i) {
        if (d->dim[i] == -1 && unknown >= 0)
            return tare_op_error(a, TARE_BAD_SHAPE, "shape is %s (need at most one -1)",
                                 tare__view_shape_text(shape, y));
        if (d->dim[i] == -1)
            unknown = i;
        else if (__builtin_mul_overflow(rest, d->dim[i], &rest))
            rest = INT64_MAX;
    }
    if (unknown >= 0 && rest > 0 && count % rest == 0) {
        d->dim[unknown] = count / rest;
        rest = count;
    }
    if (rest != count || (unknown >= 0 && d->dim[unknown] < 0))
        return tare_op_error(a, TARE_BAD_SHAPE, "%s has %lld elements, which do not make %s",
                             tare_desc_text(a->in[0], x), (long long)count, tare__view_shape_text(shape, y));
    return TARE_OK;
}

static tare_status infer_reshape(const tare_args *a, const tare_desc_out *out)
{
    const tare_ints *shape = &((const tare_reshape_attr *)a->attr)->shape;
    tare_status status = take_shape(a, shape, -1, out[0]);
    if (status == TARE_OK)
        status = resolve_size(a, shape, out[0]);
    if (status == TARE_OK)
        status = tare__view_done(a, out[0]);
    if (status == TARE_OK)
        tare_desc_pack(out[0]);
    return status;
}

/* dx = dy in x's dimensions; the gradient of all that keeps the elements in order */
static void reshape_gradient(tare_builder *b)
{
    const tare_desc *x = &tare_input(b, 0)->d;
    tare_reshape_attr attr = {.shape = {.n = x->rank}};
    for (int i = 0; i < x->rank; ++i)
        attr.shape.at[i] = x->dim[i];
    tare_contribute(b, 0, tare_reshape(b->mode, tare_head(b, 0), attr));
}

static const tare_sample reshape_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,4]", "shape=2-6", NULL},
    {TARE_SAMPLE_CHECK, "f32[3,4]", "shape=-1-2", NULL},
    {TARE_SAMPLE_CHECK, "f32[3,4]", "shape=2--1-3", NULL},
    {TARE_SAMPLE_CHECK, "f32[1,1]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[]", "shape=1-1-1", NULL},
    {TARE_SAMPLE_CHECK, "f32[0,4]", "shape=-1-2", NULL},
    {TARE_SAMPLE_CHECK, "i32[6]<-9,9>", "shape=2-3", NULL},
    {TARE_SAMPLE_REJECT, "f32[3,4]", "shape=5--1", "[3,4] has 12 elements, which do not make [5,-1]"},
    {TARE_SAMPLE_REJECT, "f32[3,4]", "shape=13", "[3,4] has 12 elements, which do not make [13]"},
    {TARE_SAMPLE_REJECT, "f32[3,4]", "shape=-1--1", "shape is [-1,-1] (need at most one -1)"},
    {TARE_SAMPLE_REJECT, "f32[0,4]", "shape=0-4000000000-4000000000", "has more than 2^62 bytes"},
    {TARE_SAMPLE_REJECT, "f32[3,4]", "shape=4000000000-4000000000", "[3,4] has 12 elements, which do not make"},
    {TARE_SAMPLE_REJECT, "f32[0,4]", "shape=0--1", "[0,4] has 0 elements, which do not make [0,-1]"},
    {TARE_SAMPLE_REJECT, "f32[1]", "shape=1-1-1-1-1-1-1", "shape has 7 sizes (need at most 6)"},
    {TARE_SAMPLE_REJECT, "f32[1]", "shape=-2", "shape is -2 (need -1 to"},
};

const tare_op tare_op_reshape = {
    .name = "reshape",
    .doc = "y = x in other dimensions, its elements in the same order; a view (of a copy where x is not contiguous)",
    .n_in = 1,
    .n_out = 1,
    .attrs = (const tare_attr[]){{"shape", TARE_ATTR_INTS, offsetof(tare_reshape_attr, shape), -1, 0x1p62, "",
                                  "y's sizes; one may be -1: what the others leave"}},
    .n_attrs = 1,
    .attr_bytes = sizeof(tare_reshape_attr),
    .infer = infer_reshape,
    .gradient = reshape_gradient,
    .view = no_offset,
    .contiguous_only = 1,
    .samples = reshape_samples,
    .n_samples = TARE_COUNT_OF(reshape_samples),
};

static tare_status infer_flatten(const tare_args *a, const tare_desc_out *out)
{
    const tare_desc *x = a->in[0];
    if (x->rank == 0)
        return tare_op_error(a, TARE_BAD_SHAPE, "input 0 is [] (need at least one dimension)");
    int64_t rest = 1;
    for (int i = 1; i < x->rank; ++i)
        rest *= x->dim[i];
    tare_desc_matrix(out[0], x->dtype, x->dim[0], rest);
    return TARE_OK;
}

static const tare_sample flatten_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,4,5]", NULL, NULL},        {TARE_SAMPLE_CHECK, "f32[7]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[0,4,2]", NULL, NULL},        {TARE_SAMPLE_CHECK, "u8[2,3,1,5]", NULL, NULL},
    {TARE_SAMPLE_REJECT, "f32[]", NULL, "input 0 is []"},
};

const tare_op tare_op_flatten = {
    .name = "flatten",
    .doc = "y = x as a matrix; x [N,...], y [N, the rest]; a view (of a copy where x is not contiguous)",
    .n_in = 1,
    .n_out = 1,
    .infer = infer_flatten,
    .gradient = reshape_gradient,
    .view = no_offset,
    .contiguous_only = 1,
    .samples = flatten_samples,
    .n_samples = TARE_COUNT_OF(flatten_samples),
};

/* ---- transpose
 * -----------------------------------------------------------------------------------------------------------------*/
/* y's dimension i is x's dimension from[i]. */
static tare_status permutation(const tare_args *a, const tare_desc *x, const tare_ints *axes, int from[TARE_RANK])
{
    char text[TARE_DESC_TEXT];
    if (axes->n && axes->n != x->rank)
        return tare_op_error(a, TARE_BAD_ARGUMENT, "%d axes were given for %s (need each once, or none)", axes->n,
                             tare_desc_text(x, text));
    uint32_t seen = 0;
    for (int i = 0; i < x->rank; ++i) {
        from[i] = x->rank - 1 - i;
        tare_status status = axes->n ? tare__view_axis(a, x, axes->at[i], &from[i]) : TARE_OK;
        if (status != TARE_OK)
            return status;
        if (seen >> from[i] & 1)
            return tare_op_error(a, TARE_BAD_ARGUMENT, "axis %d is named twice", from[i]);
        seen |= 1u << from[i];
    }
    return TARE_OK;
}

static tare_status infer_transpose(const tare_args *a, const tare_desc_out *out)
{
    const tare_desc *x = a->in[0];
    int from[TARE_RANK];
    tare_status status = permutation(a, x, &((const tare_transpose_attr *)a->attr)->axes, from);
    if (status != TARE_OK)
        return status;
    *out[0] = *x;
    for (int i = 0; i < x->rank; ++i) {
        out[0]->dim[i] = x->dim[from[i]];
        out[0]->stride[i] = x->stride[from[i]];
    }
    return tare__view_done(a, out[0]);
}

/* dx = dy with the inverse permutation */
static void transpose_gradient(tare_builder *b)
{
    const tare_transpose_attr *attr = b->node->attr;
    tare_transpose_attr inverse = {.axes = {.n = attr->axes.n}};
    for (int i = 0; i < attr->axes.n; ++i)
        inverse.axes.at[attr->axes.at[i] + (attr->axes.at[i] < 0 ? attr->axes.n : 0)] = i;
    tare_contribute(b, 0, tare_transpose(b->mode, tare_head(b, 0), inverse));
}

static const tare_sample transpose_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,4]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[2,3,4]", "axes=1-2-0", NULL},
    {TARE_SAMPLE_CHECK, "f32[2,3,1,4]", "axes=0--1-1-2", NULL},
    {TARE_SAMPLE_CHECK, "f32[1,5]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[0,4]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "i64[3,2]<-9,9>", NULL, NULL},
    {TARE_SAMPLE_REJECT, "f32[3,4]", "axes=0", "1 axes were given for [3,4] (need each once, or none)"},
    {TARE_SAMPLE_REJECT, "f32[3,4]", "axes=0-2", "axis 2 is not one of [3,4]"},
    {TARE_SAMPLE_REJECT, "f32[3,4]", "axes=1--1", "axis 1 is named twice"},
};

const tare_op tare_op_transpose = {
    .name = "transpose",
    .doc = "y = x with its dimensions in another order: y's dimension i is x's axes[i]; a view",
    .n_in = 1,
    .n_out = 1,
    .attrs = AXES_ATTR(transpose, "x's dimensions in y's order; none: reversed"),
    .n_attrs = 1,
    .attr_bytes = sizeof(tare_transpose_attr),
    .infer = infer_transpose,
    .gradient = transpose_gradient,
    .view = no_offset,
    .samples = transpose_samples,
    .n_samples = TARE_COUNT_OF(transpose_samples),
};

/* ---- flip
 * ----------------------------------------------------------------------------------------------------------------------*/
static tare_status flip_mask(const tare_args *a, const tare_desc *x, uint32_t *mask)
{
    const tare_ints *axes = &((const tare_flip_attr *)a->attr)->axes;
    *mask = axes->n ? 0 : (1u << x->rank) - 1;
    for (int i = 0; i < axes->n; ++i) {
        int d = 0;
        tare_status status = tare__view_axis(a, x, axes->at[i], &d);
        if (status != TARE_OK)
            return status;
        if (*mask >> d & 1)
            return tare_op_error(a, TARE_BAD_ARGUMENT, "axis %d is named twice", d);
        *mask |= 1u << d;
    }
    return TARE_OK;
}

static tare_status infer_flip(const tare_args *a, const tare_desc_out *out)
{
    uint32_t mask;
    tare_status status = flip_mask(a, a->in[0], &mask);
    if (status != TARE_OK)
        return status;
    *out[0] = *a->in[0];
    for (int i = 0; i < out[0]->rank; ++i)
        out[0]->stride[i] *= mask >> i & 1 ? -1 : 1;
    return tare__view_done(a, out[0]);
}

/* To the last element along each flipped axis. */
static int64_t flip_offset(const tare_args *a, int o)
{
    (void)o;
    const tare_desc *x = a->in[0];
    uint32_t mask = 0;
    int64_t offset = 0;
    if (flip_mask(a, x, &mask) != TARE_OK || tare_desc_count(x) == 0)
        return 0; /* infer has passed the axes; nothing has no last element */
    for (int i = 0; i < x->rank; ++i)
        offset += mask >> i & 1 ? (x->dim[i] - 1) * x->stride[i] : 0;
    return offset;
}

static void flip_gradient(tare_builder *b)
{
    tare_contribute(b, 0, tare_flip(b->mode, tare_head(b, 0), *(const tare_flip_attr *)b->node->attr));
}

static const tare_sample flip_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,4]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[3,4]", "axes=0", NULL},
    {TARE_SAMPLE_CHECK, "f32[2,3,4]", "axes=-1-0", NULL},
    {TARE_SAMPLE_CHECK, "f32[]", NULL, NULL},
    {TARE_SAMPLE_CHECK, "f32[0,4]", "axes=1", NULL},
    {TARE_SAMPLE_CHECK, "u8[5]", NULL, NULL},
    {TARE_SAMPLE_REJECT, "f32[3,4]", "axes=2", "axis 2 is not one of [3,4]"},
    {TARE_SAMPLE_REJECT, "f32[3,4]", "axes=0--2", "axis 0 is named twice"},
};

const tare_op tare_op_flip = {
    .name = "flip",
    .doc = "y = x with its elements in reverse along the axes; a view with negative strides",
    .n_in = 1,
    .n_out = 1,
    .attrs = AXES_ATTR(flip, "the dimensions that are reversed; none: all"),
    .n_attrs = 1,
    .attr_bytes = sizeof(tare_flip_attr),
    .infer = infer_flip,
    .gradient = flip_gradient,
    .view = flip_offset,
    .samples = flip_samples,
    .n_samples = TARE_COUNT_OF(flip_samples),
};

/* ---- expand
 * --------------------------------------------------------------------------------------------------------------------*/
static tare_status infer_expand(const tare_args *a, const tare_desc_out *out)
{
    const tare_desc *x = a->in[0];
    const tare_ints *shape = &((const tare_expand_attr *)a->attr)->shape;
    char tx[TARE_DESC_TEXT], ty[TARE_DESC_TEXT];
    tare_status status = take_shape(a, shape, 0, out[0]);
    if (status != TARE_OK)
        return status;
    tare_desc *y = out[0];
    bool fits = y->rank >= x->rank;
    for (int i = 0; i < y->rank && fits; ++i) {
        int own = i - (y->rank - x->rank);
        fits = own < 0 || x->dim[own] == y->dim[i] || x->dim[own] == 1;
        y->stride[i] = own < 0 || x->dim[own] != y->dim[i] ? 0 : x->stride[own];
    }
    if (!fits)
        return tare_op_error(a, TARE_BAD_SHAPE, "%s does not broadcast to %s", tare_desc_text(x, tx),
                             tare__view_shape_text(shape, ty));
    return tare__view_done(a, y);
}

/* dx = dy summed over what was repeated */
static void expand_gradient(tare_builder *b)
{
    tare_contribute(b, 0, tare_sum_like(b->mode, tare_head(b, 0), tare_input(b, 0)));
}

static const tare_sample expand_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,1]", "shape=3-4", NULL},
    {TARE_SAMPLE_CHECK, "f32[4]", "shape=2-3-4", NULL},
    {TARE_SAMPLE_CHECK, "f32[]", "shape=2-3", NULL},
    {TARE_SAMPLE_CHECK, "f32[2,1,3]", "shape=2-1-3", NULL},
    {TARE_SAMPLE_CHECK, "f32[1,3]", "shape=0-3", NULL},
    {TARE_SAMPLE_CHECK, "i32[1]<0,9>", "shape=7", NULL},
    {TARE_SAMPLE_REJECT, "f32[3]", "shape=4", "[3] does not broadcast to [4]"},
    {TARE_SAMPLE_REJECT, "f32[3,4]", "shape=4", "[3,4] does not broadcast to [4]"},
    {TARE_SAMPLE_REJECT, "f32[1]", "shape=4000000000-4000000000", "has more than 2^62 bytes"},
};

const tare_op tare_op_expand = {
    .name = "expand",
    .doc = "y = x repeated to the shape, as broadcasting does; a view with strides of 0",
    .n_in = 1,
    .n_out = 1,
    .attrs = (const tare_attr[]){{"shape", TARE_ATTR_INTS, offsetof(tare_expand_attr, shape), 0, 0x1p62, "",
                                  "y's sizes; x's dimensions are its last ones"}},
    .n_attrs = 1,
    .attr_bytes = sizeof(tare_expand_attr),
    .infer = infer_expand,
    .gradient = expand_gradient,
    .view = no_offset,
    .samples = expand_samples,
    .n_samples = TARE_COUNT_OF(expand_samples),
};

#endif
