/* test_engine.c - the CPU behind a queue: the bits of the CPU without it, what the host waits for and what it does not,
 * data errors told later and once, memory that goes back while it is in use, ends, forks, threads, failing allocations.
 *
 * A kernel that waits at a gate stands for one that takes long: whatever returns before the gate is opened has not
 * waited for it. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../bench/arm/arm.h"
#include "../bench/arm/digest.h"
#include "../bench/arm/facts.h"
#include "../core/runtime_private.h"
#include "spine.h"

static tare_options queue_options(int bulk)
{
    return (tare_options){.engine = TARE_ENGINE_QUEUE, .bulk = bulk, .isa_limit = TARE_ISA_COUNT};
}

/* ---- an operator that waits ---------------------------------------------------------------------------------------*/
/* y = x, once the gate that the attribute numbers is open. */
enum { GATES = 4 };
static int gate_open[GATES]; /* atomic */

typedef struct {
    int64_t gate;
} gated_attr;

static tare_status gated_infer(const tare_args *a, const tare_desc_out *out)
{
    tare_desc_like(out[0], a->in[0]);
    return TARE_OK;
}

static void gated_prepare(const tare_args *a, const tare_desc_ref *out, tare_work *w)
{
    w->g[w->n_g++] = ((const gated_attr *)a->attr)->gate;
    w->g[w->n_g++] = tare_desc_count(out[0]);
}

static int gated_run(const tare_call *c, int piece, int worker)
{
    (void)piece;
    (void)worker;
    while (!__atomic_load_n(&gate_open[c->g[0]], __ATOMIC_ACQUIRE))
        (void)usleep(100);
    memcpy(c->ptr[1], c->ptr[0], (size_t)c->g[1] * sizeof(float));
    return 0;
}

static const tare_attr gated_attrs[] = {
    {"gate", TARE_ATTR_INT, offsetof(gated_attr, gate), 0, GATES - 1, "0", "which"}};
static const tare_variant gated_variants[] = {{.name = "reference",
                                               .set = TARE_SET_REFERENCE,
                                               .dtypes = TARE_BIT(TARE_F32),
                                               .prepare = gated_prepare,
                                               .run = gated_run}};
static const tare_op gated = {.name = "gated",
                              .doc = "y = x, once a gate is open",
                              .n_in = 1,
                              .n_out = 1,
                              .attrs = gated_attrs,
                              .n_attrs = 1,
                              .attr_bytes = sizeof(gated_attr),
                              .infer = gated_infer,
                              .not_differentiable = true,
                              .variants = gated_variants,
                              .n_variants = 1};

static tare_runtime *start(const tare_options *options)
{
    tare_runtime *rt;
    must(tare_start(options, &rt));
    must(tare_register(rt, TARE_KIND_OPERATOR, &gated));
    for (int g = 0; g < GATES; ++g)
        __atomic_store_n(&gate_open[g], 0, __ATOMIC_RELEASE);
    return rt;
}

static void open_gate(int gate)
{
    __atomic_store_n(&gate_open[gate], 1, __ATOMIC_RELEASE);
}

static tare_value *through(tare_mode *m, tare_value *x, int gate)
{
    const gated_attr attr = {gate};
    return tare_apply1(m, &gated, &attr, &x, 1);
}

static tare_value *vector(tare_runtime *rt, float a, float b)
{
    return spine_vector(rt, 2, (float[]){a, b});
}

static void assert_holds(const tare_value *v, float a, float b)
{
    float is[2], wanted[2] = {a, b};
    must(tare_value_read(v, is, sizeof is));
    ck_assert_mem_eq(is, wanted, sizeof is);
}

/* ---- the same bits ------------------------------------------------------------------------------------------------*/
static const struct {
    const char *net, *optimizer;
    int64_t batch;
    bool training_loss;
} tasks[] = {{"chain:depth=4", "sgd", 0, false},
             {"chain:depth=2,width=4", "sgd", 3000, true}, /* pieces and their combination */
             {"mlp_mnist", "adam", 16, true},
             {"lenet", "sgd", 2, true},
             {"mlp:hidden=20", NULL, 8, true}};
