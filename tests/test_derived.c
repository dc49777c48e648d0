/* test_derived.c - the derived tests over the whole catalogue, and deliberately wrong operators, whose faults they must
 * find. */
#include <check.h>
#include <stdio.h>

#include "../bench/base/elements.h"
#include "../core/gradient.h"
#include "derived.h"

static int n_operators;

START_TEST(operator_is_what_its_record_says)
{
    tare_runtime *rt;
    tare__findings r;
    ck_assert_int_eq(tare_start(NULL, &rt), TARE_OK);
    const tare_op *op = (const tare_op *)rt->record[TARE_KIND_OPERATOR][_i];
    tare_runtime_free(rt);
    derive(op, &r);
    ck_assert_msg(r.n == 0, "%d faults\n%s", r.n, r.text);
}
END_TEST

/* ---- y = x x, right, and then wrong in one place each
 * ---------------------------------------------------------------*/
static tare_status square_infer(const tare_args *a, const tare_desc_out *out)
{
    if (!tare__floats(a->in[0]->dtype))
        return tare_op_error(a, TARE_BAD_DTYPE, "input 0 is %s (need a floating one)",
                             tare_dtype_name((tare_dtype)a->in[0]->dtype));
    *out[0] = tare_desc_of((tare_dtype)a->in[0]->dtype, a->in[0]->rank, a->in[0]->dim);
    return TARE_OK;
}

static void square_prepare(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    (void)a;
    w->g[0] = tare_desc_count(out[0]);
    w->g[1] = out[0]->dtype;
    w->n_g = 2;
    w->n_pieces = 2;
}

static int square_piece(const tare_call *c, int piece, double factor, bool zero_first)
{
    int64_t half = c->g[0] / 2, end = piece ? c->g[0] : half;
    tare_dtype dtype = (tare_dtype)c->g[1];
    for (int64_t i = piece ? half : 0; i < end; ++i) {
        if (zero_first)
            tare__element_put(c->ptr[1], dtype, i, 0);
        double x = tare__element(c->ptr[0], dtype, i);
        tare__element_put(c->ptr[1], dtype, i, factor * x * x);
    }
    return 0;
}

static int square_run(const tare_call *c, int piece, int worker)
{
    (void)worker;
    return square_piece(c, piece, 1, false);
}

static int inexact_run(const tare_call *c, int piece, int worker)
{
    (void)worker;
    return square_piece(c, piece, 1.0001, false);
}

static int clobbering_run(const tare_call *c, int piece, int worker)
{
    (void)worker;
    return square_piece(c, piece, 1, true);
}

static int address_run(const tare_call *c, int piece, int worker)
{
    (void)worker;
    return square_piece(c, piece, (uintptr_t)c->ptr[0] % 64 ? 1.001 : 1, false);
}

static int spilling_run(const tare_call *c, int piece, int worker)
{
    tare__element_put(c->ptr[1], (tare_dtype)c->g[1], c->g[0], 0);
    return square_run(c, piece, worker);
}

static int meddling_run(const tare_call *c, int piece, int worker)
{
    (void)square_run(c, piece, worker);
    tare__element_put(c->ptr[0], (tare_dtype)c->g[1], 0, 7);
    return 0;
}

/* The second piece reads what the first has written. */
static int ordered_run(const tare_call *c, int piece, int worker)
{
    (void)square_run(c, piece, worker);
    tare_dtype dtype = (tare_dtype)c->g[1];
    if (piece && !(fabs(tare__element(c->ptr[1], dtype, 0)) <= 1))
        tare__element_put(c->ptr[1], dtype, c->g[0] - 1, 0);
    return 0;
}

/* Another number where the call stands in a program of the graph mode. */
static int graph_run(const tare_call *c, int piece, int worker)
{
    (void)worker;
    return square_piece(c, piece, c->site >= 0 ? 1.001 : 1, false);
}

static void square_gradient(tare_builder *b)
{
    tare_value *dy_x = tare_mul(b->mode, tare_head(b, 0), tare_input(b, 0));
    tare_contribute(b, 0, tare_scale(b->mode, dy_x, (tare_scale_attr){2}));
}

static void half_gradient(tare_builder *b)
{
    tare_contribute(b, 0, tare_mul(b->mode, tare_head(b, 0), tare_input(b, 0)));
}

static void no_gradient(tare_builder *b)
{
    (void)b;
}

typedef struct {
    tare_op op;
    tare_variant variants[2];
    tare_sample samples[3];
} own_operator;

static void square_of(own_operator *s)
{
    tare_variant native = {.name = "native",
                           .dtypes = TARE_BIT(TARE_F32),
                           .prepare = square_prepare,
                           .run = square_run},
                 reference = native;
    reference.name = "reference";
    reference.set = TARE_SET_REFERENCE;
    reference.dtypes |= TARE_BIT(TARE_F64);
    *s = (own_operator){
        .variants = {native, reference},
        .samples = {{TARE_SAMPLE_CHECK, "f32[3,5]", NULL, NULL},
                    {TARE_SAMPLE_BENCH, "f32[300]", NULL, NULL},
                    {TARE_SAMPLE_REJECT, "i32[3]", NULL, "input 0 is int32 (need a floating one)"}},
        .op = {.name = "test_square",
               .doc = "y = x x",
               .n_in = 1,
               .n_out = 1,
               .infer = square_infer,
               .gradient = square_gradient,
               .needs_in = 1,
               .overwrites = {1},
               .n_variants = 2,
               .n_samples = 3,
               .tolerance = 1e-6},
    };
    s->op.variants = s->variants;
    s->op.samples = s->samples;
}

