/* plugins.c - which plug-ins a command line asks for (see plugins.h). */
#define _GNU_SOURCE
#include "plugins.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../graph/graph.h"
#include "../../nets/net.h"
#include "../../ops/ops.h"
#include "compile.h"

static bool ends(const char *text, size_t length, const char *ending)
{
    size_t n = strlen(ending);
    return length > n && memcmp(text + length - n, ending, n) == 0;
}

size_t tare__plugin_letters(const char *text)
{
    for (size_t length = strcspn(text, ":");; length += 1 + strcspn(text + length + 1, ":")) {
        if (ends(text, length, ".so") || ends(text, length, ".c"))
            return length;
        if (!text[length])
            return 0;
    }
}

/* A list that the line keeps cannot grow in place, and is never long. */
static const char **longer(const tare__line *line, const char *const *list, int n, const char *path)
{
    const char **more = tare__keep(line, tare__take((size_t)n + 1, sizeof *more));
    for (int i = 0; i < n; ++i)
        more[i] = list[i];
    more[n] = path;
    return more;
}

int tare__plugins_add(const tare__line *line, const char *file, size_t length, tare__plugins *p)
{
    char *path = tare__keep(line, tare__print("%.*s", (int)length, file));
    const char *made = path;
    int code = ends(file, length, ".c") ? tare__compile(line, path, &made) : TARE__RAN;
    if (code)
        return code;
    p->path = longer(line, p->path, p->n, made);
    p->name = longer(line, p->name, p->n, path);
    ++p->n;
    return TARE__RAN;
}

int tare__plugins_read(const tare__line *line, tare__plugins *p)
{
    *p = (tare__plugins){0};
    int code = TARE__RAN, at = 0;
    const char *file;
    while (!code && (file = tare__each(line, "plugin", &at)))
        code = tare__plugins_add(line, file, strlen(file), p);
    return code;
}

/* Loads the i-th. What is wrong with it is said of the file that the user named. */
static tare_status load(tare_runtime *rt, const tare__plugins *p, int i, const tare_plugin **out)
{
    tare_status status = tare_plugin_load(rt, p->path[i], out);
    const char *text = tare_error_text();
    size_t length = strlen(p->path[i]);
    if (status == TARE_OK || !p->name || strncmp(text, p->path[i], length) != 0)
        return status;
    char *said = tare__copy_text(text + length);
    status = tare_error(status, "%s%s", p->name[i], said);
    free(said);
    return status;
}

/* ---- kernel sets ------------------------------------------------------------------------------------------------*/

enum { PATH_BYTES = 4096 };

/* Where the plug-in of a kernel set lies: beside the library whose functions run here. false: it is not there. */
static bool beside(const char *set, char path[PATH_BYTES])
{
    Dl_info library;
    if (!dladdr(__extension__(void *) tare_plugin_load, &library) || !library.dli_fname)
        return false;
    const char *slash = strrchr(library.dli_fname, '/');
    int folder = slash ? (int)(slash - library.dli_fname) + 1 : 0;
    int length = snprintf(path, PATH_BYTES, "%.*slibtare_%s.so", folder, library.dli_fname, set);
    return length < PATH_BYTES && access(path, R_OK) == 0;
}

static const tare_added_kernels *set_of(const tare_plugin *p)
{
    for (int i = 0; i < p->n_entries; ++i)
        if (p->entry[i].kind == TARE_KIND_KERNELS)
            return p->entry[i].record;
    return NULL;
}

/* One that a plug-in of the command line has registered already is the one. */
static tare_status load_added(tare_runtime *rt, const char *set)
{
    char path[PATH_BYTES];
    if (rt->added)
        return TARE_OK;
    if (!beside(set, path))
        return tare_error(TARE_NOT_FOUND, "kernels=%s: libtare_%s.so is not there: built without it (README.md)", set,
                          set);
    tare_status status = tare_plugin_load(rt, path, NULL);
    return status == TARE_OK && !rt->added
               ? tare_error(TARE_BAD_FILE, "kernels=%s: libtare_%s.so has no such kernel set", set, set)
               : status;
}

const char *tare__added_library(void)
{
    char path[PATH_BYTES];
    tare_runtime *rt = NULL;
    const tare_plugin *p;
    const char *text = NULL;
    if (beside(TARE__ADDED, path) && tare_start(NULL, &rt) == TARE_OK && tare_plugin_load(rt, path, &p) == TARE_OK) {
        const tare_added_kernels *set = set_of(p);
        text = set ? set->library() : NULL;
    }
    (void)tare_runtime_free(rt);
    return text;
}

tare_status tare__start(const tare_options *options, const tare__plugins *p, tare_runtime **out)
{
    tare_runtime *rt;
    tare_status status = tare_start(options, &rt);
    if (status != TARE_OK)
        return status;
    status = tare_nets_register(rt);
    if (status == TARE_OK)
        status = tare_graph_register(rt);
    for (int i = 0; i < p->n && status == TARE_OK; ++i)
        status = load(rt, p, i, NULL);
    if (status == TARE_OK && options && options->added)
        status = load_added(rt, options->added);
    if (status == TARE_OK)
        *out = rt;
    else
        (void)tare_runtime_free(rt);
    return status;
}

int tare__plugins_net(const tare__line *line, tare_runtime *rt, const tare__plugins *p, const char *net,
                      const char **name)
{
    size_t length = tare__plugin_letters(net);
    const tare_plugin *plugin;
    tare_status status = load(rt, p, p->n - 1, &plugin);
    if (status != TARE_OK)
        return tare__status_usage(line, status);
    const char *found = NULL, *second = NULL;
    for (int i = 0; i < plugin->n_entries; ++i)
        if (plugin->entry[i].kind == TARE_KIND_NET) {
            second = found && !second ? ((const tare_record *)plugin->entry[i].record)->name : second;
            found = found ? found : ((const tare_record *)plugin->entry[i].record)->name;
        }
    if (!found)
        return tare__usage(line, "%.*s has no net (--plugin takes its other records)", (int)length, net);
    if (second)
        return tare__usage(line, "%.*s has several nets (%s, %s, ...): name one, with --plugin %.*s", (int)length, net,
                           found, second, (int)length, net);
    *name = tare__keep(line, tare__print("%s%s", found, net + length));
    return TARE__RAN;
}
