/* conv2d.c - two-dimensional convolution and its gradients to data and weights: records, inference, references.
 *
 * The three operators are one trilinear form of (x, w, y): each of them computes one operand's share from the other
 * two, so the gradients of any of them are the other two. The gradient to the bias is a sum. Kernels: conv2d_*.c. */
#include "conv2d.h"

#ifdef TARE_PASS_RECORDS

/* ---- geometry ---------------------------------------------------------------------------------------------------*/
tare_conv tare__conv_geometry(const tare_conv_operands *o, const tare_conv_attr *at)
{
    const tare_desc *x = o->x, *w = o->w, *y = o->y;
    return (tare_conv){x->dim[0], x->dim[1],      x->dim[2],      x->dim[3],    w->dim[0],    w->dim[2],
                       w->dim[3], y->dim[2],      y->dim[3],      at->stride_h, at->stride_w, at->pad_h,
                       at->pad_w, at->dilation_h, at->dilation_w, at->groups,   x->dtype,     x->dim[0]};
}

tare_conv *tare__conv_prepare(const tare_args *a, const tare_desc *x, const tare_desc *w, const tare_desc *y,
                              tare_work *work)
{
    tare_conv *v = (tare_conv *)(void *)work->g;
    *v = tare__conv_geometry(&(tare_conv_operands){x, w, y}, a->attr);
    work->n_g = TARE_CONV_WORDS;
    return v;
}

static double flops_of(const tare_conv_operands *o)
{
    return 2.0 * (double)tare_desc_count(o->y) * (double)(o->w->dim[1] * o->w->dim[2] * o->w->dim[3]);
}

void tare__conv_cut(tare_conv *v, int64_t most, tare_work *work)
{
    double flops = 2.0 * (double)(v->n * v->k * tare_conv_plane(v)) * (double)tare_conv_taps(v);
    int64_t pieces = flops < 1e6 * (double)most ? (int64_t)(flops / 1e6) : most;
    pieces = pieces < v->n ? pieces : v->n;
    v->images = pieces > 1 ? (v->n + pieces - 1) / pieces : v->n;
    work->n_pieces = v->images ? (int32_t)((v->n + v->images - 1) / v->images) : 1;
}

void tare__conv2d_grad_data_tile(const tare_call *c, int piece, tare_tile *t)
{
    const tare_conv *v = tare_conv_of(c);
    const tare_conv_span images = tare_conv_piece(v, piece);
    *t = (tare_tile){images.from, images.end - images.from, 0, v->c * v->h * v->w};
}

tare_conv_grid tare__conv_grid(double cycles, int64_t most_images, int64_t most_across, double reading, double weights)
{
    enum { PIECES = 16 };
    tare_conv_grid best = {1, 1, 1e300};
    for (int64_t n = 1; n <= PIECES && (n == 1 || n <= most_across); n *= 2)
        for (int64_t m = 1; m * n <= PIECES && (m == 1 || m <= most_images); m *= 2) {
            const double pieces = (double)(m * n), small = pieces * 3e4 / (cycles + 1);
            const double uneven = 0.01 * PIECES / pieces + (pieces < 4 ? 0.3 / pieces : 0);
            const double cost = ((double)n * reading + (double)m * weights) / (cycles + 1) + uneven +
                                (pieces > 1 && small > 1 ? small : 0);
            if (cost < best.cost)
                best = (tare_conv_grid){m, n, cost};
        }
    return best;
}

int64_t tare__conv_joined(int64_t plane, double moving, int64_t room)
{
    int64_t best = 1;
    double least = 1e300;
    for (int64_t n = 1; n <= room && n <= 64; n += n < 4 ? 1 : n < 8 ? 2 : n / 2) {
        const int64_t used = n * plane;
        const double cost = (double)tare_round_up(used, used < 48 ? 48 : 16) / (double)used + (n > 1 ? moving : 0);
        if (cost < 0.99 * least) {
            least = cost;
            best = n;
        }
    }
    return best;
}

tare_conv_pieces tare__conv_pieces_of(tare_conv *v, tare_conv_grid grid, int64_t together, int64_t rows, int64_t unit,
                                      tare_work *work)
{
    tare_conv_pieces p = {.across = 1, .rows = tare_round_up((rows + grid.across - 1) / grid.across, unit)};
    v->images = v->n ? tare_round_up((v->n + grid.images - 1) / grid.images, together) : 1;
    if (p.rows)
        p.across = (rows + p.rows - 1) / p.rows;
    work->n_pieces = (int32_t)((v->n ? (v->n + v->images - 1) / v->images : 1) * p.across);
    return p;
}

