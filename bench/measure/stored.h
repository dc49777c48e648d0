/* stored.h - runs of `tare bench` read back from files: what their figures refer to, their blocks, and the figures
 * computed again. */
#ifndef TARE_BENCH_STORED_H
#define TARE_BENCH_STORED_H

#include "../base/record.h"
#include "figures.h"

/* Takes a record of a file; an exit code, printed. */
typedef int tare__take_record(void *owner, json_t *record, const char *path, int number);

/* Every record of a file, in order. One line of complaint, with file and line, for what is no record, of another
 * schema, or cut short; partial: what stands before a line that was cut short is used, and that is no complaint. */
int tare__records_read(const tare__line *, const char *path, bool partial, tare__take_record *, void *owner);

/* A usage error where --by is given and is not "machine", the one thing that records are kept apart by. */
int tare__by_machine(const tare__line *);

typedef struct {
    const char *path;
    json_t *lines; /* array of the run's records, in order */
    json_t *end;   /* its last line; NULL: the run was cut short */
    char **name;   /* [blocks.n_arms], arms as they first appear */
    tare__reference reference;
    tare__blocks blocks;
    tare__summary summary;
} tare__stored;

typedef struct {
    tare__stored *run;
    int n;
} tare__store;

/* All runs with blocks of a file, summed up. A run that was cut short is refused unless `partial`. An exit code; to be
 * freed in any case. */
int tare__store_read(const tare__line *, const char *path, bool partial, tare__store *);
void tare__store_free(tare__store *);

/* Its arm of that name; -1: none. */
int tare__stored_arm(const tare__stored *, const char *name);
/* The first record of a kind and arm (NULL: any); NULL: none. */
json_t *tare__stored_line(const tare__stored *, const char *kind, const char *arm);

#endif
