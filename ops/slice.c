/* slice.c - slice: every step-th element along one axis, a view; and its gradient, which writes zeros around.
 *
 * begin, end and step mean what they mean in Python: negative bounds count from the end, then both are cut to what
 * there is. A negative step goes down from begin and stops before end. */
#include "view.h"

#ifdef TARE_PASS_RECORDS

/* The slice's part of an axis of n: its elements are first + k step, k < count. */
typedef struct {
    int axis;
    int64_t first, step, count;
} part;

/* slice and slice_grad have one attribute struct under two names. */
typedef struct {
    int64_t axis, begin, end, step;
} __attribute__((may_alias)) slice_attr;
_Static_assert(sizeof(slice_attr) == sizeof(tare_slice_attr) && sizeof(slice_attr) == sizeof(tare_slice_grad_attr),
               "one view of two structs");

static int64_t cut(int64_t bound, int64_t n, int64_t low, int64_t high)
{
    if (bound < 0)
        bound = bound < -n ? low : bound + n;
    return bound < low ? low : bound > high ? high : bound;
}

static tare_status part_of(const tare_args *a, const tare_desc *x, part *p)
{
    const slice_attr *attr = a->attr;
    tare_status status = tare__view_axis(a, x, attr->axis, &p->axis);
    if (status != TARE_OK)
        return status;
    if (attr->step == 0 || attr->step == INT64_MIN)
        return tare_op_error(a, TARE_BAD_ARGUMENT, "step is %lld (need another)", (long long)attr->step);
    int64_t n = x->dim[p->axis], down = attr->step < 0, size = down ? -attr->step : attr->step;
    int64_t begin = cut(attr->begin, n, -down, n - down), end = cut(attr->end, n, -down, n - down);
    int64_t span = down ? begin - end : end - begin;
    p->first = begin;
    p->step = attr->step;
    p->count = span > 0 ? (span - 1) / size + 1 : 0;
    return TARE_OK;
}

/* ---- slice
 * ---------------------------------------------------------------------------------------------------------------------*/
static tare_status infer_slice(const tare_args *a, const tare_desc_out *out)
{
    part p;
    tare_status status = part_of(a, a->in[0], &p);
    if (status != TARE_OK)
        return status;
    *out[0] = *a->in[0];
    out[0]->dim[p.axis] = p.count;
    out[0]->stride[p.axis] *= p.count > 1 ? p.step : 1;
    return tare__view_done(a, out[0]);
}

static int64_t slice_offset(const tare_args *a, int o)
{
    (void)o;
    part p;
    if (part_of(a, a->in[0], &p) != TARE_OK || p.count == 0)
        return 0; /* infer has passed the attributes; nothing has no first element */
    return p.first * a->in[0]->stride[p.axis];
}

static void slice_gradient(tare_builder *b)
{
    const tare_slice_attr *at = b->node->attr;
    tare_contribute(b, 0,
                    tare_slice_grad(b->mode, tare_head(b, 0), tare_input(b, 0),
                                    (tare_slice_grad_attr){at->axis, at->begin, at->end, at->step}));
}

