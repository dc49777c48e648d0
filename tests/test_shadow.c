/* test_shadow.c - the runtime on a device that queues and that the host cannot read: every rung with the CPU's bits,
 * captured plans, order, frees and writes behind queued work, data errors told later, and proof that the shadow device
 * would have caught what it is there to catch. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../bench/arm/digest.h"
#include "../imperative/imperative.h"
#include "../ops/ops.h"
#include "shadow.h"

static shadow_pace eager = SHADOW_EAGER, lazy = SHADOW_LAZY, followed = SHADOW_FOLLOWED;

static tare_runtime *start(shadow_pace *pace, tare_storage_choice storage)
{
    tare_options options = {
        .storage = storage, .isa_limit = TARE_ISA_COUNT, .open_device = shadow_open, .device_owner = pace};
    tare_runtime *rt;
    ck_assert_int_eq(tare_start(&options, &rt), TARE_OK);
    return rt;
}

static tare_value *value_of(tare_runtime *rt, int64_t n, const float *data)
{
    tare_desc d = tare_desc_of(TARE_F32, 1, &n);
    tare_value *v;
    ck_assert_int_eq(tare_value_new(rt, &d, TARE_MEMORY_INPUT, &v), TARE_OK);
    ck_assert_int_eq(tare_value_write(v, data, (size_t)n * sizeof *data), TARE_OK);
    return v;
}

static void assert_holds(const tare_value *v, const float *wanted)
{
    float is[64];
    size_t bytes = tare_desc_bytes(&v->d);
    ck_assert_int_eq(tare_value_read(v, is, bytes), TARE_OK);
    ck_assert_mem_eq(is, wanted, bytes);
}

/* ---- every rung, the CPU's bits -----------------------------------------------------------------------------------*/
static const struct {
    const char *net, *optimizer;
    int64_t batch; /* 0: its own */
    bool training_loss;
} tasks[] = {{"chain", "sgd", 0, false},
             {"chain:depth=3", "adam", 2, true},
             {"chain:depth=2,width=4", "sgd", 3000, true}, /* sums in pieces and their combination */
             {"mlp", "adam", 8, true},                     /* updates in pieces */
             {"mlp_mnist", "sgd", 16, true},
             {"mlp_mnist", NULL, 8, true}};

START_TEST(rungs_have_the_bits_of_the_cpu)
{
    tare__task task = {.net = tasks[_i].net,
                       .optimizer = tasks[_i].optimizer,
                       .batch = tasks[_i].batch,
                       .training_loss = tasks[_i].training_loss,
                       .seed = 3};
    for (const tare__rung *rung = tare__rungs; rung->name; ++rung) {
        tare__setting setting = tare__setting_of(rung, task.optimizer != NULL);
        tare__digest cpu, shadow;
        task.open_device = NULL;
        ck_assert_int_eq(tare__digest_run(&task, &setting, 3, NULL, NULL, &cpu), TARE_OK);
        task.open_device = shadow_open;
        for (int pace = 0; pace < 3; ++pace) {
            const char *what = NULL;
            task.device_owner = pace == 2 ? &followed : pace ? &lazy : &eager;
            tare_status status = tare__digest_run(&task, &setting, 3, NULL, NULL, &shadow);
            ck_assert_msg(status == TARE_OK, "%s: %s", rung->name, tare_error_text());
            ck_assert_msg(tare__digest_equal(&cpu, &shadow, &what), "%s: other %s", rung->name, what);
        }
    }
}
END_TEST

/* ---- arms: one of the CPU's beside one of the shadow's
 * --------------------------------------------------------------*/
static void arm_open(tare__arm *a, const char *net, const char *rung, shadow_pace *pace)
{
    tare__task task = {.net = net, .batch = 4, .optimizer = "sgd", .training_loss = true, .seed = 1};
    task.open_device = pace ? shadow_open : NULL;
    task.device_owner = pace;
    tare__setting setting = tare__setting_of(tare__rung_find(rung), true);
    ck_assert_msg(tare__arm_open(a, &task, &setting, rung) == TARE_OK, "%s", tare_error_text());
    ck_assert_msg(tare__arm_prepare(a) == TARE_OK, "%s", tare_error_text());
}

