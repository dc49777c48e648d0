/* split.c - cutting into equal parts along an axis: views. The gradient joins what arrived. */
#include "view.h"

#ifdef TARE_PASS_RECORDS

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
    .attrs = (const tare_attr[]){TARE_AXIS_ATTR(split),
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
