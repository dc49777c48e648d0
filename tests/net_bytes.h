/* net_bytes.h - how many bytes the plans of a net take, beside what no packing can do without and what reference
 * counting takes; for the tests that go through the nets. */
#ifndef TARE_TESTS_NET_BYTES_H
#define TARE_TESTS_NET_BYTES_H

#include "../bench/arm/facts.h"
#include "../graph/captured_private.h"
#include "spine.h"

/* An arm that has taken one step. optimizer "": the net's own. */
static inline void net_bytes_open(tare__arm *arm, const char *net, const char *rung, const char *optimizer)
{
    const tare__setting setting = tare__setting_of(tare__rung_find(rung), optimizer != NULL);
    const tare__task task = {.net = net, .optimizer = optimizer, .seed = 1};
    must(tare__arm_open(arm, &task, &setting, rung));
    must(tare__arm_prepare(arm));
    must(arm->step(arm));
}

/* The arena is the lower bound, 1 % more at the most, and no more than reference counting takes. */
static inline void net_bytes_plan(const char *net, const char *what, const tare_plan *plan)
{
    tare_plan_bytes b = tare_plan_size(plan);
    printf("%-26s %-9s arena %11lld  x bound %.4f  x reference counting %.4f\n", net, what, (long long)b.arena,
           (double)b.arena / (double)b.lower_bound, (double)b.arena / (double)b.refcount);
    ck_assert_msg((double)b.arena <= 1.01 * (double)b.lower_bound, "%s %s: arena %lld, bound %lld", net, what,
                  (long long)b.arena, (long long)b.lower_bound);
    ck_assert_msg(b.arena <= b.refcount, "%s %s: arena %lld, reference counting %lld", net, what, (long long)b.arena,
                  (long long)b.refcount);
}

/* Forward and backward in one plan, with the update, and apart; and what the imperative step takes at its peak is what
 * reference counting says, 2 % more at the most. */
static inline void net_bytes_check(const char *net)
{
    tare__arm joint, step, split, imperative;
    int64_t peak;
    net_bytes_open(&joint, net, "symbol", NULL);
    net_bytes_plan(net, "joint", joint.plan);
    const int64_t refcount = tare_plan_size(joint.plan).refcount;
    tare__arm_close(&joint);
    net_bytes_open(&step, net, "step", "");
    net_bytes_plan(net, "step", step.plan);
    tare__arm_close(&step);
    net_bytes_open(&split, net, "static_shape", NULL);
    net_bytes_plan(net, "forward", split.captured->entry->plan);
    net_bytes_plan(net, "backward", split.captured->entry->backward->plan);
    tare__arm_close(&split);
    net_bytes_open(&imperative, net, "functional", NULL);
    must(tare__arm_peak(&imperative, &peak));
    tare__arm_close(&imperative);
    printf("%-26s %-9s peak  %11lld  x reference counting %.4f\n", net, "imperat.", (long long)peak,
           (double)peak / (double)refcount);
    ck_assert_msg((double)peak <= 1.02 * (double)refcount, "%s: peak %lld, reference counting %lld", net,
                  (long long)peak, (long long)refcount);
}

static const char *const *net_bytes_nets; /* of the program that runs */

START_TEST(a_net_takes_what_it_must)
{
    net_bytes_check(net_bytes_nets[_i]);
}
END_TEST

static inline int net_bytes_run(const char *name, const char *const *nets, int n)
{
    TCase *tests = tcase_create("nets");
    net_bytes_nets = nets;
    tcase_set_timeout(tests, 600);
    tcase_add_loop_test(tests, a_net_takes_what_it_must, 0, n);
    return spine_run(name, &tests, 1);
}

#endif
