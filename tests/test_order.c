/* test_order.c - the orders of a plan and the floor of all of them: the same bits, never more bytes than the program's
 * order, every dependence kept, and no order below the floor. */
#include "../graph/depend_private.h"
#include "program_ways.h"
#include "training.h"

static tare_runtime *rt;

static void setup(void)
{
    rt = spine_start(TARE_KERNELS_NATIVE, TARE_STORAGE_POOL);
}

static void teardown(void)
{
    spine_end(rt);
}

static const char *const nets[] = {"mlp_mnist", "mlp:hidden=40-30-20", "chain:depth=5,width=33"};
static const char *const optimizers[] = {"sgd", "adam"};
enum { NETS = sizeof nets / sizeof *nets };

static tare_loss loss_of(const char *net)
{
    return strncmp(net, "mlp_mnist", 9) == 0 ? TARE_LOSS_SOFTMAX_CE : TARE_LOSS_L2;
}

static int64_t floor_bytes(const tare_plan *p)
{
    int64_t bytes;
    must(tare_plan_floor(p, &bytes));
    return bytes;
}

/* ---- the rules
 * ------------------------------------------------------------------------------------------------------*/
START_TEST(an_order_needs_no_more_than_the_programs_and_no_less_than_the_floor)
{
    for (int with = 0; with < 2; ++with) {
        int64_t bound[TARE_ORDER_BEST + 1], lowest = INT64_MAX;
        for (tare_plan_order order = TARE_ORDER_PROGRAM; order <= TARE_ORDER_BEST; ++order) {
            training t;
            training_task task = {
                nets[_i], optimizers[with], loss_of(nets[_i]), 8, {.order = order, .no_placement = true}};
            must(training_init(&t, rt, &task, TRAIN_STEP));
            tare_plan_bytes bytes = tare_plan_size(t.plan);
            bound[order] = bytes.lower_bound;
            lowest = bytes.lower_bound < lowest ? bytes.lower_bound : lowest;
            ck_assert_int_le(floor_bytes(t.plan), bytes.lower_bound);
            ck_assert_int_gt(floor_bytes(t.plan), 0);
            ck_assert(tare_plan_order_of(t.plan) == order || order == TARE_ORDER_BEST);
            training_fini(&t);
        }
        ck_assert_int_eq(bound[TARE_ORDER_BEST], lowest);
    }
}
END_TEST

/* An mlp in a step plan: gradients that are no results die at their updates. */
START_TEST(updates_come_where_their_gradients_are_ready)
{
    int64_t bound[TARE_ORDER_BEST + 1];
    int first_update[TARE_ORDER_BEST + 1];
    for (tare_plan_order order = TARE_ORDER_PROGRAM; order <= TARE_ORDER_BEST; ++order) {
        tare_net *net;
        tare_optimizer *opt;
        tare_graph *g;
        tare_plan *plan;
        must(tare_net_new(rt, "chain:depth=12,width=64", 1, &net));
        must(tare_optimizer_new(net, "sgd", &opt));
        must(tare_graph_new(rt, &g));
        tare_mode *m = tare_graph_mode(g);
        m->recording = true;
        tare_desc d = tare_net_input(net, 2);
        tare_value *y = tare_net_forward(m, net, tare_graph_input(g, &d, "x"));
        must(m->backward(m, &y, NULL, 1, false));
        must(tare_optimizer_step(opt, m));
        must(tare_plan_new(g, &(tare_plan_options){.order = order}, &plan));
        bound[order] = tare_plan_size(plan).lower_bound;
        const tare_node *const *node;
        int n = tare_plan_calls(plan, &node);
        for (first_update[order] = 0; first_update[order] < n; ++first_update[order])
            if (strcmp(node[first_update[order]]->op->name, "sgd") == 0)
                break;
        tare_plan_free(plan);
        tare_graph_free(g);
        tare_optimizer_free(opt);
        tare_net_free(net);
    }
    ck_assert_int_lt(first_update[TARE_ORDER_EAGER_UPDATE], first_update[TARE_ORDER_PROGRAM]);
    ck_assert_int_lt(bound[TARE_ORDER_EAGER_UPDATE], bound[TARE_ORDER_PROGRAM] * 2 / 3);
    ck_assert_int_le(bound[TARE_ORDER_BEST], bound[TARE_ORDER_EAGER_UPDATE]);
}
END_TEST