/* All parameters, one after the other; the caller frees them. */
static void *parameters(const tare__arm *a, size_t *bytes)
{
    char *all = NULL;
    *bytes = 0;
    for (int i = 0; i < a->net->n_parameters; ++i) {
        const tare_value *v = a->net->parameter[i].value;
        size_t n = tare_desc_bytes(&v->d);
        all = realloc(all, *bytes + n);
        ck_assert_msg(tare_value_read(v, all + *bytes, n) == TARE_OK, "%s", tare_error_text());
        *bytes += n;
    }
    return all;
}

static void assert_parameters(const tare__arm *a, const void *wanted, bool same)
{
    size_t bytes;
    void *is = parameters(a, &bytes);
    ck_assert_int_eq(memcmp(is, wanted, bytes) == 0, same);
    free(is);
}

START_TEST(a_captured_step_is_launched)
{
    tare__arm cpu, shadow;
    size_t bytes;
    void *graph = NULL;
    const tare_call *calls;
    arm_open(&cpu, "mlp_mnist", "step", NULL);
    arm_open(&shadow, "mlp_mnist", "step", _i ? &lazy : &eager);
    tare_device *d = shadow.rt->device;
    int n = tare_instance_calls(shadow.instance, &calls);
    ck_assert_int_eq(d->capture(d, calls, n, &graph), TARE_OK);
    ck_assert_int_eq(shadow_calls_run(d), 0);
    for (int step = 0; step < 4; ++step) {
        ck_assert_int_eq(cpu.step(&cpu), TARE_OK);
        ck_assert_int_eq(d->launch(d, graph), TARE_OK);
    }
    d->release(d, graph);
    ck_assert_int_eq(shadow_calls_run(d), 4 * n);
    void *wanted = parameters(&cpu, &bytes);
    assert_parameters(&shadow, wanted, true);
    /* and the instance goes on from there */
    ck_assert_int_eq(cpu.step(&cpu), TARE_OK);
    ck_assert_int_eq(shadow.step(&shadow), TARE_OK);
    free(wanted);
    wanted = parameters(&cpu, &bytes);
    assert_parameters(&shadow, wanted, true);
    free(wanted);
    tare__arm_close(&cpu);
    tare__arm_close(&shadow);
}
END_TEST

/* ---- data errors
 * ----------------------------------------------------------------------------------------------------*/
static const char *const erring[] = {"functional", "symbol", "step", "hybridized", "static_shape"};
static const char told[] = "softmax_cross_entropy 'loss': the data hold an index out of range";

/* A batch whose labels are those of the seed, or beyond the classes. */
static void feed_labels(tare__arm *a, bool good)
{
    const int32_t label[2][4] = {{0, 1, 10, 3}, {4, 3, 2, 1}};
    ck_assert_int_eq(tare_value_write(a->target, label[good], sizeof label[good]), TARE_OK);
}

START_TEST(bad_data_are_told_once_and_stop_the_queue)
{
    tare__arm cpu, shadow;
    size_t bytes;
    arm_open(&cpu, "mlp_mnist", erring[_i], NULL);
    arm_open(&shadow, "mlp_mnist", erring[_i], &lazy);
    void *before = parameters(&shadow, &bytes);
    feed_labels(&shadow, false);
    for (int step = 0; step < 2; ++step) /* queued: nothing is known */
        ck_assert_int_eq(shadow.step(&shadow), TARE_OK);
    ck_assert_int_eq(tare_runtime_wait(shadow.rt), TARE_BAD_DATA);
    ck_assert_str_eq(tare_error_text(), told);
    ck_assert_int_eq(tare_runtime_wait(shadow.rt), TARE_OK);
    assert_parameters(&shadow, before, true);
    free(before);

    feed_labels(&cpu, true);
    feed_labels(&shadow, true);
    ck_assert_int_eq(cpu.step(&cpu), TARE_OK);
    ck_assert_int_eq(shadow.step(&shadow), TARE_OK);
    void *wanted = parameters(&cpu, &bytes);
    assert_parameters(&shadow, wanted, true);

    /* a read answers too, and copies in both directions take place behind an error */
    feed_labels(&shadow, false);
    ck_assert_int_eq(shadow.step(&shadow), TARE_OK);
    float bias[10];
    const tare_value *last = shadow.net->parameter[shadow.net->n_parameters - 1].value;
    feed_labels(&shadow, true);
    ck_assert_int_eq(tare_value_read(last, bias, sizeof bias), TARE_BAD_DATA);
    ck_assert_str_eq(tare_error_text(), told);
    assert_parameters(&shadow, wanted, true);
    ck_assert_int_eq(cpu.step(&cpu), TARE_OK);
    ck_assert_int_eq(shadow.step(&shadow), TARE_OK);
    free(wanted);
    wanted = parameters(&cpu, &bytes);
    assert_parameters(&shadow, wanted, true);
    free(wanted);
    tare__arm_close(&cpu);
    tare__arm_close(&shadow);
}
END_TEST

