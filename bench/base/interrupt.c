/* interrupt.c - signals noted (see interrupt.h). */
#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

/* A process has one set of handlers, so this is one a process too. */
static volatile sig_atomic_t caught;

static void note(int signal)
{
    caught = signal;
}

void tare__interrupt_catch(bool restart)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    const struct sigaction action = {.sa_handler = note, .sa_flags = (restart ? SA_RESTART : 0) | (int)SA_RESETHAND};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; ++i) {
        struct sigaction old;
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            (void)sigaction(signals[i], &action, NULL);
    }
}

int tare__interrupted(void)
{
    return caught;
}
