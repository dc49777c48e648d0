/* test_guarded.c - a guarded run gives the bits of the plain one, and finds what is planted: a write behind a block's
 * end or into the dead, a read of what is dead, a kernel that leaves a part of its result as it was. */
#include "../graph/graph_private.h"
#include "training.h"

static tare_runtime *rt;
static training t, plain;
static tare_value *x, *target;

static void setup(void)
{
    rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
}

static void teardown(void)
{
    training_fini(&t);
    training_fini(&plain);
    tare_value_drop(x);
    tare_value_drop(target);
    spine_end(rt);
}

typedef struct {
    const char *net;
    tare_loss loss;
    int64_t batch;
} subject;
static const subject subjects[] = {{"chain:depth=3,width=33", TARE_LOSS_L2, 7},
                                   {"mlp_mnist", TARE_LOSS_SOFTMAX_CE, 16},
                                   {"lenet", TARE_LOSS_SOFTMAX_CE, 2}};

static void begin(int i)
{
    const subject *s = &subjects[i];
    training_task task = {s->net, "sgd", s->loss, s->batch, {.guards = true}};
    must(training_init(&t, rt, &task, TRAIN_STEP));
    must(training_init(&plain, rt, &task, TRAIN_STEP));
    x = training_input(&t, 1);
    target = training_target(&t, 1);
    must(tare_instance_bind(t.run, 0, x));
    must(tare_instance_bind(t.run, 1, target));
}

/* What a call that has gone wrong does beside its work. */
static struct {
    tare_kernel *run;
    const tare_instance *instance;
    int64_t offset;
    bool reads;
} planted;

static int run_planted(const tare_call *c, int piece, int worker)
{
    float *at = (float *)(void *)((char *)planted.instance->arena->base + planted.offset), *out = c->ptr[c->n_ptr - 3];
    int bad = planted.run(c, piece, worker);
    if (planted.reads)
        out[0] += *at;
    else
        *at = 1;
    return bad;
}

static bool lives(const tare_plan *p, int64_t at, int32_t call)
{
    for (int32_t b = 0; b < p->n_buffer; ++b) {
        const tare_buffer *u = &p->buffer[b];
        if (tare__plan_places(u) && u->first <= call && call <= u->last && u->offset <= at && at < u->offset + u->bytes)
            return true;
    }
    return false;
}

/* Its last operand but scratch is a float output of one piece that lies in the arena. */
static bool fits(const tare_plan *p, int32_t call, int32_t from)
{
    const tare_node *n = p->node[call];
    int last = n->n_in + n->n_out + n->n_aux - 1;
    const tare_address *a = &p->address[from + last];
    return n->n_aux == 0 && n->operand[last] && n->operand[last]->d.dtype == TARE_F32 && n->work->n_pieces == 1 &&
           a->buffer >= 0 && p->buffer[a->buffer].outside < 0 && tare_desc_count(&n->operand[last]->d) > 0;
}

START_TEST(the_bits_are_those_of_a_plain_run)
{
    begin(_i);
    for (int step = 0; step < 2; ++step) {
        must(training_step(&plain, x, target));
        must(training_step(&t, x, target)); /* the same way, then again: guarded, a step further */
        ck_assert_ptr_null(training_difference(&plain, &t));
        must(training_step(&plain, x, target));
        must(tare_instance_run_guarded(t.run));
        ck_assert_ptr_null(training_difference(&plain, &t));
    }
}
END_TEST

/* Beside its own work a call writes a float: at the end of each block, and into what is dead. */
START_TEST(a_write_outside_is_found)
{
    begin(_i);
    int n = 0;
    for (int32_t c = 0, from = 0; c < t.plan->n_calls; from += t.plan->call[c++].n_ptr) {
        if (!fits(t.plan, c, from))
            continue;
        for (int32_t b = 0; b < t.plan->n_buffer; ++b) {
            const tare_buffer *u = &t.plan->buffer[b];
            if (!tare__plan_places(u) || lives(t.plan, u->offset + u->bytes, c))
                continue;
            tare_call was = t.run->call[c];
            planted.run = was.run;
            planted.instance = t.run;
            planted.offset = u->offset + u->bytes;
            planted.reads = false;
            t.run->call[c].run = run_planted;
            expect_error(tare_instance_run_guarded(t.run), TARE_IMPOSSIBLE, "writes outside of what lives");
            ck_assert_ptr_nonnull(strstr(tare_error_text(), t.plan->node[c]->op->name));
            t.run->call[c] = was;
            n += n < 40;
            if (n == 40)
                return;
        }
    }
    ck_assert_int_gt(n, 5);
}
END_TEST