/* Without a wait: at the end of an outermost scope, and at the next run of an instance, which then does not run. */
START_TEST(bad_data_come_to_light)
{
    tare__arm a;
    arm_open(&a, "mlp_mnist", erring[_i], &lazy);
    feed_labels(&a, false);
    ck_assert_int_eq(a.step(&a), TARE_OK);
    feed_labels(&a, true); /* waits until the bytes have moved, and answers nothing */
    int64_t ran = shadow_calls_run(a.rt->device);
    if (a.instance) {
        ck_assert_int_eq(a.step(&a), TARE_BAD_DATA);
    } else {
        a.mode->scope_begin(a.mode, NULL);
        a.mode->scope_end(a.mode, NULL, 0);
        ck_assert_int_eq(a.mode->error, TARE_BAD_DATA);
    }
    ck_assert_str_eq(tare_error_text(), told);
    ck_assert_int_eq(shadow_calls_run(a.rt->device), ran);
    if (a.mode)
        tare_mode_clear(a.mode);
    ck_assert_int_eq(a.step(&a), TARE_OK);
    ck_assert_int_eq(tare_runtime_wait(a.rt), TARE_OK);
    ck_assert_int_gt(shadow_calls_run(a.rt->device), ran);
    tare__arm_close(&a);
}
END_TEST

/* The words outlive the net that they come from; a call that has none still has a sentence. */
START_TEST(bad_data_of_a_net_that_is_gone)
{
    tare_runtime *rt = start(&lazy, TARE_STORAGE_POOL);
    tare_mode *m;
    char path[] = "layer7";
    const float x[3] = {1, 2, 3};
    const int32_t label = 3;
    tare_value *in[2];
    tare_desc d[2] = {tare_desc_of(TARE_F32, 2, (const int64_t[]){1, 3}), tare_desc_of(TARE_I32, 1, (int64_t[]){1})};
    ck_assert_int_eq(tare_imperative_new(rt, &m), TARE_OK);
    for (int i = 0; i < 2; ++i)
        ck_assert_int_eq(tare_value_new(rt, &d[i], TARE_MEMORY_INPUT, &in[i]), TARE_OK);
    ck_assert_int_eq(tare_value_write(in[0], x, sizeof x), TARE_OK);
    ck_assert_int_eq(tare_value_write(in[1], &label, sizeof label), TARE_OK);
    m->scope_begin(m, path);
    (void)tare_softmax_cross_entropy(m, in[0], in[1]);
    m->scope_end(m, NULL, 0);
    memset(path, 'x', sizeof path - 1);
    tare_value_drop(in[0]);
    tare_value_drop(in[1]);
    tare_imperative_free(m);
    ck_assert_int_eq(tare_runtime_wait(rt), TARE_BAD_DATA);
    ck_assert_str_eq(tare_error_text(), "softmax_cross_entropy 'layer7': the data hold an index out of range");
    ck_assert_int_eq(tare_site_error(rt, -1), TARE_BAD_DATA);
    ck_assert_ptr_nonnull(strstr(tare_error_text(), "index out of range"));
    ck_assert_int_eq(tare_runtime_free(rt), 0);
}
END_TEST

/* ---- order
 * ----------------------------------------------------------------------------------------------------------*/