static void expect_fault(const own_operator *s, const char *text)
{
    tare__findings r;
    derive(&s->op, &r);
    ck_assert_msg(r.n > 0, "nothing was found (wanted: %s)", text);
    ck_assert_msg(strstr(r.text, text) != NULL, "'%s' is not among:\n%s", text, r.text);
}

START_TEST(a_right_operator_has_no_fault)
{
    own_operator s;
    tare__findings r;
    square_of(&s);
    derive(&s.op, &r);
    ck_assert_msg(r.n == 0, "%s", r.text);
}
END_TEST

START_TEST(wrong_gradients_are_found)
{
    own_operator s;
    square_of(&s);
    s.op.gradient = half_gradient;
    expect_fault(&s, "differences give");
    s.op.gradient = no_gradient;
    expect_fault(&s, "differences give");
}
END_TEST

START_TEST(wrong_needs_are_found)
{
    own_operator s;
    square_of(&s);
    s.op.needs_in = 0;
    expect_fault(&s, "not listed");
    expect_fault(&s, "hybridized: captured function: the gradient of an operator in it reads an input that");
    square_of(&s);
    s.op.needs_out = 1;
    expect_fault(&s, "operand 1 is listed in needs, and no gradient reads it");
}
END_TEST

START_TEST(wrong_kernels_are_found)
{
    static const struct {
        tare_kernel *run;
        const char *text;
    } wrong[] = {{inexact_run, "native: output 0 is off by"},
                 {clobbering_run, "in place: output 0 has other bits"},
                 {address_run, "at other addresses: output 0 has other bits"},
                 {ordered_run, "in reverse order: output 0 has other bits"},
                 {graph_run, "as a graph: output 0 has other bits"},
                 {spilling_run, "native writes outside its arrays"},
                 {meddling_run, "native writes to input 0"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        own_operator s;
        square_of(&s);
        s.variants[0].run = wrong[i].run;
        expect_fault(&s, wrong[i].text);
    }
}
END_TEST

static void no_piece(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    square_prepare(a, out, w);
    w->n_pieces = 0;
}

START_TEST(geometry_out_of_range_is_found)
{
    own_operator s;
    square_of(&s);
    s.variants[0].prepare = no_piece;
    expect_fault(&s, "native: prepare leaves 0 pieces and 2 words");
}
END_TEST

/* Each test is heard of once, with its own faults. */
typedef struct {
    int n, n_failed;
    char failed[64];
} heard;

static void hear(void *owner, const tare__findings *f, const char *test, const char *faults)
{
    heard *h = owner;
    ck_assert_str_eq(f->op->name, "test_square");
    ++h->n;
    if (*faults) {
        ++h->n_failed;
        (void)snprintf(h->failed, sizeof h->failed, "%s", test);
        ck_assert_msg(strstr(faults, "is off by") != NULL, "%s", faults);
    }
}

START_TEST(each_test_is_told)
{
    own_operator s;
    heard h = {0};
    square_of(&s);
    tare__findings f = {.op = &s.op, .hear = hear, .owner = &h};
    tare__derive(&(tare__maker){.start = derived_start, .owner = &s.op, .briefly = DERIVED_BRIEFLY}, &f);
    ck_assert_int_eq(h.n, f.n_tests);
    ck_assert_int_gt(h.n, 18);
    ck_assert_int_eq(h.n_failed, 0);
    h = (heard){0};
    s.variants[0].run = inexact_run;
    f = (tare__findings){.op = &s.op, .hear = hear, .owner = &h};
    tare__derive(&(tare__maker){.start = derived_start, .owner = &s.op, .briefly = DERIVED_BRIEFLY}, &f);
    ck_assert_int_eq(h.n_failed, 1);
    ck_assert_str_eq(h.failed, "native against float64");
}
END_TEST

START_TEST(broken_promises_are_found)
{
    own_operator s;
    square_of(&s);
    s.samples[2].reject = "input 0 is too long";
    expect_fault(&s, "rejected");
    square_of(&s);
    s.samples[2].shapes = "f32[3]";
    expect_fault(&s, "not rejected");
    square_of(&s);
    s.samples[0].shapes = "f33[3]";
    expect_fault(&s, "cannot be read");
    square_of(&s);
    s.op.n_samples = 1; /* no bench */
    expect_fault(&s, "it needs samples to check");
    square_of(&s);
    s.op.gradient = NULL;
    expect_fault(&s, "not marked not_differentiable");
}
END_TEST

int main(void)
{
    tare_runtime *rt;
    if (tare_start(NULL, &rt) != TARE_OK)
        return EXIT_FAILURE;
    n_operators = rt->n_records[TARE_KIND_OPERATOR];
    tare_runtime_free(rt);
    Suite *suite = suite_create("derived");
    TCase *tests = tcase_create("derived");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, operator_is_what_its_record_says, 0, n_operators);
    tcase_add_test(tests, a_right_operator_has_no_fault);
    tcase_add_test(tests, wrong_gradients_are_found);
    tcase_add_test(tests, wrong_needs_are_found);
    tcase_add_test(tests, wrong_kernels_are_found);
    tcase_add_test(tests, geometry_out_of_range_is_found);
    tcase_add_test(tests, each_test_is_told);
    tcase_add_test(tests, broken_promises_are_found);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