/* ---- bits
 * -----------------------------------------------------------------------------------------------------------*/
START_TEST(every_order_gives_the_same_bits)
{
    training t[TARE_ORDER_BEST + 2];
    for (int k = 0; k <= TARE_ORDER_BEST + 1; ++k) {
        training_task task = {nets[_i], "adam", loss_of(nets[_i]), 6, {.order = (tare_plan_order)(k ? k - 1 : 0)}};
        must(training_init(&t[k], rt, &task, k ? TRAIN_STEP : TRAIN_NOW));
    }
    for (uint64_t step = 0; step < 3; ++step) {
        tare_value *x = training_input(&t[0], step), *target = training_target(&t[0], step);
        for (int k = 0; k <= TARE_ORDER_BEST + 1; ++k) {
            must(training_step(&t[k], x, target));
            const char *difference = k ? training_difference(&t[0], &t[k]) : NULL;
            ck_assert_msg(!difference, "%s, order %d: %s", nets[_i], k - 1, difference);
        }
        tare_value_drop(x);
        tare_value_drop(target);
    }
    for (int k = 0; k <= TARE_ORDER_BEST + 1; ++k)
        training_fini(&t[k]);
}
END_TEST

/* ---- what the checker sees
 * ------------------------------------------------------------------------------------------*/
/* The call at a place of the order; -1: a view. */
static int32_t call_at(const tare_plan *p, int32_t place)
{
    int32_t call = 0;
    if (!p->made[p->order[place]])
        return -1;
    for (int32_t i = 0; i < place; ++i)
        call += p->made[p->order[i]] != NULL;
    return call;
}

/* Call c put after call d. */
static void put_after(const tare_plan *p, tare_plan *copy, int32_t c, int32_t d)
{
    int32_t entry = 0;
    for (int32_t i = 0; i < p->n_calls; ++i) {
        int32_t from = i < c || i > d ? i : i == d ? c : i + 1, at = 0;
        for (int32_t k = 0; k < from; ++k)
            at += p->call[k].n_ptr;
        copy->call[i] = p->call[from];
        copy->node[i] = p->node[from];
        memcpy(copy->address + entry, p->address + at, (size_t)p->call[from].n_ptr * sizeof *p->address);
        entry += p->call[from].n_ptr;
    }
}

START_TEST(every_dependence_is_proved)
{
    training t;
    training_task task = {nets[_i % NETS],
                          "sgd",
                          loss_of(nets[_i % NETS]),
                          8,
                          {.order = (tare_plan_order)(_i / NETS), .no_placement = true}};
    must(training_init(&t, rt, &task, TRAIN_STEP));
    tare_arena arena = {.memory = &rt->memory};
    tare_dependences d;
    tare_plan copy = *t.plan;
    copy.call = malloc((size_t)copy.n_calls * sizeof *copy.call);
    copy.node = malloc((size_t)copy.n_calls * sizeof *copy.node);
    copy.address = malloc((size_t)copy.n_address * sizeof *copy.address);
    must(tare__plan_depend(t.plan, &arena, &d));
    int n = 0;
    for (int32_t i = 0; i < d.n; ++i)
        for (int32_t e = d.from[i]; e < d.from[i + 1]; ++e) {
            int32_t before = call_at(t.plan, i), after = call_at(t.plan, d.to[e]);
            ck_assert_int_lt(i, d.to[e]);
            if (before < 0 || after < 0)
                continue;
            put_after(t.plan, &copy, before, after);
            ck_assert_msg(tare__plan_check(&copy) == TARE_IMPOSSIBLE, "%s put after %s", t.plan->node[before]->op->name,
                          t.plan->node[after]->op->name);
            ++n;
        }
    ck_assert_int_gt(n, 20);
    free(copy.call);
    free(copy.node);
    free(copy.address);
    tare_arena_fini(&arena);
    training_fini(&t);
}
END_TEST

