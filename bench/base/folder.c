/* folder.c - temporary folders (see folder.h).
 *
 * Signals are caught and raised again, not blocked: a library's threads do not block them, and would end the process.
 */
#define _GNU_SOURCE
#include "folder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

static const int signals[TARE__FOLDER_SIGNALS] = {SIGINT, SIGTERM, SIGHUP};
/* A process has one set of handlers, so this is one a process too. */
static volatile sig_atomic_t caught;

static void note(int signal)
{
    caught = signal;
}

static void hold_signals(tare__folder *f)
{
    const struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
    caught = 0;
    for (int i = 0; i < TARE__FOLDER_SIGNALS; ++i)
        if (sigaction(signals[i], NULL, &f->before[i]) == 0 && f->before[i].sa_handler != SIG_IGN)
            (void)sigaction(signals[i], &action, NULL);
}

static void let_signals(const tare__folder *f)
{
    for (int i = 0; i < TARE__FOLDER_SIGNALS; ++i)
        (void)sigaction(signals[i], &f->before[i], NULL);
    if (caught)
        (void)raise(caught);
}

tare_status tare__folder_open(tare__folder *f)
{
    const char *base = getenv("TMPDIR");
    f->path = tare__print("%s/tare-XXXXXX", base && *base ? base : "/tmp");
    hold_signals(f);
    if (mkdtemp(f->path))
        return TARE_OK;
    tare_status status =
        tare_error(TARE_IO, "%s: a folder for a file in between cannot be made: %s", f->path, strerror(errno));
    let_signals(f);
    free(f->path);
    f->path = NULL;
    return status;
}

void tare__folder_close(tare__folder *f)
{
    (void)rmdir(f->path);
    free(f->path);
    f->path = NULL;
    let_signals(f);
}
