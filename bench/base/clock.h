/* clock.h - time, and what disturbed it. */
#ifndef TARE_BENCH_CLOCK_H
#define TARE_BENCH_CLOCK_H

#include <stdint.h>

int64_t tare__clock_ns(void);        /* monotonic */
int64_t tare__cpu_clock_ns(void);    /* of this process, all threads */
int64_t tare__thread_clock_ns(void); /* processor time of the calling thread */

typedef struct {
    int64_t steal_ns; /* time that the hypervisor gave to others, all processors; 0 where it is not told */
    int64_t switches; /* involuntary context switches of this process */
} tare__disturbance;

/* The processor's own counter, of an even but unknown rate, where it has one; else the monotonic clock. Reading it
 * costs a third of reading the clock. */
static inline int64_t tare__ticks(void)
{
#if defined(__x86_64__)
    return (int64_t)__builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    int64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    return tare__clock_ns();
#endif
}

/* Totals so far: the difference of two is what happened in between. */
tare__disturbance tare__disturbance_now(void);

#endif
