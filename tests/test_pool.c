/* test_pool.c - the pool: each piece once, combine once and last, errors together, on 1 to 8 threads, thousands of
 * calls; scratch a worker; nested calls; two pools at once; an idle end; and through nets, the bits of one thread. */
#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "../core/threads.h"
#include "spine.h"

enum { PIECES_MOST = 200, THREADS_MOST = 8 };

/* What a call of the tests counts; g[0] = the piece that fails, g[1] = its error, g[2] = threads of the pool. */
typedef struct {
    int runs[PIECES_MOST];     /* of each piece */
    int inside[THREADS_MOST];  /* of each worker: never two at once */
    int workers[THREADS_MOST]; /* pieces that each took */
    int combines, pieces_before, wrong;
} tally;

static int counting(const tare_call *c, int piece, int worker)
{
    tally *t = c->ptr[0];
    int workers = c->n_pieces < (int)c->g[2] ? c->n_pieces : (int)c->g[2];
    if (piece < 0 || piece >= c->n_pieces || worker < 0 || worker >= workers) {
        (void)__atomic_add_fetch(&t->wrong, 1, __ATOMIC_RELAXED);
        return 0;
    }
    bool alone = __atomic_add_fetch(&t->inside[worker], 1, __ATOMIC_RELAXED) == 1;
    (void)__atomic_add_fetch(&t->wrong, !alone || t->combines, __ATOMIC_RELAXED);
    ++t->runs[piece]; /* plain: a piece is one thread's, and the caller sees it after the call */
    ++t->workers[worker];
    (void)__atomic_sub_fetch(&t->inside[worker], 1, __ATOMIC_RELAXED);
    return piece == c->g[0] ? (int)c->g[1] : piece == c->g[0] + 1 ? 2 * (int)c->g[1] : 0;
}

static int combining(const tare_call *c, int piece, int worker)
{
    tally *t = c->ptr[0];
    t->wrong += piece != 0 || worker != 0;
    ++t->combines;
    for (int k = 0; k < c->n_pieces; ++k)
        t->pieces_before += t->runs[k];
    return 0;
}

static tare_runtime *bare_runtime(int threads)
{
    tare_options options = {.threads = threads, .isa_limit = TARE_ISA_COUNT};
    tare_runtime *rt;
    must(tare_runtime_new(&options, &rt));
    ck_assert_int_eq(rt->options.threads, threads);
    return rt;
}

/* One call by the pool, or, where it is NULL, through the device; all of it checked. The answer is the call's error. */
static int run_counted(tare_runtime *rt, tare_threads *pool, int n_pieces, int64_t failing, int64_t error, bool combine)
{
    tally t = {.combines = 0};
    void *ptr[1] = {&t};
    int64_t g[3] = {failing, error, rt->options.threads};
    tare_call c = {.run = counting,
                   .combine = combine ? combining : NULL,
                   .ptr = ptr,
                   .g = g,
                   .n_pieces = n_pieces,
                   .n_ptr = 1,
                   .n_g = 3,
                   .site = -1};
    int failed = -1, answer = pool ? tare__threads_run(pool, &c) : (int)rt->device->run(rt->device, &c, 1, &failed);
    ck_assert_int_eq(t.wrong, 0);
    for (int k = 0; k < n_pieces; ++k)
        ck_assert_msg(t.runs[k] == 1, "piece %d of %d ran %d times", k, n_pieces, t.runs[k]);
    int taken = 0;
    for (int k = 0; k < THREADS_MOST; ++k)
        taken += t.workers[k];
    ck_assert_int_eq(taken, n_pieces);
    ck_assert_int_eq(t.combines, combine && n_pieces > 1);
    ck_assert_int_eq(t.pieces_before, combine && n_pieces > 1 ? n_pieces : 0);
    ck_assert_int_eq(failed, answer && !pool ? 0 : -1);
    return answer;
}

START_TEST(pieces_run_once_and_combine_last)
{
    tare_runtime *rt = bare_runtime(_i);
    uint64_t random = 7;
    for (int call = 0; call < 2000; ++call) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        int n = call % 3 == 0 ? 1 + (int)(random >> 60) : 1 + (int)((random >> 40) % PIECES_MOST);
        if (call % 500 == 499)
            (void)usleep(2000); /* the workers sleep in between */
        ck_assert_int_eq(run_counted(rt, NULL, n, -9, 0, random >> 35 & 1), 0);
    }
    ck_assert_int_eq(rt->counts.kernel_calls, 2000);
    ck_assert_int_eq(tare_runtime_free(rt), 0);
}
END_TEST