tare_conv_pieces tare__conv_pieces(tare_conv *v, int64_t joined, int64_t rows, double reading, tare_work *work)
{
    const double weights = (double)v->k * (double)tare_conv_taps(v);
    const tare_conv_grid grid = tare__conv_grid((double)(v->n * tare_conv_plane(v)) * weights / 32, v->n / joined,
                                                v->groups > 1 ? 1 : (rows + 15) / 16, reading, 0.02 * weights);
    return tare__conv_pieces_of(v, grid, 1, rows, grid.across > 1 ? 8 : 1, work);
}

void tare__conv2d_grad_data_part(const tare_call *c, int piece, tare_conv_pieces p, tare_tile *t)
{
    const tare_conv *v = tare_conv_of(c);
    tare__conv2d_grad_data_tile(c, piece / (int)p.across, t);
    if (p.across > 1) { /* there is one group */
        const tare_conv_span rows = tare_conv_rows(piece, p, v->c);
        t->column = rows.from * v->h * v->w;
        t->columns = (rows.end - rows.from) * v->h * v->w;
    }
}

bool tare__conv_small(const tare_conv_operands *o, const tare_conv_attr *at)
{
    enum { LOWERED_MOST = 1 << 19, TAPS_MOST = 1024 };
    int64_t rows = o->y->dim[2] + (o->w->dim[2] - 1) * at->dilation_h / at->stride_h; /* of a phase */
    double columns = (double)o->w->dim[1] * (double)o->w->dim[3];
    double lowered = columns * (double)at->stride_h * (double)rows * (double)o->y->dim[3];
    return columns * (double)o->w->dim[2] <= TAPS_MOST && lowered <= LOWERED_MOST && !tare_conv_plain(o->w, at);
}

/* ---- partial dw ------------------------------------------------------------------------------------------------*/
int tare__conv_combine(const tare_call *c, int piece, int worker)
{
    (void)piece;
    (void)worker;
    const tare_conv *v = tare_conv_of(c);
    if (c->n_pieces < 2 || !c->ptr[4])
        return 0;
    int64_t n = v->k * tare_conv_taps(v), step = (n + 15) / 16 * 16;
    const float *partial = c->ptr[4];
    float *dw = c->ptr[3];
    for (int64_t i = 0; i < n; ++i)
        dw[i] = partial[i] + partial[step + i];
    for (int p = 2; p < c->n_pieces; ++p)
        for (int64_t i = 0; i < n; ++i)
            dw[i] += partial[p * step + i];
    return 0;
}

/* ---- inference --------------------------------------------------------------------------------------------------*/
static tare_status check_images(const tare_args *a, const tare_desc *d, const char *what, const char *form)
{
    char text[TARE_DESC_TEXT];
    const tare_desc *first = a->in[0];
    if (d->dtype != TARE_F32 && d->dtype != TARE_F64)
        return tare_op_error(a, TARE_BAD_DTYPE, "%s is %s (need float32 or float64)", what, tare_dtype_name(d->dtype));
    if (d->dtype != first->dtype)
        return tare_op_error(a, TARE_BAD_DTYPE, "%s is %s, input 0 is %s (need one dtype)", what,
                             tare_dtype_name(d->dtype), tare_dtype_name(first->dtype));
    if (d->rank != 4)
        return tare_op_error(a, TARE_BAD_SHAPE, "%s is %s (need %s)", what, tare_desc_text(d, text), form);
    if ((double)d->dim[2] * (double)d->dim[3] > INT32_MAX)
        return tare_op_error(a, TARE_BAD_SHAPE, "%s is %s (need planes below 2^31 elements)", what,
                             tare_desc_text(d, text));
    return TARE_OK;
}

/* Outputs along one axis; 0: the kernel does not fit into the padded input. */
static int64_t outputs_along(int64_t size, int64_t kernel, int64_t stride, int64_t pad, int64_t dilation)
{
    int64_t room = size + 2 * pad;
    if (kernel - 1 > (room - 1) / dilation || room < 1) /* by division: kernel * dilation could overflow */
        return 0;
    return (room - (kernel - 1) * dilation - 1) / stride + 1;
}

tare_desc tare__conv_result(const tare_args *a)
{
    const tare_desc *x = a->in[0], *w = a->in[1];
    const tare_conv_attr *at = a->attr;
    const int64_t dim[] = {x->dim[0], w->dim[0],
                           outputs_along(x->dim[2], w->dim[2], at->stride_h, at->pad_h, at->dilation_h),
                           outputs_along(x->dim[3], w->dim[3], at->stride_w, at->pad_w, at->dilation_w)};
    return tare_desc_of((tare_dtype)x->dtype, 4, dim);
}

