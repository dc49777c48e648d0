/* test_threads.c - a runtime belongs to one thread at a time: refusals, hand-over, handles dropped elsewhere, two at
 * once. */
#include <pthread.h>

#include "spine.h"

enum { N = 16 };

static void on_a_thread(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, body, argument), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

typedef struct {
    tare_runtime *rt;
    tare_mode *m;
    tare_value *x, *y;
    tare_status status;
    char text[512];
} visit;

static void *use_unowned(void *argument)
{
    visit *v = argument;
    v->m->scope_begin(v->m, NULL);
    v->y = tare_relu(v->m, v->x);
    v->m->scope_end(v->m, &v->y, 1);
    v->status = v->m->error;
    (void)snprintf(v->text, sizeof v->text, "%s", tare_error_text());
    return NULL;
}

static void *use_adopted(void *argument)
{
    tare_runtime_adopt(((visit *)argument)->rt);
    return use_unowned(argument);
}

START_TEST(another_thread_is_refused_until_it_adopts_the_runtime)
{
    tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    visit v = {.rt = rt, .m = spine_mode(rt, false), .x = spine_random(rt, 1, (const int64_t[]){N}, 1)};
    on_a_thread(use_unowned, &v);
    ck_assert_int_eq(v.status, TARE_WRONG_THREAD);
    ck_assert_ptr_eq(v.y, &v.m->poison);
    ck_assert_ptr_nonnull(strstr(v.text, "tare_runtime_adopt"));
    tare_mode_clear(v.m);
    on_a_thread(use_adopted, &v);
    ck_assert_int_eq(v.status, TARE_OK);
    tare_runtime_adopt(rt);
    (void)spine_first(v.y);
    tare_value_drop(v.y);
    tare_value_drop(v.x);
    tare_imperative_free(v.m);
    spine_end(rt);
}
END_TEST

static void *drop_three(void *argument)
{
    visit *v = argument;
    tare_value_drop(v->x);
    tare_value_drop(v->y);
    tare_value_drop(v->x);
    tare_value_drop(v->x);
    return NULL;
}

/* Handles of two values, of one of them three: each counts. */
START_TEST(handles_dropped_elsewhere_are_drained_by_the_owner)
{
    for (int drained_by = 0; drained_by < 3; ++drained_by) {
        tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
        tare_mode *m = spine_mode(rt, false);
        tare_value *z = spine_random(rt, 1, (const int64_t[]){N}, 1);
        visit v = {.rt = rt};
        v.x = spine_random(rt, 1, (const int64_t[]){N}, 2);
        v.y = spine_random(rt, 1, (const int64_t[]){N}, 3);
        int64_t all = rt->memory.bytes_live[TARE_MEMORY_INPUT];
        for (int i = 0; i < 3; ++i)
            (void)tare_value_share(v.x); /* 4 in all */
        on_a_thread(drop_three, &v);
        ck_assert_int_eq(rt->memory.bytes_live[TARE_MEMORY_INPUT], all);
        if (drained_by == 0) {
            m->scope_begin(m, NULL);
            (void)tare_relu(m, z);
            m->scope_end(m, NULL, 0);
        } else if (drained_by == 1) {
            tare_value_drop(spine_random(rt, 1, (const int64_t[]){N}, 4));
        }
        if (drained_by < 2) {
            ck_assert(!rt->has_dropped);
            ck_assert_int_eq(rt->memory.bytes_live[TARE_MEMORY_INPUT], all - 64);
            (void)spine_first(v.x); /* one left */
            on_a_thread(drop_three, &(visit){.rt = rt, .x = NULL, .y = v.x});
        } else {
            tare_value_drop(v.x);
        }
        tare_value_drop(z);
        tare_imperative_free(m);
        spine_end(rt); /* drains what is left */
    }
}
END_TEST

enum { DROPPERS = 4, HANDLES = 500 };
static void *drop_all(void *argument)
{
    for (int i = 0; i < HANDLES; ++i)
        tare_value_drop(argument);
    return NULL;
}

START_TEST(many_threads_drop_while_the_owner_works)
{
    tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    tare_mode *m = spine_mode(rt, false);
    tare_value *x = spine_random(rt, 1, (const int64_t[]){N}, 2);
    for (int i = 0; i < DROPPERS * HANDLES; ++i)
        (void)tare_value_share(x);
    pthread_t thread[DROPPERS];
    for (int i = 0; i < DROPPERS; ++i)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, drop_all, x), 0);
    m->scope_begin(m, NULL);
    for (int i = 0; i < 200; ++i) {
        m->scope_begin(m, NULL);
        (void)tare_relu(m, x);
        m->scope_end(m, NULL, 0);
    }
    for (int i = 0; i < DROPPERS; ++i)
        ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
    (void)tare_relu(m, x);
    m->scope_end(m, NULL, 0);
    ck_assert_int_eq(x->holds, 1);
    ck_assert_int_eq(x->refs, 1);
    tare_value_drop(x);
    tare_imperative_free(m);
    spine_end(rt);
}
END_TEST

/* A few training steps in a runtime of the thread's own; the loss's bits are the answer. */
static void *train(void *argument)
{
    float *loss = argument;
    tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    tare_net *net;
    tare_optimizer *opt;
    must(tare_net_new(rt, "chain:depth=4,width=33", 7, &net));
    must(tare_optimizer_new(net, "adam", &opt));
    tare_mode *m = spine_mode(rt, true);
    tare_value *x = spine_random(rt, 2, (const int64_t[]){5, 33}, 1),
               *t = spine_random(rt, 2, (const int64_t[]){5, 33}, 2);
    for (int i = 0; i < 20; ++i) {
        m->scope_begin(m, NULL);
        tare_value *y = tare_net_loss(m, TARE_LOSS_L2, tare_net_forward(m, net, x), t);
        must(m->backward(m, &y, NULL, 1, false));
        must(tare_optimizer_step(opt, m));
        *loss = spine_first(y);
        for (int k = 0; k < net->n_parameters; ++k)
            tare_value_clear_gradient(net->parameter[k].value);
        m->scope_end(m, NULL, 0);
    }
    tare_imperative_free(m);
    tare_value_drop(x);
    tare_value_drop(t);
    tare_optimizer_free(opt);
    tare_net_free(net);
    spine_end(rt);
    return NULL;
}

START_TEST(two_runtimes_run_in_two_threads_at_once)
{
    float alone, at_once[2];
    (void)train(&alone);
    pthread_t thread[2];
    for (int i = 0; i < 2; ++i)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, train, &at_once[i]), 0);
    for (int i = 0; i < 2; ++i)
        ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
    ck_assert_mem_eq(&at_once[0], &alone, sizeof alone);
    ck_assert_mem_eq(&at_once[1], &alone, sizeof alone);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("threads");
    tcase_add_test(tests, another_thread_is_refused_until_it_adopts_the_runtime);
    tcase_add_test(tests, handles_dropped_elsewhere_are_drained_by_the_owner);
    tcase_add_test(tests, many_threads_drop_while_the_owner_works);
    tcase_add_test(tests, two_runtimes_run_in_two_threads_at_once);
    return spine_run("threads", &tests, 1);
}
