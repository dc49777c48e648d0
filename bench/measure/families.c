/* families.c - the table of families, and their spellings (see families.h). */
#include "families.h"

#include <string.h>

#include "../../ops/ops.h"

/* ---- spellings: each one result -------------------------------------------------------------------------------*/

static const tare_ints none = {0};

static tare_value *row(tare_mode *m, tare_value *x)
{
    return tare_reshape(m, x, (tare_reshape_attr){{2, {1, x->d.dim[0]}}});
}

static tare_value *scalar(tare_mode *m, tare_value *x)
{
    return tare_reshape(m, x, (tare_reshape_attr){{0}});
}

static tare_value *turned(tare_mode *m, tare_value *x)
{
    return tare_transpose(m, x, (tare_transpose_attr){{2, {1, 0}}});
}

static tare_value *sum(tare_mode *m, tare_value *x)
{
    return tare_sum(m, x, (tare_sum_attr){none, false});
}

static tare_value *dot_matmul(tare_mode *m, tare_value *const *in)
{
    return scalar(m, tare_matmul(m, row(m, in[0]), row(m, in[1]), (tare_matmul_attr){false, true}));
}

static tare_value *dot_dense(tare_mode *m, tare_value *const *in)
{
    return scalar(m, tare_dense(m, row(m, in[0]), row(m, in[1]), NULL));
}

static tare_value *dot_mul_sum(tare_mode *m, tare_value *const *in)
{
    return sum(m, tare_mul(m, in[0], in[1]));
}

static tare_value *square_matmul(tare_mode *m, tare_value *const *in)
{
    return tare_matmul(m, in[0], in[1], (tare_matmul_attr){false, false});
}

static tare_value *square_dense(tare_mode *m, tare_value *const *in)
{
    return tare_dense(m, in[0], turned(m, in[1]), NULL);
}

/* b as n filters of one tap over n channels, a as one image whose pixels are the rows of the product. */
static tare_value *square_conv(tare_mode *m, tare_value *const *in)
{
    const int64_t n = in[0]->d.dim[0];
    tare_value *x = tare_reshape(m, tare_copy(m, turned(m, in[0])), (tare_reshape_attr){{4, {1, n, 1, n}}});
    tare_value *w = tare_reshape(m, tare_copy(m, turned(m, in[1])), (tare_reshape_attr){{4, {n, n, 1, 1}}});
    tare_conv2d_attr attr = {.stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1, .groups = 1};
    tare_value *y = tare_conv2d(m, x, w, NULL, attr);
    return turned(m, tare_reshape(m, y, (tare_reshape_attr){{2, {n, n}}}));
}

static tare_value *square_turned(tare_mode *m, tare_value *const *in)
{
    return tare_matmul(m, in[0], tare_copy(m, turned(m, in[1])), (tare_matmul_attr){false, true});
}

static tare_value *flat_view(tare_mode *m, tare_value *const *in)
{
    return tare_reshape(m, in[0], (tare_reshape_attr){{1, {in[0]->d.dim[0] * in[0]->d.dim[1]}}});
}

static tare_value *flat_copy(tare_mode *m, tare_value *const *in)
{
    return tare_copy(m, flat_view(m, in));
}

static tare_value *l2_normalised(tare_mode *m, tare_value *const *in)
{
    return tare_l2_normalise(m, in[0], (tare_l2_normalise_attr){none, 1e-12});
}

static tare_value *l2_by_norm(tare_mode *m, tare_value *const *in)
{
    return tare_div(m, in[0], tare_l2_norm(m, in[0], (tare_l2_norm_attr){none, false}));
}

static tare_value *l2_by_parts(tare_mode *m, tare_value *const *in)
{
    return tare_div(m, in[0], tare_sqrt(m, sum(m, tare_mul(m, in[0], in[0]))));
}

/* softmax(q kT / 8) v; q, k, v [n,64] */
static tare_value *attention(tare_mode *m, tare_value *const *in)
{
    tare_value *scores = tare_matmul(m, in[0], in[1], (tare_matmul_attr){false, true});
    tare_value *weights = tare_softmax(m, tare_scale(m, scores, (tare_scale_attr){0.125}), (tare_softmax_attr){1});
    return tare_matmul(m, weights, in[2], (tare_matmul_attr){false, false});
}

/* The same with q scaled, which has fewer elements than the scores, and with a transposed copy. */
static tare_value *attention_query(tare_mode *m, tare_value *const *in)
{
    tare_value *q = tare_scale(m, in[0], (tare_scale_attr){0.125});
    tare_value *scores = tare_matmul(m, q, tare_copy(m, turned(m, in[1])), (tare_matmul_attr){false, false});
    return tare_matmul(m, tare_softmax(m, scores, (tare_softmax_attr){1}), in[2], (tare_matmul_attr){false, false});
}

static tare_value *attention_elementary(tare_mode *m, tare_value *const *in)
{
    tare_value *scores = tare_matmul(m, in[0], in[1], (tare_matmul_attr){false, true});
    tare_value *e = tare_exp(m, tare_scale(m, scores, (tare_scale_attr){0.125}));
    tare_value *total = tare_sum(m, e, (tare_sum_attr){{1, {1}}, true});
    return tare_div(m, tare_matmul(m, e, in[2], (tare_matmul_attr){false, false}), total);
}

/* ---- the table ------------------------------------------------------------------------------------------------*/