/* What convolving x by w gives. */
static tare_status result_of(const tare_args *a, const tare_desc *x, const tare_desc *w, tare_desc *y)
{
    const tare_conv_attr *at = a->attr;
    char tx[TARE_DESC_TEXT], tw[TARE_DESC_TEXT];
    tare_status status = check_images(a, x, "x", "[N,C,H,W]");
    if (status == TARE_OK)
        status = check_images(a, w, "w", "[K,C/groups,R,S]");
    if (status != TARE_OK)
        return status;
    if (at->stride_h < 1 || at->stride_w < 1 || at->pad_h < 0 || at->pad_w < 0 || at->dilation_h < 1 ||
        at->dilation_w < 1 || at->groups < 1)
        return tare_op_error(a, TARE_BAD_ARGUMENT,
                             "stride %lld,%lld, padding %lld,%lld, dilation %lld,%lld, groups %lld (need at least 1,1, "
                             "0,0, 1,1, 1)",
                             (long long)at->stride_h, (long long)at->stride_w, (long long)at->pad_h,
                             (long long)at->pad_w, (long long)at->dilation_h, (long long)at->dilation_w,
                             (long long)at->groups);
    if (x->dim[1] % at->groups || w->dim[0] % at->groups)
        return tare_op_error(a, TARE_BAD_SHAPE, "%lld groups do not divide x%s and w%s (need x.dim(1) and w.dim(0) to)",
                             (long long)at->groups, tare_desc_text(x, tx), tare_desc_text(w, tw));
    if (w->dim[1] != x->dim[1] / at->groups)
        return tare_op_error(a, TARE_BAD_SHAPE, "channels differ: x%s, w%s, groups %lld (need w.dim(1) == %lld)",
                             tare_desc_text(x, tx), tare_desc_text(w, tw), (long long)at->groups,
                             (long long)(x->dim[1] / at->groups));
    if (w->dim[2] < 1 || w->dim[3] < 1)
        return tare_op_error(a, TARE_BAD_SHAPE, "the kernel of w%s is empty", tare_desc_text(w, tw));
    int64_t oh = outputs_along(x->dim[2], w->dim[2], at->stride_h, at->pad_h, at->dilation_h);
    int64_t ow = outputs_along(x->dim[3], w->dim[3], at->stride_w, at->pad_w, at->dilation_w);
    if (oh == 0 || ow == 0)
        return tare_op_error(a, TARE_BAD_SHAPE,
                             "the kernel of w%s, dilated by %lld,%lld, does not fit into x%s padded by %lld,%lld",
                             tare_desc_text(w, tw), (long long)at->dilation_h, (long long)at->dilation_w,
                             tare_desc_text(x, tx), (long long)at->pad_h, (long long)at->pad_w);
    *y = tare_desc_of((tare_dtype)x->dtype, 4, (const int64_t[]){x->dim[0], w->dim[0], oh, ow});
    status = tare_desc_check(y);
    return status == TARE_OK ? check_images(a, y, "the result", "") : status;
}

static tare_status infer_conv2d(const tare_args *a, const tare_desc_out *out)
{
    char text[TARE_DESC_TEXT], tw[TARE_DESC_TEXT];
    const tare_desc *x = a->in[0], *w = a->in[1], *b = a->in[2];
    tare_status status = result_of(a, x, w, out[0]);
    if (status == TARE_OK && b && (b->dtype != x->dtype || b->rank != 1 || b->dim[0] != w->dim[0]))
        return tare_op_error(a, TARE_BAD_SHAPE, "bias is %s %s for w%s (need %s [%lld])", tare_dtype_name(b->dtype),
                             tare_desc_text(b, text), tare_desc_text(w, tw), tare_dtype_name(x->dtype),
                             (long long)w->dim[0]);
    return status;
}

/* dy must look like the result; the gradient looks like `of`. */
static tare_status infer_gradient(const tare_args *a, const tare_conv_operands *o, const tare_desc *of, tare_desc *out)
{
    char ty[TARE_DESC_TEXT], text[TARE_DESC_TEXT];
    tare_desc y;
    tare_status status = check_images(a, o->y, "dy", "[N,K,OH,OW]");
    if (status == TARE_OK)
        status = result_of(a, o->x, o->w, &y);
    if (status != TARE_OK)
        return status;
    if (!tare_desc_same_shape(&y, o->y))
        return tare_op_error(a, TARE_BAD_SHAPE, "dy is %s, the convolution's result %s (need the same)",
                             tare_desc_text(o->y, ty), tare_desc_text(&y, text));
    tare_desc_like(out, of);
    return TARE_OK;
}

static tare_status infer_conv2d_grad_data(const tare_args *a, const tare_desc_out *out)
{
    tare_conv_operands o = tare_conv_to_data(a);
    return infer_gradient(a, &o, o.x, out[0]);
}

static tare_status infer_conv2d_grad_weight(const tare_args *a, const tare_desc_out *out)
{
    tare_conv_operands o = tare_conv_to_weight(a);
    return infer_gradient(a, &o, o.w, out[0]);
}

static double conv2d_flops(const tare_args *a, const tare_desc_ref *out)
{
    tare_conv_operands o = tare_conv_forward(a, out);
    return flops_of(&o);
}