START_TEST(bytes_that_an_update_writes_are_no_input_of_another_order)
{
    tare_graph *g;
    must(tare_graph_new(rt, &g));
    tare_mode *m = tare_graph_mode(g);
    const int64_t dim[] = {16};
    tare_desc d = tare_desc_of(TARE_F32, 1, dim);
    tare_value *w = spine_random(rt, 1, dim, 1), *momentum = spine_random(rt, 1, dim, 2);
    tare_value *rate = spine_random(rt, 0, NULL, 3), *other = spine_random(rt, 1, dim, 4), *out[2];
    tare_value *x = tare_graph_input(g, &d, "x");
    must(tare_graph_output(g, tare_tanh(m, x)));
    must(m->apply(m, &tare_op_sgd, &(tare_sgd_attr){.momentum = 0.9}, (tare_value *[]){w, x, momentum, rate}, 4, out,
                  0));
    for (tare_plan_order order = TARE_ORDER_PROGRAM; order < TARE_ORDER_BEST; ++order) {
        tare_plan *plan;
        tare_instance *run;
        must(tare_plan_new(g, &(tare_plan_options){.order = order}, &plan));
        must(tare_instance_new(plan, &run));
        if (order == TARE_ORDER_PROGRAM)
            must(tare_instance_bind(run, 0, w));
        else
            expect_error(tare_instance_bind(run, 0, w), TARE_BAD_ARGUMENT, "placeholder 0 'x' shares bytes");
        must(tare_instance_bind(run, 0, other));
        must(tare_instance_run(run));
        tare_instance_free(run);
        tare_plan_free(plan);
    }
    tare_graph_free(g);
    tare_value *const all[] = {w, momentum, rate, other};
    for (int i = 0; i < 4; ++i)
        tare_value_drop(all[i]);
}
END_TEST

/* ---- small programs, all orders
 * ---------------------------------------------------------------------------------------------*/
enum { SMALL = 6, PLACES = SMALL + 4 }; /* nodes; with those that sum up */

/* A program of SMALL nodes over vectors of several lengths, some of them views; a function of its number. */
static tare_graph *small_program(uint64_t number)
{
    tare_graph *g;
    must(tare_graph_new(rt, &g));
    tare_mode *m = tare_graph_mode(g);
    program_builder b = {.state = number * 977 + 13};
    tare_value *list[SMALL + 1];
    tare_desc d = tare_desc_of(TARE_F32, 1, (const int64_t[]){64});
    list[0] = tare_graph_input(g, &d, "x");
    for (int n = 1; n <= SMALL; ++n) {
        tare_value *x = list[program_below(&b, n)], *y = list[program_below(&b, n)];
        switch (program_below(&b, 6)) {
        case 0:
            list[n] = tare_relu(m, x);
            break;
        case 1:
            list[n] = tare_tanh(m, x);
            break;
        case 2:
            list[n] = spine_total(m, x);
            break;
        case 3:
            list[n] = tare_detach(m, x);
            break;
        case 4: /* the first half */
            list[n] = x->d.rank == 0 || x->d.dim[0] < 2 ? tare_relu(m, x)
                                                        : tare_slice(m, x, (tare_slice_attr){0, 0, x->d.dim[0] / 2, 1});
            break;
        default:
            list[n] = x->d.rank == 0 || tare_desc_same_shape(&x->d, &y->d) ? tare_add(m, y, x) : tare_mul(m, x, x);
        }
    }
    must(m->error);
    for (int n = SMALL; n > SMALL - 1 - (int)(number % 4); --n)
        must(tare_graph_output(g, spine_total(m, list[n])));
    return g;
}

