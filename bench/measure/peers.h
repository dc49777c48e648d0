/* peers.h - steps that others measured: a file of JSON lines {"name", "net", "batch", "threads", "ms"}. */
#ifndef TARE_BENCH_PEERS_H
#define TARE_BENCH_PEERS_H

#include "../base/command.h"

typedef struct {
    char *name, *net;
    int64_t batch, threads;
    double ms;
} tare__peer;

typedef struct {
    tare__peer *peer;
    int n;
} tare__peers_file;

/* An exit code: a line that is none is a failure with file and line. To be freed in any case. */
int tare__peers_read(const tare__line *, const char *path, tare__peers_file *);
void tare__peers_free(tare__peers_file *);
/* Whether a peer's net is the one of this name: the name without its options, or all of it. */
bool tare__peer_has(const tare__peer *, const char *label);

#endif
