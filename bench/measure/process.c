/* process.c - a process started, told and listened to (see process.h). */
#define _GNU_SOURCE
#include "process.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../core/random.h"

enum { PADDING_BYTES = 4096 };

int tare__process_padding(int64_t order_seed, int process)
{
    float u;
    tare_random_uniform(&u, 1, (uint64_t)order_seed, 0x70616464 + (uint64_t)process, 0, PADDING_BYTES - 1);
    return (int)u;
}

double tare__process_seconds(double seconds, double spent, int64_t to_come)
{
    return fmax(0.05, (seconds - spent) / (double)to_come);
}

typedef struct {
    const tare__line *line;
    char **argv;
    int padding_bytes;
} starting;

/* In the new process, which ends with its parent. */
static void become(const starting *p, FILE *request, int output)
{
    char padding[PADDING_BYTES + 1];
    memset(padding, 'x', sizeof padding);
    padding[p->padding_bytes] = 0;
    (void)signal(SIGPIPE, SIG_DFL);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    /* OpenBLAS starts its threads when it is loaded; those idle ones would spin beside the first rounds. */
    bool alone = setenv("OPENBLAS_NUM_THREADS", "1", 1) == 0;
    if (dup2(fileno(request), STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 && alone &&
        setenv("TARE_PADDING", padding, 1) == 0)
        execv("/proc/self/exe", p->argv);
    _exit(tare__failed(p->line, "this command cannot be started again: %s", strerror(errno)));
}

/* The request in a file without a name, to be read from its beginning. */
static FILE *write_request(const starting *p, json_t *object)
{
    FILE *request = tmpfile();
    bool written = request && json_dumpf(object, request, JSON_COMPACT | JSON_REAL_PRECISION(17)) == 0 &&
                   fflush(request) == 0 && lseek(fileno(request), 0, SEEK_SET) == 0;
    json_decref(object);
    if (written)
        return request;
    (void)tare__failed(p->line, "no file for a process of the run: %s", strerror(errno));
    if (request)
        (void)fclose(request);
    return NULL;
}

/* Lines until the process has no more or an interrupt comes. A torn one is no line. */
static void listen_to(FILE *in, int padding_bytes, tare__take_line *take, void *owner)
{
    char *text = NULL;
    size_t capacity = 0;
    while (!tare__interrupted() && getline(&text, &capacity, in) > 0) {
        json_t *line = json_loads(text, 0, NULL);
        if (line && json_object_get(line, "done"))
            json_object_set_new(line, "padding_bytes", json_integer(padding_bytes));
        if (line)
            take(owner, line);
        json_decref(line);
    }
    free(text);
}

static int end_of(const starting *p, pid_t child)
{
    int status = 0;
    if (tare__interrupted())
        (void)kill(child, SIGTERM);
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return tare__failed(p->line, "a process of the run was lost: %s", strerror(errno));
        else
            (void)kill(child, SIGTERM);
    if (tare__interrupted())
        return TARE__FAILED;
    if (WIFSIGNALED(status))
        return tare__failed(p->line, "a process of the run was ended by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

int tare__process_run(const tare__line *line, char **argv, json_t *object, int padding_bytes, tare__take_line *take,
                      void *owner)
{
    const starting start = {line, argv, padding_bytes}, *p = &start;
    int ends[2];
    FILE *request = tare__interrupted() ? NULL : write_request(p, json_incref(object));
    json_decref(object);
    if (!request)
        return TARE__FAILED;
    if (pipe(ends) != 0) {
        (void)fclose(request);
        return tare__failed(p->line, "no pipe to a process of the run: %s", strerror(errno));
    }
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)close(ends[0]);
        become(p, request, ends[1]);
    }
    (void)close(ends[1]);
    (void)fclose(request);
    FILE *in = child > 0 ? fdopen(ends[0], "r") : NULL;
    if (in) {
        listen_to(in, padding_bytes, take, owner);
        (void)fclose(in);
    } else {
        (void)close(ends[0]);
    }
    return child > 0 ? end_of(p, child) : tare__failed(p->line, "a process of the run could not be started");
}