#define SLICE_ATTRS(op)                                                                                                \
    (const tare_attr[])                                                                                                \
    {                                                                                                                  \
        {"axis", TARE_ATTR_INT, offsetof(tare_##op##_attr, axis), -TARE_RANK, TARE_RANK - 1, "0", "the dimension"},    \
            {"begin", TARE_ATTR_INT, offsetof(tare_##op##_attr, begin), -0x1p63, 0x1p63, "0", "the first element"},    \
            {"end",  TARE_ATTR_INT,         offsetof(tare_##op##_attr, end), -0x1p63,                                  \
             0x1p63, "9223372036854775807", "the element to stop before"},                                             \
        {                                                                                                              \
            "step", TARE_ATTR_INT, offsetof(tare_##op##_attr, step), -0x1p63, 0x1p63, "1", "from one to the next"      \
        }                                                                                                              \
    }

static const tare_sample slice_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[5,4]", "begin=1,end=4", NULL},
    {TARE_SAMPLE_CHECK, "f32[5,4]", "axis=1,begin=1,end=3", NULL},
    {TARE_SAMPLE_CHECK, "f32[3,7,2]", "axis=-2,begin=1,step=3", NULL},
    {TARE_SAMPLE_CHECK, "f32[7]", "begin=-3", NULL},
    {TARE_SAMPLE_CHECK, "f32[7,3]", "begin=-2,end=0,step=-2", NULL},
    {TARE_SAMPLE_CHECK, "f32[6]", "begin=6,end=-100,step=-1", NULL},
    {TARE_SAMPLE_CHECK, "f32[3,4]", "begin=2,end=1", NULL},
    {TARE_SAMPLE_CHECK, "f32[3,4]", "axis=1,begin=9", NULL},
    {TARE_SAMPLE_CHECK, "f32[2,0,3]", "axis=1", NULL},
    {TARE_SAMPLE_CHECK, "f32[3]", "begin=2,step=9223372036854775807", NULL},
    {TARE_SAMPLE_CHECK, "u8[9]", "begin=1,end=-1,step=2", NULL},
    {TARE_SAMPLE_REJECT, "f32[3]", "axis=1", "axis 1 is not one of [3]"},
    {TARE_SAMPLE_REJECT, "f32[]", NULL, "axis 0 is not one of []"},
    {TARE_SAMPLE_REJECT, "f32[3]", "step=0", "step is 0 (need another)"},
};

const tare_op tare_op_slice = {
    .name = "slice",
    .doc = "y = the elements begin, begin + step, ... before end along one axis of x, bounds as in Python; a view",
    .n_in = 1,
    .n_out = 1,
    .attrs = SLICE_ATTRS(slice),
    .n_attrs = 4,
    .attr_bytes = sizeof(tare_slice_attr),
    .infer = infer_slice,
    .gradient = slice_gradient,
    .view = slice_offset,
    .samples = slice_samples,
    .n_samples = TARE_COUNT_OF(slice_samples),
};

/* ---- slice_grad: dx [outer, n, inner], dy [outer, count, inner]
 * ---------------------------------------------------------------------------------------------------------------*/
enum { G_COUNT, G_DTYPE, G_N, G_INNER, G_FIRST, G_STEP, G_PART, G_WORDS };

/* Runs of dx that are zeros or lie together in dy; with step 1 a run goes on over elements of the axis. */
static int slice_grad_runs(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g;
    size_t item = tare_dtype_bytes((tare_dtype)g[G_DTYPE]);
    int64_t inner = g[G_INNER], n = g[G_N], first = g[G_FIRST], step = g[G_STEP], count = g[G_PART], i, end, run;
    tare_piece_range(c, piece, &i, &end);
    for (; i < end; i += run) {
        int64_t row = i / inner, column = i % inner, outer = row / n, at = row % n, k = (at - first) / step;
        bool inside = k >= 0 && k < count && first + k * step == at;
        int64_t upto = step != 1 ? at + 1 : inside ? first + count : at < first ? first : n;
        run = (upto - at) * inner - column;
        run = run < end - i ? run : end - i;
        char *to = (char *)c->ptr[2] + (size_t)i * item;
        if (inside)
            memcpy(to, (const char *)c->ptr[0] + (size_t)((outer * count + k) * inner + column) * item,
                   (size_t)run * item);
        else
            memset(to, 0, (size_t)run * item);
    }
    return 0;
}

static int slice_grad_reference(const tare_call *c, int piece, int worker)
{
    (void)worker;
    const int64_t *g = c->g;
    int64_t i, end;
    for (tare_piece_range(c, piece, &i, &end); i < end; ++i) {
        int64_t outer = i / g[G_INNER] / g[G_N], at = i / g[G_INNER] % g[G_N], column = i % g[G_INNER];
        double x = 0;
        for (int64_t k = 0; k < g[G_PART]; ++k)
            if (g[G_FIRST] + k * g[G_STEP] == at)
                x = tare_at(c->ptr[0], g[G_DTYPE], (outer * g[G_PART] + k) * g[G_INNER] + column);
        tare_put(c->ptr[2], g[G_DTYPE], i, x);
    }
    return 0;
}

static tare_status infer_slice_grad(const tare_args *a, const tare_desc_out *out)
{
    const tare_desc *dy = a->in[0], *like = a->in[1];
    char t0[TARE_DESC_TEXT], t1[TARE_DESC_TEXT];
    part p;
    if (dy->dtype != TARE_F32 && dy->dtype != TARE_F64)
        return tare_op_error(a, TARE_BAD_DTYPE, "input 0 is %s (need float32 or float64)", tare_dtype_name(dy->dtype));
    tare_status status = part_of(a, like, &p);
    if (status != TARE_OK)
        return status;
    tare_desc sliced;
    tare_desc_like(&sliced, like);
    sliced.dim[p.axis] = p.count;
    if (!tare_desc_same_shape(dy, &sliced))
        return tare_op_error(a, TARE_BAD_SHAPE, "dy is %s (need %s)", tare_desc_text(dy, t0),
                             tare_desc_text(&sliced, t1));
    tare_desc_like(out[0], like);
    out[0]->dtype = dy->dtype;
    return TARE_OK;
}

static void prepare_slice_grad(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    const tare_desc *dx = out[0];
    part p;
    tare__prepare_pointwise(a, out, w);
    if (part_of(a, dx, &p) != TARE_OK)
        return; /* infer has passed them */
    w->g[G_N] = dx->dim[p.axis];
    w->g[G_INNER] = 1;
    for (int i = p.axis + 1; i < dx->rank; ++i)
        w->g[G_INNER] *= dx->dim[i];
    w->g[G_FIRST] = p.first;
    w->g[G_STEP] = p.count > 1 ? p.step : 1; /* a run of one goes on either way */
    w->g[G_PART] = p.count;
    w->n_g = G_WORDS;
}

static const tare_sample slice_grad_samples[] = {
    {TARE_SAMPLE_CHECK, "f32[3,4] f32[5,4]", "begin=1,end=4", NULL},
    {TARE_SAMPLE_CHECK, "f32[5,2] f32[5,4]", "axis=1,begin=1,end=3", NULL},
    {TARE_SAMPLE_CHECK, "f32[3,2,2] f32[3,7,2]", "axis=1,begin=1,step=3", NULL},
    {TARE_SAMPLE_CHECK, "f32[3,3] f32[7,3]", "begin=-2,end=0,step=-2", NULL},
    {TARE_SAMPLE_CHECK, "f32[0,4] f32[3,4]", "begin=2,end=1", NULL},
    {TARE_SAMPLE_CHECK, "f32[2,0,3] f32[2,0,3]", "axis=1", NULL},
    {TARE_SAMPLE_CHECK, "f32[3,9000] f32[4,9000]", "begin=1", NULL},
    {TARE_SAMPLE_BENCH, "f32[256,100] f32[256,300]", "axis=1,begin=100,end=200", NULL},
    {TARE_SAMPLE_REJECT, "f32[3] f32[4]", "begin=2", "dy is [3] (need [2])"},
    {TARE_SAMPLE_REJECT, "f32[3] f32[4]", "axis=1", "axis 1 is not one of [4]"},
    {TARE_SAMPLE_REJECT, "i32[3] f32[4]", "begin=1", "need float32 or float64"},
};

const tare_op tare_op_slice_grad = {
    .name = "slice_grad",
    .doc = "dx = zeros but for dy, where the slice was; like (only its shape counts) and dx [...]",
    .n_in = 2,
    .n_out = 1,
    .shape_only = 2,
    .attrs = SLICE_ATTRS(slice_grad),
    .n_attrs = 4,
    .attr_bytes = sizeof(tare_slice_grad_attr),
    .infer = infer_slice_grad,
    .not_differentiable = true,
    .variants = (const tare_variant[]){{.name = "runs",
                                        .dtypes = TARE_BIT(TARE_F32) | TARE_BIT(TARE_F64),
                                        .prepare = prepare_slice_grad,
                                        .run = slice_grad_runs},
                                       TARE_REFERENCE(slice_grad_reference, .prepare = prepare_slice_grad)},
    .n_variants = 2,
    .samples = slice_grad_samples,
    .n_samples = TARE_COUNT_OF(slice_grad_samples),
};

#endif
