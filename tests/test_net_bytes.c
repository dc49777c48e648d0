/* test_net_bytes.c - the small nets' plans take no more than they must. */
#include "net_bytes.h"

static const char *const nets[] = {"chain", "mlp", "mlp_mnist", "lenetp", "lenet", "gauntlet"};

int main(void)
{
    return net_bytes_run("net bytes", nets, (int)(sizeof nets / sizeof *nets));
}
