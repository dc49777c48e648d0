/* test_winograd.c - minimal filtering of 3x3 kernels: its error on layers of the nets, and where it is taken.
 *
 * The error is ||e||_2 / ||reference||_2 in each direction, the reference in float64: at most 1e-5 for F(2x2,3x3), 1e-4
 * for F(4x4,3x3). */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../bench/derive/kernel_run.h"
#include "../ops/ops.h"
#include "spine.h"

/* Layers of googlenet, resnet50 and alexnet, with a smaller batch: x, w, y. */
static const char *const layers[][3] = {{"f32[2,160,14,14]", "f32[320,160,3,3]", "f32[2,320,14,14]"},
                                        {"f32[3,192,7,7]", "f32[384,192,3,3]", "f32[3,384,7,7]"},
                                        {"f32[1,96,28,28]", "f32[128,96,3,3]", "f32[1,128,28,28]"},
                                        {"f32[1,64,56,56]", "f32[64,64,3,3]", "f32[1,64,56,56]"},
                                        {"f32[1,384,13,13]", "f32[256,384,3,3]", "f32[1,256,13,13]"}};
enum { N_LAYERS = sizeof layers / sizeof *layers, DIRECTIONS = 3 };

static const tare_op *const operators[DIRECTIONS] = {&tare_op_conv2d, &tare_op_conv2d_grad_data,
                                                     &tare_op_conv2d_grad_weight};
/* Operands of each direction: 0 x, 1 w, 2 y, 3 none. */
static const int operand[DIRECTIONS][3] = {{0, 1, 3}, {2, 1, 0}, {2, 0, 1}};

static const char *shapes_of(const char *const layer[3], int direction, char *text)
{
    text[0] = 0;
    for (int i = 0; i < 3; ++i) {
        strcat(text, i ? " " : "");
        strcat(text, operand[direction][i] == 3 ? "-" : layer[operand[direction][i]]);
    }
    return text;
}

static double error_of(const tare__kernel_out *is, const tare__kernel_out *truth)
{
    const float *x = is->data[0];
    const double *y = truth->data[0];
    double e = 0, norm = 0;
    for (int64_t i = 0; i < tare_desc_count(&is->d[0]); ++i) {
        e += ((double)x[i] - y[i]) * ((double)x[i] - y[i]);
        norm += y[i] * y[i];
    }
    return sqrt(e / norm);
}

static void check_layer(const tare_op *op, const char *shapes, tare_isa isa)
{
    const tare_sample of = {TARE_SAMPLE_CHECK, shapes, "pad_h=1,pad_w=1", NULL};
    tare__findings f = {.op = op, .of = &of};
    tare__case s, wide;
    ck_assert(tare__case_init(&s, op, &of, false) && tare__case_init(&wide, op, &of, true));
    tare__kernel_out truth, is;
    tare__kernel_run(&f, &wide, &op->variants[op->n_variants - 1], (tare__manner){0}, &truth);
    int n = 0;
    for (int i = 0; i < op->n_variants; ++i) {
        const tare_variant *v = &op->variants[i];
        if (v->set != TARE_SET_WINOGRAD || v->isa > isa)
            continue;
        tare__kernel_run(&f, &s, v, (tare__manner){0}, &is);
        const double most = strncmp(v->name, "winograd2", 9) == 0 ? 1e-5 : 1e-4, error = error_of(&is, &truth);
        ck_assert_msg(error <= most && error > 0, "%s of %s, %s: off by %.3g", v->name, op->name, shapes, error);
        ++n;
        tare__kernel_out_fini(&is);
    }
    ck_assert_int_ge(n, 2);
    ck_assert_msg(f.n == 0, "%s", f.text);
    tare__kernel_out_fini(&truth);
    tare__case_fini(&s);
    tare__case_fini(&wide);
}

START_TEST(layers_of_nets_are_within_the_bound)
{
    char text[128];
    const int direction = _i % DIRECTIONS;
    tare_runtime *rt;
    ck_assert_int_eq(tare_start(NULL, &rt), TARE_OK);
    const tare_isa isa = rt->isa;
    ck_assert_int_eq(tare_runtime_free(rt), 0);
    check_layer(operators[direction], shapes_of(layers[_i / DIRECTIONS], direction, text), isa);
}
END_TEST

