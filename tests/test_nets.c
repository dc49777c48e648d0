/* test_nets.c - every net trained three ways gives the same bits: loss, outputs, gradients, parameters, states; and
 * what a data error leaves behind in each. */
#include "training.h"

typedef struct {
    tare_kernel_choice kernels;
    tare_storage_choice storage;
} setting;

static const setting settings[] = {
    {TARE_KERNELS_NATIVE, TARE_STORAGE_POOL},
    {TARE_KERNELS_NATIVE, TARE_STORAGE_MALLOC},
    {TARE_KERNELS_BLAS, TARE_STORAGE_POOL},
    {TARE_KERNELS_REFERENCE, TARE_STORAGE_MALLOC},
};

static const char *const optimizers[] = {"sgd:lr=0.05",
                                         "sgd:lr=0.1,momentum=0,weight_decay=0.01",
                                         "adam:lr=0.01",
                                         "adamw:lr=0.01,schedule=cosine,steps=9,warmup=2",
                                         "rmsprop:lr=0.001,schedule=step,gamma=0.5",
                                         "adagrad:clip=0.5",
                                         "sgd:lr=0.05,nesterov=true",
                                         "adam:weight_decay=0.1",
                                         NULL};

/* Three steps on three batches, each way against the first. */
static void train_all(const setting *s, const training_task *task, int n_steps)
{
    tare_runtime *rt = spine_start(s->kernels, s->storage);
    training t[TRAIN_WAYS + 1];
    training_task plain = *task; /* a fourth: the step's plan with passes off */
    plain.plan = (tare_plan_options){.no_dce = true, .no_in_place = true};
    for (int w = 0; w <= TRAIN_WAYS; ++w)
        must(training_init(&t[w], rt, w < TRAIN_WAYS ? task : &plain, w < TRAIN_WAYS ? (training_way)w : TRAIN_STEP));
    for (int step = 0; step < n_steps; ++step) {
        tare_value *x = training_input(&t[0], (uint64_t)step), *target = training_target(&t[0], (uint64_t)step);
        for (int w = 0; w <= TRAIN_WAYS; ++w)
            must(training_step(&t[w], x, target));
        for (int w = 1; w <= TRAIN_WAYS; ++w) {
            const char *difference = training_difference(&t[0], &t[w]);
            ck_assert_msg(!difference, "%s, %s, batch %d, kernels %d, storage %d, step %d, way %d: %s", task->net,
                          task->optimizer ? task->optimizer : "none", (int)task->batch, (int)s->kernels,
                          (int)s->storage, step, w, difference);
        }
        tare_value_drop(x);
        tare_value_drop(target);
    }
    for (int w = 0; w <= TRAIN_WAYS; ++w)
        training_fini(&t[w]);
    spine_end(rt);
}

START_TEST(chains_of_every_width_agree)
{
    static const char *const nets[] = {"chain:depth=1,width=1",  "chain:depth=3,width=15", "chain:depth=2,width=16",
                                       "chain:depth=3,width=17", "chain:depth=2,width=33", "chain:depth=20"};
    static const int64_t batches[] = {1, 2, 7};
    for (size_t n = 0; n < sizeof nets / sizeof *nets; ++n)
        for (size_t b = 0; b < sizeof batches / sizeof *batches; ++b)
            for (int o = 0; o < 5; o += _i ? 2 : 1)
                train_all(
                    &settings[_i],
                    &(training_task){nets[n], optimizers[o], o % 2 ? TARE_LOSS_L2 : TARE_LOSS_ONES, batches[b], {0}},
                    3);
}
END_TEST

START_TEST(the_larger_nets_agree)
{
    static const struct {
        const char *net;
        tare_loss loss;
        int64_t batch;
    } nets[] = {{"mlp:hidden=33-17", TARE_LOSS_L2, 7},
                {"mlp:hidden=5", TARE_LOSS_L2, 1},
                {"mlp", TARE_LOSS_L2, 64},
                {"mlp_mnist", TARE_LOSS_SOFTMAX_CE, 1},
                {"mlp_mnist", TARE_LOSS_SOFTMAX_CE, 37},
                {"mlp:hidden=", TARE_LOSS_L2, 3},
                {"lenetp", TARE_LOSS_SOFTMAX_CE, 5},
                {"lenet", TARE_LOSS_SOFTMAX_CE, 2}};
    for (size_t n = 0; n < sizeof nets / sizeof *nets; ++n)
        for (int o = 0; o < 4; o += 2)
            train_all(&settings[_i], &(training_task){nets[n].net, optimizers[o], nets[n].loss, nets[n].batch, {0}}, 2);
}
END_TEST

START_TEST(an_empty_batch_is_no_harm)
{
    train_all(&settings[_i], &(training_task){"chain:depth=2", "adam", TARE_LOSS_L2, 0, {0}}, 1);
    train_all(&settings[_i], &(training_task){"mlp_mnist", "sgd", TARE_LOSS_SOFTMAX_CE, 0, {0}}, 1);
    train_all(&settings[_i], &(training_task){"lenetp", "sgd", TARE_LOSS_SOFTMAX_CE, 0, {0}}, 1);
}
END_TEST

/* ---- a data error
 * --------------------------------------------------------------------------------------------------*/