START_TEST(errors_of_all_pieces_come_together)
{
    tare_runtime *rt = bare_runtime(_i);
    tare_threads *pool;
    must(tare__threads_new(rt, _i, &rt->counts.locks, &pool));
    for (int call = 0; call < 200; ++call)
        for (int n = 2; n < 6; ++n)
            ck_assert_int_eq(run_counted(rt, pool, n, call % (n - 1), 1, true), 3);
    tare__threads_free(pool);
    ck_assert_int_eq(run_counted(rt, NULL, 5, 4, 1, true), TARE_BAD_DATA);
    ck_assert_int_eq(run_counted(rt, NULL, 5, -9, 0, true), 0); /* nothing is left of it */
    ck_assert_int_eq(tare_runtime_free(rt), 0);
}
END_TEST

/* What a thread's environment is during a piece. */
typedef struct {
    bool to_nearest[PIECES_MOST], blocked[PIECES_MOST];
    pthread_t caller;
    int helped, meeting;
} surroundings;

static bool rounds_to_nearest(void)
{
    volatile float one = 1, little = 1e-9F;
    return one + little == one;
}

/* Two threads meet here: so the worker has taken part for certain. */
static int looking(const tare_call *c, int piece, int worker)
{
    (void)worker;
    surroundings *s = c->ptr[0];
    sigset_t set;
    (void)pthread_sigmask(SIG_BLOCK, NULL, &set);
    s->to_nearest[piece] = rounds_to_nearest();
    bool caller = pthread_equal(pthread_self(), s->caller) != 0;
    s->blocked[piece] = caller || sigismember(&set, SIGTERM);
    (void)__atomic_add_fetch(&s->helped, !caller, __ATOMIC_RELAXED);
    (void)__atomic_add_fetch(&s->meeting, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&s->meeting, __ATOMIC_SEQ_CST) < 2)
        (void)usleep(10);
    return 0;
}

START_TEST(workers_have_the_environment_of_a_run)
{
    (void)fesetround(FE_UPWARD); /* which threads inherit */
    tare_runtime *rt = bare_runtime(2);
    uint64_t before = tare_float_enter();
    surroundings s = {.caller = pthread_self()};
    void *ptr[1] = {&s};
    tare_call c = {.run = looking, .ptr = ptr, .n_pieces = 2, .n_ptr = 1, .site = -1};
    int failed;
    ck_assert_int_eq(rt->device->run(rt->device, &c, 1, &failed), 0);
    tare_float_leave(before);
    ck_assert(!rounds_to_nearest());
    (void)fesetround(FE_TONEAREST);
    ck_assert_int_eq(s.helped, 1);
    for (int k = 0; k < 2; ++k) {
        ck_assert(s.to_nearest[k]);
        ck_assert(s.blocked[k]);
    }
    ck_assert_int_eq(tare_runtime_free(rt), 0);
}
END_TEST

/* A kernel that hands a call of its own to the same pool, which no kernel of ours can: it has no runtime. */
typedef struct {
    tare_threads *pool;
    tally inner[PIECES_MOST];
    int64_t g[3];
} nest;

static int nesting(const tare_call *c, int piece, int worker)
{
    (void)worker;
    nest *n = c->ptr[0];
    void *ptr[1] = {&n->inner[piece]};
    tare_call inner = {
        .run = counting, .combine = combining, .ptr = ptr, .g = n->g, .n_pieces = 7, .n_ptr = 1, .n_g = 3, .site = -1};
    return tare__threads_run(n->pool, &inner);
}

START_TEST(a_nested_call_runs_where_it_is)
{
    tare_runtime *rt = bare_runtime(1);
    nest *n = calloc(1, sizeof *n);
    must(tare__threads_new(rt, 4, &rt->counts.locks, &n->pool));
    n->g[0] = 3;
    n->g[1] = 1;
    n->g[2] = 1;
    void *ptr[1] = {n};
    tare_call c = {.run = nesting, .ptr = ptr, .n_pieces = 50, .n_ptr = 1, .site = -1};
    ck_assert_int_eq(tare__threads_run(n->pool, &c), 3);
    for (int k = 0; k < 50; ++k) {
        ck_assert_int_eq(n->inner[k].wrong, 0);
        ck_assert_int_eq(n->inner[k].workers[0], 7);
        ck_assert_int_eq(n->inner[k].pieces_before, 7);
    }
    tare__threads_free(n->pool);
    free(n);
    ck_assert_int_eq(tare_runtime_free(rt), 0);
}
END_TEST

/* Ends while the workers look for work, while they sleep, and before they had any. */
START_TEST(a_runtime_ends_while_its_workers_are_idle)
{
    for (int k = 0; k < 60; ++k) {
        tare_runtime *rt = bare_runtime(1 + k % THREADS_MOST);
        if (k % 3)
            ck_assert_int_eq(run_counted(rt, NULL, 9, -9, 0, true), 0);
        if (k % 3 == 2)
            (void)usleep(1500);
        ck_assert_int_eq(tare_runtime_free(rt), 0);
    }
    tare__threads_free(NULL);
}
END_TEST

