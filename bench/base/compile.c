/* compile.c - FILE.c to a plug-in (see compile.h).
 *
 * The object is made in a private folder, opened, and removed with the folder at once: what is loaded is the open file,
 * by its name in /proc. So nothing is left behind, however the command ends. */
#define _GNU_SOURCE
#include "compile.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../core/version.h"
#include "folder.h"

/* The words before the source: what the library itself is compiled with, as far as a kernel's bits depend on it. */
static const char *const flags[] = {"-std=gnu11",        "-O2",   "-g",      "-Wall",
                                    "-ffp-contract=off", "-fPIC", "-shared", "-Wl,-z,defs"};
enum { FLAGS = sizeof flags / sizeof *flags, WORDS = 64 };

/* The folder that <tare/tare.h> is found in: text of the caller's; NULL: it is nowhere. */
static char *find_headers(void)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0)
        return NULL;
    self[n] = 0;
    const char *folder = dirname(self);
    static const char *const places[] = {"include", TARE_HEADERS_FROM_COMMAND};
    for (size_t i = 0; i < sizeof places / sizeof *places; ++i) {
        char *include = tare__print("%s/%s", folder, places[i]), *header = tare__print("%s/tare/tare.h", include);
        bool there = access(header, R_OK) == 0;
        free(header);
        if (there)
            return include;
        free(include);
    }
    return NULL;
}

/* In the new process. `command` may hold several words ("ccache gcc"); they are borrowed for the rest of its life. */
static void become_compiler(char *command, const char *include, const char *library, const char *source,
                            const char *object)
{
    const char *word[WORDS + FLAGS + 8];
    int n = 0;
    char *next;
    while ((next = strsep(&command, " ")) && n < WORDS)
        if (*next)
            word[n++] = next;
    for (int i = 0; i < FLAGS; ++i)
        word[n++] = flags[i];
    word[n++] = "-I";
    word[n++] = include;
    word[n++] = source;
    word[n++] = library;
    word[n++] = "-o";
    word[n++] = object;
    word[n] = NULL;
    (void)dup2(STDERR_FILENO, STDOUT_FILENO);
    execvp(word[0], (char *const *)(uintptr_t)word);
    _exit(127);
}

/* The user's interrupt ends the compiler, and this process goes on to tidy up (folder.h). -1: it did not end by
 * itself. */
static int run_compiler(const char *compiler, const char *include, const char *library, const char *source,
                        const char *object)
{
    char *command = tare__copy_text(compiler);
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        become_compiler(command, include, library, source, object);
    int status = 0;
    bool ended = child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status);
    free(command);
    return ended ? WEXITSTATUS(status) : -1;
}

/* The compiler's answer as the command's. */
static int judge(const tare__line *line, int status, const char *compiler, const char *source)
{
    if (status == 0)
        return TARE__RAN;
    return status == 127
               ? tare__failed(line, "%s: the compiler '%s' cannot be started (name one in $CC)", source, compiler)
               : tare__failed(line, "%s does not compile", source);
}

static int compile_in(const tare__line *line, const char *folder, const char *source, const char **path)
{
    const char *compiler = getenv("CC");
    if (!compiler || !*compiler)
        compiler = TARE_COMPILER;
    Dl_info library;
    char *include = find_headers();
    if (!include)
        return tare__failed(line, "%s: the headers of tare are neither beside this command nor installed with it",
                            source);
    if (!dladdr((const void *)(uintptr_t)tare_version, &library)) {
        free(include);
        return tare__failed(line, "%s: the library of tare is not to be found", source);
    }
    char *object = tare__print("%s/plugin.so", folder);
    int code = judge(line, run_compiler(compiler, include, library.dli_fname, source, object), compiler, source);
    int file = code ? -1 : open(object, O_RDONLY);
    if (!code && file < 0)
        code = tare__failed(line, "%s: %s", object, strerror(errno));
    if (!code)
        *path = tare__keep(line, tare__print("/proc/self/fd/%d", file));
    (void)unlink(object);
    free(object);
    free(include);
    return code;
}

int tare__compile(const tare__line *line, const char *source, const char **path)
{
    struct stat is;
    if (access(source, R_OK) != 0 || stat(source, &is) != 0)
        return tare__usage(line, "%s: %s", source, strerror(errno));
    if (S_ISDIR(is.st_mode))
        return tare__usage(line, "%s: %s", source, strerror(EISDIR));
    tare__folder folder;
    tare_status status = tare__folder_open(&folder);
    if (status != TARE_OK)
        return tare__status_failed(line, status);
    int code = compile_in(line, folder.path, source, path);
    tare__folder_close(&folder);
    return code;
}
