/* clock.c - the system's clocks, steal time and context switches (see clock.h). */
#include "clock.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static int64_t read_clock(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t tare__clock_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t tare__cpu_clock_ns(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

int64_t tare__thread_clock_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

/* Field 8 of /proc/stat's first line, in ticks (proc(5)). */
static int64_t steal_ns(void)
{
    char text[256];
    int fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    if (n <= 0)
        return 0;
    text[n] = 0;
    long long ticks;
    if (sscanf(text, "cpu %*u %*u %*u %*u %*u %*u %*u %lld", &ticks) != 1)
        return 0;
    return ticks * (1000000000 / sysconf(_SC_CLK_TCK));
}

tare__disturbance tare__disturbance_now(void)
{
    struct rusage usage;
    tare__disturbance now = {.steal_ns = steal_ns()};
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        now.switches = usage.ru_nivcsw;
    return now;
}
