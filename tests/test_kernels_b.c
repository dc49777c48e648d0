/* test_kernels_b.c - kernels of losses and updates, called straight from their records: what the tests derived from the
 * records do not reach. The same bits on every instruction set; a defined result of bad data. */
#include <check.h>
#include <stdlib.h>

#include "../bench/derive/kernel_run.h"
#include "../ops/ops.h"

static void expect_no_fault(const tare__findings *r)
{
    ck_assert_msg(r->n == 0, "%s", r->text);
}

static const tare_op *const ops[] = {&tare_op_softmax_cross_entropy,
                                     &tare_op_softmax_cross_entropy_grad,
                                     &tare_op_l2_loss,
                                     &tare_op_l2_loss_grad,
                                     &tare_op_l1_loss,
                                     &tare_op_l1_loss_grad,
                                     &tare_op_huber_loss,
                                     &tare_op_huber_loss_grad,
                                     &tare_op_sigmoid_cross_entropy,
                                     &tare_op_sigmoid_cross_entropy_grad,
                                     &tare_op_sgd,
                                     &tare_op_adam,
                                     &tare_op_rmsprop,
                                     &tare_op_adagrad,
                                     &tare_op_max,
                                     &tare_op_min,
                                     &tare_op_argmax,
                                     &tare_op_argmin,
                                     &tare_op_max_grad,
                                     &tare_op_variance,
                                     &tare_op_variance_grad,
                                     &tare_op_l2_norm,
                                     &tare_op_l2_normalise,
                                     &tare_op_l2_normalise_grad,
                                     &tare_op_softmax,
                                     &tare_op_softmax_grad,
                                     &tare_op_log_softmax,
                                     &tare_op_log_softmax_grad,
                                     &tare_op_dot,
                                     &tare_op_local_response_norm,
                                     &tare_op_local_response_norm_grad};

START_TEST(every_instruction_set_has_the_same_bits)
{
    const tare_op *op = ops[_i];
    tare__findings r = {.op = op};
    tare_runtime *rt;
    ck_assert_int_eq(tare_start(NULL, &rt), TARE_OK);
    const tare_kernels *kernels = tare_runtime_kernels(rt, op);
    for (int k = 0; k < op->n_samples; ++k) {
        tare__case s;
        if (op->samples[k].use == TARE_SAMPLE_REJECT)
            continue;
        ck_assert(tare__case_init(&s, op, &op->samples[k], false));
        tare__kernel_out first, is;
        r.of = s.of;
        tare__kernel_run(&r, &s, &kernels->variant[0], (tare__manner){0}, &first);
        for (int i = 1; i < kernels->n; ++i) {
            if (kernels->variant[i].set == TARE_SET_REFERENCE)
                continue;
            tare__kernel_run(&r, &s, &kernels->variant[i], (tare__manner){0}, &is);
            tare__same_bits(&r, &is, &first, kernels->variant[i].name, "beside the best");
            tare__kernel_out_fini(&is);
        }
        tare__kernel_out_fini(&first);
        tare__case_fini(&s);
    }
    ck_assert_int_eq(tare_runtime_free(rt), 0);
    expect_no_fault(&r);
}
END_TEST

/* Runs every usable variant of `op` on a sample whose labels (the input `at`) are given. */
static void run_labels(const tare_op *op, const char *shapes, int at, const int32_t *bad_label,
                       const int32_t *good_label,
                       void (*check)(const tare__kernel_out *bad, const tare__kernel_out *good))
{
    const tare_sample of = {TARE_SAMPLE_CHECK, shapes, NULL, NULL};
    tare__findings r = {.op = op, .of = &of};
    tare__case s;
    tare_runtime *rt;
    ck_assert_int_eq(tare_start(NULL, &rt), TARE_OK);
    ck_assert(tare__case_init(&s, op, &of, false));
    const tare_kernels *kernels = tare_runtime_kernels(rt, op);
    for (int i = 0; i < kernels->n; ++i) {
        tare__kernel_out is, good;
        memcpy(s.data[at], good_label, tare_desc_bytes(&s.d[at]));
        tare__kernel_run(&r, &s, &kernels->variant[i], (tare__manner){0}, &good);
        ck_assert_int_eq(good.error, 0);
        memcpy(s.data[at], bad_label, tare_desc_bytes(&s.d[at]));
        tare__kernel_run(&r, &s, &kernels->variant[i], (tare__manner){0}, &is);
        ck_assert_int_eq(is.error, 1);
        check(&is, &good);
        tare__kernel_out_fini(&is);
        tare__kernel_out_fini(&good);
    }
    tare__case_fini(&s);
    ck_assert_int_eq(tare_runtime_free(rt), 0);
    expect_no_fault(&r);
}

/* Rows 1 and 2 of each output are zeros, rows 0 and 3 as with good labels. */
static void rows_1_and_2_are_zero(const tare__kernel_out *is, const tare__kernel_out *good)
{
    for (int o = 0; o < is->n; ++o) {
        int64_t length = tare_desc_count(&is->d[o]) / 4;
        const float *x = is->data[o], *y = good->data[o];
        for (int64_t k = 0; k < 4 * length; ++k)
            ck_assert_float_eq(x[k], k / length == 1 || k / length == 2 ? 0.0f : y[k]);
    }
}

START_TEST(bad_labels_leave_zeros_and_the_other_rows)
{
    const int32_t good[] = {0, 1, 2, 4}, bad[] = {0, 5, -1, 4};
    run_labels(&tare_op_softmax_cross_entropy, "f32[4,5] i32[4]", 1, bad, good, rows_1_and_2_are_zero);
    run_labels(&tare_op_softmax_cross_entropy_grad, "f32[4] f32[4,5]<0,1> i32[4]", 2, bad, good, rows_1_and_2_are_zero);
}
END_TEST

START_TEST(a_count_below_one_gives_no_rate)
{
    const tare_sample of = {TARE_SAMPLE_CHECK, "i64[]<0,1> f32[]", NULL, NULL};
    tare__findings r = {.op = &tare_op_adam_rate, .of = &of};
    tare__case s;
    tare__kernel_out is;
    ck_assert(tare__case_init(&s, r.op, &of, false));
    tare__kernel_run(&r, &s, &r.op->variants[0], (tare__manner){0}, &is);
    ck_assert_int_eq(is.error, 1);
    ck_assert_float_eq(((float *)is.data[0])[0], 0);
    ck_assert_float_eq(((float *)is.data[0])[1], 0);
    tare__kernel_out_fini(&is);
    tare__case_fini(&s);
    expect_no_fault(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernels_b");
    TCase *tests = tcase_create("kernels_b");
    tcase_add_loop_test(tests, every_instruction_set_has_the_same_bits, 0, (int)(sizeof ops / sizeof *ops));
    tcase_add_test(tests, bad_labels_leave_zeros_and_the_other_rows);
    tcase_add_test(tests, a_count_below_one_gives_no_rate);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