/* Operands, results between and the input itself go while all of it is queued; their blocks go round, to the pool or
 * to the device, and are taken again by what is queued behind. */
START_TEST(freed_while_queued)
{
    tare_runtime *rt = start(&lazy, _i ? TARE_STORAGE_MALLOC : TARE_STORAGE_POOL);
    tare_mode *m;
    const float x[4] = {1, -2, 3, 0.5f}, wanted[4] = {1024, -2048, 3072, 512};
    tare_value *y[2];
    ck_assert_int_eq(tare_imperative_new(rt, &m), TARE_OK);
    tare_value *in = value_of(rt, 4, x);
    m->scope_begin(m, NULL);
    for (int k = 0; k < 2; ++k) {
        y[k] = in;
        for (int i = 0; i < 10; ++i)
            y[k] = tare_scale(m, tare_move(y[k]), (tare_scale_attr){2});
    }
    m->scope_end(m, y, 2);
    tare_value_drop(in);
    tare_runtime_trim(rt);
    m->scope_begin(m, NULL);
    for (int i = 0; i < 30; ++i)
        (void)tare_fill(m, y[0], (tare_fill_attr){7});
    m->scope_end(m, NULL, 0);
    assert_holds(y[0], wanted);
    assert_holds(y[1], wanted);
    tare_value_drop(y[0]);
    tare_value_drop(y[1]);
    tare_imperative_free(m);
    ck_assert_int_eq(tare_runtime_free(rt), 0);
}
END_TEST

START_TEST(copies_keep_their_place)
{
    tare_runtime *rt = start(_i ? &lazy : &eager, TARE_STORAGE_POOL);
    tare_device *d = rt->device;
    tare_mode *m;
    const float one[3] = {1, 2, 3}, five[3] = {5, 6, 7};
    tare_value *x = value_of(rt, 3, one), *kept = value_of(rt, 3, one), *y[3];
    ck_assert_int_eq(tare_imperative_new(rt, &m), TARE_OK);
    m->scope_begin(m, NULL);
    y[0] = tare_scale(m, x, (tare_scale_attr){2});
    ck_assert_int_eq(tare_value_write(x, five, sizeof five), TARE_OK);
    y[1] = tare_scale(m, x, (tare_scale_attr){2});
    ck_assert_int_eq(d->copy(d, x->address, y[0]->address, sizeof one, TARE_COPY_WITHIN), TARE_OK);
    y[2] = tare_scale(m, x, (tare_scale_attr){2});
    ck_assert_int_eq(d->copy(d, kept->address, y[2]->address, sizeof one, TARE_COPY_WITHIN), TARE_OK);
    m->scope_end(m, y, 3);
    assert_holds(y[0], (const float[]){2, 4, 6});
    assert_holds(y[1], (const float[]){10, 12, 14});
    assert_holds(y[2], (const float[]){4, 8, 12});
    assert_holds(x, (const float[]){2, 4, 6});
    assert_holds(kept, (const float[]){4, 8, 12});
    for (int i = 0; i < 3; ++i)
        tare_value_drop(y[i]);
    tare_value_drop(x);
    tare_value_drop(kept);
    tare_imperative_free(m);
    ck_assert_int_eq(tare_runtime_free(rt), 0);
}
END_TEST

/* ---- strided values, on the CPU and here
 * ------------------------------------------------------------------------------*/
static void keep_base(tare_storage *s)
{
    (void)s;
}