/* The first variant that takes the sample in a runtime of such kernels. */
static const char *taken(tare_kernel_choice kernels, const char *shapes, const char *attr)
{
    const tare_op *op = &tare_op_conv2d;
    const tare_sample of = {TARE_SAMPLE_CHECK, shapes, attr, NULL};
    tare_options options = {.kernels = kernels, .isa_limit = TARE_ISA_COUNT};
    tare_runtime *rt;
    tare__case s;
    const tare_desc *in[3];
    ck_assert_int_eq(tare_start(&options, &rt), TARE_OK);
    ck_assert(tare__case_init(&s, op, &of, false));
    for (int i = 0; i < s.n_in; ++i)
        in[i] = s.present[i] ? &s.d[i] : NULL;
    const tare_args a = {op, s.attr, (const tare_desc_ref *)in, s.n_in, 0, NULL, rt};
    const tare_kernels *k = tare_runtime_kernels(rt, op);
    const char *name = NULL;
    for (int i = 0; i < k->n && !name; ++i)
        if (!k->variant[i].fits || k->variant[i].fits(&a))
            name = k->variant[i].name;
    tare__case_fini(&s);
    ck_assert_int_eq(tare_runtime_free(rt), 0);
    return name;
}

START_TEST(taken_only_where_asked_for_and_where_it_pays)
{
    static const struct {
        const char *shapes, *attr, *variant; /* NULL: no minimal filtering */
    } cases[] = {
        {"f32[16,160,14,14] f32[320,160,3,3] -", "pad_h=1,pad_w=1", "winograd4"},
        {"f32[32,64,2,2] f32[64,64,3,3] -", "pad_h=1,pad_w=1", "winograd2"},
        {"f32[8,40,9,11] f32[40,40,3,3] f32[40]", "pad_h=2,pad_w=2", "winograd4"}, /* in ops_image.json, as those: */
        {"f32[3,50,14,14] f32[72,50,3,3] -", "pad_h=1,pad_w=1", "winograd4"},
        {"f32[2,48,23,17] f32[33,48,3,3] -", "pad_w=1", "winograd4"},
        {"f32[1,64,40,40] f32[24,64,3,3] -", "pad_h=3,pad_w=1", "winograd4"},
        {"f32[9,80,6,6] f32[61,80,3,3] -", "pad_h=1,pad_w=1", "winograd2"},
        {"f32[16,72,7,7] f32[100,72,3,3] -", "pad_h=1,pad_w=1", "winograd4"},
        {"f32[16,160,14,14] f32[320,160,3,3] -", "pad_h=1,pad_w=1,stride_h=2,stride_w=2", NULL},
        {"f32[16,160,14,14] f32[320,160,3,3] -", "pad_h=1,pad_w=1,dilation_h=2", NULL},
        {"f32[16,160,14,14] f32[320,80,3,3] -", "pad_h=1,pad_w=1,groups=2", NULL},
        {"f32[16,160,14,14] f32[320,160,5,5] -", "pad_h=2,pad_w=2", NULL},
        {"f32[16,3,14,14] f32[320,3,3,3] -", "pad_h=1,pad_w=1", NULL},
        {"f32[1,160,3,3] f32[320,160,3,3] -", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        const char *is = taken(TARE_KERNELS_WINOGRAD, cases[i].shapes, cases[i].attr);
        const char *wanted = cases[i].variant ? cases[i].variant : "winograd";
        ck_assert_msg((strncmp(is, wanted, strlen(wanted)) == 0) == (cases[i].variant != NULL), "%s: %s",
                      cases[i].shapes, is);
        ck_assert(strncmp(taken(TARE_KERNELS_NATIVE, cases[i].shapes, cases[i].attr), "winograd", 8) != 0);
        ck_assert(strncmp(taken(TARE_KERNELS_IM2COL, cases[i].shapes, cases[i].attr), "im2col", 6) == 0);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("winograd");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, layers_of_nets_are_within_the_bound, 0, N_LAYERS * DIRECTIONS);
    tcase_add_test(tests, taken_only_where_asked_for_and_where_it_pays);
    return spine_run("winograd", &tests, 1);
}
