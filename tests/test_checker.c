/* test_checker.c - the plan checker finds every fault that is put into a correct plan (checker_faults.h). */
#include "checker_faults.h"

static const subject small[] = {{"chain:depth=3,width=33", "adam", TARE_LOSS_L2, 7, TARE_ORDER_PROGRAM, 0},
                                {"mlp_mnist", "sgd", TARE_LOSS_SOFTMAX_CE, 64, TARE_ORDER_PROGRAM, 0},
                                {"mlp:hidden=70-9", NULL, TARE_LOSS_L2, 300, TARE_ORDER_PROGRAM, 0},
                                {"chain:depth=4,width=20", "sgd", TARE_LOSS_L2, 5, TARE_ORDER_LEAST_PEAK, 0},
                                {"mlp:hidden=70-9", "adam", TARE_LOSS_L2, 30, TARE_ORDER_EAGER_UPDATE, 0}};
enum { N_SMALL = sizeof small / sizeof *small };

/* An update moved before the last readers of its parameter. */
START_TEST(an_update_too_early)
{
    begin(0);
    int n = 0;
    for (int32_t c = t.plan->n_calls - 1; c > 0 && strcmp(t.plan->node[c]->op->name, "adam") == 0; --c) {
        fresh(); /* the first call reads the first layer's weight and bias */
        size_t last = (size_t)copy.call[c].n_ptr, before = 0;
        for (int32_t k = 0; k < c; ++k)
            before += (size_t)copy.call[k].n_ptr;
        memcpy(copy.address, t.plan->address + before, last * sizeof *copy.address);
        memcpy(copy.address + last, t.plan->address, before * sizeof *copy.address);
        memmove(copy.call + 1, t.plan->call, (size_t)c * sizeof *copy.call);
        memmove(copy.node + 1, t.plan->node, (size_t)c * sizeof *copy.node);
        copy.call[0] = t.plan->call[c];
        copy.node[0] = t.plan->node[c];
        expect_found("update first", c);
        let_go();
        ++n;
    }
    ck_assert_int_eq(n, 6);
}
END_TEST

int main(void)
{
    TCase *tests = checker_faults(small, N_SMALL, 1);
    tcase_add_test(tests, an_update_too_early);
    return spine_run("checker", &tests, 1);
}
