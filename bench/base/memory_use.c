/* memory_use.c - resident memory through /proc (see memory_use.h). */
#include "memory_use.h"

#include <stdio.h>
#include <string.h>

/* A line "key:   123 kB" of /proc/self/status, in bytes; -1: there is none. */
static int64_t status_bytes(const char *key)
{
    char text[256];
    long long kib = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(text, sizeof text, file))
        if (strncmp(text, key, strlen(key)) == 0 && sscanf(text + strlen(key), ": %lld", &kib) == 1)
            break;
    if (file)
        (void)fclose(file);
    return kib < 0 ? -1 : kib * 1024;
}

/* 5 sets the peak back to the present (proc(5), clear_refs). */
int64_t tare__resident_mark(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (!file)
        return -1;
    int written = fputs("5", file) >= 0;
    return fclose(file) == 0 && written ? status_bytes("VmRSS") : -1;
}

int64_t tare__resident_growth(int64_t mark)
{
    int64_t peak = status_bytes("VmHWM");
    return mark < 0 || peak < 0 ? -1 : peak > mark ? peak - mark : 0;
}
