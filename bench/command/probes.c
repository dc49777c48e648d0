/* probes.c - the system asked about itself (see doctor.h). */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/perf_event.h>
#include <sys/syscall.h>
#endif

#include "../base/clock.h"
#include "doctor.h"

/* The first line of a file of the system; false: there is none. */
static bool first_line(const char *path, char *text, int bytes)
{
    FILE *file = fopen(path, "r");
    bool read = file && fgets(text, bytes, file);
    if (file)
        (void)fclose(file);
    if (read)
        text[strcspn(text, "\n")] = 0;
    return read;
}

static json_t *switch_of(const char *path, const char *on)
{
    char text[64];
    return first_line(path, text, sizeof text) ? json_boolean(strcmp(text, on) == 0) : json_null();
}

static json_t *number_of(const char *path)
{
    char text[64];
    return first_line(path, text, sizeof text) ? json_real(strtod(text, NULL)) : json_null();
}

static json_t *text_of(const char *path)
{
    char text[128];
    json_t *value = first_line(path, text, sizeof text) ? json_string(text) : NULL;
    return value ? value : json_null();
}

/* Intel's driver says what is off, the others what is on. */
static json_t *turbo(void)
{
    json_t *on = switch_of("/sys/devices/system/cpu/intel_pstate/no_turbo", "0");
    if (!json_is_null(on))
        return on;
    json_decref(on);
    return switch_of("/sys/devices/system/cpu/cpufreq/boost", "1");
}

static json_t *hypervisor(void)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (!file)
        return json_null();
    char text[8192];
    bool found = false;
    while (!found && fgets(text, sizeof text, file))
        found = strncmp(text, "flags", 5) == 0 && strstr(text, " hypervisor");
    (void)fclose(file);
    return json_boolean(found);
}

/* Whether this user may count instructions. */
static json_t *counters(void)
{
#ifdef __linux__
    struct perf_event_attr attr = {.type = PERF_TYPE_HARDWARE,
                                   .size = sizeof attr,
                                   .config = PERF_COUNT_HW_INSTRUCTIONS,
                                   .exclude_kernel = 1,
                                   .exclude_hv = 1};
    long file = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
    if (file < 0)
        return json_sprintf("no: %s", strerror(errno));
    (void)close((int)file);
    return json_string("yes");
#else
    return json_null();
#endif
}

static void put_clock(json_t *all)
{
    enum { READS = 20000 };
    int64_t least = INT64_MAX, begin = tare__clock_ns(), last = begin;
    for (int i = 0; i < READS; ++i) {
        int64_t now = tare__clock_ns();
        if (now > last && now - last < least)
            least = now - last;
        last = now;
    }
    json_object_set_new(all, "clock_resolution_ns", json_integer(least));
    json_object_set_new(all, "clock_cost_ns", json_real((double)(last - begin) / READS));
}

json_t *tare__probes(void)
{
    json_t *all = json_object();
    double load = 0;
    put_clock(all);
    json_object_set_new(all, "load", getloadavg(&load, 1) == 1 ? json_real(load) : json_null());
    json_object_set_new(all, "smt", switch_of("/sys/devices/system/cpu/smt/active", "1"));
    json_object_set_new(all, "turbo", turbo());
    json_object_set_new(all, "hypervisor", hypervisor());
    json_object_set_new(all, "frequency_min_khz", number_of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_min_freq"));
    json_object_set_new(all, "frequency_max_khz", number_of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq"));
    json_object_set_new(all, "huge_pages", text_of("/sys/kernel/mm/transparent_hugepage/enabled"));
    json_object_set_new(all, "counters", counters());
    return all;
}
