/* checker_faults.h - faults put into correct plans, for the tests that the plan checker finds each.
 *
 * A copy of a plan's tables is changed in one place, in every place where it makes sense, and the checker must say so;
 * where a change may be harmless, whether it is stands in the test, from lifetimes measured here. */
#ifndef TARE_TESTS_CHECKER_FAULTS_H
#define TARE_TESTS_CHECKER_FAULTS_H

#include "plan_copy.h"
#include "training.h"

static tare_runtime *rt;
static training t;
static tare_plan copy;

typedef struct {
    const char *net, *optimizer;
    tare_loss loss;
    int64_t batch;
    tare_plan_order order;
    int64_t recompute;
} subject;

/* What a program that includes this is about. Of what goes over pairs only one in `one_in` is tried. */
static const subject *subjects;
static int n_subjects;
static uint32_t one_in;

static bool chosen(void)
{
    static uint64_t state = 1;
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (state >> 33) % one_in == 0;
}

static void setup(void)
{
    rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
}

static void begin(int i)
{
    const subject *s = &subjects[i];
    must(training_init(
        &t, rt,
        &(training_task){s->net, s->optimizer, s->loss, s->batch, {.order = s->order, .recompute = s->recompute}},
        TRAIN_STEP));
}

static void fresh(void)
{
    plan_copy(&copy, t.plan);
}

static void let_go(void)
{
    plan_copy_fini(&copy);
}

static void teardown(void)
{
    training_fini(&t);
    spine_end(rt);
}

static void expect_found(const char *what, int at)
{
    expect_fault(&copy, what, at);
}

static bool placed(const tare_plan *p, int32_t b)
{
    return p->buffer[b].outside < 0 && p->buffer[b].bytes > 0;
}

/* Whether parts are made in their places in it: where some of them are not there yet, another block may still be. */
static bool has_parts(int32_t b)
{
    for (int32_t id = 0; id < t.plan->n_values; ++id)
        if (t.plan->placed[id] && t.plan->buffer_of[id] == b)
            return true;
    return false;
}

static bool meet_in_time(const tare_plan *p, int32_t a, int32_t b)
{
    return p->buffer[a].first <= p->buffer[b].last && p->buffer[b].first <= p->buffer[a].last;
}

static bool meet_in_space(const tare_plan *p, int32_t a, int32_t b)
{
    return p->buffer[a].offset < p->buffer[b].offset + p->buffer[b].bytes &&
           p->buffer[b].offset < p->buffer[a].offset + p->buffer[a].bytes;
}

/* By the lifetimes of the plan proper: whether two blocks of the copy meet in time and space; surely: where nothing is
 * joined. */
static bool broken(bool surely)
{
    for (int32_t a = 0; a < copy.n_buffer; ++a)
        for (int32_t b = 0; b < a; ++b)
            if (placed(&copy, a) && placed(&copy, b) && meet_in_time(t.plan, a, b) && meet_in_space(&copy, a, b) &&
                !(surely && (has_parts(a) || has_parts(b))))
                return true;
    return false;
}

START_TEST(correct_plans_pass)
{
    for (int i = 0; i < n_subjects; ++i) {
        begin(i);
        fresh();
        must(tare__plan_check(&copy));
        ck_assert(!broken(false));
        let_go();
        if (i + 1 < n_subjects)
            training_fini(&t);
    }
}
END_TEST

/* ---- places
 * --------------------------------------------------------------------------------------------------------*/
START_TEST(a_block_on_another_that_lives_at_the_same_time)
{
    begin(_i);
    int n = 0;
    for (int32_t a = 0; a < t.plan->n_buffer; ++a) {
        for (int32_t b = 0; b < t.plan->n_buffer; ++b) {
            if (a == b || !placed(t.plan, a) || !placed(t.plan, b) || !meet_in_time(t.plan, a, b) || !chosen() ||
                has_parts(a) || has_parts(b))
                continue;
            fresh();
            copy.buffer[a].offset = copy.buffer[b].offset;
            copy.bytes.arena += copy.buffer[a].bytes;
            expect_found("block moved", a);
            let_go();
            ++n;
        }
    }
    ck_assert_int_gt(n, 10);
}
END_TEST

START_TEST(a_block_moved_a_line_or_by_less_or_out)
{
    begin(_i);
    int n = 0;
    for (int32_t b = 0; b < t.plan->n_buffer; ++b) {
        static const int64_t by[] = {64, -64, 4, 32, INT64_C(1) << 40};
        for (int k = 0; placed(t.plan, b) && k < 5; ++k) {
            fresh();
            copy.buffer[b].offset += by[k];
            bool bad = k >= 2 || broken(true) || copy.buffer[b].offset < 0 ||
                       copy.buffer[b].offset + copy.buffer[b].bytes > copy.bytes.arena;
            if (bad && copy.buffer[b].offset >= 0) {
                expect_found("block shifted", b);
                ++n;
            }
            let_go();
        }
    }
    ck_assert_int_gt(n, 10);
}
END_TEST

