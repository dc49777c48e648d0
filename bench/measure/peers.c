/* peers.c - reading what others measured (see peers.h). */
#define _GNU_SOURCE
#include "peers.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/next_line.h"

/* A line as a peer; false: it is none. */
static bool take(tare__peers_file *f, const char *text)
{
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const char *name, *net;
    json_int_t batch, threads;
    double ms;
    bool good = json_unpack(object, "{s:s,s:s,s:I,s:I,s:F}", "name", &name, "net", &net, "batch", &batch, "threads",
                            &threads, "ms", &ms) == 0 &&
                batch > 0 && threads > 0 && ms > 0 && isfinite(ms);
    if (good) {
        f->peer = tare__more(f->peer, (size_t)f->n + 1, sizeof *f->peer);
        f->peer[f->n++] = (tare__peer){tare__copy_text(name), tare__copy_text(net), batch, threads, ms};
    }
    json_decref(object);
    return good;
}

int tare__peers_read(const tare__line *line, const char *path, tare__peers_file *f)
{
    *f = (tare__peers_file){0};
    FILE *file = fopen(path, "r");
    if (!file)
        return tare__failed(line, "%s: %s", path, strerror(errno));
    char *text = NULL;
    size_t capacity = 0;
    ssize_t bytes = 0;
    int code = TARE__RAN;
    for (int number = 1; !code && (bytes = tare__next_line(file, &text, &capacity)) > 0; ++number)
        if (text[strspn(text, " \t\r\n")] && !take(f, text))
            code = tare__failed(line, "%s:%d: no {\"name\", \"net\", \"batch\", \"threads\", \"ms\"}", path, number);
    if (!code && bytes < 0)
        code = tare__failed(line, "%s: %s", path, strerror(errno));
    if (!code && !f->n)
        code = tare__failed(line, "%s: no step is in it", path);
    free(text);
    (void)fclose(file);
    return code;
}

void tare__peers_free(tare__peers_file *f)
{
    for (int i = 0; i < f->n; ++i) {
        free(f->peer[i].name);
        free(f->peer[i].net);
    }
    free(f->peer);
    *f = (tare__peers_file){0};
}

bool tare__peer_has(const tare__peer *p, const char *label)
{
    size_t letters = strcspn(label, ":");
    return strcmp(p->net, label) == 0 || (strlen(p->net) == letters && strncmp(p->net, label, letters) == 0);
}