START_TEST(strided_values_are_read_and_written)
{
    tare_options options = {.isa_limit = TARE_ISA_COUNT, .open_device = _i ? shadow_open : NULL};
    tare_runtime *rt;
    ck_assert_int_eq(tare_start(&options, &rt), TARE_OK);
    float base[20], is[6];
    for (int i = 0; i < 20; ++i)
        base[i] = (float)i;
    tare_value *whole = value_of(rt, 20, base), *view;
    /* rows 3, 2, 1 of [4,5], columns 1 and 3 */
    tare_desc d = tare_desc_of(TARE_F32, 2, (const int64_t[]){3, 2});
    d.stride[0] = -5;
    d.stride[1] = 2;
    tare_desc_measure(&d);
    ck_assert_int_eq(tare_value_foreign(rt, &d, (float *)whole->address + 16, keep_base, NULL, &view), TARE_OK);
    ck_assert_int_eq(tare_value_read(view, is, sizeof is), TARE_OK);
    ck_assert_mem_eq(is, ((const float[]){16, 18, 11, 13, 6, 8}), sizeof is);
    ck_assert_int_eq(tare_value_write(view, (const float[]){-1, -2, -3, -4, -5, -6}, sizeof is), TARE_OK);
    const int at[6] = {16, 18, 11, 13, 6, 8};
    for (int i = 0; i < 6; ++i)
        base[at[i]] = (float)(-1 - i);
    assert_holds(whole, base);
    tare_value_drop(view);
    tare_value_drop(whole);
    ck_assert_int_eq(tare_runtime_free(rt), 0);
}
END_TEST

START_TEST(a_poison_value_has_no_data)
{
    tare_runtime *rt = start(&eager, TARE_STORAGE_POOL);
    tare_mode *m;
    float x = 0;
    ck_assert_int_eq(tare_imperative_new(rt, &m), TARE_OK);
    ck_assert_int_eq(tare_value_read(&m->poison, &x, sizeof x), TARE_BAD_ARGUMENT);
    ck_assert_int_eq(tare_value_write(&m->poison, &x, sizeof x), TARE_BAD_ARGUMENT);
    tare_imperative_free(m);
    ck_assert_int_eq(tare_runtime_free(rt), 0);
}
END_TEST

/* ---- what the shadow device is there to catch
 * ---------------------------------------------------------------------------*/
/* A kernel that follows an address which it did not get in its call's array. */
static int stray_run(const tare_call *c, int piece, int worker)
{
    (void)piece;
    (void)worker;
    *(float *)c->ptr[0] = *(const float *)(uintptr_t)c->g[0];
    return 0;
}

static void host_reads(tare_value *v)
{
    (void)*(volatile float *)v->address;
}

static void host_writes(tare_value *v)
{
    *(volatile float *)v->address = 1;
}

static void kernel_strays(tare_value *v)
{
    tare_device *d = v->runtime->device;
    int failed;
    void *ptr[1] = {v->address};
    int64_t g[1] = {(int64_t)(uintptr_t)v->address};
    const tare_call c = {.run = stray_run, .ptr = ptr, .g = g, .n_pieces = 1, .n_ptr = 1, .n_g = 1, .site = -1};
    (void)d->run(d, &c, 1, &failed);
    (void)d->wait(d);
}

START_TEST(strayed_addresses_fall)
{
    void (*const stray[])(tare_value *) = {host_reads, host_writes, kernel_strays};
    const float x[2] = {1, 2};
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        (void)signal(SIGSEGV, SIG_DFL); /* sanitizers have their own */
        tare_runtime *rt = start(&eager, TARE_STORAGE_POOL);
        tare_value *v = value_of(rt, 2, x);
        assert_holds(v, x);
        stray[_i](v);
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}
END_TEST

/* Unwritten and freed memory is NaN; an address of the host's is refused when it is queued. */
START_TEST(rubbish_is_visible)
{
    tare_runtime *rt = start(&eager, TARE_STORAGE_MALLOC);
    tare_device *d = rt->device;
    tare_mode *m;
    float x[4] = {1, 2, 3, 4};
    uint32_t bits[4], rubbish[4];
    memset(rubbish, 0xff, sizeof rubbish);
    tare_value *v, *foreign;
    tare_desc desc = tare_desc_of(TARE_F32, 1, (const int64_t[]){4});
    ck_assert_int_eq(tare_value_new(rt, &desc, TARE_MEMORY_INPUT, &v), TARE_OK);
    ck_assert_int_eq(tare_value_read(v, bits, sizeof bits), TARE_OK);
    ck_assert_mem_eq(bits, rubbish, sizeof bits);
    ck_assert_int_eq(tare_value_write(v, x, sizeof x), TARE_OK);
    void *address = v->address;
    tare_value_drop(v);
    ck_assert_int_eq(d->copy(d, bits, address, sizeof bits, TARE_COPY_TO_HOST), TARE_OK);
    ck_assert_mem_eq(bits, rubbish, sizeof bits);

    ck_assert_int_eq(tare_value_foreign(rt, &desc, x, keep_base, NULL, &foreign), TARE_OK);
    ck_assert_int_eq(tare_value_read(foreign, bits, sizeof bits), TARE_BAD_ARGUMENT);
    ck_assert_int_eq(tare_imperative_new(rt, &m), TARE_OK);
    m->scope_begin(m, NULL);
    (void)tare_relu(m, foreign);
    m->scope_end(m, NULL, 0);
    ck_assert_int_eq(m->error, TARE_BAD_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(tare_error_text(), "not the shadow device's"));
    tare_imperative_free(m);
    tare_value_drop(foreign);
    ck_assert_int_eq(tare_runtime_free(rt), 0);
}
END_TEST

