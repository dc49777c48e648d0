/* plugin.h - a plug-in: a shared object that adds records to a runtime's catalogue, as if they were built in.
 *
 * It links to the shared library and ends with one line that names its records:
 *
 *     TARE_PLUGIN("mine", {TARE_KIND_OPERATOR, &my_square}, {TARE_KIND_NET, &my_net})
 *
 * which exports the one symbol tare_plugin_entry. Nothing of a plug-in is called before its entry was found to be of
 * this library's ABI; either all its records are registered or none. docs/PLUGINS.md tells how to write one. */
#ifndef TARE_CORE_PLUGIN_H
#define TARE_CORE_PLUGIN_H

#include "runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Raised with every change of what a plug-in's records and functions rely on that the sizes below do not show. */
enum { TARE_PLUGIN_ABI = 2, TARE_PLUGIN_SIZES = 6 };

typedef struct {
    uint32_t abi;                      /* TARE_PLUGIN_ABI as it was compiled; first in every version */
    uint32_t sizes[TARE_PLUGIN_SIZES]; /* TARE_PLUGIN_LAYOUT as it was compiled */
    const char *name;                  /* for messages */
    const tare_registration *entry;
    int n_entries;
} tare_plugin;

/* Bytes of what records, kernels and inline functions know by their fields. */
#define TARE_PLUGIN_LAYOUT                                                                                             \
    {                                                                                                                  \
        sizeof(tare_op), sizeof(tare_variant), sizeof(tare_work), sizeof(tare_value), sizeof(tare_mode),               \
            sizeof(tare_runtime)                                                                                       \
    }

#ifdef __cplusplus
#define TARE_PLUGIN_LINKAGE extern "C"
#else
#define TARE_PLUGIN_LINKAGE extern
#endif
#define TARE_PLUGIN(name_, ...)                                                                                        \
    static const tare_registration tare_plugin_entries[] = {__VA_ARGS__};                                              \
    TARE_PLUGIN_LINKAGE TARE_API const tare_plugin tare_plugin_entry;                                                  \
    const tare_plugin tare_plugin_entry = {TARE_PLUGIN_ABI, TARE_PLUGIN_LAYOUT, name_, tare_plugin_entries,            \
                                           (int)(sizeof tare_plugin_entries / sizeof *tare_plugin_entries)};

/* Loads FILE.so and registers its records; again: nothing but *out. The runtime keeps it until its own end, after all
 * that may use it. *out (NULL: not wanted) is its entry. NOT_FOUND: there is no such file; BAD_FILE: it is no shared
 * object, lacks a symbol or its entry, or was compiled against another tare; BAD_ARGUMENT: a name is taken, or a record
 * is inconsistent. The catalogue is then as it was. */
TARE_API tare_status tare_plugin_load(tare_runtime *, const char *path, const tare_plugin **out);

#ifdef __cplusplus
}
#endif
#endif
