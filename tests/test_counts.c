/* test_counts.c - what a step costs in each way, exactly: kernels, inferences, tape nodes, storages, allocations. */
#include "training.h"

static tare_counts of_step(training *t, tare_value *x, tare_value *target)
{
    tare_counts a = tare_runtime_counts(t->rt);
    must(training_step(t, x, target));
    tare_counts b = tare_runtime_counts(t->rt), d;
#define DIFFERENCE(name, doc) d.name = b.name - a.name;
    TARE_COUNTS(DIFFERENCE)
#undef DIFFERENCE
    return d;
}

/* chain: depth dense + relu; backward a fill, relu_grad, and of each dense input, weight and bias gradients, without
 * the first input's. 20 layers: 40 + 1 + 20 + 3 * 20 - 1 = 120, of which the fill is the head's. */
START_TEST(a_functional_step_of_chain)
{
    tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    training t;
    must(training_init(&t, rt, &(training_task){"chain", NULL, TARE_LOSS_ONES, 1, {0}}, TRAIN_NOW));
    tare_value *x = training_input(&t, 1);
    for (int i = 0; i < 4; ++i)
        (void)of_step(&t, x, NULL);
    tare_counts c = of_step(&t, x, NULL);
    ck_assert_int_eq(c.kernel_calls, 119 + 1);
    ck_assert_int_eq(c.infers, 119 + 1);
    ck_assert_int_eq(c.tape_nodes, 40);
    ck_assert_int_eq(c.allocations, 0);
    ck_assert_int_eq(c.lookups + c.parses + c.guards + c.patches + c.locks + c.captures + c.plans, 0);
    ck_assert_int_ge(c.storage_takes, 119 + 1);
    training_fini(&t);
    tare_value_drop(x);
    spine_end(rt);
}
END_TEST

START_TEST(a_replayed_step_counts_its_kernels_alone)
{
    static const char *const nets[] = {"chain", "mlp:hidden=20", "mlp_mnist"};
    tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    for (int n = 0; n < 3; ++n) {
        training t;
        tare_loss loss = n == 2 ? TARE_LOSS_SOFTMAX_CE : TARE_LOSS_L2;
        must(training_init(&t, rt, &(training_task){nets[n], "adam", loss, 8, {0}}, TRAIN_STEP));
        tare_value *x = training_input(&t, 1), *target = training_target(&t, 1);
        must(training_step(&t, x, target));
        int64_t requests = rt->memory.n_requests, live = rt->work_bytes_live;
        const tare_call *call;
        tare_counts a = tare_runtime_counts(rt);
        for (int i = 0; i < 3; ++i)
            must(tare_instance_run(t.run));
        tare_counts b = tare_runtime_counts(rt);
        ck_assert_int_eq(b.kernel_calls - a.kernel_calls, 3 * tare_instance_calls(t.run, &call));
        a.kernel_calls = b.kernel_calls;
        ck_assert_mem_eq(&a, &b, sizeof a);
        ck_assert_int_eq(rt->memory.n_requests, requests);
        ck_assert_int_eq(rt->work_bytes_live, live);
        training_fini(&t);
        tare_value_drop(x);
        tare_value_drop(target);
    }
    spine_end(rt);
}
END_TEST

START_TEST(an_imperative_step_allocates_nothing_once_it_is_warm)
{
    static const char *const nets[] = {"chain:depth=5,width=33", "mlp:hidden=20", "mlp_mnist"};
    static const char *const optimizers[] = {"sgd", "adam"};
    for (int i = 0; i < 6; ++i) {
        tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
        training t;
        tare_loss loss = i % 3 == 2 ? TARE_LOSS_SOFTMAX_CE : TARE_LOSS_L2;
        must(training_init(&t, rt, &(training_task){nets[i % 3], optimizers[i / 3], loss, 8, {0}}, TRAIN_NOW));
        tare_value *x = training_input(&t, 1), *target = training_target(&t, 1);
        for (int k = 0; k < 3; ++k)
            must(training_step(&t, x, target));
        int64_t reserved = rt->reserved_bytes;
        for (int k = 0; k < 5; ++k)
            ck_assert_int_eq(of_step(&t, x, target).allocations, 0);
        ck_assert_int_eq(rt->reserved_bytes, reserved);
        training_fini(&t);
        tare_value_drop(x);
        tare_value_drop(target);
        spine_end(rt);
    }
}
END_TEST

/* What the plan says a tape would hold at its peak is what the tape does hold (at most 2 % more). */
START_TEST(the_measured_peak_is_that_of_reference_counting)
{
    static const char *const nets[] = {"chain:depth=20,width=64", "mlp:hidden=300-100", "mlp_mnist", "lenetp", "lenet"};
    for (int n = 0; n < 5; ++n) {
        tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
        tare_loss loss = n >= 2 ? TARE_LOSS_SOFTMAX_CE : TARE_LOSS_L2;
        const training_task task = {nets[n], NULL, loss, 64, {0}};
        training now, joint;
        must(training_init(&joint, rt, &task, TRAIN_JOINT));
        int64_t refcount = tare_plan_size(joint.plan).refcount;
        training_fini(&joint);
        must(training_init(&now, rt, &task, TRAIN_NOW));
        tare_value *x = training_input(&now, 1), *target = training_target(&now, 1);
        ck_assert_int_eq(rt->work_bytes_live, 0);
        rt->work_bytes_peak = 0;
        must(training_step(&now, x, target));
        ck_assert_msg((double)rt->work_bytes_peak <= 1.02 * (double)refcount, "%s: peak %lld, reference counting %lld",
                      nets[n], (long long)rt->work_bytes_peak, (long long)refcount);
        training_fini(&now);
        tare_value_drop(x);
        tare_value_drop(target);
        spine_end(rt);
    }
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("counts");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_functional_step_of_chain);
    tcase_add_test(tests, a_replayed_step_counts_its_kernels_alone);
    tcase_add_test(tests, an_imperative_step_allocates_nothing_once_it_is_warm);
    tcase_add_test(tests, the_measured_peak_is_that_of_reference_counting);
    return spine_run("counts", &tests, 1);
}