enum { TASKS = sizeof tasks / sizeof *tasks };

START_TEST(every_rung_has_the_bits_of_the_direct_one)
{
    tare__task task = {.net = tasks[_i].net,
                       .optimizer = tasks[_i].optimizer,
                       .batch = tasks[_i].batch,
                       .training_loss = tasks[_i].training_loss,
                       .seed = 3};
    const tare__line line = {0};
    for (const tare__rung *rung = tare__rungs; rung->name; ++rung) {
        tare__setting setting = tare__setting_of(rung, task.optimizer != NULL);
        tare__digest direct, queued;
        must(tare__digest_run(&task, &setting, 3, NULL, NULL, &direct));
        ck_assert_int_eq(tare__setting_flip_if(&setting, &line, "engine=queue"), TARE__RAN);
        if (setting.level[TARE__ENGINE] == TARE__ENGINE_DIRECT)
            continue; /* the bare calls */
        for (int k = 0; k < 4; ++k) {
            static const char *const flip[] = {"bulk=1", "bulk=5", "threads=3", "storage=malloc"};
            const char *what = NULL;
            ck_assert_int_eq(tare__setting_flip_if(&setting, &line, flip[k]), TARE__RAN);
            must(tare__digest_run(&task, &setting, 3, NULL, NULL, &queued));
            ck_assert_msg(tare__digest_equal(&direct, &queued, &what), "%s, %s: other %s", rung->name, flip[k], what);
        }
    }
}
END_TEST

/* ---- what is waited for -------------------------------------------------------------------------------------------*/
START_TEST(a_read_waits_for_its_writer_alone)
{
    tare_options o = queue_options(_i);
    tare_runtime *rt = start(&o);
    tare_mode *m = spine_mode(rt, false);
    tare_value *x = vector(rt, 1, 2), *p = vector(rt, 5, 6);
    open_gate(0);
    m->scope_begin(m, NULL);
    tare_value *loss = through(m, x, 0), *later = through(m, loss, 1), *more = through(m, p, 1);
    must(m->error);
    assert_holds(loss, 1, 2); /* gate 1 is shut: what reads and follows the loss has not happened */
    assert_holds(x, 1, 2);
    assert_holds(p, 5, 6);                         /* its reader stands at the gate */
    tare_value *free_of_all = vector(rt, 7, 8);    /* new, and written while the queue stands */
    must(tare_value_write(x, (float[]){3, 4}, 8)); /* its reader has passed gate 0 */
    assert_holds(x, 3, 4);
    open_gate(1);
    assert_holds(later, 1, 2);
    assert_holds(more, 5, 6);
    m->scope_end(m, NULL, 0);
    must(tare_runtime_wait(rt));
    tare_value_drop(free_of_all);
    tare_value_drop(x);
    tare_value_drop(p);
    tare_imperative_free(m);
    spine_end(rt);
}
END_TEST

/* A thread that opens a gate once somebody may have stood before it for a while. */
static void *open_later(void *gate)
{
    (void)usleep(20000);
    open_gate(*(const int *)gate);
    return NULL;
}

/* Each is undone by a host that does not wait: the copy would have the new bytes. */
START_TEST(a_write_waits_for_readers)
{
    tare_options o = queue_options(_i);
    tare_runtime *rt = start(&o);
    tare_mode *m = spine_mode(rt, false);
    tare_value *x = vector(rt, 1, 2);
    m->scope_begin(m, NULL);
    tare_value *copy = through(m, x, 1);
    pthread_t opener;
    int gate = 1;
    ck_assert_int_eq(pthread_create(&opener, NULL, open_later, &gate), 0);
    must(tare_value_write(x, (float[]){3, 4}, 8));
    ck_assert_int_eq(__atomic_load_n(&gate_open[1], __ATOMIC_ACQUIRE), 1);
    assert_holds(copy, 1, 2);
    assert_holds(x, 3, 4);
    (void)pthread_join(opener, NULL);
    m->scope_end(m, NULL, 0);
    tare_value_drop(x);
    tare_imperative_free(m);
    spine_end(rt);
}
END_TEST

