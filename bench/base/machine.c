/* machine.c - the machine, build and library records that go with every result. */
#include <gnu/libc-version.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <zlib.h>

#include "record.h"

/* The value of the first line "key : value" of a file of /proc; "" where there is none. */
static void proc_value(const char *path, const char *key, char *out, size_t bytes)
{
    char text[512];
    out[0] = 0;
    FILE *file = fopen(path, "r");
    while (file && fgets(text, sizeof text, file)) {
        char *colon = strchr(text, ':');
        if (strncmp(text, key, strlen(key)) != 0 || !colon)
            continue;
        colon += 1 + strspn(colon + 1, " \t");
        colon[strcspn(colon, "\n")] = 0;
        snprintf(out, bytes, "%s", colon);
        break;
    }
    if (file)
        (void)fclose(file);
}

static json_t *text_or_null(const char *text)
{
    json_t *value = text && *text ? json_string(text) : NULL;
    return value ? value : json_null();
}

json_t *tare__machine(void)
{
    json_t *machine = json_object();
    char model[256], governor[64] = "";
    struct utsname name;
    proc_value("/proc/cpuinfo", "model name", model, sizeof model);
    json_object_set_new(machine, "cpu", text_or_null(model));
    json_object_set_new(machine, "processors", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
    json_object_set_new(machine, "memory_bytes",
                        json_integer((json_int_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE)));
#ifdef _SC_LEVEL1_DCACHE_SIZE
    json_object_set_new(machine, "cache_bytes",
                        json_pack("[I,I,I]", (json_int_t)sysconf(_SC_LEVEL1_DCACHE_SIZE),
                                  (json_int_t)sysconf(_SC_LEVEL2_CACHE_SIZE),
                                  (json_int_t)sysconf(_SC_LEVEL3_CACHE_SIZE)));
#endif
    FILE *file = fopen("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "r");
    if (file) {
        if (fgets(governor, sizeof governor, file))
            governor[strcspn(governor, "\n")] = 0;
        (void)fclose(file);
    }
    json_object_set_new(machine, "governor", text_or_null(governor));
    if (uname(&name) == 0) {
        json_object_set_new(machine, "system", text_or_null(name.sysname));
        json_object_set_new(machine, "release", text_or_null(name.release));
        json_object_set_new(machine, "architecture", text_or_null(name.machine));
        json_object_set_new(machine, "host", text_or_null(name.nodename));
    }
    return machine;
}

json_t *tare__build(void)
{
    return json_pack("{s:s,s:s,s:s}", "compiler", TARE_BUILD_COMPILER, "flags", TARE_BUILD_FLAGS, "type",
                     TARE_BUILD_TYPE);
}

/* Only OpenBLAS has it; with another CBLAS the address is NULL. */
extern char *openblas_get_config(void) __attribute__((weak));

json_t *tare__libraries(void)
{
    json_t *libraries = json_object();
    json_object_set_new(libraries, "blas", text_or_null(openblas_get_config ? openblas_get_config() : ""));
    json_object_set_new(libraries, "jansson", json_string(jansson_version_str()));
    json_object_set_new(libraries, "zlib", json_string(zlibVersion()));
    json_object_set_new(libraries, "libc", json_string(gnu_get_libc_version()));
    return libraries;
}