START_TEST(a_label_out_of_range_leaves_the_parameters_and_the_next_step_is_right)
{
    for (int w = 0; w < TRAIN_WAYS; ++w) {
        tare_runtime *rt = spine_start(settings[_i].kernels, settings[_i].storage);
        const training_task task = {"mlp_mnist", "adam", TARE_LOSS_SOFTMAX_CE, 5, {0}};
        training good, bad;
        must(training_init(&good, rt, &task, (training_way)w));
        must(training_init(&bad, rt, &task, (training_way)w));
        for (int step = 0; step < 3; ++step) {
            tare_value *x = training_input(&good, (uint64_t)step), *target = training_target(&good, (uint64_t)step);
            tare_value *wrong = training_target(&good, (uint64_t)step);
            must(tare_value_write(wrong, ((int32_t[]){1, 2, step == 1 ? -1 : 10, 3, 4}), 20));
            must(training_step(&good, x, target));
            void *before = spine_bytes(bad.net->parameter[0].value);
            expect_error(training_step(&bad, x, wrong), TARE_BAD_DATA, "softmax_cross_entropy 'loss': ");
            void *after = spine_bytes(bad.net->parameter[0].value);
            ck_assert_mem_eq(before, after, tare_desc_bytes(&bad.net->parameter[0].value->d));
            free(before);
            free(after);
            for (int i = 0; i < bad.net->n_parameters; ++i)
                ck_assert_ptr_null(bad.net->parameter[i].value->gradient);
            must(training_step(&bad, x, target));
            const char *difference = training_difference(&good, &bad);
            ck_assert_msg(!difference, "way %d, step %d: %s", w, step, difference);
            tare_value_drop(x);
            tare_value_drop(target);
            tare_value_drop(wrong);
        }
        training_fini(&good);
        training_fini(&bad);
        spine_end(rt);
    }
}
END_TEST

/* ---- names
 * ---------------------------------------------------------------------------------------------------------*/
START_TEST(nets_and_optimizers_answer_bad_names_and_options)
{
    tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    tare_net *net = NULL;
    tare_optimizer *opt = NULL;
    static const struct {
        const char *text, *part;
        tare_status status;
    } bad[] = {
        {"", "unknown", TARE_NOT_FOUND},
        {"chian", "near it: chain", TARE_NOT_FOUND},
        {"a_name_that_is_longer_than_any_net_could_be_called_by_anybody_at_all:x=1", "unknown", TARE_NOT_FOUND},
        {"chain:depth=0", "depth is 0 (need 1 to 4096)", TARE_BAD_ARGUMENT},
        {"chain:depth=4097", "depth is 4097", TARE_BAD_ARGUMENT},
        {"chain:depth", "not name=value", TARE_BAD_ARGUMENT},
        {"chain:deep=3", "no option 'deep' (there are: depth, width, init, init_scale)", TARE_BAD_ARGUMENT},
        {"chain:depth=3,", "last comma", TARE_BAD_ARGUMENT},
        {"chain:depth=3x", "something follows", TARE_BAD_ARGUMENT},
        {"mlp_mnist:depth=3", "there are: init, init_scale", TARE_BAD_ARGUMENT},
        {"mlp:hidden=1-2-3-4-5-6-7-8-9", "more than 8 numbers", TARE_BAD_ARGUMENT},
        {"mlp:hidden=3-", "joined by -", TARE_BAD_ARGUMENT},
        {"mlp:init=he", "init is 'he' (need one of xavier_uniform, xavier_normal, he_uniform", TARE_BAD_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        expect_error(tare_net_new(rt, bad[i].text, 1, &net), bad[i].status, bad[i].part);
        ck_assert_ptr_null(net);
    }
    must(tare_net_new(rt, "chain:width=3,depth=2", 1, &net));
    ck_assert_str_eq(net->label, "chain:depth=2,width=3");
    expect_error(tare_optimizer_new(net, "adamx", &opt), TARE_NOT_FOUND, "near it: adam");
    expect_error(tare_optimizer_new(net, "sgd:schedule=cosine", &opt), TARE_BAD_ARGUMENT, "cosine needs steps");
    expect_error(tare_optimizer_new(net, "sgd:schedule=linear,steps=5,warmup=5", &opt), TARE_BAD_ARGUMENT,
                 "more of them than warmup (5 and 5)");
    expect_error(tare_optimizer_new(net, "sgd:schedule=sine", &opt), TARE_BAD_ARGUMENT, "need one of constant, step");
    expect_error(tare_optimizer_new(net, "", &opt), TARE_NOT_FOUND, "unknown");
    expect_error(tare_optimizer_new(net, "adam:beta1=1.5", &opt), TARE_BAD_ARGUMENT, "adam: beta1 is 1.5");
    expect_error(tare_optimizer_new(net, "sgd:lr=nan", &opt), TARE_BAD_ARGUMENT, "sgd: lr is 'nan'");
    expect_error(tare_optimizer_new(net, "sgd:lr=inf", &opt), TARE_BAD_ARGUMENT, "sgd: lr is inf");
    ck_assert_ptr_null(opt);
    tare_net_free(net);
    spine_end(rt);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("nets");
    int n = sizeof settings / sizeof *settings;
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, chains_of_every_width_agree, 0, n);
    tcase_add_loop_test(tests, the_larger_nets_agree, 0, n);
    tcase_add_loop_test(tests, an_empty_batch_is_no_harm, 0, n);
    tcase_add_loop_test(tests, a_label_out_of_range_leaves_the_parameters_and_the_next_step_is_right, 0, n);
    tcase_add_test(tests, nets_and_optimizers_answer_bad_names_and_options);
    return spine_run("nets", &tests, 1);
}