static double conv2d_grad_data_flops(const tare_args *a, const tare_desc_ref *out)
{
    (void)out;
    tare_conv_operands o = tare_conv_to_data(a);
    return flops_of(&o);
}

static double conv2d_grad_weight_flops(const tare_args *a, const tare_desc_ref *out)
{
    (void)out;
    tare_conv_operands o = tare_conv_to_weight(a);
    return flops_of(&o);
}

/* ---- gradients --------------------------------------------------------------------------------------------------*/
/* Each of the three from the other two, by the node's own attributes. */
static tare_value *result(const tare_builder *b, tare_value *x, tare_value *w)
{
    return tare_apply1(b->mode, &tare_op_conv2d, b->node->attr, (tare_value *const[]){x, w, NULL}, 3);
}
static tare_value *to_data(const tare_builder *b, tare_value *dy, tare_value *w, tare_value *x)
{
    return tare_apply1(b->mode, &tare_op_conv2d_grad_data, b->node->attr, (tare_value *const[]){dy, w, x}, 3);
}
static tare_value *to_weight(const tare_builder *b, tare_value *dy, tare_value *x, tare_value *w)
{
    return tare_apply1(b->mode, &tare_op_conv2d_grad_weight, b->node->attr, (tare_value *const[]){dy, x, w}, 3);
}

static void conv2d_gradient(tare_builder *b)
{
    tare_value *dy = tare_head(b, 0), *x = tare_input(b, 0), *w = tare_input(b, 1);
    if (tare_wanted(b, 0))
        tare_contribute(b, 0, to_data(b, dy, w, x));
    if (tare_wanted(b, 1))
        tare_contribute(b, 1, to_weight(b, dy, x, w));
    if (tare_wanted(b, 2))
        tare_contribute(b, 2, tare_sum(b->mode, dy, (tare_sum_attr){.axes = {3, {0, 2, 3}}}));
}

static void conv2d_grad_data_gradient(tare_builder *b)
{
    tare_value *head = tare_head(b, 0), *dy = tare_input(b, 0), *w = tare_input(b, 1);
    if (tare_wanted(b, 0))
        tare_contribute(b, 0, result(b, head, w));
    if (tare_wanted(b, 1))
        tare_contribute(b, 1, to_weight(b, dy, head, w));
}

static void conv2d_grad_weight_gradient(tare_builder *b)
{
    tare_value *head = tare_head(b, 0), *dy = tare_input(b, 0), *x = tare_input(b, 1);
    if (tare_wanted(b, 0))
        tare_contribute(b, 0, result(b, x, head));
    if (tare_wanted(b, 1))
        tare_contribute(b, 1, to_data(b, dy, head, x));
}

/* ---- records ----------------------------------------------------------------------------------------------------*/
#define FIELD(name_, low_, high_, normal_, doc_)                                                                       \
    {                                                                                                                  \
#name_, TARE_ATTR_INT, offsetof(tare_conv_attr, name_), low_, high_, normal_, doc_                             \
    }
static const tare_attr conv_attrs[] = {
    FIELD(stride_h, 1, 65536, "1", "rows from output to output"),
    FIELD(stride_w, 1, 65536, "1", "columns from output to output"),
    FIELD(pad_h, 0, 65536, "0", "rows of zeros above and below"),
    FIELD(pad_w, 0, 65536, "0", "columns of zeros on the left and on the right"),
    FIELD(dilation_h, 1, 65536, "1", "rows from tap to tap"),
    FIELD(dilation_w, 1, 65536, "1", "columns from tap to tap"),
    FIELD(groups, 1, 1 << 30, "1", "that divide the channels, each convolved by itself"),
};
#define CONV_ATTRS .attrs = conv_attrs, .n_attrs = TARE_COUNT_OF(conv_attrs), .attr_bytes = sizeof(tare_conv_attr)