START_TEST(a_lifetime_cut_short_and_packed_anew)
{
    const tare_packer *packer = tare_find(rt, TARE_KIND_PACKER, "greedy");
    begin(_i);
    int n = 0;
    for (int32_t cut = 0; cut < t.plan->n_buffer; ++cut) {
        for (int side = 0; side < 2 && placed(t.plan, cut); ++side) {
            if (t.plan->buffer[cut].first == t.plan->buffer[cut].last)
                continue;
            fresh();
            tare_interval *interval = calloc((size_t)copy.n_buffer, sizeof *interval);
            int blocks = 0;
            if (side)
                ++copy.buffer[cut].first;
            else
                --copy.buffer[cut].last;
            for (int32_t b = 0; b < copy.n_buffer; ++b)
                if (placed(&copy, b))
                    interval[blocks++] = (tare_interval){
                        .lower = copy.buffer[b].first, .upper = copy.buffer[b].last + 1, .bytes = copy.buffer[b].bytes};
            tare_packing packing;
            must(
                tare_pack(NULL, packer, &(tare_pack_options){.alignment = TARE_ALIGNMENT}, interval, blocks, &packing));
            copy.bytes.arena = packing.height > copy.bytes.arena ? packing.height : copy.bytes.arena;
            blocks = 0;
            for (int32_t b = 0; b < copy.n_buffer; ++b)
                if (placed(&copy, b))
                    copy.buffer[b].offset = interval[blocks++].offset;
            free(interval);
            if (broken(true)) {
                expect_found("lifetime cut", cut);
                ++n;
            } else if (!broken(false)) {
                must(tare__plan_check(&copy));
            }
            let_go();
        }
    }
    ck_assert_int_gt(n, 0);
}
END_TEST

START_TEST(claims_of_bytes_that_are_not_so)
{
    begin(_i);
    for (int k = 0; k < 3; ++k) {
        fresh();
        copy.bytes.lower_bound += k == 0 ? 64 : k == 1 ? -64 : 0;
        copy.bytes.arena = k == 2 ? copy.bytes.lower_bound - 64 : copy.bytes.arena;
        expect_found("claim", k);
        let_go();
    }
}
END_TEST

/* ---- addresses
 * -----------------------------------------------------------------------------------------------------*/
/* The call and operand of an address; operand n_in + n_out + n_aux and on: scratch. */
static void locate(int32_t at, int32_t *call, int *operand)
{
    int32_t from = 0;
    for (*call = 0; from + t.plan->call[*call].n_ptr <= at; ++*call)
        from += t.plan->call[*call].n_ptr;
    *operand = at - from;
}

/* Whether a later call, or the end, reads what this output makes. */
static bool read_later(const tare_node *n, int operand, int32_t call)
{
    const tare_value *v = n->operand[operand];
    for (int32_t k = 0; k < t.plan->part.n_result; ++k)
        if (t.plan->part.result[k] == v->id)
            return true;
    for (int32_t c = call + 1; c < t.plan->n_calls; ++c)
        for (int i = 0; i < t.plan->node[c]->n_in; ++i)
            if (t.plan->node[c]->operand[i] == v && !tare__plan_shape_only(t.plan->node[c], i))
                return true;
    return v->base != NULL;
}

START_TEST(an_address_in_another_buffer_or_none)
{
    begin(_i);
    int n = 0, n_outside = 0;
    for (int32_t at = 0; at < t.plan->n_address; ++at) {
        int32_t call, was = t.plan->address[at].buffer;
        int operand;
        locate(at, &call, &operand);
        const tare_node *node = t.plan->node[call];
        int total = node->n_in + node->n_out + node->n_aux;
        if (was < 0 || operand >= total || (operand >= node->n_in && !read_later(node, operand, call)))
            continue;
        for (int32_t b = -1; b < t.plan->n_buffer; ++b) {
            if (b == was || (b >= 0 && !placed(t.plan, b) && t.plan->buffer[b].outside < 0))
                continue;
            if (b >= 0 && placed(t.plan, b) && placed(t.plan, was) &&
                t.plan->buffer[b].offset == t.plan->buffer[was].offset)
                continue; /* the same bytes, at another time: no fault */
            if (!chosen())
                continue;
            fresh();
            copy.address[at].buffer = b;
            expect_found("address", at);
            n_outside += b >= 0 && copy.buffer[b].outside >= 0;
            let_go();
            ++n;
        }
        fresh();
        copy.address[at].offset += 64;
        expect_found("address shifted", at);
        let_go();
    }
    ck_assert_int_gt(n, 100);
    ck_assert_int_gt(n_outside, 10);
}
END_TEST