static void *use_a_pool(void *threads)
{
    tare_runtime *rt = bare_runtime(*(int *)threads);
    for (int call = 0; call < 1500; ++call)
        (void)run_counted(rt, NULL, 1 + call % 40, -9, 0, call & 1);
    ck_assert_int_eq(tare_runtime_free(rt), 0);
    return NULL;
}

START_TEST(two_pools_in_two_threads)
{
    pthread_t thread[2];
    int threads[2] = {2, 3};
    for (int i = 0; i < 2; ++i)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, use_a_pool, &threads[i]), 0);
    for (int i = 0; i < 2; ++i)
        ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
}
END_TEST

START_TEST(threads_that_cannot_be)
{
    tare_runtime *rt = NULL;
    const int bad[] = {-1, TARE_THREADS_MOST + 1};
    for (int i = 0; i < 2; ++i)
        expect_error(tare_runtime_new(&(tare_options){.threads = bad[i], .isa_limit = TARE_ISA_COUNT}, &rt),
                     TARE_BAD_ARGUMENT, "need 1 to 64");
    ck_assert_ptr_null(rt);
    rt = bare_runtime(TARE_THREADS_MOST);
    ck_assert_int_eq(tare_runtime_free(rt), 0);
}
END_TEST

/* y = tanh(x w^T) and its gradient in w, [150,200] and [180,200]: products, pointwise and sums of several pieces. */
static void train_once(int threads, float *w_gradient, tare_counts *counts)
{
    tare_options options = {.threads = threads, .isa_limit = TARE_ISA_COUNT};
    tare_runtime *rt;
    must(tare_start(&options, &rt));
    tare_mode *m = spine_mode(rt, true);
    tare_value *x = spine_random(rt, 2, (int64_t[]){150, 200}, 3), *w = spine_random(rt, 2, (int64_t[]){180, 200}, 4),
               *b = spine_random(rt, 1, (int64_t[]){180}, 5);
    tare_value_want_gradient(w, true);
    for (int step = 0; step < 3; ++step) {
        if (step == 2)
            *counts = tare_runtime_counts(rt);
        tare_value_clear_gradient(w);
        m->scope_begin(m, NULL);
        tare_value *loss = spine_total(m, tare_tanh(m, tare_dense(m, x, w, b)));
        must(m->backward(m, &loss, NULL, 1, false));
        m->scope_end(m, NULL, 0);
    }
    tare_counts after = tare_runtime_counts(rt);
    counts->allocations = after.allocations - counts->allocations;
    counts->kernel_calls = after.kernel_calls - counts->kernel_calls;
    counts->storage_takes = after.storage_takes - counts->storage_takes;
    must(tare_value_read(tare_value_gradient(w), w_gradient, 180 * 200 * sizeof *w_gradient));
    tare_value_clear_gradient(w);
    tare_value_drop(x);
    tare_value_drop(w);
    tare_value_drop(b);
    tare_imperative_free(m);
    spine_end(rt);
}

START_TEST(bits_and_counts_are_those_of_one_thread)
{
    size_t bytes = 180 * 200 * sizeof(float);
    float *one = malloc(bytes), *several = malloc(bytes);
    tare_counts first, counts;
    train_once(1, one, &first);
    ck_assert_int_eq(first.allocations, 0);
    const int threads[] = {2, 3, 4, 7};
    for (int i = 0; i < 4; ++i) {
        train_once(threads[i], several, &counts);
        ck_assert_msg(memcmp(one, several, bytes) == 0, "other bits on %d threads", threads[i]);
        ck_assert_int_eq(counts.allocations, 0);
        ck_assert_int_eq(counts.kernel_calls, first.kernel_calls);
        ck_assert_int_eq(counts.storage_takes, first.storage_takes);
    }
    free(one);
    free(several);
}
END_TEST

int main(void)
{
    TCase *pool = tcase_create("pool"), *nets = tcase_create("nets");
    tcase_set_timeout(pool, 120);
    tcase_set_timeout(nets, 120);
    tcase_add_loop_test(pool, pieces_run_once_and_combine_last, 1, THREADS_MOST + 1);
    tcase_add_loop_test(pool, errors_of_all_pieces_come_together, 1, THREADS_MOST + 1);
    tcase_add_test(pool, workers_have_the_environment_of_a_run);
    tcase_add_test(pool, a_nested_call_runs_where_it_is);
    tcase_add_test(pool, a_runtime_ends_while_its_workers_are_idle);
    tcase_add_test(pool, two_pools_in_two_threads);
    tcase_add_test(pool, threads_that_cannot_be);
    tcase_add_test(nets, bits_and_counts_are_those_of_one_thread);
    return spine_run("pool", (TCase *[]){pool, nets}, 2);
}
