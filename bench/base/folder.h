/* folder.h - a folder of this process's own, for files that somebody else has to read by their names.
 *
 * It is short-lived: while it is there, an interrupt waits, so that nothing is left behind. One at a time. */
#ifndef TARE_BENCH_FOLDER_H
#define TARE_BENCH_FOLDER_H

#include <signal.h>

#include "../../core/status.h"

enum { TARE__FOLDER_SIGNALS = 3 };

typedef struct {
    char *path;
    struct sigaction before[TARE__FOLDER_SIGNALS];
} tare__folder;

/* Makes one in $TMPDIR, or /tmp. IO with the text set. */
tare_status tare__folder_open(tare__folder *);
/* Removes it; it is empty. An interrupt that came takes its course now. */
void tare__folder_close(tare__folder *);

#endif
