/* plugin.c - plug-ins loaded, checked, registered, and let go at a runtime's end (see plugin.h).
 *
 * The system's loader counts: a shared object that two runtimes load is one, and stays until both have ended. It finds
 * missing symbols at once (RTLD_NOW), never in the middle of a step. */
#include "plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime_private.h"

struct tare__loaded {
    void *handle;
    const tare_plugin *plugin;
    struct tare__loaded *next;
};

/* The loader's reason without the path, which stands in front of our sentence already. */
static const char *reason(const char *path)
{
    const char *text = dlerror();
    size_t length = strlen(path);
    if (!text)
        return "for a reason that the system does not tell";
    return strncmp(text, path, length) == 0 && strncmp(text + length, ": ", 2) == 0 ? text + length + 2 : text;
}

static tare_status check(const char *path, const tare_plugin *p)
{
    static const uint32_t sizes[TARE_PLUGIN_SIZES] = TARE_PLUGIN_LAYOUT;
    if (!p)
        return tare_error(TARE_BAD_FILE, "%s: it is no plug-in of tare: it has no tare_plugin_entry", path);
    if (p->abi != TARE_PLUGIN_ABI)
        return tare_error(TARE_BAD_FILE, "%s: it was made for ABI %u of plug-ins (need %u)", path, (unsigned)p->abi,
                          (unsigned)TARE_PLUGIN_ABI);
    if (memcmp(p->sizes, sizes, sizeof sizes) != 0)
        return tare_error(TARE_BAD_FILE, "%s: it was compiled with the headers of another tare: compile it again",
                          path);
    return TARE_OK;
}

static tare_status add(tare_runtime *rt, const char *path, const tare_plugin *p)
{
    int before = tare_registered(rt);
    tare_status status = TARE_OK;
    for (int i = 0; i < p->n_entries && status == TARE_OK; ++i)
        status = tare_register(rt, p->entry[i].kind, p->entry[i].record);
    if (status == TARE_OK || status == TARE_NO_MEMORY) {
        if (status != TARE_OK)
            tare_unregister(rt, before);
        return status;
    }
    char text[256];
    (void)snprintf(text, sizeof text, "%s", tare_error_text());
    tare_unregister(rt, before);
    return tare_error(status, "%s: %s", path, text);
}

static const struct tare__loaded *find(const tare_runtime *rt, const tare_plugin *p)
{
    const struct tare__loaded *l = rt->plugins;
    while (l && l->plugin != p)
        l = l->next;
    return l;
}

/* Registers what is behind a handle and keeps it; on failure the caller closes the handle. */
static tare_status take(tare_runtime *rt, const char *path, void *handle, const tare_plugin *p)
{
    tare_status status = check(path, p);
    struct tare__loaded *l = NULL;
    if (status == TARE_OK) {
        l = tare_memory_take(&rt->memory, TARE_MEMORY_RECORD, sizeof *l);
        status = l ? add(rt, path, p) : TARE_NO_MEMORY;
    }
    if (status != TARE_OK) {
        tare_memory_give(&rt->memory, TARE_MEMORY_RECORD, l, sizeof *l);
        return status;
    }
    *l = (struct tare__loaded){handle, p, rt->plugins};
    rt->plugins = l;
    return TARE_OK;
}

tare_status tare_plugin_load(tare_runtime *rt, const char *path, const tare_plugin **out)
{
    char here[4096];
    if (!path || access(path, R_OK) != 0)
        return tare_error(TARE_NOT_FOUND, "plug-in %s: %s", path ? path : "", path ? strerror(errno) : "needs a name");
    /* a name without a slash would be looked for in the system's folders */
    if (snprintf(here, sizeof here, "%s%s", strchr(path, '/') ? "" : "./", path) >= (int)sizeof here)
        return tare_error(TARE_NOT_FOUND, "plug-in %.60s...: the name is too long", path);
    void *handle = dlopen(here, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return tare_error(TARE_BAD_FILE, "%s: it cannot be loaded: %s", path, reason(here));
    const tare_plugin *p = dlsym(handle, "tare_plugin_entry");
    bool known = p && find(rt, p);
    tare_status status = known ? TARE_OK : take(rt, path, handle, p);
    if (known || status != TARE_OK)
        (void)dlclose(handle);
    if (status == TARE_OK && out)
        *out = p;
    return status;
}

void tare__plugins_fini(tare_runtime *rt)
{
    while (rt->plugins) {
        struct tare__loaded *l = rt->plugins;
        rt->plugins = l->next;
        (void)dlclose(l->handle);
        tare_memory_give(&rt->memory, TARE_MEMORY_RECORD, l, sizeof *l);
    }
}