/* A block that the pool hands out again is written by the host only when what was queued on it has happened. */
START_TEST(a_block_taken_anew_is_not_free_yet)
{
    tare_options o = queue_options(1);
    tare_runtime *rt = start(&o);
    tare_mode *m = spine_mode(rt, false);
    tare_value *x = vector(rt, 1, 2), *kept;
    m->scope_begin(m, NULL);
    tare_value *a = through(m, x, 1);
    const void *block = a->address;
    kept = through(m, tare_move(a), 0); /* reads a, whose bytes go to the pool */
    m->scope_end(m, &kept, 1);
    tare_desc d = x->d;
    tare_value *again;
    must(tare_value_new(rt, &d, TARE_MEMORY_WORK, &again));
    ck_assert_ptr_eq(again->address, block);
    pthread_t opener;
    int gate = 1;
    open_gate(0);
    ck_assert_int_eq(pthread_create(&opener, NULL, open_later, &gate), 0);
    must(tare_value_write(again, (float[]){8, 9}, 8));
    assert_holds(kept, 1, 2);
    assert_holds(again, 8, 9);
    (void)pthread_join(opener, NULL);
    tare_value_drop(again);
    tare_value_drop(kept);
    tare_value_drop(x);
    tare_imperative_free(m);
    spine_end(rt);
}
END_TEST

static int n_released;
static void release(tare_storage *s)
{
    free(s->owner);
    ++n_released;
}

/* Foreign memory and, with malloc, every result goes back only when nothing queued uses it (AddressSanitizer looks). */
START_TEST(memory_goes_back_when_it_is_not_used)
{
    tare_options o = queue_options(1);
    o.storage = TARE_STORAGE_MALLOC;
    tare_runtime *rt = start(&o);
    tare_mode *m = spine_mode(rt, false);
    float *bytes = malloc(2 * sizeof *bytes);
    bytes[0] = 1;
    bytes[1] = 2;
    int64_t two = 2;
    tare_desc d = tare_desc_of(TARE_F32, 1, &two);
    tare_value *x, *y;
    must(tare_value_foreign(rt, &d, bytes, release, bytes, &x));
    n_released = 0;
    pthread_t opener;
    int gate = 2;
    m->scope_begin(m, NULL);
    y = through(m, x, 2);
    ck_assert_int_eq(pthread_create(&opener, NULL, open_later, &gate), 0);
    tare_value_drop(x);
    ck_assert_int_eq(n_released, 1);
    open_gate(0);
    for (int i = 0; i < 1000; ++i) /* more than wait to be given back */
        y = through(m, tare_move(y), 0);
    m->scope_end(m, &y, 1);
    assert_holds(y, 1, 2);
    (void)pthread_join(opener, NULL);
    tare_value_drop(y);
    tare_imperative_free(m);
    spine_end(rt);
}
END_TEST

/* More calls than the ring has room for, and a scope that is never read. */
START_TEST(a_full_ring_waits)
{
    tare_options o = queue_options(64);
    tare_runtime *rt = start(&o);
    tare_mode *m = spine_mode(rt, false);
    tare_value *x = vector(rt, 1, 2), *y = x;
    pthread_t opener;
    int gate = 3;
    ck_assert_int_eq(pthread_create(&opener, NULL, open_later, &gate), 0);
    m->scope_begin(m, NULL);
    y = through(m, y, 3);
    open_gate(0);
    for (int i = 0; i < 5000; ++i)
        y = through(m, tare_move(y), 0);
    m->scope_end(m, &y, 1);
    assert_holds(y, 1, 2);
    (void)pthread_join(opener, NULL);
    tare_value_drop(y);
    tare_value_drop(x);
    tare_imperative_free(m);
    spine_end(rt);
}
END_TEST

