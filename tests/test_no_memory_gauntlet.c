/* test_no_memory_gauntlet.c - gauntlet in every rung, each of its allocations failing in turn, from the start of its
 * runtime to its second step: a status with a sentence, no block lost, and afterwards the right bits.
 *
 * (From the library's side, on a small net: test_no_memory.c.) */
#include "../bench/arm/arm.h"
#include "../core/runtime_private.h"
#include "spine.h"

static const tare__task task = {
    .net = "gauntlet", .optimizer = "sgd:momentum=0.5,clip=1", .training_loss = true, .seed = 3};

/* The CPU; from its opening on, the runtime's k-th request and all after it fail. k = 0: none. */
static tare_status open_failing(tare_runtime *rt, void *k, tare_device **out)
{
    rt->memory.fail_at = *(int64_t *)k ? rt->memory.n_requests + *(int64_t *)k : 0;
    return tare__cpu_open(rt, out);
}

static tare_status arm_to_first_step(tare__arm *a, const tare__rung *rung, int64_t *k)
{
    tare__task failing = task;
    failing.open_device = open_failing;
    failing.device_owner = k;
    tare__setting setting = tare__setting_of(rung, true);
    tare_status status = tare__arm_open(a, &failing, &setting, rung->name);
    if (status != TARE_OK)
        return status;
    a->keep = true;
    status = tare__arm_prepare(a);
    return status == TARE_OK ? a->step(a) : status;
}

/* ---- what a step leaves
 * -----------------------------------------------------------------------------------------------*/
enum { MOST = 128 };
typedef struct {
    void *bytes[MOST];
    int n;
} content;

/* Parameters, the net's state and the optimizer's: what is written back to take a step again. */
static int written(const tare__arm *a, tare_value *value[MOST])
{
    int n = 0;
    for (int i = 0; i < a->net->n_parameters; ++i)
        value[n++] = a->net->parameter[i].value;
    for (int i = 0; i < a->net->n_states; ++i)
        value[n++] = a->net->state[i].value;
    for (int i = 0; i < a->net->n_parameters * a->optimizer->type->n_states; ++i)
        value[n++] = a->optimizer->state[i];
    ck_assert_int_lt(n, MOST - 2);
    return n;
}

/* The same and the step's results. */
static content content_of(const tare__arm *a, bool results)
{
    tare_value *value[MOST];
    content c = {.n = written(a, value)};
    if (results) {
        value[c.n++] = a->loss;
        value[c.n++] = a->y;
    }
    for (int i = 0; i < c.n; ++i)
        c.bytes[i] = spine_bytes(value[i]);
    return c;
}

static void content_free(content *c)
{
    for (int i = 0; i < c->n; ++i)
        free(c->bytes[i]);
}

static void put_back(tare__arm *a, const content *c)
{
    tare_value *value[MOST];
    (void)written(a, value);
    for (int i = 0; i < c->n; ++i)
        must(tare_value_write(value[i], c->bytes[i], tare_desc_bytes(&value[i]->d)));
}

static void expect_same(const tare__arm *a, const content *wanted, int64_t k)
{
    tare_value *value[MOST];
    int n = written(a, value);
    value[n++] = a->loss;
    value[n++] = a->y;
    for (int i = 0; i < n; ++i) {
        void *is = spine_bytes(value[i]);
        ck_assert_msg(memcmp(is, wanted->bytes[i], tare_desc_bytes(&value[i]->d)) == 0,
                      "%s, allocation %lld: other bits in value %d (%s)", a->name, (long long)k, i,
                      value[i]->name ? value[i]->name : "a result");
        free(is);
    }
}

static void expect_sentence(tare_status status, const char *rung, int64_t k)
{
    ck_assert_msg(status == TARE_NO_MEMORY, "%s, allocation %lld: %s (%s)", rung, (long long)k,
                  tare_status_name(status), tare_error_text());
    ck_assert_msg(strstr(tare_error_text(), "out of memory"), "%s, allocation %lld: \"%s\"", rung, (long long)k,
                  tare_error_text());
}

/* ---- tests
 * ------------------------------------------------------------------------------------------------------------*/
START_TEST(from_nothing_to_the_first_step)
{
    const tare__rung *rung = &tare__rungs[_i];
    int64_t never = 0, k = 0;
    tare__arm a;
    must(arm_to_first_step(&a, rung, &never));
    content good = content_of(&a, true);
    tare__arm_close(&a);
    for (bool done = false; !done;) {
        ++k;
        tare_status status = arm_to_first_step(&a, rung, &k);
        done = status == TARE_OK;
        if (done) {
            a.rt->memory.fail_at = 0;
            expect_same(&a, &good, k);
        } else {
            expect_sentence(status, rung->name, k);
        }
        if (a.rt) /* else open has closed it */
            tare__arm_close(&a);
        ck_assert_msg(a.lost == 0, "%s, allocation %lld: %lld blocks are lost", rung->name, (long long)k,
                      (long long)a.lost);
    }
    ck_assert_int_gt(k, 100);
    content_free(&good);
}
END_TEST

/* The second step fails anywhere; put back to where it began, it is taken again. */
START_TEST(a_step_that_fails_can_be_taken_again)
{
    const tare__rung *rung = &tare__rungs[_i];
    int64_t never = 0, k = 0;
    tare__arm a;
    must(arm_to_first_step(&a, rung, &never));
    content start = content_of(&a, false);
    must(a.step(&a));
    content good = content_of(&a, true);
    for (bool done = false; !done;) {
        put_back(&a, &start);
        if (!a.graph) { /* a plan's results are the arm's for good */
            tare__arm_forget(&a);
            for (int i = 0; i < a.net->n_parameters; ++i)
                tare_value_clear_gradient(a.net->parameter[i].value);
        }
        tare_runtime_trim(a.rt); /* nothing cached: results need memory again */
        a.rt->memory.fail_at = a.rt->memory.n_requests + ++k;
        tare_status status = a.step(&a);
        done = a.rt->memory.n_requests < a.rt->memory.fail_at;
        a.rt->memory.fail_at = 0;
        if (!done) {
            expect_sentence(status, rung->name, k);
            if (a.mode)
                tare_mode_clear(a.mode);
            put_back(&a, &start);
            status = a.step(&a);
        }
        must(status);
        expect_same(&a, &good, k);
    }
    if (a.setting.level[TARE__CAPTURE] == TARE__CAPTURE_NONE)
        ck_assert_int_gt(k, 20);
    content_free(&start);
    content_free(&good);
    tare__arm_close(&a);
    ck_assert_int_eq(a.lost, 0);
}
END_TEST

int main(void)
{
    int n = 0;
    while (tare__rungs[n].name)
        ++n;
    TCase *tests = tcase_create("no memory, gauntlet");
    tcase_set_timeout(tests, 200);
    tcase_add_loop_test(tests, from_nothing_to_the_first_step, 0, n);
    tcase_add_loop_test(tests, a_step_that_fails_can_be_taken_again, 0, n);
    return spine_run("no memory, gauntlet", &tests, 1);
}
