/* test_full_net_bytes.c - the big nets' plans take no more than they must, at the batch that each has by itself. */
#include "net_bytes.h"

static const char *const nets[] = {"cifarnet", "vgg_cifar", "alexnet", "googlenet", "resnet50"};

int main(void)
{
    return net_bytes_run("net bytes in full", nets, (int)(sizeof nets / sizeof *nets));
}
