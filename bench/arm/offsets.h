/* offsets.h - a plan made elsewhere: the offsets of a file, for the blocks of a net's plan.
 *
 * The file is what `tare plan NET --csv` writes, with other offsets: the same ids, times and sizes, in any order. */
#ifndef TARE_BENCH_OFFSETS_H
#define TARE_BENCH_OFFSETS_H

#include "../../graph/graph.h"
#include "intervals.h"

typedef struct tare__offsets tare__offsets;

/* Reads a file of rows id,lower,upper,size,offset. It is the line's, as long as that. An exit code. */
int tare__offsets_read(const tare__line *, const char *path, const tare__offsets **out);
const char *tare__offsets_path(const tare__offsets *);
/* Gives the plan's blocks the offsets, verified. IMPOSSIBLE: the rows are not the plan's blocks, or two meet; the plan
 * is as it was. */
tare_status tare__offsets_place(const tare__offsets *, tare_plan *);
/* The id that the rows of a net's plan give its block i, made by `what` in the layer `path` (NULL or "": in none):
 * owned by the caller. */
char *tare__block_id(int i, const char *path, const char *what);

#endif