START_TEST(scratch_on_an_operand_or_missing)
{
    int n = 0;
    for (int i = 0; i < n_subjects; ++i) {
        begin(i);
        for (int32_t at = 0; at < t.plan->n_address; ++at) {
            int32_t call;
            int operand;
            locate(at, &call, &operand);
            const tare_node *node = t.plan->node[call];
            int total = node->n_in + node->n_out + node->n_aux;
            if (operand < total || t.plan->address[at].buffer < 0)
                continue;
            for (int k = -1; k < total; ++k) {
                tare_address to = k < 0 ? (tare_address){-1, 0} : t.plan->address[at - operand + k];
                if (k >= 0 && to.buffer < 0)
                    continue;
                fresh();
                copy.address[at] = to;
                expect_found("scratch", at);
                let_go();
                ++n;
            }
        }
        if (i + 1 < n_subjects)
            training_fini(&t);
    }
    ck_assert_int_gt(n, 0);
}
END_TEST

/* ---- calls
 * ---------------------------------------------------------------------------------------------------------*/
static const tare_value *root_of(const tare_value *v)
{
    v = t.plan->program->value[v->id]; /* not where it is joined */
    while (v->base)
        v = v->base;
    return v;
}

/* b needs what a made, or the other way round, or both touch what one of them writes again. */
static bool dependent(const tare_node *a, const tare_node *b)
{
    for (int i = 0; i < a->n_in + a->n_out + a->n_aux; ++i)
        for (int k = 0; k < b->n_in + b->n_out + b->n_aux; ++k) {
            if (!a->operand[i] || !b->operand[k] || tare__plan_shape_only(a, i) || tare__plan_shape_only(b, k))
                continue;
            if ((i >= a->n_in || k >= b->n_in) && root_of(a->operand[i]) == root_of(b->operand[k]))
                return true;
        }
    return false;
}

START_TEST(two_calls_in_the_wrong_order)
{
    begin(_i);
    int n = 0;
    int32_t from = 0;
    for (int32_t c = 0; c + 1 < t.plan->n_calls; from += t.plan->call[c++].n_ptr) {
        if (!dependent(t.plan->node[c], t.plan->node[c + 1]))
            continue;
        fresh();
        size_t a = (size_t)copy.call[c].n_ptr, b = (size_t)copy.call[c + 1].n_ptr;
        memcpy(copy.address + from, t.plan->address + from + a, b * sizeof *copy.address);
        memcpy(copy.address + from + b, t.plan->address + from, a * sizeof *copy.address);
        copy.call[c] = t.plan->call[c + 1];
        copy.call[c + 1] = t.plan->call[c];
        copy.node[c] = t.plan->node[c + 1];
        copy.node[c + 1] = t.plan->node[c];
        expect_found("calls swapped", c);
        let_go();
        ++n;
    }
    ck_assert_int_gt(n, 5);
}
END_TEST

START_TEST(a_call_of_another_kernel_geometry_or_arity)
{
    begin(_i);
    static int64_t g[TARE_GEOMETRY];
    for (int32_t c = 0; c < t.plan->n_calls; ++c) {
        int32_t other = (c + 1) % t.plan->n_calls;
        for (int k = 0; k < 5; ++k) {
            fresh();
            tare_call *call = &copy.call[c];
            call->run = k == 0 ? copy.call[other].run : call->run;
            call->combine = k == 1 ? call->run : call->combine;
            call->g = k == 2 ? g : call->g;
            call->n_pieces += k == 3;
            call->n_g = (int16_t)(call->n_g - (k == 4));
            if (call->run != t.plan->call[c].run || k > 0)
                expect_found("call", c);
            let_go();
        }
    }
}
END_TEST

/* The tests of all kinds of faults, each with every subject. */
static inline TCase *checker_faults(const subject *of, int n, uint32_t one_in_so_many)
{
    TCase *tests = tcase_create("faults");
    subjects = of;
    n_subjects = n;
    one_in = one_in_so_many;
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, one_in > 1 ? 600 : 60);
    tcase_add_test(tests, correct_plans_pass);
    tcase_add_loop_test(tests, a_block_on_another_that_lives_at_the_same_time, 0, n);
    tcase_add_loop_test(tests, a_block_moved_a_line_or_by_less_or_out, 0, n);
    tcase_add_loop_test(tests, a_lifetime_cut_short_and_packed_anew, 0, n);
    tcase_add_loop_test(tests, claims_of_bytes_that_are_not_so, 0, n);
    tcase_add_loop_test(tests, an_address_in_another_buffer_or_none, 0, n);
    tcase_add_test(tests, scratch_on_an_operand_or_missing);
    tcase_add_loop_test(tests, two_calls_in_the_wrong_order, 0, n);
    tcase_add_loop_test(tests, a_call_of_another_kernel_geometry_or_arity, 0, n);
    return tests;
}

#endif
