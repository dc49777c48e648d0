/* intervals.h - buffers and their lifetimes as CSV: id,lower,upper,size and, in a plan, offset.
 *
 * A row is a buffer of `size` bytes that lives in [lower, upper). Ids are strings, each once; one that holds a comma or
 * a quote stands in quotes, its own doubled (RFC 4180), all on its line. Numbers are whole and fit 64 bits. A first
 * line with the columns' names, blank lines, CRLF and a byte-order mark are fine. */
#ifndef TARE_BENCH_INTERVALS_H
#define TARE_BENCH_INTERVALS_H

#include "../pack/pack.h"
#include "command.h"

typedef struct {
    char **id;
    tare_interval *interval;
    int *row; /* the line that it stands in, from 1 */
    int n, capacity;
} tare__intervals;

/* Reads a file. of_plan: every row has an offset; else it may have one, which is then fixed. An exit code: what is
 * wrong is said with its line. */
int tare__intervals_read(const tare__line *, const char *path, bool of_plan, tare__intervals *);
/* Appends one; the id is taken over. */
void tare__intervals_add(tare__intervals *, char *id, tare_interval, int row);
/* Writes id,lower,upper,size,offset. An exit code. */
int tare__intervals_write(const tare__line *, const char *path, const tare__intervals *);
void tare__intervals_free(tare__intervals *);

#endif