/* ---- data errors --------------------------------------------------------------------------------------------------*/
/* Rows of a table by index, of which one is out of range. */
static tare_value *bad_rows(tare_mode *m, tare_value *logits, tare_value *labels)
{
    m->scope_begin(m, "head");
    tare_value *loss = tare_softmax_cross_entropy(m, logits, labels);
    m->scope_end(m, &loss, 1);
    return loss;
}

static tare_value *labels_of(tare_runtime *rt, int32_t a, int32_t b)
{
    int64_t two = 2;
    tare_desc d = tare_desc_of(TARE_I32, 1, &two);
    tare_value *v;
    must(tare_value_new(rt, &d, TARE_MEMORY_INPUT, &v));
    must(tare_value_write(v, (int32_t[]){a, b}, 8));
    return v;
}

START_TEST(bad_data_are_told_once_and_stop_what_follows)
{
    tare_options o = queue_options(_i);
    tare_runtime *rt = start(&o);
    tare_mode *m = spine_mode(rt, false);
    tare_value *logits = spine_random(rt, 2, (int64_t[]){2, 3}, 1), *labels = labels_of(rt, 1, 7);
    tare_value *x = vector(rt, 1, 2);
    float is[2];
    open_gate(0);
    m->scope_begin(m, NULL);
    tare_value *before = through(m, x, 0);
    assert_holds(before, 1, 2);
    tare_value *loss = bad_rows(m, logits, labels), *after = through(m, x, 0);
    must(m->error);
    expect_error(tare_value_read(loss, is, 8), TARE_BAD_DATA, "softmax_cross_entropy 'head': ");
    must(tare_value_read(after, is, 8)); /* told: what it holds is nothing, for it did not run */
    tare_value *now = through(m, x, 0);
    assert_holds(now, 1, 2);
    m->scope_end(m, NULL, 0);
    must(m->error);
    must(tare_runtime_wait(rt));

    m->scope_begin(m, NULL); /* by wait */
    (void)bad_rows(m, logits, labels);
    expect_error(tare_runtime_wait(rt), TARE_BAD_DATA, "softmax_cross_entropy 'head': ");
    must(tare_runtime_wait(rt));
    m->scope_end(m, NULL, 0);

    m->scope_begin(m, NULL); /* by the end of the outermost scope that comes after it */
    (void)bad_rows(m, logits, labels);
    m->scope_end(m, NULL, 0);
    while (!tare_device_faulted(rt->device) && m->error == TARE_OK)
        (void)usleep(100);
    m->scope_begin(m, NULL);
    m->scope_end(m, NULL, 0);
    expect_error(m->error, TARE_BAD_DATA, "softmax_cross_entropy 'head': ");
    must(tare_runtime_wait(rt));
    tare_value_drop(logits);
    tare_value_drop(labels);
    tare_value_drop(x);
    tare_imperative_free(m);
    spine_end(rt);
}
END_TEST

START_TEST(shape_errors_are_told_at_the_call)
{
    tare_options o = queue_options(8);
    tare_runtime *rt = start(&o);
    tare_mode *m = spine_mode(rt, false);
    tare_value *x = vector(rt, 1, 2), *y = spine_leaf(rt, 3, 1);
    m->scope_begin(m, NULL);
    tare_value *z = tare_add(m, x, y);
    ck_assert(z->poison);
    ck_assert_int_ne(m->error, TARE_OK);
    m->scope_end(m, NULL, 0);
    tare_value_drop(x);
    tare_value_drop(y);
    tare_imperative_free(m);
    spine_end(rt);
}
END_TEST

/* ---- counts -------------------------------------------------------------------------------------------------------*/
static tare_counts counts_of(const char *rung, const char *const *flips)
{
    const tare__line line = {0};
    tare__task task = {.net = "chain", .optimizer = "sgd", .seed = 1};
    tare__setting setting = tare__setting_of(tare__rung_find(rung), true);
    for (; *flips; ++flips)
        ck_assert_int_eq(tare__setting_flip(&setting, &line, *flips), TARE__RAN);
    tare__arm arm;
    tare_counts step;
    must(tare__arm_open(&arm, &task, &setting, rung));
    must(tare__arm_prepare(&arm));
    must(tare__arm_count(&arm, &step));
    tare__arm_close(&arm);
    ck_assert_int_eq(arm.lost, 0);
    return step;
}

