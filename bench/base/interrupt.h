/* interrupt.h - SIGINT, SIGTERM and SIGHUP as a question to be asked between two steps.
 *
 * The first signal is only noted; the second ends the process as ever. One that the process was started to ignore (by
 * nohup, by a shell for a job in the background) stays ignored. */
#ifndef TARE_BENCH_INTERRUPT_H
#define TARE_BENCH_INTERRUPT_H

#include <stdbool.h>

/* restart: system calls under way go on, as a training's; else they return, as a wait for another process must. */
void tare__interrupt_catch(bool restart);
/* The signal that came, or 0. */
int tare__interrupted(void);

#endif
