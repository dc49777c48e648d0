/* grid.h - lists on a command line make a grid: a cell is the same line with one entry of each list.
 *
 * Lists: --batch A,B and --threads A,B; values of the net's options, mlp:hidden=300-100/64; levels, --factor F=A/B,G=C
 * (as --kernels, --device). The bar between them is '/', for commas and dashes have a meaning within a value; a net in
 * a file has no options, so its path is none, and neither is a level that begins as a path does. Cells are numbered
 * with the last list fastest.
 *
 * --fraction N takes the cells in which the places of the entries in their lists sum to a multiple of N. Of three lists
 * or more of N entries each that is the regular fraction of 1/N: every pair of entries of two lists occurs equally
 * often (D. C. Montgomery, Design and Analysis of Experiments, ch. 8 and 9). --shard I/N takes every N-th of those
 * cells from the I-th on: shards of one grid have no cell in common, and their files are merged by concatenation.
 */
#ifndef TARE_BENCH_GRID_H
#define TARE_BENCH_GRID_H

#include "command.h"

typedef struct {
    int given;       /* the option on the line; -1: the first word */
    size_t from, to; /* the list lies at these letters of its value */
    char **entry;
    int n;
} tare__axis;

typedef struct {
    const tare__line *line; /* borrowed */
    tare__axis *axis;
    int n_axes;
    int64_t n_cells; /* of the whole grid */
    int64_t fraction, shard, n_shards;
} tare__grid;

/* An exit code; 0: to be freed. */
int tare__grid_read(const tare__line *, tare__grid *);
void tare__grid_free(tare__grid *);
/* The numbers of the cells of the fraction and the shard, ascending: an array that the caller frees. */
int64_t *tare__grid_cells(const tare__grid *, int *n);
/* Cell k's line, with texts of its own. */
void tare__grid_line(const tare__grid *, int64_t k, tare__line *);
void tare__grid_line_free(tare__line *);

#endif