typedef struct {
    tare_plan *p;
    tare_dependences d;
    int32_t waits[PLACES], order[PLACES], program[PLACES];
    bool live[PLACES];
    int64_t least;
    int n_orders;
} search;

static void try_orders(search *s, int done)
{
    if (done == s->d.n || done == PLACES) {
        for (int32_t i = 0; i < done; ++i)
            s->p->order[i] = s->program[s->order[i]];
        must(tare__plan_list(s->p, s->live));
        must(tare__plan_buffers(s->p, s->live, true));
        s->least = s->p->bytes.lower_bound < s->least ? s->p->bytes.lower_bound : s->least;
        ++s->n_orders;
        return;
    }
    for (int32_t i = 0; i < s->d.n; ++i) {
        if (s->waits[i] != 0)
            continue;
        s->order[done] = i;
        s->waits[i] = -1;
        for (int32_t e = s->d.from[i]; e < s->d.from[i + 1]; ++e)
            --s->waits[s->d.to[e]];
        try_orders(s, done + 1);
        for (int32_t e = s->d.from[i]; e < s->d.from[i + 1]; ++e)
            ++s->waits[s->d.to[e]];
        s->waits[i] = 0;
    }
}

START_TEST(the_floor_is_below_the_best_of_all_orders)
{
    int n_orders = 0, n_reached = 0, n_best = 0;
    enum { PROGRAMS = 60 };
    for (uint64_t number = 0; number < PROGRAMS; ++number) {
        tare_graph *g = small_program(number);
        tare_plan *best;
        search s = {.least = INT64_MAX};
        must(tare_plan_new(g, &(tare_plan_options){.order = TARE_ORDER_BEST}, &best));
        must(tare_plan_new(g, NULL, &s.p));
        int64_t bound = floor_bytes(s.p), of_program = tare_plan_size(s.p).lower_bound;
        tare_arena arena = {.memory = &rt->memory};
        must(tare__plan_depend(s.p, &arena, &s.d));
        for (int32_t i = 0; i < s.d.n; ++i) {
            s.program[i] = s.p->order[i];
            s.live[s.program[i]] = true;
        }
        for (int32_t e = 0; e < s.d.from[s.d.n]; ++e)
            ++s.waits[s.d.to[e]];
        try_orders(&s, 0);
        ck_assert_msg(bound <= s.least, "program %llu: floor %lld, an order has %lld", (unsigned long long)number,
                      (long long)bound, (long long)s.least);
        ck_assert_int_le(s.least, tare_plan_size(best).lower_bound);
        ck_assert_int_le(tare_plan_size(best).lower_bound, of_program);
        ck_assert_int_le(bound, tare_plan_size(best).arena);
        n_orders += s.n_orders;
        n_reached += bound == s.least;
        n_best += tare_plan_size(best).lower_bound == s.least;
        tare_arena_fini(&arena);
        tare_plan_free(s.p);
        tare_plan_free(best);
        tare_graph_free(g);
    }
    ck_assert_int_gt(n_orders, 20 * PROGRAMS);
    ck_assert_int_gt(n_reached, PROGRAMS / 3);
    ck_assert_int_gt(n_best, PROGRAMS / 2);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("order");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, an_order_needs_no_more_than_the_programs_and_no_less_than_the_floor, 0, NETS);
    tcase_add_test(tests, updates_come_where_their_gradients_are_ready);
    tcase_add_loop_test(tests, every_order_gives_the_same_bits, 0, NETS);
    tcase_add_loop_test(tests, every_dependence_is_proved, 0, NETS * TARE_ORDER_BEST);
    tcase_add_test(tests, bytes_that_an_update_writes_are_no_input_of_another_order);
    tcase_add_test(tests, the_floor_is_below_the_best_of_all_orders);
    return spine_run("order", &tests, 1);
}
