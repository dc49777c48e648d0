/* test_no_memory.c - every allocation fails in turn, from the start of a runtime to a step: a status, nothing lost, and
 * a second try with the right bits. */
#include "training.h"

/* The allocator's way to the system, so that a runtime's own beginning can fail too. */
static int64_t fail_system_at, n_system;
void *aligned_alloc(size_t alignment, size_t bytes)
{
    void *block = NULL;
    if (fail_system_at && ++n_system >= fail_system_at)
        return NULL;
    return posix_memalign(&block, alignment, bytes) == 0 ? block : NULL;
}

START_TEST(a_runtime_starts_or_says_why)
{
    int64_t k = 0;
    for (tare_runtime *rt = NULL; !rt;) {
        fail_system_at = ++k;
        n_system = 0;
        tare_status status = tare_start(NULL, &rt);
        fail_system_at = 0;
        ck_assert_int_eq(status, rt ? TARE_OK : TARE_NO_MEMORY);
        ck_assert(rt || strstr(tare_error_text(), "out of memory"));
        if (rt)
            spine_end(rt);
    }
    ck_assert_int_gt(k, 20);
}
END_TEST

START_TEST(what_a_program_registers_next_registers_or_says_why)
{
    for (int64_t k = 1, done = 0; !done; ++k) {
        tare_runtime *rt;
        must(tare_start(NULL, &rt));
        rt->memory.fail_at = rt->memory.n_requests + k;
        int before = tare_registered(rt);
        tare_status status = tare_graph_register(rt);
        if (status == TARE_OK) {
            before = tare_registered(rt);
            status = tare_nets_register(rt);
        }
        if (status != TARE_OK) /* all of it or nothing */
            ck_assert_int_eq(tare_registered(rt), before);
        done = rt->memory.n_requests < rt->memory.fail_at;
        ck_assert_int_eq(status, done ? TARE_OK : TARE_NO_MEMORY);
        spine_end(rt);
    }
}
END_TEST

/* ---- a training
 * ----------------------------------------------------------------------------------------------------*/
static const training_task task = {"chain:depth=3", "adam", TARE_LOSS_L2, 2, {0}};
static const tare_storage_choice storages[] = {TARE_STORAGE_POOL, TARE_STORAGE_MALLOC};

/* What one step and two steps give when all goes well. */
static tare_runtime *good_rt;
static training good[2];
static tare_value *good_x, *good_target;

static void setup(void)
{
    good_rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
    for (int i = 0; i < 2; ++i) {
        must(training_init(&good[i], good_rt, &task, TRAIN_NOW));
        good_x = i ? good_x : training_input(&good[0], 1);
        good_target = i ? good_target : training_target(&good[0], 1);
        for (int k = 0; k <= i; ++k)
            must(training_step(&good[i], good_x, good_target));
    }
}

static void teardown(void)
{
    for (int i = 0; i < 2; ++i)
        training_fini(&good[i]);
    tare_value_drop(good_x);
    tare_value_drop(good_target);
    spine_end(good_rt);
}

static void expect_bits(const training *t, const training *wanted, int64_t k)
{
    const char *difference = training_difference(wanted, t);
    ck_assert_msg(!difference, "after allocation %lld failed: %s", (long long)k, difference);
}

START_TEST(from_nothing_to_the_first_step)
{
    int way = _i / 2;
    for (int64_t k = 1, done = 0; !done; ++k) {
        tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, storages[_i % 2]);
        training t, again;
        tare_value *x, *target;
        must(training_init(&again, rt, &task, TRAIN_NOW));
        x = training_input(&again, 1);
        target = training_target(&again, 1);
        training_fini(&again);
        tare_runtime_trim(rt);
        rt->memory.fail_at = rt->memory.n_requests + k;
        tare_status status = training_init(&t, rt, &task, (training_way)way);
        if (status == TARE_OK)
            status = training_step(&t, x, target);
        done = rt->memory.n_requests < rt->memory.fail_at;
        rt->memory.fail_at = 0;
        if (done)
            expect_bits(&t, &good[0], k);
        else
            ck_assert_msg(status == TARE_NO_MEMORY, "allocation %lld: %s (%s)", (long long)k, tare_status_name(status),
                          tare_error_text());
        training_fini(&t);
        ck_assert_int_eq(rt->work_bytes_live, 0);
        must(training_init(&again, rt, &task, (training_way)way));
        must(training_step(&again, x, target));
        expect_bits(&again, &good[0], k);
        training_fini(&again);
        tare_value_drop(x);
        tare_value_drop(target);
        spine_end(rt);
        ck_assert_int_lt(k, 1000);
    }
}
END_TEST

static int64_t count_of(const training *t)
{
    int64_t count;
    must(tare_value_read(t->opt->step, &count, sizeof count));
    return count;
}

/* The second step fails; where its update had not begun, the parameters are untouched and the same training goes on. */
START_TEST(a_step_that_fails_can_be_taken_again)
{
    int way = _i / 2, failures = 0, resumed = 0;
    for (int64_t k = 1, done = 0; !done; ++k) {
        tare_runtime *rt = spine_start(TARE_KERNELS_NATIVE, storages[_i % 2]);
        training t;
        must(training_init(&t, rt, &task, (training_way)way));
        tare_value *x = training_input(&t, 1), *target = training_target(&t, 1);
        must(training_step(&t, x, target));
        void *before = spine_bytes(t.net->parameter[0].value);
        training_forget(&t);
        tare_runtime_trim(rt); /* nothing cached: results need memory again */
        rt->memory.fail_at = rt->memory.n_requests + k;
        tare_status status = training_step(&t, x, target);
        done = rt->memory.n_requests < rt->memory.fail_at;
        rt->memory.fail_at = 0;
        if (!done) {
            ++failures;
            ck_assert_int_eq(status, TARE_NO_MEMORY);
            if (count_of(&t) == 1) {
                void *after = spine_bytes(t.net->parameter[0].value);
                ck_assert_mem_eq(before, after, tare_desc_bytes(&t.net->parameter[0].value->d));
                free(after);
                must(training_step(&t, x, target));
                expect_bits(&t, &good[1], k);
                ++resumed;
            }
        } else {
            must(status);
            expect_bits(&t, &good[1], k);
        }
        free(before);
        training_fini(&t);
        tare_value_drop(x);
        tare_value_drop(target);
        spine_end(rt);
    }
    if (way == TRAIN_NOW)
        ck_assert_int_gt(resumed, 5);
    if (way == TRAIN_STEP)
        ck_assert_int_eq(failures, 0); /* a replay asks for nothing */
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("no memory");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, a_runtime_starts_or_says_why);
    tcase_add_test(tests, what_a_program_registers_next_registers_or_says_why);
    tcase_add_loop_test(tests, from_nothing_to_the_first_step, 0, 2 * TRAIN_WAYS);
    tcase_add_loop_test(tests, a_step_that_fails_can_be_taken_again, 0, 2 * TRAIN_WAYS);
    return spine_run("no memory", &tests, 1);
}