/* ---- openers
 * --------------------------------------------------------------------------------------------------------*/
typedef enum { OTHER_ABI, NO_WAIT, NO_LAUNCH, DIRECT, NO_REACH, NOT_THERE } flaw;

static const uint64_t nothing_queued;

static tare_status open_flawed(tare_runtime *rt, void *owner, tare_device **out)
{
    flaw f = *(const flaw *)owner;
    if (f == NOT_THERE)
        return tare_error(TARE_IO, "no such device");
    tare_status status = shadow_open(rt, NULL, out);
    if (status != TARE_OK)
        return status;
    tare_device *d = *out;
    if (f == OTHER_ABI)
        d->abi = TARE_DEVICE_ABI + 1;
    if (f == NO_WAIT)
        d->wait = NULL;
    if (f == NO_LAUNCH)
        d->launch = NULL;
    if (f == NO_REACH)
        d->queued = &nothing_queued;
    d->direct = f == DIRECT;
    return TARE_OK;
}

START_TEST(flawed_devices_are_refused)
{
    static const struct {
        flaw flaw;
        tare_status status;
        const char *text;
    } known[] = {{OTHER_ABI, TARE_IMPOSSIBLE, "ABI 3 of the device table (need 2)"},
                 {NO_WAIT, TARE_BAD_ARGUMENT, "'shadow' cannot be used: a slot that every device needs is empty"},
                 {NO_LAUNCH, TARE_BAD_ARGUMENT, "capture, launch and release go together"},
                 {DIRECT, TARE_BAD_ARGUMENT, "direct calls need a synchronous device"},
                 {NO_REACH, TARE_BAD_ARGUMENT, "queued and reach go together"},
                 {NOT_THERE, TARE_IO, "no such device"}};
    flaw f = known[_i].flaw;
    tare_options options = {.isa_limit = TARE_ISA_COUNT, .open_device = open_flawed, .device_owner = &f};
    tare_runtime *rt = NULL;
    ck_assert_int_eq(tare_start(&options, &rt), known[_i].status);
    ck_assert_msg(strstr(tare_error_text(), known[_i].text) != NULL, "%s", tare_error_text());
    ck_assert_ptr_null(rt);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shadow");
    TCase *all = tcase_create("shadow");
    tcase_set_timeout(all, 120);
    tcase_add_loop_test(all, rungs_have_the_bits_of_the_cpu, 0, sizeof tasks / sizeof *tasks);
    tcase_add_loop_test(all, a_captured_step_is_launched, 0, 2);
    tcase_add_loop_test(all, bad_data_are_told_once_and_stop_the_queue, 0, 5);
    tcase_add_loop_test(all, bad_data_come_to_light, 0, 5);
    tcase_add_test(all, bad_data_of_a_net_that_is_gone);
    tcase_add_loop_test(all, freed_while_queued, 0, 2);
    tcase_add_loop_test(all, copies_keep_their_place, 0, 2);
    tcase_add_loop_test(all, strided_values_are_read_and_written, 0, 2);
    tcase_add_test(all, a_poison_value_has_no_data);
    tcase_add_loop_test(all, strayed_addresses_fall, 0, 3);
    tcase_add_test(all, rubbish_is_visible);
    tcase_add_loop_test(all, flawed_devices_are_refused, 0, 6);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
