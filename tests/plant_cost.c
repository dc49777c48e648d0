/* plant_cost.c - preloaded into the command by check_gate.py: a step costs 200 instructions more for each node of
 * chain.
 *
 * Stands in front of two functions of the library that a step calls once: one of imperative arms, one of replayed ones.
 * The bare list of calls, the rung kernels, calls neither. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>

struct tare_net;
struct tare_instance;
void tare_net_clear_gradients(struct tare_net *);
int tare_instance_run(struct tare_instance *);

enum { NODES = 119, INSTRUCTIONS = 200 };

/* Two instructions a turn at least, and one place for a profiler to name. */
__attribute__((noinline)) void planted_cost(void)
{
    for (volatile int i = 0; i < NODES * INSTRUCTIONS / 2; ++i)
        ;
}

void tare_net_clear_gradients(struct tare_net *net)
{
    void (*next)(struct tare_net *) = (void (*)(struct tare_net *))(uintptr_t)dlsym(RTLD_NEXT, __func__);
    planted_cost();
    next(net);
}

int tare_instance_run(struct tare_instance *instance)
{
    int (*next)(struct tare_instance *) = (int (*)(struct tare_instance *))(uintptr_t)dlsym(RTLD_NEXT, __func__);
    planted_cost();
    return next(instance);
}