/* From an array of the same type, and of the one that a list of numbers in another language is. */
static const tare__spelling tensor[] = {{"copy", "f32[n]", NULL, NULL}, {"cast", "f64[n]", NULL, "dtype=float32"}, {0}};
static const tare__spelling activations[] = {
    {"sigmoid", "f32[n]<-4,4>", NULL, NULL},  {"relu", "f32[n]<-4,4>", NULL, NULL},
    {"tanh", "f32[n]<-4,4>", NULL, NULL},     {"softsign", "f32[n]<-4,4>", NULL, NULL},
    {"softplus", "f32[n]<-4,4>", NULL, NULL}, {0}};
#define DOT "f32[n] f32[n]"
static const tare__spelling dots[] = {{"dot", DOT, NULL, NULL},
                                      {"matmul 1xn nx1", DOT, dot_matmul, NULL},
                                      {"dense 1xn", DOT, dot_dense, NULL},
                                      {"mul + sum", DOT, dot_mul_sum, NULL},
                                      {0}};
#define SQUARE "f32[n,n] f32[n,n]"
static const tare__spelling squares[] = {{"matmul", SQUARE, square_matmul, NULL},
                                         {"matmul, transposed copy", SQUARE, square_turned, NULL},
                                         {"dense", SQUARE, square_dense, NULL},
                                         {"conv2d 1x1", SQUARE, square_conv, NULL},
                                         {0}};
static const tare__spelling flats[] = {
    {"view", "f32[n,n]", flat_view, NULL}, {"copy", "f32[n,n]", flat_copy, NULL}, {0}};
static const tare__spelling norms[] = {{"l2_normalise", "f32[n,n]", l2_normalised, NULL},
                                       {"x / l2_norm", "f32[n,n]", l2_by_norm, NULL},
                                       {"x / sqrt(sum(x x))", "f32[n,n]", l2_by_parts, NULL},
                                       {0}};
#define HEADS "f32[n,64] f32[n,64] f32[n,64]"
static const tare__spelling attentions[] = {{"matmul, softmax, matmul", HEADS, attention, NULL},
                                            {"query scaled, key copied", HEADS, attention_query, NULL},
                                            {"exp, sum, div", HEADS, attention_elementary, NULL},
                                            {0}};
/* VGG for CIFAR: [64,64]P[128,128]P[256x3]P[512x3]P; n is the batch. */
#define SAME "pad_h=1,pad_w=1"
static const tare__spelling layers[] = {{"conv2d", "f32[n,3,32,32] f32[64,3,3,3] f32[64]", NULL, SAME},
                                        {"conv2d", "f32[n,64,32,32] f32[64,64,3,3] f32[64]", NULL, SAME},
                                        {"conv2d", "f32[n,64,16,16] f32[128,64,3,3] f32[128]", NULL, SAME},
                                        {"conv2d", "f32[n,128,16,16] f32[128,128,3,3] f32[128]", NULL, SAME},
                                        {"conv2d", "f32[n,128,8,8] f32[256,128,3,3] f32[256]", NULL, SAME},
                                        {"conv2d", "f32[n,256,8,8] f32[256,256,3,3] f32[256]", NULL, SAME},
                                        {"conv2d", "f32[n,256,4,4] f32[512,256,3,3] f32[512]", NULL, SAME},
                                        {"conv2d", "f32[n,512,4,4] f32[512,512,3,3] f32[512]", NULL, SAME},
                                        {"max_pool2d", "f32[n,64,32,32]", NULL, NULL},
                                        {"dense", "f32[n,2048] f32[512,2048] f32[512]", NULL, NULL},
                                        {0}};

const tare__family tare__families[] = {
    {"tensor", "a tensor from an array", "elements", 20000, 95000, 15000, tensor, true},
    {"activation", "activation functions", "elements", 500, 57500, 9500, activations, true},
    {"dot", "the dot product of two vectors", "elements of a vector", 1000, 91000, 15000, dots, false},
    {"matmul", "the product of two square matrices", "rows", 50, 550, 100, squares, false},
    {"flatten", "a square matrix as a vector", "rows", 50, 550, 100, flats, false},
    {"l2", "a square matrix divided by its L2 norm", "rows", 50, 450, 100, norms, false},
    {"attention", "softmax(q kT / 8) v; q, k, v [n,64]", "rows", 512, 1024, 512, attentions, false},
    {"vgg", "layers of VGG for CIFAR", "batch", 16, 128, 112, layers, true},
    {0},
};

char *tare__operands_sized(const char *text, int64_t size)
{
    char *sized = NULL;
    size_t bytes;
    FILE *out = tare__text_begin(&sized, &bytes);
    for (const char *c = text; *c; ++c)
        if (*c == 'n' && c != text && (c[-1] == '[' || c[-1] == ',') && (c[1] == ']' || c[1] == ','))
            fprintf(out, "%lld", (long long)size);
        else
            (void)fputc(*c, out);
    tare__text_end(out);
    return sized;
}

static void add_size(tare__points *points, tare_runtime *rt, const tare__family *f, int64_t size)
{
    for (const tare__spelling *s = f->spelling; s->name; ++s) {
        tare__point *p = tare__points_add(points);
        p->name = tare__copy_text(s->name);
        p->family = f->name;
        p->size = (double)size;
        p->operands = tare__operands_sized(s->operands, size);
        p->attributes = tare__copy_text(s->attributes ? s->attributes : "");
        p->spell = s->spell;
        p->op = s->spell ? NULL : tare_find(rt, TARE_KIND_OPERATOR, s->name);
    }
}

void tare__family_add(tare__points *points, tare_runtime *rt, const tare__family *f, const int64_t *sizes, int n)
{
    for (int i = 0; i < n; ++i)
        add_size(points, rt, f, sizes[i]);
    for (int64_t size = f->from; !sizes && size <= f->to; size += f->step)
        add_size(points, rt, f, size);
}