/* A family of native variants that some shapes fit; further fields follow. */
#define CONV_FAMILY(op, family, ...)                                                                                   \
    TARE_NATIVE(op##_##family, #family "_", .dtypes = TARE_BIT(TARE_F32), .fits = tare__##op##_##family##_fits,        \
                .prepare = tare__prepare_##op##_##family, __VA_ARGS__)
/* The same of the set that computes 3x3 kernels by minimal filtering. F(2x2): at most 1e-5 off the reference by norms,
 * F(4x4): 1e-4 (Lavin and Gray's; tests/test_winograd.c). */
#define CONV_WINOGRAD(op, m, tolerance_, ...)                                                                          \
    TARE_NATIVE(op##_winograd, "winograd" #m "_", .set = TARE_SET_WINOGRAD, .tolerance = tolerance_,                   \
                .dtypes = TARE_BIT(TARE_F32), .fits = tare__##op##_winograd##m##_fits,                                 \
                .prepare = tare__prepare_##op##_winograd##m, __VA_ARGS__)
#define CONV_WINOGRADS(op, ...) CONV_WINOGRAD(op, 4, 1e-4, __VA_ARGS__), CONV_WINOGRAD(op, 2, 1e-5, __VA_ARGS__)
/* The families, then what takes every shape: columns, the reference. `im2col_`: a field more of the former. */
#define CONV_VARIANTS(op, im2col_, ...)                                                                                \
    .variants =                                                                                                        \
        (const tare_variant[]){__VA_ARGS__,                                                                            \
                               TARE_NATIVE(op##_im2col, "im2col_", .dtypes = TARE_BIT(TARE_F32),                       \
                                           .prepare = tare__prepare_##op##_im2col, im2col_),                           \
                               TARE_REFERENCE(tare__##op##_reference, .prepare = tare__prepare_##op##_reference)},     \
    .n_variants = TARE_COUNT_OF(((const tare_variant[]){__VA_ARGS__})) + TARE_N_NATIVE + 1

/* Windows of every kind, small; `x` and `w` in the operator's order. */
#define CONV_SAMPLES(SHAPES)                                                                                           \
    {TARE_SAMPLE_CHECK, SHAPES("[2,3,6,7]", "[4,3,3,3]", "[2,4,4,5]", "f32[4]"), NULL, NULL},                          \
        {TARE_SAMPLE_CHECK, SHAPES("[3,1,12,12]", "[6,1,5,5]", "[3,6,8,8]", "f32[6]"), NULL, NULL},                    \
        {TARE_SAMPLE_CHECK, SHAPES("[2,2,5,40]", "[3,2,3,2]", "[2,3,5,39]", "-"), "pad_h=1", NULL},                    \
        {TARE_SAMPLE_CHECK, SHAPES("[2,2,9,8]", "[5,2,3,3]", "[2,5,5,3]", "f32[5]"),                                   \
         "stride_h=2,stride_w=3,pad_h=1,pad_w=1", NULL},                                                               \
        {TARE_SAMPLE_CHECK, SHAPES("[1,4,9,9]", "[6,2,2,3]", "[1,6,8,5]", "-"), "dilation_w=3,pad_w=1,groups=2",       \
         NULL},                                                                                                        \
        {TARE_SAMPLE_CHECK, SHAPES("[2,4,5,5]", "[4,1,3,3]", "[2,4,5,5]", "f32[4]"), "pad_h=1,pad_w=1,groups=4",       \
         NULL},                                                                                                        \
        {TARE_SAMPLE_CHECK, SHAPES("[2,5,4,5]", "[7,5,1,1]", "[2,7,4,5]", "f32[7]"), NULL, NULL},                      \
        {TARE_SAMPLE_CHECK, SHAPES("[2,1,1,1]", "[2,1,2,2]", "[2,2,4,4]", "-"), "pad_h=2,pad_w=2", NULL},              \
        {TARE_SAMPLE_CHECK, SHAPES("[0,2,5,5]", "[3,2,3,3]", "[0,3,3,3]", "f32[3]"), NULL, NULL},                      \
        {TARE_SAMPLE_CHECK, SHAPES("[2,0,5,5]", "[3,0,3,3]", "[2,3,3,3]", "f32[3]"), NULL, NULL},                      \
        {TARE_SAMPLE_CHECK, SHAPES("[17,6,12,12]", "[16,6,3,3]", "[17,16,10,10]", "f32[16]"), NULL, NULL},             \
        {TARE_SAMPLE_CHECK, SHAPES("[7,5,3,3]", "[9,5,3,3]", "[7,9,3,3]", "f32[9]"), "pad_h=1,pad_w=1", NULL},         \
        {TARE_SAMPLE_CHECK, SHAPES("[1,90,3,5]", "[5,90,3,3]", "[1,5,3,5]", "f32[5]"), "pad_h=1,pad_w=1", NULL},       \
        {TARE_SAMPLE_CHECK, SHAPES("[3,200,3,5]", "[9,200,1,1]", "[3,9,3,5]", "f32[9]"), NULL, NULL},                  \
        {TARE_SAMPLE_CHECK, SHAPES("[1,2,9,75]", "[3,2,5,5]", "[1,3,3,18]", "-"), "stride_h=4,stride_w=4,pad_h=2",     \
         NULL},                                                                                                        \
        {TARE_SAMPLE_CHECK, SHAPES("[2,2,9,41]", "[3,2,3,3]", "[2,3,5,21]", "f32[3]"),                                 \
         "stride_h=2,stride_w=2,pad_h=1,pad_w=1", NULL},                                                               \
        {TARE_SAMPLE_CHECK, SHAPES("[1,3,6,6]", "[4,3,1,1]", "[1,4,3,3]", "f32[4]"), "stride_h=2,stride_w=2", NULL},   \
        {TARE_SAMPLE_CHECK, SHAPES("[2,200,5,37]", "[24,200,1,1]", "[2,24,3,19]", "f32[24]"), "stride_h=2,stride_w=2", \
         NULL},                                                                                                        \
        {TARE_SAMPLE_CHECK, SHAPES("[2,24,5,37]", "[200,24,1,1]", "[2,200,3,19]", "-"), "stride_h=2,stride_w=2",       \
         NULL},                                                                                                        \
        {TARE_SAMPLE_CHECK, SHAPES("[3,6,7,5]", "[8,3,1,1]", "[3,8,3,5]", "f32[8]"), "stride_h=3,groups=2", NULL},     \
        {TARE_SAMPLE_CHECK, SHAPES("[1,32,12,12]", "[72,32,3,3]", "[1,72,12,12]", "f32[72]"), "pad_h=1,pad_w=1",       \
         NULL},                                                                                                        \
        {TARE_SAMPLE_CHECK, SHAPES("[1,64,48,48]", "[2,64,3,3]", "[1,2,48,48]", "f32[2]"), "pad_h=1,pad_w=1", NULL},   \
        {TARE_SAMPLE_CHECK, SHAPES("[6,24,9,11]", "[24,24,3,3]", "[6,24,11,13]", "f32[24]"), "pad_h=2,pad_w=2", NULL}, \
        {TARE_SAMPLE_CHECK, SHAPES("[32,64,2,2]", "[64,64,3,3]", "[32,64,2,2]", "f32[64]"), "pad_h=1,pad_w=1", NULL},  \
        {TARE_SAMPLE_CHECK, SHAPES("[31,17,3,4]", "[18,17,3,2]", "[31,18,3,5]", "f32[18]"), "pad_h=1,pad_w=1", NULL},  \
        {TARE_SAMPLE_CHECK, SHAPES("[16,48,5,4]", "[21,48,3,3]", "[16,21,5,4]", "f32[21]"),                            \
         "pad_h=2,pad_w=2,dilation_h=2,dilation_w=2", NULL},                                                           \
        {TARE_SAMPLE_CHECK, SHAPES("[3,32,7,6]", "[32,16,3,3]", "[3,32,4,3]", "-"),                                    \
         "stride_h=2,stride_w=2,pad_h=1,pad_w=1,groups=2", NULL},                                                      \
        {TARE_SAMPLE_CHECK, SHAPES("[128,16,2,3]", "[16,16,3,3]", "[128,16,2,3]", "-"), "pad_h=1,pad_w=1", NULL},      \
        {TARE_SAMPLE_CHECK, SHAPES("[9,6,11,11]", "[29,6,5,5]", "[9,29,11,11]", "f32[29]"), "pad_h=2,pad_w=2", NULL},  \
        {TARE_SAMPLE_CHECK, SHAPES("[1,16,70,67]", "[16,16,4,3]", "[1,16,34,31]", "f32[16]"),                          \
         "stride_h=2,stride_w=2,dilation_w=3", NULL},                                                                  \
        {TARE_SAMPLE_CHECK, SHAPES("[2,16,30,29]", "[15,16,4,3]", "[2,15,37,33]", "-"), "pad_h=5,pad_w=3", NULL},      \
        {TARE_SAMPLE_CHECK, SHAPES("[3,16,15,14]", "[32,16,3,3]", "[3,32,8,7]", "f32[32]"),                            \
         "stride_h=2,stride_w=2,pad_h=1,pad_w=1", NULL},                                                               \
        {TARE_SAMPLE_CHECK, SHAPES("[2,29,20,16]", "[64,29,2,2]", "[2,64,6,8]", "-"),                                  \
         "stride_h=3,stride_w=2,dilation_h=2", NULL},                                                                  \
        {TARE_SAMPLE_CHECK, SHAPES("[2,3,9,37]", "[6,1,3,3]", "[2,6,5,19]", "f32[6]"),                                 \
         "stride_h=2,stride_w=2,pad_h=1,pad_w=1,groups=3", NULL},                                                      \
        {TARE_SAMPLE_CHECK, SHAPES("[1,2,6,50]", "[2,1,5,4]", "[1,2,2,17]", "-"),                                      \
         "stride_w=3,pad_w=3,dilation_w=2,groups=2", NULL},                                                            \
        {TARE_SAMPLE_CHECK, SHAPES("[2,3,5,9]", "[3,1,3,3]", "[2,3,3,7]", "f32[3]"), "groups=3", NULL},                \
        {TARE_SAMPLE_CHECK, SHAPES("[1,2,3,18]", "[2,1,3,3]", "[1,2,5,20]", "-"), "pad_h=2,pad_w=2,groups=2", NULL},   \
        {TARE_SAMPLE_CHECK, SHAPES("[1,12,41,41]", "[12,1,3,3]", "[1,12,41,41]", "f32[12]"),                           \
         "pad_h=1,pad_w=1,groups=12", NULL},                                                                           \
        {TARE_SAMPLE_BENCH, SHAPES("[16,32,56,56]", "[32,1,3,3]", "[16,32,56,56]", "f32[32]"),                         \
         "pad_h=1,pad_w=1,groups=32", NULL},                                                                           \
        {TARE_SAMPLE_BENCH, SHAPES("[200,1,28,28]", "[6,1,5,5]", "[200,6,24,24]", "f32[6]"), NULL, NULL},              \
        {TARE_SAMPLE_BENCH, SHAPES("[200,6,12,12]", "[16,6,3,3]", "[200,16,10,10]", "f32[16]"), NULL, NULL},           \
        {TARE_SAMPLE_BENCH, SHAPES("[64,1,28,28]", "[20,1,5,5]", "[64,20,24,24]", "f32[20]"), NULL, NULL},             \
    {                                                                                                                  \
        TARE_SAMPLE_BENCH, SHAPES("[64,20,12,12]", "[50,20,5,5]", "[64,50,8,8]", "f32[50]"), NULL, NULL                \
    }

/* Bad ones: every rule of inference. */
#define CONV_REJECTS(SHAPES)                                                                                           \
    {TARE_SAMPLE_REJECT, SHAPES("[1,1,4,4]", "[1,1,5,2]", "[1,1,1,3]", "-"), NULL,                                     \
     "the kernel of w[1,1,5,2], dilated by 1,1, does not fit into x[1,1,4,4] padded by 0,0"},                          \
        {TARE_SAMPLE_REJECT, SHAPES("[1,1,4,4]", "[1,1,2,2]", "[1,1,1,1]", "-"), "dilation_w=4", "does not fit"},      \
        {TARE_SAMPLE_REJECT, SHAPES("[1,4,4,4]", "[4,1,2,2]", "[1,4,3,3]", "-"), "groups=3",                           \
         "3 groups do not divide"},                                                                                    \
        {TARE_SAMPLE_REJECT, SHAPES("[1,4,4,4]", "[4,4,2,2]", "[1,4,3,3]", "-"), "groups=2",                           \
         "channels differ: x[1,4,4,4], w[4,4,2,2], groups 2 (need w.dim(1) == 2)"},                                    \
        {TARE_SAMPLE_REJECT, SHAPES("[1,1,4,4]", "[1,1,0,2]", "[1,1,1,1]", "-"), NULL,                                 \
         "the kernel of w[1,1,0,2] is empty"},                                                                         \
        {TARE_SAMPLE_REJECT, SHAPES("[1,4,4]", "[4,1,2,2]", "[1,4,3,3]", "-"), NULL, "x is [1,4,4] (need [N,C,H,W])"}, \
        {TARE_SAMPLE_REJECT, SHAPES("[1,1,4,4]", "[1,2,2]", "[1,1,3,3]", "-"), NULL,                                   \
         "w is [1,2,2] (need [K,C/groups,R,S])"},                                                                      \
        {TARE_SAMPLE_REJECT, SHAPES("[1,1,4,4]", "[1,1,2,2]", "[1,1,3,3]", "-"), "stride_h=0", "stride_h is 0"},       \
        {TARE_SAMPLE_REJECT, SHAPES("[1,1,4,4]", "[1,1,2,2]", "[1,1,3,3]", "-"), "stride_w=-1", "stride_w is -1"},     \
        {TARE_SAMPLE_REJECT, SHAPES("[1,1,4,4]", "[1,1,2,2]", "[1,1,3,3]", "-"), "pad_h=-1", "pad_h is -1"},           \
    {                                                                                                                  \
        TARE_SAMPLE_REJECT, SHAPES("[1,1,4,4]", "[1,1,2,2]", "[1,1,3,3]", "-"), "groups=0", "groups is 0"              \
    }

#define FORWARD_SHAPES(x, w, y, b) "f32" x " f32" w " " b
#define DATA_SHAPES(x, w, y, b)    "f32" y " f32" w " f32" x
#define WEIGHT_SHAPES(x, w, y, b)  "f32" y " f32" x " f32" w

const tare_op tare_op_conv2d = {
    .name = "conv2d",
    .doc =
        "y[n,k,oh,ow] = b[k] + sum over c, r, s of w[k,c,r,s] x[n,c,ih,iw], ih = oh stride_h - pad_h + r dilation_h, "
        "iw likewise, zeros outside; x [N,C,H,W], w [K,C/groups,R,S], b [K] or absent, y [N,K,OH,OW]",
    .n_in = 3,
    .n_out = 1,
    .optional = 1u << 2,
    CONV_ATTRS,
    .infer = infer_conv2d,
    .gradient = conv2d_gradient,
    .needs_in = 1u << 0 | 1u << 1,
    .flops = conv2d_flops,
    CONV_VARIANTS(conv2d, .combine = NULL, CONV_WINOGRADS(conv2d, .combine = NULL),
                  CONV_FAMILY(conv2d, depthwise, .combine = NULL), CONV_FAMILY(conv2d, chwn, .combine = NULL),
                  CONV_FAMILY(conv2d, single, .combine = NULL), CONV_FAMILY(conv2d, turned, .combine = NULL),
                  CONV_FAMILY(conv2d, lowered, .combine = NULL)),
    TARE_SAMPLES(CONV_SAMPLES(FORWARD_SHAPES), CONV_REJECTS(FORWARD_SHAPES),
                 {TARE_SAMPLE_REJECT, "f32[1,1,4,4] f32[2,1,2,2] f32[3]", NULL, "need float32 [2]"},
                 {TARE_SAMPLE_REJECT, "f32[0,1,65536,65536] f32[2,1,2,2] -", NULL, "need planes below 2^31 elements"},
                 {TARE_SAMPLE_REJECT, "f32[0,1,40000,40000] f32[2,1,2,2] -", "pad_h=9000,pad_w=9000",
                  "the result is [0,2,57999,57999] (need planes"},
                 {TARE_SAMPLE_REJECT, "f32[1,1,4,4] f64[2,1,2,2] -", NULL, "w is float64, input 0 is float32"},
                 {TARE_SAMPLE_REJECT, "i32[1,1,4,4] i32[2,1,2,2] -", NULL, "x is int32 (need float32 or float64)"}),
    .tolerance = 2e-6,
};

const tare_op tare_op_conv2d_grad_data = {
    .name = "conv2d_grad_data",
    .doc = "conv2d's gradient to its data: dx[n,c,ih,iw] = sum over k, r, s of w[k,c,r,s] dy[n,k,oh,ow]; dy "
           "[N,K,OH,OW], w "
           "[K,C/groups,R,S], x (only its shape counts) and dx [N,C,H,W]",
    .n_in = 3,
    .n_out = 1,
    .shape_only = 1u << 2,
    CONV_ATTRS,
    .infer = infer_conv2d_grad_data,
    .gradient = conv2d_grad_data_gradient,
    .needs_in = 1u << 0 | 1u << 1,
    .flops = conv2d_grad_data_flops,
    CONV_VARIANTS(conv2d_grad_data, .tile = tare__conv2d_grad_data_tile,
                  CONV_WINOGRADS(conv2d_grad_data, .combine = NULL),
                  CONV_FAMILY(conv2d_grad_data, depthwise, .combine = NULL),
                  CONV_FAMILY(conv2d_grad_data, chwn, .tile = tare__conv2d_grad_data_chwn_tile),
                  CONV_FAMILY(conv2d_grad_data, single, .tile = tare__conv2d_grad_data_single_tile),
                  CONV_FAMILY(conv2d_grad_data, turned, .tile = tare__conv2d_grad_data_turned_tile),
                  CONV_FAMILY(conv2d_grad_data, lowered, .tile = tare__conv2d_grad_data_lowered_tile),
                  CONV_FAMILY(conv2d_grad_data, raised, .tile = tare__conv2d_grad_data_tile)),
    TARE_SAMPLES(CONV_SAMPLES(DATA_SHAPES), CONV_REJECTS(DATA_SHAPES),
                 {TARE_SAMPLE_REJECT, "f32[1,2,4,4] f32[2,1,2,2] f32[1,1,4,4]", NULL,
                  "dy is [1,2,4,4], the convolution's result [1,2,3,3] (need the same)"}),
    .tolerance = 2e-6,
};

const tare_op tare_op_conv2d_grad_weight = {
    .name = "conv2d_grad_weight",
    .doc = "conv2d's gradient to its weights: dw[k,c,r,s] = sum over n, oh, ow of dy[n,k,oh,ow] x[n,c,ih,iw]; dy "
           "[N,K,OH,OW], "
           "x [N,C,H,W], w (only its shape counts) and dw [K,C/groups,R,S]",
    .n_in = 3,
    .n_out = 1,
    .shape_only = 1u << 2,
    CONV_ATTRS,
    .infer = infer_conv2d_grad_weight,
    .gradient = conv2d_grad_weight_gradient,
    .needs_in = 1u << 0 | 1u << 1,
    .flops = conv2d_grad_weight_flops,
    CONV_VARIANTS(conv2d_grad_weight, .combine = tare__conv_combine,
                  CONV_WINOGRADS(conv2d_grad_weight, .combine = tare__conv_combine),
                  CONV_FAMILY(conv2d_grad_weight, depthwise, .combine = NULL),
                  CONV_FAMILY(conv2d_grad_weight, panel, .combine = tare__conv_combine),
                  CONV_FAMILY(conv2d_grad_weight, lowered, .combine = tare__conv_combine)),
    TARE_SAMPLES(CONV_SAMPLES(WEIGHT_SHAPES), CONV_REJECTS(WEIGHT_SHAPES)),
    .tolerance = 2e-6,
};

#endif
