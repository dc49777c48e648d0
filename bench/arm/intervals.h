/* intervals.h - buffers and their lifetimes as CSV: id,lower,upper,size and, in a plan, offset.
 *
 * A row is a buffer of `size` bytes that lives in [lower, upper). Ids are strings, each once; one that holds a comma or
 * a quote stands in quotes, its own doubled (RFC 4180), all on its line. Numbers are whole and fit 64 bits. A first
 * line with the columns' names, blank lines, CRLF and a byte-order mark are fine. Where that line names columns beyond
 * `offset`, rows may have cells for them, which are kept as they stand. */
#ifndef TARE_BENCH_INTERVALS_H
#define TARE_BENCH_INTERVALS_H

#include "../../pack/pack.h"
#include "../base/command.h"

typedef struct {
    char **id;
    tare_interval *interval;
    int *row;         /* the line that it stands in, from 1 */
    char **more;      /* cells beyond, as they are written, "layer,use"; NULL: none */
    char *more_heads; /* their names; NULL: there are no such columns */
    int n, capacity;
} tare__intervals;

/* Reads a file. of_plan: every row has an offset; else it may have one, which is then fixed. An exit code: what is
 * wrong is said with its line. */
int tare__intervals_read(const tare__line *, const char *path, bool of_plan, tare__intervals *);
/* Appends one without cells beyond; the id is taken over. */
void tare__intervals_add(tare__intervals *, char *id, tare_interval, int row);
/* Two cells as they are written, quoted where they must be: a text of its own. */
char *tare__intervals_cells(const char *, const char *);
/* Writes id,lower,upper,size,offset and what is beyond. An exit code. */
int tare__intervals_write(const tare__line *, const char *path, const tare__intervals *);
void tare__intervals_free(tare__intervals *);

#endif
