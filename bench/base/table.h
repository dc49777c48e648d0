/* table.h - a table on a terminal: cells of text, columns as wide as their widest cell; and figures as text. */
#ifndef TARE_BENCH_TABLE_H
#define TARE_BENCH_TABLE_H

#include <stdint.h>
#include <stdio.h>

typedef struct {
    int n_columns, n_cells, capacity;
    const char **head; /* borrowed; a column whose head begins with '<' is flush left, the others right */
    char **cell;       /* owned, row by row */
} tare__table;

/* head: n_columns texts that outlive the table. */
void tare__table_init(tare__table *, const char **head, int n_columns);
/* The next cell; NULL is a dash. */
void tare__table_put(tare__table *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints head and rows to the stream, each line indented by two blanks. */
void tare__table_print(const tare__table *, FILE *);
void tare__table_fini(tare__table *);

/* Into text (TARE__FIGURE bytes), returned; NaN is "-". */
enum { TARE__FIGURE = 32 };
const char *tare__figure_ns(double ns, char *text);       /* 812 ns, 1.23 us, 45.6 ms, 7.89 s */
const char *tare__figure_bytes(double bytes, char *text); /* 512 B, 1.23 KiB ... */
const char *tare__figure_count(double count, char *text); /* 30 208, 353.4 M, 57.96 G */
const char *tare__figure_plain(double x, int digits, char *text);

#endif