/* A call adds to its result what lies in a dead line. */
START_TEST(a_read_of_the_dead_is_found)
{
    begin(_i);
    int n = 0;
    for (int32_t c = 0, from = 0; c < t.plan->n_calls && n < 20; from += t.plan->call[c++].n_ptr) {
        int64_t at = 0;
        while (at < t.plan->bytes.arena && lives(t.plan, at, c))
            at += TARE_ALIGNMENT;
        if (!fits(t.plan, c, from) || at == t.plan->bytes.arena)
            continue;
        tare_call was = t.run->call[c];
        planted.run = was.run;
        planted.instance = t.run;
        planted.offset = at;
        planted.reads = true;
        t.run->call[c].run = run_planted;
        expect_error(tare_instance_run_guarded(t.run), TARE_IMPOSSIBLE, "depends on bytes that are dead");
        t.run->call[c] = was;
        ++n;
    }
    ck_assert_int_gt(n, 5);
}
END_TEST

/* A plan that takes a block for dead before its last reader. */
START_TEST(a_read_after_death_is_found)
{
    begin(_i);
    int n = 0;
    for (int32_t b = 0; b < t.plan->n_buffer; ++b) {
        tare_buffer *u = &t.plan->buffer[b];
        if (!tare__plan_places(u) || u->last == t.plan->n_calls || u->last == u->first || u->value < 0)
            continue;
        --u->last;
        expect_error(tare_instance_run_guarded(t.run), TARE_IMPOSSIBLE, "guarded run");
        ++u->last;
        ++n;
    }
    ck_assert_int_gt(n, 2);
    must(tare_instance_run_guarded(t.run));
}
END_TEST

/* A kernel that writes nothing: its result is what was there before. */
static int run_nothing(const tare_call *c, int piece, int worker)
{
    (void)c;
    (void)piece;
    (void)worker;
    return 0;
}

START_TEST(a_result_that_is_not_written_is_found)
{
    begin(0);
    for (int32_t c = 0, from = 0; c < t.plan->n_calls; from += t.plan->call[c++].n_ptr) {
        const tare_node *node = t.plan->node[c];
        if (!fits(t.plan, c, from) || node->op->ties[0] ||
            t.plan->buffer[t.plan->address[from + node->n_in].buffer].first != c)
            continue; /* what it would overwrite was there before */
        tare_call was = t.run->call[c];
        t.run->call[c].run = run_nothing;
        expect_error(tare_instance_run_guarded(t.run), TARE_IMPOSSIBLE, "not yet written");
        t.run->call[c] = was;
    }
}
END_TEST

START_TEST(without_memory_nothing_runs)
{
    begin(0);
    rt->memory.fail_at = rt->memory.n_requests + 1;
    ck_assert_int_eq(tare_instance_run_guarded(t.run), TARE_NO_MEMORY);
    rt->memory.fail_at = 0;
    must(tare_instance_run_guarded(t.run));
}
END_TEST

int main(void)
{
    enum { N = sizeof subjects / sizeof *subjects };
    TCase *tests = tcase_create("guarded");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, the_bits_are_those_of_a_plain_run, 0, N);
    tcase_add_loop_test(tests, a_write_outside_is_found, 0, N);
    tcase_add_loop_test(tests, a_read_of_the_dead_is_found, 0, N);
    tcase_add_loop_test(tests, a_read_after_death_is_found, 0, N);
    tcase_add_test(tests, a_result_that_is_not_written_is_found);
    tcase_add_test(tests, without_memory_nothing_runs);
    return spine_run("guarded", &tests, 1);
}
