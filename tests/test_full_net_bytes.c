/* test_full_net_bytes.c - the big nets' plans take no more than they must, at the batch that each has by itself. */
#include "net_bytes.h"

static const char *const nets[] = {"cifarnet", "vgg_cifar", "alexnet", "googlenet", "resnet50"};

START_TEST(a_net_takes_what_it_must)
{
    net_bytes_check(nets[_i]);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("nets");
    tcase_set_timeout(tests, 600);
    tcase_add_loop_test(tests, a_net_takes_what_it_must, 0, (int)(sizeof nets / sizeof *nets));
    return spine_run("net bytes in full", &tests, 1);
}
