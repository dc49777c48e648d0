/* plugins.h - the plug-ins of a command line, and the runtime with all that is built in and them.
 *
 * --plugin FILE.so and a NET that is a file name shared objects; FILE.c, in their place, is compiled first
 * (compile.h). All text and every open file stay until the subcommand's end. */
#ifndef TARE_BENCH_PLUGINS_H
#define TARE_BENCH_PLUGINS_H

#include "../../core/plugin.h"
#include "command.h"

/* For the command tables. */
#define TARE__PLUGIN_OPTION                                                                                            \
    {                                                                                                                  \
        "plugin", "FILE.so", NULL, "a plug-in's operators, nets and other records too; FILE.c is compiled first"       \
    }

typedef struct {
    const char **path; /* to load, in this order; of a source, what it was compiled to */
    const char **name; /* the same as the user named them; NULL: as path */
    int n;
} tare__plugins;

/* The files of --plugin, sources compiled. An exit code. */
int tare__plugins_read(const tare__line *, tare__plugins *);
/* One more, named by the first `length` letters of `file`. An exit code. */
int tare__plugins_add(const tare__line *, const char *file, size_t length, tare__plugins *);

/* How many letters of FILE.so or FILE.c stand in front of ":options" or the end; 0: it is neither. */
size_t tare__plugin_letters(const char *text);

/* The kernel set of the level kernels=onednn; libtare_onednn.so has it. */
#define TARE__ADDED "onednn"
/* Its library with the version, static text; NULL where the plug-in is not there or cannot be loaded. */
const char *tare__added_library(void);

/* A runtime with operators, nets, graph and the plug-ins, and of an added kernel set the plug-in that lies beside our
 * library. */
tare_status tare__start(const tare_options *, const tare__plugins *, tare_runtime **out);

/* The name of the one net of the plug-in given last, "name:options" with what followed the file in `net`, kept by the
 * line. An exit code: it has none, or several. */
int tare__plugins_net(const tare__line *, tare_runtime *, const tare__plugins *, const char *net, const char **name);

#endif
