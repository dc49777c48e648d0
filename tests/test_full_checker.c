/* test_full_checker.c - the plan checker finds faults in the plans of big nets, with branches that are joined in place,
 * and where values are made again for the backward part. */
#include "checker_faults.h"

static const subject big[] = {
    {"gauntlet", "adam", TARE_LOSS_SOFTMAX_CE, 6, TARE_ORDER_BEST, 0},
    {"gauntlet", "adam", TARE_LOSS_SOFTMAX_CE, 6, TARE_ORDER_BEST, 1},
    {"googlenet", "sgd", TARE_LOSS_SOFTMAX_CE, 1, TARE_ORDER_BEST, 0},
    {"googlenet", NULL, TARE_LOSS_SOFTMAX_CE, 2, TARE_ORDER_PROGRAM, 20 << 20},
    {"resnet50", NULL, TARE_LOSS_SOFTMAX_CE, 1, TARE_ORDER_BEST, 40 << 20},
};
enum { N_BIG = sizeof big / sizeof *big };

int main(void)
{
    TCase *tests = checker_faults(big, N_BIG, 400);
    return spine_run("checker in full", &tests, 1);
}