#define COUNTS_OF(rung, ...) counts_of(rung, (const char *const[]){__VA_ARGS__, NULL})

/* chain: 119 nodes and 40 updates. */
START_TEST(pushes_and_waits_are_exact)
{
    tare_counts direct = COUNTS_OF("functional", "engine=direct"), one = COUNTS_OF("functional", "engine=queue");
    ck_assert_int_eq(direct.pushes + direct.waits, 0);
    ck_assert_int_eq(one.pushes, 159);
    ck_assert_int_eq(one.waits, 0);
    tare_counts eight = COUNTS_OF("functional", "engine=queue", "bulk=8");
    ck_assert_int_eq(eight.pushes, (159 + 7) / 8);
    tare_counts step = COUNTS_OF("step", "engine=queue"), symbol = COUNTS_OF("symbol", "engine=queue");
    ck_assert_int_eq(step.pushes, 1);
    ck_assert_int_eq(symbol.pushes, 1 + 40);
    one.pushes = direct.pushes; /* and nothing else differs */
    one.locks = direct.locks;   /* who sleeps is a matter of time */
    ck_assert_mem_eq(&one, &direct, sizeof one);
}
END_TEST

/* ---- beginnings and ends ------------------------------------------------------------------------------------------*/
START_TEST(options_are_checked)
{
    tare_runtime *rt;
    tare_options o = queue_options(65);
    expect_error(tare_runtime_new(&o, &rt), TARE_BAD_ARGUMENT, "bulk is 65 (need 1 to 64)");
    o = queue_options(-1);
    expect_error(tare_runtime_new(&o, &rt), TARE_BAD_ARGUMENT, "bulk is -1");
    o = (tare_options){.engine = (tare_engine_choice)2, .isa_limit = TARE_ISA_COUNT};
    expect_error(tare_runtime_new(&o, &rt), TARE_BAD_ARGUMENT, "out of its range");
}
END_TEST

/* A runtime may end while work is queued: it is done first. */
START_TEST(an_end_with_work_queued)
{
    tare_options o = queue_options(_i);
    tare_runtime *rt = start(&o);
    tare_mode *m = spine_mode(rt, false);
    tare_value *x = vector(rt, 1, 2);
    pthread_t opener;
    int gate = 1;
    m->scope_begin(m, NULL);
    (void)through(m, x, 1);
    for (int i = 0; i < 10; ++i)
        (void)through(m, x, 1);
    m->scope_end(m, NULL, 0);
    tare_imperative_free(m);
    tare_value_drop(x);
    ck_assert_int_eq(pthread_create(&opener, NULL, open_later, &gate), 0);
    spine_end(rt);
    (void)pthread_join(opener, NULL);
}
END_TEST

/* In a child there is no worker: what is asked of it is refused, and its end is an end. */
START_TEST(a_child_of_fork)
{
    tare_options o = queue_options(1);
    o.threads = _i;
    tare_runtime *rt = start(&o);
    tare_mode *m = spine_mode(rt, false);
    tare_value *x = vector(rt, 1, 2);
    open_gate(0);
    m->scope_begin(m, NULL);
    tare_value *y = through(m, x, 0);
    assert_holds(y, 1, 2);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        float is[2];
        (void)alarm(20);
        bool right = tare_value_read(y, is, 8) == TARE_OK && is[1] == 2; /* done before the fork */
        tare_value *z = through(m, x, 0);
        right = right && tare_value_read(z, is, 8) == TARE_IMPOSSIBLE && strstr(tare_error_text(), "fork");
        m->scope_end(m, NULL, 0);
        tare_imperative_free(m);
        tare_value_drop(x);
        right = right && tare_runtime_free(rt) == 0;
        _exit(right ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %d", status);
    m->scope_end(m, NULL, 0);
    tare_imperative_free(m);
    tare_value_drop(x);
    spine_end(rt);
}
END_TEST

static void *digest_in_a_thread(void *out)
{
    const tare__line line = {0};
    tare__task task = {.net = "mlp_mnist", .optimizer = "sgd", .batch = 8, .training_loss = true, .seed = 3};
    tare__setting setting = tare__setting_of(tare__rung_find("functional"), true);
    if (tare__setting_flip(&setting, &line, "engine=queue") != TARE__RAN ||
        tare__setting_flip(&setting, &line, "bulk=4") != TARE__RAN ||
        tare__digest_run(&task, &setting, 3, NULL, NULL, out) != TARE_OK)
        return NULL;
    return out;
}

START_TEST(three_runtimes_in_three_threads)
{
    tare__digest digest[4];
    pthread_t thread[3];
    for (int i = 0; i < 3; ++i)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, digest_in_a_thread, &digest[i]), 0);
    ck_assert_ptr_nonnull(digest_in_a_thread(&digest[3]));
    for (int i = 0; i < 3; ++i) {
        void *ran;
        const char *what = NULL;
        (void)pthread_join(thread[i], &ran);
        ck_assert_ptr_nonnull(ran);
        ck_assert_msg(tare__digest_equal(&digest[i], &digest[3], &what), "other %s", what);
    }
}
END_TEST

/* From its opening on, the runtime's k-th request and all after it fail. */
static tare_status open_failing(tare_runtime *rt, void *k, tare_device **out)
{
    rt->memory.fail_at = rt->memory.n_requests + *(int64_t *)k;
    return tare__engine_open(rt, out);
}

START_TEST(every_allocation_fails_in_turn)
{
    tare__setting setting = tare__setting_of(tare__rung_find("functional"), true);
    tare__task task = {.net = "chain:depth=2", .optimizer = "sgd", .seed = 1, .open_device = open_failing};
    setting.level[TARE__THREADS] = 2;
    tare_status status = TARE_NO_MEMORY;
    int64_t k = 0;
    while (status == TARE_NO_MEMORY) {
        tare__arm a;
        ++k;
        task.device_owner = &k;
        status = tare__arm_open(&a, &task, &setting, "failing");
        if (status == TARE_OK)
            status = tare__arm_prepare(&a);
        if (status == TARE_OK)
            status = a.step(&a);
        ck_assert_msg(status == TARE_OK || *tare_error_text(), "no sentence");
        if (status == TARE_OK)
            must(tare_runtime_wait(a.rt));
        tare__arm_close(&a);
        ck_assert_int_eq(a.lost, 0);
    }
    must(status);
    ck_assert_int_gt(k, 5);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("engine");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, every_rung_has_the_bits_of_the_direct_one, 0, TASKS);
    tcase_add_loop_test(tests, a_read_waits_for_its_writer_alone, 1, 4);
    tcase_add_loop_test(tests, a_write_waits_for_readers, 1, 3);
    tcase_add_test(tests, a_block_taken_anew_is_not_free_yet);
    tcase_add_test(tests, memory_goes_back_when_it_is_not_used);
    tcase_add_test(tests, a_full_ring_waits);
    tcase_add_loop_test(tests, bad_data_are_told_once_and_stop_what_follows, 1, 4);
    tcase_add_test(tests, shape_errors_are_told_at_the_call);
    tcase_add_test(tests, pushes_and_waits_are_exact);
    tcase_add_test(tests, options_are_checked);
    tcase_add_loop_test(tests, an_end_with_work_queued, 1, 3);
    tcase_add_loop_test(tests, a_child_of_fork, 1, 3);
    tcase_add_test(tests, three_runtimes_in_three_threads);
    tcase_add_test(tests, every_allocation_fails_in_turn);
    return spine_run("engine", &tests, 1);
}
